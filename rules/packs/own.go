package packs

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	appsinformers "k8s.io/client-go/informers/apps/v1"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
)

// Own follows what of Waywarden's own namespace packs need, in every replica: the ConfigMaps, and the revisions that are kept.
// Nothing of another namespace is read.
type Own struct {
	Namespace  string
	configMaps toolscache.SharedIndexInformer
	revisions  toolscache.SharedIndexInformer
}

// FollowOwn prepares to follow a namespace. It calls nobody.
func FollowOwn(client kubernetes.Interface, namespace string) *Own {
	index := toolscache.Indexers{toolscache.NamespaceIndex: toolscache.MetaNamespaceIndexFunc}
	return &Own{Namespace: namespace,
		configMaps: coreinformers.NewConfigMapInformer(client, namespace, 0, index),
		revisions: appsinformers.NewFilteredControllerRevisionInformer(client, namespace, 0, index, func(o *metav1.ListOptions) {
			o.LabelSelector = labels.Set{KeptLabel: KeptValue}.String()
		})}
}

// NeedLeaderElection is false.
func (o *Own) NeedLeaderElection() bool { return false }

// Start follows until ctx ends.
func (o *Own) Start(ctx context.Context) error {
	go o.configMaps.RunWithContext(ctx)
	o.revisions.RunWithContext(ctx)
	return nil
}

// configMap is one by its name. The error is apierrors.IsNotFound where there is none.
func (o *Own) configMap(name string) (*corev1.ConfigMap, error) {
	return corelisters.NewConfigMapLister(o.configMaps.GetIndexer()).ConfigMaps(o.Namespace).Get(name)
}

// kept are all revisions that are kept. Do not write to them.
func (o *Own) kept() ([]*appsv1.ControllerRevision, error) {
	return appslisters.NewControllerRevisionLister(o.revisions.GetIndexer()).ControllerRevisions(o.Namespace).List(labels.Everything())
}
