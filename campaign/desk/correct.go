package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
)

// Corrections keeps what is said once more to those whom a campaign has texted.
type Corrections interface {
	// CampaignCorrections lists those of a campaign, newest first.
	CampaignCorrections(ctx context.Context, n staff.NetworkID, id campaign.ID) ([]campaign.Correction, error)
	// CorrectionReach counts who would get one now.
	CorrectionReach(ctx context.Context, n staff.NetworkID, id campaign.ID, w campaign.Wording) (campaign.Reach, error)
	// WriteCorrection keeps one for a second person; campaign.ErrCorrecting while another is under way.
	WriteCorrection(ctx context.Context, who staff.Account, id campaign.ID, w campaign.Wording) (campaign.Correction, error)
	// MarkReach marks the number of people that somebody is shown; with their approval the mark proves that they were shown it.
	MarkReach(who staff.Account, k campaign.Correction, people int) string
	ApproveCorrection(ctx context.Context, who staff.Account, of campaign.ID, id campaign.CorrectionID, a campaign.CorrectionApproval) (campaign.Correction, error)
	// StopCorrection stops one for good, or drops one that nobody has approved. When it returns, no text of it leaves any more.
	StopCorrection(ctx context.Context, who staff.Account, of campaign.ID, id campaign.CorrectionID) error
	// ResumeCorrection goes on with one that was held.
	ResumeCorrection(ctx context.Context, who staff.Account, of campaign.ID, id campaign.CorrectionID) error
	// SendCorrections goes on with what is under way. It may be called at any time.
	SendCorrections(ctx context.Context) error
}

var correctionTags = map[campaign.CorrectionState][2]string{
	campaign.CorrectionWritten: {"Waits for approval", "yellow"},
	campaign.CorrectionSending: {"Being sent", "green"},
	campaign.CorrectionDone:    {"Sent", "blue"},
	campaign.CorrectionStopped: {"Stopped", "red"},
}

func correctionsPath(id campaign.ID) string { return fmt.Sprintf("/desk/campaigns/%d/corrections", id) }

func correctionPath(k campaign.Correction) string {
	return fmt.Sprintf("%s/%d", correctionsPath(k.Campaign), k.ID)
}

// openCorrection is the one that is under way, if there is one.
func openCorrection(all []campaign.Correction) (campaign.Correction, bool) {
	i := slices.IndexFunc(all, func(k campaign.Correction) bool {
		return k.State == campaign.CorrectionWritten || k.State == campaign.CorrectionSending
	})
	if i < 0 {
		return campaign.Correction{}, false
	}
	return all[i], true
}

// correctionNote tells on a campaign's page of a correction that is under way.
type correctionNote struct{ Sentence, Held, Href, Stop string }

func (h *Handler) correctionNote(ctx context.Context, who staff.Account, v campaign.View) (n correctionNote, all []campaign.Correction, err error) {
	if !v.CanCorrect() || !can(who, staff.ApproveCampaign) {
		return n, nil, nil
	}
	if all, err = h.cfg.Store.CampaignCorrections(ctx, who.Network, v.ID); err != nil {
		return n, nil, fmt.Errorf("read the corrections of campaign %d: %w", v.ID, err)
	}
	k, open := openCorrection(all)
	if !open {
		return n, all, nil
	}
	n.Href, n.Held = correctionPath(k), k.Held
	switch k.State {
	case campaign.CorrectionWritten:
		n.Sentence = "A correction to those who were texted waits for a second person to approve it."
	default:
		n.Sentence = "A correction is on its way: " + progressWords(k) + "."
		if can(who, staff.RunCampaign) {
			n.Stop = n.Href + "/stop"
		}
	}
	return n, all, nil
}

// progressWords say how far a correction has come.
func progressWords(k campaign.Correction) string {
	all := k.Counts.Total() - k.Counts[campaign.Suppressed]
	s := fmt.Sprintf("%s of %s have left", number(k.Counts.Texts()), count(all, "text", "texts"))
	if k.Planning {
		s += ", and more are being made ready"
	}
	return s
}

// correctedLanguage is a language in which people had their text, on the page that asks for the words.
type correctedLanguage struct {
	Code           lang.Code
	Name, Own, Dir string
	People         string
	Text, Error    string
	Reviewed       bool
}

