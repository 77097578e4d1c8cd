package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// maxNote is the longest note, in characters.
const maxNote = 4000

// channels are the ways to reach somebody.
var channels = []ui.Option{{Value: "call", Label: "Call"}, {Value: "text", Label: "Text"}, {Value: "email", Label: "E-mail"}, {Value: "video", Label: "Video call"}, {Value: "visit", Label: "Visit"}}

type outcome struct {
	event       selfrefer.Event
	words, hint string
	reached     bool // or tried to: then how matters
}

// outcomes are what a link worker chooses among, in the words of the page. Claim and release have buttons of their own.
var outcomes = []outcome{
	{selfrefer.Attempt, "I did not reach them", "They stay with you, and the try is counted", true},
	{selfrefer.StartSupport, "I reached them, and we will support them", "They stay with you", true},
	{selfrefer.SendOnward, "I reached them, and another service will help", "Say in the note which one", true},
	{selfrefer.Decline, "I reached them, and they do not want help now", "", true},
	{selfrefer.Close, "I reached them, and nothing more is needed", "", true},
	{selfrefer.GiveUp, "We cannot reach them", "After several tries, at different times", false},
}

// referralScreen is the data of referral.html.
type referralScreen struct {
	Reference  string
	Tags       []ui.Tag
	Promise    string
	Action     string // address that the forms post to
	Has        string // who has it and since when; "" for nobody
	Claim      bool
	Release    string // the words of the button; "" for none
	Outcome    *outcomeForm
	TakeBack   string // the words of the button; "" for none
	HandOver   *handOverForm
	Escalate   *escalateForm
	Safe       []safeLine
	NoWay      bool    // neither a call nor a text is safe
	SayIf      []piece // what to say if somebody else answers
	Number     string
	Dial       template.URL // html/template trusts no tel: of its own
	ShowNumber bool         // it is safe to call: no need to hide it
	WhyUrgent  []string
	Said       string // what kind of reply it is, if it says so itself
	Lines      [][]piece
	Later      []laterLine
	Needs      [][]piece // what would make it easier for them, where that sounds like danger
	Confirmed  string    // why we think that it is them; "" if nobody has confirmed it
	NotMatched string
	Who        []fact
	Answers    ui.SummaryList
	History    []historyLine
	Texts      []textLine
	After      *aftercareScreen
	Same       *sameScreen
	Restrict   restrictLine
}

type outcomeForm struct{ Outcome, Channel, Note ui.Field }

// handOverForm and escalateForm stand folded; Open, where what was entered could not be taken.
type handOverForm struct {
	Open     bool
	To, Note ui.Field
}

type escalateForm struct {
	Open                      bool
	To, Why, Told, Number, At ui.Field
}

// laterLine is a reply that came while the referral was open.
type laterLine struct {
	When, Said string
	Lines      [][]piece
}

// safeLine is what the person said is safe, or not; Stop are those that must not be overlooked.
type safeLine struct {
	Stop bool
	Text string
}

// fact is a line of what is known of the person.
type fact struct{ Key, Value string }

type historyLine struct {
	What, Who, When, Note string
	More                  []fact
}

func (h *Handler) referralPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	err = h.showReferral(w, r, who, id, http.StatusOK, nil)
	if errors.Is(err, selfrefer.ErrRestricted) {
		http.Redirect(w, r, referralPath(id)+"/glass", http.StatusSeeOther)
		return nil
	}
	return err
}

