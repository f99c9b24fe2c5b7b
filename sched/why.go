package sched

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// Story is why a job waits, in full: what keeps it whatever is free, and for each
// of its partitions what every class of nodes lacks, who is ahead, and when and
// where it is expected to start.
type Story struct {
	// Bars keep it from being looked at at all: a hold, a begin time, a
	// dependency, in that order.
	Bars   []Bar
	Places []Place // in the order of its partitions
}

// Bar is one thing that keeps a job back whatever is free, and until when if time
// alone ends it.
type Bar struct {
	Why   Why
	Until time.Time // zero: an event must come
	Words string    // what it waits for, such as "afterok:12(unfulfilled)"
}

// Place is how a job stands in one partition.
type Place struct {
	Partition PartitionName
	Bar       Why // a limit, a licence or an array's throttle; zero for none
	Nodes     int // of the partition
	Wanted    Wanted
	Kinds     []Kind
	// ReadyNodes are ready to take part at once, and could take so many of the
	// tasks together.
	ReadyNodes, ReadyTasks int
	// Ahead counts the jobs in line before it, and First are the first of them.
	Ahead int
	First []Ahead
	// Start and On are when and where it is expected to start: promised, or worked
	// out when asked, and then counting on nobody else to start before it but
	// those who hold a promise.
	Start    time.Time
	On       []NodeName
	Promised bool
	// Never says that the nodes in service could not hold it even if they were idle.
	Never bool
	// Endless are jobs without a limit that its start hangs on: Start is not known.
	Endless []slurm.JobID
	// Kept is what reservations keep from it while it would run, from now on.
	Kept []Kept
	// Switches says that it waits for nodes behind fewer switches, until then.
	Switches time.Time
}

// Wanted is a request in short.
type Wanted struct {
	MinNodes, MaxNodes int // MaxNodes 0: any number
	Tasks, CPUs        int
	CPUsPerNode        int // at least, on each node
	MemPerNode         slurm.MB
	MemPerCPU          slurm.MB
	Gres               string
	Limit              slurm.Duration
}

// Kind is the nodes of a partition that differ in nothing a request can ask for.
type Kind struct {
	CPUs     int
	Memory   slurm.MB
	Features []string
	Gres     string
	Weight   uint32
	Nodes    []NodeName
	// Each node is in one of these: out of service; left out by the job's list of
	// nodes or what it excludes; of the wrong kind, by what is
	// told in Unsuited; full now; free now but promised to others too soon; or
	// ready to take part at once.
	Away, Excluded, Full, Taken, Ready []NodeName
	AwayWhy                            []string   // of each node out of service its state, and why
	Unsuited                           []Obstacle // of the whole kind
	// Short is what the node that comes closest lacks now, Where it.
	Short []Obstacle
	// Free is what the nodes in service have free together.
	FreeCPUs int
	Promises []Promised // what is promised on its nodes, the first to begin first
}

// Promised is room kept for another job.
type Promised struct {
	Job   slurm.JobID
	From  time.Time // zero: that hangs on a job without a limit
	Nodes []NodeName
}

// Ahead is a job in line before another.
type Ahead struct {
	Job      slurm.JobID
	Array    slurm.IndexSet
	User     string
	Priority uint32
	Nodes    int
	CPUs     int
	Limit    slurm.Duration
	Start    time.Time // promised; zero: not
}

// maxAhead is how many of the jobs ahead a story names, and maxPromised how many
// promises on nodes of a kind.
const maxAhead, maxPromised = 10, 10

// Explain tells why a pending job does not start now. It reports false for a job
// that it does not know to be pending. It changes nothing that a plan goes by.
func (s *Scheduler) Explain(id slurm.JobID, now time.Time) (Story, bool) {
	j := s.Pending(id)
	if j == nil {
		return Story{}, false
	}
	c := s.newCycle(now, false)
	st := Story{Bars: s.barsOf(j, now)}
	it := s.items[id]
	names := j.Partitions
	if len(names) == 0 {
		names = []PartitionName{j.Partition}
	}
	for i, name := range names {
		p := c.part(name)
		if p == nil {
			st.Places = append(st.Places, Place{Partition: name, Bar: because(slurm.ReasonPartitionDown)})
			continue
		}
		st.Places = append(st.Places, c.placeStory(j, it, p, i))
	}
	return st, true
}

