package noded

import (
	"testing"

	"github.com/runink/rink/api/rinkpb"
)

// TestBatchNote has a batch script say what it is bound to where the cluster wants it said.
func TestBatchNote(t *testing.T) {
	for _, c := range []struct {
		param []string
		cpus  string
		want  string
	}{
		{nil, "0-3", ""},
		{[]string{"Cores"}, "0-3", ""},
		{[]string{"Verbose"}, "", ""},
		{[]string{"Verbose", "Cores"}, "0-3", "cpu-bind=MASK - n1, task  0  0 [%d]: mask 0xf set\n"},
	} {
		a := &Agent{confine: confine{param: c.param}}
		a.conf.Node = "n1"
		if got := a.batchNote(c.cpus); got != c.want {
			t.Errorf("%q: %q, want %q", c.param, got, c.want)
		}
	}
}

// As Slurm 22.05 has written them on a machine with one NUMA node.
func TestBindWords(t *testing.T) {
	machine := machineOf(1, 4, 1)
	for _, c := range []struct{ cpu, cpus, mem, nodes, want string }{
		{"verbose,cores", "1", "", "", "cpu-bind=MASK - n1, task  3  1 [%d]: mask 0x2 set\n"},
		{"quiet,cores", "0", "local", "0", ""},
		{"verbose", "", "", "", "cpu-bind=NULL - n1, task  3  1 [%d]: mask 0x0\n"},
		{"verbose,none", "", "", "", "cpu-bind=NONE - n1, task  3  1 [%d]: mask 0x0\n"},
		{"verbose,map_cpu:0,1", "1", "", "", "cpu-bind=MAP  - n1, task  3  1 [%d]: mask 0x2 set\n"},
		{"verbose,mask_cpu:f", "0-3", "", "", "cpu-bind=MASK - n1, task  3  1 [%d]: mask 0xf set\n"},
		{"verbose,rank", "1", "", "", "cpu-bind=RANK - n1, task  3  1 [%d]: mask 0x2 set\n"},
		{"", "", "verbose", "", "mem-bind=NULL - vm, task  3  1 [%d]: mask 0x1\n"},
		{"", "", "verbose,none", "", "mem-bind=NONE - vm, task  3  1 [%d]: mask 0x1\n"},
		{"", "", "verbose,local", "0", "mem-bind=LOC - vm, task  3  1 [%d]: mask 0x1 set\n"},
		{"", "", "verbose,map_mem:0", "0", "mem-bind=MAP - vm, task  3  1 [%d]: mask 0x1 set\n"},
		{"", "", "verbose,mask_mem:1", "0", "mem-bind=MASK - vm, task  3  1 [%d]: mask 0x1 set\n"},
		{"", "", "prefer,verbose,local", "0", "mem-bind PREFER LOC - vm, task  3  1 [%d]: mask 0x1 set\n"},
		{"verbose", "0-3", "verbose,sort,local", "0", "cpu-bind=MASK - n1, task  3  1 [%d]: mask 0xf set\nmem-bind=LOC - vm, task  3  1 [%d]: mask 0x1 set\n"},
	} {
		order := &rinkpb.LaunchStep{MemBind: c.mem, RankOffset: 1}
		tied, err := binding{words: c.cpu, machine: machine, set: machine, whole: true, known: c.cpus != "" || c.cpu == "verbose,none", tasks: 2, perTask: 1}.bind()
		if err != nil {
			t.Fatal(err)
		}
		if got := bindWords(order, &rinkpb.TaskHere{Rank: 2, Local: 1}, &tied, "n1", "vm", tied.cpus[1], memoryBind{nodes: c.nodes}, machine); got != c.want {
			t.Errorf("%q %q: %q, want %q", c.cpu, c.mem, got, c.want)
		}
	}
}
