// Command bench writes the file mesh that `make bench` scans.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/waywarden/waywarden/test/bench/filemesh"
)

func main() {
	var o filemesh.Options
	flag.IntVar(&o.Policies, "policies", 5000, "number of AuthorizationPolicies; 5000 make 8,134 objects")
	flag.Uint64Var(&o.Seed, "seed", 1, "seed: the same gives the same mesh")
	flag.Parse()
	if err := filemesh.Write(os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
