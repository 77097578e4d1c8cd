package twilio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"strings"
	"time"

	api "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
)

const (
	maxPage = 16 << 20 // bytes: 1,000 texts of 1,600 characters, with room
	tries   = 3        // of one page: reading again does no harm
)

// Errors of a listing that cannot be relied on.
var (
	errPage   = errors.New("the provider's list has a page that is not a list")
	errOthers = errors.New("the provider's list shows another number than was asked for")
	errText   = errors.New("the provider answered with something else than the text that was asked for")
)

// List reads every text that the provider knows to one number. An error means that the listing proves nothing. A redacted text comes with an
// empty body, one whose number is obfuscated without a number.
//
// It asks by number only. The provider's date filter looks at when a text was sent, which is empty while the text waits.
func (g *Gateway) List(ctx context.Context, to person.Phone) ([]campaign.Listed, error) {
	if to.IsZero() {
		return nil, errors.New("list texts at the provider: there is no number to ask for") // would list everybody's
	}
	p := &api.ListMessageParams{}
	p.SetTo(to.Reveal()).SetPageSize(100)
	var all []campaign.Listed
	err := g.pages(ctx, p, func(m shown) error {
		l, err := m.listed()
		switch {
		case err != nil:
			return err
		case !l.To.IsZero() && l.To != to:
			return errOthers
		}
		all = append(all, l)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list texts at the provider: %w", err)
	}
	return all, nil
}

// Fetch reads one text by its SID. It asks once: whoever wants to know asks again later.
func (g *Gateway) Fetch(ctx context.Context, sid string) (campaign.Listed, error) {
	l, err := g.fetch(ctx, sid)
	if err != nil {
		return campaign.Listed{}, fmt.Errorf("fetch text %s from the provider: %w", sid, err)
	}
	return l, nil
}

func (g *Gateway) fetch(ctx context.Context, sid string) (campaign.Listed, error) {
	if !sidForm.MatchString(sid) {
		return campaign.Listed{}, errors.New("that is no SID of a text")
	}
	c := g.newCall(ctx, maxReply)
	_, err := g.api(c).FetchMessage(sid, &api.FetchMessageParams{})
	if c.err == nil && c.status == http.StatusNotFound {
		return campaign.Listed{}, campaign.ErrNoText
	}
	if err := c.readable(err); err != nil {
		return campaign.Listed{}, err
	}
	var m shown
	if json.Unmarshal(c.body, &m) != nil || m.SID != sid {
		return campaign.Listed{}, errText
	}
	return m.listed()
}

// ListAll hands over every text that this account ever sent, or those made since an instant, in the provider's order: for a restored
// database, which cannot know what left. A redacted text comes with an empty body, and an obfuscated number as no number: neither can
// be told to be anybody's, so the caller decides. An error means that the listing is not complete.
func (g *Gateway) ListAll(ctx context.Context, since time.Time, fn func(campaign.Listed) error) error {
	p := &api.ListMessageParams{}
	p.SetPageSize(1000)
	err := g.pages(ctx, p, func(m shown) error {
		if m.Direction == "inbound" {
			return nil
		}
		l, err := m.listed()
		if err != nil {
			return err
		}
		if !l.At.IsZero() && l.At.Before(since) {
			return nil // no early end: the order of the list is nowhere promised
		}
		return fn(l)
	})
	if err != nil {
		return fmt.Errorf("list all texts at the provider: %w", err)
	}
	return nil
}

// newest is how many texts one look at the provider's newest gives.
const newest = 200

// Newest gives the newest texts that this account sent, one page of them: enough to see whether a database has forgotten any.
func (g *Gateway) Newest(ctx context.Context) ([]campaign.Listed, error) {
	p := &api.ListMessageParams{}
	p.SetPageSize(newest)
	page, err := g.page(ctx, p, "")
	if err != nil {
		return nil, fmt.Errorf("list the newest texts at the provider: %w", err)
	}
	var all []campaign.Listed
	for _, m := range page.Messages {
		if m.Direction == "inbound" {
			continue
		}
		l, err := m.listed()
		if err != nil {
			return nil, fmt.Errorf("list the newest texts at the provider: %w", err)
		}
		all = append(all, l)
	}
	return all, nil
}

// pages walks a listing to its end, by the provider's own links from page to page.
func (g *Gateway) pages(ctx context.Context, p *api.ListMessageParams, fn func(shown) error) error {
	next, seen := "", map[string]bool{}
	for {
		page, err := g.page(ctx, p, next)
		if err != nil {
			return err
		}
		for _, m := range page.Messages {
			if err := fn(m); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		if next, err = g.link(page.Next); err != nil {
			return err
		}
		if seen[next] { // it goes round in circles, so what it leaves out cannot be known
			return errPage
		}
		seen[next] = true
	}
}

// link reads the address of the next page: a path, or a whole address at the provider. The path is relative to the provider's own root.
func (g *Gateway) link(next string) (string, error) {
	u, err := url.Parse(next)
	if err != nil || u.Fragment != "" || !strings.HasPrefix(u.Path, "/") {
		return "", errPage
	}
	if u.Host != "" && u.Host != g.base.Host && u.Host != "api.twilio.com" {
		return "", errPage // our credentials and a patient's number go nowhere else
	}
	path := u.RequestURI()
	if prefix := g.base.Path; prefix != "" && strings.HasPrefix(path, prefix+"/") {
		path = strings.TrimPrefix(path, prefix)
	}
	return path, nil
}

func (g *Gateway) page(ctx context.Context, p *api.ListMessageParams, next string) (page *page, err error) {
	for try := range tries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(100 * time.Millisecond << try):
			}
		}
		if page, err = g.pageOnce(ctx, p, next); err == nil || errors.Is(err, campaign.ErrBusy) {
			return page, err
		}
	}
	return nil, err
}

