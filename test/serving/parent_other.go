//go:build !linux

package serving

import "syscall"

// dieWithParent: only Linux can be asked to; elsewhere a replica outlives a parent that is killed.
func dieWithParent() *syscall.SysProcAttr { return nil }
