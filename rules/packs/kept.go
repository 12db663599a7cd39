package packs

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
)

// KeptLabel is on every ControllerRevision that holds a revision of a pack, with the value KeptValue.
const (
	KeptLabel = "waywarden.dev/kept"
	KeptValue = "rule-pack"
)

// mostStored is how many bytes an API server stores of one object: what etcd takes (go.etcd.io/etcd server/embed DefaultMaxRequestBytes, 1.5 MiB),
// without what is stored beside it.
const mostStored = 1_500_000

// tooLarge refuses what no API server stores.
func tooLarge(how string, bytes int) *Refused {
	return refused(v1alpha1.ReasonTooLarge, wholePack, "the rules are not taken: %s they have %d bytes, and an API server stores %d. Make several packs.", how, bytes, mostStored)
}

// keptData is what a ControllerRevision holds. The API server lets nobody change it, but who may delete and create can exchange it.
type keptData struct {
	Pack     string `json:"pack"`
	Revision string `json:"revision"`
	// Files are the files, as JSON in gzip, of what came from no registry.
	Files []byte `json:"files,omitempty"`
	// Bundle is what the registry delivered, with its signature, and Key the public key that it is by, in PEM.
	Bundle *bundle.Delivered `json:"bundle,omitempty"`
	Key    string            `json:"key,omitempty"`
}

// kept is a revision of a pack that can be put in force again.
type kept struct {
	keptData
	signedBy string // as the status says
	object   *appsv1.ControllerRevision
	wrong    error // why it is not what was kept, where somebody has looked
}

// keep is the ControllerRevision for a revision of a pack; number is higher than those of others of the pack. The pack takes it
// along when it goes.
func keep(p *v1alpha1.RulePack, namespace string, w *wanted, number int64) (*appsv1.ControllerRevision, error) {
	k := keptData{Pack: p.Name, Revision: w.revision}
	var err error
	if w.signed != nil {
		k.Bundle, k.Key = w.signed.Delivered, w.signed.By.PEM()
	} else if k.Files, err = zipped(w.files); err != nil {
		return nil, err
	}
	data, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(string(p.UID) + w.revision))
	name := p.Name
	if len(name) > 40 {
		name = strings.TrimRight(name[:40], "-.")
	}
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "rulepack-" + name + "-" + hex.EncodeToString(sum[:5]), Labels: map[string]string{KeptLabel: KeptValue},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.RulePackKind, Name: p.Name, UID: p.UID}}},
		Data: runtime.RawExtension{Raw: data}, Revision: number}, nil
}

// keptOf are the revisions that are kept of a pack, by its status, the latest first. strange are others that claim to be: who may
// write ControllerRevisions may not say what is in force, so what the status does not name is not used.
func keptOf(p *v1alpha1.RulePack, all []*appsv1.ControllerRevision) (known, strange []kept) {
	for _, c := range all {
		if !slices.ContainsFunc(c.OwnerReferences, func(o metav1.OwnerReference) bool { return o.UID == p.UID }) {
			continue
		}
		k := kept{object: c}
		if json.Unmarshal(c.Data.Raw, &k.keptData) != nil || k.Pack != p.Name {
			strange = append(strange, k)
			continue
		}
		i := slices.IndexFunc(p.Status.History, func(h v1alpha1.RulePackRevision) bool { return h.Revision == k.Revision && h.Kept == k.name() })
		if i < 0 {
			strange = append(strange, k)
			continue
		}
		k.signedBy = p.Status.History[i].SignedBy
		known = append(known, k)
	}
	slices.SortFunc(known, func(a, b kept) int { return -cmp.Compare(a.object.Revision, b.object.Revision) })
	slices.SortFunc(strange, func(a, b kept) int { return strings.Compare(a.object.Name, b.object.Name) })
	return known, strange
}

// revisionOf is the one of some revisions that a digest names; nil where none is.
func revisionOf(all []kept, revision string) *kept {
	i := slices.IndexFunc(all, func(k kept) bool { return k.Revision == revision })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// name is where it is kept, as the status says it.
func (k *kept) name() string { return k.object.Namespace + "/" + k.object.Name }

// history is what is kept, as the status says it.
func history(all []kept) []v1alpha1.RulePackRevision {
	var out []v1alpha1.RulePackRevision
	for _, k := range all {
		out = append(out, v1alpha1.RulePackRevision{Revision: k.Revision, Since: k.object.CreationTimestamp, Kept: k.name(), SignedBy: k.signedBy})
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
