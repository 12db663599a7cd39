//go:build cluster

package admission

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
	"github.com/waywarden/waywarden/test/serving"
	"github.com/waywarden/waywarden/test/signing"
)

// shelf is a registry for images on this machine, which wants a password and can go away.
type shelf struct {
	host, config string // config is a file with the password
	away         atomic.Bool
	silent       atomic.Bool // it takes what is asked, and does not answer
	asked        atomic.Int64
}

const robot, password = "robot", "s3cret"

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{config: filepath.Join(t.TempDir(), "config.json")}
	next := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		for s.silent.Load() && r.Context().Err() == nil {
			time.Sleep(50 * time.Millisecond)
		}
		if s.away.Load() {
			panic(http.ErrAbortHandler) // the connection ends
		}
		if name, given, _ := r.BasicAuth(); name != robot || given != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="rules"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.host = strings.TrimPrefix(server.URL, "http://")
	login := base64.StdEncoding.EncodeToString([]byte(robot + ":" + password))
	if err := os.WriteFile(s.config, fmt.Appendf(nil, `{"auths": {%q: {"auth": %q}}}`, s.host, login), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// push stores any archive, as oras push does, and returns its reference by digest.
func (s *shelf) push(t *testing.T, archive []byte) string {
	t.Helper()
	repository, err := remote.NewRepository(s.host + "/acme/rules")
	if err != nil {
		t.Fatal(err)
	}
	repository.PlainHTTP = true
	repository.Client = &auth.Client{Credential: auth.StaticCredential(s.host, auth.Credential{Username: robot, Password: password})}
	layer, err := oras.PushBytes(t.Context(), repository, ocispec.MediaTypeImageLayerGzip, archive)
	if err != nil {
		t.Fatal(err)
	}
	m, err := oras.PackManifest(t.Context(), repository, oras.PackManifestVersion1_1, "application/vnd.unknown.artifact.v1", oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}})
	if err != nil {
		t.Fatal(err)
	}
	return s.host + "/acme/rules@" + m.Digest.String()
}

