package desk

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

const webhooksPath = "/desk/webhooks"

// hookWords are the events as people choose them.
var hookWords = map[selfrefer.HookEvent]string{
	selfrefer.HookReceived: "A self-referral was received", selfrefer.HookContacted: "First contact was made", selfrefer.HookClosed: "A referral was closed", selfrefer.HookDeclined: "A person declined",
	selfrefer.HookUnreachable: "A person could not be reached", selfrefer.HookUndone: "The step before was undone", selfrefer.HookOptOut: "An opt-out", selfrefer.HookCorrection: "A practice must correct its record", selfrefer.HookExport: "A file for a practice is ready",
	selfrefer.HookTest: "A test",
}

// outcomeWords are what came of a try.
var outcomeWords = map[string]string{"": "not tried yet", "private_network": "the address leads to a private network: nothing was sent", "no_such_host": "the name leads nowhere", "timeout": "no answer within ten seconds",
	"no_connection": "no connection", "switched_off": "the webhook was switched off"}

// webhooksScreen is the data of webhooks.html.
type webhooksScreen struct {
	Hooks           ui.Table
	Address, Events ui.Field
}

func hookTag(k selfrefer.Webhook) ui.Cell {
	switch {
	case !k.OffAt.IsZero():
		return ui.Cell{Text: "Off", Tag: "grey"}
	case !k.Failing.IsZero():
		return ui.Cell{Text: "Failing", Tag: "red"}
	}
	return ui.Cell{Text: "On", Tag: "green"}
}

// hostOf shows where a webhook leads, without what may be a secret in its path.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "an address"
	}
	return u.Host
}

func (h *Handler) webhooksPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	return h.showWebhooks(w, r, who, http.StatusOK, nil)
}

func (h *Handler) showWebhooks(w http.ResponseWriter, r *http.Request, who staff.Account, status int, errs []ui.FieldError) error {
	all, err := h.Store.Webhooks(r.Context(), who)
	if err != nil {
		return fmt.Errorf("read the webhooks: %w", err)
	}
	t := ui.Table{Caption: "Webhooks of your network", Stacked: true, RowHeaders: true, Empty: "There are none.", Head: []ui.Cell{{Text: "Where to"}, {Text: "Events"}, {Text: "Waiting", Numeric: true}, {Text: "State"}}}
	for _, k := range all {
		t.Rows = append(t.Rows, []ui.Cell{{Text: hostOf(k.URL), Href: fmt.Sprint(webhooksPath, "/", k.ID)}, {Text: fmt.Sprintf("%d of %d", len(k.Events), len(selfrefer.HookEvents))}, {Text: thousands(k.Waiting), Numeric: true}, hookTag(k)})
	}
	s := webhooksScreen{Hooks: t, Address: ui.Field{Name: "url", Label: "Address", Hint: "It must begin with https://", Type: "url", NoSpellcheck: true, Value: r.PostFormValue("url")},
		Events: ui.Field{Kind: ui.Checkboxes, Small: true, Name: "events", Label: "Events", Size: "s", Values: r.PostForm["events"]}}
	for _, e := range selfrefer.HookEvents {
		s.Events.Options = append(s.Events.Options, ui.Option{Value: string(e), Label: hookWords[e]})
	}
	notice := map[string]string{"removed": "The webhook is removed."}[r.URL.Query().Get("done")]
	return h.show(w, r, status, "webhooks", ui.Page{Title: "Webhooks", Notice: notice, Errors: errs, Data: s})
}

// checkHook says what is wrong with a new webhook.
func (h *Handler) checkHook(address string, events []string) (bad invalid) {
	if err := selfrefer.CheckHookURL(address, h.Demo); err != nil {
		_, why, _ := strings.Cut(err.Error(), ": ")
		bad = append(bad, ui.FieldError{Field: "url", Sentence: "This address cannot be used: " + why})
	}
	known := func(e string) bool { return slices.Contains(selfrefer.HookEvents, selfrefer.HookEvent(e)) }
	if len(events) == 0 || slices.ContainsFunc(events, func(e string) bool { return !known(e) }) {
		bad = append(bad, ui.FieldError{Field: "events", Sentence: "Choose at least one event of the list"})
	}
	return bad
}

func chosen(events []string) (all []selfrefer.HookEvent) {
	for _, e := range selfrefer.HookEvents { // in one order, each once
		if slices.Contains(events, string(e)) {
			all = append(all, e)
		}
	}
	return all
}

