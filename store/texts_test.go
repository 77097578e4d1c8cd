package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/campaign/text"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
)

// translated gives a campaign the ready translations of some languages.
func translated(languages ...lang.Code) func(*campaign.Campaign) {
	return func(c *campaign.Campaign) {
		c.Steps[0].Translations = map[lang.Code]campaign.Translation{}
		for _, code := range languages {
			r, _ := campaign.Ready(code)
			c.Steps[0].Translations[code] = campaign.Translation{Text: r.Text}
		}
	}
}

// speakers are n people of all sorts: they speak what cells say in turn, names are short, long and of letters that GSM-7 does not have,
// and the last two share the numbers of the third and the fourth, who have such letters.
func speakers(tb testing.TB, n int, cells []string) (list []campaign.Candidate) {
	names := []string{"Ann", "Christopher", "Siân", "Łucja", "Mary-Jo", "J", "PAM", "", "Оксана", "Zoe", "Aleksandra-Maria", "Bob", "Eve"}
	for i := range n {
		c := testCandidate(tb, i+1)
		c.Name = person.NewName(names[i%len(names)], "Testperson")
		c.Language = cells[i%len(cells)]
		if i >= n-2 {
			c.Phone = list[i-n+4].Phone
		}
		list = append(list, c)
	}
	return list
}

// Whoever's list says Arabic gets the Arabic text, frozen by the claim; whoever's says Somali, in which there is none, the English one.
func TestTexts_inThePatientsLanguage(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		cells := []string{"Arabic", "Somali", "Main spoken language Polish", "", "pl-PL", "Urdu"}
		var list []campaign.Candidate
		for i, cell := range cells {
			c := testCandidate(t, i+1)
			c.Language = cell
			list = append(list, c)
		}
		w := launchedList(t, db, list, len(cells), translated(lang.Arabic, lang.Polish))
		opening := map[string]string{"Arabic": "مرحبًا Ann،", "Main spoken language Polish": "Dzień dobry Ann, tu ", "pl-PL": "Dzień dobry Ann, tu "}
		for _, r := range w.release(t, len(cells)) {
			out := w.claim(t, r)
			row := count(t, db, `SELECT p.row FROM message m JOIN patient p ON p.id = m.patient WHERE m.id = $1`, int64(r.Message))
			cell := cells[row-1]
			want := opening[cell]
			if want == "" {
				want = "Hello Ann, this is "
			}
			if !strings.HasPrefix(out.Body, want) {
				t.Errorf("%q gets %q", cell, out.Body)
			}
			if size := text.Count(out.Body); out.Segments != size.Segments || count(t, db, `SELECT cost FROM message WHERE id = $1`, int64(r.Message)) != 240*int64(size.Segments) {
				t.Errorf("%q: %d parts, sent are %d", cell, out.Segments, size.Segments)
			}
			var sealed []byte
			if err := db.read(ctx, "test", func(tx *Tx) error {
				return tx.QueryRow(`SELECT frozen FROM message WHERE id = $1`, int64(r.Message)).Scan(&sealed)
			}); err != nil {
				t.Fatal(err)
			}
			if f, err := db.openFrozen(int64(r.Message), sealed); err != nil || f.Body != out.Body {
				t.Errorf("%q: frozen %q, %v", cell, f.Body, err)
			}
		}
		// Whoever checks a text by the public page finds it there in its language.
		all := must[[]selfrefer.Sending](t)(db.Sending(ctx))
		if len(all) != 1 || len(all[0].Texts) != 1 || len(all[0].Translated) != 2 || all[0].Translated[0].Language != lang.Polish || !strings.HasPrefix(all[0].Translated[1].Words, "مرحبًا Sam،") {
			t.Errorf("sending %+v", all)
		}
	})
}

