package ui

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"
)

//go:embed all:dist
var dist embed.FS

const staticPrefix = "/static/"

// static are the files under /static/. Every name changes with its content, so all may be cached for ever.
type static struct {
	manifest map[string]string // plain name -> served name
	files    map[string]file
}

type file struct {
	kind          string
	plain, zipped []byte // zipped is nil when it would not be smaller
}

// Built tells whether the styles and scripts of `make assets` are in this binary. Without them the pages use base.css.
func Built() bool {
	_, err := fs.Stat(dist, "dist/manifest.json")
	return err == nil
}

// embedded is shared: to compress the files takes a while, and tests make many renderers.
var embedded = sync.OnceValues(func() (*static, error) {
	assets, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, fmt.Errorf("open assets: %w", err)
	}
	return loadStatic(assets)
})

func loadStatic(assets fs.FS) (*static, error) {
	s := &static{manifest: map[string]string{}, files: map[string]file{}}
	manifest, err := fs.ReadFile(assets, "manifest.json")
	built := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read asset manifest: %w", err)
	}
	if built {
		if err := json.Unmarshal(manifest, &s.manifest); err != nil {
			return nil, fmt.Errorf("read asset manifest: %w", err)
		}
		err := fs.WalkDir(assets, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") || name == "manifest.json" {
				return err
			}
			b, err := fs.ReadFile(assets, name)
			s.files[name] = newFile(name, b)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read assets: %w", err)
		}
	}
	for _, name := range []string{"base.css", "icon.svg", "passkey.js"} {
		b, err := own.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read own assets: %w", err)
		}
		sum := sha256.Sum256(b)
		ext := path.Ext(name)
		hashed := strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
		s.manifest[name] = hashed
		s.files[hashed] = newFile(name, b)
	}
	for _, name := range []string{"desk.css", "patient.css", "patient-rtl.css"} {
		s.manifest[name] = cmp.Or(s.manifest[name], s.manifest["base.css"])
	}
	for plain, name := range s.manifest {
		if _, ok := s.files[name]; !ok {
			return nil, fmt.Errorf("read assets: %s is in the manifest and %s is not in the folder: run make assets", plain, name)
		}
	}
	return s, nil
}

func newFile(name string, b []byte) file {
	f := file{kind: cmp.Or(mime.TypeByExtension(path.Ext(name)), "application/octet-stream"), plain: b}
	if path.Ext(name) == ".js" {
		f.kind = "text/javascript; charset=utf-8" // whatever this machine's mime table says: nosniff is strict
	}
	var z bytes.Buffer
	w, _ := gzip.NewWriterLevel(&z, gzip.BestCompression) // the level is valid
	_, _ = w.Write(b)                                     // a buffer takes everything
	_ = w.Close()
	if z.Len() < len(b)*9/10 {
		f.zipped = z.Bytes()
	}
	return f
}

// url is the template function asset: "" for a file that only the build has.
func (s *static) url(name string) string {
	if hashed := s.manifest[name]; hashed != "" {
		return staticPrefix + hashed
	}
	return ""
}

// Static serves /static/…; mount it there.
func (r *Renderer) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		f, ok := r.static.files[strings.TrimPrefix(req.URL.Path, staticPrefix)]
		if !ok || req.Method != http.MethodGet && req.Method != http.MethodHead {
			http.NotFound(w, req) // not cached: Protect has set no-store
			return
		}
		h, body := w.Header(), f.plain
		h.Set("Content-Type", f.kind)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Vary", "Accept-Encoding")
		if f.zipped != nil && strings.Contains(req.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			body = f.zipped
		}
		h.Set("Content-Length", fmt.Sprint(len(body)))
		if req.Method == http.MethodGet {
			_, _ = w.Write(body) // the reader has gone: nobody is left to tell
		}
	})
}
