package state

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// benchState returns a state with n pending jobs and the ids of them.
func benchState(b *testing.B, n int) (*rig, []slurm.JobID) {
	r := newRig(b)
	jobs := make([]*sched.Job, n)
	for i := range jobs {
		jobs[i] = asked(name(fmt.Sprint("job", i%100)))
	}
	r.index++
	res, _ := r.s.Apply(r.index, Entry{At: r.at, Cmd: SubmitJobs{Jobs: jobs}})
	if res.Err != nil {
		b.Fatal(res.Err)
	}
	return r, res.Jobs
}

func (r *rig) apply(b *testing.B, cmd Command) Result {
	r.index++
	res, _ := r.s.Apply(r.index, Entry{At: r.at, Cmd: cmd})
	if res.Err != nil || len(res.Refused) > 0 {
		b.Fatal(res)
	}
	return res
}

// BenchmarkSubmit submits jobs one by one into a queue that grows to 100,000.
func BenchmarkSubmit(b *testing.B) {
	r := newRig(b)
	left := 100000
	for b.Loop() {
		r.apply(b, SubmitJobs{Jobs: []*sched.Job{asked()}})
		if left--; left == 0 {
			b.StopTimer()
			r, left = newRig(b), 100000
			b.StartTimer()
		}
	}
}

// BenchmarkStartEnd takes a job of a queue of 100,000 from its start to the
// release of its node, over and over.
func BenchmarkStartEnd(b *testing.B) {
	r, ids := benchState(b, 100000)
	i := 0
	for b.Loop() {
		id := ids[i%len(ids)]
		i++
		restarts := r.s.Job(id).Restarts
		r.apply(b, StartJobs{[]sched.Start{r.on(id, 1, "n1")}})
		r.apply(b, EndJob{Job: id, Restarts: restarts, State: slurm.JobCompleted, Requeue: true})
		r.apply(b, ReleaseNodes{Job: id, Restarts: restarts, Nodes: []sched.NodeName{"n1"}})
	}
}

// BenchmarkArrayTasks runs the tasks of an array of 200,000 one by one, with a
// job waiting for all of them.
func BenchmarkArrayTasks(b *testing.B) {
	r := newRig(b)
	var array slurm.JobID
	fill := func() {
		array = r.apply(b, SubmitJobs{Jobs: []*sched.Job{asked(tasks("0-199999"))}}).Jobs[0]
		r.apply(b, SubmitJobs{Jobs: []*sched.Job{asked(after("afterok:%d", array))}})
	}
	fill()
	for b.Loop() {
		task := r.s.Job(array).Tasks.Min()
		id := r.apply(b, StartJobs{[]sched.Start{r.task(array, task, 1, "n1")}}).Started[0]
		r.apply(b, EndJob{Job: id, State: slurm.JobCompleted})
		r.apply(b, ReleaseNodes{Job: id, Nodes: []sched.NodeName{"n1"}})
		if id == array {
			b.StopTimer()
			r = newRig(b)
			fill()
			b.StartTimer()
		}
	}
}

// BenchmarkView takes a picture of a queue of 100,000 after every change.
func BenchmarkView(b *testing.B) {
	r, ids := benchState(b, 100000)
	for b.Loop() {
		r.apply(b, SetPriorities{[]JobPriority{{Job: ids[0], Priority: uint32(r.index)}}})
		if v := r.s.View(); len(v.Pending) != len(ids) {
			b.Fatal(len(v.Pending))
		}
	}
}

// BenchmarkDump takes hold of a state of 100,000 jobs.
func BenchmarkDump(b *testing.B) {
	r, _ := benchState(b, 100000)
	for b.Loop() {
		r.s.Dump()
	}
}

// BenchmarkLoad builds the indexes of 100,000 jobs.
func BenchmarkLoad(b *testing.B) {
	r, _ := benchState(b, 100000)
	d := r.s.Dump()
	for b.Loop() {
		if _, err := Load(d); err != nil {
			b.Fatal(err)
		}
	}
}

