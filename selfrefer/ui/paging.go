package ui

import (
	"net/url"
	"strconv"
	"strings"
)

// MaxPage is the most that one page of a listing holds.
const MaxPage = 1000

// Asked is which page of a listing a program asks for.
type Asked struct {
	Limit int    // 0: all of it
	After string // where the page before ended; "": the first page
}

// ReadAsked reads limit and after from an address. usual is the limit of a call that names none; 0 is no limit.
func ReadAsked(q url.Values, usual int) (a Asked, wrong []FieldError) {
	a = Asked{Limit: usual, After: q.Get("after")}
	if s := q.Get("limit"); s != "" || q.Has("limit") {
		var err error
		if a.Limit, err = strconv.Atoi(s); err != nil || a.Limit < 1 || a.Limit > MaxPage {
			return a, []FieldError{{Field: "limit", Sentence: "limit is a number from 1 to " + strconv.Itoa(MaxPage) + "."}}
		}
	}
	if a.Limit == 0 && a.After != "" {
		a.Limit = MaxPage
	}
	return a, nil
}

// WrongAfter is said of a place that no page ended at.
func WrongAfter() []FieldError {
	return []FieldError{{Field: "after", Sentence: "after must be the next of the page before, as it was given."}}
}

// Fetch is how many to read for the page that is asked for: one more, to know whether there is another.
func (a Asked) Fetch() int {
	if a.Limit == 0 {
		return 0
	}
	return a.Limit + 1
}

// Place reads After as n numbers; all 0 for the first page.
func (a Asked) Place(n int) (at []int64, ok bool) {
	at = make([]int64, n)
	if a.After == "" {
		return at, true
	}
	parts := strings.Split(a.After, ".")
	if len(parts) != n {
		return nil, false
	}
	for i, p := range parts {
		var err error
		if at[i], err = strconv.ParseInt(p, 10, 64); err != nil || at[i] < 0 {
			return nil, false
		}
	}
	return at, true
}

// Next writes the place at which a page ends.
func Next(at ...int64) string {
	parts := make([]string, len(at))
	for i, n := range at {
		parts[i] = strconv.FormatInt(n, 10)
	}
	return strings.Join(parts, ".")
}

// CutPage takes from what was fetched what belongs to the page, and tells where the next one goes on; "" if there is none.
func CutPage[T any](all []T, a Asked, place func(last T) string) (page []T, next string) {
	if a.Limit == 0 || len(all) <= a.Limit {
		return all, ""
	}
	page = all[:a.Limit]
	return page, place(page[a.Limit-1])
}

// DescribePages adds to a call's description (OpenAPI) how its listing is asked for page by page. usual is the limit of a call that names none.
func DescribePages(call map[string]any, usual int) {
	limit := map[string]any{"type": "integer", "minimum": 1, "maximum": MaxPage}
	words := "the most that a page holds; without it all of the listing is told"
	if usual > 0 {
		limit["default"], words = usual, "the most that a page holds"
	}
	parameters := []any{}
	switch before := call["parameters"].(type) {
	case []any:
		parameters = append(parameters, before...)
	case []map[string]any:
		for _, p := range before {
			parameters = append(parameters, p)
		}
	}
	call["parameters"] = append(parameters, map[string]any{"name": "limit", "in": "query", "schema": limit, "description": words},
		map[string]any{"name": "after", "in": "query", "schema": map[string]any{"type": "string"}, "description": "next of the page before"})
	ok := call["responses"].(map[string]any)["200"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["schema"].(map[string]any)
	ok["properties"].(map[string]any)["next"] = map[string]any{"type": "string", "description": "where the next page goes on, for after; left out at the end. It means nothing else"}
}
