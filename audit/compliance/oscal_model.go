package compliance

// The parts of OSCAL 1.1.3 that a report needs, as NIST's schema names them. What is empty is left out, because OSCAL has no
// empty arrays.

const oscalVersion = "1.1.3"

type oscalMetadata struct {
	Title        string      `json:"title"`
	LastModified string      `json:"last-modified"`
	Version      string      `json:"version"`
	OSCALVersion string      `json:"oscal-version"`
	Props        []oscalProp `json:"props,omitempty"`
	Remarks      string      `json:"remarks,omitempty"`
}

type oscalProp struct {
	Name    string `json:"name"`
	NS      string `json:"ns,omitempty"`
	Value   string `json:"value"`
	Class   string `json:"class,omitempty"`
	Remarks string `json:"remarks,omitempty"`
}

type oscalResource struct {
	UUID        string      `json:"uuid"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Props       []oscalProp `json:"props,omitempty"`
}

type oscalBackMatter struct {
	Resources []oscalResource `json:"resources"`
}

type oscalAssessment struct {
	Results struct {
		UUID     string        `json:"uuid"`
		Metadata oscalMetadata `json:"metadata"`
		ImportAP struct {
			Href string `json:"href"`
		} `json:"import-ap"`
		Results    []oscalResult   `json:"results"`
		BackMatter oscalBackMatter `json:"back-matter"`
	} `json:"assessment-results"`
}

type oscalResult struct {
	UUID        string             `json:"uuid"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Start       string             `json:"start"`
	End         string             `json:"end"`
	Props       []oscalProp        `json:"props,omitempty"`
	Local       *oscalLocal        `json:"local-definitions,omitempty"`
	Reviewed    oscalReviewed      `json:"reviewed-controls"`
	Observed    []oscalObservation `json:"observations,omitempty"`
	Risks       []oscalRisk        `json:"risks,omitempty"`
	Findings    []oscalFinding     `json:"findings,omitempty"`
	Remarks     string             `json:"remarks"`
}

type oscalLocal struct {
	Items []oscalItem `json:"inventory-items"`
}

type oscalItem struct {
	UUID        string      `json:"uuid"`
	Description string      `json:"description"`
	Props       []oscalProp `json:"props,omitempty"`
}

type oscalReviewed struct {
	Selections []oscalSelection `json:"control-selections"`
}

type oscalSelection struct {
	Description string          `json:"description"`
	Controls    []oscalSelected `json:"include-controls,omitempty"`
}

type oscalSelected struct {
	ID string `json:"control-id"`
}

type oscalObservation struct {
	UUID        string         `json:"uuid"`
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Props       []oscalProp    `json:"props,omitempty"`
	Links       []oscalLink    `json:"links,omitempty"`
	Methods     []string       `json:"methods"`
	Types       []string       `json:"types"`
	Subjects    []oscalSubject `json:"subjects,omitempty"`
	Evidence    []oscalProof   `json:"relevant-evidence,omitempty"`
	Collected   string         `json:"collected"`
	Expires     string         `json:"expires,omitempty"`
	Remarks     string         `json:"remarks,omitempty"`
}

type oscalLink struct {
	Href string `json:"href"`
	Rel  string `json:"rel"`
}

type oscalProof struct {
	Href        string      `json:"href,omitempty"`
	Description string      `json:"description"`
	Props       []oscalProp `json:"props,omitempty"`
}

type oscalSubject struct {
	UUID  string `json:"subject-uuid"`
	Type  string `json:"type"`
	Title string `json:"title,omitempty"`
}

type oscalRelated struct {
	UUID string `json:"observation-uuid"`
}

type oscalRelatedRisk struct {
	UUID string `json:"risk-uuid"`
}

type oscalRisk struct {
	UUID        string         `json:"uuid"`
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Statement   string         `json:"statement"`
	Props       []oscalProp    `json:"props,omitempty"`
	Status      string         `json:"status"`
	Deadline    string         `json:"deadline"`
	Related     []oscalRelated `json:"related-observations,omitempty"`
}

type oscalFinding struct {
	UUID        string             `json:"uuid"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Props       []oscalProp        `json:"props,omitempty"`
	Target      oscalTarget        `json:"target"`
	Related     []oscalRelated     `json:"related-observations,omitempty"`
	Risks       []oscalRelatedRisk `json:"related-risks,omitempty"`
	Remarks     string             `json:"remarks,omitempty"`
}

type oscalTarget struct {
	Type   string `json:"type"`
	ID     string `json:"target-id"`
	Status struct {
		State  string `json:"state"`
		Reason string `json:"reason"`
	} `json:"status"`
}

type oscalDefinition struct {
	Component struct {
		UUID       string           `json:"uuid"`
		Metadata   oscalMetadata    `json:"metadata"`
		Components []oscalComponent `json:"components"`
		BackMatter oscalBackMatter  `json:"back-matter"`
	} `json:"component-definition"`
}

type oscalComponent struct {
	UUID            string                `json:"uuid"`
	Type            string                `json:"type"`
	Title           string                `json:"title"`
	Description     string                `json:"description"`
	Props           []oscalProp           `json:"props,omitempty"`
	Implementations []oscalImplementation `json:"control-implementations,omitempty"`
}

type oscalImplementation struct {
	UUID         string             `json:"uuid"`
	Source       string             `json:"source"`
	Description  string             `json:"description"`
	Requirements []oscalRequirement `json:"implemented-requirements"`
}

type oscalRequirement struct {
	UUID        string      `json:"uuid"`
	Control     string      `json:"control-id"`
	Description string      `json:"description"`
	Props       []oscalProp `json:"props,omitempty"`
}
