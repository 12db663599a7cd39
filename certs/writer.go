package certs

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Writer renews, rotates and publishes. One replica runs it at a time, the leader; two at once do no harm, because each
// step is written with the resourceVersion that it was planned from.
type Writer struct{ s *SelfSigned }

// Writer is the part that writes.
func (s *SelfSigned) Writer() *Writer { return &Writer{s} }

// NeedLeaderElection is true.
func (w *Writer) NeedLeaderElection() bool { return true }

// stepsAtOnce is more than any state needs to come to rest. A state that needs more is fought over by another writer,
// which is left some time.
const stepsAtOnce = 10

// Start takes step after step until the context ends. Whatever fails is tried again: there is nothing that it could
// give up for.
func (w *Writer) Start(ctx context.Context) error {
	logger, often := log.FromContext(ctx).WithName("certs"), pace()
	for {
		pause, err := w.settle(ctx)
		if err != nil && ctx.Err() == nil {
			logger.Error(err, "certificate not advanced")
		}
		if !sleep(ctx, often, w.s.poke[1], min(pause, w.s.o.Poll)) {
			return nil
		}
	}
}

// settle takes steps until there is nothing to do, and says for how long there is not.
func (w *Writer) settle(ctx context.Context) (time.Duration, error) {
	logger := log.FromContext(ctx).WithName("certs")
	for range stepsAtOnce {
		st, object, err := w.s.read(ctx)
		if err != nil {
			return w.s.o.Poll, err
		}
		next := plan(st, w.s.o.Now())
		if next.do == wait {
			return next.wait, nil
		}
		switch err := w.take(ctx, st, object, next.do); {
		case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
			continue // another was first; what is next may be something else now
		case err != nil:
			return w.s.o.Poll, fmt.Errorf("%s: %w", next.do, err)
		}
		logger.Info("certificate advanced", "step", string(next.do), "why", next.why)
	}
	return w.s.o.Poll, nil
}

func (w *Writer) take(ctx context.Context, st state, object *corev1.Secret, do action) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if do != publish {
		return w.s.write(ctx, st, object, do)
	}
	for _, c := range st.configurations {
		if c.exists() && !c.carries(st.stored.bundle()) {
			if err := c.publish(ctx, w.s.client, st.stored.bundle()); err != nil {
				return err
			}
		}
	}
	return nil
}
