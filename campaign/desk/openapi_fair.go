package desk

import "github.com/wellpaced/wellpaced/campaign"

// fairPaths describes how far people have come, who answers, and deprivation.
func fairPaths(call func(name, summary string, responses, more object) object, answer func(status, what string, schema object) object, body func(kind string, schema object, required bool) object, id object) object {
	thing := func(properties object) object { return object{"type": "object", "properties": properties} }
	number, word, instant := object{"type": "integer"}, object{"type": "string"}, object{"type": []string{"string", "null"}, "format": "date-time"}
	shown := object{"type": "object", "description": "n is null and suppressed is true where a number is not shown, so that no number of people from 1 to 4 can be worked out. at_least is what was last shown of it",
		"properties": object{"n": object{"type": []string{"integer", "null"}}, "suppressed": object{"type": "boolean"}, "at_least": number}, "required": []string{"n", "suppressed"}}
	counts := object{"type": "object", "additionalProperties": number}
	stages, all := object{}, object{}
	for _, s := range campaign.Stages() {
		stages[s.String()], all[s.String()] = shown, number
	}
	grouped := func(properties object) object {
		properties["group"] = object{"type": "string", "description": "A code; empty if it is not known, * for all others"}
		properties["label"] = word
		by := object{}
		for _, g := range campaign.Groupings {
			by[string(g)] = object{"type": "array", "items": thing(properties)}
		}
		return object{"type": "object", "properties": by, "description": "By grouping. A campaign has district or deprivation, never both"}
	}
	counted := object{"type": []string{"string", "null"}, "format": "date-time", "description": "The numbers are as of the end of a day; null before the first"}
	rate := object{"type": []string{"number", "null"}, "description": "A share of those whose text arrived"}
	deciles := thing(object{"uploaded_at": instant, "rows": number, "used": number, "rejected": counts, "sectors": number, "undecided": number})
	upload := thing(object{"file": object{"type": "string", "contentMediaType": "text/csv", "description": "A postcode or a postcode sector, and a decile from 1 to 10, the most deprived tenth being 1"}})
	upload["required"] = []string{"file"}
	of := object{"parameters": []object{id}}
	return object{
		"/api/v1/campaigns/{id}/funnel": object{"get": call("campaignFunnel", "How far a campaign's people have come, by group", answer("200", "People by the stage that they have reached, and texts that did not arrive",
			thing(object{"counted_to": counted, "all": thing(all), "groups": grouped(object{"stages": thing(stages)}),
				"delivery_problems": object{"type": "array", "items": thing(object{"code": word, "kind": word, "texts": number, "words": word})}})), of)},
		"/api/v1/campaigns/{id}/fairness": object{"get": call("campaignFairness", "Who answers a campaign, and who does not", answer("200", "Numbers and rates by group",
			thing(object{"counted_to": counted, "groups": grouped(object{"delivered": shown, "answered": shown, "contacted": shown, "answer_rate": rate, "contact_rate": rate}),
				"least_heard": object{"type": "array", "items": thing(object{"by": word, "group": word, "sentence": word})}})), of)},
		"/api/v1/deprivation": object{
			"get":  call("deprivation", "How the network's file of deciles was read", answer("200", "Its ledger", deciles), nil),
			"post": call("uploadDeprivation", "Upload deciles of deprivation by postcode or postcode sector", answer("201", "Its ledger", deciles), body("multipart/form-data", upload, true)),
		},
	}
}
