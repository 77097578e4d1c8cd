package emulator

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	alphanumeric   = regexp.MustCompile(`^[0-9A-Za-z]+$`)
	e164           = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	shortCode      = regexp.MustCompile(`^[0-9]{5,6}$`)
	senderName     = regexp.MustCompile(`^[0-9A-Za-z &+._-]{0,10}[A-Za-z][0-9A-Za-z &+._-]{0,10}$`)
	servicePattern = regexp.MustCompile(`^MG[0-9a-fA-F]{32}$`)
	sidPattern     = regexp.MustCompile(`^SM[0-9a-f]{24}([0-9a-f]{8})$`)
)

// Handler is Twilio's API: create, list, fetch, update and delete messages of one account.
func (e *Emulator) Handler() http.Handler {
	mux := http.NewServeMux()
	const root = "/2010-04-01/Accounts/{account}/Messages"
	mux.HandleFunc("POST "+root+".json", e.create)
	mux.HandleFunc("GET "+root+".json", e.list)
	mux.HandleFunc("GET "+root+"/{message}", e.one(e.fetch))
	mux.HandleFunc("POST "+root+"/{message}", e.one(e.update))
	mux.HandleFunc("DELETE "+root+"/{message}", e.one(e.remove))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { notFound(r).write(w) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := e.inFlight.Add(1)
		defer e.inFlight.Add(-1)
		w.Header().Set("Twilio-Concurrent-Requests", strconv.FormatInt(n, 10))
		user, password, _ := r.BasicAuth()
		if subtle.ConstantTimeCompare([]byte(user+":"+password), []byte(e.cfg.AccountSID+":"+e.cfg.AuthToken)) != 1 {
			w.Header().Set("WWW-Authenticate", `Basic realm="Twilio API"`)
			refuse(http.StatusUnauthorized, 20003, "Authenticate").write(w)
			return
		}
		if !strings.HasPrefix(r.URL.Path, "/2010-04-01/Accounts/"+e.cfg.AccountSID+"/") {
			notFound(r).write(w)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		if err := r.ParseForm(); err != nil {
			refuse(http.StatusBadRequest, 20001, "The request body could not be read.").write(w)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// apiError is Twilio's error document.
type apiError struct {
	Code     int    `json:"code"`
	Message  string `json:"message"`
	MoreInfo string `json:"more_info"`
	Status   int    `json:"status"`
}

func refuse(status, code int, message string, args ...any) *apiError {
	return &apiError{Code: code, Message: fmt.Sprintf(message, args...), Status: status,
		MoreInfo: "https://www.twilio.com/docs/errors/" + strconv.Itoa(code)}
}

func notFound(r *http.Request) *apiError {
	return refuse(http.StatusNotFound, 20404, "The requested resource %s was not found", r.URL.Path)
}

func (a *apiError) write(w http.ResponseWriter) { writeJSON(w, a.Status, a) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	body := encode(v)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // our own structs of strings and numbers
	}
	return b.Bytes()
}

// create takes a text, or does to it what Faults says.
func (e *Emulator) create(w http.ResponseWriter, r *http.Request) {
	faults, nth := e.currentFaults(), e.creates.Add(1)
	lot := faults.create(e.cfg.Seed, nth)
	switch lot {
	case StruckTooMany, StruckRefuse500, StruckResetBefore, StruckRedirect, StruckOptedOut, StruckDailyCap, StruckAuth:
		e.strike(lot)
		e.refuse(w, r, lot, nth)
		return
	case StruckLateAccept:
		if !e.pause(faults.lateBy()) {
			reset(w)
			return
		}
	}
	l, bad := e.read(r.PostForm)
	if bad == nil && !e.spend(segments(l.Body)) {
		bad = tooManyRequests()
	}
	if bad != nil {
		bad.write(w)
		return
	}
	t, err := e.accept(l, faults.ListLag)
	if err != nil {
		e.log.Error("text not accepted", "err", err)
		internal().write(w)
		return
	}
	e.mu.Lock()
	doc := e.document(t) // the initial status, even if a callback overtakes the reply
	e.mu.Unlock()
	if chance(e.cfg.Seed, "early", nth) < faults.CallbackEarly {
		e.sendEarly(r, t)
	}
	if lot != "" {
		e.strike(lot)
	}
	switch lot {
	case StruckAcceptThen500:
		internal().write(w)
	case StruckAcceptThenReset:
		reset(w)
	case StruckAcceptThen502:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html><body><h1>502 Bad Gateway</h1></body></html>\n"))
	case StruckAcceptEmpty:
		writeJSON(w, http.StatusCreated, struct{}{})
	case StruckAcceptTruncated:
		cut(w, http.StatusCreated, encode(doc))
	case StruckSlow:
		e.pause(faults.slowBy())
		writeJSON(w, http.StatusCreated, doc)
	case StruckDrip:
		e.drip(w, encode(doc), faults.lateBy())
	default:
		writeJSON(w, http.StatusCreated, doc)
	}
}

// refuse answers a request that a fault keeps from being accepted.
func (e *Emulator) refuse(w http.ResponseWriter, r *http.Request, lot string, nth int64) {
	switch lot {
	case StruckTooMany: // in the shapes that are met: Twilio's own, and those of whatever stands before it
		if nth%2 == 1 {
			w.Header().Set("Retry-After", "1")
		}
		switch nth % 4 {
		case 0, 1:
			tooManyRequests().write(w)
		case 2:
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			http.Error(w, "<html><h1>Slow down</h1></html>", http.StatusTooManyRequests)
		}
	case StruckRefuse500:
		internal().write(w)
	case StruckResetBefore:
		reset(w)
	case StruckRedirect:
		code := http.StatusFound
		if nth%2 == 0 {
			code = http.StatusTemporaryRedirect
		}
		w.Header().Set("Location", r.URL.RequestURI())
		w.WriteHeader(code)
	case StruckOptedOut:
		refuse(http.StatusBadRequest, 21610, "Attempt to send to unsubscribed recipient").write(w)
	case StruckDailyCap:
		refuse(http.StatusTooManyRequests, 63038, "Account exceeded the daily messages limit").write(w)
	case StruckAuth:
		refuse(http.StatusUnauthorized, 20003, "Authenticate").write(w)
	}
}

// cut sends the first half of a document; net/http then cuts the connection.
func cut(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body[:len(body)/2])
}

// drip sends the head of a reply at once, then a byte now and then for a while, and never the end.
func (e *Emulator) drip(w http.ResponseWriter, body []byte, during time.Duration) {
	const drops = 20
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusCreated)
	for i := range drops {
		if _, err := w.Write(body[i : i+1]); err != nil || http.NewResponseController(w).Flush() != nil || !e.pause(during/drops) {
			return
		}
	}
}

func tooManyRequests() *apiError {
	return refuse(http.StatusTooManyRequests, 20429, "Too Many Requests")
}

func internal() *apiError {
	return refuse(http.StatusInternalServerError, 20500, "An internal server error has occurred")
}

// pause waits in machine time, whether or not the caller is still there; false if the emulator closes.
func (e *Emulator) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-e.closed:
		return false
	case <-timer.C:
		return true
	}
}

