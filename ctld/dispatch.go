package ctld

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// dispatchStart sends a started job's batch script to its first node. Jobs
// without a script (salloc, srun) have nothing to start until a step comes. Of a
// heterogeneous job the first component alone has the script.
func (s *Server) dispatchStart(j *sched.Job) {
	if len(j.Alloc) == 0 || j.State.Has(slurm.JobPowerUpNode) {
		return
	}
	waits := j.State.Has(slurm.JobConfiguring)
	s.prepare(j)
	if !j.Batch || j.HetOffset > 0 || waits && !s.launchesEarly() {
		return
	}
	if order := s.launchOrder(j); order != nil {
		s.sessions.send(j.Alloc[0].Node, order)
	}
}

// dispatchChange tells the agents what a change of a record asks of them: to
// end what is left of a job that ended, to stop or continue a suspended one.
func (s *Server) dispatchChange(old, cur *sched.Job) {
	if cur == nil {
		return
	}
	ending := cur.State.Has(slurm.JobCompleting)
	if ending && (old == nil || !old.State.Has(slurm.JobCompleting)) {
		for _, n := range cur.Completing {
			order := s.endOrder(cur)
			// What is stopped takes no leave.
			order.GetEnd().Now = old != nil && old.State.Base() == slurm.JobSuspended
			s.sessions.send(n, order)
		}
		return
	}
	if old == nil {
		return
	}
	if !ending && len(cur.Alloc) < len(old.Alloc) && old.Holds() && cur.Holds() {
		s.leaveNodes(old, cur)
	}
	if inGrace(cur) && !inGrace(old) {
		s.warnPreempted(time.Now())
	}
	was, is := old.State.Base() == slurm.JobSuspended, cur.State.Base() == slurm.JobSuspended
	if was != is && !ending && (is || cur.State.Base() == slurm.JobRunning) {
		for _, n := range cur.Nodes() {
			s.sessions.send(n, &rinkpb.Order{Order: &rinkpb.Order_Suspend{Suspend: &rinkpb.SuspendJob{
				Job: uint32(cur.ID), Restarts: cur.Restarts, Resume: !is, Grace: suspendGrace(s.liveConf()).Milliseconds(),
			}}})
		}
	}
}

// leaveNodes tells the agents of nodes that a job has no more, and goes on without, to
// end what it has there.
func (s *Server) leaveNodes(old, cur *sched.Job) {
	for _, a := range old.Alloc {
		if !slices.ContainsFunc(cur.Alloc, func(b sched.NodeAlloc) bool { return b.Node == a.Node }) {
			s.sessions.send(a.Node, &rinkpb.Order{Order: &rinkpb.Order_End{End: &rinkpb.EndJobHere{
				HookEnv: s.epilogEnv(old), Job: uint32(old.ID), Restarts: old.Restarts, Now: true, Left: true,
			}}})
		}
	}
}

// endOrder tells an agent to end what a job has there, which gets TERM first and
// KillWait to follow it.
func (s *Server) endOrder(j *sched.Job) *rinkpb.Order {
	killWait := s.killWait()
	return &rinkpb.Order{Order: &rinkpb.Order_End{End: &rinkpb.EndJobHere{
		HookEnv: s.epilogEnv(j),
		Job:     uint32(j.ID), Restarts: j.Restarts, KillWait: int64(killWait / time.Second),
		Reason: endWords(j),
	}}}
}

// endWords is what a job's output says of why it was ended.
func endWords(j *sched.Job) string {
	switch j.State.Base() {
	case slurm.JobTimeout:
		return "DUE TO TIME LIMIT"
	case slurm.JobPreempted:
		return "DUE TO PREEMPTION"
	case slurm.JobNodeFail:
		return "DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS"
	case slurm.JobDeadline:
		return "DUE TO DEADLINE"
	case slurm.JobFailed:
		return "(non-zero exit code or other failure mode)"
	case slurm.JobCancelled:
		if j.IsRequeuing() {
			return "DUE TO JOB REQUEUE"
		}
	}
	return ""
}

// launchOrder is the order that starts a job's batch script; nil when the
// script is gone, which ends the job.
func (s *Server) launchOrder(j *sched.Job) *rinkpb.Order {
	var script, env []byte
	var components []*sched.Job
	var conf *sched.Config
	s.barn.Read(func(t *state.State) {
		script, _ = t.Blob(j.Script)
		env, _ = t.Blob(j.Env)
		conf = t.Config()
		if j.HetID != 0 {
			components = t.HetJobs(j.HetID)
		}
	})
	if script == nil {
		s.log.Error("a job's script is not in the state", "job", j.ID)
		return nil
	}
	user := splitEnv(env)
	ours := append(sched.BatchEnv(j, conf, components...), gpuEnv(j.Alloc[0].Gres)...)
	ours = append(ours, sched.TopologyEnv(conf, j.Alloc[0].Node)...)
	order := &rinkpb.LaunchJob{
		Here: s.jobHere(j, conf, 0), Batch: true, Script: script, Args: j.ScriptArgs,
		Env:   mergeEnv(user, ours),
		Input: j.Spec.Input, Output: j.Spec.Output, Error: j.Spec.Error,
		Append: j.Spec.OpenMode == "append" || j.Spec.OpenMode == "" && conf.Conf.JobFileAppend, Requeued: j.Restarts > 0,
		Container: j.Spec.Container, Chdir: j.Spec.Given["chdir"],
	}
	order.Here.GresFiles = s.deviceFiles(j.Alloc[0].Node, j.Alloc[0].Gres)
	return &rinkpb.Order{Order: &rinkpb.Order_Launch{Launch: order}}
}

