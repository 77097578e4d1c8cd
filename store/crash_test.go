package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// crashChild names the folder in which a copy of the test process works until it
// is killed.
const crashChild = "WELLPACED_STORE_CRASH_CHILD"

func crashConfig(dir string) Config {
	return Config{DataDir: dir + "/data", Keys: dir + "/keys", Serve: true, Machine: time.Now,
		Now: func() time.Time { return testCivil }}
}

// crashingChild writes to the database and the journal and says on its output what
// it was told is safe.
func crashingChild(dir string) {
	die := func(err error) {
		if err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	}
	db, err := Open(context.Background(), crashConfig(dir))
	die(err)
	var start int
	die(db.write(context.Background(), "table", func(tx *Tx) error {
		if _, err := tx.Exec(`CREATE TABLE IF NOT EXISTS kept (id BIGINT PRIMARY KEY)`); err != nil {
			return err
		}
		return tx.QueryRow(`SELECT coalesce(max(id), 0) FROM kept`).Scan(&start)
	}))
	var out sync.Mutex
	for client := range 16 {
		go func() {
			for n := start + 1 + client; ; n += 16 {
				die(db.write(context.Background(), "kept", func(tx *Tx) error {
					_, err := tx.Exec(`INSERT INTO kept (id) VALUES ($1)`, n)
					return err
				}))
				seq, err := db.journal.append("kept", []byte(strconv.Itoa(n)))
				die(err)
				db.journal.drained(seq)
				out.Lock()
				fmt.Println("kept", n)
				out.Unlock()
			}
		}()
	}
	select {}
}

// Whatever was acknowledged before kill -9 is in the database and in the journal.
func TestCrash_acknowledgedIsKept(t *testing.T) {
	dir := t.TempDir()
	var acknowledged []int
	for round := range 5 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), crashChild+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			id, ok := strings.CutPrefix(lines.Text(), "kept ")
			if !ok {
				t.Fatalf("the child says %q", lines.Text())
			}
			k, err := strconv.Atoi(id)
			if err != nil {
				break // the kill tore the line
			}
			acknowledged = append(acknowledged, k)
			if n == 100+37*round {
				_ = child.Process.Kill() // what is in the pipe still counts
			}
		}
		_ = child.Wait()
	}
	db := mustOpen(t, crashConfig(dir))
	inJournal := make(map[string]bool)
	if err := db.journal.replay(1, func(r Record) error { inJournal[string(r.Reveal())] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	inDatabase := make(map[int]bool)
	err := db.read(context.Background(), "kept", func(tx *Tx) error {
		rows, err := tx.Query(`SELECT id FROM kept`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int
			if err := rows.Scan(&id); err != nil {
				return err
			}
			inDatabase[id] = true
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(acknowledged) < 500 {
		t.Errorf("only %d writes were acknowledged", len(acknowledged))
	}
	for _, id := range acknowledged {
		if !inDatabase[id] || !inJournal[strconv.Itoa(id)] {
			t.Fatalf("%d was acknowledged: in the database %t, in the journal %t", id, inDatabase[id], inJournal[strconv.Itoa(id)])
		}
	}
}
