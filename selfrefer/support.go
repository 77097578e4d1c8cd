package selfrefer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Note is a note by itself, on a referral that is open or in support. Anybody may write one who works on referrals: whoever happens to take
// the person's call must be able to leave word for the holder.
const Note Event = "note"

// Day is a day of the calendar as 2026-06-04: what happened on a day, or is planned for one, has no hour and no time zone. Days compare as
// strings do; "" is none.
type Day string

// DayOf is the day of a time in a zone.
func DayOf(t time.Time, zone *time.Location) Day { return Day(t.In(zone).Format(time.DateOnly)) }

// ParseDay reads 2026-06-04. Years are those of living memory, so that a slip of the finger does not hide a task for a century.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 2000 || t.Year() > 2099 {
		return "", errors.New("a day must be written as 2026-06-04")
	}
	return Day(s), nil
}

// Date is the day's midnight in UTC: for its words alone. It is the zero time for no day.
func (d Day) Date() time.Time {
	t, _ := time.Parse(time.DateOnly, string(d))
	return t
}

// FreeText is what staff wrote about a person. It hides itself, as answers do.
type FreeText string

// Reveal gives the words, for the desk and the seal.
func (f FreeText) Reveal() string { return string(f) }

// String hides the words.
func (FreeText) String() string { return "[words]" }

// GoString hides the words from %#v.
func (FreeText) GoString() string { return "[words]" }

// LogValue hides the words from logs.
func (FreeText) LogValue() slog.Value { return slog.StringValue("[words]") }

// MarshalText hides the words from JSON and its like.
func (FreeText) MarshalText() ([]byte, error) { return []byte("[words]"), nil }

// EntryID names one thing that was recorded: a task, a goal, an onward referral, an intervention, a measure.
type EntryID int64

// TaskKind is a sort of task.
type TaskKind string

// The kinds.
const (
	PlainTask TaskKind = "task"
	FollowUp  TaskKind = "follow_up" // a planned contact with the person
)

// Task is something to do by a day.
type Task struct {
	ID       EntryID
	Referral ReferralID
	Kind     TaskKind
	// For is who does it; 0 is whoever has the referral, so that it goes along when that is handed over.
	For    staff.AccountID
	Due    Day
	Words  FreeText
	By     staff.AccountID
	At     time.Time
	DoneBy staff.AccountID
	DoneAt time.Time // zero: to be done

	// Known in lists of tasks.
	Reference string
	Name      person.Name
	Urgent    bool // the referral
}

// TaskPlace is where a task stands in somebody's list, which goes by day. The zero value is before the first, and no place.
type TaskPlace struct {
	Due Day
	ID  EntryID
}

// MaxTasks is how many a list of somebody's tasks holds, the most pressing: more than anybody reads.
const MaxTasks = 200

// Open reports whether it is still to be done.
func (t Task) Open() bool { return t.DoneAt.IsZero() }

// Pressing tells how a task stands on a day.
type Pressing string

// How a task stands.
const (
	Overdue  Pressing = "overdue"
	Today    Pressing = "today"
	Upcoming Pressing = "later"
)

// PressingOn tells how it stands on a day.
func (t Task) PressingOn(today Day) Pressing {
	switch {
	case t.Due < today:
		return Overdue
	case t.Due == today:
		return Today
	}
	return Upcoming
}

// GoalState is how a goal goes.
type GoalState string

// The states of a goal.
const (
	WorkingOn GoalState = "working_on"
	Reached   GoalState = "reached"
	GivenUp   GoalState = "given_up"
)

// GoalStates lists them.
var GoalStates = []GoalState{WorkingOn, Reached, GivenUp}

// Goal is what the person wants to reach, in their words.
type Goal struct {
	ID    EntryID
	Words FreeText
	State GoalState
	Set   Day
	Ended Day // reached or given up; "" before
	By    staff.AccountID
}

// OnwardState is how an onward referral goes.
type OnwardState string

// The states of an onward referral.
const (
	Suggested   OnwardState = "suggested"
	Referred    OnwardState = "referred"
	Started     OnwardState = "started"
	DidNotStart OnwardState = "did_not_start"
)

