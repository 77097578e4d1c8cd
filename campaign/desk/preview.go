package desk

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// preview shows what the texts come to.
type preview struct {
	Problems  []string
	Advice    []string
	Samples   []sampled
	Walk      *walk // nil: the text cannot be shown yet, or nobody is left of the list
	Estimate  string
	Reminders string // what they come to besides
	Dear      string
	Languages []translated
	Others    string // who speaks no language of ours
	Unasked   string // why the page is back: languages that were not looked at
	Synthetic bool
}

// translated is one language of the list on the page: whether, and with which words, its people are written to in it.
type translated struct {
	Code         lang.Code
	Name, Own    string
	Dir          string
	People       string
	Ticked       bool
	Text         string
	Field        string
	Error        string
	Reviewed     bool   // the manager says so
	ReviewedBy   string // the file of the ready text says so
	Machine      bool   // the ready text, as a machine made it
	OfOtherWords bool   // the ready text, but the English one has been changed
	Advice       []string
	Phones       []phone
	Estimate     string
}

// sampled is a text as people will see it.
type sampled struct {
	Heading string // "" if it is the only one
	Phones  []phone
}

// madeUp is a person who shows a text at its shortest or longest: "Llŷr" has a letter that makes texts dearer.
type madeUp struct{ name, why string }

var (
	short    = madeUp{"Ann", "a short name"}
	longest  = madeUp{"Oluwadamilọla-Małgorzata", "a very long name with special letters"}
	nameless = madeUp{"", "a number that several patients share: no name"}
	people   = []madeUp{short, {"Christopher", "a long name"}, {"Llŷr", "a name with ŷ"}, longest, nameless}
)

// preview checks the texts of the form, and shows them for the list that is chosen, if one is.
func (h *Handler) preview(ctx context.Context, who staff.Account, c campaign.Campaign, d draft, f url.Values, bad invalid) (*preview, error) {
	v := &preview{}
	n, err := h.cfg.Store.Network(ctx, who.Network)
	if err != nil {
		return nil, fmt.Errorf("read the network: %w", err)
	}
	a, err := h.cfg.Store.Audience(ctx, who.Network, d.List)
	listed := err == nil // an unknown one is what the form complains about
	if err != nil && !errors.Is(err, campaign.ErrNotFound) {
		return nil, fmt.Errorf("read list %d: %w", d.List, err)
	}
	v.Synthetic = a.Synthetic
	price := max(d.Price, 0)
	step := campaign.Step{Number: 1, Template: d.Text, Translations: map[lang.Code]campaign.Translation{}}
	if listed {
		if err := h.offer(ctx, who, d, f, a, v); err != nil {
			return nil, err
		}
		for _, t := range v.Languages {
			if t.Ticked {
				step.Translations[t.Code] = campaign.Translation{Text: t.Text, Reviewed: t.Reviewed}
			}
		}
	}
	wrong := map[string]string{}
	for _, e := range step.Unsendable(campaign.Setting{Network: n, Synthetic: a.Synthetic || !listed}) {
		if e.Language == lang.English {
			v.Problems = append(v.Problems, asSentence(e.Why))
		} else if field := fieldOf(e); wrong[field] == "" {
			wrong[field] = asSentence(e.Why)
		}
	}
	for _, e := range bad {
		if e.Field == "translations" {
			v.Unasked = e.Sentence
		}
	}
	texts := campaign.Texts{}
	for i := range v.Languages {
		t := &v.Languages[i]
		if t.Error = wrong[t.Field]; !t.Ticked {
			continue
		}
		tpl, err := text.Parse(t.Text)
		if err != nil {
			continue // the problem says so
		}
		texts[t.Code] = tpl
		for _, a := range text.CheckTranslation(tpl) {
			t.Advice = append(t.Advice, asSentence(a.Sentence))
		}
		t.Phones = phonesOf("", tpl, t.Code, n, price, []madeUp{short, longest}).Phones
	}
	english, err := text.Parse(d.Text)
	if err != nil {
		return v, nil //nolint:nilerr // the problem says so
	}
	texts[lang.English] = english
	for _, a := range slices.Concat(text.Check(english), text.CheckSender(n.Sender)) {
		v.Advice = append(v.Advice, asSentence(a.Sentence))
	}
	v.Samples = []sampled{phonesOf("", english, lang.English, n, price, people)}
	for code := range step.Translations {
		if _, ok := texts[code]; !ok {
			delete(step.Translations, code)
		}
	}
	steps := []campaign.Step{step}
	var again campaign.Texts
	if d.Reminder != "" {
		next := campaign.Step{Number: 2, Template: d.Reminder, AfterDays: d.AfterDays}
		if len(c.Steps) > 1 && c.Steps[1].Template == d.Reminder { // see takeSteps
			next.Translations = c.Steps[1].Translations
		}
		if again, err = next.Texts(); err == nil { // a wrong one is told when it is saved
			steps = append(steps, next)
			v.Samples[0].Heading = "The first text"
			v.Samples = append(v.Samples, phonesOf("The reminder", again[lang.English], lang.English, n, price, []madeUp{short, longest}))
		}
	}
	if !listed {
		return v, nil
	}
	e, err := h.cfg.Store.EstimateTexts(ctx, who.Network, d.List, texts)
	if err != nil {
		return nil, fmt.Errorf("count the texts of list %d: %w", d.List, err)
	}
	cost := int64(e.Segments) * price
	each := func(cost int64) string { return pence(cost / int64(max(e.Texts, 1))) }
	v.Estimate = fmt.Sprintf("For the %s in this list that makes %s, and costs %s: %s for each.", count(e.Texts, "person", "people"), count(e.Segments, "part", "parts"), pounds(cost), each(cost))
	if e.Dear > 0 {
		v.Dear = fmt.Sprintf("%s longer than usual, up to %d parts, because of the names in them.", count(e.Dear, "text is", "texts are"), e.Longest)
	}
	if len(steps) > 1 {
		more, err := h.cfg.Store.EstimateTexts(ctx, who.Network, d.List, again)
		if err != nil {
			return nil, fmt.Errorf("count the reminders of list %d: %w", d.List, err)
		}
		both := cost + int64(more.Segments)*price
		v.Reminders = fmt.Sprintf("If nobody answers the first, the reminder makes %s more. Both then cost %s: %s for each.", count(more.Segments, "part", "parts"), pounds(both), each(both))
	}
	at := ""
	if asked := f["person"]; len(asked) > 0 {
		at = asked[len(asked)-1] // a button stands behind the field
	}
	shown := campaign.Campaign{Audience: d.List, Steps: steps, Policy: campaign.Policy{Price: price}}
	if v.Walk, err = h.walked(ctx, who, shown, at, e.Dearest); err != nil {
		return nil, err
	}
	for i, t := range v.Languages {
		if s := e.In[t.Code]; s.Texts > 0 {
			parts := fmt.Sprintf("%d to %d parts", s.Shortest, s.Longest)
			if s.Shortest == s.Longest {
				parts = count(s.Longest, "part", "parts")
			}
			v.Languages[i].Estimate = fmt.Sprintf("%s of %s each, %s in all.", count(s.Texts, "text", "texts"), parts, pounds(int64(s.Segments)*price))
		}
	}
	return v, nil
}

