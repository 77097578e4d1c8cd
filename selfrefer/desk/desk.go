package desk

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
	"github.com/wellpaced/wellpaced/throttle/limit"
)

//go:embed *.html
var screens embed.FS

// Sessions signs people in. Session and AccountByEmail answer [staff.ErrSignIn] for what they do not know.
type Sessions interface {
	AccountByEmail(ctx context.Context, email string) (a staff.Account, passwordHash string, err error)
	// AccountOfProvider is for whom the sign-in provider vouches.
	AccountOfProvider(ctx context.Context, email, subject string) (staff.Account, error)
	SignIn(ctx context.Context, in staff.SignIn) (secret string, err error)
	// Session says with used that a person does something, and not a page by itself.
	Session(ctx context.Context, secret string, used bool) (staff.Session, error)
	EndSession(ctx context.Context, secret string) error
	// Ask keeps what a browser has been asked; Asked gives it back, once. account is 0 while nobody is known.
	Ask(ctx context.Context, kind string, account staff.AccountID, data []byte, ttl time.Duration) (secret string, err error)
	Asked(ctx context.Context, kind string, account staff.AccountID, secret string) (data []byte, err error)
}

// Own is what people change of their own account. keep is the id of the session that stays when the others end.
type Own interface {
	Account(ctx context.Context, id staff.AccountID) (staff.Account, error)
	Sessions(ctx context.Context, account staff.AccountID) ([]staff.Session, error)
	EndOwn(ctx context.Context, who staff.Account, id string) error
	EndOthers(ctx context.Context, who staff.Account, id string) error
	SetPassword(ctx context.Context, who staff.Account, passwordHash, keep string) error

	Factors(ctx context.Context, account staff.AccountID) (totp bool, codes int, err error)
	OfferTOTP(ctx context.Context, who staff.Account, secret string) error
	OfferedTOTP(ctx context.Context, account staff.AccountID) (secret string, err error)
	ConfirmTOTP(ctx context.Context, who staff.Account, keep string, check func(secret string) (step int64, right bool)) error
	UseTOTP(ctx context.Context, account staff.AccountID, check func(secret string) (step int64, right bool)) error
	RemoveTOTP(ctx context.Context, who staff.Account, keep string, need bool) error
	Passkeys(ctx context.Context, account staff.AccountID) ([]staff.PasskeyRecord, error)
	AddPasskey(ctx context.Context, who staff.Account, keep string, p staff.PasskeyRecord) error
	UsePasskey(ctx context.Context, p staff.PasskeyRecord) error
	RemovePasskey(ctx context.Context, who staff.Account, keep string, id []byte, need bool) error
	SetRecoveryCodes(ctx context.Context, who staff.Account, codes []string) error
	UseRecoveryCode(ctx context.Context, account staff.AccountID, code string) (left int, err error)
}

