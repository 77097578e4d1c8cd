// Package servers starts throw-away servers on free ports of this computer: for tests and for `wellpaced soak`.
//
// Redis and PostgreSQL come from the machine's packages (.ci/deps installs them on Debian). They listen on this computer alone, live in
// a temporary folder, and die with the process that started them, also when that is killed.
package servers

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	startLimit = 30 * time.Second // a busy two-core machine takes its time over initdb
	dirPrefix  = "wellpaced-test-"
)

// ErrMissing wraps the error of a server that is not installed.
var ErrMissing = errors.New("run .ci/deps to install it")

var (
	mu       sync.Mutex // guards cleanups: both servers may start at once
	cleanups []func()

	redis    = sync.OnceValues(startRedis)
	postgres = sync.OnceValues(startPostgres)
	database atomic.Int64 // number of the next fresh database
)

// Stop stops all servers that this process started and removes their folders.
func Stop() {
	mu.Lock()
	all := cleanups
	cleanups = nil
	mu.Unlock()
	for _, stop := range slices.Backward(all) {
		stop()
	}
}

// Redis returns the address of a real Redis, "127.0.0.1:port". The whole process shares one.
func Redis() (string, error) { return redis() }

// Postgres returns the URL of a fresh database, in a cluster that the whole process shares, and what drops it again.
func Postgres() (url string, drop func() error, err error) { return newDatabase() }

// Copy is Postgres, but the database begins with what is in another one of that cluster, with which nobody may be connected.
func Copy(of string) (url string, drop func() error, err error) {
	base, _, _ := strings.Cut(of, "?")
	return newDatabase("--template", base[strings.LastIndexByte(base, '/')+1:])
}

func newDatabase(options ...string) (url string, drop func() error, err error) {
	c, err := postgres()
	if err != nil {
		return "", nil, err
	}
	name := "scratch_" + strconv.FormatInt(database.Add(1), 10)
	if err := c.run("createdb", append(options, name)...); err != nil {
		return "", nil, fmt.Errorf("create a database: %w", err)
	}
	return c.url(name), func() error { return c.run("dropdb", "--force", name) }, nil
}

func startRedis() (string, error) {
	s, err := OwnRedis()
	if err != nil {
		return "", err
	}
	atExit(s.Stop)
	return s.Addr, nil
}

// Server is a server for one user, who may stop and start it, or freeze it. It keeps its port and its folder. Its methods are for one goroutine.
type Server struct {
	Addr string // 127.0.0.1:port

	port int
	on   func(port int) (*process, error)
	now  *process // nil while it is stopped
}

func newServer(on func(port int) (*process, error)) (*Server, error) {
	s := &Server{on: on}
	err := onFreePort(func(port int) (err error) {
		s.port, s.Addr = port, "127.0.0.1:"+strconv.Itoa(port)
		s.now, err = on(port)
		return err
	})
	return s, err
}

// Stop ends it at once, as a crash would.
func (s *Server) Stop() {
	if s.now != nil {
		s.Thaw()
		s.now.stop()
		s.now = nil
	}
}

// Start starts it again where it was.
func (s *Server) Start() (err error) {
	s.now, err = s.on(s.port)
	return err
}

// Freeze makes it answer nothing while its connections stay open (a Redis; a PostgreSQL goes on answering those). Thaw ends it.
func (s *Server) Freeze() { _ = s.now.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (s *Server) Thaw() { _ = s.now.cmd.Process.Signal(syscall.SIGCONT) }

// OwnRedis starts a Redis that nobody else uses. Stop it after use.
func OwnRedis() (*Server, error) {
	bin, err := find("redis-server")
	if err != nil {
		return nil, err
	}
	dir, err := scratch("redis")
	if err != nil {
		return nil, err
	}
	return newServer(func(port int) (*process, error) {
		addr := "127.0.0.1:" + strconv.Itoa(port)
		cmd := exec.Command(bin, "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--dir", dir, "--save", "", "--appendonly", "no", "--databases", "256")
		return start(cmd, nil, syscall.SIGKILL, func() error {
			c, err := net.DialTimeout("tcp", addr, time.Second)
			if err == nil {
				err = c.Close()
			}
			return err
		})
	})
}

// OwnPostgres starts a PostgreSQL that nobody else uses, with one empty database at the URL. Stop it after use, which loses nothing that was
// committed: what a killed process has written, the kernel still has.
func OwnPostgres() (s *Server, url string, err error) {
	c, s, err := newPostgres()
	if err != nil {
		return nil, "", err
	}
	if err := c.run("createdb", "own"); err != nil {
		s.Stop()
		return nil, "", fmt.Errorf("create a database: %w", err)
	}
	return s, c.url("own"), nil
}

const pgUser = "wellpaced"

// cluster is a throw-away PostgreSQL.
type cluster struct {
	port int
	bin  func(name string) (string, error)
}

func (c cluster) url(database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", pgUser, c.port, database)
}

// run calls one of PostgreSQL's client commands.
func (c cluster) run(command string, args ...string) error {
	bin, err := c.bin(command)
	if err != nil {
		return err
	}
	args = append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(c.port), "-U", pgUser}, args...)
	if out, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, bytes.TrimSpace(out))
	}
	return nil
}

