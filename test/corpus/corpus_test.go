// Package corpus compares what Waywarden says of a recorded mesh with what a real istiod said of it.
package corpus

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// recording is one mesh with what istiod said of it, and what we say of it.
type recording struct {
	snapshot   *mesh.Snapshot
	conditions map[string][]condition
	ambient    ambient
	// ours is read back from what `scan -o json` prints, so that nothing is compared that a program
	// which reads that would not see. By "Kind namespace/name".
	effects  map[string][]report.Effect
	bindings map[string]report.Binding
}

type condition struct{ Type, Status, Reason, Message string }

type ambient struct {
	Workloads []struct {
		Namespace             string   `json:"namespace"`
		Name                  string   `json:"name"`
		AuthorizationPolicies []string `json:"authorizationPolicies"`
		TunnelProtocol        string   `json:"tunnelProtocol"`
		Waypoint              sent     `json:"waypoint"`
	} `json:"workloads"`
	Services []struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
		Hostname  string `json:"hostname"`
		Waypoint  sent   `json:"waypoint"`
	} `json:"services"`
	Policies []authorization `json:"policies"`
}

// sent is the waypoint that ztunnels are told of; empty where there is none.
type sent struct {
	Hostname struct{ Namespace, Hostname string } `json:"hostname"`
}

// named is the waypoint as "namespace/name".
func (s sent) named() string {
	if s.Hostname.Hostname == "" {
		return ""
	}
	name, _, _ := strings.Cut(s.Hostname.Hostname, ".")
	return s.Hostname.Namespace + "/" + name
}

type authorization struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	Scope     string `json:"scope"`
	Action    string `json:"action"`
	Groups    []struct {
		Rules []struct {
			Matches []map[string]any `json:"matches"`
		} `json:"rules"`
	} `json:"groups"`
}

