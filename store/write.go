package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	groupSize   = 256                   // functions in one commit at most
	groupTime   = 20 * time.Millisecond // a group takes nobody in after this
	slowWrite   = 50 * time.Millisecond // no function should hold the writer longer
	queueLength = 1024
	maxAttempts = 8 // of one transaction, when the engine asks to run it again
)

// errClosed is what a write gets once the store is closing.
var errClosed = errors.New("the store is closed")

// Tx is a transaction, of write or of read. Its methods run on the transaction's
// context. After a statement has failed, every later one fails too, on both
// engines as on Postgres: use ON CONFLICT instead of catching an error.
type Tx struct {
	now     int64 // civil unix ms, the same for the whole function
	machine int64 // machine unix ms: deadlines and leases

	ctx    context.Context
	engine engine
	run    runner
	opened []*sql.Rows
	err    error // the first statement that failed
	wrote  bool  // something has changed, or may have

	counted []counted // by bump
	group   []*job    // who shares the commit, so far: what they have counted stands in no row yet
}

// runner is what a transaction runs its statements on.
type runner interface {
	exec(ctx context.Context, query string, args []any) (sql.Result, error)
	query(ctx context.Context, query string, args []any) (*sql.Rows, error)
	queryRow(ctx context.Context, query string, args []any) *sql.Row
}

// Exec runs a statement and returns how many rows it changed.
func (t *Tx) Exec(query string, args ...any) (rowsAffected int64, err error) {
	if t.err != nil {
		return 0, t.err
	}
	res, err := t.run.exec(t.ctx, query, args)
	if err != nil {
		t.err, t.wrote = err, true
		return 0, err
	}
	rowsAffected, err = res.RowsAffected()
	t.wrote = t.wrote || rowsAffected != 0 || err != nil
	return rowsAffected, err
}

// Query runs a statement that returns rows. The caller closes them before its
// next statement.
func (t *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	if t.err != nil {
		return nil, t.err
	}
	t.wrote = t.wrote || !isSelect(query)
	rows, err := t.run.query(t.ctx, query, args)
	if err != nil {
		t.err = err
		return nil, err
	}
	t.opened = append(t.opened, rows)
	return rows, nil
}

// QueryRow runs a statement that returns one row; errors wait for Scan.
func (t *Tx) QueryRow(query string, args ...any) *sql.Row {
	if t.err != nil {
		return t.run.queryRow(failedContext{t.ctx, t.err}, query, args)
	}
	t.wrote = t.wrote || !isSelect(query)
	row := t.run.queryRow(t.ctx, query, args)
	if err := row.Err(); err != nil {
		t.err = err
	}
	return row
}

// isSelect tells whether a statement that returns rows only reads.
func isSelect(query string) bool {
	return strings.HasPrefix(strings.TrimLeft(query, " \n\t"), "SELECT")
}

// bulkInsert inserts many rows with few statements. into is
// "INSERT INTO t (a, b)", end is "" or an ON CONFLICT clause, args are the rows
// one after the other. It returns how many rows were inserted.
func (t *Tx) bulkInsert(into string, columns int, args []any, end string) (int64, error) {
	if columns <= 0 || len(args)%columns != 0 {
		return 0, fmt.Errorf("bulk insert: %d values do not fill rows of %d", len(args), columns)
	}
	step := min(t.engine.bulkRows(), t.engine.maxParams()/columns) * columns
	var total int64
	var query string
	var size int
	for len(args) > 0 {
		n := min(step, len(args))
		if n != size {
			query, size = into+" VALUES "+t.engine.placeholders(0, n/columns, columns)+" "+end, n
		}
		count, err := t.Exec(query, args[:n]...)
		if err != nil {
			return total, err
		}
		total += count
		args = args[n:]
	}
	return total, nil
}

// closeRows closes what a function left open, which would block the connection
// for whoever comes next.
func (t *Tx) closeRows() {
	for _, rows := range t.opened {
		_ = rows.Close()
	}
	t.opened = nil
}

// failedContext makes database/sql answer a QueryRow with an error of ours, since
// nobody outside it can make a sql.Row.
type failedContext struct {
	context.Context
	err error
}

func (c failedContext) Done() <-chan struct{} { return closedChannel }
func (c failedContext) Err() error            { return c.err }

