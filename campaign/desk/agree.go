package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// Agreements keeps what each practice, as controller, says of a campaign, and screens a campaign's list against a fresh one. It audits what it does.
type Agreements interface {
	// SeesCampaign tells whether a campaign exists for somebody: for a practice viewer only if it texts patients of theirs.
	SeesCampaign(ctx context.Context, who staff.Account, id campaign.ID) (bool, error)
	// CampaignsSeen are the newest campaigns that exist for somebody.
	CampaignsSeen(ctx context.Context, who staff.Account, limit int) ([]campaign.Campaign, error)
	// SayPractice takes a practice's word; campaign.ErrChanged if it is about something else than the campaign is now. Once it has returned a
	// withdrawal, no text to the practice's patients leaves.
	SayPractice(ctx context.Context, who staff.Account, id campaign.ID, ods string, say campaign.Say) error
	PracticeSaid(ctx context.Context, who staff.Account, id campaign.ID, ods string) ([]campaign.Said, error)
	// SettlePractices puts the messages where the practices' words want them. It may be called again at any time.
	SettlePractices(ctx context.Context, id campaign.ID) error
	SetGrounds(ctx context.Context, who staff.Account, id campaign.ID, g campaign.Grounds) error

	// StartFresh begins to screen; Freshen goes on until it is over or a person has to say how many are taken out.
	StartFresh(ctx context.Context, who staff.Account, id campaign.ID, fresh campaign.AudienceID) error
	Freshenings(ctx context.Context, n staff.NetworkID, id campaign.ID) ([]campaign.Freshening, error)
	ConfirmFresh(ctx context.Context, who staff.Account, id campaign.ID, number int) error
	CancelFresh(ctx context.Context, who staff.Account, id campaign.ID) error
	Freshen(ctx context.Context, id campaign.ID) error
}

// sees is campaign.ErrNotFound for whom a campaign does not exist.
func (h *Handler) sees(ctx context.Context, who staff.Account, id campaign.ID) error {
	yes, err := h.cfg.Store.SeesCampaign(ctx, who, id)
	if err == nil && !yes {
		err = campaign.ErrNotFound
	}
	return err
}

// practiceRow is a practice on the page of a campaign.
type practiceRow struct {
	Name, Href, People string
	Tag                ui.Tag
}

// practiceTag says how a practice stands to a campaign.
func practiceTag(s campaign.PracticeShare) ui.Tag {
	switch {
	case s.Approved:
		return ui.Tag{Text: "Agreed", Colour: "green"}
	case s.Stale:
		return ui.Tag{Text: "Changed since it agreed", Colour: "yellow"}
	case s.Word == campaign.Refuses:
		return ui.Tag{Text: "Does not agree", Colour: "red"}
	case s.Word == campaign.Withdraws:
		return ui.Tag{Text: "Has withdrawn", Colour: "red"}
	}
	return ui.Tag{Text: "Not yet", Colour: "grey"}
}

// addPractices lists the practices that somebody may see, and what each says.
func (h *Handler) addPractices(ctx context.Context, who staff.Account, v campaign.View, n staff.Network, d *campaignData) error {
	shares, err := h.cfg.Store.PracticeShares(ctx, who.Network, v.ID)
	if err != nil {
		return fmt.Errorf("read the practices of campaign %d: %w", v.ID, err)
	}
	for _, s := range shares {
		if !s.Decided() {
			d.Missing++
		}
		d.Withheld += s.Withheld
		if !who.Sees(s.ODS) {
			continue
		}
		row := practiceRow{People: number(s.Invited), Tag: practiceTag(s), Href: practicePath(v.ID, s.ODS)}
		name, known := practiceName(n, s.ODS)
		if row.Name = name; !known {
			row.Name, row.Href, row.Tag = "Not one of your practices: "+s.ODS, "", ui.Tag{Text: "Not known", Colour: "red"}
			if s.ODS == "" {
				row.Name = "The list does not say which practice"
			}
		}
		d.Practices = append(d.Practices, row)
		if words := h.wordsOf(v, s, name); words != "" {
			d.Words = append(d.Words, words)
		}
	}
	return nil
}

