package openreports

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Restore reads what Render has written. What somebody else has put into the object is passed over; the error is for one that
// is no report at all.
func Restore(u *unstructured.Unstructured) (open, resolved []ledger.Record, seen map[string]time.Time, err error) {
	var r openreports.Report
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &r); err != nil {
		return nil, nil, nil, fmt.Errorf("read %s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	for i := range r.Results {
		record, ok := recordOf(&r.Results[i])
		switch {
		case !ok:
		case record.ResolvedAt.IsZero():
			open = append(open, record)
		default:
			resolved = append(resolved, record)
		}
	}
	return open, resolved, sinceIn(r.Annotations[sinceOf]), nil
}

func recordOf(r *openreports.ReportResult) (out ledger.Record, ok bool) {
	first, err := time.Parse(time.RFC3339, r.Properties[keyFirstSeen])
	if err != nil || r.Source != Source || r.Properties[keyFingerprint] == "" || len(r.Subjects) != 1 {
		return out, false
	}
	s := r.Subjects[0]
	out = ledger.Record{Fingerprint: r.Properties[keyFingerprint], Action: v1alpha1.Action(r.Properties[keyAction]), FirstSeen: first, LastSeen: first}
	out.Finding = policies.Finding{Check: r.Policy, Severity: policies.Severity(r.Severity), Message: r.Description, Field: r.Properties[keyField],
		Verdict: policies.Verdict(r.Properties[keyVerdict]), Exempt: r.Result == "skip",
		Object: mesh.Ref{APIVersion: s.APIVersion, Kind: s.Kind, Namespace: s.Namespace, Name: s.Name}}
	if text := r.Properties[keyResolvedAt]; text != "" {
		if out.ResolvedAt, err = time.Parse(time.RFC3339, text); err != nil {
			return out, false
		}
		if last, err := time.Parse(time.RFC3339, r.Properties[keyLastSeen]); err == nil {
			out.LastSeen = last
		}
	}
	return out, true
}

func sinceIn(text string) map[string]time.Time {
	out := map[string]time.Time{}
	for _, part := range strings.Fields(text) {
		when, keys, _ := strings.Cut(part, "=")
		at, err := time.Parse(time.RFC3339, when)
		if err != nil {
			continue
		}
		data, err := base64.StdEncoding.DecodeString(keys)
		if err != nil {
			continue
		}
		for ; len(data) >= keyBytes; data = data[keyBytes:] {
			out[hex.EncodeToString(data[:keyBytes])] = at
		}
	}
	return out
}
