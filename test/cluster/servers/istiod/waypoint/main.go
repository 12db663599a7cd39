// Command waypoint tells what istiod sends to waypoints. It connects to istiod as the proxy of each
// waypoint that it is given, takes its listeners, and writes down how calls reach each filter chain and
// which policies are on it. It judges nothing.
//
//	waypoint ADDRESS < proxies.json > waypoints.json
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"istio.io/istio/pkg/log"
)

// Waypoint is what a waypoint was sent.
type Waypoint struct {
	Namespace string  `json:"namespace"`
	Name      string  `json:"name"`
	Chains    []Chain `json:"chains"` // those of its inner listener
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: waypoint ADDRESS < proxies.json > waypoints.json")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "waypoint:", err)
		os.Exit(1)
	}
}

// patience is how long istiod may take to answer all of them.
const patience = 2 * time.Minute

func run(address string) error {
	quiet := log.DefaultOptions()
	quiet.OutputPaths = []string{"stderr"} // standard output is for the answer
	quiet.SetDefaultOutputLevel(log.OverrideScopeName, log.ErrorLevel)
	if err := log.Configure(quiet); err != nil {
		return err
	}
	var proxies []Proxy
	if err := json.NewDecoder(os.Stdin).Decode(&proxies); err != nil {
		return fmt.Errorf("read the proxies: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := ask(ctx, address, proxies)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// ask connects as each of the proxies, a few at a time, and answers in their order.
func ask(ctx context.Context, address string, proxies []Proxy) ([]Waypoint, error) {
	const parallel = 8
	out, errs := make([]Waypoint, len(proxies)), make([]error, len(proxies))
	var group sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i, p := range proxies {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			out[i] = Waypoint{Namespace: p.Namespace, Name: p.Name}
			l, err := p.listener(ctx, address)
			if err == nil {
				out[i].Chains, err = chainsOf(l)
			}
			errs[i] = err
		})
	}
	group.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("as waypoint %s/%s: %w", proxies[i].Namespace, proxies[i].Name, err)
		}
	}
	return out, nil
}
