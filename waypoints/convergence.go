package waypoints

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// Settle is how long istiod may take to send its proxies what is stored, where it is not told otherwise:
// PILOT_DEBOUNCE_MAX, and half as long for the way.
const Settle = 15 * time.Second

// remembered is how long it is remembered when an object was changed.
const remembered = 10 * time.Minute

// journal is when objects were seen to change. Every mesh that something is decided by is entered before that: what was
// not entered would count as old, and so as known to every proxy.
type journal struct {
	seen    *mesh.Snapshot
	since   time.Time
	written map[mesh.Ref]time.Time
}

// enter takes down what has changed since the mesh that was entered last. The first one is what was there before anybody
// looked.
func (j *journal) enter(s *mesh.Snapshot, now time.Time) {
	before := j.seen
	j.seen = s
	if before == nil {
		j.since, j.written = now, map[mesh.Ref]time.Time{}
		return
	}
	for was, is := range mesh.Changes(before, s) {
		o := is
		if o == nil {
			o = was
		}
		if !slices.Contains(restless, o.Kind) && !(o.Kind == mesh.Gateway && sentAlike(was, is)) {
			j.written[plan.RefOf(o.Kind, o.Namespace, o.Name)] = now
		}
	}
}

// sentAlike is whether proxies are sent the same for two states of a Gateway. What we write down on it is for people and for
// ourselves: entered, it would have those wait anew who are told about by it, and that they wait would be written down in turn, without
// end. A status of istiod's counts, since addresses are sent from it; so does what others write, of which it is not known.
func sentAlike(was, is *mesh.Object) bool {
	return was != nil && is != nil && was.UID == is.UID && was.Terminating == is.Terminating && maps.Equal(was.Labels, is.Labels) &&
		maps.Equal(foreignAnnotations(was), foreignAnnotations(is)) && reflect.DeepEqual(sentOf(was), sentOf(is))
}

// ownPrefix begins the annotations and conditions that are ours.
const ownPrefix = "waywarden.dev/"

func foreignAnnotations(gw *mesh.Object) map[string]string {
	out := maps.Clone(gw.Annotations)
	maps.DeleteFunc(out, func(key, _ string) bool { return strings.HasPrefix(key, ownPrefix) })
	return out
}

// sentOf are the spec of a Gateway, and its status and the conditions in it without ours.
func sentOf(gw *mesh.Object) [3]any {
	content := gw.Content()
	status, _ := content["status"].(map[string]any)
	all, _ := status["conditions"].([]any)
	var conditions []any
	for _, c := range all {
		fields, _ := c.(map[string]any)
		if name, _ := fields["type"].(string); !strings.HasPrefix(name, ownPrefix) {
			conditions = append(conditions, c)
		}
	}
	var rest map[string]any // nil where there was nothing but conditions
	for key, value := range status {
		if key == "conditions" {
			continue
		}
		if rest == nil {
			rest = map[string]any{}
		}
		rest[key] = value
	}
	return [3]any{content["spec"], rest, conditions}
}

// restless are kinds that change all the time, and that no step waits for.
var restless = []mesh.Kind{mesh.Pod, mesh.ReplicaSet, mesh.Job, mesh.EndpointSlice, mesh.Deployment, mesh.StatefulSet, mesh.DaemonSet}

// forget drops what lies long back: that it has not changed since is still true.
func (j *journal) forget(now time.Time) {
	if limit := now.Add(-remembered); j.since.Before(limit) {
		j.since = limit
	}
	maps.DeleteFunc(j.written, func(_ mesh.Ref, at time.Time) bool { return at.Before(j.since) })
}

// convergence is what is known of what proxies run with.
type convergence struct {
	istiods Istiods
	settle  time.Duration

	at         time.Time // up to when all is acknowledged
	unverified string    // why that is only by the clock; "" where istiod was asked
	behind     string    // who is behind; "" for nobody
	away       string    // that one, where it is not connected at all, and what to do about it; "" for nobody

	again time.Time     // when to ask again
	pace  time.Duration // how long after that
}

const (
	firstAsk = time.Second
	lastAsk  = 30 * time.Second
)

// due is whether it is time to ask, and then sets the next one.
func (c *convergence) due(now time.Time) bool {
	if now.Before(c.again) {
		return false
	}
	c.pace = min(max(firstAsk, c.pace*3/2), lastAsk)
	c.again = now.Add(c.pace)
	return true
}

// rest has the next one who waits ask soon.
func (c *convergence) rest() { c.again, c.pace, c.away = time.Time{}, 0, "" }

// look brings it up to date. expected are who has to be connected, by the name that istiod has for them, with the node of those that stay as long
// as that does. Where istiod cannot be asked it goes by the clock, and unverified says so.
func (c *convergence) look(ctx context.Context, expected map[string]string, now time.Time) {
	c.away = ""
	proxies, err := c.istiods.read(ctx)
	if err != nil {
		c.unverified, c.behind = err.Error(), ""
		c.at = later(c.at, now.Add(-c.settle))
		c.pace = 0
		return
	}
	c.unverified, c.behind = "", ""
	at, err := acknowledged(proxies, slices.Sorted(maps.Keys(expected)), now, c.settle)
	if err != nil {
		c.behind = err.Error()
		if gone, ok := errors.AsType[away](err); ok {
			c.away = gone.onNode(expected[string(gone)])
			c.behind = c.away
		}
		return
	}
	c.at = later(c.at, at)
	c.pace = 0 // somebody got on
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// onNode says where a proxy is and what to do. The pod of a DaemonSet stays Running on a node that is dead: nobody evicts it. While its node is
// only cut off, though, it may forward calls by what it was sent last, and nobody but who runs the node can tell the two apart.
func (id away) onNode(node string) string {
	if node == "" {
		return id.Error()
	}
	return fmt.Sprintf("%s on node %s is not connected to any istiod that was asked. If the node is gone for good, kubectl delete node %s lets this go on", string(id), node, node)
}

// ztunnels are the pods of all ztunnels, as istiod names them, with their nodes. They are found by the label of Istio's chart.
func ztunnels(s *mesh.Snapshot) map[string]string {
	out := map[string]string{}
	for o := range s.All(mesh.Pod) {
		if isZtunnel(o) {
			out[o.Name+"."+o.Namespace] = o.Spec.(*mesh.PodBody).Spec.NodeName
		}
	}
	return out
}

// isZtunnel is whether a pod is a ztunnel that runs.
func isZtunnel(o *mesh.Object) bool {
	pod, ok := o.Spec.(*mesh.PodBody)
	return ok && o.Labels["app"] == ztunnelType && pod.Status.Phase == "Running" && !o.Terminating
}
