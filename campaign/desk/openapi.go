package desk

import (
	"maps"

	"github.com/wellpaced/wellpaced/campaign"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

type object = map[string]any

func otherLanguages() (codes []string) {
	for _, l := range lang.All[1:] {
		codes = append(codes, string(l.Code))
	}
	return codes
}

// OpenAPI is this desk's part of the description of the API (OpenAPI 3.1): its paths.
func OpenAPI() map[string]any {
	number, word, yes := object{"type": "integer"}, object{"type": "string"}, object{"type": "boolean"}
	instant := object{"type": []string{"string", "null"}, "format": "date-time"}
	decimal := object{"type": "number"}
	pounds := object{"type": "string", "description": "Pounds, such as 0.0412"}
	counts := object{"type": "object", "additionalProperties": number}
	thing := func(properties object) object { return object{"type": "object", "properties": properties} }
	with := func(a, b object) object {
		c := maps.Clone(a)
		maps.Copy(c, b)
		return c
	}
	list := thing(object{"id": number, "name": word, "state": object{"enum": []string{"importing", "screened", "interrupted"}}, "created_at": instant, "screened_at": instant, "synthetic": yes,
		"taken_on":      object{"type": []string{"string", "null"}, "format": "date", "description": "The day on which the list was taken from the GP system: its age counts from it"},
		"file_taken_on": object{"type": "string", "format": "date", "description": "That day as the file itself says it; left out if it does not"},
		"too_old_at":    with(instant, object{"description": "Then campaigns stop sending to this list, unless they were made to go on longer"}),
		"done":          with(number, object{"description": "Rows that are checked, while the list is importing"}),
		"parent":        with(number, object{"description": "The list that this one was narrowed from"}),
		"rows":          number, "invited": number, "excluded": counts, "rejected": counts})
	windows := object{"type": "object", "description": `Hours by weekday: {"monday": ["09:00", "17:00"]}. Left out: Monday to Friday, 9 to 5.`,
		"additionalProperties": object{"type": "array", "items": word, "minItems": 2, "maxItems": 2}}
	translations := object{"type": "object", "description": "The text in other languages, by code; whoever's list names none of them gets it in English. A translation that no professional has reviewed is refused, except for a list that is made up.",
		"propertyNames":        object{"enum": otherLanguages()},
		"additionalProperties": thing(object{"text": word, "reviewed": with(yes, object{"description": "You vouch that a professional has reviewed it"})})}
	draft := thing(object{"list": number, "team": with(number, object{"description": "May be left out if the network has one team"}), "name": word, "text": word, "translations": translations,
		"reminder": thing(object{"text": word, "translations": translations, "after_days": number, "least_first": with(yes, object{"description": "Groups that had answered least when the reminders begin get theirs first"})}), "windows": windows, "daily_cap": number, "budget": pounds, "price": with(pounds, object{"default": plainPounds(DefaultPrice)}),
		"rate": object{"type": "number", "default": DefaultRate, "description": "Parts of texts a second"}, "first": object{"type": "string", "format": "date"}, "last": object{"type": "string", "format": "date"},
		"first_look": object{"type": "boolean", "default": true, "description": "Pause after the first 20 texts until somebody has looked at them (resume goes on). Lists of up to 20 people are never paused."}})
	draft["required"] = []string{"list", "name", "text"}
	grounds := thing(object{"purpose": object{"enum": []string{string(campaign.DirectCare), string(campaign.OtherPurpose)}, "description": "Only direct care may be texted"},
		"basis": object{"enum": []string{string(campaign.BasisCare), string(campaign.BasisPublicHealth)}}, "dpia": with(word, object{"description": "Where the data protection impact assessment is"})})
	share := object{"ods": word, "invited": number, "approved": with(yes, object{"description": "It agrees to the campaign as it is now"}), "word": object{"enum": []string{"agreed", "refused", "withdrawn"}},
		"stale": with(yes, object{"description": "It agreed to something else"}), "at": instant, "withheld": with(number, object{"description": "Texts that wait for it to agree again"})}
	basics := object{"id": number, "name": word, "state": word, "list": number, "team": number,
		"steps":  object{"type": "array", "items": thing(object{"number": number, "template": word, "translations": translations, "after_days": number, "least_first": yes})},
		"policy": thing(object{"windows": windows, "daily_cap": number, "budget": pounds, "price": pounds, "rate": object{"type": "number"}, "first": instant, "last": instant, "first_look": yes}),
		"held":   word, "created_by": number, "submitted_by": number, "approved_by": number, "created_at": instant, "launched_at": instant, "finished_at": instant, "links_off_at": instant, "fresh_at": instant, "grounds": grounds,
		"hash": with(word, object{"description": "What an approval is for"})}
	orNull := object{"type": []string{"object", "null"}}
	states := object{}
	for _, s := range campaign.MessageStates {
		states[string(s)] = number
	}
	view := thing(with(basics, object{"messages": thing(states), "texts": number, "planning": yes, "people": with(number, object{"description": "Who gets its texts; an approval for more than 200 has to give this number"}),
		"first_look": object{"enum": []string{"due", "waiting", "done"}, "description": "waiting: the first texts have gone, and resume says that they are right"}, "waits": with(word, object{"description": "Why nothing at all is sent: a restored database does not know yet what left"}), "opened": number, "answers": number, "cost": pounds, "texts_back": number,
		"forecast": with(thing(object{"finish_from": instant, "finish_likely": instant, "finish_to": instant, "contact_by": instant,
			"next_day": with(thing(object{"mean": decimal, "p05": decimal, "p25": decimal, "p75": decimal, "p95": decimal}),
				object{"type": []string{"object", "null"}, "description": "Answers within 24 hours of the decision, to texts that have gone; p05 to p95 holds nine in ten. A count k fills k-0.5 to k+0.5: round these, and a bound just below 0 is 0"}),
			"queue_ahead": object{"type": "array", "description": "Who will wait if no more texts go; p10 to p90 holds eight in ten. can_answer: first calls that the team can make within its promise from then on",
				"items": thing(object{"at": instant, "mean": decimal, "p10": decimal, "p90": decimal, "can_answer": decimal})}}), orNull),
		"silent_since":  with(instant, object{"description": "Since when answers have stopped, while sending waits for somebody to look at the link"}),
		"last_decision": with(thing(object{"at": instant, "n": number, "limit": word, "sentence": word}), orNull),
		"practices":     object{"type": "array", "description": "A practice viewer's own alone", "items": thing(share)}}))

	content := func(kind string, schema object) object { return object{kind: object{"schema": schema}} }
	answer := func(status, what string, schema object) object {
		return object{status: object{"description": what, "content": content("application/json", schema)},
			"default": object{"description": "A problem (RFC 9457): code for programs, detail for people", "content": content("application/problem+json", thing(object{"status": number, "code": word, "detail": word}))}}
	}
	parameter := func(name string, schema object) object {
		return object{"name": name, "in": "path", "required": true, "schema": schema}
	}
	id := parameter("id", number)
	asked := func(name, what string) object {
		return object{"name": name, "in": "query", "schema": number, "description": what}
	}
	bearer := []object{{"bearer": []string{}}}
	call := func(name, summary string, responses object, more object) object {
		return with(object{"operationId": name, "summary": summary, "tags": []string{"campaigns"}, "security": bearer, "responses": responses}, more)
	}
	body := func(kind string, schema object, required bool) object {
		return object{"requestBody": object{"required": required, "content": content(kind, schema)}}
	}
	words := object{"type": "array", "items": word}
	groups := object{"type": "array", "items": thing(object{"value": word, "people": number})}
	narrowing := thing(object{"practices": words, "age_bands": words, "sexes": words, "needs": with(words, object{"description": "Any of these"}), "name": word,
		"not_on":  with(number, object{"description": "Of which other list nobody is to be in the new one: who is new since then is left"}),
		"dry_run": with(yes, object{"description": "Only count: the answer is then 200 with people, and practices with their numbers"})})
	narrowing["description"] = "Whoever is in one of each of the groups that are named. The values are those that the list’s groups have; an empty one is who has none."
	upload := thing(object{"file": object{"type": "string", "contentMediaType": "text/csv", "description": "CSV, or an Excel workbook (.xlsx)"},
		"mapping":  object{"type": "object", "additionalProperties": word, "description": `Column names of fields that are not recognised: {"mobile": "Contact number"}. Send it before the file.`},
		"practice": with(word, object{"description": "ODS code, for a file that does not say. Send it before the file."}), "name": word,
		"taken_on": object{"type": "string", "format": "date", "description": "The day on which the list was taken from the GP system: its age counts from it. Left out: the day that the file says (“Run on”, “Report date”), or else the day of the upload. A file that says a day in the future, or more than a year ago, is refused without (422, taken_unclear)"}})
	upload["required"] = []string{"file"}

	paths := object{
		"/api/v1/lists": object{
			"get":  call("lists", "Patient lists, newest first", answer("200", "The lists", thing(object{"lists": object{"type": "array", "items": list}})), nil),
			"post": call("uploadList", "Upload and screen a patient list", answer("201", "Its ledger", list), body("multipart/form-data", upload, true)),
		},
		"/api/v1/lists/{id}": object{"get": call("list", "One list's ledger", answer("200", "The ledger", list), object{"parameters": []object{id}})},
		"/api/v1/lists/{id}/not-invited.csv": object{"get": call("notInvited", "Rows that are not invited, with reasons",
			object{"200": object{"description": "Row, what became of it, code, reason", "content": content("text/csv", word)}}, object{"parameters": []object{id,
				{"name": "reason", "in": "query", "schema": word, "description": "Only the rows with this code"}}})},
		"/api/v1/lists/{id}/groups": object{"get": call("groups", "By what a list can be narrowed", answer("200", "How many people who can be texted are in each group",
			thing(object{"practices": groups, "age_bands": groups, "sexes": groups, "needs": groups})), object{"parameters": []object{id}})},
		"/api/v1/lists/{id}/narrow": object{"post": call("narrowList", "Make a list of some of another’s people", with(answer("202", "The new list, which is being made", list),
			object{"200": object{"description": "With dry_run: the numbers", "content": content("application/json", thing(object{"people": number, "practices": groups}))}}),
			with(object{"parameters": []object{id}}, body("application/json", narrowing, true)))},
		"/api/v1/lists/{id}/compare": object{"get": call("compareLists", "What changed since an earlier list", answer("200", "Numbers of people who can be texted",
			thing(object{"same": number, "new": number, "gone": number, "moved_practice": number, "changed_number": number})),
			object{"parameters": []object{id, {"name": "with", "in": "query", "required": true, "schema": number, "description": "The earlier list"}}})},
		"/api/v1/campaigns": object{
			"get":  call("campaigns", "Campaigns, newest first", answer("200", "The campaigns", thing(object{"campaigns": object{"type": "array", "items": thing(basics)}})), nil),
			"post": call("createCampaign", "Make a campaign, as a draft", answer("201", "The draft", thing(basics)), body("application/json", draft, true)),
		},
		"/api/v1/campaigns/{id}": object{"get": call("campaign", "How a campaign goes", answer("200", "Counts per message state, forecast, last decision", view), object{"parameters": []object{id}}),
			"put": call("saveCampaign", "Write a draft anew. What practices have agreed to is asked again", answer("200", "The draft", thing(basics)), with(object{"parameters": []object{id}}, body("application/json", draft, true)))},
		"/api/v1/campaigns/{id}/test": object{"post": call("testCampaign", "Have its text sent to your own phone, marked TEST, with made-up names. At most five an hour", answer("200", "The campaign", thing(basics)),
			with(object{"parameters": []object{id}}, body("application/json", with(thing(object{"to": with(word, object{"description": "Your own mobile number"}), "step": with(number, object{"default": 1}), "language": with(word, object{"default": "en"})}), object{"required": []string{"to"}}), true)))},
		"/api/v1/campaigns/{id}/outlook": object{"get": call("outlook", "How a campaign will go, or would with other limits. Nothing is saved", answer("200", "A forecast", thing(object{
			"last_text_from": instant, "last_text": instant, "last_text_to": instant, "stopped": word, "answers": decimal, "longest_wait_days": decimal, "late_chance": decimal, "cost": pounds,
			"days": object{"type": "array", "items": thing(object{"day": object{"type": "string", "format": "date"}, "texts": decimal, "answers": decimal, "queue": decimal, "queue_p90": decimal, "capacity": decimal})}})),
			object{"parameters": []object{id, asked("capacity", "Percent of the team's time for first calls today"), asked("cap", "Most texts in one day; empty: no limit"), asked("promise", "Working days")}})},
		"/api/v1/campaigns/{id}/links-off":    object{"post": call("linksOff", "Switch the links of its texts off, as after a wrong text", answer("200", "The campaign", thing(basics)), object{"parameters": []object{id}})},
		"/api/v1/campaigns/{id}/links-on":     object{"post": call("linksOn", "Switch them on again", answer("200", "The campaign", thing(basics)), object{"parameters": []object{id}})},
		"/api/v1/campaigns/{id}/confirm-link": object{"post": call("confirmLink", "Say that the link works, after answers have stopped; sending goes on", answer("200", "The campaign", thing(basics)), object{"parameters": []object{id}})},
	}
	maps.Copy(paths, fairPaths(call, answer, body, id))
	maps.Copy(paths, correctionPaths(call, answer, body, id))
	of := object{"parameters": []object{id, parameter("ods", word)}}
	said := body("application/json", thing(object{"terms": with(word, object{"description": "If given, the practice is asked for exactly this"}),
		"note": with(word, object{"description": "An administrator's: who at the practice said so, and when; needed. A practice's own: why not; needed to refuse"})}), false)
	paths["/api/v1/campaigns/{id}/practices/{ods}"] = object{"get": call("campaignPractice", "What a practice is asked, and what it has said", answer("200", "The terms and the words", thing(with(share, object{
		"terms": word, "list": number, "list_name": word, "list_at": instant, "steps": object{"type": "array"}, "grounds": grounds,
		"said": object{"type": "array", "items": thing(object{"word": word, "at": instant, "account": number, "note": word})}}))), of)}
	for move, summary := range map[string]string{"approve": "A practice agrees to its patients being texted", "refuse": "A practice does not agree", "withdraw": "A practice withdraws: once this is answered, no text to its patients leaves"} {
		paths["/api/v1/campaigns/{id}/practices/{ods}/"+move] = object{"post": call(move+"Practice", summary, answer("200", "The campaign", thing(basics)), with(of, said))}
	}
	paths["/api/v1/campaigns/{id}/grounds"] = object{"put": call("setGrounds", "State the purpose and the lawful basis of a draft", answer("200", "The campaign", thing(basics)),
		with(object{"parameters": []object{id}}, body("application/json", grounds, true)))}
	screenings := thing(object{"list_at": with(instant, object{"description": "From when the age of the campaign's list counts"}), "screenings": object{"type": "array", "items": thing(object{"list": number, "at": instant,
		"state": object{"enum": []string{"counting", "asking", "removing", "done", "cancelled"}}, "looked": number, "people": number, "waiting": number, "removed": number, "out": counts, "texted": number, "new": number})}})
	for path, does := range map[string]object{
		"":         call("startFreshList", "Screen the campaign's list against a fresh one; nothing is sent until it is over", answer("200", "The screenings, newest first", screenings), body("application/json", thing(object{"list": number}), true)),
		"/confirm": call("confirmFreshList", "Take out so many people, when more than one in twenty would be", answer("200", "The screenings", screenings), body("application/json", thing(object{"remove": number}), true)),
		"/cancel":  call("cancelFreshList", "Give the screening up; nobody is taken out", answer("200", "The screenings", screenings), nil),
	} {
		paths["/api/v1/campaigns/{id}/fresh-list"+path] = object{"post": with(does, object{"parameters": []object{id}})}
	}
	maps.Copy(paths["/api/v1/campaigns/{id}/fresh-list"].(object), object{"get": call("freshList", "The screenings against fresh lists, newest first", answer("200", "The screenings", screenings), object{"parameters": []object{id}})})
	size := object{"type": "integer", "description": "Bytes"}
	paths["/api/v1/system"] = object{"get": call("system", "How sending itself stands, for administrators", answer("200", "The queue, the pacer, the disk and the alarms", thing(object{
		"stopped": with(word, object{"description": "Why nothing is sent; empty if it is"}), "leader": word, "leads": yes, "leads_since": instant, "provider": word, "quarantine": yes,
		"queue": thing(object{"answers": yes, "inside": yes, "waiting": number, "in_hand": number, "retrying": number, "dead": number, "oldest_seconds": decimal,
			"processes": object{"type": "array", "items": thing(object{"host": word, "pid": number, "at_once": number, "since": instant})}}),
		"messages": thing(states), "alarms": object{"type": "array", "items": thing(object{"at": instant, "code": word, "campaign": number, "sentence": word})},
		"journal_owed": number, "disk": thing(object{"free_bytes": size, "floor_bytes": size, "ballast_bytes": size}), "mail": word})), nil)}
	maps.Copy(paths, object{
		"/api/v1/campaigns/{id}/decisions": object{"get": call("campaignDecisions", "What the pacer decided and why, the newest first", answer("200", "The decisions", thing(object{"decisions": object{"type": "array",
			"items": thing(object{"at": instant, "n": number, "limit": word, "sentence": word})}})), object{"parameters": []object{id}})},
		"/api/v1/lists/{id}/not-invited": object{"get": call("notInvitedRows", "Rows that are not invited, in the file’s order", answer("200", "The rows, by their numbers in the file", thing(object{"rows": object{"type": "array",
			"items": thing(object{"row": number, "kind": object{"enum": []string{"rejected", "excluded"}}, "code": word, "reason": word})}})), object{"parameters": []object{id}})},
	})
	maps.Copy(paths, object{
		"/api/v1/lists/{id}/looked": object{"get": call("listLooks", "Who has been shown people of a list, from the audit, the latest first; audited", answer("200", "The looks. The same people within an hour are one look", thing(object{"looks": object{"type": "array",
			"items": thing(object{"at": instant, "by": thing(object{"id": number, "name": word}), "row": with(number, object{"description": "Of the file: one person, as their text shows them"}),
				"masked": with(object{"type": "boolean"}, object{"description": "The text as it left, without their name"}), "first": with(number, object{"description": "So many rows at the beginning of the file, while its columns were checked"})})}})), object{"parameters": []object{id}})},
	})
	for path, usual := range map[string]int{"/api/v1/lists": listsShown, "/api/v1/lists/{id}/looked": usualPage, "/api/v1/campaigns": listsShown, "/api/v1/campaigns/{id}/decisions": usualPage, "/api/v1/lists/{id}/not-invited": usualPage} {
		ui.DescribePages(paths[path].(object)["get"].(object), usual)
	}
	for m, summary := range map[campaign.Move]string{
		campaign.Submit: "Submit a draft for approval", campaign.Approve: "Approve, as a second person", campaign.Return: "Send back to draft", campaign.Launch: "Launch",
		campaign.Pause: "Pause", campaign.Resume: "Go on sending", campaign.Stop: "Stop for good",
	} {
		said := object{"hash": with(word, object{"description": "If given, the campaign must still be exactly this"})}
		if m == campaign.Approve {
			said["people"] = with(number, object{"description": "How many people get its texts. Needed above 200; a wrong number is refused (422)"})
		}
		paths["/api/v1/campaigns/{id}/"+string(m)] = object{"post": call(string(m)+"Campaign", summary, answer("200", "The campaign", thing(basics)),
			with(object{"parameters": []object{id}}, body("application/json", thing(said), false)))}
	}
	return paths
}
