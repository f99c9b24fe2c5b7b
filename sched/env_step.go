package sched

import (
	"strings"

	"github.com/runink/rink/slurm"
)

// stepAsked adds the variables that say what a step was asked for, as srun's
// options have it.
func stepAsked(e *env, o *slurm.JobOptions) {
	bindVariables(e, "SLURM_CPU_BIND", CPUBind(o))
	bindVariables(e, "SLURM_MEM_BIND", o.MemBind)
	if o.MemBind != "" {
		for _, word := range strings.Split(o.MemBind, ",") {
			switch word {
			case "sort":
				e.set("SLURM_MEM_BIND_SORT", "sort")
			case "prefer":
				e.set("SLURM_MEM_BIND_PREFER", "prefer")
			}
		}
	}
	e.counted("SLURM_NTASKS_PER_NODE", int64(o.NTasksPerNode))
	e.counted("SLURM_NTASKS_PER_CORE", int64(o.NTasksPerCore))
	e.counted("SLURM_NTASKS_PER_SOCKET", int64(o.NTasksPerSocket))
	e.counted("SLURM_THREADS_PER_CORE", int64(o.ThreadsPerCore))
	if o.ThreadsPerCore == 0 && o.Hint == "nomultithread" {
		e.set("SLURM_THREADS_PER_CORE", "1")
	}
	e.given("SLURM_MPI_TYPE", o.Step.MPI)
}

// CPUBind is the binding that srun was asked for, or that follows from another
// option.
func CPUBind(o *slurm.JobOptions) string {
	switch {
	case o.CPUBind != "":
		return o.CPUBind
	case o.Hint == "nomultithread", o.Given["threads-per-core"] && o.ThreadsPerCore > 0:
		return "threads"
	case o.Given["ntasks-per-core"] && o.NTasksPerCore > 0:
		return "cores"
	}
	return ""
}

// bindVariables splits [quiet|verbose,]kind[:list] as Slurm does.
func bindVariables(e *env, name, bind string) {
	if bind == "" {
		return
	}
	loud := "quiet"
	kind := bind
	for _, word := range []string{"quiet", "verbose"} {
		if bind == word {
			kind, loud = "", word
		} else if rest, ok := strings.CutPrefix(bind, word+","); ok {
			kind, loud = rest, word
		}
	}
	list := ""
	if first, after, ok := strings.Cut(kind, ":"); ok {
		kind, list = first+":", after
		if strings.HasPrefix(kind, "mask_") {
			list = strings.ReplaceAll(list, "0x", "")
		}
	}
	e.set(name, loud+","+kind+list)
	e.set(name+"_VERBOSE", loud)
	e.set(name+"_TYPE", kind)
	e.set(name+"_LIST", list)
}
