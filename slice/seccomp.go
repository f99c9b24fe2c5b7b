package slice

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// namespaceFlags are those of clone and unshare that make a namespace.
const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID |
	unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP | unix.CLONE_NEWTIME

// verdict is what becomes of a system call that a profile names.
type verdict int

const (
	refuse     verdict = iota // EPERM
	unknown                   // ENOSYS, so that a library takes another way
	ifSpaces                  // EPERM when the first argument asks for a namespace
	ifTypeAs                  // EPERM when it is an ioctl that types for somebody else
	verdictEnd                // how many there are
)

// machineCalls change the machine, or are ways into its kernel that a job has
// no use for.
var machineCalls = []uintptr{
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_BPF,
	unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT,
	unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_SYSLOG, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME,
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_FANOTIFY_INIT, unix.SYS_VHANGUP, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
	unix.SYS_LOOKUP_DCOOKIE, unix.SYS_NFSSERVCTL, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
}

// spaceCalls make and enter namespaces and change what is mounted.
var spaceCalls = []uintptr{
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_SETNS, unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
}

// neighbourCalls reach into another process.
var neighbourCalls = []uintptr{
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP, unix.SYS_PROCESS_MADVISE,
}

// profileRules are what a profile says, by system call.
func profileRules(profile SeccompProfile, pidns bool) map[uintptr]verdict {
	out := map[uintptr]verdict{unix.SYS_IOCTL: ifTypeAs}
	for _, nr := range machineCalls {
		out[nr] = refuse
	}
	for _, nr := range archCalls {
		out[nr] = refuse
	}
	if profile == SeccompContainers {
		for _, nr := range []uintptr{unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_KEYCTL} {
			delete(out, nr)
		}
	} else {
		for _, nr := range spaceCalls {
			out[nr] = refuse
		}
		out[unix.SYS_CLONE], out[unix.SYS_UNSHARE] = ifSpaces, ifSpaces
		// Its flags lie in memory, out of a filter's sight; without it the C
		// library takes clone.
		out[unix.SYS_CLONE3] = unknown
	}
	if !pidns {
		for _, nr := range neighbourCalls {
			out[nr] = refuse
		}
	}
	return out
}

// Offsets in struct seccomp_data.
const (
	dataNr   = 0
	dataArch = 4
	dataArg0 = 16 // the low word: this runs on little-endian machines
	dataArg1 = 24
)

// instruction is one of a classic BPF program, its jumps by label.
type instruction struct {
	code   uint16
	k      uint32
	jt, jf string // "" is the next one
	label  string
}

// filterCode is the program for some rules: a binary search for the number of
// the system call, since the kernel asks it of each call, and of all calls
// there are when it is installed.
func filterCode(rules map[uintptr]verdict) []instruction {
	const (
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		eq   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ge   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		set  = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K
	)
	names := [verdictEnd]string{refuse: "refuse", unknown: "unknown", ifSpaces: "spaces", ifTypeAs: "type"}
	out := []instruction{
		{code: load, k: dataArch},
		{code: eq, k: auditArch, jf: "refuse"}, // another processor's calls have other numbers
		{code: load, k: dataNr},
	}
	if foreignABI != 0 {
		out = append(out, instruction{code: ge, k: foreignABI, jt: "unknown"})
	}
	var numbers []uintptr
	for nr := range rules {
		numbers = append(numbers, nr)
	}
	slices.Sort(numbers)
	var search func(list []uintptr, label string)
	search = func(list []uintptr, label string) {
		if len(list) <= 3 {
			for i, nr := range list {
				in := instruction{code: eq, k: uint32(nr), jt: names[rules[nr]], label: label}
				if label = ""; i == len(list)-1 {
					in.jf = "allow"
				}
				out = append(out, in)
			}
			return
		}
		half := len(list) / 2
		upper := "upper" + label + string(rune('a'+len(out)%26)) + string(rune('a'+len(out)/26))
		out = append(out, instruction{code: ge, k: uint32(list[half]), jt: upper, label: label})
		search(list[:half], "")
		search(list[half:], upper)
	}
	search(numbers, "")
	return append(out,
		instruction{code: load, k: dataArg0, label: "spaces"},
		instruction{code: set, k: namespaceFlags, jt: "refuse", jf: "allow"},
		instruction{code: load, k: dataArg1, label: "type"},
		instruction{code: eq, k: unix.TIOCSTI, jt: "refuse", jf: "allow"},
		instruction{code: ret, k: unix.SECCOMP_RET_ALLOW, label: "allow"},
		instruction{code: ret, k: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), label: "refuse"},
		instruction{code: ret, k: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS), label: "unknown"})
}

// assemble resolves the jumps of a program into the kernel's form.
func assemble(code []instruction) ([]byte, error) {
	at := map[string]int{}
	for i, in := range code {
		if in.label != "" {
			at[in.label] = i
		}
	}
	var out []byte
	for i, in := range code {
		var jumps [2]byte
		for k, to := range [2]string{in.jt, in.jf} {
			if to == "" {
				continue
			}
			there, ok := at[to]
			if d := there - i - 1; !ok || d < 0 || d > 255 {
				return nil, errors.New("a jump of the filter cannot be made")
			} else {
				jumps[k] = byte(d)
			}
		}
		out = binary.NativeEndian.AppendUint16(out, in.code)
		out = append(out, jumps[0], jumps[1])
		out = binary.NativeEndian.AppendUint32(out, in.k)
	}
	return out, nil
}

// filters keeps the programs, which are few and the same for every slice.
var filters sync.Map // of profile and pidns, to []byte

func (p *program) filter(profile SeccompProfile, pidns bool) (uintptr, error) {
	type key struct {
		profile SeccompProfile
		pidns   bool
	}
	if auditArch == 0 {
		return 0, errors.New("there is no profile for this processor")
	}
	code, ok := filters.Load(key{profile, pidns})
	if !ok {
		made, err := assemble(filterCode(profileRules(profile, pidns)))
		if err != nil {
			return 0, err
		}
		code, _ = filters.LoadOrStore(key{profile, pidns}, made)
	}
	body := code.([]byte)
	prog := &unix.SockFprog{Len: uint16(len(body) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&body[0]))}
	p.keep = append(p.keep, prog)
	return uintptr(unsafe.Pointer(prog)), nil
}
