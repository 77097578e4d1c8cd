package text

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type field int

const (
	literal field = iota
	firstName
	practice
	network
	link
	stopLink
	phone
)

// maxName is the longest first name that is written: a longer one is left out.
const maxName = 30

// leftToRight is a mark that nobody sees: beside it numbers and brackets stand as they do in English, in right-to-left text too.
const leftToRight = '\u200e'

// known lists the fields in the order in which people are told of them, with
// the most characters that a value of each may have.
var known = []struct {
	name  string
	field field
	max   int
}{
	{"first_name", firstName, maxName},
	{"practice", practice, 60},
	{"network", network, 60},
	{"link", link, 100},
	{"stop_link", stopLink, 100},
	{"phone", phone, 20},
}

// Fields are the values for one patient.
type Fields struct {
	FirstName string // "" greets without a name
	Practice  string
	Network   string
	Link      string // the whole address, https://…; required
	StopLink  string // required
	Phone     string // of the practice or the team
}

type part struct {
	field   field
	literal string
}

// Template is a text with fields. The zero value renders nothing.
type Template struct {
	source string
	parts  []part
	rtl    bool // written from right to left
}

// Parse reads a template and refuses what could not be sent. Its errors are
// sentences for the person who wrote it.
func Parse(source string) (Template, error) {
	t, _, err := parse(source, true)
	return t, err
}

// ParseCorrection is Parse for a text about an earlier one. It need not have the link to the form, for it asks for nothing; and no name is put
// into it, for what it corrects may have been somebody else's.
func ParseCorrection(source string) (Template, error) {
	t, seen, err := parse(source, false)
	if err == nil && seen[firstName] {
		return Template{}, fmt.Errorf("a correction has no ((first_name)): the wrong text may have reached somebody else")
	}
	return t, err
}

// Links tells whether the text has the link to the form.
func (t Template) Links() bool {
	for _, p := range t.parts {
		if p.field == link {
			return true
		}
	}
	return false
}

func parse(source string, invites bool) (Template, map[field]bool, error) {
	t := Template{source: source}
	longest := 0
	seen := map[field]bool{}
	fail := func(format string, args ...any) (Template, map[field]bool, error) {
		return Template{}, nil, fmt.Errorf(format, args...)
	}
	script := 0
	for rest := source; rest != ""; {
		before, after, found := strings.Cut(rest, "((")
		if before != "" {
			lit := Repair(before)
			t.parts = append(t.parts, part{literal: lit})
			longest += utf8.RuneCountInString(lit)
			script += direction(lit)
		}
		if !found {
			break
		}
		name, next, closed := strings.Cut(after, "))")
		if !closed || strings.Contains(name, "\n") {
			return fail("a field is opened with “((” and never closed with “))”: “((%s”", clip(after, 30))
		}
		f, most := lookup(name)
		if f == literal {
			return fail("there is no field ((%s)). The fields are %s", clip(name, 30), fieldNames())
		}
		t.parts = append(t.parts, part{field: f})
		seen[f] = true
		longest += most
		rest = next
	}
	if t.rtl = script < 0; t.rtl {
		longest += 2 * len(t.parts) // marks of direction around values
	}
	if invites && !seen[link] {
		return fail("the text has no ((link)): without it nobody can answer")
	}
	if !seen[stopLink] {
		return fail("the text has no ((stop_link)): everybody must be able to say no to more texts")
	}
	for i, p := range t.parts {
		if p.field != link && p.field != stopLink {
			continue
		}
		if i > 0 && !endsInSpace(t.parts[i-1]) {
			return fail("put a space or a new line before ((%s)): phones may not see the link otherwise", nameOf(p.field))
		}
		if i+1 < len(t.parts) && !startsWithSpace(t.parts[i+1]) {
			return fail("put a space or a new line after ((%s)), and no full stop: phones would take it for a part of the link", nameOf(p.field))
		}
	}
	if longest > MaxChars {
		return fail("the text may become %d characters long, and %d is the most that can be sent: make it shorter", longest, MaxChars)
	}
	return t, seen, nil
}

func endsInSpace(p part) bool {
	return strings.HasSuffix(p.literal, " ") || strings.HasSuffix(p.literal, "\n")
}

func startsWithSpace(p part) bool {
	return strings.HasPrefix(p.literal, " ") || strings.HasPrefix(p.literal, "\n")
}

func lookup(name string) (field, int) {
	name = strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return unicode.IsSpace(r) || r == '_' || r == '-' }), "_")
	for _, k := range known {
		if k.name == name {
			return k.field, k.max
		}
	}
	return literal, 0
}

func nameOf(f field) string {
	for _, k := range known {
		if k.field == f {
			return k.name
		}
	}
	return ""
}

