package state

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// rigConf is a cluster of six nodes with eight CPUs each, the last two with
// four GPUs, and some licences.
const rigConf = `
ClusterName=t
SlurmctldHost=c1
FirstJobId=100
MaxJobCount=500000
MinJobAge=60
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
Licenses=lic:3,other:2
NodeName=n[1-4] CPUs=8 RealMemory=16000
NodeName=n[5-6] CPUs=8 RealMemory=16000 Gres=gpu:a100:4
PartitionName=main Nodes=ALL Default=YES
PartitionName=short Nodes=n[1-2] MaxTime=60 Quota=cpu-hours=1000000
`

const rigGres = "NodeName=n[5-6] Name=gpu Type=a100 File=/dev/a[0-3]\n"

func rigFiles(more string) []ConfigFile {
	return []ConfigFile{{"slurm.conf", []byte(rigConf + more)}, {"gres.conf", []byte(rigGres)}}
}

// rig is a state with a clock, that checks itself after every command.
type rig struct {
	t      testing.TB
	s      *State
	at     time.Time
	index  uint64
	log    []Entry
	events []Event // of the last command
}

var began = time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)

// newRig returns a state with the rig's cluster, all nodes up.
func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, s: New("t"), at: began}
	r.must(SetConfig{rigFiles("")})
	for _, n := range r.s.Nodes() {
		r.must(RegisterNode{Node: n.Name, CPUs: n.CPUs, Memory: n.Memory, Up: true})
	}
	return r
}

// do applies a command a second after the one before.
func (r *rig) do(cmd Command) Result {
	r.t.Helper()
	r.at = r.at.Add(time.Second)
	e := Entry{At: r.at, Actor: Actor{UID: 1000, User: "ann"}, Cmd: cmd}
	r.index++
	r.log = append(r.log, e)
	var res Result
	res, r.events = r.s.Apply(r.index, e)
	if err := r.check(); err != nil {
		r.t.Fatalf("after %T %+v:\n%v", cmd, cmd, err)
	}
	return res
}

func (r *rig) check() error {
	if err := r.s.checkOnce(); err != nil {
		return err
	}
	return sched.Check(r.s.Config(), r.s.Nodes(), slices.Collect(r.s.Jobs()), r.s.LicensesUsed())
}

// must is do for what has to work.
func (r *rig) must(cmd Command) Result {
	r.t.Helper()
	res := r.do(cmd)
	if res.Err != nil {
		r.t.Fatalf("%T: %v", cmd, res.Err)
	}
	if len(res.Refused) > 0 {
		r.t.Fatalf("%T: %v", cmd, res.Refused[0].Err)
	}
	return res
}

// refuse is do for what must be refused with code, changing nothing.
func (r *rig) refuse(cmd Command, code slurm.Errno) {
	r.t.Helper()
	before := r.s.Dump()
	res := r.do(cmd)
	err := res.Err
	if len(res.Refused) > 0 {
		err = res.Refused[0].Err
	}
	if !errors.Is(err, code) {
		r.t.Fatalf("%T: error %v, want %v", cmd, err, code)
	}
	if len(r.events) > 0 {
		r.t.Fatalf("%T was refused and has events %v", cmd, r.events)
	}
	if after := r.s.Dump(); !sameDump(before, after, true) {
		r.t.Fatalf("%T was refused and changed the state", cmd)
	}
}

// asked is a job as the controller hands it in.
func asked(change ...func(*sched.Job)) *sched.Job {
	j := &sched.Job{
		Spec: &slurm.JobOptions{}, UID: 1000, GID: 1000, User: "ann", Group: "ann", Name: "job", Batch: true, Requeue: true,
		Partitions: []sched.PartitionName{"main"}, Partition: "main", TimeLimit: 3600, Priority: 100,
		Need: sched.Need{MinNodes: 1, MaxNodes: 1, Tasks: 1, CPUs: 1, CPUsPerTask: 1},
	}
	for _, f := range change {
		f(j)
	}
	return j
}

func tasks(text string) func(*sched.Job) {
	set, err := slurm.ParseIndexSet(text, 1<<30)
	if err != nil {
		panic(err)
	}
	return func(j *sched.Job) { j.Tasks = set }
}

