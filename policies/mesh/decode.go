package mesh

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// FieldError says that one field of an object does not have the type that its kind demands.
type FieldError struct {
	Field string // as in "spec.rules[0].to[0].operation.methods"
	Want  string // what was expected, as in "a list of strings"
	Got   string // what is there, as in "a string"
}

func (e FieldError) Error() string {
	return fmt.Sprintf("%s: expected %s, got %s", e.Field, e.Want, e.Got)
}

// custom is implemented by the few types whose YAML form is not their Go form.
type custom interface {
	decode(value any) error
}

// decoder turns decoded YAML or JSON (maps, slices, strings, numbers, bools) into the structs of
// this package. encoding/json would do, but names neither the index of the list item nor the
// field exactly, and would parse each byte a second time.
type decoder struct {
	errs []FieldError
	at   []step // from the object to where it is, so that a path is only put together for an error
}

// step is a key of a mapping, or the index of an item of a list.
type step struct {
	key   string
	item  bool
	index int
}

// object decodes a part of an object, under the name that errors have for it.
func (d *decoder) object(name string, in any, out any) {
	if name != "" {
		d.at = append(d.at, step{key: name})
		defer d.up()
	}
	d.value(in, reflect.ValueOf(out).Elem(), 0)
}

func (d *decoder) up() { d.at = d.at[:len(d.at)-1] }

func (d *decoder) fail(want string, got any) {
	var path string
	for i, s := range d.at {
		switch {
		case s.item:
			path += "[" + strconv.Itoa(s.index) + "]"
		case i == 0:
			path = s.key
		default:
			path = join(path, s.key)
		}
	}
	d.errs = append(d.errs, FieldError{Field: path, Want: want, Got: describe(got)})
}

// maxDepth bounds recursion: the deepest known field is at about 12.
const maxDepth = 64

func (d *decoder) value(in any, out reflect.Value, depth int) {
	if in == nil || depth > maxDepth {
		return
	}
	if out.CanAddr() {
		if c, ok := out.Addr().Interface().(custom); ok {
			if err := c.decode(in); err != nil {
				d.fail(err.Error(), in)
			}
			return
		}
	}
	switch out.Kind() {
	case reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		d.value(in, out.Elem(), depth+1)
	case reflect.Struct:
		d.structure(in, out, depth)
	case reflect.Slice:
		d.list(in, out, depth)
	case reflect.Map:
		d.mapping(in, out, depth)
	case reflect.Interface:
		out.Set(reflect.ValueOf(in))
	default:
		d.scalar(in, out)
	}
}

func (d *decoder) structure(in any, out reflect.Value, depth int) {
	m, ok := in.(map[string]any)
	if !ok {
		d.fail("a mapping", in)
		return
	}
	plan := planOf(out.Type())
	for key, v := range m {
		i, known := plan.fields[key]
		switch {
		case known:
			d.at = append(d.at, step{key: key})
			d.value(v, out.Field(i), depth+1)
			d.up()
		case plan.unknown >= 0 && v != nil:
			f := out.Field(plan.unknown)
			f.Set(reflect.Append(f, reflect.ValueOf(key)))
		}
	}
	if plan.unknown >= 0 {
		sortStrings(out.Field(plan.unknown).Interface().([]string))
	}
}

func (d *decoder) list(in any, out reflect.Value, depth int) {
	items, ok := in.([]any)
	if !ok {
		d.fail(wanted(out.Type()), in)
		return
	}
	s := reflect.MakeSlice(out.Type(), len(items), len(items))
	for i, item := range items {
		d.at = append(d.at, step{item: true, index: i})
		d.value(item, s.Index(i), depth+1)
		d.up()
	}
	out.Set(s)
}

func (d *decoder) mapping(in any, out reflect.Value, depth int) {
	m, ok := in.(map[string]any)
	if !ok {
		d.fail(wanted(out.Type()), in)
		return
	}
	if texts, ok := out.Addr().Interface().(*map[string]string); ok && allStrings(m, texts) {
		return
	}
	res := reflect.MakeMapWithSize(out.Type(), len(m))
	for k, v := range m {
		e := reflect.New(out.Type().Elem()).Elem()
		d.at = append(d.at, step{key: k})
		d.value(v, e, depth+1)
		d.up()
		res.SetMapIndex(reflect.ValueOf(k), e)
	}
	out.Set(res)
}

// allStrings copies a mapping of strings, as labels are; false, and nothing done, where it holds anything else.
func allStrings(from map[string]any, to *map[string]string) bool {
	texts := make(map[string]string, len(from))
	for k, v := range from {
		text, ok := v.(string)
		if !ok {
			return false
		}
		texts[k] = text
	}
	*to = texts
	return true
}

func (d *decoder) scalar(in any, out reflect.Value) {
	switch out.Kind() {
	case reflect.String:
		if s, ok := in.(string); ok {
			out.SetString(s)
			return
		}
	case reflect.Bool:
		if b, ok := in.(bool); ok {
			out.SetBool(b)
			return
		}
	case reflect.Int, reflect.Int32, reflect.Int64:
		if n, ok := integer(in); ok && !out.OverflowInt(n) {
			out.SetInt(n)
			return
		}
	case reflect.Float64:
		if f, ok := float(in); ok {
			out.SetFloat(f)
			return
		}
	default:
		panic("mesh: no decoding for " + out.Type().String())
	}
	d.fail(wanted(out.Type()), in)
}

func integer(in any) (int64, bool) {
	switch n := in.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case uint64:
		return int64(n), n <= math.MaxInt64
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) < 1<<53
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

func float(in any) (float64, bool) {
	if i, ok := integer(in); ok {
		return float64(i), true
	}
	switch n := in.(type) {
	case float64:
		return n, true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	}
	return 0, false
}

// plan is what the decoder needs to know of a struct type, computed once.
type plan struct {
	fields  map[string]int
	unknown int // index of the []string that collects unknown keys, or -1
}

var plans sync.Map // reflect.Type → plan

func planOf(t reflect.Type) plan {
	if p, ok := plans.Load(t); ok {
		return p.(plan)
	}
	p := plan{fields: make(map[string]int, t.NumField()), unknown: -1}
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("json")
		switch tag {
		case "", "-":
		case ",unknown":
			p.unknown = i
		default:
			p.fields[tag] = i
		}
	}
	plans.Store(t, p)
	return p
}

func join(path, key string) string {
	if strings.ContainsAny(key, "./[") {
		return path + "[" + key + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return "a list of strings"
		}
		return "a list"
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return "a mapping of strings"
		}
		return "a mapping"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

func describe(v any) string {
	switch x := v.(type) {
	case nil:
		return "nothing"
	case string:
		return "the string " + strconv.Quote(clip(x))
	case bool:
		return strconv.FormatBool(x)
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return fmt.Sprintf("the number %v", v)
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:37] + "..."
	}
	return s
}
