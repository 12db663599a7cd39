// Command load measures admission over real TLS: it starts the webhook and, beside it, one that admits everything at once,
// and asks both the same in turns. What admission costs is the ratio of the two; an absolute time says little on a machine
// that others use.
//
//	load ─► load -serve noop        controller-runtime, Allowed
//	     └► load -serve waywarden   the same server, every check on, over a mesh of the given size
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

type options struct {
	services, pods, policies int
	seed                     uint64
	duration                 time.Duration
	rounds                   int
	garbage                  string
	library                  bool

	serve string
	addr  string
}

func main() {
	var o options
	flag.IntVar(&o.services, "services", 500, "Services of the mesh, in namespaces of ten")
	flag.IntVar(&o.pods, "pods", 10, "Pods behind each Service")
	flag.IntVar(&o.policies, "policies", 2, "AuthorizationPolicies for each Service")
	flag.Uint64Var(&o.seed, "seed", 1, "seed: the same gives the same mesh and the same requests")
	flag.DurationVar(&o.duration, "duration", 4*time.Second, "how long one round asks one webhook")
	flag.IntVar(&o.rounds, "rounds", 4, "rounds for each webhook and number of connections, in turns")
	flag.BoolVar(&o.library, "library", false, "ask the rules of the zero-trust library too")
	flag.StringVar(&o.garbage, "gogc", "", "GOGC of our webhook, instead of what serve asks for")
	flag.StringVar(&o.serve, "serve", "", "internal: serve noop or waywarden")
	flag.StringVar(&o.addr, "addr", "", "internal: where")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := o.measure
	if o.serve != "" {
		run = o.answer
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}
