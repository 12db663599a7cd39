package report

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/waywarden/waywarden/policies"
	"github.com/waywarden/waywarden/policies/mesh"
)

// Baseline is what an earlier scan found. Findings are recognised by check, object, field, severity
// and verdict: lines move and messages are reworded, while a finding that has become worse is new.
type Baseline map[baselineKey]int

type baselineKey struct {
	check    string
	object   mesh.Ref
	field    string
	severity policies.Severity
	verdict  policies.Verdict
}

func keyOf(f *Finding) baselineKey {
	object := f.Object
	object.APIVersion = "" // a change of version is not a change of the object
	return baselineKey{f.Check, object, f.Field, f.Severity, f.Verdict}
}

// ReadBaseline reads what `scan -o json` wrote.
func ReadBaseline(data []byte) (Baseline, error) {
	var r ScanResult
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("read it as JSON: %w", err)
	}
	if r.Kind != ScanKind {
		return nil, errors.New("it is not a ScanResult; write one with waywarden scan -o json")
	}
	if r.APIVersion != APIVersion {
		return nil, fmt.Errorf("its apiVersion is %q and not %s; write a new one with waywarden scan -o json", r.APIVersion, APIVersion)
	}
	b := Baseline{}
	for i := range r.Findings {
		b[keyOf(&r.Findings[i])]++
	}
	return b, nil
}

// Mark marks the findings that the baseline has as known. The baseline accounts for as many
// findings of a kind as it has.
func (b Baseline) Mark(r *ScanResult) {
	left := make(Baseline, len(b))
	for k, n := range b {
		left[k] = n
	}
	for i := range r.Findings {
		k := keyOf(&r.Findings[i])
		if left[k] > 0 {
			left[k]--
			r.Findings[i].Known = true
		}
	}
}
