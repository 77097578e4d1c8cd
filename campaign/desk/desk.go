package desk

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

//go:embed *.html
var screens embed.FS

// Lists keeps patient lists. What is not of the network is campaign.ErrNotFound.
type Lists interface {
	BeginImport(ctx context.Context, who staff.Account, name string, synthetic, dryRun bool) (campaign.Importer, error)
	Audience(ctx context.Context, n staff.NetworkID, id campaign.AudienceID) (campaign.Audience, error)
	Audiences(ctx context.Context, n staff.NetworkID, limit int) ([]campaign.Audience, error)
	// NotInvited walks the rows that are not invited in the file's order; after is the last row seen.
	NotInvited(ctx context.Context, n staff.NetworkID, id campaign.AudienceID, after, limit int) ([]campaign.NotInvited, error)
	// EstimateTexts counts what a step's texts come to for all the invited of a list, each in their language and with their name.
	EstimateTexts(ctx context.Context, n staff.NetworkID, id campaign.AudienceID, texts campaign.Texts) (campaign.Estimate, error)
	// Sample is one of the invited of a list as their text shows them, the first if at is 0; campaign.ErrNotFound if there is none. It is audited.
	Sample(ctx context.Context, who staff.Account, id campaign.AudienceID, at campaign.PatientID) (campaign.Sample, error)
	// Speakers counts the invited of a list by language; under "" stand those whose language is unknown, or none of ours.
	Speakers(ctx context.Context, n staff.NetworkID, id campaign.AudienceID) (map[lang.Code]int, error)
}

// Campaigns keeps campaigns and takes them from state to state. It audits what it does.
type Campaigns interface {
	CreateCampaign(ctx context.Context, who staff.Account, c campaign.Campaign) (campaign.Campaign, error)
	Campaigns(ctx context.Context, n staff.NetworkID, limit int) ([]campaign.Campaign, error)
	View(ctx context.Context, n staff.NetworkID, id campaign.ID) (campaign.View, error)
	Campaign(ctx context.Context, n staff.NetworkID, id campaign.ID) (campaign.Campaign, error)
	// MoveCampaign answers with the domain's sentinels, or campaign.ErrPractices.
	MoveCampaign(ctx context.Context, who staff.Account, id campaign.ID, m campaign.Move) (campaign.Campaign, error)
	// LaunchCampaign is MoveCampaign for a launch, but leaves the messages to PlanMessages.
	LaunchCampaign(ctx context.Context, who staff.Account, id campaign.ID) (campaign.Campaign, error)
	// SaveCampaign writes a draft anew; campaign.ErrConflict if it is not what hash names any more, campaign.ErrNotNow if it is no draft.
	SaveCampaign(ctx context.Context, who staff.Account, c campaign.Campaign, hash string) (campaign.Campaign, error)
	// ApproveCampaign is MoveCampaign for an approval, with what the second person has seen and typed.
	ApproveCampaign(ctx context.Context, who staff.Account, id campaign.ID, a campaign.Approval) (campaign.Campaign, error)
	// SendTest owes somebody a campaign's text on their own phone; campaign.ErrTooOften after five in an hour.
	SendTest(ctx context.Context, who staff.Account, id campaign.ID, step int, code lang.Code, to person.Phone) error
	// PlanMessages completes a launch. It may be called again at any time.
	PlanMessages(ctx context.Context, id campaign.ID) error
}

// Reports tells how a campaign goes.
type Reports interface {
	Decisions(ctx context.Context, n staff.NetworkID, id campaign.ID, limit int) ([]campaign.Decision, error)
	Days(ctx context.Context, n staff.NetworkID, id campaign.ID) ([]campaign.Day, error)
	// Snapshot is what the pacer knows of a team, and Outlook the same with a campaign in it that need not be launched yet.
	Snapshot(ctx context.Context, team staff.TeamID) (campaign.Snapshot, error)
	Outlook(ctx context.Context, n staff.NetworkID, id campaign.ID) (campaign.Snapshot, error)
	// SentSample is a text as it left, with nobody's name and no link; "" if none has. It is audited.
	SentSample(ctx context.Context, who staff.Account, id campaign.ID) (string, error)
	// CanAnswer is how many first calls the campaign's team can make within its promise, counted from each instant.
	CanAnswer(ctx context.Context, n staff.NetworkID, id campaign.ID, from []time.Time) ([]float64, error)
}