// wordsOf says what a practice that does not agree has said, and what follows from it.
func (h *Handler) wordsOf(v campaign.View, s campaign.PracticeShare, name string) string {
	var sentence string
	switch {
	case s.Word == campaign.Withdraws:
		sentence = fmt.Sprintf("%s has withdrawn at %s.", name, h.when(s.At))
	case s.Word == campaign.Refuses:
		sentence = fmt.Sprintf("%s does not agree (%s).", name, h.when(s.At))
	case s.Stale:
		sentence = fmt.Sprintf("%s agreed to something else: the list, the text, the purpose or the times changed since. Ask it again.", name)
	default:
		return ""
	}
	switch {
	case s.Withheld > 0:
		sentence += fmt.Sprintf(" %s to its patients will not be sent. The campaign goes on for the others.", count(s.Withheld, "text", "texts"))
	case v.LaunchedAt.IsZero():
		sentence += " Its patients are not texted."
	default:
		sentence += " No more texts go to its patients. The campaign goes on for the others."
	}
	return sentence
}

func practicePath(id campaign.ID, ods string) string {
	return fmt.Sprintf("/desk/campaigns/%d/practices/%s", id, ods)
}

// practiceData is the page of one practice and one campaign.
type practiceData struct {
	Action, Campaign, CampaignURL string
	Tag                           ui.Tag
	Sentence                      string
	List, Grounds, When           ui.SummaryList
	Ledger                        ui.Table
	Samples                       []sampled
	Terms                         string
	Agree, Refuse, Withdraw       bool   // what can be said now
	Behalf                        bool   // for the practice, by an administrator
	Voice                         string // who can say it, for those who cannot
	Who                           ui.Field
	Reason                        ui.Field
	Said                          ui.Table
}

// practice reads one practice's part of a campaign, for whom both exist.
func (h *Handler) practice(r *http.Request) (who staff.Account, v campaign.View, s campaign.PracticeShare, n staff.Network, err error) {
	ods := chi.URLParam(r, "ods")
	if who, v, err = h.view(r); err != nil {
		return who, v, s, n, err
	}
	if n, err = h.cfg.Store.Network(r.Context(), who.Network); err != nil {
		return who, v, s, n, fmt.Errorf("read the network: %w", err)
	}
	shares, err := h.cfg.Store.PracticeShares(r.Context(), who.Network, v.ID)
	if err != nil {
		return who, v, s, n, fmt.Errorf("read the practices of campaign %d: %w", v.ID, err)
	}
	_, known := practiceName(n, ods)
	i := slices.IndexFunc(shares, func(s campaign.PracticeShare) bool { return s.ODS == ods })
	if !known || i < 0 || !who.Sees(ods) {
		return who, v, s, n, campaign.ErrNotFound
	}
	return who, v, shares[i], n, nil
}

func (h *Handler) practicePage(w http.ResponseWriter, r *http.Request) {
	h.showPractice(w, r, http.StatusOK, nil)
}

// notices are what the page says after a word was taken.
var notices = map[string]string{
	string(campaign.Agrees):    "Saved: the practice agrees.",
	string(campaign.Refuses):   "Saved: the practice does not agree. Its patients are not texted.",
	string(campaign.Withdraws): "Saved: the practice has withdrawn. No more texts go to its patients.",
}

