package sinfo

import (
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/cmds/internal/show/showtest"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// run runs sinfo on a cluster and returns what it prints and its exit status.
func run(t *testing.T, c *showtest.Cluster, args []string, vars ...string) (stdout, stderr string, code int) {
	t.Helper()
	env, out, errs := showtest.Env("sinfo", args, vars...)
	o, err := parse(env)
	if err != nil {
		return out.String(), err.Error() + "\n", 1
	}
	if o.done != "" {
		return o.done, "", 0
	}
	o.me = 3001
	code = list(env, o, c, "ref")
	return out.String(), errs.String(), code
}

func lines(list ...string) string { return strings.Join(list, "\n") + "\n" }

// four is a cluster of four nodes in five partitions; each change is made to all
// nodes.
func four(changes ...func(*sched.Node)) *showtest.Cluster {
	features := map[string]string{"n1": "fast,ib,rack1", "n2": "fast,eth,rack1", "n3": "slow,ib,rack2", "n4": "slow,eth,rack2"}
	c := &showtest.Cluster{Parts: []*sched.Partition{
		showtest.Part("debug", "n[1-4]", func(p *sched.Partition) { p.Default = true }),
		showtest.Part("short", "n[1-2]", func(p *sched.Partition) { p.MaxTime, p.DefaultTime = 3600, 600 }),
		showtest.Part("single", "n[3-4]", func(p *sched.Partition) { p.MaxTime, p.MaxNodes = 2*86400, 1 }),
		showtest.Part("chem", "n4"),
		showtest.Part("closed", "n4", func(p *sched.Partition) { p.State = "DOWN" }),
	}}
	for _, name := range []string{"n1", "n2", "n3", "n4"} {
		all := append([]func(*sched.Node){func(n *sched.Node) { n.Features = strings.Split(features[name], ",") }}, changes...)
		c.NodeList = append(c.NodeList, showtest.Node(name, slurm.NodeIdle, all...))
	}
	return c
}

// busy is the four nodes with one job of 4 CPUs on n1 and one of 16 on n2.
func busy(more func(*sched.Node)) *showtest.Cluster {
	return four(func(n *sched.Node) {
		switch n.Name {
		case "n1":
			n.UsedCPUs, n.Running = 4, []slurm.JobID{1}
		case "n2":
			n.UsedCPUs, n.Running = 16, []slurm.JobID{2}
		}
		if more != nil {
			more(n)
		}
	})
}

// broken is busy with n1 and n3 drained and n4 down.
func broken() *showtest.Cluster {
	return busy(func(n *sched.Node) {
		switch n.Name {
		case "n1", "n3":
			n.State |= slurm.NodeDrain
			n.Reason = "bad disk"
		case "n4":
			n.State, n.Reason = slurm.NodeDown, "no power"
		}
		n.ReasonUser, n.ReasonTime = "root", showtest.Ago(time.Minute)
	})
}

func TestTables(t *testing.T) {
	for _, test := range []struct {
		name    string
		cluster *showtest.Cluster
		args    []string
		vars    []string
		want    string
	}{
		{"Default", four(), nil, nil, lines(
			"PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST",
			"debug*       up   infinite      4   idle n[1-4]",
			"short        up    1:00:00      2   idle n[1-2]",
			"single       up 2-00:00:00      2   idle n[3-4]",
			"chem         up   infinite      1   idle n4",
			"closed     down   infinite      1   idle n4")},
		{"Summary", four(), []string{"-s"}, nil, lines(
			"PARTITION AVAIL  TIMELIMIT   NODES(A/I/O/T) NODELIST",
			"debug*       up   infinite          0/4/0/4 n[1-4]",
			"short        up    1:00:00          0/2/0/2 n[1-2]",
			"single       up 2-00:00:00          0/2/0/2 n[3-4]",
			"chem         up   infinite          0/1/0/1 n4",
			"closed     down   infinite          0/1/0/1 n4")},
		{"OnePartition", four(), []string{"-hp", "short"}, nil, "short        up    1:00:00      2   idle n[1-2]\n"},
		{"NaturalWidths", four(), []string{"-o", "%P %a %l %D %t %N", "-p", "debug"}, nil, lines(
			"PARTITION AVAIL TIMELIMIT NODES STATE NODELIST", "debug* up infinite 4 idle n[1-4]")},
		{"NodeByNode", four(), []string{"-N", "-p", "short,debug"}, nil, lines(
			"NODELIST   NODES PARTITION STATE ",
			"n1             1    debug* idle  ", "n1             1     short idle  ", "n2             1    debug* idle  ",
			"n2             1     short idle  ", "n3             1    debug* idle  ", "n4             1    debug* idle  ")},
		{"Long", four(), []string{"-l"}, nil, lines(
			"Sun Mar 04 12:00:00 2035",
			"PARTITION AVAIL  TIMELIMIT   JOB_SIZE ROOT OVERSUBS     GROUPS  NODES       STATE NODELIST",
			"debug*       up   infinite 1-infinite   no       NO        all      4        idle n[1-4]",
			"short        up    1:00:00 1-infinite   no       NO        all      2        idle n[1-2]",
			"single       up 2-00:00:00          1   no       NO        all      2        idle n[3-4]",
			"chem         up   infinite 1-infinite   no       NO        all      1        idle n4",
			"closed     down   infinite 1-infinite   no       NO        all      1        idle n4")},
		{"LongNodeByNode", four(), []string{"-Nlh", "-pdebug"}, nil, lines(
			"n1             1    debug*        idle 16      2:8:1  64000        0      1 fast,ib, none                ",
			"n2             1    debug*        idle 16      2:8:1  64000        0      1 fast,eth none                ",
			"n3             1    debug*        idle 16      2:8:1  64000        0      1 slow,ib, none                ",
			"n4             1    debug*        idle 16      2:8:1  64000        0      1 slow,eth none                ")},
		{"NoNodeLeft", four(), []string{"-d"}, nil, lines(
			"PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST",
			"debug*       up   infinite      0    n/a ", "short        up    1:00:00      0    n/a ", "single       up 2-00:00:00      0    n/a ",
			"chem         up   infinite      0    n/a ", "closed     down   infinite      0    n/a ")},
		{"NoNodeLeftAndNoPartitionPrinted", four(), []string{"-d", "-h", "-o", "%N %t", "-p", "debug"}, nil, ""},
		{"Responding", four(), []string{"-r", "-h", "-p", "short"}, nil, "short        up    1:00:00      2   idle n[1-2]\n"},
		{"TwoPartitions", four(), []string{"-p", "short,single", "-h", "-o", "%P %D"}, nil, "short 2\nsingle 2\n"},
		{"OneNode", four(), []string{"-h", "-n", "n3", "-o", "%P %N"}, nil, "debug* n3\nshort \nsingle n3\nchem \nclosed \n"},
		{"PartitionFromTheEnvironment", four(), []string{"-h", "-o", "%P %N"}, []string{"SINFO_PARTITION=short"}, "short n[1-2]\n"},
		{"FormatFromTheEnvironment", four(), []string{"-h"}, []string{"SINFO_FORMAT=%P %l"}, lines(
			"debug* infinite", "short 1:00:00", "single 2-00:00:00", "chem infinite", "closed infinite")},
		{"WithoutPartitionsNodesCountOnce", four(), []string{"-h", "-o", "%D %C"}, nil, "4 0/64/0/64\n"},
		{"StatesApart", busy(nil), []string{"-h", "-p", "debug", "-o", "%D %t %T %N"}, nil, lines(
			"1 mix mixed n1", "1 alloc allocated n2", "2 idle idle n[3-4]")},
		{"Counts", busy(nil), []string{"-h", "-p", "debug", "-o", "%A %F %C"}, nil, "2/2 2/2/0/4 20/44/0/64\n"},
		{"DrainedAndDown", broken(), []string{"-h", "-p", "debug", "-o", "%D %t %T %N"}, nil, lines(
			"1 drng draining n1", "1 drain drained n3", "1 alloc allocated n2", "1 down down n4")},
		{"StateDrain", broken(), []string{"-h", "-p", "debug", "-t", "drain", "-o", "%N"}, nil, "n[1,3]\n"},
		{"StateDown", broken(), []string{"-h", "-p", "debug", "-t", "down", "-o", "%N"}, nil, "n4\n"},
		{"StateAlloc", broken(), []string{"-h", "-p", "debug", "-t", "alloc", "-o", "%N"}, nil, "n[1-2]\n"},
		{"StateMix", broken(), []string{"-h", "-p", "debug", "-t", "mix", "-o", "%N"}, nil, ""},
		{"StateIdle", broken(), []string{"-h", "-p", "debug", "-t", "idle", "-o", "%N"}, nil, "n3\n"},
		{"TwoStates", broken(), []string{"-h", "-p", "debug", "-t", "drained,draining", "-N", "-o", "%N %t"}, nil, "n1 drng\nn3 drain\n"},
		{"Reasons", broken(), []string{"-R"}, nil, lines(
			"REASON               USER      TIMESTAMP           NODELIST",
			"bad disk             root      2035-03-04T11:59:00 n[1,3]",
			"no power             root      2035-03-04T11:59:00 n4")},
		{"ReasonsOfAHealthyCluster", four(), []string{"-R", "-h"}, nil, ""},
		{"NotResponding", four(func(n *sched.Node) {
			if n.Name == "n2" {
				n.State = slurm.NodeDown | slurm.NodeNotResponding
			}
		}), []string{"-h", "-p", "short"}, nil, lines(
			"short        up    1:00:00      1  down* n2", "short        up    1:00:00      1   idle n1")},
		{"Completing", four(func(n *sched.Node) {
			n.Running, n.CompletingJobs, n.UsedCPUs = []slurm.JobID{1}, 1, 16
			if n.Name == "n2" {
				n.Running = []slurm.JobID{1, 2}
			}
		}), []string{"-h", "-p", "short", "-o", "%t %N"}, nil, "alloc+ n2\ncomp n1\n"},
		{"NamesWithWidths", four(), []string{"-h", "-p", "short", "-O", "NodeList:10,StateCompact:.6,CPUs: ,gres:8,Features"}, nil, lines(
			"n1          idle16 (null)  fast,ib,rack1       ", "n2          idle16 (null)  fast,eth,rack1      ")},
		{"LoadAndFreeMemory", four(), []string{"-h", "-p", "short", "-o", "%O %e %m %v %w"}, nil, "0.25 60000 64000 0.1.0 1\n"},
		{"NoReservations", four(), []string{"-T"}, nil, "No reservations in the system\n"},
		{"Reservations", reserved(), []string{"-T"}, nil, lines(
			"RESV_NAME       STATE           START_TIME             END_TIME     DURATION  NODELIST",
			"x              ACTIVE  2035-03-04T12:00:00  2035-03-04T13:00:00     01:00:00  n[1-2]",
			"longer_name  INACTIVE  2035-03-05T12:00:00  2036-03-04T12:00:00  365-00:00:00  (null)")},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, stderr, code := run(t, test.cluster, test.args, test.vars...)
			if got != test.want || code != 0 {
				t.Errorf("printed\n%s\nwant\n%s\nstderr %q, exit status %d", got, test.want, stderr, code)
			}
		})
	}
}

