package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/wellpaced/wellpaced/selfrefer"
)

// manyReferrals are as many as a large city has in two years.
const manyReferrals = 50_000

// fillReferrals gives a world so many closed referrals over the two years to June 2026, each with what is counted of it.
func (r *reportWorld) fillReferrals(n int) {
	r.tb.Helper()
	r.asks(1, "L36 1", "f", "money")
	first := r.now.AddDate(-2, 0, 0).UnixMilli()
	apart := r.now.UnixMilli() - first
	x := fmt.Sprintf(`WITH RECURSIVE x (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM x WHERE k < %d) `, n)
	for _, s := range []string{
		`INSERT INTO patient (id, audience, row, invited, practice, age_band, sex, language, sector, person, phone_ix, nhs_ix)
			` + x + `SELECT 1000000 + k, p.audience, p.row + k, true, CASE k % 7 WHEN 0 THEN 'N83002' ELSE 'N83001' END, CASE k % 4 WHEN 0 THEN '18-39' WHEN 1 THEN '80+' ELSE '40-64' END,
				CASE k % 3 WHEN 0 THEN 'male' ELSE 'female' END, '', 'L' || (k % 9 + 30) || ' ' || (k % 5), '', 'p' || k, 'n' || k FROM x CROSS JOIN (SELECT audience, row FROM patient LIMIT 1) p`,
		`INSERT INTO referral (id, network, team, campaign, message, patient, form_ix, reference, state, lane, urgent, source, not_matched, practice, language, received_at, due_at,
				contact_by, claimed_by, claimed_at, contacted_at, attempts, closed_at, person, phone_ix, nhs_ix)
			` + x + fmt.Sprintf(`SELECT 1000000 + k, r.network, r.team, r.campaign, 0, 1000000 + k, 'f' || k, 'r' || k, CASE k %% 9 WHEN 0 THEN 'onward' ELSE 'closed' END, 'verified', k %% 40 = 0, 'link', '', CASE k %% 7 WHEN 0 THEN 'N83002' ELSE 'N83001' END,
				'English', %[1]d + %[2]d / %[3]d * k, %[1]d + %[2]d / %[3]d * k + 172800000, 0, 1, 0, %[1]d + %[2]d / %[3]d * k + k %% 300 * 3600000, 1, %[1]d + %[2]d / %[3]d * k + 4000000000, '', 'p' || k, 'n' || k
			FROM x CROSS JOIN (SELECT network, team, campaign FROM referral LIMIT 1) r`, first, apart, n),
		`INSERT INTO referral_asked (referral, reason) ` + x + `SELECT 1000000 + k, 'money' FROM x`,
		`INSERT INTO referral_asked (referral, reason) ` + x + `SELECT 1000000 + k, CASE k % 5 WHEN 0 THEN 'housing' WHEN 1 THEN 'carer' ELSE 'lonely' END FROM x`,
		`INSERT INTO referral_event (id, referral, at, account, event, channel, reason) ` + x + `SELECT 1000000 + k, 1000000 + k, 0, 1, 'close', '', 'needs_met' FROM x`,
		`INSERT INTO intervention (id, network, referral, kind, made_on, minutes, made_by, removed_at)
			` + x + fmt.Sprintf(`SELECT 1000000 + k, (SELECT network FROM referral LIMIT 1), 1000000 + k, 'welfare_call', strftime('%%Y-%%m-%%d', (%[1]d + %[2]d / %[3]d * k) / 1000, 'unixepoch'), 20, 1, 0 FROM x`, first, apart, n),
		`ANALYZE`,
	} {
		r.write(s)
	}
}

// BenchmarkCountMonth counts one month of the two years.
func BenchmarkCountMonth(b *testing.B) {
	w := mustReportWorld(b, testConfig(b))
	w.fillReferrals(manyReferrals)
	for b.Loop() {
		err := w.db.read(context.Background(), "bench", func(tx *Tx) error {
			var f selfrefer.MonthFigures
			return w.db.countMonth(tx, w.network.ID, selfrefer.MonthOf(w.now.AddDate(0, -3, 0), time.UTC), &f)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