// reset cuts the connection with RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// spend takes segments from the rate limit's bucket.
func (e *Emulator) spend(segments int) bool {
	if e.cfg.Rate <= 0 {
		return true
	}
	now := e.cfg.Machine()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.lastRate.IsZero() {
		e.tokens = min(max(e.cfg.Rate, 1), e.tokens+e.cfg.Rate*now.Sub(e.lastRate).Seconds())
	}
	e.lastRate = now
	// A text longer than the bucket may overdraw it, or it could never go.
	if e.tokens < min(float64(segments), max(e.cfg.Rate, 1)) {
		return false
	}
	e.tokens -= float64(segments)
	return true
}

// sendEarly sends a text and posts its callback before the create request is answered.
func (e *Emulator) sendEarly(r *http.Request, t *text) {
	e.mu.Lock()
	var hooks []hook
	if t.status.initial() && t.planSent > 0 {
		e.record(line{Kind: kindFault, Fault: StruckEarly})
		hooks = e.advance(t, sent, t.at)
		e.schedule(t)
	}
	e.mu.Unlock()
	for _, h := range hooks {
		_ = e.settle(r.Context(), t, h)
	}
}

// read checks a create request as Twilio does. What the emulator cannot act out it refuses rather than
// ignores: a text meant for later would otherwise leave now.
func (e *Emulator) read(f url.Values) (line, *apiError) {
	bad := func(code int, message string, args ...any) (line, *apiError) {
		return line{}, refuse(http.StatusBadRequest, code, message, args...)
	}
	for _, k := range []string{"ScheduleType", "SendAt", "MediaUrl", "ContentSid", "ContentVariables", "ShortenUrls", "ApplicationSid"} {
		if f.Has(k) {
			return bad(20001, "The emulator does not act out %s.", k)
		}
	}
	l := line{Kind: kindText, To: f.Get("To"), From: f.Get("From"), Service: f.Get("MessagingServiceSid"), Body: f.Get("Body"),
		Callback: f.Get("StatusCallback"), Validity: 36000}
	switch {
	case l.To == "":
		return bad(21604, "A 'To' phone number is required.")
	case !e164.MatchString(l.To):
		return bad(21211, "Invalid 'To' Phone Number: %s", mask(l.To))
	case l.From == "" && l.Service == "":
		return bad(21603, "A 'From' phone number is required.")
	case l.Service != "" && !servicePattern.MatchString(l.Service):
		return bad(21705, "The Messaging Service Sid %s is invalid.", l.Service)
	case l.From != "" && !e164.MatchString(l.From) && !shortCode.MatchString(l.From) && !(len(l.From) <= 11 && senderName.MatchString(l.From)):
		return bad(21212, "The 'From' number %s is not a valid phone number, shortcode, or alphanumeric sender ID.", l.From)
	case l.To == l.From:
		return bad(21266, "'To' and 'From' number cannot be the same.")
	case strings.TrimSpace(l.Body) == "":
		return bad(21602, "Message body is required.")
	case utf8.RuneCountInString(l.Body) > 1600:
		return bad(21617, "The concatenated message body exceeds the 1600 character limit.")
	}
	if v := f.Get("ValidityPeriod"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			return bad(90014, "Validity Period should be positive integer")
		}
		if n < 1 || n > 36000 {
			return bad(90007, "Invalid validity period value: %d is not between 1 and 36000", n)
		}
		l.Validity = n
	}
	if l.Callback != "" {
		u, err := url.Parse(l.Callback)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			return bad(21609, "The 'StatusCallback' URL is not a valid URL.")
		}
	}
	l.From = or(l.From, e.cfg.ServiceSender)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.book.optedOut[[2]string{l.To, l.From}] {
		return bad(21610, "Attempt to send to unsubscribed recipient")
	}
	return l, nil
}

