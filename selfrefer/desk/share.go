package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const (
	sickPath    = "/desk/sick"
	sharingPath = "/desk/sharing"
)

// nextUp is whom somebody should call next, above the queue.
type nextUp struct {
	Row     *queueRow
	Why     string
	Nothing string // why nothing new is suggested
}

// nextScreen is what the queue's page shows of it.
type nextScreen struct {
	State string
	Next  *nextUp
}

// nextUp is only for the first page of the parts in which nobody has what is listed, not narrowed.
func (h *Handler) nextUp(ctx context.Context, who staff.Account, f selfrefer.Filter, name func(staff.AccountID) string, practices map[string]string) (*nextUp, error) {
	if f.State != "open" && f.State != "new" || f.After != 0 || f.Narrowed() > 0 || staff.May(who, staff.WorkReferral, who.Network) != nil {
		return nil, nil //nolint:nilerr // it is not for them
	}
	n, err := h.Store.Next(ctx, who)
	switch {
	case err != nil:
		return nil, fmt.Errorf("look whom to call next: %w", err)
	case n.Referral.ID != 0:
		row := h.queueRow(n.Referral, who, name, practices)
		return &nextUp{Row: &row, Why: n.Why.Sentence("")}, nil
	case n.Rostered && n.Room == 0:
		return &nextUp{Nothing: "Nothing new is suggested to you: what you have in hand, and have done, fills your day."}, nil
	}
	return nil, nil
}

// loads is the table of who carries what.
func (h *Handler) loads(ctx context.Context, team staff.Team, accounts []staff.Account) (ui.Table, error) {
	all, err := h.Store.Loads(ctx, team.ID)
	if err != nil {
		return ui.Table{}, fmt.Errorf("read who carries what: %w", err)
	}
	t := ui.Table{Caption: "Who carries what", RowHeaders: true, Compact: true, Stacked: true,
		Head: []ui.Cell{{Text: "Link worker"}, {Text: "In hand", Numeric: true}, {Text: "Places left", Numeric: true}, {Text: "First contacts free today", Numeric: true}, {Text: "Suggested today", Numeric: true}, {Text: "Speaks"}}}
	for _, a := range accounts {
		i := slices.IndexFunc(all, func(l selfrefer.Load) bool { return l.Account == a.ID })
		if i < 0 {
			continue
		}
		l := all[i]
		places := "No limit"
		if l.Places >= 0 {
			places = strconv.Itoa(l.Places)
		}
		t.Rows = append(t.Rows, []ui.Cell{{Text: a.Name}, {Text: strconv.Itoa(l.Hands), Numeric: true}, {Text: places, Numeric: true}, {Text: strconv.Itoa(l.Room), Numeric: true},
			{Text: strconv.Itoa(l.Suggested), Numeric: true}, {Text: strings.Join(append([]string{"English"}, l.Speaks...), ", ")}})
	}
	return t, nil
}

// shareSection is about the sharing of the work on the capacity page.
type shareSection struct {
	Loads    ui.Table
	Sentence string
	Edit     string // address of the settings; "" for those who may not change them
	Sick     string // address for whoever looks, if they make first contacts in this team
}

func (h *Handler) shareSection(ctx context.Context, who staff.Account, team staff.Team, accounts []staff.Account) (s shareSection, err error) {
	if s.Loads, err = h.loads(ctx, team, accounts); err != nil {
		return s, err
	}
	how, err := h.Store.Sharing(ctx, team.ID)
	if err != nil {
		return s, fmt.Errorf("read how the work is shared: %w", err)
	}
	s.Sentence = "The queue suggests to everybody whom to call next, by what fits into their day. Nothing is handed over by itself."
	if how.Auto {
		s.Sentence = "What nobody has claimed for " + h.working(how.Wait) + " is handed to somebody who is at work and has room."
	}
	if staff.May(who, staff.EditCapacity, who.Network) == nil {
		s.Edit = fmt.Sprintf("%s?team=%d", sharingPath, team.ID)
	}
	if who.Team == team.ID && who.Role.Answers() {
		s.Sick = sickPath
	}
	return s, nil
}

// sharingScreen is the data of sharing.html.
type sharingScreen struct {
	Team, Action    string
	Auto, Wait, Ask ui.Field
}

