package form

import (
	"net/http"
	"slices"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

type homePage struct {
	Heading  string
	Lead     []string
	Down     string
	Networks []homeNetwork

	PracticeHeading string
	CheckHeading    string
	Check           []string
	DataHeading     string
	Data            []string
	Complain        phoneLine
	WaysHeading     string
	Ways            []wayOn
}

type homeText struct {
	Lang  lang.Code
	Lines []string
}

// homeOther are the texts in another language, behind its own name: whoever got one finds it, and nobody has to read ten.
type homeOther struct {
	Lang  lang.Code
	Own   string
	Texts []homeText
}

type homeNetwork struct {
	Name, Says string
	Texts      []homeText // in the reader's language, or in English
	Others     []homeOther
	Known      []string
	Ring       phoneLine
	Practices  []number
}

// home is for people who rightly distrust a link in a text: what is being sent now, by whom, and how to check it without the link.
func (h *Handler) home(w http.ResponseWriter, r *http.Request) {
	v := h.guest(r)
	all, err := h.sendings(r.Context())
	p := homePage{
		Heading:         v.say("home.heading"),
		Lead:            v.says("home.lead"),
		PracticeHeading: v.say("home.practices"),
		CheckHeading:    v.say("home.check"),
		Check:           v.says("home.check.ring", "home.check.never", "home.check.type"),
		DataHeading:     v.say("home.data"),
		Data:            v.says("home.data.from", "home.data.who", "home.data.free", "home.data.ask"),
		Complain:        v.ringUs("home.complain", "0303 123 1113"),
		WaysHeading:     v.say("home.ways"),
		Ways:            []wayOn{{v.say("home.ways.code"), "/r"}, {v.say("home.ways.help"), "/help"}},
	}
	if err != nil {
		p.Down = v.say("home.down")
	}
	for _, s := range all {
		n := homeNetwork{Name: s.Network.Name, Says: v.say("home.quiet"), Ring: v.ringUs("home.ring", s.Network.Phone)}
		if s.Running && len(s.Texts) > 0 {
			n.Says = v.say("home.sending")
			all := make([]selfrefer.SendingText, 0, len(s.Texts)+len(s.Translated))
			for _, t := range s.Texts {
				all = append(all, selfrefer.SendingText{Language: lang.English, Words: t})
			}
			all = append(all, s.Translated...)
			in := map[lang.Code][]homeText{}
			for i, t := range all {
				if !slices.Contains(all[:i], t) { // two campaigns may say the same
					in[t.Language] = append(in[t.Language], homeText{t.Language, strings.Split(t.Words, "\n")})
				}
			}
			first := lang.English
			if len(in[v.words.Code]) > 0 {
				first = v.words.Code
			}
			n.Texts = in[first]
			for _, l := range lang.All {
				if l.Code != first && len(in[l.Code]) > 0 {
					n.Others = append(n.Others, homeOther{l.Code, l.Own, in[l.Code]})
				}
			}
			if s.Network.Sender != "" {
				n.Known = append(n.Known, v.say("home.sender", "Sender", s.Network.Sender))
			}
			if s.Network.LinkHost != "" {
				n.Known = append(n.Known, v.say("home.host", "Host", s.Network.LinkHost+"/"))
			}
		}
		for _, g := range s.Network.Practices {
			if g.Phone != "" {
				n.Practices = append(n.Practices, ring(g.Name, g.Phone))
			}
		}
		p.Networks = append(p.Networks, n)
	}
	if len(all) == 1 {
		v.in.Network = all[0].Network
	}
	page := v.page(p.Heading, p)
	page.Footer = nil
	h.UI.Render(w, r, http.StatusOK, "home", page)
}
