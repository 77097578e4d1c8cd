package desk

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// practicesField asks whose practice viewer somebody is.
func (h *Handler) practicesField(r *http.Request, who staff.Account, ticked []string) (ui.Field, error) {
	n, err := h.Store.Network(r.Context(), who.Network)
	if err != nil {
		return ui.Field{}, fmt.Errorf("read the network: %w", err)
	}
	f := ui.Field{Kind: ui.Checkboxes, Name: "practices", Label: "Practices", Hint: "For a practice viewer: they see what concerns these practices, and agree for them", Small: true, Values: ticked}
	for _, p := range n.Practices {
		f.Options = append(f.Options, ui.Option{Value: p.ODS, Label: fmt.Sprintf("%s (%s)", p.Name, p.ODS)})
	}
	return f, nil
}

// practicesAsked are the practices that a form gives a practice viewer; the sentence says why they cannot be.
func practicesAsked(n staff.Network, ticked []string) (codes []string, sentence string) {
	for _, p := range n.Practices {
		if slices.Contains(ticked, p.ODS) {
			codes = append(codes, p.ODS)
		}
	}
	if len(codes) == 0 {
		return nil, "Choose their practices: a practice viewer sees nothing else"
	}
	return codes, ""
}

// practiceNames are the practices of an account in words.
func practiceNames(n staff.Network, a staff.Account) string {
	var names []string
	for _, p := range n.Practices {
		if slices.Contains(a.PracticeCodes(), p.ODS) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return "None yet: they see no campaign"
	}
	return strings.Join(names, ", ")
}

// changePractices takes from the member's page whose practice viewer they are.
func (h *Handler) changePractices(r *http.Request, who staff.Account, id staff.AccountID) (sentence string, err error) {
	n, err := h.Store.Network(r.Context(), who.Network)
	if err != nil {
		return "", fmt.Errorf("read the network: %w", err)
	}
	codes, sentence := practicesAsked(n, r.PostForm["practices"])
	if sentence != "" {
		return sentence, nil
	}
	return "", h.Store.SetPractices(r.Context(), who, id, codes)
}
