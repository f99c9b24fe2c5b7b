package state

import (
	"errors"
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func TestSubmitGivesIDsAndAPendingRecord(t *testing.T) {
	r := newRig(t)
	id := r.submit()
	if id != 100 {
		t.Errorf("first id %d, want FirstJobId=100", id)
	}
	j := r.want(id, slurm.JobPending, slurm.ReasonNone)
	if !j.Submit.Equal(r.at) || !j.Eligible.Equal(r.at) {
		t.Errorf("submitted %v, eligible %v, want %v", j.Submit, j.Eligible, r.at)
	}
	if e := event[JobChanged](r); e.Old != nil || e.New != j {
		t.Errorf("event %+v, want the new record", e)
	}
	if r.submit() != 101 {
		t.Error("the second id is not the next")
	}
}

func TestSubmitForgetsWhatTheClientClaims(t *testing.T) {
	r := newRig(t)
	id := r.submit(func(j *sched.Job) {
		j.ID, j.State, j.Start, j.Restarts, j.ArrayID = 7, slurm.JobRunning, r.at, 9, 3
		j.Alloc = []sched.NodeAlloc{{Node: "n1", CPUs: 8}}
		j.LicensesUsed = slurm.Licenses{Items: []slurm.License{{Name: "lic", Count: 3}}}
	})
	if j := r.job(id); j.ID != id || !j.IsPending() || j.Alloc != nil || j.Restarts != 0 || j.ArrayID != 0 {
		t.Errorf("job %+v", j)
	}
}

func TestSubmitReason(t *testing.T) {
	cases := []struct {
		name     string
		change   func(*sched.Job)
		reason   slurm.Reason
		eligible bool
	}{
		{"None", func(*sched.Job) {}, slurm.ReasonNone, true},
		{"JobHeldUser", held(sched.HeldByUser), slurm.ReasonJobHeldUser, false},
		{"JobHeldAdmin", held(sched.HeldByAdmin), slurm.ReasonJobHeldAdmin, false},
		{"BeginTime", func(j *sched.Job) { j.Begin = began.Add(time.Hour) }, slurm.ReasonBeginTime, true},
		{"Dependency", after("afterok:100"), slurm.ReasonDependency, false},
		{"HeldBeforeDependency", func(j *sched.Job) { after("afterok:100")(j); j.HeldBy = sched.HeldByUser }, slurm.ReasonJobHeldUser, false},
		{"DependencyNeverSatisfied", after("afternotok:101"), slurm.ReasonDependencyNeverSatisfied, false},
		{"UnknownIDIsFulfilled", after("afterok:99999"), slurm.ReasonNone, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.submit() // 100 waits
			r.end(r.runs("n1"), slurm.JobCompleted)
			j := r.want(r.submit(c.change), slurm.JobPending, c.reason)
			if !j.Eligible.IsZero() != c.eligible {
				t.Errorf("eligible %v, want %v", j.Eligible, c.eligible)
			}
			if j.HeldBy != sched.HeldByNobody && j.Priority != 0 {
				t.Errorf("held with priority %d", j.Priority)
			}
			if !j.Begin.IsZero() && !j.Eligible.Equal(j.Begin) {
				t.Errorf("eligible %v, want its begin time %v", j.Eligible, j.Begin)
			}
		})
	}
}

func TestSubmitSameKeyAnswersTheFirstIDs(t *testing.T) {
	r := newRig(t)
	cmd := SubmitJobs{Key: "k", Jobs: []*sched.Job{asked(), asked()}}
	first := r.must(cmd)
	second := r.must(cmd)
	if len(r.events) != 0 || len(second.Jobs) != 2 || second.Jobs[0] != first.Jobs[0] || second.Jobs[1] != first.Jobs[1] {
		t.Errorf("second submission answered %v with %d events, want %v and none", second.Jobs, len(r.events), first.Jobs)
	}
	if k, ok := r.s.Submission("k"); !ok || k.Jobs[1] != first.Jobs[1] {
		t.Errorf("Submission = %v %v", k, ok)
	}
	r.must(Purge{Before: r.at.Add(time.Hour)})
	if third := r.must(cmd); third.Jobs[0] == first.Jobs[0] {
		t.Error("a forgotten key still answers")
	}
}

