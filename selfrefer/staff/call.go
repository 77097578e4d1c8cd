package staff

import (
	"errors"
	"time"
)

// Keys of calls.
const (
	// CallKept is how long an answer is given again.
	CallKept = 24 * time.Hour
	// CallLost is how long a running call's key is taken for, unless its process says that it still runs.
	CallLost = 2 * time.Minute
)

// ErrCallRuns says that the call with this key has not been answered yet.
var ErrCallRuns = errors.New("the call with this key is still running")

// Call is a call of the API that its sender has given a key, so that it can safely be sent again.
type Call struct {
	Key string
	// Referral is what the call is about, if it is about one: its answer is told again only to whoever may still open that.
	Referral int64
	// Holder tells this request from others with the same key. BeginCall fills it in.
	Holder []byte
}

// Answer is what a call was answered.
type Answer struct {
	// Request is a hash of all that was asked.
	Request  []byte `json:"-"`
	Status   int    `json:"status"`
	Type     string `json:"type,omitempty"`
	Location string `json:"location,omitempty"`
	Body     []byte `json:"body,omitempty"`
}
