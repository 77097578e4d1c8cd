package desk

import (
	"cmp"
	"context"
	"errors"
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

// chartDays is how many working days the chart looks ahead.
const chartDays = 10

// workweek is the order in which people here name the days.
var workweek = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}

// capacityScreen is the data of capacity.html.
type capacityScreen struct {
	Team    string
	Promise string
	Others  []ui.NavItem // the network's other teams
	Roster  ui.Table
	Chart   ui.Chart
	Edits   bool
	// Calendar is four weeks by day and person; Learned how long first contacts took; Alone warns that no text goes for want of a senior.
	Calendar calendar
	Learned  string
	Alone    bool
	Share    shareSection
}

// team finds the team that a page is about: the one asked for, else one's own, else the network's first.
func (h *Handler) team(ctx context.Context, r *http.Request, who staff.Account) (staff.Team, []staff.Team, error) {
	all, err := h.Store.NetworkTeams(ctx, who.Network)
	if err != nil {
		return staff.Team{}, nil, fmt.Errorf("read the teams: %w", err)
	}
	want := who.Team
	if s := r.URL.Query().Get("team"); s != "" {
		id, _ := strconv.ParseInt(s, 10, 64) // what is no number is no team
		want = staff.TeamID(max(id, 1))
	}
	for _, t := range all {
		if want == 0 || t.ID == want {
			return t, all, nil
		}
	}
	return staff.Team{}, nil, staff.ErrNotFound
}

func (h *Handler) capacityPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	ctx := r.Context()
	team, all, err := h.team(ctx, r, who)
	if err != nil {
		return err
	}
	_, declared, err := h.Store.Capacity(ctx, team.ID)
	if err != nil {
		return fmt.Errorf("read the roster: %w", err)
	}
	left, err := h.Store.Workers(ctx, team.ID)
	if err != nil {
		return fmt.Errorf("read the roster: %w", err)
	}
	accounts, err := h.Store.Accounts(ctx, who.Network)
	if err != nil {
		return fmt.Errorf("read who works here: %w", err)
	}
	s := capacityScreen{Team: team.Name, Promise: plural(team.PromiseDays, "working day"), Edits: staff.May(who, staff.EditCapacity, who.Network) == nil, Chart: h.chart(left)}
	for _, t := range all {
		if len(all) > 1 {
			s.Others = append(s.Others, ui.NavItem{Text: t.Name, Href: fmt.Sprintf("%s?team=%d", rosterPath, t.ID), Current: t.ID == team.ID})
		}
	}
	each, together, err := h.learned(ctx, team.ID)
	if err != nil {
		return err
	}
	if s.Share, err = h.shareSection(ctx, who, team, accounts); err != nil {
		return err
	}
	s.Learned = teamMinutes(who, together, declared)
	s.Calendar = h.calendar(team, accounts, declared, left)
	s.Alone = len(left) > 0 && !throttle.SeniorThere(h.Calendar, left, h.Now())
	s.Roster = h.roster(who, team, accounts, declared, left, each)
	return h.show(w, r, http.StatusOK, "capacity", ui.Page{Title: "Capacity", Notice: notice(r), Data: s})
}

func workerOf(all []throttle.Worker, id staff.AccountID) (throttle.Worker, bool) {
	for _, w := range all {
		if w.ID == strconv.FormatInt(int64(id), 10) {
			return w, true
		}
	}
	return throttle.Worker{}, false
}

