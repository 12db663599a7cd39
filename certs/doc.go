// Package certs is the serving certificate of the admission webhooks, and what is tied to it: the CA bundle in the
// webhook configurations, and the proof that the API server really asks us.
//
//	cert-manager ─► files ──► Files ──────────┐
//	                                          ├─► GetCertificate, Ready, Expiry     every replica
//	Secret ◄─► SelfSigned ─► memory ──────────┘
//	   ▲
//	   └────── Writer ─► caBundle of both configurations     the leader
//	           Canary ─► failurePolicy of the validating one the leader
//
// # Rotation fails no request
//
// An API server trusts a webhook by the bundle that it has seen last; a replica serves the leaf that it has read last.
// Neither learns at once. So a CA changes in steps, each of which is right with both what came before and what comes
// after, and between them is a delay that is longer than anybody needs to learn:
//
//	Steady ──► Announced ─────────────► Retiring ─────────────► Steady
//	        a new CA lies     both bundles      the leaf is the      the old CA goes
//	        beside the old    have both: wait   new CA's: wait       out of the bundles
//
// plan decides the next step, from values alone. It is told the time and reads nothing. The step is written with the
// resourceVersion that it was planned from, so that a second writer that acts on the same state loses and plans anew.
// All of the state is in the Secret and the two configurations: a new leader goes on where the old one stopped.
//
// A replica does not trust the writer's schedule alone. It keeps the leaf that it has as long as the bundles that it
// reads itself vouch for that one and not for the new one. So a Secret that was deleted, spoiled, or put back from a
// backup does not take a working webhook down: the writer restores it from memory, and then replaces the CA.
//
// # What is not written here
//
// Files is controller-runtime's certwatcher. The watches are controller-runtime's cache, and every write is
// server-side apply or an update through its client.
//
// cert-manager's pkg/server/tls (v1.21.2) was considered for the self-signed certificate and lacks what matters here.
// Its DynamicAuthority replaces the CA in place, and its DynamicSource serves a leaf of the new CA as soon as it sees
// it: until cainjector has replaced the bundle, and every API server has seen that, calls fail. It keeps no second CA,
// reads time.Now, restores nothing that was deleted, and links cert-manager's API types and helpers. Overlap cannot be
// added from outside. What it does well is taken over: the CA's key in a Secret, replacement at two thirds of life,
// creation that two replicas may race for.
package certs