// mask keeps a wrong number out of the logs of whoever logs this error.
func mask(number string) string {
	if len(number) <= 4 {
		return "XXXX"
	}
	return strings.Repeat("X", min(len(number)-4, 12)) + number[len(number)-4:]
}

// document is a message resource.
type document struct {
	AccountSID          string            `json:"account_sid"`
	APIVersion          string            `json:"api_version"`
	Body                string            `json:"body"`
	DateCreated         string            `json:"date_created"`
	DateSent            *string           `json:"date_sent"`
	DateUpdated         string            `json:"date_updated"`
	Direction           string            `json:"direction"`
	ErrorCode           *int              `json:"error_code"`
	ErrorMessage        *string           `json:"error_message"`
	From                *string           `json:"from"`
	MessagingServiceSID *string           `json:"messaging_service_sid"`
	NumMedia            string            `json:"num_media"`
	NumSegments         string            `json:"num_segments"`
	Price               *string           `json:"price"`
	PriceUnit           *string           `json:"price_unit"`
	SID                 string            `json:"sid"`
	Status              string            `json:"status"`
	SubresourceURIs     map[string]string `json:"subresource_uris"`
	To                  string            `json:"to"`
	URI                 string            `json:"uri"`
}

// document is how the API shows a text. e.mu is held.
func (e *Emulator) document(t *text) *document {
	path := "/2010-04-01/Accounts/" + e.cfg.AccountSID + "/Messages/" + t.sid
	d := &document{AccountSID: e.cfg.AccountSID, APIVersion: "2010-04-01", Body: t.body, DateCreated: rfc2822(t.at),
		DateUpdated: rfc2822(t.updated), Direction: "outbound-api", From: &t.from, NumMedia: "0", NumSegments: strconv.Itoa(segments(t.body)),
		SID: t.sid, Status: string(t.status), To: t.to, URI: path + ".json", SubresourceURIs: map[string]string{"media": path + "/Media.json"}}
	if t.inbound {
		d.Direction = "inbound"
	}
	if t.redacted {
		d.Body = ""
	}
	if t.sentAt > 0 {
		d.DateSent = new(rfc2822(t.sentAt))
	}
	if t.service != "" {
		d.MessagingServiceSID = &t.service
	}
	if t.status == accepted { // the service has not chosen a sender yet
		d.From, d.NumSegments = nil, "0"
	}
	if t.code != 0 {
		d.ErrorCode, d.ErrorMessage = new(t.code), new(errorMessages[t.code])
	}
	return d
}

