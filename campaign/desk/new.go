package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

const (
	// DefaultPrice of one part of a text, in hundredths of a penny: what Twilio asks in the UK. Contracts differ.
	DefaultPrice = 412
	// DefaultRate of a sender, in parts of a text per second.
	DefaultRate = 10
)

// draft is a campaign as a form or a call describes it.
type draft struct {
	List      campaign.AudienceID
	Team      staff.TeamID
	Name      string
	Text      string
	Reminder  string
	AfterDays int
	// LeastFirst: the reminder goes first to the groups that answered least.
	LeastFirst bool
	// Translations are of Text and of Reminder. Offered are the languages that a form asked about.
	Translations, ReminderTranslations map[lang.Code]campaign.Translation
	Offered                            []lang.Code
	Windows                            throttle.Week
	DailyCap                           int
	Budget                             int64 // hundredths of a penny, like Price
	Price                              int64
	Rate                               float64
	First, Last                        time.Time // beginning of the first day, end of the last
	FirstLook                          bool
	Grounds                            campaign.Grounds
}

// build checks a draft and makes the campaign of it. The complaints are in the order of the form.
func (h *Handler) build(ctx context.Context, who staff.Account, d draft) (campaign.Campaign, invalid, error) {
	var bad invalid
	c := campaign.Campaign{Name: d.Name, Audience: d.List, Team: d.Team, Steps: []campaign.Step{{Number: 1, Template: d.Text, Translations: d.Translations}}}
	c.Policy = campaign.Policy{Windows: d.Windows, DailyCap: d.DailyCap, Budget: d.Budget, Price: d.Price, Rate: d.Rate, First: d.First, Last: d.Last, FirstLook: d.FirstLook}
	c.Grounds = d.Grounds
	if d.Name == "" {
		bad = append(bad, ui.FieldError{Field: "name", Sentence: "Give the campaign a name."})
	} else if len([]rune(d.Name)) > 100 {
		bad = append(bad, ui.FieldError{Field: "name", Sentence: "The name can have at most 100 characters."})
	}
	n, err := h.cfg.Store.Network(ctx, who.Network)
	if err != nil {
		return c, nil, fmt.Errorf("read the network: %w", err)
	}
	a, err := h.cfg.Store.Audience(ctx, who.Network, d.List)
	listed := err == nil
	switch {
	case errors.Is(err, campaign.ErrNotFound):
		bad = append(bad, ui.FieldError{Field: "list", Sentence: "Choose a patient list."})
	case err != nil:
		return c, nil, fmt.Errorf("read list %d: %w", d.List, err)
	case a.State != campaign.Screened:
		bad = append(bad, ui.FieldError{Field: "list", Sentence: "This list is still being imported. Wait until it is done."})
	case a.Ledger.Invited == 0:
		bad = append(bad, ui.FieldError{Field: "list", Sentence: "Nobody in this list can be texted. Choose another one."})
	case a.CheckAge(h.cfg.Now()) != nil:
		bad = append(bad, ui.FieldError{Field: "list", Sentence: asSentence(a.CheckAge(h.cfg.Now()).Error())})
	}
	teams, err := h.cfg.Store.NetworkTeams(ctx, who.Network)
	if err != nil {
		return c, nil, fmt.Errorf("read the teams: %w", err)
	}
	if c.Team == 0 && len(teams) == 1 {
		c.Team = teams[0].ID
	}
	if !slices.ContainsFunc(teams, func(t staff.Team) bool { return t.ID == c.Team }) {
		bad = append(bad, ui.FieldError{Field: "team", Sentence: "Choose the team that will answer."})
	}
	if d.Reminder != "" {
		c.Steps = append(c.Steps, campaign.Step{Number: 2, Template: d.Reminder, AfterDays: d.AfterDays, Translations: d.ReminderTranslations, LeastFirst: d.LeastFirst})
	}
	in := campaign.Setting{Network: n, Synthetic: a.Synthetic || !listed} // without a list, only what is wrong with any
	for _, s := range c.Steps {
		for _, e := range s.Unsendable(in) {
			bad = append(bad, ui.FieldError{Field: fieldOf(e), Sentence: sentenceOf(e)})
		}
	}
	if d.Reminder != "" && (d.AfterDays < 1 || d.AfterDays > 90) {
		bad = append(bad, ui.FieldError{Field: "reminder", Sentence: "A reminder goes 1 to 90 days after the first text."})
	}
	bad = append(bad, wrongGrounds(d.Grounds)...)
	if d.Price <= 0 {
		bad = append(bad, ui.FieldError{Field: "price", Sentence: "Give the price of one part of a text, more than 0."})
	}
	if d.Rate <= 0 || d.Rate > 1000 || math.IsNaN(d.Rate) {
		bad = append(bad, ui.FieldError{Field: "rate", Sentence: "The speed must be more than 0 and at most 1,000 parts a second."})
	}
	if d.DailyCap < 0 {
		bad = append(bad, ui.FieldError{Field: "daily_cap", Sentence: "The most texts in one day cannot be less than 0."})
	}
	if d.Budget < 0 {
		bad = append(bad, ui.FieldError{Field: "budget", Sentence: "The budget cannot be less than 0."})
	}
	if !d.Last.IsZero() && !d.Last.After(h.cfg.Now()) {
		bad = append(bad, ui.FieldError{Field: "last", Sentence: "The last day for texts must not have passed."})
	}
	if !d.First.IsZero() && !d.Last.IsZero() && d.First.After(d.Last) {
		bad = append(bad, ui.FieldError{Field: "first", Sentence: "The first day for texts must not be after the last one."})
	}
	if len(bad) == 0 {
		if err := c.Check(in); err != nil {
			bad = append(bad, ui.FieldError{Sentence: asSentence(err.Error())})
		}
	}
	return c, bad, nil
}

