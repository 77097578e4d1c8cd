package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/wellpaced/wellpaced/selfrefer/form"
)

// visitor is somebody who was texted.
type visitor struct {
	base    string        // of the form
	at      time.Duration // after the texts
	accept  string        // languages, as the browser says
	answers url.Values
	pauses  []time.Duration // before each page that is sent

	cookies map[string]string
	posts   int    // so far
	went    []step // through these pages; the bare handler is asked for the same
}

// step is a request of a visitor.
type step struct {
	method, path string // under the base; what is posted stands behind the question mark
	want         int    // status; 0 is a page or a way on
}

// crowd is everybody who comes, with one way to the site: its pages come over connections that are kept, as behind a proxy.
type crowd struct {
	site   string
	again  bool // the same requests as before, whatever is answered
	client http.Client

	mu sync.Mutex
	played
}

func newCrowd(site string, again bool) *crowd {
	c := &crowd{site: site, again: again, played: played{waits: map[string][]time.Duration{}, taken: answersTaken{}}}
	// Pages come compressed and are not unpacked: a phone has a processor of its own.
	c.client = http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableCompression: true, MaxIdleConns: 10_000, MaxIdleConnsPerHost: 10_000, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c
}

func (c *crowd) soFar() (sent, errs int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent, c.errors
}

// comes lets somebody go through the whole form. At the first answer that is not as it should be they give up.
func (c *crowd) comes(ctx context.Context, v *visitor, late time.Duration) {
	v.cookies, v.posts = map[string]string{}, 0
	walk := c.fill
	if c.again {
		walk = c.repeat
	}
	err := walk(ctx, v)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late = append(c.late, late)
	if err == nil {
		c.sent++
		return
	}
	if c.errors++; len(c.mishaps) < 5 {
		c.mishaps = append(c.mishaps, err.Error())
	}
}

// mostPages is more than a form has: whoever is led round in a circle must not go on for ever.
const mostPages = 80

// fill goes where the site leads, question by question, until the form is sent.
func (c *crowd) fill(ctx context.Context, v *visitor) error {
	fields := map[string][]string{}
	after := map[string]string{}
	for i, s := range form.Steps {
		fields[s.Path] = s.Fields
		if i > 0 {
			after[form.Steps[i-1].Path] = s.Path
		}
	}
	v.went = nil
	if _, err := c.ask(ctx, v, step{"GET", "", http.StatusOK}); err != nil {
		return err
	}
	to, err := c.post(ctx, v, "/start", nil)
	for range mostPages {
		if err != nil {
			return err
		}
		page := pageOf(to)
		names, question := fields[page]
		switch {
		case page == "sent":
			_, err = c.ask(ctx, v, step{"GET", "/sent", http.StatusOK})
			return err
		case page == "urgent": // they read it, and press "Continue"
			if _, err = c.ask(ctx, v, step{"GET", to, http.StatusOK}); err != nil {
				return err
			}
			_, last, _ := strings.Cut(to, "after=")
			to = "/" + after[last]
		case page == "check":
			if _, err = c.ask(ctx, v, step{"GET", to, http.StatusOK}); err == nil {
				to, err = c.post(ctx, v, "/send", url.Values{})
			}
		case question:
			var next string
			if next, err = c.ask(ctx, v, step{"GET", to, 0}); err != nil || next != "" {
				to = next // a question that is not for them leads on
				continue
			}
			answers := url.Values{}
			for _, name := range names {
				if a, ok := v.answers[name]; ok {
					answers[name] = a
				}
			}
			to, err = c.post(ctx, v, to, answers)
		default:
			return fmt.Errorf("the form leads to %q", page)
		}
	}
	return errors.Join(err, errors.New("the form has no end"))
}

// repeat asks for the same pages again.
func (c *crowd) repeat(ctx context.Context, v *visitor) error {
	for _, s := range v.went {
		if s.method == "POST" {
			if err := v.pause(ctx); err != nil {
				return err
			}
		}
		if _, err := c.ask(ctx, v, s); err != nil {
			return err
		}
	}
	return nil
}

