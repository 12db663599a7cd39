// Package api holds the CRDs in charts/waywarden/files/crds to a real API server, which serves them and refuses what
// api/v1alpha1 says that it refuses (build tag cluster), and to their documentation.
package api
