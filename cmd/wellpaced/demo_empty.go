package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/twilio/emulator"
	"github.com/wellpaced/wellpaced/cmd/wellpaced/town"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/throttle"
)

// An empty demo has a network with its practices, its staff, and a team with working hours, and people who answer texts. Whoever sits at the
// keyboard is the manager: nothing is done in their name, and the demo knows no campaign but those that it finds in the database.

const (
	// emptyPatients is how many are texted within two weeks or so by the demo's team: after 14 days the pages want a fresh list, and the
	// town has none. Of fewer so few ask for help that a report has to hide most of its numbers.
	emptyPatients = 25_000
	// emptySpeed is an hour of the town in a second of ours: whoever looks at a page has not missed a day, and what begins with a month's
	// second week is reported on some ten minutes later.
	emptySpeed = 3600.
)

var emptyStart = time.Date(2026, time.June, 8, 8, 0, 0, 0, town.London)

// readableAt is when on the first day on which a month can be reported people are at work.
const readableAt = 9 * time.Hour

// keyboard is what an empty demo knows of its manager's campaigns.
type keyboard struct {
	looked time.Time       // machine time
	paced  time.Time       // when the pacer was to be asked next, then
	views  []campaign.View // of campaigns that were launched, the first one first
	until  time.Time       // the town is in haste until then, if nothing waits for the manager
	over   time.Time       // the last such time that it has told the end of
	fresh  time.Time       // of which Monday the fresh list is
}

// emptyAlone refuses what an empty demo cannot be.
func (d *demo) emptyAlone() error {
	switch {
	case d.Headless:
		return usageError{errors.New("a demo with --empty waits for what you do on its pages, which --headless has nobody for: leave one of them out")}
	case d.Policy == "blast":
		return usageError{errors.New("a campaign that is made on the pages is paced: leave --policy blast or --empty out")}
	}
	return nil
}

func (d *demo) listPath() string { return filepath.Join(d.dir(), "patient-list.csv") }

// writeList writes the town's patient list for the manager to upload: the file that another demo uploads by itself. One that is there stays,
// as somebody may have changed it.
func (d *demo) writeList() (err error) {
	if _, err := os.Stat(d.listPath()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.writeListOf(d.listPath(), d.charter.Start)
}

// freshPath is where a fresh list lies from the second Monday on, as practices export one: a campaign that goes on for longer needs it.
func (d *demo) freshPath() string { return filepath.Join(d.dir(), "fresh-list.csv") }

// writeFresh writes the fresh list of this week's Monday, once. A demo that goes on writes it again.
func (d *demo) writeFresh(now time.Time) error {
	monday := mondayOf(now)
	if !monday.After(d.charter.Start) || monday.Equal(d.keys.fresh) {
		return nil
	}
	d.keys.fresh = monday
	return d.writeListOf(d.freshPath(), monday)
}

// mondayOf is when practices export their lists in the week of an instant.
func mondayOf(at time.Time) time.Time {
	at = at.In(town.London)
	y, m, day := at.Date()
	return time.Date(y, m, day-(int(at.Weekday())+6)%7, 7, 0, 0, 0, town.London)
}

// writeListOf writes the town's list as it is on a day. Whoever uploads it meanwhile has the old one or the new one.
func (d *demo) writeListOf(path string, day time.Time) error {
	half := path + ".new"
	f, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		w := bufio.NewWriterSize(f, 1<<20)
		err = town.WriteFreshList(w, d.charter.Seed, d.charter.Patients, demoNetwork.Practices, d.charter.Start, day)
		err = errors.Join(err, w.Flush(), f.Close())
	}
	if err == nil {
		err = os.Rename(half, path)
	}
	if err != nil {
		return fmt.Errorf("write the town's patient list: %w", err)
	}
	return nil
}

// launched reads the campaigns that the manager has launched, the first one first.
func (d *demo) launched(ctx context.Context) (all []campaign.View, err error) {
	have, err := d.app.db.Campaigns(ctx, d.home.network, 1000)
	if err != nil {
		return nil, fmt.Errorf("read the campaigns: %w", err)
	}
	for _, c := range have {
		if c.LaunchedAt.IsZero() {
			continue
		}
		v, err := d.app.db.View(ctx, d.home.network, c.ID)
		if err != nil {
			return nil, fmt.Errorf("read a campaign: %w", err)
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b campaign.View) int { return a.LaunchedAt.Compare(b.LaunchedAt) })
	return all, nil
}

// look reads what the tempo goes by. It changes when the pacer has been asked or when somebody presses a button, which need not be seen in the
// same instant.
func (d *demo) look(ctx context.Context) (err error) {
	k := &d.keys
	if k.paced.Equal(d.paced) && time.Since(k.looked) < 100*time.Millisecond {
		return nil
	}
	k.paced, k.looked = d.paced, time.Now()
	if k.views, err = d.launched(ctx); err != nil || len(k.views) == 0 {
		return err
	}
	if d.Days != nil {
		k.until = k.views[0].LaunchedAt.In(town.London).AddDate(0, 0, *d.Days)
		return nil
	}
	var last time.Time // when the last text left, or the next is going to
	for _, v := range k.views {
		s, err := d.app.db.Summarise(ctx, d.home.network, v.ID)
		if err != nil {
			return fmt.Errorf("sum up a campaign: %w", err)
		}
		for _, at := range []time.Time{v.LaunchedAt, s.LastRelease} {
			if at.After(last) {
				last = at
			}
		}
		if v.State == campaign.Running && v.Policy.First.After(last) {
			last = v.Policy.First
		}
	}
	k.until = reportOf(last)
	return nil
}

