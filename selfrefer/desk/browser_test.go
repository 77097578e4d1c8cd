package desk

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/selfrefer/ui/browsertest"
	"github.com/wellpaced/wellpaced/throttle"
)

// busy fills the bench with a morning's work.
func (b *bench) busy() (mine, urgent selfrefer.ReferralID) {
	ctx := context.Background()
	lin, sam := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker]
	for i, a := range []staff.Account{lin, sam, b.who[staff.Volunteer]} {
		w := throttle.Worker{Week: usualWeek, FirstContact: .5, Minutes: 45, Places: 30 - 10*i}
		if err := b.db.SetWorker(ctx, sam, a.ID, w); err != nil {
			b.tb.Fatal(err)
		}
	}
	away := time.Date(2026, 6, 8, 0, 0, 0, 0, b.desk.zone)
	if _, err := b.db.AddLeave(ctx, sam, lin.ID, throttle.Span{From: away, To: away.AddDate(0, 0, 5)}); err != nil {
		b.tb.Fatal(err)
	}
	b.refer(selfrefer.Answers{Name: "Albert Sunday", Reasons: []string{"money", "housing"}}, selfrefer.Verified)
	b.pass(50 * time.Hour)
	mine = b.refer(selfrefer.Answers{Name: "Marigold Testperson", Reasons: []string{"loneliness", "getting_out"}, BirthDate: "2 8 1951", Phone: "07700 900123", CallSafe: selfrefer.SafeNo, MessageSafe: selfrefer.SafeNo,
		IfAnother: "you are from the library", Words: "Since my husband died I hardly leave the house.", Language: "English", Needs: "speak slowly, I am hard of hearing", Channel: "text", When: []string{"morning", "afternoon"}, Agreed: true}, selfrefer.Verified)
	b.refer(selfrefer.Answers{Name: "Bartholomew Featherstonehaugh-Cholmondeley", Reasons: []string{"independence", "community", "carer"}}, selfrefer.Verified)
	urgent = b.refer(selfrefer.Answers{Name: "Ursula Urgent", Reasons: []string{"coping"}, Words: "We have nothing to eat and I can't go on. My neighbour said to ask you.", Phone: "07700 900124", CallSafe: selfrefer.SafeYes, DangerNow: "yes"}, selfrefer.Verified)
	b.refer(selfrefer.Answers{Name: "Una Unknown"}, selfrefer.Unverified)
	b.send(lin, "POST", fmt.Sprint("/desk/referrals/", mine), form("event", "claim")).holds(b.tb, 303)
	b.pass(20 * time.Minute)
	b.send(lin, "POST", fmt.Sprint("/desk/referrals/", mine), form("event", "attempt", "channel", "call", "note", "Her son answered. Said I was from the library; she is back after five.")).holds(b.tb, 303)
	for range 2 { // the page then says that no text went, and why
		b.send(lin, "POST", fmt.Sprint("/desk/referrals/", mine), form("event", "attempt", "channel", "call")).holds(b.tb, 303)
	}
	return mine, urgent
}

