// Package link mints and reads the token of a text's own link.
//
// A token is 60 bits of HMAC-SHA-256(link key, message id), written as twelve characters of Crockford's base 32, so that a
// person can type it from a text: no I, L, O or U, case does not matter, and the look-alikes are read as what was meant.
// The database keeps only a hash of it: a stolen database holds no working link.
package link

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"strings"
)

const (
	alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	// Length is how many characters a token has.
	Length = 12
)

// ErrToken says that what was typed cannot be a token.
var ErrToken = errors.New("this is not one of our codes: a code has 12 letters and digits")

// Token is a link's secret. It opens one person's form, so it redacts itself.
type Token struct{ s string }

// Mint gives the token of message id under key, always the same one.
func Mint(key []byte, id int64) Token {
	mac := hmac.New(sha256.New, key)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(id))
	mac.Write(b[:])
	bits := binary.BigEndian.Uint64(mac.Sum(nil))
	var out [Length]byte
	for i := range out {
		out[i] = alphabet[bits>>59]
		bits <<= 5
	}
	return Token{string(out[:])}
}

// Parse reads a token as a person types it: any case, spaces and hyphens anywhere, O for 0, I and L for 1, U for V.
func Parse(s string) (Token, error) {
	var b strings.Builder
	for _, r := range strings.ToUpper(s) {
		switch r {
		case ' ', '-', '\t', '\u00a0', '\u2013', '\u2014':
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		case 'U':
			r = 'V'
		}
		if r > 'Z' || !strings.ContainsRune(alphabet, r) || b.Len() == Length {
			return Token{}, ErrToken
		}
		b.WriteRune(r)
	}
	if b.Len() != Length {
		return Token{}, ErrToken
	}
	return Token{b.String()}, nil
}

// Reveal gives the token itself, for a link or a look-up.
func (t Token) Reveal() string { return t.s }

// Hash is what the database keeps. Sixty random bits need no slow hash.
func (t Token) Hash() []byte {
	sum := sha256.Sum256([]byte("wellpaced link " + t.s))
	return sum[:16]
}

// Zero reports whether there is no token.
func (t Token) Zero() bool { return t.s == "" }

// String hides the token.
func (t Token) String() string { return "[token]" }

// GoString hides the token from %#v.
func (t Token) GoString() string { return "[token]" }

// LogValue hides the token from logs.
func (t Token) LogValue() slog.Value { return slog.StringValue("[token]") }

// MarshalText hides the token from JSON and the like.
func (t Token) MarshalText() ([]byte, error) { return []byte("[token]"), nil }

// URL is the link that a text carries. Host is a scheme and host without a final slash.
func URL(host string, t Token) string { return host + "/r/" + t.s }

// StopURL is the opt-out link.
func StopURL(host string, t Token) string { return host + "/stop/" + t.s }

// In finds tokens in a text, in the order in which they stand: the provider's listing is matched by the token in the body.
func In(body string) []Token {
	var found []Token
	for _, mark := range []string{"/r/", "/stop/"} {
		rest := body
		for {
			i := strings.Index(rest, mark)
			if i < 0 {
				break
			}
			rest = rest[i+len(mark):]
			if len(rest) < Length {
				break
			}
			if t, err := Parse(rest[:Length]); err == nil && t.s == rest[:Length] {
				found = append(found, t)
			}
		}
	}
	return found
}
