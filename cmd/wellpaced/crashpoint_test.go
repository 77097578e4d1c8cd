package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/campaign/twilio"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/store/storetest"
	"github.com/wellpaced/wellpaced/throttle"
)

// A crash point is a place between two steps at which the program can be ended: by kill -9, by a database that refuses, by standing still or
// by a clock that is put. TestCrashPoints ends it at each of them, on purpose and by name, on both engines.
type crashPoint struct {
	name   string
	row    string // of the list of failures, crashRows
	where  string
	people int
	faults emulator.Faults // of the provider in the first life

	found string // the messages right after the crash, as the dead program left them
	texts int    // that the provider had accepted by then

	reached  string // the messages in the end
	proof    string // what in the end proves that the texts left, or nothing
	attempts int    // of the message that was tried most often
	backs    int    // texts back to people who sent the form: that many in the end, never two to one number
	// corrections that everybody has had in the end
	corrections int

	crash func(*trial) // how the first life ends; nil: by itself, at the point
	mend  func(*trial) // before the second life
	after func(*trial) // when all has come to rest
}

// crashRows are the failures that have to be survived: the rows of the table of crash points of the reliability research (its section 3.3),
// and what may happen to a submission (3.5). Each needs a crash point, or tests elsewhere.
var crashRows = []struct {
	row       string
	elsewhere []string // folder.Test
}{
	{"before release commit", nil},
	{"after release, before enqueue; Redis lost; task lost", nil},
	{"after enqueue, duplicate delivery", nil},
	{"after intent commit, before bytes written", nil},
	{"after the provider accepted, before reply or commit", nil},
	{"reply received, commit fails (disk full, database down)", []string{"store.TestRecord_databaseLost"}},
	{"callback before our commit", nil},
	{"callback lost", nil},
	{"process paused longer than its lease, then resumes", []string{"campaign/twilio.TestGateway_Send_keepsBackAStaleClaim"}},
	{"clock step, daylight saving", []string{"throttle.TestDueBy/over the clock change in spring", "throttle.TestDueBy/over the clock change in autumn", "throttle.TestCapacity/the clock change"}},
	{"disk full", []string{"store.TestWrite_fullDisk"}},
	{"failover to an older replica, restored backup", []string{"store.TestRestoredBackupTextsNobodyTwice"}},
	{"submission: before its commit", nil},
	{"submission: after its commit, before the reply", nil},
	{"text back: after the form's commit, before its ring", nil},
	{"text back: after the provider accepted, before the commit", []string{"store.TestConfirmation_crashPoints"}},
	{"correction: after intent commit, before bytes written", []string{"store.TestCorrection_unknown"}},
	{"correction: after the provider accepted, before reply or commit", []string{"store.TestCorrection_unknown"}},
}

const (
	// The provider of a trial is never late, so its texts may be looked for soon.
	trialSettle = time.Second
	// Each life of the program begins so much later on its machine's clock: deadlines, leases and lost rings need not be waited for.
	nextLife = 45 * time.Second
	// A test machine may be busy with other things.
	patience = time.Minute
)

