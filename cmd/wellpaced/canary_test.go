package main

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/store/storetest"
)

// canary is a made-up person whose every detail occurs nowhere else, so that finding one of them is a leak.
var canary = patient{"Xenocrates", "Quillfeather", "09/06/1957", nhsNumber(77_077), "07411787878", "N83001", ""}

const (
	canaryWords = "marmalade lighthouse zebra"
	canaryReply = "tangerine submarine walrus"
	canaryNote  = "porcupine accordion thimble"
	canaryMail  = "velociraptor@umbrella.example"
	canaryWhom  = "gondola harmonica teaspoon"
)

// leaks looks for the canary. What is clear for some reason may be left out by its name.
type leaks struct {
	testing.TB
	needles map[string][]byte
}

func newLeaks(tb testing.TB, token string) *leaks {
	l := &leaks{tb, map[string][]byte{}}
	for name, s := range map[string]string{"first name": canary.first, "last name": canary.last, "the link's token": token, "free text": canaryWords, "reply": canaryReply, "note": canaryNote, "e-mail address": canaryMail, "who may be told": canaryWhom,
		"NHS number": canary.nhs, "NHS number with spaces": canary.nhs[:3] + " " + canary.nhs[3:6] + " " + canary.nhs[6:],
		"phone": canary.mobile[1:], "phone with spaces": canary.mobile[1:5] + " " + canary.mobile[5:]} { // national and E.164 both hold it
		l.needles[name] = bytes.ToLower([]byte(s))
		l.needles[name+" in hex"] = []byte(hex.EncodeToString([]byte(s)))
		l.needles[name+" in a URL"] = bytes.ToLower([]byte(url.QueryEscape(s)))
	}
	return l
}

func (l *leaks) none(where string, b []byte) {
	l.Helper()
	b = bytes.ToLower(b)
	for name, n := range l.needles {
		if i := bytes.Index(b, n); i >= 0 {
			l.Errorf("%s holds the %s: …%s…", where, name, bytes.ToValidUTF8(b[max(0, i-80):min(len(b), i+60)], []byte("?")))
		}
	}
}

func (l *leaks) noneInFolder(where, dir string) (files int) {
	l.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		l.none(where+" (the name "+d.Name()+")", []byte(d.Name()))
		b, err := os.ReadFile(path)
		l.none(where+" ("+d.Name()+")", b)
		files++
		return err
	})
	if err != nil {
		l.Fatal(err)
	}
	return files
}

// A person goes the whole road, and mistakes are made with their data; then nothing that others can read holds any of it.
func TestCanary(t *testing.T) {
	for _, e := range []struct {
		name     string
		postgres bool
	}{{"sqlite and redis", false}, {"postgres and redis", true}} {
		t.Run(e.name, func(t *testing.T) {
			database := ""
			if e.postgres {
				database = storetest.Postgres(t)
			}
			sing(t, database, redisOfOnesOwn(t))
		})
	}
}