func TestSubmitRefusesAllOrNone(t *testing.T) {
	blob := sched.BlobID("nowhere")
	cases := []struct {
		name string
		cmd  SubmitJobs
		code error
	}{
		{"NoJobs", SubmitJobs{}, nil},
		{"NilJob", SubmitJobs{Jobs: []*sched.Job{asked(), nil}}, nil},
		{"NoSpec", SubmitJobs{Jobs: []*sched.Job{{}}}, nil},
		{"NoBlob", SubmitJobs{Jobs: []*sched.Job{asked(), asked(func(j *sched.Job) { j.Script = blob })}}, ErrNoBlob},
		{"Expand", SubmitJobs{Jobs: []*sched.Job{asked(after("expand:100"))}}, slurm.ErrnoNotSupported},
		{"DependType", SubmitJobs{Jobs: []*sched.Job{asked(func(j *sched.Job) { j.Deps = []sched.Depend{{}} })}}, slurm.ErrnoDependency},
		{"ArrayWithoutTasks", SubmitJobs{Jobs: []*sched.Job{asked(func(j *sched.Job) { j.ArrayAll = indexes("1-3") })}}, slurm.ErrnoInvalidArray},
		{"HetArray", SubmitJobs{Het: true, Jobs: []*sched.Job{asked(), asked(tasks("1-3"))}}, slurm.ErrnoInvalidArray},
		{"NeedsOutside", SubmitJobs{Jobs: []*sched.Job{asked()}, Needs: [][]int{{1}}}, slurm.ErrnoDependency},
		{"NeedsNegative", SubmitJobs{Jobs: []*sched.Job{asked()}, Needs: [][]int{{-1}}}, slurm.ErrnoDependency},
		{"NeedsItself", SubmitJobs{Jobs: []*sched.Job{asked()}, Needs: [][]int{{0}}}, slurm.ErrnoCircularDependency},
		{"NeedsInACircle", SubmitJobs{Jobs: []*sched.Job{asked(), asked(), asked()}, Needs: [][]int{{}, {2}, {1}}}, slurm.ErrnoCircularDependency},
		{"TooManyNeeds", SubmitJobs{Jobs: []*sched.Job{asked()}, Needs: [][]int{{}, {}}}, slurm.ErrnoDependency},
		{"MaxJobCount", SubmitJobs{Jobs: []*sched.Job{asked(tasks("0-499999")), asked()}}, slurm.ErrnoMaxJobCount},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			before := r.s.Dump()
			c.cmd.Key = "k"
			c.cmd.Blobs = []Blob{{"b", []byte("x")}}
			res := r.do(c.cmd)
			if res.Err == nil || c.code != nil && !errors.Is(res.Err, c.code) {
				t.Fatalf("error %v, want %v", res.Err, c.code)
			}
			if !sameDump(before, r.s.Dump(), true) || len(r.events) > 0 {
				t.Error("a refused submission left something behind")
			}
		})
	}
}

func TestSubmitRunDrawsAnIDPerDay(t *testing.T) {
	r := newRig(t)
	stages := func() []*sched.Job {
		a, b := asked(), asked()
		a.Stage, b.Stage = "load", "sum"
		return []*sched.Job{a, b}
	}
	cmd := SubmitJobs{Jobs: stages(), Needs: [][]int{{}, {0}}, Run: &RunInfo{Name: "census", User: "ann", Day: "20261123"}}
	res := r.must(cmd)
	if res.Run != "RUN-20261123-0001" {
		t.Errorf("run %q", res.Run)
	}
	run := r.s.Run(res.Run)
	if run == nil || run.Name != "census" || len(run.Jobs) != 2 || run.Stages[1] != "sum" || !run.Submit.Equal(r.at) {
		t.Fatalf("run %+v", run)
	}
	second := r.want(res.Jobs[1], slurm.JobPending, slurm.ReasonDependency)
	if second.Run != res.Run || second.DependencyText(r.at) != "afterok:100(unfulfilled)" {
		t.Errorf("second stage: run %q, waits for %q", second.Run, second.DependencyText(r.at))
	}
	if res := r.must(cmd); res.Run != "RUN-20261123-0002" {
		t.Errorf("second run %q", res.Run)
	}
	cmd.Run = &RunInfo{Day: "20261124"}
	if res := r.must(cmd); res.Run != "RUN-20261124-0001" {
		t.Errorf("first run of the next day %q", res.Run)
	}
	cmd.Run = &RunInfo{Day: "20261123"}
	if res := r.must(cmd); res.Run != "RUN-20261123-0003" {
		t.Errorf("run after the day went back: %q", res.Run)
	}
	if got := r.s.Runs(); len(got) != 4 || got[0].ID != "RUN-20261123-0001" {
		t.Errorf("%d runs", len(got))
	}
}

