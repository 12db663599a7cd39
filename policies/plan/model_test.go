package plan

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A model of a mesh with a data plane, because nothing without one can show a gap:
//
//   - an API server that keeps every state that it ever had;
//   - two istiods, each of which has seen some of them, of AuthorizationPolicies and of Gateways others than of the rest, because
//     between kinds there is no order;
//   - a ztunnel on each node and the pods of each waypoint, each of which runs with what its istiod had seen when it took
//     its last push;
//   - connections, which keep the path on which they were opened;
//   - identities: who calls, and behind a waypoint the waypoint.
//
// It judges policies by itself, and not by the code that it tests.

// state is the mesh as it was stored at a time.
type state struct {
	snapshot *mesh.Snapshot
	at       time.Time

	// What a proxy takes from it. That of people is the same slice as in the state before where they changed nothing.
	all, people []*mesh.Object // AuthorizationPolicies
	bindings
}

// follow is the state that follows one.
func (m *model) follow(was state, s *mesh.Snapshot, at time.Time) state {
	out := state{snapshot: s, at: at, bindings: m.bindingsOf(s, s)}
	for o := range s.All(mesh.AuthorizationPolicy) {
		out.all = append(out.all, o)
		if o.Labels[ManagedByLabel] != ManagedBy {
			out.people = append(out.people, o)
		}
	}
	if slices.Equal(out.people, was.people) {
		out.people = was.people
	}
	return out
}

// versions are of states: of AuthorizationPolicies, of Gateways, and of the rest.
type versions struct{ policies, gateways, rest int }

// proxy is a ztunnel, or a pod of a waypoint.
type proxy struct {
	istiod int
	versions
}

type waypointPod struct {
	proxy
	ready bool
}

// connection is one that was opened.
type connection struct {
	client  client
	service string
	to      pod
	way
	parted bool // it has stayed on its path since a person changed what its Service is bound to
}

// way is how a connection goes: by a pod of a waypoint, nil where none is ready, or directly where waypoint is "".
type way struct {
	waypoint string
	pod      *waypointPod
}

type client struct{ name, node string }

func (c client) principal() string { return "cluster.local/ns/shop/sa/" + c.name }

type pod struct{ app, node, namespace string }

// decision is what a controller has decided, and by what.
type decision struct {
	world    World
	progress Progress
}

type model struct {
	rand    *rand.Rand
	chance  *rand.Rand // of what varied sequences have besides
	lag     *rand.Rand // of how old is what the controller knows of proxies
	varied  bool       // whether there are exceptions to guards, holds, and a controller that does not see all
	now     time.Time
	states  []state
	uids    int
	rv      map[mesh.Ref]int
	managed Managed
	istiods []versions        // how far each has seen
	nodes   map[string]*proxy // ztunnels
	apps    []pod
	pods    map[string][]*waypointPod // of waypoints
	live    []connection
	changed map[mesh.Ref]time.Time // since the controller began
	began   time.Time
	seen    int // how far the controller has seen
	known   evidence
	decided decision

	whim     *rand.Rand // of an API server that refuses writes
	contrary bool       // whether it is one
	refusing *refusal   // what it refuses now
	tries    map[mesh.Ref]try
	late     map[string]bool // Services of which what is said of clients was not said when all came to rest
	fickle   *rand.Rand      // of waypoints of which it is not always known how they are
	unsteady bool            // whether they are such
	meters   map[string]metering
	timed    map[string]bool // waypoints of which something was taken away when the time was over that connections are given

	calm     map[string]int       // by Service, the state at which nothing was left to do, and everybody knew
	broke    map[string]bool      // Services whose binding a person changed since
	closed   map[string]bool      // Services that were closed because no endpoint was ready
	told     map[string]bool      // Services of which the plan said then that something is in the way
	shut     map[string]bool      // Services of which it was said then that an ALLOW of ours is the last over their pods
	served   map[string]time.Time // when a waypoint was last ready
	labelled map[string]time.Time // when a Service was last bound to a waypoint, by both
	lets     string               // what went wrong once: a step of ours that let somebody in, a connection that was cut
	order    *tables
	spoil    func(*Plan, *mesh.Snapshot) // what a mutant makes of a plan for a mesh
	unseen   string                      // why something may be there that the controller does not see; "" where it sees all
	setting  Setting
	settings map[string]Setting // of single namespaces
	log      []string
	plans    map[*mesh.Snapshot]Plan
	pairs    map[[2]int]bindings // by versions of the rest and of Gateways
}

