package waypoints

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
	"github.com/waywarden/waywarden/policies/plan"
)

// Options say what a Controller works with.
type Options struct {
	Config *rest.Config
	// Live is the mesh, watched with FieldManager as its Manager.
	Live *inventory.Live
	// Cache is where Guardrails and WaypointProfiles are read; its scheme knows them.
	Cache cache.Cache
	// Client writes statuses.
	Client  client.Client
	Istiods Istiods
	// Settle is how long istiod may take to send its proxies what is stored; 0 means Settle.
	Settle time.Duration
	Waits
	// Scrape, where it is set, reads what proxies count: a waypoint is then drained when no connection passes it any more, and a guard
	// is set when nobody has come round the waypoint for a while.
	Scrape Scrape
	Clock  clock.WithTicker // nil is the machine's
	Log    logr.Logger
	// Report, where it is set, hears how the waypoints are, each time that was looked at, and Took how long a Phase took.
	Report func(Census)
	Took   func(Phase, time.Duration)
}

// Controller carries the plan out. One replica runs it, the leader.
type Controller struct {
	Options
	writer writer
	events poster
	wake   chan struct{}
	fence  fence

	// What follows belongs to the one goroutine of Start.
	deployed *deployed
	follower follower
	journal  journal
	convergence
	attempts   attempts
	conditions attempts // of Gateways, by what they say
	counts     attempts // of NeedsAnnotation, by the count: one that somebody else owns, or takes off again, is not fought for
	repairs    repairs
	meters     meters
	planned    planned
	told       told
	health     told // of waypoints, which state that calls for somebody was told last
	barred     told // of policies, why no waypoint is made for them
	lags       lags
	stopped    atomic.Pointer[stopped] // what has stopped, for others to read
	status     time.Time               // when the statuses were written last
	unread     string                  // which kinds could not be read when that was told last
}

// Phase is a part of looking, of which it is measured how long it takes.
type Phase string

// The phases.
const (
	Planning Phase = "plan" // what is needed
	Looking  Phase = "look" // everything: evidence, the plan, the order, what is written and told
)

// planned is the last plan, and what it was made of.
type planned struct {
	snapshot *mesh.Snapshot
	settings plan.Settings
	managed  plan.Managed
	view     *policies.View
	plan     plan.Plan
}

const (
	// breather is how long the controller at least does nothing after it has looked, and duty how many times as long as it looked:
	// a mesh that changes all the time must not keep a core busy.
	breather = 20 * time.Millisecond
	duty     = 4
	// patience is how long nothing is looked at where nothing happens. It costs no request.
	patience = 30 * time.Second
	// parallel is how many writes are under way at a time.
	parallel = 8
)

// New prepares a Controller.
func New(o Options) (*Controller, error) {
	c, err := dynamic.NewForConfig(o.Config)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", o.Config.Host, err)
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	out := &Controller{Options: o, writer: writer{c}, wake: make(chan struct{}, 1),
		convergence: convergence{istiods: o.Istiods, settle: cmp.Or(o.Settle, Settle)}, follower: follower{cache: o.Cache}, attempts: attempts{}, conditions: attempts{}, counts: attempts{}, repairs: repairs{}, told: told{}, health: told{}, barred: told{}, lags: lags{}}
	if out.events, err = newPoster(o.Config, out.fenced); err != nil {
		return nil, err
	}
	if o.Scrape != nil {
		out.meters.reader = newReader(o.Scrape, o.Clock, out.rouse)
	}
	return out, nil
}

// NeedLeaderElection is true: two of them would write in turns.
func (c *Controller) NeedLeaderElection() bool { return true }

