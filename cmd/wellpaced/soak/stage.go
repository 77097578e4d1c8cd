package soak

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	campaigndesk "github.com/wellpaced/wellpaced/campaign/desk"
	"github.com/wellpaced/wellpaced/campaign/patientlist"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/throttle"
)

// Everybody was born on this day, so that a browser can fill in anybody's form.
var born = time.Date(1950, time.June, 15, 0, 0, 0, 0, time.UTC)

const practice = "N83001"

// mobile is the number of the ith patient, as people write it.
func mobile(i int) string { return fmt.Sprintf("074%08d", 1_000_000+i) }

// international is how the provider writes it.
func international(i int) string { return "+44" + mobile(i)[1:] }

// nhsNumber counts up among those that begin with 999, which no patient's does; "" if these digits have no check digit.
func nhsNumber(six int) string {
	s, sum := fmt.Sprintf("999%06d", six), 0
	for k, c := range s {
		sum += int(c-'0') * (10 - k)
	}
	switch check := (11 - sum%11) % 11; {
	case check == 10, six == 999_999:
		return ""
	default:
		return s + strconv.Itoa(check)
	}
}

// list writes the patients that are asked for in the shape of a GP system's export.
func list(n int, wanted func(i int) bool) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"NHS number", "First name", "Surname", "DOB", "Telephone - mobile", "Registered practice ID"}}
	for i, six := 0, 0; i < n; six++ {
		nhs := nhsNumber(six)
		if nhs == "" {
			continue
		}
		if wanted(i) {
			rows = append(rows, []string{nhs, "Sam", "Testperson", born.Format("02/01/2006"), mobile(i), practice})
		}
		i++
	}
	err := w.WriteAll(rows)
	return b.Bytes(), err
}

// staged is what the stage has been set with.
type staged struct {
	campaign campaign.ID
	token    string // of an administrator, for the API
}

// stage makes a network, uploads the list through the manager's own door, and launches a campaign that sends day and night, as fast as the
// sender may: the pacer's wisdom is not on trial here.
func (s *soak) stage(ctx context.Context, site string) (staged, error) {
	var st staged
	db, err := store.Open(ctx, store.Config{Database: s.cfg.Database, DataDir: s.folder(firstData), Keys: s.keys(), Now: time.Now, Machine: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return st, err
	}
	defer db.Close()
	n, err := db.CreateNetwork(ctx, staff.Network{Name: "Soak PCN", Sender: sender, LinkHost: site, Phone: "0151 496 0000", Practices: []staff.Practice{{ODS: practice, Name: "Soak Surgery", Phone: "0151 496 0001"}}})
	if err != nil {
		return st, fmt.Errorf("make a network: %w", err)
	}
	team, err := db.CreateTeam(ctx, staff.Team{Network: n.ID, Name: "Link workers", PromiseDays: 2})
	if err != nil {
		return st, fmt.Errorf("make a team: %w", err)
	}
	var people [2]staff.Account // one submits, the other approves
	for i := range people {
		people[i], err = db.CreateAccount(ctx, staff.Account{Network: n.ID, Email: fmt.Sprintf("%d@soak.example", i), Name: "Administrator", Role: staff.Administrator}, "x")
		if err != nil {
			return st, fmt.Errorf("make an account: %w", err)
		}
	}
	rows, err := list(s.cfg.Patients, func(int) bool { return true })
	if err != nil {
		return st, fmt.Errorf("write the list: %w", err)
	}
	audience, err := campaigndesk.Import(ctx, campaigndesk.ImportConfig{
		Begin: func(ctx context.Context) (campaign.Importer, error) {
			return db.BeginImport(ctx, people[0], "soak.csv", true, false)
		},
		Reader: bytes.NewReader(rows), Options: patientlist.Options{Today: time.Now()},
	})
	if err != nil {
		return st, fmt.Errorf("upload the list: %w", err)
	}
	var always throttle.Week
	for d := range always {
		always[d] = throttle.Hours{From: 0, To: 24 * 60}
	}
	c, err := db.CreateCampaign(ctx, people[0], campaign.Campaign{Audience: audience.ID, Team: team.ID, Name: "Soak", Seed: s.cfg.Seed,
		Steps:  []campaign.Step{{Number: 1, Template: "((first_name)) ((link)) Stop: ((stop_link))"}},
		Policy: campaign.Policy{Price: 240, Rate: max(1, s.rate()), Windows: always, Blast: true}})
	if err != nil {
		return st, fmt.Errorf("make a campaign: %w", err)
	}
	st.campaign = c.ID
	if _, err := db.MoveCampaign(ctx, people[0], c.ID, campaign.Submit); err != nil {
		return st, fmt.Errorf("submit it: %w", err)
	}
	if err := db.ApprovePractice(ctx, people[1], c.ID, practice); err != nil {
		return st, fmt.Errorf("approve it for the practice: %w", err)
	}
	if _, err := db.ApproveCampaign(ctx, people[1], c.ID, campaign.Approval{People: audience.Ledger.Invited}); err != nil {
		return st, fmt.Errorf("approve it: %w", err)
	}
	if _, err := db.MoveCampaign(ctx, people[1], c.ID, campaign.Launch); err != nil {
		return st, fmt.Errorf("launch it: %w", err)
	}
	st.token, err = db.StartSession(ctx, people[0].ID, "api", "soak", 7*24*time.Hour)
	return st, err
}
