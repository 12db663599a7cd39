// Package packs brings rules of users into a running Waywarden: what a RulePack names is read, put to the test, and put in force
// in every replica at once, or refused with every reason while the last good revision stays.
//
//	RulePack ─► Gate        at admission, any replica: inline files are compiled and tested, and what they would find is told
//	    │
//	    ├─────► Keeper      the leader: source ─► judge ─► preview, into the status ─► keep ─► status.revision
//	    │                                                                               │           │
//	    │                                                                    ControllerRevision     │
//	    │                                                                               │           │
//	    └─────► Loader      every replica: loads what status.revision names ◄───────────┘  ─► Checks(), one set after another
//
// One replica decides, and all follow: which revision is in force stands in the status, and what it holds is kept as a
// ControllerRevision in Waywarden's own namespace. So replicas agree, a restart needs no registry, and a rollback no source.
//
// # What is believed
//
// The status, which only Waywarden writes, says what is kept, by its digest, its name and the key that signed it. What is kept is believed
// as far as it is that: a ControllerRevision that the status does not name is not used, and of a bundle the archive and its signature
// are kept, and verified whenever they are used.
//
// # What takes long
//
// Asking a registry, compiling, testing and previewing are done beside the Keeper (fetches, beside), so that one pack does not hold up
// another. Until there is an outcome a pack is pending, with a condition that says for what; what was in force stays.
package packs
