package webhook

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/inventory"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// RepairedAnnotation says on an object what its repair took away and what it put in place of that. Whoever applies the
// same file again, server-side or not, brings back what was taken away and leaves what was put there, because it was never
// theirs: the two together would be neither what was written nor what was repaired, and often not even valid. So what was
// put there is taken back first, and the file is repaired anew, as it stands then.
const RepairedAnnotation = "waywarden.dev/repaired"

// repairs are fields by their JSON pointers.
type repairs struct {
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
}

// repairsOf are the fields that patches add and remove, by which o came about. Items of lists are not among them: whoever
// applies a list again applies it whole.
func repairsOf(o *mesh.Object, ops []policies.Op) repairs {
	var r repairs
	for _, op := range ops {
		switch {
		case throughList(o.Content(), op.Path), strings.HasPrefix(op.Path, annotationsPath):
		case op.Op == "add":
			r.Added = append(r.Added, op.Path)
		case op.Op == "remove":
			r.Removed = append(r.Removed, op.Path)
		}
	}
	return r
}

const annotationsPath = "/metadata/annotations"

// throughList is whether a pointer leads through a list. A number alone does not say so: the ports of a PeerAuthentication
// are keys of a map.
func throughList(content map[string]any, pointer string) bool {
	elements := strings.Split(pointer, "/")
	for i, e := range elements {
		if _, err := strconv.Atoi(e); err != nil && e != "-" {
			continue
		}
		if _, keys := at(content, strings.Join(elements[:i], "/")).(map[string]any); !keys {
			return true
		}
	}
	return false
}

// takenBack are the operations that undo an earlier repair whose object was applied anew; none where it was not.
func takenBack(o *mesh.Object) []policies.Op {
	text, ok := o.Annotations[RepairedAnnotation]
	if !ok {
		return nil
	}
	var r repairs
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil // somebody wrote it by hand, and nothing follows from it
	}
	if !slices.ContainsFunc(r.Removed, func(p string) bool { return at(o.Content(), p) != nil }) {
		return nil
	}
	var out []policies.Op
	for _, p := range r.Added {
		if strings.HasPrefix(p, "/spec/") && at(o.Content(), p) != nil {
			out = append(out, policies.Op{Op: "remove", Path: p})
		}
	}
	return append(out, policies.Op{Op: "remove", Path: annotationsPath + policies.Pointer(RepairedAnnotation)})
}

// patched is the object with operations applied; nil where they do not apply.
func patched(o *mesh.Object, ops []policies.Op) *mesh.Object {
	raw, err := json.Marshal(ops)
	if err != nil {
		return nil
	}
	next, err := inventory.Patched(o, raw)
	if err != nil {
		return nil
	}
	return next
}

// marked are the operations that say on an object what its repair took away and put there; none where it took nothing
// away that can come back.
func marked(o *mesh.Object, ops []policies.Op) []policies.Op {
	r := repairsOf(o, ops)
	if len(r.Removed) == 0 {
		return nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil
	}
	if len(o.Annotations) == 0 {
		return []policies.Op{{Op: "add", Path: annotationsPath, Value: map[string]any{RepairedAnnotation: string(text)}}}
	}
	return []policies.Op{{Op: "add", Path: annotationsPath + policies.Pointer(RepairedAnnotation), Value: string(text)}}
}
