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
)

// faultMore are the settings under which faults show: nodes are given up soon, and
// what is lost comes back soon.
const faultMore = "SlurmdTimeout=4\nAuthInfo=cred_expire=2\nMinJobAge=3600"

// faultJob writes down that it started, which incarnation it is, and where. Some stay
// for a while, so that there is something to lose with a node.
const faultJob = `#!/bin/sh
echo "$SLURM_JOB_ID.${SLURM_RESTART_COUNT:-0}" >>%s/started/$SLURMD_NODENAME
[ $((SLURM_JOB_ID %% 16)) != 0 ] || sleep 3
`

// faultResult is what came of a run under faults.
type faultResult struct {
	accepted, failed, lost, duplicated, startedTwice, unended, differ, restarted int
	took                                                                         time.Duration
	faults                                                                       *injected
}

func (f faultResult) String() string {
	return fmt.Sprintf("%d accepted, %d refused, %d lost, %d duplicated, %d started twice, %d without an end, %d histories differ, %d restarted, in %v; faults: %v",
		f.accepted, f.failed, f.lost, f.duplicated, f.startedTwice, f.unended, f.differ, f.restarted, f.took, f.faults)
}

// What bounds a run under faults: how long clients may submit, and how long the queue
// may take to drain when nothing is wrong any more.
const (
	submitLimit = 40 * time.Minute
	drainLimit  = 15 * time.Minute
)

// underFaults has clients submit jobs while faults go on, and counts.
func underFaults(t testing.TB, r *rig, seed int64, clients, jobs int, pace time.Duration, faults []fault) faultResult {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), submitLimit)
	defer cancel()
	r.ctx = ctx
	if err := os.MkdirAll(filepath.Join(r.dir, "started"), 0o777); err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(r.dir, "job.sh")
	if err := os.WriteFile(script, fmt.Appendf(nil, faultJob, r.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	var res faultResult
	var mu sync.Mutex
	ids := map[string]string{} // by the name of the submission
	var next atomic.Int64
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(jobs) || ctx.Err() != nil {
					return
				}
				name := fmt.Sprintf("s%d", n)
				id, err := r.sbatch("-o", "/dev/null", "-J", name, "-t", "10", script)
				mu.Lock()
				if err != nil {
					res.failed++
					t.Logf("submission %s failed: %v", name, err)
				} else {
					ids[name] = id
				}
				mu.Unlock()
				if pace > 0 {
					time.Sleep(pace)
				}
			}
		})
	}
	stop := make(chan struct{})
	var hurt sync.WaitGroup
	hurt.Go(func() { res.faults = inflict(r, seed, faults, stop) })
	wg.Wait()
	close(stop)
	hurt.Wait()
	r.ctx = context.Background()
	res.accepted = len(ids)
	r.say("%d submissions accepted; nothing is wrong any more", res.accepted)
	r.until(drainLimit, "the queue drains", func() bool {
		out, err := r.do("squeue", "-h", "-o", "%i %T %r")
		return err == nil && out == ""
	})
	count(t, r, ids, &res)
	res.took = time.Since(began).Round(time.Second)
	fmt.Fprintf(os.Stderr, "%s: %v\n", t.Name(), res) // a benchmark that failed reports no figures
	return res
}

// count compares what clients were told with the history each controller keeps,
// and with what the jobs wrote down themselves.
func count(t testing.TB, r *rig, ids map[string]string, res *faultResult) {
	t.Helper()
	var books []map[string][]string
	var names []string
	for _, c := range r.controllers() {
		names = append(names, c.Name)
	}
	leader := ""
	for _, c := range r.controllers() {
		if c.Leader {
			leader = c.Name
		}
	}
	index := uint64(0)
	for _, c := range r.controllers() {
		index = max(index, c.Health.GetApplied())
	}
	for _, name := range names {
		r.until(time.Minute, name+" has applied all", func() bool {
			for _, c := range r.controllers() {
				if c.Name == name {
					return c.Health.GetApplied() >= index
				}
			}
			return false
		})
		books = append(books, r.history(name))
	}
	for i := range books[1:] {
		if d := difference(books[0], books[i+1]); d != "" {
			res.differ++
			t.Errorf("the histories of %s and %s differ: %s", names[0], names[i+1], d)
		}
	}
	book := books[slices.Index(names, leader)]
	byName := map[string][]string{}
	for id, rows := range book {
		final := strings.Split(rows[len(rows)-1], "|")
		byName[final[0]] = append(byName[final[0]], id)
		res.restarted += len(rows) - 1
		once := map[string]bool{}
		for _, row := range rows {
			f := strings.Split(row, "|")
			if key := f[2] + " " + f[3]; once[key] {
				res.differ++
				t.Errorf("the history has an incarnation of job %s twice: %q", id, rows)
			} else {
				once[key] = true
			}
		}
	}
	for name, id := range ids {
		rows, ok := book[id]
		if !ok {
			res.lost++
			t.Errorf("job %s, accepted as %s, is in no history", id, name)
			continue
		}
		if state := strings.Split(rows[len(rows)-1], "|")[1]; state != "COMPLETED" {
			res.unended++
			t.Errorf("job %s ended as %q: %v", id, state, rows)
		}
	}
	for name, list := range byName {
		if len(list) > 1 {
			res.duplicated++
			t.Errorf("submission %s is jobs %v", name, list)
		}
	}
	starts := r.starts()
	began := map[string]bool{}
	for what, n := range starts {
		if n > 1 {
			res.startedTwice++
			t.Errorf("incarnation %s started %d times", what, n)
		}
		id, _, _ := strings.Cut(what, ".")
		began[id] = true
	}
	for name, id := range ids {
		if !began[id] {
			res.lost++
			t.Errorf("job %s (%s) never ran", id, name)
		}
	}
}

