// Package text is what a text message says and what it costs.
//
// A Template is written by a person with fields in double brackets, as in
// GOV.UK Notify:
//
//	Hello ((first_name)), this is ((practice)). A link worker can help with
//	money, loneliness and more. Ask for a call: ((link))
//	No more texts: ((stop_link))
//
// Parse refuses a template that could not be sent to anybody: an unknown
// field, a missing link or way out, something that sticks to a link (phones
// would take "…/r/abc." for the address), or more than 1,600 characters. Check
// gives advice that may be overruled, CheckTranslation the same on a text in
// another language, and CheckSender on the name that texts come from. AsksReply
// and CheckHost find what a sender that cannot be answered, and any sender at
// all, must not send: whoever knows the sender refuses it.
//
// Count tells in how many parts a text travels, which is what it costs. Texts
// travel in GSM-7 (160 characters, or 153 in each of several parts) unless one
// character is not in that alphabet: then the whole text is UCS-2 (70, or 67).
// ŵ and â are not in it, so that the same template can cost more for Siân than
// for Ann: count what was rendered, never the template. Render replaces what
// only looks different (curly quotes, long dashes, odd spaces); it does not
// touch the letters of anybody's name. Shape stands for a name where only the
// size of texts matters.
//
// A text may be in any script. In one from right to left Render keeps numbers
// the right way round, with marks that nobody sees.
//
// The counting follows the provider's own calculator (the npm package
// sms-segments-calculator): characters of the GSM-7 extension count twice and
// are not split over parts, and neither is a grapheme, such as an emoji with
// its skin colour.
//
// The package imports nothing else of ours.
package text
