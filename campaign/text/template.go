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

// known lists the fields in the order in which people are told of them, with
// the most characters that a value of each may have.
var known = []struct {
	name  string
	field field
	max   int
}{
	{"first_name", firstName, 30},
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
}

// Parse reads a template and refuses what could not be sent. Its errors are
// sentences for the person who wrote it.
func Parse(source string) (Template, error) {
	t := Template{source: source}
	longest := 0
	seen := map[field]bool{}
	for rest := source; rest != ""; {
		before, after, found := strings.Cut(rest, "((")
		if before != "" {
			lit := Repair(before)
			t.parts = append(t.parts, part{literal: lit})
			longest += utf8.RuneCountInString(lit)
		}
		if !found {
			break
		}
		name, next, closed := strings.Cut(after, "))")
		if !closed || strings.Contains(name, "\n") {
			return Template{}, fmt.Errorf("a field is opened with “((” and never closed with “))”: “((%s”", clip(after, 30))
		}
		f, most := lookup(name)
		if f == literal {
			return Template{}, fmt.Errorf("there is no field ((%s)). The fields are %s", clip(name, 30), fieldNames())
		}
		t.parts = append(t.parts, part{field: f})
		seen[f] = true
		longest += most
		rest = next
	}
	if !seen[link] {
		return Template{}, fmt.Errorf("the text has no ((link)): without it nobody can answer")
	}
	if !seen[stopLink] {
		return Template{}, fmt.Errorf("the text has no ((stop_link)): everybody must be able to say no to more texts")
	}
	for i, p := range t.parts {
		if p.field != link && p.field != stopLink {
			continue
		}
		if i > 0 && !endsInSpace(t.parts[i-1]) {
			return Template{}, fmt.Errorf("put a space or a new line before ((%s)): phones may not see the link otherwise", nameOf(p.field))
		}
		if i+1 < len(t.parts) && !startsWithSpace(t.parts[i+1]) {
			return Template{}, fmt.Errorf("put a space or a new line after ((%s)), and no full stop: phones would take it for a part of the link", nameOf(p.field))
		}
	}
	if longest > MaxChars {
		return Template{}, fmt.Errorf("the text may become %d characters long, and %d is the most that can be sent: make it shorter", longest, MaxChars)
	}
	return t, nil
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

// Render writes the text for one patient.
//
// Without a first name a greeting goes on without it: "Hello ((first_name)),"
// becomes "Hello," and "Dear ((first_name))," becomes "Hello," too; a text
// that begins with the name begins with what follows it, in a capital. Values
// are repaired like the template; one that is longer than Parse allowed for
// is cut (a name is left out).
func (t Template) Render(f Fields) string {
	var b strings.Builder
	capital := false
	for i, p := range t.parts {
		lit := p.literal
		switch p.field {
		case literal:
			if i > 0 && t.parts[i-1].field == firstName && capital {
				lit = strings.TrimLeft(lit, " ,.:;!-\n")
				if r, n := utf8.DecodeRuneInString(lit); n > 0 && unicode.IsLower(r) {
					lit = string(unicode.ToUpper(r)) + lit[n:]
				}
				capital = false
			}
			b.WriteString(lit)
		case firstName:
			if name := oneLine(f.FirstName); name != "" && utf8.RuneCountInString(name) <= 30 {
				b.WriteString(name)
				continue
			}
			greeting := strings.TrimRight(b.String(), " ")
			if cut, ok := strings.CutSuffix(greeting, "Dear"); ok {
				greeting = cut + "Hello"
			}
			b.Reset()
			b.WriteString(greeting)
			capital = greeting == ""
		default:
			b.WriteString(f.value(p.field))
		}
	}
	return strings.TrimSpace(b.String())
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

// Repair replaces characters that would make a text twice as dear with the
// ones that look like them. Letters stay as they are.
func Repair(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		c := s[i]
		plain = c >= ' ' && c < 0x7f && c != '`' || c == '\n'
	}
	if plain {
		return s
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteRune(r)
		case strings.ContainsRune("‘’‚‛′`´ʼʻ", r):
			b.WriteByte('\'')
		case strings.ContainsRune("“”„‟″«»", r):
			b.WriteByte('"')
		case r == '…':
			b.WriteString("...")
		case r == '•' || r == '−' || unicode.Is(unicode.Pd, r):
			b.WriteByte('-')
		case r == '\u2028' || r == '\u2029':
			b.WriteByte('\n')
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case r == '\u200d': // joins emoji and the letters of some scripts
			b.WriteRune(r)
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError:
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