func (h *Handler) showReferral(w http.ResponseWriter, r *http.Request, who staff.Account, id selfrefer.ReferralID, status int, errs []ui.FieldError) error {
	ref, contacts, err := h.Store.Referral(r.Context(), who, id)
	if err != nil {
		return fmt.Errorf("read the referral: %w", err)
	}
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	network, err := h.Store.Network(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read the network: %w", err)
	}
	practice := ref.Practice
	for _, p := range network.Practices {
		if p.ODS == ref.Practice {
			practice = p.Name
		}
	}
	s := referralScreen{Reference: ref.Reference, Action: referralPath(id), NotMatched: capital(ref.NotMatched), Lines: lines(highlight(ref.Answers.Words)),
		Said: replyWords(ref.Answers.Said, ref.Answers.Media)}
	for _, l := range ref.Later {
		s.Later = append(s.Later, laterLine{h.when(l.At), replyWords(l.Said, l.Media), lines(highlight(l.Words))})
	}
	if len(selfrefer.Find(ref.Answers.Needs)) > 0 {
		s.Needs = lines(highlight(ref.Answers.Needs))
	}
	for _, why := range ref.WhyUrgent {
		s.WhyUrgent = append(s.WhyUrgent, capital(why))
	}
	if ref.NotMatched == "" {
		s.Confirmed = "The date of birth is the one on the practice's list."
		if ref.Source == selfrefer.ByReply {
			s.Confirmed = "The reply came from a number that belongs to one person on the practice's list."
		}
	}
	if ref.Urgent {
		s.Tags = append(s.Tags, ui.Tag{Text: "Urgent", Colour: "red"})
	}
	age, left := h.age(ref)
	s.Tags = append(append(s.Tags, stateTag(ref.State), age), marks(ref)...)
	s.Promise = "Received at " + h.when(ref.Received) + ". We promised a first contact by " + h.when(ref.Due)
	if left != "" && ref.Contacted.IsZero() {
		s.Promise += " (" + strings.TrimPrefix(strings.ToLower(age.Text)+" "+left, "in time ") + ")"
	}
	s.Promise += "."
	switch {
	case ref.HandedBy != 0 && ref.ClaimedBy != who.ID:
		s.Has = name(ref.HandedBy) + " has handed it to " + name(ref.ClaimedBy) + " at " + h.when(ref.ClaimedAt) + ", who has not opened it yet."
	case ref.ClaimedBy == who.ID:
		s.Has = "You have had it since " + h.when(ref.ClaimedAt) + "."
	case ref.ClaimedBy != 0:
		s.Has = name(ref.ClaimedBy) + " has had it since " + h.when(ref.ClaimedAt) + "."
	}
	s.safety(ref)
	s.Who, s.Answers = h.whoIsIt(ref, practice), answers(ref)
	s.actions(ref, who, name, r)
	s.Restrict = h.restrictLine(ref, who)
	if err := h.colleagues(r, ref, who, &s, errs); err != nil {
		return err
	}
	s.History = h.history(ref, contacts, name)
	if s.Texts, err = h.texts(r.Context(), who, id); err != nil {
		return err
	}
	if s.After, err = h.aftercare(r, ref, who, name, errs); err != nil {
		return err
	}
	if s.Same, err = h.same(r, ref, who, name, errs); err != nil {
		return err
	}
	p := ui.Page{Title: "Referral " + ref.Reference, Back: queuePath, Notice: notice(r), Errors: errs, Data: s}
	if undo := s.Same.Undo; undo != nil && r.URL.Query().Get("done") == undo.Event {
		p.Undo, s.Same.Undo = undo, nil
	}
	return h.show(w, r, status, "referral", p)
}

// safety puts what the person said is safe before the number. What nobody asked counts as not safe.
func (s *referralScreen) safety(ref selfrefer.Referral) {
	a := ref.Answers
	line := func(answer selfrefer.Safe, yes, no, unasked string) {
		switch answer {
		case selfrefer.SafeYes:
			s.Safe = append(s.Safe, safeLine{false, yes})
		case selfrefer.SafeNo:
			s.Safe = append(s.Safe, safeLine{true, no})
		default:
			s.Safe = append(s.Safe, safeLine{true, unasked})
		}
	}
	unasked := "Take care with calling: they have not said whether it is safe."
	if ref.Source == selfrefer.ByReply && a.Channel == "call" {
		unasked = selfrefer.SaidCall.Words() + " Somebody else may answer: say only your first name until you know who it is."
	}
	line(a.CallSafe, "It is safe to call.", "Do NOT call: they said that it is not safe.", unasked)
	line(a.MessageSafe, "You can leave a voice message.", "Do NOT leave a message.", "Do NOT leave a message: they have not said that it is safe.")
	line(a.TextSafe, "It is safe to text.", "Do NOT text.", "Do NOT text: they have not said that it is safe.")
	if a.Email != "" { // the form asks for it only where they said so
		s.Safe = append(s.Safe, safeLine{false, "They asked us to write to " + a.Email + ": nobody else reads it, they said."})
	}
	if a.ForOther {
		s.Safe = append(s.Safe, safeLine{true, "Somebody else answered these questions for them. Ask them themselves, alone, before you rely on it."})
	}
	s.NoWay = a.CallSafe == selfrefer.SafeNo && a.TextSafe != selfrefer.SafeYes && a.Email == ""
	s.SayIf = highlight(a.IfAnother)
	s.ShowNumber = a.CallSafe == selfrefer.SafeYes
	if !ref.Phone.IsZero() {
		s.Number, s.Dial = national(ref.Phone), template.URL("tel:"+ref.Phone.Reveal())
	}
}

