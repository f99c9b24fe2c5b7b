package showtest

import (
	"fmt"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Ago is that long before Now.
func Ago(d time.Duration) time.Time { return Now.Add(-d) }

// Job is a job of alice's: one task of one CPU with 100 MB in partition debug,
// without a limit, submitted a minute ago and waiting. Each change is made in
// turn.
func Job(id slurm.JobID, name string, changes ...func(*sched.Job)) *sched.Job {
	j := &sched.Job{
		ID: id, Name: name, Spec: &slurm.JobOptions{Given: map[string]bool{}}, UID: 3001, GID: 3001, User: "alice", Group: "alice",
		SubmitHost: "vm", SubmitPID: 4242, Batch: true, Account: "physics", QOS: "normal", WorkDir: "/home/alice/w",
		Partitions: []sched.PartitionName{"debug"}, Partition: "debug", TimeLimit: slurm.Unlimited, Requeue: true,
		Need:     sched.Need{MinNodes: 1, MaxNodes: 1, Tasks: 1, CPUs: 1, CPUsPerTask: 1, MemPerCPU: 100},
		Priority: 126, State: slurm.JobPending, Reason: slurm.ReasonPriority, Submit: Ago(time.Minute), Eligible: Ago(time.Minute),
		LastSched: Ago(30 * time.Second), Scheduler: "Main",
	}
	for _, change := range changes {
		change(j)
	}
	return j
}

// Held is a job its owner holds.
func Held(j *sched.Job) {
	j.HeldBy, j.Reason, j.Priority, j.Eligible = sched.HeldByUser, slurm.ReasonJobHeldUser, 0, time.Time{}
}

// Size is a job of so many tasks of one CPU.
func Size(tasks int) func(*sched.Job) {
	return func(j *sched.Job) { j.Need.Tasks, j.Need.CPUs = tasks, tasks }
}

// Limit is a job with a time limit in minutes.
func Limit(minutes int64) func(*sched.Job) {
	return func(j *sched.Job) { j.TimeLimit = slurm.Duration(minutes * 60) }
}

// In is a job in partitions.
func In(names ...sched.PartitionName) func(*sched.Job) {
	return func(j *sched.Job) { j.Partitions, j.Partition = names, names[0] }
}

// Running is a job that has been running on these nodes for a while, its CPUs
// shared out evenly.
func Running(since time.Duration, nodes ...sched.NodeName) func(*sched.Job) {
	return func(j *sched.Job) {
		j.State, j.Reason, j.Start, j.Scheduler = slurm.JobRunning, slurm.ReasonNone, Ago(since), "Backfill"
		if j.Submit.After(j.Start) {
			j.Submit, j.Eligible = j.Start, j.Start
		}
		if j.TimeLimit != slurm.Unlimited {
			j.End = j.Start.Add(time.Duration(j.TimeLimit) * time.Second)
		}
		each := max(1, j.Need.CPUs/len(nodes))
		for i, n := range nodes {
			cpus := each
			if i == 0 {
				cpus += max(0, j.Need.CPUs-each*len(nodes))
			}
			j.Alloc = append(j.Alloc, sched.NodeAlloc{Node: n, CPUs: cpus, Mem: 100 * slurm.MB(cpus), Tasks: cpus})
		}
	}
}

// Ended is a job that ended just now in that state.
func Ended(state slurm.JobState, code, signal uint8) func(*sched.Job) {
	return func(j *sched.Job) {
		j.State, j.End, j.ExitCode, j.BatchDone = state, Now, sched.ExitCode{Code: code, Signal: signal}, true
		j.BatchExit = j.ExitCode
	}
}

// Array is the rest of an array: these tasks have no record of their own.
func Array(tasks string, throttle int) func(*sched.Job) {
	return func(j *sched.Job) {
		set, err := slurm.ParseIndexSet(tasks, 1<<30)
		if err != nil {
			panic(err)
		}
		j.ArrayID, j.Tasks, j.ArrayAll, j.Throttle = j.ID, set, set, throttle
	}
}

// Task is one task of an array.
func Task(array slurm.JobID, task uint32) func(*sched.Job) {
	return func(j *sched.Job) { j.ArrayID, j.TaskID = array, task }
}

// Node is a node with 16 CPUs in two sockets and 64000 MB.
func Node(name string, state slurm.NodeState, changes ...func(*sched.Node)) *rinkpb.Node {
	n := &sched.Node{
		Name: sched.NodeName(name), Hostname: "vm", Addr: "127.0.0.1", Port: 17001, CPUs: 16, Boards: 1, Sockets: 2, Cores: 8, Threads: 1,
		Memory: 64000, Weight: 1, Arch: "x86_64", OS: "Linux 6.1.0", Version: "0.1.0", State: state, Registered: true,
		BootTime: Ago(24 * time.Hour), AgentStart: Ago(time.Hour), LastBusy: Ago(time.Minute),
	}
	for _, change := range changes {
		change(n)
	}
	p := api.NodeToProto(n)
	p.LoadKnown, p.CpuLoad, p.FreeMem, p.Connected = true, 0.25, 60000, true
	return p
}

// Part is a partition of these nodes without limits.
func Part(name string, nodes string, changes ...func(*sched.Partition)) *sched.Partition {
	list, err := slurm.ParseHostList(nodes)
	if err != nil {
		panic(fmt.Sprintf("nodes of partition %s: %v", name, err))
	}
	p := &sched.Partition{
		Name: sched.PartitionName(name), NodesText: nodes, State: "UP", MaxTime: slurm.Unlimited, PriorityTier: 1, PriorityJobFactor: 1,
		PreemptMode: "OFF", OverSubscribe: "NO",
	}
	for host := range list.All() {
		p.Nodes = append(p.Nodes, sched.NodeName(host))
	}
	for _, change := range changes {
		change(p)
	}
	return p
}
