package pace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

// What stands in a line. Pointers tell what is missing from what is zero.
type (
	wireOpen struct {
		PromiseHours *float64 `json:"promise_hours"`
		Timezone     string   `json:"timezone"`
		Strata       []struct {
			ID   string   `json:"id"`
			Size *float64 `json:"size"`
		} `json:"strata"`
		Order             string     `json:"order"`
		ProviderPerMinute *float64   `json:"provider_per_minute"`
		OpenHours         []wireSpan `json:"open_hours"`
	}
	wireSpan struct {
		From *time.Time `json:"from"`
		To   *time.Time `json:"to"`
	}
	wireAble struct {
		From     *time.Time `json:"from"`
		To       *time.Time `json:"to"`
		Contacts *float64   `json:"contacts"`
	}
	wireCell struct {
		At      *time.Time `json:"at"`
		Stratum *string    `json:"stratum"`
		Count   *float64   `json:"count"`
	}
	wireAnswer struct {
		At        *time.Time `json:"at"`
		Stratum   *string    `json:"stratum"`
		Delivered *time.Time `json:"delivered_at"`
	}
	wireEvent struct {
		At *time.Time `json:"at"`
	}
	wireAhead struct {
		Stratum *string  `json:"stratum"`
		Count   *float64 `json:"count"`
	}
	wireLine struct {
		Open      *wireOpen           `json:"open"`
		Now       *time.Time          `json:"now"`
		MaySend   bool                `json:"may_send"`
		Capacity  []wireAble          `json:"capacity"`
		OpenHours []wireSpan          `json:"open_hours"`
		Delivered []wireCell          `json:"delivered"`
		Answers   []wireAnswer        `json:"answers"`
		Other     []wireEvent         `json:"other_referrals"`
		Contacts  []wireEvent         `json:"contacts_made"`
		Queue     *float64            `json:"queue"`
		Left      map[string]*float64 `json:"left"`
		Ahead     []wireAhead         `json:"ahead"`
		Resume    bool                `json:"resume"`
	}
)

// more reports whether a line holds anything but open.
func (w *wireLine) more() bool {
	return w.Now != nil || w.MaySend || w.Capacity != nil || w.OpenHours != nil || w.Delivered != nil || w.Answers != nil || w.Other != nil ||
		w.Contacts != nil || w.Queue != nil || w.Left != nil || w.Ahead != nil || w.Resume
}

const (
	mostStrata = 1000
	mostCount  = 1e9         // of anything
	rounding   = time.Second // by which instants may be out of order
)

