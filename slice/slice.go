package slice

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Slice is a running or ended slice of this process. Its methods are safe for
// use by several goroutines.
type Slice struct {
	id         string
	host       *Host
	group      *group // nil without cgroups
	first      int    // pid of the first process
	firstTicks uint64
	pidns      bool
	prog       *program // the first process runs in it until it is waited for
	ctl        *os.File // the first process; read by watch alone once Start is over
	slot       uint32   // of the addresses of its private network
	started    time.Time

	launcherPeak uint64 // most memory that this process has had, when all tasks had executed

	done     chan struct{} // closed when exit is final
	taskEnds chan TaskEnd  // has room for every task; closed before done

	// mu guards what follows.
	mu       sync.Mutex
	ends     []taskEnds
	tasks    []taskState
	warnings []StartError
	killed   bool
	gone     bool  // the first process has been waited for: its pid means nothing
	exit     *Exit // set when done is closed

	// Usage of processes that have ended, from their parents' waiting.
	past          Usage
	maxRSS, maxVM uint64
}

type taskState struct {
	pid        int // in the slice's own pid namespace
	outer      int // in the launcher's; 0: not looked up yet
	ended      time.Time
	status     syscall.WaitStatus
	startError *StartError
	user, sys  time.Duration
	maxRSS     uint64
	faults     uint64
	read       uint64
	written    uint64
}

// ErrEnded is returned for what can only be asked of a live slice.
var ErrEnded = errors.New("the slice has ended")

// ID returns the name the slice was started under.
func (s *Slice) ID() string { return s.id }

// FirstPid returns the process id of the slice's first process, and when it
// started in clock ticks since boot.
func (s *Slice) FirstPid() (pid int, startTicks uint64) { return s.first, s.firstTicks }

// Started returns when the slice was started.
func (s *Slice) Started() time.Time { return s.started }

// Warnings returns what the slice was started without.
func (s *Slice) Warnings() []StartError {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]StartError{}, s.warnings...)
}

// Pids returns the process ids of the tasks, as this process sees them; 0
// for one that has ended.
func (s *Slice) Pids() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]int, len(s.tasks))
	var outer map[int]int
	for i := range s.tasks {
		t := &s.tasks[i]
		if !t.ended.IsZero() || t.startError != nil {
			continue
		}
		if t.outer == 0 && !s.pidns {
			t.outer = t.pid
		}
		if t.outer == 0 && !s.gone {
			if outer == nil {
				outer = outerPids(s.first)
			}
			t.outer = outer[t.pid]
		}
		out[i] = t.outer
	}
	return out
}

// Done is closed once nothing is left of the slice and Exit is final.
func (s *Slice) Done() <-chan struct{} { return s.done }

// TaskEnds tells each task's end as it happens, once, and is closed before
// Done. What it tells is not lost by not being read. A first process that is
// killed takes its tasks' last words with it: those are in Exit alone.
func (s *Slice) TaskEnds() <-chan TaskEnd { return s.taskEnds }

// Wait waits for Done and returns what became of the slice.
func (s *Slice) Wait() Exit {
	<-s.done
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.exit
}

// Files are this process's ends of one task's pipes, or its terminal, and of
// its socket. Those
// that the task does not have are nil.
type Files struct{ Stdin, Stdout, Stderr, PTY, Socket *os.File }

// Files returns, for each task, duplicates of the ends that the Slice holds.
// They are the caller's to close. The Slice keeps its own until CloseFiles,
// so that a pipe that nobody else holds keeps what is in it.
func (s *Slice) Files() ([]Files, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Files, len(s.ends))
	for i := range s.ends {
		e := &s.ends[i]
		for _, f := range []struct {
			from *os.File
			to   **os.File
		}{{e.stdin, &out[i].Stdin}, {e.stdout, &out[i].Stdout}, {e.stderr, &out[i].Stderr}, {e.pty, &out[i].PTY}, {e.socket, &out[i].Socket}} {
			if f.from == nil {
				continue
			}
			fd, err := unix.FcntlInt(f.from.Fd(), unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				for _, o := range out {
					(&taskEnds{o.Stdin, o.Stdout, o.Stderr, o.PTY, o.Socket}).close()
				}
				return nil, fmt.Errorf("cannot duplicate a descriptor of slice %q: %w", s.id, err)
			}
			*f.to = os.NewFile(uintptr(fd), f.from.Name())
		}
	}
	return out, nil
}

