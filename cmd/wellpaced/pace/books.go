package pace

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

const (
	noReceiptIn = 2 * time.Hour       // then a text that has left the list counts as delivered when it was sent
	lateReceipt = 14 * 24 * time.Hour // until then its receipt may still come and puts that right
	longestGap  = 4 * time.Hour       // between lines; a longer one is a night
	shortestGap = 5 * time.Minute
	usualGap    = time.Hour // as long as nothing else is known
	gapsKept    = 5
	lookBack    = 40 * 24 * time.Hour // the pacer compares what came with hours of up to 28 days ago
	week        = 7 * 24 * 3600       // seconds
	tiny        = 1e-9
)

// books are what the pacer knows of one campaign of somebody else's.
type books struct {
	// From the line that opens.
	loc     *time.Location
	promise float64 // hours
	names   []string
	ids     map[string]int
	sizes   []float64
	given   bool
	rate    float64 // texts per second

	now     time.Time // of the last line; zero before the first
	gaps    []time.Duration
	backlog float64 // texts released that the sender cannot have sent yet at its rate

	able      []able          // what was last declared for each past instant, then all that is declared ahead
	open      []throttle.Span // the same for working time
	openAhead []throttle.Span // the working time that was told, if it was
	openTold  bool

	// Where the texts are. Of each stratum started texts were there at the first line that said what is left; those no longer left are
	// received, in a batch on the way, or assumed.
	started  []float64 // nil before
	left     []float64
	leftTold bool // by the last line
	received []float64
	batches  []batch
	assumed  []assumption // without a receipt in time; a late one takes them out again
	ahead    []throttle.Ahead
	queue    float64

	delivered       []throttle.Cell
	answers         []throttle.Answer
	other, contacts []throttle.Count
	grain           int64 // seconds by which all answers' instants can be divided
	tidied          int64 // day of the last tidying
	tidyAt          int   // cells at which it is due again

	launched time.Time
	resumed  time.Time
	memory   throttle.Memory
}

// able is a stretch of time with what the team can do in each hour of it.
type able struct {
	from, to int64 // unix seconds
	perHour  float64
}

// batch is what is left without a receipt of what one reply released, or of what was sent without our leave.
type batch struct {
	at      time.Time
	by      []float64 // has left the list, by stratum
	pending float64   // not known to have left it
}

// assumption is that texts were delivered when they were sent.
type assumption struct {
	throttle.Cell
	guess bool // nobody has said which of them have left the list, so the stratum is a guess
}

func (b *batch) size() (n float64) {
	for _, x := range b.by {
		n += x
	}
	return n + b.pending
}

// enter puts down what a line reports.
func (b *books) enter(r *report) {
	if b.now.IsZero() {
		b.launched = r.now
	} else if gap := r.now.Sub(b.now); gap > 0 {
		if gap <= longestGap {
			b.gaps = append(b.gaps, gap)
			b.gaps = b.gaps[max(0, len(b.gaps)-gapsKept):]
		}
		b.backlog = max(0, b.backlog-b.rate*gap.Seconds())
	}
	b.declare(r)
	b.whereabouts(r)
	for _, a := range r.answers {
		b.grain = divisor(b.grain, a.Answered)
	}
	b.answers = append(b.answers, r.answers...)
	b.other = append(b.other, r.other...)
	b.contacts = append(b.contacts, r.contacts...)
	if r.queue >= 0 {
		b.queue = r.queue
	} else { // not told: what follows from the line before
		b.queue = max(0, b.queue+float64(len(r.answers)+len(r.other)-len(r.contacts)))
	}
	if r.resume {
		b.resumed = r.now
	}
	b.now = r.now
	b.tidy()
}

