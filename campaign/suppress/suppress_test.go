package suppress

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// seen notes which of the numbers 1 to 4 above a floor a hidden number can be, as far as an attacker can tell.
type seen [Least]bool

func (s *seen) note(n int) {
	if n > 0 && n < Least {
		s[n] = true
	}
}

func (s seen) upTo(n int) bool {
	for i := 1; i <= min(n, Least-1); i++ {
		if !s[i] {
			return false
		}
	}
	return true
}

func grid(rows, columns int) [][]int {
	g := make([][]int, rows)
	for i := range g {
		g[i] = make([]int, columns)
	}
	return g
}

// withTotals adds the totals as they are shown beside a table.
func withTotals(counts [][]int) [][]int {
	all := grid(len(counts)+1, len(counts[0])+1)
	for i, row := range counts {
		for j, c := range row {
			all[i][j] = c
			all[i][len(row)] += c
			all[len(counts)][j] += c
			all[len(counts)][len(row)] += c
		}
	}
	return all
}

// Every table of whole numbers that agrees with what is shown is tried: each small number can still be anything from 1 to 4.
func TestNoSmallNumberOfATableCanBeWorkedOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, columns := rapid.IntRange(1, 3).Draw(t, "rows"), rapid.IntRange(1, 3).Draw(t, "columns")
		counts := grid(rows, columns)
		for i := range counts {
			for j := range counts[i] {
				counts[i][j] = rapid.SampledFrom([]int{0, 0, 1, 2, 3, 4, 5, 6, 8}).Draw(t, "count")
			}
		}
		attackTable(t, counts, Table(counts))
	})
}

func attackTable(t interface {
	Fatalf(string, ...any)
}, counts [][]int, hidden [][]bool) {
	truth := withTotals(counts)
	rows, columns := len(counts), len(counts[0])
	could := make([][]seen, rows+1)
	for i := range could {
		could[i] = make([]seen, columns+1)
	}
	guess := grid(rows, columns)
	most := truth[rows][columns]
	if hidden[rows][columns] {
		most = 8
	}
	var try func(cell, left int)
	try = func(cell, left int) {
		if cell == rows*columns {
			all := withTotals(guess)
			for i := range all {
				for j, n := range all[i] {
					if !hidden[i][j] && n != truth[i][j] {
						return
					}
				}
			}
			for i := range all {
				for j, n := range all[i] {
					could[i][j].note(n)
				}
			}
			return
		}
		i, j := cell/columns, cell%columns
		if !hidden[i][j] {
			if guess[i][j] = truth[i][j]; guess[i][j] <= left {
				try(cell+1, left-guess[i][j])
			}
			return
		}
		most := left
		if j == columns-1 && !hidden[i][columns] { // the row's total leaves one choice
			n := truth[i][columns]
			for _, k := range guess[i][:j] {
				n -= k
			}
			if n >= 0 && n <= left {
				guess[i][j] = n
				try(cell+1, left-n)
			}
			return
		}
		if !hidden[i][columns] {
			most = min(most, truth[i][columns])
		}
		if !hidden[rows][j] {
			most = min(most, truth[rows][j])
		}
		for n := 0; n <= most; n++ {
			guess[i][j] = n
			try(cell+1, left-n)
		}
	}
	try(0, most)
	for i := range truth {
		for j, n := range truth[i] {
			if Small(n) && (!hidden[i][j] || !could[i][j].upTo(4)) {
				t.Fatalf("%v is shown as %v: number %d of row %d can only be %v", truth, hidden, j, i, could[i][j])
			}
		}
	}
	if n := truth[rows][columns]; hidden[rows][columns] != Small(n) {
		t.Fatalf("the grand total %d is hidden: %v", n, hidden[rows][columns])
	}
}

