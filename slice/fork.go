package slice

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What runs between the fork and the exec.
//
// The first process of a slice is a fork of the launcher that executes
// nothing: it carries out its program, forks the tasks, and then waits for
// them and for the launcher's word. Compared with executing this binary a
// second time that is a tenth of the time and a hundredth of the memory for
// each slice (DESIGN.md has the numbers).
//
// The price is that the Go runtime is not there in the child: only the one
// thread that forked was copied, and locks may be held by threads that were
// not. So every function below is nosplit (it may not grow the stack), norace
// and calls only raw system calls; nothing is allocated and no pointer is
// written to memory (no write barrier). What they need lies in the program.

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()

//go:linkname afterForkInChild syscall.runtime_AfterForkInChild
func afterForkInChild()

// fork makes the first process of a slice. The caller holds
// syscall.ForkLock for writing.
//
//go:norace
//go:nosplit
func (p *program) fork() (int, syscall.Errno) {
	beforeFork()
	pid, _, e := syscall.RawSyscall6(unix.SYS_CLONE, p.cloneFlags|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e != 0 || pid != 0 {
		afterFork()
		return int(pid), e
	}
	afterForkInChild()
	p.first()
	return 0, 0 // never
}

// first is the whole life of a slice's first process.
//
//go:norace
//go:nosplit
func (p *program) first() {
	p.mask = ^uint64(0)
	sys(unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, p.at(unsafe.Pointer(&p.mask)), 0, 8, 0, 0)
	for i := range p.gaps {
		p.closeGap(p.gaps[i].first, p.gaps[i].last)
	}
	if p.waitGo {
		n, e := sys(unix.SYS_READ, uintptr(p.ctl), p.at(unsafe.Pointer(&p.buf[0])), 1, 0, 0, 0)
		if e != 0 || n != 1 {
			exit(1)
		}
	}
	p.run(p.setup, p.report, -1)
	if len(p.opener) > 0 {
		p.openShared()
	}
	for i := range p.tasks {
		pid, e := p.forkTask()
		if e != 0 {
			p.fail(p.report, recFailed, int32(i), -1, e)
			p.die()
		}
		if pid == 0 {
			p.task(int32(i))
		}
		p.pids[i] = int32(pid)
		p.rec = record{kind: recTask, task: int32(i), pid: int32(pid)}
		p.send(p.report)
	}
	p.run(p.after, p.report, -1)
	p.rec = record{kind: recStarted, task: -1}
	p.send(p.report)
	p.watch()
}

//go:norace
//go:nosplit
func (p *program) at(ptr unsafe.Pointer) uintptr { return uintptr(ptr) }

//go:norace
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
func (p *program) closeGap(first, last uintptr) {
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
//go:nosplit
func (p *program) run(ops []op, to, task int32) {
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
			p.fail(to, recFailed, task, o.label, execErr)
			exit(127)
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
			if execErr != unix.EACCES {
				execErr = e
			}
		case o.flags&opWarn != 0:
			p.fail(to, recWarning, task, o.label, e)
		case o.flags&opOptional == 0:
			p.fail(to, recFailed, task, o.label, e)
			exit(127)
		}
	}
}

//go:norace
//go:nosplit
func (p *program) note(o *op, e syscall.Errno) {
	sys(unix.SYS_WRITE, 2, o.a[0], o.a[1], 0, 0, 0)
	if o.a[3] != 0 { // the text has a place for the reason
		if int(e) > 0 && int(e)+1 < len(p.strat) {
			from, to := p.strat[e], p.strat[e+1]
			if to > from {
				sys(unix.SYS_WRITE, 2, uintptr(unsafe.Pointer(&p.strerr[from])), uintptr(to-from), 0, 0, 0)
			}
		}
		sys(unix.SYS_WRITE, 2, o.a[2], o.a[3], 0, 0, 0)
	}
}

//go:norace
//go:nosplit
func (p *program) fail(to, kind, task, label int32, e syscall.Errno) {
	p.rec = record{kind: kind, task: task, label: label, errno: int32(e)}
	p.send(to)
}

//go:norace
//go:nosplit
func (p *program) send(to int32) {
	for {
		_, e := sys(unix.SYS_WRITE, uintptr(to), p.at(unsafe.Pointer(&p.rec)), uintptr(recordSize), 0, 0, 0)
		if e != unix.EINTR {
			return // a launcher that is gone is noticed on ctl
		}
	}
}

// openShared opens the files that tasks share. The opener becomes the user in
// a process of its own, which shares this one's descriptor table.
//
//go:norace
//go:nosplit
func (p *program) openShared() {
	pid, e := sys(unix.SYS_CLONE, uintptr(unix.SIGCHLD)|unix.CLONE_FILES, 0, 0, 0, 0, 0)
	if e != 0 {
		p.fail(p.report, recFailed, -1, -1, e)
		exit(1)
	}
	if pid == 0 {
		p.run(p.opener, p.start, -1)
		exit(0)
	}
	status := uintptr(unsafe.Pointer(&p.buf[0]))
	for {
		_, e = sys(unix.SYS_WAIT4, pid, status, 0, 0, 0, 0)
		if e != unix.EINTR {
			break
		}
	}
	if e != 0 || *(*uint32)(unsafe.Pointer(&p.buf[0])) != 0 {
		exit(1) // the opener has said why
	}
}

