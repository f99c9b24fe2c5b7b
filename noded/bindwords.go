package noded

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// bindNote is what a task says of how it is bound before it begins, with verbose in
// --cpu-bind or --mem-bind, in Slurm's words. The task puts its process id for %d.
func (a *Agent) bindNote(order *rinkpb.LaunchStep, t *rinkpb.TaskHere, tied *bound, cpus string, memory memoryBind) string {
	if tied == nil {
		return "" // nothing binds
	}
	return bindWords(order, t, tied, a.conf.Node, cmp.Or(a.fileHost(slurm.StepBatch), a.conf.Node), cpus, memory, a.confine.machine)
}

// batchNote is what a batch script says of it, with verbose in TaskPluginParam: it is
// bound to all that its job has here.
func (a *Agent) batchNote(cpus string) string {
	tied := &bound{mark: "MASK", loud: cpus != "" && a.confine.loud()}
	return bindWords(&rinkpb.LaunchStep{}, &rinkpb.TaskHere{}, tied, a.conf.Node, "", cpus, memoryBind{}, nil)
}

// loud reports whether how tasks are bound is said of those for which nobody said how.
func (c *confine) loud() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.param, func(word string) bool { return strings.EqualFold(word, "verbose") })
}

// bindWords is bindNote's text. The node's name is in the one line, the host's in the
// other, as it is with Slurm.
func bindWords(order *rinkpb.LaunchStep, t *rinkpb.TaskHere, tied *bound, node, host, cpus string, memory memoryBind, machine []cpuPlace) string {
	var b strings.Builder
	line := func(what, kind, where, mask, set string) {
		fmt.Fprintf(&b, "%s%s - %s, task %2d %2d [%%d]: mask %s%s\n", what, kind, strings.ReplaceAll(where, "%", ""), t.Rank+order.RankOffset, t.Local, mask, set)
	}
	if tied.loud {
		word, set := tied.mark, " set"
		if word == "" {
			word = "NULL"
		}
		if cpus == "" {
			set = ""
		}
		line("cpu-bind=", word, node, "0x"+maskOf(cpus).Text(16), set)
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
		line(what, word, host, "0x"+maskOf(nodes).Text(16), set)
	}
	return b.String()
}

// bindKind reads the words of --mem-bind: how is bound, and whether that
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
