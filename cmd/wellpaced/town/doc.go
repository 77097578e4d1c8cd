// Package town is the made-up town of `wellpaced demo`: a patient list, the people on it, and the link workers who call them.
//
// The town knows nothing of Wellpaced's inside. It uploads a file, reads the texts that arrive on its phones, taps the links in them,
// fills in the form, opts out by link or by STOP, and its link workers take the first of the queue, call, and write down what came of it:
// all by HTTP, as people's telephones and browsers do. What it does is decided by its seed and by nothing else: by the number that was
// texted and how many texts that number had before. So a town that was killed and started again makes up its mind as it did before, and
// needs to remember only what it has done already.
//
//   - list.go: the patient list in the shape of a GP system's export, with its dirt, and the register of who lives behind which number;
//   - clock.go: civil time, which steps from one due event to the next and is kept on disk;
//   - diary.go: what has been done, so that nothing is done twice after a restart;
//   - patients.go: what people do when a text arrives; walk.go: how they do it;
//   - workers.go: what link workers do in their working hours;
//   - manager.go: who looks at the link when answers have stopped, unless somebody at the keyboard is the manager.
package town