func rfc2822(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC1123Z) }

// one finds the message that a path names.
func (e *Emulator) one(do func(http.ResponseWriter, *http.Request, *text)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, _ := strings.CutSuffix(r.PathValue("message"), ".json")
		t := e.find(id)
		if t == nil {
			notFound(r).write(w)
			return
		}
		do(w, r, t)
	}
}

// seqOf reads the number of a text from its SID.
func seqOf(id string) (seq int64, ok bool) {
	m := sidPattern.FindStringSubmatch(id)
	if m == nil {
		return 0, false
	}
	seq, err := strconv.ParseInt(m[1], 16, 64)
	return seq, err == nil && seq > 0
}

func (e *Emulator) find(id string) *text {
	seq, ok := seqOf(id)
	e.mu.Lock()
	defer e.mu.Unlock()
	if !ok || seq > int64(len(e.book.texts)) {
		return nil
	}
	t := e.book.texts[seq-1]
	if t.sid != id || !t.published || t.deleted {
		return nil
	}
	return t
}

func (e *Emulator) fetch(w http.ResponseWriter, _ *http.Request, t *text) {
	lot := e.currentFaults().fetch(e.cfg.Seed, e.fetches.Add(1))
	if lot != "" {
		e.strike(lot)
	}
	switch lot {
	case StruckFetch500:
		internal().write(w)
		return
	case StruckFetch429:
		tooManyRequests().write(w)
		return
	}
	e.mu.Lock()
	doc := e.document(t)
	e.mu.Unlock()
	writeJSON(w, http.StatusOK, doc)
}

