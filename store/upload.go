package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

const (
	uploadPart   = 256 << 10          // bytes of a file that are sealed together
	partsKept    = 8                  // unsealed at once while a file is read
	uploadLife   = 24 * time.Hour     // machine time: what nobody confirmed is thrown away
	uploadSilent = 30 * time.Second   // without a sign of life a screening is interrupted
	partsAtOnce  = 16                 // thrown away in one transaction
	toldFor      = 7 * 24 * time.Hour // machine time: so long the lists page tells of a list that was interrupted
)

const uploadColumns = `id, network, file, name, practice, size, state, choice, run, beat_at, done_rows, done_bytes, problem, audience, created_by, created_at`

func scanUpload(row scanner, machine int64) (u campaign.Upload, err error) {
	var choice string
	var beat, created int64
	err = row.Scan((*int64)(&u.ID), (*int64)(&u.Network), &u.File, &u.Name, &u.Practice, &u.Size, (*string)(&u.State), &choice, &u.Run, &beat, &u.Rows, &u.Bytes, &u.Problem,
		(*int64)(&u.Audience), (*int64)(&u.By), &created)
	if err != nil {
		return u, err
	}
	if u.State == campaign.UploadScreening && beat < machine-uploadSilent.Milliseconds() {
		u.State = campaign.UploadInterrupted
	}
	u.CreatedAt = timeOf(created)
	return u, json.Unmarshal([]byte(choice), &u.Choice)
}

// StageUpload keeps a file until it is screened: sealed, in parts, as it comes in. Of u it takes the names and the practice. After an error
// nothing of it stays.
func (db *DB) StageUpload(ctx context.Context, who staff.Account, u campaign.Upload, src io.Reader) (_ campaign.Upload, err error) {
	u.ID, u.Network, u.By, u.State, u.Size = campaign.UploadID(db.newID()), who.Network, who.ID, campaign.UploadArriving, 0
	err = db.write(ctx, "begin upload", func(tx *Tx) error {
		u.CreatedAt = timeOf(tx.now)
		_, err := tx.Exec(`
			INSERT INTO upload (`+uploadColumns+`, expires_at)
			VALUES ($1, $2, $3, $4, $5, 0, 'arriving', '{}', 0, 0, 0, 0, '', 0, $6, $7, $8)`,
			int64(u.ID), int64(u.Network), u.File, u.Name, u.Practice, int64(who.ID), tx.now, tx.machine+uploadLife.Milliseconds())
		return err
	})
	if err != nil {
		return u, fmt.Errorf("begin an upload: %w", err)
	}
	defer func() {
		if err == nil {
			return
		}
		// Whoever sends it may be gone: what came of it must go all the same.
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, db.dropUpload(late, u.ID))
	}()
	buf := make([]byte, uploadPart)
	for n := int64(0); ; n++ {
		got, readErr := fill(src, buf)
		if got > 0 {
			if err := db.savePart(ctx, u.ID, n, buf[:got]); err != nil {
				return u, err
			}
			u.Size += int64(got)
		}
		if readErr == io.EOF { //nolint:errorlint // an upload that is torn off wraps it
			break
		}
		if readErr != nil {
			return u, fmt.Errorf("read the upload: %w", readErr)
		}
	}
	err = db.write(ctx, "end upload", func(tx *Tx) error {
		if err := running(tx.Exec(`UPDATE upload SET state = 'waiting', size = $1 WHERE id = $2 AND state = 'arriving'`, u.Size, int64(u.ID))); err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: u.Network, Account: u.By, Action: string(staff.UploadList), Target: fmt.Sprintf("upload %d", u.ID), Outcome: "done"})
	})
	u.State = campaign.UploadWaiting
	return u, err
}

// fill is io.ReadFull, but tells the end from an upload that was torn off.
func fill(src io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var k int
		k, err = src.Read(buf[n:])
		n += k
	}
	return n, err
}

func partPlace(id campaign.UploadID, n int64) string { return fmt.Sprintf("%d:%d", id, n) }