var crashPoints = []crashPoint{
	{name: "before_release_commit", row: "before release commit", where: "the pacer has decided, nothing is written",
		people: 3, found: "planned 3", reached: "left 3", proof: "reply 3", attempts: 1},
	{name: "after_release_before_ring", row: "after release, before enqueue; Redis lost; task lost", where: "the release is committed, the queue not rung",
		people: 3, found: "released 3", reached: "left 3", proof: "reply 3", attempts: 1},
	{name: "after_ring", row: "after release, before enqueue; Redis lost; task lost", where: "the queue is rung, then it is lost too",
		people: 3, found: "released 3", reached: "left 3", proof: "reply 3", attempts: 1, mend: (*trial).loseQueue},
	{name: "ring_twice", row: "after enqueue, duplicate delivery", where: "every ring is delivered twice; all are answered",
		people: 3, found: "accepted 3", texts: 3, reached: "left 3", proof: "reply 3", attempts: 1},
	{name: "intent_refused", row: "disk full", where: "the database refuses the claim",
		people: 3, found: "released 3", reached: "left 3", proof: "reply 3", attempts: 1,
		crash: func(t *trial) { t.away("contact"); t.start(); t.waitDead() }, mend: func(t *trial) { t.back("contact") }},
	{name: "after_intent_before_bytes", row: "after intent commit, before bytes written", where: "the claim is committed, the gateway not called",
		people: 3, found: "sending 3", reached: "left 3", proof: "reply 3", attempts: 2},
	{name: "after_accept_before_reply", row: "after the provider accepted, before reply or commit", where: "the provider has accepted, its reply is not written",
		people: 3, found: "sending 3", texts: 3, reached: "left 3", proof: "listing 3", attempts: 1, crash: (*trial).killOnAccept},
	{name: "after_reply_before_record", row: "after the provider accepted, before reply or commit", where: "the reply is read, nothing is written",
		people: 3, found: "sending 3", texts: 3, reached: "left 3", proof: "listing 3", attempts: 1},
	{name: "record_refused", row: "reply received, commit fails (disk full, database down)", where: "the database refuses the reply; the provider can list nothing, now or later",
		people: 3, faults: emulator.Faults{List500: 1}, found: "sending 3", texts: 3, reached: "left 3", proof: "reply 3", attempts: 1,
		crash: (*trial).refuseReplies, mend: func(t *trial) { t.back("evidence") }},
	{name: "callback_before_record", row: "callback before our commit", where: "a callback came before the reply, and the reply is not written",
		people: 3, faults: emulator.Faults{CallbackEarly: 1}, found: "sent 3", texts: 3, reached: "left 3", proof: "callback 3", attempts: 1},
	{name: "callback_unconfirmed", row: "callback before our commit", where: "a callback is committed, the provider does not learn it and repeats it",
		people: 1, faults: emulator.Faults{CallbackEarly: 1}, found: "sent 1", texts: 1, reached: "left 1", proof: "callback 1", attempts: 1, crash: (*trial).killOnCallback},
	{name: "callback_lost", row: "callback lost", where: "the reply is written, no callback ever comes",
		people: 3, faults: emulator.Faults{CallbackDrop: 1}, found: "accepted 3", texts: 3, reached: "left 3", proof: "reply 3", attempts: 1},
	{name: "frozen_past_lease", row: "process paused longer than its lease, then resumes", where: "it stands still between the claim and the first byte",
		people: 1, found: "sending 1", reached: "left 1", proof: "reply 1", attempts: 2, crash: (*trial).freezeAfterClaim},
	{name: "paused_after_bytes", row: "process paused longer than its lease, then resumes", where: "it stands still after the last byte, while the provider answers",
		people: 1, found: "sending 1", texts: 1, reached: "left 1", attempts: 1, crash: (*trial).freezeAfterBytes},
	{name: "machine_clock_forward", row: "clock step, daylight saving", where: "between the claim and the first byte the machine's clock is put an hour forward",
		people: 1, found: "planned 1", reached: "left 1", proof: "reply 1", attempts: 2},
	{name: "machine_clock_back", row: "clock step, daylight saving", where: "between the claim and the first byte the machine's clock is put an hour back",
		people: 1, found: "planned 1", reached: "left 1", proof: "reply 1", attempts: 2},
	{name: "civil_clock_steps", row: "clock step, daylight saving", where: "civil time goes back two days with each claim and forward four with each reply",
		people: 3, found: "accepted 3", texts: 3, reached: "left 3", proof: "reply 3", attempts: 1},
	{name: "form_before_commit", row: "submission: before its commit", where: "a form has come, nothing is written",
		people: 1, found: "accepted 1, referrals 0", texts: 1, reached: "left 1", proof: "link_seen 1, reply 1", attempts: 1, crash: (*trial).sendForm, after: (*trial).sendFormAgain},
	{name: "form_before_reply", row: "submission: after its commit, before the reply", where: "a form is kept, its sender not told",
		people: 1, found: "accepted 1, referrals 1", texts: 1, reached: "left 1", proof: "link_seen 1, reply 1", attempts: 1, crash: (*trial).sendForm, after: (*trial).sendFormAgain},
	{name: "form_in_the_journal_alone", row: "submission: after its commit, before the reply", where: "the database refuses a form, the journal has it, its sender is not told",
		people: 1, found: "accepted 1, referrals 0", texts: 1, reached: "left 1", proof: "link_seen 1, reply 1", attempts: 1,
		crash: func(t *trial) { t.away("audit"); t.sendForm() }, mend: func(t *trial) { t.back("audit") }, after: (*trial).sendFormAgain},
	{name: "text_back_before_ring", row: "text back: after the form's commit, before its ring", where: "a form is kept and a text back owed, the queue not rung, the sender not told",
		people: 1, found: "accepted 1, referrals 1", texts: 1, reached: "left 1", proof: "link_seen 1, reply 2", attempts: 1, backs: 1, crash: (*trial).sendForm, after: (*trial).sendFormAgain},
	{name: "text_back_before_record", row: "text back: after the provider accepted, before the commit", where: "the provider has the text back, its reply is not written",
		people: 1, found: "accepted 1, referrals 1", texts: 1, reached: "left 1", proof: "link_seen 1, reply 1", attempts: 1, backs: 1, crash: (*trial).sendFormToDie, after: (*trial).sendFormAgain},
	{name: "correction_before_bytes", row: "correction: after intent commit, before bytes written", where: "the claim of a correction is committed, the gateway not called",
		people: 2, found: "accepted 2", texts: 2, reached: "left 2", proof: "reply 4", attempts: 1, corrections: 2, crash: (*trial).correct},
	{name: "correction_before_record", row: "correction: after the provider accepted, before reply or commit", where: "the provider has the corrections, nothing is written",
		people: 2, found: "accepted 2", texts: 2, reached: "left 2", proof: "listing 2, reply 2", attempts: 1, corrections: 2, crash: (*trial).correct},
	{name: "optout_before_reply", row: "submission: after its commit, before the reply", where: "an opt-out is kept, its sender not told",
		people: 1, found: "accepted 1, suppressions 1", texts: 1, reached: "left 1", proof: "link_seen 1, reply 1", attempts: 1, crash: (*trial).sendStop, after: (*trial).sendStopAgain},
}

// Every failure has a crash point or a test, and every crash point belongs to one.
func TestCrashPoints_coverEveryRow(t *testing.T) {
	tests := testsOfTheTree(t)
	for _, r := range crashRows {
		named := len(r.elsewhere)
		for _, p := range crashPoints {
			if p.row == r.row {
				named++
			}
		}
		if named == 0 {
			t.Errorf("nothing tests %q", r.row)
		}
		for _, name := range r.elsewhere {
			if !tests[name] {
				t.Errorf("%q names %s, and there is no such test", r.row, name)
			}
		}
	}
	for _, p := range crashPoints {
		if !slices.ContainsFunc(crashRows, func(r struct {
			row       string
			elsewhere []string
		}) bool {
			return r.row == p.row
		}) {
			t.Errorf("%s belongs to %q, which is no row", p.name, p.row)
		}
	}
}

