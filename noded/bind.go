package noded

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/taskenv"
	"github.com/runink/rink/slurm"
)

// binding is what the tasks of a step on this node are bound by, as Slurm's
// task/affinity does it.
type binding struct {
	words   string     // --cpu-bind, or what the node or the partition has in its place
	param   []string   // TaskPluginParam, for where neither says anything
	sockets string     // the distribution over sockets: block, fcyclic or cyclic; "": cyclic
	cores   string     // and over the cores of a socket; "": as over sockets
	machine []cpuPlace // all CPUs there are
	set     []cpuPlace // those the step may use
	whole   bool       // these are all that the node has
	known   bool       // that these are its own: without it tasks are bound only where words name the CPUs, else the first tasks of all jobs would share theirs
	tasks   int
	perTask int // CPUs of a task
}

// bound is how tasks are bound.
type bound struct {
	cpus []string // of each task; "": it is not bound
	kind string   // as SLURM_CPU_BIND_TYPE has it; "": nothing is to be said
	list string   // as SLURM_CPU_BIND_LIST has it
	mark string   // as the lines have it that are printed about it
	loud bool     // they are to be printed
}

// outsideError refuses CPUs that the step has not.
type outsideError struct{ mask string }

func (e *outsideError) Error() string { return slurm.ErrnoNodeCPUBindError.Error() }

// words is what is said before the refusal.
func (e *outsideError) words() string {
	return "error: CPU binding outside of job step allocation, allocated CPUs are: 0x" + e.mask + "."
}

// bindKinds are the ways of binding that take no list, by the word for them.
var bindKinds = []string{"none", "rank", "rank_ldom", "threads", "cores", "sockets", "ldoms"}

// bind works out the CPUs of each task.
func (b binding) bind() (bound, error) {
	out := bound{cpus: make([]string, b.tasks)}
	kind, list := "", ""
	for rest := b.words; rest != ""; {
		word, after, _ := strings.Cut(rest, ",")
		name, _, listed := strings.Cut(strings.ToLower(word), ":")
		switch {
		case listed: // it goes on to the end
			_, list, _ = strings.Cut(rest, ":")
			kind, after = name, ""
		case name == "verbose":
			out.loud = true
		case slices.Contains(bindKinds, name):
			kind = name
		}
		rest = after
	}
	if len(b.set) == 0 || b.tasks == 0 {
		return out, nil
	}
	if list != "" {
		return b.listed(out, kind, list)
	}
	if !b.known {
		return out, nil
	}
	if kind == "" {
		for _, word := range b.param {
			switch word = strings.ToLower(word); {
			case word == "verbose":
				out.loud = true
			case slices.Contains(bindKinds, word):
				kind = word
			}
		}
	}
	switch {
	case kind == "none" && !b.whole: // a job never gets at what others have
		kind = ""
	case kind == "":
		kind = b.match()
	}
	switch kind {
	case "none":
		out.kind, out.mark = "none", "NONE"
		return out, nil
	case "rank":
		out.kind, out.mark = "rank", "RANK"
		for i := range out.cpus {
			out.cpus[i] = cpuText([]int{b.set[i%len(b.set)].id})
		}
		return out, nil
	case "rank_ldom":
		out.kind, out.mark = "rank_ldom", "LDRANK"
		nodes := b.numaNodes()
		for i := range out.cpus {
			out.cpus[i] = b.text(func(p cpuPlace) bool { return p.node == nodes[i%len(nodes)] })
		}
		return out, nil
	}
	out.kind, out.mark = "mask_cpu:", "MASK"
	var masks []string
	if kind == "" { // to all that the step has
		all := b.text(func(cpuPlace) bool { return true })
		for i := range out.cpus {
			out.cpus[i] = all
		}
		masks = []string{b.mask(all)}
	} else {
		for i, mine := range b.deal(kind) {
			out.cpus[i] = cpuText(mine)
			masks = append(masks, b.mask(out.cpus[i]))
		}
	}
	out.list = strings.Join(masks, ",")
	return out, nil
}

// match is what tasks are bound to when nobody says: sockets, cores or threads, of
// which the step has, as a whole, as many as its tasks have CPUs; or else what
// Autobind says.
func (b binding) match() string {
	size := func(list []cpuPlace, of func(cpuPlace) [2]int) map[[2]int]int {
		n := map[[2]int]int{}
		for _, p := range list {
			n[of(p)]++
		}
		return n
	}
	whole := func(of func(cpuPlace) [2]int) (n int) {
		all := size(b.machine, of)
		for k, has := range size(b.set, of) {
			if has == all[k] {
				n++
			}
		}
		return n
	}
	want := b.tasks * max(1, b.perTask)
	switch want {
	case whole(func(p cpuPlace) [2]int { return [2]int{p.socket, 0} }):
		return "sockets"
	case whole(func(p cpuPlace) [2]int { return [2]int{p.socket, p.core} }):
		return "cores"
	case len(b.set):
		return "threads"
	}
	for _, word := range b.param {
		if kind, ok := strings.CutPrefix(strings.ToLower(word), "autobind="); ok && kind != "none" {
			return kind
		}
	}
	return ""
}