var closedChannel = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// write runs fn in a transaction and returns when its rows are on the disk. An
// error of fn undoes fn and comes back as it is. label names the write in logs.
// ctx ends the wait in the queue; once fn has started its outcome is reported.
// fn may run more than once and must not call write.
func (db *DB) write(ctx context.Context, label string, fn func(tx *Tx) error) error {
	if db.engine == enginePostgres {
		return db.writePostgres(ctx, label, fn)
	}
	err := db.writer.do(ctx, label, fn)
	if err != nil && db.engine.isFull(err) && db.room.makeWay() {
		return db.writer.do(ctx, label, fn)
	}
	return err
}

// read runs fn on a snapshot. fn must not write.
func (db *DB) read(ctx context.Context, label string, fn func(tx *Tx) error) error {
	if db.engine == enginePostgres {
		return db.readPostgres(ctx, label, fn)
	}
	var s *session
	select {
	case s = <-db.readers:
	case <-ctx.Done():
		return fmt.Errorf("%s: wait for a reader: %w", label, ctx.Err())
	}
	defer func() { db.readers <- s }()
	quiet := context.WithoutCancel(ctx)
	if err := s.begin(quiet, sqliteBeginRead); err != nil {
		return fmt.Errorf("%s: begin read: %w", label, err)
	}
	// Fails when SQLite has ended the transaction already, which is as good.
	defer func() { _, _ = s.exec(quiet, "ROLLBACK", nil) }()
	return db.guard(label, db.newTx(ctx, s), fn)
}

func (db *DB) newTx(ctx context.Context, run runner) *Tx {
	return &Tx{
		now:     db.cfg.Now().UnixMilli(),
		machine: db.cfg.Machine().UnixMilli(),
		ctx:     ctx,
		engine:  db.engine,
		run:     run,
	}
}

// ---- SQLite: one writer, shared commits

// job is one function that waits for the writer.
type job struct {
	ctx   context.Context
	label string
	fn    func(tx *Tx) error
	taken atomic.Bool // by the writer, or by the caller who gave up
	err   error       // of fn; nil if what it did stands
	did   []counted
	done  chan error // capacity 1
}

// writer is the goroutine all SQLite writes go through.
type writer struct {
	db     *DB
	s      *session
	jobs   chan *job
	mu     sync.RWMutex // closed, and nobody sends on jobs after it is set
	closed bool
	over   chan struct{}
	// members are the jobs of the group that runs.
	members []*job
}

func newWriter(db *DB, s *session) *writer {
	w := &writer{db: db, s: s, jobs: make(chan *job, queueLength), over: make(chan struct{})}
	go w.loop()
	return w
}

// close takes no more jobs and returns when the accepted ones are committed.
func (w *writer) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.jobs)
	}
	w.mu.Unlock()
	<-w.over
}

func (w *writer) do(ctx context.Context, label string, fn func(tx *Tx) error) error {
	j := &job{ctx: ctx, label: label, fn: fn, done: make(chan error, 1)}
	if err := w.send(j); err != nil {
		return fmt.Errorf("%s: %w", label, err)
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		if j.taken.CompareAndSwap(false, true) {
			return fmt.Errorf("%s: wait for the writer: %w", label, ctx.Err())
		}
		return <-j.done
	}
}

func (w *writer) send(j *job) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errClosed
	}
	select {
	case w.jobs <- j:
		return nil
	case <-j.ctx.Done():
		return fmt.Errorf("wait for the writer: %w", j.ctx.Err())
	}
}

func (w *writer) loop() {
	ended := false
	defer func() {
		if ended {
			close(w.over)
		} else {
			go w.loop() // a function ended this goroutine (t.Fatal does); the others go on
		}
	}()
	for j := range w.jobs {
		w.group(j)
	}
	ended = true
}

// group commits first and whoever else waits, together. What goes wrong with the
// transaction is everybody's error, because nobody's rows are on the disk.
//
// What goes wrong inside one function undoes that function alone. Most succeed, or
// fail before they have changed anything, so there are no savepoints at first:
// each makes SQLite copy every page that is touched under it. If one does fail
// half-way, all is undone and run again, with a savepoint each.
func (w *writer) group(first *job) {
	start := w.db.cfg.Machine()
	if err := w.begin(); err != nil {
		w.answer(w.collect(first), fmt.Errorf("begin: %w", err))
		return
	}
	members := make([]*job, 0, 64)
	lost := errors.New("a function ended the writer's goroutine")
	defer func() {
		if lost != nil {
			w.rollback()
		}
		now := hourOf(w.db.cfg.Now().UnixMilli())
		for _, j := range members {
			if lost == nil && j.err == nil {
				w.db.closed.changed(j.did, now)
			}
		}
		w.answer(members, lost)
	}()
	savepoints := false
	for j := first; j != nil; j = w.next(len(members), start) {
		if !j.taken.CompareAndSwap(false, true) {
			continue // the caller gave up
		}
		members = append(members, j)
		w.members = members
		again := members[len(members)-1:]
		if !savepoints {
			wrote := false
			if j.err, wrote = w.run(j); j.err == nil || !wrote {
				continue
			}
			w.rollback()
			if err := w.begin(); err != nil {
				lost = fmt.Errorf("begin again: %w", err)
				return
			}
			savepoints, again = true, members
		}
		for _, k := range again {
			k.did = nil // of the run before
		}
		for _, k := range again {
			var gone error
			if k.err, gone = w.attempt(k); gone != nil {
				lost = gone
				return
			}
		}
	}
	var counts [][]counted
	for _, j := range members {
		if j.err == nil {
			counts = append(counts, j.did)
		}
	}
	if lost = w.db.newTx(context.Background(), w.s).addAll(counts); lost != nil {
		return
	}
	if _, lost = w.s.exec(context.Background(), "COMMIT", nil); lost != nil {
		lost = fmt.Errorf("commit: %w", lost)
	}
}

