package desk

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// pageSize is how many referrals a page of the queue shows.
const pageSize = 50

// parts are the tabs of the queue, by their name in the address.
var parts = []struct{ state, text, empty string }{
	{"open", "Open", "Nobody is waiting. New referrals appear here by themselves."},
	{"new", "New", "There is no new referral: somebody has each of them in hand."},
	{"mine", "Mine", "You have no open referral. Claim one from New."},
	{"waiting", "To try again", "Nobody has been tried in vain and still waits."},
	{"urgent", "Urgent", "There is no urgent referral."},
	{"unverified", "Not confirmed", "There is nobody whose identity is still to be confirmed."},
	{"done", "Done", "Nothing is finished yet."},
}

// queueScreen is the data of queue.html.
type queueScreen struct {
	Tabs        []queueTab
	State       string
	Poll        string // address of this very list
	Updated     string
	Overdue     string
	Lists       []queueList
	Empty       string
	Next, First string
	After       int64
	NoUrgent    bool // this role is not shown urgent ones
	Search      bool // this role may search
	Narrow      []queueNarrow
	Narrowed    string // by what it is narrowed now
	Everything  string // address of the same part, not narrowed
	Kept        []keptField
	NextUp      nextScreen
	Sick        string // address for whoever makes first contacts
}

// queueNarrow is one way to narrow the queue, as links.
type queueNarrow struct {
	Caption string
	Links   []queueTab
}

// keptField goes with a claim from the queue, so that who comes too late finds the same list again.
type keptField struct{ Name, Value string }

type queueTab struct {
	Text, Href, Count string
	Current           bool
}

// queueList is one table. The lane of those whom nobody has confirmed gets its own.
type queueList struct {
	Caption, Explain string
	Rows             []queueRow
}

type queueRow struct {
	ID                      selfrefer.ReferralID
	Reference, Name         string // Name is empty for roles that may not open a referral
	Href                    string
	Practice, Reasons       string
	Urgent                  bool
	WhyUrgent               string
	State, Age              ui.Tag
	Marks                   []ui.Tag // what else must be seen at once
	AgeWords, Has, NotMatch string
	Claim                   bool
	Restrict                string // address, for who restricts without opening it
}

// queueFilter reads the part of the queue that a request asks for.
func queueFilter(r *http.Request, who staff.Account) (selfrefer.Filter, error) {
	q := r.URL.Query()
	f := selfrefer.Filter{Network: who.Network, Team: who.Team, State: q.Get("state"), Who: who, NoUrgent: staff.May(who, staff.ViewUrgent, who.Network) != nil, Limit: pageSize}
	if f.State == "" {
		f.State = "open"
	}
	known := slices.Contains(selfrefer.States, selfrefer.State(f.State))
	for _, p := range parts {
		known = known || p.state == f.State
	}
	if !known {
		return f, invalid{{Field: "state", Sentence: "There is no part of the queue with this name."}}
	}
	if f.State == "mine" {
		f.Mine = who.ID
	}
	f.Practice, f.Reason, f.Language = q.Get("practice"), q.Get("reason"), q.Get("language")
	if len(f.Practice)+len(f.Language) > 200 || f.Reason != "" && !slices.ContainsFunc(selfrefer.Reasons, func(r selfrefer.Reason) bool { return r.Code == f.Reason }) {
		return f, invalid{{Field: "reason", Sentence: "There is no reason, practice or language with this name."}}
	}
	if ended := f.State == "done" || slices.Contains(selfrefer.States, selfrefer.State(f.State)) && !selfrefer.State(f.State).Open(); ended && f.Narrowed() > 0 {
		return f, invalid{{Field: "state", Sentence: "Only referrals that are open can be narrowed by practice, reason or language."}}
	}
	if s := q.Get("after"); s != "" {
		var err error
		if f.After, err = strconv.ParseInt(s, 10, 64); err != nil || f.After < 0 {
			return f, invalid{{Field: "after", Sentence: "after must be the next of the page before, as it was given."}}
		}
	}
	return f, nil
}

