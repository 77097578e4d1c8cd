package desk

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// sameScreen is what a referral's page shows of the person's other referrals, in _same.html.
type sameScreen struct {
	Action            string // address of the referral
	Into              *sameInto
	Possible, Earlier []sameRow
	More              bool
	Joined            []samePart
	Hidden            string
	Reference         *ui.Field // of the other, if it is not listed
	Open              bool      // its form is unfolded: what was entered could not be taken
	Undo              *ui.Undo  // of the last step
}

// sameInto is where a referral goes on.
type sameInto struct {
	Reference, Href, By string
	Action              string // separates them; "" if who looks may not
}

// sameRow is another referral of what may be the same person.
type sameRow struct {
	ID                    selfrefer.ReferralID
	Reference, Href, Name string
	State                 ui.Tag
	When, Has             string
	Why, Against          string
	Join                  bool
	Ours                  string // which of the two goes on, in words
}

// samePart is a referral that goes on in this one, with its answers.
type samePart struct {
	referralScreen
	Href, When string
	Separate   string // address that separates it; "" if who looks may not
}

// same puts together what is known of the person from their other referrals.
func (h *Handler) same(r *http.Request, ref selfrefer.Referral, who staff.Account, name func(staff.AccountID) string, errs []ui.FieldError) (*sameScreen, error) {
	known, err := h.Store.Same(r.Context(), who, ref.ID)
	if err != nil {
		return nil, fmt.Errorf("find the person's other referrals: %w", err)
	}
	s := &sameScreen{Action: referralPath(ref.ID), More: known.More}
	if known.Hidden > 0 {
		s.Hidden = "What you may not open was joined, too: " + plural(known.Hidden, "referral") + "."
	}
	if on := known.Into; on != nil {
		s.Into = &sameInto{Reference: on.Reference, Href: referralPath(on.ID), By: name(known.By)}
		if selfrefer.MaySeparate(who, *on, known.By) == nil {
			s.Into.Action = s.Action + "/separate"
		}
	}
	for _, a := range known.Possible {
		s.Possible = append(s.Possible, h.sameRow(ref, a, who, name))
	}
	for _, a := range known.Earlier {
		s.Earlier = append(s.Earlier, h.sameRow(ref, a, who, name))
	}
	for _, j := range known.Joined {
		p := samePart{Href: referralPath(j.ID), When: "Joined by " + name(j.By) + " at " + h.when(j.At) + "; received at " + h.when(j.Received)}
		p.Reference, p.Said, p.Lines = j.Reference, replyWords(j.Answers.Said, j.Answers.Media), lines(highlight(j.Answers.Words))
		for _, l := range j.Later {
			p.Later = append(p.Later, laterLine{h.when(l.At), replyWords(l.Said, l.Media), lines(highlight(l.Words))})
		}
		if len(selfrefer.Find(j.Answers.Needs)) > 0 {
			p.Needs = lines(highlight(j.Answers.Needs))
		}
		p.safety(j.Referral)
		p.ShowNumber = p.ShowNumber && ref.Answers.CallSafe == selfrefer.SafeYes // whichever form says no counts
		if j.Phone == ref.Phone {
			p.Number = ""
		}
		p.Answers = answers(j.Referral)
		if j.JoinedTo == ref.ID && selfrefer.MaySeparate(who, ref, j.By) == nil {
			p.Separate = p.Href + "/separate"
		}
		s.Joined = append(s.Joined, p)
	}
	if works := staff.May(who, staff.WorkReferral, ref.Network) == nil; works && (ref.State.Open() || ref.State == selfrefer.InSupport) {
		s.Reference = &ui.Field{Kind: ui.Text, Name: "reference", Label: "Which is the other?", Size: "s", Hint: "Its reference, for example K7QP-3XYZ", Width: 10, Value: r.PostFormValue("reference"), Autocomplete: "off", NoSpellcheck: true, Code: true}
		s.Open = slices.ContainsFunc(errs, func(e ui.FieldError) bool { return e.Field == "reference" })
	}
	if known.Step != nil {
		s.Undo = h.undoOf(ref.ID, *known.Step)
		s.Undo.Words = "You can undo this until " + ui.Clock(known.Step.Until().In(h.zone)) + ": " + s.Undo.Of + "."
	}
	return s, nil
}

