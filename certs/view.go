package certs

import (
	"crypto/tls"
	"time"
)

// view is what a replica knows at a moment. It is replaced whole, so that handshakes and probes never see half of a
// change.
type view struct {
	serving        *tls.Certificate
	held           *material // the content of the Secret that serving came with
	configurations []configuration
	readAt         time.Time // when all of it was read last; zero for never
	err            error     // why it could not be read since
	note           string    // why serving is not what the Secret holds; "" where it is
}

// next is the view after a read. What cannot be used takes nothing away that can.
func (v view) next(s state, now time.Time) view {
	out := view{serving: v.serving, held: v.held, configurations: s.configurations, readAt: now}
	switch {
	case s.stored == nil:
		out.note = s.problem
	case v.serving != nil && s.untrusted(v.serving, now):
		out.note = "the Secret holds a serving certificate that API servers do not trust yet, and they trust the one at hand"
	default:
		out.serving, out.held = s.stored.leaf, s.stored
	}
	return out
}

// untrusted is whether callers would refuse the Secret's certificate and accept the one that is at hand.
func (s state) untrusted(have *tls.Certificate, now time.Time) bool {
	return !have.Leaf.Equal(s.stored.leaf.Leaf) && trusted(have, s.configurations, now) && !trusted(s.stored.leaf, s.configurations, now)
}

// trusted is whether every webhook that exists vouches for the certificate, under whatever name.
func trusted(leaf *tls.Certificate, configurations []configuration, now time.Time) bool {
	some := false
	for _, c := range configurations {
		if !c.exists() || len(c.webhooks) == 0 {
			continue
		}
		if some = true; c.accepts(leaf.Leaf, nil, now) != nil {
			return false
		}
	}
	return some
}
