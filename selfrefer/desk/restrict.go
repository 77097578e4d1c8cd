package desk

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// restrictLine is what a referral's page says of who may open it, in _restrict.html.
type restrictLine struct {
	Is             bool
	Glass          string // until when it stands open to who looks, "" if they need no glass
	Change, Looked string // addresses; Change is "" for who may not
}

func (h *Handler) restrictLine(ref selfrefer.Referral, who staff.Account) restrictLine {
	l := restrictLine{Is: ref.Restricted, Looked: referralPath(ref.ID) + "/looked"}
	if !ref.Glass.IsZero() {
		l.Glass = ui.Clock(ref.Glass.In(h.zone))
	} else if selfrefer.MayRestrict(who, ref) == nil {
		l.Change = referralPath(ref.ID) + "/restrict"
	}
	return l
}

// restrictScreen is the data of restrict.html.
type restrictScreen struct {
	Action, Reference                      string
	Set                                    string // by whom and when it was restricted; "" if it is not
	Others                                 []queueTab
	Mode, May, Never, Practice, Why, Words ui.Field
}

func (h *Handler) restrictPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showRestrict(w, r, who, http.StatusOK, nil)
}

func (h *Handler) showRestrict(w http.ResponseWriter, r *http.Request, who staff.Account, status int, errs []ui.FieldError) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	x, err := h.Store.Restriction(r.Context(), who, id)
	if err != nil {
		return fmt.Errorf("read who may open the referral: %w", err)
	}
	all, err := h.Store.Accounts(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read who works here: %w", err)
	}
	s := restrictScreen{Action: referralPath(id) + "/restrict", Reference: x.Reference}
	if x.Set {
		s.Set = "Restricted at " + h.when(x.At)
		for _, a := range all {
			if a.ID == x.By {
				s.Set += " by " + a.Name
			}
		}
	}
	for _, o := range x.Others {
		s.Others = append(s.Others, queueTab{Text: o.Reference, Href: referralPath(o.ID) + "/restrict"})
	}
	mode, may, never, practice, why, words := "all", numbers(x.May), numbers(x.Never), map[bool][]string{true: {"1"}}[x.NoPractice], string(x.Reason), x.Words.Reveal()
	if x.Only {
		mode = "only"
	}
	if r.Method == http.MethodPost {
		mode, may, never, practice, why, words = r.PostFormValue("mode"), r.PostForm["may"], r.PostForm["never"], r.PostForm["practice"], r.PostFormValue("why"), r.PostFormValue("words")
	}
	s.Mode = ui.Field{Kind: ui.Radios, Name: "mode", Label: "Who may open this referral?", Size: "s", Small: true, Value: mode, Options: []ui.Option{
		{Value: "all", Label: "Everybody who may open referrals", Hint: "But those whom you keep out below"},
		{Value: "only", Label: "Whoever has it, and those whom I name", Hint: "Others see that it waits, without a name. They can break the glass, which the Caldicott guardian is told of"}}}
	s.May = ui.Field{Kind: ui.Checkboxes, Name: "may", Label: "Who else may open it?", Size: "s", Hint: "If only those whom you name may. Name a senior who is on duty, too", Small: true, Values: may}
	s.Never = ui.Field{Kind: ui.Checkboxes, Name: "never", Label: "Who must never know of it?", Size: "s", Hint: "For them it does not exist: not in lists, counts or searches. They cannot break the glass", Small: true, Values: never}
	s.Practice = ui.Field{Kind: ui.Checkboxes, Name: "practice", Label: "Is somebody at their GP practice the danger?", Size: "s", Small: true, Values: practice,
		Options: []ui.Option{{Value: "1", Label: "Tell the practice nothing about this referral"}}}
	s.Why = ui.Field{Kind: ui.Radios, Name: "why", Label: "Why?", Size: "s", Hint: "Only those who may open the referral read this", Small: true, Value: why}
	s.Words = ui.Field{Kind: ui.Textarea, Name: "words", Label: "In your words", Size: "s", Rows: 3, Value: words}
	for _, reason := range selfrefer.RestrictReasons {
		s.Why.Options = append(s.Why.Options, ui.Option{Value: string(reason), Label: reason.Words()})
	}
	for _, a := range all {
		o := ui.Option{Value: strconv.FormatInt(int64(a.ID), 10), Label: a.Name + ", " + a.Role.Words()}
		if a.ID == who.ID {
			o.Label = "Myself"
		}
		s.Never.Options = append(s.Never.Options, o)
		if staff.May(a, staff.WorkReferral, who.Network) == nil {
			s.May.Options = append(s.May.Options, o)
		}
	}
	back := referralPath(id)
	if staff.May(who, staff.ViewReferral, who.Network) != nil {
		back = queuePath
	}
	return h.show(w, r, status, "restrict", ui.Page{Title: "Who may open " + x.Reference, Back: back, Errors: errs, Data: s})
}

