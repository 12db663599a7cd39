package inventory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/waywarden/waywarden/policies/mesh"
)

const (
	// rediscovery is how often a watch asks what the cluster serves. Discovery is two requests that every account
	// may make, and sees aggregated APIs as well; a watch of the CRDs would be faster by seconds, and need a
	// permission more.
	rediscovery = 10 * time.Second
	// firstDiscovery is how often it asks while the cluster has not answered at all.
	firstDiscovery = time.Second
)

// WatchOptions say how Watch watches. The zero value is useful.
type WatchOptions struct {
	// Mesh are the options of the Snapshots.
	Mesh mesh.Options
	// Evidence says which kinds are watched besides those that decide something in a mesh; nil: none. It is asked whenever the cluster is
	// asked what it serves.
	Evidence func() Evidence
	// Rediscover is how long a kind may be installed before it is seen; 0 means ten seconds.
	Rediscover time.Duration
	// Manager is the field manager of whoever writes to the cluster by what is watched: Marked says what it owns. "" keeps
	// no marks.
	Manager string
	// Log is where client-go tells what it retries. The zero value is nowhere: Status says what does not work.
	Log logr.Logger
	// Clock tells the time of what is heard, and paces rediscovery and retries; nil is the machine's.
	Clock clock.WithTicker
}

// Live is the mesh of a running cluster, always current.
//
//	API server ─► a Reflector for each kind ─► strip, decode, pack ─► mirror ─► Snapshot, Subscription
//
// There is no informer's store beside the Snapshot: client-go's Reflector, which is what lists, streams, resumes
// and lists again, writes into the mirror itself. So each object is decoded once and held once, a page is gone
// before the next one is asked for, and a kind that may not be read keeps no other one waiting, as it would in a
// cache that wants to sync as a whole.
//
// Snapshot is what List would give at this moment, as far as the cluster has told: kinds that may not be listed are
// Unread, and while one is among them without which "it is not there" would be a guess, the Snapshot has no
// Namespace. What is no longer well-formed in the cluster is a Problem, and the object that it was before is gone: it
// is not what the cluster holds. Two things are less than List gives. Between kinds there is no order: a policy can be
// seen before the Service that was made first. And of Pods, and of
// what else controllers make, Content has what mesh.Lean leaves: of those that an owner stands for the metadata that they share with others
// of it, of the others what their containers may do as well.
//
// It needs the verbs list and watch. A kind that may be listed and not watched is listed again and again.
type Live struct {
	*mirror
	cfg     *rest.Config
	client  dynamic.Interface
	alike   *Alike
	options WatchOptions
	again   chan struct{} // asks for rediscovery at once
}

// Watch prepares to watch a cluster. Nothing is asked of it before Start.
func Watch(cfg *rest.Config, opts WatchOptions) (*Live, error) {
	cfg = rest.CopyConfig(cfg)
	if cfg.QPS == 0 {
		cfg.QPS, cfg.Burst = queriesPerSecond, queryBurst
	}
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", cfg.Host, err)
	}
	if opts.Rediscover == 0 {
		opts.Rediscover = rediscovery
	}
	if opts.Clock == nil {
		opts.Clock = clock.RealClock{}
	}
	return &Live{mirror: newMirror(opts.Mesh, opts.Clock.Now), cfg: cfg, client: client, alike: NewAlike(), options: opts, again: make(chan struct{}, 1)}, nil
}

// Start watches until ctx ends, and then returns nil. A cluster that does not answer is asked again: Ready says so.
// Call it once. It is what a controller-runtime manager runs.
func (l *Live) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for ctx.Err() == nil {
		wait := l.options.Rediscover
		if !l.rediscover(ctx) {
			wait = min(wait, firstDiscovery)
		}
		select {
		case <-ctx.Done():
		case <-l.again: // the API server may need a moment to take it in itself
			l.pause(ctx, firstDiscovery)
		case <-l.options.Clock.After(wait):
		}
	}
	return nil
}

func (l *Live) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-l.options.Clock.After(d):
	}
}

// NeedLeaderElection is false: every replica answers admission, so every replica watches.
func (l *Live) NeedLeaderElection() bool { return false }

// rediscover starts to watch what has come to be served, and stops to watch what no longer is.
func (l *Live) rediscover(ctx context.Context) bool {
	var evidence Evidence
	if l.options.Evidence != nil {
		evidence = l.options.Evidence()
	}
	served, err := discover(ctx, l.cfg, evidence)
	if err != nil {
		l.discoveryFailed(err)
		return false
	}
	for _, s := range l.serve(served) {
		l.follow(ctx, s)
	}
	return true
}

// Snapshot is the mesh as it is known now. Before the first lists are complete it is empty, without any Namespace, so
// that nothing is known of anything. It waits for nobody.
func (l *Live) Snapshot() *mesh.Snapshot { return l.snapshot.Load() }

// Known is the Snapshot once Ready is nil, and nil before: for those who must not take what was not heard yet for what is
// not there. It waits for nobody.
func (l *Live) Known() *mesh.Snapshot {
	select {
	case <-l.synced:
		return l.Snapshot()
	default:
		return nil
	}
}

// WaitForSync returns when every kind that is served has been listed, or is known to be unreadable; or with the
// error of ctx.
func (l *Live) WaitForSync(ctx context.Context) error {
	select {
	case <-l.synced:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", l.Ready(), ctx.Err())
	}
}

// Ready is nil from when WaitForSync would return, and from then on: what is known stays known while the API server is
// away. Before, it says what is waited for.
func (l *Live) Ready() error {
	status := l.Status()
	switch {
	case status.Synced:
		return nil
	case status.Undiscovered != "":
		return errors.New("the mesh is not known: the cluster does not say what it serves: " + status.Undiscovered)
	case len(status.Awaited) == 0:
		return errors.New("the mesh is not known: the cluster has not yet been asked what it serves")
	}
	return errors.New("the mesh is not known: not yet listed: " + strings.Join(status.Awaited, ", "))
}
