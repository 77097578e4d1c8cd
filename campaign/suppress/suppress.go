package suppress

import "slices"

// Least is the smallest number of people that is shown, but for 0.
const Least = 5

// Small reports whether n people are so few that their number is not shown.
func Small(n int) bool { return n > 0 && n < Least }

// Table hides numbers of a table of counts whose totals of rows and of columns and whose grand total are shown beside it. The answer has one
// row and one column more than counts, for those totals: hidden[i][j] is the cell's, hidden[i][len(counts[i])] the total's of row i,
// hidden[len(counts)][j] the total's of column j, and the last of the last row the grand total's, which is hidden only where it is itself small.
// Tables that are shown together and share a dimension are not safe for being safe each; Nested tells when they are.
func Table(counts [][]int) (hidden [][]bool) {
	return TableBeside(counts, nil, make([]int, len(counts)), false)
}

// Given is what is known of a number before others are hidden.
type Given int

// What is known.
const (
	Open    Given = iota
	Gone          // it is hidden already
	Guarded       // it is hidden already elsewhere, and must not be worked out here either
)

// TableBeside does it beside what is hidden already; given has a row and a column more than counts, as the answer has. The reader knows from
// elsewhere of the total of each row that it is at least so much. If told, they know all of it: hiding it does not help.
func TableBeside(counts [][]int, given [][]Given, atLeast []int, told bool) (hidden [][]bool) {
	rows, columns := len(counts), 0
	beside := func(i, j int, a arc) arc {
		if given != nil && given[i][j] != Open && !a.fixed {
			a.hidden, a.guarded = true, given[i][j] == Guarded
		}
		return a
	}
	if rows > 0 {
		columns = len(counts[0])
	}
	hidden = make([][]bool, rows+1)
	at := make([][]int, rows+1) // the number's arc
	for i := range hidden {
		hidden[i], at[i] = make([]bool, columns+1), make([]int, columns+1)
	}
	// Every number flows from the start through its row and its column to the end, and the grand total flows back.
	start, end := rows+columns, rows+columns+1
	n := network{nodes: end + 1}
	byColumn, all := make([]int, columns), 0
	for i, row := range counts {
		sum := 0
		for j, c := range row {
			at[i][j] = n.add(beside(i, j, arc{from: i, to: rows + j, value: c, cost: cellCost(c)}))
			sum, byColumn[j] = sum+c, byColumn[j]+c
		}
		at[i][columns] = n.add(beside(i, columns, arc{from: start, to: i, value: sum, floor: min(atLeast[i], sum), cost: totalCost, fixed: told, open: told}))
		all += sum
	}
	for j, c := range byColumn {
		at[rows][j] = n.add(beside(rows, j, arc{from: rows + j, to: end, value: c, cost: totalCost}))
	}
	at[rows][columns] = n.add(arc{from: end, to: start, value: all, fixed: true})
	n.hide()
	for i := range hidden {
		for j := range hidden[i] {
			hidden[i][j] = n.arcs[at[i][j]].hidden
		}
	}
	return hidden
}

// List does it for one row of counts whose total is shown. The answer has one more than counts: the last is the total's.
func List(counts []int) (hidden []bool) { return ListBeside(counts, nil, false) }

// ListBeside does it beside what is hidden already; given is as long as counts, or nil. If told, the reader knows the total from elsewhere, however
// small it is.
func ListBeside(counts []int, given []Given, told bool) (hidden []bool) {
	n := network{nodes: 2}
	all := 0
	for i, c := range counts {
		a := arc{from: 0, to: 1, value: c, cost: cellCost(c)}
		if given != nil {
			a.hidden, a.guarded = given[i] != Open, given[i] == Guarded
		}
		n.add(a)
		all += c
	}
	n.add(arc{from: 1, to: 0, value: all, fixed: true, open: told})
	n.hide()
	hidden = make([]bool, len(counts)+1)
	for i, a := range n.arcs {
		hidden[i] = a.hidden
	}
	return hidden
}

// PartsBeside does it for parts of a sum that is hidden elsewhere and must not be worked out here: the reader knows that it is at least so much.
func PartsBeside(counts []int, given []Given, atLeast int) (hidden []bool) {
	n := network{nodes: 2}
	more := -atLeast
	for i, c := range counts {
		n.add(arc{from: 0, to: 1, value: c, cost: cellCost(c), hidden: given[i] != Open, guarded: given[i] == Guarded})
		more += c
	}
	n.add(arc{from: 1, to: 0, value: atLeast, fixed: true, open: true})
	n.add(arc{from: 1, to: 0, value: more, hidden: true, guarded: true})
	n.hide()
	hidden = make([]bool, len(counts))
	for i := range hidden {
		hidden[i] = n.arcs[i].hidden
	}
	return hidden
}

