package pace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const opening = `{"open":{"promise_hours":16,"timezone":"Europe/London","strata":[{"id":"a","size":3000},{"id":"b","size":1000}],"order":"interleaved","provider_per_minute":600}}`

// monday is 09:00 in London.
var monday = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

// fields makes a line at so many minutes after Monday 09:00 with six weeks of capacity, some of it changed.
func fields(minutes int, set map[string]any) map[string]any {
	now := monday.Add(time.Duration(minutes) * time.Minute)
	m := map[string]any{"now": now, "may_send": true, "queue": 0, "left": map[string]any{"a": 3000, "b": 1000}, "capacity": office(monday, 42, 12)}
	for k, v := range set {
		if v == nil {
			delete(m, k)
		} else {
			m[k] = v
		}
	}
	return m
}

// office is the roster of a team on weekdays from 09:00 to 17:00.
func office(from time.Time, days int, perDay float64) []any {
	out := []any{}
	for d := range days {
		at := from.Add(time.Duration(d) * 24 * time.Hour)
		if w := at.Weekday(); w != time.Saturday && w != time.Sunday {
			out = append(out, map[string]any{"from": at, "to": at.Add(8 * time.Hour), "contacts": perDay})
		}
	}
	return out
}

// failer is a testing.TB or a *rapid.T.
type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func text(t failer, m any) string {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func at(minutes int) string {
	return monday.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339)
}

// talk feeds lines and returns the replies.
func talk(t failer, lines ...string) []string {
	t.Helper()
	var out bytes.Buffer
	if err := Serve(strings.NewReader(strings.Join(lines, "\n")), &out); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

func read(t testing.TB, line string) reply {
	t.Helper()
	var r reply
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || r.Binding == "" {
		t.Fatalf("not a reply: %s", line)
	}
	return r
}

// desk is a session that a test looks into.
type desk struct {
	session
	t testing.TB
}

func newDesk(t testing.TB, open string) *desk {
	t.Helper()
	d := &desk{t: t}
	if x := d.answer([]byte(open)); x != nil {
		t.Fatal(x)
	}
	return d
}

func (d *desk) ask(minutes int, set map[string]any) *reply {
	d.t.Helper()
	r, ok := d.answer([]byte(text(d.t, fields(minutes, set)))).(*reply)
	if !ok {
		d.t.Fatalf("no reply but %v", d.answer([]byte(text(d.t, fields(minutes, set)))))
	}
	return r
}

func left(a, b float64) map[string]any { return map[string]any{"a": a, "b": b} }

func cells(list ...any) []any {
	out := []any{}
	for i := 0; i < len(list); i += 3 {
		out = append(out, map[string]any{"at": list[i], "stratum": list[i+1], "count": list[i+2]})
	}
	return out
}

// The reply has exactly what the protocol promises.
func TestReply(t *testing.T) {
	got := talk(t, opening, text(t, fields(0, nil)))
	if len(got) != 1 {
		t.Fatalf("%d replies", len(got))
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(got[0]), &m); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"release", "binding", "because", "hold", "risk", "expected_answers", "queue_forecast", "finish", "answers_next_day"} {
		if _, ok := m[name]; !ok {
			t.Errorf("no %s in %s", name, got[0])
		}
		delete(m, name)
	}
	if len(m) != 0 {
		t.Errorf("also: %v", m)
	}
	r := read(t, got[0])
	if r.Release < 50 || r.Release > 2000 || strings.Contains(r.Binding, "_") || r.Hold || r.Risk <= 0 || r.Risk > .0201 || r.Expected <= 0 || len(r.Queue) < 5 {
		t.Errorf("%s", got[0])
	}
	if r.Finish.P10 != nil || r.Finish.P50 != nil || r.Finish.P90 != nil {
		t.Error("the first line knows when the last text will go")
	}
	if n := r.NextDay; n.Mean <= 0 || n.P05 > n.P25 || n.P25 > n.P75 || n.P75 > n.P95 {
		t.Errorf("%+v", n)
	}
	for _, q := range r.Queue {
		if when, err := time.Parse(time.RFC3339, q.At); err != nil || !when.After(monday) || q.P10 > q.Mean || q.Mean > q.P90 {
			t.Errorf("%+v", q)
		}
	}
}

