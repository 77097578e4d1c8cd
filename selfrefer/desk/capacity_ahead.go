package desk

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

// Pacing is what the pacer knows of a team: what people decided and what happened.
type Pacing struct {
	Policy throttle.TeamPolicy
	State  throttle.TeamState
	Names  map[string]string // of the campaigns, by the id that they have in Policy
}

const (
	// futures are played for each of the two rosters; the same dice fall in both, so that fewer do than for one alone.
	futures = 120
	// weeksAhead is over how many weeks first contacts are added up.
	weeksAhead = 4
)

// ahead is what a roster brings.
type ahead struct {
	Week, Weeks float64 // first contacts in a usual week, and in those ahead, with leave and holidays
	Texts       float64 // a day, on days with texts
	Wait, Late  float64 // longest wait in working days; chance that anybody waits longer than promised
	CallBy      time.Time
	Senior      bool // texts may go now, as far as seniors matter
	Campaigns   []campaignAhead
	outcome     throttle.Outcome
}

type campaignAhead struct {
	ID, Name string
	throttle.CampaignOutcome
}

// lookAhead reckons what a team's roster brings today, and what another would, with the same forecast.
func (h *Handler) lookAhead(ctx context.Context, team staff.Team, declared []throttle.Worker) (now, then ahead, err error) {
	select {
	case h.foretell <- struct{}{}:
		defer func() { <-h.foretell }()
	case <-ctx.Done():
		return now, then, ctx.Err()
	}
	changed, err := h.Store.Rostered(ctx, team.ID, declared)
	if err != nil {
		return now, then, fmt.Errorf("read what the team could do: %w", err)
	}
	var p Pacing
	if h.Pacing != nil {
		if p, err = h.Pacing(ctx, team.ID); err != nil {
			return now, then, fmt.Errorf("read what the pacer knows: %w", err)
		}
	} else {
		p.Policy = throttle.TeamPolicy{PromiseDays: team.PromiseDays, NeedSenior: true}
		if p.Policy.Roster, err = h.Store.Workers(ctx, team.ID); err != nil {
			return now, then, fmt.Errorf("read the roster: %w", err)
		}
	}
	another := p.Policy
	another.Roster = changed
	return h.ahead(p, p.Policy), h.ahead(p, another), nil
}

func (h *Handler) ahead(p Pacing, policy throttle.TeamPolicy) (a ahead) {
	now := h.Now()
	for _, w := range policy.Roster {
		if w.Minutes > 0 {
			a.Week += weekHours(w.Week) * min(1, w.FirstContact) * 60 / w.Minutes
		}
	}
	a.Weeks = throttle.Capacity(policy.Calendar, policy.Roster, p.State.Booked, now, now.AddDate(0, 0, 7*weeksAhead))
	a.CallBy = throttle.ContactBy(now, policy, p.State)
	a.Senior = throttle.SeniorThere(policy.Calendar, policy.Roster, now)
	a.outcome = throttle.WhatIf(now, p.Policy, policy, p.State, futures)
	a.Wait, a.Late = a.outcome.LongestWait, a.outcome.LateChance
	days := 0.0
	for _, d := range a.outcome.Days {
		if d.Texts.Mean >= .5 {
			a.Texts += d.Texts.Mean
			days++
		}
	}
	a.Texts /= max(1, days)
	for _, c := range a.outcome.Campaigns {
		if c.Stopped == "" { // those that are over, and those on hold, say nothing of a roster
			a.Campaigns = append(a.Campaigns, campaignAhead{c.ID, p.Names[c.ID], c})
		}
	}
	return a
}

// lastText is when a campaign's last text is likely to go.
func (h *Handler) lastText(c campaignAhead) string {
	if c.P50.IsZero() {
		return fmt.Sprintf("Not by %s: about %s left", h.day(c.Until), plural(int(c.TextsLeft+.5), "text"))
	}
	return h.day(c.P50)
}

func chance(x float64) string {
	switch {
	case x == 0:
		return fmt.Sprintf("Below 1 in %d", futures)
	case x > .995:
		return "Nearly certain"
	}
	return fmt.Sprintf("%.0f%%", max(1, math.Round(100*x)))
}

func days(x float64) string {
	if x < .05 {
		return "None"
	}
	if x = math.Round(10*x) / 10; x == 1 {
		return "1 working day"
	}
	return short(x) + " working days"
}

