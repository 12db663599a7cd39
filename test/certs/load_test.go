//go:build cluster

package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// configurations have every ConfigMap of namespace load reviewed, by the webhooks a and b of both kinds, without
// which nothing is admitted.
func configurations(a, b string) string {
	const config = `
apiVersion: admissionregistration.k8s.io/v1
kind: KIND
metadata: {name: waywarden}
webhooks:
- name: a.waywarden.dev
  clientConfig: {url: "URL-A"}
  failurePolicy: Fail
  sideEffects: None
  timeoutSeconds: 10
  admissionReviewVersions: [v1]
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: load}}
- name: b.waywarden.dev
  clientConfig: {url: "URL-B"}
  failurePolicy: Fail
  sideEffects: None
  timeoutSeconds: 10
  admissionReviewVersions: [v1]
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: load}}
`
	var out strings.Builder
	for _, kind := range []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"} {
		out.WriteString("---" + strings.NewReplacer("KIND", kind, "URL-A", a, "URL-B", b).Replace(config))
	}
	return out.String() + "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: load}\n"
}

// load calls without a pause, and keeps what failed.
type load struct {
	client kubernetes.Interface
	mu     sync.Mutex
	done   map[string]int
	failed []string
}

// through has the API server create ConfigMaps, as dry runs: each is four calls of webhooks.
func (l *load) through(ctx context.Context) {
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "x", Namespace: "load"}}
	_, err := l.client.CoreV1().ConfigMaps("load").Create(ctx, object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	l.count(ctx, "through the API server", err)
}

// direct makes a new TLS connection to each server, trusting what a configuration publishes at the moment.
func (l *load) direct(ctx context.Context, servers ...*server) {
	bundle, err := published(ctx, l.client)
	if err != nil {
		l.count(ctx, "direct", err)
		return
	}
	for _, s := range servers {
		_, err := dial(s, bundle)
		l.count(ctx, "direct", err)
	}
	time.Sleep(20 * time.Millisecond)
}

func published(ctx context.Context, c kubernetes.Interface) ([]byte, error) {
	v, err := c.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, hooks, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return v.Webhooks[0].ClientConfig.CABundle, nil
}

// dial is the certificate that a client gets which trusts the bundle.
func dial(s *server, bundle []byte) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	d := &net.Dialer{Timeout: 5 * time.Second}
	conn, err := tls.DialWithDialer(d, "tcp", s.listener.Addr().String(), &tls.Config{RootCAs: roots})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

func (l *load) count(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return // the test is over: what was cut off is no failure
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[what]++
	if err != nil {
		l.failed = append(l.failed, fmt.Sprintf("%s %s: %v", time.Now().Format("15:04:05.000"), what, err))
	}
}

// start calls from several goroutines until stopped.
func (l *load) start(t *testing.T, servers ...*server) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				l.through(ctx)
			}
		})
	}
	wg.Go(func() {
		for ctx.Err() == nil {
			l.direct(ctx, servers...)
		}
	})
	return func() { cancel(); wg.Wait() }
}
