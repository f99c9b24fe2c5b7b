package noded

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
)

// TestSessionsAreOfTheirJob has processes that no slice has made taken into a job, by one
// agent and by the next, and looks that both end with the job, and what they forked.
func TestSessionsAreOfTheirJob(t *testing.T) {
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
	order := batch(t, 61, dir, "touch began; sleep 60")
	order.Here.Cgroup = "yes"
	r.launchJob(r.work, order)
	eventually(t, "the job runs", func() bool { _, err := os.Stat(filepath.Join(dir, "began")); return err == nil })
	session := func() *exec.Cmd {
		cmd := exec.Command("/bin/sh", "-c", "until [ -e $0/go ]; do sleep 0.01; done; i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done; sleep 61 & touch $0/forked.$$; wait", dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		return cmd
	}
	adopt := func(cmd *exec.Cmd) {
		t.Helper()
		j := r.newestOf(order.Here.Uid)
		if j == nil {
			t.Fatal("there is no job")
		}
		if err := r.adoptInto(t.Context(), j, cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/cgroup"); err != nil || !strings.Contains(string(text), "/job_61.0/step_extern") {
			t.Errorf("%s, %v", text, err)
		}
	}
	if j := r.newestOf(order.Here.Uid + 1); j != nil {
		t.Errorf("another user is given job %d", j.key.job)
	}
	first, second := session(), session()
	adopt(first)
	r.stop()
	r = startAgent(t, dir)
	adopt(second)
	// The slice's own process is gone, and what was in it: the next session finds another.
	r.stop()
	r = startAgent(t, dir)
	j := r.newestOf(order.Here.Uid)
	if err := syscall.Kill(j.adopter.task, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{first, second} {
		cmd.Wait()
	}
	first, second = session(), session()
	adopt(first)
	adopt(second)
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both have forked", func() bool { l, _ := filepath.Glob(filepath.Join(dir, "forked.*")); return len(l) == 2 })
	r.endHere(&rinkpb.EndJobHere{Job: 61, Now: true})
	eventually(t, "the node is free of the job", func() bool { return len(r.kept(func(m *rinkpb.Report) bool { return m.GetNodeDone() != nil })) == 1 })
	for _, cmd := range []*exec.Cmd{first, second} {
		if cmd.Wait(); cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Errorf("a session ended with %v", cmd.ProcessState)
		}
		eventually(t, "nothing is left of what a session forked", func() bool { return syscall.Kill(-cmd.Process.Pid, 0) != nil })
	}
	// What they used is told with the end: of these, and of the two that were killed.
	if u := r.kept(isNodeDone)[0].GetNodeDone().GetExtern(); u.GetUserCpu()+u.GetSystemCpu() < int64(5*time.Millisecond) || u.GetTasks() != 1 || u.GetCpuMax() != nil {
		t.Errorf("sessions used %v", u)
	}
	l, err := r.box.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range l {
		if strings.HasSuffix(s.ID, adoptEnd) {
			t.Errorf("the launcher still knows %v", s)
		}
	}
}
