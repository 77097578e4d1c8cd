package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// A practice's word counts from its commit on: every claim reads it under the lock of the campaign that Say takes too, so that no claim that comes after
// the answer to a withdrawal succeeds. That its messages are then put aside, or back in their places, is for the pacer and the counts alone;
// it goes in chunks, and settled tells that it is done.

// agreesTo is true of a row k of practice_approval that agrees to terms; ” are of an agreement from before terms were kept.
func agreesTo(k, terms string) string {
	return `(` + k + `.word = 'agreed' AND ` + k + `.terms IN ('', ` + terms + `))`
}

// ApprovePractice notes that a practice, as controller, agrees to its patients being texted, as the campaign is now.
func (db *DB) ApprovePractice(ctx context.Context, who staff.Account, id campaign.ID, ods string) error {
	return db.SayPractice(ctx, who, id, ods, campaign.Say{Word: campaign.Agrees})
}

// SayPractice takes a practice's word. When it returns, a withdrawal holds: no text to the practice's patients leaves any more. Afterwards the
// caller runs SettlePractices; if it does not, the leader does.
func (db *DB) SayPractice(ctx context.Context, who staff.Account, id campaign.ID, ods string, say campaign.Say) error {
	err := db.write(ctx, "practice's word", func(tx *Tx) error { return db.sayPractice(tx, who, id, ods, say) })
	if err != nil || say.Word == campaign.Agrees {
		return err
	}
	return db.awaitQuiet(ctx, id, ods)
}