func startPostgres() (cluster, error) {
	c, s, err := newPostgres()
	if err == nil {
		atExit(s.Stop)
	}
	return c, err
}

func newPostgres() (c cluster, s *Server, err error) {
	c.bin = find
	initdb, err := find("initdb")
	if err != nil {
		return c, nil, err
	}
	server, err := find("postgres")
	if err != nil {
		return c, nil, err
	}
	// Not under t.TempDir: that is closed to the account which PostgreSQL insists on when we are root.
	dir, err := scratch("postgres")
	if err != nil {
		return c, nil, err
	}
	account, err := notRoot(dir)
	if err != nil {
		return c, nil, err
	}
	setup := exec.Command(initdb, "-D", dir, "-U", pgUser, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	setup.Dir = dir
	setup.SysProcAttr = &syscall.SysProcAttr{Credential: account}
	if out, err := setup.CombinedOutput(); err != nil {
		return c, nil, fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	s, err = newServer(func(port int) (*process, error) {
		c.port = port
		cmd := exec.Command(server, "-D", dir, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
			// A throw-away cluster may lose everything at a power cut. No other code may switch this off.
			"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200")
		cmd.Dir = dir
		// SIGQUIT is PostgreSQL's immediate shutdown: it takes its own children along, which SIGKILL would not.
		return start(cmd, account, syscall.SIGQUIT, func() error { return c.run("pg_isready", "-q", "-d", "postgres") })
	})
	return c, s, err
}

// notRoot gives dir to the account "postgres" when we are root, which PostgreSQL refuses to run as.
func notRoot(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("find the account that PostgreSQL runs as: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("read the account postgres: %w", err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, fmt.Errorf("hand over the data folder: %w", err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// find looks where Debian keeps PostgreSQL, newest version first (its commands in PATH are slow wrappers), and then in PATH.
func find(name string) (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return "", err
	}
	version := func(p string) float64 {
		v, _ := strconv.ParseFloat(strings.Split(p, "/")[4], 64) // not a number: 0, the last choice
		return v
	}
	if len(found) > 0 {
		return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(version(a), version(b)) }), nil
	}
	if p, err := exec.LookPath(name); err == nil {
		return p, nil
	}
	return "", fmt.Errorf("%s is not installed: %w", name, ErrMissing)
}

// scratch makes a folder named after this process, and removes those of processes that died before they could.
func scratch(what string) (string, error) {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*")) // the pattern is valid
	for _, dir := range old {
		pid, err := strconv.Atoi(strings.Split(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")[0])
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir) // somebody else's: then it stays
		}
	}
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-%s-", dirPrefix, os.Getpid(), what))
	if err != nil {
		return "", fmt.Errorf("make a data folder: %w", err)
	}
	atExit(func() { _ = os.RemoveAll(dir) })
	return dir, nil
}

func atExit(f func()) {
	mu.Lock()
	defer mu.Unlock()
	cleanups = append(cleanups, f)
}

// onFreePort tries again if another process takes the port between our look and the server's start.
func onFreePort(startOn func(port int) error) error {
	var err error
	for range 3 {
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err = l.Close(); err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		if err = startOn(port); err == nil {
			return nil
		}
	}
	return err
}

type process struct {
	cmd    *exec.Cmd
	signal syscall.Signal
	done   chan struct{} // closed when it has ended
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(p.signal) // it may have ended by itself
	<-p.done
}

// start returns when ready succeeds. The kernel sends signal when this process dies, however it dies.
func start(cmd *exec.Cmd, account *syscall.Credential, signal syscall.Signal, ready func() error) (*process, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: signal, Credential: account}
	p := &process{cmd: cmd, signal: signal, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// "Parent" means the thread that started it: this goroutine keeps that thread for as long as the server runs.
		runtime.LockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended shows in its output
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	limit := time.After(startLimit)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return p, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s ended at once: %s", filepath.Base(cmd.Path), bytes.TrimSpace(out.Bytes()))
		case <-limit:
			p.stop()
			return nil, fmt.Errorf("%s is not ready after %s: %w: %s", filepath.Base(cmd.Path), startLimit, err, bytes.TrimSpace(out.Bytes()))
		case <-tick.C:
		}
	}
}
