package desk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// twice is a person who has sent the form twice: the second time with danger in it, and no call is safe.
func (b *bench) twice() (first, second selfrefer.ReferralID) {
	first = b.refer(selfrefer.Answers{Name: "Marigold Testperson", BirthDate: "2 8 1951", Phone: "07700 900123", CallSafe: selfrefer.SafeYes, Words: "I would like some company."}, selfrefer.Verified)
	b.pass(30 * time.Minute)
	second = b.refer(selfrefer.Answers{Name: "Marigold Ann Testperson", BirthDate: "2 8 1951", Phone: "07700 900124", CallSafe: selfrefer.SafeNo, Words: "<b>there</b> is no food in the house", IfAnother: "you are from the library"}, selfrefer.Unverified)
	return first, second
}

func (b *bench) reference(id selfrefer.ReferralID) string {
	b.tb.Helper()
	var j referralJSON
	if got := b.call(b.who[staff.SeniorLinkWorker], "GET", fmt.Sprint("/referrals/", id), "", &j); got != 200 {
		b.tb.Fatalf("read a referral: %d", got)
	}
	return j.Reference
}

func TestSame_pages(t *testing.T) {
	b := newBench(t)
	lin, sam, val := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker], b.who[staff.Volunteer]
	first, second := b.twice()
	household := b.refer(selfrefer.Answers{Name: "Hubert Testperson", Phone: "07700 900123"}, selfrefer.Verified)
	ours, theirs := b.reference(first), b.reference(second)
	path := func(id selfrefer.ReferralID, more string) string { return fmt.Sprint("/desk/referrals/", id, more) }
	page := b.send(lin, "GET", path(first, ""), "")
	page.holds(t, 200, "May be the same person", "Same name and date of birth.", "Same telephone number: could be a household.", "Marigold Ann Testperson", "Hubert Testperson",
		theirs+" goes on; "+ours+" leaves the queue", `<input type="hidden" name="other" value="`+fmt.Sprint(second)+`">`)
	if body := b.send(val, "GET", path(first, ""), "").body; strings.Contains(body, "Marigold Ann") || strings.Contains(body, theirs) || !strings.Contains(body, "Hubert Testperson") {
		t.Error("a volunteer is shown an urgent referral among those of the same person, or not the others")
	}

	// By its reference, if it is not listed.
	b.send(lin, "POST", path(first, "/join"), form("reference", "?")).holds(t, 422, "Enter the reference of the other referral", `href="#reference"`, "<details class=\"nhsuk-details\" open>")
	b.send(lin, "POST", path(first, "/join"), form("reference", "2222-2222")).holds(t, 422, "There is no such referral that you may open")
	b.send(val, "POST", path(first, "/join"), form("reference", theirs)).holds(t, 422, "There is no such referral that you may open")
	b.send(lin, "POST", path(first, "/join"), form("reference", ours)).holds(t, 409, "one and the same referral")
	b.send(lin, "POST", path(first, ""), form("event", "claim")).holds(t, 303)
	got := b.send(lin, "POST", path(first, "/join"), form("reference", strings.ToLower(theirs)))
	got.holds(t, 303)
	if to := got.header.Get("Location"); to != path(first, "?done=join") {
		t.Errorf("joined: to %s", to)
	}
	joined := b.send(lin, "GET", path(first, "?done=join"), "")
	joined.holds(t, 200, "this is one case now", ">Urgent<", "No food, warmth or home today", "Joined with another referral of the same person: "+theirs, "&lt;b&gt;there&lt;/b&gt;", "I would like some company.", "you are from the library")
	if !inOrder(joined.body, "Before you make contact", "<li><strong>Do NOT call: they said that it is not safe.</strong></li>", "<details", "07700 900123", "I would like some company.", "Also from this person", theirs, "Do NOT call", "<details", "07700 900124", "They are not the same: separate them") {
		t.Error("what is safe does not come first, or a number stands open that one of the forms says is not safe")
	}
	gone := b.send(lin, "GET", path(second, ""), "")
	gone.holds(t, 200, "This is the same person as in <a href=\""+path(first, "")+"\">"+ours+"</a>: Lin Okafor joined them", "Marked as a second referral from the same person: "+ours)
	if strings.Contains(gone.body, ">Claim</button>") || strings.Contains(gone.body, "May be the same person") || strings.Contains(gone.body, "Is this a second referral") {
		t.Error("somebody could still work on the joined referral")
	}
	b.send(lin, "POST", path(second, "/join"), form("other", fmt.Sprint(first))).holds(t, 409, "are joined already")
	b.send(lin, "GET", "/desk/queue?state=open", "").holds(t, 200, "Open (2)", "Urgent (1)")

	var j struct {
		referralJSON
		Code string `json:"code"`
	}
	if got := b.call(lin, "GET", fmt.Sprint("/referrals/", first), "", &j); got != 200 || len(j.Joined) != 1 || j.Joined[0].ID != second || j.Joined[0].JoinedTo != first || j.Joined[0].By.ID != lin.ID || j.Answers.CallSafe != selfrefer.SafeNo ||
		len(j.Possible) != 1 || j.Possible[0].ID != household || j.Possible[0].Why[0] != selfrefer.LikePhone {
		t.Errorf("%d %+v", got, j.sameJSON)
	}
	if got := b.call(val, "POST", fmt.Sprint("/referrals/", second, "/separate"), "", &j); got != 403 {
		t.Errorf("a volunteer separates what is urgent: %d", got)
	}
	b.send(lin, "POST", path(second, "/separate"), "").holds(t, 303)
	b.send(lin, "GET", path(second, "?done=separate"), "").holds(t, 200, "Separated. Both stand as they did before.", ">Claim</button>", "Separated again: "+ours)
	if body := b.send(lin, "GET", path(first, ""), "").body; strings.Contains(body, "Why it is urgent") || strings.Contains(body, "Do NOT call") || !strings.Contains(body, "It is safe to call.") {
		t.Error("the first still has what it took over")
	}
	b.send(lin, "POST", path(second, "/separate"), "").holds(t, 409, "cannot be done with the referral as it stands")

	// By the API; who has it in hand keeps it.
	b.send(sam, "POST", path(second, ""), form("event", "claim")).holds(t, 303)
	j.Code = ""
	if got := b.call(lin, "POST", fmt.Sprint("/referrals/", first, "/join"), fmt.Sprintf(`{"other":%d}`, household), &j); got != 200 || j.ID != first || len(j.Joined) != 1 {
		t.Errorf("%d %+v", got, j.sameJSON)
	}
	b.send(lin, "POST", path(household, "/separate"), "").holds(t, 303)
	if got := b.send(val, "POST", fmt.Sprint("/api/v1/referrals/", household, "/join"), fmt.Sprintf(`{"other":%d}`, first)); got.status != 200 {
		t.Errorf("whoever sees it joins what nobody has: %d", got.status)
	}
	early := b.refer(selfrefer.Answers{Name: "Vic Early"}, selfrefer.Verified)
	b.pass(time.Minute)
	late := b.refer(selfrefer.Answers{Name: "Vic Late"}, selfrefer.Verified)
	b.send(val, "POST", path(early, ""), form("event", "claim")).holds(t, 303)
	b.send(lin, "POST", path(late, ""), form("event", "claim")).holds(t, 303)
	b.send(val, "POST", path(early, "/join"), form("other", fmt.Sprint(late))).holds(t, 409, "Lin Okafor has "+b.reference(late)+": only they, or a senior, can do this.")
	if got := b.call(val, "POST", fmt.Sprint("/referrals/", early, "/join"), fmt.Sprintf(`{"other":%d}`, late), &j); got != 409 || j.Code != "taken" {
		t.Errorf("takes away what another has: %d %s", got, j.Code)
	}
	b.send(lin, "POST", path(early, "/join"), form("other", fmt.Sprint(late))).holds(t, 303) // hers is what leaves

	// The page of what has gone obeys what the other form says is safe.
	calm, danger := b.twice()
	b.send(lin, "POST", path(calm, "/join"), form("other", fmt.Sprint(danger))).holds(t, 303)
	left := b.send(lin, "GET", path(calm, ""), "")
	if !inOrder(left.body, "This is the same person as in", "Do NOT call: they said that it is not safe.", "<details", "07700 900123") || strings.Contains(left.body, "It is safe to call") {
		t.Error("the page of the joined referral shows a number that the other form says is not safe")
	}
	if body := b.send(lin, "GET", path(danger, ""), "").body; !inOrder(body, "Also from this person", "Show the number of this one", "07700 900123") {
		t.Error("the number on the calm form stands open")
	}
	var api referralJSON
	if got := b.call(lin, "GET", fmt.Sprint("/referrals/", calm), "", &api); got != 200 || api.GoesOn != danger || api.Answers.CallSafe != selfrefer.SafeNo {
		t.Errorf("%d: goes on in %d, safe to call: %s", got, api.GoesOn, api.Answers.CallSafe)
	}
}

