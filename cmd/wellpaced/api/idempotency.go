package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// Calls keeps what calls with a key were answered.
type Calls interface {
	// BeginCall gives the answer that was given before, or takes the key; [staff.ErrCallRuns] while another request has it.
	BeginCall(ctx context.Context, who staff.Account, c *staff.Call) (before *staff.Answer, err error)
	CallRuns(ctx context.Context, who staff.Account, c staff.Call) error
	EndCall(ctx context.Context, who staff.Account, c staff.Call, a staff.Answer) error
	DropCall(ctx context.Context, who staff.Account, c staff.Call) error
}

const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotency-Replayed"
	maxKey         = 255
	maxBody        = 1 << 30 // no call takes more
)

// Idempotency makes calls that change something safe to send again (draft-ietf-httpapi-idempotency-key-header).
//
// Only what was done is kept, an answer of 2xx: after a refusal nothing has changed, and the key is free. A body is never held: it is hashed
// while the call reads it.
type Idempotency struct {
	Calls Calls
	// Needs is what a route needs: whoever may no longer do a thing is not told again how it went.
	Needs func(method, pattern string) (staff.Action, bool)
	Log   *slog.Logger
}

// changes tells whether a call of this method may change something, and so takes a key.
func changes(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodDelete
}

// Around goes around the routes of the API, inside of whoever signs people in. Routing is over by then: the pattern is known.
func (i *Idempotency) Around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := staff.From(r.Context())
		sent := r.Header.Values(keyHeader)
		if len(sent) == 0 || !changes(r.Method) || !strings.HasPrefix(r.URL.Path, "/api/") || who.ID == 0 {
			next.ServeHTTP(w, r)
			return
		}
		pattern := chi.RouteContext(r.Context()).RoutePattern()
		do, known := i.Needs(r.Method, strings.Replace(pattern, "{move}", chi.URLParam(r, "move"), 1))
		if !known || staff.May(who, do, who.Network) != nil || readsOnly(r.Method, pattern) {
			next.ServeHTTP(w, r) // which refuses, or changes nothing
			return
		}
		key, ok := keyOf(sent)
		if !ok {
			ui.Problem(w, http.StatusBadRequest, "key_invalid", "Idempotency-Key must be sent once, and hold 1 to 255 visible ASCII characters, with quotes around them or without.")
			return
		}
		call := staff.Call{Key: key}
		if strings.HasPrefix(pattern, "/api/v1/referrals/{id}") {
			call.Referral, _ = strconv.ParseInt(chi.URLParam(r, "id"), 10, 64) // no number, no referral: the call is refused
		}
		before, err := i.Calls.BeginCall(r.Context(), who, &call)
		switch {
		case errors.Is(err, staff.ErrCallRuns):
			w.Header().Set("Retry-After", "1")
			ui.Problem(w, http.StatusConflict, "key_runs", "The call with this Idempotency-Key is still running. Send it again in a moment.")
		case errors.Is(err, selfrefer.ErrNotFound):
			ui.Problem(w, http.StatusNotFound, "not_found", "There is no such referral in your network.")
		case errors.Is(err, selfrefer.ErrRestricted), errors.Is(err, staff.ErrDenied):
			ui.Problem(w, http.StatusForbidden, "restricted", "This was done, and the referral has been closed to you since.")
		case err != nil:
			i.Log.ErrorContext(r.Context(), "take the key of a call", "route", pattern, "err", err)
			ui.Problem(w, http.StatusServiceUnavailable, "key_not_kept", "The key of this call could not be kept, so nothing was done. Send it again in a moment.")
		case before != nil:
			again(w, r, *before)
		default:
			i.first(w, r, next, who, call, pattern)
		}
	})
}

// readsOnly are calls that change nothing though their method may: what they find is not kept.
func readsOnly(method, pattern string) bool {
	return method == http.MethodPost && pattern == "/api/v1/referrals/search"
}

// keyOf reads the header: a string of structured fields, in quotes, or the bare characters, which most clients send.
func keyOf(sent []string) (key string, ok bool) {
	key = strings.TrimSpace(sent[0])
	if bare, quoted := strings.CutPrefix(key, `"`); quoted {
		if key, quoted = strings.CutSuffix(bare, `"`); !quoted {
			return "", false
		}
	}
	odd := strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' })
	return key, len(sent) == 1 && key != "" && len(key) <= maxKey && !odd
}

