package show

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/runink/rink/slurm"
)

// Stdin, Stdout and Stderr are the paths of the batch script's files with their
// patterns filled in; "" for a job without a script.
func (j *Job) Stdin() string {
	if !j.Batch {
		return ""
	}
	return j.file(Or(j.Spec.Input, "/dev/null"))
}

// StdinNamed, StdoutNamed and StderrNamed are the same paths as they were given, with
// the job's id in the default; and what squeue says of jobs without a script.
func (j *Job) StdinNamed() string {
	if !j.Batch {
		return Null
	}
	return j.named(j.Spec.Input, "/dev/null")
}

// StdoutNamed is described at StdinNamed.
func (j *Job) StdoutNamed() string {
	name := fmt.Sprintf("slurm-%d.out", j.ID)
	if !j.Batch {
		return j.named("", name)
	}
	return j.named(j.Spec.Output, name)
}

// StderrNamed is described at StdinNamed.
func (j *Job) StderrNamed() string {
	switch {
	case !j.Batch:
		return NA
	case j.Spec.Error == "":
		return j.StdoutNamed()
	}
	return j.named(j.Spec.Error, "")
}

func (j *Job) named(path, otherwise string) string {
	if path = Or(path, otherwise); !filepath.IsAbs(path) {
		path = strings.TrimSuffix(j.WorkDir, "/") + "/" + path
	}
	return path
}

// Stdout is described at Stdin.
func (j *Job) Stdout() string {
	if !j.Batch {
		return ""
	}
	name := slurm.DefaultOutput
	if j.ArrayID != 0 {
		name = slurm.DefaultArrayOutput
	}
	return j.file(Or(j.Spec.Output, name))
}

// Stderr is described at Stdin.
func (j *Job) Stderr() string {
	if !j.Batch {
		return ""
	}
	if j.Spec.Error == "" {
		return j.Stdout()
	}
	return j.file(j.Spec.Error)
}

func (j *Job) file(pattern string) string {
	values := slurm.FileNameValues{
		Job: j.ID, Array: j.ArrayID, Task: j.Task, Step: slurm.StepBatch, User: j.User, JobName: j.Name,
		Host: j.BatchHost(), Restarts: int(j.Restarts),
	}
	if j.IsRest() {
		values.Task = slurm.NoArrayTask
	}
	path := slurm.ShowFileName(pattern, values)
	if !filepath.IsAbs(path) {
		path = strings.TrimSuffix(j.WorkDir, "/") + "/" + path
	}
	return path
}
