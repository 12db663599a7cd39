// Command launch runs another program and makes sure that it does not outlive the one that asked
// for it: `launch PROGRAM ARG…`. When its parent is gone, however it went, the program is killed.
//
// The parent that asked may be gone before the launcher has begun, and somebody else be its parent by then: so who that is
// comes in the environment.
//
// Called by another name, as through a link called etcd, it runs the program of that name in the
// folder above the link: that is how envtest, which knows nothing of it, starts servers through it.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// parentEnv is the PID of the process that starts the launcher.
const parentEnv = "WAYWARDEN_LAUNCH_PARENT"

func main() {
	parent := os.Getppid()
	if asked, err := strconv.Atoi(os.Getenv(parentEnv)); err == nil && asked != parent {
		fmt.Fprintln(os.Stderr, "launch: the process that asked is gone already")
		os.Exit(1)
	}
	args := os.Args[1:]
	if name := filepath.Base(os.Args[0]); name != "launch" {
		args = append([]string{filepath.Join(filepath.Dir(os.Args[0]), "..", name)}, args...)
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "launch: no program named. Usage: launch PROGRAM ARG…")
		os.Exit(2)
	}
	os.Exit(run(parent, args))
}

func run(parent int, args []string) int {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = dieWithParent()
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "launch:", err)
		return 1
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	alive := time.NewTicker(50 * time.Millisecond)
	defer alive.Stop()
	for {
		select {
		case err := <-done:
			return status(err)
		case s := <-signals:
			_ = cmd.Process.Signal(s) // the program may be gone already, which done will say
		case <-alive.C:
			if os.Getppid() != parent {
				_ = cmd.Process.Kill()
			}
		}
	}
}

func status(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	}
	return 1
}
