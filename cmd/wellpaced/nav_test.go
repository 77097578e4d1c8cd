package main

import (
	"slices"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
	"github.com/wellpaced/wellpaced/selfrefer/ui"
)

// Whoever may see who looked at restricted referrals has it in the menu, nobody else; the page of deprivation is one of the campaigns.
func TestNav(t *testing.T) {
	for _, role := range staff.Roles {
		who := staff.Account{ID: 1, Network: 1, Role: role}
		has := slices.ContainsFunc(nav(who, "/desk"), func(i ui.NavItem) bool { return i.Href == "/desk/glass" })
		if may := staff.May(who, staff.ReadGlass, 1) == nil; has != may {
			t.Errorf("%s may read it: %t, and has it in the menu: %t", role, may, has)
		}
	}
	manager := staff.Account{ID: 1, Network: 1, Role: staff.CampaignManager}
	current := slices.DeleteFunc(nav(manager, "/desk/deprivation"), func(i ui.NavItem) bool { return !i.Current })
	if len(current) != 1 || current[0].Href != "/desk/campaigns" {
		t.Errorf("on the page of deprivation the menu stands at %v", current)
	}
}
