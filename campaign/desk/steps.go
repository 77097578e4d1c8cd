package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

// partPage is one of the steps in which a campaign is made: its address, its title, what it saves, and the fields that it asks.
type partPage struct {
	name, title string
	part        campaign.Parts // 0: it saves nothing
	fields      []string
	take        func(to *campaign.Campaign, from campaign.Campaign) // what this step decides, from the whole form to the draft
}

// partPages are the six steps, in their order.
var partPages = []partPage{
	{"who", "Who gets the text", campaign.PartWho, slices.Concat([]string{"name", "list", "made"}, cohortFields, groundFields), takeWho},
	{"what", "What it says", campaign.PartWhat, []string{"text", "translations", "reminder", "after_days", "least_first"}, takeSteps},
	{"when", "When it goes", campaign.PartWhen, []string{"days", "from", "to", "windows", "first", "last", "daily_cap", "budget", "price", "rate", "first_look"}, takePolicy},
	{"team", "Who answers", campaign.PartTeam, []string{"team"}, func(to *campaign.Campaign, from campaign.Campaign) { to.Team = from.Team }},
	{"forecast", "How it will go", campaign.PartForecast, nil, func(*campaign.Campaign, campaign.Campaign) {}},
	{"check", "Check and send for approval", 0, nil, nil},
}

// takeWho keeps the grounds of a form that does not ask for them.
func takeWho(to *campaign.Campaign, from campaign.Campaign) {
	to.Name, to.Audience = from.Name, from.Audience
	if from.Grounds != (campaign.Grounds{}) {
		to.Grounds = from.Grounds
	}
}

// takeSteps keeps a reminder's translations, which no page asks about, for as long as its English text stays as it is.
func takeSteps(to *campaign.Campaign, from campaign.Campaign) {
	steps := slices.Clone(from.Steps)
	if len(to.Steps) > 1 && len(steps) > 1 && to.Steps[1].Template == steps[1].Template {
		steps[1].Translations = to.Steps[1].Translations
	}
	to.Steps = steps
}

// takePolicy leaves what no page asks about.
func takePolicy(to *campaign.Campaign, from campaign.Campaign) {
	p := from.Policy
	p.MinBatch, p.MaxListAge, p.Blast = to.Policy.MinBatch, to.Policy.MaxListAge, to.Policy.Blast
	to.Policy = p
}

func partOf(name string) (int, partPage) {
	i := slices.IndexFunc(partPages, func(p partPage) bool { return p.name == name })
	return i, partPages[i]
}

func stepPath(id campaign.ID, name string) string {
	return fmt.Sprintf("/desk/campaigns/%d/steps/%s", id, name)
}

// progressItem is one line of the list of steps.
type progressItem struct {
	Number     int
	Title, URL string // no URL: it cannot be gone to yet
	Here       bool
	State      ui.Tag
}

// stepData is the page of one step.
type stepData struct {
	ID           campaign.ID
	Number       int
	Name, Action string
	From, Hash   string // hidden: the campaign that a new one starts from; what was seen of the draft
	Progress     []progressItem
	Next         string // the button

	// who
	ListName, List       ui.Field
	HasList              bool
	Chosen               *chosen // nil: no list yet
	Making               *making // nil: no list is being made
	Purpose, Basis, DPIA ui.Field
	// what
	Text, Reminder, AfterDays, LeastFirst ui.Field
	Preview                               *preview
	Phone, Language, Step                 ui.Field
	// when
	Days, Starts, Ends, First, Last, DailyCap, Budget, Price, Rate, FirstLook ui.Field
	Holidays, ListAge                                                         string
	// team
	Team  ui.Field
	Teams ui.Table
	// forecast
	Forecast *forecastData
	// check
	Check   *askData
	Missing []progressItem
	Submit  string // where the button sends it; "" if this person may not
}

