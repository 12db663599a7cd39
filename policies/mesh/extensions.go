package mesh

// ExtensionSpec is the spec of a WasmPlugin or a TrafficExtension.
type ExtensionSpec struct {
	Selector   *WorkloadSelector `json:"selector"`
	TargetRef  *TargetRef        `json:"targetRef"`
	TargetRefs []TargetRef       `json:"targetRefs"`
	Type       string            `json:"type"` // WasmPlugin: HTTP ("" too) or NETWORK
	Phase      string            `json:"phase"`
	Match      []ExtensionMatch  `json:"match"`
	Wasm       *struct {
		Type string `json:"type"`
	} `json:"wasm"`
	Lua map[string]any `json:"lua"`
}

// ExtensionMatch narrows an extension to a direction and ports.
type ExtensionMatch struct {
	Mode  string `json:"mode"` // CLIENT, SERVER, CLIENT_AND_SERVER ("" too)
	Ports []struct {
		Number int32 `json:"number"`
	} `json:"ports"`
}

// Attachment says where the extension runs.
func (p *ExtensionSpec) Attachment() Attachment {
	return Attachment{p.Selector, p.TargetRef, p.TargetRefs}
}

// IsNetwork is whether it is a network filter, which runs on TCP chains only.
func (p *ExtensionSpec) IsNetwork() bool {
	return p.Type == "NETWORK" || p.Wasm != nil && p.Wasm.Type == "NETWORK"
}

// TelemetrySpec is the spec of a Telemetry.
type TelemetrySpec struct {
	Selector      *WorkloadSelector `json:"selector"`
	TargetRef     *TargetRef        `json:"targetRef"`
	TargetRefs    []TargetRef       `json:"targetRefs"`
	AccessLogging []struct {
		Match *struct {
			Mode string `json:"mode"`
		} `json:"match"`
	} `json:"accessLogging"`
	Metrics []struct {
		Overrides []struct {
			Match *struct {
				Mode string `json:"mode"`
			} `json:"match"`
		} `json:"overrides"`
	} `json:"metrics"`
	Tracing []struct {
		Match *struct {
			Mode string `json:"mode"`
		} `json:"match"`
	} `json:"tracing"`
}

// Attachment says where the telemetry settings hold.
func (p *TelemetrySpec) Attachment() Attachment {
	return Attachment{p.Selector, p.TargetRef, p.TargetRefs}
}
