package form

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
	"github.com/wellpaced/wellpaced/store"
)

var _ interface {
	Drafts
	selfrefer.Links
	selfrefer.Keeper
} = (*store.DB)(nil)

// realSite is the form over a real database with one network and its team.
func realSite(tb testing.TB) (http.Handler, *Handler, *store.DB, staff.Network) {
	tb.Helper()
	ctx := context.Background()
	civil := func() time.Time { return noon }
	db, err := store.Open(ctx, store.Config{DataDir: tb.TempDir(), Keys: tb.TempDir() + "/keys", Now: civil, Machine: civil})
	if err != nil {
		tb.Fatal(err)
	}
	n, err := db.CreateNetwork(ctx, staff.Network{Name: "Riverside", Phone: "0151 496 0000", Practices: []staff.Practice{practice}})
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := db.CreateTeam(ctx, staff.Team{Network: n.ID, Name: "Link workers", PromiseDays: 2}); err != nil {
		tb.Fatal(err)
	}
	pages, err := ui.New(ui.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	h, err := New(Config{Receiver: &selfrefer.Receiver{Keeper: db, Now: civil}, Links: db, Drafts: db, Sending: db.Sending, Around: db, UI: pages, Now: civil, Machine: civil})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		h.Close()
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	r := chi.NewRouter()
	r.Use(pages.Protect)
	h.Routes(r)
	return r, h, db, n
}

// A form without a link, from the first page to the queue of the link workers.
func TestForm_store(t *testing.T) {
	handler, h, db, n := realSite(t)
	srv := httptest.NewServer(handler)
	defer srv.Close()
	b := (&site{h: h, url: srv.URL}).browser(t)
	b.get("/help")
	base := b.at
	b.post(base+"/start", url.Values{})
	b.fill(url.Values{"danger": {"no"}, "for_other": {"no"}, "name": {"Sam Sample"}, "phone": {"0151 496 0555"}, "words": {"The bills."}, "call_safe": {"yes"},
		"language": {"Polish"}, "agreed": {"yes"}})
	code, body := b.post(base+"/send", url.Values{})
	b.want(200, code, body, "We have received it")
	queue, err := db.Queue(context.Background(), selfrefer.Filter{Network: n.ID})
	if err != nil || len(queue) != 1 {
		t.Fatalf("the queue holds %d: %v", len(queue), err)
	}
	r := queue[0]
	if r.Source != selfrefer.ByGeneral || r.Lane != selfrefer.Unverified || r.Language != "Polish" || !strings.Contains(text(body), r.Reference) {
		t.Errorf("the queue holds %s, %s, %s", r.Source, r.Lane, r.Language)
	}
	h.Close()
	if _, found, err := db.Draft(context.Background(), b.secret(), nil); err != nil || found {
		t.Errorf("the draft is still there: %v, %v", found, err)
	}
}

// secret reads the browser's own cookie.
func (b *browser) secret() string {
	for _, c := range b.c.Jar.Cookies(mustURL(b.t, b.site.url)) {
		if c.Name == formCookie {
			return c.Value
		}
	}
	return ""
}

// BenchmarkSend posts whole forms from 64 clients, durable in database and journal.
func BenchmarkSend(b *testing.B) {
	handler, _, _, n := realSite(b)
	path := (&Handler{}).helpHref(&visit{in: selfrefer.Invitation{Network: n}}) + "/send"
	form := url.Values{"name": {"Sam Sample"}, "phone": {"0151 496 0555"}}
	for k, v := range full {
		form[k] = v
	}
	body := form.Encode()
	b.SetParallelism(32) // times GOMAXPROCS
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest("POST", path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != http.StatusSeeOther {
				b.Errorf("status %d", w.Code)
			}
		}
	})
}
