// Package rules is where rules in Rego become checks.
//
//	folder ─► Load ─► Pack ─► Checks() ─► policies.Check        asked, decided about and reported as one in Go
//	   .rego, .txtar    │
//	                    └─ or Refusals: every reason, with file, line, column and remedy
//
// Go resolves, Rego judges. Whatever needs the mesh (who is enrolled, which waypoint serves this, what does this policy do)
// is computed in Go and handed to the rule; the rule says whether that is acceptable.
//
// # Write a rule
//
// A rule is two files, and no edit elsewhere: <root>/<category>/<name>.rego with package <root>.<category>.<name>, and beside
// it <name>.txtar with its scenarios. The ID is the package with dashes and slashes: zerotrust.authz.deny_enforced is
// zero-trust/authz/deny-enforced. Files in a folder called lib hold what rules of a root share; files that end in _test.rego
// hold tests in Rego.
//
//	# METADATA
//	# title: A DENY that nobody enforces
//	# description: |
//	#   What is wrong, and why it matters, for a person who reads a finding.
//	# related_resources: [{ref: https://github.com/istio/istio/issues/61126}]
//	# custom:
//	#   severity: critical                                     critical, high, medium, low or info
//	#   match:
//	#     kinds: [AuthorizationPolicy.security.istio.io]       with the group; core kinds without, as in Namespace
//	#     phases: [admission, audit, scan]                     left out: all
//	#     operations: [CREATE, UPDATE]                         at admission; left out: these two
//	#   params: {type: object, additionalProperties: false, properties: {ignore: {type: array, items: {type: string}, default: []}}}
//	#   controls: {nist-800-53-r5: [AC-3, AC-4]}               IDs of package rules/controls
//	#   remediation: Bind the policy to its Service.           required for critical and high
//	package zerotrust.authz.deny_enforced
//
//	deny contains {"msg": msg, "path": "spec.rules", "verdict": e.verdict} if {
//		input.object.spec.action == "DENY"
//		not input.object.metadata.namespace in input.params.ignore
//		some e in input.effects
//		e.verdict == "NotEnforced"
//		msg := sprintf("this DENY denies nothing at %s %s: %s", [e.target.kind, e.target.name, e.reason])
//	}
//
// What a rule answers:
//
//	deny contains v      a finding. v is an object of
//	                       msg       consequence: cause. (required)
//	                       path      of the field, as in spec.rules[0].from or /spec/rules/0/from
//	                       remedy    in place of remediation
//	                       severity  downwards only
//	                       verdict   of the effect that it is about: then what only waits for other objects is not denied
//	                       waitsFor  {kind, namespace} of another object that would end it: then it is not denied, whatever the order
//	                                 in which things are applied
//	                       subject   {kind, namespace, name}, where it is about another object
//	                       details   an object, for programs
//	patch contains op    an operation of RFC 6902, {op, path, value}, offered as a Fix once it is shown that it applies, makes a
//	                     valid object in which the rule finds nothing, and would not be changed again. It must let nobody in
//	                     whom the object keeps out
//	skip contains reason why the rule does not apply, so that "nothing found" means something
//
// What it is asked about:
//
//	input.object      the object as it is written; null for one that is deleted
//	input.phase       admission, audit or scan
//	input.effects     what the policy really does: [{target{kind, namespace, name, labels}, enforcedBy, by{kind, namespace, name},
//	                  verdict, reason, message, workloads, failsOpen, waits}]
//	input.namespace   {name, labels, annotations} of the object's namespace; undefined where that is not in the input
//	input.params      the parameters: those that a Guardrail gives, and defaults for the others
//	input.mesh        {rootNamespace, trustDomain, trustDomainAliases, clusterDomain, istioVersion}
//	input.now         the time, as in 2026-11-25T22:00:00Z
//	input.operation, input.dryRun, input.user{username, uid, groups, extra}, input.old    at admission only
//
// Of an object a rule sees what a watch keeps ([mesh.Strip], [mesh.Lean]), wherever it comes from; a rule that asks for more is refused,
// unless it is asked at admission alone.
//
// What it can ask of the mesh, as it would be with the object. What the input does not show is undefined, never a guess:
//
//	mesh.root_namespace(), mesh.trust_domain(), mesh.namespaces()
//	mesh.namespace(name)                      {name, labels, annotations}
//	mesh.service(ns, name), mesh.services(ns) Services as they are stored
//	mesh.policies(kind, ns)                   all objects of a kind in a namespace, as they are stored. The kind is written out, or
//	                                          input.object.kind, here and in mesh.effects
//	mesh.policies_for(kind, ns, name)         policies that hold for a Service, Gateway, workload or Namespace
//	mesh.effects(kind, ns, name)              as input.effects, of another policy
//	mesh.workloads(ns, selector)              [{kind, namespace, name, labels, annotations, serviceAccount, principal, hostNetwork,
//	                                          running, mode, why, ports[{name, port, protocol}]}]; mode is ambient, sidecar, gateway,
//	                                          waypoint, none or unknown
//	mesh.waypoint(kind, ns, name)             {asked, optsOut, bound, known, reason, namespace, name, ready, principal, trafficType, ingress}
//	mesh.workloads_of(kind, ns, name)         the workloads that an object stands for, as mesh.workloads: what a template makes, a pod
//	                                          that nothing else in the input makes, what is behind a Service, a plain pod in a Namespace.
//	                                          Undefined for what another object stands for, so that nothing is told once a replica
//	mesh.workloads_as(ns, serviceAccount)     those that run as a service account
//	mesh.effective_mtls(ns, workload, port)   {strict, mode, openPorts, dangling, policies}; openPorts are excepted from STRICT
//	mesh.layers(kind, ns, name)               [{enforcedBy, by, closed, guarded}]: each layer that can enforce AuthorizationPolicies for a
//	                                          workload, a Service, a Namespace (its plain pods) or a waypoint. closed is whether it denies
//	                                          what no policy admits; guarded, at the pods, whether it refuses strangers on all ports
//	mesh.enrolled(kind, ns, name)             of a Namespace, Service or workload
//	mesh.callers(kind, ns, name)              [{path, field, value, trustDomain, namespace, account, principal, exists}]: whom an
//	                                          AuthorizationPolicy names, in from and in when; what is a wildcard is left out
//	mesh.granted(kind, ns, name, verbs, resources)
//	                                          [{verb, resource, names}]: what of some verbs on some resources, as `kubectl auth can-i` has
//	                                          them, a RoleBinding or ClusterRoleBinding gives; names are the only objects, none for all of
//	                                          them. Undefined where its role is not in the input
//	mesh.certificates(text)                   [{subject, commonName, organization, issuer, notBefore, notAfter, dnsNames, uris, isCA, selfSigned,
//	                                          keyAlgorithm, keyBits, signatureAlgorithm}] of a text of PEM, or of one in base64
//	mesh.namespaces_selected(selector)        the names of the namespaces that a label selector selects
//	mesh.admits(kind, ns, name, principal)    whether a caller of a principal, as in cluster.local/ns/shop/sa/web, may get in at the pods of a
//	                                          Service or workload, without its waypoint
//
// Roles, their bindings, webhook configurations and Secrets decide nothing about calls. A cluster is asked for them only while a rule
// is asked of them, or asks for them, and only as far as it is allowed (package inventory, Evidence).
// Of a Secret there is no data: certificates has those that stand in it, by key. A rule that asks for a kind that is not
// read is not asked itself, and counts as skipped with that as its reason; so does one that asks for any other kind that could not be
// read, or has not been listed yet, and one whose question rests on such a kind, as mesh.workloads does on Pods. A kind that a cluster does
// not serve is read: there is none of it.
//
// A rule is a function of these: what calls the network, reads the clock or is random is refused when it is loaded.
//
// # Write its scenarios
//
// As for checks in Go (package policies/scenario): a mesh.yaml that all cases share, and at least one ok-NAME.yaml and one
// bad-NAME.yaml. What stands there with the key "$delete: true" is deleted. An asked.yaml says on what occasion all cases are
// asked, and ok-NAME.asked.yaml one of them:
//
//	-- bad-by-hand.asked.yaml --
//	phase: admission
//	user: {username: alice, groups: [developers]}
//	now: 2026-11-25T22:00:00Z
//	params: {ignore: [legacy]}
//
// `go test ./rules/zerotrust -update` writes what each case expects; read it before you commit it. Think of what
// must not be found: sidecars, gateways, namespaces that are not enrolled, objects that are not in the input.
//
// # Evaluating
//
// Rules of a Pack are compiled together, each by OPA and into a sieve (package sieve), which walks through the rule on the object as
// it was decoded and mostly knows the answer, above all that there is nothing to find. Only of the others is OPA asked, of all at
// once. If that fails, they are asked one by one, so that a broken rule silences no other. A built-in that fails would leave its
// expression undefined, and the rule would find nothing: that is a [policies.Failure], never an answer. The time is bounded,
// by the Occasion and by a budget for each rule; a rule that runs out of time again and again is asked no more in that View.
package rules
