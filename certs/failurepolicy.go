package certs

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	applyv1 "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// FailurePolicyManager is the field manager of the failurePolicy that is raised.
const FailurePolicyManager = "waywarden-failure-policy"

// PinAnnotation on the ValidatingWebhookConfiguration, with any value, keeps failurePolicy as it is: the quick way, in
// an emergency, of what the chart's value does for good.
const PinAnnotation = "waywarden.dev/pin-failure-policy"

// raise sets failurePolicy to Fail if it is not, and says whether it did. It is for the moment after the canary was
// refused: then a call is known to arrive and to be judged.
//
// It takes the field from whoever has it, as the chart writes Ignore and would keep it otherwise. An upgrade of the
// chart may reset it; the next success raises it again. It applies that one field of that one webhook.
//
// Nothing ever lowers it. When the canary is admitted later, failurePolicy has no part in that: it decides only about
// calls that fail. When calls fail, lowering it would let everything in just when nobody looks, and whoever can disturb
// the network for a minute could switch admission off. People lower it, with PinAnnotation or the chart's value so that
// it stays.
func (c *Canary) raise(ctx context.Context) (bool, error) {
	if c.o.Pinned {
		return false, nil
	}
	var v admissionv1.ValidatingWebhookConfiguration
	if err := c.client.Get(ctx, client.ObjectKey{Name: c.o.Configuration}, &v); err != nil {
		return false, fmt.Errorf("read ValidatingWebhookConfiguration %s: %w", c.o.Configuration, err)
	}
	if _, pinned := v.Annotations[PinAnnotation]; pinned {
		return false, nil
	}
	for _, w := range v.Webhooks {
		if w.Name != c.o.Webhook {
			continue
		}
		if w.FailurePolicy != nil && *w.FailurePolicy == admissionv1.Fail {
			return false, nil
		}
		apply := applyv1.ValidatingWebhookConfiguration(v.Name).WithUID(v.UID).
			WithWebhooks(applyv1.ValidatingWebhook().WithName(w.Name).WithFailurePolicy(admissionv1.Fail))
		if err := c.client.Apply(ctx, apply, client.FieldOwner(FailurePolicyManager), client.ForceOwnership); err != nil {
			return false, fmt.Errorf("raise failurePolicy of webhook %s: %w", w.Name, err)
		}
		return true, nil
	}
	return false, fmt.Errorf("ValidatingWebhookConfiguration %s has no webhook %s", v.Name, c.o.Webhook)
}