// mixedJobs is jobs as users hand them in, as they come out of the log: each
// with a request, words and lists of its own. A hundred users submit the same
// few scripts over and over; every tenth job is of a workflow, with a name, a
// directory and files of its own.
func mixedJobs(n int) []*sched.Job {
	jobs := make([]*sched.Job, n)
	for i := range jobs {
		user := i % 100
		script := i / 100 % 7
		who := fmt.Sprintf("user%02d", user)
		spec := &slurm.JobOptions{
			Name: fmt.Sprintf("sim%d", script), Account: fmt.Sprintf("acct%d", user%12), Partitions: []string{"main"},
			NTasks: 1 + script, CPUsPerTask: 1 + user%4, MemPerCPU: slurm.MB(1000 * (1 + user%3)), TimeLimit: slurm.Duration(3600 * (1 + script)),
			WorkDir: fmt.Sprintf("/home/%s/project%d", who, script), Output: "out/%x-%j.txt",
			Given: map[string]bool{
				"job-name": true, "account": true, "partition": true, "ntasks": true, "cpus-per-task": true,
				"mem-per-cpu": true, "time": true, "chdir": true, "output": true,
			},
		}
		if i%10 == 9 {
			spec.Name = fmt.Sprintf("nf-ALIGN_(sample_%d)", i)
			spec.WorkDir = fmt.Sprintf("/scratch/%s/work/%02x/%032x", who, i%256, i)
			spec.Output = spec.WorkDir + "/.command.log"
		}
		if i%20 == 3 {
			spec.GPUsPerNode = slurm.Gres{{Name: "gpu", Count: int64(1 + user%4)}}
			spec.Given["gpus-per-node"] = true
		}
		j := asked(name(spec.Name))
		j.Spec, j.UID, j.User, j.Group = spec, uint32(1000+user), who, fmt.Sprintf("group%d", user%12)
		j.Account, j.QOS, j.WorkDir, j.TimeLimit = fmt.Sprintf("acct%d", user%12), fmt.Sprint("nor", "mal"), string([]byte(spec.WorkDir)), spec.TimeLimit
		j.SubmitHost, j.SubmitLine = fmt.Sprintf("login%d", user%3), fmt.Sprintf("sbatch run%d.sh", script)
		j.ScriptName = fmt.Sprintf("/home/%s/run%d.sh", who, script)
		j.Script, j.Env = sched.BlobID(fmt.Sprintf("%064x", script*100+user)), sched.BlobID(fmt.Sprintf("%064x", 1<<20+user))
		for _, limit := range []string{"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS"} {
			j.Rlimits = append(j.Rlimits, sched.Rlimit{Name: string([]byte(limit)), Soft: sched.RlimInfinity, Hard: sched.RlimInfinity})
		}
		j.Need = sched.Need{MinNodes: 1, MaxNodes: sched.AnyNodes, Tasks: spec.NTasks, CPUsPerTask: spec.CPUsPerTask, CPUs: spec.NTasks * spec.CPUsPerTask, MemPerCPU: spec.MemPerCPU}
		if len(spec.GPUsPerNode) > 0 {
			j.Need.GresPerNode = slurm.Gres{{Name: "gpu", Count: spec.GPUsPerNode[0].Count}}
		}
		jobs[i] = j
	}
	return jobs
}

// submitMixed submits mixed jobs one by one, with their keys and scripts.
func submitMixed(b *testing.B, r *rig, jobs []*sched.Job) {
	for i, j := range jobs {
		jobs[i] = nil
		r.apply(b, SubmitJobs{Key: fmt.Sprintf("%032x", i), Jobs: []*sched.Job{j}, Blobs: []Blob{{j.Script, []byte("script")}, {j.Env, []byte("env")}}})
	}
}

// BenchmarkQueueMemory submits 100,000 mixed jobs of 100 users and tells what
// they take, submitted one by one and read from a snapshot's dump.
func BenchmarkQueueMemory(b *testing.B) {
	const n = 100000
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	for b.Loop() {
		before := heap()
		r := newRig(b)
		submitMixed(b, r, mixedJobs(n))
		took := heap() - before
		if r.s.JobCount() != n {
			b.Fatal(r.s.JobCount())
		}
		b.ReportMetric(took/1e6, "MB")
		b.ReportMetric(took/n, "B/job")
		b.ReportMetric(float64(len(r.s.once.specs)), "requests")
		runtime.KeepAlive(r)
	}
}
