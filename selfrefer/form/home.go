package form

import (
	"net/http"
	"slices"
	"strings"
)

type homePage struct {
	Heading  string
	Lead     []string
	Down     string
	Networks []homeNetwork

	CheckHeading string
	Check        []string
	DataHeading  string
	Data         []string
	Complain     phoneLine
	WaysHeading  string
	Ways         []wayOn
}

type homeNetwork struct {
	Name, Says string
	Texts      [][]string // lines
	Known      []string
	Ring       phoneLine
}

// home is for people who rightly distrust a link in a text: what is being sent now, by whom, and how to check it without the link.
func (h *Handler) home(w http.ResponseWriter, r *http.Request) {
	all, err := h.sendings(r.Context())
	p := homePage{
		Heading:      "Is this text real?",
		Lead:         []string{"Here you see the texts that we send now, word for word. If yours is different, do not tap its link, and tell your GP practice."},
		CheckHeading: "How to check",
		Check: []string{
			"Ring your GP practice on the number that you know. They know about these texts.",
			"We never ask for a password, a bank card or money.",
			"You need not tap a link: type this site’s address and then the code from the end of the link.",
		},
		DataHeading: "What happens to what you tell us",
		Data: []string{
			"Your GP practice gave us your name, date of birth and mobile number, so that we can offer you this and know that it is you. The practice looks after your record.",
			"Only the people who answer you read what you write.",
			"You need not answer. Your care stays the same if you do not.",
			"You can ask your GP practice what we hold about you, have mistakes put right, or say that you do not want this.",
		},
		Complain:    ringInstead("If you are not content with its answer, ring the Information Commissioner, who watches over this in law:", "0303 123 1113", ""),
		WaysHeading: "What you can do here",
		Ways:        []wayOn{{"Type the code from your text", "/r"}, {"Ask for help without a code", "/help"}},
	}
	if err != nil {
		p.Down = "We cannot look up just now what is being sent. Please try again in a few minutes, or ring your GP practice."
	}
	v := &visit{}
	for _, s := range all {
		n := homeNetwork{Name: s.Network.Name, Says: "No new texts are going out now. A text of ours that is some days or weeks old can still be real: ring us or your practice, or type its code here.", Ring: ringInstead("Ring us:", s.Network.Phone, "")}
		if s.Running && len(s.Texts) > 0 {
			n.Says = "We send these texts now. The names are made up; yours has your own first name, your own practice, and 12 letters and digits of your own at the end of each link."
			for i, t := range s.Texts {
				if slices.Contains(s.Texts[:i], t) { // two campaigns may say the same
					continue
				}
				n.Texts = append(n.Texts, strings.Split(t, "\n"))
			}
			if s.Network.Sender != "" {
				n.Known = append(n.Known, "They come from “"+s.Network.Sender+"”.")
			}
			if s.Network.LinkHost != "" {
				n.Known = append(n.Known, "Their links begin with "+s.Network.LinkHost+"/")
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
