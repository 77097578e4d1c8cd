package selfrefer

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// The identifier systems that UK Core names.
const (
	nhsNumberSystem = "https://fhir.nhs.uk/Id/nhs-number"
	odsSystem       = "https://fhir.nhs.uk/Id/ods-organization-code"
	snomed          = "http://snomed.info/sct"
	uriSystem       = "urn:ietf:rfc:3986" // of values that are URIs themselves
	terminology     = "http://terminology.hl7.org/CodeSystem/"
)

type object = map[string]any

// practiceFHIR writes a Bundle of type collection, FHIR R4. Ids follow from what an entry is, so that a file that is told again is known again.
//
//	text, undelivered   Communication from the practice, by SMS, completed or not-done
//	optout, resumed     Communication from the patient
//	correction, …       Task that is asked of the practice
//	referral            QuestionnaireResponse
//	accepted            ServiceRequest, with the network's code
//	declined, …         Task: rejected, failed or completed
//
// It is plain R4 with the identifiers of UK Core; it claims no UK Core profile, whose extensions (how far an NHS number is verified) ask for
// what we do not know.
type practiceFHIR struct {
	w        *bufio.Writer
	practice string // the reference to it
	person   string // the last one written: the entries of a person stand together
	err      error
}

// NewPracticeFHIR begins the bundle.
func NewPracticeFHIR(to io.Writer, f PracticeFile) (PracticeWriter, error) {
	p := &practiceFHIR{w: bufio.NewWriter(to)}
	id := uuidOf("file", strconv.FormatInt(f.ID, 10))
	head, err := json.Marshal(object{"system": uriSystem, "value": "urn:uuid:" + id})
	if err != nil {
		return nil, fmt.Errorf("write FHIR: %w", err)
	}
	_, p.err = fmt.Fprintf(p.w, `{"resourceType":"Bundle","id":%q,"identifier":%s,"type":"collection","timestamp":%q,"entry":[`, id, head, instant(f.Made))
	org := uuidOf("practice", f.Practice.ODS)
	p.practice = "urn:uuid:" + org
	practice := object{"resourceType": "Organization", "id": org, "identifier": []any{object{"system": odsSystem, "value": f.Practice.ODS}}, "active": true}
	if f.Practice.Name != "" {
		practice["name"] = f.Practice.Name
	}
	p.put("", practice)
	return p, p.failed()
}

func (p *practiceFHIR) failed() error {
	if p.err != nil {
		return fmt.Errorf("write FHIR: %w", p.err)
	}
	return nil
}

// put writes one resource of the bundle.
func (p *practiceFHIR) put(comma string, r object) {
	if p.err != nil {
		return
	}
	b, err := json.Marshal(object{"fullUrl": fmt.Sprint("urn:uuid:", r["id"]), "resource": r})
	if err != nil {
		p.err = err
		return
	}
	_, p.err = p.w.WriteString(comma + "\n" + string(b))
}

func (p *practiceFHIR) Write(e PracticeEntry) error {
	who := object(nil)
	if e.PersonID != "" {
		id := uuidOf("person", e.PersonID)
		who = reference("urn:uuid:" + id)
		if id != p.person {
			p.person = id
			p.put(",", p.patient(id, e))
		}
	}
	p.put(",", p.resource(e, who))
	return p.failed()
}

func (p *practiceFHIR) patient(id string, e PracticeEntry) object {
	r := object{"resourceType": "Patient", "id": id, "generalPractitioner": []any{reference(p.practice)}}
	if !e.NHS.IsZero() {
		r["identifier"] = []any{object{"system": nhsNumberSystem, "value": e.NHS.Reveal()}}
	}
	if !e.Name.IsZero() {
		r["name"] = []any{object{"text": e.Name.Reveal()}}
	}
	if !e.Born.IsZero() {
		r["birthDate"] = e.Born.ISO()
	}
	return r
}

