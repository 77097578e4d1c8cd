package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// campaigning gives the desk a pacer with one campaign of 3,000 texts, of which a third have gone; the roster is the real one.
func (b *bench) campaigning() {
	b.desk.Pacing = func(ctx context.Context, team staff.TeamID) (Pacing, error) {
		roster, err := b.db.Workers(ctx, team)
		c := throttle.CampaignState{ID: "7", Running: true, Planned: 2000, Started: b.civil().AddDate(0, 0, -4), Strata: []string{"all"}, Sizes: []int{3000}, Grain: time.Hour}
		for i := range 20 {
			at := b.civil().AddDate(0, 0, -4).Add(time.Duration(i) * time.Hour).Unix()
			c.Delivered = append(c.Delivered, throttle.Cell{At: at, N: 50})
			c.Answers = append(c.Answers, throttle.Answer{Delivered: at, Answered: at + 3600, N: 1})
		}
		return Pacing{Policy: throttle.TeamPolicy{PromiseDays: 2, NeedSenior: true, Roster: roster, Campaigns: []throttle.CampaignPolicy{{ID: "7", Rate: 10}}},
			State: throttle.TeamState{Waiting: 1, OldestDue: b.civil().AddDate(0, 0, 1), Campaigns: []throttle.CampaignState{c}}, Names: map[string]string{"7": "Summer letters"}}, err
	}
}

func fullWeek(share, minutes float64) throttle.Worker {
	w := throttle.Worker{FirstContact: share, Minutes: minutes, Places: -1}
	for _, d := range workweek[:5] {
		w.Week[d] = throttle.Hours{From: 540, To: 1020}
	}
	return w
}

var hiddenInput = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// saved posts the form behind a preview's save button.
func (b *bench) saved(who staff.Account, page string) reply {
	b.tb.Helper()
	main := page[strings.Index(page, "<main"):]
	start := strings.Index(main, `<form method="post"`)
	if start < 0 {
		b.tb.Fatal("the page has no form")
	}
	one := main[start : start+strings.Index(main[start:], "</form>")]
	values := url.Values{}
	for _, m := range hiddenInput.FindAllStringSubmatch(one, -1) {
		values.Add(m[1], m[2])
	}
	action := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(one)[1]
	return b.send(who, "POST", action, values.Encode())
}