func (h *Handler) sharingPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	team, _, err := h.team(r.Context(), r, who)
	if err != nil {
		return err
	}
	s, err := h.Store.Sharing(r.Context(), team.ID)
	if err != nil {
		return fmt.Errorf("read how the work is shared: %w", err)
	}
	ask := ""
	if s.AskAt >= 0 {
		ask = minuteWords(s.AskAt)
	}
	return h.showSharing(w, r, team, map[bool]string{true: "auto", false: "suggest"}[s.Auto], strconv.Itoa(int(s.Wait/time.Minute)), ask, http.StatusOK, nil)
}

func (h *Handler) showSharing(w http.ResponseWriter, r *http.Request, team staff.Team, auto, wait, ask string, status int, errs []ui.FieldError) error {
	s := sharingScreen{Team: team.Name, Action: fmt.Sprintf("%s?team=%d", sharingPath, team.ID),
		Auto: ui.Field{Kind: ui.Radios, Name: "auto", Label: "Who gets a referral that nobody has claimed?", Size: "m", Value: auto, Options: []ui.Option{
			{Value: "suggest", Label: "Whoever claims it", Hint: "The queue suggests to everybody whom to call next"},
			{Value: "auto", Label: "Somebody who is at work and has room", Hint: "It is handed over by itself, in working hours. Any colleague can take it until it is opened"}}},
		Wait: ui.Field{Name: "wait", Label: "After how many minutes is it handed over by itself?", Hint: "Minutes of working time, from 5 to 2400", Width: 4, Inputmode: "numeric", Value: wait},
		Ask:  ui.Field{Name: "ask", Label: "When is a senior asked about somebody who has opened nothing?", Hint: "A time of day, like 10:30. Leave it empty to ask never. It asks, and changes nothing before the answer", Width: 5, Value: ask}}
	return h.show(w, r, status, "sharing", ui.Page{Title: "How the work is shared", Back: fmt.Sprintf("%s?team=%d", rosterPath, team.ID), Errors: errs, Data: s})
}

func (h *Handler) setSharing(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	team, _, err := h.team(r.Context(), r, who)
	if err != nil {
		return err
	}
	auto, wait, ask := r.PostFormValue("auto"), strings.TrimSpace(r.PostFormValue("wait")), strings.TrimSpace(r.PostFormValue("ask"))
	var bad invalid
	s := selfrefer.Sharing{Auto: auto == "auto", AskAt: -1}
	if auto != "auto" && auto != "suggest" {
		bad = append(bad, ui.FieldError{Field: "auto", Sentence: "Select who gets a referral that nobody has claimed"})
	}
	minutes, err := strconv.Atoi(wait)
	if s.Wait = time.Duration(minutes) * time.Minute; err != nil || minutes > 2400 || s.Check() != nil {
		bad = append(bad, ui.FieldError{Field: "wait", Sentence: "The minutes must be a whole number from 5 to 2400"})
	}
	if ask != "" {
		if s.AskAt, err = parseMinute(ask); err != nil || s.AskAt >= 24*60 {
			bad = append(bad, ui.FieldError{Field: "ask", Sentence: "Enter a time of day, like 10:30, or leave it empty"})
		}
	}
	if bad != nil {
		return h.showSharing(w, r, team, auto, wait, ask, http.StatusUnprocessableEntity, bad)
	}
	if err := h.Store.SetSharing(r.Context(), who, team.ID, s); err != nil {
		return fmt.Errorf("set how the work is shared: %w", err)
	}
	http.Redirect(w, r, fmt.Sprintf("%s?team=%d&done=sharing", rosterPath, team.ID), http.StatusSeeOther)
	return nil
}

// speaks is the field of a worker's languages.
func (h *Handler) speaks(ctx context.Context, a staff.Account) (ui.Field, error) {
	f := ui.Field{Kind: ui.Checkboxes, Name: "speaks", Label: "Languages besides English", Size: "s", Hint: "A person who asks for one of them is suggested to whoever speaks it", Small: true}
	all, err := h.Store.Speaks(ctx, a.ID)
	if err != nil {
		return f, fmt.Errorf("read which languages somebody speaks: %w", err)
	}
	f.Values = all
	for _, l := range selfrefer.Spoken {
		f.Options = append(f.Options, ui.Option{Value: l, Label: l})
	}
	return f, nil
}

