package patientlist

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// saysNo is for cells that mean no, or that nobody filled in.
func saysNo(s string) bool {
	if len(s) > 24 {
		return isNoDay(s)
	}
	switch strings.ToLower(strings.Trim(s, " .-*/_()<>")) {
	case "", "n", "no", "false", "falsch", "faux", "nein", "f", "0", "0.0", "blank", "undefined", "nat", "n.a", "no date", "still alive", "still registered", "not left",
		"none", "nil", "null", "n/a", "na", "nan", "#n/a", "unknown", "not known", "not recorded", "not applicable", "not given", "never", "alive", "living", "not deceased", "not dead", "\\n", "00/00/0000", "0000-00-00":
		return true
	}
	return isNoDay(s)
}

// isNoDay recognises the days by which databases say that there is none: the end of time, and their beginnings.
func isNoDay(s string) bool {
	if len(s) < 8 || s[0] < '0' || s[0] > '9' {
		return false
	}
	day, _, _ := strings.Cut(strings.Map(func(r rune) rune {
		if r == '/' || r == '.' {
			return '-'
		}
		return r
	}, strings.ToLower(s)), " ")
	day, _, _ = strings.Cut(day, "t0")
	switch day {
	case "9999-12-31", "31-12-9999", "31-dec-9999", "2999-12-31", "31-12-2999", "31-dec-2999", "4712-12-31", "31-12-4712", "1900-01-01", "01-01-1900", "01-jan-1900", "1753-01-01", "01-01-1753", "0001-01-01", "01-01-0001":
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
	words := wordsOf(s)
	for i, w := range words {
		switch w {
		case "deceased", "dead", "died", "death", "rip", "decd":
			return len(words) != 2 || words[0] != "not"
		case "passed":
			if i+1 < len(words) && words[i+1] == "away" {
				return true
			}
		}
	}
	return isDead(s) // R.I.P., dec'd
}

// isDead looks for what people write beside a name: "JONES Ann (RIP)", "Deceased - Ann Jones". Rip is also somebody's name.
func isDead(s string) bool {
	for i := 0; i+3 <= len(s); i++ {
		if i > 0 && isAlnum(s[i-1]) {
			continue
		}
		rest := s[i:]
		switch rest[0] {
		case 'd', 'D':
			for _, w := range []string{"deceased", "decd", "dec'd", "dec’d"} {
				if word(rest, w) {
					return true
				}
			}
			if i > 0 && s[i-1] == '(' && word(rest, "died") {
				return true
			}
		case 'r', 'R':
			if word(rest, "r.i.p") || word(rest, "rip") && len(s) > 3 && (rest[:3] == "RIP" || i > 0 && s[i-1] == '(') {
				return true
			}
		}
	}
	return false
}

// word says whether s begins with a word, in capitals or not.
func word(s, w string) bool {
	return len(s) >= len(w) && strings.EqualFold(s[:len(w)], w) && (len(s) == len(w) || !isAlnum(s[len(w)]))
}

// saysLeft reads a status column: whoever is no longer a practice's patient is not the practice's to text.
func saysLeft(s string) bool {
	words := wordsOf(s)
	if len(words) > 1 && (words[0] == "not" || words[0] == "no") && (words[1] == "current" || words[1] == "active") {
		return true
	}
	for i, w := range words {
		switch w {
		case "deducted", "deduction", "deregistered", "inactive", "unregistered", "departed", "transferred", "emigrated", "former":
			return i == 0 || words[0] != "not"
		case "left", "moved", "removed":
			if len(words) == 1 || i+1 < len(words) && (words[i+1][0] <= '9' || slices.Contains([]string{"practice", "the", "area", "away", "gms", "surgery", "gp", "from", "abroad", "uk", "to", "out", "on", "list"}, words[i+1])) {
				return true
			}
		case "gone":
			if i+1 < len(words) && (words[i+1] == "away" || words[i+1] == "abroad") {
				return true
			}
		case "ended", "closed", "archived", "embarked":
			return words[0] != "not"
		case "past", "previous", "previously":
			if i == 0 {
				return true
			}
		case "registered":
			if slices.ContainsFunc(words[:i], negative) || i > 0 && words[i-1] == "de" { // "no longer registered"
				return true
			}
		case "off":
			if i+1 < len(words) && words[i+1] == "list" {
				return true
			}
		}
	}
	return false
}

// hasLeft reads a column of those who left. “Active” says that somebody is still there, where in a column of dissents it would say the opposite.
func hasLeft(s string) bool {
	switch strings.ToLower(s) {
	case "active", "current", "registered":
		return false
	}
	return saysYes(s)
}

// deniesRegistered reads a column that asks whether somebody still is a patient. What is empty or unknown denies nothing.
func deniesRegistered(s string) bool {
	switch strings.ToLower(s) {
	case "n", "no", "false", "falsch", "faux", "nein", "f", "0":
		return true
	}
	return saysLeft(s) || saysDead(s)
}

// saysDissent reads a dissent column, in which "Consent" means no, and "No dissent recorded" too.
func saysDissent(s string) bool {
	if saysNo(s) {
		return false
	}
	words := wordsOf(s)
	consents := slices.ContainsFunc(words, func(w string) bool {
		return w == "consent" || w == "consented" || w == "consents" || w == "consenting" || w == "allowed" || w == "accepted"
	}) || len(words) == 2 && strings.HasPrefix(words[0], "opt") && words[1] == "in"
	if consents {
		return slices.ContainsFunc(words, negative)
	}
	// Not: "no texts", "not to be texted".
	nothing := len(words) > 1 && (words[0] == "no" || words[0] == "not" || words[0] == "none") && !slices.ContainsFunc(words[1:], func(w string) bool {
		return !slices.Contains([]string{"dissent", "dissented", "dissents", "recorded", "objection", "objections", "opt", "opted", "out", "optout", "declined", "refused", "known", "given", "on", "record", "found", "held"}, w)
	})
	return !nothing
}

// deniesConsent reads a consent column. What is empty or unknown is no dissent:
// practices may text without having asked.
func deniesConsent(s string) bool {
	switch strings.ToLower(s) {
	case "", "-", "n/a", "na", "unknown", "null", "nil", "none", "\\n", "no preference":
		return false
	}
	words := wordsOf(s)
	if len(words) == 2 && words[0] == "not" && slices.Contains([]string{"recorded", "known", "asked", "applicable", "set", "given"}, words[1]) {
		return words[1] == "given"
	}
	if len(words) > 1 && words[0] == "no" && slices.Contains([]string{"record", "recorded", "information", "response", "answer", "data"}, words[1]) {
		return false
	}
	if strings.ContainsAny(s, "✗✘✖✕❌") || slices.Contains(words, "non") && slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "consent") }) {
		return true
	}
	sms := func(w string) bool { return w == "sms" || w == "text" || w == "texts" || w == "mobile" }
	if slices.Contains(words, "only") && !slices.ContainsFunc(words, sms) {
		return true // "Letter only"
	}
	return slices.ContainsFunc(words, negative)
}

