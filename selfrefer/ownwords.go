package selfrefer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

// Words are what a network has changed of what its patients read: the lines of urgent help, and the reasons to choose from. The zero value
// is the standard. Standard lines and reasons that are not mentioned stand behind those that are, so that one which comes with a later
// version is shown to everybody.
type Words struct {
	Lines   []OwnLine   `json:"help,omitempty"`
	Options []OwnReason `json:"reasons,omitempty"`
}

// OwnLine is one place in a network's list of urgent help: a standard line as it is, a standard line that is hidden or has another in its
// place, or a line of the network's own.
type OwnLine struct {
	Key    string               `json:"key,omitempty"` // of the standard line; "" for one of the network's own
	Hidden bool                 `json:"hidden,omitempty"`
	Words  map[lang.Code]string `json:"words,omitempty"` // who that is, and when to turn to them; none for a standard line as it is
	By     By                   `json:"by,omitempty"`
	Number string               `json:"number,omitempty"` // as people read it; for a page its https address
}

// OwnReason is one place in a network's list of reasons: a standard one, or one of the network's own that stands for a standard one.
type OwnReason struct {
	Code   string               `json:"code"` // of Reasons
	Hidden bool                 `json:"hidden,omitempty"`
	Labels map[lang.Code]string `json:"labels,omitempty"` // none for the standard one, whose words the form has
}

// By is how a line of help is reached.
type By string

// The ways.
const (
	ByPhone By = "call"
	ByText  By = "text"
	ByPage  By = "page"
)

// HelpLine is a line of urgent help as a page shows it.
type HelpLine struct {
	Key       string // of a standard line, for which the page has the words; "" if Words say what it is
	Emergency bool   // for when life is in danger; the others are for when somebody cannot cope or is not safe
	Words     string
	Lang      lang.Code // of Words: English where the network has no translation
	By        By
	Show      string // the number or address to read; "" where the words say it all
	Href      string // tel:, sms: or https:, made of nothing but digits or of a parsed address
}

// ReasonOption is one choice of the form's question about reasons.
type ReasonOption struct {
	Code  string // of Reasons: what is kept and counted
	Value string // what the form posts: two choices can have one code
	Label string // of the network's own; "" for a standard one, for which the page has the words
	Lang  lang.Code
}

// standardLine is a line that every network has unless it changes it.
type standardLine struct {
	HelpLine
	About string // for staff; patients read the words of the form, in their language
	fixed bool   // not to be hidden, replaced or moved
}

// standardLines are in the order of the pages. Sources; look at them again before each release, for numbers and addresses move:
//   - 999 without speaking, then 55: "Silent Solution" of the police, from mobiles only.
//   - 18000 (emergencies) and 18001 in front of a number: Relay UK, relayuk.bt.com; no registration is needed. Texts to 999 are not listed:
//     they work for registered phones only.
//   - 999bsl.co.uk: ofcom.org.uk, "New 999 video call service launches for sign language users": free, day and night, no registration.
//   - 111, option 2 for mental health, day and night: NHS practices and mental health trusts. 18001 111: NHS pages about 111. In BSL by
//     SignVideo, day and night; its address is the one that nhs.uk links to.
//   - Samaritans 116 123 and Shout 85258 (text SHOUT): free, day and night.
//   - National Domestic Abuse Helpline 0808 2000 247, run by Refuge: free, day and night.
var standardLines = []standardLine{
	{HelpLine{Key: "999", Emergency: true, By: ByPhone, Show: "999", Href: "tel:999"}, "Emergencies", true},
	{HelpLine{Key: "silent_55", Emergency: true, By: ByPhone}, "999 without speaking, then 55", true},
	{HelpLine{Key: "relay_18000", Emergency: true, By: ByPhone, Show: "18000", Href: "tel:18000"}, "Emergencies by text relay", false},
	{HelpLine{Key: "bsl_999", Emergency: true, By: ByPage, Show: "999bsl.co.uk", Href: "https://999bsl.co.uk/"}, "Emergencies in British Sign Language", false},
	{HelpLine{Key: "111", By: ByPhone, Show: "111", Href: "tel:111"}, "NHS 111, option 2 for mental health", false},
	{HelpLine{Key: "111_relay", By: ByPhone, Show: "18001 111", Href: "tel:18001111"}, "NHS 111 by text relay", false},
	{HelpLine{Key: "bsl_111", By: ByPage, Show: "signvideo.co.uk/nhs111", Href: "https://signvideo.co.uk/nhs111/"}, "NHS 111 in British Sign Language", false},
	{HelpLine{Key: "samaritans", By: ByPhone, Show: "116 123", Href: "tel:116123"}, "Samaritans", false},
	{HelpLine{Key: "shout", By: ByText, Show: "85258", Href: "sms:85258"}, "Shout, by text message", false},
	{HelpLine{Key: "domestic_abuse", By: ByPhone, Show: "0808 2000 247", Href: "tel:08082000247"}, "National Domestic Abuse Helpline", false},
}

