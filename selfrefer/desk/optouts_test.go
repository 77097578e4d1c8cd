package desk

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// toCorrect has somebody ask for no texts of the practice at all, and gives the correction's id.
func (b *bench) toCorrect(number string) int64 {
	b.tb.Helper()
	phone := must(person.ParseE164(number))(b.tb)
	if err := b.db.OptOut(context.Background(), selfrefer.OptOut{Network: b.net.ID, Phone: phone, Why: selfrefer.WhyStop, All: true, At: b.civil()}); err != nil {
		b.tb.Fatal(err)
	}
	for _, c := range must(b.db.Corrections(context.Background(), b.net.ID, 0))(b.tb) {
		if c.Phone == phone {
			return c.ID
		}
	}
	b.tb.Fatal("the correction is not on the list")
	return 0
}

func TestOptOutsPage(t *testing.T) {
	b := newBench(t)
	ada := b.who[staff.Administrator]
	b.send(ada, "GET", optOutsPath, "").holds(t, 200, "There is nothing to correct")
	id := b.toCorrect("+447700900177")
	b.pass(time.Minute)
	b.send(ada, "GET", optOutsPath, "").holds(t, 200, "Wants no texts of the practice at all", "07700 900177", "Practice not known", "do not code it as", fmt.Sprintf(`action="/desk/optouts/%d"`, id))
	file := b.send(b.who[staff.CampaignManager], "GET", optOutsPath+"/corrections.csv", "")
	file.holds(t, 200, "\ufeffPractice code", "07700 900177")
	if got := file.header.Get("Content-Disposition"); got != `attachment; filename="corrections.csv"` || file.header.Get("Cache-Control") != "no-store" {
		t.Errorf("the list is sent as %q, %q", got, file.header.Get("Cache-Control"))
	}
	var listed struct {
		Corrections []correctionJSON `json:"corrections"`
	}
	if got := b.call(ada, "GET", "/corrections", "", &listed); got != 200 || len(listed.Corrections) != 1 || listed.Corrections[0].Why != selfrefer.WhyAllTexts || listed.Corrections[0].Phone != "+447700900177" {
		t.Errorf("the API lists %d %+v", got, listed)
	}
	b.send(ada, "POST", fmt.Sprint(optOutsPath, "/", id), form("x", "y")).holds(t, 303)
	b.send(ada, "GET", optOutsPath+"?done=corrected", "").holds(t, 200, "There is nothing to correct", "Saved: this one is done.")

	// They take it back: it is to be done the other way round.
	phone := must(person.ParseE164("+447700900177"))(t)
	if err := b.db.Resume(context.Background(), selfrefer.Undo{Network: b.net.ID, Phone: phone, At: b.civil()}); err != nil {
		t.Fatal(err)
	}
	b.send(ada, "GET", optOutsPath, "").holds(t, 200, "They have since said that this was a mistake")
	b.send(ada, "POST", fmt.Sprint(optOutsPath, "/", id), form("x", "y")).holds(t, 303)
	b.send(ada, "GET", optOutsPath, "").holds(t, 200, "There is nothing to correct")
}

func TestOptOutsAPI(t *testing.T) {
	b := newBench(t)
	ada := b.who[staff.Administrator]
	list := "Mobile;NHS number\n07700 900101;\n;999 000 0018\n+447700900102;9990000026\n07700900101;\nnobody;\n12345678;\n"
	var l selfrefer.OptOutLedger
	for _, c := range []struct {
		query          string
		added, already int
		dry            bool
	}{{"?dry_run=true", 3, 1, true}, {"", 3, 1, false}, {"?dry_run=true", 0, 4, true}, {"", 0, 4, false}} {
		l = selfrefer.OptOutLedger{}
		if got := b.call(ada, "POST", "/optouts"+c.query, list, &l); got != 200 || l.Rows != 6 || l.Added != c.added || l.Already != c.already || l.Unreadable != 2 || l.DryRun != c.dry || !l.Balanced() {
			t.Errorf("%q: %d %+v", c.query, got, l)
		}
	}
	if fmt.Sprint(l.Problems) != "[{6 nothing} {7 unreadable}]" {
		t.Errorf("the problems are %v", l.Problems)
	}
	var out struct {
		OptOuts []optOutJSON `json:"optouts"`
		Blind   int          `json:"blind"`
	}
	if got := b.call(ada, "GET", "/optouts", "", &out); got != 200 || len(out.OptOuts) != 4 || out.Blind != 0 {
		t.Errorf("exported %d %+v", got, out)
	}
	file := b.send(ada, "GET", optOutsPath+"/optouts.csv", "")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(file.body, "\ufeff"))).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Errorf("the file has %d rows, %v", len(rows), err)
	}
	// What was exported can be imported again.
	if got := b.call(b.away[staff.Administrator], "POST", "/optouts", file.body, &l); got != 200 || l.Added != 4 || l.Rows != 4 {
		t.Errorf("the file read by another network: %d %+v", got, l)
	}
	b.send(ada, "POST", "/api/v1/optouts?dry_run=perhaps", "07700900101").holds(t, 422, "dry_run must be")
	b.send(ada, "POST", "/api/v1/optouts", "PK\x03\x04 workbook").holds(t, 422, "save it as CSV")
	b.send(ada, "POST", "/api/v1/optouts", strings.Repeat("x", maxOptOutBody+1)).holds(t, 413)
	entries, _, err := b.db.AuditEntries(context.Background(), b.net.ID, 0, 50)
	if err != nil {
		t.Fatal(err)
	}
	said := fmt.Sprintf("%+v", entries)
	for _, want := range []string{"optout.import", "optout.export", "6 rows", "3 added"} {
		if !strings.Contains(said, want) {
			t.Errorf("the audit does not hold %q", want)
		}
	}
	if strings.Contains(said, "7700900101") || strings.Contains(b.log.String(), "7700900101") {
		t.Error("a number is in the audit or in the log")
	}
}

