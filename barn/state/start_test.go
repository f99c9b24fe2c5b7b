package state

import (
	"errors"
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func TestStartTakesResourcesAndTells(t *testing.T) {
	r := newRig(t)
	lic, _ := slurm.ParseLicenses("lic:2")
	id := r.submit(func(j *sched.Job) { j.Need.Licenses = lic })
	start := r.on(id, 4, "n5", "n6")
	start.Alloc[0].Gres = []sched.GresAlloc{{Name: "gpu", Type: "a100", Count: 2, Index: []int{1, 0}}}
	r.run(start)
	j := r.want(id, slurm.JobRunning, slurm.ReasonNone)
	if !j.Start.Equal(r.at) || !j.End.Equal(r.at.Add(time.Hour)) || j.Scheduler != "Main" || j.Partition != "main" {
		t.Errorf("start %v end %v scheduler %q partition %q", j.Start, j.End, j.Scheduler, j.Partition)
	}
	n := r.s.Node("n5")
	if n.UsedCPUs != 4 || n.UsedMem != 100 || len(n.Running) != 1 || len(n.UsedGres) != 1 || n.UsedGres[0].Index[1] != 1 {
		t.Errorf("n5: %d CPUs, %d MB, jobs %v, gres %v", n.UsedCPUs, n.UsedMem, n.Running, n.UsedGres)
	}
	if got := r.s.LicensesUsed().Get("lic"); got != 2 {
		t.Errorf("%d licences in use", got)
	}
	if e := event[JobStarted](r); e.Job != j {
		t.Error("JobStarted names another record")
	}
	if count[NodeChanged](r) != 2 || count[JobChanged](r) != 1 {
		t.Errorf("events %v", r.events)
	}
	v := r.s.View()
	if len(v.Pending) != 0 || len(v.Running) != 1 || v.Nodes[4] != n || v.LicensesUsed.Get("lic") != 2 {
		t.Errorf("view %+v", v)
	}
}

func TestStartsThatNoLongerHoldAreRefusedAlone(t *testing.T) {
	gpu := func(s *sched.Start, index ...int) {
		s.Alloc[0].Gres = []sched.GresAlloc{{Name: "gpu", Type: "a100", Count: int64(len(index)), Index: index}}
	}
	lic, _ := slurm.ParseLicenses("lic:2")
	cases := []struct {
		name  string
		code  slurm.Errno
		start func(r *rig) sched.Start
	}{
		{"NoSuchJob", slurm.ErrnoInvalidJobID, func(r *rig) sched.Start { return r.on(999, 1, "n1") }},
		{"Running", slurm.ErrnoJobStarted, func(r *rig) sched.Start { return r.on(r.runs("n1"), 1, "n2") }},
		{"Ended", slurm.ErrnoAlreadyDone, func(r *rig) sched.Start {
			id := r.runs("n1")
			r.end(id, slurm.JobCompleted)
			return r.on(id, 1, "n1")
		}},
		{"EarlierIncarnation", slurm.ErrnoNotPending, func(r *rig) sched.Start {
			id := r.runs("n1")
			start := r.on(id, 1, "n1")
			r.must(EndJob{Job: id, State: slurm.JobCancelled, Requeue: true})
			r.free(id)
			return start
		}},
		{"Held", slurm.ErrnoJobHeld, func(r *rig) sched.Start { return r.on(r.submit(held(sched.HeldByUser)), 1, "n1") }},
		{"BeginTime", slurm.ErrnoCanNotStartImmediately, func(r *rig) sched.Start {
			return r.on(r.submit(func(j *sched.Job) { j.Begin = r.at.Add(time.Hour) }), 1, "n1")
		}},
		{"Dependency", slurm.ErrnoDependency, func(r *rig) sched.Start {
			return r.on(r.submit(after("afterok:%d", r.runs("n1"))), 1, "n1")
		}},
		{"ArrayWithoutTask", slurm.ErrnoInvalidArray, func(r *rig) sched.Start { return r.on(r.submit(tasks("1-3")), 1, "n1") }},
		{"TaskOfNoArray", slurm.ErrnoInvalidArray, func(r *rig) sched.Start { return r.task(r.submit(), 1, 1, "n1") }},
		{"TaskNotThere", slurm.ErrnoInvalidArray, func(r *rig) sched.Start { return r.task(r.submit(tasks("1-3")), 4, 1, "n1") }},
		{"TaskGone", slurm.ErrnoInvalidArray, func(r *rig) sched.Start {
			id := r.submit(tasks("1-3"))
			r.run(r.task(id, 2, 1, "n1"))
			return r.task(id, 2, 1, "n1")
		}},
		{"Throttle", slurm.ErrnoNodesBusy, func(r *rig) sched.Start {
			id := r.submit(tasks("1-3"), func(j *sched.Job) { j.Throttle = 1 })
			r.run(r.task(id, 1, 1, "n1"))
			return r.task(id, 2, 1, "n1")
		}},
		{"NoNodes", 0, func(r *rig) sched.Start { return r.on(r.submit(), 1) }},
		{"UnknownNode", slurm.ErrnoInvalidNodeName, func(r *rig) sched.Start { return r.on(r.submit(), 1, "n99") }},
		{"NodeTwice", 0, func(r *rig) sched.Start { return r.on(r.submit(), 1, "n1", "n1") }},
		{"NodeDown", slurm.ErrnoNodeNotAvail, func(r *rig) sched.Start {
			down := slurm.NodeDown
			r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Base: &down})
			return r.on(r.submit(), 1, "n1")
		}},
		{"NodeDrained", slurm.ErrnoNodeNotAvail, func(r *rig) sched.Start {
			r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Set: slurm.NodeDrain})
			return r.on(r.submit(), 1, "n1")
		}},
		{"CPUs", slurm.ErrnoNodesBusy, func(r *rig) sched.Start {
			r.run(r.on(r.submit(), 6, "n1"))
			return r.on(r.submit(), 3, "n1")
		}},
		{"NegativeCPUs", 0, func(r *rig) sched.Start { return r.on(r.submit(), -1, "n1") }},
		{"Memory", slurm.ErrnoNodesBusy, func(r *rig) sched.Start {
			start := r.on(r.submit(), 1, "n1")
			start.Alloc[0].Mem = 16001
			return start
		}},
		{"GPUInUse", slurm.ErrnoNodesBusy, func(r *rig) sched.Start {
			first, second := r.on(r.submit(), 1, "n5"), r.on(r.submit(), 1, "n5")
			gpu(&first, 1, 2)
			r.run(first)
			gpu(&second, 2, 3)
			second.Job = r.submit()
			return second
		}},
		{"GPUTwice", slurm.ErrnoNodesBusy, func(r *rig) sched.Start { s := r.on(r.submit(), 1, "n5"); gpu(&s, 1, 1); return s }},
		{"GPUNotThere", slurm.ErrnoInvalidGres, func(r *rig) sched.Start { s := r.on(r.submit(), 1, "n5"); gpu(&s, 4); return s }},
		{"NoGPUs", slurm.ErrnoInvalidGres, func(r *rig) sched.Start { s := r.on(r.submit(), 1, "n1"); gpu(&s, 0); return s }},
		{"Licences", slurm.ErrnoLicensesUnavailable, func(r *rig) sched.Start {
			want := func(j *sched.Job) { j.Need.Licenses = lic }
			r.runs("n1", want)
			return r.on(r.submit(want), 1, "n2")
		}},
		{"ExclusiveOnBusyNode", slurm.ErrnoNodesBusy, func(r *rig) sched.Start {
			r.runs("n1")
			return r.on(r.submit(func(j *sched.Job) { j.Need.Exclusive = true }), 1, "n1")
		}},
		{"OnExclusiveNode", slurm.ErrnoNodesBusy, func(r *rig) sched.Start {
			r.runs("n1", func(j *sched.Job) { j.Need.Exclusive = true })
			return r.on(r.submit(), 1, "n1")
		}},
		{"OtherUserOnUsersNode", slurm.ErrnoNodesBusy, func(r *rig) sched.Start {
			r.runs("n1", func(j *sched.Job) { j.Spec = &slurm.JobOptions{Exclusive: "user"} })
			return r.on(r.submit(func(j *sched.Job) { j.UID = 1001 }), 1, "n1")
		}},
		{"UsersNodeWithAnotherUser", slurm.ErrnoNodesBusy, func(r *rig) sched.Start {
			r.runs("n1", func(j *sched.Job) { j.UID = 1001 })
			return r.on(r.submit(func(j *sched.Job) { j.Spec = &slurm.JobOptions{Exclusive: "user"} }), 1, "n1")
		}},
		{"UnknownPartition", slurm.ErrnoInvalidPartition, func(r *rig) sched.Start {
			s := r.on(r.submit(), 1, "n1")
			s.Partition = "nosuch"
			return s
		}},
		{"OtherPartition", slurm.ErrnoInvalidPartition, func(r *rig) sched.Start {
			s := r.on(r.submit(), 1, "n1")
			s.Partition = "short"
			return s
		}},
		{"PartitionDown", slurm.ErrnoPartitionNotAvail, func(r *rig) sched.Start {
			p := *r.s.Config().Partition("short")
			p.State = "DOWN"
			r.must(UpdatePartition{Partition: p})
			s := r.on(r.submit(func(j *sched.Job) { j.Partitions = []sched.PartitionName{"main", "short"} }), 1, "n1")
			s.Partition = "short"
			return s
		}},
		{"NodeOutsidePartition", slurm.ErrnoRequestedNodesNotInPartition, func(r *rig) sched.Start {
			s := r.on(r.submit(func(j *sched.Job) { j.Partitions = []sched.PartitionName{"short"} }), 1, "n3")
			s.Partition = "short"
			return s
		}},
		{"Singleton", slurm.ErrnoDependency, func(r *rig) sched.Start {
			r.runs("n1", name("one"))
			return r.on(r.submit(name("one"), after("singleton")), 1, "n2")
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			start := c.start(r)
			good := r.on(r.submit(), 1, "n4")
			before := r.s.Dump()
			res := r.do(StartJobs{[]sched.Start{start}})
			if len(res.Refused) != 1 || len(res.Started) != 0 {
				t.Fatalf("started %v, refused %v", res.Started, res.Refused)
			}
			if err := res.Refused[0].Err; c.code != 0 && !errors.Is(err, c.code) {
				t.Errorf("refused with %q, want %v", err, c.code)
			}
			if !sameDump(before, r.s.Dump(), true) || len(r.events) != 0 {
				t.Error("a refused start left something behind")
			}
			res = r.do(StartJobs{[]sched.Start{start, good, start}})
			if len(res.Started) != 1 || res.Started[0] != good.Job || len(res.Refused) != 2 {
				t.Errorf("between refused starts, %v started", res.Started)
			}
		})
	}
}

