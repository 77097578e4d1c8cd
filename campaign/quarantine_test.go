package campaign

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A provider that cannot list for a while keeps sending back; it is not asked for ever.
func TestQuarantine_waitsForTheProvider(t *testing.T) {
	var now time.Time
	opened := 0
	newest := errors.New("out of order")
	q := &Quarantine{Store: &quietStore{}, Record: recorder{func() error { return newest }}, Log: slog.New(slog.DiscardHandler),
		Machine: func() time.Time { return now }, Open: func(safe bool) {
			if safe {
				opened++
			}
		}}
	for range 29 {
		q.Tick(context.Background())
		now = now.Add(time.Second)
	}
	if opened != 0 {
		t.Fatal("sending began before the provider had answered")
	}
	now = now.Add(2 * time.Second)
	q.Tick(context.Background())
	if opened != 1 {
		t.Error("an outage of the listing stops sending for ever")
	}
}

type recorder struct{ newest func() error }

func (r recorder) Newest(context.Context) ([]Listed, error)        { return nil, r.newest() }
func (recorder) ListAll(context.Context, func(Listed) error) error { return nil }

// quietStore is a database that nothing speaks against.
type quietStore struct{ QuarantineStore }

func (*quietStore) Examine(context.Context) (Halt, error) { return Halt{}, nil }
func (*quietStore) Forgotten(context.Context, []Listed) (int, []Listed, error) {
	return 0, nil, nil
}

// What is missing is told in a sentence that somebody can decide by.
func TestHalt_sentence(t *testing.T) {
	at := time.Date(2026, 6, 2, 9, 10, 11, 0, time.UTC)
	h := Halt{ID: "x", Reason: OtherServer}
	if (Halt{}).Sentence() != "" || !strings.HasSuffix(h.Sentence(), "It goes on by itself once the provider has told which texts left.") {
		t.Errorf("%q", h.Sentence())
	}
	for _, c := range []struct {
		gap  Gap
		want string
	}{
		{Gap{Why: "why", From: at, To: at.Add(time.Minute), Records: 17}, "17 journal records (forms and opt-outs) are missing between 2 Jun 2026 09:10:11 UTC and 2 Jun 2026 09:11:11 UTC: why"},
		{Gap{Why: "why", To: at, Records: 1}, "1 journal record (a form or an opt-out) is missing between the beginning and 2 Jun 2026 09:10:11 UTC: why"},
		{Gap{Why: "why", From: at, To: at}, "nobody knows whether journal records (forms and opt-outs) are missing between 2 Jun 2026 09:10:11 UTC and 2 Jun 2026 09:10:11 UTC: why"},
		{Gap{Journal: ofProvider, Why: "why", From: at, To: at, Records: 2}, "2 texts, whose numbers and bodies the provider's record hides, are missing between 2 Jun 2026 09:10:11 UTC and 2 Jun 2026 09:10:11 UTC: why"},
	} {
		h.Gaps = []Gap{c.gap}
		if got := h.Sentence(); !strings.Contains(got, c.want) || !strings.HasSuffix(got, "wellpaced restore --accept-gap") {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}
