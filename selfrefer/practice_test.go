package selfrefer

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

func TestCheckCode(t *testing.T) {
	for code, good := range map[string]bool{"": true, UsualCodes.Accepted: true, UsualCodes.Declined: true, OfferedCode: true, "73211009": true, "22298006": true,
		"871731000000107": false, "781731000000106": false, "871731000000": false, "123": false, "2872161017": false /* names a description */, "87173100000010a": false, "0871731000000106": false} {
		if err := CheckCode(code); (err == nil) != good {
			t.Errorf("%q: %v", code, err)
		}
	}
}

// Nothing is coded because somebody was texted or asked for help.
func TestWhatIsCoded(t *testing.T) {
	for _, k := range EntryKinds {
		want := map[EntryKind]string{EntryAccepted: "871731000000106", EntryDeclined: "871711000000103"}[k]
		if got := UsualCodes.Of(k); got != want {
			t.Errorf("%s is coded %q, want %q", k, got, want)
		}
	}
	if got := (Codes{Offered: OfferedCode}).Of(EntryText); got != OfferedCode {
		t.Errorf("a network that switched it on codes a text %q", got)
	}
	for kind, o := range Outcomes {
		for _, e := range o.Events {
			reached := slices.ContainsFunc(States, func(s State) bool { to, ok := Next(s, e); return ok && slices.Contains(o.States, to) })
			if !reached {
				t.Errorf("%s: no %s leads where it says", kind, e)
			}
		}
	}
}

// entries are one of each kind, and some with little in them.
func entries(tb testing.TB) (PracticeFile, []PracticeEntry) {
	tb.Helper()
	nhs, err := person.ParseNHSNumber("9990000018")
	if err != nil {
		tb.Fatal(err)
	}
	born, err := person.ParseISO("1950-02-01")
	if err != nil {
		tb.Fatal(err)
	}
	phone, err := person.ParseE164("+447700900001")
	if err != nil {
		tb.Fatal(err)
	}
	f := PracticeFile{ID: 4711, Network: 1, Practice: staff.Practice{ODS: "N83001", Name: "Elm Road"}, Made: time.Date(2026, 6, 1, 9, 0, 0, 123e6, time.UTC), Ready: true}
	var all []PracticeEntry
	for i, k := range EntryKinds {
		e := PracticeEntry{ID: int64(100 + i), Kind: k, At: time.Date(2026, 6, 1, 8, i, 0, 0, time.UTC), PersonID: "aa11", Name: person.NewName("Agnes", "Arkwright"), Born: born, NHS: nhs, About: int64(i)}
		e.Code = Codes{UsualCodes.Accepted, UsualCodes.Declined, OfferedCode}.Of(k)
		if k.Agreed() {
			e.Reference = "ABCD-EFGH"
		} else {
			e.Phone = phone
		}
		switch k {
		case EntryText:
			e.Words = "=HYPERLINK(\"x\") Hello Agnes, \"quoted\", with \u2028 and an emoji 🙂"
		case EntryUndelivered:
			e.Why = "30005"
		case EntryCorrection, EntryWithdrawn:
			e.Why = WhyNotMe
		case EntryReferral:
			e.Reasons, e.Needs, e.Language = []string{"Loneliness", "Housing"}, []string{"bsl", "large_print"}, "Polish"
		}
		all = append(all, e)
		e.PersonID, e.Name, e.Born, e.NHS = "bb22", person.Name{}, person.BirthDate{}, person.NHSNumber{}
		e.ID, e.Code, e.Words, e.Reasons, e.Needs, e.Language = e.ID+100, "", "", nil, nil, ""
		all = append(all, e)
		if k == EntryOptOut || k == EntryCorrection || k == EntryResumed || k == EntryWithdrawn {
			e.ID, e.PersonID, e.Shared = e.ID+100, "", true
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b PracticeEntry) int { return strings.Compare(a.PersonID, b.PersonID) }) // as they are read
	return f, all
}

func written(tb testing.TB, begin func(*bytes.Buffer) (PracticeWriter, error), all []PracticeEntry) []byte {
	tb.Helper()
	var b bytes.Buffer
	w, err := begin(&b)
	for _, e := range all {
		if err == nil {
			err = w.Write(e)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func TestPracticeCSV(t *testing.T) {
	f, all := entries(t)
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	b := written(t, func(b *bytes.Buffer) (PracticeWriter, error) { return NewPracticeCSV(b, f, london) }, all)
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) != len(all)+1 {
		t.Fatalf("%d rows of %d: %v", len(rows), len(all), err)
	}
	column := map[string]int{}
	for i, head := range rows[0] {
		column[head] = i
	}
	for _, row := range rows[1:] {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("a spreadsheet takes %q for a formula", cell)
			}
		}
	}
	find := func(kind EntryKind) []string {
		for _, row := range rows[1:] {
			if row[column["What"]] == kind.Words() && row[column["Name"]] == "Agnes Arkwright" {
				return row
			}
		}
		t.Fatalf("no row of %s", kind)
		return nil
	}
	for _, c := range []struct {
		kind          EntryKind
		column, value string
	}{
		{EntryText, "Date", "01/06/2026"}, {EntryText, "Time", "09:00"}, {EntryText, "NHS number", "999 000 0018"}, {EntryText, "Date of birth", "01/02/1950"}, {EntryText, "Number that was texted", "07700 900001"},
		{EntryReferral, "Communication needs", "Uses British Sign Language; Needs large print"}, {EntryReferral, "Reasons", "Loneliness; Housing"}, {EntryReferral, "SNOMED CT code", ""}, {EntryReferral, "Number that was texted", ""},
		{EntryAccepted, "SNOMED CT code", "871731000000106"}, {EntryAccepted, "SNOMED CT term", "Referral to social prescribing service"}, {EntryDeclined, "SNOMED CT code", "871711000000103"},
		{EntryUnreachable, "SNOMED CT code", ""}, {EntryClosed, "Reference", "ABCD-EFGH"}, {EntryCorrection, "Details", "The number is not this person's"},
	} {
		if got := find(c.kind)[column[c.column]]; got != c.value {
			t.Errorf("%s, %s: %q, want %q", c.kind, c.column, got, c.value)
		}
	}
}

