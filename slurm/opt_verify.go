package slurm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// verify checks that the options of a component go together and draws the
// conclusions Slurm's commands draw before they submit.
func (r *optionReader) verify() error {
	for _, check := range []func() error{
		r.verifyVolume,
		r.verifyMemory,
		r.verifyTasksPerGPU,
		r.verifySpecialization,
		r.verifyHint,
		r.verifyTimes,
		r.verifyStep,
		r.verifyNodes,
		r.verifyTasks,
		r.verifyGres,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	job := r.job()
	if r.given("mincpus") && job.MinCPUs < job.CPUsPerTask {
		job.MinCPUs = job.CPUsPerTask
	}
	if r.cmd == Srun && !r.given("cpu-bind") {
		r.hintBinds()
	}
	r.nameJob()
	return nil
}

func (r *optionReader) given(name string) bool { return r.out.Job.Given[name] }

// forget takes an option back, as if it had not been given.
func (r *optionReader) forget(name string) {
	delete(r.out.Job.Given, name)
	delete(r.out.From, name)
	delete(r.out.Said, name)
	r.settings = slices.DeleteFunc(r.settings, func(s setting) bool { return s.row.name() == name })
}

func (r *optionReader) verifyVolume() error {
	if r.out.Client.Quiet > 0 && r.out.From["verbose"] != FromEnvironment && r.out.Client.Verbose > 0 {
		return r.errorf(1, "don't specify both --verbose (-v) and --quiet (-Q)")
	}
	return nil
}

// verifyMemory lets only one of --mem, --mem-per-cpu and --mem-per-gpu stand.
// One from the script or the command line overrides those of the environment.
func (r *optionReader) verifyMemory() error {
	job := r.job()
	names := []string{"mem", "mem-per-cpu", "mem-per-gpu"}
	fields := []*MB{&job.MemPerNode, &job.MemPerCPU, &job.MemPerGPU}
	stated, fromEnv := 0, 0
	for _, name := range names {
		switch r.out.From[name] {
		case FromNowhere:
		case FromEnvironment:
			fromEnv++
		default:
			stated++
		}
	}
	switch {
	case stated > 1:
		return fatalError(r.program, "--mem, --mem-per-cpu, and --mem-per-gpu are mutually exclusive.")
	case stated == 0 && fromEnv > 1:
		return fatalError(r.program, "SLURM_MEM_PER_CPU, SLURM_MEM_PER_GPU, and SLURM_MEM_PER_NODE are mutually exclusive.")
	case stated == 1:
		for i, name := range names {
			if r.out.From[name] == FromEnvironment {
				*fields[i] = 0
				r.forget(name)
			}
		}
	}
	return nil
}

// verifyTasksPerGPU keeps --ntasks-per-gpu from what it contradicts.
func (r *optionReader) verifyTasksPerGPU() error {
	if !r.given("ntasks-per-gpu") {
		return nil
	}
	for _, other := range []string{"gpus-per-task", "gpus-per-socket", "ntasks-per-node"} {
		if !r.given(other) {
			continue
		}
		if r.out.From["ntasks-per-gpu"] == FromEnvironment && r.out.From[other] != FromEnvironment {
			r.job().NTasksPerGPU = 0
			r.forget("ntasks-per-gpu")
			return nil
		}
		return fatalError(r.program, "--%s is mutually exclusive with --ntasks-per-gpu and SLURM_NTASKS_PER_GPU", other)
	}
	return nil
}

func (r *optionReader) verifySpecialization() error {
	if r.given("core-spec") && r.given("thread-spec") {
		return fatalError(r.program, "-S/--core-spec and --thred-spec options are mutually exclusive")
	}
	return nil
}

// verifyHint drops a hint where the finer options say the same thing exactly. One
// that stays stands for all that is asked of sockets and cores.
func (r *optionReader) verifyHint() error {
	job := r.job()
	if job.Hint == "" {
		return nil
	}
	binds := job.CPUBind != "" && !bindsVolumeOnly(job.CPUBind)
	if r.given("ntasks-per-core") || r.given("threads-per-core") || r.given("extra-node-info") || binds {
		if r.out.Client.Verbose > 0 && !binds {
			r.notice(false, "Following options are mutually exclusive with --hint: --ntasks-per-core, --threads-per-core, -B"+
				" and --cpu-bind (other then --cpu-bind=verbose). Ignoring --hint.")
		}
		job.Hint = ""
		r.forget("hint")
		return nil
	}
	// A hint says which sockets and cores are used, whatever is said beside it.
	job.SocketsPerNode, job.CoresPerSocket = 0, 0
	r.forget("sockets-per-node")
	r.forget("cores-per-socket")
	return nil
}

// hintBinds is the binding that the threads of a core or a hint come to.
func (r *optionReader) hintBinds() {
	job := r.job()
	switch {
	case strings.Contains(job.Hint, "_bound"):
		job.CPUBind, job.ThreadsPerCore = "cores", max(job.ThreadsPerCore, 1)
	case job.ThreadsPerCore > 0 || strings.Contains(job.Hint, "multithread"):
		job.CPUBind = "threads"
	}
}

// bindsVolumeOnly reports whether a binding says no more than quiet or verbose.
func bindsVolumeOnly(bind string) bool {
	for _, word := range strings.Split(strings.ToLower(bind), ",") {
		switch word {
		case "q", "quiet", "v", "verbose":
		default:
			return false
		}
	}
	return true
}

func (r *optionReader) verifyTimes() error {
	job := r.job()
	if !job.Deadline.IsZero() && !job.Begin.IsZero() && job.Deadline.Before(job.Begin) {
		return r.errorf(1, "Incompatible begin and deadline time specification")
	}
	return nil
}

// verifyStep checks what only srun has.
func (r *optionReader) verifyStep() error {
	job := r.job()
	switch {
	case job.Step.Exact && job.Step.Whole:
		return r.errorf(1, "--exact and --whole are mutually exclusive.")
	case job.Step.NoAllocate && job.NodeList == "":
		return r.errorf(1, "must specify a node list with -Z, --no-allocate.")
	case r.given("relative") && job.JobID == "":
		return fatalError(r.program, "--relative option invalid for job allocation request")
	}
	return nil
}

// verifyNodes makes the node counts and the required nodes agree.
func (r *optionReader) verifyNodes() error {
	job := r.job()
	path, hasFile := r.in.env("SLURM_HOSTFILE")
	if r.cmd == Srun {
		if hasFile && path != "" && job.NodeList == "" && !r.given("distribution") {
			job.Distribution = "arbitrary"
		}
		if job.Distribution == "arbitrary" && r.out.From["distribution"] == FromCommandLine && r.out.From["ntasks"] == FromEnvironment {
			job.NTasks = 0 // the hosts say how many
			r.forget("ntasks")
		}
	}
	if job.Distribution == "arbitrary" && job.NodeList == "" {
		if !hasFile {
			if r.cmd == Srun {
				return r.errorf(1, "invalid number of tasks (-n %d)", job.NTasks)
			}
			return r.errorf(1, "With Arbitrary distribution you need to specify a nodelist or hostfile with the -w option")
		}
		list, err := r.nodeFile(path)
		var bad *OptionError
		if errors.As(err, &bad) && r.cmd == Srun {
			bad.Lines = append(bad.Lines, r.program+": error: Failure getting NodeNames from hostfile")
		}
		if err != nil {
			return err
		}
		if hosts, ok := hostsOf(list); ok && r.cmd == Srun && job.NTasks > 0 {
			if hosts.Len() < job.NTasks {
				return r.errorf(1, "Too few NodeNames in Slurm Hostfile\n%s: error: Failure getting NodeNames from hostfile", r.program)
			}
			list = HostListOf(hosts.Hosts()[:job.NTasks]...).String()
		}
		job.NodeList = list
	}
	if r.given("nodes") && job.MinNodes == 0 && job.MaxNodes == 0 {
		r.refuse(ErrnoInvalidNodeCount, fmt.Errorf("cannot use no nodes"))
	}
	if r.emptyGres {
		r.refuse(ErrnoInvalidTRES, fmt.Errorf("cannot use an empty list of generic resources"))
	}
	if r.given("nodelist") && job.NodeList == "" {
		r.refuse(ErrnoInvalidNodeCount, fmt.Errorf("cannot use a list of no nodes"))
	}
	hosts, ok := hostsOf(job.NodeList)
	if !ok {
		return nil
	}
	if job.Distribution == "arbitrary" && job.NTasks == 0 {
		job.NTasks = hosts.Len()
		job.Given["ntasks"] = true
	}
	if r.cmd == Srun {
		if job.MaxNodes > 0 && hosts.Len() > job.MaxNodes && job.Distribution != "arbitrary" {
			r.notice(true, fmt.Sprintf("Required nodelist includes more nodes than permitted by max-node count (%d > %d). Eliminating nodes from the nodelist.",
				hosts.Len(), job.MaxNodes))
			job.NodeList = HostListOf(hosts.Unique().Hosts()[:min(job.MaxNodes, hosts.Unique().Len())]...).String()
			hosts, _ = hostsOf(job.NodeList)
		}
	}
	job.MinNodes = max(job.MinNodes, hosts.Unique().Len())
	if job.MaxNodes > 0 && job.MinNodes > job.MaxNodes {
		return r.errorf(1, "invalid number of nodes (-N %d-%d)", job.MinNodes, job.MaxNodes)
	}
	return nil
}

// verifyTasks derives the number of tasks from the nodes, or the other way round.
func (r *optionReader) verifyTasks() error {
	job := r.job()
	fixed := job.MaxNodes == 0 || job.MinNodes == job.MaxNodes
	nodes := max(job.MinNodes, 1)
	switch {
	case job.NTasks == 0 && job.NTasksPerNode > 0 && fixed:
		job.NTasks = nodes * job.NTasksPerNode
		job.Given["ntasks"] = true
	case job.NTasks == 0 && (job.MinNodes > 0 || r.given("extra-node-info")) && fixed:
		job.NTasks = nodes
		if job.SocketsPerNode > 0 || job.CoresPerSocket > 0 || job.ThreadsPerCore > 0 {
			for _, n := range []int{job.SocketsPerNode, job.CoresPerSocket, job.ThreadsPerCore} {
				job.NTasks *= max(n, 1)
			}
			job.Given["ntasks"] = true
		}
	case job.NTasks > 0 && job.NTasks < job.MinNodes:
		r.notice(false, fmt.Sprintf("Warning: can't run %d processes on %d nodes, setting nnodes to %d", job.NTasks, job.MinNodes, job.NTasks))
		job.MinNodes = job.NTasks
		if hosts, ok := hostsOf(job.NodeList); ok && hosts.Unique().Len() > job.NTasks {
			job.NodeList = HostListOf(hosts.Unique().Hosts()[:job.NTasks]...).String()
		}
	}
	if job.NTasks > 0 && r.given("nodes") && job.MaxNodes > job.NTasks {
		job.MaxNodes = job.NTasks
	}
	if r.cmd == Srun && r.given("nodes") && r.given("ntasks-per-node") && r.out.From["ntasks"] != FromNowhere &&
		job.NTasksPerNode != job.NTasks/nodes {
		if job.NTasks > job.NTasksPerNode {
			r.notice(false, fmt.Sprintf("Warning: can't honor --ntasks-per-node set to %d which doesn't match the requested tasks %d"+
				" with the number of requested nodes %d. Ignoring --ntasks-per-node.", job.NTasksPerNode, job.NTasks, nodes))
		}
		job.NTasksPerNode = 0
		r.forget("ntasks-per-node")
	}
	return nil
}

// nameJob gives a job without a name the one Slurm gives it.
func (r *optionReader) nameJob() {
	job := r.job()
	if r.given("job-name") {
		return
	}
	switch {
	case r.cmd == Salloc:
		job.Name = "interactive"
	case r.cmd == Sbatch && r.wrapped:
		job.Name = "wrap"
	case len(r.out.Command) > 0:
		job.Name = r.out.Command[0][strings.LastIndexByte(r.out.Command[0], '/')+1:]
	case r.cmd == Sbatch:
		job.Name = "sbatch"
	}
}
