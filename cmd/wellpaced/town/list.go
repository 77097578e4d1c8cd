package town

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// MostPatients is how many different NHS numbers the range for tests has room for, roughly.
const MostPatients = 900_000

// Fates of rows, by what a screening should make of them. "" is invited.
const (
	fateNHS       = "nhs_number_invalid"
	fateBorn      = "date_of_birth_invalid"
	fateMissing   = "mobile_missing"
	fateDamaged   = "mobile_damaged"
	fateNotMobile = "mobile_not_mobile"
	fateMobile    = "mobile_invalid"
	fateDeceased  = "deceased"
	fateDissent   = "dissent"
	fateChild     = "under_age"
	fateDuplicate = "duplicate_person"
	fateShared    = "shared_number"
)

// dirt is what is wrong with the rows of a real export, in rows of 2,000.
var dirt = []struct {
	fate string
	rows float64
}{
	{fateNHS, 27}, {fateBorn, 14}, {fateMissing, 39}, {fateDamaged, 12}, {fateNotMobile, 27}, {fateMobile, 16},
	{fateDeceased, 19}, {fateDissent, 48}, {fateChild, 24}, {fateDuplicate, 27}, {fateShared, 83},
}

// resident is one row of the list before it is written down.
type resident struct {
	fate          string
	nhs           string
	given, family string
	born          time.Time
	sex           string
	mobile        string // E.164; "" if the row has none that is right
	practice      int
	postcode      string
	speaks        *tongue
	rng           *rand.Rand // for how the row is written
}

var (
	givenFemale = []string{"Patricia", "Maureen", "Sunita", "Siân", "Zoë", "Renée", "Margaret", "Joan", "Aisha", "Kelly", "Chloe", "Emma", "Agnieszka", "Jean", "Dorothy", "Fatima", "Niamh", "Grace", "Olivia", "Wei"}
	givenMale   = []string{"Mohammed", "John", "Peter", "José", "Müller", "Liam", "Kevin", "Brian", "Ahmed", "Stephen", "Paul", "Tomasz", "Gary", "André", "Callum", "George", "Harry", "Yusuf", "Søren", "Derek"}
	families    = []string{"Singh", "O'Connor", "Molyneux", "D'Souza", "Patel", "de Souza", "Smith", "Jones", "Taylor", "Khan", "Kowalski", "Nuñez", "Fazakerley", "Rimmer", "Ainsworth", "Murphy", "Hughes", "Roberts", "Williams", "Begum", "Smith-Jones", "McDonald", "Ashcroft", "Okafor", "Lunt", "Whittle", "Gérard", "Ó Briain"}
	postcodes   = []string{"L32 8RE", "L34 1LA", "L26 1TT", "L28 1ST", "L33 7XY", "L36 9GA", "L35 5PE", "WA9 5DZ", "L36 0JG", "L34 3SF", "ZZ99 3VZ"}
)

