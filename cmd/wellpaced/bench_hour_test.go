package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/link"
)

// The people of the hour go through the real form, whatever it asks them; a bare handler then gets the very same requests; and what is not as
// it should be is counted.
func TestBenchHour(t *testing.T) {
	s := newStand(t, "", "", nil)
	n := s.network("Knowsley Test PCN", "N8300")
	rows := people(5, "N8300")
	n.launch(n.upload(listOf(rows), 201).at("id"), nil)
	s.paced(len(rows))
	changes := []url.Values{{}, {"words": {"I have no food in the house"}}, {"channel": {"email"}, "email": {"ann@example.org"}}, {"danger": {"yes"}},
		{"for_other": {"yes"}, "name": {"Sam Roe"}, "helper": {"Kim Roe"}, "helper_is": {"daughter"}, "helper_phone": {"07700 900123"}}}
	ctx := context.Background()
	var visitors []*visitor
	site := newCrowd(s.app.PublicURL, false)
	for i, p := range rows {
		base := link.URL("", link.In(s.phone(p).Expect().text.Body)[0])
		v := &visitor{base: base, accept: "pl,en;q=0.5", answers: answers(p, changes[i]), pauses: []time.Duration{time.Millisecond}}
		visitors = append(visitors, v)
		site.comes(ctx, v, 0)
	}
	if site.sent != len(rows) || site.errors != 0 || len(site.late) != len(rows) {
		t.Fatalf("%d sent, %d errors: %q", site.sent, site.errors, site.mishaps)
	}
	for page, want := range map[string]int{"GET link": 5, "POST start": 5, "GET danger": 5, "POST agree": 5, "GET check": 5, "POST send": 5, "GET sent": 5, "GET urgent": 2, "POST helper": 1, "POST email": 1} {
		if got := len(site.waits[page]); got != want {
			t.Errorf("%s: %d requests, want %d", page, got, want)
		}
	}
	open := n.api("Lee", "GET", "/referrals?state=open", nil, 200).list("referrals")
	if len(open) != len(rows) || open[0].at("urgent") != "true" || open[1].at("urgent") != "true" || open[2].at("urgent") != "false" {
		t.Errorf("in the queue: %v", open)
	}

	path := filepath.Join(t.TempDir(), bareAnswers)
	s.must(site.taken.save(path))
	served, stop := context.WithCancel(ctx)
	defer stop()
	address, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- serveBare(served, path, func(a string) error { address <- a; return nil }) }()
	bare := newCrowd("http://"+<-address, true)
	for _, v := range visitors {
		bare.comes(ctx, v, 0)
	}
	if bare.sent != len(rows) || bare.errors != 0 || bare.requests() != site.requests() {
		t.Errorf("bare: %d sent, %d errors, %d requests, not %d: %q", bare.sent, bare.errors, bare.requests(), site.requests(), bare.mishaps)
	}
	pages := func(c *crowd) []string { return slices.Sorted(maps.Keys(c.waits)) }
	if !slices.Equal(pages(bare), pages(site)) {
		t.Errorf("bare: %v, and the site %v", pages(bare), pages(site))
	}
	stop()
	s.must(<-ended)

	// A site that fails, or leads away, is seen to; and no mishap tells a link.
	for _, answer := range []func(w http.ResponseWriter, r *http.Request){
		func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				http.Redirect(w, r, "/help", http.StatusSeeOther)
			}
		},
		func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		server := httptest.NewServer(http.HandlerFunc(answer))
		failing := newCrowd(server.URL, false)
		failing.comes(ctx, visitors[0], 0)
		server.Close()
		if failing.sent != 0 || failing.errors != 1 || len(failing.mishaps) != 1 || strings.Contains(failing.mishaps[0], visitors[0].base[3:]) {
			t.Errorf("a site that fails: %d sent, %d errors, %q", failing.sent, failing.errors, failing.mishaps)
		}
	}
}

func TestFewLines(t *testing.T) {
	var b bytes.Buffer
	f := &fewLines{to: &b, most: 2}
	for range 3 {
		if _, err := io.WriteString(f, "a\nb\n"); err != nil {
			t.Fatal(err)
		}
	}
	if b.String() != "a\nb\n" || f.said != 6 {
		t.Errorf("said %d lines: %q", f.said, b.String())
	}
}
