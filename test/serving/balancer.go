package serving

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

// Balancer stands in for a Service: a connection goes to one of the replicas that are ready, and stays there. One that
// is no longer ready gets no new connection, and keeps those that it has.
type Balancer struct {
	listener net.Listener
	mu       sync.Mutex
	ready    []string
	next     int
}

// Balance listens on a free port of loopback, until Close.
func Balance() (*Balancer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &Balancer{listener: l}
	go b.accept()
	return b, nil
}

// URL is where the API server calls.
func (b *Balancer) URL() string { return "https://" + b.listener.Addr().String() }

// Close stops listening.
func (b *Balancer) Close() error { return b.listener.Close() }

// Add and Remove say which addresses are ready.
func (b *Balancer) Add(addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Contains(b.ready, addr) {
		b.ready = append(b.ready, addr)
	}
}

// Remove is the opposite of Add.
func (b *Balancer) Remove(addr string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ready = slices.DeleteFunc(b.ready, func(a string) bool { return a == addr })
}

func (b *Balancer) accept() {
	for {
		c, err := b.listener.Accept()
		if err != nil {
			return
		}
		go b.forward(c)
	}
}

func (b *Balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.ready) == 0 {
		return ""
	}
	b.next++
	return b.ready[b.next%len(b.ready)]
}

func (b *Balancer) forward(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", b.pick())
	if err != nil {
		return // the caller sees a connection that is refused, as it would from a Service without endpoints
	}
	defer to.Close()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1]) // whoever ends it ends both
			done <- struct{}{}
		}()
	}
	<-done
}

// Follow adds the replica while it says that it is ready, and removes it while it does not, until ctx ends: what a kubelet
// and an EndpointSlice do.
func (b *Balancer) Follow(ctx context.Context, r *Replica) {
	for ctx.Err() == nil {
		if r.Ready(ctx) == nil {
			b.Add(r.Addr)
		} else {
			b.Remove(r.Addr)
		}
		select {
		case <-ctx.Done():
		case <-time.After(probeInterval):
		}
	}
	b.Remove(r.Addr)
}

const probeInterval = 200 * time.Millisecond
