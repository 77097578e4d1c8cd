package campaign

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/throttle"
	"pgregory.net/rapid"
)

var tuesday = time.Date(2026, time.June, 2, 0, 0, 0, 0, time.UTC)

func confirmation(t *testing.T, c lang.Code, by time.Time) (string, text.Size) {
	t.Helper()
	body, size, err := ComposeService(Confirmation, c, ServiceFields{Network: "Knowsley Central", Reference: "7K3M-Q2WX", By: by})
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	return body, size
}

func TestComposeService(t *testing.T) {
	for _, c := range []lang.Code{lang.English, "", "tlh"} {
		if body, size := confirmation(t, c, tuesday); body != "Thank you. We have received this, ref 7K3M-Q2WX. You will hear from us by Tuesday 2 June. Knowsley Central" || size.Segments != 1 || size.Encoding != text.GSM7 {
			t.Errorf("%q: %q, %+v", c, body, size)
		}
	}
	if body, _ := confirmation(t, lang.English, time.Time{}); body != "Thank you. We have received this, ref 7K3M-Q2WX. Knowsley Central" {
		t.Errorf("without a date: %q", body)
	}
	if body, _ := confirmation(t, lang.Arabic, tuesday); !strings.Contains(body, "الثلاثاء 2 يونيو") || !strings.Contains(body, "\u200e7K3M-Q2WX\u200e") {
		t.Errorf("Arabic: %q", body)
	}
	if body, size := confirmation(t, lang.Polish, tuesday); !strings.Contains(body, "do wtorku 2 czerwca") || size.Encoding != text.UCS2 {
		t.Errorf("Polish: %q", body)
	}
	body, size, err := ComposeService(Confirmation, lang.English, ServiceFields{Network: "O’Neill’s\n((date))  PCN", Reference: "A"})
	if err != nil || !strings.HasSuffix(body, "O'Neill's ((date)) PCN") || size.Encoding != text.GSM7 {
		t.Errorf("an odd name of a network: %q, %v", body, err)
	}
	if _, _, err := ComposeService("nonsense", lang.English, ServiceFields{}); err == nil {
		t.Error("a kind without a sentence is composed")
	}
}

// sentences are what each language has, with what stands in each of them once.
var sentences = map[string][]string{
	"confirmation": {"((reference))", "((date))", "((network))"}, "confirmation_undated": {"((reference))", "((network))"},
	"we_tried": {"((phone))", "((network))"}, "we_tried_no_number": {"((network))"},
	"running_late": {"((date))", "((network))"}, "running_late_undated": {"((network))"},
}

// Every language has every sentence, no dearer than two parts, and with nothing in it that a stranger should not read.
func TestServiceTexts_allLanguages(t *testing.T) {
	telling := regexp.MustCompile(`(?i)refer(red|ral)|link ?worker|social|prescri|support|help|health|doctor|surgery|safe|lonel|money|https?:|www\.|form\b`)
	for _, l := range lang.All {
		f := serviceWords[l.Code]
		if f.Review == "" {
			t.Errorf("%s: the file does not say whether a translator has checked it", l.Name)
		}
		if len(f.Texts) != len(sentences) {
			t.Errorf("%s: %d sentences, want %d", l.Name, len(f.Texts), len(sentences))
		}
		for name, fields := range sentences {
			for _, field := range []string{"((reference))", "((date))", "((phone))", "((network))"} {
				if want := map[bool]int{true: 1}[slices.Contains(fields, field)]; strings.Count(f.Texts[name], field) != want {
					t.Errorf("%s: %s is in %s %d times, want %d", l.Name, field, name, strings.Count(f.Texts[name], field), want)
				}
			}
			if l.RTL != strings.ContainsFunc(f.Texts[name], func(r rune) bool { return unicode.Is(unicode.Arabic, r) }) {
				t.Errorf("%s: %q is not in its script", l.Name, f.Texts[name])
			}
		}
		for _, s := range Services {
			longest := 0
			for day := range 367 { // and without a date, and without a number
				f := ServiceFields{Network: "Knowsley Central", Reference: "7K3M-Q2WX", Phone: "0151 496 0000", By: time.Date(2028, time.January, 1+day, 0, 0, 0, 0, time.UTC)}
				if day == 366 {
					f.By, f.Phone = time.Time{}, ""
				}
				body, size, err := ComposeService(s, l.Code, f)
				longest = max(longest, size.Segments)
				if err != nil || strings.Contains(body, "((") || telling.MatchString(body) || len(link.In(body)) > 0 {
					t.Fatalf("%s: %q, %v", l.Name, body, err)
				}
				if has := strings.Contains(body, f.Reference); has != (s == Confirmation) {
					t.Fatalf("%s: a reference in a %s: %v", l.Name, s, has)
				}
			}
			if most := map[bool]int{true: 1, false: 2}[l.Code == lang.English || l.Code == lang.Welsh]; longest > most {
				t.Errorf("%s: %s has up to %d parts, want %d", l.Name, s, longest, most)
			}
		}
	}
}

