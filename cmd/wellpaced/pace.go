package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/wellpaced/wellpaced/cmd/wellpaced/pace"
)

// paceCmd lends the pacer to somebody else's sender. It keeps its books in memory: whoever has logged the lines can feed them again.
type paceCmd struct {
	JSON bool `help:"Speak JSON, one object per line. There is no other language yet, so it must be given."`
}

// Help is what --help adds.
func (*paceCmd) Help() string {
	return `The first line opens a campaign and gets no reply; each further line is answered with how many texts to send now, and why not more:

    {"open":{"promise_hours":16,"timezone":"Europe/London","strata":[{"id":"0","size":5200}],"order":"interleaved","provider_per_minute":600}}
    {"now":"2026-06-01T09:00:00+01:00","may_send":true,"capacity":[{"from":"2026-06-01T09:00:00+01:00","to":"2026-06-01T17:00:00+01:00","contacts":12}],"queue":0,"left":{"0":5200}}

Lists hold what is new since the line before: "delivered":[{"at","stratum","count"}], "answers":[{"at","stratum","delivered_at"}], "other_referrals":[{"at"}], "contacts_made":[{"at"}]. "capacity" is the whole roster as known now, in first contacts per interval; left out, it is as before. "open_hours":[{"from","to"}], here or in the first line, is the network's working time; without it, that is when there is capacity. "order" may be "given": then "ahead":[{"stratum","count"}] is the coming order. "resume":true says that a person has looked at the link after "hold":true. A line that makes no sense gets {"error":"…"} and changes nothing.`
}

func (c *paceCmd) Run(ctx context.Context, s std) error {
	if !c.JSON {
		return usageError{errors.New("write wellpaced pace --json: it reads one JSON object per line and answers with one; wellpaced pace --help shows two")}
	}
	signal.Ignore(syscall.SIGPIPE) // a reader that has gone is an error to tell of, not a silent death
	ended := make(chan error, 1)
	go func() { ended <- pace.Serve(os.Stdin, s.out) }() // reading from a terminal cannot be interrupted
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("pace: %w", err)
		}
		return nil
	}
}