// correctionsData is the page on which a correction is written.
type correctionsData struct {
	ID        campaign.ID
	Name      string
	Action    string
	Goes      string // the campaign itself goes on sending
	Open      string // where the one is that is under way; "" if there is none
	Text      ui.Field
	Whom      ui.Field
	Step      ui.Field
	Language  ui.Field
	Fresh     ui.Field
	Languages []correctedLanguage
	Preview   *correctionPreview
	Earlier   ui.Table
}

// correctionPreview is what the words come to.
type correctionPreview struct {
	Problems, Advice, Points, Out []string
	Samples                       []sampled
}

// anybody is who a correction is made out to.
var anybody = madeUp{"", "anybody: a correction names nobody"}

// instants are how people write a time of a day.
var instants = []string{"2006-01-02 15:04", "2006-01-02T15:04", "2 January 2006 15:04", "2 Jan 2006 15:04", "2/1/2006 15:04", "2 January 2006 3:04pm", "2/1/2006 3:04pm"}

func (h *Handler) instantOf(s string) (t time.Time, err error) {
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, ",", " ")), " ")
	for _, layout := range instants {
		if t, err = time.ParseInLocation(layout, s, h.zone); err == nil {
			return t, nil
		}
	}
	return t, err
}

// writtenForm reads the form of a correction.
func (h *Handler) writtenForm(f url.Values) (w campaign.Wording, bad invalid) {
	w.Text = typed(f.Get("text"))
	for _, code := range f["offered"] {
		if words := typed(f.Get(translationField(lang.Code(code)))); words != "" && lang.Known(lang.Code(code)) {
			if w.Translations == nil {
				w.Translations = map[lang.Code]campaign.Translation{}
			}
			w.Translations[lang.Code(code)] = campaign.Translation{Text: words, Reviewed: f.Get("reviewed_"+code) != ""}
		}
	}
	if f.Get("whom") == "between" {
		var err error
		if w.Whom.From, err = h.instantOf(f.Get("since")); err != nil {
			bad = append(bad, ui.FieldError{Field: "since", Sentence: "Write from when on, such as 2 June 2026 14:30."})
		}
		if w.Whom.To, err = h.instantOf(f.Get("until")); err != nil {
			bad = append(bad, ui.FieldError{Field: "until", Sentence: "Write until when, such as 2 June 2026 15:10."})
		} else {
			w.Whom.To = w.Whom.To.Add(time.Minute - time.Millisecond) // the minute that is named is meant too
		}
		if len(bad) == 0 && w.Whom.To.Before(w.Whom.From) {
			bad = append(bad, ui.FieldError{Field: "until", Sentence: "The end must not be before the beginning."})
		}
	}
	w.Whom.Step, _ = strconv.Atoi(f.Get("step"))
	if code := lang.Code(f.Get("language")); lang.Known(code) {
		w.Whom.Language = code
	}
	w.Whom.Uncorrected = slices.Contains(f["uncorrected"], "yes")
	return w, bad
}

func (h *Handler) correctionsPage(w http.ResponseWriter, r *http.Request) {
	h.showCorrections(w, r, http.StatusOK, url.Values{"text": {campaign.DefaultCorrection}, "whom": {"all"}, "step": {"0"}, "language": {"any"}}, false, nil)
}

// showCorrections draws the page on which a correction is written; looked shows what the words come to.
func (h *Handler) showCorrections(w http.ResponseWriter, r *http.Request, status int, f url.Values, looked bool, bad invalid) {
	ctx := r.Context()
	who, v, err := h.view(r)
	if err == nil && !v.CanCorrect() {
		err = campaign.ErrNotNow
	}
	var all []campaign.Correction
	var n staff.Network
	if err == nil {
		all, err = h.cfg.Store.CampaignCorrections(ctx, who.Network, v.ID)
	}
	if err == nil {
		n, err = h.cfg.Store.Network(ctx, who.Network)
	}
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	d := &correctionsData{ID: v.ID, Name: v.Name, Action: correctionsPath(v.ID), Earlier: h.earlierCorrections(all)}
	if k, open := openCorrection(all); open {
		d.Open = correctionPath(k)
	}
	if v.State == campaign.Running {
		d.Goes = "This campaign is running and goes on sending its own text. If that is wrong, pause it first: whoever is texted from now on gets no correction."
	}
	if d.Open == "" {
		if err := h.addCorrectionForm(ctx, who, v, n, f, looked, d, len(all) > 0); err != nil {
			h.pageError(w, r, err)
			return
		}
	}
	p, err := h.page(ctx, r, who, "Send a correction", d)
	p.Back, p.Errors = fmt.Sprintf("/desk/campaigns/%d", v.ID), bad
	h.show(w, r, status, "campaign-corrections", p, err)
}