func (h *Handler) showPractice(w http.ResponseWriter, r *http.Request, status int, errs []ui.FieldError) {
	ctx := r.Context()
	who, v, s, n, err := h.practice(r)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	name, _ := practiceName(n, s.ODS)
	d := &practiceData{Action: practicePath(v.ID, s.ODS), Campaign: v.Name, CampaignURL: fmt.Sprintf("/desk/campaigns/%d", v.ID), Tag: practiceTag(s), Terms: v.Terms()}
	switch may, over := can(who, staff.ApprovePractice), v.State == campaign.Stopped || v.State == campaign.Finished; {
	case may && !over:
		d.Agree, d.Refuse, d.Withdraw = !s.Approved, !s.Approved && s.Word != campaign.Refuses && s.Word != campaign.Withdraws, s.Word == campaign.Agrees
		d.Refuse = d.Refuse && !d.Withdraw
		d.Behalf = who.Role != staff.PracticeViewer
	case !over:
		all, err := h.cfg.Store.Accounts(ctx, who.Network)
		if err != nil {
			h.pageError(w, r, fmt.Errorf("read who can speak for practice %s: %w", s.ODS, err))
			return
		}
		d.Voice = voiceOf(all, s.ODS)
	}
	d.Sentence = h.practiceSentence(s, v)
	d.Who = ui.Field{Name: "note", Label: "Who at the practice said so, and when", NoSpellcheck: true, Value: r.PostFormValue("note")}
	d.Reason = ui.Field{Kind: ui.Textarea, Name: "reason", Label: "Why", Hint: "Do not name a patient. The campaign’s manager reads it", Rows: 3, Value: r.PostFormValue("reason")}
	l := v.Audience.Ledger
	d.List = facts("Patient list", v.Audience.Name, "People of the practice", count(s.Invited, "person", "people")+" can be texted", "Age of the list", h.campaignAge(v))
	d.Ledger = ledgerTable(0, l)
	d.Ledger.Caption = "Where every row of the whole list went"
	d.Grounds = ui.SummaryList{Rows: h.groundRows(staff.Account{}, v)}
	most := "As many as the team can answer"
	if v.Policy.DailyCap > 0 {
		most = "At most " + number(v.Policy.DailyCap) + ", and only as many as the team can answer"
	}
	first, last := "As soon as everything is agreed", "None"
	if !v.Policy.First.IsZero() {
		first = h.day(v.Policy.First)
	}
	if !v.Policy.Last.IsZero() {
		last = h.day(v.Policy.Last)
	}
	d.When = facts("Hours for texts", windowWords(v.Policy.Windows), "Texts in a day", most, "First day for texts", first, "Last day for texts", last, "Sender", n.Sender, "Links lead to", n.LinkHost,
		"Team that answers", v.Team.Name)
	n.Practices = slices.DeleteFunc(slices.Clone(n.Practices), func(p staff.Practice) bool { return p.ODS != s.ODS }) // its own name in the texts
	if d.Samples, err = stepSamples(v.Campaign, n); err != nil {
		h.pageError(w, r, err)
		return
	}
	if d.Said, err = h.saidTable(ctx, who, v.ID, s.ODS); err != nil {
		h.pageError(w, r, err)
		return
	}
	p, err := h.page(ctx, r, who, name, d)
	p.Breadcrumbs = []ui.NavItem{{Text: "Campaigns", Href: "/desk/campaigns"}, {Text: v.Name, Href: d.CampaignURL}}
	p.Errors, p.Notice = errs, notices[r.URL.Query().Get("done")]
	h.show(w, r, status, "campaign-practice", p, err)
}

// facts makes a list of keys and values.
func facts(pairs ...string) (l ui.SummaryList) {
	for i := 0; i+1 < len(pairs); i += 2 {
		l.Rows = append(l.Rows, ui.SummaryRow{Key: pairs[i], Values: []ui.Cell{{Text: pairs[i+1]}}})
	}
	return l
}

