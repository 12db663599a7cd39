package compliance

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/rules/controls"
)

// Frame is a framework and what is evidence for its controls.
type Frame struct {
	*controls.Framework
	own map[string]mapping // of a user's own framework: by the ID of a control
}

// mapping is what a user's own framework says is evidence for one of its controls.
type mapping struct {
	checks []string            // globs
	like   map[string][]string // what is evidence for these controls
}

// Shipped are the IDs of the frameworks that come with the program.
func Shipped() []string {
	var out []string
	for _, f := range controls.Frameworks() {
		out = append(out, f.ID)
	}
	return out
}

// Find is a framework that comes with the program; ok is false for an ID that none has.
func Find(id string) (f Frame, ok bool) {
	found := controls.Find(id)
	return Frame{Framework: found}, found != nil
}

// frameFile is a framework of a user's own, as YAML.
type frameFile struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Complete bool   `json:"complete"`
	Controls []struct {
		ID     string              `json:"id"`
		Title  string              `json:"title"`
		Checks []string            `json:"checks"`
		Like   map[string][]string `json:"like"`
	} `json:"controls"`
}

// ReadFrame reads a framework of a user's own. checks are those that there are: a glob that matches none of them is
// a mistake, and so is a control that no framework has. The error lists all mistakes.
func ReadFrame(data []byte, checks []*policies.Check) (Frame, error) {
	var in frameFile
	if err := yaml.UnmarshalStrict(data, &in); err != nil {
		return Frame{}, fmt.Errorf("read it as YAML: %w", err)
	}
	var wrong []error
	complain := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if in.ID == "" || in.Title == "" || len(in.Controls) == 0 {
		complain("a framework has an id, a title and controls")
	}
	if controls.Find(in.ID) != nil {
		complain("id %q is that of a framework that comes with the program; choose another one", in.ID)
	}
	out := Frame{Framework: &controls.Framework{ID: in.ID, Title: in.Title, Complete: in.Complete}, own: map[string]mapping{}}
	for i, c := range in.Controls {
		at := fmt.Sprintf("controls[%d] (%s)", i, c.ID)
		if c.ID == "" {
			complain("controls[%d] has no id", i)
		}
		if _, twice := out.own[c.ID]; twice {
			complain("%s: the id is there twice", at)
		}
		for _, glob := range c.Checks {
			if !slices.ContainsFunc(checks, func(k *policies.Check) bool { return policies.MatchID(glob, k.ID) }) {
				complain("%s: no check is called %q; waywarden checks list shows all", at, glob)
			}
		}
		for _, framework := range slices.Sorted(maps.Keys(c.Like)) {
			known := controls.Find(framework)
			if known == nil {
				complain("%s: there is no framework %q; there are %s", at, framework, strings.Join(Shipped(), ", "))
				continue
			}
			for _, id := range c.Like[framework] {
				if _, ok := known.Control(id); !ok {
					complain("%s: %s has no control %q", at, framework, id)
				}
			}
		}
		out.own[c.ID] = mapping{c.Checks, c.Like}
		out.Controls = append(out.Controls, controls.Control{ID: c.ID, Title: c.Title})
	}
	return out, errors.Join(wrong...)
}

// evidence are the checks that are evidence for each of the framework's controls, by the control's ID; each sorted by ID.
func (f Frame) evidence(checks []*policies.Check) map[string][]*policies.Check {
	out := map[string][]*policies.Check{}
	for _, c := range checks {
		for _, id := range c.Controls[f.ID] {
			out[id] = append(out[id], c)
		}
		for id, m := range f.own {
			if m.names(c) {
				out[id] = append(out[id], c)
			}
		}
	}
	return out
}

// demands is whether a check that is evidence for a control demands something for it: by itself, or because a user's own
// framework names it, which makes what it asks the demand.
func (f Frame) demands(control string, c *policies.Check) bool {
	return c.Demands || f.own[control].lists(c)
}

// lists is whether a check is named itself.
func (m mapping) lists(c *policies.Check) bool {
	return slices.ContainsFunc(m.checks, func(glob string) bool { return policies.MatchID(glob, c.ID) })
}

func (m mapping) names(c *policies.Check) bool {
	if m.lists(c) {
		return true
	}
	for framework, ids := range m.like {
		if slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(c.Controls[framework], id) }) {
			return true
		}
	}
	return false
}

// digestOf is over anything that JSON can say, with sorted keys: "sha256:" and 64 hexadecimal digits.
func digestOf(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic("compliance: what was decoded cannot be encoded: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
