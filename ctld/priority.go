package ctld

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// priorityBook keeps what priorities are reckoned with, and which jobs are to be
// reckoned anew. What all jobs have in common is reckoned once a
// PriorityCalcPeriod, and when the accounts or the configuration have changed.
type priorityBook struct {
	mu      sync.Mutex
	p       *sched.Prioritizer
	at      time.Time
	config  *sched.Config
	acc     *sched.Accounts
	changed map[slurm.JobID]bool // what their priority is made of has changed
	queue   []slurm.JobID        // still to be looked at in this period; the scheduling loop's alone
	full    time.Time            // when all were to be looked at last
}

func newPriorityBook() *priorityBook { return &priorityBook{changed: map[slurm.JobID]bool{}} }

// prioritizer returns what priorities are reckoned with now; nil without a
// configuration. The state is never read while the book is locked: readers of the
// state take the book's lock.
func (s *Server) prioritizer(now time.Time) *sched.Prioritizer {
	b := s.priorities
	var config *sched.Config
	var acc *sched.Accounts
	var nodes []*sched.Node
	var ledger *sched.Ledger
	b.mu.Lock()
	was, at, oldConfig, oldAcc := b.p, b.at, b.config, b.acc
	b.mu.Unlock()
	s.barn.Read(func(st *state.State) {
		config, acc = st.Config(), st.Accounts()
		if config == nil || was != nil && config == oldConfig && acc == oldAcc && now.Sub(at) < calcPeriod(config) {
			return
		}
		nodes, ledger = st.Nodes(), st.Ledger()
	})
	if ledger == nil {
		return was
	}
	p := sched.NewPrioritizer(config, nodes, ledger, now)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at.After(now) {
		return b.p // somebody was quicker
	}
	b.p, b.at, b.config, b.acc = p, now, config, acc
	return p
}

// calcPeriod is how long priorities stand before they are reckoned anew.
func calcPeriod(config *sched.Config) time.Duration {
	if d := config.Conf.PriorityCalcPeriod; d > 0 && d != slurm.Unlimited {
		return seconds(d)
	}
	return 5 * time.Minute
}

// chargeable gives a job that is being submitted what follows from whom it is
// charged to: the time limit of its QOS or association where it asks for none and
// the partition has no default, and its priority.
func (s *Server) chargeable(j *sched.Job, o *slurm.JobOptions, now time.Time) {
	s.barn.Read(func(st *state.State) {
		if p := st.Config().Partition(j.Partition); !o.Given["time"] && o.TimeLimit == 0 && p != nil && p.DefaultTime == 0 {
			j.TimeLimit = min(j.TimeLimit, st.MaxWall(j))
		}
	})
	if p := s.prioritizer(now); p != nil && p.Reckons() && j.Priority > 0 && j.HeldBy == sched.HeldByNobody {
		j.Priority = p.Priority(j, now)
	}
}

// releaseOf is the change that releases a job: it gets the priority that its factors
// come to, also when somebody had set another.
func (s *Server) releaseOf(j *sched.Job) state.JobChange {
	by := sched.HeldByNobody
	ch := state.JobChange{Hold: &by}
	one := *j
	one.HeldBy = by
	if j.Spec.Given["priority"] {
		spec := *j.Spec
		spec.Given = maps.Clone(spec.Given)
		delete(spec.Given, "priority")
		one.Spec, ch.Spec = &spec, &spec
	}
	b := s.priorities
	b.mu.Lock()
	p := b.p
	b.mu.Unlock()
	if p != nil && p.Reckons() {
		n := p.Priority(&one, time.Now())
		ch.Priority = &n
	}
	return ch
}

// linesOf are the lines that a command prints before an error.
func linesOf(err error) []string {
	var r *sched.Refused
	if errors.As(err, &r) {
		return r.Lines
	}
	return nil
}

