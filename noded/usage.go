package noded

import (
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slice"
)

// usageOf is what a slice that ended used. ranks are the tasks' numbers in their
// step; nil counts them from 0.
func usageOf(exit slice.Exit, ranks []*rinkpb.TaskHere) *rinkpb.Usage {
	u := exit.Usage
	out := &rinkpb.Usage{
		UserCpu: int64(u.User), SystemCpu: int64(u.System), MaxRss: int64(u.MaxRSS), TotalRss: int64(u.MaxRSS), MaxVmSize: int64(u.MaxVM),
		PagesMajor: int64(u.PageFaults), ReadBytes: int64(u.ReadBytes), WriteBytes: int64(u.WriteBytes), Tasks: int32(len(exit.Tasks)),
	}
	rank := func(i int) int32 {
		if i < len(ranks) {
			return ranks[i].Rank
		}
		return int32(i)
	}
	var sum, most uint64
	for i, t := range exit.Tasks {
		sum += t.MaxRSS
		if t.MaxRSS > most {
			most, out.MaxRssTask = t.MaxRSS, rank(i)
		}
		one := func(amount int64) *rinkpb.OfTask { return &rinkpb.OfTask{Amount: amount, Task: rank(i)} }
		least(&out.CpuMin, one(int64(t.User+t.System)))
		highest(&out.CpuMax, one(int64(t.User+t.System)))
		least(&out.RssMin, one(int64(t.MaxRSS)))
		least(&out.PagesMin, one(int64(t.PageFaults)))
		highest(&out.PagesMax, one(int64(t.PageFaults)))
		least(&out.ReadMin, one(int64(t.ReadBytes)))
		highest(&out.ReadMax, one(int64(t.ReadBytes)))
		least(&out.WriteMin, one(int64(t.WriteBytes)))
		highest(&out.WriteMax, one(int64(t.WriteBytes)))
	}
	switch {
	case most > 0 && len(exit.Tasks) > 1:
		out.MaxRss, out.TotalRss = int64(most), max(out.TotalRss, int64(sum))
	case most > 0:
		out.MaxRss = max(out.MaxRss, int64(most))
		out.TotalRss = out.MaxRss
	}
	return out
}

// least and highest keep the lower and the higher of two; of equals the first.
func least(kept **rinkpb.OfTask, t *rinkpb.OfTask) {
	if *kept == nil || t.Amount < (*kept).Amount {
		*kept = t
	}
}

func highest(kept **rinkpb.OfTask, t *rinkpb.OfTask) {
	if *kept == nil || t.Amount > (*kept).Amount {
		*kept = t
	}
}