// At every crash point: what the program left is what is written down above, and what comes of it in the end is one text for everybody, by
// the provider's own journal.
func TestCrashPoints(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	t.Parallel()
	for _, e := range []struct {
		name   string
		server bool
	}{{"sqlite", false}, {"postgres and redis", true}} {
		for _, p := range crashPoints {
			t.Run(p.name+"/"+e.name, func(t *testing.T) {
				t.Parallel()
				database, redis := "", ""
				if e.server {
					database, redis = storetest.Postgres(t), redisOfOnesOwn(t)
				}
				tr := newTrial(t, p, database, redis)
				if p.crash != nil {
					p.crash(tr)
				} else {
					tr.start()
					tr.waitDead()
				}
				if got := tr.left(strings.Count(p.found, "referrals") > 0, strings.Count(p.found, "suppressions") > 0); got != p.found && tr.seen == "" {
					t.Errorf("the crash left %s, want %s", got, p.found)
				}
				if got := len(tr.accepted()); got != p.texts && tr.seen == "" {
					t.Errorf("%d texts had left at the crash, want %d", got, p.texts)
				}
				if p.mend != nil {
					p.mend(tr)
				}
				tr.rest()
				if p.after != nil {
					p.after(tr)
				}
				tr.judge()
			})
		}
	}
}

// trial is one crash point, played. The judge (the provider) lives in this process, the program in others.
type trial struct {
	*testing.T
	point    crashPoint
	dir      string
	first    victimConfig
	emulator *emulator.Emulator
	lives    atomic.Int64
	now      atomic.Pointer[life] // what is served at first.Listen
	seen     string               // the state at the crash, if the crash's own function has compared it
	form     string

	onCreate atomic.Pointer[func()]                                                         // before the provider looks at a request
	instead  atomic.Pointer[func(w http.ResponseWriter, r *http.Request, api http.Handler)] // of answering a request
}

// life is one process of the program.
type life struct {
	cmd  *exec.Cmd
	died chan struct{}
}

// end asks it to stop, or stops it, and waits.
func (l *life) end(how syscall.Signal) {
	_ = l.cmd.Process.Signal(how)
	select {
	case <-l.died:
	case <-time.After(time.Minute):
		_ = l.cmd.Process.Kill()
		<-l.died
	}
}

// victimConfig is what the program is told, as JSON in its environment.
type victimConfig struct {
	At       string
	People   int
	Ahead    time.Duration // of its machine's clock
	Data     string
	Keys     string
	Database string
	Redis    string
	Listen   string
	Provider string
}

// crashAt makes a copy of the test process be the program with a crash point in it.
const crashAt = "WELLPACED_TEST_CRASH_AT"

func newTrial(t *testing.T, p crashPoint, database, redis string) *trial {
	tr := &trial{T: t, point: p, dir: t.TempDir(), form: "form-" + formSuffix(7)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	tr.must(err)
	client := &http.Client{Timeout: 5 * time.Second}
	if p.name == "callback_unconfirmed" {
		client.Transport = unheard{tr}
	}
	tr.emulator, err = emulator.Open(emulator.Config{Dir: filepath.Join(tr.dir, "judge"), AccountSID: testAccount, AuthToken: testToken, Now: time.Now, Seed: 1,
		Delivery: emulator.Delivery{Delivered: 1}, Faults: p.faults, CallbackClient: client})
	tr.must(err)
	api := tr.emulator.Handler()
	// Nothing but what the point asks for moves a text on: the emulator's own clock is not run.
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		create := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/Messages.json")
		if f := tr.onCreate.Load(); create && f != nil {
			(*f)()
		}
		if f := tr.instead.Load(); create && f != nil {
			(*f)(w, r, api)
			return
		}
		api.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(listener) }()
	tr.first = victimConfig{At: p.name, People: p.people, Data: filepath.Join(tr.dir, "data"), Keys: filepath.Join(tr.dir, "keys"), Database: database, Redis: redis,
		Listen: freeAddress(t), Provider: "http://" + listener.Addr().String()}
	t.Cleanup(func() {
		if l := tr.now.Load(); l != nil {
			l.end(syscall.SIGKILL)
		}
		_ = server.Close()
		_ = tr.emulator.Close()
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(tr.dir, "log"))
			said := loud(string(b))
			t.Logf("the end of the log:\n%s", said[max(0, len(said)-4000):])
		}
	})
	tr.campaign()
	return tr
}

func (tr *trial) must(err error) {
	tr.Helper()
	if err != nil {
		tr.Fatal(err)
	}
}

