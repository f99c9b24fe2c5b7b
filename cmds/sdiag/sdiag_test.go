package sdiag

import (
	"bytes"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
)

const second = int64(time.Second)

// The file is what Slurm 22.05's command printed for these counts.
func TestPrint(t *testing.T) {
	want, err := os.ReadFile("testdata/text.txt")
	if err != nil {
		t.Fatal(err)
	}
	r := &rinkpb.DiagReply{
		Now: 1795871488 * second, Since: 1795871390 * second, StatesAt: 1795871480 * second, Booted: 1795868271 * second, Threads: 3,
		Submitted: 4, Started: 2, Pending: 1, Clock: 22, Backfill: &rinkpb.PlanCount{},
		Main: &rinkpb.PlanCount{Last: 375, Max: 787, Cycles: 5, Sum: 1215, Queue: 1},
		ByType: []*rinkpb.RpcCount{
			{Name: "REQUEST_PARTITION_INFO", Id: 2009, Count: 92, Time: 85991}, {Name: "REQUEST_FED_INFO", Id: 2049, Count: 90, Time: 28176},
			{Name: "REQUEST_JOB_INFO_SINGLE", Id: 2021, Count: 90, Time: 25043}, {Name: "ACCOUNTING_UPDATE_MSG", Id: 10001, Count: 5, Time: 5291},
		},
		ByUser: []*rinkpb.RpcCount{{Name: "root", Count: 292, Time: 150853}, {Name: "alice", Id: 3001, Count: 4, Time: 2562}},
	}
	var got bytes.Buffer
	print(&got, r, time.UTC)
	if got.String() != string(want) {
		t.Errorf("prints\n%s", got.String())
	}
}

func TestSortCounts(t *testing.T) {
	for _, c := range []struct {
		name string
		by   order
		want []uint32
	}{{"Count", byCount, []uint32{2, 1, 3}}, {"ID", byID, []uint32{1, 2, 3}}, {"Total", byTotal, []uint32{3, 1, 2}}, {"Mean", byMean, []uint32{3, 1, 2}}} {
		list := []*rinkpb.RpcCount{{Id: 3, Count: 1, Time: 90}, {Id: 1, Count: 4, Time: 60}, {Id: 2, Count: 9, Time: 50}}
		sortCounts(list, c.by)
		var got []uint32
		for _, n := range list {
			got = append(got, n.Id)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	parsed := func(vars []string, args ...string) *options {
		o, err := parse(&cli.Env{Name: "sdiag", Args: args, Vars: vars})
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return o
	}
	if o := parsed(nil, "-r", "-T", "-M", "x"); !o.reset || o.sort != byMean || o.cluster != "x" {
		t.Errorf("%+v", o)
	}
	if o := parsed([]string{"SLURM_CLUSTERS=y", "SLURM_YAML="}, "word"); o.cluster != "y" || !o.encoding.On() || o.reset {
		t.Errorf("%+v", o)
	}
	if o := parsed(nil, "--json=v0.0.45"); !o.encoding.On() {
		t.Errorf("%+v", o)
	}
	if _, err := parse(&cli.Env{Name: "sdiag", Args: []string{"--nosuch"}}); err == nil ||
		err.Error() != "sdiag: unrecognized option '--nosuch'\nTry \"sdiag --help\" for more information" {
		t.Errorf("%v", err)
	}
}

// So did Slurm's print what its backfill scheduler did.
func TestPrintBackfill(t *testing.T) {
	want := `
Backfilling stats
	Total backfilled jobs (since last slurm start): 0
	Total backfilled jobs (since last stats cycle start): 0
	Total backfilled heterogeneous job components: 0
	Total cycles: 2
	Last cycle when: Sat Nov 28 13:29:53 2026 (1795872593)
	Last cycle: 150
	Max cycle:  150
	Mean cycle: 135
	Last depth cycle: 5
	Last depth cycle (try sched): 0
	Depth Mean: 5
	Depth Mean (try depth): 0
	Last queue length: 5
	Queue length mean: 5
	Last table size: 1
	Mean table size: 1

`
	var got bytes.Buffer
	print(&got, &rinkpb.DiagReply{Main: &rinkpb.PlanCount{}, Backfill: &rinkpb.PlanCount{
		Cycles: 2, Last: 150, Max: 150, Sum: 271, LastDepth: 5, DepthSum: 10, Queue: 5, QueueSum: 10, Table: 1, TableSum: 2, LastAt: 1795872593 * second,
	}}, time.UTC)
	if !bytes.Contains(got.Bytes(), []byte(want)) {
		t.Errorf("prints\n%s", got.String())
	}
}