// Nested does it for groups of people of whom ever fewer came ever further: counts[g][k] is how many of group g came to stage k or beyond it,
// so that no row rises. How many came no further than a stage is a number too, though it is not shown: where nearly all of a group answered,
// those who did not are the few.
//
// How many of all came to each stage is known to the reader: it is never hidden. Therefore tables over the same people by other groups can be
// shown beside it: whatever numbers each leaves possible, some list of people has them all at once. Where a total is itself small, the numbers
// of its stage are lost as far as that total allows.
//
// The same numbers are shown again as they grow, and from two pages of different days the few who came in between could be worked out. Therefore
// shown[g][k] is what was last shown of a number, 0 before it ever was: while it has grown by 1 to 4 since, it is hidden too. And before[g][k] is
// what it was when the table was last shown, whether hidden or not: even whoever knows all of that cannot work out of a number that is hidden
// now that it has grown by 1 to 4 since. Both are nil for a table that is shown for the first time.
//
// Whoever has made the list knows how many of each group came to the first stage, for the list is where they were counted. What is hidden beside a
// small number must therefore hide it from them too: hiding the first stage of another group, which they know, does not.
func Nested(counts, shown, before [][]int) (hidden [][]bool) {
	return NestedBeside(counts, shown, before, nil)
}

// NestedBeside does it where some numbers are hidden already in a table beside this one, and must not be worked out here: guarded is as large as
// counts, or nil.
func NestedBeside(counts, shown, before [][]int, guarded [][]bool) (hidden [][]bool) {
	hidden = make([][]bool, len(counts))
	for g, row := range counts {
		hidden[g] = make([]bool, len(row))
		if guarded != nil {
			copy(hidden[g], guarded[g])
		}
	}
	for _, told := range []bool{false, true} {
		nest(counts, shown, hidden, guarded, false, told)
		if before != nil {
			nest(counts, before, hidden, guarded, true, told)
		}
	}
	return hidden
}

// nest hides further numbers of nested groups, given what is known of them before: beside those that are small, or only for the sake of those
// that are hidden already; told, from whoever knows the first stage. Hiding more never tells what was hidden before.
func nest(counts, known [][]int, hidden, guarded [][]bool, only, told bool) {
	groups, stages := len(counts), 0
	if groups > 0 {
		stages = len(counts[0])
	}
	at := make([][]int, groups)
	// From the start into each group, from stage to stage, and out where people came no further: by stage back to the start, in known numbers.
	start := groups * stages
	n := network{nodes: start + 1 + stages}
	for g, row := range counts {
		at[g] = make([]int, stages)
		for k, c := range row {
			from, node, last, left := start, g*stages+k, 0, c
			if k > 0 {
				from = node - 1
			}
			if known != nil {
				last = known[g][k]
			}
			if Small(last - c) { // it has shrunk, as when word comes that a text did not arrive: that hides it likewise
				last = c - 1
			}
			if k+1 < stages {
				left -= row[k+1]
			}
			a := arc{from: from, to: node, value: c, floor: min(last, c), cost: cellCost(c), hidden: hidden[g][k], open: only && !hidden[g][k], guarded: guarded != nil && guarded[g][k]}
			if told && k == 0 {
				a.hidden, a.open, a.fixed, a.guarded = false, true, true, false
			}
			at[g][k] = n.add(a)
			n.add(arc{from: node, to: start + 1 + k, value: left, hidden: true}) // it is not shown, but may follow from what is
		}
	}
	n.hide()
	for g := range hidden {
		for k := range hidden[g] {
			if !told || k > 0 {
				hidden[g][k] = n.arcs[at[g][k]].hidden
			}
		}
	}
}

// What it costs to hide a number with a small one: few numbers, and those that tell least. A 0 that is hidden misleads most, and a total more.
func cellCost(c int) int {
	if c == 0 {
		return 3 * numberCost
	}
	return numberCost + min(c, numberCost-1)
}

const (
	numberCost = 1_000
	totalCost  = 20 * numberCost
)

// arc is one number, known to be at least floor, flowing from one sum to another.
type arc struct {
	from, to     int
	value, floor int
	cost         int
	hidden       bool
	fixed        bool // hidden only if it is itself small
	open         bool // may be shown though it is small
	guarded      bool // must not be worked out though it may be great
}

// room is by how much a number must be able to rise and to fall, for all that can be told.
func (a arc) room() (up, down int) {
	if a.guarded {
		return Least - 2, min(Least-2, a.value-a.floor)
	}
	return a.floor + Least - 1 - a.value, a.value - a.floor - 1
}

// network has as much flowing into every node as out of it.
type network struct {
	nodes int
	arcs  []arc
	out   [][]int // by node, the arcs that leave it or enter it
}

func (n *network) add(a arc) int {
	n.arcs = append(n.arcs, a)
	return len(n.arcs) - 1
}