// page is what we need of a page. twilio-go decodes any JSON into an empty page, and nothing at all if one field of one text is of another type;
// here a page without a list of texts is an error, and what we do not read may be anything.
type page struct {
	Messages []shown `json:"messages"`
	Next     string  `json:"next_page_uri"`
}

func (g *Gateway) pageOnce(ctx context.Context, p *api.ListMessageParams, next string) (*page, error) {
	c := g.newCall(ctx, maxPage)
	svc := g.api(c)
	var err error
	if next == "" {
		_, err = svc.PageMessage(p, "", "")
	} else {
		// The link as it stands; twilio-go's own way would split it and write it anew.
		_, err = svc.RequestHandler().Get(DefaultBaseURL+next, nil, nil, "") //nolint:bodyclose // the call has read it whole
	}
	if err := c.readable(err); err != nil {
		return nil, fmt.Errorf("read a page: %w", err)
	}
	var found page
	if json.Unmarshal(c.body, &found) != nil || found.Messages == nil {
		return nil, errPage
	}
	return &found, nil
}

// readable says whether a whole answer came: what is in it is for the caller to read, so what twilio-go made of it counts only if it made no request.
func (c *call) readable(err error) error {
	switch {
	case c.err != nil:
		return reason(c.err)
	case c.status == http.StatusTooManyRequests:
		return campaign.ErrBusy
	case c.status == 0:
		return fmt.Errorf("no request was made: %w", err)
	case c.status != http.StatusOK:
		return fmt.Errorf("the provider answered %d", c.status)
	}
	return nil
}

// reason keeps what helps an operator and leaves out whatever may quote the provider.
func reason(err error) error {
	var op *net.OpError
	switch {
	case errors.As(err, &op):
		return op
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return errors.New("the reply broke off or was not HTTP")
}

// shown is what we need of a text in the provider's record.
type shown struct {
	SID       string   `json:"sid"`
	Status    string   `json:"status"`
	Direction string   `json:"direction"`
	To        string   `json:"to"`
	Body      string   `json:"body"`
	Created   string   `json:"date_created"`
	ErrorCode flexible `json:"error_code"`
}

// flexible is a number that may come as a string, or as nothing.
type flexible string

func (f *flexible) UnmarshalJSON(b []byte) error {
	*f = flexible(errorCode(strings.Trim(string(b), `"`)))
	return nil
}

func (m shown) listed() (campaign.Listed, error) {
	if m.SID == "" || m.Status == "" {
		return campaign.Listed{}, errPage
	}
	l := campaign.Listed{SID: m.SID, Status: m.Status, Body: m.Body, Code: string(m.ErrorCode)}
	if to, err := person.ParseE164(m.To); err == nil {
		l.To = to
	}
	// A date that cannot be read is no reason to disbelieve the rest.
	if at, err := mail.ParseDate(m.Created); err == nil {
		l.At = at.UTC()
	} else if at, err := time.Parse(time.RFC3339, m.Created); err == nil {
		l.At = at.UTC()
	}
	return l, nil
}