var (
	clients  = []client{{"web", "n1"}, {"dev", "n2"}, {"ops", "n1"}}
	services = []string{"cart", "ord"} // no two namespaces have one of the same name
	methods  = []string{"GET", "DELETE"}
)

// insider is the client that a guard may let in beside the waypoint.
var insider = clients[2]

func newModel(seed uint64, order *tables) *model {
	m := &model{
		rand: rand.New(rand.NewPCG(seed, 1)), chance: rand.New(rand.NewPCG(seed, 2)), lag: rand.New(rand.NewPCG(seed, 3)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		rv: map[mesh.Ref]int{}, managed: Managed{}, istiods: make([]versions, 2), nodes: map[string]*proxy{"n1": {}, "n2": {istiod: 1}},
		pods: map[string][]*waypointPod{}, changed: map[mesh.Ref]time.Time{}, broke: map[string]bool{}, told: map[string]bool{}, shut: map[string]bool{}, closed: map[string]bool{}, served: map[string]time.Time{}, labelled: map[string]time.Time{},
		whim: rand.New(rand.NewPCG(seed, 4)), contrary: seed%4 == 3, tries: map[mesh.Ref]try{}, late: map[string]bool{}, calm: map[string]int{},
		fickle: rand.New(rand.NewPCG(seed, 5)), unsteady: seed%5 == 2, meters: map[string]metering{}, timed: map[string]bool{},
		order: order, plans: map[*mesh.Snapshot]Plan{}, pairs: map[[2]int]bindings{},
	}
	if order == nil {
		m.order = m.watched(standard())
	}
	m.setting = Setting{Mode: Provision, Profile: Profile{Name: "default", RetainFor: time.Minute, DrainFor: time.Minute}}
	m.varied = seed < firstMove && seed%7 == 5 // the others stay as they are, and what tells mutants apart with them
	if m.rand.IntN(3) == 0 {
		m.setting.Profile.Granularity = PerService
	}
	if m.rand.IntN(2) == 0 {
		m.setting.Bypass = Guard
		if m.varied && m.chance.IntN(2) == 0 {
			m.setting.Exceptions = []Exception{{Principals: []string{insider.principal()}, Reason: "it goes round"}}
		}
	}
	if m.varied && m.chance.IntN(2) == 0 {
		m.setting.Pending = Guard
	}
	ord := "shop"
	if seed >= firstShared {
		ord = "pay"
	}
	m.apps = []pod{{"cart", "n1", "shop"}, {"cart", "n2", "shop"}, {"ord", "n2", ord}}
	m.inhabit()
	return m
}

// inhabit is the mesh as it begins.
func (m *model) inhabit() {
	objects := []string{`{apiVersion: v1, kind: Namespace, metadata: {name: istio-system, uid: u2}}`}
	for i, ns := range m.namespaces() {
		objects = append(objects, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, uid: n%d, labels: {istio.io/dataplane-mode: ambient}}}`, ns, i))
	}
	for i, s := range services {
		ns := m.home(s)
		objects = append(objects, fmt.Sprintf(`{apiVersion: v1, kind: Service, metadata: {name: %s, namespace: %s, uid: s%d}, spec: {clusterIP: 10.96.0.1%d, selector: {app: %s}, ports: [{name: http, port: 80, targetPort: 8080}]}}`, s, ns, i, i, s))
		objects = append(objects, fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s, namespace: %s, uid: d%d}, spec: {selector: {matchLabels: {app: %s}}, template: {metadata: {labels: {app: %s}}, spec: {containers: [{name: a, image: a, ports: [{containerPort: 8080}]}]}}}}`, s, ns, i, s, s))
	}
	for _, s := range services {
		objects = append(objects, endpointSlice(m.home(s), s, m.setting.Pending != Guard || m.chance.IntN(2) == 0))
	}
	var all []*mesh.Object
	for _, o := range objects {
		all = append(all, parse(o))
	}
	m.states = []state{m.follow(state{}, mesh.New(mesh.Options{}, all...), m.now)}
	m.began = m.now
	m.tick(time.Second)
}

func (m *model) tick(d time.Duration) { m.now = m.now.Add(d) }

func (m *model) latest() *mesh.Snapshot { return m.states[len(m.states)-1].snapshot }

