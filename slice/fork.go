package slice

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What runs between the making of a process and its exec.
//
// The first process of a slice executes nothing. It shares the memory of the
// launcher, on a stack of its own; it carries out its program, makes the
// tasks, and then waits for them and for the launcher's word. A task shares
// that memory too until it executes the user's program, while the first
// process stands still, as after vfork. Nothing is copied, so a start costs
// little more than the kernel's share of it, and a slice that runs costs the
// launcher two pages. DESIGN.md has the numbers and what was weighed.
//
// The price is that these functions are not ordinary Go. They run beside the
// launcher's threads but are not one of them: the scheduler, the collector
// and the stack checks do not know of them. So each is nosplit (its stack is
// not the runtime's), norace, and makes raw system calls only; nothing is
// allocated, no pointer is written to memory, no lock is taken, and nothing
// is written that the launcher reads or writes as well. What they need lies
// in the program, which the launcher keeps for as long as the process lives.

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

// What a new process is to be, beside the number of a task.
const (
	roleFirst  = -1
	roleOpener = -2
)

// fork makes the first process of a slice. The caller holds
// syscall.ForkLock.
//
//go:norace
//go:nosplit
func (p *program) fork() (int, syscall.Errno) {
	beforeFork() // blocks all signals, for the child too
	sp := p.stackFor(stackSize, roleFirst)
	p.cl = cloneArgs{flags: uint64(p.cloneFlags) | unix.CLONE_CLEAR_SIGHAND, exitSignal: uint64(unix.SIGCHLD),
		stack: uint64(sp - stackRoom), stackSize: stackRoom}
	p.cleared = true
	pid, e := errno(spawn(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&p.cl)), unsafe.Sizeof(p.cl)))
	if e == unix.ENOSYS || e == unix.E2BIG || e == unix.EINVAL || e == unix.EPERM {
		p.cleared = false // kernels before 5.5, and filters of calls
		pid, e = errno(spawn(unix.SYS_CLONE, p.cloneFlags|uintptr(unix.SIGCHLD), sp))
	}
	afterFork()
	return pid, e
}

//go:norace
//go:nosplit
func errno(r uintptr) (int, syscall.Errno) {
	if r > ^uintptr(4095) {
		return -1, syscall.Errno(-r)
	}
	return int(r), 0
}

// stackFor lays out the arguments of child at the top of a stack, which lies
// below end in the mapping, and returns the stack pointer.
//
//go:norace
//go:nosplit
func (p *program) stackFor(end, role int) uintptr {
	sp := &p.stacks[end-stackRoom]
	args := (*[2]uintptr)(unsafe.Pointer(&p.stacks[end-stackRoom+argOffset]))
	args[0] = uintptr(unsafe.Pointer(p))
	args[1] = uintptr(role)
	return uintptr(unsafe.Pointer(sp))
}

// child is the whole life of a new process. It does not return.
//
//go:norace
//go:nosplit
func child(p *program, role int) {
	switch role {
	case roleFirst:
		p.first()
	case roleOpener:
		p.run(p.opener, -1)
		exit(0)
	default:
		if !p.intoCgroup {
			p.run(p.joinV2, int32(role))
		}
		p.run(p.tasks[role], int32(role))
	}
	exit(127)
}

//go:norace
//go:noinline
//go:nosplit
func (p *program) first() {
	for i := range p.gaps {
		closeGap(p.gaps[i].first, p.gaps[i].last)
	}
	if p.waitGo {
		n, e := sys(unix.SYS_READ, uintptr(p.ctl), uintptr(unsafe.Pointer(&p.buf[0])), 1, 0, 0, 0)
		if e != 0 || n != 1 {
			exit(1)
		}
	}
	p.run(p.setup, -1)
	if len(p.opener) > 0 {
		p.openShared()
	}
	p.run(p.inside, -1)
	for i := range p.tasks {
		pid, e := p.forkTask(i)
		if e != 0 {
			p.tell(recFailed, int32(i), -1, e)
			p.killBelow()
			exit(1)
		}
		p.pids[i] = int32(pid)
		p.rec = record{kind: recTask, task: int32(i), pid: int32(pid)}
		if i == len(p.tasks)-1 {
			p.rec.kind = recStarted
		}
		p.send(&p.rec)
	}
	p.keepSocket()
	p.watch()
}

// keepSocket closes all that is open but the socket, once the tasks have theirs.
//
//go:norace
//go:noinline
//go:nosplit
func (p *program) keepSocket() {
	ctl := uintptr(p.ctl)
	if ctl > 0 {
		if _, e := sys(unix.SYS_CLOSE_RANGE, 0, ctl-1, 0, 0, 0, 0); e != 0 {
			p.run(p.after, -1)
			return
		}
	}
	sys(unix.SYS_CLOSE_RANGE, ctl+1, 1<<31-1, 0, 0, 0, 0)
}

