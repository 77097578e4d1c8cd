package pace

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The same draws in every run, unless the command line gives another -rapid.seed; and no files left in the tree.
func init() {
	for name, value := range map[string]string{"rapid.seed": "20260601", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}

// tale draws a conversation: an opening and lines of a campaign in which much happens by chance. The last line is left open.
type tale struct {
	open  string
	lines []map[string]any
	left  []int
	rate  float64 // per minute
	sizes []int
}

func drawTale(t *rapid.T, orders ...string) *tale {
	x := &tale{rate: rapid.SampledFrom([]float64{.3, 5, 600}).Draw(t, "rate")}
	var strata []any
	for i := range rapid.IntRange(1, 3).Draw(t, "strata") {
		n := rapid.SampledFrom([]int{0, 40, 700, 20000}).Draw(t, "size")
		x.sizes, x.left = append(x.sizes, n), append(x.left, n)
		strata = append(strata, map[string]any{"id": fmt.Sprint(i), "size": n})
	}
	order := rapid.SampledFrom(orders).Draw(t, "order")
	x.open = text(t, map[string]any{"open": map[string]any{"promise_hours": rapid.SampledFrom([]float64{8, 16, 24}).Draw(t, "promise"),
		"timezone": "Europe/London", "strata": strata, "order": order, "provider_per_minute": x.rate}})
	perDay := rapid.SampledFrom([]float64{3, 12, 60}).Draw(t, "contacts a day")
	minutes := 0
	queue := 0
	for range rapid.IntRange(2, 12).Draw(t, "lines") {
		step := rapid.SampledFrom([]int{10, 60, 60, 60, 960, 3900}).Draw(t, "minutes")
		minutes += step
		m := fields(minutes, map[string]any{"capacity": office(monday.Add(time.Duration(minutes/1440)*24*time.Hour), 40, perDay)})
		delete(m, "left")
		left := map[string]any{}
		var delivered, answers, calls []any
		for s := range x.left {
			sent := min(x.left[s], rapid.IntRange(0, 60).Draw(t, "sent"))
			x.left[s] -= sent
			left[fmt.Sprint(s)] = x.left[s]
			if sent > 0 && rapid.Bool().Draw(t, "receipts") {
				delivered = append(delivered, cells(at(minutes-step), fmt.Sprint(s), sent)...)
			}
			for range rapid.IntRange(0, 2).Draw(t, "answers") {
				answers = append(answers, map[string]any{"at": at(minutes - rapid.IntRange(0, step).Draw(t, "ago")), "stratum": fmt.Sprint(s), "delivered_at": at(minutes - step)})
				queue++
			}
		}
		for range min(queue, rapid.IntRange(0, 3).Draw(t, "calls")) {
			calls = append(calls, map[string]any{"at": at(minutes - rapid.IntRange(0, step).Draw(t, "ago"))})
			queue--
		}
		if rapid.IntRange(0, 9).Draw(t, "tells what is left") > 0 {
			m["left"] = left
		}
		m["delivered"], m["answers"], m["contacts_made"], m["queue"] = delivered, answers, calls, queue
		m["may_send"] = rapid.IntRange(0, 4).Draw(t, "may send") > 0
		m["resume"] = rapid.IntRange(0, 9).Draw(t, "resume") == 0
		x.lines = append(x.lines, m)
	}
	return x
}

// tell plays the tale with another last line.
func (x *tale) tell(t *rapid.T, change func(last map[string]any)) (all []reply) {
	lines := []string{x.open}
	for i, m := range x.lines {
		if i == len(x.lines)-1 && change != nil {
			last := map[string]any{}
			for k, v := range m {
				last[k] = v
			}
			change(last)
			m = last
		}
		lines = append(lines, text(t, m))
	}
	for _, r := range talk(t, lines...) {
		var got reply
		if err := json.Unmarshal([]byte(r), &got); err != nil || got.Binding == "" {
			t.Fatalf("%s", r)
		}
		all = append(all, got)
	}
	return all
}

// Nothing ever goes outside the hours, the list, the sender's speed or the roster.
func TestProperty_limits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawTale(t, "interleaved", "given")
		nobody := rapid.Bool().Draw(t, "nobody is there")
		replies := x.tell(t, func(last map[string]any) {
			if nobody { // within any promise
				last["capacity"] = []any{}
				last["open_hours"] = []any{map[string]any{"from": last["now"], "to": last["now"].(time.Time).Add(100 * time.Hour)}}
			}
		})
		start := x.lines[0]["now"].(time.Time)
		sum := 0
		for i, r := range replies {
			m := x.lines[i]
			if r.Release < 0 || r.Release > 0 && !m["may_send"].(bool) {
				t.Fatalf("%d texts when they may not leave", r.Release)
			}
			if !m["may_send"].(bool) && r.Binding != "window" {
				t.Fatalf("bound by %s when texts may not leave", r.Binding)
			}
			if left, ok := m["left"].(map[string]any); ok {
				all := 0
				for _, n := range left {
					all += n.(int)
				}
				if r.Release > all {
					t.Fatalf("%d texts of %d left", r.Release, all)
				}
			}
			sum += r.Release
			// As much as the sender can have sent by the next line, if that comes within the longest gap.
			if most := x.rate * (m["now"].(time.Time).Sub(start) + longestGap).Minutes(); float64(sum) > most {
				t.Fatalf("%d texts by then, the sender can send %v", sum, most)
			}
			if r.Hold && r.Release > 0 {
				t.Fatalf("%d texts while held", r.Release)
			}
			for _, n := range []float64{r.Risk, r.Expected, r.NextDay.Mean, r.NextDay.P95} {
				if !(n >= 0) || math.IsInf(n, 0) {
					t.Fatalf("%+v", r)
				}
			}
			if strings.TrimSpace(r.Because) == "" {
				t.Fatal("no reason")
			}
		}
		if r := replies[len(replies)-1]; nobody && r.Release > 0 {
			t.Fatalf("%d texts and nobody there", r.Release)
		}
	})
}

