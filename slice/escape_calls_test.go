package slice

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// More ways out: calls and files that one kernel or other has had a way in at, or that
// reach what is the machine's.

func init() {
	attempts = append(attempts, refusedCalls()...)
	attempts = append(attempts, refusedFiles()...)
}

// refusedCalls are those that return an error or have done something.
func refusedCalls() []attempt {
	var list []attempt
	call := func(name string, try func(victim int) error) {
		list = append(list, attempt{name, func(victim string) (string, error) {
			pid, err := strconv.Atoi(victim)
			if err != nil {
				return "", err
			}
			return "did", try(pid)
		}})
	}
	now := unix.Timespec{Sec: 1}
	word := [64]byte{}
	iov := unix.Iovec{Base: &word[0]}
	iov.SetLen(len(word))
	room := uintptr(unsafe.Pointer(&iov))
	call("set up io_uring", func(int) error { return raw(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&[120]byte{}))) })
	call("handle page faults", func(int) error { return raw(unix.SYS_USERFAULTFD, 0) })
	call("count events of the machine", func(int) error {
		attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{}))}
		_, err := unix.PerfEventOpen(&attr, 0, -1, -1, 0)
		return err
	})
	call("add a key", func(int) error { return raw(unix.SYS_ADD_KEY, text("user"), text("k"), text("v"), 1, ^uintptr(2)) })
	call("ask for a key", func(int) error { return raw(unix.SYS_REQUEST_KEY, text("user"), text("k"), 0, 0) })
	call("load another kernel", func(int) error { return raw(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0) })
	call("set the clock", func(int) error { return unix.ClockSettime(unix.CLOCK_REALTIME, &now) })
	call("bend the clock", func(int) error {
		_, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_TICK, Tick: 10000})
		return err
	})
	call("restart the machine", func(int) error { return unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) })
	call("read the kernel's log", func(int) error { _, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, word[:]); return err })
	call("name the machine", func(int) error { return unix.Sethostname([]byte("mine")) })
	call("switch on accounting", func(int) error { return unix.Acct("/tmp/acct") })
	call("swap to a file", func(int) error { return raw(unix.SYS_SWAPON, text("/tmp/swap"), 0) })
	call("make a file system", func(int) error { return raw(unix.SYS_FSOPEN, text("tmpfs"), 0) })
	call("take up a tree", func(int) error { return raw(unix.SYS_OPEN_TREE, ^uintptr(99), text("/"), 1) })
	call("change a mount", func(int) error {
		return raw(unix.SYS_MOUNT_SETATTR, ^uintptr(99), text("/"), 0, uintptr(unsafe.Pointer(&[4]uint64{0, 1, 0, 0})), 32)
	})
	call("make a mount namespace", func(int) error { return raw(unix.SYS_UNSHARE, unix.CLONE_NEWNS) })
	call("be cloned into a namespace", func(int) error {
		args := [11]uint64{unix.CLONE_NEWUSER, 0, 0, 0, uint64(unix.SIGCHLD)}
		pid, _, e := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), 64, 0)
		if e != 0 {
			return e
		}
		if pid == 0 {
			unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
		}
		return nil
	})
	call("hold another job by a descriptor", func(victim int) error { _, err := unix.PidfdOpen(victim, 0); return err })
	call("read another job's memory", func(victim int) error {
		return raw(unix.SYS_PROCESS_VM_READV, uintptr(victim), room, 1, room, 1, 0)
	})
	call("bind another job to a processor", func(victim int) error { return unix.SchedSetaffinity(victim, &unix.CPUSet{1}) })
	call("limit another job", func(victim int) error {
		return unix.Prlimit(victim, unix.RLIMIT_CPU, &unix.Rlimit{Cur: 1, Max: 1}, nil)
	})
	call("run before all others", func(int) error {
		return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 50}, 0)
	})
	call("be first at the disk", func(int) error { return raw(unix.SYS_IOPRIO_SET, 1, 0, 1<<13) })
	call("raise a limit", func(int) error {
		var old unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			return err
		}
		return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: old.Cur, Max: old.Max + 1})
	})
	call("get capabilities back", func(int) error {
		return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_SYS_ADMIN, 0, 0)
	})
	call("watch all of a file system", func(int) error { _, err := unix.FanotifyInit(0, 0); return err })
	call("open a raw socket", func(int) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
		unix.Close(fd)
		return err
	})
	call("listen to the network's packets", func(int) error { fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); unix.Close(fd); return err })
	call("find another job's queue", func(int) error { return raw(unix.SYS_MSGGET, victimKey, 0) })
	return list
}

// refusedFiles are those that may not be opened for writing, or not at all.
func refusedFiles() []attempt {
	var list []attempt
	file := func(flags int, paths ...string) {
		how := "write to "
		if flags == unix.O_RDONLY {
			how = "read "
		}
		list = append(list, attempt{how + paths[0], func(string) (string, error) {
			for _, p := range paths {
				if at, err := each(p, func(p string) error {
					if strings.HasSuffix(p, "/ns_last_pid") { // everybody may open it, and nobody write
						return unix.EPERM
					}
					return open(p, flags)
				}); err == nil {
					return at, nil
				}
			}
			return "", unix.EACCES
		}})
	}
	file(unix.O_WRONLY, "/proc/sysrq-trigger")
	file(unix.O_WRONLY, "/proc/sys/kernel/*", "/proc/sys/vm/*", "/proc/sys/net/*/*", "/proc/sys/fs/*")
	file(unix.O_WRONLY, "/sys/kernel/*", "/sys/power/*", "/sys/module/*/parameters/*", "/sys/devices/system/cpu/*/*", "/sys/class/*/*/*")
	file(unix.O_WRONLY, "/sys/fs/cgroup/*", "/sys/fs/cgroup/*/release_agent", "/sys/fs/cgroup/*/notify_on_release", "/sys/fs/cgroup/*/*/devices.allow", "/sys/fs/cgroup/*/rink/*/*")
	file(unix.O_RDONLY, "/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port")
	file(unix.O_RDONLY, "/dev/kmsg", "/proc/kmsg")
	file(unix.O_RDONLY, "/etc/shadow", "/etc/gshadow")
	file(unix.O_WRONLY, "/etc/passwd", "/bin/sh", "/usr/bin/env")
	list = append(list, attempt{"ask for more by its own cgroup", func(string) (string, error) {
		own, err := os.ReadFile("/proc/self/cgroup")
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(own)) {
			_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
			names, path, _ := strings.Cut(rest, ":")
			for _, root := range []string{"/sys/fs/cgroup/" + names, "/sys/fs/cgroup"} {
				if at, err := each(root+path+"/*", func(p string) error { return open(p, unix.O_WRONLY) }); err == nil {
					return at, nil
				}
			}
		}
		return "", unix.EACCES
	}})
	list = append(list, attempt{"speak to the machine's daemons", func(string) (string, error) {
		for _, p := range []string{"/run/systemd/private", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket"} {
			if c, err := net.Dial("unix", p); err == nil {
				c.Close()
				if p == "/run/dbus/system_bus_socket" {
					continue // everybody may
				}
				return p, nil
			}
		}
		return "", errors.New("there is none")
	}})
	return list
}
