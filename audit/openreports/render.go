// Package openreports puts what an audit knows of a namespace into one object that others read: a Report of
// openreports.io/v1alpha1, or a PolicyReport of wgpolicyk8s.io/v1alpha2, which it came from.
//
//	ledger.Place ─► Render ─► object, bounded ─► Writer ─► API server
//	                  └─ Restore ◄──────────────────────────────┘   after a restart
//
// An object holds as many results as fit, the worst first; its totals are always exact, and what was left out says since when
// it is there in a few bytes each, so that a restart loses nothing.
package openreports

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	openreports "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/policies"
)

// API is one of the two that have such objects.
type API struct {
	schema.GroupVersion
	namespaced, cluster string // kinds
}

// The APIs.
var (
	OpenReports  = API{schema.GroupVersion{Group: "openreports.io", Version: "v1alpha1"}, "Report", "ClusterReport"}
	PolicyReport = API{schema.GroupVersion{Group: "wgpolicyk8s.io", Version: "v1alpha2"}, "PolicyReport", "ClusterPolicyReport"}
)

// resource is the plural of the kind for what lies in a namespace, or in none.
func (a API) resource(namespace string) schema.GroupVersionResource {
	return a.WithResource(strings.ToLower(a.kind(namespace)) + "s")
}

func (a API) kind(namespace string) string {
	if namespace == "" {
		return a.cluster
	}
	return a.namespaced
}

const (
	// Name is that of every object: there is one for each namespace.
	Name = "waywarden"
	// Source is who made the results.
	Source = "waywarden"

	managedBy = "app.kubernetes.io/managed-by"

	annotations = "waywarden.dev/"
	digestOf    = annotations + "digest"     // of what is written, to see that nothing has changed
	countOf     = annotations + "results"    // how many there are, to see that nobody has changed them
	leftOut     = annotations + "left-out"   // for people: how many results are not in the object
	sinceOf     = annotations + "first-seen" // of those
	unseenOf    = annotations + "unread"     // for people: that not everything could be looked at
)

// DefaultMaxBytes is how large an object may become as JSON.
const DefaultMaxBytes = 256 << 10

// Options say how objects look.
type Options struct {
	API API
	// MaxBytes bounds each; 0 means DefaultMaxBytes.
	MaxBytes int
	// Owner, where it is set, takes the objects along when it goes.
	Owner *metav1.OwnerReference
	// Checks are those whose controls are named with their results, as they are when something is rendered; nil for none.
	Checks func() []*policies.Check
	// Unseen is what could not be looked at.
	Unseen Unseen
}

// Render is the object for a place. It is the same for the same place: nothing in it says when it was made.
func Render(p *ledger.Place, o Options) *unstructured.Unstructured {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	r := openreports.Report{TypeMeta: metav1.TypeMeta{APIVersion: o.API.String(), Kind: o.API.kind(p.Namespace)}, Source: Source, Summary: Summary(p)}
	r.Name, r.Namespace, r.Labels = Name, p.Namespace, map[string]string{managedBy: Source}
	if o.Owner != nil {
		r.OwnerReferences = []metav1.OwnerReference{*o.Owner}
	}
	controls := map[string]policies.Controls{}
	if o.Checks != nil {
		for _, c := range o.Checks() {
			controls[c.ID] = c.Controls
		}
	}
	r.Annotations = map[string]string{}
	fill(&r, p, controls, o)
	r.Annotations[countOf] = fmt.Sprint(len(r.Results))
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&r)
	if err != nil {
		panic("openreports: a report cannot be converted: " + err.Error())
	}
	out := &unstructured.Unstructured{Object: content}
	unstructured.RemoveNestedField(content, "metadata", "creationTimestamp")
	if results, ok := content["results"].([]any); ok && !o.Unseen.None() {
		delete(results[0].(map[string]any), "timestamp") // nobody knows since when
	}
	if o.API == PolicyReport {
		delete(content, "source")
	}
	data, err := json.Marshal(content)
	if err != nil {
		panic("openreports: a report cannot be encoded: " + err.Error())
	}
	sum := sha256.Sum256(data)
	a := out.GetAnnotations()
	a[digestOf] = "sha256:" + hex.EncodeToString(sum[:])
	out.SetAnnotations(a)
	return out
}

// Summary are the exact totals of a place.
func Summary(p *ledger.Place) openreports.ReportSummary {
	s := openreports.ReportSummary{Pass: p.Passed, Error: p.Failed}
	count := func(result openreports.Result) {
		switch result {
		case "fail":
			s.Fail++
		case "warn":
			s.Warn++
		case "skip":
			s.Skip++
		}
	}
	for i := range p.Open {
		count(resultOf(&p.Open[i]))
	}
	for _, u := range p.Unlisted {
		count(openreports.Result(u.As))
	}
	return s
}

