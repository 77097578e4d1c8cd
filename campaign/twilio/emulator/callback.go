package emulator

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// settle posts one webhook of a text and notes the outcome, unless ctx ends first: then it is owed still.
func (e *Emulator) settle(ctx context.Context, t *text, h hook) error {
	e.mu.Lock()
	target, s := t.callback, t.hookStatus(h)
	form := e.form(t, s)
	e.mu.Unlock()
	// The same on every try and on every repetition, as at Twilio.
	token := fmt.Sprintf("%016x-%016x", hash(0, "idempotency", t.sid), hash(0, string(s), t.sid))
	err := e.post(ctx, target, form, token)
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err != nil && ctx.Err() != nil:
		e.push(event{due: t.updated, seq: t.seq, hook: h})
		return ctx.Err()
	case t.owed&h == 0: // the second of a doubled callback
	case err != nil:
		e.log.Warn("webhook given up", "sid", t.sid, "status", string(s), "err", err)
		e.record(line{Kind: kindCallback, Seq: t.seq, Status: s, Result: "gave_up"})
	default:
		e.record(line{Kind: kindCallback, Seq: t.seq, Status: s, Result: "ok"})
	}
	return err
}

// forge posts a lie before a callback, if Faults says so.
func (e *Emulator) forge(ctx context.Context, t *text, h hook) {
	nth := t.nth(h)
	if h == hookInbound || chance(e.cfg.Seed, "forge", nth) >= e.currentFaults().CallbackForged {
		return
	}
	address, _, _ := strings.Cut(t.callback, "#")
	kind, key, signed := StruckForged, e.cfg.AuthToken, address
	e.mu.Lock()
	form := e.form(t, delivered)
	form.Set("MessageSid", sid("a text that does not exist", t.seq))
	form.Set("SmsSid", form.Get("MessageSid"))
	switch how := hash(e.cfg.Seed, "forgery", strconv.FormatInt(nth, 10)) % 3; {
	case how == 0 && h == hookFinal && t.sentAt > 0:
		kind, form = StruckReplayed, e.form(t, sent)
	case how == 1:
		signed = address + "0" // true of the attempt ten times as high
	default:
		key = "somebodyelses"
	}
	e.mu.Unlock()
	e.strike(kind)
	_, err := e.postOnce(ctx, time.Second, address, form.Encode(), signature(key, signed, form), "forged")
	if err == nil && kind == StruckForged {
		e.log.Error("a forged webhook was taken for ours", "sid", t.sid)
		e.strike(StruckForgedTaken)
	}
}

func (t *text) hookStatus(h hook) status {
	switch h {
	case hookSent:
		return sent
	case hookInbound:
		return received
	}
	return t.status
}

// form is what Twilio posts. e.mu is held.
func (e *Emulator) form(t *text, s status) url.Values {
	f := url.Values{}
	set := func(v string, keys ...string) {
		for _, k := range keys {
			f.Set(k, v)
		}
	}
	set(t.sid, "MessageSid", "SmsSid")
	set(e.cfg.AccountSID, "AccountSid")
	set("2010-04-01", "ApiVersion")
	set(t.to, "To")
	set(t.from, "From")
	set(string(s), "SmsStatus")
	if t.service != "" {
		set(t.service, "MessagingServiceSid")
	}
	if s == received {
		set(t.sid, "SmsMessageSid")
		set(t.body, "Body")
		set("0", "NumMedia")
		set(strconv.Itoa(segments(t.body)), "NumSegments")
		if word := keyword(t.body); word != "" && t.service != "" {
			set(word, "OptOutType")
		}
		return f
	}
	set(string(s), "MessageStatus")
	if t.code != 0 && s == t.status {
		set(strconv.Itoa(t.code), "ErrorCode")
	}
	return f
}

