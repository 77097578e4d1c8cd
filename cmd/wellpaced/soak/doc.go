// Package soak is the public proof of the two promises that matter most: nobody is texted twice, and nothing that a person was told we
// have is lost.
//
// It runs the program itself, in processes of their own, against a provider that misbehaves, with people who answer; and all the while
// it kills the processes with SIGKILL, freezes them, empties Redis, and puts an older backup in place of the database. What is counted
// is counted outside the program: texts by the provider's fsynced journal, answers by what people's browsers were told.
//
//   - soak.go: the run and its report;
//   - stage.go: the network, the list and the campaign that it runs on;
//   - cast.go: the processes, and what is done to them;
//   - provider.go: the provider, and what it sees;
//   - people.go: those who get the texts, refer themselves or opt out, and try again until they are told that it was received.
//
// The seed decides who is killed when, which request meets which fault, and what each person does. Which text is in whose hands at the
// moment of a kill is up to the machine: two runs of one seed are alike, not the same.
package soak
