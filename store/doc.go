// Package store keeps everything Wellpaced knows, in SQLite or in Postgres.
//
// It is one deep package: the domains declare small ports, store answers them
// with plain SQL, and nobody else sees a database. Domains decide, store
// applies guarded rows. The plumbing underneath the queries is this:
//
//   - dialect.go holds every difference between the two engines. All SQL
//     elsewhere is one text with $1 placeholders that both engines run.
//   - write.go is the only way to change a row. On SQLite one goroutine runs
//     the waiting functions in one transaction, each in its own savepoint, and
//     pays for one fsync: sixty-four people who press "Send" share a commit. On
//     Postgres every function has a transaction of its own, which is retried
//     when the server asks for it.
//   - seal.go is the only place that encrypts. Personal data are sealed to the
//     row they stand in; what must be found again has a keyed blind index. The
//     keys live in a folder of their own, never beside the data.
//   - journal.go is a second home for what must not be lost (self-referrals,
//     opt-outs, evidence that a text left): sealed, fsynced files outside the
//     database, which survive a restored backup.
//   - lesson.go keeps what each ended campaign taught about how people answer,
//     for the network's next ones: sums without a person or a practice, so that
//     they may be kept for good.
//   - room.go and clock.go keep sends back when the disk is nearly full or the
//     civil clock was set. Forms and opt-outs are taken down to the last byte,
//     and for those in hand then there is a ballast to drop.
//   - marker.go remembers outside the database how far the database had got, so
//     that a restored backup is noticed before anybody is texted twice.
//
// A write returns only when its rows are on the disk, so "committed" means that
// the power may fail. Two rules follow for the functions handed to write and
// read: they may run more than once (Postgres retries), so they set their
// results afresh each time; and they close one result before they ask for the
// next, because a Postgres connection carries one at a time.
//
// Times are unix milliseconds and come from the two clocks in Config, never from
// the database.
package store
