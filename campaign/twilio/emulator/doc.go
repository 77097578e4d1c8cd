// Package emulator is a Twilio that runs here: an HTTP server that speaks the part of Twilio's
// Messages API that Wellpaced uses, pretends to deliver the texts, posts signed status callbacks,
// and shows the phones that received them. Nothing leaves the computer.
//
// It plays two parts.
//
// It is the world. In the demo and in tests it stands where the provider and the phone networks
// stand, faults included: Faults makes it refuse, stall, cut connections, accept and then deny it,
// lose callbacks or send them twice. Its delays (queued -> sent -> delivered) are in civil time, so
// a stepping clock can ask Next when something is due and call Tick there. Time-outs, fsync and
// list lag are in machine time.
//
// It is the judge. Every text that it accepts is one line of an append-only journal, on disk
// before the reply leaves (requests that arrive together share one fsync). Whether somebody was
// texted twice is decided by ReadJournal and Twice, never by the books of the system on trial.
// Everything else (what was delivered, which callbacks are still owed, who replied STOP) is
// rebuilt from that file, so after kill -9 the world goes on: a callback that was not
// confirmed is posted again. Status lines are written but not fsynced: the plan for each
// text is in its own line, so a power cut can only make the same thing happen again.
//
// How a text fares depends on the seed, its number and how many texts that number had before, not
// on the order of sending: concurrent senders get the same world every time.
//
// The journal holds numbers and bodies in clear. It is for made-up people only.
package emulator
