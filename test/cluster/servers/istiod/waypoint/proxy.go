package main

import (
	"context"
	"errors"

	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"istio.io/api/label"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pkg/adsc"
)

// Proxy is a waypoint's pod, as it introduces itself to istiod. Where istiod knows a pod of that IP it
// goes by the pod's labels; else by what is said here.
type Proxy struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"` // of the Gateway
	Pod       string `json:"pod"`
	IP        string `json:"ip"`
}

// innerListener is the one that picks a chain by what a call is addressed to
// (pilot/pkg/networking/core/listener_waypoint.go buildWaypointInternal).
const innerListener = "main_internal"

// listener is the inner listener that istiod sends to the proxy.
func (p Proxy) listener(ctx context.Context, address string) (*listener.Listener, error) {
	meta, err := structpb.NewStruct(map[string]any{
		"NAMESPACE": p.Namespace, "CLUSTER_ID": "Kubernetes",
		"LABELS": map[string]any{label.IoK8sNetworkingGatewayGatewayName.Name: p.Name},
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	got := make(chan *listener.Listener, 1)
	client := adsc.NewDelta(address, &adsc.DeltaADSConfig{Config: adsc.Config{
		ClientName: p.Namespace + "/" + p.Name, Namespace: p.Namespace, Workload: p.Pod, IP: p.IP, NodeType: model.Waypoint, Meta: meta,
	}}, adsc.Register(func(_ adsc.HandlerContext, name, _ string, l *listener.Listener, event adsc.Event) {
		if name != innerListener || event != adsc.EventAdd {
			return
		}
		select {
		case got <- l:
		default: // istiod pushed once more
		}
	}), adsc.Watch[*listener.Listener]("*"))
	ended := make(chan struct{})
	go func() { client.Run(ctx); close(ended) }()
	select {
	case l := <-got:
		stop()
		<-ended
		return l, nil
	case <-ended:
		return nil, errors.New("istiod sent no listener " + innerListener)
	}
}
