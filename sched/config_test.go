package sched

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

const testConf = `
ClusterName=ref
SlurmctldHost=vm(127.0.0.1)
FirstJobId=700001
MaxJobCount=500000
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu,fpga,shard
Licenses=matlab:4,ansys:2
NodeSet=quick Feature=fast
`

const testNodes = `
NodeName=n[1-2] NodeHostname=vm NodeAddr=127.0.0.1 Port=17001 CPUs=16 Sockets=2 CoresPerSocket=8 RealMemory=64000 Gres=gpu:a100:4 Feature=fast,rack1 Weight=3
NodeName=n3 Sockets=2 CoresPerSocket=4 ThreadsPerCore=2 CoreSpecCount=1 TmpDisk=100
NodeName=n4 State=DRAIN Reason="bad disk" CPUs=4 RealMemory=1000 MemSpecLimit=200
PartitionName=debug Nodes=ALL Default=YES
PartitionName=short Nodes=n[2,1] MaxTime=01:00:00 DefaultTime=10 PriorityJobFactor=10 OverSubscribe=FORCE:2 DefMemPerGPU=100 DefCpuPerGPU=2 TRESBillingWeights=CPU=1.5,Mem=0.25G
PartitionName=fast Nodes=quick State=DOWN AllowAccounts=chem,phys OverSubscribe=EXCLUSIVE PreemptMode=requeue
`

func configOf(t *testing.T, text, gres string) (*Config, []*Node, error) {
	t.Helper()
	files := map[string]string{"slurm.conf": text, "gres.conf": gres}
	read := func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
	conf, _, err := slurm.ParseConf("slurm.conf", read)
	if err != nil {
		t.Fatal(err)
	}
	g, _, err := slurm.ParseGresConf("gres.conf", read)
	if err != nil {
		t.Fatal(err)
	}
	if gres == "" {
		g = nil
	}
	return NewConfig(conf, g)
}

func TestNewConfig(t *testing.T) {
	c, nodes, err := configOf(t, testConf+testNodes, "NodeName=n[1-2] Name=gpu Type=a100 File=/dev/g[0-3] Cores=0-7\n")
	if err != nil {
		t.Fatal(err)
	}
	if !c.TracksMemory || c.WholeNodes || c.KillInvalidDepend || c.FirstJobID != 700001 || c.MaxJobID != 67043328 ||
		c.MaxJobs != 500000 || c.MaxSteps != 40000 || c.Default != "debug" || c.Licenses.Get("matlab") != 4 || c.Conf.ClusterName != "ref" {
		t.Errorf("config %+v", c)
	}
	n := nodes[1]
	if len(nodes) != 4 || n.Name != "n2" || n.Index != 1 || n.Hostname != "vm" || n.Addr != "127.0.0.1" || n.Port != 17001 || n.CPUs != 16 ||
		n.Sockets != 2 || n.Cores != 8 || n.Threads != 1 || n.Boards != 1 || n.Memory != 64000 || n.Weight != 3 || n.State != slurm.NodeUnknown {
		t.Errorf("n2 %+v", n)
	}
	if !slices.Equal(n.Features, []string{"fast", "rack1"}) {
		t.Errorf("features %v", n.Features)
	}
	if g := n.Gres[0]; g.Name != "gpu" || g.Type != "a100" || g.Count != 4 || len(g.Files) != 4 || g.Files[3] != "/dev/g3" || g.Cores != "0-7" {
		t.Errorf("gres %+v", g)
	}
	if n := nodes[2]; n.CPUs != 16 || n.Threads != 2 || n.CoreSpec != 1 || n.Memory != 1 || n.TmpDisk != 100 || n.Hostname != "n3" || n.Port != 6818 {
		t.Errorf("n3 %+v", n)
	}
	if n := nodes[3]; n.State != slurm.NodeUnknown|slurm.NodeDrain || n.Reason != "bad disk" || n.Memory != 800 {
		t.Errorf("n4 %+v", n)
	}

	debug, short, fast := c.Partitions[0], c.Partitions[1], c.Partitions[2]
	if len(debug.Nodes) != 4 || !debug.Default || debug.NodesText != "ALL" || debug.MaxTime != slurm.Unlimited || debug.DefaultTime != 0 ||
		debug.State != "UP" || debug.OverSubscribe != "NO" || debug.PriorityTier != 1 || debug.OverTimeLimit != 0 || debug.BillingWeights != "" {
		t.Errorf("debug %+v", debug)
	}
	if !slices.Equal(short.Nodes, []NodeName{"n1", "n2"}) || short.MaxTime != 3600 || short.DefaultTime != 600 || short.PriorityJobFactor != 10 ||
		short.OverSubscribe != "FORCE:2" || short.JobDefaults != "DefCpuPerGPU=2,DefMemPerGPU=100" || short.BillingWeights != "cpu=1.5,mem=0.25G" || short.Index != 1 {
		t.Errorf("short %+v", short)
	}
	if !slices.Equal(fast.Nodes, []NodeName{"n1", "n2"}) || fast.State != "DOWN" || fast.OverSubscribe != "EXCLUSIVE" ||
		!slices.Equal(fast.AllowAccounts, []string{"chem", "phys"}) || fast.PreemptMode != "REQUEUE" {
		t.Errorf("fast %+v", fast)
	}
	if err := Check(c, nodes, nil, slurm.Licenses{}); err != nil {
		t.Errorf("a fresh cluster: %v", err)
	}
}

