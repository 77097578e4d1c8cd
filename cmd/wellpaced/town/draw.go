package town

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
)

// lots gives the dice for one question: the same question gets the same dice in every run of one town.
func lots(seed uint64, what string, which ...string) *rand.Rand {
	h := fnv.New64a()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	_, _ = h.Write(b[:])
	_, _ = h.Write([]byte(what))
	for _, w := range which {
		_, _ = h.Write([]byte{0})
		_, _ = h.Write([]byte(w))
	}
	return rand.New(rand.NewPCG(h.Sum64(), seed))
}
