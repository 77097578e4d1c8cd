package selfrefer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Instrument is a set of questions whose answers are compared before and after.
type Instrument struct {
	Kind      string // "ons4", "loneliness", or "own"
	Own       int64  // of an own measure
	Name      string
	Intro     string // what is said before the questions
	Questions []Question
	// Total is the item of the sum, if the answers are summed up, and TotalOf what is in it. It is known when all of these are answered.
	Total      string
	TotalWords string
	TotalOf    []string
}

// Question is one question. Its answers are whole numbers, or they have words, of which the first stands for Low.
type Question struct {
	Item      string // what its answers are kept and counted by
	Words     string
	Low, High int
	LowWords  string // what Low and High stand for, where not each answer has words
	HighWords string
	Answers   []string
	MoreIs    Direction
}

// Direction tells what it means when an answer's number grows.
type Direction int

// The directions.
const (
	Better Direction = 1
	Worse  Direction = -1
)

// The kinds of instruments.
const (
	KindONS4       = "ons4"
	KindLoneliness = "loneliness"
	KindOwn        = "own"
)

// ONS4 are the four questions of personal well-being of the Office for National Statistics, word for word.
// Source: Government Analysis Function, "Personal wellbeing harmonised standard", 19 May 2020
// (analysisfunction.civilservice.gov.uk/policy-store/personal-well-being). There is no total: the four answer different things.
var ONS4 = Instrument{
	Kind: KindONS4, Name: "Personal well-being (ONS4)",
	Intro: "Next I would like to ask you four questions about your feelings on aspects of your life. There are no right or wrong answers. For each of these questions I'd like you " +
		"to give an answer on a scale of 0 to 10, where 0 is “not at all” and 10 is “completely”.",
	Questions: []Question{
		{Item: "satisfied", Words: "Overall, how satisfied are you with your life nowadays?", Low: 0, High: 10, LowWords: "not at all", HighWords: "completely", MoreIs: Better},
		{Item: "worthwhile", Words: "Overall, to what extent do you feel that the things you do in your life are worthwhile?", Low: 0, High: 10, LowWords: "not at all", HighWords: "completely", MoreIs: Better},
		{Item: "happy", Words: "Overall, how happy did you feel yesterday?", Low: 0, High: 10, LowWords: "not at all", HighWords: "completely", MoreIs: Better},
		{Item: "anxious", Words: "On a scale where 0 is “not at all anxious” and 10 is “completely anxious”, overall, how anxious did you feel yesterday?",
			Low: 0, High: 10, LowWords: "not at all", HighWords: "completely", MoreIs: Worse},
	},
}

// Loneliness are the four questions that the Office for National Statistics recommends for adults: three of the University of California,
// Los Angeles, whose answers count 1 to 3 and make 3 to 9 together, more being lonelier; and the direct one, which the ONS codes from 1
// (often or always) to 5 (never), so that there more is less lonely.
// Source: ONS, "Measuring loneliness: guidance for use of the national indicators on surveys", 5 December 2018, section 4
// (ons.gov.uk/peoplepopulationandcommunity/wellbeing/methodologies/measuringlonelinessguidanceforuseofthenationalindicatorsonsurveys).
var Loneliness = Instrument{
	Kind: KindLoneliness, Name: "Loneliness (ONS)",
	Questions: []Question{
		{Item: "companionship", Words: "How often do you feel that you lack companionship?", Low: 1, High: 3, Answers: howOften, MoreIs: Worse},
		{Item: "left_out", Words: "How often do you feel left out?", Low: 1, High: 3, Answers: howOften, MoreIs: Worse},
		{Item: "isolated", Words: "How often do you feel isolated from others?", Low: 1, High: 3, Answers: howOften, MoreIs: Worse},
		{Item: "lonely", Words: "How often do you feel lonely?", Low: 1, High: 5, Answers: []string{"Often or always", "Some of the time", "Occasionally", "Hardly ever", "Never"}, MoreIs: Better},
	},
	Total: "ucla", TotalWords: "Loneliness score (3 to 9, lower is better)", TotalOf: []string{"companionship", "left_out", "isolated"},
}

var howOften = []string{"Hardly ever or never", "Some of the time", "Often"}

// OwnMeasure is one that a network has defined. Once it is there its questions stay, so that answers mean the same for ever; it can only go
// out of use.
type OwnMeasure struct {
	ID        int64
	Name      string
	Questions []string
	Low, High int
	MoreIs    Direction
	Used      bool // offered
}

// The bounds of an own measure.
const (
	MaxMeasureName  = 100
	MaxQuestions    = 20
	MaxQuestion     = 300
	MaxScale        = 100
	MaxMeasuresUsed = 20
)

