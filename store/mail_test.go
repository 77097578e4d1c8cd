package store

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// postOffice is a world with clocks that a test turns, in which people work from nine to five.
type postOffice struct {
	*world
	now, machine time.Time
	manager      staff.Account
	forms        int
}

var nineToFive = func() (week throttle.Week) {
	for d := time.Monday; d <= time.Friday; d++ {
		week[d] = throttle.Hours{From: 9 * 60, To: 17 * 60}
	}
	return week
}()

// mustPostOffice opens it at 10am London time on a Monday.
func mustPostOffice(t *testing.T, cfg Config) *postOffice {
	t.Helper()
	p := &postOffice{now: testCivil, machine: testCivil.AddDate(0, 3, 0)}
	cfg.Now, cfg.Machine = func() time.Time { return p.now }, func() time.Time { return p.machine }
	p.world = mustWorld(t, mustOpen(t, cfg))
	p.db.Calendar = throttle.Calendar{}
	for _, a := range []staff.Account{p.senior, p.worker} {
		p.works(a, nineToFive)
	}
	var err error
	p.manager, err = p.db.CreateAccount(context.Background(), staff.Account{Network: p.network.ID, Email: "m@mail.test", Name: "Mo", Role: staff.CampaignManager}, "")
	p.must(err)
	return p
}

func (p *postOffice) works(a staff.Account, week throttle.Week) {
	p.tb.Helper()
	p.must(p.db.SetWorker(context.Background(), p.senior, a.ID, throttle.Worker{Week: week, FirstContact: .5, Minutes: 45, Places: -1}))
}

func (p *postOffice) pass(d time.Duration) { p.now, p.machine = p.now.Add(d), p.machine.Add(d) }

// at turns the civil clock to a time in London.
func (p *postOffice) at(s string) {
	p.tb.Helper()
	london, err := time.LoadLocation("Europe/London")
	p.must(err)
	t, err := time.ParseInLocation("2006-01-02 15:04", s, london)
	p.must(err)
	p.pass(t.Sub(p.now))
}

// came is a referral that came now.
func (p *postOffice) came(urgent bool) selfrefer.ReferralID {
	p.tb.Helper()
	p.forms++
	a := selfrefer.Answers{Name: "Marigold Canary", Phone: "07700 900888", Words: map[bool]string{true: "I took an overdose", false: "I am lonely"}[urgent]}
	rc, err := (&selfrefer.Receiver{Keeper: p.db, Now: func() time.Time { return p.now }}).Receive(context.Background(), selfrefer.Form{ID: fmt.Sprint("mail ", p.forms), Network: p.network.ID, Source: selfrefer.ByGeneral, Answers: a})
	p.must(err)
	return selfrefer.ReferralID(p.count(`SELECT id FROM referral WHERE reference = $1`, rc.Reference))
}

func (p *postOffice) act(who staff.Account, id selfrefer.ReferralID, e selfrefer.Event, to staff.Account) {
	p.tb.Helper()
	_, err := p.db.Act(context.Background(), who, id, selfrefer.Contact{Event: e, To: to.ID, Escalation: selfrefer.Escalation{Why: "canary: her son takes her money", Told: "Jo", At: p.now}})
	p.must(err)
}

// next is the mail that is due to somebody, written as a test reads it: "urgent_arrived 1, handed_over 2"; "" if none is.
func (p *postOffice) next(to staff.Account) (selfrefer.Letter, string) {
	p.tb.Helper()
	l, due, err := p.db.NextMail(context.Background(), to.ID)
	p.must(err)
	if !due {
		return l, ""
	}
	var words []string
	for _, line := range l.Lines {
		words = append(words, fmt.Sprint(line.Kind, " ", line.N))
	}
	if string(l.To) != to.Email {
		p.tb.Errorf("a mail for %d goes to another", to.ID)
	}
	return l, strings.Join(words, ", ")
}

