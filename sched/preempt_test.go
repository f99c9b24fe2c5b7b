package sched

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// addQOS adds a quality of service to a story.
func (s *story) addQOS(name string, w words) error {
	if s.tree == nil {
		s.tree = &Accounts{QOS: map[string]*QOS{}}
	}
	q := &QOS{Name: name, ID: uint32(len(s.tree.QOS) + 1), Priority: uint32(w.num("priority", 0)), PreemptMode: w["mode"], Limits: NoLimits()}
	if w["preempts"] != "" {
		q.Preempt = strings.Split(w["preempts"], ",")
	}
	var err error
	for key, to := range map[string]*slurm.Duration{"exempt": &q.PreemptExempt, "grace": &q.GraceTime} {
		if w[key] != "" {
			if *to, err = limitOf(w[key]); err != nil {
				return err
			}
		}
	}
	s.tree.QOS[name] = q
	return nil
}

// asStanding gives a running job what its standing is: QOS, priority, since when
// it runs, whether it may be requeued.
func (s *story) asStanding(j *Job, w words) error {
	j.QOS, j.Priority, j.Batch, j.Requeue = w["qos"], uint32(w.num("priority", 0)), true, w["norequeue"] == ""
	j.HetID = slurm.JobID(w.num("het", 0))
	if w["since"] != "" {
		d, err := time.ParseDuration(w["since"])
		if err != nil {
			return err
		}
		j.Start = s.now.Add(-d)
	}
	return nil
}

func preemptText(p Preempt) string {
	text := p.Job.String() + " is " + [...]string{"left alone", "cancelled", "requeued", "suspended"}[p.Mode]
	if p.Grace > 0 {
		text += " in " + p.Grace.String()
	}
	return text + " for " + p.For.String()
}

// giveWay carries out what the plan says of jobs that give way and go on.
func (s *story) giveWay() {
	for _, p := range s.plan.Preempts {
		for i, j := range s.pending {
			if j.ID == p.For {
				s.pending[i] = j.Clone()
				s.pending[i].RoomOn = p.Alloc
				if until := s.now.Add(p.Grace); until.After(j.RoomMade) {
					s.pending[i].RoomMade = until
				}
			}
		}
		for _, j := range slices.Clone(s.running) {
			if j.ID != p.Job {
				continue
			}
			c := j.Clone()
			c.Preempted, c.PreemptedFor, c.PreemptMode = s.now, p.For, p.Mode
			switch {
			case p.Grace > 0:
				if end := s.now.Add(p.Grace); c.End.IsZero() || c.End.After(end) {
					c.End = end
				}
			case p.Mode == PreemptSuspend:
				c.State, c.Suspended = slurm.JobSuspended, s.now
				s.cpus(c, -1)
			default:
				s.finish(j)
				continue
			}
			s.running[slices.Index(s.running, j)] = c
		}
	}
	for _, p := range s.plan.Resumes {
		for i, j := range s.running {
			if j.ID == p.Job {
				c := j.Clone()
				c.State, c.Preempted, c.PreemptedFor = slurm.JobRunning, time.Time{}, 0
				if !c.End.IsZero() {
					c.End = c.End.Add(s.now.Sub(c.Suspended))
				}
				s.cpus(c, 1)
				s.running[i] = c
			}
		}
	}
}

// cpus books the CPUs of a job, or gives them back, and nothing else.
func (s *story) cpus(j *Job, sign int) {
	j.CPUsFree = sign < 0
	for _, a := range j.Alloc {
		for i, n := range s.nodes {
			if n.Name == a.Node {
				n = n.Clone()
				n.UsedCPUs += sign * a.CPUs
				s.nodes[i] = n
			}
		}
	}
}

// TestNobodyGivesWayInVain plays random queues in which jobs of better QOS or
// partitions come to full clusters. Whoever gives way is of those the preemptor
// may preempt, is not exempt and not protected; once all of them are gone the
// preemptor starts; and had one of them stayed, it would not have.
func TestNobodyGivesWayInVain(t *testing.T) {
	preempted := 0
	for _, seed := range seeds(150, 3515) {
		r := rand.New(rand.NewSource(seed))
		n, err := playPreemption(r)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		preempted += n
	}
	if preempted < 100 {
		t.Errorf("only %d jobs gave way in all: the test shows little", preempted)
	}
}

