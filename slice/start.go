package slice

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Start starts a slice and returns once every task has executed its program
// or has failed to. The error wraps ErrInvalid when the specification can
// never work, and a *StartError when this machine would not have it; a task
// that failed to start beside others that did is found in Exit instead, and
// so is nothing here if at least one of several tasks runs. Nothing is left
// of a slice that did not start.
//
// Cancelling ctx before Start returns abandons the start. It has no meaning
// for the slice afterwards.
func (h *Host) Start(ctx context.Context, spec *Spec) (*Slice, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	b := &builder{host: h, spec: spec, root: os.Geteuid() == 0, p: &program{}}
	defer b.close()
	s, err := b.start(ctx)
	if err != nil {
		b.abandon()
		return nil, err
	}
	return s, nil
}

// builder holds what is open while a slice is being started.
type builder struct {
	host *Host
	spec *Spec
	root bool
	p    *program
	g    *group

	child []*os.File // ends that only the slice needs, closed here after the fork
	ends  []taskEnds // ends that stay with the Slice
	ctl   *os.File   // the socket to the first process and its tasks

	users  *os.File // the user namespace that tasks enter; nil for none
	enter  []op     // the namespaces of Spec.Join
	net    netSpace // none: born into one, or the machine's
	pid    int
	shared map[string]int32 // descriptor that an output file of several tasks will have

	noteFD   uintptr // the first task's standard error, if it is a pipe
	socketFD uintptr // the socket of the task whose program is being worked out
}

// taskEnds are the launcher's ends of one task's streams.
type taskEnds struct{ stdin, stdout, stderr, pty, socket *os.File }

func (e *taskEnds) close() {
	for _, f := range []**os.File{&e.stdin, &e.stdout, &e.stderr, &e.pty, &e.socket} {
		if *f != nil {
			(*f).Close()
			*f = nil
		}
	}
}

// close closes what the slice alone needs.
func (b *builder) close() {
	for _, f := range b.child {
		f.Close()
	}
	b.child = nil
}

// abandon undoes a start that failed.
func (b *builder) abandon() {
	if b.ctl != nil {
		b.ctl.Close() // and the first process kills what it has started
	}
	if b.pid > 0 { // the process runs in b.p until it is buried
		stop := time.AfterFunc(2*time.Second, func() { unix.Kill(b.pid, syscall.SIGKILL) })
		b.host.bury(b.pid)
		stop.Stop()
	}
	b.p.free()
	b.close()
	b.host.nets.free(b.net.slot)
	for i := range b.ends {
		b.ends[i].close()
	}
	if b.g != nil {
		b.g.kill(time.Now().Add(2 * time.Second))
		b.g.remove()
	}
}

func waitFor(pid int) (status syscall.WaitStatus, ru syscall.Rusage) {
	for {
		_, err := syscall.Wait4(pid, &status, 0, &ru)
		if err != syscall.EINTR {
			return status, ru
		}
	}
}

func (b *builder) start(ctx context.Context) (*Slice, error) {
	if err := b.identity(); err != nil {
		return nil, err
	}
	if b.spec.Cgroup.On {
		g, err := b.host.makeGroup(b.spec)
		if err != nil {
			return nil, err
		}
		b.g = g
	}
	if err := b.compile(); err != nil {
		return nil, err
	}
	started, before := time.Now(), bootTicks()
	if err := b.forkFirst(); err != nil {
		return nil, err
	}
	ticks := bootTicks()
	if ticks != before { // it started in one of the two
		ticks, _ = StartTicks(b.pid)
	}
	s := &Slice{
		id: b.spec.ID, host: b.host, group: b.g, first: b.pid, pidns: b.p.pidns, ctl: b.ctl, prog: b.p, slot: b.net.slot,
		started: started, ends: b.ends, tasks: make([]taskState, len(b.spec.Tasks)), done: make(chan struct{}),
		taskEnds: make(chan TaskEnd, len(b.spec.Tasks)), firstTicks: ticks,
	}
	if err := b.await(ctx, s); err != nil {
		return nil, err
	}
	s.launcherPeak = ownPeak()
	go s.watch()
	return s, nil
}