// noticePriority remembers a job when what its priority is made of has changed.
func (s *Server) noticePriority(ev state.JobChanged) {
	old, j := ev.Old, ev.New
	if old == nil || j == nil || !j.IsPending() {
		return
	}
	if old.Nice == j.Nice && old.QOS == j.QOS && old.AssocID == j.AssocID && old.HeldBy == j.HeldBy && old.Restarts == j.Restarts &&
		old.Spec == j.Spec && old.Eligible.Equal(j.Eligible) && slices.Equal(old.Partitions, j.Partitions) {
		return
	}
	b := s.priorities
	b.mu.Lock()
	b.changed[j.ID] = true
	b.mu.Unlock()
}

// prioritiesAtOnce bounds the priorities of one log entry.
const prioritiesAtOnce = 4096

// refreshPriorities reckons anew the priorities of jobs that changed, and once a
// PriorityCalcPeriod those of all, some thousands at a time. Only what comes out
// otherwise is written to the log.
func (s *Server) refreshPriorities(ctx context.Context, now time.Time) {
	p := s.prioritizer(now)
	if p == nil {
		return
	}
	b := s.priorities
	b.mu.Lock()
	config := b.config
	due := now.Sub(b.full) >= calcPeriod(config)
	if due {
		b.full = now
	}
	ids := make([]slurm.JobID, 0, len(b.changed))
	for id := range b.changed {
		ids = append(ids, id)
	}
	clear(b.changed)
	b.mu.Unlock()
	slices.Sort(ids)
	running := slices.Contains(config.Conf.PriorityFlags, "CALCULATE_RUNNING")
	var jobs []*sched.Job
	s.barn.Read(func(st *state.State) {
		if due {
			b.queue = b.queue[:0]
			for j := range st.Pending() {
				b.queue = append(b.queue, j.ID)
			}
			if running {
				for j := range st.Holding() {
					b.queue = append(b.queue, j.ID)
				}
			}
		}
		n := min(len(b.queue), prioritiesAtOnce)
		ids = append(ids, b.queue[:n]...)
		if b.queue = b.queue[n:]; len(b.queue) > 0 {
			s.loop.wake()
		}
		for _, id := range ids {
			if j := st.Job(id); j != nil {
				jobs = append(jobs, j)
			}
		}
	})
	var cmd state.SetPriorities
	for _, r := range p.Refresh(jobs, now) {
		cmd.Jobs = append(cmd.Jobs, state.JobPriority{Job: r.Job, Priority: r.Priority, Age: r.Age})
	}
	if len(cmd.Jobs) == 0 {
		return
	}
	if _, err := s.propose(ctx, cmd); err != nil && ctx.Err() == nil {
		s.log.Warn("cannot commit priorities", "error", err)
	}
}

// reckonNow writes down the priorities of jobs that a call has just changed, so that
// whoever looks after its answer sees them.
func (s *Server) reckonNow(ctx context.Context, cmds []state.Command) {
	p := s.prioritizer(time.Now())
	if p == nil {
		return
	}
	var set state.SetPriorities
	s.barn.Read(func(st *state.State) {
		var jobs []*sched.Job
		for _, cmd := range cmds {
			if up, ok := cmd.(state.UpdateJob); ok {
				if j := st.Job(up.Job); j != nil && j.IsPending() {
					jobs = append(jobs, j)
				}
			}
		}
		for _, r := range p.Refresh(jobs, time.Now()) {
			set.Jobs = append(set.Jobs, state.JobPriority{Job: r.Job, Priority: r.Priority, Age: r.Age})
		}
	})
	if len(set.Jobs) == 0 {
		return
	}
	if _, err := s.propose(ctx, set); err != nil && ctx.Err() == nil {
		s.log.Warn("cannot commit priorities", "error", err)
	}
}

// usageReset says that all usage is to be forgotten now, where
// PriorityUsageResetPeriod asks for it.
func usageReset(st *state.State, now time.Time) []state.Command {
	next := sched.NextUsageReset(st.Config().Conf.PriorityUsageResetPeriod, st.LastUsageReset(), time.Local)
	if next.IsZero() || now.Before(next) {
		return nil
	}
	return []state.Command{state.ResetUsage{All: true}}
}

