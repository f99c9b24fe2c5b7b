package sched

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/slurm"
)

// env gathers NAME=value lines; a later one of the same name takes the place of
// an earlier one.
type env struct {
	lines []string
	at    map[string]int
}

func (e *env) set(name, value string) {
	line := name + "=" + value
	if i, ok := e.at[name]; ok {
		e.lines[i] = line
		return
	}
	if e.at == nil {
		e.at = make(map[string]int)
	}
	e.at[name] = len(e.lines)
	e.lines = append(e.lines, line)
}

func (e *env) num(name string, n int64) { e.set(name, strconv.FormatInt(n, 10)) }

// given sets a variable when its value is not empty.
func (e *env) given(name, value string) {
	if value != "" {
		e.set(name, value)
	}
}

// counted sets a variable when its value is not zero.
func (e *env) counted(name string, n int64) {
	if n != 0 {
		e.num(name, n)
	}
}

// BatchEnv returns the variables of a batch job that are the same whatever node
// its script runs on. The node's own (SLURMD_NODENAME, SLURM_NODEID,
// SLURM_CPUS_ON_NODE, SLURM_PROCID, devices, TMPDIR) are the agent's to add.
// components are all components of a heterogeneous job, the leader first, and
// none for other jobs.
func BatchEnv(j *Job, cfg *Config, components ...*Job) []string {
	var e env
	identity(&e, j, cfg)
	owner(&e, j)
	requested(&e, j, false)
	e.set("ENVIRONMENT", "BATCH")
	e.set("SLURM_NODE_ALIASES", "(null)")
	times(&e, j)
	spec := specOf(j)
	if j.ArrayID != 0 {
		e.num("SLURM_ARRAY_JOB_ID", int64(j.ArrayID))
		e.num("SLURM_ARRAY_TASK_ID", int64(j.TaskID))
		e.num("SLURM_ARRAY_TASK_COUNT", int64(j.ArrayAll.Len()))
		e.num("SLURM_ARRAY_TASK_MIN", int64(j.ArrayAll.Min()))
		e.num("SLURM_ARRAY_TASK_MAX", int64(j.ArrayAll.Max()))
		e.num("SLURM_ARRAY_TASK_STEP", int64(arrayStep(j)))
	}
	e.counted("SLURM_RESTART_COUNT", int64(j.Restarts))
	switch spec.OpenMode {
	case "append":
		e.set("SLURM_OPEN_MODE", "a")
	case "truncate":
		e.set("SLURM_OPEN_MODE", "t")
	}
	if spec.Given["export"] && !strings.EqualFold(spec.Export, "ALL") && spec.ExportFile == "" {
		e.set("SLURM_EXPORT_ENV", spec.Export)
	}
	if spec.GetUserEnv != "" || spec.Given["export"] && !strings.EqualFold(spec.Export, "ALL") {
		e.set("SLURM_GET_USER_ENV", "1")
	}
	if len(components) > 1 {
		hetVariables(&e, components, cfg, false)
	}
	return e.lines
}

// arrayStep is the step that the indexes of j's array were asked for with. As in Slurm
// that is what stands behind the first colon, also where it is one range of several.
func arrayStep(j *Job) uint32 {
	if a := specOf(j).Array; a != nil {
		return max(a.Step, 1)
	}
	return max(j.ArrayAll.Stride(), 1)
}

// AllocEnv returns the variables that salloc gives the command it runs.
func AllocEnv(j *Job, cfg *Config, components ...*Job) []string {
	var e env
	identity(&e, j, cfg)
	requested(&e, j, true)
	e.set("SLURM_NODE_ALIASES", "(null)")
	if len(components) > 1 {
		hetVariables(&e, components, cfg, true)
	}
	return e.lines
}

