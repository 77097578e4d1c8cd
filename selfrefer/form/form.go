package form

import (
	"context"
	"embed"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"
	_ "time/tzdata" // the civil zone must exist on a bare machine too

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/throttle/limit"
)

//go:embed *.html
var screens embed.FS

// LeaveTo is where "Leave this page" goes: a page that anybody might have open.
const LeaveTo = "https://www.bbc.co.uk/weather"

const (
	maxBody = 64 << 10 // bytes of a post: all answers at their longest, percent-encoded
	maxLate = 256      // notes that may be under way behind the responses
)

var london = func() *time.Location {
	loc, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic("form: the embedded time zones hold no Europe/London: " + err.Error())
	}
	return loc
}()

// Drafts keeps unfinished answers for the browser that knows the secret. tokenHash is nil for the general form.
type Drafts interface {
	SaveDraft(ctx context.Context, secret string, tokenHash []byte, a selfrefer.Answers) error
	Draft(ctx context.Context, secret string, tokenHash []byte) (a selfrefer.Answers, found bool, err error)
	DropDraft(ctx context.Context, secret string, tokenHash []byte) error
}

// Config of a Handler. Log and ClientIP may be left out.
type Config struct {
	Receiver *selfrefer.Receiver
	Links    selfrefer.Links
	Drafts   Drafts
	Sending  func(context.Context) ([]selfrefer.Sending, error) // asked once a minute at most
	Around   selfrefer.Surroundings
	UI       *ui.Renderer
	Now      func() time.Time // civil
	Machine  func() time.Time
	Log      *slog.Logger
	ClientIP func(*http.Request) string // who is slowed down when guessing links; nil or "": nobody
	Secure   bool                       // served by https: cookies say so
}

// Handler serves the pages of patients.
type Handler struct {
	Config
	questions []question

	guesses *limit.Limiter // looks at links that we do not know
	general *limit.Limiter // forms without a link of their own
	byLink  *limit.Limiter // forms by one link: one is sent, then perhaps some more after mistakes

	known   *recent[selfrefer.Invitation] // by token hash; spares most pages the look-up
	copies  *recent[copied]               // by form id: drafts for when the store cannot be asked
	sending sendCache

	slots chan struct{} // one per note under way
	late  sync.WaitGroup
}

// New parses the screens into the renderer.
func New(c Config) (*Handler, error) {
	if c.Receiver == nil || c.Links == nil || c.Drafts == nil || c.Sending == nil || c.Around == nil || c.UI == nil || c.Now == nil || c.Machine == nil {
		return nil, errors.New("form: Receiver, Links, Drafts, Sending, Around, UI, Now and Machine must be set")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := c.UI.Parse(screens, "*.html"); err != nil {
		return nil, err
	}
	h := &Handler{Config: c,
		// Generous: many patients share one address of a mobile network. 60 bits of token need no more than a bound, and whoever is over it
		// still gets to a link that exists.
		guesses: limit.NewLimiter(limit.Per(120, 10*time.Minute), 10_000),
		general: limit.NewLimiter(limit.Rule{Every: 12 * time.Second, Burst: 60}, 10_000),
		byLink:  limit.NewLimiter(limit.Per(20, 24*time.Hour), 50_000),
		known:   newRecent[selfrefer.Invitation](5_000, time.Minute),
		copies:  newRecent[copied](2_000, time.Hour),
		slots:   make(chan struct{}, maxLate)}
	h.questions = h.allQuestions()
	return h, nil
}

// Routes mounts the pages.
func (h *Handler) Routes(r chi.Router) {
	r = r.With(h.chooseLanguage)
	r.Get("/", h.home)
	r.Get("/r", h.askCode)
	r.Post("/r", h.readCode)
	r.Get("/help", h.help)
	r.Get("/leave", func(w http.ResponseWriter, r *http.Request) { h.leave(w, r, h.guest(r)) })
	for _, base := range []string{"/r/{token}", "/help/{network}"} {
		r.Get(base, h.at(fresh, h.start))
		r.Head(base, h.at(fresh, h.start))
		r.Post(base+"/start", h.at(cached, h.begin))
		r.Get(base+"/urgent", h.at(cached, h.urgent))
		r.Get(base+"/check", h.at(cached, h.check))
		r.Post(base+"/send", h.at(cached, h.send))
		r.Get(base+"/sent", h.at(cached, h.sent))
		r.Get(base+"/sent.ics", h.at(cached, h.diary))
		r.Get(base+"/leave", h.at(unasked, h.leave))
		for i := range h.questions {
			q := &h.questions[i]
			r.Get(base+"/"+q.path, h.at(cached, func(w http.ResponseWriter, r *http.Request, v *visit) { h.ask(w, r, v, q) }))
			r.Post(base+"/"+q.path, h.at(cached, func(w http.ResponseWriter, r *http.Request, v *visit) { h.answer(w, r, v, q) }))
		}
	}
	r.Get("/stop/{token}", h.atOr(fresh, h.askStop, h.unknownStop))
	r.Post("/stop/{token}", h.atOr(cached, h.stop, h.unknownStop))
}

// Close waits for what goes on behind the responses. Call it after the server has stopped and before the store closes.
func (h *Handler) Close() { h.late.Wait() }

// later does something that nobody should wait for. With too much under way it is left undone: it must be something that can be.
func (h *Handler) later(r *http.Request, what string, do func(context.Context) error) {
	select {
	case h.slots <- struct{}{}:
	default:
		return
	}
	ctx := context.WithoutCancel(r.Context())
	h.late.Go(func() {
		defer func() { <-h.slots }()
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := do(ctx); err != nil {
			h.Log.Warn("left undone", "what", what, "error", err)
		}
	})
}

// allow takes one from an address's allowance. Nobody is slowed down who cannot be told apart.
func (h *Handler) allow(l *limit.Limiter, r *http.Request) bool {
	if h.ClientIP == nil {
		return true
	}
	ok, _ := l.AllowAddress(h.Machine(), h.ClientIP(r))
	return ok
}