func numbers[T ~int64](ids []T) (all []string) {
	for _, id := range ids {
		all = append(all, strconv.FormatInt(int64(id), 10))
	}
	return all
}

// checkRestriction says what is missing. Why is asked for: whoever reads it later must know whether it still holds.
func checkRestriction(x selfrefer.Restriction) (bad invalid) {
	if !slices.Contains(selfrefer.RestrictReasons, x.Reason) {
		bad = append(bad, ui.FieldError{Field: "why", Sentence: "Select why"})
	}
	switch n := utf8.RuneCountInString(x.Words.Reveal()); {
	case n > selfrefer.MaxReason:
		bad = append(bad, ui.FieldError{Field: "words", Sentence: fmt.Sprintf("This must be %d characters or fewer", selfrefer.MaxReason)})
	case n == 0 && x.Reason == selfrefer.RestrictOther:
		bad = append(bad, ui.FieldError{Field: "words", Sentence: "Enter why in your words"})
	}
	return bad
}

// restrictedField is where the page shows what the store refuses.
var restrictedField = []struct {
	err             error
	field, sentence string
}{
	{selfrefer.ErrNobodyLeft, "may", "Nobody would be left who can help this person: name at least one colleague who may open it"},
	{selfrefer.ErrNoRestriction, "mode", "Name whom you keep out, or select that only those named may open it"},
	{selfrefer.ErrNotTheirs, "may", "Somebody whom you name may not work on this referral, or you keep them out as well: choose another"},
	{selfrefer.ErrHolderBarred, "never", "Whoever has this referral supports the person already: a senior must hand it over first"},
}

