package gatekeeper

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/rules"
)

// match is spec.match of a Constraint.
type match struct {
	Kinds []struct {
		APIGroups []string `json:"apiGroups"`
		Kinds     []string `json:"kinds"`
	} `json:"kinds"`
	Scope              string                `json:"scope"`
	Name               string                `json:"name"`
	Source             string                `json:"source"`
	Namespaces         []string              `json:"namespaces"`
	ExcludedNamespaces []string              `json:"excludedNamespaces"`
	LabelSelector      *metav1.LabelSelector `json:"labelSelector"`
	NamespaceSelector  *metav1.LabelSelector `json:"namespaceSelector"`
}

// kinds are the kinds that a match means, as METADATA names them.
func (m *match) kinds(refuse func(format string, args ...any)) (out []string) {
	for _, one := range m.Kinds {
		for _, kind := range one.Kinds {
			for _, group := range one.APIGroups {
				name := kind
				if group != "" {
					name += "." + group
				}
				k, ok := rules.KindNamed(name)
				switch {
				case kind == "*" || group == "*":
					refuse("its match.kinds has *: a rule names the kinds that it is asked of. Name them.")
				case !ok || group == "" && k.Group() != "":
					refuse("its match.kinds has %s, which Waywarden does not read. Leave that kind to Gatekeeper.", name)
				case m.Scope == "Cluster" && k.Namespaced(), m.Scope == "Namespaced" && !k.Namespaced():
					refuse("its match.scope is %s, and %s is not. Leave the kind out.", m.Scope, k)
				case !slices.Contains(out, rules.KindName(k)):
					out = append(out, rules.KindName(k))
				}
			}
		}
	}
	if len(m.Kinds) == 0 {
		refuse("it has no match.kinds: a rule names the kinds that it is asked of. Name them.")
	}
	if m.Source == "Generated" {
		refuse("its match.source is Generated: objects are judged as they are stored, and none is made up. Leave it out.")
	}
	return out
}

// skips are the rules skip that say of what a Constraint does not hold; labels is where those of the object are.
func (m *match) skips(labels string) string {
	var b strings.Builder
	skip := func(reason, body string) { fmt.Fprintf(&b, "\nskip contains %q if {\n%s}\n", reason, body) }
	const name = `object.get(input.object.metadata, "name", "")`
	// A Namespace is in itself.
	const namespace = "\tnamespace := object.get(input.object.metadata, \"namespace\", " + name + ")\n"
	if m.Name != "" {
		skip("its name is another one", fmt.Sprintf("\tnot %s\n", glob(m.Name, name)))
	}
	if len(m.Namespaces) > 0 {
		skip("its namespace is not one of those that are looked at", namespace+fmt.Sprintf("\tnot within(%s, namespace)\n", list(m.Namespaces)))
	}
	if len(m.ExcludedNamespaces) > 0 {
		skip("its namespace is excluded", namespace+fmt.Sprintf("\twithin(%s, namespace)\n", list(m.ExcludedNamespaces)))
	}
	for _, s := range []struct {
		of, labels string
		selector   *metav1.LabelSelector
	}{{"it", labels, m.LabelSelector}, {"its namespace", "input.namespace.labels", m.NamespaceSelector}} {
		for _, body := range misses(s.selector, s.labels) {
			skip(s.of+" does not have the labels that are looked for", body)
		}
	}
	if m.NamespaceSelector != nil {
		skip("the labels of its namespace are not known", "\tnot input.namespace\n")
	}
	if len(m.Namespaces)+len(m.ExcludedNamespaces) > 0 {
		b.WriteString("\nwithin(globs, name) if {\n\tsome one in globs\n\tglob.match(one, null, name)\n}\n")
	}
	return b.String()
}

func glob(pattern, value string) string {
	return fmt.Sprintf("glob.match(%q, null, %s)", pattern, value)
}

func list(all []string) string {
	quoted := make([]string, len(all))
	for i, s := range all {
		quoted[i] = fmt.Sprintf("%q", s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// misses are conditions of which one holds where labels are not selected.
func misses(s *metav1.LabelSelector, labels string) (out []string) {
	if s == nil {
		return nil
	}
	keys := make([]string, 0, len(s.MatchLabels))
	for k := range s.MatchLabels {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	add := func(format string, args ...any) {
		out = append(out, "\tlabels := "+labels+"\n\t"+fmt.Sprintf(format, args...)+"\n")
	}
	for _, k := range keys {
		add("not labels[%q] == %q", k, s.MatchLabels[k])
	}
	for _, e := range s.MatchExpressions {
		switch e.Operator {
		case metav1.LabelSelectorOpIn:
			add("not labels[%q] in %s", e.Key, list(e.Values))
		case metav1.LabelSelectorOpNotIn:
			add("labels[%q] in %s", e.Key, list(e.Values))
		case metav1.LabelSelectorOpExists:
			add("not %q in object.keys(labels)", e.Key)
		case metav1.LabelSelectorOpDoesNotExist:
			add("%q in object.keys(labels)", e.Key)
		}
	}
	return out
}
