package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// called is a call's answer.
type called struct {
	status int
	header http.Header
	body   string
}

func (c called) code() string {
	var p struct{ Code string }
	_ = json.Unmarshal([]byte(c.body), &p)
	return p.Code
}

func (c called) replayed() bool { return c.header.Get("Idempotency-Replayed") == "true" }

// keyed is a call under a key.
func (n *network) keyed(who, key, method, path, kind string, in io.Reader) called {
	n.Helper()
	r, err := http.NewRequest(method, n.app.PublicURL+"/api/v1"+path, in)
	n.must(err)
	r.Header.Set("Authorization", "Bearer "+n.tokens[who])
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(r)
	n.must(err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	n.must(err)
	return called{resp.StatusCode, resp.Header, string(b)}
}

const asJSON = "application/json"

// Whoever sends a call again under its key has it done once, whatever happens in between.
func TestIdempotencyKeys(t *testing.T) {
	s := newStand(t, "", "", nil)
	n := s.network("Riverside PCN", "N83")
	list := n.upload(listOf([]patient{{first: "Marigold", last: "Testperson", born: "01/02/1950", nhs: nhsNumber(1), mobile: "07400000001", practice: "N831"}}), 201).at("id")
	draft := func(name string) string {
		b, err := json.Marshal(object{"list": json.Number(list), "name": name, "text": storyText})
		s.must(err)
		return string(b)
	}
	campaigns := func() int { return len(n.api("Mo", "GET", "/campaigns", nil, 200).list("campaigns")) }

	// Twenty at the same moment, who try again while it runs, get one campaign and all of them the same answer.
	answers := make([]called, 20)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			for {
				answers[i] = n.keyed("Mo", `"twenty"`, "POST", "/campaigns", asJSON, strings.NewReader(draft("Twenty")))
				if answers[i].code() != "key_runs" {
					return
				}
				if answers[i].status != 409 || answers[i].header.Get("Retry-After") == "" {
					t.Errorf("while it runs: %+v", answers[i])
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	all.Wait()
	first := 0
	for _, a := range answers {
		if !a.replayed() {
			first++
		}
		if a.status != 201 || a.body != answers[0].body || a.header.Get("Content-Type") != asJSON {
			t.Errorf("%d %s, want what the others got: %s", a.status, a.body, answers[0].body)
		}
	}
	if first != 1 || campaigns() != 1 {
		t.Errorf("%d first answers and %d campaigns, want 1 of each", first, campaigns())
	}

	// Bare or quoted it is the same key; another body, address or method is another call; another account's key is its own.
	if got := n.keyed("Mo", "twenty", "POST", "/campaigns", asJSON, strings.NewReader(draft("Twenty"))); !got.replayed() || got.body != answers[0].body {
		t.Errorf("the bare key: %+v", got)
	}
	id := decode(t, []byte(answers[0].body)).at("id")
	for _, other := range [][3]string{{"POST", "/campaigns", draft("Another")}, {"POST", "/campaigns?x=1", draft("Twenty")}, {"PUT", "/campaigns/" + id, draft("Twenty")}} {
		if got := n.keyed("Mo", "twenty", other[0], other[1], asJSON, strings.NewReader(other[2])); got.status != 422 || got.code() != "key_reused" {
			t.Errorf("%s %s under the same key: %+v", other[0], other[1], got)
		}
	}
	if got := n.keyed("Sam", "twenty", "POST", "/campaigns", asJSON, strings.NewReader(draft("Twenty"))); got.status != 201 || got.replayed() || campaigns() != 2 {
		t.Errorf("Sam's key of the same name: %+v, %d campaigns", got, campaigns())
	}

	// A refusal has changed nothing: its key is free. So is that of whoever may not, and a broken key is told of.
	if got := n.keyed("Mo", "wrong", "POST", "/campaigns", asJSON, strings.NewReader(draft(""))); got.status != 422 || got.code() != "invalid" {
		t.Errorf("a wrong draft: %+v", got)
	}
	if got := n.keyed("Mo", "wrong", "POST", "/campaigns", asJSON, strings.NewReader(draft("Right now"))); got.status != 201 || got.replayed() {
		t.Errorf("mended: %+v", got)
	}
	if got := n.keyed("Lee", "mine", "POST", "/campaigns", asJSON, strings.NewReader(draft("Lee's"))); got.status != 403 || got.code() != "denied" {
		t.Errorf("as a link worker: %+v", got)
	}
	for _, key := range []string{`"open`, `a"b`, "ø", "two words", strings.Repeat("x", 256), `""`} {
		if got := n.keyed("Mo", key, "POST", "/campaigns", asJSON, strings.NewReader(draft("Broken"))); got.status != 400 || got.code() != "key_invalid" {
			t.Errorf("key %q: %+v", key, got)
		}
	}
	if got := n.keyed("Mo", "reads", "GET", "/campaigns", asJSON, nil); got.status != 200 || got.replayed() {
		t.Errorf("a GET takes no key: %+v", got)
	}

	// What a PUT and a DELETE were answered stays too, though the campaign has gone on and the webhook is gone.
	put := draft("Renamed")
	one := n.keyed("Mo", "put", "PUT", "/campaigns/"+id, asJSON, strings.NewReader(put))
	if one.status != 200 {
		t.Fatalf("PUT: %+v", one)
	}
	n.api("Mo", "POST", "/campaigns/"+id+"/submit", nil, 200)
	if got := n.keyed("Mo", "put", "PUT", "/campaigns/"+id, asJSON, strings.NewReader(put)); !got.replayed() || got.body != one.body {
		t.Errorf("PUT again: %+v", got)
	}
	hook := n.keyed("Ada", "hook", "POST", "/webhooks", asJSON, strings.NewReader(`{"url":"https://hooks.example/in","events":["referral.received"]}`))
	if got := n.keyed("Ada", "hook", "POST", "/webhooks", asJSON, strings.NewReader(`{"url":"https://hooks.example/in","events":["referral.received"]}`)); got.status != hook.status || hook.status/100 != 2 || got.body != hook.body {
		t.Errorf("a webhook: %+v, then %+v", hook, got)
	}
	gone := "/webhooks/" + decode(t, []byte(hook.body)).at("id")
	for i, want := range []bool{false, true} {
		if got := n.keyed("Ada", "gone", "DELETE", gone, "", nil); got.status != 204 || got.replayed() != want {
			t.Errorf("DELETE for the %dth time: %+v", i+1, got)
		}
	}
}

// form writes a list as a client does: with a boundary that is new each time.
func formOf(tb testing.TB, list []byte) (kind string, body []byte) {
	tb.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	part, err := m.CreateFormFile("file", "list.csv")
	if err == nil {
		_, err = part.Write(list)
	}
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return m.FormDataContentType(), b.Bytes()
}

// An upload is not held: it is hashed as it is read. The key is taken while it comes in, and free again if it is torn off.
func TestIdempotencyKeys_upload(t *testing.T) {
	s := newStand(t, "", "", nil)
	n := s.network("Riverside PCN", "N83")
	var many []patient
	for i := range 3000 {
		many = append(many, patient{first: "Marigold", last: "Testperson", born: "01/02/1950", nhs: nhsNumber(i + 1), mobile: fmt.Sprintf("0740%07d", i), practice: "N831"})
	}
	list := listOf(many)
	lists := func() int { return len(n.api("Mo", "GET", "/lists", nil, 200).list("lists")) }

	kind, body := formOf(t, list)
	half, more := io.Pipe()
	first := make(chan called)
	go func() { first <- n.keyed("Mo", "upload", "POST", "/lists", kind, half) }()
	_, err := more.Write(body[:len(body)/2])
	s.must(err)
	eventually(t, 10*time.Second, "the list is being read", func() bool { return lists() == 1 })
	if got := n.keyed("Mo", "upload", "POST", "/lists", kind, bytes.NewReader(body)); got.status != 409 || got.code() != "key_runs" {
		t.Errorf("while it is being read: %+v", got)
	}
	_, err = more.Write(body[len(body)/2:])
	s.must(err)
	s.must(more.Close())
	made := <-first
	if made.status != 201 || made.replayed() {
		t.Fatalf("the upload: %+v", made)
	}
	before := lists()
	other, again := formOf(t, list)
	if other == kind {
		t.Fatal("a boundary twice: this test tests nothing")
	}
	if got := n.keyed("Mo", "upload", "POST", "/lists", other, bytes.NewReader(again)); !got.replayed() || got.body != made.body {
		t.Errorf("the same list in another envelope: %+v", got)
	}
	list[len(list)-3] ^= 1
	other, again = formOf(t, list)
	if got := n.keyed("Mo", "upload", "POST", "/lists", other, bytes.NewReader(again)); got.status != 422 || got.code() != "key_reused" {
		t.Errorf("another list: %+v", got)
	}
	if lists() != before {
		t.Errorf("%d lists, want %d", lists(), before)
	}

	// One that is torn off leaves its key to whoever comes again.
	ctx, hangUp := context.WithCancel(context.Background())
	half, more = io.Pipe()
	r, err := http.NewRequestWithContext(ctx, "POST", s.app.PublicURL+"/api/v1/lists", half)
	s.must(err)
	r.Header = http.Header{"Authorization": {"Bearer " + n.tokens["Mo"]}, "Content-Type": {other}, "Idempotency-Key": {"torn"}}
	cut := make(chan error)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		cut <- err
	}()
	_, err = more.Write(again[:len(again)/2])
	s.must(err)
	hangUp()
	_ = more.CloseWithError(io.ErrUnexpectedEOF) // or the client may wait for the rest for ever
	if err := <-cut; err == nil {
		t.Error("it was answered after all")
	}
	eventually(t, 5*time.Second, "the list comes again under its key", func() bool {
		got := n.keyed("Mo", "torn", "POST", "/lists", other, bytes.NewReader(again))
		return got.status == 201 && !got.replayed()
	})
}

// What was answered about a person stays with whoever may still open the referral; a search is not kept at all.
func TestIdempotencyKeys_referral(t *testing.T) {
	ctx := context.Background()
	s := newStand(t, "", "", nil)
	n := s.network("Riverside PCN", "N83")
	_, err := s.app.receiver.Receive(ctx, selfrefer.Form{ID: "f", Network: n.id(), Source: selfrefer.ByGeneral, Answers: selfrefer.Answers{Name: "Marigold Testperson"}, At: s.clock.Now()})
	s.must(err)
	at := "/referrals/" + n.api("Lee", "GET", "/referrals", nil, 200).at("referrals.0.id")
	claim := func() called { return n.keyed("Lee", "claim", "POST", at+"/claim", asJSON, nil) }
	one := claim()
	if one.status != 200 || !strings.Contains(one.body, "Marigold") {
		t.Fatalf("claim: %+v", one)
	}
	if got := claim(); !got.replayed() || got.body != one.body {
		t.Errorf("again: %+v", got)
	}
	if got := n.keyed("Liz", "restrict", "PUT", at+"/restriction", asJSON, strings.NewReader(`{"never":[`+n.accounts["Lee"]+`],"reason":"works_here"}`)); got.status != 204 {
		t.Fatalf("restrict: %+v", got)
	}
	if got := claim(); got.status != 404 || got.code() != "not_found" || strings.Contains(got.body, "Marigold") {
		t.Errorf("restricted since: %+v", got)
	}
	for range 2 {
		if got := n.keyed("Liz", "find", "POST", "/referrals/search", asJSON, strings.NewReader(`{"find":"Marigold Testperson"}`)); got.status != 200 || got.replayed() {
			t.Errorf("a search: %+v", got)
		}
	}
}