// identity refuses a slice for somebody else when the launcher has no
// privilege to become them.
func (b *builder) identity() error {
	if b.root || int(b.spec.UID) == os.Geteuid() && int(b.spec.GID) == os.Getegid() {
		return nil
	}
	return &StartError{Stage: StageIdentity, Task: -1, Errno: syscall.EPERM,
		Detail: fmt.Sprintf("uid %d gid %d asked of a launcher that runs as uid %d gid %d", b.spec.UID, b.spec.GID, os.Geteuid(), os.Getegid())}
}

// forkFirst makes the first process.
func (b *builder) forkFirst() error {
	b.host.firstMu.Lock()
	syscall.ForkLock.Lock()
	pid, e := b.p.fork()
	syscall.ForkLock.Unlock()
	if e == 0 {
		b.host.firsts[pid] = true
	}
	b.host.firstMu.Unlock()
	runtime.KeepAlive(b.p)
	if e != 0 {
		stage := StageFork
		if b.p.cloneFlags != 0 {
			stage = StageNamespace
		}
		return &StartError{Stage: stage, Task: -1, Errno: e, Detail: cloneNames(b.p.cloneFlags)}
	}
	b.pid = pid
	for _, f := range b.child {
		f.Close()
	}
	b.child = nil
	if b.p.waitGo {
		if err := b.mapIDs(); err != nil {
			return err
		}
		if _, err := b.ctl.Write([]byte{1}); err != nil {
			return &StartError{Stage: StageNamespace, Task: -1, Detail: err.Error()}
		}
	}
	return nil
}

// await reads what the tasks and the first process have to say until all
// tasks have executed, and hands it to s.
func (b *builder) await(ctx context.Context, s *Slice) error {
	stop := context.AfterFunc(ctx, func() {
		unix.Kill(b.pid, syscall.SIGKILL) // its tasks die with it
		// But for one that had not yet asked to be told of its end, which may wait for
		// a file and holds the other end of the socket: bury and the group see to it.
		s.ctl.SetReadDeadline(time.Unix(1, 0))
	})
	failed := 0
	var first *StartError
	for started := false; !started; {
		rec, err := readRecord(s.ctl)
		if err != nil {
			if !stop() {
				return fmt.Errorf("cannot start slice %q: %w", s.id, context.Cause(ctx))
			}
			if first == nil {
				first = &StartError{Stage: StageSetup, Task: -1, Detail: "the slice's first process died"}
			}
			return first
		}
		switch rec.kind {
		case recWarning:
			s.warnings = append(s.warnings, *s.startError(&rec))
		case recFailed:
			se := s.startError(&rec)
			if first == nil {
				first = se
			}
			if rec.task >= 0 {
				s.tasks[rec.task].startError = se
				failed++
			}
		case recTask:
			s.tasks[rec.task].pid = int(rec.pid)
		case recStarted:
			s.tasks[rec.task].pid = int(rec.pid)
			started = true
		}
	}
	if !stop() {
		return fmt.Errorf("cannot start slice %q: %w", s.id, context.Cause(ctx))
	}
	if failed == len(s.tasks) {
		return first
	}
	s.prog.began()
	return nil
}

// readRecord reads what a child has told. That the other end is gone with a
// word of the launcher unread is said once, before the records that are still
// to be read; they are not lost for it.
func readRecord(f *os.File) (record, error) {
	var rec record
	buf := (*[recordSize]byte)(unsafe.Pointer(&rec))[:]
	n, err := f.Read(buf)
	for errors.Is(err, unix.ECONNRESET) {
		n, err = f.Read(buf)
	}
	if err == nil && n != recordSize {
		err = io.ErrUnexpectedEOF
	}
	return rec, err
}

