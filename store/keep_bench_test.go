package store

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// BenchmarkKeep takes forms from many clients at once, durable in the database and in the journal; bare inserts rows of the same
// size through the same group commit, one per form, and is the yardstick.
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
		w.write(`CREATE TABLE bare (id BIGINT PRIMARY KEY, form BLOB NOT NULL UNIQUE, body BLOB NOT NULL)`)
		body := make([]byte, 700)
		var next atomic.Int64
		b.SetParallelism(32)
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				i := next.Add(1)
				err := w.db.write(ctx, "bare", func(tx *Tx) error {
					_, err := tx.Exec(`INSERT INTO bare (id, form, body) VALUES ($1, $2, $3)`, i, []byte(itoa(i)), body)
					return err
				})
				if err != nil {
					b.Error(err)
				}
			}
		})
	})
}
