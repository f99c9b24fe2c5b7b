package sched

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/gpu"
	"github.com/runink/rink/slurm"
)

// WithFound completes the generic resources a node is configured with by the
// devices that its agent found, where gres.conf names none and does not forbid it
// (AutoDetect=off). A configured type is any that is part of a found one; a device
// goes to the first entry it fits. Entries for which too few were found stay as
// they are. What is sick stays so, by its device file.
//
// An entry of found has devices of one type near the same cores, and the rows of its
// Links are by number, so that they tell of the devices of other entries too.
func (n *Node) WithFound(found []NodeGres) []NodeGres {
	out := slices.Clone(n.Gres)
	if n.AutoDetect == "off" {
		return out
	}
	sick := SickFiles(out)
	type device struct {
		number, near           int
		name, typ, file, cores string
		links                  []int
		taken                  bool
	}
	var all []device
	for i := range found {
		f := &found[i]
		for k, file := range f.Files {
			d := device{number: f.Number(k), near: i, name: f.Name, typ: f.Type, file: file, cores: f.Cores}
			if k < len(f.Links) {
				d.links = f.Links[k]
			}
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b device) int { return a.number - b.number })
	for i := range out {
		g := &out[i]
		if g.Found {
			g.Found, g.Files, g.Numbers, g.Near, g.Links, g.Cores = false, nil, nil, nil, nil, ""
		}
		if len(g.Files) > 0 || g.Count == 0 || isSharedGres(g.Name) {
			continue
		}
		var at []int
		for k := range all {
			if d := &all[k]; !d.taken && d.name == g.Name && gpu.IsType(g.Type, d.typ) && int64(len(at)) < g.Count {
				at = append(at, k)
			}
		}
		if int64(len(at)) < g.Count {
			continue
		}
		g.Found = true
		cores, linked, differs := all[at[0]].cores, false, false
		for _, k := range at {
			d := &all[k]
			d.taken = true
			g.Files, g.Numbers, g.Near = append(g.Files, d.file), append(g.Numbers, d.number), append(g.Near, d.near)
			row := make([]int, len(at))
			for x, other := range at {
				if to := all[other].number; to < len(d.links) && other != k {
					row[x] = max(d.links[to], 0)
				}
				linked = linked || row[x] > 0
			}
			g.Links = append(g.Links, row)
			differs = differs || d.near != g.Near[0]
			if d.cores != cores {
				cores = ""
			}
		}
		if !linked {
			g.Links = nil
		}
		if !differs {
			g.Near = nil
		}
		if g.Cores == "" {
			g.Cores = cores
		}
		g.number()
	}
	return WithSick(out, sick)
}

// number drops numbers that say no more than the places do.
func (g *NodeGres) number() {
	for i, x := range g.Numbers {
		if i != x {
			return
		}
	}
	g.Numbers = nil
}

// DeviceShortage says, in Slurm's words, of which generic resource a node has fewer
// than configured: of GPUs those that gres.conf names, or that were found where they
// are to be detected; "" when of none.
func (n *Node) DeviceShortage(found []NodeGres) string {
	type sum struct{ have, want int64 }
	sums, order := map[string]sum{}, []string(nil)
	for _, g := range n.WithFound(found) {
		have := g.Count - g.Lacks
		switch detect := n.AutoDetect != "" && n.AutoDetect != "off" && g.Name == "gpu"; {
		case detect && g.Found:
			have = g.Count // gres.conf need not name what is detected
		case detect && len(g.Files) == 0:
			have = 0
			for i := range found {
				if found[i].Name == g.Name && gpu.IsType(g.Type, found[i].Type) {
					have += found[i].Count
				}
			}
		}
		s, ok := sums[g.Name]
		if !ok {
			order = append(order, g.Name)
		}
		sums[g.Name] = sum{s.have + min(have, g.Count), s.want + g.Count}
	}
	for _, name := range order {
		if s := sums[name]; s.have < s.want {
			return fmt.Sprintf("gres/%s count reported lower than configured (%d < %d)", name, s.have, s.want)
		}
	}
	return ""
}

// SickFile tells of a device that is not to be used, by a file that opens it.
type SickFile struct {
	File, Why string
	Missing   bool // there is no such file
}

// WithSick returns a node's generic resources with these devices, and no others,
// out of service. One whose file is not among the node's is passed over.
func WithSick(gres []NodeGres, sick []SickFile) []NodeGres {
	out := slices.Clone(gres)
	for i := range out {
		g := &out[i]
		g.Sick = nil
		for k, files := range g.Files[:g.plain()] {
			for _, s := range sick {
				if slices.Contains(strings.Split(files, ","), s.File) {
					g.Sick = append(g.Sick, SickDevice{Number: g.Number(k), Why: s.Why})
					break
				}
			}
		}
	}
	return out
}

// well is n with every device in service: what it is asked whether a job could ever
// run there.
func (n *Node) well() *Node {
	if !slices.ContainsFunc(n.Gres, func(g NodeGres) bool { return g.Sick != nil }) {
		return n
	}
	c := *n
	c.Gres = WithSick(n.Gres, nil)
	return &c
}

// SickFiles is WithSick undone.
func SickFiles(gres []NodeGres) []SickFile {
	var out []SickFile
	for i := range gres {
		g := &gres[i]
		for _, s := range g.Sick {
			if k := g.Place(s.Number); k >= 0 && k < g.plain() && !s.Cut {
				file, _, _ := strings.Cut(g.Files[k], ",")
				out = append(out, SickFile{File: file, Why: s.Why})
			}
		}
	}
	return out
}

