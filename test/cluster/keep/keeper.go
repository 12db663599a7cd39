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
	"github.com/waywarden/waywarden/test/serving"
)

// keeper knows the cluster by two files in a folder: the kubeconfig and what runs.
type keeper struct {
	dir       string
	waywarden string // the binary that is asked at admission; "" for none
	manifest  string // the file of what its chart renders to
}

// running is what the holder writes down once the cluster is ready.
type running struct {
	PID    int    `json:"pid"`
	Istiod string `json:"istiod"` // its HTTP address, for /debug
	XDS    string `json:"xds"`    // its gRPC address
	Logs   string `json:"logs"`

	Waywarden string `json:"waywarden,omitempty"` // the log of its replica; "" where none runs
	Metrics   string `json:"metrics,omitempty"`   // the URL of its metrics
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
		if k.waywarden != "" && r.Waywarden == "" {
			return errors.New("a cluster without waywarden runs already. Stop it first: make cluster-down")
		}
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
	cmd := exec.Command(self, k.holdArgs()...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	fmt.Fprintln(os.Stderr, "starting "+k.starts()+" …")
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

func (k keeper) starts() string {
	servers := "etcd, the API server, the controllers, kwok and istiod"
	if k.waywarden == "" {
		return servers
	}
	return servers + ", installing the chart and starting waywarden"
}

func (k keeper) holdArgs() []string {
	if k.waywarden == "" {
		return []string{"hold"}
	}
	return []string{"hold", k.waywarden, k.manifest}
}

// hold starts the cluster and keeps it until it is told to stop.
func (k keeper) hold() error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
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
	c, err := cluster.Run(ctx, k.options()...)
	if err != nil {
		return err
	}
	replica, err := k.admit(ctx, c)
	if err == nil {
		err = k.write(c, replica)
	}
	if err != nil {
		return errors.Join(err, stop(replica), c.Stop())
	}
	<-ctx.Done()
	return errors.Join(stop(replica), c.Stop(), os.Remove(k.file()), os.Remove(k.kubeconfig()), os.RemoveAll(c.Logs))
}

// options: whoever tries admission has no istio-cni, which would capture the pods.
func (k keeper) options() []cluster.Option {
	if k.waywarden == "" {
		return []cluster.Option{cluster.WithIstiod()}
	}
	return []cluster.Option{cluster.WithIstiod(), cluster.Capture()}
}

// admit installs the chart and starts a replica of waywarden, nil where none is asked for.
func (k keeper) admit(ctx context.Context, c *cluster.Cluster) (*serving.Admission, error) {
	if k.waywarden == "" {
		return nil, nil
	}
	manifest, err := os.ReadFile(k.manifest)
	if err != nil {
		return nil, err
	}
	return serving.Install(ctx, c, manifest, k.waywarden, c.Logs)
}

func stop(replica *serving.Admission) error {
	if replica == nil {
		return nil
	}
	return replica.Stop()
}

func (k keeper) write(c *cluster.Cluster, replica *serving.Admission) error {
	raw, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		return err
	}
	if err := os.WriteFile(k.kubeconfig(), raw, 0o600); err != nil {
		return err
	}
	r := running{PID: os.Getpid(), Istiod: c.IstiodURL, XDS: c.IstiodXDS, Logs: c.Logs}
	if replica != nil {
		r.Waywarden, r.Metrics = replica.Log, replica.Metrics
	}
	state, err := json.Marshal(r)
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
	fmt.Printf(`The cluster is up.
  kubeconfig   %s
  istiod       %s/debug/ambientz and more
  logs         %s
`, k.kubeconfig(), r.Istiod, r.Logs)
	if r.Waywarden != "" {
		fmt.Printf("  waywarden    %s\n  metrics      %s\n", r.Waywarden, r.Metrics)
	}
	fmt.Printf("Use it:        export KUBECONFIG=%s\n", k.kubeconfig())
	if r.Waywarden == "" { // tests expect a cluster in which nothing is denied
		fmt.Printf("Test on it:    %s=%s %s=%s %s=%s make test-cluster\n", cluster.KubeconfigEnv, k.kubeconfig(), cluster.IstiodEnv, r.Istiod, cluster.IstiodXDSEnv, r.XDS)
	}
	_, err := fmt.Println("Stop it:       make cluster-down")
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