func load(t *testing.T, dir string) recording {
	t.Helper()
	inv, err := inventory.Files(inventory.FileOptions{}, filepath.Join(dir, "mesh.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r := recording{snapshot: mesh.New(mesh.Options{}, inv.Objects...), effects: map[string][]report.Effect{}, bindings: map[string]report.Binding{}}
	printed := printed(t, inv)
	for _, e := range printed.Effects {
		r.effects[name(e.Object)] = append(r.effects[name(e.Object)], e)
	}
	for _, b := range printed.Bindings {
		r.bindings[name(b.Object)] = b
	}
	read(t, filepath.Join(dir, "conditions.json"), &r.conditions)
	read(t, filepath.Join(dir, "ambient.json"), &r.ambient)
	return r
}

func name(r mesh.Ref) string { return r.Kind + " " + r.Namespace + "/" + r.Name }

// printed is what `scan -o json` prints of an inventory, read back.
func printed(t *testing.T, inv *inventory.Inventory) report.ScanResult {
	t.Helper()
	var text bytes.Buffer
	if err := report.JSON(&text, audit.Scan(inv, audit.Options{Checks: []*policies.Check{}})); err != nil {
		t.Fatal(err)
	}
	var out report.ScanResult
	if err := json.Unmarshal(text.Bytes(), &out); err != nil {
		t.Fatal(err)
	}
	if len(out.Errors) > 0 {
		t.Fatalf("the recording cannot be read whole: %+v", out.Errors)
	}
	return out
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

// TestZtunnelPolicies compares what remains of every policy at ztunnel, and which workloads carry
// it, with what istiod sent. There is no list of exceptions.
func TestZtunnelPolicies(t *testing.T) {
	r := load(t, "testdata/mesh-a")
	want := map[string]authorization{}
	for _, p := range r.ambient.Policies {
		want[p.Namespace+"/"+p.Name] = p
	}
	got := 0
	for o := range r.snapshot.All(mesh.AuthorizationPolicy) {
		a := policies.Convert(r.snapshot, o)
		w, sent := want[o.Key()]
		if sent != (a != nil) {
			t.Errorf("%s: sent to ztunnel: %v, we say %v", o, sent, a != nil)
			continue
		}
		if a == nil {
			continue
		}
		got++
		if w.Scope == "" {
			w.Scope = "GLOBAL"
		}
		if w.Action == "" {
			w.Action = policies.Allow
		}
		if w.Scope != a.Scope || w.Action != a.Action {
			t.Errorf("%s: scope %s action %s, istiod has %s %s", o, a.Scope, a.Action, w.Scope, w.Action)
		}
		if diff := cmp.Diff(canonical(wireGroups(w)), canonical(ourGroups(a))); diff != "" {
			t.Errorf("%s: groups differ (-istiod +ours):\n%s", o, diff)
		}
	}
	if got != len(want) || got != 330 {
		t.Errorf("compared %d policies, istiod sent %d, the recording has 330", got, len(want))
	}
}

func TestWorkloadsCarry(t *testing.T) {
	r := load(t, "testdata/mesh-a")
	for _, w := range r.ambient.Workloads {
		var ours *mesh.Workload
		for _, x := range r.snapshot.Workloads(w.Namespace) {
			if x.Name == w.Name {
				ours = x
			}
		}
		if ours == nil {
			continue // an endpoint of a Service without a selector, to which nothing is attached
		}
		var carried []string
		for _, action := range [][]*mesh.Object{policies.AllowsAt(r.snapshot, ours), policies.DeniesAt(r.snapshot, ours)} {
			for _, o := range action {
				if policies.Convert(r.snapshot, o).Scope == "WORKLOAD_SELECTOR" {
					carried = append(carried, o.Key())
				}
			}
		}
		slices.Sort(carried)
		if diff := cmp.Diff(w.AuthorizationPolicies, carried); diff != "" {
			t.Errorf("%s/%s carries (-istiod +ours):\n%s", w.Namespace, w.Name, diff)
		}
	}
}

// wireGroups and ourGroups bring both forms into one: groups of clauses of matches of field → values.
func wireGroups(a authorization) [][][]map[string][]string {
	var out [][][]map[string][]string
	for _, g := range a.Groups {
		clauses := [][]map[string][]string{}
		for _, rule := range g.Rules {
			var matches []map[string][]string
			for _, m := range rule.Matches {
				fields := map[string][]string{}
				for k, v := range m {
					for _, x := range v.([]any) {
						fields[k] = append(fields[k], wireValue(x))
					}
				}
				matches = append(matches, fields)
			}
			clauses = append(clauses, matches)
		}
		out = append(out, clauses)
	}
	return out
}

func wireValue(v any) string {
	switch x := v.(type) {
	case map[string]any:
		if a, ok := x["address"].(string); ok {
			return wireAddress(a, x["length"])
		}
		if s, ok := x["serviceAccount"].(string); ok {
			return x["namespace"].(string) + "/" + s
		}
		for kind, s := range x {
			switch kind {
			case "exact":
				return s.(string)
			case "prefix":
				return s.(string) + "*"
			case "suffix":
				return "*" + s.(string)
			case "presence":
				return "*"
			}
		}
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func wireAddress(encoded string, length any) string {
	var raw []byte
	b, _ := json.Marshal(encoded)
	if err := json.Unmarshal(b, &raw); err != nil {
		return err.Error()
	}
	addr, _ := netip.AddrFromSlice(raw)
	bits, _ := length.(float64)
	return netip.PrefixFrom(addr, int(bits)).String()
}

func ourGroups(a *policies.Authorization) [][][]map[string][]string {
	var out [][][]map[string][]string
	for _, g := range a.Groups {
		clauses := [][]map[string][]string{}
		for _, c := range g {
			var matches []map[string][]string
			for _, m := range c {
				matches = append(matches, ourMatch(m))
			}
			clauses = append(clauses, matches)
		}
		out = append(out, clauses)
	}
	return out
}

func ourMatch(m policies.Match) map[string][]string {
	fields := map[string][]string{}
	texts := map[string][]string{
		"namespaces": m.Namespaces, "notNamespaces": m.NotNamespaces, "principals": m.Principals, "notPrincipals": m.NotPrincipals,
		"serviceAccounts": m.ServiceAccounts, "notServiceAccounts": m.NotServiceAccounts,
	}
	for k, nets := range map[string][]netip.Prefix{"sourceIps": m.SourceIPs, "notSourceIps": m.NotSourceIPs, "destinationIps": m.DestinationIPs, "notDestinationIps": m.NotDestinationIPs} {
		for _, n := range nets {
			texts[k] = append(texts[k], n.String())
		}
	}
	for k, ports := range map[string][]uint16{"destinationPorts": m.DestinationPorts, "notDestinationPorts": m.NotDestinationPorts} {
		for _, p := range ports {
			b, _ := json.Marshal(p)
			texts[k] = append(texts[k], string(b))
		}
	}
	for k, v := range texts {
		if len(v) > 0 {
			fields[k] = v
		}
	}
	return fields
}

// canonical sorts what istiod sorts on its way out: the groups, the clauses and the matches.
func canonical(groups [][][]map[string][]string) []string {
	var out []string
	for _, g := range groups {
		var clauses []string
		for _, c := range g {
			var matches []string
			for _, m := range c {
				for _, v := range m {
					slices.Sort(v)
				}
				b, _ := json.Marshal(m)
				matches = append(matches, string(b))
			}
			slices.Sort(matches)
			b, _ := json.Marshal(matches)
			clauses = append(clauses, string(b))
		}
		slices.Sort(clauses)
		b, _ := json.Marshal(clauses)
		out = append(out, string(b))
	}
	slices.Sort(out)
	return out
}
