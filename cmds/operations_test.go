package cmds_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/api/rinkpb"
)

// What an operator of several controllers does and meets, with a process each.

// holdJobs submits jobs that start nothing, from several clients at once.
func (r *rig) holdJobs(key string, jobs int) {
	r.t.Helper()
	client, done := r.client(r.leader())
	defer done()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(jobs); n = next.Add(1) {
				reply, err := client.Submit(context.Background(), heldJob(fmt.Sprintf("%s/%d", key, n), 1))
				if err != nil || reply.Status.GetErrno() != 0 {
					r.t.Errorf("job %d: %v %v", n, err, reply.GetStatus())
				}
			}
		})
	}
	wg.Wait()
}

// follower is a controller that does not lead.
func (r *rig) follower() string {
	r.t.Helper()
	for _, c := range r.controllers() {
		if !c.Leader && c.Up {
			return c.Name
		}
	}
	r.t.Fatal("no controller follows")
	return ""
}

// end stops a process, by a signal that it heeds or does not, and waits for that.
func (r *rig) end(name string, sig syscall.Signal) {
	r.t.Helper()
	r.mu.Lock()
	r.procs[name].mayEnd = true
	r.mu.Unlock()
	p := r.signal(name, sig)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		r.t.Fatalf("%s does not end", name)
	}
}

// state is the directory of a controller.
func (r *rig) state(controller string) string { return filepath.Join(r.dir, "ctld."+controller) }

// same holds that all controllers keep the same as of one entry.
func (r *rig) same() {
	r.t.Helper()
	r.until(time.Minute, "all have applied the same", func() bool {
		first := uint64(0)
		for i, c := range r.controllers() {
			if i == 0 {
				first = c.Health.GetApplied()
			}
			if c.Health.GetApplied() != first {
				return false
			}
		}
		return first > 0
	})
	var out string
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if out, err = r.do("rink-barn", "compare", "--controller", r.leader()); err == nil && strings.Contains(out, "all keep the same") {
			return
		}
	}
	r.t.Fatalf("the controllers do not come to keep the same: %s (%v)", out, err)
}

func (r *rig) logged(name, text string) bool {
	log, _ := os.ReadFile(filepath.Join(r.dir, name+".log"))
	return strings.Contains(string(log), text)
}

// A controller that was away for longer than the others' logs reach back gets the
// state as a snapshot, over the network that they are reached by; one whose snapshot
// is damaged says so and does not start; emptied, it joins anew and is sent all.
func TestSnapshotBetweenProcesses(t *testing.T) {
	r := newRig(t, rigOptions{controllers: 3, agents: 1, cpus: 4, snapshots: 100, more: "SlurmctldDebug=debug"})
	away := r.follower()
	r.end(away, syscall.SIGKILL)
	r.holdJobs("away", 600)
	lead := r.leader()
	entries := func() int { // in the leader's log
		out, err := r.do("rink-barn", "verify", "--controller", lead)
		if err != nil {
			return -1
		}
		_, rest, _ := strings.Cut(out, "raft.db: ")
		n, _, _ := strings.Cut(rest, " ")
		count, err := strconv.Atoi(n)
		if err != nil {
			t.Fatalf("%q", out)
		}
		return count
	}
	r.until(30*time.Second, "the log is cut", func() bool {
		r.holdJobs(fmt.Sprint("more", time.Now().UnixNano()), 20)
		n := entries()
		return n >= 0 && n < 150
	})
	r.start(away)
	r.until(time.Minute, "it is sent a snapshot", func() bool { return r.logged(away, "Installed remote snapshot") })
	r.until(time.Minute, "all vote again", func() bool { return r.voters() == 3 })
	r.same()

	r.end(away, syscall.SIGKILL)
	snapshots, _ := filepath.Glob(filepath.Join(r.state(away), "barn", "snapshots", "*", "state.bin"))
	if len(snapshots) == 0 {
		t.Fatal("there is no snapshot")
	}
	slices.Sort(snapshots)
	for _, path := range snapshots {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text[len(text)/2] ^= 1
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.start(away)
	r.mu.Lock()
	p := r.procs[away]
	p.mayEnd = true
	r.mu.Unlock()
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		t.Fatalf("%s starts on a damaged snapshot", away)
	}
	if said, _ := os.ReadFile(filepath.Join(r.dir, away+".err")); !strings.Contains(string(said), "damaged") || !strings.Contains(string(said), "state.bin") {
		t.Errorf("of its damaged snapshot it says %q", said)
	}
	if err := os.RemoveAll(r.state(away)); err != nil {
		t.Fatal(err)
	}
	r.start(away)
	r.until(time.Minute, "all vote again", func() bool { return r.voters() == 3 })
	r.same()
}

