package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/campaign/link"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/throttle"
)

const campaignColumns = `id, network, team, audience, name, state, steps, policy, seed, approved_hash, held,
	created_by, submitted_by, approved_by, created_at, launched_at, finished_at, links_off_at, first_look, parts, grounds, fresh_at`

func scanCampaign(row interface{ Scan(...any) error }) (c campaign.Campaign, err error) {
	var steps, policy, grounds string
	var seed, created, launched, finished, off, parts, fresh int64
	err = row.Scan((*int64)(&c.ID), (*int64)(&c.Network), (*int64)(&c.Team), (*int64)(&c.Audience), &c.Name, (*string)(&c.State), &steps, &policy, &seed,
		&c.ApprovedHash, &c.Held, (*int64)(&c.CreatedBy), (*int64)(&c.SubmittedBy), (*int64)(&c.ApprovedBy), &created, &launched, &finished, &off,
		(*string)(&c.FirstLook), &parts, &grounds, &fresh)
	if err != nil {
		return c, err
	}
	c.Parts = campaign.Parts(parts)
	c.Seed, c.CreatedAt, c.LaunchedAt, c.FinishedAt, c.LinksOffAt = uint64(seed), timeOf(created), timeOf(launched), timeOf(finished), timeOf(off)
	c.FreshAt = timeOf(dayOf(fresh))
	return c, errors.Join(json.Unmarshal([]byte(steps), &c.Steps), json.Unmarshal([]byte(policy), &c.Policy), json.Unmarshal([]byte(grounds), &c.Grounds))
}

// CreateCampaign writes a draft. The list and the team must be of the same network. One without Parts was made in one go, and has all.
func (db *DB) CreateCampaign(ctx context.Context, who staff.Account, c campaign.Campaign) (campaign.Campaign, error) {
	c.ID, c.Network, c.State, c.CreatedBy = campaign.ID(db.newID()), who.Network, campaign.Draft, who.ID
	if c.Parts == 0 {
		c.Parts = campaign.AllParts
	}
	if c.Seed == 0 {
		c.Seed = rand.Uint64() >> 1 // fits a signed column
	}
	if c.Grounds == (campaign.Grounds{}) {
		c.Grounds = campaign.DefaultGrounds
	}
	grounds, err := json.Marshal(c.Grounds)
	if err != nil {
		return c, fmt.Errorf("write the grounds: %w", err)
	}
	steps, err := json.Marshal(c.Steps)
	if err != nil {
		return c, fmt.Errorf("write the steps: %w", err)
	}
	policy, err := json.Marshal(c.Policy)
	if err != nil {
		return c, fmt.Errorf("write the policy: %w", err)
	}
	err = db.write(ctx, "create campaign", func(tx *Tx) error {
		if err := checkOwn(tx, c); err != nil {
			return err
		}
		if c.Parts == campaign.AllParts { // what is not finished is checked before it is submitted
			if err := db.checkTexts(tx, c); err != nil {
				return err
			}
		}
		c.CreatedAt = timeOf(tx.now)
		_, err = tx.Exec(`
			INSERT INTO campaign (`+campaignColumns+`, strata, memory, planning, segments)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', '', $10, 0, 0, $11, 0, 0, 0, '', $12, $13, 0, '{}', '{}', 0, 1)`,
			int64(c.ID), int64(c.Network), int64(c.Team), int64(c.Audience), c.Name, string(c.State), string(steps), string(policy), int64(c.Seed), int64(who.ID), tx.now, int64(c.Parts), string(grounds))
		if err != nil {
			return err
		}
		return db.auditCampaign(tx, who, staff.EditCampaign, c.ID)
	})
	return c, err
}

// checkOwn refuses a list or a team that is not of the campaign's network, and a list that is not screened.
func checkOwn(tx *Tx, c campaign.Campaign) error {
	var n int
	err := tx.QueryRow(`
		SELECT COUNT(*)
		FROM audience a
		JOIN team t ON t.network = a.network
		WHERE a.id = $1 AND a.network = $2 AND a.state = $3 AND t.id = $4`,
		int64(c.Audience), int64(c.Network), string(campaign.Screened), int64(c.Team)).Scan(&n)
	if err == nil && n == 0 {
		err = campaign.ErrNotFound
	}
	return err
}

