package state

import (
	"fmt"
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
