package packs

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
)

// KeptLabel is on every ControllerRevision that holds a revision of a pack, with the value KeptValue.
const (
	KeptLabel = "waywarden.dev/kept"
	KeptValue = "rule-pack"
)

// keptData is what a ControllerRevision holds. The API server lets nobody change it.
type keptData struct {
	Pack     string `json:"pack"`
	Revision string `json:"revision"`
	// Source is from where it came, where that need not be asked again; "" for a source that may change.
	Source string `json:"source,omitempty"`
	// Files are the files, as JSON in gzip.
	Files []byte `json:"files"`
}

// kept is a revision of a pack that can be put in force again.
type kept struct {
	keptData
	object *appsv1.ControllerRevision
}

// keep is the ControllerRevision for a revision of a pack; number is higher than those of others of the pack. The pack takes it
// along when it goes.
func keep(p *v1alpha1.RulePack, namespace, source string, f Files, pack *rules.Pack, number int64) (*appsv1.ControllerRevision, error) {
	files, err := zipped(f)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(keptData{Pack: p.Name, Revision: pack.Revision, Source: source, Files: files})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(string(p.UID) + pack.Revision))
	name := p.Name
	if len(name) > 40 {
		name = strings.TrimRight(name[:40], "-.")
	}
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "rulepack-" + name + "-" + hex.EncodeToString(sum[:5]), Labels: map[string]string{KeptLabel: KeptValue},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.RulePackKind, Name: p.Name, UID: p.UID}}},
		Data: runtime.RawExtension{Raw: data}, Revision: number}, nil
}

// keptOf are the revisions that are kept of a pack, the latest first. What is no such thing is passed over.
func keptOf(p *v1alpha1.RulePack, all []*appsv1.ControllerRevision) []kept {
	var out []kept
	for _, c := range all {
		if !slices.ContainsFunc(c.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == p.UID }) {
			continue
		}
		k := kept{object: c}
		if json.Unmarshal(c.Data.Raw, &k.keptData) == nil && k.Pack == p.Name {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b kept) int { return -cmp.Compare(a.object.Revision, b.object.Revision) })
	return out
}

// revisionOf is the one of some revisions that a digest names; nil where none is.
func revisionOf(all []kept, revision string) *kept {
	i := slices.IndexFunc(all, func(k kept) bool { return k.Revision == revision })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// files are those of the revision. The error is for what is not what the revision says.
func (k *kept) files() (Files, error) {
	f, err := unzipped(k.Files)
	if err != nil {
		return nil, fmt.Errorf("read ControllerRevision %s/%s: %w", k.object.Namespace, k.object.Name, err)
	}
	if got, err := f.revision(); err != nil || got != k.Revision {
		return nil, fmt.Errorf("ControllerRevision %s/%s does not hold %s, as it says, but %s (%v)", k.object.Namespace, k.object.Name, k.Revision, got, err)
	}
	return f, nil
}

// history is what is kept, as the status says it.
func history(all []kept) []v1alpha1.RulePackRevision {
	var out []v1alpha1.RulePackRevision
	for _, k := range all {
		out = append(out, v1alpha1.RulePackRevision{Revision: k.Revision, Since: k.object.CreationTimestamp, Kept: k.object.Namespace + "/" + k.object.Name})
	}
	return out
}

func zipped(f Files) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if err := json.NewEncoder(z).Encode(f); err != nil { // keys sorted
		return nil, err
	}
	err := z.Close()
	return out.Bytes(), err
}

// unzipped bounds what comes out: a small thing in gzip can be a large one.
func unzipped(data []byte) (Files, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var out Files
	err = json.NewDecoder(io.LimitReader(z, 8*rules.DefaultMaxBytes)).Decode(&out)
	return out, err
}
