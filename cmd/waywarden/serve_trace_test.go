package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestTracing: a request makes a span whose parent is the caller's, and without an endpoint none.
func TestTracing(t *testing.T) {
	var spans []string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		var request collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &request); err != nil {
			t.Error(err)
		}
		for _, rs := range request.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					spans = append(spans, s.Name+" "+trace.TraceID(s.TraceId).String()+" "+trace.SpanID(s.ParentSpanId).String())
				}
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer receiver.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.URL)
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	ask := func(h http.Handler) {
		r := httptest.NewRequest(http.MethodPost, "/validate", nil)
		r.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}

	on, err := startTracing(t.Context(), func(string) string { return receiver.URL })
	if err != nil {
		t.Fatal(err)
	}
	ask(on.handler(answer, "validate"))
	if err := on.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := "validate 0af7651916cd43dd8448eb211c80319c b7ad6b7169203331"; len(spans) != 1 || spans[0] != want {
		t.Errorf("spans %q, want %q", spans, want)
	}

	off, err := startTracing(t.Context(), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	spans = nil
	ask(off.handler(answer, "validate"))
	if err := off.stop(t.Context()); err != nil || len(spans) > 0 {
		t.Errorf("without an endpoint: %q, %v", spans, err)
	}
}
