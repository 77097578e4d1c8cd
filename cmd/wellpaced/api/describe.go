package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer"
)

type object = map[string]any

// Document merges what the desks say of their calls (OpenAPI 3.1) and adds what holds for all of them: tokens, problems and keys.
func Document(desks ...map[string]any) ([]byte, error) {
	paths := object{}
	for _, d := range desks {
		maps.Copy(paths, d)
	}
	for path, item := range paths {
		for method, call := range item.(object) {
			finish(path, strings.ToUpper(method), call.(object))
		}
	}
	text := object{"type": "string"}
	return json.Marshal(object{
		"openapi": "3.1.0",
		"info": object{"title": "Wellpaced", "version": "1", "license": object{"name": "Apache 2.0", "identifier": "Apache-2.0"},
			"description": "Bearer tokens come from: wellpaced staff token. How paging, keys, problems and webhooks work stands at /desk/api."},
		"servers": []any{object{"url": "/"}},
		"paths":   paths,
		"webhooks": object{"event": object{"post": object{"operationId": "event", "summary": "What a webhook is told: at least once, in no certain order, signed as Standard Webhooks 1 says", "security": []any{},
			"parameters":  []any{signed("webhook-id", "The same for every try"), signed("webhook-timestamp", "Seconds since 1970"), signed("webhook-signature", "v1, and base64 of HMAC-SHA-256")},
			"requestBody": object{"required": true, "content": object{"application/json": object{"schema": event()}}},
			"responses":   object{"2XX": object{"description": "Taken. Anything else, or nothing within ten seconds: it comes again for three days"}}}}},
		"components": object{
			"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer"}},
			"parameters": object{"IdempotencyKey": object{"in": "header", "name": keyHeader, "required": false, "schema": object{"type": "string", "minLength": 1, "maxLength": maxKey + 2},
				"description": "Makes this call safe to send again: the same key with the same call has it done once, and the answer is given again for 24 hours"}},
			"headers": object{"Location": object{"schema": object{"type": "string", "format": "uri-reference"}, "description": "Where it is, once it is made"}, "IdempotencyReplayed": object{"schema": object{"const": "true"}, "description": "The call was answered before under its key, and this is that answer"}},
			"schemas": object{"Problem": object{"type": "object", "required": []string{"type", "title", "status", "code", "detail"}, "properties": object{
				"type": object{"const": "about:blank"}, "title": text, "status": object{"type": "integer", "minimum": 400, "maximum": 599},
				"code":       object{"type": "string", "pattern": "^[a-z0-9_]+$", "description": "For programs: it never changes its meaning"},
				"detail":     object{"type": "string", "minLength": 1, "description": "For people: a sentence"},
				"state":      object{"type": "string", "description": "Of a referral for which this cannot be done: how it stands"},
				"claimed_by": object{"type": "object", "properties": object{"id": object{"type": "integer"}, "name": text}, "description": "Of a referral: who has it"},
				"claimed_at": object{"type": "string", "format": "date-time"}}}},
		},
		"security": []any{object{"bearer": []any{}}},
	})
}

// signed is a header of a webhook.
func signed(name, words string) object {
	return object{"in": "header", "name": name, "required": true, "schema": object{"type": "string"}, "description": words}
}

// event is what a webhook is told.
func event() object {
	text, whole := object{"type": "string"}, object{"type": "integer"}
	return object{"type": "object", "required": []string{"type", "timestamp", "data"}, "properties": object{
		"type": object{"type": "string", "enum": append([]selfrefer.HookEvent{selfrefer.HookTest}, selfrefer.HookEvents...)}, "timestamp": object{"type": "string", "format": "date-time"},
		"data": object{"type": "object", "required": []string{"network"}, "description": "ids, references and codes: never anything of a person", "properties": object{
			"network": whole, "referral": whole, "correction": whole, "file": whole, "reference": text, "practice": text, "code": text, "url": object{"type": "string", "format": "uri", "description": "Where the API tells more"}}}}}
}

// finish says of one call what holds for all of its kind. What a desk says more closely stays.
func finish(path, method string, call object) {
	answers := call["responses"].(object)
	delete(answers, "default")
	add := func(status int, words string) {
		if _, said := answers[strconv.Itoa(status)]; !said {
			answers[strconv.Itoa(status)] = object{"description": words}
		}
	}
	add(http.StatusUnauthorized, "No token, or one that is over")
	add(http.StatusForbidden, "Your role does not allow this, or it comes from another site")
	add(http.StatusInternalServerError, "Something went wrong on our side: the detail holds a code to tell us")
	if strings.Contains(path, "{") {
		add(http.StatusNotFound, "There is no such thing in your network")
	}
	if parameters(call, "query") || call["requestBody"] != nil || takesKey(method, path) {
		add(http.StatusUnprocessableEntity, "What was sent cannot be taken (code invalid, or one that says more)")
	}
	if call["requestBody"] != nil {
		add(http.StatusRequestEntityTooLarge, "That is too large (code too_large)")
	}
	if changes(method) {
		add(http.StatusConflict, "This cannot be done as things stand: the code says why")
	}
	if takesKey(method, path) {
		add(http.StatusBadRequest, "The Idempotency-Key cannot be read (code key_invalid), or the body did not arrive whole (body_cut_off)")
		add(http.StatusServiceUnavailable, "The key could not be kept, so nothing was done (code key_not_kept)")
		call["parameters"] = append(list(call["parameters"]), object{"$ref": "#/components/parameters/IdempotencyKey"})
	}
	for status, a := range answers {
		answer := a.(object)
		switch {
		case status >= "400":
			answers[status] = object{"description": answer["description"], "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}}}
		case takesKey(method, path):
			one := maps.Clone(answer) // calls share their answers
			headers := object{replayedHeader: object{"$ref": "#/components/headers/IdempotencyReplayed"}}
			if status == "201" || status == "202" {
				headers["Location"] = object{"$ref": "#/components/headers/Location"}
			}
			one["headers"] = headers
			answers[status] = one
		}
	}
	if call["operationId"] == nil {
		call["operationId"] = operation(method, path)
	}
}

// takesKey tells whether a key makes a difference to a call.
func takesKey(method, path string) bool { return changes(method) && !readsOnly(method, path) }

// parameters tells whether a call has any of a kind.
func parameters(call object, in string) bool {
	return slices.ContainsFunc(list(call["parameters"]), func(p any) bool { return p.(object)["in"] == in })
}

// list makes one kind of list of the two that the desks write.
func list(of any) []any {
	switch l := of.(type) {
	case []any:
		return slices.Clone(l)
	case []object:
		all := []any{}
		for _, one := range l {
			all = append(all, one)
		}
		return all
	}
	return []any{}
}

// operation names a call for programs that are made from the description: postReferralsIdJoin.
func operation(method, path string) string {
	name := strings.ToLower(method)
	for _, part := range strings.FieldsFunc(strings.TrimPrefix(path, "/api/v1/"), func(c rune) bool { return strings.ContainsRune("/{}-.", c) }) {
		name += strings.ToUpper(part[:1]) + part[1:]
	}
	return name
}
