package sched

import (
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/slurm"
)

// CPUs of a node are numbered as in Slurm's listings (CPU_IDs), whatever the machine
// calls them: by socket, core and thread, from 0. Room is found by counting; which CPUs
// a job has is chosen for what a plan starts (ChooseCPUs), goes into the log with it,
// and is checked there as everything else of a start is.

// ChooseCPUs chooses the CPUs of what a plan of the scheduler starts, before anything
// else is told to it.
func (s *Scheduler) ChooseCPUs(starts []Start) {
	chosen := make(map[int][]string)
	for i := range starts {
		it := s.items[starts[i].Job]
		if it == nil {
			continue
		}
		for k := range starts[i].Alloc {
			a := &starts[i].Alloc[k]
			pos, ok := s.byName[a.Node]
			if !ok {
				continue
			}
			r := &s.rooms[pos]
			taken, aside := slices.Clone(chosen[pos]), []string(nil)
			for h := range r.held {
				switch o := &r.held[h]; {
				case o.cpuIDs == "": // what the plan starts has none yet
				case o.cpusFree:
					aside = append(aside, o.cpuIDs)
				default:
					taken = append(taken, o.cpuIDs)
				}
			}
			a.CPUIDs = chooseCPUs(s.v.Config, r.n, it.job, a, taken, aside)
			chosen[pos] = append(chosen[pos], a.CPUIDs)
		}
	}
}

// CPUsOn lists the CPUs that a job was given on a node; "" where that is not known.
func (j *Job) CPUsOn(name NodeName) string {
	for i := range j.Alloc {
		if j.Alloc[i].Node == name {
			return j.Alloc[i].CPUIDs
		}
	}
	return ""
}

// CheckCPUs says what is wrong with the CPUs that were chosen of a node, or nil: they
// are as many as are given, and the node has them.
func CheckCPUs(n *Node, a *NodeAlloc) error {
	set := cpusOf(a.CPUIDs)
	if got := set.count(); got != a.CPUs || set.String() != a.CPUIDs {
		return fmt.Errorf("%d CPUs are given and %q chosen", a.CPUs, a.CPUIDs)
	}
	for i := n.CPUs; i < len(set)*64; i++ {
		if set.has(i) {
			return fmt.Errorf("CPUs %s are chosen of %d", a.CPUIDs, n.CPUs)
		}
	}
	return nil
}

// cpuSet is numbers of CPUs, a bit each.
type cpuSet []uint64

// cpusOf reads a list as CPUList writes it: "0-3,8". What cannot be read, and numbers
// beyond reason, are left out.
func cpusOf(list string) cpuSet { return cpuSet(nil).read(list) }

// read is cpusOf in the space of a set that is no longer needed.
func (s cpuSet) read(list string) cpuSet {
	set := s[:0]
	for part := range strings.SplitSeq(list, ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		from, err := strconv.ParseUint(lo, 10, 16)
		to := from
		if err == nil && isRange {
			to, err = strconv.ParseUint(hi, 10, 16)
		}
		if err != nil {
			continue
		}
		for i := from; i <= to; i++ {
			set = set.with(int(i))
		}
	}
	return set
}

func (s cpuSet) with(i int) cpuSet {
	for len(s) <= i/64 {
		s = append(s, 0)
	}
	s[i/64] |= 1 << (i % 64)
	return s
}

func (s cpuSet) has(i int) bool { return i/64 < len(s) && s[i/64]>>(i%64)&1 == 1 }

// all yields the numbers, the least first.
func (s cpuSet) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for at, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(at*64 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}

func (s cpuSet) meets(o cpuSet) bool {
	for i := range min(len(s), len(o)) {
		if s[i]&o[i] != 0 {
			return true
		}
	}
	return false
}

func (s cpuSet) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// String writes the set as a list.
func (s cpuSet) String() string {
	var b strings.Builder
	for i := 0; i < len(s)*64; i++ {
		if !s.has(i) {
			continue
		}
		from := i
		for s.has(i + 1) {
			i++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(from))
		if i > from {
			b.WriteByte('-')
			b.WriteString(strconv.Itoa(i))
		}
	}
	return b.String()
}

// CPUsMeet reports whether two lists of CPUs have one in common.
func CPUsMeet(a, b string) bool {
	return CPUsMeeting(a)(b)
}

// CPUsMeeting is CPUsMeet of one list with many: it is read once.
func CPUsMeeting(a string) func(b string) bool {
	x, y := cpusOf(a), cpuSet(nil)
	return func(b string) bool {
		y = y.read(b)
		return x.meets(y)
	}
}

// cpuGrid is how a node's CPUs are numbered.
type cpuGrid struct {
	sockets, cores, threads int // cores of a socket, threads of a core
}

func gridOf(n *Node) cpuGrid {
	g := cpuGrid{max(n.Sockets, 1), max(n.Cores, 1), max(n.Threads, 1)}
	if n.CPUs == g.sockets*g.cores {
		g.threads = 1 // the node was configured with its cores as CPUs
	}
	if n.CPUs != g.sockets*g.cores*g.threads {
		return cpuGrid{1, max(n.CPUs/g.threads, 1), g.threads}
	}
	return g
}

