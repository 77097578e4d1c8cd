package desk

import (
	"net/http"
	"slices"
	"strings"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// usualPage is how many a listing tells that was never told whole, to a call that names no limit.
const usualPage = 50

// asked reads which page a call asks for. usual 0 is for listings that are told whole to a call that names no limit.
func asked(r *http.Request, usual int) (ui.Asked, error) {
	a, wrong := ui.ReadAsked(r.URL.Query(), usual)
	if wrong != nil {
		return a, invalid(wrong)
	}
	return a, nil
}

// place reads where a page goes on as n numbers.
func place(a ui.Asked, n int) ([]int64, error) {
	at, ok := a.Place(n)
	if !ok {
		return nil, invalid(ui.WrongAfter())
	}
	return at, nil
}

// servicesAfter cuts a page out of the directory, which is filtered by words and so is read whole. No service is ever deleted: the one at which
// a page ended is found again, though it may not be what is asked for any more.
func servicesAfter(all []selfrefer.Service, takes func(selfrefer.Service) bool, a ui.Asked) (page []selfrefer.Service, next string, err error) {
	at, err := place(a, 1)
	if err != nil {
		return nil, "", err
	}
	if at[0] != 0 {
		i := slices.IndexFunc(all, func(s selfrefer.Service) bool { return int64(s.ID) == at[0] })
		if i < 0 {
			return nil, "", invalid(ui.WrongAfter())
		}
		all = all[i+1:]
	}
	all = slices.DeleteFunc(all, func(s selfrefer.Service) bool { return !takes(s) })
	page, next = ui.CutPage(all, a, func(last selfrefer.Service) string { return ui.Next(int64(last.ID)) })
	return page, next, nil
}

// taskPlace reads where a page of tasks goes on: "2026-06-04.17".
func taskPlace(a ui.Asked) (at selfrefer.TaskPlace, err error) {
	if a.After == "" {
		return at, nil
	}
	day, id, _ := strings.Cut(a.After, ".")
	if at.Due, err = selfrefer.ParseDay(day); err != nil {
		return at, invalid(ui.WrongAfter())
	}
	ids, err := place(ui.Asked{After: id}, 1)
	if err != nil || ids[0] == 0 {
		return at, invalid(ui.WrongAfter())
	}
	at.ID = selfrefer.EntryID(ids[0])
	return at, nil
}

func nextTask(p selfrefer.TaskPlace) string {
	if p.ID == 0 {
		return ""
	}
	return string(p.Due) + "." + ui.Next(int64(p.ID))
}
