package mesh

// serviceName is the label by which an EndpointSlice says whose endpoints it has (k8s.io/api/discovery/v1 LabelServiceName).
const serviceName = "kubernetes.io/service-name"

// ReadyEndpoints is how many endpoints of a Service take calls, by its EndpointSlices. known is false where none of them is in the
// input, as of a file: Kubernetes makes one for each Service with a selector, be it empty.
func (s *Snapshot) ReadyEndpoints(svc *Object) (ready int, known bool) {
	for _, o := range s.List(EndpointSlice, svc.Namespace) {
		if o.Labels[serviceName] != svc.Name {
			continue
		}
		known = true
		for _, e := range o.Spec.(*EndpointSliceBody).Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready { // what says nothing counts as ready
				ready++
			}
		}
	}
	return ready, known
}