//go:norace
//go:noinline
//go:nosplit
func sys(nr, a, b, c, d, e, f uintptr) (uintptr, syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(nr, a, b, c, d, e, f)
	return r, errno
}

//go:norace
//go:nosplit
func exit(code uintptr) {
	for {
		syscall.RawSyscall6(unix.SYS_EXIT_GROUP, code, 0, 0, 0, 0, 0)
	}
}

//go:norace
//go:nosplit
func closeGap(first, last uintptr) {
	if _, e := sys(unix.SYS_CLOSE_RANGE, first, last, 0, 0, 0, 0); e == 0 {
		return
	}
	// Kernels before 5.9 close one by one.
	if last > 1<<16 {
		last = 1 << 16
	}
	for fd := first; fd <= last; fd++ {
		sys(unix.SYS_CLOSE, fd, 0, 0, 0, 0, 0)
	}
}

// run carries out ops in order. A failure that the op does not excuse is
// reported and ends the process.
//
//go:norace
//go:noinline
//go:nosplit
func (p *program) run(ops []op, task int32) {
	var kept uintptr
	var noted, execErr syscall.Errno
	for i := 0; i < len(ops); i++ {
		o := &ops[i]
		switch o.nr {
		case nrNote:
			if noted != 0 {
				p.note(o, noted)
			}
			continue
		case nrExecFail:
			p.tell(recFailed, task, o.label, execErr)
			exit(127)
		case nrPid:
			p.writePid(task)
			continue
		case nrGreet:
			p.greet(o.a[0], o.a[1])
			continue
		case nrSignals:
			for sig := uintptr(1); sig <= 64; sig++ {
				if !p.cleared || p.ignored>>(sig-1)&1 != 0 {
					sys(unix.SYS_RT_SIGACTION, sig, o.a[0], 0, 8, 0, 0)
				}
			}
			continue
		}
		a := o.a[0]
		if o.flags&opUse != 0 {
			a = kept
		}
		r, e := sys(o.nr, a, o.a[1], o.a[2], o.a[3], o.a[4], o.a[5])
		if e == 0 {
			if o.flags&opKeep != 0 {
				kept = r
			}
			i += int(o.skip)
			continue
		}
		if o.flags&opNoteErr != 0 {
			noted = e
		}
		switch {
		case o.flags&opTryNext != 0 && (e == unix.ENOENT || e == unix.ENOTDIR || e == unix.EACCES):
			// As execvp does: a candidate that may not be executed is the
			// better reason, if none is found after it.
			if e == unix.EACCES && o.flags&opSearched != 0 {
				// Unless it is its directory that may not be looked into.
				if _, there := sys(unix.SYS_FACCESSAT, atFdCwd, o.a[0], unix.F_OK, 0, 0, 0); there != 0 {
					e = unix.ENOENT
				}
			}
			if execErr != unix.EACCES {
				execErr = e
			}
		case o.flags&opWarn != 0:
			p.tell(recWarning, task, o.label, e)
		case o.flags&opOptional == 0:
			p.tell(recFailed, task, o.label, e)
			exit(127)
		}
	}
}

// writePid writes the process's own id into the environment of a task.
//
//go:norace
//go:noinline
//go:nosplit
func (p *program) writePid(task int32) {
	text := p.pidText[task]
	if n := ownPid(text); n > 0 {
		text[n] = 0
	}
}

// ownPid writes the process's own id at the beginning of a text that is longer, and
// returns how long the id is; 0 when the text is not.
//
//go:norace
//go:noinline
//go:nosplit
func ownPid(text []byte) int {
	pid, _ := sys(unix.SYS_GETPID, 0, 0, 0, 0, 0, 0)
	digits := 1
	for rest := pid / 10; rest > 0; rest /= 10 {
		digits++
	}
	if digits >= len(text) {
		return 0
	}
	for i := digits - 1; i >= 0; i-- {
		text[i] = byte('0' + pid%10)
		pid /= 10
	}
	return digits
}

// greet writes a note of a task to a descriptor.
//
//go:norace
//go:noinline
//go:nosplit
func (p *program) greet(at, fd uintptr) {
	n := &p.notes[at]
	room := n.text[n.before:]
	size := ownPid(room[:pidRoom])
	for i := 0; i < n.after; i++ {
		room[size+i] = room[pidRoom+i]
	}
	sys(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(&n.text[0])), uintptr(n.before+size+n.after), 0, 0, 0)
}