// OnwardStates lists them in their order.
var OnwardStates = []OnwardState{Suggested, Referred, Started, DidNotStart}

// OnwardHow is how a person was passed on.
type OnwardHow string

// The ways.
const (
	ByThemselves OnwardHow = "self"  // the person gets in touch
	ByRinging    OnwardHow = "phone" // we rang the service
	ByMail       OnwardHow = "email"
	ByItsForm    OnwardHow = "form"
	InPerson     OnwardHow = "in_person" // we went along, or introduced them
)

// OnwardHows lists them.
var OnwardHows = []OnwardHow{ByThemselves, ByRinging, ByMail, ByItsForm, InPerson}

// OnwardReferral is one to a service of the directory, or to a place that only its name tells.
type OnwardReferral struct {
	ID      EntryID
	Service ServiceID // 0: Place names it
	Place   FreeText  // the service's name as it was then, or the other place
	How     OnwardHow
	State   OnwardState
	Day     Day
	Changed Day      // of the state
	Why     FreeText // a note; of one that did not start: why not
	By      staff.AccountID
}

// Intervention is something that the link worker did for the person.
type Intervention struct {
	ID      EntryID
	Kind    string // of Kinds, or of the network's own
	Day     Day
	Minutes int // 0: not noted
	Note    FreeText
	By      staff.AccountID
}

// Kind is one sort of intervention.
type Kind struct {
	Code  string `json:"code"`
	Words string `json:"words"`
}

// Kinds are the interventions that a network chooses among unless it has changed the list. They are what link workers record everywhere;
// the codes stay, for they are what is counted.
var Kinds = []Kind{
	{"information", "Information given"},
	{"signposted", "Signposted"},
	{"advocacy", "Advocacy"},
	{"accompanied", "Accompanied to a service"},
	{"form_filling", "Help with a form"},
	{"goal_setting", "Goal setting"},
	{"welfare_call", "Welfare call"},
	{"listening", "Time to talk"},
	{"home_visit", "Home visit"},
	{"liaison", "Spoke to another professional"},
}

// The bounds of a network's list of interventions.
const (
	MaxKinds     = 30
	MaxKindWords = 60
)

// ParseKinds reads a network's list of interventions, one in each line. Words that it knows keep their code; others are given one.
func ParseKinds(lines string, known []Kind) ([]Kind, error) {
	var all []Kind
	for line := range strings.Lines(lines) {
		words := squeeze(line)
		if words == "" {
			continue
		}
		if utf8.RuneCountInString(words) > MaxKindWords {
			return nil, fmt.Errorf("each line must have %d characters or fewer", MaxKindWords)
		}
		k := Kind{strings.Join(wordsOf(words), "_"), words}
		for _, old := range slices.Concat(known, Kinds) {
			if strings.EqualFold(old.Words, words) {
				k.Code = old.Code
				break
			}
		}
		if k.Code == "" {
			return nil, errors.New("each line must have a letter or a digit in it")
		}
		if slices.ContainsFunc(all, func(o Kind) bool { return o.Code == k.Code }) {
			return nil, errors.New("two lines are the same")
		}
		all = append(all, k)
	}
	switch {
	case len(all) == 0:
		return nil, errors.New("keep one line at least")
	case len(all) > MaxKinds:
		return nil, fmt.Errorf("keep %d lines or fewer", MaxKinds)
	}
	return all, nil
}

// Discharge is why the support of a person has ended.
type Discharge string

// The reasons. NotSaid is what has been closed without one.
const (
	NotSaid        Discharge = ""
	NeedsMet       Discharge = "needs_met"
	PassedOn       Discharge = "onward"
	DeclinedMore   Discharge = "declined_further_help"
	HasMoved       Discharge = "moved"
	HasDied        Discharge = "died"
	LostContact    Discharge = "lost_contact"
	OtherDischarge Discharge = "other"
)

// Discharges lists them with their words.
var Discharges = []struct {
	Reason Discharge
	Words  string
}{
	{NeedsMet, "Their needs are met"},
	{PassedOn, "Other services help them from here"},
	{DeclinedMore, "They do not want further help"},
	{HasMoved, "They have moved away"},
	{HasDied, "They have died"},
	{LostContact, "We have lost contact"},
	{OtherDischarge, "Another reason"},
}