// progress tells of each step whether it is saved, and what is wrong with it.
func (h *Handler) progress(c campaign.Campaign, here int, wrong map[string]string) (all []progressItem) {
	for i, p := range partPages {
		item := progressItem{Number: i + 1, Title: p.title, Here: i == here}
		if c.ID != 0 {
			item.URL = stepPath(c.ID, p.name)
		}
		switch {
		case p.part == 0:
			item.State = ui.Tag{Text: "Last step", Colour: "grey"}
		case wrong[p.name] != "":
			item.State = ui.Tag{Text: "Needs a change", Colour: "red"}
		case c.Parts.Has(p.part) && c.ID != 0:
			item.State = ui.Tag{Text: "Done", Colour: "green"}
		default:
			item.State = ui.Tag{Text: "Not yet", Colour: "grey"}
		}
		all = append(all, item)
	}
	return all
}

// wrongParts checks a draft as it is saved: what was right when it was saved may be wrong with another list or another sender.
func (h *Handler) wrongParts(ctx context.Context, who staff.Account, c campaign.Campaign) (map[string]string, error) {
	_, bad, err := h.build(ctx, who, draftFrom(c))
	if err != nil {
		return nil, err
	}
	wrong := map[string]string{}
	for _, e := range bad {
		for _, p := range partPages {
			if wrong[p.name] == "" && p.asks(e.Field) {
				wrong[p.name] = e.Sentence
			}
		}
	}
	return wrong, nil
}

// asks tells whether a complaint belongs to a step.
func (p partPage) asks(field string) bool {
	return slices.Contains(p.fields, field) || p.name == "what" && (strings.HasPrefix(field, "text_") || field == "")
}

// draftFrom is a saved campaign as a form would describe it.
func draftFrom(c campaign.Campaign) draft {
	d := draft{List: c.Audience, Team: c.Team, Name: c.Name, Windows: c.Policy.Windows, DailyCap: c.Policy.DailyCap, Budget: c.Policy.Budget, Price: c.Policy.Price, Rate: c.Policy.Rate,
		First: c.Policy.First, Last: c.Policy.Last, FirstLook: c.Policy.FirstLook, Grounds: c.Grounds}
	if len(c.Steps) > 0 {
		d.Text, d.Translations = c.Steps[0].Template, c.Steps[0].Translations
	}
	if len(c.Steps) > 1 {
		d.Reminder, d.ReminderTranslations, d.AfterDays, d.LeastFirst = c.Steps[1].Template, c.Steps[1].Translations, c.Steps[1].AfterDays, c.Steps[1].LeastFirst
	}
	return d
}

// newPage is the first step of a campaign that does not exist yet. Nothing is kept before it is posted.
func (h *Handler) newPage(w http.ResponseWriter, r *http.Request) {
	f := formDefaults()
	f.Set("list", r.URL.Query().Get("list"))
	if from := r.URL.Query().Get("from"); from != "" {
		earlier, err := h.earlier(r, from)
		if err != nil {
			h.pageError(w, r, err)
			return
		}
		f = formOf(earlier)
		f.Set("started_from", from)
	}
	h.showStep(w, r, http.StatusOK, "who", campaign.Campaign{}, f, nil)
}

// earlier is the campaign that a new one starts from.
func (h *Handler) earlier(r *http.Request, from string) (campaign.Campaign, error) {
	who, err := h.may(r.Context(), staff.EditCampaign, "campaigns")
	if err != nil {
		return campaign.Campaign{}, err
	}
	id, err := strconv.ParseInt(from, 10, 64)
	if err != nil {
		return campaign.Campaign{}, campaign.ErrNotFound
	}
	v, err := h.cfg.Store.View(r.Context(), who.Network, campaign.ID(id))
	return v.Campaign, err
}

