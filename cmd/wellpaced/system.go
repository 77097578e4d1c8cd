package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	campaigndesk "github.com/wellpaced/wellpaced/campaign/desk"
	"github.com/wellpaced/wellpaced/campaign/queue"
)

// stopped says why this process sends nothing, whatever the campaigns say, in a sentence for people; "" if it may send.
func (a *app) stopped() string {
	if _, why := a.db.Stopped(); why != "" {
		return why
	}
	// The quarantine of a restored database says so in the database, where every process sees it.
	if _, err := a.queue.Stats(); errors.Is(err, queue.ErrAway) {
		return "The queue does not answer. Sending goes on by itself once it does."
	}
	return ""
}

// machinery is what the system page shows of this process and of the queue.
func (a *app) machinery(ctx context.Context) campaigndesk.Machinery {
	d := a.db.Disk()
	m := campaigndesk.Machinery{Stopped: a.stopped(), Provider: a.provider(ctx), Disk: campaigndesk.Disk{Free: d.Free, Floor: d.Floor, Ballast: d.Ballast}}
	a.mailFacts(ctx, &m)
	m.Queue.Inside = a.Redis == ""
	s, err := a.queue.Stats()
	if err != nil {
		m.Queue.Away = true
		return m
	}
	m.Queue.Waiting, m.Queue.InHand, m.Queue.Again, m.Queue.Dead, m.Queue.Oldest = s.Waiting, s.Active, s.Retrying, s.Dead, s.Oldest
	processes, err := a.queue.Processes()
	if err != nil {
		m.Queue.Away = true
	}
	for _, p := range processes {
		m.Queue.Processes = append(m.Queue.Processes, campaigndesk.Process{Host: p.Host, PID: p.PID, AtOnce: p.AtOnce, Since: p.Started})
	}
	return m
}

// provider says whether a connection to the gateway can be had. It asks nothing of it.
func (a *app) provider(ctx context.Context) string {
	if a.noGateway {
		return "None is set: nothing is sent."
	}
	u, err := url.Parse(a.Gateway.BaseURL)
	if err != nil {
		return "Its address cannot be read."
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return "Cannot be reached from this computer. Texts that are due wait; nothing is sent twice."
	}
	_ = c.Close()
	if a.gateway.Live() {
		return fmt.Sprintf("%s can be reached: texts go to real people, signed for by %s.", u.Host, strings.TrimSpace(a.Gateway.SignedBy))
	}
	return "Can be reached. It is on this computer: no text leaves it."
}
