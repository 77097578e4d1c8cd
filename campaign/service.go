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
)

// Service is a kind of text that answers what a person did, outside the steps of a campaign. A new kind is a constant, how long it is of
// use, and a sentence in each file of the folder service.
//
// A service text lives as a message does ([Next]), with these differences:
//
//   - Its row is written released, in the transaction that keeps what it answers, and its kind and that referral are UNIQUE: nothing that is
//     done twice makes two.
//   - Nothing paces it. It leaves at any hour, paused campaign or not, because somebody has just pressed Send and holds the phone; an
//     [AdmitService] that comes after its time lets it expire. A text that is late arrives when somebody else may hold the phone.
//   - Once it may have left, it is never sent again: it stays unknown until evidence comes. One that is lost harms nobody, since the page has
//     said the same; a second one breaks a promise. So nobody has to look for it in the provider's record, and its body needs no mark that
//     could be looked for and forged. A database that went back in time leaves unknown what it believes unsent, and what its journal gives
//     back is not answered again.
//   - The contact ledger, the funnel and the pacer's counters of texts do not see it; the sender's rate, the opt-outs and the money do.
//   - It has no link and no way out: it asks for nothing, and nothing follows from it. Opt-outs of any network and any kind keep it back.
//
// The words are for whoever picks up the phone: neither what was sent, nor to whom, nor why. The files of the folder service hold them, one
// for each language; a translator may change all that is in them.
type Service string

// Confirmation says that a self-referral has come in. It goes to the number that was invited, never to one that was typed into the form, and
// to those alone who said that a text is safe. "We have received this" and "You will hear from us" could come from any office.
const Confirmation Service = "confirmation"

// Services lists the kinds.
var Services = []Service{Confirmation}

// UsefulFor is how long after what it answers a text may still leave, and how long the provider may try to deliver it.
func (s Service) UsefulFor() time.Duration {
	switch s {
	case Confirmation:
		return 15 * time.Minute
	}
	return 0
}

// ServiceFields are what a service text may say. Nothing of the person is among them: whoever sees the phone may read it.
type ServiceFields struct {
	Network   string
	Reference string
	By        time.Time // the honest date of a first contact, in the civil zone; zero if none can be told
}

// ComposeService renders a service text in a language and counts its segments.
func ComposeService(s Service, c lang.Code, f ServiceFields) (body string, size text.Size, err error) {
	words, ok := serviceWords[lang.Of(c).Code]
	if !ok {
		return "", text.Size{}, fmt.Errorf("there are no service texts in %q", c)
	}
	sentence := words.Texts[string(s)]
	if f.By.IsZero() {
		sentence = words.Texts[string(s)+"_undated"]
	}
	if sentence == "" {
		return "", text.Size{}, fmt.Errorf("there is no %s in %q", s, c)
	}
	reference := f.Reference
	if c.Dir() == "rtl" {
		// Between two marks that are not seen; a phone would put the halves of some references the wrong way round.
		reference = "\u200e" + reference + "\u200e"
	}
	network := strings.Join(strings.Fields(text.Repair(f.Network)), " ")
	body = strings.NewReplacer("((network))", network, "((reference))", reference, "((date))", words.date(f.By)).Replace(sentence)
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
	Expires     time.Time
}

// AdmitService decides whether a service text may be sent now. It is asked inside the claim's transaction, with the number locked.
func AdmitService(now time.Time, f ServiceFacts) Verdict {
	switch {
	case f.Quarantined: // it may have left in a life of the database that is forgotten
		return Verdict{Doubt, "restored"}
	case f.Suppressed != "":
		return Verdict{Suppress, f.Suppressed}
	case !now.Before(f.Expires):
		return Verdict{Expire, "too_late"}
	}
	return Verdict{Event: Claim}
}
