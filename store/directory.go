package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

var _ selfrefer.Services = (*DB)(nil)

const serviceColumns = `id, network, key, name, about, reasons, reason_words, languages, area, places, places_on, how, phone, email, web, active, version`

func scanService(row scanner, s *selfrefer.Service) error {
	var reasons, words, languages string
	err := row.Scan((*int64)(&s.ID), (*int64)(&s.Network), &s.Key, &s.Name, &s.About, &reasons, &words, &languages, &s.Area, &s.Places, (*string)(&s.PlacesOn),
		&s.How, &s.Phone, &s.Email, &s.Web, &s.Active, &s.Version)
	if err != nil {
		return err
	}
	return errors.Join(json.Unmarshal([]byte(reasons), &s.Reasons), json.Unmarshal([]byte(words), &s.ReasonWords), json.Unmarshal([]byte(languages), &s.Languages))
}

// Services lists a network's directory by name.
func (db *DB) Services(ctx context.Context, n staff.NetworkID) (all []selfrefer.Service, err error) {
	err = db.read(ctx, "services", func(tx *Tx) error {
		all, err = list(tx, scanService, `SELECT `+serviceColumns+` FROM service WHERE network = $1 ORDER BY lower(name), id`, int64(n))
		return err
	})
	return all, err
}

// Service reads one.
func (db *DB) Service(ctx context.Context, n staff.NetworkID, id selfrefer.ServiceID) (s selfrefer.Service, err error) {
	err = db.read(ctx, "service", func(tx *Tx) error {
		s, err = localService(tx, n, id, "")
		return err
	})
	return s, err
}

func localService(tx *Tx, n staff.NetworkID, id selfrefer.ServiceID, lock string) (s selfrefer.Service, err error) {
	err = scanService(tx.QueryRow(`SELECT `+serviceColumns+` FROM service WHERE id = $1 AND network = $2`+lock, int64(id), int64(n)), &s)
	return s, notFound(err, selfrefer.ErrNoService)
}

// directory runs a change of the directory, if who may do it, and audits what became of it.
func (db *DB) directory(ctx context.Context, who staff.Account, do staff.Action, target func() string, change func(tx *Tx) (refusal, err error)) error {
	var refusal error
	err := db.write(ctx, "change the directory", func(tx *Tx) (err error) {
		if refusal = staff.May(who, do, who.Network); refusal == nil {
			if refusal, err = change(tx); err != nil {
				return err
			}
		}
		outcome := outcomeOf(refusal)
		switch {
		case errors.Is(refusal, selfrefer.ErrNoService):
			outcome = "not_found"
		case errors.Is(refusal, selfrefer.ErrChanged):
			outcome = "changed"
		case errors.Is(refusal, selfrefer.ErrFull):
			outcome = "full"
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(do), Target: target(), Outcome: outcome})
	})
	return errors.Join(err, refusal)
}

// SetService adds a service, or puts it in the place of the version that was read.
func (db *DB) SetService(ctx context.Context, who staff.Account, s selfrefer.Service) (selfrefer.Service, error) {
	s, faults := s.Check()
	if len(faults) > 0 {
		return s, fmt.Errorf("this service cannot be listed: %s", faults[0].Sentence)
	}
	s.Network = who.Network
	fresh, version := s.ID == 0, s.Version
	if fresh {
		s.ID = selfrefer.ServiceID(db.newID())
	}
	err := db.directory(ctx, who, staff.EditServices, func() string { return fmt.Sprintf("service %d", s.ID) }, func(tx *Tx) (refusal, err error) {
		if fresh {
			if full, err := db.directoryFull(tx, who.Network); full || err != nil {
				return selfrefer.ErrFull, err
			}
			s.Key, s.Version = fmt.Sprintf("here:%d", s.ID), 1
			return nil, db.insertService(tx, who, s)
		}
		now, err := localService(tx, who.Network, s.ID, db.engine.lockClause())
		if errors.Is(err, selfrefer.ErrNoService) {
			return err, nil
		}
		if err != nil {
			return nil, err
		}
		if now.Version != version {
			return selfrefer.ErrChanged, nil
		}
		s.Key, s.Version = now.Key, version+1
		return nil, db.updateService(tx, who, s)
	})
	return s, err
}

func (db *DB) directoryFull(tx *Tx, n staff.NetworkID) (bool, error) {
	var have int
	err := tx.QueryRow(`SELECT COUNT(*) FROM service WHERE network = $1`, int64(n)).Scan(&have)
	return have >= selfrefer.MaxServices, err
}

// lists writes what a service has several of.
func lists(s selfrefer.Service) (reasons, words, languages string, err error) {
	var out [3]string
	for i, l := range [][]string{s.Reasons, s.ReasonWords, s.Languages} {
		b, err := json.Marshal(append([]string{}, l...))
		if err != nil {
			return "", "", "", fmt.Errorf("write a service: %w", err)
		}
		out[i] = string(b)
	}
	return out[0], out[1], out[2], nil
}

func (db *DB) insertService(tx *Tx, who staff.Account, s selfrefer.Service) error {
	reasons, words, languages, err := lists(s)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		INSERT INTO service (`+serviceColumns+`, changed_by, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
		int64(s.ID), int64(s.Network), s.Key, s.Name, s.About, reasons, words, languages, s.Area, s.Places, string(s.PlacesOn), s.How, s.Phone, s.Email, s.Web, s.Active, s.Version,
		int64(who.ID), tx.now)
	return err
}