func TestBrowser(t *testing.T) {
	if !ui.Built() {
		t.Skip("the styles are not built: run make assets")
	}
	browser := browsertest.Open(t)
	b := newBench(t)
	lin, sam := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker]
	at := b.server.URL

	t.Run("sign in", func(t *testing.T) {
		browser.In(t).Page().CheckPage(at+signInPath+"?done=out", "desk-signin")
	})
	enter := func(t *testing.T, a staff.Account) *browsertest.Page {
		p := browser.In(t).Page()
		p.Goto(at + queuePath + "?state=open")
		p.Fill("#email", a.Email)
		p.Fill("#password", testPassword)
		if status := p.Follow("main button"); status != 200 || p.URL() != at+queuePath+"?state=open" {
			t.Fatalf("signed in: %d at %s", status, p.URL())
		}
		return p
	}
	t.Run("empty queue", func(t *testing.T) {
		enter(t, lin).CheckPage(at+queuePath, "desk-queue-empty")
		enter(t, sam).CheckPage(at+rosterPath, "desk-capacity-empty")
	})
	mine, urgent := b.busy()
	b.toTell("+447700900177")
	must(b.db.MakePracticeFile(context.Background(), b.who[staff.CampaignManager], "N83006"))(t)
	b.toTell("+447700900178")
	hook := b.hook("https://hooks.example.org/incoming/from/the/primary/care/network")
	for range 2 {
		if err := b.db.TestWebhook(context.Background(), b.who[staff.Administrator], hook.ID); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.db.SwitchWebhook(context.Background(), b.who[staff.Administrator], b.hook("https://other.example.org/").ID, false); err != nil {
		t.Fatal(err)
	}
	for _, d := range must(b.db.Deliveries(context.Background(), b.who[staff.Administrator], hook.ID))(t)[:1] {
		if err := b.db.Told(context.Background(), d, "204"); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, path string
		who        staff.Account
	}{
		{"desk-queue", queuePath, lin},
		{"desk-queue-mine", queuePath + "?state=mine", lin},
		{"desk-referral-mine", fmt.Sprint("/desk/referrals/", mine), lin},
		{"desk-referral-other", fmt.Sprint("/desk/referrals/", mine), sam},
		{"desk-referral-urgent", fmt.Sprint("/desk/referrals/", urgent), lin},
		{"desk-capacity", rosterPath, sam},
		{"desk-account-mail", accountPath, sam},
		{"desk-api", apiPath, sam},
		{"desk-optouts", optOutsPath, b.who[staff.Administrator]},
		{"desk-practices", practicesPath, b.who[staff.Administrator]},
		{"desk-practice", practicesPath + "/N83006", b.who[staff.Administrator]},
		{"desk-practice-codes", practiceCodesPath, b.who[staff.Administrator]},
		{"desk-webhooks", webhooksPath, b.who[staff.Administrator]},
		{"desk-webhook", fmt.Sprint(webhooksPath, "/", hook.ID), b.who[staff.Administrator]},
		{"desk-worker", fmt.Sprint(rosterPath, "/", lin.ID), sam},
	} {
		t.Run(c.name, func(t *testing.T) { enter(t, c.who).CheckPage(at+c.path, c.name) })
	}

	// Restricted: what its holder sets, what others see instead, and what the guardian reads.
	t.Run("restricted", func(t *testing.T) {
		kept := b.refer(selfrefer.Answers{Name: "Rosemary Restricted", Reasons: []string{"money"}}, selfrefer.Verified)
		p := enter(t, lin)
		p.CheckPage(at+referralPath(kept)+"/restrict", "desk-restrict")
		b.restrict(kept, selfrefer.Restriction{Only: true, May: []staff.AccountID{sam.ID}})
		p = enter(t, lin)
		p.CheckPage(at+referralPath(kept), "desk-glass")
		p.NoScripts()
		p.Goto(at + referralPath(kept))
		p.Fill("#reason", "He rang and is afraid of her")
		if status := p.Follow("form:has(#reason) button"); status != 200 || !strings.Contains(p.Text("main"), "Rosemary Restricted") {
			t.Fatalf("broken: %d at %s", status, p.URL())
		}
		enter(t, lin).CheckPage(at+referralPath(kept), "desk-referral-glass")
		enter(t, sam).CheckPage(at+referralPath(kept)+"/looked", "desk-looked")
		p = enter(t, b.who[staff.Administrator])
		p.CheckPage(at+glassPath, "desk-glasses")
	})

	// What a change of hours does is shown before it is saved; going back keeps what was entered, without scripts too.
	t.Run("capacity preview", func(t *testing.T) {
		for _, scripts := range []bool{true, false} {
			p := enter(t, sam)
			if !scripts {
				p.NoScripts()
			}
			p.Goto(at + fmt.Sprint(rosterPath, "/", lin.ID))
			p.Fill("#minutes", "30")
			if status := p.Follow("form:has([value=hours]) button"); status != 200 || !strings.Contains(p.Text("main"), "First contacts in a usual week") {
				t.Fatalf("previewed: %d at %s", status, p.URL())
			}
			if scripts {
				p.CheckWide("desk-capacity-preview")
				p.Phone()
				p.CheckSmall("desk-capacity-preview")
			}
			if status := p.Follow("form:has([value=back]) button"); status != 200 || !strings.Contains(p.HTML(), `value="30"`) {
				t.Errorf("back: %d", status)
			}
		}
	})

	// Found, narrowed, handed over with the forms unfolded, and what stands at the top of pages.
	t.Run("search", func(t *testing.T) {
		p := enter(t, lin)
		p.CheckPage(at+searchPath, "desk-search")
		p.Goto(at + queuePath + "?state=open&reason=money")
		p.CheckWide("desk-queue-narrowed")
		p.Goto(at + queuePath)
		p.Fill("#find", "marigold testperson")
		if status := p.Follow("form[role=search] button"); status != 200 || p.URL() != at+searchPath || !strings.Contains(p.Text("main"), "Marigold Testperson") {
			t.Errorf("searched: %d at %s", status, p.URL())
		}
		p.CheckWide("desk-search-found")
	})
	t.Run("colleagues", func(t *testing.T) {
		b.send(lin, "POST", fmt.Sprint("/desk/referrals/", mine), form("event", "escalate", "to", fmt.Sprint(sam.ID), "why", "Her son takes her money", "told", "Jo Hill, safeguarding lead")).holds(t, 303)
		p := enter(t, sam)
		p.CheckPage(at+queuePath, "desk-queue-alerts")
		p = enter(t, lin)
		p.Goto(at + fmt.Sprint("/desk/referrals/", mine))
		p.Click("details:has([value=hand_over]) summary")
		p.Click("details:has([value=escalate]) summary")
		p.CheckWide("desk-referral-colleagues")
	})

	// Setting up a webhook in a browser: its secret is on the page that answers, and only there.
	t.Run("webhook", func(t *testing.T) {
		p := enter(t, b.who[staff.Administrator])
		p.Goto(at + webhooksPath)
		p.Fill("#url", "https://third.example.org/")
		p.Click("label[for=events]")
		if status := p.Follow("form:has(#url) button"); status != 200 || !strings.Contains(p.Text("main"), "whsec_") {
			t.Fatalf("%d: %s", status, p.Text("main"))
		}
		p.CheckWide("desk-webhook-secret")
	})

	// Without scripts, and with the keyboard: claim from the queue, record a try, find it in the history.
	t.Run("case", func(t *testing.T) {
		p := enter(t, sam)
		p.NoScripts()
		p.Goto(at + queuePath)
		if status := p.Follow(fmt.Sprintf("#claim-%d", urgent)); status != 200 || !strings.Contains(p.HTML(), "You have claimed this referral") {
			t.Fatalf("claimed: %d %s", status, p.URL())
		}
		p.Click("label[for=event]")
		if status := p.Follow("form:has(textarea) button"); status != 200 || !strings.Contains(p.Text("ol"), "Try 1: not reached, by call") {
			t.Errorf("%d: %s", status, p.Text("ol"))
		}
		// The other one's claim comes too late.
		late := enter(t, lin)
		if got := b.send(lin, "POST", fmt.Sprint("/desk/referrals/", urgent), form("event", "claim", "from", "queue", "state", "open", "after", "0")); got.status != 409 {
			t.Errorf("second claim: %d", got.status)
		}
		late.Goto(at + fmt.Sprint("/desk/referrals/", urgent))
		if text := late.Text("main"); !strings.Contains(text, "Sam Jones has had it since") || strings.Contains(text, "What came of it?") {
			t.Errorf("the other one reads %s", text)
		}
	})

	t.Run("after the call", func(t *testing.T) { b.walkSupport(t, browser, enter) })
	// One person, twice: found, joined without scripts, and separated; and what was done last, undone from the queue.
	t.Run("same", func(t *testing.T) {
		first, second := b.twice()
		old := b.refer(selfrefer.Answers{Name: "Marigold Testperson", BirthDate: "2 8 1951"}, selfrefer.Verified)
		b.send(lin, "POST", fmt.Sprint("/desk/referrals/", old), form("event", "claim")).holds(t, 303)
		b.send(lin, "POST", fmt.Sprint("/desk/referrals/", old), form("event", "close", "channel", "call")).holds(t, 303)
		p := enter(t, lin)
		p.CheckPage(at+referralPath(first), "desk-referral-same")
		p.NoScripts()
		p.Goto(at + referralPath(first))
		if status := p.Follow(fmt.Sprintf("form:has([value=%q]) button", fmt.Sprint(second))); status != 200 || !strings.Contains(p.Text("main"), "this is one case now") {
			t.Errorf("joined: %d at %s", status, p.URL())
		}
		p = enter(t, lin)
		p.CheckPage(at+referralPath(second)+"?done=join", "desk-referral-joined")
		p.CheckPage(at+referralPath(first), "desk-referral-gone")
		p.NoScripts()
		p.Goto(at + referralPath(first))
		if status := p.Follow("form[action$=separate] button"); status != 200 || !strings.Contains(p.Text("main"), "Separated. Both stand as they did before.") {
			t.Errorf("separated: %d at %s", status, p.URL())
		}
		p.Follow("form:has([value=claim]) button")
		if status := p.Follow("form:has([value=release]) button"); status != 200 || !strings.Contains(p.Text("main"), "The referral is back in the queue.") {
			t.Errorf("handed back: %d at %s", status, p.URL())
		}
		undo := p.URL()
		if status := p.Follow("form[action$=undo] button"); status != 200 || !strings.Contains(p.Text("main"), "You have had it since") {
			t.Errorf("undone: %d at %s", status, p.URL())
		}
		p = enter(t, lin)
		p.Follow("form:has([value=claim]) button")
		b.send(lin, "POST", referralPath(first), form("event", "release")).holds(t, 303)
		p.CheckPage(undo, "desk-queue-undo")
	})
}
