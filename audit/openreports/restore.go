package openreports

import (
	"fmt"
	"time"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Restore reads what Render has written. What somebody else has put into the object is passed over; the error is for what could not
// be read, and the Place is nil for an object that is no report at all.
func Restore(u *unstructured.Unstructured) (*ledger.Place, error) {
	var r openreports.Report
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &r); err != nil {
		return nil, fmt.Errorf("read %s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	p := &ledger.Place{Namespace: u.GetNamespace(), Passed: r.Summary.Pass, Failed: r.Summary.Error}
	for i := range r.Results {
		if r.Results[i].Source == Source && r.Results[i].Policy == PolicyUnseen {
			p.Failed--
		}
		record, ok := recordOf(&r.Results[i])
		switch {
		case !ok:
		case record.ResolvedAt.IsZero():
			p.Open = append(p.Open, record)
		default:
			p.Resolved = append(p.Resolved, record)
		}
	}
	var err error
	if p.Unlisted, err = decodeSince(r.Annotations[sinceOf]); err != nil {
		err = fmt.Errorf("read %s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
	}
	return p, err
}

func recordOf(r *openreports.ReportResult) (out ledger.Record, ok bool) {
	first, err := time.Parse(time.RFC3339, r.Properties[keyFirstSeen])
	if err != nil || r.Source != Source || r.Properties[keyFingerprint] == "" || len(r.Subjects) != 1 {
		return out, false
	}
	s := r.Subjects[0]
	out = ledger.Record{Fingerprint: r.Properties[keyFingerprint], Action: v1alpha1.Action(r.Properties[keyAction]), Note: r.Properties[keyNote], FirstSeen: first, LastSeen: first}
	out.Finding = policies.Finding{Check: r.Policy, Severity: policies.Severity(r.Severity), Message: r.Description, Field: r.Properties[keyField],
		Remedy: r.Properties[keyRemedy], Verdict: policies.Verdict(r.Properties[keyVerdict]), Exempt: r.Result == "skip",
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
