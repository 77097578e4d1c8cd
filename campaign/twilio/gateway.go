package twilio

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"github.com/wellpaced/wellpaced/campaign"
)

// Defaults of Config.
const (
	DefaultBaseURL     = "https://api.twilio.com"
	DefaultTimeout     = 10 * time.Second
	DefaultConcurrency = 20 // Twilio's own advice for 10 segments a second is about half of it
)

const (
	maxReply = 64 << 10 // bytes: a reply to one text is under 2 KiB
	// The bounds of Twilio's ValidityPeriod, in seconds.
	minValidity, maxValidity = 1, 36000
)

// Config says which account sends, and how.
type Config struct {
	BaseURL             string // scheme and host of the API, and the path before it if it has one; "" means Twilio's own
	AccountSID          string
	AuthToken           string
	From                string // sender name or number
	MessagingServiceSID string // used instead of From if both are set
	// PublicURL is where the provider reaches us: status callbacks go to its /webhooks/twilio/status.
	PublicURL string
	// Machine tells machine time, the clock of Outgoing.ClaimedAt.
	Machine func() time.Time
	// Timeout is for one exchange, 0 means DefaultTimeout. A send is over FirstByte + Timeout after its claim at the latest, which must
	// stay below campaign.SendDeadline.
	Timeout     time.Duration
	Concurrency int // sends at once, 0 means DefaultConcurrency: so many connections are kept open
	// SignedBy is who has signed that real patients may be texted. Without, nothing but this computer is reached.
	SignedBy string

	roots *x509.CertPool // of a test's server
}

// String hides the token.
func (c Config) String() string { return "twilio account " + c.AccountSID + " at " + c.BaseURL }

// GoString hides the token.
func (c Config) GoString() string { return c.String() }

// Gateway sends texts and reads the provider's record of them. It is safe for concurrent use.
type Gateway struct {
	cfg       Config
	base      *url.URL
	loopback  bool
	transport *http.Transport
	callback  string // URL of status callbacks, without the query
}

var (
	_ campaign.Sender  = (*Gateway)(nil)
	_ campaign.Lister  = (*Gateway)(nil)
	_ campaign.Fetcher = (*Gateway)(nil)
)

// alphanumeric is what twilio-go insists on; with anything else it refuses each call.
var alphanumeric = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// New checks the configuration. Its errors are for the person who runs the service.
func New(cfg Config) (*Gateway, error) {
	if cfg.BaseURL == "" {
		cfg.BaseURL = DefaultBaseURL
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = DefaultConcurrency
	}
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" || base.User != nil || base.RawPath != "" || base.RawQuery != "" || base.Fragment != "" ||
		(base.Scheme != "http" && base.Scheme != "https") {
		return nil, errors.New("TWILIO_API_URL must be a scheme and a host, like " + DefaultBaseURL)
	}
	base.Path = strings.TrimRight(base.Path, "/")
	public, err := url.Parse(cfg.PublicURL)
	if err != nil || public.Host == "" || public.RawQuery != "" || public.Fragment != "" ||
		(public.Scheme != "http" && public.Scheme != "https") {
		return nil, errors.New("the public URL must be where patients and Twilio reach this service, like https://texts.example.nhs.uk")
	}
	loopback := isLoopback(base.Hostname())
	switch {
	case !loopback && strings.TrimSpace(cfg.SignedBy) == "":
		return nil, fmt.Errorf("%s is not on this computer, so texts would reach real people: set WELLPACED_LIVE_SIGNED_BY to who has signed that they may "+
			"(in England the clinical safety officer, by DCB0160), or TWILIO_API_URL to an emulator on this computer, like http://127.0.0.1:4010", base.Host)
	case !loopback && base.Scheme != "https":
		return nil, errors.New("texts hold personal data: TWILIO_API_URL must start with https:// unless it is on this computer")
	case !loopback && public.Scheme != "https":
		return nil, errors.New("callbacks hold phone numbers: the public URL must start with https:// when texts go to Twilio")
	case !alphanumeric.MatchString(cfg.AccountSID):
		return nil, errors.New("TWILIO_ACCOUNT_SID is missing or not an account SID: copy it from the Twilio console, it starts with AC")
	case !alphanumeric.MatchString(cfg.AuthToken):
		return nil, errors.New("TWILIO_AUTH_TOKEN is missing or not an auth token: copy it from the Twilio console, it has letters and digits only")
	case cfg.From == "" && cfg.MessagingServiceSID == "":
		return nil, errors.New("set TWILIO_FROM to the sender's name or number, or set TWILIO_MESSAGING_SERVICE_SID")
	case cfg.Timeout < 0 || campaign.FirstByte+cfg.Timeout >= campaign.SendDeadline:
		return nil, fmt.Errorf("the time-out of a send must be under %s", campaign.SendDeadline-campaign.FirstByte)
	case cfg.Machine == nil:
		return nil, errors.New("twilio.Config.Machine is not set")
	}
	return &Gateway{
		cfg:       cfg,
		base:      base,
		loopback:  loopback,
		transport: newTransport(cfg.Concurrency, loopback, cfg.roots),
		callback:  strings.TrimSuffix(cfg.PublicURL, "/") + StatusPath,
	}, nil
}

// isLoopback reports whether a host of a URL is this computer.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Live tells whether texts can leave this computer.
func (g *Gateway) Live() bool { return !g.loopback }

// Close lets go of idle connections.
func (g *Gateway) Close() { g.transport.CloseIdleConnections() }