// replyWords tells what kind of reply it is.
func replyWords(said selfrefer.Said, media int) string {
	words := said.Words()
	if said == selfrefer.SaidCall {
		words = "It says CALL." // the rest stands where it says what is safe
	}
	if media > 0 {
		words = strings.TrimSpace(words + " " + plural(media, "picture or file") + " came with it, which we have not fetched: ask what it shows.")
	}
	return words
}

func (h *Handler) whoIsIt(ref selfrefer.Referral, practice string) []fact {
	born := ""
	if !ref.Born.IsZero() {
		born = fmt.Sprintf("%d %s %d (%s old)", ref.Born.Day, ref.Born.Month, ref.Born.Year, plural(ref.Born.AgeOn(h.Now().In(h.zone)), "year"))
	} else if typed := ref.Answers.BirthDate; typed != "" {
		born = "They wrote: " + typed
	}
	nhs := ""
	if !ref.NHS.IsZero() {
		nhs = ref.NHS.RevealSpaced()
	}
	facts := []fact{{"Name", ref.Name.Reveal()}, {"Date of birth", born}, {"NHS number", nhs}, {"Practice", practice}}
	for i := range facts {
		facts[i].Value = cmp.Or(facts[i].Value, "Not known")
	}
	return facts
}

// sources are how a referral came, as people say it.
var sources = map[selfrefer.Source]string{
	selfrefer.ByLink: "By the link in a text", selfrefer.ByGeneral: "By the form, without a link of ours", selfrefer.ByReply: "As a reply to a text", selfrefer.ByCall: "By telephone",
}

// answers are what the person said, as far as it does not stand elsewhere on the page.
func answers(ref selfrefer.Referral) ui.SummaryList {
	var l ui.SummaryList
	add := func(key string, values ...string) {
		row := ui.SummaryRow{Key: key}
		for _, v := range values {
			if v != "" {
				row.Values = append(row.Values, ui.Cell{Text: v})
			}
		}
		if len(row.Values) > 0 {
			l.Rows = append(l.Rows, row)
		}
	}
	a := ref.Answers
	add("Reasons", reasons(a.Reasons)...)
	add("In their words", a.ReasonWords...)
	add("Best way to reach them", channelWords(a.Channel))
	var when []string
	for _, t := range a.When {
		when = append(when, capital(strings.ReplaceAll(t, "_", " ")))
	}
	add("Best time", when...)
	add("Language to speak", a.Language)
	if a.Pages != "" && a.Pages != lang.English {
		add("Language of the form", lang.Of(a.Pages).Name)
	}
	add("What makes it easier for them", supportWords(a.Support)...)
	if len(selfrefer.Find(a.Needs)) == 0 { // else it stands above, with what sounds like danger marked
		add("What they need", a.Needs)
	}
	switch {
	case len(a.Tell) == 0 && a.TellWhom == "":
		add("Who we may tell", "Nobody, unless they say so")
	default:
		var may []string
		for _, t := range a.Tell {
			may = append(may, cmp.Or(tellWords[t], t))
		}
		add("Who we may tell", append(may, a.TellWhom)...)
	}
	if a.ForOther {
		add("Filled in by", cmp.Or(a.Helper, "Somebody else, on their behalf"), a.HelperIs, a.HelperPhone)
	}
	if a.DangerNow != "" {
		add("In danger now?", cmp.Or(map[string]string{"unsaid": "They did not want to say"}[a.DangerNow], capital(a.DangerNow)))
	}
	if a.Agreed {
		add("Agreed to", "Being contacted, and sharing these answers with the link workers who help them")
	}
	add("How it came", sources[ref.Source])
	return l
}

var tellWords = map[string]string{"practice": "Their GP practice", "family": "Somebody close to them"}

func channelWords(channel string) string {
	for _, c := range channels {
		if c.Value == channel {
			return c.Label
		}
	}
	return capital(channel)
}

// supportWords are what the form offers as a help to talk with us, as staff say it.
func supportWords(codes []string) []string {
	words := map[string]string{"interpreter": "An interpreter", "bsl": "An interpreter for British Sign Language", "hearing": "They do not hear well", "reading": "They find reading or writing hard",
		"large_print": "Large print", "easy_read": "Easy words and pictures", "steps": "They cannot climb steps, or use a wheelchair", "company": "Somebody they know with them"}
	var all []string
	for _, c := range codes {
		all = append(all, cmp.Or(words[c], c))
	}
	return all
}

