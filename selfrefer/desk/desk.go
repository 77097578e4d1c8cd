package desk

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

//go:embed *.html
var screens embed.FS

// Sessions signs people in. SessionAccount and AccountByEmail answer [staff.ErrSignIn] for what they do not know.
type Sessions interface {
	AccountByEmail(ctx context.Context, email string) (a staff.Account, passwordHash string, err error)
	StartSession(ctx context.Context, account staff.AccountID, kind, name string, ttl time.Duration) (secret string, err error)
	SessionAccount(ctx context.Context, secret string) (staff.Account, error)
	EndSession(ctx context.Context, secret string) error
}

// Directory says who works where.
type Directory interface {
	Network(ctx context.Context, id staff.NetworkID) (staff.Network, error)
	NetworkTeams(ctx context.Context, n staff.NetworkID) ([]staff.Team, error)
	Accounts(ctx context.Context, n staff.NetworkID) ([]staff.Account, error)
}

// Roster is what a team has declared. In Capacity, Places are the caseload limits; in Workers, what is left of them.
type Roster interface {
	Capacity(ctx context.Context, team staff.TeamID) (staff.Team, []throttle.Worker, error)
	Workers(ctx context.Context, team staff.TeamID) ([]throttle.Worker, error)
}

// RosterEditor changes it. Each method asks [staff.May] again and audits in the same transaction.
type RosterEditor interface {
	SetCapacity(ctx context.Context, who staff.Account, team staff.TeamID, roster []throttle.Worker) error
	SetWorker(ctx context.Context, who staff.Account, account staff.AccountID, w throttle.Worker) error
	AddLeave(ctx context.Context, who staff.Account, account staff.AccountID, leave throttle.Span) (int64, error)
	RemoveLeave(ctx context.Context, who staff.Account, account staff.AccountID, leave throttle.Span) error
}

// Store is all that the desk asks of the database.
type Store interface {
	Sessions
	Directory
	Roster
	RosterEditor
	selfrefer.Triage
	selfrefer.Editor
	selfrefer.OptOuts
	staff.Auditor
}

// Config of a Handler. Everything is needed except where a zero value is explained.
type Config struct {
	Store Store
	UI    *ui.Renderer
	// Nav is the menu for somebody on a path.
	Nav     func(who staff.Account, path string) []ui.NavItem
	Now     func() time.Time // civil
	Machine func() time.Time
	Log     *slog.Logger
	// Secure says that the site is reached by https: the cookie then never travels without.
	Secure bool
	// ClientIP is the address that a request comes from, behind proxies that are trusted.
	ClientIP func(*http.Request) string
	// Calendar is the networks' own; the zero value is England's.
	Calendar throttle.Calendar
}

// Handler serves the link workers' pages and API.
type Handler struct {
	Config
	zone *time.Location
	slow *slowdown
	// hashing bounds how many passwords are checked at a time: each check takes 19 MB on purpose.
	hashing chan struct{}
}

// New parses the screens. It fails on a mistake of the operator's or of the caller's Config.
func New(c Config) (*Handler, error) {
	if c.Store == nil || c.UI == nil || c.Nav == nil || c.Now == nil || c.Machine == nil || c.Log == nil || c.ClientIP == nil {
		return nil, errors.New("the link workers' desk: every field of Config but Secure and Calendar must be set")
	}
	h := &Handler{Config: c, zone: c.Calendar.Location, slow: newSlowdown(), hashing: make(chan struct{}, 2)}
	if h.zone == nil {
		var err error
		if h.zone, err = time.LoadLocation("Europe/London"); err != nil { // package throttle embeds it
			return nil, fmt.Errorf("load the time zone: %w", err)
		}
	}
	if err := c.UI.Parse(screens, "*.html"); err != nil {
		return nil, fmt.Errorf("the link workers' desk: %w", err)
	}
	return h, nil
}

// show fills in what every page of the desk has around it, and draws it.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, status int, screen string, p ui.Page) error {
	who := staff.From(r.Context())
	network, err := h.Store.Network(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read the network: %w", err)
	}
	p.Kind = ui.Desk
	p.Organisation, p.Home = network.Name, homePath
	p.Nav = h.Nav(who, r.URL.Path)
	p.User, p.SignOutURL = who.Name, signOutPath
	if p.Alerts, err = h.Alerts(r.Context(), who); err != nil {
		return err
	}
	h.UI.Render(w, r, status, screen, p)
	return nil
}

