package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

const (
	decisionsShown = 20
	heldShown      = 50
)

// campaignData is a campaign's page.
type campaignData struct {
	ID        campaign.ID
	Name      string
	Tag       ui.Tag
	Next      string   // what has to happen now, in a sentence
	Buttons   []action // what this person may do
	Polling   bool
	Planning  string
	Decision  string // the last one's sentence
	DecidedAt string
	Forecast  []string
	Ahead     ui.Chart
	Looking   bool      // ahead
	Look      *lookData // the first texts wait for somebody to look at them
	Silent    string    // since when answers have stopped and nobody has looked at the link
	Checked   string    // when somebody found that it works
	MayCheck  bool
	LinkHost  string
	Stopped   string
	Held      string
	Waits     string // why nothing at all is sent
	Alarms    []string
	Messages  ui.SummaryList
	Texts     ui.Chart
	Watch     watched
	Launched  bool
	Facts     ui.SummaryList
	Samples   []sampled
	Decisions ui.Table
	Earlier   bool // there may be more of them
	Practices []practiceRow
	Missing   int      // practices that have said neither yes nor no
	Withheld  int      // texts to patients of practices that do not agree
	Words     []string // what those that do not agree have said, and what follows
	Fresh     freshNote
	Correct   correctionNote
	HeldTexts []heldRow
	HeldMore  bool
	Over      bool // nothing is sent any more, whatever is decided about them
	CopyURL   string
}

// action is a button. One that cannot be undone leads to a page that says what will happen.
type action struct {
	Text, Href, Variant string
	Post                bool
}

type heldRow struct {
	ID            campaign.MessageID
	Attempt       int
	Masked        string
	Cause, Record string // why nobody knows whether it left, and what the provider's record says
	At            string // "" if nobody knows
	Over          bool   // it is not sent again, whatever is decided
	Correction    bool
}

func (h *Handler) view(r *http.Request) (staff.Account, campaign.View, error) {
	ctx := r.Context()
	id, err := pathID(r, "id")
	if err != nil {
		return staff.Account{}, campaign.View{}, err
	}
	who, err := h.may(ctx, staff.ViewCampaigns, fmt.Sprintf("campaign %d", id))
	if err != nil {
		return who, campaign.View{}, err
	}
	v, err := h.cfg.Store.View(ctx, who.Network, campaign.ID(id))
	if err == nil {
		err = h.sees(ctx, who, v.ID)
	}
	if err != nil {
		return who, v, fmt.Errorf("read campaign %d: %w", id, err)
	}
	return who, v, nil
}

func (h *Handler) campaignPage(w http.ResponseWriter, r *http.Request) {
	h.showCampaign(w, r, http.StatusOK, nil)
}

// showCampaign draws the page, above it what was refused.
func (h *Handler) showCampaign(w http.ResponseWriter, r *http.Request, status int, refused error) {
	who, v, err := h.view(r)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	data, err := h.campaignData(r.Context(), who, v)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	p, err := h.page(r.Context(), r, who, "Campaign", data)
	p.Breadcrumbs = []ui.NavItem{{Text: "Campaigns", Href: "/desk/campaigns"}}
	if data.Polling {
		p.Refresh = 60
	}
	switch campaign.Event(r.URL.Query().Get("done")) {
	case campaign.SettleSent:
		p.Notice = "Saved: that text counts as sent."
	case campaign.SettleAgain:
		if p.Notice = "Saved: that text waits for its turn again."; data.Over {
			p.Notice = "Saved: that text counts as not sent."
		}
	}
	if refused != nil {
		_, _, sentence := classify(refused)
		var practices campaign.ErrPractices
		if errors.As(refused, &practices) {
			sentence = fmt.Sprintf("%s must approve first; see below.", count(len(practices), "practice", "practices"))
		}
		p.Errors = []ui.FieldError{{Sentence: sentence}}
	}
	h.show(w, r, status, "campaign", p, err)
}

