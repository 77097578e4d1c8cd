package staff

import (
	"errors"
	"testing"
)

func TestMay(t *testing.T) {
	at := func(r Role) Account { return Account{ID: 1, Network: 1, Role: r} }
	for _, c := range []struct {
		who  Account
		do   Action
		in   NetworkID
		want error
	}{
		{at(CampaignManager), UploadList, 1, nil},
		{at(CampaignManager), UploadList, 2, ErrNotFound},
		{at(CampaignManager), ViewReferral, 1, ErrDenied}, // launching texts gives no sight of what people say of themselves
		{at(Administrator), ViewReferral, 1, ErrDenied},
		{at(LinkWorker), WorkReferral, 1, nil},
		{at(CampaignManager), ManageOptOuts, 1, nil},
		{at(PracticeViewer), ManageOptOuts, 1, ErrDenied},
		{at(LinkWorker), ManageOptOuts, 1, ErrDenied},
		{at(Volunteer), ViewUrgent, 1, ErrDenied},
		{at(PracticeViewer), ViewCampaigns, 1, nil},
		{at(Administrator), EditWords, 1, nil},
		{at(CampaignManager), EditWords, 1, nil},
		{at(CampaignManager), EditWords, 2, ErrNotFound},
		{at(SeniorLinkWorker), EditWords, 1, ErrDenied}, // reads what patients read, and asks for changes
		{at(SeniorLinkWorker), ViewWords, 1, nil},
		{at(LinkWorker), ViewWords, 1, nil},
		{at(Volunteer), ViewWords, 1, ErrDenied},
		{at(PracticeViewer), ViewWords, 1, ErrDenied},
		{at(PracticeViewer), ViewQueue, 1, ErrDenied},
		{at(Volunteer), SearchReferrals, 1, nil},
		{at(LinkWorker), SearchReferrals, 2, ErrNotFound},
		{at(Administrator), SearchReferrals, 1, ErrDenied}, // finds names, which they may not read
		{at(CampaignManager), SearchReferrals, 1, ErrDenied},
		{at(CampaignManager), TakeOffers, 1, nil},
		{at(LinkWorker), TakeOffers, 1, ErrDenied},
		{at(PracticeViewer), TakeOffers, 1, ErrDenied},
		{at(Volunteer), ViewServices, 1, nil},
		{at(PracticeViewer), ViewServices, 1, ErrDenied},
		{at(LinkWorker), EditServices, 1, ErrDenied}, // corrects how many places are free, and asks for the rest
		{at(LinkWorker), CorrectPlaces, 1, nil},
		{at(Volunteer), CorrectPlaces, 1, ErrDenied},
		{at(SeniorLinkWorker), EditServices, 1, nil},
		{at(LinkWorker), EditSupport, 1, ErrDenied},
		{Account{Network: 1, Role: Administrator}, ManageStaff, 1, ErrDenied},
		{Account{ID: 1, Network: 1, Role: Administrator, Disabled: true}, ManageStaff, 1, ErrDenied},
		{at("made_up"), ViewQueue, 1, ErrDenied},
		{at(Administrator), "made.up", 1, ErrDenied},
	} {
		if got := May(c.who, c.do, c.in); !errors.Is(got, c.want) {
			t.Errorf("May(%s, %s, %d) = %v, want %v", c.who.Role, c.do, c.in, got, c.want)
		}
	}
}

func TestEveryActionHasSomebody(t *testing.T) {
	for _, a := range Actions() {
		if len(table[a]) == 0 {
			t.Errorf("nobody may %s", a)
		}
		for _, r := range table[a] {
			if _, err := ParseRole(string(r)); err != nil {
				t.Errorf("%s: %v", a, err)
			}
		}
	}
}