// A change of a translation after the approval is a change.
func TestTexts_translationIsApproved(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 2, nil)
		c := campaign.Campaign{Audience: w.campaign.Audience, Team: w.team.ID, Name: "Autumn", Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText}}}
		translated(lang.Welsh)(&c)
		c = must[campaign.Campaign](t)(db.CreateCampaign(ctx, w.manager, c))
		for _, m := range []campaign.Move{campaign.Submit, campaign.Approve} {
			who := w.manager
			if m == campaign.Approve {
				who = w.second
			}
			c = must[campaign.Campaign](t)(db.MoveCampaign(ctx, who, c.ID, m))
		}
		for _, p := range w.network.Practices {
			if err := db.ApprovePractice(ctx, w.second, c.ID, p.ODS); err != nil {
				t.Fatal(err)
			}
		}
		change := func(from, to string) {
			t.Helper()
			err := db.write(ctx, "test", func(tx *Tx) error {
				_, err := tx.Exec(`UPDATE campaign SET steps = REPLACE(steps, $1, $2) WHERE id = $3`, from, to, int64(c.ID))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		change("gweithiwr cyswllt", "rhywun arall")
		_, err := db.MoveCampaign(ctx, w.manager, c.ID, campaign.Launch)
		wantErr(t, err, campaign.ErrChanged)
		change("rhywun arall", "gweithiwr cyswllt")
		must[campaign.Campaign](t)(db.MoveCampaign(ctx, w.manager, c.ID, campaign.Launch))
	})
}

// A text that asks for an answer goes no further once the sender is a name, however far it has come.
func TestTexts_replyIsRefusedAtEveryMove(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 2, nil)
		sender := func(s string) {
			t.Helper()
			if err := db.write(ctx, "test", func(tx *Tx) error {
				_, err := tx.Exec(`UPDATE network SET sender = $1 WHERE id = $2`, s, int64(w.network.ID))
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		c := campaign.Campaign{Audience: w.campaign.Audience, Team: w.team.ID, Name: "Reply", Steps: []campaign.Step{{Number: 1, Template: campaign.DefaultText + "\nOr reply CALL"}}}
		refused := func(err error) {
			t.Helper()
			var unsendable campaign.ErrUnsendable
			if !errors.As(err, &unsendable) || !strings.Contains(err.Error(), "sender cannot be answered") {
				t.Errorf("not refused: %v", err)
			}
		}
		_, err := db.CreateCampaign(ctx, w.manager, c)
		refused(err)
		sender("+447700900123")
		c = must[campaign.Campaign](t)(db.CreateCampaign(ctx, w.manager, c))
		for _, m := range []campaign.Move{campaign.Submit, campaign.Approve, campaign.Launch} {
			who := w.manager
			if m == campaign.Approve {
				who = w.second
			}
			sender("TestPCN")
			_, err := db.MoveCampaign(ctx, who, c.ID, m)
			refused(err)
			sender("+447700900123")
			if m == campaign.Launch {
				for _, p := range w.network.Practices {
					if err := db.ApprovePractice(ctx, w.second, c.ID, p.ODS); err != nil {
						t.Fatal(err)
					}
				}
			}
			c = must[campaign.Campaign](t)(db.MoveCampaign(ctx, who, c.ID, m))
		}
	})
}