// A bad line says what is wrong and how to mend it, and all goes on as if it had not been there.
func TestBadLines(t *testing.T) {
	good := []string{opening, text(t, fields(0, nil)), text(t, fields(60, map[string]any{"left": left(2900, 900),
		"delivered": cells(at(1), "a", 99.5, at(1), "b", 100), "answers": []any{map[string]any{"at": at(30), "stratum": "a", "delivered_at": at(1)}}}))}
	last := text(t, fields(120, map[string]any{"left": left(2900, 900), "queue": 1}))
	want := talk(t, append(good, last)...)
	event := func(field string, m any) map[string]any { return map[string]any{field: []any{m}} }
	one := func(at any, more ...any) map[string]any {
		m := map[string]any{"at": at}
		for i := 0; i < len(more); i += 2 {
			m[more[i].(string)] = more[i+1]
		}
		return m
	}
	for _, tt := range []struct{ name, line, says string }{
		{"not JSON", "hello", "not a JSON object"},
		{"half JSON", `{"now":`, "not JSON"},
		{"broken JSON", `{"now":}`, "not JSON"},
		{"NaN", `{"now":"` + at(61) + `","queue":NaN}`, "not JSON"},
		{"a list", `[1]`, "not a JSON object"},
		{"null", `null`, "not a JSON object"},
		{"two objects", text(t, fields(61, nil)) + " {}", "goes on"},
		{"unknown field", text(t, fields(61, map[string]any{"capcity": 1})), `"capcity"`},
		{"unknown field inside", text(t, fields(61, event("answers", one(at(1), "stratum", "a", "deliverd_at", at(1))))), `"deliverd_at"`},
		{"wrong kind", text(t, fields(61, map[string]any{"queue": "five"})), "queue is a string"},
		{"wrong kind of a list", text(t, fields(61, map[string]any{"answers": 3})), "answers"},
		{"no now", text(t, fields(61, map[string]any{"now": nil})), "now is missing"},
		{"empty", `{}`, "now is missing"},
		{"a time that is none", text(t, fields(61, map[string]any{"now": "yesterday"})), `"yesterday" is not a time`},
		{"a time without a zone", text(t, fields(61, map[string]any{"now": "2026-06-01T10:01:00"})), "is not a time"},
		{"a year that is none", text(t, fields(61, map[string]any{"now": "0001-01-01T00:00:00Z"})), "year 1"},
		{"backwards", text(t, fields(59, nil)), "time only goes on"},
		{"negative queue", text(t, fields(61, map[string]any{"queue": -1})), "queue is -1"},
		{"huge queue", text(t, fields(61, map[string]any{"queue": 1e12})), "queue"},
		{"too large a number", `{"now":"` + at(61) + `","queue":1e999}`, "queue"},
		{"negative count", text(t, fields(61, map[string]any{"delivered": cells(at(60), "a", -1)})), "delivered[0].count is -1"},
		{"no count", text(t, fields(61, event("delivered", one(at(60), "stratum", "a")))), "delivered[0].count is missing"},
		{"no stratum", text(t, fields(61, event("delivered", one(at(60), "count", 1)))), "delivered[0].stratum is missing"},
		{"no time", text(t, fields(61, event("contacts_made", map[string]any{}))), "contacts_made[0].at is missing"},
		{"delivered in the future", text(t, fields(61, map[string]any{"delivered": cells(at(62), "a", 1)})), "after now"},
		{"delivered to whom", text(t, fields(61, map[string]any{"delivered": cells(at(60), "c", 1)})), `"c"`},
		{"answer in the future", text(t, fields(61, event("answers", one(at(62), "stratum", "a", "delivered_at", at(1))))), "after now"},
		{"answer before its text", text(t, fields(61, event("answers", one(at(1), "stratum", "a", "delivered_at", at(2))))), "before its text"},
		{"answer from whom", text(t, fields(61, event("answers", one(at(60), "stratum", "z", "delivered_at", at(2))))), `"z"`},
		{"answer from nobody", text(t, fields(61, event("answers", one(at(60), "delivered_at", at(2))))), "stratum is missing"},
		{"untokened answer from whom", text(t, fields(61, event("answers", one(at(60), "stratum", "z")))), `"z"`},
		{"referral in the future", text(t, fields(61, event("other_referrals", one(at(62))))), "after now"},
		{"contact in the future", text(t, fields(61, event("contacts_made", one(at(62))))), "after now"},
		{"left of whom", text(t, fields(61, map[string]any{"left": map[string]any{"a": 1, "q": 1}})), `"q"`},
		{"negative left", text(t, fields(61, map[string]any{"left": left(-1, 1)})), `left of "a" is -1`},
		{"null left", text(t, fields(61, map[string]any{"left": map[string]any{"a": json.RawMessage("null")}})), `left of "a" is missing`},
		{"ahead of whom", text(t, fields(61, map[string]any{"ahead": []any{map[string]any{"stratum": "q", "count": 1}}})), `"q"`},
		{"negative capacity", text(t, fields(61, map[string]any{"capacity": []any{map[string]any{"from": at(0), "to": at(9), "contacts": -1}}})), "capacity[0].contacts is -1"},
		{"capacity backwards", text(t, fields(61, map[string]any{"capacity": []any{map[string]any{"from": at(9), "to": at(9), "contacts": 1}}})), "not after its start"},
		{"hours without an end", text(t, fields(61, map[string]any{"open_hours": []any{map[string]any{"from": at(9)}}})), "open_hours[0].to is missing"},
		{"open again", opening, "open already"},
		{"too long", `{"now":"` + strings.Repeat(" ", longest) + `"}`, "longer than 16 MB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := talk(t, append(append([]string{}, good...), tt.line, last)...)
			var f fault
			if err := json.Unmarshal([]byte(got[2]), &f); err != nil || !strings.Contains(f.Error, tt.says) || len(f.Error) > 400 {
				t.Errorf("got %.500s, want %q in an error", got[2], tt.says)
			}
			if len(got) != 4 || got[0] != want[0] || got[1] != want[1] || got[3] != want[2] {
				t.Errorf("the line after it is answered differently:\n%s\n%s", got[3], want[2])
			}
		})
	}
}

