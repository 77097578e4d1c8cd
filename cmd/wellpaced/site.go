package main

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/felixge/httpsnoop"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	campaigndesk "github.com/wellpaced/wellpaced/campaign/desk"
	"github.com/wellpaced/wellpaced/cmd/wellpaced/api"
	referdesk "github.com/wellpaced/wellpaced/selfrefer/desk"
	"github.com/wellpaced/wellpaced/selfrefer/form"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// mux mounts every part of the site.
func (a *app) mux(pages *ui.Renderer, patient *form.Handler, workers *referdesk.Handler, managers *campaigndesk.Handler, hooks http.Handler) http.Handler {
	r := chi.NewRouter()
	if len(a.TrustedProxies) > 0 {
		r.Use(middleware.ClientIPFromXFF(a.TrustedProxies...))
	} else {
		r.Use(middleware.ClientIPFromRemoteAddr)
	}
	r.Use(accessLog(a.Log.With("comp", "http")))
	// Webhooks prove themselves by signature and come from elsewhere: no cookies, no cross-origin rule.
	r.Handle("/webhooks/twilio/*", hooks)
	r.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	r.Get("/readyz", a.readyz)
	r.Group(func(r chi.Router) {
		r.Use(pages.Protect)
		r.Handle("/static/*", pages.Static())
		r.Get("/api/v1/openapi.json", openAPI(workers))
		patient.Routes(r)
		r.Group(func(r chi.Router) {
			r.Use(workers.Authenticate, (&api.Idempotency{Calls: a.db, Needs: needs(workers.Access(), managers.Access()), Log: a.Log.With("comp", "api")}).Around)
			workers.Routes(r)
			managers.Routes(r)
		})
		r.NotFound(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/api/") {
				ui.Problem(w, http.StatusNotFound, "not_found", "There is nothing at this address. /api/v1/openapi.json tells what there is.")
				return
			}
			pages.Error(w, r, http.StatusNotFound, "", nil)
		})
	})
	return r
}

// readyz answers 204 when the database answers and the queue does. It is for whoever watches, not for a load balancer: forms are taken without
// either of them.
func (a *app) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	if _, err := a.db.Networks(ctx); err != nil {
		ui.Problem(w, http.StatusServiceUnavailable, "database", "The database does not answer.")
		return
	}
	if _, err := a.queue.Stats(); err != nil {
		ui.Problem(w, http.StatusServiceUnavailable, "queue", "The queue does not answer.")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// needs looks up what a route needs.
func needs(tables ...[]staff.Route) func(method, pattern string) (staff.Action, bool) {
	do := map[string]staff.Action{}
	for _, e := range slices.Concat(tables...) {
		do[e.Method+" "+e.Pattern] = e.Do
	}
	return func(method, pattern string) (staff.Action, bool) {
		a, known := do[method+" "+pattern]
		return a, known && a != ""
	}
}

// openAPI serves the description of the API.
func openAPI(workers *referdesk.Handler) http.HandlerFunc {
	doc, err := api.Document(campaigndesk.OpenAPI(), workers.OpenAPI())
	if err != nil {
		panic("openapi: " + err.Error()) // maps of strings and maps
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(doc)
	}
}

// accessLog writes the route's pattern and never the path: a path holds the token of a link.
func accessLog(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			m := httpsnoop.CaptureMetrics(next, w, r)
			level := slog.LevelDebug
			if m.Code >= 500 {
				level = slog.LevelWarn
			}
			route := "none"
			if c := chi.RouteContext(r.Context()); c != nil && c.RoutePattern() != "" {
				route = c.RoutePattern()
			}
			log.Log(r.Context(), level, "request", "method", r.Method, "route", route, "status", m.Code, "ms", m.Duration.Round(time.Millisecond).Milliseconds(), "bytes", m.Written)
		})
	}
}

func clientIP(r *http.Request) string { return middleware.GetClientIP(r.Context()) }

// nav is the menu of the desks: only what this account may open.
func nav(who staff.Account, path string) []ui.NavItem {
	var items []ui.NavItem
	for _, p := range []struct {
		text, href string
		do         staff.Action
	}{
		{"Queue", "/desk/queue", staff.ViewQueue},
		{"My tasks", "/desk/tasks", staff.WorkReferral},
		{"Services", "/desk/services", staff.ViewServices},
		{"Campaigns", "/desk/campaigns", staff.ViewCampaigns},
		{"Reports", "/desk/reports", staff.ViewReports},
		{"Patient lists", "/desk/lists", staff.ViewLists},
		{"Capacity", "/desk/capacity", staff.ViewCapacity},
		{"What patients read", "/desk/words", staff.ViewWords},
		{"Opt-outs", "/desk/optouts", staff.ManageOptOuts},
		{"Who looked", "/desk/glass", staff.ReadGlass},
		{"Practices", "/desk/practices", staff.ExportPractice},
		{"Staff", "/desk/staff", staff.ManageStaff},
		{"Webhooks", "/desk/webhooks", staff.ManageWebhooks},
		{"System", "/desk/system", staff.ViewSystem},
	} {
		if staff.May(who, p.do, who.Network) == nil {
			current := strings.HasPrefix(path, p.href) || p.do == staff.ViewLists && strings.HasPrefix(path, "/desk/uploads/") || p.do == staff.ViewCampaigns && path == "/desk/deprivation"
			items = append(items, ui.NavItem{Text: p.text, Href: p.href, Current: current})
		}
	}
	return items
}
