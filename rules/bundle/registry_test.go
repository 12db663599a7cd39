package bundle

import (
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	containers "github.com/google/go-containerregistry/pkg/registry"
	"oras.land/oras-go/v2/registry"
)

// TestPullDown: a registry that is away, does not answer, or answers that it cannot.
func TestPullDown(t *testing.T) {
	trust := ecPair(t, elliptic.P256()).trust(t)
	const what = "/acme/rules@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	hang := make(chan struct{})
	defer close(hang)
	for _, tc := range []struct {
		name, host, want string
	}{
		{"away", "127.0.0.1:1", "connection refused"},
		{"silent", serve(t, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang })
		}), "did not answer in time"},
		{"out of order", serve(t, func(http.Handler) http.Handler { return answer(http.StatusServiceUnavailable) }), "it answers 503 Service Unavailable"},
		{"busy", serve(t, func(http.Handler) http.Handler { return answer(http.StatusTooManyRequests) }), "it answers 429 Too Many Requests"},
		{"forbidden", serve(t, func(http.Handler) http.Handler { return answer(http.StatusForbidden) }), "it answers 403 Forbidden. Give credentials"},
		{"empty", serve(t, nil), "there is no such repository"},
		{"no registry", serve(t, func(http.Handler) http.Handler { return answer(http.StatusOK) }), "does not deliver"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			start := time.Now()
			_, err := Pull(t.Context(), tc.host+what, trust, Access{Plain: true, Timeout: 300 * time.Millisecond})
			if ReasonOf(err) != Unavailable || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %s: %v", ReasonOf(err), err)
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Pull(canceled, "127.0.0.1:1"+what, trust, Access{}); ReasonOf(err) != Unavailable {
		t.Errorf("canceled: %v", err)
	}
}

