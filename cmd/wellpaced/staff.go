package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/wellpaced/wellpaced/campaign"
	referdesk "github.com/wellpaced/wellpaced/selfrefer/desk"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/store"
)

// staffCmd sets up who works here. Its commands work beside a running serve.
type staffCmd struct {
	Network   staffNetworkCmd   `cmd:"" help:"Add a network with its practices and a team."`
	Practices staffPracticesCmd `cmd:"" help:"Add practices to a network, or change the name and number of known ones."`
	TextBack  staffTextBackCmd  `cmd:"" help:"Decide whether people who send a network's form get a text back, and texts while they wait, if they say that it is safe."`
	OnePerson staffOnePersonCmd `cmd:"" help:"Decide whether whoever submits a campaign of at most 200 people may approve it too. Otherwise, and for every larger one, there are always two."`
	Add       staffAddCmd       `cmd:"" help:"Add somebody to a network."`
	Invite    staffInviteCmd    `cmd:"" help:"Invite somebody to a network. Prints a link, by which they choose their password; it is shown once."`
	Reset     staffResetCmd     `cmd:"" help:"Take away all that somebody signs in by, because they have lost it, and print a new link."`
	Token     staffTokenCmd     `cmd:"" help:"Make an API token. It is shown once."`
}

// beside opens the store for a command that works beside a running serve.
func (s settings) beside(ctx context.Context, to std) (*store.DB, error) {
	return store.Open(ctx, store.Config{Database: s.Database, DataDir: s.Data, Keys: s.Keys, Now: time.Now, Machine: time.Now, Logger: s.logger(to.err).With("comp", "store")})
}

// besideNetwork is beside, and the network that a command is about.
func (s settings) besideNetwork(ctx context.Context, to std, name string) (*store.DB, staff.Network, error) {
	db, err := s.beside(ctx, to)
	if err != nil {
		return nil, staff.Network{}, err
	}
	n, err := networkNamed(ctx, db, name)
	if err != nil {
		return nil, n, errors.Join(err, db.Close())
	}
	return db, n, nil
}

type staffNetworkCmd struct {
	settings  `embed:""`
	Name      string `arg:"" help:"The network's name, as patients know it."`
	Sender    string `required:"" help:"What the texts come from: a name of at most 11 characters, or a number."`
	LinkHost  string `required:"" placeholder:"URL" help:"Scheme and host of the links in texts."`
	Phone     string `required:"" help:"The number to ring instead."`
	Practices string `required:"" type:"existingfile" help:"CSV of the practices: ODS code, name, phone."`
	Team      string `default:"Link workers" help:"Name of the team that answers."`
	Promise   int    `default:"2" help:"Wait for a first contact that patients are told, in working days."`
	JSON      bool   `help:"Print JSON."`
}

func (c *staffNetworkCmd) Run(ctx context.Context, to std) error {
	practices, err := readPractices(c.Practices)
	if err != nil {
		return err
	}
	if len(c.Sender) > 11 && !strings.HasPrefix(c.Sender, "+") {
		return usageError{errors.New("a sender's name has at most 11 characters")}
	}
	db, err := c.beside(ctx, to)
	if err != nil {
		return err
	}
	defer db.Close()
	n, err := db.CreateNetwork(ctx, staff.Network{Name: c.Name, Sender: c.Sender, LinkHost: strings.TrimSuffix(c.LinkHost, "/"), Phone: c.Phone, Practices: practices})
	if err != nil {
		return err
	}
	t, err := db.CreateTeam(ctx, staff.Team{Network: n.ID, Name: c.Team, PromiseDays: c.Promise})
	if err != nil {
		return err
	}
	return report(to.out, c.JSON, map[string]any{"network": int64(n.ID), "team": int64(t.ID), "practices": len(practices)},
		fmt.Sprintf("Network %d %q with %s, team %d %q.", n.ID, n.Name, countPractices(len(practices)), t.ID, t.Name))
}

func countPractices(n int) string {
	if n == 1 {
		return "1 practice"
	}
	return fmt.Sprintf("%d practices", n)
}

type staffPracticesCmd struct {
	settings `embed:""`
	File     string `arg:"" type:"existingfile" help:"CSV of the practices: ODS code, name, phone."`
	Network  string `help:"Name of the network; not needed if there is one only."`
	JSON     bool   `help:"Print JSON."`
}

func (c *staffPracticesCmd) Run(ctx context.Context, to std) error {
	practices, err := readPractices(c.File)
	if err != nil {
		return err
	}
	db, n, err := c.besideNetwork(ctx, to, c.Network)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.AddPractices(ctx, n.ID, practices); err != nil {
		return err
	}
	return report(to.out, c.JSON, map[string]any{"network": int64(n.ID), "practices": len(practices)},
		fmt.Sprintf("%s added to %q or brought up to date.", countPractices(len(practices)), n.Name))
}

type staffTextBackCmd struct {
	settings `embed:""`
	Switch   string `arg:"" enum:"on,off" help:"on or off."`
	Network  string `help:"Name of the network; not needed if there is one only."`
	JSON     bool   `help:"Print JSON."`
}

