package main

import (
	"context"
	"fmt"

	"github.com/wellpaced/wellpaced/cmd/wellpaced/town"
	"github.com/wellpaced/wellpaced/selfrefer"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// demoServices is the directory of the made-up town. Nobody runs these services, and their numbers are among those that Ofcom keeps free for
// drama.
var demoServices = []selfrefer.Service{
	{Name: "Riverside Friday Club", About: "Tea, talk and a warm lunch for anybody over 55. Fridays from 10am to 2pm. The first visit is free, then £2.", Reasons: []string{"loneliness", "isolation"}, Area: "Riverside",
		Languages: []string{"Polish"}, Places: 6, How: "Ring, or just come", Phone: "0151 496 0201"},
	{Name: "Good Neighbours befriending", About: "A volunteer visits or rings once a week.", Reasons: []string{"loneliness", "isolation", "getting_out"}, Area: "Whole town", Languages: []string{"Urdu", "Punjabi"}, Places: 0,
		How: "By our form; they wait about six weeks", Phone: "0151 496 0202"},
	{Name: "Mill Lane Money Advice", About: "Debts, benefits, fuel bills. Free and in confidence.", Reasons: []string{"money", "housing"}, Area: "Mill Lane", Languages: []string{"Polish", "Romanian", "Arabic"}, Places: selfrefer.UnknownPlaces,
		How: "Ring for an appointment; urgent cases the same day", Phone: "0151 496 0203", Email: "help@millanemoney.example", Web: "https://millanemoney.example"},
	{Name: "Canal Side Food Pantry", About: "A weekly shop for £3.50. Tuesdays and Thursdays.", Reasons: []string{"money"}, Area: "Canal Side", Places: 15, How: "A note from us, or ring", Phone: "0151 496 0204"},
	{Name: "Housing Options drop-in", About: "Homelessness, repairs, trouble with a landlord.", Reasons: []string{"housing"}, Area: "Town hall", Languages: []string{"Arabic", "Ukrainian"}, Places: selfrefer.UnknownPlaces, How: "Walk in on weekdays before noon", Phone: "0151 496 0205"},
	{Name: "Talking Shed", About: "Men of any age mend things and talk, or do not talk. Wednesdays and Saturdays.", Reasons: []string{"loneliness", "mental_health", "coping"}, Area: "Station Road", Places: 4, How: "Just come; Ron puts the kettle on", Phone: "0151 496 0206"},
	{Name: "Step Out walks", About: "Easy walks with a leader: 30 minutes, flat, with benches. Every morning but Sunday.", Reasons: []string{"inactivity", "getting_out", "mental_health"}, Area: "Whole town", Places: 30, How: "Just come to the park gate at 10am", Phone: "0151 496 0207"},
	{Name: "Ring and Ride", About: "A bus from door to door for people who cannot use others.", Reasons: []string{"getting_out", "independence"}, Area: "Whole town", Places: selfrefer.UnknownPlaces, How: "They register by phone", Phone: "0151 496 0208"},
	{Name: "Carers' Corner", About: "Breaks, advice and company for people who look after somebody.", Reasons: []string{"carer", "coping"}, Area: "Oak Tree", Languages: []string{"Bengali", "Urdu"}, Places: 8, How: "Ring, or by e-mail", Phone: "0151 496 0209", Email: "hello@carerscorner.example"},
	{Name: "Fresh Start", About: "Alcohol and drugs: one to one, and groups. No referral is needed.", Reasons: []string{"substance"}, Area: "Bridge Street", Places: 5, How: "Ring at any time", Phone: "0151 496 0210", Web: "https://freshstart.example"},
	{Name: "Welcome Table", About: "English, cooking and company for people who are new here. Children are welcome.", Reasons: []string{"community", "isolation"}, Area: "St Mary's", Languages: []string{"Ukrainian", "Arabic", "Romanian", "Chinese"}, Places: 10, How: "Just come, Mondays at 1pm", Phone: "0151 496 0211"},
	{Name: "Independence at Home", About: "Grab rails, key safes, and somebody who looks at the home with you.", Reasons: []string{"independence"}, Area: "Whole town", Places: 3, How: "By our form", Phone: "0151 496 0212"},
	{Name: "Hillside Singers", About: "A choir without auditions. Closed since the hall was sold.", Reasons: []string{"community", "mental_health"}, Area: "Hillside", Places: selfrefer.UnknownPlaces, Phone: "0151 496 0213"},
}

// closedService is not active: a directory has some that are over.
const closedService = "Hillside Singers"

// settleServices fills the directory, once: what somebody changes there while the demo runs is theirs.
func (d *demo) settleServices(ctx context.Context, n staff.Network) error {
	have, err := d.app.db.Services(ctx, n.ID)
	if err != nil || len(have) == len(demoServices) {
		return err
	}
	there := map[string]bool{}
	for _, s := range have {
		there[s.Name] = true
	}
	admin, _, err := d.app.db.AccountByEmail(ctx, "admin@riverside.example")
	if err != nil {
		return err
	}
	for _, s := range demoServices {
		if there[s.Name] {
			continue // a start that was cut short
		}
		s.Active = s.Name != closedService
		if s.Places != selfrefer.UnknownPlaces {
			s.PlacesOn = selfrefer.DayOf(d.charter.Start, town.London)
		}
		if _, err := d.app.db.SetService(ctx, admin, s); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}
