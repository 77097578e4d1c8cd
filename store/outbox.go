package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var (
	_ selfrefer.Webhooks = (*DB)(nil)
	_ selfrefer.Outbox   = (*DB)(nil)
)

// announce puts an event into the outbox of every webhook that wants it, in the transaction of what it tells: it is told if and only if that
// has happened.
func (db *DB) announce(tx *Tx, n staff.NetworkID, d selfrefer.Delivery) error {
	type hook struct {
		id     int64
		events string
	}
	hooks, err := list(tx, func(r scanner, h *hook) error { return r.Scan(&h.id, &h.events) }, `SELECT id, events FROM webhook WHERE network = $1 AND off_at = 0 ORDER BY id`, int64(n))
	if err != nil {
		return fmt.Errorf("find who is told: %w", err)
	}
	for _, h := range hooks {
		if !strings.Contains(","+h.events+",", ","+string(d.Event)+",") {
			continue
		}
		if err := db.putOut(tx, n, h.id, d); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) putOut(tx *Tx, n staff.NetworkID, hook int64, d selfrefer.Delivery) error {
	_, err := tx.Exec(`
		INSERT INTO outbox (id, webhook, network, event, at, about, reference, practice, code, state, tries, made_at, next_at, tried_at, outcome)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'due', 0, $10, $10, 0, '')`,
		db.newID(), hook, int64(n), string(d.Event), tx.now, d.About, d.Reference, d.Practice, d.Code, tx.machine)
	if err != nil {
		return fmt.Errorf("put %s into the outbox: %w", d.Event, err)
	}
	return nil
}

// tellReceived is what follows for others from a new referral.
func (db *DB) tellReceived(tx *Tx, row newReferral, r selfrefer.Referral) error {
	if err := noteConsent(tx, r.ID, r.Network, row.doc.Answers); err != nil {
		return err
	}
	return db.announce(tx, r.Network, selfrefer.Delivery{Event: selfrefer.HookReceived, About: int64(r.ID), Reference: row.rec.Reference, Practice: r.Practice, Code: string(r.State)})
}

// tellMoved is what follows for others from a step of a referral.
func (db *DB) tellMoved(tx *Tx, r selfrefer.Referral, e selfrefer.Event, first bool) error {
	for _, event := range selfrefer.HookEventsOf(r.State, e, first) {
		if err := db.announce(tx, r.Network, selfrefer.Delivery{Event: event, About: int64(r.ID), Reference: r.Reference, Practice: r.Practice, Code: string(r.State)}); err != nil {
			return err
		}
	}
	return nil
}

// tellUndoneStep takes back what tellMoved has told of a step.
func (db *DB) tellUndoneStep(tx *Tx, r selfrefer.Referral, s lastStep) error {
	first := s.became.Contacted != 0 && s.was.Contacted == 0
	if len(selfrefer.HookEventsOf(s.became.State, s.Event, first)) == 0 {
		return nil
	}
	return db.announce(tx, r.Network, selfrefer.Delivery{Event: selfrefer.HookUndone, About: int64(r.ID), Reference: r.Reference, Practice: r.Practice, Code: string(r.State)})
}

// tellOptOut is what follows for others from an opt-out.
func (db *DB) tellOptOut(tx *Tx, n staff.NetworkID, rec optOutRecord, w optingOut) error {
	return db.announce(tx, n, selfrefer.Delivery{Event: selfrefer.HookOptOut, Practice: w.practice, Code: rec.Why})
}

// targetDoc is sealed: an address can hold a secret of its own.
type targetDoc struct {
	URL string `json:"url"`
	Key []byte `json:"key"`
}

func (db *DB) openTarget(hook int64, sealed []byte) (d targetDoc, err error) {
	b, err := db.sealer.open("webhook", "target", strconv.FormatInt(hook, 10), sealed)
	if err != nil {
		return d, err
	}
	if json.Unmarshal(b, &d) != nil {
		return d, fmt.Errorf("open webhook %d: it cannot be read", hook) // the error would quote it
	}
	return d, nil
}

// Webhooks lists those of a network, the first made first.
func (db *DB) Webhooks(ctx context.Context, who staff.Account) (all []selfrefer.Webhook, err error) {
	if err := staff.May(who, staff.ManageWebhooks, who.Network); err != nil {
		return nil, err
	}
	err = db.read(ctx, "webhooks", func(tx *Tx) error {
		all, err = db.webhooks(tx, `w.network = $1`, int64(who.Network))
		return err
	})
	return all, err
}

func (db *DB) webhooks(tx *Tx, where string, args ...any) ([]selfrefer.Webhook, error) {
	all, err := list(tx, func(r scanner, h *selfrefer.Webhook) error {
		var made, off, failing int64
		var events string
		var sealed []byte
		if err := r.Scan(&h.ID, (*int64)(&h.Network), &sealed, &events, (*int64)(&h.By), &made, &off, &h.WhyOff, &failing, &h.Waiting); err != nil {
			return err
		}
		d, err := db.openTarget(h.ID, sealed)
		h.URL, h.Made, h.OffAt, h.Failing = d.URL, timeOf(made), timeOf(off), timeOf(failing)
		for e := range strings.SplitSeq(events, ",") {
			h.Events = append(h.Events, selfrefer.HookEvent(e))
		}
		return err
	}, `
		SELECT w.id, w.network, w.target, w.events, w.made_by, w.made_at, w.off_at, w.why_off, w.failing_since,
			(SELECT COUNT(*) FROM outbox o WHERE o.webhook = w.id AND o.state = 'due')
		FROM webhook w
		WHERE `+where+`
		ORDER BY w.id`, args...)
	if err != nil {
		return nil, fmt.Errorf("read webhooks: %w", err)
	}
	return all, nil
}

// MaxWebhooks is how many a network can have: each event is written once for each.
const MaxWebhooks = 10

// AddWebhook keeps an address and its key, sealed.
func (db *DB) AddWebhook(ctx context.Context, who staff.Account, address string, events []selfrefer.HookEvent, key []byte) (h selfrefer.Webhook, err error) {
	if err := staff.May(who, staff.ManageWebhooks, who.Network); err != nil {
		return h, err
	}
	err = db.write(ctx, "add webhook", func(tx *Tx) error {
		there, err := db.webhooks(tx, `w.network = $1`, int64(who.Network))
		if err != nil {
			return err
		}
		if len(there) >= MaxWebhooks {
			return selfrefer.ErrTooManyHooks
		}
		id := db.newID()
		b, err := json.Marshal(targetDoc{address, key})
		if err != nil {
			return err
		}
		sealed, err := db.sealer.seal("webhook", "target", strconv.FormatInt(id, 10), b)
		if err != nil {
			return err
		}
		var names []string
		for _, e := range events {
			names = append(names, string(e))
		}
		_, err = tx.Exec(`
			INSERT INTO webhook (id, network, target, events, made_by, made_at, off_at, why_off, failing_since)
			VALUES ($1, $2, $3, $4, $5, $6, 0, '', 0)`, id, int64(who.Network), sealed, strings.Join(names, ","), int64(who.ID), tx.now)
		if err != nil {
			return fmt.Errorf("add a webhook: %w", err)
		}
		all, err := db.webhooks(tx, `w.id = $1`, id)
		if err != nil {
			return err
		}
		h = all[0]
		return db.auditWebhook(tx, who, "add", id)
	})
	return h, err
}

func (db *DB) auditWebhook(tx *Tx, who staff.Account, what string, hook int64) error {
	return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: "webhook." + what, Target: fmt.Sprintf("webhook %d", hook), Outcome: "done"})
}