// chooseCPUs chooses the CPUs of a node for a job that is given a there, and lists
// them. taken are the lists of those that have CPUs there, aside of those that wait
// for theirs (suspended); theirs are taken last, CPUs left to the system after them,
// and what others have only where there is nothing else, which is where CPUs are
// shared. CPUs near the job's devices come first where gres.conf says which these are.
//
// Among CPUs as good as each other the choice is that of Slurm 22.05: with CPUs as
// the unit, or where sockets are to be filled one after the other, the socket with
// the least room for all, else the emptiest first; with cores or sockets, cores are
// dealt out to the sockets in turn, those of a task with several on one.
func chooseCPUs(cfg *Config, n *Node, j *Job, a *NodeAlloc, taken, aside []string) string {
	if a.CPUs <= 0 {
		return ""
	}
	p := &cpuPick{grid: gridOf(n), cost: make([]int, n.CPUs)}
	var set cpuSet
	for _, list := range taken {
		set = set.read(list)
		p.charge(set, ofOthers)
	}
	for _, list := range aside {
		set = set.read(list)
		p.charge(set, ofSuspended)
	}
	p.charge(p.reserved(n.CoreSpec), ofSystem)
	if j.Spec == nil || !strings.Contains(j.Spec.GresFlags, "disable-binding") {
		p.far(n, a.Gres)
	}
	unit, block := byte('p'), false
	for _, word := range conf(cfg).SelectTypeParameters {
		switch word {
		case "CR_CORE", "CR_CORE_MEMORY", "CR_SOCKET", "CR_SOCKET_MEMORY":
			unit = 'c'
		case "CR_CORE_DEFAULT_DIST_BLOCK":
			block = true
		}
	}
	spec := specOf(j)
	if d, err := slurm.ReadDistribution(spec.Distribution); err == nil && d.Sockets != "" {
		block = d.Sockets == "block"
	}
	p.step = 1
	if unit == 'c' {
		p.step = p.grid.threads
	}
	cpt := max(j.Need.CPUsPerTask, 1)
	if per := spec.NTasksPerSocket; per > 0 && a.Tasks <= per*p.grid.sockets {
		p.most = (per*cpt + p.step - 1) / p.step
	}
	p.shut(spec.CoresPerSocket)
	units := (a.CPUs + p.step - 1) / p.step
	p.left = a.CPUs
	switch ofTask := (cpt + p.step - 1) / p.step; {
	case unit == 'p' || block:
		p.pack(units)
	case ofTask == 1:
		p.deal(units)
	default:
		for k := 0; k < a.Tasks && units >= ofTask; k++ {
			p.onOne(ofTask)
			units -= ofTask
		}
		p.deal(units)
	}
	if p.step > 1 && p.tornFree() >= a.CPUs {
		// Whole cores are had no more, as where CPUs were the unit before: room was
		// found by counting, so that parts of them do.
		p.step, p.most, p.left, p.chosen, p.had = 1, 0, a.CPUs, nil, nil
		p.pack(a.CPUs)
	}
	return p.chosen.String()
}

// shut has the sockets count that have fewer cores free than a job asks for on each.
func (p *cpuPick) shut(cores int) {
	g := p.grid
	for s := 0; s < g.sockets && cores > 0; s++ {
		free := 0
		for core := s * g.cores; core < (s+1)*g.cores; core++ {
			whole := 0
			for t := range g.threads {
				if p.cost[core*g.threads+t] < ofSuspended {
					whole++
				}
			}
			if whole == g.threads || whole > 0 && p.step == 1 {
				free++
			}
		}
		if free >= cores {
			continue
		}
		for k := s * g.cores * g.threads; k < (s+1)*g.cores*g.threads; k++ {
			p.cost[k] += ofSuspended
		}
	}
}

// tornFree counts the CPUs that nobody has, where some of those chosen are somebody's;
// 0 where none is.
func (p *cpuPick) tornFree() int {
	free, torn := 0, false
	for i, cost := range p.cost {
		switch {
		case cost < ofOthers:
			free++
		case p.chosen.has(i):
			torn = true
		}
	}
	if !torn {
		return 0
	}
	return free
}

// What speaks against a CPU: more than all that is smaller together.
const (
	notNear     = 1
	ofSuspended = 2
	ofSystem    = 4
	ofOthers    = 8 // for each job that has it
)

// cpuPick is a choice of a node's CPUs in the making. Units are CPUs, or whole cores.
type cpuPick struct {
	grid   cpuGrid
	cost   []int // of each CPU: what speaks against it
	step   int   // CPUs of a unit
	most   int   // units on a socket; 0: any number
	left   int   // CPUs still to be chosen
	chosen cpuSet
	had    []int // units chosen on each socket
}

func (p *cpuPick) charge(set cpuSet, by int) {
	for i := range set.all() {
		if i < len(p.cost) {
			p.cost[i] += by
		}
	}
}

