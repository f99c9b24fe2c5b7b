package slurm

import (
	"strconv"
	"strings"
)

// sizeRows are the options that say how much: nodes, tasks, CPUs, memory, GPUs.
func sizeRows() []optionRow {
	return []optionRow{
		{names: "core-spec", short: "S", arg: RequiredArg, cmds: allCommands, env: env3("CORE_SPEC"), tier: 3, once: true,
			set: number("--core-spec", 0, func(o *JobOptions) *int { return &o.CoreSpec })},
		{names: "cores-per-socket", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_NCORES_PER_SOCKET"), tier: 2, once: true,
			set: number("--cores-per-socket", 1, func(o *JobOptions) *int { return &o.CoresPerSocket })},
		{names: "cpus-per-gpu", arg: RequiredArg, cmds: allCommands, env: env3("CPUS_PER_GPU"), tier: 2, once: true,
			set: number("--cpus-per-gpu", 1, func(o *JobOptions) *int { return &o.CPUsPerGPU })},
		{names: "cpus-per-task", short: "c", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_CPUS_PER_TASK SRUN_CPUS_PER_TASK"), tier: 1, once: true,
			set: number("--cpus-per-task", 1, func(o *JobOptions) *int { return &o.CPUsPerTask })},
		{names: "extra-node-info", short: "B", arg: RequiredArg, cmds: allCommands, tier: 3, once: true, set: setExtraNodeInfo},
		{names: "gpus", short: "G", arg: RequiredArg, cmds: allCommands, env: env3("GPUS"), tier: 1, once: true,
			set: gpus(func(o *JobOptions) *Gres { return &o.GPUs })},
		{names: "gpus-per-node", arg: RequiredArg, cmds: allCommands, env: env3("GPUS_PER_NODE"), tier: 1, once: true,
			set: gpus(func(o *JobOptions) *Gres { return &o.GPUsPerNode })},
		{names: "gpus-per-socket", arg: RequiredArg, cmds: allCommands, env: env3("GPUS_PER_SOCKET"), tier: 3, once: true,
			set: gpus(func(o *JobOptions) *Gres { return &o.GPUsPerSocket })},
		{names: "gpus-per-task", arg: RequiredArg, cmds: allCommands, env: env3("GPUS_PER_TASK"), tier: 1, once: true,
			set: gpus(func(o *JobOptions) *Gres { return &o.GPUsPerTask })},
		{names: "gres", arg: RequiredArg, cmds: allCommands, env: env3("GRES"), tier: 1, once: true, set: setGres},
		{names: "gres-flags", arg: RequiredArg, cmds: allCommands, env: env3("GRES_FLAGS"), tier: 3, once: true, set: setGresFlags},
		{names: "mem", arg: RequiredArg, cmds: allCommands, env: env3("MEM_PER_NODE"), tier: 1,
			set: size(func(o *JobOptions) *MB { return &o.MemPerNode })},
		{names: "mem-per-cpu", arg: RequiredArg, cmds: allCommands, env: env3("MEM_PER_CPU"), tier: 1, once: true,
			set: size(func(o *JobOptions) *MB { return &o.MemPerCPU })},
		{names: "mem-per-gpu", arg: RequiredArg, cmds: allCommands, env: env3("MEM_PER_GPU"), tier: 2, once: true,
			set: size(func(o *JobOptions) *MB { return &o.MemPerGPU })},
		{names: "mem-update", arg: RequiredArg, cmds: allCommands, tier: 3, once: true,
			idle: "memory limits are not lowered while a job runs", set: ignore},
		{names: "mincpus", arg: RequiredArg, cmds: allCommands, tier: 3, once: true,
			set: number("--mincpus", 1, func(o *JobOptions) *int { return &o.MinCPUs })},
		{names: "nodes", short: "N", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_JOB_NUM_NODES"), tier: 1, once: true, set: setNodes},
		{names: "ntasks", short: "n", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_NPROCS SLURM_NTASKS"), tier: 1, once: true,
			set: number("--ntasks", 1, func(o *JobOptions) *int { return &o.NTasks })},
		{names: "ntasks-per-core", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_NTASKS_PER_CORE"), tier: 2, once: true,
			set: number("--ntasks-per-core", 1, func(o *JobOptions) *int { return &o.NTasksPerCore })},
		{names: "ntasks-per-gpu", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_NTASKS_PER_GPU"), tier: 2, once: true,
			set: number("--ntasks-per-gpu", 1, func(o *JobOptions) *int { return &o.NTasksPerGPU })},
		{names: "ntasks-per-node", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_NTASKS_PER_NODE"), tier: 1, once: true,
			set: number("--ntasks-per-node", 1, func(o *JobOptions) *int { return &o.NTasksPerNode })},
		{names: "tasks-per-node", as: "ntasks-per-node", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_NTASKS_PER_NODE"), tier: 1, once: true,
			set: number("--ntasks-per-node", 1, func(o *JobOptions) *int { return &o.NTasksPerNode })},
		{names: "ntasks-per-socket", arg: RequiredArg, cmds: allCommands, tier: 2, once: true,
			set: number("--ntasks-per-socket", 1, func(o *JobOptions) *int { return &o.NTasksPerSocket })},
		{names: "ntasks-per-tres", as: "ntasks-per-gpu", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_NTASKS_PER_TRES"), tier: 3, once: true,
			set: number("--ntasks-per-tres", 1, func(o *JobOptions) *int { return &o.NTasksPerGPU })},
		{names: "overcommit", short: "O", cmds: allCommands, env: env3("OVERCOMMIT"), tier: 2, once: true,
			set: flag(func(o *JobOptions) *bool { return &o.OverCommit })},
		{names: "resources", arg: RequiredArg, cmds: allCommands, tier: 3, once: true,
			idle: "no hierarchical resources are configured", set: ignore},
		{names: "sockets-per-node", arg: RequiredArg, cmds: allCommands, env: envSrun("SLURM_NSOCKETS_PER_NODE"), tier: 3, once: true,
			set: number("--sockets-per-node", 1, func(o *JobOptions) *int { return &o.SocketsPerNode })},
		{names: "thread-spec", arg: RequiredArg, cmds: allCommands, env: env3("THREAD_SPEC"), tier: 3, once: true,
			set: number("--thread-spec", 1, func(o *JobOptions) *int { return &o.ThreadSpec })},
		{names: "threads-per-core", arg: RequiredArg, cmds: allCommands, env: env3("THREADS_PER_CORE"), tier: 2, once: true,
			set: number("--threads-per-core", 1, func(o *JobOptions) *int { return &o.ThreadsPerCore })},
		{names: "tmp", arg: RequiredArg, cmds: allCommands, tier: 2, once: true,
			set: size(func(o *JobOptions) *MB { return &o.TmpDisk })},
		{names: "tres-per-task", arg: RequiredArg, cmds: allCommands, env: env3("TRES_PER_TASK"), tier: 3, once: true,
			set: checked(func(s string) error { _, err := ParseTRES(s); return err }, ErrnoInvalidTRES,
				func(o *JobOptions) *string { return &o.TRESPerTask })},
	}
}

// setNodes reads min[-max] or a list of sizes such as 1,5,9-12:2.
func setNodes(r *optionReader, value string, _ bool) error {
	job := r.job()
	job.NodeSizes = nil
	if strings.ContainsAny(value, ",:") {
		return r.nodeSizes(value)
	}
	low, high, ranged := strings.Cut(value, "-")
	lo, err := r.nodeCount(low, ranged && low == "")
	if err != nil {
		return err
	}
	hi := lo
	if ranged {
		if high == "" {
			return r.errorf(255, "Maximum node count -1 is less than minimum node count %d", lo)
		}
		if hi, err = r.nodeCount(high, false); err != nil {
			return err
		}
		if hi < lo {
			return r.errorf(255, "Maximum node count %d is less than minimum node count %d", hi, lo)
		}
	}
	job.MinNodes, job.MaxNodes = lo, hi
	return nil
}

// nodeCount reads one count; open stands for a range without a lower end.
func (r *optionReader) nodeCount(s string, open bool) (int, error) {
	if open {
		return 1, nil
	}
	n, err := ParseCount(s)
	if err != nil || n > maxNodeCount || strings.TrimRight(s, "0123456789kKmM") != "" {
		return 0, r.errorf(255, `"%s" is not a valid node count`, s)
	}
	return int(n), nil
}

// maxNodeCount bounds --nodes well below overflow.
const maxNodeCount = 1 << 30

// maxNodeSizes bounds how many sizes a list may name.
const maxNodeSizes = 1 << 16

func (r *optionReader) nodeSizes(value string) error {
	var sizes []int
	for _, item := range strings.Split(value, ",") {
		span, stepText, stepped := strings.Cut(item, ":")
		low, high, ranged := strings.Cut(span, "-")
		lo, err := r.nodeCount(low, false)
		if err != nil {
			return err
		}
		hi, step := lo, 1
		if ranged {
			if hi, err = r.nodeCount(high, false); err != nil {
				return err
			}
		}
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 || !ranged {
				return r.errorf(255, `"%s" is not a valid node count`, item)
			}
			step = n
		}
		if hi < lo {
			return r.errorf(255, "Maximum node count %d is less than minimum node count %d", hi, lo)
		}
		if (hi-lo)/step+len(sizes) >= maxNodeSizes {
			return r.errorf(255, `"%s" is not a valid node count`, value)
		}
		for n := lo; n <= hi; n += step {
			sizes = append(sizes, n)
		}
	}
	job := r.job()
	job.NodeSizes = sizes
	job.MinNodes, job.MaxNodes = sizes[0], sizes[0]
	for _, n := range sizes {
		job.MinNodes, job.MaxNodes = min(job.MinNodes, n), max(job.MaxNodes, n)
	}
	return nil
}

