package bundle

import (
	"errors"
	"fmt"
	"strings"
)

// Reason is why a bundle is not used, in a word for a condition.
type Reason string

// The reasons.
const (
	// Unavailable is that the registry did not deliver what was asked for. It may, later.
	Unavailable Reason = "SourceUnavailable"
	// Unsigned is that no trusted key vouches for all that the bundle holds. The same digest will never be better.
	Unsigned Reason = "SignatureInvalid"
	// Malformed is that it is no bundle of rules, or too large. The same digest will never be better.
	Malformed Reason = "BundleInvalid"
)

// Refusal is why a bundle is not used. Its message is consequence, cause and remedy.
type Refusal struct {
	Reason  Reason
	Message string
}

func (r *Refusal) Error() string { return r.Message }

// ReasonOf is the reason of an error of this package; "" for any other.
func ReasonOf(err error) Reason {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

// refuse makes a Refusal. What it quotes may be as long as a stranger likes, and has to fit into a condition.
func refuse(reason Reason, format string, args ...any) error {
	for i, a := range args {
		switch a := a.(type) {
		case string:
			args[i] = short(a)
		case error:
			args[i] = short(a.Error())
		}
	}
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func short(text string) string {
	const most = 600
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