func (c *staffTextBackCmd) Run(ctx context.Context, to std) error {
	db, n, err := c.besideNetwork(ctx, to, c.Network)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.SetTextBack(ctx, n.ID, c.Switch == "on"); err != nil {
		return err
	}
	words := fmt.Sprintf("Nobody gets a text back, or one while they wait, who sends the form of %q.", n.Name)
	if c.Switch == "on" {
		words = fmt.Sprintf("People who send the form of %q get a text back, and texts while they wait, if they say that it is safe.", n.Name)
	}
	return report(to.out, c.JSON, map[string]any{"network": int64(n.ID), "text_back": c.Switch == "on"}, words)
}

type staffOnePersonCmd struct {
	settings `embed:""`
	Switch   string `arg:"" enum:"on,off" help:"on or off."`
	Network  string `help:"Name of the network; not needed if there is one only."`
	JSON     bool   `help:"Print JSON."`
}

func (c *staffOnePersonCmd) Run(ctx context.Context, to std) error {
	db, n, err := c.besideNetwork(ctx, to, c.Network)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.SetOnePerson(ctx, n.ID, c.Switch == "on"); err != nil {
		return err
	}
	words := fmt.Sprintf("Every campaign of %q needs a second person who approves it.", n.Name)
	if c.Switch == "on" {
		words = fmt.Sprintf("Whoever submits a campaign of %q for at most %d people may approve it too. A larger one needs a second person.", n.Name, campaign.OnePersonMost)
	}
	return report(to.out, c.JSON, map[string]any{"network": int64(n.ID), "one_person": c.Switch == "on"}, words)
}

func readPractices(path string) (all []staff.Practice, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the practices: %w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord, r.TrimLeadingSpace = -1, true
	for line := 1; ; line++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the practices: %w", err)
		}
		if len(row) < 2 {
			return nil, fmt.Errorf("line %d of the practices: write ODS code, name, phone", line)
		}
		if line == 1 && strings.Contains(strings.ToLower(row[0]), "ods") {
			continue
		}
		p := staff.Practice{ODS: strings.ToUpper(strings.TrimSpace(row[0])), Name: strings.TrimSpace(row[1])}
		if len(row) > 2 {
			p.Phone = strings.TrimSpace(row[2])
		}
		all = append(all, p)
	}
}

type staffAddCmd struct {
	settings     `embed:""`
	Email        string   `arg:"" help:"E-mail address: the name to sign in with."`
	Name         string   `required:"" help:"Full name."`
	Role         string   `required:"" help:"administrator, campaign_manager, senior_link_worker, link_worker, volunteer or practice_viewer."`
	Network      string   `help:"Name of the network; not needed if there is one only."`
	Practice     []string `placeholder:"ODS" help:"Of a practice viewer: whose practice it is. May be given several times."`
	PasswordFile string   `type:"existingfile" help:"File with the password. Otherwise it is asked for, or made up and shown once."`
	JSON         bool     `help:"Print JSON."`
}

func (c *staffAddCmd) Run(ctx context.Context, to std) error {
	role, err := staff.ParseRole(c.Role)
	if err != nil {
		return usageError{err}
	}
	db, err := c.beside(ctx, to)
	if err != nil {
		return err
	}
	defer db.Close()
	a, err := newAccount(ctx, db, c.Network, staff.Account{Email: c.Email, Name: c.Name, Role: role}.WithPractices(c.Practice))
	if err != nil {
		return err
	}
	password, made, err := c.password(to)
	if err != nil {
		return err
	}
	hash, err := referdesk.HashPassword(password)
	if err != nil {
		return err
	}
	if a, err = db.CreateAccount(ctx, a, hash); err != nil {
		return err
	}
	out := map[string]any{"account": int64(a.ID)}
	words := fmt.Sprintf("%s can sign in as %s.", a.Name, a.Email)
	if made {
		out["password"] = password
		words += " Password, shown once: " + password
	}
	return report(to.out, c.JSON, out, words)
}

// password reads a file, asks on a terminal, or makes one up.
func (c *staffAddCmd) password(to std) (password string, made bool, err error) {
	if c.PasswordFile != "" {
		p, err := secret("").or(c.PasswordFile)
		return p, false, err
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) || c.JSON {
		return strings.ToLower(rand.Text()[:16]), true, nil
	}
	fmt.Fprint(to.err, "Password (at least 12 characters; empty to have one made): ")
	b, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(to.err)
	if err != nil {
		return "", false, fmt.Errorf("read the password: %w", err)
	}
	if len(b) == 0 {
		return strings.ToLower(rand.Text()[:16]), true, nil
	}
	return string(b), false, nil
}