// CloseStdin closes the Slice's end of a task's standard input, which the
// task sees as its end once nobody else holds a duplicate.
func (s *Slice) CloseStdin(task int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if task < 0 || task >= len(s.ends) {
		return fmt.Errorf("slice %q has no task %d", s.id, task)
	}
	if f := s.ends[task].stdin; f != nil {
		f.Close()
		s.ends[task].stdin = nil
	}
	return nil
}

// CloseFiles closes all ends that the Slice holds.
func (s *Slice) CloseFiles() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.ends {
		s.ends[i].close()
	}
}

// Resize sets the window size of a task's terminal.
func (s *Slice) Resize(task int, w Winsize) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if task < 0 || task >= len(s.ends) || s.ends[task].pty == nil {
		return fmt.Errorf("slice %q: task %d has no terminal", s.id, task)
	}
	if err := unix.IoctlSetWinsize(int(s.ends[task].pty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: w.Rows, Col: w.Cols}); err != nil {
		return fmt.Errorf("cannot resize the terminal of slice %q task %d: %w", s.id, task, err)
	}
	return nil
}

// tell sends a word to the first process.
func (s *Slice) tell(m ctlMsg) error {
	buf := (*[unsafe.Sizeof(ctlMsg{})]byte)(unsafe.Pointer(&m))[:]
	if _, err := s.ctl.Write(buf); err != nil {
		select {
		case <-s.done:
			return ErrEnded
		default:
		}
		if errors.Is(err, unix.EPIPE) || errors.Is(err, os.ErrClosed) || errors.Is(err, unix.ECONNRESET) {
			return ErrEnded
		}
		return fmt.Errorf("cannot reach the first process of slice %q: %w", s.id, err)
	}
	return nil
}

// Signal sends a signal. Tasks chooses among the tasks for TargetTasks and
// TargetTaskGroups; none means all of them. A task that has ended is passed
// over. The error is ErrEnded when nothing of the slice is left.
func (s *Slice) Signal(to Target, sig syscall.Signal, tasks ...int) error {
	select {
	case <-s.done:
		return ErrEnded
	default:
	}
	if sig < 0 || sig > 64 {
		return fmt.Errorf("signal %d is not a signal", int(sig))
	}
	for _, t := range tasks {
		if t < 0 || t >= len(s.tasks) {
			return fmt.Errorf("slice %q has no task %d", s.id, t)
		}
	}
	switch to {
	case TargetTasks, TargetTaskGroups:
		m := ctlMsg{what: ctlTask, sig: int32(sig), task: -1}
		if to == TargetTaskGroups {
			m.what = ctlTaskGroup
		}
		if len(tasks) == 0 {
			return s.tell(m)
		}
		for _, t := range tasks {
			m.task = int32(t)
			if err := s.tell(m); err != nil {
				return err
			}
		}
		return nil
	case TargetAll:
		return s.signalAll(sig)
	}
	return fmt.Errorf("signal target %d is not one", to)
}

func (s *Slice) signalAll(sig syscall.Signal) error {
	switch {
	case s.group != nil:
		pids, err := s.group.pids()
		if err != nil {
			return fmt.Errorf("cannot list the processes of slice %q: %w", s.id, err)
		}
		for _, pid := range pids {
			unix.Kill(pid, sig)
		}
		return nil
	case s.pidns:
		return s.tell(ctlMsg{what: ctlAll, sig: int32(sig), task: -1})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return ErrEnded
	}
	signalTree(s.first, sig)
	return nil
}

// Spare leaves what outlives the tasks to go by itself: it is no longer killed
// for their end, but by Kill.
func (s *Slice) Spare() error { return s.tell(ctlMsg{what: ctlSpare, task: -1}) }

// killTime is how long killing is tried for before it is given up.
const killTime = 10 * time.Second

// Kill ends every process of the slice. It returns when they have been told
// to; Wait returns when they are gone. A second call does no harm.
func (s *Slice) Kill() error {
	select {
	case <-s.done:
		return nil
	default:
	}
	s.mu.Lock()
	s.killed = true
	s.mu.Unlock()
	var err error
	if s.group != nil {
		_, err = s.group.killOnce()
	}
	if terr := s.tell(ctlMsg{what: ctlKill, task: -1}); terr != nil && !errors.Is(terr, ErrEnded) && err == nil {
		err = terr
	}
	// A first process that is stuck, or was stopped by somebody, is not
	// waited for: what it holds together dies with it.
	time.AfterFunc(killTime, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.gone {
			unix.Kill(s.first, syscall.SIGKILL)
		}
	})
	return err
}

