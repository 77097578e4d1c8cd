package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/cmd/wellpaced/town"
	"github.com/wellpaced/wellpaced/selfrefer/desk"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/throttle"
)

// demoNetwork is made up, and so are its numbers: Ofcom keeps them free for drama. The sender is a number so that phones can answer STOP.
var demoNetwork = staff.Network{
	Name: "Knowsley Riverside PCN", Sender: "+447700900555", Phone: "0151 496 0100",
	Practices: []staff.Practice{
		{ODS: "N99001", Name: "Riverside Surgery", Phone: "0151 496 0101"}, {ODS: "N99002", Name: "Mill Lane Practice", Phone: "0151 496 0102"},
		{ODS: "N99003", Name: "Oak Tree Medical Centre", Phone: "0151 496 0103"}, {ODS: "N99004", Name: "Station Road Surgery", Phone: "0151 496 0104"},
		{ODS: "N99005", Name: "The Cedars", Phone: "0151 496 0105"}, {ODS: "N99006", Name: "Park View Practice", Phone: "0151 496 0106"},
		{ODS: "N99007", Name: "Bridge Street Surgery", Phone: "0151 496 0107"}, {ODS: "N99008", Name: "St Mary's Health Centre", Phone: "0151 496 0108"},
		{ODS: "N99009", Name: "Hillside Practice", Phone: "0151 496 0109"}, {ODS: "N99010", Name: "Canal Side Surgery", Phone: "0151 496 0110"},
	},
}

const (
	demoTeam     = "Riverside link workers"
	demoCampaign = "Would a chat help?"
	demoList     = "Riverside patients"
)

// demoPerson is somebody who can sign in.
type demoPerson struct {
	email, name string
	role        staff.Role
	works       throttle.Worker // for those who answer
	leaveFrom   int             // days after the start at which five working days of leave begin; 0 is none
}

func hours(from, to int, days ...time.Weekday) (w throttle.Week) {
	for _, d := range days {
		w[d] = throttle.Hours{From: from, To: to}
	}
	return w
}

// demoStaff can make about eighteen first contacts in a working day, together. Fewer would keep the promise as well, but a list may be used
// for 28 days at most, and the town has no second one to screen it against: 43,000 texts must be out by then.
var demoStaff = []demoPerson{
	{email: "manager@riverside.example", name: "Morgan Hale", role: staff.CampaignManager},
	{email: "approver@riverside.example", name: "Priya Nair", role: staff.CampaignManager},
	{email: "admin@riverside.example", name: "Sam Adeyemi", role: staff.Administrator},
	{email: "anna@riverside.example", name: "Anna Whitfield", role: staff.SeniorLinkWorker,
		works: throttle.Worker{Week: hours(9*60, 17*60, 1, 2, 3, 4, 5), FirstContact: .5, Minutes: 45, Places: 110}},
	{email: "ben@riverside.example", name: "Ben Ashton", role: staff.LinkWorker, leaveFrom: 7,
		works: throttle.Worker{Week: hours(9*60, 17*60, 1, 2, 3, 4, 5), FirstContact: .5, Minutes: 45, Places: 110}},
	{email: "chloe@riverside.example", name: "Chloe Rimmer", role: staff.LinkWorker,
		works: throttle.Worker{Week: hours(9*60, 17*60, 1, 2, 3), FirstContact: .5, Minutes: 45, Places: 80}},
	{email: "dev@riverside.example", name: "Dev Patel", role: staff.LinkWorker,
		works: throttle.Worker{Week: hours(9*60+30, 13*60+30, 1, 2, 3, 4, 5), FirstContact: .5, Minutes: 45, Places: 70}},
	{email: "erin@riverside.example", name: "Erin Lunt", role: staff.Volunteer,
		works: throttle.Worker{Week: hours(10*60, 15*60, 2, 4), FirstContact: .7, Minutes: 45, Places: 40}},
}

// tokenLife of the demo's own API tokens, in machine time. Each run makes new ones.
const tokenLife = 60 * 24 * time.Hour

// settle brings the demo to the launch of its campaign, an empty one to where a manager begins. Every step looks first whether it has been taken: a demo that was killed half-way
// goes on from there.
func (d *demo) settle(ctx context.Context) error {
	n, err := d.settleNetwork(ctx)
	if err != nil {
		return fmt.Errorf("set up the network: %w", err)
	}
	token, err := d.settleStaff(ctx, n)
	if err != nil {
		return fmt.Errorf("set up the staff: %w", err)
	}
	if d.charter.Empty {
		return d.writeList()
	}
	if err := d.settleServices(ctx, n); err != nil {
		return fmt.Errorf("set up the directory: %w", err)
	}
	list, err := d.settleList(ctx, token["manager@riverside.example"])
	if err != nil {
		return fmt.Errorf("upload the list: %w", err)
	}
	if err := d.settleCampaign(ctx, n, list, token); err != nil {
		return fmt.Errorf("set up the campaign: %w", err)
	}
	return nil
}

