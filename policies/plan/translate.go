package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/waywarden/waywarden/policies/mesh"
)

// A port means the container's at ztunnel, and the Service's at a waypoint.

// portMap is to which container port each port of a Service leads; exact is false where that differs between its pods.
func portMap(s *mesh.Snapshot, svc *mesh.Object, behind []*mesh.Workload) (out map[string]string, exact bool) {
	out = map[string]string{}
	for _, p := range s.Ports(svc) {
		if p.Protocol == mesh.UDP {
			continue
		}
		number := strconv.Itoa(int(p.Number))
		for i, w := range behind {
			target := mesh.TargetPort(p, w)
			if target == 0 || i > 0 && out[number] != strconv.Itoa(int(target)) {
				return nil, false
			}
			out[number] = strconv.Itoa(int(target))
		}
	}
	return out, true
}

// translated is the rule with the ports of the Service for those of its containers; possible is false where none of its
// ports is meant.
func (r rule) translated(ports map[string]string) (out rule, possible bool) {
	for _, c := range r {
		if c.about(portsField) {
			next, whole := clause{key: c.key}, false
			for _, a := range c.alternatives {
				if len(a) == 0 {
					continue
				}
				switch of := a.servicePorts(ports); {
				case len(of) == len(ports):
					whole = true // every port of the Service is meant
				case len(of) > 0:
					next.alternatives = append(next.alternatives, conditions{portsField: of})
				}
			}
			if whole {
				continue
			}
			if len(next.alternatives) == 0 {
				return nil, false
			}
			c = next
		}
		out = append(out, c)
	}
	return out, true
}

// anyPort is the rule without what it asks of ports.
func (r rule) anyPort() rule {
	return slices.DeleteFunc(slices.Clone(r), func(c clause) bool { return c.about(portsField) })
}

func (c clause) about(field string) bool {
	return slices.ContainsFunc(c.alternatives, func(a conditions) bool { return len(a[field])+len(a[negated(field)]) > 0 })
}

// servicePorts are the Service's ports that lead to a container port that is meant.
func (a conditions) servicePorts(ports map[string]string) []string {
	var out []string
	for _, number := range slices.SortedFunc(maps.Keys(ports), byNumber) {
		target := ports[number]
		if is := a[portsField]; (len(is) == 0 || slices.Contains(is, target)) && !slices.Contains(a[negated(portsField)], target) {
			out = append(out, number)
		}
	}
	return out
}

func byNumber(a, b string) int {
	x, _ := strconv.Atoi(a)
	y, _ := strconv.Atoi(b)
	return x - y
}

// written are rules as an AuthorizationPolicy has them.
func written(rules []rule) []any {
	out := []any{}
	for _, r := range rules {
		m := map[string]any{}
		for _, c := range r {
			switch {
			case c.key != "":
				when, _ := m["when"].([]any)
				m["when"] = append(when, writtenWhen(c))
			case c.about(portsField):
				m["to"] = writtenList(c, "operation")
			default:
				m["from"] = writtenList(c, "source")
			}
		}
		out = append(out, m)
	}
	return out
}

func writtenList(c clause, of string) []any {
	out := []any{}
	for _, a := range c.alternatives {
		if len(a) == 0 {
			continue
		}
		fields := map[string]any{}
		for f, values := range a {
			fields[f] = anyList(values)
		}
		out = append(out, map[string]any{of: fields})
	}
	return out
}

func writtenWhen(c clause) map[string]any {
	w := map[string]any{"key": c.key}
	for f, values := range c.alternatives[0] {
		if strings.HasPrefix(f, "not") {
			w["notValues"] = anyList(values)
		} else {
			w["values"] = anyList(values)
		}
	}
	return w
}

func anyList(in []string) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}
