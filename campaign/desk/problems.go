package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/patientlist"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// invalid is what is wrong with a form or a call, in the order of the page.
type invalid []ui.FieldError

func (e invalid) Error() string {
	var all []string
	for _, f := range e {
		all = append(all, f.Sentence)
	}
	return strings.Join(all, " ")
}

// problems is the one table of what can go wrong: how it is answered, and its code for programs. The sentence is the error's own.
var problems = []struct {
	err    error
	status int
	code   string
}{
	{staff.ErrDenied, http.StatusForbidden, "denied"},
	{staff.ErrNotFound, http.StatusNotFound, "not_found"},
	{campaign.ErrNotFound, http.StatusNotFound, "not_found"},
	{campaign.ErrConflict, http.StatusConflict, "conflict"},
	{campaign.ErrNotNow, http.StatusConflict, "not_now"},
	{campaign.ErrSameHand, http.StatusConflict, "same_hand"},
	{campaign.ErrChanged, http.StatusConflict, "changed"},
	{campaign.ErrPeople, http.StatusUnprocessableEntity, "people"},
	{campaign.ErrUnsaved, http.StatusConflict, "unsaved"},
	{campaign.ErrTooOften, http.StatusTooManyRequests, "too_often"},
	{campaign.ErrQuarantined, http.StatusConflict, "quarantined"},
	{campaign.ErrSynthetic, http.StatusConflict, "synthetic"},
	{campaign.ErrNoPractice, http.StatusConflict, "no_practice"},
	{campaign.ErrPurpose, http.StatusConflict, "purpose"},
	{campaign.ErrNotFresh, http.StatusConflict, "not_fresh"},
	{campaign.ErrOlderList, http.StatusConflict, "older_list"},
	{campaign.ErrCorrecting, http.StatusConflict, "correcting"},
	{campaign.ErrCorrectionHands, http.StatusConflict, "same_hand"},
	{campaign.ErrCorrectionOther, http.StatusConflict, "changed"},
	{campaign.ErrNobodyTexted, http.StatusUnprocessableEntity, "nobody_texted"},
	{campaign.ErrOverBudget, http.StatusUnprocessableEntity, "over_budget"},
	{campaign.ErrNumber, http.StatusConflict, "number"},
	{errSignIn, http.StatusUnauthorized, "sign_in"},
}

var errSignIn = errors.New("sign in first")

// classify gives an error's status, code and sentence; an error that is nobody's business has none.
func classify(err error) (status int, code, sentence string) {
	var file *patientlist.FileError
	var form invalid
	var practices campaign.ErrPractices
	var elsewhere foreign
	var unsendable campaign.ErrUnsendable
	var lacks campaign.ErrFreshLacks
	var more campaign.ErrMorePeople
	var age campaign.ErrListAge
	switch {
	case errors.As(err, &more):
		return http.StatusUnprocessableEntity, "more_people", asSentence(more.Error())
	case errors.As(err, &lacks):
		return http.StatusConflict, "fresh_lacks", asSentence(lacks.Error())
	case errors.As(err, &age):
		return http.StatusConflict, "list_too_old", asSentence(age.Error())
	case errors.As(err, &file):
		return http.StatusUnprocessableEntity, file.Code, file.Sentence
	case errors.As(err, &form):
		return http.StatusUnprocessableEntity, "invalid", form.Error()
	case errors.As(err, &practices):
		return http.StatusConflict, "practices_missing", asSentence(practices.Error())
	case errors.As(err, &unsendable):
		return http.StatusConflict, "unsendable", asSentence(unsendable.Error())
	case errors.As(err, &elsewhere):
		return http.StatusConflict, "practices_unknown", asSentence(elsewhere.Error())
	}
	for _, p := range problems {
		if errors.Is(err, p.err) {
			return p.status, p.code, asSentence(p.err.Error())
		}
	}
	return http.StatusInternalServerError, "internal", ""
}

// pageError answers a browser, and a program where both ask for the same thing.
func (h *Handler) pageError(w http.ResponseWriter, r *http.Request, err error) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		h.apiError(r.Context(), w, err)
		return
	}
	status, _, sentence := classify(err)
	h.cfg.UI.Error(w, r, status, sentence, err)
}

// apiError answers a program. What has no sentence is logged once, under the reference that the answer carries.
func (h *Handler) apiError(ctx context.Context, w http.ResponseWriter, err error) {
	status, code, sentence := classify(err)
	if status >= http.StatusInternalServerError {
		reference := rand.Text()[:8]
		h.cfg.Log.ErrorContext(ctx, "call failed", "comp", "campaign_desk", "reference", reference, "error", err)
		sentence = "Something went wrong here. If you contact us about this, give us this code: " + reference + "."
	}
	ui.Problem(w, status, code, sentence)
}

// asSentence turns an error's words into a sentence.
func asSentence(s string) string {
	first, n := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(first)) + s[n:]
	if !strings.HasSuffix(s, ".") && s != "" {
		s += "."
	}
	return s
}
