package scontrol

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// resizes reports whether an update changes which nodes jobs have, or how many.
func resizes(req *rinkpb.UpdateJobRequest) bool {
	for _, kv := range req.Changes {
		switch kv.Key {
		case "numnodes", "nodelist", "reqnodelist":
			return true
		}
	}
	return false
}

// checkResize refuses what is more than one job, as Slurm does: of an array as a whole,
// or of a heterogeneous job, the size is not changed.
func (c *call) checkResize(ids string, req *rinkpb.UpdateJobRequest) error {
	if ids == "" || !resizes(req) {
		return nil
	}
	refs, err := slurm.ParseJobRefs(ids)
	if err != nil || len(refs) != 1 || refs[0].Part == slurm.RefTasks || refs[0].Part == slurm.RefComponent {
		return fmt.Errorf("Invalid job ID %s", ids)
	}
	jobs, err := show.Jobs(c.env, c.client, &rinkpb.ListJobsRequest{Refs: req.Refs, Ended: true})
	if err == nil && len(jobs) > 1 {
		return fmt.Errorf("Job resizing not supported for job arrays")
	}
	return nil // what is not there is refused by the controller
}

// tellSize says to a shell within a job how to have its variables say what the job has
// now: in files beside it. It tells so when it cannot, and that is no failure.
func (c *call) tellSize(req *rinkpb.UpdateJobRequest) {
	if c.env.Getenv("SLURM_JOBID") == "" || !resizes(req) {
		return
	}
	jobs, err := show.Jobs(c.env, c.client, &rinkpb.ListJobsRequest{Refs: req.Refs})
	if err != nil || len(jobs) != 1 {
		return
	}
	j := jobs[0].Job
	if j.IsPending() {
		fmt.Fprintln(c.env.Stderr, "slurm_allocation_lookup: Job is pending execution")
		return
	}
	name := fmt.Sprintf("slurm_job_%d_resize", j.ID)
	var shell, csh strings.Builder
	for _, v := range sizeVars(j, c.env.Getenv) {
		if v.unset {
			fmt.Fprintf(&shell, "unset %s\n", v.name)
			fmt.Fprintf(&csh, "unsetenv %s\n", v.name)
			continue
		}
		fmt.Fprintf(&shell, "export %s=%s\n", v.name, v.value)
		fmt.Fprintf(&csh, "setenv %s %s\n", v.name, v.value)
	}
	for _, f := range []struct{ name, text string }{{name + ".csh", csh.String()}, {name + ".sh", shell.String()}} {
		if err := writeScript(f.name, f.text); err != nil {
			fmt.Fprintf(c.env.Stderr, "Could not create file %s: %s\n", f.name, submit.Cause(err))
			return
		}
	}
	fmt.Fprintf(c.env.Stdout, "To reset Slurm environment variables, execute\n  For bash or sh shells:  . ./%s.sh\n  For csh shells:         source ./%s.csh\n", name, name)
}

// sizeVar is a variable of a job's environment as it should be now.
type sizeVar struct {
	name, value string
	unset       bool
}

// sizeVars are those of a job's variables that are set and tell its size. What was
// said of tasks holds no more.
func sizeVars(j *sched.Job, getenv func(string) string) []sizeVar {
	nodes := show.CompressNodes(j.Nodes())
	cpus := make([]int, len(j.Alloc))
	for i, a := range j.Alloc {
		cpus[i] = a.CPUs
	}
	count, perNode := fmt.Sprint(len(j.Alloc)), slurm.FormatRunLengths(cpus)
	var list []sizeVar
	for _, v := range []sizeVar{
		{name: "SLURM_NODELIST", value: `"` + nodes + `"`}, {name: "SLURM_JOB_NODELIST", value: `"` + nodes + `"`},
		{name: "SLURM_NNODES", value: count}, {name: "SLURM_JOB_NUM_NODES", value: count},
		{name: "SLURM_JOB_CPUS_PER_NODE", value: `"` + perNode + `"`},
	} {
		if getenv(v.name) != "" {
			list = append(list, v)
		}
	}
	if getenv("SLURM_TASKS_PER_NODE") != "" {
		for _, name := range []string{"SLURM_NPROCS", "SLURM_NTASKS", "SLURM_TASKS_PER_NODE"} {
			list = append(list, sizeVar{name: name, unset: true})
		}
	}
	return list
}

// writeScript makes a file that its owner alone may read and run.
func writeScript(name, text string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o700)
	if err != nil {
		return err
	}
	if _, err = io.WriteString(f, text); err == nil {
		return f.Close()
	}
	f.Close()
	return err
}