// checkTexts checks a campaign against its network's sender and its list, as they are now.
func (db *DB) checkTexts(tx *Tx, c campaign.Campaign) (err error) {
	var in campaign.Setting
	if in.Network, err = db.network(tx, c.Network); err != nil {
		return err
	}
	if err := tx.QueryRow(`SELECT synthetic FROM audience WHERE id = $1`, int64(c.Audience)).Scan(&in.Synthetic); err != nil {
		return err
	}
	return c.Check(in)
}

func (db *DB) auditCampaign(tx *Tx, who staff.Account, action staff.Action, id campaign.ID) error {
	return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(action), Target: fmt.Sprintf("campaign %d", id), Outcome: "done"})
}

// Campaign reads one campaign of a network.
func (db *DB) Campaign(ctx context.Context, n staff.NetworkID, id campaign.ID) (c campaign.Campaign, err error) {
	err = db.read(ctx, "campaign", func(tx *Tx) error {
		c, err = campaignOf(tx, n, id, "")
		return err
	})
	return c, err
}

func campaignOf(tx *Tx, n staff.NetworkID, id campaign.ID, lock string) (campaign.Campaign, error) {
	c, err := scanCampaign(tx.QueryRow(`SELECT `+campaignColumns+` FROM campaign WHERE id = $1 AND network = $2`+lock, int64(id), int64(n)))
	return c, notFound(err, campaign.ErrNotFound)
}

// Campaigns lists a network's campaigns, newest first.
func (db *DB) Campaigns(ctx context.Context, n staff.NetworkID, limit int) (all []campaign.Campaign, err error) {
	err = db.read(ctx, "campaigns", func(tx *Tx) (err error) {
		all, err = campaignsOf(tx, `WHERE network = $1 ORDER BY id DESC LIMIT $2`, int64(n), limit)
		return err
	})
	return all, err
}

