package inventory

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/waywarden/waywarden/policies/mesh"
)

// What is read of a cluster follows from what rules need and from what they may have.
func TestEvidenceFor(t *testing.T) {
	needed := []mesh.Kind{mesh.Secret, mesh.RoleBinding, mesh.AuthorizationPolicy, mesh.MutatingWebhookConfiguration}
	cacerts, tls := SecretName{"istio-system", "cacerts"}, SecretName{"edge", "tls"}
	for name, c := range map[string]struct {
		needed  []mesh.Kind
		groups  []mesh.Evidence
		secrets []SecretName
		want    Evidence
	}{
		"nothing may be read":    {needed, nil, nil, Evidence{}},
		"nothing is needed":      {nil, mesh.Evidences, []SecretName{tls}, Evidence{}},
		"a group":                {needed, []mesh.Evidence{mesh.RBAC}, nil, Evidence{Kinds: []mesh.Kind{mesh.RoleBinding}}},
		"Secrets are named":      {needed, mesh.Evidences, nil, Evidence{Kinds: []mesh.Kind{mesh.RoleBinding, mesh.MutatingWebhookConfiguration}}},
		"Secrets, each once":     {needed, nil, []SecretName{cacerts, tls, cacerts}, Evidence{[]mesh.Kind{mesh.Secret}, []SecretName{tls, cacerts}}},
		"and what is not needed": {needed[2:], mesh.Evidences, []SecretName{tls}, Evidence{Kinds: []mesh.Kind{mesh.MutatingWebhookConfiguration}}},
	} {
		if diff := cmp.Diff(c.want, EvidenceFor(c.needed, c.groups, c.secrets)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParseSecretName(t *testing.T) {
	if n, err := ParseSecretName("istio-system/cacerts"); err != nil || n != (SecretName{"istio-system", "cacerts"}) {
		t.Errorf("%v: %v", n, err)
	}
	for _, wrong := range []string{"", "cacerts", "/cacerts", "istio-system/", "a/b/c"} {
		if n, err := ParseSecretName(wrong); err == nil || !strings.Contains(err.Error(), "istio-system/cacerts") {
			t.Errorf("%q: %v, %v", wrong, n, err)
		}
	}
}

// TestChooseEvidence: what nobody asks for is not read, and what is not read is hidden.
func TestChooseEvidence(t *testing.T) {
	versions := map[schema.GroupResource][]string{}
	for _, k := range mesh.Kinds() {
		versions[groupResource(k)] = k.Versions()
	}
	chosen := func(e Evidence) (out []string) {
		for _, r := range choose(versions, nil, e).resources {
			if r.kind.Evidence() != "" {
				out = append(out, strings.TrimSpace(r.kind.String()+" "+r.only.String()))
			}
		}
		return out
	}
	if got := chosen(Evidence{}); got != nil {
		t.Errorf("nothing was asked for, and read is %v", got)
	}
	some := Evidence{Kinds: []mesh.Kind{mesh.Role, mesh.Secret}, Secrets: []SecretName{{"edge", "tls"}, {"istio-system", "cacerts"}}}
	if diff := cmp.Diff([]string{"Role", "Secret edge/tls", "Secret istio-system/cacerts"}, chosen(some)); diff != "" {
		t.Error(diff)
	}
	inv := newInventory()
	inv.passed = some.passedOver()
	inv.Unread = []Unread{{Resource: "networkpolicies.networking.k8s.io"}, {Resource: "guardrails.waywarden.dev"}, {Resource: "secrets"}}
	want := []mesh.Kind{mesh.NetworkPolicy, mesh.ClusterRole, mesh.ClusterRoleBinding, mesh.RoleBinding, mesh.ValidatingWebhookConfiguration, mesh.MutatingWebhookConfiguration, mesh.Secret}
	if diff := cmp.Diff(want, inv.Hidden()); diff != "" {
		t.Error(diff)
	}
	if files := newInventory(); files.Hidden() != nil {
		t.Errorf("files show what they hold, and nothing is hidden: %v", files.Hidden())
	}
}

// TestEvidenceComesAndGoes: what is asked for is read from then on, and what is not any more is forgotten; what is missing makes
// nothing else unknown.
func TestEvidenceComesAndGoes(t *testing.T) {
	w := newWorld(t, 1)
	w.mirror.serve(served{resources: resources, passed: []mesh.Kind{mesh.RoleBinding, mesh.Secret}})
	for _, r := range resources {
		w.relist(w.served[r.GroupResource()])
	}
	reads := func(want ...bool) {
		t.Helper()
		s := w.mirror.snapshot.Load()
		if got := []bool{s.Reads(mesh.RoleBinding), s.Reads(mesh.Secret), s.Reads(mesh.NetworkPolicy)}; !slices.Equal(got, want) {
			t.Errorf("bindings, Secrets and NetworkPolicies are read: %v, want %v", got, want)
		}
	}
	reads(false, false, true)
	gvr := schema.GroupVersionResource{Group: mesh.RoleBinding.Group(), Version: "v1", Resource: mesh.RoleBinding.Resource()}
	bindings := resource{GroupVersionResource: gvr, kind: mesh.RoleBinding}
	secret := resource{GroupVersionResource: schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, kind: mesh.Secret, only: name{"edge", "tls"}}
	all := append(slices.Clone(resources), bindings, secret)
	follow := w.mirror.serve(served{resources: all})
	if len(follow) != 2 {
		t.Fatalf("%d sources are followed, want 2", len(follow))
	}
	reads(false, false, true) // nothing of them has come yet
	f := &feed{mirror: w.mirror, source: follow[0], alike: NewAlike()}
	binding := func() *unstructured.Unstructured {
		return raw(fields{"metadata": fields{"name": "b", "namespace": "shop", "annotations": fields{"a": "b"}}, "roleRef": fields{"kind": "ClusterRole", "name": "edit"}})
	}
	if err := f.Replace([]any{binding()}, ""); err != nil {
		t.Fatal(err)
	}
	if o := w.mirror.snapshot.Load().Get(mesh.RoleBinding, "shop", "b"); o == nil || o.Annotations != nil {
		t.Errorf("the binding is %+v, want it without annotations", o)
	}
	reads(true, false, true)
	if err := (&feed{mirror: w.mirror, source: follow[1], alike: NewAlike()}).Replace(nil, ""); err != nil {
		t.Fatal(err)
	}
	reads(true, true, true)
	w.fail(f, apierrors.NewForbidden(bindings.GroupResource(), "", nil))
	reads(false, true, true)
	if w.mirror.snapshot.Load().Get(mesh.RoleBinding, "shop", "b") != nil || !w.mirror.whole {
		t.Errorf("bindings may not be read any more: one is known, or the rest is not")
	}
	if gaps := w.mirror.gaps(); len(gaps.Unread) > 0 {
		t.Errorf("evidence is missing, and nothing is deleted for it: %+v", gaps)
	}
	if err := f.Replace([]any{binding()}, ""); err != nil {
		t.Fatal(err)
	}
	reads(true, true, true)
	w.mirror.serve(served{resources: resources, passed: []mesh.Kind{mesh.RoleBinding, mesh.Secret}})
	reads(false, false, true)
	if w.mirror.snapshot.Load().Get(mesh.RoleBinding, "shop", "b") != nil || len(w.mirror.sources) != len(resources) {
		t.Error("bindings are not asked for any more, and still known")
	}
}

// certificate is one that ends in 2036.
const certificate = `-----BEGIN CERTIFICATE-----
MIIBbjCCAROgAwIBAgIBAjAKBggqhkjOPQQDAjAeMQ0wCwYDVQQKEwRCYW5rMQ0w
CwYDVQQDEwRSb290MB4XDTI2MDEwMTAwMDAwMFoXDTM2MDEwMTAwMDAwMFowHjEN
MAsGA1UEChMEQmFuazENMAsGA1UEAxMEUm9vdDBZMBMGByqGSM49AgEGCCqGSM49
AwEHA0IABJSPDmSDJepUcdrPzCBYd0Y6WQ1SDA8yAnrgdHu73tWY0d1ygxt9Rulc
/OEtIVXRqNE/MX5XXleaJ4f0jVB0VMSjQjBAMA4GA1UdDwEB/wQEAwICBDAPBgNV
HRMBAf8EBTADAQH/MB0GA1UdDgQWBBRb8gAyzN0CmH7v0Nbibsqn66DD2DAKBggq
hkjOPQQDAgNJADBGAiEA0rPYnheG2NfNngxPyYUKbCdwTiQRvWjsgw6aSHQULycC
IQDDEJEDYGOdJXJXVuZGPDCYNXOSjwrp+uuWfJZ9kDatOg==
-----END CERTIFICATE-----
`

// TestNoKeyIsStored: what is kept of a Secret that a cluster shows, or a file holds, has no part of its key.
func TestNoKeyIsStored(t *testing.T) {
	const key = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"
	applied := `{"metadata":{"labels":{"app":"x"}},"stringData":{"tls.key":"` + key + `"}}`
	content := func() fields {
		return fields{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": fields{"name": "tls", "namespace": "edge", "annotations": fields{mesh.LastApplied: applied}},
			"data": fields{"tls.key": base64.StdEncoding.EncodeToString([]byte(key)), "tls.crt": base64.StdEncoding.EncodeToString([]byte(certificate))}}
	}
	r := resource{GroupVersionResource: schema.GroupVersionResource{Version: "v1", Resource: "secrets"}, kind: mesh.Secret, only: name{"edge", "tls"}}
	l := list{resource: r, managed: map[id]managed{}}
	l.add(content())
	f := feed{mirror: newWorld(t, 1).mirror, source: newSource(r), alike: NewAlike(), manager: "waywarden"}
	watched := f.packed(f.decode(raw(content())))
	text, err := json.Marshal(content())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := Files(FileOptions{}, file)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.objects) != 1 || watched.object == nil || len(read.Objects) != 1 {
		t.Fatalf("the certificate was not read: %v, %v, %v", l.objects, watched.reading, read.Objects)
	}
	for how, o := range map[string]*mesh.Object{"listed": l.objects[0], "watched": watched.object, "read from a file": read.Objects[0]} {
		said := fmt.Sprintf("%#v %#v %#v %v %#v", o, o.Spec, o.Content(), l.managed, read.Document(read.Objects[0].Ref()).Content)
		if strings.Contains(said, key) || strings.Contains(said, base64.StdEncoding.EncodeToString([]byte(key))[:12]) || !strings.Contains(said, "2036") {
			t.Errorf("%s: the key is kept, or the certificate is not: %s", how, said)
		}
	}
}
