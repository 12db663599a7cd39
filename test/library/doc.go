// Package library holds what the library of rules in Rego must do on whole meshes: answer everywhere, and alike wherever it is
// asked.
package library
