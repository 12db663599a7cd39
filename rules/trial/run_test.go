package trial_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/waywarden/waywarden/rules"
	"github.com/waywarden/waywarden/rules/trial"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

func TestX(t *testing.T) {
	p, err := rules.Load(os.DirFS("testdata/wrong"), rules.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range trial.Run(p, trial.Options{}) {
		for _, c := range r.Cases {
			fmt.Println("==", c.Name, c.Problems)
			fmt.Println(c.Diff)
			fmt.Println(c.Why)
			fmt.Println(c.Printed)
		}
		fmt.Println(r.Coverage)
	}
	for _, r := range trial.Run(zerotrust.Pack(), trial.Options{}) {
		fmt.Println(r.Rule.ID, r.Failed(), r.Coverage, r.Coverage.Percent())
	}
}

func TestMut(t *testing.T) {
	for _, m := range trial.Mutate(zerotrust.Pack(), nil) {
		fmt.Println(m.Rule.ID, "killed", m.Killed, "stillborn", m.Stillborn, "survived", len(m.Survived))
		for _, s := range m.Survived {
			fmt.Printf("  %s:%d:%d %s\n", m.Rule.File, s.Line, s.Column, s)
		}
	}
}
