package throttle

import "time"

// Span is a half-open stretch of time [From, To).
type Span struct{ From, To time.Time }

// Hours are working hours within one civil day, in minutes after midnight, half open.
// A zero Hours (From == To) is a day off.
type Hours struct{ From, To int }

// Week holds the hours of each weekday, indexed by time.Weekday (Sunday first).
type Week [7]Hours

// Calendar is a network's own: the civil time zone, the hours in which a promise runs, and the days on which nobody works.
type Calendar struct {
	// Location is the civil time zone; nil means Europe/London.
	Location *time.Location
	// Open are the hours in which the promise runs; the zero value means Monday to Friday, 09:00 to 17:00.
	Open Week
	// Holidays are extra closed days (a proclaimed bank holiday, a training day) as "2026-12-24".
	// England's bank holidays are always closed, too, unless NoBankHolidays says that somebody else knows the hours.
	Holidays       []string
	NoBankHolidays bool `json:",omitempty"`
}

// Worker is one link worker's declared availability.
type Worker struct {
	ID   string
	Name string // first name, for the sentence; "" hides it
	Week Week   // hours at work, civil time
	// FirstContact is the share of the working hours kept for first contacts, 0 to 1.
	FirstContact float64
	// Minutes is the length of one first contact.
	Minutes float64
	Leave   []Span
	// Places left under the caseload limit; negative means no limit.
	Places int
	// Senior is who urgent referrals go to that nobody has claimed.
	Senior bool `json:",omitempty"`
	// Discharges are when further places are planned to become free (unix seconds, in any order).
	Discharges []int64 `json:",omitempty"`
}

// Declared is what a team can do, for somebody who knows its hours but not its people. It replaces the roster, and the calendar's hours.
type Declared struct {
	// Open is when the promise runs; empty means whenever there is capacity.
	Open []Span
	// Capacity is the whole of it, past and coming, in order of time and without overlap. Nothing is known after the last.
	Capacity []Able
}

// Able is how many first contacts can be made within a stretch of time, evenly.
type Able struct {
	Span
	Contacts float64
}

// Window is when texts may leave on one weekday.
type Window = Hours

// TeamPolicy is what people decided: the promise, the roster, and each campaign's limits.
type TeamPolicy struct {
	Calendar Calendar
	// PromiseDays is the wait for a first contact told to patients, in working days of the network; 0 means 2.
	PromiseDays int
	// PromiseHours, if above zero, is the promise in hours in which it runs, instead of PromiseDays.
	PromiseHours float64 `json:",omitempty"`
	// NeedSenior keeps texts back unless a senior of the roster is there for most of their answers. It says nothing of Declared, which knows
	// no people; a state that was stored before there was such a thing goes on as it did.
	NeedSenior bool `json:",omitempty"`
	Roster     []Worker
	Declared   *Declared `json:",omitempty"` // instead of the roster
	Campaigns  []CampaignPolicy
	Knobs      Knobs
}

// CampaignPolicy holds the limits of one campaign. Zero means "no such limit" unless said otherwise.
type CampaignPolicy struct {
	ID      string
	Windows Week // zero value: Monday to Friday 09:00 to 17:00
	// DailyCap is the most texts in one civil day.
	DailyCap int
	// Budget is the most that all texts may cost, in hundredths of a penny; CostPerText is what the
	// remaining texts cost on average (segments x price), in the same unit.
	Budget, CostPerText int64
	// Rate is the sender's speed in segments per second (default 10); SegmentsPerText the average of the remaining texts (default 1).
	Rate, SegmentsPerText float64
	// MinBatch is the smallest batch worth sending, except for the rest of the list; 0 means 5.
	MinBatch int
	// Screened is when the list was taken from the GP system, or the last fresh one that it was screened against; MaxListAge after it nothing is
	// released (0 means 14 days, at most 28).
	Screened   time.Time
	MaxListAge time.Duration
	// First and Last are the campaign's first and last instant; nothing is released before and after them. Zero means none.
	First time.Time `json:",omitzero"`
	Last  time.Time
	// AtOnce is how much of the sender's time may be released at once; 0 means five minutes.
	AtOnce time.Duration
	// Prior is what earlier campaigns taught; nil means the wide prior.
	Prior *Prior
	// Blast sends as fast as windows and the sender allow, without looking at people. It exists to show what happens.
	Blast bool
}