// residents makes up the rows of a list. The same arguments give the same rows.
func residents(seed uint64, n int, practices []staff.Practice, today time.Time) iter.Seq[*resident] {
	return func(yield func(*resident) bool) {
		base := rand.New(rand.NewPCG(seed, 0x6c697374))
		// A step that shares no factor with the size of a range visits each number of it once.
		nhsAt, nhsStep := base.IntN(1_000_000), 617_477
		mobileAt, mobileStep := base.IntN(20_000_000), 7_368_787
		shared := 0.
		for _, d := range dirt {
			shared += d.rows
		}
		// Some of those who were invited: later rows repeat them.
		var before [64]resident
		known := 0
		for range n {
			rng := rand.New(rand.NewPCG(base.Uint64(), 1))
			r := &resident{rng: rng, practice: practiceOf(rng, len(practices))}
			if x := rng.Float64() * 2000; x < shared {
				for _, d := range dirt {
					if x < d.rows {
						r.fate = d.fate
						break
					}
					x -= d.rows
				}
			}
			for r.nhs == "" {
				r.nhs = nhsNumber(nhsAt)
				nhsAt = (nhsAt + nhsStep) % 1_000_000
			}
			r.mobile = fmt.Sprintf("+44%d", 7_400_000_000+mobileAt)
			mobileAt = (mobileAt + mobileStep) % 20_000_000
			r.sex = []string{"female", "male"}[rng.IntN(2)]
			r.given = pick(rng, map[string][]string{"female": givenFemale, "male": givenMale}[r.sex])
			r.family = pick(rng, families)
			r.postcode = pick(rng, postcodes)
			age := 18 + int(72*rng.Float64())
			r.born = today.AddDate(-age, 0, -1-rng.IntN(364))
			switch r.fate {
			case fateChild:
				r.born = today.AddDate(-1-rng.IntN(16), 0, -1-rng.IntN(360))
			case fateDuplicate, fateShared:
				if known == 0 {
					r.fate = "" // nobody to repeat yet
					break
				}
				o := &before[rng.IntN(min(known, len(before)))]
				r.mobile, r.practice, r.postcode = o.mobile, o.practice, o.postcode
				if r.fate == fateDuplicate {
					r.nhs, r.given, r.family, r.born, r.sex = o.nhs, o.given, o.family, o.born, o.sex
				}
			case fateNHS, fateBorn, fateMissing, fateDamaged, fateNotMobile, fateMobile:
				r.mobile = ""
			}
			r.born = time.Date(r.born.Year(), r.born.Month(), r.born.Day(), 0, 0, 0, 0, time.UTC)
			r.speaks = tongueOf(seed, r.nhs)
			if r.fate == "" {
				before[known%len(before)] = *r
				known++
			}
			if !yield(r) {
				return
			}
		}
	}
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// practiceOf makes practices of different sizes: the largest has about four times the patients of the smallest.
func practiceOf(rng *rand.Rand, n int) int {
	return min(n-1, int(float64(n)*(1-.75*rng.Float64())*rng.Float64()*1.15))
}

// nhsNumber is a number in the range for tests (999), or "" if these six digits have no check digit.
func nhsNumber(six int) string {
	s := fmt.Sprintf("999%06d", six)
	sum := 0
	for i, c := range s {
		sum += int(c-'0') * (10 - i)
	}
	check := (11 - sum%11) % 11
	if check == 10 || six == 999_999 { // the latter repeats one digit
		return ""
	}
	return s + string(rune('0'+check))
}

// WriteList writes a patient list as a GP system exports it: title lines, a header, rows in many spellings with what is wrong in real
// ones, a total. It is Windows-1252, with quotation marks and CRLF. The same arguments give the same file; no row is kept in memory.
func WriteList(w io.Writer, seed uint64, patients int, practices []staff.Practice, today time.Time) error {
	return WriteFreshList(w, seed, patients, practices, today, today)
}

// WriteFreshList is WriteList of a later day: some people have left their practice since, and some have died. Nobody is new.
func WriteFreshList(w io.Writer, seed uint64, patients int, practices []staff.Practice, today, later time.Time) error {
	if patients < 1 || patients > MostPatients {
		return fmt.Errorf("a made-up list has between 1 and %d patients: the range of test NHS numbers has no more", MostPatients)
	}
	if len(practices) == 0 {
		return errors.New("a made-up list needs a practice")
	}
	b := bufio.NewWriterSize(w, 64<<10)
	line := func(cells ...string) {
		for i, c := range cells {
			if i > 0 {
				_ = b.WriteByte(',') // errors stay with b until Flush
			}
			_ = b.WriteByte('"')
			for _, r := range c {
				switch {
				case r == '"':
					_, _ = b.WriteString(`""`)
				case r < 0x80 || r >= 0xA0 && r <= 0xFF:
					_ = b.WriteByte(byte(r)) // Windows-1252 is Latin-1 there
				default:
					_ = b.WriteByte('?')
				}
			}
			_ = b.WriteByte('"')
		}
		_, _ = b.WriteString("\r\n")
	}
	line("Patient Listing - Social prescribing outreach")
	line("Organisation:", "Knowsley Riverside PCN")
	line("Run on:", later.Format("02-Jan-2006 15:04"))
	_, _ = b.WriteString("\r\n")
	line("NHS Number", "Given Name", "Family Name", "Date of Birth", "Gender", "Mobile Telephone", "Organisation ODS Code", "Postcode", "Date of Death", "SMS Dissent", "Main Spoken Language")
	rows := 0
	for r := range residents(seed, patients, practices, today) {
		left, died := r.gone(seed, today, later)
		if left {
			continue
		}
		cells := r.cells(seed, practices, today)
		if died != "" && r.fate != fateDeceased {
			cells[cellDied] = died
		}
		line(cells...)
		rows++
	}
	_, _ = b.WriteString("\r\n")
	line("Total patients:", fmt.Sprint(rows))
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	return nil
}

// cellDied is where a row has the date of death.
const cellDied = 8

// goneWeekly is the share of people who leave their practice or die in a week; a quarter of them die.
const goneWeekly = .002

// gone says what has become of somebody between two days: who is gone on one stays gone on all later ones.
func (r *resident) gone(seed uint64, from, to time.Time) (left bool, died string) {
	weeks := int(to.Sub(from).Round(7*24*time.Hour) / (7 * 24 * time.Hour))
	if weeks <= 0 {
		return false, ""
	}
	rng := lots(seed, "gone", r.nhs)
	week := 1 + int(math.Log(1-rng.Float64())/math.Log(1-goneWeekly)) // in which it happens
	if week > weeks {
		return false, ""
	}
	if rng.IntN(4) > 0 {
		return true, ""
	}
	return false, from.AddDate(0, 0, 7*week-1-rng.IntN(7)).Format("02-Jan-2006")
}

// cells spells a row as one of the people who typed it would have.
func (r *resident) cells(seed uint64, practices []staff.Practice, today time.Time) []string {
	rng := r.rng
	nhs := r.nhs
	switch x := rng.IntN(4); {
	case r.fate == fateNHS:
		switch rng.IntN(4) {
		case 0:
			nhs = ""
		case 1:
			nhs = nhs[:8] // digits lost
		default:
			nhs = nhs[:9] + string('0'+(nhs[9]-'0'+1+byte(rng.IntN(9)))%10) // a wrong check digit
		}
	case x == 0:
		nhs = nhs[:3] + " " + nhs[3:6] + " " + nhs[6:]
	case x == 1:
		nhs = nhs[:3] + "-" + nhs[3:6] + "-" + nhs[6:]
	}
	born := r.born.Format(pick(rng, []string{"02-Jan-2006", "02-Jan-2006", "02-Jan-2006", "02-Jan-2006", "02/01/2006", "2006-01-02"}))
	if r.fate == fateBorn {
		born = pick(rng, []string{"", "unknown", "30/02/1971", "1968", "31/13/1950", today.AddDate(2, 0, 0).Format("02-Jan-2006")})
	}
	sex := pick(rng, map[string][]string{"female": {"F", "Female", "Unknown"}, "male": {"M", "Male", "Unknown"}}[r.sex])
	died, dissent := "", pick(rng, []string{"", "N", "No"})
	switch r.fate {
	case fateDeceased:
		died = today.AddDate(0, 0, -1-rng.IntN(700)).Format("02-Jan-2006")
	case fateDissent:
		dissent = pick(rng, []string{"Dissent", "Y", "Yes"})
	}
	return []string{nhs, r.given, r.family, born, sex, r.spellMobile(), practices[r.practice].ODS, r.postcode, died, dissent, r.speaks.spell(lots(seed, "cell", r.nhs))}
}

// spellMobile writes a number in one of the ways that GP systems hold one, or one of the ways in which it is no mobile number.
func (r *resident) spellMobile() string {
	rng := r.rng
	d := strings.TrimPrefix(r.mobile, "+44") // ten digits, from 7
	if d == "" {
		d = fmt.Sprintf("7%09d", 400_000_000+rng.IntN(20_000_000))
	}
	switch r.fate {
	case fateMissing:
		return pick(rng, []string{"", " ", "-", "n/a", "NONE", "none"})
	case fateDamaged:
		return pick(rng, []string{"4.47401E+11", "7.4E+09", "4.474E+11"})
	case fateNotMobile:
		return pick(rng, []string{fmt.Sprintf("0151 496 %04d", rng.IntN(1000)), fmt.Sprintf("+44 20 7946 %04d", rng.IntN(1000)), fmt.Sprintf("01514960%03d", rng.IntN(1000))})
	case fateMobile:
		return pick(rng, []string{"0" + d[:9], "0" + d + "44", fmt.Sprintf("0%s (mum)", d), "07012 345678", "+353861234567", "abc"})
	}
	switch rng.IntN(12) {
	case 0:
		return d // a spreadsheet has eaten the zero
	case 1, 2:
		return "+44 " + d[:4] + " " + d[4:7] + " " + d[7:]
	case 3:
		return "0" + d[:4] + "-" + d[4:]
	case 4:
		return " 0" + d + " "
	case 5, 6:
		return "0" + d[:4] + " " + d[4:]
	case 7:
		return "+44" + d
	case 8:
		return "0044" + d
	case 9:
		return "(0" + d[:4] + ") " + d[4:]
	case 10:
		return "+44 (0)" + d
	}
	return "0" + d
}

// neighbour is somebody whom a text can reach, as the town needs to know them.
type neighbour struct {
	given, family string
	born          time.Time
	practice      int
	speaks        *tongue
}

// register finds who lives behind which number. Of those who share a number the first is in it: the one who is texted.
func register(seed uint64, n int, practices []staff.Practice, today time.Time) map[string]neighbour {
	all := make(map[string]neighbour, n)
	for r := range residents(seed, n, practices, today) {
		if r.fate == "" {
			all[r.mobile] = neighbour{r.given, r.family, r.born, r.practice, r.speaks}
		}
	}
	return all
}
