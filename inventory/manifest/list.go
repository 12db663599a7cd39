package manifest

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// expand calls each with every object of a decoded text: the items of a List, and of Lists in it, else the text itself.
// root is asked for only when there is a List.
func expand(content any, root func() *yaml.Node, each func(content any, n *yaml.Node, items []int)) {
	list, ok := listItems(content)
	if !ok {
		each(content, nil, nil)
		return
	}
	expandList(content.(map[string]any), list, root(), nil, each)
}

func expandList(parent map[string]any, list []any, n *yaml.Node, at []int, each func(any, *yaml.Node, []int)) {
	var nodes []*yaml.Node
	if _, v := entry(dealias(n), "items"); dealias(v) != nil && dealias(v).Kind == yaml.SequenceNode {
		nodes = dealias(v).Content
	}
	for i, item := range list {
		var node *yaml.Node
		if i < len(nodes) {
			node = nodes[i]
		}
		items := append(append([]int(nil), at...), i)
		completeItem(parent, item)
		if inner, ok := listItems(item); ok {
			expandList(item.(map[string]any), inner, node, items, each)
			continue
		}
		each(item, node, items)
	}
}

// listItems are the items of a List: `kind: List`, or what the API server calls a list, such as ServiceList.
func listItems(content any) ([]any, bool) {
	m, ok := content.(map[string]any)
	if !ok {
		return nil, false
	}
	kind, _ := m["kind"].(string)
	if items, ok := m["items"].([]any); ok && strings.HasSuffix(kind, "List") {
		return items, true
	}
	// `kubectl get` of nothing: a List without items is a List.
	return nil, kind == "List" && m["apiVersion"] == "v1" && m["items"] == nil
}

// completeItem gives an item of a ServiceList the kind Service: the API server leaves apiVersion and kind out of the
// items of built-in lists.
func completeItem(parent map[string]any, item any) {
	m, ok := item.(map[string]any)
	if !ok {
		return
	}
	kind, _ := parent["kind"].(string)
	_, hasKind := m["kind"]
	_, hasVersion := m["apiVersion"]
	if kind == "List" || hasKind || hasVersion {
		return
	}
	m["apiVersion"], m["kind"] = parent["apiVersion"], strings.TrimSuffix(kind, "List")
}