// again gives the stored answer, if the same was asked. It has to read the body for that.
func again(w http.ResponseWriter, r *http.Request, a staff.Answer) {
	sum := asked(r)
	if _, err := io.Copy(sum, http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
		ui.Problem(w, http.StatusBadRequest, "body_cut_off", "The body did not arrive whole. Send it again.")
		return
	}
	if !bytes.Equal(sum.Sum(), a.Request) {
		ui.Problem(w, http.StatusUnprocessableEntity, "key_reused", "This Idempotency-Key was sent with another call. Make a new key for each thing that is to be done.")
		return
	}
	h := w.Header()
	for name, value := range map[string]string{"Content-Type": a.Type, "Location": a.Location} {
		if value != "" {
			h.Set(name, value)
		}
	}
	h.Set("Cache-Control", "no-store")
	h.Set(replayedHeader, "true")
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// first does what is asked, and keeps the answer before it is given.
func (i *Idempotency) first(w http.ResponseWriter, r *http.Request, next http.Handler, who staff.Account, call staff.Call, pattern string) {
	ctx := context.WithoutCancel(r.Context()) // who has hung up may come again
	fail := func(what string, err error) {
		if err != nil {
			i.Log.ErrorContext(ctx, what, "route", pattern, "err", err)
		}
	}
	done := make(chan struct{})
	go func() {
		every := time.NewTicker(staff.CallLost / 4)
		defer every.Stop()
		for {
			select {
			case <-done:
				return
			case <-every.C:
				fail("hold the key of a call", i.Calls.CallRuns(ctx, who, call))
			}
		}
	}()
	kept := false
	defer func() { // also when the call panics
		close(done)
		if !kept {
			fail("drop the key of a call", i.Calls.DropCall(ctx, who, call))
		}
	}()
	sum := asked(r)
	body := io.TeeReader(r.Body, sum)
	r.Body = readCloser{body, r.Body}
	answer := &recorder{ResponseWriter: w, status: http.StatusOK}
	next.ServeHTTP(answer, r)
	if answer.status >= 200 && answer.status < 300 {
		// What the call left unread belongs to what was asked. If the rest never comes, the hash is of what came: the whole is then another call.
		_, _ = io.Copy(io.Discard, body)
		h := w.Header()
		a := staff.Answer{Request: sum.Sum(), Status: answer.status, Type: h.Get("Content-Type"), Location: h.Get("Location"), Body: answer.body.Bytes()}
		fail("keep the answer of a call", i.Calls.EndCall(ctx, who, call, a))
		kept = true // if it is not, its key stays taken for a while rather than free: it was done
	}
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes())
}

type readCloser struct {
	io.Reader
	io.Closer
}

// recorder holds an answer back until it is kept.
type recorder struct {
	http.ResponseWriter
	status  int
	written bool
	body    bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	if !r.written {
		r.status, r.written = status, true
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.written = true
	return r.body.Write(p)
}

// Unwrap lets [http.ResponseController] reach the connection: an upload moves its deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// request hashes what is asked as it is read: method, address, kind and body. The boundary of a form is left out: a client makes up another
// one each time.
type request struct {
	hash.Hash
	boundary []byte
	carry    []byte // the end of what was read, in which a boundary may begin
}

func asked(r *http.Request) *request {
	kind, more, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = r.Header.Get("Content-Type")
	}
	q := &request{Hash: sha256.New()}
	if strings.HasPrefix(kind, "multipart/") && more["boundary"] != "" {
		q.boundary = []byte("--" + more["boundary"])
	}
	fmt.Fprintf(q.Hash, "%s\n%s\n%s\n", r.Method, r.URL.RequestURI(), kind)
	return q
}

func (q *request) Write(p []byte) (int, error) {
	n := len(p)
	if q.boundary == nil {
		return q.Hash.Write(p)
	}
	if len(q.carry) > 0 {
		p = append(q.carry, p...)
	}
	for {
		at := bytes.Index(p, q.boundary)
		if at < 0 {
			break
		}
		q.part(p[:at])
		p = p[at+len(q.boundary):]
	}
	hold := min(len(p), len(q.boundary)-1)
	_, _ = q.Hash.Write(p[:len(p)-hold])
	q.carry = append([]byte(nil), p[len(p)-hold:]...)
	return n, nil
}

// part ends a stretch between two boundaries. What stands for the boundary cannot be in the address, nor be mistaken for its absence.
func (q *request) part(p []byte) {
	_, _ = q.Hash.Write(p)
	_, _ = q.Hash.Write([]byte("--\x00boundary"))
}

// Sum ends it.
func (q *request) Sum() []byte {
	_, _ = q.Hash.Write(q.carry)
	q.carry = nil
	return q.Hash.Sum(nil)
}
