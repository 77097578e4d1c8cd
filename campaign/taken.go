package campaign

import (
	"errors"
	"fmt"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

// CivilDay is the day of a time, as the time's own zone has it: midnight UTC, which is the same day in London all year. From it the age of a list
// counts: people move, die and change their minds from when it was taken from the GP system, whenever it came here.
func CivilDay(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// ErrOlderList refuses a fresh list that is older than what it should freshen.
var ErrOlderList = errors.New("this list is older than the one that the campaign has: it was taken from the GP system before it")

// ErrListAge refuses a list that was taken too long ago for any campaign, on this day.
type ErrListAge time.Time

func (e ErrListAge) Error() string {
	return fmt.Sprintf("this list was taken from the GP system on %s, more than %d days ago, so that nothing would be sent to people in it; upload a fresh export and choose that",
		time.Time(e).Format("2 January 2006"), throttle.LongestListAge/(24*time.Hour))
}

// CheckAge refuses a list that no campaign can use at this time.
func (a Audience) CheckAge(now time.Time) error {
	if now.Sub(a.TakenOn) > throttle.LongestListAge {
		return ErrListAge(a.TakenOn)
	}
	return nil
}

// What cannot be the day on which a list was taken from the GP system.
var (
	ErrTakenLater = errors.New("the day on which the list was taken from the GP system cannot be in the future")
	ErrTakenLong  = errors.New("the day on which the list was taken from the GP system is more than five years ago; check the year")
)

// CheckTakenOn refuses a day on which no list that comes today was taken.
func CheckTakenOn(on, today time.Time) error {
	switch today = CivilDay(today); {
	case on.After(today):
		return ErrTakenLater
	case on.Before(today.AddDate(-5, 0, 0)): // lists of last year are uploaded to compare with
		return ErrTakenLong
	}
	return nil
}

// Contradicts tells that the file says another day than the person who uploaded it: an older one.
func (a Audience) Contradicts() bool { return !a.FileOn.IsZero() && a.FileOn.Before(a.TakenOn) }

// ListOn is the day from which the age of a campaign's list counts, own being its list.
func (c Campaign) ListOn(own Audience) time.Time {
	if c.FreshAt.After(own.TakenOn) {
		return c.FreshAt
	}
	return own.TakenOn
}

// CheckFresh refuses a list as the fresh one of a campaign whose own is own. Of two of one day the one that was checked later is the fresher.
func (c Campaign) CheckFresh(a, own Audience) error {
	switch on := c.ListOn(own); {
	case a.ID == own.ID:
		return ErrNotFresh
	case a.TakenOn.Before(on):
		return ErrOlderList
	case a.TakenOn.Equal(own.TakenOn) && !a.ScreenedAt.After(own.ScreenedAt):
		return ErrNotFresh
	}
	return nil
}
