// Command bench writes the meshes that `make bench` scans.
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
	shape := flag.String("shape", "", "instead, a mesh that is hard in one way: pods, services, root or kinds")
	scale := flag.Float64("scale", 1, "with -shape: how many times as large")
	flag.Parse()
	if err := write(o, *shape, *scale); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func write(o filemesh.Options, shape string, scale float64) error {
	if shape == "" {
		return filemesh.Write(os.Stdout, o)
	}
	for _, s := range filemesh.Shapes {
		if s.Name == shape {
			return s.Write(os.Stdout, scale)
		}
	}
	return fmt.Errorf("there is no shape %q", shape)
}
