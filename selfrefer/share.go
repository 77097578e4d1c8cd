package selfrefer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// BySystem stands in [Referral.HandedBy] for what no colleague has handed over, but the sharing of the work. Its events have account 0.
const BySystem staff.AccountID = -1

// What a task takes of somebody's day, where nobody says how long it is: a follow-up is a talk, another task a call or a letter.
const (
	FollowUpTakes = 30 * time.Minute
	TaskTakes     = 10 * time.Minute
)

// Taker is somebody of a team who could take a referral.
type Taker struct {
	Account staff.Account
	// Worker is the roster's, with what is left under the caseload limit. Without hours nothing is given.
	Worker throttle.Worker
	Speaks []string // besides English
	Holds  int      // whom they have in hand and have not spoken to yet
	Done   int      // first contacts made since midnight
	Booked float64  // minutes promised to people until the end of what is looked at: follow-ups, rounds of calls
}

// Waiting is a referral that nobody has, or whose holder is away.
type Waiting struct {
	Referral Referral
	Risk     bool              // no work for volunteers
	Support  bool              // first contact was made: it takes a place, and no time for first contacts
	Knew     []Knew            // who had the person before, the latest first
	Not      []staff.AccountID // who may not open it, or gave it back
}

// Knew is who had an earlier referral of the same person.
type Knew struct {
	Who  staff.AccountID
	When time.Time
}

// Given is whom a referral goes to. To is 0 if nobody can take it.
type Given struct {
	Referral ReferralID
	To       staff.AccountID
	Why      Why
}

// Why says why somebody was chosen, or why nobody was.
type Why struct {
	Free    int // first contacts that still fit into their hours
	Until   time.Time
	Support bool      // no first contact is to be made
	Urgent  bool      // it waits for nobody's diary
	Speaks  string    // the person's language
	Knew    time.Time // when they had the person before
	Nobody  string    // a sentence, where nobody can take it
	now     time.Time
}

// HighRisk tells whether a referral is no work for volunteers: it is urgent, danger words were found in it, or a senior was told of it.
func HighRisk(r Referral) bool {
	return r.Urgent || len(r.WhyUrgent) > 0 || r.EscalatedTo != 0 || len(Find(r.Answers.Words)) > 0 || len(Find(r.Answers.Needs)) > 0
}

// Room is how many first contacts somebody can still take on until an instant, beside those whom they have in hand. It is the share of their
// hours that they keep for first contacts, from midnight on and less what is done, and no more than the hours that are left hold. Follow-ups
// and rounds of calls take from the rest of the hours, and from those for first contacts where the rest is too short for them.
func (t Taker) Room(c throttle.Calendar, now, until time.Time) int {
	w := t.Worker
	if w.Minutes <= 0 || w.FirstContact <= 0 || !until.After(now) {
		return 0
	}
	planned := throttle.AtWork(c, w, c.Midnight(now), until).Minutes() * min(w.FirstContact, 1) / w.Minutes
	left := (throttle.AtWork(c, w, now, until).Minutes() - t.Booked) / w.Minutes
	const tiny = 1e-9 // hours and shares are no round numbers in binary
	fit := min(math.Round(planned)-float64(t.Done), math.Floor(left+tiny))
	return max(0, int(fit)-t.Holds)
}

// there tells whether somebody is at work now.
func (t Taker) there(c throttle.Calendar, now time.Time) bool {
	return throttle.OnDuty(c, []throttle.Worker{t.Worker}, now).Open
}

// speaks tells whether a language needs somebody who speaks it, and whether they do.
func (t Taker) speaks(language string) bool {
	return foreign(language) && slices.ContainsFunc(t.Speaks, func(s string) bool { return strings.EqualFold(s, language) })
}

func foreign(language string) bool { return language != "" && !strings.EqualFold(language, "English") }

// portion is what somebody has to give in one sharing out, and what they were given.
type portion struct {
	taker       *Taker
	room        int     // for first contacts
	hours       float64 // at work until the end
	places      int     // -1 for no limit
	calls, kept int     // given: first contacts, people in support
	here        bool
}

// turn is how much of somebody's part would be used with one more: the smallest is next. So nobody gets more than their part of what is free.
func (p *portion) turn(support bool) float64 {
	if support {
		return float64(p.kept+1) / p.hours
	}
	return float64(p.calls+1) / float64(max(p.room, 1))
}

