package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
)

// Somebody does not answer three calls, and somebody waits until the day that they were told is nearly over: each gets one text on the phone
// that was invited. Who did not say that a text is safe, and who gave another number, gets none. What is owed in the evening leaves in the morning.
func TestStory_told(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, database, redis string) {
		s := newStand(t, database, redis, nil)
		n := s.network("Knowsley Central", "N8300")
		rows := people(6, "N8300")
		id := n.launch(n.upload(listOf(rows), 201).at("id"), nil)
		s.paced(len(rows))
		var phones []*phone
		var refs []string
		for i, p := range rows {
			ph := s.phone(p).Expect("Hello " + p.first)
			ph.Fill(answers(p, map[int]url.Values{1: {"text_safe": {"no"}}, 2: {"phone": {"07700 900999"}}}[i]))
			ph.Send()
			reference, _ := ph.Sent()
			phones, refs = append(phones, ph), append(refs, "/referrals/"+n.referral(reference).at("id"))
		}
		tried, unsafe, other, evening, waits, reached := phones[0], phones[1], phones[2], phones[3], phones[4], phones[5]
		try := func(i int) {
			n.api("Lee", "POST", refs[i]+"/claim", nil, 200)
			for range 3 {
				n.api("Lee", "POST", refs[i]+"/attempt", object{"channel": "call"}, 200)
			}
		}
		for i := range 3 {
			try(i)
		}
		s.minute()
		if text := tried.expectTold(aTry); text.Body != "We have tried to reach you and will try again. You can also ring us on 0151 496 0000. Knowsley Central" || text.From != testSender {
			t.Errorf("after the third try, from %s: %q", text.From, text.Body)
		}
		day := s.clock.Now().UTC()
		s.clock.set(time.Date(day.Year(), day.Month(), day.Day(), 18, 30, 0, 0, time.UTC)) // half past seven in the evening
		try(3)
		for s.clock.Now().UTC().Hour() != 7 {
			s.clock.turn(59 * time.Minute)
			s.minute()
		}
		if len(evening.arrived(aTry)) != 0 {
			t.Error("a text arrived at night")
		}
		s.clock.set(s.clock.Now().UTC().Truncate(time.Hour).Add(time.Hour + 5*time.Minute)) // five past nine
		s.must(s.app.pacer.Repair(context.Background()))
		evening.expectTold(aTry)

		n.api("Lee", "POST", refs[5]+"/claim", nil, 200)
		n.api("Lee", "POST", refs[5]+"/start_support", object{"channel": "call"}, 200)
		for range 80 { // until the day that the page told is nearly over
			s.clock.turn(29 * time.Minute)
			s.minute()
			if len(waits.arrived(aDelay)) > 0 {
				break
			}
		}
		text := waits.expectTold(aDelay)
		if hour := text.At.UTC().Hour(); !strings.HasPrefix(text.Body, "We need a little longer. You will hear from us ") || hour < 14 || hour >= 16 {
			t.Errorf("at %v: %q", text.At, text.Body)
		}
		for range 5 {
			s.clock.turn(9 * time.Minute)
			s.minute()
		}
		for i, want := range map[*phone][2]int{tried: {1, 0}, unsafe: {0, 0}, other: {0, 0}, evening: {1, 0}, waits: {0, 1}, reached: {0, 0}} {
			if got := [2]int{len(i.arrived(aTry)), len(i.arrived(aDelay))}; got != want {
				t.Errorf("the phone of %s has %v texts that went by themselves, want %v", i.patient.first, got, want)
			}
		}
		j, err := emulator.ReadJournal(s.judge())
		s.must(err)
		if n := emulator.Twice(j.Texts, kindOf); n != 0 {
			t.Errorf("%d numbers got a text twice", n)
		}
		// Five were answered who said yes, whichever number they gave; two were tried, one waits.
		if after := n.api("Mo", "GET", "/campaigns/"+id, nil, 200); after.at("texts") != "6" || after.at("texts_back") != "8" {
			t.Errorf("the campaign counts %s texts and %s texts back", after.at("texts"), after.at("texts_back"))
		}
		if audit := loud(s.logged.String()); strings.Contains(audit, `"level":"ERROR"`) {
			t.Errorf("errors in the log: %s", audit)
		}
	})
}

// expectTold waits for a text that goes by itself.
func (p *phone) expectTold(kind string) emulator.Text {
	p.Helper()
	eventually(p, 10*time.Second, "the provider has it", func() bool {
		return slices.ContainsFunc(p.ofKind(kind), func(t emulator.Text) bool { return t.To == p.number() })
	})
	eventually(p, 10*time.Second, "it arrives", func() bool {
		p.clock.turn(time.Second)
		p.must(p.twilio.Tick(context.Background(), p.clock.Now()))
		return len(p.arrived(kind)) == 1
	})
	return p.arrived(kind)[0]
}
