package compliance

import (
	"time"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// The apiVersion and kind of a Report. Fields are only ever added.
const (
	APIVersion = report.APIVersion
	Kind       = "ComplianceReport"
)

// Notice stands on every page of every format.
const Notice = "Evidence for these controls, not proof of them: a check sees what is stored in a mesh, and an assessor decides what that is worth."

// Report is what a scan is evidence for. Arrays are sorted and never nil.
type Report struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Notice     string `json:"notice"`
	// GeneratedAt is the moment for which it holds; the only part that differs between two runs over the same input.
	GeneratedAt time.Time `json:"generatedAt"`
	Tool        Tool      `json:"tool"`
	Subject     Subject   `json:"subject"`
	Summary     Summary   `json:"summary"`
	// Frameworks are those that were asked for, in the order in which they were.
	Frameworks []Framework `json:"frameworks"`
	Namespaces []Coverage  `json:"namespaces"`
	Checks     []Check     `json:"checks"`
	Findings   []Finding   `json:"findings"`
	Exemptions []Exemption `json:"exemptions"`
	// Objects are those that were judged: what the answers are about.
	Objects []Object `json:"objects"`
	// Errors and Unread are what could not be read or evaluated, so that some controls are only partly assessed.
	Errors []report.Error  `json:"errors"`
	Unread []report.Unread `json:"unread"`

	scan *report.ScanResult
}

// Scan is what the report was made of; nil for one that was read from a file.
func (r *Report) Scan() *report.ScanResult { return r.scan }

// Tool is what made the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Istio is the version of Istio by whose behaviour was judged, and where that was read.
	Istio     string `json:"istio"`
	IstioFrom string `json:"istioFrom,omitempty"`
	// ChecksDigest is over the digests of all checks that were asked.
	ChecksDigest string `json:"checksDigest"`
	// CatalogueDigest is over the frameworks and their controls.
	CatalogueDigest string `json:"catalogueDigest"`
}

// Subject is what was looked at.
type Subject struct {
	// Source is "cluster" or "files"; "files and cluster" where files were completed from one.
	Source string `json:"source"`
	// Cluster is the UID of Namespace kube-system, by which a cluster is told from others; "" where it is not known.
	Cluster string `json:"cluster,omitempty"`
	// Paths are the files that hold objects.
	Paths []string `json:"paths"`
	// Objects counts everything that decides something, judged or not.
	Objects int `json:"objects"`
	// Digest is over the digests of the objects that were judged.
	Digest string `json:"digest"`
}

// Summary counts.
type Summary struct {
	Namespaces int `json:"namespaces"`
	Policies   int `json:"policies"`
	// NotInForce are policies of which at least one effect lets through what it is meant to stop, or denies what it is not.
	NotInForce int `json:"policiesNotInForce"`
	Judged     int `json:"objectsJudged"`
	Checks     int `json:"checks"`
	// Findings are by severity, exempt ones left out.
	Findings report.SeverityCounts `json:"findings"`
	Exempt   int                   `json:"exempt"`
}

// State is what there is to say of a control.
type State string

// The states of a control, the worst first.
const (
	// NotSatisfied: a check that is evidence for it found something that is not exempt and is worse than a remark.
	NotSatisfied State = "not-satisfied"
	// Partial: nothing was found, and something could not be looked at or not be told; or nothing was demanded, so that there
	// being nothing at all would have passed too.
	Partial State = "partial"
	// Exempt: all that was found is exempt.
	Exempt State = "exempt"
	// Satisfied: its checks looked at objects, one that demands something among them, and found nothing.
	Satisfied State = "satisfied"
	// NotAssessed: no check is evidence for it, or those that are had nothing to look at.
	NotAssessed State = "not-assessed"
)

// States are all of them, the worst first.
var States = []State{NotSatisfied, Partial, Exempt, Satisfied, NotAssessed}

// Words is a state as people read it.
func (s State) Words() string {
	switch s {
	case NotSatisfied:
		return "not satisfied"
	case NotAssessed:
		return "not assessed"
	}
	return string(s)
}

// Totals counts controls by state.
type Totals struct {
	Controls     int `json:"controls"`
	NotSatisfied int `json:"notSatisfied"`
	Partial      int `json:"partial"`
	Exempt       int `json:"exempt"`
	Satisfied    int `json:"satisfied"`
	NotAssessed  int `json:"notAssessed"`
}

// Of is the count of one state.
func (t *Totals) Of(s State) int { return *t.at(s) }

func (t *Totals) at(s State) *int {
	switch s {
	case NotSatisfied:
		return &t.NotSatisfied
	case Partial:
		return &t.Partial
	case Exempt:
		return &t.Exempt
	case Satisfied:
		return &t.Satisfied
	}
	return &t.NotAssessed
}

// Assessed is how many controls anything can be said of.
func (t *Totals) Assessed() int { return t.Controls - t.NotAssessed }

