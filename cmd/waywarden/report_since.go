package main

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/audit/openreports"
)

// since enters since when findings have been found, where the continuous audit of a cluster keeps reports. A report without
// that is still one, so whoever may not read them is told, and gets it.
func (r *reportCommand) since(ctx context.Context, e *env, made *compliance.Report) {
	cfg, err := r.cluster(e)
	if err == nil {
		kept := ledger.New(ledger.Options{})
		err = audited(ctx, cfg, kept)
		made.Since(kept.Since)
	}
	if err != nil && !errors.Is(err, openreports.ErrNotServed) {
		fmt.Fprintf(e.stderr, "the report does not say of everything since when it is found: %v\n", err)
	}
}

// audited reads what the continuous audit of a cluster has stored; openreports.ErrNotServed where there is no place for it. What
// cannot be read is an error, and the rest is read all the same.
func audited(ctx context.Context, cfg *rest.Config, kept *ledger.Ledger) error {
	api, err := openreports.Served(cfg, openreports.OpenReports, openreports.PolicyReport)
	if err != nil {
		return err
	}
	stored, err := openreports.NewWriter(cfg, openreports.Options{API: api})
	if err != nil {
		return err
	}
	unread, err := stored.Restore(ctx, kept)
	return errors.Join(unread, err)
}