// sickDrain begins the reason of a node that was drained for its devices, and ends
// up in service again when they are.
const sickDrain = "gres/"

// SickReason says why a node with these devices should be drained, "" when it need
// not be: a device file that is missing, in Slurm's words, or fewer devices of a name
// in service than the least percentage.
func SickReason(gres []NodeGres, sick []SickFile, least int) string {
	total, well := map[string]int64{}, map[string]int64{}
	var names []string
	for i := range gres {
		g := &gres[i]
		if len(g.Files) == 0 || isSharedGres(g.Name) {
			continue
		}
		if total[g.Name] == 0 {
			names = append(names, g.Name)
		}
		total[g.Name] += g.Count
		well[g.Name] += g.Count
		for _, s := range g.Sick {
			if !s.Cut {
				well[g.Name]--
			}
		}
	}
	missing := slices.ContainsFunc(sick, func(s SickFile) bool { return s.Missing })
	for _, name := range names {
		switch {
		case well[name] == total[name]:
		case missing:
			return fmt.Sprintf("%s%s count reported lower than configured (%d < %d)", sickDrain, name, well[name], total[name])
		case well[name]*100 < total[name]*int64(least):
			return fmt.Sprintf("%s%s: %d of %d in service, %d%% wanted", sickDrain, name, well[name], total[name], least)
		}
	}
	return ""
}

// DrainedForDevices reports whether a reason is one SickReason gave.
func DrainedForDevices(reason string) bool {
	return strings.HasPrefix(reason, sickDrain) && (strings.Contains(reason, " count reported lower than configured (") || strings.HasSuffix(reason, "% wanted"))
}

// DeviceFiles returns the device files of what a job was given on n, separated by
// commas where one device has several, in the order of g.Index; and, for parts of
// GPUs, how many there are on each.
func (n *Node) DeviceFiles(g GresAlloc) (files []string, parts int64) {
	at := slices.IndexFunc(n.Gres, func(have NodeGres) bool { return have.Name == g.Name && have.Type == g.Type })
	if at < 0 {
		return nil, 0
	}
	caps := n.ShareCaps(&n.Gres[at])
	for _, x := range g.Index {
		for i := range n.Gres {
			have := &n.Gres[i]
			if i != at && caps == nil || caps != nil && have.Name != "gpu" {
				continue
			}
			if k := have.Place(x); k >= 0 && k < len(have.Files) {
				files = append(files, have.Files[k])
			}
		}
		parts = caps[x]
	}
	return files, parts
}

// SickGres writes which devices of a node are out of service, as GresDrain= of
// scontrol show node has it: gpu:a100:1(IDX:3); "" when none is.
func SickGres(n *Node) string {
	var list []string
	for i := range n.Gres {
		g := &n.Gres[i]
		if len(g.Sick) == 0 {
			continue
		}
		var index []uint32
		for _, s := range g.Sick {
			index = append(index, uint32(s.Number))
		}
		list = append(list, slurm.NodeGres{
			GresItem: slurm.GresItem{Name: g.Name, Type: g.Type, Count: int64(len(index))}, Indexed: true, Index: slurm.NewIndexSet(index...),
		}.String())
	}
	return strings.Join(list, ",")
}

// GPUBind is how a step binds its tasks to GPUs: as it says, or as the numbers of
// GPUs a task (--gpus-per-task, --tres-per-task) or tasks a GPU say; "" when every task sees them all.
func GPUBind(o *slurm.JobOptions) string {
	_, each, _ := slurm.ParseTRESPerTask(o.TRESPerTask)
	switch n := o.GPUsPerTask.Total("gpu") + each.Total("gpu"); {
	case o.GPUBind != "":
		return o.GPUBind
	case o.TRESBind != "":
		for _, item := range strings.Split(o.TRESBind, "+") {
			if how, ok := strings.CutPrefix(item, "gres/gpu:"); ok {
				return strings.ToLower(how)
			}
		}
	case n > 0:
		return fmt.Sprintf("per_task:%d", n)
	case o.NTasksPerGPU > 0:
		return fmt.Sprintf("single:%d", o.NTasksPerGPU)
	}
	return ""
}

// promisedGres counts by shelf what is to be kept of a node's generic resources for a
// request from one moment until another, list being what it is to be given: on
// shelves that have it then. A node that a request for the whole job takes none of is
// kept one, since it must have one free to be chosen.
func (r *room) promisedGres(a *ask, list []GresAlloc, from, to instant) []int64 {
	counts := r.gresCounts(list)
	if len(r.gres) == 0 || counts == nil && len(a.perJob) == 0 {
		return counts
	}
	var s spare
	r.line.least(from, to, &s)
	if r.shares {
		return counts // parts go by the GPUs they lie on
	}
	for i := range counts {
		for k := range r.gres {
			if more := min(counts[i]-s.gres[i], s.gres[k]-counts[k]); k != i && more > 0 && r.gres[k].name == r.gres[i].name {
				counts[i], counts[k] = counts[i]-more, counts[k]+more
			}
		}
	}
	some := int64(0)
	for _, g := range a.perJob {
		for i := range counts {
			if r.gres[i].name == g.Name && (g.Type == "" || g.Type == r.gres[i].typ) {
				some += counts[i]
			}
		}
	}
	if some > 0 || len(a.perJob) == 0 {
		return counts
	}
	if counts == nil {
		counts = make([]int64, len(r.gres))
	}
	for _, g := range a.perJob {
		for i := range counts {
			if r.gres[i].name == g.Name && (g.Type == "" || g.Type == r.gres[i].typ) && s.gres[i] > counts[i] {
				counts[i]++
				return counts
			}
		}
	}
	return counts
}
