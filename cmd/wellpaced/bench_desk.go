package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the bare loop uses the driver directly

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	referdesk "github.com/wellpaced/wellpaced/selfrefer/desk"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/store/servers"
	"github.com/wellpaced/wellpaced/throttle"
)

const deskClients = 4

// desk measures the pages of the link workers over HTTP, with a hundred thousand open referrals and two million finished ones, against the
// bare reading of fifty of them in the order of calling, by as many clients from the same database.
func (b *bench) desk(ctx context.Context) (benchResult, error) { return b.deskOn(ctx, "") }

// deskPostgres does it on a server of its own.
func (b *bench) deskPostgres(ctx context.Context) (benchResult, error) {
	server, address, err := servers.OwnPostgres()
	if err != nil {
		return benchResult{}, fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer server.Stop()
	return b.deskOn(ctx, address)
}

// deskOn measures on a database; "" is SQLite in a folder.
func (b *bench) deskOn(ctx context.Context, database string) (r benchResult, err error) {
	open, done := b.some(100_000, 10_000), b.some(2_000_000, 100_000)
	dir, err := b.folder()
	if err != nil {
		return r, err
	}
	now := fastClock(1)
	db, err := store.Open(ctx, store.Config{Database: database, DataDir: filepath.Join(dir, "data"), Keys: filepath.Join(dir, "keys"), Now: now, Machine: time.Now, Serve: true})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w, err := settle(ctx, db, "https://bench.test")
	if err != nil {
		return r, err
	}
	bare, err := openBare(database, filepath.Join(dir, "data", "wellpaced.db"))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, bare.Close()) }()
	accounts, err := db.Accounts(ctx, w.network.ID)
	if err != nil {
		return r, err
	}
	var workers []staff.Account
	for _, a := range accounts {
		if a.Role == staff.LinkWorker {
			workers = append(workers, a)
		}
	}
	began := time.Now()
	if err := b.fillQueue(ctx, db, bare, w, workers, open, done, database != ""); err != nil {
		return r, fmt.Errorf("fill the queue: %w", err)
	}
	filled := time.Since(began)
	b.say("%d open and %d finished referrals in %v", open, done, filled.Round(time.Second/10))
	site, err := b.serveDesk(ctx, db, workers, now)
	if err != nil {
		return r, err
	}
	defer site.close()
	each := b.some(400, 100)
	runtime.GC()
	_, bareWaits, err := clients(deskClients, each, func(int) error { return bareQueue(ctx, bare, w) })
	if err != nil {
		return r, fmt.Errorf("bare reading: %w", err)
	}
	r.Figures = []figure{{Name: "filled", Value: filled.Seconds(), Unit: "s"}, {Name: "bare fifty, half", Value: quantile(bareWaits, .5), Unit: "ms"}, {Name: "bare fifty, 99 in 100", Value: quantile(bareWaits, .99), Unit: "ms"}}
	var all, queue []time.Duration
	pages := deskPages(db, w, open, done)
	for _, p := range pages {
		_, waits, err := clients(deskClients, each, func(i int) error { return site.get(ctx, i, p) })
		if err != nil {
			return r, fmt.Errorf("%s: %w", p.name, err)
		}
		half, most := quantile(waits, .5), quantile(waits, .99)
		b.say("%-34s half %6.1f ms, 99 in 100 %6.1f ms", p.name, half, most)
		r.Figures = append(r.Figures, figure{Name: p.name + ", half", Value: half, Unit: "ms"}, figure{Name: p.name + ", 99 in 100", Value: most, Unit: "ms"}.atMost(100))
		if all = append(all, waits...); p.name == "queue" {
			queue = waits
		}
	}
	r.Figures = append(r.Figures, figure{Name: "all pages, 99 in 100", Value: quantile(all, .99), Unit: "ms"}.atMost(100),
		figure{Name: "ratio of a queue page to the bare fifty", Value: quantile(queue, .5) / quantile(bareWaits, .5)})
	more, err := site.load(ctx, pages, time.Duration(b.some(60, 5))*time.Second)
	if err != nil {
		return r, err
	}
	r.Figures = append(r.Figures, more...)
	if more, err = b.races(ctx, db, site, w, b.some(50, 5)); err != nil {
		return r, err
	}
	r.Figures = append(r.Figures, more...)
	return r, nil
}