func (h *Handler) addCorrectionForm(ctx context.Context, who staff.Account, v campaign.View, n staff.Network, f url.Values, looked bool, d *correctionsData, earlier bool) error {
	words, bad := h.writtenForm(f)
	of := words
	if len(bad) > 0 { // counted as if nobody had narrowed it
		of.Whom = campaign.Whom{}
	}
	wrong := words.Unsendable(campaign.Setting{Network: n, Synthetic: v.Audience.Synthetic})
	if _, err := words.Texts(); err != nil {
		of.Text, of.Translations = campaign.DefaultCorrection, nil
	}
	reach, err := h.cfg.Store.CorrectionReach(ctx, who.Network, v.ID, of)
	if err != nil {
		return fmt.Errorf("count whom a correction of campaign %d reaches: %w", v.ID, err)
	}
	d.Text = ui.Field{Kind: ui.Textarea, Name: "text", Label: "What do you want to say?", Rows: 8, Value: f.Get("text"),
		Hint: "Say who is writing, what was wrong, and that people need not do anything. ((practice)), ((phone)) and ((stop_link)) are filled in for each person; no name is. Leave out what others should not read on the phone. ((link)) may be added if people are to have the form again."}
	d.Whom = ui.Field{Kind: ui.Radios, Name: "whom", Label: "Who gets it?", Value: f.Get("whom"), Options: []ui.Option{
		{Value: "all", Label: "Everyone who has been texted so far"},
		{Value: "between", Label: "Only those texted between two times", Reveal: []ui.Field{
			{Name: "since", Label: "From", Hint: "For example, 2 June 2026 14:30", Width: 20, Value: f.Get("since"), NoSpellcheck: true},
			{Name: "until", Label: "Until", Hint: "For example, 2 June 2026 15:10", Width: 20, Value: f.Get("until"), NoSpellcheck: true}}}}}
	if len(v.Steps) > 1 {
		d.Step = ui.Field{Kind: ui.Radios, Name: "step", Label: "Which text was wrong?", Value: f.Get("step"), Options: []ui.Option{
			{Value: "0", Label: "Either"}, {Value: "1", Label: "The first text"}, {Value: "2", Label: "The reminder"}}}
	}
	if len(v.Steps) > 0 && len(v.Steps[0].Translations) > 0 {
		d.Language = ui.Field{Kind: ui.Radios, Name: "language", Label: "In which language was it wrong?", Value: f.Get("language"), Options: []ui.Option{{Value: "any", Label: "In all of them"}, {Value: string(lang.English), Label: "English"}}}
		for _, l := range lang.All[1:] {
			if _, ok := v.Steps[0].Translations[l.Code]; ok {
				d.Language.Options = append(d.Language.Options, ui.Option{Value: string(l.Code), Label: l.Name})
			}
		}
	}
	if earlier {
		d.Fresh = ui.Field{Kind: ui.Checkboxes, Name: "uncorrected", Label: "Earlier corrections", Values: f["uncorrected"], Options: []ui.Option{{Value: "yes", Label: "Leave out people who have had one"}}}
	}
	because := map[lang.Code]string{}
	for _, e := range wrong {
		if e.Language != lang.English && because[e.Language] == "" {
			because[e.Language] = asSentence(e.Why)
		}
	}
	for _, l := range lang.All[1:] {
		if k := reach.In[l.Code]; k > 0 || words.Translations[l.Code].Text != "" {
			tr := words.Translations[l.Code]
			d.Languages = append(d.Languages, correctedLanguage{Code: l.Code, Name: l.Name, Own: l.Own, Dir: l.Code.Dir(), People: count(k, "person", "people"), Text: tr.Text, Reviewed: tr.Reviewed, Error: because[l.Code]})
		}
	}
	if !looked {
		return nil
	}
	d.Preview = &correctionPreview{}
	for _, e := range wrong {
		d.Preview.Problems = append(d.Preview.Problems, asSentence(e.Error()))
	}
	texts, err := words.Texts()
	if err != nil {
		return nil //nolint:nilerr // the problem says so
	}
	d.Preview.Samples = correctionSamples(texts, n, v.Policy.Price)
	for _, code := range texts.Languages() {
		for _, a := range text.CheckCorrection(texts[code], code != lang.English) {
			d.Preview.Advice = append(d.Preview.Advice, asSentence(a.Sentence))
		}
	}
	d.Preview.Points, d.Preview.Out = h.reachWords(v, reach)
	return nil
}