// roster is the table of everybody in the team who makes first contacts, with or without hours.
func (h *Handler) roster(who staff.Account, team staff.Team, accounts []staff.Account, declared, left []throttle.Worker, each map[string]minutes) ui.Table {
	edits := staff.May(who, staff.EditCapacity, who.Network) == nil
	t := ui.Table{Caption: "Who works when", RowHeaders: true, Compact: true, Stacked: true,
		Empty: "This team has no link workers yet. Ask whoever runs this system to add them, with the command: wellpaced staff add.",
		Head:  []ui.Cell{{Text: "Link worker"}, {Text: "Hours a week", Numeric: true}, {Text: "Share for first contacts", Numeric: true}, {Text: "Minutes for one", Numeric: true}, {Text: "Places left", Numeric: true}, {Text: "Leave"}}}
	for _, a := range accounts {
		if a.Team != team.ID || a.Disabled || !a.Role.Answers() {
			continue
		}
		name := ui.Cell{Text: a.Name}
		if a.Role != staff.LinkWorker {
			name.Text += " (" + a.Role.Words() + ")"
		}
		if edits {
			name.Href, name.Hidden = fmt.Sprintf("%s/%d", rosterPath, a.ID), "change hours and leave"
		}
		w, ok := workerOf(declared, a.ID)
		if !ok {
			t.Rows = append(t.Rows, []ui.Cell{name, {Text: "None yet", Numeric: true}, {Numeric: true}, {Numeric: true}, {Numeric: true}, {}})
			continue
		}
		places := "No limit"
		if free, _ := workerOf(left, a.ID); w.Places >= 0 {
			places = fmt.Sprintf("%d of %d", free.Places, w.Places)
		}
		var leave []string
		for _, l := range w.Leave {
			leave = append(leave, h.leaveWords(l))
		}
		t.Rows = append(t.Rows, []ui.Cell{name,
			{Text: short(weekHours(w.Week)), Numeric: true}, {Text: short(w.FirstContact*100) + "%", Numeric: true}, {Text: declaredMinutes(who, a.ID, w, each), Numeric: true},
			{Text: places, Numeric: true}, {Text: cmp.Or(strings.Join(leave, "; "), "None")}})
	}
	return t
}

func weekHours(w throttle.Week) (sum float64) {
	for _, d := range w {
		sum += float64(max(d.To-d.From, 0)) / 60
	}
	return sum
}

// short writes a number with at most two decimals.
func short(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }

// leaveWords writes a leave as people take it: whole days, the last one included.
func (h *Handler) leaveWords(l throttle.Span) string {
	from, to := l.From.In(h.zone), l.To.In(h.zone)
	if from.Equal(h.Calendar.Midnight(from)) && to.Equal(h.Calendar.Midnight(to)) {
		last := to.AddDate(0, 0, -1)
		if !last.After(from) {
			return h.day(from)
		}
		return h.day(from) + " to " + h.day(last)
	}
	return h.when(from) + " to " + h.when(to)
}

// dayOfContacts is what a team can do on one day.
type dayOfContacts struct {
	At       time.Time
	Contacts float64
}

// days reckons the days up to the tenth working day, closed ones included, from the same roster that the pacer has. Places are used up
// from day to day, as they are in life.
func (h *Handler) days(left []throttle.Worker) (all []dayOfContacts) {
	start := h.Calendar.Midnight(h.Now())
	before, working := 0.0, 0
	for n := 0; n < 60 && working < chartDays; n++ {
		at := start.AddDate(0, 0, n)
		open := h.Calendar.WorkingDay(at)
		if !open && all == nil {
			continue
		}
		if open {
			working++
		}
		sum := throttle.Capacity(h.Calendar, left, nil, start, at.AddDate(0, 0, 1))
		all = append(all, dayOfContacts{at, max(0, sum-before)})
		before = sum
	}
	return all
}

func (h *Handler) chart(left []throttle.Worker) ui.Chart {
	if len(left) == 0 {
		return ui.Chart{Title: "First contacts that the team can make", Sentence: "Nobody in this team has hours yet, so nobody can be called and no texts are sent."}
	}
	series := ui.Series{Name: "First contacts", Kind: ui.Bar}
	total := 0.0
	for _, d := range h.days(left) {
		series.Points = append(series.Points, ui.Point{At: d.At, Value: math.Round(d.Contacts*10) / 10})
		total += d.Contacts
	}
	return ui.Chart{Title: "First contacts that the team can make", Unit: "people a day", Series: []ui.Series{series},
		Sentence: fmt.Sprintf("Over the next %d working days the team can call about %s for the first time.", chartDays, people(int(math.Round(total))))}
}