func (db *DB) savePart(ctx context.Context, id campaign.UploadID, n int64, plain []byte) error {
	sealed, err := db.sealer.seal("upload_part", "bytes", partPlace(id, n), plain)
	if err != nil {
		return err
	}
	return db.write(ctx, "save part", func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO upload_part (upload, n, bytes) VALUES ($1, $2, $3)`, int64(id), n, sealed)
		return err
	})
}

// Upload reads one upload of a network.
func (db *DB) Upload(ctx context.Context, n staff.NetworkID, id campaign.UploadID) (u campaign.Upload, err error) {
	err = db.read(ctx, "upload", func(tx *Tx) error {
		u, err = scanUpload(tx.QueryRow(`SELECT `+uploadColumns+` FROM upload WHERE id = $1 AND network = $2 AND state <> 'arriving'`, int64(id), int64(n)), tx.machine)
		return notFound(err, campaign.ErrNotFound)
	})
	return u, err
}

// Uploads lists those that are not lists yet, newest first.
func (db *DB) Uploads(ctx context.Context, n staff.NetworkID, limit int) (all []campaign.Upload, err error) {
	err = db.read(ctx, "uploads", func(tx *Tx) error {
		rows, err := tx.Query(`SELECT `+uploadColumns+` FROM upload WHERE network = $1 AND state NOT IN ('arriving', 'done') ORDER BY id DESC LIMIT $2`, int64(n), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		all = nil
		for rows.Next() {
			u, err := scanUpload(rows, tx.machine)
			if err != nil {
				return err
			}
			all = append(all, u)
		}
		return rows.Err()
	})
	return all, err
}

// StartUpload takes an upload for screening: from now on u.Run alone may write. campaign.ErrConflict if somebody else has it.
func (db *DB) StartUpload(ctx context.Context, who staff.Account, u campaign.Upload) (campaign.Upload, error) {
	choice, err := json.Marshal(u.Choice)
	if err != nil {
		return u, fmt.Errorf("write the choice: %w", err)
	}
	run, was := db.newID(), int64(0)
	err = db.write(ctx, "start upload", func(tx *Tx) error {
		now, err := scanUpload(tx.QueryRow(`SELECT `+uploadColumns+` FROM upload WHERE id = $1 AND network = $2`+tx.engine.lockClause(), int64(u.ID), int64(who.Network)), tx.machine)
		if err != nil {
			return notFound(err, campaign.ErrNotFound)
		}
		switch now.State {
		case campaign.UploadWaiting, campaign.UploadFailed, campaign.UploadInterrupted:
		default:
			return campaign.ErrConflict
		}
		if was = int64(now.Audience); was != 0 { // what an interrupted screening left
			if _, err := tx.Exec(`UPDATE audience SET state = 'abandoned' WHERE id = $1 AND state = 'importing'`, was); err != nil {
				return err
			}
		}
		_, err = tx.Exec(`
			UPDATE upload
			SET state = 'screening', run = $1, beat_at = $2, choice = $3, name = $4, practice = $5, done_rows = 0, done_bytes = 0, problem = '', audience = 0, expires_at = $6
			WHERE id = $7`, run, tx.machine, string(choice), u.Name, u.Practice, tx.machine+uploadLife.Milliseconds(), int64(u.ID))
		return err
	})
	if err != nil {
		return u, fmt.Errorf("start upload %d: %w", u.ID, err)
	}
	u.State, u.Run = campaign.UploadScreening, run
	if was != 0 {
		err = db.dropAudience(ctx, campaign.AudienceID(was))
	}
	return u, err
}

// BeatUpload is a sign of life of a screening, with how far it is. campaign.ErrConflict: it was taken away, and must end.
func (db *DB) BeatUpload(ctx context.Context, u campaign.Upload, rows int, bytes int64) error {
	return db.write(ctx, "beat", func(tx *Tx) error {
		return running(tx.Exec(`UPDATE upload SET beat_at = $1, done_rows = $2, done_bytes = $3 WHERE id = $4 AND run = $5 AND state = 'screening'`,
			tx.machine, rows, bytes, int64(u.ID), u.Run))
	})
}

// EndUpload says that a screening came to nothing: problem tells why the file cannot be used, "" that it was interrupted.
func (db *DB) EndUpload(ctx context.Context, u campaign.Upload, problem string) error {
	state := campaign.UploadInterrupted
	if problem != "" {
		state = campaign.UploadFailed
	}
	return db.write(ctx, "end upload", func(tx *Tx) error {
		_, err := tx.Exec(`UPDATE upload SET state = $1, problem = $2, run = 0, audience = 0 WHERE id = $3 AND run = $4 AND state = 'screening'`, string(state), problem, int64(u.ID), u.Run)
		return err
	})
}

// BeginUpload begins the import of an upload that StartUpload gave. When it finishes, the upload is done.
func (db *DB) BeginUpload(ctx context.Context, who staff.Account, u campaign.Upload) (campaign.Importer, error) {
	im, err := db.beginImport(ctx, who, campaign.Audience{Name: u.Name}, u, false)
	if err != nil {
		return nil, err
	}
	return im, nil
}

// DiscardUpload throws an upload away, also while it is being screened.
func (db *DB) DiscardUpload(ctx context.Context, who staff.Account, id campaign.UploadID) error {
	list := int64(0)
	err := db.write(ctx, "discard upload", func(tx *Tx) error {
		u, err := scanUpload(tx.QueryRow(`SELECT `+uploadColumns+` FROM upload WHERE id = $1 AND network = $2`+tx.engine.lockClause(), int64(id), int64(who.Network)), tx.machine)
		if err != nil {
			return notFound(err, campaign.ErrNotFound)
		}
		if u.State == campaign.UploadDone {
			return campaign.ErrConflict
		}
		if list = int64(u.Audience); list != 0 {
			if _, err := tx.Exec(`UPDATE audience SET state = 'abandoned' WHERE id = $1 AND state = 'importing'`, list); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(`UPDATE upload SET state = 'arriving', run = 0, expires_at = 0 WHERE id = $1`, int64(id)); err != nil {
			return err
		}
		return db.audit(tx, staff.Entry{Network: who.Network, Account: who.ID, Action: string(staff.UploadList), Target: fmt.Sprintf("upload %d", id), Outcome: "thrown away"})
	})
	if err != nil {
		return fmt.Errorf("discard upload %d: %w", id, err)
	}
	if list != 0 {
		err = db.dropAudience(ctx, campaign.AudienceID(list))
	}
	return errors.Join(err, db.dropUpload(ctx, id))
}

// DropUploadFile throws the bytes of an upload away that has become a list.
func (db *DB) DropUploadFile(ctx context.Context, id campaign.UploadID) error {
	for n := int64(1); n > 0; {
		err := db.write(ctx, "drop parts", func(tx *Tx) (err error) {
			n, err = tx.Exec(`DELETE FROM upload_part WHERE upload = $1 AND n IN (SELECT n FROM upload_part WHERE upload = $1 LIMIT `+strconv.Itoa(partsAtOnce)+`)`, int64(id))
			return err
		})
		if err != nil {
			return fmt.Errorf("drop the parts of upload %d: %w", id, err)
		}
	}
	return nil
}

func (db *DB) dropUpload(ctx context.Context, id campaign.UploadID) error {
	if err := db.DropUploadFile(ctx, id); err != nil {
		return err
	}
	return db.write(ctx, "drop upload", func(tx *Tx) error {
		_, err := tx.Exec(`DELETE FROM upload WHERE id = $1`, int64(id))
		return err
	})
}

// PurgeUploads throws away what nobody confirmed within a day, and what is left of those that were cut off. It returns how many there were.
func (db *DB) PurgeUploads(ctx context.Context) (n int64, err error) {
	var ids, lists []int64
	err = db.write(ctx, "find old uploads", func(tx *Tx) error {
		ids, lists = nil, nil
		if _, err := tx.Exec(`DELETE FROM audience WHERE state = 'interrupted' AND id < $1`, (tx.machine-toldFor.Milliseconds()-idEpoch)<<10); err != nil {
			return err
		}
		rows, err := tx.Query(`
			SELECT id, audience, state
			FROM upload
			WHERE expires_at <= $1 AND (state <> 'screening' OR beat_at < $2)`, tx.machine, tx.machine-uploadSilent.Milliseconds())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, list int64
			var state string
			if err := rows.Scan(&id, &list, &state); err != nil {
				return err
			}
			ids = append(ids, id)
			if list != 0 && state != string(campaign.UploadDone) {
				lists = append(lists, list)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, id := range ids { // whoever still screens it finds out
			if _, err := tx.Exec(`UPDATE upload SET state = 'arriving', run = 0 WHERE id = $1 AND state <> 'done'`, id); err != nil {
				return err
			}
		}
		for _, id := range lists {
			if _, err := tx.Exec(`UPDATE audience SET state = 'abandoned' WHERE id = $1 AND state = 'importing'`, id); err != nil {
				return err
			}
		}
		return nil
	})
	for _, id := range lists {
		err = errors.Join(err, db.dropAudience(ctx, campaign.AudienceID(id)))
	}
	for _, id := range ids {
		err = errors.Join(err, db.dropUpload(ctx, campaign.UploadID(id)))
	}
	return int64(len(ids)), err
}

// UploadFile opens the content of an upload. It reads for as long as ctx lives.
func (db *DB) UploadFile(ctx context.Context, u campaign.Upload) campaign.UploadFile {
	return &uploadFile{ctx: ctx, db: db, id: u.ID, size: u.Size, kept: map[int64][]byte{}}
}

// uploadFile unseals a few parts at a time. It is not safe for concurrent use.
type uploadFile struct {
	ctx    context.Context //nolint:containedctx // io.ReaderAt has none
	db     *DB
	id     campaign.UploadID
	size   int64
	at     int64
	kept   map[int64][]byte
	oldest []int64
}

func (f *uploadFile) Size() int64 { return f.size }

func (f *uploadFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p[:min(int64(len(p)), uploadPart)], f.at)
	f.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *uploadFile) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < f.size {
		part, err := f.part(off / uploadPart)
		if err != nil {
			return n, err
		}
		from := off % uploadPart
		if from >= int64(len(part)) {
			return n, io.ErrUnexpectedEOF
		}
		k := copy(p[n:], part[from:])
		n += k
		off += int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *uploadFile) part(n int64) ([]byte, error) {
	if b, ok := f.kept[n]; ok {
		return b, nil
	}
	var sealed []byte
	err := f.db.read(f.ctx, "part", func(tx *Tx) error {
		return notFound(tx.QueryRow(`SELECT bytes FROM upload_part WHERE upload = $1 AND n = $2`, int64(f.id), n).Scan(&sealed), campaign.ErrConflict)
	})
	if err != nil {
		return nil, fmt.Errorf("read part %d of upload %d: %w", n, f.id, err)
	}
	b, err := f.db.sealer.open("upload_part", "bytes", partPlace(f.id, n), sealed)
	if err != nil {
		return nil, err
	}
	if len(f.oldest) == partsKept {
		delete(f.kept, f.oldest[0])
		f.oldest = f.oldest[1:]
	}
	f.kept[n], f.oldest = b, append(f.oldest, n)
	return b, nil
}
