package show

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// StepUse is what a step used as listings show it: means over its tasks, and the
// most and the least of one task with its place. What is known only of the whole
// step counts as one task's when it has one, and else is shared out evenly.
type StepUse struct {
	CPU, Read, Write, Pages, RSS, VM                         int64 // in all; CPU in nanoseconds
	AveCPU, AveRead, AveWrite, AvePages, AveRSS, AveVM       int64
	CPUMin, CPUMax, RSSMin, RSSMax, PagesMin, PagesMax       sched.OfTask
	ReadMin, ReadMax, WriteMin, WriteMax, VMMin, VMMax, Heat sched.OfTask
	Energy                                                   int64
	GPUMem, GPUUtil                                          int64 // GPUUtil: in percent of one, all of its GPUs together
	GPUMemMin, GPUMemMax, GPUUtilMin, GPUUtilMax             sched.OfTask
	GPUs                                                     bool // what its GPUs did is known
	AveGPUMem, AveGPUUtil                                    int64
}

// UseOf works out what a step used.
func UseOf(s *sched.Step) *StepUse {
	u := &s.Usage
	n := int64(max(1, s.Tasks))
	first := sched.OfTask{}
	if len(s.Nodes) > 0 {
		first.Node = s.Nodes[0].Node
	}
	out := &StepUse{
		CPU: int64(u.UserCPU + u.SystemCPU), Read: u.ReadBytes, Write: u.WriteBytes, Pages: u.PagesMajor, RSS: max(u.TotalRSS, u.MaxRSS), VM: u.MaxVMSize,
		Energy: u.Energy, GPUMem: u.GPUMem, Heat: first,
	}
	// What an agent that looked at GPUs in another way told has no span.
	out.GPUs = u.GPUSpan > 0
	if out.GPUs {
		out.GPUUtil = int64(math.Round(100 * float64(u.GPUTime) / float64(u.GPUSpan)))
	}
	out.AveCPU, out.AveRead, out.AveWrite = out.CPU/n, out.Read/n, out.Write/n
	out.AveGPUMem, out.AveGPUUtil = out.GPUMem/n, out.GPUUtil/n
	out.AvePages, out.AveRSS, out.AveVM = out.Pages/n, out.RSS/n, out.VM/n
	pick := func(told sched.OfTask, mean int64) sched.OfTask {
		if n > 1 && told.Node != "" {
			return told
		}
		one := first
		one.Amount = mean
		return one
	}
	out.CPUMin, out.CPUMax = pick(u.CPUMin, out.AveCPU), pick(u.CPUMax, out.AveCPU)
	out.PagesMin, out.PagesMax = pick(u.PagesMin, out.AvePages), pick(u.PagesMax, out.AvePages)
	out.ReadMin, out.ReadMax = pick(u.ReadMin, out.AveRead), pick(u.ReadMax, out.AveRead)
	out.WriteMin, out.WriteMax = pick(u.WriteMin, out.AveWrite), pick(u.WriteMax, out.AveWrite)
	out.VMMin, out.VMMax = pick(sched.OfTask{}, out.AveVM), pick(sched.OfTask{}, out.AveVM)
	out.GPUMemMin, out.GPUMemMax = pick(u.GPUMemMin, out.AveGPUMem), pick(u.GPUMemMax, out.AveGPUMem)
	out.GPUUtilMin, out.GPUUtilMax = pick(u.GPUUtilMin, out.AveGPUUtil), pick(u.GPUUtilMax, out.AveGPUUtil)
	if n == 1 { // what one task used at most is more than its mean
		out.GPUUtilMax.Amount = max(out.GPUUtilMax.Amount, u.GPUUtilMax.Amount)
	}
	out.RSSMin = pick(u.RSSMin, out.AveRSS)
	out.RSSMax = sched.OfTask{Amount: u.MaxRSS, Node: u.MaxRSSNode, Task: u.MaxRSSTask}
	if out.RSSMax.Node == "" {
		out.RSSMax.Node = first.Node
	}
	return out
}

