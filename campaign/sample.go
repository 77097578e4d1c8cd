package campaign

// Sample is one of the people of a list, as much of them as their text shows.
type Sample struct {
	ID       PatientID
	Row      int    // in the file
	Language string // as the list has it
	// To has no phone, and the link of nobody.
	To Recipient
	// Before and After are the people beside this one in the file's order; 0: there is none.
	Before, After PatientID
}