func TestRunIsForgottenLongAfterItsJobs(t *testing.T) {
	r := newRig(t)
	res := r.must(SubmitJobs{Jobs: []*sched.Job{asked()}, Run: &RunInfo{Day: "20261123"}})
	r.must(EndJob{Job: res.Jobs[0], Restarts: AnyIncarnation, State: slurm.JobCancelled})
	r.must(Purge{Before: r.at.Add(time.Hour)})
	if r.s.Run(res.Run) == nil {
		t.Error("the run went with its jobs")
	}
	r.at = r.at.Add(31 * 24 * time.Hour)
	r.must(Purge{Before: r.at})
	if r.s.Run(res.Run) != nil {
		t.Error("the run is still there a month later")
	}
}

func TestBlobsLiveAsLongAsTheirLastJob(t *testing.T) {
	r := newRig(t)
	with := func(j *sched.Job) { j.Script, j.Env = "s", "e" }
	r.must(SubmitJobs{Jobs: []*sched.Job{asked(with, tasks("1-2"))}, Blobs: []Blob{{"s", []byte("script")}, {"e", []byte("env")}, {"unused", nil}}})
	if _, ok := r.s.Blob("unused"); ok {
		t.Error("a blob that no job has is stored")
	}
	second := r.submit(with) // known by now
	one := r.run(r.task(100, 1, 1, "n1"))
	two := r.run(r.task(100, 2, 1, "n2"))
	for _, id := range []slurm.JobID{one, two} {
		r.end(id, slurm.JobCompleted)
	}
	purge := func() { r.must(Purge{Before: r.at.Add(time.Hour)}) }
	purge()
	if r.s.Job(one) != nil || r.s.Job(two) != nil {
		t.Fatal("the array is still there")
	}
	if data, ok := r.s.Blob("s"); !ok || string(data) != "script" {
		t.Errorf("script %q %v while job %d has it", data, ok, second)
	}
	r.must(EndJob{Job: second, Restarts: AnyIncarnation, State: slurm.JobCancelled})
	if _, ok := r.s.Blob("e"); !ok {
		t.Error("the environment went before its job was purged")
	}
	purge()
	if len(r.s.Dump().Blobs) != 0 {
		t.Errorf("blobs %v are left", r.s.Dump().Blobs)
	}
}

func TestJobIDsGoRound(t *testing.T) {
	r := newRig(t)
	last := r.s.Config().MaxJobID
	keep := r.submit() // 100
	r.s.nextJob = last
	if id := r.submit(); id != last {
		t.Errorf("id %d, want the highest, %d", id, last)
	}
	if id := r.submit(); id != keep+1 {
		t.Errorf("id %d after the highest, want %d", id, keep+1)
	}
}

func TestSubmitRefusedWhenIDsRunOut(t *testing.T) {
	r := newRig(t)
	files := rigFiles("MaxJobId=105\n")
	r.must(SetConfig{files})
	for range 5 {
		r.submit()
	}
	r.refuse(SubmitJobs{Jobs: []*sched.Job{asked()}}, slurm.ErrnoMaxJobCount)
	r.must(EndJob{Job: 102, State: slurm.JobCancelled})
	r.must(Purge{Before: r.at.Add(time.Hour)})
	if id := r.submit(); id != 105 {
		t.Errorf("id %d, want the one never used", id)
	}
}
