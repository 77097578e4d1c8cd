package emulator

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"
)

// BenchmarkAccept is texts through HTTP and fsync, 64 at a time; BenchmarkCallbacks is signed
// callbacks answered. Client, emulator and site share the machine.
func BenchmarkAccept(b *testing.B) {
	r := newRig(b, nil)
	fill(b, r, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "texts/s")
}

func BenchmarkCallbacks(b *testing.B) {
	r := newRig(b, nil)
	fill(b, r, b.N)
	b.ResetTimer()
	if err := r.Tick(b.Context(), start.Add(time.Hour)); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "callbacks/s")
}

// BenchmarkOpen is the journal of b.N delivered texts read back.
func BenchmarkOpen(b *testing.B) {
	r := newRig(b, nil)
	fill(b, r, b.N)
	if err := r.Tick(b.Context(), start.Add(time.Hour)); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	r.killed(b, "")
}

func fill(tb testing.TB, r *rig, n int) {
	tb.Helper()
	const clients = 64
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	var wg sync.WaitGroup
	next := make(chan int, clients)
	for range clients {
		wg.Go(func() {
			for i := range next {
				res, err := r.tryPost(tb.Context(), c, url.Values{"To": {number(i)}, "From": {sender},
					"Body":           {"Hello Ada, your GP practice invites you to talk to a link worker. Start: https://h.test/r/ABCDEFGH2345 Stop: https://h.test/stop/ABCDEFGH2345"},
					"StatusCallback": {r.site.URL + "/webhooks/twilio/status?a=1#rc=5&rp=all"}})
				if err != nil {
					tb.Error(err)
					continue
				}
				res.Body.Close()
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}