func TestSame_earlierPage(t *testing.T) {
	b := newBench(t)
	lin := b.who[staff.LinkWorker]
	old := b.refer(selfrefer.Answers{Name: "Marigold Testperson", BirthDate: "2 8 1951"}, selfrefer.Verified)
	b.send(lin, "POST", fmt.Sprint("/desk/referrals/", old), form("event", "claim")).holds(t, 303)
	b.send(lin, "POST", fmt.Sprint("/desk/referrals/", old), form("event", "decline", "channel", "call")).holds(t, 303)
	b.pass(60 * 24 * time.Hour)
	again := b.refer(selfrefer.Answers{Name: "Marigold Testperson", BirthDate: "2 8 1951"}, selfrefer.Verified)
	page := b.send(b.who[staff.Volunteer], "GET", fmt.Sprint("/desk/referrals/", again), "")
	page.holds(t, 200, "Earlier contact with us", "Declined", "Link worker: Lin Okafor", fmt.Sprintf(`href="/desk/referrals/%d"`, old), "ended at")
	if strings.Contains(page.body, "May be the same person") {
		t.Error("offers to join what has ended")
	}
	var j referralJSON
	if got := b.call(lin, "GET", fmt.Sprint("/referrals/", again), "", &j); got != 200 || len(j.Earlier) != 1 || j.Earlier[0].State != selfrefer.Declined || j.Earlier[0].ClaimedBy.ID != lin.ID || j.Earlier[0].Closed == nil {
		t.Errorf("%d %+v", got, j.sameJSON)
	}
}

