// Package api holds the CRDs in charts/waywarden/files/crds to a real API server: it serves them, refuses what
// api/v1alpha1 says that it refuses, and explains them.
package api