// actions puts together what who may do with the referral now.
func (s *referralScreen) actions(ref selfrefer.Referral, who staff.Account, name func(staff.AccountID) string, r *http.Request) {
	can := allowed(ref, who)
	s.Claim = slices.Contains(can, selfrefer.Claim)
	if slices.Contains(can, selfrefer.Release) {
		s.Release = "Hand back to the queue"
		if ref.ClaimedBy != who.ID {
			s.Release = "Take it from " + name(ref.ClaimedBy) + " and put it back in the queue"
		}
	}
	f := outcomeForm{
		Outcome: ui.Field{Kind: ui.Radios, Name: "event", Label: "What came of it?", Size: "s", Small: true, Value: r.PostFormValue("event")},
		Channel: ui.Field{Kind: ui.Radios, Name: "channel", Label: "How did you try?", Size: "s", Small: true, Inline: true, Options: channels, Value: r.PostFormValue("channel")},
		Note:    ui.Field{Kind: ui.Textarea, Name: "note", Label: "Note", Size: "s", Rows: 3, Hint: "Only what the next person needs to know. It can stay empty, unless another service will help.", Value: r.PostFormValue("note")},
	}
	if f.Channel.Value == "" && ref.Answers.CallSafe == selfrefer.SafeYes {
		f.Channel.Value = "call"
	}
	for _, o := range outcomes {
		if !slices.Contains(can, o.event) {
			continue
		}
		option := ui.Option{Value: string(o.event), Label: o.words, Hint: o.hint}
		if o.event == selfrefer.Attempt && ref.Attempts > 0 {
			option.Hint = "You tried " + plural(ref.Attempts, "time") + " before"
		}
		if ref.State == selfrefer.InSupport { // they have been spoken to
			switch o.event {
			case selfrefer.Close:
				option.Label, option.Reveal = "Our support has ended", []ui.Field{dischargeField(r, "reason")}
			case selfrefer.SendOnward:
				option.Label = "Another service will help from here"
			}
		}
		f.Outcome.Options = append(f.Outcome.Options, option)
	}
	if ref.State == selfrefer.InSupport {
		f.Channel.Options = nil
	}
	if len(f.Outcome.Options) > 0 {
		s.Outcome = &f
	}
}

// allowed lists what who may do with a referral now.
func allowed(ref selfrefer.Referral, who staff.Account) []selfrefer.Event {
	return slices.DeleteFunc(selfrefer.Events(ref.State), func(e selfrefer.Event) bool {
		return selfrefer.May(who, ref, e) != nil || !ref.Glass.IsZero() && e != selfrefer.Note && e != selfrefer.Escalate
	})
}

// colleagues puts together whom who could hand the referral to, or tell of it.
func (h *Handler) colleagues(r *http.Request, ref selfrefer.Referral, who staff.Account, s *referralScreen, errs []ui.FieldError) error {
	can := allowed(ref, who)
	handOver, escalate := slices.Contains(can, selfrefer.HandOver), slices.Contains(can, selfrefer.Escalate)
	if !handOver && !escalate && !slices.Contains(can, selfrefer.TakeBack) {
		return nil
	}
	all, err := h.Store.Accounts(r.Context(), who.Network)
	if err != nil {
		return fmt.Errorf("read who works here: %w", err)
	}
	choices := func(e selfrefer.Event) []ui.Option {
		options := []ui.Option{{Value: "", Label: "Choose a colleague"}}
		for _, a := range all {
			if a.ID == ref.ClaimedBy && slices.Contains(can, selfrefer.TakeBack) {
				s.TakeBack = "Take it back from " + a.Name
			}
			if selfrefer.MayBeTold(who, a, ref, e) == nil {
				label := a.Name + ", " + a.Role.Words()
				if a.ID == who.ID {
					label = "Myself"
				}
				options = append(options, ui.Option{Value: strconv.FormatInt(int64(a.ID), 10), Label: label})
			}
		}
		return options
	}
	sent := r.PostFormValue("event")
	value := func(e selfrefer.Event, name string) string {
		if sent != string(e) {
			return ""
		}
		return r.PostFormValue(name)
	}
	if o := choices(selfrefer.HandOver); handOver && len(o) > 1 {
		s.HandOver = &handOverForm{Open: sent == string(selfrefer.HandOver) && len(errs) > 0,
			To:   ui.Field{Kind: ui.Select, Name: "to", ID: "hand-to", Label: "To whom?", Size: "s", Options: o, Value: value(selfrefer.HandOver, "to")},
			Note: ui.Field{Kind: ui.Textarea, Name: "note", ID: "hand-note", Label: "What must they know?", Size: "s", Rows: 3, Hint: "They read it with the referral", Value: value(selfrefer.HandOver, "note")}}
	}
	if o := choices(selfrefer.Escalate); escalate && len(o) > 1 {
		f := func(name, label, hint string, width int) ui.Field {
			return ui.Field{Kind: ui.Text, Name: name, Label: label, Size: "s", Hint: hint, Width: width, Value: value(selfrefer.Escalate, name), Autocomplete: "off"}
		}
		s.Escalate = &escalateForm{Open: sent == string(selfrefer.Escalate) && len(errs) > 0,
			To:     ui.Field{Kind: ui.Select, Name: "to", ID: "escalate-to", Label: "Which senior?", Size: "s", Options: o, Value: value(selfrefer.Escalate, "to")},
			Why:    ui.Field{Kind: ui.Textarea, Name: "why", Label: "What worries you?", Size: "s", Rows: 3, Hint: "What they said or you saw, in their words if you can", Value: value(selfrefer.Escalate, "why")},
			Told:   f("told", "Whom have you told by telephone?", "Name and role, for example the safeguarding lead. Ring first: a page can be read too late", 0),
			Number: f("number", "Which number did you ring?", "It can stay empty", 20),
			At:     f("told_at", "When, today?", "For example 14:30. Leave it empty if it was just now", 5)}
	}
	return nil
}