// setExtraNodeInfo reads sockets[:cores[:threads]]; a star leaves a part open.
func setExtraNodeInfo(r *optionReader, value string, _ bool) error {
	job := r.job()
	fields := []*int{&job.SocketsPerNode, &job.CoresPerSocket, &job.ThreadsPerCore}
	ordinal := []string{"first", "second", "third"}
	for i, part := range strings.Split(value, ":") {
		if i == len(fields) {
			break
		}
		if part == "" || part == "*" {
			continue
		}
		low, _, _ := strings.Cut(part, "-")
		n, err := ParseCount(low)
		if err != nil || n > maxNodeCount {
			return r.errorf(1, `Invalid numeric value "%s" for %s arg of -B.`, part, ordinal[i])
		}
		*fields[i] = int(n)
	}
	return nil
}

func setGres(r *optionReader, value string, _ bool) error {
	if strings.EqualFold(value, "help") {
		return &HelpText{Gres: true, Text: "A gres is name[[:type]:count], several are separated by commas.\n" +
			"The Gres lines of \"scontrol show node\" say which names and types there are.\n"}
	}
	r.badGres = nil
	r.job().Gres = nil
	if r.emptyGres = value == ""; r.emptyGres {
		return nil
	}
	g, err := ParseGres(value)
	if err != nil {
		r.badGres = err
		return nil
	}
	r.job().Gres = g
	return nil
}

// setGresFlags takes the switches of --gres-flags.
func setGresFlags(r *optionReader, value string, _ bool) error {
	var flags []string
	binding := ""
	for _, word := range strings.Split(value, ",") {
		switch f := strings.ToLower(word); f {
		case "disable-binding", "enforce-binding":
			if binding != "" && binding != f {
				return r.invalid()
			}
			binding = f
			flags = append(flags, f)
			if f == "enforce-binding" {
				r.noEffect("gres-flags="+f, "CPUs near the devices come first, and others where there are too few")
			}
		case "allow-task-sharing", "multiple-tasks-per-sharing", "one-task-per-sharing":
			flags = append(flags, f)
			r.noEffect("gres-flags="+f, whyUnacted)
		default:
			return r.invalid()
		}
	}
	r.job().GresFlags = strings.Join(flags, ",")
	return nil
}