func (h *Handler) queuePage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	f, err := queueFilter(r, who)
	if err != nil {
		return err
	}
	return h.showQueue(w, r, who, f, http.StatusOK, nil)
}

func (h *Handler) showQueue(w http.ResponseWriter, r *http.Request, who staff.Account, f selfrefer.Filter, status int, errs []ui.FieldError) error {
	ctx := r.Context()
	all, next, err := h.queue(r, f)
	if err != nil {
		return err
	}
	name, err := h.names(ctx, who.Network)
	if err != nil {
		return err
	}
	practices, err := h.practices(ctx, who.Network)
	if err != nil {
		return err
	}
	s := queueScreen{State: f.State, After: f.After, Poll: queueURL(f), Updated: ui.Clock(h.Now().In(h.zone)), NoUrgent: f.NoUrgent, Search: staff.May(who, staff.SearchReferrals, who.Network) == nil}
	for _, k := range []keptField{{"practice", f.Practice}, {"reason", f.Reason}, {"language", f.Language}} {
		if k.Value != "" {
			s.Kept = append(s.Kept, k)
		}
	}
	if err := h.countQueue(r, who, f, practices, &s); err != nil {
		return err
	}
	s.NextUp.State = f.State
	if s.NextUp.Next, err = h.nextUp(ctx, who, f, name, practices); err != nil {
		return err
	}
	if who.Team != 0 && who.Role.Answers() {
		s.Sick = sickPath
	}
	if page := f; next != 0 {
		page.After = next
		s.Next = queueURL(page)
	}
	if page := f; f.After != 0 {
		page.After = 0
		s.First = queueURL(page)
	}
	for _, p := range parts {
		if p.state == f.State {
			s.Empty = p.empty
		}
	}
	sure := queueList{Caption: "Call in this order"}
	if f.State == "done" || slices.Contains(selfrefer.States, selfrefer.State(f.State)) && !selfrefer.State(f.State).Open() {
		sure.Caption = "Newest first"
	}
	unsure := queueList{Caption: "Not confirmed", Explain: "Nobody has confirmed who these are from. Check name, date of birth and practice when you speak."}
	for _, ref := range all {
		row := h.queueRow(ref, who, name, practices)
		if ref.Lane == selfrefer.Unverified && ref.State.Open() {
			unsure.Rows = append(unsure.Rows, row)
		} else {
			sure.Rows = append(sure.Rows, row)
		}
	}
	for _, l := range []queueList{sure, unsure} {
		if len(l.Rows) > 0 {
			s.Lists = append(s.Lists, l)
		}
	}
	if f.State == "mine" && f.After == 0 && f.Narrowed() == 0 { // whom somebody supports is theirs, too, though nobody waits for a first call
		l := queueList{Caption: "In support with you"}
		supported, more, err := h.queue(r, selfrefer.Filter{Network: f.Network, Team: f.Team, Who: f.Who, NoUrgent: f.NoUrgent, State: "supported", Mine: who.ID, Limit: pageSize})
		if err != nil {
			return err
		}
		if more != 0 {
			l.Explain = "The latest " + strconv.Itoa(pageSize) + " of them."
		}
		for _, ref := range supported {
			l.Rows = append(l.Rows, h.queueRow(ref, who, name, practices))
		}
		if len(l.Rows) > 0 {
			s.Lists = append(s.Lists, l)
		}
	}
	return h.show(w, r, status, "queue", ui.Page{Title: "Queue", Notice: notice(r), Undo: h.undoNotice(r, who), Errors: errs, Data: s})
}

// queue reads a page of the queue, and where the next one starts: 0 at the end.
func (h *Handler) queue(r *http.Request, f selfrefer.Filter) (all []selfrefer.Referral, next int64, err error) {
	size := f.Limit
	f.Limit++
	if all, err = h.Store.Queue(r.Context(), f); err != nil {
		return nil, 0, fmt.Errorf("read the queue: %w", err)
	}
	if len(all) > size {
		all = all[:size]
		next = int64(all[size-1].ID)
	}
	return all, next, nil
}

