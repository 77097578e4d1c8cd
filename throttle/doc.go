// Package throttle decides how many texts may go now, so that the answers fit the people who have to answer.
//
// # The idea
//
// Texts are quick and answers are slow: half of those who will ask for help do so within hours, others after days, and the hands that
// call them back are few. Whoever sends until the queue is full has long sent too much. So Decide asks at each tick: if n more texts went
// out now and none after them, what would become of everybody who waits, and of everybody who is still going to answer? It releases the
// largest n for which
//
//   - the chance that anybody waits longer than the promise stays tiny (LimitRisk),
//   - the queue is expected to stay short, so that a surprise finds room (LimitSetPoint),
//   - a surge of answers together with a loss of staff would still be survived (LimitStress),
//   - texts do not run ahead of what has been learned from the first of them (LimitMaturity),
//   - no more than a sliver of the answers comes when nobody is there at all (LimitNobody),
//
// and which the list, the hours for texts, the sender, the money and the team's caseloads allow. A full queue stops everything until
// it has drained well (LimitBrake). One of these limits binds; a Decision names it in a sentence, and a test holds the sentence to it:
// without that limit, more would go.
//
// # The parts
//
//   - calendar.go: when the promise runs. England's bank holidays, civil time, clock changes.
//   - roster.go: what the team can do, half hour by half hour; the working clock and the response clock beside it.
//   - output.go: what it does in fact, learned from hours in which it had enough to do.
//   - evidence.go: how many answer and how soon, learned per campaign and stratum. An answer that has not come is never taken for a no.
//   - forecast.go: what is still to come, and how sure that is. Everything is linear in the number of texts, so the search is cheap.
//   - decide.go: the limits, and the search for the largest n within them.
//   - words.go: figures, the forecast finish, the sentence, and ContactBy, the honest date for the confirmation page.
//
// # What it is given
//
// A snapshot of counters by hour and stratum, never people; so a decision costs the same for a thousand texts and for a million. Texts
// on the way count as delivered now. The package does no I/O and asks no clock: the same arguments give the same bits, and a stored
// snapshot can be replayed. Package sim makes up towns and drives the same Decide through them.
package throttle
