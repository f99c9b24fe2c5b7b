package sched

import (
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

func TestMailSubjects(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(1700000000+int64(s), 0) }
	job := func(state slurm.JobState, code, signal uint8, change func(*Job)) *Job {
		j := &Job{ID: 7, Name: "wrap", State: state, Submit: at(0), Start: at(65), End: at(125), Spec: &slurm.JobOptions{}}
		j.ExitCode.Code, j.ExitCode.Signal = code, signal
		if change != nil {
			change(j)
		}
		return j
	}
	task := func(id slurm.JobID, index uint32, code uint8) *Job {
		state := slurm.JobCompleted
		if code > 0 {
			state = slurm.JobFailed
		}
		return job(state, code, 0, func(j *Job) { j.ID, j.ArrayID, j.TaskID = id, 9, index })
	}
	for _, c := range []struct {
		j    *Job
		e    MailEvent
		all  []*Job
		want string
	}{
		{job(slurm.JobRunning, 0, 0, nil), MailBegin, nil, "Slurm Job_id=7 Name=wrap Began, Queued time 00:01:05"},
		{job(slurm.JobCompleted, 0, 0, nil), MailEnd, nil, "Slurm Job_id=7 Name=wrap Ended, Run time 00:01:00, COMPLETED, ExitCode 0"},
		{job(slurm.JobFailed, 3, 0, nil), MailFail, nil, "Slurm Job_id=7 Name=wrap Failed, Run time 00:01:00, FAILED, ExitCode 3"},
		{job(slurm.JobFailed, 0, 9, nil), MailFail, nil, "Slurm Job_id=7 Name=wrap Failed, Run time 00:01:00, FAILED"},
		{job(slurm.JobCancelled, 0, 0, func(j *Job) { j.Start = time.Time{} }), MailEnd, nil, "Slurm Job_id=7 Name=wrap Ended, Run time 00:00:00, CANCELLED, ExitCode 0"},
		{job(slurm.JobPending, 0, 0, nil), MailRequeue, nil, "Slurm Job_id=7 Name=wrap Requeued, Run time 00:01:00"},
		{job(slurm.JobRunning, 0, 0, func(j *Job) { j.End = at(165) }), MailTimeLimit50, nil, "Slurm Job_id=7 Name=wrap Reached 50% of time limit, Run time 00:00:50"},
		{task(8, 1, 0), MailBegin, nil, "Slurm Array Task Job_id=9_1 (8) Name=wrap Began, Queued time 00:01:05"},
		{task(9, 2, 0), MailEnd, []*Job{task(8, 1, 0), task(9, 2, 0)}, "Slurm Array Summary Job_id=9_* (9) Name=wrap Ended, COMPLETED, ExitCode [0-0]"},
		{task(9, 2, 1), MailFail, []*Job{task(8, 1, 0), task(9, 2, 1)}, "Slurm Array Summary Job_id=9_* (9) Name=wrap Failed, Mixed, ExitCode [0-1]"},
	} {
		if got := MailSubject(c.j, c.e, c.all, at(115)); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

func TestMailIsSentToWhoWantsIt(t *testing.T) {
	with := func(state slurm.JobState, types ...string) *Job {
		return &Job{State: state, Spec: &slurm.JobOptions{MailTypes: types}}
	}
	for _, c := range []struct {
		j        *Job
		requeued bool
		want     MailEvent
	}{
		{with(slurm.JobCompleted, "END", "FAIL"), false, MailEnd},
		{with(slurm.JobFailed, "END", "FAIL"), false, MailFail},
		{with(slurm.JobFailed, "END"), false, MailEnd},
		{with(slurm.JobTimeout, "FAIL"), false, MailFail},
		{with(slurm.JobCompleted, "FAIL"), false, ""},
		{with(slurm.JobCancelled, "END", "FAIL"), false, MailEnd},
		{with(slurm.JobCancelled, "FAIL"), false, ""},
		{with(slurm.JobNodeFail, "REQUEUE", "FAIL"), true, MailRequeue},
		{with(slurm.JobNodeFail, "FAIL"), true, ""},
		{with(slurm.JobFailed), false, ""},
	} {
		if got := MailOfEnd(c.j, c.requeued); got != c.want {
			t.Errorf("%v %v requeued %v: %q, want %q", c.j.State, c.j.Spec.MailTypes, c.requeued, got, c.want)
		}
	}
	j := with(slurm.JobRunning, "TIME_LIMIT_50", "TIME_LIMIT_90")
	j.Start, j.End = time.Unix(0, 0), time.Unix(100, 0)
	for s, want := range map[int64]MailEvent{10: "", 50: MailTimeLimit50, 85: MailTimeLimit50, 90: MailTimeLimit90, 120: MailTimeLimit90} {
		if got := MailOfTime(j, time.Unix(s, 0)); got != want {
			t.Errorf("after %d s: %q, want %q", s, got, want)
		}
	}
	if got := MailTo(&Job{User: "ann", Spec: &slurm.JobOptions{}}, &Config{Conf: &slurm.Conf{MailDomain: "x.org"}}); got != "ann@x.org" {
		t.Errorf("to %q", got)
	}
}
