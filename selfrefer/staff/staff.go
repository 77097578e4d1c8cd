// Package staff knows networks, teams, accounts and roles, and decides in one table who may do what.
//
// A network is a wall: every account belongs to one, and nothing of another network exists for it. [May] is the only place
// that decides; pages and API ask it and write what was asked, denials included, to the audit.
package staff

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Identifiers. Each is its own type, so that a swap does not compile.
type (
	NetworkID int64
	TeamID    int64
	AccountID int64
)

// Errors that callers can act on.
var (
	ErrDenied   = errors.New("your role does not allow this; ask an administrator of your network")
	ErrNotFound = errors.New("there is no such thing in your network")
	ErrSignIn   = errors.New("the e-mail address or the password is not right")
)

// Network is a Primary Care Network: the tenant.
type Network struct {
	ID        NetworkID
	Name      string
	Sender    string // what the text comes from: a name of at most 11 characters, or a number
	LinkHost  string // scheme and host of the links in texts, e.g. https://knowsley-pcn.nhs.uk
	Phone     string // the number to ring instead
	Practices []Practice
	// NoTextBack is set if nobody gets a text back who sends the form, nor one while they wait, not even who says that it is safe.
	NoTextBack bool
	// OnePerson is set if whoever submits a small campaign may approve it too.
	OnePerson bool
}

// TakesReplies tells whether a text of the network can be answered: a number can, a name cannot. Of a sender that is not the network's own,
// or a messaging service, nobody here knows: then it cannot.
func (n Network) TakesReplies() bool {
	digits := strings.ReplaceAll(strings.TrimPrefix(n.Sender, "+"), " ", "")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// Practice is a GP practice of a network.
type Practice struct {
	ODS   string // e.g. N83006
	Name  string
	Phone string
}

// Team answers the self-referrals of a network.
type Team struct {
	ID          TeamID
	Network     NetworkID
	Name        string
	PromiseDays int // the wait for a first contact told to patients, in working days
}

// Role is what somebody is in a network.
type Role string

// The roles.
const (
	Administrator    Role = "administrator"
	CampaignManager  Role = "campaign_manager"
	SeniorLinkWorker Role = "senior_link_worker"
	LinkWorker       Role = "link_worker"
	Volunteer        Role = "volunteer"
	PracticeViewer   Role = "practice_viewer"
)

// Roles lists them, most powerful first.
var Roles = []Role{Administrator, CampaignManager, SeniorLinkWorker, LinkWorker, Volunteer, PracticeViewer}

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	if slices.Contains(Roles, Role(s)) {
		return Role(s), nil
	}
	return "", fmt.Errorf("there is no role %q; the roles are %v", s, Roles)
}

// Words is the role as people say it.
func (r Role) Words() string {
	return map[Role]string{Administrator: "administrator", CampaignManager: "campaign manager", SeniorLinkWorker: "senior link worker",
		LinkWorker: "link worker", Volunteer: "volunteer", PracticeViewer: "practice viewer"}[r]
}

// Answers reports whether people of this role make first contacts.
func (r Role) Answers() bool { return r == SeniorLinkWorker || r == LinkWorker || r == Volunteer }

// Account is one member of staff.
type Account struct {
	ID       AccountID
	Network  NetworkID
	Team     TeamID // 0 if in no team
	Email    string
	Name     string
	Role     Role
	Disabled bool
	// Practices are the ODS codes of a practice viewer's practices, in order, with a space between; nobody else has any.
	Practices string
}

// Action is something that a page or an API call does.
type Action string

// The actions.
const (
	UploadList      Action = "list.upload"
	ViewLists       Action = "list.view"
	EditCampaign    Action = "campaign.edit"
	ViewCampaigns   Action = "campaign.view"
	SubmitCampaign  Action = "campaign.submit"
	ApproveCampaign Action = "campaign.approve"
	ApprovePractice Action = "campaign.approve_practice"
	RunCampaign     Action = "campaign.run" // launch, pause, resume, stop
	SettleMessage   Action = "message.settle"
	ViewQueue       Action = "queue.view"
	ViewReferral    Action = "referral.view"
	WorkReferral    Action = "referral.work" // claim, call, close
	ViewUrgent      Action = "referral.view_urgent"
	SearchReferrals Action = "referral.search"
	TakeOffers      Action = "referral.take_offers" // be told of an urgent one that nobody has claimed
	ViewCapacity    Action = "capacity.view"
	EditCapacity    Action = "capacity.edit"
	ViewWords       Action = "words.view" // what patients read
	EditWords       Action = "words.edit"
	ManageOptOuts   Action = "optout.manage" // import and export them, and what practices must correct
	ViewServices    Action = "services.view" // the directory of local services
	EditServices    Action = "services.edit"
	CorrectPlaces   Action = "services.places"
	EditSupport     Action = "support.edit" // what can be recorded of a person's support
	ManageStaff     Action = "staff.manage"
	ViewSystem      Action = "system.view"
	ExportPractice  Action = "practice.export" // what goes back to practices, with names
	ManageWebhooks  Action = "webhook.manage"
	ViewReports     Action = "reports.view" // numbers alone, of the whole network

	RestrictReferral Action = "referral.restrict"
	WhoLooked        Action = "referral.who_looked"
	ReadGlass        Action = "glass.read" // of those that they are told of
)