// Start carries the plan out until ctx ends.
func (c *Controller) Start(ctx context.Context) error {
	if c.Live.WaitForSync(ctx) != nil {
		return nil
	}
	var err error
	if c.deployed, err = followDeployed(c.Config, c.rouse); err != nil {
		return err
	}
	if err := c.follower.start(ctx, c.rouse); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := c.events.broadcaster.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("post Events: %w", err)
	}
	defer c.events.broadcaster.Shutdown()
	var running sync.WaitGroup
	defer running.Wait()
	ctx, leave := context.WithCancel(ctx)
	defer leave() // whatever ends this ends them
	running.Go(func() { c.follow(ctx) })
	running.Go(func() { c.beat(ctx) })
	if r := c.meters.reader; r != nil {
		running.Go(func() { r.run(ctx) })
	}
	running.Go(func() {
		if err := c.deployed.Start(ctx); err != nil && ctx.Err() == nil {
			c.Log.Error(err, "what istiod deploys cannot be followed, so no waypoint is taken to be ready")
		}
	})
	if !c.deployed.WaitForCacheSync(ctx) {
		return nil
	}
	for ctx.Err() == nil {
		began := c.Clock.Now()
		next, ok := c.outlive(ctx)
		c.took(Looking, began)
		if !ok {
			c.pause(ctx, patience) // each event would break it again
			continue
		}
		now := c.Clock.Now()
		c.pause(ctx, max(breather, duty*now.Sub(began)))
		if !next.IsZero() {
			c.await(ctx, min(patience, max(0, next.Sub(c.Clock.Now()))))
		} else {
			c.await(ctx, patience)
		}
	}
	return nil
}

func (c *Controller) took(p Phase, began time.Time) {
	if c.Took != nil {
		c.Took(p, c.Clock.Since(began))
	}
}

// rouse has the controller look again. It never waits.
func (c *Controller) rouse() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// follow has the controller look when the mesh has changed.
func (c *Controller) follow(ctx context.Context) {
	changes := c.Live.Subscribe()
	defer changes.Close()
	for {
		if _, err := changes.Next(ctx); err != nil {
			return
		}
		c.rouse()
	}
}

// pause lets time pass, whatever happens.
func (c *Controller) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-c.Clock.After(d):
	}
}

func (c *Controller) await(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-c.wake:
	case <-c.Clock.After(d):
	}
}

// once looks at everything and takes the steps that can be taken now. It returns when to look again at the latest; zero
// where something has to happen first.
func (c *Controller) once(ctx context.Context) time.Time {
	now := c.Clock.Now()
	if until := c.fence.shut(now); !until.IsZero() {
		c.Log.Info("nothing is written for a while: this replica has stood still, and another one may lead", "until", until)
		return until
	}
	rules, err := c.follower.rules(ctx)
	if err != nil {
		return time.Time{} // an event of theirs wakes us
	}
	snapshot, marks, gaps := c.Live.Marked()
	if len(gaps.Unread) > 0 {
		return c.blind(ctx, rules, gaps.Unread)
	}
	c.unread = ""
	if !snapshot.Whole() {
		return time.Time{} // a Namespace that is not seen yet: what is not known is not taken for what is not there
	}
	c.journal.enter(snapshot, now)
	c.journal.forget(now)
	settings, missing := Settings(*rules, snapshot, c.Waits)
	managed, versions := ours(marks)
	if !settings.Provides() && len(managed) == 0 {
		c.planned = planned{} // what it says was of other Guardrails
		return c.tell(ctx, rules, missing, snapshot, nil)
	}
	c.replan(snapshot, settings, managed)
	evidence := plan.Evidence{Managed: managed, Versions: versions, Waypoints: c.deployed.serving(ctx, snapshot, managed, demands(*rules)),
		Unseen: gaps.Unseen}
	applied := c.lags.enter(evidence.Waypoints, now)
	evidence.Refused, evidence.Again = c.attempts.refusals(versions, now)
	evidence.RefusedSince, evidence.TakenBack = c.attempts.refusedSince(), c.attempts.takenBack()
	evidence.Written, evidence.Since, evidence.Acknowledged, evidence.Away = c.journal.written, c.journal.since, c.at, c.away
	world := plan.World{View: c.planned.view, Settings: settings, Plan: c.planned.plan, Evidence: evidence, Now: now}
	c.meters.look(&world, func(ns, gateway string) []string { return c.deployed.addresses(ctx, ns, gateway) })
	progress := plan.Next(world)
	if waitForProxies(progress) && c.due(now) {
		// Only where somebody waits for the proxies istiod is asked, and more seldom the longer that takes.
		c.look(ctx, c.expected(ctx, snapshot), now)
		world.Evidence.Acknowledged, world.Evidence.Away = c.at, c.away
		progress = plan.Next(world)
	}
	c.attempts.settle(progress, versions)
	c.take(ctx, snapshot, progress, versions, now)
	next := earliest(c.tell(ctx, rules, missing, snapshot, progress), progress.Next(), c.attempts.next(now), applied)
	if waitForProxies(progress) {
		return earliest(next, c.again)
	}
	c.rest()
	return next
}

