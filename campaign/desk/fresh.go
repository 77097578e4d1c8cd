package desk

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle"
)

// listDate is the day from which the age of a campaign's list counts.
func listDate(v campaign.View) time.Time { return v.ListOn(v.Audience) }

// campaignAge says how old a campaign's list is, and how old it may be.
func (h *Handler) campaignAge(v campaign.View) string {
	days := func(d time.Duration) string { return count(int(d/(24*time.Hour)), "day", "days") }
	words := fmt.Sprintf("%s, from %s; after %s nothing is sent before it is screened against a fresh one", days(h.cfg.Now().Sub(listDate(v))), h.day(listDate(v)), days(throttle.ListLasts(v.Policy.MaxListAge)))
	if says := h.fileSays(v.Audience); says != "" && listDate(v).Equal(v.Audience.TakenOn) {
		words += ". " + strings.TrimSuffix(says, ".")
	}
	return words
}

// freshNote leads from a campaign's page to the screening against a fresh list.
type freshNote struct{ Sentence, Href, Link string }

func (h *Handler) freshNote(who staff.Account, v campaign.View) (f freshNote) {
	if v.State != campaign.Running && v.State != campaign.Paused {
		return f
	}
	old := h.cfg.Now().Sub(listDate(v)) > throttle.ListLasts(v.Policy.MaxListAge)
	if can(who, staff.EditCampaign) {
		f.Href, f.Link = freshPath(v.ID), "Screen the list against a fresh one"
	}
	if f.Sentence = "The list is of " + h.day(listDate(v)) + "."; old {
		f.Sentence = "The list is too old: it is of " + h.day(listDate(v)) + ". People may have died or moved since. No texts leave before it is screened against a fresh one."
	}
	return f
}

func freshPath(id campaign.ID) string { return fmt.Sprintf("/desk/campaigns/%d/fresh-list", id) }

// outWords say why a fresh list takes somebody out.
func outWords(code string) string {
	switch code {
	case campaign.OutLeft:
		return "Not on the fresh list, or their row there cannot be used"
	case campaign.OutNumber:
		return "Has another mobile number now"
	}
	return reasonOf(code).short
}

// freshData is the page of a screening against a fresh list.
type freshData struct {
	Action   string
	Age      string
	Lists    ui.Field // to choose one
	Choose   bool
	Progress string
	Asking   bool
	Question string
	Number   ui.Field
	Cancel   bool
	Found    ui.Table
	New      string
	// NewURL makes a list of those who are not in the campaign, and CopyURL a campaign for them; "" before the screening is over.
	NewURL, CopyURL string
	Earlier         ui.Table
}

func (h *Handler) freshPage(w http.ResponseWriter, r *http.Request) {
	h.showFresh(w, r, http.StatusOK, nil)
}

