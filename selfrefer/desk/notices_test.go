package desk

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// Many of a kind are one line with a number, and lead to the part of the queue where they are; the API says the same.
func TestAlerts_many(t *testing.T) {
	b := newBench(t)
	lin, cam := b.who[staff.LinkWorker], b.who[staff.CampaignManager]
	if err := b.db.SetWorker(context.Background(), b.who[staff.SeniorLinkWorker], lin.ID, throttle.Worker{Week: usualWeek, FirstContact: .5, Minutes: 45, Places: -1}); err != nil {
		t.Fatal(err)
	}
	type answer struct {
		Notices []struct {
			Kind, Sentence, State, Reference string
			Referrals                        int
			Referral                         int64
		}
	}
	read := func(a staff.Account) (out answer) {
		t.Helper()
		if status := b.call(a, "GET", "/notices", "", &out); status != 200 {
			t.Fatalf("status %d", status)
		}
		return out
	}
	one := b.refer(selfrefer.Answers{Name: "Ursula Urgent", Words: "there is no food in the house"}, selfrefer.Verified)
	if got := read(lin); len(got.Notices) != 1 || got.Notices[0].Kind != "urgent_arrived" || got.Notices[0].Referral != int64(one) || got.Notices[0].Referrals != 1 || got.Notices[0].State != "urgent" || got.Notices[0].Reference == "" {
		t.Errorf("one: %+v", got)
	}
	for range 2 {
		b.pass(time.Minute)
		b.refer(selfrefer.Answers{Name: "Ursula Urgent", Words: "there is no food in the house"}, selfrefer.Verified)
	}
	b.send(lin, "GET", "/desk/capacity", "").holds(t, 200, "Urgent: 3 referrals have come and nobody has claimed them, the first since 9:05am today. Claim one now.", `href="/desk/queue?state=urgent"`)
	if got := read(lin); len(got.Notices) != 1 || got.Notices[0].Referrals != 3 || got.Notices[0].Referral != 0 || strings.Contains(fmt.Sprint(got), "Ursula") {
		t.Errorf("three: %+v", got)
	}
	if got := read(cam); got.Notices == nil || len(got.Notices) != 0 {
		t.Errorf("a manager is told %+v", got)
	}

	// Promises: of one's own one by one, of nobody's together.
	mine := b.refer(selfrefer.Answers{Name: "Marigold Testperson"}, selfrefer.Verified)
	b.send(lin, "POST", fmt.Sprint("/desk/referrals/", mine), form("event", "claim")).holds(t, 303)
	for range 3 {
		b.refer(selfrefer.Answers{Name: "Norbert Nobody"}, selfrefer.Verified)
	}
	b.pass(24*time.Hour - 3*time.Minute) // Wednesday, 9:05am: due on Thursday at 9:07
	if got := read(lin); len(got.Notices) != 1 {
		t.Errorf("too early: %+v", got)
	}
	b.pass(3*time.Hour + 40*time.Minute) // 12:45: she works until one; less than a quarter is left from 9:07pm on
	b.pass(8*time.Hour + 30*time.Minute)
	if got := read(lin); len(got.Notices) != 1 || got.Notices[0].State != "mine" || !strings.HasPrefix(got.Notices[0].Sentence, "A promise is about to break: ") || !strings.HasSuffix(got.Notices[0].Sentence, ", which you have, must be called by 9:07am tomorrow.") {
		t.Errorf("at night: %+v", got)
	}
}

func TestAccount_mail(t *testing.T) {
	b := newBench(t)
	lin, sam, cam, pat := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker], b.who[staff.CampaignManager], b.who[staff.PracticeViewer]
	page := func(a staff.Account) (*tab, string) {
		t.Helper()
		tab := b.tab(a.Email)
		tab.signIn(a)
		got := tab.get(accountPath)
		got.holds(t, 200)
		return tab, got.body
	}
	ticked := func(body string) (n int) { return strings.Count(body, ` checked`) }
	tab, body := page(lin)
	if ticked(body) != 3 || !strings.Contains(body, "sends no e-mail yet") || strings.Contains(body, "You always get") {
		t.Errorf("%d are ticked", ticked(body))
	}
	tab.send("POST", mailPath, "mail=handed_over&mail=made_up").goes(t, accountPath+"?done=mail")
	after := tab.get(accountPath + "?done=mail")
	after.holds(t, 200, "Saved: which e-mails you get.")
	if ticked(after.body) != 1 {
		t.Errorf("%d are ticked, one was chosen", ticked(after.body))
	}
	tab, body = page(sam)
	if ticked(body) != 3 || !strings.Contains(body, "You always get") || !strings.Contains(body, "An urgent self-referral has come while you are at work") {
		t.Errorf("a senior: %d are ticked", ticked(body))
	}
	tab.post(mailPath).goes(t, accountPath+"?done=mail")
	if off, err := b.db.MailOff(context.Background(), sam.ID); err != nil || fmt.Sprint(off) != "[handed_over is_in promise_ends]" {
		t.Errorf("a senior has switched off %v, %v", off, err)
	}
	if _, body := page(cam); ticked(body) != 0 || !strings.Contains(body, "is offered to you") {
		t.Error("a manager cannot see which mails they get")
	}
	if _, body := page(pat); strings.Contains(body, "<h2>E-mail</h2>") {
		t.Error("whoever is never mailed has switches")
	}
}

// An administrator sees whether mail works, and whom it does not reach.
func TestStaffPage_mail(t *testing.T) {
	ctx := context.Background()
	b := newBench(t)
	ada, lin, sam := b.who[staff.Administrator], b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker]
	says := func(words ...string) {
		t.Helper()
		b.send(ada, "GET", staffPath, "").holds(t, 200, words...)
	}
	says("nobody is mailed", "WELLPACED_SMTP_URL", "Never")
	b.desk.Mail = LiveMail
	says("Nothing had to be mailed yet.")
	if err := b.db.SetWorker(ctx, sam, lin.ID, throttle.Worker{Week: usualWeek, FirstContact: .5, Minutes: 45, Places: -1}); err != nil {
		t.Fatal(err)
	}
	mail := func(o selfrefer.MailOutcome) {
		t.Helper()
		b.pass(10 * time.Minute)
		b.refer(selfrefer.Answers{Name: "Ursula Urgent", Words: "there is no food in the house"}, selfrefer.Verified)
		l, due, err := b.db.NextMail(ctx, lin.ID)
		if err != nil || !due {
			t.Fatal("no mail is due", err)
		}
		if err := b.db.Mailed(ctx, l, o); err != nil {
			t.Fatal(err)
		}
	}
	mail(selfrefer.MailOutcome{Mailed: selfrefer.MailRefused, Code: "recipient"})
	says("Nothing had to be mailed yet.", "Could not be mailed", "Lin Okafor, on 1 November 2026 at 12:10pm: The mail server refuses the address of the person.")
	mail(selfrefer.MailOutcome{Mailed: selfrefer.MailAgain, Code: "busy"})
	says("Does not work at the moment: The mail server asks to try again later. What waits is tried again for a day.", "1 November 2026 at 12:20pm", "1 notice<")
	mail(selfrefer.MailOutcome{Mailed: selfrefer.MailSent})
	says("Works", "1 November 2026 at 12:30pm")
	if strings.Contains(b.send(ada, "GET", staffPath, "").body, "Could not be mailed") {
		t.Error("whoever has had a mail since is said not to be reached")
	}
	b.desk.Mail = PretendMail
	says("A pretend mailbox")
}