// forkTask makes the process of a task: straight into its cgroup where the
// kernel can do that.
//
//go:norace
//go:nosplit
func (p *program) forkTask() (uintptr, syscall.Errno) {
	if p.taskFlags != 0 {
		p.cl = cloneArgs{flags: p.taskFlags, exitSignal: uint64(unix.SIGCHLD), cgroup: uint64(p.cgroupFD)}
		pid, e := sys(unix.SYS_CLONE3, p.at(unsafe.Pointer(&p.cl)), unsafe.Sizeof(p.cl), 0, 0, 0, 0)
		if e != unix.ENOSYS && e != unix.E2BIG && e != unix.EINVAL && e != unix.EPERM {
			return pid, e
		}
		p.taskFlags = 0
	}
	pid, e := sys(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e == 0 && pid == 0 && len(p.joinV2) > 0 {
		p.run(p.joinV2, p.start, -1)
	}
	return pid, e
}

// task becomes the task.
//
//go:norace
//go:nosplit
func (p *program) task(i int32) {
	p.run(p.tasks[i], p.start, i)
	exit(127)
}

// die ends a slice that could not be started whole.
//
//go:norace
//go:nosplit
func (p *program) die() {
	p.killBelow()
	exit(1)
}

// watch waits for the tasks and for the launcher's word until no process is
// left. When the launcher dies, or all tasks have ended, what remains of the
// slice is killed.
//
//go:norace
//go:nosplit
func (p *program) watch() {
	p.mask = 1 << (uint(unix.SIGCHLD) - 1)
	sigfd, e := sys(unix.SYS_SIGNALFD4, ^uintptr(0), p.at(unsafe.Pointer(&p.mask)), 8, unix.SFD_CLOEXEC|unix.SFD_NONBLOCK, 0, 0)
	if e != 0 {
		p.fail(p.report, recWarning, -1, -1, e)
		p.die()
	}
	left := len(p.pids)
	dying := false
	for {
		n, none := p.reap()
		left -= n
		if none {
			p.end()
		}
		if left == 0 {
			if p.pidns {
				p.end() // and the kernel ends the namespace
			}
			dying = true
		}
		var wait uintptr
		if dying {
			p.killBelow()
			// New children appear as their parents die: look again soon.
			p.wait = unix.Timespec{Nsec: 5_000_000}
			wait = p.at(unsafe.Pointer(&p.wait))
		}
		p.fds[0] = pollFd{fd: int32(sigfd), events: unix.POLLIN}
		p.fds[1] = pollFd{fd: p.ctl, events: unix.POLLIN}
		if _, e := sys(unix.SYS_PPOLL, p.at(unsafe.Pointer(&p.fds[0])), 2, wait, 0, 8, 0); e != 0 {
			continue
		}
		if p.fds[0].revents != 0 {
			sys(unix.SYS_READ, sigfd, p.at(unsafe.Pointer(&p.buf[0])), uintptr(len(p.buf)), 0, 0, 0)
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
//go:nosplit
func (p *program) heed() bool {
	n, e := sys(unix.SYS_READ, uintptr(p.ctl), p.at(unsafe.Pointer(&p.msg)), unsafe.Sizeof(p.msg), 0, 0, 0)
	if e == unix.EINTR || e == unix.EAGAIN {
		return false
	}
	if e != 0 || n == 0 {
		return true
	}
	switch p.msg.what {
	case ctlKill:
		return true
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
//go:nosplit
func (p *program) reap() (tasks int, none bool) {
	for {
		status := uintptr(unsafe.Pointer(&p.buf[0]))
		r, e := sys(unix.SYS_WAIT4, ^uintptr(0), status, unix.WNOHANG, p.at(unsafe.Pointer(&p.ru)), 0, 0)
		if e == unix.EINTR {
			continue
		}
		if e != 0 {
			return tasks, true
		}
		if r == 0 {
			return tasks, false
		}
		p.rec = record{
			kind: recOthers, task: -1, pid: int32(r), status: *(*uint32)(unsafe.Pointer(&p.buf[0])),
			utime: int64(p.ru.Utime.Sec)*1e6 + int64(p.ru.Utime.Usec), stime: int64(p.ru.Stime.Sec)*1e6 + int64(p.ru.Stime.Usec),
			maxrss: int64(p.ru.Maxrss), majflt: int64(p.ru.Majflt), inblk: int64(p.ru.Inblock), outblk: int64(p.ru.Oublock),
		}
		for i := range p.pids {
			if p.pids[i] == int32(r) {
				p.pids[i] = 0
				p.rec.kind = recExit
				p.rec.task = int32(i)
				tasks++
				break
			}
		}
		if p.rec.kind == recExit {
			p.send(p.report)
			continue
		}
		p.others.utime += p.rec.utime
		p.others.stime += p.rec.stime
		p.others.majflt += p.rec.majflt
		p.others.inblk += p.rec.inblk
		p.others.outblk += p.rec.outblk
		if p.others.maxrss < p.rec.maxrss {
			p.others.maxrss = p.rec.maxrss
		}
	}
}

// end reports what the processes used that were not tasks, and is gone.
//
//go:norace
//go:nosplit
func (p *program) end() {
	p.rec = p.others
	p.rec.kind = recOthers
	p.rec.task = -1
	p.send(p.report)
	exit(0)
}

// killBelow kills all processes of an own pid namespace, or else all
// children; grandchildren become children as their parents die.
//
//go:norace
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
	fd, e := sys(unix.SYS_OPENAT, atFdCwd, uintptr(unsafe.Pointer(&p.childrn[0])), unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
	if e != 0 {
		return
	}
	var pid uintptr
	for {
		n, e := sys(unix.SYS_READ, fd, p.at(unsafe.Pointer(&p.buf[0])), uintptr(len(p.buf)), 0, 0, 0)
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