func answer(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

// TestPullCredentials: a registry that lets in only who has a password, which is in a file, and goes nowhere else.
func TestPullCredentials(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	host := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if name, password, _ := r.BasicAuth(); name != "robot" || password != "s3cret" {
				w.Header().Set("WWW-Authenticate", `Basic realm="rules"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	file := filepath.Join(t.TempDir(), "config.json")
	write := func(password string) {
		login := base64.StdEncoding.EncodeToString([]byte("robot:" + password))
		if err := os.WriteFile(file, fmt.Appendf(nil, `{"auths": {%q: {"auth": %q}}}`, host, login), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("s3cret")
	a := Access{Plain: true, Credentials: FileCredentials(file)}
	ref, err := Push(t.Context(), build(t, p.signer(t, "", "")), host+"/acme/rules", a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Pull(t.Context(), ref, p.trust(t), a); err != nil {
		t.Error(err)
	}
	write("old")
	for name, a := range map[string]Access{"none": here, "wrong ones": a} {
		_, err := Pull(t.Context(), ref, p.trust(t), a)
		if ReasonOf(err) != Unavailable || !strings.Contains(err.Error(), "it answers 401 Unauthorized. Give credentials") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(file, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Pull(t.Context(), ref, p.trust(t), a); ReasonOf(err) != Unavailable || !strings.Contains(err.Error(), "no dockerconfigjson") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("no JSON: %v", err)
	}
}

// TestPullRedirected: a registry that sends to where it keeps its blobs. The password stays, and what comes is held to the digest.
func TestPullRedirected(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	archive := build(t, p.signer(t, "", ""))
	var asked []string
	var stored atomic.Value
	stored.Store(archive)
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.RawQuery+" "+r.Header.Get("Authorization"))
		w.Write(stored.Load().([]byte))
	}))
	t.Cleanup(storage.Close)
	var target atomic.Value
	target.Store("")
	host := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, _, ok := r.BasicAuth(); !ok {
				w.Header().Set("WWW-Authenticate", `Basic realm="rules"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			if to := target.Load().(string); to != "" && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, to, http.StatusTemporaryRedirect)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"auths": {%q: {"username": "robot", "password": "s3cret"}}}`, host), 0o600); err != nil {
		t.Fatal(err)
	}
	a := Access{Plain: true, Credentials: FileCredentials(file)}
	ref, err := Push(t.Context(), archive, host+"/acme/rules", a)
	if err != nil {
		t.Fatal(err)
	}
	target.Store(strings.Replace(storage.URL, "127.0.0.1", "localhost", 1) + "/blob?signature=abc")
	if _, err := Pull(t.Context(), ref, p.trust(t), a); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"signature=abc "}, asked); diff != "" {
		t.Errorf("what the storage was asked with:\n%s", diff)
	}
	stored.Store([]byte("something else"))
	if _, err := Pull(t.Context(), ref, p.trust(t), a); ReasonOf(err) != Unavailable {
		t.Errorf("something else: %v", err)
	}
	target.Store("http://registry.example/blob?signature=abc")
	_, err = Pull(t.Context(), ref, p.trust(t), a)
	if ReasonOf(err) != Unavailable || !strings.Contains(err.Error(), "only HTTPS is followed") || strings.Contains(err.Error(), "signature=abc") {
		t.Errorf("in plain HTTP: %v", err)
	}
	target.Store("http://" + host + "/v2/acme/rules/blobs/again") // sends on and on
	if _, err := Pull(t.Context(), ref, p.trust(t), a); ReasonOf(err) != Unavailable {
		t.Errorf("for ever: %v", err)
	}
}

// TestTLS: any other registry is spoken to over TLS, and has to show whom it is.
func TestTLS(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	s := httptest.NewUnstartedServer(containers.New(containers.Logger(log.New(io.Discard, "", 0))))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	usual := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = usual })
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
	trusting := s.Client().Transport.(*http.Transport).Clone()
	trusting.DialContext = dial
	http.DefaultTransport = trusting
	ref, err := Push(t.Context(), build(t, p.signer(t, "", "")), "example.com:5000/acme/rules", Access{}) // as the certificate of the server says
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Pull(t.Context(), ref, p.trust(t), Access{}); err != nil {
		t.Error(err)
	}
	http.DefaultTransport = &http.Transport{DialContext: dial}
	if _, err := Pull(t.Context(), ref, p.trust(t), Access{}); ReasonOf(err) != Unavailable || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Errorf("a registry whose CA nobody knows: %v", err)
	}
}

// TestPlain: only this machine is spoken to without TLS, and only by who says so.
func TestPlain(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1": true, "127.8.8.8:5000": true, "[::1]:5000": true, "[::1]": true,
		"registry:5000": false, "10.0.0.1:5000": false, "localhost.example": false, "127.0.0.1.example:5000": false, "[fe80::1]:5000": false, "": false,
	} {
		if got := local(host); got != want {
			t.Errorf("%s: %t", host, got)
		}
		ref := registry.Reference{Registry: host, Repository: "r"}
		if got := here.repository(ref).PlainHTTP; got != want {
			t.Errorf("%s is spoken to in plain HTTP: %t", host, got)
		}
		if (Access{}).repository(ref).PlainHTTP {
			t.Errorf("%s is spoken to in plain HTTP, and nobody said so", host)
		}
	}
	for _, g := range []struct {
		guard
		url string
	}{{guard{false}, "http://127.0.0.1:1/"}, {guard{true}, "http://registry.example/"}, {guard{false}, "ftp://registry.example/"}} {
		r := httptest.NewRequest(http.MethodGet, g.url, nil)
		if _, err := g.RoundTrip(r); err == nil || !strings.Contains(err.Error(), "only HTTPS is followed") {
			t.Errorf("%+v: %v", g, err)
		}
	}
}

// TestPullAskedElsewhere: whoever a registry sends on to gets no credentials, however it asks for them.
func TestPullAskedElsewhere(t *testing.T) {
	p := ecPair(t, elliptic.P256())
	var told atomic.Value
	told.Store("")
	var elsewhere *httptest.Server
	challenge := ""
	elsewhere = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what there is of it
		if all := r.Header.Get("Authorization") + string(body); all != "" {
			told.Store(r.URL.Path + " " + all)
		}
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(challenge, elsewhere.URL))
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(elsewhere.Close)
	var away atomic.Bool
	host := serve(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, _, ok := r.BasicAuth(); !ok {
				w.Header().Set("WWW-Authenticate", `Basic realm="rules"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			if away.Load() && strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, elsewhere.URL+"/blob", http.StatusTemporaryRedirect)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"auths": {%q: {"username": "robot", "password": "s3cret"}}}`, host), 0o600); err != nil {
		t.Fatal(err)
	}
	a := Access{Plain: true, Credentials: FileCredentials(file)}
	ref, err := Push(t.Context(), build(t, p.signer(t, "", "")), host+"/acme/rules", a)
	if err != nil {
		t.Fatal(err)
	}
	away.Store(true)
	for _, challenge = range []string{`Basic realm="%s"`, `Bearer realm="%s/token",service="x",scope="repository:acme/rules:pull"`} {
		if _, err := Pull(t.Context(), ref, p.trust(t), a); ReasonOf(err) != Unavailable {
			t.Errorf("%s: %v", challenge, err)
		}
		if all := told.Load().(string); all != "" {
			t.Errorf("%s: it was told %s", challenge, all)
		}
	}
}
