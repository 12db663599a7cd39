package report

import (
	"io"

	"sigs.k8s.io/yaml"
)

// YAML writes any of the package's models as YAML, with the fields of JSON.
func YAML(w io.Writer, v any) error {
	out, err := yaml.Marshal(v)
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}
