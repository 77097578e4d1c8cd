package campaign

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// CorrectionID names a correction.
type CorrectionID int64

// Correction says to those whom a campaign has texted what was wrong with their text. It is no step of the campaign, and its texts are service
// texts of the kind [CorrectionText]: the campaign stays paused or stopped if it is, nothing paces them, and they count as no invitation. They
// leave within the hours of the campaign, at the rate of the sender, and cost its money. Each lives as a message does, the look into the
// provider's record included: a correction that is lost leaves somebody with the wrong text, so one that never left is sent again.
type Correction struct {
	ID       CorrectionID
	Campaign ID
	State    CorrectionState
	Wording
	// Held says why sending is held; "" if nothing holds it.
	Held     string
	Planning bool // not everybody has been looked at yet
	// Counts are its texts by state, and Cost what has left or may have left, in hundredths of a penny.
	Counts Counts
	Cost   int64

	WrittenBy, ApprovedBy          staff.AccountID
	WrittenAt, ApprovedAt, EndedAt time.Time
}

// CorrectionState is where a correction stands.
type CorrectionState string

// The states of a correction.
const (
	CorrectionWritten CorrectionState = "written" // waits for somebody to approve it
	CorrectionSending CorrectionState = "sending"
	CorrectionDone    CorrectionState = "done"
	CorrectionStopped CorrectionState = "stopped"
)

// Wording is what is written of a correction, and what a second person approves: the words, and to whom.
type Wording struct {
	Text         string                    `json:"text"`
	Translations map[lang.Code]Translation `json:"translations,omitempty"`
	Whom         Whom                      `json:"whom"`
}

// Whom narrows who gets a correction, of those whom the campaign had texted when it was written.
type Whom struct {
	From time.Time `json:"from,omitzero"` // when their text was handed to the provider; zero: from the first on
	// To is never zero once it is written: who is texted afterwards is not corrected, so that the number which is approved can be counted.
	To   time.Time `json:"to"`
	Step int       `json:"step,omitempty"` // 0: any
	// Language is that in which they had their text; "" for any. With the step it names one wording.
	Language lang.Code `json:"language,omitempty"`
	// Uncorrected leaves out who has had an earlier correction of the campaign, or may have had one.
	Uncorrected bool `json:"uncorrected,omitempty"`
}

// CorrectionLasts is how long after its approval a correction may still leave: the long weekend of a network that texts on weekdays is well
// within it, and what could not be sent for two weeks helps nobody any more.
const CorrectionLasts = 14 * 24 * time.Hour

// Errors of a correction.
var (
	ErrCorrecting      = errors.New("a correction of this campaign is under way; wait until it has ended, or stop it")
	ErrNobodyTexted    = errors.New("nobody would get this correction: the campaign has texted nobody, or nobody of those whom you chose")
	ErrOverBudget      = errors.New("this goes beyond the most that the campaign may cost; say that it is to be sent all the same")
	ErrCorrectionHands = errors.New("a second person has to approve: whoever wrote a correction cannot approve it")
	ErrCorrectionOther = errors.New("the correction is not the one that you have seen; look at it again")
)

// ErrMorePeople refuses an approval for fewer people than get the text now.
type ErrMorePeople struct{ Shown, Now int }

func (e ErrMorePeople) Error() string {
	return fmt.Sprintf("more people get this text now than you were shown: %d, no longer %d; look at it again, and type the new number", e.Now, e.Shown)
}

// CanCorrect tells whether the campaign is in a state in which somebody may have had a text of it.
func (c Campaign) CanCorrect() bool {
	switch c.State {
	case Running, Paused, Stopped, Finished:
		return !c.LaunchedAt.IsZero()
	}
	return false
}

