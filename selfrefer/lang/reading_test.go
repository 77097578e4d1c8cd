package lang

import "testing"

func TestSyllables(t *testing.T) {
	wrong := 0
	for word, want := range map[string]int{
		"a": 1, "the": 1, "help": 1, "made": 1, "like": 1, "likes": 1, "liked": 1, "asked": 1, "wanted": 2, "needed": 2, "houses": 2, "house": 1, "table": 2, "tables": 2,
		"people": 2, "person": 2, "practice": 2, "practices": 3, "doctor": 2, "number": 2, "numbers": 2, "telephone": 3, "emergency": 4, "ambulance": 3, "hospital": 3,
		"lonely": 2, "loneliness": 3, "money": 2, "bills": 1, "housing": 2, "worker": 2, "answer": 2, "answers": 2, "question": 2, "questions": 2, "language": 2,
		"interpreter": 4, "hearing": 2, "danger": 2, "dangerous": 3, "safe": 1, "safely": 2, "message": 2, "messages": 3, "contact": 2, "contacted": 3, "somebody": 3, "nobody": 3,
		"information": 4, "conversation": 4, "appointment": 3, "available": 4, "domestic": 3, "abuse": 2, "violence": 3, "anxious": 2, "depression": 3, "serious": 3, "idea": 3,
		"being": 2, "carrying": 3, "try": 1, "trying": 2, "day": 1, "days": 1, "every": 2, "yes": 1, "you": 1, "young": 1, "ice": 1, "eye": 1, "free": 1, "agree": 2, "we’ll": 1, "don't": 1,
		"rhythm": 1, "usually": 4, "organisation": 5, "responsibility": 6, "medicine": 3, "choose": 1, "choices": 2, "NHS": 3, "looking": 2, "quiet": 2, "social": 2, "prescribing": 3,
		"garden": 2, "library": 3, "neighbour": 2, "daughter": 2, "husband": 2, "married": 2, "worried": 2, "breathe": 1, "afraid": 2, "argue": 2, "league": 1, "tired": 1, "fire": 1,
		"radio": 3, "video": 3, "dialogue": 3, "piano": 3, "society": 4, "variety": 4, "patient": 2, "patients": 2, "ancient": 2, "million": 2, "opinion": 3, "religion": 3, "region": 2,
		"national": 3, "station": 2, "version": 2, "confusion": 3, "musician": 3, "guard": 1, "equal": 2, "quality": 3, "square": 1, "squares": 1, "create": 2,
		"created": 3, "reaction": 3, "theatre": 3, "museum": 3, "ruin": 2, "fluid": 2, "build": 1, "juice": 1, "suitable": 3, "movement": 2, "settlement": 3, "agreement": 3, "hopefully": 3,
		"definitely": 4, "rarely": 2, "advice": 2, "little": 2, "middle": 2, "while": 1, "whole": 1, "rule": 1, "simple": 2, "bottles": 2, "schedule": 2, "changes": 2, "changed": 1, "judges": 2,
		"watches": 2, "wishes": 2, "boxes": 2, "goes": 1, "shoes": 1, "played": 1, "rented": 2, "added": 2, "loved": 1, "confidential": 4, "immediately": 5, "accessibility": 6,
	} {
		got := syllables(word)
		if got != want {
			t.Logf("%s has %d syllables, not %d", word, want, got)
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d words are wrong", wrong)
	}
}

var (
	easyPage = []string{"Do you want to talk to somebody?", "We can ring you. You can tell us what is on your mind. We have time to listen.",
		"We will ring on a day that is good for you. You can stop when you like.", "Start now"}
	middlingPage = []string{"What happens after you send this form", "A link worker from your area reads what you have written and rings you within two working days.",
		"They will ask what matters to you and tell you about groups and services nearby that could help. You decide together what to try first.",
		"If you miss the call, they will try again on another day, unless you have told us that it is not safe to ring.", "Continue"}
	hardPage = []string{"Information governance and confidentiality", "Personal information submitted via this application is processed in accordance with applicable data protection legislation, " +
		"and will be disclosed exclusively to appropriately authorised professionals participating in the provision of your individual care.",
		"Notwithstanding the foregoing, safeguarding responsibilities may necessitate disclosure to statutory authorities without your prior authorisation."}
)

func TestReadingAge(t *testing.T) {
	for _, c := range []struct {
		name     string
		page     []string
		from, to float64
	}{
		{"nothing", nil, 5, 5},
		{"numbers only", []string{"116 123", "0808 2000 247."}, 5, 5},
		{"for children", []string{"The cat sat on the mat. The dog ran to the cat."}, 5, 5},
		{"easy", easyPage, 5, 7},
		{"middling", middlingPage, 9, 12},
		{"hard", hardPage, 25, 35},
		// 8 words, 26 syllables and 76 letters in a sentence: (3.12+38.35-15.59 + 44.745+4-21.43) / 2 + 5.
		{"reckoned by hand", []string{"The organisation requires considerable documentation before confirming appointments."}, 31.5974, 31.5976},
	} {
		if got := ReadingAge(c.page); got < c.from || got > c.to {
			t.Errorf("%s: %.4f years, want %v to %v", c.name, got, c.from, c.to)
		}
	}
	// Labels must not make a page look easy, nor numbers hard.
	before := ReadingAge(middlingPage)
	labels := append([]string{"Day", "Month", "Year", "Yes", "No", "Back"}, middlingPage...)
	if got := ReadingAge(labels); got < before-1 {
		t.Errorf("with some labels the page counts as %.2f, not %.2f", got, before)
	}
	if got := ReadingAge(append([]string{"0808 2000 247", "18001 111"}, middlingPage...)); got != before {
		t.Errorf("with numbers the page counts as %.2f, not %.2f", got, before)
	}
	// A long line is a sentence even if nobody has put a full stop behind it.
	if a, b := ReadingAge([]string{"We ring you.", "We ring on a day that is good for you and for all who live with you"}), ReadingAge([]string{"We ring you.", "We ring on a day that is good for you and for all who live with you."}); a != b {
		t.Errorf("without a full stop %.2f, with one %.2f", a, b)
	}
	// A full stop helps, and one in an address is none.
	one := ReadingAge([]string{"We ring you within two days and we ask what matters to you most of all."})
	two := ReadingAge([]string{"We ring you within two days. And we ask what matters to you most of all."})
	if two >= one {
		t.Errorf("two sentences: %.2f, one: %.2f", two, one)
	}
	if a, b := ReadingAge([]string{"Please look at www.example.org before you ring us about your letter."}), ReadingAge([]string{"Please look at wwwexampleorg before you ring us about your letter."}); a != b {
		t.Errorf("an address ends the sentence: %.2f, not %.2f", a, b)
	}
}

func TestReadingAgeOfOneWord(t *testing.T) {
	for _, s := range []string{"Yes", "-", "é", "’", "\n\n", "...", "a"} {
		if got := ReadingAge([]string{s}); got < 5 || got > 40 {
			t.Errorf("%q: %v", s, got)
		}
	}
}
