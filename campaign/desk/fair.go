package desk

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// fairData is the page of who answers, and who does not.
type fairData struct {
	ID       campaign.ID
	Name     string
	Counted  string
	Behind   []string
	Judged   bool // there are numbers of groups to judge by
	Reminder string
	Copy     string // where a campaign with a reminder begins
	Groups   []ui.Table
	Deprived bool
	Deciles  bool // this person may upload them
}

// rateCell shows a rate out of a hundred, if both of its numbers are shown.
func rateCell(r campaign.Rate) ui.Cell {
	if !r.Known {
		return ui.Cell{Text: "–", Hidden: "not shown", Numeric: true}
	}
	return ui.Cell{Text: perHundred(r), Numeric: true}
}

// perHundred is a rate out of a hundred, with a decimal where it is small: "2.4". "about 2.4" if its numbers have grown a little since.
func perHundred(r campaign.Rate) string {
	x := 100 * float64(r.Did) / float64(r.Of)
	s := fmt.Sprintf("%.0f", x)
	if x < 9.95 {
		s = strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
	}
	if !r.Exact {
		s = "about " + s
	}
	return s
}

// subject names a group as the subject of a sentence.
func subject(by campaign.Grouping, name string, n staff.Network) string {
	label := groupName(by, name, n)
	switch by {
	case campaign.ByPractice:
		return "People of " + label
	case campaign.ByAge:
		if strings.HasSuffix(label, "over") {
			return "People of " + label
		}
		return "People aged " + label
	case campaign.BySex:
		if name != "female" && name != "male" {
			return "People of another sex"
		}
		return label
	case campaign.ByLanguage:
		return "People who speak " + lang.Of(lang.Code(name)).Name
	case campaign.ByDistrict:
		return "People who live in " + label
	case campaign.ByDeprivation:
		return "People whose area is in decile " + label + " of deprivation"
	}
	return label
}

// behindSentence says that a group answers less often, in numbers that can be checked and without a reason that nobody knows.
func behindSentence(b campaign.Behind, n staff.Network) string {
	how := "less often than others"
	switch ratio := float64(b.Group.Did) * float64(b.Others.Of) / (float64(b.Group.Of) * float64(b.Others.Did)); {
	case b.Group.Did == 0:
		return fmt.Sprintf("%s have not answered, but %s in 100 others have.", subject(b.By, b.Name, n), perHundred(b.Others))
	case ratio < .22: // less than a quarter has no short word
		how = "far less often than others"
	case ratio < .28:
		how = "a quarter as often as others"
	case ratio > .3 && ratio < .37:
		how = "a third as often as others"
	case ratio > .45 && ratio < .55:
		how = "half as often as others"
	}
	return fmt.Sprintf("%s answer %s: %s in 100 against %s in 100.", subject(b.By, b.Name, n), how, perHundred(b.Group), perHundred(b.Others))
}

func (h *Handler) fairPage(w http.ResponseWriter, r *http.Request) {
	who, c, n, f, err := h.funnelView(r)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	d := &fairData{ID: c.ID, Name: c.Name, Counted: h.countedTo(f), Deprived: f.Deprived, Deciles: can(who, staff.UploadList), Reminder: reminderWords(c)}
	if can(who, staff.EditCampaign) {
		d.Copy = fmt.Sprintf("/desk/campaigns/new?from=%d", c.ID)
	}
	for _, b := range f.LeastHeard() {
		d.Behind = append(d.Behind, behindSentence(b, n))
	}
	for _, by := range campaign.Groupings {
		if len(f.Groups[by]) == 0 {
			continue
		}
		t := ui.Table{Caption: groupingWords[by], RowHeaders: true, Compact: true, Stacked: true, Head: []ui.Cell{{Text: "Group"}, {Text: "Texts arrived", Numeric: true}, {Text: "Asked for help", Numeric: true},
			{Text: "In 100", Numeric: true}, {Text: "Spoke with us", Numeric: true}, {Text: "In 100 texts", Numeric: true}}}
		for _, g := range sortGroups(by, f.Groups[by], n) {
			answered := g.RateOf(campaign.ReachedSent)
			d.Judged = d.Judged || answered.Known
			t.Rows = append(t.Rows, []ui.Cell{{Text: groupName(by, g.Name, n)}, numberCell(g, campaign.ReachedDelivered), numberCell(g, campaign.ReachedSent), rateCell(answered),
				numberCell(g, campaign.ReachedContacted), rateCell(g.RateOf(campaign.ReachedContacted))})
		}
		d.Groups = append(d.Groups, t)
	}
	p, err := h.page(r.Context(), r, who, "Fair turns: who answers, and who does not", d)
	p.Back = fmt.Sprintf("/desk/campaigns/%d", c.ID)
	h.show(w, r, http.StatusOK, "fair", p, err)
}

