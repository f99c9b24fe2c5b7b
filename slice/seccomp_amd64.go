package slice

import "golang.org/x/sys/unix"

const (
	auditArch  = unix.AUDIT_ARCH_X86_64
	foreignABI = 0x40000000 // the x32 calls, which have these numbers once more
)

var archCalls = []uintptr{unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_USELIB, unix.SYS_MODIFY_LDT, unix.SYS_CREATE_MODULE, unix.SYS__SYSCTL}
