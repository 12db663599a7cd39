package mesh

import (
	"maps"
	"slices"
	"strings"
)

// LabelSelector is a Kubernetes label selector. Nil selects nothing, the empty one everything.
type LabelSelector struct {
	MatchLabels      map[string]string `json:"matchLabels"`
	MatchExpressions []Requirement     `json:"matchExpressions"`
}

// Requirement is one entry of a selector's matchExpressions.
type Requirement struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Values   []string `json:"values"`
}

// Matches reports whether labels are selected. An operator that Kubernetes does not know selects
// nothing, as an API server would have refused it.
func (s *LabelSelector) Matches(labels map[string]string) bool {
	if s == nil {
		return false
	}
	if !subset(s.MatchLabels, labels) {
		return false
	}
	for _, r := range s.MatchExpressions {
		v, has := labels[r.Key]
		in := has && slices.Contains(r.Values, v)
		ok := false
		switch r.Operator {
		case "In":
			ok = in
		case "NotIn":
			ok = !in
		case "Exists":
			ok = has
		case "DoesNotExist":
			ok = !has
		}
		if !ok {
			return false
		}
	}
	return true
}

// subset reports whether labels carry all of want.
func subset(want, labels map[string]string) bool {
	for k, v := range want {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// FormatLabels prints labels sorted, as in "app=cart,version=v1".
func FormatLabels(labels map[string]string) string {
	var b strings.Builder
	for i, k := range slices.Sorted(maps.Keys(labels)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(k + "=" + labels[k])
	}
	return b.String()
}