// fieldOf is the field of the form that a text stands in.
func fieldOf(e campaign.ErrUnsendable) string {
	switch {
	case e.Step > 1:
		return "reminder"
	case e.Language != lang.English:
		return translationField(e.Language)
	}
	return "text"
}

func translationField(code lang.Code) string { return "text_" + string(code) }

// sentenceOf says which text is meant, unless it is the only one.
func sentenceOf(e campaign.ErrUnsendable) string {
	if e.Step == 1 && e.Language == lang.English {
		return asSentence(e.Why)
	}
	return asSentence(e.Error())
}

// unoffered says that the list has people whose language the manager was not asked about; "" if there are none.
func (h *Handler) unoffered(ctx context.Context, who staff.Account, d draft) (invalid, error) {
	people, err := h.cfg.Store.Speakers(ctx, who.Network, d.List)
	if errors.Is(err, campaign.ErrNotFound) {
		return nil, nil // the form says so
	}
	if err != nil {
		return nil, fmt.Errorf("read the languages of list %d: %w", d.List, err)
	}
	var names []string
	for _, l := range lang.All[1:] {
		if people[l.Code] > 0 && !slices.Contains(d.Offered, l.Code) {
			names = append(names, l.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return invalid{{Field: "translations", Sentence: "This list has people who speak " + listWords(names, "and") + ". Look at their texts, then make the campaign again."}}, nil
}

// listWords is "a, b and c", or "a, b or c".
func listWords(all []string, last string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " " + last + " " + all[len(all)-1]
}

// days of the form, by the value of the checkbox.
var dayValues = map[string]time.Weekday{"mon": time.Monday, "tue": time.Tuesday, "wed": time.Wednesday, "thu": time.Thursday, "fri": time.Friday, "sat": time.Saturday, "sun": time.Sunday}

// defaults of the form.
func formDefaults() url.Values {
	return url.Values{"text": {campaign.DefaultText}, "days": {"mon", "tue", "wed", "thu", "fri"}, "from": {"540"}, "to": {"1020"},
		"price": {plainPounds(DefaultPrice)}, "rate": {strconv.Itoa(DefaultRate)}, "first_look": {"yes"}, "after_days": {"14"},
		"purpose": {string(campaign.DefaultGrounds.Purpose)}, "basis": {string(campaign.DefaultGrounds.Basis)}}
}

// readDraft reads the form. What cannot be read is complained about; the rest is for build.
func readDraft(f url.Values) (d draft, bad invalid) {
	complain := func(field, sentence string) {
		bad = append(bad, ui.FieldError{Field: field, Sentence: sentence})
	}
	id := func(name string) int64 {
		n, _ := strconv.ParseInt(f.Get(name), 10, 64) // not a number: nothing was chosen, and build says so
		return n
	}
	d.Name, d.Text = strings.TrimSpace(f.Get("name")), typed(f.Get("text"))
	for _, l := range lang.All[1:] {
		if !slices.Contains(f["offered"], string(l.Code)) {
			continue
		}
		d.Offered = append(d.Offered, l.Code)
		if slices.Contains(f["translate"], string(l.Code)) {
			if d.Translations == nil {
				d.Translations = map[lang.Code]campaign.Translation{}
			}
			d.Translations[l.Code] = campaign.Translation{Text: typed(f.Get(translationField(l.Code))), Reviewed: f.Get("reviewed_"+string(l.Code)) != ""}
		}
	}
	if d.Reminder = typed(f.Get("reminder")); d.Reminder != "" {
		n, err := strconv.Atoi(strings.TrimSpace(f.Get("after_days")))
		if d.AfterDays = n; err != nil {
			complain("after_days", "The days until the reminder must be a whole number, such as 14.")
			d.AfterDays = 1
		}
		d.LeastFirst = f.Get("least_first") != ""
	}
	d.Grounds = campaign.Grounds{Purpose: campaign.Purpose(f.Get("purpose")), Basis: campaign.Basis(f.Get("basis")), DPIA: strings.TrimSpace(f.Get("dpia"))}
	d.FirstLook = f.Get("first_look") != ""
	date := func(name, sentence string) (day time.Time) {
		var parts [3]string
		for i, part := range []string{"-day", "-month", "-year"} {
			parts[i] = strings.TrimSpace(f.Get(name + part))
		}
		if parts == ([3]string{}) {
			return day
		}
		day, err := time.Parse("2-1-2006", strings.Join(parts[:], "-"))
		if err != nil {
			complain(name, sentence)
		}
		return day
	}
	if day := date("first", "The first day must be a date, such as 1 3 2027."); !day.IsZero() {
		d.First = startOf(day)
	}
	if day := date("last", "The last day must be a date, such as 31 3 2027."); !day.IsZero() {
		d.Last = endOf(day)
	}
	d.List, d.Team = campaign.AudienceID(id("list")), staff.TeamID(id("team"))
	from, to := int(id("from")), int(id("to"))
	if from < 0 || to > 24*60 || from >= to {
		complain("to", "The hours for texts must end after they begin.")
	}
	for _, v := range f["days"] {
		if day, ok := dayValues[v]; ok {
			d.Windows[day] = throttle.Hours{From: from, To: to}
		}
	}
	if d.Windows == (throttle.Week{}) {
		complain("days", "Choose at least one day of the week.")
	}
	money := func(name, what string) int64 {
		s := strings.TrimSpace(f.Get(name))
		if s == "" {
			return 0
		}
		n, err := parsePounds(s)
		if err != nil {
			complain(name, what+" must be an amount in pounds, such as "+map[string]string{"price": "0.0412", "budget": "2,500"}[name]+".")
			return -1
		}
		return n
	}
	if s := strings.ReplaceAll(strings.TrimSpace(f.Get("daily_cap")), ",", ""); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n <= 0 {
			complain("daily_cap", "The most texts in one day must be a whole number, such as 500.")
		}
		d.DailyCap = max(n, 0)
	}
	d.Budget, d.Price = money("budget", "The budget"), money("price", "The price")
	rate, err := strconv.ParseFloat(strings.TrimSpace(f.Get("rate")), 64)
	if err != nil {
		complain("rate", "The speed must be a number, such as 10.")
	}
	d.Rate = rate
	return d, bad
}

// startOf is the first instant of a civil day.
func startOf(day time.Time) time.Time { return throttle.Calendar{}.Midnight(day.Add(12 * time.Hour)) }

// endOf is the last second of a civil day.
func endOf(day time.Time) time.Time {
	return startOf(day).AddDate(0, 0, 1).Add(-time.Second)
}

// typed is a text as a browser posts it, with our line breaks.
func typed(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }

// parsePounds reads an amount to a hundredth of a penny, the unit of policies.
func parsePounds(s string) (int64, error) {
	m, err := text.ParseMoney(s)
	if err != nil {
		return 0, err
	}
	if m%perUnit != 0 {
		return 0, errors.New("an amount may have at most four decimals")
	}
	return int64(m / perUnit), nil
}

// merge puts the complaints of reading and of checking together, one for each field, in the order of the form.
func merge(all ...invalid) (out invalid) {
	order := slices.Concat([]string{"name", "list"}, cohortFields, groundFields, []string{"team", "text", "translations"})
	for _, l := range lang.All[1:] {
		order = append(order, translationField(l.Code))
	}
	order = append(order, "reminder", "after_days", "days", "from", "to", "windows", "daily_cap", "budget", "price", "rate", "first", "last", "first_look", "")
	for _, field := range order {
		for _, bad := range all {
			if i := slices.IndexFunc(bad, func(e ui.FieldError) bool { return e.Field == field }); i >= 0 {
				out = append(out, bad[i])
				break
			}
		}
	}
	return out
}

// formOf fills the form from an earlier campaign. Hours that differ from day to day do not fit it: they become the earliest and latest.
func formOf(c campaign.Campaign) url.Values {
	f := formDefaults()
	f.Set("name", c.Name)
	f.Set("list", strconv.FormatInt(int64(c.Audience), 10))
	f.Set("team", strconv.FormatInt(int64(c.Team), 10))
	f.Set("text", c.Steps[0].Template)
	for code, tr := range c.Steps[0].Translations { // one that was left out then is offered again: the list may be another
		f.Add("offered", string(code))
		f.Add("translate", string(code))
		f.Set(translationField(code), tr.Text)
		if tr.Reviewed {
			f.Set("reviewed_"+string(code), "yes")
		}
	}
	if len(c.Steps) > 1 {
		f.Set("reminder", c.Steps[1].Template)
		f.Set("after_days", strconv.Itoa(c.Steps[1].AfterDays))
		if c.Steps[1].LeastFirst {
			f.Set("least_first", "yes")
		}
	}
	for name, at := range map[string]time.Time{"first": c.Policy.First, "last": c.Policy.Last} {
		if at.IsZero() {
			continue
		}
		day := throttle.Calendar{}.Midnight(at)
		f.Set(name+"-day", strconv.Itoa(day.Day()))
		f.Set(name+"-month", strconv.Itoa(int(day.Month())))
		f.Set(name+"-year", strconv.Itoa(day.Year()))
	}
	if g := c.Grounds; g != (campaign.Grounds{}) {
		f.Set("purpose", string(g.Purpose))
		f.Set("basis", string(g.Basis))
		f.Set("dpia", g.DPIA)
	}
	if !c.Policy.FirstLook {
		f.Del("first_look")
	}
	f.Set("price", plainPounds(c.Policy.Price))
	f.Set("rate", strconv.FormatFloat(c.Policy.Rate, 'f', -1, 64))
	if c.Policy.DailyCap > 0 {
		f.Set("daily_cap", strconv.Itoa(c.Policy.DailyCap))
	}
	if c.Policy.Budget > 0 {
		f.Set("budget", plainPounds(c.Policy.Budget))
	}
	if c.Policy.Windows != (throttle.Week{}) {
		from, to := 24*60, 0
		f.Del("days")
		for v, day := range dayValues {
			if o := c.Policy.Windows[day]; o.From < o.To {
				f.Add("days", v)
				from, to = min(from, o.From), max(to, o.To)
			}
		}
		f.Set("from", strconv.Itoa(from))
		f.Set("to", strconv.Itoa(to))
	}
	return f
}

// amount is pounds in a call: "0.0412" or 0.0412, kept in hundredths of a penny.
type amount int64

// UnmarshalJSON reads a string or a number.
func (a *amount) UnmarshalJSON(b []byte) error {
	n, err := parsePounds(strings.Trim(string(b), `"`))
	if err != nil {
		return invalid{{Sentence: "Amounts are in pounds with at most four decimals, such as \"0.0412\"."}}
	}
	*a = amount(n)
	return nil
}

// MarshalJSON writes pounds as a string.
func (a amount) MarshalJSON() ([]byte, error) { return json.Marshal(plainPounds(int64(a))) }

// hours of one weekday in a call: ["09:00", "17:00"].
type hours [2]string

// draftCall is a campaign as the API describes it.
type draftCall struct {
	List campaign.AudienceID `json:"list"`
	Team staff.TeamID        `json:"team"`
	Name string              `json:"name"`
	Text string              `json:"text"`
	// Translations are by language code. Whoever speaks none of them gets Text.
	Translations map[lang.Code]campaign.Translation `json:"translations,omitempty"`
	Reminder     *reminderJSON                      `json:"reminder,omitempty"`
	Windows      map[string]hours                   `json:"windows,omitempty"`
	DailyCap     int                                `json:"daily_cap,omitempty"`
	Budget       amount                             `json:"budget,omitempty"`
	Price        *amount                            `json:"price,omitempty"`
	Rate         *float64                           `json:"rate,omitempty"`
	First        string                             `json:"first,omitempty"` // 2026-06-01
	Last         string                             `json:"last,omitempty"`  // 2026-06-30, inclusive
	FirstLook    *bool                              `json:"first_look,omitempty"`
}

type reminderJSON struct {
	Text         string                             `json:"text"`
	Translations map[lang.Code]campaign.Translation `json:"translations,omitempty"`
	AfterDays    int                                `json:"after_days"`
	LeastFirst   bool                               `json:"least_first,omitempty"`
}

// trimmed takes the spaces around translations away, as of all texts.
func trimmed(all map[lang.Code]campaign.Translation) map[lang.Code]campaign.Translation {
	for code, tr := range all {
		tr.Text = typed(tr.Text)
		all[code] = tr
	}
	return all
}

func (h *Handler) draftOf(call draftCall) (d draft, bad invalid) {
	d = draft{List: call.List, Team: call.Team, Name: strings.TrimSpace(call.Name), Text: typed(call.Text), Translations: trimmed(call.Translations), DailyCap: call.DailyCap,
		Budget: int64(call.Budget), Price: DefaultPrice, Rate: DefaultRate, Windows: officeHours, FirstLook: call.FirstLook == nil || *call.FirstLook}
	if call.Price != nil {
		d.Price = int64(*call.Price)
	}
	if call.Rate != nil {
		d.Rate = *call.Rate
	}
	if call.Reminder != nil {
		d.Reminder, d.ReminderTranslations, d.AfterDays = typed(call.Reminder.Text), trimmed(call.Reminder.Translations), call.Reminder.AfterDays
		d.LeastFirst = call.Reminder.LeastFirst
	}
	if call.First != "" {
		day, err := time.ParseInLocation(time.DateOnly, call.First, h.zone)
		if err != nil {
			bad = append(bad, ui.FieldError{Field: "first", Sentence: "The first day must be a date like 2026-06-01."})
		}
		d.First = day
	}
	if call.Last != "" {
		day, err := time.ParseInLocation(time.DateOnly, call.Last, h.zone)
		if err != nil {
			bad = append(bad, ui.FieldError{Field: "last", Sentence: "The last day must be a date like 2026-06-30."})
		}
		d.Last = day.AddDate(0, 0, 1).Add(-time.Second)
	}
	if call.Windows != nil {
		d.Windows = throttle.Week{}
		for name, h := range call.Windows {
			i := slices.IndexFunc(weekdays, func(day time.Weekday) bool { return strings.EqualFold(day.String(), name) })
			from, err1 := minutesOf(h[0])
			to, err2 := minutesOf(h[1])
			if i < 0 || err1 != nil || err2 != nil || from >= to {
				bad = append(bad, ui.FieldError{Field: "windows", Sentence: `Windows are hours by weekday, such as {"monday": ["09:00", "17:00"]}.`})
				continue
			}
			d.Windows[weekdays[i]] = throttle.Hours{From: from, To: to}
		}
		if d.Windows == (throttle.Week{}) && len(bad) == 0 {
			bad = append(bad, ui.FieldError{Field: "windows", Sentence: "Name at least one day for texts."})
		}
	}
	return d, bad
}

// minutesOf reads "09:00"; "24:00" is the end of the day.
func minutesOf(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err
}

func (h *Handler) apiCreate(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.EditCampaign, "campaigns")
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	var call draftCall
	if err := readJSON(w, r, &call, false); err != nil {
		h.apiError(ctx, w, err)
		return
	}
	d, unread := h.draftOf(call)
	c, bad, err := h.build(ctx, who, d)
	if err == nil {
		if bad = merge(unread, bad); len(bad) > 0 {
			err = bad
		} else {
			c, err = h.cfg.Store.CreateCampaign(ctx, who, c)
		}
	}
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	w.Header().Set("Location", fmt.Sprintf("/api/v1/campaigns/%d", c.ID))
	writeJSON(w, http.StatusCreated, campaignJSON(c))
}
