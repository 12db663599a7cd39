package checks

import (
	"fmt"
	"strings"

	"istio.io/api/annotation"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// A ProxyConfig over enrolled pods only, or annotation proxy.istio.io/config on one. Both configure the
// proxy that is injected into a pod, and an enrolled pod has none; ztunnel looks at neither. Waypoints
// read a ProxyConfig of their namespace when istiod renders them, so that one counts.
var _ = policies.Register(policies.Check{
	ID:       "effect/proxy-config-no-op",
	Title:    "A proxy's configuration where there is no proxy",
	Severity: policies.Low,
	Kinds:    append([]mesh.Kind{mesh.ProxyConfig}, podKinds...),
	Cases:    []int{128},
	Controls: configuration(),
	Doc: `ProxyConfig and annotation proxy.istio.io/config configure the sidecar of a pod. An enrolled pod has no
sidecar, and ztunnel reads neither. A delayed start (holdApplicationUntilProxyStarts) or a drain time that an
application counts on is gone.`,
	Remedy: "Remove it; what ztunnel needs is set where ztunnel is installed.",
	Run: func(p *policies.Pass) {
		if p.Object.Kind == mesh.ProxyConfig {
			for _, e := range p.Effects(p.Object) {
				if e.Reason == policies.NoProxy || e.Reason == policies.EmptySelector {
					_, why, _ := strings.Cut(strings.TrimSuffix(e.Message, "."), ": ")
					why, _, _ = strings.Cut(why, ". ")
					f := policies.Finding{Verdict: e.Verdict, Field: e.Field, Message: fmt.Sprintf("this ProxyConfig has no effect: %s.", why)}
					if e.Reason == policies.NoProxy {
						f.WaitsFor = another(mesh.Gateway, p.Object.Namespace)
					}
					p.Report(f)
				}
			}
			return
		}
		if labels, annotations := template(p.Object); annotations[annotation.ProxyConfig.Name] != "" && enrolledTemplate(p, labels) {
			p.Report(policies.Finding{
				Severity: policies.Info, Field: podField(p.Object.Kind, "metadata.annotations["+annotation.ProxyConfig.Name+"]"),
				Message: fmt.Sprintf("annotation %s has no effect: the pods of %s are enrolled and have no sidecar.", annotation.ProxyConfig.Name, p.Object),
			})
		}
	},
})

// template is the labels and annotations of the pods that the object is or makes.
func template(o *mesh.Object) (labels, annotations map[string]string) {
	switch b := o.Spec.(type) {
	case *mesh.PodOwner:
		return b.Template.Metadata.Labels, b.Template.Metadata.Annotations
	case *mesh.CronJobSpec:
		meta := b.JobTemplate.Spec.Template.Metadata
		return meta.Labels, meta.Annotations
	}
	return o.Labels, o.Annotations
}

// enrolledTemplate is whether the pods that the object is or makes are enrolled. What something else
// makes is asked about there.
func enrolledTemplate(p *policies.Pass, labels map[string]string) bool {
	if len(p.Object.Owners) > 0 {
		return false
	}
	for _, w := range p.Select(p.Object.Namespace, labels) {
		if w.Source == p.Object || p.Object.Kind != mesh.Pod && w.Source != nil && w.Source.Kind == mesh.Pod && len(labels) > 0 {
			return w.Mode == mesh.ModeAmbient
		}
	}
	return false
}