func TestOpening(t *testing.T) {
	open := func(from, to string) string { return strings.Replace(opening, from, to, 1) }
	for _, tt := range []struct{ name, line, says string }{
		{"a line before", text(t, fields(0, nil)), "nothing is open yet"},
		{"no such zone", open("Europe/London", "Europe/Lundon"), "Lundon"},
		{"the machine's own zone", open("Europe/London", "Local"), "Local"},
		{"no promise", open(`"promise_hours":16,`, ""), "promise_hours"},
		{"a promise of nothing", open("16", "0"), "promise_hours"},
		{"no strata", open(`[{"id":"a","size":3000},{"id":"b","size":1000}]`, "[]"), "strata"},
		{"one stratum twice", open(`"b"`, `"a"`), "strata[1].id"},
		{"no size", open(`"id":"b","size":1000`, `"id":"b"`), "strata[1].size"},
		{"an order that is none", open("interleaved", "random"), "random"},
		{"a sender that sends nothing", open("600", "0"), "provider_per_minute"},
		{"unknown field", open("timezone", "time_zone"), "time_zone"},
		{"hours backwards", open(`"order"`, `"open_hours":[{"from":"2026-06-02T09:00:00Z","to":"2026-06-01T09:00:00Z"}],"order"`), "open_hours[0]"},
		{"and a line", open(`{"open"`, `{"now":"2026-06-01T09:00:00Z","open"`), "a line of its own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := talk(t, tt.line, opening, text(t, fields(0, nil))) // the next may open
			if len(got) != 2 || !strings.Contains(got[0], tt.says) || !strings.HasPrefix(got[0], `{"error":`) {
				t.Fatalf("%q", got)
			}
			read(t, got[1])
		})
	}
	// What may be left out.
	short := `{"open":{"promise_hours":16,"strata":[{"id":"a","size":3000},{"id":"b","size":1000}]}}`
	if a, b := talk(t, opening, text(t, fields(0, nil))), talk(t, short, text(t, fields(0, nil))); a[0] != b[0] {
		t.Errorf("without zone, order and rate:\n%s\n%s", a[0], b[0])
	}
}

