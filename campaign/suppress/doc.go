// Package suppress decides which numbers of a table are hidden, so that no number of people from 1 to 4 can be worked out from those that are
// shown: not exactly, and not to a range narrower than 1 to 4.
//
// A small number is hidden; and because its row and its column are summed up beside it, others are hidden with it until it is lost among them.
// That is not left to a rule of thumb: a table with its totals is a network in which every number flows from its row to its column, so that the
// least and the greatest that a hidden number can be, given all that is shown, are found exactly by two maximum flows.
//
// What it assumes of the reader: that they know this package, all totals, that numbers of people are whole and not negative; not that they know
// somebody in the table. Hidden numbers must all look the same: whoever can tell the small from those hidden with them knows more.
package suppress