func people(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// workerScreen is the data of worker.html.
type workerScreen struct {
	Name           string
	Action         string
	Days           []dayFields
	Share, Minutes ui.Field
	Places         ui.Field
	Leave          []leaveRow
	First, Last    ui.Field
	Speaks         ui.Field
	Sick           string // address of their day off sick
	Learned, Use   string // what first contacts took, and the button that takes it over; "" if nobody may know, or there is no difference
}

type dayFields struct {
	Day      string
	From, To ui.Field
}

type leaveRow struct {
	Words    string
	From, To int64 // unix milliseconds: which leave this is
}

// worker finds the link worker whom a page changes.
func (h *Handler) worker(r *http.Request, who staff.Account) (staff.Account, throttle.Worker, error) {
	id, err := pathID[staff.AccountID](r, "account")
	if err != nil {
		return staff.Account{}, throttle.Worker{}, err
	}
	accounts, err := h.Store.Accounts(r.Context(), who.Network)
	if err != nil {
		return staff.Account{}, throttle.Worker{}, fmt.Errorf("read who works here: %w", err)
	}
	i := slices.IndexFunc(accounts, func(a staff.Account) bool {
		return a.ID == id && a.Team != 0 && a.Role.Answers() && !a.Disabled
	})
	if i < 0 {
		return staff.Account{}, throttle.Worker{}, staff.ErrNotFound
	}
	_, declared, err := h.Store.Capacity(r.Context(), accounts[i].Team)
	if err != nil {
		return staff.Account{}, throttle.Worker{}, fmt.Errorf("read the roster: %w", err)
	}
	w, found := workerOf(declared, id)
	if !found { // what the form suggests for somebody new
		w = throttle.Worker{FirstContact: .4, Minutes: 45, Places: -1}
	}
	return accounts[i], w, nil
}

func (h *Handler) workerPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	a, worker, err := h.worker(r, who)
	if err != nil {
		return err
	}
	return h.showWorker(w, r, who, a, worker, http.StatusOK, nil)
}

// showWorker shows the form with what was entered, if anything was, else with what is declared.
func (h *Handler) showWorker(w http.ResponseWriter, r *http.Request, who, a staff.Account, worker throttle.Worker, status int, errs []ui.FieldError) error {
	value := func(name, declared string) string {
		if _, posted := r.PostForm[name]; posted {
			return r.PostFormValue(name)
		}
		return declared
	}
	s := workerScreen{Name: a.Name, Action: fmt.Sprintf("%s/%d", rosterPath, a.ID)}
	for _, d := range workweek {
		name := strings.ToLower(d.String())
		f := dayFields{Day: d.String(),
			From: ui.Field{Name: name + "-from", Label: d.String() + " from", Width: 5},
			To:   ui.Field{Name: name + "-to", Label: d.String() + " to", Width: 5}}
		from, to := "", ""
		if hours := worker.Week[d]; hours.From < hours.To {
			from, to = minuteWords(hours.From), minuteWords(hours.To)
		}
		f.From.Value, f.To.Value = value(f.From.Name, from), value(f.To.Name, to)
		s.Days = append(s.Days, f)
	}
	places := ""
	if worker.Places >= 0 {
		places = strconv.Itoa(worker.Places)
	}
	s.Share = ui.Field{Name: "share", Label: "Share of the hours kept for first contacts", Hint: "The rest goes to people who are in support already, and to everything else", Width: 4, Suffix: "%", Inputmode: "decimal", Value: value("share", short(worker.FirstContact*100))}
	s.Minutes = ui.Field{Name: "minutes", Label: "Minutes for one first contact", Hint: "With the notes, and with calls that nobody answers", Width: 4, Inputmode: "decimal", Value: value("minutes", short(worker.Minutes))}
	s.Places = ui.Field{Name: "places", Label: "Caseload limit", Hint: "The most people at a time. Leave it empty for no limit", Width: 4, Inputmode: "numeric", Value: value("places", places)}
	for _, l := range worker.Leave {
		s.Leave = append(s.Leave, leaveRow{h.leaveWords(l), l.From.UnixMilli(), l.To.UnixMilli()})
	}
	var err error
	if s.Speaks, err = h.speaks(r.Context(), a); err != nil {
		return err
	}
	s.Sick = s.Action + "/sick"
	if sees(who, a.ID) {
		each, _, err := h.learned(r.Context(), a.Team)
		if err != nil {
			return err
		}
		if m, ok := each[strconv.FormatInt(int64(a.ID), 10)]; ok && m.use() != worker.Minutes {
			s.Learned, s.Use = m.words(), plural(int(m.use()), "minute")
		}
	}
	date := func(name, label string) ui.Field {
		f := ui.Field{Kind: ui.Date, Name: name, Label: label, Size: "s"}
		for _, part := range []string{"-day", "-month", "-year"} {
			f.Values = append(f.Values, r.PostFormValue(name+part))
		}
		return f
	}
	s.First, s.Last = date("first", "First day away"), date("last", "Last day away")
	return h.show(w, r, status, "worker", ui.Page{Title: "Hours and leave of " + a.Name, Back: fmt.Sprintf("%s?team=%d", rosterPath, a.Team), Errors: errs, Notice: notice(r), Data: s})
}

