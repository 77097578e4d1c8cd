// Package selfrefer is a person asking for help, and staff answering.
//
// A [Form] is received by [Receiver.Receive]: it is kept in one durable transaction and in the journal before anybody is told "we have
// received it", whatever is wrong with it. A wrong birth date or a spent link never turns a person away: the referral is taken, marked
// unverified and queued in its own lane, and a human matches it. Triage walks [Next]: urgent first, then by when the promise runs out.
//
// Words that sound like danger raise a referral to the top, in ten languages, whatever the language of the page: see [Find] and the files in
// danger/. No match never means that a referral is not urgent, and nothing here judges: people do.
//
// A [Reply] that is not a mere STOP is a referral; short ones are told apart by the files in replies/, as a hint to staff. An opt-out can be
// undone by who made it, see [Undo], and goes to and comes from other systems by [OptOuts].
//
// A [Restriction] hides a referral, and never a count: caseloads, what a team has before it, the totals of a campaign and the reports have it in
// them. A work that is there is counted, or too many texts would go and too much be given to whoever has it; that one more person is with somebody
// tells nobody who. What lists by row, the queue and its numbers among them, leaves out what somebody may not see.
//
// A network may change some of what its patients read: the lines of urgent help and the reasons to choose from. [Words] holds that, and
// [Words.Check] what it may not do: nobody takes 999 off the page, or the last line for somebody who cannot cope or cannot hear.
package selfrefer