// Hash is what the second person approves.
func (w Wording) Hash() string {
	b, err := json.Marshal(w)
	if err != nil {
		panic(fmt.Sprintf("campaign: a correction that cannot be written as JSON: %v", err)) // only words, numbers and times
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Texts parses the texts of a correction.
func (w Wording) Texts() (Texts, error) {
	all := Texts{}
	var err error
	if all[lang.English], err = text.ParseCorrection(w.Text); err != nil {
		return nil, err
	}
	for code, tr := range w.Translations {
		if all[code], err = text.ParseCorrection(tr.Text); err != nil {
			return nil, fmt.Errorf("in %s: %w", lang.Of(code).Name, err)
		}
	}
	return all, nil
}

// Unsendable finds all that forbids to send a correction: English first.
func (w Wording) Unsendable(in Setting) (all []ErrUnsendable) {
	return unsendable(ErrUnsendable{Step: correctionStep}, w.Text, w.Translations, text.ParseCorrection, in)
}

// InFirst are the texts of a correction, by the language in which somebody had the first text: English for all that it has no words in.
func (t Texts) InFirst(first lang.Code) (lang.Code, text.Template) {
	if tpl, ok := t[first]; ok {
		return first, tpl
	}
	return lang.English, t[lang.English]
}

// CorrectionApproval is what the second person says about a correction.
type CorrectionApproval struct {
	Approval
	// OverBudget sends it although the campaign then costs more than it may.
	OverBudget bool
	// Shown is the mark that came with the number of people which they were shown; "" if there is none. Only the store makes and knows one.
	Shown string
}

// MayApprove refuses an approval, by the rules of a campaign's: above OnePersonMost there are always two hands, and the second types how many
// people get the text.
//
// Who gets a correction is fixed when it is written, but while somebody looks at it people opt out, of a long list one every few seconds: what
// they type is held against what they saw. shown says that this very number was shown to them, and that somebody who cannot make it up says
// so. It may have sunk since; if it has grown, which is rare (an opt-out taken back, a text that arrived after all), they look again.
func (c Correction) MayApprove(who staff.AccountID, a CorrectionApproval, shown bool, r Reach, n staff.Network) error {
	large := r.People > OnePersonMost
	switch {
	case c.State != CorrectionWritten:
		return ErrNotNow
	case who == c.WrittenBy && (large || !n.OnePerson):
		return ErrCorrectionHands
	case a.Hash != "" && a.Hash != c.Hash():
		return ErrCorrectionOther
	case r.People == 0:
		return ErrNobodyTexted
	case a.People == 0 && large, a.People != 0 && a.People != r.People && !shown:
		return ErrPeople
	case a.People != 0 && a.People < r.People:
		return ErrMorePeople{Shown: a.People, Now: r.People}
	case r.OverBudget() && !a.OverBudget:
		return ErrOverBudget
	}
	return nil
}

// Reach is who gets a correction as things stand, and what that costs.
type Reach struct {
	Sizes
	People int
	In     map[lang.Code]int // people by the language of their first text
	Out    map[string]int    // those who get none, by why
	Cost   int64             // hundredths of a penny
	// Spent is what the campaign has cost until now, and Budget the most that it may cost, 0 for no limit.
	Spent, Budget int64
}

// OverBudget tells whether the campaign would cost more than it may.
func (r Reach) OverBudget() bool { return r.Budget > 0 && r.Spent+r.Cost > r.Budget }

// Why somebody gets no correction, beside what puts them out of reach of any text.
const (
	NeverLeft     = "never_left"        // they never got the text that is corrected
	OutOfAgree    = DisagreesCode       // their practice has refused, or withdrawn: it is theirs to tell
	HadCorrection = "corrected_already" // by an earlier correction
)

// Texted is what is known of somebody whom a campaign has texted.
type Texted struct {
	State     MessageState // of their text
	Step      int
	Language  lang.Code // of their text
	At        time.Time // when it was handed to the provider
	Refused   bool      // their practice has refused, or withdrawn
	Corrected bool      // an earlier correction has left for them, or may have
	// Suppressed is why their number or they must not be texted, and TakenOut why a fresh list has taken them out; "" if nothing speaks against it.
	Suppressed, TakenOut string
}

// Had tells whether somebody has had the text, as far as anybody can know: what is being sent, and what nobody knows the fate of, may be on a
// phone. Who may hold a wrong text must not be left with it, while a correction of a text that never came does little harm.
func (t Texted) Had() bool {
	switch t.State {
	case Accepted, Sent, Delivered, Sending, Unknown, Held:
		return true
	}
	return false
}

// Among tells whether somebody is among those whom a correction is for, whether or not they may get it.
func (w Whom) Among(t Texted) bool {
	return (t.Had() || t.State.Left()) && (w.Step == 0 || t.Step == w.Step) && (w.Language == "" || t.Language == w.Language) && !t.At.Before(w.From) && !t.At.After(w.To)
}

// NoCorrection is why somebody gets none; "" if they get one. Who asked for no more texts gets no more, not even this one; and neither do the
// family of who has died, nor whoever has a number that is somebody else's now. A practice that has withdrawn tells its patients itself.
func (w Whom) NoCorrection(t Texted) string {
	switch {
	case t.Suppressed != "":
		return t.Suppressed
	case t.TakenOut != "":
		return t.TakenOut
	case t.Refused:
		return OutOfAgree
	case !t.Had():
		return NeverLeft
	case w.Uncorrected && t.Corrected:
		return HadCorrection
	}
	return ""
}

// CorrectionFacts is what the claim of a correction has to know, read in its own transaction.
type CorrectionFacts struct {
	Texted
	Whom        Whom
	State       CorrectionState
	Held        bool // the account is refused
	Quarantined bool
	// Stranger is set if the provider has shown a text to this number, since the one that is corrected, of which the database knows nothing: it may
	// have been this correction, in a life that is forgotten.
	Stranger bool
	Expires  time.Time
	// From and Until are the hours in which it may leave, from now on; Until is zero if there are none in the coming weeks.
	From, Until time.Time
}

// CorrectionVerdict is a Verdict, and for a Recall from when on it is worth while to ask again.
type CorrectionVerdict struct {
	Verdict
	After time.Time
}

// unsettledWait is when to look again at a text of which nobody knows yet whether it left: the reconciler is at it.
const unsettledWait = time.Minute

// AdmitCorrection decides whether a correction may be sent now. It is asked inside the claim's transaction, with the number locked.
func AdmitCorrection(now time.Time, f CorrectionFacts) CorrectionVerdict {
	verdict := func(on Event, why string, after time.Time) CorrectionVerdict {
		return CorrectionVerdict{Verdict{on, why}, after}
	}
	out := f.Whom.NoCorrection(f.Texted)
	switch {
	case f.Quarantined: // before all else: what it says of the number may be out of date too
		return verdict(Recall, "quarantined", now)
	case out != "":
		return verdict(Suppress, out, now)
	case f.Stranger:
		return verdict(Suppress, string(ExRecentlyTexted), now)
	case f.State != CorrectionSending:
		return verdict(Expire, "stopped", now)
	case !now.Before(f.Expires) || f.Until.IsZero():
		return verdict(Expire, "too_late", now)
	case f.Held:
		return verdict(Recall, "held", now)
	case f.Texted.State == Sending || f.Texted.State == Unknown: // a Held one is sent: a person may take days
		return verdict(Recall, "unsettled", now.Add(unsettledWait))
	case f.From.After(now):
		return verdict(Recall, "window_closed", f.From)
	}
	return verdict(Claim, "", now)
}

// DefaultCorrection is what a new correction starts with.
const DefaultCorrection = "This is ((practice)). We are sorry: the text that we sent you before was wrong. Please ignore it. You need not do anything.\n" +
	"Questions? Ring ((phone)).\n" +
	"No more texts: ((stop_link))"

// correctionStep stands for a correction where the step of a text is named.
const correctionStep = -1
