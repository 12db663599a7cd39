package mesh

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Packed is a copy of the object with another Content, for those who keep objects by the ten thousand: in a tenth of the memory, and
// with little for the garbage collector to go through. The Content is kept as JSON, and strings of the object that occur in
// it are parts of that text. But for values of no certain type, nothing of what the object was read from is kept, so that it is
// garbage at once. Whole numbers of the Content come back as int64, as from an API server.
//
// like, which may be nil, is another packed object, of the same kind, whose memory is shared where it is equal. same is a map equal
// to the one that it is given, and does not keep.
func (o *Object) Packed(content map[string]any, like *Object, same func(map[string]string) map[string]string) *Object {
	if like == nil {
		like = &Object{}
	}
	out, p := *o, packer{same: same}
	out.Owners = nil
	raw, err := json.Marshal(content)
	switch {
	case err != nil: // it holds what no API server sends, and is kept as it is
		out.content, out.packed = content, ""
	case string(raw) == like.packed:
		out.content, out.packed = nil, like.packed
	default:
		out.content, out.packed = nil, string(raw)
	}
	p.text = out.packed
	out.APIVersion, out.Namespace, out.Name, out.UID = p.string(o.APIVersion), p.string(o.Namespace), p.string(o.Name), p.string(o.UID)
	out.Labels, out.Annotations = same(o.Labels), same(o.Annotations)
	p.value(reflect.ValueOf(&out.Owners).Elem(), reflect.ValueOf(o.Owners), reflect.ValueOf(like.Owners))
	if o.Spec != nil {
		spec := reflect.New(reflect.TypeOf(o.Spec)).Elem()
		p.value(spec, reflect.ValueOf(o.Spec), reflect.ValueOf(like.Spec))
		out.Spec = spec.Interface()
	}
	return &out
}

// packer copies values into new memory.
type packer struct {
	text string // of which strings are parts
	last string // that is not
	same func(map[string]string) map[string]string
}

// value copies from, or takes what like has where it is equal. What is of no certain type is not copied.
func (p *packer) value(to, from, like reflect.Value) {
	switch from.Kind() {
	case reflect.String:
		if like.IsValid() && like.String() == from.String() {
			to.Set(like)
		} else {
			to.SetString(p.string(from.String()))
		}
	case reflect.Pointer:
		if from.IsNil() {
			return
		}
		if like.IsValid() {
			like = like.Elem()
		}
		to.Set(reflect.New(from.Type().Elem()))
		p.value(to.Elem(), from.Elem(), like)
	case reflect.Struct:
		for i := range from.NumField() {
			var field reflect.Value
			if like.IsValid() {
				field = like.Field(i)
			}
			p.value(to.Field(i), from.Field(i), field)
		}
	case reflect.Slice:
		p.slice(to, from, like)
	case reflect.Map:
		if m, ok := from.Interface().(map[string]string); ok {
			to.Set(reflect.ValueOf(p.same(m)))
		} else {
			to.Set(from)
		}
	default:
		to.Set(from)
	}
}

func (p *packer) slice(to, from, like reflect.Value) {
	switch {
	case from.IsNil():
	case like.IsValid() && reflect.DeepEqual(from.Interface(), like.Interface()):
		to.Set(like)
	default:
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			p.value(to.Index(i), from.Index(i), reflect.Value{})
		}
	}
}

func (p *packer) string(s string) string {
	switch {
	case s == "":
		return ""
	case s == p.last:
		return p.last
	}
	if i := strings.Index(p.text, s); i >= 0 {
		return p.text[i : i+len(s)]
	}
	p.last = strings.Clone(s)
	return p.last
}
