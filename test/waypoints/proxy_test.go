//go:build cluster

package waypoints

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"
)

// proxy is connected to istiod as a ztunnel or a waypoint is, and takes what it is sent; while it is mute it acknowledges
// nothing. It speaks just as much of delta xDS as that takes (envoy.service.discovery.v3.DeltaDiscoveryRequest).
type proxy struct {
	mu      sync.Mutex
	mute    bool
	pending []func() error
}

// The fields of the messages.
const (
	requestNode, requestType, requestNonce = 1, 2, 6
	responseType, responseNonce            = 4, 5
	nodeID, nodeMetadata                   = 1, 3
)

// raw passes messages on as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}
func (raw) Name() string { return "proto" }

// connect connects as a pod, "name.namespace", of a type that istiod knows, and asks for types of configuration.
func connect(t *testing.T, address, kind, pod, namespace, ip string, types ...string) *proxy {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := c.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		"/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", grpc.ForceCodec(raw{}))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	var sending sync.Mutex
	send := func(message []byte) error {
		sending.Lock()
		defer sending.Unlock()
		return stream.SendMsg(&message)
	}
	node := text(nil, nodeID, fmt.Sprintf("%s~%s~%s.%s~%s.svc.cluster.local", kind, ip, pod, namespace, namespace))
	node = protowire.AppendBytes(protowire.AppendTag(node, nodeMetadata, protowire.BytesType), metadata(map[string]string{"NAMESPACE": namespace, "CLUSTER_ID": "Kubernetes"}))
	for _, url := range types {
		request := protowire.AppendBytes(protowire.AppendTag(nil, requestNode, protowire.BytesType), node)
		if err := send(text(request, requestType, url)); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			var response []byte
			if err := stream.RecvMsg(&response); err != nil {
				if ctx.Err() == nil {
					t.Errorf("istiod ended the stream of %s: %v", pod, err)
				}
				return
			}
			ack := text(text(nil, requestType, string(fieldOf(response, responseType))), requestNonce, string(fieldOf(response, responseNonce)))
			p.take(func() error { return send(ack) })
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		c.Close()
	})
	return p
}

// take acknowledges at once, or when the proxy is no longer mute.
func (p *proxy) take(ack func() error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mute {
		p.pending = append(p.pending, ack)
		return
	}
	_ = ack() // a stream that has ended says so where it is read
}

// silence has the proxy acknowledge nothing, or all that it has not acknowledged yet.
func (p *proxy) silence(mute bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = mute
	var errs []error
	if !mute {
		for _, ack := range p.pending {
			errs = append(errs, ack())
		}
		p.pending = nil
	}
	return errors.Join(errs...)
}

func text(message []byte, field protowire.Number, value string) []byte {
	return protowire.AppendString(protowire.AppendTag(message, field, protowire.BytesType), value)
}

// metadata is a google.protobuf.Struct of strings.
func metadata(values map[string]string) []byte {
	var out []byte
	for key, value := range values {
		entry := text(nil, 1, key)
		entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), text(nil, 3, value))
		out = protowire.AppendBytes(protowire.AppendTag(out, 1, protowire.BytesType), entry)
	}
	return out
}

// fieldOf is the last value of a field of a message.
func fieldOf(message []byte, want protowire.Number) (out []byte) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return out
		}
		message = message[n:]
		size := protowire.ConsumeFieldValue(number, kind, message)
		if size < 0 {
			return out
		}
		if number == want && kind == protowire.BytesType {
			out, _ = protowire.ConsumeBytes(message)
		}
		message = message[size:]
	}
	return out
}
