package mesh

// GatewayClassSpec is the spec of a GatewayClass.
type GatewayClassSpec struct {
	ControllerName string `json:"controllerName"`
}

// GatewayBody is a Gateway of the Gateway API. Status is nil where the object has none, as in
// a manifest.
type GatewayBody struct {
	Spec struct {
		GatewayClassName string     `json:"gatewayClassName"`
		Listeners        []Listener `json:"listeners"`
		Addresses        []Address  `json:"addresses"`
		Infrastructure   *struct {
			Labels        map[string]string `json:"labels"`
			ParametersRef *struct {
				Group string `json:"group"`
				Kind  string `json:"kind"`
				Name  string `json:"name"`
			} `json:"parametersRef"`
		} `json:"infrastructure"`
	} `json:"spec"`
	Status *struct {
		Addresses  []Address         `json:"addresses"`
		Conditions []StatusCondition `json:"conditions"`
		Listeners  []struct {
			Name       string            `json:"name"`
			Conditions []StatusCondition `json:"conditions"`
		} `json:"listeners"`
	} `json:"status"`
}

// StatusCondition is what a controller says of an object.
type StatusCondition struct {
	Type    string `json:"type"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	// Since is when Status became what it is, RFC 3339.
	Since string `json:"lastTransitionTime"`
}

// Address is an address of a Gateway.
type Address struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Listener is a listener of a Gateway.
type Listener struct {
	Name     string `json:"name"`
	Hostname string `json:"hostname"`
	Port     int32  `json:"port"`
	Protocol string `json:"protocol"`
	TLS      *struct {
		Mode string `json:"mode"`
	} `json:"tls"`
	AllowedRoutes *struct {
		Namespaces *struct {
			From     string         `json:"from"` // "" is Same
			Selector *LabelSelector `json:"selector"`
		} `json:"namespaces"`
		Kinds []struct {
			Kind string `json:"kind"`
		} `json:"kinds"`
	} `json:"allowedRoutes"`
}

// Route is the spec of an HTTPRoute, GRPCRoute, TCPRoute or TLSRoute.
type Route struct {
	ParentRefs []ParentRef `json:"parentRefs"`
	Hostnames  []string    `json:"hostnames"`
	Rules      []struct {
		Matches     []any        `json:"matches"`
		BackendRefs []BackendRef `json:"backendRefs"`
		Filters     []struct {
			Type          string `json:"type"`
			RequestMirror *struct {
				BackendRef BackendRef `json:"backendRef"`
			} `json:"requestMirror"`
		} `json:"filters"`
	} `json:"rules"`
}

// ParentRef is what a route is attached to. An empty Kind is Gateway, with its Group.
type ParentRef struct {
	Group       *string `json:"group"`
	Kind        string  `json:"kind"`
	Namespace   string  `json:"namespace"`
	Name        string  `json:"name"`
	SectionName string  `json:"sectionName"`
	Port        int32   `json:"port"`
}

// GroupKind is the parent's group and kind with the defaults of the Gateway API filled in, "core"
// written as "".
func (p ParentRef) GroupKind() (group, kind string) {
	group, kind = groupGateway, p.Kind
	if p.Group != nil {
		group = *p.Group
	}
	if group == "core" {
		group = ""
	}
	if kind == "" {
		kind = "Gateway"
	}
	return group, kind
}

// BackendRef is where a route sends to. An empty Kind is Service.
type BackendRef struct {
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Port      int32  `json:"port"`
	Weight    *int32 `json:"weight"`
}

// IsService is whether the backend is a Kubernetes Service.
func (b BackendRef) IsService() bool {
	return (b.Kind == "" || b.Kind == "Service") && (b.Group == "" || b.Group == "core")
}

// ReferenceGrantSpec is the spec of a ReferenceGrant.
type ReferenceGrantSpec struct {
	From []struct {
		Group     string `json:"group"`
		Kind      string `json:"kind"`
		Namespace string `json:"namespace"`
	} `json:"from"`
	To []struct {
		Group string `json:"group"`
		Kind  string `json:"kind"`
		Name  string `json:"name"`
	} `json:"to"`
}

// InferencePoolSpec is the spec of an InferencePool. Its selector is a LabelSelector in v1 and a plain
// mapping in v1alpha2.
type InferencePoolSpec struct {
	Selector map[string]any `json:"selector"`
}

// Labels are those of the pods in the pool.
func (p *InferencePoolSpec) Labels() map[string]string {
	from := p.Selector
	if m, ok := from["matchLabels"].(map[string]any); ok {
		from = m
	}
	out := make(map[string]string, len(from))
	for k, v := range from {
		if s, ok := v.(string); ok {
			out[k] = s
		}
	}
	return out
}

// BackendPolicy is the spec of a BackendTLSPolicy or XBackendTrafficPolicy.
type BackendPolicy struct {
	TargetRefs []TargetRef `json:"targetRefs"`
}

// Granted is whether a ReferenceGrant lets a route send to an object of another namespace, whether that is there or not.
func (s *Snapshot) Granted(route *Object, kind Kind, ns, name string) bool {
	for _, o := range s.List(ReferenceGrant, ns) {
		g := o.Spec.(*ReferenceGrantSpec)
		from, to := false, false
		for _, f := range g.From {
			from = from || f.Group == route.Kind.Group() && f.Kind == route.Kind.String() && f.Namespace == route.Namespace
		}
		for _, t := range g.To {
			to = to || (t.Group == "" || t.Group == "core") && t.Kind == kind.String() && (t.Name == "" || t.Name == name)
		}
		if from && to {
			return true
		}
	}
	return false
}