// The bundle is valid FHIR R4 by a validator that is not ours. It checks structure, cardinality, types, formats, unknown properties and codes of
// required value sets that it knows. It does not check: invariants (FHIRPath), how a date without a time is written, references (the test below does), UK Core profiles, codes of
// SNOMED CT and of terminology.hl7.org beyond what it carries, and that a fullUrl is unique.
func TestPracticeFHIR(t *testing.T) {
	f, all := entries(t)
	write := func() []byte {
		return written(t, func(b *bytes.Buffer) (PracticeWriter, error) { return NewPracticeFHIR(b, f) }, all)
	}
	b := write()
	if !bytes.Equal(b, write()) {
		t.Error("the same file has other bytes")
	}
	var bundle struct {
		Entry []struct {
			FullURL  string
			Resource map[string]any
		}
	}
	if err := json.Unmarshal(b, &bundle); err != nil {
		t.Fatal(err)
	}
	there, types := map[string]bool{}, map[string]int{}
	for _, e := range bundle.Entry {
		if there[e.FullURL] || e.FullURL != fmt.Sprint("urn:uuid:", e.Resource["id"]) {
			t.Errorf("the address %s is there twice, or not the resource's", e.FullURL)
		}
		there[e.FullURL] = true
		types[e.Resource["resourceType"].(string)]++
	}
	for ref := range strings.SplitSeq(string(b), `"reference":"`) {
		if target, _, ok := strings.Cut(ref, `"`); ok && strings.HasPrefix(target, "urn:") && !there[target] {
			t.Errorf("%s leads nowhere", target)
		}
	}
	if types["Patient"] != 2 || types["Organization"] != 1 || types["ServiceRequest"] != 2 || types["QuestionnaireResponse"] != 2 || types["Task"] != 12 || types["Communication"] != 10 {
		t.Errorf("it holds %v", types)
	}
	for _, want := range []string{`"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000018"`, `"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"N83001"`, `"code":"871731000000106"`, `"birthDate":"1950-02-01"`, `"system":"http://snomed.info/sct"`} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, m := range validate(t, b) {
		t.Errorf("%s: %s: %s (%s)", m.Of, m.Location, m.Message, m.Severity)
	}
	// The judge is awake: it finds what is wrong.
	for _, c := range [][2]string{{`"status":"active"`, `"status":"actve"`}, {`"sent":"2026`, `"sent":"yesterday`}, {`"intent":"order"`, `"intention":"order"`}, {`"type":"collection"`, `"type":"pile"`}, {`"birthDate":"1950-02-01"`, `"birthDate":[]`}} {
		spoilt := bytes.Replace(b, []byte(c[0]), []byte(c[1]), 1)
		if bytes.Equal(spoilt, b) || len(validate(t, spoilt)) == 0 {
			t.Errorf("the validator takes %s", c[1])
		}
	}
}

type finding struct{ Of, Location, Severity, Message string }

// validate asks the npm package "fhir", which "make test" installs; errors alone count, and warnings of our own making.
func validate(t *testing.T, bundle []byte) (bad []finding) {
	t.Helper()
	_, err := os.Stat(filepath.Join("ui", "web", "node_modules", "fhir"))
	if _, noNode := exec.LookPath("node"); err != nil || noNode != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("the FHIR validator is not installed: run make assets")
		}
		t.Skip("the FHIR validator is not installed: run make assets")
	}
	cmd := exec.Command("node", filepath.Join("testdata", "validate-fhir.cjs"))
	cmd.Stdin, cmd.Stderr = bytes.NewReader(bundle), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run the validator: %v", err)
	}
	var found []finding
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		// It warns of codes of two systems that it does not carry.
		carried := !strings.Contains(f.Message, "http://snomed.info/sct") && !strings.Contains(f.Message, "CodeSystem/v3-ParticipationMode")
		if f.Severity == "error" || f.Severity == "fatal" || f.Severity == "warning" && carried {
			bad = append(bad, f)
		}
	}
	return bad
}
