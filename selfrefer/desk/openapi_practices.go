package desk

import "github.com/wellpaced/wellpaced/selfrefer"

// toOthers adds the calls about what other systems are given and told.
func (h *Handler) toOthers(paths object, call func(summary, ok string, schema object, more object) object, problem func(words string) object) object {
	text, whole, yes, at := object{"type": "string"}, object{"type": "integer"}, object{"type": "boolean"}, object{"type": "string", "format": "date-time"}
	list := func(of object) object { return object{"type": "array", "items": of} }
	fields := func(props object) object { return object{"type": "object", "properties": props} }
	in := func(schema object) object {
		return object{"required": true, "content": object{"application/json": object{"schema": schema}}}
	}
	path := func(name string, schema object, words string) object {
		return object{"in": "path", "name": name, "schema": schema, "description": words, "required": true}
	}
	ods, file, hook, delivery := path("ods", text, "a practice's ODS code"), path("file", whole, "of a file"), path("hook", whole, "of a webhook"), path("delivery", whole, "of a delivery")
	format := path("format", object{"type": "string", "enum": []string{"csv", "fhir"}}, "CSV, or a FHIR R4 bundle of type collection")
	with := func(parameters ...any) object { return object{"parameters": parameters} }
	nothing := func(summary string, parameters ...any) object {
		return object{"summary": summary, "parameters": parameters, "responses": object{"204": object{"description": "Done"}, "401": problem("No token, or one that is over"), "403": problem("Your role does not allow this"),
			"404": problem("There is no such thing in your network"), "409": problem("The webhook is off (code webhook_off)")}}
	}
	counts := object{"type": "object", "propertyNames": object{"enum": selfrefer.EntryKinds}, "additionalProperties": whole}
	aFile := fields(object{"id": whole, "practice": text, "state": object{"type": "string", "enum": []string{"begun", "ready", "deleted"}}, "made": at, "counts": counts, "again_of": whole, "downloads": whole})
	codes := fields(object{"accepted": text, "declined": text, "offered": text})
	aHook := object{"id": whole, "url": text, "events": list(object{"type": "string", "enum": selfrefer.HookEvents}), "on": yes, "why_off": text, "failing": yes, "waiting": whole}
	newHook := object{"secret": object{"type": "string", "description": "told this once: whsec_ and the key in base64"}}
	for k, v := range aHook {
		newHook[k] = v
	}
	makeFile := made(call("Make a file of what this practice has not been told; one that was begun is finished", "The file", aFile, with(ods)))
	makeFile["responses"].(object)["409"] = problem("There is nothing new (code nothing_new)")
	again := made(call("Make a file that tells the same as an earlier one, on purpose; audited", "The new file", aFile, object{"parameters": []any{ods, file}, "requestBody": in(fields(object{"reason": object{"type": "string", "maxLength": maxReason}}))}))
	again["responses"].(object)["410"] = problem("The file is too old (code file_deleted)")
	download := call("Download a file, each time the same; audited", "The file", object{"type": "string", "format": "binary"}, with(ods, file, format))
	download["responses"].(object)["200"] = object{"description": "The file, streamed. A connection that ends early is half a file.", "content": object{"text/csv": object{"schema": text}, "application/fhir+json": object{"schema": object{"type": "object"}}}}
	download["responses"].(object)["410"] = problem("The file is too old (code file_deleted)")
	addHook := made(call("Set up a webhook: each event comes at least once, in no certain order, signed as Standard Webhooks 1 says", "The webhook with its secret", fields(newHook), object{
		"requestBody": in(fields(object{"url": object{"type": "string", "format": "uri", "description": "https, and no private network"}, "events": list(object{"type": "string", "enum": selfrefer.HookEvents})}))}))
	for p, methods := range map[string]any{
		"/api/v1/practices":                                       object{"get": call("What each practice has not been told yet", "Counts by kind", fields(object{"practices": list(fields(object{"ods": text, "name": text, "new": counts, "begun": yes}))}), object{})},
		"/api/v1/practices/codes":                                 object{"get": call("The SNOMED CT codes that go into files", "The codes; empty ones are off", codes, object{}), "put": call("Replace the codes", "The codes", codes, object{"requestBody": in(codes)})},
		"/api/v1/practices/{ods}/files":                           object{"get": call("The files of a practice, newest first", "The files", fields(object{"files": list(aFile)}), with(ods)), "post": makeFile},
		"/api/v1/practices/{ods}/files/{file}/{format}":           object{"get": download},
		"/api/v1/practices/{ods}/files/{file}/again":              object{"post": again},
		"/api/v1/webhooks":                                        object{"get": call("The webhooks of your network", "The webhooks, without their secrets", fields(object{"webhooks": list(fields(aHook))}), object{}), "post": addHook},
		"/api/v1/webhooks/{hook}":                                 object{"delete": nothing("Remove a webhook", hook)},
		"/api/v1/webhooks/{hook}/test":                            object{"post": nothing("Have a test sent", hook)},
		"/api/v1/webhooks/{hook}/on":                              object{"post": nothing("Switch a webhook on", hook)},
		"/api/v1/webhooks/{hook}/off":                             object{"post": nothing("Switch a webhook off; what waits is given up", hook)},
		"/api/v1/webhooks/{hook}/deliveries/{delivery}/redeliver": object{"post": nothing("Send one again, by the same id", hook, delivery)},
		"/api/v1/webhooks/{hook}/deliveries": object{"get": call("The last deliveries, newest first", "At most 50", fields(object{"deliveries": list(fields(object{"id": whole, "webhook_id": text, "event": text, "at": at,
			"state": object{"type": "string", "enum": []selfrefer.DeliveryState{selfrefer.Due, selfrefer.Arrived, selfrefer.NotDelivered}}, "tries": whole, "outcome": text}))}), with(hook))},
	} {
		paths[p] = methods
	}
	return paths
}
