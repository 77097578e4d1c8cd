// Package sim makes up towns and lets throttle.Decide text them, to see who would have waited.
//
// A World is a scenario file in testdata: how many people answer and when, who is there to call them, and what goes wrong. It also says
// what is expected of the pacer there, and a test holds it to that. Run plays one campaign in a world, by half hours, from a seed; the same
// seed gives the same course. The world's people follow their own response clock and delays, which are not those that the pacer assumes.
// Answers, Delay and ResponseClock draw single people from a world, for a town that is played out in full.
package sim
