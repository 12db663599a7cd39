// Command waywarden says what every Istio policy really does. main only dispatches; each
// subcommand has a file of its own.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, systemEnv(), os.Args)
	stop()
	os.Exit(status)
}
