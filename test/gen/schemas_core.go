package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/waywarden/waywarden/policies/mesh"
)

// coreTypes are the Go types of the kinds that come with Kubernetes, which has no CRDs for them.
var coreTypes = map[mesh.Kind]any{
	mesh.Namespace: corev1.Namespace{}, mesh.ServiceAccount: corev1.ServiceAccount{}, mesh.ConfigMap: corev1.ConfigMap{}, mesh.Pod: corev1.Pod{},
	mesh.Service: corev1.Service{}, mesh.Deployment: appsv1.Deployment{}, mesh.StatefulSet: appsv1.StatefulSet{}, mesh.DaemonSet: appsv1.DaemonSet{},
	mesh.ReplicaSet: appsv1.ReplicaSet{}, mesh.Job: batchv1.Job{}, mesh.CronJob: batchv1.CronJob{}, mesh.EndpointSlice: discoveryv1.EndpointSlice{},
	mesh.NetworkPolicy: networkingv1.NetworkPolicy{}, mesh.ClusterRole: rbacv1.ClusterRole{}, mesh.Role: rbacv1.Role{},
	mesh.ClusterRoleBinding: rbacv1.ClusterRoleBinding{}, mesh.RoleBinding: rbacv1.RoleBinding{},
	mesh.ValidatingWebhookConfiguration: admissionregistrationv1.ValidatingWebhookConfiguration{},
	mesh.MutatingWebhookConfiguration:   admissionregistrationv1.MutatingWebhookConfiguration{}, mesh.Secret: secret{},
}

// secret is what is left of a Secret when it is read.
type secret struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Type              corev1.SecretType             `json:"type"`
	Certificates      map[string][]mesh.Certificate `json:"certificates"`
}

// coreSchema is the schema of a kind of Kubernetes; nil for any other.
func coreSchema(k mesh.Kind) (map[string]any, error) {
	t, ok := coreTypes[k]
	if !ok {
		return nil, nil
	}
	enums, err := enumerations()
	if err != nil {
		return nil, err
	}
	return reflector{enums}.of(reflect.TypeOf(t)), nil
}

func objectMeta() map[string]any { return reflector{}.of(reflect.TypeOf(metav1.ObjectMeta{})) }

// reflector makes schemas of Go types as they are in JSON.
type reflector struct {
	enums map[string][]any // by package path and name of the type
}

// opaque are types whose JSON is not that of their fields.
var opaque = map[reflect.Type]map[string]any{
	reflect.TypeOf(metav1.Time{}):          {"type": "string"},
	reflect.TypeOf(metav1.MicroTime{}):     {"type": "string"},
	reflect.TypeOf(resource.Quantity{}):    {},
	reflect.TypeOf(intstr.IntOrString{}):   {},
	reflect.TypeOf(runtime.RawExtension{}): {},
	reflect.TypeOf(metav1.FieldsV1{}):      {},
}

func (r reflector) of(t reflect.Type) map[string]any {
	if s, ok := opaque[t]; ok {
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return r.of(t.Elem())
	case reflect.String:
		s := map[string]any{"type": "string"}
		if values := r.enums[t.PkgPath()+"."+t.Name()]; len(values) > 0 {
			s["enum"] = values
		}
		return s
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int32, reflect.Int64, reflect.Int:
		return map[string]any{"type": "integer"}
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return map[string]any{"type": "string"}
		}
		return map[string]any{"type": "array", "items": r.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": r.of(t.Elem())}
	case reflect.Struct:
		properties := map[string]any{}
		r.fields(t, properties)
		return map[string]any{"type": "object", "properties": properties}
	}
	panic(fmt.Sprintf("no schema for %s", t))
}

func (r reflector) fields(t reflect.Type, into map[string]any) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported():
		case name == "" && (f.Anonymous || strings.Contains(options, "inline")):
			r.fields(f.Type, into)
		case name != "":
			into[name] = r.of(f.Type)
		}
	}
}

// enumerations are the values of the types that Kubernetes marks as enums, which reflection does not show.
var enumerations = sync.OnceValues(func() (map[string][]any, error) {
	dir, err := moduleDir("k8s.io/api")
	if err != nil {
		return nil, err
	}
	out := map[string][]any{}
	for _, pkg := range []string{"core/v1", "apps/v1", "batch/v1", "discovery/v1", "networking/v1", "rbac/v1", "admissionregistration/v1"} {
		err := filepath.WalkDir(filepath.Join(dir, filepath.FromSlash(pkg)), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "types.go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			if err == nil {
				enumsOf(f, "k8s.io/api/"+pkg, out)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
})

func enumsOf(f *ast.File, pkg string, out map[string][]any) {
	marked := map[string]bool{}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if ok && g.Tok == token.TYPE && strings.Contains(g.Doc.Text(), "+enum") {
			for _, s := range g.Specs {
				marked[s.(*ast.TypeSpec).Name.Name] = true
			}
		}
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v := s.(*ast.ValueSpec)
			t, named := v.Type.(*ast.Ident)
			if !named || !marked[t.Name] {
				continue
			}
			for _, value := range v.Values {
				if lit, ok := value.(*ast.BasicLit); ok {
					if text, err := strconv.Unquote(lit.Value); err == nil && text != "" {
						key := pkg + "." + t.Name
						out[key] = append(out[key], text)
					}
				}
			}
		}
	}
}