// table is who may do what. A volunteer takes no urgent referral; a practice sees only how its own campaign goes.
var table = map[Action][]Role{
	UploadList:      {Administrator, CampaignManager},
	ViewLists:       {Administrator, CampaignManager},
	EditCampaign:    {Administrator, CampaignManager},
	ViewCampaigns:   {Administrator, CampaignManager, SeniorLinkWorker, LinkWorker, PracticeViewer},
	SubmitCampaign:  {Administrator, CampaignManager},
	ApproveCampaign: {Administrator, CampaignManager, SeniorLinkWorker},
	ApprovePractice: {Administrator, PracticeViewer},
	RunCampaign:     {Administrator, CampaignManager, SeniorLinkWorker},
	SettleMessage:   {Administrator, CampaignManager},
	ViewQueue:       {Administrator, SeniorLinkWorker, LinkWorker, Volunteer},
	ViewReferral:    {SeniorLinkWorker, LinkWorker, Volunteer},
	WorkReferral:    {SeniorLinkWorker, LinkWorker, Volunteer},
	ViewUrgent:      {SeniorLinkWorker, LinkWorker},
	SearchReferrals: {SeniorLinkWorker, LinkWorker, Volunteer},
	TakeOffers:      {Administrator, CampaignManager, SeniorLinkWorker},
	ViewCapacity:    {Administrator, CampaignManager, SeniorLinkWorker, LinkWorker},
	EditCapacity:    {Administrator, SeniorLinkWorker},
	ViewWords:       {Administrator, CampaignManager, SeniorLinkWorker, LinkWorker},
	EditWords:       {Administrator, CampaignManager},
	ManageOptOuts:   {Administrator, CampaignManager},
	ViewServices:    {Administrator, CampaignManager, SeniorLinkWorker, LinkWorker, Volunteer},
	EditServices:    {Administrator, CampaignManager, SeniorLinkWorker},
	CorrectPlaces:   {Administrator, CampaignManager, SeniorLinkWorker, LinkWorker},
	EditSupport:     {Administrator, CampaignManager, SeniorLinkWorker},
	ManageStaff:     {Administrator},
	ViewSystem:      {Administrator},
	ExportPractice:  {Administrator, CampaignManager}, // not a practice's viewer: these hold names
	ManageWebhooks:  {Administrator},
	ViewReports:     {Administrator, CampaignManager, SeniorLinkWorker},

	RestrictReferral: {Administrator, SeniorLinkWorker, LinkWorker, Volunteer}, // selfrefer.MayRestrict says which
	WhoLooked:        {Administrator, SeniorLinkWorker, LinkWorker, Volunteer},
	ReadGlass:        {Administrator, SeniorLinkWorker},
}

// Route is an address of a desk with the action that it needs; "" is one that is everybody's own, such as signing in.
type Route struct {
	Method, Pattern string
	Do              Action
}

// Actions lists every action, sorted, for tests that walk them.
func Actions() []Action {
	var all []Action
	for a := range table {
		all = append(all, a)
	}
	slices.Sort(all)
	return all
}

// May answers whether somebody may do something in a network; the error is [ErrNotFound] across networks, so that
// another network's things do not even exist, and [ErrDenied] within one.
func May(who Account, do Action, in NetworkID) error {
	if who.ID == 0 || who.Disabled {
		return ErrDenied
	}
	if in != who.Network {
		return ErrNotFound
	}
	if !slices.Contains(table[do], who.Role) {
		return ErrDenied
	}
	return nil
}

// Entry is one line of the audit: who did or tried what, to what, and what became of it. It names no patient.
type Entry struct {
	At      time.Time
	Network NetworkID
	Account AccountID // 0 for the system and for patients
	Action  string
	Target  string // e.g. "referral 123"
	Outcome string // "done", "denied", or a code
}
