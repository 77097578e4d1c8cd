package pace

import (
	"math/bits"

	"github.com/wellpaced/wellpaced/throttle"
)

const (
	hour, day = int64(3600), int64(24 * 3600)
	fresh     = 2 * day   // counted as they were told
	matured   = 14 * day  // for answers: their instants have mattered so long, for the team's throughput and after closures
	old       = 60 * day  // by the day
	ancient   = 400 * day // all together
)

// tidy merges old counters once a day, or when there are many more than then, so that neither the books nor the time for a decision grow with the campaign. What is merged keeps
// its sum and its mean instants. Recent ones stay as they were told, but not finer than five minutes: a sender may report each text.
func (b *books) tidy() {
	now := b.now.Unix()
	if now/day == b.tidied && len(b.delivered) < b.tidyAt {
		return
	}
	b.tidied = now / day
	defer func() { b.tidyAt = 2*len(b.delivered) + 5000 }()
	cells := merger[[3]int64]{at: map[[3]int64]int{}}
	delivered := b.delivered[:0:0]
	for _, c := range b.delivered {
		width := hour / 12
		switch age := now - c.At; {
		case age > ancient:
			width = 1 << 40
		case age > old:
			width = day
		case age > fresh:
			width = hour
		}
		i, found := cells.find([3]int64{width, c.At / width, int64(c.Stratum)})
		if !found {
			delivered = append(delivered, c)
			continue
		}
		d := &delivered[i]
		d.At = mean(d.At, d.N, c.At, c.N)
		d.N += c.N
	}
	b.delivered = delivered

	ages := merger[[4]int64]{at: map[[4]int64]int{}}
	answers := b.answers[:0:0]
	for _, a := range b.answers {
		key := [4]int64{-1, int64(len(answers))} // by itself
		age := now - a.Answered
		// Twice as old is another age: the pacer's bins are about so wide.
		doublings := int64(bits.Len64(uint64(a.Answered-a.Delivered) / 1800))
		switch {
		case age > ancient:
			key = [4]int64{0, 0, int64(a.Stratum), doublings}
		case age > matured:
			key = [4]int64{day, a.Answered / day, int64(a.Stratum), doublings}
		}
		i, found := ages.find(key)
		if !found {
			answers = append(answers, a)
			continue
		}
		x := &answers[i]
		x.Delivered = mean(x.Delivered, x.N, a.Delivered, a.N)
		x.Answered = max(x.Delivered, mean(x.Answered, x.N, a.Answered, a.N))
		x.N += a.N
	}
	b.answers = answers
	b.other, b.contacts = tidied(b.other, now), tidied(b.contacts, now)
}

// tidied counts what is older than a few days by the half hour and forgets what the pacer no longer looks at.
func tidied(list []throttle.Count, now int64) []throttle.Count {
	slots := merger[[2]int64]{at: map[[2]int64]int{}}
	out := list[:0:0]
	for _, c := range list {
		age := now - c.At
		if age > int64(lookBack.Seconds()) {
			continue
		}
		key := [2]int64{-1, int64(len(out))}
		if age > fresh {
			key = [2]int64{hour / 2, c.At / (hour / 2)}
		}
		i, found := slots.find(key)
		if !found {
			out = append(out, c)
			continue
		}
		x := &out[i]
		x.At = mean(x.At, x.N, c.At, c.N)
		x.N += c.N
	}
	return out
}

// merger tells where what belongs together has been put.
type merger[K comparable] struct{ at map[K]int }

func (m *merger[K]) find(key K) (int, bool) {
	i, ok := m.at[key]
	if !ok {
		i = len(m.at)
		m.at[key] = i
	}
	return i, ok
}

// mean is the instant between two, by weight.
func mean(a int64, n float64, b int64, m float64) int64 {
	return a + int64(float64(b-a)*m/(n+m)+.5)
}
