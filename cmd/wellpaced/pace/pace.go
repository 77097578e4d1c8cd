// Package pace is the pacer for somebody else's sender: one JSON object per line in, one per line out.
//
// The first line opens a campaign and gets no reply:
//
//	{"open":{"promise_hours":16,"timezone":"Europe/London","strata":[{"id":"0","size":5200}],"order":"interleaved","provider_per_minute":600}}
//
// Each further line says what is known at an instant and what has happened since the line before, and is answered with how many texts to
// send now and why not more:
//
//	{"now":"2026-06-01T09:00:00+01:00","may_send":true,"capacity":[{"from":"…","to":"…","contacts":1.5}],"delivered":[{"at":"…","stratum":"0","count":21.5}],
//	 "answers":[{"at":"…","stratum":"0","delivered_at":"…"}],"other_referrals":[{"at":"…"}],"contacts_made":[{"at":"…"}],"queue":5,"left":{"0":5179}}
//
//	{"release":214,"binding":"set-point","because":"Sending 214 texts now. …","hold":false,"risk":0.001,"expected_answers":1.4,"queue_forecast":[…],"finish":{…}}
//
// A line that makes no sense gets {"error":"…"} and changes nothing. The books kept here (books.go) are those that store keeps for our own
// campaigns, told by somebody else: what is on its way follows from what is left of the list and from the receipts, because a sender may
// send less than it was told, or more. The same lines give the same bytes.
package pace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// longest is the most bytes in a line; a year's history of a million texts by the half hour is far less.
const longest = 16 << 20

// Serve answers lines until they end. It returns an error only if reading or writing fails.
func Serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewReaderSize(in, 1<<16)
	replies := bufio.NewWriter(out)
	var s session
	for first := true; ; first = false {
		line, err := next(lines)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errLong) {
			return fmt.Errorf("read a line: %w", err)
		}
		if first { // what some systems put before text
			line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
		}
		var answer any
		if errors.Is(err, errLong) {
			answer = fault{err.Error()}
		} else if line = bytes.TrimSpace(line); len(line) > 0 {
			answer = s.answer(line)
		}
		if answer != nil {
			b, err := encode(answer)
			if err != nil {
				return fmt.Errorf("write a reply: %w", err)
			}
			if _, err := replies.Write(b); err != nil {
				return fmt.Errorf("write a reply: %w", err)
			}
			if err := replies.Flush(); err != nil {
				return fmt.Errorf("write a reply: %w", err)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

var errLong = fmt.Errorf("the line is longer than %d MB: report what has happened in several lines with the same now", longest>>20)

// next reads a line. One that is too long is read to its end and dropped. The last line needs no end.
func next(r *bufio.Reader) ([]byte, error) {
	var line []byte
	long := false
	for {
		part, err := r.ReadSlice('\n')
		if long = long || len(line)+len(part) > longest; !long {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case long && (err == nil || errors.Is(err, io.EOF)):
			return nil, errLong // at the end of the input the next read says so
		}
		return line, err
	}
}

// fault is the reply to a line that makes no sense.
type fault struct {
	Error string `json:"error"`
}

func encode(answer any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(answer)
	return b.Bytes(), err
}

// session is one conversation.
type session struct{ books *books }

// answer takes one line, without its end. It returns nil for the line that opens.
func (s *session) answer(raw []byte) any {
	var w wireLine
	if err := decode(raw, &w); err != nil {
		return fault{err.Error()}
	}
	if w.Open != nil {
		if s.books != nil {
			return fault{"a campaign is open already: one process paces one campaign, so start another for the next"}
		}
		if w.more() {
			return fault{"open stands in a line with other fields: give it a line of its own"}
		}
		books, err := w.Open.books()
		if err != nil {
			return fault{"open: " + err.Error()}
		}
		s.books = books
		return nil
	}
	if s.books == nil {
		return fault{`nothing is open yet: begin with a line {"open":{"promise_hours":16,"timezone":"Europe/London","strata":[{"id":"0","size":5200}],"order":"interleaved","provider_per_minute":600}}`}
	}
	// What was reported is checked before any of it is believed: from here on nothing can fail.
	r, err := s.books.check(&w)
	if err != nil {
		return fault{err.Error()}
	}
	s.books.enter(r)
	return s.books.decide(r.maySend)
}