// openBare opens the same database without the store.
func openBare(database, path string) (*sql.DB, error) {
	if database != "" {
		return sql.Open("pgx", database)
	}
	return sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": {"busy_timeout(60000)", "cache_size(-64000)", "temp_store(MEMORY)"}}.Encode()}).String())
}

var deskGiven = []string{"Patricia", "Mohammed", "Siân", "Zoë", "Peter", "Agnieszka", "Jean", "Callum", "Wei", "Dorothy", "David", "Susan", "John", "Margaret", "Ali", "Fatima", "Thomas", "Emily", "Jack", "Ruth"}
var deskFamily = []string{"Singh", "O'Connor", "Smith", "Khan", "Kowalski", "Murphy", "Okafor", "Lunt", "Smith-Jones", "Fazakerley", "Rimmer", "Jones", "Taylor", "Brown", "Williams", "Wilson", "Johnson", "Davies", "Patel",
	"Robinson", "Wright", "Thompson", "Evans", "Walker", "White", "Roberts", "Green", "Hall", "Wood", "Jackson", "Clarke", "Ashworth", "Molyneux", "Sefton", "Rainford", "Halewood", "Prescot", "Huyton"}

// deskPerson is who the i-th made-up referral is of.
func deskPerson(i int) (person.Name, person.NHSNumber, person.Phone) {
	x := uint64(i) * 0x9E3779B97F4A7C15
	family := deskFamily[x>>40%uint64(len(deskFamily))]
	if i%7 != 0 { // most names are rarer: one in fifty thousand
		family += string(rune('a'+x>>20%26)) + string(rune('a'+x>>25%26)) + string(rune('a'+x>>30%26))
	}
	nhs, _ := person.ParseNHSNumber(madeUpNHS(i))
	phone, _ := person.ParsePhone(fmt.Sprintf("07%09d", 400_000_000+i))
	return person.NewName(deskGiven[x>>10%uint64(len(deskGiven))], family), nhs, phone
}