// createPage makes the draft of its first step. What the other steps will ask has what is usual, or what the earlier campaign had.
func (h *Handler) createPage(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.EditCampaign, "campaigns")
	if err == nil {
		err = readForm(w, r)
	}
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	d, _ := readDraft(formDefaults())
	c := campaign.Campaign{}
	if from := r.PostForm.Get("started_from"); from != "" {
		if c, err = h.earlier(r, from); err != nil {
			h.pageError(w, r, err)
			return
		}
		d = draftFrom(c)
		if !d.Last.IsZero() && !d.Last.After(h.cfg.Now()) {
			d.Last = time.Time{}
		}
		if !d.First.After(h.cfg.Now()) {
			d.First = time.Time{}
		}
	}
	if h.lookAtList(w, r, campaign.Campaign{}, r.PostForm) {
		return
	}
	teams, err := h.cfg.Store.NetworkTeams(ctx, who.Network)
	if err != nil {
		h.pageError(w, r, fmt.Errorf("read the teams: %w", err))
		return
	}
	if d.Team == 0 && len(teams) > 0 { // until the fourth step, which nobody can leave out
		d.Team = teams[0].ID
	}
	_, p := partOf("who")
	made := campaign.Campaign{}
	for again := range 2 { // the second time with the list that is made of the first one's, if only some of its people are wanted
		typed, _ := readDraft(r.PostForm)
		d.Name, d.List, d.Grounds = typed.Name, typed.List, typed.Grounds
		if d.Grounds == (campaign.Grounds{}) {
			d.Grounds = c.Grounds
		}
		var bad invalid
		if made, bad, err = h.build(ctx, who, d); err != nil {
			h.pageError(w, r, err)
			return
		}
		bad = slices.DeleteFunc(bad, func(e ui.FieldError) bool { return !p.asks(e.Field) })
		if len(teams) == 0 {
			bad = append(bad, ui.FieldError{Sentence: "There is no team yet that could answer. Ask an administrator to make one."})
		}
		if len(bad) > 0 {
			h.showStep(w, r, http.StatusUnprocessableEntity, "who", campaign.Campaign{}, r.PostForm, merge(bad))
			return
		}
		if again == 0 && !h.narrowed(w, r, who, campaign.Campaign{}, r.PostForm) {
			return
		}
	}
	made.Parts = campaign.PartWho
	if c, err = h.cfg.Store.CreateCampaign(ctx, who, made); err != nil {
		h.pageError(w, r, err)
		return
	}
	h.onwards(w, r, c.ID, "who")
}

// onwards leads from a step that is saved to where its button says.
func (h *Handler) onwards(w http.ResponseWriter, r *http.Request, id campaign.ID, name string) {
	i, _ := partOf(name)
	switch then := r.PostForm.Get("then"); {
	case then == "leave":
		seeOther(w, r, "/desk/campaigns/%d", id)
	case then == "back" && i > 0:
		seeOther(w, r, "%s", stepPath(id, partPages[i-1].name))
	default:
		seeOther(w, r, "%s", stepPath(id, partPages[i+1].name))
	}
}

// draftOfPath is the draft that a request is about. One that is no draft any more is shown on its page, but not changed.
func (h *Handler) draftOfPath(r *http.Request) (staff.Account, campaign.Campaign, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return staff.Account{}, campaign.Campaign{}, err
	}
	who, err := h.may(r.Context(), staff.EditCampaign, fmt.Sprintf("campaign %d", id))
	if err != nil {
		return who, campaign.Campaign{}, err
	}
	v, err := h.cfg.Store.View(r.Context(), who.Network, campaign.ID(id))
	if err != nil {
		return who, v.Campaign, fmt.Errorf("read campaign %d: %w", id, err)
	}
	if v.State != campaign.Draft {
		return who, v.Campaign, campaign.ErrNotNow
	}
	return who, v.Campaign, nil
}