// pause is how long somebody reads and writes before they send a page.
func (v *visitor) pause(ctx context.Context) error {
	t := time.NewTimer(v.pauses[v.posts%len(v.pauses)])
	defer t.Stop()
	v.posts++
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// post sends a page after some thought, and tells where it leads.
func (c *crowd) post(ctx context.Context, v *visitor, path string, answers url.Values) (to string, err error) {
	if err := v.pause(ctx); err != nil {
		return "", err
	}
	return c.ask(ctx, v, step{"POST", path + "?" + answers.Encode(), http.StatusSeeOther})
}

// ask makes one request, times it to the last byte of the answer, and tells where that leads.
func (c *crowd) ask(ctx context.Context, v *visitor, s step) (to string, err error) {
	path, body := s.path, ""
	if s.method == "POST" {
		path, body, _ = strings.Cut(s.path, "?")
	}
	page := s.method + " " + pageOf(v.base+path)
	req, err := http.NewRequestWithContext(ctx, s.method, c.site+v.base+path, strings.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("%s: cannot be asked for", page) // the error would tell the link
	}
	req.Header.Set("Accept-Encoding", "gzip, deflate, br")
	req.Header.Set("Accept-Language", v.accept)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if s.method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	var cookies []string
	for name, value := range v.cookies {
		cookies = append(cookies, name+"="+value)
	}
	if c.again {
		req.Header.Set(bareWants, strconv.Itoa(s.want))
	}
	if len(cookies) > 0 {
		req.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	began := time.Now()
	res, err := c.client.Do(req)
	if err != nil {
		if quoted, ok := errors.AsType[*url.Error](err); ok {
			err = quoted.Err
		}
		return "", fmt.Errorf("%s: %w", page, err)
	}
	content, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	took := time.Since(began)
	if err != nil {
		return "", fmt.Errorf("%s: %w", page, err)
	}
	c.note(page, took, res, content)
	for _, set := range res.Cookies() {
		if v.cookies[set.Name] = set.Value; set.MaxAge < 0 {
			delete(v.cookies, set.Name)
		}
	}
	if want := s.want; res.StatusCode != want && (want != 0 || res.StatusCode != http.StatusOK && res.StatusCode != http.StatusSeeOther) {
		return "", fmt.Errorf("%s: answered %d", page, res.StatusCode)
	}
	if !c.again {
		s.want = res.StatusCode
		v.went = append(v.went, s)
	}
	to, under := strings.CutPrefix(res.Header.Get("Location"), v.base)
	if res.StatusCode == http.StatusSeeOther && !under && !c.again {
		return "", fmt.Errorf("%s: leads out of the form", page)
	}
	return to, nil
}

func (c *crowd) note(page string, took time.Duration, res *http.Response, content []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits[page] = append(c.waits[page], took)
	key := page + " " + strconv.Itoa(res.StatusCode)
	if _, have := c.taken[key]; !have && !c.again {
		h := res.Header.Clone()
		for _, name := range []string{"Set-Cookie", "Date", "Content-Length", "Location"} { // of one person, or the server's own business
			h.Del(name)
		}
		c.taken[key] = answerTaken{res.StatusCode, h, content}
	}
}

// answersTaken are the first answers of their sort, by method, page and status; a bare handler has nothing else to say.
type answersTaken map[string]answerTaken

type answerTaken struct {
	Status  int
	Header  http.Header
	Content []byte
}

const (
	bareAnswers = "answers.json"
	bareWants   = "Wants" // header: the status that the site has answered
)

func (a answersTaken) save(path string) error {
	b, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("write the answers for the bare handler: %w", err)
	}
	return os.WriteFile(path, b, 0o600)
}

// serveBare answers from memory.
func serveBare(ctx context.Context, path string, ready func(address string) error) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the answers for the bare handler: %w", err)
	}
	var all answersTaken
	if err := json.Unmarshal(b, &all); err != nil {
		return fmt.Errorf("read the answers for the bare handler: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		a, ok := all[r.Method+" "+pageOf(r.URL.Path)+" "+r.Header.Get(bareWants)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		maps.Copy(w.Header(), a.Header)
		w.WriteHeader(a.Status)
		_, _ = w.Write(a.Content)
	})}
	var serving errgroup.Group
	serving.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	if err := ready(l.Addr().String()); err != nil {
		return errors.Join(err, server.Close(), serving.Wait())
	}
	<-ctx.Done()
	return errors.Join(server.Close(), serving.Wait())
}
