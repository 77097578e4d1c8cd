package town

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

// lookAfter is how long, in working hours, a manager takes to get to the link once they have seen that answers have stopped, and to come
// back to it if it did not work.
const lookAfter = 2 * time.Hour

// How often the manager opens the campaign's page: it costs the site ten milliseconds or so, and when no text is left nothing can be held.
const (
	watchEvery = 30 * time.Minute
	watchEnded = 24 * time.Hour
)

// manager watches over the campaign. When answers have stopped they open the link, and if it works they say so on the campaign's page;
// until then no text leaves.
type manager struct {
	hand
	watched time.Time // the campaign
	ended   bool      // no text was left then
	silent  time.Time // since when answers have stopped, as far as they know
	look    time.Time // when they are going to open the link; zero if they have no reason to
}

func newManager(h Hand) manager {
	m := manager{hand: hand{Hand: h}}
	for day := time.Monday; day <= time.Friday; day++ {
		m.Week[day] = throttle.Hours{From: 9 * 60, To: 17 * 60}
	}
	return m
}

// recall takes an entry of the diary.
func (m *manager) recall(e entry) {
	m.silent, m.look = time.UnixMilli(e.Since), time.Time{}
	if e.At != 0 {
		m.look = time.UnixMilli(e.At)
	}
}

// next is when the manager has something to do; false where there is none.
func (m *manager) next(d *desk) (time.Time, bool) {
	if m.Token == "" {
		return time.Time{}, false
	}
	if !m.look.IsZero() {
		return later(m.look, m.watched.Add(grain)), true
	}
	every := watchEvery
	if m.ended {
		every = watchEnded
	}
	return d.present(&m.hand, m.watched.Add(every))
}

// grain is how soon somebody tries again what has just gone wrong.
const grain = time.Minute

// manage lets the manager do what is due.
func (t *Town) manage(ctx context.Context, now time.Time) error {
	m := &t.manager
	if due, ok := m.next(&t.desk); m.Token == "" || !m.watched.IsZero() && (!ok || due.After(now)) {
		return nil
	}
	m.watched = now
	if m.look.IsZero() && !t.desk.there(&m.hand, now) {
		return nil
	}
	if err := t.watch(ctx, now); err != nil {
		return t.desk.put(ctx, err)
	}
	return nil
}

// watch looks at the campaign, and at the link if it is time to.
func (t *Town) watch(ctx context.Context, now time.Time) error {
	m, path := &t.manager, fmt.Sprintf("/api/v1/campaigns/%d", t.cfg.Campaign)
	var seen struct {
		Silent   *time.Time     `json:"silent_since"` // none, too, once somebody has said that the link works
		Messages map[string]int `json:"messages"`
	}
	if err := t.desk.call(ctx, &m.hand, http.MethodGet, path, nil, &seen); err != nil {
		return err
	}
	m.ended = seen.Messages["planned"] == 0
	switch {
	case seen.Silent == nil:
		if m.look.IsZero() {
			return nil
		}
		return t.appoint(m.silent, time.Time{}) // answers have come again, or somebody at the keyboard was quicker
	case m.look.IsZero() || !m.silent.Equal(*seen.Silent):
		return t.appoint(*seen.Silent, t.lookAt(now))
	case now.Before(m.look):
		return nil
	}
	if err := t.openLink(ctx, now); err != nil {
		t.log.Info("the manager of the town has found that the link does not work", "error", err)
		return t.appoint(m.silent, t.lookAt(now))
	}
	// Done twice, after kill -9, it does no harm; and a silence that has ended meanwhile needs nobody.
	if err := t.desk.call(ctx, &m.hand, http.MethodPost, path+"/confirm-link", struct{}{}, &seen); err != nil && !errors.Is(err, errConflict) {
		return err
	}
	return t.appoint(m.silent, time.Time{})
}

// appoint notes when the manager opens the link; zero is never.
func (t *Town) appoint(silent, look time.Time) error {
	e := entry{Kind: watch, Since: silent.UnixMilli()}
	if !look.IsZero() {
		e.At = look.UnixMilli()
	}
	if err := t.diary.note(e); err != nil {
		return err
	}
	t.manager.recall(e)
	return nil
}

func (t *Town) lookAt(now time.Time) time.Time {
	at, ok := t.desk.after(&t.manager.hand, now, lookAfter)
	if !ok {
		return now.Add(lookAfter)
	}
	return at
}

// openLink opens the form as anybody may who has no text, and presses Start. The page asks for more, a form sent as a test; in the town
// nobody would know it from a cry for help, and it would be called.
func (t *Town) openLink(ctx context.Context, now time.Time) error {
	if t.down(now) {
		return errDown
	}
	b := t.browser("")
	base, err := b.get(ctx, "/help")
	if err != nil {
		return err
	}
	_, err = b.post(ctx, base+"/start", nil)
	return err
}

var errDown = errors.New("the form is down")

// down tells whether the form is down in this world: the town's people get an error then, whatever the site would say.
func (t *Town) down(at time.Time) bool {
	y, month, day := t.cfg.Today.In(London).Date()
	for _, o := range t.world.Outages {
		from := time.Date(y, month, day+o.FromDay, 0, 0, 0, 0, London).Add(time.Duration(o.FromHour * float64(time.Hour)))
		if !at.Before(from) && at.Before(from.Add(time.Duration(o.Days*24*float64(time.Hour)))) {
			return true
		}
	}
	return false
}
