package main

import "syscall"

// dieWithParent has the kernel kill the program when the launcher itself is killed.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
