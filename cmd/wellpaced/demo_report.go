package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
)

// demoReport is what became of a demo.
type demoReport struct {
	campaign.Ledger
	Texts       int     `json:"texts"`                // of the campaign
	TextsBack   int     `json:"texts_back"`           // to people who sent the form
	TextsLater  int     `json:"texts_later"`          // to people whom we tried in vain, or who wait for longer than we said
	Twice       int     `json:"numbers_texted_twice"` // with texts of one kind, by the provider's own journal
	Delivered   int     `json:"delivered"`
	Opened      int     `json:"opened"`
	Referrals   int     `json:"referrals"`
	Urgent      int     `json:"urgent"`
	Contacted   int     `json:"contacted"`
	Late        int     `json:"late"` // first contact after the promise, or none though it has run out
	LatePercent float64 `json:"late_percent"`
	PeakQueue   int     `json:"peak_queue"`
	PromiseDays int     `json:"promise_working_days"`
	Decisions   int     `json:"decisions"`
	DaysToLast  float64 `json:"days_to_last_text"` // civil days from the launch
}

// Kinds of texts. The demo's campaign has one step, so nobody's number gets two of any.
const (
	anInvitation = "invitation"
	aCorrection  = "correction"
	aTextBack    = "text back"
	aTry         = "we tried"
	aDelay       = "running late"
)

var (
	aReference = regexp.MustCompile(`[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}`)
	aNumber    = regexp.MustCompile(`\d{4}`) // of a telephone; no day and no month has so many digits
)

// kindOf tells them apart: who is invited gets a link, who is answered never does, and a correction has the way out alone. What goes by itself
// later has no reference.
func kindOf(t emulator.Text) string {
	switch {
	case strings.HasPrefix(t.Body, "TEST: "):
		return "" // a manager's own, of which they may have several
	case len(link.In(t.Body)) > 0:
		if !strings.Contains(t.Body, "/r/") {
			return aCorrection
		}
		return anInvitation
	case aReference.MatchString(t.Body):
		return aTextBack
	case aNumber.MatchString(t.Body):
		return aTry
	}
	return aDelay
}

// report counts. Whether somebody was texted twice is for the journal of the phones to say, not for our own database.
func (d *demo) report(ctx context.Context) (demoReport, error) {
	r := demoReport{Ledger: campaign.NewLedger(), PeakQueue: d.charter.Peak}
	j, err := emulator.ReadJournal(d.dir())
	if err != nil {
		return r, fmt.Errorf("read the phones' journal: %w", err)
	}
	once := kindOf
	if d.charter.Empty {
		once = messageOf
	}
	r.Twice = emulator.Twice(j.Texts, once)
	for _, t := range j.Texts {
		switch kind := kindOf(t); {
		case kind == "":
			continue
		case kind == aTextBack:
			r.TextsBack++
			continue
		case kind != anInvitation:
			r.TextsLater++
			continue
		case t.Status == "delivered":
			r.Delivered++
		}
		r.Texts++
	}
	all, err := d.campaigns(ctx)
	if err != nil {
		return r, err
	}
	lists := map[campaign.AudienceID]bool{}
	var first, last time.Time
	for _, v := range all { // the first launched comes first
		if !lists[v.Audience.ID] {
			lists[v.Audience.ID] = true
			add(&r.Ledger, v.Audience.Ledger)
		}
		s, err := d.app.db.Summarise(ctx, d.home.network, v.ID)
		if err != nil {
			return r, fmt.Errorf("sum up the campaign: %w", err)
		}
		r.Opened, r.Decisions = r.Opened+v.Opened, r.Decisions+s.Decisions
		if first.IsZero() { // the sums are of all that its team was asked since then
			first, r.PromiseDays = v.LaunchedAt, v.Team.PromiseDays
			r.Referrals, r.Urgent, r.Contacted, r.Late = s.Referrals, s.Urgent, s.Contacted, s.Late
		}
		if s.LastRelease.After(last) {
			last = s.LastRelease
		}
	}
	if r.Referrals > 0 {
		r.LatePercent = math.Round(10_000*float64(r.Late)/float64(r.Referrals)) / 100
	}
	if !last.IsZero() {
		r.DaysToLast = math.Round(10*last.Sub(first).Hours()/24) / 10
	}
	return r, nil
}

// messageOf tells the invitations apart, each of which has a link of its own. Where a manager may launch several campaigns with several steps,
// a number rightly gets more than one.
func messageOf(t emulator.Text) string {
	if kindOf(t) != anInvitation {
		return ""
	}
	return link.In(t.Body)[0].Reveal()
}

func add(to *campaign.Ledger, l campaign.Ledger) {
	to.Rows, to.Invited = to.Rows+l.Rows, to.Invited+l.Invited
	for why, n := range l.Excluded {
		to.Excluded[why] += n
	}
	for why, n := range l.Rejected {
		to.Rejected[why] += n
	}
}

func (r demoReport) print(w io.Writer, asJSON bool) error {
	if asJSON {
		b, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	}
	_, err := fmt.Fprintf(w, `%d rows, %d invited
%d texts, %d delivered; the last after %.1f days
%d numbers texted twice
%d opened the form, %d asked for help, %d of them urgent; %d texts back
%d called; %d (%.2f %%) later than the %d working days promised
%d waited at most at the same time
%d decisions of the pacer
`, r.Rows, r.Invited, r.Texts, r.Delivered, r.DaysToLast, r.Twice, r.Opened, r.Referrals, r.Urgent, r.TextsBack, r.Contacted, r.Late, r.LatePercent, r.PromiseDays, r.PeakQueue, r.Decisions)
	return err
}
