package pace

import (
	"fmt"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/throttle"
)

// running are books in the middle of a campaign of so many texts: five weeks in, hourly deliveries in ten strata, one answer in a hundred.
func running(texts int) *books {
	s := session{}
	open := `{"open":{"promise_hours":16,"timezone":"Europe/London","provider_per_minute":3000,"strata":[`
	for i := range 10 {
		if i > 0 {
			open += ","
		}
		open += fmt.Sprintf(`{"id":"%d","size":%d}`, i, texts/10)
	}
	s.answer([]byte(open + `]}}`))
	b := s.books
	cal := throttle.Calendar{}
	perHour := texts / 10 / 240
	left := float64(texts / 10)
	n := 0
	start := time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)
	for now := start; now.Before(start.Add(35 * 24 * time.Hour)); now = now.Add(time.Hour) {
		r := &report{now: now, queue: float64(texts) / 50000}
		if cal.Working(now, now.Add(time.Hour)) > 0 {
			for i := range 10 {
				r.delivered = append(r.delivered, throttle.Cell{At: now.Unix(), Stratum: i, N: float64(perHour)})
				for k := 0; k < perHour*10; k++ {
					if n++; n%1000 == 0 && now.After(start.Add(24*time.Hour)) {
						age := []int64{400, 2000, 7000, 30000, 80000}[n/1000%5]
						r.answers = append(r.answers, throttle.Answer{Delivered: now.Unix() - age, Answered: now.Unix() - int64(n%1700), Stratum: i, N: 1})
						r.contacts = append(r.contacts, throttle.Count{At: now.Unix() - int64(n%3000), N: 1})
					}
				}
			}
			left -= float64(perHour)
		}
		for i := range r.answers {
			r.answers[i].Answered = max(r.answers[i].Answered, r.answers[i].Delivered)
		}
		for range 10 {
			r.left = append(r.left, left)
		}
		for at := now; at.Before(now.Add(40 * 24 * time.Hour)); at = at.Add(time.Hour) {
			if cal.Working(at, at.Add(time.Hour)) > 0 {
				r.able = append(r.able, able{at.Unix(), at.Unix() + 3600, float64(texts) / 26000})
			}
		}
		b.enter(r)
	}
	return b
}

// A decision is to take no more than a millisecond, however long the list.
func BenchmarkDecide(b *testing.B) {
	for _, texts := range []int{52000, 1000000} {
		books := running(texts)
		b.Run(fmt.Sprint(texts), func(b *testing.B) {
			for b.Loop() {
				policy, state := books.ask()
				throttle.Decide(books.now, policy, state)
			}
			b.ReportMetric(float64(len(books.answers)), "answers")
			b.ReportMetric(float64(len(books.delivered)), "cells")
		})
	}
}
