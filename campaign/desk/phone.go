package desk

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// phone is a picture of the phone of somebody who has had a campaign's texts.
type phone struct {
	Whose  string
	Sender string
	Texts  []bubble
}

// bubble is a text as it arrives.
type bubble struct {
	Which string // "" if it is the only one
	Lang  lang.Code
	Dir   string
	Parts []string // each is paid for; a phone puts them together
	Size  string
	Dear  string // why it has so many parts, where nobody would expect it
}

// unknownSender stands for a sender that the network has not set.
const unknownSender = "Your sender"

func phoneOf(whose string, n staff.Network, texts ...bubble) phone {
	p := phone{whose, n.Sender, texts}
	if p.Sender == "" {
		p.Sender = unknownSender
	}
	return p
}

// arrives shows a text as it arrives, with what it costs at a price for each part.
func arrives(which, body string, code lang.Code, price int64) bubble {
	size := text.Count(body)
	b := bubble{Which: which, Lang: code, Dir: code.Dir(), Parts: text.Parts(body),
		Size: fmt.Sprintf("%s, %s, %s.", count(text.Chars(body), "character", "characters"), count(size.Segments, "part", "parts"), pence(int64(size.Segments)*price))}
	if len(size.Culprits) == 0 || code != lang.English { // a script of its own costs what it costs
		return b
	}
	odd := "“" + strings.Join(strings.Split(string(size.Culprits), ""), "”, “") + "”"
	plain := text.Count(strings.Map(func(r rune) rune {
		if strings.ContainsRune(string(size.Culprits), r) {
			return 'a'
		}
		return r
	}, body)).Segments
	b.Dear = fmt.Sprintf("With %s in it, a part holds 67 letters in place of 153: without, it would be %s.", odd, count(plain, "part", "parts"))
	return b
}

// pence is a small amount as bills for texts have it: 4.12p. From a pound on it is in pounds.
func pence(hundredths int64) string {
	if hundredths >= 10_000 {
		return pounds(hundredths)
	}
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%02d", hundredths/100, hundredths%100), "0"), ".") + "p"
}

// which names the texts of a campaign, each by how it comes.
func which(s campaign.Step, steps int) string {
	switch {
	case s.Number > 1:
		return fmt.Sprintf("Reminder: %s later, if there is no answer", count(s.AfterDays, "day", "days"))
	case steps > 1:
		return "First text"
	}
	return ""
}

// phonesOf shows a text to made-up people.
func phonesOf(heading string, t text.Template, code lang.Code, n staff.Network, price int64, people []madeUp) sampled {
	s := sampled{Heading: heading}
	for _, q := range people {
		whose := asSentence(q.why)
		if q.name != "" {
			whose = q.name + ": " + q.why
		}
		s.Phones = append(s.Phones, phoneOf(strings.TrimSuffix(whose, "."), n, arrives("", t.Render(campaign.ExampleFields(n, q.name)), code, price)))
	}
	return s
}

// walk is the phone of somebody of the list, and the way to others.
type walk struct {
	Phone phone
	Where string
	// ID is whose it is; Before, After and Dearest are the others: 0 for none.
	ID, Before, After, Dearest campaign.PatientID
}

// Links is for the template: where others of the list can be looked at.
func (w walk) Links() (all []walkLink) {
	for _, l := range []walkLink{{w.Before, "before", "Person before"}, {w.After, "after", "Next person"}, {w.Dearest, "dearest", "The dearest text"}} {
		if l.ID != 0 && l.ID != w.ID {
			all = append(all, l)
		}
	}
	return all
}

// walkLink leads to somebody. Way names it for the keyboard, which stays on it while the page changes.
type walkLink struct {
	ID         campaign.PatientID
	Way, Words string
}

// walked shows a campaign's texts as they reach somebody of its list, nil if nobody is left of the list.
func (h *Handler) walked(ctx context.Context, who staff.Account, c campaign.Campaign, at string, dearest campaign.PatientID) (*walk, error) {
	id, _ := strconv.ParseInt(at, 10, 64) // not a number: the first of the list
	s, err := h.cfg.Store.Sample(ctx, who, c.Audience, campaign.PatientID(id))
	if errors.Is(err, campaign.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read somebody of list %d: %w", c.Audience, err)
	}
	w := &walk{ID: s.ID, Before: s.Before, After: s.After, Dearest: dearest}
	var texts []bubble
	for _, step := range c.Steps {
		all, err := step.Texts()
		if err != nil {
			return nil, fmt.Errorf("read the texts of campaign %d: %w", c.ID, err)
		}
		code, t := all.For(s.Language)
		body, _ := campaign.Compose(t, s.To)
		texts = append(texts, arrives(which(step, len(c.Steps)), body, code, c.Policy.Price))
	}
	w.Phone = phoneOf(fmt.Sprintf("Row %s of the file", number(s.Row)), s.To.Network, texts...)
	w.Where = s.To.Practice.Name
	switch {
	case s.To.Shared:
		w.Where += ". Several people of the list have this number, so the text has no name"
	case s.To.Name.First() == "":
		w.Where += ". The list has no first name"
	}
	if cell := strings.TrimSpace(s.Language); cell != "" {
		w.Where += fmt.Sprintf(". Language in the list: %s", cut(cell, 40))
	}
	w.Where += "."
	return w, nil
}
