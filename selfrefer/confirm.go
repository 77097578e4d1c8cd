package selfrefer

// Confirms tells whether a form is answered with a text to the number that was invited. Whoever sent it must have said that texting them is
// safe; unasked means no. They must be the person for whom that number was invited, or urgent: a wrong birth date, a link that somebody used
// before and a form for somebody else may come from anybody, and whose phone would ring did not send anything.
func Confirms(f Form, m Matched, j Judgement) bool {
	return f.Source == ByLink && m.Found && !m.Spent && !m.Expired && j.Lane == Verified && f.Answers.TextSafe == SafeYes && !f.Answers.ForOther
}
