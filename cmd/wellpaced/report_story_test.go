package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// From an empty database to a finished report: a list, a campaign, answers on phones, first calls, onward referrals; and once the month is over
// and has settled, the manager reads it on the page, as CSV and as a workbook.
func TestStory_report(t *testing.T) {
	t.Parallel()
	s := newStand(t, "", "", nil)
	n := s.network("Knowsley Test PCN", "N8300")
	rows := people(24, "N8300")
	for i := range rows {
		rows[i].practice = "N83001"
	}
	n.launch(n.upload(listOf(rows), 201).at("id"), nil)
	s.paced(len(rows))
	const helped = 12
	for i, p := range rows[:helped] {
		phone := s.phone(p).Expect(p.first)
		phone.Fill(answers(p, url.Values{"reasons": {"loneliness"}, "words": {"I would like some company."}, "tell": {"practice"}}))
		ref, _ := phone.Send()
		id := n.referral(ref).at("id")
		n.api("Liz", "POST", "/referrals/"+id+"/claim", nil, 200)
		if i%2 == 0 {
			n.api("Liz", "POST", "/referrals/"+id+"/start_support", object{"channel": "call"}, 200)
			n.api("Liz", "POST", "/referrals/"+id+"/support", object{"onward": object{"place": "Elm House Friday club", "how": "self", "state": "referred"}}, 200)
		} else {
			n.api("Liz", "POST", "/referrals/"+id+"/close", object{"channel": "call"}, 200)
		}
	}
	if page := n.page("Mo", "/desk/reports"); !strings.Contains(page, "Nothing can be reported yet") {
		t.Errorf("on 2 June there is a report: %.300s", page)
	}
	s.clock.set(time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC).Add(selfrefer.MonthSettles + 12*time.Hour))
	s.minute() // the leader counts the campaign's pages to the end of June
	eventually(t, 30*time.Second, "the report of June", func() bool {
		page := n.page("Mo", "/desk/reports")
		return strings.Contains(page, "June 2026") && strings.Contains(page, "Loneliness") && strings.Contains(page, "Places that are not in the directory comes first: 6.")
	})
	for path, starts := range map[string]string{"/reports/report.csv": "", "/reports/report.xlsx": "PK"} {
		r, err := http.NewRequest("GET", s.app.PublicURL+"/api/v1"+path, nil)
		s.must(err)
		r.Header.Set("Authorization", "Bearer "+n.tokens["Mo"])
		resp, err := http.DefaultClient.Do(r)
		s.must(err)
		b, err := io.ReadAll(resp.Body)
		s.must(err)
		s.must(resp.Body.Close())
		if resp.StatusCode != 200 || !strings.HasPrefix(string(b), starts) || starts == "" && !strings.Contains(string(b), "Loneliness,Referrals,,12,exact") {
			t.Errorf("%s: %d, %.300s", path, resp.StatusCode, b)
		}
	}
}
