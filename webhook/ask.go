package webhook

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Asker asks the API server what an Admission may ask before a denial.
type Asker struct {
	objects dynamic.Interface
	rights  kubernetes.Interface
}

// NewAsker makes an Asker. It calls nobody.
func NewAsker(cfg *rest.Config) (*Asker, error) {
	objects, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client for admission: %w", err)
	}
	rights, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client for admission: %w", err)
	}
	return &Asker{objects, rights}, nil
}

// Get reads one object; nil where there is none, or none that decides anything.
func (a *Asker) Get(ctx context.Context, kind mesh.Kind, namespace, name string) (*mesh.Object, error) {
	r := a.objects.Resource(schema.GroupVersionResource{Group: kind.Group(), Version: kind.Versions()[0], Resource: kind.Resource()})
	var from dynamic.ResourceInterface = r
	if kind.Namespaced() {
		from = r.Namespace(namespace)
	}
	found, err := from.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := mesh.Decode(found.Object)
	if err != nil {
		return nil, err
	}
	o.Live = true // nobody else has seen o yet
	return o, nil
}

// BreakGlassVerb is the verb on guardrails.waywarden.dev that lets its holder break the glass.
const BreakGlassVerb = "break-glass"

// MayBreakGlass asks whether a user has the verb. That is another question than whether the user may write Guardrails:
// who is on call at night need not be who decides what is demanded.
func (a *Asker) MayBreakGlass(ctx context.Context, user authenticationv1.UserInfo) (bool, error) {
	extra := map[string]authorizationv1.ExtraValue{}
	for k, v := range user.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	review, err := a.rights.AuthorizationV1().SubjectAccessReviews().Create(ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
				Resource: v1alpha1.GuardrailResource, Verb: BreakGlassVerb}},
	}, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return review.Status.Allowed, nil
}
