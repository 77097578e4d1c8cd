package campaign

import "testing"

// The audit says whom somebody was shown, in words that are read again.
func TestShown(t *testing.T) {
	for code, s := range map[string]Shown{"row 7": {Row: 7}, "row 1234567 masked": {Row: 1_234_567, Masked: true}, "first 5 rows": {First: 5}, "first 1 rows": {First: 1}} {
		if got := s.Code(); got != code {
			t.Errorf("%+v is %q", s, got)
		}
		if got := ParseShown(code); got != s {
			t.Errorf("%q is %+v", code, got)
		}
	}
	for _, code := range []string{"", "done", "row x", "rows 7"} {
		if got := ParseShown(code); got.Row != 0 || got.First != 0 {
			t.Errorf("%q tells of %+v", code, got)
		}
	}
}