func (h *Handler) stepPage(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, c, err := h.draftOfPath(r)
		if errors.Is(err, campaign.ErrNotNow) {
			seeOther(w, r, "/desk/campaigns/%d", c.ID)
			return
		}
		if err != nil {
			h.pageError(w, r, err)
			return
		}
		f := formOf(c)
		f.Set("person", r.URL.Query().Get("person"))
		if name == "what" && c.Parts.Has(campaign.PartWhat) { // a language that was left out stays out
			f.Del("offered")
			for _, l := range lang.All[1:] {
				f.Add("offered", string(l.Code))
			}
		}
		h.showStep(w, r, http.StatusOK, name, c, f, nil)
	}
}

// whole is the form of all steps: what is saved, with what this step's page has posted.
func whole(c campaign.Campaign, name string, posted url.Values) url.Values {
	f := formOf(c)
	_, p := partOf(name)
	fields := slices.Clone(p.fields)
	if name == "when" {
		fields = append(fields, "first-day", "first-month", "first-year", "last-day", "last-month", "last-year")
	}
	if name == "what" {
		fields = append(fields, "offered", "translate", "person")
		for _, l := range lang.All[1:] {
			fields = append(fields, translationField(l.Code), "reviewed_"+string(l.Code))
		}
	}
	for _, field := range fields {
		if f.Del(field); len(posted[field]) > 0 {
			f[field] = posted[field]
		}
	}
	return f
}

// saveStep saves one step and goes on to the next.
func (h *Handler) saveStep(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if c, ok := h.saved(w, r, name); ok {
			h.onwards(w, r, c.ID, name)
		}
	}
}

// saved saves what a step's page has posted; if it cannot, it answers.
func (h *Handler) saved(w http.ResponseWriter, r *http.Request, name string) (c campaign.Campaign, ok bool) {
	ctx := r.Context()
	who, c, err := h.draftOfPath(r)
	if err == nil {
		err = readForm(w, r)
	}
	if err != nil {
		h.moved(w, r, c.ID, err)
		return c, false
	}
	_, p := partOf(name)
	f := whole(c, name, r.PostForm)
	if name == "who" && h.lookAtList(w, r, c, f) {
		return c, false
	}
	from, bad, err := h.readStep(ctx, who, c, name, f)
	if err == nil && len(bad) == 0 && name == "who" {
		if !h.narrowed(w, r, who, c, f) {
			return c, false
		}
		from, bad, err = h.readStep(ctx, who, c, name, f) // with another list, perhaps
	}
	if err != nil {
		h.pageError(w, r, err)
		return c, false
	}
	if len(bad) > 0 {
		h.showStep(w, r, http.StatusUnprocessableEntity, name, c, f, bad)
		return c, false
	}
	next := c
	p.take(&next, from)
	before := c
	before.Grounds = next.Grounds     // nobody answers more or less for them
	if next.Hash() != before.Hash() { // what was forecast was another campaign
		next.Parts &^= campaign.PartForecast
	}
	if next.Audience != c.Audience { // the new list may have other languages
		next.Parts &^= campaign.PartWhat
	}
	next.Parts |= p.part
	saved, err := h.cfg.Store.SaveCampaign(ctx, who, next, r.PostForm.Get("hash"))
	if errors.Is(err, campaign.ErrConflict) { // nothing that was typed is lost, and the next press saves it
		h.showStep(w, r, http.StatusConflict, name, c, f, invalid{{Sentence: "Somebody else has changed this campaign meanwhile. This page still shows what you typed. Save it again if it shall stand."}})
		return c, false
	}
	if err != nil {
		h.pageError(w, r, err)
		return c, false
	}
	return saved, true
}

// readStep makes a campaign of a form, and finds what is wrong with one step of it.
func (h *Handler) readStep(ctx context.Context, who staff.Account, c campaign.Campaign, name string, f url.Values) (from campaign.Campaign, bad invalid, err error) {
	_, p := partOf(name)
	d, unread := readDraft(f)
	if name != "when" {
		d.Windows = c.Policy.Windows // hours that differ from day to day do not fit the form
	}
	if from, bad, err = h.build(ctx, who, d); err != nil {
		return from, nil, err
	}
	var unasked invalid
	if name == "what" {
		if unasked, err = h.unoffered(ctx, who, d); err != nil {
			return from, nil, err
		}
	}
	return from, slices.DeleteFunc(merge(unread, bad, unasked), func(e ui.FieldError) bool { return !p.asks(e.Field) }), nil
}

