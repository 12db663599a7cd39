//go:build cluster

package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/serving"
)

var update = flag.Bool("update", false, "rewrite testdata/session.golden")

// TestSession goes through the demonstration and compares all that it prints.
func TestSession(t *testing.T) {
	top, err := cluster.Root()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := serving.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := serving.Render(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := cluster.Start(t, cluster.WithIstiod(), cluster.Capture())
	replica, err := serving.Install(t.Context(), c, manifest, binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := replica.Stop(); err != nil {
			t.Error(err)
		}
	})
	var out bytes.Buffer
	if err := show(t.Context(), c.Config, top, &out); err != nil {
		t.Fatalf("%v, after\n%s", err, out.String())
	}
	got, golden := masked(out.String()), filepath.Join("testdata", "session.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("the session (-want +got):\n%s", diff)
	}
	if err := show(t.Context(), c.Config, top, &out); err == nil {
		t.Error("it is shown again on what it left behind")
	}
	said, err := os.ReadFile(replica.Log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(said)) {
		if strings.Contains(line, "forbidden") {
			t.Errorf("the chart lacks a right: %s", line)
		}
	}
}

var (
	expires = regexp.MustCompile(`expiresAt: "[^"]+"`)
	pod     = regexp.MustCompile(`(Pod [a-z]+/[a-z]+)-[a-z0-9]+-[a-z0-9]{5}\b`)
	granter = regexp.MustCompile(`(?m)^(admin|system:admin)$`)
	warning = regexp.MustCompile(`(?m)^Warning: .*\n`)
)

// builtUp is what comes after the mesh is built up.
const builtUp = "$ kubectl wait gateway"

// masked is the session without what differs from run to run: times, names of pods, who runs the test, and of what is warned while the mesh
// is built up, because a watch may not have seen a Namespace yet when its waypoint comes a moment later.
func masked(session string) string {
	mesh, rest, _ := strings.Cut(session, builtUp)
	session = warning.ReplaceAllString(mesh, "") + builtUp + rest
	session = pod.ReplaceAllString(session, "$1-POD")
	return granter.ReplaceAllString(expires.ReplaceAllString(session, `expiresAt: "IN A WEEK"`), "THE ADMIN")
}
