package campaign

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// A practice that agreed is asked again when the first day moves, as is the second person; without a first day everything that was approved
// before there was one stays approved.
func TestFirstDay_isAgreedTo(t *testing.T) {
	c := Campaign{Audience: 1, Steps: []Step{{Number: 1, Template: DefaultText}}}
	terms, hash := c.Terms(), c.Hash()
	c.Policy.First = time.Date(2026, 6, 8, 0, 0, 0, 0, time.UTC)
	if c.Terms() == terms || c.Hash() == hash {
		t.Error("the first day moved, and nobody is asked again")
	}
	b, err := json.Marshal(Policy{})
	if err != nil || strings.Contains(string(b), `"first"`) {
		t.Errorf("a policy without a first day is written as %s, %v", b, err)
	}
}