// fillQueue makes up referrals without indexes, and makes the indexes afterwards: that takes a fraction of the time.
func (b *bench) fillQueue(ctx context.Context, db *store.DB, bare *sql.DB, w benchWorld, workers []staff.Account, open, done int, postgres bool) error {
	indexes := `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'referral' AND sql IS NOT NULL`
	if postgres {
		indexes = `SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'referral' AND indexdef NOT LIKE '%UNIQUE%'`
	}
	rows, err := bare.QueryContext(ctx, indexes)
	if err != nil {
		return err
	}
	defer rows.Close()
	var create []string
	var drop []string
	for rows.Next() {
		var name, how string
		if err := rows.Scan(&name, &how); err != nil {
			return err
		}
		create, drop = append(create, how), append(drop, `DROP INDEX `+name)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	run := func(statements []string) error {
		for _, s := range statements {
			if _, err := bare.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	}
	if err := run(drop); err != nil {
		return err
	}
	languages := []string{"", "", "", "", "Polish", "Arabic", "Urdu", "Welsh"}
	ended := []selfrefer.State{selfrefer.Closed, selfrefer.Onward, selfrefer.Declined, selfrefer.Unreachable, selfrefer.Closed, selfrefer.InSupport, selfrefer.Duplicate, selfrefer.Closed}
	last := 0
	err = db.MakeUp(ctx, w.network.ID, w.team.ID, open+done, func(i int) store.MadeUp {
		m := store.MadeUp{Lane: selfrefer.Verified, Practice: practiceODS(i * 7 % benchPractices), Language: languages[i*5%len(languages)], Words: "I would like some company, and I do not know how to pay for heating this winter.",
			Reasons: []string{selfrefer.Reasons[i%6].Code, selfrefer.Reasons[i%5+6].Code}}
		m.Name, m.NHS, m.Phone = deskPerson(i)
		m.Born = person.BirthDate{Year: 1930 + i%75, Month: time.Month(1 + i/75%12), Day: 1 + i/900%28}
		m.Received = benchStart.Add(-time.Duration(open+done-i) * time.Minute / 2)
		if i < done {
			m.State, m.ClaimedBy = ended[i%len(ended)], workers[i%len(workers)].ID
			if m.State == selfrefer.InSupport && i < done*99/100 { // a few hundred for each worker are more than anybody carries
				m.State = selfrefer.Closed
			}
			m.Due = m.Received.Add(48 * time.Hour)
			return m
		}
		k := i - done
		m.Received = benchStart.Add(-time.Duration(open-k) * time.Second)
		m.Due = throttle.Calendar{}.DueBy(m.Received, 2)
		m.State = selfrefer.New
		switch {
		case k%50 == 0: // an urgent one that nobody has claimed, and as many that somebody has
			m.Urgent = true
		case k%50 == 1:
			m.Urgent, m.State, m.ClaimedBy = true, selfrefer.Claimed, workers[k/50%len(workers)].ID
		case k%20 == 2:
			m.Lane = selfrefer.Unverified
		case k%100 == 3:
			m.State, m.ClaimedBy = selfrefer.Claimed, workers[k/100%len(workers)].ID
		case k%100 == 4:
			m.State, m.ClaimedBy = selfrefer.Contacting, workers[k/100%len(workers)].ID
		}
		if k == open/2 { // one with a rare reason, in the middle of all
			m.Reasons = []string{"covid"}
		}
		return m
	}, func(n int) {
		if n/500_000 > last {
			last = n / 500_000
			b.say("%d made up", n)
		}
	})
	if err != nil {
		return err
	}
	if postgres {
		create = append(create, `VACUUM ANALYZE referral`, `VACUUM ANALYZE referral_term`, `VACUUM ANALYZE referral_reason`, `VACUUM ANALYZE tally`)
	}
	return run(create)
}

// bareQueue reads fifty referrals in the order of calling, and nothing else.
func bareQueue(ctx context.Context, db *sql.DB, w benchWorld) error {
	rows, err := db.QueryContext(ctx, `SELECT id, reference, state, due_at, person FROM referral
		WHERE network = $1 AND team = $2 AND urgent = $3 AND lane = 'verified' AND state IN ('new', 'claimed', 'contacting') ORDER BY due_at, id LIMIT 51`, int64(w.network.ID), int64(w.team.ID), true)
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var id, due int64
		var reference, state string
		var sealed []byte
		if err := rows.Scan(&id, &reference, &state, &due, &sealed); err != nil {
			return err
		}
	}
	if n == 0 {
		return errors.New("there is nothing to read")
	}
	return rows.Err()
}

// deskSite is the desk behind a listener of its own.
type deskSite struct {
	at     string
	tokens []string
	client *http.Client
	close  func()
}

func (b *bench) serveDesk(ctx context.Context, db *store.DB, workers []staff.Account, now func() time.Time) (s deskSite, err error) {
	pages, err := ui.New(ui.Config{Logger: b.log})
	if err != nil {
		return s, err
	}
	h, err := referdesk.New(referdesk.Config{Store: db, UI: pages, Nav: nav, Now: now, Machine: time.Now, Log: b.log, ClientIP: func(r *http.Request) string { return r.RemoteAddr }})
	if err != nil {
		return s, err
	}
	router := chi.NewRouter()
	router.Use(pages.Protect, h.Authenticate)
	h.Routes(router)
	for _, a := range workers {
		token, err := db.StartSession(ctx, a.ID, store.SessionAPI, "bench", time.Hour)
		if err != nil {
			return s, err
		}
		s.tokens = append(s.tokens, token)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	server := &http.Server{Handler: router, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	s.at, s.client = "http://"+listener.Addr().String(), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: deskClients}}
	s.close = func() { _ = server.Close() }
	return s, nil
}

// deskPage is one page to measure; body is that of a POST.
type deskPage struct {
	name, says string
	path, body func(i int) string
}

func (s deskSite) get(ctx context.Context, i int, p deskPage) error {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if p.body != nil {
		method, body = http.MethodPost, strings.NewReader(p.body(i))
	}
	req, err := http.NewRequestWithContext(ctx, method, s.at+p.path(i), body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.tokens[i%len(s.tokens)])
	if p.body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(page), p.says) {
		return fmt.Errorf("status %d, or the page does not say %q", resp.StatusCode, p.says)
	}
	return nil
}

