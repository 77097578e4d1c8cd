package sim

import (
	"testing"

	"github.com/wellpaced/wellpaced/throttle"
)

// taught runs a campaign of a world that starts with a prior, and says what it taught.
func taught(t *testing.T, name string, seed uint64, prior *throttle.Prior) (Result, throttle.Lesson) {
	t.Helper()
	r := newRun(newStage(load(t, name)), Pacer, seed, Options{})
	for i := range r.ledger.policy.Campaigns {
		r.ledger.policy.Campaigns[i].Prior = prior
	}
	result := r.play()
	end := r.s.w.midnight(r.lastDay + 30) // slow answers have come
	return result, throttle.Learn(end, r.ledger.policy.Campaigns[0], r.ledger.state.Campaigns[0])
}

// A pacer that knows earlier campaigns of the same network calls nobody late for it, whether the next campaign is like them or not; if it is,
// it is hardly slower. (Who knows that people are slow starts warily: the first texts of the uninformed are bolder, on the belief that they are not.)
func TestPriorsFromHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("runs dozens of campaigns")
	}
	const campaigns, seeds = 3, 4
	for _, c := range []struct {
		before, now string
		longer      float64 // than without history, at most
	}{
		{"01-knowsley", "01-knowsley", 1.05},
		{"06-slow", "06-slow", 1.15},
		{"02-low", "04-high", 1.05}, // 27 times as many answer as ever before
		{"04-high", "02-low", 1.6},  // the other way round it takes a while to believe it
	} {
		t.Run(c.before+" before "+c.now, func(t *testing.T) {
			var lessons []throttle.Lesson
			for seed := range uint64(campaigns) {
				_, l := taught(t, c.before, 9000+seed, nil)
				lessons = append(lessons, l)
			}
			prior := throttle.PriorFrom(lessons)
			var blind, informed Result
			for seed := range uint64(seeds) {
				for to, p := range map[*Result]*throttle.Prior{&blind: nil, &informed: prior} {
					r, _ := taught(t, c.now, 7000+seed, p)
					to.Late, to.Referrals, to.WorkingDays = to.Late+r.Late, to.Referrals+r.Referrals, to.WorkingDays+r.WorkingDays
				}
			}
			t.Logf("prior %.4f, shape %.1f, %d curves, spread %.2f; late %d of %d without and %d of %d with it; %.1f and %.1f working days",
				prior.Mean, prior.Shape, len(prior.Curves), prior.Spread, blind.Late, blind.Referrals, informed.Late, informed.Referrals, blind.WorkingDays/seeds, informed.WorkingDays/seeds)
			if 200*(informed.Late-blind.Late) > informed.Referrals {
				t.Errorf("%d of %d are called too late; without history %d of %d", informed.Late, informed.Referrals, blind.Late, blind.Referrals)
			}
			if informed.WorkingDays > c.longer*blind.WorkingDays {
				t.Errorf("%.1f working days, without history %.1f", informed.WorkingDays/seeds, blind.WorkingDays/seeds)
			}
		})
	}
}