func (db *DB) updateService(tx *Tx, who staff.Account, s selfrefer.Service) error {
	reasons, words, languages, err := lists(s)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`
		UPDATE service
		SET name = $1, about = $2, reasons = $3, reason_words = $4, languages = $5, area = $6, places = $7, places_on = $8, how = $9, phone = $10, email = $11,
		    web = $12, active = $13, version = $14, changed_by = $15, changed_at = $16
		WHERE id = $17 AND network = $18`,
		s.Name, s.About, reasons, words, languages, s.Area, s.Places, string(s.PlacesOn), s.How, s.Phone, s.Email, s.Web, s.Active, s.Version,
		int64(who.ID), tx.now, int64(s.ID), int64(s.Network))
	return err
}

// SetPlaces corrects how many places are free, and that it is known since a day.
func (db *DB) SetPlaces(ctx context.Context, who staff.Account, id selfrefer.ServiceID, places int, on selfrefer.Day) error {
	return db.directory(ctx, who, staff.CorrectPlaces, func() string { return fmt.Sprintf("service %d", id) }, func(tx *Tx) (refusal, err error) {
		s, err := localService(tx, who.Network, id, db.engine.lockClause())
		if errors.Is(err, selfrefer.ErrNoService) {
			return err, nil
		}
		if err != nil {
			return nil, err
		}
		s.Places, s.PlacesOn = places, on
		s, faults := s.Check()
		if len(faults) > 0 {
			return nil, errors.New("set the places of a service: " + strings.ToLower(faults[0].Sentence))
		}
		s.Version++
		return nil, db.updateService(tx, who, s)
	})
}

// importServicesAtOnce is how many rows of a file share a transaction: none holds the writer for long.
const importServicesAtOnce = 100

// ImportServices takes the rows of a file in chunks. What was taken before something went wrong stays: the file can be sent again, and finds it
// unchanged.
func (db *DB) ImportServices(ctx context.Context, who staff.Account, rows []selfrefer.ServiceRow, on selfrefer.Day, dryRun bool) (selfrefer.ServiceLedger, error) {
	l := selfrefer.ServiceLedger{Rows: len(rows), DryRun: dryRun}
	reject := func(row int, code string) {
		l.Rejected++
		l.Problems = append(l.Problems, selfrefer.RowProblem{Row: row, Code: code})
	}
	if err := staff.May(who, staff.EditServices, who.Network); err != nil {
		return l, errors.Join(err, db.directory(ctx, who, staff.EditServices, func() string { return "import" }, func(*Tx) (refusal, err error) { return nil, nil }))
	}
	added := 0 // by this dry run, which adds nothing
	for start := 0; start < len(rows); start += importServicesAtOnce {
		chunk := rows[start:min(start+importServicesAtOnce, len(rows))]
		was, wasAdded := l, added
		apply := func(tx *Tx) error {
			l, added = was, wasAdded // the function may run again
			l.Problems = append([]selfrefer.RowProblem(nil), was.Problems...)
			return db.importChunk(tx, who, chunk, on, &l, &added, reject)
		}
		var err error
		if dryRun {
			err = db.read(ctx, "try an import of services", apply)
		} else {
			err = db.write(ctx, "import services", apply)
		}
		if err != nil {
			return was, fmt.Errorf("import services: after row %d: %w", start, err)
		}
	}
	if !l.Balanced() {
		return l, fmt.Errorf("the ledger of the services does not add up: %d rows", l.Rows)
	}
	if dryRun {
		return l, nil
	}
	return l, db.write(ctx, "audit an import of services", func(tx *Tx) error {
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.EditServices), Target: fmt.Sprintf("import of %d rows", l.Rows),
			Outcome: fmt.Sprintf("%d taken, %d changed", l.Taken, l.Changed)})
	})
}

func (db *DB) importChunk(tx *Tx, who staff.Account, chunk []selfrefer.ServiceRow, on selfrefer.Day, l *selfrefer.ServiceLedger, added *int, reject func(int, string)) error {
	var have int
	if err := tx.QueryRow(`SELECT COUNT(*) FROM service WHERE network = $1`, int64(who.Network)).Scan(&have); err != nil {
		return err
	}
	if l.DryRun {
		have += *added
	}
	for _, row := range chunk {
		if row.Problem != "" {
			reject(row.Row, row.Problem)
			continue
		}
		lock := db.engine.lockClause()
		if l.DryRun {
			lock = ""
		}
		var old selfrefer.Service
		err := notFound(scanService(tx.QueryRow(`SELECT `+serviceColumns+` FROM service WHERE network = $1 AND key = $2`+lock, int64(who.Network), row.Service.Key), &old), selfrefer.ErrNoService)
		fresh := errors.Is(err, selfrefer.ErrNoService)
		switch {
		case fresh && have >= selfrefer.MaxServices:
			reject(row.Row, "full")
			continue
		case fresh:
			old = selfrefer.Service{Network: who.Network, Key: row.Service.Key, Places: selfrefer.UnknownPlaces, Active: true}
		case err != nil:
			return err
		}
		s, changes := selfrefer.Merge(old, row, on)
		if row.Unknown > 0 {
			l.Unplaced++
		}
		switch {
		case fresh:
			have++
			*added++
			l.Taken++
			if l.DryRun {
				continue
			}
			s.ID, s.Version = selfrefer.ServiceID(db.newID()), 1
			if err := db.insertService(tx, who, s); err != nil {
				return err
			}
		case changes:
			l.Changed++
			if l.DryRun {
				continue
			}
			s.Version++
			if err := db.updateService(tx, who, s); err != nil {
				return err
			}
		default:
			l.Unchanged++
		}
	}
	return nil
}