// Words is the reason as people say it.
func (d Discharge) Words() string {
	for _, known := range Discharges {
		if known.Reason == d {
			return known.Words
		}
	}
	return ""
}

// ReasonKept is the reason of a discharge that an event is kept with: only the end of support has one, and being sent onward is one.
func ReasonKept(was State, c Contact) Discharge {
	switch {
	case was != InSupport:
		return NotSaid
	case c.Event == SendOnward:
		return PassedOn
	case c.Event == Close:
		return c.Reason
	}
	return NotSaid
}

// Support is all that was done with a person after the first contact. What was taken back is in it, marked, so that it can be put back.
type Support struct {
	Referral      Referral // with its reasons and languages, as its own page has it
	Tasks         []Task
	Goals         []Goal
	Onward        []OnwardReferral
	Interventions []Intervention
	Measures      []Measure
	Removed       map[EntryID]bool
	Ended         Discharge // why it has ended, if it has
	EndedAt       time.Time

	// What the network offers to record.
	Kinds []Kind
	Own   []OwnMeasure
}

// Change is one thing that somebody records of a person's support.
type Change interface {
	// Name is what the audit calls it.
	Name() string
	// Check says what cannot be taken. today is the network's.
	Check(today Day) []EntryFault
	// in tells in which states of the referral it may be recorded, and whether by those alone who have it or are senior.
	in(State) (possible, holdersOnly bool)
}

// EntryFault is a field that cannot be taken, and why.
type EntryFault struct{ Field, Sentence string }

// The changes.
type (
	// AddTask adds a task or a planned contact.
	AddTask struct{ Task Task }
	// TickTask says that a task is done, or that it is not after all.
	TickTask struct {
		ID   EntryID
		Done bool
	}
	// AddGoal adds a goal.
	AddGoal struct{ Goal Goal }
	// SetGoal changes how a goal goes.
	SetGoal struct {
		ID    EntryID
		State GoalState
		On    Day
	}
	// AddOnward adds an onward referral.
	AddOnward struct{ Onward OnwardReferral }
	// SetOnward changes how an onward referral goes.
	SetOnward struct {
		ID    EntryID
		State OnwardState
		On    Day
		Why   FreeText // "" leaves what stands there
	}
	// AddIntervention adds something that was done for the person.
	AddIntervention struct{ Intervention Intervention }
	// AddMeasure adds the answers to the questions of a measure.
	AddMeasure struct {
		Measure Measure
		Of      Instrument
	}
	// Remove takes back an entry that was recorded by mistake, or puts it back.
	Remove struct {
		Kind    SupportEntry
		ID      EntryID
		Removed bool
	}
)

// SupportEntry is a sort of entry of a referral's support that can be taken back.
type SupportEntry string

// The kinds.
const (
	GoalEntry         SupportEntry = "goal"
	OnwardEntry       SupportEntry = "onward"
	InterventionEntry SupportEntry = "intervention"
	MeasureEntry      SupportEntry = "measure"
)

// MayRecord answers whether who may record a change of a referral's support: whoever has it, and seniors. Tasks are everybody's who works on
// referrals: somebody else may take the call, or do what was asked for.
func MayRecord(who staff.Account, r Referral, c Change) error {
	if err := staff.May(who, staff.WorkReferral, r.Network); err != nil {
		return err
	}
	if r.Urgent {
		if err := staff.May(who, staff.ViewUrgent, r.Network); err != nil {
			return err
		}
	}
	possible, holders := c.in(r.State)
	if holders && r.ClaimedBy != who.ID && who.Role != staff.SeniorLinkWorker {
		return ErrTaken
	}
	if !possible {
		return ErrNotNow
	}
	return nil
}

// MayDo answers whether a task on a referral can be for a colleague.
func MayDo(colleague staff.Account, r Referral) error {
	if slices.Contains(r.Barred, colleague.ID) || staff.May(colleague, staff.WorkReferral, r.Network) != nil || r.Urgent && staff.May(colleague, staff.ViewUrgent, r.Network) != nil {
		return ErrNotTheirs
	}
	return nil
}