func (db *DB) sayPractice(tx *Tx, who staff.Account, id campaign.ID, ods string, say campaign.Say) error {
	c, err := campaignOf(tx, who.Network, id, db.engine.lockClause())
	if err != nil {
		return err
	}
	var known int
	if err := tx.QueryRow(`SELECT COUNT(*) FROM practice WHERE network = $1 AND ods = $2`, int64(who.Network), ods).Scan(&known); err != nil {
		return err
	}
	if known == 0 || !who.Sees(ods) {
		return campaign.ErrNotFound
	}
	if c.State == campaign.Stopped || c.State == campaign.Finished {
		return campaign.ErrNotNow
	}
	terms := c.Terms()
	if say.Terms != "" && say.Terms != terms {
		return campaign.ErrChanged
	}
	var was, wasTo string
	err = notFound(tx.QueryRow(`SELECT word, terms FROM practice_approval WHERE campaign = $1 AND ods = $2`, int64(id), ods).Scan(&was, &wasTo), campaign.ErrNotFound)
	if err != nil && !errors.Is(err, campaign.ErrNotFound) {
		return err
	}
	agreed := was == string(campaign.Agrees) && (wasTo == "" || wasTo == terms)
	switch {
	case say.Word == campaign.Agrees && agreed:
		return nil // twice is once
	case say.Word == campaign.Withdraws && was != string(campaign.Agrees), say.Word == campaign.Refuses && agreed:
		return campaign.ErrNotNow
	}
	_, err = tx.Exec(`
		INSERT INTO practice_approval (campaign, ods, account, at, word, terms, settled) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (campaign, ods) DO UPDATE
		SET account = excluded.account, at = excluded.at, word = excluded.word, terms = excluded.terms, settled = excluded.settled`,
		int64(id), ods, int64(who.ID), tx.now, string(say.Word), terms, say.Word == campaign.Agrees && was == "")
	if err != nil {
		return err
	}
	word := db.newID()
	var note []byte
	if say.Note != "" {
		if note, err = db.sealer.seal("practice_word", "note", strconv.FormatInt(word, 10), []byte(say.Note)); err != nil {
			return err
		}
	}
	_, err = tx.Exec(`INSERT INTO practice_word (id, campaign, ods, account, at, word, terms, note) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		word, int64(id), ods, int64(who.ID), tx.now, string(say.Word), terms, note)
	if err != nil {
		return err
	}
	if say.Word != campaign.Agrees && c.State == campaign.Running {
		if err := mayResume(tx, c); errors.Is(err, campaign.ErrNoPractice) {
			_, err := tx.Exec(`UPDATE campaign SET state = $1, held = $2 WHERE id = $3`, string(campaign.Paused), nobodyAgrees, int64(id))
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
	}
	return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.ApprovePractice),
		Target: fmt.Sprintf("campaign %d practice %s %s", id, ods, say.Word), Outcome: "done"})
}

// nobodyAgrees is why a campaign is held whose last practice has withdrawn.
const nobodyAgrees = "No practice agrees to it any more. Once one does, go on sending."

// mayResume refuses a campaign that no practice agrees to. One of before practices were asked is nobody's.
func mayResume(tx *Tx, c campaign.Campaign) error {
	var asked, agreed int
	err := tx.QueryRow(`
		SELECT COUNT(*), COALESCE(SUM(CASE WHEN `+agreesTo("k", "$2")+` THEN 1 ELSE 0 END), 0)
		FROM practice_approval k
		WHERE k.campaign = $1 AND EXISTS (SELECT 1 FROM patient p WHERE p.audience = $3 AND p.practice = k.ods AND p.invited)`,
		int64(c.ID), c.Terms(), int64(c.Audience)).Scan(&asked, &agreed)
	if err == nil && asked > 0 && agreed == 0 {
		return campaign.ErrNoPractice
	}
	return err
}

// quietEvery is how often a withdrawal looks whether texts that were claimed before it are still being handed over.
const quietEvery = 20 * time.Millisecond

// awaitQuiet waits until the gateway has done with the texts of a practice that were claimed before its word: seconds at most, after which it writes
// no first byte any more.
func (db *DB) awaitQuiet(ctx context.Context, id campaign.ID, ods string) error {
	for {
		busy := 0
		err := db.read(ctx, "texts being handed over", func(tx *Tx) error {
			return tx.QueryRow(`
				SELECT (SELECT COUNT(*)
				        FROM message m
				        JOIN patient p ON p.id = m.patient
				        WHERE m.state = 'sending' AND m.deadline > $1 AND m.campaign = $2 AND p.practice = $3)
				     + (SELECT COUNT(*)
				        FROM service_text s
				        JOIN message m ON m.id = s.corrects
				        JOIN patient p ON p.id = m.patient
				        WHERE s.state = 'sending' AND s.deadline > $1 AND s.corrects > 0 AND s.campaign = $2 AND p.practice = $3)`,
				tx.machine+(campaign.SendDeadline-campaign.FirstByte).Milliseconds(), int64(id), ods).Scan(&busy)
		})
		if err != nil || busy == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(quietEvery):
		}
	}
}

// PracticeShares lists the practices whose patients a campaign would text, and what each says.
func (db *DB) PracticeShares(ctx context.Context, n staff.NetworkID, id campaign.ID) (all []campaign.PracticeShare, err error) {
	err = db.read(ctx, "practice approvals", func(tx *Tx) error {
		c, err := campaignOf(tx, n, id, "")
		if err != nil {
			return err
		}
		all, err = practiceShares(tx, c)
		return err
	})
	return all, err
}

func practiceShares(tx *Tx, c campaign.Campaign) (all []campaign.PracticeShare, err error) {
	withheld, err := withheldBy(tx, c.ID)
	if err != nil {
		return nil, err
	}
	said := map[string]campaign.PracticeShare{}
	terms := c.Terms()
	words, err := list(tx, func(r scanner, s *campaign.PracticeShare) error {
		var at int64
		var to string
		err := r.Scan(&s.ODS, (*string)(&s.Word), &to, &at)
		agreed := s.Word == campaign.Agrees
		s.At = timeOf(at)
		s.Approved = agreed && (to == "" || to == terms)
		s.Stale = agreed && !s.Approved
		return err
	}, `SELECT ods, word, terms, at FROM practice_approval WHERE campaign = $1`, int64(c.ID))
	if err != nil {
		return nil, err
	}
	for _, s := range words {
		said[s.ODS] = s
	}
	if all, err = invitedByPractice(tx, c); err != nil {
		return nil, err
	}
	for i := range all {
		s := said[all[i].ODS]
		s.ODS, s.Invited, s.Withheld = all[i].ODS, all[i].Invited, withheld[all[i].ODS]
		all[i] = s
	}
	return all, nil
}

const withheldByStratum = `SELECT stratum, CAST(SUM(n) AS BIGINT) FROM tally WHERE owner = $1 AND kind = '` + tallyWithheld + `' AND hour = 0 GROUP BY stratum`

// withheldBy adds up by practice what is kept back because it does not agree, by counters: a page of a million texts need not look at them.
func withheldBy(tx *Tx, id campaign.ID) (map[string]int, error) {
	var raw string
	if err := tx.QueryRow(`SELECT strata FROM campaign WHERE id = $1`, int64(id)).Scan(&raw); err != nil {
		return nil, err
	}
	var st strata
	if err := json.Unmarshal([]byte(raw), &st); err != nil {
		return nil, err
	}
	by := map[string]int{}
	_, err := list(tx, func(r scanner, _ *struct{}) error {
		var stratum, n int
		if err := r.Scan(&stratum, &n); err != nil || stratum >= len(st.Names) {
			return err
		}
		ods, _, _ := strings.Cut(st.Names[stratum], " ") // then the age band and, of a reminder, the step
		by[ods] += n
		return nil
	}, withheldByStratum, int64(id))
	return by, err
}

// PracticeSaid lists all that a practice has said of a campaign, newest first.
func (db *DB) PracticeSaid(ctx context.Context, who staff.Account, id campaign.ID, ods string) (all []campaign.Said, err error) {
	err = db.read(ctx, "practice's words", func(tx *Tx) error {
		if _, err := campaignOf(tx, who.Network, id, ""); err != nil {
			return err
		}
		if !who.Sees(ods) {
			return campaign.ErrNotFound
		}
		all, err = list(tx, func(r scanner, s *campaign.Said) error {
			var word, at int64
			var note []byte
			if err := r.Scan(&word, (*int64)(&s.Account), &at, (*string)(&s.Word), &s.Terms, &note); err != nil {
				return err
			}
			s.At = timeOf(at)
			if len(note) == 0 {
				return nil
			}
			b, err := db.sealer.open("practice_word", "note", strconv.FormatInt(word, 10), note)
			s.Note = string(b)
			return err
		}, `SELECT id, account, at, word, terms, note FROM practice_word WHERE campaign = $1 AND ods = $2 ORDER BY id DESC LIMIT 50`, int64(id), ods)
		return err
	})
	return all, err
}

// SeesCampaign tells whether somebody may see a campaign: a practice viewer one that texts patients of theirs.
func (db *DB) SeesCampaign(ctx context.Context, who staff.Account, id campaign.ID) (yes bool, err error) {
	if who.Role != staff.PracticeViewer {
		return true, nil
	}
	err = db.read(ctx, "a viewer's campaign", func(tx *Tx) error {
		for _, ods := range who.PracticeCodes() {
			var n int
			err := tx.QueryRow(`
				SELECT COUNT(*) FROM campaign c
				WHERE c.id = $1 AND c.network = $2 AND EXISTS (SELECT 1 FROM patient p WHERE p.audience = c.audience AND p.practice = $3 AND p.invited)`,
				int64(id), int64(who.Network), ods).Scan(&n)
			if err != nil {
				return err
			}
			if yes = n > 0; yes {
				return nil
			}
		}
		return nil
	})
	return yes, err
}

// CampaignsSeen are the newest campaigns that somebody may see.
func (db *DB) CampaignsSeen(ctx context.Context, who staff.Account, limit int) (all []campaign.Campaign, err error) {
	return db.CampaignsSeenAfter(ctx, who, 0, limit)
}

// CampaignsSeenAfter goes on behind the campaign that was told last; 0 begins with the newest.
func (db *DB) CampaignsSeenAfter(ctx context.Context, who staff.Account, after campaign.ID, limit int) (all []campaign.Campaign, err error) {
	if who.Role != staff.PracticeViewer {
		err = db.read(ctx, "campaigns", func(tx *Tx) (err error) {
			all, err = campaignsOf(tx, campaignsOrder, int64(who.Network), beforeID(int64(after)), limit)
			return err
		})
		return all, err
	}
	codes := who.PracticeCodes()
	if len(codes) == 0 {
		return nil, nil
	}
	args := []any{int64(who.Network), beforeID(int64(after))}
	for _, code := range codes {
		args = append(args, code)
	}
	err = db.read(ctx, "a viewer's campaigns", func(tx *Tx) (err error) {
		all, err = campaignsOf(tx, `
			WHERE network = $1 AND id < $2 AND EXISTS (
				SELECT 1 FROM patient p WHERE p.audience = campaign.audience AND p.invited AND p.practice IN `+tx.engine.placeholders(2, 1, len(codes))+`)
			ORDER BY id DESC LIMIT `+strconv.Itoa(limit), args...)
		return err
	})
	return all, err
}

const campaignsOrder = `WHERE network = $1 AND id < $2 ORDER BY id DESC LIMIT $3`

// SetGrounds states why a draft may use its list. Whoever has agreed to other grounds is asked again.
func (db *DB) SetGrounds(ctx context.Context, who staff.Account, id campaign.ID, g campaign.Grounds) error {
	grounds, err := json.Marshal(g)
	if err != nil {
		return fmt.Errorf("write the grounds: %w", err)
	}
	return db.write(ctx, "set grounds", func(tx *Tx) error {
		c, err := campaignOf(tx, who.Network, id, db.engine.lockClause())
		if err != nil {
			return err
		}
		if c.State != campaign.Draft {
			return campaign.ErrNotNow
		}
		if err := g.Check(); err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE campaign SET grounds = $1 WHERE id = $2`, string(grounds), int64(id)); err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.EditCampaign), Target: fmt.Sprintf("campaign %d grounds", id), Outcome: "done"})
	})
}

