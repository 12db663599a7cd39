package main

import (
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/waywarden/waywarden/certs"
)

// TestWatchman: what changes is told once as an Event, and what holds is a condition.
func TestWatchman(t *testing.T) {
	recorder := events.NewFakeRecorder(10)
	w := &watchman{server: &server{serve: &serve{validating: "waywarden"}, log: slog.New(slog.DiscardHandler)}, events: recorder}
	if c := w.condition(); c != nil {
		t.Errorf("before anything was measured: %+v", c)
	}
	for _, step := range []struct {
		outcome certs.Outcome
		event   string
		status  metav1.ConditionStatus
	}{
		{certs.Refused, "", metav1.ConditionTrue},
		{certs.Admitted, "Warning CanaryAdmitted not in force", metav1.ConditionFalse},
		{certs.Admitted, "", metav1.ConditionFalse},
		{certs.Unreachable, "Warning CanaryUnreachable not in force", metav1.ConditionFalse},
		{certs.Failed, "Warning CanaryFailed not in force", metav1.ConditionUnknown},
		{certs.Refused, "Normal InForce admission is in force again: a policy that must be refused was refused", metav1.ConditionTrue},
	} {
		w.measured(certs.Measurement{Outcome: step.outcome, Message: "not in force"})
		event := ""
		select {
		case event = <-recorder.Events:
		default:
		}
		if diff := cmp.Diff(step.event, event); diff != "" {
			t.Errorf("%s: event (-want +got):\n%s", step.outcome, diff)
		}
		if c := w.condition(); c == nil || c.Status != step.status || c.Reason != string(step.outcome) || c.Message == "" {
			t.Errorf("%s: condition %+v", step.outcome, c)
		}
	}
}
