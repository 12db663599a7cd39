// Command keep is the test cluster for people: `keep up` starts a control plane with istiod and leaves
// it running, `keep status` says what runs and where its kubeconfig is, `keep down` stops it. With the paths of
// a binary and of what the chart renders to, `keep up bin/waywarden bin/chart.yaml`, the chart is installed, and the API server
// asks a replica of the binary at admission.
//
// The cluster belongs to a process of its own, `keep hold`, which `up` starts in the background: when
// that one ends, however it ends, every server and the replica go with it.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/waywarden/waywarden/test/cluster"
)

// complaint is how everything that goes wrong starts, on stderr or in the log.
const complaint = "cluster: "

const usage = "usage: keep up [WAYWARDEN MANIFEST] | status | down"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, complaint+err.Error())
		os.Exit(1)
	}
}

func run(args []string) error {
	top, err := cluster.Root()
	if err != nil {
		return err
	}
	k := keeper{dir: filepath.Join(top, "bin")}
	switch {
	case len(args) == 3 && (args[0] == "up" || args[0] == "hold"):
		if k.waywarden, err = filepath.Abs(args[1]); err != nil {
			return err
		}
		if k.manifest, err = filepath.Abs(args[2]); err != nil {
			return err
		}
	case len(args) != 1:
		return errors.New(usage)
	}
	switch args[0] {
	case "up":
		return k.up()
	case "hold":
		return k.hold()
	case "status":
		return k.status()
	case "down":
		return k.down()
	}
	return errors.New(usage)
}
