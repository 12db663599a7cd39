// Package bundle carries rules as OPA carries policies: in an archive with a signature, which a registry for images keeps.
//
//	folder ─► Build ─► archive ─► Push ─► host/repository@sha256:…
//	                      │                          │
//	                      ▼                          ▼
//	   rules.Load ◄─── Bundle ◄─── Open ◄────────── Pull
//
// An archive is a bundle of OPA (https://www.openpolicyagent.org/docs/management-bundles): a gzipped tar with the rules by the
// path of their package, a .manifest, and .signatures.json with one JWT over the digest of each file. `opa sign` makes such a
// signature, and OPA's own reader takes what is written here. In a registry it is the one layer of a manifest, as `oras push` and
// the policy CLI leave it.
//
// # What is believed
//
// Nothing that is not signed. A manifest is fetched by its digest, so that who may write to the registry cannot exchange it;
// a tag is refused. Of the archive, each file has to be under a signature by a key that is trusted, and to be what was signed.
// Scenarios too: OPA's reader verifies and then drops them, so archives are read here, by stricter rules than OPA's, and only
// what was hashed is handed on. A signature does not end: claims of time are not looked at, as OPA does not. Neither are signatures
// that lie beside an artifact in the registry (cosign, notation).
//
// # What is refused
//
// An archive that is too large, before it is unpacked and while it is; that holds one name twice, or two that a file system may
// take for one; links, devices, and names that lead out. A bundle with data, since rules follow from their input; with WebAssembly
// or a plan; a delta; Rego v0. A [Refusal] says which of three it is: the registry could not deliver, so that trying again may
// help; the signature is not good; or what is signed is no bundle of rules.
package bundle