// can tells whether somebody can take a referral. An urgent one waits for nobody's diary, but for somebody who is there.
func (p *portion) can(w Waiting) bool {
	switch {
	case p.places == 0, w.Risk && p.taker.Account.Role == staff.Volunteer, slices.Contains(w.Not, p.taker.Account.ID):
		return false
	case w.Support:
		return p.hours > 0
	case w.Referral.Urgent:
		return p.here
	}
	return p.calls < p.room
}

// Deal shares referrals out among a team, for what fits into the hours until an instant. They go in the order of calling, whichever order they
// come in: urgent first, then the oldest promise. Each goes to somebody who had the person before, else to somebody who speaks their language,
// else to whoever has used least of their part of what is free; nobody gets more than fits, and nobody more than their caseload limit. It is
// pure: the same arguments give the same answer, in the order of calling.
func Deal(c throttle.Calendar, waiting []Waiting, takers []Taker, now, until time.Time) []Given {
	parts := make([]portion, 0, len(takers))
	for i := range takers {
		t := &takers[i]
		if t.Account.Disabled || !t.Account.Role.Answers() || t.Worker.ID == "" {
			continue
		}
		hours := throttle.AtWork(c, t.Worker, now, until).Hours()
		parts = append(parts, portion{taker: t, room: t.Room(c, now, until), hours: hours, places: t.Worker.Places, here: hours > 0 && t.there(c, now)})
	}
	slices.SortFunc(parts, func(a, b portion) int { return cmp.Compare(a.taker.Account.ID, b.taker.Account.ID) })
	waiting = slices.Clone(waiting)
	slices.SortStableFunc(waiting, func(a, b Waiting) int { return callingOrder(a.Referral, b.Referral) })
	all := make([]Given, 0, len(waiting))
	for _, w := range waiting {
		all = append(all, choose(parts, w, now, until))
	}
	return all
}

// callingOrder compares two referrals by who is called first.
func callingOrder(a, b Referral) int {
	rank := func(r Referral) (n int) {
		if !r.Urgent {
			n += 2
		}
		if r.Lane == Unverified {
			n++
		}
		return n
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID))
}