func fieldNames() string {
	var names []string
	for _, k := range known {
		names = append(names, "(("+k.name+"))")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// Source is the template as it was written.
func (t Template) Source() string { return t.source }

// RTL tells whether the text is written from right to left, by its letters.
func (t Template) RTL() bool { return t.rtl }

// direction is above zero for words from left to right, below zero from right to left.
func direction(s string) (n int) {
	for _, r := range s {
		switch {
		case rightToLeft(r):
			n--
		case unicode.IsLetter(r):
			n++
		}
	}
	return n
}

func rightToLeft(r rune) bool {
	return unicode.IsLetter(r) && unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana)
}

// dears greet only with a name behind them; without one the text says hello.
var dears = []struct{ dear, hello string }{
	{"Dear", "Hello"}, {"Annwyl", "Helo"}, {"Drogi", "Dzień dobry"}, {"Droga", "Dzień dobry"}, {"Szanowny", "Dzień dobry"}, {"Szanowna", "Dzień dobry"},
	{"Dragă", "Bună ziua"}, {"Stimate", "Bună ziua"}, {"Stimată", "Bună ziua"}, {"محترمہ", "ہیلو"}, {"محترم", "ہیلو"}, {"عزیز", "ہیلو"},
	{"ਪਿਆਰੇ", "ਹੈਲੋ"}, {"ਸਤਿਕਾਰਯੋਗ", "ਹੈਲੋ"}, {"প্রিয়", "হ্যালো"}, {"عزيزتي", "مرحبًا"}, {"عزيزي", "مرحبًا"}, {"Шановний", "Вітаємо"}, {"Шановна", "Вітаємо"},
	{"Дорогий", "Вітаємо"}, {"Дорога", "Вітаємо"}, {"亲爱的", "您好"}, {"尊敬的", "您好"},
}

// marks may follow a name: in a text that begins with one, they go with it.
const (
	pauses = ",،，、"
	marks  = pauses + ".:;!-؛۔。：；！।"
)

// Render writes the text for one patient.
//
// Without a first name a greeting goes on without it, in any language: "Hello ((first_name))," becomes "Hello," and "Dear ((first_name)),"
// becomes "Hello," too; a text that begins with the name begins with what follows it, in a capital. Values are repaired like the template;
// one that is longer than Parse allowed for is cut (a name is left out). In a right-to-left text a number or a name in brackets is kept
// from being turned round; the links stay as they are.
func (t Template) Render(f Fields) string {
	var b strings.Builder
	capital := false
	for i, p := range t.parts {
		lit := p.literal
		switch p.field {
		case literal:
			if i > 0 && t.parts[i-1].field == firstName && capital {
				lit = strings.TrimLeft(lit, marks+" \n")
				if r, n := utf8.DecodeRuneInString(lit); n > 0 && unicode.IsLower(r) {
					lit = string(unicode.ToUpper(r)) + lit[n:]
				}
				capital = false
			}
			b.WriteString(lit)
		case firstName:
			if name := oneLine(f.FirstName); name != "" && utf8.RuneCountInString(name) <= maxName {
				b.WriteString(t.turned(name))
				continue
			}
			greeting := strings.TrimRight(b.String(), " ")
			if i+1 < len(t.parts) && startsWith(t.parts[i+1].literal, marks) {
				greeting = strings.TrimRight(greeting, pauses+" ") // not two marks in a row
			}
			for _, d := range dears {
				if cut, ok := strings.CutSuffix(greeting, d.dear); ok {
					greeting = cut + d.hello
					break
				}
			}
			b.Reset()
			b.WriteString(greeting)
			capital = greeting == ""
		case link, stopLink:
			b.WriteString(f.value(p.field))
		default:
			b.WriteString(t.turned(f.value(p.field)))
		}
	}
	return strings.TrimSpace(b.String())
}

func startsWith(s, anyOf string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && strings.ContainsRune(anyOf, r)
}

// turned keeps a value that is no right-to-left word the right way round within such a text: otherwise "0151 496 0123" is shown as
// "0123 496 0151", and a bracket at its end on the wrong side.
func (t Template) turned(v string) string {
	if !t.rtl || v == "" || strings.ContainsFunc(v, rightToLeft) {
		return v
	}
	first, _ := utf8.DecodeRuneInString(v)
	last, _ := utf8.DecodeLastRuneInString(v)
	if unicode.IsLetter(first) && unicode.IsLetter(last) {
		return v
	}
	return string(leftToRight) + v + string(leftToRight)
}

func (f Fields) value(which field) string {
	var v string
	switch which {
	case practice:
		v = f.Practice
	case network:
		v = f.Network
	case phone:
		v = f.Phone
	case link:
		return f.Link // our own; never changed or cut
	case stopLink:
		return f.StopLink
	}
	_, most := lookup(nameOf(which))
	r := []rune(oneLine(v))
	return strings.TrimSpace(string(r[:min(len(r), most)]))
}

// oneLine repairs a value and keeps it from adding lines to the text.
func oneLine(s string) string { return strings.Join(strings.Fields(Repair(s)), " ") }