// escalation reads what somebody records of the safeguarding pathway. Without a time it was just now.
func (h *Handler) escalation(why, told, number, at string) (e selfrefer.Escalation, bad invalid) {
	now := h.Now().In(h.zone)
	e = selfrefer.Escalation{Why: strings.TrimSpace(why), Told: strings.TrimSpace(told), Number: strings.TrimSpace(number), At: now.Truncate(time.Minute)}
	if e.Why == "" {
		bad = append(bad, ui.FieldError{Field: "why", Sentence: "Enter what worries you"})
	}
	if e.Told == "" {
		bad = append(bad, ui.FieldError{Field: "told", Sentence: "Enter whom you have told by telephone. If nobody yet, ring them first"})
	}
	for _, f := range []fact{{"why", e.Why}, {"told", e.Told}, {"number", e.Number}} {
		if utf8.RuneCountInString(f.Value) > maxNote {
			bad = append(bad, ui.FieldError{Field: f.Key, Sentence: fmt.Sprintf("This must be %d characters or fewer", maxNote)})
		}
	}
	if at = strings.TrimSpace(at); at != "" {
		t, err := time.Parse("15:04", strings.ReplaceAll(at, ".", ":"))
		y, m, d := now.Date()
		if e.At = time.Date(y, m, d, t.Hour(), t.Minute(), 0, 0, h.zone); err != nil || e.At.After(now) {
			bad = append(bad, ui.FieldError{Field: "told_at", Sentence: "Enter a time of today that has passed, for example 14:30"})
		}
	}
	return e, bad
}

// namedColleague reads whom a referral is handed to, or who is told.
func namedColleague(to, field string) (staff.AccountID, invalid) {
	id, err := strconv.ParseInt(to, 10, 64)
	if err != nil || id <= 0 {
		return 0, invalid{{Field: field, Sentence: "Choose a colleague"}}
	}
	return staff.AccountID(id), nil
}

var eventWords = map[selfrefer.Event]string{
	selfrefer.Claim: "Claimed", selfrefer.Release: "Handed back to the queue", selfrefer.Attempt: "Tried and not reached", selfrefer.StartSupport: "Reached: in support",
	selfrefer.SendOnward: "Sent onward to another service", selfrefer.Close: "Closed", selfrefer.Decline: "Does not want help now", selfrefer.GiveUp: "Cannot be reached",
	selfrefer.MarkDuplicate: "Marked as a second referral from the same person", selfrefer.HandOver: "Handed over", selfrefer.TakeBack: "Taken back before it was opened",
	selfrefer.Escalate: "Escalated", selfrefer.Note: "Note", selfrefer.UndoStep: "Undone", selfrefer.Join: "Joined with another referral of the same person", selfrefer.Separate: "Separated again",
	selfrefer.RestrictTo: "Restricted who may open it", selfrefer.LiftIt: "Lifted the restriction", selfrefer.BreakGlass: "Broke the glass",
}