func playPreemption(r *rand.Rand) (int, error) {
	s, err := randomCluster(r)
	if err != nil {
		return 0, err
	}
	byTier := r.Intn(3) == 0
	lines := []string{"conf PreemptType=preempt/qos PreemptMode=" + pick(r, "REQUEUE", "CANCEL", "REQUEUE,WITHIN", "SUSPEND,GANG") +
		" PreemptExemptTime=" + pick(r, "0", "5") + " PreemptParameters=" + pick(r, "reorder_count=3", "youngest_first", "strict_order", "min_exempt_priority=2000000")}
	if byTier {
		lines[0] = strings.Replace(lines[0], "preempt/qos", "preempt/partition_prio", 1)
		s.parted = false
		lines = append(lines, "partition low default preempt="+pick(r, "REQUEUE", "CANCEL", "OFF")+" grace="+pick(r, "0", "30"), "partition high tier=5", "partition mid tier=3 preempt=CANCEL")
	}
	lines = append(lines, "qos normal", "qos low priority=10 mode="+pick(r, "requeue", "cluster"), "qos scav mode=cancel grace="+pick(r, "0s", "1m")+" exempt="+pick(r, "0s", "7m"),
		"qos high priority=100 preempts=low,scav")
	for _, l := range lines {
		if err := s.do(l, nil); err != nil {
			return 0, err
		}
	}
	for _, p := range s.cfg.Partitions {
		// What jobs leave of CPUs that are in use twice is not theirs to give.
		p.OverSubscribe, p.MaxCPUsPerNode = strings.Replace(p.OverSubscribe, "FORCE:2", "", 1), 0
	}
	id, preempted := 0, 0
	for range 12 {
		for range r.Intn(8) {
			id++
			line := randomJob(r, s, id)
			if byTier {
				line += " partition=" + pick(r, "low", "mid", "high")
			} else {
				line += " qos=" + pick(r, "normal", "low", "scav", "high")
			}
			if err := s.do(line, nil); err != nil {
				id--
				continue // refused
			}
		}
		s.plan = Cycle(s.view(), s.now)
		if err := s.checkPreempts(byTier); err != nil {
			return preempted, err
		}
		preempted += len(s.plan.Preempts)
		if err := s.apply(); err != nil {
			return preempted, err
		}
		if err := s.overbooked(); err != nil {
			return preempted, err
		}
		if err := s.do(fmt.Sprintf("after %dm", r.Intn(6)), nil); err != nil {
			return preempted, err
		}
	}
	return preempted, nil
}

// checkPreempts says what is wrong with whom the plan has give way.
func (s *story) checkPreempts(byTier bool) error {
	byFor := map[slurm.JobID][]Preempt{}
	for _, p := range s.plan.Preempts {
		byFor[p.For] = append(byFor[p.For], p)
	}
	for id, list := range byFor {
		i := slices.IndexFunc(s.pending, func(j *Job) bool { return j.ID == id })
		if i < 0 {
			return fmt.Errorf("jobs give way to job %d, which does not wait", id)
		}
		j := s.pending[i]
		for _, p := range list {
			k := slices.IndexFunc(s.running, func(v *Job) bool { return v.ID == p.Job })
			if k < 0 || s.running[k].IsCompleting() || s.running[k].PreemptedFor != 0 {
				return fmt.Errorf("job %d gives way, and is not there or going already", p.Job)
			}
			if err := s.mayGive(j, s.running[k], p, byTier); err != nil {
				return fmt.Errorf("job %d gives way to job %d: %w", p.Job, id, err)
			}
		}
	}
	if len(byFor) == 0 {
		return nil
	}
	started := s.startsWithout(s.plan.Preempts, true)
	for id := range byFor {
		if !started[id] {
			return fmt.Errorf("jobs %v give way to job %d in vain", byFor[id], id)
		}
	}
	for id, list := range byFor {
		for i := range list {
			if len(byFor) > 1 || !s.firstInLine(id) {
				break // one may stand on what was left for another, and what is ahead in line moves
			}
			if s.startsWithout(slices.Delete(slices.Clone(list), i, i+1), false)[id] {
				return fmt.Errorf("job %d need not have given way to job %d", list[i].Job, id)
			}
		}
	}
	return nil
}

