// Package report is what an evaluation says, and how it is written down: one output format per file.
//
//	ScanResult ─► text    for people
//	              json    stable, for programs; a baseline too
//	              yaml    the same
//	              sarif   code scanning
//	              junit   CI dashboards
//	              github  annotations on a pull request
//
// A format is a function from the model to bytes. It decides nothing: what fails is decided by the
// caller. Names and messages can come from anybody who may write an object, so every format escapes
// what its reader would take for an instruction.
package report
