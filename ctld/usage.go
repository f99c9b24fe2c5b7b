package ctld

import (
	"github.com/runink/rink/sched"
)

// onNode notes where what a node's agent tells of was used.
func onNode(u sched.Usage, node sched.NodeName) sched.Usage {
	if u.MaxRSSNode == "" {
		u.MaxRSSNode = node
	}
	for _, t := range extremes(&u) {
		if t.low.Node == "" {
			t.low.Node = node
		}
		if t.high != nil && t.high.Node == "" {
			t.high.Node = node
		}
	}
	return u
}

// extreme is the least and the most that a task used of something.
type extreme struct{ low, high *sched.OfTask }

func extremes(u *sched.Usage) []extreme {
	return []extreme{{&u.CPUMin, &u.CPUMax}, {&u.RSSMin, nil}, {&u.PagesMin, &u.PagesMax}, {&u.ReadMin, &u.ReadMax}, {&u.WriteMin, &u.WriteMax},
		{&u.GPUMemMin, &u.GPUMemMax}, {&u.GPUUtilMin, &u.GPUUtilMax}}
}

// addUsage puts together what a step used on two sets of nodes.
func addUsage(a, b sched.Usage) sched.Usage {
	if a.Tasks == 0 {
		return b
	}
	if b.Tasks == 0 {
		return a
	}
	a.UserCPU += b.UserCPU
	a.SystemCPU += b.SystemCPU
	if b.MaxRSS > a.MaxRSS {
		a.MaxRSS, a.MaxRSSNode, a.MaxRSSTask = b.MaxRSS, b.MaxRSSNode, b.MaxRSSTask
	}
	a.TotalRSS += b.TotalRSS
	a.MaxVMSize = max(a.MaxVMSize, b.MaxVMSize)
	a.PagesMajor += b.PagesMajor
	a.ReadBytes += b.ReadBytes
	a.WriteBytes += b.WriteBytes
	a.Tasks += b.Tasks
	a.Energy += b.Energy
	a.GPUTime += b.GPUTime
	a.GPUMem += b.GPUMem
	a.GPUSpan = max(a.GPUSpan, b.GPUSpan)
	ours, theirs := extremes(&a), extremes(&b)
	for i := range ours {
		if theirs[i].low.Amount < ours[i].low.Amount {
			*ours[i].low = *theirs[i].low
		}
		if ours[i].high != nil && theirs[i].high.Amount > ours[i].high.Amount {
			*ours[i].high = *theirs[i].high
		}
	}
	return a
}
