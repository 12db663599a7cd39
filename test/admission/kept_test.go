//go:build cluster

package admission

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	apps "k8s.io/client-go/kubernetes/typed/apps/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
	"github.com/waywarden/waywarden/test/serving"
)

// revisionOf is the revision of a pack of these files.
func revisionOf(t *testing.T, files map[string]string) string {
	t.Helper()
	folder, err := bundle.Folder(files)
	if err != nil {
		t.Fatal(err)
	}
	revision, err := rules.Digest(folder)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// squat puts something where a revision of pack acme is going to be kept, before it is: that it is called so keeps nothing from being
// kept there.
func (w *world) squat(t *testing.T, files map[string]string) {
	t.Helper()
	client, err := kubernetes.NewForConfig(w.Config)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(string(w.pack("acme").UID) + revisionOf(t, files)))
	there := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: "rulepack-acme-" + hex.EncodeToString(sum[:5])}, Data: runtime.RawExtension{Raw: []byte(`{"pack": "acme"}`)}}
	if _, err := client.AppsV1().ControllerRevisions(serving.Namespace).Create(t.Context(), there, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// forged is what a ControllerRevision would hold that Waywarden kept, of rules that nobody signed; and their revision.
func forged(t *testing.T) ([]byte, string) {
	t.Helper()
	files := ownedFiles(t, "not labels", "false; labels", "bad-bare", "ok-bare") // admits everything
	revision := revisionOf(t, files)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if err := errors.Join(json.NewEncoder(z).Encode(files), z.Close()); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"pack": "acme", "revision": revision, "files": zipped.Bytes()})
	if err != nil {
		t.Fatal(err)
	}
	return raw, revision
}

// keptSafe: who may write ControllerRevisions in Waywarden's namespace puts nothing in force by that, and it shows.
func (w *world) keptSafe(t *testing.T, good string) {
	w.t = t
	client, err := kubernetes.NewForConfig(w.Config)
	if err != nil {
		t.Fatal(err)
	}
	kept := client.AppsV1().ControllerRevisions(serving.Namespace)
	history := w.pack("acme").Status.History
	if len(history) != 1 || history[0].Revision != good || !strings.HasPrefix(history[0].SignedBy, "SHA256:") {
		t.Fatalf("history %+v", history)
	}
	name := strings.TrimPrefix(history[0].Kept, serving.Namespace+"/")
	honest, err := kept.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	raw, revision := forged(t)
	planted := honest.DeepCopy()
	planted.ObjectMeta = metav1.ObjectMeta{Name: "rulepack-acme-planted", Namespace: honest.Namespace, Labels: honest.Labels, OwnerReferences: honest.OwnerReferences}
	planted.Data, planted.Revision = runtime.RawExtension{Raw: raw}, 1000
	if _, err := kept.Create(t.Context(), planted, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.keptIs(metav1.ConditionFalse, "ControllerRevision "+serving.Namespace+"/rulepack-acme-planted claims to be of this RulePack, and Waywarden did not keep it.")
	if p := w.pack("acme"); p.Status.Revision != good || len(p.Status.History) != 1 {
		t.Errorf("status %+v", p.Status)
	}
	back := packOf(t, "acme", w.pack("acme").Spec)
	if err := w.storePack(back); err != nil {
		t.Fatal(err)
	}
	back.Object["spec"].(map[string]any)["rollbackTo"] = revision
	if err := w.storePack(back); err == nil || !strings.Contains(err.Error(), "there is nothing to roll back to: "+revision+" is not kept.") {
		t.Errorf("a rollback to what somebody planted: %v", err)
	}
	if err := kept.Delete(t.Context(), planted.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.keptIs(metav1.ConditionTrue, "")

	planted.Name, planted.Revision = name, honest.Revision
	w.exchange(kept, planted)
	w.eventually("what was exchanged is kept anew", func() error {
		is, err := kept.Get(t.Context(), name, metav1.GetOptions{})
		if err == nil && !bytes.Equal(is.Data.Raw, honest.Data.Raw) {
			return errors.New("it is something else")
		}
		return err
	})
	w.keptIs(metav1.ConditionTrue, "")
	w.becomes("acme", v1alpha1.ReasonInForce, "")
	w.asks(ownedCheck, true)
}

// exchange puts something in the place of what is kept.
func (w *world) exchange(kept apps.ControllerRevisionInterface, by *appsv1.ControllerRevision) {
	w.t.Helper()
	w.eventually("what is kept is exchanged", func() error { // the Keeper may be faster
		if err := kept.Delete(w.t.Context(), by.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		_, err := kept.Create(w.t.Context(), by, metav1.CreateOptions{})
		return err
	})
}

// keptIs waits until a pack says of what is kept that it is as it was kept, or is not.
func (w *world) keptIs(status metav1.ConditionStatus, words string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("the condition Kept is %s", status), func() error {
		c := apimeta.FindStatusCondition(w.pack("acme").Status.Conditions, v1alpha1.RulePackKept)
		if c == nil || c.Status != status || !strings.Contains(c.Message, words) {
			return fmt.Errorf("condition %+v", c)
		}
		return nil
	})
}
