package chart

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"sigs.k8s.io/yaml"
)

func (all objects) keys() []string { return slices.Sorted(maps.Keys(all)) }

// variants are sets of values that install differently.
var variants = map[string]string{
	"default":      "",
	"cert-manager": "certificate: {source: cert-manager}",
	"own issuer":   "certificate: {source: cert-manager, certManager: {issuerRef: {name: corp, kind: ClusterIssuer}}}",
	"reports":      "audit: {lines: true, reports: {crds: true}, files: {enabled: true, claim: reports, frameworks: [soc2], formats: [html, oscal], signingKey: {secret: signing}}}",
	"pinned":       "failurePolicy: Fail",
	"asking":       "waypoints: {istiod: {debug: true}}",
	"reporting":    "waypoints: {provision: false}",
	"evidence":     "evidence: {webhooks: false, secrets: [istio-system/cacerts, edge/shop-tls, waywarden-system/corp]}",
	"monitored":    "{serviceMonitor: {enabled: true, labels: {team: mesh}}, prometheusRule: {enabled: true}}",
	"small": `{replicas: 1, crds: {install: false}, podDisruptionBudget: {enabled: false}, networkPolicy: {enabled: false},
		webhooks: {mutate: false, excludedNamespaces: []}, priorityClassName: "", resources: {limits: null}, failurePolicy: Ignore}`,
	"all that can be said": `{replicas: 3, image: {digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"},
		imagePullSecrets: [{name: pull}], fullnameOverride: guard, labels: {team: mesh}, podLabels: {a: b}, podAnnotations: {c: d}, pprof: true,
		istioVersion: "1.31", nodeSelector: {kubernetes.io/os: linux}, tolerations: [{operator: Exists}], rbac: {aggregateEdit: true},
		affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}},
		topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}], serviceAccount: {annotations: {e: f}},
		networkPolicy: {webhookFrom: [{ipBlock: {cidr: 10.0.0.0/8}}], metricsFrom: [{podSelector: {matchLabels: {app: prometheus}}}]}}`,
}

// TestLint is `helm lint`, which must find nothing.
func TestLint(t *testing.T) {
	for name, values := range variants {
		t.Run(name, func(t *testing.T) {
			for _, m := range lint.All(dir, parse(t, values), namespace, true).Messages {
				if m.Severity > support.InfoSev {
					t.Error(m)
				}
			}
		})
	}
}

func TestWrongValues(t *testing.T) {
	for values, want := range map[string]string{
		"replica: 3":                   "replica",
		"replicas: 0":                  "replicas",
		"replicas: many":               "replicas",
		"failurePolicy: fail":          "'managed', 'Fail', 'Ignore'",
		"image: {digest: sha256:1}":    "digest",
		"certificate: {source: vault}": "'self-signed', 'cert-manager'",
		"certificate: {certManager: {issuerRef: {name: x}}}": "kind",
		"drain: 1m":                              "drain",
		"{drain: 30s}":                           "would be killed while it serves: terminationGracePeriodSeconds is 30, and drain 30s",
		"maxExemption: forever":                  "maxExemption",
		"webhooks: {excludedNamespaces: [Kube]}": "excludedNamespaces",
		"webhooks: {excludedNamespaces: [waywarden-system]}": "where the canary is refused",
		"networkPolicy: {apiServerPorts: []}":                "apiServerPorts",
		"audit: {reports: {api: kyverno}}":                   "'auto', 'openreports', 'policyreport', 'none'",
		"audit: {files: {enabled: true}}":                    "audit.files.claim names no PersistentVolumeClaim",
		"audit: {files: {formats: [pdf]}}":                   "formats",
		"audit: {interval: hourly}":                          "interval",
		"podLabels: {a: 1}":                                  "podLabels",
		"certificate: {source: cert-manager}":                "the cluster does not serve cert-manager.io/v1. Install cert-manager, or set certificate.source=self-signed",
		"serviceMonitor: {enabled: true}":                    "the cluster does not serve monitoring.coreos.com/v1",
		"prometheusRule: {enabled: true}":                    "the cluster does not serve monitoring.coreos.com/v1",
	} {
		t.Run(values, func(t *testing.T) {
			_, err := template(t, values, Target{})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want an error that says %q", err, want)
			}
		})
	}
}

func TestOldKubernetes(t *testing.T) {
	for version, taken := range map[string]bool{"v1.29.14": false, "v1.30.0": true, "v1.30.0-gke.100": true, "v1.31.2-eks-7f9249a": true, "v1.37.2": true} {
		_, err := template(t, "", Target{Kubernetes: version})
		if taken != (err == nil) {
			t.Errorf("%s: %v", version, err)
		}
		if err != nil && !strings.Contains(err.Error(), ">= 1.30.0-0") {
			t.Errorf("%s: %v, want an error that says the range", version, err)
		}
	}
}

// TestEveryValueIsInTheSchema: the schema refuses what it does not name, so a new value must be in both.
func TestEveryValueIsInTheSchema(t *testing.T) {
	raw, err := os.ReadFile(dir + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := yaml.Unmarshal(raw, &schema); err != nil {
		t.Fatal(err)
	}
	named := slices.Sorted(maps.Keys(schema["properties"].(map[string]any)))
	named = slices.DeleteFunc(named, func(s string) bool { return s == "global" })
	if have := slices.Sorted(maps.Keys(load(t).Values)); !slices.Equal(have, named) {
		t.Errorf("values.yaml has %v, and the schema %v", have, named)
	}
}