func TestStartsInOneCommandSeeEachOther(t *testing.T) {
	r := newRig(t)
	a, b := r.submit(), r.submit()
	res := r.do(StartJobs{[]sched.Start{r.on(a, 5, "n1"), r.on(b, 5, "n1")}})
	if len(res.Started) != 1 || res.Started[0] != a {
		t.Errorf("started %v on a node of 8 CPUs", res.Started)
	}

	c, d := r.submit(name("x"), after("singleton")), r.submit(name("x"), after("singleton"))
	res = r.do(StartJobs{[]sched.Start{r.on(c, 1, "n2"), r.on(d, 1, "n3")}})
	if len(res.Started) != 1 || res.Started[0] != c {
		t.Errorf("started %v of two singletons", res.Started)
	}

	e := r.submit(tasks("1-5"), func(j *sched.Job) { j.Throttle = 2 })
	res = r.do(StartJobs{[]sched.Start{r.task(e, 1, 1, "n3"), r.task(e, 2, 1, "n3"), r.task(e, 3, 1, "n3")}})
	if len(res.Started) != 2 {
		t.Errorf("started %v of an array that may run two tasks", res.Started)
	}
}

func TestExclusiveNodesComeFree(t *testing.T) {
	r := newRig(t)
	ofUser := func(j *sched.Job) { j.Spec = &slurm.JobOptions{Exclusive: "user"} }
	a, b := r.runs("n1", ofUser), r.runs("n1", ofUser)
	if n := r.s.Node("n1"); n.ExclusiveBy != a || n.ExclusiveUser != 1000 {
		t.Errorf("n1 is kept by job %d for uid %d", n.ExclusiveBy, n.ExclusiveUser)
	}
	r.end(a, slurm.JobCompleted)
	if n := r.s.Node("n1"); n.ExclusiveBy != b || n.ExclusiveUser != 1000 {
		t.Errorf("n1 is kept by job %d for uid %d, want the other job", n.ExclusiveBy, n.ExclusiveUser)
	}
	r.end(b, slurm.JobCompleted)
	if n := r.s.Node("n1"); n.ExclusiveBy != 0 || n.ExclusiveUser != 0 {
		t.Errorf("n1 is kept by job %d", n.ExclusiveBy)
	}
	c := r.runs("n1", func(j *sched.Job) { j.Need.Exclusive = true })
	if n := r.s.Node("n1"); n.ExclusiveBy != c || n.ExclusiveUser != sched.NoUser {
		t.Errorf("n1 is kept by job %d for uid %d", n.ExclusiveBy, n.ExclusiveUser)
	}
}

