package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/policies/mesh"
)

// apiServer answers with what testdata/cluster.txtar has recorded, and with the answers that a test puts in their place.
type apiServer struct {
	t   *testing.T
	url string

	mu    sync.Mutex
	asked []string
}

// startAPIServer takes answers as "403 /path" → body.
func startAPIServer(t *testing.T, overrides map[string]string) *apiServer {
	t.Helper()
	s := &apiServer{t: t}
	raw, err := os.ReadFile("testdata/cluster.txtar")
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]string{} // path → "status body"
	put := func(name, body string) {
		status, path, _ := strings.Cut(name, " ")
		answers[path] = status + " " + body
	}
	for _, f := range txtar.Parse(raw).Files {
		put(f.Name, string(f.Data))
	}
	for name, body := range overrides {
		put(name, body)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.URL.RequestURI())
		s.mu.Unlock()
		path := r.URL.Path
		if token := r.URL.Query().Get("continue"); token != "" {
			path += "?continue=" + token
		} else if _, ok := answers[path+"?all"]; ok && r.URL.Query().Get("limit") == "" {
			path += "?all"
		}
		answer, ok := answers[path]
		if !ok {
			answer = `404 {"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"message":"the server could not find the requested resource"}`
		}
		var status int
		if _, err := fmt.Sscan(answer, &status); err != nil {
			t.Errorf("answer of %s: %v", path, err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer[len("200 "):]))
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *apiServer) list(opts ListOptions) *Inventory {
	s.t.Helper()
	inv, err := List(context.Background(), &rest.Config{Host: s.url}, opts)
	if err != nil {
		s.t.Fatal(err)
	}
	return inv
}

func names(inv *Inventory) []string {
	var out []string
	for _, o := range inv.Objects {
		out = append(out, o.Ref().APIVersion+" "+o.String())
	}
	return out
}