// goes fails if the mail that is due to somebody is not this one. It is sent.
func (p *postOffice) goes(when string, to staff.Account, want string) {
	p.tb.Helper()
	l, got := p.next(to)
	if got != want {
		p.tb.Errorf("%s: a mail %q to %s, want %q", when, got, to.Name, want)
	}
	if got != "" {
		p.must(p.db.Mailed(context.Background(), l, selfrefer.MailOutcome{Mailed: selfrefer.MailSent}))
	}
}

func eachOffice(t *testing.T, test func(t *testing.T, p *postOffice)) {
	eachEngine(t, func(t *testing.T, cfg Config) { test(t, mustPostOffice(t, cfg)) })
}

// Each thing goes to each person once; what comes in a few minutes goes together; what is claimed meanwhile does not go.
func TestNextMail_onceEach(t *testing.T) {
	eachOffice(t, func(t *testing.T, p *postOffice) {
		one := p.came(true)
		p.goes("it came", p.worker, "urgent_arrived 1")
		p.goes("it came", p.senior, "urgent_arrived 1")
		for _, who := range []staff.Account{p.other, p.helper, p.stranger, p.manager} { // not at work by the roster, a volunteer, another network, not offered yet
			p.goes("it came", who, "")
		}
		p.goes("told already", p.worker, "")
		p.pass(time.Minute)
		p.came(true)
		p.came(true)
		p.goes("soon after the first", p.worker, "")
		p.pass(4 * time.Minute)
		p.goes("two more", p.worker, "urgent_arrived 2")
		p.goes("two more", p.worker, "")
		// It is put back: that is another thing. What is claimed before its mail goes is not mailed.
		p.pass(10 * time.Minute)
		p.act(p.worker, one, selfrefer.Claim, staff.Account{})
		p.act(p.worker, one, selfrefer.Release, staff.Account{})
		p.goes("put back", p.worker, "urgent_arrived 1")
		p.pass(time.Minute)
		four := p.came(true)
		p.goes("noted, not due", p.worker, "")
		p.pass(6 * time.Minute)
		p.act(p.other, four, selfrefer.Claim, staff.Account{})
		p.goes("claimed meanwhile", p.worker, "")
		if n := p.count(`SELECT COUNT(*) FROM notice_mail WHERE account = $1 AND state = 'dropped'`, int64(p.worker.ID)); n != 1 {
			t.Errorf("%d dropped", n)
		}
		// After half an hour the first three are offered to the senior, and then to the manager: these are other things.
		p.pass(20 * time.Minute)
		p.goes("offered", p.senior, "urgent_unclaimed 2, urgent_arrived 1")
		p.goes("offered", p.worker, "")
		p.pass(40 * time.Minute)
		p.goes("offered to managers", p.manager, "urgent_unclaimed 3")
		p.goes("offered to managers", p.manager, "")
	})
}

// What was dropped has not been told: if it is so again, it is.
func TestNextMail_dropped(t *testing.T) {
	eachOffice(t, func(t *testing.T, p *postOffice) {
		id := p.came(false)
		p.at("2026-06-02 17:30")
		p.at("2026-06-03 09:01") // due at 10am; two working days are 48 hours here, less than 12 of which are left
		p.goes("noted", p.worker, "")
		p.act(p.other, id, selfrefer.Claim, staff.Account{})
		p.pass(3 * time.Minute)
		p.goes("claimed meanwhile", p.worker, "")
		p.act(p.other, id, selfrefer.Release, staff.Account{})
		p.goes("so again", p.worker, "")
		p.pass(3 * time.Minute)
		p.goes("so again, and has waited", p.worker, "promise_ends 1")
		p.pass(time.Hour)
		p.goes("late", p.worker, "")
	})
}

