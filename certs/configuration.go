package certs

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	applyv1 "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// BundleManager is the field manager of the caBundle of every webhook in both configurations.
const BundleManager = "waywarden-certs"

// configuration is what matters here of a webhook configuration: whom each of its webhooks trusts.
type configuration struct {
	kind, name string
	uid        types.UID // "" where it does not exist
	version    string    // its resourceVersion
	webhooks   []trusting
}

type trusting struct {
	name   string
	bundle []byte
}

const (
	validatingKind = "ValidatingWebhookConfiguration"
	mutatingKind   = "MutatingWebhookConfiguration"
)

func (c configuration) String() string { return c.kind + " " + c.name }

func (c configuration) exists() bool { return c.uid != "" }

// carries is whether every webhook has just this bundle.
func (c configuration) carries(bundle []byte) bool {
	return !slices.ContainsFunc(c.webhooks, func(w trusting) bool { return !bytes.Equal(w.bundle, bundle) })
}

// trusts are the CAs that its webhooks trust, in order, as far as they can be read.
func (c configuration) trusts() []*x509.Certificate {
	var out []*x509.Certificate
	for _, w := range c.webhooks {
		cas, err := parseCerts(w.bundle)
		if err != nil {
			continue // the API server cannot use it either, and it is about to be replaced
		}
		for _, ca := range cas {
			if !slices.ContainsFunc(out, ca.Equal) {
				out = append(out, ca)
			}
		}
	}
	return out
}

// accepts is nil if every webhook's callers accept the leaf, else why one does not.
func (c configuration) accepts(leaf *x509.Certificate, names []string, now time.Time) error {
	if !c.exists() {
		return fmt.Errorf("%s does not exist", c)
	}
	if len(c.webhooks) == 0 {
		return fmt.Errorf("%s has no webhook", c)
	}
	for _, w := range c.webhooks {
		cas, err := parseCerts(w.bundle)
		if err != nil {
			return fmt.Errorf("the caBundle of webhook %s in %s cannot be read: %w", w.name, c, err)
		}
		if err := vouches(cas, leaf, names, now); err != nil {
			return fmt.Errorf("the caBundle of webhook %s in %s does not vouch for it: %w", w.name, c, err)
		}
	}
	return nil
}

// readConfiguration reads it from the API server. One that does not exist is no error.
func readConfiguration(ctx context.Context, c client.Reader, kind, name string) (configuration, error) {
	out := configuration{kind: kind, name: name}
	var v admissionv1.ValidatingWebhookConfiguration
	var m admissionv1.MutatingWebhookConfiguration
	object := client.Object(&v)
	if kind == mutatingKind {
		object = &m
	}
	if err := c.Get(ctx, client.ObjectKey{Name: name}, object); apierrors.IsNotFound(err) {
		return out, nil
	} else if err != nil {
		return out, fmt.Errorf("read %s: %w", out, err)
	}
	out.uid, out.version = object.GetUID(), object.GetResourceVersion()
	for _, w := range v.Webhooks {
		out.webhooks = append(out.webhooks, trusting{w.Name, w.ClientConfig.CABundle})
	}
	for _, w := range m.Webhooks {
		out.webhooks = append(out.webhooks, trusting{w.Name, w.ClientConfig.CABundle})
	}
	return out, nil
}

// publish gives every webhook the bundle. It applies that field and no other, so what it may take from another field
// manager is that field alone: whoever else writes it undoes what keeps the webhook reachable. With the resourceVersion
// it fails with a conflict if another wrote since it was read, say another leader that is a step ahead; with the UID it
// does not create what was deleted since.
func (c configuration) publish(ctx context.Context, w client.Writer, bundle []byte) error {
	var object runtime.ApplyConfiguration
	if c.kind == mutatingKind {
		m := applyv1.MutatingWebhookConfiguration(c.name).WithUID(c.uid).WithResourceVersion(c.version)
		for _, hook := range c.webhooks {
			m.WithWebhooks(applyv1.MutatingWebhook().WithName(hook.name).WithClientConfig(applyv1.WebhookClientConfig().WithCABundle(bundle...)))
		}
		object = m
	} else {
		v := applyv1.ValidatingWebhookConfiguration(c.name).WithUID(c.uid).WithResourceVersion(c.version)
		for _, hook := range c.webhooks {
			v.WithWebhooks(applyv1.ValidatingWebhook().WithName(hook.name).WithClientConfig(applyv1.WebhookClientConfig().WithCABundle(bundle...)))
		}
		object = v
	}
	if err := w.Apply(ctx, object, client.FieldOwner(BundleManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("publish the CA bundle in %s: %w", c, err)
	}
	return nil
}