// history reads the records one controller keeps: by job, an incarnation a row.
func (r *rig) history(controller string) map[string][]string {
	r.t.Helper()
	out, err := r.doAt(controller, "sacct", "-D", "-X", "-a", "-n", "-P", "-S", "now-1days", "-o", "JobIDRaw,JobName,State,Submit,Start,End,NodeList")
	if err != nil {
		r.t.Fatal(err)
	}
	book := map[string][]string{}
	for line := range strings.Lines(out) {
		if id, rest, ok := strings.Cut(strings.TrimSpace(line), "|"); ok {
			book[id] = append(book[id], rest)
		}
	}
	return book
}

func difference(a, b map[string][]string) string {
	if len(a) != len(b) {
		return fmt.Sprintf("%d jobs and %d", len(a), len(b))
	}
	for id, rows := range a {
		if !slices.Equal(rows, b[id]) {
			return fmt.Sprintf("job %s is %q and %q", id, rows, b[id])
		}
	}
	return ""
}

// seedOf is where the dice of a run begin: RINK_FAULT_SEED, or the clock.
func seedOf(t testing.TB) int64 {
	seed := time.Now().UnixNano() % 1_000_000
	if v := os.Getenv("RINK_FAULT_SEED"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	fmt.Fprintf(os.Stderr, "%s: seed %d\n", t.Name(), seed)
	return seed
}

// TestFaults submits under all faults at once, for a short while; `make fault` does
// so for long.
func TestFaults(t *testing.T) {
	seed := seedOf(t)
	r := newRig(t, rigOptions{controllers: 3, agents: 2, cpus: 32, more: faultMore, spaces: os.Geteuid() == 0})
	res := underFaults(t, r, seed, 4, 120, 400*time.Millisecond, allFaults)
	t.Logf("%v", res)
	if res.accepted != 120 {
		t.Errorf("%d of 120 submissions were accepted", res.accepted)
	}
}

// BenchmarkFaultAll is the long run: RINK_FAULT_JOBS jobs, 20,000 without.
func BenchmarkFaultAll(b *testing.B) {
	jobs := 20_000
	if v := os.Getenv("RINK_FAULT_JOBS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			b.Fatal(err)
		}
		jobs = n
	}
	for range b.N {
		seed := seedOf(b)
		r := newRig(b, rigOptions{controllers: 3, agents: 4, cpus: 64, more: faultMore, spaces: os.Geteuid() == 0})
		res := underFaults(b, r, seed, 8, jobs, 0, allFaults)
		for name, v := range map[string]int{
			"accepted": res.accepted, "submissions_failed": res.failed, "lost": res.lost, "duplicated": res.duplicated, "started_twice": res.startedTwice,
			"without_end": res.unended, "histories_differ": res.differ, "restarted": res.restarted,
		} {
			b.ReportMetric(float64(v), name+"=jobs")
		}
		for name, n := range res.faults.times {
			b.ReportMetric(float64(n), "fault_"+strings.ReplaceAll(name, " ", "_")+"=times")
		}
		if never := res.faults.missing(r, allFaults); len(never) > 0 && jobs >= 5000 {
			b.Errorf("there was no %s", strings.Join(never, ", "))
		}
		b.ReportMetric(res.took.Seconds(), "took=s")
		b.ReportMetric(float64(seed), "seed=")
	}
}

// BenchmarkFaultFailover kills the leader thirty times and measures from there to
// the next job's start on an agent, as the job's own clock tells.
func BenchmarkFaultFailover(b *testing.B) {
	const kills = 30
	for range b.N {
		r := newRig(b, rigOptions{controllers: 3, agents: 2, cpus: 32, more: faultMore})
		mark := filepath.Join(r.dir, "mark")
		script := filepath.Join(r.dir, "job.sh")
		if err := os.WriteFile(script, []byte("#!/bin/sh\ndate +%s%N >>"+mark+"\n"), 0o755); err != nil {
			b.Fatal(err)
		}
		var took []float64
		failed := 0
		for i := range kills {
			r.until(time.Minute, "three controllers vote", func() bool { return r.voters() == 3 })
			time.Sleep(300 * time.Millisecond)
			name := r.leader()
			os.Remove(mark)
			t0 := time.Now()
			r.signal(name, syscall.SIGKILL)
			if _, err := r.sbatch("-o", "/dev/null", script); err != nil {
				failed++
				b.Errorf("kill %d: %v", i, err)
			}
			r.until(30*time.Second, "a job starts", func() bool {
				text, err := os.ReadFile(mark)
				return err == nil && strings.HasSuffix(string(text), "\n")
			})
			text, _ := os.ReadFile(mark)
			at, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			took = append(took, float64(at-t0.UnixNano())/1e6)
			if err := r.launch(name); err != nil {
				b.Fatal(err)
			}
		}
		slices.Sort(took)
		b.ReportMetric(took[len(took)/2], "failover_p50=ms")
		b.ReportMetric(took[len(took)-1], "failover_max=ms")
		b.ReportMetric(float64(failed), "failover_submissions_failed=jobs")
	}
}
