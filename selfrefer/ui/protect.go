package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// csp allows this site's own files and nothing else: no inline style or script, no frame, no plug-in.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"

func crossOrigin(publicURL string) (c *http.CrossOriginProtection, https bool, err error) {
	c = http.NewCrossOriginProtection()
	if publicURL == "" {
		return c, false, nil
	}
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, false, fmt.Errorf("public URL %q: write it like https://refer.example.nhs.uk", publicURL)
	}
	if err := c.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
		return nil, false, fmt.Errorf("public URL %q: %w", publicURL, err)
	}
	return c, u.Scheme == "https", nil
}

// Protect goes around the whole site. It refuses state-changing requests that a browser sends on behalf of
// another site (webhooks and API clients send neither Origin nor Sec-Fetch-Site and pass), and sets the headers
// of every answer. Addresses hold tokens: no Referer may carry them away, and nothing is stored by default.
func (r *Renderer) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY") // for browsers that know no frame-ancestors
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), browsing-topics=()")
		h.Set("X-Robots-Tag", "noindex")
		h.Set("Cache-Control", "no-store")
		if r.hsts {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if err := r.cross.Check(req); err != nil {
			const sentence = "This was sent from another site. Open this site itself and try again."
			if strings.HasPrefix(req.URL.Path, "/api/") {
				Problem(w, http.StatusForbidden, "cross_origin", sentence)
			} else {
				r.Error(w, req, http.StatusForbidden, sentence, err)
			}
			return
		}
		next.ServeHTTP(w, req)
	})
}

// Problem answers a machine (RFC 9457). The code is for programs and never changes its meaning; the sentence is
// for the people who read their logs, and holds no personal data.
func Problem(w http.ResponseWriter, status int, code, sentence string) {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		Detail string `json:"detail,omitempty"`
	}{"about:blank", http.StatusText(status), status, code, sentence})
	if err != nil { // strings and a number: cannot happen
		body = []byte(`{"type":"about:blank","code":"internal"}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
