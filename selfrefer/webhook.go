package selfrefer

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// HookEvent is something that another system can be told of. It holds nothing of any person: whoever wants more asks the API, with a token.
type HookEvent string

// The events.
const (
	HookReceived    HookEvent = "referral.received"
	HookContacted   HookEvent = "referral.contacted"
	HookClosed      HookEvent = "referral.closed"
	HookDeclined    HookEvent = "referral.declined"
	HookUnreachable HookEvent = "referral.unreachable"
	HookUndone      HookEvent = "referral.undone" // the event before it about the same referral does not count
	HookOptOut      HookEvent = "optout"
	HookCorrection  HookEvent = "correction"
	HookExport      HookEvent = "export.ready"
	HookTest        HookEvent = "webhook.test" // pressed by hand; nobody subscribes to it
)

// HookEvents lists those that can be chosen.
var HookEvents = []HookEvent{HookReceived, HookContacted, HookClosed, HookDeclined, HookUnreachable, HookUndone, HookOptOut, HookCorrection, HookExport}

// HookEventsOf are the events of one step of a referral; first says that it was the first contact.
func HookEventsOf(to State, e Event, first bool) (all []HookEvent) {
	if first {
		all = append(all, HookContacted)
	}
	switch {
	case e == Decline:
		all = append(all, HookDeclined)
	case e == GiveUp:
		all = append(all, HookUnreachable)
	case len(Events(to)) == 0: // onward, closed, duplicate
		all = append(all, HookClosed)
	}
	return all
}

// Webhook is a system that is told. Its address may hold a secret of its own: it is for administrators alone.
type Webhook struct {
	ID      int64
	Network staff.NetworkID
	URL     string
	Events  []HookEvent
	By      staff.AccountID
	Made    time.Time
	OffAt   time.Time // machine; zero while it is on
	WhyOff  string    // of WhyHookOff
	Failing time.Time // machine: since when nothing got through; zero if the last did
	Waiting int       // events that are still to be told
}

// Why a webhook is off.
const (
	OffByHand  = "by_hand"
	OffFailing = "failing" // for three days
	OffGone    = "gone"    // it answered 410
)

// WhyHookOff says it in sentences.
var WhyHookOff = map[string]string{
	OffByHand:  "It was switched off by hand.",
	OffFailing: "It was switched off because nothing got through for three days. Mend the other end and switch it on again; what was given up can be sent again below.",
	OffGone:    "It was switched off because the other end answered that it is gone for good (410).",
}

// Delivery is one event on its way to one webhook.
type Delivery struct {
	ID      int64
	Hook    int64
	Network staff.NetworkID
	Event   HookEvent
	At      time.Time // civil: when it happened
	About   int64     // a referral, a correction or a file
	// Reference, Practice and Code are of the referral, the opt-out or the file.
	Reference, Practice, Code string
	State                     DeliveryState
	Tries                     int
	Made, Next, Tried         time.Time // machine
	Outcome                   string

	URL    string // known to who sends it
	Secret []byte
}

// String hides where it goes and what it is signed with.
func (d Delivery) String() string { return fmt.Sprintf("delivery %d of %s", d.ID, d.Event) }

// GoString is String.
func (d Delivery) GoString() string { return d.String() }

// LogValue is String.
func (d Delivery) LogValue() slog.Value { return slog.StringValue(d.String()) }

// DeliveryState is how far it has come.
type DeliveryState string

// The states.
const (
	Due          DeliveryState = "due"
	Arrived      DeliveryState = "delivered"
	NotDelivered DeliveryState = "given_up"
)

// MessageID names an event to the other end: the same for every try, so that it can tell what it has had.
func (d Delivery) MessageID() string { return "evt_" + strconv.FormatInt(d.ID, 10) }

// Body is what is sent. site is where the API is reached.
func (d Delivery) Body(site string) ([]byte, error) {
	data := map[string]any{"network": int64(d.Network)}
	for key, value := range map[string]string{"reference": d.Reference, "practice": d.Practice, "code": d.Code} {
		if value != "" {
			data[key] = value
		}
	}
	switch {
	case strings.HasPrefix(string(d.Event), "referral."):
		data["referral"], data["url"] = d.About, fmt.Sprintf("%s/api/v1/referrals/%d", site, d.About)
	case d.Event == HookCorrection:
		data["correction"], data["url"] = d.About, site+"/api/v1/corrections"
	case d.Event == HookOptOut:
		data["url"] = site + "/api/v1/optouts"
	case d.Event == HookExport:
		data["file"], data["url"] = d.About, fmt.Sprintf("%s/api/v1/practices/%s/files/%d/csv", site, url.PathEscape(d.Practice), d.About)
	}
	b, err := json.Marshal(struct {
		Type      HookEvent      `json:"type"`
		Timestamp time.Time      `json:"timestamp"`
		Data      map[string]any `json:"data"`
	}{d.Event, d.At.UTC(), data})
	if err != nil {
		return nil, fmt.Errorf("write an event: %w", err)
	}
	return b, nil
}

