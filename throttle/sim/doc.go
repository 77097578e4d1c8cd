// Package sim makes up towns and lets policies text them, throttle.Decide among them, to see who would have waited.
//
// A [World] is a scenario file in testdata: how many people answer and when, who is there to call them, and what goes wrong. It also says
// what is expected of the pacer there, and a test holds it to that. [Run] plays one campaign in a world, by half hours, from a seed; the
// same seed gives the same course, and gives every policy the same town: who would answer, how busy the team's days are, how long calls
// take. The world's people follow their own response clock and delays, which are not those that the pacer assumes. A policy sees what the
// product would see: the roster as declared at that moment, receipts, answers, first contacts, the queue.
//
// [Compare] plays many worlds, policies and seeds on all cores and sums them up. Speed is measured against an oracle that knows the
// town but not the dice. It is not the best there could be: it keeps no reserve, and thinks no further than the batch at hand.
//
// A [World]'s RateOf, Delay and Clock make single people, for a town that is played out in full.
//
//   - world.go: scenario files, and draws of single people.
//   - stage.go: what a world has before any die is cast: clocks, capacity, what the roster says when.
//   - people.go: one campaign's list, and who of it would answer.
//   - run.go: one run, and what is measured in it.
//   - policy.go, oracle.go: the policies. ledger.go: the pacer's books; what knows throttle's types is there, but for Options.Knobs.
//   - compare.go: many runs, summed up.
package sim
