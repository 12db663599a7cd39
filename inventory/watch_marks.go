package inventory

import (
	"encoding/json"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/waywarden/waywarden/policies/mesh"
)

// Mark is what whoever writes to a cluster has to know of an object, and nobody else: in which version it is, and what of it
// the field manager of WatchOptions owns. It is no part of the mesh, which does not change with it.
type Mark struct {
	Version string // its resourceVersion
	Managed bool   // whether the manager owns any of its fields, the status left out
	// Labels are the keys of those labels that the manager owns, sorted.
	Labels []string
}

// written are the kinds that Waywarden makes or labels. The versions of others change too often to be kept.
var written = []mesh.Kind{mesh.Namespace, mesh.ConfigMap, mesh.Service, mesh.Gateway, mesh.AuthorizationPolicy, mesh.RequestAuthentication,
	mesh.ServiceEntry, mesh.WorkloadEntry}

// markOf reads an object before it is stripped; nil for kinds that nobody here writes.
func markOf(manager string, kind mesh.Kind, u *unstructured.Unstructured) *Mark {
	if manager == "" || !slices.Contains(written, kind) {
		return nil
	}
	m := &Mark{Version: u.GetResourceVersion()}
	for _, entry := range u.GetManagedFields() {
		if entry.Manager != manager || entry.Subresource != "" {
			continue
		}
		m.Managed = true
		m.Labels = append(m.Labels, labelsOf(entry.FieldsV1)...)
	}
	slices.Sort(m.Labels)
	m.Labels = slices.Compact(m.Labels)
	return m
}

// labelsOf are the keys of the labels in a set of fields, which has "f:" before each name.
func labelsOf(fields *metav1.FieldsV1) []string {
	var set struct {
		Metadata struct {
			Labels map[string]json.RawMessage `json:"f:labels"`
		} `json:"f:metadata"`
	}
	if fields == nil || json.Unmarshal(fields.GetRawBytes(), &set) != nil {
		return nil // then it says nothing of labels
	}
	var out []string
	for key := range set.Metadata.Labels {
		if name, ok := strings.CutPrefix(key, "f:"); ok {
			out = append(out, name)
		}
	}
	return out
}

// Marked is the Snapshot as it is known now, the marks of its objects, and what it may lack, all of one and the same
// moment. Objects are named by the preferred version of their kind. It is for one that writes, and costs a copy of the marks.
func (m *mirror) Marked() (*mesh.Snapshot, map[mesh.Ref]Mark, Gaps) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[mesh.Ref]Mark{}
	for _, kind := range written {
		for _, s := range m.of(kind) {
			for n, mark := range s.marks {
				out[mesh.Ref{APIVersion: kind.APIVersion(), Kind: kind.String(), Namespace: n.namespace, Name: n.name}] = *mark
			}
		}
	}
	return m.snapshot.Load(), out, m.gaps()
}

// Managed are the objects of which the manager owns fields, each with the keys of the labels among those. It costs a glance at each
// mark, and a copy of no more than those.
func (m *mirror) Managed() map[mesh.Ref][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[mesh.Ref][]string{}
	for _, kind := range written {
		for _, s := range m.of(kind) {
			for n, mark := range s.marks {
				if mark.Managed {
					out[mesh.Ref{APIVersion: kind.APIVersion(), Kind: kind.String(), Namespace: n.namespace, Name: n.name}] = mark.Labels
				}
			}
		}
	}
	return out
}