// Framework is what is evidence for the controls of one framework.
type Framework struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	// Complete is whether Controls are all that the framework has. Of the others only those are known that checks name, so
	// that the totals are of those and not of the framework.
	Complete bool      `json:"complete"`
	Totals   Totals    `json:"totals"`
	Controls []Control `json:"controls"`
}

// Control is what is evidence for one control.
type Control struct {
	ID    string `json:"id"`
	Title string `json:"title,omitempty"`
	// OSCAL is its ID in OSCAL, where it has one.
	OSCAL     string   `json:"oscal,omitempty"`
	Baselines []string `json:"baselines,omitempty"`
	State     State    `json:"state"`
	// Because says in a sentence why it has the state.
	Because string `json:"because"`
	// Checks are those whose answers are evidence for it; Asked counts those of them that had an object to look at, and
	// Demanded those of these that demand something.
	Checks   []string `json:"checks"`
	Asked    int      `json:"checksAsked"`
	Demanded int      `json:"checksDemanded"`
	// Objects counts what these looked at.
	Objects ObjectCounts `json:"objects"`
	// Findings are the fingerprints of what they found, remarks and exempt ones too.
	Findings []string `json:"findings"`
}

// ObjectCounts counts objects by what came of looking at them; each is counted once, by the worst.
type ObjectCounts struct {
	Assessed int `json:"assessed"`
	Failed   int `json:"failed"`
	Unknown  int `json:"unknown"` // cannot be told, or the check could not be asked
	Exempt   int `json:"exempt"`
	Passed   int `json:"passed"`
}

// Check is what came of one check.
type Check struct {
	ID       string            `json:"id"`
	Title    string            `json:"title"`
	Severity policies.Severity `json:"severity"`
	// Digest is over what a rule in Rego was made of. Of a check in Go it is over what it says of itself: its code is that of
	// the version of the tool.
	Digest   string            `json:"digest"`
	Controls policies.Controls `json:"controls"`
	Remedy   string            `json:"remedy"`
	// AtAdmission is whether it is asked of changes only, which a report does not see.
	AtAdmission bool         `json:"atAdmission"`
	Objects     ObjectCounts `json:"objects"`
}

// Object is one object that was judged, as it was then.
type Object struct {
	mesh.Ref
	UID             string `json:"uid,omitempty"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
	Generation      int64  `json:"generation,omitempty"`
	// Digest is over its apiVersion, kind, name, labels, annotations and spec, as JSON with sorted keys. Status, and what an
	// API server adds to metadata, are not in it, so that it is the same in a file.
	Digest string `json:"digest"`
}

// Finding is a finding with what identifies it.
type Finding struct {
	Fingerprint string `json:"fingerprint"`
	report.Finding
	// UID and Digest are those of the object.
	UID    string `json:"uid,omitempty"`
	Digest string `json:"digest,omitempty"`
	// FirstSeen is when it was first found, where somebody has kept that.
	FirstSeen *time.Time `json:"firstSeen,omitempty"`
}

// Exemption is one exception, what it amounts to, and who signed it.
type Exemption struct {
	report.Exemption
	// State is Active, Expired, Unused or TooLong.
	State string `json:"state"`
	// Matched is how many findings it excepts.
	Matched int `json:"matched"`
}

// Coverage is how far a namespace is guarded.
type Coverage struct {
	Namespace string `json:"namespace"`
	// Known is whether the Namespace itself was in the input. Without it the counts are of what the input shows.
	Known     bool  `json:"known"`
	Workloads int   `json:"workloads"`
	Enrolled  Share `json:"enrolled"`   // of workloads: captured by a ztunnel, or with a sidecar
	Strict    Share `json:"strictMTLS"` // of workloads: enrolled, and plaintext is refused on every port
	// DenyL4 and DenyL7 are default deny: an ALLOW is in force, so that whom it does not name gets in nowhere. DenyL4 is of
	// workloads at their ztunnel or sidecar, DenyL7 of Services at their waypoint.
	DenyL4   Share `json:"defaultDenyWorkloads"`
	DenyL7   Share `json:"defaultDenyServices"`
	Bound    Share `json:"waypointBound"` // of Services: calls pass a waypoint
	Policies Share `json:"policiesInForce"`
	// NotInForce are the policies that do not do what they say, and why.
	NotInForce []NotInForce `json:"notInForce"`
	// Waypoints are those of the namespace's Services, and whether they serve.
	Waypoints []Waypoint `json:"waypoints"`
	// Findings are by severity, exempt ones left out.
	Findings report.SeverityCounts `json:"findings"`
}

// Share is a count with what it is a share of.
type Share struct {
	N  int `json:"n"`
	Of int `json:"of"`
}

// NotInForce is a policy that does not do what it says.
type NotInForce struct {
	Object  mesh.Ref         `json:"object"`
	Verdict policies.Verdict `json:"verdict"`
	Message string           `json:"message"`
}

// Waypoint is a waypoint that Services of a namespace ask for.
type Waypoint struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Reason is WaypointAccepted, or istiod's word for why it does not serve.
	Reason   string `json:"reason"`
	Services int    `json:"services"` // that ask for it
	Message  string `json:"message"`
}
