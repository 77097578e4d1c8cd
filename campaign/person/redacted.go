package person

import (
	"fmt"
	"io"
	"log/slog"
)

const redactedText = "[redacted]"

// redacted is embedded in every type of this package. It takes no space, keeps
// the type comparable, and answers every way in which Go prints a value.
type redacted struct{}

func (redacted) String() string               { return redactedText }
func (redacted) GoString() string             { return redactedText }
func (redacted) LogValue() slog.Value         { return slog.StringValue(redactedText) }
func (redacted) MarshalText() ([]byte, error) { return []byte(redactedText), nil }

// Format covers the verbs that bypass String, such as %d and %x.
func (redacted) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedText) }