// canAct tells which events somebody can apply: the others are written by what has a page of its own.
func canAct(e selfrefer.Event) bool {
	return slices.ContainsFunc(selfrefer.States, func(s selfrefer.State) bool { _, can := selfrefer.Next(s, e); return can })
}

// history is what happened, the latest first.
func (h *Handler) history(ref selfrefer.Referral, contacts []selfrefer.Contact, name func(staff.AccountID) string) []historyLine {
	lines := []historyLine{{What: "Received", When: h.when(ref.Received)}}
	try := 0
	for _, c := range contacts {
		what := eventWords[c.Event]
		if c.Event == selfrefer.Attempt && !c.Undone {
			try++
			what = "Try " + strconv.Itoa(try) + ": not reached"
		}
		for _, o := range channels {
			if o.Value == c.Channel {
				what += ", by " + strings.ToLower(o.Label)
			}
		}
		if c.To != 0 {
			what += " to " + name(c.To)
		}
		if c.Reason != selfrefer.NotSaid {
			what += ": " + lower(c.Reason.Words())
		}
		switch {
		case c.Of != "":
			what += ": " + lower(eventWords[c.Of])
		case c.Other != "":
			what += ": " + c.Other
		case c.Undone:
			what += " (undone)"
		}
		line := historyLine{What: what, Who: name(c.By), When: h.when(c.At), Note: c.Note}
		if c.By == 0 && (c.Event == selfrefer.HandOver || c.Event == selfrefer.Release) {
			line.Who = name(selfrefer.BySystem)
		}
		if c.Event == selfrefer.Escalate {
			line.More = []fact{{"Why", c.Escalation.Why}, {"Told by telephone", c.Escalation.Told}, {"Number", cmp.Or(c.Escalation.Number, "Not noted")}, {"When", h.when(c.Escalation.At)}}
		}
		lines = append(lines, line)
	}
	slices.Reverse(lines)
	return lines
}

// checkContact reads what somebody wants to record. A try without a channel was a call.
func checkContact(event, channel, note string) (selfrefer.Contact, error) {
	var bad invalid
	c := selfrefer.Contact{Event: selfrefer.Event(event), Channel: channel, Note: strings.TrimSpace(note)}
	if !canAct(c.Event) {
		bad = append(bad, ui.FieldError{Field: "event", Sentence: "Select what came of it"})
	}
	if channel != "" && !slices.ContainsFunc(channels, func(o ui.Option) bool { return o.Value == channel }) {
		bad = append(bad, ui.FieldError{Field: "channel", Sentence: "Select how you tried: call, text, email or visit"})
	}
	if utf8.RuneCountInString(c.Note) > maxNote {
		bad = append(bad, ui.FieldError{Field: "note", Sentence: fmt.Sprintf("The note must be %d characters or fewer", maxNote)})
	}
	if c.Event == selfrefer.Attempt && channel == "" {
		c.Channel = "call"
	}
	if bad != nil {
		return c, bad
	}
	return c, nil
}

// unsaid is what a page asks for beyond what the record needs: how somebody was tried, and, where a referral ends on somebody's word
// alone, what stands behind it. Without it nobody could ever find the person again.
func unsaid(c selfrefer.Contact, noChannel bool) (bad invalid) {
	if noChannel && slices.ContainsFunc(outcomes, func(o outcome) bool { return o.event == c.Event && o.reached }) {
		bad = append(bad, ui.FieldError{Field: "channel", Sentence: "Select how you tried: call, text, e-mail or visit"})
	}
	switch {
	case c.Note != "":
	case c.Event == selfrefer.MarkDuplicate:
		bad = append(bad, ui.FieldError{Field: "note", Sentence: "Enter which referral is the other one: its reference, or how you know"})
	case c.Event == selfrefer.SendOnward:
		bad = append(bad, ui.FieldError{Field: "note", Sentence: "Enter which service will help them"})
	case c.Event == selfrefer.Note:
		bad = append(bad, ui.FieldError{Field: "note-alone", Sentence: "Enter the note"})
	}
	return bad
}

