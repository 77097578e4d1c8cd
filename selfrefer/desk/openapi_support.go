package desk

import "github.com/wellpaced/wellpaced/selfrefer"

// describe are the words in which OpenAPI writes.
type describe struct {
	call     func(summary, ok string, schema object, more object) object
	json     func(schema object) object
	param    func(in, name string, schema object, words string) object
	list     func(of object) object
	fields   func(props object, required ...string) object
	holder   object
	referral object
}

// discharges are the codes of why a support ends.
func discharges() (codes []selfrefer.Discharge) {
	for _, d := range selfrefer.Discharges {
		codes = append(codes, d.Reason)
	}
	return codes
}

// made says of a call that it makes something: 201, and where that is.
func made(call object) object {
	answers := call["responses"].(object)
	answers["201"] = answers["200"]
	delete(answers, "200")
	return call
}

// supportCalls describes what happens after the call: tasks, support, and the directory of services.
func supportCalls(d describe) object {
	text, whole, yes := object{"type": "string"}, object{"type": "integer"}, object{"type": "boolean"}
	at, day := object{"type": "string", "format": "date-time"}, object{"type": "string", "format": "date"}
	long := func(most int) object { return object{"type": "string", "maxLength": most} }
	one := func(of any) object { return object{"type": "string", "enum": of} }
	places := object{"type": []string{"integer", "null"}, "minimum": 0, "description": "null: nobody knows"}
	entry := func(props object) object {
		props["id"], props["by"] = whole, d.holder
		props["removed"] = object{"type": "boolean", "description": "recorded by mistake"}
		return d.fields(props)
	}
	taskKinds, entryKinds := one([]selfrefer.TaskKind{selfrefer.PlainTask, selfrefer.FollowUp}), one([]selfrefer.SupportEntry{selfrefer.GoalEntry, selfrefer.OnwardEntry, selfrefer.InterventionEntry, selfrefer.MeasureEntry})
	scores := object{"type": "object", "description": "by item; what was not answered is left out", "additionalProperties": whole}
	measureKinds := one([]string{selfrefer.KindONS4, selfrefer.KindLoneliness, selfrefer.KindOwn})
	task := d.fields(object{"id": whole, "referral": whole, "reference": text, "name": text, "kind": taskKinds, "words": text, "due": day,
		"for": object{"allOf": []any{d.holder}, "description": "nobody: whoever has the referral"}, "by": d.holder, "at": at, "done_by": d.holder, "done_at": at}, "id", "referral", "kind", "words", "due", "by", "at")
	support := d.fields(object{"referral": whole, "state": one(selfrefer.States), "ended": one(discharges()), "ended_at": at, "tasks": d.list(task),
		"goals":         d.list(entry(object{"words": text, "state": one(selfrefer.GoalStates), "set": day, "ended": day})),
		"onward":        d.list(entry(object{"service": whole, "place": text, "how": one(selfrefer.OnwardHows), "state": one(selfrefer.OnwardStates), "day": day, "changed": day, "why": text})),
		"interventions": d.list(entry(object{"kind": text, "day": day, "minutes": whole, "note": text})),
		"measures":      d.list(entry(object{"kind": measureKinds, "own": whole, "day": day, "scores": scores})),
		"suggestions":   d.list(d.fields(object{"service": whole, "name": text, "for": d.list(text), "speaks": yes, "places": places})),
	}, "referral", "state", "tasks", "goals", "onward", "interventions", "measures", "suggestions")
	when := object{"type": "string", "format": "date", "description": "today if it is left out"}
	change := d.fields(object{
		"task":         d.fields(object{"kind": taskKinds, "words": long(selfrefer.MaxEntry), "due": day, "for": object{"type": "integer", "description": "an account; 0 is whoever has the referral"}}, "words", "due"),
		"tick_task":    d.fields(object{"id": whole, "done": yes}, "id", "done"),
		"goal":         d.fields(object{"words": long(selfrefer.MaxEntry)}, "words"),
		"set_goal":     d.fields(object{"id": whole, "state": one(selfrefer.GoalStates)}, "id", "state"),
		"onward":       d.fields(object{"service": whole, "place": long(selfrefer.MaxPlace), "how": one(selfrefer.OnwardHows), "state": one(selfrefer.OnwardStates), "day": when, "why": long(selfrefer.MaxEntry)}, "how", "state"),
		"set_onward":   d.fields(object{"id": whole, "state": one(selfrefer.OnwardStates), "why": long(selfrefer.MaxEntry)}, "id", "state"),
		"intervention": d.fields(object{"kind": text, "day": when, "minutes": object{"type": "integer", "minimum": 0, "maximum": selfrefer.MaxMinutes}, "note": long(selfrefer.MaxEntry)}, "kind"),
		"measure":      d.fields(object{"kind": measureKinds, "own": whole, "day": when, "scores": scores}, "kind", "scores"),
		"remove":       d.fields(object{"kind": entryKinds, "id": whole, "removed": yes}, "kind", "id", "removed"),
	})
	change["minProperties"], change["maxProperties"] = 1, 1
	service := d.fields(object{"id": whole, "name": long(selfrefer.MaxServiceName), "about": long(selfrefer.MaxServiceAbout), "reasons": d.list(text), "reason_words": d.list(text), "area": long(selfrefer.MaxServiceLine),
		"languages": d.list(text), "places": places, "places_on": day, "how": long(selfrefer.MaxServiceHow), "phone": text, "email": text, "web": text, "active": yes,
		"version": object{"type": "integer", "description": "the one that was read"}}, "name")
	ledger := d.fields(object{"rows": whole, "taken": whole, "changed": whole, "unchanged": whole, "rejected": whole, "unplaced_reasons": whole, "dry_run": yes,
		"problems": d.list(d.fields(object{"row": whole, "code": text}, "row", "code"))}, "rows", "taken", "changed", "unchanged", "rejected", "dry_run")
	more := one([]string{"better", "worse"})
	offer := d.fields(object{
		"interventions": d.list(d.fields(object{"code": text, "words": text})),
		"measures": d.list(d.fields(object{"kind": measureKinds, "own": whole, "name": text, "intro": text, "used": yes,
			"questions": d.list(d.fields(object{"item": text, "words": text, "low": whole, "high": whole, "answers": d.list(text), "more_is": more}))})),
		"discharges": d.list(d.fields(object{"reason": one(discharges()), "words": text})),
	})
	body := func(schema object) object { return object{"required": true, "content": d.json(schema)} }
	id, serviceID := d.param("path", "id", whole, "of a referral"), d.param("path", "service", whole, "of a service")
	file := object{"required": true, "content": object{"text/csv": object{"schema": object{"type": "string", "description": "with a header; one column is called name"}},
		"application/json": object{"schema": object{"description": "a page of /services as Open Referral UK has it, or a list of services"}}}}
	return object{
		"/api/v1/referrals/{id}/support": object{
			"get":  d.call("What was done with a person after the first contact; the view is audited", "The support", support, object{"parameters": []any{id}}),
			"post": d.call("Record exactly one thing of it", "The support as it stands now", support, object{"parameters": []any{id}, "requestBody": body(change)}),
		},
		"/api/v1/tasks": object{"get": d.call("What you have to do, by day", "Your tasks that are not done", d.fields(object{"tasks": d.list(task)}, "tasks"), object{})},
		"/api/v1/services": object{
			"get": d.call("The directory of local services", "The services, by name", d.fields(object{"services": d.list(service)}, "services"), object{"parameters": []any{
				d.param("query", "find", text, "words"), d.param("query", "reason", text, "a reason's code"), d.param("query", "language", text, "by name"), d.param("query", "area", text, "as in the answer"),
				d.param("query", "places", one([]string{"free"}), "those that are not full"), d.param("query", "show", one([]string{"inactive"}), "those that are not active")}}),
			"post": made(d.call("Add a service", "The service", service, object{"requestBody": body(service)})),
		},
		"/api/v1/services/import": object{"post": d.call("Take services from another directory; every one is accounted for", "The ledger", ledger, object{"parameters": []any{d.param("query", "dry_run", yes, "count and change nothing")}, "requestBody": file})},
		"/api/v1/services/{service}": object{
			"get": d.call("One service", "The service", service, object{"parameters": []any{serviceID}}),
			"put": d.call("Replace a service; 409 if somebody was quicker", "The service", service, object{"parameters": []any{serviceID}, "requestBody": body(service)}),
		},
		"/api/v1/services/{service}/places":  object{"put": d.call("Correct how many places are free", "The service", service, object{"parameters": []any{serviceID}, "requestBody": body(d.fields(object{"places": places}, "places"))})},
		"/api/v1/support":                    object{"get": d.call("What can be recorded of a person's support", "Interventions, measures, and why a support ends", offer, object{})},
		"/api/v1/support/interventions":      object{"put": d.call("Replace the list of interventions; words that are known keep their code", "What can be recorded", offer, object{"requestBody": body(d.fields(object{"interventions": d.list(long(selfrefer.MaxKindWords))}, "interventions"))})},
		"/api/v1/support/measures":           object{"post": d.call("Add a measure of your own; its questions stay", "What can be recorded", offer, object{"requestBody": body(d.fields(object{"name": long(selfrefer.MaxMeasureName), "questions": d.list(long(selfrefer.MaxQuestion)), "low": whole, "high": whole, "more_is": more}, "name", "questions", "low", "high", "more_is"))})},
		"/api/v1/support/measures/{measure}": object{"put": d.call("Take a measure of your own out of use, or into use again", "What can be recorded", offer, object{"parameters": []any{d.param("path", "measure", whole, "of an own measure")}, "requestBody": body(d.fields(object{"used": yes}, "used"))})},
	}
}