func minuteWords(m int) string { return fmt.Sprintf("%02d:%02d", m/60, m%60) }

var errMinute = errors.New("this is not a time of day")

// parseMinute reads a time of day as people type it: 9, 9:30, 9.30, 0930, 5pm, 24:00.
func parseMinute(s string) (int, error) {
	s = strings.ToLower(strings.ReplaceAll(s, " ", ""))
	half := ""
	for _, suffix := range []string{"am", "pm"} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, half = rest, suffix
		}
	}
	s = strings.ReplaceAll(s, ".", ":")
	hours, minutes, split := strings.Cut(s, ":")
	if !split && len(s) == 4 {
		hours, minutes = s[:2], s[2:]
	} else if !split {
		minutes = "00"
	}
	number := func(s string) (int, bool) {
		if len(s) == 0 || len(s) > 2 || strings.Trim(s, "0123456789") != "" {
			return 0, false
		}
		n, err := strconv.Atoi(s)
		return n, err == nil
	}
	hh, ok := number(hours)
	mm, ok2 := number(minutes)
	if !ok || !ok2 || len(minutes) != 2 || mm > 59 {
		return 0, errMinute
	}
	if half != "" {
		if hh < 1 || hh > 12 {
			return 0, errMinute
		}
		if hh %= 12; half == "pm" {
			hh += 12
		}
	}
	if m := hh*60 + mm; m <= 24*60 {
		return m, nil
	}
	return 0, errMinute
}

// readWorker checks the form of one worker's hours.
func readWorker(r *http.Request, w throttle.Worker) (throttle.Worker, invalid) {
	var bad invalid
	for _, d := range workweek {
		name := strings.ToLower(d.String())
		from, to := strings.TrimSpace(r.PostFormValue(name+"-from")), strings.TrimSpace(r.PostFormValue(name+"-to"))
		if from == "" && to == "" {
			w.Week[d] = throttle.Hours{}
			continue
		}
		a, err := parseMinute(from)
		if err != nil {
			bad = append(bad, ui.FieldError{Field: name + "-from", Sentence: fmt.Sprintf("Enter when %s starts, like 09:00, or leave both times empty", d)})
		}
		b, err2 := parseMinute(to)
		if err2 != nil {
			bad = append(bad, ui.FieldError{Field: name + "-to", Sentence: fmt.Sprintf("Enter when %s ends, like 17:00, or leave both times empty", d)})
		}
		if err == nil && err2 == nil && a >= b {
			bad = append(bad, ui.FieldError{Field: name + "-to", Sentence: fmt.Sprintf("%s must end after it starts", d)})
		}
		w.Week[d] = throttle.Hours{From: a, To: b}
	}
	number := func(name string) (float64, bool) {
		v, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(r.PostFormValue(name)), "%"), 64)
		return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	share, ok := number("share")
	if !ok || share < 0 || share > 100 {
		bad = append(bad, ui.FieldError{Field: "share", Sentence: "The share for first contacts must be a number from 0 to 100"})
	}
	w.FirstContact = share / 100
	if w.Minutes, ok = number("minutes"); !ok || w.Minutes < 1 || w.Minutes > 480 {
		bad = append(bad, ui.FieldError{Field: "minutes", Sentence: "The minutes for one first contact must be a number from 1 to 480"})
	}
	w.Places = -1
	if s := strings.TrimSpace(r.PostFormValue("places")); s != "" {
		var err error
		if w.Places, err = strconv.Atoi(s); err != nil || w.Places < 0 || w.Places > 10_000 {
			bad = append(bad, ui.FieldError{Field: "places", Sentence: "The caseload limit must be a whole number, or empty for no limit"})
		}
	}
	return w, bad
}