// campaign launches one that sends day and night, as fast as the sender may.
func (tr *trial) campaign() {
	tr.Helper()
	ctx := context.Background()
	db, err := store.Open(ctx, store.Config{Database: tr.first.Database, DataDir: tr.first.Data, Keys: tr.first.Keys, Now: time.Now, Machine: time.Now, Logger: slog.New(slog.DiscardHandler)})
	tr.must(err)
	defer db.Close()
	n, err := db.CreateNetwork(ctx, staff.Network{Name: "Crash PCN", Sender: testSender, LinkHost: "http://" + tr.first.Listen, Phone: "0151 496 0000", Practices: []staff.Practice{{ODS: "N83001", Name: "Surgery"}}})
	tr.must(err)
	team, err := db.CreateTeam(ctx, staff.Team{Network: n.ID, Name: "Link workers", PromiseDays: 2})
	tr.must(err)
	mo, err := db.CreateAccount(ctx, staff.Account{Network: n.ID, Email: "mo@crash.example", Name: "Mo", Role: staff.Administrator}, "x")
	tr.must(err)
	sam, err := db.CreateAccount(ctx, staff.Account{Network: n.ID, Email: "sam@crash.example", Name: "Sam", Role: staff.Administrator}, "x")
	tr.must(err)
	im, err := db.BeginImport(ctx, mo, "list", true, false)
	tr.must(err)
	for i, p := range people(tr.point.people, "N8300") {
		nhs, err := person.ParseNHSNumber(p.nhs)
		tr.must(err)
		mobile, err := person.ParseMobile(p.mobile)
		tr.must(err)
		born, err := person.ParseISO("1950-06-15")
		tr.must(err)
		tr.must(im.Candidate(ctx, campaign.Candidate{Row: i + 1, NHSNumber: nhs, Name: person.NewName(p.first, p.last), BirthDate: born, Phone: mobile, Practice: "N83001"}))
	}
	list, err := im.Finish(ctx)
	tr.must(err)
	var always throttle.Week
	for d := range always {
		always[d] = throttle.Hours{From: 0, To: 24 * 60}
	}
	c, err := db.CreateCampaign(ctx, mo, campaign.Campaign{Audience: list.ID, Team: team.ID, Name: "Crash", Seed: 7,
		Steps: []campaign.Step{{Number: 1, Template: "((first_name)) ((link)) Stop: ((stop_link))"}}, Policy: campaign.Policy{Price: 240, Rate: 100, Windows: always, Blast: true}})
	tr.must(err)
	_, err = db.MoveCampaign(ctx, mo, c.ID, campaign.Submit)
	tr.must(err)
	tr.must(db.ApprovePractice(ctx, sam, c.ID, "N83001"))
	_, err = db.ApproveCampaign(ctx, sam, c.ID, campaign.Approval{People: list.Ledger.Invited})
	tr.must(err)
	_, err = db.MoveCampaign(ctx, mo, c.ID, campaign.Launch)
	tr.must(err)
}

// start begins the first life, the one with the crash point in it.
func (tr *trial) start() {
	tr.Helper()
	tr.now.Store(tr.spawn(tr.first))
}

