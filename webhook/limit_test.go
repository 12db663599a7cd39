package webhook

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// TestOverload: a request that gets no slot within the API server's time is answered before that is over, and counted;
// one that gets a slot while it waits is served.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dropped []string
		busy, entered := make(chan struct{}), make(chan struct{}, 2)
		l := &limit{slots: make(chan struct{}, 1), log: logr.Discard(), dropped: func(why string) { dropped = append(dropped, why) },
			next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-busy })}
		serve := func(timeout string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			l.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/?timeout="+timeout, http.NoBody))
			return w
		}
		go serve("30s")
		<-entered

		start := time.Now()
		w := serve("3s")
		if took := time.Since(start); took != 2700*time.Millisecond {
			t.Errorf("answered after %v", took)
		}
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "1 requests are being judged") {
			t.Errorf("HTTP %d %v: %s", w.Code, w.Header(), w.Body)
		}
		if !slices.Equal(dropped, []string{"overload"}) {
			t.Errorf("counted: %v", dropped)
		}

		patient := make(chan int)
		go func() { patient <- serve("3s").Code }()
		synctest.Wait()
		close(busy)
		if code := <-patient; code != http.StatusOK {
			t.Errorf("HTTP %d: a request that waited is not served", code)
		}
	})
}

// TestPanic: a mistake in a check is an HTTP error, and the next request is served.
func TestPanic(t *testing.T) {
	panics := &policies.Check{ID: "test/panics", Severity: policies.High, Kinds: []mesh.Kind{mesh.AuthorizationPolicy}, Run: func(p *policies.Pass) {
		if p.Object.Name == "no-op" {
			panic("out of range")
		}
	}}
	o := denying(t, panics)
	var dropped []string
	o.Dropped = func(why string) { dropped = append(dropped, why) }
	o.Concurrency = 1
	seen := 0
	o.Observe = func(Record) { seen++ }
	h := New(o).Validating()
	for range 3 {
		w := post(h, bodyOf(t, creates(t, noOp)))
		if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "a mistake in waywarden: out of range") {
			t.Errorf("HTTP %d: %s", w.Code, w.Body)
		}
		if got := answer(t, h, creates(t, bound)); !got.Allowed {
			t.Errorf("the next one: %v", got.Result)
		}
	}
	if fmt.Sprint(dropped) != "[panic panic panic]" || seen != 3 {
		t.Errorf("counted %v, and %d decisions", dropped, seen)
	}
}

// TestSilentAPIServer: an API server that does not answer before a denial holds up nobody for longer than it waits itself.
func TestSilentAPIServer(t *testing.T) {
	o := options(with(t, defaultDeny), rulebook(t, []*v1alpha1.Guardrail{{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: v1alpha1.GuardrailSpec{
		Checks: []v1alpha1.CheckEntry{{IDs: []v1alpha1.CheckGlob{"*"}, Action: v1alpha1.Deny}}}}}))
	stored := set(content(t, defaultDeny), "annotations", map[string]any{policies.BreakGlassAnnotation: "INC-7"})
	body := bodyOf(t, request(t, admissionv1.Delete, nil, stored))
	synctest.Test(t, func(t *testing.T) {
		o.Get = func(ctx context.Context, _ mesh.Kind, _, _ string) (*mesh.Object, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		o.MayBreakGlass = func(ctx context.Context, _ authenticationv1.UserInfo) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		}
		start := time.Now()
		got := reviewOf(t, post(New(o).Validating(), body).Body.Bytes(), "request")
		if took := time.Since(start); got.Allowed || took != 2700*time.Millisecond {
			t.Errorf("allowed %v, after %v", got.Allowed, took)
		}
	})
}

// TestSlowBody: who sends a body byte by byte does not keep the slot of others, whatever the version of HTTP.
func TestSlowBody(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("http2=%v", http2), func(t *testing.T) {
			o := denying(t)
			o.Concurrency = 1
			server := httptest.NewUnstartedServer(New(o).Validating())
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			client := server.Client()
			slow, hold := io.Pipe()
			defer func() { _ = hold.Close() }()
			code := make(chan int, 1)
			go func() {
				response, err := client.Post(server.URL+"?timeout=600ms", "application/json", slow)
				if err != nil {
					code <- -1
					return
				}
				_ = response.Body.Close()
				code <- response.StatusCode
			}()
			if _, err := hold.Write([]byte("{")); err != nil {
				t.Fatal(err)
			}
			response, err := client.Post(server.URL+"?timeout=10s", "application/json", strings.NewReader(string(bodyOf(t, creates(t, bound)))))
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if got := <-code; got != http.StatusRequestTimeout || response.StatusCode != http.StatusOK {
				t.Errorf("HTTP %d for the slow one, %d for the other", got, response.StatusCode)
			}
		})
	}
}

func TestBudget(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"3s": 2700 * time.Millisecond, "10": 9700 * time.Millisecond, "1m": 29700 * time.Millisecond, "9223372036": 29700 * time.Millisecond,
		"": 9700 * time.Millisecond, "soon": 9700 * time.Millisecond, "-3s": 9700 * time.Millisecond, "0": 9700 * time.Millisecond,
		"100ms": 50 * time.Millisecond, "600ms": 300 * time.Millisecond,
	} {
		if got := budgetOf(httptest.NewRequest(http.MethodPost, "/?timeout="+url.QueryEscape(text), http.NoBody)); got != want {
			t.Errorf("timeout=%q: %v, want %v", text, got, want)
		}
	}
}