// What goes by itself: who we are, that we tried or need longer, and whom to ring.
func TestComposeService_byThemselves(t *testing.T) {
	f := ServiceFields{Network: "Knowsley Central", Phone: "0151 496 0000", Reference: "7K3M-Q2WX", By: tuesday}
	for _, c := range []struct {
		s    Service
		f    ServiceFields
		want string
	}{
		{WeTried, f, "We have tried to reach you and will try again. You can also ring us on 0151 496 0000. Knowsley Central"},
		{WeTried, ServiceFields{Network: "Knowsley Central"}, "We have tried to reach you and will try again. Knowsley Central"},
		{RunningLate, f, "We need a little longer. You will hear from us by Tuesday 2 June. Knowsley Central"},
		{RunningLate, ServiceFields{Network: "Knowsley Central"}, "We need a little longer. You will hear from us as soon as we can. Knowsley Central"},
	} {
		if body, size, err := ComposeService(c.s, lang.English, c.f); err != nil || body != c.want || size.Segments != 1 || size.Encoding != text.GSM7 {
			t.Errorf("%q, %+v, %v; want %q", body, size, err, c.want)
		}
	}
	if body, _, err := ComposeService(WeTried, lang.Arabic, f); err != nil || !strings.Contains(body, "\u200e0151 496 0000\u200e") {
		t.Errorf("Arabic: %q, %v", body, err)
	}
}

// A confirmation leaves at once, for a quarter of an hour; nothing else leaves at night, at the week-end or on a bank holiday.
func TestService_Leaves(t *testing.T) {
	at := func(day, hour, minute int) time.Time {
		return time.Date(2026, time.May, day, hour-1, minute, 0, 0, time.UTC)
	} // London, in summer
	var long, late throttle.Week
	for d := range long {
		long[d], late[d] = throttle.Hours{From: 0, To: 24 * 60}, throttle.Hours{From: 20 * 60, To: 23 * 60}
	}
	for name, c := range map[string]struct {
		s                Service
		hours            throttle.Week
		now, from, until time.Time
	}{
		"a confirmation at night":        {Confirmation, throttle.Week{}, at(20, 23, 0), at(20, 23, 0), at(20, 23, 15)},
		"in the morning":                 {WeTried, throttle.Week{}, at(20, 10, 0), at(20, 10, 0), at(20, 17, 0)},
		"a quarter of an hour is left":   {WeTried, throttle.Week{}, at(20, 16, 45), at(20, 16, 45), at(20, 17, 0)},
		"less than that":                 {WeTried, throttle.Week{}, at(20, 16, 46), at(21, 9, 0), at(21, 17, 0)},
		"at night":                       {RunningLate, throttle.Week{}, at(20, 2, 0), at(20, 9, 0), at(20, 17, 0)},
		"before a bank holiday":          {WeTried, throttle.Week{}, at(22, 18, 0), at(26, 9, 0), at(26, 17, 0)},
		"a campaign at all hours":        {WeTried, long, at(20, 3, 0), at(20, 8, 0), at(20, 20, 0)},
		"the same, late":                 {WeTried, long, at(20, 21, 0), at(21, 8, 0), at(21, 20, 0)},
		"a campaign that texts at night": {WeTried, late, at(20, 21, 0), at(21, 9, 0), at(21, 17, 0)},
	} {
		from, until, ok := c.s.Leaves(throttle.Calendar{}, c.hours, c.now)
		if !ok || !from.Equal(c.from) || !until.Equal(c.until) {
			t.Errorf("%s: from %v until %v, %v; want %v until %v", name, from, until, ok, c.from, c.until)
		}
	}
	short := throttle.Week{time.Monday: {From: 600, To: 605}}
	if from, until, ok := WeTried.Leaves(throttle.Calendar{}, short, at(20, 10, 0)); ok {
		t.Errorf("five minutes a week are enough: from %v until %v", from, until)
	}
}

// Whatever the hours and whenever it is owed, a text that nobody waits for leaves and ends by day.
func TestService_Leaves_byDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var hours throttle.Week
		for d := range hours {
			hours[d] = throttle.Hours{From: rapid.IntRange(-60, 1500).Draw(t, "from"), To: rapid.IntRange(-60, 1500).Draw(t, "to")}
		}
		now := tuesday.Add(time.Duration(rapid.IntRange(0, 366*24*60).Draw(t, "minute")) * time.Minute)
		s := rapid.SampledFrom([]Service{WeTried, RunningLate}).Draw(t, "kind")
		from, until, ok := s.Leaves(throttle.Calendar{}, hours, now)
		if !ok {
			return
		}
		zone := throttle.Calendar{}.Midnight(now).Location()
		first, last := from.In(zone), until.In(zone)
		if from.Before(now) || until.Sub(from) < serviceTail || first.YearDay() != last.YearDay() || first.Hour() < 8 || last.Hour() > 20 || last.Hour() == 20 && last.Minute() > 0 {
			t.Fatalf("owed at %v it leaves from %v until %v", now, first, last)
		}
	})
}

func TestAdmitService(t *testing.T) {
	ok := ServiceFacts{Expires: tuesday.Add(time.Minute)}
	for name, c := range map[string]struct {
		change func(*ServiceFacts)
		want   Event
	}{
		"":                      {func(*ServiceFacts) {}, Claim},
		"too late":              {func(f *ServiceFacts) { f.Expires = tuesday }, Expire},
		"reached meanwhile":     {func(f *ServiceFacts) { f.Moot = "reached" }, Expire},
		"opted out":             {func(f *ServiceFacts) { f.Suppressed = "opted_out" }, Suppress},
		"a restored database":   {func(f *ServiceFacts) { f.Quarantined = true }, Doubt},
		"restored and too late": {func(f *ServiceFacts) { f.Quarantined, f.Expires = true, time.Time{} }, Doubt},
	} {
		f := ok
		c.change(&f)
		if got := AdmitService(tuesday, f); got.Event != c.want || (got.Event != Claim) != (got.Reason != "") {
			t.Errorf("%s: %+v", name, got)
		}
		if to, moves := Next(Released, c.want); !moves || c.want == Doubt && to != Unknown {
			t.Errorf("%s: a released text does not move by %s", name, c.want)
		}
	}
}
