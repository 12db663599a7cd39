// Package audit holds the continuous audit to a real API server: its reports are what their CRDs take, and what it knows
// survives restarts, missing CRDs, quotas, and objects that are too large.
package audit