// firstInLine reports whether no other job that waits is ahead of this one.
func (s *story) firstInLine(id slurm.JobID) bool {
	i := slices.IndexFunc(s.pending, func(j *Job) bool { return j.ID == id })
	j := s.pending[i]
	return !slices.ContainsFunc(s.pending, func(o *Job) bool { return o.Priority > j.Priority || s.tierOf(o) > s.tierOf(j) })
}

func (s *story) tierOf(j *Job) (tier uint32) {
	for _, name := range j.Partitions {
		tier = max(tier, s.cfg.Partition(name).PriorityTier)
	}
	return tier
}

func (s *story) mayGive(j, v *Job, p Preempt, byTier bool) error {
	if byTier {
		if low, high := s.cfg.Partition(v.Partition), s.cfg.Partition(j.Partitions[0]); low.PriorityTier >= high.PriorityTier || low.PreemptMode == "OFF" {
			return fmt.Errorf("partition %s is not below %s, or off", low.Name, high.Name)
		}
	} else if j.QOS == v.QOS && (v.Priority >= j.Priority || !slices.Contains(s.cfg.Conf.PreemptMode, "WITHIN")) ||
		j.QOS != v.QOS && !slices.Contains(s.tree.QOS[j.QOS].Preempt, v.QOS) {
		return fmt.Errorf("QOS %s may not preempt %s", j.QOS, v.QOS)
	}
	exempt := s.cfg.Conf.PreemptExemptTime
	if q := s.tree.QOS[v.QOS]; q != nil && q.PreemptExempt > 0 {
		exempt = q.PreemptExempt
	}
	if p.Mode != PreemptSuspend && s.now.Sub(v.Start) < time.Duration(exempt)*time.Second {
		return fmt.Errorf("it runs since %s and is exempt for %s", s.moment(v.Start), exempt)
	}
	if p.Mode == PreemptRequeue && !v.Requeue {
		return fmt.Errorf("it cannot be requeued")
	}
	return nil
}

// startsWithout returns the jobs that start, once some jobs are gone and all
// others are as they are, by the moment at which all that the plan says is done.
// Without made those for whom room is made keep their place in line.
func (s *story) startsWithout(gone []Preempt, made bool) map[slurm.JobID]bool {
	later := *s
	later.nodes, later.running, later.pending = slices.Clone(s.nodes), slices.Clone(s.running), slices.Clone(s.pending)
	later.plan = Plan{Starts: s.plan.Starts, Preempts: gone, Waits: s.plan.Waits}
	if later.apply() != nil {
		return nil
	}
	for i, j := range later.pending {
		if !made && !j.RoomMade.Before(s.now) {
			later.pending[i] = j.Clone()
			later.pending[i].RoomMade, later.pending[i].RoomOn = time.Time{}, nil
		}
	}
	var moments []time.Time
	for _, p := range s.plan.Preempts {
		moments = append(moments, s.now.Add(p.Grace+soon))
	}
	for _, j := range s.running {
		if j.PreemptedFor != 0 && !j.GaveWay() {
			moments = append(moments, j.End.Add(soon)) // told to go before, and room for one of these as well
		}
	}
	slices.SortFunc(moments, time.Time.Compare)
	started := map[slurm.JobID]bool{}
	for _, later.now = range slices.CompactFunc(moments, time.Time.Equal) {
		for _, v := range slices.Clone(later.running) {
			if !v.End.IsZero() && !v.End.After(later.now) && !v.GaveWay() {
				later.finish(v)
			}
		}
		later.plan = Cycle(later.view(), later.now)
		later.plan.Preempts = nil
		for _, p := range later.plan.Starts {
			started[p.Job] = true
		}
		if later.apply() != nil {
			return nil
		}
	}
	return started
}