func (h *Handler) addWebhook(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	var in struct {
		URL    string   `json:"url"`
		Events []string `json:"events"`
	}
	var err error
	if isAPI(r) {
		err = readJSON(w, r, &in)
	} else if err = readForm(w, r); err == nil {
		in.URL, in.Events = r.PostFormValue("url"), r.PostForm["events"]
	}
	if err != nil {
		return err
	}
	in.URL = strings.TrimSpace(in.URL)
	bad := h.checkHook(in.URL, in.Events)
	key := selfrefer.NewHookSecret()
	var hook selfrefer.Webhook
	if bad == nil {
		if hook, err = h.Store.AddWebhook(r.Context(), who, in.URL, chosen(in.Events), key); errors.Is(err, selfrefer.ErrTooManyHooks) {
			bad, err = invalid{{Field: "url", Sentence: capital(err.Error())}}, nil
		}
		if err != nil {
			return fmt.Errorf("add a webhook: %w", err)
		}
	}
	switch {
	case bad != nil && isAPI(r):
		return bad
	case bad != nil:
		return h.showWebhooks(w, r, who, http.StatusUnprocessableEntity, bad)
	case isAPI(r):
		w.Header().Set("Location", fmt.Sprintf("/api/v1/webhooks/%d", hook.ID))
		return writeJSON(w, http.StatusCreated, struct {
			hookJSON
			Secret string `json:"secret"`
		}{hookAsJSON(hook), selfrefer.ShowSecret(key)})
	}
	// The answer to the POST itself, not a page that could be opened again: nobody can be shown the secret a second time.
	w.Header().Set("Cache-Control", "no-store")
	return h.show(w, r, http.StatusOK, "webhooksecret", ui.Page{Title: "The webhook is set up", Data: struct{ Secret, Next string }{selfrefer.ShowSecret(key), fmt.Sprint(webhooksPath, "/", hook.ID)}})
}

// webhookScreen is the data of webhook.html.
type webhookScreen struct {
	Action     string
	Facts      ui.SummaryList
	On         bool
	Why        string
	Deliveries []deliveryRow
}

type deliveryRow struct {
	ID                int64
	What, When, Tries string
	Tag               ui.Tag
	Again             bool
}

// webhookOf finds one of who's network.
func (h *Handler) webhookOf(r *http.Request, who staff.Account) (selfrefer.Webhook, error) {
	id, err := pathID[int64](r, "hook")
	if err != nil {
		return selfrefer.Webhook{}, err
	}
	all, err := h.Store.Webhooks(r.Context(), who)
	if err != nil {
		return selfrefer.Webhook{}, fmt.Errorf("read the webhooks: %w", err)
	}
	for _, k := range all {
		if k.ID == id {
			return k, nil
		}
	}
	return selfrefer.Webhook{}, staff.ErrNotFound
}

func (h *Handler) webhookPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	k, err := h.webhookOf(r, who)
	if err != nil {
		return err
	}
	deliveries, err := h.Store.Deliveries(r.Context(), who, k.ID)
	if err != nil {
		return fmt.Errorf("read the deliveries: %w", err)
	}
	var events []ui.Cell
	for _, e := range k.Events {
		events = append(events, ui.Cell{Text: hookWords[e]})
	}
	s := webhookScreen{Action: fmt.Sprint(webhooksPath, "/", k.ID), On: k.OffAt.IsZero(), Why: selfrefer.WhyHookOff[k.WhyOff], Facts: ui.SummaryList{Rows: []ui.SummaryRow{
		{Key: "Address", Values: []ui.Cell{{Text: k.URL}}}, {Key: "Events", Values: events}, {Key: "State", Values: []ui.Cell{hookTag(k)}}}}}
	for _, d := range deliveries {
		row := deliveryRow{ID: d.ID, What: cmp.Or(hookWords[d.Event], string(d.Event)), When: h.when(d.At), Tries: triesWords(d), Again: s.On && d.State != selfrefer.Due}
		row.Tag = map[selfrefer.DeliveryState]ui.Tag{selfrefer.Due: {Text: "Waiting", Colour: "blue"}, selfrefer.Arrived: {Text: "Delivered", Colour: "green"}, selfrefer.NotDelivered: {Text: "Given up", Colour: "red"}}[d.State]
		s.Deliveries = append(s.Deliveries, row)
	}
	notice := map[string]string{"test": "A test is on its way. Look again in a few seconds.", "on": "The webhook is on.", "off": "The webhook is off.", "redeliver": "It is sent again within a few seconds."}[r.URL.Query().Get("done")]
	return h.show(w, r, http.StatusOK, "webhook", ui.Page{Title: "Webhook to " + hostOf(k.URL), Back: webhooksPath, Notice: notice, Data: s})
}

func triesWords(d selfrefer.Delivery) string {
	words, known := outcomeWords[d.Outcome]
	if !known {
		words = "answer " + d.Outcome
	}
	if d.Tries == 0 {
		return capital(words)
	}
	return fmt.Sprintf("%s, %s", capital(plural(d.Tries, "try")), words)
}