func (h *Handler) setSpeaks(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	a, _, err := h.worker(r, who)
	if err != nil {
		return err
	}
	if err := selfrefer.CheckSpoken(r.PostForm["speaks"]); err != nil {
		return invalid{{Field: "speaks", Sentence: "Choose among the languages of the list."}}
	}
	if err := h.Store.SetSpeaks(r.Context(), who, a.ID, r.PostForm["speaks"]); err != nil {
		return fmt.Errorf("set languages: %w", err)
	}
	http.Redirect(w, r, fmt.Sprintf("%s/%d?done=speaks", rosterPath, a.ID), http.StatusSeeOther)
	return nil
}

// sickScreen is the data of sick.html.
type sickScreen struct {
	Name, Action string
	You          bool
	Away         string // until when they are away; "" if they are not
	Moved        ui.Table
	Plan         ui.Table
	Until        string // words
	Seen         string // the plan, as it is sent back
	Day          string // the last day away, as it is sent back
	Last         ui.Field
	Support      ui.Field
	InSupport    bool
	Count        string
}

// sickColleague is whom a page or a call is about: somebody of the path, else whoever asks.
func (h *Handler) sickColleague(r *http.Request, who staff.Account) (a staff.Account, path string, err error) {
	if chi.URLParam(r, "account") == "" {
		if who.Team == 0 || !who.Role.Answers() {
			return a, "", staff.ErrNotFound
		}
		return who, sickPath, nil
	}
	a, _, err = h.worker(r, who)
	return a, fmt.Sprintf("%s/%d/sick", rosterPath, a.ID), err
}

// endOfDay is the civil midnight that ends a day.
func (h *Handler) endOfDay(t time.Time) time.Time {
	return h.Calendar.Midnight(h.Calendar.Midnight(t).AddDate(0, 0, 1))
}

// lastSickDay is the furthest day on which being off sick can end.
const lastSickDay = 27

// sickUntil reads the last day away: today, if nothing is entered.
func (h *Handler) sickUntil(r *http.Request) (time.Time, invalid) {
	entered := ""
	for _, part := range []string{"-day", "-month", "-year"} {
		entered += strings.TrimSpace(r.PostFormValue("last" + part))
	}
	if entered == "" {
		return h.endOfDay(h.Now()), nil
	}
	last, bad := h.readDay(r, "last", "last day away")
	if bad != nil {
		return time.Time{}, bad
	}
	return h.checkSick(h.endOfDay(last), "last-day")
}

func (h *Handler) checkSick(until time.Time, field string) (time.Time, invalid) {
	if !until.After(h.Now()) || until.After(h.endOfDay(h.Now().AddDate(0, 0, lastSickDay))) {
		return time.Time{}, invalid{{Field: field, Sentence: "The last day away must be today or within four weeks. Enter a longer leave as a leave"}}
	}
	return until, nil
}

func (h *Handler) sickPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	a, path, err := h.sickColleague(r, who)
	if err != nil {
		return err
	}
	return h.showSick(w, r, who, a, path, h.endOfDay(h.Now()), false, http.StatusOK, nil)
}

// postSick previews, does it, or ends it.
func (h *Handler) postSick(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	a, path, err := h.sickColleague(r, who)
	if err != nil {
		return err
	}
	support := r.PostFormValue("support") == "yes"
	switch r.PostFormValue("do") {
	case "back":
		if _, err := h.Store.Back(r.Context(), who, a.ID); err != nil && !errors.Is(err, selfrefer.ErrNotAway) { // pressed twice
			return fmt.Errorf("end a day off sick: %w", err)
		}
		http.Redirect(w, r, path+"?done=back", http.StatusSeeOther)
		return nil
	case "sick":
		ms, err := strconv.ParseInt(r.PostFormValue("until"), 10, 64)
		if err != nil {
			return invalid{{Sentence: "The form could not be read. Go back and try again."}}
		}
		until, bad := h.checkSick(time.UnixMilli(ms), "last-day")
		if bad != nil {
			return h.showSick(w, r, who, a, path, h.endOfDay(h.Now()), support, http.StatusUnprocessableEntity, bad)
		}
		if _, err := h.Store.Sick(r.Context(), who, a.ID, until, support, readSeen(r.PostFormValue("seen"))); err != nil {
			return fmt.Errorf("note a day off sick: %w", err)
		}
		http.Redirect(w, r, path+"?done=sick", http.StatusSeeOther)
		return nil
	}
	until, bad := h.sickUntil(r)
	if bad != nil {
		return h.showSick(w, r, who, a, path, h.endOfDay(h.Now()), support, http.StatusUnprocessableEntity, bad)
	}
	return h.showSick(w, r, who, a, path, until, support, http.StatusOK, nil)
}

