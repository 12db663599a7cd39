// Package oracle compares what Waywarden says of a mesh with what a real istiod said of the same
// mesh: the conditions that istiod writes, and what it sends to ztunnels. Where the recording comes
// from, a file or a cluster that runs, does not matter.
package oracle