func (h *Handler) campaignData(ctx context.Context, who staff.Account, v campaign.View) (*campaignData, error) {
	n, err := h.cfg.Store.Network(ctx, who.Network)
	if err != nil {
		return nil, fmt.Errorf("read the network: %w", err)
	}
	names, err := h.names(ctx, who.Network)
	if err != nil {
		return nil, err
	}
	tag := stateTags[v.State]
	live := v.State == campaign.Running || v.State == campaign.Paused
	over := !live || !v.Policy.Last.IsZero() && h.cfg.Now().After(v.Policy.Last)
	d := &campaignData{ID: v.ID, Name: v.Name, Tag: ui.Tag{Text: tag[0], Colour: tag[1]}, Launched: !v.LaunchedAt.IsZero(), Polling: live, Held: v.Held, Waits: v.Halt.Sentence(),
		Over: over, Fresh: h.freshNote(who, v)}
	if can(who, staff.EditCampaign) {
		d.CopyURL = fmt.Sprintf("/desk/campaigns/new?from=%d", v.ID)
	}
	if v.Planning {
		d.Planning = fmt.Sprintf("The launch is under way: %s of %s are ready.", number(v.Counts.Total()), count(v.Audience.Ledger.Invited, "text", "texts"))
	}
	if v.State == campaign.Running {
		d.Stopped = h.cfg.Stopped()
	}
	d.Facts = h.facts(who, v, names)
	if d.Samples, err = stepSamples(v.Campaign, n); err != nil {
		return nil, err
	}
	if err := h.addPractices(ctx, who, v, n, d); err != nil {
		return nil, err
	}
	d.Next = h.next(who, v, names, d.Missing)
	d.Buttons = h.buttons(who, v, n, d.Missing)
	if !d.Launched {
		return d, nil
	}
	d.Messages = messageList(v, d.Withheld)
	var corrections []campaign.Correction
	if d.Correct, corrections, err = h.correctionNote(ctx, who, v); err != nil {
		return nil, err
	}
	if can(who, staff.EditCampaign) && v.CanCorrect() && d.Correct.Href == "" && v.Counts.Texts() > 0 {
		d.Buttons = append(d.Buttons, action{"Send a correction", correctionsPath(v.ID), "secondary", false})
	}
	if d.Look, err = h.firstLook(ctx, who, v); err != nil {
		return nil, err
	}
	d.MayCheck, d.LinkHost = can(who, staff.RunCampaign), n.LinkHost
	if !v.Silent.IsZero() {
		if d.Silent = h.when(v.Silent); !v.Checked.IsZero() {
			d.Checked = h.when(v.Checked)
		}
	}
	if v.Last != nil {
		d.Decision, d.DecidedAt = v.Last.Sentence, h.when(v.Last.At)
		if live { // afterwards nobody decides again, and an old day would be promised for ever
			f := forecastOf(v.Last)
			d.Forecast = h.forecastWords(f, v)
			if d.Ahead, err = h.ahead(ctx, who, v, f); err != nil {
				return nil, err
			}
			d.Looking = len(d.Ahead.Series) > 0
		}
	}
	for _, a := range v.Alarms {
		d.Alarms = append(d.Alarms, fmt.Sprintf("%s (%s)", alarmSentence(a), h.when(a.At)))
	}
	days, err := h.cfg.Store.Days(ctx, who.Network, v.ID)
	if err != nil {
		return nil, fmt.Errorf("read the days of campaign %d: %w", v.ID, err)
	}
	d.Texts = textsByDay(days, v.Counts.Total()-d.Withheld)
	if d.Watch, err = h.watch(ctx, who, v, days); err != nil {
		return nil, err
	}
	decisions, err := h.cfg.Store.Decisions(ctx, who.Network, v.ID, decisionsShown)
	if err != nil {
		return nil, fmt.Errorf("read the decisions of campaign %d: %w", v.ID, err)
	}
	d.Decisions, d.Earlier = h.decisionTable(decisions), len(decisions) == decisionsShown
	waiting := v.Counts[campaign.Held]
	for _, k := range corrections {
		waiting += k.Counts[campaign.Held]
	}
	if can(who, staff.SettleMessage) && waiting > 0 {
		held, err := h.cfg.Store.HeldMessages(ctx, who.Network, v.ID, heldShown)
		if err != nil {
			return nil, fmt.Errorf("read the held messages of campaign %d: %w", v.ID, err)
		}
		d.HeldMore = waiting > len(held)
		for _, m := range held {
			row := heldRow{ID: m.ID, Attempt: m.Attempt, Masked: m.Phone.Masked(), Cause: causeWords(m.Code), Record: recordWords(m.Why), Correction: m.Correction, Over: over && !m.Correction}
			if !m.At.IsZero() {
				row.At = h.when(m.At)
			}
			d.HeldTexts = append(d.HeldTexts, row)
		}
	}
	return d, nil
}

// causeWords says why nobody knows whether a text left.
func causeWords(code string) string {
	switch code {
	case "deadline", "": // an attempt of an earlier version, cut short, has no code
		return "Our server stopped while it was sending."
	case "restored":
		return "A backup was restored, and it does not know."
	case "timeout":
		return "The provider did not answer in time."
	case "no_reply", "truncated":
		return "The connection to the provider broke before its answer came."
	}
	return "The provider’s answer was not clear."
}

// recordWords says what the provider's record shows of a held text, and why nobody but a person can decide.
func recordWords(why string) string {
	switch why {
	case campaign.HeldUnreadable:
		return "The provider’s record cannot tell: it shows texts without their words or numbers. Switch off message redaction in the provider’s console."
	case campaign.HeldNoRecord:
		return "The provider answers, but for a day it has not shown its record of this number."
	case campaign.HeldAgain:
		return "It was tried three times, and each time the provider’s record did not show it. We do not trust to luck a fourth time."
	case campaign.HeldOver:
		return "The provider’s record did not show it, but the campaign is over, so it does not go again by itself."
	}
	return "The provider’s record did not show it."
}

// next says what has to happen now, and who can do it.
func (h *Handler) next(who staff.Account, v campaign.View, names map[staff.AccountID]string, missing int) string {
	switch v.State {
	case campaign.Draft:
		if !v.Parts.Has(campaign.AllParts) {
			return "Some steps are still to be done. Nothing is sent from a draft."
		}
		return "Read it through once more. Then submit it, so that a second person can approve it."
	case campaign.Submitted:
		if who.ID == v.SubmittedBy {
			return "You have submitted this campaign. A second person has to approve it."
		}
		return names[v.SubmittedBy] + " has submitted this campaign. A second person has to approve it."
	case campaign.Approved:
		if missing > 0 {
			return fmt.Sprintf("Approved by %s. It can be launched once %s agreed to their patients being texted.", names[v.ApprovedBy], count(missing, "more practice has", "more practices have"))
		}
		return fmt.Sprintf("Approved by %s. It can be launched.", names[v.ApprovedBy])
	case campaign.Running:
		return ""
	case campaign.Paused:
		return "No texts leave while it is paused. Answers to texts that have left still arrive."
	case campaign.Finished:
		return "All texts have been sent. Answers still arrive."
	case campaign.Stopped:
		return "It was stopped at " + h.when(v.FinishedAt) + " and cannot be started again. Answers to texts that have left still arrive."
	}
	return ""
}