// previewPage is the page of the text again, as people will see it. It changes nothing.
func (h *Handler) previewPage(w http.ResponseWriter, r *http.Request) {
	_, c, err := h.draftOfPath(r)
	if err == nil {
		err = readForm(w, r)
	}
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	h.showStep(w, r, http.StatusOK, "what", c, whole(c, "what", r.PostForm), nil)
}

// testPage saves the text and sends it to whoever asks for it.
func (h *Handler) testPage(w http.ResponseWriter, r *http.Request) {
	c, ok := h.saved(w, r, "what")
	if !ok {
		return
	}
	who := staff.From(r.Context())
	step, _ := strconv.Atoi(r.PostForm.Get("step"))
	err := h.sendTest(r.Context(), who, c.ID, max(step, 1), lang.Code(r.PostForm.Get("language")), r.PostForm.Get("phone"))
	var bad invalid
	switch {
	case err == nil:
		seeOther(w, r, "%s?done=test#test", stepPath(c.ID, "what"))
		return
	case errors.As(err, &bad):
	default:
		status, _, sentence := classify(err)
		if status >= http.StatusInternalServerError || status == http.StatusNotFound {
			h.pageError(w, r, err)
			return
		}
		bad = invalid{{Field: "phone", Sentence: sentence}}
	}
	f := whole(c, "what", r.PostForm)
	f.Set("phone", r.PostForm.Get("phone"))
	f.Set("step", r.PostForm.Get("step"))
	f.Set("language", r.PostForm.Get("language"))
	h.showStep(w, r, http.StatusUnprocessableEntity, "what", c, f, bad)
}

func (h *Handler) sendTest(ctx context.Context, who staff.Account, id campaign.ID, step int, code lang.Code, phone string) error {
	to, err := person.ParseMobile(phone)
	if err != nil {
		return invalid{{Field: "phone", Sentence: "Type your own mobile number, such as 07700 900123."}}
	}
	if code == "" {
		code = lang.English
	}
	return h.cfg.Store.SendTest(ctx, who, id, step, code, to)
}

func (h *Handler) apiTest(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	var call struct {
		To       string    `json:"to"`
		Step     int       `json:"step"`
		Language lang.Code `json:"language"`
	}
	id, err := pathID(r, "id")
	who := staff.From(ctx)
	if err == nil {
		_, err = h.cfg.Store.View(ctx, who.Network, campaign.ID(id)) // another network's does not exist, whatever the number
	}
	if err == nil {
		err = readJSON(w, r, &call, false)
	}
	if err == nil {
		err = h.sendTest(ctx, who, campaign.ID(id), max(call.Step, 1), call.Language, call.To)
	}
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	h.apiMoved(w, r)
}

// apiSave writes a draft anew, as a call describes it.
func (h *Handler) apiSave(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, c, err := h.draftOfPath(r)
	var call draftCall
	if err == nil {
		err = readJSON(w, r, &call, false)
	}
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	d, unread := h.draftOf(call)
	from, bad, err := h.build(ctx, who, d)
	if err == nil {
		if bad = merge(unread, bad); len(bad) > 0 {
			err = bad
		}
	}
	if err == nil {
		c.Name, c.Audience, c.Team, c.Steps, c.Parts = from.Name, from.Audience, from.Team, from.Steps, campaign.AllParts
		takePolicy(&c, from)
		c, err = h.cfg.Store.SaveCampaign(ctx, who, c, "")
	}
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	writeJSON(w, http.StatusOK, campaignJSON(c))
}

