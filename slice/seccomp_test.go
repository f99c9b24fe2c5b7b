package slice

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// answer runs a filter over one system call, as the kernel does.
func answer(t *testing.T, code []byte, arch, nr uint32, args ...uint32) uint32 {
	t.Helper()
	data := make([]byte, 64)
	binary.NativeEndian.PutUint32(data, nr)
	binary.NativeEndian.PutUint32(data[4:], arch)
	for i, a := range args {
		binary.NativeEndian.PutUint32(data[16+8*i:], a)
	}
	var acc uint32
	for pc := 0; pc < len(code)/8; pc++ {
		in := code[8*pc:]
		op, jt, jf, k := binary.NativeEndian.Uint16(in), int(in[2]), int(in[3]), binary.NativeEndian.Uint32(in[4:])
		taken := false
		switch op {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = binary.NativeEndian.Uint32(data[k:])
			continue
		case unix.BPF_RET | unix.BPF_K:
			return k
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			taken = acc == k
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			taken = acc >= k
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			taken = acc&k != 0
		default:
			t.Fatalf("instruction %#x", op)
		}
		if pc += jf; taken {
			pc += jt - jf
		}
	}
	t.Fatal("the program runs off its end")
	return 0
}

// For every number there is, the search answers what the rules say.
func TestFilterSaysWhatTheRulesSay(t *testing.T) {
	const allow, eperm, enosys = unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM), unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	for _, profile := range []SeccompProfile{SeccompDefault, SeccompContainers} {
		for _, pidns := range []bool{false, true} {
			rules := profileRules(profile, pidns)
			code, err := assemble(filterCode(rules))
			if err != nil {
				t.Fatal(err)
			}
			for nr := range uint32(700) {
				want := uint32(allow)
				if v, named := rules[uintptr(nr)]; named {
					switch v {
					case refuse:
						want = eperm
					case unknown:
						want = enosys
					}
				}
				if got := answer(t, code, auditArch, nr); got != want {
					t.Errorf("%s, pid namespace %v, call %d: %#x, want %#x", profile, pidns, nr, got, want)
				}
			}
			if got := answer(t, code, unix.AUDIT_ARCH_I386, unix.SYS_GETPID); got != eperm {
				t.Errorf("another processor's call: %#x", got)
			}
			if got := answer(t, code, auditArch, unix.SYS_IOCTL, 0, unix.TIOCSTI); got != eperm {
				t.Errorf("typing: %#x", got)
			}
			spaces := uint32(eperm)
			if profile == SeccompContainers {
				spaces = allow
			}
			for _, nr := range []uint32{unix.SYS_CLONE, unix.SYS_UNSHARE} {
				if got := answer(t, code, auditArch, nr, unix.CLONE_NEWUSER|uint32(unix.SIGCHLD)); got != spaces {
					t.Errorf("%s: a namespace by call %d: %#x, want %#x", profile, nr, got, spaces)
				}
				if got := answer(t, code, auditArch, nr, unix.CLONE_VM|unix.CLONE_THREAD|unix.CLONE_FILES); got != allow {
					t.Errorf("a thread by call %d: %#x", nr, got)
				}
			}
			trace := uint32(eperm)
			if pidns {
				trace = allow
			}
			if got := answer(t, code, auditArch, unix.SYS_PTRACE); got != trace {
				t.Errorf("ptrace with pid namespace %v: %#x", pidns, got)
			}
		}
	}
}
