package patientlist

import (
	"slices"
	"strings"
)

// Field is something we want to know about a patient, whatever the file calls
// its column.
type Field string

const (
	FieldNHSNumber    Field = "nhs_number"
	FieldGivenName    Field = "given_name"
	FieldFamilyName   Field = "family_name"
	FieldFullName     Field = "full_name"
	FieldBirthDate    Field = "date_of_birth"
	FieldSex          Field = "sex"
	FieldMobile       Field = "mobile"
	FieldPractice     Field = "practice"
	FieldPostcode     Field = "postcode"
	FieldLanguage     Field = "language"
	FieldDeath        Field = "date_of_death" // a date, or yes
	FieldStatus       Field = "status"        // says "Deceased" of the dead, "Deducted" of those who left
	FieldDissent      Field = "sms_dissent"
	FieldConsent      Field = "sms_consent"
	FieldDoNotContact Field = "do_not_contact"
	FieldLeft         Field = "left"       // the practice: a date, or yes
	FieldRegistered   Field = "registered" // still, yes or no
	FieldNeeds        Field = "needs"      // codes by which a list can be narrowed
)

// aliases are the names under which the fields are known in EMIS, SystmOne,
// Vision and home-made spreadsheets, reduced to letters and digits. When two
// columns of a file claim a field, the alias that stands first wins: a mobile
// column beats one that is just called phone.
var aliases = map[Field][]string{
	FieldNHSNumber:  {"nhsnumber", "nhsno", "nhsnum", "nhs", "newnhsnumber", "newnhsno", "patientnhsnumber", "patientnhsno", "nhsid"},
	FieldGivenName:  {"givenname", "firstname", "forename", "forenames", "givennames", "firstnames", "christianname", "callingname", "preferredname", "first", "given", "forename1", "patientforename", "patientfirstname", "fname"},
	FieldFamilyName: {"familyname", "surname", "lastname", "secondname", "patientsurname", "patientlastname", "last", "family", "sname", "lname"},
	FieldFullName:   {"fullname", "patientname", "patientfullname", "name", "patient", "ptname", "patientsname", "nameofpatient"},
	FieldBirthDate:  {"dateofbirth", "dob", "birthdate", "born", "birthday", "birth", "bornon", "datebirth", "dtofbirth", "dofb", "patientdob", "patientdateofbirth"},
	FieldSex:        {"sex", "gender", "patientsex", "patientgender", "administrativegender", "legalsex", "sexatbirth"},
	FieldMobile: {"mobiletelephone", "telephonemobile", "mobile", "mobilenumber", "mobileno", "mobilephone", "mobilephonenumber", "mobilephoneno",
		"mobiletelephonenumber", "mobiletelephoneno", "mobiletel", "mobiletelno", "telmobile", "telmob", "mob", "mobno", "mobtel", "telephonenumbermobile",
		"phonemobile", "contactmobile", "preferredmobile", "patientmobile", "patientmobilenumber", "mobilecontactnumber", "cell", "cellphone", "cellnumber", "cellphonenumber",
		"smsnumber", "textnumber", "smsno", "textno", "telecomnumber", "telecom", "preferredtelephone", "preferredtelephonenumber", "preferredphone", "preferredphonenumber", "preferredcontactnumber",
		"contactnumber", "contactno", "contacttelephone", "contactphone", "phonenumber", "phone", "phoneno", "telephone", "telephonenumber", "telephoneno", "tel", "telno", "telnumber", "msisdn"},
	FieldPractice: {"organisationodscode", "odscode", "practiceodscode", "registeredpracticeid", "practicecode", "gppracticecode", "nationalpracticecode", "nacscode", "practicenationalcode",
		"registeredpracticecode", "practiceid", "practiceods", "usualgporganisationcode", "usualgpsorganisationcode", "organisationcode", "organizationcode", "orgcode", "ods", "surgerycode", "gpods", "gpodscode", "sitecode",
		"registeredpractice", "usualgpsorganisation", "usualgporganisation", "organisation", "organisationid", "gppractice", "practice", "surgery", "gpsurgery", "practicename", "organisationname",
		"gppracticename", "registeredorganisation", "practicenamecode", "practicenameandcode", "praccode", "registeredat"},
	FieldPostcode: {"postcode", "homepostcode", "patientpostcode", "postalcode", "addresspostcode", "usualaddresspostcode", "homeaddresspostcode", "pcode", "zip", "zipcode"},
	FieldLanguage: {"language", "mainlanguage", "mainspokenlanguage", "preferredlanguage", "firstlanguage", "spokenlanguage", "languagespoken", "mainspokenlanguagecode"},
	FieldDeath:    {"dateofdeath", "deathdate", "dod", "deceaseddate", "datedeceased", "deceased", "dead", "isdeceased", "deceasedflag", "died", "deceasedindicator", "deathstatus", "dateofdeathifapplicable"},
	FieldStatus:   {"patientstatus", "registrationstatus", "status", "patienttype", "registrationtype", "currentstatus", "regstatus", "deceasedleft", "leftdeceased"},
	FieldDissent: {"smsdissent", "dissentsms", "dissentfromsms", "textdissent", "textmessagedissent", "smsdissented", "dissent", "smsoptout", "optoutsms", "optedoutofsms", "optedoutoftexts", "textoptout",
		"declinedsms", "smsdeclined", "declinedtextmessages", "textmessagesdeclined", "declinestexts", "smsdissentrecorded", "dissenttosms", "nosms", "notexts", "notextmessages",
		"dissentflag", "dissentind", "dissentindicator", "dissented", "dissentrecorded", "dissentdate", "dateofdissent", "smsdissentdate", "declinedtexts", "optout", "optedout",
		"donottext", "donotsms", "unsubscribed", "dissents", "dissentcode"},
	FieldConsent: {"smsconsent", "consenttosms", "consentsms", "textconsent", "consenttotext", "consenttotexts", "consenttotextmessages", "consenttotextmessaging", "textmessageconsent", "textmessagingconsent", "smsconsentgiven",
		"consenttosmscontact", "smsoptin", "optedintosms", "consentforsms", "consentfortextmessages", "mobileconsent", "consenttocontactbysms", "smsallowed", "allowsms", "oktotext", "smsok",
		"consent", "consentstatus", "sms", "texts", "textmessages", "smspreference", "smspreferences", "textpreference", "smsstatus", "smspermission", "receivesms", "receivetexts", "sendsms", "cantext", "canbetexted",
		"contactpreference", "contactpreferences", "communicationpreference", "communicationpreferences",
		"preferredcontactmethod", "preferredmethodofcontact", "consented", "smsyn", "textyn", "textsyn"},
	FieldDoNotContact: {"donotcontact", "dnc", "nocontact", "dontcontact", "excludefromcontact", "donotinvite", "exclude", "excluded",
		// Of people whose whereabouts nobody may learn: a text tells whoever holds the phone.
		"sflag", "sensitive", "sensitiveflag", "sensitiverecord", "issensitive", "pdssensitive", "sensitivepatient", "restricted", "restrictedflag",
		"contactrestricted", "confidential", "protected", "protectedperson", "demographicssensitive", "addressprotected"},
	FieldLeft: {"dateleft", "leftdate", "left", "dateofleaving", "leavingdate", "leaver", "deducted", "deducteddate", "deductiondate", "datededucted", "dateofdeduction", "deregistered", "deregistereddate", "deregistrationdate",
		"dateofderegistration", "regenddate", "registrationenddate", "registrationended", "enddateofregistration", "dateregistrationended", "transferredout", "transferredoutdate", "movedaway",
		"moved", "goneaway", "departed", "transferred", "registereduntil"},
	FieldRegistered: {"active", "isactive", "activepatient", "currentpatient", "currentlyregistered", "stillregistered", "isregistered", "registered", "registeredyn", "alive"},
	FieldNeeds: {"needcodes", "needs", "need", "needcode", "conditions", "condition", "longtermconditions", "ltcs", "ltc", "registers", "diseaseregisters", "qofregisters", "cohort", "cohorts", "problemcodes",
		"conditioncodes", "codes", "snomedcodes", "readcodes"},
}