// buttons are the moves that this person may make now.
func (h *Handler) buttons(who staff.Account, v campaign.View, n staff.Network, missing int) (all []action) {
	at := func(m campaign.Move) string { return fmt.Sprintf("/desk/campaigns/%d/%s", v.ID, m) }
	add := func(do staff.Action, a action) {
		if can(who, do) {
			all = append(all, a)
		}
	}
	switch v.State {
	case campaign.Draft:
		variant := ""
		if v.Parts.Has(campaign.AllParts) {
			add(staff.SubmitCampaign, action{"Submit for approval", at(campaign.Submit), "", true})
			variant = "secondary"
		}
		add(staff.EditCampaign, action{"Go through the steps", stepPath(v.ID, nextPart(v.Campaign)), variant, false})
	case campaign.Submitted:
		people := v.Audience.Ledger.Invited
		if v.MayApprove(who.ID, campaign.Approval{People: people}, people, n) == nil {
			add(staff.ApproveCampaign, action{"Check and approve", at(campaign.Approve), "", false})
		}
		add(staff.ApproveCampaign, action{"Send it back", at(campaign.Return), "secondary", true})
	case campaign.Approved:
		if missing == 0 {
			add(staff.RunCampaign, action{"Check and launch", at(campaign.Launch), "", false})
		}
		add(staff.ApproveCampaign, action{"Send it back", at(campaign.Return), "secondary", true})
	} // what pauses and stops it is on each of its pages: see addRuns
	// Not beside the buttons of a campaign that runs well: whoever sent a wrong text pauses or stops first.
	switch over := v.State == campaign.Paused || v.State == campaign.Stopped || v.State == campaign.Finished; {
	case !v.LinksOffAt.IsZero():
		add(staff.RunCampaign, action{"Switch its links on again", fmt.Sprintf("/desk/campaigns/%d/links-on", v.ID), "secondary", true})
	case over && !v.LaunchedAt.IsZero():
		add(staff.RunCampaign, action{"Switch its links off", fmt.Sprintf("/desk/campaigns/%d/links-off", v.ID), "secondary", true})
	}
	return all
}

// facts are what people decided, and who they were.
func (h *Handler) facts(who staff.Account, v campaign.View, names map[staff.AccountID]string) ui.SummaryList {
	list := ui.Cell{Text: v.Audience.Name}
	if can(who, staff.ViewLists) {
		list.Href = fmt.Sprintf("/desk/lists/%d", v.Audience.ID)
	}
	l := ui.SummaryList{Rows: []ui.SummaryRow{
		{Key: "Patient list", Values: []ui.Cell{list, {Text: count(v.Audience.Ledger.Invited, "person", "people") + " can be texted"}, {Text: "Taken from the GP system on " + h.day(v.Audience.TakenOn)}, {Text: "Checked at " + h.when(v.Audience.ScreenedAt)}}},
		{Key: "Team that answers", Values: []ui.Cell{{Text: v.Team.Name}, {Text: "Promises a call within " + count(v.Team.PromiseDays, "working day", "working days")}}},
		{Key: "Hours for texts", Values: []ui.Cell{{Text: windowWords(v.Policy.Windows)}}},
	}}
	add := func(key, value string) {
		l.Rows = append(l.Rows, ui.SummaryRow{Key: key, Values: []ui.Cell{{Text: value}}})
	}
	if says := h.fileSays(v.Audience); says != "" {
		l.Rows[0].Values = append(l.Rows[0].Values, ui.Cell{Text: says})
	}
	l.Rows = append(l.Rows, h.groundRows(who, v)...)
	if !v.LinksOffAt.IsZero() {
		add("Links in its texts", "Switched off at "+h.when(v.LinksOffAt)+": they lead to the form without a link")
	}
	if v.Policy.DailyCap > 0 {
		add("Most texts in one day", number(v.Policy.DailyCap))
	}
	if v.Policy.Budget > 0 {
		add("Most that it may cost", pounds(v.Policy.Budget))
	}
	if !v.Policy.First.IsZero() {
		add("First day for texts", h.day(v.Policy.First))
	}
	if !v.Policy.Last.IsZero() {
		add("Last day for texts", h.day(v.Policy.Last))
	}
	if v.Policy.Blast {
		add("Pace", "None: everything at once, to show what happens")
	}
	if v.NeedsLook(v.Audience.Ledger.Invited) {
		add("First texts", fmt.Sprintf("Sending pauses after %d, until somebody has looked at them", campaign.FirstBatch))
	}
	add("Price", "£"+plainPounds(v.Policy.Price)+" for each part of a text")
	if len(v.Steps) > 1 {
		add("Reminder", fmt.Sprintf("After %s, to people who have not answered", count(v.Steps[1].AfterDays, "day", "days")))
		if v.Steps[1].LeastFirst {
			add("Order of reminders", "Groups that had answered least when it begins come first")
		}
	}
	if len(v.Steps) > 0 && len(v.Steps[0].Translations) > 0 {
		add("Languages", languageWords(v.Steps[0].Translations)+". Everybody else gets the text in English")
	}
	add("Made by", fmt.Sprintf("%s at %s", names[v.CreatedBy], h.when(v.CreatedAt)))
	if v.SubmittedBy != 0 {
		add("Submitted by", names[v.SubmittedBy])
	}
	if v.ApprovedBy != 0 {
		add("Approved by", names[v.ApprovedBy])
	}
	if !v.LaunchedAt.IsZero() {
		add("Launched", h.when(v.LaunchedAt))
	}
	return l
}