// replan makes the plan anew where something has changed that it is about.
func (c *Controller) replan(s *mesh.Snapshot, settings plan.Settings, managed plan.Managed) {
	same := c.planned.snapshot != nil && reflect.DeepEqual(c.planned.settings, settings) && reflect.DeepEqual(c.planned.managed, managed)
	switch {
	case same && c.planned.snapshot == s:
	case same && plan.Alike(c.planned.snapshot, s):
		c.planned.snapshot, c.planned.view = s, policies.NewView(s)
	default:
		view, began := policies.NewView(s), c.Clock.Now()
		c.planned = planned{s, settings, managed, view, plan.Make(view, settings, managed)}
		c.took(Planning, began)
	}
}

// waitForProxies is whether a waypoint waits for something that no event tells of: what the proxies run with.
func waitForProxies(progress plan.Progress) bool {
	return slices.ContainsFunc(progress, func(course plan.Course) bool {
		return slices.ContainsFunc(course.Waiting, func(w plan.Wait) bool { return w.Until.IsZero() && w.Row != plan.MakeGateway })
	})
}

// expected are the proxies that have to be connected: every ztunnel, with its node, and every ready pod of a waypoint.
func (c *Controller) expected(ctx context.Context, s *mesh.Snapshot) map[string]string {
	out := ztunnels(s)
	for gw := range s.All(mesh.Gateway) {
		if s.ClassOf(gw) != mesh.ClassWaypoint {
			continue
		}
		if pods, err := c.deployed.readyPods(ctx, gw.Namespace, gw.Name); err == nil {
			for _, id := range pods {
				out[id] = ""
			}
		}
	}
	return out
}

// take takes the steps, some at a time. No two of them depend on each other.
func (c *Controller) take(ctx context.Context, s *mesh.Snapshot, progress plan.Progress, versions map[mesh.Ref]string, now time.Time) {
	var (
		mu    sync.Mutex
		group sync.WaitGroup
		slots = make(chan struct{}, parallel)
	)
	// Which ones may be tried is looked up before any is under way, because how one went is written down beside that.
	for _, course := range slices.DeleteFunc(slices.Clone(progress), func(course plan.Course) bool {
		return course.Step == nil || !c.attempts.may(course.Step.Object, versions[course.Step.Object], now)
	}) {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			if !c.fence.shut(c.Clock.Now()).IsZero() {
				return
			}
			err := c.writer.take(ctx, course.Step)
			mu.Lock()
			defer mu.Unlock()
			if foreign(err) && course.Step.Row == plan.MakeParameters && c.repairs.may(course.Step.Object, now) {
				err = c.writer.repair(ctx, course.Step)
			}
			if errors.Is(err, context.Canceled) {
				return // nobody leads any more; whoever does next sees whether it was written
			}
			c.attempts.doneFor(&course, course.Step.Object, versions[course.Step.Object], now, err)
			c.announce(s, &course, err)
			if c.attempts.refuses(course.Step.Object) && (err == nil || !retriable(err)) {
				c.rouse() // what it stopped is to be told
			}
		})
	}
	group.Wait()
}

// earliest is the first of some times, those left out that are zero.
func earliest(times ...time.Time) time.Time {
	var out time.Time
	for _, t := range times {
		if !t.IsZero() && (out.IsZero() || t.Before(out)) {
			out = t
		}
	}
	return out
}
