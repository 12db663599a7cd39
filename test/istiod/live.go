package istiod

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/test/cluster"
	"github.com/waywarden/waywarden/test/oracle"
)

// world is a mesh in a cluster that runs.
type world struct {
	*cluster.Cluster
	refused int // objects that the API server would not take
	history
	policies map[string]bool // those that have been compared
	// unexplained is what was found to differ, and no known difference explains.
	unexplained []oracle.Difference
	only        string // where not empty, settle looks at nothing but what has this in its name, and the root namespace
}

// history is when we changed the mesh; zero where it was made and left alone.
type history struct {
	standing time.Time // until then it stood as it was made
	edited   time.Time // when it was last changed
}

// watched are the kinds on which istiod writes a status.
var watched = []schema.GroupVersionResource{
	{Version: "v1", Resource: "services"},
	{Version: "v1", Resource: "pods"},
	{Group: "security.istio.io", Version: "v1", Resource: "authorizationpolicies"},
	{Group: "networking.istio.io", Version: "v1", Resource: "serviceentries"},
	{Group: "networking.istio.io", Version: "v1", Resource: "workloadentries"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "grpcroutes"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "tcproutes"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "tlsroutes"},
}

// settle waits until nothing has changed for quiet: no status, no spec, and nothing that istiod sends.
func (w *world) settle(ctx context.Context, quiet, limit time.Duration) error {
	var last map[string]string
	var changed []string
	start := time.Now()
	for since := start; ; {
		now, err := w.state(ctx)
		if err != nil {
			return err
		}
		if d := different(last, now); len(d) > 0 {
			last, since, changed = now, time.Now(), d
		} else if time.Since(since) >= quiet {
			return nil
		}
		if time.Since(start) > limit {
			return fmt.Errorf("istiod has not settled in %s; the last to change: %.500q", limit, changed)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func different(before, now map[string]string) []string {
	var out []string
	for k, v := range now {
		if before[k] != v {
			out = append(out, k)
		}
	}
	for k := range before {
		if _, ok := now[k]; !ok {
			out = append(out, k)
		}
	}
	return out
}

// state is the version of everything that may still change.
func (w *world) state(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	for _, r := range watched {
		list, err := w.Dynamic.Resource(r).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			o := &list.Items[i]
			if w.looksAt(o.GetNamespace() + "/" + o.GetName()) {
				out[r.Resource+" "+o.GetNamespace()+"/"+o.GetName()] = o.GetResourceVersion()
			}
		}
	}
	raw, err := w.debug(ctx, "/debug/ambientz")
	if err != nil {
		return nil, err
	}
	// What is sent comes in no order, so its parts are counted.
	var sent map[string][]any
	if err := json.Unmarshal(raw, &sent); err != nil {
		return nil, fmt.Errorf("read /debug/ambientz: %w", err)
	}
	for kind, list := range sent {
		for _, x := range list {
			b, err := json.Marshal(x)
			if err != nil {
				return nil, err
			}
			if w.looksAt(string(b)) {
				out[kind+" "+string(b)] += "+"
			}
		}
	}
	return out, nil
}

func (w *world) looksAt(name string) bool {
	return strings.Contains(name, w.only) || strings.Contains(name, rootNamespace)
}

func (w *world) debug(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.IstiodURL+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("istiod answered %s: %s: %s", path, resp.Status, bytes.TrimSpace(raw))
	}
	return raw, err
}

// record is what Waywarden reads from the cluster, and what istiod says.
func (w *world) record(ctx context.Context) (oracle.Recording, error) {
	r := oracle.Recording{Conditions: map[string][]oracle.Condition{}, Parents: map[string][]oracle.Parent{}, Listeners: map[string][]oracle.Listener{},
		Addresses: map[string][]string{}}
	inv, err := inventory.List(ctx, w.Config, inventory.ListOptions{})
	if err != nil {
		return r, err
	}
	if len(inv.Unread)+len(inv.Problems) > 0 {
		return r, fmt.Errorf("the inventory is not whole: %v %v", inv.Unread, inv.Problems)
	}
	r.Snapshot = mesh.New(mesh.Options{}, inv.Objects...)
	for _, resource := range watched {
		list, err := w.Dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			return r, err
		}
		for i := range list.Items {
			readStatus(&r, &list.Items[i])
		}
	}
	raw, err := w.debug(ctx, "/debug/ambientz")
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(raw, &r.Ambient); err != nil {
		return r, err
	}
	r.Proxies, err = w.proxies(ctx, r.Snapshot)
	return r, err
}

// routeController is by which name istiod signs the parents of routes.
const routeController = "istio.io/gateway-controller"

func readStatus(r *oracle.Recording, o *unstructured.Unstructured) {
	var status struct {
		Conditions []struct {
			oracle.Condition
			ObservedGeneration any `json:"observedGeneration"`
		} `json:"conditions"`
		Parents []struct {
			ControllerName string             `json:"controllerName"`
			ParentRef      mesh.ParentRef     `json:"parentRef"`
			Conditions     []oracle.Condition `json:"conditions"`
		} `json:"parents"`
		Listeners []oracle.Listener `json:"listeners"`
		Addresses []struct {
			Value string `json:"value"`
		} `json:"addresses"`
	}
	raw, err := json.Marshal(o.Object["status"])
	if err != nil || json.Unmarshal(raw, &status) != nil {
		return
	}
	name := strings.TrimPrefix(o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName(), "/")
	for _, c := range status.Conditions {
		// istiod never takes back a condition; one of an older generation tells nothing. int64 is a string in protobuf's JSON.
		if g := fmt.Sprint(c.ObservedGeneration); g != "<nil>" && g != "0" && g != fmt.Sprint(o.GetGeneration()) {
			continue
		}
		r.Conditions[name] = append(r.Conditions[name], c.Condition)
	}
	if len(status.Listeners) > 0 {
		r.Listeners[name] = status.Listeners
	}
	for _, a := range status.Addresses {
		r.Addresses[name] = append(r.Addresses[name], a.Value)
	}
	for _, p := range status.Parents {
		if p.ControllerName == routeController {
			r.Parents[name] = append(r.Parents[name], oracle.Parent{Ref: p.ParentRef, Conditions: p.Conditions})
		}
	}
}
