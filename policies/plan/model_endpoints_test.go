package plan

import (
	"fmt"

	"github.com/waywarden/waywarden/policies/mesh"
)

// endpointSlice is the one of a Service, with an endpoint that is ready or not.
func endpointSlice(namespace, service string, ready bool) string {
	return fmt.Sprintf(`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: %s-1, namespace: %s, labels: {kubernetes.io/service-name: %s}}, addressType: IPv4, endpoints: [{addresses: [10.0.0.1], conditions: {ready: %v}}]}`, service, namespace, service, ready)
}

// endpoints makes the endpoint of a Service ready, or the other way round.
func (m *model) endpoints() {
	svc := services[m.chance.IntN(len(services))]
	ready := !m.answers(m.latest(), svc)
	m.note("Service %s has an endpoint that is ready: %v", svc, ready)
	o := parse(endpointSlice(m.home(svc), svc, ready))
	m.store(refOf(o), o)
}

// answers is whether a Service has an endpoint that is ready.
func (m *model) answers(s *mesh.Snapshot, service string) bool {
	ready, _ := s.ReadyEndpoints(s.Get(mesh.Service, m.home(service), service))
	return ready > 0
}