func TestHetComponentsStartTogetherOrNotAtAll(t *testing.T) {
	r := newRig(t)
	ids := r.must(SubmitJobs{Het: true, Jobs: []*sched.Job{asked(), asked()}}).Jobs
	for i, id := range ids {
		if j := r.job(id); j.HetID != ids[0] || j.HetOffset != i {
			t.Errorf("component %d: leader %d offset %d", i, j.HetID, j.HetOffset)
		}
	}
	if got := r.s.HetJobs(ids[0]); len(got) != 2 || got[1].ID != ids[1] {
		t.Errorf("HetJobs = %v", got)
	}
	r.refuse(StartJobs{[]sched.Start{r.on(ids[0], 1, "n1")}}, slurm.ErrnoNotWholeHetJob)
	r.refuse(StartJobs{[]sched.Start{r.on(ids[0], 1, "n1"), r.on(ids[0], 1, "n2")}}, slurm.ErrnoNotWholeHetJob)
	r.refuse(StartJobs{[]sched.Start{r.on(ids[0], 5, "n1"), r.on(ids[1], 5, "n1")}}, slurm.ErrnoNodesBusy)
	res := r.must(StartJobs{[]sched.Start{r.on(ids[1], 1, "n1"), r.on(ids[0], 1, "n1")}})
	if len(res.Started) != 2 {
		t.Errorf("started %v", res.Started)
	}
}

