package mesh

import "k8s.io/apimachinery/pkg/util/json"

// Content is the object as it was given. Never write to it. Of an object that was packed it is read anew by each call,
// which costs about what it costs to read it from an API server.
func (o *Object) Content() map[string]any {
	if o.content != nil || o.packed == "" {
		return o.content
	}
	var content map[string]any
	if err := json.Unmarshal([]byte(o.packed), &content); err != nil {
		panic("mesh: " + err.Error()) // Packed wrote it
	}
	return content
}

// AtHand is the Content where it need not be read; nil of an object that was packed. Never write to it.
func (o *Object) AtHand() map[string]any { return o.content }

// WithContent is a copy of the object with another Content, and nothing else changed.
func (o *Object) WithContent(content map[string]any) *Object {
	c := *o
	c.content, c.packed = content, ""
	return &c
}
