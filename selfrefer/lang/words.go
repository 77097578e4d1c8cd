package lang

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

//go:embed words/*.json
var files embed.FS

// bundle holds all files of words. A file that cannot be read is a fault of the build, and every test finds it.
var bundle = func() *i18n.Bundle {
	b := i18n.NewBundle(language.English)
	for _, l := range All {
		name := "words/" + string(l.Code) + ".json"
		raw, err := fs.ReadFile(files, name)
		if err == nil {
			_, err = b.ParseMessageFileBytes(raw, name)
		}
		if err != nil {
			panic(fmt.Sprintf("lang: read the words of %s: %v", l.Name, err))
		}
	}
	return b
}()

// Words are the sentences of one language.
type Words struct {
	Code  Code
	local *i18n.Localizer
}

var speaking = func() map[Code]*Words {
	all := map[Code]*Words{}
	for _, l := range All {
		all[l.Code] = &Words{l.Code, i18n.NewLocalizer(bundle, string(l.Code))}
	}
	return all
}()

// In gives the words of a language; English for a code that is none of ours.
func In(c Code) *Words { return speaking[Of(c).Code] }

// Say gives a sentence with its fields filled in: name, value, name, value. A sentence that is missing is said in English, and one that is
// unknown by its key: a page with a gap is better than none. Tests see to it that neither happens.
func (w *Words) Say(key string, fields ...string) string {
	c := i18n.LocalizeConfig{MessageID: key}
	if len(fields) > 0 {
		data := make(map[string]string, len(fields)/2)
		for i := 0; i+1 < len(fields); i += 2 {
			data[fields[i]] = fields[i+1]
		}
		c.TemplateData = data
	}
	s, err := w.local.Localize(&c)
	if err != nil && s == "" {
		return key
	}
	return s
}

// Reviewed tells whether a professional translator has read the file of words; English needs none.
func (w *Words) Reviewed() bool { return w.Code == English || w.Say("review.by") != "-" }

// Day writes a date as people say it: Tuesday 3 June; with the year where it differs from that of now.
func (w *Words) Day(t, now time.Time) string {
	key := "date.day"
	if t.Year() != now.Year() {
		key = "date.day_year"
	}
	return w.Say(key, "Weekday", w.Say("weekday."+strconv.Itoa(int(t.Weekday()))), "Day", strconv.Itoa(t.Day()),
		"Month", w.Say("month."+strconv.Itoa(int(t.Month()))), "Year", strconv.Itoa(t.Year()))
}

// Born writes a birth date.
func (w *Words) Born(day int, month time.Month, year int) string {
	return w.Say("date.born", "Day", strconv.Itoa(day), "Month", w.Say("month."+strconv.Itoa(int(month))), "Year", strconv.Itoa(year))
}

// Has tells whether there is such a sentence, in English at least.
func (w *Words) Has(key string) bool {
	_, err := speaking[English].local.Localize(&i18n.LocalizeConfig{MessageID: key, TemplateData: map[string]string{}})
	return err == nil
}

// Keys lists all sentences by name, in order.
func Keys() []string {
	var all map[string]any
	raw, err := fs.ReadFile(files, "words/en.json")
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil {
		panic("lang: read the English words again: " + err.Error()) // they were read at the start
	}
	return slices.Sorted(maps.Keys(all))
}
