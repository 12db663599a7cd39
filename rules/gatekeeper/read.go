// Package gatekeeper makes a pack of rules of ConstraintTemplates and Constraints of Gatekeeper. Each Constraint becomes a rule:
// the Rego of its template in v1, asking for what our rules ask for (input.review.object is input.object), with the Constraint's
// parameters as defaults and its match in METADATA and in skip. A Suite for gator becomes scenarios.
//
// What cannot be carried over is refused, with the place and the reason: nothing is imported that would judge otherwise than it
// did. Rego v0 is accepted here only; what is written is v1.
package gatekeeper

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Source is one file that is read.
type Source struct {
	Name string
	Data []byte
}

// template is a ConstraintTemplate, as far as it is carried over.
type template struct {
	file, name, kind string
	description      string
	schema           map[string]any
	rego             string
	libs             []string
	v1               bool
}

type templateObject struct {
	Metadata struct {
		Name        string            `json:"name"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		CRD struct {
			Spec struct {
				Names struct {
					Kind string `json:"kind"`
				} `json:"names"`
				Validation struct {
					Schema map[string]any `json:"openAPIV3Schema"`
				} `json:"validation"`
			} `json:"spec"`
		} `json:"crd"`
		Targets []target `json:"targets"`
	} `json:"spec"`
}

type target struct {
	Target string   `json:"target"`
	Rego   string   `json:"rego"`
	Libs   []string `json:"libs"`
	Code   []struct {
		Engine string `json:"engine"`
		Source struct {
			Rego    string   `json:"rego"`
			Version string   `json:"version"`
			Libs    []string `json:"libs"`
		} `json:"source"`
	} `json:"code"`
}

// constraint is a Constraint.
type constraint struct {
	file     string
	Kind     string `json:"kind"`
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		EnforcementAction string         `json:"enforcementAction"`
		Match             match          `json:"match"`
		Parameters        map[string]any `json:"parameters"`
	} `json:"spec"`
}

// suite is a Suite for gator.
type suite struct {
	file  string
	Tests []struct {
		Constraint string `json:"constraint"`
		Cases      []struct {
			Name       string   `json:"name"`
			Object     string   `json:"object"`
			Inventory  []string `json:"inventory"`
			Assertions []struct {
				Violations any `json:"violations"`
			} `json:"assertions"`
		} `json:"cases"`
	} `json:"tests"`
}

// Refusal is something that is not carried over, and why.
type Refusal struct{ File, What, Why string }

func (r Refusal) String() string { return fmt.Sprintf("%s: %s: %s", r.File, r.What, r.Why) }

// importer collects what the files hold.
type importer struct {
	group       string
	templates   map[string]*template
	constraints []*constraint
	suites      []*suite
	refusals    []Refusal
	files       map[string][]byte // of the pack
	actions     []actionOf
}

func (i *importer) refuse(file, what, format string, args ...any) {
	i.refusals = append(i.refusals, Refusal{file, what, fmt.Sprintf(format, args...)})
}

// read reads every document of a file.
func (i *importer) read(s Source) {
	for n, doc := range bytes.Split(append([]byte("\n"), s.Data...), []byte("\n---")) {
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		what := fmt.Sprintf("document %d", n+1)
		if err := yaml.Unmarshal(doc, &head); err != nil {
			i.refuse(s.Name, what, "it is no YAML object: %v. Correct it.", err)
			continue
		}
		group, _, _ := strings.Cut(head.APIVersion, "/")
		switch {
		case head.Kind == "":
		case head.Kind == "ConstraintTemplate" && group == "templates.gatekeeper.sh":
			i.template(s.Name, doc)
		case group == "constraints.gatekeeper.sh":
			c := &constraint{file: s.Name}
			if err := yaml.Unmarshal(doc, c); err != nil {
				i.refuse(s.Name, what, "the Constraint cannot be read: %v. Correct it.", err)
				continue
			}
			i.constraints = append(i.constraints, c)
		case head.Kind == "Suite" && group == "test.gatekeeper.sh":
			one := &suite{file: s.Name}
			if err := yaml.Unmarshal(doc, one); err != nil {
				i.refuse(s.Name, what, "the Suite cannot be read: %v. Correct it.", err)
				continue
			}
			i.suites = append(i.suites, one)
		case strings.HasSuffix(group, "gatekeeper.sh"):
			i.refuse(s.Name, head.Kind, "only ConstraintTemplates, Constraints and Suites are carried over: a rule judges objects, and neither changes nor makes any.")
		}
	}
}

func (i *importer) template(file string, doc []byte) {
	var in templateObject
	if err := yaml.Unmarshal(doc, &in); err != nil {
		i.refuse(file, "ConstraintTemplate", "it cannot be read: %v. Correct it.", err)
		return
	}
	names := in.Spec.CRD.Spec
	t := &template{file: file, name: in.Metadata.Name, kind: names.Names.Kind, schema: names.Validation.Schema,
		description: strings.TrimSpace(in.Metadata.Annotations["description"])}
	what := "ConstraintTemplate " + t.name
	at := slices.IndexFunc(in.Spec.Targets, func(one target) bool { return one.Target == "admission.k8s.gatekeeper.sh" })
	if at < 0 || len(in.Spec.Targets) > 1 {
		i.refuse(file, what, "its targets are not admission.k8s.gatekeeper.sh alone: only Kubernetes objects are judged here.")
		return
	}
	one := in.Spec.Targets[at]
	t.rego, t.libs = one.Rego, one.Libs
	for _, c := range one.Code {
		if c.Engine == "K8sNativeValidation" && t.rego == "" { // Gatekeeper prefers CEL too, where both are there
			i.refuse(file, what, "its code is CEL (engine K8sNativeValidation), and rules are Rego. A ValidatingAdmissionPolicy takes CEL as it is.")
			return
		}
		if c.Engine == "Rego" && t.rego == "" {
			t.rego, t.libs, t.v1 = c.Source.Rego, c.Source.Libs, c.Source.Version == "v1"
		}
	}
	if t.rego == "" || t.kind == "" {
		i.refuse(file, what, "it has no Rego, or does not name the kind of its Constraints. Correct it.")
		return
	}
	if i.templates[t.kind] != nil {
		i.refuse(file, what, "another ConstraintTemplate makes the kind %s. Leave one of them out.", t.kind)
		return
	}
	i.templates[t.kind] = t
}
