// Package corpus compares what Waywarden says of a recorded mesh with what a real istiod said of it.
package corpus

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/oracle"
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

// TestZtunnel compares what remains of every policy at ztunnel, and which workloads carry it, with
// what istiod sent. There is no list of exceptions.
func TestZtunnel(t *testing.T) {
	r := oracle.Recording{Snapshot: load(t, "testdata/mesh-a").snapshot}
	read(t, "testdata/mesh-a/ambient.json", &r.Ambient)
	if n := len(r.Ambient.Policies); n != 330 {
		t.Errorf("istiod sent %d policies, the recording has 330", n)
	}
	rules, carried := r.Rules(), r.Carried()
	if rules.Compared != 808 || carried.Compared < 200 {
		t.Errorf("compared %d policies and %d workloads, the recording has 808 and more than 200", rules.Compared, carried.Compared)
	}
	for _, d := range slices.Concat(rules.Differences, carried.Differences) {
		t.Error(d)
	}
}
