package selfrefer

import (
	"errors"
	"slices"
	"testing"

	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// crew has ids by role: 1 administrator, 2 campaign manager, 3 senior, 4 link worker, 5 volunteer, 6 practice viewer; 7 a second administrator, 8
// a senior who has left.
func crew() (all []staff.Account) {
	for i, role := range append(slices.Clone(staff.Roles), staff.Administrator, staff.SeniorLinkWorker) {
		all = append(all, staff.Account{ID: staff.AccountID(i + 1), Network: 1, Role: role, Disabled: i == 7})
	}
	return all
}

func TestRestriction_Check(t *testing.T) {
	ids := func(all ...staff.AccountID) []staff.AccountID { return all }
	for name, c := range map[string]struct {
		x    Restriction
		r    Referral
		want error
	}{
		"nothing":                               {Restriction{}, Referral{}, ErrNoRestriction},
		"names who may, where everybody may":    {Restriction{May: ids(3)}, Referral{}, ErrNoRestriction},
		"the practice alone":                    {Restriction{NoPractice: true}, Referral{}, nil},
		"never a link worker":                   {Restriction{Never: ids(4)}, Referral{}, nil},
		"never somebody of another network":     {Restriction{Never: ids(99)}, Referral{}, ErrNotTheirs},
		"these alone, and nobody is named":      {Restriction{Only: true}, Referral{}, ErrNobodyLeft},
		"these alone, and somebody has it":      {Restriction{Only: true}, Referral{ClaimedBy: 4}, nil},
		"whoever has it must never know":        {Restriction{Only: true, Never: ids(4)}, Referral{ClaimedBy: 4}, ErrNobodyLeft},
		"a senior alone":                        {Restriction{Only: true, May: ids(3)}, Referral{}, nil},
		"an administrator, who cannot help":     {Restriction{Only: true, May: ids(1)}, Referral{}, ErrNotTheirs},
		"somebody who has left":                 {Restriction{Only: true, May: ids(8)}, Referral{}, ErrNotTheirs},
		"a volunteer, and it is urgent":         {Restriction{Only: true, May: ids(5)}, Referral{Urgent: true}, ErrNotTheirs},
		"may and must not":                      {Restriction{Only: true, May: ids(3), Never: ids(3)}, Referral{}, ErrNotTheirs},
		"never anybody who could help":          {Restriction{Never: ids(3, 4, 5)}, Referral{}, ErrNobodyLeft},
		"urgent, and a volunteer alone is left": {Restriction{Never: ids(3, 4)}, Referral{Urgent: true}, ErrNobodyLeft},
	} {
		c.r.Network = 1
		if err := c.x.Check(c.r, crew()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestMayRestrict(t *testing.T) {
	all := crew()
	for _, c := range []struct {
		who  staff.Account
		r    Referral
		want error
	}{
		{all[0], Referral{ClaimedBy: 4, Urgent: true}, nil},
		{all[2], Referral{ClaimedBy: 4}, nil},
		{all[3], Referral{ClaimedBy: 4}, nil},
		{all[3], Referral{}, nil}, // at first sight
		{all[3], Referral{ClaimedBy: 5}, ErrTaken},
		{all[4], Referral{Urgent: true}, staff.ErrDenied},
		{all[1], Referral{}, staff.ErrDenied},
		{all[5], Referral{}, staff.ErrDenied},
		{staff.Account{ID: 9, Network: 2, Role: staff.Administrator}, Referral{}, staff.ErrNotFound},
	} {
		c.r.Network = 1
		if err := MayRestrict(c.who, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s of %+v: %v, want %v", c.who.Role, c.r, err, c.want)
		}
	}
}

func TestToldOfGlass(t *testing.T) {
	for name, c := range map[string]struct {
		guardian, by staff.AccountID
		never        []staff.AccountID
		want         []staff.AccountID
	}{
		"a guardian":                        {3, 4, nil, []staff.AccountID{3}},
		"none":                              {0, 4, nil, []staff.AccountID{1, 7}},
		"the guardian did it":               {3, 3, nil, []staff.AccountID{1, 7}},
		"the guardian must not know of it":  {1, 4, []staff.AccountID{1}, []staff.AccountID{7}},
		"the guardian has left":             {8, 4, nil, []staff.AccountID{1, 7}},
		"an administrator must not know":    {0, 4, []staff.AccountID{7}, []staff.AccountID{1}},
		"the only one there is did it":      {1, 1, []staff.AccountID{7}, []staff.AccountID{1}},
		"a link worker cannot be guardian":  {4, 5, nil, []staff.AccountID{1, 7}},
		"nobody is left who may know of it": {1, 4, []staff.AccountID{1, 7}, nil},
	} {
		if got := ToldOfGlass(c.guardian, crew(), c.by, func(a staff.AccountID) bool { return slices.Contains(c.never, a) }); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
