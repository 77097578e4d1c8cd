package town

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
	"github.com/wellpaced/wellpaced/throttle/sim"
)

const (
	shareReached = .85
	noAnswer     = 8 * time.Minute // a call that nobody takes
	callSpread   = .5              // coefficient of variation of the length of a call
	daySpread    = .25             // the same of one worker's whole day
	// lookEvery is how often somebody with nothing to do looks at the queue.
	lookEvery = 15 * time.Minute
	// rosterEvery is how often the team looks at its own rota: it may be changed on the page while the demo runs.
	rosterEvery = time.Hour
	// againAfter is how long a person who was not reached is left alone: in the working hours of the same worker, or by the clock until
	// somebody else may try.
	againAfter = 2 * time.Hour
	// handBack is how long a person may be left waiting for the next try; then somebody else has to do it.
	handBack  = 20 * time.Hour
	mostCalls = 5 // without an answer; then the person cannot be reached
)

// outcomes of a first contact, with their shares.
var outcomes = []lot{{"start_support", .62}, {"send_onward", .2}, {"decline", .08}, {"close", .1}}

// desk is where the link workers of the town sit.
type desk struct {
	t         *Town
	calendar  throttle.Calendar
	hands     []*hand
	items     map[int64]item      // by referral
	rested    map[int64]time.Time // until when somebody who was handed back is left alone, by referral
	strangers map[int64]time.Time // visitors' referrals, by when they were first seen (machine time)
	looked    time.Time           // at the queue, by somebody free
	empty     bool                // it was
	roster    time.Time           // when the rota was read
	restored  bool                // referrals were compared with the diary
	worked    time.Time           // what was due by then is done
}

// hand is a link worker at work.
type hand struct {
	Hand
	throttle.Worker
	free time.Time // takes no call before
}

// item is something that a worker has before them.
type item struct {
	entry
	at time.Time
}

func newDesk(t *Town) desk {
	d := desk{t: t, items: map[int64]item{}, rested: map[int64]time.Time{}, strangers: map[int64]time.Time{}}
	for _, h := range t.cfg.Hands {
		d.hands = append(d.hands, &hand{Hand: h})
	}
	return d
}

// recall takes an entry of the diary.
func (d *desk) recall(e entry) {
	switch e.Kind {
	case busy:
		if h := d.hand(e.Worker); h != nil {
			h.free = time.UnixMilli(e.At)
		}
	case over:
		delete(d.items, e.Referral)
		if e.At != 0 {
			d.rested[e.Referral] = time.UnixMilli(e.At)
		}
	default:
		d.items[e.Referral] = item{e, time.UnixMilli(e.At)}
	}
}

func (d *desk) hand(account int64) *hand {
	i := slices.IndexFunc(d.hands, func(h *hand) bool { return int64(h.Account) == account })
	if i < 0 {
		return nil
	}
	return d.hands[i]
}

// write puts something into the diary and takes it in.
func (d *desk) write(e entry) error {
	if err := d.t.diary.note(e); err != nil {
		return err
	}
	d.recall(e)
	return nil
}

// next is when somebody has something to do.
func (d *desk) next() (next time.Time, ok bool) {
	if d.roster.IsZero() {
		return time.Time{}, true // first they come to work
	}
	sooner := func(at time.Time) {
		if !ok || at.Before(next) {
			next, ok = at, true
		}
	}
	for _, it := range d.items {
		if it.Kind != again || it.at.After(d.worked) { // else it waits for its worker to be free, see below
			sooner(it.at)
		}
	}
	for _, h := range d.hands {
		from := later(h.free, d.roster)
		if d.empty {
			from = later(from, d.looked.Add(lookEvery))
		}
		if at, there := d.present(h, from); there {
			sooner(at)
		}
		for _, it := range d.items {
			if it.Kind == again && it.Worker == int64(h.Account) {
				if at, there := d.present(h, later(it.at, h.free)); there {
					sooner(at)
				}
			}
		}
	}
	return next, ok
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// work lets everybody do what is due.
func (d *desk) work(ctx context.Context, now time.Time) error {
	if now.Sub(d.roster) >= rosterEvery {
		if err := d.readRoster(ctx); err != nil {
			return d.put(ctx, err)
		}
		d.roster = now
	}
	if !d.restored {
		if err := d.restore(ctx, now); err != nil {
			return d.put(ctx, err)
		}
		d.restored = true
	}
	for _, it := range d.due(now) {
		if err := d.finish(ctx, now, it); err != nil {
			return d.put(ctx, err)
		}
	}
	for _, it := range d.items {
		if it.Kind == again && !it.at.After(now) {
			if err := d.handOn(ctx, now, it); err != nil {
				return d.put(ctx, err)
			}
		}
	}
	d.worked = now
	for _, h := range d.hands {
		if h.free.After(now) || !d.there(h, now) {
			continue
		}
		if err := d.takeNext(ctx, now, h); err != nil {
			return d.put(ctx, err)
		}
	}
	return nil
}

// put leaves a mishap to the next tick: people try again, too.
func (d *desk) put(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	d.t.log.Warn("somebody at a desk of the town tries again", "error", err)
	return nil
}

// due lists what ends now, the earliest first.
func (d *desk) due(now time.Time) (all []item) {
	for _, it := range d.items {
		if it.Kind != again && !it.at.After(now) {
			all = append(all, it)
		}
	}
	slices.SortFunc(all, func(a, b item) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return int(a.Referral - b.Referral)
	})
	return all
}