// deskPages are all pages with all filters. Searches and referrals are spread over the whole database, so that no cache has them all.
func deskPages(db *store.DB, w benchWorld, open, done int) (pages []deskPage) {
	all := open + done
	spread := func(i int) int { return i * 7919 % all }
	for _, p := range []struct{ name, query, says string }{
		{"queue", "state=open", "Call in this order"}, {"queue, new", "state=new", "Claim"}, {"queue, mine", "state=mine", "In support with you"}, {"queue, to try again", "state=waiting", "Call in this order"},
		{"queue, urgent", "state=urgent", "Urgent"}, {"queue, not confirmed", "state=unverified", "Not confirmed"}, {"queue, done", "state=done", "Newest first"}, {"queue, closed", "state=closed", "Newest first"},
		{"queue, one practice", "practice=" + practiceODS(3), "Only: "}, {"queue, one reason", "reason=money", "Only: "}, {"queue, a rare reason", "reason=covid", "Only: "}, {"queue, one language", "language=Polish", "Only: "},
		{"queue, all three", "state=new&reason=money&language=Polish&practice=" + practiceODS(3), "Only: "},
	} {
		pages = append(pages, deskPage{name: p.name, says: p.says, path: func(int) string { return "/desk/queue?" + p.query }})
	}
	find := func(name, says string, of func(i int) string) {
		pages = append(pages, deskPage{name: "search by " + name, says: says, path: func(int) string { return "/desk/search" }, body: func(i int) string { return url.Values{"find": {of(i)}}.Encode() }})
	}
	find("a common name", "More than 50", func(i int) string { return deskFamily[i%len(deskFamily)] })
	find("two common names", "Found", func(i int) string { return deskGiven[i%len(deskGiven)] + " " + deskFamily[2+i%5] })
	find("whole name", "Found", func(i int) string { n, _, _ := deskPerson(spread(i)); return n.Reveal() })
	find("NHS number", "Search", func(i int) string { _, n, _ := deskPerson(spread(i)); return cmp.Or(n.Reveal(), "9990000018") })
	find("phone number", "Found", func(i int) string { _, _, p := deskPerson(spread(i)); return p.Reveal() })
	// Ids of referrals, from all over the list of those that are done and that are open.
	var ids []selfrefer.ReferralID
	for _, state := range []string{"done", "open"} {
		after := int64(0)
		for range 8 {
			some, err := db.Queue(context.Background(), selfrefer.Filter{Network: w.network.ID, Team: w.team.ID, State: state, After: after, Limit: 100})
			if err != nil || len(some) == 0 {
				break
			}
			for _, r := range some {
				ids = append(ids, r.ID)
			}
			after = int64(some[len(some)-1].ID)
		}
	}
	pages = append(pages,
		deskPage{name: "one referral", says: "What happened so far", path: func(i int) string { return fmt.Sprintf("/desk/referrals/%d", ids[i%len(ids)]) }},
		deskPage{name: "queue, page after page", says: "Call in this order", path: func(i int) string { return fmt.Sprintf("/desk/queue?state=open&after=%d", ids[len(ids)-1-i%300]) }},
		deskPage{name: "done, page after page", says: "Newest first", path: func(i int) string { return fmt.Sprintf("/desk/queue?state=done&after=%d", ids[i%300]) }})
	return pages
}