// settleChunk messages move in one transaction: well below 50 ms of the writer.
const settleChunk = 500

// errWordChanged ends a settling whose practice has said something else meanwhile: that word is settled on its own.
var errWordChanged = errors.New("the practice has said something else")

// SettlePractices puts the messages of a campaign where its practices' words want them: aside for those who do not agree, back in their places for
// those who agree again. It may be called at any time and goes on where a killed process stopped.
func (db *DB) SettlePractices(ctx context.Context, id campaign.ID) error {
	var c campaign.Campaign
	var open []settling
	err := db.read(ctx, "practices to settle", func(tx *Tx) (err error) {
		if c, err = scanCampaign(tx.QueryRow(`SELECT `+campaignColumns+` FROM campaign WHERE id = $1 AND planning < 0`, int64(id))); err != nil {
			return notFound(err, campaign.ErrNotFound)
		}
		open, err = list(tx, func(r scanner, s *settling) error { return r.Scan(&s.ods, &s.word, &s.at, &s.agrees) }, `
			SELECT k.ods, k.word, k.at, `+agreesTo("k", "$2")+` FROM practice_approval k WHERE k.campaign = $1 AND NOT k.settled ORDER BY k.ods`, int64(id), c.Terms())
		return err
	})
	if errors.Is(err, campaign.ErrNotFound) {
		return nil // it is not launched yet, or still being planned: then it is settled
	}
	for _, s := range open {
		if err == nil {
			if err = db.settle(ctx, c, s); errors.Is(err, errWordChanged) {
				err = nil
			}
		}
	}
	if err != nil {
		return fmt.Errorf("settle the practices of campaign %d: %w", id, err)
	}
	return nil
}