func TestNewConfigSwitches(t *testing.T) {
	base := "ClusterName=x\nSlurmctldHost=c\nNodeName=n1 CPUs=4\n"
	for _, c := range []struct {
		line                string
		memory, whole, kill bool
	}{
		{"SelectTypeParameters=CR_CPU", false, false, false},
		{"SelectTypeParameters=CR_Core_Memory", true, false, false},
		{"SelectType=select/linear\nSelectTypeParameters=CR_Memory", true, true, false},
		{"SelectTypeParameters=CR_CPU\nDependencyParameters=kill_invalid_depend", false, false, true},
	} {
		got, _, err := configOf(t, base+c.line+"\n", "")
		if err != nil {
			t.Fatal(err)
		}
		if got.TracksMemory != c.memory || got.WholeNodes != c.whole || got.KillInvalidDepend != c.kill {
			t.Errorf("%s: memory %v, whole nodes %v, kill %v", c.line, got.TracksMemory, got.WholeNodes, got.KillInvalidDepend)
		}
	}
}

func TestNodeStatesOfTheConfiguration(t *testing.T) {
	for word, want := range map[string]slurm.NodeState{
		"UNKNOWN": slurm.NodeUnknown, "IDLE": slurm.NodeUnknown, "DOWN": slurm.NodeDown, "FAIL": slurm.NodeUnknown | slurm.NodeFail,
		"FUTURE": slurm.NodeFuture, "CLOUD": slurm.NodeIdle | slurm.NodeCloud | slurm.NodePoweredDown,
	} {
		_, nodes, err := configOf(t, "ClusterName=x\nSlurmctldHost=c\nNodeName=n1 CPUs=4 State="+word+"\n", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := nodes[0].State; got != want {
			t.Errorf("State=%s is %v, want %v", word, got, want)
		}
	}
}

func TestDevicesOfNodes(t *testing.T) {
	for _, c := range []struct {
		name, have, gres, want string
	}{
		{"Counted", "gpu:4", "", "gpu::4[]"},
		{"NoLineForIt", "gpu:4", "Name=fpga File=/dev/f0\n", "gpu::4[]"},
		{"OtherNode", "gpu:4", "NodeName=n9 Name=gpu File=/dev/g[0-3]\n", "gpu::4[]"},
		{"Files", "gpu:a100:2", "Name=gpu Type=a100 File=/dev/g[0-1]\n", "gpu:a100:2[/dev/g0 /dev/g1]"},
		{"FilesOnSeveralLines", "gpu:2", "Name=gpu File=/dev/g0 Cores=0-1\nName=gpu File=/dev/g1 Cores=2,3\n", "gpu::2[/dev/g0 /dev/g1]0-3"},
		{"MoreFilesThanCounted", "gpu:2", "Name=gpu File=/dev/g[0-3]\n", "gpu::2[/dev/g0 /dev/g1]"},
		{"TypesToldApart", "gpu:3", "Name=gpu Type=a File=/dev/g[0-1]\nName=gpu Type=b File=/dev/g2\n", "gpu:a:2[/dev/g0 /dev/g1],gpu:b:1[/dev/g2]"},
		{"UntypedLine", "gpu:a:2", "Name=gpu File=/dev/g[0-1]\n", "gpu:a:2[/dev/g0 /dev/g1]"},
		{"CountWithoutFiles", "fpga:3", "Name=fpga Count=3\n", "fpga::3[]"},
		{"HalfOfThemFiles", "fpga:3", "Name=fpga Count=2\nName=fpga File=/dev/f0\n", "fpga::3[]"},
		{"SharedDevice", "shard:4", "Name=shard Count=4 File=/dev/g[0-1]\n", "shard::4[/dev/g0 /dev/g0 /dev/g1 /dev/g1]"},
		{"SeveralFilesEach", "gpu:2", "Name=gpu MultipleFiles=/dev/a[0-1]\nName=gpu MultipleFiles=/dev/b0\n", "gpu::2[/dev/a0,/dev/a1 /dev/b0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, nodes, err := configOf(t, testConf+"NodeName=n1 CPUs=4 Gres="+c.have+"\n", c.gres)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, g := range nodes[0].Gres {
				got = append(got, fmt.Sprintf("%s:%s:%d%v%s", g.Name, g.Type, g.Count, g.Files, g.Cores))
			}
			if text := strings.Join(got, ","); text != c.want {
				t.Errorf("%s, want %s", text, c.want)
			}
		})
	}
	for _, c := range []struct{ name, have, gres, want string }{
		{"Fewer", "gpu:4", "Name=gpu File=/dev/g[0-1]\n", "gres/gpu count reported lower than configured (2 < 4)"},
		{"OtherTypes", "gpu:a100:4", "Name=gpu Type=h100 File=/dev/g[0-3]\n", "gres/gpu count reported lower than configured (0 < 4)"},
		{"OneOfTwoTypes", "gpu:a100:2,gpu:h100:2", "Name=gpu Type=h100 File=/dev/g[0-3]\n", "gres/gpu count reported lower than configured (2 < 4)"},
		{"More", "gpu:2", "Name=gpu File=/dev/g[0-3]\n", ""},
		{"NotInGresConf", "gpu:2", "Name=net Count=1\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, nodes, err := configOf(t, testConf+"NodeName=n1 CPUs=4 Gres="+c.have+"\n", c.gres)
			if err != nil {
				t.Fatal(err)
			}
			if got := nodes[0].DeviceShortage(nil); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestNewConfigLinksOfGPUs(t *testing.T) {
	_, nodes := clusterOf(t, "ClusterName=ref\nSlurmctldHost=vm\nGresTypes=gpu\nNodeName=n1 CPUs=16 Gres=gpu:a100:2,gpu:v100:1\nNodeName=n2 CPUs=16 Gres=gpu:a100:2\nPartitionName=debug Nodes=ALL\n",
		"NodeName=n1 Name=gpu Type=a100 File=/dev/nvidia0 Cores=0-7 Links=-1,4,1\nNodeName=n1 Name=gpu Type=a100 File=/dev/nvidia1 Cores=8-15 Links=4,-1,1\n"+
			"NodeName=n1 Name=gpu Type=v100 File=/dev/nvidia2 Cores=8-15 Links=1,1,-1\nNodeName=n2 Name=gpu Type=a100 File=/dev/nvidia[0-1]\n", "")
	g := nodes[0].Gres[0]
	if got := fmt.Sprint(g.Type, g.Links, g.Near, g.Cores); got != "a100[[0 4] [4 0]] [0 1]0-15" {
		t.Errorf("the pair of n1: %s", got)
	}
	if g := nodes[0].Gres[1]; g.Links != nil || g.Near != nil {
		t.Errorf("a GPU that is alone of its type: %+v", g)
	}
	if g := nodes[1].Gres[0]; g.Links != nil || g.Near != nil {
		t.Errorf("GPUs of which nothing is said: %+v", g)
	}
}