func campaignsOf(tx *Tx, where string, args ...any) (all []campaign.Campaign, err error) {
	rows, err := tx.Query(`SELECT `+campaignColumns+` FROM campaign `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		c, err := scanCampaign(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// invitedByPractice is how many people of each practice a campaign would text, in the order of the practices.
func invitedByPractice(tx *Tx, c campaign.Campaign) (all []campaign.PracticeShare, err error) {
	if !c.LaunchedAt.IsZero() {
		if all, err = plannedShares(tx, c.ID); err != nil || len(all) > 0 {
			return all, err
		}
	}
	return list(tx, func(r scanner, s *campaign.PracticeShare) error { return r.Scan(&s.ODS, &s.Invited) },
		`SELECT practice, COUNT(*) FROM patient WHERE audience = $1 AND invited GROUP BY practice ORDER BY practice`, int64(c.Audience))
}

// plannedShares adds up the strata that the launch has fixed, so that the page of a long list need not count its people; none before that.
func plannedShares(tx *Tx, id campaign.ID) (all []campaign.PracticeShare, err error) {
	var raw string
	if err := tx.QueryRow(`SELECT strata FROM campaign WHERE id = $1`, int64(id)).Scan(&raw); err != nil {
		return nil, err
	}
	var st strata
	if err := json.Unmarshal([]byte(raw), &st); err != nil {
		return nil, err
	}
	for i, name := range st.Names[:min(st.Base, len(st.Names))] { // in the order of the practices
		ods := name[:max(strings.LastIndexByte(name, ' '), 0)]
		if len(all) == 0 || all[len(all)-1].ODS != ods {
			all = append(all, campaign.PracticeShare{ODS: ods})
		}
		all[len(all)-1].Invited += st.Sizes[i]
	}
	return all, nil
}

// MoveCampaign takes one step of a campaign's life on behalf of somebody who may. A launch plans all messages before it returns; see
// LaunchCampaign.
func (db *DB) MoveCampaign(ctx context.Context, who staff.Account, id campaign.ID, m campaign.Move) (campaign.Campaign, error) {
	c, err := db.moveCampaign(ctx, who, id, m, campaign.Approval{})
	if err == nil && m == campaign.Launch {
		err = db.PlanMessages(ctx, id)
	}
	return c, err
}

// LaunchCampaign launches and returns at once. The campaign sends nothing until PlanMessages, which the caller runs next, is done.
func (db *DB) LaunchCampaign(ctx context.Context, who staff.Account, id campaign.ID) (campaign.Campaign, error) {
	return db.moveCampaign(ctx, who, id, campaign.Launch, campaign.Approval{})
}

// ApproveCampaign approves what the second person has seen. MoveCampaign does for a short list, where nobody need type how many people it has.
func (db *DB) ApproveCampaign(ctx context.Context, who staff.Account, id campaign.ID, a campaign.Approval) (campaign.Campaign, error) {
	return db.moveCampaign(ctx, who, id, campaign.Approve, a)
}

func (db *DB) moveCampaign(ctx context.Context, who staff.Account, id campaign.ID, m campaign.Move, a campaign.Approval) (c campaign.Campaign, err error) {
	err = db.write(ctx, "move campaign", func(tx *Tx) error {
		if c, err = campaignOf(tx, who.Network, id, db.engine.lockClause()); err != nil {
			return err
		}
		to, ok := campaign.NextState(c.State, m)
		if !ok {
			return campaign.ErrNotNow
		}
		switch m {
		case campaign.Submit, campaign.Approve, campaign.Launch:
			// The sender may have become a name since, which cannot be answered.
			if err := db.checkTexts(tx, c); err != nil {
				return err
			}
		}
		switch m {
		case campaign.Submit:
			if !c.Parts.Has(campaign.AllParts) {
				return campaign.ErrUnsaved
			}
			if err := checkListAge(tx, c); err != nil {
				return err
			}
			c.SubmittedBy, c.ApprovedBy, c.ApprovedHash = who.ID, 0, ""
		case campaign.Approve:
			if err := db.mayApprove(tx, who, c, a); err != nil {
				return err
			}
			c.ApprovedBy, c.ApprovedHash = who.ID, c.Hash()
		case campaign.Return:
			c.ApprovedBy, c.ApprovedHash = 0, ""
		case campaign.Launch:
			if err := db.mayLaunch(tx, c); err != nil {
				return err
			}
			if c.LaunchedAt = timeOf(tx.now); c.FirstLook == campaign.NoLook {
				people, err := invitedIn(tx, c.Audience)
				if err != nil {
					return err
				}
				if c.NeedsLook(people) {
					c.FirstLook = campaign.LookDue
				}
			}
		case campaign.Resume:
			if err := mayResume(tx, c); err != nil {
				return err
			}
			if c.Held = ""; c.FirstLook == campaign.LookWaits {
				c.FirstLook = campaign.Looked
			}
		case campaign.Stop, campaign.Finish:
			c.FinishedAt = timeOf(tx.now)
		}
		c.State = to
		_, err := tx.Exec(`
			UPDATE campaign
			SET state = $1, submitted_by = $2, approved_by = $3, approved_hash = $4, launched_at = $5, finished_at = $6, held = $7, first_look = $8
			WHERE id = $9`,
			string(c.State), int64(c.SubmittedBy), int64(c.ApprovedBy), c.ApprovedHash, msOf(c.LaunchedAt), msOf(c.FinishedAt), c.Held, string(c.FirstLook), int64(c.ID))
		if err != nil {
			return err
		}
		action := map[campaign.Move]staff.Action{campaign.Submit: staff.SubmitCampaign, campaign.Approve: staff.ApproveCampaign, campaign.Return: staff.ApproveCampaign}[m]
		if action == "" {
			action = staff.RunCampaign
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(action), Target: fmt.Sprintf("campaign %d %s", c.ID, m), Outcome: "done"})
	})
	return c, err
}

// explained reports whether somebody has looked at the link since a silence was noticed; the pacer counts in whole seconds.
func explained(s *throttle.Silence, resumedAt int64) bool { return resumedAt/1000 > s.To }

// SwitchLinks switches the links of a campaign's texts off, as after a wrong text, or on again. Who has begun a form can still send it, and
// nobody is turned away: a link that is off leads to the form without one.
func (db *DB) SwitchLinks(ctx context.Context, who staff.Account, id campaign.ID, off bool) error {
	return db.write(ctx, "switch links", func(tx *Tx) error {
		c, err := campaignOf(tx, who.Network, id, db.engine.lockClause())
		if err != nil {
			return err
		}
		if c.LaunchedAt.IsZero() {
			return campaign.ErrNotNow
		}
		at, word := int64(0), "links-on"
		if off {
			at, word = max(tx.now, 1), "links-off"
		}
		if _, err := tx.Exec(`UPDATE campaign SET links_off_at = $1 WHERE id = $2`, at, int64(id)); err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.RunCampaign), Target: fmt.Sprintf("campaign %d %s", id, word), Outcome: "done"})
	})
}

