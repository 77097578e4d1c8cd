package desk

import (
	"maps"
	"slices"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

type object = map[string]any

// OpenAPI is this desk's part of the paths of /api/v1/openapi.json (OpenAPI 3.1).
func (h *Handler) OpenAPI() map[string]any {
	text, number, whole, yes := object{"type": "string"}, object{"type": "number"}, object{"type": "integer"}, object{"type": "boolean"}
	at := object{"type": "string", "format": "date-time"}
	list := func(of object) object { return object{"type": "array", "items": of} }
	fields := func(props object, required ...string) object {
		o := object{"type": "object", "properties": props}
		if required != nil {
			o["required"] = required
		}
		return o
	}
	holder := fields(object{"id": whole, "name": text})
	discharge := object{"type": "string", "enum": discharges(), "description": "why the support has ended"}
	referral := fields(object{
		"id": whole, "reference": text, "state": object{"type": "string", "enum": selfrefer.States}, "lane": object{"type": "string", "enum": []selfrefer.Lane{selfrefer.Verified, selfrefer.Unverified}},
		"urgent": yes, "why_urgent": list(text), "source": text, "not_matched": text, "practice": text, "language": text, "reasons": list(text), "said": object{"type": "string", "description": "what a short reply says, if that is certain; it decides nothing", "enum": []selfrefer.Said{selfrefer.SaidCall, selfrefer.SaidNotMe, selfrefer.SaidNo, selfrefer.SaidThanks, selfrefer.SaidAutomatic, selfrefer.SaidNothing, selfrefer.SaidStart, selfrefer.SaidStop}}, "received": at, "due": at,
		"age":      object{"type": "string", "enum": []selfrefer.Age{selfrefer.InTime, selfrefer.DueSoon, selfrefer.Late, selfrefer.Kept}},
		"attempts": whole, "claimed_by": holder, "claimed_at": at, "contacted": at, "closed": at, "name": text,
		"phone": text, "nhs_number": text, "birth_date": text, "answers": object{"type": "object"}, "can": list(text),
		"later":      list(fields(object{"at": at, "words": text, "said": text, "media": whole})),
		"contacts":   list(fields(object{"at": at, "by": holder, "event": text, "channel": text, "note": text, "to": holder, "escalation": fields(object{"why": text, "told": text, "number": text, "at": at}), "other": object{"type": "string", "description": "of join, separate and mark_duplicate: the other's reference"}, "of": object{"type": "string", "description": "of undo: what it undid"}, "undone": yes, "reason": discharge})),
		"restricted": object{"type": "boolean", "description": "not everybody may open it"}, "masked": object{"type": "boolean", "description": "you may not: it waits, and no more is told"},
		"free_since": at, "handed_by": holder, "escalated": fields(object{"to": holder, "at": at, "opened": at}),
		"offered_to": object{"type": "string", "enum": []selfrefer.Offer{selfrefer.ToSenior, selfrefer.ToManager}, "description": "of an urgent referral that nobody has claimed for 30 working minutes, in lists"},
	}, "id", "reference", "state", "lane", "urgent", "source", "received", "due", "age", "attempts")
	took := func(words string) object {
		o := fields(object{"minutes": object{"type": "number", "description": "the median of the last eight weeks, drawn towards what is declared while there are few"}, "first_contacts": whole}, "minutes", "first_contacts")
		o["description"] = "how long first contacts really take; told, not taken; " + words
		return o
	}
	alike := list(fields(object{"id": whole, "reference": text, "state": object{"type": "string", "enum": selfrefer.States}, "name": text, "received": at, "closed": at, "claimed_by": holder,
		"why": list(object{"type": "string", "enum": []selfrefer.Likeness{selfrefer.LikeNHS, selfrefer.LikeName, selfrefer.LikePhone}}), "nhs_numbers_differ": yes}, "id", "reference", "state", "received", "why"))
	maps.Copy(referral["properties"].(object), object{"possible_duplicates": alike, "earlier_contact": alike, "more_alike": yes, "goes_on_in": whole, "already_sent": object{"type": "boolean", "description": "of undo: a text has gone out since, which is not taken back"},
		"joined":   list(fields(object{"id": whole, "reference": text, "joined_to": whole, "by": holder, "at": at, "received": at, "why_urgent": list(text), "phone": text, "answers": object{"type": "object"}, "later": list(fields(object{"at": at, "words": text, "said": text, "media": whole}))})),
		"can_undo": fields(object{"event": text, "until": at}, "event", "until")})
	worker := fields(object{
		"account": whole, "name": text, "hours": object{"type": "object", "description": "by day, monday to sunday; a day off is left out", "additionalProperties": fields(object{"from": text, "to": text}, "from", "to")},
		"first_contact_share": object{"type": "number", "minimum": 0, "maximum": 1}, "minutes_per_contact": object{"type": "number", "minimum": 1, "maximum": 480},
		"caseload_limit": object{"type": []string{"integer", "null"}, "minimum": 0},
		"leave":          list(fields(object{"from": at, "to": object{"type": "string", "format": "date-time", "description": "the first instant back at work"}}, "from", "to")),
		"senior":         object{"type": "boolean", "description": "told, not taken: it is the account's role"}, "learned": took("for the worker and for seniors alone"),
	}, "account", "hours", "first_contact_share", "minutes_per_contact")
	capacity := fields(object{
		"team": whole, "name": text, "promise_days": whole, "workers": list(worker),
		"learned": took("of the whole team, if two people made them"),
		"days":    object{"type": "array", "description": "the next working days; told, not taken", "items": fields(object{"date": object{"type": "string", "format": "date"}, "first_contacts": number})},
	}, "workers")

	json := func(schema object) object { return object{"application/json": object{"schema": schema}} }
	answer := func(words string, schema object) object { return object{"description": words, "content": json(schema)} }
	problem := func(words string) object {
		return object{"description": words, "content": object{"application/problem+json": object{"schema": fields(object{"type": text, "title": text, "status": whole, "code": text, "detail": text})}}}
	}
	call := func(summary, ok string, schema object, more object) object {
		o := object{"summary": summary, "responses": object{"200": answer(ok, schema), "401": problem("No token, or one that is over"), "403": problem("Your role does not allow this"), "404": problem("There is no such thing in your network"), "422": problem("What was sent cannot be taken")}}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	param := func(in, name string, schema object, words string) object {
		return object{"in": in, "name": name, "schema": schema, "description": words, "required": in == "path"}
	}
	id := param("path", "id", whole, "of a referral")
	var states []string
	for _, p := range parts {
		states = append(states, p.state)
	}
	for _, s := range selfrefer.States {
		if !slices.Contains(states, string(s)) {
			states = append(states, string(s))
		}
	}
	var events []selfrefer.Event
	for _, s := range selfrefer.States {
		for _, e := range selfrefer.Events(s) {
			if !slices.Contains(events, e) {
				events = append(events, e)
			}
		}
	}
	channel := object{"type": "string", "enum": []string{"", "call", "text", "email", "visit"}}
	act := call("Claim a referral, record a try, or say what came of it", "The referral as it stands now", referral, object{
		"parameters": []any{id, param("path", "event", object{"type": "string", "enum": events}, "what is done")},
		"requestBody": object{"content": json(fields(object{"channel": channel, "note": object{"type": "string", "maxLength": maxNote},
			"to":  object{"type": "integer", "description": "of hand_over and escalate: the colleague's account"},
			"why": object{"type": "string", "maxLength": maxNote, "description": "of escalate, as are told, number and told_at"}, "told": object{"type": "string", "maxLength": maxNote, "description": "who was told by telephone"},
			"number": text, "told_at": object{"type": "string", "format": "date-time", "description": "now if it is left out"},
			"reason": object{"type": "string", "enum": discharges(), "description": "of close, where the person is in support: why that has ended; \"other\" needs a note"}}))},
	})
	act["responses"].(object)["409"] = problem("Somebody else has it (code taken, with claimed_by and claimed_at), or its state does not allow this (code not_now, with state)")

	conflicts := func(o object, words string) object {
		o["responses"].(object)["409"] = problem(words)
		return o
	}
	inLanguages := func(most int) object {
		props := object{}
		for _, l := range lang.All {
			props[string(l.Code)] = object{"type": "string", "maxLength": most}
		}
		return object{"type": "object", "description": "by language; none for what is standard, else English at least", "properties": props, "additionalProperties": false}
	}
	line := fields(object{"key": object{"type": "string", "description": "of the standard line that this is or stands in for"}, "hidden": yes, "words": inLanguages(selfrefer.MaxLineWords),
		"by": object{"type": "string", "enum": []selfrefer.By{selfrefer.ByPhone, selfrefer.ByText, selfrefer.ByPage}}, "number": text})
	var codes []string
	for _, r := range selfrefer.Reasons {
		codes = append(codes, r.Code)
	}
	reason := fields(object{"code": object{"type": "string", "enum": codes}, "hidden": yes, "labels": inLanguages(selfrefer.MaxLabel)}, "code")
	words := fields(object{"version": object{"type": "integer", "description": "the one that was read"}, "help": list(line), "reasons": list(reason),
		"missing": list(text), "changed_by": holder, "changed_at": at}, "version", "help", "reasons")
	putWords := call("Replace what patients read of urgent help and reasons; [] is the standard", "The words as they stand now", words, object{"requestBody": object{"required": true, "content": json(words)}})
	putWords["responses"].(object)["409"] = problem("Somebody else has changed them since that version (code changed)")

	optOut := fields(object{"phone": text, "nhs_number": text, "why": text, "at": at}, "why", "at")
	ledger := fields(object{"rows": whole, "added": whole, "already_there": whole, "cannot_be_read": whole, "dry_run": yes, "journaled": yes,
		"problems": list(fields(object{"row": whole, "code": text}, "row", "code"))}, "rows", "added", "already_there", "cannot_be_read", "dry_run", "journaled")
	addOptOuts := call("Put everybody on a list from another system out of reach; every row is accounted for", "The ledger", ledger, object{
		"parameters":  []any{param("query", "dry_run", yes, "count and change nothing")},
		"requestBody": object{"required": true, "content": object{"text/csv": object{"schema": object{"type": "string", "description": "phone numbers, NHS numbers or both, in any column"}}}}})
	correction := fields(object{"id": whole, "why": object{"type": "string", "enum": []string{selfrefer.WhyNotMe, selfrefer.WhyMoved, selfrefer.WhyDied, selfrefer.WhyAllTexts}}, "practice": text,
		"shared": object{"type": "boolean", "description": "several people are on the number: nobody knows which of them it is"}, "withdrawn": object{"type": "boolean", "description": "it was done, and then taken back"},
		"at": at, "name": text, "birth_date": text, "nhs_number": text, "phone": text}, "id", "why", "shared", "withdrawn", "at")
	ticked := object{"summary": "Tick a correction off", "parameters": []any{param("path", "correction", whole, "of a correction")},
		"responses": object{"204": object{"description": "Done"}, "401": problem("No token, or one that is over"), "403": problem("Your role does not allow this"), "404": problem("There is no such thing in your network")}}
	team := param("path", "team", whole, "of a team")
	orNull := object{"type": []string{"string", "null"}, "format": "date-time"}
	brings := fields(object{"first_contacts_usual_week": number, "first_contacts_four_weeks": number, "texts_a_day": number, "longest_wait_days": object{"type": "number", "description": "in working days"},
		"late_chance": object{"type": "number", "description": "that anybody waits longer than promised"}, "contact_by": orNull, "senior_there": object{"type": "boolean", "description": "for most of the answers to texts sent now; else none are sent"},
		"campaigns": list(fields(object{"id": text, "name": text, "last_text": orNull, "last_text_from": orNull, "last_text_to": orNull, "texts_left": number}, "id", "name", "last_text", "texts_left"))},
		"first_contacts_usual_week", "first_contacts_four_weeks", "texts_a_day", "longest_wait_days", "late_chance", "contact_by", "senior_there", "campaigns")
	putCapacity := call("Replace the roster and the leave, or see what that would do", "The roster as it stands now; with dry_run=true what the roster brings before and after", object{"oneOf": []any{capacity,
		fields(object{"dry_run": yes, "before": brings, "after": brings}, "dry_run", "before", "after")}}, object{
		"parameters": []any{team, param("query", "dry_run", yes, "tell and change nothing")}, "requestBody": object{"required": true, "content": json(capacity)}})
	paths := object{
		"/api/v1/referrals": object{"get": call("A part of the queue, in the order of calling", "The referrals", fields(object{"referrals": list(referral)}, "referrals"), object{
			"parameters": []any{param("query", "state", object{"type": "string", "enum": states, "default": "open"}, "which part"),
				param("query", "practice", text, "an ODS code; open parts alone"), param("query", "reason", text, "a reason's code; open parts alone"), param("query", "language", text, "as in the answer; open parts alone")}})},
		"/api/v1/referrals/search": object{"post": call("Find referrals of your network by name, reference, NHS number or phone number; audited", "At most 50, the newest first", fields(object{"referrals": list(referral), "more": yes}, "referrals", "more"), object{
			"requestBody": object{"required": true, "content": json(fields(object{"find": object{"type": "string", "maxLength": 200}}, "find"))}})},
		"/api/v1/referrals/{id}":         object{"get": call("One referral with its answers; the view is audited", "The referral", referral, object{"parameters": []any{id}})},
		"/api/v1/referrals/{id}/{event}": object{"post": act},
		"/api/v1/referrals/{id}/join": object{"post": conflicts(call("Make one case of two referrals of the same person, which can be taken back", "The one that goes on; the more careful answers of both count", referral, object{
			"parameters": []any{id}, "requestBody": object{"required": true, "content": json(fields(object{"other": object{"type": "integer", "description": "the id of the other referral"}}, "other"))}}),
			"Somebody has the one that would leave the queue (code taken), or they cannot be joined (codes joined, urgent_stays, not_now)")},
		"/api/v1/referrals/{id}/separate": object{"post": conflicts(call("Take a join back; the id is that of the referral that left the queue", "The one from which it was separated", referral, object{"parameters": []any{id}}), "Something else was joined since (code joined_since), somebody else has it (taken), or it is not joined (not_now)")},
		"/api/v1/referrals/{id}/undo":     object{"post": conflicts(call("Undo the last step of a referral, within 15 minutes", "The referral as it stood before", referral, object{"parameters": []any{id}}), "It is too late, something came after it, or somebody else has opened the referral (code cannot_undo)")},
		"/api/v1/words":                   object{"get": call("What the network has changed of what its patients read", "Every line and reason, in order", words, nil), "put": putWords},
		"/api/v1/notices": object{"get": call("What the caller must look at now, as it stands at the top of their pages; many of a kind are one", "The notices, the most pressing first", fields(object{"notices": list(fields(object{
			"kind": object{"type": "string", "enum": selfrefer.NoticeKinds()}, "sentence": text, "since": object{"type": "string", "format": "date-time", "description": "of a promise: when it breaks"}, "referrals": object{"type": "integer", "description": "100 is 100 or more"},
			"referral": whole, "reference": text, "offered_to": text, "state": object{"type": "string", "description": "of the part of the queue in which they are"}}, "kind", "sentence", "since", "referrals", "state"))}, "notices"), nil)},
		"/api/v1/optouts": object{
			"get":  call("All opt-outs whose number is known, for another system; audited", "The opt-outs, and how many are known by a keyed index alone", fields(object{"optouts": list(optOut), "blind": whole}, "optouts", "blind"), object{}),
			"post": addOptOuts,
		},
		"/api/v1/corrections":                   object{"get": call("What practices must correct in their own records, oldest first; audited", "The corrections", fields(object{"corrections": list(correction)}, "corrections"), object{})},
		"/api/v1/corrections/{correction}/done": object{"post": ticked},
		"/api/v1/teams/{team}/capacity": object{
			"get": call("Who works when, and what the team can do", "The roster", capacity, object{"parameters": []any{team}}),
			"put": putCapacity,
		},
	}
	described := describe{call: call, json: json, param: param, list: list, fields: fields, holder: holder, referral: referral}
	maps.Copy(paths, supportCalls(described))
	maps.Copy(paths, reportCalls(described))
	maps.Copy(paths, restrictCalls(described, problem))
	maps.Copy(paths, shareCalls(described))
	paths = h.toOthers(paths, call, problem)
	for path, usual := range map[string]int{"/api/v1/referrals": pageSize, "/api/v1/referrals/{id}/looked": usualPage, "/api/v1/glass": usualPage, "/api/v1/tasks": selfrefer.MaxTasks, "/api/v1/services": 0, "/api/v1/optouts": 0,
		"/api/v1/corrections": 0, "/api/v1/practices/{ods}/files": 100, "/api/v1/webhooks": 0, "/api/v1/webhooks/{hook}/deliveries": usualPage} {
		ui.DescribePages(paths[path].(object)["get"].(object), usual)
	}
	return paths
}
