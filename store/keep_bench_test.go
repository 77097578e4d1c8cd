package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// BenchmarkKeep takes forms from many clients at once, durable in the database and in the journal; bare is the yardstick: the
// same rows through the same group commit, with nothing looked up, sealed or journaled.
func BenchmarkKeep(b *testing.B) {
	ctx := context.Background()
	b.Run("forms", func(b *testing.B) {
		w := mustWorld(b, mustOpen(b, testConfig(b)))
		people := make([]texted, b.N)
		for i := range people {
			doc := agnes
			doc.Phone = fmt.Sprintf("+4477%08d", i)
			people[i] = w.text(doc, false)
		}
		var next atomic.Int64
		b.SetParallelism(32) // times GOMAXPROCS
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				i := next.Add(1) - 1
				if _, err := w.keep(form(itoa(i), people[i], selfrefer.Answers{BirthDate: "1950-02-01", Words: "I would like some company"})); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("bare", func(b *testing.B) {
		w := mustWorld(b, mustOpen(b, testConfig(b)))
		sealed := make([]byte, 400)
		var next atomic.Int64
		b.SetParallelism(32)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				id := itoa(next.Add(1))
				err := w.db.write(ctx, "bare", func(tx *Tx) error {
					o := origin{network: w.network.ID, phoneIx: []byte(id)}
					_, err := w.db.insertReferral(tx, newReferral{id: w.db.newID(), o: o, rec: formRecord{Reference: id, At: 1}, formIx: []byte(id), sealed: sealed})
					if err == nil {
						_, err = tx.Exec(`INSERT INTO evidence (message, attempt, kind, event, sid, code, at) VALUES ($1, 0, '', '', '', '', 0)`, w.db.newID())
					}
					return errors.Join(err, w.db.bump(tx, 1, tallyAnswer, 0, 1, 1, 1), w.db.bump(tx, 1, tallyReferral, 0, 1, 0, 1), w.db.audit(tx, staff.Entry{}))
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
	})
}