func TestCapacityPreview(t *testing.T) {
	b := newBench(t)
	ctx := context.Background()
	sam, lin := b.who[staff.SeniorLinkWorker], b.who[staff.LinkWorker]
	for _, a := range []staff.Account{sam, lin} {
		if err := b.db.SetWorker(ctx, sam, a.ID, fullWeek(.5, 60)); err != nil {
			t.Fatal(err)
		}
	}
	b.campaigning()
	capacity := func() string {
		var got json.RawMessage
		b.call(sam, "GET", fmt.Sprint("/teams/", b.team.ID, "/capacity"), "", &got)
		return string(got)
	}
	before := capacity()
	path := fmt.Sprint(rosterPath, "/", lin.ID)
	preview := path + "/preview"
	days := []string{"change", "hours", "share", "50", "minutes", "30", "places", ""}
	for _, d := range workweek[:5] {
		days = append(days, strings.ToLower(d.String())+"-from", "9", strings.ToLower(d.String())+"-to", "17:00")
	}
	page := b.send(sam, "POST", preview, form(days...))
	// Two people at 20 first contacts a week; one who needs half the time makes 40.
	page.holds(t, 200, "Nothing is saved yet", "Minutes for one first contact", "First contacts in a usual week", ">40<", ">60<", "Last text of Summer letters, most likely", "The last text would go", "sooner",
		"Longest wait ahead", "Chance that somebody waits longer than promised", "A senior is there", "Save the change", "Back, without saving")
	if strings.Contains(page.body, "Caseload limit") {
		t.Error("what stays is listed as a change")
	}
	if now := capacity(); now != before {
		t.Fatalf("the preview has saved something:\n%s\n%s", before, now)
	}
	b.send(sam, "POST", preview, form(append(days, "do", "back")...)).holds(t, 200, `value="30"`, "See what it does")
	b.send(sam, "POST", preview, form("change", "hours", "share", "140", "minutes", "0")).holds(t, 422, "from 0 to 100")
	b.send(sam, "POST", preview, form("change", "everything")).holds(t, 422)
	b.saved(sam, page.body).holds(t, 303)
	if !strings.Contains(capacity(), `"minutes_per_contact":30`) {
		t.Error("what was saved is not on the roster")
	}

	// The senior's leave: no texts while it lasts, and the last one later; added and taken back by way of the preview.
	own := fmt.Sprint(rosterPath, "/", sam.ID, "/preview")
	away := b.send(sam, "POST", own, form("change", "leave", "first-day", "2", "first-month", "6", "first-year", "2026", "last-day", "12", "last-month", "6", "last-year", "2026"))
	away.holds(t, 200, "No texts would go out now", "Leave of Sam Jones", "Tuesday 2 June to Friday 12 June", "No: no texts go now", "later")
	b.saved(sam, away.body).holds(t, 303)
	b.send(lin, "GET", rosterPath, "").holds(t, 200, "No texts go out now", "No senior link worker is there on Tuesday 2 June", "A senior link worker or an administrator can put")
	_, all, err := b.db.Capacity(ctx, b.team.ID)
	if err != nil || len(all) != 2 || len(all[0].Leave) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	leave := all[0].Leave[0]
	back := b.send(sam, "POST", own, form("change", "remove", "from", fmt.Sprint(leave.From.UnixMilli()), "to", fmt.Sprint(leave.To.UnixMilli())))
	back.holds(t, 200, "Removed", "No: no texts go now", ">Yes<", "sooner")
	b.saved(sam, back.body).holds(t, 303)
	if _, all, err = b.db.Capacity(ctx, b.team.ID); err != nil || len(all[0].Leave) != 0 {
		t.Errorf("the leave is still there: %+v, %v", all, err)
	}
}

func TestCapacityDryRun(t *testing.T) {
	b := newBench(t)
	sam, lin := b.who[staff.SeniorLinkWorker], b.who[staff.LinkWorker]
	if err := b.db.SetWorker(context.Background(), sam, sam.ID, fullWeek(.5, 60)); err != nil {
		t.Fatal(err)
	}
	b.campaigning()
	path := fmt.Sprint("/teams/", b.team.ID, "/capacity")
	var roster capacityJSON
	b.call(sam, "GET", path, "", &roster)
	more := roster
	more.Workers = append(more.Workers, workerJSON{Account: lin.ID, Hours: roster.Workers[0].Hours, FirstContactShare: .5, Minutes: 60})
	body, err := json.Marshal(more)
	if err != nil {
		t.Fatal(err)
	}
	var got dryRunJSON
	if status := b.call(sam, "PUT", path+"?dry_run=true", string(body), &got); status != 200 || !got.DryRun {
		t.Fatalf("%d %+v", status, got)
	}
	was, is := got.Before, got.After
	if was.Week != 20 || is.Week != 40 || is.Weeks <= was.Weeks || !is.Senior || len(is.Campaigns) != 1 || is.Campaigns[0].Name != "Summer letters" || is.Texts <= was.Texts ||
		was.Campaigns[0].Last == nil || is.Campaigns[0].Last == nil || !is.Campaigns[0].Last.Before(*was.Campaigns[0].Last) || is.CallBy == nil || is.Wait <= 0 || is.Wait > was.Wait+1 {
		t.Errorf("before %+v\nafter  %+v", was, is)
	}
	var after capacityJSON
	if b.call(sam, "GET", path, "", &after); len(after.Workers) != 1 {
		t.Error("a dry run has changed the roster")
	}
	if status := b.call(sam, "PUT", path+"?dry_run=perhaps", string(body), nil); status != 422 {
		t.Errorf("dry_run=perhaps: %d", status)
	}
	if status := b.call(sam, "PUT", path+"?dry_run=true", `{"workers":[]}`, &got); status != 200 || got.After.Week != 0 || got.After.Senior || got.After.CallBy != nil {
		t.Errorf("without anybody: %d %+v", status, got.After)
	}
	if status := b.call(lin, "PUT", path+"?dry_run=true", string(body), nil); status != 403 {
		t.Errorf("a link worker: %d", status)
	}
}