// readSeen reads a plan that was seen. What makes no sense is left out: it is dealt out anew.
func readSeen(s string) (all []selfrefer.Move) {
	for _, pair := range strings.Fields(s) {
		id, to, _ := strings.Cut(pair, ":")
		referral, err := strconv.ParseInt(id, 10, 64)
		account, err2 := strconv.ParseInt(to, 10, 64)
		if err == nil && err2 == nil {
			all = append(all, selfrefer.Move{Referral: selfrefer.ReferralID(referral), To: staff.AccountID(account)})
		}
	}
	return all
}

func (h *Handler) showSick(w http.ResponseWriter, r *http.Request, who, a staff.Account, path string, until time.Time, support bool, status int, errs []ui.FieldError) error {
	ctx := r.Context()
	name, err := h.names(ctx, who.Network)
	if err != nil {
		return err
	}
	away, err := h.Store.AwayNow(ctx, who, a.ID)
	if err != nil {
		return fmt.Errorf("look who is away: %w", err)
	}
	s := sickScreen{Name: a.Name, Action: path, You: a.ID == who.ID, InSupport: support}
	title := map[bool]string{true: "You are off sick", false: a.Name + " is off sick"}[s.You]
	if away.ID == 0 {
		title = map[bool]string{true: "If you are off sick", false: "If " + a.Name + " is off sick"}[s.You]
	}
	page := ui.Page{Title: title, Back: queuePath, Errors: errs, Notice: notice(r)}
	if !s.You {
		page.Back = fmt.Sprintf("%s/%d", rosterPath, a.ID)
	}
	if away.ID != 0 {
		s.Away = h.when(away.To)
		s.Moved = ui.Table{Caption: "What was handed over", RowHeaders: true, Stacked: true, Empty: "Nothing had to be handed over.", Head: []ui.Cell{{Text: "Referral"}, {Text: "Promised by"}, {Text: "Went to"}}}
		for _, m := range away.Moves {
			s.Moved.Rows = append(s.Moved.Rows, []ui.Cell{{Text: m.Reference}, {Text: h.when(m.Due)}, {Text: cmp.Or(name(m.To), "The queue")}})
		}
		page.Data = s
		return h.show(w, r, status, "sick", page)
	}
	plan, err := h.Store.PlanSick(ctx, who, a.ID, until, support)
	if err != nil {
		return fmt.Errorf("plan a day off sick: %w", err)
	}
	s.Plan = ui.Table{Caption: "What would go where", RowHeaders: true, Stacked: true, Empty: "There is nothing in hand that somebody else must take over.",
		Head: []ui.Cell{{Text: "Referral"}, {Text: "Promised by"}, {Text: "Goes to"}, {Text: "Why"}}}
	var seen []string
	queued := 0
	for _, m := range plan {
		ref := ui.Cell{Text: m.Reference}
		if m.Urgent {
			ref.Text += " (urgent)"
		}
		to := name(m.To)
		switch {
		case m.Stays:
			to = "Stays with " + a.Name
		case m.To == 0:
			to = "Back to the queue, with its promise"
			queued++
		}
		promised := h.when(m.Due)
		if m.State == selfrefer.InSupport {
			promised = "In support"
		}
		s.Plan.Rows = append(s.Plan.Rows, []ui.Cell{ref, {Text: promised}, {Text: to}, {Text: h.why(who, m, name)}})
		seen = append(seen, fmt.Sprintf("%d:%d", m.Referral, m.To))
	}
	s.Seen = strings.Join(seen, " ")
	s.Count = plural(len(plan), "referral")
	if queued > 0 {
		s.Count += fmt.Sprintf(", %d of them back into the queue", queued)
	}
	last := until.Add(-time.Nanosecond)
	s.Until = h.day(last)
	s.Day = strconv.FormatInt(until.UnixMilli(), 10)
	s.Last = ui.Field{Kind: ui.Date, Name: "last", Label: "Last day away", Size: "s", Hint: "Leave it empty for today"}
	for _, part := range []string{"-day", "-month", "-year"} {
		s.Last.Values = append(s.Last.Values, r.PostFormValue("last"+part))
	}
	s.Support = ui.Field{Kind: ui.Checkboxes, Name: "support", Label: "People in support", Size: "s", Small: true, Options: []ui.Option{{Value: "yes", Label: "Hand over people in support, too"}}}
	if support {
		s.Support.Values = []string{"yes"}
	}
	page.Data = s
	return h.show(w, r, status, "sick", page)
}