// compared is the table of a preview.
func (h *Handler) compared(now, then ahead, changes [][3]string) ui.Table {
	t := ui.Table{Caption: "Now, and after this change", RowHeaders: true, Stacked: true, Head: []ui.Cell{{Text: "What"}, {Text: "Now"}, {Text: "After"}}}
	row := func(what, was, is string) {
		t.Rows = append(t.Rows, []ui.Cell{{Text: what}, {Text: was}, {Text: is}})
	}
	for _, c := range changes {
		row(c[0], c[1], c[2])
	}
	tenth := func(x float64) string { return short(math.Round(10*x) / 10) }
	row("First contacts in a usual week", tenth(now.Week), tenth(then.Week))
	row(fmt.Sprintf("First contacts in the next %d weeks, with leave", weeksAhead), tenth(now.Weeks), tenth(then.Weeks))
	for _, c := range then.Campaigns {
		was := "Not known"
		if i := slices.IndexFunc(now.Campaigns, func(x campaignAhead) bool { return x.ID == c.ID }); i >= 0 {
			was = h.lastText(now.Campaigns[i])
		}
		row("Last text of "+c.Name+", most likely", was, h.lastText(c))
	}
	if len(then.Campaigns) > 0 {
		row("Texts on a day with texts", fmt.Sprintf("%.0f", now.Texts), fmt.Sprintf("%.0f", then.Texts))
	}
	row("Longest wait ahead for a first contact", days(now.Wait), days(then.Wait))
	row("Chance that somebody waits longer than promised", chance(now.Late), chance(then.Late))
	by := func(t time.Time) string {
		if t.IsZero() {
			return "Cannot be told: too few hours on the roster"
		}
		return h.day(t)
	}
	row("Who asks for help now is called by", by(now.CallBy), by(then.CallBy))
	yes := map[bool]string{true: "Yes", false: "No: no texts go now"}
	row("A senior is there for most answers to texts sent now", yes[now.Senior], yes[then.Senior])
	return t
}

// previewScreen is the data of capacity-preview.html.
type previewScreen struct {
	Name, Sentence string
	Table          ui.Table
	Alone, Idle    bool // texts stop for want of a senior; no campaign is being sent
	Save, Action   string
	Hidden         [][2]string // the form again
}

// previewWorker shows what a change would do, before it is saved; nothing is written.
func (h *Handler) previewWorker(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	a, worker, err := h.worker(r, who)
	if err != nil {
		return err
	}
	if r.PostFormValue("do") == "back" {
		return h.showWorker(w, r, who, a, worker, http.StatusOK, nil)
	}
	path := fmt.Sprintf("%s/%d", rosterPath, a.ID)
	s := previewScreen{Name: a.Name, Action: path, Save: path + "/leave"}
	changed := worker
	var bad invalid
	var changes [][3]string
	switch r.PostFormValue("change") {
	case "hours":
		changed, bad = readWorker(r, worker)
		s.Save = path
	case "learned":
		if !sees(who, a.ID) {
			return staff.ErrDenied
		}
		each, _, err := h.learned(r.Context(), a.Team)
		if err != nil {
			return err
		}
		m, ok := each[worker.ID]
		if !ok {
			return invalid{{Sentence: "Nothing is known yet of how long the first contacts take. Go back and enter the minutes."}}
		}
		changed.Minutes, s.Save = m.use(), path
	case "leave", "remove":
		remove := r.PostFormValue("change") == "remove"
		var leave throttle.Span
		if leave, bad = h.readLeave(r, remove); bad != nil {
			break
		}
		if changed.Leave = slices.Clone(worker.Leave); remove {
			same := func(l throttle.Span) bool { return l.From.Equal(leave.From) && l.To.Equal(leave.To) }
			changed.Leave = slices.DeleteFunc(changed.Leave, same)
			changes = append(changes, [3]string{"Leave of " + a.Name, h.leaveWords(leave), "Removed"})
			s.Hidden = [][2]string{{"do", "remove"}, {"from", r.PostFormValue("from")}, {"to", r.PostFormValue("to")}}
		} else {
			changed.Leave = append(changed.Leave, leave)
			changes = append(changes, [3]string{"Leave of " + a.Name, "None", h.leaveWords(leave)})
			for _, name := range []string{"first", "last"} {
				for _, part := range []string{"-day", "-month", "-year"} {
					s.Hidden = append(s.Hidden, [2]string{name + part, r.PostFormValue(name + part)})
				}
			}
		}
	default:
		return invalid{{Sentence: "The change could not be read. Go back and try again."}}
	}
	if bad != nil {
		return h.showWorker(w, r, who, a, worker, http.StatusUnprocessableEntity, bad)
	}
	team, declared, err := h.Store.Capacity(r.Context(), a.Team)
	if err != nil {
		return fmt.Errorf("read the roster: %w", err)
	}
	if s.Save == path {
		_, had := workerOf(declared, a.ID)
		changes = declaredChanges(worker, changed, had)
		s.Hidden = hoursForm(changed)
	}
	changed.ID = strconv.FormatInt(int64(a.ID), 10)
	declared = slices.DeleteFunc(slices.Clone(declared), func(x throttle.Worker) bool { return x.ID == changed.ID })
	now, then, err := h.lookAhead(r.Context(), team, append(declared, changed))
	if err != nil {
		return err
	}
	s.Table = h.compared(now, then, changes)
	s.Idle = len(then.Campaigns) == 0
	s.Alone = !then.Senior && then.Week > 0
	if len(then.Campaigns) == 1 {
		s.Sentence = throttle.Compare(now.outcome, then.outcome)
	}
	return h.show(w, r, http.StatusOK, "capacity-preview", ui.Page{Title: "What this change does", Back: path, Data: s})
}