// Replies: what was said, when, what sounds like danger, and what nobody has asked.
func TestReferralPage_replies(t *testing.T) {
	b := newBench(t)
	lin := b.who[staff.LinkWorker]
	phone := must(person.ParseE164("+447700900178"))(t)
	receiver := selfrefer.Receiver{Keeper: b.db, Undoer: b.db, Now: b.civil}
	send := func(id, body string, media int) {
		t.Helper()
		b.pass(time.Minute)
		if err := receiver.Reply(context.Background(), selfrefer.Reply{ID: id, Network: b.net.ID, From: phone, Body: body, Media: media}); err != nil {
			t.Fatal(err)
		}
	}
	send("SM1", "CALL", 0)
	var q struct{ Referrals []referralJSON }
	b.call(lin, "GET", "/referrals?state=open", "", &q)
	if len(q.Referrals) != 1 || q.Referrals[0].Said != selfrefer.SaidCall || q.Referrals[0].Urgent {
		t.Fatalf("the queue holds %+v", q)
	}
	path := fmt.Sprint("/desk/referrals/", q.Referrals[0].ID)
	b.send(lin, "GET", queuePath, "").holds(t, 200, "Reply: call me")
	first := b.send(lin, "GET", path, "")
	first.holds(t, 200, "They texted CALL from their own number; they were not asked whether it is safe.", "Show the number", "That never means that it is not urgent", "Best way to reach them")
	if strings.Contains(first.body, "It is safe to call.") {
		t.Error("a CALL counts as safe to call")
	}
	send("SM2", "", 1)
	send("SM3", "زوجي يضربني <b>", 0)
	send("SM3", "زوجي يضربني <b>", 0) // the provider tries again
	page := b.send(lin, "GET", path, "")
	page.holds(t, 200, "They texted again at 9:07am today", "1 picture or file came with it", "They texted again at 9:08am today", `<mark><span class="nhsuk-u-visually-hidden">Sounds like danger: </span>يضربني</mark> &lt;b&gt;`,
		"Violence or abuse", "Urgent", "They texted CALL from their own number")
	if strings.Count(page.body, "They texted again") != 2 || strings.Contains(page.body, "That never means") {
		t.Error("the page shows other replies than two, or says that there is no danger in them")
	}
	var whole referralJSON
	if got := b.call(lin, "GET", fmt.Sprint("/referrals/", q.Referrals[0].ID), "", &whole); got != 200 || len(whole.Later) != 2 || whole.Later[1].Words != "زوجي يضربني <b>" || !whole.Urgent || whole.Later[0].Media != 1 {
		t.Errorf("the API tells %d %+v", got, whole.Later)
	}
	// What was asked to be said, and what is needed, are searched as well.
	id := b.refer(selfrefer.Answers{IfAnother: "say you are the bank, he hits me", Needs: "there is no food"}, selfrefer.Verified)
	b.send(lin, "GET", fmt.Sprint("/desk/referrals/", id), "").holds(t, 200, `</span>hits me</mark></strong>`, `</span>no food</mark>`)
}

// However many corrections wait, a page holds fifty of them, and the file holds all.
func TestOptOutsPage_manyPages(t *testing.T) {
	b := newBench(t)
	ada := b.who[staff.Administrator]
	const many = 53
	for i := range many {
		phone := must(person.ParseE164(fmt.Sprintf("+4477009001%02d", i)))(t)
		if err := b.db.OptOut(context.Background(), selfrefer.OptOut{Network: b.net.ID, Phone: phone, Why: selfrefer.WhyStop, All: true, At: b.civil()}); err != nil {
			t.Fatal(err)
		}
	}
	done := `>Done<`
	first := b.send(ada, "GET", optOutsPath, "")
	first.holds(t, 200, "Next 50", "Download the whole list")
	if n := strings.Count(first.body, done); n != usualPage || strings.Contains(first.body, "Back to the start") {
		t.Errorf("the first page holds %d", n)
	}
	_, after, _ := strings.Cut(first.body, `href="`+optOutsPath+`?after=`)
	after, _, _ = strings.Cut(after, `"`)
	second := b.send(ada, "GET", optOutsPath+"?after="+after, "")
	second.holds(t, 200, "Back to the start")
	if n := strings.Count(second.body, done); n != many-usualPage || strings.Contains(second.body, "Next 50") {
		t.Errorf("the second page holds %d", n)
	}
	for i := range many {
		if number := fmt.Sprintf("07700 9001%02d", i); strings.Contains(first.body, number) == strings.Contains(second.body, number) {
			t.Errorf("%s is on both pages, or on neither", number)
		}
	}
	if file := b.send(ada, "GET", optOutsPath+"/corrections.csv", ""); strings.Count(file.body, "07700 9001") != many {
		t.Error("the file does not hold all")
	}
	b.send(ada, "GET", optOutsPath+"?after=nowhere", "").holds(t, 422, "as it was given")
}