func (tr *trial) spawn(c victimConfig) *life {
	tr.Helper()
	log, err := os.OpenFile(filepath.Join(tr.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	tr.must(err)
	defer log.Close()
	told, err := json.Marshal(c)
	tr.must(err)
	l := &life{cmd: exec.Command(os.Args[0]), died: make(chan struct{})}
	l.cmd.Env = append(os.Environ(), crashAt+"="+string(told))
	l.cmd.Stderr = log
	tr.must(l.cmd.Start())
	go func() { _ = l.cmd.Wait(); close(l.died) }()
	return l
}

func (tr *trial) waitDead() {
	tr.Helper()
	select {
	case <-tr.now.Load().died:
	case <-time.After(patience):
		tr.Fatalf("the program did not come to %s: %s", tr.point.name, tr.left(false, false))
	}
}

// liveOn starts the program again, and if need be once more, until done. It is asked to stop, not killed: this is about how the first life
// ended.
func (tr *trial) liveOn(c victimConfig, done func() bool) (last *life) {
	tr.Helper()
	var l *life
	var before string
	var since time.Time
	c.At = ""
	defer func() {
		if tr.Failed() && l != nil {
			l.end(syscall.SIGKILL)
		}
	}()
	eventually(tr, 3*patience, "everything has come to rest", func() bool {
		if l == nil {
			c.Ahead = time.Duration(tr.lives.Add(1)) * nextLife
			if strings.HasPrefix(tr.point.name, "machine_clock_") {
				c.Ahead += 2 * time.Hour // leases and deadlines of the clock that was put
			}
			l, before = tr.spawn(c), ""
		}
		time.Sleep(30 * time.Millisecond)
		if done() {
			return true
		}
		if now := tr.left(false, false); now != before || !up(c.Listen) {
			before, since = now, time.Now()
		}
		if time.Since(since) > patience/2 { // another life, later on the machine's clock
			l.end(syscall.SIGTERM)
			l = nil
		}
		return false
	})
	return l
}

// up reports whether somebody serves there.
func up(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

func (tr *trial) raw() *sql.DB {
	tr.Helper()
	driver, at := "sqlite", "file:"+filepath.Join(tr.first.Data, "wellpaced.db")+"?_pragma=busy_timeout(5000)"
	if tr.first.Database != "" {
		driver, at = "pgx", tr.first.Database
	}
	db, err := sql.Open(driver, at)
	tr.must(err)
	return db
}

// counts asks the database itself, as a query of names and numbers: "released 2, sending 1".
func (tr *trial) counts(query string) string {
	tr.Helper()
	db := tr.raw()
	defer db.Close()
	rows, err := db.Query(query)
	tr.must(err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var name string
		var n int
		tr.must(rows.Scan(&name, &n))
		all = append(all, fmt.Sprint(name, " ", n))
	}
	tr.must(rows.Err())
	return strings.Join(all, ", ")
}

// left is what the program has left in the database.
func (tr *trial) left(referrals, suppressions bool) string {
	tr.Helper()
	q := `SELECT state, COUNT(*), 1 AS o FROM message GROUP BY state`
	if referrals {
		q += ` UNION ALL SELECT 'referrals', COUNT(*), 2 FROM referral`
	}
	if suppressions {
		q += ` UNION ALL SELECT 'suppressions', COUNT(*), 2 FROM suppression`
	}
	return tr.counts(`SELECT state, n FROM (SELECT state, n, o FROM (` + strings.Replace(q, "COUNT(*), 1 AS o", "COUNT(*) AS n, 1 AS o", 1) + `) AS a) AS b ORDER BY o, state`)
}

// away takes a table from the program, as a full disk or a database that is gone does; back gives it back.
func (tr *trial) away(table string) { tr.rename(table, table+"_away") }
func (tr *trial) back(table string) { tr.rename(table+"_away", table) }

func (tr *trial) rename(from, to string) {
	tr.Helper()
	db := tr.raw()
	defer db.Close()
	if _, err := db.Exec(`ALTER TABLE ` + from + ` RENAME TO ` + to); err != nil {
		tr.Error(err)
	}
}

// accepted are the texts of the campaign that the provider has.
func (tr *trial) accepted() []emulator.Text { tr.Helper(); return tr.ofKind(anInvitation) }

func (tr *trial) ofKind(kind string) []emulator.Text {
	tr.Helper()
	j, err := emulator.ReadJournal(filepath.Join(tr.dir, "judge"))
	tr.must(err)
	return slices.DeleteFunc(j.Texts, func(t emulator.Text) bool { return kindOf(t) != kind })
}

// rest lives on until every message has come to where it stays.
func (tr *trial) rest() {
	tr.Helper()
	tr.onCreate.Store(nil)
	tr.instead.Store(nil)
	if tr.point.name != "record_refused" {
		tr.emulator.SetFaults(emulator.Faults{})
	}
	tr.now.Store(tr.liveOn(tr.first, func() bool {
		return tr.counts(`SELECT 'moving', COUNT(*) FROM message WHERE state IN ('planned', 'released', 'sending', 'unknown')`) == "moving 0" &&
			tr.counts(`SELECT 'moving', COUNT(*) FROM service_text WHERE state IN ('planned', 'released', 'sending') OR state = 'unknown' AND correction > 0`) == "moving 0"
	}))
}

// judge compares the end with what was promised, by the provider's journal first.
func (tr *trial) judge() {
	tr.Helper()
	texts := tr.accepted()
	if n := emulator.Twice(texts, nil); n != 0 {
		tr.Errorf("%d people were texted twice", n)
	}
	if len(texts) != tr.point.people {
		tr.Errorf("%d texts for %d people", len(texts), tr.point.people)
	}
	if backs := tr.ofKind(aTextBack); len(backs) != tr.point.backs || emulator.Twice(backs, nil) != 0 {
		tr.Errorf("%d texts back, want %d; %d people got two", len(backs), tr.point.backs, emulator.Twice(backs, nil))
	}
	if said := tr.ofKind(aCorrection); len(said) != tr.point.corrections || emulator.Twice(said, nil) != 0 {
		tr.Errorf("%d corrections, want %d; %d people got two", len(said), tr.point.corrections, emulator.Twice(said, nil))
	}
	reached := tr.counts(`SELECT s, COUNT(*) FROM (SELECT CASE WHEN state IN ('accepted', 'sent', 'delivered') THEN 'left' ELSE state END AS s FROM message) AS m GROUP BY s ORDER BY s`)
	if reached != tr.point.reached {
		tr.Errorf("in the end %s, want %s", reached, tr.point.reached)
	}
	proof := tr.counts(`SELECT kind, COUNT(DISTINCT message) FROM evidence GROUP BY kind ORDER BY kind`)
	if tr.point.proof != "" && proof != tr.point.proof {
		tr.Errorf("proved by %s, want %s", proof, tr.point.proof)
	}
	db := tr.raw()
	defer db.Close()
	var attempts, alarms int
	tr.must(db.QueryRow(`SELECT MAX(attempt) FROM message`).Scan(&attempts))
	tr.must(db.QueryRow(`SELECT COUNT(*) FROM alarm`).Scan(&alarms))
	if attempts != tr.point.attempts || alarms != 0 {
		tr.Errorf("%d attempts, want %d; %d alarms", attempts, tr.point.attempts, alarms)
	}
	tr.Logf("%s: left %s; reached %s after %d lives, by %s", tr.point.where, tr.point.found, reached, tr.lives.Load()+1, proof)
}

// ---- How the first life ends, where the program does not end itself

func (tr *trial) loseQueue() {
	if tr.first.Redis != "" {
		flush(tr.T, tr.first.Redis)
	}
}

// killOnAccept lets the provider accept everybody's text, and kills before it answers.
func (tr *trial) killOnAccept() {
	var accepted atomic.Int64
	hook := func(_ http.ResponseWriter, r *http.Request, api http.Handler) {
		api.ServeHTTP(httptest.NewRecorder(), r)
		l := tr.now.Load()
		if accepted.Add(1) == int64(tr.point.people) {
			_ = l.cmd.Process.Kill()
		}
		<-l.died
	}
	tr.instead.Store(&hook)
	tr.start()
	tr.waitDead()
}

// refuseReplies takes the table of evidence away as soon as a text is on its way.
func (tr *trial) refuseReplies() {
	once := sync.OnceFunc(func() { tr.away("evidence") })
	tr.onCreate.Store(&once)
	tr.start()
	tr.waitDead()
}

// killOnCallback kills once a callback is answered, and the provider does not hear the answer.
func (tr *trial) killOnCallback() {
	tr.start()
	tr.waitDead()
}

// unheard is the provider's way to the program: the first answer is lost with the program.
type unheard struct{ tr *trial }

func (u unheard) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && u.tr.lives.Load() == 0 {
		_ = res.Body.Close()
		if res.StatusCode != http.StatusNoContent {
			u.tr.Errorf("a callback was answered %d", res.StatusCode)
		}
		u.tr.now.Load().end(syscall.SIGKILL)
		return nil, errors.New("the connection is cut")
	}
	return res, err
}

// frozen waits until a process stands still, and compares what it has left.
func (tr *trial) frozen(pid int) {
	tr.Helper()
	eventually(tr, patience, "the process stands still", func() bool {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err == nil && strings.Contains(string(b), ") T ")
	})
	tr.seen = tr.left(false, false)
	if tr.seen != tr.point.found || len(tr.accepted()) != tr.point.texts {
		tr.Errorf("while it stands still: %s and %d texts, want %s and %d", tr.seen, len(tr.accepted()), tr.point.found, tr.point.texts)
	}
}

// elsewhere is what another process does meanwhile, on a machine whose clock is past every deadline of the first. It works until the
// message is where it wants it.
func (tr *trial) elsewhere(until string) {
	tr.Helper()
	c := tr.first
	c.Listen, c.Data = freeAddress(tr), filepath.Join(tr.dir, "elsewhere")
	tr.liveOn(c, func() bool { return tr.left(false, false) == until }).end(syscall.SIGTERM)
}

// told waits until a process that goes on says what became of its text.
func (tr *trial) told(want string) {
	tr.Helper()
	eventually(tr, patience, "the process that stood still says "+want, func() bool {
		b, _ := os.ReadFile(filepath.Join(tr.dir, "log"))
		return strings.Contains(string(b), want)
	})
}

// freezeAfterClaim: the process stops itself after its claim, for longer than the first byte may wait. Where several processes can work,
// another one gives the text up, looks for it, and sends it. When the first goes on, it must not write.
func (tr *trial) freezeAfterClaim() {
	tr.start()
	pid := tr.now.Load().cmd.Process.Pid
	tr.frozen(pid)
	still := time.Now()
	if tr.first.Database != "" {
		tr.elsewhere("accepted 1")
	}
	time.Sleep(campaign.FirstByte + time.Second - time.Since(still)) // the clock of the one elsewhere is ahead; its own must be past it too
	before := len(tr.accepted())
	tr.must(syscall.Kill(pid, syscall.SIGCONT))
	tr.told("point: recorded postpone stale")
	if got := len(tr.accepted()); got != before {
		tr.Errorf("it wrote %d texts after it had stood still", got-before)
	}
	tr.now.Load().end(syscall.SIGKILL)
}

// freezeAfterBytes: the provider accepts and answers while the process stands still. Another process finds the text in the provider's list;
// the reply that the first reads later is of the same text.
func (tr *trial) freezeAfterBytes() {
	hook := func(w http.ResponseWriter, r *http.Request, api http.Handler) {
		_ = syscall.Kill(tr.now.Load().cmd.Process.Pid, syscall.SIGSTOP)
		api.ServeHTTP(w, r)
	}
	tr.instead.Store(&hook)
	tr.start()
	pid := tr.now.Load().cmd.Process.Pid
	eventually(tr, patience, "the provider has the text", func() bool { return len(tr.accepted()) == 1 })
	tr.frozen(pid)
	if tr.first.Database != "" {
		tr.elsewhere("accepted 1")
	}
	tr.must(syscall.Kill(pid, syscall.SIGCONT))
	tr.told("point: recorded ") // accept, or a time-out if it stood still for longer than that
	tr.now.Load().end(syscall.SIGKILL)
}

// correct has a second person approve a correction to all who were texted, beside the program, which ends with it.
func (tr *trial) correct() {
	ctx := context.Background()
	tr.start()
	eventually(tr, patience, "everybody is texted", func() bool { return tr.left(false, false) == tr.point.found })
	db, err := store.Open(ctx, store.Config{Database: tr.first.Database, DataDir: tr.first.Data, Keys: tr.first.Keys, Now: time.Now, Machine: time.Now, Logger: slog.New(slog.DiscardHandler)})
	tr.must(err)
	defer db.Close()
	mo, _, err := db.AccountByEmail(ctx, "mo@crash.example")
	tr.must(err)
	sam, _, err := db.AccountByEmail(ctx, "sam@crash.example")
	tr.must(err)
	all, err := db.Campaigns(ctx, mo.Network, 1)
	tr.must(err)
	k, err := db.WriteCorrection(ctx, mo, all[0].ID, campaign.Wording{Text: wrongText + " ((stop_link))"})
	tr.must(err)
	_, err = db.ApproveCorrection(ctx, sam, all[0].ID, k.ID, campaign.CorrectionApproval{Approval: campaign.Approval{People: tr.point.people}})
	tr.must(err)
	tr.waitDead()
}

// wrongText is what a correction begins with.
const wrongText = "Our last text was wrong."

// ---- Submissions

func (tr *trial) texted() emulator.Text {
	tr.Helper()
	eventually(tr, patience, "the text has come", func() bool { return len(tr.accepted()) == 1 && tr.left(false, false) == "accepted 1" })
	return tr.accepted()[0]
}

func (tr *trial) post(address string, form url.Values) (status int, page string, cookies []*http.Cookie, err error) {
	browser := &http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.PostForm(address, form)
	if err != nil {
		return 0, "", nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), res.Cookies(), err
}

func (tr *trial) postForm() (reference string, err error) {
	token := link.In(tr.accepted()[0].Body)[0]
	answers := url.Values{"form": {tr.form}, "reasons": {"loneliness"}, "words": {"hello"}, "call_safe": {"yes"},
		"birth_date-day": {"15"}, "birth_date-month": {"6"}, "birth_date-year": {"1950"}, "agreed": {"yes"}}
	if tr.point.backs > 0 {
		answers.Set("text_safe", "yes")
	}
	status, _, cookies, err := tr.post(link.URL("http://"+tr.first.Listen, token)+"/send", answers)
	if err != nil {
		return "", err
	}
	for _, c := range cookies {
		if part := strings.Split(c.Value, "."); status == http.StatusSeeOther && c.Name == "sent" && len(part) == 5 {
			return part[1], nil
		}
	}
	return "", fmt.Errorf("a form was answered %d", status)
}

// sendForm sends a form that is never answered.
func (tr *trial) sendForm() {
	tr.start()
	tr.texted()
	if reference, err := tr.postForm(); err == nil {
		tr.Errorf("the form was answered: %s", reference)
	}
	tr.waitDead()
}

// sendFormToDie sends a form whose text back ends the program; the form itself may be answered before.
func (tr *trial) sendFormToDie() {
	tr.start()
	tr.texted()
	_, _ = tr.postForm()
	tr.waitDead()
}

// sendFormAgain is what somebody does who was not answered: the same form again, and a double tap.
func (tr *trial) sendFormAgain() {
	stored := func() (reference string) {
		db := tr.raw()
		defer db.Close()
		_ = db.QueryRow(`SELECT reference FROM referral`).Scan(&reference) // none yet: ""
		return reference
	}
	before := stored()
	if tr.point.name != "form_before_commit" && before == "" {
		eventually(tr, patience, "the journal is taken in", func() bool { before = stored(); return before != "" })
	}
	for range 2 {
		reference := ""
		eventually(tr, patience, "the form is acknowledged", func() bool {
			var err error
			reference, err = tr.postForm()
			return err == nil
		})
		if before != "" && reference != before {
			tr.Error("the same form got another reference")
		}
		before = reference
	}
	if got := tr.counts(`SELECT 'referrals', COUNT(*) FROM referral`); got != "referrals 1" {
		tr.Errorf("of one form: %s", got)
	}
}

func (tr *trial) postStop() (page string, err error) {
	token := link.In(tr.accepted()[0].Body)[0]
	_, page, _, err = tr.post(strings.Replace(link.URL("http://"+tr.first.Listen, token), "/r/", "/stop/", 1), url.Values{"why": {"opted_out"}})
	return page, err
}

func (tr *trial) sendStop() {
	tr.start()
	tr.texted()
	if _, err := tr.postStop(); err == nil {
		tr.Error("the opt-out was answered")
	}
	tr.waitDead()
}

func (tr *trial) sendStopAgain() {
	eventually(tr, patience, "the opt-out is acknowledged", func() bool {
		page, err := tr.postStop()
		return err == nil && strings.Contains(page, "It is done")
	})
	if got := tr.counts(`SELECT why, COUNT(*) FROM suppression GROUP BY why`); got != "opted_out 1" {
		tr.Errorf("after two opt-outs of one number: %s", got)
	}
}

// ---- The program with a crash point in it

// standing is a process that will end, stop, or see its clock put at one point.
type standing struct {
	victimConfig
	machine, civil atomic.Int64 // how far the clocks are ahead, nanoseconds
	arrived        atomic.Int64
	records, late  atomic.Int64
}

// crashVictim is main, with a point between the parts.
func crashVictim() {
	s := &standing{}
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "point: cannot run:", err)
			os.Exit(exitFailed)
		}
	}
	fail(json.Unmarshal([]byte(os.Getenv(crashAt)), &s.victimConfig))
	s.machine.Store(int64(s.Ahead))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	a, err := open(ctx, options{settings: settings{Data: s.Data, Keys: s.Keys, Database: s.Database}, Listen: s.Listen, Redis: s.Redis, Web: true, Worker: true, Pacer: true, Rate: 1000,
		Settle: trialSettle, Again: trialSettle / 2, Log: slog.New(slog.NewJSONHandler(os.Stderr, nil)),
		Gateway: twilio.Config{BaseURL: s.Provider, AccountSID: testAccount, AuthToken: testToken, From: testSender},
		Machine: func() time.Time { return time.Now().Add(time.Duration(s.machine.Load())) },
		Now:     func() time.Time { return time.Now().Add(time.Duration(s.civil.Load())) },
		wrap:    s.between})
	fail(err)
	fail(a.run(ctx))
	a.close()
}

