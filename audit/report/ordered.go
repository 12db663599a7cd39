package report

import (
	"cmp"
	"io"
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"
)

// fieldOrder is how people write an object: what it is before what is in it. All other fields follow by name.
var fieldOrder = map[string]int{"apiVersion": -7, "kind": -6, "metadata": -5, "name": -4, "namespace": -3, "labels": -2, "spec": -1}

// writeOrdered writes an object as YAML with its fields in the order in which people write them.
func writeOrdered(w io.Writer, object map[string]any) error {
	n, err := orderedNode(object)
	if err != nil {
		return err
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := enc.Encode(n); err != nil {
		return err
	}
	return enc.Close()
}

func orderedNode(v any) (*yaml.Node, error) {
	n := &yaml.Node{}
	switch v := v.(type) {
	case map[string]any:
		n.Kind = yaml.MappingNode
		for _, key := range slices.SortedFunc(maps.Keys(v), compareFields) {
			k := &yaml.Node{}
			if err := k.Encode(key); err != nil {
				return nil, err
			}
			value, err := orderedNode(v[key])
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, k, value)
		}
	case []any:
		n.Kind = yaml.SequenceNode
		for _, item := range v {
			child, err := orderedNode(item)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
	default:
		return n, n.Encode(v)
	}
	return n, nil
}

func compareFields(a, b string) int {
	return cmp.Or(cmp.Compare(fieldOrder[a], fieldOrder[b]), cmp.Compare(a, b))
}