// reminderWords says what the campaign does about those who have not answered.
func reminderWords(c campaign.Campaign) string {
	switch {
	case len(c.Steps) < 2:
		return ""
	case c.Steps[1].LeastFirst:
		return fmt.Sprintf("This campaign sends a reminder %s after the first text, never to anybody who has answered or opted out. Groups that had answered least when it began get theirs first.",
			count(c.Steps[1].AfterDays, "day", "days"))
	}
	return fmt.Sprintf("This campaign sends a reminder %s after the first text, never to anybody who has answered or opted out, to all groups alike.", count(c.Steps[1].AfterDays, "day", "days"))
}

// fairAnswer is who answers as the API tells it.
type fairAnswer struct {
	CountedTo  *time.Time                        `json:"counted_to"`
	Groups     map[campaign.Grouping][]fairGroup `json:"groups"`
	LeastHeard []behindAnswer                    `json:"least_heard"`
}

type fairGroup struct {
	Group     string      `json:"group"`
	Label     string      `json:"label"`
	Delivered shownNumber `json:"delivered"`
	Answered  shownNumber `json:"answered"`
	Contacted shownNumber `json:"contacted"`
	// Rates are shares of those who had a text; null where one of the two numbers was never shown.
	AnswerRate  *float64 `json:"answer_rate"`
	ContactRate *float64 `json:"contact_rate"`
}

type behindAnswer struct {
	By       campaign.Grouping `json:"by"`
	Group    string            `json:"group"`
	Sentence string            `json:"sentence"`
}

func rateNumber(r campaign.Rate) *float64 {
	if !r.Known {
		return nil
	}
	x := float64(r.Did) / float64(r.Of)
	return &x
}

func (h *Handler) apiFair(w http.ResponseWriter, r *http.Request) {
	_, _, n, f, err := h.funnelView(r)
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	a := fairAnswer{CountedTo: optional(f.CountedTo), Groups: map[campaign.Grouping][]fairGroup{}, LeastHeard: []behindAnswer{}}
	for by, groups := range f.Groups {
		for _, g := range sortGroups(by, groups, n) {
			a.Groups[by] = append(a.Groups[by], fairGroup{g.Name, groupName(by, g.Name, n), shown(g, campaign.ReachedDelivered), shown(g, campaign.ReachedSent), shown(g, campaign.ReachedContacted),
				rateNumber(g.RateOf(campaign.ReachedSent)), rateNumber(g.RateOf(campaign.ReachedContacted))})
		}
	}
	for _, b := range f.LeastHeard() {
		a.LeastHeard = append(a.LeastHeard, behindAnswer{b.By, b.Name, behindSentence(b, n)})
	}
	writeJSON(w, http.StatusOK, a)
}

// maxDeciles is the most that a file of deciles may hold: all postcodes of England fit.
const maxDeciles = 200 << 20

// deprivationData is the page where a network's deciles are uploaded.
type deprivationData struct {
	Ledger    ui.SummaryList
	Uploaded  bool
	FileError string
}

var decileReasons = map[string]string{
	campaign.DecileUnreadable: "Cannot be read, or has too few columns",
	campaign.DecileNoPlace:    "No postcode, and no postcode sector such as L32 8",
	campaign.DecileNotOne:     "No decile from 1 to 10",
}

func (h *Handler) deprivationPage(w http.ResponseWriter, r *http.Request) {
	h.showDeprivation(w, r, http.StatusOK, nil)
}

