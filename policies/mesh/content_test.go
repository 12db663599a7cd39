package mesh

import (
	"maps"
	"math"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

func TestPackedKeepsContent(t *testing.T) {
	const text = `{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "namespace": "shop", "annotations": {"<odd>": "\u2028 & \"ü\""}},
		"spec": {"ports": [{"port": 80, "weight": 0.5, "big": 9007199254740993, "exp": 1e40}], "empty": {}, "none": null, "list": [], "on": true}}`
	read := func() map[string]any {
		var content map[string]any
		if err := utiljson.Unmarshal([]byte(text), &content); err != nil {
			t.Fatal(err)
		}
		return content
	}
	o, err := Decode(read())
	if err != nil {
		t.Fatal(err)
	}
	packed := o.Packed(o.Content(), nil, maps.Clone)
	if diff := cmp.Diff(read(), packed.Content()); diff != "" {
		t.Errorf("packed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(o, packed, cmpopts.IgnoreUnexported(Object{})); diff != "" {
		t.Errorf("packed (-want +got):\n%s", diff)
	}
	other := packed.WithContent(map[string]any{"kind": "Service"})
	if diff := cmp.Diff(map[string]any{"kind": "Service"}, other.Content()); diff != "" {
		t.Errorf("with another Content (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(read(), packed.Content()); diff != "" {
		t.Errorf("the original of a copy (-want +got):\n%s", diff)
	}
}

// TestPackedWhatIsNoJSON: an object that was made by hand can hold what JSON cannot say, and keeps it.
func TestPackedWhatIsNoJSON(t *testing.T) {
	o := &Object{Kind: Service, Name: "cart"}
	if o.Content() != nil {
		t.Error("an object without Content has some")
	}
	o = o.Packed(map[string]any{"spec": math.Inf(1)}, nil, maps.Clone)
	if diff := cmp.Diff(map[string]any{"spec": math.Inf(1)}, o.Content()); diff != "" {
		t.Errorf("packed (-want +got):\n%s", diff)
	}
}

// TestSpecsCanBeCopied: a field that is not exported cannot be, and what it holds would be lost.
func TestSpecsCanBeCopied(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(x reflect.Type) {
		if seen[x] {
			return
		}
		seen[x] = true
		switch x.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(x.Elem())
		case reflect.Struct:
			for i := range x.NumField() {
				if f := x.Field(i); !f.IsExported() {
					t.Errorf("%s has %s", x, f.Name)
				}
				walk(x.Field(i).Type)
			}
		}
	}
	for _, k := range Kinds() {
		walk(reflect.TypeOf(k.new()))
	}
	if len(seen) < int(kindCount) {
		t.Errorf("only %d types", len(seen))
	}
}