// decode reads one JSON object that holds nothing unknown: a mistyped name must not be silently lost.
func decode(raw []byte, w *wireLine) error {
	if raw[0] != '{' {
		return errors.New("the line is not a JSON object: write one object in braces on each line")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(w); err != nil {
		return explain(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the line goes on after its object: write one object on each line")
	}
	return nil
}

// explain puts what the JSON decoder found wrong into words of the protocol.
func explain(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	var clock *time.ParseError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("the line is not JSON (%w, at byte %d): write one object on each line", err, syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the line is not JSON (it ends before its object does): write one object on each line")
	case errors.As(err, &kind):
		return fmt.Errorf("%s is a %s and cannot be: see wellpaced pace --help for what it holds", kind.Field, kind.Value)
	case errors.As(err, &clock):
		return fmt.Errorf("%.60q is not a time: write it like 2026-06-01T09:00:00+01:00", clock.Value)
	}
	if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return fmt.Errorf("there is no field %.60s: see wellpaced pace --help for their names", name)
	}
	return fmt.Errorf("read the line: %w; times are written like 2026-06-01T09:00:00+01:00", err)
}

// number checks a count.
func number(x *float64, name string) (float64, error) {
	switch {
	case x == nil:
		return 0, fmt.Errorf("%s is missing", name)
	case !(*x >= 0):
		return 0, fmt.Errorf("%s is %v: it cannot be below 0", name, *x)
	case *x > mostCount:
		return 0, fmt.Errorf("%s is %v: more than %v cannot be", name, *x, mostCount)
	}
	return *x, nil
}

// instant checks a time.
func instant(t *time.Time, name string) (time.Time, error) {
	if t == nil {
		return time.Time{}, fmt.Errorf("%s is missing: write it like 2026-06-01T09:00:00+01:00", name)
	}
	if y := t.Year(); y < 1980 || y > 2200 {
		return time.Time{}, fmt.Errorf("%s lies in the year %d", name, y)
	}
	return *t, nil
}

// spans checks stretches of time; the result is in order and without overlap.
func spans(list []wireSpan, name string) ([]throttle.Span, error) {
	out := make([]throttle.Span, 0, len(list))
	for i, s := range list {
		from, to, err := stretch(s.From, s.To, fmt.Sprintf("%s[%d]", name, i))
		if err != nil {
			return nil, err
		}
		out = append(out, throttle.Span{From: from, To: to})
	}
	return united(out), nil
}

func stretch(from, to *time.Time, name string) (a, b time.Time, err error) {
	if a, err = instant(from, name+".from"); err != nil {
		return a, b, err
	}
	if b, err = instant(to, name+".to"); err != nil {
		return a, b, err
	}
	if !b.After(a) {
		return a, b, fmt.Errorf("%s ends at %s, which is not after its start at %s", name, b.Format(time.RFC3339), a.Format(time.RFC3339))
	}
	return a.Truncate(time.Second), b.Truncate(time.Second), nil
}

// books opens a campaign.
func (w *wireOpen) books() (*books, error) {
	if w.Timezone == "" {
		w.Timezone = "Europe/London"
	}
	loc, err := time.LoadLocation(w.Timezone)
	if err != nil || w.Timezone == "Local" {
		return nil, fmt.Errorf("timezone %.60q is unknown: write it like Europe/London", w.Timezone)
	}
	promise, err := number(w.PromiseHours, "promise_hours")
	if err != nil || promise == 0 || promise > 2000 {
		return nil, errors.New("promise_hours: give the wait for a first contact that was promised in working hours, from above 0 to 2000, such as 16 for two days of 8 hours")
	}
	b := &books{loc: loc, promise: promise, ids: map[string]int{}, rate: 10}
	if w.ProviderPerMinute != nil {
		perMinute, err := number(w.ProviderPerMinute, "provider_per_minute")
		if err != nil || perMinute == 0 {
			return nil, errors.New("provider_per_minute: give how many texts the sender can send in a minute, above 0, or leave it out for 600")
		}
		b.rate = perMinute / 60
	}
	switch w.Order {
	case "", "interleaved":
	case "given":
		b.given = true
	default:
		return nil, fmt.Errorf("order %.60q is unknown: it is interleaved if each part of the list mirrors the whole, or given", w.Order)
	}
	if len(w.Strata) == 0 || len(w.Strata) > mostStrata {
		return nil, fmt.Errorf("strata: give from 1 to %d groups whose response is learned separately, such as practices", mostStrata)
	}
	for i, s := range w.Strata {
		size, err := number(s.Size, fmt.Sprintf("strata[%d].size", i))
		if err != nil {
			return nil, err
		}
		if _, twice := b.ids[s.ID]; twice || s.ID == "" {
			return nil, fmt.Errorf("strata[%d].id is %.60q: each needs an id of its own", i, s.ID)
		}
		b.ids[s.ID] = i
		b.names = append(b.names, s.ID)
		b.sizes = append(b.sizes, size)
	}
	if w.OpenHours != nil {
		b.openAhead, err = spans(w.OpenHours, "open_hours")
		if err != nil {
			return nil, err
		}
		b.openTold = len(b.openAhead) > 0
	}
	b.received, b.left = make([]float64, len(b.names)), slices.Clone(b.sizes)
	return b, nil
}

// report is a line that has been checked.
type report struct {
	now      time.Time
	maySend  bool
	resume   bool
	able     []able // nil if it is as before
	open     []throttle.Span
	openTold bool
	// delivered and answers tell new events, other and contacts their instants.
	delivered       []throttle.Cell
	answers         []throttle.Answer
	other, contacts []throttle.Count
	queue           float64 // negative if it was not told
	left            []float64
	ahead           []throttle.Ahead
}

// check reads a line against the books and changes nothing.
func (b *books) check(w *wireLine) (*report, error) {
	now, err := instant(w.Now, "now")
	if err != nil {
		return nil, err
	}
	if !b.now.IsZero() && now.Before(b.now) {
		return nil, fmt.Errorf("now is %s, before the %s of an earlier line: time only goes on", now.Format(time.RFC3339), b.now.In(now.Location()).Format(time.RFC3339))
	}
	r := &report{now: now.Truncate(time.Second), maySend: w.MaySend, resume: w.Resume, queue: -1}
	// happened checks the instant of an event that must lie behind us.
	happened := func(t *time.Time, name string, i int, field string) (int64, error) {
		at, err := instant(t, fmt.Sprintf("%s[%d].%s", name, i, field))
		if err == nil && at.After(now.Add(rounding)) {
			err = fmt.Errorf("%s[%d].%s is %s, after now (%s): report it when it has happened", name, i, field, at.Format(time.RFC3339), now.Format(time.RFC3339))
		}
		return min(at.Unix(), now.Unix()), err
	}
	stratum := func(id *string, name string, i int) (int, error) {
		if id == nil {
			return 0, fmt.Errorf("%s[%d].stratum is missing", name, i)
		}
		s, ok := b.ids[*id]
		if !ok {
			return 0, fmt.Errorf("%s[%d].stratum is %.60q, which open did not name", name, i, *id)
		}
		return s, nil
	}
	for i, x := range w.Capacity {
		name := fmt.Sprintf("capacity[%d]", i)
		from, to, err := stretch(x.From, x.To, name)
		if err != nil {
			return nil, err
		}
		n, err := number(x.Contacts, name+".contacts")
		if err != nil {
			return nil, err
		}
		if to.After(from) { // else it is shorter than a second
			r.able = append(r.able, able{from.Unix(), to.Unix(), n / to.Sub(from).Hours()})
		}
	}
	if w.Capacity != nil {
		r.able = level(r.able)
	}
	if w.OpenHours != nil {
		if r.open, err = spans(w.OpenHours, "open_hours"); err != nil {
			return nil, err
		}
		r.openTold = true
	}
	for i, x := range w.Delivered {
		c := throttle.Cell{}
		if c.At, err = happened(x.At, "delivered", i, "at"); err != nil {
			return nil, err
		}
		if c.Stratum, err = stratum(x.Stratum, "delivered", i); err != nil {
			return nil, err
		}
		if c.N, err = number(x.Count, fmt.Sprintf("delivered[%d].count", i)); err != nil {
			return nil, err
		}
		if c.N > 0 {
			r.delivered = append(r.delivered, c)
		}
	}
	for i, x := range w.Answers {
		a := throttle.Answer{N: 1}
		if a.Answered, err = happened(x.At, "answers", i, "at"); err != nil {
			return nil, err
		}
		if x.Stratum != nil || x.Delivered != nil {
			if a.Stratum, err = stratum(x.Stratum, "answers", i); err != nil {
				return nil, err
			}
		}
		if x.Delivered == nil { // to no text that is known: like one that somebody else sent
			r.other = append(r.other, throttle.Count{At: a.Answered, N: 1})
			continue
		}
		if a.Delivered, err = happened(x.Delivered, "answers", i, "delivered_at"); err != nil {
			return nil, err
		}
		if x.Delivered.After(x.At.Add(rounding)) {
			return nil, fmt.Errorf("answers[%d] came at %s, before its text was delivered at %s", i, x.At.Format(time.RFC3339), x.Delivered.Format(time.RFC3339))
		}
		a.Delivered = min(a.Delivered, a.Answered)
		r.answers = append(r.answers, a)
	}
	for i, x := range w.Other {
		at, err := happened(x.At, "other_referrals", i, "at")
		if err != nil {
			return nil, err
		}
		r.other = append(r.other, throttle.Count{At: at, N: 1})
	}
	for i, x := range w.Contacts {
		at, err := happened(x.At, "contacts_made", i, "at")
		if err != nil {
			return nil, err
		}
		r.contacts = append(r.contacts, throttle.Count{At: at, N: 1})
	}
	if w.Queue != nil {
		if r.queue, err = number(w.Queue, "queue"); err != nil {
			return nil, err
		}
	}
	if w.Left != nil {
		r.left = make([]float64, len(b.names))
		ids := make([]string, 0, len(w.Left))
		for id := range w.Left {
			ids = append(ids, id)
		}
		slices.Sort(ids) // the same mistake is named each time
		for _, id := range ids {
			s, ok := b.ids[id]
			if !ok {
				return nil, fmt.Errorf("left names the stratum %.60q, which open did not name", id)
			}
			if r.left[s], err = number(w.Left[id], fmt.Sprintf("left of %.60q", id)); err != nil {
				return nil, err
			}
		}
	}
	for i, x := range w.Ahead {
		s, err := stratum(x.Stratum, "ahead", i)
		if err != nil {
			return nil, err
		}
		n, err := number(x.Count, fmt.Sprintf("ahead[%d].count", i))
		if err != nil {
			return nil, err
		}
		r.ahead = append(r.ahead, throttle.Ahead{Stratum: s, N: int(math.Round(n))})
	}
	return r, nil
}
