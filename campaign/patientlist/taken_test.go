package patientlist

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

var takenToday = time.Date(2026, time.November, 28, 9, 0, 0, 0, time.UTC)

const takenTable = "NHS Number,First name,Surname,DOB,Mobile\r\n9990000018,Jo,Roe,02/08/1970,07700900000\r\n9990000034,Ann,Roe,23/11/2026,07700900001\r\n"

// takenOf reads a whole file, and tells what it says at its beginning too, as the person who uploads it is shown.
func takenOf(t *testing.T, file string) (read, looked Found) {
	t.Helper()
	src := strings.NewReader(file)
	opt := Options{Today: takenToday, Size: src.Size()}
	p, err := Look(src, opt, 2)
	if err != nil {
		t.Fatal(err)
	}
	src = strings.NewReader(file)
	r, err := NewReader(src, opt)
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return r.Found(), p.Found
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func dayOf(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}
	}
	return d
}

// The day on which a list was taken from the GP system is found as systems and people write it, above the table and below it.
func TestTaken_found(t *testing.T) {
	for _, line := range []string{
		// EMIS
		`"Run on:","23-Nov-2026 08:14"`, `"Run on:","","23-Nov-2026 08:14"`, `Run on: 23-Nov-2026`, `"Last Run:","23-Nov-2026 08:14"`, `Last run,23-Nov-2026`,
		`Run by:,Dr J Roe,Run on:,23-Nov-2026 08:14`, `"Organisation:","Elm Street","Last Run:","23-Nov-2026"`, `Report run,23-Nov-2026`, `EMIS Web report run: 23-Nov-2026 08:14:09`,
		`Patient Listing - Run on: 23-Nov-2026`, `Patients seen between 01-Oct-2025 and 01-Oct-2026; run on 23-Nov-2026`, `Report date: 23-Nov-2026`, `Search date:,23-Nov-26`,
		`Last run: 23-Nov-2026 Relative date: 01-Oct-2026`, `Relative date: 01-Oct-2026 Last run: 23-Nov-2026`,
		// SystmOne and others
		`Report run on 23 Nov 2026 at 08:14`, `"Report run on Monday, 23 November 2026 at 08:14"`, `Report run on Monday, 23 November 2026 at 08:14`, `Report generated: 23 Nov 2026 08:14`,
		`Printed 23/11/2026`, `Printed by Jane Roe on 23/11/2026 08:14`, `"Page 1 of 3, printed 23/11/2026"`, `Date printed,23/11/2026 08:14:00`, `Extracted 23.11.2026`, `Extract date,20261123`,
		`Date of extraction: 23-11-2026`, `Data extracted on,2026-11-23`, `Exported on: 2026-11-23T08:14:00Z`, `Exported:,2026-11-23 08:14:00.123 +00:00`, `Date exported,2026/11/23`,
		`Generated,Nov 23 2026  8:14AM`, `"Generated on November 23, 2026"`, `Produced on the 23rd November 2026`, `As at,23/11/2026`, `Data as at 23 November 2026`, `Correct as of: 23/11/2026`,
		`List taken on,23/11/2026`, `Data last refreshed: 23/11/2026 08:14`, `Completion time: 2026-11-23T08:14:00.1234567+00:00`, `List created 23/11/2026`, `Downloaded: 23/11/2026`,
		// A spreadsheet with the month first; home-made ones
		`Run date,11/23/2026`, `Date,23/11/2026`, `Date: 23 November 2026`, `Dated 23/11/26`, `Today's date:,Monday 23 November 2026`,
		// Of several the earliest: what was printed later was found out before
		`Last run:,23-Nov-2026,Printed:,25-Nov-2026`, `Date,26/11/2026,Exported,23/11/2026`, `Run on: 23-Nov-2026,Report run: 23-Nov-2031`,
	} {
		for where, file := range map[string]string{"above": "Patients\r\n" + line + "\r\n\r\n" + takenTable, "below": takenTable + "\r\n" + line + "\r\n"} {
			read, looked := takenOf(t, file)
			if !read.TakenOn.Equal(dayOf("2026-11-23")) || !looked.TakenOn.Equal(read.TakenOn) {
				t.Errorf("%s, %s: read %s, looked %s", line, where, read.TakenOn, looked.TakenOn)
			}
		}
	}
}

