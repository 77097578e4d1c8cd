package patientlist

import (
	"slices"
	"strings"
)

// saysNo is for cells that mean no, or that nobody filled in.
func saysNo(s string) bool {
	if len(s) > 24 {
		return false
	}
	switch strings.ToLower(strings.Trim(s, " .-*")) {
	case "", "n", "no", "false", "f", "0", "none", "nil", "null", "n/a", "na", "nan", "#n/a", "unknown", "not known", "not recorded", "not applicable", "not given", "never", "alive", "living", "00/00/0000", "0000-00-00":
		return true
	}
	return false
}

// saysYes errs towards yes: a date, "Y", "true" and what we do not understand.
func saysYes(s string) bool { return !saysNo(s) }

func saysDead(s string) bool {
	if s == "" {
		return false
	}
	return slices.ContainsFunc(wordsOf(s), func(w string) bool { return w == "deceased" || w == "dead" || w == "died" || w == "death" })
}

// saysDissent reads a dissent column, in which "Consent" means no.
func saysDissent(s string) bool {
	if saysNo(s) {
		return false
	}
	words := wordsOf(s)
	consents := slices.ContainsFunc(words, func(w string) bool {
		return w == "consent" || w == "consented" || w == "consents" || w == "consenting" || w == "allowed" || w == "accepted"
	})
	return !consents || slices.ContainsFunc(words, negative)
}

// deniesConsent reads a consent column. What is empty or unknown is no dissent:
// practices may text without having asked.
func deniesConsent(s string) bool {
	switch strings.ToLower(s) {
	case "", "-", "n/a", "na", "unknown", "null", "nil", "none":
		return false
	}
	words := wordsOf(s)
	if len(words) == 2 && words[0] == "not" && slices.Contains([]string{"recorded", "known", "asked", "applicable", "set", "given"}, words[1]) {
		return words[1] == "given"
	}
	return slices.ContainsFunc(words, negative)
}

func negative(w string) bool {
	switch w {
	case "n", "no", "not", "false", "f", "0", "dissent", "dissented", "dissents", "declined", "declines", "refused", "refuses", "withdrawn", "withdrew", "denied", "opted", "out", "never", "without":
		return true
	}
	return false
}

func wordsOf(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

func readSex(s string) string {
	switch s {
	case "M", "Male", "male", "m", "MALE", "1":
		return "male"
	case "F", "Female", "female", "f", "FEMALE", "2":
		return "female"
	}
	switch strings.ToLower(s) {
	case "man", "boy":
		return "male"
	case "woman", "girl":
		return "female"
	case "i", "x", "o", "9", "other", "indeterminate", "non-binary", "nonbinary", "non binary", "not specified":
		return "other"
	}
	return ""
}

// notARow recognises the lines that are not patients. A patient's row that is
// damaged must not be among them, so each rule is narrow.
func (r *Reader) notARow(rec *record) bool {
	if id := r.cell(rec, FieldNHSNumber); len(id) >= 10 && strings.Trim(id, "0123456789- ") == "" {
		return false // nearly all rows
	}
	filled, longest, firstText, others := 0, 0, "", true
	for _, c := range rec.cells {
		c = strings.TrimSpace(c)
		if c == "" {
			continue
		}
		filled++
		digits := 0
		for i := 0; i < len(c); i++ {
			if c[i] >= '0' && c[i] <= '9' {
				digits++
			}
		}
		longest = max(longest, digits)
		if filled == 1 {
			firstText = c
		} else {
			others = others && digits > 0
		}
	}
	switch {
	case rec.bad && len(rec.text) > 0:
		return false
	case filled == 0:
		r.afterBlank = true
		return true
	case r.repeatsHeader(rec):
		return true
	case longest >= 9: // an NHS number or a phone number
		return false
	case strings.Trim(firstText, "-=_*#. \x1a") == "" && filled == 1 && len(firstText) > 2 || firstText == "\x1a":
		return true // a rule, or the end mark of old systems
	case filled <= 4 && others && isSummary(firstText):
		return true
	case filled <= 2 && isSummary(firstText):
		return true
	case r.afterBlank && filled <= 2 && len(r.found.Header) > 3:
		return true // a remark below the list
	}
	return false
}

func (r *Reader) repeatsHeader(rec *record) bool {
	if len(rec.cells) < len(r.found.Header) || len(rec.cells) == 0 {
		return false
	}
	for i, name := range r.found.Header {
		if !strings.EqualFold(strings.TrimSpace(rec.cells[i]), strings.TrimSpace(name)) {
			return false
		}
	}
	return true
}

var (
	summaryStarts = []string{"total", "grand total", "sub total", "subtotal", "count", "number of", "no of", "no. of", "end of", "end report", "report", "record count", "records", "row count", "rows", "printed", "run on", "run by", "run date",
		"generated", "page ", "patients:", "patient count", "patients found", "produced", "created", "exported", "extracted", "confidential", "sum", "*** ", "--- ", "copyright", "©", "source:", "search", "filter", "notes:", "note:", "denominator", "numerator", "population"}
	summaryNouns = []string{"patient", "patients", "row", "rows", "record", "records", "people", "results"}
)

// isSummary recognises "Total patients:", "End of report", "2000 rows".
func isSummary(s string) bool {
	low := strings.ToLower(strings.TrimLeft(s, "\"'(*-=# "))
	for _, start := range summaryStarts {
		if strings.HasPrefix(low, start) {
			return true
		}
	}
	words := wordsOf(strings.ReplaceAll(low, ",", ""))
	return len(words) >= 2 && len(words) <= 5 && strings.Trim(words[0], "0123456789") == "" && slices.Contains(summaryNouns, words[1])
}
