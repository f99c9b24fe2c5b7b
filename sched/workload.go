package sched

import (
	"slices"
	"strconv"

	"github.com/runink/rink/slurm"
)

// SimJobs returns the jobs of a log that can be replayed on so many processors, in
// order of submission (jobs of one second as in the file), and where in the log
// each is. A job can be replayed when it ran, asked for some processors and no
// more than there are, and was not submitted before the log begins. It asks for
// the processors and the time that it asked for in the log; where that says
// neither, for what it got. The user of a job whose log does not know him has no
// name: he is not taken for the same as all others.
func SimJobs(log *slurm.SWFLog, procs int) (jobs []SimJob, at []int) {
	for i := range log.Jobs {
		if w := &log.Jobs[i]; w.Run > 0 && w.Submit >= 0 && askedProcs(w) > 0 && askedProcs(w) <= int64(procs) {
			at = append(at, i)
		}
	}
	slices.SortStableFunc(at, func(a, b int) int { return int(max(min(log.Jobs[a].Submit-log.Jobs[b].Submit, 1), -1)) })
	jobs = make([]SimJob, len(at))
	for k, i := range at {
		w := &log.Jobs[i]
		j := SimJob{Submit: w.Submit, Run: w.Run, Limit: w.ReqTime, Procs: int(askedProcs(w)), UID: unknownUID}
		if w.User >= 0 {
			j.User, j.UID = "user"+strconv.FormatInt(w.User, 10), uint32(firstUID+w.User%(unknownUID-firstUID))
		}
		if j.Limit <= 0 {
			j.Limit = j.Run
		}
		if w.ReqMemory > 0 {
			j.MemPerCPU = slurm.MB((w.ReqMemory + 1023) / 1024)
		}
		jobs[k] = j
	}
	return jobs, at
}

// The users of a log have numbers, none of which is root's.
const (
	firstUID   = 100_000
	unknownUID = 1<<32 - 2
)

func askedProcs(w *slurm.SWFJob) int64 {
	if w.ReqProcs > 0 {
		return w.ReqProcs
	}
	return w.Procs
}