// Two of three are lost for good: the third becomes a cluster of its own, with the
// jobs there are, and the two come back empty.
func TestRecoverAfterTheLossOfTwo(t *testing.T) {
	r := newRig(t, rigOptions{controllers: 3, agents: 1, cpus: 4})
	alive := filepath.Join(r.dir, "alive")
	runs, err := r.sbatch("-o", "/dev/null", "--wrap", "while :; do echo $SLURM_JOB_ID ${SLURM_RESTART_COUNT:-0} >>"+alive+"; sleep 0.2; done")
	if err != nil {
		t.Fatal(err)
	}
	waits, err := r.sbatch("-H", "-o", "/dev/null", "--wrap", "true")
	if err != nil {
		t.Fatal(err)
	}
	r.until(30*time.Second, "the job runs", func() bool { text, _ := os.ReadFile(alive); return len(text) > 0 })
	left := r.follower()
	for _, c := range []string{"c1", "c2", "c3"} {
		if c != left {
			r.end(c, syscall.SIGKILL)
		}
	}
	if out, err := r.do("rink-barn", "recover", "--name", left, "--i-may-lose-jobs"); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a running controller is recovered: %s %v", out, err)
	}
	r.end(left, syscall.SIGTERM)
	out, err := r.do("rink-barn", "recover", "--name", left, "--i-may-lose-jobs")
	if err != nil || !strings.Contains(out, "is a cluster of its own") {
		t.Fatalf("%s %v", out, err)
	}
	r.start(left)
	r.until(time.Minute, "it leads alone", func() bool { return r.leader() == left })
	if out, err := r.do("squeue", "-h", "-o", "%i %T"); err != nil || !strings.Contains(out, runs+" RUNNING") || !strings.Contains(out, waits+" PENDING") {
		t.Errorf("the queue is %q (%v)", out, err)
	}
	if _, err := r.do("scontrol", "release", waits); err != nil {
		t.Error(err)
	}
	r.until(30*time.Second, "the job that waited ends", func() bool {
		out, err := r.do("sacct", "-n", "-X", "-P", "-j", waits, "-o", "State")
		return err == nil && out == "COMPLETED"
	})
	for _, c := range []string{"c1", "c2", "c3"} {
		if c == left {
			continue
		}
		if err := os.RemoveAll(r.state(c)); err != nil {
			t.Fatal(err)
		}
		r.start(c)
		r.until(time.Minute, c+" votes", func() bool {
			return slices.ContainsFunc(r.controllers(), func(s *rinkpb.ControllerState) bool { return s.Name == c && s.Voter && s.Up })
		})
	}
	r.same()
	before, _ := os.ReadFile(alive)
	r.until(10*time.Second, "the job goes on", func() bool { now, _ := os.ReadFile(alive); return len(now) > len(before) })
	if strings.Contains(string(before), runs+" 1") {
		t.Error("the running job began again")
	}
}

// One word of an operator's ends every controller, as an ordinary end, and started
// again they go on.
func TestShutdownEndsAllControllers(t *testing.T) {
	r := newRig(t, rigOptions{controllers: 3, agents: 1, cpus: 4})
	id, err := r.sbatch("-H", "-o", "/dev/null", "--wrap", "true")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"c1", "c2", "c3"}
	r.mu.Lock()
	for _, c := range all {
		r.procs[c].mayEnd = true
	}
	r.mu.Unlock()
	if out, err := r.do("scontrol", "shutdown", "slurmctld"); err != nil {
		t.Fatalf("%s %v", out, err)
	}
	for _, c := range all {
		r.mu.Lock()
		p := r.procs[c]
		r.mu.Unlock()
		select {
		case <-p.done:
			if code := p.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("%s ended with %d", c, code)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s does not end", c)
		}
	}
	for _, c := range all {
		r.start(c)
	}
	if _, err := r.do("scontrol", "release", id); err != nil {
		t.Error(err)
	}
	r.until(time.Minute, "the job that waited ends", func() bool {
		out, err := r.do("sacct", "-n", "-X", "-P", "-j", id, "-o", "State")
		return err == nil && out == "COMPLETED"
	})
}