func (h *Handler) showFresh(w http.ResponseWriter, r *http.Request, status int, errs []ui.FieldError) {
	ctx := r.Context()
	who, v, err := h.view(r)
	var all []campaign.Freshening
	var lists []campaign.Audience
	if err == nil {
		all, err = h.cfg.Store.Freshenings(ctx, who.Network, v.ID)
	}
	if err == nil {
		lists, err = h.cfg.Store.Audiences(ctx, who.Network, listsShown)
	}
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	d := &freshData{Action: freshPath(v.ID), Age: h.campaignAge(v)}
	refresh := 0
	live := v.State == campaign.Running || v.State == campaign.Paused
	if len(all) > 0 && live {
		f := all[0]
		switch f.State {
		case campaign.FreshCounting:
			d.Progress, d.Cancel, refresh = fmt.Sprintf("%s of %s have been compared with %s. Nothing is sent meanwhile.", number(f.Looked), count(f.People, "person", "people"), f.ListName), true, 3
		case campaign.FreshRemoving:
			d.Progress, refresh = fmt.Sprintf("%s are being taken out. Nothing is sent meanwhile.", count(f.Removed(), "person", "people")), 3
		case campaign.FreshAsking:
			d.Asking, d.Cancel = true, true
			d.Question = fmt.Sprintf("By %s, %s of %s who still wait for their text would be taken out. That is more than one in twenty. Is it the right list?", f.ListName, number(f.Removed()), count(f.Waiting, "person", "people"))
			d.Number = ui.Field{Name: "number", Label: "Type how many people are to be taken out", Hint: "Nothing is sent before you answer", Inputmode: "numeric", Width: 10, NoSpellcheck: true, Value: r.PostFormValue("number")}
		}
		if f.State == campaign.FreshAsking || f.State == campaign.FreshDone {
			d.Found = foundTable(f)
			if f.New > 0 {
				d.New = fmt.Sprintf("%s on the fresh list are not in this campaign, and are not added: the second person and the practices agreed to a number of people, and the order of sending mirrors the list. If they are to be texted, make a list of them, and a campaign that starts from this one: both agree again, and nobody is texted twice.", count(f.New, "person", "people"))
				if f.State == campaign.FreshDone {
					d.NewURL, d.CopyURL = newPeoplePath(f.List, v.Audience.ID), fmt.Sprintf("/desk/campaigns/new?from=%d", v.ID)
				}
			}
		}
	}
	if d.Choose = live && d.Progress == "" && !d.Asking; d.Choose {
		d.Lists = ui.Field{Kind: ui.Radios, Name: "list", Label: "Which is the fresh list?", Value: r.PostFormValue("list"), Hint: "Upload it as you did the first one. It must have all practices of the campaign, and be taken from the GP system after the list that the campaign has: lists that are older are not shown"}
		for _, a := range lists {
			if a.State == campaign.Screened && a.Ledger.Invited > 0 && v.CheckFresh(a, v.Audience) == nil {
				d.Lists.Options = append(d.Lists.Options, ui.Option{Value: fmt.Sprint(int64(a.ID)), Label: a.Name, Hint: strings.TrimSuffix(fmt.Sprintf("%s, taken on %s, checked at %s. %s", count(a.Ledger.Invited, "person", "people"), h.day(a.TakenOn), h.when(a.ScreenedAt), h.fileSays(a)), ". ")})
			}
		}
	}
	d.Earlier = ui.Table{Caption: "Earlier", Stacked: true, Compact: true, Head: []ui.Cell{{Text: "List"}, {Text: "When"}, {Text: "What became of it"}}}
	for _, f := range all {
		what := map[campaign.FreshState]string{campaign.FreshDone: count(f.Removed(), "person", "people") + " taken out", campaign.FreshCancelled: "Given up: nobody was taken out"}[f.State]
		if what != "" {
			d.Earlier.Rows = append(d.Earlier.Rows, []ui.Cell{{Text: f.ListName}, {Text: h.when(f.At)}, {Text: what}})
		}
	}
	p, err := h.page(ctx, r, who, "Screen the list against a fresh one", d)
	p.Back, p.Errors, p.Refresh = fmt.Sprintf("/desk/campaigns/%d", v.ID), errs, refresh
	h.show(w, r, status, "campaign-fresh", p, err)
}

// foundTable is the ledger of a screening: whom the fresh list takes out, by reason.
func foundTable(f campaign.Freshening) ui.Table {
	t := ui.Table{Caption: "Who is taken out, by the fresh list", RowHeaders: true, Compact: true, Head: []ui.Cell{{Text: "Why"}, {Text: "People", Numeric: true}}}
	add := func(key string, n int) {
		t.Rows = append(t.Rows, []ui.Cell{{Text: key}, {Text: number(n), Numeric: true}})
	}
	for _, code := range slices.Sorted(maps.Keys(f.Out)) {
		add(outWords(code), f.Out[code])
	}
	add("Taken out, of those who still waited", f.Removed())
	add("Still wait for their text", f.Waiting-f.Removed())
	if f.Texted > 0 {
		add("Texted already: no reminder goes to them", f.Texted)
	}
	return t
}

// freshen goes on with a screening after the request has been answered. The leader does what this cannot.
func (h *Handler) freshen(id campaign.ID) {
	if err := h.cfg.Store.Freshen(h.background, id); err != nil && h.background.Err() == nil {
		h.cfg.Log.Warn("go on screening later", "comp", "campaign_desk", "campaign", int64(id), "error", err)
	}
}

// answerFresh does what a page or a call asks of a screening.
func (h *Handler) answerFresh(r *http.Request, do func(who staff.Account, id campaign.ID) error) error {
	_, v, err := h.view(r)
	if err != nil {
		return err
	}
	who, err := h.may(r.Context(), staff.EditCampaign, target(r))
	if err == nil {
		err = do(who, v.ID)
	}
	if err == nil {
		h.launches.Go(func() { h.freshen(v.ID) })
	}
	return err
}

