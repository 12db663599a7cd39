package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Options are what a self-signed certificate is for and where it is kept.
type Options struct {
	Config    *rest.Config
	Namespace string // of the Secret
	Secret    string // its name; it is made where it does not exist

	// Names are under which the API server calls the webhook: the Service's DNS name, <name>.<namespace>.svc, or
	// the host or IP address of clientConfig.url.
	Names []string
	// Validating and Mutating are the names of the webhook configurations whose every webhook gets the CA bundle; ""
	// for none. Both belong to us alone, and both are the chart's to make.
	Validating, Mutating string

	// Delay is after how long every API server and every replica can be presumed to have seen a change; 5 minutes if
	// zero. A rotation takes two of them. A replica that has read nothing for half of it is not ready.
	Delay time.Duration
	// Poll is how often what is watched is read all the same; 30 seconds if zero, or a quarter of Delay where that
	// is less. At most a quarter of Delay.
	Poll time.Duration
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// SelfSigned is a serving certificate of a CA of our own, kept in a Secret that the replicas share. Every replica runs
// it, so that it follows the Secret; the leader runs its [SelfSigned.Writer] as well.
type SelfSigned struct {
	o      Options
	client client.Client // reads are live: what is decided upon is never a cache's
	view   atomic.Pointer[view]
	poke   [2]chan struct{} // wakes the follower and the writer
}

// NewSelfSigned checks the options. It calls nobody.
func NewSelfSigned(o Options) (*SelfSigned, error) {
	if o.Delay == 0 {
		o.Delay = 5 * time.Minute
	}
	if o.Poll == 0 {
		o.Poll = min(30*time.Second, o.Delay/4)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	switch {
	case o.Config == nil || o.Namespace == "" || o.Secret == "":
		return nil, errors.New("the certificate cannot be kept: Config, Namespace and Secret are needed. Set them")
	case len(o.Names) == 0:
		return nil, errors.New("the certificate would be for nobody: Names is empty. Name the webhook's Service as <name>.<namespace>.svc")
	case o.Poll < 0 || o.Poll > o.Delay/4:
		return nil, fmt.Errorf("a rotation could pass a replica by: it reads every %s, and the rotation waits %s. Let Poll be at most a quarter of Delay", o.Poll, o.Delay)
	}
	c, err := client.New(o.Config, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("make a client for certificates: %w", err)
	}
	return &SelfSigned{o: o, client: c, poke: [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}}, nil
}

// GetCertificate is for tls.Config. It reads memory only.
func (s *SelfSigned) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	v := s.view.Load()
	if v == nil || v.serving == nil {
		return nil, s.nothing(v)
	}
	return v.serving, nil
}

// Expiry is when the certificate that is served ends; false while there is none.
func (s *SelfSigned) Expiry() (time.Time, bool) {
	if v := s.view.Load(); v != nil && v.serving != nil {
		return v.serving.Leaf.NotAfter, true
	}
	return time.Time{}, false
}

// Ready is nil while a certificate is in force: it is valid, it is for the names, every webhook of both configurations
// trusts its CA, and this replica would know if that had changed.
func (s *SelfSigned) Ready(now time.Time) error {
	v := s.view.Load()
	if v == nil || v.serving == nil {
		return s.nothing(v)
	}
	for _, c := range v.configurations {
		if err := c.accepts(v.serving.Leaf, s.o.Names, now); err != nil {
			return fmt.Errorf("API servers refuse the serving certificate: %w. The leader's log says why it was not published or renewed", err)
		}
	}
	if age := now.Sub(v.readAt); age > s.o.Delay/2 {
		return fmt.Errorf("a rotation may have passed this replica by: Secret %s was not read for %s: %v. Check the API server and the permissions", s.secret(), age.Round(time.Second), v.err)
	}
	return nil
}

func (s *SelfSigned) nothing(v *view) error {
	why := errors.New("it has not been read yet")
	switch {
	case v != nil && v.err != nil:
		why = v.err
	case v != nil && v.note != "":
		why = errors.New(v.note)
	}
	return fmt.Errorf("no webhook can be served: no certificate came from Secret %s: %w", s.secret(), why)
}

func (s *SelfSigned) secret() string { return s.o.Namespace + "/" + s.o.Secret }

// NeedLeaderElection is false: every replica serves.
func (s *SelfSigned) NeedLeaderElection() bool { return false }

// Start follows the Secret and the configurations until the context ends. It waits for no leader: the first replica
// that finds no Secret makes it, and of two that race the second takes what the first made.
func (s *SelfSigned) Start(ctx context.Context) error {
	if err := s.watch(ctx); err != nil {
		return err
	}
	logger, often := log.FromContext(ctx).WithName("certs"), pace()
	for {
		note := ""
		if err := s.follow(ctx); err != nil && ctx.Err() == nil {
			logger.Error(err, "certificate not read")
		} else if v := s.view.Load(); v != nil {
			note = v.note
		}
		if note != "" {
			logger.Info("certificate kept", "why", note)
		}
		if !sleep(ctx, often, s.poke[0], s.o.Poll) {
			return nil
		}
	}
}

func (s *SelfSigned) follow(ctx context.Context) error {
	st, object, err := s.read(ctx)
	if err == nil && object == nil {
		// Creating is atomic, so every replica may: nothing waits for a leader, or is served twice.
		if err = s.write(ctx, st, nil, plan(st, s.o.Now()).do); err == nil || apierrors.IsAlreadyExists(err) {
			st, _, err = s.read(ctx)
		}
	}
	old := view{}
	if v := s.view.Load(); v != nil {
		old = *v
	}
	if err != nil {
		old.err = err
		s.view.Store(&old)
		return err
	}
	now := old.next(st, s.o.Now())
	s.view.Store(&now)
	return nil
}

// read is the state as it is in the cluster now, and the Secret that it comes from; nil where there is none.
func (s *SelfSigned) read(ctx context.Context) (state, *corev1.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	st := state{names: s.o.Names, delay: s.o.Delay}
	if v := s.view.Load(); v != nil {
		st.held = v.held
	}
	var err error
	if st.configurations, err = s.configurations(ctx); err != nil {
		return st, nil, err
	}
	object := &corev1.Secret{}
	switch err := s.client.Get(ctx, client.ObjectKey{Namespace: s.o.Namespace, Name: s.o.Secret}, object); {
	case apierrors.IsNotFound(err):
		st.problem = "Secret " + s.secret() + " does not exist"
		return st, nil, nil
	case err != nil:
		return st, nil, fmt.Errorf("read Secret %s: %w", s.secret(), err)
	}
	st.asked = object.Annotations[RotateAnnotation]
	m, err := parse(object)
	if err != nil {
		st.problem = fmt.Sprintf("Secret %s cannot be used: %v", s.secret(), err)
		return st, object, nil
	}
	st.stored = m
	return st, object, nil
}

func (s *SelfSigned) configurations(ctx context.Context) ([]configuration, error) {
	var out []configuration
	for _, c := range []configuration{{kind: mutatingKind, name: s.o.Mutating}, {kind: validatingKind, name: s.o.Validating}} {
		if c.name == "" {
			continue
		}
		c, err := readConfiguration(ctx, s.client, c.kind, c.name)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// write carries out a step on the Secret that it was planned from; nil creates it. The resourceVersion makes it fail
// with a conflict if another wrote first.
func (s *SelfSigned) write(ctx context.Context, st state, object *corev1.Secret, do action) error {
	m, err := st.carry(do, s.o.Now())
	if err != nil {
		return err
	}
	if object != nil {
		if err := m.write(object); err != nil {
			return err
		}
		return s.client.Update(ctx, object)
	}
	object = &corev1.Secret{Type: corev1.SecretTypeTLS, ObjectMeta: metav1.ObjectMeta{Namespace: s.o.Namespace, Name: s.o.Secret}}
	if err := m.write(object); err != nil {
		return err
	}
	return s.client.Create(ctx, object)
}

// pace is how often a loop may be woken for long: whoever fights over an object with us shall not have the API server
// suffer for it.
func pace() *rate.Limiter { return rate.NewLimiter(rate.Every(time.Second), 20) }

// sleep waits until it is woken or the time is up; false when the context ended.
func sleep(ctx context.Context, pace *rate.Limiter, wake <-chan struct{}, d time.Duration) bool {
	if pace.Wait(ctx) != nil {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-timer.C:
	}
	return true
}