func (h *Handler) setWorker(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	a, worker, err := h.worker(r, who)
	if err != nil {
		return err
	}
	worker, bad := readWorker(r, worker)
	if bad != nil {
		return h.showWorker(w, r, who, a, worker, http.StatusUnprocessableEntity, bad)
	}
	if err := h.Store.SetWorker(r.Context(), who, a.ID, worker); err != nil {
		return fmt.Errorf("set the hours: %w", err)
	}
	http.Redirect(w, r, fmt.Sprintf("%s?team=%d&done=hours", rosterPath, a.Team), http.StatusSeeOther)
	return nil
}

// readDay reads the three parts of a date in civil time.
func (h *Handler) readDay(r *http.Request, name, words string) (time.Time, invalid) {
	var n [3]int
	for i, part := range []string{"-day", "-month", "-year"} {
		var err error
		if n[i], err = strconv.Atoi(strings.TrimSpace(r.PostFormValue(name + part))); err != nil {
			return time.Time{}, invalid{{Field: name + part, Sentence: "Enter the " + words + " with day, month and year, like 8 6 2026"}}
		}
	}
	t := time.Date(n[2], time.Month(n[1]), n[0], 0, 0, 0, 0, h.zone)
	if n[2] < 2000 || n[2] > 2200 || t.Day() != n[0] || t.Month() != time.Month(n[1]) {
		return time.Time{}, invalid{{Field: name + "-day", Sentence: "The " + words + " must be a real date, like 8 6 2026"}}
	}
	return t, nil
}

// readLeave reads the leave that is to be added, or which one is to be taken back.
func (h *Handler) readLeave(r *http.Request, remove bool) (throttle.Span, invalid) {
	if remove {
		from, err := strconv.ParseInt(r.PostFormValue("from"), 10, 64)
		to, err2 := strconv.ParseInt(r.PostFormValue("to"), 10, 64)
		if err != nil || err2 != nil {
			return throttle.Span{}, invalid{{Sentence: "The leave could not be read. Go back and try again."}}
		}
		return throttle.Span{From: time.UnixMilli(from), To: time.UnixMilli(to)}, nil
	}
	first, bad := h.readDay(r, "first", "first day away")
	last, bad2 := h.readDay(r, "last", "last day away")
	if bad = append(bad, bad2...); bad == nil {
		switch {
		case last.Before(first):
			bad = invalid{{Field: "last-day", Sentence: "The last day away must not be before the first"}}
		case last.After(first.AddDate(2, 0, 0)):
			bad = invalid{{Field: "last-day", Sentence: "A leave can be two years at most"}}
		case last.Before(h.Calendar.Midnight(h.Now())):
			bad = invalid{{Field: "last-day", Sentence: "The last day away must not be in the past"}}
		}
	}
	return throttle.Span{From: first, To: last.AddDate(0, 0, 1)}, bad
}

// changeLeave adds a leave, or takes one back.
func (h *Handler) changeLeave(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	a, worker, err := h.worker(r, who)
	if err != nil {
		return err
	}
	leave, bad := h.readLeave(r, r.PostFormValue("do") == "remove")
	switch {
	case bad != nil:
		return h.showWorker(w, r, who, a, worker, http.StatusUnprocessableEntity, bad)
	case r.PostFormValue("do") == "remove":
		if err := h.Store.RemoveLeave(r.Context(), who, a.ID, leave); err != nil {
			return fmt.Errorf("remove a leave: %w", err)
		}
	default:
		if _, err := h.Store.AddLeave(r.Context(), who, a.ID, leave); err != nil {
			return fmt.Errorf("add a leave: %w", err)
		}
	}
	http.Redirect(w, r, fmt.Sprintf("%s/%d?done=leave", rosterPath, a.ID), http.StatusSeeOther)
	return nil
}