// barsOf lists what keeps a job from being looked at, and from starting alone.
func (s *Scheduler) barsOf(j *Job, now time.Time) []Bar {
	var bars []Bar
	if j.HeldBy != HeldByNobody || j.Priority == 0 {
		w, _ := heldBack(j, now)
		bars = append(bars, Bar{Why: w})
	}
	if j.Begin.After(now) {
		bars = append(bars, Bar{Why: because(slurm.ReasonBeginTime), Until: j.Begin})
	}
	switch j.DependencyAt(now) {
	case DependFailed:
		bars = append(bars, Bar{Why: because(slurm.ReasonDependencyNeverSatisfied), Words: j.DependencyText(now)})
	case DependWaiting:
		bars = append(bars, Bar{Why: because(slurm.ReasonDependency), Words: j.DependencyText(now) + s.awaited(j, now), Until: j.DependencyDue(now)})
	}
	return append(bars, s.others(j)...)
}

// placeStory tells how a job stands in its partition number i.
func (c *cycle) placeStory(j *Job, it *item, p *part, i int) Place {
	a := newAsk(j, p.p, c.t)
	a.waits(it, c.t)
	out := Place{Partition: p.p.Name, Nodes: len(p.where), Wanted: wantedOf(a)}
	if it != nil {
		out.Bar = c.barOf(entry{item: it, job: j, part: p, at: min(i, len(it.shapes)-1)})
	} else {
		out.Bar = partitionBars(j, p.p, p.size)
	}
	if it != nil {
		out.Ahead, out.First = c.ahead(it, p)
	}
	c.way.job = nil
	c.inReservation(a)
	out.Kept = c.keptFrom(a, p)
	out.Kinds, out.ReadyTasks = c.kinds(a, p)
	for i := range out.Kinds {
		out.ReadyNodes += len(out.Kinds[i].Ready)
	}
	out.Never = !c.couldRunAny(a, p)
	switch {
	case it != nil && it.promise != nil && it.promise.part == p.p.Name:
		out.Start, out.On, out.Promised = it.promise.start.time(), it.promise.nodes, true
	case !out.Never && out.Bar.IsZero() && timeAlone(j, c.at) && j.HetID == 0: // of several components the others count too
		from := c.now
		if j.Begin.After(c.at) {
			from = instantOf(j.Begin)
		}
		if at, chosen := c.earliest(a, p, from); chosen != nil {
			out.Start = at.time()
			for _, o := range chosen {
				out.On = append(out.On, o.r.n.Name)
			}
		}
	}
	c.endless(&out, j)
	if it != nil && it.wide != 0 && a.switches > 0 {
		out.Switches = a.wideFrom.time()
	}
	return out
}

// timeAlone reports whether nothing keeps a job from being looked at but time.
func timeAlone(j *Job, now time.Time) bool {
	return j.HeldBy == HeldByNobody && j.Priority > 0 && j.DependencyAt(now) == DependFulfilled
}

// barOf is what barred has to say of a job, without telling it.
func (c *cycle) barOf(e entry) Why {
	told, waits := e.item.told, len(c.plan.Waits)
	e.item.told = struct {
		reason slurm.Reason
		text   string
		start  instant
	}{}
	defer func() { e.item.told, c.plan.Waits = told, c.plan.Waits[:waits] }()
	if !c.barred(e) {
		return Why{}
	}
	if o, ok := c.outcomes[e.job]; ok {
		delete(c.outcomes, e.job)
		return o.why
	}
	if len(c.plan.Waits) > waits {
		w := c.plan.Waits[waits]
		return Why{Reason: w.Reason, Text: w.Text, Detail: w.Detail}
	}
	return Why{Reason: e.job.Reason, Text: e.job.ReasonText}
}

