package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Proxy is a waypoint's pod that asks istiod for its configuration. Where there is no such pod, Pod and IP
// are free to choose: istiod then goes by the Gateway's name, and by the Services that select
// `gateway.networking.k8s.io/gateway-name`.
type Proxy struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"` // of the Gateway
	Pod       string `json:"pod"`
	IP        string `json:"ip"`
}

// WaypointConfig connects to istiod as each of the proxies and says what it sends them, as JSON: see
// servers/istiod/waypoint.
func (c *Cluster) WaypointConfig(ctx context.Context, proxies []Proxy) ([]byte, error) {
	bin := c.bin
	if bin == "" { // the cluster was given
		var err error
		if bin, err = Build(); err != nil {
			return nil, err
		}
	}
	in, err := json.Marshal(proxies)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "waypoint-config"), c.IstiodXDS)
	var out, trouble bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &trouble
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("ask istiod as %d waypoints: %w\n%s", len(proxies), err, trouble.String())
	}
	return out.Bytes(), nil
}
