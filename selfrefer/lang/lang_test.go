package lang

import "testing"

func TestRead(t *testing.T) {
	for in, want := range map[string]Code{"Polish": Polish, "pl": Polish, "pl-PL": Polish, "POL": Polish, "Main spoken language Polish": Polish, "Speaks Arabic": Arabic,
		"Panjabi": Punjabi, "Mandarin": Chinese, "zh-Hans-CN": Chinese, "zh-CN": Chinese, "Sylheti": Bengali, "العربية": Arabic, "Welsh language": Welsh,
		"": "", "Klingon": "", "English": English, "Not stated": ""} {
		got, ok := Read(in)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %v, not %q", in, got, ok, want)
		}
	}
}

func TestMatch(t *testing.T) {
	for in, want := range map[string]Code{"ur-PK,ur;q=0.9,en;q=0.8": Urdu, "fr-FR, ar;q=.5, en": Arabic, "fr": "", "": "", "en-GB,en": English} {
		got, ok := Match(in)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: %q %v, not %q", in, got, ok, want)
		}
	}
}
