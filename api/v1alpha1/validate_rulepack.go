package v1alpha1

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	maxModules = 1000
	maxKeys    = 10
)

var (
	modulePath = regexp.MustCompile(`^([a-z0-9_]+/)*[a-z0-9_]+\.(rego|txtar)$`)
	revision   = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	byDigest   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.:-]*(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9._-]*)?@sha256:[0-9a-f]{64}$`)
)

// Validate says all that is wrong with the spec, in the order of the fields. What is in the files is another question: package
// rules asks it.
func (p *RulePack) Validate() []FieldError {
	v, s := validator{}, &p.Spec
	places := 0
	for _, set := range []bool{s.Modules != nil, s.ConfigMapRef != nil, s.OCI != nil} {
		if set {
			places++
		}
	}
	if places != 1 {
		v.fail("spec", "with exactly one of modules, configMapRef and oci", fmt.Sprintf("with %d of them", places))
	}
	if n := len(s.Modules); s.Modules != nil && (n == 0 || n > maxModules) {
		v.fail("spec.modules", fmt.Sprintf("1 to %d files", maxModules), fmt.Sprintf("%d", n))
	}
	for _, path := range slices.Sorted(maps.Keys(s.Modules)) {
		if !modulePath.MatchString(path) {
			v.fail(ModuleField(path), "called by a path, as in acme/no_latest.rego,", quote(path))
		}
	}
	if c := s.ConfigMapRef; c != nil && len(validation.IsDNS1123Subdomain(c.Name)) > 0 {
		v.fail("spec.configMapRef.name", "the name of a ConfigMap", quote(c.Name))
	}
	v.bundle(s.OCI)
	if s.RollbackTo != "" && !revision.MatchString(s.RollbackTo) {
		v.fail("spec.rollbackTo", "a revision of status.history, as in sha256:…,", quote(s.RollbackTo))
	}
	return v.errs
}

func (v *validator) bundle(b *RulePackOCI) {
	if b == nil {
		return
	}
	if !byDigest.MatchString(b.Image) || len(b.Image) > 512 {
		v.fail("spec.oci.image", "a bundle by its digest, as in registry.example.com/policies/acme@sha256:…,", quote(b.Image))
	}
	if n := len(b.PublicKeys); n == 0 || n > maxKeys {
		v.fail("spec.oci.publicKeys", fmt.Sprintf("1 to %d keys", maxKeys), fmt.Sprintf("%d", n))
	}
	for i, key := range b.PublicKeys {
		if !strings.Contains(string(key), "-----BEGIN PUBLIC KEY-----") || len(key) > 8192 {
			v.fail(fmt.Sprintf("spec.oci.publicKeys[%d]", i), "a public key in PEM", quote(string(key)))
		}
	}
}

// ModuleField is the field of a file, as messages name it.
func ModuleField(path string) string { return "spec.modules[" + path + "]" }