// InboundFrom lets a phone reply to the last text it got: a signed webhook to inboundURL, or to
// Config.InboundURL if that is empty. STOP and its synonyms take effect at once: the sender's next
// text to this phone is refused with 21610. When it fails, the reply is lost, as at Twilio.
func (e *Emulator) InboundFrom(ctx context.Context, phone, body, inboundURL string) error {
	inboundURL = or(inboundURL, e.cfg.InboundURL)
	if inboundURL == "" {
		return errors.New("reply: the emulator was given no address for replies (InboundURL)")
	}
	l := line{Kind: kindInbound, From: phone, Body: body, Callback: inboundURL}
	e.mu.Lock()
	for _, t := range slices.Backward(e.book.byNumber[phone]) {
		if t.to == phone && t.status == delivered {
			l.To, l.Service = t.from, t.service
			break
		}
	}
	e.mu.Unlock()
	switch {
	case l.To == "":
		return ErrNoText
	case !strings.HasPrefix(l.To, "+") && !shortCode.MatchString(l.To):
		return ErrOneWay
	}
	e.inFlight.Add(1)
	defer e.inFlight.Add(-1)
	t, err := e.accept(l, 0)
	if err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	if err := e.settle(ctx, t, hookInbound); err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	return e.journal.reach(e.journal.end(), false)
}

// overrides are Twilio's connection overrides, given in the fragment of a webhook's URL.
type overrides struct {
	retries     int
	on          string // ct, rt, 4xx, 5xx, all; several with commas
	read, total time.Duration
}

func parseOverrides(fragment string) overrides {
	o := overrides{retries: 1, on: "ct", read: 15 * time.Second, total: 15 * time.Second}
	q, err := url.ParseQuery(fragment)
	if err != nil {
		return o
	}
	number := func(key string, lo, hi int, set func(int)) {
		if n, err := strconv.Atoi(q.Get(key)); err == nil && n >= lo && n <= hi {
			set(n)
		}
	}
	number("rc", 0, 5, func(n int) { o.retries = n })
	number("rt", 100, 15000, func(n int) { o.read = time.Duration(n) * time.Millisecond })
	number("tt", 100, 15000, func(n int) { o.total = time.Duration(n) * time.Millisecond })
	if rp := q.Get("rp"); rp != "" {
		o.on = rp
	}
	return o
}

func (o overrides) retry(why string) bool {
	for on := range strings.SplitSeq(o.on, ",") {
		if on == why || on == "all" {
			return true
		}
	}
	return false
}

// post posts a signed webhook, trying again as the URL's fragment asks: by default once, and only
// if no connection could be made.
func (e *Emulator) post(ctx context.Context, target string, form url.Values, token string) error {
	address, fragment, _ := strings.Cut(target, "#")
	o := parseOverrides(fragment)
	ctx, cancel := context.WithTimeout(ctx, o.total)
	defer cancel()
	body, signed := form.Encode(), signature(e.cfg.AuthToken, address, form)
	pause := 100 * time.Millisecond
	for try := 0; ; try++ {
		why, err := e.postOnce(ctx, o.read, address, body, signed, token)
		if err == nil || try >= o.retries || !o.retry(why) {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		pause *= 2
	}
}

func (e *Emulator) postOnce(ctx context.Context, limit time.Duration, address, body, signed, token string) (why string, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("post webhook: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "TwilioProxy/1.1")
	req.Header.Set("X-Twilio-Signature", signed)
	req.Header.Set("I-Twilio-Idempotency-Token", token)
	res, err := e.client.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return "ct", fmt.Errorf("post webhook: %w", err)
		}
		return "rt", fmt.Errorf("post webhook: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection is kept
	if res.StatusCode >= 400 {
		return strconv.Itoa(res.StatusCode/100) + "xx", fmt.Errorf("post webhook: answered %d", res.StatusCode)
	}
	return "", nil
}

// signature is X-Twilio-Signature: over the URL as it was given, without its fragment, and the sorted form.
func signature(authToken, address string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(authToken))
	_, _ = io.WriteString(mac, address)
	for _, k := range slices.Sorted(maps.Keys(form)) {
		_, _ = io.WriteString(mac, k+form.Get(k))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// loopbackClient keeps the promise on the phone screen: nothing leaves this computer.
func loopbackClient() *http.Client {
	dialer := net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		if a, err := netip.ParseAddrPort(address); err != nil || !a.Addr().Unmap().IsLoopback() {
			return errors.New("the emulator posts webhooks to this computer only")
		}
		return nil
	}}
	return &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConns: 4 * parallel, MaxIdleConnsPerHost: 2 * parallel,
			IdleConnTimeout: 90 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