// socketOf is a socket while its CPUs are dealt out.
type socketOf struct {
	cores [][]int // the CPUs of each core that are still free
}

func (s *socketOf) free() (n int) {
	for _, c := range s.cores {
		n += len(c)
	}
	return n
}

// take takes up to n CPUs: of one core after the other, or when they are to be
// spread one of each. whole takes cores with all that is free of them, each for as
// many as it has.
func (s *socketOf) take(n int, spread, whole bool) (out []int) {
	for n > 0 && s.free() > 0 {
		// The first of the cores of which most is free, so that threads come to be
		// shared last.
		best := 0
		for i, c := range s.cores {
			if len(c) > len(s.cores[best]) || len(s.cores[best]) == 0 {
				best = i
			}
		}
		if !spread {
			if i := slices.IndexFunc(s.cores, func(c []int) bool { return len(c) > 0 && len(c) < len(s.cores[best]) }); i >= 0 && n < len(s.cores[best]) {
				best = i // what is left of a core
			}
		}
		k := min(n, len(s.cores[best]))
		if spread {
			k = 1
		}
		n -= k
		if whole {
			k = len(s.cores[best])
		}
		out = append(out, s.cores[best][:k]...)
		s.cores[best] = s.cores[best][k:]
	}
	return out
}

// deal gives each task its CPUs, and to these what belongs to them: their cores,
// their sockets or what is near the same memory. Over sockets tasks go in turn, with
// fcyclic each CPU of a task, with block one socket is filled before the next; when
// nothing is left they begin anew.
func (b binding) deal(kind string) [][]int {
	over := cmp.Or(b.sockets, "cyclic")
	within := cmp.Or(b.cores, over)
	fresh := func() []*socketOf {
		order := slices.Clone(b.set)
		slices.SortStableFunc(order, cmpPlaces)
		var list []*socketOf
		for i, p := range order {
			if i == 0 || order[i-1].socket != p.socket {
				list = append(list, &socketOf{})
			}
			s := list[len(list)-1]
			if i == 0 || order[i-1].socket != p.socket || order[i-1].core != p.core {
				s.cores = append(s.cores, nil)
			}
			s.cores[len(s.cores)-1] = append(s.cores[len(s.cores)-1], p.id)
		}
		return list
	}
	list := fresh()
	// A task of one CPU has no core to fill: where cores come in turn, it takes
	// the next.
	perTask := max(1, b.perTask)
	spread := within == "fcyclic" || within == "cyclic" && perTask == 1
	out := make([][]int, b.tasks)
	at := 0
	for i := range out {
		for need := perTask; need > 0; {
			if over == "block" {
				at = 0
			}
			s := nextSocket(list, at, need, over)
			if s < 0 {
				if list = fresh(); len(list) == 0 {
					break
				}
				continue
			}
			n := need
			if over == "fcyclic" {
				n = 1
			}
			got := list[s].take(n, spread, kind == "cores")
			need -= min(need, len(got))
			out[i] = append(out[i], got...)
			at = (s + 1) % len(list)
		}
		out[i] = b.near(out[i], kind)
	}
	return out
}

// nextSocket is the first from at on that has room for all that a task still needs,
// or else for some; -1 is none. With block it is the first that has any.
func nextSocket(list []*socketOf, at, need int, over string) int {
	some := -1
	for k := range list {
		s := (at + k) % len(list)
		free := list[s].free()
		if free >= need || free > 0 && over != "cyclic" {
			return s
		}
		if free > 0 && some < 0 {
			some = s
		}
	}
	return some
}

// near adds the CPUs that belong to those given.
func (b binding) near(given []int, kind string) []int {
	same := func(p, q cpuPlace) bool { return p.id == q.id }
	switch kind {
	case "cores":
		same = func(p, q cpuPlace) bool { return p.core == q.core && p.socket == q.socket }
	case "sockets":
		same = func(p, q cpuPlace) bool { return p.socket == q.socket }
	case "ldoms":
		same = func(p, q cpuPlace) bool { return p.node == q.node }
	}
	var out []int
	for _, q := range b.set {
		if slices.ContainsFunc(b.set, func(p cpuPlace) bool { return slices.Contains(given, p.id) && same(p, q) }) {
			out = append(out, q.id)
		}
	}
	slices.Sort(out)
	return out
}

// numaNodes are those of the machine.
func (b binding) numaNodes() []int {
	var out []int
	for _, p := range b.machine {
		if !slices.Contains(out, p.node) {
			out = append(out, p.node)
		}
	}
	slices.Sort(out)
	return out
}

// text lists the CPUs of the step that are of a kind.
func (b binding) text(of func(cpuPlace) bool) string {
	var ids []int
	for _, p := range b.set {
		if of(p) {
			ids = append(ids, p.id)
		}
	}
	slices.Sort(ids)
	return cpuText(ids)
}

