package link

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMintIsStableAndTypable(t *testing.T) {
	key := []byte("a key of a test, never of a network")
	seen := map[string]int64{}
	for id := range int64(20000) {
		tok := Mint(key, id)
		if tok != Mint(key, id) {
			t.Fatalf("message %d has two tokens", id)
		}
		if prev, dup := seen[tok.Reveal()]; dup {
			t.Fatalf("messages %d and %d share a token", prev, id)
		}
		seen[tok.Reveal()] = id
		if len(tok.Reveal()) != Length {
			t.Fatalf("token has %d characters", len(tok.Reveal()))
		}
	}
	if Mint([]byte("another key"), 1) == Mint(key, 1) {
		t.Error("the key does not matter")
	}
}

func TestParseForgives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Mint([]byte("k"), rapid.Int64().Draw(t, "id"))
		s := want.Reveal()
		if rapid.Bool().Draw(t, "lower") {
			s = strings.ToLower(s)
		}
		s = strings.NewReplacer("0", rapid.SampledFrom([]string{"0", "o", "O"}).Draw(t, "zero"),
			"1", rapid.SampledFrom([]string{"1", "i", "L", "l"}).Draw(t, "one")).Replace(s)
		s = " " + s[:4] + "-" + s[4:8] + " " + s[8:]
		got, err := Parse(s)
		if err != nil || got != want {
			t.Fatalf("Parse(%q) = %q, %v; want %q", s, got.Reveal(), err, want.Reveal())
		}
	})
	for _, bad := range []string{"", "ABC", "ABCDEFGHJKMNP", "ABCDEFGHJKM!", strings.Repeat("0", 5000)} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("Parse(%.20q) took it", bad)
		}
	}
}

func TestTokenHidesItself(t *testing.T) {
	tok := Mint([]byte("k"), 7)
	js, _ := tok.MarshalText()
	for _, s := range []string{fmt.Sprint(tok), fmt.Sprintf("%v %+v %#v %s", tok, tok, tok, tok), string(js), tok.LogValue().String()} {
		if strings.Contains(s, tok.Reveal()) {
			t.Errorf("%q shows the token", s)
		}
	}
}

func TestInFindsBothLinks(t *testing.T) {
	a := Mint([]byte("k"), 1)
	body := "Hello Ann, " + URL("https://pcn.example", a) + " \nStop: " + StopURL("https://pcn.example", a)
	got := In(body)
	if len(got) != 2 || got[0] != a || got[1] != a {
		t.Errorf("In = %d tokens", len(got))
	}
	if len(In("see /r/short")) != 0 {
		t.Error("found a token where there is none")
	}
}

// Whatever is typed is a token or is not, and a token read again is the same.
func FuzzParse(f *testing.F) {
	f.Add(Mint([]byte("k"), 1).Reveal())
	f.Add("7k3m 9pqa-2xwd")
	f.Add("O0Il1uU\u00a0")
	f.Add("\xff\x00ſK") // ToUpper makes an S and a K of the last two
	f.Fuzz(func(t *testing.T, s string) {
		tok, err := Parse(s)
		if err != nil {
			if !tok.Zero() {
				t.Errorf("a token comes with an error for %q", s)
			}
			return
		}
		again, err := Parse(tok.Reveal())
		if err != nil || again != tok || len(tok.Reveal()) != Length {
			t.Errorf("%q is read as %q, and that as %q (%v)", s, tok.Reveal(), again.Reveal(), err)
		}
		if strings.Trim(tok.Reveal(), alphabet) != "" {
			t.Errorf("%q is read as %q", s, tok.Reveal())
		}
	})
}