// rollback fails when SQLite has rolled back by itself, which is as good.
func (w *writer) rollback() { _, _ = w.s.exec(context.Background(), "ROLLBACK", nil) }

// next returns the next job of the group, or nil when the group is complete.
func (w *writer) next(n int, start time.Time) *job {
	if n >= groupSize || w.db.cfg.Machine().Sub(start) >= groupTime {
		return nil
	}
	// One turn for the callers who were just answered: they are what fills the
	// next group, and on few cores they have not had a chance to ask yet.
	for range 2 {
		select {
		case j := <-w.jobs: // nil when closed
			return j
		default:
			runtime.Gosched()
		}
	}
	return nil
}

// collect takes the jobs that wait already, to answer all with one error.
func (w *writer) collect(first *job) []*job {
	var members []*job
	for j := first; j != nil; {
		if j.taken.CompareAndSwap(false, true) {
			members = append(members, j)
		}
		select {
		case j = <-w.jobs:
		default:
			j = nil
		}
	}
	return members
}

func (w *writer) answer(members []*job, lost error) {
	for _, j := range members {
		switch {
		case j.err != nil:
			j.done <- j.err
		case lost != nil:
			j.done <- fmt.Errorf("%s: %w", j.label, lost)
		default:
			j.done <- nil
		}
	}
}

// begin opens the transaction. Another process (a backup, a command) may hold the
// file; the engine waits 5 s by itself, we ask a few times.
func (w *writer) begin() (err error) {
	for range 3 {
		if err = w.s.begin(context.Background(), sqliteBeginWrite); !w.db.engine.isRetry(err) {
			return err
		}
	}
	return err
}

// run runs one function and tells whether it changed anything.
func (w *writer) run(j *job) (err error, wrote bool) {
	tx := w.db.newTx(context.WithoutCancel(j.ctx), w.s) // an interrupted statement would undo the whole group
	tx.group = w.members
	before := w.db.cfg.Machine()
	err = w.db.guard(j.label, tx, j.fn)
	w.db.warnSlow(j.label, before)
	j.did = tx.counted
	return err, tx.wrote
}

// attempt runs one function inside a savepoint. err is for its caller; lost is for
// the whole group.
func (w *writer) attempt(j *job) (err, lost error) {
	quiet := context.Background()
	if _, err := w.s.exec(quiet, "SAVEPOINT one", nil); err != nil {
		return nil, fmt.Errorf("savepoint: %w", err)
	}
	if err, _ = w.run(j); err != nil {
		if _, gone := w.s.exec(quiet, "ROLLBACK TO one", nil); gone != nil {
			// A full disk makes SQLite roll back everything, our savepoint included.
			return err, fmt.Errorf("the shared transaction was undone: %w", err)
		}
	}
	if _, lost := w.s.exec(quiet, "RELEASE one", nil); lost != nil {
		return err, fmt.Errorf("release savepoint: %w", lost)
	}
	return err, nil
}

