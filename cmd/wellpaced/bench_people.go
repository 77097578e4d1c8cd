package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the bare loops use the driver directly

	"github.com/wellpaced/wellpaced/campaign"
	campaigndesk "github.com/wellpaced/wellpaced/campaign/desk"
	"github.com/wellpaced/wellpaced/campaign/patientlist"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/throttle"
)

// benchStart is the first civil instant of every measurement: a Tuesday morning, inside the usual sending window.
var benchStart = time.Date(2026, 6, 2, 9, 0, 0, 0, time.UTC)

// fastClock is a civil clock that runs at a multiple of the machine's.
func fastClock(times int) func() time.Time {
	began := time.Now()
	return func() time.Time { return benchStart.Add(time.Since(began) * time.Duration(times)) }
}

// benchWorld is a network with staff, in a store of its own.
type benchWorld struct {
	db             *store.DB
	network        staff.Network
	team           staff.Team
	manager, other staff.Account // two people: one submits, one approves
}

const benchPractices = 10

func openStore(ctx context.Context, dir string, now func() time.Time) (*store.DB, error) {
	return store.Open(ctx, store.Config{DataDir: filepath.Join(dir, "data"), Keys: filepath.Join(dir, "keys"), Now: now, Machine: time.Now, Serve: true})
}

// settle makes a network of ten practices with a team of five link workers.
func settle(ctx context.Context, db *store.DB, links string) (w benchWorld, err error) {
	w.db = db
	n := staff.Network{Name: "Bench PCN", Sender: "Bench PCN", LinkHost: links, Phone: "0151 496 0000"}
	for i := range benchPractices {
		n.Practices = append(n.Practices, staff.Practice{ODS: practiceODS(i), Name: fmt.Sprintf("Practice %d", i+1), Phone: "0151 496 0001"})
	}
	if w.network, err = db.CreateNetwork(ctx, n); err != nil {
		return w, fmt.Errorf("make a network: %w", err)
	}
	if w.team, err = db.CreateTeam(ctx, staff.Team{Network: w.network.ID, Name: "Link workers", PromiseDays: 2}); err != nil {
		return w, fmt.Errorf("make a team: %w", err)
	}
	account := func(name string, role staff.Role) staff.Account {
		a, e := db.CreateAccount(ctx, staff.Account{Network: w.network.ID, Team: w.team.ID, Email: name + "@bench.test", Name: name, Role: role}, "")
		err = errors.Join(err, e)
		return a
	}
	w.manager, w.other = account("Mia", staff.Administrator), account("Sam", staff.Administrator)
	for i := range 5 {
		a := account(fmt.Sprintf("Worker%d", i), staff.LinkWorker)
		var week throttle.Week
		for d := time.Monday; d <= time.Friday; d++ {
			week[d] = throttle.Hours{From: 9 * 60, To: 17 * 60}
		}
		err = errors.Join(err, db.SetWorker(ctx, w.manager, a.ID, throttle.Worker{Week: week, FirstContact: .3, Minutes: 45, Places: -1}))
		if i == 0 { // without a senior no texts go; this one makes no first contacts, so the team can do what it could
			senior := account("Senior", staff.SeniorLinkWorker)
			err = errors.Join(err, db.SetWorker(ctx, w.manager, senior.ID, throttle.Worker{Week: week, Minutes: 45, Places: -1}))
		}
	}
	return w, err
}

func practiceODS(i int) string { return fmt.Sprintf("N83%03d", i+1) }

// upload puts a made-up list through the same door as a manager's.
func (w benchWorld) upload(ctx context.Context, list io.Reader, progress func(rows int, bytes int64)) (campaign.Audience, error) {
	return campaigndesk.Import(ctx, campaigndesk.ImportConfig{
		Begin: func(ctx context.Context) (campaign.Importer, error) {
			return w.db.BeginImport(ctx, w.manager, "bench", true, false)
		},
		Reader: list, Options: patientlist.Options{Today: benchStart, Size: sizeOf(list)}, Progress: progress,
	})
}

// sizeOf is that of a file, without which a workbook cannot be read; 0 for what is none.
func sizeOf(list io.Reader) int64 {
	if f, ok := list.(*os.File); ok {
		if info, err := f.Stat(); err == nil {
			return info.Size()
		}
	}
	return 0
}

// launch takes a list through approval to a running campaign.
func (w benchWorld) launch(ctx context.Context, a campaign.Audience, p campaign.Policy) (campaign.ID, error) {
	c, err := w.db.CreateCampaign(ctx, w.manager, campaign.Campaign{Name: "bench", Team: w.team.ID, Audience: a.ID, Policy: p,
		Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText}}})
	if err != nil {
		return 0, fmt.Errorf("make a campaign: %w", err)
	}
	if _, err = w.db.MoveCampaign(ctx, w.manager, c.ID, campaign.Submit); err != nil {
		return 0, fmt.Errorf("submit: %w", err)
	}
	if _, err = w.db.ApproveCampaign(ctx, w.other, c.ID, campaign.Approval{People: a.Ledger.Invited}); err != nil {
		return 0, fmt.Errorf("approve: %w", err)
	}
	for i := range benchPractices {
		if err := w.db.ApprovePractice(ctx, w.manager, c.ID, practiceODS(i)); err != nil {
			return 0, fmt.Errorf("approve for a practice: %w", err)
		}
	}
	if _, err = w.db.MoveCampaign(ctx, w.manager, c.ID, campaign.Launch); err != nil {
		return 0, fmt.Errorf("launch: %w", err)
	}
	return c.ID, nil
}

