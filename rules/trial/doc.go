// Package trial puts rules to the test: their scenarios, their tests in Rego, which of their lines those reach, whether those
// would notice a mistake, and what a rule costs.
//
//	Pack ─► Run     each case of each rule: what is said, and what was expected; if that differs, why (explain.go)
//	     ├─► RunRego    rules test_* of files that end in _test.rego
//	     ├─► coverage   lines that no case reaches
//	     ├─► Mutate     small mistakes put into a rule, one at a time, that no case notices
//	     └─► Bench      time and allocations, in the format of Go's benchmarks
//
// It reads no files and prints nothing: what it returns, package main shows.
package trial