// messageList adds up the states of the messages as a manager thinks of them. What waits for a practice to agree again is taken out for that
// alone, and is told apart.
func messageList(v campaign.View, withheld int) (l ui.SummaryList) {
	add := func(key, value string) {
		l.Rows = append(l.Rows, ui.SummaryRow{Key: key, Values: []ui.Cell{{Text: value}}})
	}
	for i, row := range messageRows {
		ended := v.State == campaign.Stopped || v.State == campaign.Finished
		if i == 0 && ended {
			row.Key = "Will not be sent" // for the moments until they are all marked as such
		}
		n := 0
		for _, s := range row.States {
			n += v.Counts[s]
		}
		if row.States[0] == campaign.Suppressed && withheld > 0 {
			add("Not sent, for their practice does not agree", number(withheld))
			n = max(n-withheld, 0) // counters are read one after the other
		}
		if n > 0 || i < 3 && !ended {
			add(row.Key, number(n))
		}
	}
	add("Opened the form", number(v.Opened))
	add("Asked for help", number(v.Answers))
	if n := v.Services.Texts(); n > 0 {
		add("Texts back to them, and test texts", fmt.Sprintf("%s, %s of the cost", number(n), pounds(v.ServiceCost)))
	}
	add("Cost so far", pounds(v.Cost))
	return l
}

// forecastOf reads a stored decision's forecast; one that cannot be read is none.
func forecastOf(d *campaign.Decision) (f throttle.Forecast) {
	if d == nil || json.Unmarshal(d.Forecast, &f) != nil {
		return throttle.Forecast{}
	}
	return f
}

// forecastWords says what the pacer expects, a sentence each.
func (h *Handler) forecastWords(f throttle.Forecast, v campaign.View) (all []string) {
	if from, to := f.FinishFrom, f.FinishTo; !from.IsZero() && v.Silent.IsZero() {
		s := "The last text should go " + h.between(from, to)
		if h.date(from) != h.date(to) {
			s += ", most likely on " + h.date(f.FinishLikely)
		}
		all = append(all, s+".")
	}
	if n := f.NextDay; n.P95 > 0 {
		low, high := int(n.P05+.5), int(n.P95+.5)
		switch {
		case high == 0:
			all = append(all, "We expect no answers in the next day to the texts that have gone.")
		case low == high:
			all = append(all, fmt.Sprintf("We expect %s in the next day to the texts that have gone.", count(low, "answer", "answers")))
		default:
			all = append(all, fmt.Sprintf("We expect %s to %s in the next day to the texts that have gone. Nine days in ten it is so.", number(low), count(high, "answer", "answers")))
		}
	}
	if !f.ContactBy.IsZero() {
		all = append(all, "Whoever asks for help now will be called by "+h.day(f.ContactBy)+".")
	}
	return all
}

// daysAhead is how far the picture of the queue looks; further on nobody who has been texted by now answers any more.
const daysAhead = 14

// ahead draws who will wait in the coming days if no more texts go, each day at its fullest: that is what each decision rests on.
func (h *Handler) ahead(ctx context.Context, who staff.Account, v campaign.View, f throttle.Forecast) (c ui.Chart, err error) {
	at, calls, err := h.canAnswer(ctx, who, v, f)
	if err != nil || len(at) == 0 {
		return c, err
	}
	waits := ui.Series{Name: "People who will wait for a first call", BandIs: "Eight times in ten, so many"}
	can := ui.Series{Name: fmt.Sprintf("First calls the team can make in %s", count(v.Team.PromiseDays, "working day", "working days"))}
	most, over := 0.0, time.Time{}
	for i, q := range f.Queue {
		midnight := throttle.Calendar{}.Midnight(at[i])
		if midnight.Sub(at[0]) > daysAhead*24*time.Hour {
			break
		}
		if most = max(most, q.P90); over.IsZero() && q.P90 > calls[i] && q.P90 >= .5 { // less than half a person is drawn as nobody
			over = at[i]
		}
		last := len(waits.Points) - 1
		if last < 0 || !waits.Points[last].At.Equal(midnight) {
			waits.Points = append(waits.Points, ui.Point{At: midnight})
			waits.Bands = append(waits.Bands, ui.Range{High: -1})
			can.Points = append(can.Points, ui.Point{At: midnight})
			last++
		}
		if high := math.Round(q.P90); high > waits.Bands[last].High {
			waits.Points[last].Value = math.Round(q.Mean)
			waits.Bands[last] = ui.Range{Low: math.Round(q.P10), High: high}
			can.Points[last].Value = math.Floor(calls[i] + .05)
		}
	}
	if len(waits.Points) < 2 {
		return c, nil
	}
	c = ui.Chart{Title: "The queue ahead, day by day, if no more texts go", Unit: "people", Series: []ui.Series{waits, can}}
	switch {
	case !over.IsZero():
		c.Sentence = fmt.Sprintf("On %s more people may wait than %s can call in time.", h.day(over), v.Team.Name)
		if v.Counts[campaign.Planned] > 0 && !v.Policy.Blast {
			c.Sentence += " That is why texts wait."
		}
	case most < .5:
		c.Sentence = "Hardly anybody will wait, if no more texts go."
	default:
		c.Sentence = fmt.Sprintf("At most about %s will wait at once, which %s can call in time", count(int(most+.5), "person", "people"), v.Team.Name)
		var figures throttle.Figures
		if json.Unmarshal(v.Last.Figures, &figures) == nil && figures.Risk >= throttle.Alarming {
			c.Sentence += " if all of them are there and no rush comes. How likely it is that somebody waits longer, the last decision says"
		}
		c.Sentence += "."
	}
	return c, nil
}

