package state

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// cron is a job that a crontab's lines ask for.
func cron(first, line int) *sched.Job {
	return asked(func(j *sched.Job) {
		spec := *j.Spec
		spec.Cron, spec.CronFirstLine, spec.CronLine = "@hourly", first, line
		j.Spec, j.Requeue = &spec, true
	})
}

func TestCrontabTurns(t *testing.T) {
	r := newRig(t)
	uid := cron(1, 1).UID
	set := SetCrontab{UID: uid, User: "ann", Text: "#SCRON -t 5\n@hourly a\n@hourly b\n", Submit: SubmitJobs{Jobs: []*sched.Job{cron(1, 2), cron(3, 3)}}}
	ids := r.must(set).Jobs
	if tab := r.s.Crontab(uid); len(ids) != 2 || tab == nil || tab.Text != set.Text || len(tab.Jobs) != 2 {
		t.Fatalf("jobs %v, crontab %+v", ids, tab)
	}
	// A turn begins and ends; then the job waits for the next one under its id.
	id := r.run(r.on(ids[0], 1, "n1"))
	if done := r.s.CronDone(); len(done) != 0 {
		t.Errorf("done while it runs: %v", done)
	}
	r.must(EndJob{Job: id, State: slurm.JobCompleted})
	r.must(ReleaseNodes{Job: id, Nodes: []sched.NodeName{"n1"}})
	done := r.s.CronDone()
	if len(done) != 1 || done[0].ID != ids[0] {
		t.Fatalf("done: %v", done)
	}
	next := r.at.Add(time.Hour)
	r.must(EndJob{Job: id, Restarts: done[0].Restarts, State: slurm.JobCancelled, Requeue: true, NotBefore: next})
	if j := r.s.Job(id); !j.IsPending() || !j.Begin.Equal(next) || j.Restarts != 1 || len(r.s.CronDone()) != 0 {
		t.Errorf("after the turn: %v begin %v restarts %d", j.State, j.Begin, j.Restarts)
	}
	// One that is dropped is over for good, and so are its lines.
	r.must(DropCron{Job: ids[0]})
	tab := r.s.Crontab(uid)
	if want := "#DISABLED: #SCRON -t 5\n#DISABLED: @hourly a\n@hourly b\n"; tab.Text != want || len(tab.Jobs) != 1 || r.s.Job(ids[0]).State.Base() != slurm.JobCancelled {
		t.Errorf("crontab %q, jobs %v", tab.Text, tab.Jobs)
	}
	// A crontab that cannot be had changes nothing; another one ends the jobs of the first.
	bad := cron(1, 1)
	bad.Script = "nosuch"
	if err := r.do(SetCrontab{UID: uid, Text: "x", Submit: SubmitJobs{Jobs: []*sched.Job{bad}}}).Err; !errors.Is(err, ErrNoBlob) || r.s.Crontab(uid) != tab {
		t.Errorf("a bad crontab: %v", err)
	}
	if err := r.do(SetCrontab{UID: uid + 1, Text: "x", Submit: SubmitJobs{Jobs: []*sched.Job{cron(1, 1)}}}).Err; err == nil {
		t.Error("a crontab with another's job is taken")
	}
	r.must(SetCrontab{UID: uid, Text: "", User: "ann"})
	if r.s.Crontab(uid) != nil || r.s.Job(ids[1]).State.Base() != slurm.JobCancelled {
		t.Error("a removed crontab leaves something behind")
	}
	if err := r.do(DropCron{Job: 4711}).Err; !errors.Is(err, slurm.ErrnoInvalidJobID) {
		t.Errorf("a job that is not there: %v", err)
	}
}

func TestTriggersAreKeptOnce(t *testing.T) {
	r := newRig(t)
	tr := sched.Trigger{UID: 7, Kind: "down", On: sched.TriggerOnNode, Program: "/bin/true"}
	if n := r.must(SetTrigger{tr}).Number; n != 1 {
		t.Errorf("id %d", n)
	}
	if err := r.do(SetTrigger{tr}).Err; !errors.Is(err, slurm.ErrnoTriggerDup) {
		t.Errorf("the same again: %v", err)
	}
	tr.Kind = "up"
	r.must(SetTrigger{tr})
	r.must(DropTriggers{[]uint32{1, 99}})
	if list := r.s.Triggers(); len(list) != 1 || list[0].ID != 2 || list[0].Since.IsZero() {
		t.Errorf("left: %+v", list)
	}
	if err := r.do(SetTrigger{}).Err; err == nil || !strings.Contains(err.Error(), "without an event") {
		t.Errorf("an empty trigger: %v", err)
	}
}
