package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// Somebody sends the form by their link. Whoever said that a text is safe gets one, on the phone that was invited, in the language of the
// pages; nobody else gets any, and the campaign's figures stay those of its invitations.
func TestStory_textBack(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, database, redis string) {
		s := newStand(t, database, redis, nil)
		n := s.network("Knowsley Central", "N8300")
		rows := people(8, "N8300")
		id := n.launch(n.upload(listOf(rows), 201).at("id"), nil)
		s.paced(len(rows))
		var phones []*phone
		for _, p := range rows {
			phones = append(phones, s.phone(p).Expect("Hello "+p.first))
		}
		safe, unsafe, arabic, gone, wrong, unasked, night := phones[0], phones[1], phones[2], phones[3], phones[4], phones[5], phones[6]
		before := n.api("Mo", "GET", "/campaigns/"+id, nil, 200)

		safe.Fill(answers(safe.patient, nil))
		safe.DoubleTap()
		reference, _ := safe.Sent()
		text := safe.ExpectBack()
		if !strings.HasPrefix(text.Body, "Thank you. We have received this, ref "+reference) || !strings.HasSuffix(text.Body, ". Knowsley Central") || text.From != testSender {
			t.Errorf("the text back from %s: %q", text.From, text.Body)
		}
		if page := safe.page("GET", safe.base()+"/sent", nil, 200); !strings.Contains(text.Body, "You will hear from us by ") ||
			!strings.Contains(page, strings.TrimSuffix(text.Body[strings.Index(text.Body, " by ")+len(" by "):], ". Knowsley Central")) {
			t.Errorf("the page and the text do not say the same day: %q", text.Body)
		}
		safe.Send() // once more, later

		unsafe.Fill(answers(unsafe.patient, url.Values{"text_safe": {"no"}}))
		unsafe.Send()
		unasked.Fill(answers(unasked.patient, url.Values{"text_safe": nil}))
		unasked.Send()
		wrong.Fill(answers(wrong.patient, url.Values{"birth_date-year": {"1999"}}))
		wrong.Send()

		// The pages in Arabic, as the form hands them on.
		_, err := s.app.receiver.Receive(context.Background(), selfrefer.Form{ID: "arabic", Source: selfrefer.ByLink, TokenHash: link.In(arabic.text.Body)[0].Hash(), At: s.clock.Now(),
			Answers: selfrefer.Answers{BirthDate: arabic.born, TextSafe: selfrefer.SafeYes, Pages: lang.Arabic, Agreed: true}})
		s.must(err)
		if text := arabic.ExpectBack(); !strings.HasPrefix(text.Body, "شكرًا لك") {
			t.Errorf("in Arabic: %q", text.Body)
		}

		// Who has opted out gets no text, not even one that they would be due.
		gone.Stop()
		gone.Fill(answers(gone.patient, nil))
		gone.Send()

		// Eleven at night: no hour for invitations, and who has just pressed Send is answered.
		for s.clock.Now().UTC().Hour() != 22 {
			s.clock.turn(time.Hour)
		}
		night.Fill(answers(night.patient, nil))
		night.Send()
		night.ExpectBack()

		for range 3 {
			s.minute()
		}
		for i, want := range []int{1, 0, 1, 0, 0, 0, 1, 0} {
			if got := len(phones[i].answered()); got != want {
				t.Errorf("phone %d has %d texts back, want %d", i, got, want)
			}
		}
		if n := emulator.Twice(s.textsBack(), nil); n != 0 || len(s.textsBack()) != 3 {
			t.Errorf("%d texts back, %d numbers got two", len(s.textsBack()), n)
		}
		nobodyTwice(t, s.accepted())
		after := n.api("Mo", "GET", "/campaigns/"+id, nil, 200)
		if after.at("texts") != before.at("texts") || after.at("texts_back") != "3" || after.at("messages.delivered") != "8" || after.at("cost") <= before.at("cost") {
			t.Errorf("the campaign counts %s texts, %s before; %s texts back, cost %s", after.at("texts"), before.at("texts"), after.at("texts_back"), after.at("cost"))
		}

		// The service decides that nobody is texted back; a restart is not needed.
		if got := s.command("staff", "text-back", "off"); got.at("text_back") != "false" {
			t.Errorf("switched off: %v", got)
		}
		if networks, err := s.app.db.Networks(context.Background()); err != nil || !networks[0].NoTextBack {
			t.Errorf("after switching off: %+v, %v", networks, err)
		}
	})
}

// ExpectBack waits for the answer to a form, which nobody but the person's own tap has to bring about.
func (p *phone) ExpectBack() (t emulator.Text) {
	p.Helper()
	eventually(p, 10*time.Second, "the provider has a text back", func() bool {
		return slices.ContainsFunc(p.textsBack(), func(t emulator.Text) bool { return t.To == p.number() })
	})
	eventually(p, 10*time.Second, "it arrives", func() bool {
		p.clock.turn(time.Second)
		p.must(p.twilio.Tick(context.Background(), p.clock.Now()))
		return len(p.answered()) == 1
	})
	return p.answered()[0]
}
