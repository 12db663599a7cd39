package packs

import (
	"errors"
	"testing"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/rules"
)

// TestConcluded: an error that is no refusal is no judgement, and above all none that takes the pack.
func TestConcluded(t *testing.T) {
	pack, broken := &rules.Pack{}, errors.New("the disk is gone")
	refusal := refused(v1alpha1.ReasonTooSlow, wholePack, "the rules are not taken.")
	for name, c := range map[string]struct {
		pack    *rules.Pack
		err     error
		refusal *Refused
		other   error
	}{
		"taken":   {pack, nil, nil, nil},
		"refused": {nil, refusal, refusal, nil},
		"broken":  {nil, broken, nil, broken},
	} {
		j, err := concluded(c.pack, c.err)
		if j.pack != c.pack || j.err != c.refusal || err != c.other {
			t.Errorf("%s: %+v, %v", name, j, err)
		}
	}
}
