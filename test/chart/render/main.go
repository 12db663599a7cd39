// Command render prints what the chart renders to with its own values: `helm template waywarden charts/waywarden -n
// waywarden-system`, on a machine that need not have Helm.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/waywarden/waywarden/test/chart"
	"github.com/waywarden/waywarden/test/cluster"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "render: "+err.Error())
		os.Exit(1)
	}
}

func run() error {
	top, err := cluster.Root()
	if err != nil {
		return err
	}
	manifest, err := chart.Template(filepath.Join(top, "charts", "waywarden"), nil, chart.Target{})
	if err != nil {
		return err
	}
	_, err = fmt.Print(manifest)
	return err
}
