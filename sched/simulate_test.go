package sched

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// traces is where the workload logs and their reference results are.
func traces(t testing.TB) string {
	for _, dir := range []string{os.Getenv("RINK_TRACES"), "../../shared/traces"} {
		if dir != "" {
			if _, err := os.Stat(dir); err == nil {
				return dir
			}
		}
	}
	t.Skip("no workload logs: set RINK_TRACES")
	return ""
}

// readLog reads a log: the jobs that can be replayed, with their numbers.
func readLog(t testing.TB, path string) (jobs []SimJob, numbers []int64, procs int) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	log, err := slurm.ReadSWF(path, z)
	if err != nil {
		t.Fatal(err)
	}
	procs = log.Processors()
	jobs, at := SimJobs(log, procs)
	for _, i := range at {
		numbers = append(numbers, log.Jobs[i].Job)
	}
	return jobs, numbers, procs
}

// onePool is a cluster of so many processors of which any set will do.
func onePool(procs int, policy string) (*Config, []*Node) {
	cfg := testConfig()
	cfg.TracksMemory = false
	cfg.Conf.SchedulerPolicy = policy
	cfg.Conf.PriorityType = "priority/basic"
	cfg.FirstJobID = 1
	cfg.Partitions[0].Nodes = []NodeName{"pool"}
	cfg.Default = cfg.Partitions[0].Name
	return cfg, []*Node{{Name: "pool", CPUs: procs, Sockets: 1, Cores: procs, Threads: 1, Memory: 1 << 40, State: slurm.NodeIdle}}
}

// TestReplaysAreExact compares the start of every one of the first 5,000 jobs of
// each log with the reference.
func TestReplaysAreExact(t *testing.T) {
	dir := traces(t)
	logs, err := filepath.Glob(filepath.Join(dir, "*.swf.gz"))
	if err != nil || len(logs) == 0 {
		t.Skipf("no workload logs in %s", dir)
	}
	for _, path := range logs {
		name := strings.TrimSuffix(filepath.Base(path), ".swf.gz")
		jobs, numbers, procs := readLog(t, path)
		jobs, numbers = jobs[:min(len(jobs), 5000)], numbers[:min(len(jobs), 5000)]
		for policy, file := range map[string]string{"easy": "easy", "easy-sjbf": "easy-sjbf", "sjf-easy": "sjf-easy", "conservative": "cons"} {
			t.Run(name+"/"+policy, func(t *testing.T) {
				want := readStarts(t, filepath.Join(dir, "expected", fmt.Sprintf("%s.first5000.%s.csv.gz", name, file)))
				cfg, nodes := onePool(procs, policy)
				runs, err := Simulate(cfg, nodes, jobs, false)
				if err != nil {
					t.Fatal(err)
				}
				wrong := 0
				for i, r := range runs {
					if w := want[numbers[i]]; w != r {
						if wrong++; wrong <= 3 {
							t.Errorf("job %d (%d procs, limit %d, submitted %d) ran %v, should run %v", numbers[i], jobs[i].Procs, jobs[i].Limit, jobs[i].Submit, r, w)
						}
					}
				}
				if wrong > 0 {
					t.Errorf("%d of %d jobs differ", wrong, len(runs))
				}
			})
		}
	}
}

func readStarts(t *testing.T, path string) map[int64]SimRun {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := map[int64]SimRun{}
	for _, r := range rows[1:] {
		n, _ := strconv.ParseInt(r[0], 10, 64)
		start, _ := strconv.ParseInt(r[2], 10, 64)
		end, _ := strconv.ParseInt(r[3], 10, 64)
		out[n] = SimRun{start, end}
	}
	return out
}

// judged is what a replay of a whole log comes to.
type judged struct {
	slowdown float64 // mean bounded slowdown, tau 10 s
	longest  int64   // longest wait, seconds
	used     float64 // utilisation from the first submission to the last end, percent
	steady   float64 // from the first submission to the last
}

func judge(t testing.TB, jobs []SimJob, procs int, policy string) judged {
	cfg, nodes := onePool(procs, policy)
	runs, err := Simulate(cfg, nodes, jobs, false)
	if err != nil {
		t.Fatal(err)
	}
	var j judged
	first, last, end := jobs[0].Submit, jobs[len(jobs)-1].Submit, int64(0)
	area, window := 0.0, 0.0
	for i, r := range runs {
		wait, run := r.Start-jobs[i].Submit, r.End-r.Start
		j.longest = max(j.longest, wait)
		j.slowdown += max(1, float64(wait+run)/max(float64(run), 10))
		area += float64(run) * float64(jobs[i].Procs)
		window += float64(max(0, min(r.End, last)-max(r.Start, first))) * float64(jobs[i].Procs)
		end = max(end, r.End)
	}
	j.slowdown /= float64(len(runs))
	j.used = 100 * area / float64(procs) / float64(end-first)
	j.steady = 100 * window / float64(procs) / float64(last-first)
	return j
}

// TestDefaultPolicyBeatsEASY replays the whole logs under both and holds the
// default policy to what it is for: much less slowdown, nobody waiting much
// longer, the machine as full. The table is printed with -v.
func TestDefaultPolicyBeatsEASY(t *testing.T) {
	if testing.Short() {
		t.Skip("whole logs")
	}
	logs, err := filepath.Glob(filepath.Join(traces(t), "*.swf.gz"))
	if err != nil || len(logs) == 0 {
		t.Skip("no workload logs")
	}
	sum := 0.0
	for _, path := range logs {
		jobs, _, procs := readLog(t, path)
		for i := range jobs {
			if jobs[i].UID == ^uint32(0) {
				jobs[i].User = "" // unknown
			}
		}
		easy, ours := judge(t, jobs, procs, "easy"), judge(t, jobs, procs, "default")
		ratio, wait := ours.slowdown/easy.slowdown, float64(ours.longest)/float64(easy.longest)
		t.Logf("%-32s slowdown %7.2f / %7.2f = %.3f, longest wait %7d / %7d = %.2f, utilisation %+.2f %+.2f", filepath.Base(path),
			ours.slowdown, easy.slowdown, ratio, ours.longest, easy.longest, wait, ours.used-easy.used, ours.steady-easy.steady)
		if ratio > 1 || wait > 1.25 || ours.used < easy.used-0.5 || ours.steady < easy.steady-0.5 {
			t.Errorf("%s: worse than EASY", filepath.Base(path))
		}
		sum += math.Log(ratio)
	}
	mean := math.Exp(sum / float64(len(logs)))
	t.Logf("geometric mean %.3f", mean)
	if mean > 0.60 {
		t.Errorf("the geometric mean of the slowdowns is %.3f of EASY's", mean)
	}
}

// BenchmarkReplay replays the whole SDSC-SP2 log under EASY.
func BenchmarkReplay(b *testing.B) {
	jobs, _, procs := readLog(b, filepath.Join(traces(b), "SDSC-SP2-1998-4.2-cln.swf.gz"))
	for _, policy := range []string{"easy", "easy-sjbf", "conservative", "default"} {
		b.Run(policy, func(b *testing.B) {
			for b.Loop() {
				cfg, nodes := onePool(procs, policy)
				if _, err := Simulate(cfg, nodes, jobs, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