func TestListReadsEveryPageOfTheNewestVersion(t *testing.T) {
	s := startAPIServer(t, map[string]string{
		"200 /apis/gateway.networking.k8s.io/v1beta1/gateways": `{"kind":"GatewayList","apiVersion":"gateway.networking.k8s.io/v1beta1","metadata":{},"items":[]}`,
	})
	var progress []string
	inv := s.list(ListOptions{Progress: func(kind string, n int) { progress = append(progress, fmt.Sprint(kind, n)) }})
	want := []string{
		"v1 Namespace shop", "v1 ConfigMap istio-system/istio", "v1 Pod shop/cart-7d9c-x2", "v1 Pod shop/web-5f6b-q8",
		"apps/v1 Deployment shop/cart", "v1 Service shop/cart", "security.istio.io/v1 AuthorizationPolicy shop/deny-delete",
	}
	if diff := cmp.Diff(want, names(inv)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	for _, o := range inv.Objects {
		if !o.Live {
			t.Errorf("%s is not marked as live", o)
		}
	}
	if diff := cmp.Diff(map[string]int{"v1/ConfigMap": 1}, inv.Ignored); diff != "" {
		t.Errorf("ignored (-want +got):\n%s", diff)
	}
	if len(inv.Unread) > 0 || len(inv.Problems) > 0 {
		t.Errorf("unread %v, problems %v; everything can be read, and Telemetry, which is gone by the time it is listed, has no objects", inv.Unread, inv.Problems)
	}
	if len(progress) == 0 {
		t.Error("no progress was told")
	}
	for _, r := range s.asked {
		if !strings.HasPrefix(r, "GET ") || strings.Contains(r, "watch") {
			t.Errorf("asked for more than lists: %s", r)
		}
		if strings.Contains(r, "/pods") && !strings.Contains(r, "limit=500") {
			t.Errorf("not paged: %s", r)
		}
	}
	if _, _, _, ok := inv.Position(inv.Objects[0].Ref(), ""); ok {
		t.Error("an object of a cluster has a position in a file")
	}
}

func TestListSaysWhatItMayNotRead(t *testing.T) {
	inv := startAPIServer(t, nil).list(ListOptions{})
	want := []Unread{{Kind: "Gateway", Resource: "gateways.gateway.networking.k8s.io", Why: "it may not be listed",
		Leaves: "Which Gateways there are is not known. Nothing counts as absent without it, so what depends on that is Unknown."}}
	if diff := cmp.Diff(want, inv.Unread); diff != "" {
		t.Errorf("unread (-want +got):\n%s", diff)
	}
	s := mesh.New(mesh.Options{Unread: inv.Hidden()}, inv.Objects...)
	if s.Reads(mesh.Gateway) || s.Reads(mesh.Namespace) || !s.Reads(mesh.Service) {
		t.Errorf("Gateways may not be listed, and Namespaces are left out for it; hidden is %v", inv.Hidden())
	}
	if s.Known("shop") {
		t.Error("namespace shop counts as whole, though its waypoints could not be listed: every binding would look broken")
	}
	if s.Get(mesh.Service, "shop", "cart") == nil {
		t.Error("what may be listed is not there")
	}
}

func TestListFallsBackToOneNamespace(t *testing.T) {
	inv := startAPIServer(t, nil).list(ListOptions{Namespace: "shop"})
	var gateway *mesh.Object
	for _, o := range inv.Objects {
		if o.Kind == mesh.Gateway {
			gateway = o
		}
	}
	if gateway == nil || !mesh.Ready(gateway) {
		t.Errorf("the Gateway of the one readable namespace: %v", gateway)
	}
	if len(inv.Unread) != 1 || inv.Unread[0].Why != "it may be listed in namespace shop only" {
		t.Errorf("unread: %+v", inv.Unread)
	}
}

func TestListWithoutWhatIsDispensableIsWhole(t *testing.T) {
	s := startAPIServer(t, map[string]string{
		"200 /apis/gateway.networking.k8s.io/v1beta1/gateways": `{"kind":"GatewayList","apiVersion":"gateway.networking.k8s.io/v1beta1","metadata":{},"items":[]}`,
		"403 /apis/apps/v1/deployments":                        `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"no"}`,
	})
	inv := s.list(ListOptions{})
	if len(inv.Unread) != 1 || inv.Unread[0].Leaves != "Deployments without pods are not known." {
		t.Errorf("unread: %+v", inv.Unread)
	}
	if whole := mesh.New(mesh.Options{Unread: inv.Hidden()}, inv.Objects...); !whole.Known("shop") || !whole.Reads(mesh.Namespace) {
		t.Error("namespace shop is not whole, though its pods were read")
	}
}

func TestListStartsAgainWhenPagesExpire(t *testing.T) {
	s := startAPIServer(t, map[string]string{
		"410 /api/v1/pods?continue=page2": `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"The provided continue parameter is too old"}`,
		"200 /api/v1/pods?all":            `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"one","namespace":"shop"}},{"metadata":{"name":"two","namespace":"shop"}}]}`,
	})
	var pods []string
	for _, o := range s.list(ListOptions{}).Objects {
		if o.Kind == mesh.Pod {
			pods = append(pods, o.Name)
		}
	}
	if diff := cmp.Diff([]string{"one", "two"}, pods); diff != "" {
		t.Errorf("pods, without those of the pages that expired (-want +got):\n%s", diff)
	}
}

func TestListNeedsACluster(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := List(context.Background(), &rest.Config{Host: server.URL}, ListOptions{}); err == nil {
		t.Error("a server that serves nothing reads as an empty mesh")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := List(ctx, &rest.Config{Host: startAPIServer(t, nil).url}, ListOptions{}); err == nil {
		t.Error("a cancelled list reads as an empty mesh")
	}
}

// TestStripKeepsWhatIsRead decodes every recorded object whole and stripped.
func TestStripKeepsWhatIsRead(t *testing.T) {
	raw, err := os.ReadFile("testdata/cluster.txtar")
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, f := range txtar.Parse(raw).Files {
		var l struct {
			APIVersion, Kind string
			Items            []map[string]any
		}
		if json.Unmarshal(f.Data, &l) != nil {
			continue
		}
		for _, item := range l.Items {
			item["apiVersion"], item["kind"] = l.APIVersion, strings.TrimSuffix(l.Kind, "List")
			var whole map[string]any
			copied, _ := json.Marshal(item)
			_ = json.Unmarshal(copied, &whole)
			want, err := mesh.Decode(whole)
			if err != nil {
				continue
			}
			if pod, ok := want.Spec.(*mesh.PodBody); ok && want.Labels["app"] != "ztunnel" {
				pod.Spec.NodeName = "" // only where a ztunnel runs is read
			}
			mesh.Strip(want.Kind, item)
			got, err := mesh.Decode(item)
			if err != nil {
				t.Errorf("%s: %v", want, err)
				continue
			}
			compared++
			if diff := cmp.Diff(want.Spec, got.Spec); diff != "" {
				t.Errorf("%s (-whole +stripped):\n%s", want, diff)
			}
			stripped, _ := json.Marshal(item)
			if want.Kind == mesh.Pod && strings.Contains(string(stripped), "volumes") {
				t.Errorf("%s keeps its volumes", want)
			}
		}
	}
	if compared < 8 {
		t.Errorf("%d objects compared", compared)
	}
}