func correctionSamples(texts campaign.Texts, n staff.Network, price int64) (all []sampled) {
	for _, code := range texts.Languages() {
		heading := ""
		if len(texts) > 1 {
			heading = lang.Of(code).Name
		}
		all = append(all, phonesOf(heading, texts[code], code, n, price, []madeUp{anybody}))
	}
	return all
}

// reachWords say whom a correction reaches, what that costs and when it leaves; and who gets none, and why.
func (h *Handler) reachWords(v campaign.View, r campaign.Reach) (points, out []string) {
	points = append(points, fmt.Sprintf("It goes to %s, one text to each number.", count(r.People, "person", "people")))
	if len(r.In) > 1 {
		var in []string
		for _, l := range lang.All {
			if k := r.In[l.Code]; k > 0 {
				in = append(in, fmt.Sprintf("%s in %s", number(k), l.Name))
			}
		}
		points = append(points, "Their first text was in different languages: "+listWords(in, "and")+". Where there are no words in a language, the correction goes in English.")
	}
	price := fmt.Sprintf("It costs up to %s (%s at £%s). The campaign has cost %s so far.", pounds(r.Cost), count(r.Segments, "part of a text", "parts of texts"), plainPounds(v.Policy.Price), pounds(r.Spent))
	switch {
	case r.OverBudget():
		price += fmt.Sprintf(" That is more than the %s that it may cost.", pounds(r.Budget))
	case r.Budget > 0:
		price += fmt.Sprintf(" It may cost %s.", pounds(r.Budget))
	}
	points = append(points, price)
	minutes := int(math.Ceil(float64(r.Segments) / max(v.Policy.Rate, 1) / 60))
	points = append(points, fmt.Sprintf("It leaves at once, within the hours for texts (%s) and between 8am and 8pm, at the speed of the sender: in about %s. It is not paced, and the most for one day does not hold it back.",
		windowWords(v.Policy.Windows), count(minutes, "minute", "minutes")))
	points = append(points, fmt.Sprintf("The campaign itself stays as it is: %s.", lowerFirst(stateTags[v.State][0])))
	for _, why := range slices.Sorted(maps.Keys(r.Out)) {
		out = append(out, fmt.Sprintf("%s: %s", number(r.Out[why]), uncorrectedWords(why)))
	}
	return points, out
}

// uncorrectedWords say why somebody gets no correction.
func uncorrectedWords(why string) string {
	switch why {
	case campaign.NeverLeft:
		return "never got the text, by the provider’s word"
	case campaign.OutOfAgree:
		return "their practice has refused or withdrawn, so the practice tells them itself"
	case campaign.HadCorrection:
		return "have had an earlier correction"
	case "opted_out":
		return "asked for no more texts"
	case "not_me":
		return "the number is not theirs"
	case "died", string(campaign.ExDeceased):
		return "have died"
	case "moved":
		return "have moved away"
	case campaign.OutLeft, campaign.OutNumber:
		return lowerFirst(outWords(why))
	}
	return "must not be texted"
}

func (h *Handler) earlierCorrections(all []campaign.Correction) ui.Table {
	t := ui.Table{Caption: "Corrections of this campaign", Compact: true, Stacked: true, Head: []ui.Cell{{Text: "Written"}, {Text: "Where it stands"}, {Text: "Texts that have left", Numeric: true}}}
	for _, k := range all {
		t.Rows = append(t.Rows, []ui.Cell{{Text: h.when(k.WrittenAt), Href: correctionPath(k)}, {Text: correctionTags[k.State][0]}, {Text: number(k.Counts.Texts()), Numeric: true}})
	}
	return t
}

