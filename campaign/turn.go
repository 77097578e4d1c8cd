package campaign

import (
	"cmp"
	"math/bits"
	"slices"
)

// Asked is what a group of a campaign's people has done with the texts it has had.
type Asked struct{ Texts, Answers int }

// Turn is a group's stretch of the order of sending: from a place to before another, in fractions of 2^53 as in Order.
type Turn struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

// alike is how many texts at the rate of all groups are added to those of each: a group of ten without an answer says nothing of its people,
// and must not be called least of all.
const alike = 50

// LeastFirst lays the groups of a reminder's order one behind the other, those that have answered least first, by what they had done when the
// step began. Groups that answered equally share one stretch, so that neither comes before the other.
//
// Within its stretch a group keeps the order of the first step, which is a seeded shuffle: Place takes a person's place there. So every prefix
// of the order holds all of the groups that answered less before anybody of one that answered more, and of the groups that share a stretch as
// many as they have people in it, give or take one each; and the same seed and the same answers always give the same order.
func LeastFirst(groups []Asked) []Turn {
	var texts, answers float64
	for _, g := range groups {
		texts, answers = texts+float64(g.Texts), answers+float64(g.Answers)
	}
	mean := answers / max(texts, 1)
	rate := func(i int) float64 {
		return (float64(groups[i].Answers) + alike*mean) / (float64(groups[i].Texts) + alike)
	}
	left := func(i int) int64 { return int64(max(groups[i].Texts-groups[i].Answers, 0)) + 1 } // nobody has no room at all
	order := make([]int, len(groups))
	var all int64
	for i := range order {
		order[i] = i
		all += left(i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rate(a), rate(b)) })
	turns := make([]Turn, len(groups))
	var before int64
	for at := 0; at < len(order); {
		end, room := at, int64(0)
		for ; end < len(order) && rate(order[end]) == rate(order[at]); end++ {
			room += left(order[end])
		}
		t := Turn{share(before, all, whole), share(before+room, all, whole)}
		for _, i := range order[at:end] {
			turns[i] = t
		}
		at, before = end, before+room
	}
	return turns
}

// whole is the whole way of an order.
const whole = 1 << 53

// share is part/all of a length.
func share(part, all, length int64) int64 {
	hi, lo := bits.Mul64(uint64(part), uint64(length))
	q, _ := bits.Div64(hi, lo, uint64(all))
	return int64(q)
}

// Place is where somebody stands in the group's stretch whose place in the first step is given.
func (t Turn) Place(first int64) int64 {
	return t.From + share(max(0, min(first, whole-1)), whole, t.To-t.From)
}