// canAnswer gives the instants of a forecast's queue in civil time, and what the team can answer within its promise from each of them.
func (h *Handler) canAnswer(ctx context.Context, who staff.Account, v campaign.View, f throttle.Forecast) (at []time.Time, calls []float64, err error) {
	for _, q := range f.Queue {
		at = append(at, h.civil(q.At))
	}
	if len(at) == 0 {
		return nil, nil, nil
	}
	if calls, err = h.cfg.Store.CanAnswer(ctx, who.Network, v.ID, at); err != nil {
		return nil, nil, fmt.Errorf("read what the team of campaign %d can answer: %w", v.ID, err)
	}
	return at, calls, nil
}

// textsByDay shows the texts of each day; the picture of the whole has them by the hundred.
func textsByDay(days []campaign.Day, all int) ui.Chart {
	c := ui.Chart{Title: "Texts by day", Unit: "texts a day", Series: []ui.Series{{Name: "Texts", Kind: ui.Bar}}}
	sent := 0
	for _, d := range days {
		c.Series[0].Points = append(c.Series[0].Points, ui.Point{At: d.Date, Value: float64(d.Texts)})
		sent += d.Texts
	}
	if len(days) > 0 {
		c.Sentence = fmt.Sprintf("%s so far, of %s.", count(sent, "text", "texts"), number(all))
	}
	return c
}

// askData is a page before something that cannot be undone, or that somebody vouches for.
type askData struct {
	ID      campaign.ID
	Name    string
	Hash    string
	Points  []string
	Facts   ui.SummaryList
	Walk    *walk
	Samples []sampled
	Move    campaign.Move
	Button  string
	Warn    bool
	Refused string // why this person cannot, instead of a button
	Missing int    // practices that have said nothing
	People  ui.Field
	Typed   bool // the number of people has to be typed
	Change  bool // each part has a link to the step that changes it
	Back    string
	dearest campaign.PatientID
}

// askPage says what will happen before it happens: approving, launching, stopping.
func (h *Handler) askPage(w http.ResponseWriter, r *http.Request) {
	h.showAsk(w, r, campaign.Move(chi.URLParam(r, "move")), nil)
}

// showAsk draws the page, above it what was wrong with the answer.
func (h *Handler) showAsk(w http.ResponseWriter, r *http.Request, m campaign.Move, bad invalid) {
	if !slices.Contains(asked, m) {
		h.pageError(w, r, campaign.ErrNotFound)
		return
	}
	who, v, err := h.view(r)
	if err == nil {
		_, err = h.may(r.Context(), moves[m], fmt.Sprintf("campaign %d %s", v.ID, m))
	}
	if err == nil {
		if _, can := campaign.NextState(v.State, m); !can {
			err = campaign.ErrNotNow
		}
	}
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	data, err := h.askData(r.Context(), who, v, m, r.URL.Query().Get("person"))
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	status := http.StatusOK
	if len(bad) > 0 {
		status, data.People.Value = http.StatusUnprocessableEntity, r.PostForm.Get("people")
	}
	title := map[campaign.Move]string{campaign.Approve: "Check and approve the campaign", campaign.Launch: "Check and launch the campaign", campaign.Stop: "Stop the campaign for good"}[m]
	p, err := h.page(r.Context(), r, who, title, data)
	data.Back = backTo(r.FormValue("back"), v.ID).String()
	p.Back, p.Errors = data.Back, bad
	h.show(w, r, status, "campaign-ask", p, err)
}

func (h *Handler) askData(ctx context.Context, who staff.Account, v campaign.View, m campaign.Move, person string) (*askData, error) {
	if m == campaign.Stop {
		d := &askData{ID: v.ID, Name: v.Name, Hash: v.Hash(), Move: m}
		d.Button, d.Warn = "Stop the campaign for good", true
		d.Points = []string{
			fmt.Sprintf("%s will not be sent. A stopped campaign cannot be started again.", count(v.Counts[campaign.Planned]+v.Counts[campaign.Released], "text", "texts")),
			"Texts that have left cannot be called back. Answers to them still arrive, and the team still answers.",
			map[bool]string{true: "If you only want to wait, pause it: the button is above.", false: "If you only want to wait, leave it paused."}[v.State == campaign.Running],
		}
		return d, nil
	}
	d, err := h.checkData(ctx, who, v)
	if err != nil {
		return nil, err
	}
	d.Move = m
	switch {
	case m == campaign.Approve:
		if d.Walk, err = h.walked(ctx, who, v.Campaign, person, d.dearest); err != nil {
			return nil, err
		}
		d.Button = "Approve exactly this"
		d.Points = append(d.Points, "You approve this list, this text and these limits. If any of them changes, it has to be approved again.")
		people := v.Audience.Ledger.Invited
		if d.Typed = people > campaign.OnePersonMost; d.Typed {
			d.People = ui.Field{Name: "people", Label: "How many people get this text?", Hint: "Type the number that stands above. It is asked of whoever approves a campaign for more than 200 people.", Width: 10, Inputmode: "numeric"}
		}
		n, err := h.cfg.Store.Network(ctx, who.Network)
		if err != nil {
			return nil, fmt.Errorf("read the network: %w", err)
		}
		if errors.Is(v.MayApprove(who.ID, campaign.Approval{People: people}, people, n), campaign.ErrSameHand) {
			d.Refused = asSentence(campaign.ErrSameHand.Error())
		}
	case h.cfg.Live && v.Audience.Synthetic:
		d.Refused = asSentence(campaign.ErrSynthetic.Error())
	default:
		if d.Missing > 0 {
			d.Refused = fmt.Sprintf("It cannot be launched yet: %s to agree first.", count(d.Missing, "practice has", "practices have"))
		}
		d.Button = "Launch the campaign"
		d.Points = append(d.Points, "A text that has left cannot be called back. You can pause or stop the campaign at any time; then no further texts leave.")
	}
	return d, nil
}