func (h *Handler) sameRow(ref selfrefer.Referral, a selfrefer.Alike, who staff.Account, name func(staff.AccountID) string) sameRow {
	row := sameRow{ID: a.ID, Reference: a.Reference, Href: referralPath(a.ID), Name: a.Name.Reveal(), State: stateTag(a.State), When: "Received at " + h.when(a.Received), Has: name(a.ClaimedBy)}
	if !a.ClosedAt.IsZero() {
		row.When += ", ended at " + h.when(a.ClosedAt)
	}
	var why []string
	for _, l := range a.Why {
		why = append(why, l.Words())
	}
	row.Why = capital(strings.Join(why, "; "))
	if a.TwoNumbers {
		row.Against = "Their NHS numbers differ: they are two people, or one number is wrong."
	}
	on, gone := selfrefer.GoesOn(ref, a.Referral)
	if row.Join = selfrefer.MayJoin(who, on, gone) == nil; row.Join {
		row.Ours = on.Reference + " goes on; " + gone.Reference + " leaves the queue, and its answers stay readable here."
	}
	return row
}

// lower begins words in the middle of a sentence.
func lower(s string) string { return strings.ToLower(s[:min(1, len(s))]) + s[min(1, len(s)):] }

func referralPath(id selfrefer.ReferralID) string { return fmt.Sprintf("/desk/referrals/%d", id) }

func (h *Handler) undoOf(id selfrefer.ReferralID, s selfrefer.Step) *ui.Undo {
	return &ui.Undo{Action: referralPath(id) + "/undo", Button: "Undo", Of: lower(eventWords[s.Event]), Event: string(s.Event)}
}

// undoNotice is the button beside the sentence that says what has just been done, on whichever page that leads to; nil if it cannot be undone.
func (h *Handler) undoNotice(r *http.Request, who staff.Account) *ui.Undo {
	id, err := strconv.ParseInt(r.URL.Query().Get("of"), 10, 64)
	if err != nil {
		return nil
	}
	step, err := h.Store.LastStep(r.Context(), who, selfrefer.ReferralID(id))
	if err != nil || step == nil || string(step.Event) != r.URL.Query().Get("done") { // a button less, and what was done stays done
		return nil
	}
	return h.undoOf(selfrefer.ReferralID(id), *step)
}

// undoPage undoes the last step of a referral.
func (h *Handler) undoPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	_, left, err := h.Store.Undo(r.Context(), who, id)
	if errors.Is(err, selfrefer.ErrCannotUndo) {
		return h.showReferral(w, r, who, id, http.StatusConflict, []ui.FieldError{{Sentence: cannotUndo}})
	}
	if err != nil {
		return fmt.Errorf("undo a step: %w", err)
	}
	done := "undo"
	if left {
		done = "undo_left"
	}
	http.Redirect(w, r, referralPath(id)+"?done="+done, http.StatusSeeOther)
	return nil
}

const cannotUndo = "This cannot be undone any more: a quarter of an hour has passed, something came after it, or somebody else has opened the referral."

// joinPage makes one case of two referrals: of one that was listed, by its id, or of one whose reference was typed.
func (h *Handler) joinPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	other, err := strconv.ParseInt(r.PostFormValue("other"), 10, 64)
	if err != nil {
		var bad invalid
		if other, bad, err = h.byReference(r, who, r.PostFormValue("reference")); err != nil {
			return err
		}
		if bad != nil {
			return h.showReferral(w, r, who, id, http.StatusUnprocessableEntity, bad)
		}
	}
	on, err := h.Store.Join(r.Context(), who, id, selfrefer.ReferralID(other))
	if told, err := h.notJoined(r, who, on, err); told != "" || err != nil {
		if err != nil {
			return fmt.Errorf("join referrals: %w", err)
		}
		return h.showReferral(w, r, who, id, http.StatusConflict, []ui.FieldError{{Sentence: told}})
	}
	http.Redirect(w, r, referralPath(on.ID)+"?done=join", http.StatusSeeOther)
	return nil
}