// note writes to standard error what was noted, around the kernel's reason.
//
//go:norace
//go:noinline
//go:nosplit
func (p *program) note(o *op, e syscall.Errno) {
	sys(unix.SYS_WRITE, 2, o.a[0], o.a[1], 0, 0, 0)
	if o.a[3] == 0 {
		return // the text has no place for it
	}
	if int(e) > 0 && int(e)+1 < len(p.strat) {
		from, to := p.strat[e], p.strat[e+1]
		if to > from {
			sys(unix.SYS_WRITE, 2, uintptr(unsafe.Pointer(&p.strerr[from])), uintptr(to-from), 0, 0, 0)
		}
	}
	sys(unix.SYS_WRITE, 2, o.a[2], o.a[3], 0, 0, 0)
}

//go:norace
//go:noinline
//go:nosplit
func (p *program) tell(kind, task, label int32, e syscall.Errno) {
	p.rec = record{kind: kind, task: task, label: label, errno: int32(e)}
	p.send(&p.rec)
}

//go:norace
//go:noinline
//go:nosplit
func (p *program) send(rec *record) {
	for {
		_, e := sys(unix.SYS_WRITE, uintptr(p.report), uintptr(unsafe.Pointer(rec)), uintptr(recordSize), 0, 0, 0)
		if e != unix.EINTR {
			return // a launcher that is gone is noticed in watch
		}
	}
}

// openShared opens the files that tasks share. The opener becomes the user in
// a process of its own, which shares this one's descriptor table.
//
//go:norace
//go:noinline
//go:nosplit
func (p *program) openShared() {
	pid, e := errno(spawn(unix.SYS_CLONE, waitsForExec|unix.CLONE_FILES|uintptr(unix.SIGCHLD), p.stackFor(2*stackSize, roleOpener)))
	if e != 0 {
		p.tell(recFailed, -1, -1, e)
		exit(1)
	}
	for {
		_, e := sys(unix.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(&p.status)), 0, 0, 0, 0)
		if e != unix.EINTR {
			break
		}
	}
	if p.status != 0 {
		exit(1) // the opener has said why
	}
}

// forkTask makes the process of a task: straight into its cgroup where the
// kernel can do that.
//
//go:norace
//go:noinline
//go:nosplit
func (p *program) forkTask(i int) (int, syscall.Errno) {
	sp := p.stackFor(2*stackSize, i)
	if p.intoCgroup {
		p.cl = cloneArgs{flags: waitsForExec | unix.CLONE_INTO_CGROUP, exitSignal: uint64(unix.SIGCHLD), cgroup: uint64(p.cgroupFD),
			stack: uint64(sp - stackRoom), stackSize: stackRoom}
		pid, e := errno(spawn(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&p.cl)), unsafe.Sizeof(p.cl)))
		if e != unix.ENOSYS && e != unix.E2BIG && e != unix.EINVAL && e != unix.EPERM {
			return pid, e
		}
		p.intoCgroup = false
	}
	return errno(spawn(unix.SYS_CLONE, waitsForExec|uintptr(unix.SIGCHLD), sp))
}

// watch waits for the tasks and for the launcher's word until no process is
// left. When the launcher dies, or all tasks have ended, what remains of the
// slice is killed; what is spared only when the launcher dies or says so.
//
//go:norace
//go:noinline
//go:nosplit
func (p *program) watch() {
	p.mask = 1 << (uint(unix.SIGCHLD) - 1)
	sigfd, e := sys(unix.SYS_SIGNALFD4, ^uintptr(0), uintptr(unsafe.Pointer(&p.mask)), 8, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK, 0, 0)
	if e != 0 {
		p.tell(recWarning, -1, -1, e)
		p.killBelow()
		exit(1)
	}
	left := len(p.pids)
	dying := false
	for {
		n, none := p.reap()
		left -= n
		if left == 0 && !p.spare {
			dying = true
		}
		if none || dying && left == 0 && p.pidns { // the kernel ends the namespace with its first process
			if p.others.kind != 0 {
				p.send(&p.others)
			}
			exit(0)
		}
		var wait uintptr
		if dying {
			p.killBelow()
			// New children appear as their parents die: look again soon.
			p.wait = unix.Timespec{Nsec: 5_000_000}
			wait = uintptr(unsafe.Pointer(&p.wait))
		}
		p.fds[0] = pollFd{fd: int32(sigfd), events: unix.POLLIN}
		p.fds[1] = pollFd{fd: p.ctl, events: unix.POLLIN}
		if _, e := sys(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p.fds[0])), 2, wait, 0, 8, 0); e != 0 {
			continue
		}
		if p.fds[0].revents != 0 {
			sys(unix.SYS_READ, sigfd, uintptr(unsafe.Pointer(&p.buf[0])), uintptr(len(p.buf)), 0, 0, 0)
		}
		if p.fds[1].revents != 0 && p.heed() {
			dying = true
			p.ctl = -1 // ppoll passes over it
		}
	}
}

