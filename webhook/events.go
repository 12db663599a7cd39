package webhook

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// EventTo makes an Event on the object of what was denied, warned about, repaired or admitted by break-glass, and of
// nothing that was only tried, nor of what has no name yet. The recorder queues, so this never waits.
func EventTo(recorder events.EventRecorder) func(Record) {
	return func(r Record) {
		if r.DryRun() || r.Outcome == Admitted || r.Name() == "" {
			return
		}
		object := &corev1.ObjectReference{APIVersion: apiVersion(r.request), Kind: r.Kind(), Namespace: r.Namespace(), Name: r.Name(), UID: types.UID(r.uid)}
		for _, x := range r.Repairs {
			recorder.Eventf(object, nil, corev1.EventTypeNormal, "Repaired", "Admission", "%s", noted(x))
		}
		if reason := r.Decision.Reason; r.Decision.BrokenGlass {
			recorder.Eventf(object, nil, corev1.EventTypeWarning, "BreakGlass", "Admission", "%s", noted(fmt.Sprintf("%s was let through by break-glass: %s", r.User(), reason)))
		}
		for i, f := range r.Findings {
			if reason := eventReason(&r, i); reason != "" {
				recorder.Eventf(object, nil, corev1.EventTypeWarning, reason, "Admission", "%s", noted(f.Message+" "+f.Remedy+" ["+f.Check+"]"))
			}
		}
	}
}

// maxNote is how many bytes an Event's note may hold (k8s.io/kubernetes pkg/apis/core/validation NoteLengthLimit).
const maxNote = 1024

// noted is a text as an Event's note: one that is too long is cut, because the API server would refuse the Event.
func noted(text string) string {
	text = oneLine(text)
	for most := maxNote; len(text) > maxNote; most -= maxNote / 16 {
		text = whole(text, most)
	}
	return text
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
