package cmds_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cluster is a cluster of processes of its own: rink dev as a program.
type cluster struct {
	t    *testing.T
	dir  string
	args []string
	bin  string
	cmd  *exec.Cmd
	conf string
}

// startCluster starts rink dev on dir, which may hold a cluster already.
func startCluster(t *testing.T, dir string, args ...string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: dir, args: args}
	var err error
	if c.bin, err = exec.LookPath("rink-dev"); err != nil {
		t.Fatal(err)
	}
	c.start()
	t.Cleanup(c.stop)
	return c
}

func (c *cluster) start() {
	c.t.Helper()
	c.cmd = exec.Command(c.bin, append([]string{"--dir", filepath.Join(c.dir, "c")}, c.args...)...)
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.cmd.Wait()
		log, _ := os.ReadFile(filepath.Join(c.dir, "c", "log", "rink.log"))
		c.t.Fatalf("the cluster does not start: %v\n%s", err, tailOf(string(log)))
	}
	c.conf = strings.TrimSpace(strings.TrimPrefix(line, "export RINK_CONF="))
}

func tailOf(s string) string { return s[max(0, len(s)-4000):] }

// kill ends the controller and the agents with SIGKILL. Launchers go on.
func (c *cluster) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// killAll ends the launchers too, and with them everything that runs.
func (c *cluster) killAll() {
	pids := c.launchers()
	c.kill()
	for _, pid := range pids {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// launchers finds the launchers of this cluster by the spool in their command
// line. The first processes of slices have the same one and are their children:
// killing one of those before its launcher is killing a job.
func (c *cluster) launchers() []int {
	var pids []int
	found := map[int]bool{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		text, err := os.ReadFile(filepath.Join(d, "cmdline"))
		if err != nil {
			continue
		}
		words := strings.Split(string(text), "\x00")
		if filepath.Base(words[0]) == "rink-launcher" && strings.Contains(string(text), c.dir) {
			pid, _ := strconv.Atoi(filepath.Base(d))
			pids, found[pid] = append(pids, pid), true
		}
	}
	return slices.DeleteFunc(pids, func(pid int) bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, rest, _ := strings.Cut(string(text), ") ")
		words := strings.Fields(rest) // the state, then the parent
		if len(words) < 2 {
			return true
		}
		parent, _ := strconv.Atoi(words[1])
		return found[parent]
	})
}

func (c *cluster) stop() {
	if c.cmd.ProcessState == nil {
		c.cmd.Process.Signal(syscall.SIGTERM)
		done := make(chan struct{})
		go func() { c.cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			c.cmd.Process.Kill()
			c.t.Error("the cluster does not stop when told to")
		}
	}
	for _, pid := range c.launchers() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// do runs a command of the cluster and returns what it printed.
func (c *cluster) do(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "RINK_CONF="+c.conf)
	cmd.Dir = c.dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), err
}

func (c *cluster) must(name string, args ...string) string {
	c.t.Helper()
	out, err := c.do(name, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// shortDir is a directory whose name leaves room for sockets below it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rc")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// ended counts, from accounting, how often each task of an array ended and in
// which state.
func (c *cluster) ended(array string) map[string][]string {
	out := c.must("sacct", "-n", "-P", "-X", "-D", "-j", array, "-o", "JobID,State")
	ends := map[string][]string{}
	for _, line := range strings.Split(out, "\n") {
		id, state, ok := strings.Cut(line, "|")
		if ok && !strings.HasPrefix(state, "PENDING") && !strings.HasPrefix(state, "RUNNING") {
			ends[id] = append(ends[id], state)
		}
	}
	return ends
}

// TestKillNineUnderLoad kills the controller and the agents with SIGKILL again
// and again while an array runs: every task ends exactly once, and none is
// started twice, since what runs goes on running.
func TestKillNineUnderLoad(t *testing.T) {
	const tasks, kills = 400, 5
	c := startCluster(t, shortDir(t), "--nodes", "2", "--cpus", "16")
	marks := filepath.Join(c.dir, "marks")
	if err := os.Mkdir(marks, 0o777); err != nil {
		t.Fatal(err)
	}
	array := c.must("sbatch", "--parsable", "-o", "/dev/null", fmt.Sprintf("--array=0-%d", tasks-1), "--wrap",
		"echo x >>"+marks+"/$SLURM_ARRAY_TASK_ID; sleep 0.1")
	for range kills {
		time.Sleep(700 * time.Millisecond)
		c.kill()
		c.start()
	}
	c.drain(3 * time.Minute)
	checkOnce(t, c, array, tasks)
	for i := range tasks {
		text, err := os.ReadFile(filepath.Join(marks, strconv.Itoa(i)))
		if err != nil || strings.Count(string(text), "x") != 1 {
			t.Errorf("task %d ran %d times (%v)", i, strings.Count(string(text), "x"), err)
		}
	}
}

// TestKillNineOfEverything kills the launchers too, and with them what runs:
// tasks that were running go back to the queue, and all end exactly once.
func TestKillNineOfEverything(t *testing.T) {
	const tasks = 300
	c := startCluster(t, shortDir(t), "--nodes", "2", "--cpus", "16")
	array := c.must("sbatch", "--parsable", "-o", "/dev/null", fmt.Sprintf("--array=0-%d", tasks-1), "--wrap", "sleep 0.05")
	time.Sleep(1500 * time.Millisecond)
	c.killAll()
	c.start()
	c.drain(3 * time.Minute)
	checkOnce(t, c, array, tasks)
}

// drain waits until the queue is empty.
func (c *cluster) drain(limit time.Duration) {
	c.t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if out, err := c.do("squeue", "-h", "-o", "%i %T %r"); err == nil && out == "" {
			return
		}
	}
	c.t.Fatalf("the queue does not drain:\n%s", c.must("squeue"))
}

// checkOnce holds that each task ended well exactly once; incarnations that
// were lost and sent back to the queue do not count as ends.
func checkOnce(t *testing.T, c *cluster, array string, tasks int) {
	t.Helper()
	ends := c.ended(array)
	if len(ends) != tasks {
		t.Errorf("%d tasks have ended, want %d", len(ends), tasks)
	}
	defer func() {
		if t.Failed() {
			out, _ := c.do("sacct", "-n", "-P", "-X", "-D", "-j", array, "-s", "FAILED", "-o", "JobID,State,ExitCode,Reason,NodeList,Start,End")
			log, _ := os.ReadFile(filepath.Join(c.dir, "c", "log", "rink.log"))
			t.Logf("failed:\n%s\nlog:\n%s", out, tailOf(string(log)))
		}
	}()
	for id, states := range ends {
		final := 0
		for _, s := range states {
			if s == "COMPLETED" {
				final++
			} else if s != "REQUEUED" && s != "NODE_FAIL" {
				t.Errorf("task %s ended %s", id, s)
			}
		}
		if final != 1 {
			t.Errorf("task %s completed %d times: %v", id, final, states)
		}
	}
}