// Controllers are stopped and started again one at a time, as an upgrade does, while
// jobs run and are submitted: none fails, and no running job is touched.
func TestRollingRestart(t *testing.T) {
	r := newRig(t, rigOptions{controllers: 3, agents: 2, cpus: 16})
	var long []string
	for range 6 {
		id, err := r.sbatch("-o", "/dev/null", "--wrap", "while :; do sleep 0.2; done")
		if err != nil {
			t.Fatal(err)
		}
		long = append(long, id)
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var accepted, longest atomic.Int64
	for range 3 {
		wg.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				if _, err := r.sbatch("-o", "/dev/null", "--wrap", "true"); err != nil {
					t.Errorf("a submission failed: %v", err)
				} else {
					accepted.Add(1)
				}
				for took := int64(time.Since(began)); ; {
					if was := longest.Load(); took <= was || longest.CompareAndSwap(was, took) {
						break
					}
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	for _, c := range []string{"c1", "c2", "c3"} {
		time.Sleep(300 * time.Millisecond)
		r.end(c, syscall.SIGTERM)
		time.Sleep(200 * time.Millisecond)
		r.start(c)
		r.until(time.Minute, "all vote again", func() bool { return r.voters() == 3 })
	}
	stop()
	wg.Wait()
	t.Logf("%d submissions, the longest took %v", accepted.Load(), time.Duration(longest.Load()))
	for _, id := range long {
		if out, err := r.do("scontrol", "show", "job", id); err != nil || !strings.Contains(out, "JobState=RUNNING") || !strings.Contains(out, "Restarts=0") {
			t.Errorf("job %s: %v\n%s", id, err, out)
		}
	}
	if _, err := r.do("scancel", long...); err != nil {
		t.Error(err)
	}
	r.until(time.Minute, "the queue drains", func() bool { out, err := r.do("squeue", "-h"); return err == nil && out == "" })
	// Without -s, which without -E asks of this very second.
	out, err := r.do("sacct", "-X", "-n", "-P", "-a", "-S", "now-1days", "-o", "State")
	if n := strings.Count(out, "COMPLETED"); err != nil || int64(n) != accepted.Load() {
		t.Errorf("%d of %d jobs have completed (%v)", n, accepted.Load(), err)
	}
	r.same()
}

// Of five controllers any two may be lost at once, the leader among them.
func TestFiveControllers(t *testing.T) {
	r := newRig(t, rigOptions{controllers: 5, agents: 1, cpus: 4})
	lead, other := r.leader(), r.follower()
	r.signal(lead, syscall.SIGKILL)
	r.signal(other, syscall.SIGKILL)
	id, err := r.sbatch("-o", "/dev/null", "--wrap", "true")
	if err != nil {
		t.Fatal(err)
	}
	r.until(30*time.Second, "the job ends", func() bool {
		out, err := r.do("sacct", "-n", "-X", "-P", "-j", id, "-o", "State")
		return err == nil && out == "COMPLETED"
	})
	out, err := r.do("scontrol", "ping")
	if err != nil || strings.Count(out, " is UP") != 3 || strings.Count(out, " is DOWN") != 2 {
		t.Errorf("scontrol ping says %q (%v)", out, err)
	}
	r.start(lead)
	r.start(other)
	r.until(time.Minute, "all vote again", func() bool { return r.voters() == 5 })
	r.same()
}

// The file system of the leader fills up: another one leads, nothing that was
// accepted is lost, and with space again the controller is as any other.
func TestDiskOfTheLeaderFillsUp(t *testing.T) {
	var mounts []string
	r := newRig(t, rigOptions{controllers: 3, agents: 1, cpus: 4, prepare: func(r *rig) {
		for _, c := range []string{"c1", "c2", "c3"} {
			if err := os.Mkdir(r.state(c), 0o700); err != nil {
				r.t.Fatal(err)
			}
			if err := unix.Mount("rink-test", r.state(c), "tmpfs", 0, "size=96m,mode=0700"); err != nil {
				r.t.Skipf("cannot mount a small file system: %v", err)
			}
			mounts = append(mounts, r.state(c))
		}
	}})
	// Cleanups run last one first: here the processes are still there.
	t.Cleanup(func() {
		r.stop()
		for _, m := range mounts {
			if err := unix.Unmount(m, 0); err != nil {
				t.Error(err)
			}
		}
	})
	for i, left := range []int64{8 << 20, 0} { // less than is kept free; nothing at all
		lead := r.leader()
		r.holdJobs(fmt.Sprintf("before%d", i), 20)
		var fs unix.Statfs_t
		if err := unix.Statfs(r.state(lead), &fs); err != nil {
			t.Fatal(err)
		}
		ballast := filepath.Join(r.state(lead), "ballast")
		f, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bavail)*fs.Bsize-left); err != nil {
			t.Fatal(err)
		}
		f.Close()
		id, err := r.sbatch("-o", "/dev/null", "--wrap", "true")
		if err != nil {
			t.Fatal(err)
		}
		r.until(30*time.Second, "another one leads", func() bool { l := r.leader(); return l != "" && l != lead })
		r.until(30*time.Second, "the job ends", func() bool {
			out, err := r.do("sacct", "-n", "-X", "-P", "-j", id, "-o", "State")
			return err == nil && out == "COMPLETED"
		})
		// The one whose disk takes nothing hears the leader, and is behind all the same:
		// more is written than there is room left in its file.
		last := ""
		for range 40 {
			if last, err = r.sbatch("-H", "-o", "/dev/null", "--comment", strings.Repeat("x", 2000), "--wrap", "true"); err != nil {
				t.Fatal(err)
			}
		}
		if out, err := r.doAt(lead, "squeue", "-h", "-o", "%i"); err != nil || !slices.Contains(strings.Fields(out), last) {
			t.Errorf("%s, whose disk is full, does not know of the last job (%v)", lead, err)
		}
		out, err := r.do("rink-controller", "list", "--noheader", "-o", "%n %s")
		if err != nil || !strings.Contains(out, lead+" DISK_FULL") {
			t.Errorf("the controllers are %q (%v)", out, err)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		r.until(time.Minute, "all vote again", func() bool { return r.voters() == 3 })
		r.same()
		if _, err := r.do("rink-controller", "transfer", lead); err != nil {
			t.Errorf("%s cannot lead again: %v", lead, err)
		}
	}
}