// The estimate is what the launch plans to the part, per language, name, practice and shared number; and what is sent.
func TestEstimateTexts_isExact(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		const n = 1203 // more than two chunks
		cells := []string{"", "Polish", "English", "Arabic", "Somali", "zh-CN", "Speaks Punjabi"}
		w := launchedList(t, db, speakers(t, n, cells), n-2, func(c *campaign.Campaign) {
			translated(lang.Polish, lang.Arabic, lang.Chinese)(c)
			c.Steps[0].Template = strings.Replace(campaign.DefaultText, "Hello", "Dear", 1) + "\n" + strings.Repeat("x", 30) // near a border, and longer without a name
		})
		texts := must[campaign.Texts](t)(w.campaign.Texts(1))
		for range 2 { // counted, and remembered
			e := must[campaign.Estimate](t)(db.EstimateTexts(ctx, w.network.ID, w.campaign.Audience, texts))
			cost := count(t, db, `SELECT SUM(cost) FROM message WHERE campaign = $1`, int64(w.campaign.ID))
			if e.Texts != n-2 || int64(e.Segments)*240 != cost || len(e.In) != 4 {
				t.Errorf("estimate %+v, planned %d parts", e, cost/240)
			}
			if longest := count(t, db, `SELECT MAX(cost) FROM message WHERE campaign = $1`, int64(w.campaign.ID)); int64(e.Longest)*240 != longest || e.Dear == 0 || e.Dear > n/3 || e.In[lang.Chinese].Longest >= e.Longest {
				t.Errorf("longest %d, planned %d; %+v", e.Longest, longest/240, e)
			}
			people := must[map[lang.Code]int](t)(db.Speakers(ctx, w.network.ID, w.campaign.Audience))
			if people[lang.Polish] != e.In[lang.Polish].Texts || people[lang.Punjabi] == 0 || people[""]+people[lang.English]+people[lang.Punjabi] != e.In[lang.English].Texts {
				t.Errorf("speakers %v, estimate %+v", people, e.In)
			}
		}
		if _, err := db.EstimateTexts(ctx, w.network.ID+1, w.campaign.Audience, texts); !errors.Is(err, campaign.ErrNotFound) {
			t.Errorf("another network's list: %v", err)
		}
		if _, err := db.Speakers(ctx, w.network.ID+1, w.campaign.Audience); !errors.Is(err, campaign.ErrNotFound) {
			t.Errorf("another network's list: %v", err)
		}
		sent := 0
		for _, r := range w.release(t, 60) {
			out := w.claim(t, r)
			sent += out.Segments
			if got := count(t, db, `SELECT cost FROM message WHERE id = $1`, int64(r.Message)); got != 240*int64(out.Segments) {
				t.Errorf("planned %d, sent %d parts", got/240, out.Segments)
			}
		}
		if v := must[campaign.View](t)(db.View(ctx, w.network.ID, w.campaign.ID)); v.Cost != int64(sent)*240 {
			t.Errorf("the view says %d, sent %d", v.Cost, sent*240)
		}
	})
}

// A practice got a longer name between the plan and the claim: what is counted is the text as it is sent.
func TestClaim_chargesWhatIsSent(t *testing.T) {
	eachEngine(t, func(t *testing.T, cfg Config) {
		ctx := context.Background()
		db := mustOpen(t, cfg)
		w := launched(t, db, 4, nil)
		rings := w.release(t, 4)
		before := must[campaign.View](t)(db.View(ctx, w.network.ID, w.campaign.ID)).Cost
		if err := db.write(ctx, "test", func(tx *Tx) error {
			_, err := tx.Exec(`UPDATE practice SET name = $1 WHERE network = $2`, "Llŷn "+strings.Repeat("x", 50), int64(w.network.ID))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		sent := int64(0)
		for _, r := range rings {
			sent += 240 * int64(w.claim(t, r).Segments)
		}
		v := must[campaign.View](t)(db.View(ctx, w.network.ID, w.campaign.ID))
		if rows := count(t, db, `SELECT SUM(cost) FROM message WHERE campaign = $1`, int64(w.campaign.ID)); v.Cost != sent || rows != sent || sent == before {
			t.Errorf("sent %d, counted %d, rows %d, planned %d", sent, v.Cost, rows, before)
		}
		if err := db.Record(ctx, rings[0], campaign.Outcome{Event: campaign.Reject, Code: "21211"}); err != nil {
			t.Fatal(err)
		}
		if v := must[campaign.View](t)(db.View(ctx, w.network.ID, w.campaign.ID)); v.Cost != sent*3/4 {
			t.Errorf("after a refusal %d, want %d", v.Cost, sent*3/4)
		}
	})
}

func BenchmarkEstimateTexts(b *testing.B) {
	cfg := testConfig(b)
	db := mustOpen(b, cfg)
	const n = 52_000
	w := launchedList(b, db, speakers(b, n, []string{"", "Polish", "English", "Arabic", "Somali"}), n-2, translated(lang.Polish, lang.Arabic))
	texts := must[campaign.Texts](b)(w.campaign.Texts(1))
	for _, kept := range []bool{false, true} {
		b.Run(fmt.Sprintf("kept=%v", kept), func(b *testing.B) {
			for b.Loop() {
				if !kept {
					db.estimates.Clear()
				}
				must[campaign.Estimate](b)(db.EstimateTexts(context.Background(), w.network.ID, w.campaign.Audience, texts))
			}
		})
	}
}