// gpuEnv names the GPUs a batch script has on its node.
func gpuEnv(gres []sched.GresAlloc) []string {
	var index []int
	count := int64(0)
	for _, g := range gres {
		if g.Name == "gpu" {
			index, count = append(index, g.Index...), count+g.Count
		}
	}
	var out []string
	if slices.Sort(index); len(index) > 0 {
		out = append(out, "SLURM_JOB_GPUS="+strings.ReplaceAll(strings.Trim(fmt.Sprint(index), "[]"), " ", ","))
	}
	if count > 0 {
		out = append(out, fmt.Sprintf("SLURM_GPUS_ON_NODE=%d", count))
	}
	return out
}

// jobHere is what the agent of the job's node number i needs to know of it. It may be
// called while the state is being read.
func (s *Server) jobHere(j *sched.Job, conf *sched.Config, i int) *rinkpb.JobHere {
	a := j.Alloc[i]
	h := &rinkpb.JobHere{
		Job: uint32(j.ID), Restarts: j.Restarts, ArrayId: uint32(j.ArrayID), TaskId: j.TaskID, Uid: j.UID, Gid: j.GID,
		User: j.User, Group: j.Group, Name: j.Name, Partition: string(j.Partition), Account: j.Account, WorkDir: j.WorkDir,
		NodeIndex: int32(i), Cpus: int32(a.CPUs), CpuIds: a.CPUIDs, Mem: int64(a.Mem), Gres: api.GresAllocsToProto(a.Gres),
		TimeLimit: int64(j.TimeLimit), Start: j.Start.UnixNano(), Cluster: conf.Conf.ClusterName,
		KillWait: int64(seconds(conf.Conf.KillWait) / time.Second), Nice: int64(0), Comment: j.Spec.Comment, Constraints: j.Spec.Constraint,
		Umask: int32(j.Umask), Rlimits: rlimitsToProto(j.Rlimits),
		Slice:   sliceOf(conf, j.Partition, j.Spec.Isolation),
		HookEnv: sched.HookEnv(j, conf),
	}
	for _, n := range j.Nodes() {
		h.Nodes = append(h.Nodes, string(n))
	}
	return h
}

// sliceOf is how far a job is shut off: what the cluster or its partition says,
// and what the job, and of its step further words, asked for beyond it.
func sliceOf(conf *sched.Config, partition sched.PartitionName, isolation ...string) string {
	cage := conf.Conf.Slice
	if p := conf.Partition(partition); p != nil && p.Slice != "" {
		own, err := slurm.ParseSliceConf(p.Slice)
		if err != nil {
			return p.Slice // for the agent to refuse: nothing starts with less than was set
		}
		cage = own
	}
	for _, words := range isolation {
		tighter, err := cage.Tighten(words)
		if err != nil {
			return "Isolation=" + words
		}
		cage = tighter
	}
	return cage.OwnText()
}

// deviceFiles says which files open what was given on a node. It reads the state,
// so it is not for use while the state is being read.
func (s *Server) deviceFiles(node sched.NodeName, list []sched.GresAlloc) []*rinkpb.DeviceFiles {
	if len(list) == 0 {
		return nil
	}
	out := make([]*rinkpb.DeviceFiles, len(list))
	s.barn.Read(func(t *state.State) {
		n := t.Node(node)
		for i := range list {
			out[i] = &rinkpb.DeviceFiles{}
			if n != nil {
				out[i].Files, out[i].PartsOf = n.DeviceFiles(list[i])
			}
		}
	})
	return out
}

func rlimitsToProto(list []sched.Rlimit) []*rinkpb.Rlimit {
	out := make([]*rinkpb.Rlimit, len(list))
	for i, r := range list {
		out[i] = &rinkpb.Rlimit{Name: r.Name, Soft: r.Soft, Hard: r.Hard}
	}
	return out
}

// splitEnv reads an environment blob: NAME=value strings ended by NUL each.
func splitEnv(blob []byte) []string {
	if len(blob) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(blob), "\x00"), "\x00")
}

// joinEnv makes the blob splitEnv reads.
func joinEnv(env []string) []byte {
	if len(env) == 0 {
		return nil
	}
	return []byte(strings.Join(env, "\x00") + "\x00")
}

