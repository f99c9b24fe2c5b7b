package sched

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// recorded is a cluster on which placements were recorded.
type recorded struct {
	cfg     *Config
	nodes   []*Node
	running []*Job
	next    slurm.JobID
}

// recordedConf is the cluster of refConf, changed as a line of the table says:
// select=PARAMETERS, threads (two to a core), partitions (some that share or
// bound) or tree (ten nodes behind four leaf switches).
func recordedConf(t *testing.T, words []string) *recorded {
	t.Helper()
	conf, gres, topology := refConf, refGres, ""
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "select":
			conf = strings.Replace(conf, "CR_CPU_Memory", value, 1)
		case "threads":
			conf = strings.ReplaceAll(conf, "CoresPerSocket=8", "CoresPerSocket=4 ThreadsPerCore=2")
		case "partitions":
			conf += "PartitionName=force Nodes=ALL OverSubscribe=FORCE:2\nPartitionName=yes Nodes=ALL OverSubscribe=YES:2\n" +
				"PartitionName=excl Nodes=ALL OverSubscribe=EXCLUSIVE\nPartitionName=maxc Nodes=ALL MaxCPUsPerNode=8\n" +
				"PartitionName=lln Nodes=ALL LLN=YES\nPartitionName=userx Nodes=ALL ExclusiveUser=YES\n"
		case "tree":
			gres = ""
			conf = conf[:strings.Index(conf, "GresTypes")] + "TopologyPlugin=topology/tree\n" +
				"NodeName=n[1-10] CPUs=16 Sockets=2 CoresPerSocket=8 RealMemory=64000\nPartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
			topology = treeConf
		default:
			t.Fatalf("no such change: %s", word)
		}
	}
	r := &recorded{next: 1}
	r.cfg, r.nodes = clusterOf(t, conf, gres, topology)
	return r
}

const treeConf = `SwitchName=s1 Nodes=n[1-2]
SwitchName=s2 Nodes=n[3-5]
SwitchName=s3 Nodes=n[6-8]
SwitchName=s4 Nodes=n[9-10]
SwitchName=a1 Switches=s[1-2]
SwitchName=a2 Switches=s[3-4]
SwitchName=top Switches=a[1-2] LinkSpeed=100
`

// clusterOf reads a cluster's files and lets all of its nodes be idle.
func clusterOf(t testing.TB, conf, gres, topology string) (*Config, []*Node) {
	t.Helper()
	read := func(text string) slurm.FileReader { return func(string) ([]byte, error) { return []byte(text), nil } }
	c, _, err := slurm.ParseConf("slurm.conf", read(conf))
	if err != nil {
		t.Fatal(err)
	}
	g, _, err := slurm.ParseGresConf("gres.conf", read(gres))
	if err != nil {
		t.Fatal(err)
	}
	cfg, nodes, err := NewConfig(c, g)
	if err != nil {
		t.Fatal(err)
	}
	net, _, err := slurm.ParseTopologyConf("topology.conf", read(topology))
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Topology, err = NewTopology(c, net, nodes); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		n.State, n.Registered = slurm.NodeIdle, true
	}
	return cfg, nodes
}

func (r *recorded) submit(t *testing.T, line string) (*Job, error) {
	j, _, err := refJob(t, r.cfg, r.nodes, slurm.Salloc, line)
	if err != nil {
		return nil, err
	}
	r.next++
	j.ID = r.next
	plan := Cycle(View{Config: r.cfg, Nodes: r.nodes, Pending: []*Job{j}, Running: r.running, LicensesAll: r.cfg.Licenses}, refNow)
	if len(plan.Starts) == 0 {
		return nil, errors.New("it waits")
	}
	one := *j
	one.State, one.Alloc, one.Partition, one.Start, one.TimeLimit = slurm.JobRunning, plan.Starts[0].Alloc, plan.Starts[0].Partition, refNow, slurm.Unlimited
	return &one, nil
}

// TestPlacementsAreSlurms holds placing against what Slurm 22.05 does: on a
// cluster ("= changes"), with jobs running ("+ options", "clear") and weights
// ("! node weight"), each line is a job alone and where it got to.
func TestPlacementsAreSlurms(t *testing.T) {
	var r *recorded
	where := ""
	for _, row := range rows(t, "placements.tsv") {
		line := row[0]
		switch {
		case line == "":
		case strings.HasPrefix(line, "="):
			words := strings.Fields(line)[1:]
			r, where = recordedConf(t, words), strings.Join(words, " ")+":"
		case line == "clear":
			r.running = nil
			where, _, _ = strings.Cut(where, ":")
			where += ":"
		case strings.HasPrefix(line, "+ "):
			j, err := r.submit(t, line[2:])
			if err != nil {
				t.Fatalf("%s %s: %v", where, line, err)
			}
			r.running = append(r.running, j)
			where += line + ";"
		case strings.HasPrefix(line, "! "):
			f := strings.Fields(line)
			weight, _ := strconv.Atoi(f[2])
			i := slices.IndexFunc(r.nodes, func(n *Node) bool { return string(n.Name) == f[1] })
			r.nodes[i].Weight = uint32(weight)
			where += line + ";"
		default:
			t.Run(where+line, func(t *testing.T) {
				got := "refused"
				j, err := r.submit(t, line)
				if err == nil {
					got = fmt.Sprint(nodeListText(j.Nodes()), " ", slurm.FormatRunLengths(ShownCPUs(j, r.cfg)), " ",
						slurm.FormatRunLengths(tasksPerNode(j, r.cfg)), " ", JobTRES(j, r.cfg))
				} else if err.Error() == "it waits" {
					got = "waits"
				}
				if want := strings.Join(row[1:], " "); got != want {
					t.Errorf("got %s\nwant %s", got, want)
				}
			})
		}
	}
}

// TestJobsMayKeepCoresBack: where AllowSpecResourcesUsage is set a job says how much
// of its nodes, which it has whole, is left to the system.
func TestJobsMayKeepCoresBack(t *testing.T) {
	conf := "ClusterName=ref\nSlurmctldHost=vm\nAllowSpecResourcesUsage=yes\nDefMemPerCPU=100\nSelectTypeParameters=CR_Core_Memory\n" +
		"NodeName=n1 CPUs=16 Sockets=2 CoresPerSocket=4 ThreadsPerCore=2 RealMemory=64000 CoreSpecCount=1\nPartitionName=debug Nodes=ALL Default=YES\n"
	r := &recorded{next: 1}
	r.cfg, r.nodes = clusterOf(t, conf, "", "")
	for line, want := range map[string]int{"-n 1": 2, "--exclusive -n 1": 14, "--core-spec=3 -n 1": 10, "-S 0 -n 1": 16, "--thread-spec=1 -n 1": 15} {
		j, err := r.submit(t, line)
		if err != nil || j.Alloc[0].CPUs != want {
			t.Errorf("%s: %+v, %v; want %d CPUs", line, j, err, want)
		}
	}
}
