// Package chart holds the Helm chart to the tables that it is made from, renders it with Helm's own library, and installs
// it with that into a real API server. Command render prints what it renders to. It is a module of its own, so that the
// product does not inherit Helm's dependencies.
package chart
