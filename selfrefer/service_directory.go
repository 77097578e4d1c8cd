package selfrefer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// ServiceID names a service of a network's directory.
type ServiceID int64

// Service is somebody in the neighbourhood who helps people: a club, an advice line, a food bank. It is about an organisation: nothing in it is
// personal data, and a named contact does not belong in it.
type Service struct {
	ID      ServiceID
	Network staff.NetworkID
	// Key is by what an import finds it again: the id of the other directory, or the name; "" for one that was typed in here.
	Key         string
	Name        string
	About       string
	Reasons     []string // what it is for, by code of [Reasons]
	ReasonWords []string // and by the network's own reasons, in English
	Area        string
	Languages   []string
	Places      int // free; -1: nobody knows
	PlacesOn    Day // since when that is known
	How         string
	Phone       string
	Email       string
	Web         string // https or http; nothing here ever opens it
	Active      bool
	Version     int64 // counts changes: two people do not write over each other
}

// UnknownPlaces is where nobody knows how many places are free.
const UnknownPlaces = -1

// The bounds of a service, in characters.
const (
	MaxServiceName  = 200
	MaxServiceAbout = 4000
	MaxServiceLine  = 300
	MaxServiceHow   = 1000
	MaxServices     = 5000 // of one network
	maxLanguages    = 40
	maxPlaces       = 9999
)

// Check tidies a service and says what cannot be taken.
func (s Service) Check() (Service, []EntryFault) {
	var f faults
	line := func(value *string, field string, most int) {
		*value = squeeze(*value)
		f.when(utf8.RuneCountInString(*value) > most, field, fmt.Sprintf("This must be %d characters or fewer", most))
	}
	text := func(value *string, field string, most int) {
		*value = paragraphs(*value)
		f.when(utf8.RuneCountInString(*value) > most, field, fmt.Sprintf("This must be %d characters or fewer", most))
	}
	line(&s.Name, "name", MaxServiceName)
	f.when(s.Name == "", "name", "Enter the service's name")
	text(&s.About, "about", MaxServiceAbout)
	line(&s.Area, "area", MaxServiceLine)
	text(&s.How, "how", MaxServiceHow)
	line(&s.Phone, "phone", 40)
	f.when(s.Phone != "" && !phoneLike(s.Phone), "phone", "Enter a phone number, for example 0151 496 0123, or leave it empty")
	line(&s.Email, "email", 254)
	f.when(s.Email != "" && !emailLike(s.Email), "email", "Enter an e-mail address, for example office@service.example, or leave it empty")
	var ok bool
	s.Web, ok = webAddress(s.Web)
	f.when(!ok, "web", "Enter a web address, for example https://service.example, or leave it empty")
	s.Reasons = slices.DeleteFunc(tidyList(s.Reasons), func(code string) bool { return reasonWords(code) == "" })
	s.ReasonWords = tidyList(s.ReasonWords)
	f.when(len(s.ReasonWords) > MaxReasons || tooLong(s.ReasonWords, MaxLabel), "reasons", "There are too many reasons, or one is too long")
	s.Languages = languageNames(s.Languages)
	f.when(len(s.Languages) > maxLanguages || tooLong(s.Languages, 60), "languages", "There are too many languages, or one is too long")
	f.when(s.Places < UnknownPlaces || s.Places > maxPlaces, "places", fmt.Sprintf("Places free must be a whole number of %d at most, or empty if nobody knows", maxPlaces))
	if s.Places == UnknownPlaces {
		s.PlacesOn = ""
	}
	return s, f
}

// tidyList trims the entries of a list, and drops empty ones and those that stand in it already.
func tidyList(all []string) (out []string) {
	for _, s := range all {
		if s = squeeze(s); s != "" && !slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, s) }) {
			out = append(out, s)
		}
	}
	return out
}

func tooLong(all []string, most int) bool {
	return slices.ContainsFunc(all, func(s string) bool { return utf8.RuneCountInString(s) > most })
}