// How long first contacts take is seen by whoever made them and by seniors, and by nobody else; a button takes it over.
func TestLearnedMinutes(t *testing.T) {
	b := newBench(t)
	ctx := context.Background()
	sam, lin, ada := b.who[staff.SeniorLinkWorker], b.who[staff.LinkWorker], b.who[staff.Administrator]
	for _, a := range []staff.Account{sam, lin} {
		if err := b.db.SetWorker(ctx, sam, a.ID, fullWeek(.5, 60)); err != nil {
			t.Fatal(err)
		}
	}
	called := func(who staff.Account, minutes int) {
		id := b.refer(selfrefer.Answers{}, selfrefer.Verified)
		at := fmt.Sprint("/desk/referrals/", id)
		b.send(who, "POST", at, form("event", "claim")).holds(t, 303)
		b.pass(time.Duration(minutes) * time.Minute)
		b.send(who, "POST", at, form("event", "start_support", "channel", "call")).holds(t, 303)
	}
	for range 8 {
		called(lin, 20)
	}
	path := fmt.Sprint(rosterPath, "/", lin.ID)
	// The median is 20 of 8, and eight count for the 60 that are declared: 40.
	const personal = "60 (40 from 8)"
	for who, sees := range map[staff.Account]bool{lin: true, sam: true, ada: false, b.who[staff.CampaignManager]: false} {
		page := b.send(who, "GET", rosterPath, "")
		if strings.Contains(page.body, personal) != sees {
			t.Errorf("%s sees what Lin takes: %v", who.Role, !sees)
		}
		if strings.Contains(page.body, "A first contact of this team takes") != (who == sam) {
			t.Errorf("%s reads of a team in which one alone has called", who.Role)
		}
		var got capacityJSON
		b.call(who, "GET", fmt.Sprint("/teams/", b.team.ID, "/capacity"), "", &got)
		for _, w := range got.Workers {
			if (w.Learned != nil) != (sees && w.Account == lin.ID) {
				t.Errorf("%s reads by the API of %d: %+v", who.Role, w.Account, w.Learned)
			}
		}
	}
	called(sam, 30)
	b.send(b.who[staff.CampaignManager], "GET", rosterPath, "").holds(t, 200, "A first contact of this team takes about", "learned from 9 first contacts in the last 8 weeks; 60 are declared", "not used by itself")

	b.send(ada, "GET", path, "").holds(t, 200, "See what it does")
	if strings.Contains(b.send(ada, "GET", path, "").body, "Use 40 minutes") {
		t.Error("an administrator is told how long somebody takes")
	}
	b.send(ada, "POST", path+"/preview", form("change", "learned")).holds(t, 403)
	b.send(sam, "GET", path, "").holds(t, 200, "about 40 minutes, learned from 8 first contacts", "Use 40 minutes")
	page := b.send(sam, "POST", path+"/preview", form("change", "learned"))
	page.holds(t, 200, ">60<", ">40<")
	b.saved(sam, page.body).holds(t, 303)
	_, all, err := b.db.Capacity(ctx, b.team.ID)
	if w, _ := workerOf(all, lin.ID); err != nil || w.Minutes != 40 || w.Week != fullWeek(.5, 40).Week || w.FirstContact != .5 || w.Places != -1 {
		t.Errorf("%+v, %v", w, err)
	}
}

