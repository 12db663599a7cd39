package mesh

import (
	"errors"
	"strconv"
	"strings"
)

// Empty is the body of kinds of which only the metadata decides.
type Empty struct{}

// NamespaceBody is a Namespace, whose labels decide almost everything.
type NamespaceBody struct {
	Status struct {
		Phase string `json:"phase"`
	} `json:"status"`
}

// ConfigMapBody is a ConfigMap that configures the mesh or a waypoint.
type ConfigMapBody struct {
	Data map[string]string `json:"data"`
}

// ParameterKeys are what istiod reads from a Gateway's parametersRef
// (pilot/pkg/config/kube/gatewaycommon/deploymentcontroller.go).
var ParameterKeys = []string{"deployment", "service", "serviceAccount", "horizontalPodAutoscaler", "podDisruptionBudget"}

// matters keeps the ConfigMaps that Istio reads, or is meant to, and leaves all others out of the
// Snapshot: there can be thousands. So a Gateway's parametersRef to one that is not in the Snapshot
// names either nothing or only keys that istiod refuses. One that misspells a key is kept, to be told, and so
// is one without keys, which istiod takes.
func (c *ConfigMapBody) matters(o *Object) bool {
	if len(c.Data) == 0 {
		return true
	}
	if o.Name == "istio" || strings.HasPrefix(o.Name, "istio-") {
		return true
	}
	if _, ok := o.Labels["gateway.istio.io/defaults-for-class"]; ok {
		return true
	}
	for key := range c.Data {
		for _, parameter := range ParameterKeys {
			if strings.EqualFold(strings.TrimSuffix(strings.TrimSuffix(key, ".yaml"), "s"), parameter) {
				return true
			}
		}
	}
	return false
}

// PodBody is a Pod, as far as it decides.
type PodBody struct {
	Spec   PodSpec `json:"spec"`
	Status struct {
		Phase  string  `json:"phase"`
		PodIP  string  `json:"podIP"`
		PodIPs []PodIP `json:"podIPs"`
	} `json:"status"`
}

// PodIP is one of a pod's addresses.
type PodIP struct {
	IP string `json:"ip"`
}

// PodSpec is what of a pod's spec decides in a mesh.
type PodSpec struct {
	ServiceAccountName string      `json:"serviceAccountName"`
	HostNetwork        bool        `json:"hostNetwork"`
	NodeName           string      `json:"nodeName"` // of a ztunnel; of other pods a Snapshot of a cluster does not hold it
	Containers         []Container `json:"containers"`
	InitContainers     []Container `json:"initContainers"`
}

// Container is a container's name, image, arguments, environment and ports.
type Container struct {
	Name  string          `json:"name"`
	Image string          `json:"image"`
	Args  []string        `json:"args"`
	Env   []EnvVar        `json:"env"`
	Ports []ContainerPort `json:"ports"`

	Readiness *Probe `json:"readinessProbe"`
	Liveness  *Probe `json:"livenessProbe"`
	Startup   *Probe `json:"startupProbe"`
}

// Probe is how a kubelet asks whether a container is well: by a command, else by a connection.
type Probe struct {
	Exec *Empty `json:"exec"`
}

// probed is whether a kubelet connects to the container.
func (c *Container) probed() bool {
	for _, p := range []*Probe{c.Readiness, c.Liveness, c.Startup} {
		if p != nil && p.Exec == nil {
			return true
		}
	}
	return false
}

// EnvVar is an environment variable with a literal value.
type EnvVar struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// ContainerPort is a port that a container declares.
type ContainerPort struct {
	Name          string `json:"name"`
	ContainerPort int32  `json:"containerPort"`
	Protocol      string `json:"protocol"`
}

// PodTemplate is the template of pods.
type PodTemplate struct {
	Metadata struct {
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec PodSpec `json:"spec"`
}

// PodOwner is the spec of a Deployment, StatefulSet, DaemonSet, ReplicaSet or Job.
type PodOwner struct {
	Selector *LabelSelector `json:"selector"`
	Template PodTemplate    `json:"template"`
}

// CronJobSpec is the spec of a CronJob.
type CronJobSpec struct {
	JobTemplate struct {
		Spec PodOwner `json:"spec"`
	} `json:"jobTemplate"`
}

// ServiceSpec is the spec of a Service.
type ServiceSpec struct {
	Type                string            `json:"type"`
	ClusterIP           string            `json:"clusterIP"`
	ClusterIPs          []string          `json:"clusterIPs"`
	ExternalName        string            `json:"externalName"`
	Selector            map[string]string `json:"selector"`
	Ports               []ServicePortSpec `json:"ports"`
	TrafficDistribution string            `json:"trafficDistribution"`
}

// ServicePortSpec is a port of a Service.
type ServicePortSpec struct {
	Name        string      `json:"name"`
	Port        int32       `json:"port"`
	Protocol    string      `json:"protocol"`
	AppProtocol string      `json:"appProtocol"`
	TargetPort  IntOrString `json:"targetPort"`
	NodePort    int32       `json:"nodePort"`
}

// IntOrString is a port by number or by name.
type IntOrString struct {
	Int int32
	Str string
}

func (p *IntOrString) decode(in any) error {
	if s, ok := in.(string); ok {
		if n, err := strconv.ParseInt(s, 10, 32); err == nil {
			p.Int = int32(n)
			return nil
		}
		p.Str = s
		return nil
	}
	n, ok := integer(in)
	if !ok || n < 0 || n > 65535 {
		return errors.New("a port's number or name")
	}
	p.Int = int32(n)
	return nil
}

// EndpointSliceBody is an EndpointSlice.
type EndpointSliceBody struct {
	Endpoints []struct {
		Addresses  []string `json:"addresses"`
		Conditions struct {
			Ready *bool `json:"ready"`
		} `json:"conditions"`
		TargetRef *struct {
			Kind      string `json:"kind"`
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"targetRef"`
	} `json:"endpoints"`
}