// guard calls fn, turns a panic into an error and does not let fn succeed over a
// statement that failed.
func (db *DB) guard(label string, tx *Tx, fn func(tx *Tx) error) (err error) {
	defer tx.closeRows()
	defer func() {
		if v := recover(); v != nil {
			// The value may hold personal data; the stack holds none.
			db.log.Error("a transaction panicked", slog.String("label", label), slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("%s: the function panicked (%T)", label, v)
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if tx.err != nil {
		return fmt.Errorf("%s: a statement failed: %w", label, tx.err)
	}
	return nil
}

func (db *DB) warnSlow(label string, before time.Time) {
	if took := db.cfg.Machine().Sub(before); took > slowWrite {
		db.log.Info("a write held the writer too long", slog.String("label", label), slog.Duration("took", took))
	}
}

// session is one SQLite connection with its prepared statements: parsing a
// statement costs several times what running it does.
type session struct {
	pool  *sql.DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// maxStatements bounds the cache; bulk inserts of odd sizes are what fills it.
const maxStatements = 512

func openSession(ctx context.Context, pool *sql.DB) (*session, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &session{pool: pool, conn: conn, stmts: make(map[string]*sql.Stmt)}, nil
}

func (s *session) close() error {
	var errs []error
	for _, stmt := range s.stmts {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, s.conn.Close())...)
}

// begin opens a transaction. A connection that cannot (it broke, or somebody's
// transaction is still open on it) is replaced by a new one, once.
func (s *session) begin(ctx context.Context, how string) error {
	_, err := s.exec(ctx, how, nil)
	if err == nil || engineSQLite.isRetry(err) {
		return err
	}
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn }) // drops it from the pool
	_ = s.close()
	next, renewErr := openSession(ctx, s.pool)
	if renewErr != nil {
		return errors.Join(err, renewErr)
	}
	*s = *next
	_, err = s.exec(ctx, how, nil)
	return err
}

// prepared returns the cached statement. When the cache is full some other one gives way.
func (s *session) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := s.stmts[query]; ok {
		return stmt, nil
	}
	if len(s.stmts) >= maxStatements {
		for other, stmt := range s.stmts {
			_ = stmt.Close() // nobody reads from it: rows are closed before the next statement
			delete(s.stmts, other)
			break
		}
	}
	stmt, err := s.conn.PrepareContext(context.WithoutCancel(ctx), query)
	if err != nil {
		return nil, err
	}
	s.stmts[query] = stmt
	return stmt, nil
}

func (s *session) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	stmt, err := s.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

func (s *session) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	stmt, err := s.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

func (s *session) queryRow(ctx context.Context, query string, args []any) *sql.Row {
	stmt, err := s.prepared(ctx, query)
	if err != nil {
		return s.conn.QueryRowContext(ctx, query, args...) // gives the error to Scan
	}
	return stmt.QueryRowContext(ctx, args...)
}

// ---- Postgres: a transaction each

// pgRunner runs on a transaction; pgx caches the prepared statements itself.
type pgRunner struct{ tx *sql.Tx }

func (r pgRunner) exec(ctx context.Context, query string, args []any) (sql.Result, error) {
	return r.tx.ExecContext(ctx, query, args...)
}

func (r pgRunner) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	return r.tx.QueryContext(ctx, query, args...)
}

func (r pgRunner) queryRow(ctx context.Context, query string, args []any) *sql.Row {
	return r.tx.QueryRowContext(ctx, query, args...)
}

func (db *DB) writePostgres(ctx context.Context, label string, fn func(tx *Tx) error) error {
	for n := 1; ; n++ {
		err := db.tryPostgres(ctx, db.writers, nil, label, fn)
		if err == nil || n == maxAttempts || !db.engine.isRetry(err) {
			return err
		}
		// Those who collided must not collide again in step.
		wait := time.NewTimer(time.Duration(n) * time.Duration(1+rand.IntN(10)) * time.Millisecond)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return fmt.Errorf("%s: %w", label, ctx.Err())
		}
	}
}

func (db *DB) readPostgres(ctx context.Context, label string, fn func(tx *Tx) error) error {
	return db.tryPostgres(ctx, db.readPool, readOptions, label, fn)
}

func (db *DB) tryPostgres(ctx context.Context, pool *sql.DB, o *sql.TxOptions, label string, fn func(tx *Tx) error) error {
	// ctx ends the wait for a connection; after that the transaction is not
	// interrupted, so that its outcome is known.
	conn, err := pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("%s: connect: %w", label, err)
	}
	defer conn.Close()
	inner := ctx
	if o == nil {
		inner = context.WithoutCancel(ctx)
	}
	outer, err := conn.BeginTx(inner, o)
	if err != nil {
		return fmt.Errorf("%s: begin: %w", label, err)
	}
	defer func() { _ = outer.Rollback() }() // no-op after Commit
	tx := db.newTx(inner, pgRunner{outer})
	if err := db.guard(label, tx, fn); err != nil {
		return err
	}
	if err := outer.Commit(); err != nil {
		return fmt.Errorf("%s: commit: %w", label, err)
	}
	return nil
}