type claim struct {
	field Field
	rank  int // smaller is better
}

const lastRank = 1000 // of what was recognised by some words only

var byAlias = func() map[string]claim {
	m := map[string]claim{}
	for f, names := range aliases {
		for i, name := range names {
			m[name] = claim{f, i}
		}
	}
	return m
}()

// reduce leaves the lower-case letters and digits of a column's name.
func reduce(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return -1
	}, s)
}

// recognise tells which field a column's name stands for.
func recognise(name string) (claim, bool) {
	if len(name) > 120 {
		return claim{}, false
	}
	if c, ok := byAlias[reduce(name)]; ok {
		return c, true
	}
	// "Date of Birth (DD/MM/YYYY)", but not "Telephone (carer)"
	if i := strings.IndexAny(name, "(["); i > 0 {
		if c, ok := byAlias[reduce(name[:i])]; ok {
			return c, !another(reduce(name[i:]))
		}
	}
	// EMIS groups columns: "Patient Details.NHS Number".
	if i := strings.LastIndexAny(strings.TrimRight(name, ". "), ".:|/>"); i >= 0 {
		if c, ok := byAlias[reduce(name[i+1:])]; ok {
			return c, true
		}
	}
	if f, ok := recogniseSign(name); ok {
		return claim{f, lastRank}, true
	}
	return recogniseWords(reduce(name))
}