// showStep draws a step's page from its form.
func (h *Handler) showStep(w http.ResponseWriter, r *http.Request, status int, name string, c campaign.Campaign, f url.Values, bad invalid) {
	ctx := r.Context()
	who, err := h.may(ctx, staff.EditCampaign, "campaigns")
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	i, p := partOf(name)
	wrong := map[string]string{}
	if c.ID != 0 {
		if wrong, err = h.wrongParts(ctx, who, c); err != nil {
			h.pageError(w, r, err)
			return
		}
	}
	d := &stepData{ID: c.ID, Number: i + 1, Name: name, Action: "/desk/campaigns", From: f.Get("started_from"), Next: "Save and go on", Progress: h.progress(c, i, wrong)}
	if c.ID != 0 {
		d.Action, d.Hash = stepPath(c.ID, name), c.Hash()
	}
	if len(bad) == 0 && wrong[name] != "" && status == http.StatusOK && c.Parts.Has(p.part) {
		bad = append(bad, ui.FieldError{Sentence: wrong[name]})
	}
	if name == "who" {
		if d.Making, err = h.makingOf(ctx, who, f); err != nil {
			h.pageError(w, r, err)
			return
		}
	}
	fill := map[string]func(context.Context, staff.Account, campaign.Campaign, url.Values, invalid, *stepData) error{
		"who": h.fillWho, "what": h.fillWhat, "when": h.fillWhen, "team": h.fillTeam, "forecast": h.fillForecast, "check": h.fillCheck}[name]
	if err := fill(ctx, who, c, f, bad, d); err != nil {
		h.pageError(w, r, err)
		return
	}
	page, err := h.page(ctx, r, who, p.title, d)
	page.Errors = bad
	page.Breadcrumbs = []ui.NavItem{{Text: "Campaigns", Href: "/desk/campaigns"}}
	if p.part == 0 { // the others save before they go back
		page.Back = stepPath(c.ID, partPages[i-1].name)
	}
	if r.URL.Query().Get("done") == "test" && len(bad) == 0 {
		page.Notice = "Saved. The test text is on its way to the number that you typed. If it has not come within 15 minutes, it will not."
	}
	h.show(w, r, status, "campaign-step", page, err)
}

func (h *Handler) fillWhat(ctx context.Context, who staff.Account, c campaign.Campaign, f url.Values, bad invalid, d *stepData) error {
	d.Text = ui.Field{Kind: ui.Textarea, Name: "text", Label: "Text message", Rows: 8, Value: f.Get("text"),
		Hint: "You can use ((first_name)), ((practice)), ((network)) and ((phone)). The text needs ((link)) to answer and ((stop_link)) to say no."}
	d.Reminder = ui.Field{Kind: ui.Textarea, Name: "reminder", Label: "Reminder (optional)", Rows: 5, Value: f.Get("reminder"),
		Hint: "One more text, to people who have had the first and have neither answered nor said no. It is in English, and needs ((link)) and ((stop_link)) too."}
	d.AfterDays = ui.Field{Name: "after_days", Label: "Days from the first text to the reminder", Width: 3, Inputmode: "numeric", Value: f.Get("after_days")}
	d.LeastFirst = ui.Field{Kind: ui.Checkboxes, Name: "least_first", Label: "The order of the reminders", Values: f["least_first"], Small: true,
		Options: []ui.Option{{Value: "yes", Label: "Groups that have answered least get theirs first", Hint: "By practice and age, as they have answered when the reminders begin. If you leave it out, the order is that of the first texts."}}}
	form, _ := readDraft(f)
	var err error
	if d.Preview, err = h.preview(ctx, who, c, form, f, bad); err != nil {
		return err
	}
	d.Phone = ui.Field{Name: "phone", Label: "Your own mobile number", Type: "tel", Inputmode: "tel", Width: 20, Value: f.Get("phone"),
		Hint: "You get this text now, marked TEST, with a made-up name and a link that leads nowhere. At most five an hour. It costs the campaign as much as any text. The number is not kept."}
	d.Language = ui.Field{Kind: ui.Select, Name: "language", Label: "Language of the test text", Value: f.Get("language"), Options: []ui.Option{{Value: "en", Label: "English"}}}
	for _, t := range d.Preview.Languages {
		if t.Ticked {
			d.Language.Options = append(d.Language.Options, ui.Option{Value: string(t.Code), Label: t.Name})
		}
	}
	d.Step = ui.Field{Kind: ui.Select, Name: "step", Label: "Which text", Value: f.Get("step"), Options: []ui.Option{{Value: "1", Label: "The first text"}}}
	if f.Get("reminder") != "" || len(c.Steps) > 1 {
		d.Step.Options = append(d.Step.Options, ui.Option{Value: "2", Label: "The reminder"})
	}
	return nil
}