// ConfirmLink notes that somebody has looked at the link of a campaign whose answers had stopped, and found that it works. Whoever says so
// again changes nothing; where nothing waits for it, it is refused.
func (db *DB) ConfirmLink(ctx context.Context, who staff.Account, id campaign.ID) error {
	return db.write(ctx, "confirm link", func(tx *Tx) error {
		c, err := campaignOf(tx, who.Network, id, db.engine.lockClause())
		if err != nil {
			return err
		}
		var memoryJSON string
		var resumed int64
		if err := tx.QueryRow(`SELECT memory, resumed_at FROM campaign WHERE id = $1`, int64(id)).Scan(&memoryJSON, &resumed); err != nil {
			return err
		}
		var memory throttle.Memory
		if err := json.Unmarshal([]byte(memoryJSON), &memory); err != nil {
			return err
		}
		s := memory.Silence
		switch {
		case s == nil || (c.State != campaign.Running && c.State != campaign.Paused):
			return campaign.ErrNotNow
		case explained(s, resumed):
			return nil
		}
		at := max(tx.now, (s.To+1)*1000) // not in the second of the alarm itself, or the pacer would miss it
		if _, err := tx.Exec(`UPDATE campaign SET resumed_at = $1 WHERE id = $2`, at, int64(id)); err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.RunCampaign), Target: fmt.Sprintf("campaign %d confirm-link", id), Outcome: "done"})
	})
}

func (db *DB) mayLaunch(tx *Tx, c campaign.Campaign) error {
	if c.ApprovedHash == "" || c.ApprovedHash != c.Hash() {
		return campaign.ErrChanged
	}
	shares, err := practiceShares(tx, c)
	if err != nil {
		return err
	}
	var missing campaign.ErrPractices
	agreed := false
	for _, s := range shares {
		if !s.Decided() {
			missing = append(missing, s.ODS)
		}
		agreed = agreed || s.Approved
	}
	if len(missing) > 0 {
		return missing
	}
	if !agreed {
		return campaign.ErrNoPractice
	}
	return nil
}

// strata are the groups whose response is learned separately, fixed at launch. Those of step k follow those of step k-1.
type strata struct {
	Names []string `json:"names"`
	Sizes []int    `json:"sizes"`
	Base  int      `json:"base"` // how many of them are of the first step
	// Turns are those of the first step's strata in a reminder that goes to the least heard first, fixed when it begins.
	Turns []campaign.Turn `json:"turns,omitempty"`
}

const planChunk = 500

// errPlannedElsewhere ends a plan that another process is writing.
var errPlannedElsewhere = errors.New("another process plans this campaign")

// PlanMessages writes one planned message for every invited patient of a launched campaign, in chunks. It goes on where a killed process
// stopped, does nothing if the plan is complete, and leaves it to another process that is at it.
func (db *DB) PlanMessages(ctx context.Context, id campaign.ID) error {
	err := db.planMessages(ctx, id)
	if err != nil && !errors.Is(err, errPlannedElsewhere) {
		return fmt.Errorf("plan the messages of campaign %d: %w", id, err)
	}
	return nil
}