func (d *demo) settleNetwork(ctx context.Context) (staff.Network, error) {
	all, err := d.app.db.Networks(ctx)
	if err != nil {
		return staff.Network{}, err
	}
	var n staff.Network
	for _, x := range all {
		if x.Name != demoNetwork.Name {
			return n, usageError{errors.New("this database holds somebody's real network; give the demo one of its own")}
		}
		n = x
	}
	if n.ID == 0 {
		n = demoNetwork
		n.LinkHost = d.app.PublicURL
		if n, err = d.app.db.CreateNetwork(ctx, n); err != nil {
			return n, err
		}
	}
	d.home.network = n.ID
	teams, err := d.app.db.NetworkTeams(ctx, n.ID)
	if err != nil {
		return n, err
	}
	if len(teams) == 0 {
		t, err := d.app.db.CreateTeam(ctx, staff.Team{Network: n.ID, Name: demoTeam, PromiseDays: 2})
		if err != nil {
			return n, err
		}
		teams = []staff.Team{t}
	}
	d.home.team = teams[0].ID
	return n, nil
}

// settleStaff gives everybody an account, and the link workers their rota; it returns API tokens by e-mail address.
func (d *demo) settleStaff(ctx context.Context, n staff.Network) (map[string]string, error) {
	tokens, admin := map[string]string{}, staff.Account{}
	var hash string
	var roster []throttle.Worker
	for _, p := range demoStaff {
		a, _, err := d.app.db.AccountByEmail(ctx, p.email)
		if errors.Is(err, staff.ErrSignIn) {
			if hash == "" {
				if hash, err = desk.HashPassword(d.charter.Password); err != nil {
					return nil, err
				}
			}
			a = staff.Account{Network: n.ID, Email: p.email, Name: p.name, Role: p.role}
			if p.role.Answers() {
				a.Team = d.home.team
			}
			a, err = d.app.db.CreateAccount(ctx, a, hash)
		}
		if err != nil {
			return nil, err
		}
		if tokens[p.email], err = d.app.db.StartSession(ctx, a.ID, store.SessionAPI, "demo", tokenLife); err != nil {
			return nil, err
		}
		if a.Role == staff.Administrator {
			admin = a
		}
		if p.email == "manager@riverside.example" && !d.charter.Empty { // else it is whoever sits at the keyboard
			d.home.manager = town.Hand{Account: a.ID, Role: a.Role, Token: tokens[p.email]}
		}
		if !p.role.Answers() {
			continue
		}
		d.home.hands = append(d.home.hands, town.Hand{Account: a.ID, Role: a.Role, Token: tokens[p.email]})
		w := p.works
		w.ID = fmt.Sprint(int64(a.ID))
		if p.leaveFrom > 0 {
			y, m, day := d.charter.Start.In(town.London).Date()
			w.Leave = []throttle.Span{{From: time.Date(y, m, day+p.leaveFrom, 0, 0, 0, 0, town.London), To: time.Date(y, m, day+p.leaveFrom+5, 0, 0, 0, 0, town.London)}}
		}
		roster = append(roster, w)
	}
	// Once: what somebody changes on the page while the demo runs is theirs.
	_, have, err := d.app.db.Capacity(ctx, d.home.team)
	if err == nil && len(have) == 0 {
		err = d.app.db.SetCapacity(ctx, admin, d.home.team, roster)
	}
	return tokens, err
}

// demoListed is a list as the API tells it.
type demoListed struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"`
	campaign.Ledger
}

// settleList uploads the made-up list by the door that a manager uses.
func (d *demo) settleList(ctx context.Context, token string) (demoListed, error) {
	var have struct {
		Lists []demoListed `json:"lists"`
	}
	if err := d.call(ctx, token, http.MethodGet, "/api/v1/lists", nil, &have); err != nil {
		return demoListed{}, err
	}
	for _, l := range have.Lists {
		if l.Name == demoList && l.State == string(campaign.Screened) {
			return l, nil
		}
	}
	fmt.Fprintf(d.err, "Making up a list of %d patients and uploading it …\n", d.charter.Patients)
	r, w := io.Pipe()
	m := multipart.NewWriter(w)
	go func() {
		err := m.WriteField("name", demoList)
		var file io.Writer
		if err == nil {
			file, err = m.CreateFormFile("file", "riverside.csv")
		}
		if err == nil {
			err = town.WriteList(file, d.charter.Seed, d.charter.Patients, demoNetwork.Practices, d.charter.Start)
		}
		if err == nil {
			err = m.Close()
		}
		_ = w.CloseWithError(err) // nil is the end of the file
	}()
	var l demoListed
	err := d.send(ctx, token, http.MethodPost, "/api/v1/lists", m.FormDataContentType(), r, &l)
	_ = r.Close()
	if err != nil {
		return l, err
	}
	return l, printLedger(d.err, campaign.Audience{Name: l.Name, Ledger: l.Ledger})
}

