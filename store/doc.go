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
//   - service.go keeps the texts that answer what a person did. They are a table
//     of their own: in the table of messages each counter, each chunked move of
//     a campaign, and UNIQUE(campaign, number, step) would have to leave them
//     out. What is the same is shared: the transitions, the number's lock, the
//     attempts that the marker remembers, the evidence, the alarm.
//   - told.go owes the texts that tell people something while they wait: that
//     we have tried, that it takes longer. It asks selfrefer whether they may
//     go, with the attempt or the pacer's tick and again when they would leave.
//   - practice.go gathers what goes back to practices: an entry is its own mark
//     of having been told, and a file that is ready never changes.
//   - outbox.go keeps what other systems are told, written with what it tells.
//   - notice.go finds what stands at the top of somebody's pages; mail.go keeps what they
//     were told of it by mail, once of each thing, for sixty days. It holds no personal
//     data: a reference and a kind. After a restored backup somebody may be told twice.
//   - marker.go remembers outside the database how far the database and the
//     journal had got, so that a restored backup is noticed before anybody is
//     texted twice: the marker in the data folder, and the witness in the keys
//     folder, which goes back with no backup of the data.
//   - registry.go tells the database how far it has taken each journal in. That
//     row goes back in time with the database, so a restored one asks for
//     exactly what it has forgotten, before the first claim.
//   - quarantine.go compares all of them, and keeps a database that may have
//     forgotten something from sending: see campaign.Quarantine.
//   - backup.go and restore.go copy the data into one file and back.
//
// # What notices a database that went back in time
//
//	put back                          told by                              lost
//	the SQLite file                   marker, witness; journal row         nothing: the journal has it
//	wellpaced restore                 its own mark                         nothing, if the journal is still there
//	the whole data folder             witness (needs writable keys)        a gap, counted; a person accepts it
//	data and keys: the whole machine  the provider's newest texts          a gap, not counted; a person accepts it
//	Postgres, a standby took over     its timeline, in each claim          nothing: the processes' journals have it
//	Postgres, a dump elsewhere        its system identifier, in each claim nothing, as above
//	Postgres, a dump, same server     marker, witness, journal rows        nothing, as above
//
// Nothing notices a whole machine that was put back, if in the time that is lost
// no text left or the newest two hundred texts at the provider are another
// system's: give each deployment a subaccount of its own, and back up often.
//
// # Backups
//
// "wellpaced backup FOLDER" beside a running serve, every hour from the system's
// timer, onto another machine; keep a day of them, and a week of daily ones. What
// a backup is older than the failure comes back from the journal as long as the
// data folder's disk is there, so copy the folder "journal" away more often (each
// minute is cheap: it only grows). Copy the keys once, elsewhere, and after each
// rotation; a backup is worth nothing without them, and they must not lie beside
// it. Try a restore each month, into an empty folder on another machine, and
// start no serve there.
//
// SQLite is copied by VACUUM INTO: one read transaction of a second or so for each
// gigabyte, in which writers go on and their log grows. Litestream can follow the
// database too: it is in WAL mode with a busy time-out, and a checkpoint of ours
// (every 8,000 pages) cannot take the log away under Litestream's own read
// transaction; when we restart the log first, it takes a new snapshot, which costs
// traffic and no data. wal_autocheckpoint stays on, because without Litestream the
// log would grow for ever. Nobody has measured the two together. A database that
// Litestream restores is a little older than its marker, like any other.
//
// On Postgres "wellpaced backup" calls pg_dump, and restore pg_restore into an
// empty database. For more than a few gigabytes use the server's own means,
// pg_basebackup with its log archived (point-in-time recovery): that begins a new
// timeline, which is noticed. Each process keeps its journal in its own data
// folder: let the folders outlive the processes. One that does not come back
// within ten minutes becomes a gap with its name.
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
