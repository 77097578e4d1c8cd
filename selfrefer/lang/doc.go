// Package lang knows the languages in which patients are written to, and holds what the pages of the form say in each.
//
// The sentences stand in words/CODE.json, in the format of go-i18n: a key, and a sentence or {"description": a note to the translator,
// "other": the sentence}. {{.Field}} stands for what a page fills in. To mend a translation edit its file; a test names what is missing, what
// has lost a field or a number to ring, and what no page says. Whoever has reviewed a file writes name and day under review.by: until then
// each page in that language says that a computer made the translation.
//
// [ReadingAge] measures how hard English sentences are to read. Staff are written to in English.
package lang
