package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { Main(m) }

func TestRedis(t *testing.T) {
	addr := Redis(t)
	if again := Redis(t); again != addr {
		t.Errorf("two servers: %s and %s", addr, again)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := fmt.Fprint(c, "PING\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || answer != "+PONG\r\n" {
		t.Errorf("PING is answered with %q, %v", answer, err)
	}
}

func TestPostgres(t *testing.T) {
	ctx := context.Background()
	var first string
	for i := range 2 { // the second database must not show what the first one holds
		url := Postgres(t)
		if url == first {
			t.Fatal("the same database twice")
		}
		first = url
		c, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Exec(ctx, "CREATE TABLE person (id BIGINT)"); err != nil {
			t.Errorf("database %d is not fresh: %v", i, err)
		}
		if err := c.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}

func TestPostgresCopy(t *testing.T) {
	ctx := context.Background()
	query := func(url, q string) error {
		c, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		_, err = c.Exec(ctx, q)
		return errors.Join(err, c.Close(ctx))
	}
	of := Postgres(t)
	if err := query(of, "CREATE TABLE person (id BIGINT)"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := query(PostgresCopy(t, of), "DROP TABLE person"); err != nil {
			t.Errorf("the copy has not what was copied: %v", err)
		}
	}
}
