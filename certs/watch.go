package certs

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// watch wakes the follower and the writer whenever the Secret or a configuration changes. It watches these three
// objects and no others, by field selectors, for which permission by resourceNames is enough. Watches are only for
// speed: both wake by themselves as well.
func (s *SelfSigned) watch(ctx context.Context) error {
	named := func(name string) cache.ByObject {
		return cache.ByObject{Field: fields.OneTermEqualSelector("metadata.name", name)}
	}
	secret := named(s.o.Secret)
	secret.Namespaces = map[string]cache.Config{s.o.Namespace: {}}
	objects := map[client.Object]cache.ByObject{&corev1.Secret{}: secret}
	if s.o.Validating != "" {
		objects[&admissionv1.ValidatingWebhookConfiguration{}] = named(s.o.Validating)
	}
	if s.o.Mutating != "" {
		objects[&admissionv1.MutatingWebhookConfiguration{}] = named(s.o.Mutating)
	}
	c, err := cache.New(s.o.Config, cache.Options{ByObject: objects})
	if err != nil {
		return fmt.Errorf("watch certificates: %w", err)
	}
	wake := func() {
		for _, poke := range s.poke {
			select {
			case poke <- struct{}{}:
			default: // it is awake or about to be
			}
		}
	}
	for object := range objects {
		informer, err := c.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watch certificates: %w", err)
		}
		if _, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { wake() },
			UpdateFunc: func(any, any) { wake() },
			DeleteFunc: func(any) { wake() },
		}); err != nil {
			return fmt.Errorf("watch certificates: %w", err)
		}
	}
	go func() { _ = c.Start(ctx) }() // it ends with the context, and never otherwise
	return nil
}
