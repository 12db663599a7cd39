// Package serving runs Waywarden for tests, as a chart installs it: the CRDs, the webhook configurations and replicas
// of `waywarden serve`, as plain processes behind a balancer that stands in for the Service.
//
//	API server ─► Balancer ─► replica ─┐
//	                     └──► replica ─┴─► API server
package serving
