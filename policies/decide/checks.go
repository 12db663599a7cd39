package decide

import (
	"fmt"
	"time"

	"github.com/waywarden/waywarden/api/v1alpha1"
	"github.com/waywarden/waywarden/policies"
)

// What is asked of Exemptions. They are asked by Finding, once it is known what is exempt, and not of a mesh.
var (
	unused = policies.Register(policies.Check{
		ID:       "exemption/unused",
		Title:    "An Exemption that excepts nothing",
		Severity: policies.Low,
		About:    v1alpha1.ExemptionKind,
		Controls: changeControl(),
		Doc: `No finding is exempt by it: what it was granted for has been put right or removed, or it never named it. As it
stands it will except the next mistake that happens to match, for which nobody has signed.`,
		Remedy: "Remove it, or correct its checks and subjects.",
	})
	expired = policies.Register(policies.Check{
		ID:       "exemption/expired",
		Title:    "An Exemption that has ended",
		Severity: policies.Medium,
		About:    v1alpha1.ExemptionKind,
		Controls: changeControl(),
		Doc: `The time in spec.expiresAt has passed, so that what the Exemption was granted for is demanded again. It does
nothing any more but mislead whoever reads it.`,
		Remedy: "Put right what it was granted for and remove it, or have it granted anew.",
	})
	tooLong = policies.Register(policies.Check{
		ID:       "exemption/too-long",
		Title:    "An Exemption that ends too late",
		Severity: policies.Medium,
		About:    v1alpha1.ExemptionKind,
		Controls: changeControl(),
		Doc: `An Exemption is for a time, and an installation bounds it, to 90 days unless it was set up otherwise. One whose
spec.expiresAt lies further ahead is refused on its way into a cluster, and excepts nothing where it is stored all the same.`,
		Remedy: "Let it end sooner, and renew it when the time comes.",
	})
)

// changeControl are the controls about who may change what guards a mesh.
func changeControl() policies.Controls {
	return policies.Controls{
		"nist-800-53-r5": {"CM-5"}, "pci-dss-4.0.1": {"1.2.2", "6.5.1"}, "soc2": {"CC8.1"}, "iso-27001-2022": {"A.8.32"},
		"cisa-ztmm-2": {"NW: Governance"},
	}
}

// Finding is what there is to say against an Exemption; ok is false for one that is in use.
func (s Standing) Finding() (f policies.Finding, ok bool) {
	e := s.Exemption
	var c *policies.Check
	switch s.State {
	case v1alpha1.StateExpired:
		c = expired
		f.Field = "spec.expiresAt"
		f.Message = fmt.Sprintf("this Exemption excepts nothing any more: it ended on %s.", day(e.ExpiresAt))
	case v1alpha1.StateTooLong:
		c = tooLong
		f.Field = "spec.expiresAt"
		f.Message = fmt.Sprintf("this Exemption excepts nothing: it ends on %s, more than the allowed %s ahead.", day(e.ExpiresAt), days(s.Max))
	case v1alpha1.StateUnused:
		c = unused
		f.Field = "spec.checks"
		f.Message = "this Exemption excepts nothing: there is no finding of its checks about its subjects."
	default:
		return policies.Finding{}, false
	}
	f.Check, f.Severity, f.Remedy, f.Object, f.Action = c.ID, c.Severity, c.Remedy, e.Ref(), string(v1alpha1.Warn)
	f.Namespaces = []string{e.Namespace}
	return f, true
}

// day is a moment as messages say it: to the day where it is midnight in UTC.
func day(t time.Time) string {
	if t = t.UTC(); t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}

func days(d time.Duration) string {
	if n := d / (24 * time.Hour); d%(24*time.Hour) == 0 && n > 1 {
		return fmt.Sprintf("%d days", n)
	}
	return d.String()
}