func TestServe(t *testing.T) {
	line := text(t, fields(0, nil))
	want := talk(t, opening, line)[0] + "\n"
	for name, in := range map[string]string{
		"plain":                  opening + "\n" + line + "\n",
		"no end":                 opening + "\n" + line,
		"Windows":                opening + "\r\n" + line + "\r\n",
		"empty lines":            "\n  \n" + opening + "\n\n\r\n" + line + "\n\n",
		"a mark before the text": "\xef\xbb\xbf" + opening + "\n" + line,
	} {
		for kind, reader := range map[string]io.Reader{"": strings.NewReader(in), " byte by byte": iotest.OneByteReader(strings.NewReader(in))} {
			var out bytes.Buffer
			if err := Serve(reader, &out); err != nil || out.String() != want {
				t.Errorf("%s%s: %v, %q", name, kind, err, out.String())
			}
		}
	}
	// Each reply is out before the next line is read.
	in, write := io.Pipe()
	read, out := io.Pipe()
	go func() { _ = Serve(in, out); _ = out.Close() }()
	got := make([]byte, len(want))
	for range 2 {
		if _, err := io.WriteString(write, opening+"\n"+line+"\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(read, got); err != nil || string(got) != want {
			t.Fatalf("%v: %s", err, got)
		}
		write.Close()
		if rest, err := io.ReadAll(read); err != nil || len(rest) != 0 {
			t.Fatalf("after the end: %v, %q", err, rest)
		}
		in, write = io.Pipe()
		read, out = io.Pipe()
		go func() { _ = Serve(in, out); _ = out.Close() }()
	}
	write.Close()

	broken := errors.New("broken")
	if err := Serve(strings.NewReader(opening+"\n"+line), failing{broken}); !errors.Is(err, broken) {
		t.Errorf("nobody listens: %v", err)
	}
	if err := Serve(io.MultiReader(strings.NewReader(opening+"\n"), iotest.ErrReader(broken)), io.Discard); !errors.Is(err, broken) {
		t.Errorf("nobody can be heard: %v", err)
	}
	if err := Serve(strings.NewReader(""), failing{broken}); err != nil {
		t.Errorf("nobody says anything: %v", err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

// What has been released is on its way until its receipt comes, and the list says what of it was really sent.
func TestWhereabouts(t *testing.T) {
	type step struct {
		minutes  int
		left     map[string]any
		came     []any // delivered
		onTheWay int
		arrived  float64 // counts as delivered
		note     string
	}
	const n = 100 // released at the first line, by hand
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"receipts as usual", []step{
			{30, left(2925, 975), nil, 100, 0, "gone from the list"},
			{60, left(2925, 975), cells(at(1), "a", 74.5, at(1), "b", 25), 1, 99.5, "nearly all delivered"},
			{130, left(2925, 975), nil, 0, 100, "no receipt in two hours: counts as delivered"},
			{200, left(2925, 975), cells(at(150), "a", .5), 0, 100, "a late receipt counts once"},
			{260, left(2925, 975), cells(at(250), "a", 3), 0, 103, "more than was ever released"},
		}},
		{"all at once", []step{{60, left(2925, 975), cells(at(0), "a", 75, at(0), "b", 25), 0, 100, ""}}},
		{"a sender that sends less", []step{
			{60, left(2970, 990), cells(at(1), "a", 30, at(1), "b", 10), 60, 40, "the rest may still go"},
			{119, left(2970, 990), nil, 60, 40, ""},
			{121, left(2970, 990), nil, 0, 40, "nothing has gone in two hours: not sent"},
		}},
		{"a sender that sends more", []step{
			{60, left(2725, 875), cells(at(1), "a", 75, at(1), "b", 25), 300, 100, "300 without our leave"},
			{90, left(2725, 875), cells(at(70), "a", 200, at(70), "b", 100), 0, 400, ""},
		}},
		{"more, and delivered", []step{{60, left(2725, 875), cells(at(1), "a", 275, at(1), "b", 125), 0, 400, ""}}},
		{"a list that lags behind the receipts", []step{
			{30, left(3000, 1000), cells(at(1), "a", 75, at(1), "b", 25), 0, 100, ""},
			{60, left(2925, 975), nil, 0, 100, ""},
		}},
		{"texts that come back", []step{
			{30, left(2925, 975), nil, 100, 0, ""},
			{60, left(2965, 985), nil, 50, 0, "50 were not sent"},
			{121, left(2965, 985), nil, 0, 50, ""},
		}},
		{"nobody says what is left", []step{
			{60, nil, cells(at(1), "a", 75), 25, 75, ""},
			{121, nil, nil, 0, 100, "as far as we know they went out"},
			{180, nil, cells(at(150), "b", 25), 0, 100, ""},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDesk(t, opening)
			d.ask(0, map[string]any{"may_send": false})
			b := d.books
			b.batches = []batch{{at: b.now, by: make([]float64, 2), pending: n}}
			for _, s := range tt.steps {
				set := map[string]any{"may_send": false, "left": s.left, "delivered": s.came}
				if s.left == nil {
					delete(set, "left")
					m := fields(s.minutes, set)
					delete(m, "left")
					if s.came == nil {
						delete(m, "delivered")
					}
					if _, ok := d.answer([]byte(text(t, m))).(*reply); !ok {
						t.Fatal("no reply")
					}
				} else {
					if s.came == nil {
						delete(set, "delivered")
					}
					d.ask(s.minutes, set)
				}
				_, state := b.ask()
				c := state.Campaigns[0]
				arrived := 0.0
				for _, x := range c.Delivered {
					arrived += x.N
				}
				by := 0
				for _, x := range c.OnTheWayBy {
					by += x
				}
				if c.OnTheWay != s.onTheWay || by != c.OnTheWay || math.Abs(arrived-s.arrived) > 1e-6 {
					t.Errorf("after %d minutes %d on the way (%v), %v arrived; want %d and %v: %s", s.minutes, c.OnTheWay, c.OnTheWayBy, arrived, s.onTheWay, s.arrived, s.note)
				}
				if s.left != nil { // what may be released is what is left and not on its way yet
					all := int(s.left["a"].(float64) + s.left["b"].(float64))
					for _, x := range b.batches {
						all -= int(x.pending)
					}
					if c.Planned != all {
						t.Errorf("after %d minutes %d planned, want %d", s.minutes, c.Planned, all)
					}
				}
			}
		})
	}
}

// A list that was texted before the first line: what is gone is not on its way.
func TestHistory(t *testing.T) {
	d := newDesk(t, opening)
	d.ask(0, map[string]any{"left": left(1000, 300), "delivered": cells(at(-5000), "a", 1950, at(-4000), "b", 690)})
	if _, s := d.books.ask(); s.Campaigns[0].Planned+d.books.outForTest() != 1300 || len(s.Campaigns[0].Delivered) != 2 {
		t.Errorf("%+v", s.Campaigns[0])
	}
	// Four weeks of other referrals come in working hours that nobody has declared.
	var others []any
	for day := -28; day < 0; day++ {
		if w := monday.Add(time.Duration(day) * 24 * time.Hour).Weekday(); w != time.Saturday && w != time.Sunday {
			for k := range 4 {
				others = append(others, map[string]any{"at": at(day*24*60 + k*100)})
			}
		}
	}
	d = newDesk(t, opening)
	d.ask(0, map[string]any{"other_referrals": others})
	hours := 0.0
	for _, s := range d.books.open {
		if s.From.Before(monday) {
			hours += s.To.Sub(s.From).Hours()
			if s.From.Hour() != 8 || s.To.Sub(s.From) != 8*time.Hour {
				t.Errorf("open %v to %v", s.From, s.To)
			}
		}
	}
	if hours != 160 {
		t.Errorf("%v working hours in the four weeks before", hours)
	}
}

func (b *books) outForTest() (n int) {
	for i := range b.batches {
		n += int(math.Round(b.batches[i].size()))
	}
	return n
}

// The roster ahead is replaced; what lies behind stays as it was last declared.
func TestCapacity(t *testing.T) {
	span := func(from, to int, n float64) any {
		return map[string]any{"from": at(from), "to": at(to), "contacts": n}
	}
	d := newDesk(t, opening)
	check := func(step string, want ...able) {
		t.Helper()
		got := d.books.able
		for i := range want {
			want[i].from, want[i].to = monday.Unix()+60*want[i].from, monday.Unix()+60*want[i].to
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", step, got, want)
		}
	}
	d.ask(30, map[string]any{"capacity": []any{span(0, 60, 2), span(60, 120, 2), span(120, 240, 1)}})
	check("joined", able{0, 120, 2}, able{120, 240, .5})
	d.ask(90, map[string]any{"capacity": []any{span(60, 120, 4), span(180, 240, 1)}})
	check("split at now", able{0, 90, 2}, able{90, 120, 4}, able{180, 240, 1})
	d.ask(100, map[string]any{"capacity": nil})
	check("left out: as before", able{0, 90, 2}, able{90, 120, 4}, able{180, 240, 1})
	d.ask(110, map[string]any{"capacity": []any{span(180, 240, 1), span(180, 210, 3), span(110, 120, 0)}})
	check("two workers, in any order", able{0, 90, 2}, able{90, 110, 4}, able{110, 120, 0}, able{180, 210, 7}, able{210, 240, 1})
	if n := len(d.books.open); n != 2 || !d.books.open[0].To.Equal(monday.Add(110*time.Minute)) {
		t.Errorf("without open_hours working time is when there is capacity: %v", d.books.open)
	}
	d.ask(115, map[string]any{"capacity": nil, "open_hours": []any{map[string]any{"from": at(60), "to": at(400)}}})
	if n := len(d.books.open); n != 2 || !d.books.open[1].From.Equal(monday.Add(115*time.Minute)) || !d.books.open[1].To.Equal(monday.Add(400*time.Minute)) {
		t.Errorf("with open_hours: %v", d.books.open)
	}
	d.ask(115, map[string]any{"capacity": []any{span(115, 500, 1)}})
	if n := len(d.books.open); n != 2 || !d.books.open[1].To.Equal(monday.Add(500*time.Minute)) {
		t.Errorf("after the last of the open_hours it is when there is capacity again: %v", d.books.open)
	}
	d.ask(116, map[string]any{"capacity": []any{}})
	if p, _ := d.books.ask(); !p.Declared.Capacity[len(p.Declared.Capacity)-1].To.Equal(monday.Add(116 * time.Minute)) {
		t.Errorf("an empty roster: %+v", p.Declared.Capacity)
	}
	for day := range 100 { // nothing is kept for ever
		d.ask(day*24*60+500, map[string]any{"capacity": office(monday, 150, float64(day+1))})
	}
	if n := len(d.books.able); n > 110 {
		t.Errorf("%d stretches", n)
	}
}

// An hourly asker gets an hour's worth of the sender's time, and one who asks more often gets no more in all.
func TestRate(t *testing.T) {
	slow := strings.Replace(opening, `"provider_per_minute":600`, `"provider_per_minute":0.5`, 1)
	rich := map[string]any{"capacity": office(monday, 42, 4000)}
	d := newDesk(t, slow)
	a := d.ask(0, rich)
	if a.Release != 30 || a.Binding != "rate" || !strings.Contains(a.Because, "in 1 hour") {
		t.Errorf("the first line: %+v", a)
	}
	if r := d.ask(0, rich); r.Release != 0 {
		t.Errorf("asked twice: %+v", r)
	}
	sum := 30
	gone := 0.0
	for m := 10; m <= 300; m += 10 {
		gone = float64(sum)
		r := d.ask(m, map[string]any{"capacity": office(monday, 42, 4000), "left": left(3000-gone, 1000), "delivered": cells(at(m-10), "a", 0)})
		sum += r.Release
		if most := 30 + m/2; sum > most {
			t.Fatalf("%d texts in %d minutes, at most %d can go", sum, m, most)
		}
	}
	if sum < 130 {
		t.Errorf("only %d texts in five hours", sum)
	}
	d.ask(300+15*60, rich) // a night
	if got := d.books.atOnce(); got != 10*time.Minute {
		t.Errorf("the rhythm is %v", got)
	}
	for m := range 20 {
		d.ask(300+15*60+m, rich)
	}
	if got := d.books.atOnce(); got != shortestGap {
		t.Errorf("asked each minute: %v", got)
	}
}

// It is the sender who says when texts may leave: at night and on a bank holiday too, or not in office hours.
func TestWindow(t *testing.T) {
	d := newDesk(t, opening)
	r := d.ask(0, map[string]any{"may_send": false})
	if r.Release != 0 || r.Binding != "window" || !strings.HasPrefix(r.Because, "No texts now: it is outside the hours for texts (may_send is false). Nobody is waiting; ") ||
		len(r.Queue) == 0 || r.Hold || r.Risk > .003 {
		t.Errorf("%+v", r)
	}
	for name, minutes := range map[string]int{"a night": 20 * 60, "a Sunday": 6 * 24 * 60, "Boxing Day": 208 * 24 * 60} {
		d := newDesk(t, opening)
		now := monday.Add(time.Duration(minutes) * time.Minute)
		if r := d.ask(minutes, map[string]any{"capacity": office(now.Truncate(24*time.Hour).Add(8*time.Hour), 42, 12)}); r.Release == 0 {
			t.Errorf("on %s: %+v", name, r)
		}
	}
	if r := newDesk(t, opening).ask(0, map[string]any{"left": left(0, 0)}); r.Release != 0 || r.Binding != "list" {
		t.Errorf("nothing left: %+v", r)
	}
	if r := newDesk(t, opening).ask(0, map[string]any{"capacity": nil}); r.Release != 0 || r.Binding != "nobody" {
		t.Errorf("no roster: %+v", r)
	}
	if r := newDesk(t, opening).ask(0, map[string]any{"queue": 24}); r.Release != 0 || r.Binding != "brake" {
		t.Errorf("a full queue: %+v", r)
	}
}

// The coming order, where it is given, is that of the line, else of the opening.
func TestGivenOrder(t *testing.T) {
	given := strings.Replace(opening, "interleaved", "given", 1)
	d := newDesk(t, given)
	d.ask(0, map[string]any{"may_send": false, "ahead": []any{map[string]any{"stratum": "b", "count": 1000}, map[string]any{"stratum": "a", "count": 3000}}})
	ahead := func() string {
		_, s := d.books.ask()
		return fmt.Sprint(s.Campaigns[0].Ahead, s.Campaigns[0].OnTheWayBy)
	}
	if got := ahead(); got != "[{1 1000} {0 3000}] [0 0]" {
		t.Error(got)
	}
	d.books.batches = []batch{{at: d.books.now, by: make([]float64, 2), pending: 1100}}
	if got := ahead(); got != "[{0 2900}] [100 1000]" {
		t.Errorf("1,100 are on their way: %s", got)
	}
	d.ask(60, map[string]any{"may_send": false, "left": left(2900, 0), "delivered": cells(at(0), "b", 1000, at(0), "a", 100)})
	if got := ahead(); got != "[{0 2900}] [0 0]" {
		t.Errorf("no order is told: %s", got)
	}
	// An order that mirrors the list has none.
	d = newDesk(t, opening)
	d.ask(0, map[string]any{"ahead": []any{map[string]any{"stratum": "b", "count": 1000}}})
	if _, s := d.books.ask(); len(s.Campaigns[0].Ahead) > 0 {
		t.Error(s.Campaigns[0].Ahead)
	}
	// It matters: whoever is next has answered a lot, or not at all.
	release := func(next ...string) int {
		d := newDesk(t, given)
		var order []any
		for _, s := range next {
			order = append(order, map[string]any{"stratum": s, "count": 900})
		}
		d.ask(-6*24*60, map[string]any{"may_send": false, "capacity": office(monday.Add(-7*24*time.Hour), 60, 12), "left": left(3000, 1000)})
		var answers []any
		for i := range 30 {
			answers = append(answers, map[string]any{"at": at(-6*24*60 + 5 + 200*i), "stratum": "b", "delivered_at": at(-6*24*60 + 2)})
		}
		return d.ask(0, map[string]any{"ahead": order, "left": left(2700, 700), "answers": answers,
			"delivered": cells(at(-6*24*60+2), "a", 300, at(-6*24*60+2), "b", 300)}).Release
	}
	if a, b := release("a", "b"), release("b", "a"); a < 2*b || b == 0 {
		t.Errorf("%d texts to those who do not answer, %d to those who do", a, b)
	}
}

// A queue that is not told follows from what came and who was called.
func TestQueueNotTold(t *testing.T) {
	d := newDesk(t, opening)
	d.ask(0, map[string]any{"queue": 3})
	d.ask(60, map[string]any{"queue": nil, "other_referrals": []any{map[string]any{"at": at(10)}, map[string]any{"at": at(20)}},
		"answers": []any{map[string]any{"at": at(30)}, map[string]any{"at": at(30), "stratum": "a", "delivered_at": at(1)}}, "contacts_made": []any{map[string]any{"at": at(40)}}})
	if _, s := d.books.ask(); s.Waiting != 6 || len(s.Other) != 3 || len(s.Campaigns[0].Answers) != 1 {
		t.Errorf("%d wait, %d others, %d answers", s.Waiting, len(s.Other), len(s.Campaigns[0].Answers))
	}
	d.ask(61, map[string]any{"queue": 4.2})
	if _, s := d.books.ask(); s.Waiting != 5 {
		t.Errorf("%d wait", s.Waiting)
	}
}

// The promise is told in hours, as it was given: how many days they are depends on the network.
func TestPromise(t *testing.T) {
	for promise, want := range map[string]string{"24": "24 working hours", "7.5": "7.5 working hours", "1": "1 working hour:", "8": "8 working hours"} {
		d := newDesk(t, strings.Replace(opening, `"promise_hours":16`, `"promise_hours":`+promise, 1))
		if r := d.ask(0, nil); !strings.Contains(r.Because, "longer than "+want) || strings.Contains(r.Because, "working day") {
			t.Error(r.Because)
		}
	}
}

// When answers stop, nothing goes until a line says that somebody has looked.
func TestHold(t *testing.T) {
	x := newTown(t, "03", 4)
	from, to := x.origin.Add(10*24*time.Hour), x.origin.Add(17*24*time.Hour)
	held, resumed, after := 0, 0, 0
	x.tell = func(line map[string]any) {
		now := line["now"].(time.Time)
		if now.After(from) && now.Before(to) { // the form is down
			line["answers"], line["queue"] = []told{}, 0
			line["resume"] = false
		}
		if line["resume"] == true && now.After(to) {
			resumed++
		}
	}
	r := x.live(t)
	for i, b := range r.replies {
		got := read(t, string(b))
		var line struct {
			Now    time.Time
			Resume bool
		}
		if err := json.Unmarshal(r.lines[i+1], &line); err != nil {
			t.Fatal(err)
		}
		switch {
		case got.Hold:
			held++
			if got.Release != 0 || got.Binding != "silence" || !strings.Contains(got.Because, `"resume":true`) {
				t.Fatalf("%+v", got)
			}
			if line.Resume {
				t.Error("held although a person has looked")
			}
		case line.Now.After(to):
			after += got.Release
		}
	}
	if held < 8 || after == 0 {
		t.Errorf("held in %d lines, resumed %d times, %d texts after it", held, resumed, after)
	}
}

// The same lines give the same bytes, here in a town where receipts come late or never, asked each half hour.
func TestReplay(t *testing.T) {
	x := newTown(t, "31", 2)
	x.receipts, x.asks = true, 30
	r := x.live(t)
	if r.late*100 > r.referrals || r.left != 0 || r.outside != 0 {
		t.Errorf("%d of %d late, %d texts left, %d decisions beyond a limit", r.late, r.referrals, r.left, r.outside)
	}
	var again bytes.Buffer
	if err := Serve(bytes.NewReader(bytes.Join(r.lines, []byte("\n"))), &again); err != nil {
		t.Fatal(err)
	}
	if live := bytes.Join(r.replies, nil); !bytes.Equal(again.Bytes(), live) || len(live) < 10000 {
		t.Error("the same lines give other replies")
	}
}

// What the books keep does not grow for ever, and adds up.
func TestTidy(t *testing.T) {
	d := newDesk(t, opening)
	b := d.books
	delivered, answered := 0.0, 0.0
	most := 0
	for day := range 450 { // each text by itself, by the second
		var post, answers, calls []any
		for i := range 100 {
			when := at(day*24*60 + i*5)
			post = append(post, cells(when, "a", 1)...)
			if i%10 == 0 {
				answers = append(answers, map[string]any{"at": at(day*24*60 + 600), "stratum": "b", "delivered_at": at((day-i/10)*24*60 + 599)})
				calls = append(calls, map[string]any{"at": when})
			}
		}
		delivered += 100
		answered += 10
		d.ask(day*24*60+601, map[string]any{"may_send": false, "capacity": office(monday.Add(time.Duration(day)*24*time.Hour), 10, 12), "delivered": post,
			"answers": answers, "contacts_made": calls, "other_referrals": calls})
		most = max(most, len(b.delivered)+len(b.answers)+len(b.other)+len(b.contacts)+len(b.able)+len(b.open))
	}
	sum, came := 0.0, 0.0
	for _, c := range b.delivered {
		sum += c.N
	}
	for _, a := range b.answers {
		came += a.N
		if a.Answered < a.Delivered {
			t.Fatalf("%+v", a)
		}
	}
	if math.Abs(sum-delivered) > 1e-6 || math.Abs(came-answered) > 1e-6 {
		t.Errorf("%v delivered, %v answers; want %v and %v", sum, came, delivered, answered)
	}
	if most > 6000 {
		t.Errorf("the books hold %d entries after %v texts", most, delivered)
	}
	t.Logf("at most %d entries", most)
}
