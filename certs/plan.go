package certs

import (
	"crypto/x509"
	"fmt"
	"slices"
	"time"
)

// action is one step of the writer. But for wait and publish it writes the Secret, once.
type action string

const (
	wait     action = "wait"
	fresh    action = "begin with a new CA"
	restore  action = "restore the Secret from memory"
	renew    action = "renew the serving certificate"
	announce action = "announce a new CA"
	publish  action = "publish the CA bundle"
	confirm  action = "begin to wait" // everything is in place; the delay runs from now
	recall   action = "wait anew"     // it was not in place; the delay has to run again
	swap     action = "change to the new CA"
	retire   action = "drop the old CA"
)

// step is what comes next and why; with wait, for how long at most.
type step struct {
	do   action
	why  string
	wait time.Duration
}

// state is all that a step depends on, but for the time.
type state struct {
	stored         *material // what the Secret holds; nil where there is none, or none that can be used
	problem        string    // why stored is nil
	held           *material // what the Secret held when this process took the certificate that it serves
	configurations []configuration
	names          []string      // what the leaf has to be for
	delay          time.Duration // after which every API server and every replica has seen a change
	asked          string        // the operator's word for a rotation, from the Secret as it is
}

// plan is the next step. Carried out again and again with what it leaves behind, it ends in wait: a step that it
// answers is one that changes what it is asked.
func plan(s state, now time.Time) step {
	m := s.stored
	remembered := s.held != nil && valid(s.held.ca.cert, now) && valid(s.held.leaf.Leaf, now)
	switch {
	case m == nil && remembered:
		return step{do: restore, why: s.problem}
	case m == nil:
		return step{do: fresh, why: s.problem}
	case remembered && s.untrusted(s.held.leaf, now):
		return step{do: restore, why: "the Secret was replaced by one that no configuration trusts"}
	}
	if !valid(m.ca.cert, now) {
		if s.nextIsTrusted(now) {
			return step{do: swap, why: "the CA in force is not valid at this time, and the next one is trusted"}
		}
		return step{do: fresh, why: fmt.Sprintf("the CA is valid from %s to %s only", stamp(m.ca.cert.NotBefore), stamp(m.ca.cert.NotAfter))}
	}
	if why := s.leafIsDue(now); why != "" {
		return step{do: renew, why: why}
	}
	for _, c := range s.configurations {
		if c.exists() && !c.carries(m.bundle()) {
			if m.phase() == announced && !m.since.IsZero() {
				return step{do: recall, why: c.String() + " lost the CA bundle"}
			}
			return step{do: publish, why: c.String() + " has another CA bundle"}
		}
	}
	return s.onwards(now)
}

// onwards is the next step of the rotation itself, with all else in order.
func (s state) onwards(now time.Time) step {
	m := s.stored
	switch m.phase() {
	case steady:
		switch {
		case s.asked != "" && s.asked != m.done:
			return step{do: announce, why: fmt.Sprintf("%s asks for it: %q", RotateAnnotation, s.asked)}
		case !now.Before(renewal(m.ca.cert)):
			return step{do: announce, why: "two thirds of the CA's life are over"}
		}
		until := renewal(m.ca.cert)
		if r := renewal(m.leaf.Leaf); r.Before(until) && now.Before(r) {
			until = r
		}
		return step{do: wait, wait: until.Sub(now)}
	case announced:
		if !valid(m.next.cert, now) {
			return step{do: announce, why: "the CA that was announced is not valid at this time"}
		}
	}
	switch {
	// A time ahead of ours was written by a clock that is ahead. By how much is not known, so the delay is begun anew.
	case m.since.IsZero(), m.since.After(now.Add(s.delay)):
		return step{do: confirm, why: "both configurations carry every CA"}
	case now.Before(m.since.Add(s.delay)):
		return step{do: wait, wait: m.since.Add(s.delay).Sub(now)}
	case m.phase() == announced:
		return step{do: swap, why: "every API server can be presumed to trust the new CA"}
	}
	return step{do: retire, why: "every replica can be presumed to serve the new certificate"}
}

func (s state) nextIsTrusted(now time.Time) bool {
	m := s.stored
	return m.next != nil && valid(m.next.cert, now) && !m.since.IsZero() && !now.Before(m.since.Add(s.delay))
}

// leafIsDue is why the leaf has to be replaced by one of the same CA; "" if it need not be.
func (s state) leafIsDue(now time.Time) string {
	leaf, ca := s.stored.leaf.Leaf, s.stored.ca.cert
	switch {
	case !valid(leaf, now):
		return fmt.Sprintf("it is valid from %s to %s only", stamp(leaf.NotBefore), stamp(leaf.NotAfter))
	case !covers(leaf, s.names):
		return fmt.Sprintf("it is for %q, and the webhook is called %q", subjects(leaf), s.names)
	// A leaf that ends with its CA gains nothing from the same CA.
	case !now.Before(renewal(leaf)) && leaf.NotAfter.Before(ca.NotAfter):
		return "two thirds of its life are over"
	}
	return ""
}

// carry is what the Secret holds after a step: always another material, never a changed one.
func (s state) carry(do action, now time.Time) (*material, error) {
	var out material
	switch {
	case do == restore:
		out = *s.held
	case do != fresh:
		out = *s.stored
	}
	var err error
	switch do {
	case fresh:
		return s.begin(now)
	case restore:
		// Whoever deletes the Secret may mean its keys. So they serve until others are trusted, and then go.
		if out.next == nil {
			out.next, err = newAuthority(now)
		}
		out.since, out.done = time.Time{}, s.asked
	case announce:
		out.next, err = newAuthority(now)
		out.since, out.done = time.Time{}, s.asked
	case renew:
		out.leaf, err = out.ca.issue(s.names, now)
	case recall:
		out.since = time.Time{}
	case confirm:
		out.since = now
	case swap:
		out.previous = append([]*x509.Certificate{out.ca.cert}, out.previous...)
		out.ca, out.next, out.since = *out.next, nil, now
		out.leaf, err = out.ca.issue(s.names, now)
	case retire:
		out.previous, out.since = nil, time.Time{}
	default:
		panic("no step on the Secret: " + do)
	}
	return &out, err
}

// begin makes a CA with nothing to go on. What the configurations trust now stays trusted for a while, because another
// replica may still have a leaf of it in memory.
func (s state) begin(now time.Time) (*material, error) {
	ca, err := newAuthority(now)
	if err != nil {
		return nil, err
	}
	leaf, err := ca.issue(s.names, now)
	if err != nil {
		return nil, err
	}
	out := &material{leaf: leaf, ca: *ca, done: s.asked}
	for _, c := range s.configurations {
		for _, old := range c.trusts() {
			if old.IsCA && !now.After(old.NotAfter) && !slices.ContainsFunc(out.previous, old.Equal) && len(out.previous) < maxPrevious-1 {
				out.previous = append(out.previous, old)
			}
		}
	}
	return out, nil
}

func subjects(c *x509.Certificate) []string {
	out := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
