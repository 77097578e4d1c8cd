package store

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// The files of the keys folder.
const (
	sealKeyFile  = "seal.json"  // AEAD keyset; may hold older keys, which still open
	indexKeyFile = "index.json" // PRF keyset of the blind indexes
	linkKeyFile  = "link.key"   // 32 bytes, base64; tokens of links are made with it
)

const (
	linkKeySize = 32
	indexSize   = 16 // bytes of a blind index; collisions start to matter near 2^64 values
)

// metaCheck names the rows of meta that prove the keys belong to the database.
const (
	metaCheckSeal  = "key_check_seal"
	metaCheckIndex = "key_check_index"
	metaCheckLink  = "key_check_link"
)

// sealer does all encryption. Its primitives are made once: making one costs more
// than using it a hundred times. It is safe for concurrent use.
type sealer struct {
	aead tink.AEAD
	prf  prf.PRF
	link []byte
}

// seal encrypts plain for one place: it opens only with the same table, column
// and row, so a sealed value copied to another row is worth nothing.
func (s *sealer) seal(table, column, rowID string, plain []byte) ([]byte, error) {
	sealed, err := s.aead.Encrypt(plain, place(table, column, rowID))
	if err != nil {
		return nil, fmt.Errorf("seal %s.%s: %w", table, column, err)
	}
	return sealed, nil
}

// open is the reverse of seal.
func (s *sealer) open(table, column, rowID string, sealed []byte) ([]byte, error) {
	plain, err := s.aead.Decrypt(sealed, place(table, column, rowID))
	if err != nil {
		return nil, fmt.Errorf("open %s.%s: the keys do not fit or the value was changed: %w", table, column, err)
	}
	return plain, nil
}

// place is the associated data of a sealed value. Table and column are names in
// our code and hold no NUL, so no two places read the same.
func place(table, column, rowID string) []byte {
	b := make([]byte, 0, len(table)+len(column)+len(rowID)+2)
	b = append(append(b, table...), 0)
	b = append(append(b, column...), 0)
	return append(b, rowID...)
}

// index returns the blind index of a value: equal values of a kind have equal
// indexes, and nobody without the key can tell which value it is. Callers
// normalise the value first. kind holds no NUL.
func (s *sealer) index(kind, value string) []byte {
	b := make([]byte, 0, 64)
	b = append(append(b, kind...), 0)
	mac, err := s.prf.ComputePRF(append(b, value...), indexSize)
	if err != nil {
		panic("store: blind index: " + err.Error()) // only for a size the key cannot give
	}
	return mac
}

// linkKey is the secret that link tokens are made with.
func (s *sealer) linkKey() []byte { return s.link }

// keysApart refuses a keys folder that a backup of the data would carry along.
func keysApart(keys, dataDir string) error {
	if within(keys, dataDir) {
		return fmt.Errorf("the keys folder %s lies inside the data folder %s: "+
			"whoever gets the data or a backup would get the keys too; choose another folder with --keys", keys, dataDir)
	}
	return nil
}

// openSealer reads the keys. With create, keys that do not exist are made: that is
// for a database that has never sealed anything.
func openSealer(dir string, create bool) (*sealer, error) {
	if create {
		if err := createKeys(dir); err != nil {
			return nil, err
		}
	}
	seal, err := readKeyset(dir, sealKeyFile)
	if err != nil {
		return nil, err
	}
	index, err := readKeyset(dir, indexKeyFile)
	if err != nil {
		return nil, err
	}
	link, err := readKeyFile(dir, linkKeyFile)
	if err != nil {
		return nil, err
	}
	s := &sealer{}
	if s.aead, err = aead.New(seal); err != nil {
		return nil, fmt.Errorf("use the key %s: %w", sealKeyFile, err)
	}
	set, err := prf.NewPRFSet(index)
	if err != nil {
		return nil, fmt.Errorf("use the key %s: %w", indexKeyFile, err)
	}
	s.prf = set.PRFs[set.PrimaryID]
	if s.link, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(link))); err != nil || len(s.link) != linkKeySize {
		return nil, fmt.Errorf("the key %s is damaged: put back the copy you keep of the keys folder", filepath.Join(dir, linkKeyFile))
	}
	return s, nil
}

// checkMarks are what a database remembers of its keys. They tell nothing about
// the keys themselves.
func (s *sealer) checkMarks(databaseID string) (map[string]string, error) {
	sealed, err := s.seal("meta", metaCheckSeal, databaseID, []byte(databaseID))
	if err != nil {
		return nil, err
	}
	return map[string]string{
		metaCheckSeal:  hex.EncodeToString(sealed),
		metaCheckIndex: hex.EncodeToString(s.index(metaCheckIndex, databaseID)),
		metaCheckLink:  s.linkMark(databaseID),
	}, nil
}

func (s *sealer) linkMark(databaseID string) string {
	mac := hmac.New(sha256.New, s.link)
	mac.Write([]byte(metaCheckLink + "\x00" + databaseID))
	return hex.EncodeToString(mac.Sum(nil)[:indexSize])
}

