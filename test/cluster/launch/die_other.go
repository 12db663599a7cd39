//go:build !linux

package main

import "syscall"

// dieWithParent: only Linux can be asked to; elsewhere a launcher that is killed leaves its program
// to the caller.
func dieWithParent() *syscall.SysProcAttr { return nil }
