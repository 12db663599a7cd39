package waypoints

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// TestDeadProxies: whoever carries out a plan does not wait for proxies that take connections and never answer, not for many of them
// either; what the others count is known all the same, and who did not answer.
func TestDeadProxies(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() // what it accepts waits in the kernel
	alive := proxies{"10.0.0.2": newCounting().take(connection{"destination", web, "shop/cart", "cart", cartPods, ""})}.scrape(t)
	scrape := func(ctx context.Context, ip string) (io.ReadCloser, error) {
		if ip == "10.0.0.2" {
			return alive(ctx, ip)
		}
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", silent.Addr().String())
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { c.Close() })
		_, err = io.WriteString(c, "GET /stats/prometheus HTTP/1.1\r\n\r\n")
		return c, err
	}
	woken := make(chan struct{}, 1)
	m := meters{reader: newReader(scrape, clocktesting.NewFakeClock(noon), func() { woken <- struct{}{} })}
	m.reader.each = 500 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go m.reader.run(ctx)
	look := func() (plan.Evidence, time.Duration) {
		w := metered(t, "", guarded, noon)
		began := time.Now()
		m.look(&w, nil)
		return w.Evidence, time.Since(began)
	}
	if e, took := look(); took > m.reader.each/2 || e.Unmetered != "" || len(e.Direct) != 1 {
		t.Errorf("it took %s: %+v", took, e)
	}
	select {
	case <-woken:
	case <-time.After(10 * time.Second):
		t.Fatal("nobody is told of the reading")
	}
	e, took := look()
	if took > m.reader.each/2 || !strings.HasPrefix(e.Unmetered, "the ztunnel at 10.0.0.1 was not read: ") || !e.Direct[plan.RefOf(mesh.Service, "shop", "cart")].Equal(noon) {
		t.Errorf("it took %s: %+v", took, e)
	}
	// More than are read at once: those take their time together.
	many := &asked{}
	for range 3 * readAtOnce {
		many.ztunnels = append(many.ztunnels, "10.0.0.1")
	}
	began := time.Now()
	r := m.reader.read(t.Context(), many)
	if took := time.Since(began); took > 3*m.reader.each+2*time.Second || !strings.Contains(r.unread, ", and 95 more") {
		t.Errorf("it took %s: %s", took, r.unread)
	}
}

// TestReadSoon: what is asked for and not in the last reading is read soon, what is in it after a while; a count that is older than
// an acknowledgement that it is to confirm is not in it.
func TestReadSoon(t *testing.T) {
	at := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }
	scrape := proxies{"10.0.1.1": newCounting(), "10.0.1.2": newCounting()}.scrape(t)
	for name, tc := range map[string]struct {
		first, then asked
		soon        bool
	}{
		"the same":                           {asked{pods: []string{"10.0.1.1"}}, asked{pods: []string{"10.0.1.1"}}, false},
		"another pod":                        {asked{pods: []string{"10.0.1.1"}}, asked{pods: []string{"10.0.1.1", "10.0.1.2"}}, true},
		"a pod less":                         {asked{pods: []string{"10.0.1.1", "10.0.1.2"}}, asked{pods: []string{"10.0.1.2"}}, false},
		"a pod that did not answer":          {asked{pods: []string{"10.0.1.9"}}, asked{pods: []string{"10.0.1.9"}}, false},
		"acknowledged since":                 {asked{acknowledged: at(0), since: at(1)}, asked{acknowledged: at(2), since: at(1)}, true},
		"acknowledged before":                {asked{acknowledged: at(2), since: at(1)}, asked{acknowledged: at(3), since: at(1)}, false},
		"not acknowledged yet":               {asked{acknowledged: at(0), since: at(2)}, asked{acknowledged: at(1), since: at(2)}, false},
		"acknowledged, and another one goes": {asked{acknowledged: at(2), since: at(1)}, asked{acknowledged: at(4), since: at(3)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			clock, read := clocktesting.NewFakeClock(noon), make(chan struct{}, 10)
			r := newReader(scrape, clock, func() { read <- struct{}{} })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go r.run(ctx)
			r.ask(&tc.first)
			<-read
			r.ask(&tc.then)
			expect := func(want bool) {
				t.Helper()
				select {
				case <-read:
					if !want {
						t.Error("it is read again too early")
					}
				case <-time.After(map[bool]time.Duration{true: 5 * time.Second, false: 50 * time.Millisecond}[want]):
					if want {
						t.Error("it is not read again")
					}
				}
			}
			expect(false)
			clock.Step(readSoon)
			if expect(tc.soon); !tc.soon {
				clock.Step(readEvery - readSoon)
				expect(true)
			}
		})
	}
}