func (h *Handler) restrict(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	done := "restrict"
	if r.PostFormValue("do") == "lift" {
		done = "lift"
		err = h.Store.Lift(r.Context(), who, id)
	} else {
		x := selfrefer.Restriction{Only: r.PostFormValue("mode") == "only", NoPractice: r.PostFormValue("practice") != "", Reason: selfrefer.RestrictReason(r.PostFormValue("why")),
			Words: selfrefer.FreeText(strings.TrimSpace(r.PostFormValue("words")))}
		for into, values := range map[*[]staff.AccountID][]string{&x.May: r.PostForm["may"], &x.Never: r.PostForm["never"]} {
			for _, v := range values {
				a, _ := strconv.ParseInt(v, 10, 64) // what is no number is nobody's: it is refused
				*into = append(*into, staff.AccountID(a))
			}
		}
		if bad := checkRestriction(x); bad != nil {
			return h.showRestrict(w, r, who, http.StatusUnprocessableEntity, bad)
		}
		err = h.Store.Restrict(r.Context(), who, id, x)
		for _, f := range restrictedField {
			if errors.Is(err, f.err) {
				return h.showRestrict(w, r, who, http.StatusUnprocessableEntity, invalid{{Field: f.field, Sentence: f.sentence}})
			}
		}
	}
	if err != nil {
		return fmt.Errorf("%s a referral: %w", done, err)
	}
	to := queuePath + "?done=" + done
	if _, _, err := h.Store.Referral(r.Context(), who, id); err == nil { // who has kept themselves out, or sees no content, goes on with the queue
		to = referralPath(id) + "?done=" + done
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// glassScreen is the data of glass.html.
type glassScreen struct {
	Action, Reference, Promise string
	Tags                       []ui.Tag
	Reason                     ui.Field
}

func (h *Handler) glassPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showGlass(w, r, who, http.StatusOK, nil)
}

// showGlass says what happens before anybody breaks it.
func (h *Handler) showGlass(w http.ResponseWriter, r *http.Request, who staff.Account, status int, errs []ui.FieldError) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	ref, err := h.Store.Glass(r.Context(), who, id)
	if errors.Is(err, selfrefer.ErrNotNow) { // they can open it
		http.Redirect(w, r, referralPath(id), http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the referral: %w", err)
	}
	s := glassScreen{Action: referralPath(id) + "/glass", Reference: ref.Reference, Promise: "We promised a first contact by " + h.when(ref.Due) + "."}
	if ref.Urgent {
		s.Tags = append(s.Tags, ui.Tag{Text: "Urgent", Colour: "red"})
	}
	s.Tags = append(s.Tags, stateTag(ref.State), ui.Tag{Text: "Restricted", Colour: "purple"})
	s.Reason = ui.Field{Kind: ui.Textarea, Name: "reason", Label: "Why must you open it now?", Size: "s", Rows: 3, Hint: "The Caldicott guardian reads this, and whoever may open the referral", Value: r.PostFormValue("reason")}
	return h.show(w, r, status, "glass", ui.Page{Title: "Referral " + ref.Reference + " is restricted", Back: queuePath, Errors: errs, Data: s})
}

func (h *Handler) breakGlass(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	switch err := h.Store.BreakGlass(r.Context(), who, id, r.PostFormValue("reason")); {
	case errors.Is(err, selfrefer.ErrReason):
		return h.showGlass(w, r, who, http.StatusUnprocessableEntity, invalid{{Field: "reason", Sentence: reasonWanted}})
	case err != nil && !errors.Is(err, selfrefer.ErrNotNow):
		return fmt.Errorf("break the glass: %w", err)
	}
	http.Redirect(w, r, referralPath(id)+"?done=glass", http.StatusSeeOther)
	return nil
}

var reasonWanted = fmt.Sprintf("Enter why, in %d to %d characters", selfrefer.MinGlassReason, selfrefer.MaxReason)

// glassesScreen is the data of glasses.html.
type glassesScreen struct {
	Guardian string    // who it is; "" if none is set
	Choose   *ui.Field // for administrators
	Mine     bool      // who looks is told
	All      []breakingRow
}

type breakingRow struct {
	ID                          selfrefer.BreakingID
	Reference, Who, Why, Looked string
	Seen, Note                  string // who has acknowledged it; "" for nobody
	Action                      string
	Answer                      ui.Field
}

func (h *Handler) glassesPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showGlasses(w, r, who, http.StatusOK, nil)
}

