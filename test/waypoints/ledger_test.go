//go:build cluster

package waypoints

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/test/serving"
)

// ledger stands between one replica and the API server, and takes down what the replica asks for.
type ledger struct {
	kubeconfig string

	after func(call) // hears of each call that the API server has answered, before the replica does; nil where nobody does

	mu    sync.Mutex
	calls []call
}

// call is one request of a replica.
type call struct {
	at           time.Time
	method, path string
	status       int
}

// ledgerTo makes a ledger, and a kubeconfig for a replica that goes through it.
func ledgerTo(t *testing.T, config *rest.Config) *ledger {
	t.Helper()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	proxy := &httputil.ReverseProxy{Transport: entering{l, transport}, FlushInterval: -1, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	text := fmt.Sprintf(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "%s"}}], users: [{name: u, user: {}}]}`, server.URL)
	if err := os.WriteFile(l.kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

// start starts a replica that goes through the ledger. It is not ready yet.
func (l *ledger) start(dir string, flags ...string) (*serving.Replica, error) {
	file, err := serving.Built()
	if err != nil {
		return nil, err
	}
	return serving.Start(file, l.kubeconfig, dir, append([]string{"--drain", "0s"}, flags...)...)
}

// entering enters each call that is answered. What a replica has begun to write is written and entered also when it is killed meanwhile.
type entering struct {
	ledger *ledger
	to     http.RoundTripper
}

func (e entering) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		r = r.WithContext(context.WithoutCancel(r.Context()))
	}
	resp, err := e.to.RoundTrip(r)
	if err == nil {
		e.ledger.enter(call{time.Now(), r.Method, r.URL.Path + "?" + r.URL.RawQuery, resp.StatusCode})
	}
	return resp, err
}

func (l *ledger) enter(c call) {
	l.mu.Lock()
	l.calls = append(l.calls, c)
	l.mu.Unlock()
	if l.after != nil {
		l.after(c)
	}
}

// since are the calls after a time, without those that any replica makes all the time: its lease, its canary, its
// certificate, discovery and watches.
func (l *ledger) since(at time.Time) []call {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []call
	for _, c := range l.calls {
		if c.at.After(at) && !c.routine() {
			out = append(out, c)
		}
	}
	return out
}

func (c call) routine() bool {
	path, query, _ := strings.Cut(c.path, "?")
	switch {
	case strings.Contains(query, "watch=true"), strings.HasPrefix(path, "/apis/coordination.k8s.io/"), strings.HasPrefix(path, "/apis/admissionregistration.k8s.io/"):
		return true
	case path == "/api" || path == "/apis" || strings.HasPrefix(path, "/openapi") || strings.HasPrefix(path, "/version"):
		return true
	case strings.Contains(path, "/namespaces/waywarden-system/"), strings.Contains(path, "/guardrails/"):
		return true // the statuses of Guardrails are written when namespaces come
	}
	return false
}

// writes are the calls that change something, Events left out.
func writes(calls []call) []call {
	var out []call
	for _, c := range calls {
		if c.method != http.MethodGet && !strings.Contains(c.path, "/events") && !strings.Contains(c.path, "subjectaccessreviews") && !strings.Contains(c.path, "selfsubjectreviews") {
			out = append(out, c)
		}
	}
	return out
}

func (c call) String() string {
	return fmt.Sprintf("%s %s %s: %d", c.at.Format("15:04:05.000"), c.method, c.path, c.status)
}