// actPage records what a link worker did, from the queue's Claim buttons and from the referral's own page.
func (h *Handler) actPage(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	if err := readForm(w, r); err != nil {
		return err
	}
	fromQueue := r.PostFormValue("from") == "queue"
	c, err := checkContact(r.PostFormValue("event"), r.PostFormValue("channel"), r.PostFormValue("note"))
	var bad invalid
	if err == nil {
		var missing invalid
		switch c.Event {
		case selfrefer.HandOver:
			c.To, missing = namedColleague(r.PostFormValue("to"), "hand-to")
		case selfrefer.Escalate:
			var nobody invalid
			c.Escalation, missing = h.escalation(r.PostFormValue("why"), r.PostFormValue("told"), r.PostFormValue("number"), r.PostFormValue("told_at"))
			c.To, nobody = namedColleague(r.PostFormValue("to"), "escalate-to")
			missing = append(missing, nobody...)
		}
		if missing != nil {
			err = missing
		}
	}
	if err == nil {
		c.Reason = selfrefer.Discharge(r.PostFormValue("reason"))
		missing := append(unsaid(c, r.PostFormValue("asked") == "channel" && r.PostFormValue("channel") == ""), noReason(c, r.PostFormValue("asked") == "reason")...)
		if missing != nil {
			err = missing
		}
	}
	if errors.As(err, &bad) {
		return h.showReferral(w, r, who, id, http.StatusUnprocessableEntity, bad)
	}
	ref, err := h.Store.Act(r.Context(), who, id, c)
	if errors.Is(err, selfrefer.ErrNotTheirs) {
		field := map[selfrefer.Event]string{selfrefer.HandOver: "hand-to", selfrefer.Escalate: "escalate-to"}[c.Event]
		return h.showReferral(w, r, who, id, http.StatusUnprocessableEntity, invalid{{Field: field, Sentence: "This colleague may not work on this referral: choose another"}})
	}
	if errors.Is(err, selfrefer.ErrTaken) || errors.Is(err, selfrefer.ErrNotNow) {
		name, nameErr := h.names(r.Context(), who.Network)
		if nameErr != nil {
			return nameErr
		}
		told := []ui.FieldError{{Sentence: h.conflict(ref, err, who, name)}}
		if !fromQueue {
			return h.showReferral(w, r, who, id, http.StatusConflict, told)
		}
		q := r.URL.Query()
		for _, name := range []string{"state", "practice", "reason", "language"} {
			q.Set(name, r.PostFormValue(name))
		}
		if after := r.PostFormValue("after"); after != "0" {
			q.Set("after", after)
		}
		r.URL.RawQuery = q.Encode()
		f, err := queueFilter(r, who)
		if err != nil {
			return err
		}
		return h.showQueue(w, r, who, f, http.StatusConflict, told)
	}
	if err != nil {
		return fmt.Errorf("%s a referral: %w", c.Event, err)
	}
	to := fmt.Sprintf("/desk/referrals/%d?done=%s", id, c.Event)
	stays := c.Event == selfrefer.Claim || c.Event == selfrefer.Attempt || c.Event == selfrefer.TakeBack || c.Event == selfrefer.Escalate || c.Event == selfrefer.Note || c.Event == selfrefer.HandOver && c.To == who.ID
	if !stays && (ref.State != selfrefer.InSupport || c.Event == selfrefer.HandOver) { // out of their hands: on to the next
		to = queuePath + "?state=open&done=" + string(c.Event)
		if c.Event.CanBeUndone() {
			to += fmt.Sprintf("&of=%d", id)
		}
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// conflict says who has the referral, since when, or where it stands.
func (h *Handler) conflict(ref selfrefer.Referral, err error, who staff.Account, name func(staff.AccountID) string) string {
	switch {
	case errors.Is(err, selfrefer.ErrTaken) && ref.ClaimedBy == who.ID:
		return fmt.Sprintf("You claimed %s yourself at %s.", ref.Reference, h.when(ref.ClaimedAt))
	case errors.Is(err, selfrefer.ErrTaken) && ref.ClaimedBy != 0:
		return fmt.Sprintf("%s claimed %s at %s. Choose another.", name(ref.ClaimedBy), ref.Reference, h.when(ref.ClaimedAt))
	case errors.Is(err, selfrefer.ErrTaken):
		return fmt.Sprintf("Nobody has claimed %s. Claim it before you work on it.", ref.Reference)
	}
	return fmt.Sprintf("This cannot be done now: %s is %s.", ref.Reference, ref.State.Words())
}

func (h *Handler) getReferral(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	ref, contacts, err := h.Store.Referral(r.Context(), who, id)
	if err != nil {
		return fmt.Errorf("read the referral: %w", err)
	}
	j, name, err := h.whole(r.Context(), ref, who)
	if err != nil {
		return err
	}
	for _, c := range contacts {
		j.Contacts = append(j.Contacts, toldContact(c, name))
	}
	if j.sameJSON, err = h.toldSame(r, who, id, name); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, j)
}

func toldContact(c selfrefer.Contact, name func(staff.AccountID) string) contactJSON {
	j := contactJSON{At: c.At.UTC(), By: holderJSON{c.By, name(c.By)}, Event: c.Event, Channel: c.Channel, Note: c.Note, Reason: c.Reason, Other: c.Other, Of: c.Of, Undone: c.Undone}
	if c.To != 0 {
		j.To = &holderJSON{c.To, name(c.To)}
	}
	if c.Event == selfrefer.Escalate {
		j.Escalation = &c.Escalation
	}
	return j
}

// whole is a referral with all that its own page shows.
func (h *Handler) whole(ctx context.Context, ref selfrefer.Referral, who staff.Account) (referralJSON, func(staff.AccountID) string, error) {
	name, err := h.names(ctx, who.Network)
	if err != nil {
		return referralJSON{}, nil, err
	}
	j := h.listed(ref, who, name)
	j.Answers, j.Can = &ref.Answers, allowed(ref, who)
	for _, l := range ref.Later {
		j.Later = append(j.Later, laterJSON{l.At.UTC(), l.Words, l.Said, l.Media})
	}
	if !ref.Phone.IsZero() {
		j.Phone = ref.Phone.Reveal()
	}
	if !ref.NHS.IsZero() {
		j.NHSNumber = ref.NHS.Reveal()
	}
	if !ref.Born.IsZero() {
		j.BirthDate = ref.Born.ISO()
	}
	return j, name, nil
}

func (h *Handler) act(w http.ResponseWriter, r *http.Request, who staff.Account) error {
	id, err := pathID[selfrefer.ReferralID](r, "id")
	if err != nil {
		return err
	}
	event := chi.URLParam(r, "event")
	if !canAct(selfrefer.Event(event)) {
		return staff.ErrNotFound
	}
	var body struct {
		Channel string          `json:"channel"`
		Note    string          `json:"note"`
		To      staff.AccountID `json:"to"`
		Why     string          `json:"why"`
		Told    string          `json:"told"`
		Number  string          `json:"number"`
		ToldAt  *time.Time      `json:"told_at"`
		Reason  string          `json:"reason"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	c, err := checkContact(event, body.Channel, body.Note)
	if err != nil {
		return err
	}
	c.To, c.Reason = body.To, selfrefer.Discharge(body.Reason)
	if bad := noReason(c, false); bad != nil {
		return bad
	}
	if c.Event == selfrefer.Note && c.Note == "" {
		return invalid{{Field: "note", Sentence: "Enter the note."}}
	}
	if c.Event == selfrefer.Escalate {
		var bad invalid
		if c.Escalation, bad = h.escalation(body.Why, body.Told, body.Number, ""); body.ToldAt != nil {
			if c.Escalation.At = *body.ToldAt; body.ToldAt.After(h.Now()) {
				bad = append(bad, ui.FieldError{Field: "told_at", Sentence: "told_at must have passed"})
			}
		}
		if bad != nil {
			return bad
		}
	}
	ref, err := h.Store.Act(r.Context(), who, id, c)
	if errors.Is(err, selfrefer.ErrTaken) || errors.Is(err, selfrefer.ErrNotNow) {
		return h.tellConflict(w, r, ref, err, who)
	}
	if err != nil {
		return fmt.Errorf("%s a referral: %w", c.Event, err)
	}
	j, _, err := h.whole(r.Context(), ref, who)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, j)
}

// tellConflict answers 409 as problem+json with who has the referral, for programs too.
func (h *Handler) tellConflict(w http.ResponseWriter, r *http.Request, ref selfrefer.Referral, cause error, who staff.Account) error {
	name, err := h.names(r.Context(), who.Network)
	if err != nil {
		return err
	}
	code := "not_now"
	if errors.Is(cause, selfrefer.ErrTaken) {
		code = "taken"
	}
	l := h.listed(ref, who, name)
	w.Header().Set("Content-Type", "application/problem+json")
	return writeJSON(w, http.StatusConflict, struct {
		Type      string          `json:"type"`
		Title     string          `json:"title"`
		Status    int             `json:"status"`
		Code      string          `json:"code"`
		Detail    string          `json:"detail"`
		State     selfrefer.State `json:"state"`
		ClaimedBy *holderJSON     `json:"claimed_by,omitempty"`
		ClaimedAt *time.Time      `json:"claimed_at,omitempty"`
	}{"about:blank", http.StatusText(http.StatusConflict), http.StatusConflict, code, h.conflict(ref, cause, who, name), ref.State, l.ClaimedBy, l.ClaimedAt})
}