func (h *Handler) showGlasses(w http.ResponseWriter, r *http.Request, who staff.Account, status int, errs []ui.FieldError) error {
	guardian, err := h.Store.Guardian(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read who the guardian is: %w", err)
	}
	all, err := h.Store.Breakings(r.Context(), who)
	if err != nil {
		return fmt.Errorf("read who has broken the glass: %w", err)
	}
	colleagues, err := h.Store.Accounts(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read who works here: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	s := glassesScreen{Guardian: name(guardian), Mine: guardian == who.ID || guardian == 0 && who.Role == staff.Administrator}
	if staff.May(who, staff.ManageStaff, who.Network) == nil {
		s.Choose = &ui.Field{Kind: ui.Select, Name: "guardian", Label: "Who is the Caldicott guardian?", Size: "s", Hint: "An administrator or a senior link worker", Value: strconv.FormatInt(int64(guardian), 10),
			Options: []ui.Option{{Value: "0", Label: "Nobody: every administrator is told"}}}
		for _, a := range colleagues {
			if staff.May(a, staff.ReadGlass, who.Network) == nil {
				s.Choose.Options = append(s.Choose.Options, ui.Option{Value: strconv.FormatInt(int64(a.ID), 10), Label: a.Name + ", " + a.Role.Words()})
			}
		}
	}
	for _, b := range all {
		row := breakingRow{ID: b.ID, Reference: b.Reference, Who: name(b.By) + ", " + h.when(b.At) + "; it stood open until " + h.when(b.Until), Why: b.Reason.Reveal(), Looked: referralPath(b.Referral) + "/looked",
			Note: b.Note.Reveal(), Action: fmt.Sprint(glassPath, "/", b.ID)}
		if b.SeenBy != 0 {
			row.Seen = "Acknowledged by " + name(b.SeenBy) + ", " + h.when(b.Seen)
		}
		row.Answer = ui.Field{Kind: ui.Textarea, Name: "note", ID: fmt.Sprint("note-", b.ID), Label: "What did you find?", Size: "s", Hint: "For example whom you asked. It can stay empty. Do not name a patient", Rows: 2, Value: r.PostFormValue("note")}
		s.All = append(s.All, row)
	}
	return h.show(w, r, status, "glasses", ui.Page{Title: "Who looked", Notice: notice(r), Errors: errs, Data: s})
}

func (h *Handler) setGuardian(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	id, err := strconv.ParseInt(r.PostFormValue("guardian"), 10, 64)
	if err == nil {
		err = h.Store.SetGuardian(r.Context(), who, staff.AccountID(id))
	}
	if errors.Is(err, strconv.ErrSyntax) || errors.Is(err, selfrefer.ErrNotTheirs) {
		return h.showGlasses(w, r, who, http.StatusUnprocessableEntity, invalid{{Field: "guardian", Sentence: "Choose an administrator or a senior link worker of your network"}})
	}
	if err != nil {
		return fmt.Errorf("choose the guardian: %w", err)
	}
	http.Redirect(w, r, glassPath+"?done=guardian", http.StatusSeeOther)
	return nil
}

func (h *Handler) acknowledge(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.BreakingID](r, "breaking")
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	switch err := h.Store.Acknowledge(r.Context(), who, id, r.PostFormValue("note")); {
	case errors.Is(err, selfrefer.ErrReason):
		return h.showGlasses(w, r, who, http.StatusUnprocessableEntity, invalid{{Field: fmt.Sprint("note-", id), Sentence: fmt.Sprintf("This must be %d characters or fewer", selfrefer.MaxReason)}})
	case err != nil:
		return fmt.Errorf("acknowledge: %w", err)
	}
	http.Redirect(w, r, glassPath+"?done=acknowledge", http.StatusSeeOther)
	return nil
}

// lookedScreen is the data of looked.html.
type lookedScreen struct {
	CSV   string
	Table ui.Table
}

func (h *Handler) lookedPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, reference, all, name, err := h.looked(r, who)
	if err != nil {
		return err
	}
	t := ui.Table{Caption: "The latest first", Stacked: true, Empty: "Nobody has opened it.", Head: []ui.Cell{{Text: "When"}, {Text: "Who"}, {Text: "Referral"}, {Text: "How"}}}
	for _, l := range all {
		how := ui.Cell{Text: "Opened it"}
		if l.Glass {
			how = ui.Cell{Text: "Broke the glass", Tag: "red"}
		}
		t.Rows = append(t.Rows, []ui.Cell{{Text: capital(h.when(l.At))}, {Text: name(l.By)}, {Text: l.Reference}, how})
	}
	back := referralPath(id)
	if staff.May(who, staff.ViewReferral, who.Network) != nil {
		back = queuePath
	}
	return h.show(w, r, http.StatusOK, "looked", ui.Page{Title: "Who has looked at " + reference, Back: back, Data: lookedScreen{referralPath(id) + "/looked.csv", t}})
}

