// Package decide says what is done about findings: it is where Guardrails and Exemptions take effect.
//
//	Guardrails ─┐
//	            ├─► New ─► Rulebook ─► Judge(request, findings, now) ─► Decision
//	Exemptions ─┘          immutable   pure                             a Ruling for each finding; Denied
//
// The webhook refuses what is Denied, the audit and the command line enter the Rulings in their reports; all of them
// decide alike. The rules are those of docs/guardrails.md:
//
//   - Of one Guardrail the last entry counts that names the check and that the finding is severe enough for.
//   - A finding belongs to the namespaces that it changes something in, before a change of a namespace's labels and after.
//   - For each of them the strictest Guardrail counts that names the check, and Warn where none does; over all of them the
//     strictest again.
//   - What only waits for other objects is never denied, so that the order in which objects are applied does not matter.
//   - Only an Exemption loosens, for objects of its namespace and until it ends.
package decide