func TestNextMail_handedAndTold(t *testing.T) {
	eachOffice(t, func(t *testing.T, p *postOffice) {
		one, two := p.came(false), p.came(false)
		for _, id := range []selfrefer.ReferralID{one, two} {
			p.act(p.worker, id, selfrefer.Claim, staff.Account{})
			p.act(p.worker, id, selfrefer.HandOver, p.senior)
		}
		p.goes("not urgent: it waits for more", p.senior, "")
		p.pass(2 * time.Minute)
		p.goes("together", p.senior, "handed_over 2")
		p.act(p.worker, one, selfrefer.TakeBack, staff.Account{})
		p.pass(time.Minute)
		p.act(p.worker, one, selfrefer.HandOver, p.senior)
		p.pass(5 * time.Minute)
		p.goes("soon after the last", p.senior, "")
		// What presses takes with it what waits.
		p.act(p.worker, p.claimedBy(p.worker), selfrefer.Escalate, p.senior)
		p.goes("a danger", p.senior, "escalated 1, handed_over 1")
		// Opened before it goes: nothing is left to say.
		three := p.came(false)
		p.act(p.worker, three, selfrefer.Claim, staff.Account{})
		p.act(p.worker, three, selfrefer.HandOver, p.senior)
		p.pass(20 * time.Minute)
		if _, _, err := p.db.Referral(context.Background(), p.senior, three); err != nil {
			t.Fatal(err)
		}
		p.goes("opened", p.senior, "")
	})
}

func (p *postOffice) claimedBy(a staff.Account) selfrefer.ReferralID {
	p.tb.Helper()
	id := p.came(false)
	p.act(a, id, selfrefer.Claim, staff.Account{})
	return id
}

// Nobody is mailed outside their hours: it waits, and goes if it is still so. A clock change, leave and a bank holiday are hours like others.
func TestNextMail_quiet(t *testing.T) {
	eachOffice(t, func(t *testing.T, p *postOffice) {
		p.must(p.db.SetSharing(context.Background(), p.senior, p.team.ID, selfrefer.Sharing{Wait: time.Hour, AskAt: -1})) // nobody is asked who is in
		hand := func() selfrefer.ReferralID {
			t.Helper()
			id := p.claimedBy(p.worker)
			p.act(p.worker, id, selfrefer.HandOver, p.senior)
			return id
		}
		// The clocks go back in the night to Sunday 25 October 2026: 9am on Monday is at 9:00 UTC, no longer at 8:00.
		p.at("2026-10-23 17:05")
		gone, stays := hand(), hand()
		p.goes("after work", p.senior, "")
		for _, night := range []string{"2026-10-24 03:00", "2026-10-24 12:00", "2026-10-25 12:00"} {
			p.at(night)
			p.goes(night, p.senior, "")
		}
		p.act(p.worker, gone, selfrefer.TakeBack, staff.Account{})
		p.at("2026-10-26 08:59")
		if p.now.UTC().Hour() != 8 {
			t.Fatal("no clock change")
		}
		p.goes("a minute before nine", p.senior, "")
		p.at("2026-10-26 09:00")
		p.goes("nine o'clock", p.senior, "handed_over 1")
		_, _, err := p.db.Referral(context.Background(), p.senior, stays)
		p.must(err)
		// Leave.
		_, err = p.db.AddLeave(context.Background(), p.senior, p.senior.ID, throttle.Span{From: p.now, To: p.now.Add(26 * time.Hour)})
		p.must(err)
		hand()
		p.pass(time.Hour)
		p.goes("on leave", p.senior, "")
		p.at("2026-10-27 10:59")
		p.goes("still on leave", p.senior, "")
		p.at("2026-10-27 11:00")
		p.goes("back", p.senior, "promise_ends 2, handed_over 1")
		// Christmas Day and Boxing Day, which is kept on Monday; the manager has the network's hours.
		p.at("2026-12-24 16:59")
		hand()
		p.at("2026-12-25 10:00")
		p.goes("Christmas Day", p.senior, "")
		p.at("2026-12-28 10:00")
		p.goes("Boxing Day, kept", p.senior, "")
		p.at("2026-12-29 09:00")
		p.goes("work again", p.senior, "promise_ends 1, handed_over 1")
	})
}

