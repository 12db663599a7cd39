package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// evidenceFlags say which kinds of a cluster are read for rules, besides those that decide something in a mesh.
type evidenceFlags struct{ groups, secrets []string }

// groups are those that a flag names; Secrets are named one by one.
var evidenceGroups = []string{string(mesh.RBAC), string(mesh.Webhooks)}

func (f *evidenceFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.groups, "evidence", evidenceGroups, "of a cluster, read this too where rules ask for it: rbac, webhooks; empty for none")
	mustComplete(cmd, "evidence", cobra.FixedCompletions(evidenceGroups, cobra.ShellCompDirectiveNoFileComp))
	flags.StringSliceVar(&f.secrets, "secrets", nil, "of a cluster, read the certificates in these Secrets where rules ask for them, as in istio-system/cacerts; keys are never kept")
	mustComplete(cmd, "secrets", cobra.NoFileCompletions)
}

// neededBy is what the checks ask for and the flags let them have. The error is one of usage.
func (f *evidenceFlags) neededBy(checks []*policies.Check) (inventory.Evidence, error) {
	var groups []mesh.Evidence
	for _, g := range f.groups {
		if !slices.Contains(evidenceGroups, g) {
			return inventory.Evidence{}, fmt.Errorf("--evidence: %q is not one of %s%s", g, strings.Join(evidenceGroups, ", "), didYouMean(g, evidenceGroups))
		}
		groups = append(groups, mesh.Evidence(g))
	}
	var secrets []inventory.SecretName
	for _, text := range f.secrets {
		name, err := inventory.ParseSecretName(text)
		if err != nil {
			return inventory.Evidence{}, fmt.Errorf("--secrets: %w", err)
		}
		secrets = append(secrets, name)
	}
	var needed []mesh.Kind
	for _, c := range checks {
		needed = append(needed, c.Kinds...)
		needed = append(needed, c.Reads...)
	}
	return inventory.EvidenceFor(needed, groups, secrets), nil
}
