package desk

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// Purposes and bases in words, in the order of the form.
var (
	purposes = []ui.Option{
		{Value: string(campaign.DirectCare), Label: "Direct care", Hint: "Each person is offered something that may help them with their own health and wellbeing. It is not marketing."},
		{Value: string(campaign.OtherPurpose), Label: "Something else", Hint: "Such as research, a survey, raising money or news of the practice. The law on marketing (PECR) may want each person’s own consent, so it cannot be texted from here."},
	}
	bases = []ui.Option{
		{Value: string(campaign.BasisCare), Label: "Public task, and health or social care", Hint: "UK GDPR Article 6(1)(e) and Article 9(2)(h). The usual one for a practice that offers its patients care."},
		{Value: string(campaign.BasisPublicHealth), Label: "Public task, and public health", Hint: "UK GDPR Article 6(1)(e) and Article 9(2)(i). For a programme that protects the health of everybody."},
	}
)

func labelOf(options []ui.Option, value string) string {
	for _, o := range options {
		if o.Value == value {
			return o.Label
		}
	}
	return options[0].Label // of campaigns from before it was kept
}

func hintOf(options []ui.Option, value string) string {
	for _, o := range options {
		if o.Value == value {
			return o.Hint
		}
	}
	return options[0].Hint
}

// groundRows say why a campaign may use its list.
func (h *Handler) groundRows(who staff.Account, v campaign.View) []ui.SummaryRow {
	g := v.Grounds
	dpia := g.DPIA
	if dpia == "" {
		dpia = "No reference given"
	}
	rows := []ui.SummaryRow{
		{Key: "Purpose", Values: []ui.Cell{{Text: labelOf(purposes, string(g.Purpose))}}},
		{Key: "Lawful basis", Values: []ui.Cell{{Text: labelOf(bases, string(g.Basis))}, {Text: hintOf(bases, string(g.Basis))}}},
		{Key: "Data protection impact assessment", Values: []ui.Cell{{Text: dpia}}},
	}
	if v.State == campaign.Draft && can(who, staff.EditCampaign) {
		rows[0].Actions = []ui.Cell{{Text: "Change", Href: fmt.Sprintf("/desk/campaigns/%d/grounds", v.ID), Hidden: "purpose, lawful basis and assessment"}}
	}
	if !v.FreshAt.IsZero() {
		rows = append(rows, ui.SummaryRow{Key: "Screened against a fresh list", Values: []ui.Cell{{Text: "Of " + h.when(v.FreshAt)}}})
	}
	return rows
}

// groundsData is the page on which a manager states them.
type groundsData struct {
	Action               string
	Purpose, Basis, DPIA ui.Field
}

func (h *Handler) showGrounds(w http.ResponseWriter, r *http.Request, status int, g campaign.Grounds, errs []ui.FieldError) {
	who, v, err := h.view(r)
	if err == nil && v.State != campaign.Draft {
		err = campaign.ErrNotNow
	}
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	if status == http.StatusOK {
		if g = v.Grounds; g == (campaign.Grounds{}) {
			g = campaign.DefaultGrounds
		}
	}
	p, err := h.page(r.Context(), r, who, "Purpose and lawful basis", &groundsData{Action: fmt.Sprintf("/desk/campaigns/%d/grounds", v.ID),
		Purpose: ui.Field{Kind: ui.Radios, Name: "purpose", Label: "What the texts are for", Options: purposes, Value: string(g.Purpose)},
		Basis:   ui.Field{Kind: ui.Radios, Name: "basis", Label: "Lawful basis", Hint: "Each practice is the controller of its patients’ data, and is asked to agree to this.", Options: bases, Value: string(g.Basis)},
		DPIA:    ui.Field{Name: "dpia", Label: "Reference of the data protection impact assessment", Hint: "Where the practices can find it. May be left empty", NoSpellcheck: true, Value: g.DPIA}})
	p.Back, p.Errors = fmt.Sprintf("/desk/campaigns/%d", v.ID), errs
	h.show(w, r, status, "campaign-grounds", p, err)
}

func (h *Handler) groundsPage(w http.ResponseWriter, r *http.Request) {
	h.showGrounds(w, r, http.StatusOK, campaign.Grounds{}, nil)
}

// setGrounds states them for a page or a call.
func (h *Handler) setGrounds(r *http.Request, g campaign.Grounds) (campaign.ID, error) {
	who, v, err := h.view(r)
	if err == nil {
		who, err = h.may(r.Context(), staff.EditCampaign, target(r))
	}
	if err != nil {
		return 0, err
	}
	if g.DPIA = strings.TrimSpace(g.DPIA); g.Purpose == "" {
		return v.ID, invalid{{Field: "purpose", Sentence: "Choose what the texts are for."}}
	}
	if g.Basis == "" {
		return v.ID, invalid{{Field: "basis", Sentence: "Choose the lawful basis."}}
	}
	if err := g.Check(); err != nil {
		field := "dpia"
		if g.Purpose != campaign.DirectCare {
			field = "purpose"
		}
		return v.ID, invalid{{Field: field, Sentence: asSentence(err.Error())}}
	}
	return v.ID, h.cfg.Store.SetGrounds(r.Context(), who, v.ID, g)
}

func (h *Handler) setGroundsPage(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		h.pageError(w, r, err)
		return
	}
	g := campaign.Grounds{Purpose: campaign.Purpose(r.PostForm.Get("purpose")), Basis: campaign.Basis(r.PostForm.Get("basis")), DPIA: r.PostForm.Get("dpia")}
	id, err := h.setGrounds(r, g)
	if bad, ok := err.(invalid); ok {
		h.showGrounds(w, r, http.StatusUnprocessableEntity, g, bad)
		return
	}
	h.moved(w, r, id, err)
}

type groundsAnswer struct {
	Purpose campaign.Purpose `json:"purpose"`
	Basis   campaign.Basis   `json:"basis"`
	DPIA    string           `json:"dpia"`
}

func groundsJSON(g campaign.Grounds) groundsAnswer {
	if g == (campaign.Grounds{}) {
		g = campaign.DefaultGrounds
	}
	return groundsAnswer(g)
}

func (h *Handler) apiGrounds(w http.ResponseWriter, r *http.Request) {
	var call groundsAnswer
	err := readJSON(w, r, &call, false)
	if err == nil {
		_, err = h.setGrounds(r, campaign.Grounds(call))
	}
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	h.apiMoved(w, r)
}