// finish writes down what came of a call, or discharges somebody.
func (d *desk) finish(ctx context.Context, now time.Time, it item) error {
	h := d.hand(it.Worker)
	if h == nil {
		return d.write(entry{Kind: over, Referral: it.Referral})
	}
	if it.Kind == support {
		if !d.there(h, now) {
			at, ok := d.present(h, now)
			if !ok {
				at = now.AddDate(0, 0, 7)
			}
			return d.write(entry{Kind: support, Worker: it.Worker, Referral: it.Referral, At: at.UnixMilli()})
		}
		if err := d.discharge(ctx, h, it.Referral); err != nil {
			return err
		}
		return d.write(entry{Kind: over, Referral: it.Referral})
	}
	rng := lots(d.t.cfg.Seed, "outcome", strconv.FormatInt(it.Referral, 10))
	if it.Reached {
		event := draw(rng, outcomes)
		if _, err := d.act(ctx, h, it.Referral, event); err != nil {
			return err
		}
		if event != "start_support" {
			return d.write(entry{Kind: over, Referral: it.Referral})
		}
		if err := d.note(ctx, h, it.Referral, 1); err != nil {
			return err
		}
		// Six to twelve meetings: people are in support for some weeks.
		weeks := 2 + 5*rng.Float64()
		return d.write(entry{Kind: support, Worker: it.Worker, Referral: it.Referral, At: now.Add(time.Duration(weeks * 7 * 24 * float64(time.Hour))).UnixMilli()})
	}
	r, err := d.act(ctx, h, it.Referral, "attempt")
	if err != nil {
		return err
	}
	if r.Attempts >= mostCalls {
		if _, err := d.act(ctx, h, it.Referral, "give_up"); err != nil {
			return err
		}
		return d.write(entry{Kind: over, Referral: it.Referral})
	}
	at, ok := d.after(h, now, againAfter)
	if !ok || at.Sub(now) > handBack {
		return d.release(ctx, h, it, now.Add(againAfter))
	}
	return d.write(entry{Kind: again, Worker: it.Worker, Referral: it.Referral, At: at.UnixMilli(), Text: it.Text})
}

// release puts a referral back into the queue.
func (d *desk) release(ctx context.Context, h *hand, it item, notBefore time.Time) error {
	if _, err := d.act(ctx, h, it.Referral, "release"); err != nil {
		return err
	}
	d.empty = false
	return d.write(entry{Kind: over, Referral: it.Referral, At: notBefore.UnixMilli()})
}

// handOn lets somebody who goes home for days hand back whom they have not got round to trying again.
func (d *desk) handOn(ctx context.Context, now time.Time, it item) error {
	h := d.hand(it.Worker)
	if h == nil {
		return d.write(entry{Kind: over, Referral: it.Referral})
	}
	if at, ok := d.present(h, later(h.free, now)); ok && at.Sub(now) <= handBack {
		return nil
	}
	return d.release(ctx, h, it, now)
}

