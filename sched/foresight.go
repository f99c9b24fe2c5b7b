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
	groups map[string]*cohort        // by user, or by limit
	ranked instant                   // when the machine was surveyed last
	turn   int                       // the lane whose jobs are ranked next
	chunk  int                       // and which of its chunks
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
	among  *cohort
	asOf   uint32 // among.ends when it was foreseen
}

// cohort is jobs that are foreseen anew when one of them ends.
type cohort struct {
	jobs int
	ends uint32
}

// rankEvery is how often at most the machine is surveyed while the queue is long.
const rankEvery = 10 * time.Second

func newForesight(pred *Predictor) *foresight {
	if pred == nil {
		pred = NewPredictor()
	}
	return &foresight{turned: always, pred: pred, jobs: make(map[slurm.JobID]*foreseen), groups: make(map[string]*cohort), ranked: always}
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

// look is the first look at a job.
func (f *foresight) look(j *Job, nodes int) *foreseen {
	x := &foreseen{asked: askedBy(j), share: f.shareOf(j, nodes), tasks: 1}
	x.expect = f.pred.Predict(x.asked)
	x.units = max(int(math.Ceil(x.share*float64(f.units)-1e-9)), 1)
	key := x.asked.key()
	if x.among = f.groups[key]; x.among == nil {
		x.among = &cohort{}
		f.groups[key] = x.among
	}
	x.among.jobs++
	x.asOf = x.among.ends
	f.jobs[j.ID] = x
	return x
}

// forget is the last of a job.
func (f *foresight) forget(id slurm.JobID, x *foreseen) {
	delete(f.jobs, id)
	if x.among.jobs--; x.among.jobs == 0 {
		delete(f.groups, x.asked.key())
	}
}

// arrived tells of a job that is in line from now on.
func (f *foresight) arrived(it *item, nodes int) {
	j := it.job
	if it.fore = f.jobs[j.ID]; it.fore != nil {
		return
	}
	since := eligibleSince(j)
	if since.IsZero() {
		since = j.Submit
	}
	now := f.at(since)
	x := f.look(j, nodes)
	x.seq, x.since = f.order, since.Unix()
	f.order++
	it.fore = x
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
		f.forget(id, x)
	}
}

// began tells of a job that runs.
func (f *foresight) began(j *Job, nodes int) {
	x := f.jobs[j.ID]
	if x == nil {
		x = f.look(j, nodes)
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
	x.among.ends++
	f.busy -= x.units
	f.twin.busy = min(f.busy, f.units)
	f.forget(j.ID, x)
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
// queue, and of a long one what came and some hundred others, in turn.
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
	for seen, lanes := 0, 0; seen < rankAtOnce && lanes < len(c.order); {
		if f.turn >= len(c.order) {
			f.turn, f.chunk = 0, 0
		}
		l := c.order[f.turn]
		if f.chunk >= len(l.chunks) {
			f.turn, f.chunk = f.turn+1, 0
			lanes++
			continue
		}
		seen += len(l.chunks[f.chunk].items)
		if f.rankChunk(l, f.chunk, now) {
			f.chunk++
		}
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
	f.line = f.pace.Line(now, backlog/float64(f.units), f.twin.Lag(), f.twin.Longest())
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
		f.renew(it, now)
		moved = moved || i > 0 && list[i-1].compare(it) > 0
	}
	if moved {
		l.refill(list)
	}
}

// renew gives a job the place that it has at a moment.
func (f *foresight) renew(it *item, now int64) {
	x := it.fore
	if x == nil {
		return
	}
	if x.asOf != x.among.ends {
		x.asOf, x.expect.Typical = x.among.ends, f.pred.Predict(x.asked).Typical
	}
	it.place, it.rank = f.placeOf(x, now)
}

// rankChunk puts the jobs of a chunk where they belong now. Those that belong
// elsewhere in the lane are moved there; the lane stays in order throughout. It
// reports whether the chunk is still there.
func (f *foresight) rankChunk(l *lane, at int, now int64) bool {
	c := l.chunks[at]
	for _, it := range c.items {
		f.renew(it, now)
	}
	if !slices.IsSortedFunc(c.items, l.compare) {
		slices.SortFunc(c.items, l.compare)
	}
	from, to := 0, len(c.items)
	if at > 0 {
		before := l.chunks[at-1].items
		for last := before[len(before)-1]; from < to && l.compare(last, c.items[from]) > 0; {
			from++
		}
	}
	if at+1 < len(l.chunks) {
		for first := l.chunks[at+1].items[0]; to > from && l.compare(c.items[to-1], first) > 0; {
			to--
		}
	}
	moving := append(append(f.list[:0], c.items[:from]...), c.items[to:]...)
	f.list = moving
	n := copy(c.items, c.items[from:to])
	clear(c.items[n:])
	c.items = c.items[:n]
	l.n -= len(moving)
	if n == 0 {
		l.chunks = slices.Delete(l.chunks, at, at+1)
	} else {
		c.wants = c.wants[:n]
		for i, it := range c.items {
			c.wants[i] = it.want
		}
		c.sum()
		c.fussy = fussy(c.wants)
	}
	for _, it := range moving {
		l.insert(it)
	}
	return n > 0
}

// placeOf is a job's tier, the first highest, and its place in it.
func (f *foresight) placeOf(x *foreseen, now int64) (uint8, float64) {
	r := f.line.Rank(Cand{Seq: x.seq, Submit: x.since, Typical: x.expect.Typical, Share: x.share}, now)
	return uint8(r.Tier), -r.Key
}

// rerank puts one item where it belongs.
func (c *cycle) rerank(it *item, now int64) {
	x := it.fore
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
