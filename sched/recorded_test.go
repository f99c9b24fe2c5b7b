package sched

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

// refConf is a cluster of four nodes with two partitions too small for some jobs,
// one that is closed to most accounts and one that is down.
const refConf = `
ClusterName=ref
SlurmctldHost=vm
MaxArraySize=200001
DefMemPerCPU=100
Licenses=matlab:4,ansys:2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PriorityType=priority/multifactor
PriorityMaxAge=7-0
PriorityWeightAge=1000
PriorityWeightJobSize=100
PriorityWeightPartition=1000
PriorityWeightQOS=10000
AccountingStorageTRES=gres/gpu,gres/gpu:a100,gres/gpu:v100,license/matlab
GresTypes=gpu
NodeName=n1 CPUs=16 Sockets=2 CoresPerSocket=8 RealMemory=64000 Gres=gpu:a100:4 Feature=fast,ib,rack1
NodeName=n2 CPUs=16 Sockets=2 CoresPerSocket=8 RealMemory=64000 Gres=gpu:a100:4 Feature=fast,eth,rack1
NodeName=n3 CPUs=16 Sockets=2 CoresPerSocket=8 RealMemory=64000 Gres=gpu:v100:2 Feature=slow,ib,rack2
NodeName=n4 CPUs=16 Sockets=2 CoresPerSocket=8 RealMemory=64000 Feature=slow,eth,rack2
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=short Nodes=n[1-2] MaxTime=01:00:00 DefaultTime=00:10:00 PriorityJobFactor=10 State=UP
PartitionName=single Nodes=n[3-4] MaxNodes=1 MaxTime=2-00:00:00 State=UP
PartitionName=chem Nodes=n4 AllowAccounts=chem MaxTime=INFINITE State=UP
PartitionName=closed Nodes=n4 MaxTime=INFINITE State=DOWN
`

const refGres = `
NodeName=n[1-2] Name=gpu Type=a100 File=/dev/fakegpu[0-3]
NodeName=n3 Name=gpu Type=v100 File=/dev/fakegpu[0-1]
`

var refNow = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// refCluster is that cluster with every node idle.
func refCluster(t testing.TB) (*Config, []*Node) {
	t.Helper()
	read := func(text string) slurm.FileReader { return func(string) ([]byte, error) { return []byte(text), nil } }
	conf, _, err := slurm.ParseConf("slurm.conf", read(refConf))
	if err != nil {
		t.Fatal(err)
	}
	gres, _, err := slurm.ParseGresConf("gres.conf", read(refGres))
	if err != nil {
		t.Fatal(err)
	}
	cfg, nodes, err := NewConfig(conf, gres)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		n.State, n.Registered = slurm.NodeIdle, true
	}
	return cfg, nodes
}

// refJob submits a job with sbatch's or salloc's options.
func refJob(t testing.TB, cfg *Config, nodes []*Node, cmd slurm.Command, line string) (*Job, []string, error) {
	t.Helper()
	args := strings.Fields(line)
	if cmd == slurm.Sbatch {
		args = append(args, "--wrap=true")
	}
	out, err := slurm.ReadOptions(cmd, "", args, slurm.OptionInput{Now: refNow})
	if err != nil {
		return nil, []string{strings.TrimSpace(err.Error())}, err
	}
	o := out[0].Job
	return Resolve(Request{Options: &o, UID: 3001, GID: 3001, User: "alice", Group: "alice", Batch: cmd == slurm.Sbatch,
		DefaultAccount: "physics", DefaultQOS: "normal", WorkDir: "/home/alice", SubmitHost: "vm"}, cfg, nodes, refNow)
}

// rows reads a table of testdata, a line a row, tabs between its columns.
func rows(t *testing.T, file string) [][]string {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out [][]string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if line := sc.Text(); !strings.HasPrefix(line, "#") {
			out = append(out, strings.Split(line, "\t"))
		}
	}
	return out
}

// started puts a job on the nodes it gets while nothing else runs.
func started(t testing.TB, cfg *Config, nodes []*Node, j *Job) *Job {
	t.Helper()
	j.ID = 700001
	if j.ArrayAll.Len() > 0 {
		j.ArrayID = j.ID
	}
	j.Deps = nil
	plan := Cycle(View{Config: cfg, Nodes: nodes, Pending: []*Job{j}, LicensesAll: cfg.Licenses}, refNow)
	if len(plan.Starts) == 0 {
		t.Fatalf("job does not start: %+v", plan.Waits)
	}
	one := *j
	one.State, one.Alloc, one.Partition, one.Start = slurm.JobRunning, plan.Starts[0].Alloc, plan.Starts[0].Partition, refNow
	if plan.Starts[0].IsTask {
		one.TaskID, one.Tasks = plan.Starts[0].Task, slurm.IndexSet{}
	}
	if one.TimeLimit != slurm.Unlimited {
		one.End = refNow.Add(time.Duration(one.TimeLimit) * time.Second)
	}
	return &one
}

func TestJobsAreLaidOutAsSlurmDoes(t *testing.T) {
	cfg, nodes := refCluster(t)
	for _, row := range rows(t, "placed.tsv") {
		t.Run(row[0], func(t *testing.T) {
			j, lines, err := refJob(t, cfg, nodes, slurm.Salloc, row[0])
			if err != nil {
				t.Fatal(err, lines)
			}
			j = started(t, cfg, nodes, j)
			cpus := make([]int, len(j.Alloc))
			for i, a := range j.Alloc {
				cpus[i] = a.CPUs
			}
			got := fmt.Sprint(nodeListText(j.Nodes()), " ", slurm.FormatRunLengths(cpus), " ", slurm.FormatRunLengths(tasksPerNode(j, cfg)), " ", JobTRES(j, cfg))
			if want := strings.Join(row[1:], " "); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

func TestImpossibleJobsAreRefusedAsSlurmDoes(t *testing.T) {
	cfg, nodes := refCluster(t)
	for _, row := range rows(t, "refused.tsv") {
		t.Run(row[0], func(t *testing.T) {
			j, lines, err := refJob(t, cfg, nodes, slurm.Sbatch, row[0])
			var got string
			var bad *Refused
			switch {
			case errors.As(err, &bad):
				got = strings.Join(append(lines, bad.Error()), " / ")
			case err != nil:
				got = lines[0]
			default:
				got = "waits " + Why{Reason: j.Reason, Text: j.ReasonText}.Shown()
			}
			if got != row[1] {
				t.Errorf("got %s\nwant %s", got, row[1])
			}
		})
	}
}
