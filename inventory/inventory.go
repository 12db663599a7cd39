package inventory

import (
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/inventory/manifest"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Inventory is objects with where they came from. It is not changed after the function that made it returned.
type Inventory struct {
	// Objects are in the order in which they were found; none twice.
	Objects []*mesh.Object
	// Guardrails, Exemptions, Profiles and Packs are what users wrote for Waywarden itself; well formed, and none twice.
	Guardrails []*v1alpha1.Guardrail
	Exemptions []*v1alpha1.Exemption
	Profiles   []*v1alpha1.WaypointProfile
	Packs      []*v1alpha1.RulePack
	// Problems are what could not be read. Everything else was, all the same.
	Problems []manifest.Problem
	// Ignored counts objects that decide nothing in a mesh, as in "v1/ConfigMap": 3.
	Ignored map[string]int
	// Skipped are files found in a directory that hold no Kubernetes object.
	Skipped []string
	// Unread are the kinds that a cluster did not show, in the order of mesh.Kinds.
	Unread []Unread

	passed []mesh.Kind // kinds of evidence that a cluster was not asked for

	read      []string // files that hold objects, in order
	documents map[id]*manifest.Document
	authored  map[mesh.Ref]*manifest.Document // of what users wrote for Waywarden itself, without its version
	managed   map[id]managed
	versions  map[id]string // resourceVersions of what was listed
}

// Read are the files that hold objects, of whatever kind, in the order in which they were read.
func (i *Inventory) Read() []string { return i.read }

// Unread is a kind that a cluster did not show.
type Unread struct {
	Kind     string `json:"kind"`
	Resource string `json:"resource"` // as in "gateways.gateway.networking.k8s.io"
	Why      string `json:"why"`
	Leaves   string `json:"leaves"` // what that leaves unknown, as a sentence
}

// Hidden are the kinds of which there may be objects that are not shown, in order: those that could not be read, Namespace where [List] left
// it out for one of them, and the evidence that nobody asked for. It is mesh.Options.Unread of the Snapshot of these Objects.
func (i *Inventory) Hidden() []mesh.Kind { return hidden(i.Unread, nil, i.passed) }

// hidden takes apart what could not be read and what has not been listed yet: Namespaces are shown beside the latter.
func hidden(unread, unheard []Unread, passed []mesh.Kind) []mesh.Kind {
	out := slices.Clone(passed)
	if !whole(unread) {
		out = append(out, mesh.Namespace)
	}
	for _, u := range slices.Concat(unread, unheard) {
		if !isAuthoredResource(u.Resource) {
			out = append(out, kindOfResource(u.Resource))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// id is what makes two objects the same: all served versions of a kind are one.
type id struct {
	kind            mesh.Kind
	namespace, name string
}

func idOf(o *mesh.Object) id { return id{o.Kind, o.Namespace, o.Name} }

func newInventory() *Inventory {
	return &Inventory{Ignored: map[string]int{}, documents: map[id]*manifest.Document{}, authored: map[mesh.Ref]*manifest.Document{}, managed: map[id]managed{}, versions: map[id]string{}}
}

// Position is where a field of an object is written, or its nearest ancestor. ok is false for what was not read from
// a file. A ref without APIVersion names any object of its kind.
func (i *Inventory) Position(ref mesh.Ref, field string) (file string, line, column int, ok bool) {
	d := i.Document(ref)
	if d == nil {
		return "", 0, 0, false
	}
	line, column = d.Position(field)
	return d.File, line, column, true
}

// Document is the document that an object was read from, nil where there is none. Of several for the same object it is
// the one that counts.
func (i *Inventory) Document(ref mesh.Ref) *manifest.Document {
	if d := i.authored[unversioned(ref)]; d != nil && (ref.APIVersion == "" || ref.APIVersion == v1alpha1.GroupVersion.String()) {
		return d
	}
	if kind, ok := mesh.KindOf(ref.APIVersion, ref.Kind); ok {
		return i.documents[id{kind, ref.Namespace, ref.Name}]
	}
	if ref.APIVersion != "" {
		return nil
	}
	for _, kind := range mesh.Kinds() {
		if kind.String() != ref.Kind {
			continue
		}
		if d := i.documents[id{kind, ref.Namespace, ref.Name}]; d != nil {
			return d
		}
	}
	return nil
}

// ResourceVersion is that of an object when it was listed; "" for what was read from a file, or changed by one.
func (i *Inventory) ResourceVersion(o *mesh.Object) string { return i.versions[idOf(o)] }

// FromFile is whether an object was read from a file, so that somebody can edit it there.
func (i *Inventory) FromFile(o *mesh.Object) bool { return i.documents[idOf(o)] != nil }

func (i *Inventory) ignore(content map[string]any) {
	apiVersion, _ := content["apiVersion"].(string)
	kind, _ := content["kind"].(string)
	i.Ignored[strings.Trim(apiVersion+"/"+kind, "/")]++
}

func mergeCounts(a, b map[string]int) map[string]int {
	out := maps.Clone(a)
	for name, n := range b {
		out[name] += n
	}
	return out
}

func sortUnread(unread []Unread) {
	order := map[string]int{}
	for i, k := range mesh.Kinds() {
		order[resourceName(k, k.Group())] = i
	}
	for _, name := range authoredResources {
		order[authoredResource(name)] = len(order)
	}
	slices.SortStableFunc(unread, func(a, b Unread) int { return order[a.Resource] - order[b.Resource] })
}

func resourceName(k mesh.Kind, group string) string {
	if group == "" {
		return k.Resource()
	}
	return k.Resource() + "." + group
}