// update redacts (Body="") or cancels (Status=canceled); Twilio allows nothing else.
func (e *Emulator) update(w http.ResponseWriter, r *http.Request, t *text) {
	doc, bad := func() (*document, *apiError) {
		e.mu.Lock()
		defer e.mu.Unlock()
		switch body, cancel := r.PostForm["Body"], r.PostForm.Get("Status"); {
		case cancel == "canceled":
			if !t.status.initial() {
				return nil, refuse(http.StatusBadRequest, 30409, "The message cannot be canceled: it is %s", t.status)
			}
			now := e.cfg.Now().UnixMilli()
			for _, h := range e.advance(t, canceled, now) {
				e.push(event{due: now, seq: t.seq, hook: h})
			}
		case len(body) == 1 && body[0] == "":
			if !t.status.final() {
				return nil, incomplete()
			}
			e.record(line{Kind: kindRedact, Seq: t.seq})
		default:
			return nil, refuse(http.StatusBadRequest, 20001, "Only Body= (empty) and Status=canceled can be updated.")
		}
		return e.document(t), nil
	}()
	e.finish(w, bad, func() { writeJSON(w, http.StatusOK, doc) })
}

func (e *Emulator) remove(w http.ResponseWriter, _ *http.Request, t *text) {
	e.mu.Lock()
	var bad *apiError
	if t.status.final() {
		e.record(line{Kind: kindDelete, Seq: t.seq})
	} else {
		bad = incomplete()
	}
	e.mu.Unlock()
	e.finish(w, bad, func() { w.WriteHeader(http.StatusNoContent) })
}

func incomplete() *apiError {
	return refuse(http.StatusConflict, 20009, "Cannot delete this resource before it is complete")
}

// finish answers a change once it is durable.
func (e *Emulator) finish(w http.ResponseWriter, bad *apiError, reply func()) {
	if bad == nil {
		if err := e.journal.reach(e.journal.end(), true); err != nil {
			e.log.Error("change not kept", "err", err)
			bad = internal()
		}
	}
	if bad != nil {
		bad.write(w)
		return
	}
	e.rouse()
	reply()
}

// page is Twilio's list document.
type page struct {
	End             int         `json:"end"`
	FirstPageURI    string      `json:"first_page_uri"`
	Messages        []*document `json:"messages"`
	NextPageURI     *string     `json:"next_page_uri"`
	Page            int         `json:"page"`
	PageSize        int         `json:"page_size"`
	PreviousPageURI *string     `json:"previous_page_uri"`
	Start           int         `json:"start"`
	URI             string      `json:"uri"`
}

// list shows messages newest first. A page starts after a message, not at an offset, so texts that arrive
// between two pages shift nothing.
func (e *Emulator) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	nth := e.lists.Add(1)
	lot := e.currentFaults().list(e.cfg.Seed, nth)
	switch {
	case lot == StruckList500, lot == StruckListNext500 && q.Has("PageToken"):
		e.strike(lot)
		internal().write(w)
		return
	case lot == StruckList429:
		e.strike(lot)
		tooManyRequests().write(w)
		return
	case lot == StruckListNoList && nth%2 == 0:
		e.strike(lot)
		writeJSON(w, http.StatusOK, struct{}{})
		return
	case lot == StruckListNoList:
		e.strike(lot)
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html><body>Back soon</body></html>"))
		return
	}
	size, number := 50, 0
	if n, err := strconv.Atoi(q.Get("PageSize")); err == nil && n > 0 {
		size = min(n, 1000)
	}
	if n, err := strconv.Atoi(q.Get("Page")); err == nil && n > 0 {
		number = n
	}
	keep, err := filter(q)
	if err != nil {
		refuse(http.StatusBadRequest, 20001, "%v", err).write(w)
		return
	}
	var older, newer int64 // bounds by seq, 0 for none
	if token := q.Get("PageToken"); len(token) > 2 {
		seq, ok := seqOf(token[2:]) // the text itself may have been deleted since
		switch {
		case ok && token[:2] == "PA":
			older = seq
			if lot == StruckListOverlap {
				older++ // the last text of the page before, once more
				e.strike(lot)
			}
		case ok && token[:2] == "PB":
			newer = seq
		default:
			refuse(http.StatusBadRequest, 20001, "Invalid PageToken").write(w)
			return
		}
	}
	found, more := e.collect(q.Get("To"), keep, older, newer, size)
	p := page{Messages: []*document{}, Page: number, PageSize: size, Start: number * size, URI: r.URL.RequestURI()}
	uri := func(number int, token string) string {
		v := url.Values{"PageSize": {strconv.Itoa(size)}, "Page": {strconv.Itoa(number)}}
		for k, values := range q {
			if k != "PageSize" && k != "Page" && k != "PageToken" {
				v[k] = values
			}
		}
		if token != "" {
			v.Set("PageToken", token)
		}
		return r.URL.Path + "?" + v.Encode()
	}
	p.FirstPageURI = uri(0, "")
	if n := len(found); n > 0 {
		if more {
			p.NextPageURI = new(uri(number+1, "PA"+found[n-1].SID))
			if lot == StruckListCircle && q.Has("PageToken") {
				p.NextPageURI = new(r.URL.RequestURI())
				e.strike(lot)
			}
		}
		if number > 0 {
			p.PreviousPageURI = new(uri(number-1, "PB"+found[0].SID))
		}
		p.Messages = found
		if lot == StruckListRedacted {
			e.strike(lot)
			for _, d := range found {
				d.Body = ""
			}
		}
	}
	p.End = p.Start + max(len(found)-1, 0)
	if lot == StruckListCut {
		e.strike(lot)
		cut(w, http.StatusOK, encode(p))
		return
	}
	writeJSON(w, http.StatusOK, p)
}

