// Package cluster runs a real control plane as plain processes on loopback: etcd, kube-apiserver,
// kube-controller-manager, kwok in place of kubelets, and istiod. There is no container and no
// download beyond Go modules.
//
//	servers/<name>/go.mod ──go build──► bin/<name>        once, until the go.mod changes
//	launch ─► etcd, kube-apiserver        started by envtest
//	launch ─► kube-controller-manager, kwok, istiod
//
// Every process is the child of a launcher that kills it when the launcher's own parent is gone,
// so that nothing is left behind even after the test was killed.
package cluster
