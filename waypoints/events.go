package waypoints

import (
	"context"
	"fmt"

	eventsv1 "k8s.io/api/events/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	typed "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
)

// poster posts what the controller says in Events.
type poster struct {
	events.EventRecorder
	broadcaster events.EventBroadcaster
}

// newPoster posts nothing while fenced says why not. What waits then is tried again, for as long as there is somebody to try: by a
// replica that leads no more it is posted by nobody.
func newPoster(cfg *rest.Config, fenced func() error) (poster, error) {
	client, err := typed.NewForConfig(cfg)
	if err != nil {
		return poster{}, fmt.Errorf("make a client for Events at %s: %w", cfg.Host, err)
	}
	b := events.NewBroadcaster(fencedSink{&events.EventSinkImpl{Interface: client}, fenced})
	return poster{b.NewRecorder(clientgoscheme.Scheme, "waywarden"), b}, nil
}

// fencedSink is where Events go, right before each is sent: they wait in a queue, and a replica can have stood still meanwhile.
type fencedSink struct {
	to     events.EventSink
	fenced func() error
}

func (s fencedSink) Create(ctx context.Context, e *eventsv1.Event) (*eventsv1.Event, error) {
	if err := s.fenced(); err != nil {
		return nil, err
	}
	return s.to.Create(ctx, e)
}

func (s fencedSink) Update(ctx context.Context, e *eventsv1.Event) (*eventsv1.Event, error) {
	if err := s.fenced(); err != nil {
		return nil, err
	}
	return s.to.Update(ctx, e)
}

func (s fencedSink) Patch(ctx context.Context, e *eventsv1.Event, data []byte) (*eventsv1.Event, error) {
	if err := s.fenced(); err != nil {
		return nil, err
	}
	return s.to.Patch(ctx, e, data)
}