// takeNext gives a worker who is free the next person: one to be tried again, or the first of the queue.
func (d *desk) takeNext(ctx context.Context, now time.Time, h *hand) error {
	var next item
	for _, it := range d.items {
		if it.Kind == again && it.Worker == int64(h.Account) && !it.at.After(now) && (next.at.IsZero() || it.at.Before(next.at)) {
			next = it
		}
	}
	if !next.at.IsZero() {
		return d.ring(now, h, next.Referral)
	}
	if d.empty && now.Sub(d.looked) < lookEvery {
		return nil
	}
	// The senior one also sees to those whom nobody has confirmed: they have a lane of their own, and a promise too.
	parts := []string{"new"}
	if h.Role == staff.SeniorLinkWorker {
		parts = []string{"urgent", "unverified", "new"}
	}
	for _, part := range parts {
		var queue struct {
			Referrals []referral `json:"referrals"`
		}
		if err := d.call(ctx, h, http.MethodGet, "/api/v1/referrals?"+url.Values{"state": {part}}.Encode(), nil, &queue); err != nil {
			return err
		}
		for _, r := range queue.Referrals {
			if r.State != "new" || now.Before(d.rested[r.ID]) || d.visitors(r) {
				continue
			}
			_, err := d.act(ctx, h, r.ID, "claim")
			if errors.Is(err, errConflict) {
				continue // somebody was quicker, perhaps you
			}
			if err != nil {
				return err
			}
			d.empty = false
			return d.ring(now, h, r.ID)
		}
	}
	// A volunteer is not shown urgent ones: nothing for them does not mean that there is nothing.
	if h.Role != staff.Volunteer {
		d.empty = true
	}
	d.looked = now
	h.free = later(h.free, now.Add(lookEvery))
	return nil
}

// visitorsTime is how long (by the machine's clock) a visitor has to find themselves in the queue.
const visitorsTime = 3 * time.Minute

// visitors tells whether a referral is to be left to somebody at the keyboard for now.
func (d *desk) visitors(r referral) bool {
	if !d.t.cfg.Visitors || r.Source == "reply" || d.t.ours[r.Reference] {
		return false
	}
	first, seen := d.strangers[r.ID]
	if !seen {
		first = time.Now()
		d.strangers[r.ID] = first
	}
	return time.Since(first) < visitorsTime
}

// ring begins a call: how long it takes is fixed by the person and by how often they were tried.
func (d *desk) ring(now time.Time, h *hand, referral int64) error {
	tries := 0
	if it, ok := d.items[referral]; ok {
		tries = int(it.Text) + 1 // of an entry about a call it is which call this is
	}
	rng := lots(d.t.cfg.Seed, "call", strconv.FormatInt(referral, 10), now.Format(time.DateOnly), strconv.Itoa(tries))
	reached := rng.Float64() < shareReached
	took := noAnswer
	if reached {
		// The declared length is that of a first contact with all that belongs to it: the calls that nobody took as well.
		mean := h.Minutes - noAnswer.Minutes()*(1-shareReached)/shareReached
		pace := sim.Gamma(lots(d.t.cfg.Seed, "pace", strconv.FormatInt(int64(h.Account), 10), now.Format(time.DateOnly)), daySpread)
		took = time.Duration(max(5, mean*pace*sim.Gamma(rng, callSpread)) * float64(time.Minute))
	}
	// The rest of their hours belongs to the people they support already.
	share := h.FirstContact
	if share <= 0 {
		share = 1
	}
	free, ok := d.after(h, now, time.Duration(float64(took)/share))
	if !ok {
		free = now.AddDate(0, 0, 7)
	}
	if err := d.write(entry{Kind: call, Worker: int64(h.Account), Referral: referral, At: now.Add(took).UnixMilli(), Reached: reached, Text: int64(tries)}); err != nil {
		return err
	}
	return d.write(entry{Kind: busy, Worker: int64(h.Account), At: free.UnixMilli()})
}

// restore finds what kill -9 left between the site and the diary: people whom somebody has claimed and nobody is going to call.
func (d *desk) restore(ctx context.Context, now time.Time) error {
	for _, h := range d.hands {
		for _, part := range []string{"mine", "in_support"} {
			after := ""
			for {
				q := url.Values{"state": {part}}
				if after != "" {
					q.Set("after", after)
				}
				var page struct {
					Referrals []referral `json:"referrals"`
					Next      string     `json:"next"`
				}
				if err := d.call(ctx, h, http.MethodGet, "/api/v1/referrals?"+q.Encode(), nil, &page); err != nil {
					return err
				}
				for _, r := range page.Referrals {
					it, known := d.items[r.ID]
					switch {
					case r.ClaimedBy.ID != int64(h.Account) || known && it.Kind == support == (part == "in_support"):
					case part == "mine":
						if err := d.write(entry{Kind: again, Worker: int64(h.Account), Referral: r.ID, At: now.UnixMilli()}); err != nil {
							return err
						}
					default:
						if err := d.write(entry{Kind: support, Worker: int64(h.Account), Referral: r.ID, At: now.AddDate(0, 0, 21).UnixMilli()}); err != nil {
							return err
						}
					}
				}
				if after = page.Next; after == "" {
					break
				}
			}
		}
	}
	return nil
}