// settling is a word whose messages are not all where it wants them.
type settling struct {
	ods, word string
	at        int64
	agrees    bool
}

func (s settling) still(tx *Tx, id campaign.ID) error {
	var n int
	err := tx.QueryRow(`SELECT COUNT(*) FROM practice_approval WHERE campaign = $1 AND ods = $2 AND word = $3 AND at = $4 AND NOT settled`, int64(id), s.ods, s.word, s.at).Scan(&n)
	if err == nil && n == 0 {
		return errWordChanged
	}
	return err
}

func (db *DB) settle(ctx context.Context, c campaign.Campaign, s settling) error {
	from := []campaign.MessageState{campaign.Planned, campaign.Released}
	if s.agrees {
		from = []campaign.MessageState{campaign.Suppressed}
	}
	for _, state := range from {
		var place, last int64
		for {
			var ids []any
			seen := 0
			err := db.read(ctx, "messages of a practice", func(tx *Tx) error {
				ids, seen = nil, 0
				// By the partial index of each state; the practice is looked up for each, since hardly anything else stands in these indexes.
				where := map[campaign.MessageState]string{
					campaign.Planned:    `m.state = 'planned' AND (m.place > $2 OR m.place = $2 AND m.id > $3) ORDER BY m.place, m.id`,
					campaign.Released:   `m.state = 'released' AND (m.released_at > $2 OR m.released_at = $2 AND m.id > $3) ORDER BY m.released_at, m.id`,
					campaign.Suppressed: `m.state = 'suppressed' AND m.code = 'practice_disagrees' AND $2 >= 0 AND m.id > $3 ORDER BY m.id`}[state]
				key := map[campaign.MessageState]string{campaign.Planned: `m.place`, campaign.Released: `m.released_at`, campaign.Suppressed: `0`}[state]
				rows, err := tx.Query(`
					SELECT m.id, `+key+`, p.practice
					FROM message m
					JOIN patient p ON p.id = m.patient
					WHERE m.campaign = $1 AND `+where+` LIMIT $4`, int64(c.ID), place, last, settleChunk)
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
					var ods string
					if err := rows.Scan(&last, &place, &ods); err != nil {
						return err
					}
					if seen++; ods == s.ods {
						ids = append(ids, last)
					}
				}
				return rows.Err()
			})
			if err != nil {
				return err
			}
			if len(ids) > 0 {
				if err := db.settleSome(ctx, c, s, state, ids); err != nil {
					return err
				}
			}
			if seen < settleChunk {
				break
			}
		}
	}
	return db.write(ctx, "practice settled", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE practice_approval SET settled = TRUE WHERE campaign = $1 AND ods = $2 AND word = $3 AND at = $4`, int64(c.ID), s.ods, s.word, s.at)
		return err
	})
}

func (db *DB) settleSome(ctx context.Context, c campaign.Campaign, s settling, from campaign.MessageState, ids []any) error {
	to, code, guard := campaign.Suppressed, campaign.DisagreesCode, ""
	if s.agrees {
		to, code, guard = campaign.Planned, "", ` AND code = 'practice_disagrees'`
	}
	return db.write(ctx, "settle a practice", func(tx *Tx) error {
		now, err := campaignOf(tx, c.Network, c.ID, db.engine.lockClause())
		if err != nil {
			return err
		}
		if err := s.still(tx, c.ID); err != nil {
			return err
		}
		if s.agrees && now.State != campaign.Running && now.State != campaign.Paused {
			return errWordChanged // it is over
		}
		_, strata, err := db.movedBy(tx, int64(c.ID), from, to, `
			UPDATE message SET state = $1, code = $2
			WHERE state = $3`+guard+` AND id IN `+tx.engine.placeholders(3, 1, len(ids))+`
			RETURNING id, attempt, rings, stratum, cost`, append([]any{string(to), code, string(from)}, ids...)...)
		if err != nil {
			return err
		}
		for _, stratum := range slices.Sorted(maps.Keys(strata)) { // in one order, as everywhere
			n := strata[stratum]
			if s.agrees {
				n = -n
			}
			if err := db.bumpCause(tx, int64(c.ID), stratum, campaign.Suppressed, campaign.DisagreesCode, n); err != nil {
				return err
			}
		}
		return nil
	})
}
