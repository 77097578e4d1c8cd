package selfrefer

import (
	"context"
	"fmt"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Keeper is the store's side of what people tell us. Whatever it acknowledges is durable twice: in the database and in the journal,
// or, while the database refuses, in the journal alone.
type Keeper interface {
	// Keep stores a form and gives its receipt. The same form id gives the same receipt. ErrNotKept if nothing could keep it.
	Keep(ctx context.Context, f Form, judge func(Matched) Judgement) (Receipt, error)
	// OptOut puts a number or a person out of reach before it returns.
	OptOut(ctx context.Context, o OptOut) error
}

// Matched is what the link leads to, read in the transaction that keeps the form.
type Matched struct {
	Found   bool // the token belongs to a text
	Spent   bool // a referral came by it already
	Expired bool
	Team    staff.Team
	// Born are the birth dates of everybody on that number: several people may share it.
	Born []person.BirthDate
}

// Judgement is what the domain makes of a form.
type Judgement struct {
	Lane       Lane
	NotMatched string // why unverified, for staff
	// Person is the index into Matched.Born of who it is; -1 if nobody matches.
	Person    int
	Urgent    bool
	WhyUrgent []string
}

// Judge decides the lane and the urgency of a form. Nothing turns a person away.
func Judge(f Form, m Matched, today time.Time) Judgement {
	return judge(f, m, today, Urgency(f.Answers))
}

func judge(f Form, m Matched, today time.Time, urgency []string) Judgement {
	j := Judgement{Lane: Unverified, Person: -1, WhyUrgent: urgency}
	j.Urgent = len(j.WhyUrgent) > 0
	switch {
	case f.Source == ByReply && m.Found && len(m.Born) == 1:
		j.Lane, j.Person = Verified, 0
	case f.Source == ByReply:
		j.NotMatched = "a reply from a number that belongs to nobody, or to several people, on the list"
	case f.Source != ByLink:
		j.NotMatched = "came without a link"
	case !m.Found:
		j.NotMatched = "the link is not one of ours"
	case m.Spent:
		j.NotMatched = "somebody has referred themselves by this link already"
	case m.Expired:
		j.NotMatched = "the link had expired"
	case f.Answers.ForOther:
		j.NotMatched = "filled in for someone else"
	default:
		born, err := person.ParseBirthDate(f.Answers.BirthDate, today)
		j.NotMatched = "the birth date is not the one on the list"
		switch {
		case f.Answers.BirthDate == "":
			j.NotMatched = "no birth date was given"
		case err != nil:
			j.NotMatched = "the birth date cannot be read"
		}
		for i, b := range m.Born {
			if err == nil && b == born {
				j.Lane, j.Person, j.NotMatched = Verified, i, ""
				break
			}
		}
	}
	if j.Urgent {
		j.Lane = Verified // first lane, whoever it is: NotMatched still says that nobody has confirmed the person
	}
	return j
}

// Receiver takes forms, replies and opt-outs.
type Receiver struct {
	Keeper Keeper
	Undoer Undoer           // nil where opt-outs cannot be undone
	Now    func() time.Time // civil
}

// Receive keeps a form. The receipt may be shown to the person: it is durable.
func (r *Receiver) Receive(ctx context.Context, f Form) (Receipt, error) {
	if f.At.IsZero() {
		f.At = r.Now()
	}
	urgency := Urgency(f.Answers) // read here: the keeper asks for a judgement while it holds its only writer
	rc, err := r.Keeper.Keep(ctx, f, func(m Matched) Judgement { return judge(f, m, f.At, urgency) })
	if err != nil {
		return Receipt{}, fmt.Errorf("keep a self-referral: %w", err)
	}
	return rc, nil
}