// Check tidies an own measure and says what cannot be taken.
func (m OwnMeasure) Check() (OwnMeasure, []EntryFault) {
	var f faults
	m.Name = squeeze(m.Name)
	f.when(m.Name == "", "name", "Enter a name")
	f.when(utf8.RuneCountInString(m.Name) > MaxMeasureName, "name", fmt.Sprintf("The name must be %d characters or fewer", MaxMeasureName))
	questions := m.Questions
	m.Questions = nil
	long := false
	for _, q := range questions {
		if q = squeeze(q); q != "" {
			m.Questions = append(m.Questions, q)
			long = long || utf8.RuneCountInString(q) > MaxQuestion
		}
	}
	f.when(len(m.Questions) == 0, "questions", "Enter one question at least, each in a line of its own")
	f.when(len(m.Questions) > MaxQuestions, "questions", fmt.Sprintf("There may be %d questions or fewer", MaxQuestions))
	f.when(long, "questions", fmt.Sprintf("Each question must be %d characters or fewer", MaxQuestion))
	f.when(m.Low < 0 || m.Low > MaxScale, "low", fmt.Sprintf("The lowest answer must be a whole number from 0 to %d", MaxScale))
	f.when(m.High <= m.Low || m.High > MaxScale, "high", fmt.Sprintf("The highest answer must be a whole number above the lowest, of %d at most", MaxScale))
	f.when(m.MoreIs != Better && m.MoreIs != Worse, "better", "Select whether a higher answer is better or worse")
	return m, f
}

// Instrument is the own measure as a set of questions: its answers are summed up.
func (m OwnMeasure) Instrument() Instrument {
	i := Instrument{Kind: KindOwn, Own: m.ID, Name: m.Name}
	for n, words := range m.Questions {
		item := "q" + strconv.Itoa(n+1)
		i.Questions = append(i.Questions, Question{Item: item, Words: words, Low: m.Low, High: m.High, MoreIs: m.MoreIs})
		i.TotalOf = append(i.TotalOf, item)
	}
	if len(i.Questions) > 1 {
		i.Total, i.TotalWords = "total", fmt.Sprintf("Sum (%d to %d)", m.Low*len(m.Questions), m.High*len(m.Questions))
	} else {
		i.TotalOf = nil
	}
	return i
}

// InstrumentOf finds the questions of a kind; false if the network has none like it.
func InstrumentOf(kind string, own int64, of []OwnMeasure) (Instrument, bool) {
	switch kind {
	case KindONS4:
		return ONS4, true
	case KindLoneliness:
		return Loneliness, true
	}
	for _, m := range of {
		if kind == KindOwn && m.ID == own {
			return m.Instrument(), true
		}
	}
	return Instrument{}, false
}

// Measure is what somebody answered on a day. A question that is not in Scores was not answered.
type Measure struct {
	ID     EntryID
	Kind   string
	Own    int64
	Day    Day
	By     staff.AccountID
	Scores map[string]int
}

// TotalIn sums up the answers; false if the instrument has no sum, or one of its answers is missing.
func (i Instrument) TotalIn(scores map[string]int) (total int, ok bool) {
	for _, item := range i.TotalOf {
		score, answered := scores[item]
		if !answered {
			return 0, false
		}
		total += score
	}
	return total, len(i.TotalOf) > 0
}

// Says is an answer in words.
func (q Question) Says(score int) string {
	if n := score - q.Low; len(q.Answers) > 0 && n >= 0 && n < len(q.Answers) {
		return q.Answers[n]
	}
	return strconv.Itoa(score)
}

// Comparison is how the answers to one question have changed.
type Comparison struct {
	Words         string
	Before, After string // "" where it was not answered
	BeforeOn      Day
	AfterOn       Day
	Change        string // in words; "" with fewer than two answers
	Direction     Direction
}

// Compare sets the first answer to each question beside the last, over all measures by one instrument, in whichever order they come. The sum
// comes last.
func Compare(i Instrument, all []Measure) []Comparison {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Measure) int {
		if c := strings.Compare(string(a.Day), string(b.Day)); c != 0 {
			return c
		}
		return int(a.ID - b.ID)
	})
	var out []Comparison
	add := func(words string, moreIs Direction, says func(int) string, score func(Measure) (int, bool)) {
		c := Comparison{Words: words}
		var first, last, n int
		for _, m := range all {
			v, ok := score(m)
			if !ok {
				continue
			}
			if n++; n == 1 {
				first, c.Before, c.BeforeOn = v, says(v), m.Day
			} else {
				last, c.After, c.AfterOn = v, says(v), m.Day
			}
		}
		if n > 1 {
			c.Change, c.Direction = changed(last-first, moreIs)
		}
		out = append(out, c)
	}
	for _, q := range i.Questions {
		add(q.Words, q.MoreIs, q.Says, func(m Measure) (int, bool) { v, ok := m.Scores[q.Item]; return v, ok })
	}
	if i.Total != "" {
		add(i.TotalWords, i.moreIs(), strconv.Itoa, func(m Measure) (int, bool) { return i.TotalIn(m.Scores) })
	}
	return out
}

// moreIs is the direction of the sum: all that is summed up has the same.
func (i Instrument) moreIs() Direction {
	for _, q := range i.Questions {
		if slices.Contains(i.TotalOf, q.Item) {
			return q.MoreIs
		}
	}
	return Better
}

// changed says a difference in words.
func changed(by int, moreIs Direction) (string, Direction) {
	switch {
	case by == 0:
		return "No change", 0
	case by > 0 == (moreIs == Better):
		return fmt.Sprintf("Better by %d", max(by, -by)), Better
	}
	return fmt.Sprintf("Worse by %d", max(by, -by)), Worse
}
