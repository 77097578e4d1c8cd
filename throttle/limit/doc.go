// Package limit holds rate limits that have nothing to do with people: how fast a sender may send, and how often one address may
// post a form.
//
// Spend is the whole of it: a pure function from a rule and one instant per key to whether this one may pass. Limiter keeps those
// instants in memory for many keys; Pacer makes one worker wait for its turn at the sender.
package limit