// Knobs are the controller's own constants; the zero value means the measured defaults.
type Knobs struct {
	Risk     float64 // most chance of a broken promise, default .03
	SetPoint float64 // mean queue as a share of what can be cleared within the promise, default .25
	Surge    float64 // stress test: answers multiplied by this, default 3
	Loss     float64 // stress test: share of capacity lost, default .25
	Absence  float64 // stress test: share of the team that may vanish, default .64
}

// Count is so many events. Who counts by the hour gives the middle of the hour.
type Count struct {
	At int64 // unix seconds
	N  float64
}

// TeamState is one snapshot of what happened, as counters: its size depends on practices and hours, never on the length of the list.
type TeamState struct {
	// Waiting referrals have had no first contact. Urgent ones are among them.
	Waiting, Urgent int
	// OldestDue is by when the first promise among the waiting runs out; zero if nobody waits.
	OldestDue time.Time
	// Booked are minutes of follow-ups and call rounds already promised, by start; they use the same hours.
	Booked []BookedWork
	// Other referrals (professionals, general form, replies) by arrival.
	Other []Count
	// Contacts made.
	Contacts  []Count
	Campaigns []CampaignState
}

// BookedWork is work already promised that takes first-contact time.
type BookedWork struct {
	Span    Span
	Minutes float64
}

// CampaignState is one campaign's part of the snapshot.
type CampaignState struct {
	ID string
	// Running is false for a campaign that is paused or not launched: it releases nothing, yet its answers are still expected.
	Running bool
	// Held says why a person or an alarm holds the campaign; "" if nothing does.
	Held string
	// Planned messages may still be released; NotBefore is the earliest instant for those that a refusal postponed.
	Planned int
	// OnTheWay messages are released or further and have no delivery receipt yet. One without a receipt after two hours belongs into
	// Delivered, by the hour it was sent: it would else count for ever as a text whose answer is still to come.
	// Released are those among them that have not been handed to the provider; they count against what is released at once.
	OnTheWay, Released int
	// SentToday counts releases since civil midnight; Spent is the cost of all texts so far in hundredths of a penny.
	SentToday int
	Spent     int64
	Started   time.Time // launch
	// Strata names the groups whose response is learned separately; Sizes is how many invitations each holds.
	Strata []string
	Sizes  []int
	// Grain is by how much the instants of deliveries and answers may be off: an hour if they were counted by the hour.
	Grain time.Duration
	// Delivered counts receipts by time and stratum (index into Strata). OnTheWayBy splits OnTheWay by stratum.
	Delivered  []Cell
	OnTheWayBy []int
	// Ahead is the coming order, where it does not mirror the list: so many texts of one stratum, then of the next.
	Ahead []Ahead `json:",omitempty"`
	// Answers counts self-referrals of this campaign by when their text was delivered, when they came, and stratum.
	Answers []Answer
	// Starts counts people who pressed Start on the form, by time and stratum: an early signal.
	Starts []Cell
	// Resumed is when somebody last said that all is well after an alarm has held the campaign; zero if nobody has.
	Resumed time.Time
	// Memory is what the last decision asked to remember (hysteresis); the zero value is a fresh start.
	Memory Memory
}

// Cell is a count of one stratum. Who counts by the hour gives the middle of the hour.
type Cell struct {
	At      int64 // unix seconds
	Stratum int
	N       float64
}

// Ahead is a run of texts of one stratum in the coming order.
type Ahead struct{ Stratum, N int }

