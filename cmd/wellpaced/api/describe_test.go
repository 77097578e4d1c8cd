package api

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// Every event that a webhook can be told is described with all that it holds.
func TestDocument_events(t *testing.T) {
	about := event()["properties"].(object)
	data := about["data"].(object)["properties"].(object)
	kinds := map[selfrefer.HookEvent]bool{}
	for _, k := range about["type"].(object)["enum"].([]selfrefer.HookEvent) {
		kinds[k] = true
	}
	for _, kind := range append([]selfrefer.HookEvent{selfrefer.HookTest}, selfrefer.HookEvents...) {
		d := selfrefer.Delivery{ID: 1, Event: kind, At: time.Unix(0, 0), About: 2, Reference: "WYG5-QBRQ", Practice: "N83006", Code: "x"}
		body, err := d.Body("https://refer.example")
		if err != nil {
			t.Fatal(err)
		}
		var told struct {
			Type      selfrefer.HookEvent
			Timestamp time.Time
			Data      object
		}
		if err := json.Unmarshal(body, &told); err != nil {
			t.Fatal(err)
		}
		if !kinds[told.Type] {
			t.Errorf("%s is not described", told.Type)
		}
		for key := range told.Data {
			if data[key] == nil {
				t.Errorf("%s: data.%s is not described", kind, key)
			}
		}
	}
}