func (h *Handler) writeCorrectionPage(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		h.pageError(w, r, err)
		return
	}
	who, v, err := h.view(r)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	words, bad := h.writtenForm(r.PostForm)
	if r.PostForm.Get("do") != "write" || len(bad) > 0 {
		status := http.StatusOK
		if len(bad) > 0 {
			status = http.StatusUnprocessableEntity
		}
		h.showCorrections(w, r, status, r.PostForm, true, bad)
		return
	}
	k, err := h.writeCorrection(r.Context(), who, v, words)
	var unsendable campaign.ErrUnsendable
	switch {
	case err == nil:
		seeOther(w, r, "%s", correctionPath(k))
	case errors.As(err, &unsendable):
		h.showCorrections(w, r, http.StatusUnprocessableEntity, r.PostForm, true, invalid{{Field: fieldOf(unsendable), Sentence: asSentence(err.Error())}})
	case errors.Is(err, campaign.ErrNobodyTexted):
		h.showCorrections(w, r, http.StatusUnprocessableEntity, r.PostForm, true, invalid{{Field: "whom", Sentence: asSentence(err.Error())}})
	case errors.Is(err, campaign.ErrCorrecting):
		h.showCorrections(w, r, http.StatusConflict, r.PostForm, false, invalid{{Sentence: asSentence(err.Error())}})
	default:
		h.pageError(w, r, err)
	}
}

// writeCorrection refuses what would reach nobody: it would only stand in the way of the right one.
func (h *Handler) writeCorrection(ctx context.Context, who staff.Account, v campaign.View, w campaign.Wording) (k campaign.Correction, err error) {
	n, err := h.cfg.Store.Network(ctx, who.Network)
	if err != nil {
		return k, fmt.Errorf("read the network: %w", err)
	}
	if bad := w.Unsendable(campaign.Setting{Network: n, Synthetic: v.Audience.Synthetic}); len(bad) > 0 {
		return k, bad[0]
	}
	if !v.CanCorrect() {
		return k, campaign.ErrNotNow
	}
	reach, err := h.cfg.Store.CorrectionReach(ctx, who.Network, v.ID, w)
	if err != nil {
		return k, fmt.Errorf("count whom a correction of campaign %d reaches: %w", v.ID, err)
	}
	if reach.People == 0 {
		return k, campaign.ErrNobodyTexted
	}
	return h.cfg.Store.WriteCorrection(ctx, who, v.ID, w)
}

// correctionData is the page of one correction.
type correctionData struct {
	Name         string
	Path         string
	Tag          ui.Tag
	Next         string
	Held         string
	Live         bool
	Points, Out  []string
	Facts        ui.SummaryList
	Progress     ui.SummaryList
	Samples      []sampled
	Hash, Shown  string
	Approve      bool
	Refused      string // why this person cannot approve it
	Typed, Dear  bool
	People, Over ui.Field
	Stop, Resume bool
	StopText     string
	Failed       bool // somebody has to decide about some
}

// seenCorrection finds the correction of a request's path.
func (h *Handler) seenCorrection(r *http.Request) (who staff.Account, v campaign.View, k campaign.Correction, err error) {
	if who, v, err = h.view(r); err != nil {
		return who, v, k, err
	}
	id, err := pathID(r, "correction")
	if err != nil {
		return who, v, k, err
	}
	all, err := h.cfg.Store.CampaignCorrections(r.Context(), who.Network, v.ID)
	if err != nil {
		return who, v, k, fmt.Errorf("read the corrections of campaign %d: %w", v.ID, err)
	}
	i := slices.IndexFunc(all, func(k campaign.Correction) bool { return k.ID == campaign.CorrectionID(id) })
	if i < 0 {
		return who, v, k, campaign.ErrNotFound
	}
	return who, v, all[i], nil
}

func (h *Handler) correctionPage(w http.ResponseWriter, r *http.Request) {
	h.showCorrection(w, r, http.StatusOK, nil)
}