func TestNodesOfDifferentMake(t *testing.T) {
	c := four(func(n *sched.Node) {
		if n.Name == "n2" {
			n.CPUs, n.Cores, n.Memory = 32, 16, 128000
		}
	})
	for _, test := range []struct{ args, want string }{
		{"-h -p short -o %D|%c|%z|%m", "2|16+|2:8+:1|64000+\n"},
		{"-h -e -p short -o %D|%c|%z|%m", "1|16|2:8:1|64000\n1|32|2:16:1|128000\n"},
		{"-h -e -p short -o %D", "2\n"},
	} {
		if got, _, _ := run(t, c, strings.Fields(test.args)); got != test.want {
			t.Errorf("sinfo %s: %q, want %q", test.args, got, test.want)
		}
	}
}

func TestNodesSortByNumber(t *testing.T) {
	c := &showtest.Cluster{Parts: []*sched.Partition{showtest.Part("a-partition-of-many", "n[1-12]")}}
	for _, name := range []string{"n10", "n9", "n2"} {
		c.NodeList = append(c.NodeList, showtest.Node(name, slurm.NodeIdle))
	}
	got, _, _ := run(t, c, []string{"-N"})
	want := lines("NODELIST   NODES           PARTITION STATE ",
		"n2             1 a-partition-of-many idle  ", "n9             1 a-partition-of-many idle  ", "n10            1 a-partition-of-many idle  ")
	if got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestGres(t *testing.T) {
	c := four(func(n *sched.Node) {
		n.Gres = []sched.NodeGres{{Name: "gpu", Type: "a100", Count: 4, Files: []string{"/dev/x0", "/dev/x1", "/dev/x2", "/dev/x3"}}}
		if n.Name == "n1" {
			n.UsedGres = []sched.GresAlloc{{Name: "gpu", Type: "a100", Count: 2, Index: []int{0, 1}}}
		}
	})
	got, _, _ := run(t, c, []string{"-h", "-p", "short", "-O", "gres:14,gresused:30,nodelist:0"})
	want := lines("gpu:a100:4    gpu:a100:2(IDX:0-1)           n1", "gpu:a100:4    gpu:a100:0(IDX:N/A)           n2")
	if got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestHiddenPartitions(t *testing.T) {
	c := four()
	c.Parts[3].Hidden = true
	if got, _, _ := run(t, c, []string{"-h", "-o", "%R"}); got != "debug\nshort\nsingle\nclosed\n" {
		t.Errorf("printed %q", got)
	}
	if got, _, _ := run(t, c, []string{"-ah", "-o", "%R"}); !strings.Contains(got, "chem\n") {
		t.Errorf("with -a printed %q", got)
	}
}

func TestEveryColumn(t *testing.T) {
	c := broken()
	for _, column := range columns() {
		for _, name := range column.Names {
			out, stderr, code := run(t, c, []string{"-O", name + ":30"})
			if code != 0 || stderr != "" || !strings.HasPrefix(out, column.Header+" ") || strings.Count(out, "\n") < 2 {
				t.Errorf("sinfo -O %s: %q, stderr %q, exit status %d", name, out, stderr, code)
			}
		}
	}
	seen := map[byte]bool{}
	for _, column := range columns() {
		if column.Letter != 0 && seen[column.Letter] {
			t.Errorf("letter %c stands for two columns", column.Letter)
		}
		seen[column.Letter] = true
	}
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
		code int
	}{
		{"BadState", []string{"-t", "idle,nosuch"}, "sinfo: error: Bad state string: \"nosuch\"\n", 1},
		{"UnknownOption", []string{"-X"}, "sinfo: invalid option -- 'X'\n", 1},
		{"UnknownField", []string{"-h", "-O", "nosuch"}, "sinfo: error: Invalid job format specification: nosuch\n", 0},
		{"UnknownLetter", []string{"-h", "-o", "%!"}, "Invalid node format specification: !\n", 0},
		{"StrayWord", []string{"n1"}, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, stderr, code := run(t, four(), test.args)
			if !strings.HasPrefix(stderr, test.want) || code != test.code {
				t.Errorf("said %q, exit status %d; want %q, %d", stderr, code, test.want, test.code)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	out, _, code := run(t, busy(nil), []string{"--json", "-p", "short"})
	if code != 0 || !strings.Contains(out, `"allocated": 16`) || !strings.Contains(out, `"ALLOCATED"`) {
		t.Errorf("exit status %d, printed\n%s", code, out)
	}
}

// BenchmarkList is a listing of five thousand nodes.
func BenchmarkList(b *testing.B) {
	c := &showtest.Cluster{Parts: []*sched.Partition{showtest.Part("a", "n[1-5000]"), showtest.Part("b", "n[1-5000]")}}
	for _, name := range c.Parts[0].Nodes {
		c.NodeList = append(c.NodeList, showtest.Node(string(name), slurm.NodeIdle))
	}
	for b.Loop() {
		env, _, _ := showtest.Env("sinfo", nil)
		o, _ := parse(env)
		if code := list(env, o, c, "ref"); code != 0 {
			b.Fatal("exit status", code)
		}
	}
}

// reserved is the cluster with two reservations.
func reserved() *showtest.Cluster {
	c := four()
	c.Resvs = []*sched.Reservation{
		{Name: "x", Start: showtest.Now, End: showtest.Now.Add(time.Hour), Nodes: []sched.NodeName{"n1", "n2"}},
		{Name: "longer_name", Start: showtest.Now.AddDate(0, 0, 1), End: showtest.Now.AddDate(0, 0, 366)},
	}
	return c
}