// changeWebhook does what a button of the page says.
func (h *Handler) changeWebhook(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	if err := readForm(w, r); err != nil {
		return err
	}
	k, err := h.webhookOf(r, who)
	if err != nil {
		return err
	}
	do, to := r.PostFormValue("do"), fmt.Sprint(webhooksPath, "/", k.ID)
	switch do {
	case "test":
		err = h.Store.TestWebhook(r.Context(), who, k.ID)
	case "on", "off":
		err = h.Store.SwitchWebhook(r.Context(), who, k.ID, do == "on")
	case "remove":
		err, to, do = h.Store.RemoveWebhook(r.Context(), who, k.ID), webhooksPath, "removed"
	case "redeliver":
		var id int64
		if _, err := fmt.Sscan(r.PostFormValue("delivery"), &id); err != nil {
			return staff.ErrNotFound
		}
		err = h.Store.Redeliver(r.Context(), who, k.ID, id)
	default:
		err = invalid{{Sentence: "Choose what to do with the webhook."}}
	}
	if err != nil {
		return fmt.Errorf("change a webhook: %w", err)
	}
	http.Redirect(w, r, to+"?done="+do, http.StatusSeeOther)
	return nil
}

// hookJSON is a webhook as the API tells it. Its secret is told once, when it is made.
type hookJSON struct {
	ID      int64                 `json:"id"`
	URL     string                `json:"url"`
	Events  []selfrefer.HookEvent `json:"events"`
	On      bool                  `json:"on"`
	WhyOff  string                `json:"why_off,omitempty"`
	Failing bool                  `json:"failing"`
	Waiting int                   `json:"waiting"`
}

func hookAsJSON(k selfrefer.Webhook) hookJSON {
	return hookJSON{k.ID, k.URL, k.Events, k.OffAt.IsZero(), k.WhyOff, !k.Failing.IsZero(), k.Waiting}
}

func (h *Handler) listWebhooks(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	all, err := h.Store.Webhooks(r.Context(), who)
	if err != nil {
		return fmt.Errorf("read the webhooks: %w", err)
	}
	page, err := asked(r, 0)
	if err != nil {
		return err
	}
	at, err := place(page, 1)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(k selfrefer.Webhook) bool { return k.ID <= at[0] })
	all, next := ui.CutPage(all, page, func(k selfrefer.Webhook) string { return ui.Next(k.ID) })
	out := struct {
		Webhooks []hookJSON `json:"webhooks"`
		Next     string     `json:"next,omitempty"`
	}{[]hookJSON{}, next}
	for _, k := range all {
		out.Webhooks = append(out.Webhooks, hookAsJSON(k))
	}
	return writeJSON(w, http.StatusOK, out)
}

// deliveryJSON is a delivery as the API tells it.
type deliveryJSON struct {
	ID      int64                   `json:"id"`
	Message string                  `json:"webhook_id"`
	Event   selfrefer.HookEvent     `json:"event"`
	At      time.Time               `json:"at"`
	State   selfrefer.DeliveryState `json:"state"`
	Tries   int                     `json:"tries"`
	Outcome string                  `json:"outcome,omitempty"`
}

func (h *Handler) listDeliveries(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[int64](r, "hook")
	if err != nil {
		return err
	}
	page, err := asked(r, usualPage)
	if err != nil {
		return err
	}
	at, err := place(page, 1)
	if err != nil {
		return err
	}
	all, err := h.Store.DeliveriesAfter(r.Context(), who, id, at[0], page.Fetch())
	if err != nil {
		return fmt.Errorf("read the deliveries: %w", err)
	}
	all, next := ui.CutPage(all, page, func(d selfrefer.Delivery) string { return ui.Next(d.ID) })
	out := struct {
		Deliveries []deliveryJSON `json:"deliveries"`
		Next       string         `json:"next,omitempty"`
	}{[]deliveryJSON{}, next}
	for _, d := range all {
		out.Deliveries = append(out.Deliveries, deliveryJSON{d.ID, d.MessageID(), d.Event, d.At.UTC(), d.State, d.Tries, d.Outcome})
	}
	return writeJSON(w, http.StatusOK, out)
}

// onWebhook answers an API call that changes one webhook.
func (h *Handler) onWebhook(change func(r *http.Request, who staff.Account, hook int64) error) func(http.ResponseWriter, *http.Request, staff.Account) error {
	return func(w http.ResponseWriter, r *http.Request, who staff.Account) error {
		id, err := pathID[int64](r, "hook")
		if err != nil {
			return err
		}
		if err := change(r, who, id); err != nil {
			return fmt.Errorf("change a webhook: %w", err)
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

func (h *Handler) redeliver(r *http.Request, who staff.Account, hook int64) error {
	id, err := pathID[int64](r, "delivery")
	if err != nil {
		return err
	}
	return h.Store.Redeliver(r.Context(), who, hook, id)
}
