package certs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// CanaryName is that of the policy that is refused whatever Guardrails say, in our own namespace.
const CanaryName = "waywarden-canary"

// Outcome is what became of the canary.
type Outcome string

const (
	Refused     Outcome = "Refused"     // by our webhook, as it should be: admission is in force
	Admitted    Outcome = "Admitted"    // nobody refused it: admission is not in force
	Unreachable Outcome = "Unreachable" // the API server could not call our webhook, and refused it for that
	Hidden      Outcome = "Hidden"      // somebody else refused it first, so nothing is known about ours
	NotServed   Outcome = "NotServed"   // the cluster does not serve Istio's AuthorizationPolicy: it cannot be asked
	Failed      Outcome = "Failed"      // the API server did not answer, or not to the point
)

// Measurement is one try.
type Measurement struct {
	Outcome Outcome
	// Message is for people: consequence, cause, remedy. Empty when Refused.
	Message string
	// Raised is whether failurePolicy was raised to Fail after it.
	Raised bool
}

// CanaryOptions say what is measured.
type CanaryOptions struct {
	Config    *rest.Config
	Namespace string // our own: where the canary would be stored
	// Configuration and Webhook name the entry of a ValidatingWebhookConfiguration that has to refuse the canary, and
	// whose failurePolicy is raised.
	Configuration, Webhook string
	// Label marks a canary, for our webhook to know it by.
	Label string
	// Refusal is what our webhook says in refusing a canary, or part of it. Another refusal of ours, of overload say,
	// proves that we are called and not that we judge.
	Refusal string
	// Pinned leaves failurePolicy to the chart.
	Pinned bool
	// Interval is a minute if zero. Until the first success it is a twelfth of that.
	Interval time.Duration
	// Report hears of each measurement; it must not be nil.
	Report func(Measurement)
}

// Canary measures whether admission is in force: it has the API server create, as a dry run, a policy that our webhook
// must refuse. See [Canary.Start] for what it does about the answer.
type Canary struct {
	o      CanaryOptions
	client client.Client
}

// NewCanary checks the options. It calls nobody.
func NewCanary(o CanaryOptions) (*Canary, error) {
	if o.Interval == 0 {
		o.Interval = time.Minute
	}
	if o.Config == nil || o.Namespace == "" || o.Configuration == "" || o.Webhook == "" || o.Label == "" || o.Refusal == "" || o.Report == nil || o.Interval < 0 {
		return nil, errors.New("the canary cannot fly: Config, Namespace, Configuration, Webhook, Label, Refusal and Report are needed, and an Interval that is not negative. Set them")
	}
	c, err := client.New(o.Config, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("make a client for the canary: %w", err)
	}
	return &Canary{o, c}, nil
}

// NeedLeaderElection is true: one measurement says what there is to know.
func (c *Canary) NeedLeaderElection() bool { return true }

// Start measures until the context ends. After a success it raises failurePolicy to Fail, unless it is pinned; after
// anything else it changes nothing, see [Canary.raise].
func (c *Canary) Start(ctx context.Context) error {
	logger := log.FromContext(ctx).WithName("canary")
	pause := c.o.Interval / 12
	for {
		m := c.Measure(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if m.Outcome == Refused {
			pause = c.o.Interval
			raised, err := c.raise(ctx)
			if err != nil && ctx.Err() == nil {
				logger.Error(err, "failurePolicy not raised")
			}
			m.Raised = raised
		}
		logger.V(1).Info("canary measured", "outcome", string(m.Outcome), "message", m.Message, "raised", m.Raised)
		c.o.Report(m)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

// Measure tries once. It stores nothing.
func (c *Canary) Measure(ctx context.Context) Measurement {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second) // more than a webhook's timeout may be
	defer cancel()
	return c.o.judge(c.client.Create(ctx, canary(c.o.Namespace, c.o.Label), client.DryRunAll))
}

// canary is a policy that cannot work in ambient mode: ztunnel cannot compare methods, and nothing binds it to a
// waypoint. Were it ever stored, it would select no workload.
func canary(namespace, name string) *unstructured.Unstructured {
	label := map[string]any{name: "true"}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
		"metadata": map[string]any{"name": CanaryName, "namespace": namespace, "labels": label},
		"spec": map[string]any{
			"action": "DENY", "selector": map[string]any{"matchLabels": label},
			"rules": []any{map[string]any{"to": []any{map[string]any{"operation": map[string]any{"methods": []any{"GET"}}}}}},
		},
	}}
}

// judge tells by the API server's answer who refused the canary. Its words are those of k8s.io/apiserver:
// pkg/admission/plugin/webhook/errors.ToStatusErr for a refusal, pkg/util/webhook.ErrCallingWebhook for a call that
// failed. They are all there is: a Status does not name the webhook otherwise.
func (o CanaryOptions) judge(err error) Measurement {
	var status apierrors.APIStatus
	switch {
	// A name that is taken is found out last, after admission.
	case err == nil, apierrors.IsAlreadyExists(err):
		return Measurement{Outcome: Admitted, Message: fmt.Sprintf("admission is not in force: the API server admits a policy that webhook %s must refuse. "+
			"Look at its rules, selectors and caBundle in ValidatingWebhookConfiguration %s, and whether a replica is ready", o.Webhook, o.Configuration)}
	case meta.IsNoMatchError(err), notServed(err):
		return Measurement{Outcome: NotServed, Message: "whether admission is in force is not known: the cluster does not serve security.istio.io/v1 AuthorizationPolicy. Install Istio's CRDs"}
	case !errors.As(err, &status):
		return Measurement{Outcome: Failed, Message: fmt.Sprintf("whether admission is in force is not known: the API server did not answer: %v", err)}
	}
	said := status.Status().Message
	reason, ours := strings.CutPrefix(said, fmt.Sprintf("admission webhook %q denied the request", o.Webhook))
	switch {
	case ours && strings.Contains(reason, o.Refusal):
		return Measurement{Outcome: Refused}
	case ours:
		return Measurement{Outcome: Hidden, Message: fmt.Sprintf("whether admission is in force is not known: webhook %s refused the canary for another reason%s", o.Webhook, reason)}
	case strings.Contains(said, fmt.Sprintf("failed calling webhook %q", o.Webhook)):
		return Measurement{Outcome: Unreachable, Message: fmt.Sprintf("policies cannot be changed: the API server cannot call us, and failurePolicy is Fail: %s. "+
			"Make a replica reachable, or set failurePolicy to Ignore and annotate ValidatingWebhookConfiguration %s with %s", said, o.Configuration, PinAnnotation)}
	case status.Status().Code >= http.StatusInternalServerError, apierrors.IsTooManyRequests(err):
		return Measurement{Outcome: Failed, Message: "whether admission is in force is not known: " + said}
	}
	return Measurement{Outcome: Hidden, Message: fmt.Sprintf("whether admission is in force is not known: another refused the canary: %s. Let our service account create AuthorizationPolicies in namespace %s", said, o.Namespace)}
}

// notServed is whether the resource does not exist, as opposed to the namespace.
func notServed(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Kind != "namespaces"
}
