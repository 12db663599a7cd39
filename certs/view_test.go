package certs

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

// source has read the state, at start.
func source(t *testing.T, s state) *SelfSigned {
	t.Helper()
	out, err := NewSelfSigned(Options{Config: &rest.Config{Host: "127.0.0.1:1"}, Namespace: "waywarden", Secret: "tls", Names: names, Validating: "waywarden", Mutating: "waywarden"})
	if err != nil {
		t.Fatal(err)
	}
	v := view{}.next(s, start)
	out.view.Store(&v)
	return out
}

func TestReady(t *testing.T) {
	s := at(t)
	other := at(t)
	for _, tc := range []struct {
		name   string
		change func(*state)
		at     time.Duration
		want   string // part of what is said; "" for ready
	}{
		{name: "in force"},
		{name: "while a CA is announced", change: func(x *state) { *x = s.after(t, start, announce) }},
		{name: "while a CA retires", change: func(x *state) { *x = s.after(t, start, announce, confirm, swap) }},
		{name: "nothing to serve", change: func(s *state) { s.stored, s.problem = nil, "Secret cannot be used" }, want: "Secret cannot be used"},
		{name: "too old", at: 31 * day, want: "expired"},
		{name: "not published in one", change: func(s *state) { s.configurations[1] = other.configurations[1] }, want: "ValidatingWebhookConfiguration waywarden does not vouch"},
		{name: "not published for one webhook", change: func(s *state) { s.configurations[0].webhooks[1].bundle = nil }, want: "b.waywarden.dev"},
		{name: "published as garbage", change: func(s *state) { s.configurations[0].webhooks[1].bundle = []byte("x") }, want: "cannot be read"},
		{name: "a configuration is missing", change: func(s *state) { s.configurations[0].uid = "" }, want: "does not exist"},
		{name: "a configuration is empty", change: func(s *state) { s.configurations[0].webhooks = nil }, want: "has no webhook"},
		{name: "another name", change: func(s *state) {
			*s = state{names: []string{"other.svc"}, delay: delay}.after(t, start, fresh)
		}, want: "waywarden.waywarden.svc"},
		{name: "not read for long", at: 2*time.Minute + 31*time.Second, want: "not read for 2m31s"},
		{name: "not read for a little", at: 2*time.Minute + 29*time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := s.clone()
			if tc.change != nil {
				tc.change(&x)
			}
			err := source(t, x).Ready(start.Add(tc.at))
			switch {
			case err == nil && tc.want != "", err != nil && (tc.want == "" || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

// TestViewKeepsWhatWorks: a replica takes what the Secret holds unless that would be refused, and what it has would
// not.
func TestViewKeepsWhatWorks(t *testing.T) {
	s, other := at(t), at(t)
	swapped := s.after(t, start, announce, confirm, swap)
	before := view{}.next(s, start)
	for _, tc := range []struct {
		name   string
		have   view
		state  state
		change func(*state)
		keeps  bool
	}{
		{name: "the first", have: view{}, state: s},
		{name: "the first, though nobody trusts it", have: view{}, state: s, change: func(x *state) { x.configurations = other.configurations }},
		{name: "the next", have: before, state: swapped},
		{name: "renewed", have: before, state: s.after(t, start, renew)},
		{name: "the next, before it is published", have: before, state: swapped, change: func(x *state) { x.configurations = s.configurations }, keeps: true},
		{name: "the next, published in one", have: before, state: swapped, change: func(x *state) { x.configurations[0] = s.configurations[0] }, keeps: true},
		{name: "another's", have: before, state: other, change: func(x *state) { x.configurations = s.configurations }, keeps: true},
		{name: "another's, and nobody is trusted", have: before, state: other, change: func(x *state) { x.configurations = nil }},
		{name: "deleted", have: before, state: s, change: func(x *state) { x.stored, x.problem = nil, "gone" }, keeps: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := tc.state.clone()
			if tc.change != nil {
				tc.change(&x)
			}
			got := tc.have.next(x, start)
			if kept := got.serving == tc.have.serving; kept != tc.keeps {
				t.Errorf("kept %t, want %t: %s", kept, tc.keeps, got.note)
			}
			if (got.note != "") != tc.keeps {
				t.Errorf("note %q", got.note)
			}
			if got.serving == nil || got.held == nil {
				t.Error("nothing is served")
			}
		})
	}
}

// TestReplacedSecretIsRestored: by the one who remembers what is trusted, and only as long as it is.
func TestReplacedSecretIsRestored(t *testing.T) {
	s, other := at(t), at(t)
	s.held, s.stored = s.stored, other.stored
	if got := plan(s, start).do; got != restore {
		t.Errorf("%q, want it restored", got)
	}
	s.configurations = other.configurations
	if got := plan(s, start).do; got != wait {
		t.Errorf("%q, want the trusted one left alone", got)
	}
	s.configurations = nil
	if got := plan(s, start).do; got != wait {
		t.Errorf("%q, want it left alone where nobody calls yet", got)
	}
}

// TestServesFromMemory: connections get the certificate of the moment without a restart, and an error, not a crash,
// before there is one.
func TestServesFromMemory(t *testing.T) {
	s := at(t)
	src := source(t, s)
	src.view.Store(nil)
	if _, err := src.GetCertificate(nil); err == nil || !strings.Contains(err.Error(), "waywarden/tls") {
		t.Errorf("%v, want an error that names the Secret", err)
	}
	if _, ok := src.Expiry(); ok {
		t.Error("nothing has an expiry")
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: src.GetCertificate})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) { _ = c.(*tls.Conn).Handshake(); c.Close() }(c)
		}
	}()
	for i, x := range []state{s, s.after(t, start, announce, confirm, swap)} {
		v := view{}.next(x, start)
		src.view.Store(&v)
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // whose it is, is what is asked
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().PeerCertificates[0]; !got.Equal(x.stored.leaf.Leaf) {
			t.Errorf("%d: another certificate is served", i)
		}
		c.Close()
		if end, ok := src.Expiry(); !ok || !end.Equal(start.Add(leafLife)) {
			t.Errorf("%d: expiry %s", i, end)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{Config: &rest.Config{}, Namespace: "waywarden", Secret: "tls", Names: names}
	for name, spoil := range map[string]func(*Options){
		"no client":            func(o *Options) { o.Config = nil },
		"no namespace":         func(o *Options) { o.Namespace = "" },
		"no Secret":            func(o *Options) { o.Secret = "" },
		"no name":              func(o *Options) { o.Names = nil },
		"polls too seldom":     func(o *Options) { o.Poll = 2 * time.Minute },
		"a delay without time": func(o *Options) { o.Delay, o.Poll = time.Second, time.Second },
	} {
		o := good
		spoil(&o)
		if _, err := NewSelfSigned(o); err == nil {
			t.Errorf("%s: nothing is said", name)
		}
	}
	s, err := NewSelfSigned(good)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]time.Duration{5 * time.Minute, 30 * time.Second}, []time.Duration{s.o.Delay, s.o.Poll}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
