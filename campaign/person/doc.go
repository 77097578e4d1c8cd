// Package person holds the facts about one patient that identify them: a
// phone number, an NHS number, a birth date, a postcode, a name.
//
// Each fact is a small comparable value that is valid by construction: the
// zero value means "not known" and anything else went through a parser. Each
// one hides itself. Printed with any fmt verb, logged with slog or encoded as
// JSON it comes out as "[redacted]", so that a careless log line leaks
// nothing. To get at the fact, code has to say so with a loud method (Reveal,
// ISO, Format): searching for those names finds every place where personal
// data leave a value.
//
// Parsers repair what has exactly one meaning (a lost leading zero, spaces,
// "+44 (0)") and refuse what would have to be guessed (digits that a
// spreadsheet rounded away, two-digit years). Their errors are sentinels,
// because a patient list counts its rejected rows by reason; none of them
// repeats the text that was refused.
//
// The package imports nothing else of ours.
package person