// checkData is all that is decided by a campaign, on one page: the same for whoever submits it and for whoever approves it, but for the phone
// of somebody in the list.
func (h *Handler) checkData(ctx context.Context, who staff.Account, v campaign.View) (*askData, error) {
	d := &askData{ID: v.ID, Name: v.Name, Hash: v.Hash()}
	n, err := h.cfg.Store.Network(ctx, who.Network)
	if err != nil {
		return nil, fmt.Errorf("read the network: %w", err)
	}
	names, err := h.names(ctx, who.Network)
	if err != nil {
		return nil, err
	}
	shares, err := h.cfg.Store.PracticeShares(ctx, who.Network, v.ID)
	if err != nil {
		return nil, fmt.Errorf("read the practices of campaign %d: %w", v.ID, err)
	}
	people, segments := v.Audience.Ledger.Invited, 0
	for _, s := range v.Steps {
		texts, err := s.Texts()
		if err != nil {
			return nil, fmt.Errorf("read the texts of campaign %d: %w", v.ID, err)
		}
		e, err := h.cfg.Store.EstimateTexts(ctx, who.Network, v.Audience.ID, texts)
		if err != nil {
			return nil, fmt.Errorf("count the texts of campaign %d: %w", v.ID, err)
		}
		segments += e.Segments
		if s.Number == 1 {
			d.dearest = e.Dearest
		}
	}
	cost := int64(segments) * v.Policy.Price
	price := "This costs up to " + pounds(cost)
	price += fmt.Sprintf(" (%s at £%s)", count(segments, "part of a text", "parts of texts"), plainPounds(v.Policy.Price))
	if v.Policy.Budget > 0 && v.Policy.Budget < cost {
		price += fmt.Sprintf(", but sending ends at the budget of %s, so that not everybody gets a text", pounds(v.Policy.Budget))
	}
	var no []string // practices that do not agree
	without := 0
	for _, s := range shares {
		if !s.Decided() {
			d.Missing++
		} else if !s.Approved {
			name, _ := practiceName(n, s.ODS)
			no, without = append(no, name), without+s.Invited
		}
	}
	if v.State == campaign.Approved { // the launch: what is approved is the whole list
		people -= without
	}
	texts := people * len(v.Steps)
	d.Points = []string{
		fmt.Sprintf("%s will go to %s: never twice the same one to a number.", count(texts, "text", "texts"), count(people, "person", "people")),
		price + ".",
		fmt.Sprintf("They go at the pace at which %s can call people back within %s.", v.Team.Name, count(v.Team.PromiseDays, "working day", "working days")),
	}
	if without > 0 {
		d.Points = slices.Insert(d.Points, 2, fmt.Sprintf("%s of %s are not texted, unless their practice agrees after all. The cost counts them too.", count(without, "person", "people"), listWords(no, "and")))
	}
	d.Facts = h.facts(who, v, names)
	d.Samples, err = stepSamples(v.Campaign, n)
	return d, err
}

// typedPeople reads the number that somebody typed: 0 if none, and a wrong one if it is no number.
func typedPeople(s string) int {
	s = strings.Map(func(r rune) rune {
		if r == ',' || r == ' ' {
			return -1
		}
		return r
	}, s)
	if s == "" {
		return 0
	}
	if n, err := strconv.Atoi(s); err == nil && n != 0 {
		return n
	}
	return -1
}

// typedInt is a number in a call, which must not pass for none if it is 0.
type typedInt int

func (n *typedInt) typed() int {
	switch {
	case n == nil:
		return 0
	case *n == 0:
		return -1
	}
	return int(*n)
}

func (h *Handler) movePage(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		h.pageError(w, r, err)
		return
	}
	m := campaign.Move(chi.URLParam(r, "move"))
	id, err := h.move(r, m, r.PostForm.Get("hash"), typedPeople(r.PostForm.Get("people")))
	if errors.Is(err, campaign.ErrPeople) {
		h.showAsk(w, r, m, invalid{{Field: "people", Sentence: asSentence(campaign.ErrPeople.Error())}})
		return
	}
	if err == nil {
		movedBack(w, r, id, m)
		return
	}
	h.moved(w, r, id, err)
}

// moved sends the browser back to the campaign's page, or shows there why nothing was done.
func (h *Handler) moved(w http.ResponseWriter, r *http.Request, id campaign.ID, err error) {
	if err == nil {
		seeOther(w, r, "/desk/campaigns/%d", id)
		return
	}
	if status, _, _ := classify(err); status == http.StatusConflict {
		h.showCampaign(w, r, status, err)
		return
	}
	h.pageError(w, r, err)
}

