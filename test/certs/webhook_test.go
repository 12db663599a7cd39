//go:build cluster

package certs

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/waywarden/waywarden/certs"
	"github.com/waywarden/waywarden/test/cluster"
)

const (
	namespace  = "waywarden"
	secretName = "waywarden-tls"
	hooks      = "waywarden"
)

// source is what a webhook server needs of a certificate.
type source interface {
	GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// server is an admission webhook: a replica, as the API server sees it.
type server struct {
	url         string
	listener    net.Listener
	http        *http.Server
	requests    atomic.Int64
	connections atomic.Int64
	// refuse is why a request is refused; "" admits it.
	refuse atomic.Pointer[func(*admissionv1.AdmissionRequest) string]
}

// serve listens on loopback. With reuse, callers keep their connections, as API servers do; without, each call
// makes a new one, so that each is a handshake with the certificate of the moment.
func serve(t *testing.T, from source, reuse bool) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{url: "https://" + l.Addr().String() + "/", listener: l}
	s.answer(func(*admissionv1.AdmissionRequest) string { return "" })
	s.http = &http.Server{Handler: http.HandlerFunc(s.review), TLSConfig: &tls.Config{GetCertificate: from.GetCertificate, SessionTicketsDisabled: !reuse}}
	s.http.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	if s.http.SetKeepAlivesEnabled(reuse); !reuse {
		s.http.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // HTTP/2 would share connections
	}
	go s.http.ServeTLS(l, "", "")
	t.Cleanup(func() { s.http.Close() })
	return s
}

func (s *server) answer(refuse func(*admissionv1.AdmissionRequest) string) { s.refuse.Store(&refuse) }

func (s *server) review(w http.ResponseWriter, r *http.Request) {
	var in admissionv1.AdmissionReview
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Request == nil {
		http.Error(w, "no review", http.StatusBadRequest)
		return
	}
	s.requests.Add(1)
	why := (*s.refuse.Load())(in.Request)
	in.Response = &admissionv1.AdmissionResponse{UID: in.Request.UID, Allowed: why == ""}
	if why != "" {
		in.Response.Result = &metav1.Status{Code: http.StatusUnprocessableEntity, Message: why}
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(in)
}

// permissions are all that the certificates need, as docs/certificates.md lists them; the tests run with no more.
const permissions = `
apiVersion: v1
kind: Namespace
metadata: {name: waywarden}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: waywarden-certs, namespace: waywarden}
rules:
- {apiGroups: [""], resources: [secrets], verbs: [create]}
- {apiGroups: [""], resources: [secrets], resourceNames: [waywarden-tls], verbs: [get, list, watch, update]}
- {apiGroups: [security.istio.io], resources: [authorizationpolicies], verbs: [create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: waywarden-certs, namespace: waywarden}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: waywarden-certs}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: waywarden}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: waywarden-certs}
rules:
- apiGroups: [admissionregistration.k8s.io]
  resources: [validatingwebhookconfigurations, mutatingwebhookconfigurations]
  resourceNames: [waywarden]
  verbs: [get, list, watch, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: waywarden-certs}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: waywarden-certs}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: waywarden}]
`

// limited is a client's configuration with the documented permissions and no others.
func limited(t *testing.T, c *cluster.Cluster) *rest.Config {
	t.Helper()
	if err := c.Apply(t.Context(), []byte(permissions)); err != nil {
		t.Fatal(err)
	}
	out := rest.CopyConfig(c.Config)
	out.Impersonate = rest.ImpersonationConfig{UserName: "waywarden", Groups: []string{"system:authenticated"}}
	return out
}

// The delays of production, a hundredfold shorter.
const (
	delay = 3 * time.Second
	poll  = 300 * time.Millisecond
)

func selfSigned(t *testing.T, cfg *rest.Config) *certs.SelfSigned {
	t.Helper()
	s, err := certs.NewSelfSigned(certs.Options{
		Config: cfg, Namespace: namespace, Secret: secretName, Names: []string{"127.0.0.1"},
		Validating: hooks, Mutating: hooks, Delay: delay, Poll: poll,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs something until the test ends or it is stopped, whichever is first.
func run(t *testing.T, r interface{ Start(context.Context) error }) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(log.IntoContext(context.WithoutCancel(t.Context()), testr.New(t)))
	done := make(chan error, 1)
	go func() { done <- r.Start(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%T: %v", r, err)
			}
		case <-time.After(15 * time.Second):
			t.Errorf("%T does not stop", r)
		}
	})
	t.Cleanup(stop)
	return stop
}

// eventually waits until there is no error.
func eventually(t *testing.T, within time.Duration, f func() error) {
	t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %v", within, err)
		}
	}
}
