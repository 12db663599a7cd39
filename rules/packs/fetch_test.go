package packs

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/bundle"
	"github.com/waywarden/waywarden/test/signing"
)

// TestFromRegistry: what is signed is handed on, and what is not is refused in the word that the status has for it.
func TestFromRegistry(t *testing.T) {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	signs, public := signing.Keys(t)
	_, stranger := signing.Keys(t)
	archive, pack, err := bundle.Build(os.DirFS("../../test/admission/testdata/packs"), rules.Options{}, signs)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := bundle.Push(t.Context(), archive, host+"/acme/rules", bundle.Access{Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	fetch := FromRegistry(bundle.Access{Plain: true})
	signed, err := fetch(t.Context(), &v1alpha1.RulePackOCI{Image: ref, PublicKeys: []v1alpha1.PublicKey{stranger, public}})
	if err != nil {
		t.Fatal(err)
	}
	if revision, err := signed.Files.revision(); err != nil || revision != pack.Revision {
		t.Errorf("revision %s, %v; it was built as %s", revision, err, pack.Revision)
	}
	if _, err := FromRegistry(bundle.Access{})(t.Context(), &v1alpha1.RulePackOCI{Image: ref, PublicKeys: []v1alpha1.PublicKey{public}}); err == nil || !strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		t.Errorf("a registry on this machine was asked in plain HTTP, and nobody said so: %v", err)
	}
	nowhere := "@sha256:" + strings.Repeat("0", 64)
	for _, tc := range []struct {
		image         string
		key           v1alpha1.PublicKey
		reason, field string
		consequence   string
	}{
		{image: ref, key: stranger, reason: v1alpha1.ReasonSignatureInvalid, field: "spec.oci", consequence: "its signature is not by SHA256:"},
		{image: host + "/acme/rules" + nowhere, key: public, reason: v1alpha1.ReasonSourceUnavailable, field: "spec.oci", consequence: "there is no such repository in it"},
		{image: "127.0.0.1:1/acme/rules" + nowhere, key: public, reason: v1alpha1.ReasonSourceUnavailable, field: "spec.oci", consequence: "connection refused"},
		{image: host + "/acme/rules:v1", key: public, reason: v1alpha1.ReasonBundleInvalid, field: "spec.oci", consequence: "a tag is moved"},
		{image: ref, key: "-----BEGIN PUBLIC KEY-----", reason: v1alpha1.ReasonInvalid, field: "spec.oci.publicKeys[0]", consequence: "nobody's signature counts"},
	} {
		_, err := fetch(t.Context(), &v1alpha1.RulePackOCI{Image: tc.image, PublicKeys: []v1alpha1.PublicKey{tc.key}})
		var r *Refused
		if !errors.As(err, &r) || r.Reason != tc.reason || r.Refusals[0].File != tc.field || !strings.Contains(r.Refusals[0].Message, tc.consequence) {
			t.Errorf("%s: %+v, want %s of %s: … %s …", tc.image, err, tc.reason, tc.field, tc.consequence)
		}
	}
}

// asks is a pack whose bundle is asked for, as the Keeper does it: with every knock, and every ten seconds.
type asks struct {
	*Keeper
	began  time.Time
	mu     sync.Mutex
	asked  map[string][]time.Duration // when, by image
	answer error                      // of the registry
	takes  time.Duration              // until it answers
}

func newAsks() *asks {
	a := &asks{began: time.Now(), asked: map[string][]time.Duration{}}
	a.Keeper = NewKeeper(KeeperOptions{Fetch: func(ctx context.Context, b *v1alpha1.RulePackOCI) (*Signed, error) {
		a.mu.Lock()
		a.asked[b.Image] = append(a.asked[b.Image], time.Since(a.began))
		a.mu.Unlock()
		select {
		case <-time.After(a.takes):
			return &Signed{Files: Files{"acme/x.rego": "package acme.x\n"}}, a.answer
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}})
	return a
}

func (a *asks) bundle(ctx context.Context, image string) (*wanted, error) {
	pack := &v1alpha1.RulePack{}
	pack.Name = "acme"
	return (&one{Keeper: a.Keeper, pack: pack}).bundle(ctx, &v1alpha1.RulePackOCI{Image: image})
}

// follow asks for a while, and returns when the registry was asked, and what came of it at last.
func (a *asks) follow(t *testing.T, image string, d time.Duration) ([]time.Duration, error) {
	t.Helper()
	var err error
	for end := time.Now().Add(d); time.Now().Before(end); {
		_, err = a.bundle(t.Context(), image)
		select {
		case <-a.poke:
		case <-time.After(retry):
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[image], err
}

func seconds(all ...int) (out []time.Duration) {
	for _, s := range all {
		out = append(out, time.Duration(s)*time.Second)
	}
	return out
}

// TestFetchAgain: a registry that is away is asked again, after longer and longer; what it delivered, or what was refused, is not
// asked for again until the pack names something else.
func TestFetchAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsks()
		a.answer = errors.New("the registry is away")
		got, err := a.follow(t, "a", 20*time.Minute)
		var r *Refused
		if diff := cmp.Diff(seconds(0, 10, 30, 70, 150, 310, 610, 910), got); diff != "" || !errors.As(err, &r) || r.Reason != v1alpha1.ReasonSourceUnavailable {
			t.Errorf("a registry that is away: %v (-want +got)\n%s", err, diff)
		}
		a.answer = nil
		got, err = a.follow(t, "a", 20*time.Minute)
		if diff := cmp.Diff(seconds(0, 10, 30, 70, 150, 310, 610, 910, 1210), got); diff != "" || err != nil {
			t.Errorf("one that delivers: %v (-want +got)\n%s", err, diff)
		}
		a.answer = refused(v1alpha1.ReasonSignatureInvalid, bundleField, "it is not signed")
		got, err = a.follow(t, "b", 20*time.Minute)
		if diff := cmp.Diff(seconds(2400), got); diff != "" || !errors.Is(err, a.answer) {
			t.Errorf("what is not signed: %v (-want +got)\n%s", err, diff)
		}
	})
}

// waitsFor is whether a registry is asked, and what is said of it.
func waitsFor(err error, words string) bool {
	var p *pending
	return errors.As(err, &p) && p.Reason == v1alpha1.ReasonFetching && strings.Contains(p.Message, words)
}

// TestFetchBeside: a registry that does not answer holds up nobody, is given up after a minute, and is not waited for where the
// pack names something else by then.
func TestFetchBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAsks()
		a.takes = time.Hour
		if _, err := a.bundle(t.Context(), "registry.example.com/a"); !waitsFor(err, "Registry registry.example.com is being asked for registry.example.com/a.") || time.Since(a.began) > 0 {
			t.Errorf("after %s: %v", time.Since(a.began), err)
		}
		got, err := a.follow(t, "registry.example.com/a", 65*time.Second)
		var r *Refused
		if len(got) != 1 || !errors.As(err, &r) || r.Reason != v1alpha1.ReasonSourceUnavailable {
			t.Errorf("after a minute: %v; asked at %v", err, got)
		}
		a.takes = 20 * time.Second
		if _, err := a.bundle(t.Context(), "b"); !waitsFor(err, "") {
			t.Errorf("another image: %v", err)
		}
		if got, err := a.follow(t, "c", 30*time.Second); len(got) != 1 || err != nil {
			t.Errorf("and another: %v, asked at %v", err, got)
		}
		a.forget(nil, nil)
		if len(a.fetches.of) != 0 {
			t.Errorf("of a pack that is gone is still known %v", a.fetches.of)
		}
	})
}
