package form

import (
	"context"
	"html/template"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// card is a care card: what to do when it cannot wait.
type card struct {
	Kind, Heading string
	Items         []string
	Numbers       []number
	Words         *ui.Words
}

// number is how to reach somebody: What it is, and the number or address as a link.
type number struct {
	What, Show string
	Lang       lang.Code // of What, where it is not the page's
	Href       template.URL
	Long       bool // an address, which may be broken over lines
}

func ring(what, show string) number {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, show)
	return number{What: what, Show: show, Href: template.URL("tel:" + digits)} // digits and plus only
}

// phoneLine is a sentence around the number of a network or practice; Number is nil where none is known.
type phoneLine struct {
	Before, After string
	Number        *number
}

// ringUs makes a sentence whose number stands where its field Number is: languages do not agree on the place.
func (v *visit) ringUs(key, phone string) phoneLine {
	if phone == "" {
		return phoneLine{}
	}
	n := ring("", phone)
	before, after, _ := strings.Cut(v.say(key, "Number", "\x00"), "\x00")
	return phoneLine{before, after, &n}
}

// cards are the numbers for what cannot wait, on the first and the last page and where an answer sounds like danger: those of everybody, as
// the network has changed them.
func (v *visit) cards() []card {
	return []card{
		{Kind: "emergency", Heading: v.say("help.999"), Words: frame[v.words.Code], Items: v.says("help.999.life", "help.999.hurt", "help.999.attack"), Numbers: v.numbers(true)},
		v.helpCard(),
	}
}

func (v *visit) helpCard() card {
	return card{Kind: "urgent", Heading: v.say("help.today"), Words: frame[v.words.Code], Numbers: v.numbers(false)}
}

func (v *visit) numbers(emergency bool) (all []number) {
	for _, l := range v.own.Help(v.words.Code) {
		if l.Emergency != emergency {
			continue
		}
		n := number{What: l.Words, Show: l.Show, Href: template.URL(l.Href), Long: l.By == selfrefer.ByPage} // Help makes it of digits, or of a parsed address
		switch {
		case l.Words == "":
			n.What = v.say("help.line." + l.Key)
		case l.Lang != v.words.Code:
			n.Lang = l.Lang
		}
		all = append(all, n)
	}
	return all
}

// furnish learns what the network of a visit has changed of the words. Without an answer the standard ones stand: nobody goes without a
// number to ring because a database is away.
func (h *Handler) furnish(ctx context.Context, v *visit) {
	if v.in.Network.ID == 0 {
		return
	}
	own, err := h.Around.WordsOf(ctx, v.in.Network.ID)
	if err != nil {
		h.Log.Warn("cannot read a network's own words; the standard ones are shown", "error", err)
		return
	}
	v.own = own
}

// away says when somebody will be there to answer, if nobody is now; nothing if that cannot be told.
func (h *Handler) away(ctx context.Context, v *visit) string {
	if v.in.Network.ID == 0 {
		return ""
	}
	duty, err := h.Around.DutyOf(ctx, v.in.Network.ID, v.in.Team)
	if err != nil {
		h.Log.Warn("cannot tell who is at work", "error", err)
		return ""
	}
	if !duty.Known() || duty.Open {
		return ""
	}
	next := duty.Next.In(london)
	return v.say("hours.closed_time", "Day", h.day(v, next), "Time", v.clock(next))
}

// clock writes a time of day: 9am in English, 9:00 elsewhere.
func (v *visit) clock(t time.Time) string {
	if v.words.Code == lang.English {
		return ui.Clock(t)
	}
	return t.Format("15:04")
}
