package audit

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"

	"github.com/waywarden/waywarden/audit/ledger"
	"github.com/waywarden/waywarden/audit/openreports"
	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/decide"
	"github.com/waywarden/waywarden/policies/mesh"
)

// ContinuousOptions say what is audited, and who is told.
type ContinuousOptions struct {
	// Subscribe begins to follow the mesh.
	Subscribe func() *inventory.Subscription
	// Authored is what users wrote for Waywarden itself, and the checks that there are; nil while that is not known. When the
	// checks are others than before, everything is asked anew.
	Authored func() *Authored
	// Labels are those of a namespace while the Snapshot holds no Namespace; nil where they are not known.
	Labels func(namespace string) map[string]string
	// Beside is what else is found.
	Beside Beside
	// Interval is how often everything is judged anew, to see that what is kept is what is found, and how often reports are
	// compared with what is stored; 0 means an hour. Settle is how long changes are gathered; 0 means a second.
	Interval, Settle time.Duration
	// Reports connects to where reports are stored: openreports.ErrNotServed where there is no such place, which is asked again
	// every Interval. nil writes none.
	Reports func(context.Context) (*openreports.Writer, error)
	// Report hears what was found of everything that is stored, each time that something of it has changed; Tell what is new and
	// what is gone; Observe how it went. Each may be nil.
	Report  func(Stock)
	Tell    func(News)
	Observe func(Observation)
	// Held hears that the audit is held, because not everything can be read that answers depend on, and that it goes on. It may
	// be nil.
	Held func(bool)
	// Meter hears what rules cost, and which could not be asked; nil for nobody.
	Meter *policies.Meter
	// Panicked hears, each time that it is met, of a question that could not be answered because the program is wrong, and of
	// which object: reports have the number only. It may be nil.
	Panicked func(Panic, mesh.Ref)

	Clock clock.WithTicker // nil is the machine's
	Log   logr.Logger
}

// Beside is what is found that no check can be asked, because it is found by doing something. The zero value finds nothing.
type Beside struct {
	// Checks are the IDs of those that find it.
	Checks []string
	// Findings are what is found, and whether that is all: while it is not, as after a restart, what was found before stands.
	Findings func() (found []policies.Finding, all bool)
}

// News is what is found that was not before, and what is found no more.
type News struct{ New, Resolved []ledger.Record }

// Observation is one audit, or the writing of one report.
type Observation struct {
	// Full is whether everything was judged; Objects how many were; Took for how long.
	Full    bool
	Objects int
	Took    time.Duration
	// Differences are objects of which something else was kept than is found: of those there must be none.
	Differences int
	// Report is what became of a report; "" for an audit.
	Report openreports.Outcome
}

// Continuous audits what is stored for as long as it runs: everything when it starts, from then on what a change can have changed,
// and at an interval everything once more, to see that this is the same. One replica runs it, the leader.
type Continuous struct {
	ContinuousOptions
	incremental *Incremental
	asked       []*policies.Check
	parameters  *policies.Parameters
	ledger      *ledger.Ledger
	places      judgedPlaces
	verified    time.Time
	held        bool            // what is stored is not known well enough to be judged
	unread      []report.Unread // kinds of which what was found stands
	unasked     map[string]bool // checks of which it stands
	unsettled   bool            // one of these is another than it was

	writer  *openreports.Writer
	read    bool                 // what was stored has been read
	said    bool                 // that reports have no place
	pending map[string]time.Time // namespaces whose reports are to be written, and not before when
	latest  atomic.Pointer[Tallied]
}

// Tallied is what Exemptions except of everything that is stored.
type Tallied struct {
	Rules     *Authored
	Snapshot  *mesh.Snapshot
	Standings []decide.Standing
}

const (
	defaultInterval = time.Hour
	defaultSettle   = time.Second
	// tick is how often it looks whether the rules, or time alone, have changed something; again is after how long it tries to
	// write what could not be written.
	tick  = 2 * time.Second
	again = 30 * time.Second
)

