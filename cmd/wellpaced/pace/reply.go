package pace

import (
	"math"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

// reply answers a line.
type reply struct {
	Release  int     `json:"release"` // texts to send now
	Binding  string  `json:"binding"` // the limit that kept it from being more
	Because  string  `json:"because"`
	Hold     bool    `json:"hold"` // answers have stopped: nothing goes until a person has looked at the link and a line says resume
	Risk     float64 `json:"risk"` // chance that anybody waits longer than the promise
	Expected float64 `json:"expected_answers"`
	// Queue is how many will wait if nothing is sent after this.
	Queue   []queueAt `json:"queue_forecast"`
	Finish  finish    `json:"finish"`
	NextDay band      `json:"answers_next_day"` // to texts sent by now, these among them; rounded, the bounds are people
}

type queueAt struct {
	At   string  `json:"at"`
	Mean float64 `json:"mean"`
	P10  float64 `json:"p10"`
	P90  float64 `json:"p90"`
}

// finish is when the last text is likely to go; null while that cannot be told.
type finish struct {
	P10 *string `json:"p10"`
	P50 *string `json:"p50"`
	P90 *string `json:"p90"`
}

type band struct {
	Mean float64 `json:"mean"`
	P05  float64 `json:"p05"`
	P25  float64 `json:"p25"`
	P75  float64 `json:"p75"`
	P95  float64 `json:"p95"`
}

// say puts a decision into a reply.
func (b *books) say(d *throttle.Decision, maySend bool) *reply {
	f, next := &d.Forecast, &d.Forecast.NextDay
	r := &reply{
		Release: d.N, Binding: strings.ReplaceAll(string(d.Limit), "_", "-"), Because: strings.Replace(d.Sentence, "then confirm that it does", `then send "resume":true`, 1),
		Hold: d.Memory.Silence != nil, Risk: places(d.Figures.Risk, 9), Expected: places(d.Figures.FromBatch, 4),
		Queue:   make([]queueAt, 0, len(f.Queue)),
		Finish:  finish{b.when(f.FinishFrom), b.when(f.FinishLikely), b.when(f.FinishTo)},
		NextDay: band{places(next.Mean, 4), places(next.P05, 4), places(next.P25, 4), places(next.P75, 4), places(next.P95, 4)},
	}
	for _, q := range f.Queue {
		r.Queue = append(r.Queue, queueAt{*b.when(q.At), places(q.Mean, 4), places(q.P10, 4), places(q.P90, 4)})
	}
	if !maySend {
		r.Binding = strings.ReplaceAll(string(throttle.LimitWindow), "_", "-")
		if _, rest, ok := strings.Cut(r.Because, ". "); ok {
			r.Because = "No texts now: it is outside the hours for texts (may_send is false). " + rest
		}
	}
	return r
}

// when writes an instant in the campaign's zone; nil if there is none.
func (b *books) when(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.In(b.loc).Format(time.RFC3339)
	return &s
}

// places rounds: what comes after them is not known.
func places(x float64, n int) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) { // nothing that JSON could say
		return 0
	}
	unit := math.Pow10(n)
	return math.Round(x*unit) / unit
}
