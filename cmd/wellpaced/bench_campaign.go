package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/campaign"
	campaigndesk "github.com/wellpaced/wellpaced/campaign/desk"
	referdesk "github.com/wellpaced/wellpaced/selfrefer/desk"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/store/servers"
)

// campaignSeed is how many rows come through the door; the others are copies of them.
const campaignSeed = 1000

// campaignDecisions is how many decisions stand in its history.
const campaignDecisions = 1500

// campaignDays is how long the campaign has been running.
const campaignDays = 42

// campaign measures the manager's pages of a campaign with a million texts, against the bare reading of its counters by as many clients from the
// same database, on both engines.
func (b *bench) campaign(ctx context.Context) (r benchResult, err error) {
	if r.Figures, err = b.campaignOn(ctx, "", "SQLite"); err != nil {
		return r, err
	}
	server, address, err := servers.OwnPostgres()
	if errors.Is(err, servers.ErrMissing) {
		r.Notes = append(r.Notes, "there is no PostgreSQL here")
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer server.Stop()
	more, err := b.campaignOn(ctx, address, "PostgreSQL")
	r.Figures = append(r.Figures, more...)
	return r, err
}

func (b *bench) campaignOn(ctx context.Context, database, engine string) (figures []figure, err error) {
	texts := b.some(1_000_000, 50_000)
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	now := fastClock(1)
	db, err := store.Open(ctx, store.Config{Database: database, DataDir: filepath.Join(dir, "data"), Keys: filepath.Join(dir, "keys"), Now: now, Machine: time.Now, Serve: true})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w, err := settle(ctx, db, "https://bench.test")
	if err != nil {
		return nil, err
	}
	list := stream(campaignSeed)
	defer list.Close()
	a, err := w.upload(ctx, list, nil)
	if err != nil {
		return nil, err
	}
	id, err := w.launch(ctx, a, campaign.Policy{Rate: 10})
	if err != nil {
		return nil, err
	}
	bare, err := openBare(database, filepath.Join(dir, "data", "wellpaced.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bare.Close()) }()
	began := time.Now()
	if err := fillCampaign(ctx, bare, id, a, texts, database != ""); err != nil {
		return nil, fmt.Errorf("fill the campaign: %w", err)
	}
	b.say("%s: %d texts in %v", engine, texts, time.Since(began).Round(time.Second/10))
	rounds, longest, took, err := countAll(ctx, db, w.network.ID, id)
	if err != nil {
		return nil, err
	}
	b.say("%s: counted in %d rounds of the pacer", engine, rounds)
	site, err := b.serveManagers(ctx, db, w.manager, now)
	if err != nil {
		return nil, err
	}
	defer site.close()
	each := b.some(400, 100)
	runtime.GC()
	_, bareWaits, err := clients(deskClients, each, func(int) error { return bareCounters(ctx, bare, id) })
	if err != nil {
		return nil, fmt.Errorf("bare reading: %w", err)
	}
	named := func(name string, v float64, unit string) figure {
		return figure{Name: engine + ", " + name, Value: v, Unit: unit}
	}
	figures = []figure{named("people counted by group, all in all", took.Seconds(), "s"), named("the longest round of counting", ms(longest), "ms"),
		named("bare counters, half", quantile(bareWaits, .5), "ms"), named("bare counters, 99 in 100", quantile(bareWaits, .99), "ms")}
	for _, p := range []struct{ name, at, says string }{{"campaign", "", "How it goes"}, {"funnel", "/funnel", "Supported or passed on"}, {"fairness", "/fairness", "Newcombe"}, {"decisions", "/decisions", "Earlier decisions"},
		{"fresh list", "/fresh-list", "Age of the list"}, {"practice", "/practices/" + w.network.Practices[0].ODS, "Which patients"}, {"stop", "/stop", "cannot be undone"}, {"campaigns", "/../../campaigns", "Running"}, {"lists", "/../../lists", "Upload"}} {
		at := path.Clean(fmt.Sprintf("/desk/campaigns/%d%s", id, p.at))
		page := deskPage{name: p.name, says: p.says, path: func(int) string { return at }}
		_, waits, err := clients(deskClients, each, func(i int) error { return site.get(ctx, i, page) })
		if err != nil {
			return figures, fmt.Errorf("%s: %w", p.name, err)
		}
		half, most := quantile(waits, .5), quantile(waits, .99)
		b.say("%s: page %-10s half %6.1f ms, 99 in 100 %6.1f ms", engine, p.name, half, most)
		figures = append(figures, named("page "+p.name+", half", half, "ms"), named("page "+p.name+", 99 in 100", most, "ms").atMost(150),
			named("page "+p.name+" to the bare counters", half/quantile(bareWaits, .5), ""))
	}
	return figures, nil
}

// fillCampaign copies the people of a launched campaign until there are so many, and writes what became of their texts in six weeks: most arrive,
// a few do not, some are answered, and every hour and stratum has its counters.
func fillCampaign(ctx context.Context, db *sql.DB, id campaign.ID, a campaign.Audience, texts int, postgres bool) error {
	bytes := func(s string) string { return "CAST(" + s + " AS BLOB)" }
	if postgres {
		bytes = func(s string) string { return "CAST(CAST(" + s + " AS TEXT) AS BYTEA)" }
	}
	copies := (texts + a.Ledger.Invited - 1) / a.Ledger.Invited
	start := benchStart.AddDate(0, 0, -campaignDays).UnixMilli()
	const apart = int64(1) << 40 // between the ids of copies
	steps := []string{
		fmt.Sprintf(`INSERT INTO patient (id, audience, row, invited, practice, age_band, sex, language, sector, person, phone_ix, nhs_ix)
			WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d)
			SELECT p.id + c.n * %d, p.audience, p.row + c.n * %d, p.invited, p.practice, p.age_band, p.sex, CASE c.n %% 9 WHEN 0 THEN 'Polish' WHEN 1 THEN 'Arabic' ELSE 'English' END,
				p.sector, p.person, %s, %s
			FROM c CROSS JOIN patient p WHERE p.audience = %d AND p.invited`, copies-1, apart, campaignSeed, bytes(fmt.Sprintf("p.id + c.n * %d", apart)), bytes(fmt.Sprintf("p.id + c.n * %d", apart)), int64(a.ID)),
		fmt.Sprintf(`INSERT INTO message (id, campaign, step, patient, stratum, place, state, attempt, rings, shared, not_before, batch, released_at, deadline,
				look_at, looks, code, cost, token, phone_ix, sent_at, delivered_at, opened_at, answered_at)
			WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d)
			SELECT m.id + c.n * %d, m.campaign, 1, m.patient + c.n * %d, m.stratum, m.place + c.n, 'planned', 0, 0, m.shared, 0, 0, 0, 0, 0, 0, '', m.cost,
				%s, %s, 0, 0, 0, 0
			FROM c CROSS JOIN message m WHERE m.campaign = %d`, copies-1, apart, apart, bytes(fmt.Sprintf("m.id + c.n * %d", apart)), bytes(fmt.Sprintf("m.patient + c.n * %d", apart)), int64(id)),
		fmt.Sprintf(`UPDATE message SET attempt = 1,
				state = CASE WHEN (id / %[1]d * 31 + patient) %% 20 = 0 THEN 'undelivered' ELSE 'delivered' END,
				code = CASE WHEN (id / %[1]d * 31 + patient) %% 20 <> 0 THEN '' WHEN patient %% 3 = 0 THEN '30003' ELSE '30005' END,
				sent_at = %[2]d + patient %% %[3]d * 86400000,
				delivered_at = CASE WHEN (id / %[1]d * 31 + patient) %% 20 = 0 THEN 0 ELSE %[2]d + patient %% %[3]d * 86400000 END,
				opened_at = CASE WHEN (id / %[1]d * 31 + patient) %% 13 = 1 THEN %[2]d + patient %% %[3]d * 86400000 ELSE 0 END,
				answered_at = CASE WHEN (id / %[1]d * 31 + patient) %% 39 = 1 THEN %[2]d + patient %% %[3]d * 86400000 ELSE 0 END
			WHERE campaign = %[4]d AND place %% 10 <> 0`, apart, start, campaignDays-1, int64(id)),
		fmt.Sprintf(`UPDATE campaign SET launched_at = %d WHERE id = %d`, start, int64(id)),
		fmt.Sprintf(`DELETE FROM tally WHERE owner IN (%[1]d, -%[1]d)`, int64(id)),
		fmt.Sprintf(`INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
			SELECT campaign, 'is:' || state, stratum, 0, 0, 0, COUNT(*) FROM message WHERE campaign = %d GROUP BY campaign, state, stratum`, int64(id)),
	}
	for _, kind := range []struct{ name, stratum, hour, from, where string }{
		{"released", "0", "sent_at / 3600000 + id % 8", "0", "sent_at > 0"},
		{"delivered", "stratum", "sent_at / 3600000 + id % 8", "0", "delivered_at > 0"},
		{"start", "stratum", "sent_at / 3600000 + id % 200", "0", "opened_at > 0"},
		{"answer", "stratum", "sent_at / 3600000 + id % 200", "sent_at / 3600000 + id % 8", "answered_at > 0"},
	} {
		steps = append(steps, fmt.Sprintf(`INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
			SELECT campaign, '%s', %s AS s, %s AS h, %s AS f, 0, COUNT(*) FROM message WHERE campaign = %d AND %s GROUP BY 1, 3, 4, 5`, kind.name, kind.stratum, kind.hour, kind.from, int64(id), kind.where))
	}
	steps = append(steps,
		fmt.Sprintf(`INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
			SELECT owner, 'answered', 0, hour, 0, 0, CAST(SUM(n) AS BIGINT) FROM tally WHERE owner = %d AND kind = 'answer' GROUP BY owner, hour`, int64(id)),
		fmt.Sprintf(`INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
			SELECT owner, 'started', 0, 0, 0, 0, CAST(SUM(n) AS BIGINT) FROM tally WHERE owner = %d AND kind = 'start' GROUP BY owner`, int64(id)),
		fmt.Sprintf(`INSERT INTO tally (owner, kind, stratum, hour, from_hour, shard, n)
			SELECT -campaign, 'trouble:' || code, 0, 0, 0, 0, COUNT(*) FROM message WHERE campaign = %d AND state = 'undelivered' GROUP BY campaign, code`, int64(id)))
	for i := range campaignDecisions { // in the last days a decision every few minutes
		steps = append(steps, fmt.Sprintf(`INSERT INTO decision (id, campaign, at, n, binding, sentence, figures, forecast)
			VALUES (%d, %d, %d, %d, 'maturity', '%d texts go now. Knowsley link workers can call back all who will answer in time.', '{}', '{}')`, 1000+i, int64(id), benchStart.UnixMilli()+int64(i-campaignDecisions)*300_000, i%40, i%40))
	}
	if postgres {
		steps = append(steps, `VACUUM ANALYZE message`, `VACUUM ANALYZE patient`, `VACUUM ANALYZE tally`)
	}
	for _, s := range steps {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(strings.Fields(s), " "), err)
		}
	}
	return nil
}

// countAll lets the pacer's rounds count the funnel, as in the night.
func countAll(ctx context.Context, db *store.DB, n staff.NetworkID, id campaign.ID) (rounds int, longest, took time.Duration, err error) {
	epoch, _, err := db.Lead(ctx, "bench", time.Minute)
	if err != nil {
		return 0, 0, 0, err
	}
	for ; rounds < 10_000; rounds++ {
		if f, err := db.Funnel(ctx, n, id); err != nil || !f.CountedTo.IsZero() {
			return rounds, longest, took, err
		}
		began := time.Now()
		if err := db.Finish(ctx, epoch); err != nil {
			return rounds, longest, took, err
		}
		round := time.Since(began)
		longest, took = max(longest, round), took+round
	}
	return rounds, longest, took, errors.New("the funnel was not counted")
}

// bareCounters reads a campaign's counters by kind, and nothing else.
func bareCounters(ctx context.Context, db *sql.DB, id campaign.ID) error {
	rows, err := db.QueryContext(ctx, `SELECT kind, SUM(n) FROM tally WHERE owner = $1 GROUP BY kind`, int64(id))
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var kind string
		var sum int64
		if err := rows.Scan(&kind, &sum); err != nil {
			return err
		}
	}
	if n == 0 {
		return errors.New("there is nothing to read")
	}
	return rows.Err()
}

