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

// TestAgentKilledOverAndOver kills the agent with SIGKILL every 200 ms while the
// slices of 500 jobs run, each of which writes lines and ends with a code of its
// own, and meanwhile a step's output passes through the agent to srun. No code
// and no byte is lost, and nothing runs twice.
func TestAgentKilledOverAndOver(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute")
	}
	const jobs, lines = 500, 30
	r := newRig(t, rigOptions{controllers: 3, agents: 1, cpus: jobs + 10})
	out := filepath.Join(r.dir, "out")
	if err := os.Mkdir(out, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(out, 0o777)
	id, err := r.sbatch("--mem=1", "-o", out+"/%a", fmt.Sprintf("--array=0-%d", jobs-1), "--wrap", fmt.Sprintf(
		`i=0; while [ $i -lt %d ]; do echo $SLURM_ARRAY_TASK_ID.$i; i=$((i+1)); [ $((i %% 10)) -ne 0 ] || sleep 2; done; exit $((SLURM_ARRAY_TASK_ID %% 100))`, lines))
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		text string
		err  error
	}
	step := make(chan answer, 1)
	go func() { // ends with the step, which ends by itself
		text, err := r.do("srun", "--mem=1", "sh", "-c", "i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; exit 7")
		step <- answer{text, err}
	}()
	running := func() int {
		text, err := r.do("squeue", "-h", "-r", "-t", "R,CG", "-o", "%i")
		if err != nil {
			return 0
		}
		return len(strings.Fields(text))
	}
	r.until(2*time.Minute, "the jobs run", func() bool { return running() >= jobs/2 })
	kills := 0
	for began := time.Now(); time.Since(began) < 8*time.Second; kills++ {
		<-r.signal("n1", syscall.SIGKILL).done
		r.start("n1")
		time.Sleep(200 * time.Millisecond)
	}
	t.Logf("%d kills", kills)
	r.until(3*time.Minute, "nothing runs any more", func() bool {
		text, err := r.do("squeue", "-h", "-o", "%i")
		return err == nil && text == ""
	})
	text, err := r.do("sacct", "-X", "-n", "-P", "-D", "-j", id, "-o", "jobid,state,exitcode")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(text)); n != jobs {
		t.Errorf("%d records of %d jobs", n, jobs)
	}
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), "|")
		_, task, _ := strings.Cut(f[0], "_")
		i, err := strconv.Atoi(task)
		want := fmt.Sprintf("%d:0", i%100)
		state := "FAILED"
		if i%100 == 0 {
			state = "COMPLETED"
		}
		if err != nil || f[1] != state || f[2] != want {
			t.Errorf("%q, want %s %s", line, state, want)
		}
	}
	for i := range jobs {
		var want strings.Builder
		for n := range lines {
			fmt.Fprintf(&want, "%d.%d\n", i, n)
		}
		if text, err := os.ReadFile(filepath.Join(out, strconv.Itoa(i))); err != nil || string(text) != want.String() {
			t.Errorf("job %d wrote %d bytes, %v; want %d", i, len(text), err, want.Len())
		}
	}
	got := <-step
	var want []string
	for i := range 60 {
		want = append(want, fmt.Sprintf("line %d", i))
	}
	if strings.TrimSpace(got.text) != strings.Join(want, "\n") || got.err == nil || !strings.Contains(got.err.Error(), "exit 7") {
		t.Errorf("srun: %q, %v", got.text, got.err)
	}
}
