package inventory

import (
	"encoding/json"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Patched is the object with a patch of RFC 6902, as JSON, applied. The object itself stays as it is. The error is for a
// patch that does not apply, and for one that makes something else of the object.
func Patched(o *mesh.Object, patch []byte) (*mesh.Object, error) {
	ops, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		return nil, err
	}
	before, err := json.Marshal(o.Content())
	if err != nil {
		return nil, err
	}
	after, err := ops.Apply(before)
	if err != nil {
		return nil, err
	}
	var content map[string]any
	if err := utiljson.Unmarshal(after, &content); err != nil {
		return nil, err
	}
	next, err := mesh.Decode(content)
	if err != nil {
		return nil, err
	}
	if next.Kind != o.Kind {
		return nil, fmt.Errorf("the patch makes a %s of a %s", next.Kind, o.Kind)
	}
	// What the reader filled in. Nobody else has seen next yet.
	next.Namespace, next.Name, next.Live = o.Namespace, o.Name, o.Live
	return next, nil
}
