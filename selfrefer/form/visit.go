package form

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// visit is one request to a form: by which way somebody came, and what this browser knows.
type visit struct {
	base string // /r/TOKEN or /help/NETWORK
	hash []byte // of the token; nil on the general form
	in   selfrefer.Invitation
	// blind means that the store could not be asked. The link is then believed.
	blind  bool
	secret string   // of this browser; "" before Start
	done   *receipt // the form that this browser has sent from here

	words *lang.Words
	own   selfrefer.Words // what the network has changed of them
	here  url.Values      // what this page's address asks for, to read it in another language; nil if it cannot be got
}

// lookup says how well a page needs to know what its link leads to.
type lookup int

const (
	unasked lookup = iota
	cached         // up to a minute old: enough for names
	fresh
)

// at finds out who is there. Links that we do not know end here, unless their browser has started a form: nobody loses answers because
// a row went.
func (h *Handler) at(how lookup, page screen) http.HandlerFunc {
	return h.atOr(how, page, func(w http.ResponseWriter, r *http.Request, v *visit) { h.lost(w, r, v, http.StatusNotFound) })
}

// screen answers a request of a visit.
type screen func(http.ResponseWriter, *http.Request, *visit)

// atOr is at with a page of its own for links that we do not know.
func (h *Handler) atOr(how lookup, page, unknown screen) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := h.guest(r)
		v.secret = h.readCookie(r, formCookie)
		if len(v.secret) != secretLength {
			v.secret = ""
		}
		if id := chi.URLParam(r, "network"); id != "" {
			if !h.atHelp(r, v, id) {
				http.Redirect(w, r, "/help", http.StatusSeeOther)
				return
			}
		} else {
			t, err := link.Parse(chi.URLParam(r, "token"))
			if err != nil {
				unknown(w, r, v)
				return
			}
			v.base, v.hash = link.URL("", t), t.Hash()
			h.meet(r, v, how)
			h.speak(r, v)
		}
		v.done = h.readReceipt(r, v)
		if v.hash != nil && how != unasked && !v.in.Found && !v.blind {
			if !h.allow(h.guesses, r) {
				h.tooMany(w, r, v)
				return
			}
			if v.secret == "" {
				h.furnish(r.Context(), v)
				unknown(w, r, v)
				return
			}
		}
		h.furnish(r.Context(), v)
		page(w, r, v)
	}
}

// meet looks the link up.
func (h *Handler) meet(r *http.Request, v *visit, how lookup) {
	if how == unasked {
		return
	}
	key, now := string(v.hash), h.Machine()
	if how == cached {
		if in, ok := h.known.get(now, key); ok {
			v.in = in
			return
		}
	}
	in, err := h.Links.Invitation(r.Context(), v.hash)
	switch {
	case err != nil:
		h.Log.Warn("cannot look a link up", "error", err)
		v.blind = true
		if in, ok := h.known.get(now, key); ok {
			v.in = in
		} else {
			h.guessNetwork(r, v)
		}
	case in.Found:
		v.in = in
		h.known.put(now, key, in)
	}
}

// atHelp finds the network of the general form. 0 stands for "we cannot tell": the form is taken all the same.
func (h *Handler) atHelp(r *http.Request, v *visit, id string) bool {
	v.base = "/help/" + id
	all, err := h.sendings(r.Context())
	for _, s := range all {
		if strconv.FormatInt(int64(s.Network.ID), 10) == id {
			v.in.Network = s.Network
			return true
		}
	}
	v.blind = err != nil
	return id == "0"
}

// phone is whom to ring where the form fails somebody: their practice, or the network if we cannot tell which.
func (v *visit) phone() string {
	if v.in.Practice.Phone != "" {
		return v.in.Practice.Phone
	}
	return v.in.Network.Phone
}

// general tells the form without a link of ours.
func (v *visit) general() bool { return v.hash == nil }

// formID is the same for every attempt of this browser to send this form: a double tap gives one referral.
func (v *visit) formID() string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "wellpaced form %d:%s", len(v.secret), v.secret)
	_, _ = h.Write(v.hash)
	return "form-" + strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil)[:20]))
}

var formIDShape = regexp.MustCompile(`^form-[a-z2-7]{32}$`)

const secretLength = 26 // of rand.Text, 130 bits

func newSecret() string { return rand.Text() }

// Cookies. Some days: who lays the form aside to ask a daughter finds it again. A phone that is handed on forgets after that, and one
// whose owner presses "Leave this page" at once.
const (
	formCookie = "form"
	sentCookie = "sent"
	cookieLife = 3 * 24 * time.Hour
)

func (h *Handler) cookieName(name string) string {
	if h.Secure {
		return "__Host-" + name
	}
	return name
}

func (h *Handler) readCookie(r *http.Request, name string) string {
	c, err := r.Cookie(h.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie sets one; an empty value removes it.
func (h *Handler) setCookie(w http.ResponseWriter, name, value string) {
	age := int(cookieLife / time.Second)
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{Name: h.cookieName(name), Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: h.Secure, SameSite: http.SameSiteLaxMode})
}

// receipt is what the browser remembers of a form that it has sent: nothing of what was in it.
type receipt struct {
	reference string
	by        time.Time
	urgent    bool
	reach     string // see reach
}

// where tells apart the forms that a browser has sent, without holding the token.
func (v *visit) where() string {
	if v.general() {
		return "help"
	}
	return fmt.Sprintf("%x", v.hash[:6])
}

func (h *Handler) keepReceipt(w http.ResponseWriter, v *visit, rc receipt) {
	by := int64(0)
	if !rc.by.IsZero() {
		by = rc.by.Unix()
	}
	h.setCookie(w, sentCookie, fmt.Sprintf("%s.%s.%d.%t.%s", v.where(), rc.reference, by, rc.urgent, rc.reach))
}

func (h *Handler) readReceipt(r *http.Request, v *visit) *receipt {
	part := strings.Split(h.readCookie(r, sentCookie), ".")
	if len(part) != 5 || part[0] != v.where() || part[1] == "" || len(part[1]) > 40 {
		return nil
	}
	rc := &receipt{reference: part[1], urgent: part[3] == "true", reach: part[4]}
	if by, err := strconv.ParseInt(part[2], 10, 64); err == nil && by > 0 {
		rc.by = time.Unix(by, 0)
	}
	return rc
}
