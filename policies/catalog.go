package policies

import "github.com/waywarden/waywarden/policies/mesh"

// Catalog is a set of checks, sorted out once, so that what is asked of a kind is looked up. It is immutable: another set is
// another Catalog.
type Catalog struct {
	checks  []*Check
	objects map[mesh.Kind][]*Check
	changes map[mesh.Kind][]*Check
}

// NewCatalog sorts checks out.
func NewCatalog(checks []*Check) *Catalog {
	c := &Catalog{checks: checks, objects: map[mesh.Kind][]*Check{}, changes: map[mesh.Kind][]*Check{}}
	for _, check := range checks {
		for _, k := range check.Kinds {
			if check.Run != nil {
				c.objects[k] = append(c.objects[k], check)
			}
			if check.Change != nil {
				c.changes[k] = append(c.changes[k], check)
			}
		}
	}
	return c
}

// Checks are all of them, as they were given. Do not write to it.
func (c *Catalog) Checks() []*Check { return c.checks }

// OfObjects are those that are asked of objects of a kind.
func (c *Catalog) OfObjects(k mesh.Kind) []*Check { return c.objects[k] }

// OfChanges are those that are asked of changes of objects of a kind.
func (c *Catalog) OfChanges(k mesh.Kind) []*Check { return c.changes[k] }
