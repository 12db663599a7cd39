package handbook

import (
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waywarden/waywarden/rules/controls"
	"github.com/waywarden/waywarden/rules/zerotrust"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestPages: there is a page for each rule, and every link of a page leads to another one.
func TestPages(t *testing.T) {
	pack := zerotrust.Pack()
	pages := Pages("Rules", pack)
	for _, r := range pack.Rules {
		if text := string(pages[r.ID+".md"]); !strings.HasPrefix(text, "# "+r.Title+"\n") || !strings.Contains(text, "Found (bad-") || !strings.Contains(text, "Nothing is found (ok-") {
			t.Errorf("%s has no page with its title and examples:\n%s", r.ID, text)
		}
	}
	for name, text := range pages {
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if target := path.Join(path.Dir(name), m[1]); !strings.Contains(m[1], "://") && pages[target] == nil {
				t.Errorf("%s leads to %s, which is not there", name, target)
			}
		}
	}
}

// TestMap: a control has the rules that name it, and one that no baseline asks for is not held against the rules.
func TestMap(t *testing.T) {
	f := &controls.Framework{ID: "soc2", Title: "SOC 2", Controls: []controls.Control{
		{ID: "CC6.1", Baselines: []string{"LOW"}}, {ID: "nobody", Baselines: []string{"LOW"}}, {ID: "enhancement"}}}
	with, without := Map(f, zerotrust.Pack()).With()
	ids := func(all []Control) (out []string) {
		for _, c := range all {
			out = append(out, c.ID)
		}
		return out
	}
	if diff := cmp.Diff([]string{"CC6.1"}, ids(with)); diff != "" || len(with[0].Rules) == 0 {
		t.Errorf("with: %v", with)
	}
	if diff := cmp.Diff([]string{"nobody"}, ids(without)); diff != "" {
		t.Error(diff)
	}
}

func TestSaid(t *testing.T) {
	want := "effect AuthorizationPolicy shop/x at Namespace shop: ztunnel: Enforced Accepted\n  as written.\nfinding high AuthorizationPolicy shop/x spec\n  m\n  \nskips Service shop/y: no\n"
	if diff := cmp.Diff("finding high AuthorizationPolicy shop/x spec\n  m\n\nskips Service shop/y: no\n", said(want)); diff != "" {
		t.Error(diff)
	}
	if got := said("nothing\n"); got != "" {
		t.Errorf("%q", got)
	}
}

func TestTypeOf(t *testing.T) {
	for want, schema := range map[string]map[string]any{
		"array of string": {"type": "array", "items": map[string]any{"type": "string"}},
		`one of "a", 2`:   {"enum": []any{"a", 2}},
		"any":             {},
	} {
		if got := typeOf(schema); got != want {
			t.Errorf("%v is %q, want %q", schema, got, want)
		}
	}
}
