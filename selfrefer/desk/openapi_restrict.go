package desk

import "github.com/wellpaced/wellpaced/selfrefer"

// restrictCalls describes who may open a referral, and breaking the glass.
func restrictCalls(d describe, problem func(words string) object) object {
	text, whole, yes, at := object{"type": "string"}, object{"type": "integer"}, object{"type": "boolean"}, object{"type": "string", "format": "date-time"}
	long := object{"type": "string", "maxLength": selfrefer.MaxReason}
	reason := object{"type": "string", "enum": selfrefer.RestrictReasons, "description": "told to those alone who may open the referral, as are the words"}
	id := d.param("path", "id", whole, "of a referral")
	with := func(parameters ...any) object { return object{"parameters": parameters} }
	in := func(schema object) object { return object{"required": true, "content": d.json(schema)} }
	nothing := func(summary string, more object) object {
		o := object{"summary": summary, "responses": object{"204": object{"description": "Done"}, "401": problem("No token, or one that is over"), "403": problem("Your role does not allow this, or you may not open it (code restricted)"),
			"404": problem("There is no such thing in your network"), "409": problem("It is not restricted, acknowledged already, or whoever has it supports the person (codes not_now, holder_barred)"), "422": problem("What was sent cannot be taken (codes invalid, nobody_left, no_restriction, not_theirs, reason)")}}
		for k, v := range more {
			o[k] = v
		}
		return o
	}
	restriction := d.fields(object{"restricted": yes, "only": object{"type": "boolean", "description": "whoever has it and those in may alone"}, "may": d.list(d.holder), "never": d.list(d.holder),
		"no_practice": object{"type": "boolean", "description": "nothing of it goes to the GP practice"}, "reason": reason, "words": text, "by": d.holder, "at": at,
		"also": object{"type": "array", "description": "referrals of the same person whose restriction holds for this one, too", "items": d.fields(object{"id": whole, "reference": text}, "id", "reference")}}, "restricted", "only", "may", "never", "no_practice", "also")
	change := d.fields(object{"only": yes, "may": d.list(whole), "never": object{"type": "array", "items": whole, "description": "accounts for whom it does not exist"}, "no_practice": yes, "reason": reason, "words": long}, "reason")
	looks := d.fields(object{"reference": text, "looks": d.list(d.fields(object{"at": at, "by": d.holder, "reference": text, "broke_the_glass": yes}, "at", "by", "reference", "broke_the_glass"))}, "reference", "looks")
	breakings := d.fields(object{"guardian": d.holder, "breakings": d.list(d.fields(object{"id": whole, "referral": whole, "reference": text, "by": d.holder, "at": at, "until": at, "reason": text,
		"acknowledged_by": d.holder, "acknowledged": at, "note": text}, "id", "referral", "reference", "by", "at", "until", "reason"))}, "breakings")
	broken := d.call("Break the glass of a referral that you may not open: it stands open to you for an hour, and the Caldicott guardian is told at once with your name and reason", "The referral", d.referral, with(id))
	broken["requestBody"] = in(d.fields(object{"reason": object{"type": "string", "minLength": selfrefer.MinGlassReason, "maxLength": selfrefer.MaxReason}}, "reason"))
	broken["responses"].(object)["409"] = problem("You can open it anyway (code not_now)")
	return object{
		"/api/v1/referrals/{id}/restriction": object{
			"get":    d.call("Who may open a referral", "The restriction that was set on it", restriction, with(id)),
			"put":    nothing("Restrict who may open a referral, and all that is one case with it", object{"parameters": []any{id}, "requestBody": in(change)}),
			"delete": nothing("Lift the restriction that was set on a referral", with(id)),
		},
		"/api/v1/referrals/{id}/break-glass": object{"post": broken},
		"/api/v1/referrals/{id}/looked":      object{"get": d.call("Who has opened a referral, from the audit, the latest first; audited", "The looks", looks, with(id))},
		"/api/v1/glass":                      object{"get": d.call("Who has broken the glass, for whoever is told of it", "The latest first", breakings, object{})},
		"/api/v1/glass/{breaking}/acknowledge": object{"post": nothing("Acknowledge that you have read of a broken glass", object{"parameters": []any{d.param("path", "breaking", whole, "of a breaking")},
			"requestBody": object{"content": d.json(d.fields(object{"note": long}))}})},
		"/api/v1/guardian": object{"put": nothing("Choose the Caldicott guardian; 0 is nobody: every administrator is told", object{"requestBody": in(d.fields(object{"account": whole}, "account"))})},
	}
}