// ofWebhook changes one webhook of who's network and writes it down.
func (db *DB) ofWebhook(ctx context.Context, who staff.Account, hook int64, what string, change func(*Tx) error) error {
	if err := staff.May(who, staff.ManageWebhooks, who.Network); err != nil {
		return err
	}
	return db.write(ctx, "webhook "+what, func(tx *Tx) error {
		var id int64
		err := tx.QueryRow(`SELECT id FROM webhook WHERE id = $1 AND network = $2`+db.engine.lockClause(), hook, int64(who.Network)).Scan(&id)
		if err != nil {
			return notFound(err, staff.ErrNotFound)
		}
		if err := change(tx); err != nil {
			return err
		}
		return db.auditWebhook(tx, who, what, hook)
	})
}

// RemoveWebhook forgets a webhook and what it was told.
func (db *DB) RemoveWebhook(ctx context.Context, who staff.Account, hook int64) error {
	return db.ofWebhook(ctx, who, hook, "remove", func(tx *Tx) error {
		for _, s := range []string{`DELETE FROM outbox WHERE webhook = $1`, `DELETE FROM webhook WHERE id = $1`} {
			if _, err := tx.Exec(s, hook); err != nil {
				return fmt.Errorf("remove a webhook: %w", err)
			}
		}
		return nil
	})
}