// referral is what a worker sees of one in a list.
type referral struct {
	ID        int64  `json:"id"`
	State     string `json:"state"`
	Reference string `json:"reference"`
	Source    string `json:"source"`
	Attempts  int    `json:"attempts"`
	ClaimedBy struct {
		ID int64 `json:"id"`
	} `json:"claimed_by"`
}

var errConflict = errors.New("somebody else has it, or it has moved on")

// act does something with a referral. What was done before a crash is done: a conflict then is none.
func (d *desk) act(ctx context.Context, h *hand, id int64, event string) (r referral, err error) {
	body := map[string]string{}
	if event != "claim" && event != "release" {
		body["channel"] = "call"
	}
	err = d.call(ctx, h, http.MethodPost, fmt.Sprintf("/api/v1/referrals/%d/%s", id, event), body, &r)
	if errors.Is(err, errConflict) && event != "claim" {
		d.t.log.Info("a referral has moved on without its worker", "referral", id, "event", event)
		err = nil
	}
	return r, err
}

// discharges are why somebody's support ends, with their shares.
var discharges = []lot{{"needs_met", .6}, {"onward", .2}, {"declined_further_help", .1}, {"lost_contact", .07}, {"moved", .03}}

// onwardShare is how many people are passed on to services of the directory before their support ends.
const onwardShare = .4

// discharge ends somebody's support. Some are passed on first, to the two services that fit them best.
func (d *desk) discharge(ctx context.Context, h *hand, id int64) error {
	rng := lots(d.t.cfg.Seed, "discharge", strconv.FormatInt(id, 10))
	if err := d.note(ctx, h, id, 2+rng.IntN(3)); err != nil {
		return err
	}
	if rng.Float64() < onwardShare {
		if err := d.passOn(ctx, h, id); err != nil {
			return err
		}
	}
	reason := draw(rng, discharges)
	err := d.call(ctx, h, http.MethodPost, fmt.Sprintf("/api/v1/referrals/%d/close", id), map[string]string{"reason": reason}, new(struct{}))
	if errors.Is(err, errConflict) {
		d.t.log.Info("a referral has moved on without its worker", "referral", id, "event", "close")
		err = nil
	}
	return err
}