// store writes a state in which one object is different; o is nil where it is deleted.
func (m *model) store(ref mesh.Ref, o *mesh.Object) {
	m.tick(time.Millisecond)
	s := m.latest()
	if o == nil {
		s = s.Without(find(s, ref))
		delete(m.managed, ref)
	} else {
		s = s.With(o)
	}
	m.rv[ref]++
	m.changed[ref] = m.now
	m.states = append(m.states, m.follow(m.states[len(m.states)-1], s, m.now))
	m.tick(time.Millisecond)
}

// acknowledged is up to when every proxy knows what was stored.
func (m *model) acknowledged() time.Time {
	slowest := len(m.states) - 1
	for _, p := range m.proxies() {
		slowest = min(slowest, p.policies, p.gateways, p.rest)
	}
	if slowest == len(m.states)-1 {
		return m.now
	}
	return m.states[slowest+1].at.Add(-1)
}

func (m *model) proxies() []*proxy {
	var out []*proxy
	for _, n := range slices.Sorted(maps.Keys(m.nodes)) {
		out = append(out, m.nodes[n])
	}
	for _, gw := range slices.Sorted(maps.Keys(m.pods)) {
		for _, p := range m.pods[gw] {
			if p.ready {
				out = append(out, &p.proxy)
			}
		}
	}
	return out
}

// push is a proxy that takes what its istiod has seen. It never goes back.
func (m *model) push(p *proxy) {
	of := m.istiods[p.istiod]
	p.policies, p.gateways, p.rest = max(p.policies, of.policies), max(p.gateways, of.gateways), max(p.rest, of.rest)
}

// readies makes pods of waypoints ready or not, as istiod and the kubelets would. A new one has taken its configuration
// before it is ready.
func (m *model) readies() {
	m.serving() // up to now
	for _, gw := range m.gateways() {
		pods := m.pods[gw.Key()]
		if len(pods) == 0 {
			m.pods[gw.Key()] = []*waypointPod{{proxy: proxy{istiod: 0}}, {proxy: proxy{istiod: 1}}}
			delete(m.timed, gw.Key()) // that was another one
			continue
		}
		p := pods[m.rand.IntN(len(pods))]
		if p.ready = !p.ready; p.ready {
			m.push(&p.proxy)
			if !mesh.Ready(gw) && p.gateways >= m.versionOf(gw) {
				m.address(gw)
			}
		} else {
			m.live = slices.DeleteFunc(m.live, func(c connection) bool { return c.pod == p })
		}
	}
	m.serving()
}

func (m *model) serving() {
	for name := range m.pods {
		if m.serves(name) {
			m.served[name] = m.now
		}
	}
}

func (m *model) gateways() []*mesh.Object { return m.all(mesh.Gateway) }

// all are the objects of a kind, namespace by namespace.
func (m *model) all(kind mesh.Kind) []*mesh.Object {
	var out []*mesh.Object
	for _, ns := range m.namespaces() {
		out = append(out, m.latest().List(kind, ns)...)
	}
	return out
}

// versionOf is the first state in which the Gateway is there.
func (m *model) versionOf(gw *mesh.Object) int {
	for i := len(m.states) - 1; i >= 0; i-- {
		if o := m.states[i].snapshot.Get(mesh.Gateway, gw.Namespace, gw.Name); o == nil || o.UID != gw.UID {
			return i + 1
		}
	}
	return 0
}

func (m *model) address(gw *mesh.Object) {
	content := maps.Clone(gw.Content())
	content["status"] = map[string]any{"addresses": []any{map[string]any{"type": "Hostname", "value": gw.Name}}}
	o := *decode(content)
	o.Live = true
	m.store(refOf(gw), &o)
}

func (m *model) serves(gw string) bool {
	return slices.ContainsFunc(m.pods[gw], func(p *waypointPod) bool { return p.ready })
}

// parsed are the objects that parse has read. Objects are immutable, and reading takes longer than all the rest.
var parsed sync.Map

func parse(text string) *mesh.Object {
	if o, ok := parsed.Load(text); ok {
		return o.(*mesh.Object)
	}
	o := decode(yamlOf(text))
	parsed.Store(text, o)
	return o
}

func (m *model) note(format string, args ...any) {
	m.log = append(m.log, m.now.Format("15:04:05.000")+" "+fmt.Sprintf(format, args...))
}

func (m *model) uid() string { m.uids++; return "uid-" + strconv.Itoa(m.uids) }

func (m *model) history() string {
	return strings.Join(m.log[max(0, len(m.log)-80):], "\n")
}
