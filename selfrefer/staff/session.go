package staff

import (
	"errors"
	"time"
)

// Errors of accounts and of signing in that callers can act on.
var (
	ErrEmailTaken = errors.New("there is an account with this e-mail address already; use another address")
	ErrInvitation = errors.New("this link has been used, or is too old; ask an administrator of your network for a new one")
	ErrCode       = errors.New("the code is not right, or has been used already")
	ErrSelf       = errors.New("you cannot do this to your own account; ask another administrator")
	ErrDisabled   = errors.New("the account is disabled; enable it first")
	ErrLastFactor = errors.New("this is your only second factor; set up another one first")
)

// How long people stay signed in, by machine time.
const (
	SessionLength = 12 * time.Hour // a long working day
	SessionIdle   = time.Hour      // without use
	// HalfLength is how long somebody may take between the password and the second factor.
	HalfLength = 10 * time.Minute
	// SetUpLength is how long they may take to set up their first one.
	SetUpLength = time.Hour
	// InvitationLife is how long the link of an invitation works.
	InvitationLife = 3 * 24 * time.Hour
)

// Factor is what somebody has proved who they are by, besides a password.
type Factor string

// The factors. A passkey stands for the password too; a provider has asked for a second factor itself.
const (
	NoFactor     Factor = ""
	TOTP         Factor = "totp"
	Passkey      Factor = "passkey"
	RecoveryCode Factor = "recovery"
	Provider     Factor = "provider"
)

// Session is somebody signed in, or on the way.
type Session struct {
	ID      string // tells the sessions of an account apart, and opens none
	Account Account
	Browser bool   // not an API token
	Name    string // of a token, or of a browser as its owner knows it
	Factor  Factor
	// HasFactor says that the account has a second factor set up, whether or not this session has shown it.
	HasFactor           bool
	Started, Seen, Ends time.Time // machine; Ends without use or with
}

// SignIn is a browser's session to begin.
type SignIn struct {
	Account AccountID
	Name    string // of the browser
	Factor  Factor
	// Half says that the second factor is still to be shown or to be set up: this is no sign-in yet.
	Half      bool
	For, Idle time.Duration // Idle 0: never for want of use
	// Instead is the secret of the browser's session before, which ends.
	Instead string
}

// Member is an account as administrators see it.
type Member struct {
	Account
	SignedIn time.Time // machine; zero: never
	Invited  time.Time // machine: until when a link of theirs works; zero: none is out
	Factors  []Factor
	Sessions int // open ones, tokens among them
}

// PasskeyRecord is a passkey that an account has set up.
type PasskeyRecord struct {
	ID         []byte
	Account    AccountID
	Name       string
	Credential []byte    // JSON
	Made, Used time.Time // machine
}