func (h *Handler) looked(r *http.Request, who staff.Account) (id selfrefer.ReferralID, reference string, all []selfrefer.Look, name func(staff.AccountID) string, err error) {
	if id, err = pathID[selfrefer.ReferralID](r, "id"); err != nil {
		return id, "", nil, nil, err
	}
	if reference, all, err = h.Store.WhoLooked(r.Context(), who, id); err != nil {
		return id, "", nil, nil, fmt.Errorf("read who has looked: %w", err)
	}
	name, err = h.names(r.Context(), who.Network)
	return id, reference, all, name, err
}

// lookedCSV is for the patient, who has a right to know.
func (h *Handler) lookedCSV(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	_, reference, all, name, err := h.looked(r, who)
	if err != nil {
		return err
	}
	rows := [][]string{{"When", "Who", "Referral", "How"}}
	for _, l := range all {
		rows = append(rows, []string{l.At.In(h.zone).Format("02/01/2006 15:04"), name(l.By), l.Reference, map[bool]string{true: "broke the glass", false: "opened it"}[l.Glass]})
	}
	return writeCSV(w, "who-looked-"+reference+".csv", rows)
}

// restrictionJSON is who may open a referral, as the API tells it.
type restrictionJSON struct {
	Restricted bool                     `json:"restricted"`
	Only       bool                     `json:"only"`
	May        []holderJSON             `json:"may"`
	Never      []holderJSON             `json:"never"`
	NoPractice bool                     `json:"no_practice"`
	Reason     selfrefer.RestrictReason `json:"reason,omitempty"`
	Words      string                   `json:"words,omitempty"`
	By         *holderJSON              `json:"by,omitempty"`
	At         *time.Time               `json:"at,omitempty"`
	Also       []originJSON             `json:"also"` // further restrictions that hold for it
}

type originJSON struct {
	ID        selfrefer.ReferralID `json:"id"`
	Reference string               `json:"reference"`
}