// oneOf are standard lines of which one must stay as it is, whatever else a network changes.
var oneOf = []struct {
	keys []string
	why  string
}{
	{[]string{"111", "samaritans"}, "Keep NHS 111 or Samaritans as it is: whoever cannot cope must find somebody to talk to, day and night."},
	{[]string{"relay_18000", "bsl_999"}, "Keep 18000 or 999 BSL as it is: whoever cannot hear must reach 999 too."},
	{[]string{"111_relay", "bsl_111", "shout"}, "Keep 18001 111, NHS 111 in BSL or Shout as it is: whoever cannot hear must find help too."},
}

// standardReasons are the reasons that are offered unless a network changes it. Covid-19 is kept for old data.
var standardReasons = []string{"coping", "mental_health", "loneliness", "isolation", "money", "housing", "carer", "independence", "getting_out", "inactivity", "community", "substance"}

// The bounds of what a network may write.
const (
	MaxLineWords = 120 // characters
	MaxLabel     = 80
	MaxReasons   = 20 // shown
	maxEntries   = 40 // of each list, hidden ones too
	maxLines     = 20 // of help that are shown
	maxAddress   = 200
	shortAddress = 30 // fits on a narrow phone; of a longer one only the host is shown
)

func standardOf(key string) (standardLine, bool) {
	i := slices.IndexFunc(standardLines, func(s standardLine) bool { return s.Key == key })
	if i < 0 {
		return standardLine{}, false
	}
	return standardLines[i], true
}

// Standard reports whether the line is a standard one as it is.
func (l OwnLine) Standard() bool { return l.Key != "" && len(l.Words) == 0 }

// Fixed reports whether the line must stay as and where it is.
func (l OwnLine) Fixed() bool { s, _ := standardOf(l.Key); return s.fixed }

// Emergency reports whether the line stands among those for when life is in danger: the network's own never do.
func (l OwnLine) Emergency() bool { s, _ := standardOf(l.Key); return s.HelpLine.Emergency }

// About says to staff which line it is.
func (l OwnLine) About() string {
	if s, ok := standardOf(l.Key); ok && l.Standard() {
		return s.About
	}
	return l.Words[lang.English]
}

// Reached is the number or address as people read it.
func (l OwnLine) Reached() string {
	h, _ := l.show(lang.English)
	return h.Show
}

// InPlaceOf is the standard line, as staff know it, that another stands in for; "" if none.
func (l OwnLine) InPlaceOf() string {
	if s, ok := standardOf(l.Key); ok && !l.Standard() {
		return s.About
	}
	return ""
}

// Standard reports whether the reason is a standard one, in the form's words.
func (r OwnReason) Standard() bool { return len(r.Labels) == 0 }

// About says to staff which reason it is.
func (r OwnReason) About() string {
	if !r.Standard() {
		return r.Labels[lang.English]
	}
	return reasonWords(r.Code)
}

