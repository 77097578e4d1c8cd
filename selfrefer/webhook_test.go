package selfrefer

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The signature is the one that the people of Standard Webhooks check with their own library, and their test vector.
func TestSignHook(t *testing.T) {
	const secret, id, body = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`
	theirs, err := standardwebhooks.NewWebhook(SecretPrefix + secret)
	if err != nil {
		t.Fatal(err)
	}
	key := []byte{0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a, 0xab, 0x4f, 0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c, 0xf6, 0x48, 0xa3, 0x62, 0xda, 0x2d, 0xa4, 0xb0}
	if got := ShowSecret(key); got != SecretPrefix+secret {
		t.Fatalf("the secret is shown as %s", got)
	}
	at := time.Unix(1614265330, 0)
	got := SignHook(key, id, at, []byte(body))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("signed %s, want %s", got, want)
	}
	head := http.Header{}
	head.Set("webhook-id", id)
	head.Set("webhook-timestamp", "1614265330")
	head.Set("webhook-signature", got)
	if err := theirs.VerifyIgnoringTimestamp([]byte(body), head); err != nil {
		t.Error(err)
	}
	if err := theirs.VerifyIgnoringTimestamp([]byte(body+" "), head); err == nil {
		t.Error("another body has the same signature")
	}
	if a, b := NewHookSecret(), NewHookSecret(); len(a) != 32 || slices.Equal(a, b) {
		t.Error("two webhooks share a secret")
	}
}

func TestCheckHookURL(t *testing.T) {
	for _, good := range []string{"https://hooks.example.org", "https://hooks.example.org:8443/a?b=c", "https://81.2.69.142/x", "https://[2a00:1450:4009:80b::200e]/"} {
		if err := CheckHookURL(good, false); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "hooks.example.org", "http://hooks.example.org", "ftp://hooks.example.org", "https://", "https://u:p@hooks.example.org", "https://hooks.example.org/#x", "https://localhost", "https://intranet",
		"https://app.localhost/", "https://127.0.0.1", "https://10.0.0.1", "https://192.168.1.1", "https://169.254.169.254/latest/meta-data", "https://[::1]", "https://[fe80::1%25eth0]/", "https://[fd00::1]", "https://[::ffff:10.0.0.1]", "https://0.0.0.0",
		"http://127.0.0.1:8080/", "https://hooks.example.org/" + strings.Repeat("x", 2000)} {
		if err := CheckHookURL(bad, false); err == nil {
			t.Errorf("%.80s is taken", bad)
		}
	}
	if CheckHookURL("http://127.0.0.1:8080/", true) != nil || CheckHookURL("http://10.0.0.1:8080/", true) == nil || CheckHookURL("http://hooks.example.org/", true) == nil {
		t.Error("a demo may reach this computer, and nothing else by http")
	}
}

func TestPublicAddress(t *testing.T) {
	for _, good := range []string{"8.8.8.8", "81.2.69.142", "2a00:1450:4009:80b::200e", "172.32.0.1", "100.128.0.1"} {
		if !PublicAddress(netip.MustParseAddr(good)) {
			t.Errorf("%s is refused", good)
		}
	}
	for _, bad := range []string{"0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1", "192.0.0.8", "192.0.2.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
		"240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:1::", "2001:db8::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1"} {
		if PublicAddress(netip.MustParseAddr(bad)) {
			t.Errorf("%s passes for public", bad)
		}
	}
	if PublicAddress(netip.Addr{}) {
		t.Error("no address passes for public")
	}
}

// Retries go on for three days, further and further apart, and those that failed together do not come back together.
func TestHookAgain(t *testing.T) {
	began := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	d := Delivery{Made: began}
	var waits []time.Duration
	for now := began; ; {
		d.Tries++
		next, more := HookAgain(d, now, .5)
		if !more {
			if next.Before(began.Add(HookTriesFor)) {
				t.Errorf("given up after %v", now.Sub(began))
			}
			break
		}
		waits = append(waits, next.Sub(now))
		now = next
	}
	if waits[0] != 5*time.Second || !slices.IsSorted(waits) || waits[len(waits)-1] != 8*time.Hour || len(waits) < 12 || len(waits) > 25 {
		t.Errorf("waits of %v", waits)
	}
	early, _ := HookAgain(Delivery{Made: began, Tries: 3}, began, 0)
	late, _ := HookAgain(Delivery{Made: began, Tries: 3}, began, 1)
	if late.Sub(early) != 32*time.Second { // 80 s, a fifth less and a fifth more
		t.Errorf("jitter of %v", late.Sub(early))
	}
}

// Events say which, and where to ask; nothing of whom.
func TestHookBody(t *testing.T) {
	at := time.Date(2026, 6, 1, 9, 0, 0, 0, time.FixedZone("", 3600))
	for _, c := range []struct {
		d    Delivery
		want string
	}{
		{Delivery{ID: 1, Network: 7, Event: HookReceived, At: at, About: 12, Reference: "ABCD-EFGH", Practice: "N83001", Code: "new"},
			`{"type":"referral.received","timestamp":"2026-06-01T08:00:00Z","data":{"code":"new","network":7,"practice":"N83001","reference":"ABCD-EFGH","referral":12,"url":"https://site.test/api/v1/referrals/12"}}`},
		{Delivery{Network: 7, Event: HookOptOut, At: at, Practice: "N83001", Code: WhyMoved}, `{"type":"optout","timestamp":"2026-06-01T08:00:00Z","data":{"code":"moved","network":7,"practice":"N83001","url":"https://site.test/api/v1/optouts"}}`},
		{Delivery{Network: 7, Event: HookCorrection, At: at, About: 5, Code: WhyDied}, `{"type":"correction","timestamp":"2026-06-01T08:00:00Z","data":{"code":"died","correction":5,"network":7,"url":"https://site.test/api/v1/corrections"}}`},
		{Delivery{Network: 7, Event: HookExport, At: at, About: 9, Practice: "N83001"}, `{"type":"export.ready","timestamp":"2026-06-01T08:00:00Z","data":{"file":9,"network":7,"practice":"N83001","url":"https://site.test/api/v1/practices/N83001/files/9/csv"}}`},
		{Delivery{Network: 7, Event: HookTest, At: at}, `{"type":"webhook.test","timestamp":"2026-06-01T08:00:00Z","data":{"network":7}}`},
	} {
		got, err := c.d.Body("https://site.test")
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s %v\nwant %s", c.d.Event, got, err, c.want)
		}
		if !json.Valid(got) {
			t.Errorf("%s is no JSON", got)
		}
	}
}

func TestHookEventsOf(t *testing.T) {
	for _, c := range []struct {
		to    State
		e     Event
		first bool
		want  []HookEvent
	}{
		{Claimed, Claim, false, nil}, {Contacting, Attempt, false, nil}, {InSupport, StartSupport, true, []HookEvent{HookContacted}}, {Closed, Close, false, []HookEvent{HookClosed}},
		{Closed, Close, true, []HookEvent{HookContacted, HookClosed}}, {Declined, Decline, true, []HookEvent{HookContacted, HookDeclined}}, {Unreachable, GiveUp, false, []HookEvent{HookUnreachable}},
		{Onward, SendOnward, true, []HookEvent{HookContacted, HookClosed}}, {Duplicate, MarkDuplicate, false, []HookEvent{HookClosed}}, {InSupport, HandOver, false, nil},
	} {
		if got := HookEventsOf(c.to, c.e, c.first); !slices.Equal(got, c.want) {
			t.Errorf("%s to %s: %v, want %v", c.e, c.to, got, c.want)
		}
	}
}