// byReference finds a referral by the reference that somebody has typed.
func (h *Handler) byReference(r *http.Request, who staff.Account, typed string) (id int64, bad invalid, err error) {
	s, err := selfrefer.ParseSearch(typed)
	if err != nil || s.Reference == "" {
		return 0, invalid{{Field: "reference", Sentence: "Enter the reference of the other referral: eight letters and digits"}}, nil
	}
	found, err := h.Store.Search(r.Context(), who, selfrefer.Search{Reference: s.Reference})
	if err != nil {
		return 0, nil, fmt.Errorf("find the other referral: %w", err)
	}
	if len(found.Referrals) == 0 {
		return 0, invalid{{Field: "reference", Sentence: "There is no such referral that you may open"}}, nil
	}
	return int64(found.Referrals[0].ID), nil, nil
}

// notJoined says why two referrals could not be joined or separated; "" if they were.
func (h *Handler) notJoined(r *http.Request, who staff.Account, ref selfrefer.Referral, err error) (string, error) {
	switch {
	case errors.Is(err, selfrefer.ErrTaken):
		name, err := h.names(r.Context(), who.Network)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s has %s: only they, or a senior, can do this.", name(ref.ClaimedBy), ref.Reference), nil
	case errors.Is(err, selfrefer.ErrNotNow) && ref.ID != 0:
		return fmt.Sprintf("This cannot be done now: %s is %s.", ref.Reference, ref.State.Words()), nil
	}
	for _, f := range failures {
		if errors.Is(err, f.err) && (f.err == selfrefer.ErrJoined || f.err == selfrefer.ErrUrgentStays || f.err == selfrefer.ErrJoinedSince || f.err == selfrefer.ErrNotNow) { //nolint:errorlint // the table holds the errors themselves
			return f.sentence, nil
		}
	}
	return "", err
}

// separatePage takes a join back.
func (h *Handler) separatePage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	on, err := h.Store.Separate(r.Context(), who, id)
	if told, err := h.notJoined(r, who, on, err); told != "" || err != nil {
		if err != nil {
			return fmt.Errorf("separate referrals: %w", err)
		}
		return h.showReferral(w, r, who, id, http.StatusConflict, []ui.FieldError{{Sentence: told}})
	}
	http.Redirect(w, r, referralPath(id)+"?done=separate", http.StatusSeeOther)
	return nil
}

// alikeJSON is another referral of what may be the same person.
type alikeJSON struct {
	ID         selfrefer.ReferralID `json:"id"`
	Reference  string               `json:"reference"`
	State      selfrefer.State      `json:"state"`
	Name       string               `json:"name,omitempty"`
	Received   time.Time            `json:"received"`
	Closed     *time.Time           `json:"closed,omitempty"`
	ClaimedBy  *holderJSON          `json:"claimed_by,omitempty"`
	Why        []selfrefer.Likeness `json:"why"`
	TwoNumbers bool                 `json:"nhs_numbers_differ,omitempty"`
}

// joinedJSON is a referral that goes on in another.
type joinedJSON struct {
	ID        selfrefer.ReferralID `json:"id"`
	Reference string               `json:"reference"`
	JoinedTo  selfrefer.ReferralID `json:"joined_to"`
	By        holderJSON           `json:"by"`
	At        time.Time            `json:"at"`
	Received  time.Time            `json:"received"`
	WhyUrgent []string             `json:"why_urgent,omitempty"`
	Phone     string               `json:"phone,omitempty"`
	Answers   selfrefer.Answers    `json:"answers"`
	Later     []laterJSON          `json:"later,omitempty"`
}

// stepJSON is the step that can be undone.
type stepJSON struct {
	Event selfrefer.Event `json:"event"`
	Until time.Time       `json:"until"`
}