// The calendar tells hours, leave, bank holidays and whether a senior is there, in the picture and in the table.
func TestCapacityCalendar(t *testing.T) {
	b := newBench(t)
	b.now = time.Date(2026, 5, 20, 8, 0, 0, 0, time.UTC) // a Wednesday; Monday 25 May is a bank holiday
	ctx := context.Background()
	sam, lin := b.who[staff.SeniorLinkWorker], b.who[staff.LinkWorker]
	part := fullWeek(.5, 60)
	part.Week[time.Friday] = throttle.Hours{}
	for _, x := range []struct {
		a staff.Account
		w throttle.Worker
	}{{sam, part}, {lin, fullWeek(.25, 60)}} {
		if err := b.db.SetWorker(ctx, sam, x.a.ID, x.w); err != nil {
			t.Fatal(err)
		}
	}
	london := b.desk.zone
	for _, span := range [][2]time.Time{
		{time.Date(2026, 5, 26, 0, 0, 0, 0, london), time.Date(2026, 5, 27, 0, 0, 0, 0, london)},
		{time.Date(2026, 5, 28, 13, 0, 0, 0, london), time.Date(2026, 5, 28, 17, 0, 0, 0, london)},
	} {
		if _, err := b.db.AddLeave(ctx, sam, lin.ID, throttle.Span{From: span[0], To: span[1]}); err != nil {
			t.Fatal(err)
		}
	}
	accounts, err := b.db.Accounts(ctx, b.net.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, declared, err := b.db.Capacity(ctx, b.team.ID)
	if err != nil {
		t.Fatal(err)
	}
	c := b.desk.calendar(b.team, accounts, declared, declared)
	rows := map[string]string{}
	for _, r := range c.Table.Rows {
		rows[r[0].Text] = fmt.Sprintf("%s | %s | %s | %s", r[1].Text, r[2].Text, r[3].Text, r[4].Text)
	}
	for day, want := range map[string]string{
		"Tuesday 19 May":   "", // gone
		"Wednesday 20 May": "Lin Okafor: 8 hours; Sam Jones: 8 hours | Nobody | Yes | 6",
		"Friday 22 May":    "Lin Okafor: 8 hours | Nobody | Nobody | 2",
		"Monday 25 May":    "Bank holiday | Nobody | Closed | 0",
		"Tuesday 26 May":   "Sam Jones: 8 hours | Lin Okafor | Yes | 4",
		"Thursday 28 May":  "Lin Okafor: 4 hours, some leave; Sam Jones: 8 hours | Nobody | Yes | 5",
		"Saturday 23 May":  "",
	} {
		if rows[day] != want {
			t.Errorf("%s: %q, want %q", day, rows[day], want)
		}
	}
	if !strings.Contains(c.Sentence, "Friday 22 May, Friday 29 May, Friday 5 June, Friday 12 June. Texts go only") {
		t.Error(c.Sentence)
	}
	for name, d := range map[string]drawing{"wide": c.Wide, "narrow": c.Narrow} {
		words := map[string]int{}
		for _, x := range d.Cells {
			words[x.Text+" "+x.Fill]++
			if x.X+x.W > d.W || x.Y+x.H > d.H || x.TY > d.H {
				t.Fatalf("%s: %+v is outside of %d x %d", name, x, d.W, d.H)
			}
		}
		// Sam works 4 days in each of 4 weeks but for the bank holiday, Lin 5 but for it and the leave; two days are gone.
		if words["8 "+atWork] != 13+15 || words["L "+onLeave] != 1 || words["4 "+partly] != 1 || words["BH "+holiday] != 2 || words["no "+missing] != 4 || words["yes "+covered] != 13 {
			t.Errorf("%s: %v", name, words)
		}
	}
	if c.Narrow.W > 322 {
		t.Errorf("the picture for phones is %d wide", c.Narrow.W)
	}
	b.send(lin, "GET", rosterPath, "").holds(t, 200, "Who is there in these four weeks", "Show the days as a table", "Sam Jones (senior link worker)", `text-anchor="middle" font-weight="700">no<`)
}