// Personnel is what administrators change of other people's accounts. Each change asks [staff.May] again and audits in the same transaction.
type Personnel interface {
	Members(ctx context.Context, n staff.NetworkID) ([]staff.Member, error)
	Invite(ctx context.Context, who, a staff.Account) (invited staff.Account, secret string, err error)
	// Reinvite makes a new link; with lost, all that the account signs in by is taken away.
	Reinvite(ctx context.Context, who staff.Account, account staff.AccountID, lost bool) (a staff.Account, secret string, err error)
	Disable(ctx context.Context, who staff.Account, account staff.AccountID) error
	Enable(ctx context.Context, who staff.Account, account staff.AccountID) error
	EndSessions(ctx context.Context, who staff.Account, account staff.AccountID) error
	// SetPractices says whose practice viewer an account is; staff.ErrPractice if it is none, or they are not the network's.
	SetPractices(ctx context.Context, who staff.Account, account staff.AccountID, ods []string) error
	// InvitedAccount and AcceptInvitation are for whoever has the link's secret.
	InvitedAccount(ctx context.Context, secret string) (staff.Account, error)
	AcceptInvitation(ctx context.Context, secret, passwordHash string) (staff.Account, error)
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
	// Rostered is what Workers would be if a team declared this roster. It changes nothing.
	Rostered(ctx context.Context, team staff.TeamID, declared []throttle.Worker) ([]throttle.Worker, error)
	// CallTimes are a team's first contacts since an instant, in order of time.
	CallTimes(ctx context.Context, team staff.TeamID, since time.Time) ([]selfrefer.CallTime, error)
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
	Own
	Personnel
	Directory
	Roster
	RosterEditor
	selfrefer.Triage
	Texter
	selfrefer.Person
	selfrefer.Steps
	selfrefer.Editor
	selfrefer.OptOuts
	selfrefer.Practices
	selfrefer.Webhooks
	selfrefer.Aftercare
	selfrefer.Services
	selfrefer.MailBox
	selfrefer.Restricter
	selfrefer.Sharer
	selfrefer.Reporter
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
	// PublicURL is where browsers reach the site: passkeys and the sign-in provider are bound to it. Without it there are neither.
	PublicURL string
	// Provider signs people in by OpenID Connect; the zero value is none.
	Provider Provider
	// Demo asks nobody for a second factor who has none, and ends no session for want of use.
	Demo bool
	// ClientIP is the address that a request comes from, behind proxies that are trusted.
	ClientIP func(*http.Request) string
	// Calendar is the networks' own; the zero value is England's.
	Calendar throttle.Calendar
	// Pacing is what the pacer knows of a team now, for what a change of the roster would do. nil: nothing is known of campaigns.
	Pacing func(ctx context.Context, team staff.TeamID) (Pacing, error)
	// About is what the page about the API says; without it there is no such page.
	About template.HTML
	// Mail says whether mails go anywhere; the zero value is that they do not.
	Mail Mailing
}

// Handler serves the link workers' pages and API.
type Handler struct {
	Config
	zone *time.Location
	slow *slowdown
	// patience is how long a request waits for the months of a report.
	patience time.Duration
	// hashing bounds how many passwords are checked at a time: each check takes 19 MB on purpose.
	hashing chan struct{}
	// asking bounds how often one address may begin with a passkey or at the provider: each beginning is a row in the database.
	asking   *limit.Limiter
	foretell chan struct{}      // one at a time looks ahead: that is work for a second
	keys     *webauthn.WebAuthn // nil: no passkeys
	provider *provider          // nil: none
}