func inSupport(s State) (bool, bool) { return s == InSupport, true }

func (AddTask) in(s State) (bool, bool)         { return s.Open() || s == InSupport, false }
func (TickTask) in(State) (bool, bool)          { return true, false } // a task outlives the support: somebody has to say that it was done
func (AddGoal) in(s State) (bool, bool)         { return inSupport(s) }
func (SetGoal) in(s State) (bool, bool)         { return inSupport(s) }
func (AddMeasure) in(s State) (bool, bool)      { return inSupport(s) }
func (AddIntervention) in(s State) (bool, bool) { return inSupport(s) }

// in lets whoever was passed on at the first contact have it written down where to.
func (AddOnward) in(s State) (bool, bool) { return s == InSupport || s == Onward, true }

// in lets it be known afterwards whether they started.
func (SetOnward) in(s State) (bool, bool) { return s == InSupport || s == Onward || s == Closed, true }

func (c Remove) in(s State) (bool, bool) {
	if c.Kind == OnwardEntry {
		return AddOnward{}.in(s)
	}
	return inSupport(s)
}

func (AddTask) Name() string         { return "support.task" }
func (TickTask) Name() string        { return "support.task_done" }
func (AddGoal) Name() string         { return "support.goal" }
func (SetGoal) Name() string         { return "support.goal_state" }
func (AddOnward) Name() string       { return "support.onward" }
func (SetOnward) Name() string       { return "support.onward_state" }
func (AddIntervention) Name() string { return "support.intervention" }
func (AddMeasure) Name() string      { return "support.measure" }
func (Remove) Name() string          { return "support.remove" }

// The bounds of what is recorded, in characters.
const (
	MaxEntry   = 2000
	MaxPlace   = 200
	MaxMinutes = 24 * 60
)

// faults collects what is wrong with a change.
type faults []EntryFault

func (f *faults) when(bad bool, field, sentence string) {
	if bad {
		*f = append(*f, EntryFault{field, sentence})
	}
}

func (f *faults) words(s FreeText, field string, needed string, most int) {
	f.when(needed != "" && s == "", field, needed)
	f.when(utf8.RuneCountInString(string(s)) > most, field, fmt.Sprintf("This must be %d characters or fewer", most))
}

// past wants a day that has come.
func (f *faults) past(d Day, today Day) {
	f.when(d == "", "day", "Enter the day, for example 4 6 2026")
	f.when(d > today, "day", "The day must be today or before")
}

// Check says what cannot be taken.
func (c AddTask) Check(today Day) []EntryFault {
	var f faults
	f.words(c.Task.Words, "words", "Enter what is to be done", MaxEntry)
	f.when(c.Task.Due == "", "due", "Enter the day by which it is to be done, for example 4 6 2026")
	f.when(c.Task.Due != "" && c.Task.Due < today, "due", "The day must be today or later")
	f.when(c.Task.Kind != PlainTask && c.Task.Kind != FollowUp, "kind", "Select a task or a planned contact")
	return f
}

// Check says what cannot be taken.
func (TickTask) Check(Day) []EntryFault { return nil }

// Check says what cannot be taken.
func (c AddGoal) Check(Day) []EntryFault {
	var f faults
	f.words(c.Goal.Words, "words", "Enter the goal, in the person's words", MaxEntry)
	return f
}

// Check says what cannot be taken.
func (c SetGoal) Check(Day) []EntryFault {
	var f faults
	f.when(!slices.Contains(GoalStates, c.State), "state", "Select how the goal goes")
	return f
}

// Check says what cannot be taken.
func (c AddOnward) Check(today Day) []EntryFault {
	var f faults
	o := c.Onward
	if o.Service == 0 {
		f.words(o.Place, "place", "Choose a service, or enter the name of another place", MaxPlace)
	}
	f.when(!slices.Contains(OnwardHows, o.How), "how", "Select how they are passed on")
	f.when(!slices.Contains(OnwardStates, o.State), "state", "Select how far it is")
	f.past(o.Day, today)
	f.words(o.Why, "why", "", MaxEntry)
	f.when(o.State == DidNotStart && o.Why == "", "why", "Enter why they did not start")
	return f
}