// wantedOf puts a request in short.
func wantedOf(a *ask) Wanted {
	w := Wanted{MinNodes: a.minNodes, Tasks: a.tasks, CPUs: max(a.tasks*a.cpt, a.minNodes), CPUsPerNode: a.leastCPUs(), Limit: a.job.TimeLimit,
		MemPerNode: a.memNode, MemPerCPU: a.memCPU}
	if a.maxNodes != AnyNodes {
		w.MaxNodes = a.maxNodes
	}
	for _, list := range []struct {
		gres slurm.Gres
		per  string
	}{{a.perNode, "a node"}, {a.perTask, "a task"}, {a.perJob, "in all"}} {
		if len(list.gres) > 0 {
			if w.Gres != "" {
				w.Gres += ", "
			}
			w.Gres += list.gres.String() + " " + list.per
		}
	}
	return w
}

// ahead counts the jobs in line for a partition before an item, and names the
// first.
func (c *cycle) ahead(it *item, p *part) (int, []Ahead) {
	mine := cursor{lane: it.lane, part: slices.Index(it.lane.parts, p)}
	if mine.part < 0 {
		return 0, nil
	}
	mine.take(it)
	n := 0
	var first []cursor
	for _, l := range c.order {
		at := slices.Index(l.parts, p)
		if at < 0 {
			continue
		}
		few := 0
		for _, ch := range l.chunks {
			last := cursor{lane: l, part: at}
			last.take(ch.items[len(ch.items)-1])
			whole := last.before(&mine)
			if whole {
				n += len(ch.items)
			}
			for _, x := range ch.items {
				k := cursor{lane: l, part: at}
				k.take(x)
				if !k.before(&mine) || whole && few >= maxAhead {
					break
				}
				if !whole {
					n++
				}
				if few < maxAhead {
					first = append(first, k)
					few++
				}
			}
			if !whole {
				break
			}
		}
	}
	slices.SortFunc(first, func(x, y cursor) int {
		switch {
		case x.before(&y):
			return -1
		case y.before(&x):
			return 1
		}
		return 0
	})
	var out []Ahead
	for _, k := range first[:min(len(first), maxAhead)] {
		j := k.item.job
		a := Ahead{Job: j.ID, User: j.User, Priority: j.Priority, Nodes: j.Need.MinNodes, CPUs: j.Need.CPUs, Limit: j.TimeLimit}
		if j.IsArrayRest() {
			a.Array = j.Tasks
		}
		if k.item.promise != nil {
			a.Start = c.inSight(k.item.promise.start)
		}
		out = append(out, a)
	}
	return n, out
}

// kinds sorts the nodes of a partition by kind and says of each why it does not
// take the request now, and how many tasks all together could take.
func (c *cycle) kinds(a *ask, p *part) (list []Kind, tasks int) {
	owner := make(map[*promise]*item, len(c.promised))
	for _, it := range c.promised {
		owner[it.promise] = it
	}
	at := map[string]int{}
	order := slices.Sorted(slices.Values(p.where))
	for _, pos := range order {
		r := &c.rooms[pos]
		key := kindOf(r)
		i, ok := at[key]
		if !ok {
			i = len(list)
			at[key] = i
			list = append(list, Kind{CPUs: r.total, Memory: r.n.Memory, Features: r.n.Features, Gres: gresOfNode(r.n), Weight: r.n.Weight, Unsuited: c.unsuited(a, r)})
		}
		tasks += c.sortNode(a, r, &list[i], owner)
	}
	for i := range list {
		k := &list[i]
		slices.SortStableFunc(k.Promises, func(x, y Promised) int { return x.From.Compare(y.From) })
		k.Promises = k.Promises[:min(len(k.Promises), maxPromised)]
	}
	return list, tasks
}

