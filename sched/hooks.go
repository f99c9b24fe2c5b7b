package sched

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// PrologAtAllocation reports whether nodes run the prolog of a job when they are
// allocated, and not when the first thing of it is launched there.
func PrologAtAllocation(cfg *Config) bool { return slices.Contains(conf(cfg).PrologFlags, "Alloc") }

// RunsBefore reports whether something is to run between the allocation of a job
// and its begin: PrologSlurmctld, or the prolog of its nodes if a job is to wait
// for that.
func RunsBefore(cfg *Config) bool {
	c := conf(cfg)
	return c.PrologSlurmctld != "" || PrologAtAllocation(cfg) && !slices.Contains(c.PrologFlags, "NoHold")
}

// HookEnv returns the variables by which prologs and epilogs know the job they
// run for: what describes it, and nothing its user may choose the names of. The
// node's own are the agent's to add.
func HookEnv(j *Job, cfg *Config) []string {
	var e env
	c := conf(cfg)
	spec := specOf(j)
	nodes := j.Nodes()
	names := make([]string, len(nodes))
	counts := make([]int, len(j.Alloc))
	for i, n := range nodes {
		names[i] = string(n)
	}
	for i, a := range j.Alloc {
		counts[i] = a.CPUs
	}
	list := slurm.Compress(names)
	e.set("SLURM_CLUSTER_NAME", c.ClusterName)
	e.given("SLURM_JOB_ACCOUNT", j.Account)
	if j.ArrayID != 0 {
		e.num("SLURM_ARRAY_JOB_ID", int64(j.ArrayID))
		e.num("SLURM_ARRAY_TASK_ID", int64(j.TaskID))
	}
	e.given("SLURM_JOB_COMMENT", spec.Comment)
	e.set("SLURM_JOB_CONSTRAINTS", spec.Constraint)
	e.set("SLURM_JOB_CPUS_PER_NODE", slurm.FormatRunLengths(counts))
	e.given("SLURM_JOB_EXTRA", spec.Extra)
	e.num("SLURM_JOB_GID", int64(j.GID))
	e.given("SLURM_JOB_GROUP", j.Group)
	if j.HetID != 0 {
		e.num("SLURM_HET_JOB_ID", int64(j.HetID))
		e.num("SLURM_HET_JOB_OFFSET", int64(j.HetOffset))
	}
	e.num("SLURM_JOB_ID", int64(j.ID))
	e.num("SLURM_JOBID", int64(j.ID))
	e.given("SLURM_JOB_LICENSES", spec.Licenses)
	e.set("SLURM_JOB_NAME", j.Name)
	e.num("SLURM_JOB_NUM_NODES", int64(len(nodes)))
	e.set("SLURM_JOB_NODELIST", list)
	e.set("SLURM_NODELIST", list)
	e.set("SLURM_JOB_PARTITION", string(j.Partition))
	e.given("SLURM_JOB_QOS", j.QOS)
	e.given("SLURM_JOB_RESERVATION", j.Resv)
	e.num("SLURM_JOB_RESTART_COUNT", int64(j.Restarts))
	if j.Batch {
		in := spec.Input
		if in == "" {
			in = "/dev/null"
		}
		e.set("SLURM_JOB_STDIN", in)
		e.given("SLURM_JOB_STDERR", spec.Error)
		e.given("SLURM_JOB_STDOUT", spec.Output)
	}
	e.num("SLURM_JOB_UID", int64(j.UID))
	e.num("SLURM_UID", int64(j.UID))
	e.set("SLURM_JOB_USER", j.User)
	e.set("SLURM_JOB_WORK_DIR", j.WorkDir)
	e.given("SLURM_WCKEY", spec.WCKey)
	return slices.DeleteFunc(e.lines, func(l string) bool { return strings.IndexByte(l, 0) >= 0 })
}

// EndEnv returns the variables by which epilogs know how a job ended: its exit
// status as wait gives it, as code:signal, and the highest of its steps.
func EndEnv(exit, derived ExitCode) []string {
	return []string{
		"SLURM_JOB_DERIVED_EC=" + strconv.Itoa(waitStatus(derived)),
		"SLURM_JOB_EXIT_CODE=" + strconv.Itoa(waitStatus(exit)),
		fmt.Sprintf("SLURM_JOB_EXIT_CODE2=%d:%d", exit.Code, exit.Signal),
	}
}

func waitStatus(e ExitCode) int { return int(e.Code)<<8 | int(e.Signal) }
