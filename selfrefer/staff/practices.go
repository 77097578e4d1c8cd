package staff

import (
	"errors"
	"slices"
	"strings"
)

// ErrPractice refuses a practice viewer whose practices are none of their network, or somebody else who is given any.
var ErrPractice = errors.New("choose practices of the network, for a practice viewer alone")

// PracticeCodes are the ODS codes of a practice viewer's practices.
func (a Account) PracticeCodes() []string { return strings.Fields(a.Practices) }

// WithPractices gives an account these practices, in order, each once.
func (a Account) WithPractices(ods []string) Account {
	var codes []string
	for _, code := range ods {
		if code = strings.ToUpper(strings.TrimSpace(code)); code != "" {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	a.Practices = strings.Join(slices.Compact(codes), " ")
	return a
}

// Sees tells whether what is of a practice is somebody's to see: for a practice viewer only what is of their own practices, for everybody
// else whatever their role lets them. What is not theirs does not exist for them.
func (a Account) Sees(ods string) bool {
	return a.Role != PracticeViewer || ods != "" && slices.Contains(a.PracticeCodes(), ods)
}
