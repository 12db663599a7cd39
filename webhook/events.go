package webhook

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

// EventTo makes an Event on the object of what was denied, warned about, repaired or admitted by break-glass, and of
// nothing that was only tried. The recorder queues, so this never waits.
func EventTo(recorder events.EventRecorder) func(Record) {
	return func(r Record) {
		if r.DryRun() || r.Outcome == Admitted {
			return
		}
		object := &corev1.ObjectReference{APIVersion: r.apiVersion(), Kind: r.Kind(), Namespace: r.Namespace(), Name: r.Name(), UID: types.UID(r.uid)}
		for _, x := range r.Repairs {
			recorder.Eventf(object, nil, corev1.EventTypeNormal, "Repaired", "Admission", "%s", whole(x, maxNote))
		}
		if reason := r.Decision.Reason; r.Decision.BrokenGlass {
			recorder.Eventf(object, nil, corev1.EventTypeWarning, "BreakGlass", "Admission", "%s", whole(fmt.Sprintf("%s was let through by break-glass: %s", r.User(), reason), maxNote))
		}
		for i, f := range r.Findings {
			if reason := eventReason(&r, i); reason != "" {
				recorder.Eventf(object, nil, corev1.EventTypeWarning, reason, "Admission", "%s", whole(note(f), maxNote))
			}
		}
	}
}

// maxNote is what an Event's note may hold (k8s.io/kubernetes pkg/apis/core/validation NoteLengthLimit).
const maxNote = 1024

func note(f policies.Finding) string {
	return oneLine(f.Message + " " + f.Remedy + " [" + f.Check + "]")
}

func eventReason(r *Record, i int) string {
	ruling := &r.Decision.Rulings[i]
	switch {
	case ruling.Exempt != nil, ruling.Action == v1alpha1.Audit, ruling.Action == v1alpha1.Off:
		return ""
	case ruling.Denies() && r.Decision.Denied:
		return "Denied"
	case ruling.Denies():
		return "DeniedButBrokenGlass"
	}
	return "Ineffective"
}
