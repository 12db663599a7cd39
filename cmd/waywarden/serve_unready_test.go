package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// TestServeBeforeAnythingIsKnown: a replica that is called before it has heard of the mesh and of the rules leaves the request
// to failurePolicy. By an empty mesh without rules it would admit whatever it is asked about.
func TestServeBeforeAnythingIsKnown(t *testing.T) {
	s := &serve{namespace: "waywarden", webhookAddr: ":9443", metricsAddr: "0", healthAddr: "0", cert: choice{value: "self-signed"},
		failurePolicy: choice{value: "managed"}, service: "waywarden", certSecret: "waywarden-tls", validating: "waywarden", mutating: "waywarden", canaryInterval: time.Minute}
	server, err := s.server(t.Context(), &rest.Config{Host: "https://127.0.0.1:1"}, slog.New(slog.DiscardHandler), time.Now, &tracing{})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/validate", "/mutate"} {
		r := httptest.NewRequest(http.MethodPost, path+"?timeout=3s", strings.NewReader(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE",
			"kind":{"group":"security.istio.io","version":"v1","kind":"AuthorizationPolicy"},"name":"p","namespace":"shop",
			"object":{"apiVersion":"security.istio.io/v1","kind":"AuthorizationPolicy","metadata":{"name":"p","namespace":"shop"},"spec":{}}}}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		server.manager.GetWebhookServer().WebhookMux().ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "does not know the mesh yet") {
			t.Errorf("%s: HTTP %d: %s", path, w.Code, w.Body)
		}
	}
}