func (h *Handler) startFresh(r *http.Request, list campaign.AudienceID) error {
	return h.answerFresh(r, func(who staff.Account, id campaign.ID) error {
		return h.cfg.Store.StartFresh(r.Context(), who, id, list)
	})
}

func (h *Handler) confirmFresh(r *http.Request, number int) error {
	return h.answerFresh(r, func(who staff.Account, id campaign.ID) error {
		return h.cfg.Store.ConfirmFresh(r.Context(), who, id, number)
	})
}

func (h *Handler) cancelFresh(r *http.Request) error {
	return h.answerFresh(r, func(who staff.Account, id campaign.ID) error { return h.cfg.Store.CancelFresh(r.Context(), who, id) })
}

func (h *Handler) answerFreshPage(w http.ResponseWriter, r *http.Request) {
	if err := readForm(w, r); err != nil {
		h.pageError(w, r, err)
		return
	}
	var err error
	field := ""
	switch r.PostForm.Get("do") {
	case "start":
		field = "list"
		list, bad := strconv.ParseInt(r.PostForm.Get("list"), 10, 64)
		if err = h.startFresh(r, campaign.AudienceID(list)); bad != nil || errors.Is(err, campaign.ErrNotFound) {
			if _, _, gone := h.view(r); gone == nil {
				err = invalid{{Field: "list", Sentence: "Choose a list."}}
			}
		}
	case "confirm":
		field = "number"
		n, bad := strconv.Atoi(strings.ReplaceAll(strings.TrimSpace(r.PostForm.Get("number")), ",", ""))
		if bad != nil {
			n = -1
		}
		err = h.confirmFresh(r, n)
	case "cancel":
		err = h.cancelFresh(r)
	default:
		err = campaign.ErrNotFound
	}
	var bad invalid
	switch status, _, sentence := classify(err); {
	case err == nil:
		seeOther(w, r, "%s", r.URL.Path)
	case errors.As(err, &bad):
		h.showFresh(w, r, http.StatusUnprocessableEntity, bad)
	case status == http.StatusConflict:
		h.showFresh(w, r, status, []ui.FieldError{{Field: field, Sentence: sentence}})
	default:
		h.pageError(w, r, err)
	}
}

type freshAnswer struct {
	List    campaign.AudienceID `json:"list"`
	At      time.Time           `json:"at"`
	State   campaign.FreshState `json:"state"`
	Looked  int                 `json:"looked"`
	People  int                 `json:"people"`
	Waiting int                 `json:"waiting"`
	Removed int                 `json:"removed"`
	Out     map[string]int      `json:"out"`
	Texted  int                 `json:"texted"`
	New     int                 `json:"new"`
}

func (h *Handler) apiFresh(w http.ResponseWriter, r *http.Request) {
	who, v, err := h.view(r)
	var all []campaign.Freshening
	if err == nil {
		all, err = h.cfg.Store.Freshenings(r.Context(), who.Network, v.ID)
	}
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	answer := []freshAnswer{}
	for _, f := range all {
		out := f.Out
		if out == nil {
			out = map[string]int{}
		}
		answer = append(answer, freshAnswer{f.List, f.At, f.State, f.Looked, f.People, f.Waiting, f.Removed(), out, f.Texted, f.New})
	}
	writeJSON(w, http.StatusOK, map[string]any{"list_at": listDate(v), "screenings": answer})
}

// apiFreshAnswered answers with the screenings as they are now.
func (h *Handler) apiFreshAnswered(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		h.apiError(r.Context(), w, err)
		return
	}
	h.apiFresh(w, r)
}

func (h *Handler) apiStartFresh(w http.ResponseWriter, r *http.Request) {
	var call struct {
		List campaign.AudienceID `json:"list"`
	}
	err := readJSON(w, r, &call, false)
	if err == nil {
		err = h.startFresh(r, call.List)
	}
	h.apiFreshAnswered(w, r, err)
}

func (h *Handler) apiConfirmFresh(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Remove int `json:"remove"`
	}
	err := readJSON(w, r, &call, false)
	if err == nil {
		err = h.confirmFresh(r, call.Remove)
	}
	h.apiFreshAnswered(w, r, err)
}

func (h *Handler) apiCancelFresh(w http.ResponseWriter, r *http.Request) {
	h.apiFreshAnswered(w, r, h.cancelFresh(r))
}