// holidaysShown is how many of the coming bank holidays the third step names.
const holidaysShown = 3

func (h *Handler) fillWhen(ctx context.Context, who staff.Account, c campaign.Campaign, f url.Values, _ invalid, d *stepData) error {
	snap, err := h.cfg.Store.Snapshot(ctx, c.Team)
	if err != nil {
		return fmt.Errorf("read the calendar of team %d: %w", c.Team, err)
	}
	a, err := h.cfg.Store.Audience(ctx, who.Network, c.Audience)
	if err != nil {
		return fmt.Errorf("read list %d: %w", c.Audience, err)
	}
	d.ListAge = h.ageWords(a)
	var closed []string
	for _, day := range snap.Policy.Calendar.NextHolidays(h.cfg.Now(), holidaysShown) {
		closed = append(closed, h.day(day))
	}
	if len(closed) > 0 {
		d.Holidays = "No text goes on bank holidays, and nobody is promised a call on one. The next are " + listWords(closed, "and") + "."
	}
	d.Days = ui.Field{Kind: ui.Checkboxes, Name: "days", Label: "Days for texts", Values: f["days"], Small: true, Inline: true}
	d.First = ui.Field{Kind: ui.Date, Name: "first", Label: "First day for texts (optional)", Values: []string{f.Get("first-day"), f.Get("first-month"), f.Get("first-year")},
		Hint: "For example, 1 3 2027. If you leave it empty, texts begin in the first of these hours after the launch."}
	d.Starts = ui.Field{Kind: ui.Select, Name: "from", Label: "From", Value: f.Get("from")}
	d.Ends = ui.Field{Kind: ui.Select, Name: "to", Label: "Until", Value: f.Get("to")}
	d.Last = ui.Field{Kind: ui.Date, Name: "last", Label: "Last day for texts (optional)", Values: []string{f.Get("last-day"), f.Get("last-month"), f.Get("last-year")}, Hint: "For example, 31 3 2027. Whoever has had no text by then gets none."}
	d.DailyCap = ui.Field{Name: "daily_cap", Label: "Most texts in one day (optional)", Width: 10, Inputmode: "numeric", Value: f.Get("daily_cap"), Hint: "If you leave it empty, only the team's time limits the texts."}
	d.Budget = ui.Field{Name: "budget", Label: "Most that the texts may cost (optional)", Width: 10, Prefix: "£", Inputmode: "decimal", Value: f.Get("budget"), Hint: "Sending stops before it costs more."}
	d.Price = ui.Field{Name: "price", Label: "Price of one part of a text", Width: 10, Prefix: "£", Inputmode: "decimal", Value: f.Get("price"), Hint: "A long text travels in several parts, and each is paid for. See your contract."}
	d.Rate = ui.Field{Name: "rate", Label: "Speed of the sender", Width: 5, Suffix: "parts a second", Inputmode: "decimal", Value: f.Get("rate"), Hint: "What the provider allows for your sender. If you do not know, leave it."}
	d.FirstLook = ui.Field{Kind: ui.Checkboxes, Name: "first_look", Label: "The first texts", Values: f["first_look"], Small: true,
		Options: []ui.Option{{Value: "yes", Label: fmt.Sprintf("Pause after the first %d texts, so that somebody looks at them", campaign.FirstBatch), Hint: "A wrong text then reaches 20 people, not thousands. Lists of up to 20 people are never paused."}}}
	for _, day := range weekdays {
		d.Days.Options = append(d.Days.Options, ui.Option{Value: strings.ToLower(day.String()[:3]), Label: day.String()})
	}
	for m := 7 * 60; m <= 21*60; m += 30 {
		o := ui.Option{Value: strconv.Itoa(m), Label: clockOf(m)}
		d.Starts.Options, d.Ends.Options = append(d.Starts.Options, o), append(d.Ends.Options, o)
	}
	return nil
}

