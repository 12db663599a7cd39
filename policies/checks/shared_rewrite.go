package checks

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// rewritten offers a patch of the policy itself where the mesh as it is proves it: with the patched
// object every effect of the policy is enforced as written.
func rewritten(p *policies.Pass, message string, ops []policies.Op) []policies.Fix {
	if len(ops) == 0 {
		return nil
	}
	next, ok := patched(p.Object.Content(), ops)
	if !ok {
		return nil
	}
	for _, e := range policies.Effects(p.Snapshot.With(next), next) {
		if e.Verdict != policies.Enforced {
			return nil
		}
	}
	return []policies.Fix{{Message: message, Patch: ops}}
}

// patched is an object after add, remove and replace; false where an operation does not fit.
func patched(content map[string]any, ops []policies.Op) (*mesh.Object, bool) {
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, false
	}
	var doc any
	if json.Unmarshal(raw, &doc) != nil {
		return nil, false
	}
	for _, op := range ops {
		path := strings.Split(strings.TrimPrefix(op.Path, "/"), "/")
		if !change(&doc, path, op) {
			return nil, false
		}
	}
	next, err := mesh.Decode(doc.(map[string]any))
	return next, err == nil
}

// change applies one operation below node.
func change(node *any, path []string, op policies.Op) bool {
	if len(path) == 0 {
		*node = op.Value
		return true
	}
	key := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[0])
	last := len(path) == 1
	switch at := (*node).(type) {
	case map[string]any:
		child, ok := at[key]
		switch {
		case last && op.Op == "remove":
			delete(at, key)
			return ok
		case !last && !ok:
			return false
		}
		ok = change(&child, path[1:], op)
		at[key] = child
		return ok
	case []any:
		i, err := strconv.Atoi(key)
		if last && op.Op == "add" && (key == "-" || err == nil && i == len(at)) {
			*node = append(at, op.Value)
			return true
		}
		if err != nil || i < 0 || i >= len(at) {
			return false
		}
		switch {
		case last && op.Op == "remove":
			*node = slices.Delete(at, i, i+1)
		case last && op.Op == "add":
			*node = slices.Insert(at, i, op.Value)
		default:
			return change(&at[i], path[1:], op)
		}
		return true
	}
	return false
}

// sourcePointer and whenPointer are where a source and a condition of a rule stand.
func sourcePointer(rule, from int, field ...string) string {
	return policies.Pointer(append([]string{"spec", "rules", strconv.Itoa(rule), "from", strconv.Itoa(from), "source"}, field...)...)
}

func whenPointer(rule, when int, field ...string) string {
	return policies.Pointer(append([]string{"spec", "rules", strconv.Itoa(rule), "when", strconv.Itoa(when)}, field...)...)
}

// addRealPrincipals adds, beside principals written with another name of the trust domain, the same with
// the real one, where that only restricts: for those whom a DENY names, and those whom an ALLOW leaves out.
// The other name stays: a peer that still has it, in the course of a migration, is matched by it.
func addRealPrincipals(p *policies.Pass, spec *mesh.AuthorizationPolicySpec) []policies.Fix {
	var ops []policies.Op
	opens := false
	deny := policies.Action(spec) == policies.Deny
	eachPrincipals(spec, func(list []string, names bool, at string) {
		for _, v := range list {
			if real, other := policies.RealPrincipal(p.Snapshot, v); other && !slices.Contains(list, real) {
				opens = opens || names != deny
				ops = append(ops, policies.Op{Op: "add", Path: at + "/-", Value: real})
			}
		}
	})
	if opens {
		return nil
	}
	return rewritten(p, fmt.Sprintf("add the principals with trust domain %s; from then on their calls are denied", p.Settings().TrustDomain), ops)
}

// eachPrincipals gives the lists of principals of a policy: whether one names whom it is about, or else leaves out, and its JSON pointer.
func eachPrincipals(spec *mesh.AuthorizationPolicySpec, give func(list []string, names bool, at string)) {
	for i := range spec.Rules {
		for j := range spec.Rules[i].From {
			src := &spec.Rules[i].From[j].Source
			give(src.Principals, true, sourcePointer(i, j, "principals"))
			give(src.NotPrincipals, false, sourcePointer(i, j, "notPrincipals"))
		}
		for j, w := range spec.Rules[i].When {
			if w.Key == "source.principal" {
				give(w.Values, true, whenPointer(i, j, "values"))
				give(w.NotValues, false, whenPointer(i, j, "notValues"))
			}
		}
	}
}
