package main

import (
	campaigndesk "github.com/wellpaced/wellpaced/campaign/desk"
	"github.com/wellpaced/wellpaced/campaign/twilio"
)

// explain puts the provider's code of a text that did not arrive into words.
func explain(code string) campaigndesk.Cause {
	e := twilio.Explain(code)
	return campaigndesk.Cause{Kind: string(e.Kind), Words: e.Words}
}