// capacityJSON is a team's roster as the API tells and takes it.
type capacityJSON struct {
	Team        staff.TeamID `json:"team"`
	Name        string       `json:"name"`
	PromiseDays int          `json:"promise_days"`
	Workers     []workerJSON `json:"workers"`
	Days        []dayJSON    `json:"days"`
	Learned     *minutesJSON `json:"learned,omitempty"`
}

// minutesJSON is how long first contacts took lately.
type minutesJSON struct {
	Minutes  float64 `json:"minutes"`
	Contacts int     `json:"first_contacts"` // it rests on so many
}

type workerJSON struct {
	Account           staff.AccountID      `json:"account"`
	Name              string               `json:"name,omitempty"`
	Hours             map[string]hoursJSON `json:"hours"` // by day: "monday"
	FirstContactShare float64              `json:"first_contact_share"`
	Minutes           float64              `json:"minutes_per_contact"`
	CaseloadLimit     *int                 `json:"caseload_limit"` // null: none
	Leave             []spanJSON           `json:"leave"`
	Senior            bool                 `json:"senior,omitempty"`
	Learned           *minutesJSON         `json:"learned,omitempty"`
}

type hoursJSON struct {
	From string `json:"from"` // "09:00"
	To   string `json:"to"`
}

type spanJSON struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"` // the first instant back at work
}

type dayJSON struct {
	Date          string  `json:"date"`
	FirstContacts float64 `json:"first_contacts"`
}

// apiTeam finds the team of an API path within the caller's network.
func (h *Handler) apiTeam(r *http.Request, who staff.Account) (staff.Team, error) {
	id, err := pathID[staff.TeamID](r, "team")
	if err != nil {
		return staff.Team{}, err
	}
	all, err := h.Store.NetworkTeams(r.Context(), who.Network)
	if err != nil {
		return staff.Team{}, fmt.Errorf("read the teams: %w", err)
	}
	for _, t := range all {
		if t.ID == id {
			return t, nil
		}
	}
	return staff.Team{}, staff.ErrNotFound
}

func (h *Handler) getCapacity(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	team, err := h.apiTeam(r, who)
	if err != nil {
		return err
	}
	return h.writeCapacity(w, r, who, team)
}

func (h *Handler) writeCapacity(w http.ResponseWriter, r *http.Request, who staff.Account, team staff.Team) error {
	_, declared, err := h.Store.Capacity(r.Context(), team.ID)
	if err != nil {
		return fmt.Errorf("read the roster: %w", err)
	}
	left, err := h.Store.Workers(r.Context(), team.ID)
	if err != nil {
		return fmt.Errorf("read the roster: %w", err)
	}
	each, together, err := h.learned(r.Context(), team.ID)
	if err != nil {
		return err
	}
	out := capacityJSON{Team: team.ID, Name: team.Name, PromiseDays: team.PromiseDays, Workers: []workerJSON{}}
	for _, d := range declared {
		id, err := strconv.ParseInt(d.ID, 10, 64)
		if err != nil {
			return fmt.Errorf("read account %q of the roster: %w", d.ID, err)
		}
		j := workerJSON{Account: staff.AccountID(id), Name: d.Name, Hours: map[string]hoursJSON{}, FirstContactShare: d.FirstContact, Minutes: d.Minutes, Leave: []spanJSON{}}
		j.Senior = d.Senior
		if m, ok := each[d.ID]; ok && sees(who, j.Account) {
			j.Learned = &minutesJSON{math.Round(m.Minutes*10) / 10, m.Contacts}
		}
		for day, hours := range d.Week {
			if hours.From < hours.To {
				j.Hours[strings.ToLower(time.Weekday(day).String())] = hoursJSON{minuteWords(hours.From), minuteWords(hours.To)}
			}
		}
		if d.Places >= 0 {
			j.CaseloadLimit = &d.Places
		}
		for _, l := range d.Leave {
			j.Leave = append(j.Leave, spanJSON{l.From.UTC(), l.To.UTC()})
		}
		out.Workers = append(out.Workers, j)
	}
	if teamMinutes(who, together, declared) != "" {
		out.Learned = &minutesJSON{math.Round(together.Minutes*10) / 10, together.Contacts}
	}
	for _, d := range h.days(left) {
		out.Days = append(out.Days, dayJSON{d.At.In(h.zone).Format(time.DateOnly), math.Round(d.Contacts*100) / 100})
	}
	return writeJSON(w, http.StatusOK, out)
}