// reserved are the cores that are left to the system: the last of each socket, from
// the last socket on.
func (p *cpuPick) reserved(cores int) cpuSet {
	var set cpuSet
	g := p.grid
	for k := range min(cores, g.sockets*g.cores) {
		socket, core := g.sockets-1-k%g.sockets, g.cores-1-k/g.sockets
		for t := range g.threads {
			set = set.with((socket*g.cores+core)*g.threads + t)
		}
	}
	return set
}

// far has CPUs count that are not near the devices that were chosen.
func (p *cpuPick) far(n *Node, list []GresAlloc) {
	var near cpuSet
	for _, g := range list {
		for i := range n.Gres {
			e := &n.Gres[i]
			if e.Name != g.Name || e.Type != g.Type || e.Cores == "" || len(g.Index) == 0 {
				continue
			}
			for core := range cpusOf(e.Cores).all() {
				for t := range p.grid.threads {
					near = near.with(core*p.grid.threads + t)
				}
			}
		}
	}
	if near == nil {
		return
	}
	for i := range p.cost {
		if !near.has(i) {
			p.cost[i] += notNear
		}
	}
}

// unit is a unit's first CPU and what speaks against its worst.
type cpuUnit struct{ first, cost int }

// free lists the units of a socket that are not chosen yet and against which no more
// speaks than so much, in order.
func (p *cpuPick) free(socket, cost int) []cpuUnit {
	per := p.grid.cores * p.grid.threads
	var list []cpuUnit
	for i := socket * per; i < (socket+1)*per && i < len(p.cost); i += p.step {
		u := cpuUnit{first: i}
		for k := i; k < i+p.step && k < len(p.cost); k++ {
			u.cost = max(u.cost, p.cost[k])
		}
		if u.cost <= cost && !p.chosen.has(i) {
			list = append(list, u)
		}
	}
	if p.had == nil {
		p.had = make([]int, p.grid.sockets)
	}
	if p.most > 0 {
		list = list[:min(len(list), max(p.most-p.had[socket], 0))]
	}
	return list
}

// levels are the costs there are, the least first; as long as there is a bound on each
// socket, without those of CPUs that somebody has or waits for.
func (p *cpuPick) levels() []int {
	list := slices.Clone(p.cost)
	if p.most > 0 {
		list = slices.DeleteFunc(list, func(cost int) bool { return cost >= ofSuspended })
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// take chooses units of a socket.
func (p *cpuPick) take(socket int, list []cpuUnit) {
	for _, u := range list {
		for k := u.first; k < u.first+p.step && p.left > 0; k++ {
			p.chosen = p.chosen.with(k)
			p.left--
		}
		p.had[socket]++
	}
}

// pack chooses units on as few sockets as can be.
func (p *cpuPick) pack(units int) {
	for _, cost := range p.levels() {
		for units > 0 {
			best, room, all := -1, 0, false
			for s := range p.grid.sockets {
				n := len(p.free(s, cost))
				switch {
				case n == 0:
				case n >= units && (!all || n < room), !all && n < units && n > room:
					best, room, all = s, n, n >= units
				}
			}
			if best < 0 {
				break
			}
			list := p.wholeFirst(p.free(best, cost), min(units, room))
			p.take(best, list)
			units -= len(list)
		}
	}
	p.uncapped(units)
}

// wholeFirst returns n of the units of a socket: where these are threads, cores that
// are free as a whole for as many as fill them, and parts of cores for the rest.
func (p *cpuPick) wholeFirst(list []cpuUnit, n int) []cpuUnit {
	if p.step > 1 || p.grid.threads == 1 || n >= len(list) {
		return list[:n]
	}
	t := p.grid.threads
	inCore := map[int]int{}
	for _, u := range list {
		inCore[u.first/t]++
	}
	var out []cpuUnit
	for _, whole := range []bool{true, false} {
		for _, u := range list {
			isWhole := inCore[u.first/t] == t
			if isWhole != whole || whole && len(out)-len(out)%t+t > n && len(out)%t == 0 || len(out) == n {
				continue
			}
			out = append(out, u)
		}
	}
	for _, u := range list { // a part of a whole core, where no core is in parts
		if len(out) < n && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

// deal chooses units of the sockets in turn.
func (p *cpuPick) deal(units int) {
	for _, cost := range p.levels() {
		for more := true; units > 0 && more; {
			more = false
			for s := 0; s < p.grid.sockets && units > 0; s++ {
				if list := p.free(s, cost); len(list) > 0 {
					p.take(s, list[:1])
					units--
					more = true
				}
			}
		}
	}
	p.uncapped(units)
}

// onOne chooses units for one task, on one socket if there is one that has them.
func (p *cpuPick) onOne(units int) {
	for _, cost := range p.levels() {
		if cost >= ofSuspended {
			break
		}
		for s := range p.grid.sockets {
			if list := p.free(s, cost); len(list) >= units {
				p.take(s, list[:units])
				return
			}
		}
	}
	p.deal(units)
}

// uncapped chooses what a bound on each socket left out: what was given counts.
func (p *cpuPick) uncapped(units int) {
	if units > 0 && p.most > 0 {
		p.most = 0
		p.pack(units)
	}
}