// mergeEnv puts the controller's variables over the user's. Of a submission from
// inside a job the variables that describe that job do not pass.
func mergeEnv(user, ours []string) []string {
	set := make(map[string]bool, len(ours))
	for _, kv := range ours {
		name, _, _ := strings.Cut(kv, "=")
		set[name] = true
	}
	inside := slices.ContainsFunc(user, func(kv string) bool { return strings.HasPrefix(kv, "SLURM_JOB_ID=") })
	out := make([]string, 0, len(user)+len(ours))
	for _, kv := range user {
		name, _, _ := strings.Cut(kv, "=")
		if !set[name] && name != "SLURM_UMASK" && !(inside && ofOtherJob(name)) {
			out = append(out, kv)
		}
	}
	return append(out, ours...)
}

// ofOtherJob reports whether a variable describes the job or step it was set
// in and would mislead another.
func ofOtherJob(name string) bool {
	for _, p := range []string{"SLURM_ARRAY_", "SLURM_JOB_", "SLURM_STEP", "SLURM_NTASKS", "SLURM_TASKS_PER_NODE",
		"SLURM_CPUS_", "SLURM_MEM_", "SLURM_HET_", "SLURM_GPUS", "SLURMD_", "SLURM_JOBID", "SLURM_NNODES", "SLURM_NODE",
		"SLURM_PROCID", "SLURM_LOCALID", "SLURM_GTIDS", "SLURM_TASK_PID", "SLURM_NPROCS", "SLURM_LAUNCH", "SLURM_SRUN_"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// signalWarnings sends the signals that --signal asked for some time before a
// job's end. Each goes once a leader's term; a signal sent twice after a
// change of leader is better than none.
func (s *Server) signalWarnings(now time.Time) {
	var due []*sched.Job
	s.barn.Read(func(t *state.State) {
		for j := range t.Holding() {
			sig := j.Spec.Signal
			if sig.Num == 0 || j.End.IsZero() || j.State.Has(slurm.JobCompleting) || j.State.Base() != slurm.JobRunning {
				continue
			}
			if !now.Before(j.End.Add(-seconds(sig.Before))) && s.soft.warnOnce(j.ID, j.Restarts) {
				due = append(due, j)
			}
		}
	})
	for _, j := range due {
		s.signalJob(j, int32(j.Spec.Signal.Num), j.Spec.Signal.Shell, false)
	}
}

// signalJob sends a signal to what a job runs: the batch shell alone, its
// steps, or all of it.
func (s *Server) signalJob(j *sched.Job, sig int32, batch, full bool) {
	for i, n := range j.Nodes() {
		if batch && i > 0 {
			break
		}
		s.sessions.send(n, &rinkpb.Order{Order: &rinkpb.Order_Signal{Signal: &rinkpb.SignalJob{
			Job: uint32(j.ID), Restarts: j.Restarts, Signal: sig, Batch: batch, Full: full,
		}}})
	}
}

// resendKills repeats, now and then, the order to end a job to nodes that have
// not reported it gone: an order may have been lost with a broken line.
func (s *Server) resendKills(now time.Time) {
	if now.Unix()%30 != 0 {
		return
	}
	var late []*sched.Job
	s.barn.Read(func(t *state.State) {
		for j := range t.Holding() {
			if j.State.Has(slurm.JobCompleting) && now.Sub(j.End) > 30*time.Second {
				late = append(late, j)
			}
		}
	})
	for _, j := range late {
		for _, n := range slices.Clone(j.Completing) {
			s.sessions.send(n, s.endOrder(j))
		}
	}
}

func (s *Server) killWait() time.Duration { return seconds(s.liveConf().KillWait) }

// heartbeat is how often an agent says that it is alive.
func (s *Server) heartbeat() time.Duration {
	if t := seconds(s.liveConf().SlurmdTimeout) / 10; t > 0 {
		return min(max(t, time.Second), 30*time.Second)
	}
	return 30 * time.Second
}

// silence is how long an agent bears with a line on which nothing comes: not as
// long as it takes until its node is given up, so that it does nothing on the word
// of a leader that may have been followed by another since.
func (s *Server) silence() time.Duration {
	if t := seconds(s.liveConf().SlurmdTimeout); t > 0 {
		return max(t/2, s.heartbeat()+time.Second)
	}
	return 0
}

// liveConf is the configuration in force: the replicated one, or before there
// is one the file this controller was started with.
func (s *Server) liveConf() *slurm.Conf {
	conf := s.conf
	s.barn.Read(func(t *state.State) {
		if c := t.Config(); c != nil && c.Conf != nil {
			conf = c.Conf
		}
	})
	return conf
}

// configFiles are the files of the configuration in force, for the agents.
func (s *Server) configFiles() []*rinkpb.ConfigFile {
	var out []*rinkpb.ConfigFile
	s.barn.Read(func(t *state.State) {
		for _, f := range t.ConfigFiles() {
			out = append(out, &rinkpb.ConfigFile{Name: f.Name, Text: f.Text})
		}
	})
	return out
}
