package slice

import (
	"encoding/binary"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// taskOps are what the process of task i does before it is the user's
// program: enter the cgroup, shed what it has from the launcher, become the
// user, and only then touch directories and files.
func (b *builder) taskOps(i int, join []op) ([]op, error) {
	p, t := b.p, &b.spec.Tasks[i]
	ops := append(make([]op, 0, 48), join...)
	add := func(o ...op) { ops = append(ops, o...) }
	ids := p.label(StageIdentity, "", i)

	// Below the first process's session a group of the task's own is no orphan, so
	// that the signals of a terminal (TSTP) stop it; a pty needs a session to itself.
	if t.hasPTY() {
		add(call(ids, unix.SYS_SETSID))
	} else {
		add(call(ids, unix.SYS_SETPGID, 0, 0))
	}
	add(b.signalOps()...)
	if v := b.spec.OOMScoreAdj; v != nil {
		add(p.writeFile(p.label(StageRlimit, "oom_score_adj", i), "/proc/self/oom_score_adj", strconv.Itoa(*v), 0)...)
	}
	if v := b.spec.Nice; v != nil {
		add(call(p.label(StageRlimit, "nice", i), unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, uintptr(*v)))
	}
	for _, list := range [][]Rlimit{b.spec.Rlimits, t.Rlimits} {
		for _, r := range list {
			add(b.rlimitOp(r, i))
		}
	}
	add(b.fileLimitOps(i)...)
	if t.CPUs != "" {
		mask, err := cpuMask(t.CPUs)
		if err != nil {
			return nil, err
		}
		add(call(p.label(StageAffinity, t.CPUs, i), unix.SYS_SCHED_SETAFFINITY, 0, uintptr(len(mask)), p.raw(mask)))
	}
	if t.MemoryNodes != "" {
		mask, err := cpuMask(t.MemoryNodes)
		if err != nil {
			return nil, err
		}
		mode := uintptr(unix.MPOL_BIND)
		if t.MemoryPrefer {
			mode = unix.MPOL_PREFERRED
		}
		add(call(p.label(StageAffinity, "memory of "+t.MemoryNodes, i), unix.SYS_SET_MEMPOLICY, mode, p.raw(mask), uintptr(len(mask)*8+1)))
	}
	add(call(ids, unix.SYS_UMASK, uintptr(b.spec.Umask)))
	add(b.identityOps(ids, b.boundsOps(i)...)...)
	// The task dies with the slice's first process. Becoming the user has
	// cleared an earlier wish.
	add(call(ids, unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL)))

	add(b.dirOps(i)...)
	streams, err := b.streamOps(i)
	if err != nil {
		return nil, err
	}
	add(streams...)
	socket, err := b.socketOps(i)
	if err != nil {
		return nil, err
	}
	add(socket...)
	for note := range strings.Lines(t.DirNote) {
		if t.FallbackDir == "" {
			break
		}
		before, after, _ := strings.Cut(note, "%s")
		o := op{nr: nrNote}
		o.a[0], o.a[1], o.a[2], o.a[3] = p.bytes(before), uintptr(len(before)), p.bytes(after), uintptr(len(after))
		add(o)
	}
	for line := range strings.Lines(t.Note) {
		before, after, _ := strings.Cut(line, "%d")
		o := op{nr: nrGreet}
		o.a[0], o.a[1] = uintptr(len(p.notes)), 2
		if i > 0 && b.noteFD != 0 && t.Stderr.Kind == StreamPipe {
			o.a[1] = b.noteFD
		}
		p.notes = append(p.notes, note{[]byte(before + strings.Repeat("0", pidRoom) + after), len(before), len(after)})
		add(o)
	}
	confine, err := b.confineOps(i)
	if err != nil {
		return nil, err
	}
	add(confine...)
	return append(ops, b.execOps(i)...), nil
}

// signalOps give the task the signals as a login shell has them: all at their
// default and, with the exec, none blocked.
func (b *builder) signalOps() []op {
	p := b.p
	action := uintptr(unsafe.Pointer(&p.space(64)[0])) // struct sigaction: SIG_DFL, no flags, empty mask
	return []op{{nr: nrSignals, a: [6]uintptr{action}}}
}

