package campaign

import (
	"embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/throttle"
)

// Service is a kind of text that belongs to a self-referral, outside the steps of a campaign. A new kind is a constant, what it is made of,
// how long it is of use, and its sentences in each file of the folder service.
//
// A service text lives as a message does ([Next]), with these differences:
//
//   - Its row is written released, or planned for the hours in which it leaves, in the transaction that keeps what it answers, and its kind and
//     that referral are UNIQUE: nothing that is done twice makes two.
//   - Nothing paces it. A confirmation leaves at any hour, paused campaign or not, because somebody has just pressed Send and holds the
//     phone; an [AdmitService] that comes after its time lets it expire. A text that is late arrives when somebody else may hold the phone.
//     The other kinds find nobody waiting for them: they leave within [Service.Leaves] alone, and the provider must deliver them within it.
//   - Once it may have left, it is never sent again: it stays unknown until evidence comes. One that is lost harms nobody, since the page has
//     said the same; a second one breaks a promise. So nobody has to look for it in the provider's record, and its body needs no mark that
//     could be looked for and forged. A database that went back in time leaves unknown what it believes unsent, what its journal gives back
//     is not answered again, and to referrals of before nothing more is owed.
//   - The contact ledger, the funnel and the pacer's counters of texts do not see it; the sender's rate, the opt-outs and the money do.
//   - It has no link and no way out: it asks for nothing, and nothing follows from it. Opt-outs of any network and any kind keep it back.
//
// The words are for whoever picks up the phone: neither what was sent, nor to whom, nor why. The files of the folder service hold them, one
// for each language; a translator may change all that is in them.
type Service string

// Confirmation says that a self-referral has come in. It goes to the number that was invited, never to one that was typed into the form, and
// to those alone who said that a text is safe. "We have received this" and "You will hear from us" could come from any office.
const Confirmation Service = "confirmation"

// WeTried says that somebody has tried to reach the person, several times, and whom they can ring. RunningLate says, before a promised day is
// over, that a first contact takes longer. Neither has a reference: who finds it on a phone days later could ring and read it out.
const (
	WeTried     Service = "we_tried"
	RunningLate Service = "running_late"
)

// Test is a campaign's text as its manager has it sent to their own phone, before anybody else gets it. It answers no self-referral, is written
// in no file of the folder service, and its link leads nowhere. It costs the campaign that it tries out.
const Test Service = "test"

// CorrectionText takes back what a campaign's text has said; see [Correction]. It answers no self-referral, and a manager writes its words. It
// alone of the service texts has links, and is looked for in the provider's record and sent again if it never left.
const CorrectionText Service = "correction"

// Services lists the kinds that answer a self-referral.
var Services = []Service{Confirmation, WeTried, RunningLate}

// UsefulFor is how long after what it answers a text may still leave, and how long the provider may try to deliver it; 0 if that is until the
// end of the hours in which it leaves.
func (s Service) UsefulFor() time.Duration {
	switch s {
	case Confirmation, Test:
		return 15 * time.Minute
	}
	return 0
}

const (
	// Nobody is disturbed by a text that they do not wait for before earliest and from latest on, whatever the hours of the campaign.
	earliest, latest = 8 * 60, 20 * 60
	// serviceTail is how much of the hours must be left: time for the provider to deliver it in.
	serviceTail = 15 * time.Minute
)

// Leaves gives from when and until when a text that is owed at now may be sent. hours are the campaign's for its texts: the person has had one
// within them. It is false if there are none in the coming weeks.
func (s Service) Leaves(c throttle.Calendar, hours throttle.Week, now time.Time) (from, until time.Time, ok bool) {
	if d := s.UsefulFor(); d > 0 {
		return now, now.Add(d), true
	}
	c.Open = daytime(hours)
	if w, open := c.WindowAt(now, c.Open); open && w.To.Sub(now) >= serviceTail {
		return now, w.To, true
	}
	from = c.NextOpen(now)
	for range 60 { // openings; where all of them are too short there is no end to them
		w, open := c.WindowAt(from, c.Open)
		if !open {
			break
		}
		if w.To.Sub(from) >= serviceTail {
			return from, w.To, true
		}
		from = c.NextOpen(w.To)
	}
	return time.Time{}, time.Time{}, false
}