// declaredChanges lists what differs in what somebody declares.
func declaredChanges(was, is throttle.Worker, had bool) (all [][3]string) {
	add := func(what, a, b string) {
		if !had {
			a = "None yet"
		}
		if a != b {
			all = append(all, [3]string{what, a, b})
		}
	}
	for _, d := range workweek {
		hours := func(w throttle.Worker) string {
			if x := w.Week[d]; x.From < x.To {
				return minuteWords(x.From) + " to " + minuteWords(x.To)
			}
			return "Free"
		}
		if had || hours(is) != "Free" {
			add(d.String(), hours(was), hours(is))
		}
	}
	places := func(n int) string {
		if n < 0 {
			return "No limit"
		}
		return people(n)
	}
	add("Share for first contacts", short(was.FirstContact*100)+"%", short(is.FirstContact*100)+"%")
	add("Minutes for one first contact", short(was.Minutes), short(is.Minutes))
	add("Caseload limit", places(was.Places), places(is.Places))
	return all
}

// hoursForm is the form of one worker's hours, filled in.
func hoursForm(w throttle.Worker) (all [][2]string) {
	for _, d := range workweek {
		if x := w.Week[d]; x.From < x.To {
			name := strings.ToLower(d.String())
			all = append(all, [2]string{name + "-from", minuteWords(x.From)}, [2]string{name + "-to", minuteWords(x.To)})
		}
	}
	all = append(all, [2]string{"share", strconv.FormatFloat(w.FirstContact*100, 'f', -1, 64)}, [2]string{"minutes", strconv.FormatFloat(w.Minutes, 'f', -1, 64)})
	if w.Places >= 0 {
		all = append(all, [2]string{"places", strconv.Itoa(w.Places)})
	}
	return all
}

// aheadJSON is what a roster brings, as the API tells it.
type aheadJSON struct {
	Week      float64             `json:"first_contacts_usual_week"`
	Weeks     float64             `json:"first_contacts_four_weeks"`
	Texts     float64             `json:"texts_a_day"`
	Wait      float64             `json:"longest_wait_days"`
	Late      float64             `json:"late_chance"`
	CallBy    *time.Time          `json:"contact_by"` // null: cannot be told
	Senior    bool                `json:"senior_there"`
	Campaigns []campaignAheadJSON `json:"campaigns"`
}

type campaignAheadJSON struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Last      *time.Time `json:"last_text"` // null: not in time
	From      *time.Time `json:"last_text_from"`
	To        *time.Time `json:"last_text_to"`
	TextsLeft float64    `json:"texts_left"`
}

// dryRunJSON is the answer to a roster that was not saved.
type dryRunJSON struct {
	DryRun bool      `json:"dry_run"`
	Before aheadJSON `json:"before"`
	After  aheadJSON `json:"after"`
}

func (a ahead) json() aheadJSON {
	hundredth := func(x float64) float64 { return math.Round(100*x) / 100 }
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC()
		return &t
	}
	j := aheadJSON{hundredth(a.Week), hundredth(a.Weeks), hundredth(a.Texts), hundredth(a.Wait), hundredth(a.Late), at(a.CallBy), a.Senior, []campaignAheadJSON{}}
	for _, c := range a.Campaigns {
		j.Campaigns = append(j.Campaigns, campaignAheadJSON{c.ID, c.Name, at(c.P50), at(c.P10), at(c.P90), hundredth(c.TextsLeft)})
	}
	return j
}