// heed acts on one word of the launcher, or on its death. It says whether the
// slice is to end.
//
//go:norace
//go:noinline
//go:nosplit
func (p *program) heed() bool {
	n, e := sys(unix.SYS_READ, uintptr(p.ctl), uintptr(unsafe.Pointer(&p.msg)), unsafe.Sizeof(p.msg), 0, 0, 0)
	if e == unix.EINTR || e == unix.EAGAIN {
		return false
	}
	if e != 0 || n == 0 {
		return true
	}
	switch p.msg.what {
	case ctlKill:
		return true
	case ctlSpare:
		p.spare = true
	case ctlAll:
		if p.pidns {
			sys(unix.SYS_KILL, ^uintptr(0), uintptr(p.msg.sig), 0, 0, 0, 0)
		}
	case ctlTask, ctlTaskGroup:
		for i := range p.pids {
			if p.pids[i] == 0 || p.msg.task >= 0 && p.msg.task != int32(i) {
				continue
			}
			pid := uintptr(p.pids[i])
			if p.msg.what == ctlTaskGroup {
				pid = -pid
			}
			sys(unix.SYS_KILL, pid, uintptr(p.msg.sig), 0, 0, 0, 0)
		}
	}
	return false
}

// reap collects every process that has ended. It returns how many of them
// were tasks and whether there is no child any more.
//
//go:norace
//go:noinline
//go:nosplit
func (p *program) reap() (tasks int, none bool) {
	for {
		r, e := sys(unix.SYS_WAIT4, ^uintptr(0), uintptr(unsafe.Pointer(&p.status)), unix.WNOHANG, uintptr(unsafe.Pointer(&p.ru)), 0, 0)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return tasks, true
		}
		if r == 0 {
			return tasks, false
		}
		rec := &p.rec
		*rec = record{
			kind: recOthers, pid: int32(r), status: p.status,
			utime: int64(p.ru.Utime.Sec)*1e6 + int64(p.ru.Utime.Usec), stime: int64(p.ru.Stime.Sec)*1e6 + int64(p.ru.Stime.Usec),
			maxrss: int64(p.ru.Maxrss), majflt: int64(p.ru.Majflt), inblk: int64(p.ru.Inblock), outblk: int64(p.ru.Oublock),
		}
		for i := range p.pids {
			if p.pids[i] == int32(r) {
				p.pids[i] = 0
				rec.kind = recExit
				rec.task = int32(i)
				tasks++
				break
			}
		}
		if rec.kind == recExit {
			p.send(rec)
			continue
		}
		p.others.kind = recOthers
		p.others.utime += rec.utime
		p.others.stime += rec.stime
		p.others.majflt += rec.majflt
		p.others.inblk += rec.inblk
		p.others.outblk += rec.outblk
		if p.others.maxrss < rec.maxrss {
			p.others.maxrss = rec.maxrss
		}
	}
}

// killBelow kills all processes of an own pid namespace, or else all
// children; grandchildren become children as their parents die.
//
//go:norace
//go:noinline
//go:nosplit
func (p *program) killBelow() {
	if p.pidns {
		sys(unix.SYS_KILL, ^uintptr(0), uintptr(unix.SIGKILL), 0, 0, 0, 0)
		return
	}
	for i := range p.pids {
		if p.pids[i] != 0 {
			sys(unix.SYS_KILL, -uintptr(p.pids[i]), uintptr(unix.SIGKILL), 0, 0, 0, 0)
			sys(unix.SYS_KILL, uintptr(p.pids[i]), uintptr(unix.SIGKILL), 0, 0, 0, 0)
		}
	}
	fd, e := sys(unix.SYS_OPENAT, atFdCwd, uintptr(unsafe.Pointer(&p.children[0])), unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
	if e != 0 {
		return
	}
	var pid uintptr
	for {
		n, e := sys(unix.SYS_READ, fd, uintptr(unsafe.Pointer(&p.buf[0])), uintptr(len(p.buf)), 0, 0, 0)
		if e != 0 || n == 0 || n > uintptr(len(p.buf)) {
			break
		}
		for _, c := range p.buf[:n] {
			if c >= '0' && c <= '9' {
				pid = pid*10 + uintptr(c-'0')
				continue
			}
			if pid > 1 {
				sys(unix.SYS_KILL, pid, uintptr(unix.SIGKILL), 0, 0, 0, 0)
			}
			pid = 0
		}
	}
	sys(unix.SYS_CLOSE, fd, 0, 0, 0, 0, 0)
}
