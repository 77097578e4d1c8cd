package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestParseTarget(t *testing.T) {
	for in, want := range map[string]target{
		"":                                 {engine: engineSQLite, path: "/data/wellpaced.db"},
		"/x/y.db":                          {engine: engineSQLite, path: "/x/y.db"},
		"sqlite:/x/y.db":                   {engine: engineSQLite, path: "/x/y.db"},
		"sqlite:":                          {engine: engineSQLite, path: "/data/wellpaced.db"},
		"postgres://u:p@h:5432/n":          {engine: enginePostgres, url: "postgres://u:p@h:5432/n"},
		"postgresql://h/n?sslmode=disable": {engine: enginePostgres, url: "postgresql://h/n?sslmode=disable"},
	} {
		if got, err := parseTarget(in, "/data"); err != nil || got != want {
			t.Errorf("%q: got %+v, %v", in, got, err)
		}
	}
	for _, in := range []string{"mysql://h/n", "postgres://u:secret@h:port/n"} {
		if _, err := parseTarget(in, "/data"); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v", in, err)
		}
	}
}

func TestEngine_classifies(t *testing.T) {
	pg := func(code string) error { return fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: code}) }
	for _, c := range []struct {
		err                 error
		unique, retry, full bool
	}{
		{pg("23505"), true, false, false},
		{pg("40001"), false, true, false},
		{pg("40P01"), false, true, false},
		{pg("53100"), false, false, true},
		{pg("23503"), false, false, false},
		{errors.New("x"), false, false, false},
		{nil, false, false, false},
	} {
		e := enginePostgres
		if e.isUnique(c.err) != c.unique || e.isRetry(c.err) != c.retry || e.isFull(c.err) != c.full {
			t.Errorf("%v: unique %t, retry %t, full %t", c.err, e.isUnique(c.err), e.isRetry(c.err), e.isFull(c.err))
		}
	}
}
