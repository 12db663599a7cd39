// Package controls is the catalogue of frameworks and their controls: which IDs there are, and what they are called where
// that may be shipped. Rules name the controls that they give evidence for, and reports show them; an ID that is not in the
// catalogue is a mistake in whatever names it.
//
// That a rule names a control means that its findings are evidence for it, never that they satisfy it.
package controls

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"
)

// Framework is one catalogue of controls.
type Framework struct {
	// ID is how rules and command lines name it, as in "nist-800-53-r5".
	ID    string
	Title string
	// Complete is whether Controls are all that the framework has, so that those without evidence can be told. Of the
	// others only the IDs are here that rules refer to.
	Complete bool
	// Controls are in the order of the framework.
	Controls []Control

	byID map[string]int
}

// Control is one control of a framework.
type Control struct {
	// ID is as the framework prints it, as in "SC-8(1)" or "CC6.1".
	ID string
	// Title is "" where the framework's texts may not be shipped.
	Title string
	// OSCAL is the ID in OSCAL, as in "sc-8.1"; "" where the framework has no such catalogue.
	OSCAL string
	// Baselines hold the control, as in LOW, MODERATE, HIGH or PRIVACY; none of them for an enhancement that no baseline
	// asks for, and for one that was withdrawn.
	Baselines []string
}

//go:embed nist-800-53-r5.csv
var nist80053 []byte

//go:embed frameworks.yaml
var cited []byte

// NIST80053 is the framework that is complete.
const NIST80053 = "nist-800-53-r5"

// Frameworks are all of them, NIST SP 800-53 first. Nobody writes to what is returned.
var Frameworks = sync.OnceValue(func() []*Framework {
	nist, err := readNIST(nist80053)
	if err != nil {
		panic("controls: the catalogue that is shipped cannot be read: " + err.Error())
	}
	others, err := readCited(cited)
	if err != nil {
		panic("controls: the catalogue that is shipped cannot be read: " + err.Error())
	}
	return append([]*Framework{nist}, others...)
})

// Find is the framework with an ID; nil where there is none.
func Find(id string) *Framework {
	for _, f := range Frameworks() {
		if f.ID == id {
			return f
		}
	}
	return nil
}

// Control is the control with an ID of the framework.
func (f *Framework) Control(id string) (c Control, ok bool) {
	i, ok := f.byID[id]
	if !ok {
		return Control{}, false
	}
	return f.Controls[i], true
}

func (f *Framework) index() error {
	f.byID = make(map[string]int, len(f.Controls))
	for i, c := range f.Controls {
		if _, twice := f.byID[c.ID]; twice || c.ID == "" {
			return fmt.Errorf("framework %s: control %q is there twice, or has no ID", f.ID, c.ID)
		}
		f.byID[c.ID] = i
	}
	return nil
}

// readNIST reads lines of OSCAL ID, ID, title and baselines, below a line that names them.
func readNIST(data []byte) (*Framework, error) {
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, err
	}
	f := &Framework{ID: NIST80053, Title: "NIST SP 800-53 Revision 5", Complete: true}
	for _, l := range lines[1:] {
		f.Controls = append(f.Controls, Control{OSCAL: l[0], ID: l[1], Title: l[2], Baselines: strings.Fields(l[3])})
	}
	return f, f.index()
}

func readCited(data []byte) ([]*Framework, error) {
	var in []struct {
		ID       string   `json:"id"`
		Title    string   `json:"title"`
		Controls []string `json:"controls"`
	}
	if err := yaml.UnmarshalStrict(data, &in); err != nil {
		return nil, err
	}
	var out []*Framework
	for _, one := range in {
		f := &Framework{ID: one.ID, Title: one.Title}
		for _, id := range one.Controls {
			f.Controls = append(f.Controls, Control{ID: id})
		}
		if err := f.index(); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}
