package servers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// Standby copies the shared PostgreSQL cluster as it is now, and starts the copy as a standby that hears nothing more of it: as one does
// that lags behind when the primary dies. address is host and port; promote lets it take over, with what it has.
func Standby() (address string, promote func() error, err error) {
	primary, err := postgres()
	if err != nil {
		return "", nil, err
	}
	tool, err := find("pg_basebackup")
	if err != nil {
		return "", nil, err
	}
	server, err := find("postgres")
	if err != nil {
		return "", nil, err
	}
	dir, err := scratch("standby")
	if err != nil {
		return "", nil, err
	}
	account, err := notRoot(dir)
	if err != nil {
		return "", nil, err
	}
	take := exec.Command(tool, "-h", "127.0.0.1", "-p", strconv.Itoa(primary.port), "-U", pgUser, "-D", dir, "--wal-method=stream", "--checkpoint=fast", "--no-sync")
	take.Dir = dir
	take.SysProcAttr = &syscall.SysProcAttr{Credential: account}
	if out, err := take.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("pg_basebackup: %w: %s", err, bytes.TrimSpace(out))
	}
	signal := filepath.Join(dir, "standby.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		return "", nil, fmt.Errorf("make a standby: %w", err)
	}
	if account != nil {
		if err := os.Chown(signal, int(account.Uid), int(account.Gid)); err != nil {
			return "", nil, fmt.Errorf("make a standby: %w", err)
		}
	}
	c := cluster{bin: find}
	standby, err := newServer(func(port int) (*process, error) {
		c.port = port
		cmd := exec.Command(server, "-D", dir, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
			"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200")
		cmd.Dir = dir
		return start(cmd, account, syscall.SIGQUIT, func() error { return c.run("pg_isready", "-q", "-d", "postgres") })
	})
	if err != nil {
		return "", nil, fmt.Errorf("start a standby: %w", err)
	}
	atExit(standby.Stop)
	return standby.Addr, func() error { return c.run("psql", "-q", "-d", "postgres", "-c", "SELECT pg_promote()") }, nil
}
