package noded

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/runink/rink/api/rinkpb"
)

// hog has the kernel kill a process in a group of 32 MiB.
const hog = "sh -c 'x=0123456789abcdef; while :; do x=$x$x; done'"

// TestWhatRanOutOfMemoryIsTold has the kernel kill in a batch script that goes on, and
// in a step beside a script that is none the worse.
func TestWhatRanOutOfMemoryIsTold(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir := spoolDir(t)
	r := startAgent(t, dir)
	info, err := r.box.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.CgroupOff != "" {
		t.Skip("cgroups cannot be used: " + info.CgroupOff)
	}
	small := func(h *rinkpb.JobHere) { h.Cgroup, h.Mem = "yes", 32 }
	order := batch(t, 71, dir, hog+"; echo went on")
	order.Output = "out71"
	small(order.Here)
	r.launchJob(r.work, order)
	eventually(t, "the node is free of the first", func() bool { return len(r.kept(isNodeDone)) == 1 })
	if d, gone := r.kept(isBatchDone)[0].GetDone(), r.kept(isNodeDone)[0].GetNodeDone(); !d.Oom || !gone.Oom {
		t.Errorf("told %v, %v", d, gone)
	}
	text, err := os.ReadFile(filepath.Join(dir, "out71"))
	if out := string(text); err != nil || !strings.Contains(out, "went on\n") || !strings.Contains(out, "oom-kill event(s) in StepId=71.batch.") {
		t.Errorf("its output is %q, %v", out, err)
	}

	order = batch(t, 72, dir, "until [ -e over ]; do sleep 0.02; done")
	small(order.Here)
	one := step(t, 72, 0, dir, hog+"; echo went on")
	small(one.Here)
	r.launchJob(r.work, order)
	r.launchStep(r.work, one)
	got := <-r.listen(t, 72, 0)
	if !slices.ContainsFunc(got, func(m *rinkpb.StepDown) bool { return m.Exited != nil && m.Exited.Oom }) || !slices.ContainsFunc(got, func(m *rinkpb.StepDown) bool {
		return len(m.Messages) == 1 && strings.Contains(m.Messages[0], "in StepId=72.0.")
	}) {
		t.Errorf("srun is told %v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "over"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node is free of the second", func() bool { return len(r.kept(isNodeDone)) == 2 })
	if d, gone := r.kept(isBatchDone)[1].GetDone(), r.kept(isNodeDone)[1].GetNodeDone(); d.Oom || gone.Oom || !r.kept(isStepDone)[0].GetStepDone().Tasks[0].Oom {
		t.Errorf("told %v, %v", d, gone)
	}
}

// TestJobWhoseOutputWaitsCanBeEnded ends a job whose output is a FIFO that nobody
// reads, by the agent that has it started and by the next.
func TestJobWhoseOutputWaitsCanBeEnded(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	if err := syscall.Mkfifo(filepath.Join(dir, "out"), 0o600); err != nil {
		t.Fatal(err)
	}
	for id := range uint32(2) {
		r.launchJob(r.work, batch(t, 80+id, dir, "touch began"))
		eventually(t, "it is being started", func() bool { l, err := r.box.List(t.Context()); return err == nil && len(l) == 1 })
		if id == 1 {
			r.stop()
			r = startAgent(t, dir)
		}
		r.endHere(&rinkpb.EndJobHere{Job: 80 + id, Now: true})
		eventually(t, "the node is free of it", func() bool { return len(r.kept(isNodeDone)) == int(id)+1 })
		eventually(t, "the launcher forgot it", func() bool { l, err := r.box.List(t.Context()); return err == nil && len(l) == 0 })
	}
	if _, err := os.Stat(filepath.Join(dir, "began")); err == nil {
		t.Error("it has run")
	}
}
