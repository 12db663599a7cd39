package mesh_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/waywarden/waywarden/policies/mesh"
)

// FuzzDecode decodes arbitrary documents: never a panic, and every error names the fields that are
// wrong and what was expected. What is decoded can be asked about without a panic, too.
func FuzzDecode(f *testing.F) {
	for _, k := range mesh.Kinds() {
		f.Add([]byte(`{"apiVersion":"` + k.APIVersion() + `","kind":"` + k.String() + `","metadata":{"name":"a","namespace":"b","labels":{"istio.io/use-waypoint":"w"}},"spec":{}}`))
		f.Add([]byte(`{"apiVersion":"` + k.APIVersion() + `","kind":"` + k.String() + `","metadata":[],"spec":"x","data":7}`))
	}
	for _, doc := range []string{
		`{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"a"},"spec":{"portLevelMtls":{"x":null,"8080":{"mode":3}}}}`,
		`{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"ports":[{"port":1e99,"targetPort":-1}]}}`,
		`{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":null,"spec":{"rules":[{"from":[null],"to":[{"operation":{"new":[1]}}]}]}}`,
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"istio","namespace":"istio-system"},"data":{"mesh":"rootNamespace: [a]"}}`,
	} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var content map[string]any
		if json.Unmarshal(data, &content) != nil {
			return
		}
		o, err := mesh.Decode(content)
		var bad *mesh.DecodeError
		switch {
		case err == nil:
			answers(mesh.New(mesh.Options{}, o))
		case errors.As(err, &bad):
			for _, e := range bad.Fields {
				if e.Field == "" || e.Want == "" || e.Got == "" || !strings.Contains(err.Error(), e.Want) {
					t.Errorf("%s: an error that does not name the field, what was expected, or what is there: %+v", data, e)
				}
			}
		case !errors.Is(err, mesh.ErrIgnored):
			t.Errorf("%s: %v", data, err)
		}
	})
}