// Consents keeps what people decide about a campaign's parts: practices about their patients, managers about held messages and a link that
// seems dead.
type Consents interface {
	PracticeShares(ctx context.Context, n staff.NetworkID, id campaign.ID) ([]campaign.PracticeShare, error)
	HeldMessages(ctx context.Context, n staff.NetworkID, id campaign.ID, limit int) ([]campaign.HeldMessage, error)
	SettleHeld(ctx context.Context, who staff.Account, id campaign.MessageID, attempt int, on campaign.Event) error
	// SwitchLinks switches the links of a campaign's texts off or on again; campaign.ErrNotNow before the launch.
	SwitchLinks(ctx context.Context, who staff.Account, id campaign.ID, off bool) error
	// ConfirmLink notes that somebody has found the link to work, after answers had stopped; campaign.ErrNotNow if nothing waits for it.
	ConfirmLink(ctx context.Context, who staff.Account, id campaign.ID) error
}

// Networks knows who is who.
type Networks interface {
	staff.Auditor
	Network(ctx context.Context, id staff.NetworkID) (staff.Network, error)
	NetworkTeams(ctx context.Context, n staff.NetworkID) ([]staff.Team, error)
	Accounts(ctx context.Context, n staff.NetworkID) ([]staff.Account, error)
	// Workings is how sending stands, for administrators.
	Workings(ctx context.Context, n staff.NetworkID) (campaign.Workings, error)
}

// Store is all that the desk needs kept.
type Store interface {
	Lists
	Looks
	Uploads
	Cohorts
	Campaigns
	Reports
	Funnels
	Consents
	Agreements
	Corrections
	Pages
	Networks
}

// DefaultMaxUpload is the largest patient list that is taken, in bytes.
const DefaultMaxUpload = 1 << 30

// Config of a Handler.
type Config struct {
	UI    *ui.Renderer
	Store Store
	// Nav is the menu for an account on a path; nil: no menu.
	Nav func(who staff.Account, path string) []ui.NavItem
	// Now is civil time.
	Now       func() time.Time
	Log       *slog.Logger // nil: silent
	MaxUpload int64        // bytes, 0: DefaultMaxUpload
	// Stopped says why nothing is sent just now, for a reason that has nothing to do with any campaign; "" if it is. nil: nothing stops it.
	Stopped func() string
	// Machinery is what the program knows of itself outside the database; nil: nothing.
	Machinery func(context.Context) Machinery
	// Alerts are what somebody must look at now, whichever desk they sit at; nil: nothing.
	Alerts func(context.Context, staff.Account) ([]ui.Alert, error)
	// Explain puts a provider's code of a text that did not arrive into words; nil: none is known.
	Explain func(code string) Cause
	// Live is set when texts reach real phones: then a made-up list cannot be launched.
	Live bool
}

// Handler serves the desk's pages and API. Close it before the store.
type Handler struct {
	cfg  Config
	zone *time.Location

	// Launches and screenings go on after their request has been answered.
	background context.Context
	stop       context.CancelFunc
	launches   sync.WaitGroup
	screening  chan struct{} // has room for the one upload that is being screened
	playing    chan struct{} // holds who plays a forecast's futures
}