// At night an urgent one is mailed to whoever is on duty then, and to nobody if nobody is.
func TestNextMail_night(t *testing.T) {
	eachOffice(t, func(t *testing.T, p *postOffice) {
		p.at("2026-06-02 22:00") // a Tuesday
		p.came(true)
		for _, who := range []staff.Account{p.senior, p.worker, p.manager} {
			p.goes("nobody is on duty", who, "")
		}
		late := nineToFive
		late[time.Tuesday] = throttle.Hours{From: 18 * 60, To: 24 * 60}
		p.works(p.worker, late)
		p.goes("on duty", p.worker, "urgent_arrived 1")
		p.goes("at home", p.senior, "")
		p.at("2026-06-03 09:00")
		p.goes("in the morning", p.senior, "urgent_arrived 1")
		p.goes("in the morning", p.worker, "")
		// A manager, who is on no roster, has the network's hours.
		p.at("2026-06-04 15:45")
		p.came(true)
		p.at("2026-06-04 17:10")
		p.goes("offered, in the evening", p.manager, "")
		p.at("2026-06-05 09:00")
		l, got := p.next(p.manager)
		if text := l.Text("https://pcn.test"); got != "urgent_unclaimed 2" || !strings.Contains(text, "2 urgent self-referrals are offered to you: nobody has claimed them.\r\nSign in: https://pcn.test/desk\r\n") {
			t.Errorf("in the morning a manager, who may not see the queue, is mailed %q: %s", got, text)
		}
	})
}

// Two processes that look at the same moment make one mail.
func TestNextMail_twoProcesses(t *testing.T) {
	ctx := context.Background()
	eachEngine(t, func(t *testing.T, cfg Config) {
		p := mustPostOffice(t, cfg)
		dbs := []*DB{p.db, p.db}
		if cfg.Database != "" { // SQLite is served by one process
			second := cfg
			second.DataDir, second.Now, second.Machine = t.TempDir(), func() time.Time { return p.now }, func() time.Time { return p.machine }
			dbs[1] = mustOpen(t, second)
		}
		want := 0
		for round := range 6 {
			p.pass(10 * time.Minute)
			p.came(true)
			want++
			var mu sync.Mutex
			var wg sync.WaitGroup
			mails, lines := 0, 0
			for i := range 8 {
				wg.Go(func() {
					l, due, err := dbs[i%2].NextMail(ctx, p.worker.ID)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
					}
					if due {
						mails++
						for _, line := range l.Lines {
							lines += line.N
						}
					}
				})
			}
			wg.Wait()
			if mails != 1 || lines != 1 {
				t.Errorf("round %d: %d mails with %d things", round, mails, lines)
			}
		}
		if n := p.count(`SELECT COUNT(*) FROM notice_mail WHERE account = $1`, int64(p.worker.ID)); n != int64(want) {
			t.Errorf("%d rows, want %d", n, want)
		}
	})
}

