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

// lot is something that happens, and how often of all times.
type lot struct {
	what  string
	share float64
}

// draw draws one of some lots; the last takes what the shares leave.
func draw(rng *rand.Rand, from []lot) (what string) {
	x := rng.Float64()
	for _, l := range from {
		if what = l.what; x < l.share {
			break
		}
		x -= l.share
	}
	return what
}
