//go:build system

package cmds_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSystemKillNineOfTwoThousand kills controller and agents with SIGKILL three
// times in the middle of an array of 2,000 tasks: all end exactly once. With the
// launchers alive none runs twice; with them killed too, what ran is requeued.
func TestSystemKillNineOfTwoThousand(t *testing.T) {
	for name, kill := range map[string]func(*cluster){"Agents": (*cluster).kill, "Everything": (*cluster).killAll} {
		t.Run(name, func(t *testing.T) {
			const tasks = 2000
			c := startCluster(t, shortDir(t), "--nodes", "4")
			marks := filepath.Join(c.dir, "marks")
			if err := os.Mkdir(marks, 0o777); err != nil {
				t.Fatal(err)
			}
			array := c.must("sbatch", "--parsable", "-o", "/dev/null", fmt.Sprintf("--array=0-%d", tasks-1), "--wrap",
				"sleep 0.2; echo x >>"+marks+"/$SLURM_ARRAY_TASK_ID")
			for range 3 {
				time.Sleep(2 * time.Second)
				kill(c)
				c.start()
			}
			c.drain(5 * time.Minute)
			checkOnce(t, c, array, tasks)
			for i := range tasks {
				text, err := os.ReadFile(filepath.Join(marks, strconv.Itoa(i)))
				if n := strings.Count(string(text), "x"); err != nil || n < 1 || name == "Agents" && n != 1 {
					t.Errorf("task %d ran %d times (%v)", i, n, err)
				}
			}
		})
	}
}

// TestSystemTwoThousandAtOnce runs 2,000 slices at the same time on one node: all
// run, all end with their own code, and the launcher stays within 8 MB and 50 kB a
// slice.
func TestSystemTwoThousandAtOnce(t *testing.T) {
	const tasks = 2000
	c := startCluster(t, shortDir(t), "--nodes", "1", "--cpus", "2100", "--memory", "900000")
	array := c.must("sbatch", "--parsable", "-o", "/dev/null", "--mem=1", fmt.Sprintf("--array=0-%d", tasks-1), "--wrap",
		"while [ ! -e "+c.dir+"/go ]; do sleep 1; done; exit $((SLURM_ARRAY_TASK_ID % 100))")
	running := 0
	for end := time.Now().Add(2 * time.Minute); running < tasks && time.Now().Before(end); time.Sleep(time.Second) {
		running = len(strings.Fields(c.must("squeue", "-h", "-r", "-t", "R", "-o", "%i")))
	}
	if running != tasks {
		t.Errorf("%d run at once", running)
	}
	for _, pid := range c.launchers() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue // one of the slices' first processes, which show its name
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				kb, err := strconv.Atoi(strings.Fields(rest)[0])
				if err != nil || kb > 8_000+tasks*50 {
					t.Errorf("the launcher has %d kB (%v)", kb, err)
				}
				t.Logf("the launcher has %d kB with %d slices", kb, running)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(c.dir, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c.drain(2 * time.Minute)
	lines := strings.Fields(c.must("sacct", "-X", "-n", "-P", "-j", array, "-o", "jobid,exitcode"))
	for _, line := range lines {
		id, code, _ := strings.Cut(line, "|")
		_, task, _ := strings.Cut(id, "_")
		if i, err := strconv.Atoi(task); err != nil || code != fmt.Sprintf("%d:0", i%100) {
			t.Errorf("%s", line)
		}
	}
	if len(lines) != tasks {
		t.Errorf("%d records", len(lines))
	}
}

// TestSystemIdleMemory holds that a cluster of four nodes with nothing to do
// stays below 60 MB.
func TestSystemIdleMemory(t *testing.T) {
	c := startCluster(t, shortDir(t), "--nodes", "4")
	time.Sleep(5 * time.Second)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil || kb > 60_000 {
				t.Errorf("idle with %d kB (%v), want at most 60000", kb, err)
			}
			t.Logf("idle with %d kB", kb)
			return
		}
	}
	t.Fatal("the kernel does not say how much memory the process has")
}