func TestHetComponentsEndWithTheLeader(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first int // this component ends first, by itself
		then  slurm.JobState
		end   EndJob
		want  [3]slurm.JobState
	}{
		{"Completed", -1, 0, EndJob{State: slurm.JobCompleted}, [3]slurm.JobState{slurm.JobCompleted, slurm.JobCompleted, slurm.JobCompleted}},
		{"Failed", -1, 0, EndJob{State: slurm.JobFailed, Exit: sched.ExitCode{Code: 3}}, [3]slurm.JobState{slurm.JobFailed, slurm.JobFailed, slurm.JobFailed}},
		{"OneCancelledBefore", 1, slurm.JobCancelled, EndJob{State: slurm.JobCompleted}, [3]slurm.JobState{slurm.JobCompleted, slurm.JobCancelled, slurm.JobCompleted}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			ids := r.must(SubmitJobs{Het: true, Jobs: []*sched.Job{asked(), asked(), asked()}}).Jobs
			r.must(StartJobs{[]sched.Start{r.on(ids[0], 1, "n1"), r.on(ids[1], 1, "n1"), r.on(ids[2], 1, "n2")}})
			if tt.first > 0 {
				r.must(EndJob{Job: ids[tt.first], State: tt.then})
				for _, i := range []int{0, 2} {
					if got := r.job(ids[i]).State; got != slurm.JobRunning {
						t.Errorf("component %d is %v after component %d ended", i, got, tt.first)
					}
				}
			}
			tt.end.Job = ids[0]
			r.must(tt.end)
			for i, id := range ids {
				j := r.job(id)
				if j.State != tt.want[i]|slurm.JobCompleting || j.State.Base() == slurm.JobFailed && j.ExitCode != tt.end.Exit {
					t.Errorf("component %d is %v with exit code %v", i, j.State, j.ExitCode)
				}
			}
		})
	}
}

func TestUnlimitedJobHasNoExpectedEnd(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1", func(j *sched.Job) { j.TimeLimit = slurm.Unlimited })
	if end := r.job(id).End; !end.IsZero() {
		t.Errorf("end %v", end)
	}
}

// TestCPUsAreGivenOnce holds what the log makes of CPUs that a plan chose: nobody has
// one that another has, and a suspended job goes on with its own alone.
func TestCPUsAreGivenOnce(t *testing.T) {
	r := newRig(t)
	on := func(id slurm.JobID, cpus int, list string) sched.Start {
		start := r.on(id, cpus, "n1")
		start.Alloc[0].CPUIDs = list
		return start
	}
	refused := func(start sched.Start) {
		t.Helper()
		if got := r.do(StartJobs{[]sched.Start{start}}); len(got.Refused) != 1 {
			t.Errorf("CPUs %s are given: %+v", start.Alloc[0].CPUIDs, got)
		}
	}
	one := r.run(on(r.submit(), 2, "0-1"))
	two := r.submit()
	for _, list := range []string{"1-2", "2", "2-4", "1000-1001", "2,3", "x"} {
		refused(on(two, 2, list))
	}
	r.run(on(two, 2, "2-3"))
	yes, no := true, false
	r.must(UpdateJob{Job: one, Change: JobChange{Suspend: &yes}})
	three := r.run(on(r.submit(), 1, "1"))
	r.refuse(UpdateJob{Job: one, Change: JobChange{Suspend: &no}}, slurm.ErrnoNodesBusy)
	r.end(three, slurm.JobCompleted)
	r.free(three)
	r.must(UpdateJob{Job: one, Change: JobChange{Suspend: &no}})
	if got := r.job(one).CPUsOn("n1"); got != "0-1" {
		t.Errorf("it goes on with %s", got)
	}
}