// A server that is away is tried again for a day, ever more rarely; what it refuses is not; what nobody knows of is not sent twice.
func TestMailed_failures(t *testing.T) {
	ctx := context.Background()
	eachOffice(t, func(t *testing.T, p *postOffice) {
		fail := func(l selfrefer.Letter, m selfrefer.Mailed, code string) {
			t.Helper()
			p.must(p.db.Mailed(ctx, l, selfrefer.MailOutcome{Mailed: m, Code: code}))
		}
		health := func() selfrefer.MailHealth {
			t.Helper()
			h, err := p.db.MailHealth(ctx, p.network.ID)
			p.must(err)
			return h
		}
		state := func(s string) int64 { return p.count(`SELECT COUNT(*) FROM notice_mail WHERE state = $1`, s) }
		p.came(true)
		l, _ := p.next(p.worker)
		fail(l, selfrefer.MailAgain, "busy")
		if h := health(); h.Works() || h.Code != "busy" || !h.Failed.Equal(p.machine) || !h.Worked.IsZero() || h.Waiting != 1 {
			t.Errorf("health %+v", h)
		}
		p.goes("at once", p.worker, "")
		p.pass(time.Minute)
		l, got := p.next(p.worker)
		if got != "urgent_arrived 1" {
			t.Fatalf("after a minute: %q", got)
		}
		fail(l, selfrefer.MailAgain, "busy")
		p.pass(time.Minute)
		p.goes("the second time it waits longer", p.worker, "")
		p.pass(time.Minute)
		p.goes("again", p.worker, "urgent_arrived 1")
		if h := health(); !h.Works() || !h.Worked.Equal(p.machine) || h.Waiting != 0 || state("sent") != 1 {
			t.Errorf("health %+v", h)
		}
		// Refused: an administrator is told, until a mail arrives.
		p.pass(time.Hour)
		p.came(true)
		l, _ = p.next(p.worker)
		fail(l, selfrefer.MailRefused, "recipient")
		p.pass(25 * time.Minute)
		p.goes("refused", p.worker, "")
		if h := health(); !reflect.DeepEqual(h.Refused, []selfrefer.MailRefusal{{Account: p.worker.ID, At: p.machine.Add(-25 * time.Minute), Code: "recipient"}}) {
			t.Errorf("refused: %+v", h.Refused)
		}
		if h, err := p.db.MailHealth(ctx, p.stranger.Network); err != nil || len(h.Refused) != 0 {
			t.Errorf("another network sees %+v, %v", h, err)
		}
		p.came(true)
		p.goes("the next", p.worker, "urgent_arrived 1")
		if h := health(); len(h.Refused) != 0 {
			t.Errorf("refused: %+v", h.Refused)
		}
		// The process dies with a mail in hand: it may have gone.
		p.pass(10 * time.Minute)
		p.came(true)
		l, _ = p.next(p.worker)
		if n, err := p.db.LoseMails(ctx); n != 0 || err != nil {
			t.Errorf("%d lost within the deadline, %v", n, err)
		}
		p.pass(mailDeadline + time.Second)
		if n, err := p.db.LoseMails(ctx); n != 1 || err != nil || state("unsure") != 1 || health().Code != "stopped" {
			t.Errorf("%d lost, %v", n, err)
		}
		p.goes("it may have gone", p.worker, "")
		fail(l, selfrefer.MailAgain, "busy") // whoever was only slow cannot take it back
		p.goes("it may have gone", p.worker, "")
		fail(l, selfrefer.MailSent, "") // but knows that it went
		if state("unsure") != 0 {
			t.Error("what is known to have gone is not noted")
		}
		// After a day nobody tries any more.
		p.pass(10 * time.Minute)
		p.at("2026-06-02 09:30")
		p.came(true)
		before := state("refused")
		for tries := 0; ; tries++ {
			l, got := p.next(p.worker)
			if got != "" {
				fail(l, selfrefer.MailAgain, "connect")
			}
			if state("refused") > before {
				if tries < 10 || tries > 200 {
					t.Errorf("given up after %d looks", tries)
				}
				break
			}
			if tries > 200 {
				t.Fatal("tried for ever")
			}
			p.pass(30 * time.Minute)
		}
		if h := health(); len(h.Refused) != 1 || h.Refused[0].Code != "too_old" {
			t.Errorf("refused: %+v", h.Refused)
		}
	})
}