// serveManagers is the managers' desk behind a listener of its own.
func (b *bench) serveManagers(ctx context.Context, db *store.DB, who staff.Account, now func() time.Time) (s deskSite, err error) {
	pages, err := ui.New(ui.Config{Logger: b.log})
	if err != nil {
		return s, err
	}
	door, err := referdesk.New(referdesk.Config{Store: db, UI: pages, Nav: nav, Now: now, Machine: time.Now, Log: b.log, ClientIP: func(r *http.Request) string { return r.RemoteAddr }})
	if err != nil {
		return s, err
	}
	h, err := campaigndesk.New(campaigndesk.Config{Store: db, UI: pages, Nav: nav, Now: now, Log: b.log, Explain: explain, Alerts: door.Alerts})
	if err != nil {
		return s, err
	}
	router := chi.NewRouter()
	router.Use(pages.Protect, door.Authenticate)
	h.Routes(router)
	token, err := db.StartSession(ctx, who.ID, store.SessionAPI, "bench", time.Hour)
	if err != nil {
		return s, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return s, err
	}
	server := &http.Server{Handler: router, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	s.at, s.tokens, s.client = "http://"+listener.Addr().String(), []string{token}, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: deskClients}}
	s.close = func() {
		_ = server.Close()
		h.Close()
	}
	return s, nil
}
