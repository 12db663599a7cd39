package manifest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// hostile are files that were made to hurt, and what is said about them.
func hostile() map[string]struct{ text, want string } {
	bomb := func(leaf string, each func(name string) string) string {
		var b strings.Builder
		b.WriteString(named("bomb") + "x0: &x0 " + leaf + "\n")
		for i := range 30 {
			fmt.Fprintf(&b, "x%d: &x%d %s\n", i+1, i+1, each(fmt.Sprint("*x", i)))
		}
		return b.String()
	}
	ten := func(format string) func(string) string {
		return func(name string) string {
			return fmt.Sprintf(format, strings.TrimSuffix(strings.Repeat(name+", ", 10), ", "))
		}
	}
	deep := func(open, closing string, n int) string {
		return named("deep") + "spec: " + strings.Repeat(open, n) + strings.Repeat(closing, n) + "\n"
	}
	const aliases = "its aliases expand to more than 100000 values"
	return map[string]struct{ text, want string }{
		"billion laughs":         {bomb("[lol]", ten("[%s]")), aliases},
		"empty leaves":           {bomb("[]", ten("[%s]")), aliases},
		"merges":                 {bomb("{}", ten("{<<: [%s]}")), aliases},
		"chain of aliases":       {named("a") + "x0: &x0 []\n" + chain(3000), aliases},
		"alias of itself":        {named("a") + "x: &x [*x, *x]\n", "nested more than 1000 levels deep"},
		"merge of itself":        {named("a") + "x: &x {<<: *x}\n", "nested more than 1000 levels deep"},
		"deep sequences":         {deep("[", "]", 5_000), "nested more than 1000 levels deep"},
		"deeper sequences":       {deep("[", "]", 2_000_000), "exceeded max depth"},
		"deep mappings":          {deep("{a: ", "}", 5_000), "nested more than 1000 levels deep"},
		"deep dashes":            {named("deep") + "spec:\n" + strings.Repeat("- ", 5_000) + "a\n", "nested more than 1000 levels deep"},
		"deeper dashes":          {named("deep") + "spec:\n" + strings.Repeat("- ", 1_000_000) + "a\n", "exceeded max depth"},
		"deep JSON":              {`{"apiVersion": "v1", "kind": "A", "a": ` + strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000) + "}", "nested more than 1000 levels deep"},
		"deeper JSON":            {`{"apiVersion": "v1", "kind": "A", "a": ` + strings.Repeat(`{"a":`, 1_000_000), "max depth"},
		"JSON in a row":          {strings.Repeat(`{"apiVersion":"v1","kind":"A"}`, 50_000), ""},
		"JSON List in a line":    {`{"apiVersion":"v1","kind":"List","items":[` + strings.Repeat("{\"apiVersion\":\"v1\",\"kind\":\"A\u2028\"},", 50_000) + "{}]}", ""},
		"open brackets":          {strings.Repeat("{", 1_000_000), ""},
		"open quotes":            {strings.Repeat("a: \"\n", 200_000), ""},
		"many keys":              {named("a") + "data: {" + strings.Repeat("k: 1, ", 100_000) + "}\n", "only the last value counts"},
		"long line":              {named("a") + "data: " + strings.Repeat("x", 5_000_000) + "\n", ""},
		"comments":               {named("a") + strings.Repeat("# x\n", 300_000) + "spec: 1\n", ""},
		"indented comments":      {named("a") + "spec:\n" + strings.Repeat("  # x\n\n", 200_000) + "  a: 1\n", ""},
		"comments between items": {named("a") + "spec:\n" + strings.Repeat("- x # y\n# z\n", 100_000), ""},
		"markers":                {strings.Repeat("---\n", 500_000) + named("a"), ""},
		"tiny documents":         {strings.Repeat("--- a\n", 50_000), ""},
		"percent":                {strings.Repeat("%\n", 100_000), ""},
		"question marks":         {strings.Repeat("? ", 5_000), ""},
		"tags":                   {named("a") + "spec: " + strings.Repeat("!a ", 5_000), ""},
		"backslashes":            {named("a") + `spec: "` + strings.Repeat(`\`, 500_001), ""},
	}
}

// Nothing that a file says may take long, or much memory, or the program down.
func TestHostileFiles(t *testing.T) {
	for name, c := range hostile() {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			r, err := Load(Options{Stdin: strings.NewReader(c.text)}, "-")
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			text := fmt.Sprint(err)
			for _, p := range r.Problems[:min(len(r.Problems), 3)] {
				text += "\n" + p.Error()
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("%.300s\nwhich has no %q", text, c.want)
			}
			for _, d := range r.Documents[:min(len(r.Documents), 3)] {
				d.Position("spec.a")
			}
		})
	}
}

func chain(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "x%d: &x%d [*x%d]\n", i+1, i+1, i)
	}
	return b.String()
}

// Many documents that each stay below the bound are as bad as one that does not. Which of them crosses the bound of the
// file depends on the order of decoding, so none is returned.
func TestAliasesOfAFile(t *testing.T) {
	document := named("a") + "x: &x [" + strings.Repeat("1,", 99) + "]\ny: &y [" + strings.Repeat("*x,", 99) + "]\nz: [" + strings.Repeat("*y,", 9) + "]\n---\n"
	if r := fromStdin(t, strings.Repeat(document, 9)); len(r.Documents) != 9 {
		t.Errorf("9 documents: %v", summary(r))
	}
	for range 3 {
		contains(t, summary(fromStdin(t, strings.Repeat(document, 30))), "<stdin>: not evaluated: the aliases of its documents expand to more than 1000000 values.")
	}
}
