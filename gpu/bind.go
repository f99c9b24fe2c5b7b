package gpu

import (
	"strconv"
	"strings"
)

// Bind chooses, for each of a step's tasks on a node, which of the step's GPUs there
// it is to see: places among those given, in order. spec is --gpu-bind as
// slurm.ParseGPUBind returns it; nil means that every task sees them all.
//
//   - single:N: one GPU a task, N tasks after each other on the same one
//   - per_task:N: N GPUs a task, none shared while they last
//   - map_gpu, mask_gpu: as listed, the list beginning again when it is used up;
//     numbers that were not given are left out, and a task for which nothing is
//     left sees all
//   - closest: those near the CPUs the task is bound to; all, where none is or it
//     is not bound
//
// near says which CPUs are near each GPU (nil: not known), cpus to which CPUs each
// task is bound (nil: to none).
func Bind(spec string, gpus, tasks int, near [][]int, cpus [][]int) [][]int {
	spec = strings.TrimPrefix(spec, "verbose,")
	kind, value, _ := strings.Cut(spec, ":")
	if gpus == 0 || tasks == 0 {
		return nil
	}
	out := make([][]int, tasks)
	switch kind {
	case "single":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return nil
		}
		for i := range out {
			out[i] = []int{i / n % gpus}
		}
	case "per_task":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return nil
		}
		n = min(n, gpus)
		for i := range out {
			seen := make([]bool, gpus)
			for k := range n {
				seen[(i*n+k)%gpus] = true
			}
			out[i] = places(seen)
		}
	case "map_gpu", "mask_gpu":
		list := strings.Split(value, ",")
		for i := range out {
			seen := make([]bool, gpus)
			item := list[i%len(list)]
			if kind == "map_gpu" {
				if n, err := strconv.ParseUint(item, 0, 31); err == nil && int(n) < gpus {
					seen[n] = true
				}
			} else if mask, err := strconv.ParseUint(strings.TrimPrefix(item, "0x"), 16, 64); err == nil {
				for k := range min(gpus, 64) {
					seen[k] = mask&(1<<k) != 0
				}
			}
			out[i] = places(seen)
		}
	case "closest":
		for i := range out {
			if i >= len(cpus) || len(cpus[i]) == 0 {
				continue
			}
			seen := make([]bool, gpus)
			for k := range seen {
				seen[k] = k < len(near) && meet(near[k], cpus[i])
			}
			out[i] = places(seen)
		}
	default:
		return nil
	}
	for i := range out {
		if len(out[i]) == 0 {
			out[i] = all(gpus)
		}
	}
	return out
}

func places(seen []bool) []int {
	var list []int
	for i, s := range seen {
		if s {
			list = append(list, i)
		}
	}
	return list
}

func all(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// meet reports whether two lists of CPUs have one in common.
func meet(a, b []int) bool {
	in := make(map[int]bool, len(a))
	for _, x := range a {
		in[x] = true
	}
	for _, x := range b {
		if in[x] {
			return true
		}
	}
	return false
}
