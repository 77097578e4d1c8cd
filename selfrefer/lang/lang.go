package lang

import (
	"slices"
	"strings"
)

// Code names a language, as in HTML's lang attribute.
type Code string

// The languages.
const (
	English   Code = "en"
	Welsh     Code = "cy"
	Polish    Code = "pl"
	Romanian  Code = "ro"
	Urdu      Code = "ur"
	Punjabi   Code = "pa"
	Bengali   Code = "bn"
	Arabic    Code = "ar"
	Ukrainian Code = "uk"
	Chinese   Code = "zh-Hans"
)

// Language is one in which people are written to.
type Language struct {
	Code    Code
	Own     string // its name for those who speak it
	Name    string // its name in English, for staff
	RTL     bool   // written from right to left
	aliases []string
}

// All are the languages in the order in which people choose among them.
var All = []Language{
	{English, "English", "English", false, []string{"eng"}},
	{Welsh, "Cymraeg", "Welsh", false, []string{"cym", "wel"}},
	{Polish, "Polski", "Polish", false, []string{"pol"}},
	{Romanian, "Română", "Romanian", false, []string{"ron", "rum", "moldavian", "moldovan"}},
	{Urdu, "اردو", "Urdu", true, []string{"urd"}},
	{Punjabi, "ਪੰਜਾਬੀ", "Punjabi", false, []string{"pan", "panjabi"}},
	{Bengali, "বাংলা", "Bengali", false, []string{"ben", "bangla", "sylheti"}},
	{Arabic, "العربية", "Arabic", true, []string{"ara"}},
	{Ukrainian, "Українська", "Ukrainian", false, []string{"ukr"}},
	{Chinese, "简体中文", "Chinese", false, []string{"zh", "zho", "chi", "cmn", "mandarin", "chinese simplified"}},
}

// Of gives a language; English for a code that is none of ours.
func Of(c Code) Language {
	for _, l := range All {
		if l.Code == c {
			return l
		}
	}
	return All[0]
}

// Dir is the direction of writing, as HTML's dir attribute has it.
func (c Code) Dir() string {
	if Of(c).RTL {
		return "rtl"
	}
	return "ltr"
}

// Read understands a language as patient lists and browsers write it: "Polish", "pol", "pl-PL", "Main spoken language Polish". A language
// that we do not have, or a cell that names none, is not found: write in English then.
func Read(s string) (Code, bool) {
	s = strings.ToLower(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '_' || r == '(' || r == ')' || r == ',' || r == ':' }), " "))
	for _, before := range []string{"main spoken language ", "main language ", "first language ", "preferred language ", "speaks "} {
		s = strings.TrimPrefix(s, before)
	}
	s = strings.TrimSuffix(s, " language")
	base, _, _ := strings.Cut(s, "-")
	for _, l := range All {
		for _, name := range append([]string{strings.ToLower(string(l.Code)), strings.ToLower(l.Name), strings.ToLower(l.Own)}, l.aliases...) {
			if s == name || base == name {
				return l.Code, true
			}
		}
	}
	return English, false
}

// Match chooses for a browser, by its Accept-Language header: the first of ours among those that it likes best. Weights are ignored:
// browsers send languages in the order of liking.
func Match(accept string) (Code, bool) {
	for _, part := range strings.Split(accept, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		if c, ok := Read(tag); ok {
			return c, true
		}
	}
	return English, false
}

// Known tells whether a code is one of ours.
func Known(c Code) bool {
	return slices.ContainsFunc(All, func(l Language) bool { return l.Code == c })
}
