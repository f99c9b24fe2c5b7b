package sched

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"sort"
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

// readLog reads a log in Standard Workload Format: the jobs that are valid by the
// rules of the references, in order of submission, with their numbers.
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
	maxNodes := 0
	type row struct {
		SimJob
		number int64
	}
	var rows []row
	for lines := bufio.NewScanner(z); lines.Scan(); {
		text := lines.Text()
		if strings.HasPrefix(text, ";") {
			key, value, _ := strings.Cut(strings.TrimLeft(text, "; "), ":")
			n, _ := strconv.Atoi(strings.TrimSpace(value))
			switch key {
			case "MaxProcs":
				procs = n
			case "MaxNodes":
				maxNodes = n
			}
			continue
		}
		w := strings.Fields(text)
		if len(w) < 18 {
			continue
		}
		num := func(i int) int64 { n, _ := strconv.ParseFloat(w[i-1], 64); return int64(n) }
		p := num(8)
		if p <= 0 {
			p = num(5)
		}
		j := SimJob{Submit: num(2), Run: num(4), Limit: num(9), Procs: int(p), UID: uint32(num(12)), User: "u" + w[11]}
		if j.Limit <= 0 {
			j.Limit = j.Run
		}
		if procs == 0 {
			procs = maxNodes
		}
		if j.Run <= 0 || p <= 0 || int(p) > procs || j.Submit < 0 {
			continue
		}
		rows = append(rows, row{j, num(1)})
	}
	sort.SliceStable(rows, func(a, b int) bool { return rows[a].Submit < rows[b].Submit })
	for _, r := range rows {
		jobs, numbers = append(jobs, r.SimJob), append(numbers, r.number)
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

// BenchmarkReplay replays the whole SDSC-SP2 log under EASY.
func BenchmarkReplay(b *testing.B) {
	jobs, _, procs := readLog(b, filepath.Join(traces(b), "SDSC-SP2-1998-4.2-cln.swf.gz"))
	for _, policy := range []string{"easy", "easy-sjbf", "conservative"} {
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