// Check says what cannot be taken.
func (c SetOnward) Check(Day) []EntryFault {
	var f faults
	f.when(!slices.Contains(OnwardStates, c.State), "state", "Select how far it is")
	f.words(c.Why, "why", "", MaxEntry)
	f.when(c.State == DidNotStart && c.Why == "", "why", "Enter why they did not start")
	return f
}

// Check says what cannot be taken.
func (c AddIntervention) Check(today Day) []EntryFault {
	var f faults
	i := c.Intervention
	f.when(i.Kind == "", "kind", "Select what you did")
	f.past(i.Day, today)
	f.when(i.Minutes < 0 || i.Minutes > MaxMinutes, "minutes", "Minutes must be a whole number, of one day at most")
	f.words(i.Note, "note", "", MaxEntry)
	return f
}

// Check says what cannot be taken. Missing answers are none: people may leave out any question.
func (c AddMeasure) Check(today Day) []EntryFault {
	var f faults
	f.past(c.Measure.Day, today)
	f.when(len(c.Of.Questions) == 0, "kind", "Select a measure")
	f.when(len(c.Of.Questions) > 0 && len(c.Measure.Scores) == 0, "scores", "Enter one answer at least")
	asked := map[string]bool{}
	for _, q := range c.Of.Questions {
		asked[q.Item] = true
		score, answered := c.Measure.Scores[q.Item]
		f.when(answered && (score < q.Low || score > q.High), q.Item, fmt.Sprintf("The answer must be a whole number from %d to %d, or empty", q.Low, q.High))
	}
	for item := range c.Measure.Scores {
		f.when(!asked[item], "scores", "There is an answer to a question that this measure does not ask")
	}
	return f
}

// Check says what cannot be taken.
func (c Remove) Check(Day) []EntryFault {
	var f faults
	f.when(!slices.Contains([]SupportEntry{GoalEntry, OnwardEntry, InterventionEntry, MeasureEntry}, c.Kind), "entry", "Say which entry it is")
	return f
}

// ErrEntry means that an entry is not there, or that it cannot be taken as it is.
var ErrEntry = errors.New("this entry cannot be recorded")

// Aftercare is the store's side of what happens after the first contact. Every change is audited in its transaction, and so is every view.
type Aftercare interface {
	// Support opens what was done with a person. ErrNotFound across networks.
	Support(ctx context.Context, who staff.Account, id ReferralID) (Support, error)
	// RecordSupport applies one change. ErrTaken and ErrNotNow as [MayRecord] says; ErrNotTheirs if a task is for somebody who may not see the
	// referral; ErrEntry if it is about an entry that is not there.
	RecordSupport(ctx context.Context, who staff.Account, id ReferralID, c Change) error
	// ReferralTasks lists the tasks of a referral that its page shows, without another line in the audit: the page's own view is in it.
	ReferralTasks(ctx context.Context, who staff.Account, id ReferralID) ([]Task, error)
	// Tasks lists what somebody has to do, by day: what is theirs by name, and what belongs to the referrals that they have.
	Tasks(ctx context.Context, who staff.Account) ([]Task, error)
	// TasksAfter gives a page, and where the next one goes on. Of some referrals somebody may not be told: a page may hold fewer than limit.
	TasksAfter(ctx context.Context, who staff.Account, after TaskPlace, limit int) (all []Task, next TaskPlace, err error)
	// SupportOffer is what a network offers to record; own measures that are not used any more are last.
	SupportOffer(ctx context.Context, n staff.NetworkID) ([]Kind, []OwnMeasure, error)
	SetKinds(ctx context.Context, who staff.Account, kinds []Kind) error
	AddOwnMeasure(ctx context.Context, who staff.Account, m OwnMeasure) (int64, error)
	// UseOwnMeasure takes an own measure out of use, or into use again. What was measured by it stays.
	UseOwnMeasure(ctx context.Context, who staff.Account, id int64, use bool) error
}

// squeeze trims a line, puts one blank where there are several, and drops what no database takes as words.
func squeeze(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return strings.Join(strings.Fields(s), " ")
}