// why says why a referral goes where it goes; to whoever may not open referrals, without what it tells of the person.
func (h *Handler) why(who staff.Account, m selfrefer.Move, name func(staff.AccountID) string) string {
	y := m.Why
	if staff.May(who, staff.ViewReferral, who.Network) != nil {
		y = y.Plain()
	}
	called := ""
	if m.To != 0 {
		called, _, _ = strings.Cut(name(m.To), " ")
	}
	return y.Sentence(cmp.Or(called, "Somebody"))
}

// presenceScreen is the data of presence.html.
type presenceScreen struct{ Name, Action, Sick string }

func (h *Handler) presencePage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	a, _, err := h.worker(r, who)
	if err != nil {
		return err
	}
	path := fmt.Sprintf("%s/%d", rosterPath, a.ID)
	return h.show(w, r, http.StatusOK, "presence", ui.Page{Title: "Is " + a.Name + " in today?", Back: path, Data: presenceScreen{a.Name, path + "/presence", path + "/sick"}})
}

// isIn takes the answer that somebody is in; that they are not leads to the day off sick, and needs no answer here.
func (h *Handler) isIn(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	a, _, err := h.worker(r, who)
	if err != nil {
		return err
	}
	if err := h.Store.Present(r.Context(), who, a.ID); err != nil {
		return fmt.Errorf("note that somebody is in: %w", err)
	}
	if isAPI(r) {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(w, r, fmt.Sprintf("%s?team=%d&done=in", rosterPath, a.Team), http.StatusSeeOther)
	return nil
}

// nextJSON is whom the caller should call next.
type nextJSON struct {
	Referral *referralJSON `json:"referral"` // null: nobody
	Why      string        `json:"why,omitempty"`
	Room     int           `json:"first_contacts_free_today"`
}

func (h *Handler) getNext(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	n, err := h.Store.Next(r.Context(), who)
	if err != nil {
		return fmt.Errorf("look whom to call next: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	out := nextJSON{Room: n.Room}
	if n.Referral.ID != 0 {
		j := h.listed(n.Referral, who, name)
		out.Referral, out.Why = &j, n.Why.Sentence("")
	}
	return writeJSON(w, http.StatusOK, out)
}

// sharingJSON is how a team shares its work, and who carries what. The loads are told, not taken, but for what somebody speaks.
type sharingJSON struct {
	Team  staff.TeamID `json:"team"`
	Auto  bool         `json:"auto_assign"`
	Wait  int          `json:"wait_minutes"`
	Ask   *string      `json:"ask_at"` // "10:30"; null: never
	Loads []loadJSON   `json:"workers"`
}

type loadJSON struct {
	Account   staff.AccountID `json:"account"`
	Name      string          `json:"name,omitempty"`
	Speaks    []string        `json:"speaks"`
	Hands     int             `json:"in_hand"`
	Places    *int            `json:"places_left"` // null: no limit
	Room      int             `json:"first_contacts_free_today"`
	Suggested int             `json:"suggested_today"`
}

func (h *Handler) getSharing(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	team, err := h.apiTeam(r, who)
	if err != nil {
		return err
	}
	return h.writeSharing(w, r, who, team)
}

func (h *Handler) writeSharing(w http.ResponseWriter, r *http.Request, who staff.Account, team staff.Team) error {
	s, err := h.Store.Sharing(r.Context(), team.ID)
	if err != nil {
		return fmt.Errorf("read how the work is shared: %w", err)
	}
	all, err := h.Store.Loads(r.Context(), team.ID)
	if err != nil {
		return fmt.Errorf("read who carries what: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	out := sharingJSON{Team: team.ID, Auto: s.Auto, Wait: int(s.Wait / time.Minute), Loads: []loadJSON{}}
	if s.AskAt >= 0 {
		at := minuteWords(s.AskAt)
		out.Ask = &at
	}
	for _, l := range all {
		j := loadJSON{l.Account, name(l.Account), append([]string{}, l.Speaks...), l.Hands, nil, l.Room, l.Suggested}
		if l.Places >= 0 {
			j.Places = &l.Places
		}
		out.Loads = append(out.Loads, j)
	}
	return writeJSON(w, http.StatusOK, out)
}

func (h *Handler) putSharing(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	team, err := h.apiTeam(r, who)
	if err != nil {
		return err
	}
	var in sharingJSON
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	s := selfrefer.Sharing{Auto: in.Auto, Wait: time.Duration(in.Wait) * time.Minute, AskAt: -1}
	if in.Ask != nil {
		if s.AskAt, err = parseMinute(*in.Ask); err != nil {
			return invalid{{Field: "ask_at", Sentence: "ask_at must be a time of day like 10:30, or null."}}
		}
	}
	if err := s.Check(); err != nil || in.Wait > 2400 {
		return invalid{{Field: "wait_minutes", Sentence: "wait_minutes must be from 5 to 2400, and ask_at a time of day."}}
	}
	accounts, err := h.Store.Accounts(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read who works here: %w", err)
	}
	for _, l := range in.Loads {
		known := slices.ContainsFunc(accounts, func(a staff.Account) bool { return a.ID == l.Account && a.Team == team.ID && a.Role.Answers() })
		if !known || selfrefer.CheckSpoken(l.Speaks) != nil {
			return invalid{{Field: "workers", Sentence: fmt.Sprintf("Account %d is not a link worker of this team, or speaks a language that the form does not offer.", l.Account)}}
		}
	}
	if err := h.Store.SetSharing(r.Context(), who, team.ID, s); err != nil {
		return fmt.Errorf("set how the work is shared: %w", err)
	}
	for _, l := range in.Loads {
		if err := h.Store.SetSpeaks(r.Context(), who, l.Account, l.Speaks); err != nil {
			return fmt.Errorf("set languages: %w", err)
		}
	}
	return h.writeSharing(w, r, who, team)
}

// sickJSON is a day off sick, and what goes where.
type sickJSON struct {
	Account staff.AccountID `json:"account"`
	Until   *time.Time      `json:"until"` // null: not away
	Done    bool            `json:"done"`  // all is shared out
	Moves   []moveJSON      `json:"moves"` // what was moved, or would be if they are not away
}

type moveJSON struct {
	Referral  selfrefer.ReferralID `json:"referral"`
	Reference string               `json:"reference"`
	Urgent    bool                 `json:"urgent"`
	Due       time.Time            `json:"due"`
	To        *holderJSON          `json:"to"` // null: into the queue
	Stays     bool                 `json:"stays,omitempty"`
	Why       string               `json:"why,omitempty"`
}

func (h *Handler) getSick(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	a, _, err := h.sickColleague(r, who)
	if err != nil {
		return err
	}
	return h.writeSick(w, r, who, a)
}

func (h *Handler) writeSick(w http.ResponseWriter, r *http.Request, who, a staff.Account) error {
	away, err := h.Store.AwayNow(r.Context(), who, a.ID)
	if err != nil {
		return fmt.Errorf("look who is away: %w", err)
	}
	out := sickJSON{Account: a.ID, Until: instant(away.To), Done: away.ID != 0 && away.Done, Moves: []moveJSON{}}
	all := away.Moves
	if away.ID == 0 {
		if all, err = h.Store.PlanSick(r.Context(), who, a.ID, h.endOfDay(h.Now()), r.URL.Query().Get("in_support") == "true"); err != nil {
			return fmt.Errorf("plan a day off sick: %w", err)
		}
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	for _, m := range all {
		j := moveJSON{Referral: m.Referral, Reference: m.Reference, Urgent: m.Urgent, Due: m.Due.UTC(), Stays: m.Stays}
		if m.To != 0 {
			j.To = &holderJSON{m.To, name(m.To)}
		}
		if away.ID == 0 {
			j.Why = h.why(who, m, name)
		}
		out.Moves = append(out.Moves, j)
	}
	return writeJSON(w, http.StatusOK, out)
}

func (h *Handler) apiSick(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	a, _, err := h.sickColleague(r, who)
	if err != nil {
		return err
	}
	var in struct {
		Until   *time.Time `json:"until"`
		Support bool       `json:"in_support"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	until := h.endOfDay(h.Now())
	if in.Until != nil {
		var bad invalid
		if until, bad = h.checkSick(*in.Until, "until"); bad != nil {
			return bad
		}
	}
	if _, err := h.Store.Sick(r.Context(), who, a.ID, until, in.Support, nil); err != nil {
		return fmt.Errorf("note a day off sick: %w", err)
	}
	return h.writeSick(w, r, who, a)
}

func (h *Handler) apiBack(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	a, _, err := h.sickColleague(r, who)
	if err != nil {
		return err
	}
	n, err := h.Store.Back(r.Context(), who, a.ID)
	if err != nil {
		return fmt.Errorf("end a day off sick: %w", err)
	}
	return writeJSON(w, http.StatusOK, object{"account": a.ID, "returned": n})
}

// shareCalls describes the sharing of the work.
func shareCalls(d describe) object {
	text, whole, yes, at := object{"type": "string"}, object{"type": "integer"}, object{"type": "boolean"}, object{"type": "string", "format": "date-time"}
	orNull := func(kind string) object { return object{"type": []string{kind, "null"}} }
	team, account := d.param("path", "team", whole, "of a team"), d.param("path", "account", whole, "of a link worker")
	sharing := d.fields(object{"team": whole, "auto_assign": object{"type": "boolean", "description": "hand over by itself what nobody has claimed for wait_minutes of working time"},
		"wait_minutes": object{"type": "integer", "minimum": 5, "maximum": 2400}, "ask_at": object{"type": []string{"string", "null"}, "description": "when a senior is asked about somebody who has opened nothing; null: never"},
		"workers": d.list(d.fields(object{"account": whole, "name": text, "speaks": d.list(object{"type": "string", "enum": selfrefer.Spoken}), "in_hand": whole, "places_left": orNull("integer"),
			"first_contacts_free_today": whole, "suggested_today": whole}, "account", "speaks"))}, "auto_assign", "wait_minutes", "ask_at")
	sick := d.fields(object{"account": whole, "until": object{"type": []string{"string", "null"}, "format": "date-time", "description": "null: not away; then the moves are what would go where"},
		"done": yes, "moves": d.list(d.fields(object{"referral": whole, "reference": text, "urgent": yes, "due": at, "to": object{"oneOf": []any{d.holder, object{"type": "null"}}, "description": "null: back into the queue"},
			"stays": yes, "why": text}, "referral", "reference", "urgent", "due", "to"))}, "account", "until", "done", "moves")
	support := d.param("query", "in_support", yes, "people in support, too")
	start := object{"content": d.json(d.fields(object{"until": object{"type": "string", "format": "date-time", "description": "the first instant back; the end of today if it is left out"}, "in_support": yes}))}
	back := d.fields(object{"account": whole, "returned": whole}, "account", "returned")
	calls := func(path []any) object {
		return object{
			"get":    d.call("What was handed over for somebody who is off sick, or would be if they were", "The day off", sick, object{"parameters": append([]any{support}, path...)}),
			"post":   d.call("Somebody is off sick from now: a leave, and what they have in hand is shared out", "The day off", sick, object{"parameters": path, "requestBody": start}),
			"delete": d.call("They are back: the leave ends, and what nobody has opened yet returns", "How many returned", back, object{"parameters": path}),
		}
	}
	present := d.call("Somebody is in today who has opened nothing", "Noted", object{}, object{"parameters": []any{account}})
	present["responses"].(object)["204"] = object{"description": "Noted"}
	delete(present["responses"].(object), "200")
	return object{
		"/api/v1/referrals/next": object{"get": d.call("Whom the caller should call next, by what fits into their day", "The referral, as in a list, and why",
			d.fields(object{"referral": object{"oneOf": []any{d.referral, object{"type": "null"}}}, "why": text, "first_contacts_free_today": whole}, "referral", "first_contacts_free_today"), object{})},
		"/api/v1/teams/{team}/sharing": object{
			"get": d.call("How a team shares its work, and who carries what", "The settings and the loads", sharing, object{"parameters": []any{team}}),
			"put": d.call("Decide how a team shares its work, and what the workers that are named speak", "As it stands now", sharing, object{"parameters": []any{team}, "requestBody": object{"required": true, "content": d.json(sharing)}}),
		},
		"/api/v1/sick":                       calls([]any{}),
		"/api/v1/accounts/{account}/sick":    calls([]any{account}),
		"/api/v1/accounts/{account}/present": object{"post": present},
	}
}
