// Package queue is the doorbell between the pacer and the workers: asynq on Redis, or on a Redis inside this process.
//
// A ring carries three numbers and nothing else: the message, the attempt, and which ring for it this is. The database holds the truth, so a
// ring may be lost, doubled, late or forged: whoever answers it has to win a claim first. That frees this package from every promise but one,
// to be quick, and decides what it does not do. It keeps no failed rings (the pacer's repair rings again, with the next number), no results, no
// schedules, and nothing on disk. An emptied Redis costs half a minute.
//
// Redis may be away at any time, at the start too: ringing then fails at once and sending waits, nothing else does. With a Redis of its own the
// package also keeps the sender's rate there ([Queue.Rate]), for all processes together.
//
// asynq may run a handler twice, by design, when a process stops or a lease runs out. That is a doubled ring, and harmless too.
package queue