// collect walks the texts from new to old (from old to new, then turned round, for a page before this
// one) and says whether older ones remain.
func (e *Emulator) collect(to string, keep func(*text) bool, older, newer int64, size int) (out []*document, more bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.book.texts
	if to != "" {
		all = e.book.byNumber[to]
	}
	visible := func(t *text) bool { return t.published && !t.deleted && !t.lagging && keep(t) }
	if newer > 0 {
		i, _ := slices.BinarySearchFunc(all, newer+1, func(t *text, seq int64) int { return int(t.seq - seq) })
		for _, t := range all[i:] {
			if len(out) < size && visible(t) {
				out = append(out, e.document(t))
			}
		}
		slices.Reverse(out)
		return out, true
	}
	if older > 0 {
		i, _ := slices.BinarySearchFunc(all, older, func(t *text, seq int64) int { return int(t.seq - seq) })
		all = all[:i]
	}
	for _, t := range slices.Backward(all) {
		if !visible(t) {
			continue
		}
		if len(out) == size {
			return out, true
		}
		out = append(out, e.document(t))
	}
	return out, false
}

// filter reads To, From and DateSent. A text that has not been sent has no DateSent and matches no
// filter on it: the trap that the real list has too.
func filter(q url.Values) (func(*text) bool, error) {
	to, from := q.Get("To"), q.Get("From")
	type bound struct{ lo, hi int64 }
	var bounds []bound
	const day = 24 * 3600 * 1000
	for key, make := range map[string]func(ms int64) bound{
		"DateSent":  func(ms int64) bound { return bound{ms - ms%day, ms - ms%day + day - 1} },
		"DateSent<": func(ms int64) bound { return bound{0, ms} },
		"DateSent>": func(ms int64) bound { return bound{ms, 1 << 62} },
	} {
		if v := q.Get(key); v != "" {
			at, err := time.Parse(time.DateOnly, v)
			if err != nil {
				at, err = time.Parse(time.RFC3339, v)
			}
			if err != nil {
				return nil, errors.New("DateSent must be a date such as 2026-11-23")
			}
			bounds = append(bounds, make(at.UnixMilli()))
		}
	}
	return func(t *text) bool {
		if to != "" && t.to != to || from != "" && t.from != from {
			return false
		}
		for _, b := range bounds {
			if t.sentAt == 0 || t.sentAt < b.lo || t.sentAt > b.hi {
				return false
			}
		}
		return true
	}, nil
}