func sing(t *testing.T, database, redisURL string) {
	listened := listen(t, redisURL)
	metrics := freeAddress(t)
	s := newStand(t, database, redisURL, func(o *options) { o.Metrics = metrics })
	temporary := filepath.Join(s.dir, "tmp")
	s.must(os.Mkdir(temporary, 0o700))
	t.Setenv("TMPDIR", temporary)
	n := s.network("Knowsley Test PCN", "N8300")
	rows := append(people(8, "N8300"), canary)

	// Lists that are refused hold the person as well.
	seen := map[string]string{}
	note := func(what string, o object) { seen[what] = fmt.Sprint(o) }
	noPhone := strings.ReplaceAll(string(listOf(rows)), "Telephone - mobile", canary.mobile)
	note("the answer to a list without a phone column", n.upload([]byte(noPhone), 422))
	broken := canary
	broken.nhs, broken.mobile = "9999999999", "0151 787 8787"
	list := n.upload(listOf(append(rows, broken)), 201)
	n.launch(list.at("id"), nil)
	s.paced(len(rows))
	p := s.phone(canary).Expect(canary.first)
	token := strings.TrimPrefix(link.URL("", link.In(p.text.Body)[0]), "/r/")

	// Mistakes: a broken link, a forged webhook, a wrong word in the API.
	wrong := p.base() + "Q"
	seen["the page of an unknown link"] = strings.ReplaceAll(p.page("GET", wrong, nil, 404), token+"Q", "")
	seen["the page of an unknown address"] = p.page("GET", p.app.PublicURL+"/nothing/"+canary.last, nil, 404)
	resp, err := http.PostForm(s.app.PublicURL+"/webhooks/twilio/inbound", url.Values{"From": {p.number()}, "Body": {canaryReply}, "MessageSid": {"SM1"}})
	s.must(err)
	_ = resp.Body.Close()
	note("the answer to a wrong draft", n.api("Mo", "POST", "/campaigns", object{"list": list["id"], "name": canary.last, "text": canaryWords}, 422))

	p.Fill(answers(canary, url.Values{"words": {canaryWords}, "phone": {canary.mobile}, "if_another": {canaryWords},
		"channel": {"email"}, "email": {canaryMail}, "tell": {"family"}, "tell_whom": {canaryWhom}}))
	reference, _ := p.Send()
	p.Reply(canaryReply)
	ref := "/referrals/" + n.referral(reference).at("id")
	note("the answer to a claim in another's hand", func() object {
		n.api("Lee", "POST", ref+"/claim", nil, 200)
		return n.api("Liz", "POST", ref+"/claim", nil, 409)
	}())
	note("the answer to an event that does not exist", n.api("Lee", "POST", ref+"/"+canary.last, nil, 404))
	note("the answer to a field that does not exist", n.api("Lee", "POST", ref+"/attempt", object{canary.last: canaryNote}, 422))
	n.api("Lee", "POST", ref+"/attempt", object{"channel": "call", "note": canaryNote}, 200)
	p.Stop()

	// The practice's file tells of them as of everybody who was texted, and nothing that they wrote; in the database it is sealed.
	file := n.api("Mo", "POST", "/practices/"+canary.practice+"/files", nil, 201)
	told := fmt.Sprint(n.api("Mo", "GET", "/practices/"+canary.practice+"/files/"+file.at("id")+"/fhir", nil, 200))
	for _, word := range []string{canaryWords, canaryReply, canaryNote, canaryMail, canaryWhom, token, reference} {
		if strings.Contains(told, word) {
			t.Errorf("the practice's file holds %q", word)
		}
	}
	if !strings.Contains(told, canary.nhs) || !strings.Contains(told, "Wants no more of these texts") {
		t.Error("the practice's file does not tell whom it is about")
	}

	// The database breaks: 500 and 503.
	s.breakTable("referral")
	note("the answer while the database is broken", n.api("Lee", "GET", ref, nil, 500))
	s.breakTable("practice")
	s.breakTable("network")
	seen["readyz while the database is broken"] = p.page("GET", s.app.PublicURL+"/readyz", nil, 503)
	p.page("GET", p.base(), nil, 200) // the link is believed

	resp, err = http.Get("http://" + metrics + "/metrics")
	s.must(err)
	b, err := io.ReadAll(resp.Body)
	s.must(err)
	_ = resp.Body.Close()
	seen["the metrics"] = string(b)

	l := newLeaks(t, token)
	for what, b := range seen {
		l.none(what, []byte(b))
	}
	l.none("the log", []byte(s.logged.String()))
	if !strings.Contains(s.logged.String(), `"route":"/r/{token}`) || strings.Contains(s.logged.String(), p.app.PublicURL+"/r/") {
		t.Error("the access log does not name routes, or names addresses")
	}
	monitored := listened()
	if !strings.Contains(monitored, "asynq:{wellpaced}") {
		t.Error("nothing was heard of Redis")
	}
	l.none("Redis", []byte(monitored))
	if l.noneInFolder("the data folder", s.opt.Data) < 2 {
		t.Error("the data folder is all but empty")
	}
	l.noneInFolder("the folder of keys", s.opt.Keys)
	l.noneInFolder("the temporary folder", temporary)
	if database != "" {
		l.none("the database", []byte(s.dump()))
	}
	// The search itself works: the judge has it all.
	if b, err := os.ReadFile(filepath.Join(s.judge(), "twilio.jsonl")); err != nil || !bytes.Contains(bytes.ToLower(b), l.needles["the link's token"]) || !bytes.Contains(b, l.needles["phone"]) {
		t.Errorf("the canary never sang: %v", err)
	}
}

// listen records every command that reaches Redis. The function that it returns gives all so far.
func listen(t *testing.T, redisURL string) func() string {
	u, err := url.Parse(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "MONITOR\r\n"); err != nil {
		t.Fatal(err)
	}
	var heard lines
	var done sync.WaitGroup
	done.Go(func() { _, _ = io.Copy(&heard, c) })
	t.Cleanup(func() {
		_ = c.Close()
		done.Wait()
	})
	return heard.String
}

func (s *stand) raw() *sql.DB {
	driver, at := "sqlite", "file:"+filepath.Join(s.opt.Data, "wellpaced.db")+"?_pragma=busy_timeout(10000)" // the program writes at the same time
	if s.opt.Database != "" {
		driver, at = "pgx", s.opt.Database
	}
	db, err := sql.Open(driver, at)
	s.must(err)
	return db
}

// breakTable takes a table away, as a failing database does.
func (s *stand) breakTable(name string) {
	s.Helper()
	db := s.raw()
	defer db.Close()
	_, err := db.Exec(`ALTER TABLE ` + name + ` RENAME TO ` + name + `_gone`)
	s.must(err)
}

// dump is all rows of all tables of Postgres.
func (s *stand) dump() string {
	s.Helper()
	db := s.raw()
	defer db.Close()
	var names []string
	scan := func(query string, each func(string)) {
		rows, err := db.Query(query)
		s.must(err)
		defer rows.Close()
		for rows.Next() {
			var v string
			s.must(rows.Scan(&v))
			each(v)
		}
		s.must(rows.Err())
	}
	scan(`SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`, func(v string) { names = append(names, v) })
	var b strings.Builder
	for _, name := range names {
		scan(`SELECT row_to_json(t)::text FROM "`+name+`" t`, func(v string) { b.WriteString(v + "\n") })
	}
	if b.Len() < 1000 {
		s.Error("the database is all but empty")
	}
	return b.String()
}