func (b *builder) rlimitOp(r Rlimit, task int) op {
	buf := binary.NativeEndian.AppendUint64(nil, r.Soft)
	buf = binary.NativeEndian.AppendUint64(buf, r.Hard)
	o := call(b.p.label(StageRlimit, rlimitName(r.Resource), task), unix.SYS_PRLIMIT64, 0, uintptr(r.Resource), b.p.raw(buf))
	if r.Optional {
		o.flags |= opWarn
	}
	return o
}

// fileLimitOps undo, for a task that has no limit of open files of its own,
// that the Go runtime has raised the launcher's to the most there is. Programs
// that use select do not bear that.
func (b *builder) fileLimitOps(i int) []op {
	for _, list := range [][]Rlimit{b.spec.Rlimits, b.spec.Tasks[i].Rlimits} {
		for _, r := range list {
			if r.Resource == unix.RLIMIT_NOFILE {
				return nil
			}
		}
	}
	var have unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &have) != nil || have.Cur <= usualFiles {
		return nil
	}
	return []op{b.rlimitOp(Rlimit{Resource: unix.RLIMIT_NOFILE, Soft: usualFiles, Hard: have.Max, Optional: true}, i)}
}

// usualFiles is the limit of open files that systems give to begin with.
const usualFiles = 1024

var rlimitNames = map[int]string{unix.RLIMIT_CPU: "CPU", unix.RLIMIT_FSIZE: "FSIZE", unix.RLIMIT_DATA: "DATA", unix.RLIMIT_STACK: "STACK",
	unix.RLIMIT_CORE: "CORE", unix.RLIMIT_RSS: "RSS", unix.RLIMIT_NPROC: "NPROC", unix.RLIMIT_NOFILE: "NOFILE",
	unix.RLIMIT_MEMLOCK: "MEMLOCK", unix.RLIMIT_AS: "AS"}

func rlimitName(n int) string {
	if s, ok := rlimitNames[n]; ok {
		return s
	}
	return strconv.Itoa(n)
}

// identityOps become the user; inner is what is to be done in the user's namespace
// before.
func (b *builder) identityOps(label int32, inner ...op) []op {
	if !b.root {
		return nil // Start has checked that there is nobody to become
	}
	uid, gid := uintptr(b.spec.UID), uintptr(b.spec.GID)
	groups := b.p.raw(groupsWords(b.spec.Groups))
	var enter []op
	if b.users != nil {
		enter = append(enter, call(b.p.label(StageNamespace, "user", -1), unix.SYS_SETNS, b.users.Fd(), unix.CLONE_NEWUSER))
		if in := b.spec.Inside; in != nil {
			uid, gid = uintptr(in.UID), uintptr(in.GID)
		}
	}
	enter = append(append(enter, inner...),
		call(label, unix.SYS_SETGROUPS, uintptr(len(b.spec.Groups)), groups),
		call(label, unix.SYS_SETRESGID, gid, gid, gid),
		call(label, unix.SYS_SETRESUID, uid, uid, uid))
	return append(enter, b.shedOps(label)...)
}

func (b *builder) dirOps(i int) []op {
	p, t := b.p, &b.spec.Tasks[i]
	dir := t.Dir
	if dir == "" {
		dir = "/"
	}
	label := p.label(StageChdir, dir, i)
	if t.FallbackDir == "" {
		return []op{call(label, unix.SYS_CHDIR, p.bytes(dir))}
	}
	first := call(label, unix.SYS_CHDIR, p.bytes(dir)).with(opWarn | opNoteErr)
	first.skip = 1
	return []op{first, call(p.label(StageChdir, t.FallbackDir, i), unix.SYS_CHDIR, p.bytes(t.FallbackDir))}
}

// execOps end the task's preparation. A command without a slash is looked for
// along the task's own PATH.
func (b *builder) execOps(i int) []op {
	p, t := b.p, &b.spec.Tasks[i]
	mask := uintptr(unsafe.Pointer(&p.space(8)[0]))
	out := []op{call(-1, unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, mask, 0, 8)}
	env := t.Env
	if t.SocketEnv != "" {
		env = append(slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return strings.HasPrefix(kv, t.SocketEnv+"=") }),
			t.SocketEnv+"="+strconv.Itoa(int(b.socketFD)))
	}
	var own []uintptr
	if t.PidEnv != "" {
		env = slices.DeleteFunc(slices.Clone(env), func(kv string) bool { return strings.HasPrefix(kv, t.PidEnv+"=") })
		text := p.space(len(t.PidEnv) + 1 + pidRoom)
		copy(text, t.PidEnv+"=")
		p.pidText[i] = text[len(t.PidEnv)+1:]
		own = append(own, uintptr(unsafe.Pointer(&text[0])))
		out = append(out, op{nr: nrPid})
	}
	envp := p.vector(env, own...)
	label := p.label(StageExec, t.Argv[0], i)
	flags := opTryNext
	if !strings.Contains(t.Argv[0], "/") {
		flags |= opSearched
	}
	for _, file := range candidates(t.Argv[0], t.Env) {
		// The program is told where it was found, as Slurm does.
		argv := p.vector(append([]string{file}, t.Argv[1:]...))
		out = append(out, call(label, unix.SYS_EXECVE, p.bytes(file), argv, envp).with(flags))
	}
	return append(out, op{nr: nrExecFail, label: label})
}

