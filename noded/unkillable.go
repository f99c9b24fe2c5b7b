package noded

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slice"
)

// A process that waits in the kernel for what does not answer, a file system or a
// device, is not ended by SIGKILL. Who has such processes is given up after a time:
// the job ends, the node is drained, and whoever looks after it is told.

const (
	// unkillableTime is UnkillableStepTimeout where the configuration has none.
	unkillableTime = 60 * time.Second
	// killFailed is Slurm's reason for a node that is drained for it.
	killFailed = "Kill task failed"
)

// expectEnd has a slice of which everything was killed, or has ended, be given up
// unless it ends in time. It is told so once.
func (a *Agent) expectEnd(id string) {
	k, _, _, ok := parseSliceID(id)
	if !ok {
		return
	}
	j := a.find(k)
	if j == nil {
		return
	}
	limit := seconds(a.liveConf().UnkillableStepTimeout)
	if limit <= 0 {
		limit = unkillableTime
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if r := j.slices[id]; r != nil && r.overdue == nil {
		r.overdue = time.AfterFunc(limit, func() { // stopped by the slice's end
			if !a.stopping() {
				a.giveUp(j, r, limit)
			}
		})
	}
}

// giveUp ends, in this agent's book, a slice whose processes cannot be killed.
func (a *Agent) giveUp(j *job, r *running, limit time.Duration) {
	j.mu.Lock()
	there := j.slices[r.id] == r
	exit := slice.Exit{ID: r.id, Ended: time.Now(), Killed: true, Note: fmt.Sprintf("processes could not be killed within %v", limit)}
	for i := range r.tasks() {
		exit.Tasks = append(exit.Tasks, r.ends[i]) // of one that has none: it was killed
	}
	j.mu.Unlock()
	if !there || a.work.Err() != nil {
		return
	}
	a.log.Error("processes cannot be killed", "slice", r.id, "after", limit, "processes", a.stuck(r.id))
	what, step := fmt.Sprintf("JOB %d", j.key.job), "batch"
	if r.step != nil {
		step = strconv.FormatUint(uint64(r.step.Step), 10)
		what = fmt.Sprintf("STEP %d.%s", j.key.job, step)
	}
	text := fmt.Sprintf("slurmstepd: error: *** %s STEPD TERMINATED ON %s AT %s DUE TO JOB NOT ENDING WITH SIGNALS ***",
		what, a.conf.Node, time.Now().Format("2006-01-02T15:04:05"))
	if r.io != nil {
		r.io.queue(&rinkpb.StepDown{Messages: []string{text}})
	} else {
		a.tellOwner(j, text+"\n")
	}
	a.report(&rinkpb.Report{Report: &rinkpb.Report_Trouble{Trouble: &rinkpb.NodeTrouble{Reason: killFailed}}})
	if program := a.liveConf().UnkillableStepProgram; program != "" {
		env := append(a.ownEnv(), fmt.Sprintf("SLURM_JOB_ID=%d", j.key.job), "SLURM_STEP_ID="+step)
		a.runHook(a.work, "UnkillableStepProgram", program, limit, env) // it has logged why it failed
	}
	if a.work.Err() == nil {
		a.sliceEnded(a.work, exit)
	}
}

// maxStuck bounds the processes that are named in the log.
const maxStuck = 16

// stuck says which processes of a slice are there, their state and what in the
// kernel they wait for, as far as that can be told.
func (a *Agent) stuck(id string) string {
	ctx, cancel := context.WithTimeout(a.work, 5*time.Second)
	defer cancel()
	states, err := a.launcher().List(ctx)
	if err != nil {
		return ""
	}
	var words []string
	for _, s := range states {
		if s.ID != id {
			continue
		}
		pids := []int32{int32(s.FirstPid)}
		if s.FirstPid > 0 {
			pids = append(pids, processes(s.FirstPid).pids...)
		}
		for i, pid := range pids {
			if pid <= 0 || i > 0 && pid == pids[0] || len(words) >= maxStuck {
				continue
			}
			dir := fmt.Sprintf("/proc/%d/", pid)
			stat, err := os.ReadFile(dir + "stat")
			if err != nil {
				continue
			}
			_, rest, _ := strings.Cut(string(stat), ") ")
			state, _, _ := strings.Cut(rest, " ")
			where, _ := os.ReadFile(dir + "wchan")
			words = append(words, fmt.Sprintf("%d %s %s", pid, state, where))
		}
	}
	return strings.Join(words, ", ")
}

// noteEnd keeps how a task ended; with the last the slice is expected to.
func (a *Agent) noteEnd(id string, end slice.TaskEnd) {
	k, _, _, ok := parseSliceID(id)
	if !ok {
		return
	}
	j := a.find(k)
	if j == nil {
		return
	}
	j.mu.Lock()
	r := j.slices[id]
	last := false
	if r != nil {
		if r.ends == nil {
			r.ends = map[int]slice.TaskExit{}
		}
		r.ends[end.Task] = end.Exit
		last = len(r.ends) >= r.tasks() && !(r.batch && j.going) // which has its time
	}
	j.mu.Unlock()
	if last {
		a.expectEnd(id)
	}
}

// tasks is how many a slice has here.
func (r *running) tasks() int {
	if r.step != nil {
		return len(r.step.Tasks)
	}
	return 1
}