func reasonWords(code string) string {
	for _, known := range Reasons {
		if known.Code == code {
			return known.Words
		}
	}
	return ""
}

// value tells choices with one code apart, in a draft too that was begun before the network changed its words.
func (r OwnReason) value() string {
	if r.Standard() {
		return r.Code
	}
	return r.Code + "." + strings.Join(strings.Fields(strings.ToLower(r.Labels[lang.English])), "-")
}

// Full lists every place, standard ones that are not mentioned included: what a desk shows and changes. Emergency lines come first, and
// fixed ones before the others.
func (w Words) Full() Words {
	lines, there := make([]OwnLine, 0, len(w.Lines)+len(standardLines)), map[string]bool{"": true}
	for _, l := range w.Lines {
		if _, known := standardOf(l.Key); l.Key == "" || known && !there[l.Key] {
			lines, there[l.Key] = append(lines, l), true
		}
	}
	for _, s := range standardLines {
		if !there[s.Key] {
			lines = append(lines, OwnLine{Key: s.Key})
		}
	}
	rank := func(l OwnLine) int {
		switch {
		case l.Fixed():
			return slices.IndexFunc(standardLines, func(s standardLine) bool { return s.Key == l.Key }) - len(standardLines)
		case l.Emergency():
			return 0
		}
		return 1
	}
	slices.SortStableFunc(lines, func(a, b OwnLine) int { return rank(a) - rank(b) })
	options := slices.Clone(w.Options)
	for _, code := range standardReasons {
		if !slices.ContainsFunc(options, func(r OwnReason) bool { return r.Standard() && r.Code == code }) {
			options = append(options, OwnReason{Code: code})
		}
	}
	return Words{lines, options}
}

// Same reports whether patients read the same.
func (w Words) Same(other Words) bool { return reflect.DeepEqual(w.Full(), other.Full()) }

// in picks the words of a language, or else the English ones.
func in(words map[lang.Code]string, c lang.Code) (string, lang.Code) {
	if s := words[c]; s != "" {
		return s, c
	}
	return words[lang.English], lang.English
}

// Help is the urgent help to show to somebody who reads c: those for emergencies first. Nothing that is stored can take 999 away.
func (w Words) Help(c lang.Code) []HelpLine {
	var out []HelpLine
	for _, l := range w.Full().Lines {
		if l.Hidden && !l.Fixed() {
			continue
		}
		if h, ok := l.show(c); ok {
			out = append(out, h)
		}
	}
	return out
}

// show is a line as a page shows it; false if it cannot be.
func (l OwnLine) show(c lang.Code) (HelpLine, bool) {
	s, known := standardOf(l.Key)
	if known && (s.fixed || l.Standard()) {
		return s.HelpLine, true
	}
	show, href, wrong := reach(l.By, l.Number)
	if wrong.Sentence != "" || l.Words[lang.English] == "" {
		return s.HelpLine, known // rather the standard line than none
	}
	h := HelpLine{Emergency: s.HelpLine.Emergency, By: l.By, Show: show, Href: href}
	h.Words, h.Lang = in(l.Words, c)
	return h, true
}

// Reasons are the choices to show to somebody who reads c.
func (w Words) Reasons(c lang.Code) []ReasonOption {
	var out []ReasonOption
	for _, r := range w.Full().Options {
		if r.Hidden {
			continue
		}
		o := ReasonOption{Code: r.Code, Value: r.value()}
		if !r.Standard() {
			o.Label, o.Lang = in(r.Labels, c)
		}
		out = append(out, o)
	}
	return out
}

// Missing are the reasons that nobody can choose any more.
func (w Words) Missing() []Reason {
	var out []Reason
	shown := w.Reasons(lang.English)
	for _, r := range Reasons {
		if !slices.ContainsFunc(shown, func(o ReasonOption) bool { return o.Code == r.Code }) {
			out = append(out, r)
		}
	}
	return out
}