// People switch off what is theirs to switch off; a senior cannot switch off the urgent ones.
func TestSetMailOff(t *testing.T) {
	ctx := context.Background()
	eachOffice(t, func(t *testing.T, p *postOffice) {
		off := func(a staff.Account) []selfrefer.NoticeKind {
			t.Helper()
			all, err := p.db.MailOff(ctx, a.ID)
			p.must(err)
			return all
		}
		for _, a := range []staff.Account{p.senior, p.worker, p.manager} {
			p.must(p.db.SetMailOff(ctx, a, selfrefer.NoticeKinds()))
		}
		if got := fmt.Sprint(off(p.senior), off(p.worker), off(p.manager)); got != "[handed_over is_in promise_ends] [handed_over promise_ends urgent_arrived] []" {
			t.Errorf("off: %s", got)
		}
		p.came(true)
		p.goes("off", p.worker, "")
		p.goes("cannot be switched off", p.senior, "urgent_arrived 1")
		if n := p.auditedBy(p.worker, "account.mail", fmt.Sprintf("account %d", p.worker.ID), "off: urgent_arrived, promise_ends, handed_over"); n != 1 {
			t.Errorf("audited %d times", n)
		}
		p.must(p.db.SetMailOff(ctx, p.worker, nil))
		p.goes("on again", p.worker, "urgent_arrived 1")
		// Switched off while it waits: it does not go. Who becomes the senior gets what seniors get.
		p.pass(time.Minute)
		p.came(true)
		p.goes("noted", p.worker, "")
		p.must(p.db.SetMailOff(ctx, p.worker, []selfrefer.NoticeKind{selfrefer.UrgentArrived}))
		p.pass(10 * time.Minute)
		p.goes("off", p.worker, "")
		p.write(`UPDATE account SET role = 'senior_link_worker' WHERE id = $1`, int64(p.worker.ID))
		if got := off(p.worker); len(got) != 0 {
			t.Errorf("a senior has switched off %v", got)
		}
		p.goes("senior now", p.worker, "urgent_arrived 1")
		// Whoever is disabled is told nothing.
		p.pass(10 * time.Minute)
		p.came(true)
		p.write(`UPDATE account SET disabled_at = 1 WHERE id = $1`, int64(p.senior.ID))
		p.goes("disabled", p.senior, "")
		all, err := p.db.MailTo(ctx)
		p.must(err)
		want := fmt.Sprint([]staff.AccountID{p.worker.ID, p.other.ID, p.helper.ID, p.stranger.ID, p.manager.ID})
		if fmt.Sprint(all) != want {
			t.Errorf("mails go to %v, want %v", all, want)
		}
	})
}

// Promises: whoever has it is told, and of what nobody has those at work; no volunteer of an urgent one. What is late is not about to break.
func TestNotices_promises(t *testing.T) {
	ctx := context.Background()
	eachOffice(t, func(t *testing.T, p *postOffice) {
		told := func(who staff.Account) string {
			t.Helper()
			all, err := p.db.Notices(ctx, who)
			p.must(err)
			var out []string
			for _, n := range selfrefer.Gather(all) {
				out = append(out, fmt.Sprint(n.Kind, " ", max(n.N, 1), " ", n.Theirs, " ", n.Part()))
			}
			return strings.Join(out, ", ")
		}
		p.works(p.other, throttle.Week{})
		held := p.claimedBy(p.helper)
		for range 3 {
			p.came(false)
		}
		if told(p.worker)+told(p.helper) != "" {
			t.Error("told too early")
		}
		p.at("2026-06-03 09:30") // due at 10am
		for who, want := range map[*staff.Account]string{&p.worker: "promise_ends 3 false new", &p.senior: "promise_ends 3 false new", &p.helper: "promise_ends 1 true mine", &p.other: "", &p.stranger: "", &p.manager: ""} {
			if got := told(*who); got != want {
				t.Errorf("%s is told %q, want %q", who.Name, got, want)
			}
		}
		// A mail about one's own that could not go before it broke goes still.
		p.goes("noted", p.helper, "")
		p.act(p.helper, held, selfrefer.Attempt, staff.Account{})
		p.pass(40 * time.Minute)
		if got := told(p.worker) + told(p.helper); got != "" {
			t.Errorf("late, and told %q", got)
		}
		p.goes("broken meanwhile", p.helper, "promise_ends 1")
	})
}