func TestUndo_pages(t *testing.T) {
	b := newBench(t)
	lin, sam := b.who[staff.LinkWorker], b.who[staff.SeniorLinkWorker]
	id := b.refer(selfrefer.Answers{Name: "Marigold Testperson", CallSafe: selfrefer.SafeYes}, selfrefer.Verified)
	path := fmt.Sprint("/desk/referrals/", id)
	button := fmt.Sprintf(`action="%s/undo"`, path)
	post := func(a staff.Account, want int, pairs ...string) string {
		t.Helper()
		b.pass(time.Minute)
		got := b.send(a, "POST", path, form(pairs...))
		got.holds(t, want)
		return got.header.Get("Location")
	}
	claimed := b.send(lin, "GET", post(lin, 303, "event", "claim"), "")
	claimed.holds(t, 200, "You have claimed this referral", button)
	if n := strings.Count(claimed.body, button); n != 1 {
		t.Errorf("%d buttons undo the claim", n)
	}
	b.send(lin, "GET", path, "").holds(t, 200, button, "You can undo this until 9:21am: claimed.")
	// From the queue, where one lands when the referral is out of one's hands.
	to := post(lin, 303, "event", "close", "channel", "call")
	landed := b.send(lin, "GET", to, "")
	landed.holds(t, 200, "Saved: the referral is closed.", button, "Done (1)")
	if body := b.send(b.who[staff.Volunteer], "GET", to, "").body; strings.Contains(body, button) {
		t.Error("somebody else is offered to undo it")
	}
	if body := b.send(lin, "GET", fmt.Sprintf("/desk/queue?done=release&of=%d", id), "").body; strings.Contains(body, button) {
		t.Error("an old address offers to undo something else")
	}
	b.pass(10 * time.Minute)
	undone := b.send(lin, "POST", path+"/undo", "")
	undone.holds(t, 303)
	now := b.send(lin, "GET", undone.header.Get("Location"), "")
	now.holds(t, 200, "Undone. The referral stands as it did before.", "Undone: closed", "Closed, by call (undone)", "You have had it since", "What came of it?")
	if strings.Contains(now.body, button) {
		t.Error("an undone step can be undone")
	}
	b.send(lin, "POST", path+"/undo", "").holds(t, 409, "This cannot be undone any more")
	b.send(lin, "GET", "/desk/queue", "").holds(t, 200, "Claimed", "Done (0)")

	// A try that was undone is none.
	post(lin, 303, "event", "attempt", "channel", "call")
	b.send(lin, "POST", path+"/undo", "").holds(t, 303)
	post(lin, 303, "event", "attempt", "channel", "visit")
	b.send(lin, "GET", path, "").holds(t, 200, "Tried and not reached, by call (undone)", "Try 1: not reached, by visit", "You tried 1 time before")
	// Once a senior has opened it, they alone can.
	b.send(sam, "GET", path, "").holds(t, 200, button)
	b.send(lin, "POST", path+"/undo", "").holds(t, 409)
	var j struct {
		referralJSON
		Left bool   `json:"already_sent"`
		Code string `json:"code"`
	}
	if got := b.call(sam, "GET", fmt.Sprint("/referrals/", id), "", &j); got != 200 || j.CanUndo == nil || j.CanUndo.Event != selfrefer.Attempt {
		t.Errorf("%d %+v", got, j.CanUndo)
	}
	j.CanUndo = nil
	if got := b.call(sam, "POST", fmt.Sprint("/referrals/", id, "/undo"), "", &j); got != 200 || j.State != selfrefer.Claimed || j.Attempts != 0 || j.Left || j.CanUndo != nil {
		t.Errorf("%d %s after %d tries, %+v", got, j.State, j.Attempts, j.CanUndo)
	}
	if got := b.call(sam, "POST", fmt.Sprint("/referrals/", id, "/undo"), "", &j); got != 409 || j.Code != "cannot_undo" {
		t.Errorf("%d %s", got, j.Code)
	}
	if got := b.call(lin, "GET", fmt.Sprint("/referrals/", id), "", &j); got != 200 || !j.Contacts[1].Undone || j.Contacts[2].Event != selfrefer.UndoStep || j.Contacts[2].Of != selfrefer.Close {
		t.Errorf("%d: the history does not tell", got)
	}
	post(lin, 303, "event", "attempt", "channel", "call")
	b.pass(16 * time.Minute)
	b.send(lin, "POST", path+"/undo", "").holds(t, 409, "a quarter of an hour has passed")
	if strings.Contains(b.log.String(), "Marigold") {
		t.Error("the log holds a name")
	}
	for _, event := range []string{"undo", "join", "separate"} {
		post(lin, 422, "event", event)
	}
}
