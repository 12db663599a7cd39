package openreports

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

var monday = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// records are n findings, first seen at as many moments as a mesh has busy days.
func records(n int) []ledger.Record {
	var out []ledger.Record
	for i := range n {
		r := ledger.NewRecord(policies.Finding{Check: "effect/l7-deny-no-op", Severity: policies.Critical, Field: "spec.rules[0].to[0].operation.methods",
			Object:  mesh.Ref{APIVersion: "security.istio.io/v1", Kind: "AuthorizationPolicy", Namespace: "shop", Name: fmt.Sprintf("policy-%05d", i)},
			Message: "this DENY denies nothing at Namespace shop: ztunnel cannot compare methods, so no rule is left that can match.",
			Remedy:  "Bind the policy to its Services with targetRefs, so that their waypoint enforces it."}, v1alpha1.Warn, "")
		r.FirstSeen = monday.AddDate(0, 0, -(i % 40))
		r.LastSeen = r.FirstSeen
		out = append(out, r)
	}
	return out
}

func bytesOf(t *testing.T, v any) int {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return len(data)
}

// TestTenThousandFindings: an object stays below its bound whatever is found, its totals are exact, and nothing of since when
// things are found is lost.
func TestTenThousandFindings(t *testing.T) {
	for _, api := range []API{OpenReports, PolicyReport} {
		p := &ledger.Place{Namespace: "shop", Open: records(10_000), Passed: 123_456, Failed: 2}
		p.Open[17].Exempt = true
		p.Open[18].Action = v1alpha1.Audit
		u := Render(p, Options{API: api, Checks: func() []*policies.Check { return policies.Checks() }})
		if n := bytesOf(t, u.Object); n > DefaultMaxBytes || n < DefaultMaxBytes/2 {
			t.Errorf("%s: %d bytes, which is more than %d, or less than makes sense", api, n, DefaultMaxBytes)
		}
		if got := fmt.Sprint(u.Object["summary"]); got != "map[error:2 fail:9998 pass:123456 skip:1 warn:1]" {
			t.Errorf("%s: totals %s", api, got)
		}
		open, _, seen, err := Restore(u)
		if err != nil {
			t.Fatal(err)
		}
		if len(open)+len(seen) != 10_000 {
			t.Errorf("%s: %d results and %d left out", api, len(open), len(seen))
		}
		l := ledger.New(ledger.Options{})
		l.Restore("shop", open, nil, seen)
		again, fresh, gone := l.Update("shop", ledger.Found{Records: records(10_000)}, monday.AddDate(1, 0, 0))
		if len(fresh)+len(gone) > 0 {
			t.Errorf("%s: after a restart %d findings are new and %d gone", api, len(fresh), len(gone))
		}
		for i, want := range records(10_000) {
			if got := again.Open[i]; !got.FirstSeen.Equal(want.FirstSeen) {
				t.Fatalf("%s: %s was first seen %s, and after a restart %s", api, want.Object, want.FirstSeen, got.FirstSeen)
			}
		}
	}
}

// TestBounds: whatever the bound, the object keeps to it.
func TestBounds(t *testing.T) {
	for _, most := range []int{smallest, 32 << 10, 128 << 10, 1 << 20} {
		for _, n := range []int{0, 1, 50, 3000, 40_000} {
			u := Render(&ledger.Place{Namespace: "shop", Open: records(n), Resolved: resolved(30)}, Options{API: OpenReports, MaxBytes: most, Checks: func() []*policies.Check { return policies.Checks() }})
			if got := bytesOf(t, u.Object); got > most {
				t.Errorf("%d findings in at most %d bytes take %d", n, most, got)
			}
		}
	}
}

func resolved(n int) []ledger.Record {
	out := records(n)
	for i := range out {
		out[i].Object.Name = fmt.Sprintf("fixed-%d", i)
		out[i].Fingerprint = fmt.Sprintf("%032d", i)
		out[i].ResolvedAt = monday.Add(time.Hour)
		out[i].LastSeen = monday
	}
	return out
}

func TestRestoreIsWhatWasWritten(t *testing.T) {
	p := &ledger.Place{Namespace: "shop", Open: records(3), Resolved: resolved(2)}
	p.Open[1].Exempt, p.Open[1].Verdict = true, policies.NotEnforced
	open, gone, seen, err := Restore(Render(p, Options{API: OpenReports}))
	if err != nil {
		t.Fatal(err)
	}
	same := cmpopts.IgnoreFields(policies.Finding{}, "Remedy")
	if diff := cmp.Diff(p.Open, open, same); diff != "" {
		t.Errorf("open (-written +read):\n%s", diff)
	}
	resolvedSame := cmpopts.IgnoreFields(policies.Finding{}, "Remedy", "Field", "Verdict")
	if diff := cmp.Diff(p.Resolved, gone, resolvedSame); diff != "" {
		t.Errorf("resolved (-written +read):\n%s", diff)
	}
	if len(seen) > 0 {
		t.Errorf("nothing was left out, and %d are read", len(seen))
	}
}

// TestForeignReport: what others have put into an object is passed over.
func TestForeignReport(t *testing.T) {
	u := Render(&ledger.Place{Namespace: "shop", Open: records(2)}, Options{API: OpenReports})
	results := u.Object["results"].([]any)
	results[0].(map[string]any)["source"] = "kyverno"
	results[1].(map[string]any)["properties"].(map[string]any)["firstSeen"] = "yesterday"
	u.SetAnnotations(map[string]string{sinceOf: "2026-11-23T08:00:00Z=%%% x= =="})
	open, gone, seen, err := Restore(u)
	if err != nil || len(open)+len(gone)+len(seen) > 0 {
		t.Errorf("read %v %v %v, %v", open, gone, seen, err)
	}
	u.Object["results"] = "none"
	if _, _, _, err := Restore(u); err == nil {
		t.Error("an object that is no report is read as one")
	}
}