// New fails if a template is broken, or on a second Handler for one renderer.
func New(c Config) (*Handler, error) {
	if c.UI == nil || c.Store == nil || c.Now == nil {
		return nil, errors.New("campaign desk: Config.UI, Store and Now must be set")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Machinery == nil {
		c.Machinery = func(context.Context) Machinery { return Machinery{} }
	}
	if c.Stopped == nil {
		c.Stopped = func() string { return "" }
	}
	if c.Explain == nil {
		c.Explain = func(string) Cause { return Cause{Words: "The text failed; the reason is not known."} }
	}
	if c.MaxUpload <= 0 {
		c.MaxUpload = DefaultMaxUpload
	}
	if err := c.UI.Parse(screens, "*.html"); err != nil {
		return nil, fmt.Errorf("campaign desk: %w", err)
	}
	h := &Handler{cfg: c, screening: make(chan struct{}, 1), playing: make(chan struct{}, 1), zone: throttle.Calendar{}.Midnight(c.Now()).Location()}
	h.background, h.stop = context.WithCancel(context.Background())
	return h, nil
}

// Close breaks off launches that are being planned, which the store takes up again when it next serves, and screenings, which people can start
// again. It waits for them.
func (h *Handler) Close() {
	h.stop()
	h.launches.Wait()
}

// route is one address. It needs do, or what the move in its path needs if that is "".
type route struct {
	method, pattern string
	do              staff.Action
	serve           http.HandlerFunc
}

// routes is every address of this desk.
func (h *Handler) routes() []route {
	return []route{
		{"GET", "/desk/lists", staff.ViewLists, h.listsPage},
		{"POST", "/desk/lists", staff.UploadList, h.uploadPage},
		{"GET", "/desk/lists/{id}", staff.ViewLists, h.listPage},
		{"GET", "/desk/lists/{id}/not-invited.csv", staff.ViewLists, h.notInvited},
		{"GET", "/desk/lists/{id}/looked", staff.ViewLists, h.looksPage},
		{"GET", "/desk/lists/{id}/compare", staff.ViewLists, h.comparePage},
		{"GET", "/desk/lists/{id}/narrow", staff.UploadList, h.narrowPage},
		{"POST", "/desk/lists/{id}/narrow", staff.UploadList, h.narrowPost},
		{"GET", "/desk/uploads/{id}", staff.UploadList, h.uploadShow},
		{"POST", "/desk/uploads/{id}", staff.UploadList, h.uploadStart},
		{"POST", "/desk/uploads/{id}/discard", staff.UploadList, h.uploadDiscard},
		{"GET", "/desk/campaigns", staff.ViewCampaigns, h.campaignsPage},
		{"POST", "/desk/campaigns", staff.EditCampaign, h.createPage},
		{"GET", "/desk/campaigns/new", staff.EditCampaign, h.newPage},
		{"GET", "/desk/campaigns/{id}/steps/who", staff.EditCampaign, h.stepPage("who")},
		{"POST", "/desk/campaigns/{id}/steps/who", staff.EditCampaign, h.saveStep("who")},
		{"GET", "/desk/campaigns/{id}/steps/what", staff.EditCampaign, h.stepPage("what")},
		{"POST", "/desk/campaigns/{id}/steps/what", staff.EditCampaign, h.saveStep("what")},
		{"POST", "/desk/campaigns/{id}/steps/what/preview", staff.EditCampaign, h.previewPage},
		{"POST", "/desk/campaigns/{id}/steps/what/test", staff.EditCampaign, h.testPage},
		{"GET", "/desk/campaigns/{id}/steps/when", staff.EditCampaign, h.stepPage("when")},
		{"POST", "/desk/campaigns/{id}/steps/when", staff.EditCampaign, h.saveStep("when")},
		{"GET", "/desk/campaigns/{id}/steps/team", staff.EditCampaign, h.stepPage("team")},
		{"POST", "/desk/campaigns/{id}/steps/team", staff.EditCampaign, h.saveStep("team")},
		{"GET", "/desk/campaigns/{id}/steps/forecast", staff.EditCampaign, h.forecastPage},
		{"POST", "/desk/campaigns/{id}/steps/forecast", staff.EditCampaign, h.saveStep("forecast")},
		{"GET", "/desk/campaigns/{id}/steps/check", staff.EditCampaign, h.stepPage("check")},
		{"GET", "/desk/campaigns/{id}", staff.ViewCampaigns, h.campaignPage},
		{"GET", "/desk/campaigns/{id}/{move}", "", h.askPage},
		{"POST", "/desk/campaigns/{id}/{move}", "", h.movePage},
		{"POST", "/desk/campaigns/{id}/confirm-link", staff.RunCampaign, h.confirmPage},
		{"POST", "/desk/campaigns/{id}/links-off", staff.RunCampaign, h.linksPage(true)},
		{"POST", "/desk/campaigns/{id}/links-on", staff.RunCampaign, h.linksPage(false)},
		{"GET", "/desk/campaigns/{id}/practices/{ods}", staff.ViewCampaigns, h.practicePage},
		{"POST", "/desk/campaigns/{id}/practices/{ods}", staff.ApprovePractice, h.sayPage},
		{"GET", "/desk/campaigns/{id}/fresh-list", staff.EditCampaign, h.freshPage},
		{"POST", "/desk/campaigns/{id}/fresh-list", staff.EditCampaign, h.answerFreshPage},
		{"GET", "/desk/campaigns/{id}/corrections", staff.EditCampaign, h.correctionsPage},
		{"POST", "/desk/campaigns/{id}/corrections", staff.EditCampaign, h.writeCorrectionPage},
		{"GET", "/desk/campaigns/{id}/corrections/{correction}", staff.ApproveCampaign, h.correctionPage},
		{"POST", "/desk/campaigns/{id}/corrections/{correction}/approve", staff.ApproveCampaign, h.approveCorrectionPage},
		{"POST", "/desk/campaigns/{id}/corrections/{correction}/stop", staff.RunCampaign, h.stopCorrectionPage},
		{"POST", "/desk/campaigns/{id}/corrections/{correction}/resume", staff.RunCampaign, h.resumeCorrectionPage},
		{"POST", "/desk/campaigns/{id}/messages/{message}", staff.SettleMessage, h.settlePage},
		{"GET", "/desk/campaigns/{id}/funnel", staff.ViewCampaigns, h.funnelPage},
		{"GET", "/desk/campaigns/{id}/fairness", staff.ViewCampaigns, h.fairPage},
		{"GET", "/desk/campaigns/{id}/decisions", staff.ViewCampaigns, h.decisionsPage},
		{"GET", "/desk/deprivation", staff.UploadList, h.deprivationPage},
		{"POST", "/desk/deprivation", staff.UploadList, h.uploadDeciles},
		{"GET", "/desk/system", staff.ViewSystem, h.systemPage},

		{"GET", "/api/v1/lists", staff.ViewLists, h.apiLists},
		{"POST", "/api/v1/lists", staff.UploadList, h.apiUpload},
		{"GET", "/api/v1/lists/{id}", staff.ViewLists, h.apiList},
		{"GET", "/api/v1/lists/{id}/not-invited.csv", staff.ViewLists, h.notInvited},
		{"GET", "/api/v1/lists/{id}/not-invited", staff.ViewLists, h.apiNotInvited},
		{"GET", "/api/v1/lists/{id}/looked", staff.ViewLists, h.apiLooks},
		{"GET", "/api/v1/lists/{id}/compare", staff.ViewLists, h.apiCompare},
		{"GET", "/api/v1/lists/{id}/groups", staff.ViewLists, h.apiGroups},
		{"POST", "/api/v1/lists/{id}/narrow", staff.UploadList, h.apiNarrow},
		{"GET", "/api/v1/campaigns", staff.ViewCampaigns, h.apiCampaigns},
		{"POST", "/api/v1/campaigns", staff.EditCampaign, h.apiCreate},
		{"GET", "/api/v1/campaigns/{id}", staff.ViewCampaigns, h.apiCampaign},
		{"PUT", "/api/v1/campaigns/{id}", staff.EditCampaign, h.apiSave},
		{"GET", "/api/v1/campaigns/{id}/decisions", staff.ViewCampaigns, h.apiDecisions},
		{"GET", "/api/v1/campaigns/{id}/outlook", staff.ViewCampaigns, h.apiOutlook},
		{"POST", "/api/v1/campaigns/{id}/test", staff.EditCampaign, h.apiTest},
		{"POST", "/api/v1/campaigns/{id}/{move}", "", h.apiMove},
		{"POST", "/api/v1/campaigns/{id}/confirm-link", staff.RunCampaign, h.apiConfirm},
		{"POST", "/api/v1/campaigns/{id}/links-off", staff.RunCampaign, h.apiLinks(true)},
		{"POST", "/api/v1/campaigns/{id}/links-on", staff.RunCampaign, h.apiLinks(false)},
		{"GET", "/api/v1/campaigns/{id}/funnel", staff.ViewCampaigns, h.apiFunnel},
		{"GET", "/api/v1/campaigns/{id}/fairness", staff.ViewCampaigns, h.apiFair},
		{"GET", "/api/v1/deprivation", staff.UploadList, h.apiDeciles},
		{"POST", "/api/v1/deprivation", staff.UploadList, h.apiUploadDeciles},
		{"GET", "/api/v1/campaigns/{id}/practices/{ods}", staff.ViewCampaigns, h.apiPractice},
		{"POST", "/api/v1/campaigns/{id}/practices/{ods}/approve", staff.ApprovePractice, h.apiSay(campaign.Agrees)},
		{"POST", "/api/v1/campaigns/{id}/practices/{ods}/refuse", staff.ApprovePractice, h.apiSay(campaign.Refuses)},
		{"POST", "/api/v1/campaigns/{id}/practices/{ods}/withdraw", staff.ApprovePractice, h.apiSay(campaign.Withdraws)},
		{"PUT", "/api/v1/campaigns/{id}/grounds", staff.EditCampaign, h.apiGrounds},
		{"GET", "/api/v1/campaigns/{id}/fresh-list", staff.EditCampaign, h.apiFresh},
		{"POST", "/api/v1/campaigns/{id}/fresh-list", staff.EditCampaign, h.apiStartFresh},
		{"POST", "/api/v1/campaigns/{id}/fresh-list/confirm", staff.EditCampaign, h.apiConfirmFresh},
		{"POST", "/api/v1/campaigns/{id}/fresh-list/cancel", staff.EditCampaign, h.apiCancelFresh},
		{"GET", "/api/v1/campaigns/{id}/corrections", staff.ApproveCampaign, h.apiCorrections},
		{"POST", "/api/v1/campaigns/{id}/corrections", staff.EditCampaign, h.apiWriteCorrection},
		{"GET", "/api/v1/campaigns/{id}/corrections/{correction}", staff.ApproveCampaign, h.apiCorrection},
		{"POST", "/api/v1/campaigns/{id}/corrections/{correction}/approve", staff.ApproveCampaign, h.apiApproveCorrection},
		{"POST", "/api/v1/campaigns/{id}/corrections/{correction}/stop", staff.RunCampaign, h.apiStopCorrection},
		{"POST", "/api/v1/campaigns/{id}/corrections/{correction}/resume", staff.RunCampaign, h.apiResumeCorrection},
		{"GET", "/api/v1/system", staff.ViewSystem, h.apiSystem},
	}
}

// moves are what each move of a campaign needs.
var moves = map[campaign.Move]staff.Action{campaign.Submit: staff.SubmitCampaign, campaign.Approve: staff.ApproveCampaign, campaign.Return: staff.ApproveCampaign,
	campaign.Launch: staff.RunCampaign, campaign.Pause: staff.RunCampaign, campaign.Resume: staff.RunCampaign, campaign.Stop: staff.RunCampaign}

// asked are the moves that have a page of their own before them.
var asked = []campaign.Move{campaign.Approve, campaign.Launch, campaign.Stop}

const anyMove = "/{move}"

// Access is every address with what it needs, each move on its own.
func (h *Handler) Access() []staff.Route {
	var all []staff.Route
	for _, e := range h.routes() {
		if e.do != "" {
			all = append(all, staff.Route{Method: e.method, Pattern: e.pattern, Do: e.do})
			continue
		}
		for m, do := range moves {
			if e.method == http.MethodPost || slices.Contains(asked, m) {
				all = append(all, staff.Route{Method: e.method, Pattern: strings.TrimSuffix(e.pattern, anyMove) + "/" + string(m), Do: do})
			}
		}
	}
	return all
}

// Routes adds the pages and the API. They expect the signed-in account in the request's context, and ask [staff.Check] before anything else.
func (h *Handler) Routes(r chi.Router) {
	for _, e := range h.routes() {
		r.MethodFunc(e.method, e.pattern, func(w http.ResponseWriter, r *http.Request) {
			do, err := e.do, error(nil)
			if do == "" {
				if do = moves[campaign.Move(chi.URLParam(r, "move"))]; do == "" {
					err = campaign.ErrNotFound
				}
			}
			if err == nil {
				_, err = h.may(r.Context(), do, target(r))
			}
			if err != nil {
				h.pageError(w, r, err)
				return
			}
			e.serve(w, r)
		})
	}
}

// target names for the audit what a request is about: "campaign 12 approve", "lists".
func target(r *http.Request) string {
	kind := "campaign"
	switch {
	case strings.Contains(r.URL.Path, "/lists"):
		kind = "list"
	case strings.Contains(r.URL.Path, "/uploads"):
		kind = "upload"
	case strings.Contains(r.URL.Path, "/system"):
		return "system"
	case strings.Contains(r.URL.Path, "/deprivation"):
		return "deprivation"
	}
	id, err := pathID(r, "id")
	if err != nil {
		return kind + "s"
	}
	what := fmt.Sprintf("%s %d", kind, id)
	if message, err := pathID(r, "message"); err == nil {
		return fmt.Sprintf("%s message %d", what, message)
	}
	if correction, err := pathID(r, "correction"); err == nil {
		return fmt.Sprintf("%s correction %d", what, correction)
	}
	if ods := chi.URLParam(r, "ods"); ods != "" {
		return what + " practice " + cut(ods, 10)
	}
	if m := chi.URLParam(r, "move"); m != "" {
		return what + " " + m // one of ours: it has been looked up
	}
	return what
}

// may asks for permission and names who asks.
func (h *Handler) may(ctx context.Context, do staff.Action, target string) (staff.Account, error) {
	who := staff.From(ctx)
	if who.ID == 0 {
		return who, errSignIn
	}
	return who, staff.Check(ctx, h.cfg.Store, who, do, who.Network, target)
}

// can is for buttons: whether somebody may, without an entry in the audit.
func can(who staff.Account, do staff.Action) bool { return staff.May(who, do, who.Network) == nil }

// pathID reads a number from the path. A broken one is a thing that does not exist.
func pathID(r *http.Request, name string) (int64, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, name), 10, 64)
	if err != nil || id <= 0 {
		return 0, campaign.ErrNotFound
	}
	return id, nil
}