// SwitchWebhook switches one off or on. What happens while it is off is not told; what waits then is given up, and can be sent again.
func (db *DB) SwitchWebhook(ctx context.Context, who staff.Account, hook int64, on bool) error {
	what := map[bool]string{true: "on", false: "off"}[on]
	return db.ofWebhook(ctx, who, hook, what, func(tx *Tx) error {
		if on {
			_, err := tx.Exec(`UPDATE webhook SET off_at = 0, why_off = '', failing_since = 0 WHERE id = $1`, hook)
			return err
		}
		return switchOff(tx, hook, selfrefer.OffByHand)
	})
}

func switchOff(tx *Tx, hook int64, why string) error {
	n, err := tx.Exec(`UPDATE webhook SET off_at = $2, why_off = $3 WHERE id = $1 AND off_at = 0`, hook, max(tx.machine, 1), why)
	if err != nil || n == 0 {
		return err
	}
	_, err = tx.Exec(`UPDATE outbox SET state = 'given_up', outcome = CASE WHEN outcome = '' THEN 'switched_off' ELSE outcome END WHERE webhook = $1 AND state = 'due'`, hook)
	return err
}

// TestWebhook puts an event into the outbox that tells nothing.
func (db *DB) TestWebhook(ctx context.Context, who staff.Account, hook int64) error {
	return db.ofWebhook(ctx, who, hook, "test", func(tx *Tx) error {
		var off int64
		if err := tx.QueryRow(`SELECT off_at FROM webhook WHERE id = $1`, hook).Scan(&off); err != nil {
			return err
		}
		if off != 0 {
			return selfrefer.ErrHookOff
		}
		return db.putOut(tx, who.Network, hook, selfrefer.Delivery{Event: selfrefer.HookTest})
	})
}

const deliveryColumns = `id, webhook, network, event, at, about, reference, practice, code, state, tries, made_at, next_at, tried_at, outcome`

func scanDelivery(r scanner, d *selfrefer.Delivery) error {
	var at, made, next, tried int64
	err := r.Scan(&d.ID, &d.Hook, (*int64)(&d.Network), (*string)(&d.Event), &at, &d.About, &d.Reference, &d.Practice, &d.Code, (*string)(&d.State), &d.Tries, &made, &next, &tried, &d.Outcome)
	d.At, d.Made, d.Next, d.Tried = timeOf(at), timeOf(made), timeOf(next), timeOf(tried)
	return err
}

// Deliveries are the last fifty of a webhook.
func (db *DB) Deliveries(ctx context.Context, who staff.Account, hook int64) (all []selfrefer.Delivery, err error) {
	return db.DeliveriesAfter(ctx, who, hook, 0, 50)
}

const deliveriesQuery = `SELECT ` + deliveryColumns + ` FROM outbox WHERE webhook = $1 AND id < $2
	AND NOT EXISTS (SELECT 1 FROM restriction_name n JOIN restriction_on w ON w.origin = n.origin WHERE n.account = $3 AND n.may = FALSE AND w.referral = outbox.about)
	ORDER BY id DESC LIMIT $4`

// DeliveriesAfter goes on behind the delivery that was told last; 0 begins with the newest.
func (db *DB) DeliveriesAfter(ctx context.Context, who staff.Account, hook, after int64, limit int) (all []selfrefer.Delivery, err error) {
	if err := staff.May(who, staff.ManageWebhooks, who.Network); err != nil {
		return nil, err
	}
	err = db.read(ctx, "deliveries", func(tx *Tx) error {
		there, err := db.webhooks(tx, `w.network = $1 AND w.id = $2`, int64(who.Network), hook)
		if err == nil && len(there) == 0 {
			err = staff.ErrNotFound
		}
		if err != nil {
			return err
		}
		all, err = list(tx, scanDelivery, deliveriesQuery, hook, beforeID(after), int64(who.ID), limit)
		return err
	})
	return all, err
}

// Redeliver has one sent again, as if it had just happened: by the same id, so that the other end can tell.
func (db *DB) Redeliver(ctx context.Context, who staff.Account, hook, delivery int64) error {
	return db.ofWebhook(ctx, who, hook, "redeliver", func(tx *Tx) error {
		var off int64
		if err := tx.QueryRow(`SELECT off_at FROM webhook WHERE id = $1`, hook).Scan(&off); err != nil {
			return err
		}
		if off != 0 {
			return selfrefer.ErrHookOff
		}
		n, err := tx.Exec(`
			UPDATE outbox
			SET state = 'due', tries = 0, made_at = $3, next_at = $3
			WHERE id = $1 AND webhook = $2`, delivery, hook, tx.machine)
		if err == nil && n == 0 {
			err = staff.ErrNotFound
		}
		return err
	})
}