// StepEnv returns the variables of a step's tasks that are the same for all of
// them, to be put over what the step's command line came with. opts is what srun
// was asked for.
func StepEnv(j *Job, s *Step, opts *slurm.JobOptions, cfg *Config) []string {
	var e env
	identity(&e, j, cfg)
	owner(&e, j)
	times(&e, j)
	names := make([]NodeName, len(s.Nodes))
	counts := make([]int, len(s.Nodes))
	for i, n := range s.Nodes {
		names[i], counts[i] = n.Node, len(n.Ranks)
	}
	perNode := slurm.FormatRunLengths(counts)
	e.num("SLURM_NNODES", int64(len(s.Nodes)))
	e.num("SLURM_NTASKS", int64(s.Tasks))
	e.num("SLURM_NPROCS", int64(s.Tasks))
	e.set("SLURM_TASKS_PER_NODE", perNode)
	e.set("SLURM_STEP_ID", s.ID.String())
	e.set("SLURM_STEPID", s.ID.String())
	e.set("SLURM_STEP_NODELIST", nodeListText(names))
	e.num("SLURM_STEP_NUM_NODES", int64(len(s.Nodes)))
	e.num("SLURM_STEP_NUM_TASKS", int64(s.Tasks))
	e.set("SLURM_STEP_TASKS_PER_NODE", perNode)
	spec := specOf(j)
	if opts == nil {
		opts = &slurm.JobOptions{}
	}
	if opts.JobID != "" || opts.MemPerNode > 0 || opts.MemPerCPU > 0 {
		distribution(&e, s.Distribution)
	} else { // srun's own job: as in Slurm it tells what was asked for, and, but with an amount of memory, not what came of it
		distribution(&e, opts.Distribution)
	}
	cpt := opts.CPUsPerTask
	if cpt == 0 && spec.Given["cpus-per-task"] {
		cpt = spec.CPUsPerTask
	}
	e.counted("SLURM_CPUS_PER_TASK", int64(cpt))
	if opts.Given["job-name"] {
		e.set("SLURM_JOB_NAME", s.Name)
	}
	stepAsked(&e, opts)
	if opts.Step.Label {
		e.set("SLURM_LABELIO", "1")
	}
	if opts.OverCommit {
		e.set("SLURM_OVERCOMMIT", "1")
	}
	e.given("SLURM_CPU_FREQ_REQ", capitals(opts.CPUFreq))
	e.counted("SLURM_NTASKS_PER_TRES", int64(opts.NTasksPerGPU))
	if j.ArrayID != 0 {
		e.num("SLURM_ARRAY_JOB_ID", int64(j.ArrayID))
		e.num("SLURM_ARRAY_TASK_ID", int64(j.TaskID))
	}
	e.given("SLURM_JOB_RESERVATION", j.ReservationName())
	return e.lines
}

// identity names the job and its nodes.
func identity(e *env, j *Job, cfg *Config) {
	nodes := nodeListText(j.Nodes())
	cpus := ShownCPUs(j, cfg)
	e.given("SLURM_CLUSTER_NAME", conf(cfg).ClusterName)
	e.set("SLURM_JOB_ID", j.ID.String())
	e.set("SLURM_JOBID", j.ID.String())
	if specOf(j).ExportFile == "" { // the file stands for what sbatch itself would say
		e.set("SLURM_JOB_NAME", j.Name)
	}
	e.given("SLURM_JOB_ACCOUNT", j.Account)
	e.given("SLURM_JOB_QOS", j.QOS)
	e.set("SLURM_JOB_PARTITION", string(j.Partition))
	e.set("SLURM_JOB_NODELIST", nodes)
	e.set("SLURM_NODELIST", nodes)
	e.num("SLURM_JOB_NUM_NODES", int64(len(j.Alloc)))
	e.num("SLURM_NNODES", int64(len(j.Alloc)))
	e.set("SLURM_JOB_CPUS_PER_NODE", slurm.FormatRunLengths(cpus))
	e.set("SLURM_TASKS_PER_NODE", slurm.FormatRunLengths(tasksPerNode(j, cfg)))
	if !specOf(j).Given["chdir"] {
		e.given("SLURM_SUBMIT_DIR", j.WorkDir)
	}
	e.given("SLURM_SUBMIT_HOST", j.SubmitHost)
}

