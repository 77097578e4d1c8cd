package campaign

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/campaign/person"
)

// Deprivation is how deprived the streets of a network are: a decile for each postcode sector, 1 the most deprived tenth of England.
type Deprivation struct {
	At      time.Time      `json:"-"` // zero: none was uploaded
	Sectors map[string]int `json:"sectors"`
	// Every row of the file is accounted for.
	Rows      int            `json:"rows"`      // without the heading
	Used      int            `json:"used"`      // rows of a postcode or of a sector
	Rejected  map[string]int `json:"rejected"`  // by code
	Undecided int            `json:"undecided"` // sectors whose most common deciles were equally common: the more deprived counts
}

// Why a row of a file of deciles was not used.
const (
	DecileUnreadable = "row_unreadable"
	DecileNoPlace    = "place_invalid"  // neither a postcode nor a postcode sector
	DecileNotOne     = "decile_invalid" // not 1 to 10
)

// ErrNoDeciles says that a file has no row that could be used.
var ErrNoDeciles = errors.New("no row of this file has a postcode or a postcode sector, such as L32 8, and then a decile from 1 to 10")

const mostDeciles = 10

// ReadDeprivation reads a CSV file of a postcode, or of a postcode sector, and a decile. Where a sector has several, its most common counts.
func ReadDeprivation(from io.Reader) (Deprivation, error) {
	d := Deprivation{Sectors: map[string]int{}, Rejected: map[string]int{}}
	in := bufio.NewReader(from)
	if mark, err := in.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = in.Discard(3)
	}
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.ReuseRecord, r.LazyQuotes, r.TrimLeadingSpace = -1, true, true, true
	place, decile := 0, 1
	found := map[string]*[mostDeciles]int{}
	for first := true; ; first = false {
		row, err := r.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return d.decide(found)
		case errors.As(err, &broken):
			d.Rows++
			d.Rejected[DecileUnreadable]++
			continue
		case err != nil:
			return d, fmt.Errorf("read the file of deciles: %w", err)
		}
		if first {
			if p, q, ok := headings(row); ok {
				place, decile = p, q
				continue
			}
		}
		d.Rows++
		if len(row) <= max(place, decile) {
			d.Rejected[DecileUnreadable]++
			continue
		}
		sector, ok := sectorOf(row[place])
		if !ok {
			d.Rejected[DecileNoPlace]++
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(row[decile]))
		if err != nil || n < 1 || n > mostDeciles {
			d.Rejected[DecileNotOne]++
			continue
		}
		d.Used++
		if found[sector] == nil {
			found[sector] = &[mostDeciles]int{}
		}
		found[sector][n-1]++
	}
}

// headings finds the two columns by their names.
func headings(row []string) (place, decile int, ok bool) {
	place, decile = -1, -1
	for i, cell := range row {
		name := strings.ToLower(cell)
		switch {
		case decile < 0 && strings.Contains(name, "decile"):
			decile = i
		case place < 0 && (strings.Contains(name, "postcode") || strings.Contains(name, "sector") || strings.HasPrefix(name, "pcd")):
			place = i
		}
	}
	return place, decile, place >= 0 && decile >= 0
}

// sectorOf reads a postcode or a sector. A sector needs its space: L32 without one is a district, and L3 2 a sector of another.
func sectorOf(cell string) (string, bool) {
	cell = strings.TrimSpace(cell)
	if p, err := person.ParsePostcode(cell); err == nil && !p.IsZero() {
		return p.Sector(), true
	}
	if outward, inward, two := strings.Cut(cell, " "); two && len(strings.TrimSpace(inward)) == 1 {
		if p, err := person.ParsePostcode(outward + " " + strings.TrimSpace(inward) + "AA"); err == nil && strings.EqualFold(p.Sector(), outward+" "+strings.TrimSpace(inward)) {
			return p.Sector(), true
		}
	}
	return "", false
}

func (d Deprivation) decide(found map[string]*[mostDeciles]int) (Deprivation, error) {
	for sector, by := range found {
		best, tie := 0, false
		for i, n := range by {
			switch {
			case n > by[best]:
				best, tie = i, false
			case i != best && n == by[best]:
				tie = true
			}
		}
		if tie {
			d.Undecided++
		}
		d.Sectors[sector] = best + 1
	}
	if len(d.Sectors) == 0 {
		return d, ErrNoDeciles
	}
	return d, nil
}

// Decile names the decile of a sector, "" if it is not known.
func (d Deprivation) Decile(sector string) string {
	if n := d.Sectors[sector]; n > 0 {
		return strconv.Itoa(n)
	}
	return ""
}
