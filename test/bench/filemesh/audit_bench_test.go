package filemesh

import (
	"bytes"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	_ "github.com/waywarden/waywarden/policies/checks"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

// large is the mesh of 10,000 policies as a Snapshot.
func large(b *testing.B) *mesh.Snapshot {
	b.Helper()
	var text bytes.Buffer
	if err := Write(&text, Options{Policies: 10_000, Seed: 1, Pods: 25}); err != nil {
		b.Fatal(err)
	}
	inv, err := inventory.Files(inventory.FileOptions{Stdin: &text}, "-")
	if err != nil {
		b.Fatal(err)
	}
	return mesh.New(mesh.Options{}, inv.Objects...)
}

// heap is what is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// edited is a policy with another rule.
func edited(b *testing.B, o *mesh.Object, port int) *mesh.Object {
	b.Helper()
	content := maps.Clone(o.Content())
	content["spec"] = maps.Clone(content["spec"].(map[string]any))
	content["spec"].(map[string]any)["rules"] = []any{map[string]any{"to": []any{map[string]any{"operation": map[string]any{"ports": []any{fmt.Sprint(port)}}}}}}
	next, err := mesh.Decode(content)
	if err != nil {
		b.Fatal(err)
	}
	return next
}

// BenchmarkReaudit is what it costs to audit again after one policy of 10,000 has changed, without the zero-trust library and with it; its
// control is the full audit, in the same run.
func BenchmarkReaudit(b *testing.B) {
	s := large(b)
	builtin := policies.AboutObjects(policies.Checks())
	for name, checks := range map[string][]*policies.Check{"library=false": builtin, "library=true": slices.Concat(builtin, zerotrust.Pack().Checks())} {
		b.Run(name, func(b *testing.B) { reaudit(b, s, checks) })
	}
}

func reaudit(b *testing.B, s *mesh.Snapshot, checks []*policies.Check) {
	all := slices.Collect(s.All(mesh.AuthorizationPolicy))
	b.Run("change", func(b *testing.B) {
		before := heap()
		inc := audit.NewIncremental(checks, policies.Occasion{Phase: policies.AtAudit})
		inc.Step(s)
		kept := heap() - before
		now, judged, n := s, 0, 0
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			n++
			next := now.With(edited(b, all[n*97%len(all)], 1024+n%60000))
			b.StartTimer()
			judged += len(inc.Step(next))
			now = next
		}
		b.ReportMetric(float64(judged)/float64(n), "objects/op")
		b.ReportMetric(float64(kept)/(1<<20), "MiB-kept")
	})
	b.Run("full", func(b *testing.B) {
		for b.Loop() {
			audit.NewIncremental(checks, policies.Occasion{Phase: policies.AtAudit}).Step(s)
		}
		b.ReportMetric(float64(s.Len()), "objects/op")
	})
	b.Run("full, nothing recorded", func(b *testing.B) {
		objects := slices.Collect(s.Objects())
		for b.Loop() {
			audit.Evaluate(s, objects, checks, nil)
		}
		b.ReportMetric(float64(s.Len()), "objects/op")
	})
}