func TestNoSmallNumberOfAListCanBeWorkedOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 6).Draw(t, "counts")
		hidden := List(counts)
		sum, free, small := 0, 0, false
		for i, c := range counts {
			sum += c
			small = small || Small(c)
			if hidden[i] {
				free += c
			} else if Small(c) {
				t.Fatalf("%v: number %d is shown", counts, i)
			}
		}
		if hidden[len(counts)] != Small(sum) {
			t.Fatalf("%v: the total is hidden: %v", counts, hidden[len(counts)])
		}
		k := 0
		for _, h := range hidden[:len(counts)] {
			if h {
				k++
			}
		}
		// Of several that add up to a known number each can be anything up to it.
		if small && !hidden[len(counts)] && (k < 2 || free < 4) {
			t.Fatalf("%v: %v hides %d in %d numbers", counts, hidden, free, k)
		}
		if !small && k > 0 {
			t.Fatalf("%v: %v hides for nothing", counts, hidden)
		}
	})
}

// A few tables whose answers can be seen to be right, and to hide no more than they must.
func TestWhatIsHidden(t *testing.T) {
	for _, tt := range []struct {
		counts []int
		want   []bool
	}{
		{[]int{10, 20, 30}, []bool{false, false, false, false}},
		{[]int{10, 3, 30}, []bool{true, true, false, false}},
		{[]int{2, 1, 30}, []bool{true, true, true, false}}, // 3 in all: the two could not be 4
		{[]int{2, 3, 30}, []bool{true, true, false, false}},
		{[]int{0, 3, 30}, []bool{false, true, true, false}},
		{[]int{2, 0, 1}, []bool{true, false, true, true}},
		{[]int{0, 0}, []bool{false, false, false}},
		{nil, []bool{false}},
	} {
		if got := List(tt.counts); !slices.Equal(got, tt.want) {
			t.Errorf("List(%v) is %v, not %v", tt.counts, got, tt.want)
		}
	}
	n := 0
	for _, row := range Table([][]int{{40, 3, 50}, {60, 70, 80}, {90, 20, 30}}) {
		for _, h := range row {
			if h {
				n++
			}
		}
	}
	if n != 4 {
		t.Errorf("one small number in the midst of great ones hides %d numbers, not 4", n)
	}
	if h := Table(nil); len(h) != 1 || len(h[0]) != 1 || h[0][0] {
		t.Errorf("no table hides %v", h)
	}
}

// People of two groupings, each shown as a table of its own beside the totals: every list of people that agrees with both is tried.
func TestNoSmallNumberFollowsFromTwoTablesOfOnePage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const stages = 3
		var truth [2][2][stages]int // by one grouping, by the other, how far they came
		left := rapid.IntRange(1, 7).Draw(t, "people")
		most := left
		for i := range 2 {
			for j := range 2 {
				for k := range stages {
					if truth[i][j][k] = rapid.IntRange(0, left).Draw(t, "count"); i+j+k == 4 {
						truth[i][j][k] = left
					}
					left -= truth[i][j][k]
				}
			}
		}
		tables := func(n *[2][2][stages]int) (byOne, byOther [][]int) {
			byOne, byOther = grid(2, stages), grid(2, stages)
			for i := range 2 {
				for j := range 2 {
					for k := range stages {
						for reached := range k + 1 {
							byOne[i][reached] += n[i][j][k]
							byOther[j][reached] += n[i][j][k]
						}
					}
				}
			}
			return byOne, byOther
		}
		one, other := tables(&truth)
		hiddenOne, hiddenOther := Nested(one, nil, nil), Nested(other, nil, nil)
		var stopped, reached [2][stages]seen
		var guess [2][2][stages]int
		var try func(cell, left int)
		try = func(cell, left int) {
			if cell == 4*stages-1 {
				guess[1][1][stages-1] = left
				a, b := tables(&guess)
				for k := range stages {
					if a[0][k]+a[1][k] != one[0][k]+one[1][k] {
						return
					}
					for g := range 2 {
						if !hiddenOne[g][k] && a[g][k] != one[g][k] || !hiddenOther[g][k] && b[g][k] != other[g][k] {
							return
						}
					}
				}
				for g := range 2 {
					for k := range stages {
						reached[g][k].note(a[g][k])
						if left := a[g][k]; k+1 < stages {
							stopped[g][k].note(left - a[g][k+1])
						}
					}
				}
				return
			}
			for n := range left + 1 {
				guess[cell/stages/2][cell/stages%2][cell%stages] = n
				try(cell+1, left-n)
			}
		}
		try(0, most)
		for g := range 2 {
			for k := range stages {
				total := one[0][k] + one[1][k]
				if Small(one[g][k]) && (!hiddenOne[g][k] || !reached[g][k].upTo(total)) {
					t.Fatalf("%v shown as %v, and %v as %v: number %d of group %d can only be %v", one, hiddenOne, other, hiddenOther, k, g, reached[g][k])
				}
				if k+1 < stages && Small(one[g][k]-one[g][k+1]) && !stopped[g][k].upTo(total-one[0][k+1]-one[1][k+1]) {
					t.Fatalf("%v shown as %v, and %v as %v: how many of group %d stop at %d can only be %v", one, hiddenOne, other, hiddenOther, g, k, stopped[g][k])
				}
			}
		}
	})
}

