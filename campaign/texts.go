package campaign

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Translation is the text of a step in another language than English.
type Translation struct {
	Text string `json:"text"`
	// Reviewed is set by the manager who vouches that a professional has reviewed it. It is a part of what the second person approves.
	Reviewed bool `json:"reviewed,omitempty"`
}

// Texts are what one step sends, by language. English is always among them.
type Texts map[lang.Code]text.Template

// For gives the text for a patient whose list has a cell for the language: in that language if it can be told and there is such a text,
// else in English.
func (t Texts) For(cell string) (lang.Code, text.Template) {
	if code, ok := lang.Read(cell); ok {
		if tpl, ok := t[code]; ok {
			return code, tpl
		}
	}
	return lang.English, t[lang.English]
}

// Languages are those of the texts, in the order in which people choose among them.
func (t Texts) Languages() []lang.Code { return inOrder(t) }

func inOrder[V any](m map[lang.Code]V) (all []lang.Code) {
	for _, l := range lang.All {
		if _, ok := m[l.Code]; ok {
			all = append(all, l.Code)
		}
	}
	return all
}

// Texts parses the texts of a step.
func (c Campaign) Texts(step int) (Texts, error) {
	i := slices.IndexFunc(c.Steps, func(s Step) bool { return s.Number == step })
	if i < 0 {
		return nil, fmt.Errorf("campaign %d has no step %d", c.ID, step)
	}
	return c.Steps[i].Texts()
}

// Texts parses the texts of the step.
func (s Step) Texts() (Texts, error) {
	all := Texts{}
	var err error
	if all[lang.English], err = text.Parse(s.Template); err != nil {
		return nil, err
	}
	for code, tr := range s.Translations {
		if all[code], err = text.Parse(tr.Text); err != nil {
			return nil, fmt.Errorf("in %s: %w", lang.Of(code).Name, err)
		}
	}
	return all, nil
}

// Setting is what a campaign's texts are checked against: who sends them, and whether the list is made up, so that they reach nobody's phone.
type Setting struct {
	Network   staff.Network
	Synthetic bool
}

// ErrUnsendable says why a text cannot be sent as it is; the sentence is for whoever wrote it.
type ErrUnsendable struct {
	Step     int
	Language lang.Code
	Why      string
}

func (e ErrUnsendable) Error() string {
	which := "text"
	switch {
	case e.Step == correctionStep:
		which = "correction"
	case e.Step > 1:
		which = "reminder"
	}
	if e.Language != lang.English {
		which += " in " + lang.Of(e.Language).Name
	}
	return "the " + which + " cannot be sent: " + e.Why
}

// Unsendable finds all that forbids to send a step's texts: English first.
func (s Step) Unsendable(in Setting) (all []ErrUnsendable) {
	return unsendable(ErrUnsendable{Step: s.Number}, s.Template, s.Translations, text.Parse, in)
}

// unsendable finds all that forbids to send a text and its translations, English first. of is what each finding begins with.
func unsendable(of ErrUnsendable, english string, translations map[lang.Code]Translation, parse func(string) (text.Template, error), in Setting) (all []ErrUnsendable) {
	bad := func(code lang.Code, why string) {
		of.Language, of.Why = code, why
		all = append(all, of)
	}
	check := func(code lang.Code, source string) {
		t, err := parse(source)
		if err != nil {
			bad(code, err.Error())
			return
		}
		if words := t.AsksReply(); words != "" && !in.Network.TakesReplies() {
			bad(code, fmt.Sprintf("it asks for an answer to the text (“%s”), and your sender cannot be answered: ask people to ring ((phone)) or to use the link", words))
		}
	}
	check(lang.English, english)
	if err := text.CheckHost(in.Network.LinkHost); err != nil && !(in.Synthetic && strings.HasPrefix(in.Network.LinkHost, "http://")) { // a demo has no domain
		bad(lang.English, err.Error())
	}
	for _, code := range slices.Sorted(maps.Keys(translations)) {
		tr := translations[code]
		if !lang.Known(code) || code == lang.English {
			bad(lang.English, fmt.Sprintf("“%s” is no language that a translation can be in", code))
			continue
		}
		check(code, tr.Text)
		if !in.Synthetic && !tr.Vouched(code) {
			bad(code, "no professional has reviewed this translation. Have it reviewed and say so, or leave the language out: people then get the text in English")
		}
	}
	return all
}

// Vouched tells whether somebody says that a professional has reviewed the translation: a manager for this campaign, or a translator in the
// file of a ready one.
func (tr Translation) Vouched(code lang.Code) bool {
	ready, ok := Ready(code)
	return tr.Reviewed || ok && ready.ReviewedBy != "" && ready.Text == tr.Text
}

// ReadyText is the invitation of DefaultText in another language.
type ReadyText struct {
	Text string
	// ReviewedBy is the professional who has reviewed it, and when; "" while it is as a machine made it.
	ReviewedBy string
}

//go:embed defaults/*.txt
var defaults embed.FS

var ready = func() map[lang.Code]ReadyText {
	all := map[lang.Code]ReadyText{}
	for _, l := range lang.All[1:] {
		b, err := defaults.ReadFile("defaults/" + string(l.Code) + ".txt")
		if err != nil {
			panic("campaign: there is no default text in " + l.Name)
		}
		all[l.Code] = readReady(string(b))
	}
	return all
}()

// readReady reads the file that a translator edits: remarks behind #, one of them who reviewed it, then the text.
func readReady(file string) (r ReadyText) {
	var lines []string
	for line := range strings.Lines(strings.TrimPrefix(file, "\ufeff")) {
		remark, is := strings.CutPrefix(line, "#")
		if !is {
			lines = append(lines, strings.TrimRight(line, " \r\n"))
		} else if by, ok := strings.CutPrefix(strings.TrimSpace(remark), "reviewed:"); ok {
			r.ReviewedBy = strings.TrimSpace(by)
		}
	}
	r.Text = strings.TrimSpace(strings.Join(lines, "\n"))
	return r
}

// Ready gives DefaultText in another language.
func Ready(c lang.Code) (ReadyText, bool) {
	r, ok := ready[c]
	return r, ok
}