// daytime leaves of a campaign's hours those in which people are awake. Where that leaves nothing, nothing is said: it is as if the campaign
// had not said when it texts.
func daytime(w throttle.Week) throttle.Week {
	for i, h := range w {
		h.From, h.To = max(h.From, earliest), min(h.To, latest)
		if h.From >= h.To {
			h = throttle.Hours{}
		}
		w[i] = h
	}
	return w
}

// ServiceFields are what a service text may say. Nothing of the person is among them: whoever sees the phone may read it.
type ServiceFields struct {
	Network   string
	Phone     string // of the network, as it stands on its pages; "" if it has none
	Reference string
	By        time.Time // the honest date of a first contact, in the civil zone; zero if none can be told
}

// sentence is the name of the sentence that fits what can be said.
func (s Service) sentence(f ServiceFields) string {
	switch {
	case s == WeTried && f.Phone == "":
		return string(s) + "_no_number"
	case s != WeTried && f.By.IsZero():
		return string(s) + "_undated"
	}
	return string(s)
}

// ComposeService renders a service text in a language and counts its segments.
func ComposeService(s Service, c lang.Code, f ServiceFields) (body string, size text.Size, err error) {
	words, ok := serviceWords[lang.Of(c).Code]
	if !ok {
		return "", text.Size{}, fmt.Errorf("there are no service texts in %q", c)
	}
	sentence := words.Texts[s.sentence(f)]
	if sentence == "" {
		return "", text.Size{}, fmt.Errorf("there is no %s in %q", s, c)
	}
	reference, phone := f.Reference, f.Phone
	if c.Dir() == "rtl" {
		// Between two marks that are not seen; a phone would put the halves of some references, and the groups of a number, the wrong way round.
		reference, phone = "\u200e"+reference+"\u200e", "\u200e"+phone+"\u200e"
	}
	network := strings.Join(strings.Fields(text.Repair(f.Network)), " ")
	body = strings.NewReplacer("((network))", network, "((reference))", reference, "((phone))", phone, "((date))", words.date(f.By)).Replace(sentence)
	return body, text.Count(body), nil
}

// languageFile is one file of the folder service: all that a translator has to look at.
type languageFile struct {
	Review   string            `json:"review"`
	Texts    map[string]string `json:"texts"`
	Date     string            `json:"date"`
	Weekdays []string          `json:"weekdays"` // from Sunday, as they stand in the sentence
	Months   []string          `json:"months"`
}

func (l languageFile) date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strings.NewReplacer("((weekday))", l.Weekdays[t.Weekday()], "((day))", strconv.Itoa(t.Day()), "((month))", l.Months[t.Month()-1]).Replace(l.Date)
}

//go:embed service/*.json
var serviceFiles embed.FS

var serviceWords = func() map[lang.Code]languageFile {
	all := map[lang.Code]languageFile{}
	for _, l := range lang.All {
		b, err := serviceFiles.ReadFile("service/" + string(l.Code) + ".json")
		if err != nil {
			panic("campaign: a language has no service texts: " + err.Error())
		}
		var f languageFile
		if err := json.Unmarshal(b, &f); err != nil {
			panic(fmt.Sprintf("campaign: the service texts in %q cannot be read: %v", l.Code, err))
		}
		if len(f.Weekdays) != 7 || len(f.Months) != 12 {
			panic(fmt.Sprintf("campaign: the service texts in %q lack days or months", l.Code))
		}
		all[l.Code] = f
	}
	return all
}()

// ServiceFacts is what the claim of a service text has to know, read in its own transaction.
type ServiceFacts struct {
	Quarantined bool
	Suppressed  string // why its number or its person must not be texted, whoever was told; "" if nothing speaks against it
	Moot        string // why it would not be true or not be safe any more, as the referral stands now; "" if nothing speaks against it
	Expires     time.Time
}

// AdmitService decides whether a service text may be sent now. It is asked inside the claim's transaction, with the number locked.
func AdmitService(now time.Time, f ServiceFacts) Verdict {
	switch {
	case f.Quarantined: // it may have left in a life of the database that is forgotten
		return Verdict{Doubt, "restored"}
	case f.Suppressed != "":
		return Verdict{Suppress, f.Suppressed}
	case f.Moot != "":
		return Verdict{Expire, f.Moot}
	case !now.Before(f.Expires):
		return Verdict{Expire, "too_late"}
	}
	return Verdict{Event: Claim}
}