// queueURL is the address of a part of the queue.
func queueURL(f selfrefer.Filter) string {
	q := url.Values{"state": {f.State}}
	for name, value := range map[string]string{"practice": f.Practice, "reason": f.Reason, "language": f.Language} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.After != 0 {
		q.Set("after", strconv.FormatInt(f.After, 10))
	}
	return queuePath + "?" + q.Encode()
}

// narrowest is how many practices, reasons or languages are offered as links: those that most referrals have.
const narrowest = 15

// countQueue makes the tabs and the ways to narrow them, with their counts. Where several ways are taken at once nobody counts, and no count
// is shown: a wrong one would be worse.
func (h *Handler) countQueue(r *http.Request, who staff.Account, f selfrefer.Filter, practices map[string]string, s *queueScreen) error {
	by := f
	by.Mine = who.ID
	c, err := h.Store.Count(r.Context(), by)
	if err != nil {
		return fmt.Errorf("count the queue: %w", err)
	}
	count := map[string]int{"open": c.Open(), "new": c.New, "waiting": c.Contacting, "urgent": c.Urgent, "unverified": c.Unverified, "done": c.Done, "mine": c.Mine}
	switch {
	case c.Overdue >= selfrefer.MaxOverdue:
		s.Overdue = "Waiting longer than promised: " + plural(selfrefer.MaxOverdue, "referral") + " or more"
	case c.Overdue > 0:
		s.Overdue = "Waiting longer than promised: " + plural(c.Overdue, "referral")
	}
	for _, p := range parts {
		if p.state == "urgent" && f.NoUrgent || p.state == "mine" && staff.May(who, staff.WorkReferral, who.Network) != nil {
			continue
		}
		to := f
		to.State, to.After = p.state, 0
		if p.state == "done" {
			to.Practice, to.Reason, to.Language = "", "", ""
		}
		tab := queueTab{Text: p.text, Href: queueURL(to), Current: p.state == f.State}
		if p.state == "done" || c.Known && (p.state != "mine" || f.Narrowed() == 0) {
			tab.Count = strconv.Itoa(count[p.state])
		}
		s.Tabs = append(s.Tabs, tab)
	}
	if f.State == "done" || slices.Contains(selfrefer.States, selfrefer.State(f.State)) && !selfrefer.State(f.State).Open() {
		return nil
	}
	s.narrow(f, c, practices)
	return nil
}

// narrow offers the practices, reasons and languages that open referrals have, most of them first.
func (s *queueScreen) narrow(f selfrefer.Filter, c selfrefer.Counts, practices map[string]string) {
	languages := map[string]string{}
	for l := range c.Languages {
		languages[l] = l
	}
	words := map[string]string{}
	for _, r := range selfrefer.Reasons {
		words[r.Code] = r.Words
	}
	var by []string
	for _, way := range []struct {
		caption string
		now     *string
		counts  map[string]int
		words   map[string]string
	}{{"Practice", &f.Practice, c.Practices, practices}, {"Reason", &f.Reason, c.Reasons, words}, {"Language", &f.Language, c.Languages, languages}} {
		chosen := *way.now
		n := queueNarrow{Caption: way.caption}
		link := func(text, value, count string) {
			*way.now = value
			f.After = 0
			n.Links = append(n.Links, queueTab{text, queueURL(f), count, value == chosen})
			*way.now = chosen
		}
		link("Any", "", "")
		values := slices.DeleteFunc(slices.Collect(maps.Keys(way.counts)), func(v string) bool { return v == "" || way.counts[v] <= 0 && v != chosen })
		if chosen != "" && !slices.Contains(values, chosen) {
			values = append(values, chosen)
		}
		slices.SortFunc(values, func(a, b string) int { return cmp.Or(cmp.Compare(way.counts[b], way.counts[a]), cmp.Compare(a, b)) })
		for i, v := range values {
			if i < narrowest || v == chosen {
				link(cmp.Or(way.words[v], v), v, strconv.Itoa(way.counts[v]))
			}
		}
		if chosen != "" {
			by = append(by, cmp.Or(way.words[chosen], chosen))
		}
		if len(n.Links) > 1 {
			s.Narrow = append(s.Narrow, n)
		}
	}
	if s.Narrowed = strings.Join(by, ", "); s.Narrowed != "" {
		s.Everything = queueURL(selfrefer.Filter{State: f.State})
	}
}

