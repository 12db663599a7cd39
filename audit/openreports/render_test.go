package openreports

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/audit/report"
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
		stored, err := Restore(u)
		if err != nil {
			t.Fatal(err)
		}
		if len(stored.Open)+len(stored.Unlisted) != 10_000 || len(stored.Open) < 50 {
			t.Errorf("%s: %d results and %d left out", api, len(stored.Open), len(stored.Unlisted))
		}
		l := ledger.New(ledger.Options{})
		l.Restore(stored)
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

// TestBounds: whatever the bound, however many findings, and at however many moments they were first seen, the object keeps to it, and
// says of how many that is lost.
func TestBounds(t *testing.T) {
	for _, n := range []int{0, 1, 300, 20_000} {
		open := records(n)
		for _, most := range []int{smallest, 32 << 10, DefaultMaxBytes, 1 << 20} {
			for _, moments := range []int{40, n + 1} {
				for i := range open {
					open[i].FirstSeen = monday.Add(-time.Duration(i%moments) * 17 * time.Second)
				}
				place := &ledger.Place{Namespace: "shop", Open: open, Resolved: resolved(30)}
				u := Render(place, Options{API: OpenReports, MaxBytes: most, Checks: func() []*policies.Check { return policies.Checks() }, Unseen: blind})
				if got := bytesOf(t, u.Object); got > most {
					t.Errorf("%d findings of %d moments in at most %d bytes take %d", n, moments, most, got)
				}
				if got := bytesOf(t, u.GetAnnotations()); got > 256<<10 {
					t.Errorf("%d findings of %d moments in at most %d bytes take %d of annotations, more than an API server takes", n, moments, most, got)
				}
				stored, err := Restore(u)
				if err != nil {
					t.Fatal(err)
				}
				lost, said := n-len(stored.Open)-len(stored.Unlisted), 0
				if _, rest, cut := strings.Cut(u.GetAnnotations()[leftOut], "Of "); cut {
					_, err = fmt.Sscanf(rest, "%d of these", &said)
				}
				if err != nil || lost != said {
					t.Errorf("%d findings of %d moments in at most %d bytes: of %d it is lost since when they are there, and said of %d, %v", n, moments, most, lost, said, err)
				}
				if most == DefaultMaxBytes && n <= 14_000 && lost > 0 {
					t.Errorf("%d findings of %d moments: %d are lost", n, moments, lost)
				}
			}
		}
	}
}

// TestHowManyAreKept: the numbers that documentation tells.
func TestHowManyAreKept(t *testing.T) {
	for n, moments := range map[int]int{24_000: 40, 14_000: 14_000} {
		open := records(n)
		for i := range open {
			open[i].FirstSeen = monday.Add(-time.Duration(i%moments) * 17 * time.Minute)
		}
		stored, err := Restore(Render(&ledger.Place{Namespace: "shop", Open: open}, Options{API: OpenReports}))
		if err != nil || len(stored.Open)+len(stored.Unlisted) != n {
			t.Errorf("of %d findings of %d moments %d are kept, %v", n, moments, len(stored.Open)+len(stored.Unlisted), err)
		}
	}
}

var blind = Unseen{Kinds: []report.Unread{{Kind: "EnvoyFilter", Resource: "envoyfilters.networking.istio.io", Why: "it may not be listed", Leaves: "EnvoyFilters are not judged."}}}