// Other days are not taken for it.
func TestTaken_notMistaken(t *testing.T) {
	for _, line := range []string{
		`Relative date:,23-Nov-2026`, `Relative date: 23-Nov-2026`, `"Relative Run Date","23-Nov-2026"`, `01-Oct-2025 to 01-Oct-2026`, `"Report period:","01-Oct-2025 - 01-Oct-2026"`,
		`Run on,01-Oct-2026,to,01-Nov-2026`, `Report date,01-Oct-2026,01-Nov-2026`, `Report date 01/10/2026 to 01/11/2026`, `Report date from 01/10/2026`, `Date range,01/10/2026`,
		`Date of birth,23/11/2026`, `Born 23/11/2026`, `Age as at,01-Apr-2026`, `Age as at 01-Apr-2026`, `Flu vaccine as at 01-Oct-2026`, `Patients registered on 01-Oct-2026`, `Registered before,01-Oct-2026`,
		`Blood pressure taken on,01-Oct-2026`, `Letter printed 01-Oct-2026`, `Search created:,01-Oct-2026`, `Report created on 01-Oct-2026`, `Created on: 01-Oct-2026`, `Last modified: 01-Oct-2026`,
		`Next run:,23-Nov-2026`, `Next run due: 23-Nov-2026`, `23-Nov-2026`, `23-Nov-2026 08:14`, `Version 23.11.2026`, `Run on:,31-Feb-2026`, `Run on:,08:14`, `Run by:,N83006`, `Seen by Dr Roe on,01-Oct-2026`,
		`Review date: 01-Oct-2026`, `Deceased 12 2026`, `Report for 01-Oct-2026`, `Report run time: 00:00:12`, `"Run on: 1 of 2026"`, `Appointment date,23/11/2026`,
	} {
		for where, file := range map[string]string{"above": "Patients\r\n" + line + "\r\n\r\n" + takenTable, "below": takenTable + "\r\n" + line + "\r\n"} {
			read, looked := takenOf(t, file)
			if !read.TakenOn.IsZero() || !looked.TakenOn.IsZero() || !read.TakenOdd.IsZero() {
				t.Errorf("%s, %s: read %s (odd %s), looked %s", line, where, read.TakenOn, read.TakenOdd, looked.TakenOn)
			}
		}
	}
	// Nor are those of patients, though a row says that it was printed.
	if read, _ := takenOf(t, "NHS Number,DOB,Mobile,Printed,Run on\r\n9990000018,02/08/1970,07700900000,23/11/2026,23/11/2026\r\nx,02/08/1970,07700900000,23/11/2026,23/11/2026\r\n"); !read.TakenOn.IsZero() {
		t.Errorf("a row's: %s", read.TakenOn)
	}
}

// A day in the future, or of years ago, is not believed, but told.
func TestTaken_odd(t *testing.T) {
	for line, odd := range map[string]string{"Run on: 29-Nov-2026": "2026-11-29", "Run on:,23-Nov-2062": "2062-11-23", "Run on: 23-Nov-2023": "2023-11-23", "Run on: 26-Nov-2025": "2025-11-26",
		"Run on: 28-Nov-2026": "", "Run on: 28-Nov-2025": "", "Date: 23/11/2062": ""} {
		read, looked := takenOf(t, line+"\r\n\r\n"+takenTable)
		if !read.TakenOdd.Equal(dayOf(odd)) || !looked.TakenOdd.Equal(dayOf(odd)) || odd != "" && !read.TakenOn.IsZero() || odd == "" && !strings.HasPrefix(line, "Date") && read.TakenOn.IsZero() {
			t.Errorf("%s: %s, odd %s", line, read.TakenOn, read.TakenOdd)
		}
	}
}

// The day is found in files of all kinds: the samples, a spreadsheet of the month first, a long list that says it at its end, UTF-16, workbooks.
func TestTaken_files(t *testing.T) {
	want := dayOf("2026-11-23")
	for _, name := range []string{"emis-2000.csv", filepath.Join("shapes", "emis-report.csv")} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if read, looked := takenOf(t, string(b)); !read.TakenOn.Equal(want) || !looked.TakenOn.Equal(want) {
			t.Errorf("%s: read %s, looked %s", name, read.TakenOn, looked.TakenOn)
		}
	}
	american := "Report run,11/5/2026\r\nNHS Number,DOB,Mobile\r\n" + strings.Repeat("9990000018,12/25/1980,07700900000\r\n", 4)
	if read, _ := takenOf(t, american); !read.TakenOn.Equal(dayOf("2026-11-05")) {
		t.Errorf("the month first: %s", read.TakenOn)
	}
	var long strings.Builder
	long.WriteString("NHS Number\tDOB\tMobile\r\n")
	for long.Len() < 3*sniffLen {
		long.WriteString("9990000018\t02/08/1970\t07700900000\r\n")
	}
	long.WriteString("\r\nExported on\t23/11/2026 08:14\r\n")
	if read, looked := takenOf(t, long.String()); !read.TakenOn.Equal(want) || !looked.TakenOn.Equal(want) {
		t.Errorf("at the end of a long list: read %s, looked %s", read.TakenOn, looked.TakenOn)
	}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		wide := order.AppendUint16(nil, 0xFEFF)
		for _, u := range utf16.Encode([]rune(long.String())) {
			wide = order.AppendUint16(wide, u)
		}
		if read, looked := takenOf(t, string(wide)); !read.TakenOn.Equal(want) || !looked.TakenOn.Equal(want) {
			t.Errorf("at the end of a long list in UTF-16: read %s, looked %s", read.TakenOn, looked.TakenOn)
		}
	}
	// A workbook keeps days as numbers: 46349 is 23 November 2026.
	lines := func(lines ...[]string) (rows string) {
		for i, cells := range lines {
			rows += inline(i+1, "", cells...)
		}
		return rows
	}
	run, names, patient := []string{"Report run on", styled(1, "46349.34")}, []string{"NHS Number", "DOB", "Mobile"}, []string{"9990000018", "02/08/1970", "07700900000"}
	for name, b := range map[string]book{
		"above":      {sheets: []bookSheet{{"List", "", lines(run, names, patient)}}},
		"below":      {sheets: []bookSheet{{"List", "", lines(names, patient, nil, run)}}},
		"on a cover": {sheets: []bookSheet{{"Cover", "", lines(run)}, {"List", "", lines(names, patient)}}},
	} {
		if read, looked := takenOf(t, string(b.bytes(t))); !read.TakenOn.Equal(want) || !looked.TakenOn.Equal(want) {
			t.Errorf("a workbook, %s: read %s, looked %s", name, read.TakenOn, looked.TakenOn)
		}
	}
}