type staffInviteCmd struct {
	settings  `embed:""`
	Email     string   `arg:"" help:"E-mail address: the name to sign in with."`
	Name      string   `required:"" help:"Full name."`
	Role      string   `required:"" help:"administrator, campaign_manager, senior_link_worker, link_worker, volunteer or practice_viewer."`
	Network   string   `help:"Name of the network; not needed if there is one only."`
	Practice  []string `placeholder:"ODS" help:"Of a practice viewer: whose practice it is. May be given several times."`
	PublicURL string   `env:"WELLPACED_PUBLIC_URL" required:"" placeholder:"URL" help:"How people reach the site."`
	JSON      bool     `help:"Print JSON."`
}

func (c *staffInviteCmd) Run(ctx context.Context, to std) error {
	role, err := staff.ParseRole(c.Role)
	if err != nil {
		return usageError{err}
	}
	db, err := c.beside(ctx, to)
	if err != nil {
		return err
	}
	defer db.Close()
	a, err := newAccount(ctx, db, c.Network, staff.Account{Email: c.Email, Name: c.Name, Role: role}.WithPractices(c.Practice))
	if err != nil {
		return err
	}
	if role == staff.PracticeViewer && a.Practices == "" {
		return usageError{errors.New("say whose practice viewer they are: --practice ODS")}
	}
	a, invitation, err := db.OperatorInvites(ctx, a)
	if err != nil {
		return err
	}
	return reportLink(to.out, c.JSON, a, c.PublicURL, invitation)
}

func reportLink(w io.Writer, asJSON bool, a staff.Account, publicURL, invitation string) error {
	link := referdesk.InvitationLink(publicURL, invitation)
	return report(w, asJSON, map[string]any{"account": int64(a.ID), "link": link}, fmt.Sprintf("Give this link to %s and nobody else. It works once, and for 3 days:\n%s", a.Name, link))
}

type staffResetCmd struct {
	settings  `embed:""`
	Email     string `arg:"" help:"Whose password, second factors and sessions are taken away."`
	PublicURL string `env:"WELLPACED_PUBLIC_URL" required:"" placeholder:"URL" help:"How people reach the site."`
	JSON      bool   `help:"Print JSON."`
}

func (c *staffResetCmd) Run(ctx context.Context, to std) error {
	db, err := c.beside(ctx, to)
	if err != nil {
		return err
	}
	defer db.Close()
	a, _, err := db.AccountByEmail(ctx, c.Email)
	if errors.Is(err, staff.ErrSignIn) {
		return fmt.Errorf("find %s: there is no such account", c.Email)
	}
	if err != nil {
		return fmt.Errorf("find %s: %w", c.Email, err)
	}
	a, invitation, err := db.OperatorResets(ctx, a.ID)
	if err != nil {
		return err
	}
	return reportLink(to.out, c.JSON, a, c.PublicURL, invitation)
}

// newAccount places somebody new: in the network, and in its team if they answer people.
func newAccount(ctx context.Context, db *store.DB, network string, a staff.Account) (staff.Account, error) {
	n, err := networkNamed(ctx, db, network)
	if err != nil {
		return a, err
	}
	teams, err := db.NetworkTeams(ctx, n.ID)
	if err != nil {
		return a, err
	}
	a.Network = n.ID
	if a.Role.Answers() && len(teams) > 0 {
		a.Team = teams[0].ID
	}
	return a, nil
}

type staffTokenCmd struct {
	settings `embed:""`
	Email    string        `arg:"" help:"Whose token: it may do what they may."`
	Label    string        `default:"api" help:"What it is for."`
	Valid    time.Duration `default:"2160h" help:"How long it works."`
	JSON     bool          `help:"Print JSON."`
}

func (c *staffTokenCmd) Run(ctx context.Context, to std) error {
	db, err := c.beside(ctx, to)
	if err != nil {
		return err
	}
	defer db.Close()
	a, _, err := db.AccountByEmail(ctx, c.Email)
	if err != nil {
		return fmt.Errorf("find %s: %w", c.Email, err)
	}
	token, err := db.StartSession(ctx, a.ID, "api", c.Label, c.Valid)
	if err != nil {
		return err
	}
	return report(to.out, c.JSON, map[string]any{"token": token}, token)
}

func networkNamed(ctx context.Context, db *store.DB, name string) (staff.Network, error) {
	all, err := db.Networks(ctx)
	if err != nil {
		return staff.Network{}, err
	}
	if len(all) == 1 && name == "" {
		return all[0], nil
	}
	var names []string
	for _, n := range all {
		if strings.EqualFold(n.Name, name) {
			return n, nil
		}
		names = append(names, n.Name)
	}
	if len(all) == 0 {
		return staff.Network{}, errors.New("there is no network yet: add one with wellpaced staff network")
	}
	return staff.Network{}, usageError{fmt.Errorf("say which --network: %s", strings.Join(names, ", "))}
}

// report prints data as JSON for scripts, or words for people.
func report(w io.Writer, asJSON bool, data any, words string) error {
	b := bufio.NewWriter(w)
	if asJSON {
		enc := json.NewEncoder(b)
		if err := enc.Encode(data); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return b.Flush()
	}
	fmt.Fprintln(b, words)
	return b.Flush()
}
