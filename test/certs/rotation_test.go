//go:build cluster

package certs

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/waywarden/waywarden/certs"
	"github.com/waywarden/waywarden/test/cluster"
)

// replicas is an installation: two replicas that share a Secret, one of which writes.
type replicas struct {
	client  kubernetes.Interface
	sources [2]*certs.SelfSigned
	servers [2]*server
	leader  int
	resign  func()
}

// install has the replicas ready: a keeps connections, b does not.
func install(t *testing.T) *replicas {
	t.Helper()
	c := cluster.Start(t)
	cfg := limited(t, c)
	r := &replicas{}
	var err error
	if r.client, err = kubernetes.NewForConfig(c.Config); err != nil {
		t.Fatal(err)
	}
	for i := range r.sources {
		r.sources[i] = selfSigned(t, cfg)
		r.servers[i] = serve(t, r.sources[i], i == 0)
		run(t, r.sources[i])
	}
	if err := c.Apply(t.Context(), []byte(configurations(r.servers[0].url, r.servers[1].url))); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, func() error {
		for i, s := range r.sources {
			if _, ok := s.Expiry(); !ok {
				return fmt.Errorf("replica %d has no certificate, though nothing needs a leader for that", i)
			}
		}
		return nil
	})
	if r.ready() == nil {
		t.Fatal("the replicas are ready before anybody trusts them")
	}
	r.resign = run(t, r.sources[0].Writer())
	eventually(t, 10*time.Second, r.ready)
	return r
}

func (r *replicas) ready() error {
	return errors.Join(r.sources[0].Ready(time.Now()), r.sources[1].Ready(time.Now()))
}

// elect stops the leader and makes the other replica leader.
func (r *replicas) elect(t *testing.T) {
	r.resign()
	r.leader = 1 - r.leader
	r.resign = run(t, r.sources[r.leader].Writer())
}

func (r *replicas) secret(ctx context.Context) (*corev1.Secret, error) {
	return r.client.CoreV1().Secrets(namespace).Get(ctx, secretName, metav1.GetOptions{})
}

// settled waits until the Secret is Steady with another CA and another leaf than it was, and both replicas serve that
// leaf.
func (r *replicas) settled(t *testing.T, was *corev1.Secret) *corev1.Secret {
	t.Helper()
	var now *corev1.Secret
	eventually(t, 60*time.Second, func() (err error) {
		if now, err = r.secret(t.Context()); err != nil {
			return err
		}
		for _, key := range []string{"ca.crt", "ca.key", "tls.crt", "tls.key"} {
			if string(now.Data[key]) == string(was.Data[key]) {
				return fmt.Errorf("%s is what it was", key)
			}
		}
		if phase := now.Annotations[certs.PhaseAnnotation]; phase != "Steady" {
			return fmt.Errorf("the rotation is %s", phase)
		}
		bundle, err := published(t.Context(), r.client)
		if err != nil || string(bundle) != string(now.Data["ca.crt"]) {
			return fmt.Errorf("the bundle is not the one CA: %v", err)
		}
		for i, s := range r.servers {
			// A client that trusts the new CA and no other.
			if _, err := dial(s, now.Data["ca.crt"]); err != nil {
				return fmt.Errorf("replica %d: %w", i, err)
			}
		}
		return r.ready()
	})
	return now
}

// TestRotationFailsNoRequest: under load that never pauses, the CA is replaced three times on request, then the Secret
// is deleted, spoiled, and put back from a backup, and the leader changes in the midst. No request fails.
func TestRotationFailsNoRequest(t *testing.T) {
	r := install(t)
	l := &load{client: r.client, done: map[string]int{}}
	stop := l.start(t, r.servers[:]...)
	first, err := r.secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	was := first
	for i := range 3 {
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"%d"}}}`, certs.RotateAnnotation, i)
		if _, err := r.client.CoreV1().Secrets(namespace).Patch(t.Context(), secretName, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			time.Sleep(delay / 2) // the new CA is announced; the new leader has to go on from there
			r.elect(t)
		}
		was = r.settled(t, was)
		if got := was.Annotations[certs.RotatedAnnotation]; got != fmt.Sprint(i) {
			t.Errorf("rotation %q was followed, want %d", got, i)
		}
	}
	t.Logf("three rotations: %v", l.done)
	r.mishaps(t, first, was)
	stop()
	for _, f := range l.failed[:min(len(l.failed), 10)] {
		t.Error(f)
	}
	if len(l.failed) > 10 {
		t.Errorf("and %d more", len(l.failed)-10)
	}
	if l.done["through the API server"] < 200 || l.done["direct"] < 200 {
		t.Errorf("too little load to mean anything: %v", l.done)
	}
	// Replica b kept no connection, so every request was a handshake.
	requests, connections := r.servers[1].requests.Load(), r.servers[1].connections.Load()
	if requests < 200 || connections < requests {
		t.Errorf("%d requests over %d connections: some were reused", requests, connections)
	}
	t.Logf("load: %v; replica a: %d requests over %d connections; replica b: %d over %d", l.done,
		r.servers[0].requests.Load(), r.servers[0].connections.Load(), requests, connections)
}

// mishaps befall the Secret; each is answered with what is in memory, and then by a rotation.
func (r *replicas) mishaps(t *testing.T, backup, was *corev1.Secret) {
	secrets := r.client.CoreV1().Secrets(namespace)
	for _, mishap := range []struct {
		name string
		do   func() error
	}{
		{"deleted", func() error { return secrets.Delete(t.Context(), secretName, metav1.DeleteOptions{}) }},
		{"spoiled", func() error {
			patch := []byte(`{"data":{"tls.crt":"Z2FyYmFnZQ==","ca.key":null}}`)
			_, err := secrets.Patch(t.Context(), secretName, types.MergePatchType, patch, metav1.PatchOptions{})
			return err
		}},
		{"put back from a backup", func() error {
			now, err := r.secret(t.Context())
			if err != nil {
				return err
			}
			now.Data = backup.Data
			_, err = secrets.Update(t.Context(), now, metav1.UpdateOptions{})
			return err
		}},
	} {
		if err := mishap.do(); err != nil {
			t.Fatal(err)
		}
		was = r.settled(t, was)
		t.Logf("%s: settled with a new CA", mishap.name)
	}
}

// TestReplicasAgreeOnOneCA: replicas that start at once, with no Secret and no leader, end with one certificate.
func TestReplicasAgreeOnOneCA(t *testing.T) {
	c := cluster.Start(t)
	cfg := limited(t, c)
	var all []*certs.SelfSigned
	for range 6 {
		all = append(all, selfSigned(t, cfg))
	}
	for _, s := range all {
		run(t, s)
	}
	eventually(t, 20*time.Second, func() error {
		leaf := ""
		for i, s := range all {
			got, err := s.GetCertificate(nil)
			if err != nil {
				return fmt.Errorf("replica %d: %w", i, err)
			}
			if leaf != "" && leaf != string(got.Certificate[0]) {
				return fmt.Errorf("replica %d serves another certificate", i)
			}
			leaf = string(got.Certificate[0])
		}
		return nil
	})
	client, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	s, err := client.CoreV1().Secrets(namespace).Get(t.Context(), secretName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.ManagedFields) != 1 || s.ManagedFields[0].Operation != "Update" || !s.CreationTimestamp.Equal(s.ManagedFields[0].Time) {
		t.Errorf("the Secret was written again after it was created: %v", s.ManagedFields)
	}
}
