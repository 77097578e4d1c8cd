package sim

import (
	"testing"

	"github.com/wellpaced/wellpaced/throttle"
)

// While the senior is away no text leaves, and everybody is texted in the end. The other link workers are there all the time: it is not the
// roster as a whole that holds the texts back.
func TestSeniorAway(t *testing.T) {
	w := load(t, "41")
	for seed := range uint64(3) {
		r := Run(w, Pacer, seed, Options{Course: true})
		if r.TextsLeft != 0 || r.Limits[string(throttle.LimitSenior)] == 0 {
			t.Errorf("seed %d: %d texts are left; limits %v", seed, r.TextsLeft, r.Limits)
		}
		sent := map[bool]int{}
		for _, x := range r.Course.Steps {
			// From the Friday before, when the senior does not work, to the next Friday, whose late texts find the senior on Monday.
			sent[x.Day >= 4 && x.Day < 11] += x.Texts
		}
		if sent[true] != 0 || sent[false] != w.Patients {
			t.Errorf("seed %d: %d texts while the senior is away, %d else", seed, sent[true], sent[false])
		}
		without := w
		without.Team = append([]Member(nil), w.Team...)
		without.Team[0].Senior = false
		if x := Run(without, Pacer, seed, Options{}); x.WorkingDays > r.WorkingDays-2 || x.Limits[string(throttle.LimitSenior)] != 0 {
			t.Errorf("seed %d: %.1f working days where a senior is needed, %.1f where none is", seed, r.WorkingDays, x.WorkingDays)
		}
	}
}