// page is the frame of a desk page.
func (h *Handler) page(ctx context.Context, r *http.Request, who staff.Account, title string, data any) (ui.Page, error) {
	n, err := h.cfg.Store.Network(ctx, who.Network)
	if err != nil {
		return ui.Page{}, fmt.Errorf("read the network: %w", err)
	}
	p := ui.Page{Kind: ui.Desk, Title: title, Organisation: n.Name, Home: "/desk", User: who.Name, UserURL: "/desk/account", SignOutURL: "/desk/sign-out", Data: data}
	if h.cfg.Nav != nil {
		p.Nav = h.cfg.Nav(who, r.URL.Path)
	}
	return p, nil
}

// show renders a page, or the failure to make it.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, status int, screen string, p ui.Page, err error) {
	if err == nil {
		err = h.addRuns(r, &p)
	}
	if err == nil && h.cfg.Alerts != nil {
		p.Alerts, err = h.cfg.Alerts(r.Context(), staff.From(r.Context()))
	}
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	h.cfg.UI.Render(w, r, status, screen, p)
}

// seeOther sends the browser on after a POST.
func seeOther(w http.ResponseWriter, r *http.Request, format string, args ...any) {
	http.Redirect(w, r, fmt.Sprintf(format, args...), http.StatusSeeOther)
}