// paragraphs trims each line, and drops the empty ones at both ends and where two follow each other.
func paragraphs(s string) string {
	var out []string
	for l := range strings.Lines(strings.ReplaceAll(s, "\r", "\n")) {
		if l = squeeze(l); l != "" || len(out) > 0 && out[len(out)-1] != "" {
			out = append(out, l)
		}
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

// phoneLike takes what can be dialled, with a word or two such as "ext 12" or "option 2". Landlines of clubs are as good as mobiles.
func phoneLike(s string) bool {
	digits := 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case !unicode.IsLetter(r) && !strings.ContainsRune(" +()-./,:;#&", r):
			return false
		}
	}
	return digits >= 3
}

func emailLike(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

// webAddress gives an address its scheme; false if it is none that a browser should be sent to from here. "" is fine.
func webAddress(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", true
	}
	if len(s) > 500 || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || !unicode.IsPrint(r) }) {
		return "", false
	}
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || !strings.Contains(u.Hostname(), ".") {
		return "", false
	}
	return u.String(), true
}

// languageNames writes languages by the names that people here use: directories know them by codes.
func languageNames(all []string) []string {
	for i, s := range all {
		for _, l := range lang.All {
			code := string(l.Code)
			if base, _, _ := strings.Cut(code, "-"); strings.EqualFold(squeeze(s), code) || strings.EqualFold(squeeze(s), base) || strings.EqualFold(squeeze(s), base+"-GB") {
				all[i] = l.Name
			}
		}
	}
	return tidyList(all)
}

// ServiceFilter selects services of a network. Empty fields select all.
type ServiceFilter struct {
	Find     string
	Reason   string // a code, or words of the network's own reasons
	Language string
	Area     string
	Places   bool // with places free, or where nobody knows
	Inactive bool // those that are not active, and no others
}

// Takes tells whether a filter selects a service.
func (f ServiceFilter) Takes(s Service) bool {
	if s.Active == f.Inactive || f.Places && s.Places == 0 {
		return false
	}
	if f.Reason != "" && !slices.Contains(s.Reasons, f.Reason) && !containsFold(s.ReasonWords, f.Reason) {
		return false
	}
	if f.Language != "" && !containsFold(s.Languages, f.Language) {
		return false
	}
	if f.Area != "" && !strings.EqualFold(s.Area, f.Area) {
		return false
	}
	if words := wordsOf(f.Find); len(words) > 0 {
		labels := make([]string, len(s.Reasons))
		for i, code := range s.Reasons {
			labels[i] = reasonWords(code)
		}
		in := " " + strings.Join(wordsOf(strings.Join(slices.Concat([]string{s.Name, s.About, s.Area, s.How}, labels, s.ReasonWords, s.Languages), " ")), " ")
		for _, w := range words {
			if !strings.Contains(in, " "+w) { // the beginning of a word is enough
				return false
			}
		}
	}
	return true
}

func containsFold(all []string, s string) bool {
	return slices.ContainsFunc(all, func(o string) bool { return strings.EqualFold(o, s) })
}

// Suggestion is a service that might help somebody, and why.
type Suggestion struct {
	Service Service
	For     []string // the reasons of the person that it is for, in words
	Speaks  bool     // the person's language, which is not English
	fits    int
}

// Suggest puts the active services in the order in which they fit a person: first those for most of their reasons, of these those that speak
// their language, then those with places free. What fits nothing comes last, by name.
func Suggest(all []Service, a Answers, language string) []Suggestion {
	var out []Suggestion
	for _, s := range all {
		if !s.Active {
			continue
		}
		g := Suggestion{Service: s}
		for _, words := range a.ReasonWords {
			if containsFold(s.ReasonWords, words) {
				g.For = append(g.For, words)
				g.fits += 20
			}
		}
		for _, code := range a.Reasons {
			if slices.Contains(s.Reasons, code) {
				g.For = append(g.For, reasonWords(code))
				g.fits += 20
			}
		}
		for _, l := range languageNames([]string{a.Language, language}) {
			if !strings.EqualFold(l, "English") && containsFold(s.Languages, l) {
				g.Speaks = true
			}
		}
		if g.Speaks {
			g.fits += 10
		}
		if g.fits > 0 && s.Places != 0 {
			g.fits++
		}
		if g.fits > 0 && s.Places > 0 {
			g.fits++
		}
		out = append(out, g)
	}
	slices.SortStableFunc(out, func(a, b Suggestion) int {
		return cmp.Or(b.fits-a.fits, strings.Compare(strings.ToLower(a.Service.Name), strings.ToLower(b.Service.Name)))
	})
	return out
}

