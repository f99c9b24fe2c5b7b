package cmds_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNodeCutOff holds what becomes of a node's jobs while nobody hears of it: a
// short silence is nothing; after SlurmdTimeout they begin again elsewhere, as
// another incarnation, and the node, once it is back, is told to end what it has.
func TestNodeCutOff(t *testing.T) {
	r := newRig(t, rigOptions{controllers: 3, agents: 2, cpus: 8, more: "SlurmdTimeout=6\nAuthInfo=cred_expire=1", spaces: os.Geteuid() == 0})
	alive := filepath.Join(r.dir, "alive")
	script := filepath.Join(r.dir, "job.sh")
	text := "#!/bin/sh\nwhile :; do echo ${SLURM_RESTART_COUNT:-0} $SLURMD_NODENAME >>" + alive + "; sleep 0.2; done\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	id, err := r.sbatch("-o", "/dev/null", "-w", "n1", "-t", "10", script)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(what string) int {
		text, _ := os.ReadFile(alive)
		return strings.Count(string(text), what+"\n")
	}
	state := func() string { out, _ := r.do("squeue", "-h", "-j", id, "-o", "%T %N %r"); return out }
	r.until(20*time.Second, "the job runs", func() bool { return lines("0 n1") > 0 })

	cut, mend := func() { r.cutOff("n1", true, true, r.cut) }, func() { r.cutOff("n1", true, true, r.mend) }
	if !r.spaces {
		cut, mend = func() { r.signal("n1", syscall.SIGSTOP) }, func() { r.signal("n1", syscall.SIGCONT) }
	}
	cut()
	time.Sleep(2 * time.Second)
	mend()
	time.Sleep(2 * time.Second)
	if got := state(); !strings.HasPrefix(got, "RUNNING n1") {
		t.Errorf("after a short silence the job is %q", got)
	}

	cut()
	r.until(30*time.Second, "the job is taken from the silent node", func() bool { return !strings.HasPrefix(state(), "RUNNING n1") })
	if out, err := r.do("sinfo", "-h", "-n", "n1", "-o", "%T %E"); err != nil || !strings.HasPrefix(out, "down") {
		t.Errorf("the silent node is %q (%v)", out, err)
	}
	before := lines("0 n1")
	time.Sleep(time.Second)
	if lines("0 n1") == before {
		t.Error("the silent node does not keep its job")
	}
	// It asked for that node alone; now any will do.
	if out, err := r.do("scontrol", "update", "jobid="+id, "reqnodelist="); err != nil {
		t.Fatalf("%s %v", out, err)
	}
	r.until(30*time.Second, "the job runs elsewhere", func() bool { return lines("1 n2") > 0 })
	mend()
	r.until(30*time.Second, "the node is back", func() bool { out, _ := r.do("sinfo", "-h", "-n", "n1", "-o", "%T"); return out == "idle" })
	r.until(20*time.Second, "what the node had is ended", func() bool {
		n := lines("0 n1")
		time.Sleep(time.Second)
		return lines("0 n1") == n
	})
	if got := state(); !strings.HasPrefix(got, "RUNNING n2") || lines("1 n1") > 0 {
		t.Errorf("the job is %q, and ran %d times on the first node again", got, lines("1 n1"))
	}
}
