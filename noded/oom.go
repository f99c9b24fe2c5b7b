package noded

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slice"
)

// oomAtEnd reports whether a task's end is to be told as one for want of memory: kills are
// those of the kernel in its step until then. It was killed and there are some, or there
// are more than with the last that was told so.
func (a *Agent) oomAtEnd(ctx context.Context, r *running, kills uint64, killed bool) bool {
	if killed && kills == 0 {
		// The end of a task that is killed may come before the kernel has counted it.
		if u, err := a.launcher().Usage(ctx, r.id); err == nil {
			kills = u.OOMKills
		}
	}
	fresh := kills > r.oomTold
	r.oomTold = max(r.oomTold, kills)
	return fresh || killed && kills > 0
}

// sayOOM tells the owner of a slice that the kernel has killed in it for want of memory,
// where its errors go.
func (a *Agent) sayOOM(j *job, r *running, exit slice.Exit) {
	step := "batch"
	if r.step != nil {
		step = strconv.FormatUint(uint64(r.step.Step), 10)
	}
	text := fmt.Sprintf("slurmstepd: error: Detected %d oom-kill event(s) in StepId=%d.%s. Some of your processes may have been killed by the cgroup out-of-memory handler.",
		exit.OOMKills, j.key.job, step)
	a.sayTo(j, r, text)
}

// sayTo says something to the owner of a slice where its errors go: to the step's
// srun, or at the end of the script's file. A file system that hangs is not waited for.
func (a *Agent) sayTo(j *job, r *running, text string) {
	if r.io != nil {
		m := &rinkpb.StepDown{Messages: []string{text}}
		if len(r.step.Tasks) > 0 {
			m.MessagesRank = r.step.Tasks[0].Rank
		}
		r.io.queue(m)
		return
	}
	if r.note == "" {
		return
	}
	written := make(chan error, 1)
	go func() { written <- a.appendAs(j.here, r.note, text+"\n") }() // ends when the file system answers
	select {
	case err := <-written:
		if err != nil {
			a.log.Debug("cannot leave a word", "file", r.note, "error", err)
		}
	case <-time.After(time.Second):
		a.log.Warn("cannot leave a word: the file system does not answer", "file", r.note)
	}
}