func candidates(name string, env []string) []string {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	i := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, "PATH=") })
	if i < 0 {
		return []string{name} // looked for where the task is, as in Slurm
	}
	search := strings.TrimPrefix(env[i], "PATH=")
	var out []string
	for _, dir := range strings.Split(search, ":") {
		if dir == "" {
			dir = "."
		}
		out = append(out, dir+"/"+name)
	}
	return out
}

// hasPTY says whether one of its standard streams is a pseudo terminal.
func (t *Task) hasPTY() bool {
	return t.Stdin.Kind == StreamPTY || t.Stdout.Kind == StreamPTY || t.Stderr.Kind == StreamPTY
}

var streamStages = [3]Stage{StageStdin, StageStdout, StageStderr}

// streamOps connect the three standard streams.
func (b *builder) streamOps(i int) ([]op, error) {
	p, t := b.p, &b.spec.Tasks[i]
	var out []op
	var slave *os.File
	for n, st := range []Stream{t.Stdin, t.Stdout, t.Stderr} {
		label := p.label(streamStages[n], st.Path, i)
		dup := func(fd uintptr) op { return call(label, unix.SYS_DUP3, fd, uintptr(n), 0) }
		switch st.Kind {
		case StreamNull:
			out = append(out, dup(b.host.null.Fd()))
		case StreamStdout:
			out = append(out, dup(1))
		case StreamPipe:
			fd, err := b.pipe(i, n)
			if err != nil {
				return nil, &StartError{Stage: streamStages[n], Task: i, Detail: "cannot make a pipe: " + err.Error()}
			}
			out = append(out, dup(fd))
			if i == 0 && n == 2 {
				b.noteFD = fd
			}
		case StreamPTY:
			if slave == nil {
				var err error
				if slave, err = b.terminal(i); err != nil {
					return nil, err
				}
				out = append(out, call(p.label(StagePTY, slave.Name(), i), unix.SYS_IOCTL, slave.Fd(), unix.TIOCSCTTY, 0))
			}
			out = append(out, dup(slave.Fd()))
		case StreamFile:
			if fd, ok := b.shared[sharedKey(t, n, st)]; ok {
				out = append(out, dup(uintptr(fd)))
				continue
			}
			out = append(out, p.openOp(label, st.Path, openFlags(n, st), openMode(st)), dup(0).with(opUse))
		}
	}
	return out, nil
}

// socketOps make the socket of a task that has one; its end stays open in the
// program.
func (b *builder) socketOps(i int) ([]op, error) {
	if b.spec.Tasks[i].SocketEnv == "" {
		return nil, nil
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, &StartError{Stage: StageSetup, Task: i, Detail: "cannot make a socket: " + err.Error()}
	}
	child := os.NewFile(uintptr(pair[1]), "socket")
	b.child = append(b.child, child)
	b.ends[i].socket = os.NewFile(uintptr(pair[0]), "socket")
	b.socketFD = child.Fd()
	return []op{call(b.p.label(StageSetup, "socket", i), unix.SYS_FCNTL, b.socketFD, unix.F_SETFD, 0)}, nil
}

func openFlags(n int, st Stream) int {
	switch {
	case n == 0:
		return unix.O_RDONLY | unix.O_NOCTTY
	case st.Append:
		return unix.O_WRONLY | unix.O_CREAT | unix.O_APPEND | unix.O_NOCTTY
	}
	// At the end also for one that begins empty: somebody else may add a line.
	return unix.O_WRONLY | unix.O_CREAT | unix.O_TRUNC | unix.O_APPEND | unix.O_NOCTTY
}

func openMode(st Stream) uint32 {
	if st.Mode == 0 {
		return 0o666
	}
	return st.Mode
}

