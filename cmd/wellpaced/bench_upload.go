package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/store"
	"github.com/wellpaced/wellpaced/store/servers"
)

// uploadLook is how often a browser would ask how far a list is, if it were impatient.
const uploadLook = 100 * time.Millisecond

// uploadWorld is what the measured uploads have in common.
type uploadWorld struct {
	dir     string
	figures []figure
	peaks   map[string]float64 // of the middle size, by format and engine
}

// uploads measures a list on its whole way through the desk, over HTTP: the file is sent, its columns are confirmed, and the page waited for that
// says where every row went. It stands against the bare loop of the case import. Memory must not grow with the list.
func (b *bench) uploads(ctx context.Context) (r benchResult, err error) {
	dir, err := b.folder()
	if err != nil {
		return r, err
	}
	sizes := []int{b.some(52_000, 5_000), b.some(200_000, 20_000), b.some(1_000_000, 100_000)}
	for _, n := range sizes {
		csv := filepath.Join(dir, strconv.Itoa(n)+".csv")
		f, err := os.Create(csv)
		if err != nil {
			return r, err
		}
		if err := errors.Join(patients(f, n), f.Close(), workbookOf(csv, filepath.Join(dir, strconv.Itoa(n)+".xlsx"))); err != nil {
			return r, fmt.Errorf("write the lists: %w", err)
		}
	}
	w := &uploadWorld{dir: dir, peaks: map[string]float64{}}
	for i, n := range sizes {
		bare := 0.
		for _, format := range []string{"csv", "xlsx"} {
			took, err := b.uploadOn(ctx, w, "", format, n, i)
			if err != nil {
				return r, fmt.Errorf("%d rows of %s: %w", n, format, err)
			}
			here := filepath.Join(dir, fmt.Sprintf("SQLite-%s-%d", format, n))
			if format == "csv" && i != 1 {
				t, err := bareImport(ctx, here, filepath.Join(dir, strconv.Itoa(n)+".csv"))
				if err != nil {
					return r, fmt.Errorf("bare loop: %w", err)
				}
				bare = t.Seconds()
				w.figures = append(w.figures, figure{Name: fmt.Sprintf("bare loop, %d rows", n), Value: bare, Unit: "s"})
			}
			if bare > 0 {
				most := map[string]float64{"csv": 2.5, "xlsx": 4}[format] // as much as half the speed of the case import allows; a workbook is unpacked and its XML read
				w.figures = append(w.figures, figure{Name: fmt.Sprintf("%s, %d rows, to the bare loop", format, n), Value: took.Seconds() / bare}.atMost(most))
			}
			if err := os.RemoveAll(here); err != nil {
				return r, err
			}
		}
		if i == 1 {
			continue
		}
		switch err := b.uploadOnPostgres(ctx, w, n, i); {
		case errors.Is(err, servers.ErrMissing):
			r.Notes = []string{"there is no PostgreSQL here"}
		case err != nil:
			return r, fmt.Errorf("%d rows on PostgreSQL: %w", n, err)
		}
	}
	r.Figures = w.figures
	return r, nil
}

func (b *bench) uploadOnPostgres(ctx context.Context, w *uploadWorld, n, nth int) error {
	server, address, err := servers.OwnPostgres()
	if err != nil {
		return err
	}
	defer server.Stop()
	_, err = b.uploadOn(ctx, w, address, "csv", n, nth)
	return err
}

