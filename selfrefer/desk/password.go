package desk

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// What a password may be. There are no rules on kinds of characters: length is what helps.
const (
	minPassword = 8
	maxPassword = 256
)

// The cost of a check, by OWASP's advice for argon2id: 19 MB of memory, two passes, one thread; about 20 ms.
const (
	argonMemory = 19 * 1024 // kB
	argonPasses = 2
	argonLength = 32
	saltLength  = 16
)

// HashPassword makes what the store keeps in place of a password: argon2id in the usual PHC notation, with its own salt.
func HashPassword(password string) (string, error) {
	switch n := utf8.RuneCountInString(password); {
	case n < minPassword:
		return "", fmt.Errorf("a password must have at least %d characters; three random words are a good one", minPassword)
	case n > maxPassword:
		return "", fmt.Errorf("a password must have at most %d characters", maxPassword)
	}
	var salt [saltLength]byte
	_, _ = rand.Read(salt[:]) // never fails
	sum := argon2.IDKey([]byte(password), salt[:], argonPasses, argonMemory, 1, argonLength)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, argonMemory, argonPasses, enc.EncodeToString(salt[:]), enc.EncodeToString(sum)), nil
}

// VerifyPassword tells whether a password belongs to a hash. Without a hash that it can read it says no, after as long as it takes to
// say it with one, so that an answer's time does not tell which accounts exist.
func VerifyPassword(hash, password string) bool {
	p, err := parseHash(hash)
	if err != nil {
		p = nobody
	}
	if len(password) > 4*maxPassword { // bytes
		password = ""
	}
	sum := argon2.IDKey([]byte(password), p.salt, p.passes, p.memory, p.threads, uint32(len(p.sum)))
	return subtle.ConstantTimeCompare(sum, p.sum) == 1 && err == nil
}

type parsedHash struct {
	memory, passes uint32
	threads        uint8
	salt, sum      []byte
}

// nobody is a hash of today's cost that no password has.
var nobody = parsedHash{argonMemory, argonPasses, 1, make([]byte, saltLength), make([]byte, argonLength)}

var errHash = errors.New("this is not the hash of a password")

// parseHash reads the PHC notation. Its costs are bounded: a damaged row must not eat the machine.
func parseHash(s string) (p parsedHash, err error) {
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, errHash
	}
	if n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.threads); err != nil || n != 3 {
		return p, errHash
	}
	if p.memory < 8 || p.memory > 256*1024 || p.passes < 1 || p.passes > 10 || p.threads < 1 || p.threads > 8 {
		return p, errHash
	}
	enc := base64.RawStdEncoding.Strict()
	if p.salt, err = enc.DecodeString(part[4]); err != nil || len(p.salt) < 8 || len(p.salt) > 64 {
		return p, errHash
	}
	if p.sum, err = enc.DecodeString(part[5]); err != nil || len(p.sum) < 16 || len(p.sum) > 64 {
		return p, errHash
	}
	return p, nil
}
