package soak

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// player is one process of the program.
type player struct {
	name  string // also that of its data folder
	args  []string
	env   []string
	log   string
	cmd   *exec.Cmd
	began time.Time
	// odd says that this life tells nothing of how fast the program starts: it was frozen, or began with a restored backup.
	odd bool
}

// firstData is the data folder of the process that people meet: the only one on SQLite.
const firstData = "web"

// players are the processes of an engine. SQLite is served by one process; Postgres and Redis let many share the work.
func (s *soak) players(site string) []*player {
	common := []string{"serve", "--keys", s.keys(), "--settle", s.cfg.Settle.String(), "--rate", fmt.Sprint(s.rate()),
		"--twilio-account-sid", account, "--twilio-auth-token", secret, "--twilio-from", sender, "--twilio-api-url", "http://" + s.provider.addr,
		"--public-url", "http://" + site}
	if s.cfg.Database == "" {
		return []*player{s.player(firstData, common, "--listen", site)}
	}
	common = append(common, "--database", s.cfg.Database, "--redis", s.cfg.Redis)
	all := []*player{s.player(firstData, common, "--listen", site, "--roles", "web")}
	for _, role := range []struct {
		name string
		n    int
	}{{"pacer", 2}, {"worker", 4}} {
		for i := range role.n {
			all = append(all, s.player(fmt.Sprintf("%s%d", role.name, i+1), common, "--listen", "127.0.0.1:0", "--roles", role.name))
		}
	}
	return all
}

func (s *soak) player(name string, common []string, more ...string) *player {
	args := append(append([]string{}, common...), more...)
	return &player{name: name, args: append(append([]string{}, s.cfg.Program[1:]...), append(args, "--data", s.folder(name))...),
		env: append(os.Environ(), s.cfg.Env...), log: filepath.Join(s.cfg.Dir, name+".log")}
}

func (p *player) start(program string) error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.name, err)
	}
	defer log.Close()
	p.cmd, p.began, p.odd = exec.Command(program, p.args...), time.Now(), false
	p.cmd.Env, p.cmd.Stderr, p.cmd.Stdout = p.env, log, log
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	return nil
}

// end signals a process and waits for its end. It reports one that had ended by itself, which none should.
func (p *player) end(how syscall.Signal) (alive bool) {
	if p.cmd == nil {
		return true
	}
	_ = p.cmd.Process.Signal(how) // it may have ended
	_ = p.cmd.Wait()
	w, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	p.cmd = nil
	return ok && (w.Signaled() || w.ExitStatus() == 0)
}

// freeze stops a process where it stands, as a paused virtual machine does, and lets it go on later.
func (p *player) freeze(ctx context.Context, d time.Duration) {
	p.odd = true
	_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	sleep(ctx, d)
	_ = p.cmd.Process.Signal(syscall.SIGCONT)
}

// FlushRedis empties the Redis database, as an operator's mistake or a restart without persistence does.
func FlushRedis(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || strings.Trim(u.Path, "/0123456789") != "" {
		return fmt.Errorf("--redis must look like redis://127.0.0.1:6379/1 for the soak to empty it")
	}
	c, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	defer c.Close()
	number := strings.Trim(u.Path, "/")
	if number == "" {
		number = "0"
	}
	if _, err := fmt.Fprintf(c, "SELECT %s\r\nFLUSHDB\r\nQUIT\r\n", number); err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	if answer, err := io.ReadAll(c); err != nil || string(answer) != "+OK\r\n+OK\r\n+OK\r\n" {
		return fmt.Errorf("empty Redis: it answers %q: %w", answer, err)
	}
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// sleep waits unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
