package form

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// Longest answers, in characters.
const (
	maxWords = 2000
	maxNeeds = 500
	maxLine  = 150
	maxPart  = 12 // of a date
)

// field is one posted name and its place in the answers. get gives what a page would post; nothing if unanswered.
type field struct {
	name string
	get  func(a *selfrefer.Answers) []string
	set  func(a *selfrefer.Answers, posted []string)
}

// fields is the one table that reads and writes what pages post, in the order of the form.
var fields = func() []field {
	text := func(name string, in func(*selfrefer.Answers) *string) field {
		return field{name, func(a *selfrefer.Answers) []string { return some(*in(a)) },
			func(a *selfrefer.Answers, posted []string) { *in(a) = clean(first(posted)) }}
	}
	choice := func(name string, allowed []string, in func(*selfrefer.Answers) *string) field {
		return field{name, func(a *selfrefer.Answers) []string { return some(*in(a)) },
			func(a *selfrefer.Answers, posted []string) { *in(a) = first(among(posted, allowed)) }}
	}
	safe := func(name string, in func(*selfrefer.Answers) *selfrefer.Safe) field {
		return field{name, func(a *selfrefer.Answers) []string { return some(string(*in(a))) },
			func(a *selfrefer.Answers, posted []string) { *in(a) = selfrefer.Safe(first(among(posted, yesNo))) }}
	}
	flag := func(name string, in func(*selfrefer.Answers) *bool) field {
		return field{name, func(a *selfrefer.Answers) []string {
			if *in(a) {
				return []string{"yes"}
			}
			return nil
		}, func(a *selfrefer.Answers, posted []string) { *in(a) = first(posted) == "yes" }}
	}
	// when and days share one list.
	half := func(name string, mine, others []string) field {
		return field{name, func(a *selfrefer.Answers) []string { return among(a.When, mine) },
			func(a *selfrefer.Answers, posted []string) {
				a.When = append(among(posted, mine), among(a.When, others)...)
				slices.SortStableFunc(a.When, func(x, y string) int { return slices.Index(whenOrder, x) - slices.Index(whenOrder, y) })
			}}
	}
	part := func(name string, i int) field {
		return field{name, func(a *selfrefer.Answers) []string { return some(birthParts(a.BirthDate)[i]) },
			func(a *selfrefer.Answers, posted []string) {
				parts := birthParts(a.BirthDate)
				parts[i] = cut(strings.Join(strings.Fields(clean(first(posted))), ""), maxPart)
				a.BirthDate = ""
				if parts != [3]string{} {
					a.BirthDate = strings.Join(parts[:], " ")
				}
			}}
	}
	list := func(name string, allowed []string, in func(*selfrefer.Answers) *[]string) field {
		return field{name, func(a *selfrefer.Answers) []string { return *in(a) },
			func(a *selfrefer.Answers, posted []string) { *in(a) = among(posted, allowed) }}
	}
	return []field{
		choice("danger", []string{"yes", "no", "unsaid"}, func(a *selfrefer.Answers) *string { return &a.DangerNow }),
		flag("for_other", func(a *selfrefer.Answers) *bool { return &a.ForOther }),
		text("helper", func(a *selfrefer.Answers) *string { return &a.Helper }),
		text("helper_is", func(a *selfrefer.Answers) *string { return &a.HelperIs }),
		text("helper_phone", func(a *selfrefer.Answers) *string { return &a.HelperPhone }),
		text("name", func(a *selfrefer.Answers) *string { return &a.Name }),
		{"reasons", func(a *selfrefer.Answers) []string { return a.Reasons }, func(a *selfrefer.Answers, posted []string) { a.Reasons = chosen(posted) }},
		text("words", func(a *selfrefer.Answers) *string { return &a.Words }),
		choice("channel", channels, func(a *selfrefer.Answers) *string { return &a.Channel }),
		text("email", func(a *selfrefer.Answers) *string { return &a.Email }),
		half("when", times, days),
		half("days", days, times),
		safe("call_safe", func(a *selfrefer.Answers) *selfrefer.Safe { return &a.CallSafe }),
		safe("text_safe", func(a *selfrefer.Answers) *selfrefer.Safe { return &a.TextSafe }),
		safe("message_safe", func(a *selfrefer.Answers) *selfrefer.Safe { return &a.MessageSafe }),
		text("if_another", func(a *selfrefer.Answers) *string { return &a.IfAnother }),
		text("phone", func(a *selfrefer.Answers) *string { return &a.Phone }),
		choice("language", Languages, func(a *selfrefer.Answers) *string { return &a.Language }),
		list("support", support, func(a *selfrefer.Answers) *[]string { return &a.Support }),
		text("needs", func(a *selfrefer.Answers) *string { return &a.Needs }),
		list("tell", tell, func(a *selfrefer.Answers) *[]string { return &a.Tell }),
		text("tell_whom", func(a *selfrefer.Answers) *string { return &a.TellWhom }),
		part("birth_date-day", 0),
		part("birth_date-month", 1),
		part("birth_date-year", 2),
		flag("agreed", func(a *selfrefer.Answers) *bool { return &a.Agreed }),
	}
}()

// read sets the named fields from a post: what is not posted is unanswered, as browsers post no unticked box.
func read(a *selfrefer.Answers, posted url.Values, names []string) {
	for _, f := range fields {
		if slices.Contains(names, f.name) {
			f.set(a, posted[f.name])
		}
	}
}

// overlay sets only what is posted.
func overlay(a *selfrefer.Answers, posted url.Values) {
	for _, f := range fields {
		if p, ok := posted[f.name]; ok {
			f.set(a, p)
		}
	}
}

// hidden is an input that carries an answer through a page.
type hidden struct{ Name, Value string }

// carry writes answers as the inputs that overlay reads.
func carry(a *selfrefer.Answers) (all []hidden) {
	for _, f := range fields {
		for _, value := range f.get(a) {
			all = append(all, hidden{f.name, value})
		}
	}
	return all
}

// within cuts answers to what the form allows: pages tell people before, so only a program's are longer.
func within(a selfrefer.Answers) selfrefer.Answers {
	a.Words, a.Needs = cut(a.Words, maxWords), cut(a.Needs, maxNeeds)
	for _, line := range []*string{&a.Name, &a.IfAnother, &a.Phone, &a.Email, &a.TellWhom, &a.Helper, &a.HelperIs, &a.HelperPhone} {
		*line = cut(*line, maxLine)
	}
	return a
}

// clean removes what no keyboard types; line ends become one sort.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most])
}

func birthParts(s string) (p [3]string) {
	copy(p[:], strings.SplitN(s, " ", 3))
	return p
}

// among keeps the allowed values, in their order, once each.
func among(values, allowed []string) (kept []string) {
	for _, a := range allowed {
		if slices.Contains(values, a) {
			kept = append(kept, a)
		}
	}
	return kept
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
