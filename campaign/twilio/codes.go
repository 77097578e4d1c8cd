package twilio

import (
	"net/http"
	"strconv"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
)

// Codes of our own, for what never reached the provider.
const (
	CodeSynthetic    = "synthetic"     // made-up people, and a gateway that is not on this computer
	CodeStale        = "stale"         // more than campaign.FirstByte after the claim
	CodeStopping     = "stopping"      // the process was asked to stop
	CodeNotConnected = "not_connected" // no connection, or no encryption
)

const (
	tooMany      = 20429
	optedOut     = 21610
	accountPause = 10 * time.Minute // before a text that the account could not send is tried again
)

// Kind says whom a failure concerns.
type Kind string

// The kinds of failure.
const (
	WrongNumber Kind = "wrong_number" // the number is not theirs, or not a mobile
	AnotherWay  Kind = "another_way"  // this phone cannot be reached by text now
	NoTexts     Kind = "no_texts"     // the number asked for no more texts
	OurProblem  Kind = "our_problem"  // the account, the sender or the text has to be mended
	NotKnown    Kind = "not_known"
)

// Explanation is a code in words for people, with what to do about it.
type Explanation struct {
	Kind  Kind
	Words string
}

// Explain puts a code of an outcome or of a callback into words. Twilio says that its codes may change: one that is not known is no error.
func Explain(code string) Explanation {
	if e, ok := ours[code]; ok {
		return e
	}
	if n, err := strconv.Atoi(code); err == nil {
		if e, ok := theirs[n]; ok {
			return e.Explanation
		}
	}
	return Explanation{NotKnown, "The text failed; the reason is not known."}
}

var ours = map[string]Explanation{
	CodeSynthetic:    {OurProblem, "This list is made up for trying things out; it is not sent to real phones."},
	CodeStale:        {OurProblem, "This computer was too busy to send in time. The text will be sent later."},
	CodeStopping:     {OurProblem, "The service was being stopped. The text will be sent later."},
	CodeNotConnected: {OurProblem, "Twilio could not be reached. The text will be sent later; check the connection to the internet if this goes on."},
}

// consequence of a code that the provider gives in a refusal or in a callback.
type consequence struct {
	Explanation
	// account is set for refusals that concern the account or the sender. The text is kept, and the campaign waits for somebody to mend it:
	// otherwise one wrong setting would turn a whole list into refusals for good.
	account bool
}

func number(words string) consequence { return consequence{Explanation{WrongNumber, words}, false} }
func way(words string) consequence    { return consequence{Explanation{AnotherWay, words}, false} }
func text(words string) consequence   { return consequence{Explanation{OurProblem, words}, false} }
func account(words string) consequence {
	return consequence{Explanation{OurProblem, words}, true}
}

var theirs = map[int]consequence{
	// Refusals.
	20003:    account("Twilio does not accept the account SID and auth token. Check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN."),
	20005:    account("The Twilio account is not active. Look at it in the Twilio console."),
	20008:    account("These are Twilio's test credentials, which send nothing. Use the live ones."),
	20404:    account("Twilio does not know this account. Check TWILIO_ACCOUNT_SID."),
	tooMany:  text("Twilio asked us to slow down. The text will be sent later."),
	21211:    number("Twilio says that this is not a phone number."),
	21212:    account("Twilio does not take this sender. Check the network's sender."),
	21214:    number("Twilio says that this number cannot be reached."),
	21217:    number("Twilio says that this is not a phone number."),
	21408:    account("Texts to this country are switched off in the Twilio account. Allow the United Kingdom under geographic permissions."),
	21602:    text("The text was empty."),
	21603:    account("No sender is set. Set TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID."),
	21604:    number("There was no number."),
	21606:    account("The sender does not belong to this Twilio account. Check the network's sender."),
	21608:    account("This is a trial account, which texts only numbers that were verified. Upgrade it in the Twilio console."),
	optedOut: {Explanation{NoTexts, "This number asked for no more texts."}, false},
	21609:    account("Twilio does not take the address for callbacks. Check the public URL."),
	21611:    account("The sender has more texts waiting at Twilio than it can send. Lower the rate, then go on."),
	21612:    account("Twilio cannot text this number from this sender. Check the network's sender."),
	21614:    number("This is not a mobile number."),
	21617:    text("The text is longer than Twilio takes: 1,600 characters."),
	21635:    number("This is a landline."),
	21656:    text("Twilio did not take the text's fields."),
	21659:    account("The sender is not one of this Twilio account for this country. Check the network's sender."),
	21660:    account("The sender belongs to another Twilio account. Check the network's sender."),
	21701:    account("The Messaging Service does not exist. Check TWILIO_MESSAGING_SERVICE_SID."),
	21703:    account("The Messaging Service has no sender. Add one in the Twilio console."),
	21705:    account("The Messaging Service is not valid. Check TWILIO_MESSAGING_SERVICE_SID."),
	30029:    account("Message retention is not enabled for this Twilio account."),
	63038:    account("The Twilio account has reached its limit for a day. Go on tomorrow, or ask Twilio to raise it."),

	// Failures of texts that had been taken.
	30001: text("The text waited too long at Twilio."),
	30002: text("The Twilio account is suspended. Look at it in the Twilio console."),
	30003: way("The phone could not be reached: switched off, out of reach, or abroad."),
	30004: way("This phone blocks such texts."),
	30005: number("The network does not know this number."),
	30006: number("This is a landline, or a network that takes no texts."),
	30007: text("A network took the text for spam. Check its wording, its link and the sender with Twilio."),
	30008: {Explanation{NotKnown, "The network gave no reason."}, false},
	30036: way("The phone could not be reached before the sending window ended."),
	30410: {Explanation{NotKnown, "The network did not answer; the text may have arrived."}, false},
}

// refused says what follows from a refusal in so many words: a 4xx with a code.
func refused(status, code int, h http.Header) campaign.Outcome {
	o := campaign.Outcome{Event: campaign.Reject, Code: strconv.Itoa(code)}
	c, known := theirs[code]
	switch {
	case code == tooMany, status == http.StatusTooManyRequests && !c.account: // 63038 comes as a 429, too
		o.Event, o.After = campaign.Postpone, retryAfter(h)
	case code == optedOut:
		o.OptedOut = true
	case c.account, !known && status != http.StatusBadRequest:
		// 401, 402, 403 and 404 speak of the account or the address, never of the text, whatever their code.
		o.Event, o.After, o.Campaign = campaign.Postpone, accountPause, true
	}
	return o
}
