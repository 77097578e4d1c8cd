// Package lang knows the languages in which patients are written to: on the pages of the form and in texts. [ReadingAge] measures how hard
// an English page is to read.
//
// Staff are written to in English.
package lang
