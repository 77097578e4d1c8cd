package twilio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/twilio/twilio-go/client"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
)

// Where the provider posts.
const (
	StatusPath  = "/webhooks/twilio/status"
	InboundPath = "/webhooks/twilio/inbound"
)

const maxWebhook = 64 << 10 // bytes

// Receipts takes what a callback proves. A nil error means that it is durable. campaign.ErrNotFound means that we never sent such a message.
type Receipts interface {
	Adopt(ctx context.Context, ev campaign.Evidence) error
}

// Inbox takes what somebody texted to us. A nil error means that it is durable. The same SID may come more than once.
type Inbox interface {
	Reply(ctx context.Context, r Reply) error
}

// Reply is a text from a phone. It hides the person when it is printed or logged.
type Reply struct {
	From person.Phone
	To   string // our number, which tells the network
	Body string
	SID  string
	// Media are the pictures and the like that came with it. They stay at the provider.
	Media int
	// Stop is set if the provider took it for an opt-out and texts this number no more, whatever words it used; Start, if for the end of one.
	Stop, Start bool
}

func (r Reply) String() string { return "reply " + r.SID }

// Format hides number and body from every verb of fmt.
func (r Reply) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// LogValue hides number and body from logs.
func (r Reply) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText hides number and body from encoders.
func (r Reply) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// WebhookConfig says whose webhooks are believed.
type WebhookConfig struct {
	// PublicURL is the address that the provider was given. The signature covers it; what the request says of its host counts for nothing.
	PublicURL     string
	AuthToken     string
	PreviousToken string // the token before, while it is being changed; "" if there is none
	Receipts      Receipts
	Inbox         Inbox
	Now           func() time.Time // civil: when a receipt came in
	Log           *slog.Logger
}

// Webhooks serves StatusPath and InboundPath. It answers only after what it was told is durable: 503 makes the provider tell it again.
func Webhooks(cfg WebhookConfig) (http.Handler, error) {
	switch {
	case cfg.AuthToken == "": // with an empty key anybody could sign
		return nil, errors.New("TWILIO_AUTH_TOKEN is missing: without it nobody can tell Twilio's webhooks from forged ones")
	case cfg.PublicURL == "":
		return nil, errors.New("the public URL is missing: Twilio's signatures cover it")
	case cfg.Receipts == nil || cfg.Inbox == nil || cfg.Now == nil || cfg.Log == nil:
		return nil, errors.New("twilio.WebhookConfig is not complete")
	}
	w := &webhooks{WebhookConfig: cfg}
	w.PublicURL = strings.TrimSuffix(cfg.PublicURL, "/")
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+StatusPath, w.signed(StatusPath, w.status))
	mux.HandleFunc("POST "+InboundPath, w.signed(InboundPath, w.inbound))
	return mux, nil
}

type webhooks struct{ WebhookConfig }

// signed hands on what the provider signed, and nothing else.
func (h *webhooks) signed(path string, next func(http.ResponseWriter, *http.Request, url.Values)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhook))
		if err != nil {
			http.Error(w, "too long, or broken off", http.StatusBadRequest)
			return
		}
		full := h.PublicURL + path
		if r.URL.RawQuery != "" {
			full += "?" + r.URL.RawQuery // to the byte, as it was signed
		}
		form, err := url.ParseQuery(string(body))
		if err != nil || !h.verify(full, form, r.Header.Get("X-Twilio-Signature")) {
			h.Log.Warn("webhook with a wrong signature; if it was Twilio's, check the auth token and the public URL", "path", path)
			http.Error(w, "wrong signature", http.StatusForbidden)
			return
		}
		next(w, r, form)
	}
}

// verify tries both tokens, always, so that its time tells nothing.
func (h *webhooks) verify(full string, form url.Values, signature string) bool {
	params := make(map[string]string, len(form))
	for k, v := range form {
		params[k] = v[0]
	}
	current := client.NewRequestValidator(h.AuthToken)
	ok := current.Validate(full, params, signature)
	if h.PreviousToken != "" {
		previous := client.NewRequestValidator(h.PreviousToken)
		ok = previous.Validate(full, params, signature) || ok
	}
	return ok
}

func (h *webhooks) status(w http.ResponseWriter, r *http.Request, form url.Values) {
	q := r.URL.Query()
	message, err1 := strconv.ParseInt(q.Get("m"), 10, 64)
	attempt, err2 := strconv.Atoi(q.Get("a"))
	sid := form.Get("MessageSid")
	if err1 != nil || err2 != nil || message <= 0 || attempt < 0 || sid == "" {
		// Signed, but not for one of our texts: somebody else's use of the same account.
		h.Log.Warn("callback that names no message of ours", "sid", sid)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	ev := campaign.Evidence{
		Message: campaign.MessageID(message),
		Attempt: attempt,
		Event:   campaign.StatusEvent(form.Get("MessageStatus")),
		Kind:    "callback",
		SID:     sid,
		Code:    errorCode(form.Get("ErrorCode")),
		At:      h.Now(),
	}
	err := h.Receipts.Adopt(r.Context(), ev)
	switch {
	case errors.Is(err, campaign.ErrNotFound):
		h.Log.Warn("callback for a message that is not in the database", "message", message, "sid", sid)
	case err != nil:
		h.Log.Error("callback could not be stored; Twilio will repeat it", "message", message, "sid", sid, "error", err)
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// errorCode keeps the provider's number and nothing else, for it ends up on pages.
func errorCode(s string) string {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil && n > 0 {
		return strconv.FormatUint(n, 10)
	}
	return ""
}

func (h *webhooks) inbound(w http.ResponseWriter, r *http.Request, form url.Values) {
	sid := form.Get("MessageSid")
	from, err := person.ParseE164(form.Get("From"))
	if err != nil {
		// A short code or a name: nobody whom we could have texted.
		h.Log.Info("text from something that is not a phone", "sid", sid)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	media, err := strconv.Atoi(form.Get("NumMedia"))
	if err != nil || media < 0 {
		media = 0
	}
	kind := form.Get("OptOutType")
	err = h.Inbox.Reply(r.Context(), Reply{From: from, To: form.Get("To"), Body: form.Get("Body"), SID: sid, Media: media, Stop: kind == "STOP", Start: kind == "START"})
	if err != nil {
		h.Log.Error("reply could not be stored; it is in the Twilio console", "sid", sid, "error", err)
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	// An empty document: we text nobody back from here.
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Response/>`)
}
