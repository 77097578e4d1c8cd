package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/throttle"
)

// No 21st text leaves before somebody says go on, whatever pacers decide and however many of them there are.
func TestFirstLook(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		a := launched(t, db, 50, func(c *campaign.Campaign) { c.Policy.FirstLook = true })
		decide := func(n int) []campaign.Ring {
			return must[[]campaign.Ring](t)(db.Release(ctx, a.epoch, []throttle.Decision{{Campaign: campaignKey(a.campaign.ID), At: testCivil, N: n, Limit: throttle.LimitRate, Sentence: "many"}}))
		}
		view := func() campaign.View {
			return must[campaign.View](t)(db.View(ctx, a.network.ID, a.campaign.ID))
		}
		out := decide(12)
		// Two who both believe that they lead decide at once, of which neither knows of the other's release.
		var both sync.WaitGroup
		var mu sync.Mutex
		for range 2 {
			both.Go(func() {
				rings, err := db.Release(ctx, a.epoch, []throttle.Decision{{Campaign: campaignKey(a.campaign.ID), At: testCivil, N: 50, Limit: throttle.LimitRate, Sentence: "all"}})
				mu.Lock()
				defer mu.Unlock()
				if out = append(out, rings...); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		if len(out) != campaign.FirstBatch || len(decide(50)) != 0 {
			t.Fatalf("%d texts released before anybody has looked, want %d", len(out), campaign.FirstBatch)
		}
		if v := view(); v.State != campaign.Running || v.Last.Limit != string(campaign.LimitFirstBatch) || !strings.Contains(v.Last.Sentence, "first 20 texts are on their way") {
			t.Errorf("while they are on their way: %s, %+v", v.State, v.Last)
		}
		// One is taken out before it leaves, and another goes in its place; one is refused, and none does.
		first := out[0]
		must[campaign.Outgoing](t)(db.Claim(ctx, first))
		if err := db.Record(ctx, first, campaign.Outcome{Event: campaign.Reject, Code: "21211"}); err != nil {
			t.Fatal(err)
		}
		if n := len(decide(50)); n != 0 {
			t.Errorf("%d more after a refusal", n)
		}
		if err := db.write(ctx, "test", func(tx *Tx) error {
			m, err := messageOf(tx, `id = $1`, "", int64(out[1].Message))
			if err != nil {
				return err
			}
			_, err = db.apply(tx, &m, campaign.Suppress, `code = $5`, "opted_out")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		more := decide(50)
		if len(more) != 1 {
			t.Fatalf("%d more after somebody was taken out, want 1", len(more))
		}
		// A person pauses and resumes meanwhile: that is no look, for there was nothing to look at.
		for _, m := range []campaign.Move{campaign.Pause, campaign.Resume} {
			must[campaign.Campaign](t)(db.MoveCampaign(ctx, a.manager, a.campaign.ID, m))
		}
		for i, r := range append(out[2:], more...) {
			must[campaign.Outgoing](t)(db.Claim(ctx, r))
			if n := len(decide(50)); n != 0 {
				t.Fatalf("%d more while the first are being sent", n)
			}
			if err := db.Record(ctx, r, campaign.Outcome{Event: campaign.Accept, SID: "SM" + string(rune('a'+i))}); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(decide(50)); n != 0 {
			t.Fatalf("%d more once the first have gone", n)
		}
		v := view()
		if v.State != campaign.Paused || v.FirstLook != campaign.LookWaits || v.Held != "20 texts have gone. Look at them, then go on." || v.Counts.Texts() != 19 {
			t.Fatalf("after the first: %s %q %q %v", v.State, v.FirstLook, v.Held, v.Counts)
		}
		if n := len(decide(50)); n != 0 {
			t.Fatalf("%d more without a look", n)
		}
		sample, err := db.SentSample(ctx, a.second, a.campaign.ID)
		if err != nil || !strings.Contains(sample, "Hello A…, this is ") || !strings.Contains(sample, "/r/••••") || strings.Contains(sample, "Ann") {
			t.Errorf("the text as it was sent: %q %v", sample, err)
		}
		must[campaign.Campaign](t)(db.MoveCampaign(ctx, a.manager, a.campaign.ID, campaign.Resume))
		if n := len(decide(50)); n != 29 {
			t.Errorf("%d texts after the look, want the other 29", n)
		}
		if v := view(); v.FirstLook != campaign.Looked || v.Held != "" || v.State != campaign.Running {
			t.Errorf("after the look: %s %q %q", v.State, v.FirstLook, v.Held)
		}
	})
}

// A list no longer than the first batch has nothing left to hold back, and one whose manager switched the look off is not held up.
func TestFirstLook_notNeeded(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		db := mustOpen(t, cfg)
		small := launched(t, db, campaign.FirstBatch, func(c *campaign.Campaign) { c.Policy.FirstLook = true })
		small.release(t, campaign.FirstBatch)
		if v := must[campaign.View](t)(db.View(context.Background(), small.network.ID, small.campaign.ID)); v.FirstLook != campaign.NoLook {
			t.Errorf("a list of %d is looked at: %q", campaign.FirstBatch, v.FirstLook)
		}
	})
}

// Over 200 people there are two, and the second types how many; whatever the network allows.
func TestApprove_people(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		few := launched(t, db, 3, nil)
		draft := func(n int) campaign.ID {
			list := few.upload(t, candidates(t, n)...)
			c := must[campaign.Campaign](t)(db.CreateCampaign(ctx, few.manager, campaign.Campaign{Audience: list.ID, Team: few.team.ID, Name: "x",
				Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText}}, Policy: campaign.Policy{Price: 240, Rate: 10}}))
			return must[campaign.Campaign](t)(db.MoveCampaign(ctx, few.manager, c.ID, campaign.Submit)).ID
		}
		small, large := draft(200), draft(201)
		refused := func(want error, id campaign.ID, own bool, a campaign.Approval) {
			t.Helper()
			who := few.second
			if own {
				who = few.manager
			}
			if _, err := db.ApproveCampaign(ctx, who, id, a); !errors.Is(err, want) {
				t.Errorf("own %v, %+v: %v, want %v", own, a, err, want)
			}
		}
		refused(campaign.ErrSameHand, small, true, campaign.Approval{People: 200})
		refused(campaign.ErrPeople, large, false, campaign.Approval{})
		refused(campaign.ErrPeople, large, false, campaign.Approval{People: 200})
		refused(campaign.ErrPeople, small, false, campaign.Approval{People: 201})
		refused(campaign.ErrChanged, large, false, campaign.Approval{Hash: "another", People: 201})
		if err := db.SetOnePerson(ctx, few.network.ID, true); err != nil {
			t.Fatal(err)
		}
		refused(campaign.ErrSameHand, large, true, campaign.Approval{People: 201})
		refused(nil, small, true, campaign.Approval{})
		refused(nil, large, false, campaign.Approval{People: 201})
	})
}