func indexes(text string) slurm.IndexSet {
	j := &sched.Job{}
	tasks(text)(j)
	return j.Tasks
}

func after(format string, args ...any) func(*sched.Job) {
	deps, err := slurm.ParseDependencies(fmt.Sprintf(format, args...))
	if err != nil {
		panic(err)
	}
	return func(j *sched.Job) {
		j.DepsAny = deps.Any
		for _, term := range deps.Terms {
			j.Deps = append(j.Deps, sched.Depend{DependTerm: term})
		}
	}
}

func name(n string) func(*sched.Job) { return func(j *sched.Job) { j.Name = n } }

func held(by sched.Holder) func(*sched.Job) { return func(j *sched.Job) { j.HeldBy = by } }

// submit submits one job and returns its id.
func (r *rig) submit(change ...func(*sched.Job)) slurm.JobID {
	r.t.Helper()
	return r.must(SubmitJobs{Jobs: []*sched.Job{asked(change...)}}).Jobs[0]
}

func (r *rig) job(id slurm.JobID) *sched.Job {
	r.t.Helper()
	j := r.s.Job(id)
	if j == nil {
		r.t.Fatalf("job %d is not there", id)
	}
	return j
}

// on is a start of a job on nodes with so many CPUs on each.
func (r *rig) on(id slurm.JobID, cpus int, nodes ...sched.NodeName) sched.Start {
	start := sched.Start{Job: id, Partition: "main", Scheduler: "Main"}
	if j := r.s.Job(id); j != nil {
		start.Restarts = j.Restarts
	}
	for _, n := range nodes {
		start.Alloc = append(start.Alloc, sched.NodeAlloc{Node: n, CPUs: cpus, Mem: 100, Tasks: 1})
	}
	return start
}

func (r *rig) task(id slurm.JobID, task uint32, cpus int, nodes ...sched.NodeName) sched.Start {
	start := r.on(id, cpus, nodes...)
	start.Task, start.IsTask = task, true
	return start
}

// run starts a job, or a task, and returns the id of its record.
func (r *rig) run(start sched.Start) slurm.JobID {
	r.t.Helper()
	return r.must(StartJobs{[]sched.Start{start}}).Started[0]
}

// runs submits a job and starts it on a node.
func (r *rig) runs(node sched.NodeName, change ...func(*sched.Job)) slurm.JobID {
	r.t.Helper()
	id := r.submit(change...)
	return r.run(r.on(id, 1, node))
}

// end ends a job as its batch host would, and frees its nodes.
func (r *rig) end(id slurm.JobID, state slurm.JobState) {
	r.t.Helper()
	j := r.job(id)
	r.must(EndJob{Job: id, Restarts: j.Restarts, State: state})
	r.free(id)
}

// free frees all nodes of a job that has ended.
func (r *rig) free(id slurm.JobID) {
	r.t.Helper()
	j := r.job(id)
	r.must(ReleaseNodes{Job: id, Restarts: j.Restarts, Nodes: j.Completing})
}

// want fails when the job is not as it should be.
func (r *rig) want(id slurm.JobID, state slurm.JobState, reason slurm.Reason) *sched.Job {
	r.t.Helper()
	j := r.job(id)
	if j.State != state || j.Reason != reason {
		r.t.Fatalf("job %d is %v %v, want %v %v", id, j.State.Complete(), j.Reason, state.Complete(), reason)
	}
	return j
}

// count returns how many events of the last command are of type E.
func count[E Event](r *rig) (n int) {
	for _, e := range r.events {
		if _, ok := e.(E); ok {
			n++
		}
	}
	return n
}

// event returns the only event of type E of the last command.
func event[E Event](r *rig) (found E) {
	r.t.Helper()
	if n := count[E](r); n != 1 {
		r.t.Fatalf("%d events %T, want one: %v", n, found, r.events)
	}
	for _, e := range r.events {
		if e, ok := e.(E); ok {
			found = e
		}
	}
	return found
}

// sameDump compares dumps; but for the index, when one of them was refused
// something.
func sameDump(a, b *Dump, butIndex bool) bool {
	x, y := *a, *b
	if butIndex {
		x.Index = y.Index
	}
	return reflect.DeepEqual(x, y)
}
