package noded

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
)

// sampleLimit is how long a look at a job's slices may take.
const sampleLimit = 3 * time.Second

// sample looks at what a job's slices use now, and answers the leader. An answer
// for which there is no room is left out: who asks does not wait for long.
func (a *Agent) sample(ask *rinkpb.Sample) {
	a.wg.Go(func() {
		ctx, cancel := context.WithTimeout(a.work, sampleLimit)
		defer cancel()
		answer := &rinkpb.Sampled{Ask: ask.Ask}
		states, err := a.launcher().List(ctx)
		if err != nil {
			a.log.Debug("cannot sample", "job", ask.Job, "error", err)
		}
		for _, st := range states {
			id, extern := strings.CutSuffix(st.ID, adoptEnd)
			if extern {
				id += ".batch"
			}
			k, step, batch, ok := parseSliceID(id)
			if !ok || k.job != ask.Job || !st.Live {
				continue
			}
			whole, err := a.launcher().Usage(ctx, st.ID)
			if err != nil {
				continue // it ended meanwhile
			}
			one := &rinkpb.SliceStat{Job: k.job, Restarts: k.restarts, Step: step}
			switch {
			case extern:
				one.Step = externStepID
			case batch:
				one.Step = batchStepID
			}
			var ranks []*rinkpb.TaskHere
			if j := a.find(k); j != nil {
				j.mu.Lock()
				if r := j.slices[st.ID]; r != nil && r.step != nil {
					ranks = r.step.Tasks
				}
				j.mu.Unlock()
			}
			u := &rinkpb.Usage{
				UserCpu: int64(whole.User), SystemCpu: int64(whole.System), TotalRss: int64(whole.MaxRSS), MaxVmSize: int64(whole.MaxVM),
				PagesMajor: int64(whole.PageFaults), ReadBytes: int64(whole.ReadBytes), WriteBytes: int64(whole.WriteBytes), Tasks: int32(len(st.PIDs)),
			}
			for i, pid := range st.PIDs {
				rank := int32(i)
				if i < len(ranks) {
					rank = ranks[i].Rank
				}
				t := processes(pid)
				one.Pids = append(one.Pids, t.pids...)
				if t.rss > u.MaxRss {
					u.MaxRss, u.MaxRssTask = t.rss, rank
				}
				of := func(n int64) *rinkpb.OfTask { return &rinkpb.OfTask{Amount: n, Task: rank} }
				least(&u.CpuMin, of(t.cpu))
				highest(&u.CpuMax, of(t.cpu))
				least(&u.RssMin, of(t.rss))
				least(&u.PagesMin, of(t.pages))
				highest(&u.PagesMax, of(t.pages))
				least(&u.ReadMin, of(t.read))
				highest(&u.ReadMax, of(t.read))
				least(&u.WriteMin, of(t.written))
				highest(&u.WriteMax, of(t.written))
			}
			if len(st.PIDs) <= 1 {
				u.MaxRss = max(u.MaxRss, int64(whole.MaxRSS))
			}
			if extern {
				noTasks(u)
			}
			a.meter.now(st.ID, u)
			one.Usage = u
			answer.Slices = append(answer.Slices, one)
		}
		select {
		case a.answers <- &rinkpb.Report{Report: &rinkpb.Report_Sampled{Sampled: answer}}:
		default:
		}
	})
}

// lookEvery is how often the slices are looked at: the highest memory and address
// space that processes have had is known from such looks alone.
const lookEvery = 5 * time.Second

// lookAtSlices has the launcher look at its live slices now and then, until ctx
// ends.
func (a *Agent) lookAtSlices(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if !a.hasJobs() {
			continue
		}
		states, err := a.launcher().List(ctx)
		if err != nil {
			continue // there is none, or it is being replaced
		}
		for _, st := range states {
			if st.Live {
				a.launcher().Usage(ctx, st.ID) // what it saw it remembers itself
			}
		}
	}
}

// hasJobs reports whether anything runs here.
func (a *Agent) hasJobs() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.jobs) > 0
}

// The step ids of a job's batch script, and of what came to it from outside.
const (
	batchStepID  = 0xfffffffb
	externStepID = 0xfffffffc
)

// tree is what a process and those that came of it use.
type tree struct {
	cpu, rss, pages, read, written int64
	pids                           []int32
}

// clockTicks is in what the kernel counts CPU time a second.
const clockTicks = 100

// processes looks at a process and its descendants. One that ends meanwhile is
// left out.
func processes(pid int) tree {
	var t tree
	if pid <= 0 {
		return t
	}
	page := int64(os.Getpagesize())
	for todo := []int{pid}; len(todo) > 0 && len(t.pids) < maxProcesses; todo = todo[1:] {
		dir := "/proc/" + strconv.Itoa(todo[0])
		text, err := os.ReadFile(dir + "/stat")
		if err != nil {
			continue
		}
		t.pids = append(t.pids, int32(todo[0]))
		_, rest, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(rest)
		field := func(i int) int64 { // as numbered in proc(5)
			if i-3 >= len(f) {
				return 0
			}
			n, _ := strconv.ParseInt(f[i-3], 10, 64)
			return n
		}
		// With those it has waited for.
		t.cpu += (field(14) + field(15) + field(16) + field(17)) * int64(time.Second) / clockTicks
		t.pages += field(12) + field(13)
		t.rss += field(24) * page
		if io, err := os.ReadFile(dir + "/io"); err == nil {
			for _, line := range strings.Split(string(io), "\n") {
				name, value, _ := strings.Cut(line, ": ")
				n, _ := strconv.ParseInt(value, 10, 64)
				switch name {
				case "read_bytes":
					t.read += n
				case "write_bytes":
					t.written += n
				}
			}
		}
		kids, _ := os.ReadFile(dir + "/task/" + strconv.Itoa(todo[0]) + "/children")
		for _, word := range strings.Fields(string(kids)) {
			if kid, err := strconv.Atoi(word); err == nil && !slices.Contains(todo, kid) {
				todo = append(todo, kid)
			}
		}
	}
	return t
}

// maxProcesses bounds the processes of one task that are looked at.
const maxProcesses = 4096
