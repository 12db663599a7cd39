package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/waywarden/waywarden/test/cluster"
)

// keeper knows the cluster by two files in a folder: the kubeconfig and what runs.
type keeper struct{ dir string }

// running is what the holder writes down once the cluster is ready.
type running struct {
	PID    int    `json:"pid"`
	Istiod string `json:"istiod"` // its HTTP address, for /debug
	XDS    string `json:"xds"`    // its gRPC address
	Logs   string `json:"logs"`
}

func (k keeper) kubeconfig() string { return filepath.Join(k.dir, "kubeconfig") }
func (k keeper) file() string       { return filepath.Join(k.dir, "cluster.json") }
func (k keeper) log() string        { return filepath.Join(k.dir, "cluster.log") }

// current is the cluster that runs; ok is false where none does, whatever the file says.
func (k keeper) current() (r running, ok bool, err error) {
	raw, err := os.ReadFile(k.file())
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, false, fmt.Errorf("read %s: %w. Remove the file", k.file(), err)
	}
	// The PID may be another process's by now: this one holds the lock for as long as it lives.
	return r, k.held(), nil
}

func (k keeper) lockFile() string { return filepath.Join(k.dir, "cluster.lock") }

// held is whether a holder is alive: it keeps a lock that the kernel takes back when it dies.
func (k keeper) held() bool {
	f, err := os.Open(k.lockFile())
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// startTimeout is how long up waits, with the servers built.
const startTimeout = 2 * time.Minute

func (k keeper) up() error {
	if r, ok, err := k.current(); err != nil {
		return err
	} else if ok {
		return k.print(r)
	}
	if _, err := cluster.Build(); err != nil {
		return err
	}
	log, err := os.Create(k.log())
	if err != nil {
		return err
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	// A session of its own, so that neither the terminal's end nor its Ctrl-C reaches the cluster.
	cmd := exec.Command(self, "hold")
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	fmt.Fprintln(os.Stderr, "starting etcd, the API server, the controllers, kwok and istiod …")
	for deadline := time.After(startTimeout); ; {
		select {
		case err := <-ended:
			said, _ := os.ReadFile(k.log()) // what it said is all there is to say
			return fmt.Errorf("no cluster: it ended before it was ready (%v):\n%s", err, said)
		case <-deadline:
			return errors.Join(fmt.Errorf("no cluster: it is not ready after %s. See %s", startTimeout, k.log()), cmd.Process.Signal(syscall.SIGTERM))
		case <-time.After(50 * time.Millisecond):
		}
		if r, ok, err := k.current(); err == nil && ok && r.PID == cmd.Process.Pid {
			return k.print(r)
		}
	}
}

// hold starts the cluster and keeps it until it is told to stop.
func (k keeper) hold() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	lock, err := os.OpenFile(k.lockFile(), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another cluster runs already: %w", err)
	}
	// One that was given in the environment is not ours to keep.
	if err := os.Unsetenv(cluster.KubeconfigEnv); err != nil {
		return err
	}
	c, err := cluster.Run(ctx, cluster.WithIstiod())
	if err != nil {
		return err
	}
	if err := k.write(c); err != nil {
		return errors.Join(err, c.Stop())
	}
	<-ctx.Done()
	return errors.Join(c.Stop(), os.Remove(k.file()), os.Remove(k.kubeconfig()), os.RemoveAll(c.Logs))
}

func (k keeper) write(c *cluster.Cluster) error {
	raw, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		return err
	}
	if err := os.WriteFile(k.kubeconfig(), raw, 0o600); err != nil {
		return err
	}
	state, err := json.Marshal(running{PID: os.Getpid(), Istiod: c.IstiodURL, XDS: c.IstiodXDS, Logs: c.Logs})
	if err != nil {
		return err
	}
	// The file is what up waits for: it appears whole.
	if err := os.WriteFile(k.file()+".new", state, 0o644); err != nil {
		return err
	}
	return os.Rename(k.file()+".new", k.file())
}

func (k keeper) status() error {
	r, ok, err := k.current()
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("none runs. `make cluster` starts one")
	}
	return k.print(r)
}

func (k keeper) print(r running) error {
	_, err := fmt.Printf(`The cluster is up.
  kubeconfig   %s
  istiod       %s/debug/ambientz and more
  logs         %s
Use it:        export KUBECONFIG=%[1]s
Test on it:    %[4]s=%[1]s %[5]s=%[2]s %[6]s=%[7]s make test-cluster
Stop it:       make cluster-down
`, k.kubeconfig(), r.Istiod, r.Logs, cluster.KubeconfigEnv, cluster.IstiodEnv, cluster.IstiodXDSEnv, r.XDS)
	return err
}

func (k keeper) down() error {
	r, ok, err := k.current()
	if err != nil {
		return err
	}
	if !ok {
		fmt.Println("No cluster runs.")
		return nil
	}
	if err := syscall.Kill(r.PID, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the cluster: signal process %d: %w", r.PID, err)
	}
	for deadline := time.Now().Add(time.Minute); k.held(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the cluster has not stopped in a minute. Kill process %d: its servers go with it", r.PID)
		}
	}
	said, err := os.ReadFile(k.log())
	if err != nil {
		return err
	}
	if _, wrong, ok := strings.Cut("\n"+string(said), "\n"+complaint); ok {
		return fmt.Errorf("the cluster stopped, but not well: %s", strings.TrimSpace(wrong))
	}
	fmt.Println("The cluster is down.")
	return nil
}
