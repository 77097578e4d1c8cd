package town

import (
	"encoding/binary"
	"hash/fnv"
	"math"
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

// gamma draws from a Gamma of mean 1 and the given coefficient of variation, at most 1 (Marsaglia and Tsang).
func gamma(rng *rand.Rand, cv float64) float64 {
	if cv <= 0 {
		return 1
	}
	shape := 1 / (cv * cv)
	d := shape - 1./3
	for {
		x := rng.NormFloat64()
		v := 1 + x/math.Sqrt(9*d)
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-rng.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v / shape
		}
	}
}
