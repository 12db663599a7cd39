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
	Selector      *WorkloadSelector  `json:"selector"`
	TargetRef     *TargetRef         `json:"targetRef"`
	TargetRefs    []TargetRef        `json:"targetRefs"`
	AccessLogging []TelemetrySetting `json:"accessLogging"`
	Tracing       []TelemetrySetting `json:"tracing"`
	Metrics       []struct {
		Providers         []TelemetryProvider `json:"providers"`
		ReportingInterval string              `json:"reportingInterval"`
		Overrides         []TelemetrySetting  `json:"overrides"`
	} `json:"metrics"`
}

// TelemetrySetting is an entry of accessLogging or tracing, or an override of metrics.
type TelemetrySetting struct {
	Match *struct {
		Mode string `json:"mode"` // CLIENT, SERVER, CLIENT_AND_SERVER ("" too)
	} `json:"match"`
	Disabled             bool `json:"disabled"`
	DisableSpanReporting bool `json:"disableSpanReporting"`
}

// TelemetryProvider names one of the mesh's extensionProviders.
type TelemetryProvider struct {
	Name string `json:"name"`
}

// Mode is the side of a call that the setting is about; "" is both.
func (t TelemetrySetting) Mode() string {
	if t.Match == nil || t.Match.Mode == "CLIENT_AND_SERVER" {
		return ""
	}
	return t.Match.Mode
}

// Off is whether the setting only turns something off.
func (t TelemetrySetting) Off() bool { return t.Disabled || t.DisableSpanReporting }

// Attachment says where the telemetry settings hold.
func (p *TelemetrySpec) Attachment() Attachment {
	return Attachment{p.Selector, p.TargetRef, p.TargetRefs}
}

// Wide is whether the settings hold for the whole namespace, or from the root namespace for the
// whole mesh. In contrast to other kinds, an empty selector is like none.
func (p *TelemetrySpec) Wide() bool {
	return len(p.Attachment().Refs()) == 0 && (p.Selector == nil || len(p.Selector.MatchLabels) == 0)
}

// Telemetry is the Telemetry that counts for a whole namespace: the oldest one
// (pilot/pkg/model/telemetry.go namespaceWideTelemetryConfig); nil where there is none.
func (s *Snapshot) Telemetry(ns string) *Object {
	var wide *Object
	for _, o := range s.List(Telemetry, ns) {
		if o.Spec.(*TelemetrySpec).Wide() {
			wide = oldest(wide, o)
		}
	}
	return wide
}