// ReasonCodes turns what a form has posted into the codes that are kept, each once and in the order of the form. A choice whose words the
// network has changed since still counts; what stands for no reason does not.
func ReasonCodes(values []string) []string {
	var out []string
	for _, v := range values {
		code, _, _ := strings.Cut(v, ".")
		if reasonWords(code) != "" && !slices.Contains(out, code) {
			out = append(out, code)
		}
	}
	return out
}

// Fault is what cannot be taken of a network's words, and where.
type Fault struct {
	Part     string // "help" or "reasons"
	Entry    int    // of Words.Lines or Words.Options; -1: the list as a whole
	Field    string // "key", "code", "by", "number", "words.LANG", "labels.LANG"; "" for the entry as a whole
	Sentence string
}

// Check tidies a network's words and says what cannot be taken.
func (w Words) Check() (Words, []Fault) {
	out := Words{slices.Clone(w.Lines), slices.Clone(w.Options)}
	faults := append(out.checkLines(), out.checkReasons()...)
	return out, faults
}

func (w *Words) checkLines() (faults []Fault) {
	fault := func(i int, field, sentence string) { faults = append(faults, Fault{"help", i, field, sentence}) }
	seen := map[string]bool{}
	shown, changed := 0, map[string]bool{}
	for i := range w.Lines {
		l := &w.Lines[i]
		s, known := standardOf(l.Key)
		switch {
		case l.Key != "" && !known:
			fault(i, "key", fmt.Sprintf("There is no standard line %q.", clip(l.Key)))
			continue
		case known && seen[l.Key]:
			fault(i, "key", s.About+" is in the list twice.")
		case s.fixed && (l.Hidden || !l.Standard()):
			fault(i, "", s.About+" must stay as it is: it is for people whose life is in danger.")
			continue
		}
		seen[l.Key] = true
		changed[l.Key] = l.Hidden || !l.Standard()
		if !l.Hidden {
			shown++
		}
		if len(l.Words) == 0 && known {
			if l.Number != "" || l.By != "" {
				fault(i, "words.en", "Say in English who answers at the number that takes the place of "+s.About+".")
			}
			continue
		}
		var wrong []Fault
		l.Words, wrong = checkTexts(l.Words, "words", MaxLineWords, "Say in English who that is and when to turn to them")
		for _, f := range wrong {
			fault(i, f.Field, f.Sentence)
		}
		l.Number = strings.Join(strings.Fields(l.Number), " ")
		if _, _, f := reach(l.By, l.Number); f.Sentence != "" {
			fault(i, f.Field, f.Sentence)
		}
	}
	if len(w.Lines) > maxEntries {
		fault(-1, "", fmt.Sprintf("There can be %d lines at most, hidden ones included.", maxEntries))
	}
	for _, s := range standardLines {
		if !seen[s.Key] {
			shown++
		}
	}
	if shown > maxLines {
		fault(-1, "", fmt.Sprintf("There can be %d lines at most: somebody in need must find the right one at a glance. Hide one first.", maxLines))
	}
	for _, must := range oneOf {
		if !slices.ContainsFunc(must.keys, func(key string) bool { return !changed[key] }) {
			fault(-1, "", must.why)
		}
	}
	return faults
}

