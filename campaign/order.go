package campaign

import (
	"encoding/binary"
	"math/rand/v2"
)

// Order gives every member of every stratum its place in the order of sending: a seeded shuffle within strata, laid so that every
// prefix mirrors the list. sizes[s] is how many members stratum s has; the result holds, per stratum, the places of its members.
//
// The i-th of n shuffled members of a stratum stands at (i+u)/n of the whole way, u being the stratum's own seeded offset in [0,1): a
// prefix of share x then holds x*n of each stratum, give or take one. Places are fractions of 2^53; the same seed always gives the same.
func Order(seed uint64, sizes []int) [][]int64 {
	places := make([][]int64, len(sizes))
	for s, n := range sizes {
		var key [32]byte
		binary.LittleEndian.PutUint64(key[:], seed)
		binary.LittleEndian.PutUint64(key[8:], uint64(s)+1)
		rng := rand.New(rand.NewChaCha8(key))
		u := rng.Float64()
		at := make([]int64, n)
		for member, i := range rng.Perm(n) {
			at[member] = int64((float64(i) + u) / float64(n) * (1 << 53))
		}
		places[s] = at
	}
	return places
}
