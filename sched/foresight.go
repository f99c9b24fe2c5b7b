package sched

import (
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/runink/rink/slurm"
)

// foresight is what the default policy goes by: how long jobs are expected to
// run, and how the machine does beside one that starts jobs as they come. It is
// in the leader's memory; a new leader begins with what it is told to learn.
type foresight struct {
	pred   *Predictor
	twin   *Twin
	pace   Pace
	line   Line
	units  int // CPUs of the machine
	mem    slurm.MB
	gres   int64
	jobs   map[slurm.JobID]*foreseen // in line and running
	order  int64                     // of arrival
	stale  map[string]bool           // users, or limits, whose jobs are to be foreseen anew
	ranked instant                   // when the machine was surveyed last
	turn   int                       // the lane to be ranked next
	turned instant                   // when that was done last
	list   []*item                   // reused
	busy   int                       // units in use
}

// foreseen is a job as foresight sees it.
type foreseen struct {
	asked  Asked
	expect Expected
	share  float64 // of the machine
	units  int
	tasks  int // of an array's rest
	seq    int64
	since  int64 // in line since, seconds
	start  int64 // running since; 0: it waits
}

// rankEvery is how often at most the machine is surveyed while the queue is long.
const rankEvery = 10 * time.Second

func newForesight(pred *Predictor) *foresight {
	if pred == nil {
		pred = NewPredictor()
	}
	return &foresight{turned: always, pred: pred, jobs: make(map[slurm.JobID]*foreseen), stale: make(map[string]bool), ranked: always}
}

// measure takes stock of the machine.
func (f *foresight) measure(rooms []room) {
	for i := range rooms {
		r := &rooms[i]
		f.units += r.total
		f.mem += r.n.Memory
		for _, g := range r.n.Gres {
			f.gres += g.Count
		}
	}
	f.units = max(f.units, 1)
	f.twin = NewTwin(f.units)
}

// askedBy is what is known of a job when it is submitted.
func askedBy(j *Job) Asked {
	a := Asked{User: j.User, Class: strconv.Itoa(max(j.Need.CPUs, 1)), Limit: int64(span(j.TimeLimit) / time.Second)}
	if j.Name != "" {
		a.Class += " " + j.Name
	}
	return a
}

// key is what jobs have in common that are foreseen anew together.
func (a *Asked) key() string {
	if a.User != "" {
		return a.User
	}
	return strconv.FormatInt(a.Limit, 10)
}

// shareOf is a job's share of the machine: the largest of its shares of CPUs,
// memory, generic resources and, where it has nodes to itself, of these.
func (f *foresight) shareOf(j *Job, nodes int) float64 {
	n := &j.Need
	share := float64(max(n.CPUs, 1)) / float64(f.units)
	mem := n.MemPerNode * slurm.MB(max(n.MinNodes, 1))
	if n.MemPerCPU > 0 {
		mem = n.MemPerCPU * slurm.MB(max(n.CPUs, 1))
	}
	if f.mem > 0 {
		share = max(share, float64(mem)/float64(f.mem))
	}
	if f.gres > 0 {
		count := int64(0)
		for _, g := range n.GresPerNode {
			count += g.Count * int64(max(n.MinNodes, 1))
		}
		for _, g := range n.GresPerTask {
			count += g.Count * int64(max(n.Tasks, 1))
		}
		for _, g := range n.GresPerJob {
			count += g.Count
		}
		share = max(share, float64(count)/float64(f.gres))
	}
	if n.Exclusive && nodes > 0 {
		share = max(share, float64(max(n.MinNodes, 1))/float64(nodes))
	}
	return min(share, 1)
}

// at moves on to a moment of the log; moments before the last one count as it.
func (f *foresight) at(t time.Time) int64 {
	now := max(t.Unix(), f.twin.now)
	f.twin.At(now)
	return now
}

// arrived tells of a job that is in line from now on.
func (f *foresight) arrived(it *item, nodes int) {
	j := it.job
	if f.jobs[j.ID] != nil {
		return
	}
	since := eligibleSince(j)
	if since.IsZero() {
		since = j.Submit
	}
	now := f.at(since)
	x := &foreseen{asked: askedBy(j), share: f.shareOf(j, nodes), tasks: 1, seq: f.order, since: since.Unix()}
	f.order++
	x.units = max(int(math.Ceil(x.share*float64(f.units)-1e-9)), 1)
	x.expect = f.pred.Predict(x.asked)
	f.jobs[j.ID] = x
	if j.IsArrayRest() {
		x.tasks = j.Tasks.Len()
		return // its tasks are seen when they run
	}
	f.pace.Submitted(now, x.share, x.expect.Mean)
	f.twin.Submitted(int64(j.ID), x.units, x.asked.Limit, int64(x.expect.Mean))
}

// left tells of a job that is out of line and does not run.
func (f *foresight) left(id slurm.JobID) {
	if x := f.jobs[id]; x != nil && x.start == 0 {
		f.twin.Withdrawn(int64(id))
		delete(f.jobs, id)
	}
}

// began tells of a job that runs.
func (f *foresight) began(j *Job, nodes int) {
	x := f.jobs[j.ID]
	if x == nil {
		x = &foreseen{asked: askedBy(j), share: f.shareOf(j, nodes), tasks: 1}
		x.expect = f.pred.Predict(x.asked)
		x.units = max(int(math.Ceil(x.share*float64(f.units)-1e-9)), 1)
		f.jobs[j.ID] = x
	}
	if x.start == 0 {
		x.start = max(j.Start.Unix(), 1)
		x.tasks = 1
		f.busy += x.units
	}
}

