package webhook

import (
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
)

// Record is what was decided about one request: what logs, metrics and Events are made of. It names objects and users,
// and holds nothing of what is in them. Do not write to it.
type Record struct {
	// Phase is "validate" or "mutate".
	Phase string
	// Outcome is one of Admitted, Warned, Denied, Repaired and BrokenGlass.
	Outcome string
	Allowed bool
	// Findings are what was found, with what is done about each in Decision.Rulings.
	Findings []policies.Finding
	Decision decide.Decision
	// Repairs are the messages of the fixes that were applied.
	Repairs []string
	Took    time.Duration

	request *admission.Request
	uid     string // of the object, "" where it has none yet
	name    string // of the object; the request does not know one that the API server made of generateName
}

func (r *Record) take(c *change, v *verdict) {
	r.Outcome, r.Findings, r.Decision, r.uid = v.outcome(), v.findings, v.decision, c.object().UID
	r.name = c.object().Name
}

// Kind is the kind of the object, as in "AuthorizationPolicy".
func (r *Record) Kind() string { return r.request.Kind.Kind }

// Operation is CREATE, UPDATE or DELETE, or whatever else a request said and was denied for.
func (r *Record) Operation() string { return string(r.request.Operation) }

// Namespace is the object's, "" for one that lies in none.
func (r *Record) Namespace() string { return r.request.Namespace }

// Name is the object's, "" while the API server has yet to make it.
func (r *Record) Name() string {
	if r.request.Name == "" && !strings.HasSuffix(r.name, generated) {
		return r.name
	}
	return r.request.Name
}

// User is who asked.
func (r *Record) User() string { return r.request.UserInfo.Username }

// DryRun is whether nothing is stored, whatever was decided.
func (r *Record) DryRun() bool { return dryRun(r.request) }

// ID is that of the request, by which the API server's audit log names it too.
func (r *Record) ID() string { return string(r.request.UID) }
