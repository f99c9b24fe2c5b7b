package noded

import (
	"fmt"
	"slices"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/gpu"
)

// The clocks of the GPUs a step has for itself are set as --gpu-freq says before it
// starts, and put back when it has ended. What was set is written down first, so that
// an agent that comes anew puts back what a step that is gone by then had.

// disabled is what Slurm says of clocks that cannot be set.
const disabled = "control_disabled"

// setClocks sets the clocks for a step and returns what is to be told of it, in
// Slurm's words: that they could not be set, or with verbose what they are.
func (g *gear) setClocks(slice string, order *rinkpb.LaunchStep) string {
	if order.GpuFreq == "" {
		return ""
	}
	clocks, err := gpu.ParseClocks(order.GpuFreq)
	if err != nil {
		g.log.Error("cannot set the clocks of GPUs", "slice", slice, "error", err)
		return ""
	}
	all := g.ownGPUs(heldByStep(order))
	told := func(words string) string {
		if !clocks.Verbose && words != disabled || len(g.gpusOf(heldByStep(order))) == 0 {
			return ""
		}
		return "GpuFreq=" + words
	}
	if g.lib == nil || len(all) == 0 {
		return told(disabled)
	}
	g.reshaping.Lock()
	defer g.reshaping.Unlock()
	g.mu.Lock()
	for _, uuid := range all {
		g.changed.Clocks = append(g.changed.Clocks, &rinkpb.SetClocks{Uuid: uuid, Slice: slice, Freq: order.GpuFreq})
	}
	err = g.keepChanged()
	g.mu.Unlock()
	memory, graphics := 0, 0
	for _, uuid := range all {
		if err == nil {
			memory, graphics, err = g.lib.SetClocks(uuid, clocks)
		}
	}
	if err != nil {
		g.log.Error("cannot set the clocks of GPUs", "slice", slice, "error", err)
		g.putBack(func(c *rinkpb.SetClocks) bool { return c.Slice == slice })
		return told(disabled)
	}
	return told(fmt.Sprintf("memory_freq:%d,graphics_freq:%d", memory, graphics))
}

// ownGPUs lists the GPUs that were given whole.
func (g *gear) ownGPUs(list []held) []string {
	var out []string
	for _, a := range list {
		if a.name != "gpu" {
			continue
		}
		for _, files := range a.files {
			if u, ok := g.unit(files); ok && u.Visible == "" {
				out = append(out, g.gpus[u.GPU].UUID)
			}
		}
	}
	return out
}

// clearClocks puts back what was set for a slice.
func (g *gear) clearClocks(slice string) {
	g.mu.Lock()
	some := slices.ContainsFunc(g.changed.GetClocks(), func(c *rinkpb.SetClocks) bool { return c.Slice == slice })
	g.mu.Unlock()
	if !some {
		return
	}
	g.reshaping.Lock()
	defer g.reshaping.Unlock()
	g.putBack(func(c *rinkpb.SetClocks) bool { return c.Slice == slice })
}

// putBack undoes what was set for those that are over: a GPU that another slice still
// has set gets that one's clocks, any other the driver's. g.reshaping is held.
func (g *gear) putBack(over func(*rinkpb.SetClocks) bool) {
	g.mu.Lock()
	before := g.changed.GetClocks()
	left := slices.DeleteFunc(slices.Clone(before), over)
	g.mu.Unlock()
	var done []string
	failed := map[string]bool{}
	for _, c := range before {
		if !over(c) || slices.Contains(done, c.Uuid) {
			continue
		}
		done = append(done, c.Uuid)
		if err := g.resetTo(c.Uuid, left); err != nil {
			g.log.Error("cannot put back the clocks of a GPU", "uuid", c.Uuid, "error", err)
			failed[c.Uuid] = true // the next agent tries again
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changed.Clocks = slices.DeleteFunc(g.changed.Clocks, func(c *rinkpb.SetClocks) bool { return over(c) && !failed[c.Uuid] })
	if err := g.keepChanged(); err != nil {
		g.log.Error("cannot put back the clocks of GPUs", "error", err)
	}
}

func (g *gear) resetTo(uuid string, left []*rinkpb.SetClocks) error {
	for _, c := range slices.Backward(left) {
		if c.Uuid != uuid {
			continue
		}
		clocks, err := gpu.ParseClocks(c.Freq)
		if err == nil {
			_, _, err = g.lib.SetClocks(uuid, clocks)
		}
		return err
	}
	return g.lib.ResetClocks(uuid)
}

// sweepClocks puts back what slices had set that are not here any more.
func (a *Agent) sweepClocks() {
	if a.gear.lib == nil || len(a.gear.changed.GetClocks()) == 0 {
		return
	}
	a.gear.reshaping.Lock()
	defer a.gear.reshaping.Unlock()
	a.gear.putBack(func(c *rinkpb.SetClocks) bool {
		k, _, _, ok := parseSliceID(c.Slice)
		if j := a.find(k); ok && j != nil {
			j.mu.Lock()
			defer j.mu.Unlock()
			return j.slices[c.Slice] == nil
		}
		return true
	})
}