// Whoever has made the list knows how many of each group were on it: every table that agrees with that, with the totals and with what is shown is
// tried. No small number is narrowed further than that knowledge alone narrows it.
func TestNoSmallNumberFollowsForWhoeverMadeTheList(t *testing.T) {
	const groups, stages = 3, 3
	rapid.Check(t, func(t *rapid.T) {
		truth := grid(groups, stages)
		for g := range truth {
			n := rapid.IntRange(0, 9).Draw(t, "invited")
			for k := range truth[g] {
				truth[g][k] = n
				n = rapid.IntRange(0, n).Draw(t, "further")
			}
		}
		hidden := Nested(truth, nil, nil)
		total := func(n [][]int, k int) (sum int) {
			for g := range n {
				sum += n[g][k]
			}
			return sum
		}
		var shown, possible [groups][stages]seen // with what is shown, and without
		var stopped, stoppable [groups][stages]seen
		guess := grid(groups, stages)
		var try func(g, k int)
		try = func(g, k int) {
			if g == groups {
				agrees := true
				for k := range stages {
					if total(guess, k) != total(truth, k) {
						return
					}
					for g := range groups {
						agrees = agrees && (hidden[g][k] || guess[g][k] == truth[g][k])
					}
				}
				for g := range groups {
					for k := range stages {
						left := guess[g][k]
						if k+1 < stages {
							left -= guess[g][k+1]
						}
						possible[g][k].note(guess[g][k])
						stoppable[g][k].note(left)
						if agrees {
							shown[g][k].note(guess[g][k])
							stopped[g][k].note(left)
						}
					}
				}
				return
			}
			next := func() {
				if k+1 == stages {
					try(g+1, 0)
				} else {
					try(g, k+1)
				}
			}
			if k == 0 {
				guess[g][0] = truth[g][0]
				next()
				return
			}
			for n := range guess[g][k-1] + 1 {
				guess[g][k] = n
				next()
			}
		}
		try(0, 0)
		for g := range groups {
			for k := range stages {
				if k > 0 && Small(truth[g][k]) && shown[g][k] != possible[g][k] {
					t.Fatalf("%v shown as %v: number %d of group %d is narrowed from %v to %v", truth, hidden, k, g, possible[g][k], shown[g][k])
				}
				if k+1 < stages && Small(truth[g][k]-truth[g][k+1]) && stopped[g][k] != stoppable[g][k] {
					t.Fatalf("%v shown as %v: how many of group %d stop at %d is narrowed from %v to %v", truth, hidden, g, k, stoppable[g][k], stopped[g][k])
				}
			}
		}
	})
}

