package desk

import (
	"errors"
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
		rows[0].Actions = []ui.Cell{{Text: "Change", Href: stepPath(v.ID, "who") + "#purpose", Hidden: "purpose, lawful basis and assessment"}}
	}
	if !v.FreshAt.IsZero() {
		rows = append(rows, ui.SummaryRow{Key: "Screened against a fresh list", Values: []ui.Cell{{Text: "Of " + h.day(v.FreshAt)}}})
	}
	return rows
}

// groundInputs ask for them, in the first step.
func groundInputs(g campaign.Grounds) (purpose, basis, dpia ui.Field) {
	purpose = ui.Field{Kind: ui.Radios, Name: "purpose", Label: "What the texts are for", Options: purposes, Value: string(g.Purpose), Small: true}
	basis = ui.Field{Kind: ui.Radios, Name: "basis", Label: "Lawful basis", Hint: "Each practice is the controller of its patients’ data, and is asked to agree to this.", Options: bases, Value: string(g.Basis), Small: true}
	dpia = ui.Field{Name: "dpia", Label: "Reference of the data protection impact assessment (optional)", Hint: "Where the practices can find it.", NoSpellcheck: true, Value: g.DPIA}
	return purpose, basis, dpia
}

// wrongGrounds finds what is wrong with them.
func wrongGrounds(g campaign.Grounds) invalid {
	err := g.Check()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, campaign.ErrPurpose):
		return invalid{{Field: "purpose", Sentence: asSentence(err.Error())}}
	case g.Basis != campaign.BasisCare && g.Basis != campaign.BasisPublicHealth:
		return invalid{{Field: "basis", Sentence: "Choose the lawful basis."}}
	}
	return invalid{{Field: "dpia", Sentence: asSentence(err.Error())}}
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
		err = h.setGrounds(r, campaign.Grounds(call))
	}
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	h.apiMoved(w, r)
}

func (h *Handler) setGrounds(r *http.Request, g campaign.Grounds) error {
	who, v, err := h.view(r)
	if err != nil {
		return err
	}
	switch g.DPIA = strings.TrimSpace(g.DPIA); {
	case g.Purpose == "":
		return invalid{{Field: "purpose", Sentence: "Choose what the texts are for."}}
	case g.Basis == "":
		return invalid{{Field: "basis", Sentence: "Choose the lawful basis."}}
	}
	if bad := wrongGrounds(g); len(bad) > 0 {
		return bad
	}
	return h.cfg.Store.SetGrounds(r.Context(), who, v.ID, g)
}
