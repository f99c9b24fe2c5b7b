package ctld

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Mail of --mail-type goes out through MailProg, which is called as Slurm does:
// -s SUBJECT ADDRESS, nothing to read, and the job in its environment. The leader
// sends after the commit and keeps nothing of it: mail may be lost with a leader,
// and is not worth more.

const (
	// mailsAtOnce bounds the mail programs that run, mailsWaiting the mail that
	// waits for one: beyond it mail is dropped, and the log says so.
	mailsAtOnce  = 4
	mailsWaiting = 10000
	// mailTime is how long a mail program may take.
	mailTime = time.Minute
)

// mailer is the leader's outgoing mail.
type mailer struct {
	mu      sync.Mutex // guards all below
	waiting []mail
	senders int
	told    map[incarnation]sched.MailEvent // the latest event of a job's time limit that was told
	arrays  map[arrayEvent]bool             // what was told of arrays as a whole
}

// arrayEvent is something that is told of an array once: its last tasks may
// end together, and each then is the last.
type arrayEvent struct {
	array slurm.JobID
	begin bool
}

// maxArrays bounds what is remembered of arrays; beyond it all is forgotten.
const maxArrays = 100000

type mail struct {
	program, subject, to string
	env                  []string
}

// mailStarted tells of a job's begin.
func (s *Server) mailStarted(j *sched.Job) {
	if sched.WantsMail(j, sched.MailBegin) {
		s.mail(j, sched.MailBegin)
	}
}

// mailEnded tells of the end of a job's incarnation.
func (s *Server) mailEnded(ev state.JobEnded) {
	s.mails.mu.Lock()
	delete(s.mails.told, incarnation{ev.Job.ID, ev.Job.Restarts})
	s.mails.mu.Unlock()
	if e := sched.MailOfEnd(ev.Job, ev.Requeued); e != "" {
		s.mail(ev.Job, e)
	}
}

// mailChanged tells of a job whose dependency will never be met.
func (s *Server) mailChanged(ev state.JobChanged) {
	never := slurm.ReasonDependencyNeverSatisfied
	if ev.New == nil || ev.New.Reason != never || ev.Old != nil && ev.Old.Reason == never || !sched.WantsMail(ev.New, sched.MailInvalidDepend) {
		return
	}
	s.mail(ev.New, sched.MailInvalidDepend)
}

// mailTimes tells of jobs that have come to a part of their time limit. Each is
// told of once, by a leader.
func (s *Server) mailTimes(now time.Time) {
	type due struct {
		j *sched.Job
		e sched.MailEvent
	}
	var list []due
	s.barn.Read(func(t *state.State) {
		for j := range t.Holding() {
			if len(j.Spec.MailTypes) == 0 {
				continue
			}
			if e := sched.MailOfTime(j, now); e != "" {
				list = append(list, due{j, e})
			}
		}
	})
	for _, d := range list {
		k := incarnation{d.j.ID, d.j.Restarts}
		s.mails.mu.Lock()
		again := s.mails.told[k] == d.e
		if s.mails.told == nil {
			s.mails.told = map[incarnation]sched.MailEvent{}
		}
		s.mails.told[k] = d.e
		s.mails.mu.Unlock()
		if !again {
			s.mail(d.j, d.e)
		}
	}
}

// mail queues the mail about an event. Of an array whose owner did not ask for
// its tasks, the first begin and the last end are told, for all together.
func (s *Server) mail(j *sched.Job, e sched.MailEvent) {
	if !s.leads() {
		return
	}
	var conf *sched.Config
	var all []*sched.Job
	first, last, untold := true, true, false
	s.barn.Read(func(t *state.State) {
		conf = t.Config()
		if conf == nil || conf.Conf == nil || conf.Conf.MailProg == "" || j.ArrayID == 0 || sched.WantsMail(j, "ARRAY_TASKS") {
			return
		}
		for _, task := range t.ArrayJobs(j.ArrayID) {
			switch {
			case task.ID == j.ID:
				all = append(all, j)
			case task.HasEnded():
				all = append(all, task)
			default:
				last = false
			}
			// Tasks that one plan starts begin together, and the first that is heard of tells of it.
			first = first && (task.Start.IsZero() || !task.Start.Before(j.Start))
			if untold = e == sched.MailBegin && !first || (e == sched.MailEnd || e == sched.MailFail) && !last; untold {
				return // most tasks end while others live
			}
		}
	})
	if conf == nil || conf.Conf == nil || conf.Conf.MailProg == "" {
		return
	}
	if untold {
		return
	}
	if len(all) > 0 {
		k := arrayEvent{j.ArrayID, e == sched.MailBegin}
		s.mails.mu.Lock()
		again := s.mails.arrays[k]
		if s.mails.arrays == nil || len(s.mails.arrays) > maxArrays {
			s.mails.arrays = map[arrayEvent]bool{}
		}
		if e == sched.MailBegin || e == sched.MailEnd || e == sched.MailFail {
			s.mails.arrays[k] = true
		} else {
			again = false
		}
		s.mails.mu.Unlock()
		if again {
			return
		}
	}
	now := time.Now()
	m := mail{
		program: conf.Conf.MailProg, to: sched.MailTo(j, conf), subject: sched.MailSubject(j, e, all, now), env: sched.MailEnv(j, e, all, conf, now),
	}
	s.mails.mu.Lock()
	defer s.mails.mu.Unlock()
	if len(s.mails.waiting) >= mailsWaiting {
		s.log.Warn("mail is dropped: the mail program is slow", "job", j.ID, "subject", m.subject)
		return
	}
	s.mails.waiting = append(s.mails.waiting, m)
	if s.mails.senders < mailsAtOnce {
		s.mails.senders++
		s.wg.Go(s.sendMail) // ends with the queue, or with the server
	}
}

// sendMail sends what waits.
func (s *Server) sendMail() {
	for {
		s.mails.mu.Lock()
		if len(s.mails.waiting) == 0 || s.stopping.Err() != nil {
			s.mails.senders--
			s.mails.mu.Unlock()
			return
		}
		m := s.mails.waiting[0]
		s.mails.waiting = s.mails.waiting[1:]
		s.mails.mu.Unlock()
		if err := m.send(s.stopping, s.opt.Config.Path); err != nil && s.stopping.Err() == nil {
			s.log.Warn("cannot send mail", "program", m.program, "to", m.to, "subject", m.subject, "error", err)
		}
	}
}

func (m *mail) send(ctx context.Context, confPath string) error {
	ctx, cancel := context.WithTimeout(ctx, mailTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.program, "-s", m.subject, m.to)
	cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "SLURM_CONF=" + confPath}, m.env...)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd.Run()
}
