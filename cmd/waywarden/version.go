package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/report"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// version is set by the release build with -ldflags "-X main.version=…".
var version string

type versionInfo struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	Istio   string `json:"istio"` // the Istio whose behaviour is judged where the input does not tell
	// IstioVersions are those that are judged by rules of their own.
	IstioVersions []string `json:"istioVersions"`
	API           string   `json:"api"` // the Istio API that is decoded
	Checks        int      `json:"checks"`
	Rego          string   `json:"rego"` // the OPA whose Rego rules are written in
}

func readVersion() versionInfo {
	v := versionInfo{Version: programVersion(), Go: runtime.Version(), Istio: mesh.New(mesh.Options{}).Settings().Version.String(), Checks: len(policies.Checks())}
	for _, known := range mesh.Versions {
		v.IstioVersions = append(v.IstioVersions, known.String())
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			v.Commit = s.Value
		}
	}
	for _, m := range build.Deps {
		switch m.Path {
		case "istio.io/api":
			v.API = m.Version
		case "github.com/open-policy-agent/opa":
			v.Rego = m.Version
		}
	}
	return v
}

func programVersion() string {
	if version != "" {
		return version
	}
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return build.Main.Version
	}
	return "(devel)"
}

func newVersion(e *env) *cobra.Command {
	output := outputFlag{value: "text", allowed: []string{"text", "json", "yaml"}}
	cmd := &cobra.Command{
		Use:   "version [-o json]",
		Short: "Print the version, and the Istio whose behaviour it knows",
		Example: examples(e, `
waywarden version

waywarden version -o json`),
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := readVersion()
			if output.value != "text" {
				return output.write(e.stdout, v)
			}
			text := fmt.Sprintf("waywarden %s", v.Version)
			if v.Commit != "" {
				text += " (" + v.Commit + ")"
			}
			if v.Rego != "" {
				text += ", Rego of OPA " + v.Rego
			}
			_, err := fmt.Fprintf(e.stdout, "%s, %s\n%d checks; judges Istio %s, and %s where the input does not tell which it is\n",
				text, v.Go, v.Checks, strings.Join(v.IstioVersions, ", "), v.Istio)
			return err
		},
	}
	output.add(cmd)
	return cmd
}

// write writes a model in one of the two formats that any model has.
func (o *outputFlag) write(w interface{ Write([]byte) (int, error) }, v any) error {
	if o.value == "yaml" {
		return report.YAML(w, v)
	}
	return report.JSON(w, v)
}
