package compliance_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waywarden/waywarden/rules/controls"
)

// TestLinks: what fails a control is named once on the page, however many findings it has, and by name.
func TestLinks(t *testing.T) {
	cells := regexp.MustCompile(`<div class="links">(.*?)</div>`).FindAllStringSubmatch(written(t, "html", made(t, december, examples...)), -1)
	name := regexp.MustCompile(`<a href="#f-[0-9a-f]+">(.*?)</a>`)
	several := 0
	for _, cell := range cells {
		var names []string
		for _, m := range name.FindAllStringSubmatch(cell[1], -1) {
			names = append(names, m[1])
		}
		if len(names) > 1 {
			several++
		}
		if !slices.Equal(slices.Compact(slices.Sorted(slices.Values(names))), names) {
			t.Errorf("named twice, or in no order: %v", names)
		}
	}
	if several == 0 {
		t.Error("no control has several failing objects: the test shows nothing")
	}
}

// TestAnchors: whatever the page leads to is on it, once.
func TestAnchors(t *testing.T) {
	page := written(t, "html", made(t, december, examples...))
	there := map[string]int{}
	for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		there[m[1]]++
	}
	named := regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1)
	for _, m := range named {
		if there[m[1]] == 0 {
			t.Errorf("#%s is nowhere", m[1])
		}
	}
	for id, n := range there {
		if n > 1 {
			t.Errorf("#%s is there %d times", id, n)
		}
	}
	if len(named) < 50 {
		t.Errorf("only %d links: the test shows little", len(named))
	}
}

// TestFamilies: controls are told by family, with what there is of each, and none is left out.
func TestFamilies(t *testing.T) {
	for _, f := range made(t, december, examples...).Frameworks {
		families, n := f.Families(), 0
		for _, family := range families {
			n += len(family.Controls) + len(family.Rest)
		}
		if n != len(f.Controls) || f.ID == controls.NIST80053 && len(families) != 20 || f.ID == "hipaa" && (len(families) != 1 || families[0].ID != "") {
			t.Errorf("%s: %d controls of %d in %d families", f.ID, n, len(f.Controls), len(families))
		}
	}
	page := written(t, "html", made(t, december, examples...))
	if want := `AU Audit and Accountability <span class="soft">69 not assessed of 69 controls</span>`; !strings.Contains(page, want) {
		t.Errorf("the page does not say %s", want)
	}
}
