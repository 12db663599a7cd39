package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/waywarden/waywarden/policies"
)

// choice is a flag with a fixed set of values, and completes them.
type choice struct {
	value   string
	allowed []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "string" }

func (c *choice) Set(v string) error {
	if !slices.Contains(c.allowed, v) {
		return fmt.Errorf("%q is not one of %s%s", v, strings.Join(c.allowed, ", "), didYouMean(v, c.allowed))
	}
	c.value = v
	return nil
}

func (c *choice) complete(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return c.allowed, cobra.ShellCompDirectiveNoFileComp
}

// outputFlag is -o.
type outputFlag choice

func (o *outputFlag) add(cmd *cobra.Command) {
	c := (*choice)(o)
	cmd.Flags().VarP(c, "output", "o", "output format: "+strings.Join(o.allowed, ", "))
	mustComplete(cmd, "output", c.complete)
}

func mustComplete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // the flag has just been added
	}
}

// bytesFlag is an amount of bytes, as in 64Mi or 1000000.
type bytesFlag int64

func (b *bytesFlag) String() string {
	return resource.NewQuantity(int64(*b), resource.BinarySI).String()
}
func (b *bytesFlag) Type() string { return "quantity" }

func (b *bytesFlag) Set(v string) error {
	q, err := resource.ParseQuantity(v)
	if err != nil {
		return fmt.Errorf("%q is not an amount of bytes such as 64Mi", v)
	}
	if q.Sign() <= 0 {
		return fmt.Errorf("%q is not more than nothing", v)
	}
	*b = bytesFlag(q.Value())
	return nil
}

// selectChecks are those of the checks whose IDs match any of the globs. A glob that matches nothing is a
// mistake: it would silence what somebody relies on.
func selectChecks(checks []*policies.Check, globs []string) ([]*policies.Check, error) {
	var ids []string
	for _, c := range checks {
		ids = append(ids, c.ID)
	}
	for _, g := range globs {
		if !slices.ContainsFunc(ids, func(id string) bool { return policies.MatchID(g, id) }) {
			suggestion := didYouMean(g, ids)
			if suggestion == "" {
				suggestion = "."
			}
			return nil, fmt.Errorf("no check is called %q%s waywarden checks list shows all", g, suggestion)
		}
	}
	return slices.DeleteFunc(slices.Clone(checks), func(c *policies.Check) bool {
		return len(globs) > 0 && !slices.ContainsFunc(globs, func(g string) bool { return policies.MatchID(g, c.ID) })
	}), nil
}