// compile works the specification out into the program.
func (b *builder) compile() error {
	p := b.p
	if err := p.stack(); err != nil {
		return &StartError{Stage: StageSetup, Task: -1, Detail: fmt.Sprintf("cannot map a stack: %v", err)}
	}
	p.strerr, p.strat = errorTexts()
	p.ignored = b.host.ignored
	p.pids = make([]int32, len(b.spec.Tasks))
	p.pidText = make([][]byte, len(b.spec.Tasks))
	p.children = []byte("/proc/thread-self/children\x00")
	p.labels, p.setup = make([]label, 0, 64), make([]op, 0, 32)
	p.gaps = make([]fdGap, 0, 16)
	if err := b.channel(); err != nil {
		return err
	}
	p.cloneFlags = cloneFlags(b.spec.Namespaces, b.root)
	p.waitGo = b.spec.Namespaces.User && !b.root
	if !p.waitGo {
		// Memory belongs to the user namespace it was made in, and with it
		// the say over the process. One born in a new user namespace is a
		// plain fork.
		p.cloneFlags |= sharesMemory
	}
	p.pidns = b.spec.Namespaces.PID
	if b.spec.Namespaces.User && b.root {
		var err error
		if b.users, err = b.host.userSpace(b.spec); err != nil {
			return err
		}
		b.child = append(b.child, b.users)
	}
	if err := b.joinSlice(); err != nil {
		return err
	}
	if b.spec.Namespaces.Net && b.root {
		one, err := b.host.netSpace(b.spec.Network)
		if err != nil {
			return err
		}
		b.net = one
		b.child = append(b.child, one.file)
	}
	b.setupOps()
	if err := b.mountOps(); err != nil {
		return err
	}
	join, err := b.joinOps()
	if err != nil {
		return err
	}
	if err := b.shareOutputs(); err != nil {
		return err
	}
	b.ends = make([]taskEnds, len(b.spec.Tasks))
	for i := range b.spec.Tasks {
		ops, err := b.taskOps(i, join)
		if err != nil {
			return err
		}
		p.tasks = append(p.tasks, ops)
	}
	b.gaps()
	return nil
}

// channel makes the socket between the slice and the launcher. It keeps
// messages apart, and its end is noticed on either side.
func (b *builder) channel() error {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return &StartError{Stage: StageSetup, Task: -1, Detail: fmt.Sprintf("cannot make a socket: %v", err)}
	}
	syscall.SetNonblock(pair[0], true)
	b.ctl = os.NewFile(uintptr(pair[0]), "slice")
	b.child = append(b.child, os.NewFile(uintptr(pair[1]), "slice"))
	b.p.ctl, b.p.report = int32(pair[1]), int32(pair[1])
	return nil
}

// setupOps are what the first process does for itself.
func (b *builder) setupOps() {
	p := b.p
	any := p.label(StageSetup, "", -1)
	add := func(o ...op) { p.setup = append(p.setup, o...) }
	add(call(any, unix.SYS_PRCTL, unix.PR_SET_NAME, p.bytes("rink-slice")).with(opOptional))
	// A signal to the launcher's process group is not for it, and a slice of another
	// user's, were it in the same session, could send it SIGCONT.
	add(call(any, unix.SYS_SETSID))
	add(b.enter...)
	if !b.spec.Namespaces.PID {
		add(call(any, unix.SYS_PRCTL, unix.PR_SET_CHILD_SUBREAPER, 1))
	}
	if b.spec.Hostname != "" {
		add(call(p.label(StageHostname, b.spec.Hostname, -1), unix.SYS_SETHOSTNAME, p.bytes(b.spec.Hostname), uintptr(len(b.spec.Hostname))))
	}
	switch {
	case b.net.file != nil:
		add(call(p.label(StageNamespace, "net", -1), unix.SYS_SETNS, b.net.file.Fd(), unix.CLONE_NEWNET))
	case b.spec.Namespaces.Net:
		add(b.loopbackOps()...)
	}
}