// A draft is saved part by part; what somebody else saved is not overwritten, practices agree to what is now there, and nothing but a draft changes.
func TestSaveCampaign(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		few := launched(t, db, 3, nil)
		list := few.upload(t, candidates(t, 5)...)
		c := must[campaign.Campaign](t)(db.CreateCampaign(ctx, few.manager, campaign.Campaign{Audience: list.ID, Team: few.team.ID, Name: "x", Parts: campaign.PartWho,
			Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText}}, Policy: campaign.Policy{Price: 240, Rate: 10}}))
		if _, err := db.MoveCampaign(ctx, few.manager, c.ID, campaign.Submit); !errors.Is(err, campaign.ErrUnsaved) {
			t.Errorf("submitted what nobody has looked at: %v", err)
		}
		if err := db.ApprovePractice(ctx, few.second, c.ID, "N83001"); err != nil {
			t.Fatal(err)
		}
		agreed := func() (n int) {
			for _, s := range must[[]campaign.PracticeShare](t)(db.PracticeShares(ctx, few.network.ID, c.ID)) {
				if s.Approved {
					n++
				}
			}
			return n
		}
		seen := c.Hash()
		c.Name, c.Parts = "y", campaign.PartWho|campaign.PartWhen
		c = must[campaign.Campaign](t)(db.SaveCampaign(ctx, few.manager, c, seen))
		if agreed() != 1 || c.Parts != campaign.PartWho|campaign.PartWhen || c.Name != "y" {
			t.Errorf("after a new name %d practices agree, and the draft is %+v", agreed(), c)
		}
		c.Policy.Budget++
		c = must[campaign.Campaign](t)(db.SaveCampaign(ctx, few.manager, c, ""))
		if agreed() != 1 {
			t.Error("a practice is asked again about a budget")
		}
		was := c.Policy.DailyCap
		seen = must[campaign.Campaign](t)(db.Campaign(ctx, few.network.ID, c.ID)).Hash()
		c.Policy.DailyCap, c.Parts = 7, campaign.AllParts
		c = must[campaign.Campaign](t)(db.SaveCampaign(ctx, few.manager, c, seen))
		if agreed() != 0 {
			t.Error("a practice agrees to what it has not seen")
		}
		c.Policy.DailyCap = was
		if c = must[campaign.Campaign](t)(db.SaveCampaign(ctx, few.manager, c, "")); agreed() != 1 {
			t.Error("what a practice agreed to is back, and its word is not")
		}
		c.Grounds = campaign.Grounds{Purpose: campaign.DirectCare, Basis: campaign.BasisPublicHealth, DPIA: "D1"}
		c.Policy.First = testCivil.AddDate(0, 0, 3)
		must[campaign.Campaign](t)(db.SaveCampaign(ctx, few.manager, c, ""))
		if got := must[campaign.Campaign](t)(db.Campaign(ctx, few.network.ID, c.ID)); got.Grounds != c.Grounds || !got.Policy.First.Equal(c.Policy.First) || got.Hash() != c.Hash() {
			t.Errorf("saved %+v", got)
		}
		marketing := c
		marketing.Grounds.Purpose = campaign.OtherPurpose
		if _, err := db.SaveCampaign(ctx, few.manager, marketing, ""); !errors.Is(err, campaign.ErrPurpose) {
			t.Errorf("saved for marketing: %v", err)
		}
		if _, err := db.SaveCampaign(ctx, few.second, c, seen); !errors.Is(err, campaign.ErrConflict) {
			t.Errorf("saved over what somebody else saved: %v", err)
		}
		other := c
		other.Audience = 12345
		if _, err := db.SaveCampaign(ctx, few.manager, other, ""); !errors.Is(err, campaign.ErrNotFound) {
			t.Errorf("saved a list that is not there: %v", err)
		}
		must[campaign.Campaign](t)(db.MoveCampaign(ctx, few.manager, c.ID, campaign.Submit))
		must[campaign.Campaign](t)(db.MoveCampaign(ctx, few.second, c.ID, campaign.Approve))
		if _, err := db.SaveCampaign(ctx, few.manager, c, ""); !errors.Is(err, campaign.ErrNotNow) {
			t.Errorf("changed what is approved: %v", err)
		}
		must[campaign.Campaign](t)(db.MoveCampaign(ctx, few.second, c.ID, campaign.Return))
		c.Policy.DailyCap = 8
		if c = must[campaign.Campaign](t)(db.SaveCampaign(ctx, few.manager, c, "")); c.ApprovedHash != "" || c.State != campaign.Draft {
			t.Errorf("after it came back: %+v", c)
		}
		for name, snap := range map[string]campaign.Snapshot{"ahead": must[campaign.Snapshot](t)(db.Outlook(ctx, few.network.ID, c.ID)), "now": must[campaign.Snapshot](t)(db.Snapshot(ctx, few.team.ID))} {
			for _, p := range snap.Policy.Campaigns {
				if begins := p.ID == fmt.Sprint(c.ID); begins != p.First.Equal(c.Policy.First) {
					t.Errorf("%s campaign %s begins %s", name, p.ID, p.First)
				}
			}
		}
	})
}