func (s *standing) between(a *app) {
	a.pacer.Store = standingStore{a.pacer.Store, s}
	a.pacer.Bell = standingBell{a.pacer.Bell, s}
	a.worker.Claims = standingClaims{a.worker.Claims, s}
	a.worker.Sender = standingSender{a.worker.Sender, s}
	a.receiver.Keeper = standingKeeper{a.receiver.Keeper, s}
	ring := a.db.Ring
	a.db.Ring = func(r campaign.Ring) {
		s.at("text_back_before_ring")
		ring(r)
	}
	if s.At == "" || strings.HasPrefix(s.At, "correction_") {
		go hurry(a)
	}
}

// hurry paces every second, so that a test need not wait for the next minute.
func hurry(a *app) {
	<-a.ready
	for {
		time.Sleep(time.Second)
		if _, err := a.pacer.Tick(context.Background(), a.Now()); err != nil {
			a.Log.Warn("pace", "error", err)
		}
	}
}

// at ends the process if this is its point.
func (s *standing) at(name string) {
	if s.At == name {
		s.end()
	}
}

// together ends the process once everybody's text has come to the point; those who come first wait there.
func (s *standing) together(name string) {
	if s.At != name {
		return
	}
	if s.arrived.Add(1) >= int64(s.People) {
		s.end()
	}
	select {}
}