// quotaMonth says which calendar month it is by the leader's zone, where herds have
// quotas of hours and the log does not say so yet.
func quotaMonth(st *state.State, now time.Time) []state.Command {
	if !st.CountsHours() {
		return nil
	}
	began, next := st.QuotaMonth()
	if !began.IsZero() && now.Before(next) {
		return nil
	}
	y, m, _ := now.In(time.Local).Date()
	return []state.Command{state.ResetUsage{Month: time.Date(y, m, 1, 0, 0, 0, 0, time.Local), NextMonth: time.Date(y, m+1, 1, 0, 0, 0, 0, time.Local)}}
}

// Priorities tells what the priorities of pending jobs are made of, a job with
// several partitions once for each.
func (c *controller) Priorities(ctx context.Context, _ *rinkpb.PrioritiesRequest) (*rinkpb.PrioritiesReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	p := c.s.prioritizer(now)
	reply := &rinkpb.PrioritiesReply{Cluster: c.s.conf.ClusterName}
	if p == nil {
		return reply, nil
	}
	w, tres := p.Weights()
	reply.Weights = &rinkpb.PriorityWeights{Age: w.Age, Assoc: w.Assoc, FairShare: w.FairShare, JobSize: w.JobSize, Partition: w.Partition, Qos: w.QOS,
		Tres: tresFactors(tres)}
	all := c.s.operator(u.UID) || !c.s.private("jobs")
	var jobs []*sched.Job
	c.s.barn.Read(func(st *state.State) {
		for j := range st.Pending() {
			if all || j.UID == u.UID {
				jobs = append(jobs, j)
			}
		}
	})
	for _, j := range jobs {
		for _, f := range p.Explain(j, now) {
			reply.Jobs = append(reply.Jobs, &rinkpb.JobFactors{
				Job: uint32(j.ID), Uid: j.UID, User: j.User, Account: j.Account, QosName: j.QOS, PartitionName: string(f.In), Priority: f.Sum,
				Age: f.Age, Assoc: f.Assoc, FairShare: f.FairShare, JobSize: f.JobSize, Partition: f.Partition, Qos: f.QOS, Nice: int64(f.Nice),
				Tres: tresFactors(f.TRES),
			})
		}
	}
	return reply, nil
}

func tresFactors(list []sched.TRESFactor) []*rinkpb.TRESFactor {
	var out []*rinkpb.TRESFactor
	for _, t := range list {
		out = append(out, &rinkpb.TRESFactor{Key: t.Key, Value: t.Value, Weight: t.Weight})
	}
	return out
}

// Shares tells how the associations stand to their fair shares as of now.
func (c *controller) Shares(ctx context.Context, req *rinkpb.SharesRequest) (*rinkpb.SharesReply, error) {
	_, u, err := c.caller(ctx)
	if err != nil {
		return nil, err
	}
	reply := &rinkpb.SharesReply{Cluster: c.s.conf.ClusterName}
	var ledger *sched.Ledger
	c.s.barn.Read(func(st *state.State) {
		if st.Config() != nil {
			ledger = st.Ledger()
		}
	})
	if ledger == nil {
		return reply, nil
	}
	f := sched.NewFairShare(ledger, time.Now())
	reply.FairTree = f.IsTree()
	own := !c.s.operator(u.UID) && c.s.private("usage")
	for _, sh := range f.Shares() {
		switch {
		case own && sh.Key.User != u.Name,
			len(req.Accounts) > 0 && !slices.Contains(req.Accounts, sh.Key.Account),
			len(req.Users) > 0 && sh.Key.User != "" && !slices.Contains(req.Users, sh.Key.User):
			continue
		}
		reply.Shares = append(reply.Shares, shareToProto(&sh))
	}
	return reply, nil
}