func (d *desk) passOn(ctx context.Context, h *hand, id int64) error {
	var s struct {
		Suggestions []struct {
			Service int64 `json:"service"`
		} `json:"suggestions"`
		Onward []struct{} `json:"onward"`
	}
	path := fmt.Sprintf("/api/v1/referrals/%d/support", id)
	if err := d.call(ctx, h, http.MethodGet, path, nil, &s); err != nil {
		return err
	}
	for i := len(s.Onward); i < min(2, len(s.Suggestions)); i++ { // none twice after a kill
		onward := map[string]any{"service": s.Suggestions[i].Service, "how": "phone", "state": "referred"}
		err := d.call(ctx, h, http.MethodPost, path, map[string]any{"onward": onward}, new(struct{}))
		if errors.Is(err, errConflict) {
			return nil // somebody else has taken it over; closing says so
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// interventions are what workers write down that they did, with their shares.
var interventions = []lot{{"listening", .3}, {"information", .22}, {"goal_setting", .16}, {"signposted", .12}, {"form_filling", .1}, {"welfare_call", .05}, {"liaison", .03}, {"home_visit", .02}}

// note writes down what a worker did for somebody, until there are so many entries: after a kill none stands there twice.
func (d *desk) note(ctx context.Context, h *hand, id int64, all int) error {
	var s struct {
		Interventions []struct{} `json:"interventions"`
	}
	path := fmt.Sprintf("/api/v1/referrals/%d/support", id)
	if err := d.call(ctx, h, http.MethodGet, path, nil, &s); err != nil {
		return err
	}
	for i := len(s.Interventions); i < all; i++ {
		rng := lots(d.t.cfg.Seed, "intervention", strconv.FormatInt(id, 10), strconv.Itoa(i))
		done := map[string]any{"kind": draw(rng, interventions), "minutes": 5 * (2 + rng.IntN(8))}
		err := d.call(ctx, h, http.MethodPost, path, map[string]any{"intervention": done}, new(struct{}))
		if errors.Is(err, errConflict) {
			return nil // somebody else has taken it over
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readRoster reads the rota as it is declared now.
func (d *desk) readRoster(ctx context.Context) error {
	var c struct {
		Workers []struct {
			Account int64                                `json:"account"`
			Hours   map[string]struct{ From, To string } `json:"hours"`
			Share   float64                              `json:"first_contact_share"`
			Minutes float64                              `json:"minutes_per_contact"`
			Leave   []struct{ From, To time.Time }       `json:"leave"`
		} `json:"workers"`
	}
	i := slices.IndexFunc(d.hands, func(h *hand) bool { return h.Role != staff.Volunteer }) // volunteers may not look
	if err := d.call(ctx, d.hands[max(i, 0)], http.MethodGet, fmt.Sprintf("/api/v1/teams/%d/capacity", d.t.cfg.Team), nil, &c); err != nil {
		return err
	}
	for _, h := range d.hands {
		h.Worker = throttle.Worker{}
	}
	for _, w := range c.Workers {
		h := d.hand(w.Account)
		if h == nil {
			continue // somebody who was added by hand works by hand
		}
		h.FirstContact, h.Minutes = w.Share, w.Minutes
		for day := range h.Week {
			hours, ok := w.Hours[lowerDay(time.Weekday(day))]
			if !ok {
				continue
			}
			from, err1 := time.Parse("15:04", hours.From)
			to, err2 := time.Parse("15:04", hours.To)
			if err1 != nil && hours.From != "" || err2 != nil && hours.To != "24:00" {
				return fmt.Errorf("read the hours of account %d: %w", w.Account, errors.Join(err1, err2))
			}
			h.Week[day] = throttle.Hours{From: from.Hour()*60 + from.Minute(), To: to.Hour()*60 + to.Minute()}
			if hours.To == "24:00" {
				h.Week[day].To = 24 * 60
			}
		}
		for _, l := range w.Leave {
			h.Leave = append(h.Leave, throttle.Span{From: l.From, To: l.To})
		}
	}
	return nil
}

func lowerDay(d time.Weekday) string {
	return [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}[d]
}

// call asks the API.
func (d *desk) call(ctx context.Context, h *hand, method, path string, body, answer any) error {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("write a call: %w", err)
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.t.cfg.Site+path, in)
	if err != nil {
		return fmt.Errorf("make a call: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+h.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := d.t.web.Do(req)
	if err != nil {
		return fmt.Errorf("call the site: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	switch {
	case err != nil:
		return fmt.Errorf("read an answer: %w", err)
	case res.StatusCode == http.StatusConflict:
		return errConflict
	case res.StatusCode >= 400:
		return fmt.Errorf("%s %s: answered %d", method, path, res.StatusCode)
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	return nil
}

// shift is the stretch of work that holds t.
func (d *desk) shift(h *hand, t time.Time) (throttle.Span, bool) {
	if h.Week == (throttle.Week{}) {
		return throttle.Span{}, false // the zero week means office hours elsewhere; here it means none
	}
	s, ok := d.calendar.WindowAt(t, h.Week)
	for _, l := range h.Leave {
		if !ok || !t.Before(l.From) && t.Before(l.To) {
			return s, false
		}
		if t.Before(l.From) && l.From.Before(s.To) {
			s.To = l.From
		}
	}
	return s, ok
}

func (d *desk) there(h *hand, t time.Time) bool {
	_, ok := d.shift(h, t)
	return ok
}

// present is the first instant from t on at which somebody is at work; false if there is none in two months.
func (d *desk) present(h *hand, t time.Time) (time.Time, bool) {
	t = t.In(London)
	for end := t.AddDate(0, 2, 0); t.Before(end); {
		if d.there(h, t) {
			return t, true
		}
		// The next instant at which that can change: their day begins, a leave ends, or it is tomorrow.
		midnight := d.calendar.Midnight(t)
		next := d.calendar.Midnight(midnight.Add(36 * time.Hour))
		y, m, day := t.Date()
		if starts := time.Date(y, m, day, 0, h.Week[t.Weekday()].From, 0, 0, London); starts.After(t) && starts.Before(next) {
			next = starts
		}
		for _, l := range h.Leave {
			if l.To.After(t) && l.To.Before(next) {
				next = l.To.In(London)
			}
		}
		t = next
	}
	return t, false
}

// after is the instant at which somebody has been at work for so long since t.
func (d *desk) after(h *hand, t time.Time, work time.Duration) (time.Time, bool) {
	for range 200 {
		at, ok := d.present(h, t)
		if !ok {
			return t, false
		}
		s, _ := d.shift(h, at)
		if left := s.To.Sub(at); work > left {
			work -= left
			t = s.To
			continue
		}
		return at.Add(work), true
	}
	return t, false
}
