package accounting

import (
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// A roll-up adds up one period: an hour, a day or a month. Levels of parties and
// of the cluster are kept apart from those of job sizes, so that a report reads
// no more than it needs.
const (
	levelHour  = 'h'
	levelDay   = 'd'
	levelMonth = 'm'
)

// sizeLevel is the level of job sizes that goes with one of parties.
func sizeLevel(level byte) byte { return level - 'a' + 'A' }

// wholeCluster is the party of the roll-ups of everybody together.
const wholeCluster = 0

// Kinds of resources by the numbers Slurm gives them. Others are wordTRES and
// the word of their name.
const (
	tresCPU     = 1
	tresMem     = 2
	tresNode    = 4
	tresBilling = 5
	wordTRES    = 1000
)

// tresNames are the kinds with numbers of their own.
var tresNames = map[string]uint32{"cpu": tresCPU, "mem": tresMem, "node": tresNode, "billing": tresBilling}

// period is a span of time that one roll-up adds up, in seconds.
type period struct {
	level    byte
	from, to int64
}

// calendar finds the periods of a time zone. The zero value is not ready; it
// remembers the periods found last, and is for one goroutine.
type calendar struct {
	zone *time.Location
	last [3]period
}

func newCalendar(zone *time.Location) *calendar { return &calendar{zone: zone} }

var levels = [3]byte{levelHour, levelDay, levelMonth}

// around returns the period of a level that a moment is in.
func (c *calendar) around(level byte, at int64) period {
	i := 0
	for levels[i] != level {
		i++
	}
	if p := c.last[i]; p.to != 0 && p.from <= at && at < p.to {
		return p
	}
	t := time.Unix(at, 0).In(c.zone)
	p := period{level: level}
	y, m, d := t.Date()
	switch level {
	case levelHour:
		// By the offset, since clocks are set back by whole hours at most.
		_, offset := t.Zone()
		p.from = at - (at+int64(offset))%3600
		p.to = p.from + 3600
	case levelDay:
		p.from, p.to = time.Date(y, m, d, 0, 0, 0, 0, c.zone).Unix(), time.Date(y, m, d+1, 0, 0, 0, 0, c.zone).Unix()
	default:
		p.from, p.to = time.Date(y, m, 1, 0, 0, 0, 0, c.zone).Unix(), time.Date(y, m+1, 1, 0, 0, 0, 0, c.zone).Unix()
	}
	c.last[i] = p
	return p
}

// cover lays the fewest periods over a span whose ends are on the hour.
func (c *calendar) cover(from, to int64) []period {
	var list []period
	for at := from; at < to; {
		p := c.around(levelMonth, at)
		if p.from != at || p.to > to {
			p = c.around(levelDay, at)
		}
		if p.from != at || p.to > to {
			p = c.around(levelHour, at)
		}
		list = append(list, p)
		at = p.to
	}
	return list
}

// span is a stretch of time in whole seconds.
type span struct{ from, to int64 }

func (s span) within(p span) span { return span{max(s.from, p.from), min(s.to, p.to)} }
func (s span) length() int64      { return max(0, s.to-s.from) }

// stretches are when a job held what it held: from its start to its end, now
// for one that has not ended, without the time it was suspended. Only how long
// that was in all is known, and when it was the last time.
func stretches(r *rinkpb.Record, now int64) []span {
	l := lifeOf(r)
	if l.start == 0 {
		return nil
	}
	end := l.end
	if end == 0 {
		end = now
	}
	all := span{l.held, end}
	if all.length() == 0 {
		return nil
	}
	away := r.Job.SuspendedFor / int64(time.Second)
	since := r.Job.Suspended / int64(time.Second)
	if slurm.JobState(r.Job.State).Base() == slurm.JobSuspended && since != 0 {
		away += max(0, now-since)
	}
	if away == 0 || since == 0 || since < l.held {
		return []span{all}
	}
	if gap := (span{since, since + away}); gap.to <= all.to {
		return []span{all.within(span{all.from, gap.from}), {gap.to, all.to}}
	}
	return []span{{all.from, max(all.from, all.to-away)}}
}

// amount is so much of one kind.
type amount struct {
	key string
	n   int64
}

// amounts are what a job held, by kind.
func amounts(r *rinkpb.Record) []amount {
	j := r.Job
	var cpus, mem int64
	var gres []amount
	add := func(key string, n int64) {
		for i := range gres {
			if gres[i].key == key {
				gres[i].n += n
				return
			}
		}
		gres = append(gres, amount{key, n})
	}
	for _, a := range j.Alloc {
		cpus += int64(a.Cpus)
		mem += a.Mem
		for _, g := range a.Gres {
			add("gres/"+g.Name, g.Count)
			if g.Type != "" {
				add("gres/"+g.Name+":"+g.Type, g.Count)
			}
		}
	}
	for _, l := range j.LicensesUsed {
		add("license/"+l.Name, l.Count)
	}
	list := []amount{{"cpu", cpus}, {"mem", mem}, {"node", int64(len(j.Alloc))}, {"billing", r.Billing}}
	if r.Billing == 0 {
		list[3].n = cpus
	}
	out := list[:0]
	for _, a := range append(list, gres...) {
		if a.n > 0 {
			out = append(out, a)
		}
	}
	return out
}

// gpus is how many GPUs a job held.
func gpus(r *rinkpb.Record) int64 {
	n := int64(0)
	for _, a := range r.Job.Alloc {
		for _, g := range a.Gres {
			if g.Name == "gpu" {
				n += g.Count
			}
		}
	}
	return n
}

// partyOf is whom a job is charged to.
func partyOf(r *rinkpb.Record) *rinkpb.Party {
	j := r.Job
	return &rinkpb.Party{
		Account: j.Account, User: j.User, Uid: j.Uid, Wckey: j.Spec.GetWckey(), Qos: j.Qos, Partition: j.Partition,
		Reservation: j.Spec.GetReservation(),
	}
}

// sizeOf is what a report of job sizes goes by.
func sizeOf(r *rinkpb.Record) *rinkpb.Party {
	cpus := int32(0)
	for _, a := range r.Job.Alloc {
		cpus += a.Cpus
	}
	return &rinkpb.Party{Account: r.Job.Account, Wckey: r.Job.Spec.GetWckey(), Cpus: uint32(max(0, cpus))}
}

// waited is when a job waited for resources. One that never started, or was
// requeued, is not counted: nothing was kept for it.
func waited(r *rinkpb.Record, now int64) (span, int64) {
	l := lifeOf(r)
	until := l.start
	if until == 0 {
		if until = l.end; until == 0 {
			until = now
		}
	}
	if l.eligible == 0 || l.held != l.start {
		return span{}, 0 // or counted with an earlier part of its run
	}
	return span{l.eligible, until}, int64(max(1, r.Job.Need.GetCpus()))
}

// endedSums is what a job that ended adds to the sums of those that did.
func endedSums(r *rinkpb.Record, used *rinkpb.StepsUsed) *rinkpb.EndedSums {
	l := lifeOf(r)
	wall := int64(0)
	for _, s := range stretches(r, l.end) {
		wall += s.length()
	}
	sums := &rinkpb.EndedSums{Jobs: 1, Wall: wall}
	switch slurm.JobState(r.Job.State).Base() {
	case slurm.JobCompleted, slurm.JobCancelled, slurm.JobPreempted:
	default:
		sums.Failed = 1
	}
	if w, _ := waited(r, l.end); l.start != 0 {
		sums.Wait = w.length()
	}
	if wall == 0 {
		return sums
	}
	cpu, rss, gpuTime, energy := used.GetCpu(), used.GetRss(), used.GetGpuTime(), used.GetEnergy()
	told := used.GetGpuSpan() > 0 || used.GetGpuTime() > 0 || used.GetGpuMem() > 0
	if u := r.Batch; u != nil {
		cpu += u.UserCpu + u.SystemCpu
		rss = max(rss, u.MaxRss, u.TotalRss)
		gpuTime += u.GpuTime
		energy += u.Energy
		told = told || u.GpuSpan > 0 || u.GpuTime > 0 || u.GpuMem > 0
	}
	for _, a := range r.Job.Alloc {
		sums.CpuHeld += int64(a.Cpus) * wall
		sums.MemHeld += a.Mem * wall
	}
	sums.CpuUsed = cpu / int64(time.Millisecond)
	sums.MemUsed = rss * wall >> 20
	sums.GpuHeld = gpus(r) * wall
	if told {
		sums.GpuTold, sums.GpuUsed = sums.GpuHeld, gpuTime/int64(time.Millisecond)
	}
	sums.Energy = energy
	return sums
}

// addEnded adds n times the sums of b to a.
func addEnded(a, b *rinkpb.EndedSums, n int64) {
	a.Jobs += n * b.GetJobs()
	a.Failed += n * b.GetFailed()
	a.CpuHeld += n * b.GetCpuHeld()
	a.CpuUsed += n * b.GetCpuUsed()
	a.MemHeld += n * b.GetMemHeld()
	a.MemUsed += n * b.GetMemUsed()
	a.GpuHeld += n * b.GetGpuHeld()
	a.GpuUsed += n * b.GetGpuUsed()
	a.GpuTold += n * b.GetGpuTold()
	a.Wait += n * b.GetWait()
	a.Wall += n * b.GetWall()
	a.Energy += n * b.GetEnergy()
}
