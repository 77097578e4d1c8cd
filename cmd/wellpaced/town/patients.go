package town

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/throttle/sim"
)

// Shares of all who are texted, unless said otherwise. The response itself is the world's.
const (
	shareOpens   = .11   // open the link, those who ask for help among them
	shareStarts  = .6    // of those: press Start
	shareStop    = .005  // opt out by the link
	shareReplies = .002  // answer STOP
	shareMoved   = .0008 // say that the person has moved
	shareNotMe   = .0004
	shareDied    = .0003
	shareAsks    = .0002 // answer in words instead of using the link
	// Of those who ask for help:
	shareMistaken = .03 // give a wrong date of birth
	shareDanger   = .02 // write that they are in danger
	shareForwards = .02 // send the link on to somebody who wants help, too
	shareEmail    = .05 // want an e-mail
	shareHelped   = .03 // have the form filled in by somebody else
	shareTells    = .6  // let their practice be told
	// Of those of them who speak another language:
	shareInterpreter = .6
	// Of those who opt out by the link:
	sharePractice = .15 // want no texts of the practice at all
	shareUndo     = .05 // take it back at once
	// Of those who answer in words:
	shareCall = .4 // ask for a call
	shareCry  = .1 // are in danger
)

// What people do. The names are in the diary.
const (
	asks     = "refer"
	opens    = "open"
	starts   = "start"
	forwards = "forward"
	stops    = "stop"
	moved    = "moved"
	notMe    = "not_me"
	died     = "died"
	replies  = "reply_stop"
	writes   = "reply_words"
)

// readTexts looks at the texts that have arrived since the last time, and lets everybody make up their mind.
func (t *Town) readTexts() {
	for {
		batch := t.cfg.Phones.Texts(t.read, 1000)
		for _, x := range batch {
			t.read = x.Delivery
			if !linkPattern.MatchString(x.Body) {
				continue // it answers them
			}
			nth := t.texts[x.To]
			t.texts[x.To]++
			if _, ok := t.people[x.To]; !ok {
				continue // of a list that somebody uploaded by hand: the town does not know what they would answer
			}
			for _, p := range t.decide(x, nth) {
				if !t.done[deed{x.Seq, p.what}] {
					heap.Push(&t.agenda, p)
				}
			}
		}
		if len(batch) < 1000 {
			return
		}
	}
}

// reply picks the words of somebody who answers a text.
func (t *Town) reply(p plan, what func(*tongue) []string) string {
	speaks := t.people[p.text.To].speaks
	if speaks == nil {
		speaks = &tongues[0]
	}
	return speaks.say(lots(t.cfg.Seed, "reply", p.text.To), what)
}

// decide is what somebody makes of a text. It depends on the town's seed, the number, and which of the texts to it this is.
func (t *Town) decide(x emulator.Text, nth int) []plan {
	rng := lots(t.cfg.Seed, "text", x.To, fmt.Sprint(nth))
	practice := t.people[x.To].practice
	// Some days are livelier than others.
	day := sim.Gamma(lots(t.cfg.Seed, "day", x.StatusAt.In(London).Format(time.DateOnly)), t.world.DayNoise)
	rate := min(1, t.world.RateOf(practice)*day*t.world.Surge(t.daysSince(x.StatusAt)))
	at := func(what string, hours float64) plan {
		return plan{at: t.world.Clock().Add(x.StatusAt, hours), what: what, text: x}
	}
	delay := t.world.Delay(rng)
	if u := rng.Float64(); u < rate {
		plans := []plan{at(asks, delay)}
		if rng.Float64() < shareForwards {
			plans = append(plans, at(forwards, delay+t.world.Delay(rng)))
		}
		return plans
	} else if u < max(shareOpens, rate) {
		plans := []plan{at(opens, delay)}
		if rng.Float64() < shareStarts {
			plans[0].what = starts
		}
		return plans
	}
	u := rng.Float64()
	for _, d := range []struct {
		what  string
		share float64
	}{{stops, shareStop}, {replies, shareReplies}, {moved, shareMoved}, {notMe, shareNotMe}, {died, shareDied}, {writes, shareAsks}} {
		if u < d.share {
			return []plan{at(d.what, delay)}
		}
		u -= d.share
	}
	return nil
}

// daysSince counts civil days of the town.
func (t *Town) daysSince(at time.Time) int {
	midnight := func(x time.Time) time.Time {
		y, m, d := x.In(London).Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int(midnight(at).Sub(midnight(t.cfg.Today)).Hours() / 24)
}

var (
	linkPattern = regexp.MustCompile(`https?://[^\s/]+(/r/[A-Za-z0-9_-]+)`)
	stopPattern = regexp.MustCompile(`https?://[^\s/]+(/stop/[A-Za-z0-9_-]+)`)
)

// act does what was planned. It may be done twice: the site has to stand that from real people, too.
func (t *Town) act(ctx context.Context, p plan) error {
	switch p.what {
	case replies:
		return t.cfg.Phones.InboundFrom(ctx, p.text.To, t.reply(p, func(s *tongue) []string { return s.stops }), "")
	case writes:
		kind := func(s *tongue) []string { return s.answers }
		if x := lots(t.cfg.Seed, "writes", p.text.To).Float64(); x < shareCry {
			kind = func(s *tongue) []string { return s.cries }
		} else if x < shareCry+shareCall {
			kind = func(s *tongue) []string { return s.calls }
		}
		return t.cfg.Phones.InboundFrom(ctx, p.text.To, t.reply(p, kind), "")
	case stops, moved, notMe, died:
		path := stopPattern.FindStringSubmatch(p.text.Body)
		if path == nil {
			return errors.New("there is no link to opt out in the text")
		}
		why := map[string]string{stops: "opted_out", moved: "moved", notMe: "not_me", died: "died"}[p.what]
		if p.what == stops && lots(t.cfg.Seed, "practice", p.text.To).Float64() < sharePractice {
			why = "practice"
		}
		return t.stop(ctx, p.text.To, path[1], why)
	}
	if t.down(p.at) {
		return nil // they get an error, and do not come back
	}
	path := linkPattern.FindStringSubmatch(p.text.Body)
	if path == nil {
		return errors.New("there is no link in the text")
	}
	switch p.what {
	case opens, starts:
		return t.look(ctx, p.text.To, path[1], p.what == starts)
	case asks:
		return t.refer(ctx, path[1], p)
	case forwards:
		// A link works once: by now it says so, and offers the form without a link.
		base, err := t.browser(p.text.To).get(ctx, path[1])
		if errors.Is(err, errGone) {
			base, err = t.browser(p.text.To).get(ctx, "/help")
		}
		if err != nil {
			return err
		}
		return t.refer(ctx, base, p)
	}
	return fmt.Errorf("nobody here knows how to %q", p.what)
}
