package main

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// tracing makes a span of every admission request, the child of the API server's where that traces too.
type tracing struct {
	provider *sdktrace.TracerProvider // nil where nobody asked for spans
}

// startTracing sends spans by OTLP over HTTP to where OpenTelemetry's own environment variables say, and makes none where
// they say nothing. It calls nobody: what cannot be sent is dropped.
func startTracing(ctx context.Context, getenv func(string) string) (*tracing, error) {
	if getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" || getenv("OTEL_SDK_DISABLED") == "true" {
		return &tracing{}, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("send spans: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "waywarden"), attribute.String("service.version", programVersion())),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("describe this process for spans: %w", err)
	}
	return &tracing{sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))}, nil
}

// handler wraps a handler whose spans have a name.
func (t *tracing) handler(next http.Handler, name string) http.Handler {
	if t.provider == nil {
		return next
	}
	return otelhttp.NewHandler(next, name, otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(name string, _ *http.Request) string { return name }))
}

// stop sends what is left.
func (t *tracing) stop(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}
