package ctld

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
)

// charger works out whom jobs that ran elsewhere are charged to, and with what.
type charger struct {
	acc  *sched.Accounts
	cfg  *sched.Config
	from time.Time // what was used before is forgotten (PriorityUsageResetPeriod)
}

func (s *Server) newCharger(now time.Time) *charger {
	c := &charger{}
	s.barn.Read(func(t *state.State) { c.acc, c.cfg = t.Accounts(), t.Config() })
	if c.cfg == nil || c.cfg.Conf == nil {
		return c
	}
	// The longest period is a year, so two years ago lies before the current one.
	period, last := c.cfg.Conf.PriorityUsageResetPeriod, now.AddDate(-2, 0, 0)
	for {
		next := sched.NextUsageReset(period, last, now.Location())
		if next.IsZero() || next.After(now) {
			break
		}
		last, c.from = next, next
	}
	return c
}

// use is what a job has used of somebody's share; false when it is nobody's here.
func (c *charger) use(r *rinkpb.Record) (sched.PastUse, bool) {
	if c.acc == nil || c.cfg == nil || r.Job.Start == 0 {
		return sched.PastUse{}, false
	}
	j, err := api.JobFromProto(r.Job)
	if err != nil {
		return sched.PastUse{}, false
	}
	v := c.acc.Find(j.User, j.Account, j.Partition)
	if v == nil {
		return sched.PastUse{}, false
	}
	u := sched.PastUse{Assoc: v.ID, QOS: j.QOS, From: j.Start, To: j.End, Held: sched.JobTRES(j, c.cfg), Charged: float64(r.Billing)}
	if u.Charged == 0 {
		n, _ := u.Held.Get("billing")
		u.Charged = float64(n)
	}
	if u.From.Before(c.from) {
		u.From = c.from
	}
	return u, true
}

// learnt bounds how many ended jobs a new scheduler is told of.
const learnt = 20_000

// learn tells a new scheduler how long the jobs ran that ended last, so that it
// foresees as well as the one before it, also on another controller.
func (l *loop) learn() {
	if !l.live.Foresees() {
		return
	}
	list, err := l.s.store.Last(learnt)
	if err != nil {
		l.s.log.Warn("the scheduler knows nothing of the jobs before: the history cannot be read", "error", err)
		return
	}
	for _, r := range list {
		l.learnOne(r)
	}
}

// learnFrom tells the scheduler of jobs that ran elsewhere.
func (l *loop) learnFrom(records [][]byte) {
	if !l.live.Foresees() {
		return
	}
	for _, data := range records {
		r := &rinkpb.Record{}
		if proto.Unmarshal(data, r) == nil && r.Job != nil {
			l.learnOne(r.Job)
		}
	}
}

func (l *loop) learnOne(p *rinkpb.Job) {
	if j, err := api.JobFromProto(p); err == nil {
		l.live.Learn(j)
	}
}
