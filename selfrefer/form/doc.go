// Package form is where the patient sits: the link of a text, the self-referral form behind it, and the opt-out.
//
// Three rules shape it. Nobody who asks for help is turned away: a spent link, a wrong birth date, a database that is down are our
// problem, not theirs. Nobody is told "we have received it" before it is kept. And a phone may be shared, with somebody who must not know:
// answers are bound to the browser that gave them, every question page can be left in one press, and pages tell no stranger what a link
// was used for.
//
// # The way through
//
// A base is /r/TOKEN, or /help/NETWORK for people without a link of ours. Everything is a plain url-encoded POST that answers 303, or the
// same page again with 422 where something can be mended. Keep the cookies.
//
//	GET  BASE            what this is
//	POST BASE/start      "Start now"; again=1 starts with empty answers
//	POST BASE/danger     danger=yes|no|unsaid (yes leads by BASE/urgent)
//	POST BASE/who        for_other=yes|no
//	POST BASE/helper     helper, helper_is, helper_phone (asked of those who answer for someone else)
//	POST BASE/name       name (asked without a link, or for someone else)
//	POST BASE/reasons    reasons=CODE, any number
//	POST BASE/tell       words, at most 2,000 characters (words of danger lead by BASE/urgent, in every field of words)
//	POST BASE/channel    channel=call|text|email|video|visit
//	POST BASE/email      email (asked of those who chose it)
//	POST BASE/when       when=mornings|afternoons|any, days=monday…friday, any number
//	POST BASE/safe       call_safe (needed), text_safe, message_safe = yes|no; if_another
//	POST BASE/number     phone
//	POST BASE/language   language (of [Languages])
//	POST BASE/needs      support=CODE, any number; needs
//	POST BASE/sharing    tell=practice|family, tell_whom
//	POST BASE/birth      birth_date-day, birth_date-month, birth_date-year
//	POST BASE/agree      agreed=yes
//	GET  BASE/check      all answers
//	POST BASE/send       303 to BASE/sent, which shows the reference; BASE/sent.ics is its day for a calendar
//
// [Steps] holds the same for programs. BASE/send also takes any of these fields itself and needs neither cookie nor earlier steps: that is
// how the page works that gives a person the answers back which we could not keep.
//
// Beside it: GET / (what is being sent and how to check it), GET and POST /r (type a code), GET and POST /stop/TOKEN (why=opted_out|practice|
// not_me|moved|died, or undo=1), BASE/leave and /leave (a GET, because it must be instant and work without scripts: it only forgets what this
// browser knows and goes to a weather page).
//
// # Languages
//
// What a page says is in selfrefer/lang/words, a file for each language, by keys that begin with the page's own name. Which language it is, is
// settled for each request: chosen on a page (lang=CODE in an address, then a cookie), else as the patient list says, else as the browser is
// set, else English. A file that no translator has reviewed says so at the foot of each page. A network's own numbers and reasons come from
// selfrefer.Words; what it has not translated stands in English, and is marked as English.
//
// # While the database is down
//
// A link is then believed without being looked up, answers are kept in memory until the database takes them, and what is sent goes to the
// journal. What still cannot be done is said in one kind page with a number to ring, and that page holds the answers.
package form
