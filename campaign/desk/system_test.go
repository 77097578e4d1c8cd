package desk

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// busyMachinery is a program in trouble: every part of the page has something to say.
func busyMachinery(context.Context) Machinery {
	return Machinery{Stopped: "The disk of the computer that sends is nearly full.", Provider: "Can be reached",
		Queue: Queue{Waiting: 1234, InHand: 20, Again: 3, Dead: 1, Oldest: 190 * time.Second, Processes: []Process{
			{Host: "knowsley-central-pcn-worker-1.example", PID: 4711, AtOnce: 20, Since: civil}, {Host: "worker-2", PID: 4712, AtOnce: 20, Since: civil.AddDate(0, 0, -1)}}},
		Mail:  "Does not work at the moment: The mail server cannot be reached.",
		Mails: []Mail{{At: civil, To: "lee@riverside.example", Subject: "Wellpaced: something waits for you", Text: "A self-referral has been handed to you."}},
		Disk:  Disk{Free: 200 << 20, Floor: 256 << 20, Ballast: 16 << 20}}
}

// refuse makes the provider refuse the account, which rings an alarm.
func (w *world) refuse(id campaign.ID) {
	w.tb.Helper()
	ctx := context.Background()
	r := w.decide(id, 1)[0]
	_, err := w.db.Claim(ctx, r)
	w.must(err)
	w.must(w.db.Record(ctx, r, campaign.Outcome{Event: campaign.Postpone, Code: "20003", Campaign: true}))
}

func TestSystemPage(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Machinery = busyMachinery })
	admin := w.by[staff.Administrator]
	id := w.launched(w.listOf(8, "999"))
	w.refuse(id)
	page := w.get(admin, "/desk/system")
	if page.Code != http.StatusOK {
		t.Fatalf("%d: %s", page.Code, page.Body)
	}
	for _, want := range []string{"Nothing is sent now:", "nearly full", "test, since", "Can be reached", "1,234", "3 minutes", "worker-2", "4712", "The provider refuses our account", "200 MB", "256 MB", "16 MB, dropped", "The mail server cannot be reached.", "lee@riverside.example", "Wellpaced: something waits for you", "A self-referral has been handed to you.", "Nothing: the database has all of it"} {
		if !strings.Contains(page.Body.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	v := w.answer(w.get(admin, "/api/v1/system"), http.StatusOK)
	queue, messages, alarms := v["queue"].(map[string]any), v["messages"].(map[string]any), v["alarms"].([]any)
	if queue["waiting"] != 1234. || queue["dead"] != 1. || queue["oldest_seconds"] != 190. || len(queue["processes"].([]any)) != 2 || v["leads"] != true || v["mail"] != "Does not work at the moment: The mail server cannot be reached." || v["quarantine"] != false ||
		messages["planned"] != 8. || len(messages) != len(campaign.MessageStates) || len(alarms) != 1 || alarms[0].(map[string]any)["code"] != "account_refused" {
		t.Errorf("the call says %v", v)
	}
	for _, path := range []string{"/desk/system", "/api/v1/system"} {
		for _, role := range staff.Roles {
			if got := w.get(w.by[role], path).Code; (got == http.StatusOK) != (role == staff.Administrator) {
				t.Errorf("%s as %s: %d", path, role, got)
			}
		}
		// Another network's administrator sees the machine, and nothing of this network.
		far := w.get(w.other, path)
		if far.Code != http.StatusOK || strings.Contains(far.Body.String(), "refuses our account") {
			t.Errorf("%s for another network: %d %s", path, far.Code, far.Body)
		}
	}
	if got := w.answer(w.get(w.other, "/api/v1/system"), http.StatusOK)["messages"].(map[string]any)["planned"]; got != 0. {
		t.Errorf("another network counts %v planned messages of this one", got)
	}
}

// While nothing is sent for the sake of the machine, a running campaign's page says why.
func TestCampaignPageSaysWhatStopsSending(t *testing.T) {
	why := ""
	w := newWorld(t, func(c *Config) { c.Stopped = func() string { return why } })
	id := w.launched(w.listOf(4, "999"))
	path := fmt.Sprintf("/desk/campaigns/%d", id)
	if strings.Contains(w.get(w.by[staff.CampaignManager], path).Body.String(), "Nothing is sent now") {
		t.Error("a campaign that runs is said to be stopped")
	}
	why = "The clock was set."
	if body := w.get(w.by[staff.CampaignManager], path).Body.String(); !strings.Contains(body, "<strong>Nothing is sent now:</strong> The clock was set.") {
		t.Error("the page does not say why nothing is sent")
	}
}
