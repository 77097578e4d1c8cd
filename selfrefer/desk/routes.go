package desk

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

const (
	homePath    = "/desk"
	signInPath  = "/desk/sign-in"
	signOutPath = "/desk/sign-out"
	queuePath   = "/desk/queue"
	searchPath  = "/desk/search"
	rosterPath  = "/desk/capacity"

	codePath       = signInPath + "/code"
	passkeyPath    = signInPath + "/passkey"
	providerPath   = signInPath + "/provider"
	invitationPath = "/desk/invitations"
	accountPath    = "/desk/account"
	passwordPath   = accountPath + "/password"
	setUpPath      = accountPath + "/set-up"
	appPath        = accountPath + "/app"
	keysPath       = accountPath + "/passkeys"
	codesPath      = accountPath + "/codes"
	sessionsPath   = accountPath + "/sessions"
	mailPath       = accountPath + "/mail"
	staffPath      = "/desk/staff"
	glassPath      = "/desk/glass"
)

// route is one address. It needs do; "" needs nobody's leave but one's own: what may be seen then is for stageFor and the page to say.
type route struct {
	method, pattern string
	do              staff.Action
	serve           func(w http.ResponseWriter, r *http.Request, who staff.Account) error
}

// routes is every address of this desk.
func (h *Handler) routes() []route {
	return []route{
		{"GET", signInPath, "", h.signInPage},
		{"POST", signInPath, "", h.signIn},
		{"POST", signOutPath, "", h.signOut},
		{"GET", codePath, "", h.codePage},
		{"POST", codePath, "", h.code},
		{"POST", passkeyPath, "", h.askPasskey},
		{"POST", passkeyPath + "/finish", "", h.passkeySignIn},
		{"GET", providerPath, "", h.toProvider},
		{"GET", providerPath + "/callback", "", h.fromProvider},
		{"GET", invitationPath + "/{secret}", "", h.invitationPage},
		{"POST", invitationPath + "/{secret}", "", h.acceptInvitation},
		{"GET", accountPath, "", h.own(h.accountPage)},
		{"GET", apiPath, "", h.own(h.apiPage)},
		{"GET", passwordPath, "", h.own(h.passwordPage)},
		{"POST", passwordPath, "", h.own(h.changePassword)},
		{"GET", setUpPath, "", h.own(h.setUpPage)},
		{"GET", appPath, "", h.own(h.appPage)},
		{"POST", appPath, "", h.own(h.changeApp)},
		{"POST", keysPath, "", h.own(h.offerPasskey)},
		{"POST", keysPath + "/new", "", h.own(h.addPasskey)},
		{"POST", keysPath + "/remove", "", h.own(h.removePasskey)},
		{"POST", codesPath, "", h.own(h.newCodes)},
		{"POST", sessionsPath, "", h.own(h.endSessions)},
		{"POST", mailPath, "", h.own(h.setMail)},
		{"GET", homePath, "", h.home},
		{"GET", staffPath, staff.ManageStaff, h.staffPage},
		{"POST", staffPath, staff.ManageStaff, h.invite},
		{"GET", staffPath + "/new", staff.ManageStaff, h.invitePage},
		{"GET", staffPath + "/{account}", staff.ManageStaff, h.memberPage},
		{"POST", staffPath + "/{account}", staff.ManageStaff, h.changeMember},
		{"GET", queuePath, staff.ViewQueue, h.queuePage},
		{"GET", "/desk/referrals/{id}", staff.ViewReferral, h.referralPage},
		{"POST", "/desk/referrals/{id}", staff.WorkReferral, h.actPage},
		{"GET", "/desk/referrals/{id}/support", staff.ViewReferral, h.supportPage},
		{"POST", "/desk/referrals/{id}/support", staff.WorkReferral, h.recordPage},
		{"POST", "/desk/referrals/{id}/tasks", staff.WorkReferral, h.changeTasks},
		{"GET", tasksPath, staff.WorkReferral, h.tasksPage},
		{"GET", servicesPath, staff.ViewServices, h.servicesPage},
		{"GET", servicesPath + "/services.csv", staff.ViewServices, h.servicesCSV},
		{"GET", servicesPath + "/new", staff.EditServices, h.newServicePage},
		{"POST", servicesPath + "/new", staff.EditServices, h.saveService},
		{"GET", servicesPath + "/import", staff.EditServices, h.importPage},
		{"POST", servicesPath + "/import", staff.EditServices, h.importServicesPage},
		{"GET", servicesPath + "/{service}", staff.ViewServices, h.servicePage},
		{"POST", servicesPath + "/{service}", staff.CorrectPlaces, h.correctPlaces},
		{"GET", servicesPath + "/{service}/edit", staff.EditServices, h.editServicePage},
		{"POST", servicesPath + "/{service}/edit", staff.EditServices, h.saveService},
		{"GET", offerPath, staff.EditSupport, h.offerPage},
		{"POST", offerPath, staff.EditSupport, h.changeOffer},
		{"POST", "/desk/referrals/{id}/join", staff.WorkReferral, h.joinPage},
		{"POST", "/desk/referrals/{id}/separate", staff.WorkReferral, h.separatePage},
		{"POST", "/desk/referrals/{id}/undo", staff.WorkReferral, h.undoPage},
		{"GET", "/desk/referrals/{id}/restrict", staff.RestrictReferral, h.restrictPage},
		{"POST", "/desk/referrals/{id}/restrict", staff.RestrictReferral, h.restrict},
		{"GET", "/desk/referrals/{id}/glass", staff.ViewReferral, h.glassPage},
		{"POST", "/desk/referrals/{id}/glass", staff.ViewReferral, h.breakGlass},
		{"GET", "/desk/referrals/{id}/looked", staff.WhoLooked, h.lookedPage},
		{"GET", "/desk/referrals/{id}/looked.csv", staff.WhoLooked, h.lookedCSV},
		{"GET", glassPath, staff.ReadGlass, h.glassesPage},
		{"POST", glassPath, staff.ManageStaff, h.setGuardian},
		{"POST", glassPath + "/{breaking}", staff.ReadGlass, h.acknowledge},
		{"GET", searchPath, staff.SearchReferrals, h.searchPage},
		{"POST", searchPath, staff.SearchReferrals, h.search},
		{"GET", rosterPath, staff.ViewCapacity, h.capacityPage},
		{"GET", sickPath, staff.WorkReferral, h.sickPage},
		{"POST", sickPath, staff.WorkReferral, h.postSick},
		{"GET", sharingPath, staff.EditCapacity, h.sharingPage},
		{"POST", sharingPath, staff.EditCapacity, h.setSharing},
		{"GET", rosterPath + "/{account}/sick", staff.EditCapacity, h.sickPage},
		{"POST", rosterPath + "/{account}/sick", staff.EditCapacity, h.postSick},
		{"GET", rosterPath + "/{account}/presence", staff.EditCapacity, h.presencePage},
		{"POST", rosterPath + "/{account}/presence", staff.EditCapacity, h.isIn},
		{"POST", rosterPath + "/{account}/languages", staff.EditCapacity, h.setSpeaks},
		{"GET", rosterPath + "/{account}", staff.EditCapacity, h.workerPage},
		{"POST", rosterPath + "/{account}", staff.EditCapacity, h.setWorker},
		{"POST", rosterPath + "/{account}/preview", staff.EditCapacity, h.previewWorker},
		{"POST", rosterPath + "/{account}/leave", staff.EditCapacity, h.changeLeave},
		{"GET", wordsPath, staff.ViewWords, h.ownWordsPage},
		{"POST", wordsPath, staff.EditWords, h.changeWords},
		{"GET", wordsPath + "/{part}/{entry}", staff.EditWords, h.ownWordPage},
		{"POST", wordsPath + "/{part}/{entry}", staff.EditWords, h.setOwnWord},
		{"GET", optOutsPath, staff.ManageOptOuts, h.optOutsPage},
		{"GET", optOutsPath + "/corrections.csv", staff.ManageOptOuts, h.correctionsCSV},
		{"GET", optOutsPath + "/optouts.csv", staff.ManageOptOuts, h.optOutsCSV},
		{"POST", optOutsPath + "/{correction}", staff.ManageOptOuts, h.corrected},
		{"GET", practicesPath, staff.ExportPractice, h.practicesPage},
		{"GET", practiceCodesPath, staff.ExportPractice, h.practiceCodesPage},
		{"POST", practiceCodesPath, staff.ExportPractice, h.setPracticeCodes},
		{"GET", practicesPath + "/{ods}", staff.ExportPractice, h.practicePage},
		{"POST", practicesPath + "/{ods}", staff.ExportPractice, h.makePracticeFile},
		{"GET", practicesPath + "/{ods}/{file}/{format}", staff.ExportPractice, h.takePracticeFile},
		{"POST", practicesPath + "/{ods}/{file}/again", staff.ExportPractice, h.practiceFileAgain},
		{"GET", reportsPath, staff.ViewReports, h.reportsPage},
		{"GET", reportsPath + "/report.csv", staff.ViewReports, h.reportFile(".csv", csvKind, writeReportCSV)},
		{"GET", reportsPath + "/report.xlsx", staff.ViewReports, h.reportFile(".xlsx", xlsxKind, writeReportXLSX)},
		{"GET", webhooksPath, staff.ManageWebhooks, h.webhooksPage},
		{"POST", webhooksPath, staff.ManageWebhooks, h.addWebhook},
		{"GET", webhooksPath + "/{hook}", staff.ManageWebhooks, h.webhookPage},
		{"POST", webhooksPath + "/{hook}", staff.ManageWebhooks, h.changeWebhook},

		{"GET", "/api/v1/notices", "", h.getNotices},
		{"GET", "/api/v1/referrals", staff.ViewQueue, h.listReferrals},
		{"GET", "/api/v1/referrals/{id}", staff.ViewReferral, h.getReferral},
		{"POST", "/api/v1/referrals/search", staff.SearchReferrals, h.searchReferrals},
		{"POST", "/api/v1/referrals/{id}/join", staff.WorkReferral, h.join},
		{"POST", "/api/v1/referrals/{id}/separate", staff.WorkReferral, h.separate},
		{"POST", "/api/v1/referrals/{id}/undo", staff.WorkReferral, h.undo},
		{"GET", "/api/v1/referrals/{id}/restriction", staff.RestrictReferral, h.getRestriction},
		{"PUT", "/api/v1/referrals/{id}/restriction", staff.RestrictReferral, h.putRestriction},
		{"DELETE", "/api/v1/referrals/{id}/restriction", staff.RestrictReferral, h.liftRestriction},
		{"POST", "/api/v1/referrals/{id}/break-glass", staff.ViewReferral, h.breakGlassAPI},
		{"GET", "/api/v1/referrals/{id}/looked", staff.WhoLooked, h.listLooks},
		{"GET", "/api/v1/glass", staff.ReadGlass, h.listBreakings},
		{"POST", "/api/v1/glass/{breaking}/acknowledge", staff.ReadGlass, h.acknowledgeAPI},
		{"PUT", "/api/v1/guardian", staff.ManageStaff, h.putGuardian},
		{"POST", "/api/v1/referrals/{id}/{event}", staff.WorkReferral, h.act},
		{"GET", "/api/v1/referrals/{id}/support", staff.ViewReferral, h.getSupport},
		{"POST", "/api/v1/referrals/{id}/support", staff.WorkReferral, h.recordSupport},
		{"GET", "/api/v1/tasks", staff.WorkReferral, h.listTasks},
		{"GET", "/api/v1/services", staff.ViewServices, h.listServices},
		{"POST", "/api/v1/services", staff.EditServices, h.putService},
		{"POST", "/api/v1/services/import", staff.EditServices, h.importServices},
		{"GET", "/api/v1/services/{service}", staff.ViewServices, h.getService},
		{"PUT", "/api/v1/services/{service}", staff.EditServices, h.putService},
		{"PUT", "/api/v1/services/{service}/places", staff.CorrectPlaces, h.putPlaces},
		{"GET", "/api/v1/support", staff.ViewReferral, h.getOffer},
		{"PUT", "/api/v1/support/interventions", staff.EditSupport, h.putKinds},
		{"POST", "/api/v1/support/measures", staff.EditSupport, h.addMeasure},
		{"PUT", "/api/v1/support/measures/{measure}", staff.EditSupport, h.putMeasure},
		{"GET", "/api/v1/referrals/next", staff.WorkReferral, h.getNext},
		{"GET", "/api/v1/teams/{team}/sharing", staff.ViewCapacity, h.getSharing},
		{"PUT", "/api/v1/teams/{team}/sharing", staff.EditCapacity, h.putSharing},
		{"GET", "/api/v1/sick", staff.WorkReferral, h.getSick},
		{"POST", "/api/v1/sick", staff.WorkReferral, h.apiSick},
		{"DELETE", "/api/v1/sick", staff.WorkReferral, h.apiBack},
		{"GET", "/api/v1/accounts/{account}/sick", staff.EditCapacity, h.getSick},
		{"POST", "/api/v1/accounts/{account}/sick", staff.EditCapacity, h.apiSick},
		{"DELETE", "/api/v1/accounts/{account}/sick", staff.EditCapacity, h.apiBack},
		{"POST", "/api/v1/accounts/{account}/present", staff.EditCapacity, h.isIn},
		{"GET", "/api/v1/teams/{team}/capacity", staff.ViewCapacity, h.getCapacity},
		{"PUT", "/api/v1/teams/{team}/capacity", staff.EditCapacity, h.putCapacity},
		{"GET", "/api/v1/words", staff.ViewWords, h.getWords},
		{"PUT", "/api/v1/words", staff.EditWords, h.putWords},
		{"GET", "/api/v1/optouts", staff.ManageOptOuts, h.listOptOuts},
		{"POST", "/api/v1/optouts", staff.ManageOptOuts, h.importOptOuts},
		{"GET", "/api/v1/corrections", staff.ManageOptOuts, h.listCorrections},
		{"POST", "/api/v1/corrections/{correction}/done", staff.ManageOptOuts, h.corrected},
		{"GET", "/api/v1/practices", staff.ExportPractice, h.listPractices},
		{"GET", "/api/v1/practices/codes", staff.ExportPractice, h.getPracticeCodes},
		{"PUT", "/api/v1/practices/codes", staff.ExportPractice, h.putPracticeCodes},
		{"GET", "/api/v1/practices/{ods}/files", staff.ExportPractice, h.listPracticeFiles},
		{"POST", "/api/v1/practices/{ods}/files", staff.ExportPractice, h.makePracticeFile},
		{"GET", "/api/v1/practices/{ods}/files/{file}/{format}", staff.ExportPractice, h.takePracticeFile},
		{"POST", "/api/v1/practices/{ods}/files/{file}/again", staff.ExportPractice, h.practiceFileAgain},
		{"GET", "/api/v1/reports", staff.ViewReports, h.getReport},
		{"GET", "/api/v1/reports/report.csv", staff.ViewReports, h.reportFile(".csv", csvKind, writeReportCSV)},
		{"GET", "/api/v1/reports/report.xlsx", staff.ViewReports, h.reportFile(".xlsx", xlsxKind, writeReportXLSX)},
		{"GET", "/api/v1/webhooks", staff.ManageWebhooks, h.listWebhooks},
		{"POST", "/api/v1/webhooks", staff.ManageWebhooks, h.addWebhook},
		{"DELETE", "/api/v1/webhooks/{hook}", staff.ManageWebhooks, h.onWebhook(func(r *http.Request, who staff.Account, hook int64) error {
			return h.Store.RemoveWebhook(r.Context(), who, hook)
		})},
		{"GET", "/api/v1/webhooks/{hook}/deliveries", staff.ManageWebhooks, h.listDeliveries},
		{"POST", "/api/v1/webhooks/{hook}/test", staff.ManageWebhooks, h.onWebhook(func(r *http.Request, who staff.Account, hook int64) error {
			return h.Store.TestWebhook(r.Context(), who, hook)
		})},
		{"POST", "/api/v1/webhooks/{hook}/on", staff.ManageWebhooks, h.onWebhook(func(r *http.Request, who staff.Account, hook int64) error {
			return h.Store.SwitchWebhook(r.Context(), who, hook, true)
		})},
		{"POST", "/api/v1/webhooks/{hook}/off", staff.ManageWebhooks, h.onWebhook(func(r *http.Request, who staff.Account, hook int64) error {
			return h.Store.SwitchWebhook(r.Context(), who, hook, false)
		})},
		{"POST", "/api/v1/webhooks/{hook}/deliveries/{delivery}/redeliver", staff.ManageWebhooks, h.onWebhook(h.redeliver)},
	}
}

