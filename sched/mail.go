package sched

import (
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// MailEvent is something that happened to a job and of which mail may tell, by
// the word of --mail-type.
type MailEvent string

// The events. One of a time limit is told when so much of it has passed.
const (
	MailBegin         MailEvent = "BEGIN"
	MailEnd           MailEvent = "END"
	MailFail          MailEvent = "FAIL"
	MailRequeue       MailEvent = "REQUEUE"
	MailInvalidDepend MailEvent = "INVALID_DEPEND"
	MailTimeLimit50   MailEvent = "TIME_LIMIT_50"
	MailTimeLimit80   MailEvent = "TIME_LIMIT_80"
	MailTimeLimit90   MailEvent = "TIME_LIMIT_90"
	MailTimeLimit     MailEvent = "TIME_LIMIT"
)

// Words is what Slurm calls the event in the subject of a mail.
func (e MailEvent) Words() string {
	return map[MailEvent]string{
		MailBegin: "Began", MailEnd: "Ended", MailFail: "Failed", MailRequeue: "Requeued", MailInvalidDepend: "Invalid dependency",
		MailTimeLimit50: "Reached 50% of time limit", MailTimeLimit80: "Reached 80% of time limit", MailTimeLimit90: "Reached 90% of time limit",
		MailTimeLimit: "Reached time limit",
	}[e]
}

// Share is the part of the time limit that an event is about; 0 for others.
func (e MailEvent) Share() float64 {
	return map[MailEvent]float64{MailTimeLimit50: 0.5, MailTimeLimit80: 0.8, MailTimeLimit90: 0.9, MailTimeLimit: 1}[e]
}

// WantsMail reports whether a job's owner asked to be told of an event.
func WantsMail(j *Job, e MailEvent) bool { return slices.Contains(specOf(j).MailTypes, string(e)) }

// MailOfEnd is the event that the end of an incarnation is to its owner; "" when
// they do not want to know.
func MailOfEnd(j *Job, requeued bool) MailEvent {
	e := MailEnd
	switch base := j.State.Base(); {
	case requeued:
		e = MailRequeue
	case base != slurm.JobCompleted && base != slurm.JobCancelled && WantsMail(j, MailFail):
		e = MailFail
	}
	if !WantsMail(j, e) {
		return ""
	}
	return e
}

// MailOfTime is the latest event of the time limit that a running job has come
// to and whose owner wants to know; "" when there is none.
func MailOfTime(j *Job, now time.Time) MailEvent {
	if j.State.Base() != slurm.JobRunning || j.Start.IsZero() || !j.End.After(j.Start) {
		return ""
	}
	share := float64(now.Sub(j.Start)) / float64(j.End.Sub(j.Start))
	for _, e := range []MailEvent{MailTimeLimit, MailTimeLimit90, MailTimeLimit80, MailTimeLimit50} {
		if share >= e.Share() && WantsMail(j, e) {
			return e
		}
	}
	return ""
}

// MailTo is whom mail about a job goes to: --mail-user, or its owner, at the
// domain of the configuration when there is one and the name has none.
func MailTo(j *Job, cfg *Config) string {
	if to := specOf(j).MailUser; to != "" {
		return to
	}
	if domain := conf(cfg).MailDomain; domain != "" {
		return j.User + "@" + domain
	}
	return j.User
}

// MailSubject is the subject of the mail about an event, in Slurm's words. all
// are the tasks of an array of which one mail tells together; none for a mail
// about one job.
func MailSubject(j *Job, e MailEvent, all []*Job, now time.Time) string {
	who := fmt.Sprintf("Job_id=%d", j.ID)
	switch {
	case j.ArrayID != 0 && len(all) > 0:
		who = fmt.Sprintf("Array Summary Job_id=%d_* (%d)", j.ArrayID, j.ArrayID)
	case j.ArrayID != 0:
		who = fmt.Sprintf("Array Task Job_id=%d_%d (%d)", j.ArrayID, j.TaskID, j.ID)
	}
	text := fmt.Sprintf("Slurm %s Name=%s %s", who, j.Name, e.Words())
	switch {
	case len(all) > 0 && (e == MailEnd || e == MailFail):
		return text + arrayEnd(all)
	case len(all) > 0:
		return text
	case e == MailBegin:
		return text + ", Queued time " + clock(j.Start.Sub(j.Submit))
	case e == MailInvalidDepend:
		return text
	}
	end := j.End
	if !j.HasEnded() && e != MailRequeue {
		end = now
	}
	run := end.Sub(j.Start)
	if j.Start.IsZero() {
		run = 0
	}
	text += ", Run time " + clock(run)
	if e == MailEnd || e == MailFail {
		text += ", " + j.State.Base().String()
		if j.ExitCode.Signal == 0 {
			text += fmt.Sprintf(", ExitCode %d", j.ExitCode.Code)
		}
	}
	return text
}

// arrayEnd tells how the tasks of an array ended.
func arrayEnd(all []*Job) string {
	state := all[0].State.Base().String()
	low, high, signal := all[0].ExitCode.Code, all[0].ExitCode.Code, all[0].ExitCode.Signal
	for _, j := range all[1:] {
		if j.State.Base().String() != state {
			state = "Mixed"
		}
		low, high, signal = min(low, j.ExitCode.Code), max(high, j.ExitCode.Code), max(signal, j.ExitCode.Signal)
	}
	text := fmt.Sprintf(", %s, ExitCode [%d-%d]", state, low, high)
	if signal > 0 {
		text = fmt.Sprintf(", %s, MaxSignal [%d]", state, signal)
	}
	return text
}

// MailEnv returns the variables that describe the job and the event to the mail
// program; all is as for MailSubject.
func MailEnv(j *Job, e MailEvent, all []*Job, cfg *Config, now time.Time) []string {
	env := append(HookEnv(j, cfg), "SLURM_JOB_MAIL_TYPE="+e.Words(), "SLURM_JOB_STATE="+j.State.Base().String())
	if j.ArrayID != 0 {
		env = append(env, fmt.Sprintf("SLURM_ARRAY_TASK_COUNT=%d", j.ArrayAll.Len()), fmt.Sprintf("SLURM_ARRAY_TASK_MIN=%d", j.ArrayAll.Min()),
			fmt.Sprintf("SLURM_ARRAY_TASK_MAX=%d", j.ArrayAll.Max()), fmt.Sprintf("SLURM_ARRAY_TASK_STEP=%d", arrayStep(j)))
	}
	switch e {
	case MailBegin:
		env = append(env, "SLURM_JOB_QUEUED_TIME="+clock(j.Start.Sub(j.Submit)))
	case MailInvalidDepend:
	default:
		end := j.End
		if !j.HasEnded() {
			end = now
		}
		run := end.Sub(j.Start)
		if j.Start.IsZero() {
			run = 0
		}
		env = append(env, "SLURM_JOB_RUN_TIME="+clock(run))
	}
	if e == MailEnd || e == MailFail {
		env = append(env, EndEnv(j.ExitCode, j.DerivedExit)...)
		low, high := j.ExitCode.Code, j.ExitCode.Code
		for _, task := range all {
			low, high = min(low, task.ExitCode.Code), max(high, task.ExitCode.Code)
		}
		env = append(env, fmt.Sprintf("SLURM_JOB_EXIT_CODE_MAX=%d", high))
		if j.ArrayID != 0 {
			env = append(env, fmt.Sprintf("SLURM_JOB_EXIT_CODE_MIN=%d", low))
		}
	}
	return env
}

// clock writes a time as [days-]hours:minutes:seconds.
func clock(d time.Duration) string {
	s := max(int64(d/time.Second), 0)
	text := fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if days := s / 86400; days > 0 {
		text = fmt.Sprintf("%d-%s", days, text)
	}
	return text
}
