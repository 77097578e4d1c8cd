package campaign

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// How many test texts an account may have, and within what: enough to mend a text, too few to write to anybody with.
const (
	MostTests   = 5
	TestsWithin = time.Hour
)

// testToken is as long as a real one, and nobody's.
const testToken = "7K3MQ2XVT9PA"

// ExampleFields are made-up values for a text of a network, at the practice with the longest name: the one that shows the most.
func ExampleFields(n staff.Network, name string) text.Fields {
	p := staff.Practice{Name: n.Name, Phone: n.Phone}
	for i, q := range n.Practices {
		if i == 0 || len(q.Name) > len(p.Name) {
			p = q
		}
	}
	phone := p.Phone
	if phone == "" {
		phone = n.Phone
	}
	return text.Fields{FirstName: name, Practice: p.Name, Network: n.Name, Phone: phone, Link: n.LinkHost + "/r/" + testToken, StopLink: n.LinkHost + "/stop/" + testToken}
}

// ComposeTest renders the text of a step for a made-up person, marked as a test in the first word that a phone shows.
func (c Campaign) ComposeTest(step int, code lang.Code, n staff.Network) (body string, size text.Size, err error) {
	texts, err := c.Texts(step)
	if err != nil {
		return "", size, err
	}
	template, ok := texts[code]
	if !ok {
		return "", size, ErrNotFound
	}
	body = "TEST: " + template.Render(ExampleFields(n, "Ann"))
	return body, text.Count(body), nil
}

// MaskSent hides in a text that has left whose it is and what opens their form.
func MaskSent(body string, n person.Name, t link.Token) string {
	for _, first := range []string{n.First(), text.Repair(n.First())} {
		if first != "" {
			initial, _ := utf8.DecodeRuneInString(first)
			body = strings.ReplaceAll(body, first, string(initial)+"…")
		}
	}
	return strings.ReplaceAll(body, t.Reveal(), strings.Repeat("•", len(t.Reveal())))
}