// voiceOf says who can speak for a practice: whoever waits for its word has to know whom to ask.
func voiceOf(all []staff.Account, ods string) string {
	named := func(role staff.Role) (names []string) {
		for _, a := range all {
			if a.Role == role && !a.Disabled && (role != staff.PracticeViewer || a.Sees(ods)) {
				names = append(names, a.Name)
			}
		}
		return names
	}
	administrator := "an administrator"
	if names := named(staff.Administrator); len(names) > 0 {
		administrator += " (" + listWords(names, "or") + ")"
	}
	if names := named(staff.PracticeViewer); len(names) > 0 {
		return fmt.Sprintf("%s can say it for the practice: send them the address of this page. Or %s enters here what the practice has told them.", listWords(names, "or"), administrator)
	}
	return fmt.Sprintf("Nobody at the practice has an account yet. Ask %s to invite somebody there as a practice viewer, or to enter here what the practice has told them.", administrator)
}

func (h *Handler) practiceSentence(s campaign.PracticeShare, v campaign.View) string {
	switch {
	case s.Approved:
		return "The practice agrees. It can withdraw at any time; then no more texts go to its patients."
	case s.Stale:
		return "The practice agreed to something else: the list, the text, the purpose or the times changed since. Its patients are not texted before it agrees again."
	case s.Withheld > 0:
		return fmt.Sprintf("The practice does not agree. %s to its patients will not be sent, unless it agrees again before the campaign ends.", count(s.Withheld, "text", "texts"))
	case s.Word != "":
		return "The practice does not agree. Its patients are not texted."
	case v.State == campaign.Draft:
		return "The practice decides about its own patients. The campaign is still a draft: if it changes, the practice is asked again."
	}
	return "The practice decides about its own patients. They are not texted before it agrees."
}

func (h *Handler) saidTable(ctx context.Context, who staff.Account, id campaign.ID, ods string) (ui.Table, error) {
	said, err := h.cfg.Store.PracticeSaid(ctx, who, id, ods)
	if err != nil {
		return ui.Table{}, fmt.Errorf("read what practice %s has said: %w", ods, err)
	}
	names, err := h.names(ctx, who.Network)
	if err != nil {
		return ui.Table{}, err
	}
	t := ui.Table{Caption: "What the practice has said", Stacked: true, Compact: true, Empty: "The practice has said nothing yet.",
		Head: []ui.Cell{{Text: "When"}, {Text: "What"}, {Text: "Entered by"}, {Text: "Note"}}}
	for _, s := range said {
		words := map[campaign.Word]string{campaign.Agrees: "Agrees", campaign.Refuses: "Does not agree", campaign.Withdraws: "Withdraws"}[s.Word]
		t.Rows = append(t.Rows, []ui.Cell{{Text: h.when(s.At)}, {Text: words}, {Text: names[s.Account]}, {Text: s.Note}})
	}
	return t, nil
}

// say takes a practice's word for a page or a call.
func (h *Handler) say(r *http.Request, say campaign.Say) error {
	who, v, s, _, err := h.practice(r)
	if err == nil {
		who, err = h.may(r.Context(), staff.ApprovePractice, target(r))
	}
	if err != nil {
		return err
	}
	say.Note = strings.TrimSpace(say.Note)
	switch {
	case len([]rune(say.Note)) > campaign.LongestNote:
		return invalid{{Field: noteField(who), Sentence: fmt.Sprintf("Write at most %d characters.", campaign.LongestNote)}}
	case say.Note == "" && who.Role != staff.PracticeViewer:
		return invalid{{Field: "note", Sentence: "Write who at the practice said so, and when: you speak for it."}}
	case say.Note == "" && say.Word == campaign.Refuses:
		return invalid{{Field: "reason", Sentence: "Write why the practice does not agree."}}
	}
	if err := h.cfg.Store.SayPractice(r.Context(), who, v.ID, s.ODS, say); err != nil {
		return err
	}
	h.launches.Go(func() { h.settle(v.ID) })
	return nil
}

func noteField(who staff.Account) string {
	if who.Role == staff.PracticeViewer {
		return "reason"
	}
	return "note"
}

// settle puts the messages where the practices' words want them, after the request has been answered. The leader does what this cannot.
func (h *Handler) settle(id campaign.ID) {
	if err := h.cfg.Store.SettlePractices(h.background, id); err != nil && h.background.Err() == nil {
		h.cfg.Log.Warn("settle the practices later", "comp", "campaign_desk", "campaign", int64(id), "error", err)
	}
}

