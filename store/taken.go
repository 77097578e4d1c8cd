package store

import (
	"time"

	"github.com/wellpaced/wellpaced/campaign"
)

// dayOf is the beginning of the day of an instant, both in UTC.
func dayOf(ms int64) int64 { return ms - ms%(24*time.Hour).Milliseconds() }

// takenOn is the day from which the age of a list counts. One that a process of an earlier version has checked during an upgrade says none: it
// must not pass for one that never grows old.
func takenOn(taken, screened int64) int64 {
	if taken == 0 {
		return dayOf(screened)
	}
	return taken
}

// Taken says on which day the list was taken from the GP system, and what its file says of that.
func (im *listImport) Taken(on, file time.Time) { im.a.TakenOn, im.a.FileOn = on, file }

// checkListAge refuses a campaign whose list is older than any campaign may use: nothing of it would ever be sent.
func checkListAge(tx *Tx, c campaign.Campaign) error {
	a, err := scanAudience(tx.QueryRow(`SELECT `+audienceColumns+` FROM audience WHERE id = $1`, int64(c.Audience)))
	if err != nil {
		return err
	}
	return a.CheckAge(timeOf(tx.now))
}