// A longer queue never means more texts.
func TestProperty_queue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawTale(t, "interleaved")
		more := rapid.IntRange(1, 30).Draw(t, "more waiting")
		a := x.tell(t, func(last map[string]any) { last["may_send"] = true })
		b := x.tell(t, func(last map[string]any) { last["may_send"], last["queue"] = true, last["queue"].(int)+more })
		if one, two := a[len(a)-1], b[len(b)-1]; two.Release > one.Release {
			t.Fatalf("%d texts (%s), and %d (%s) with %d more waiting", one.Release, one.Binding, two.Release, two.Binding, more)
		}
	})
}

// More capacity ahead never means fewer texts. (In a given order it may: a larger batch reaches people of whom more answer.)
func TestProperty_capacity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawTale(t, "interleaved")
		factor := rapid.SampledFrom([]float64{1.05, 1.5, 3}).Draw(t, "times as much")
		a := x.tell(t, func(last map[string]any) { last["may_send"] = true })
		b := x.tell(t, func(last map[string]any) {
			last["may_send"] = true
			var more []any
			for _, c := range last["capacity"].([]any) {
				c := c.(map[string]any)
				more = append(more, map[string]any{"from": c["from"], "to": c["to"], "contacts": c["contacts"].(float64) * factor})
			}
			last["capacity"] = more
		})
		if one, two := a[len(a)-1], b[len(b)-1]; two.Release < one.Release {
			t.Fatalf("%d texts (%s), and %d (%s) with %v times the capacity", one.Release, one.Binding, two.Release, two.Binding, factor)
		}
	})
}

// FuzzPace throws lines at the protocol: it never fails, answers each line once, and a line that makes no sense leaves no trace.
func FuzzPace(f *testing.F) {
	week := office(monday, 3, 9)
	f.Add(opening + "\n" + text(f, fields(0, map[string]any{"capacity": week})) + "\n" + text(f, fields(60, map[string]any{"capacity": nil, "delivered": cells(at(1), "a", 3.5), "queue": 2})))
	f.Add(opening + "\n" + text(f, fields(0, map[string]any{"capacity": week, "left": map[string]any{"a": 1}, "resume": true})) + "\n\n{}\nnull\n" + opening + "\n[]")
	f.Add(strings.Replace(opening, "interleaved", "given", 1) + "\n" + `{"now":"2026-06-01T09:00:00Z","may_send":true,"ahead":[{"stratum":"a","count":7}],"queue":1e9,"capacity":[{"from":"1980-01-01T00:00:00Z","to":"2200-01-01T00:00:00Z","contacts":1e9}]}`)
	f.Add(opening + "\n" + `{"now":"2026-06-01T09:00:00Z","answers":[{"at":"1980-06-01T09:00:00Z","stratum":"b","delivered_at":"1980-06-01T09:00:00Z"}],"delivered":[{"at":"1980-06-01T09:00:00Z","stratum":"b","count":1e9}]}` + "\n" + `{"now":"2199-06-01T09:00:00Z","may_send":true}`)
	f.Add("\xef\xbb\xbf" + `{"open":{"promise_hours":0.1,"strata":[{"id":"x","size":0}]}}` + "\r\n" + `{"now":"2026-06-01T09:00:00.5+01:00","open_hours":[{"from":"2026-06-01T09:00:00Z","to":"2026-06-01T09:00:00.3Z"}]}`)
	f.Fuzz(func(t *testing.T, in string) {
		lines := strings.Split(strings.TrimPrefix(in, "\xef\xbb\xbf"), "\n")
		var all, good []string
		asked := 0
		for _, l := range lines {
			if l = strings.TrimSpace(l); l != "" {
				all = append(all, l)
			}
		}
		if len(all) == 0 {
			return
		}
		var s session
		var want []string
		for _, l := range all {
			before := s.books
			switch x := s.answer([]byte(l)).(type) {
			case nil:
				if before != nil || s.books == nil {
					t.Fatalf("no reply to %q", l)
				}
				good = append(good, l)
				continue
			case *reply:
				good = append(good, l)
				want = append(want, text(t, x))
				if x.Release < 0 || x.Binding == "" || x.Because == "" {
					t.Fatalf("%+v", x)
				}
			case fault:
				if x.Error == "" {
					t.Fatal("an error without words")
				}
			}
			asked++
		}
		if got := talk(t, in); asked != len(got) && (asked != 0 || got[0] != "") {
			t.Fatalf("%d replies to %d lines", len(got), asked)
		}
		// Without the lines that made no sense the others are answered alike.
		var again session
		n := 0
		for _, l := range good {
			if x, ok := again.answer([]byte(l)).(*reply); ok {
				if got := text(t, x); got != want[n] {
					t.Fatalf("a bad line left a trace:\n%s\n%s", got, want[n])
				}
				n++
			}
		}
		if n != len(want) {
			t.Fatalf("%d replies without the bad lines, want %d", n, len(want))
		}
	})
}