// Send writes at most one request and says what became of it. Once the first byte is out it is seen through to the reply or the
// time-out even if ctx ends: giving up early would only make an unknown out of a known.
func (g *Gateway) Send(ctx context.Context, out campaign.Outgoing) campaign.Outcome {
	if out.Synthetic && !g.loopback {
		return campaign.Outcome{Event: campaign.Reject, Code: CodeSynthetic}
	}
	c := g.newCall(context.WithoutCancel(ctx), maxReply)
	c.gate = func() error {
		if ctx.Err() != nil {
			return errStopping
		}
		// A claim from the future means that the clock was put back: nobody knows how old it is.
		if age := g.cfg.Machine().Sub(out.ClaimedAt); age > campaign.FirstByte || age < -campaign.FirstByte/5 {
			return errStale
		}
		return nil
	}
	if err := c.gate(); err != nil { // spares the dialling
		return classify(reply{refused: err})
	}

	p := &api.CreateMessageParams{}
	p.SetTo(out.To.Reveal()).SetBody(out.Body).SetValidityPeriod(validity(out.ValidFor)).
		// The fragment is for Twilio's own retries (5 of them, for every kind of failure); it is neither sent back nor signed.
		SetStatusCallback(fmt.Sprintf("%s?m=%d&a=%d#rc=5&rp=all", g.callback, out.Message, out.Attempt))
	switch {
	case isService(out.From):
		p.SetMessagingServiceSid(out.From)
	case out.From != "":
		p.SetFrom(out.From)
	case g.cfg.MessagingServiceSID != "":
		p.SetMessagingServiceSid(g.cfg.MessagingServiceSID)
	default:
		p.SetFrom(g.cfg.From)
	}
	_, err := g.api(c).CreateMessage(p)

	r := reply{wrote: c.wrote.Load(), status: c.status, header: c.header, err: err}
	if c.err != nil {
		r.err, r.broken = c.err, true
	}
	if refused := c.refused.Load(); refused != nil {
		r.refused = *refused
	}
	if c.status/100 == 2 {
		// twilio-go takes a reply for undecodable if any of its fields is of a type that it does not expect. All that counts is a whole
		// document with the provider's id.
		var made struct {
			SID string `json:"sid"`
		}
		if r.err = c.err; r.err == nil {
			r.err = json.Unmarshal(c.body, &made)
		}
		r.sid = made.SID
	}
	return classify(r)
}

func isService(from string) bool {
	return len(from) == 34 && strings.HasPrefix(from, "MG") && alphanumeric.MatchString(from)
}

func validity(d time.Duration) int {
	if d <= 0 {
		return maxValidity
	}
	return min(max(int(d/time.Second), minValidity), maxValidity)
}

func (g *Gateway) newCall(ctx context.Context, maxBody int64) *call {
	return &call{ctx: ctx, base: g.base, transport: g.transport, timeout: g.cfg.Timeout, maxBody: maxBody}
}

// api makes a client of twilio-go for one call. It costs a few allocations, and nothing is shared but the connections.
func (g *Gateway) api(c *call) *api.ApiService {
	cl := &client.Client{
		Credentials: client.NewCredentials(g.cfg.AccountSID, g.cfg.AuthToken),
		HTTPClient: &http.Client{
			Transport: c,
			// Following a 307 would post the text again.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	cl.SetAccountSid(g.cfg.AccountSID)
	return api.NewApiServiceWithClient(cl)
}

// reply is what is known after one create request.
type reply struct {
	refused error // our own gate kept the first byte back
	wrote   bool
	broken  bool  // no reply, or not the whole of it
	err     error // of the exchange, or of twilio-go reading a whole reply
	status  int
	header  http.Header
	sid     string
}

var sidForm = regexp.MustCompile(`^(SM|MM)[0-9a-fA-F]{32}$`)

// classify decides what a reply proves. Everything that proves nothing is LoseSight.
func classify(r reply) campaign.Outcome {
	var refusal *client.TwilioRestError
	coded := !r.broken && r.status >= 400 && r.status < 500 && errors.As(r.err, &refusal) && refusal.Code > 0
	switch {
	case !r.wrote && r.status == 0:
		return campaign.Outcome{Event: campaign.Postpone, Code: neverLeft(r.refused), After: time.Second}
	case coded:
		return refused(r.status, refusal.Code, r.header)
	case r.status == http.StatusTooManyRequests:
		return refused(r.status, tooMany, r.header) // the status says it all, whatever came with it
	case r.broken:
		return lost(brokenCode(r))
	case r.status/100 == 2 && r.err != nil:
		return lost("undecodable")
	case r.status/100 == 2 && sidForm.MatchString(r.sid):
		// Twilio says 201; but with the provider's id in it, 200 proves as much: nobody else can make one up.
		return campaign.Outcome{Event: campaign.Accept, SID: r.sid}
	case r.status/100 == 2:
		return lost("no_sid")
	}
	return lost("http_" + strconv.Itoa(r.status))
}

func lost(code string) campaign.Outcome {
	return campaign.Outcome{Event: campaign.LoseSight, Code: code}
}

func neverLeft(refused error) string {
	switch {
	case errors.Is(refused, errStale):
		return CodeStale
	case errors.Is(refused, errStopping):
		return CodeStopping
	}
	return CodeNotConnected
}

func brokenCode(r reply) string {
	switch {
	case errors.Is(r.err, context.DeadlineExceeded):
		return "timeout"
	case r.status != 0:
		return "truncated"
	}
	return "no_reply"
}

// retryAfter reads the header of that name, in seconds, and keeps it within reason.
func retryAfter(h http.Header) time.Duration {
	const usual, most = 5 * time.Second, 10 * time.Minute
	s, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || s <= 0 {
		return usual
	}
	return min(time.Duration(min(s, 86400))*time.Second, most)
}
