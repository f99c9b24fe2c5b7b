package noded

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/slurm"
)

// cpuPlace is one CPU of the machine and where it is. Cores are numbered within
// their socket.
type cpuPlace struct {
	id, core, socket int
	node             int // its NUMA node; -1: not known
}

// machineCPUs lists by number the CPUs that are online and that this process may
// use; sys is /sys/devices/system.
func machineCPUs(sys string) []cpuPlace {
	text, err := os.ReadFile(filepath.Join(sys, "cpu/online"))
	if err != nil {
		return nil
	}
	online, err := slurm.ParseIndexSet(strings.TrimSpace(string(text)), 1<<16)
	if err != nil {
		return nil
	}
	var may unix.CPUSet
	bound := unix.SchedGetaffinity(0, &may) == nil
	number := func(path string) int {
		text, err := os.ReadFile(path)
		if err != nil {
			return -1
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return -1
		}
		return n
	}
	var out []cpuPlace
	for i := range online.All() {
		id := int(i)
		if bound && !may.IsSet(id) {
			continue
		}
		dir := filepath.Join(sys, "cpu", "cpu"+strconv.Itoa(id))
		p := cpuPlace{id: id, core: number(filepath.Join(dir, "topology/core_id")), socket: number(filepath.Join(dir, "topology/physical_package_id")), node: -1}
		if p.core < 0 {
			p.core = id // where the kernel tells of no cores each CPU is one
		}
		if list, _ := filepath.Glob(filepath.Join(dir, "node[0-9]*")); len(list) > 0 {
			if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(list[0]), "node")); err == nil {
				p.node = n
			}
		}
		out = append(out, p)
	}
	return out
}

// namedCPUs lists the CPUs of the machine that the node's CPUs of a list stand for, per
// of them each: the node's are numbered by socket, core and thread. It is nil for no
// list, and for one that the machine does not have.
func namedCPUs(machine []cpuPlace, list string, per int) []int {
	order := slices.Clone(machine)
	slices.SortFunc(order, func(a, b cpuPlace) int {
		return cmp.Or(cmp.Compare(a.socket, b.socket), cmp.Compare(a.core, b.core), cmp.Compare(a.id, b.id))
	})
	var out []int
	for _, i := range readCPUs(list) {
		if (i+1)*per > len(order) {
			return nil
		}
		for _, p := range order[i*per : (i+1)*per] {
			out = append(out, p.id)
		}
	}
	slices.Sort(out)
	return out
}

// chooseCPUs picks n of the machine's CPUs, sorted, all when there are no more:
// those that the fewest others have, used being how many have each; of these whole
// cores before parts, on as few sockets as can be, and the lowest numbers.
func chooseCPUs(machine []cpuPlace, used map[int]int, n int) []int {
	levels := map[int][]cpuPlace{}
	for _, p := range machine {
		levels[used[p.id]] = append(levels[used[p.id]], p)
	}
	size := map[[2]int]int{} // threads of a core
	for _, p := range machine {
		size[[2]int{p.socket, p.core}]++
	}
	var out []int
	for _, level := range slices.Sorted(maps.Keys(levels)) {
		if n <= len(out) {
			break
		}
		out = append(out, placeCPUs(levels[level], size, n-len(out))...)
	}
	slices.Sort(out)
	return out
}

// placeCPUs picks n of a pool, or all of it.
func placeCPUs(pool []cpuPlace, size map[[2]int]int, n int) []int {
	sockets := map[int][]cpuPlace{}
	for _, p := range pool {
		sockets[p.socket] = append(sockets[p.socket], p)
	}
	var out []int
	for n > len(out) && len(sockets) > 0 {
		// The first socket that has room for all that is left, or the one with most.
		best, rest := -1, n-len(out)
		for _, s := range slices.Sorted(maps.Keys(sockets)) {
			if len(sockets[s]) >= rest {
				best = s
				break
			}
		}
		if _, ok := sockets[best]; !ok {
			best = slices.MinFunc(slices.Sorted(maps.Keys(sockets)), func(a, b int) int {
				return cmp.Or(cmp.Compare(len(sockets[b]), len(sockets[a])), cmp.Compare(a, b))
			})
		}
		out = append(out, withinSocket(sockets[best], size, rest)...)
		delete(sockets, best)
	}
	return out
}

// withinSocket picks n CPUs of one socket, or all of them.
func withinSocket(pool []cpuPlace, size map[[2]int]int, n int) []int {
	if n >= len(pool) {
		n = len(pool)
	}
	cores := map[int][]int{}
	var whole, part []int // cores, by their lowest CPU
	for _, p := range pool {
		if cores[p.core] == nil {
			part = append(part, p.core)
		}
		cores[p.core] = append(cores[p.core], p.id)
	}
	slices.SortFunc(part, func(a, b int) int { return cmp.Compare(cores[a][0], cores[b][0]) })
	socket := pool[0].socket
	part = slices.DeleteFunc(part, func(c int) bool {
		if len(cores[c]) == size[[2]int{socket, c}] {
			whole = append(whole, c)
			return true
		}
		return false
	})
	var out []int
	for len(whole) > 0 && len(cores[whole[0]]) <= n-len(out) {
		out = append(out, cores[whole[0]]...)
		whole = whole[1:]
	}
	// What is left is less than a core: a core that is begun already keeps another
	// one whole.
	for _, c := range part {
		if rest := n - len(out); rest > 0 && len(cores[c]) >= rest {
			return append(out, cores[c][:rest]...)
		}
	}
	for _, c := range slices.Concat(part, whole) {
		out = append(out, cores[c][:min(len(cores[c]), n-len(out))]...)
	}
	return out
}