func (h *Handler) queueRow(ref selfrefer.Referral, who staff.Account, name func(staff.AccountID) string, practices map[string]string) queueRow {
	row := queueRow{ID: ref.ID, Reference: ref.Reference, Urgent: ref.Urgent, WhyUrgent: capital(strings.Join(ref.WhyUrgent, "; ")), State: stateTag(ref.State),
		Reasons: cmp.Or(strings.Join(reasons(ref.Answers.Reasons), ", "), saidShort[ref.Answers.Said], "No reason given"), NotMatch: ref.NotMatched, Practice: practices[ref.Practice]}
	if row.Practice == "" {
		row.Practice = ref.Practice
	}
	row.Age, row.AgeWords = h.age(ref)
	row.Marks = marks(ref)
	if staff.May(who, staff.ViewReferral, ref.Network) == nil {
		row.Href = fmt.Sprintf("/desk/referrals/%d", ref.ID)
		row.Name = ref.Name.Reveal()
	}
	if ref.Masked {
		row.Name, row.Reasons = "Restricted", "Only colleagues who are named may open it"
		if row.Href != "" {
			row.Href += "/glass"
		}
	}
	if row.Href == "" && selfrefer.MayRestrict(who, ref) == nil {
		row.Restrict = referralPath(ref.ID) + "/restrict"
	}
	switch {
	case ref.ClaimedBy == who.ID:
		row.Has = "You"
	case ref.ClaimedBy != 0:
		row.Has = name(ref.ClaimedBy)
	}
	_, can := selfrefer.Next(ref.State, selfrefer.Claim)
	row.Claim = can && !ref.Masked && selfrefer.May(who, ref, selfrefer.Claim) == nil
	return row
}

// marks are what else must be seen at once: an urgent one that nobody has claimed for long, what a senior was told of, what was handed over.
func marks(ref selfrefer.Referral) (all []ui.Tag) {
	if words := ref.Offer.Words(); words != "" {
		all = append(all, ui.Tag{Text: words, Colour: "red"})
	}
	if ref.Restricted {
		all = append(all, ui.Tag{Text: "Restricted", Colour: "purple"})
	}
	if ref.EscalatedTo != 0 {
		all = append(all, ui.Tag{Text: "Escalated", Colour: "orange"})
	}
	if ref.HandedBy != 0 {
		all = append(all, ui.Tag{Text: "Handed over, not opened", Colour: "purple"})
	}
	return all
}

// saidShort are short replies as the list tells them apart. They stay in the order of calling: it is a hint and no judgement.
var saidShort = map[selfrefer.Said]string{
	selfrefer.SaidCall: "Reply: call me", selfrefer.SaidNotMe: "Reply: not them, or a wrong number?", selfrefer.SaidNo: "Reply: no, thanks", selfrefer.SaidThanks: "Reply: thanks, or OK",
	selfrefer.SaidAutomatic: "Reply: an automatic answer?", selfrefer.SaidNothing: "Reply: no words", selfrefer.SaidStart: "Reply: START", selfrefer.SaidStop: "Reply: STOP, and more",
}

