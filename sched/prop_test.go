package sched

import (
	"errors"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// TestAnyQueueKeepsItsPromises plays random queues on random clusters. After
// every plan no node gives more than it has and every job has what it asked for;
// the job at the head of the line is never told a later start than before, and
// starts by then; and once nothing more is submitted, everything starts.
func TestAnyQueueKeepsItsPromises(t *testing.T) {
	for _, seed := range seeds(80, 1717, 9997) {
		r := rand.New(rand.NewSource(seed))
		s, err := randomCluster(r)
		if err == nil {
			err = randomReservations(s, rand.New(rand.NewSource(seed+1000)))
		}
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if err := playQueue(s, r, func(again bool) (Plan, error) { return Cycle(s.view(), s.now), nil }); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// seeds are those which broke it once, and the first so many: or as many as
// RINK_SEEDS says, to look further, from the one on where it says FROM-TO.
func seeds(first int64, broken ...int64) []int64 {
	from := int64(0)
	lo, hi, ranged := strings.Cut(os.Getenv("RINK_SEEDS"), "-")
	if !ranged {
		lo, hi = "0", lo
	}
	if n, err := strconv.ParseInt(hi, 10, 64); err == nil {
		if at, err := strconv.ParseInt(lo, 10, 64); err == nil {
			from, first = at, n
		}
	}
	for seed := from; seed < first; seed++ {
		broken = append(broken, seed)
	}
	return broken
}

// follower is a scheduler that is told of what happens in a story.
type follower struct {
	s     *story
	live  *Scheduler
	known map[slurm.JobID]*Job
	resvs []*Reservation
}

// catchUp tells the scheduler what changed since the last time.
func (f *follower) catchUp() {
	if f.live == nil {
		f.live = NewScheduler(f.s.view())
		f.known, f.resvs = map[slurm.JobID]*Job{}, slices.Clone(f.s.resvs)
		for _, j := range slices.Concat(f.s.pending, f.s.running) {
			f.known[j.ID] = j
		}
		return
	}
	now := map[slurm.JobID]*Job{}
	for _, j := range slices.Concat(f.s.pending, f.s.running) {
		now[j.ID] = j
	}
	for _, id := range slices.Sorted(maps.Keys(f.known)) {
		if now[id] == nil {
			f.live.Job(f.known[id], nil)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(now)) {
		if f.known[id] != now[id] {
			f.live.Job(f.known[id], now[id])
		}
	}
	for _, n := range f.s.nodes {
		f.live.Node(n)
	}
	if list := f.s.resvs; !slices.Equal(list, f.resvs) {
		f.live.Reservations(slices.Clone(list))
		f.resvs = slices.Clone(list)
	}
	f.known = now
}

// TestSchedulerKeepsUp plays the same queues with a scheduler that is told of
// every change: what it plans is what one that looks at everything anew does.
func TestSchedulerKeepsUp(t *testing.T) {
	for _, seed := range seeds(80) {
		r := rand.New(rand.NewSource(seed))
		s, err := randomCluster(r)
		if err == nil {
			err = randomReservations(s, rand.New(rand.NewSource(seed+1000)))
		}
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		f := follower{s: s}
		if err := playQueue(s, r, func(again bool) (Plan, error) {
			f.catchUp()
			got, want := f.live.Plan(s.now, true), Cycle(s.view(), s.now)
			if !reflect.DeepEqual(got.Starts, want.Starts) {
				return got, fmt.Errorf("it starts %+v, a new look starts %+v", got.Starts, want.Starts)
			}
			for _, w := range want.Waits {
				if it := f.live.items[w.Job]; it != nil && (it.told.reason != w.Reason || it.told.text != w.Text ||
					(it.told.start == always) != w.Start.IsZero() || it.told.start.time().Sub(w.Start).Abs() > 2*startShift) {
					return got, fmt.Errorf("it tells job %d %+v, a new look tells %+v", w.Job, it.told, w)
				}
			}
			return got, f.live.check()
		}); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// TestQuickPlansKeepPromises plays them with plans that only look at what may
// start.
func TestQuickPlansKeepPromises(t *testing.T) {
	for _, seed := range seeds(200, 31970, 3284, 3389, 3426, 5035, 5149, 7158, 7461, 9492, 11084, 16625, 18449) {
		r := rand.New(rand.NewSource(seed))
		s, err := randomCluster(r)
		if err == nil {
			err = randomReservations(s, rand.New(rand.NewSource(seed+1000)))
		}
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		f := follower{s: s}
		n := 0
		if err := playQueue(s, r, func(again bool) (Plan, error) {
			f.catchUp()
			// What a second look may move is promises of equal worth.
			if again {
				return Plan{}, nil
			}
			n++
			return f.live.Plan(s.now, n%5 == 0), f.live.check()
		}); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// check says what a scheduler's books have wrong: each room and count is worked
// out again from the jobs.
func (s *Scheduler) check() error {
	for i := range s.rooms {
		r := &s.rooms[i]
		want := emptyRoom(r.n, i)
		for _, h := range r.held {
			want.put(&h)
		}
		for _, h := range r.holds {
			want.promised(h)
		}
		if r.cpus != want.cpus || r.mem != want.mem || r.shared != want.shared || r.keepers != want.keepers {
			return fmt.Errorf("node %s has %d CPUs and %v free, should have %d and %v", r.n.Name, r.cpus, r.mem, want.cpus, want.mem)
		}
		if !reflect.DeepEqual(r.line.segs, want.line.segs) {
			return fmt.Errorf("node %s is seen as %+v, should be %+v", r.n.Name, r.line.segs, want.line.segs)
		}
		for k := range r.gres {
			if r.gres[k].free != want.gres[k].free || !slices.Equal(r.gres[k].used, want.gres[k].used) {
				return fmt.Errorf("node %s has %+v, should have %+v", r.n.Name, r.gres[k], want.gres[k])
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.parts)) {
		p := s.parts[name]
		total, idle, open, mem := 0, 0, 0, int64(0)
		for _, pos := range p.where {
			if r := &s.rooms[pos]; r.open {
				open++
				total += max(r.cpus, 0)
				mem += int64(r.mem)
				if len(r.held) == 0 {
					idle++
				}
			}
		}
		if p.total != total || p.idle != idle || p.open != open || p.mem != mem {
			return fmt.Errorf("partition %s counts %d CPUs and %d MB free, %d nodes idle of %d, should be %d, %d, %d of %d", name, p.total, p.mem, p.idle, p.open,
				total, mem, idle, open)
		}
	}
	n, promises := 0, 0
	for _, l := range s.order {
		for at, c := range l.chunks {
			if len(c.items) == 0 {
				return fmt.Errorf("chunk %d of %q is empty", at, l.key.parts)
			}
			want := newChunk(c.items)
			// What an item that has gone told of tasks may be missing.
			if least := &want.least; c.least.cpt == 0 || c.least.tasks < least.tasks || least.exact && !c.least.exact {
				least.cpt, least.tasks, least.exact = c.least.cpt, c.least.tasks, c.least.exact
			}
			if !slices.Equal(want.wants, c.wants) || want.least != c.least || want.fussy != c.fussy || len(c.items) > chunkSize {
				return fmt.Errorf("chunk %d of %q has %d jobs that take at least %+v, should be %+v", at, l.key.parts, len(c.items), c.least, want.least)
			}
			if at > 0 {
				if before := l.chunks[at-1].items; before[len(before)-1].compare(c.items[0]) >= 0 {
					return fmt.Errorf("chunk %d of %q is not behind the one before it", at, l.key.parts)
				}
			}
			for i, it := range c.items {
				if i > 0 && c.items[i-1].compare(it) >= 0 || s.items[it.job.ID] != it {
					return fmt.Errorf("job %d stands wrong in line", it.job.ID)
				}
				if it.promise != nil {
					promises++
				}
				n++
			}
		}
	}
	if n != len(s.items) || promises != len(s.promised) {
		return fmt.Errorf("%d jobs in line and %d promises, counted %d and %d", n, promises, len(s.items), len(s.promised))
	}
	return nil
}

func pick(r *rand.Rand, of ...string) string { return of[r.Intn(len(of))] }

func randomCluster(r *rand.Rand) (*story, error) {
	s := newStory()
	s.cfg.Licenses, _ = slurm.ParseLicenses("matlab:3")
	setConf(s.cfg, "SelectTypeParameters", pick(r, "CR_CPU_Memory", "CR_CPU_Memory", "CR_Core_Memory", "CR_CPU"))
	s.cfg.TracksMemory = s.cfg.Conf.SelectTypeParameters[0] != "CR_CPU"
	for g := range 1 + r.Intn(3) {
		line := fmt.Sprintf("nodes g%dn[1-%d] cpus=%d mem=%s threads=%s weight=%s gres=%s features=%s", g, 1+r.Intn(4), 2*(1+r.Intn(4)),
			pick(r, "500", "1000", "4000"), pick(r, "1", "2"), pick(r, "1", "1", "5"),
			pick(r, "", "gpu:a100:2", "gpu:v100:4", "gpu:2"), pick(r, "fast", "slow", "fast,ib"))
		if err := s.do(strings.Replace(line, "gres= ", "", 1), nil); err != nil {
			return nil, err
		}
	}
	if r.Intn(2) == 0 {
		all := s.nodes
		s.parted = false
		if err := s.do("partition all default", nil); err != nil {
			return nil, err
		}
		half := make([]string, 0, len(all))
		for _, n := range all[:(len(all)+1)/2] {
			half = append(half, string(n.Name))
		}
		for _, line := range []string{
			"partition half nodes=" + strings.Join(half, ",") + " maxtime=2h " + pick(r, "", "tier=2", "oversubscribe=FORCE:2", "oversubscribe=EXCLUSIVE", "maxcpus=2"),
			"partition one maxnodes=1",
		} {
			if err := s.do(line, nil); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// randomReservations makes reservations in the cluster for somebody who has no
// jobs there.
func randomReservations(s *story, r *rand.Rand) error {
	for range r.Intn(4) - 1 {
		line := fmt.Sprintf("reservation r%d nodes=%s users=u9 starts=%dm for=%dm", len(s.resvs), s.nodes[r.Intn(len(s.nodes))].Name, r.Intn(300), 1+r.Intn(150))
		line += pick(r, "", " cores=1", " flags=maint", " flags=daily")
		if err := s.do(line, nil); err != nil && !errors.Is(err, slurm.ErrnoReservationOverlap) && !errors.Is(err, slurm.ErrnoNodesBusy) {
			return err
		}
	}
	return nil
}

// randomJob tells of a request.
func randomJob(r *rand.Rand, s *story, id int) string {
	line := fmt.Sprintf("pending %d priority=%d limit=%dm", id, 1_000_000-id, 1+r.Intn(90))
	add := func(chance int, options ...string) {
		if r.Intn(chance) == 0 {
			line += " " + pick(r, options...)
		}
	}
	add(2, "tasks=2", "tasks=3", "tasks=7", "tasks=12", "nodes=2", "nodes=1-3", "nodes=2 tasks=5", "tpn=2 nodes=2", "tpn=2 tasks=5", "nodes=1,3")
	add(4, "cpt=2", "cpt=3", "mincpus=2")
	add(4, "mem=200", "mem=900", "memcpu=150", "mem=0")
	add(6, "exclusive", "contiguous", "exclusive=user", "spread", "overcommit", "share")
	add(5, "gres=gpu:1", "gres=gpu:a100:1", "gpus=3", "gpusnode=2", "gpustask=1 tasks=2")
	add(6, "features=fast", "features=fast|slow", "features=fast&ib", "features=[fast|slow]", "features=[fast*1&slow*1] nodes=2", "prefer=slow")
	add(8, "licences=matlab:1", "licences=matlab:2")
	add(8, "array=1-5", "array=0-20%3")
	add(9, "exclude=g0n1", "nodelist=g0n1")
	add(12, "user=1", "user=2")
	if len(s.extras) > 0 {
		add(3, s.extras...)
	}
	if s.parted {
		add(2, "partition=half", "partition=one", "partition=half,one", "partition=one,all")
	}
	return line
}

func playQueue(s *story, r *rand.Rand, plan func(again bool) (Plan, error)) error {
	promised := map[slurm.JobID]time.Time{}
	id := 0
	steps := 25
	for step := 0; step < steps || len(s.pending) > 0; step++ {
		if step > 5000 {
			return fmt.Errorf("%d jobs never start, the first %d", len(s.pending), s.pending[0].ID)
		}
		for n := r.Intn(6); step < steps && n > 0; n-- {
			id++
			if err := s.do(randomJob(r, s, id), nil); err != nil && !strings.Contains(err.Error(), "Requested node configuration") &&
				!strings.Contains(err.Error(), "Requested topology") && !strings.Contains(err.Error(), "Invalid") {
				return err
			}
		}
		// Jobs that a partition does not allow would wait for ever.
		s.pending = slices.DeleteFunc(s.pending, func(j *Job) bool { return j.Reason != slurm.ReasonNone && j.LastSched.Equal(s.start) })
		for i, x := range s.resvs {
			s.resvs[i], _ = x.Turn(s.now, 0, 0)
		}
		var err error
		if s.plan, err = plan(false); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		for _, start := range s.plan.Starts {
			if err := suitsStart(s, start); err != nil {
				return fmt.Errorf("step %d: %w", step, err)
			}
		}
		if err := keepsPromise(s, promised); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		started, due := len(s.plan.Starts), s.plan.Next
		if err := s.apply(); err != nil {
			return err
		}
		if err := s.overbooked(); err != nil {
			return fmt.Errorf("step %d: %w", step, err)
		}
		for _, j := range s.pending {
			if j.Reason == slurm.ReasonBadConstraints {
				return fmt.Errorf("step %d: job %d was taken and can never run", step, j.ID)
			}
		}
		again, err := plan(true)
		if err != nil {
			return fmt.Errorf("step %d again: %w", step, err)
		}
		if len(again.Starts) > 0 && started == 0 {
			return fmt.Errorf("step %d: job %d starts only at the second look", step, again.Starts[0].Job)
		}
		s.plan = Plan{Waits: again.Waits} // what was told once is not told again
		if err := s.apply(); err != nil {
			return err
		}
		// Time goes on to the next end, or to somewhere before it.
		next := s.now.Add(time.Hour)
		for _, j := range s.running {
			if !j.End.IsZero() && j.End.Before(next) {
				next = j.End
			}
		}
		if len(s.extras) > 0 && !again.Next.IsZero() && again.Next.Before(next) {
			next = again.Next // a wait for few switches ends without any event
		}
		if len(s.resvs) > 0 && !due.IsZero() && due.Before(next) {
			next = due // a reservation begins or ends
		}
		if r.Intn(3) == 0 && next.Sub(s.now) > time.Second {
			next = s.now.Add(time.Duration(r.Int63n(int64(next.Sub(s.now)))))
		}
		if err := s.do("after "+next.Sub(s.now).String(), nil); err != nil {
			return err
		}
		if len(s.running) > 0 && r.Intn(5) == 0 {
			s.finish(s.running[r.Intn(len(s.running))])
		}
	}
	return nil
}

// keepsPromise checks the job at the head of the line against what it was told
// before.
func keepsPromise(s *story, promised map[slurm.JobID]time.Time) error {
	line := slices.Clone(s.pending)
	slices.SortFunc(line, func(a, b *Job) int {
		tier := func(j *Job) (t uint32) {
			for _, name := range j.Partitions {
				t = max(t, s.cfg.Partition(name).PriorityTier)
			}
			return t
		}
		if x, y := tier(a), tier(b); x != y {
			return int(y) - int(x)
		}
		return int(a.ID) - int(b.ID)
	})
	if len(line) == 0 {
		return nil
	}
	head := line[0]
	if !head.Need.Licenses.IsZero() || len(head.Partitions) > 1 || head.IsArrayRest() {
		// It may wait for something else, or move on to other nodes.
		clear(promised)
		return nil
	}
	started := slices.ContainsFunc(s.plan.Starts, func(p Start) bool { return p.Job == head.ID })
	was, ok := promised[head.ID]
	for id := range promised {
		if id != head.ID { // whoever has come before it may take what it was promised
			delete(promised, id)
		}
	}
	if started {
		if ok && s.now.Sub(was) > startShift {
			return fmt.Errorf("job %d was promised %s and starts at %s", head.ID, s.moment(was), s.moment(s.now))
		}
		delete(promised, head.ID)
		return nil
	}
	at := head.Start
	for _, w := range s.plan.Waits {
		if w.Job == head.ID {
			at = w.Start
		}
	}
	if at.IsZero() {
		return fmt.Errorf("job %d is at the head and is promised nothing", head.ID)
	}
	// Small moves are not told.
	if ok && at.Sub(was) > startShift {
		return fmt.Errorf("job %d was promised %s and is now promised %s", head.ID, s.moment(was), s.moment(at))
	}
	if !ok || at.Before(was) {
		promised[head.ID] = at
	}
	return nil
}

// suitsStart checks a start against what its job asked for.
func suitsStart(s *story, p Start) error {
	i := slices.IndexFunc(s.pending, func(j *Job) bool { return j.ID == p.Job })
	if i < 0 {
		return fmt.Errorf("job %d starts and is not pending", p.Job)
	}
	j := s.pending[i]
	n := &j.Need
	bad := func(format string, args ...any) error {
		return fmt.Errorf("job %d (%+v) got %+v: %s", p.Job, *n, p.Alloc, fmt.Sprintf(format, args...))
	}
	if len(p.Alloc) < n.MinNodes || len(p.Alloc) > n.MaxNodes {
		return bad("%d nodes", len(p.Alloc))
	}
	part := s.cfg.Partition(p.Partition)
	whole, _ := Exclusivity(s.cfg, j, part)
	cpus, tasks := 0, 0
	gres := map[string]int64{}
	named := 0
	for _, a := range p.Alloc {
		k := slices.IndexFunc(s.nodes, func(x *Node) bool { return x.Name == a.Node })
		if k < 0 || !slices.Contains(part.Nodes, a.Node) {
			return bad("node %s is not in partition %s", a.Node, part.Name)
		}
		node := s.nodes[k]
		cpus += a.CPUs
		tasks += a.Tasks
		here := map[string]int64{}
		for _, g := range a.Gres {
			here[g.Name] += g.Count
			here[g.Name+":"+g.Type] += g.Count
			gres[g.Name] += g.Count
			if len(g.Index) != int(g.Count) {
				return bad("%d devices of %d", len(g.Index), g.Count)
			}
		}
		for _, g := range n.GresPerNode {
			if here[strings.TrimSuffix(g.Name+":"+g.Type, ":")] < g.Count {
				return bad("not %s on %s", g, a.Node)
			}
		}
		if slices.Contains(n.NodeList, a.Node) {
			named++
		}
		switch {
		case slices.Contains(n.Exclude, a.Node):
			return bad("node %s was excluded", a.Node)
		case a.CPUs < n.MinCPUsNode || a.CPUs < 1:
			return bad("%d CPUs on %s", a.CPUs, a.Node)
		case whole && (a.CPUs != UsableCPUs(node) || len(node.Running) > 0):
			return bad("node %s is not its own", a.Node)
		case n.MemPerNode > 0 && a.Mem != n.MemPerNode, n.MemPerCPU > 0 && a.Mem != n.MemPerCPU*slurm.MB(a.CPUs), n.MemAllOfNode && a.Mem != node.Memory:
			return bad("%s of memory on %s", a.Mem, a.Node)
		case n.Features.Op == slurm.ConstraintAnd && !hasFeatures(n.Features, node):
			return bad("node %s has features %v", a.Node, node.Features)
		case part.MaxCPUsPerNode > 0 && !whole && a.CPUs > part.MaxCPUsPerNode:
			return bad("%d CPUs on %s", a.CPUs, a.Node)
		}
	}
	switch {
	case named != len(n.NodeList):
		return bad("not all nodes it named")
	case cpus < n.CPUs && !n.OverCommit || tasks < n.Tasks:
		return bad("%d CPUs, %d tasks", cpus, tasks)
	case gres["gpu"] < n.GresPerJob.Total("gpu"), gres["gpu"] < n.GresPerTask.Total("gpu")*int64(n.Tasks):
		return bad("%d GPUs", gres["gpu"])
	}
	return nil
}
