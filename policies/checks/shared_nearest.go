package checks

import (
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// nearest is the one object of the kind and namespace whose name differs in one or two characters.
func nearest(p *policies.Pass, t policies.Target) string {
	var near []string
	for _, kind := range []mesh.Kind{mesh.Service, mesh.ServiceEntry, mesh.Gateway} {
		if kind.String() != t.Kind {
			continue
		}
		for _, o := range p.List(kind, t.Namespace) {
			if distance(o.Name, t.Name) <= min(2, len(t.Name)/2) {
				near = append(near, o.Name)
			}
		}
	}
	if len(near) == 1 {
		return near[0]
	}
	return ""
}

// distance is the number of characters to change, add or remove.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
