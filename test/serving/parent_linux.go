package serving

import "syscall"

// dieWithParent has the kernel kill a replica when the process that started it is gone, however it went.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
