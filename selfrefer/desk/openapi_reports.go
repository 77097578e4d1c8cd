package desk

import "github.com/wellpaced/wellpaced/selfrefer"

// reportCalls describes the reports.
func reportCalls(d describe) object {
	text := object{"type": "string"}
	month := object{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}$`, "examples": []string{"2026-06"}}
	units := object{"type": "string", "enum": []selfrefer.Unit{selfrefer.Number, selfrefer.Percent, selfrefer.Hours, selfrefer.Pounds, selfrefer.Points, selfrefer.PerMill}}
	figure := object{"description": "a number; at_least where a part is hidden; hidden where there are too few people; null where there is nothing to tell", "oneOf": []any{
		d.fields(object{"value": object{"type": "number"}}, "value"), d.fields(object{"at_least": object{"type": "number"}}, "at_least"), d.fields(object{"hidden": object{"const": true}}, "hidden"), object{"type": "null"}}}
	table := d.fields(object{"code": text, "title": text, "note": text, "columns": d.list(d.fields(object{"code": text, "words": text, "unit": units}, "code", "words")),
		"rows": d.list(d.fields(object{"code": text, "words": text, "figures": d.list(figure), "note": text}, "code", "words", "figures"))}, "code", "title", "columns", "rows")
	report := d.fields(object{"from": month, "to": month, "only": text, "of": text, "first_month": month, "last_month": month,
		"groups": d.list(d.fields(object{"only": text, "words": text}, "only", "words")), "tables": d.list(table)}, "from", "to", "of", "first_month", "last_month", "groups", "tables")
	parameters := []any{d.param("query", "from", month, "the first month; three months if it is left out"), d.param("query", "to", month, "the last month, 24 at most; the last that is counted if it is left out"),
		d.param("query", "only", text, "one group, as in the answer's groups: practice:N83006; everybody if it is left out")}
	again := object{"description": "Its months are still being counted: ask the same again after Retry-After seconds. It is counted on, whoever asks", "headers": object{"Location": object{"description": "where to ask again", "schema": text}, "Retry-After": object{"description": "seconds", "schema": object{"type": "integer"}}},
		"content": object{"application/json": object{"schema": d.fields(object{"months_counted": object{"type": "integer"}, "months": object{"type": "integer"}}, "months_counted", "months")}}}
	file := func(summary, kind string, schema object) object {
		o := d.call(summary, "", object{}, object{"parameters": parameters})
		o["responses"].(object)["202"] = again
		o["responses"].(object)["200"] = object{"description": "The file", "content": object{kind: object{"schema": schema}}}
		return object{"get": o}
	}
	whole := d.call("What happened in whole months that are over; every number from 1 to 4 that counts people is hidden, and what would tell it", "The report", report, object{"parameters": parameters})
	whole["responses"].(object)["202"] = again
	return object{
		"/api/v1/reports":             object{"get": whole},
		"/api/v1/reports/report.csv":  file("The report as CSV, a line for each figure", "text/csv", text),
		"/api/v1/reports/report.xlsx": file("The report as a spreadsheet, a sheet for each table", xlsxKind, object{"type": "string", "contentMediaType": xlsxKind}),
	}
}
