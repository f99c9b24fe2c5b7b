package noded

import (
	"cmp"
	"fmt"
	"math/big"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// bindNote is what a task says of how it is bound before it begins, with verbose in
// --cpu-bind or --mem-bind, in Slurm's words. The task puts its process id for %d.
func (a *Agent) bindNote(order *rinkpb.LaunchStep, t *rinkpb.TaskHere, cpus string, memory memoryBind, bound bool) string {
	if !bound {
		return "" // nothing binds
	}
	return bindWords(order, t, a.conf.Node, cmp.Or(a.fileHost(slurm.StepBatch), a.conf.Node), cpus, memory, a.confine.machine)
}

// bindWords is bindNote's text. The node's name is in the one line, the host's in the
// other, as it is with Slurm.
func bindWords(order *rinkpb.LaunchStep, t *rinkpb.TaskHere, node, host, cpus string, memory memoryBind, machine []cpuPlace) string {
	var b strings.Builder
	line := func(what, kind, where, mask, set string) {
		fmt.Fprintf(&b, "%s%s - %s, task %2d %2d [%%d]: mask %s%s\n", what, kind, strings.ReplaceAll(where, "%", ""), t.Rank+order.RankOffset, t.Local, mask, set)
	}
	if kind, verbose, _ := bindKind(order.CpuBind); verbose {
		word, set := "MASK", " set"
		switch {
		case kind == "none":
			word, set, cpus = "NONE", "", ""
		case cpus == "":
			word, set = "NULL", ""
		case kind == "map_cpu":
			word = "MAP "
		case kind == "rank":
			word = "RANK"
		}
		line("cpu-bind=", word, node, maskOf(cpus), set)
	}
	if kind, verbose, prefer := bindKind(order.MemBind); verbose {
		all := map[int]bool{}
		for _, p := range machine {
			if p.node >= 0 {
				all[p.node] = true
			}
		}
		nodes, set := memory.nodes, " set"
		if nodes == "" {
			set = ""
			var ids []int
			for n := range all {
				ids = append(ids, n)
			}
			nodes = cpuText(ids)
		}
		word, ok := map[string]string{"none": "NONE", "rank": "RANK", "local": "LOC", "map_mem": "MAP", "mask_mem": "MASK"}[kind]
		if !ok {
			word = "NULL"
		}
		what := "mem-bind="
		if prefer {
			what = "mem-bind PREFER "
		}
		line(what, word, host, maskOf(nodes), set)
	}
	return b.String()
}

// bindKind reads the words of --cpu-bind or --mem-bind: how is bound, and whether that
// is to be said, or only preferred.
func bindKind(words string) (kind string, verbose, prefer bool) {
	for word := range strings.SplitSeq(strings.ToLower(words), ",") {
		word, _, listed := strings.Cut(word, ":")
		switch word {
		case "verbose", "v":
			verbose = true
		case "quiet", "q":
			verbose = false
		case "prefer":
			prefer = true
		case "sort", "nosort":
		default:
			if kind = word; listed { // it goes on to the end
				return kind, verbose, prefer
			}
		}
	}
	return kind, verbose, prefer
}

// maskOf is a list of numbers as a mask.
func maskOf(list string) string {
	mask := new(big.Int)
	if set, err := slurm.ParseIndexSet(list, 1<<16); err == nil {
		for n := range set.All() {
			mask.SetBit(mask, int(n), 1)
		}
	}
	return fmt.Sprintf("%#x", mask)
}