// Access is every address with what it needs.
func (h *Handler) Access() []staff.Route {
	var all []staff.Route
	for _, e := range h.routes() {
		all = append(all, staff.Route{Method: e.method, Pattern: e.pattern, Do: e.do})
	}
	return all
}

// Routes mounts the desk. [Handler.Authenticate] must go around r: without it nobody is signed in, and all but sign-in is refused.
func (h *Handler) Routes(r chi.Router) {
	for _, e := range h.routes() {
		r.MethodFunc(e.method, e.pattern, func(w http.ResponseWriter, r *http.Request) {
			who := staff.From(r.Context())
			var err error
			if e.do != "" {
				err = staff.Check(r.Context(), h.Store, who, e.do, who.Network, target(r))
			}
			if err == nil {
				err = e.serve(w, r, who)
			}
			if err != nil {
				h.fail(w, r, err)
			}
		})
	}
}

// target names for the audit what a request is about: "referral 12", or nothing.
func target(r *http.Request) string {
	for _, t := range [...][2]string{{"id", "referral"}, {"team", "team"}, {"account", "account"}, {"correction", "correction"}, {"file", "file"}, {"hook", "webhook"}, {"service", "service"}, {"measure", "measure"}, {"breaking", "breaking"}} {
		if id, err := pathID[int64](r, t[0]); err == nil && id != 0 {
			return t[1] + " " + chi.URLParam(r, t[0])
		}
	}
	return ""
}

func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

// home sends everybody to the page that their day starts with.
func (h *Handler) home(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	for _, p := range []struct {
		do   staff.Action
		path string
	}{
		{staff.WorkReferral, queuePath},
		{staff.ViewCampaigns, "/desk/campaigns"},
		{staff.ViewQueue, queuePath},
	} {
		if staff.May(who, p.do, who.Network) == nil {
			http.Redirect(w, r, p.path, http.StatusSeeOther)
			return nil
		}
	}
	return staff.ErrDenied
}