func choose(parts []portion, w Waiting, now, until time.Time) Given {
	g := Given{Referral: w.Referral.ID}
	var best *portion
	var bestKnew time.Time
	knew := func(p *portion) (at time.Time) {
		for _, k := range w.Knew {
			if k.Who == p.taker.Account.ID && k.When.After(at) {
				at = k.When
			}
		}
		return at
	}
	better := func(p *portion, at time.Time) bool {
		if best == nil {
			return true
		}
		a, b := p.taker.speaks(w.Referral.Language), best.taker.speaks(w.Referral.Language)
		order := cmp.Or(bestKnew.Compare(at), truth(b)-truth(a), cmp.Compare(p.turn(w.Support), best.turn(w.Support)), cmp.Compare(best.room-best.calls, p.room-p.calls))
		return order < 0 // of equals the first stays, which has the lower id
	}
	for i := range parts {
		p := &parts[i]
		if at := knew(p); p.can(w) && better(p, at) {
			best, bestKnew = p, at
		}
	}
	if best == nil {
		g.Why.Nobody = nobody(parts, w, now, until)
		return g
	}
	g.To = best.taker.Account.ID
	g.Why = Why{Free: max(0, best.room-best.calls), Until: until, Support: w.Support, Urgent: w.Referral.Urgent, Knew: bestKnew, now: now}
	if best.taker.speaks(w.Referral.Language) {
		g.Why.Speaks = w.Referral.Language
	}
	if w.Support {
		best.kept++
	} else {
		best.calls++
	}
	if best.places > 0 {
		best.places--
	}
	return g
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// nobody says why a referral can go to nobody.
func nobody(parts []portion, w Waiting, now, until time.Time) string {
	room, places, role := false, false, false
	for i := range parts {
		p := &parts[i]
		if slices.Contains(w.Not, p.taker.Account.ID) {
			continue
		}
		fits := p.calls < p.room || w.Support && p.hours > 0 || w.Referral.Urgent && p.here
		room = room || fits
		places = places || fits && p.places != 0
		role = role || fits && p.places != 0 && w.Risk && p.taker.Account.Role == staff.Volunteer
	}
	switch {
	case role:
		return "only a volunteer has room, and this is no work for volunteers"
	case places:
		return "whoever has room may not open it"
	case room:
		return "everybody who has room is at their caseload limit"
	case w.Referral.Urgent:
		return "nobody who could take it is at work now"
	}
	return "nobody has room " + by(now, until)
}

// by says until when something fits.
func by(now, until time.Time) string {
	last := until.Add(-time.Nanosecond).In(until.Location())
	today := now.In(until.Location())
	if last.YearDay() == today.YearDay() && last.Year() == today.Year() {
		return "today"
	}
	return "until " + last.Format("Monday")
}

// Sentence says in plain words why somebody was chosen. Without a name it speaks to them.
func (y Why) Sentence(name string) string {
	you := name == ""
	verb := func(theirs, yours string) string {
		if you {
			return yours
		}
		return theirs
	}
	var why []string
	switch {
	case y.Nobody != "":
		return strings.ToUpper(y.Nobody[:1]) + y.Nobody[1:] + "."
	case y.Support:
		why = append(why, verb("has a place", "you have a place"))
	case y.Urgent:
		why = append(why, verb("is at work now", "you are at work now"))
	case y.Free == 1:
		why = append(why, verb("has 1 first contact free ", "you have 1 first contact free ")+by(y.now, y.Until))
	default:
		why = append(why, verb("has ", "you have ")+strconv.Itoa(y.Free)+" first contacts free "+by(y.now, y.Until))
	}
	if y.Speaks != "" {
		why = append(why, verb("speaks ", "you speak ")+y.Speaks)
	}
	if !y.Knew.IsZero() {
		why = append(why, verb("knew them in ", "you knew them in ")+y.Knew.In(y.Until.Location()).Format("January 2006"))
	}
	sentence := strings.Join(why, ", ") + "."
	if you {
		return strings.ToUpper(sentence[:1]) + sentence[1:]
	}
	return name + ": " + sentence
}

// Plain is the same without what it tells of the person.
func (y Why) Plain() Why {
	y.Speaks, y.Knew = "", time.Time{}
	return y
}

// Sharing is how a team shares its work.
type Sharing struct {
	// Auto hands a referral over by itself that nobody has claimed for Wait of working time.
	Auto bool
	Wait time.Duration
	// AskAt is when a senior is asked about somebody who has opened nothing, in minutes after midnight; -1 for never.
	AskAt int
}

// UsualSharing is what a team has that has decided nothing.
var UsualSharing = Sharing{Wait: time.Hour, AskAt: 10*60 + 30}

// Check says what is wrong with it.
func (s Sharing) Check() error {
	switch {
	case s.Wait < 5*time.Minute || s.Wait > 40*time.Hour || s.Wait%time.Minute != 0:
		return errors.New("the wait must be from 5 minutes to 40 working hours")
	case s.AskAt < -1 || s.AskAt >= 24*60:
		return errors.New("the time to ask at must be a time of day")
	}
	return nil
}

// DueToDeal tells whether a referral has waited long enough in the network's working time to be handed over by itself, and whether it is
// working time now: at night nobody is given anything.
func (s Sharing) DueToDeal(c throttle.Calendar, r Referral, now time.Time) bool {
	if !s.Auto || r.State != New || !c.NextOpen(now).Equal(now) {
		return false
	}
	since := r.Since()
	if longest := now.AddDate(0, -1, 0); since.Before(longest) { // to look further back only takes longer
		since = longest
	}
	return c.Working(since, now) >= s.Wait
}

// presentAfter is how long somebody's day must have begun before anybody is asked whether they are in.
const presentAfter = time.Hour

// AskFor tells whether it is time to ask if somebody is in, who has opened nothing since midnight: it is a working day of the network, their
// hours began an hour ago or more, they are not over, and they are not on leave.
func (s Sharing) AskFor(c throttle.Calendar, w throttle.Worker, now time.Time) bool {
	midnight := c.Midnight(now)
	if s.AskAt < 0 || !c.WorkingDay(now) || now.Before(clockAt(c, midnight, s.AskAt)) {
		return false
	}
	return throttle.OnDuty(c, []throttle.Worker{w}, now).Open && throttle.AtWork(c, w, midnight, now) >= presentAfter
}

// clockAt is a time of day on a day whose clocks may change.
func clockAt(c throttle.Calendar, midnight time.Time, minute int) time.Time {
	y, m, d := midnight.Date()
	return time.Date(y, m, d, minute/60, minute%60, 0, 0, midnight.Location())
}

// Load is what somebody carries, as the capacity page tells it.
type Load struct {
	Account   staff.AccountID
	Hands     int // people in hand, in support included
	Places    int // left under the limit; -1 without one
	Room      int // first contacts that still fit today
	Suggested int // of those who wait, how many would be theirs today
	Speaks    []string
}

// NextCall is whom somebody should call next.
type NextCall struct {
	Referral Referral // the zero value if there is nobody for them
	Why      Why
	Room     int  // first contacts that still fit into their day
	Rostered bool // they have hours today
}

// Move is a referral that goes from somebody who is away to somebody else: To is 0 for back into the queue. Stays is set where neither can
// be, since the person is in support and nobody has a place.
type Move struct {
	Referral  ReferralID
	Reference string
	Urgent    bool
	State     State
	Due       time.Time
	To        staff.AccountID
	Stays     bool
	Why       Why
}

// Away is a day on which somebody is ill, as it was told while it had begun.
type Away struct {
	ID       int64
	Account  staff.AccountID
	From, To time.Time
	Support  bool // people in support were handed over, too
	Done     bool // all is shared out
	Back     bool
	Moves    []Move // what was moved
}

// ErrNotAway means that nobody has said that they are ill.
var ErrNotAway = errors.New("they are not off sick, or are back already")

// Sharer shares the work of a team. Each change asks [staff.May] again and audits in the same transaction.
type Sharer interface {
	Sharing(ctx context.Context, team staff.TeamID) (Sharing, error)
	SetSharing(ctx context.Context, who staff.Account, team staff.TeamID, s Sharing) error
	SetSpeaks(ctx context.Context, who staff.Account, account staff.AccountID, languages []string) error
	Speaks(ctx context.Context, account staff.AccountID) ([]string, error)
	// Loads is what everybody of a team carries, and would be suggested today.
	Loads(ctx context.Context, team staff.TeamID) ([]Load, error)
	// Next is whom somebody should call next.
	Next(ctx context.Context, who staff.Account) (NextCall, error)
	// PlanSick tells what would go where if somebody were away from now until an instant. It changes nothing.
	PlanSick(ctx context.Context, who staff.Account, account staff.AccountID, until time.Time, support bool) ([]Move, error)
	// Sick puts somebody on leave from now and shares out what they have in hand: as was seen in a plan, where that still can be.
	Sick(ctx context.Context, who staff.Account, account staff.AccountID, until time.Time, support bool, seen []Move) (Away, error)
	// Back ends it; what nobody has opened yet returns. [ErrNotAway] if they are not away.
	Back(ctx context.Context, who staff.Account, account staff.AccountID) (returned int, err error)
	// AwayNow is the day on which somebody is ill now; the zero value if they are not.
	AwayNow(ctx context.Context, who staff.Account, account staff.AccountID) (Away, error)
	// Present notes that somebody is in today although they have opened nothing.
	Present(ctx context.Context, who staff.Account, account staff.AccountID) error
}

// MaySick answers whether who may say that a colleague is ill or back: they themselves, a senior, an administrator.
func MaySick(who, colleague staff.Account) error {
	if who.ID == colleague.ID && who.ID != 0 && !who.Disabled && who.Role.Answers() {
		return nil
	}
	return staff.May(who, staff.EditCapacity, colleague.Network)
}

// Spoken are the languages that people ask for on the form, besides English, by the names that staff read.
var Spoken = []string{"British Sign Language", "Albanian", "Arabic", "Bengali", "Bulgarian", "Cantonese", "Czech", "Dari", "Farsi", "French", "Gujarati", "Hindi", "Hungarian", "Italian",
	"Kurdish", "Lithuanian", "Mandarin", "Nepali", "Pashto", "Polish", "Portuguese", "Punjabi", "Romanian", "Russian", "Slovak", "Somali", "Spanish", "Tamil", "Tigrinya", "Turkish",
	"Ukrainian", "Urdu", "Vietnamese", "Welsh"}

// CheckSpoken says which of some languages nobody can ask for.
func CheckSpoken(languages []string) error {
	for _, l := range languages {
		if !slices.Contains(Spoken, l) {
			return fmt.Errorf("%.40q is no language that people can ask for on the form", l)
		}
	}
	return nil
}