// hide hides small numbers, and then others until no small one can be worked out.
func (n *network) hide() {
	n.out = make([][]int, n.nodes)
	var small, with []int
	for i := range n.arcs {
		a := &n.arcs[i]
		n.out[a.from], n.out[a.to] = append(n.out[a.from], i), append(n.out[a.to], i)
		if Small(a.value-a.floor) && !a.open || a.guarded {
			a.hidden = true
			small = append(small, i)
		}
	}
	f := newFlow(n)
	for _, i := range small {
		a := n.arcs[i]
		up, down := a.room()
		for _, side := range []struct{ from, to, want int }{{a.to, a.from, up}, {a.from, a.to, down}} {
			for f.begin(i, side.from, side.to); f.sent < side.want; {
				path := f.widen()
				if path == nil {
					break // as far as the totals allow
				}
				for _, j := range path {
					if !n.arcs[j].hidden {
						n.arcs[j].hidden = true
						with = append(with, j)
					}
				}
				f.begin(i, side.from, side.to)
			}
		}
	}
	// What was hidden for one may have become needless by what was hidden for another.
	if len(with) == 0 {
		return
	}
	want := make([][2]int, len(small))
	for s, i := range small {
		want[s] = f.range4(i)
	}
	slices.SortStableFunc(with, func(a, b int) int { return n.arcs[b].cost - n.arcs[a].cost })
	for _, j := range with {
		n.arcs[j].hidden = false
		for s, i := range small {
			if f.range4(i) != want[s] {
				n.arcs[j].hidden = true
				break
			}
		}
	}
}

// flow sends units through hidden numbers: one may rise without end, and fall to its floor.
type flow struct {
	*network
	moved    []int // by arc, forward less backward
	skip     int
	from, to int
	sent     int
	via      []int // by node, the arc that reached it
	queue    []int
}

func newFlow(n *network) *flow {
	return &flow{network: n, moved: make([]int, len(n.arcs)), via: make([]int, n.nodes)}
}

// begin sends up to three units between the ends of a small number, beside the number itself: more are never needed.
func (f *flow) begin(skip, from, to int) {
	f.skip, f.from, f.to, f.sent = skip, from, to, 0
	clear(f.moved)
	for f.sent < Least-2 && f.augment() {
		f.sent++
	}
}

// range4 is how far a small number can rise and fall towards the range from 1 to 4 above its floor, or a guarded one by 3.
func (f *flow) range4(i int) [2]int {
	a := f.arcs[i]
	most, least := a.room()
	f.begin(i, a.to, a.from)
	up := min(f.sent, most)
	f.begin(i, a.from, a.to)
	return [2]int{up, min(f.sent, least)}
}

// step gives where an arc leads from a node, if a unit more can go that way.
func (f *flow) step(i, node int) (next int, ok bool) {
	a := &f.arcs[i]
	if i == f.skip {
		return 0, false
	}
	if a.from == node {
		return a.to, true
	}
	return a.from, a.value+f.moved[i] > a.floor
}

func (f *flow) move(path []int) {
	node := f.from
	for _, i := range path {
		if f.arcs[i].from == node {
			f.moved[i]++
			node = f.arcs[i].to
		} else {
			f.moved[i]--
			node = f.arcs[i].from
		}
	}
}

// augment sends one unit on a shortest way through hidden numbers.
func (f *flow) augment() bool {
	for i := range f.via {
		f.via[i] = -1
	}
	f.queue = append(f.queue[:0], f.from)
	for at := 0; at < len(f.queue); at++ {
		node := f.queue[at]
		for _, i := range f.out[node] {
			if !f.arcs[i].hidden {
				continue
			}
			next, ok := f.step(i, node)
			if !ok || next == f.from || f.via[next] >= 0 {
				continue
			}
			f.via[next] = i
			if next == f.to {
				f.move(f.path())
				return true
			}
			f.queue = append(f.queue, next)
		}
	}
	return false
}

func (f *flow) path() (path []int) {
	for node := f.to; node != f.from; {
		i := f.via[node]
		path = append(path, i)
		if f.arcs[i].to == node {
			node = f.arcs[i].from
		} else {
			node = f.arcs[i].to
		}
	}
	slices.Reverse(path)
	return path
}

// widen finds the cheapest way for one unit more, if further numbers are hidden; nil if there is none.
func (f *flow) widen() []int {
	const far = int(^uint(0) >> 2)
	cost := make([]int, f.nodes)
	done := make([]bool, f.nodes)
	for i := range cost {
		cost[i], f.via[i] = far, -1
	}
	cost[f.from] = 0
	for {
		node := -1
		for i, c := range cost {
			if !done[i] && c < far && (node < 0 || c < cost[node]) {
				node = i
			}
		}
		if node < 0 {
			return nil
		}
		if node == f.to {
			return f.path()
		}
		done[node] = true
		for _, i := range f.out[node] {
			a := &f.arcs[i]
			next, ok := f.step(i, node)
			if !ok || done[next] || a.fixed && !a.hidden {
				continue
			}
			c := cost[node] + 1 // of two ways, the shorter
			if !a.hidden {
				c += a.cost
			}
			if c < cost[next] {
				cost[next], f.via[next] = c, i
			}
		}
	}
}
