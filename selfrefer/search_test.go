package selfrefer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign/person"
)

// finds reports whether a search reads as a name that somebody is found by.
func finds(typed string, n person.Name) bool {
	s, err := ParseSearch(typed)
	if err != nil {
		return false
	}
	words := NameWords(n)
	return slices.ContainsFunc(s.Names, func(reading []string) bool {
		return !slices.ContainsFunc(reading, func(w string) bool { return !slices.Contains(words, w) })
	})
}

func TestSearch_names(t *testing.T) {
	for _, c := range []struct {
		given, family string
		found         []string
		not           []string
	}{
		{"Agnes", "Arkwright", []string{"agnes arkwright", "ARKWRIGHT", "Arkwright, Agnes", "Mrs Arkwright", "Mrs A Arkwright", "a. arkwright"}, []string{"Agnes Cole", "Arkwrig", "Agnes Arkwright Cole"}},
		{"Siân", "O'Connor", []string{"sian o'connor", "Sian OConnor", "SIÂN O’CONNOR", "O Connor", "oconnor", "O‘Connor", "Sia\u0302n"}, []string{"Connor", "o'conor"}},
		{"Seán", "O Connor", []string{"O'Connor", "OConnor", "o connor", "connor"}, []string{"O'Conner"}},
		{"Zoë", "Smith-Jones", []string{"zoe smith jones", "Smith-Jones", "smithjones", "Jones", "Smith–Jones", "Jones Smith"}, []string{"Smythe-Jones"}},
		{"Zoe", "Smith Jones", []string{"Smith-Jones", "Zoe Smith"}, []string{"Zoe Smythe"}},
		{"Mary Ann", "SmithJones", []string{"Smith-Jones", "smith jones", "Mary Smith Jones"}, nil},
		{"Ewan", "Mac Donald", []string{"MacDonald", "mac donald", "Ewan Macdonald"}, nil},
		{"Ewan", "MacDonald", []string{"Mac Donald", "Ewan Mac-Donald"}, nil},
		{"Łucja", "Groß", []string{"lucja gross", "Lucja Groß"}, []string{"gros"}},
		{"Jürgen", "van der Æbel", []string{"jurgen aebel", "van der aebel", "vander aebel"}, []string{"Mrs"}},
		{"小明", "王", []string{"王 小明"}, nil},
		{"Fatima\u200b", "al-Sayed", []string{"fatima alsayed", "Fatima Al Sayed"}, nil},
	} {
		n := person.NewName(c.given, c.family)
		for _, typed := range c.found {
			if !finds(typed, n) {
				s, err := ParseSearch(typed)
				t.Errorf("%q does not find %s %s: %q, %q, %v", typed, c.given, c.family, s.Names, NameWords(n), err)
			}
		}
		for _, typed := range c.not {
			if finds(typed, n) {
				t.Errorf("%q finds %s %s", typed, c.given, c.family)
			}
		}
	}
}

func TestParseSearch(t *testing.T) {
	for typed, want := range map[string]string{
		"K7QP-3XYZ": "reference", "k7qp3xyz": "reference", "k7qp 3xyz": "reference", "K7QP-3XY": "", "K7QP-3XY1": "", "K7QP-3XYZA": "",
		"benedeth": "reference_or_name", "999 000 0018": "nhs_number", "9990000019": "", "07700 900123": "phone", "+44 7700 900123": "phone", "0151 496 0000": "phone",
		"Agnes Arkwright": "name", "": "", " ": "", "mrs": "", "J": "", "?": "", "' OR 1=1": "", "Agnes 1950": "", strings.Repeat("a ", 101): "", "\xff\xfe": "",
	} {
		s, err := ParseSearch(typed)
		if s.Kinds() != want || (want == "") != errors.Is(err, ErrNoSearch) {
			t.Errorf("%q: searched by %q, %v; want %q", typed, s.Kinds(), err, want)
		}
	}
	if s, _ := ParseSearch("k7qp3xyz"); s.Reference != "K7QP-3XYZ" {
		t.Errorf("read as %q", s.Reference)
	}
	s, _ := ParseSearch("Marigold Testperson")
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s); strings.Contains(strings.ToLower(text), "marigold") {
		t.Errorf("a search tells what it is for: %s", text)
	}
}

// However long a name is, it has few words, and each of them in any order finds it.
func TestNameWords_bounded(t *testing.T) {
	n := person.NewName("Ana Maria Luisa Isabel Teresa Beatriz", "de la Cruz y Fernandez-Montenegro de Albuquerque")
	words := NameWords(n)
	if len(words) > maxWords {
		t.Errorf("%d words: %q", len(words), words)
	}
	if !finds("Fernandez-Montenegro", n) || !finds("albuquerque", n) {
		t.Errorf("the longest words of a long name do not find it: %q", words)
	}
}