// confirmLink notes that somebody has opened the link and found that it works.
func (h *Handler) confirmLink(r *http.Request) (campaign.ID, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return 0, err
	}
	who, err := h.may(r.Context(), staff.RunCampaign, fmt.Sprintf("campaign %d confirm-link", id))
	if err != nil {
		return 0, err
	}
	return campaign.ID(id), h.cfg.Store.ConfirmLink(r.Context(), who, campaign.ID(id))
}

func (h *Handler) confirmPage(w http.ResponseWriter, r *http.Request) {
	id, err := h.confirmLink(r)
	h.moved(w, r, id, err)
}

// switchLinks switches the links of a campaign's texts off or on.
func (h *Handler) switchLinks(r *http.Request, off bool) (campaign.ID, error) {
	id, err := pathID(r, "id")
	if err != nil {
		return 0, err
	}
	who, err := h.may(r.Context(), staff.RunCampaign, fmt.Sprintf("campaign %d links", id))
	if err != nil {
		return 0, err
	}
	return campaign.ID(id), h.cfg.Store.SwitchLinks(r.Context(), who, campaign.ID(id), off)
}

func (h *Handler) linksPage(off bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := h.switchLinks(r, off)
		h.moved(w, r, id, err)
	}
}

// settlePage takes a person's word on a held message.
func (h *Handler) settlePage(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		h.pageError(w, r, err)
		return
	}
	id, err1 := pathID(r, "id")
	message, err2 := pathID(r, "message")
	attempt, err3 := strconv.Atoi(r.PostForm.Get("attempt"))
	on, ok := map[string]campaign.Event{"sent": campaign.SettleSent, "again": campaign.SettleAgain}[r.PostForm.Get("was")]
	if err1 != nil || err2 != nil || err3 != nil || !ok {
		h.pageError(w, r, campaign.ErrNotFound)
		return
	}
	who, err := h.may(r.Context(), staff.SettleMessage, fmt.Sprintf("message %d", message))
	if err == nil {
		err = h.cfg.Store.SettleHeld(r.Context(), who, campaign.MessageID(message), attempt, on)
	}
	if err == nil {
		seeOther(w, r, "/desk/campaigns/%d?done=%s", id, on)
		return
	}
	h.moved(w, r, campaign.ID(id), err)
}

// campaignAnswer is a campaign as the API tells it.
type campaignAnswer struct {
	ID          campaign.ID         `json:"id"`
	Name        string              `json:"name"`
	State       campaign.State      `json:"state"`
	List        campaign.AudienceID `json:"list"`
	Team        staff.TeamID        `json:"team"`
	Steps       []campaign.Step     `json:"steps"`
	Policy      policyAnswer        `json:"policy"`
	Held        string              `json:"held,omitempty"`
	CreatedBy   staff.AccountID     `json:"created_by"`
	SubmittedBy staff.AccountID     `json:"submitted_by,omitempty"`
	ApprovedBy  staff.AccountID     `json:"approved_by,omitempty"`
	CreatedAt   time.Time           `json:"created_at"`
	LaunchedAt  *time.Time          `json:"launched_at"`
	FinishedAt  *time.Time          `json:"finished_at"`
	LinksOffAt  *time.Time          `json:"links_off_at,omitempty"` // while they are off
	Grounds     groundsAnswer       `json:"grounds"`
	FreshAt     *time.Time          `json:"fresh_at,omitempty"` // the day of the fresh list that its own was screened against
	// Hash is what an approval is for; sent back with approve or launch it makes sure that nothing changed in between.
	Hash string `json:"hash"`
}

type policyAnswer struct {
	Windows  map[string]hours `json:"windows"`
	DailyCap int              `json:"daily_cap,omitempty"`
	Budget   amount           `json:"budget,omitempty"`
	Price    amount           `json:"price"`
	Rate     float64          `json:"rate"`
	First    *time.Time       `json:"first,omitempty"`
	Last     *time.Time       `json:"last,omitempty"`
	// FirstLook says that sending pauses after the first texts until somebody has looked at them.
	FirstLook bool `json:"first_look"`
}

// viewAnswer adds how the campaign goes.
type viewAnswer struct {
	campaignAnswer
	Messages map[campaign.MessageState]int `json:"messages"` // every state, zeros too
	Texts    int                           `json:"texts"`    // that the provider has taken
	Planning bool                          `json:"planning"` // the launch is still under way
	People   int                           `json:"people"`   // who gets its texts: what an approval types
	// FirstLook is "due" until the first texts have gone, then "waiting" for somebody to look at them, then "done".
	FirstLook campaign.FirstLook `json:"first_look,omitempty"`
	// Waits says why nothing at all is sent: a restored database does not know yet what left.
	Waits        string          `json:"waits,omitempty"`
	Opened       int             `json:"opened"`
	Answers      int             `json:"answers"`
	Cost         amount          `json:"cost"`
	TextsBack    int             `json:"texts_back"` // to people who sent the form; texts has none of them, cost has
	Forecast     *forecastAnswer `json:"forecast"`
	LastDecision *decisionAnswer `json:"last_decision"`
	// SilentSince is since when answers have stopped, while sending waits for somebody to look at the link.
	SilentSince *time.Time    `json:"silent_since"`
	Practices   []shareAnswer `json:"practices"`
}

type forecastAnswer struct {
	// FinishFrom and FinishTo hold eight in ten.
	FinishFrom   *time.Time `json:"finish_from"`
	FinishLikely *time.Time `json:"finish_likely"`
	FinishTo     *time.Time `json:"finish_to"`
	ContactBy    *time.Time `json:"contact_by"`
	// NextDay are answers within 24 hours of the decision, to texts that have gone.
	NextDay *bandAnswer `json:"next_day"`
	// QueueAhead is who will wait if no more texts go.
	QueueAhead []aheadAnswer `json:"queue_ahead"`
}