func owner(e *env, j *Job) {
	e.num("SLURM_JOB_UID", int64(j.UID))
	e.num("SLURM_JOB_GID", int64(j.GID))
	e.given("SLURM_JOB_USER", j.User)
}

// times tells when the job started and when it must end.
func times(e *env, j *Job) {
	unix := func(name string, t time.Time) {
		if !t.IsZero() {
			e.num(name, t.Unix())
		}
	}
	unix("SLURM_JOB_START_TIME", j.Start)
	if j.TimeLimit != slurm.Unlimited {
		unix("SLURM_JOB_END_TIME", j.End)
	}
}

// requested repeats what was asked of the job. In a batch job the memory is told
// even when it is the default; salloc tells only what it was asked for.
func requested(e *env, j *Job, askedOnly bool) {
	s, n := specOf(j), &j.Need
	if tasksKnown(j) {
		tasks := n.Tasks
		if n.TasksPerNode > 0 && s.NTasks == 0 {
			tasks = n.TasksPerNode * len(j.Alloc)
		}
		e.num("SLURM_NTASKS", int64(tasks))
		e.num("SLURM_NPROCS", int64(tasks))
	}
	if s.Given["cpus-per-task"] {
		e.num("SLURM_CPUS_PER_TASK", int64(s.CPUsPerTask))
	}
	switch {
	case s.MemPerGPU > 0:
		e.num("SLURM_MEM_PER_GPU", int64(s.MemPerGPU))
	case askedOnly && !s.Given["mem"] && !s.Given["mem-per-cpu"], n.MemAllOfNode:
	case n.MemPerCPU > 0:
		e.num("SLURM_MEM_PER_CPU", int64(n.MemPerCPU))
	case n.MemPerNode > 0:
		e.num("SLURM_MEM_PER_NODE", int64(n.MemPerNode))
	}
	e.counted("SLURM_NTASKS_PER_NODE", int64(s.NTasksPerNode))
	e.counted("SLURM_NTASKS_PER_CORE", int64(s.NTasksPerCore))
	e.counted("SLURM_NTASKS_PER_SOCKET", int64(s.NTasksPerSocket))
	e.counted("SLURM_NTASKS_PER_GPU", int64(s.NTasksPerGPU))
	e.given("SLURM_GPUS", gpuText(s.GPUs))
	e.given("SLURM_GPUS_PER_NODE", gpuText(s.GPUsPerNode))
	e.given("SLURM_GPUS_PER_TASK", gpuText(s.GPUsPerTask))
	e.given("SLURM_GPUS_PER_SOCKET", gpuText(s.GPUsPerSocket))
	e.counted("SLURM_CPUS_PER_GPU", int64(s.CPUsPerGPU))
	e.given("SLURM_GPU_BIND", s.GPUBind)
	e.given("SLURM_GPU_FREQ", s.GPUFreq)
	e.given("SLURM_TRES_PER_TASK", s.TRESPerTask)
	distribution(e, s.Distribution)
	if arbitrary(s.Distribution) {
		e.set("SLURM_ARBITRARY_NODELIST", nodeListText(n.NodeList))
	}
	e.given("SLURM_HINT", s.Hint)
	switch {
	case s.ThreadsPerCore > 0:
		e.num("SLURM_THREADS_PER_CORE", int64(s.ThreadsPerCore))
	case s.Hint == "nomultithread":
		e.num("SLURM_THREADS_PER_CORE", 1)
	}
	if s.OverCommit {
		e.set("SLURM_OVERCOMMIT", "1")
	}
	e.given("SLURM_CPU_FREQ_REQ", capitals(s.CPUFreq))
	e.given("SLURM_MEM_BIND", s.MemBind)
	e.given("SLURM_PROFILE", capitals(s.Profile))
	e.given("SLURM_NETWORK", s.Network)
	e.given("SLURM_JOB_RESERVATION", s.Reservation)
	e.given("SLURM_JOB_LICENSES", s.Licenses)
	e.given("SLURM_CONTAINER", s.Container)
	e.given("SLURM_CONTAINER_ID", s.ContainerID)
	if !s.Dependency.IsZero() {
		e.set("SLURM_JOB_DEPENDENCY", s.Dependency.String())
	}
}

