package manifest

import "testing"

func TestHelmTemplates(t *testing.T) {
	template := "not evaluated: this is a Helm template ({{ on line "
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"actions": {
			"{{- if .Values.on }}\n" + named("a") + "{{- end }}\n---\n{{- if .Values.off }}\n" + named("b") + "{{- end }}\n---\n" + named("c"),
			[]string{"<stdin>:15[0] Service/c", "<stdin>:1: " + template + "1)…helm template CHART | waywarden scan -"},
		},
		"value as mapping": {
			"apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Values.name }}\n",
			[]string{"<stdin>:4: " + template + "4)"},
		},
		"quoted name": {
			"# {{ comment }}\napiVersion: v1\nkind: Service\nmetadata:\n  name: \"{{ .Release.Name }}\"\n",
			[]string{"<stdin>:5: " + template},
		},
		"quoted label": {named("a") + "  labels:\n    app: '{{ template \"x\" . }}'\n", []string{"<stdin>:6: " + template}},
		"quoted value": {named("a") + "spec:\n  type: \"{{ .Values.type | default 1 }}\"\n", []string{"<stdin>:6: " + template}},
		"function":     {named("a") + "spec:\n  type: '{{ include \"a.type\" . }}'\n", []string{"<stdin>:6: " + template}},
		"whole object": {
			"apiVersion: v1\nkind: Service\nmetadata: {{- toYaml .Values.meta | nindent 2 }}\n",
			[]string{"<stdin>:3: " + template},
		},
		// What only looks like Helm.
		"Prometheus": {named("a") + "spec:\n  summary: '{{ $labels.instance }} down'\n", []string{"<stdin>:1[0] Service/a"}},
		"Argo": {
			named("a") + "spec:\n  arg: '{{workflow.name}}-{{ .path.basename }}'\n",
			[]string{"<stdin>:1[0] Service/a"},
		},
		"injection template": {
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  values: '{{ .Values.global }}'\n  t: |\n    {{ .Values.global }}\n",
			[]string{"<stdin>:1[0] ConfigMap/a"},
		},
		"payload": {
			named("a") + "spec:\n  script: |\n    echo\n    {{ .Values.global }}\n",
			[]string{"<stdin>:1[0] Service/a"},
		},
		"comment": {"# {{ .Values.x }}\n" + named("a"), []string{"<stdin>:2[0] Service/a"}},
	} {
		t.Run(name, func(t *testing.T) { contains(t, summary(fromStdin(t, c.text)), c.want...) })
	}
}

func TestCharts(t *testing.T) {
	tree(t, `
-- my chart/Chart.yaml --
apiVersion: v2
name: x
-- my chart/values.yaml --
a: 1
-- my chart/templates/a.yaml --
{{ if .Values.a }}
-- my chart/charts/sub/templates/a.yaml --
{{ if .Values.a }}
-- plain/a.yaml --
apiVersion: v1
kind: A
`)
	chart := ": not evaluated: this is a Helm chart, …Run helm template 'my chart' | waywarden scan -."
	r := load(t, Options{}, ".")
	contains(t, summary(r), "plain/a.yaml:1[0] A/", "my chart"+chart)
	if r.Files != 1 || len(r.Skipped) != 0 {
		t.Errorf("Files %d, Skipped %v", r.Files, r.Skipped)
	}
	for _, path := range []string{"my chart", "my chart/Chart.yaml", "my chart/templates"} {
		contains(t, summary(load(t, Options{}, path)), path+chart)
	}
	contains(t, summary(load(t, Options{}, "my chart/templates/a.yaml")), "my chart/templates/a.yaml:1: not evaluated: this is a Helm template")
}

func TestKustomizations(t *testing.T) {
	tree(t, `
-- base/kustomization.yaml --
resources: [a.yaml]
-- base/a.yaml --
apiVersion: v1
kind: A
-- overlay/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [../base, extra.yaml]
patches:
- path: patch.yaml
- target: {kind: A}
  patch: "[]"
patchesStrategicMerge: [old.yaml]
replacements:
- path: ../base/replacement.yaml
-- overlay/extra.yaml --
apiVersion: v1
kind: Extra
-- overlay/patch.yaml --
- op: remove
  path: /spec
-- overlay/old.yaml --
apiVersion: v1
kind: A
$patch: delete
-- base/replacement.yaml --
source: {kind: A}
`)
	contains(t, summary(load(t, Options{}, ".")),
		"base/a.yaml:1[0] A/", "overlay/extra.yaml:1[0] Extra/",
		"base/kustomization.yaml:1: its overlays are not applied: …Run kustomize build base | waywarden scan -.",
		"overlay/kustomization.yaml:1: its overlays are not applied: …Run kustomize build overlay | waywarden scan -.")
	contains(t, summary(load(t, Options{}, "base/kustomization.yaml")), "base/kustomization.yaml:1: its overlays are not applied")
	// What is named is meant.
	contains(t, summary(load(t, Options{}, "overlay/old.yaml")), "overlay/old.yaml:1[0] A/")
}
