package selfrefer

import (
	"context"

	"github.com/wellpaced/wellpaced/selfrefer/lang"
	"github.com/wellpaced/wellpaced/selfrefer/staff"
)

// Invitation is what a link leads to, as far as its page may show it to whoever opens it: nothing of the person.
type Invitation struct {
	Found    bool
	Network  staff.Network
	Practice staff.Practice
	Team     staff.TeamID // who will answer
	Spent    bool         // a referral came by it already
	Expired  bool
	Language string
}

// Links is what the pages behind a link need of the store.
type Links interface {
	// Invitation looks a token's hash up. An unknown one is not an error: Found is false.
	Invitation(ctx context.Context, tokenHash []byte) (Invitation, error)
	// LinkSeen notes that the link was fetched: evidence that its text left, nothing more.
	LinkSeen(ctx context.Context, tokenHash []byte) error
	// Opened notes that a person pressed Start.
	Opened(ctx context.Context, tokenHash []byte) error
}

// Sending is what a network sends now, for people who rightly distrust a link in a text.
type Sending struct {
	Network staff.Network
	Texts   []string // in English, as sent, with a first name and links that stand for anybody's
	// Translated are the same texts as they go to people whose list names one of these languages.
	Translated []SendingText
	Running    bool
}

// SendingText is a text in another language than English. A page shows it with that language's lang and dir.
type SendingText struct {
	Language lang.Code
	Words    string
}