// sameJSON is what the API tells of the person's other referrals, with a referral.
type sameJSON struct {
	Possible []alikeJSON          `json:"possible_duplicates,omitempty"`
	Earlier  []alikeJSON          `json:"earlier_contact,omitempty"`
	More     bool                 `json:"more_alike,omitempty"` // than are listed
	Joined   []joinedJSON         `json:"joined,omitempty"`
	GoesOn   selfrefer.ReferralID `json:"goes_on_in,omitempty"`
	CanUndo  *stepJSON            `json:"can_undo,omitempty"`
}

func (h *Handler) toldSame(r *http.Request, who staff.Account, id selfrefer.ReferralID, name func(staff.AccountID) string) (j sameJSON, err error) {
	known, err := h.Store.Same(r.Context(), who, id)
	if err != nil {
		return j, fmt.Errorf("find the person's other referrals: %w", err)
	}
	told := func(all []selfrefer.Alike) (out []alikeJSON) {
		for _, a := range all {
			row := alikeJSON{ID: a.ID, Reference: a.Reference, State: a.State, Name: a.Name.Reveal(), Received: a.Received.UTC(), Closed: instant(a.ClosedAt), Why: a.Why, TwoNumbers: a.TwoNumbers}
			if a.ClaimedBy != 0 {
				row.ClaimedBy = &holderJSON{a.ClaimedBy, name(a.ClaimedBy)}
			}
			out = append(out, row)
		}
		return out
	}
	j = sameJSON{Possible: told(known.Possible), Earlier: told(known.Earlier), More: known.More}
	for _, k := range known.Joined {
		row := joinedJSON{ID: k.ID, Reference: k.Reference, JoinedTo: k.JoinedTo, By: holderJSON{k.By, name(k.By)}, At: k.At.UTC(), Received: k.Received.UTC(), WhyUrgent: k.WhyUrgent, Answers: k.Answers}
		if !k.Phone.IsZero() {
			row.Phone = k.Phone.Reveal()
		}
		for _, l := range k.Later {
			row.Later = append(row.Later, laterJSON{l.At.UTC(), l.Words, l.Said, l.Media})
		}
		j.Joined = append(j.Joined, row)
	}
	if known.Into != nil {
		j.GoesOn = known.Into.ID
	}
	if known.Step != nil {
		j.CanUndo = &stepJSON{known.Step.Event, known.Step.Until().UTC()}
	}
	return j, nil
}

// tellReferral answers with a referral as it stands now.
func (h *Handler) tellReferral(w http.ResponseWriter, r *http.Request, who staff.Account, ref selfrefer.Referral, left bool) error {
	j, name, err := h.whole(r.Context(), ref, who)
	if err != nil {
		return err
	}
	if j.sameJSON, err = h.toldSame(r, who, ref.ID, name); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		referralJSON
		Left bool `json:"already_sent,omitempty"`
	}{j, left})
}

func (h *Handler) undo(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	ref, left, err := h.Store.Undo(r.Context(), who, id)
	if err != nil {
		return fmt.Errorf("undo a step: %w", err)
	}
	return h.tellReferral(w, r, who, ref, left)
}

func (h *Handler) join(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	var body struct {
		Other selfrefer.ReferralID `json:"other"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	on, err := h.Store.Join(r.Context(), who, id, body.Other)
	return h.tellJoined(w, r, who, on, err)
}

func (h *Handler) separate(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	on, err := h.Store.Separate(r.Context(), who, id)
	return h.tellJoined(w, r, who, on, err)
}

// tellJoined answers with the referral that goes on, read anew: it is audited as a view.
func (h *Handler) tellJoined(w http.ResponseWriter, r *http.Request, who staff.Account, on selfrefer.Referral, err error) error {
	if on.ID != 0 && (errors.Is(err, selfrefer.ErrTaken) || errors.Is(err, selfrefer.ErrNotNow)) {
		return h.tellConflict(w, r, on, err, who)
	}
	if err != nil {
		return fmt.Errorf("join or separate referrals: %w", err)
	}
	ref, _, err := h.Store.Referral(r.Context(), who, on.ID)
	if err != nil {
		return fmt.Errorf("read the referral: %w", err)
	}
	return h.tellReferral(w, r, who, ref, false)
}
