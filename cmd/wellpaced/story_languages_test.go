package main

import (
	"bytes"
	"encoding/csv"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/form"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// listSpoken is a list that says of some people what they speak.
func listSpoken(tb testing.TB, all []patient, cells []string) []byte {
	tb.Helper()
	rows, err := csv.NewReader(bytes.NewReader(listOf(all))).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	rows[0] = append(rows[0], "Main Spoken Language")
	for i := range all {
		rows[i+1] = append(rows[i+1], cells[i])
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

var referenceAnywhere = regexp.MustCompile(`<br><strong class="wp-nowrap" dir="ltr">([^<]+)<`)

// wantSaid fails unless a page is in a language and says these sentences of its own words.
func (p *phone) wantSaid(page string, c lang.Code, keys ...string) {
	p.Helper()
	if !strings.Contains(page, `<html lang="`+string(c)+`" dir="`+c.Dir()+`">`) {
		p.Errorf("the page for %s is not in %s: %.120s", p.first, c, page)
	}
	for _, k := range keys {
		if want := lang.In(c).Say(k); !strings.Contains(html.UnescapeString(page), want) {
			p.Errorf("the page for %s does not say %s, %q", p.first, k, want)
		}
	}
}

// FillSpoken goes through the form in the language that the link opens in, and sends it.
func (p *phone) FillSpoken(c lang.Code, answers url.Values) (reference, last string) {
	p.Helper()
	base := p.base()
	p.wantSaid(p.page("GET", base, nil, 200), c, "start.heading", "start.now", "help.today")
	p.page("POST", base+"/start", url.Values{}, 200)
	for _, step := range form.Steps {
		p.wantSaid(p.page("GET", base+"/"+step.Path, nil, 200), c)
		f := url.Values{}
		for _, name := range step.Fields {
			if v, ok := answers[name]; ok {
				f[name] = v
			}
		}
		after := p.page("POST", base+"/"+step.Path, f, 200)
		if step.Path == "tell" && strings.Contains(answers.Get("words"), "umrzeć") {
			p.wantSaid(after, c, "urgent.heading", "urgent.nobody", "urgent.send")
		}
	}
	p.wantSaid(p.page("GET", base+"/check", nil, 200), c, "check.heading")
	p.page("POST", base+"/send", url.Values{}, 200)
	last = p.page("GET", base+"/sent", nil, 200)
	p.wantSaid(last, c, "sent.received", "sent.reference")
	m := referenceAnywhere.FindStringSubmatch(last)
	if m == nil {
		p.Fatalf("no reference on the last page: %.600s", last)
	}
	return m[1], last
}

// The list says what people speak: each reads the text, the form and the answer in it, and staff read all of it in English, with the danger
// marked that somebody has written in Polish.
func TestStory_languages(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, database, redis string) {
		s := newStand(t, database, redis, nil)
		n := s.network("Knowsley Test PCN", "N8300")
		rows := people(5, "N8300")
		list := n.upload(listSpoken(t, rows, []string{"Main spoken language Arabic", "Polish", "Main spoken language Tigrinya", "", "Not stated"}), 201)
		translations := object{}
		for _, c := range []lang.Code{lang.Arabic, lang.Polish, lang.Welsh} {
			ready, _ := campaign.Ready(c)
			translations[string(c)] = object{"text": ready.Text}
		}
		id := n.launch(list.at("id"), object{"text": campaign.DefaultText, "translations": translations})
		s.paced(len(rows))
		var phones []*phone
		for _, p := range rows {
			phones = append(phones, s.phone(p).Expect(p.first))
		}
		arab, pole, tigrinya, unsaid, neighbour := phones[0], phones[1], phones[2], phones[3], phones[4]
		for p, want := range map[*phone]string{arab: "لإيقاف الرسائل", pole: "Czy pomogłaby rozmowa", tigrinya: "link worker help", unsaid: "link worker help", neighbour: "link worker help"} {
			if !strings.Contains(p.text.Body, want) {
				t.Errorf("the text to %s lacks %q: %q", p.first, want, strings.Split(p.text.Body, "http")[0])
			}
		}

		quiet, _ := neighbour.FillSpoken(lang.English, answers(neighbour.patient, url.Values{"text_safe": {"no"}}))
		company, last := arab.FillSpoken(lang.Arabic, answers(arab.patient, url.Values{"words": {"أعيش وحدي وأود أن أتعرف على الناس."}, "language": {"Arabic"}, "support": {"interpreter"}}))
		back := arab.ExpectBack()
		if !strings.HasPrefix(back.Body, "شكرًا لك") || !strings.Contains(back.Body, company) || strings.Contains(back.Body, "Thank") {
			t.Errorf("the confirmation to the Arabic patient: %q", back.Body)
		}
		if !strings.Contains(last, company) {
			t.Error("the page and the text have two references")
		}
		cry, last := pole.FillSpoken(lang.Polish, answers(pole.patient, url.Values{"words": {"Mąż mnie bije i nie śpię. Chcę umrzeć."}, "text_safe": {"no"}}))
		pole.wantSaid(last, lang.Polish, "sent.urgent.top")

		open := n.api("Lee", "GET", "/referrals?state=open", nil, 200).list("referrals")
		if len(open) != 3 || open[0].at("reference") != cry || open[0].at("urgent") != "true" || open[0].at("lane") != "verified" {
			t.Fatalf("the cry in Polish is not on top of the queue: %v", open)
		}
		for _, r := range []string{company, quiet} {
			if got := n.referral(r); got.at("urgent") != "false" {
				t.Errorf("%v is urgent", got)
			}
		}
		page := n.page("Lee", "/desk/referrals/"+open[0].at("id"))
		for _, want := range []string{"Polish", `Mąż <mark><span class="nhsuk-u-visually-hidden">Sounds like danger: </span>mnie bije</mark>`, `</span>Chcę umrzeć</mark>`, "Violence or abuse", "Suicide or self-harm"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of the cry does not show %s", want)
			}
		}
		shows := func(page, key, value string) bool {
			row := regexp.MustCompile(`(?s)<dt[^>]*>\s*` + key + `\s*</dt>\s*<dd[^>]*>\s*` + value)
			return row.MatchString(page)
		}
		page = n.page("Lee", "/desk/referrals/"+n.referral(company).at("id"))
		if !shows(page, "Language of the form", "Arabic") || !strings.Contains(page, "أعيش وحدي") {
			t.Error("the page of the Arabic patient does not say in which language the form was")
		}
		if page := n.page("Lee", "/desk/referrals/"+n.referral(quiet).at("id")); shows(page, "Language of the form", "English") {
			t.Error("a form in English is told apart")
		}

		// Somebody of whom the list says nothing chooses at the top of the page; somebody whose language we lack reads English.
		unsaid.page("GET", unsaid.base()+"?lang=pl", nil, 200)
		unsaid.wantSaid(unsaid.page("GET", unsaid.base(), nil, 200), lang.Polish, "start.heading")
		tigrinya.wantSaid(tigrinya.page("GET", tigrinya.base(), nil, 200), lang.English, "start.heading")
		for p, want := range map[*phone]int{arab: 1, pole: 0, neighbour: 0, unsaid: 0} {
			if got := len(p.answered()); got != want {
				t.Errorf("%s has %d texts back, want %d", p.first, got, want)
			}
		}
		if got := n.api("Mo", "GET", "/campaigns/"+id, nil, 200); got.at("answers") != "3" || got.at("texts") != "5" {
			t.Errorf("the campaign counts %v answers to %v texts", got.at("answers"), got.at("texts"))
		}
		nobodyTwice(t, s.accepted())
		if log := s.logged.String(); slices.ContainsFunc([]string{"umrze", "أعيش", arab.number()[3:]}, func(s string) bool { return strings.Contains(log, s) }) {
			t.Error("the log tells what somebody has written")
		}
	})
}