// pipe makes the pipe of stream n of task i and returns the task's end.
func (b *builder) pipe(i, n int) (uintptr, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return 0, err
	}
	ours, theirs := fds[0], fds[1]
	if n == 0 {
		ours, theirs = theirs, ours
	}
	child := os.NewFile(uintptr(theirs), "pipe")
	b.child = append(b.child, child)
	end := []**os.File{&b.ends[i].stdin, &b.ends[i].stdout, &b.ends[i].stderr}[n]
	*end = os.NewFile(uintptr(ours), "pipe")
	return child.Fd(), nil
}

// terminal makes the pseudo terminal of task i, owned by the user, and
// returns the task's side.
func (b *builder) terminal(i int) (*os.File, error) {
	fail := func(path string, err error) error {
		return &StartError{Stage: StagePTY, Path: path, Task: i, Detail: err.Error()}
	}
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fail("/dev/ptmx", err)
	}
	b.ends[i].pty = os.NewFile(uintptr(fd), "/dev/ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, fail("/dev/ptmx", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, fail("/dev/ptmx", err)
	}
	name := path.Join("/dev/pts", strconv.Itoa(n))
	sfd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fail(name, err)
	}
	slave := os.NewFile(uintptr(sfd), name)
	b.child = append(b.child, slave)
	if b.root {
		if err := unix.Fchown(sfd, int(b.spec.UID), -1); err != nil {
			return nil, fail(name, err)
		}
	}
	if w := b.spec.Pty; w.Rows > 0 || w.Cols > 0 {
		if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: w.Rows, Col: w.Cols}); err != nil {
			return nil, fail(name, err)
		}
	}
	return slave, nil
}

// sharedKey names a file by what it will be: the path as the task will see it,
// and whether it is read or written.
func sharedKey(t *Task, n int, st Stream) string {
	if n == 0 {
		return "<" + st.Path
	}
	if path.IsAbs(st.Path) {
		return path.Clean(st.Path)
	}
	return path.Join("/", t.Dir, st.Path)
}

// shareOutputs finds the output files that more than one stream of the slice
// writes, and has each opened once: each task opening it for itself would cut
// off or overwrite what the others have written. A place in the descriptor
// table is kept for each. With a root of its own, that is how all files of a slice
// are opened: the tasks no longer see where they are.
func (b *builder) shareOutputs() error {
	p := b.p
	uses := map[string]int{}
	for i := range b.spec.Tasks {
		t := &b.spec.Tasks[i]
		for n, st := range []Stream{t.Stdin, t.Stdout, t.Stderr} {
			switch {
			case st.Kind != StreamFile:
			case b.spec.Root != nil:
				uses[sharedKey(t, n, st)] = 2
			case n > 0:
				uses[sharedKey(t, n, st)]++
			}
		}
	}
	b.shared = map[string]int32{}
	for i := range b.spec.Tasks {
		t := &b.spec.Tasks[i]
		for n, st := range []Stream{t.Stdin, t.Stdout, t.Stderr} {
			key := sharedKey(t, n, st)
			if _, done := b.shared[key]; st.Kind != StreamFile || uses[key] < 2 || done {
				continue
			}
			fd, err := b.place(st.Path)
			if err != nil {
				return &StartError{Stage: streamStages[n], Path: st.Path, Task: i, Detail: err.Error()}
			}
			b.shared[key] = int32(fd)
			if len(p.opener) == 0 {
				p.opener = append(p.opener, call(-1, unix.SYS_UMASK, uintptr(b.spec.Umask)))
				p.opener = append(p.opener, b.identityOps(p.label(StageIdentity, "", -1))...)
			}
			if b.spec.Root == nil { // else the directory is not there yet, and the path absolute
				p.opener = append(p.opener, b.openerDirOps(i)...)
			}
			label := p.label(streamStages[n], st.Path, i)
			flags := openFlags(n, st)
			if n > 0 { // shared by several writers, at the end of the file for each
				flags |= unix.O_APPEND
			}
			p.opener = append(p.opener, p.openOp(label, st.Path, flags, openMode(st)),
				call(label, unix.SYS_DUP3, 0, fd, unix.O_CLOEXEC).with(opUse))
		}
	}
	return nil
}

// openerDirOps are dirOps without a word: the task itself will say it.
func (b *builder) openerDirOps(i int) []op {
	ops := b.dirOps(i)
	if len(ops) > 1 {
		ops[0].flags = opOptional
	}
	return ops
}
