package slice

import (
	"fmt"
	"syscall"
	"time"
)

// Stage names the part of a start that went wrong.
type Stage string

const (
	StageCgroup    Stage = "cgroup"    // a group or limit could not be set, or joined
	StageFork      Stage = "fork"      // the kernel made no process
	StageNamespace Stage = "namespace" // a namespace or its settings
	StageMount     Stage = "mount"
	StageHostname  Stage = "hostname"
	StageRlimit    Stage = "rlimit"
	StageAffinity  Stage = "affinity"
	StageIdentity  Stage = "identity" // becoming the user
	StageStdin     Stage = "stdin"
	StageStdout    Stage = "stdout"
	StageStderr    Stage = "stderr"
	StagePTY       Stage = "pty"
	StageChdir     Stage = "chdir"
	StageExec      Stage = "exec"
	StageConfine   Stage = "confine" // capabilities, no_new_privs, the filter of system calls
	StageNetwork   Stage = "network" // the private network
	StageSetup     Stage = "setup"   // none of the above
)

// StartError says why a slice, or one task of it, did not start, or, as a
// warning, what was done without.
type StartError struct {
	Stage  Stage
	Path   string        // the file, directory, device or program, if any
	Errno  syscall.Errno // the kernel's answer; 0 when it was not the kernel
	Task   int           // -1: the slice as a whole
	Detail string        // more than Errno says, when there is more
}

func (e *StartError) Error() string {
	what := map[Stage]string{
		StageCgroup:    "cannot set up cgroup",
		StageFork:      "cannot make a process",
		StageNamespace: "cannot set up namespace",
		StageMount:     "cannot mount",
		StageHostname:  "cannot set host name",
		StageRlimit:    "cannot set resource limit",
		StageAffinity:  "cannot bind to CPUs",
		StageIdentity:  "cannot become the user",
		StageStdin:     "cannot open standard input",
		StageStdout:    "cannot open standard output",
		StageStderr:    "cannot open standard error",
		StagePTY:       "cannot set up a terminal",
		StageChdir:     "cannot change directory to",
		StageExec:      "cannot execute",
		StageConfine:   "cannot confine",
		StageNetwork:   "cannot set up the network",
	}[e.Stage]
	if what == "" {
		what = "cannot set up the slice"
	}
	if e.Path != "" {
		what += fmt.Sprintf(" %q", e.Path)
	}
	if e.Task >= 0 {
		what = fmt.Sprintf("task %d: %s", e.Task, what)
	}
	if e.Detail != "" {
		what += ": " + e.Detail
	}
	if e.Errno != 0 {
		what += ": " + e.Errno.Error()
	}
	return what
}

// Unwrap lets errors.Is compare with a syscall.Errno.
func (e *StartError) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// Target says which processes of a slice a signal is for.
type Target int

const (
	TargetTasks      Target = iota // the process of each task
	TargetTaskGroups               // the process group of each task
	TargetAll                      // every process of the slice
)

// TaskExit is what became of one task.
type TaskExit struct {
	// Status is the wait status. It is meaningful when Ended is set and
	// StartError is not.
	Status syscall.WaitStatus
	Ended  time.Time
	// StartError is set when the task's program never ran.
	StartError *StartError
	// These cover the task and those of its descendants that were waited for.
	User       time.Duration
	System     time.Duration
	MaxRSS     uint64
	PageFaults uint64 // those that needed I/O
	ReadBytes  uint64
	WriteBytes uint64
}

// TaskEnd is the end of one task while its slice may go on.
type TaskEnd struct {
	Task     int
	Exit     TaskExit
	OOMKills uint64 // processes of the slice killed for want of memory in its cgroup until then
}

// Exit is what became of a slice.
type Exit struct {
	ID       string
	Started  time.Time
	Ended    time.Time
	Tasks    []TaskExit
	OOMKills uint64 // processes of the slice killed for want of memory in its cgroup
	Usage    Usage
	Killed   bool // Kill was called before all tasks had ended
	// Lost is set when the slice was found dead or orphaned by a later
	// launcher. Tasks without an Ended time have no known status.
	Lost     bool
	Note     string // what else went wrong at the end, for a person to read
	Warnings []StartError
}

// Usage is what a slice has used so far, or in all once it has ended.
type Usage struct {
	User   time.Duration
	System time.Duration

	Memory     uint64 // charged to the cgroup now, page cache included
	MemoryPeak uint64 // highest Memory
	RSS        uint64 // anonymous and mapped memory of all processes now
	MaxRSS     uint64 // highest RSS seen, or of the largest single process if that is more
	VM         uint64 // address space of all processes now
	MaxVM      uint64 // highest VM seen

	ReadBytes  uint64 // from storage
	WriteBytes uint64 // to storage
	PageFaults uint64 // those that needed I/O
	PIDs       uint64 // processes now
	OOMKills   uint64

	// FromCgroup says that the cgroup was asked; otherwise the numbers are
	// summed over the processes that could be seen, and over those that have
	// ended and were waited for.
	FromCgroup bool
}