// notice says what the POST before this page has done. Its sentences are fixed: an address carries a code, never data.
func notice(r *http.Request) string {
	return map[string]string{
		"claim":          "You have claimed this referral. Nobody else will call.",
		"release":        "The referral is back in the queue.",
		"attempt":        "Saved: you tried and did not reach them.",
		"start_support":  "Saved: they are in support with you.",
		"send_onward":    "Saved: another service will help them.",
		"close":          "Saved: the referral is closed.",
		"decline":        "Saved: they do not want help now.",
		"give_up":        "Saved: they cannot be reached.",
		"mark_duplicate": "Saved: this was a second referral from the same person.",
		"hand_over":      "Handed over. You can take it back until they open it.",
		"take_back":      "It is yours again.",
		"escalate":       "Saved: a senior is told. It stands at the top of their pages until they open it.",
		"note":           "Saved: the note.",
		"task":           "Saved: the task.",
		"tick":           "Saved: the task is done.",
		"untick":         "Saved: the task is to be done again.",
		"join":           "Joined: this is one case now. Below, you can separate them again.",
		"separate":       "Separated. Both stand as they did before.",
		"undo":           "Undone. The referral stands as it did before.",
		"undo_left":      "Undone here. A text about it has gone out since: that cannot be taken back.",
		"restrict":       "Saved: who may open this referral.",
		"lift":           "The restriction is lifted.",
		"glass":          "The glass is broken. The Caldicott guardian is told.",
		"acknowledge":    "Saved: you have read of it.",
		"guardian":       "Saved: who the Caldicott guardian is.",
		"sharing":        "Saved. The work is shared so from now on.",
		"speaks":         "Saved: the languages.",
		"in":             "Saved: they are in. Nobody is asked again today.",
		"sick":           "Saved. What was in hand is shared out.",
		"back":           "Saved: back at work.",
		"hours":          "Saved. The new hours count from the next decision about texts.",
		"leave":          "Saved. The leave counts from the next decision about texts.",
	}[r.URL.Query().Get("done")]
}

// referralJSON is a referral as the API tells it. Lists leave out what only the page of one referral shows.
type referralJSON struct {
	ID         selfrefer.ReferralID `json:"id"`
	Reference  string               `json:"reference"`
	State      selfrefer.State      `json:"state"`
	Lane       selfrefer.Lane       `json:"lane"`
	Urgent     bool                 `json:"urgent"`
	WhyUrgent  []string             `json:"why_urgent,omitempty"`
	Source     selfrefer.Source     `json:"source"`
	NotMatched string               `json:"not_matched,omitempty"`
	Practice   string               `json:"practice,omitempty"`
	Language   string               `json:"language,omitempty"`
	Reasons    []string             `json:"reasons,omitempty"`
	Said       selfrefer.Said       `json:"said,omitempty"`
	Received   time.Time            `json:"received"`
	Due        time.Time            `json:"due"`
	Age        selfrefer.Age        `json:"age"`
	Attempts   int                  `json:"attempts"`
	ClaimedBy  *holderJSON          `json:"claimed_by,omitempty"`
	ClaimedAt  *time.Time           `json:"claimed_at,omitempty"`
	Contacted  *time.Time           `json:"contacted,omitempty"`
	Closed     *time.Time           `json:"closed,omitempty"`
	Name       string               `json:"name,omitempty"`
	FreeSince  *time.Time           `json:"free_since,omitempty"` // since when nobody has it
	HandedBy   *holderJSON          `json:"handed_by,omitempty"`  // until claimed_by opens it
	Escalated  *escalatedJSON       `json:"escalated,omitempty"`
	OfferedTo  selfrefer.Offer      `json:"offered_to,omitempty"`
	Restricted bool                 `json:"restricted,omitempty"` // not everybody may open it
	Masked     bool                 `json:"masked,omitempty"`     // who reads may not: it waits, and no more is told

	Phone     string             `json:"phone,omitempty"`
	NHSNumber string             `json:"nhs_number,omitempty"`
	BirthDate string             `json:"birth_date,omitempty"`
	Answers   *selfrefer.Answers `json:"answers,omitempty"`
	Later     []laterJSON        `json:"later,omitempty"`
	Contacts  []contactJSON      `json:"contacts,omitempty"`
	Can       []selfrefer.Event  `json:"can,omitempty"` // what the caller may do with it now
	sameJSON
}

