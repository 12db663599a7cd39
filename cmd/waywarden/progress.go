package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// progress tells on stderr what is being done, once it has taken a second, if stderr is a terminal.
type progress struct {
	out   io.Writer
	stage atomic.Pointer[string]
	done  atomic.Int64
	total atomic.Int64
	stop  chan struct{}
	group sync.WaitGroup
}

const (
	patience = time.Second
	refresh  = 200 * time.Millisecond
)

func (e *env) startProgress(stage string) *progress {
	p := &progress{out: e.stderr, stop: make(chan struct{})}
	p.to(stage)
	if _, ok := terminal(e.stderr); ok {
		p.group.Go(p.show)
	}
	return p
}

// to names what is done next.
func (p *progress) to(stage string) {
	p.done.Store(0)
	p.total.Store(0)
	p.stage.Store(&stage)
}

// add counts; it is safe for concurrent use.
func (p *progress) add(done, total int) {
	p.total.Store(int64(total))
	p.done.Add(int64(done))
}

func (p *progress) show() {
	shown := false
	defer func() {
		if shown {
			fmt.Fprint(p.out, "\r\x1b[K")
		}
	}()
	wait := time.NewTimer(patience)
	defer wait.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-wait.C:
			wait.Reset(refresh)
		}
		shown = true
		line := *p.stage.Load()
		if total := p.total.Load(); total > 0 {
			line += fmt.Sprintf(" %d of %d", p.done.Load(), total)
		}
		fmt.Fprint(p.out, "\r\x1b[K"+line+" …")
	}
}

// end removes the line. Nothing may be written to the terminal before.
func (p *progress) end() {
	close(p.stop)
	p.group.Wait()
}