func (h *Handler) showCorrection(w http.ResponseWriter, r *http.Request, status int, bad invalid) {
	ctx := r.Context()
	who, v, k, err := h.seenCorrection(r)
	var n staff.Network
	var names map[staff.AccountID]string
	if err == nil {
		n, err = h.cfg.Store.Network(ctx, who.Network)
	}
	if err == nil {
		names, err = h.names(ctx, who.Network)
	}
	var texts campaign.Texts
	if err == nil {
		texts, err = k.Texts()
	}
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	tag := correctionTags[k.State]
	d := &correctionData{Name: v.Name, Path: correctionPath(k), Tag: ui.Tag{Text: tag[0], Colour: tag[1]}, Hash: k.Hash(), Held: k.Held,
		Samples: correctionSamples(texts, n, v.Policy.Price), Facts: h.correctionFacts(k, v, names), Live: k.State == campaign.CorrectionSending}
	switch k.State {
	case campaign.CorrectionWritten:
		reach, err := h.cfg.Store.CorrectionReach(ctx, who.Network, v.ID, k.Wording)
		if err != nil {
			h.pageError(w, r, fmt.Errorf("count whom correction %d reaches: %w", k.ID, err))
			return
		}
		d.Points, d.Out = h.reachWords(v, reach)
		d.Points = append(d.Points, "A text that has left cannot be called back.")
		d.Shown = h.cfg.Store.MarkReach(who, k, reach.People)
		d.Typed, d.Dear = reach.People > campaign.OnePersonMost, reach.OverBudget()
		d.People = ui.Field{Name: "people", Label: "How many people get this text?", Hint: "Type the number that stands above. It is asked of whoever approves a text for more than 200 people. If some of them opt out while you look, the number still counts.", Width: 10, Inputmode: "numeric", Value: r.PostFormValue("people")}
		d.Over = ui.Field{Kind: ui.Checkboxes, Name: "over_budget", Label: "More than the campaign may cost", Values: r.PostForm["over_budget"], Options: []ui.Option{{Value: "yes", Label: "Send it all the same"}}}
		err = k.MayApprove(who.ID, campaign.CorrectionApproval{Approval: campaign.Approval{People: reach.People}, OverBudget: true}, true, reach, n)
		if d.Approve = err == nil; !d.Approve {
			_, _, d.Refused = classify(err)
		}
		d.Stop, d.StopText = can(who, staff.RunCampaign), "Drop this correction"
	case campaign.CorrectionSending:
		d.Stop, d.StopText = can(who, staff.RunCampaign), "Stop the correction for good"
		d.Resume = k.Held != "" && can(who, staff.RunCampaign)
	}
	if k.State != campaign.CorrectionWritten && !k.ApprovedAt.IsZero() {
		d.Next = asSentence(progressWords(k))
		for _, row := range messageRows {
			sum := 0
			for _, s := range row.States {
				sum += k.Counts[s]
			}
			if sum > 0 {
				key := map[campaign.MessageState]string{campaign.Planned: "Wait for their turn, or for the hours for texts", campaign.Suppressed: "Taken out since it was approved", campaign.Expired: "Not sent before it was stopped"}[row.States[0]]
				if key == "" {
					key = row.Key
				}
				d.Progress.Rows = append(d.Progress.Rows, ui.SummaryRow{Key: key, Values: []ui.Cell{{Text: number(sum)}}})
			}
		}
		d.Progress.Rows = append(d.Progress.Rows, ui.SummaryRow{Key: "Cost", Values: []ui.Cell{{Text: pounds(k.Cost)}}})
		d.Failed = k.Counts[campaign.Held] > 0
	}
	p, err := h.page(ctx, r, who, "Correction", d)
	p.Back, p.Errors = fmt.Sprintf("/desk/campaigns/%d", v.ID), bad
	if d.Live {
		p.Refresh = 15
	}
	h.show(w, r, status, "campaign-correction", p, err)
}