func (w *Words) checkReasons() (faults []Fault) {
	fault := func(i int, field, sentence string) { faults = append(faults, Fault{"reasons", i, field, sentence}) }
	seen := map[string]bool{}
	for i := range w.Options {
		r := &w.Options[i]
		before := len(faults)
		switch words := reasonWords(r.Code); {
		case words == "":
			fault(i, "code", "Choose one of the 13 reasons that this stands for.")
		case r.Standard() && !slices.Contains(standardReasons, r.Code):
			fault(i, "labels.en", fmt.Sprintf("There are no standard words for %q: write them in English.", words))
		}
		if !r.Standard() {
			var wrong []Fault
			r.Labels, wrong = checkTexts(r.Labels, "labels", MaxLabel, "Write the reason in English, as a patient would say it")
			for _, f := range wrong {
				fault(i, f.Field, f.Sentence)
			}
		}
		if len(faults) > before {
			continue
		}
		if v := r.value(); seen[v] {
			fault(i, "", fmt.Sprintf("%q is in the list twice.", r.About()))
		} else {
			seen[v] = true
		}
	}
	switch shown := len(w.Reasons(lang.English)); {
	case len(w.Options) > maxEntries:
		fault(-1, "", fmt.Sprintf("There can be %d reasons at most, hidden ones included.", maxEntries))
	case shown > MaxReasons:
		fault(-1, "", fmt.Sprintf("There can be %d reasons at most to choose from. Hide one first.", MaxReasons))
	case shown == 0:
		fault(-1, "", "Show at least one reason.")
	}
	return faults
}

// checkTexts tidies words in several languages: English is needed, empty ones are dropped.
func checkTexts(texts map[lang.Code]string, field string, most int, needed string) (map[lang.Code]string, []Fault) {
	out := map[lang.Code]string{}
	var faults []Fault
	for c := range texts {
		if !lang.Known(c) {
			faults = append(faults, Fault{Field: field + ".en", Sentence: fmt.Sprintf("%q is none of the languages of the form.", clip(string(c)))})
		}
	}
	for _, l := range lang.All {
		s := strings.Join(strings.Fields(texts[l.Code]), " ")
		wrong := func(sentence string) {
			faults = append(faults, Fault{Field: field + "." + string(l.Code), Sentence: sentence})
		}
		switch {
		case s == "" && l.Code == lang.English:
			wrong(needed + ".")
		case s == "":
			continue
		case utf8.RuneCountInString(s) > most:
			wrong(fmt.Sprintf("The %s words can have %d characters at most.", l.Name, most))
		case !utf8.ValidString(s) || strings.ContainsFunc(s, unseen):
			wrong(fmt.Sprintf("The %s words hold a character that cannot be seen. Type them again.", l.Name))
		case !strings.ContainsFunc(s, unicode.IsLetter):
			wrong(fmt.Sprintf("The %s words hold no letters.", l.Name))
		}
		out[l.Code] = s
	}
	return out, faults
}

// unseen tells characters that change how others are read, such as a switch of direction. The joiners are letters in Urdu and Bengali.
func unseen(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200c' && r != '\u200d' || r == utf8.RuneError
}

func clip(s string) string {
	if r := []rune(s); len(r) > 20 {
		return string(r[:20])
	}
	return s
}

// reach makes a link of a number or an address, or says what is wrong with it.
func reach(by By, number string) (show, href string, wrong Fault) {
	bad := func(sentence string) (string, string, Fault) {
		return "", "", Fault{Field: "number", Sentence: sentence}
	}
	switch by {
	case ByPhone, ByText:
		digits := strings.Map(func(r rune) rune {
			if strings.ContainsRune(" ()-", r) {
				return -1
			}
			return r
		}, number)
		bare := strings.TrimPrefix(digits, "+")
		switch {
		case number == "":
			return bad("Enter the number.")
		case strings.Trim(bare, "0123456789") != "":
			return bad("The number must be digits, like 0151 496 0000.")
		case len(bare) < 3 || len(bare) > 16:
			return bad("The number must have 3 to 16 digits.")
		case dear(bare):
			return bad("Numbers that begin with 070, 084, 087, 09 or 118 cost more than a usual call. Enter one that is free or at the usual rate.")
		}
		scheme := "tel:"
		if by == ByText {
			scheme = "sms:"
		}
		return number, scheme + digits, Fault{}
	case ByPage:
		u, err := url.Parse(number)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || !plainHost(u.Hostname()) || len(number) > maxAddress || strings.ContainsFunc(number, unseen) {
			return bad("The address must begin with https:// and lead to a page, like https://www.example.org/help")
		}
		show = strings.TrimSuffix(strings.TrimPrefix(u.Host+u.EscapedPath(), "www."), "/")
		if len(show) > shortAddress {
			show = strings.TrimPrefix(u.Host, "www.")
		}
		return show, u.String(), Fault{}
	}
	return "", "", Fault{Field: "by", Sentence: "Choose how people reach this line."}
}

