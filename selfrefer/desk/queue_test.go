package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// inOrder reports whether the words stand in the text one after the other.
func inOrder(text string, words ...string) bool {
	for _, w := range words {
		i := strings.Index(text, w)
		if i < 0 {
			return false
		}
		text = text[i+len(w):]
	}
	return true
}

func TestQueuePage(t *testing.T) {
	b := newBench(t)
	lin, sam := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker]
	b.send(lin, "GET", "/desk/queue", "").holds(t, 200, "Nobody is waiting", "Open (0)", `hx-trigger="every 15s"`, `hx-get="/desk/queue?state=open"`)
	b.send(lin, "GET", "/desk/queue?state=mine", "").holds(t, 200, "You have no open referral")
	b.refer(selfrefer.Answers{Name: "Olive Late", Reasons: []string{"money"}}, selfrefer.Verified)
	b.pass(14*time.Hour + 30*time.Minute + 33*time.Hour) // Thursday, 8:35am: the promise of the first runs out at 9:05am
	b.refer(selfrefer.Answers{Name: "Una Unknown"}, selfrefer.Unverified)
	b.refer(selfrefer.Answers{Name: "Fred Fresh", Reasons: []string{"loneliness", "housing"}}, selfrefer.Verified)
	urgent := b.refer(selfrefer.Answers{Name: "Ursula Urgent", Words: "we have nothing to eat"}, selfrefer.Unverified)
	page := b.send(lin, "GET", "/desk/queue", "")
	page.holds(t, 200, "Open (4)", "New (4)", "Mine (0)", "Urgent (1)", "Not confirmed (1)", "Done (0)", "No food, warmth or home today", "Due soon", "5 working minutes left", "In time", "Loneliness, Housing", "Updated at 8:35am")
	if !inOrder(page.body, "Ursula Urgent", "Olive Late", "Fred Fresh", "Nobody has confirmed", "Una Unknown") {
		t.Error("not in the order of calling, with the unconfirmed apart")
	}
	if title := page.body[strings.Index(page.body, "<title>"):strings.Index(page.body, "</title>")]; title != "<title>Queue - "+b.net.Name {
		t.Errorf("title %q", title)
	}
	b.pass(time.Hour)
	b.send(lin, "GET", "/desk/queue", "").holds(t, 200, "Late", "by 30 working minutes", "Waiting longer than promised: 1 referral")
	volunteer := b.send(b.who[staff.Volunteer], "GET", "/desk/queue", "")
	volunteer.holds(t, 200, "Olive Late", "Open (3)", "Urgent referrals are not shown")
	if strings.Contains(volunteer.body, "Ursula") || strings.Contains(volunteer.body, ">Urgent") {
		t.Error("a volunteer sees an urgent referral")
	}

	// The first claim wins; the other is told who and when, and stays in the queue.
	claim := form("event", "claim", "from", "queue", "state", "new", "after", "0")
	path := fmt.Sprint("/desk/referrals/", urgent)
	if got := b.send(lin, "POST", path, claim); got.status != 303 || got.header.Get("Location") != path+"?done=claim" {
		t.Errorf("claimed: %d to %s", got.status, got.header.Get("Location"))
	}
	b.send(lin, "GET", path+"?done=claim", "").holds(t, 200, "You have claimed this referral")
	b.pass(time.Minute)
	taken := b.send(sam, "POST", path, claim)
	taken.holds(t, 409, "Lin Okafor claimed ", " at 9:35am today. Choose another.", `<li class="nhsuk-tabs__list-item nhsuk-tabs__list-item--selected"><a class="nhsuk-tabs__tab" href="/desk/queue?state=new"`)
	b.send(lin, "POST", path, claim).holds(t, 409, "You claimed ")
	b.send(lin, "GET", "/desk/queue?state=mine", "").holds(t, 200, "Mine (1)", "Ursula Urgent")
	b.send(lin, "GET", "/desk/queue?state=nonsense", "").holds(t, 422)

	// Whom one supports stays within reach.
	b.send(lin, "POST", path, form("event", "start_support", "channel", "call")).holds(t, 303)
	b.send(lin, "GET", "/desk/queue?state=mine", "").holds(t, 200, "Mine (0)", "In support with you", "Ursula Urgent")
	if body := b.send(sam, "GET", "/desk/queue?state=mine", "").body; strings.Contains(body, "Ursula Urgent") {
		t.Error("whom somebody else supports stands under Mine")
	}
}

func TestQueuePaging(t *testing.T) {
	b := newBench(t)
	lin := b.who[staff.LinkWorker]
	want := 2*pageSize + 3
	for i := range want {
		b.refer(selfrefer.Answers{}, []selfrefer.Lane{selfrefer.Verified, selfrefer.Unverified}[i%2])
		b.pass(time.Second)
	}
	var seen []selfrefer.ReferralID
	for after := "0"; ; {
		var page struct {
			Referrals []struct {
				ID selfrefer.ReferralID `json:"id"`
			} `json:"referrals"`
			Next string `json:"next"`
		}
		if got := b.call(lin, "GET", fmt.Sprint("/referrals?after=", after), "", &page); got != 200 {
			t.Fatalf("status %d", got)
		}
		for _, r := range page.Referrals {
			seen = append(seen, r.ID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	slices.Sort(seen)
	if n := len(seen); n != want || len(slices.Compact(seen)) != want {
		t.Errorf("%d referrals over all pages, want %d, each once", n, want)
	}
	first := b.send(lin, "GET", "/desk/queue", "")
	first.holds(t, 200, "Next 50")
	if strings.Contains(first.body, "Back to the start") {
		t.Error("the first page leads back to itself")
	}
}

// Many claim at the same time: one wins, everybody else is told who.
func TestClaimRace(t *testing.T) {
	b := newBench(t)
	id := b.refer(selfrefer.Answers{}, selfrefer.Verified)
	workers := []staff.Account{b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker], b.who[staff.Volunteer]}
	for _, a := range workers {
		b.token(a)
	}
	var wg sync.WaitGroup
	got := make([]reply, 30)
	for i := range got {
		wg.Go(func() {
			got[i] = b.send(workers[i%3], "POST", fmt.Sprintf("/api/v1/referrals/%d/claim", id), "{}")
		})
	}
	wg.Wait()
	won := 0
	for _, r := range got {
		switch r.status {
		case 200:
			won++
		case 409:
			if !strings.Contains(r.body, `"code":"taken"`) || !strings.Contains(r.body, `"claimed_by":{"id":`) {
				t.Errorf("the others are not told who: %s", r.body)
			}
		default:
			t.Errorf("status %d: %s", r.status, r.body)
		}
	}
	if won != 1 {
		t.Errorf("%d winners", won)
	}
	_, events, err := b.db.Referral(context.Background(), workers[0], id)
	if err != nil || len(events) != 1 {
		t.Errorf("%d events, %v", len(events), err)
	}
}
