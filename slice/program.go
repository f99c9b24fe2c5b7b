package slice

import (
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A program is all that the first process of a slice and its tasks have to
// do, worked out beforehand into system calls with their arguments in place.
// It is made by the launcher, where memory and errors are cheap, and carried
// out by the new processes, where nothing may be allocated (see fork.go).
type program struct {
	cloneFlags uintptr // of the first process
	waitGo     bool    // wait for a byte on ctl before the setup: id maps
	pidns      bool
	spare      bool                // what outlives the tasks is left to go by itself
	ignored    uint64              // signals that the launcher ignores, by number less one
	cleared    bool                // the kernel has taken the launcher's handlers of signals from the first process
	born       func(*program, int) // child, where it is called from Go: by name the linker takes its stack for the caller's

	ctl    int32 // socket from the launcher; end of file: it died
	report int32 // where records go: the same socket
	gaps   []fdGap

	setup  []op
	inside []op // move the slice into a root of its own, after the opener
	opener []op // opens files that tasks share, in a process that shares descriptors
	tasks  [][]op
	after  []op // once all tasks are there

	intoCgroup bool // tasks are made with CLONE_INTO_CGROUP; cleared when the kernel cannot
	cgroupFD   int32
	joinV2     []op // then

	notes    []note   // what tasks say before they begin
	pidText  [][]byte // by task, where its process id belongs in its environment; nil when it is not asked for
	strerr   []byte   // error texts, back to back
	strat    []uint32 // where each begins
	children []byte   // path of the file that lists the first process's children

	// What the new processes alone read and write. They never run at the same
	// time until a task has memory of its own.
	pids   []int32 // by task; 0 once ended
	rec    record
	others record
	status uint32
	ru     syscall.Rusage
	buf    [1024]byte
	fds    [2]pollFd
	wait   unix.Timespec
	mask   uint64
	cl     cloneArgs
	msg    ctlMsg

	labels []label // what an op was for, by op.label; for the launcher alone
	room   []byte  // for what the addresses in ops point to, as far as it is free
	keep   []any   // what else they point to
	stacks []byte  // the first process's and its tasks', one above the other
}

const (
	stackSize = 16 << 10
	stackRoom = 64 // at the top, for the arguments of child
)

// stackPool are stacks that nobody runs on.
var stackPool struct {
	mu   sync.Mutex // guards what follows
	free [][]byte
}

// maxStacks is how many are kept, of two pages each that were used.
const maxStacks = 16

// stack sets memory aside for the first process and its tasks to run on, far
// more than functions that may not grow their stack can use.
func (p *program) stack() error {
	p.born = child
	stackPool.mu.Lock()
	if n := len(stackPool.free); n > 0 {
		p.stacks, stackPool.free = stackPool.free[n-1], stackPool.free[:n-1]
	}
	stackPool.mu.Unlock()
	if p.stacks != nil {
		return nil
	}
	m, err := unix.Mmap(-1, 0, 2*stackSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	p.stacks = m
	return err
}

// began drops what was for the start alone.
func (p *program) began() {
	p.gaps, p.setup, p.inside, p.opener, p.tasks, p.after, p.joinV2 = nil, nil, nil, nil, nil, nil, nil
	p.strerr, p.strat, p.pidText, p.notes, p.keep, p.room = nil, nil, nil, nil, nil, nil
}

// free gives the stacks back. The first process must have been waited for.
func (p *program) free() {
	m := p.stacks
	if p.stacks = nil; m == nil {
		return
	}
	stackPool.mu.Lock()
	defer stackPool.mu.Unlock()
	if len(stackPool.free) < maxStacks {
		stackPool.free = append(stackPool.free, m)
		return
	}
	unix.Munmap(m)
}

type pollFd struct {
	fd      int32
	events  int16
	revents int16
}

type fdGap struct{ first, last uintptr }

type cloneArgs struct {
	flags, pidfd, childTid, parentTid, exitSignal, stack, stackSize, tls, setTid, setTidSize, cgroup uint64
}

// op is one system call.
type op struct {
	nr    uintptr
	a     [6]uintptr
	flags uint8
	label int32
	skip  int32 // ops to skip after success
}

const (
	opOptional uint8 = 1 << iota // failure is of no interest
	opWarn                       // failure is reported and lived with
	opKeep                       // the result is kept for opUse
	opUse                        // the first argument is the kept result
	opNoteErr                    // failure is remembered for nrNote
	opTryNext                    // an exec among several candidates
	opSearched                   // one that was found along PATH
)

// Operations that are not system calls.
const (
	nrNote     uintptr = 1<<20 + iota // write a[0:a[1]], the error text, a[2:a[3]] to standard error, if there was an opNoteErr
	nrExecFail                        // no candidate could be executed
	nrSignals                         // set all signals to the action at a[0], or those alone that are ignored
	nrPid                             // write the process's own id into pidText of its task
	nrGreet                           // write the a[0]th note, with the process's own id, to descriptor a[1]
)

// note is a text with room for a process id, and how long what is before the room and
// behind it is.
type note struct {
	text          []byte
	before, after int
}

// pidRoom is how much nrPid writes at most, with the zero byte at the end.
const pidRoom = 12

type label struct {
	stage Stage
	path  string
	task  int
}

// record is what a child tells the launcher. Each is one
// message of the socket between them.
type record struct {
	kind   int32
	task   int32
	label  int32
	errno  int32
	pid    int32
	status uint32
	utime  int64 // microseconds
	stime  int64
	maxrss int64 // KiB
	majflt int64
	inblk  int64
	outblk int64
}

const recordSize = int(unsafe.Sizeof(record{}))

const (
	recFailed  int32 = 1 + iota // an op failed and the process gave up
	recWarning                  // an op failed
	recTask                     // a task was forked
	recStarted                  // the last one was
	recExit                     // a task ended
	recOthers                   // what all other processes of the slice used that were reaped, if there were any
)

// ctlMsg is what the launcher tells the first process.
type ctlMsg struct {
	what int32
	sig  int32
	task int32 // -1: all
	_    int32
}

const (
	ctlTask      int32 = 1 + iota // signal the process of a task
	ctlTaskGroup                  // signal the process group of a task
	ctlAll                        // signal all processes of the pid namespace
	ctlKill                       // kill everything below
	ctlSpare                      // what outlives the tasks is not killed for it
)

// space returns n bytes, all zero, that stay where they are for as long as the program
// is kept.
func (p *program) space(n int) []byte {
	const lot = 2048
	n8 := (n + 7) &^ 7 // the next begins where a word may
	if n8 > lot/4 {
		b := make([]byte, n8)
		p.keep = append(p.keep, b)
		return b[:n:n]
	}
	if n8 > len(p.room) {
		p.room = make([]byte, lot)
		p.keep = append(p.keep, p.room)
	}
	b := p.room[:n:n]
	p.room = p.room[n8:]
	return b
}

func (p *program) bytes(s string) uintptr {
	b := p.space(len(s) + 1)
	copy(b, s)
	return uintptr(unsafe.Pointer(&b[0]))
}

func (p *program) raw(b []byte) uintptr {
	if len(b) == 0 {
		return 0
	}
	own := p.space(len(b))
	copy(own, b)
	return uintptr(unsafe.Pointer(&own[0]))
}

// vector makes a NULL-terminated array of strings, as execve wants it, with
// more of them whose addresses are given.
func (p *program) vector(list []string, more ...uintptr) uintptr {
	size := 0
	for _, s := range list {
		size += len(s) + 1
	}
	text := p.space(size + 1)
	words := p.space(8 * (len(list) + len(more) + 1))
	ptrs := unsafe.Slice((*uintptr)(unsafe.Pointer(&words[0])), len(list)+len(more)+1)
	at := 0
	for i, s := range list {
		ptrs[i] = uintptr(unsafe.Pointer(&text[at]))
		at += copy(text[at:], s) + 1
	}
	copy(ptrs[len(list):], more)
	return uintptr(unsafe.Pointer(&ptrs[0]))
}

func (p *program) label(stage Stage, path string, task int) int32 {
	p.labels = append(p.labels, label{stage, path, task})
	return int32(len(p.labels) - 1)
}

func call(label int32, nr uintptr, args ...uintptr) op {
	o := op{nr: nr, label: label}
	copy(o.a[:], args)
	return o
}

func (o op) with(flags uint8) op {
	o.flags |= flags
	return o
}

const atFdCwd = ^uintptr(99) // AT_FDCWD, -100

func (p *program) openOp(label int32, path string, flags int, mode uint32) op {
	return call(label, unix.SYS_OPENAT, atFdCwd, p.bytes(path), uintptr(flags|unix.O_CLOEXEC), uintptr(mode)).with(opKeep)
}

// writeFile makes the ops that write value into an existing file.
func (p *program) writeFile(label int32, path, value string, flags uint8) []op {
	v := []byte(value)
	open := p.openOp(label, path, unix.O_WRONLY, 0).with(flags)
	write := call(label, unix.SYS_WRITE, 0, p.raw(v), uintptr(len(v))).with(opUse | flags)
	closeOp := call(label, unix.SYS_CLOSE, 0).with(opUse | opOptional)
	return []op{open, write, closeOp}
}

// errorTexts lays out the kernel's error texts for nrNote, as the C library
// writes them: people and their scripts know them so.
var errorTexts = sync.OnceValues(func() (text []byte, at []uint32) {
	at = append(at, 0)
	for e := syscall.Errno(1); e < 134; e++ {
		t := e.Error()
		if t != "" {
			t = strings.ToUpper(t[:1]) + t[1:]
		}
		at = append(at, uint32(len(text)))
		text = append(text, t...)
	}
	return text, append(at, uint32(len(text)))
})
