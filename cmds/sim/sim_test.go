package sim

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
)

// call runs the command with a clock that stands still.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &cli.Env{Name: "rink sim", Args: args, Stdout: &out, Stderr: &errs, Now: func() time.Time { return time.Unix(0, 0).UTC() }}
	code = Run(env)
	return code, out.String(), errs.String()
}

// ok runs the command, which must succeed without a word on stderr.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := call(t, args...)
	if code != 0 || errs != "" {
		t.Fatalf("%v: exit %d, %s", args, code, errs)
	}
	return out
}

func golden(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStartsAsReckonedByHand(t *testing.T) {
	for _, policy := range []string{"easy", "sjf-easy"} {
		if got, want := ok(t, "--trace", "testdata/small.swf", "--policy", policy, "--csv", "-"), golden(t, "small."+policy+".csv"); got != want {
			t.Errorf("%s:\n%swant\n%s", policy, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	got := ok(t, "--trace", "testdata/small.swf", "--policy", "easy", "--with", "SchedulerPolicy=sjf-easy")
	if want := golden(t, "small.txt"); got != want {
		t.Errorf("the table is\n%swant\n%s", got, want)
	}
}

func TestJSON(t *testing.T) {
	var got struct {
		Jobs       int     `json:"jobs"`
		MeanWait   float64 `json:"mean_wait"`
		MedianWait float64 `json:"median_wait"`
		P95Wait    float64 `json:"p95_wait"`
		MaxWait    float64 `json:"max_wait"`
		MeanBSLD   float64 `json:"mean_bsld"`
		P95BSLD    float64 `json:"p95_bsld"`
		Util       float64 `json:"util"`
		UtilW      float64 `json:"util_w"`
		Makespan   float64 `json:"makespan"`
		Wall       *float64
		With       []struct {
			Set    string             `json:"set"`
			Change map[string]float64 `json:"change_percent"`
		} `json:"with"`
	}
	text := ok(t, "--trace", "testdata/small.swf", "--policy", "easy", "--json", "--with", "SchedulerPolicy=easy", "--with", "SchedulerPolicy=sjf-easy")
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	near := func(name string, got, want float64) {
		if d := got - want; d < -1e-9 || d > 1e-9 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	near("jobs", float64(got.Jobs), 7)
	near("mean_wait", got.MeanWait, 485.0/7)
	near("median_wait", got.MedianWait, 30)
	near("p95_wait", got.P95Wait, 220)
	near("max_wait", got.MaxWait, 220)
	near("mean_bsld", got.MeanBSLD, 37.7/7)
	near("p95_bsld", got.P95BSLD, 22.5)
	near("util", got.Util, 710.0/(4*280))
	near("util_w", got.UtilW, 655.0/(4*260))
	near("makespan", got.Makespan, 280)
	if len(got.With) != 2 || got.With[1].Set != "SchedulerPolicy=sjf-easy" {
		t.Fatalf("with is %+v", got.With)
	}
	near("no change", got.With[0].Change["mean_wait"], 0)
	near("change of max_wait", got.With[1].Change["max_wait"], (95.0-220)/220*100)
	if !strings.Contains(text, `"wall_seconds": 0`) {
		t.Errorf("no wall_seconds in %s", text)
	}
}

func TestGzipAndFirstJobs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "small.swf.gz")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(golden(t, "small.swf")))
	z.Close()
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.csv")
	ok(t, "--trace", file, "--policy", "easy", "-n", "2", "--csv", out)
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := "job,submit,start,end\n1,0,0,100\n2,10,100,150\n"; string(got) != want {
		t.Errorf("starts are\n%swant\n%s", got, want)
	}
}

// TestCluster has the jobs of one queue in a partition that goes first and takes
// two minutes at most, and one job that asks for more memory than a node has.
func TestCluster(t *testing.T) {
	code, got, errs := call(t, "--trace", "testdata/small.swf", "--config", "testdata/cluster.conf", "--partitions", "long,short", "--csv", "-")
	want := `job,submit,start,end
1,0,0,100
2,10,100,150
3,20,20,50
4,20,-1,-1
5,30,150,155
6,110,155,175
9,260,260,280
`
	if code != 0 || got != want {
		t.Errorf("starts are\n%swant\n%s", got, want)
	}
	if want := "rink sim: warning: easy: 1 jobs are refused at their submission: Requested time limit is invalid (missing or exceeds some limit)\n"; errs != want {
		t.Errorf("stderr is %q, want %q", errs, want)
	}
	// A third node more, and nobody waits for the first job.
	got = ok(t, "--trace", "testdata/small.swf", "--config", "testdata/cluster.conf", "--partitions", "0=long,1=long", "--csv", "-",
		"--with", "SchedulerPolicy=sjf-easy;EnforcePartLimits=NO")
	if !strings.HasPrefix(got, "job,submit,start,end,start2,end2\n") || !strings.Contains(got, "\n5,30,250,255,100,105\n") {
		t.Errorf("starts are\n%s", got)
	}
}

// TestTopology has a job of two processors wait for a switch of its own.
func TestTopology(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"slurm.conf": "ClusterName=x\nSlurmctldHost=x\nSelectTypeParameters=CR_CPU\nSchedulerPolicy=easy\nTopologyPlugin=topology/tree\n" +
			"NodeName=n[1-4] CPUs=1\nPartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE\n",
		"topology.conf": "SwitchName=a Nodes=n[1-2]\nSwitchName=b Nodes=n[3-4]\n",
		"log.swf":       "1 0 0 100 1\n2 0 0 100 2\n3 0 0 50 3\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Without a switch above both no job gets nodes of both.
	code, got, errs := call(t, "--trace", filepath.Join(dir, "log.swf"), "--config", filepath.Join(dir, "slurm.conf"), "--csv", "-",
		"--with", "TopologyPlugin=topology/none")
	if want := "job,submit,start,end,start2,end2\n1,0,0,100,0,100\n2,0,0,100,0,100\n3,0,-1,-1,100,150\n"; code != 0 || got != want {
		t.Errorf("exit %d, %s, starts are\n%swant\n%s", code, errs, got, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "topology.conf"), []byte("SwitchName=a Bogus=1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := call(t, "--trace", filepath.Join(dir, "log.swf"), "--config", filepath.Join(dir, "slurm.conf")); code != 1 || !strings.Contains(errs, "topology.conf:1: ") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestExports(t *testing.T) {
	want := "job,submit,start,end\n100,0,0,100\n101_7,20,100,130\n"
	for _, file := range []string{"export.psv", "export.jsonl", "export.csv"} {
		if got := ok(t, "--trace", "testdata/"+file, "--config", "testdata/cluster.conf", "--csv", "-"); got != want {
			t.Errorf("%s: starts are\n%swant\n%s", file, got, want)
		}
		if got := ok(t, "--trace", "testdata/"+file, "--procs", "5", "--policy", "easy", "--csv", "-"); !strings.Contains(got, "\n101_7,20,20,50\n") {
			t.Errorf("%s: starts on five processors are\n%s", file, got)
		}
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	small, conf := "testdata/small.swf", "testdata/cluster.conf"
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"NoTrace", nil, "--trace=FILE is missing"},
		{"Argument", []string{"--trace", small, "x"}, `unexpected argument "x"`},
		{"MissingFile", []string{"--trace", "nosuch.swf"}, "cannot read the log: open nosuch.swf: no such file or directory"},
		{"BadLine", []string{"--trace", write("bad.swf", "; MaxProcs: 4\n1 2 3\n")}, "bad.swf:2: it has 3 fields, 5 of 18 at least make a job"},
		{"EmptyLog", []string{"--trace", write("empty.swf", "; MaxProcs: 4\n")}, "empty.swf has no job that can be replayed on 4 processors, of 0 records"},
		{"NoProcessors", []string{"--trace", write("bare.swf", "1 0 0 5 1\n")}, "bare.swf does not say how many processors there were"},
		{"BadGzip", []string{"--trace", write("bad.gz", "\x1f\x8bnonsense")}, "cannot read the log"},
		{"UnknownPolicy", []string{"--trace", small, "--policy", "fast"}, "--policy=fast is none of " + strings.Join(sched.Policies, ", ")},
		{"UnknownPolicyWith", []string{"--trace", small, "--with", "SchedulerPolicy=fast"}, "--with:2: cannot use SchedulerPolicy=fast: it is none of " + strings.Join(sched.Policies, ", ")},
		{"UnknownKeyWith", []string{"--trace", small, "--policy", "easy", "--with", "Nosuch=1"}, "--with:3: cannot use Nosuch=1: there is no such key"},
		{"MissingConfig", []string{"--trace", small, "--config", "nosuch.conf"}, "cannot read the configuration: open nosuch.conf: no such file or directory"},
		{"BadConfig", []string{"--trace", small, "--config", write("bad.conf", "ClusterName=x\nSlurmctldHost=x\nNosuch=1\n")}, "bad.conf:3: cannot use Nosuch=1"},
		{"NoNodes", []string{"--trace", small, "--config", write("none.conf", "ClusterName=x\nSlurmctldHost=x\n")}, "none.conf describes no node that is in service"},
		{"BothClusters", []string{"--trace", small, "--config", conf, "--procs", "4"}, "--procs and --config both say what the cluster is"},
		{"PartitionsAlone", []string{"--trace", small, "--partitions", "long"}, "--partitions needs --config"},
		{"UnknownPartition", []string{"--trace", small, "--config", conf, "--partitions", "long,nosuch"}, `--partitions: testdata/cluster.conf has no partition "nosuch"`},
		{"TooFewPartitions", []string{"--trace", small, "--config", conf, "--partitions", "long"}, "--partitions says nothing of queue 1 of the log, which has 0, 1"},
		{"TooManyPartitions", []string{"--trace", small, "--config", conf, "--partitions", "long,long,long"}, "--partitions has 3 names, the log has only 2 queues"},
		{"Field", []string{"--trace", small, "--by", "user"}, "--by=user is none of queue, partition"},
		{"First", []string{"--trace", small, "-n", "-1"}, "-n -1 is not a number of jobs"},
		{"ExportColumns", []string{"--trace", write("cols.psv", "JobID|User\n1|x\n"), "--procs", "4"}, "cols.psv:1: there is no column Submit"},
		{"ExportTime", []string{"--trace", write("time.psv", "JobID|Submit|ElapsedRaw|ReqCPUS\n1|soon|5|1\n"), "--procs", "4"}, `time.psv:2: Submit of job 1, "soon", cannot be read`},
		{"ExportFields", []string{"--trace", write("short.csv", "JobID,Submit,ElapsedRaw,ReqCPUS\n1,5\n"), "--procs", "4"}, "short.csv:2: it has 2 fields, the first line names 4"},
		{"ExportObject", []string{"--trace", write("bad.jsonl", "{\"job_id\": 1\n"), "--procs", "4"}, "bad.jsonl:1: it is no object of JSON"},
		{"CSVFile", []string{"--trace", small, "--policy", "easy", "--csv", filepath.Join(dir, "no", "dir")}, "cannot write the start times: open "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := call(t, tt.args...)
			if code != 1 || !strings.HasPrefix(errs, "rink sim: error: ") || !strings.Contains(errs, tt.want) || out != "" {
				t.Errorf("exit %d, stdout %q, stderr %q, want %q", code, out, errs, tt.want)
			}
		})
	}
}

// rows finds the figures of a policy in a table of the page on the logs.
func rows(page, policy string) string {
	m := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(policy) + ` \|(.*)\|$`).FindStringSubmatch(page)
	if m == nil {
		return ""
	}
	cells := strings.Split(m[1], "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return strings.Join(cells[:9], " ")
}

// TestFiguresOfWholeLogs prints the digits that the page on the logs has.
func TestFiguresOfWholeLogs(t *testing.T) {
	dir := os.Getenv("RINK_TRACES")
	if dir == "" {
		dir = "../../../shared/traces"
	}
	page, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Skip("no workload logs: set RINK_TRACES")
	}
	if testing.Short() {
		t.Skip("the whole logs take seconds")
	}
	for _, log := range []string{"KTH-SP2-1996-2", "SDSC-SP2-1998-4.2-cln", "ALCF-Theta-2022", "Lublin-256"} {
		_, section, found := strings.Cut(string(page), "\n### "+log+" ")
		first, all, whole := strings.Cut(section, "\nAll ")
		if all, _, _ = strings.Cut(all, "\n### "); !found || !whole {
			t.Fatalf("%s has no table", log)
		}
		for _, tt := range []struct{ policy, row, table, n string }{
			{"easy", "easy", all, "0"}, {"easy-sjbf", "easy-sjbf", all, "0"}, {"sjf-easy", "sjf-easy", all, "0"},
			{"conservative", "cons", first, "5000"},
		} {
			t.Run(log+"/"+tt.policy, func(t *testing.T) {
				want := rows(tt.table, tt.row)
				if want == "" {
					t.Fatal("no such row")
				}
				var got []string
				for line := range strings.Lines(ok(t, "--trace", filepath.Join(dir, log+".swf.gz"), "--policy", tt.policy, "-n", tt.n)) {
					got = append(got, line[strings.LastIndexByte(strings.TrimSpace(line), ' ')+1:len(line)-1])
				}
				if g := strings.Join(got[3:12], " "); g != want {
					t.Errorf("figures are %s, want %s", g, want)
				}
			})
		}
	}
}

// FuzzTrace reads whatever it is given without falling over, and what it takes
// can be replayed.
func FuzzTrace(f *testing.F) {
	for _, file := range []string{"small.swf", "export.psv", "export.csv", "export.jsonl"} {
		text, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		log, err := parseTrace("log", bufio.NewReader(strings.NewReader(text)), time.UTC)
		if err != nil {
			return
		}
		o := options{Trace: "log", Policy: "easy", By: "queue", Procs: 4, First: 50}
		c, err := o.cluster(log, "")
		if err != nil {
			t.Fatal(err)
		}
		load, err := log.load(o, c)
		if err != nil {
			return
		}
		r, err := sched.Simulation{Config: c.config, Nodes: c.nodes}.Run(load.jobs)
		if err != nil {
			return // beyond the end of time
		}
		for i, run := range r.Runs {
			if run.Start < load.jobs[i].Submit || run.End <= run.Start {
				t.Errorf("job %s, %+v, ran %v", load.labels[i], load.jobs[i], run)
			}
		}
	})
}

// TestCutShort has a log that a copy stopped in the middle of said to be so, not
// to have a bad line.
func TestCutShort(t *testing.T) {
	text := strings.Repeat("1 0 -1 10 1 -1 -1 1 60 -1 1 1 1 -1 1 -1 -1 -1\n", 200)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for i := range 200 { // not all alike, so that something is left of it when cut
		fmt.Fprintf(z, "%d %d -1 %d 1 -1 -1 1 60 -1 1 1 1 -1 1 -1 -1 -1\n", i, i*i, i*7919%1000)
	}
	io.WriteString(z, text)
	z.Close()
	file := filepath.Join(t.TempDir(), "cut.swf.gz")
	if err := os.WriteFile(file, b.Bytes()[:b.Len()/2], 0o644); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := call(t, "--trace", file, "--procs", "4")
	if code != 1 || !strings.HasSuffix(stderr, ": the file ends in the middle: it was cut short\n") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}