// verify compares the keys with the marks the database keeps.
func (s *sealer) verify(dir string, known map[string]string) error {
	id := known[metaDatabaseID]
	wrong := func(file string) error {
		return fmt.Errorf("the key %s is not the one this database was written with: "+
			"put back the keys folder that belongs to it (nothing has been changed)", filepath.Join(dir, file))
	}
	sealed, err := hex.DecodeString(known[metaCheckSeal])
	if err != nil {
		return wrong(sealKeyFile)
	}
	if plain, err := s.open("meta", metaCheckSeal, id, sealed); err != nil || string(plain) != id {
		return wrong(sealKeyFile)
	}
	if !sameMark(known[metaCheckIndex], hex.EncodeToString(s.index(metaCheckIndex, id))) {
		return wrong(indexKeyFile)
	}
	if !sameMark(known[metaCheckLink], s.linkMark(id)) {
		return wrong(linkKeyFile)
	}
	return nil
}

func sameMark(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// RotateKeys adds a new sealing key and makes it the one that seals. What older
// keys sealed still opens. A serving process uses it after its next start.
func RotateKeys(dir string) error {
	old, err := readKeyset(dir, sealKeyFile)
	if err != nil {
		return err
	}
	m := keyset.NewManagerFromHandle(old)
	id, err := m.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("add a sealing key: %w", err)
	}
	if err := m.SetPrimary(id); err != nil {
		return fmt.Errorf("use the new sealing key: %w", err)
	}
	h, err := m.Handle()
	if err != nil {
		return fmt.Errorf("read the new keyset: %w", err)
	}
	data, err := encodeKeyset(h)
	if err != nil {
		return err
	}
	return writeKeyFile(dir, sealKeyFile, data, true)
}

// createKeys makes the keys that do not exist. A crash half-way leaves whole files,
// and the next start makes the rest.
func createKeys(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make keys folder: %w", err)
	}
	for _, k := range []struct {
		file string
		make func() ([]byte, error)
	}{
		{sealKeyFile, func() ([]byte, error) { return newKeyset(aead.AES256GCMKeyTemplate()) }},
		{indexKeyFile, func() ([]byte, error) { return newKeyset(prf.HMACSHA256PRFKeyTemplate()) }},
		{linkKeyFile, func() ([]byte, error) {
			key := make([]byte, linkKeySize)
			_, _ = rand.Read(key) // never fails
			return []byte(base64.StdEncoding.EncodeToString(key) + "\n"), nil
		}},
	} {
		if _, err := os.Stat(filepath.Join(dir, k.file)); err == nil {
			continue
		}
		data, err := k.make()
		if err != nil {
			return fmt.Errorf("make the key %s: %w", k.file, err)
		}
		if err := writeKeyFile(dir, k.file, data, false); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

func newKeyset(template *tinkpb.KeyTemplate) ([]byte, error) {
	h, err := keyset.NewHandle(template)
	if err != nil {
		return nil, err
	}
	return encodeKeyset(h)
}

func encodeKeyset(h *keyset.Handle) ([]byte, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		return nil, fmt.Errorf("encode keyset: %w", err)
	}
	return b.Bytes(), nil
}

// writeKeyFile puts a whole, durable file in place. Without replace, a file that
// exists stays as it is (fs.ErrExist), whoever made it.
func writeKeyFile(dir, name string, data []byte, replace bool) error {
	temp, err := os.CreateTemp(dir, name+".new-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("write the key %s: %w", name, err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("write the key %s: %w", name, err)
	}
	path := filepath.Join(dir, name)
	if replace {
		err = os.Rename(temp.Name(), path)
	} else {
		err = os.Link(temp.Name(), path) // fails if path exists, as O_EXCL does
	}
	if err != nil {
		return fmt.Errorf("write the key %s: %w", name, err)
	}
	if err := syncDir(dir); err != nil {
		return fmt.Errorf("write the key %s: %w", name, err)
	}
	return nil
}

func readKeyFile(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the database holds data but its key %s is missing: put back the copy you keep of the keys folder; "+
			"a new key could not open anything", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the key %s: %w", name, err)
	}
	if info.Mode().Perm()&0o027 != 0 {
		return nil, fmt.Errorf("the key %s can be read or changed by others: run chmod 600 on it", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key %s: %w", name, err)
	}
	return data, nil
}

func readKeyset(dir, name string) (*keyset.Handle, error) {
	data, err := readKeyFile(dir, name)
	if err != nil {
		return nil, err
	}
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(data)))
	if err != nil {
		return nil, fmt.Errorf("the key %s is damaged: put back the copy you keep of the keys folder", filepath.Join(dir, name))
	}
	return h, nil
}

// passing seals what a process keeps for a moment outside its memory. Its key is never written down: when it is gone, nothing opens any more.
type passing struct{ gcm cipher.AEAD }

func newPassing() (passing, error) {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return passing{}, fmt.Errorf("make a passing key: %w", err)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return passing{}, fmt.Errorf("use a passing key: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return passing{}, fmt.Errorf("use a passing key: %w", err)
	}
	return passing{gcm}, nil
}

// seal seals the n-th block behind out. No number comes twice under one key, so that it is the nonce, and a block opens as its own number alone.
func (p passing) seal(out []byte, n uint64, plain []byte) []byte {
	return p.gcm.Seal(out, p.nonce(n), plain, nil)
}

func (p passing) open(out []byte, n uint64, sealed []byte) ([]byte, error) {
	plain, err := p.gcm.Open(out, p.nonce(n), sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("open block %d: it was changed: %w", n, err)
	}
	return plain, nil
}

func (p passing) nonce(n uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, p.gcm.NonceSize()-8, p.gcm.NonceSize()), n)
}
