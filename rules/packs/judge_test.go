package packs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

const header = `# METADATA
# title: Something
# custom:
#   severity: low
#   match: {kinds: [AuthorizationPolicy.security.istio.io]}
#   remediation: Admit.
package acme.%s

`

// denies is the rule that every scenario of scenarios holds of.
const denies = `deny contains {"msg": "it denies.", "path": "spec.action"} if input.object.spec.action == "DENY"
`

const scenarios = `Two cases.
-- ok-allow.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop}
spec: {action: ALLOW}
-- ok-allow.want --
effect AuthorizationPolicy shop/x at Namespace shop: none: Unknown NotInInput
  it cannot be judged: Namespace shop is not in the input, so nobody can tell what captures the pods. Add it, or use --live or --assume-ambient.
  waits for Namespace shop
-- bad-deny.yaml --
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: x, namespace: shop}
spec: {action: DENY}
-- bad-deny.want --
effect AuthorizationPolicy shop/x at Namespace shop: none: Unknown NotInInput
  it cannot be judged: Namespace shop is not in the input, so nobody can tell what captures the pods. Add it, or use --live or --assume-ambient.
  waits for Namespace shop
finding low AuthorizationPolicy shop/x spec.action
  it denies.
  Admit.
`

// rule is a pack of one rule, with scenarios that hold of denies.
func rule(body string) Files {
	return Files{"acme/one.rego": fmt.Sprintf(header, "one") + body, "acme/one.txtar": scenarios}
}

// with is a pack with another file.
func (f Files) with(name, text string) Files {
	f[name] = text
	return f
}

// TestJudge: what is taken, and each way in which it is not, with its reason and its place, within the time.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		files         Files
		reason, place string // "" for one that is taken
		says          string
	}{
		"good":              {files: rule(denies)},
		"a test that holds": {files: rule(denies).with("acme/one_test.rego", "package acme.one_test\n\nimport data.acme.one\n\ntest_denies if count(one.deny) == 1 with input as {\"object\": {\"spec\": {\"action\": \"DENY\"}}}\n")},
		"a test that does not": {files: rule(denies).with("acme/one_test.rego", "package acme.one_test\n\ntest_nothing if 1 == 2\n"),
			reason: v1alpha1.ReasonTestFailed, place: "acme/one_test.rego:3:1", says: "test acme.one_test.test_nothing fails"},
		"a test that does not compile": {files: rule(denies).with("acme/one_test.rego", "package acme.one_test\n\ntest_nothing if nowhere(1)\n"),
			reason: v1alpha1.ReasonCompileError, place: "acme/one_test.rego:3:17", says: "no function nowhere"},
		"a scenario that does not hold": {files: rule(strings.Replace(denies, "DENY", "AUDIT", 1)), reason: v1alpha1.ReasonTestFailed, place: "acme/one.txtar:11:1", says: "scenario bad-deny of acme/one does not hold"},
		"a mistake":                     {files: rule(strings.Replace(denies, "object.spec.action", "object.spec.acton", 1)), reason: v1alpha1.ReasonCompileError, place: "acme/one.rego:9:", says: "acton"},
		"the network":                   {files: rule("deny contains {\"msg\": m} if m := http.send({\"url\": \"http://x\", \"method\": \"get\"}).raw_body\n"), reason: v1alpha1.ReasonCompileError, place: "acme/one.rego:9:34", says: "http.send"},
		"who asks, in the audit":        {files: rule("deny contains {\"msg\": \"it is by alice.\"} if input.user.username == \"alice\"\n"), reason: v1alpha1.ReasonCompileError, place: "acme/one.rego:9:", says: "input.user"},
		"in conflict with itself": {files: rule("which := 1 if input.object.kind\n\nwhich := 2 if input.object.kind\n\ndeny contains {\"msg\": \"it is\"} if which == 1\n"), reason: v1alpha1.ReasonTestFailed,
			place: "acme/one.txtar:", says: "conflicting values"},
		"what never ends": {files: rule("deny contains {\"msg\": \"it ends.\"} if {\n\tsome a in numbers.range(1, 100000)\n\tsome b in numbers.range(1, 100000)\n\ta + b < 0\n}\n"), reason: v1alpha1.ReasonTestFailed,
			place: "acme/one.txtar:", says: "it ran out of time"},
		"a million findings": {files: rule("deny contains {\"msg\": sprintf(\"the %dth.\", [i])} if some i in numbers.range(1, 1000000)\n"), reason: v1alpha1.ReasonTestFailed, place: "acme/one.txtar:"},
		"a test that never ends": {files: rule(denies).with("acme/one_test.rego", "package acme.one_test\n\ntest_ends if {\n\tsome a in numbers.range(1, 100000)\n\tsome b in numbers.range(1, 100000)\n\ta + b < 0\n}\n"),
			reason: v1alpha1.ReasonTestFailed, place: "acme/one_test.rego:3:1"},
		"5 MB":           {files: rule(denies).with("acme/large.rego", "package acme.large\n#"+strings.Repeat("x", 5<<20)), reason: v1alpha1.ReasonCompileError, place: "acme/large.rego", says: "larger than 4194304 bytes"},
		"no file of one": {files: Files{"../one.rego": denies}, reason: v1alpha1.ReasonCompileError, place: wholePack, says: "as in acme/no_latest.rego"},
		"nothing":        {files: Files{}, reason: v1alpha1.ReasonCompileError, says: "there is no .rego file"},
		"the library's":  {files: Files{"zerotrust/x/one.rego": strings.Replace(fmt.Sprintf(header, "one"), "acme", "zerotrust.x", 1) + denies, "zerotrust/x/one.txtar": scenarios}, reason: v1alpha1.ReasonCompileError, place: "zerotrust/x/one.rego:7:1", says: "the library's own"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
			defer cancel()
			began := time.Now()
			pack, err := judge(ctx, c.files, false, func() {})
			if took := time.Since(began); took > 7*time.Second {
				t.Errorf("it took %s", took)
			}
			if c.reason == "" {
				if err != nil || len(pack.Rules) != 1 {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			var refusal *Refused
			if !errors.As(err, &refusal) {
				t.Fatalf("taken, or no refusal: %v", err)
			}
			if first := refusal.Refusals[0].String(); refusal.Reason != c.reason || !strings.HasPrefix(first, c.place) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %.1000s", refusal.Reason, err)
			}
		})
	}
}

// slow is a pack that takes a while to compile.
func slow() Files {
	var rules strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&rules, "helper_%d(x) := y if {\n\ty := x + %d\n}\n\n", i, i)
	}
	return rule(denies).with("acme/lib/large.rego", "package acme.lib.large\n\n"+rules.String())
}

// TestJudgeOverTime: what cannot be judged in the time is refused for that, and ends by itself.
func TestJudgeOverTime(t *testing.T) {
	ended := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := judge(ctx, slow(), false, func() { close(ended) })
	var refusal *Refused
	if !errors.As(err, &refusal) || refusal.Reason != v1alpha1.ReasonTooSlow {
		t.Fatalf("%v", err)
	}
	<-ended
}