type bandAnswer struct {
	Mean float64 `json:"mean"`
	P05  float64 `json:"p05"`
	P25  float64 `json:"p25"`
	P75  float64 `json:"p75"`
	P95  float64 `json:"p95"`
}

type aheadAnswer struct {
	At        time.Time `json:"at"`
	Mean      float64   `json:"mean"`
	P10       float64   `json:"p10"`
	P90       float64   `json:"p90"`
	CanAnswer float64   `json:"can_answer"` // within the promise, from then on
}

type decisionAnswer struct {
	At       time.Time `json:"at"`
	N        int       `json:"n"`
	Limit    string    `json:"limit"`
	Sentence string    `json:"sentence"`
}

// optional is nil for no time.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func campaignJSON(c campaign.Campaign) campaignAnswer {
	p := policyAnswer{Windows: map[string]hours{}, DailyCap: c.Policy.DailyCap, Budget: amount(c.Policy.Budget), Price: amount(c.Policy.Price), Rate: c.Policy.Rate, First: optional(c.Policy.First), Last: optional(c.Policy.Last), FirstLook: c.Policy.FirstLook}
	week := c.Policy.Windows
	if week == (throttle.Week{}) {
		week = officeHours
	}
	for _, day := range weekdays {
		if o := week[day]; o.From < o.To {
			p.Windows[lowerFirst(day.String())] = hours{fmt.Sprintf("%02d:%02d", o.From/60, o.From%60), fmt.Sprintf("%02d:%02d", o.To/60, o.To%60)}
		}
	}
	return campaignAnswer{ID: c.ID, Name: c.Name, State: c.State, List: c.Audience, Team: c.Team, Steps: c.Steps, Policy: p, Held: c.Held, CreatedBy: c.CreatedBy,
		SubmittedBy: c.SubmittedBy, ApprovedBy: c.ApprovedBy, CreatedAt: c.CreatedAt, LaunchedAt: optional(c.LaunchedAt), FinishedAt: optional(c.FinishedAt), LinksOffAt: optional(c.LinksOffAt),
		Grounds: groundsJSON(c.Grounds), FreshAt: optional(c.FreshAt), Hash: c.Hash()}
}

func (h *Handler) apiCampaign(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, v, err := h.view(r)
	if err != nil {
		h.apiError(ctx, w, err)
		return
	}
	a := viewAnswer{campaignAnswer: campaignJSON(v.Campaign), Messages: map[campaign.MessageState]int{}, Texts: v.Counts.Texts(), Planning: v.Planning, People: v.Audience.Ledger.Invited, FirstLook: v.FirstLook, Waits: v.Halt.Sentence(), Opened: v.Opened,
		Answers: v.Answers, Cost: amount(v.Cost), TextsBack: v.Services.Texts(), Practices: []shareAnswer{}}
	for _, s := range campaign.MessageStates {
		a.Messages[s] = v.Counts[s]
	}
	if v.Last != nil {
		f := forecastOf(v.Last)
		a.Forecast = &forecastAnswer{FinishFrom: optional(f.FinishFrom), FinishLikely: optional(f.FinishLikely), FinishTo: optional(f.FinishTo), ContactBy: optional(f.ContactBy),
			QueueAhead: []aheadAnswer{}}
		if f.NextDay.P95 > 0 {
			a.Forecast.NextDay = (*bandAnswer)(&f.NextDay)
		}
		at, calls, err := h.canAnswer(ctx, who, v, f)
		if err != nil {
			h.apiError(ctx, w, err)
			return
		}
		for i, q := range f.Queue {
			a.Forecast.QueueAhead = append(a.Forecast.QueueAhead, aheadAnswer{at[i], q.Mean, q.P10, q.P90, calls[i]})
		}
		a.LastDecision = &decisionAnswer{v.Last.At, v.Last.N, v.Last.Limit, v.Last.Sentence}
	}
	if v.Checked.IsZero() {
		a.SilentSince = optional(v.Silent)
	}
	shares, err := h.cfg.Store.PracticeShares(ctx, who.Network, v.ID)
	if err != nil {
		h.apiError(ctx, w, fmt.Errorf("read the practices of campaign %d: %w", v.ID, err))
		return
	}
	for _, s := range shares {
		if who.Sees(s.ODS) {
			a.Practices = append(a.Practices, shareJSON(s))
		}
	}
	writeJSON(w, http.StatusOK, a)
}

func (h *Handler) apiMove(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Hash   string    `json:"hash"`
		People *typedInt `json:"people"`
	}
	if err := readJSON(w, r, &call, true); err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	if _, err := h.move(r, campaign.Move(chi.URLParam(r, "move")), call.Hash, call.People.typed()); err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	h.apiMoved(w, r)
}

// apiMoved answers with the campaign as it is now.
func (h *Handler) apiMoved(w http.ResponseWriter, r *http.Request) {
	_, v, err := h.view(r)
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	writeJSON(w, http.StatusOK, campaignJSON(v.Campaign))
}

func (h *Handler) apiConfirm(w http.ResponseWriter, r *http.Request) {
	if _, err := h.confirmLink(r); err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	h.apiMoved(w, r)
}

func (h *Handler) apiLinks(off bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := h.switchLinks(r, off); err != nil {
			h.apiError(r.Context(), w, err)
			return
		}
		h.apiMoved(w, r)
	}
}
