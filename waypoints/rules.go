package waypoints

import (
	"context"
	"errors"
	"fmt"
	"sync"

	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// follower keeps the Rules of a cluster at hand, by a cache whose scheme knows their kinds.
type follower struct {
	cache cache.Cache

	mu      sync.Mutex
	current *Rules // nil where it has to be read again
}

// start follows until ctx ends. It returns once everything was read.
func (f *follower) start(ctx context.Context, wake func()) error {
	for _, o := range []client.Object{&v1alpha1.Guardrail{}, &v1alpha1.WaypointProfile{}} {
		informer, err := f.cache.GetInformer(ctx, o)
		if err != nil {
			return fmt.Errorf("watch Guardrails and WaypointProfiles: %w. Install the CRDs of the chart", err)
		}
		changed := func() {
			f.mu.Lock()
			f.current = nil
			f.mu.Unlock()
			wake()
		}
		handler, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { changed() }, UpdateFunc: func(any, any) { changed() }, DeleteFunc: func(any) { changed() }})
		if err != nil {
			return fmt.Errorf("watch Guardrails and WaypointProfiles: %w", err)
		}
		if !toolscache.WaitForCacheSync(ctx.Done(), handler.HasSynced) {
			return ctx.Err()
		}
	}
	return nil
}

// rules are those in force. They are read from memory, and only where they have changed.
func (f *follower) rules(ctx context.Context) (*Rules, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current != nil {
		return f.current, nil
	}
	var guardrails v1alpha1.GuardrailList
	var profiles v1alpha1.WaypointProfileList
	if err := errors.Join(f.cache.List(ctx, &guardrails), f.cache.List(ctx, &profiles)); err != nil {
		return nil, err
	}
	out := &Rules{}
	for i := range guardrails.Items {
		out.Guardrails = append(out.Guardrails, &guardrails.Items[i])
	}
	for i := range profiles.Items {
		out.Profiles = append(out.Profiles, &profiles.Items[i])
	}
	f.current = out
	return out, nil
}
