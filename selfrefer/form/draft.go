package form

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// A draft is a promise to nobody: until "Send" is pressed nothing has been received. So where one process serves alone, it lives in that
// process's memory while somebody writes, and goes to the store a moment behind: of ten answers in a rush the last is written, and those of a
// form that is sent within the moment are never written at all. Forms and opt-outs, which are promises, then find the store's writer free.
// Where several processes serve, the next answer may come to another one, so that each is written at once and read from the store.

const (
	draftDelay = time.Second // how far the store may be behind
	maxPending = 5_000       // drafts that wait; more are written at once
	flushers   = 8
)

// copied is what memory holds of a draft. ahead means that the store does not have it yet, or has refused it; else it only stands in while
// the store cannot be read, or spares the reading where one process serves.
type copied struct {
	answers selfrefer.Answers
	ahead   bool
}

// drafts are the answers that have yet to be written.
type drafts struct {
	mu      sync.Mutex
	pending map[string]pendingDraft // by form id
	wake    *time.Timer             // nil while nothing waits
	closed  bool
	done    sync.WaitGroup
}

type pendingDraft struct {
	secret  string
	hash    []byte
	answers selfrefer.Answers
}

// load gives this browser's answers back: empty ones if there are none.
func (h *Handler) load(ctx context.Context, v *visit) (a selfrefer.Answers, err error) {
	if v.secret == "" {
		return a, nil
	}
	c, ok := h.copies.get(h.Machine(), v.formID())
	if ok && (c.ahead || h.Alone) {
		return c.answers, nil
	}
	a, _, err = h.Drafts.Draft(ctx, v.secret, v.hash)
	if err != nil && ok {
		h.Log.Warn("cannot read a draft", "error", err)
		return c.answers, nil
	}
	if err == nil && h.Alone {
		h.copies.put(h.Machine(), v.formID(), copied{a, false})
	}
	return a, err
}

// save keeps answers that load gave. While the store refuses, memory has them.
func (h *Handler) save(ctx context.Context, v *visit, a selfrefer.Answers) {
	id := v.formID()
	if h.Alone && h.drafts.put(id, pendingDraft{v.secret, v.hash, a}, h.flush) {
		h.copies.put(h.Machine(), id, copied{a, true})
		return
	}
	err := h.Drafts.SaveDraft(ctx, v.secret, v.hash, a)
	if err != nil {
		h.Log.Warn("cannot keep a draft", "error", err)
	}
	h.copies.put(h.Machine(), id, copied{a, err != nil})
}

// put lets a draft wait, in place of an earlier one of the same form; false if it cannot.
func (d *drafts) put(id string, p pendingDraft, flush func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, waits := d.pending[id]; d.closed || !waits && len(d.pending) >= maxPending {
		return false
	}
	if d.pending == nil {
		d.pending = map[string]pendingDraft{}
	}
	d.pending[id] = p
	if d.wake == nil {
		d.done.Add(1)
		d.wake = time.AfterFunc(draftDelay, func() { defer d.done.Done(); flush() })
	}
	return true
}

// take gives up what waits.
func (d *drafts) take() map[string]pendingDraft {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := d.pending
	d.pending, d.wake = nil, nil
	return all
}

func (d *drafts) drop(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.pending, id)
}

// flush writes what waits. What the store refuses stays in memory, as ever.
func (h *Handler) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	slots := make(chan struct{}, flushers)
	var all sync.WaitGroup
	for _, p := range h.drafts.take() {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			if err := h.Drafts.SaveDraft(ctx, p.secret, p.hash, p.answers); err != nil {
				h.Log.Warn("cannot keep a draft", "error", err)
			}
		})
	}
	all.Wait()
}

// closeDrafts writes what waits and lets nothing wait any more.
func (h *Handler) closeDrafts() {
	h.drafts.mu.Lock()
	h.drafts.closed = true
	if h.drafts.wake != nil && h.drafts.wake.Stop() {
		h.drafts.done.Done()
	}
	h.drafts.mu.Unlock()
	h.flush()
	h.drafts.done.Wait()
}

// forget removes this browser's answers, in its own time.
func (h *Handler) forget(r *http.Request, v *visit) {
	if v.secret == "" {
		return
	}
	h.copies.drop(v.formID())
	h.drafts.drop(v.formID())
	secret, hash := v.secret, v.hash
	h.later(r, "drop a draft", func(ctx context.Context) error { return h.Drafts.DropDraft(ctx, secret, hash) })
}

// startDraft gives the browser a new secret. The store knows nothing under it, which memory can say if the store cannot.
func (h *Handler) startDraft(w http.ResponseWriter, v *visit) {
	v.secret = newSecret()
	h.setCookie(w, formCookie, v.secret)
	h.copies.put(h.Machine(), v.formID(), copied{})
}