// reportOf is when the month of a text can be reported on.
func reportOf(text time.Time) time.Time {
	return selfrefer.MonthOf(text, town.London).Add(1).First(town.London).Add(selfrefer.MonthSettles + readableAt)
}

// tempoAt is the tempo of an empty demo. Until a campaign is launched time runs like ours, since nobody is hurried through making one; then at
// --speed, and on after the last text, until the month can be reported on; and like ours whenever something waits for the manager, who would
// lose days by reading.
func (d *demo) tempoAt(ctx context.Context, now time.Time) (tempo, error) {
	if err := errors.Join(d.writeFresh(now), d.look(ctx)); err != nil {
		return tempo{}, err
	}
	ours := tempo{speed: 1, until: now.AddDate(10, 0, 0), steady: true}
	if len(d.keys.views) == 0 {
		ours.why = "no campaign has been launched"
		return ours, nil
	}
	for _, v := range d.keys.views {
		if why := waits(v, now); why != "" {
			ours.why = fmt.Sprintf("“%s” %s", v.Name, why)
			return ours, nil
		}
	}
	if !now.Before(d.keys.until) && d.keys.over.Equal(d.keys.until) {
		ours.why = "no text is on its way"
		if d.Days != nil {
			ours.why = fmt.Sprintf("the %d days are over", *d.Days)
		}
		return ours, nil
	}
	return tempo{speed: d.haste(), until: d.keys.until, steady: true}, nil
}

func (d *demo) haste() float64 {
	if d.Speed != nil {
		return *d.Speed
	}
	return emptySpeed
}

// waits says what of a campaign waits for its manager, or for the machine; "" if nothing does.
func waits(v campaign.View, now time.Time) string {
	listed := v.ListOn(v.Audience)
	unsent := v.Counts[campaign.Planned] > 0
	switch {
	case v.State == campaign.Paused && v.FirstLook == campaign.LookWaits:
		return "waits for you to look at its first texts"
	case v.State == campaign.Paused:
		return "is paused"
	case v.State != campaign.Running:
		return ""
	case v.Planning:
		return "is being launched"
	case v.Halt.On(), v.Held != "":
		return "is held"
	case unsent && !v.Silent.IsZero() && v.Checked.IsZero():
		return "waits for you to look at its link"
	case unsent && now.Sub(listed) > throttle.ListLasts(v.Policy.MaxListAge):
		return "waits for a fresh list: screen it against fresh-list.csv"
	}
	return ""
}

// watched lives on for as long as somebody watches, and tells how it went whenever a haste is over.
func (d *demo) watched(ctx context.Context) error {
	for {
		if err := d.live(ctx, d.tempoAt); err != nil {
			return err
		}
		d.keys.over = d.keys.until
		if err := d.tellResult(ctx); err != nil {
			return err
		}
		over := fmt.Sprintf("%s can be reported on: %s/desk/reports", selfrefer.MonthOf(d.keys.until, town.London).Add(-1).Words(), d.site())
		if d.Days != nil {
			over = fmt.Sprintf("The %d days are over.", *d.Days)
		}
		fmt.Fprintf(d.err, "%s\nThe town's time now runs like ours, and the pages stay open until you press Ctrl-C.\n", over)
	}
}

// welcomeManager says what there is and what is to be done.
func (d *demo) welcomeManager() {
	list, err := filepath.Abs(d.listPath())
	if err != nil {
		list = d.listPath()
	}
	haste := fmt.Sprintf("%g times as fast", d.haste())
	if d.haste() == 0 {
		haste = "as fast as it can"
	}
	until := "until the report of the last texts' month can be read"
	if d.Days != nil {
		until = fmt.Sprintf("for %d days from the first launch", *d.Days)
	}
	fmt.Fprintf(d.err, `
Everything here is made up, and nothing leaves this computer.

  Desks    %s/desk     (password for all: %s)
  Phones   http://%s%s/     texts arrive here; tap a link yourself
  List     %s     %d patients, as of %s
           and, each Monday from the second on, %s

There are a network with its practices, these people, and a team with working hours; no list, no campaign and no services. You are the manager:
sign in as %s, upload the list and make a campaign; let %s approve it, and
%s note that the practices agree; launch it, and watch. People on the phones answer by themselves, and the link workers call them.

The town's time runs like ours until you launch a campaign, then %s %s, and like ours again
whenever a campaign is paused or waits for you.

`, d.app.PublicURL, d.charter.Password, d.charter.Phones, emulator.DefaultPhonePrefix, list, d.charter.Patients, d.charter.Start.In(town.London).Format("2 January 2006"), filepath.Base(d.freshPath()),
		demoStaff[0].email, demoStaff[1].email, demoStaff[2].email, haste, until)
	d.nameStaff()
}
