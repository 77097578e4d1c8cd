package twilio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	api "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
)

const (
	maxPage  = 16 << 20 // bytes: 1,000 texts of 1,600 characters, with room
	maxPages = 100_000  // a listing that goes round in circles ends here
	tries    = 3        // of one page: reading again does no harm
)

// Errors of a listing that cannot be relied on.
var (
	errPage     = errors.New("the provider's list has a page that is not a list")
	errRedacted = errors.New("the provider's list has a text without a body: switch off message redaction, or nothing can be found in it")
	errOthers   = errors.New("the provider's list shows another number than was asked for: switch off number obfuscation")
)

// List reads every text that the provider knows to one number. An error means that the listing proves nothing.
//
// It asks by number only. The provider's date filter looks at when a text was sent, which is empty while the text waits.
func (g *Gateway) List(ctx context.Context, to person.Phone) ([]campaign.Listed, error) {
	if to.IsZero() {
		return nil, errors.New("list texts at the provider: there is no number to ask for") // would list everybody's
	}
	p := &api.ListMessageParams{}
	p.SetTo(to.Reveal()).SetPageSize(100)
	var all []campaign.Listed
	err := g.pages(ctx, p, func(m api.ApiV2010Message) error {
		l, err := listed(m)
		switch {
		case err != nil:
			return err
		case l.Body == "":
			return errRedacted
		case l.To != to:
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

// ListAll hands over every text that this account ever sent, or those made since an instant, in the provider's order: for a restored
// database, which cannot know what left. A redacted text comes with an empty body, and an obfuscated number as no number: neither can
// be told to be anybody's, so the caller decides. An error means that the listing is not complete.
func (g *Gateway) ListAll(ctx context.Context, since time.Time, fn func(campaign.Listed) error) error {
	p := &api.ListMessageParams{}
	p.SetPageSize(1000)
	err := g.pages(ctx, p, func(m api.ApiV2010Message) error {
		if m.Direction != nil && *m.Direction == "inbound" {
			return nil
		}
		l, err := listed(m)
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
		if m.Direction != nil && *m.Direction == "inbound" {
			continue
		}
		l, err := listed(m)
		if err != nil {
			return nil, fmt.Errorf("list the newest texts at the provider: %w", err)
		}
		all = append(all, l)
	}
	return all, nil
}

// pages walks a listing to its end, by the provider's own links from page to page.
func (g *Gateway) pages(ctx context.Context, p *api.ListMessageParams, fn func(api.ApiV2010Message) error) error {
	next := ""
	for range maxPages {
		page, err := g.page(ctx, p, next)
		if err != nil {
			return err
		}
		for _, m := range page.Messages {
			if err := fn(m); err != nil {
				return err
			}
		}
		if page.NextPageUri == nil || *page.NextPageUri == "" {
			return nil
		}
		if *page.NextPageUri == next || !strings.HasPrefix(*page.NextPageUri, "/") {
			return errPage
		}
		next = *page.NextPageUri
	}
	return errPage
}

func (g *Gateway) page(ctx context.Context, p *api.ListMessageParams, next string) (page *api.ListMessageResponse, err error) {
	for try := range tries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(100 * time.Millisecond << try):
			}
		}
		if page, err = g.pageOnce(ctx, p, next); err == nil {
			return page, nil
		}
	}
	return nil, err
}

// pageOnce reads one page. twilio-go decodes any JSON into an empty page, so a page without a list of texts is told from one with an empty list here.
func (g *Gateway) pageOnce(ctx context.Context, p *api.ListMessageParams, next string) (*api.ListMessageResponse, error) {
	c := g.newCall(ctx, maxPage)
	svc := g.api(c)
	var page *api.ListMessageResponse
	var err error
	if next == "" {
		page, err = svc.PageMessage(p, "", "")
	} else {
		page, err = follow(svc, next)
	}
	switch {
	case c.err != nil:
		return nil, fmt.Errorf("read a page: %w", reason(c.err))
	case c.status != http.StatusOK:
		return nil, fmt.Errorf("read a page: the provider answered %d", c.status)
	case err != nil, page == nil, page.Messages == nil:
		return nil, errPage
	}
	return page, nil
}

// follow reads the page at a link as it stands; twilio-go's own way would split it and write it anew.
func follow(svc *api.ApiService, next string) (*api.ListMessageResponse, error) {
	res, err := svc.RequestHandler().Get(DefaultBaseURL+next, nil, nil, "")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	page := &api.ListMessageResponse{}
	if err := json.NewDecoder(res.Body).Decode(page); err != nil {
		return nil, err
	}
	return page, nil
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

func listed(m api.ApiV2010Message) (campaign.Listed, error) {
	if m.Sid == nil || *m.Sid == "" || m.Status == nil {
		return campaign.Listed{}, errPage
	}
	l := campaign.Listed{SID: *m.Sid, Status: *m.Status}
	if m.Body != nil {
		l.Body = *m.Body
	}
	if m.To != nil {
		if to, err := person.ParseE164(*m.To); err == nil {
			l.To = to
		}
	}
	if m.ErrorCode != nil && *m.ErrorCode != 0 {
		l.Code = strconv.Itoa(*m.ErrorCode)
	}
	if m.DateCreated != nil {
		at, err := time.Parse(time.RFC1123Z, *m.DateCreated)
		if err != nil {
			return campaign.Listed{}, errPage
		}
		l.At = at.UTC()
	}
	return l, nil
}