func (b *bench) uploadOn(ctx context.Context, w *uploadWorld, database, format string, n, nth int) (took time.Duration, err error) {
	engine := map[bool]string{true: "SQLite", false: "PostgreSQL"}[database == ""]
	dir := filepath.Join(w.dir, fmt.Sprintf("%s-%s-%d", engine, format, n))
	now := fastClock(1)
	db, err := store.Open(ctx, store.Config{Database: database, DataDir: filepath.Join(dir, "data"), Keys: filepath.Join(dir, "keys"), Now: now, Machine: time.Now, Serve: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	people, err := settle(ctx, db, "https://bench.test")
	if err != nil {
		return 0, err
	}
	site, err := b.serveManagers(ctx, db, people.manager, now)
	if err != nil {
		return 0, err
	}
	defer site.close()
	debug.FreeOSMemory()
	before, err := resetPeak()
	if err != nil {
		return 0, err
	}
	up := uploading{site: site, client: http.Client{Timeout: time.Hour, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	began := time.Now()
	at, err := up.send(ctx, filepath.Join(w.dir, fmt.Sprintf("%d.%s", n, format)))
	if err != nil {
		return 0, err
	}
	arrived := time.Since(began)
	if err := up.confirm(ctx, at); err != nil {
		return 0, err
	}
	list, err := up.wait(ctx, at)
	if err != nil {
		return 0, err
	}
	if _, _, err := up.get(ctx, list); err != nil {
		return 0, err
	}
	took = time.Since(began)
	if err := up.check(ctx, list, n); err != nil {
		return 0, err
	}
	peak, err := peakMemory()
	if err != nil {
		return 0, err
	}
	b.say("%s, %s, %d rows: arrived in %.1f s, ledger after %.1f s (%.0f rows/s), progress answered within %.0f ms, memory %.0f to %.0f MB", engine, format, n, arrived.Seconds(), took.Seconds(), rate(n, took),
		ms(up.longest), before, peak)
	named := func(name string) string { return fmt.Sprintf("%s, %s, %d rows, %s", engine, format, n, name) }
	w.figures = append(w.figures, figure{Name: named("file arrived"), Value: arrived.Seconds(), Unit: "s"}, figure{Name: named("upload to ledger"), Value: took.Seconds(), Unit: "s"},
		figure{Name: named("longest wait for the page that tells how far it is"), Value: ms(up.longest), Unit: "ms"}.atMost(1000), figure{Name: named("most memory"), Value: peak, Unit: "MB"})
	switch key := engine + format; {
	case nth == 1:
		w.peaks[key] = peak
	case nth == 2 && w.peaks[key] > 0:
		w.figures = append(w.figures, figure{Name: named("most memory to that of a fifth of it"), Value: peak / w.peaks[key]}.atMost(1.15))
	}
	return took, nil
}

// resetPeak forgets the most memory that the process has had, and tells what it has now.
func resetPeak() (float64, error) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		return 0, fmt.Errorf("only Linux forgets a process's peak memory: %w", err)
	}
	return peakMemory()
}

// uploading is a manager's browser.
type uploading struct {
	site    deskSite
	client  http.Client
	longest time.Duration
}

func (u *uploading) do(ctx context.Context, method, path, kind string, body io.Reader) (status int, location, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, u.site.at+path, body)
	if err != nil {
		return 0, "", "", err
	}
	req.Header.Set("Authorization", "Bearer "+u.site.tokens[0])
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	res, err := u.client.Do(req)
	if err != nil {
		return 0, "", "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, res.Header.Get("Location"), string(b), err
}

func (u *uploading) get(ctx context.Context, path string) (location, text string, err error) {
	status, location, text, err := u.do(ctx, http.MethodGet, path, "", nil)
	if err == nil && status != http.StatusOK && status != http.StatusSeeOther {
		err = fmt.Errorf("%s: answered %d", path, status)
	}
	return location, text, err
}

// send uploads a file as a browser does, from the disk.
func (u *uploading) send(ctx context.Context, path string) (at string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() {
		part, err := form.CreateFormFile("file", filepath.Base(path))
		if err == nil {
			_, err = io.Copy(part, f)
		}
		w.CloseWithError(errors.Join(err, form.Close()))
	}()
	status, at, text, err := u.do(ctx, http.MethodPost, "/desk/lists", form.FormDataContentType(), r)
	if err != nil {
		return "", err
	}
	if status != http.StatusSeeOther {
		return "", fmt.Errorf("the file was answered %d: %.500s", status, text)
	}
	return at, nil
}

var (
	selects  = regexp.MustCompile(`(?s)<select[^>]* name="([^"]+)".*?</select>`)
	selected = regexp.MustCompile(`<option value="([^"]*)" selected`)
)

// confirm says that the columns are what they were taken for.
func (u *uploading) confirm(ctx context.Context, at string) error {
	_, text, err := u.get(ctx, at)
	if err != nil {
		return err
	}
	form := url.Values{"name": {"bench"}, "taken": {"today"}}
	for _, s := range selects.FindAllStringSubmatch(text, -1) {
		if v := selected.FindStringSubmatch(s[0]); v != nil {
			form.Set(s[1], html.UnescapeString(v[1]))
		}
	}
	status, _, text, err := u.do(ctx, http.MethodPost, at, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err == nil && status != http.StatusSeeOther {
		err = fmt.Errorf("the columns were answered %d: %.500s", status, text)
	}
	return err
}

// wait looks at the page that tells how far it is until it leads to the list.
func (u *uploading) wait(ctx context.Context, at string) (list string, err error) {
	look := time.NewTicker(uploadLook)
	defer look.Stop()
	for {
		began := time.Now()
		to, text, err := u.get(ctx, at)
		if err != nil {
			return "", err
		}
		u.longest = max(u.longest, time.Since(began))
		if to != "" {
			return to, nil
		}
		if !strings.Contains(text, "Checking the list") {
			return "", errors.New("the check of the list broke off")
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-look.C:
		}
	}
}

// check asks whether the ledger accounts for every row.
func (u *uploading) check(ctx context.Context, list string, n int) error {
	_, text, err := u.get(ctx, "/api/v1/lists/"+list[strings.LastIndexByte(list, '/')+1:])
	if err != nil {
		return err
	}
	var l struct{ Rows, Invited int }
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return err
	}
	if l.Rows != n || l.Invited < n*3/4 {
		return fmt.Errorf("the ledger has %d rows and %d people, of %d", l.Rows, l.Invited, n)
	}
	return nil
}