// The same table day by day, as it grows. Whoever knows what was last shown of each number, and even whoever knows all of the day before, tries
// all growths that agree with what is shown.
func TestNoFewPeopleFollowFromTwoDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const groups = 3
		counts, shown := grid(groups, 1), grid(groups, 1) // how many of three groups have answered, of many
		var before [][]int
		everShown := [groups][]int{}
		for day := range 5 {
			now := grid(groups, 1)
			total := 0
			for g := range now {
				now[g][0] = counts[g][0] + rapid.SampledFrom([]int{0, 0, 1, 1, 2, 3, 4, 5, 7}).Draw(t, "more")
				total += now[g][0]
			}
			hidden := Nested(now, shown, before)
			for i, known := range [][][]int{shown, before} {
				if known == nil {
					continue
				}
				grown := total - known[0][0] - known[1][0] - known[2][0]
				var could [groups]seen
				for a := range grown + 1 {
					for b := range grown - a + 1 {
						by := [groups]int{a, b, grown - a - b}
						ok := true
						for g := range groups {
							ok = ok && (hidden[g][0] || known[g][0]+by[g] == now[g][0])
						}
						for g := range groups {
							if ok {
								could[g].note(by[g])
							}
						}
					}
				}
				for g := range groups {
					if i == 1 && !hidden[g][0] { // it has grown by more since it was last shown
						continue
					}
					if Small(now[g][0]-known[g][0]) && (!hidden[g][0] || !could[g].upTo(grown)) {
						t.Fatalf("day %d: %v after %v is shown as %v: group %d can only have grown by %v", day, now, known, hidden, g, could[g])
					}
				}
			}
			for g := range groups {
				if hidden[g][0] {
					continue
				}
				for _, n := range everShown[g] {
					if Small(now[g][0] - n) {
						t.Fatalf("day %d: group %d was shown with %d, and now with %d", day, g, n, now[g][0])
					}
				}
				everShown[g] = append(everShown[g], now[g][0])
				shown[g][0] = now[g][0]
			}
			counts, before = now, now
		}
	})
}

// Where nearly all have answered, those who have not are the few: 97 of 100 cannot be shown beside the 100.
func TestTheFewWhoDidNotAreHiddenToo(t *testing.T) {
	h := Nested([][]int{{100, 97}, {100, 50}, {100, 40}}, nil, nil)
	if h[0][0] == h[0][1] && !h[0][0] {
		t.Fatal("100 and 97 are shown")
	}
	others := 0
	for _, row := range h[1:] {
		for _, x := range row {
			if x {
				others++
			}
		}
	}
	if others == 0 {
		t.Fatal("the 97 can be had from the total")
	}
}

// A number that falls a little, as when word comes that a text did not arrive, is not shown beside what it was.
func TestWhatFallsALittleIsHidden(t *testing.T) {
	old := [][]int{{40}, {50}, {60}}
	if h := Nested([][]int{{38}, {50}, {62}}, old, old); !h[0][0] || !h[2][0] {
		t.Fatalf("40 and then 38, 60 and then 62 are shown: %v", h)
	}
	if h := Nested([][]int{{30}, {50}, {70}}, old, old); h[0][0] || h[1][0] || h[2][0] {
		t.Fatalf("changes by 10 are hidden: %v", h)
	}
}

// The same table hides the same numbers.
func TestTheSameAgain(t *testing.T) {
	counts := [][]int{{4, 9, 0, 12}, {7, 2, 3, 30}, {11, 1, 8, 5}}
	a, b := Table(counts), Table(counts)
	for i := range a {
		if !slices.Equal(a[i], b[i]) {
			t.Fatalf("row %d is hidden as %v, then as %v", i, a[i], b[i])
		}
	}
}

// A table as great as any of a page is done while the page is drawn.
func BenchmarkTable(b *testing.B) {
	counts := grid(40, 12)
	for i := range counts {
		for j := range counts[i] {
			counts[i][j] = (i*7 + j*13) % 23
		}
	}
	for b.Loop() {
		Table(counts)
	}
}

