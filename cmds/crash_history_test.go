package cmds_test

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The controller is killed while jobs end in bursts. Afterwards the history has
// each of them exactly once an incarnation, and what the reports add up is what
// its records come to.
func TestKillNineWhileJobsEnd(t *testing.T) {
	const tasks = 240
	c := startCluster(t, shortDir(t), "--nodes", "4", "--cpus", "8")
	// What is lost is to come back soon, not after two minutes.
	conf, err := os.OpenFile(c.conf, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	conf.WriteString("AuthInfo=cred_expire=2\n")
	conf.Close()
	c.must("scontrol", "reconfigure")
	array := c.must("sbatch", "--parsable", "-a", "0-"+strconv.Itoa(tasks-1), "-n1", "-t", "5", "-o", "/dev/null", "--wrap", "sleep 0.3")
	kept := 0
	for i := range 5 {
		// When some more have ended, in the middle of the next burst.
		for until := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			out, err := c.do("sacct", "-X", "-n", "-P", "-s", "CD", "-j", array, "-o", "JobIDRaw")
			if n := len(strings.Fields(out)); err == nil && n >= kept+8 || time.Now().After(until) {
				kept = n
				break
			}
		}
		if i == 2 {
			c.killAll() // what runs goes back into the queue
		} else {
			c.kill()
		}
		c.start()
	}
	c.drain(3 * time.Minute)
	if n := len(strings.Fields(c.must("squeue", "-h", "-o", "%i"))); n > 0 {
		t.Fatalf("%d jobs are left", n)
	}

	rows := c.must("sacct", "-D", "-X", "-a", "-n", "-P", "-j", array, "-o", "JobIDRaw,JobID,Submit,State,CPUTimeRAW,Start")
	incarnations, last, seconds := map[string]int{}, map[string]string{}, int64(0)
	for _, line := range strings.Split(rows, "\n") {
		f := strings.Split(line, "|")
		if len(f) != 6 {
			t.Fatalf("line %q", line)
		}
		incarnations[f[0]+" "+f[2]+" "+f[5]]++
		last[f[1]] = f[3]
		n, err := strconv.ParseInt(f[4], 10, 64)
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		seconds += n
	}
	for key, n := range incarnations {
		if n != 1 {
			t.Errorf("the history has job %s %d times", key, n)
		}
	}
	for task := range tasks {
		if id := array + "_" + strconv.Itoa(task); last[id] != "COMPLETED" {
			t.Errorf("task %s is %q in the history", id, last[id])
		}
	}
	if len(last) != tasks {
		t.Errorf("the history has %d tasks, want %d", len(last), tasks)
	}
	used := c.must("sreport", "-n", "-P", "-t", "Seconds", "cluster", "UserUtilizationByAccount", "start=now-1days", "end=now+1days", "format=Used")
	sum := int64(0)
	for _, word := range strings.Fields(used) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			t.Fatalf("sreport: %q", used)
		}
		sum += n
	}
	t.Logf("%d incarnations of %d tasks, %d CPU seconds", len(incarnations), tasks, seconds)
	if len(incarnations) <= tasks {
		t.Errorf("%d incarnations of %d tasks: nothing was running when everything was killed", len(incarnations), tasks)
	}
	if sum != seconds || seconds == 0 {
		t.Errorf("the reports have %d CPU seconds, the records come to %d", sum, seconds)
	}
}
