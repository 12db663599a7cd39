package main

import (
	"cmp"
	"slices"
	"strings"
)

// didYouMean is "; did you mean x or y?" where candidates come close to name, else "".
func didYouMean(name string, candidates []string) string {
	near := nearest(name, candidates)
	if len(near) == 0 {
		return ""
	}
	if last := len(near) - 1; last > 0 {
		return "; did you mean " + strings.Join(near[:last], ", ") + " or " + near[last] + "?"
	}
	return "; did you mean " + near[0] + "?"
}

// nearest are at most three candidates that name could be a slip of, the closest first.
func nearest(name string, candidates []string) []string {
	type scored struct {
		name     string
		distance int
	}
	var found []scored
	name = strings.ToLower(strings.Trim(name, "*/"))
	for _, c := range candidates {
		low := strings.ToLower(c)
		d := min(distance(name, low), distance(name, low[strings.LastIndexByte(low, '/')+1:]))
		if len(name) >= 3 && strings.Contains(low, name) {
			d = min(d, 1)
		}
		if d <= max(1, len(name)/3) {
			found = append(found, scored{c, d})
		}
	}
	slices.SortFunc(found, func(a, b scored) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), strings.Compare(a.name, b.name))
	})
	var out []string
	for _, s := range found[:min(len(found), 3)] {
		out = append(out, s.name)
	}
	return out
}

// distance is how many letters must be put in, left out, changed, or swapped with their neighbour to
// make b of a.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := d[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
