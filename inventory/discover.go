package inventory

import (
	"context"
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies/mesh"
)

// served is what of mesh.Kinds a cluster serves.
type served struct {
	resources []resource
	authored  []schema.GroupVersionResource // Guardrails and Exemptions, where their CRDs are installed
	unread    []Unread                      // groups whose server does not answer: nobody knows what they hold
	passed    []mesh.Kind                   // kinds of evidence that are not to be read
}

func discover(ctx context.Context, cfg *rest.Config, evidence Evidence) (served, error) {
	client, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return served{}, err
	}
	_, lists, err := client.ServerGroupsAndResourcesWithContext(ctx)
	silent, partial := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !partial {
		return served{}, err
	}
	if len(lists) == 0 {
		return served{}, errors.New("it serves nothing at all")
	}
	versions := map[schema.GroupResource][]string{}
	for _, l := range lists {
		gv, err := schema.ParseGroupVersion(l.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range l.APIResources {
			if listable(r) {
				gr := schema.GroupResource{Group: gv.Group, Resource: r.Name}
				versions[gr] = append(versions[gr], gv.Version)
			}
		}
	}
	return choose(versions, silent, evidence), nil
}

func listable(r metav1.APIResource) bool { return slices.Contains(r.Verbs, "list") }

// choose takes the newest version of each kind that is served: the first of Kind.Versions, else the one that the
// cluster names first. Of the kinds that are evidence it takes those that are to be read.
func choose(versions map[schema.GroupResource][]string, silent map[schema.GroupVersion]error, evidence Evidence) served {
	out := served{passed: evidence.passedOver()}
	for _, kind := range mesh.Kinds() {
		if !evidence.reads(kind) {
			continue
		}
		for _, group := range kind.Groups() {
			gr := schema.GroupResource{Group: group, Resource: kind.Resource()}
			offered := versions[gr]
			if len(offered) == 0 {
				if why := silence(group, silent); why != nil {
					out.unread = append(out.unread, resource{GroupVersionResource: gr.WithVersion(""), kind: kind}.unread("its API group does not answer: "+why.Error()))
				}
				continue
			}
			version := offered[0]
			if i := slices.IndexFunc(kind.Versions(), func(v string) bool { return slices.Contains(offered, v) }); i >= 0 {
				version = kind.Versions()[i]
			}
			r := resource{GroupVersionResource: gr.WithVersion(version), kind: kind}
			if kind != mesh.Secret {
				out.resources = append(out.resources, r)
				continue
			}
			for _, s := range evidence.Secrets {
				r.only = name{s.Namespace, s.Name}
				out.resources = append(out.resources, r)
			}
		}
	}
	for _, name := range authoredResources {
		gr := schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: name}
		if slices.Contains(versions[gr], v1alpha1.GroupVersion.Version) {
			out.authored = append(out.authored, gr.WithVersion(v1alpha1.GroupVersion.Version))
		}
	}
	return out
}

func silence(group string, silent map[schema.GroupVersion]error) error {
	for gv, err := range silent {
		if gv.Group == group {
			return err
		}
	}
	return nil
}
