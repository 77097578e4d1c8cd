package town

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/patientlist"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/form"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// What the town's people write is understood as they mean it, in every language.
func TestTongues(t *testing.T) {
	have := map[lang.Code]bool{}
	for i := range tongues {
		s := &tongues[i]
		have[s.code] = true
		for _, cry := range s.cries {
			if len(selfrefer.Danger(cry)) == 0 {
				t.Errorf("%s: %q is no danger", s.name, cry)
			}
		}
		for _, harmless := range slices.Concat(s.wishes, s.answers, s.calls, s.stops) {
			if why := selfrefer.Danger(harmless); len(why) > 0 {
				t.Errorf("%s: %q is a danger: %v", s.name, harmless, why)
			}
		}
		for _, stop := range s.stops {
			if !selfrefer.IsStop(stop) {
				t.Errorf("%s: %q stops nothing", s.name, stop)
			}
		}
		for _, other := range slices.Concat(s.calls, s.answers) {
			if selfrefer.IsStop(other) {
				t.Errorf("%s: %q stops texts", s.name, other)
			}
		}
		if !slices.Contains(form.Languages, s.asked) {
			t.Errorf("%s: the form has no %q", s.name, s.asked)
		}
		for _, cell := range s.listed {
			if code, ok := lang.Read(cell); ok != (s.code != "") || ok && code != s.code {
				t.Errorf("%s: %q in a list is read as %q", s.name, cell, code)
			}
		}
		if code, ok := lang.Match(s.accept()); !ok || s.code != "" && code != s.code || s.code == "" && code != lang.English && s.name != "Cantonese" { // whose readers read Chinese
			t.Errorf("%s: a browser that says %q is answered in %q", s.name, s.accept(), code)
		}
	}
	for _, l := range lang.All {
		if !have[l.Code] {
			t.Errorf("nobody in town speaks %s", l.Name)
		}
	}
}

// The list has about as many speakers of each language as it should; for many rows it does not say.
func TestWriteList_languages(t *testing.T) {
	const n = 40_000
	var file bytes.Buffer
	if err := WriteList(&file, 7, n, testPractices, testToday); err != nil {
		t.Fatal(err)
	}
	r, err := patientlist.NewReader(&file, patientlist.Options{Today: testToday})
	if err != nil {
		t.Fatal(err)
	}
	texts := campaign.Texts{}
	for _, l := range lang.All {
		texts[l.Code] = texts[lang.English]
	}
	spelt, written, rows, blank := map[string]int{}, map[lang.Code]int{}, 0, 0
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if row.Rejected != "" {
			continue
		}
		rows++
		spelt[row.Patient.Language]++
		code, _ := texts.For(row.Patient.Language)
		written[code]++
		if row.Patient.Language == "" {
			blank++
		}
	}
	speak := map[string]int{}
	for r := range residents(7, n, testPractices, testToday) {
		speak[r.speaks.name]++
	}
	for i := range tongues[1:] {
		s := &tongues[1+i]
		if want := s.many * n / 1000; math.Abs(float64(speak[s.name])-want) > 4*math.Sqrt(want) {
			t.Errorf("%d speak %s, want about %.0f", speak[s.name], s.name, want)
		}
	}
	if got := float64(rows-written[lang.English]) / float64(rows); got < .02 || got > .04 {
		t.Errorf("%.3f of the rows are written to in another language than English: %v", got, written)
	}
	if share := float64(blank) / float64(rows); share < .35 || share > .55 || spelt["Not stated"] == 0 || spelt["Main spoken language Polish"] == 0 || spelt["Main spoken language Tigrinya"] == 0 {
		t.Errorf("of %d rows %d are blank: %v", rows, blank, spelt)
	}
}

// What people answer depends on the seed alone, and some do it in other ways than most.
func TestAnswers_otherWays(t *testing.T) {
	town := testTown(t)
	count := map[string]int{}
	const n = 4000
	for i := range n {
		p := plan{what: asks, text: emulator.Text{Seq: int64(i + 1), To: fmt.Sprintf("+4474%08d", i)}}
		town.people[p.text.To] = neighbour{given: "Ann", family: "Roe", born: time.Date(1960, 1, 2, 0, 0, 0, 0, time.UTC), speaks: &tongues[i%len(tongues)]}
		a, speaks := town.answers(p), &tongues[i%len(tongues)]
		if again := town.answers(p); a.Encode() != again.Encode() {
			t.Fatal("somebody has changed their mind")
		}
		if a.Get("language") != speaks.asked {
			t.Fatalf("who speaks %s asks for %s", speaks.name, a.Get("language"))
		}
		if len(selfrefer.Danger(a.Get("words"))) > 0 {
			count["danger"]++
			if len(speaks.cries) > 0 && !slices.Contains(speaks.cries, a.Get("words")) {
				t.Fatalf("a cry of a speaker of %s: %q", speaks.name, a.Get("words"))
			}
		}
		for what, did := range map[string]bool{"email": a.Get("email") != "" && a.Get("channel") == "email", "helped": a.Get("for_other") == "yes" && a.Get("helper") != "" && a.Get("name") != "",
			"tells": a.Get("tell") == "practice", "interpreter": a.Get("support") == "interpreter", "other": speaks != &tongues[0]} {
			if did {
				count[what]++
			}
		}
	}
	for what, want := range map[string]float64{"danger": shareDanger * n, "email": shareEmail * n, "helped": shareHelped * n, "tells": shareTells * n, "interpreter": shareInterpreter * float64(count["other"])} {
		if got := float64(count[what]); math.Abs(got-want) > 4*math.Sqrt(want) {
			t.Errorf("%s: %v of %d, want about %.0f", what, got, n, want)
		}
	}
	friend := town.answers(plan{what: forwards, text: emulator.Text{Seq: 1, To: "+447400000001"}})
	if friend.Get("for_other") != "no" || friend.Get("name") == "Ann Roe" || friend.Get("phone") == "" {
		t.Errorf("a friend answers %v", friend)
	}
}