// laterJSON is a reply that came while the referral was open.
type laterJSON struct {
	At    time.Time      `json:"at"`
	Words string         `json:"words"`
	Said  selfrefer.Said `json:"said,omitempty"`
	Media int            `json:"media,omitempty"`
}

type holderJSON struct {
	ID   staff.AccountID `json:"id"`
	Name string          `json:"name"`
}

type contactJSON struct {
	At         time.Time             `json:"at"`
	By         holderJSON            `json:"by"`
	Event      selfrefer.Event       `json:"event"`
	Channel    string                `json:"channel,omitempty"`
	Note       string                `json:"note,omitempty"`
	To         *holderJSON           `json:"to,omitempty"`
	Escalation *selfrefer.Escalation `json:"escalation,omitempty"`
	Reason     selfrefer.Discharge   `json:"reason,omitempty"` // of what ends the support
	Other      string                `json:"other,omitempty"`  // of join, separate and mark_duplicate: the other's reference
	Of         selfrefer.Event       `json:"of,omitempty"`     // of undo: what it undid
	Undone     bool                  `json:"undone,omitempty"` // it counts no longer
}

// escalatedJSON is the last time that a senior was told.
type escalatedJSON struct {
	To     holderJSON `json:"to"`
	At     time.Time  `json:"at"`
	Opened *time.Time `json:"opened,omitempty"`
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// listed is a referral as far as a list shows it to who.
func (h *Handler) listed(r selfrefer.Referral, who staff.Account, name func(staff.AccountID) string) referralJSON {
	j := referralJSON{ID: r.ID, Reference: r.Reference, State: r.State, Lane: r.Lane, Urgent: r.Urgent, WhyUrgent: r.WhyUrgent, Source: r.Source, NotMatched: r.NotMatched,
		Practice: r.Practice, Language: r.Language, Reasons: r.Answers.Reasons, Said: r.Answers.Said, Received: r.Received.UTC(), Due: r.Due.UTC(), Age: r.AgeAt(h.Now()), Attempts: r.Attempts,
		ClaimedAt: instant(r.ClaimedAt), Contacted: instant(r.Contacted), Closed: instant(r.ClosedAt)}
	if r.ClaimedBy != 0 {
		j.ClaimedBy = &holderJSON{r.ClaimedBy, name(r.ClaimedBy)}
	}
	if staff.May(who, staff.ViewReferral, r.Network) == nil {
		j.Name = r.Name.Reveal()
	}
	if r.State == selfrefer.New {
		j.FreeSince = instant(r.Since())
	}
	if r.HandedBy != 0 {
		j.HandedBy = &holderJSON{r.HandedBy, name(r.HandedBy)}
	}
	if r.EscalatedTo != 0 {
		j.Escalated = &escalatedJSON{holderJSON{r.EscalatedTo, name(r.EscalatedTo)}, r.EscalatedAt.UTC(), instant(r.EscalatedSeen)}
	}
	j.OfferedTo, j.Restricted, j.Masked = r.Offer, r.Restricted, r.Masked
	return j
}

func (h *Handler) listReferrals(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	page, err := asked(r, pageSize)
	if err != nil {
		return err
	}
	f, err := queueFilter(r, who)
	if err != nil {
		return err
	}
	f.Limit = page.Limit
	all, end, err := h.queue(r, f)
	if err != nil {
		return err
	}
	next := ""
	if end != 0 {
		next = ui.Next(end)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	out := struct {
		Referrals []referralJSON `json:"referrals"`
		Next      string         `json:"next,omitempty"` // for ?after=; absent at the end
	}{[]referralJSON{}, next}
	for _, ref := range all {
		out.Referrals = append(out.Referrals, h.listed(ref, who, name))
	}
	return writeJSON(w, http.StatusOK, out)
}