// New parses the screens. It fails on a mistake of the operator's or of the caller's Config.
func New(c Config) (*Handler, error) {
	if c.Store == nil || c.UI == nil || c.Nav == nil || c.Now == nil || c.Machine == nil || c.Log == nil || c.ClientIP == nil {
		return nil, errors.New("the link workers' desk: the fields of Config without a zero value that is explained must be set")
	}
	h := &Handler{Config: c, zone: c.Calendar.Location, slow: newSlowdown(), patience: reportPatience, hashing: make(chan struct{}, 2), foretell: make(chan struct{}, 1), asking: limit.NewLimiter(limit.Per(30, time.Minute), 10_000)}
	var err error
	if h.keys, err = newKeys(c.PublicURL); err != nil {
		return nil, fmt.Errorf("set up passkeys: %w", err)
	}
	if h.provider, err = newProvider(c.Provider, c.PublicURL, c.Machine); err != nil {
		return nil, err
	}
	if h.zone == nil {
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
	p.User, p.UserURL, p.SignOutURL = who.Name, accountPath, signOutPath
	if p.Alerts, err = h.Alerts(r.Context(), who); err != nil {
		return err
	}
	h.UI.Render(w, r, status, screen, p)
	return nil
}

// showOwn is show for pages that somebody sees who is not quite signed in yet: without the menu until they are.
func (h *Handler) showOwn(w http.ResponseWriter, r *http.Request, status int, screen string, p ui.Page) error {
	if staff.From(r.Context()).ID != 0 {
		return h.show(w, r, status, screen, p)
	}
	p.Kind, p.Organisation = ui.Desk, "Wellpaced"
	if s := sessionOf(r.Context()); s.Account.ID != 0 {
		p.User, p.SignOutURL = s.Account.Name, signOutPath
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
	{staff.ErrSignIn, http.StatusUnauthorized, "sign_in", "Sign in again."},
	{staff.ErrInvitation, http.StatusGone, "invitation", "This link has been used, or is too old. Ask an administrator of your network for a new one."},
	{staff.ErrSelf, http.StatusConflict, "self", "You cannot do this to your own account. Ask another administrator."},
	{staff.ErrPractice, http.StatusConflict, "practice", "Choose practices of your network, for a practice viewer alone."},
	{staff.ErrDisabled, http.StatusConflict, "disabled", "The account is disabled. Enable it first."},
	{staff.ErrLastFactor, http.StatusConflict, "last_factor", "This is your only second factor. Set up another one first."},
	{errTooOften, http.StatusTooManyRequests, "too_often", "That was tried too often. Wait a minute, then try again."},
	{selfrefer.ErrRestricted, http.StatusForbidden, "restricted", "This referral is restricted: only colleagues who are named may open it, or change it."},
	{selfrefer.ErrNobodyLeft, http.StatusUnprocessableEntity, "nobody_left", ""},
	{selfrefer.ErrNoRestriction, http.StatusUnprocessableEntity, "no_restriction", ""},
	{selfrefer.ErrHolderBarred, http.StatusConflict, "holder_barred", ""},
	{selfrefer.ErrReason, http.StatusUnprocessableEntity, "reason", reasonWanted + "."},
	{selfrefer.ErrTaken, http.StatusConflict, "taken", "Somebody else has this referral."},
	{selfrefer.ErrNotNow, http.StatusConflict, "not_now", "This cannot be done with the referral as it stands. Look at it again."},
	{selfrefer.ErrCannotUndo, http.StatusConflict, "cannot_undo", cannotUndo},
	{selfrefer.ErrJoined, http.StatusConflict, "joined", "These are one and the same referral, or are joined already."},
	{selfrefer.ErrUrgentStays, http.StatusConflict, "urgent_stays", "The other one is urgent, and nobody calls this person for it. Claim it and call them first."},
	{selfrefer.ErrJoinedSince, http.StatusConflict, "joined_since", "Something else was joined since. Separate that first."},
	{selfrefer.ErrNotTheirs, http.StatusUnprocessableEntity, "not_theirs", "This colleague may not work on this referral. Choose another."},
	{selfrefer.ErrNotAway, http.StatusConflict, "not_away", "They are not off sick, or are back already."},
	{selfrefer.ErrChanged, http.StatusConflict, "changed", "Somebody else has changed this since you read it. Read it again."},
	{selfrefer.ErrNothingNew, http.StatusConflict, "nothing_new", "There is nothing that this practice has not been told."},
	{selfrefer.ErrFileDeleted, http.StatusGone, "file_deleted", "This file is deleted: files are kept for 60 days."},
	{selfrefer.ErrFileBegun, http.StatusConflict, "file_begun", "This file is not finished. Make it again, and it goes on where it stopped."},
	{selfrefer.ErrHookOff, http.StatusConflict, "webhook_off", "This webhook is off. Switch it on first."},
	{selfrefer.ErrEntry, http.StatusNotFound, "not_found", "This entry is not there, or it belongs to another referral."},
	{selfrefer.ErrNoService, http.StatusNotFound, "not_found", "There is no such service in your network's directory."},
	{selfrefer.ErrFull, http.StatusConflict, "full", ""},
	{errTooLarge, http.StatusRequestEntityTooLarge, "too_large", "That is too large. Send less at once."},
}

var (
	errTooLarge = errors.New("the request is too large")
	errTooOften = errors.New("tried too often")
)

// fail answers with an error: problem+json under /api/, a page elsewhere.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var bad invalid
	status, code, sentence := http.StatusInternalServerError, "internal", ""
	if errors.As(err, &bad) {
		status, code, sentence = http.StatusUnprocessableEntity, "invalid", bad.Error()
	} else {
		for _, f := range failures {
			if errors.Is(err, f.err) {
				status, code, sentence = f.status, f.code, cmp.Or(f.sentence, capital(f.err.Error())+".")
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
		if id == selfrefer.BySystem {
			return "Wellpaced"
		}
		return cmp.Or(byID[id], "somebody who has left")
	}, nil
}
