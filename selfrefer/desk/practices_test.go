package desk

import (
	"context"
	"database/sql"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// hook sets up a webhook of the first network.
func (b *bench) hook(address string) selfrefer.Webhook {
	b.tb.Helper()
	return must(b.db.AddWebhook(context.Background(), b.who[staff.Administrator], address, selfrefer.HookEvents, []byte("a key of thirty-two bytes, or not")))(b.tb)
}

// toTell makes a correction that the first network's practice is to be told of. It came by no link, so the test says which practice it is.
func (b *bench) toTell(number string) {
	b.tb.Helper()
	id := b.toCorrect(number)
	db := must(sql.Open("sqlite", filepath.Join(b.data, "wellpaced.db")+"?_pragma=busy_timeout(5000)"))(b.tb)
	defer db.Close()
	must(db.Exec(`UPDATE correction SET practice = 'N83006' WHERE id = $1`, id))(b.tb)
}

func TestPracticesPages(t *testing.T) {
	b := newBench(t)
	mo, ada := b.who[staff.CampaignManager], b.who[staff.Administrator]
	page := practicesPath + "/N83006"
	b.send(mo, "GET", practicesPath, "").holds(t, 200, "Elm Tree Surgery", "Everything is told once")
	b.send(mo, "GET", page, "").holds(t, 200, "There is nothing new", "None was made yet")
	b.send(mo, "POST", page, form("x", "y")).holds(t, 303)
	b.send(mo, "GET", page+"?done=nothing", "").holds(t, 200, "There is nothing that this practice has not been told")
	b.send(mo, "GET", practicesPath+"/N99999", "").holds(t, 404)

	b.toTell("+447700900177")
	b.send(mo, "GET", page, "").holds(t, 200, "To be corrected in the record", "Make a file")
	var news struct {
		Practices []struct {
			ODS string
			New map[string]int
		}
	}
	if got := b.call(mo, "GET", "/practices", "", &news); got != 200 || len(news.Practices) != 1 || news.Practices[0].New["correction"] != 1 {
		t.Errorf("the API lists %d %+v", got, news)
	}
	b.send(mo, "POST", page, form("x", "y")).holds(t, 303)
	var files struct{ Files []fileJSON }
	if got := b.call(mo, "GET", "/practices/N83006/files", "", &files); got != 200 || len(files.Files) != 1 || files.Files[0].State != "ready" || files.Files[0].Counts["correction"] != 1 {
		t.Fatalf("the API lists %d %+v", got, files)
	}
	id := files.Files[0].ID
	b.pass(time.Minute)
	first := b.send(ada, "GET", fmt.Sprint(page, "/", id, "/csv"), "")
	first.holds(t, 200, "\ufeffPractice code", "07700 900177", "Wants no texts of the practice at all")
	if got := first.header.Get("Content-Disposition"); got != fmt.Sprintf(`attachment; filename="N83006-%d.csv"`, id) || first.header.Get("Cache-Control") != "no-store" {
		t.Errorf("sent as %q", got)
	}
	if again := b.send(ada, "GET", fmt.Sprint("/api/v1/practices/N83006/files/", id, "/csv"), ""); again.body != first.body {
		t.Error("the second download is another file")
	}
	b.send(mo, "GET", fmt.Sprint(page, "/", id, "/fhir"), "").holds(t, 200, `"resourceType":"Bundle"`, "+447700900177")
	b.send(mo, "GET", fmt.Sprint(page, "/", id, "/pdf"), "").holds(t, 404)
	b.send(mo, "GET", page, "").holds(t, 200, "Downloaded 3 times", "Corrections: 1", "By Cam Moore")

	b.send(mo, "POST", fmt.Sprint(page, "/", id, "/again"), form("reason", " ")).holds(t, 422, "Say why it has to be told again", " open>")
	b.send(mo, "POST", fmt.Sprint(page, "/", id, "/again"), form("reason", strings.Repeat("x", maxReason+1))).holds(t, 422)
	b.send(mo, "POST", fmt.Sprint(page, "/", id, "/again"), form("reason", "The import was undone")).holds(t, 303)
	b.send(mo, "GET", page, "").holds(t, 200, "Tells again what an earlier file told, because: The import was undone")
	if strings.Contains(b.log.String(), "900177") || strings.Contains(b.log.String(), "undone") {
		t.Error("the log holds what it must not")
	}

	b.send(mo, "POST", practiceCodesPath, form("accepted", "871731000000107", "declined", "", "offered", "")).holds(t, 422, "a digit is wrong", "871731000000107")
	b.send(mo, "POST", practiceCodesPath, form("accepted", "8717 3100 0000 106", "declined", "", "offered", selfrefer.OfferedCode)).holds(t, 303)
	var codes codesJSON
	if b.call(mo, "GET", "/practices/codes", "", &codes); codes != (codesJSON{"871731000000106", "", selfrefer.OfferedCode}) {
		t.Errorf("saved as %+v", codes)
	}
}

func TestWebhooksPages(t *testing.T) {
	b := newBench(t)
	ada := b.who[staff.Administrator]
	b.send(ada, "GET", webhooksPath, "").holds(t, 200, "There are none", "The order is not guaranteed")
	for address, why := range map[string]string{"http://hooks.example.org/": "it must begin with https://", "https://10.1.2.3/": "it leads to a private network", "https://u:p@hooks.example.org/": "no user name", "nonsense": "write it like https://example.org/hooks"} {
		b.send(ada, "POST", webhooksPath, form("url", address, "events", "optout")).holds(t, 422, why)
	}
	b.send(ada, "POST", webhooksPath, form("url", "https://hooks.example.org/")).holds(t, 422, "Choose at least one event")
	made := b.send(ada, "POST", webhooksPath, form("url", "https://hooks.example.org/in?key=zebra", "events", "optout")+"&events=referral.received")
	made.holds(t, 200, "whsec_", "It is not shown again")
	var listed struct{ Webhooks []hookJSON }
	if got := b.call(ada, "GET", "/webhooks", "", &listed); got != 200 || len(listed.Webhooks) != 1 || len(listed.Webhooks[0].Events) != 2 || !listed.Webhooks[0].On {
		t.Fatalf("the API lists %d %+v", got, listed)
	}
	page := fmt.Sprint(webhooksPath, "/", listed.Webhooks[0].ID)
	list := b.send(ada, "GET", webhooksPath, "")
	list.holds(t, 200, "hooks.example.org", "2 of 9")
	for _, p := range []reply{list, b.send(ada, "GET", page, "")} {
		if strings.Contains(p.body, "whsec_") {
			t.Error("the secret is shown again")
		}
	}
	b.send(ada, "POST", page, form("do", "test")).holds(t, 303)
	b.refer(selfrefer.Answers{Name: "Marigold Testperson"}, selfrefer.Verified)
	b.send(ada, "GET", page, "").holds(t, 200, "A self-referral was received", "A test", "Waiting", "Not tried yet")
	b.send(ada, "POST", page, form("do", "off")).holds(t, 303)
	b.send(ada, "GET", page, "").holds(t, 200, "It was switched off by hand", "Given up")
	b.send(ada, "POST", page, form("do", "test")).holds(t, 409)
	b.send(ada, "POST", page, form("do", "on")).holds(t, 303)
	var out struct{ Deliveries []deliveryJSON }
	b.call(ada, "GET", fmt.Sprint("/webhooks/", listed.Webhooks[0].ID, "/deliveries"), "", &out)
	if len(out.Deliveries) != 2 || out.Deliveries[1].State != selfrefer.NotDelivered {
		t.Fatalf("%+v", out)
	}
	b.send(ada, "POST", page, form("do", "redeliver", "delivery", fmt.Sprint(out.Deliveries[1].ID))).holds(t, 303)
	b.send(ada, "POST", page, form("do", "redeliver", "delivery", "12")).holds(t, 404)
	b.send(ada, "POST", page, form("do", "dance")).holds(t, 422)
	if b.call(ada, "GET", fmt.Sprint("/webhooks/", listed.Webhooks[0].ID, "/deliveries"), "", &out); out.Deliveries[1].State != selfrefer.Due {
		t.Errorf("%+v", out)
	}
	b.send(ada, "POST", page, form("do", "remove")).holds(t, 303)
	b.send(ada, "GET", page, "").holds(t, 404)
	if log := b.log.String(); strings.Contains(log, "zebra") || strings.Contains(log, "whsec_") {
		t.Error("the log holds a secret")
	}
}

// door lets the making of a practice's file wait.
type door struct {
	Store
	came, open chan struct{}
}

func (d door) MakePracticeFile(ctx context.Context, who staff.Account, ods string) (selfrefer.PracticeFile, error) {
	close(d.came)
	<-d.open
	return d.Store.MakePracticeFile(ctx, who, ods)
}

// Who asks for a file and closes the browser finds it made.
func TestPracticeFile_browserClosed(t *testing.T) {
	b := newBench(t)
	mo := b.who[staff.CampaignManager]
	b.toTell("+447700900177")
	d := door{b.desk.Store, make(chan struct{}), make(chan struct{})}
	b.desk.Store = d
	ctx, leave := context.WithCancel(context.Background())
	req := httptest.NewRequest("POST", practicesPath+"/N83006", strings.NewReader(form("x", "y"))).WithContext(ctx)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+b.token(mo))
	answered := make(chan reply)
	go func() { answered <- b.do(req) }()
	<-d.came
	leave()
	<-answered
	close(d.open)
	for range 200 {
		if files := must(b.db.PracticeFiles(context.Background(), mo, "N83006"))(t); len(files) == 1 && files[0].Ready {
			b.send(mo, "GET", practicesPath+"/N83006?done=going", "").holds(t, 200, "You can close this page", "Corrections: 1")
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the file was not made")
}

// A file that is being made is told of, with how far it is, on a page that asks again by itself.
func TestPracticeFile_progress(t *testing.T) {
	b := newBench(t)
	mo := b.who[staff.CampaignManager]
	db := must(sql.Open("sqlite", filepath.Join(b.data, "wellpaced.db")+"?_pragma=busy_timeout(5000)"))(t)
	defer db.Close()
	must(db.Exec(`INSERT INTO practice_file (id, network, practice, state, made_by, made_at, ready_at, counts, again_of, taken, taken_at, taken_by) VALUES (7, $1, 'N83006', 'gathering', $2, 0, 0, '{}', 0, 0, 0, 0)`,
		int64(b.net.ID), int64(mo.ID)))(t)
	for i := range 1200 {
		must(db.Exec(`INSERT INTO practice_entry (id, file, network, practice, kind, about, ix, since, person, doc, made_at) VALUES ($1, 7, $2, 'N83006', 'text', $1, '', 0, '', '', 0)`, i+1, int64(b.net.ID)))(t)
	}
	b.send(mo, "GET", practicesPath+"/N83006", "").holds(t, 200, "A file is being made: 1,200 of its entries are ready.", `hx-trigger="every 3s"`, `http-equiv="refresh"`, "Make a file")
}