// built is the pack in testdata as a bundle, as it is or with other words.
func built(t *testing.T, signer *bundle.Signer, words ...string) []byte {
	t.Helper()
	folder, err := bundle.Folder(ownedFiles(t, words...))
	if err != nil {
		t.Fatal(err)
	}
	archive, _, err := bundle.Build(folder, rules.Options{}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// large is the pack in testdata with another file of so many bytes, as a bundle.
func large(t *testing.T, signer *bundle.Signer, line func(int) string, bytes int) []byte {
	t.Helper()
	files := ownedFiles(t)
	var more strings.Builder
	more.WriteString("package acme.lib.more\n\n")
	for i := 0; more.Len() < bytes; i++ {
		more.WriteString(line(i))
	}
	files["acme/lib/more.rego"] = more.String()
	folder, err := bundle.Folder(files)
	if err != nil {
		t.Fatal(err)
	}
	archive, _, err := bundle.Build(folder, rules.Options{MaxBytes: 8 << 20}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// rewritten is an archive whose files are changed; nil leaves one out.
func rewritten(t *testing.T, archive []byte, change func(name string, data []byte) []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	tw := tar.NewWriter(gz)
	for tr := tar.NewReader(z); ; {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		if data = change(h.Name, data); data == nil {
			continue
		}
		h.Size = int64(len(data))
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestBundles: of a bundle in a registry is in force what a trusted key signed, and nothing else.
func TestBundles(t *testing.T) {
	s := newShelf(t)
	w := start(t, 2, "--registry-config", s.config, "--registry-plain-http")
	w.shop()
	w.apply(production)
	w.deniesNow()
	signer, public := signing.Keys(t)
	stranger, _ := signing.Keys(t)
	first := built(t, signer)
	put := func(ref string) {
		t.Helper()
		if err := w.storePack(packOf(t, "acme", v1alpha1.RulePackSpec{OCI: &v1alpha1.RulePackOCI{Image: ref, PublicKeys: []v1alpha1.PublicKey{public}}})); err != nil {
			t.Fatal(err)
		}
	}
	// refusedFor waits until what the pack names is refused, while a revision stays in force.
	refusedFor := func(reason, words, stays string) {
		t.Helper()
		p := w.becomes("acme", reason, words)
		c := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.RulePackReady)
		if p.Status.Revision != stays || stays != "" && !strings.Contains(c.Message, "The last good revision "+stays+" stays in force.") {
			t.Errorf("in force is %q, want %q: %s", p.Status.Revision, stays, c.Message)
		}
		w.asks(ownedCheck, stays != "")
	}

	put(s.push(t, rewritten(t, first, func(name string, data []byte) []byte {
		if strings.HasPrefix(name, ".signatures") {
			return nil
		}
		return data
	})))
	refusedFor(v1alpha1.ReasonSignatureInvalid, "it is not signed", "")

	w.squat(t, ownedFiles(t))
	firstRef := s.push(t, first)
	s.silent.Store(true)
	put(firstRef)
	refusedFor(v1alpha1.ReasonFetching, "Registry "+s.host+" is being asked for "+firstRef, "")
	s.silent.Store(false)
	good := w.becomes("acme", v1alpha1.ReasonInForce, "1 rules are in force").Status.Revision
	w.asks(ownedCheck, true)
	w.denied(w.create(object(t, guard), true), "metadata.labels", ownedCheck)
	t.Run("what is kept", func(t *testing.T) { w.keptSafe(t, good) })
	w.t = t

	put(s.push(t, rewritten(t, first, func(name string, data []byte) []byte {
		if name == ownedFile {
			return append(data, "\n# and nobody else\n"...)
		}
		return data
	})))
	refusedFor(v1alpha1.ReasonSignatureInvalid, ownedFile+" was changed after it was signed", good)
	put(s.push(t, built(t, stranger)))
	refusedFor(v1alpha1.ReasonSignatureInvalid, "its signature is not by SHA256:", good)
	put(s.push(t, built(t, signer, "team", "owner")))
	p := w.becomes("acme", v1alpha1.ReasonActivating, "Revision "+good+" stays in force until then.")
	if p.Status.Revision != good || p.Status.Preview == nil || p.Status.Preview.Revision == good {
		t.Errorf("what was not shown to anybody is in force: %+v", p.Status)
	}
	next := w.becomes("acme", v1alpha1.ReasonInForce, "1 rules are in force").Status.Revision
	if next == good {
		t.Errorf("still in force is %s", good)
	}

	// The registry is away: what is in force stays, also in a replica that starts now.
	third := s.push(t, built(t, signer, "team", "unit"))
	s.away.Store(true)
	put(third)
	refusedFor(v1alpha1.ReasonSourceUnavailable, "the registry does not deliver "+third, next)
	file, err := serving.Built()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range w.replicas {
		w.balancer.Remove(r.Addr)
		r.Kill()
	}
	w.replicas = nil
	w.add(file, "--registry-config", s.config, "--registry-plain-http")
	refusedFor(v1alpha1.ReasonSourceUnavailable, "the registry does not deliver", next)
	s.away.Store(false)
	w.within(time.Minute, "the registry is asked again", func() error {
		if p := w.pack("acme"); p.Status.Revision == next {
			return errors.New("it was not, or delivered nothing")
		}
		return nil
	})
	w.becomes("acme", v1alpha1.ReasonInForce, "")

	put(s.push(t, large(t, signer, func(i int) string { return "# 5 MB of Rego, which is small in gzip\n" }, 5<<20)))
	refusedFor(v1alpha1.ReasonCompileError, "larger than 4194304 bytes", w.pack("acme").Status.Revision)
	put(s.push(t, large(t, signer, func(i int) string { return fmt.Sprintf("# %x\n", sha256.Sum256([]byte{byte(i), byte(i >> 8)})) }, 3<<20)))
	refusedFor(v1alpha1.ReasonTooLarge, "kept in gzip, they have 2", w.pack("acme").Status.Revision)

	// What was in force is kept, and not asked for again.
	before := s.asked.Load()
	put(firstRef)
	w.becomes("acme", v1alpha1.ReasonInForce, good)
	w.asks(ownedCheck, true)
	if now := s.asked.Load(); now != before {
		t.Errorf("the registry was asked %d times for what is kept", now-before)
	}
}
