package noded

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/gpu/probe"
)

// A job with parts of a GPU may hold as much of its memory as it was given of its
// parts. Nothing in the hardware holds it to that, so it is watched: who is over the
// ceiling is told, and who is still over it at the next look is ended as out of
// memory.

// ceilingEvery is how often it is looked.
const ceilingEvery = 5 * time.Second

// ceiling is how much of the memory of one GPU a job may hold, in bytes.
type ceiling struct {
	gpu  int // the driver's number
	most int64
}

// ceilingsOf lists the ceilings of what a job was given.
func (g *gear) ceilingsOf(here *rinkpb.JobHere) []ceiling {
	var out []ceiling
	for i, a := range here.GetGres() {
		if i >= len(here.GresFiles) || here.GresFiles[i].PartsOf <= 0 {
			continue
		}
		for _, at := range g.indexes(heldOf(here.Gres[i:i+1], here.GresFiles[i:i+1])) {
			if at < len(g.gpus) {
				out = append(out, ceiling{gpu: at, most: g.gpus[at].Memory << 20 * a.Count / here.GresFiles[i].PartsOf})
			}
		}
	}
	return out
}

// watchCeilings looks until ctx ends.
func (a *Agent) watchCeilings(ctx context.Context) {
	if a.gear.lib == nil {
		return
	}
	ticker := time.NewTicker(ceilingEvery)
	defer ticker.Stop()
	warned := map[jobKey]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		warned = a.lookAtCeilings(warned, func() ([]probe.Process, error) { return a.gear.lib.Processes(0) })
	}
}

// lookAtCeilings warns the jobs that are over a ceiling for the first time, ends
// those warned at the last look, and returns who was warned or ended now.
func (a *Agent) lookAtCeilings(warned map[jobKey]bool, processes func() ([]probe.Process, error)) map[jobKey]bool {
	limits := map[jobKey][]ceiling{}
	for _, j := range a.live() {
		if list := a.gear.ceilingsOf(j.here); list != nil {
			limits[j.key] = list
		}
	}
	if len(limits) == 0 {
		return nil
	}
	procs, err := processes()
	if err != nil {
		a.log.Warn("cannot see who holds the memory of GPUs", "error", err)
		return warned
	}
	held := memoryByJob(procs)
	over := map[jobKey]bool{}
	for k, list := range limits {
		for _, c := range list {
			has := held[k][c.gpu]
			j := a.find(k)
			if has <= c.most || j == nil {
				continue
			}
			over[k] = true
			words := fmt.Sprintf("JOB %d ON %s HOLDS %d MiB OF THE MEMORY OF GPU %d, AND MAY HOLD %d MiB", k.job, a.conf.Node, has>>20, c.gpu, c.most>>20)
			if !warned[k] {
				a.log.Warn("a job is over its part of a GPU's memory", "job", k.job, "gpu", c.gpu, "MiB", has>>20, "limit", c.most>>20)
				a.tellOwner(j, "slurmstepd: error: *** "+words+" ***\n")
				break
			}
			a.log.Warn("a job stayed over its part of a GPU's memory and is ended", "job", k.job)
			j.mu.Lock()
			j.gpuOver = true
			j.mu.Unlock()
			a.endJob(j, time.Duration(j.here.KillWait)*time.Second, false, "DUE TO GPU MEMORY LIMIT")
			break
		}
	}
	return over
}

// live lists the jobs that are here.
func (a *Agent) live() []*job {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]*job, 0, len(a.jobs))
	for _, j := range a.jobs {
		list = append(list, j)
	}
	return list
}

// tellOwner appends a line to the error file of a job's batch script.
func (a *Agent) tellOwner(j *job, text string) {
	j.mu.Lock()
	note := ""
	for _, r := range j.slices {
		if r.batch {
			note = r.note
		}
	}
	j.mu.Unlock()
	if note == "" {
		return
	}
	a.wg.Go(func() { // ends when the file system answers
		if err := a.appendAs(j.here, note, text); err != nil {
			a.log.Debug("cannot leave a word", "file", note, "error", err)
		}
	})
}

var jobGroup = regexp.MustCompile(`/job_(\d+)\.(\d+)(?:/step_([a-z]+|\d+))?(?:/|\n)`)

// groupOfProcess tells by a process's cgroup which job it is of, and which step or
// "batch"; "" when it is of none.
func groupOfProcess(pid int) (k jobKey, step string, ok bool) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cgroup"))
	if err != nil {
		return jobKey{}, "", false
	}
	// A step has no group of its own in a hierarchy where nothing is limited for it.
	for _, m := range jobGroup.FindAllSubmatch(text, -1) {
		id, err1 := strconv.ParseUint(string(m[1]), 10, 32)
		restarts, err2 := strconv.ParseUint(string(m[2]), 10, 32)
		if err1 != nil || err2 != nil {
			return jobKey{}, "", false
		}
		k, ok = jobKey{uint32(id), uint32(restarts)}, true
		if step = string(m[3]); step != "" {
			break
		}
	}
	return k, step, ok
}
