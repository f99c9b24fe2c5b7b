package noded

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// memoryBind is the NUMA nodes a task's memory is to come from, "" being as the kernel
// likes; prefer says that others will do too.
type memoryBind struct {
	nodes  string
	prefer bool
}

// bindMemory binds the memory of tasks by the words of --mem-bind. cpus are those each
// task may use. Nodes that the machine has not are left out.
func bindMemory(words string, machine []cpuPlace, cpus [][]int) []memoryBind {
	out := make([]memoryBind, len(cpus))
	var all []int
	for _, p := range machine {
		if p.node >= 0 && !slices.Contains(all, p.node) {
			all = append(all, p.node)
		}
	}
	slices.Sort(all)
	if len(all) == 0 {
		return out // the kernel tells of none
	}
	prefer := false
	for rest := words; rest != ""; {
		word, after, _ := strings.Cut(rest, ",")
		kind, _, listed := strings.Cut(strings.ToLower(word), ":")
		var items []string
		if listed { // it goes on to the end
			_, list, _ := strings.Cut(rest, ":")
			items, after = strings.Split(list, ","), ""
		}
		rest = after
		var of func(i int) []int
		switch {
		case kind == "prefer":
			prefer = true
		case kind == "local":
			of = func(i int) (near []int) {
				for _, p := range machine {
					if slices.Contains(cpus[i], p.id) {
						near = append(near, p.node)
					}
				}
				return near
			}
		case kind == "rank":
			of = func(i int) []int { return []int{all[i%len(all)]} }
		case kind == "map_mem":
			of = func(i int) []int {
				n, err := strconv.ParseUint(items[i%len(items)], 0, 16)
				if err != nil {
					return nil
				}
				return []int{int(n)}
			}
		case kind == "mask_mem":
			of = func(i int) (nodes []int) {
				mask, ok := new(big.Int).SetString(strings.TrimPrefix(strings.ToLower(items[i%len(items)]), "0x"), 16)
				for _, n := range all {
					if ok && mask.Bit(n) == 1 {
						nodes = append(nodes, n)
					}
				}
				return nodes
			}
		}
		if of == nil {
			continue
		}
		for i := range out {
			nodes := slices.DeleteFunc(of(i), func(n int) bool { return !slices.Contains(all, n) })
			slices.Sort(nodes)
			out[i] = memoryBind{nodes: cpuText(slices.Compact(nodes)), prefer: prefer}
		}
	}
	return out
}
