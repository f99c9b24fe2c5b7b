package cmds_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// While jobs end in bursts, one of three controllers loses its history, another's is
// overwritten under its feet, and whoever leads is killed. In the end each controller
// has each ended job once, and all have the same.
func TestHistoriesLostWhileJobsEnd(t *testing.T) {
	const tasks = 48
	r := newRig(t, rigOptions{controllers: 3, agents: 2, cpus: 8, snapshots: 100, more: "AuthInfo=cred_expire=2\nMinJobAge=300"})
	submitted := 0
	more := func() { // in the middle of a burst of ends
		t.Helper()
		id, err := r.sbatch("-a", fmt.Sprintf("0-%d", tasks-1), "-n", "1", "-t", "5", "-o", "/dev/null", "--wrap", "sleep 0.3")
		if err != nil {
			t.Fatal(err)
		}
		submitted += tasks
		r.until(time.Minute, "some of them end", func() bool {
			out, err := r.do("sacct", "-X", "-n", "-P", "-s", "CD", "-j", id, "-o", "JobIDRaw")
			return err == nil && len(strings.Fields(out)) >= tasks/6
		})
	}
	kept := func(c string) string { return filepath.Join(r.state(c), "accounting", "history.db") }

	more()
	lost := r.follower()
	r.end(lost, syscall.SIGKILL)
	more()
	if err := os.Remove(kept(lost)); err != nil {
		t.Fatal(err)
	}
	r.start(lost)
	r.until(time.Minute, "all vote again", func() bool { return r.voters() == 3 })

	// All but the pages that tell what is where, so that it still looks like a history.
	more()
	hurt := r.leader()
	f, err := os.OpenFile(kept(hurt), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	junk := make([]byte, info.Size()-8192)
	for i := range junk {
		junk[i] = byte(i * 7)
	}
	if _, err := f.WriteAt(junk, 8192); err != nil {
		t.Fatal(err)
	}
	f.Close()
	r.until(time.Minute, "the damaged history is begun anew", func() bool {
		_, err := os.Stat(kept(hurt) + ".damaged-1")
		return err == nil
	})

	more()
	killed := r.leader()
	r.end(killed, syscall.SIGKILL)
	more()
	r.start(killed)
	r.until(time.Minute, "all vote again", func() bool { return r.voters() == 3 })
	r.until(2*time.Minute, "the queue drains", func() bool {
		out, err := r.do("squeue", "-h", "-o", "%i")
		return err == nil && out == ""
	})
	r.same()

	for _, c := range r.controllers() {
		once := map[string]int{}
		done := map[string]bool{}
		for id, rows := range r.history(c.Name) {
			for _, row := range rows {
				f := strings.Split(row, "|")
				once[id+" "+f[3]]++
				if f[1] == "COMPLETED" {
					done[id] = true
				}
			}
		}
		for key, n := range once {
			if n != 1 {
				t.Errorf("%s has job %s %d times", c.Name, key, n)
			}
		}
		if len(done) != submitted {
			t.Errorf("%s has %d jobs that completed, want %d", c.Name, len(done), submitted)
		}
	}
}