// DueDeliveries takes what is due. Several processes may ask at the same time: each row is taken once.
func (db *DB) DueDeliveries(ctx context.Context, each int, lease time.Duration) (taken []selfrefer.Delivery, err error) {
	var due []selfrefer.Delivery
	err = db.read(ctx, "due deliveries", func(tx *Tx) error {
		due = nil
		type hook struct {
			id     int64
			sealed []byte
		}
		hooks, err := list(tx, func(r scanner, h *hook) error { return r.Scan(&h.id, &h.sealed) }, `
			SELECT w.id, w.target
			FROM webhook w
			WHERE w.off_at = 0 AND EXISTS (SELECT 1 FROM outbox o WHERE o.webhook = w.id AND o.state = 'due' AND o.next_at <= $1)
			ORDER BY w.id`, tx.machine)
		if err != nil {
			return err
		}
		for _, h := range hooks {
			d, err := db.openTarget(h.id, h.sealed)
			if err != nil {
				return err
			}
			some, err := list(tx, scanDelivery, `
				SELECT `+deliveryColumns+`
				FROM outbox
				WHERE webhook = $1 AND state = 'due' AND next_at <= $2
				ORDER BY next_at, id
				LIMIT $3`, h.id, tx.machine, each)
			if err != nil {
				return err
			}
			for _, s := range some {
				s.URL, s.Secret = d.URL, d.Key
				due = append(due, s)
			}
		}
		return nil
	})
	if err != nil || len(due) == 0 {
		return nil, err
	}
	err = db.write(ctx, "take due deliveries", func(tx *Tx) error {
		taken = nil
		for _, d := range due {
			n, err := tx.Exec(`UPDATE outbox SET next_at = $2 WHERE id = $1 AND state = 'due' AND next_at = $3`, d.ID, tx.machine+lease.Milliseconds(), msOf(d.Next))
			if err != nil {
				return fmt.Errorf("take a delivery: %w", err)
			}
			if n > 0 {
				taken = append(taken, d)
			}
		}
		return nil
	})
	return taken, err
}

// Told notes that the other end has taken one.
func (db *DB) Told(ctx context.Context, d selfrefer.Delivery, outcome string) error {
	return db.write(ctx, "delivered", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE outbox SET state = 'delivered', tries = tries + 1, tried_at = $2, outcome = $3 WHERE id = $1`, d.ID, tx.machine, outcome)
		if err == nil {
			_, err = tx.Exec(`UPDATE webhook SET failing_since = 0 WHERE id = $1 AND failing_since <> 0`, d.Hook)
		}
		return err
	})
}

// NotTold notes a failure, and switches a webhook off to which nothing gets through.
func (db *DB) NotTold(ctx context.Context, d selfrefer.Delivery, outcome string, again time.Time, gone bool) error {
	return db.write(ctx, "not delivered", func(tx *Tx) error {
		state := selfrefer.Due
		if again.IsZero() {
			state = selfrefer.NotDelivered
		}
		_, err := tx.Exec(`UPDATE outbox SET state = $2, tries = tries + 1, tried_at = $3, outcome = $4, next_at = $5 WHERE id = $1 AND state = 'due'`, d.ID, string(state), tx.machine, outcome, msOf(again))
		if err != nil {
			return fmt.Errorf("note a failed delivery: %w", err)
		}
		if _, err := tx.Exec(`UPDATE webhook SET failing_since = $2 WHERE id = $1 AND failing_since = 0`, d.Hook, max(tx.machine, 1)); err != nil {
			return err
		}
		var since int64
		if err := tx.QueryRow(`SELECT failing_since FROM webhook WHERE id = $1`, d.Hook).Scan(&since); err != nil {
			return notFound(err, nil) // removed meanwhile
		}
		switch {
		case gone:
			return switchOff(tx, d.Hook, selfrefer.OffGone)
		case tx.machine-since >= selfrefer.HookTriesFor.Milliseconds():
			return switchOff(tx, d.Hook, selfrefer.OffFailing)
		}
		return nil
	})
}

// PutBack lets go of one that was taken and not tried.
func (db *DB) PutBack(ctx context.Context, d selfrefer.Delivery, again time.Time) error {
	return db.write(ctx, "put a delivery back", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE outbox SET next_at = $2 WHERE id = $1 AND state = 'due'`, d.ID, msOf(again))
		return err
	})
}

// deliveryLife is how long one can be looked at and sent again.
const deliveryLife = 30 * 24 * time.Hour

// PurgeOutbox deletes what was told or given up long ago.
func (db *DB) PurgeOutbox(ctx context.Context) (n int64, err error) {
	return db.purgeAll(ctx, `DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state <> 'due' AND made_at <= $1 LIMIT 500)`,
		func(tx *Tx) int64 { return tx.machine - deliveryLife.Milliseconds() })
}
