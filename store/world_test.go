package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// world is a network with staff, a campaign and people who were texted.
type world struct {
	tb       testing.TB
	db       *DB
	network  staff.Network
	team     staff.Team
	senior   staff.Account
	worker   staff.Account
	other    staff.Account // a second link worker
	helper   staff.Account // a volunteer
	stranger staff.Account // a link worker of another network
	audience int64
	campaign int64
}

func mustWorld(tb testing.TB, db *DB) *world {
	tb.Helper()
	ctx := context.Background()
	w := &world{tb: tb, db: db}
	var err error
	w.network, err = db.CreateNetwork(ctx, staff.Network{Name: "Riverside", Sender: "Riverside", LinkHost: "https://riverside.test", Phone: "0151 496 0000",
		Practices: []staff.Practice{{ODS: "N83001", Name: "Elm Road", Phone: "0151 496 0001"}}})
	w.must(err)
	w.team, err = db.CreateTeam(ctx, staff.Team{Network: w.network.ID, Name: "Link workers"})
	w.must(err)
	account := func(n staff.Network, team staff.TeamID, name string, role staff.Role) staff.Account {
		a, err := db.CreateAccount(ctx, staff.Account{Network: n.ID, Team: team, Email: fmt.Sprintf("%s@%d.test", name, n.ID), Name: name + " Surname", Role: role}, "hash of "+name)
		w.must(err)
		return a
	}
	w.senior = account(w.network, w.team.ID, "Senior", staff.SeniorLinkWorker)
	w.worker = account(w.network, w.team.ID, "Wanda", staff.LinkWorker)
	w.other = account(w.network, w.team.ID, "Otto", staff.LinkWorker)
	w.helper = account(w.network, w.team.ID, "Vera", staff.Volunteer)
	elsewhere, err := db.CreateNetwork(ctx, staff.Network{Name: "Hillside"})
	w.must(err)
	w.stranger = account(elsewhere, 0, "Stan", staff.LinkWorker)
	w.audience, w.campaign = db.newID(), db.newID()
	w.write(`INSERT INTO audience (id, network, name, state, synthetic, created_by, created_at, screened_at, ledger)
		VALUES ($1, $2, 'list', 'screened', true, 0, 0, 0, '{}')`, w.audience, int64(w.network.ID))
	w.write(`INSERT INTO campaign (id, network, team, audience, name, state, steps, policy, seed, approved_hash, held, strata, memory, planning, segments,
			created_by, submitted_by, approved_by, created_at, launched_at, finished_at)
		VALUES ($1, $2, $3, $4, 'spring', 'running', '[]', '{}', 1, '', '', '{}', '{}', -1, 1, 0, 0, 0, 0, 0, 0)`,
		w.campaign, int64(w.network.ID), int64(w.team.ID), w.audience)
	return w
}

func (w *world) must(err error) {
	w.tb.Helper()
	if err != nil {
		w.tb.Fatal(err)
	}
}

func (w *world) write(query string, args ...any) {
	w.tb.Helper()
	w.must(w.db.write(context.Background(), "test", func(tx *Tx) error { _, err := tx.Exec(query, args...); return err }))
}

func (w *world) count(query string, args ...any) int64 {
	w.tb.Helper()
	return count(w.tb, w.db, query, args...)
}

// texted is somebody on the list; message and token are zero for who shares the number of somebody else.
type texted struct {
	patient, message int64
	token            []byte
	doc              personDoc
}

func (w *world) patient(doc personDoc, invited bool) texted {
	w.tb.Helper()
	p := texted{patient: w.db.newID(), doc: doc}
	sealed, err := w.db.sealPerson("patient", p.patient, doc)
	w.must(err)
	w.write(`INSERT INTO patient (id, audience, row, invited, practice, age_band, sex, language, sector, person, phone_ix, nhs_ix)
		VALUES ($1, $2, 1, $3, 'N83001', '60-69', 'f', 'en', 'L1 1', $4, $5, $6)`,
		p.patient, w.audience, invited, sealed, w.db.phoneIndex(doc.phone()), w.db.nhsIndex(doc.nhs()))
	return p
}

// text gives a patient a delivered text.
func (w *world) text(doc personDoc, shared bool) texted {
	w.tb.Helper()
	p := w.patient(doc, true)
	p.message = w.db.newID()
	p.token = link.Mint(w.db.sealer.linkKey(), p.message).Hash()
	w.write(`INSERT INTO message (id, campaign, step, patient, stratum, place, state, attempt, rings, shared, not_before, batch, released_at, deadline,
			look_at, looks, code, cost, token, phone_ix, sent_at, delivered_at, opened_at, answered_at)
		VALUES ($1, $2, 1, $3, 2, 1, 'delivered', 1, 0, $4, 0, 0, 0, 0, 0, 0, '', 0, $5, $6, $7, $7, 0, 0)`,
		p.message, w.campaign, p.patient, shared, p.token, w.db.phoneIndex(doc.phone()), testCivil.Add(-2*time.Hour).UnixMilli())
	return p
}

var (
	agnes = personDoc{Given: "Agnes", Family: "Arkwright", Born: "1950-02-01", NHS: "9990000018", Phone: "+447700900001"}
	basil = personDoc{Given: "Basil", Family: "Arkwright", Born: "1948-07-30", NHS: "9990000026", Phone: "+447700900001"}
	celia = personDoc{Given: "Celia", Family: "Cole", Born: "1961-12-24", NHS: "9990000034", Phone: "+447700900003"}
)

func form(id string, p texted, a selfrefer.Answers) selfrefer.Form {
	return selfrefer.Form{ID: id, Source: selfrefer.ByLink, TokenHash: p.token, Answers: a, At: testCivil}
}

// keep stores a form the way the domain does.
func (w *world) keep(f selfrefer.Form) (selfrefer.Receipt, error) {
	r := selfrefer.Receiver{Keeper: w.db, Now: func() time.Time { return testCivil }}
	return r.Receive(context.Background(), f)
}

// mustKeep stores a form and reads it back as a senior link worker sees it.
func (w *world) mustKeep(f selfrefer.Form) selfrefer.Referral {
	w.tb.Helper()
	rc, err := w.keep(f)
	w.must(err)
	id := w.count(`SELECT id FROM referral WHERE reference = $1`, rc.Reference)
	r, _, err := w.db.Referral(context.Background(), w.senior, selfrefer.ReferralID(id))
	w.must(err)
	return r
}

func mustPhone(tb testing.TB, s string) person.Phone {
	tb.Helper()
	p, err := person.ParseE164(s)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func wantErr(tb testing.TB, got, want error) {
	tb.Helper()
	if !errors.Is(got, want) {
		tb.Errorf("got error %v, want %v", got, want)
	}
}
