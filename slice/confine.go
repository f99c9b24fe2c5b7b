package slice

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Confine is what the tasks of a slice are kept from, whoever they are.
type Confine struct {
	// NoNewPrivs: no program that a task executes gains a privilege by it, as by
	// a set-user-id bit.
	NoNewPrivs bool
	// DropCaps takes all capabilities but KeepCaps from what the tasks, and what
	// they execute, can ever have. For a uid other than 0 that is what set-user-id
	// programs would get. Needs a root launcher.
	DropCaps bool
	KeepCaps []string // names such as "net_bind_service"
	// Seccomp is the profile of system calls that are refused; it implies
	// NoNewPrivs.
	Seccomp SeccompProfile
}

// SeccompProfile names a list of refused system calls.
type SeccompProfile string

const (
	SeccompOff SeccompProfile = ""
	// SeccompDefault refuses what changes the machine or reaches into other
	// processes, and the making of namespaces. Debuggers work among a slice's own
	// processes if it has a pid namespace, and are refused otherwise.
	SeccompDefault SeccompProfile = "default"
	// SeccompContainers is SeccompDefault without what a container runtime of
	// the user's own needs: namespaces and mounts within them.
	SeccompContainers SeccompProfile = "containers"
)

// capNumbers are the kernel's capabilities by name.
var capNumbers = map[string]uintptr{
	"chown": unix.CAP_CHOWN, "dac_override": unix.CAP_DAC_OVERRIDE, "dac_read_search": unix.CAP_DAC_READ_SEARCH, "fowner": unix.CAP_FOWNER,
	"fsetid": unix.CAP_FSETID, "kill": unix.CAP_KILL, "setgid": unix.CAP_SETGID, "setuid": unix.CAP_SETUID, "setpcap": unix.CAP_SETPCAP,
	"linux_immutable": unix.CAP_LINUX_IMMUTABLE, "net_bind_service": unix.CAP_NET_BIND_SERVICE, "net_broadcast": unix.CAP_NET_BROADCAST,
	"net_admin": unix.CAP_NET_ADMIN, "net_raw": unix.CAP_NET_RAW, "ipc_lock": unix.CAP_IPC_LOCK, "ipc_owner": unix.CAP_IPC_OWNER,
	"sys_module": unix.CAP_SYS_MODULE, "sys_rawio": unix.CAP_SYS_RAWIO, "sys_chroot": unix.CAP_SYS_CHROOT, "sys_ptrace": unix.CAP_SYS_PTRACE,
	"sys_pacct": unix.CAP_SYS_PACCT, "sys_admin": unix.CAP_SYS_ADMIN, "sys_boot": unix.CAP_SYS_BOOT, "sys_nice": unix.CAP_SYS_NICE,
	"sys_resource": unix.CAP_SYS_RESOURCE, "sys_time": unix.CAP_SYS_TIME, "sys_tty_config": unix.CAP_SYS_TTY_CONFIG, "mknod": unix.CAP_MKNOD,
	"lease": unix.CAP_LEASE, "audit_write": unix.CAP_AUDIT_WRITE, "audit_control": unix.CAP_AUDIT_CONTROL, "setfcap": unix.CAP_SETFCAP,
	"mac_override": unix.CAP_MAC_OVERRIDE, "mac_admin": unix.CAP_MAC_ADMIN, "syslog": unix.CAP_SYSLOG, "wake_alarm": unix.CAP_WAKE_ALARM,
	"block_suspend": unix.CAP_BLOCK_SUSPEND, "audit_read": unix.CAP_AUDIT_READ, "perfmon": unix.CAP_PERFMON, "bpf": unix.CAP_BPF,
	"checkpoint_restore": unix.CAP_CHECKPOINT_RESTORE,
}

func (c *Confine) validate() error {
	if len(c.KeepCaps) > 0 && !c.DropCaps {
		return invalid("capabilities are kept but none are dropped")
	}
	for _, name := range c.KeepCaps {
		if _, ok := capNumbers[strings.ToLower(name)]; !ok {
			return invalid("capability %q", name)
		}
	}
	switch c.Seccomp {
	case SeccompOff, SeccompDefault, SeccompContainers:
		return nil
	}
	return invalid("seccomp profile %q", c.Seccomp)
}

// boundsOps take capabilities away for good, while there is still the
// privilege to do so. In a user namespace that is once the task is in it, since it has
// all of them there.
func (b *builder) boundsOps(i int) []op {
	c := &b.spec.Confine
	if !c.DropCaps || !b.root {
		return nil
	}
	if b.gainsNone() {
		return nil
	}
	keep := make([]uintptr, len(c.KeepCaps))
	for k, name := range c.KeepCaps {
		keep[k] = capNumbers[strings.ToLower(name)]
	}
	var out []op
	label := b.p.label(StageConfine, "capabilities", i)
	for n := uintptr(0); n <= lastCap(); n++ {
		if !slices.Contains(keep, n) {
			out = append(out, call(label, unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, n))
		}
	}
	// And from what an exec would pass on.
	return append(out, call(label, unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0).with(opOptional))
}

// gainsNone says that no program that the tasks execute gains a capability whatever
// the bounds are: they are not root, they begin with none, and no_new_privs is set.
func (b *builder) gainsNone() bool {
	c, uid := &b.spec.Confine, b.spec.UID
	if b.users != nil && b.spec.Inside != nil && b.spec.Inside.UID == 0 {
		return false
	}
	return uid != 0 && (c.NoNewPrivs || c.Seccomp != SeccompOff)
}

// shedOps take all capabilities from a task that has become the user. Outside a user
// namespace they have gone with the identity.
func (b *builder) shedOps(label int32) []op {
	in := b.spec.Inside
	if b.users == nil || in != nil && in.UID == 0 {
		return nil
	}
	head := binary.NativeEndian.AppendUint32(nil, unix.LINUX_CAPABILITY_VERSION_3)
	return []op{call(label, unix.SYS_CAPSET, b.p.raw(append(head, make([]byte, 4)...)), b.p.raw(make([]byte, 24)))}
}

// lastCap is the highest capability that this kernel knows.
var lastCap = sync.OnceValue(func() uintptr {
	text, err := readControl("/proc/sys/kernel/cap_last_cap")
	if n := number(text); err == nil && n > 0 && n < 64 {
		return uintptr(n)
	}
	return unix.CAP_LAST_CAP
})

// confineOps are the last of a task's preparation but its exec.
func (b *builder) confineOps(i int) ([]op, error) {
	c := &b.spec.Confine
	var out []op
	if c.NoNewPrivs || c.Seccomp != SeccompOff {
		out = append(out, call(b.p.label(StageConfine, "no_new_privs", i), unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	}
	if c.Seccomp == SeccompOff {
		return out, nil
	}
	prog, err := b.p.filter(c.Seccomp, b.spec.Namespaces.PID)
	if err != nil {
		return nil, &StartError{Stage: StageConfine, Path: "seccomp", Task: i, Detail: fmt.Sprint(err)}
	}
	// Without SPEC_ALLOW kernels before 5.16 slow a filtered process down.
	o := call(b.p.label(StageConfine, "seccomp", i), unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, prog)
	return append(out, o), nil
}
