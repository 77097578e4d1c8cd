package patientlist

// Code says why a row was rejected. The codes are tested in this order, and
// the first that holds is the one.
type Code string

const (
	RowUnreadable      Code = "row_unreadable"
	NHSNumberInvalid   Code = "nhs_number_invalid"
	DateOfBirthInvalid Code = "date_of_birth_invalid"
	MobileMissing      Code = "mobile_missing"
	MobileDamaged      Code = "mobile_damaged"
	MobileNotMobile    Code = "mobile_not_mobile"
	MobileInvalid      Code = "mobile_invalid"

	// RowHidden comes before all others: a workbook has the row but does not show it. So does RowStruck, after it: a cell is crossed out.
	RowHidden Code = "row_hidden"
	RowStruck Code = "row_struck_out"
)

// Codes of a FileError.
const (
	FileEmpty         = "file_empty"
	FileNotText       = "file_not_text"
	FileTooLarge      = "file_too_large"
	NoHeader          = "no_header"
	NoMobileColumn    = "no_mobile_column"
	NoNHSNumberColumn = "no_nhs_number_column"
	NoBirthDateColumn = "no_birth_date_column"
	WorkbookDamaged   = "workbook_damaged"
	WorkbookLocked    = "workbook_locked"
	NoSuchSheet       = "no_such_sheet"
	NoSuchColumn      = "no_such_column" // a mapping names a column that is not there
	ColumnsChange     = "columns_change" // there are other column names in the middle
)

// FileError says that a file as a whole cannot be read as a patient list. The
// sentence is for the person who chose the file, and says how to mend it. It
// may name columns but never contains a patient's data.
type FileError struct {
	Code     string
	Sentence string
}

func (e *FileError) Error() string { return e.Sentence }
