// Package waypoints shows the life of waypoints on a real control plane: etcd, the API server, the controllers that make
// pods of Deployments, kwok and istiod, with replicas of `waywarden serve` as processes.
package waypoints
