package gpu

import (
	"fmt"
	"strconv"
	"strings"
)

// Bound is what one task of a step sees.
type Bound struct {
	See []int // places among the step's GPUs on the node, in order
	// Why says, in Slurm's words, why it sees the first of them in place of what was
	// asked for; "" when it was had.
	Why string
}

// IsBound reports whether a --gpu-bind binds tasks to anything: "" and none do not.
func IsBound(spec string) bool { return spec != "" && !IsNone(spec) }

// IsNone reports whether a --gpu-bind keeps what GPUs there are from the tasks.
func IsNone(spec string) bool { return strings.TrimPrefix(spec, "verbose,") == "none" }

// Bind chooses, for each of a step's tasks on a node, which of the step's GPUs there
// it is to see. spec is --gpu-bind as slurm.ParseGPUBind returns it; nil means that
// every task sees them all, or with none that it is told of none.
//
//   - single:N: one GPU a task, N tasks after each other on the same one, from the
//     first again when there are no more
//   - per_task:N: N GPUs a task, none shared
//   - map_gpu, mask_gpu: as listed, an item that ends in *K counting K times, the list
//     beginning again when it is used up
//   - closest: those near the CPUs the task is bound to; all, where none is or it
//     is not bound
//
// A task for which that leaves none sees the first of them.
//
// near says which CPUs are near each GPU (nil: not known), cpus to which CPUs each
// task is bound (nil: to none).
func Bind(spec string, gpus, tasks int, near [][]int, cpus [][]int) []Bound {
	if gpus <= 0 || tasks <= 0 || !IsBound(spec) {
		return nil
	}
	kind, value, _ := strings.Cut(strings.TrimPrefix(spec, "verbose,"), ":")
	out := make([]Bound, tasks)
	first := func(i int, why string) { out[i] = Bound{See: []int{0}, Why: why} }
	switch kind {
	case "single":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			n = 1
		}
		for i := range out {
			out[i].See = []int{i / n % gpus}
		}
	case "per_task":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return nil
		}
		for i := range out {
			if i*n+n > gpus {
				first(i, "Not enough gpus to bind for gpus per task")
				continue
			}
			for k := range n {
				out[i].See = append(out[i].See, i*n+k)
			}
		}
	case "map_gpu", "mask_gpu":
		list := bindItems(value, tasks)
		for i := range out {
			see := chosen(list[i%len(list)], kind == "mask_gpu", gpus)
			if see == nil {
				first(i, "Invalid --gpu-bind= value specified.")
				continue
			}
			out[i].See = see
		}
	case "closest":
		for i := range out {
			if i < len(cpus) && len(cpus[i]) > 0 {
				for k := range gpus {
					if k < len(near) && meet(near[k], cpus[i]) {
						out[i].See = append(out[i].See, k)
					}
				}
			}
			if out[i].See == nil {
				out[i].See = all(gpus)
			}
		}
	default:
		return nil
	}
	return out
}

// bindItems lists the items of a map or mask, as often as each counts, at least one
// and no more than there are tasks.
func bindItems(value string, tasks int) []string {
	var out []string
	for item := range strings.SplitSeq(value, ",") {
		item, times, counted := strings.Cut(item, "*")
		n := 1
		if counted {
			n, _ = strconv.Atoi(times)
		}
		for range min(max(n, 1), tasks-len(out)) {
			out = append(out, item)
		}
	}
	return out
}

// chosen are the GPUs that an item of a map or mask names, nil when none is there.
func chosen(item string, mask bool, gpus int) []int {
	if !mask {
		if n, err := strconv.ParseUint(item, 0, 31); err == nil && int(n) < gpus {
			return []int{int(n)}
		}
		return nil
	}
	bits, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(item), "0x"), 16, 64)
	if err != nil {
		return nil
	}
	var see []int
	for k := range min(gpus, 64) {
		if bits&(1<<k) != 0 {
			see = append(see, k)
		}
	}
	return see
}

// BindWords is what is said of how one task was bound, in Slurm's words: what went
// wrong, and with verbose which GPUs it sees. global are the numbers on the node of
// the step's GPUs, and local those the task knows them by.
func BindWords(spec string, task int, b Bound, global, local []int) []string {
	var out []string
	if b.Why != "" {
		out = append(out, "slurmstepd: error: "+b.Why, fmt.Sprintf("slurmstepd: error: Bind request gpu:%s does not specify any devices within the allocation for task %d."+
			" Binding to the first device in the allocation instead.", spec, task))
	}
	if strings.HasPrefix(spec, "verbose,") {
		var usable, alloc uint64
		var there, here []string
		for _, x := range global {
			alloc |= 1 << (x & 63)
		}
		for _, k := range b.See {
			usable |= 1 << (global[k] & 63)
			there, here = append(there, strconv.Itoa(global[k])), append(here, strconv.Itoa(local[k]))
		}
		out = append(out, fmt.Sprintf("gpu-bind: usable_gres=0x%X; bit_alloc=0x%X; local_inx=0; global_list=%s; local_list=%s",
			usable, alloc, strings.Join(there, ","), strings.Join(here, ",")))
	}
	return out
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
