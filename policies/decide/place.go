package decide

// nameLabel is a label that the API server sets on every namespace and lets nobody change. A namespace whose object
// nobody has seen has it too.
const nameLabel = "kubernetes.io/metadata.name"

// place is a namespace with the labels that it has, or had; the zero value is where objects lie that are in no namespace.
// It is what a selector looks at.
type place struct {
	name   string
	labels map[string]string
	// unknown is whether nobody knows which labels it has; its name it has all the same.
	unknown bool
}

// Lookup implements labels.Labels.
func (p *place) Lookup(label string) (string, bool) {
	if v, ok := p.labels[label]; ok {
		return v, true
	}
	if label == nameLabel && p.name != "" {
		return p.name, true
	}
	return "", false
}

// Has implements labels.Labels.
func (p *place) Has(label string) bool { _, ok := p.Lookup(label); return ok }

// Get implements labels.Labels.
func (p *place) Get(label string) string { v, _ := p.Lookup(label); return v }

// selects is whether a Guardrail selects a place. What lies in no namespace is only selected with every namespace.
func (g *guardrail) selects(p *place) bool {
	if p.name == "" {
		return g.selector.Empty()
	}
	return g.selector.Matches(p)
}
