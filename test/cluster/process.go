package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// process is a server that runs behind the launcher.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan error
}

// run starts bin/name through the launcher, with its output in the logs.
func (c *Cluster) run(name string, env []string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(c.Logs, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(c.bin, "launch"), append([]string{filepath.Join(c.bin, name)}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = c.Logs
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	c.processes = append(c.processes, p)
	return p, nil
}

const stopTimeout = 10 * time.Second

func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopTimeout):
		return fmt.Errorf("%s did not stop in %s and was killed: %w", p.name, stopTimeout, p.cmd.Process.Kill())
	}
}

// ready waits until an HTTP address answers 200, or the process has ended.
func (p *process) ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		select {
		case err := <-p.done:
			return fmt.Errorf("%s ended before it was ready: %v", p.name, err)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready at %s: %w", p.name, url, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
	}
}

// freePort is a port of loopback that nobody listens on, and none of those that a system gives to who connects (on Linux from 32768): on a busy
// machine such a one would be taken before the server that it is for has begun.
func freePort() (string, error) {
	var err error
	for range 100 {
		addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("no free port: %w", err)
}