// NewContinuous prepares to audit.
func NewContinuous(o ContinuousOptions) *Continuous {
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	if o.Settle <= 0 {
		o.Settle = defaultSettle
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	return &Continuous{ContinuousOptions: o, ledger: ledger.New(ledger.Options{}), pending: map[string]time.Time{}}
}

// NeedLeaderElection is true: two auditors would write the same objects.
func (c *Continuous) NeedLeaderElection() bool { return true }

// Latest is what the last audit came to; nil before the first.
func (c *Continuous) Latest() *Tallied { return c.latest.Load() }

// Start audits until ctx ends. What cannot be written is tried again.
func (c *Continuous) Start(ctx context.Context) error {
	ticker := c.Clock.NewTicker(tick)
	defer ticker.Stop()
	for !c.connect(ctx) { // before anything is new, it must be known what is old
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
	snapshots := c.follow(ctx)
	var now *mesh.Snapshot
	for {
		select {
		case <-ctx.Done():
			return nil
		case change := <-snapshots:
			now = change.After
			c.cannotRead(change.Unread)
			c.audit(now)
			c.write(ctx)
			select { // what comes meanwhile comes as one
			case <-ctx.Done():
			case <-c.Clock.After(c.Settle):
			}
		case <-ticker.C():
			if now == nil {
				continue
			}
			c.audit(now)
			if c.incremental != nil && c.Clock.Since(c.verified) >= c.Interval {
				c.verify()
				c.connect(ctx)
			}
			c.write(ctx)
		}
	}
}

// follow hands over each Snapshot that is not the one before, the latest of those that came.
func (c *Continuous) follow(ctx context.Context) <-chan inventory.Change {
	out := make(chan inventory.Change)
	subscription := c.Subscribe()
	go func() {
		defer subscription.Close()
		for {
			change, err := subscription.Next(ctx)
			if err != nil {
				return
			}
			select {
			case out <- change:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// audit takes in a Snapshot, or that time has passed.
func (c *Continuous) audit(s *mesh.Snapshot) {
	rules := c.Authored()
	if rules == nil {
		return
	}
	if s = c.knowing(s); s == nil {
		return
	}
	checks := policies.AboutObjects(rules.Rulebook.Catalog().Checks())
	began := c.Clock.Now()
	// What Guardrails say to rules is read by every rule: where they say something else, everything is asked anew.
	if parameters := rules.Rulebook.Parameters(); c.incremental == nil || !slices.Equal(c.asked, checks) || !reflect.DeepEqual(c.parameters, parameters) {
		occasion := policies.Occasion{Phase: policies.AtAudit, Now: began, Parameters: parameters, Meter: c.Meter}
		c.asked, c.parameters, c.incremental, c.verified = checks, parameters, NewIncremental(checks, occasion), began
	}
	full := c.incremental.Snapshot() == nil
	var replaced []Replaced
	if c.incremental.Snapshot() != s {
		replaced = c.incremental.Step(s)
		c.panicked(replaced)
		c.observe(Observation{Full: full, Objects: len(replaced), Took: c.Clock.Since(began)})
	}
	c.take(c.places.judge(c.incremental, replaced, c.basis(rules, began)), began)
	if !c.held {
		c.ledger.Saw(began)
	}
}

// basis is what decides now what is done about what is found.
func (c *Continuous) basis(rules *Authored, now time.Time) basis {
	b := basis{rules: rules, labels: c.Labels, now: now, beside: map[string][]policies.Finding{}}
	for _, f := range c.foundBeside() {
		for _, ns := range f.Namespaces {
			b.beside[ns] = append(b.beside[ns], f)
		}
	}
	return b
}

// take enters what is found in namespaces, says what is new and gone, and notes what has to be written.
func (c *Continuous) take(touched []string, now time.Time) {
	if c.unsettled && c.places.rules != nil {
		c.unsettled, touched = false, c.everywhere(touched)
	}
	for _, ns := range c.ledger.Expire(now) {
		c.pending[ns] = time.Time{}
	}
	if len(touched) == 0 {
		return
	}
	var news News
	for _, p := range c.ledger.Places() { // of a namespace that is gone while nobody looked
		if c.places.rules != nil && !slices.Contains(touched, p.Namespace) && c.places.of[p.Namespace] == nil {
			touched = append(touched, p.Namespace)
		}
	}
	for _, ns := range touched {
		found := c.places.found(ns)
		found.Unread, found.Unasked = kindsOf(c.unread), c.unasked
		place, fresh, gone := c.ledger.Update(ns, found, now)
		news.New, news.Resolved = append(news.New, fresh...), append(news.Resolved, gone...)
		c.pending[ns] = time.Time{}
		if c.writer == nil && c.gone(place) { // with one, its report goes first
			c.ledger.Forget(ns)
			delete(c.pending, ns)
		}
	}
	c.latest.Store(&Tallied{Rules: c.places.rules, Snapshot: c.incremental.Snapshot(), Standings: c.places.standings})
	if c.Tell != nil && len(news.New)+len(news.Resolved) > 0 {
		c.Tell(news)
	}
	if c.Report != nil {
		c.Report(c.places.stock())
	}
}

// verify judges everything anew, by the time that was known so far, to see that what is kept is what is found; and then, where
// rules may look at the time, by what time it is.
func (c *Continuous) verify() {
	began := c.Clock.Now()
	c.verified = began
	wrong := c.incremental.Verify()
	c.panicked(wrong)
	c.observe(Observation{Full: true, Objects: len(c.incremental.kept), Took: c.Clock.Since(began), Differences: len(wrong)})
	for _, r := range wrong {
		a := r.Is
		if a == nil {
			a = r.Was
		}
		c.Log.Error(nil, "what was kept of an object is not what is found: this is a mistake in waywarden. It is put right; report it, with the object", "object", a.Object.String())
	}
	rules := c.Authored()
	if rules == nil {
		return
	}
	if slices.ContainsFunc(c.asked, func(k *policies.Check) bool { return k.Revision != "" }) {
		later := c.incremental.At(began)
		c.panicked(later)
		wrong = append(wrong, later...)
	}
	c.take(c.places.judge(c.incremental, wrong, c.basis(rules, began)), began)
}

func (c *Continuous) observe(o Observation) {
	if c.Observe != nil {
		c.Observe(o)
	}
}

// connect finds where reports are stored, and reads them the first time that they can be read; false where that has to be tried
// again first.
func (c *Continuous) connect(ctx context.Context) bool {
	if c.Reports == nil {
		return true
	}
	writer, err := c.Reports(ctx)
	if err == nil && !c.read {
		var unread error
		if unread, err = writer.Restore(ctx, c.ledger); unread != nil {
			c.Log.Error(unread, "a stored report cannot be read, and is written anew")
		}
		c.read = err == nil
		c.unsettled = c.unsettled || c.read
	} else if err == nil {
		err = writer.Check(ctx)
	}
	switch {
	case errors.Is(err, openreports.ErrNotServed), apierrors.IsForbidden(err): // neither keeps the audit from its work
		c.notServed(err)
		return true
	case err != nil:
		if ctx.Err() == nil {
			c.Log.Error(err, "reports cannot be read; it is tried again")
		}
		return false
	}
	c.writer, c.said = writer, false
	for _, p := range c.ledger.Places() {
		c.pending[p.Namespace] = time.Time{} // it is written where it is not what is stored
	}
	return true
}

// notServed says once that there is no place for reports. The audit goes on.
func (c *Continuous) notServed(err error) {
	c.writer = nil
	if !c.said {
		c.said = true
		c.Log.Info("reports are not written: " + err.Error())
	}
}

// write writes the reports that are to be written. What fails stays to be written.
func (c *Continuous) write(ctx context.Context) {
	if c.writer == nil || c.incremental == nil && !c.held {
		return
	}
	unseen := openreports.Unseen{Held: c.held, Kinds: c.unread}
	places := c.reported()
	for _, ns := range slices.Sorted(maps.Keys(c.pending)) {
		p := places[ns]
		if p == nil {
			delete(c.pending, ns)
			continue
		}
		if c.Clock.Now().Before(c.pending[ns]) {
			continue
		}
		outcome, err := c.writer.Write(ctx, p, unseen)
		if errors.Is(err, openreports.ErrNotServed) {
			c.notServed(err)
			return
		}
		c.observe(Observation{Report: outcome})
		if err != nil {
			if ctx.Err() == nil {
				c.Log.Error(err, "a report cannot be written; it is tried again")
			}
			c.pending[ns] = c.Clock.Now().Add(again)
			continue
		}
		delete(c.pending, ns)
		if c.gone(p) {
			c.ledger.Forget(ns)
		}
	}
}