// mask is a list of CPUs as SLURM_CPU_BIND_LIST has it: with a digit for every four
// CPUs that the machine has.
func (b binding) mask(list string) string {
	return fmt.Sprintf("0x%0*X", (len(b.machine)+3)/4, maskOf(list))
}

// maskOf has a bit for each CPU of a list.
func maskOf(list string) *big.Int {
	mask := new(big.Int)
	for _, id := range readCPUs(list) {
		mask.SetBit(mask, id, 1)
	}
	return mask
}

// listed binds by the numbers and masks of words, which begin anew when they are
// fewer than the tasks. CPUs that the step has not are refused, or left out where
// nobody knows which it has.
func (b binding) listed(out bound, kind, list string) (bound, error) {
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		item, times, many := strings.Cut(item, "*") // the same for so many tasks
		n := 1
		if many {
			var err error
			if n, err = strconv.Atoi(times); err != nil || n < 1 {
				return out, fmt.Errorf("--cpu-bind=%s: %q is not a number of tasks", kind, times)
			}
		}
		for range min(n, b.tasks) {
			items = append(items, item)
		}
	}
	out.kind, out.list = kind+":", list
	if strings.HasPrefix(kind, "mask_") {
		out.list = strings.ReplaceAll(list, "0x", "")
	}
	out.mark = map[string]string{"map_cpu": "MAP ", "mask_cpu": "MASK", "map_ldom": "LDMAP", "mask_ldom": "LDMASK"}[kind]
	for i := range out.cpus {
		ids, err := bindItem(kind, items[i%len(items)])
		if err != nil {
			return out, err
		}
		if strings.HasSuffix(kind, "_ldom") {
			out.cpus[i] = b.text(func(p cpuPlace) bool { return slices.Contains(ids, max(p.node, 0)) })
			continue
		}
		has := len(ids)
		ids = slices.DeleteFunc(ids, func(id int) bool {
			return !slices.ContainsFunc(b.set, func(p cpuPlace) bool { return p.id == id })
		})
		if b.known && len(ids) < has {
			return out, &outsideError{mask: maskOf(b.text(func(cpuPlace) bool { return true })).Text(16)}
		}
		out.cpus[i] = cpuText(ids)
	}
	return out, nil
}

// bindItem reads one number or mask of a list.
func bindItem(kind, item string) ([]int, error) {
	if strings.HasPrefix(kind, "map_") {
		n, err := strconv.ParseUint(item, 0, 16)
		if err != nil {
			return nil, fmt.Errorf("--cpu-bind=%s: %q is not the number of a CPU", kind, item)
		}
		return []int{int(n)}, nil
	}
	mask, ok := new(big.Int).SetString(strings.TrimPrefix(strings.ToLower(item), "0x"), 16)
	if !ok || len(item) > 1<<12 || mask.Sign() <= 0 {
		return nil, fmt.Errorf("--cpu-bind=%s: %q is not a mask of CPUs", kind, item)
	}
	var ids []int
	for bit := range mask.BitLen() {
		if mask.Bit(bit) == 1 {
			ids = append(ids, bit)
		}
	}
	return ids, nil
}

// tell puts how tasks are bound into the environment of one.
func (b bound) tell(env *taskenv.Env) {
	if b.kind == "" {
		return
	}
	loud := "quiet"
	if b.loud {
		loud = "verbose"
	}
	env.Set("SLURM_CPU_BIND", loud+","+b.kind+b.list)
	env.Set("SLURM_CPU_BIND_VERBOSE", loud)
	env.Set("SLURM_CPU_BIND_TYPE", b.kind)
	env.Set("SLURM_CPU_BIND_LIST", b.list)
}

// bind binds the tasks of a step of a job that has the CPUs of a list.
func (c *confine) bind(order *rinkpb.LaunchStep, job string) (*bound, error) {
	may := order.CpuSet
	if may == "" {
		may = job
	}
	b := binding{words: order.CpuBind, machine: c.machine, set: c.machine, known: may != "", tasks: len(order.Tasks), perTask: int(order.CpusPerTask)}
	if d, err := slurm.ReadDistribution(order.Distribution); err == nil {
		b.sockets, b.cores = d.Sockets, d.Cores
	}
	if may != "" {
		mine := readCPUs(may)
		b.set = slices.DeleteFunc(slices.Clone(c.machine), func(p cpuPlace) bool { return !slices.Contains(mine, p.id) })
	}
	c.mu.Lock()
	b.param, b.whole = c.param, len(b.set) >= c.cpus*c.perCPU()
	c.mu.Unlock()
	out, err := b.bind()
	return &out, err
}

func cmpPlaces(p, q cpuPlace) int {
	for _, d := range []int{p.socket - q.socket, p.core - q.core, p.id - q.id} {
		if d != 0 {
			return d
		}
	}
	return 0
}
