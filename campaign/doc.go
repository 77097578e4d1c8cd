// Package campaign decides who is texted, when, with what, and what became of it.
//
// A patient list is screened into an audience ([Screener]); an audience, a text, a policy and a team make a [Campaign], which a
// second person approves; at launch every invited patient gets one [message] per step in a fixed order that mirrors the list ([Order]).
// From then on three loops run, each a Tick that a test can call:
//
//   - the [Pacer] reads one snapshot per team, asks throttle.Decide how many may go, and moves that many messages from planned to
//     released; the queue is rung after the commit;
//   - the [Dispatcher] answers the bell: it claims a message in one durable transaction that re-checks everything, only then lets the
//     gateway write, and records what came back;
//   - the [Reconciler] looks for texts whose outcome is unknown at the provider, and settles them by evidence or leaves them to a person.
//
// The database is the truth and the queue a doorbell: a lost, doubled, late or forged ring can cause nothing but a claim that fails.
// All state changes go through one pure table, [Next]; the store applies guarded rows and decides nothing. Nobody is texted twice,
// because a text may leave only after its intent is durable, and an intent whose outcome is unknown is never sent again by itself.
package campaign