func (h *Handler) showDeprivation(w http.ResponseWriter, r *http.Request, status int, wrong error) {
	who, err := h.may(r.Context(), staff.UploadList, "deprivation")
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	was, err := h.cfg.Store.Deprivation(r.Context(), who.Network)
	if err != nil {
		h.pageError(w, r, fmt.Errorf("read the deciles: %w", err))
		return
	}
	d := &deprivationData{Uploaded: !was.At.IsZero()}
	if d.Uploaded {
		add := func(key, value string) {
			d.Ledger.Rows = append(d.Ledger.Rows, ui.SummaryRow{Key: key, Values: []ui.Cell{{Text: value}}})
		}
		add("Uploaded", h.when(was.At))
		add("Rows in the file", number(was.Rows))
		add("Rows used", number(was.Used))
		for _, code := range []string{campaign.DecileUnreadable, campaign.DecileNoPlace, campaign.DecileNotOne} {
			if k := was.Rejected[code]; k > 0 {
				add(decileReasons[code], number(k))
			}
		}
		add("Postcode sectors with a decile", number(len(was.Sectors)))
		if was.Undecided > 0 {
			add("Sectors with two deciles equally common", number(was.Undecided)+": the more deprived counts")
		}
	}
	p, err := h.page(r.Context(), r, who, "Deprivation by area", d)
	p.Breadcrumbs = []ui.NavItem{{Text: "Campaigns", Href: "/desk/campaigns"}}
	if wrong != nil {
		_, _, sentence := classify(wrong)
		p.Errors, d.FileError = []ui.FieldError{{Field: "file", Sentence: sentence}}, sentence
	}
	h.show(w, r, status, "deprivation", p, err)
}

// takeDeciles reads a file of deciles and keeps it.
func (h *Handler) takeDeciles(w http.ResponseWriter, r *http.Request) (campaign.Deprivation, error) {
	var none campaign.Deprivation
	who, err := h.may(r.Context(), staff.UploadList, "deprivation")
	if err != nil {
		return none, err
	}
	missing := invalid{{Field: "file", Sentence: "Choose the file with postcodes or postcode sectors and their deciles."}}
	c := http.NewResponseController(w)
	_, _ = c.SetReadDeadline(time.Time{}), c.SetWriteDeadline(time.Time{}) // as for a patient list
	r.Body = http.MaxBytesReader(w, r.Body, maxDeciles)
	m, err := r.MultipartReader()
	if err != nil {
		return none, missing
	}
	for {
		part, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			return none, missing
		}
		if err != nil {
			return none, errBroken
		}
		if part.FormName() != "file" {
			continue
		}
		if part.FileName() == "" {
			return none, missing
		}
		d, err := campaign.ReadDeprivation(part)
		switch {
		case errors.Is(err, campaign.ErrNoDeciles):
			return none, invalid{{Field: "file", Sentence: asSentence(err.Error())}}
		case err != nil:
			return none, errBroken
		}
		if err := h.cfg.Store.SetDeprivation(r.Context(), who, d); err != nil {
			return none, fmt.Errorf("keep the deciles: %w", err)
		}
		d.At = h.cfg.Now()
		return d, nil
	}
}

func (h *Handler) uploadDeciles(w http.ResponseWriter, r *http.Request) {
	if _, err := h.takeDeciles(w, r); err != nil {
		if status, _, _ := classify(err); status == http.StatusUnprocessableEntity {
			h.showDeprivation(w, r, status, err)
			return
		}
		h.pageError(w, r, err)
		return
	}
	seeOther(w, r, "/desk/deprivation")
}

// decilesAnswer is how a file of deciles was read, as the API tells it.
type decilesAnswer struct {
	UploadedAt *time.Time     `json:"uploaded_at"`
	Rows       int            `json:"rows"`
	Used       int            `json:"used"`
	Rejected   map[string]int `json:"rejected"`
	Sectors    int            `json:"sectors"`
	Undecided  int            `json:"undecided"`
}

func decilesJSON(d campaign.Deprivation) decilesAnswer {
	a := decilesAnswer{optional(d.At), d.Rows, d.Used, d.Rejected, len(d.Sectors), d.Undecided}
	if a.Rejected == nil {
		a.Rejected = map[string]int{}
	}
	return a
}

func (h *Handler) apiDeciles(w http.ResponseWriter, r *http.Request) {
	who, err := h.may(r.Context(), staff.UploadList, "deprivation")
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	d, err := h.cfg.Store.Deprivation(r.Context(), who.Network)
	if err != nil {
		h.apiError(r.Context(), w, fmt.Errorf("read the deciles: %w", err))
		return
	}
	writeJSON(w, http.StatusOK, decilesJSON(d))
}

func (h *Handler) apiUploadDeciles(w http.ResponseWriter, r *http.Request) {
	d, err := h.takeDeciles(w, r)
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	w.Header().Set("Location", "/api/v1/deprivation")
	writeJSON(w, http.StatusCreated, decilesJSON(d))
}