// recogniseSign reads the names that people give a column by which somebody must not be texted: "Left practice?", "RIP", "patient_allows_sms".
// One that is passed over texts the dead, so these words are read more freely than others.
func recogniseSign(name string) (Field, bool) {
	words := wordsOf(parted(name))
	reduced := reduce(name)
	has := func(some ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(some, w) })
	}
	follows := func(first string, then ...string) bool {
		for i, w := range words {
			if w == first && i+1 < len(words) && slices.Contains(then, words[i+1]) {
				return true
			}
		}
		return false
	}
	starts := func(with ...string) bool { return len(words) > 0 && slices.Contains(with, words[0]) }
	ends := func(with ...string) bool { return len(words) > 0 && slices.Contains(with, words[len(words)-1]) }
	records := has("record", "records", "share", "sharing", "research", "scr", "summary", "data", "care", "national", "type", "photo", "treatment", "vaccine", "vaccination", "referral")
	texts := has("sms", "text", "texts", "texted", "texting", "messages", "messaging")
	switch {
	case len(words) == 0 || len(words) > 8 || another(reduced):
	case has("rip", "died", "dead") || follows("r", "i") && follows("i", "p") || follows("passed", "away"):
		return FieldDeath, true
	case follows("left", "practice", "surgery", "gp", "the", "area", "y", "yes", "on", "date", "list") || ends("left") && starts("has", "date", "patient"),
		follows("gone", "away", "abroad"), follows("moved", "away", "out", "practice", "surgery", "gp", "area", "date", "on", "y", "yes"), has("leaving") && has("date"),
		follows("no", "longer") && has("registered", "patient", "here"), has("transfer", "transferred") && has("out", "date") && !records:
		return FieldLeft, true
	case follows("not", "contact", "invite", "call", "ring", "phone") && !records, starts("dnc") || ends("dnc"), follows("sensitive", "flag", "record", "patient"):
		return FieldDoNotContact, true
	case follows("no", "sms", "text", "texts", "messages"),
		texts && has("not", "dont", "don", "doesnt", "doesn", "never", "blocked", "block", "exclude", "excluded", "unsubscribed", "dissents", "dissented", "objects", "refuses"):
		return FieldDissent, true
	case texts && (has("allow", "allows", "allowed", "ok", "okay", "can", "may", "happy", "accept", "accepts", "accepted", "agree", "agrees", "agreed", "want", "wants", "enabled", "send", "receive", "receives",
		"permitted", "permits", "willing", "y") || follows("contact", "by")),
		(has("consent", "consents", "consented") || has("ok", "happy", "agrees", "agreed") && len(words) <= 5) && has("contact", "contacted", "messaging", "messages") && !records:
		return FieldConsent, true
	case len(words) == 1 && texts && strings.HasSuffix(strings.TrimSpace(name), "?"): // "Text?"
		return FieldConsent, true
	}
	return "", false
}