// Fits tells whether it fits anything of the person.
func (g Suggestion) Fits() bool { return len(g.For) > 0 || g.Speaks }

// ServiceField is one that an import may set.
type ServiceField string

// The fields. A file that lacks one leaves it as it is: an import without a column of places does not undo what link workers have corrected.
const (
	FieldName      ServiceField = "name"
	FieldAbout     ServiceField = "about"
	FieldReasons   ServiceField = "reasons"
	FieldArea      ServiceField = "area"
	FieldLanguages ServiceField = "languages"
	FieldPlaces    ServiceField = "places"
	FieldHow       ServiceField = "how"
	FieldPhone     ServiceField = "phone"
	FieldEmail     ServiceField = "email"
	FieldWeb       ServiceField = "web"
	FieldActive    ServiceField = "active"
	fieldID        ServiceField = "id"
)

// Merge gives what a service becomes by a row of an import, and whether that changes anything. today is when places were told of that the row
// does not date itself.
func Merge(old Service, row ServiceRow, today Day) (Service, bool) {
	s := old
	set := func(f ServiceField, do func()) {
		if slices.Contains(row.Fields, f) {
			do()
		}
	}
	set(FieldName, func() { s.Name = row.Service.Name })
	set(FieldAbout, func() { s.About = row.Service.About })
	set(FieldReasons, func() { s.Reasons, s.ReasonWords = row.Service.Reasons, row.Service.ReasonWords })
	set(FieldArea, func() { s.Area = row.Service.Area })
	set(FieldLanguages, func() { s.Languages = row.Service.Languages })
	set(FieldHow, func() { s.How = row.Service.How })
	set(FieldPhone, func() { s.Phone = row.Service.Phone })
	set(FieldEmail, func() { s.Email = row.Service.Email })
	set(FieldWeb, func() { s.Web = row.Service.Web })
	set(FieldActive, func() { s.Active = row.Service.Active })
	set(FieldPlaces, func() {
		if s.Places != row.Service.Places {
			s.Places, s.PlacesOn = row.Service.Places, today
		}
	})
	return s, !s.Same(old)
}

// Same reports whether two services say the same.
func (s Service) Same(o Service) bool {
	return s.Name == o.Name && s.About == o.About && slices.Equal(s.Reasons, o.Reasons) && slices.Equal(s.ReasonWords, o.ReasonWords) && s.Area == o.Area &&
		slices.Equal(s.Languages, o.Languages) && s.Places == o.Places && s.PlacesOn == o.PlacesOn && s.How == o.How && s.Phone == o.Phone && s.Email == o.Email &&
		s.Web == o.Web && s.Active == o.Active
}

// ErrNoService means that a network has no such service.
var ErrNoService = errors.New("there is no such service in your network's directory")

// ErrFull means that a directory holds as many services as it can.
var ErrFull = fmt.Errorf("a directory holds %d services at most: take some out of the file", MaxServices)

// Services is the store's side of the directory. Each change asks [staff.May] again and is audited in its transaction.
type Services interface {
	// Services lists all of a network, by name, those that are not active too.
	Services(ctx context.Context, n staff.NetworkID) ([]Service, error)
	Service(ctx context.Context, n staff.NetworkID, id ServiceID) (Service, error)
	// SetService adds a service (without an id), or puts it in the place of the version that was read; ErrChanged if somebody was quicker.
	SetService(ctx context.Context, who staff.Account, s Service) (Service, error)
	// SetPlaces corrects how many places are free.
	SetPlaces(ctx context.Context, who staff.Account, id ServiceID, places int, on Day) error
	// ImportServices takes the rows of a file; a dry run counts and changes nothing.
	ImportServices(ctx context.Context, who staff.Account, rows []ServiceRow, on Day, dryRun bool) (ServiceLedger, error)
}