// Bytes prints an amount of bytes in a unit, 0 for the one that fits.
func (v *View) Bytes(n int64, unit byte) string {
	switch {
	case v.NoConvert:
		return strconv.FormatInt(n, 10)
	case unit != 0:
		return slurm.FormatUnits(n, 0, unit, false)
	}
	return slurm.FormatUnits(n, 0, 0, true)
}

// TRESUsageName is a field with a list of what was used, and its width.
type TRESUsageName struct {
	Name  string
	Width int
}

// TRESUsageNames are those fields in the order of --helpformat.
func TRESUsageNames() []TRESUsageName {
	return []TRESUsageName{
		{"TRESUsageInAve", 14}, {"TRESUsageInMax", 14}, {"TRESUsageInMaxNode", 18}, {"TRESUsageInMaxTask", 18}, {"TRESUsageInMin", 14},
		{"TRESUsageInMinNode", 18}, {"TRESUsageInMinTask", 18}, {"TRESUsageInTot", 14}, {"TRESUsageOutAve", 15}, {"TRESUsageOutMax", 15},
		{"TRESUsageOutMaxNode", 19}, {"TRESUsageOutMaxTask", 19}, {"TRESUsageOutMin", 15}, {"TRESUsageOutMinNode", 19},
		{"TRESUsageOutMinTask", 19}, {"TRESUsageOutTot", 15},
	}
}

// TRESUsage prints one of those fields: kind=amount, or the node or the task of
// it. Energy is nobody's task.
func (u *StepUse) TRESUsage(field string, size func(int64) string) string {
	name, out := strings.CutPrefix(strings.ToLower(field), "tresusageout")
	if !out {
		name = strings.TrimPrefix(name, "tresusagein")
	}
	what, of := name, ""
	for _, suffix := range []string{"node", "task"} {
		if rest, ok := strings.CutSuffix(name, suffix); ok {
			what, of = rest, suffix
		}
	}
	type part struct {
		kind           string
		ave, all       int64
		least, highest sched.OfTask
		text           func(int64) string
	}
	plain := func(n int64) string { return strconv.FormatInt(n, 10) }
	energy := part{"energy", u.Energy, u.Energy, u.Heat, u.Heat, plain}
	energy.least.Amount, energy.highest.Amount = u.Energy, u.Energy
	parts := []part{
		{"cpu", u.AveCPU, u.CPU, u.CPUMin, u.CPUMax, func(n int64) string { return Seconds(time.Duration(n)).String() }}, energy,
		{"fs/disk", u.AveRead, u.Read, u.ReadMin, u.ReadMax, plain}, {"mem", u.AveRSS, u.RSS, u.RSSMin, u.RSSMax, size},
		{"pages", u.AvePages, u.Pages, u.PagesMin, u.PagesMax, plain}, {"vmem", u.AveVM, u.VM, u.VMMin, u.VMMax, size},
	}
	if u.GPUs {
		parts = append(parts[:3:3], append([]part{
			{"gres/gpumem", u.AveGPUMem, u.GPUMem, u.GPUMemMin, u.GPUMemMax, size}, {"gres/gpuutil", u.AveGPUUtil, u.GPUUtil, u.GPUUtilMin, u.GPUUtilMax, plain},
		}, parts[3:]...)...)
	}
	if out {
		parts = []part{energy, {"fs/disk", u.AveWrite, u.Write, u.WriteMin, u.WriteMax, plain}}
	}
	var words []string
	for _, p := range parts {
		one := p.highest
		if what == "min" {
			one = p.least
		}
		text := p.text(one.Amount)
		switch {
		case what == "ave":
			text = p.text(p.ave)
		case what == "tot":
			text = p.text(p.all)
		case of == "node":
			text = string(one.Node)
		case of == "task":
			if p.kind == "energy" {
				continue
			}
			text = strconv.Itoa(one.Task)
		}
		words = append(words, fmt.Sprintf("%s=%s", p.kind, text))
	}
	return strings.Join(words, ",")
}
