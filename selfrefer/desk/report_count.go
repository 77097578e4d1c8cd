package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// reportPatience is how long a request waits for months to be counted before it tells how far that is. Mostly they have been: it is done in the
// hours after they are over.
const reportPatience = 2 * time.Second

// againAfter is after how many seconds a page or a program that waits looks again.
const againAfter = 3

// reportCounting is what the page shows instead of a report whose months are being counted.
type reportCounting struct {
	Of       string
	Sentence string
	Counted  int
	Months   int
	Here     string
}

// report makes a report; [selfrefer.NotCounted] if its months are still being counted after a moment. That goes on, whoever waits for it.
func (h *Handler) report(r *http.Request, who staff.Account, q selfrefer.ReportQuery) (report selfrefer.Report, err error) {
	basis, err := h.Store.ReportBasis(r.Context(), who, q.From, q.To)
	if errors.As(err, new(selfrefer.NotCounted)) {
		if err := h.countFor(r.Context(), who, q); err != nil {
			return report, fmt.Errorf("count the months: %w", err)
		}
		basis, err = h.Store.ReportBasis(r.Context(), who, q.From, q.To)
	}
	if err != nil {
		return report, fmt.Errorf("read the months: %w", err)
	}
	if report, err = selfrefer.NewReport(q, basis); err != nil {
		return report, invalid{{Field: "only", Sentence: "Select a group that has enough people in these months"}}
	}
	return report, nil
}

// countFor has the months of a report counted, and waits for a moment.
func (h *Handler) countFor(ctx context.Context, who staff.Account, q selfrefer.ReportQuery) error {
	wait, err := h.Store.CountReport(ctx, who, q.From, q.To)
	if err != nil {
		return err
	}
	moment, cancel := context.WithTimeout(ctx, h.patience)
	defer cancel()
	if err := wait(moment); moment.Err() == nil {
		return err
	}
	return ctx.Err() // of the moment it does not matter that it is over
}

// showCounting says how far the counting is; the page looks again by itself, and becomes the report.
func (h *Handler) showCounting(w http.ResponseWriter, r *http.Request, q selfrefer.ReportQuery, not selfrefer.NotCounted) error {
	c := &reportCounting{Of: span(q), Counted: not.Counted, Months: not.Of, Here: r.URL.RequestURI(),
		Sentence: fmt.Sprintf("Counting: %d of %s done.", not.Counted, plural(not.Of, "month"))}
	return h.show(w, r, http.StatusOK, "reports", ui.Page{Title: "Reports", Refresh: againAfter, Data: reportsScreen{Counting: c}})
}

// comeAgain tells a program how far the counting is, and to ask the same again.
func comeAgain(w http.ResponseWriter, r *http.Request, not selfrefer.NotCounted) error {
	w.Header().Set("Location", r.URL.RequestURI())
	w.Header().Set("Retry-After", strconv.Itoa(againAfter))
	return writeJSON(w, http.StatusAccepted, struct {
		Counted int `json:"months_counted"`
		Months  int `json:"months"`
	}{not.Counted, not.Of})
}