// weeksAhead is over how many weeks a team's first contacts are added up.
const weeksAhead = 4

func (h *Handler) fillTeam(ctx context.Context, who staff.Account, c campaign.Campaign, f url.Values, _ invalid, d *stepData) error {
	teams, err := h.cfg.Store.NetworkTeams(ctx, who.Network)
	if err != nil {
		return fmt.Errorf("read the teams: %w", err)
	}
	d.Team = ui.Field{Kind: ui.Radios, Name: "team", Label: "Team that will answer", Value: f.Get("team"), Hint: "Texts go out as fast as this team can call people back, and no faster."}
	if !c.Parts.Has(campaign.PartTeam) && len(teams) > 1 && f.Get("team") == strconv.FormatInt(int64(c.Team), 10) {
		d.Team.Value = "" // nobody has chosen yet
	}
	d.Teams = ui.Table{Caption: "What each team can do", RowHeaders: true, Stacked: true,
		Head: []ui.Cell{{Text: "Team"}, {Text: "Promises a first call within"}, {Text: "People who answer", Numeric: true}, {Text: fmt.Sprintf("First calls in %d weeks", weeksAhead), Numeric: true}, {Text: "Waiting now", Numeric: true}}}
	now := h.cfg.Now()
	for _, t := range teams {
		snap, err := h.cfg.Store.Snapshot(ctx, t.ID)
		if err != nil {
			return fmt.Errorf("read what team %d can do: %w", t.ID, err)
		}
		promise := count(t.PromiseDays, "working day", "working days")
		d.Team.Options = append(d.Team.Options, ui.Option{Value: strconv.FormatInt(int64(t.ID), 10), Label: t.Name, Hint: "Promises a first call within " + promise})
		calls := throttle.Capacity(snap.Policy.Calendar, snap.Policy.Roster, snap.State.Booked, now, now.AddDate(0, 0, 7*weeksAhead))
		d.Teams.Rows = append(d.Teams.Rows, []ui.Cell{{Text: t.Name}, {Text: promise}, {Text: number(len(snap.Policy.Roster)), Numeric: true}, {Text: number(int(calls)), Numeric: true}, {Text: number(snap.State.Waiting), Numeric: true}})
	}
	return nil
}

func (h *Handler) fillCheck(ctx context.Context, who staff.Account, c campaign.Campaign, f url.Values, _ invalid, d *stepData) error {
	v, err := h.cfg.Store.View(ctx, who.Network, c.ID)
	if err != nil {
		return fmt.Errorf("read campaign %d: %w", c.ID, err)
	}
	for _, p := range d.Progress {
		if p.State.Text == "Not yet" || p.State.Text == "Needs a change" {
			d.Missing = append(d.Missing, p)
		}
	}
	if d.Check, err = h.checkData(ctx, who, v); err != nil {
		return err
	}
	if d.Check.Walk, err = h.walked(ctx, who, v.Campaign, f.Get("person"), d.Check.dearest); err != nil {
		return err
	}
	d.Check.Change = true
	if len(d.Missing) == 0 && can(who, staff.SubmitCampaign) {
		d.Submit = fmt.Sprintf("/desk/campaigns/%d/%s", c.ID, campaign.Submit)
	}
	return nil
}
