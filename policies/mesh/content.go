package mesh

import (
	"encoding/json"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// Content is the object as it was given. Never write to it. Of an object that was packed it is read anew by each call,
// which costs about what it costs to read it from an API server.
func (o *Object) Content() map[string]any {
	if o.content != nil || o.packed == "" {
		return o.content
	}
	var content map[string]any
	if err := utiljson.Unmarshal([]byte(o.packed), &content); err != nil {
		panic("mesh: " + err.Error()) // Pack wrote it
	}
	return content
}

// WithContent is a copy of the object with another Content, and nothing else changed.
func (o *Object) WithContent(content map[string]any) *Object {
	c := *o
	c.content, c.packed = content, ""
	return &c
}

// Pack sets the Content, and keeps it as JSON, which takes a tenth of the memory that maps take and no time of the garbage
// collector. like, which may be nil, is another packed object, whose text is shared where it is the same. Pack is for those who
// keep objects by the ten thousand, and for an object that nobody else has seen. Whole numbers come back as int64, as from an API server.
func (o *Object) Pack(content map[string]any, like *Object) {
	raw, err := json.Marshal(content)
	switch {
	case err != nil: // it holds what no API server sends, and is kept as it is
		o.content, o.packed = content, ""
	case like != nil && like.packed == string(raw):
		o.content, o.packed = nil, like.packed
	default:
		o.content, o.packed = nil, string(raw)
	}
}
