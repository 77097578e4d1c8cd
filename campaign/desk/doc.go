// Package desk is where the manager of a network sits: patient lists and campaigns, as pages and as an API side by side.
//
// A list comes in through one door, [Import]: the upload page, the API, the command and the demo all use it. It streams; a file
// that cannot be used changes nothing. A campaign is made, submitted, approved by a second person, launched, watched and stopped.
// What cannot be undone has a page of its own that says what will happen before it happens.
//
// One file per screen. Each holds the screen's page and its API twin, which share one function that does the work, so that both
// ask the same permission and refuse the same things. Every refusal goes through one table, see problems.go.
//
// system.go is for administrators alone: how sending itself stands. What the database does not know of that comes through Config.Machinery.
//
// No patient data appears here: lists are shown as counts, texts with made-up names, and the numbers of held messages masked.
package desk
