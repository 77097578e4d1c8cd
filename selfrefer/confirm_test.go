package selfrefer

import "testing"

func TestConfirms(t *testing.T) {
	type given struct {
		f Form
		m Matched
		j Judgement
	}
	for name, c := range map[string]struct {
		change func(*given)
		want   bool
	}{
		"the invited person, who says that a text is safe": {func(*given) {}, true},
		"urgent, though the birth date is wrong":           {func(g *given) { g.j.Urgent, g.j.NotMatched = true, "the birth date is not the one on the list" }, true},
		"a text is not safe":                               {func(g *given) { g.f.Answers.TextSafe = SafeNo }, false},
		"nobody asked":                                     {func(g *given) { g.f.Answers.TextSafe = SafeUnasked }, false},
		"for somebody else":                                {func(g *given) { g.f.Answers.ForOther = true }, false},
		"a wrong birth date":                               {func(g *given) { g.j.Lane = Unverified }, false},
		"a link that was used before":                      {func(g *given) { g.m.Spent = true }, false},
		"a link that had expired":                          {func(g *given) { g.m.Expired = true }, false},
		"a link that is none of ours":                      {func(g *given) { g.m.Found = false }, false},
		"without a link":                                   {func(g *given) { g.f.Source = ByGeneral }, false},
		"a reply":                                          {func(g *given) { g.f.Source = ByReply }, false},
	} {
		g := given{Form{Source: ByLink, Answers: Answers{TextSafe: SafeYes}}, Matched{Found: true}, Judgement{Lane: Verified}}
		c.change(&g)
		if got := Confirms(g.f, g.m, g.j); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