func (h *Handler) sayPage(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		h.pageError(w, r, err)
		return
	}
	say := campaign.Say{Word: campaign.Word(r.PostForm.Get("do")), Terms: r.PostForm.Get("terms"), Note: r.PostForm.Get("note")}
	if reason := r.PostForm.Get("reason"); reason != "" {
		say.Note = strings.TrimPrefix(say.Note+". "+reason, ". ")
	}
	if notices[string(say.Word)] == "" {
		h.pageError(w, r, campaign.ErrNotFound)
		return
	}
	if staff.From(r.Context()).Role != staff.PracticeViewer && strings.TrimSpace(r.PostForm.Get("note")) == "" {
		say.Note = "" // a reason alone does not say who gave it
	}
	err := h.say(r, say)
	var bad invalid
	switch {
	case err == nil:
		seeOther(w, r, "/desk/campaigns/%s/practices/%s?done=%s", chi.URLParam(r, "id"), chi.URLParam(r, "ods"), say.Word)
	case errors.As(err, &bad):
		h.showPractice(w, r, http.StatusUnprocessableEntity, bad)
	default:
		if status, _, sentence := classify(err); status == http.StatusConflict {
			h.showPractice(w, r, status, []ui.FieldError{{Sentence: sentence}})
			return
		}
		h.pageError(w, r, err)
	}
}

type shareAnswer struct {
	ODS      string        `json:"ods"`
	Invited  int           `json:"invited"`
	Approved bool          `json:"approved"` // it agrees to the campaign as it is now
	Word     campaign.Word `json:"word,omitempty"`
	Stale    bool          `json:"stale,omitempty"` // it agreed to something else
	At       *time.Time    `json:"at,omitempty"`
	Withheld int           `json:"withheld,omitempty"`
}

func shareJSON(s campaign.PracticeShare) shareAnswer {
	return shareAnswer{s.ODS, s.Invited, s.Approved, s.Word, s.Stale, optional(s.At), s.Withheld}
}

type saidAnswer struct {
	Word    campaign.Word   `json:"word"`
	At      time.Time       `json:"at"`
	Account staff.AccountID `json:"account"`
	Note    string          `json:"note,omitempty"`
}

// askedAnswer is what a practice is asked, and what it has said.
type askedAnswer struct {
	shareAnswer
	Terms    string              `json:"terms"`
	List     campaign.AudienceID `json:"list"`
	ListName string              `json:"list_name"`
	ListAt   time.Time           `json:"list_at"`
	Steps    []campaign.Step     `json:"steps"`
	Grounds  groundsAnswer       `json:"grounds"`
	Said     []saidAnswer        `json:"said"`
}

func (h *Handler) apiPractice(w http.ResponseWriter, r *http.Request) {
	who, v, s, _, err := h.practice(r)
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	said, err := h.cfg.Store.PracticeSaid(r.Context(), who, v.ID, s.ODS)
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	a := askedAnswer{shareAnswer: shareJSON(s), Terms: v.Terms(), List: v.Audience.ID, ListName: v.Audience.Name, ListAt: listDate(v), Steps: v.Steps, Grounds: groundsJSON(v.Grounds), Said: []saidAnswer{}}
	for _, x := range said {
		a.Said = append(a.Said, saidAnswer{x.Word, x.At, x.Account, x.Note})
	}
	writeJSON(w, http.StatusOK, a)
}

func (h *Handler) apiSay(word campaign.Word) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			Terms string `json:"terms"`
			Note  string `json:"note"`
		}
		err := readJSON(w, r, &call, true)
		if err == nil {
			err = h.say(r, campaign.Say{Word: word, Terms: call.Terms, Note: call.Note})
		}
		if err != nil {
			h.apiError(r.Context(), w, err)
			return
		}
		h.apiMoved(w, r)
	}
}
