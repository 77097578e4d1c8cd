package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
)

// browsers is how many people are at it at once.
const browsers = 8

// people are those who got a text: a third refers themselves, a third opts out, a third does nothing. Who gets no answer tries again,
// with the same form, until told that it was received.
type people struct {
	site     string
	provider *provider
	client   *http.Client
	seen     int64 // deliveries dealt out; one goroutine's

	mu         sync.Mutex
	resting    bool // nobody begins anything any more
	todo       []*deed
	busy       int             // deeds in somebody's hands
	references []string        // of referrals that were acknowledged
	stopped    map[string]bool // numbers whose opt-out was acknowledged
	took       []time.Duration // of requests that were acknowledged
	tries      int             // requests that were not
	kindly     int             // of those, pages that said so and kept the answers
	last       string          // the last answer that was no acknowledgement
}

// deed is what one person wants to do, until it is acknowledged.
type deed struct {
	number string
	token  link.Token
	refer  bool
	form   string
}

func newPeople(site string, p *provider) *people {
	return &people{site: site, provider: p, stopped: map[string]bool{}, client: &http.Client{Timeout: 5 * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: browsers, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// live until ctx ends.
func (a *people) live(ctx context.Context) {
	var all sync.WaitGroup
	for range browsers {
		all.Go(func() {
			for ctx.Err() == nil {
				if !a.act(ctx) {
					sleep(ctx, 20*time.Millisecond)
				}
			}
		})
	}
	for ctx.Err() == nil {
		a.read()
		sleep(ctx, 40*time.Millisecond)
	}
	all.Wait()
}

// read deals out the texts that have arrived since.
func (a *people) read() {
	for _, t := range a.provider.Texts(a.seen, 1000) {
		a.seen = t.Delivery
		tokens := link.In(t.Body)
		if len(tokens) == 0 || t.Delivery%3 == 0 {
			continue
		}
		a.mu.Lock()
		if !a.resting {
			a.todo = append(a.todo, &deed{number: t.To, token: tokens[0], refer: t.Delivery%3 == 1, form: "form-" + letters(t.Delivery)})
		}
		a.mu.Unlock()
	}
}

// letters spells a number in the alphabet of form ids.
func letters(n int64) string {
	s := []byte(strings.Repeat("a", 32))
	for i := 0; n > 0; i, n = i+1, n/26 {
		s[i] = byte('a' + n%26)
	}
	return string(s)
}

// act does one deed, or puts it back; false if there is none, or no answer.
func (a *people) act(ctx context.Context) bool {
	a.mu.Lock()
	if len(a.todo) == 0 {
		a.mu.Unlock()
		return false
	}
	d := a.todo[0]
	a.todo = a.todo[1:]
	a.busy++
	a.mu.Unlock()
	began := time.Now()
	reference, err := a.do(ctx, d)
	took := time.Since(began)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy--
	switch {
	case err != nil:
		a.todo = append(a.todo, d)
		a.tries++
		if errors.Is(err, errKind) {
			a.kindly++
		}
		a.last = err.Error()
		return false
	case d.refer:
		a.references = append(a.references, reference)
	default:
		a.stopped[d.number] = true
	}
	a.took = append(a.took, took)
	return true
}

var errKind = errors.New("the site cannot take it now, says so, and keeps the answers")

// do tries once, and gives the reference of a referral that was acknowledged.
func (a *people) do(ctx context.Context, d *deed) (reference string, err error) {
	to, form := link.URL(a.site, d.token)+"/send", url.Values{"form": {d.form}, "reasons": {"loneliness"}, "words": {"hello " + d.form}, "call_safe": {"yes"}, "text_safe": {"yes"},
		"birth_date-day": {"15"}, "birth_date-month": {"6"}, "birth_date-year": {"1950"}, "agreed": {"yes"}}
	if !d.refer {
		to, form = link.StopURL(a.site, d.token), url.Values{"why": {"opted_out"}}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := a.client.Do(r)
	if err != nil {
		return "", fmt.Errorf("no answer: %w", err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", fmt.Errorf("half an answer: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusServiceUnavailable && (!d.refer || strings.Contains(string(page), "hello "+d.form)):
		return "", errKind
	case !d.refer && resp.StatusCode == http.StatusOK && strings.Contains(string(page), "It is done"):
		return "", nil
	case d.refer && resp.StatusCode == http.StatusSeeOther:
		for _, c := range resp.Cookies() {
			if part := strings.Split(c.Value, "."); c.Name == "sent" && len(part) == 5 {
				return part[1], nil
			}
		}
	}
	return "", fmt.Errorf("an answer %d that acknowledges nothing", resp.StatusCode)
}

// done lets nobody begin anything more, and waits until all who have begun are told what they wanted to hear.
func (a *people) done(ctx context.Context, within time.Duration) error {
	a.mu.Lock()
	a.resting = true
	a.mu.Unlock()
	for until := time.Now().Add(within); ; sleep(ctx, 100*time.Millisecond) {
		a.mu.Lock()
		left, last := len(a.todo)+a.busy, a.last
		a.mu.Unlock()
		switch {
		case left == 0:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(until):
			return fmt.Errorf("%d people were never told that theirs was received; the last answer: %s", left, last)
		}
	}
}

// acknowledged gives what people were told: the references of their referrals, and the numbers that will not be texted again.
func (a *people) acknowledged() (references []string, stopped map[string]bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.references), maps.Clone(a.stopped)
}