// parted puts a space where a name has a capital within a word: "PatientAllowsSms".
func parted(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if i > 0 && name[i] >= 'A' && name[i] <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			b.WriteByte(' ')
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// another says that a column is about somebody else, or about a place where others read along.
func another(s string) bool {
	return slices.ContainsFunc([]string{"carer", "nextofkin", "nok", "parent", "guardian", "relat", "spouse", "emergency", "proxy", "work", "office", "wife", "husband", "partner"}, func(w string) bool { return strings.Contains(s, w) })
}

// recogniseWords is the last resort, for "Patient's mobile phone no". It ranks
// below every alias, and leaves alone columns about somebody or something else.
func recogniseWords(s string) (claim, bool) {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
	}
	text := has("sms", "text", "mobile")
	switch {
	case another(s):
	case text && has("dissent", "optout", "optedout", "declin", "refus", "objec", "donot", "stop"):
		return claim{FieldDissent, lastRank}, true
	case text && has("consent", "optin", "optedin", "permission"):
		return claim{FieldConsent, lastRank}, true
	case has("deduct", "deregist", "registrationend", "regend"):
		return claim{FieldLeft, lastRank}, true
	case has("death", "deceas") && !has("verif", "spouse", "preferred", "wish"): // where somebody wishes to die, they have not
		return claim{FieldDeath, lastRank}, true
	case has("verif", "type", "status", "flag", "date", "count", "age", "updated", "valid") && !has("birth"):
	case has("mobile", "cellphone"):
		return claim{FieldMobile, lastRank}, true
	case has("nhsnumber", "nhsno"):
		return claim{FieldNHSNumber, lastRank}, true
	case has("dateofbirth", "birthdate", "birthdt"):
		return claim{FieldBirthDate, lastRank}, true
	case has("postcode") && !has("practice", "organi", "surgery", "gp"):
		return claim{FieldPostcode, lastRank}, true
	case has("odscode", "practicecode"):
		return claim{FieldPractice, lastRank}, true
	}
	return claim{}, false
}

// columns says where a file keeps what. Of most fields there is one column.
// What tells that a patient must not be texted may stand in several (a date
// of death and a status, two kinds of dissent), and any of them counts.
type columns struct {
	at    map[Field]int
	signs []sign
}

type sign struct {
	field Field
	index int
}

func isSign(f Field) bool {
	switch f {
	case FieldDeath, FieldStatus, FieldDissent, FieldConsent, FieldDoNotContact, FieldLeft, FieldRegistered:
		return true
	}
	return false
}

// mapColumns reads a line as column names. Names that the mapping gives are
// taken as they are; missing lists those which the line does not have.
func mapColumns(names []string, mapping map[Field]string) (cols columns, missing []string) {
	cols.at = map[Field]int{}
	taken := map[int]bool{}
	for field, want := range mapping {
		i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(squash(n), squash(want)) })
		if i < 0 && reduce(want) != "" {
			i = slices.IndexFunc(names, func(n string) bool { return reduce(n) == reduce(want) })
		}
		if i < 0 {
			missing = append(missing, want)
			continue
		}
		cols.add(field, i)
		taken[i] = true
	}
	best := map[Field]int{}
	for i, name := range names {
		c, ok := recognise(name)
		if _, mapped := mapping[c.field]; !ok || mapped || taken[i] {
			continue
		}
		if isSign(c.field) {
			cols.add(c.field, i)
		} else if rank, seen := best[c.field]; !seen || c.rank < rank {
			best[c.field] = c.rank
			cols.add(c.field, i)
		}
	}
	slices.Sort(missing)
	return cols, missing
}

func (c *columns) add(f Field, i int) {
	c.at[f] = i
	if isSign(f) {
		c.signs = append(c.signs, sign{f, i})
	}
}

func squash(s string) string { return strings.Join(strings.Fields(s), " ") }
