package desk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/cmd/wellpaced/api"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/throttle"
)

const testPassword = "three random words"

// bench is a network with one account of each role, a second network, and a desk over a real database.
type bench struct {
	tb     testing.TB
	db     *store.DB
	desk   *Handler
	server *httptest.Server
	router chi.Router
	log    *bytes.Buffer
	net    staff.Network
	team   staff.Team
	who    map[staff.Role]staff.Account
	away   map[staff.Role]staff.Account // the same in the other network
	forms  int
	data   string // folder

	mu           sync.Mutex
	now, machine time.Time
	tokens       map[staff.AccountID]string
}

func (b *bench) civil() time.Time { b.mu.Lock(); defer b.mu.Unlock(); return b.now }
func (b *bench) wall() time.Time  { b.mu.Lock(); defer b.mu.Unlock(); return b.machine }

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now, b.machine = b.now.Add(d), b.machine.Add(d)
}

var passwordHash = sync.OnceValue(func() string {
	hash, err := HashPassword(testPassword)
	if err != nil {
		panic(err)
	}
	return hash
})

func newBench(tb testing.TB) *bench {
	tb.Helper()
	ctx := context.Background()
	b := &bench{tb: tb, log: new(bytes.Buffer), who: map[staff.Role]staff.Account{}, away: map[staff.Role]staff.Account{}, tokens: map[staff.AccountID]string{},
		now: time.Date(2026, 6, 2, 8, 5, 0, 0, time.UTC), machine: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)} // a Tuesday, 9:05am
	b.data = tb.TempDir()
	b.db = must(store.Open(ctx, store.Config{DataDir: b.data, Keys: tb.TempDir() + "/keys", Now: b.civil, Machine: b.wall}))(tb)
	tb.Cleanup(func() {
		if err := b.db.Close(); err != nil {
			tb.Error(err)
		}
	})
	names := map[staff.Role]string{staff.Administrator: "Ada Price", staff.CampaignManager: "Cam Moore", staff.SeniorLinkWorker: "Sam Jones", staff.LinkWorker: "Lin Okafor", staff.Volunteer: "Val Green", staff.PracticeViewer: "Pat Lee"}
	for i, accounts := range []map[staff.Role]staff.Account{b.who, b.away} {
		n := must(b.db.CreateNetwork(ctx, staff.Network{Name: []string{"Riverside Primary Care Network", "Hill Primary Care Network"}[i], Phone: "0151 496 0100", Practices: []staff.Practice{{ODS: "N83006", Name: "Elm Tree Surgery"}}}))(tb)
		team := must(b.db.CreateTeam(ctx, staff.Team{Network: n.ID, Name: "Link workers", PromiseDays: 2}))(tb)
		if i == 0 {
			b.net, b.team = n, team
		}
		for _, role := range staff.Roles {
			a := staff.Account{Network: n.ID, Email: fmt.Sprintf("%s@%d.example", role, i), Name: names[role], Role: role}
			if role.Answers() {
				a.Team = team.ID
			}
			accounts[role] = must(b.db.CreateAccount(ctx, a, passwordHash()))(tb)
		}
	}
	b.server = httptest.NewUnstartedServer(nil)
	renderer := must(ui.New(ui.Config{}))(tb)
	logger := slog.New(slog.NewJSONHandler(b.log, nil))
	b.desk = must(New(Config{About: must(api.Page())(tb), Store: b.db, UI: renderer, Now: b.civil, Machine: b.wall, Log: logger, PublicURL: "http://" + b.server.Listener.Addr().String(), Demo: true, // no second factor, but where a test wants one
		Nav: func(_ staff.Account, path string) []ui.NavItem {
			return []ui.NavItem{{Text: "Queue", Href: queuePath, Current: strings.HasPrefix(path, queuePath)}, {Text: "Capacity", Href: rosterPath, Current: strings.HasPrefix(path, rosterPath)}}
		},
		ClientIP: func(r *http.Request) string { return r.Header.Get("Test-Address") }}))(tb)
	b.router = chi.NewRouter()
	b.router.Handle("/static/*", renderer.Static())
	b.router.Group(func(r chi.Router) {
		r.Use(renderer.Protect, b.desk.Authenticate)
		b.desk.Routes(r)
	})
	b.server.Config.Handler = b.router
	b.server.Start()
	tb.Cleanup(b.server.Close)
	return b
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// refer stores a self-referral of the first network.
func (b *bench) refer(a selfrefer.Answers, lane selfrefer.Lane) selfrefer.ReferralID {
	b.tb.Helper()
	b.forms++
	f := selfrefer.Form{ID: fmt.Sprint("form ", b.forms), Network: b.net.ID, Source: selfrefer.ByGeneral, Answers: a, At: b.civil()}
	rc := must(b.db.Keep(context.Background(), f, func(m selfrefer.Matched) selfrefer.Judgement {
		j := selfrefer.Judge(f, m, f.At)
		if !j.Urgent {
			j.Lane = lane
		}
		return j
	}))(b.tb)
	for _, r := range must(b.db.Queue(context.Background(), selfrefer.Filter{Network: b.net.ID, Limit: 500}))(b.tb) {
		if r.Reference == rc.Reference {
			return r.ID
		}
	}
	b.tb.Fatal("the referral is not in the queue")
	return 0
}

// token is an API token of an account.
func (b *bench) token(a staff.Account) string {
	b.tb.Helper()
	if b.tokens[a.ID] == "" {
		b.tokens[a.ID] = must(b.db.StartSession(context.Background(), a.ID, store.SessionAPI, "test", 365*24*time.Hour))(b.tb)
	}
	return b.tokens[a.ID]
}

type reply struct {
	status int
	header http.Header
	body   string
}

// send makes a request as an account; the zero account is nobody. A body that starts with { is JSON, any other a form.
func (b *bench) send(a staff.Account, method, path, body string) reply {
	b.tb.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" && body[0] == '{' {
		req.Header.Set("Content-Type", "application/json")
	} else if method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if a.ID != 0 {
		req.Header.Set("Authorization", "Bearer "+b.token(a))
	}
	req.Header.Set("Test-Address", fmt.Sprint(a.ID))
	return b.do(req)
}

func (b *bench) do(req *http.Request) reply {
	w := httptest.NewRecorder()
	b.router.ServeHTTP(w, req)
	return reply{w.Code, w.Header(), w.Body.String()}
}

// call makes an API call and decodes the answer.
func (b *bench) call(a staff.Account, method, path, body string, into any) int {
	b.tb.Helper()
	got := b.send(a, method, "/api/v1"+path, body)
	if into != nil {
		if err := json.Unmarshal([]byte(got.body), into); err != nil {
			b.tb.Fatalf("%s %s: %d %s: %v", method, path, got.status, got.body, err)
		}
	}
	return got.status
}

func (r reply) holds(tb testing.TB, status int, words ...string) {
	tb.Helper()
	if r.status != status {
		tb.Errorf("status %d, want %d: %.300s", r.status, status, r.body)
	}
	for _, w := range words {
		if !strings.Contains(r.body, w) {
			tb.Errorf("the page does not say %q", w)
			if os.Getenv("SHOW") != "" {
				tb.Log(r.body)
			}
		}
	}
}

func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v.Encode()
}

var usualWeek = throttle.Week{time.Monday: {From: 540, To: 1020}, time.Tuesday: {From: 540, To: 1020}, time.Wednesday: {From: 540, To: 780}}
