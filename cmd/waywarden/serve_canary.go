package main

import (
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/waywarden/waywarden/audit"
	"github.com/waywarden/waywarden/certs"
)

// watchman knows what the last canary showed, and tells of it where people look: in the log each time that it was not
// refused, in an Event on the webhook configuration when that changes, and in a condition of each Guardrail, which demands
// nothing of anybody while admission is not in force. Only the leader has one that knows anything.
type watchman struct {
	*server
	events events.EventRecorder
	last   atomic.Pointer[certs.Measurement]
}

// measured hears what became of a canary.
func (w *watchman) measured(m certs.Measurement) {
	was := w.last.Swap(&m)
	switch {
	case m.Outcome != certs.Refused:
		w.log.Warn("admission is not shown to be in force", "outcome", string(m.Outcome), "message", m.Message)
	case m.Raised:
		w.log.Info("admission is in force: failurePolicy was raised to Fail", "webhook", w.validating)
	}
	if was != nil && was.Outcome == m.Outcome || was == nil && m.Outcome == certs.Refused {
		return
	}
	configuration := &corev1.ObjectReference{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration", Name: w.validating}
	if m.Outcome == certs.Refused {
		w.events.Eventf(configuration, nil, corev1.EventTypeNormal, "InForce", "Canary", "admission is in force again: a policy that must be refused was refused")
		return
	}
	w.events.Eventf(configuration, nil, corev1.EventTypeWarning, "Canary"+string(m.Outcome), "Canary", "%s", m.Message)
}

// condition is the last measurement as a condition of Guardrails; nil before there is one.
func (w *watchman) condition() *metav1.Condition {
	m := w.last.Load()
	if m == nil {
		return nil
	}
	c := &metav1.Condition{Type: audit.ConditionInForce, Reason: string(m.Outcome), Message: m.Message}
	switch m.Outcome {
	case certs.Refused:
		c.Status, c.Message = metav1.ConditionTrue, "A policy that must be refused was refused."
	case certs.Admitted, certs.Unreachable:
		c.Status = metav1.ConditionFalse
	default:
		c.Status = metav1.ConditionUnknown
	}
	return c
}
