package sched

import (
	"errors"
	"reflect"
	"testing"

	"github.com/runink/rink/slurm"
)

func TestUsable(t *testing.T) {
	for _, c := range []struct {
		state slurm.NodeState
		want  bool
	}{
		{slurm.NodeIdle, true},
		{slurm.NodeMixed, true},
		{slurm.NodeIdle | slurm.NodeCompleting, true},
		{slurm.NodeIdle | slurm.NodeRebootRequested, true},
		{slurm.NodeIdle | slurm.NodeReserved | slurm.NodePlanned, true},
		{slurm.NodeUnknown, false},
		{slurm.NodeDown, false},
		{slurm.NodeFuture, false},
		{slurm.NodeIdle | slurm.NodeDrain, false},
		{slurm.NodeIdle | slurm.NodeFail, false},
		{slurm.NodeIdle | slurm.NodeNotResponding, false},
		{slurm.NodeIdle | slurm.NodeInvalidReg, false},
		{slurm.NodeIdle | slurm.NodePoweredDown, true},
		{slurm.NodeIdle | slurm.NodePoweringDown, false},
		{slurm.NodeIdle | slurm.NodePoweringUp, true},
	} {
		if got := (&Node{State: c.state}).Usable(); got != c.want {
			t.Errorf("%v: %v", c.state, got)
		}
	}
}

func TestExclusivityAndSharing(t *testing.T) {
	plain, user := &slurm.JobOptions{}, &slurm.JobOptions{Exclusive: "user"}
	for _, c := range []struct {
		name        string
		config      Config
		job         Job
		part        *Partition
		whole, user bool
		share       int
	}{
		{"Plain", Config{}, Job{Spec: plain}, &Partition{OverSubscribe: "NO"}, false, false, 1},
		{"NoPartition", Config{}, Job{}, nil, false, false, 1},
		{"Exclusive", Config{}, Job{Need: Need{Exclusive: true}}, &Partition{OverSubscribe: "FORCE:3"}, true, false, 1},
		{"OfUser", Config{}, Job{Spec: user}, &Partition{}, false, true, 1},
		{"OfPartition", Config{}, Job{}, &Partition{OverSubscribe: "EXCLUSIVE"}, true, false, 1},
		{"OfPartitionsUser", Config{}, Job{}, &Partition{ExclusiveUser: true}, false, true, 1},
		{"Linear", Config{WholeNodes: true}, Job{}, &Partition{}, true, false, 1},
		{"Forced", Config{}, Job{}, &Partition{OverSubscribe: "FORCE:3"}, false, false, 3},
		{"AskedFor", Config{}, Job{Need: Need{Share: true}}, &Partition{OverSubscribe: "YES:2"}, false, false, 2},
		{"NotAskedFor", Config{}, Job{}, &Partition{OverSubscribe: "YES:2"}, false, false, 1},
		{"AskedForInVain", Config{}, Job{Need: Need{Share: true}}, &Partition{OverSubscribe: "NO"}, false, false, 1},
	} {
		whole, user := Exclusivity(&c.config, &c.job, c.part)
		if share := ShareLimit(&c.config, &c.job, c.part); whole != c.whole || user != c.user || share != c.share {
			t.Errorf("%s: whole %v, user %v, share %d", c.name, whole, user, share)
		}
	}
}

