package waypoints

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"istio.io/api/label"
)

// deployed is what runs for gateways, as istiod deployed it: only objects with the label that istiod gives them, and of
// those only what says how they do.
type deployed struct{ cache.Cache }

var (
	autoscalerKind = schema.GroupVersionKind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}
	budgetKind     = schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"}
	replicaSetKind = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "ReplicaSet"}
)

const noDeployment = "istiod has made no Deployment for it"

// revision is in which version a Deployment made a ReplicaSet, and which one it is at.
const revision = "deployment.kubernetes.io/revision"

func metadataOf(kind schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(kind)
	return o
}

// followDeployed prepares to follow them; wake is called when something has changed.
func followDeployed(cfg *rest.Config, wake func()) (*deployed, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	ours, err := labels.NewRequirement(label.IoK8sNetworkingGatewayGatewayName.Name, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	selector := labels.NewSelector().Add(*ours)
	by := map[client.Object]cache.ByObject{}
	for o, transform := range map[client.Object]toolscache.TransformFunc{
		&corev1.Pod{}: leanPod, &appsv1.Deployment{}: leanDeployment,
		metadataOf(replicaSetKind): leanMetadata, metadataOf(autoscalerKind): leanMetadata, metadataOf(budgetKind): leanMetadata,
	} {
		by[o] = cache.ByObject{Label: selector, Transform: transform}
	}
	c, err := cache.New(cfg, cache.Options{Scheme: scheme, ByObject: by})
	if err != nil {
		return nil, fmt.Errorf("follow what istiod deploys: %w", err)
	}
	d := &deployed{c}
	return d, d.onChange(wake, by)
}

func (d *deployed) onChange(wake func(), kinds map[client.Object]cache.ByObject) error {
	for o := range kinds {
		// The informer is only made here; it waits for the cache to start.
		informer, err := d.GetInformer(context.Background(), o, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("follow what istiod deploys: %w", err)
		}
		if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { wake() }, UpdateFunc: func(any, any) { wake() }, DeleteFunc: func(any) { wake() },
		}); err != nil {
			return fmt.Errorf("follow what istiod deploys: %w", err)
		}
	}
	return nil
}

func leanMetadata(o any) (any, error) {
	if m, ok := o.(metav1.Object); ok {
		m.SetManagedFields(nil)
	}
	return o, nil
}

func leanPod(o any) (any, error) {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil
	}
	p.ManagedFields, p.Spec = nil, corev1.PodSpec{}
	p.Status = corev1.PodStatus{Phase: p.Status.Phase, PodIP: p.Status.PodIP, Conditions: slices.DeleteFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type != corev1.PodReady && c.Type != corev1.PodScheduled
	})}
	return p, nil
}

func leanDeployment(o any) (any, error) {
	if d, ok := o.(*appsv1.Deployment); ok {
		d.ManagedFields, d.Spec.Template = nil, corev1.PodTemplateSpec{}
	}
	return o, nil
}

// of are those of a Gateway. What is listed is shared with the cache: nobody writes to it.
func of(namespace, gateway string) []client.ListOption {
	return []client.ListOption{client.InNamespace(namespace), client.MatchingLabels{label.IoK8sNetworkingGatewayGatewayName.Name: gateway}, client.UnsafeDisableDeepCopy}
}

// ready counts the ready pods of a Gateway's current ReplicaSet, those that its Deployment wants as it is now. why says why
// they are not counted, or what the others wait for; "" where there is nothing to say.
func (d *deployed) ready(ctx context.Context, namespace, gateway string) (n int, why string) {
	var deployments appsv1.DeploymentList
	if err := d.List(ctx, &deployments, of(namespace, gateway)...); err != nil {
		return 0, "what istiod deployed cannot be read: " + err.Error()
	}
	switch {
	case len(deployments.Items) == 0:
		return 0, noDeployment
	case len(deployments.Items) > 1:
		return 0, fmt.Sprintf("%d Deployments have its label", len(deployments.Items))
	}
	deployment := &deployments.Items[0]
	if deployment.Status.ObservedGeneration != deployment.Generation {
		return 0, "Deployment " + deployment.Name + " is not yet what istiod made of it"
	}
	current, why := d.current(ctx, deployment, gateway)
	if why != "" {
		return 0, why
	}
	var pods corev1.PodList
	if err := d.List(ctx, &pods, of(namespace, gateway)...); err != nil {
		return 0, "its pods cannot be read: " + err.Error()
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		switch owner := metav1.GetControllerOf(p); {
		case owner == nil || owner.UID != current.UID || p.DeletionTimestamp != nil:
		case is(p, corev1.PodReady):
			n++
		case !is(p, corev1.PodScheduled):
			why = "pod " + p.Name + " has no node"
		case why == "":
			why = "pod " + p.Name + " is not ready"
		}
	}
	return n, why
}

// current is the ReplicaSet that a Deployment is at.
func (d *deployed) current(ctx context.Context, deployment *appsv1.Deployment, gateway string) (*metav1.PartialObjectMetadata, string) {
	sets := &metav1.PartialObjectMetadataList{}
	sets.SetGroupVersionKind(replicaSetKind)
	if err := d.List(ctx, sets, of(deployment.Namespace, gateway)...); err != nil {
		return nil, "its ReplicaSets cannot be read: " + err.Error()
	}
	at, err := strconv.Atoi(deployment.Annotations[revision])
	for i := range sets.Items {
		s := &sets.Items[i]
		owner := metav1.GetControllerOf(s)
		if n, wrong := strconv.Atoi(s.Annotations[revision]); err == nil && wrong == nil && n == at && owner != nil && owner.UID == deployment.UID {
			return s, ""
		}
	}
	return nil, "Deployment " + deployment.Name + " has no ReplicaSet yet"
}

func is(p *corev1.Pod, condition corev1.PodConditionType) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == condition && c.Status == corev1.ConditionTrue })
}

// readyPods are the names of all ready pods of gateways, as "name.namespace", which is how istiod names proxies.
func (d *deployed) readyPods(ctx context.Context, namespace, gateway string) ([]string, error) {
	var pods corev1.PodList
	if err := d.List(ctx, &pods, of(namespace, gateway)...); err != nil {
		return nil, err
	}
	var out []string
	for i := range pods.Items {
		if p := &pods.Items[i]; is(p, corev1.PodReady) && p.DeletionTimestamp == nil {
			out = append(out, p.Name+"."+p.Namespace)
		}
	}
	slices.Sort(out)
	return out, nil
}

// addresses are those of the pods of a gateway that run, ready or not: one that drains is not.
func (d *deployed) addresses(ctx context.Context, namespace, gateway string) []string {
	var pods corev1.PodList
	if err := d.List(ctx, &pods, of(namespace, gateway)...); err != nil {
		return []string{noAddress} // nobody can say what passes it
	}
	var out []string
	for i := range pods.Items {
		if p := &pods.Items[i]; p.Status.Phase == corev1.PodRunning && p.Status.PodIP != "" {
			out = append(out, p.Status.PodIP)
		}
	}
	slices.Sort(out)
	return out
}

// owned are the objects of a kind that a Gateway owns.
func (d *deployed) owned(ctx context.Context, kind schema.GroupVersionKind, namespace, gateway, uid string) ([]metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kind)
	if err := d.List(ctx, list, of(namespace, gateway)...); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list.Items, func(o metav1.PartialObjectMetadata) bool {
		return !slices.ContainsFunc(o.OwnerReferences, func(r metav1.OwnerReference) bool {
			return r.Kind == "Gateway" && r.Name == gateway && string(r.UID) == uid
		})
	}), nil
}
