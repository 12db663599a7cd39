// Package e2e runs the binary as people do, against a control plane with istiod.
package e2e
