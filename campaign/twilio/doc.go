// Package twilio is the gateway to the provider: it sends texts, reads the provider's own record of them, and takes the provider's webhooks.
//
// The provider has no way to say "this text again, if you do not have it yet": a create request that is repeated is a second text on a
// patient's phone. So one [Gateway.Send] writes at most one request, and everything here serves one question: has the provider got it?
//
//   - No, for certain: not one byte was written, or the provider refused in so many words. The text may be planned again, or never.
//   - Yes, for certain: the reply carries the provider's id.
//   - Anything else is [campaign.LoseSight]. It costs a quarter of an hour of looking; guessing would cost a patient's trust.
//
// What was written is not guessed from error texts either. Each connection knows the call that uses it (guard.go): it refuses the first byte of a
// call whose claim has gone stale, however long dialling took, and it remembers whether any byte went out. net/http can never repeat such
// a call by itself, because it is given no means to rewind it and no idempotency header.
//
// The provider's status callbacks come back to a URL that names the message and the attempt, so that they are evidence even if the reply was lost.
package twilio
