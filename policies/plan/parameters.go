package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// makeParameters makes the ConfigMap that the Gateway refers to.
func (c *course) makeParameters() outcome {
	if c.planned.Existing || c.planned.Parameters == nil {
		return settled
	}
	return c.ensure(MakeParameters, c.planned.Parameters, c.newParameters(), c.planned.Needs)
}

// newParameters is why the ConfigMap is written, where it is.
func (c *course) newParameters() string {
	stored := find(c.snapshot, refIn(c.planned.Parameters))
	if stored == nil || !c.Evidence.Managed.Made(stored) {
		return "the Gateway will refer to it"
	}
	was, is := stored.Spec.(*mesh.ConfigMapBody).Data, c.planned.profile.Parameters
	keys := maps.Clone(is)
	maps.Copy(keys, was)
	maps.DeleteFunc(keys, func(key, _ string) bool {
		before, had := was[key]
		after, has := is[key]
		return had == has && before == after
	})
	if len(keys) == 0 {
		return "its labels or annotations are not as they were made"
	}
	return fmt.Sprintf("it is not as WaypointProfile %s says: %s", nameOf(c.planned.profile), strings.Join(slices.Sorted(maps.Keys(keys)), ", "))
}
