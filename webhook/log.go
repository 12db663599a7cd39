package webhook

import (
	"context"
	"log/slog"
	"slices"

	"github.com/waywarden/waywarden/api/v1alpha1"
)

// LogTo writes one line for every decision. It names the object, the user and the checks, and nothing of what is in the
// object. Admissions with nothing to say are of level debug.
func LogTo(log *slog.Logger) func(Record) {
	return func(r Record) {
		level := slog.LevelInfo
		if r.Outcome == Admitted || r.Outcome == CanaryRefused {
			level = slog.LevelDebug
		}
		log.LogAttrs(context.Background(), level, "admission",
			slog.String("phase", r.Phase), slog.String("decision", r.Outcome), slog.String("operation", r.Operation()), slog.String("kind", r.Kind()),
			slog.String("namespace", r.Namespace()), slog.String("name", r.Name()), slog.String("user", r.User()), slog.Bool("dryRun", r.DryRun()),
			slog.Any("findings", r.Actions()), slog.Any("repairs", r.Repairs), slog.String("breakGlass", r.Decision.Reason),
			slog.Float64("seconds", r.Took.Seconds()), slog.String("request", r.ID()))
	}
}

// Actions are the checks that found something, with what is done about it, as in "effect/l7-deny-no-op=Deny"; sorted, and
// each once. What is exempt says so in place of the action.
func (r *Record) Actions() []string {
	out := []string{}
	for i := range r.Findings {
		action := string(r.Decision.Rulings[i].Action)
		switch {
		case r.Decision.Rulings[i].Exempt != nil:
			action = Exempt
		case action == string(v1alpha1.Off):
			continue
		}
		out = append(out, r.Findings[i].Check+"="+action)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