// putCapacity replaces a team's roster, or tells with dry_run=true what that would do. It takes what getCapacity gives; name, promise, days, who
// is senior and what is learned are not looked at.
func (h *Handler) putCapacity(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	team, err := h.apiTeam(r, who)
	if err != nil {
		return err
	}
	var in capacityJSON
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	if in.Workers == nil {
		return invalid{{Field: "workers", Sentence: "workers is missing: send the whole roster, or [] to empty it."}}
	}
	accounts, err := h.Store.Accounts(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read who works here: %w", err)
	}
	var roster []throttle.Worker
	var bad invalid
	seen := map[staff.AccountID]bool{}
	for _, j := range in.Workers {
		in := slices.ContainsFunc(accounts, func(a staff.Account) bool { return a.ID == j.Account && a.Team == team.ID && a.Role.Answers() })
		if !in || seen[j.Account] {
			bad = append(bad, ui.FieldError{Field: "workers", Sentence: fmt.Sprintf("Account %d is not a link worker of this team, or stands there twice.", j.Account)})
			continue
		}
		seen[j.Account] = true
		worker, wrong := j.worker()
		roster, bad = append(roster, worker), append(bad, wrong...)
	}
	if bad != nil {
		return bad
	}
	switch r.URL.Query().Get("dry_run") {
	case "true":
		now, then, err := h.lookAhead(r.Context(), team, roster)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, dryRunJSON{true, now.json(), then.json()})
	case "", "false":
	default:
		return invalid{{Field: "dry_run", Sentence: "dry_run must be true or false."}}
	}
	if err := h.Store.SetCapacity(r.Context(), who, team.ID, roster); err != nil {
		return fmt.Errorf("set the roster: %w", err)
	}
	return h.writeCapacity(w, r, who, team)
}

func (j workerJSON) worker() (w throttle.Worker, bad invalid) {
	wrong := func(sentence string) {
		bad = append(bad, ui.FieldError{Field: "workers", Sentence: fmt.Sprintf("Account %d: %s", j.Account, sentence)})
	}
	w = throttle.Worker{ID: strconv.FormatInt(int64(j.Account), 10), FirstContact: j.FirstContactShare, Minutes: j.Minutes, Places: -1}
	known := 0
	for _, d := range workweek {
		hours, ok := j.Hours[strings.ToLower(d.String())]
		if !ok {
			continue
		}
		known++
		from, err := parseMinute(hours.From)
		to, err2 := parseMinute(hours.To)
		if err != nil || err2 != nil || from >= to {
			wrong(d.String() + " must have hours like 09:00 to 17:00, or be left out.")
			continue
		}
		w.Week[d] = throttle.Hours{From: from, To: to}
	}
	if known != len(j.Hours) {
		wrong("days are called monday, tuesday, wednesday, thursday, friday, saturday and sunday.")
	}
	if !(w.FirstContact >= 0 && w.FirstContact <= 1) {
		wrong("first_contact_share must be from 0 to 1.")
	}
	if !(w.Minutes >= 1 && w.Minutes <= 480) {
		wrong("minutes_per_contact must be from 1 to 480.")
	}
	if j.CaseloadLimit != nil {
		if w.Places = *j.CaseloadLimit; w.Places < 0 {
			wrong("caseload_limit must be 0 or more, or null for none.")
		}
	}
	for _, l := range j.Leave {
		if !l.From.Before(l.To) {
			wrong("a leave must start before it ends.")
		}
		w.Leave = append(w.Leave, throttle.Span(l))
	}
	return w, bad
}