// SecretPrefix begins a secret as it is shown, as in Standard Webhooks.
const SecretPrefix = "whsec_"

// NewHookSecret makes the key with which what is sent is signed.
func NewHookSecret() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return key
}

// ShowSecret writes a key as receivers enter it.
func ShowSecret(key []byte) string { return SecretPrefix + base64.StdEncoding.EncodeToString(key) }

// SignHook is the header webhook-signature of Standard Webhooks 1: HMAC-SHA-256 over id, time and body.
func SignHook(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.%s", id, at.Unix(), body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

const (
	// HookTriesFor is for how long an event is tried. A webhook to which nothing gets through for as long is switched off.
	HookTriesFor = 72 * time.Hour
	hookFirst    = 5 * time.Second
	hookLongest  = 8 * time.Hour
)

// HookAgain is when a failed delivery is tried next; false: never, its time is over. chance, 0 to 1, spreads those that failed together.
func HookAgain(d Delivery, now time.Time, chance float64) (time.Time, bool) {
	wait := min(float64(hookLongest), float64(hookFirst)*math.Pow(4, float64(max(d.Tries-1, 0))))
	next := now.Add(time.Duration(wait * (.8 + .4*chance)))
	return next, next.Before(d.Made.Add(HookTriesFor))
}

// ErrHookURL means that nothing can be sent to an address; the text says why.
var ErrHookURL = errors.New("the address cannot be used")

var (
	// ErrTooManyHooks means that a network has as many webhooks as it can have.
	ErrTooManyHooks = errors.New("your network has ten webhooks already: remove one first")
	// ErrHookOff means that nothing is sent to a webhook that is off.
	ErrHookOff = errors.New("this webhook is off: switch it on first")
)

// CheckHookURL refuses addresses that would send what we tell in the clear, or into somebody's own network. What a name leads to is looked at
// again each time it is dialled: it may change. loopback allows this computer, for demos and tests.
func CheckHookURL(raw string, loopback bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Hostname() == "" || len(raw) > 2000:
		return fmt.Errorf("%w: write it like https://example.org/hooks", ErrHookURL)
	case u.User != nil || u.Fragment != "":
		return fmt.Errorf("%w: it must hold no user name, password or fragment", ErrHookURL)
	}
	ip, err := netip.ParseAddr(u.Hostname())
	literal := err == nil
	here := literal && ip.Unmap().IsLoopback()
	switch {
	case here && loopback && (u.Scheme == "http" || u.Scheme == "https"):
		return nil
	case u.Scheme != "https":
		return fmt.Errorf("%w: it must begin with https://", ErrHookURL)
	case literal && !PublicAddress(ip), !literal && (!strings.Contains(u.Hostname(), ".") || strings.HasSuffix(strings.ToLower(u.Hostname()), ".localhost")):
		return fmt.Errorf("%w: it leads to a private network", ErrHookURL)
	}
	return nil
}

// notPublic are the special-purpose networks (RFC 6890 and later) that netip does not know by a method. The transition ones could carry any
// address inside.
var notPublic = func() (all []netip.Prefix) {
	for _, s := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10"} {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}()

// PublicAddress tells whether an address belongs to the public internet.
func PublicAddress(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsValid() || ip.Zone() != "" || !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return false
	}
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// Webhooks is the store's side of them as administrators see it. Each method asks [staff.May] and audits.
type Webhooks interface {
	Webhooks(ctx context.Context, who staff.Account) ([]Webhook, error)
	// AddWebhook keeps the key sealed; nobody can be shown it again.
	AddWebhook(ctx context.Context, who staff.Account, address string, events []HookEvent, key []byte) (Webhook, error)
	RemoveWebhook(ctx context.Context, who staff.Account, hook int64) error
	SwitchWebhook(ctx context.Context, who staff.Account, hook int64, on bool) error
	TestWebhook(ctx context.Context, who staff.Account, hook int64) error
	// Deliveries are the last ones, newest first.
	Deliveries(ctx context.Context, who staff.Account, hook int64) ([]Delivery, error)
	// DeliveriesAfter goes on behind the delivery that was told last.
	DeliveriesAfter(ctx context.Context, who staff.Account, hook, after int64, limit int) ([]Delivery, error)
	// Redeliver sends one again that was delivered or given up.
	Redeliver(ctx context.Context, who staff.Account, hook, delivery int64) error
}

// Outbox is the store's side of whoever sends. An event is told at least once, and in no certain order.
type Outbox interface {
	// DueDeliveries takes what is due, at most so many for each webhook, for as long as lease: nobody else sends it meanwhile.
	DueDeliveries(ctx context.Context, each int, lease time.Duration) ([]Delivery, error)
	Told(ctx context.Context, d Delivery, outcome string) error
	// NotTold notes a failure. again is when to try next; zero gives up. gone switches the webhook off.
	NotTold(ctx context.Context, d Delivery, outcome string, again time.Time, gone bool) error
	// PutBack lets go of what was taken and not tried.
	PutBack(ctx context.Context, d Delivery, again time.Time) error
}
