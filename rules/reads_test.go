package rules

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestReads: which kinds a rule asks for follows from the rule, and from what it calls, and from nothing that it does not call.
func TestReads(t *testing.T) {
	files := fstest.MapFS{
		"acme/lib/all.rego": &fstest.MapFile{Data: []byte(`# METADATA
# description: Shared.
package acme.lib.all

secrets(ns) := mesh.policies("Secret", ns)

inner(ns) := {s.metadata.name | some s in secrets(ns)}

any if secrets("shop")

routes(ns) := mesh.effects("HTTPRoute.gateway.networking.k8s.io", ns, "x")
`)},
	}
	want := map[string][]mesh.Kind{}
	for name, c := range map[string]struct {
		body string
		want []mesh.Kind
	}{
		"nothing": {`deny contains {"msg": "m"} if input.object.spec`, nil},
		"literal": {`deny contains {"msg": "m"} if mesh.policies("NetworkPolicy", "shop") == []`, []mesh.Kind{mesh.NetworkPolicy}},
		"nested":  {`deny contains {"msg": "m"} if count([p | some p in mesh.policies("Role", "shop"); p.rules]) > 0`, []mesh.Kind{mesh.Role}},
		"services": {`deny contains {"msg": "m"} if {
	mesh.services("shop") != []
	mesh.service("shop", "x")
}`, []mesh.Kind{mesh.Service}},
		"namespaces":    {`deny contains {"msg": "m"} if count(mesh.namespaces()) == 0`, []mesh.Kind{mesh.Namespace}},
		"selected":      {`deny contains {"msg": "m"} if mesh.namespaces_selected({}) == []`, []mesh.Kind{mesh.Namespace}},
		"rights":        {`deny contains {"msg": "m"} if mesh.granted("RoleBinding", "shop", "x", ["get"], ["secrets"]) == []`, []mesh.Kind{mesh.ClusterRole, mesh.Role, mesh.RoleBinding}},
		"shared":        {"import data.acme.lib.all\n\ndeny contains {\"msg\": \"m\"} if all.inner(\"shop\")", []mesh.Kind{mesh.Secret}},
		"shared_other":  {"import data.acme.lib.all\n\ndeny contains {\"msg\": \"m\"} if all.routes(\"shop\")", []mesh.Kind{mesh.HTTPRoute}},
		"shared_whole":  {"import data.acme.lib.all\n\ndeny contains {\"msg\": \"m\"} if {\n\tother := all\n\tother.any\n}", []mesh.Kind{mesh.HTTPRoute, mesh.Secret}},
		"in_skip":       {"deny contains {\"msg\": \"m\"} if input.object.spec\n\nskip contains \"s\" if mesh.policies(\"Telemetry\", \"shop\")", []mesh.Kind{mesh.Telemetry}},
		"kind_computed": {`deny contains {"msg": "m"} if mesh.policies(input.object.kind, "shop")`, []mesh.Kind{mesh.AuthorizationPolicy}},
	} {
		files["acme/"+name+".rego"] = &fstest.MapFile{Data: []byte(head + "package acme." + name + "\n\n" + c.body)}
		files["acme/"+name+".txtar"] = &fstest.MapFile{Data: []byte(scenarios)}
		want["acme/"+strings.ReplaceAll(name, "_", "-")] = c.want
	}
	p, err := Load(files, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]mesh.Kind{}
	for _, c := range p.Checks() {
		got[c.ID] = c.Reads
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

// TestBlind: a rule that asks for what is not read skips, and says so: that it finds nothing would be a guess. The others are asked.
func TestBlind(t *testing.T) {
	p := pack(t, map[string]string{
		"x": `deny contains {"msg": "no NetworkPolicy"} if mesh.policies("NetworkPolicy", "shop") == []`,
		"y": `deny contains {"msg": "no Service"} if mesh.services("shop") == []`,
	})
	all := objectsOf(t, denyPolicy)
	view := policies.NewView(mesh.New(mesh.Options{Unread: []mesh.Kind{mesh.NetworkPolicy}}, all...))
	found := policies.Evaluate(p.Checks(), view, all[0])
	want := []policies.Skip{{Check: "acme/x", Object: all[0].Ref(), Reason: "it cannot be told: kind NetworkPolicy.networking.k8s.io is not read."}}
	if diff := cmp.Diff(want, view.TakeSkips()); diff != "" || len(found) != 1 || found[0].Message != "no Service" {
		t.Errorf("found %v (-want +got):\n%s", found, diff)
	}
	if all := policies.Evaluate(p.Checks(), policies.NewView(view.WithUnread(nil)), all[0]); len(all) != 2 {
		t.Errorf("everything is read, and %d of 2 find something", len(all))
	}
}

// TestBlindAtRun: what only an evaluation shows, that the kind which is asked for is not read, is an error and no answer.
func TestBlindAtRun(t *testing.T) {
	for name, ask := range map[string]string{
		"policies_for": `mesh.policies_for(concat("", ["Service"]), "shop", "x") == []`,
		"waypoint":     `not mesh.waypoint(concat("", ["Service"]), "shop", "cart").bound`,
		"enrolled":     `not mesh.enrolled(["Service", "Pod"][0], "shop", "cart")`,
		"with":         `count(mesh.policies(input.object.kind, "shop")) == 0 with input.object as {"kind": "Service"}`,
	} {
		p := pack(t, map[string]string{"x": `deny contains {"msg": "m"} if ` + ask})
		all := objectsOf(t, denyPolicy)
		view := policies.NewView(mesh.New(mesh.Options{Unread: []mesh.Kind{mesh.Service}}, all...))
		found, failures := policies.Evaluate(p.Checks(), view, all[0]), view.TakeFailures()
		if len(found) > 0 || len(failures) != 1 || !strings.Contains(failures[0].Message, "is not read") {
			t.Errorf("%s: found %v, failures %v", name, found, failures)
		}
	}
}

// TestNamespacesHidden: where Namespaces are not shown, one can be asked about, and what is not known of it is Unknown; that there is none of
// them is no answer.
func TestNamespacesHidden(t *testing.T) {
	for ask, want := range map[string]string{
		`not mesh.enrolled("Namespace", "", "shop")`:                                            "found",
		`mesh.waypoint("Namespace", "", "shop").known == false`:                                 "found",
		`mesh.policies_for("Namespace", "", "shop")[0].metadata.name == "x"`:                    "found",
		`mesh.workloads_of("Namespace", "", "shop")[0].mode == "unknown"`:                       "found",
		`mesh.layers("Namespace", "", "shop")`:                                                  "",
		`mesh.namespaces_selected({}) == []`:                                                    "skips",
		`mesh.policies("Namespace", "") == []`:                                                  "skips",
		`mesh.policies(input.object.kind, "") == [] with input.object as {"kind": "Namespace"}`: "fails",
	} {
		p := pack(t, map[string]string{"x": `deny contains {"msg": "m"} if ` + ask})
		all := objectsOf(t, denyPolicy)
		view := policies.NewView(mesh.New(mesh.Options{Unread: []mesh.Kind{mesh.Namespace}}, all...))
		got := ""
		if len(policies.Evaluate(p.Checks(), view, all[0])) > 0 {
			got += "found"
		}
		if len(view.TakeSkips()) > 0 {
			got += "skips"
		}
		if len(view.TakeFailures()) > 0 {
			got += "fails"
		}
		if got != want {
			t.Errorf("%s: %q, want %q", ask, got, want)
		}
	}
}

// TestBlindToWhatAnswersRestOn: a question about workloads, policies and waypoints is not asked while a kind on which its answer rests is not
// read, and is while only others are not. What a cluster does not serve is read: there is none of it.
func TestBlindToWhatAnswersRestOn(t *testing.T) {
	workloads := []mesh.Kind{mesh.Pod, mesh.Deployment, mesh.StatefulSet, mesh.DaemonSet, mesh.ReplicaSet, mesh.Job, mesh.CronJob, mesh.Gateway,
		mesh.ServiceEntry, mesh.WorkloadEntry, mesh.IstioGateway}
	and := func(more ...mesh.Kind) []mesh.Kind {
		return slices.Sorted(slices.Values(slices.Concat(workloads, more)))
	}
	attached := []mesh.Kind{mesh.GatewayClass, mesh.BackendTLSPolicy, mesh.XBackendTrafficPolicy, mesh.AuthorizationPolicy, mesh.PeerAuthentication,
		mesh.RequestAuthentication, mesh.EnvoyFilter, mesh.WasmPlugin, mesh.TrafficExtension, mesh.Telemetry}
	for ask, want := range map[string][]mesh.Kind{
		`count(mesh.workloads("shop", {})) == 0`:                     workloads,
		`mesh.workloads_as("shop", "web") == []`:                     workloads,
		`not mesh.workloads_of("Service", "shop", "cart")`:           and(mesh.Service),
		`not mesh.workloads_of("Namespace", "", "shop")[0]`:          nil,
		`not mesh.enrolled("Service", "shop", "cart")`:               and(mesh.Service),
		`not mesh.enrolled("Namespace", "", "shop")`:                 nil,
		`not mesh.effective_mtls("shop", "web", 80).strict`:          and(mesh.PeerAuthentication),
		`mesh.admits("Service", "shop", "cart", "a/ns/b/sa/c")`:      and(mesh.Service, mesh.AuthorizationPolicy, mesh.PeerAuthentication),
		`not mesh.layers("Service", "shop", "cart")[0].closed`:       and(mesh.Service, mesh.GatewayClass, mesh.AuthorizationPolicy, mesh.PeerAuthentication),
		`not mesh.layers("Namespace", "", "shop")[0].closed`:         {mesh.AuthorizationPolicy, mesh.PeerAuthentication},
		`not mesh.waypoint("Service", "shop", "cart").bound`:         {mesh.Service, mesh.GatewayClass, mesh.Gateway},
		`not mesh.waypoint("Namespace", "", "shop").bound`:           {mesh.GatewayClass, mesh.Gateway},
		`mesh.policies_for("Service", "shop", "cart") == []`:         and(append(attached, mesh.Service)...),
		`not mesh.policies_for("Namespace", "", "shop")[0]`:          {mesh.AuthorizationPolicy, mesh.PeerAuthentication, mesh.RequestAuthentication},
		`mesh.policies_for(input.object.kind, "shop", "cart") == []`: and(attached...),
	} {
		p := pack(t, map[string]string{"x": `deny contains {"msg": "m"} if ` + ask})
		all := objectsOf(t, denyPolicy)
		var got []mesh.Kind
		for _, k := range mesh.Kinds() {
			view := policies.NewView(mesh.New(mesh.Options{Unread: []mesh.Kind{k}}, all...))
			found, skips, failures := policies.Evaluate(p.Checks(), view, all[0]), view.TakeSkips(), view.TakeFailures()
			if len(failures) > 0 || len(found)*len(skips) > 0 {
				t.Errorf("%s, without %s: found %v, skips %v, failures %v", ask, k, found, skips, failures)
			}
			if len(skips) > 0 && strings.Contains(skips[0].Reason, "is not read") {
				got = append(got, k)
			}
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", ask, diff)
		}
	}
}

// TestBlindToADeletion: of a deletion it is told as of an object.
func TestBlindToADeletion(t *testing.T) {
	meta := strings.Replace(head, "match: {", "match: {phases: [admission], operations: [DELETE], ", 1)
	p := pack(t, map[string]string{"x": meta + "package acme.x\n\n" + `deny contains {"msg": "no NetworkPolicy is left"} if mesh.policies("NetworkPolicy", "shop") == []`})
	o := objectsOf(t, denyPolicy)[0]
	for _, unread := range [][]mesh.Kind{nil, {mesh.NetworkPolicy}} {
		before := mesh.New(mesh.Options{Unread: unread}, o)
		change := &policies.Change{Old: o, Before: policies.NewView(before), After: policies.NewView(before.Without(o))}
		change.After.Occasion = policies.Occasion{Phase: policies.AtAdmission, Operation: "DELETE", Old: o}
		found, skips := policies.EvaluateChange(p.Checks(), change), change.After.TakeSkips()
		if blind := unread != nil; len(found) == 1 == blind || len(skips) == 1 != blind || blind && skips[0].Check != "acme/x" {
			t.Errorf("without %v: found %v, skips %v", unread, found, skips)
		}
	}
}

// TestEvidenceQuestions: what can be asked of roles, certificates and selectors, and what is a mistake.
func TestEvidenceQuestions(t *testing.T) {
	const roles = denyPolicy + `---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r, namespace: shop}
rules:
- {verbs: [get, list], apiGroups: [""], resources: [secrets], resourceNames: [b, a]}
- {verbs: [get], apiGroups: [""], resources: [secrets], resourceNames: [a, c]}
- {verbs: [list], apiGroups: [""], resources: [secrets, pods]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: Namespace
metadata: {name: bank}
`
	for name, c := range map[string]struct{ ask, want, fails string }{
		"rights":               {`mesh.granted("RoleBinding", "shop", "b", ["get", "list", "watch"], ["secrets", "pods"])`, `[{"names": ["a", "b", "c"], "resource": "secrets", "verb": "get"}, {"names": [], "resource": "secrets", "verb": "list"}, {"names": [], "resource": "pods", "verb": "list"}]`, ""},
		"no binding":           {`mesh.granted("RoleBinding", "shop", "x", ["get"], ["secrets"])`, "", ""},
		"nothing asked":        {`mesh.granted("RoleBinding", "shop", "b", [], [])`, "[]", ""},
		"no kind":              {`mesh.granted(concat("", ["Pot"]), "shop", "b", [], [])`, "", `there is no kind "Pot"`},
		"no texts":             {`mesh.granted("RoleBinding", "shop", "b", json.unmarshal("[1]"), [])`, "", "is no text"},
		"all namespaces":       {`mesh.namespaces_selected({})`, `["bank", "shop"]`, ""},
		"some":                 {`mesh.namespaces_selected({"matchExpressions": [{"key": "team", "operator": "Exists"}]})`, `["shop"]`, ""},
		"no selector":          {`mesh.namespaces_selected(json.unmarshal("{\"matchLabels\": \"x\"}"))`, "", "is no label selector"},
		"no certificate":       {`mesh.certificates("x")`, "", ""},
		"a text in its place":  {`mesh.certificates(concat("", ["-----BEGIN CERTIFICATE-----"]))`, "", ""},
		"not a text, at least": {`mesh.certificates(json.unmarshal("1"))`, "", "is no text"},
	} {
		p := pack(t, map[string]string{"x": `deny contains {"msg": sprintf("%v", [answer])} if answer := ` + c.ask})
		view, found := asked(t, p, policies.Occasion{}, roles)
		var got, failed string
		for _, f := range found {
			got += f.Message
		}
		for _, f := range view.TakeFailures() {
			failed += f.Message
		}
		if got != c.want || c.fails == "" && failed != "" || !strings.Contains(failed, c.fails) {
			t.Errorf("%s: %q (%s), want %q (%s)", name, got, failed, c.want, c.fails)
		}
	}
}