// offer lists the languages of a list's people. Ready translations are ticked when they are first shown, as long as they say what the
// English text says.
func (h *Handler) offer(ctx context.Context, who staff.Account, d draft, f url.Values, a campaign.Audience, v *preview) error {
	speakers, err := h.cfg.Store.Speakers(ctx, who.Network, a.ID)
	if err != nil {
		return fmt.Errorf("read the languages of list %d: %w", a.ID, err)
	}
	for _, l := range lang.All[1:] {
		if speakers[l.Code] == 0 {
			continue
		}
		ready, _ := campaign.Ready(l.Code)
		t := translated{Code: l.Code, Name: l.Name, Own: l.Own, Dir: l.Code.Dir(), People: count(speakers[l.Code], "person", "people"), Field: translationField(l.Code)}
		asked := slices.Contains(d.Offered, l.Code)
		if t.Text = typed(f.Get(t.Field)); t.Text == "" && !asked {
			t.Text = ready.Text
		}
		t.Reviewed = f.Get("reviewed_"+string(l.Code)) != ""
		if t.Text == ready.Text {
			t.ReviewedBy, t.Machine, t.OfOtherWords = ready.ReviewedBy, ready.ReviewedBy == "", d.Text != campaign.DefaultText
		}
		if t.Ticked = slices.Contains(f["translate"], string(l.Code)); !asked {
			t.Ticked = !t.OfOtherWords
		}
		v.Languages = append(v.Languages, t)
	}
	if k := speakers[""]; k > 0 && len(v.Languages) > 0 {
		v.Others = fmt.Sprintf("For %s the list names no language, or one that we do not have. They get the text in English.", count(k, "person", "people"))
	}
	return nil
}

// stepSamples are all texts of a campaign, as whoever approves them has to see them.
func stepSamples(c campaign.Campaign, n staff.Network) (all []sampled, err error) {
	for _, s := range c.Steps {
		texts, err := s.Texts()
		if err != nil {
			return nil, fmt.Errorf("read the texts of campaign %d: %w", c.ID, err)
		}
		for _, code := range texts.Languages() {
			show, heading := []madeUp{short, longest}, lang.Of(code).Name
			switch {
			case s.Number == 1 && code == lang.English:
				show = people
				if len(texts) == 1 && len(c.Steps) == 1 {
					heading = ""
				}
			case s.Number > 1:
				heading = "Reminder in " + heading
			}
			all = append(all, phonesOf(heading, texts[code], code, n, c.Policy.Price, show))
		}
	}
	return all, nil
}

// languageWords lists the translations of a text, and whether a professional has reviewed each.
func languageWords(all map[lang.Code]campaign.Translation) string {
	var names []string
	for _, l := range lang.All[1:] {
		if tr, ok := all[l.Code]; ok {
			how := "not reviewed by a professional"
			if tr.Vouched(l.Code) {
				how = "reviewed by a professional"
			}
			names = append(names, l.Name+" ("+how+")")
		}
	}
	return listWords(names, "and")
}