// What is hidden elsewhere can be worked out here neither: it can still be 3 more and 3 less, as far as the total and nothing allow.
func TestWhatIsGuardedHasRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(0, 12), 2, 6).Draw(t, "counts")
		given := make([]Given, len(counts))
		for i := range given {
			given[i] = rapid.SampledFrom([]Given{Open, Open, Gone, Guarded}).Draw(t, "given")
		}
		hidden := ListBeside(counts, given, false)
		if !slices.Contains(given, Guarded) && !slices.Contains(given, Gone) && !slices.Equal(hidden, List(counts)) {
			t.Fatalf("%v beside nothing is hidden as %v", counts, hidden)
		}
		for i, g := range given {
			if g != Open && !hidden[i] {
				t.Fatalf("%v given %v is shown as %v", counts, given, hidden)
			}
			others, others0, free := 0, 0, false // of the others: what is hidden, and all
			for j, c := range counts {
				if j != i {
					others0 += c
					if hidden[j] {
						others, free = others+c, true
					}
				}
			}
			if g == Guarded && (!free || others < min(3, others0)) {
				t.Fatalf("%v given %v is shown as %v: number %d follows from the total", counts, given, hidden, i)
			}
		}
		nested := NestedBeside([][]int{{40, counts[0]}, {40, 20}, {40, 30}}, nil, nil, [][]bool{{false, true}, {false, false}, {false, false}})
		if !nested[0][1] || !nested[1][1] && !nested[2][1] {
			t.Fatalf("%d of 40 is guarded, and shown as %v", counts[0], nested)
		}
	})
}

// The parts of a sum that is hidden elsewhere tell no more than that it is at least so much, and a small part does not follow from that.
func TestPartsDoNotTellTheirSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := rapid.SliceOfN(rapid.IntRange(0, 12), 1, 6).Draw(t, "counts")
		sum := 0
		for _, c := range counts {
			sum += c
		}
		atLeast := rapid.IntRange(0, sum).Draw(t, "at least")
		hidden := PartsBeside(counts, make([]Given, len(counts)), atLeast)
		told, of := 0, 0
		for i, c := range counts {
			if !hidden[i] {
				told += c
			} else {
				of++
			}
		}
		if of == 0 || told > max(atLeast, sum-3) {
			t.Fatalf("%v, at least %d, is shown as %v: together they are %d or more", counts, atLeast, hidden, told)
		}
		for i, c := range counts {
			if Small(c) && (!hidden[i] || of == 1 && atLeast-told > 1) {
				t.Fatalf("%v, at least %d, is shown as %v: number %d follows", counts, atLeast, hidden, i)
			}
		}
	})
}

// Where the totals of rows are known from elsewhere, hiding them is no help: what small number there is stays hidden beside them.
func TestATableWhoseRowsAreKnown(t *testing.T) {
	counts := [][]int{{30, 2}, {20, 9}, {40, 8}}
	none := make([]int, len(counts))
	if got := ListBeside([]int{2, 0, 0}, nil, true); got[3] || !got[0] || !got[1] && !got[2] {
		t.Errorf("2 of a total that is known to be 2 are shown as %v", got)
	}
	hidden := TableBeside(counts, nil, none, true)
	rows := 0
	for i := range counts {
		if hidden[i][2] {
			t.Errorf("the total of row %d is hidden: %v", i, hidden)
		}
		if hidden[i][0] != hidden[i][1] {
			t.Errorf("row %d tells what it hides: %v", i, hidden)
		}
		if hidden[i][1] {
			rows++
		}
	}
	if !hidden[0][1] || rows < 2 && !hidden[3][1] {
		t.Errorf("2 of 32 can be worked out: %v", hidden)
	}
	// A total that is hidden elsewhere follows from no row, and of it is known that it is at least 30.
	given := make([][]Given, 4)
	for i := range given {
		given[i] = make([]Given, 3)
	}
	given[1][2], given[2][2] = Guarded, Guarded
	hidden = TableBeside([][]int{{30, 10}, {20, 9}, {40, 8}}, given, []int{0, 25, 45}, false)
	for i := 1; i <= 2; i++ {
		if !hidden[i][2] || !hidden[i][0] && !hidden[i][1] {
			t.Errorf("the total of row %d follows from it: %v", i, hidden)
		}
	}
	if hidden[0][0] || hidden[0][1] || hidden[0][2] {
		t.Errorf("the first row is hidden for nothing: %v", hidden)
	}
}
