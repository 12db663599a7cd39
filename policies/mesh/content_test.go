package mesh

import (
	"maps"
	"math"
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
