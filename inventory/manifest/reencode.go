package manifest

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reencode writes a whole document anew from its tree. It keeps comments and order, not the layout, and is only for what
// cannot be changed in place, such as a value that is shared through an anchor.
func reencode(s *source, tree *live, lineBreak string) ([]byte, bool) {
	if s.json {
		st := styleOf(s, tree.origin)
		w := jsonWriter{unit: st.unit, tight: st.tight}
		w.value(tree, "")
		return []byte(strings.ReplaceAll(w.String(), "\n", lineBreak)), true
	}
	document, err := parseDocument(s.raw)
	if err != nil || document == nil {
		return nil, false
	}
	root := tree.node(nil, false)
	prefix, suffix := "", ""
	if isMarker(s.raw, "---") {
		line := s.raw[:lineLength(s.raw, hasOnlyNewlines(s.raw))]
		if !isBlankOrComment(line[len("---"):]) {
			return nil, false
		}
		prefix = string(line)
		// The parser takes the remark on the marker's line for the beginning of the comment below it.
		remark := strings.TrimSpace(prefix[len("---"):])
		document.HeadComment = withoutRemark(document.HeadComment, remark)
		if len(root.Content) > 0 {
			root.Content[0].HeadComment = withoutRemark(root.Content[0].HeadComment, remark)
		}
	} else if bytes.HasPrefix(s.raw, []byte{'%'}) {
		return nil, false
	}
	if _, ok := cutDocumentEnd(s.raw); ok {
		suffix = "..." + lineBreak
	}
	root.HeadComment, root.FootComment = document.Content[0].HeadComment, document.Content[0].FootComment
	text, ok := styleOf(s, document.Content[0]).encode(&yaml.Node{
		Kind: yaml.DocumentNode, Content: []*yaml.Node{root},
		HeadComment: document.HeadComment, FootComment: document.FootComment,
	})
	if !ok {
		return nil, false
	}
	return []byte(prefix + strings.ReplaceAll(text, "\n", lineBreak) + suffix), true
}

func withoutRemark(comment, remark string) string {
	rest, ok := strings.CutPrefix(comment, remark)
	if !ok || remark == "" || rest != "" && rest[0] != '\n' {
		return comment
	}
	return strings.TrimLeft(rest, "\n")
}
