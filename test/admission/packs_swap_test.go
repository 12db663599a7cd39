//go:build cluster

package admission

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// revisions has the API server asked without a pause with what two rules of one pack deny, and notes by which revision each did.
type revisions struct {
	mu    sync.Mutex
	by    map[string]int // denials, by the label that the revision asks for
	wrong []string       // whatever else came of it
	stop  context.CancelFunc
	group sync.WaitGroup
}

// wants is what each rule says, and the revision by the label.
var wants = regexp.MustCompile(`it has no label (\w+)\.[^\[]*\[(acme/\w+)\]`)

func (w *world) revisions() *revisions {
	ctx, stop := context.WithCancel(w.t.Context())
	r := &revisions{by: map[string]int{}, stop: stop}
	bare := object(w.t, guard)
	bare.SetName("bare")
	client := w.resource(bare)
	for range askers {
		r.group.Go(func() {
			for ctx.Err() == nil {
				_, err := client.Create(ctx, bare.DeepCopy(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
				if ctx.Err() == nil {
					r.count(err)
				}
			}
		})
	}
	return r
}

// count holds one answer to it that both rules denied, and both of one revision.
func (r *revisions) count(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.wrong = append(r.wrong, "what every revision denies was admitted")
		return
	}
	var labels, rules []string
	for _, m := range wants.FindAllStringSubmatch(err.Error(), -1) {
		labels, rules = append(labels, m[1]), append(rules, m[2])
	}
	slices.Sort(rules)
	rules = slices.Compact(rules)
	labels = slices.Compact(labels)
	if len(rules) != 2 || len(labels) != 1 {
		r.wrong = append(r.wrong, fmt.Sprintf("rules %q by the labels %q: %v", rules, labels, err))
		return
	}
	r.by[labels[0]]++
}

func (r *revisions) end(t *testing.T) {
	t.Helper()
	r.stop()
	r.group.Wait()
	t.Logf("denials by revision: %v; %d others", r.by, len(r.wrong))
	for _, text := range r.wrong[:min(len(r.wrong), 5)] {
		t.Error(text)
	}
	for _, label := range []string{"owner", "team"} {
		if r.by[label] < 20 {
			t.Errorf("the revision that asks for label %s answered %d times: the test says little", label, r.by[label])
		}
	}
}

// twins is a pack of two rules, both of which ask for a label.
func twins(t *testing.T, label string) map[string]string {
	out := ownedFiles(t, "label: {type: string, default: team}", "label: {type: string, default: "+label+"}", "labels: {team:", "labels: {"+label+":", "no label team", "no label "+label)
	for _, name := range []string{ownedFile, "acme/owned.txtar"} {
		out[strings.Replace(name, "owned", "twin", 1)] = strings.Replace(out[name], "package acme.owned", "package acme.twin", 1)
	}
	return out
}

// packSwapped: while one revision after another takes the place of the one before, every request is answered, and by all of one of them.
func (w *world) packSwapped(t *testing.T) {
	w.t = t
	good := object(t, guard)
	good.SetName("swapped")
	good.SetLabels(map[string]string{"team": "cart", "owner": "cart"})
	half := good.DeepCopy()
	half.SetLabels(map[string]string{"team": "cart"})
	put := func(label string) {
		t.Helper()
		if err := w.storePack(inline(t, twins(t, label))); err != nil {
			t.Fatal(err)
		}
		w.becomes("acme", v1alpha1.ReasonInForce, "2 rules are in force")
		w.eventually("the revision judges", func() error {
			for range 3 * len(w.replicas) { // the balancer takes turns
				err := w.create(half, true)
				if label == "owner" && (err == nil || !strings.Contains(err.Error(), "it has no label owner.")) || label == "team" && err != nil {
					return fmt.Errorf("by the label %s: %v", label, err)
				}
			}
			return nil
		})
	}
	put("team")
	l, r := w.loadOf(good), w.revisions()
	for i := range 12 {
		put([]string{"owner", "team"}[i%2])
	}
	l.end(t)
	r.end(t)
}

// sightings are the statuses that a pack had, in order.
type sightings struct {
	mu  sync.Mutex
	all []v1alpha1.RulePackStatus
}

// watched notes every status that a pack gets until the test ends.
func (w *world) watched(name string) *sightings {
	w.t.Helper()
	out := &sightings{}
	watch, err := w.Dynamic.Resource(v1alpha1.GroupVersion.WithResource(v1alpha1.RulePackResource)).Watch(w.t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(watch.Stop)
	go func() {
		for e := range watch.ResultChan() {
			if p, err := packIn(e.Object); err == nil {
				out.mu.Lock()
				out.all = append(out.all, p.Status)
				out.mu.Unlock()
			}
		}
	}()
	return out
}

// previewedFirst fails the test unless a status told what a revision changes before one said that it is in force.
func (s *sightings) previewedFirst(t *testing.T, revision string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := errors.New("no status tells of the revision")
	for _, is := range s.all {
		if is.Revision == revision {
			break
		}
		if is.Preview != nil && is.Preview.Revision == revision {
			err = nil
		}
	}
	if err != nil {
		t.Errorf("in force before it was previewed: %v: %+v", err, s.all)
	}
}
