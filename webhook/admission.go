package webhook

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// Source is where what a request is judged by comes from. Each of the first four is called for every request, so it
// must neither block nor do I/O.
type Source struct {
	// Snapshot is the mesh as it is stored; nil while it is not known yet, and then requests are answered with an HTTP
	// error.
	Snapshot func() *mesh.Snapshot
	// Labels are those of a namespace while the Snapshot holds no Namespace, because something cannot be read; nil where
	// they are not known. Guardrails go on selecting by them.
	Labels func(namespace string) map[string]string
	// Rulebook is the Guardrails and Exemptions in force, with the checks that are asked; nil while they are not known yet,
	// which is the same. A request is judged by one.
	Rulebook func() *decide.Rulebook
	// Now is the time by which Exemptions end.
	Now func() time.Time
	// Get reads one object from the API server; nil where there is none. It is asked only before a denial.
	Get func(context.Context, mesh.Kind, string, string) (*mesh.Object, error)
	// MayBreakGlass is whether a user has the verb break-glass on guardrails.waywarden.dev. It is asked only where the
	// object would be denied and asks for it.
	MayBreakGlass func(context.Context, authenticationv1.UserInfo) (bool, error)
	// Waypoints is what is asked of the namespaces of a mesh about waypoints; nil where none are made.
	Waypoints func(*mesh.Snapshot) plan.Settings
	// Managed is what Waywarden has made, and which labels of others' objects are its own; nil where it makes nothing.
	Managed func() plan.Managed
	// Self is the user as whom Waywarden writes, "" as long as that is not known; nil where it writes nothing.
	Self func() string
}

// Options say how requests are judged. The zero value is useful but for Source.
type Options struct {
	Source
	// CheckPack says why a RulePack is not to be stored, and what its author is told although it is; was is nil for one that is
	// new. It may think until ctx ends, and writes nothing. Nil, only its form is looked at.
	CheckPack func(ctx context.Context, is, was *v1alpha1.RulePack) (causes []metav1.StatusCause, notes []string)
	// Namespace is Waywarden's own, where the canary is refused.
	Namespace string
	// MaxExemption is how far ahead an Exemption may end; 0 means decide.DefaultMaxDuration.
	MaxExemption time.Duration
	// Concurrency bounds how many requests are judged at a time; 0 means 64.
	Concurrency int
	// Observe is told what was decided, once for every request that was answered. It must not block.
	Observe func(Record)
	// Meter hears what rules cost, and which could not be asked; nil for nobody.
	Meter *policies.Meter
	// Dropped is told of a request that was answered with an HTTP error, and why: "overload", "panic",
	// "malformed", "unready" or "failed".
	Dropped func(why string)
	Log     logr.Logger
}

// Admission judges and repairs what is about to be stored. It is safe for concurrent use.
type Admission struct {
	Options
	foretelling chan struct{} // who looks ahead; those with them who have taken too long, and are not waited for any more
}

const defaultConcurrency = 64

// New makes an Admission.
func New(o Options) *Admission {
	if o.Concurrency <= 0 {
		o.Concurrency = defaultConcurrency
	}
	if o.MaxExemption <= 0 {
		o.MaxExemption = decide.DefaultMaxDuration
	}
	if o.Observe == nil {
		o.Observe = func(Record) {}
	}
	if o.Dropped == nil {
		o.Dropped = func(string) {}
	}
	return &Admission{o, make(chan struct{}, o.Concurrency)}
}

// The paths that the webhook configurations name.
const (
	ValidatePath = "/validate"
	MutatePath   = "/mutate"
)

// Validating answers POST /validate.
func (a *Admission) Validating() http.Handler { return a.handler(a.validate) }

// Mutating answers POST /mutate.
func (a *Admission) Mutating() http.Handler { return a.handler(a.mutate) }

func (a *Admission) handler(answer func(context.Context, *ctrladmission.Request, *Record) (ctrladmission.Response, error)) http.Handler {
	bodies := sync.Pool{New: func() any { return new(bytes.Buffer) }}
	return &limit{slots: make(chan struct{}, a.Concurrency), log: a.Log, dropped: a.Dropped, next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := bodies.Get().(*bytes.Buffer)
		request, wrong := readReview(w, r, body)
		if body.Cap() <= expectedBody {
			bodies.Put(body)
		}
		if wrong != nil {
			a.Dropped("malformed")
			http.Error(w, "waywarden was sent what is no AdmissionReview: "+wrong.why+".", wrong.status)
			return
		}
		if a.Snapshot() == nil || a.Rulebook() == nil {
			a.Dropped("unready")
			w.Header().Set("Retry-After", "1")
			http.Error(w, "waywarden does not know the mesh yet: it has just started. Try again.", http.StatusServiceUnavailable)
			return
		}
		start := a.Now()
		record := Record{request: request}
		response, err := answer(r.Context(), request, &record)
		if err != nil {
			a.Dropped("failed")
			a.Log.Error(err, "a request was left to failurePolicy", "request", record.ID())
			http.Error(w, "waywarden could not judge this: "+err.Error(), http.StatusInternalServerError)
			return
		}
		if err := response.Complete(*request); err != nil {
			panic(err) // patches hold what came from JSON
		}
		record.Allowed, record.Took = response.Allowed, a.Now().Sub(start)
		a.Observe(record)
		if err := writeReview(w, &response); err != nil {
			a.Log.Error(err, "an answer could not be sent", "request", record.ID())
		}
	})}
}

// validate judges a request. It is an error where what would have to be denied could not be found out: then failurePolicy
// decides, which whoever installed the webhook has chosen.
func (a *Admission) validate(ctx context.Context, r *ctrladmission.Request, record *Record) (ctrladmission.Response, error) {
	record.Phase = "validate"
	if isOwn(r.Kind.Group, r.Kind.Kind) {
		return a.validateOwn(ctx, r, record), nil
	}
	c, err := a.read(r)
	if err != nil {
		return a.unread(err, record), nil
	}
	if a.canary(c) {
		record.Outcome = CanaryRefused
		return refuse(r, "metadata.labels["+CanaryLabel+"]", CanaryMessage), nil
	}
	if a.leftAlone(c) {
		record.Outcome = Admitted
		return admit(), nil
	}
	v := a.judge(ctx, c)
	if err := v.undecided(); err != nil {
		return ctrladmission.Response{}, err
	}
	v.notes = append(v.notes, a.foretell(ctx, c, v)...)
	record.take(c, v)
	return v.response(r), nil
}

// read takes in a request about an object of the mesh, with the rules that it is judged by.
func (a *Admission) read(r *ctrladmission.Request) (*change, error) {
	c, err := readChange(r)
	if err == nil {
		c.book = a.Rulebook()
	}
	return c, err
}

// unread answers a request whose object cannot be read. The API server holds objects to the schemas of their CRDs, so
// either this program is older than a CRD or the kind decides nothing; to refuse it would take the cluster hostage.
func (a *Admission) unread(err error, record *Record) ctrladmission.Response {
	if bad := (malformed("")); errors.As(err, &bad) {
		record.Outcome = Denied
		return ctrladmission.Errored(http.StatusBadRequest, err)
	}
	response := admit()
	record.Outcome = Admitted
	if !errors.Is(err, mesh.ErrIgnored) {
		record.Outcome = Warned
		var w warnings
		w.add("not judged by waywarden, which cannot read it: "+err.Error()+".", "Upgrade waywarden if the API is newer than it is.")
		response.Warnings = w.list()
	}
	return response
}