// ended tells of a job that does not run any more.
func (f *foresight) ended(j, now *Job) {
	x := f.jobs[j.ID]
	if x == nil || x.start == 0 {
		return
	}
	end := j.End
	if now != nil && !now.End.IsZero() {
		end = now.End
	}
	at := f.at(end)
	run := max(at-x.start-int64(j.SuspendedFor/time.Second), 0)
	f.twin.Ended(int64(j.ID), run)
	f.pace.Ended(x.share, x.expect.Mean, run)
	f.pred.Observe(x.asked, run)
	f.stale[x.asked.key()] = true
	f.busy -= x.units
	f.twin.busy = min(f.busy, f.units)
	delete(f.jobs, j.ID)
}

// Learn tells the scheduler of a job that ended before it was there, so that it
// foresees better how long such jobs run.
func (s *Scheduler) Learn(j *Job) {
	if s.fore == nil || j.Start.IsZero() || j.End.IsZero() || !j.End.After(j.Start) {
		return
	}
	s.fore.pred.Observe(askedBy(j), int64(j.End.Sub(j.Start)/time.Second))
}

// foresee follows a change of a job.
func (s *Scheduler) foresee(old, now *Job) {
	f := s.fore
	switch {
	case f == nil:
	case old != nil && hasBegun(old) && (now == nil || !hasBegun(now)):
		f.ended(old, now)
	case now != nil && hasBegun(now) && (old == nil || !hasBegun(old)):
		f.began(now, len(s.rooms))
	case old != nil && old.IsPending() && now == nil:
		f.left(old.ID)
	}
}

// rank puts those that wait in order, as it is at this moment: all of a short
// queue, and of a long one what came and a lane or two, in turn.
func (c *cycle) rank() {
	f := c.fore
	if f == nil {
		return
	}
	now := f.at(c.at)
	long := len(c.items)+len(f.jobs) > 4*smallLine
	if !long || f.ranked == always || c.full && time.Duration(c.now-f.ranked) >= rankEvery {
		f.survey(now)
		f.ranked = c.now
	}
	if !long {
		for _, l := range c.order {
			f.rankLane(l, now)
		}
		clear(f.stale)
		return
	}
	for _, it := range c.arrived {
		if !it.gone {
			c.rerank(it, now)
		}
	}
	if f.turned != always && time.Duration(c.now-f.turned) < turnEvery {
		return
	}
	f.turned = c.now
	for seen, n := 0, 0; n < len(c.order) && seen < rankAtOnce; n++ {
		if f.turn >= len(c.order) {
			f.turn = 0
			clear(f.stale) // all lanes have seen them
		}
		l := c.order[f.turn]
		f.turn++
		seen += l.n
		f.rankLane(l, now)
	}
}

const (
	// smallLine is up to how many jobs are ranked anew in every pass.
	smallLine = 500
	// rankAtOnce is about how many of a long queue are ranked in one pass.
	rankAtOnce = 500
	// turnEvery is how often that is done at most.
	turnEvery = 250 * time.Millisecond
)

// survey works out what the order goes by, from all the work there is.
func (f *foresight) survey(now int64) {
	backlog := 0.0
	for _, x := range f.jobs {
		left := x.expect.Mean
		if x.start > 0 {
			left = max(left-float64(now-x.start), 0)
		}
		backlog += math.Round(left*float64(x.units)*float64(x.tasks)*1024) / 1024 // exact sums, in any order
	}
	f.line = f.pace.Line(now, backlog/float64(f.units), f.twin.Lag())
}

// rankLane puts the jobs of a lane in order.
func (f *foresight) rankLane(l *lane, now int64) {
	list := f.list[:0]
	for _, ch := range l.chunks {
		list = append(list, ch.items...)
	}
	f.list = list
	moved := false
	for i, it := range list {
		x := f.jobs[it.job.ID]
		if x == nil {
			continue
		}
		if len(f.stale) > 0 && f.stale[x.asked.key()] {
			x.expect.Typical = f.pred.Predict(x.asked).Typical
		}
		it.place, it.rank = f.placeOf(x, now)
		moved = moved || i > 0 && list[i-1].compare(it) > 0
	}
	if moved {
		l.refill(list)
	}
}

// placeOf is a job's tier, the first highest, and its place in it.
func (f *foresight) placeOf(x *foreseen, now int64) (uint8, float64) {
	r := f.line.Rank(Cand{Seq: x.seq, Submit: x.since, Typical: x.expect.Typical, Share: x.share}, now)
	return uint8(r.Tier), -r.Key
}

// rerank puts one item where it belongs.
func (c *cycle) rerank(it *item, now int64) {
	x := c.fore.jobs[it.job.ID]
	if x == nil || it.lane == nil {
		return
	}
	place, rank := c.fore.placeOf(x, now)
	if place != it.place || rank != it.rank {
		l := it.lane
		l.remove(it)
		it.place, it.rank = place, rank
		l.add(it)
	}
}

// refill makes the lane anew of the same items.
func (l *lane) refill(list []*item) {
	slices.SortFunc(list, l.compare)
	l.chunks = l.chunks[:0]
	for len(list) > 0 {
		n := min(len(list), chunkSize/2)
		l.chunks = append(l.chunks, newChunk(append(make([]*item, 0, chunkSize), list[:n]...)))
		list = list[n:]
	}
}

// watched ends a pass for the twin: what starts in it runs from now on.
func (c *cycle) watched() {
	f := c.fore
	if f == nil {
		return
	}
	busy := f.busy
	for i := range c.plan.Starts {
		s := &c.plan.Starts[i]
		f.twin.Started(int64(s.Job))
		if x := f.jobs[s.Job]; x != nil {
			busy += x.units
		}
	}
	f.twin.Passed(min(busy, f.units))
}

// Foresees reports whether the scheduler goes by how long it expects jobs to run.
func (s *Scheduler) Foresees() bool { return s.fore != nil }