func (s *standing) end() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

type standingStore struct {
	campaign.Releaser
	s *standing
}

func (r standingStore) Release(ctx context.Context, epoch int64, ds []throttle.Decision) ([]campaign.Ring, error) {
	r.s.at("before_release_commit")
	rings, err := r.Releaser.Release(ctx, epoch, ds)
	if len(rings) > 0 {
		r.s.at("after_release_before_ring")
	}
	return rings, err
}

type standingBell struct {
	campaign.Bell
	s *standing
}

func (b standingBell) Ring(ctx context.Context, rings []campaign.Ring) error {
	if b.s.At == "ring_twice" {
		for _, r := range slices.Clone(rings) {
			r.Nth += 1000
			rings = append(rings, r)
		}
	}
	err := b.Bell.Ring(ctx, rings)
	if len(rings) > 0 {
		b.s.at("after_ring")
	}
	return err
}

type standingClaims struct {
	campaign.Claimer
	s *standing
}

func (c standingClaims) Claim(ctx context.Context, r campaign.Ring) (campaign.Outgoing, error) {
	if c.s.At == "after_ring" {
		select {} // nobody answers before the bell has done ringing
	}
	out, err := c.Claimer.Claim(ctx, r)
	switch {
	case errors.Is(err, campaign.ErrTooLate):
		c.s.late.Add(1)
		c.s.bothAnswered()
		return out, err
	case err != nil:
		c.s.together("intent_refused")
		return out, err
	}
	c.s.together("after_intent_before_bytes")
	if strings.HasPrefix(out.Body, wrongText) {
		c.s.together("correction_before_bytes")
	}
	switch c.s.At {
	case "frozen_past_lease":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		time.Sleep(time.Second) // the stop takes a moment
	case "machine_clock_forward":
		c.s.machine.Store(int64(time.Hour))
	case "machine_clock_back":
		c.s.machine.Store(-int64(time.Hour))
	case "civil_clock_steps":
		c.s.civil.Add(-int64(48 * time.Hour))
	}
	return out, err
}