// joinOps are how a task enters its cgroup.
func (b *builder) joinOps() ([]op, error) {
	if b.g == nil {
		return nil, nil
	}
	p := b.p
	zero := p.bytes("0")
	var out []op
	switch b.host.Version {
	case V1:
		files, err := b.g.joinFilesV1()
		if err != nil {
			return nil, cgroupError(b.g.procDir(), err)
		}
		b.child = append(b.child, files...)
		for _, f := range files {
			out = append(out, call(p.label(StageCgroup, f.Name(), -1), unix.SYS_WRITE, f.Fd(), zero, 1))
		}
	case V2:
		dir, err := os.Open(b.g.dir)
		if err != nil {
			return nil, cgroupError(b.g.dir, err)
		}
		b.child = append(b.child, dir)
		procs, err := os.OpenFile(b.g.dir+"/cgroup.procs", os.O_WRONLY, 0)
		if err != nil {
			return nil, cgroupError(b.g.dir, err)
		}
		b.child = append(b.child, procs)
		p.intoCgroup, p.cgroupFD = true, int32(dir.Fd())
		p.joinV2 = []op{call(p.label(StageCgroup, procs.Name(), -1), unix.SYS_WRITE, procs.Fd(), zero, 1)}
	}
	if b.spec.Namespaces.Cgroup {
		out = append(out, call(p.label(StageNamespace, "cgroup", -1), unix.SYS_UNSHARE, unix.CLONE_NEWCGROUP))
	}
	return out, nil
}

// gaps lists the descriptors between those that the slice keeps.
func (b *builder) gaps() {
	keep := []uintptr{0, 1, 2, b.host.null.Fd()}
	for _, f := range b.child {
		keep = append(keep, f.Fd())
	}
	slices.Sort(keep)
	at := uintptr(3)
	for _, fd := range keep {
		if fd > at {
			b.p.gaps = append(b.p.gaps, fdGap{at, fd - 1})
		}
		at = max(at, fd+1)
	}
	b.p.gaps = append(b.p.gaps, fdGap{at, 1<<31 - 1})
	// Once the tasks are there, the first process keeps the socket.
	for _, f := range b.child {
		if fd := f.Fd(); fd != uintptr(b.p.ctl) {
			b.p.after = append(b.p.after, call(-1, unix.SYS_CLOSE, fd).with(opOptional))
		}
	}
}

// startError puts a child's record into words.
func (s *Slice) startError(rec *record) *StartError {
	se := &StartError{Stage: StageSetup, Errno: syscall.Errno(rec.errno), Task: int(rec.task)}
	if rec.label < 0 && rec.kind == recFailed {
		se.Stage = StageFork
	} else if labels := s.prog.labels; rec.label >= 0 && int(rec.label) < len(labels) {
		l := labels[rec.label]
		se.Stage, se.Path = l.stage, l.path
		if se.Task < 0 {
			se.Task = l.task
		}
	}
	return se
}

// groupsWords lists supplementary groups as setgroups takes them.
func groupsWords(groups []uint32) []byte {
	out := make([]byte, 0, 4*len(groups))
	for _, g := range groups {
		out = binary.NativeEndian.AppendUint32(out, g)
	}
	return out
}

// mapIDs gives the user namespace of an unprivileged launcher its ids: its own,
// the same inside and outside.
func (b *builder) mapIDs() error {
	dir := "/proc/" + strconv.Itoa(b.pid) + "/"
	if err := writeValue(dir+"setgroups", "deny"); err != nil && !errors.Is(err, unix.ENOENT) {
		return mapError(dir+"setgroups", err)
	}
	for _, m := range []struct {
		file string
		id   uint32
	}{{"uid_map", b.spec.UID}, {"gid_map", b.spec.GID}} {
		if err := writeValue(dir+m.file, fmt.Sprintf("%d %d 1\n", m.id, m.id)); err != nil {
			return mapError(dir+m.file, err)
		}
	}
	return nil
}

func mapError(path string, err error) error {
	se := &StartError{Stage: StageNamespace, Path: path, Task: -1}
	if !errors.As(err, &se.Errno) {
		se.Detail = err.Error()
	}
	return se
}

// cloneNames names the namespaces of clone flags for an error.
func cloneNames(flags uintptr) string {
	var out []string
	for _, n := range []struct {
		flag uintptr
		name string
	}{{unix.CLONE_NEWPID, "pid"}, {unix.CLONE_NEWNS, "mount"}, {unix.CLONE_NEWUTS, "uts"}, {unix.CLONE_NEWIPC, "ipc"},
		{unix.CLONE_NEWUSER, "user"}, {unix.CLONE_NEWNET, "net"}} {
		if flags&n.flag != 0 {
			out = append(out, n.name)
		}
	}
	return strings.Join(out, ", ")
}
