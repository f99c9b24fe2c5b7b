package noded

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/taskenv"
	"github.com/runink/rink/slice"
	"github.com/runink/rink/slurm"
)

// launchStep starts the tasks of a step on this node, once however often it is
// told to.
func (a *Agent) launchStep(ctx context.Context, order *rinkpb.LaunchStep) {
	j := a.enter(order.Here)
	if j == nil {
		return
	}
	id := stepSliceID(j.key, order.Step)
	j.mu.Lock()
	if j.slices[id] != nil || j.ending || j.stepsDone[order.Step] {
		j.mu.Unlock()
		return
	}
	a.confine.chooseStep(j, order)
	r := &running{id: id, step: order}
	r.io = newTaskIO(a, j, order)
	j.slices[id] = r
	j.mu.Unlock()
	err := a.spool.put(j.key, fmt.Sprintf("step.%d", order.Step), order)
	if err == nil && !a.spool.has(j.key, "job") {
		err = a.spool.put(j.key, "job", j.noted(order.Here))
	}
	if err != nil {
		a.launchFailed(j, id, order, "spool", err, false)
		return
	}
	a.wg.Go(func() {
		if err := a.prolog(ctx, j); err != nil {
			if ctx.Err() != nil {
				return
			}
			a.launchFailed(j, id, order, "prolog", err, true)
			return
		}
		if err := a.readyMPS(ctx, j); err != nil {
			if ctx.Err() == nil {
				a.launchFailed(j, id, order, "mps", err, true)
			}
			return
		}
		if err := a.startPMIx(ctx, j, r.io.pmix); err != nil {
			if ctx.Err() == nil {
				a.launchFailed(j, id, order, "mpi", err, false)
			}
			return
		}
		if err := a.openDisplay(j, order, r.io); err != nil {
			a.launchFailed(j, id, order, "x11", fmt.Errorf("x11 forwarding: %w", err), false)
			return
		}
		if order.X11Display > 0 {
			if err := a.spool.put(j.key, fmt.Sprintf("step.%d", order.Step), order); err != nil {
				a.launchFailed(j, id, order, "spool", err, false)
				return
			}
		}
		spec, words, err := a.stepSpec(j, order)
		if err != nil {
			a.launchFailed(j, id, order, "setup", err, false)
			return
		}
		r.io.pmix.tellTasks(spec)
		if order.Join {
			if err := a.joinRunning(ctx, j, id, spec, order); err != nil {
				a.launchFailed(j, id, order, "join", err, false)
				return
			}
		} else if err := a.intoContainer(j, id, spec, order.Container, "", order.Chdir); err != nil {
			a.launchFailed(j, id, order, "container", err, false)
			return
		}
		if told := a.gear.setClocks(id, order); told != "" {
			words = append(words, told)
		}
		if len(words) > 0 {
			r.io.queue(&rinkpb.StepDown{Messages: words})
		}
		if a.startSlice(ctx, j, id, order, spec) {
			r.io.attach(ctx)
		} else if ctx.Err() == nil {
			a.gear.clearClocks(id)
		}
	})
}