// divisor is the greatest common one.
func divisor(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// atOnce is for how long the sender has to be kept busy: the time until the next line, as it has been of late.
func (b *books) atOnce() time.Duration {
	if len(b.gaps) == 0 {
		return usualGap
	}
	gaps := slices.Clone(b.gaps)
	slices.Sort(gaps)
	return max(shortestGap, gaps[(len(gaps)-1)/2])
}

// declare replaces what is known of the team's time ahead, and keeps what was last declared for the time behind.
func (b *books) declare(r *report) {
	now := r.now.Unix()
	first := b.now.IsZero()
	split := now
	if first { // the first line may tell of the past too
		split = math.MinInt64
	}
	ahead := r.able
	if ahead == nil {
		ahead = b.able
	}
	b.able = joined(b.able, ahead, now-int64(lookBack/time.Second), split)
	if r.openTold {
		b.openAhead, b.openTold = r.open, len(r.open) > 0
	}
	hours := slices.Clone(b.openAhead)
	told := time.Time{} // until then it was told when it is working time; after that, and without a word, when somebody is there
	if b.openTold {
		told = hours[len(hours)-1].To
	}
	for _, a := range b.able {
		if s := (throttle.Span{From: later(time.Unix(a.from, 0), told), To: time.Unix(a.to, 0)}); a.perHour > 0 && s.To.After(s.From) {
			hours = append(hours, s)
		}
	}
	var open []throttle.Span
	for _, s := range b.open {
		if s.To = earlier(s.To, r.now); s.To.After(s.From) && s.To.After(r.now.Add(-lookBack)) {
			open = append(open, s)
		}
	}
	for _, s := range hours {
		if !first {
			s.From = later(s.From, r.now)
		}
		if s.To.After(s.From) {
			open = append(open, s)
		}
	}
	b.open = united(open)
	if first {
		b.before(r)
	}
}

// before supposes working hours for a history that is older than what is declared: those of the coming weeks. Without them, a month of
// other referrals would seem to have come in no time.
func (b *books) before(r *report) {
	if len(b.open) == 0 {
		return
	}
	start := r.now.Unix()
	oldest := start
	for _, e := range r.other {
		oldest = min(oldest, e.At)
	}
	begin := min(start, b.open[0].From.Unix())
	if oldest >= begin {
		return
	}
	// A whole number of weeks, at most four, so that each weekday keeps its hours.
	known := b.open[len(b.open)-1].To.Unix() - begin
	weeks := min(4, max(1, (known+3*24*3600)/week))
	var hours []throttle.Span
	oldest = max(oldest, start-int64(lookBack/time.Second))
	length := weeks * week
	for shift := length; begin-shift+length > oldest; shift += length {
		back := time.Duration(shift) * time.Second
		end := time.Unix(begin-shift+length, 0)
		for _, s := range b.open {
			if from, to := s.From.Add(-back), earlier(s.To.Add(-back), end); to.After(from) {
				hours = append(hours, throttle.Span{From: from, To: to})
			}
		}
	}
	b.open = united(append(hours, b.open...))
}

// whereabouts works out where the texts are. The list and the receipts are the truth: a sender may send less than it was told to, or more,
// and may learn of either later.
func (b *books) whereabouts(r *report) {
	if r.left != nil {
		b.leave(r)
	}
	for _, d := range r.delivered {
		b.receipt(d.Stratum, d.N)
		b.received[d.Stratum] += d.N
		b.delivered = append(b.delivered, d)
	}
	b.leftTold = r.left != nil
	if r.left != nil {
		b.left = r.left
	} else if b.started == nil {
		for i := range b.left {
			b.left[i] = max(0, b.sizes[i]-b.accounted(i))
		}
	} else {
		for i := range b.left {
			b.left[i] = max(0, b.started[i]-b.accounted(i))
		}
	}
	b.overdue(r.now)
	if b.given {
		b.ahead = r.ahead
	}
}

// accounted is how many texts of a stratum are known to have left the list.
func (b *books) accounted(stratum int) float64 {
	n := b.received[stratum]
	for i := range b.batches {
		n += b.batches[i].by[stratum]
	}
	for _, a := range b.assumed {
		if a.Stratum == stratum {
			n += a.N
		}
	}
	return n
}

// leave compares what is left of the list with what is accounted for: what else is gone has been sent.
func (b *books) leave(r *report) {
	if b.started == nil {
		if b.started = slices.Clone(b.sizes); b.now.IsZero() { // what has been delivered before the first line has left the list before it
			copy(b.started, r.left)
			for _, d := range r.delivered {
				b.started[d.Stratum] += d.N
			}
		}
	}
	var extra []float64
	for s, left := range r.left {
		gone := b.started[s] - left - b.accounted(s)
		for i := range b.batches {
			if x := min(gone, b.batches[i].pending); x > tiny {
				b.batches[i].pending -= x
				b.batches[i].by[s] += x
				gone -= x
			}
		}
		if gone > tiny { // without our leave: a person has sent them
			if extra == nil {
				extra = make([]float64, len(r.left))
			}
			extra[s] = gone
		}
		for i := len(b.batches) - 1; i >= 0 && gone < -tiny; i-- { // back on the list: they were not sent after all
			x := min(-gone, b.batches[i].by[s])
			b.batches[i].by[s] -= x
			gone += x
		}
	}
	if extra != nil {
		b.batches = append(b.batches, batch{at: r.now, by: extra})
	}
}

// receipt takes delivered texts off what is on the way: first those known to have left the list, then those that may have; else off those
// that were assumed to be delivered. What is left was sent by somebody else.
func (b *books) receipt(stratum int, n float64) {
	for i := range b.batches {
		x := min(n, b.batches[i].by[stratum])
		b.batches[i].by[stratum] -= x
		n -= x
	}
	for i := range b.batches {
		x := min(n, b.batches[i].pending)
		b.batches[i].pending -= x
		n -= x
	}
	for i := range b.assumed {
		if a := &b.assumed[i]; a.Stratum == stratum || a.guess {
			x := min(n, a.N)
			a.N -= x
			n -= x
		}
	}
}

// overdue takes texts that have left the list two hours ago for delivered when they were sent, and those that have not for unsent.
func (b *books) overdue(now time.Time) {
	keep := b.batches[:0]
	for i := range b.batches {
		x := &b.batches[i]
		switch {
		case x.size() <= tiny:
		case now.Sub(x.at) <= noReceiptIn:
			keep = append(keep, *x)
		default:
			guess := !b.leftTold && x.pending > tiny
			if guess { // nobody says: they are out, as far as we know
				for s, n := range b.shares(x.pending) {
					x.by[s] += n
					b.left[s] = max(0, b.left[s]-n)
				}
			}
			for s, n := range x.by {
				if n > tiny {
					b.assumed = append(b.assumed, assumption{throttle.Cell{At: x.at.Unix(), Stratum: s, N: n}, guess})
				}
			}
		}
	}
	b.batches = keep
	final := b.assumed[:0]
	for _, a := range b.assumed {
		switch {
		case a.N <= tiny:
		case now.Sub(time.Unix(a.At, 0)) > lateReceipt:
			b.received[a.Stratum] += a.N
			b.delivered = append(b.delivered, a.Cell)
		default:
			final = append(final, a)
		}
	}
	b.assumed = final
}

// order is the coming order of what is left, where it does not mirror the list.
func (b *books) order() []throttle.Ahead {
	if !b.given {
		return nil
	}
	if len(b.ahead) > 0 {
		return b.ahead
	}
	var out []throttle.Ahead
	for s, n := range b.left {
		if n := int(math.Round(n)); n > 0 {
			out = append(out, throttle.Ahead{Stratum: s, N: n})
		}
	}
	return out
}

// shares says of which strata the next n texts are.
func (b *books) shares(n float64) []float64 {
	out := make([]float64, len(b.left))
	if b.given {
		for _, a := range b.order() {
			x := min(n, float64(a.N))
			out[a.Stratum] += x
			n -= x
		}
		out[len(out)-1] += max(0, n) // more than is ahead
		return out
	}
	weights, all := b.left, total(b.left)
	if all <= 0 {
		weights, all = b.sizes, total(b.sizes)
	}
	for s := range out {
		if all > 0 {
			out[s] = n * weights[s] / all
		} else {
			out[s] = n / float64(len(out))
		}
	}
	return out
}

func total(list []float64) (sum float64) {
	for _, x := range list {
		sum += x
	}
	return sum
}

// ask turns the books into what the pacer reads.
func (b *books) ask() (throttle.TeamPolicy, throttle.TeamState) {
	// It is the sender that says when texts may leave, so its calendar here is always open.
	allDay := throttle.Hours{To: 24 * 60}
	declared := &throttle.Declared{Open: b.open}
	for _, a := range b.able {
		hours := float64(a.to-a.from) / 3600
		declared.Capacity = append(declared.Capacity, throttle.Able{
			Span: throttle.Span{From: time.Unix(a.from, 0), To: time.Unix(a.to, 0)}, Contacts: a.perHour * hours,
		})
	}
	policy := throttle.TeamPolicy{
		Calendar:     throttle.Calendar{Location: b.loc, NoBankHolidays: true},
		PromiseHours: b.promise,
		Declared:     declared,
		Campaigns: []throttle.CampaignPolicy{{
			Windows: throttle.Week{allDay, allDay, allDay, allDay, allDay, allDay, allDay},
			Rate:    b.rate, AtOnce: b.atOnce(),
		}},
	}
	c := throttle.CampaignState{
		Running: true, Started: b.launched, Strata: b.names, Sizes: make([]int, len(b.names)), OnTheWayBy: make([]int, len(b.names)),
		Released: int(math.Ceil(b.backlog - tiny)), Grain: time.Duration(min(b.grain, 3600)) * time.Second,
		Answers: b.answers, Resumed: b.resumed, Memory: b.memory,
	}
	c.Delivered = slices.Clone(b.delivered)
	for _, a := range b.assumed {
		c.Delivered = append(c.Delivered, a.Cell)
	}

	onTheWay, pending := make([]float64, len(b.names)), 0.0
	for i := range b.batches {
		pending += b.batches[i].pending
		for s, n := range b.batches[i].by {
			onTheWay[s] += n
		}
	}
	c.Planned = int(math.Floor(max(0, total(b.left)-pending) + tiny))
	next := b.shares(pending)
	before, upTo := 0.0, 0
	for s := range onTheWay {
		onTheWay[s] += next[s]
		before += onTheWay[s]
		c.OnTheWayBy[s] = int(math.Round(before)) - upTo // what is rounded off one goes to the next
		upTo += c.OnTheWayBy[s]
		// The pacer takes what is left of each stratum for its size less what has been sent.
		c.Sizes[s] = int(math.Round(b.received[s] + onTheWay[s] + max(0, b.left[s]-next[s])))
	}
	for _, a := range b.assumed {
		c.Sizes[a.Stratum] += int(math.Round(a.N))
	}
	c.OnTheWay = upTo
	c.Ahead = after(b.order(), pending)
	return policy, throttle.TeamState{
		Waiting: int(math.Ceil(b.queue - tiny)), Other: b.other, Contacts: b.contacts, Campaigns: []throttle.CampaignState{c},
	}
}

// after leaves out the first n texts of an order.
func after(order []throttle.Ahead, n float64) []throttle.Ahead {
	skip := int(math.Round(n))
	out := make([]throttle.Ahead, 0, len(order))
	for _, a := range order {
		x := min(skip, a.N)
		skip -= x
		if a.N -= x; a.N > 0 {
			out = append(out, a)
		}
	}
	return out
}

// decide asks the pacer and puts down what it says.
func (b *books) decide(maySend bool) *reply {
	policy, state := b.ask()
	if !maySend { // said by the sender, so it is held by it
		state.Campaigns[0].Held = "texts may not leave now"
	}
	d := throttle.Decide(b.now, policy, state)[0]
	b.memory = d.Memory
	if d.N > 0 {
		b.batches = append(b.batches, batch{at: b.now, by: make([]float64, len(b.names)), pending: float64(d.N)})
		b.backlog += float64(d.N)
	}
	return b.say(&d, maySend)
}

// level turns stretches in any order, which may overlap, into a list in order of time.
func level(list []able) []able {
	type edge struct {
		at      int64
		perHour float64
		open    int
	}
	edges := make([]edge, 0, 2*len(list))
	for _, a := range list {
		edges = append(edges, edge{a.from, a.perHour, 1}, edge{a.to, -a.perHour, -1})
	}
	slices.SortStableFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.open, b.open)) })
	out := make([]able, 0, len(list))
	perHour, some, open := 0.0, 0, 0 // some: how many of those open can do something
	for i, e := range edges {
		if i > 0 && open > 0 && e.at > edges[i-1].at {
			out = appended(out, able{edges[i-1].at, e.at, perHour})
		}
		open += e.open
		perHour += e.perHour
		if e.perHour != 0 {
			some += e.open
		}
		if some == 0 { // no crumbs of rounding: nobody is there
			perHour = 0
		}
	}
	return out
}

// appended adds a stretch, to the last one if it goes on alike.
func appended(list []able, a able) []able {
	if n := len(list); n > 0 && list[n-1].to == a.from && math.Abs(list[n-1].perHour-a.perHour) <= 1e-12*a.perHour {
		list[n-1].to = a.to
		return list
	}
	return append(list, a)
}

// joined takes one list until an instant and another from it on, and forgets what is too old.
func joined(behind, ahead []able, oldest, split int64) []able {
	var out []able
	for _, a := range behind {
		if a.to = min(a.to, split); a.to > a.from && a.to > oldest {
			out = appended(out, a)
		}
	}
	for _, a := range ahead {
		if a.from = max(a.from, split); a.to > a.from && a.to > oldest {
			out = appended(out, a)
		}
	}
	return out
}

// united puts spans in order and joins those that touch.
func united(list []throttle.Span) []throttle.Span {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b throttle.Span) int { return a.From.Compare(b.From) })
	out := list[:0]
	for _, s := range list {
		if n := len(out); n > 0 && !s.From.After(out[n-1].To) {
			out[n-1].To = later(out[n-1].To, s.To)
		} else if s.To.After(s.From) {
			out = append(out, s)
		}
	}
	return out
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