// patients writes a made-up list of n rows: a twentieth of it is dirt, numbers and dates are spelt in several ways. Their NHS numbers
// begin with 9, which no patient's does.
func patients(w io.Writer, n int) error {
	b := bufio.NewWriterSize(w, 64<<10)
	_, _ = b.WriteString("NHS Number,Given Name,Family Name,Date of Birth,Gender,Mobile Telephone,Organisation ODS Code,Postcode,Date of Death,SMS Dissent\r\n")
	given := []string{"Patricia", "Mohammed", "Siân", "Zoë", "Peter", "Agnieszka", "Jean", "Callum", "Wei", "Dorothy"}
	family := []string{"Singh", "O'Connor", "Smith", "Khan", "Kowalski", "Murphy", "Okafor", "Lunt", "Smith-Jones", "Fazakerley", "Rimmer"}
	codes := []string{"L32 8RE", "L34 1LA", "L26 1TT", "L28 1ST", "L33 7XY", "L36 9GA", "WA9 5DZ"}
	at := 0
	for i := range n {
		nhs := ""
		for ; nhs == ""; at++ {
			nhs = madeUpNHS(at)
		}
		day, mobile := benchBirth(i), benchMobile(i)
		date, died, dissent := day.Format("02-Jan-2006"), "", "N"
		if i%3 == 0 {
			date = day.Format("02/01/2006")
		}
		switch i % 5 {
		case 0:
			mobile = "0" + mobile[:4] + " " + mobile[4:]
		case 1:
			mobile = "+44" + mobile
		case 2:
			mobile = "+44 " + mobile[:4] + " " + mobile[4:7] + " " + mobile[7:]
		default:
			mobile = "0" + mobile
		}
		switch i % 100 {
		case 3:
			mobile = "-"
		case 23:
			mobile = "0151 496 0123"
		case 43:
			date = "31/02/1971"
		case 63:
			died = "03-Mar-2025"
		case 83:
			dissent = "Y"
		}
		fmt.Fprintf(b, "%s,%s,%s,%s,%s,%s,%s,%s,%s,%s\r\n", nhs, given[i%len(given)], family[i%len(family)], date, []string{"F", "M"}[i%2], mobile,
			practiceODS(i*i%benchPractices), codes[i%len(codes)], died, dissent)
	}
	return b.Flush()
}

// benchBirth and benchMobile are of the i-th row.
func benchBirth(i int) time.Time { return benchStart.AddDate(-90, 0, 0).AddDate(0, 0, i*7919%(72*365)) }

func benchMobile(i int) string { return fmt.Sprintf("7%09d", 400_000_000+i*7_368_787%99_000_000) }

// madeUpNHS is a number with a right check digit, or "" if these digits have none.
func madeUpNHS(i int) string {
	s := fmt.Sprintf("99%07d", i)
	sum := 0
	for k, c := range s {
		sum += int(c-'0') * (10 - k)
	}
	check := (11 - sum%11) % 11
	if check == 10 || strings.Count(s, s[:1]) == len(s) {
		return ""
	}
	return s + string(rune('0'+check))
}

// stream is a list that is made while it is read.
func stream(n int) io.ReadCloser {
	r, w := io.Pipe()
	go func() { w.CloseWithError(patients(w, n)) }()
	return r
}

// bareDatabase opens a new SQLite database as the store does, with the tables (and their indexes) that the store has, for the bare operation.
func bareDatabase(ctx context.Context, path, like string, tables ...string) (*sql.DB, error) {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(0)",
		"temp_store(MEMORY)", "cache_size(-16000)", "journal_size_limit(67108864)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := copySchema(ctx, db, like, tables); err != nil {
		return nil, errors.Join(fmt.Errorf("copy the schema: %w", err), db.Close())
	}
	return db, nil
}

func copySchema(ctx context.Context, db *sql.DB, like string, tables []string) error {
	from, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: like, RawQuery: "mode=ro"}).String())
	if err != nil {
		return err
	}
	defer from.Close()
	for _, table := range tables {
		rows, err := from.QueryContext(ctx, `SELECT sql FROM sqlite_master WHERE tbl_name = $1 AND sql IS NOT NULL ORDER BY type DESC`, table)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var create string
			if err := rows.Scan(&create); err != nil {
				return err
			}
			if _, err := db.ExecContext(ctx, create); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}
