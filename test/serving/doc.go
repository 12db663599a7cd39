// Package serving runs Waywarden for tests: replicas of `waywarden serve`, as plain processes behind a balancer that stands in
// for the Service. Register makes the CRDs and the webhook configurations, for tests that need no more; Install makes every
// object of the chart and gives the replica the rights of its ServiceAccount.
//
//	API server ─► Balancer ─► replica ─┐
//	                     └──► replica ─┴─► API server
package serving
