package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wellpaced/wellpaced/campaign"
)

// gauges reads the counters of the database when it is scraped. No label names a person, a number or a token.
type gauges struct{ a *app }

var (
	messagesDesc = prometheus.NewDesc("wellpaced_messages", "Messages of all campaigns by state.", []string{"state"}, nil)
	servicesDesc = prometheus.NewDesc("wellpaced_texts_back", "Texts that answer people who sent the form, by state. Those that stay unknown may not have left and are not sent again.", []string{"state"}, nil)
	alarmsDesc   = prometheus.NewDesc("wellpaced_alarms", "Alarms raised so far; two_sids means that one message has two texts at the provider.", []string{"code"}, nil)
	waitingDesc  = prometheus.NewDesc("wellpaced_referrals_waiting", "Self-referrals without a first contact.", []string{"urgent"}, nil)
	haltDesc     = prometheus.NewDesc("wellpaced_quarantine", "1 while sending waits for that reason: a restored database does not know what left. gap: a person has to accept what is missing.", []string{"reason"}, nil)
	queueDesc    = prometheus.NewDesc("wellpaced_queue_rings", "Rings in the queue.", []string{"state"}, nil)
	diskDesc     = prometheus.NewDesc("wellpaced_disk_free_bytes", "Free on the disk of the data folder.", nil, nil)
	floorDesc    = prometheus.NewDesc("wellpaced_disk_floor_bytes", "Below so much free disk nothing is sent.", nil, nil)
	owedDesc     = prometheus.NewDesc("wellpaced_journal_owed", "Forms and opt-outs of this process that the journal alone has.", nil, nil)
	stoppedDesc  = prometheus.NewDesc("wellpaced_sending_stopped", "1 while this process may not send: the disk is nearly full, the clock was set, or the queue is away.", nil, nil)
)

func (g gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{messagesDesc, servicesDesc, alarmsDesc, waitingDesc, haltDesc, queueDesc, diskDesc, floorDesc, owedDesc, stoppedDesc} {
		ch <- d
	}
}

func (g gauges) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v int, label string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), label)
	}
	// First what needs no database: it may be away.
	plain := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	disk := g.a.db.Disk()
	plain(diskDesc, float64(disk.Free))
	plain(floorDesc, float64(disk.Floor))
	plain(owedDesc, float64(g.a.db.Owed()))
	stopped := 0.
	if g.a.stopped() != "" {
		stopped = 1
	}
	plain(stoppedDesc, stopped)
	if s, err := g.a.queue.Stats(); err == nil {
		gauge(queueDesc, s.Waiting, "waiting")
		gauge(queueDesc, s.Active, "active")
		gauge(queueDesc, s.Retrying, "retrying")
		gauge(queueDesc, s.Dead, "dead")
	}
	t, err := g.a.db.Totals(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(messagesDesc, err)
		return
	}
	for state, n := range t.Messages {
		gauge(messagesDesc, n, string(state))
	}
	for state, n := range t.Services {
		gauge(servicesDesc, n, string(state))
	}
	for code, n := range t.Alarms {
		gauge(alarmsDesc, n, code)
	}
	gauge(waitingDesc, t.Urgent, "yes")
	gauge(waitingDesc, t.Waiting-t.Urgent, "no")
	if h, err := g.a.db.Halted(ctx); err == nil {
		is := map[bool]int{true: 1}
		for _, r := range campaign.Reasons {
			gauge(haltDesc, is[h.Reason == r], string(r))
		}
		gauge(haltDesc, is[len(h.Gaps) > 0], "gap")
	}
}

// serveMetrics answers /metrics on a listener of its own until ctx ends: what it says is for those who run the service.
func (a *app) serveMetrics(ctx context.Context, listen string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(gauges{a})
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
