// Package storetest gives tests real servers: started once for a test process, on free ports.
//
// A test is skipped where a server is not installed, and fails there when CI=true: a green run must mean that it ran.
package storetest

import (
	"errors"
	"os"
	"testing"

	"github.com/wellpaced/wellpaced/store/servers"
)

// Main runs the tests and then stops the servers. Packages that use Postgres or Redis call it from TestMain.
func Main(m *testing.M) {
	code := m.Run()
	servers.Stop()
	os.Exit(code)
}

// Redis returns the address of a real Redis, "127.0.0.1:port". One is shared by all tests of the process: a test
// that needs it empty takes its own database number, or flushes it and does not run in parallel.
func Redis(tb testing.TB) string {
	tb.Helper()
	addr, err := servers.Redis()
	need(tb, "Redis", err)
	return addr
}

// Postgres returns the URL of a fresh database in a cluster that this process shares. The database is dropped
// after the test.
func Postgres(tb testing.TB) string {
	tb.Helper()
	url, drop, err := servers.Postgres()
	return dropped(tb, url, drop, err)
}

// PostgresCopy is Postgres, but the database is a copy of the one at of, which nobody may use meanwhile.
func PostgresCopy(tb testing.TB, of string) string {
	tb.Helper()
	url, drop, err := servers.Copy(of)
	return dropped(tb, url, drop, err)
}

func dropped(tb testing.TB, url string, drop func() error, err error) string {
	tb.Helper()
	need(tb, "PostgreSQL", err)
	tb.Cleanup(func() {
		if err := drop(); err != nil {
			tb.Logf("drop the database of the test: %v", err)
		}
	})
	return url
}

// OwnRedis starts a Redis that no other test uses: this one may stop it, start it and freeze it.
func OwnRedis(tb testing.TB) *servers.Server {
	tb.Helper()
	s, err := servers.OwnRedis()
	need(tb, "Redis", err)
	tb.Cleanup(s.Stop)
	return s
}

// OwnPostgres starts a PostgreSQL that no other test uses, with one empty database at the URL.
func OwnPostgres(tb testing.TB) (*servers.Server, string) {
	tb.Helper()
	s, url, err := servers.OwnPostgres()
	need(tb, "PostgreSQL", err)
	tb.Cleanup(s.Stop)
	return s, url
}

func need(tb testing.TB, what string, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case errors.Is(err, servers.ErrMissing) && os.Getenv("CI") != "true":
		tb.Skipf("no %s here: %v", what, err)
	default:
		tb.Fatalf("start %s: %v", what, err)
	}
}

// Standby returns the address of a copy of the cluster as it is now, a standby that lags behind from here on, and what makes it take over.
func Standby(tb testing.TB) (address string, promote func() error) {
	tb.Helper()
	address, promote, err := servers.Standby()
	need(tb, "a PostgreSQL standby", err)
	return address, promote
}