// dear tells British numbers for which the caller pays extra, whoever answers.
func dear(digits string) bool {
	digits = strings.TrimPrefix(digits, "18001") // text relay
	if rest, ok := strings.CutPrefix(digits, "44"); ok {
		digits = "0" + rest
	}
	for _, begin := range []string{"070", "084", "087", "09", "118"} {
		if strings.HasPrefix(digits, begin) {
			return true
		}
	}
	return false
}

// plainHost tells a name of letters and digits with a dot: no address of a machine, and none that looks like another in a foreign script.
func plainHost(host string) bool {
	name := host[strings.LastIndexByte(host, '.')+1:]
	return strings.Contains(host, ".") && strings.Trim(name, "0123456789") != "" &&
		strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-") == "" && !strings.Contains(host, "xn--")
}

// Summary says in a line, for the audit, what differs from the standard.
func (w Words) Summary() string {
	var hide, replace, reasons []string
	own, ownReasons := 0, 0
	for _, l := range w.Lines {
		switch {
		case l.Hidden && l.Key != "":
			hide = append(hide, l.Key)
		case l.Hidden, l.Standard():
		case l.Key != "":
			replace = append(replace, l.Key)
		default:
			own++
		}
	}
	for _, r := range w.Options {
		switch {
		case r.Standard() && r.Hidden:
			reasons = append(reasons, r.Code)
		case !r.Standard() && !r.Hidden:
			ownReasons++
		}
	}
	var parts []string
	add := func(what string, keys []string) {
		if len(keys) > 0 {
			slices.Sort(keys)
			parts = append(parts, what+" "+strings.Join(keys, " "))
		}
	}
	add("hidden:", hide)
	add("replaced:", replace)
	if own > 0 {
		parts = append(parts, fmt.Sprintf("own lines: %d", own))
	}
	add("reasons hidden:", reasons)
	if ownReasons > 0 {
		parts = append(parts, fmt.Sprintf("own reasons: %d", ownReasons))
	}
	if parts == nil {
		return "standard"
	}
	return strings.Join(parts, "; ")
}

// Edition is a network's words as somebody edits them.
type Edition struct {
	Words
	Before  Words // what stood before the last change
	Version int64 // 0 if nobody has ever changed them
	By      staff.AccountID
	At      time.Time
}

// ErrChanged means that somebody else has changed the words since they were read.
var ErrChanged = errors.New("somebody else has changed these words since you opened them; look at them again")

// Editor is the store's side of changing a network's words.
type Editor interface {
	Edition(ctx context.Context, n staff.NetworkID) (Edition, error)
	// SetWords puts words in the place of those of a version. It asks [staff.May], checks the words again and audits in the same transaction;
	// ErrChanged if the version is not the newest.
	SetWords(ctx context.Context, who staff.Account, version int64, w Words) (Edition, error)
}

// Duty says when somebody is there to answer.
type Duty = throttle.Duty

// Surroundings is what pages ask about a network beside the link. Both are remembered for a minute, and answered from memory while the store
// is away: pages may ask each time.
type Surroundings interface {
	// WordsOf are a network's own words: the standard ones for a network that has none.
	WordsOf(ctx context.Context, n staff.NetworkID) (Words, error)
	// DutyOf tells when somebody who may see every referral is at work: in the team of the link, or with team 0 in the one that forms without
	// a link go to.
	DutyOf(ctx context.Context, n staff.NetworkID, team staff.TeamID) (Duty, error)
}