// resultOf is what a finding amounts to: skip where it is exempt, warn where it is only audited or a remark, else fail.
func resultOf(r *ledger.Record) openreports.Result {
	switch {
	case !r.ResolvedAt.IsZero():
		return "pass"
	case r.Exempt:
		return "skip"
	case r.Action == v1alpha1.Audit, r.Severity == policies.Info:
		return "warn"
	}
	return "fail"
}

// fill enters what could not be looked at, then as many results as fit, first what there is and then what there is no more, and
// notes of the rest of what there is since when it is there.
func fill(r *openreports.Report, p *ledger.Place, controls map[string]policies.Controls, o Options) {
	const envelope = 4 << 10 // metadata, totals, and what an API server adds
	room := o.MaxBytes - envelope
	if !o.Unseen.None() {
		one := o.Unseen.result()
		r.Results = append(r.Results, one)
		r.Summary.Error++
		r.Annotations[unseenOf] = one.Description
		room -= 2 * sizeOf(one)
	}
	results := make([]openreports.ReportResult, len(p.Open))
	sizes := make([]int, len(p.Open))
	rest := slices.Clone(p.Unlisted)
	total := len(encodeSince(rest))
	for i := range p.Open {
		results[i] = result(&p.Open[i], controls[p.Open[i].Check])
		sizes[i] = sizeOf(results[i])
		total += sizes[i]
		rest = append(rest, unlisted(&p.Open[i]))
	}
	n, used := len(results), total
	if total > room {
		reserved := min(maxSince(room), len(encodeSince(rest)))
		for n, used = 0, 0; n < len(results) && used+sizes[n] <= room-reserved; n++ {
			used += sizes[n]
		}
	}
	r.Results = append(r.Results, results[:n]...)
	if rest = append(rest[:len(p.Unlisted)], rest[len(p.Unlisted)+n:]...); len(rest) > 0 {
		text, lost := fitSince(rest, min(maxSince(room), room-used))
		used += len(text)
		r.Annotations[sinceOf] = text
		r.Annotations[leftOut] = fmt.Sprintf("%d of %d findings are not listed: the object would be larger than %d bytes. The totals count them.", len(rest), len(p.Open)+len(p.Unlisted), o.MaxBytes)
		if lost > 0 {
			r.Annotations[leftOut] += fmt.Sprintf(" Of %d of these there is no room either to say since when they are there: they count as new after a restart of waywarden.", lost)
		}
	}
	for i := range p.Resolved {
		one := result(&p.Resolved[i], controls[p.Resolved[i].Check])
		if used += sizeOf(one); used > room {
			break
		}
		r.Results = append(r.Results, one)
	}
}

func sizeOf(r openreports.ReportResult) int {
	data, err := json.Marshal(r)
	if err != nil {
		panic("openreports: a result cannot be encoded: " + err.Error())
	}
	return len(data) + 1
}

// maxText bounds what one finding says.
const maxText = 1024

func cutText(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// The properties of a result that are read again.
const (
	keyFingerprint = "fingerprint"
	keyFirstSeen   = "firstSeen"
	keyLastSeen    = "lastSeen"
	keyResolvedAt  = "resolvedAt"
	keyField       = "field"
	keyAction      = "action"
	keyVerdict     = "verdict"
	keyRemedy      = "remedy"
	keyNote        = "note"
)

func result(r *ledger.Record, controls policies.Controls) openreports.ReportResult {
	category, _, _ := strings.Cut(r.Check, "/")
	out := openreports.ReportResult{Source: Source, Policy: r.Check, Category: category, Severity: openreports.ResultSeverity(r.Severity), Result: resultOf(r), Scored: true,
		Description: cutText(r.Message), Timestamp: metav1.Timestamp{Seconds: r.FirstSeen.Unix()},
		Subjects:   []corev1.ObjectReference{{APIVersion: r.Object.APIVersion, Kind: r.Object.Kind, Namespace: r.Object.Namespace, Name: r.Object.Name}},
		Properties: map[string]string{keyFingerprint: r.Fingerprint, keyFirstSeen: moment(r.FirstSeen), keyAction: string(r.Action)}}
	if !r.ResolvedAt.IsZero() {
		out.Properties[keyLastSeen], out.Properties[keyResolvedAt] = moment(r.LastSeen), moment(r.ResolvedAt)
		return out
	}
	for key, value := range map[string]string{keyField: r.Field, keyVerdict: string(r.Verdict), keyRemedy: cutText(r.Remedy), keyNote: cutText(r.Note)} {
		if value != "" {
			out.Properties[key] = value
		}
	}
	for framework, ids := range controls {
		out.Properties["controls."+framework] = strings.Join(ids, ",")
	}
	return out
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