// stepSpec is the slice of a step's tasks on this node, and what is to be said of how
// they are bound.
func (a *Agent) stepSpec(j *job, order *rinkpb.LaunchStep) (*slice.Spec, []string, error) {
	spec, err := a.baseSpec(j, stepSliceID(j.key, order.Step), "step_"+strconv.FormatUint(uint64(order.Step), 10))
	if err != nil {
		return nil, nil, err
	}
	if len(order.Tasks) == 0 {
		return nil, nil, fmt.Errorf("step %d.%d has no task for node %s", j.key.job, order.Step, a.conf.Node)
	}
	spec.Nice = niceOf(a.liveConf(), order.Env)
	spec.Umask = uint32(order.Here.Umask) & 0o777
	if spec.Rlimits, err = rlimits(order.Here.Rlimits); err != nil {
		return nil, nil, err
	}
	spec.Pty = slice.Winsize{Rows: uint16(order.Rows), Cols: uint16(order.Cols)}
	common := taskenv.New(order.Env)
	a.nodeEnv(common, j)
	common.Set("SLURM_NODEID", strconv.Itoa(int(order.StepNodeIndex)))
	cpus := order.Here.Cpus
	if order.Cpus > 0 {
		cpus = order.Cpus
	}
	common.Set("SLURM_CPUS_ON_NODE", strconv.Itoa(int(cpus)))
	var ranks []string
	for _, t := range order.Tasks {
		ranks = append(ranks, strconv.Itoa(int(t.Rank+order.RankOffset)))
	}
	common.Set("SLURM_GTIDS", strings.Join(ranks, ","))
	if order.GpuFreq != "" {
		common.Set("SLURMD_TRES_FREQ", "gpu:"+order.GpuFreq)
	}
	envs := make([]*taskenv.Env, len(order.Tasks))
	for i := range envs {
		envs[i] = common.Clone()
	}
	cpuLists, memory := make([]string, len(order.Tasks)), make([]memoryBind, len(order.Tasks))
	var tied *bound
	if a.confine.binds() {
		if tied, err = a.confine.bind(order, j.here.CpuSet); err != nil {
			return nil, nil, err
		}
		cpuLists = tied.cpus
		for _, env := range envs {
			tied.tell(env)
		}
		memory = bindMemory(order.MemBind, a.confine.machine, cpusOf(cpuLists, cmp.Or(order.CpuSet, j.here.CpuSet)))
	}
	words := a.gear.tellTasks(envs, order, cpusOf(cpuLists, cmp.Or(order.CpuSet, j.here.CpuSet)), a.gear.shuts(spec, order.Here))
	for _, env := range envs {
		a.tellMPS(env, j)
		a.tellDisplay(env, j, order)
	}
	// The step is kept from what its job has and it has not.
	if n := len(spec.Cgroup.Levels); n > 0 {
		own := &spec.Cgroup.Levels[n-1].Limits
		own.Devices = a.gear.rules(false, heldByStep(order))
		a.confine.limitStep(own, order)
	}
	for i, t := range order.Tasks {
		names := a.fileNames(j, slurm.StepID(order.Step), int(t.Rank), int(order.StepNodeIndex))
		env := envs[i]
		env.Set("SLURM_PROCID", strconv.Itoa(int(t.Rank+order.RankOffset)))
		env.Set("SLURM_LOCALID", strconv.Itoa(int(t.Local)))
		var socket slice.Task
		if speaksPMI(order) {
			pmiTask(order, &socket, env, t.Rank)
		}
		for _, kv := range t.Env {
			if name, value, ok := strings.Cut(kv, "="); ok {
				env.Set(name, value)
			}
		}
		argv := t.Argv
		if len(argv) > 0 && strings.HasPrefix(argv[0], ".") && strings.Contains(argv[0], "/") {
			argv = append([]string{order.Cwd + "/" + argv[0]}, argv[1:]...) // and that is its name: so does Slurm
		}
		task := slice.Task{
			Argv: argv, Env: env.List(), PidEnv: taskPidEnv, Dir: order.Cwd, FallbackDir: "/tmp",
			DirNote: dirNote(order.Cwd, i == 0), SocketEnv: socket.SocketEnv, CPUs: cpuLists[i],
			MemoryNodes: memory[i].nodes, MemoryPrefer: memory[i].prefer,
			Note: a.bindNote(order, t, tied, cpuLists[i], memory[i]),
		}
		if order.Pty && i == 0 && t.Rank == 0 {
			pty := slice.Stream{Kind: slice.StreamPTY}
			task.Stdin, task.Stdout, task.Stderr = pty, pty, pty
			spec.Tasks = append(spec.Tasks, task)
			continue
		}
		if order.Pty { // the terminal is the first task's alone
			null := slice.Stream{Kind: slice.StreamNull}
			task.Stdin, task.Stdout, task.Stderr = null, null, null
			spec.Tasks = append(spec.Tasks, task)
			continue
		}
		task.Stdin = stepInput(order, t, names)
		task.Stdout = stepOutput(order.Output, names, order.Append)
		switch {
		case order.Error == "" && task.Stdout.Kind != slice.StreamPipe:
			task.Stderr = slice.Stream{Kind: slice.StreamStdout}
		case order.Error != "" && order.Error == order.Output:
			task.Stderr = slice.Stream{Kind: slice.StreamStdout}
		default:
			task.Stderr = stepOutput(order.Error, names, order.Append)
		}
		spec.Tasks = append(spec.Tasks, task)
	}
	return spec, words, nil
}

// cpusOf reads the CPUs each task is bound to, or else those of the step.
func cpusOf(lists []string, step string) [][]int {
	out := make([][]int, len(lists))
	for i, text := range lists {
		set, err := slurm.ParseIndexSet(cmp.Or(text, step), 1<<16)
		if err != nil {
			continue // not bound
		}
		for c := range set.All() {
			out[i] = append(out[i], int(c))
		}
	}
	return out
}

// stepInput is where a task's standard input comes from: srun, which feeds one
// task or all, or a file read on this node.
func stepInput(order *rinkpb.LaunchStep, t *rinkpb.TaskHere, names slurm.FileNameValues) slice.Stream {
	switch {
	case order.Input == "none" || order.Input == "/dev/null":
		return slice.Stream{Kind: slice.StreamNull}
	case order.Input != "" && order.Input != "all" && !isNumber(order.Input):
		return slice.Stream{Kind: slice.StreamFile, Path: slurm.ExpandFileName(order.Input, names)}
	case !order.Stdin || order.StdinTask >= 0 && order.StdinTask != t.Rank:
		return slice.Stream{Kind: slice.StreamNull}
	}
	return slice.Stream{Kind: slice.StreamPipe}
}

// stepOutput is where a task's output goes: to srun, to nobody, or to a file
// opened on this node. One name for several tasks is one file.
func stepOutput(pattern string, names slurm.FileNameValues, appendTo bool) slice.Stream {
	switch {
	case pattern == "" || pattern == "all":
		return slice.Stream{Kind: slice.StreamPipe}
	case pattern == "none" || pattern == "/dev/null":
		return slice.Stream{Kind: slice.StreamNull}
	case isNumber(pattern):
		if n, _ := strconv.Atoi(pattern); n != names.Rank {
			return slice.Stream{Kind: slice.StreamNull}
		}
		return slice.Stream{Kind: slice.StreamPipe}
	}
	return slice.Stream{Kind: slice.StreamFile, Path: slurm.ExpandFileName(pattern, names), Append: appendTo}
}

func isNumber(s string) bool {
	_, err := strconv.Atoi(s)
	return err == nil
}