// invalid is what somebody entered that cannot be taken, in the order of the page.
type invalid []ui.FieldError

// Error joins the sentences, which hold nothing of what was entered.
func (e invalid) Error() string {
	s := ""
	for i, f := range e {
		if i > 0 {
			s += " "
		}
		s += f.Sentence
	}
	return s
}

// failures is the one table from an error to what a person and a program are told.
var failures = []struct {
	err      error
	status   int
	code     string
	sentence string // "": the error's own
}{
	{selfrefer.ErrNotFound, http.StatusNotFound, "not_found", "There is no such referral in your network."},
	{staff.ErrNotFound, http.StatusNotFound, "not_found", "There is no such thing in your network."},
	{staff.ErrDenied, http.StatusForbidden, "denied", "Your role does not allow this. Ask an administrator of your network."},
	{selfrefer.ErrTaken, http.StatusConflict, "taken", "Somebody else has this referral."},
	{selfrefer.ErrNotNow, http.StatusConflict, "not_now", "This cannot be done with the referral as it stands. Look at it again."},
	{selfrefer.ErrNotTheirs, http.StatusUnprocessableEntity, "not_theirs", "This colleague may not work on this referral. Choose another."},
	{selfrefer.ErrChanged, http.StatusConflict, "changed", "Somebody else has changed this since you read it. Read it again."},
	{errTooLarge, http.StatusRequestEntityTooLarge, "too_large", "That is too large. Send less at once."},
}

var errTooLarge = errors.New("the request is too large")

// fail answers with an error: problem+json under /api/, a page elsewhere.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var bad invalid
	status, code, sentence := http.StatusInternalServerError, "internal", ""
	if errors.As(err, &bad) {
		status, code, sentence = http.StatusUnprocessableEntity, "invalid", bad.Error()
	} else {
		for _, f := range failures {
			if errors.Is(err, f.err) {
				status, code, sentence = f.status, f.code, f.sentence
				break
			}
		}
	}
	switch {
	case !isAPI(r):
		h.UI.Error(w, r, status, sentence, err)
	case status == http.StatusInternalServerError:
		reference := rand.Text()[:8]
		h.Log.ErrorContext(r.Context(), "call failed", "reference", reference, "route", chi.RouteContext(r.Context()).RoutePattern(), "err", err)
		ui.Problem(w, status, code, "Something went wrong on our side. Tell your administrator this code: "+reference)
	default:
		ui.Problem(w, status, code, sentence)
	}
}

// pathID reads an id of the path; what is no number is not there.
func pathID[T ~int64](r *http.Request, name string) (T, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, name), 10, 64)
	if err != nil || id <= 0 {
		return 0, staff.ErrNotFound
	}
	return T(id), nil
}

// maxBody is far more than any form of this desk.
const maxBody = 256 << 10

// readForm parses a posted form.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return errTooLarge
		}
		return invalid{{Sentence: "The form could not be read. Go back and try again."}}
	}
	return nil
}

// readJSON decodes one object and refuses fields that it does not know; an empty body leaves v as it is.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &large):
		return errTooLarge
	case err != nil || d.Decode(new(any)) != io.EOF: // the cause may quote what was sent
		return invalid{{Sentence: "The body must be one JSON object with the fields that /api/v1/openapi.json describes."}}
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the reader has gone: nobody is left to tell
	return nil
}

// names maps accounts to what they are called.
func (h *Handler) names(ctx context.Context, n staff.NetworkID) (func(staff.AccountID) string, error) {
	all, err := h.Store.Accounts(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("read who works here: %w", err)
	}
	byID := make(map[staff.AccountID]string, len(all))
	for _, a := range all {
		byID[a.ID] = a.Name
	}
	return func(id staff.AccountID) string {
		if id == 0 {
			return ""
		}
		return cmp.Or(byID[id], "somebody who has left")
	}, nil
}
