package desk

import (
	"context"
	"fmt"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// An administrator chooses at the invitation whose practice viewer somebody is, and changes it on their page.
func TestPracticeViewers(t *testing.T) {
	b := newBench(t)
	tab := b.tab("office")
	tab.signIn(b.who[staff.Administrator])
	tab.post(staffPath, "email", "pia@0.example", "name", "Pia Park", "role", "practice_viewer").holds(t, 422, "Choose their practices")
	tab.post(staffPath, "email", "pia@0.example", "name", "Pia Park", "role", "practice_viewer", "practices", "N99999").holds(t, 422, "Choose their practices")
	tab.post(staffPath, "email", "pia@0.example", "name", "Pia Park", "role", "practice_viewer", "practices", "N83006").holds(t, 200, "It is not shown again")
	pia, _, err := b.db.AccountByEmail(context.Background(), "pia@0.example")
	if err != nil || pia.Practices != "N83006" || !pia.Sees("N83006") || pia.Sees("N83014") || pia.Sees("") {
		t.Fatalf("invited for %q, %v", pia.Practices, err)
	}
	at := fmt.Sprint(staffPath, "/", pia.ID)
	tab.get(at).holds(t, 200, "Elm Tree Surgery", "Save the practices")
	tab.post(at, "do", "practices").holds(t, 422, "Choose their practices")
	tab.post(at, "do", "practices", "practices", "N83006").goes(t, at+"?done=practices")
	tab.get(at+"?done=practices").holds(t, 200, "Saved: what is of other practices does not exist for Pia Park.")
	pat := b.who[staff.PracticeViewer]
	tab.get(fmt.Sprint(staffPath, "/", pat.ID)).holds(t, 200, "None yet: they see no campaign")
	lin := fmt.Sprint(staffPath, "/", b.who[staff.LinkWorker].ID)
	tab.post(lin, "do", "practices", "practices", "N83006").holds(t, 409, "for a practice viewer alone")
	if p := tab.post(staffPath, "email", "lou@0.example", "name", "Lou Link", "role", "link_worker", "team", fmt.Sprint(int64(b.team.ID)), "practices", "N83006"); p.status != 200 {
		t.Errorf("a link worker cannot be invited: %d", p.status)
	}
}
