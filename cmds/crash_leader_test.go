package cmds_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// leads returns the controller that leads and its process; "" while none does.
func (c *cluster) leads() (name string, pid int) {
	out, err := c.do("rink-controller", "list", "--noheader", "--format", "%n %r")
	if err != nil {
		return "", 0
	}
	for _, line := range strings.Split(out, "\n") {
		if who, role, _ := strings.Cut(line, " "); role == "leader" {
			return who, c.pidOf(who)
		}
	}
	return "", 0
}

// pidOf is the process of a controller, which its state directory names.
func (c *cluster) pidOf(controller string) int {
	text, _ := os.ReadFile(filepath.Join(c.dir, "c", "ctld."+controller, "lock"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// TestKillNineOfTheLeader kills the controller that leads again and again while an
// array runs and more is submitted: submissions wait and succeed, every task starts
// once and ends once.
func TestKillNineOfTheLeader(t *testing.T) {
	const tasks, kills = 200, 3
	c := startCluster(t, shortDir(t), "--controllers", "3", "--nodes", "2", "--cpus", "16")
	marks := filepath.Join(c.dir, "marks")
	if err := os.Mkdir(marks, 0o777); err != nil {
		t.Fatal(err)
	}
	array := c.must("sbatch", "--parsable", "-o", "/dev/null", fmt.Sprintf("--array=0-%d", tasks-1), "--wrap",
		"echo x >>"+marks+"/$SLURM_ARRAY_TASK_ID; sleep 0.1")
	var singles []string
	for range kills {
		time.Sleep(300 * time.Millisecond)
		name, pid := c.leads()
		if pid == 0 {
			t.Fatal("nobody leads")
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			singles = append(singles, "job."+c.must("sbatch", "--parsable", "-o", "/dev/null", "--wrap", "echo x >>"+marks+"/job.$SLURM_JOB_ID"))
		}
		if again, _ := c.leads(); again == name {
			t.Errorf("%s leads after it was killed", name)
		}
		// It comes back, and has its part again, before the next one goes.
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if out, err := c.do("scontrol", "ping"); err == nil && strings.Count(out, "is UP") == 3 {
				break
			} else if time.Now().After(end) {
				t.Fatalf("%s does not come back: %s, %v", name, out, err)
			}
		}
	}
	c.drain(3 * time.Minute)
	checkOnce(t, c, array, tasks)
	for i := range tasks {
		singles = append(singles, strconv.Itoa(i))
	}
	for _, name := range singles {
		text, err := os.ReadFile(filepath.Join(marks, name))
		if n := strings.Count(string(text), "x"); err != nil || n != 1 {
			t.Errorf("%s ran %d times (%v)", name, n, err)
		}
	}
}