// aboutConsent says whether an answer in a consent column can be one, or is what belongs in another column.
func aboutConsent(s string) bool {
	if saysNo(s) || deniesConsent(s) || !strings.ContainsFunc(s, unicode.IsLetter) {
		return true
	}
	return slices.ContainsFunc(wordsOf(s), func(w string) bool {
		return slices.Contains([]string{"y", "yes", "true", "t", "wahr", "ja", "ok", "okay", "x", "given", "granted", "implied", "explicit", "accepted", "agreed", "agrees", "allowed", "sms", "text", "texts", "mobile", "email", "letter", "post",
			"phone", "telephone", "verbal", "written", "opt", "opted", "optin", "recorded", "preference", "asked", "known"}, w) || strings.HasPrefix(w, "consent")
	})
}

func negative(w string) bool {
	switch w {
	case "n", "no", "not", "false", "f", "0", "dissent", "dissented", "dissents", "declined", "declines", "refused", "refuses", "withdrawn", "withdrew", "denied", "out", "optout", "never", "without", "don", "dont", "doesn", "doesnt", "stop", "stopped", "objects", "objected",
		"objection", "nein", "falsch", "faux", "unsubscribed", "withheld", "revoked", "rescinded", "cancelled", "canceled", "removed", "blocked", "unwilling", "expired", "disagree", "disagrees", "disagreed",
		"rejects", "rejected", "against", "instead":
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
// damaged must not be among them, so each rule is narrow. Its error says that
// other columns begin: what follows cannot be read with the names above.
func (r *Reader) notARow(rec *record) (bool, *FileError) {
	if id := r.cell(rec, FieldNHSNumber); len(id) >= 10 && strings.Trim(id, "0123456789- ") == "" && strings.Trim(id, "- ") != "" {
		return false, nil // nearly all rows
	}
	filled, longest, firstText, others, ruled := 0, 0, "", true, true
	for _, c := range rec.cells {
		c = strings.TrimSpace(c)
		if c == "" {
			continue
		}
		filled++
		longest = max(longest, longestNumber(c))
		ruled = ruled && strings.Trim(c, "-=_+") == "" && len(c) > 1
		if filled == 1 {
			firstText = c
		} else {
			others = others && (strings.ContainsAny(c, "0123456789") || isSummary(c))
		}
	}
	switch {
	case rec.bad && len(rec.text) > 0:
		return false, nil
	case filled == 0:
		r.afterBlank = true
		return true, nil
	case longest >= 9: // an NHS number or a phone number
		return false, nil
	case ruled:
		return true, nil // below the names, as databases print them
	case strings.Trim(firstText, "-=_*#. \x1a") == "" && filled == 1 && len(firstText) > 2 || firstText == "\x1a":
		return true, nil // a rule, or the end mark of old systems
	case filled <= 4 && others && isSummary(firstText):
		return true, nil
	case filled <= 2 && isSummary(firstText):
		return true, nil
	case r.afterBlank && filled <= 2 && len(r.found.Header) > 3:
		return true, nil // a remark below the list
	case filled == 1 && hasODS(firstText) && r.cell(rec, FieldPractice) == "":
		return true, nil // "Oak Tree Surgery (N83006)", above the patients of each practice
	case filled == 1 && r.row > 1 && firstText == strconv.Itoa(r.row):
		return true, nil // the rows counted, below the column that counts
	}
	return r.namesAgain(rec)
}

// days are the dates and times that reports print, whose figures are nobody's number.
var days = regexp.MustCompile(`\b(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(T|\b)|\d\d:\d\d(:\d\d(\.\d+)?)?`)

// longestNumber counts the figures of the longest number in a cell, which may be written in groups.
func longestNumber(c string) (longest int) {
	if !strings.ContainsAny(c, "0123456789") {
		return 0
	}
	n := 0
	for _, r := range days.ReplaceAllString(c, ":") {
		switch {
		case r >= '0' && r <= '9':
			n++
			longest = max(longest, n)
		case r == ' ' || r == '-' || r == '(' || r == ')' || r == '.' || r >= 0x80:
		default:
			n = 0
		}
	}
	return longest
}

// namesAgain recognises column names in the middle of a file: lists that were put one behind the other. Repeated names are no row; other
// ones would give the cells below another meaning.
func (r *Reader) namesAgain(rec *record) (bool, *FileError) {
	if len(rec.cells) < 3 || looksLikeData(rec.cells) {
		return false, nil
	}
	same, named := 0, 0
	for i, name := range r.found.Header {
		if name = reduce(name); name == "" {
			continue
		}
		if named++; i < len(rec.cells) && reduce(rec.cells[i]) == name {
			same++
		}
	}
	cols, _ := mapColumns(rec.cells, nil)
	other := slices.ContainsFunc(Needed, func(f Field) bool { _, there := cols.at[f]; return !there })
	switch {
	case same == named && same > 0:
		return true, nil
	case other && (same < 3 || same*2 < named):
		return false, nil
	}
	return false, &FileError{ColumnsChange, fmt.Sprintf("Line %d has other column names than line %d: two lists stand one behind the other in this file. Upload each of them as a file of its own.", r.line, r.found.HeaderLine)}
}

var (
	summaryStarts = []string{"total", "grand total", "summe", "gesamt", "completion time", "applied filters", "sub total", "subtotal", "count", "number of", "no of", "no. of", "end of", "end report", "report", "record count", "records", "row count", "rows", "printed", "run on", "run by", "run date", "last run", "as at", "as of",
		"generated", "page ", "patients:", "patient count", "patients found", "produced", "created", "exported", "extracted", "confidential", "sum", "*** ", "--- ", "copyright", "©", "source:", "search", "filter", "notes:", "note:", "denominator", "numerator", "population", "males", "females", "filtered", "searched", "confidentiality", "reported"}
	summaryNouns = []string{"patient", "patients", "row", "rows", "record", "records", "people", "results"}
)

// isSummary recognises "Total patients:", "End of report", "2000 rows", "No patients found".
func isSummary(s string) bool {
	low := strings.ToLower(strings.TrimLeft(s, "\"'(*-=# "))
	for _, start := range summaryStarts {
		if rest, ok := strings.CutPrefix(low, start); ok {
			end := start[len(start)-1]
			rest = strings.TrimPrefix(rest, "s") // "Totals"; but Sumner is somebody's name
			if rest == "" || end < 'a' || end > 'z' || rest[0] < 'a' || rest[0] > 'z' {
				return true
			}
		}
	}
	words := wordsOf(strings.ReplaceAll(low, ",", ""))
	return len(words) >= 2 && len(words) <= 5 && (strings.Trim(words[0], "0123456789") == "" || words[0] == "no") && slices.Contains(summaryNouns, words[1])
}