// TestUnseen: an object says that not everything could be looked at, in its totals too, and that is no finding of anybody.
func TestUnseen(t *testing.T) {
	held := blind
	held.Held = true
	for _, tc := range []struct {
		unseen Unseen
		want   string
	}{
		{blind, "Not everything could be read. envoyfilters.networking.istio.io: it may not be listed. EnvoyFilters are not judged."},
		{held, "The audit is held: answers depend on what cannot be read, so that nothing is judged, and what is told here is what was found before. " +
			"envoyfilters.networking.istio.io: it may not be listed. EnvoyFilters are not judged."},
		{Unseen{Errors: []string{"a.yaml:3: it is no YAML."}}, "Not everything could be read. a.yaml:3: it is no YAML."},
	} {
		for _, api := range []API{OpenReports, PolicyReport} {
			p := &ledger.Place{Namespace: "shop", Open: records(1), Passed: 7, Failed: 2}
			u := Render(p, Options{API: api, Unseen: tc.unseen})
			first := u.Object["results"].([]any)[0].(map[string]any)
			if first["policy"] != PolicyUnseen || first["result"] != "error" || fmt.Sprint(first["description"], first["message"]) == "" || first["timestamp"] != nil {
				t.Errorf("%s: the first result is %v", api, first)
			}
			if got := u.GetAnnotations()[unseenOf]; got != tc.want {
				t.Errorf("%s: it says\n%s\nwant\n%s", api, got, tc.want)
			}
			if got := fmt.Sprint(u.Object["summary"]); got != "map[error:3 fail:1 pass:7]" && got != "map[error:3 fail:1 pass:7 skip:0 warn:0]" {
				t.Errorf("%s: totals %s", api, got)
			}
			stored, err := Restore(u)
			if err != nil || len(stored.Open) != 1 || stored.Failed != 2 || stored.Passed != 7 {
				t.Errorf("%s: read %+v, %v", api, stored, err)
			}
			if again := Render(stored, Options{API: api, Unseen: tc.unseen}); again.GetAnnotations()[digestOf] != u.GetAnnotations()[digestOf] {
				t.Errorf("%s: what was read is written as something else", api)
			}
		}
	}
	if u := Render(&ledger.Place{Namespace: "shop", Open: records(1)}, Options{API: OpenReports}); u.GetAnnotations()[unseenOf] != "" {
		t.Error("everything could be read, and it says otherwise")
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
	p := &ledger.Place{Namespace: "shop", Open: records(3), Resolved: resolved(2), Passed: 8, Failed: 1}
	p.Open[1].Exempt, p.Open[1].Verdict, p.Open[1].Note = true, policies.NotEnforced, "it is exempt"
	got, err := Restore(Render(p, Options{API: OpenReports}))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.Open, got.Open); diff != "" {
		t.Errorf("open (-written +read):\n%s", diff)
	}
	resolvedSame := cmpopts.IgnoreFields(policies.Finding{}, "Remedy", "Field", "Verdict")
	if diff := cmp.Diff(p.Resolved, got.Resolved, resolvedSame); diff != "" {
		t.Errorf("resolved (-written +read):\n%s", diff)
	}
	if len(got.Unlisted) > 0 || got.Passed != 8 || got.Failed != 1 {
		t.Errorf("nothing was left out, 8 passed and 1 failed, and %d, %d and %d are read", len(got.Unlisted), got.Passed, got.Failed)
	}
}

// TestForeignReport: what others have put into an object is passed over, and what cannot be read is told.
func TestForeignReport(t *testing.T) {
	u := Render(&ledger.Place{Namespace: "shop", Open: records(2)}, Options{API: OpenReports})
	results := u.Object["results"].([]any)
	results[0].(map[string]any)["source"] = "kyverno"
	results[1].(map[string]any)["properties"].(map[string]any)["firstSeen"] = "yesterday"
	got, err := Restore(u)
	if err != nil || len(got.Open)+len(got.Resolved)+len(got.Unlisted) > 0 {
		t.Errorf("read %+v, %v", got, err)
	}
	u = Render(&ledger.Place{Namespace: "shop", Open: records(2)}, Options{API: OpenReports})
	u.SetAnnotations(map[string]string{sinceOf: "2026-11-23T08:00:00Z=%%% x= =="})
	if got, err = Restore(u); err == nil || len(got.Open) != 2 || len(got.Unlisted) > 0 {
		t.Errorf("an annotation that cannot be read: %+v, %v", got, err)
	}
	u.Object["results"] = "none"
	if got, err = Restore(u); err == nil || got != nil {
		t.Errorf("an object that is no report is read as one: %+v", got)
	}
}

// FuzzSince: whatever somebody writes into the annotation, it is read or refused, and what was written is read as it was.
func FuzzSince(f *testing.F) {
	f.Add(encodeSince(nil), int64(0), uint16(0))
	f.Add("AQRLaW5k", int64(-62135596800), uint16(3))
	f.Add("AQFrAWH/////D////////", int64(1<<40), uint16(300))
	f.Fuzz(func(t *testing.T, text string, at int64, n uint16) {
		if read, err := decodeSince(text); err == nil && len(read) > len(text) {
			t.Errorf("%q is read as %d", text, len(read))
		}
		var want []ledger.Unlisted
		for i := range n {
			key := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(at)+uint64(i)))
			want = append(want, ledger.Unlisted{Key: hex.EncodeToString(key[:keyBytes]), Kind: []string{"Service", ""}[i%2], As: "fail", FirstSeen: time.Unix(at/2+int64(i%7), 0).UTC()})
		}
		got, err := decodeSince(encodeSince(want))
		if err != nil {
			t.Fatal(err)
		}
		sort := func(a, b ledger.Unlisted) int { return strings.Compare(a.Key, b.Key) }
		slices.SortFunc(got, sort)
		slices.SortFunc(want, sort)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	})
}
