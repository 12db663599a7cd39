package manifest

import (
	"errors"
	"fmt"
	"sync/atomic"

	"go.yaml.in/yaml/v3"
)

const (
	// maxDepth bounds nesting, counted after aliases are expanded. Kubernetes objects stay below 100; whoever walks
	// Content recursively may rely on it.
	maxDepth = 1000
	// maxAliased bounds the values that aliases add to one document, maxAliasedInFile those they add to all documents of
	// a file. Both are far above what people write and far below what hurts.
	maxAliased       = 100_000
	maxAliasedInFile = 1_000_000
)

// nodeError is a fault at a place in the syntax tree.
type nodeError struct {
	node   *yaml.Node
	reason string
	remedy string
}

func (e *nodeError) Error() string { return e.reason }

// errTooManyAliases ends the decoding of a file whose documents together expand too far. It is reported once, for the
// file, since which document crosses the bound depends on the order in which they are decoded.
var errTooManyAliases = errors.New("aliases of all documents together expand too far")

// decoder turns one syntax tree into Content.
type decoder struct {
	// inFile counts what aliases added to the whole file; nil when there is nothing to share.
	inFile  *atomic.Int64
	aliased int // values that aliases added to this document
	within  int // aliases around the present node
	depth   int
	// repeated are the keys that occur twice in one mapping. The last one wins, as in Kubernetes.
	repeated []*yaml.Node
}

// root decodes a document. The error is a *nodeError or errTooManyAliases.
func (d *decoder) root(n *yaml.Node) (any, error) {
	value, err := d.value(n)
	if d.inFile != nil && d.aliased > 0 && d.inFile.Add(int64(d.aliased)) > maxAliasedInFile {
		return nil, errTooManyAliases
	}
	return value, err
}

func (d *decoder) value(n *yaml.Node) (any, error) {
	if err := d.countAliased(n); err != nil {
		return nil, err
	}
	if d.depth++; d.depth > maxDepth {
		return nil, tooDeep(n)
	}
	defer func() { d.depth-- }()
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		return out, d.mapping(n, out, nil)
	case yaml.SequenceNode:
		out := make([]any, len(n.Content))
		for i, item := range n.Content {
			var err error
			if out[i], err = d.value(item); err != nil {
				return nil, err
			}
		}
		return out, nil
	case yaml.AliasNode:
		d.within++
		defer func() { d.within-- }()
		return d.value(n.Alias)
	default:
		value, err := scalar(n)
		if err != nil {
			return nil, &nodeError{n, err.Error(), "Quote it if it is meant as text"}
		}
		return value, nil
	}
}

func (d *decoder) countAliased(n *yaml.Node) error {
	if d.within == 0 {
		return nil
	}
	if d.aliased++; d.aliased > maxAliased {
		return &nodeError{n, fmt.Sprintf("its aliases expand to more than %d values", maxAliased), "Write fewer aliases"}
	}
	return nil
}

func tooDeep(n *yaml.Node) error {
	return &nodeError{n, fmt.Sprintf("it is nested more than %d levels deep", maxDepth), "Nest it less, and let no alias contain itself"}
}

// mapping decodes the entries of n into out. merged names the keys of out that came from a merge key: writing those
// again is no repetition. Entries are taken in order and a later merge key overrides an earlier entry; that is what v2
// does, whatever the specification says.
func (d *decoder) mapping(n *yaml.Node, out map[string]any, merged map[string]bool) error {
	merging := merged != nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if isMergeKey(k) {
			if merged == nil {
				merged = map[string]bool{}
			}
			if err := d.merge(v, out, merged); err != nil {
				return err
			}
			continue
		}
		name, err := key(k)
		if err != nil {
			return &nodeError{k, err.Error(), "Quote the key"}
		}
		if _, ok := out[name]; ok && !merging && !merged[name] {
			d.repeated = append(d.repeated, k)
		}
		if out[name], err = d.value(v); err != nil {
			return err
		}
		if merging {
			merged[name] = true
		} else {
			delete(merged, name)
		}
	}
	return nil
}

func isMergeKey(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "<<" && n.ShortTag() == "!!merge"
}

// merge takes the entries of the mapping, or of each mapping of the sequence, that a merge key names. The first of a
// sequence has precedence, so it is taken last.
func (d *decoder) merge(n *yaml.Node, out map[string]any, merged map[string]bool) error {
	if n.Kind == yaml.SequenceNode {
		for i := len(n.Content) - 1; i >= 0; i-- {
			if err := d.mergeOne(n.Content[i], out, merged); err != nil {
				return err
			}
		}
		return nil
	}
	return d.mergeOne(n, out, merged)
}

func (d *decoder) mergeOne(n *yaml.Node, out map[string]any, merged map[string]bool) error {
	from := n
	if n.Kind == yaml.AliasNode {
		d.within++
		defer func() { d.within-- }()
		from = n.Alias
	}
	// Counted here too: empty mappings that merge each other add no value, and would never come to an end.
	if err := d.countAliased(n); err != nil {
		return err
	}
	if from.Kind != yaml.MappingNode {
		return &nodeError{n, "the merge key << needs a mapping or a sequence of mappings", "Name one, or quote the key"}
	}
	if d.depth++; d.depth > maxDepth {
		return tooDeep(n)
	}
	defer func() { d.depth-- }()
	return d.mapping(from, out, merged)
}
