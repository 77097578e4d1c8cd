package campaign

// A month's report counts the same people as the pages of its campaigns: what it tells of a group must not tell what those hide. Therefore every
// month ends with a funnel that is counted to its last midnight, and how the groups have grown in it is kept with what its pages tell of that.

// SinceMonth is how a group stood when a month began.
type SinceMonth struct {
	N    Reached      `json:"n"`    // for the store alone
	Told [stages]bool `json:"told"` // it was shown exactly then
	// First is what was first shown in the month, and stands where Seen: at its beginning there were no more.
	First Reached      `json:"first"`
	Seen  [stages]bool `json:"seen"`
}

var everyStage = func() (all [stages]bool) {
	for s := range all {
		all[s] = true
	}
	return all
}()

// shows notes what a page shows for the first time.
func (m *SinceMonth) shows(g Group) {
	for s, hidden := range g.Hidden {
		switch {
		case m.Told[s] && !m.Seen[s]: // of nobody
			m.First[s], m.Seen[s] = m.N[s], true
		case !hidden && !m.Seen[s]:
			m.First[s], m.Seen[s] = g.N[s], true
		}
	}
}

// Growth is how the groups of a campaign have grown in a month.
type Growth struct {
	Groups map[Grouping][]Grown `json:"groups"`
}

// Grown is by how many more of a group have come so far.
type Grown struct {
	Name    string       `json:"name"`
	N       [stages]int  `json:"n"`        // for the store alone
	Told    [stages]bool `json:"told"`     // the pages tell it: the number was shown exactly when the month began, and when it ended
	AtLeast Reached      `json:"at_least"` // what the pages tell otherwise
}

// EndMonth gives how the groups have grown in the month that ends with this funnel, and the funnel with which the next one begins. known is false
// if nobody knows how they stood when it began.
func (f Funnel) EndMonth() (next Funnel, grown Growth, known bool) {
	next, grown, known = f, Growth{Groups: map[Grouping][]Grown{}}, f.Begun
	next.Groups, next.Begun = map[Grouping][]Group{}, true
	for by, groups := range f.Groups {
		for _, g := range groups {
			m := Grown{Name: g.Name}
			for s := range stages {
				m.N[s] = g.N[s] - g.Month.N[s]
				m.Told[s] = g.Month.Told[s] && !g.Hidden[s]
				if g.Month.Seen[s] {
					m.AtLeast[s] = max(g.Shown[s]-g.Month.First[s], 0)
				}
			}
			grown.Groups[by] = append(grown.Groups[by], m)
			g.Month = SinceMonth{N: g.N}
			for s, hidden := range g.Hidden {
				if g.Month.Told[s] = !hidden; !hidden {
					g.Month.First[s], g.Month.Seen[s] = g.N[s], true
				}
			}
			next.Groups[by] = append(next.Groups[by], g)
		}
	}
	return next, grown, known
}