// demoCampaigned is a campaign as the API tells it.
type demoCampaigned struct {
	ID       int64      `json:"id"`
	Name     string     `json:"name"`
	State    string     `json:"state"`
	Hash     string     `json:"hash"`
	Launched *time.Time `json:"launched_at"`
	Planning bool       `json:"planning"`
}

// settleCampaign makes the campaign, has it approved by the practices and by a second person, and launches it.
func (d *demo) settleCampaign(ctx context.Context, n staff.Network, list demoListed, token map[string]string) error {
	manager, approver, admin := token["manager@riverside.example"], token["approver@riverside.example"], token["admin@riverside.example"]
	var have struct {
		Campaigns []demoCampaigned `json:"campaigns"`
	}
	if err := d.call(ctx, manager, http.MethodGet, "/api/v1/campaigns", nil, &have); err != nil {
		return err
	}
	id := int64(0)
	for _, c := range have.Campaigns {
		if c.Name == demoCampaign {
			id = c.ID
		}
	}
	if id == 0 {
		who, _, err := d.app.db.AccountByEmail(ctx, "manager@riverside.example")
		if err != nil {
			return err
		}
		// Not by the page: it offers neither a blast nor the longest age of a list.
		c, err := d.app.db.CreateCampaign(ctx, who, campaign.Campaign{Network: n.ID, Team: d.home.team, Audience: campaign.AudienceID(list.ID), Name: demoCampaign,
			Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText, Translations: demoTranslations()}}, Policy: d.charter.policyOf(), Seed: d.charter.Seed})
		if err != nil {
			return err
		}
		id = int64(c.ID)
	}
	d.home.campaign = campaign.ID(id)
	path := fmt.Sprintf("/api/v1/campaigns/%d", id)
	for {
		var c demoCampaigned
		if err := d.call(ctx, manager, http.MethodGet, path, nil, &c); err != nil {
			return err
		}
		var err error
		switch campaign.State(c.State) {
		case campaign.Draft:
			err = d.call(ctx, manager, http.MethodPost, path+"/submit", nil, nil)
		case campaign.Submitted:
			for _, p := range demoNetwork.Practices {
				if err == nil {
					err = d.call(ctx, admin, http.MethodPost, path+"/practices/"+p.ODS+"/approve", map[string]string{"note": "Made up, for the demo"}, nil)
				}
			}
			if err == nil {
				err = d.call(ctx, approver, http.MethodPost, path+"/approve", map[string]any{"hash": c.Hash, "people": list.Ledger.Invited}, nil)
			}
		case campaign.Approved:
			err = d.call(ctx, manager, http.MethodPost, path+"/launch", map[string]string{"hash": c.Hash}, nil)
		default:
			if c.Launched == nil {
				return fmt.Errorf("the campaign is %s and was never launched", c.State)
			}
			if !c.Planning {
				d.home.launched = c.Launched.In(town.London)
				return nil
			}
			err = sleep(ctx, 50*time.Millisecond)
		}
		if err != nil {
			return err
		}
	}
}

// demoTranslations are those that are ready. No professional has reviewed them, and nobody real reads them here.
func demoTranslations() map[lang.Code]campaign.Translation {
	all := map[lang.Code]campaign.Translation{}
	for _, l := range lang.All {
		if ready, ok := campaign.Ready(l.Code); ok {
			all[l.Code] = campaign.Translation{Text: ready.Text}
		}
	}
	return all
}

// call asks the API with a JSON body, or none.
func (d *demo) call(ctx context.Context, token, method, path string, body, answer any) error {
	if body == nil {
		return d.send(ctx, token, method, path, "", nil, answer)
	}
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write a call: %w", err)
	}
	return d.send(ctx, token, method, path, "application/json", bytes.NewReader(b), answer)
}

func (d *demo) send(ctx context.Context, token, method, path, kind string, body io.Reader, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, d.app.PublicURL+path, body)
	if err != nil {
		return fmt.Errorf("make a call: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("call the site: %w", err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	if res.StatusCode >= 400 {
		var p struct {
			Detail string `json:"detail"`
		}
		_ = json.Unmarshal(b, &p) // an answer that is no problem+json has no detail
		return fmt.Errorf("%s %s: answered %d: %s", method, path, res.StatusCode, p.Detail)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("read an answer: %w", err)
	}
	return nil
}