// Answer counts referrals that arrived at Answered after a text delivered at Delivered, both in unix seconds.
type Answer struct {
	Delivered, Answered int64
	Stratum             int
	N                   float64
}

// Memory is the controller's only state between decisions. It is stored with the decision.
type Memory struct {
	Braked bool `json:"braked,omitempty"`
	// Silence holds the campaign: answers stopped at From, and this was noticed at To. A person has to look at the link.
	Silence *Silence `json:"silence,omitempty"`
	// Quiet are the silences that a person has explained: what came in them says nothing about the response.
	Quiet []Silence `json:"quiet,omitempty"`
}

// Silence is a stretch without answers, in unix seconds.
type Silence struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// Limit is the code of what kept a batch from being larger.
type Limit string

// The limits. One of them binds each decision.
const (
	LimitList      Limit = "list"      // nothing left to send
	LimitPaused    Limit = "paused"    // not running, or past its last date
	LimitHeld      Limit = "held"      // a person or an alarm holds it
	LimitSilence   Limit = "silence"   // answers have stopped: somebody has to look whether the link works
	LimitListAge   Limit = "list_age"  // the list is too old
	LimitNobody    Limit = "nobody"    // nobody on the roster who could answer within the promise
	LimitStart     Limit = "start"     // before its first day
	LimitSenior    Limit = "senior"    // no senior on the roster when most of the answers would come
	LimitWindow    Limit = "window"    // outside the hours for texts
	LimitRate      Limit = "rate"      // the sender's speed
	LimitDailyCap  Limit = "daily_cap" // the most for one day
	LimitBudget    Limit = "budget"    // the money
	LimitBrake     Limit = "brake"     // the queue is too full; waits until it has drained
	LimitRisk      Limit = "risk"      // chance of a broken promise
	LimitSetPoint  Limit = "set_point" // a steady queue
	LimitStress    Limit = "stress"    // reserve for a surge or for sick staff
	LimitMaturity  Limit = "maturity"  // too few matured answers to know the rate
	LimitMinBatch  Limit = "min_batch" // fewer than a batch worth sending
	LimitCaseloads Limit = "caseload"  // no places left under the caseload limits
)

// Decision says how many messages of one campaign to release now, and why so many.
type Decision struct {
	Campaign string
	At       time.Time
	N        int
	Limit    Limit
	// Sentence explains the decision to a person, in plain English, with its numbers.
	Sentence string
	Figures  Figures
	Forecast Forecast
	Memory   Memory
}

// Figures are the numbers behind a decision, stored with it so that it can be checked.
type Figures struct {
	Rate, RateLow, RateHigh float64 // answers per delivered text: mean and 80 % band
	Expected                float64 // answers still expected from texts already sent
	FromBatch               float64 // answers expected from this batch
	Waiting                 int
	CanAnswer               float64 // first contacts the team can make within the promise from now
	Risk                    float64 // chance that anybody waits longer than the promise
}

// Forecast is what the pacer expects.
type Forecast struct {
	// FinishFrom and FinishTo bracket the last text (an 80 % band), FinishLikely is its median; zero when it cannot be told yet.
	FinishFrom, FinishLikely, FinishTo time.Time
	// ContactBy is by when somebody who asks for help now will have been called: the honest date of the confirmation page.
	ContactBy time.Time
	// NextDay is how many answers come within 24 hours to texts that have been sent, this batch among them. They are whole people, and a
	// count k fills the stretch from k-.5 to k+.5: round a bound to read it; one of nobody may lie a little below 0.
	NextDay Band
	// Queue is how many will wait at instants ahead if nothing is sent after this batch.
	Queue []QueueAt
}

// Band is a distribution in brief. P05 to P95 holds nine in ten, P25 to P75 every second.
type Band struct{ Mean, P05, P25, P75, P95 float64 }

// QueueAt is how many people wait at an instant: the mean and the band that holds eight in ten.
type QueueAt struct {
	At             time.Time
	Mean, P10, P90 float64
}