func (p *practiceFHIR) resource(e PracticeEntry, who object) object {
	id := uuidOf("entry", strconv.FormatInt(e.ID, 10))
	at := instant(e.At)
	names := []any{object{"system": uriSystem, "value": "urn:uuid:" + id}}
	if e.Reference != "" {
		names = append(names, object{"type": object{"text": "Reference of the self-referral"}, "value": e.Reference})
	}
	r := object{"id": id, "identifier": names}
	set := func(key string, value any) {
		if o, ok := value.(object); !ok || o != nil {
			r[key] = value
		}
	}
	switch e.Kind {
	case EntryText, EntryUndelivered:
		set("resourceType", "Communication")
		set("status", "completed")
		set("category", []any{coding(terminology+"communication-category", "notification", "Notification")})
		set("medium", []any{byText()})
		set("subject", who)
		set("sender", reference(p.practice))
		set("sent", at)
		if who != nil {
			set("recipient", []any{who})
		}
		if e.Kind == EntryUndelivered {
			set("status", "not-done")
			set("statusReason", object{"text": e.details()})
		} else if e.Words != "" {
			set("payload", said(e.Words))
		}
		if e.Code != "" {
			set("reasonCode", []any{e.concept()})
		}
	case EntryOptOut, EntryResumed:
		set("resourceType", "Communication")
		set("status", "completed")
		set("category", []any{coding(terminology+"communication-category", "instruction", "Instruction")})
		set("subject", who)
		set("sender", who)
		set("recipient", []any{reference(p.practice)})
		set("sent", at)
		set("payload", said(e.Kind.Words()+e.onWhich()))
	case EntryReferral:
		set("resourceType", "QuestionnaireResponse")
		r["identifier"] = names[0] // has one at most
		set("status", "completed")
		set("subject", who)
		set("source", who)
		set("authored", at)
		items := []any{item("reference", "Reference of the self-referral", []string{e.Reference})}
		for _, i := range []struct {
			id, text string
			answers  []string
		}{{"reasons", "What they asked for help with", e.Reasons}, {"needs", "What would make it easier to talk with us", e.needs()}, {"language", "Language to talk in", some(e.Language)}} {
			if len(i.answers) > 0 {
				items = append(items, item(i.id, i.text, i.answers))
			}
		}
		set("item", items)
	case EntryAccepted:
		set("resourceType", "ServiceRequest")
		set("status", "active")
		set("intent", "order")
		set("code", e.concept())
		set("subject", who)
		set("requester", who) // refers themselves
		set("authoredOn", at)
	default:
		set("resourceType", "Task")
		set("status", map[EntryKind]string{EntryCorrection: "requested", EntryWithdrawn: "cancelled", EntryDeclined: "rejected", EntryUnreachable: "failed", EntryClosed: "completed"}[e.Kind])
		set("intent", map[bool]string{true: "order", false: "proposal"}[e.Kind.Agreed()])
		set("code", e.concept())
		set("for", who)
		set("authoredOn", at)
		set("lastModified", at)
		if e.Kind.Agreed() {
			set("description", e.Kind.Words())
		} else {
			set("owner", reference(p.practice))
			set("description", e.details()+e.onWhich())
		}
	}
	return r
}

// onWhich tells the number where nobody knows whose it is.
func (e PracticeEntry) onWhich() string {
	if e.Phone.IsZero() {
		return ""
	}
	if e.Shared {
		return " (several people share the number " + e.Phone.Reveal() + ")"
	}
	return " (" + e.Phone.Reveal() + ")"
}

// concept is what an entry is, with its code if the network writes one.
func (e PracticeEntry) concept() object {
	c := object{"text": e.Kind.Words()}
	if e.Code == "" {
		return c
	}
	code := object{"system": snomed, "code": e.Code}
	if term := CodeTerm(e.Code); term != "" {
		code["display"] = term
	}
	c["coding"] = []any{code}
	return c
}

func reference(to string) object { return object{"reference": to} }

func coding(system, code, display string) object {
	return object{"coding": []any{object{"system": system, "code": code, "display": display}}}
}

// byText is the medium of a text. "Written" is as near as the codes come that every R4 system knows.
func byText() object {
	c := coding(terminology+"v3-ParticipationMode", "WRITTEN", "written")
	c["text"] = "SMS"
	return c
}

func said(words string) []any { return []any{object{"contentString": words}} }

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func item(id, text string, answers []string) object {
	var all []any
	for _, a := range answers {
		all = append(all, object{"valueString": a})
	}
	return object{"linkId": id, "text": text, "answer": all}
}

func (p *practiceFHIR) Close() error {
	if p.err == nil {
		_, p.err = p.w.WriteString("\n]}\n")
	}
	if p.err == nil {
		p.err = p.w.Flush()
	}
	return p.failed()
}

// instant is a time as FHIR writes it.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// uuidOf gives the same UUID (version 8: by a method of our own) for the same thing.
func uuidOf(kind, id string) string {
	sum := sha256.Sum256([]byte("wellpaced " + kind + "\x00" + id))
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