// sortNode puts a node where it belongs in its kind, and returns how many tasks it
// could take at once.
func (c *cycle) sortNode(a *ask, r *room, k *Kind, owner map[*promise]*item) int {
	name := r.n.Name
	k.Nodes = append(k.Nodes, name)
	if r.open {
		k.FreeCPUs += max(r.cpus, 0)
	}
	for i := range r.holds {
		h := &r.holds[i]
		it := owner[h.to]
		if it == nil || it.job == a.job {
			continue
		}
		if x := slices.IndexFunc(k.Promises, func(p Promised) bool { return p.Job == it.job.ID }); x >= 0 {
			k.Promises[x].Nodes = append(k.Promises[x].Nodes, name)
		} else {
			k.Promises = append(k.Promises, Promised{Job: it.job.ID, From: c.inSight(h.start), Nodes: []NodeName{name}})
		}
	}
	switch {
	case !r.open:
		k.Away = append(k.Away, name)
		k.AwayWhy = append(k.AwayWhy, awayWhy(r.n))
		return 0
	case a.excluded[name], len(a.required) >= a.minNodes && !a.required[name]:
		k.Excluded = append(k.Excluded, name)
		return 0
	case len(k.Unsuited) > 0:
		return 0
	}
	if short := c.shortNow(a, r); len(short) > 0 {
		k.Full = append(k.Full, name)
		if k.Short == nil || closer(short, k.Short) {
			k.Short = short
		}
		return 0
	}
	f := c.field
	f.left, f.from = spare{}, c.now
	until := c.now.plus(a.span)
	if c.ownHolds(a, r) == len(r.holds) {
		until = c.now + 1 // what is promised there is the job's own
	}
	r.line.least(c.now, until, &f.left)
	o, ok := f.offer(a, r, &f.left)
	if !ok || a.maxNodes == 1 && o.tasks < a.tasks {
		k.Taken = append(k.Taken, name)
		return 0
	}
	k.Ready = append(k.Ready, name)
	return min(o.tasks, a.tasks)
}

// ownHolds counts what is promised on a node to the request's own job.
func (c *cycle) ownHolds(a *ask, r *room) int {
	it := c.items[a.job.ID]
	if it == nil || it.promise == nil {
		return 0
	}
	n := 0
	for i := range r.holds {
		if r.holds[i].to == it.promise {
			n++
		}
	}
	return n
}

// closer reports whether one list of what lacks is a smaller lack than another.
func closer(a, b []Obstacle) bool {
	lack := func(list []Obstacle) (sum float64) {
		for _, o := range list {
			sum += float64(o.Asked-o.There) / float64(max(o.Asked, 1))
		}
		return sum
	}
	return lack(a) < lack(b)
}

// perNodeLeast is what the request takes of one node at least: all of it if it may
// have but one.
func (f *field) perNodeLeast(a *ask) (cpus int, mem slurm.MB) {
	need := f.leastOf(a)
	cpus, mem = int(need.cpus), max(need.mem, 0)
	if a.memAll {
		mem = 0
	}
	return cpus, mem
}

// unsuited says what keeps a node of this kind from ever taking part, even idle.
func (c *cycle) unsuited(a *ask, r *room) []Obstacle {
	n := r.n
	var out []Obstacle
	add := func(what string, asked, there int64) {
		if asked > there {
			out = append(out, Obstacle{What: what, Where: string(n.Name), Asked: asked, There: there})
		}
	}
	add("tmp disk", int64(a.tmp), int64(n.TmpDisk))
	add("sockets", int64(a.sockets), int64(n.Sockets))
	add("cores a socket", int64(a.cores), int64(n.Cores))
	add("threads a core", int64(a.needThreads), int64(n.Threads))
	if !slices.ContainsFunc(a.plans, func(p featurePlan) bool { return p.allows(n) }) {
		out = append(out, Obstacle{What: "features " + a.job.Need.Features.String(), Where: string(n.Name), Asked: 1})
	}
	cpus, mem := c.perNodeLeast(a)
	if !a.whole {
		add("cpus", int64(cpus), int64(r.total))
	}
	if c.t.memory {
		add("mem", int64(mem), int64(n.Memory))
	}
	empty := emptyRoom(n, 0)
	var all spare
	empty.line.least(c.now, c.now.plus(a.span), &all)
	out = append(out, lackingGres(a, &empty, &all)...)
	if len(out) == 0 {
		f := field{t: c.t, from: c.now, at: c.now}
		if _, ok := f.offer(a, &empty, &all); !ok {
			out = append(out, Obstacle{What: "nodes of its shape", Where: string(n.Name), Asked: 1})
		}
	}
	return out
}