// correctionFacts are what was decided about a correction, and by whom.
func (h *Handler) correctionFacts(k campaign.Correction, v campaign.View, names map[staff.AccountID]string) (l ui.SummaryList) {
	add := func(key, value string) {
		l.Rows = append(l.Rows, ui.SummaryRow{Key: key, Values: []ui.Cell{{Text: value}}})
	}
	whom := "Everyone texted until " + h.when(k.Whom.To)
	if !k.Whom.From.IsZero() {
		whom = fmt.Sprintf("Those texted from %s until %s", h.when(k.Whom.From), h.when(k.Whom.To))
	}
	if k.Whom.Step > 0 && len(v.Steps) > 1 {
		whom += map[int]string{1: ", with the first text", 2: ", with the reminder"}[k.Whom.Step]
	}
	if k.Whom.Language != "" {
		whom += ", in " + lang.Of(k.Whom.Language).Name
	}
	if k.Whom.Uncorrected {
		whom += ", and not corrected before"
	}
	add("For", whom)
	add("Written by", fmt.Sprintf("%s at %s", names[k.WrittenBy], h.when(k.WrittenAt)))
	if len(k.Translations) > 0 {
		add("Languages", languageWords(k.Translations)+". Everybody else gets it in English")
	}
	if k.ApprovedBy != 0 {
		add("Approved by", fmt.Sprintf("%s at %s", names[k.ApprovedBy], h.when(k.ApprovedAt)))
	}
	if !k.EndedAt.IsZero() {
		add("Ended", h.when(k.EndedAt))
	}
	return l
}

// sendCorrections goes on after the request has been answered. The leader does what this cannot.
func (h *Handler) sendCorrections() {
	h.launches.Go(func() {
		if err := h.cfg.Store.SendCorrections(h.background); err != nil && h.background.Err() == nil {
			h.cfg.Log.Warn("send corrections later", "comp", "campaign_desk", "error", err)
		}
	})
}

// moveCorrection does what a page or a call asks of the correction of its path.
func (h *Handler) moveCorrection(r *http.Request, do staff.Action, move func(who staff.Account, k campaign.Correction) error) (campaign.Correction, error) {
	_, _, k, err := h.seenCorrection(r)
	if err != nil {
		return k, err
	}
	who, err := h.may(r.Context(), do, target(r))
	if err == nil {
		err = move(who, k)
	}
	if err == nil {
		h.sendCorrections()
	}
	return k, err
}

func (h *Handler) approveCorrection(r *http.Request, a campaign.CorrectionApproval) (campaign.Correction, error) {
	return h.moveCorrection(r, staff.ApproveCampaign, func(who staff.Account, k campaign.Correction) error {
		_, err := h.cfg.Store.ApproveCorrection(r.Context(), who, k.Campaign, k.ID, a)
		return err
	})
}

func (h *Handler) stopCorrection(r *http.Request) (campaign.Correction, error) {
	return h.moveCorrection(r, staff.RunCampaign, func(who staff.Account, k campaign.Correction) error {
		return h.cfg.Store.StopCorrection(r.Context(), who, k.Campaign, k.ID)
	})
}

func (h *Handler) resumeCorrection(r *http.Request) (campaign.Correction, error) {
	return h.moveCorrection(r, staff.RunCampaign, func(who staff.Account, k campaign.Correction) error {
		return h.cfg.Store.ResumeCorrection(r.Context(), who, k.Campaign, k.ID)
	})
}

// movedCorrection shows what became of it, or why nothing was done.
func (h *Handler) movedCorrection(w http.ResponseWriter, r *http.Request, k campaign.Correction, err error) {
	field := ""
	var more campaign.ErrMorePeople
	switch {
	case errors.Is(err, campaign.ErrPeople), errors.As(err, &more):
		field = "people"
	case errors.Is(err, campaign.ErrOverBudget):
		field = "over_budget"
	}
	switch status, _, sentence := classify(err); {
	case err == nil:
		seeOther(w, r, "%s", correctionPath(k))
	case status == http.StatusConflict, field != "":
		h.showCorrection(w, r, status, invalid{{Field: field, Sentence: sentence}})
	default:
		h.pageError(w, r, err)
	}
}

func (h *Handler) approveCorrectionPage(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		h.pageError(w, r, err)
		return
	}
	k, err := h.approveCorrection(r, campaign.CorrectionApproval{OverBudget: r.PostForm.Get("over_budget") == "yes", Shown: r.PostForm.Get("shown"),
		Approval: campaign.Approval{Hash: r.PostForm.Get("hash"), People: typedPeople(r.PostForm.Get("people"))}})
	h.movedCorrection(w, r, k, err)
}

func (h *Handler) stopCorrectionPage(w http.ResponseWriter, r *http.Request) {
	k, err := h.stopCorrection(r)
	h.movedCorrection(w, r, k, err)
}

func (h *Handler) resumeCorrectionPage(w http.ResponseWriter, r *http.Request) {
	k, err := h.resumeCorrection(r)
	h.movedCorrection(w, r, k, err)
}
