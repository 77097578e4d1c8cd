package staff

import (
	"context"
	"fmt"
)

type accountKey struct{}

// With puts the signed-in account into a request's context.
func With(ctx context.Context, who Account) context.Context {
	return context.WithValue(ctx, accountKey{}, who)
}

// From gives the signed-in account; the zero account, which may do nothing, if nobody is signed in.
func From(ctx context.Context) Account {
	who, _ := ctx.Value(accountKey{}).(Account)
	return who
}

// Auditor keeps the audit.
type Auditor interface {
	Audit(ctx context.Context, e Entry) error
}

// Check asks [May], and writes a denial to the audit: no audit, no answer.
func Check(ctx context.Context, a Auditor, who Account, do Action, in NetworkID, target string) error {
	err := May(who, do, in)
	if err == nil {
		return nil
	}
	if auditErr := a.Audit(ctx, Entry{Network: who.Network, Account: who.ID, Action: string(do), Target: target, Outcome: "denied"}); auditErr != nil {
		return fmt.Errorf("write the audit: %w", auditErr)
	}
	return err
}
