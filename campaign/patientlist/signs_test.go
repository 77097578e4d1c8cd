package patientlist

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Names that people give the columns by which somebody must not be texted, and names that only look like them.
func TestRecognise_signs(t *testing.T) {
	for field, names := range map[Field]string{
		FieldLeft: "Left practice? | Left the practice | Has left | Gone away | Moved | Moved away? | Moved out of area | No longer registered | Date left practice | Practice leaving date | De-registered | Deduction Reason | Departed | " +
			"Date of transfer out | Left Y/N | Reg. end | Registered until",
		FieldDeath: "RIP | R.I.P. | Died on | Date died | Dead? | Passed away? | Deceased (Y/N) | Is Dead | PatientDied | date_died | Cause of death",
		FieldConsent: "patient_allows_sms | Can we text? | Happy to receive texts | Accepts texts | Agrees to text messages | Texts OK? | SMS Y/N | Text? | Allow texts | Agreed to SMS | Wants texts | Consent to contact | Messaging consent | sms_enabled | " +
			"Send texts | Consented? | Contact by text | Preferred contact method | Happy to be contacted? | AllowSMS | SmsConsentGiven",
		FieldDissent:      "Do not text | DoNotText | Don't text | No texts please | Doesn't want texts | SMS blocked | Dissents | Dissent code | Unsubscribed | Not to be texted | Text messages - dissent",
		FieldDoNotContact: "Do not contact? | DNC flag | Do-not-contact flag | Do Not Contact (DNC) | PDS Sensitive flag | Sensitive record flag | Contact restricted | Confidential",
		FieldRegistered:   "Active? | Currently registered | Still registered? | Registered (Y/N)",
		FieldStatus:       "Reg status | Deceased/Left",
		FieldMobile:       "Text No. | Mobile for texts | Mobile (SMS)",
		"": "Number of texts | No of texts sent | SMS sent | Date of last text | Free text | Text | Text of letter | Event text | Texture modified diet | No contact number | Last contact | Preferred place of death | Death of spouse | Left handed | " +
			"Left ventricular failure | Consent to share record | Consent for photo | SCR consent | National data opt-out | Consent to treatment | Research opt out | Do not resuscitate | Restricted mobility | Registered GP | Registered date | " +
			"Active problems | Sensitive to penicillin | Carer mobile | Mobile (next of kin) | Moved to Wales? | Date of transfer to secondary care | Can swim",
	} {
		for name := range strings.SplitSeq(names, " | ") {
			if got, ok := recognise(name); got.field != field && (ok || field != "") {
				t.Errorf("%q is taken for %q, want %q", name, got.field, field)
			}
		}
	}
}

// What people write in such columns. Whoever may have said no, died or left is not texted.
func TestSigns_words(t *testing.T) {
	for _, tt := range []struct {
		name    string
		says    func(string) bool
		yes, no string
	}{
		{"consent denied", deniesConsent, "FALSCH | Nein | Doesn't want texts | Unsubscribed | Non-consenting | Objection | Withheld | Revoked | Consent removed | Blocked | Expired | ✗ | ❌ | Disagrees | Rejected | Ring instead",
			"WAHR | Ja | No record | No response | ? | ✓ | Clinical and non-clinical | Consent given | Text preferred"},
		{"dissent", saysDissent, "WAHR | Ja | Consent removed | Consent revoked | ? | Active | Current", "FALSCH | Nein | (blank) | <null> | undefined | 0.0"},
		{"dead", saysDead, "RIP | R.I.P. | Passed away | dec'd | D (deceased) | Died 3/11/26", "Not deceased | Alive | D | Current"},
		{"left", saysLeft, "De-registered | Left 12/10/2026 | Left on 12/10/2026 | Left - 3 Oct | Gone away | Moved out of area | Moved to Leeds | Previously registered | Not current | Ended | Off list | Past", "Current | Registered | Not deducted | Left leg amputation | Off work"},
		{"no longer registered", deniesRegistered, "N | No | FALSE | 0 | Nein | Deducted | Left practice | Deceased", "Y | Yes | 1 | Registered | Current | TRUE"},
		{"has left", hasLeft, "Y | 12/10/2026 | Left | Inactive", "Active | Current | Registered | No | "},
		{"yes", saysYes, "Ja | WAHR | x | ? | Active | Current", "Nein | FALSCH |   /  /     | // | NaT | No date | n.a. | Still alive"},
		{"name of the dead", isDead, "JONES Ann (RIP) | Deceased - Ann Jones | Ann Jones (dec'd) | Ann Jones (died 3/11) | RIP Ann Jones | Ann Jones R.I.P. | DECEASED", "Rip Torn | Deirdre Ripley | Decima Died | RIP | Ann Rip | Grip"},
	} {
		for says, list := range map[bool]string{true: tt.yes, false: tt.no} {
			for v := range strings.SplitSeq(list, " | ") {
				if tt.says(v) != says {
					t.Errorf("%s: %q, want %t", tt.name, v, says)
				}
			}
		}
	}
}

// What a report prints below its rows is none of them; who has such a name is.
func TestIsSummary(t *testing.T) {
	for says, list := range map[bool]string{true: "Total | Totals | Count: 7 | Males | No patients found | 7 patients | Sum | Run on: | Confidentiality notice", false: "Sumner | Totally | Countess | Malesky | Rowson | Searle | Notely | Mr Total | No"} {
		for v := range strings.SplitSeq(list, " | ") {
			if isSummary(v) != says {
				t.Errorf("%q, want %t", v, says)
			}
		}
	}
}

// A number of which a spreadsheet left the noughts is nobody's, however it was saved afterwards.
func TestMobile_rounded(t *testing.T) {
	for mobile, want := range map[string]string{"7700000000": "mobile_damaged", "447401000000": "mobile_damaged", "07401000000": "ok", "+447401000000": "ok", "7401000000.0": "mobile_damaged", "07401 100000": "ok", "07401 000001": "ok"} {
		list := fmt.Sprintf("NHS number,DOB,Mobile\n%s,02/08/1970,%s\n", testNHS(1), mobile)
		r, err := NewReader(bytes.NewReader([]byte(list)), Options{Today: today})
		if err != nil {
			t.Fatal(err)
		}
		row, err := r.Next()
		if got := became(row); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", mobile, got, err, want)
		}
	}
}

// A sheet of notes before the list has the word "Mobile" in it; who looks sees the list.
func TestLook_notesBefore(t *testing.T) {
	b, err := os.ReadFile("testdata/shapes/rich.xlsx")
	if err != nil {
		t.Fatal(err)
	}
	p, err := Look(bytes.NewReader(b), Options{Today: today, Size: int64(len(b))}, 1)
	if err != nil || p.Sheet != "Patients" || len(p.Missing) != 0 || len(p.OtherSheets) != 0 || len(p.Rows) != 1 {
		t.Errorf("%+v, %v", p.Found, err)
	}
}