func (h *Handler) getRestriction(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	x, err := h.Store.Restriction(r.Context(), who, id)
	if err != nil {
		return fmt.Errorf("read who may open the referral: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	j := restrictionJSON{Restricted: x.Set, Only: x.Only, May: []holderJSON{}, Never: []holderJSON{}, NoPractice: x.NoPractice, Reason: x.Reason, Words: x.Words.Reveal(), At: instant(x.At), Also: []originJSON{}}
	for _, a := range x.May {
		j.May = append(j.May, holderJSON{a, name(a)})
	}
	for _, a := range x.Never {
		j.Never = append(j.Never, holderJSON{a, name(a)})
	}
	for _, o := range x.Others {
		j.Also = append(j.Also, originJSON{o.ID, o.Reference})
	}
	if x.By != 0 {
		j.By = &holderJSON{x.By, name(x.By)}
	}
	return writeJSON(w, http.StatusOK, j)
}

func (h *Handler) putRestriction(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	var body struct {
		Only       bool                     `json:"only"`
		May        []staff.AccountID        `json:"may"`
		Never      []staff.AccountID        `json:"never"`
		NoPractice bool                     `json:"no_practice"`
		Reason     selfrefer.RestrictReason `json:"reason"`
		Words      string                   `json:"words"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	x := selfrefer.Restriction{Only: body.Only, May: body.May, Never: body.Never, NoPractice: body.NoPractice, Reason: body.Reason, Words: selfrefer.FreeText(strings.TrimSpace(body.Words))}
	if bad := checkRestriction(x); bad != nil {
		return bad
	}
	if err := h.Store.Restrict(r.Context(), who, id, x); err != nil {
		return fmt.Errorf("restrict a referral: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) liftRestriction(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	if err := h.Store.Lift(r.Context(), who, id); err != nil {
		return fmt.Errorf("lift a restriction: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) breakGlassAPI(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	var body struct {
		Reason string `json:"reason"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	if err := h.Store.BreakGlass(r.Context(), who, id, body.Reason); err != nil {
		return fmt.Errorf("break the glass: %w", err)
	}
	return h.getReferral(w, r, who)
}

func (h *Handler) listLooks(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	page, err := asked(r, usualPage)
	if err != nil {
		return err
	}
	at, err := place(page, 1)
	if err != nil {
		return err
	}
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	reference, all, err := h.Store.WhoLookedAfter(r.Context(), who, id, at[0], page.Fetch())
	if err != nil {
		return fmt.Errorf("read who has looked: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	all, next := ui.CutPage(all, page, func(l selfrefer.Look) string { return ui.Next(l.ID) })
	type look struct {
		At        time.Time  `json:"at"`
		By        holderJSON `json:"by"`
		Reference string     `json:"reference"`
		Glass     bool       `json:"broke_the_glass"`
	}
	out := struct {
		Reference string `json:"reference"`
		Looks     []look `json:"looks"`
		Next      string `json:"next,omitempty"`
	}{reference, []look{}, next}
	for _, l := range all {
		out.Looks = append(out.Looks, look{l.At.UTC(), holderJSON{l.By, name(l.By)}, l.Reference, l.Glass})
	}
	return writeJSON(w, http.StatusOK, out)
}

func (h *Handler) listBreakings(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	page, err := asked(r, usualPage)
	if err != nil {
		return err
	}
	at, err := place(page, 1)
	if err != nil {
		return err
	}
	all, err := h.Store.BreakingsAfter(r.Context(), who, selfrefer.BreakingID(at[0]), page.Fetch())
	if err != nil {
		return fmt.Errorf("read who has broken the glass: %w", err)
	}
	all, next := ui.CutPage(all, page, func(b selfrefer.Breaking) string { return ui.Next(int64(b.ID)) })
	guardian, err := h.Store.Guardian(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read who the guardian is: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	type breaking struct {
		ID        selfrefer.BreakingID `json:"id"`
		Referral  selfrefer.ReferralID `json:"referral"`
		Reference string               `json:"reference"`
		By        holderJSON           `json:"by"`
		At        time.Time            `json:"at"`
		Until     time.Time            `json:"until"`
		Reason    string               `json:"reason"`
		SeenBy    *holderJSON          `json:"acknowledged_by,omitempty"`
		Seen      *time.Time           `json:"acknowledged,omitempty"`
		Note      string               `json:"note,omitempty"`
	}
	out := struct {
		Guardian  *holderJSON `json:"guardian,omitempty"`
		Breakings []breaking  `json:"breakings"`
		Next      string      `json:"next,omitempty"`
	}{nil, []breaking{}, next}
	if guardian != 0 {
		out.Guardian = &holderJSON{guardian, name(guardian)}
	}
	for _, b := range all {
		j := breaking{ID: b.ID, Referral: b.Referral, Reference: b.Reference, By: holderJSON{b.By, name(b.By)}, At: b.At.UTC(), Until: b.Until.UTC(), Reason: b.Reason.Reveal(), Seen: instant(b.Seen), Note: b.Note.Reveal()}
		if b.SeenBy != 0 {
			j.SeenBy = &holderJSON{b.SeenBy, name(b.SeenBy)}
		}
		out.Breakings = append(out.Breakings, j)
	}
	return writeJSON(w, http.StatusOK, out)
}

func (h *Handler) acknowledgeAPI(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.BreakingID](r, "breaking")
	if err != nil {
		return err
	}
	var body struct {
		Note string `json:"note"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	if err := h.Store.Acknowledge(r.Context(), who, id, body.Note); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) putGuardian(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	var body struct {
		Account staff.AccountID `json:"account"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	if err := h.Store.SetGuardian(r.Context(), who, body.Account); err != nil {
		return fmt.Errorf("choose the guardian: %w", err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
