package serving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/waywarden/waywarden/test/cluster"
)

// Build builds the binary into a folder.
func Build(dir string) (string, error) {
	top, err := cluster.Root()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "waywarden")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/waywarden")
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build waywarden: %w\n%s", err, out)
	}
	return binary, nil
}

// Replica is one process of `waywarden serve`.
type Replica struct {
	Addr    string // where it answers the webhooks
	Health  string // the URL below which its probes are
	Metrics string // the URL of its metrics
	Log     string // the file of its log

	cmd  *exec.Cmd
	done chan error
}

// Start starts a replica. It is not ready yet.
func Start(binary, kubeconfig, dir string, flags ...string) (*Replica, error) {
	var addrs [3]string
	for i := range addrs {
		var err error
		if addrs[i], err = freePort(); err != nil {
			return nil, err
		}
	}
	log, err := os.CreateTemp(dir, "waywarden-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r := &Replica{Addr: addrs[0], Metrics: "http://" + addrs[1] + "/metrics", Health: "http://" + addrs[2], Log: log.Name(), done: make(chan error, 1)}
	r.cmd = exec.Command(binary, append([]string{"serve", "--kubeconfig", kubeconfig, "--namespace", Namespace, "--service", "127.0.0.1",
		"--webhook-addr", addrs[0], "--metrics-addr", addrs[1], "--health-addr", addrs[2]}, flags...)...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	r.cmd.SysProcAttr = dieWithParent()
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { r.done <- r.cmd.Wait() }()
	return r, nil
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Ready is nil if the replica says that it is ready, and else why it is not.
func (r *Replica) Ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Health+"/readyz/ready", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	why, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(strings.TrimSpace(string(why)))
	}
	return err
}

// WaitReady waits until the replica is ready, or has ended.
func (r *Replica) WaitReady(ctx context.Context) error {
	for {
		err := r.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case exit := <-r.done:
			r.done <- exit
			said, _ := os.ReadFile(r.Log) // what it said is all there is to say
			return fmt.Errorf("waywarden ended before it was ready: %v\n%s", exit, said)
		case <-ctx.Done():
			return fmt.Errorf("waywarden is not ready: %w (%w)", err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Kill kills the replica, which leaves it no time for anything.
func (r *Replica) Kill() {
	_ = r.cmd.Process.Kill() // gone already is as good
	<-r.done
	r.done <- errors.New("killed")
}

// Freeze stops a replica where it is, as if its machine stood still, and Thaw has it go on.
func (r *Replica) Freeze() error { return r.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw has a replica go on that was frozen.
func (r *Replica) Thaw() error { return r.cmd.Process.Signal(syscall.SIGCONT) }

// Terminate asks the replica to stop, as a kubelet does.
func (r *Replica) Terminate() error { return r.cmd.Process.Signal(syscall.SIGTERM) }

// Wait waits until the replica has ended, and is its error.
func (r *Replica) Wait() error {
	err := <-r.done
	r.done <- err
	return err
}