// tasksKnown reports whether the number of tasks was asked for, or follows from
// what was.
func tasksKnown(j *Job) bool {
	s := specOf(j)
	return s.Given["ntasks"] || j.Need.TasksPerNode > 0 || s.NTasksPerGPU > 0 || len(s.GPUsPerTask) > 0
}

// tasksPerNode says how many tasks each node is for: those asked for, or as many
// as it has CPUs for.
func tasksPerNode(j *Job, cfg *Config) []int {
	cpus := ShownCPUs(j, cfg)
	counts := make([]int, len(j.Alloc))
	for i := range j.Alloc {
		a := &j.Alloc[i]
		counts[i] = max(a.Tasks, 1)
		if !tasksKnown(j) {
			counts[i] = max(cpus[i]/max(j.Need.CPUsPerTask, 1), 1)
		}
	}
	return counts
}

// distribution splits plane=N as Slurm does into two variables.
func distribution(e *env, d string) {
	if len(d) > 6 && strings.EqualFold(d[:6], "plane=") {
		e.set("SLURM_DISTRIBUTION", "plane")
		e.set("SLURM_DIST_PLANESIZE", d[6:])
		return
	}
	nodes, rest, more := strings.Cut(d, ":")
	if nodes == "*" {
		nodes = "block"
	}
	if more {
		nodes += ":" + rest
	}
	e.given("SLURM_DISTRIBUTION", strings.ToLower(nodes))
}

// arbitrary reports whether a distribution leaves it to a list of nodes where
// each task runs.
func arbitrary(d string) bool {
	first, _, _ := strings.Cut(d, ":")
	return strings.EqualFold(first, "arbitrary")
}

// gpuText writes GPUs as the options of the --gpus family take them: a count, or
// type:count.
func gpuText(g slurm.Gres) string {
	parts := make([]string, len(g))
	for i, item := range g {
		parts[i] = strconv.FormatInt(item.Count, 10)
		if item.Type != "" {
			parts[i] = item.Type + ":" + parts[i]
		}
	}
	return strings.Join(parts, ",")
}

// capitals writes each word of a comma separated list with a capital, as Slurm
// shows the values of some options.
func capitals(list string) string {
	words := strings.Split(list, ",")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, ",")
}

// hetNames are the variables that each component of a heterogeneous job has a
// copy of.
var hetNames = []string{
	"SLURM_JOB_ACCOUNT", "SLURM_JOB_CPUS_PER_NODE", "SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_JOB_NODELIST",
	"SLURM_JOB_NUM_NODES", "SLURM_JOB_PARTITION", "SLURM_JOB_QOS", "SLURM_MEM_PER_CPU", "SLURM_MEM_PER_NODE",
	"SLURM_NPROCS", "SLURM_NTASKS", "SLURM_TASKS_PER_NODE", "SLURM_CPUS_PER_TASK", "SLURM_NTASKS_PER_NODE",
}

// hetAllocNames are those that salloc's command has beside them.
var hetAllocNames = []string{"SLURM_JOBID", "SLURM_NNODES", "SLURM_NODELIST", "SLURM_NODE_ALIASES"}

// hetVariables adds the number of components and, for each, a copy of what tells
// them apart.
func hetVariables(e *env, components []*Job, cfg *Config, alloc bool) {
	e.num("SLURM_HET_SIZE", int64(len(components)))
	for i, j := range components {
		var own env
		identity(&own, j, cfg)
		requested(&own, j, alloc)
		if alloc {
			own.set("SLURM_NODE_ALIASES", "(null)")
		}
		for _, line := range own.lines {
			name, value, _ := strings.Cut(line, "=")
			if slices.Contains(hetNames, name) || alloc && slices.Contains(hetAllocNames, name) {
				e.set(name+"_HET_GROUP_"+strconv.Itoa(i), value)
			}
		}
	}
}

// specOf is what was asked of a job; never nil.
func specOf(j *Job) *slurm.JobOptions {
	if j.Spec == nil {
		return &slurm.JobOptions{}
	}
	return j.Spec
}