func TestGresFits(t *testing.T) {
	n := &Node{Gres: []NodeGres{{Name: "gpu", Type: "a100", Count: 4}, {Name: "gpu", Type: "v100", Count: 1}, {Name: "lic", Count: 2}}}
	used := []GresAlloc{{Name: "gpu", Type: "a100", Count: 2, Index: []int{0, 2}}}
	a100 := func(count int64, index ...int) GresAlloc {
		return GresAlloc{Name: "gpu", Type: "a100", Count: count, Index: index}
	}
	for _, c := range []struct {
		name string
		g    GresAlloc
		want error
	}{
		{"Free", a100(2, 1, 3), nil},
		{"OtherTypesNumbers", GresAlloc{Name: "gpu", Type: "v100", Count: 1, Index: []int{0}}, nil},
		{"Counted", GresAlloc{Name: "lic", Count: 2}, nil},
		{"InUse", a100(1, 2), slurm.ErrnoNodesBusy},
		{"Twice", a100(2, 1, 1), slurm.ErrnoNodesBusy},
		{"TooMany", a100(3), slurm.ErrnoNodesBusy},
		{"Negative", a100(-1), slurm.ErrnoNodesBusy},
		{"NoSuchNumber", a100(1, 4), slurm.ErrnoInvalidGres},
		{"NegativeNumber", a100(1, -1), slurm.ErrnoInvalidGres},
		{"NoSuchType", GresAlloc{Name: "gpu", Type: "h100", Count: 1}, slurm.ErrnoInvalidGres},
		{"Untyped", GresAlloc{Name: "gpu", Count: 1}, slurm.ErrnoInvalidGres},
		{"NoSuchName", GresAlloc{Name: "fpga", Count: 1}, slurm.ErrnoInvalidGres},
	} {
		if err := n.GresFits(used, c.g); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestCountsNamed(t *testing.T) {
	for _, c := range []struct {
		g  GresAlloc
		ok bool
	}{
		{GresAlloc{Name: "gpu", Count: 2}, true},
		{GresAlloc{Name: "gpu", Count: 2, Index: []int{0, 3}}, true},
		{GresAlloc{Name: "gpu", Count: 2, Index: []int{3}}, false},
		{GresAlloc{Name: "gpu", Count: 1, Index: []int{0, 3}}, false},
		{GresAlloc{Name: "shard", Count: 2, Index: []int{3}}, true},
	} {
		if err := c.g.CountsNamed(); (err == nil) != c.ok || err != nil && !errors.Is(err, slurm.ErrnoInvalidGres) {
			t.Errorf("%v: %v", c.g, err)
		}
	}
}

func TestGresIsAddedAndTakenAway(t *testing.T) {
	gpu := GresAlloc{Name: "gpu", Type: "b", Count: 2, Index: []int{3, 1}}
	more := GresAlloc{Name: "gpu", Type: "b", Count: 1, Index: []int{0}}
	first := GresAlloc{Name: "gpu", Type: "a", Count: 5}
	one := AddGres(nil, gpu)
	two := AddGres(one, more)
	three := AddGres(two, first)
	want := []GresAlloc{first, {Name: "gpu", Type: "b", Count: 3, Index: []int{0, 1, 3}}}
	if !reflect.DeepEqual(three, want) {
		t.Errorf("added: %v, want %v", three, want)
	}
	if got := SubGres(three, first); !reflect.DeepEqual(got, two) {
		t.Errorf("taken away: %v, want %v", got, two)
	}
	if got := SubGres(two, more); !reflect.DeepEqual(got, one) {
		t.Errorf("taken away: %v, want %v", got, one)
	}
	if got := SubGres(one, gpu); got != nil {
		t.Errorf("taken away: %v, want nothing", got)
	}
	if got := SubGres(one, first); !reflect.DeepEqual(got, one) {
		t.Errorf("taken away what was not there: %v", got)
	}
	if got := AddGres(nil, GresAlloc{Name: "gpu"}); got != nil {
		t.Errorf("nothing added: %v", got)
	}
	if len(two[0].Index) != 3 || len(one[0].Index) != 2 || gpu.Index[0] != 3 {
		t.Error("a list that was given was written to")
	}
}

func TestLicensesAreCountedInOrderOfNames(t *testing.T) {
	of := func(s string) slurm.Licenses {
		l, err := slurm.ParseLicenses(s)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	used := PlusLicenses(slurm.Licenses{}, of("b:2,a"))
	used = PlusLicenses(used, of("c@s:1,a:3"))
	if got := used.String(); got != "a:4,b:2,c@s:1" {
		t.Errorf("used %s", got)
	}
	used = MinusLicenses(used, of("b:2,a"))
	if got := used.String(); got != "a:3,c@s:1" {
		t.Errorf("used %s", got)
	}
	used = MinusLicenses(used, of("c@s:1,a:3"))
	if len(used.Items) != 0 || used.Items != nil {
		t.Errorf("used %v, want nothing", used)
	}
	if got := MinusLicenses(PlusLicenses(used, slurm.Licenses{}), slurm.Licenses{}); !got.IsZero() {
		t.Errorf("nothing and nothing is %v", got)
	}
}
