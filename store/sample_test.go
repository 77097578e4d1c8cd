package store

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// The people of a list can be walked one by one, each with exactly what their text will show, and the dearest of them is found.
func TestSample(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		const n = 40
		w := launchedList(t, db, speakers(t, n, []string{"", "Polish", "Arabic"}), n-2, func(c *campaign.Campaign) {
			translated(lang.Polish, lang.Arabic)(c)
		})
		list, texts := w.campaign.Audience, must[campaign.Texts](t)(w.campaign.Texts(1))
		read := func(at campaign.PatientID) campaign.Sample {
			return must[campaign.Sample](t)(db.Sample(ctx, w.second, list, at))
		}
		bodyOf := func(s campaign.Sample) (string, int) {
			_, tpl := texts.For(s.Language)
			body, size := campaign.Compose(tpl, s.To)
			return strings.ReplaceAll(body, s.To.Token.Reveal(), "•"), size.Segments
		}
		planned := map[string]int{}
		for _, r := range w.release(t, n-2) {
			out := w.claim(t, r)
			planned[strings.ReplaceAll(out.Body, link.Mint(db.sealer.linkKey(), int64(r.Message)).Reveal(), "•")]++
		}
		var walked []campaign.Sample
		dearest := 0
		for s := read(0); ; s = read(s.After) {
			if len(walked) == 0 && s.Before != 0 || len(walked) > 0 && s.Before != walked[len(walked)-1].ID {
				t.Fatalf("row %d: before it stands %d", s.Row, s.Before)
			}
			walked = append(walked, s)
			body, parts := bodyOf(s)
			if planned[body]--; planned[body] < 0 {
				t.Errorf("row %d: shown, and not sent: %q", s.Row, body)
			}
			dearest = max(dearest, parts)
			if s.After == 0 {
				break
			}
		}
		if len(walked) != n-2 || !walked[2].To.Shared || !walked[3].To.Shared || walked[4].To.Shared || walked[0].To.Phone.Reveal() != "" {
			t.Errorf("%d people; the first %+v", len(walked), walked[0])
		}
		e := must[campaign.Estimate](t)(db.EstimateTexts(ctx, w.network.ID, list, texts))
		if _, parts := bodyOf(read(e.Dearest)); e.Dearest == 0 || parts != e.Longest || parts != dearest {
			t.Errorf("the dearest has %d parts; there are texts of %d, and the estimate says %d", parts, dearest, e.Longest)
		}
		if s := read(12345); s.ID != walked[0].ID {
			t.Errorf("nobody's id shows row %d", s.Row)
		}
		if _, err := db.Sample(ctx, staff.Account{ID: w.second.ID, Network: w.network.ID + 1}, list, 0); !errors.Is(err, campaign.ErrNotFound) {
			t.Errorf("another network's list: %v", err)
		}
		if err := db.write(ctx, "test", func(tx *Tx) error {
			_, err := tx.Exec(`DELETE FROM patient WHERE audience = $1`, int64(list))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Sample(ctx, w.second, list, walked[3].ID); !errors.Is(err, campaign.ErrNotFound) {
			t.Errorf("a list whose people are gone: %v", err)
		}
	})
}
