package desk

import (
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// What a password may be. There are no rules on kinds of characters: length is what helps, and not to be among the first that are tried.
const (
	minPassword = 12
	maxPassword = 256
)

//go:embed passwords.txt
var common string

// commonWords are what the passwords are made of that everybody tries first.
var commonWords = func() map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.Fields(common) {
		words[w] = true
	}
	return words
}()

// disguises are what people write for letters.
var disguises = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i")

// isCommon tells whether a password is made of common words alone, in their usual disguises and with whatever figures and signs, or of a
// handful of different characters.
func isCommon(password string) bool {
	lower := strings.ToLower(password)
	different := map[rune]bool{}
	for _, r := range lower {
		different[r] = true
	}
	return len(different) < 5 || madeOfCommon(letters(lower)) || madeOfCommon(letters(disguises.Replace(lower)))
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			if r > 127 {
				return r // letters that no common word has
			}
			return -1
		}
		return r
	}, s)
}

// madeOfCommon tells whether s can be cut into common words, two letters left over at most.
func madeOfCommon(s string) bool {
	least := make([]int, len(s)+1) // letters left over in s[:i]
	for i := 1; i <= len(s); i++ {
		least[i] = least[i-1] + 1
		for j := max(0, i-30); j < i; j++ {
			if least[j] < least[i] && commonWords[s[j:i]] {
				least[i] = least[j]
			}
		}
	}
	return least[len(s)] <= 2
}

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
	case isCommon(password):
		return "", errors.New("a password must not be one of those that are tried first; three random words are a good one")
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