// maxForm is the most that a form or a call other than an upload may hold, in bytes.
const maxForm = 64 << 10

// readForm reads a posted form of modest size.
func readForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return invalid{{Sentence: "The form did not arrive whole. Send it again."}}
	}
	return nil
}

// writeJSON answers a program.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("campaign desk: an answer that cannot be written as JSON: %v", err)) // our own types only
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

// readJSON reads a call's body into v. Unknown names are refused: a misspelt limit must not pass for none.
// Without a body v stays as it is if that is allowed.
func readJSON(w http.ResponseWriter, r *http.Request, v any, mayBeEmpty bool) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxForm))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if mayBeEmpty && errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil && !errors.Is(d.Decode(&struct{}{}), io.EOF) {
		err = errors.New("there is something behind the object")
	}
	var typed *json.UnmarshalTypeError
	var own invalid
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.As(err, &typed):
		return invalid{{Field: typed.Field, Sentence: fmt.Sprintf("%q cannot be a %s.", typed.Field, typed.Value)}}
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return invalid{{Sentence: "There is no field called " + strings.TrimPrefix(err.Error(), "json: unknown field ") + "."}}
	}
	return invalid{{Sentence: "Send one JSON object, of at most 64 KB."}}
}

// names gives the people of a network by id.
func (h *Handler) names(ctx context.Context, n staff.NetworkID) (map[staff.AccountID]string, error) {
	all, err := h.cfg.Store.Accounts(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("read the accounts: %w", err)
	}
	names := map[staff.AccountID]string{0: "nobody"}
	for _, a := range all {
		names[a.ID] = a.Name
	}
	return names, nil
}

// practiceName finds a practice's name by its code.
func practiceName(n staff.Network, ods string) (name string, known bool) {
	i := slices.IndexFunc(n.Practices, func(p staff.Practice) bool { return p.ODS == ods })
	if i < 0 {
		return ods, false
	}
	return n.Practices[i].Name, true
}
