package noded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runink/rink/api/rinkpb"
)

// TestProcessThatCannotBeKilled has jobs whose processes SIGKILL does not end: they
// are frozen from above, which on this version of cgroups keeps them.
func TestProcessThatCannotBeKilled(t *testing.T) {
	const freezer = "/sys/fs/cgroup/freezer"
	if _, err := os.Stat(freezer); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and the freezer of cgroup v1: with v2 what is frozen can be killed")
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
	r.conf.Conf.UnkillableStepTimeout = 1
	r.conf.Conf.UnkillableStepProgram = filepath.Join(dir, "tell")
	if err := os.WriteFile(r.conf.Conf.UnkillableStepProgram, []byte("#!/bin/sh\necho $SLURM_JOB_ID $SLURM_STEP_ID $SLURMD_NODENAME >>"+dir+"/told\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	isTrouble := func(m *rinkpb.Report) bool { return m.GetTrouble() != nil }
	freeze := func(job, state string) {
		path := filepath.Join(freezer, r.groupParent(), job, "freezer.state")
		if err := os.WriteFile(path, []byte(state), 0); err != nil && state == "FROZEN" {
			t.Fatal(err)
		}
	}
	defer freeze("job_51.0", "THAWED")
	defer freeze("job_52.0", "THAWED")

	// A step that is ended, of a job that goes on.
	order := step(t, 51, 0, dir, "touch began; sleep 60")
	order.Here.Cgroup = "yes"
	r.launchStep(r.work, order)
	heard := r.listen(t, 51, 0)
	eventually(t, "the step runs", func() bool { _, err := os.Stat(filepath.Join(dir, "began")); return err == nil })
	freeze("job_51.0", "FROZEN")
	r.endHere(&rinkpb.EndJobHere{Job: 51, HasStep: true, Step: 0, Now: true})
	eventually(t, "the step is given up", func() bool { return len(r.kept(isStepDone)) == 1 })
	if d := r.kept(isStepDone)[0].GetStepDone(); len(d.Tasks) != 1 || d.Tasks[0].Exit.Signal != 9 || !strings.Contains(d.Error, "could not be killed") {
		t.Errorf("the step's end is %v", d)
	}
	if m := r.kept(isTrouble); len(m) != 1 || m[0].GetTrouble().Reason != "Kill task failed" {
		t.Errorf("the leader is told %v", m)
	}
	var said string
	for _, m := range <-heard {
		said += strings.Join(m.Messages, "\n")
	}
	if !strings.Contains(said, "*** STEP 51.0 STEPD TERMINATED ON n1 AT ") || !strings.Contains(said, " DUE TO JOB NOT ENDING WITH SIGNALS ***") {
		t.Errorf("srun is told %q", said)
	}
	// When it goes after all it is not told twice.
	freeze("job_51.0", "THAWED")
	eventually(t, "the launcher forgot it", func() bool { l, err := r.box.List(t.Context()); return err == nil && len(l) == 0 })

	// A job whose script has ended, and what it started cannot.
	script := batch(t, 52, dir, "sleep 60 & echo $! >pid; until [ -e go ]; do sleep 0.01; done; exit 3")
	script.Here.Cgroup = "yes"
	r.launchJob(r.work, script)
	eventually(t, "the job runs", func() bool { text, err := os.ReadFile(filepath.Join(dir, "pid")); return err == nil && len(text) > 0 })
	pid, _ := os.ReadFile(filepath.Join(dir, "pid"))
	stuck := filepath.Join(freezer, r.groupParent(), "stuck")
	if err := os.Mkdir(stuck, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(stuck)
	if err := os.WriteFile(filepath.Join(stuck, "cgroup.procs"), pid, 0); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stuck, "freezer.state"), []byte("FROZEN"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(filepath.Join(stuck, "freezer.state"), []byte("THAWED"), 0)
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node is free of the job", func() bool { return len(r.kept(isNodeDone)) == 1 })
	if d := r.kept(isNodeDone)[0].GetNodeDone(); !d.Batch || d.Exit.Code != 3 {
		t.Errorf("the job's end is %v, want exit 3", d)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "told"))
	if string(text) != "51 0 n1\n52 batch n1\n" {
		t.Errorf("the program was told %q", text)
	}
	if err := os.WriteFile(filepath.Join(stuck, "freezer.state"), []byte("THAWED"), 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the launcher forgot that too", func() bool { l, err := r.box.List(t.Context()); return err == nil && len(l) == 0 })
	if n := len(r.kept(isBatchDone)); n != 1 {
		t.Errorf("the script's end is reported %d times", n)
	}
}
