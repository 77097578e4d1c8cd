package form

import (
	"slices"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// Staff are asked which of the languages they speak that people are asked for.
func TestSpoken(t *testing.T) {
	var names []string
	for _, s := range spoken[1:] {
		names = append(names, s.name)
	}
	if spoken[0].name != "English" || !slices.Equal(names, selfrefer.Spoken) {
		t.Errorf("the form offers %v, staff %v", names, selfrefer.Spoken)
	}
}