func (c standingClaims) Record(ctx context.Context, r campaign.Ring, o campaign.Outcome) error {
	c.s.together("callback_before_record")
	if c.s.At == "civil_clock_steps" {
		c.s.civil.Add(int64(96 * time.Hour))
	}
	err := c.Claimer.Record(ctx, r, o)
	fmt.Fprintln(os.Stderr, "point: recorded", o.Event, o.Code)
	c.s.records.Add(1)
	c.s.bothAnswered()
	if err == nil {
		for _, name := range []string{"record_refused", "callback_lost", "machine_clock_forward", "machine_clock_back", "civil_clock_steps"} {
			c.s.together(name)
		}
	}
	return err
}

// bothAnswered ends the process once every ring and its double are answered.
func (s *standing) bothAnswered() {
	if s.records.Load() == int64(s.People) && s.late.Load() == int64(s.People) {
		s.at("ring_twice")
	}
}

type standingSender struct {
	campaign.Sender
	s *standing
}

func (d standingSender) Send(ctx context.Context, out campaign.Outgoing) campaign.Outcome {
	o := d.Sender.Send(ctx, out)
	d.s.together("after_reply_before_record")
	if strings.HasPrefix(out.Body, wrongText) {
		d.s.together("correction_before_record")
	}
	if len(link.In(out.Body)) == 0 {
		d.s.at("text_back_before_record")
	}
	return o
}

type standingKeeper struct {
	selfrefer.Keeper
	s *standing
}

func (k standingKeeper) Keep(ctx context.Context, f selfrefer.Form, judge func(selfrefer.Matched) selfrefer.Judgement) (selfrefer.Receipt, error) {
	k.s.at("form_before_commit")
	rc, err := k.Keeper.Keep(ctx, f, judge)
	if err == nil {
		k.s.at("form_before_reply")
		k.s.at("form_in_the_journal_alone")
	}
	return rc, err
}

func (k standingKeeper) OptOut(ctx context.Context, o selfrefer.OptOut) error {
	err := k.Keeper.OptOut(ctx, o)
	if err == nil {
		k.s.at("optout_before_reply")
	}
	return err
}