// strataOf are the groups of a list that are invited in equal shares, in order.
func strataOf(tx *Tx, list campaign.AudienceID) (st strata, err error) {
	rows, err := tx.Query(`
		SELECT practice, age_band, COUNT(*)
		FROM patient
		WHERE audience = $1 AND invited
		GROUP BY practice, age_band
		ORDER BY practice, age_band`, int64(list))
	if err != nil {
		return st, fmt.Errorf("count who is invited: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var practice, band string
		var n int
		if err := rows.Scan(&practice, &band, &n); err != nil {
			return st, err
		}
		st.Names, st.Sizes = append(st.Names, practice+" "+band), append(st.Sizes, n)
	}
	return st, rows.Err()
}

func (db *DB) planMessages(ctx context.Context, id campaign.ID) error {
	var c campaign.Campaign
	var st strata
	var cursor int64
	index := map[string]int{}
	var sharing map[string]bool
	var network staff.Network
	launched := false
	err := db.read(ctx, "read plan", func(tx *Tx) error {
		var err error
		if c, err = scanCampaign(tx.QueryRow(`SELECT `+campaignColumns+` FROM campaign WHERE id = $1`, int64(id))); err != nil {
			return err
		}
		if err = tx.QueryRow(`SELECT planning FROM campaign WHERE id = $1`, int64(id)).Scan(&cursor); err != nil {
			return err
		}
		if launched = !c.LaunchedAt.IsZero(); !launched || cursor < 0 {
			return nil
		}
		if network, err = db.network(tx, c.Network); err != nil {
			return err
		}
		if st, err = strataOf(tx, c.Audience); err != nil {
			return err
		}
		for i, name := range st.Names {
			index[name] = i
		}
		sharing, err = sharedNumbers(tx, c.Audience)
		return err
	})
	if err != nil || !launched || cursor < 0 {
		return err
	}
	texts, err := c.Texts(1)
	if err != nil {
		return err
	}
	places := campaign.Order(c.Seed, st.Sizes)
	st.Base = len(st.Names)
	base := slices.Clone(st.Names)
	for _, step := range c.Steps[1:] {
		for _, name := range base {
			st.Names, st.Sizes = append(st.Names, fmt.Sprintf("%s step %d", name, step.Number)), append(st.Sizes, 0)
		}
	}
	seen := make([]int, len(base)) // members of each stratum met so far, in the order of the list
	segments, messages := 0, 0
	for at := int64(0); ; {
		people, err := db.invited(ctx, c.Audience, at)
		if err != nil {
			return err
		}
		if len(people) == 0 {
			break
		}
		rows := make([]any, 0, len(people)*messageInsertColumns)
		counts := map[int]int{}
		first := db.reserveIDs(len(people))
		for i, p := range people {
			s := index[p.practice+" "+p.ageBand]
			place := places[s][seen[s]]
			seen[s]++
			m := plannedMessage{id: first + int64(i), campaign: c, step: 1, patient: p, stratum: s, place: place, shared: sharing[string(p.phoneIx)]}
			cols, size, err := db.messageRow(network, texts, m)
			if err != nil {
				return err
			}
			segments, messages = segments+size, messages+1
			if p.id > cursor {
				rows, counts[s] = append(rows, cols...), counts[s]+1
			}
		}
		at = people[len(people)-1].id
		if at <= cursor {
			continue
		}
		err = db.write(ctx, "plan messages", func(tx *Tx) error {
			n, err := tx.Exec(`UPDATE campaign SET planning = $1 WHERE id = $2 AND planning = $3`, at, int64(c.ID), cursor)
			if err != nil {
				return err
			}
			if n == 0 {
				return errPlannedElsewhere
			}
			return db.insertPlanned(tx, c.ID, rows, counts)
		})
		if err != nil {
			return err
		}
		cursor = at
	}
	b, err := json.Marshal(st)
	if err != nil {
		return err
	}
	err = db.write(ctx, "finish plan", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE campaign SET planning = -1, strata = $1, segments = $2 WHERE id = $3`,
			string(b), float64(max(segments, 1))/float64(max(messages, 1)), int64(c.ID))
		return err
	})
	if err != nil {
		return err
	}
	return db.SettlePractices(ctx, id)
}

// ResumeLaunches completes launches that a killed process left half planned. Call it before serving.
func (db *DB) ResumeLaunches(ctx context.Context) error {
	var ids []int64
	err := db.read(ctx, "half launched", func(tx *Tx) error {
		rows, err := tx.Query(`SELECT id FROM campaign WHERE state IN ('running', 'paused') AND planning >= 0`)
		if err != nil {
			return err
		}
		ids, err = scanIDs(rows)
		return err
	})
	for _, id := range ids {
		err = errors.Join(err, db.PlanMessages(ctx, campaign.ID(id)))
	}
	return err
}

// sharedNumbers are those of a list that several people have, by their keyed index: a text to one carries no name.
func sharedNumbers(tx *Tx, a campaign.AudienceID) (map[string]bool, error) {
	rows, err := tx.Query(`SELECT phone_ix FROM patient WHERE audience = $1 AND NOT invited`, int64(a))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]bool{}
	for rows.Next() {
		var ix []byte
		if err := rows.Scan(&ix); err != nil {
			return nil, err
		}
		all[string(ix)] = true
	}
	return all, rows.Err()
}

// invitedPatient is a row of a list. Its language is as the list has it: staff read it too, and a list may name one in which we have no
// text; it is read when a text is chosen.
type invitedPatient struct {
	id                          int64
	practice, ageBand, language string
	phoneIx, sealed             []byte
}

func (db *DB) invited(ctx context.Context, a campaign.AudienceID, after int64) (all []invitedPatient, err error) {
	err = db.read(ctx, "invited patients", func(tx *Tx) error {
		all = nil
		rows, err := tx.Query(`
			SELECT id, practice, age_band, language, phone_ix, person
			FROM patient
			WHERE audience = $1 AND id > $2 AND invited
			ORDER BY id
			LIMIT $3`, int64(a), after, planChunk)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p invitedPatient
			if err := rows.Scan(&p.id, &p.practice, &p.ageBand, &p.language, &p.phoneIx, &p.sealed); err != nil {
				return err
			}
			all = append(all, p)
		}
		return rows.Err()
	})
	return all, err
}

type plannedMessage struct {
	id       int64
	campaign campaign.Campaign
	step     int
	patient  invitedPatient
	stratum  int
	place    int64
	shared   bool
}

const (
	messageInsert = `INSERT INTO message (id, campaign, step, patient, stratum, place, state, attempt, rings, shared, not_before, batch, released_at, deadline,
		look_at, looks, code, cost, token, phone_ix, sent_at, delivered_at, opened_at, answered_at)`
	messageInsertColumns = 24
)

// messageRow gives the columns of a new planned message and its segments: every recipient's own text is rendered and counted.
func (db *DB) messageRow(n staff.Network, texts campaign.Texts, m plannedMessage) ([]any, int, error) {
	d, err := db.openPerson("patient", m.patient.id, m.patient.sealed)
	if err != nil {
		return nil, 0, err
	}
	token := link.Mint(db.sealer.linkKey(), m.id)
	_, template := texts.For(m.patient.language)
	_, size := campaign.Compose(template, campaign.Recipient{Name: d.name(), Practice: practiceOf(n, m.patient.practice), Network: n, Shared: m.shared, Token: token})
	return []any{m.id, int64(m.campaign.ID), m.step, m.patient.id, m.stratum, m.place, string(campaign.Planned), 0, 0, m.shared, 0, 0, 0, 0,
		0, 0, "", int64(size.Segments) * m.campaign.Policy.Price, token.Hash(), m.patient.phoneIx, 0, 0, 0, 0}, size.Segments, nil
}

// insertPlanned writes such rows and counts them by stratum, always in the same order: two processes must not wait for each other's counters.
func (db *DB) insertPlanned(tx *Tx, id campaign.ID, rows []any, counts map[int]int) error {
	if _, err := tx.bulkInsert(messageInsert, messageInsertColumns, rows, ""); err != nil {
		return err
	}
	for _, s := range slices.Sorted(maps.Keys(counts)) {
		if err := db.bump(tx, int64(id), stateTally(campaign.Planned), int64(s), 0, 0, counts[s]); err != nil {
			return err
		}
	}
	return nil
}

func practiceOf(n staff.Network, ods string) staff.Practice {
	for _, p := range n.Practices {
		if p.ODS == ods {
			return p
		}
	}
	return staff.Practice{ODS: ods, Name: n.Name, Phone: n.Phone}
}

// hold stops a campaign's sending because of an alarm; a person resumes it.
func (db *DB) hold(tx *Tx, id campaign.ID, why string) error {
	n, err := tx.Exec(`UPDATE campaign SET held = $1, state = $2 WHERE id = $3 AND state = $4`, why, string(campaign.Paused), int64(id), string(campaign.Running))
	if err != nil || n == 0 {
		return err
	}
	_, err = tx.Exec(`INSERT INTO alarm (id, at, code, campaign, message) VALUES ($1, $2, $3, $4, 0)`, db.newID(), tx.now, "account_refused", int64(id))
	return err
}

// View reads all that a campaign's page shows, in one snapshot.
func (db *DB) View(ctx context.Context, n staff.NetworkID, id campaign.ID) (v campaign.View, err error) {
	err = db.read(ctx, "campaign page", func(tx *Tx) error {
		if v.Campaign, err = campaignOf(tx, n, id, ""); err != nil {
			return err
		}
		if v.Audience, err = scanAudience(tx.QueryRow(`SELECT `+audienceColumns+` FROM audience WHERE id = $1`, int64(v.Campaign.Audience))); err != nil {
			return err
		}
		var planning, resumed int64
		var memoryJSON string
		err := tx.QueryRow(`
			SELECT t.id, t.network, t.name, t.promise_days, c.planning, c.resumed_at, c.memory
			FROM campaign c
			JOIN team t ON t.id = c.team
			WHERE c.id = $1`, int64(id)).Scan((*int64)(&v.Team.ID), (*int64)(&v.Team.Network), &v.Team.Name, &v.Team.PromiseDays, &planning, &resumed, &memoryJSON)
		if err != nil {
			return err
		}
		var memory throttle.Memory
		if err := json.Unmarshal([]byte(memoryJSON), &memory); err != nil {
			return err
		}
		v.Silent, v.Checked = time.Time{}, time.Time{}
		if s := memory.Silence; s != nil && (v.State == campaign.Running || v.State == campaign.Paused) && !v.Policy.Blast {
			v.Silent = time.Unix(s.From, 0)
			if explained(s, resumed) {
				v.Checked = timeOf(resumed)
			}
		}
		v.Planning = planning >= 0 && !v.LaunchedAt.IsZero()
		now, err := db.standing(tx)
		if err != nil {
			return err
		}
		fresh, err := freshState(tx, id)
		if err != nil {
			return err
		}
		v.Held = cmp.Or(v.Held, freshHold(fresh))
		if v.Halt, err = db.haltOf(tx, now.mark); err != nil {
			return err
		}
		sums, err := campaignSums(tx, id)
		if err != nil {
			return err
		}
		v.Counts, v.Services = campaign.Counts{}, campaign.Counts{}
		for kind, k := range sums {
			if s, ok := strings.CutPrefix(kind, "is:"); ok && k != 0 {
				v.Counts[campaign.MessageState(s)] = k
			}
			if s, ok := strings.CutPrefix(kind, "service:"); ok && k != 0 {
				v.Services[campaign.MessageState(s)] = k
			}
		}
		v.ServiceCost = int64(sums[tallyServiceCost])
		v.Cost, v.Opened, v.Answers = int64(sums[tallyCost]+sums[tallyCorrectionCost])+v.ServiceCost, sums[tallyStarted], sums[tallyAnswered]
		if ds, err := decisions(tx, id, math.MaxInt64, 1); err != nil {
			return err
		} else if len(ds) > 0 {
			v.Last = &ds[0]
		}
		rows, err := tx.Query(`SELECT at, code, message FROM alarm WHERE campaign = $1 ORDER BY id DESC LIMIT 20`, int64(id))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var a campaign.Alarm
			var at int64
			if err := rows.Scan(&at, &a.Code, (*int64)(&a.Message)); err != nil {
				return err
			}
			a.At = timeOf(at)
			v.Alarms = append(v.Alarms, a)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for i := range v.Alarms {
			if v.Alarms[i].SIDs, err = sidsOf(tx, v.Alarms[i].Message); err != nil {
				return err
			}
		}
		return nil
	})
	return v, err
}

// sidsOf lists the ids by which the provider has told us of a message's texts, if they are more than one.
func sidsOf(tx *Tx, m campaign.MessageID) (sids []string, err error) {
	rows, err := tx.Query(`SELECT DISTINCT sid FROM evidence WHERE message = $1 AND sid <> '' ORDER BY sid`, int64(m))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var sid string
		if err := rows.Scan(&sid); err != nil {
			return nil, err
		}
		sids = append(sids, sid)
	}
	if len(sids) < 2 {
		sids = nil
	}
	return sids, rows.Err()
}

// summed are the kinds of counters that are added up for a campaign as a whole, as a list in SQL. Those by hour and stratum are not: they are tens
// of thousands of rows, and others say as much.
var summed = func() string {
	kinds := []string{tallyCost, tallyServiceCost, tallyCorrectionCost, tallyAnswered, tallyStarted}
	for _, s := range campaign.MessageStates {
		kinds = append(kinds, stateTally(s), serviceTally(s))
	}
	return "'" + strings.Join(kinds, "', '") + "'"
}()

// sumsOfCampaign reads hundreds of rows, whatever there is of others.
var sumsOfCampaign = `SELECT kind, SUM(n) FROM tally WHERE owner = $1 AND kind IN (` + summed + `) GROUP BY kind`

// campaignSums adds up a campaign's counters, by kind.
func campaignSums(tx *Tx, id campaign.ID) (map[string]int, error) {
	rows, err := tx.Query(sumsOfCampaign, int64(id))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	sums := map[string]int{}
	for rows.Next() {
		var kind string
		var n int
		if err := rows.Scan(&kind, &n); err != nil {
			return nil, err
		}
		sums[kind] = n
	}
	return sums, rows.Err()
}

// Decisions lists a campaign's last decisions, newest first.
func (db *DB) Decisions(ctx context.Context, n staff.NetworkID, id campaign.ID, limit int) (all []campaign.Decision, err error) {
	err = db.read(ctx, "decisions", func(tx *Tx) error {
		if _, err := campaignOf(tx, n, id, ""); err != nil {
			return err
		}
		all, err = decisions(tx, id, math.MaxInt64, limit)
		return err
	})
	return all, err
}

// DecisionsAfter goes on behind the decision that was told last, newest first; 0 begins with the newest.
func (db *DB) DecisionsAfter(ctx context.Context, n staff.NetworkID, id campaign.ID, after int64, limit int) (all []campaign.Decision, err error) {
	err = db.read(ctx, "decisions", func(tx *Tx) error {
		if _, err := campaignOf(tx, n, id, ""); err != nil {
			return err
		}
		all, err = decisions(tx, id, beforeID(after), limit)
		return err
	})
	return all, err
}

const decisionsBefore = `
	SELECT id, at, n, binding, sentence, figures, forecast
	FROM decision
	WHERE campaign = $1 AND id < $2
	ORDER BY id DESC
	LIMIT $3`

func decisions(tx *Tx, id campaign.ID, before int64, limit int) (all []campaign.Decision, err error) {
	rows, err := tx.Query(decisionsBefore, int64(id), before, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var d campaign.Decision
		var at int64
		var figures, forecast string
		if err := rows.Scan(&d.ID, &at, &d.N, &d.Limit, &d.Sentence, &figures, &forecast); err != nil {
			return nil, err
		}
		d.At, d.Figures, d.Forecast = timeOf(at), json.RawMessage(figures), json.RawMessage(forecast)
		all = append(all, d)
	}
	return all, rows.Err()
}
