package srun

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// outputs are where srun itself writes what tasks write. A name that is the
// same for all tasks is a file of srun's: opened here, where srun was called
// and with labels when there are to be; files of a task or a node are opened
// there.
type outputs struct {
	outPat       string // the name as given, expanded when the step's number is known
	errPat       string
	appends      bool
	joined       bool // standard error goes where standard output does
	files        []*os.File
	stdout, more io.Writer
}

// ownFile reports whether a file name is one for all tasks.
func ownFile(pattern string) bool {
	if pattern == "" || pattern == "all" || pattern == "none" || pattern == "/dev/null" {
		return false
	}
	if _, err := strconv.Atoi(pattern); err == nil {
		return false
	}
	return !slurm.PerTask(pattern)
}

// takeOutputs takes the names that are srun's to open out of the options.
func (s *run) takeOutputs() *outputs {
	o := &s.o.Job
	w := &outputs{appends: o.OpenMode == "append"}
	_, number := strconv.Atoi(o.Output)
	switch {
	case o.Error == "" && o.Output != "" && number == nil:
		// One task's output, and its errors with it.
		o.Error, w.joined = o.Output, true
	case ownFile(o.Output):
		w.outPat, w.joined = o.Output, o.Error == "" || o.Error == o.Output
		o.Output = ""
		if w.joined {
			o.Error = ""
		}
	}
	if ownFile(o.Error) {
		w.errPat, o.Error = o.Error, "all"
	}
	return w
}

// early opens what can be opened before the step is made, so that one whose
// output has no place is not begun.
func (s *run) early(w *outputs, id slurm.JobID) error {
	if strings.Contains(w.outPat, "%s") || strings.Contains(w.outPat, "%J") || strings.Contains(w.errPat, "%s") || strings.Contains(w.errPat, "%J") {
		return nil
	}
	return s.openOutputs(w, s.fileNames(id, slurm.StepID(0)))
}

func (s *run) fileNames(id slurm.JobID, step slurm.StepID) slurm.FileNameValues {
	v := slurm.FileNameValues{Job: id, Step: step, User: strconv.FormatUint(uint64(s.env.UID()), 10), JobName: s.o.Job.Name}
	if u, err := s.env.User(); err == nil {
		v.User = u.Username
	}
	if a, err := slurm.ParseJobID(s.env.Getenv("SLURM_ARRAY_JOB_ID")); err == nil {
		v.Array = a
		n, _ := strconv.ParseUint(s.env.Getenv("SLURM_ARRAY_TASK_ID"), 10, 32)
		v.Task = uint32(n)
	}
	return v
}

// openOutputs opens the files that are not open yet.
func (s *run) openOutputs(w *outputs, v slurm.FileNameValues) error {
	open := func(which, pattern string) (io.Writer, error) {
		flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC | os.O_APPEND
		if w.appends {
			flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
		}
		name := pattern
		if strings.Contains(name, `\`) {
			name = strings.ReplaceAll(name, `\`, "")
		} else {
			name = slurm.ExpandFileName(name, v)
		}
		f, err := os.OpenFile(name, flags, 0o666)
		if err != nil {
			return nil, fmt.Errorf("Could not open %s file: %s", which, submit.Cause(err))
		}
		w.files = append(w.files, f)
		return f, nil
	}
	if w.stdout != nil || w.more != nil {
		return nil
	}
	var err error
	w.stdout, w.more = s.env.Stdout, s.env.Stderr
	if w.outPat != "" {
		if w.stdout, err = open("stdout", w.outPat); err != nil {
			return err
		}
	}
	switch {
	case w.errPat != "":
		if w.more, err = open("stderr", w.errPat); err != nil {
			return err
		}
	case w.joined:
		w.more = w.stdout
	}
	return nil
}

func (w *outputs) close() {
	for _, f := range w.files {
		f.Close()
	}
}

// withinJob says in srun's own words what the allocation is too small for. It
// asks for the job only when the call has said something of nodes.
func (s *run) withinJob(id slurm.JobID) error {
	o := &s.o.Job
	nodes := s.o.From["nodes"] == slurm.FromCommandLine
	if s.own || !nodes && !o.Given["relative"] && o.ExcludeList == "" {
		return nil
	}
	ctx, cancel := s.env.Call(time.Minute)
	defer cancel()
	jobs, err := cli.ListJobs(ctx, s.client, &rinkpb.ListJobsRequest{Refs: []*rinkpb.JobRef{{Job: uint32(id)}}})
	if err != nil || len(jobs) != 1 || len(jobs[0].Alloc) == 0 {
		return nil // making the step will tell
	}
	return withinNodes(jobs[0], o, nodes)
}

func withinNodes(j *sched.Job, o *slurm.JobOptions, nodes bool) error {
	have, want := len(j.Alloc), max(o.MinNodes, 1)
	if o.Given["ntasks"] && o.NTasks > 0 && !nodes {
		want = min(want, o.NTasks)
	}
	if o.ExcludeList != "" {
		away, err := slurm.ParseHostList(o.ExcludeList)
		left := 0
		if err == nil {
			gone := map[string]bool{}
			for n := range away.All() {
				gone[n] = true
			}
			for _, a := range j.Alloc {
				if !gone[string(a.Node)] {
					left++
				}
			}
			switch {
			case left == 0:
				return errors.New("Hostlist is empty!  Can't run job.")
			case left < want && !nodes && o.MinNodes > 0:
				return fmt.Errorf("Are required nodes explicitly excluded?\nOnly allocated %d nodes asked for %d", left, want)
			}
		}
	}
	switch {
	case o.Given["relative"] && o.Step.Relative+want > have:
		size := "--nodes"
		if !nodes && o.MinNodes > 0 {
			size, want = "SLURM_JOB_NUM_NODES", max(o.MinNodes, 1)
		}
		return fmt.Errorf("--relative and %s option incompatible with count of allocated nodes (%d+%d>%d)", size, o.Step.Relative, want, have)
	case nodes && want > have:
		return fmt.Errorf("Only allocated %d nodes asked for %d", have, want)
	}
	return nil
}
