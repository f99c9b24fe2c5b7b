package noded

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
)

// bindTasks are the CPUs that each of a number of tasks is bound to, "" being not
// bound, by the words of --cpu-bind. set is what the step may use; known says that
// it is the step's alone, without which tasks are bound only where words name the
// CPUs: else the first tasks of all jobs would share theirs. perTask is how many
// CPUs a task was given.
func bindTasks(words string, set []cpuPlace, known bool, tasks, perTask int) ([]string, error) {
	out := make([]string, tasks)
	for rest := words; rest != "" && len(set) > 0; {
		word, after, _ := strings.Cut(rest, ",")
		kind, _, listed := strings.Cut(strings.ToLower(word), ":")
		if listed { // it goes on to the end
			_, list, _ := strings.Cut(rest, ":")
			return bindListed(kind, list, set, out)
		}
		rest = after
		if !known {
			continue
		}
		near := func(p, q cpuPlace) bool { return p.id == q.id }
		switch kind {
		case "rank":
			for i := range out {
				out[i] = cpuText([]int{set[i%len(set)].id})
			}
			return out, nil
		case "thread", "threads":
		case "core", "cores":
			near = func(p, q cpuPlace) bool { return p.core == q.core && p.socket == q.socket }
		case "socket", "sockets":
			near = func(p, q cpuPlace) bool { return p.socket == q.socket }
		case "ldom", "ldoms":
			near = func(p, q cpuPlace) bool { return p.node == q.node }
		default:
			continue
		}
		// Threads of a core lie side by side, and so go to one task.
		order := slices.Clone(set)
		slices.SortStableFunc(order, func(p, q cpuPlace) int { return cmpPlaces(p, q) })
		for i := range out {
			var mine []int
			for k := range max(1, perTask) {
				at := order[(i*max(1, perTask)+k)%len(order)]
				for _, p := range set {
					if near(at, p) && !slices.Contains(mine, p.id) {
						mine = append(mine, p.id)
					}
				}
			}
			slices.Sort(mine)
			out[i] = cpuText(mine)
		}
		return out, nil
	}
	return out, nil
}

// bind binds the tasks of a step of a job that has the CPUs of a list.
func (c *confine) bind(order *rinkpb.LaunchStep, job string) ([]string, error) {
	may := cmp.Or(order.CpuSet, job)
	set := c.machine
	if may != "" {
		mine := readCPUs(may)
		set = slices.DeleteFunc(slices.Clone(set), func(p cpuPlace) bool { return !slices.Contains(mine, p.id) })
	}
	return bindTasks(order.CpuBind, set, may != "", len(order.Tasks), int(order.CpusPerTask))
}

func cmpPlaces(p, q cpuPlace) int {
	for _, d := range []int{p.socket - q.socket, p.core - q.core, p.id - q.id} {
		if d != 0 {
			return d
		}
	}
	return 0
}

// bindListed binds by map_cpu and mask_cpu, whose lists begin anew when they are
// shorter than the tasks. CPUs that the step has not are left out.
func bindListed(kind, list string, set []cpuPlace, out []string) ([]string, error) {
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		item, times, many := strings.Cut(item, "*") // the same for so many tasks
		n := 1
		if many {
			var err error
			if n, err = strconv.Atoi(times); err != nil || n < 1 {
				return nil, fmt.Errorf("--cpu-bind=%s: %q is not a number of tasks", kind, times)
			}
		}
		for range min(n, len(out)) {
			items = append(items, item)
		}
	}
	for i := range out {
		item := items[i%len(items)]
		var ids []int
		switch kind {
		case "map_cpu":
			n, err := strconv.ParseUint(item, 0, 16)
			if err != nil {
				return nil, fmt.Errorf("--cpu-bind=map_cpu: %q is not the number of a CPU", item)
			}
			ids = []int{int(n)}
		case "mask_cpu":
			mask, ok := new(big.Int).SetString(strings.TrimPrefix(strings.ToLower(item), "0x"), 16)
			if !ok || len(item) > 1<<12 || mask.Sign() <= 0 {
				return nil, fmt.Errorf("--cpu-bind=mask_cpu: %q is not a mask of CPUs", item)
			}
			for b := range mask.BitLen() {
				if mask.Bit(b) == 1 {
					ids = append(ids, b)
				}
			}
		default:
			return out, nil // maps of sockets and NUMA nodes: not bound
		}
		ids = slices.DeleteFunc(ids, func(id int) bool {
			return !slices.ContainsFunc(set, func(p cpuPlace) bool { return p.id == id })
		})
		out[i] = cpuText(ids)
	}
	return out, nil
}
