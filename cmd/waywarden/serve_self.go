package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// self is as whom this process writes, which every authenticated user may ask of an API server.
type self struct {
	client kubernetes.Interface
	log    *slog.Logger
	name   atomic.Pointer[string]
}

// username is "" as long as it is not known.
func (s *self) username() string {
	if name := s.name.Load(); name != nil {
		return *name
	}
	return ""
}

// again is how long after a question that was not answered it is asked again.
const again = 10 * time.Second

// Start asks until it is answered. Where an API server never does, nobody is taken for somebody else.
func (s *self) Start(ctx context.Context) error {
	for {
		review, err := s.client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err == nil && review.Status.UserInfo.Username != "" {
			s.name.Store(&review.Status.UserInfo.Username)
			return nil
		}
		if err == nil {
			err = errors.New("the API server gave no name")
		}
		if ctx.Err() == nil {
			s.log.Warn("it is not known as whom Waywarden writes, so that less is denied of what happens to its policies", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
}

// NeedLeaderElection is false: every replica is asked about what the leader writes.
func (*self) NeedLeaderElection() bool { return false }
