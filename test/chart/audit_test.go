package chart

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	rbacv1 "k8s.io/api/rbac/v1"
)

// TestReportFiles: the CronJob writes one file for each format, signed, and its pods are none of the Deployment's.
func TestReportFiles(t *testing.T) {
	all := render(t, "audit: {files: {enabled: true, claim: reports, frameworks: [soc2], formats: [html, oscal], signingKey: {secret: signing}}}")
	job := into[batchv1.CronJob](t, all, "CronJob waywarden-reports")
	pod := job.Spec.JobTemplate.Spec.Template
	var got [][]string
	for _, c := range pod.Spec.Containers {
		got = append(got, c.Args)
	}
	want := [][]string{
		{"report", "--output=html", "--out=/reports/waywarden-{time}.html", "--max-exemption=2160h", "--evidence=rbac,webhooks", "--framework=soc2", "--sign=/key/key.pem"},
		{"report", "--output=oscal", "--out=/reports/waywarden-{time}.oscal.json", "--max-exemption=2160h", "--evidence=rbac,webhooks", "--framework=soc2", "--sign=/key/key.pem"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	if pod.Labels["app.kubernetes.io/name"] != "waywarden-reports" {
		t.Errorf("the pods are labelled %v, which the Service selects", pod.Labels)
	}
	for _, w := range []string{"create", "patch", "update", "delete"} {
		for g := range grants(t, into[rbacv1.ClusterRole](t, all, "ClusterRole waywarden-reports").Rules) {
			if strings.HasSuffix(g, ": "+w) {
				t.Errorf("who only reads is granted %s", g)
			}
		}
	}
}

// TestReportCRDs: OpenReports' CRDs come only where they are asked for, and stay.
func TestReportCRDs(t *testing.T) {
	crds := func(values string) (out []string) {
		for key, o := range render(t, values) {
			if strings.HasSuffix(key, ".openreports.io") {
				out = append(out, key)
				if o.GetAnnotations()["helm.sh/resource-policy"] != "keep" {
					t.Errorf("%s goes with the release, and everybody's reports with it", key)
				}
			}
		}
		slices.Sort(out)
		return out
	}
	if got := crds(""); got != nil {
		t.Errorf("unasked: %v", got)
	}
	want := []string{"CustomResourceDefinition clusterreports.openreports.io", "CustomResourceDefinition reports.openreports.io"}
	if diff := cmp.Diff(want, crds("{crds: {install: false}, audit: {reports: {crds: true}}}")); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
}
