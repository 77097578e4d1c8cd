package desk

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// minutes is how long first contacts took. It is shown beside what is declared, and taken over by a person alone: the pacer sees already how
// many first contacts are made of the hours on the roster and reckons with that, so that minutes which changed by themselves would count twice;
// and the time from taking a referral to having spoken holds whatever else came up in between.
type minutes selfrefer.Minutes

// use is what the button takes over: whole minutes that the form takes.
func (m minutes) use() float64 { return min(480, max(1, math.Round(m.Minutes))) }

func (m minutes) words() string {
	return fmt.Sprintf("about %s, learned from %s in the last %d weeks", plural(int(m.use()), "minute"), plural(m.Contacts, "first contact"), selfrefer.LearnDays/7)
}

// learned is how long first contacts of a team took lately, by account and together.
func (h *Handler) learned(ctx context.Context, team staff.TeamID) (each map[string]minutes, together minutes, err error) {
	calls, err := h.Store.CallTimes(ctx, team, h.Now().AddDate(0, 0, -selfrefer.LearnDays))
	if err != nil {
		return nil, minutes{}, err
	}
	_, declared, err := h.Store.Capacity(ctx, team)
	if err != nil {
		return nil, minutes{}, fmt.Errorf("read the roster: %w", err)
	}
	by, all := selfrefer.LearnMinutes(h.Calendar, declared, calls)
	each = map[string]minutes{}
	for id, m := range by {
		each[id] = minutes(m)
	}
	return each, minutes(all), nil
}

// sees tells whether somebody may know how long the first contacts of one person take: the person, and seniors. An administrator who sets hours
// need not know who is slow.
func sees(who staff.Account, of staff.AccountID) bool {
	return who.ID == of || who.Role == staff.SeniorLinkWorker
}

// declaredMinutes is a cell of the roster: what is declared, and what is learned if the reader may know.
func declaredMinutes(who staff.Account, of staff.AccountID, w throttle.Worker, each map[string]minutes) string {
	m, ok := each[strconv.FormatInt(int64(of), 10)]
	if !ok || !sees(who, of) {
		return short(w.Minutes)
	}
	return fmt.Sprintf("%s (%.0f from %d)", short(w.Minutes), m.use(), m.Contacts)
}

// teamMinutes tells everybody how long first contacts of the team took, unless it would be one person's.
func teamMinutes(who staff.Account, m minutes, declared []throttle.Worker) string {
	if m.Contacts == 0 || m.People < 2 && who.Role != staff.SeniorLinkWorker {
		return ""
	}
	sum, share := 0.0, 0.0
	for _, w := range declared {
		sum, share = sum+w.FirstContact*w.Minutes, share+w.FirstContact
	}
	beside := ""
	if share > 0 {
		beside = fmt.Sprintf("; %.0f are declared", sum/share)
	}
	return "A first contact of this team takes " + m.words() + beside + "."
}
