// Package packs brings rules of users into a running Waywarden: what a RulePack names is read, put to the test, and put in force
// in every replica at once, or refused with every reason while the last good revision stays.
//
//	RulePack ─► Gate        at admission, any replica: inline files are compiled and tested, and what they would find is told
//	    │
//	    ├─────► Keeper      the leader: source ─► judge ─► preview ─► keep ─► status.revision
//	    │                                                               │           │
//	    │                                                    ControllerRevision     │
//	    │                                                               │           │
//	    └─────► Loader      every replica: loads what status.revision names ◄───────┘  ─► Checks(), one set after another
//
// One replica decides, and all follow: which revision is in force stands in the status, and what it holds is kept as a
// ControllerRevision in Waywarden's own namespace. So replicas agree, a restart needs no registry, and a rollback no source. What
// is kept is held to its digest when it is loaded.
package packs