// People open the form in their own language: their browser says it, or they press it at the top of the page. Some press more than one button
// to opt out.
func TestWalk_inOwnLanguage(t *testing.T) {
	var mu sync.Mutex
	asked, pressed := map[string]int{}, map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, _ := lang.Match(r.Header.Get("Accept-Language"))
		if c := r.URL.Query().Get("lang"); c != "" {
			code = lang.Code(c)
		}
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPost {
			pressed[r.PostFormValue("why")+r.PostFormValue("undo")]++
			if r.PostFormValue("undo") != "" {
				w.WriteHeader(http.StatusGone) // too late: that is no mishap
			}
			return
		}
		asked[string(code)+"?"+r.URL.RawQuery]++
		_, _ = fmt.Fprintf(w, `<html lang="%s" dir="%s">`, code, code.Dir())
	}))
	defer server.Close()
	town := testTown(t)
	town.cfg.Site, town.web = server.URL, loopbackClient()
	defer town.web.CloseIdleConnections()
	const n = 1600
	for i := range n {
		number := fmt.Sprintf("+4474%08d", i)
		town.people[number] = neighbour{speaks: in(lang.Arabic)}
		if err := town.inOwn(t.Context(), town.browser(number), number, "/r/x"); err != nil {
			t.Fatal(err)
		}
		p := plan{what: stops, text: emulator.Text{To: number, Body: "Stop: " + server.URL + "/stop/x"}}
		if err := town.act(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	near := func(what string, got int, want float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > 4*math.Sqrt(want) {
			t.Errorf("%s: %d, want about %.0f", what, got, want)
		}
	}
	near("read English first and chose Arabic", asked["ar?lang=ar"], (1-shareForeign)*n)
	near("want no texts of the practice", pressed["practice"], sharePractice*n)
	near("took it back", pressed["1"], shareUndo*(1-sharePractice)*n)
	if pressed["practice"]+pressed["opted_out"] != n || asked["en?"] == 0 || asked["ar?"] < n/2 {
		t.Errorf("pressed %v, asked for %v", pressed, asked)
	}
	town.people["+447400999999"] = neighbour{speaks: &tongues[0]}
	if err := town.inOwn(t.Context(), town.browser("+447400999999"), "+447400999999", "/r/x"); err != nil || asked["en?lang=en"] != 0 {
		t.Errorf("who speaks English chose it: %v", err)
	}
}

// inbox keeps what people reply.
type inbox struct{ replies []string }

func (*inbox) Texts(int64, int) []emulator.Text { return nil }

func (b *inbox) InboundFrom(_ context.Context, _, body, _ string) error {
	b.replies = append(b.replies, body)
	return nil
}

// Who wants no more texts says so in their own words, and who replies in words asks for a call, or something else, or for help at once.
func TestAct_replies(t *testing.T) {
	town, phones := testTown(t), &inbox{}
	town.cfg.Phones = phones
	const n = 1000
	cries, calls, foreign := 0, 0, 0
	for i := range n {
		number, speaks := fmt.Sprintf("+4474%08d", i), &tongues[i%len(tongues)]
		town.people[number] = neighbour{speaks: speaks}
		for _, what := range []string{replies, writes} {
			if err := town.act(t.Context(), plan{what: what, text: emulator.Text{To: number}}); err != nil {
				t.Fatal(err)
			}
		}
		stop, words := phones.replies[2*i], phones.replies[2*i+1]
		if !selfrefer.IsStop(stop) || selfrefer.IsStop(words) {
			t.Fatalf("a speaker of %s replies %q to end it, and %q to go on", speaks.name, stop, words)
		}
		switch own := slices.Concat(speaks.calls, tongues[0].calls); {
		case len(selfrefer.Danger(words)) > 0:
			cries++
		case slices.Contains(own, words):
			calls++
		}
		if len(speaks.answers) > 0 && speaks != &tongues[0] && slices.Contains(slices.Concat(speaks.answers, speaks.cries), words) {
			foreign++
		}
	}
	if math.Abs(float64(cries)-shareCry*n) > 4*math.Sqrt(shareCry*n) || math.Abs(float64(calls)-shareCall*n) > 4*math.Sqrt(shareCall*n) || foreign < n/10 {
		t.Errorf("of %d replies %d are cries, %d ask for a call, %d are in other languages", n, cries, calls, foreign)
	}
}
