package form

import (
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// spoken are the languages that can be asked for, by their English names, which staff read and count, and by their own.
var spoken = []struct{ name, own string }{
	{"English", ""}, {"British Sign Language", ""},
	{"Albanian", "Shqip"}, {"Arabic", "العربية"}, {"Bengali", "বাংলা"}, {"Bulgarian", "Български"}, {"Cantonese", "廣東話"}, {"Czech", "Čeština"}, {"Dari", "دری"}, {"Farsi", "فارسی"},
	{"French", "Français"}, {"Gujarati", "ગુજરાતી"}, {"Hindi", "हिन्दी"}, {"Hungarian", "Magyar"}, {"Italian", "Italiano"}, {"Kurdish", "Kurdî"}, {"Lithuanian", "Lietuvių"},
	{"Mandarin", "普通话"}, {"Nepali", "नेपाली"}, {"Pashto", "پښتو"}, {"Polish", "Polski"}, {"Portuguese", "Português"}, {"Punjabi", "ਪੰਜਾਬੀ"}, {"Romanian", "Română"}, {"Russian", "Русский"},
	{"Slovak", "Slovenčina"}, {"Somali", "Soomaali"}, {"Spanish", "Español"}, {"Tamil", "தமிழ்"}, {"Tigrinya", "ትግርኛ"}, {"Turkish", "Türkçe"}, {"Ukrainian", "Українська"}, {"Urdu", "اردو"},
	{"Vietnamese", "Tiếng Việt"}, {"Welsh", "Cymraeg"},
}

const anotherLanguage = "Another language"

// Languages are what can be chosen. It is a list, not free text, because the language is counted and stands in the clear.
var Languages = func() (all []string) {
	for _, s := range spoken {
		all = append(all, s.name)
	}
	return append(all, anotherLanguage)
}()

func (h *Handler) speaks() question {
	return question{
		path: "language", fields: []string{"language"},
		ask: func(v *visit, a *selfrefer.Answers) asked {
			all := []ui.Option{{Value: "", Label: v.say("language.choose")}}
			for _, s := range spoken {
				label := s.name
				if s.own != "" {
					label = s.own + " (" + s.name + ")"
				}
				all = append(all, ui.Option{Value: s.name, Label: label})
			}
			all = append(all, ui.Option{Value: anotherLanguage, Label: v.say("language.another")})
			value := a.Language
			if value == "" && v.words.Code != lang.English {
				if value = lang.Of(v.words.Code).Name; value == "Chinese" {
					value = "Mandarin"
				}
			}
			return asked{Fields: []ui.Field{{Kind: ui.Select, Name: "language", Label: v.say("language.ask"), Value: value, Options: all, Hint: v.say("language.hint")}}}
		},
		told: func(v *visit, a *selfrefer.Answers) []string {
			if a.Language == anotherLanguage {
				return v.says("language.another")
			}
			for _, s := range spoken {
				if s.name == a.Language && s.own != "" {
					return []string{s.own + " (" + s.name + ")"}
				}
			}
			return some(a.Language)
		},
	}
}
