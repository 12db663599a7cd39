package chart

import (
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
)

const (
	release   = "waywarden"
	namespace = "waywarden-system"
)

// Target is the cluster that is rendered for.
type Target struct {
	Kubernetes string // as in "v1.37.2", which it is if empty
	APIs       []string
	Namespace  string // waywarden-system if empty
}

// Template is `helm template`: the objects of the chart in a folder, as YAML, in the order in which Helm installs them. It asks no cluster.
func Template(dir string, values map[string]any, to Target) (string, error) {
	if to.Kubernetes == "" {
		to.Kubernetes = "v1.37.2"
	}
	if to.Namespace == "" {
		to.Namespace = namespace
	}
	version, err := chartutil.ParseKubeVersion(to.Kubernetes)
	if err != nil {
		return "", err
	}
	loaded, err := loader.Load(dir)
	if err != nil {
		return "", err
	}
	install := action.NewInstall(&action.Configuration{})
	install.DryRun, install.ClientOnly, install.Replace = true, true, true
	install.ReleaseName, install.Namespace, install.KubeVersion, install.APIVersions = release, to.Namespace, version, to.APIs
	r, err := install.Run(loaded, values)
	if err != nil {
		return "", err
	}
	return r.Manifest, nil
}