// watch is the goroutine that sees the slice to its end. It stops when the
// first process does.
func (s *Slice) watch() {
	for {
		rec, err := readRecord(s.ctl)
		if err != nil {
			break
		}
		s.mu.Lock()
		switch rec.kind {
		case recExit:
			s.ended(&rec)
		case recOthers:
			s.past.add(&rec)
		case recWarning:
			s.warnings = append(s.warnings, *s.startError(&rec))
		}
		s.mu.Unlock()
	}
	s.finish()
}

// ended notes that a task has ended. The caller holds mu, or is Start.
func (s *Slice) ended(rec *record) {
	if rec.task < 0 || int(rec.task) >= len(s.tasks) {
		return
	}
	t := &s.tasks[rec.task]
	if !t.ended.IsZero() {
		return
	}
	t.ended = time.Now()
	t.status = syscall.WaitStatus(rec.status)
	t.user = time.Duration(rec.utime) * time.Microsecond
	t.sys = time.Duration(rec.stime) * time.Microsecond
	t.maxRSS = uint64(rec.maxrss) << 10
	t.faults, t.read, t.written = uint64(rec.majflt), uint64(rec.inblk)*512, uint64(rec.outblk)*512
	s.past.add(rec)
	end := TaskEnd{Task: int(rec.task), Exit: TaskExit{Status: t.status, Ended: t.ended, StartError: t.startError,
		User: t.user, System: t.sys, MaxRSS: t.maxRSS, PageFaults: t.faults, ReadBytes: t.read, WriteBytes: t.written}}
	if s.group != nil {
		end.OOMKills = s.group.oomKills()
	}
	s.taskEnds <- end
}

// add counts in what a process used that has been waited for.
func (u *Usage) add(rec *record) {
	u.User += time.Duration(rec.utime) * time.Microsecond
	u.System += time.Duration(rec.stime) * time.Microsecond
	u.MaxRSS = max(u.MaxRSS, uint64(rec.maxrss)<<10)
	u.PageFaults += uint64(rec.majflt)
	u.ReadBytes += uint64(rec.inblk) * 512
	u.WriteBytes += uint64(rec.outblk) * 512
}

// finish makes sure that nothing is left, and draws up the Exit.
func (s *Slice) finish() {
	status := s.host.bury(s.first)
	s.mu.Lock()
	s.gone = true
	s.mu.Unlock()
	s.ctl.Close()
	s.prog.free()

	var notes []string
	note := func(err error) {
		if err != nil {
			notes = append(notes, err.Error())
		}
	}
	if s.group != nil {
		note(s.group.kill(time.Time{}))
	}
	usage := s.sample(false)
	if s.group != nil {
		note(s.group.remove())
	}
	s.host.nets.free(s.slot)

	s.mu.Lock()
	defer s.mu.Unlock()
	e := &Exit{ID: s.id, Started: s.started, Ended: time.Now(), Killed: s.killed, Usage: usage,
		OOMKills: usage.OOMKills, Warnings: s.warnings}
	unknown := 0
	for i := range s.tasks {
		t := &s.tasks[i]
		if t.ended.IsZero() {
			// The first process was killed before it could tell; the task
			// was killed with it.
			t.ended, t.status = e.Ended, syscall.WaitStatus(syscall.SIGKILL)
			unknown++
		}
		e.Tasks = append(e.Tasks, TaskExit{Status: t.status, Ended: t.ended, StartError: t.startError,
			User: t.user, System: t.sys, MaxRSS: s.truePeak(t.maxRSS, usage.MemoryPeak), PageFaults: t.faults, ReadBytes: t.read, WriteBytes: t.written})
	}
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("the first process of the slice was killed (wait status %#x), and %d tasks with it", int(status), unknown))
	}
	for i, n := range notes {
		if i > 0 {
			e.Note += "; "
		}
		e.Note += n
	}
	s.exit = e
	close(s.taskEnds)
	close(s.done)
}