func TestNotices_many(t *testing.T) {
	ctx := context.Background()
	eachOffice(t, func(t *testing.T, p *postOffice) {
		for range 3 {
			p.came(true)
			p.pass(time.Second)
		}
		all, err := p.db.Notices(ctx, p.worker)
		p.must(err)
		if len(all) != 3 {
			t.Fatalf("%d notices", len(all))
		}
		got := selfrefer.Gather(all)
		if len(got) != 1 || got[0].N != 3 || got[0].Ref != "" || got[0].Referral != 0 || !got[0].Since.Equal(testCivil) || got[0].Part() != "urgent" {
			t.Errorf("gathered %+v", got)
		}
		p.act(p.worker, all[0].Referral, selfrefer.Claim, staff.Account{})
		if all, err = p.db.Notices(ctx, p.worker); err != nil || len(selfrefer.Gather(all)) != 2 || selfrefer.Gather(all)[0].Ref == "" {
			t.Errorf("two stand by themselves: %+v, %v", all, err)
		}
	})
}

// Nothing of a person is in the outbox, and it is forgotten after sixty days.
func TestPurgeMails(t *testing.T) {
	ctx := context.Background()
	eachOffice(t, func(t *testing.T, p *postOffice) {
		p.came(true)
		l, _ := p.next(p.worker)
		text := l.Subject() + l.Text("https://desk.riverside.test/") + fmt.Sprintf("%v %+v %#v", l, l, l.To)
		for _, word := range []string{"Marigold", "Canary", "900888", "overdose", p.worker.Email, p.reference()} {
			if strings.Contains(text, word) {
				t.Errorf("a mail or its log holds %q: %s", word, text)
			}
		}
		if !strings.Contains(text, "Sign in: https://desk.riverside.test/desk/queue?state=urgent\r\n") || l.Subject() != "Wellpaced: something urgent waits for you" {
			t.Errorf("the mail reads %s", text)
		}
		if n := p.count(`SELECT COUNT(*) FROM notice_mail WHERE kind || ref || code LIKE '%Canary%'`); n != 0 {
			t.Error("the outbox holds a name")
		}
		p.must(p.db.Mailed(ctx, l, selfrefer.MailOutcome{Mailed: selfrefer.MailSent}))
		p.pass(mailLife - time.Second)
		if n, err := p.db.PurgeMails(ctx); n != 0 || err != nil {
			t.Errorf("%d forgotten too early, %v", n, err)
		}
		p.pass(time.Second)
		if n, err := p.db.PurgeMails(ctx); n != 1 || err != nil {
			t.Errorf("%d forgotten, %v", n, err)
		}
	})
}

// reference is the first referral's.
func (p *postOffice) reference() (ref string) {
	p.tb.Helper()
	p.must(p.db.read(context.Background(), "test", func(tx *Tx) error {
		return tx.QueryRow(`SELECT MIN(reference) FROM referral WHERE network = $1`, int64(p.network.ID)).Scan(&ref)
	}))
	return ref
}

// What stands on every page is found along indexes: it costs the same however long the queue is.
func TestNotices_plans(t *testing.T) {
	p := mustPostOffice(t, testConfig(t))
	p.came(true)
	p.claimedBy(p.senior)
	p.came(false)
	p.at("2026-06-03 09:30")
	plans := map[string]string{}
	p.must(p.db.read(context.Background(), "test", func(tx *Tx) error {
		tx.run = explaining{tx.run, plans}
		all, err := p.db.notices(tx, p.senior)
		if len(all) < 3 {
			t.Errorf("%d notices: not every way was gone", len(all))
		}
		return err
	}))
	seen := 0
	for query, plan := range plans {
		if !strings.Contains(query, "referral") {
			continue
		}
		if strings.Contains(query, "FROM glass") || strings.Contains(query, "FROM restriction") { // they begin with what is restricted, which is little
			if strings.Contains(plan, "SCAN") && !strings.Contains(plan, "SCAN CONSTANT ROW") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s goes like this:\n%s", query, plan)
			}
			continue
		}
		seen++
		if !strings.Contains(plan, "SEARCH referral USING INDEX") || strings.Contains(plan, "SCAN referral") || strings.Contains(plan, "TEMP B-TREE") && !strings.Contains(query, "UNION") && !strings.Contains(query, "lane DESC") {
			t.Errorf("%s goes like this:\n%s", query, plan)
		}
	}
	if seen < 4 {
		t.Errorf("%d ways were looked at", seen)
	}
}
