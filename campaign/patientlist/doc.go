// Package patientlist reads a practice's export of patients: bytes in, one Row
// per patient out.
//
// GP systems and spreadsheets agree on nothing. NewReader therefore looks at
// the first 64 KiB and finds out what it has: whether it is text at all, which
// bytes end a line, which sign parts the columns, which line names them, and
// which column means what. Everything after that is one pass in constant
// memory, whatever the size of the file.
//
// The promise is that every patient in the file is accounted for. Each data
// row comes out of Next exactly once, either readable or with the Code that
// says why it was rejected. Only five things are not rows: the lines above the
// column names, blank lines, rules of dashes, a repetition of the column names,
// and what a report prints below its last row ("Total patients: 2000"). Other
// column names in the middle are two lists in one file, which is refused: the
// cells below them mean something else, such as who has died.
//
// Lines end with a line feed, with carriage returns before it or not, or with
// a carriage return alone; one file may have all of them.
//
// Quotation marks are where CSV readers lose rows: one that is never closed
// swallows what follows. Here a row ends with its line. A quoted field may go
// on over a few lines, but only if the whole then closes properly and has the
// columns that the file should have. Otherwise the first line alone is
// rejected as unreadable, and reading goes on with the next.
//
// Encodings: UTF-16 is recognised by its mark or its zero bytes. In all else,
// sequences that are valid UTF-8 are UTF-8 and every other byte is
// Windows-1252; that also reads files that were glued together from both.
//
// An Excel workbook (XLSX) is read from an io.ReaderAt whose size is known: its
// first sheet that is a list is turned into lines of text, a line per row, and
// then read like any other. Rows and sheets that it hides are not invited: who
// hid them may have meant to. Nor are rows with a cell that is crossed out. Dates are days, numbers have lost what they lost,
// and a formula is what it came to when the workbook was saved.
//
// What a report says of itself above and below its table ("Run on: 23-Nov-2026") is searched for the day on which the list was taken from the
// GP system. Days of something else must not be taken for it: each word before the day is one that reports use for this.
//
// Who may be texted is not decided here: see the screening in package campaign.
package patientlist