// lackingGres lists the generic resources a node has too few of.
func lackingGres(a *ask, r *room, s *spare) []Obstacle {
	var out []Obstacle
	total := slurm.Gres(nil)
	for _, list := range []slurm.Gres{a.perNode, a.perTask} {
		total = append(total, list...)
	}
	for _, g := range a.perJob {
		if a.maxNodes > 1 {
			g.Count = 1
		}
		total = append(total, g)
	}
	for _, g := range total {
		if have := r.spareGres(s, g); have < g.Count {
			out = append(out, Obstacle{What: "gres/" + gresItemName(g), Where: string(r.n.Name), Asked: g.Count, There: have})
		}
	}
	return out
}

func gresItemName(g slurm.GresItem) string {
	if g.Type == "" {
		return g.Name
	}
	return g.Name + ":" + g.Type
}

// shortNow says what a node lacks at this moment, promises to others aside.
func (c *cycle) shortNow(a *ask, r *room) []Obstacle {
	now := spare{cpus: r.cpus, shared: r.shared, mem: r.mem, idle: len(r.held) == 0, kept: r.keepers > 0}
	for i := range r.gres {
		now.gres = append(now.gres, r.gres[i].free)
	}
	f := field{t: c.t, from: c.now, at: c.now, rooms: c.rooms}
	alone := *r
	alone.holds = nil
	if o, ok := f.offer(a, &alone, &now); ok && (a.maxNodes > 1 || o.tasks >= a.tasks) {
		return nil
	}
	var out []Obstacle
	add := func(what string, asked, there int64) {
		if asked > there {
			out = append(out, Obstacle{What: what, Where: string(r.n.Name), Asked: asked, There: max(there, 0)})
		}
	}
	cpus, mem := c.perNodeLeast(a)
	switch {
	case a.whole && !now.idle:
		return []Obstacle{{What: "idle nodes", Where: string(r.n.Name), Asked: 1}}
	case now.kept && (!r.owned || r.uid != a.job.UID), a.ownUser && !now.idle && !f.onlyOf(a, &alone):
		return []Obstacle{{What: "nodes others do not keep", Where: string(r.n.Name), Asked: 1}}
	}
	have := r.cpus
	if a.sharing > 1 {
		have = now.sharedCPUs(r.total, a.sharing)
	}
	add("cpus", int64(cpus), int64(have))
	if most := a.part.mostCPUs(r.n); most > 0 {
		if used := f.usedBy(a, &alone); cpus > most-used {
			out = append(out, Obstacle{What: "cpus of the partition's bound", Where: string(r.n.Name), Asked: int64(cpus), There: int64(max(most-used, 0))})
		}
	}
	if c.t.memory {
		add("mem", int64(mem), int64(r.mem))
		if a.memAll {
			add("mem", int64(r.n.Memory), int64(r.mem))
		}
	}
	out = append(out, lackingGres(a, &alone, &now)...)
	if len(out) == 0 {
		unit := a.cpt * a.taskOn(c.t, r).unit
		out = append(out, Obstacle{What: "cpus", Where: string(r.n.Name), Asked: int64(max(unit, cpus, c.t.grain(r.n))), There: int64(max(have, 0))})
	}
	return out
}

// gresOfNode writes a node's generic resources: gpu:a100:4,gpu:v100:2.
func gresOfNode(n *Node) string {
	text := ""
	for i, g := range n.Gres {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf("%s:%d", gresItemName(slurm.GresItem{Name: g.Name, Type: g.Type}), g.Count)
	}
	return text
}

// Expected is the earliest start that any partition gives, with where; the zero
// time when none does.
func (s *Story) Expected() (start time.Time, place *Place) {
	for i := range s.Places {
		p := &s.Places[i]
		if !p.Start.IsZero() && (place == nil || cmp.Compare(p.Start.UnixNano(), start.UnixNano()) < 0) {
			start, place = p.Start, p
		}
	}
	return start, place
}

// HangsOn are the jobs without a limit that the start hangs on, where nothing else
// keeps it from being told in any partition.
func (s *Story) HangsOn() []slurm.JobID {
	for i := range s.Places {
		if p := &s.Places[i]; len(p.Endless) > 0 {
			return p.Endless
		}
	}
	return nil
}