// A test text goes once, to who asked for it, five times an hour; it is no text of the campaign, and the campaign pays.
func TestSendTest(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		now := testCivil
		cfg.Now = func() time.Time { return now }
		db := mustOpen(t, cfg)
		few := launched(t, db, 3, nil)
		var rings []campaign.Ring
		db.Ring = func(r campaign.Ring) { rings = append(rings, r) }
		c := must[campaign.Campaign](t)(db.CreateCampaign(ctx, few.manager, campaign.Campaign{Audience: few.campaign.Audience, Team: few.team.ID, Name: "x",
			Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText}}, Policy: campaign.Policy{Price: 240, Rate: 10}}))
		mine := must[person.Phone](t)(person.ParseMobile("07700 900123"))
		send := func() error { return db.SendTest(ctx, few.manager, c.ID, 1, lang.English, mine) }
		if err := send(); err != nil || len(rings) != 1 {
			t.Fatalf("a test text: %v, %d rings", err, len(rings))
		}
		out := must[campaign.Outgoing](t)(db.Claim(ctx, rings[0]))
		if !strings.HasPrefix(out.Body, "TEST: Hello Ann, this is Second Surgery.") || out.To != mine || out.ValidFor != 15*time.Minute || out.Synthetic {
			t.Errorf("the test text: %q for %s, made up: %v", out.Body, out.ValidFor, out.Synthetic)
		}
		if _, err := db.Claim(ctx, rings[0]); !errors.Is(err, campaign.ErrTooLate) {
			t.Errorf("claimed twice: %v", err)
		}
		if err := db.Record(ctx, rings[0], campaign.Outcome{Event: campaign.Accept, SID: "SMtest"}); err != nil {
			t.Fatal(err)
		}
		v := must[campaign.View](t)(db.View(ctx, few.network.ID, c.ID))
		if v.Counts.Total() != 0 || v.Services.Texts() != 1 || v.Cost != int64(out.Segments)*240 {
			t.Errorf("counted: %v, %v, %d", v.Counts, v.Services, v.Cost)
		}
		for range campaign.MostTests - 1 {
			if err := send(); err != nil {
				t.Fatal(err)
			}
		}
		if err := send(); !errors.Is(err, campaign.ErrTooOften) {
			t.Errorf("a sixth within the hour: %v", err)
		}
		if err := db.SendTest(ctx, few.second, c.ID, 1, lang.English, mine); err != nil {
			t.Errorf("somebody else's first: %v", err)
		}
		now = now.Add(16 * time.Minute)
		if _, err := db.Claim(ctx, rings[1]); !errors.Is(err, campaign.ErrTooLate) && err == nil {
			t.Error("a test text went out late")
		}
		now = now.Add(time.Hour)
		if err := send(); err != nil {
			t.Errorf("an hour later: %v", err)
		}
		if err := db.SendTest(ctx, few.manager, few.campaign.ID, 1, lang.English, mine); !errors.Is(err, campaign.ErrNotNow) {
			t.Errorf("of a campaign that runs: %v", err)
		}
		if err := db.SendTest(ctx, few.manager, c.ID, 2, lang.English, mine); err == nil {
			t.Error("a step that is not there was sent")
		}
	})
}
