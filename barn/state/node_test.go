package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

func TestRegisterNode(t *testing.T) {
	cases := []struct {
		name   string
		before func(r *rig)
		up     bool
		state  slurm.NodeState
		reason string
	}{
		{"Up", func(r *rig) {}, true, slurm.NodeIdle, ""},
		{"DownComesBack", func(r *rig) {
			r.must(SetConfig{rigFiles("ReturnToService=1\n")})
			r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Base: ptr(slurm.NodeDown), Set: slurm.NodeNotResponding, Reason: ptr("Not responding")})
		}, true, slurm.NodeIdle, ""},
		{"DrainedStaysDrained", func(r *rig) {
			r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Set: slurm.NodeDrain, Reason: ptr("bad disk")})
		}, true, slurm.NodeIdle | slurm.NodeDrain, "bad disk"},
		{"DownStaysDown", func(r *rig) {
			r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Base: ptr(slurm.NodeDown), Reason: ptr("no power")})
		}, false, slurm.NodeDown, "no power"},
		{"TooSmall", func(r *rig) {}, false, slurm.NodeIdle | slurm.NodeDrain | slurm.NodeInvalidReg, "Low RealMemory"},
		{"NoLongerTooSmall", func(r *rig) { r.must(RegisterNode{Node: "n1", Reason: "Low RealMemory"}) }, true, slurm.NodeIdle, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			c.before(r)
			r.must(RegisterNode{Node: "n1", Arch: "x86_64", SpoolID: "s", Up: c.up, Reason: "Low RealMemory"})
			n := r.s.Node("n1")
			if n.State != c.state || n.Reason != c.reason || n.Arch != "x86_64" || n.SpoolID != "s" || !n.Registered {
				t.Errorf("%v %q %+v", n.State, n.Reason, n)
			}
			if (n.Reason == "") != n.ReasonTime.IsZero() {
				t.Errorf("reason %q of %v", n.Reason, n.ReasonTime)
			}
			if e := event[NodeChanged](r); e.New != n || e.Old == nil {
				t.Errorf("event %+v", e)
			}
		})
	}
	r := newRig(t)
	r.refuse(RegisterNode{Node: "nosuch"}, slurm.ErrnoInvalidNodeName)
}

func TestNodesAreUnknownUntilTheyRegister(t *testing.T) {
	s := New("t")
	if res, _ := s.Apply(1, Entry{At: began, Cmd: SetConfig{rigFiles("")}}); res.Err != nil {
		t.Fatal(res.Err)
	}
	if n := s.Node("n1"); n.State != slurm.NodeUnknown || n.Registered || n.Usable() {
		t.Errorf("%v", n.State)
	}
	s.Apply(2, Entry{At: began, Cmd: UpdateNode{Nodes: []sched.NodeName{"n1"}, Base: ptr(slurm.NodeIdle)}})
	if n := s.Node("n1"); n.State != slurm.NodeUnknown {
		t.Errorf("resumed before it came: %v", n.State)
	}
}

func TestUpdateNode(t *testing.T) {
	r := newRig(t)
	all := []sched.NodeName{"n1", "n3"}
	r.must(UpdateNode{Nodes: all, Set: slurm.NodeDrain, Reason: ptr("bad disk"), ReasonUser: "root"})
	for _, name := range all {
		if n := r.s.Node(name); !n.State.Has(slurm.NodeDrain) || n.Reason != "bad disk" || n.ReasonUser != "root" || n.ReasonUID != 1000 || !n.ReasonTime.Equal(r.at) {
			t.Errorf("%v %q by %q", n.State, n.Reason, n.ReasonUser)
		}
	}
	r.must(UpdateNode{Nodes: all, Base: ptr(slurm.NodeIdle), Clear: slurm.NodeDrain | slurm.NodeFail})
	if n := r.s.Node("n1"); n.State != slurm.NodeIdle || n.Reason != "" || n.ReasonUser != "" {
		t.Errorf("resumed: %v %q", n.State, n.Reason)
	}
	r.must(UpdateNode{Nodes: all, Clear: slurm.NodeDrain})
	if len(r.events) != 0 {
		t.Error("a change of nothing has events")
	}
	r.must(UpdateNode{Nodes: all[:1], Weight: ptr(uint32(9)), Features: &[]string{"x"}, Comment: ptr("c"), Extra: ptr("e")})
	if n := r.s.Node("n1"); n.Weight != 9 || n.Features[0] != "x" || n.Comment != "c" || n.Extra != "e" {
		t.Errorf("%+v", n)
	}
	r.refuse(UpdateNode{Nodes: []sched.NodeName{"n2", "nosuch"}, Set: slurm.NodeDrain}, slurm.ErrnoInvalidNodeName)
	r.refuse(UpdateNode{Nodes: all, Base: ptr(slurm.NodeAllocated)}, slurm.ErrnoInvalidNodeState)
	r.refuse(UpdateNode{Nodes: all, Base: ptr(slurm.NodeDown | slurm.NodeDrain)}, slurm.ErrnoInvalidNodeState)
	r.refuse(UpdateNode{Nodes: all, Set: slurm.NodeCompleting}, slurm.ErrnoInvalidNodeState)
	r.refuse(UpdateNode{Nodes: all, Set: slurm.NodeResume}, slurm.ErrnoInvalidNodeState)
	r.refuse(UpdateNode{Nodes: all, Set: slurm.NodeDown}, slurm.ErrnoInvalidNodeState)
}

func TestDownNodeKeepsItsJobsUntilTheyAreEnded(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1")
	r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Base: ptr(slurm.NodeDown), Reason: ptr("x")})
	r.want(id, slurm.JobRunning, slurm.ReasonNone)
	r.must(EndJob{Job: id, State: slurm.JobNodeFail, Reason: slurm.ReasonNodeDown})
	r.free(id)
	if n := r.s.Node("n1"); n.State != slurm.NodeDown || n.UsedCPUs != 0 {
		t.Errorf("%v with %d CPUs in use", n.State, n.UsedCPUs)
	}
}

func TestReconfigureKeepsWhatRunsAndWhatIsKnown(t *testing.T) {
	r := newRig(t)
	id := r.runs("n1")
	r.must(UpdateNode{Nodes: []sched.NodeName{"n2"}, Set: slurm.NodeDrain, Reason: ptr("bad disk")})
	p := *r.s.Config().Partition("short")
	p.State = "DOWN"
	r.must(UpdatePartition{Partition: p})

	r.must(SetConfig{rigFiles("NodeName=n[7-8] CPUs=8 RealMemory=16000\n")})
	n1, n2 := r.s.Node("n1"), r.s.Node("n2")
	if n1.UsedCPUs != 1 || len(n1.Running) != 1 || n2.Reason != "bad disk" || n2.State != slurm.NodeIdle|slurm.NodeDrain {
		t.Errorf("n1 %+v\nn2 %+v", n1, n2)
	}
	if len(r.s.Nodes()) != 8 || r.s.Node("n8").State != slurm.NodeUnknown {
		t.Errorf("%d nodes", len(r.s.Nodes()))
	}
	if got := r.s.Config().Partition("short").State; got != "UP" {
		t.Errorf("the partition is %s after the reconfiguration", got)
	}
	if count[ConfigChanged](r) != 1 {
		t.Errorf("events %v", r.events)
	}
	if got := r.s.ConfigFiles(); len(got) != 2 || !strings.Contains(string(got[0].Text), "n[7-8]") {
		t.Error("the files are not the new ones")
	}
	r.must(SetConfig{rigFiles("")})
	if len(r.s.Nodes()) != 6 || r.s.Node("n7") != nil {
		t.Error("n7 is still there")
	}
	r.end(id, slurm.JobCompleted)
}

func TestReconfigureRefusals(t *testing.T) {
	replace := func(old, new string) []ConfigFile {
		files := rigFiles("")
		text := strings.Replace(string(files[0].Text), old, new, 1)
		if text == string(files[0].Text) {
			panic(old)
		}
		files[0].Text = []byte(text)
		return files
	}
	r := newRig(t)
	id := r.submit()
	r.run(r.on(id, 6, "n3"))
	cases := []struct {
		name  string
		files []ConfigFile
		code  error
	}{
		{"NoFiles", nil, nil},
		{"UnknownKey", rigFiles("NoSuchKey=1\n"), nil},
		{"BusyNodeGone", replace("NodeName=n[1-4] ", "NodeName=n[1-2] "), slurm.ErrnoNodesBusy},
		{"BusyNodeTooSmall", replace("NodeName=n[1-4] CPUs=8", "NodeName=n[1-4] CPUs=4"), slurm.ErrnoNodesBusy},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := r.s.Dump()
			res := r.do(SetConfig{c.files})
			if res.Err == nil || c.code != nil && !errors.Is(res.Err, c.code) {
				t.Errorf("error %v, want %v", res.Err, c.code)
			}
			if !sameDump(before, r.s.Dump(), true) || len(r.events) != 0 {
				t.Error("a refused configuration left something behind")
			}
		})
	}
}

func TestReconfigureKeepsDevicesInUse(t *testing.T) {
	r := newRig(t)
	start := r.on(r.submit(), 1, "n5")
	start.Alloc[0].Gres = []sched.GresAlloc{{Name: "gpu", Type: "a100", Count: 1, Index: []int{3}}}
	r.run(start)
	files := rigFiles("")
	files[0].Text = []byte(strings.Replace(string(files[0].Text), "Gres=gpu:a100:4", "Gres=gpu:a100:2", 1))
	r.refuse(SetConfig{files}, slurm.ErrnoInvalidGres)
	files[0].Text = []byte(strings.Replace(rigConf, "NodeName=n[5-6] CPUs=8 RealMemory=16000", "NodeName=n[5-6] CPUs=8 RealMemory=50", 1))
	r.refuse(SetConfig{files}, slurm.ErrnoNodesBusy)
}

func TestDevicesAreFoundWhereTheConfigurationOnlyCountsThem(t *testing.T) {
	r := newRig(t)
	counted := []ConfigFile{{"slurm.conf", []byte(rigConf)}}
	r.must(SetConfig{counted})
	// Devices that gres.conf named are no longer known without it.
	if g := r.s.Node("n5").Gres[0]; g.Files != nil {
		t.Errorf("n5 has %v", g.Files)
	}
	s := New("t")
	s.Apply(1, Entry{At: began, Cmd: SetConfig{counted}})
	register := func(files ...string) []string {
		s.Apply(2, Entry{At: began, Cmd: RegisterNode{Node: "n5", Up: true, Gres: []sched.NodeGres{
			{Name: "gpu", Type: "v100", Files: []string{"/dev/x"}},
			{Name: "gpu", Type: "a100", Files: files, Cores: "0-3"},
		}}})
		return s.Node("n5").Gres[0].Files
	}
	if got := register("/dev/a", "/dev/b"); got != nil {
		t.Errorf("two devices for four: %v", got)
	}
	if got := register("/dev/a", "/dev/b", "/dev/c", "/dev/d", "/dev/e"); len(got) != 4 || got[3] != "/dev/d" {
		t.Errorf("found %v", got)
	}
	if got := s.Node("n5").Gres[0].Cores; got != "0-3" {
		t.Errorf("near cores %q", got)
	}
}

func TestFutureNodes(t *testing.T) {
	r := newRig(t)
	future := strings.Replace(rigConf, "NodeName=n[5-6] CPUs=8", "NodeName=n[5-6] State=FUTURE CPUs=8", 1)
	r.must(SetConfig{[]ConfigFile{{"slurm.conf", []byte(future)}}})
	if got := r.s.Node("n5").State; got != slurm.NodeFuture {
		t.Errorf("n5 is %v", got)
	}
	r.must(SetConfig{rigFiles("")})
	if got := r.s.Node("n5").State; got != slurm.NodeUnknown {
		t.Errorf("n5 is %v", got)
	}
}

func TestUpdatePartition(t *testing.T) {
	r := newRig(t)
	p := *r.s.Config().Partition("short")
	p.State, p.Default = "DRAIN", true
	r.must(UpdatePartition{Partition: p})
	if c := r.s.Config(); c.Partition("short").State != "DRAIN" || c.Default != "short" || c.Partition("main").Default {
		t.Errorf("default %q, %+v", c.Default, c.Partition("short"))
	}
	if count[ConfigChanged](r) != 1 {
		t.Errorf("events %v", r.events)
	}
	r.must(UpdatePartition{Partition: sched.Partition{Name: "new", State: "UP", Nodes: []sched.NodeName{"n6"}}})
	if got := r.s.Partitions(); len(got) != 3 || got[2].Name != "new" || got[2].Index != 2 {
		t.Errorf("partitions %v", got)
	}
	fresh := reload(t, r.s)
	if fresh.Config().Default != "short" || fresh.Config().Partition("new") == nil {
		t.Error("the changes are lost in a snapshot")
	}
	id := r.submit(func(j *sched.Job) { j.Partitions = []sched.PartitionName{"main", "new"} })
	r.refuse(UpdatePartition{Partition: sched.Partition{Name: "new"}, Delete: true}, slurm.ErrnoPartitionInUse)
	r.must(EndJob{Job: id, State: slurm.JobCancelled})
	r.must(UpdatePartition{Partition: sched.Partition{Name: "short"}, Delete: true})
	if got := r.s.Partitions(); len(got) != 2 || got[1].Index != 1 || r.s.Config().Default != "" {
		t.Errorf("partitions %v", got)
	}
	for _, c := range []struct {
		p    sched.Partition
		code slurm.Errno
	}{
		{sched.Partition{Name: "", State: "UP"}, slurm.ErrnoInvalidPartition},
		{sched.Partition{Name: "a b", State: "UP"}, slurm.ErrnoInvalidPartition},
		{sched.Partition{Name: "x", State: "ODD"}, slurm.ErrnoInvalidPartition},
		{sched.Partition{Name: "x", State: "UP", Nodes: []sched.NodeName{"nosuch"}}, slurm.ErrnoInvalidNodeName},
	} {
		r.refuse(UpdatePartition{Partition: c.p}, c.code)
	}
	r.refuse(UpdatePartition{Partition: sched.Partition{Name: "nosuch"}, Delete: true}, slurm.ErrnoInvalidPartition)
}

func TestTokens(t *testing.T) {
	r := newRig(t)
	expires := r.at.Add(time.Minute)
	r.must(AddToken{Hash: "any", Role: "node", Expires: expires})
	r.must(AddToken{Hash: "n1s", Role: "node", Name: "n1", Expires: expires})
	for _, bad := range []AddToken{{Hash: "any", Role: "node"}, {Role: "node"}, {Hash: "x", Role: "king"}} {
		if res := r.do(bad); res.Err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	for _, c := range []struct {
		hash, role, name string
		at               time.Time
		want             bool
	}{
		{"any", "node", "n7", r.at, true},
		{"any", "controller", "n7", r.at, false},
		{"n1s", "node", "n1", r.at, true},
		{"n1s", "node", "n2", r.at, false},
		{"nosuch", "node", "n1", r.at, false},
		{"any", "node", "n7", expires, false},
	} {
		if got := r.s.TokenValid(c.hash, c.role, c.name, c.at); got != c.want {
			t.Errorf("token %s for %s %s: %v", c.hash, c.role, c.name, got)
		}
	}
	r.refuse(UseToken{"n1s", "node", "n2"}, slurm.ErrnoAccessDenied)
	r.must(UseToken{"n1s", "node", "n1"})
	r.refuse(UseToken{"n1s", "node", "n1"}, slurm.ErrnoAccessDenied)
	r.at = expires
	r.refuse(UseToken{"any", "node", "n1"}, slurm.ErrnoAccessDenied)
	r.must(Purge{})
	if len(r.s.Dump().Tokens) != 0 {
		t.Error("an expired token is still kept")
	}
}

func TestViewIsAPictureOfItsMoment(t *testing.T) {
	r := newRig(t)
	id := r.submit()
	v := r.s.View()
	r.run(r.on(id, 1, "n1"))
	if len(v.Pending) != 1 || v.Pending[0].IsRunning() || v.Nodes[0].UsedCPUs != 0 || len(v.Running) != 0 {
		t.Error("an old view changed")
	}
	if w := r.s.View(); len(w.Pending) != 0 || len(w.Running) != 1 {
		t.Error("a new view shows the old")
	}
}

func TestApplyNeverPanics(t *testing.T) {
	for _, cmd := range []Command{
		nil, SubmitJobs{}, SubmitJobs{Jobs: []*sched.Job{nil}}, StartJobs{}, StartJobs{[]sched.Start{{}}}, SetWaits{[]sched.Wait{{}}},
		EndJob{}, EndJob{IsTask: true}, ReleaseNodes{}, UpdateJob{}, UpdateJob{IsTask: true}, SetPriorities{[]JobPriority{{}}},
		StartStep{}, EndStep{}, RegisterNode{}, UpdateNode{}, UpdateNode{Nodes: []sched.NodeName{""}}, UpdatePartition{},
		UpdatePartition{Delete: true}, SetConfig{}, SetConfig{[]ConfigFile{{}}}, Purge{}, AddToken{}, UseToken{},
	} {
		for _, s := range []*State{New("t"), newRig(t).s} {
			res, _ := s.Apply(5, Entry{Cmd: cmd})
			if res.Index != 5 || s.Index() != 5 {
				t.Errorf("%T: index %d", cmd, res.Index)
			}
		}
	}
}

func TestDevicesOutOfService(t *testing.T) {
	r := newRig(t)
	file := func(i int) string { return r.s.Node("n5").Gres[0].Files[i] }
	set := func(files ...string) *sched.Node {
		var sick []sched.SickFile
		for _, f := range files {
			sick = append(sick, sched.SickFile{File: f, Why: "XID 79"})
		}
		r.must(SetDevices{Node: "n5", Sick: sick})
		return r.s.Node("n5")
	}
	if n := set(file(0)); n.State.Has(slurm.NodeDrain) || len(n.Gres[0].Sick) != 1 {
		t.Errorf("with one of four: %v, %+v", n.State, n.Gres[0])
	}
	start := r.on(r.submit(), 1, "n5")
	start.Alloc[0].Gres = []sched.GresAlloc{{Name: "gpu", Type: "a100", Count: 1, Index: []int{0}}}
	r.refuse(StartJobs{[]sched.Start{start}}, slurm.ErrnoNodesBusy)
	if n := set(file(0), file(1), file(2)); !n.State.Has(slurm.NodeDrain) || n.Reason != "gres/gpu: 1 of 4 in service, 50% wanted" {
		t.Errorf("with three of four: %v %q", n.State, n.Reason)
	}
	if n := set(file(1)); n.State.Has(slurm.NodeDrain) || n.Reason != "" {
		t.Errorf("with one of four again: %v %q", n.State, n.Reason)
	}
	// What fails under a job keeps no configuration from coming into force.
	files := r.s.ConfigFiles()
	has := r.on(r.submit(), 1, "n5")
	has.Alloc[0].Gres = []sched.GresAlloc{{Name: "gpu", Type: "a100", Count: 1, Index: []int{3}}}
	r.must(StartJobs{[]sched.Start{has}})
	set(file(3))
	r.must(SetConfig{Files: files})
	r.must(EndJob{Job: has.Job, State: slurm.JobCompleted})
	r.must(ReleaseNodes{Job: has.Job, Nodes: []sched.NodeName{"n5"}})
	// A person's drain is not ours to end.
	reason := "look at the fan"
	r.must(UpdateNode{Nodes: []sched.NodeName{"n5"}, Set: slurm.NodeDrain, Reason: &reason})
	set(file(0), file(1), file(2))
	if n := set(); !n.State.Has(slurm.NodeDrain) || n.Reason != reason || n.Gres[0].Sick != nil {
		t.Errorf("drained by a person: %v %q", n.State, n.Reason)
	}
	r.refuse(SetDevices{Node: "nowhere"}, slurm.ErrnoInvalidNodeName)
}

// TestGPUsAreCut follows a GPU that is cut on demand, found otherwise by its agent, and
// made whole.
func TestGPUsAreCut(t *testing.T) {
	r := newRig(t)
	file := r.s.Node("n5").Gres[0].Files[1]
	var shape sched.Shape
	if err := json.Unmarshal([]byte(`{"Profiles": [{"Name": "1g.10gb", "Spans": [{"Start": 0, "Size": 1}, {"Start": 1, "Size": 1}]}]}`), &shape); err != nil {
		t.Fatal(err)
	}
	shape.File = file
	reg := RegisterNode{Node: "n5", SpoolID: "s", Up: true, Shapes: []sched.Shape{shape}}
	r.must(reg)
	two := []string{"1g.10gb", "1g.10gb"}
	made := []sched.CutPart{{Profile: "1g.10gb", Files: file + ",/dev/cap1", Number: 10}, {Profile: "1g.10gb", Files: file + ",/dev/cap2", Number: 11}}
	r.refuse(CutGPU{Node: "nowhere", File: file, Profiles: two}, slurm.ErrnoInvalidNodeName)
	r.refuse(CutGPU{Node: "n5", File: file}, slurm.ErrnoNodesBusy) // it is whole
	r.refuse(CutGPU{Node: "n5", File: file, Profiles: append(two, "1g.10gb")}, slurm.ErrnoNodesBusy)
	r.refuse(NoteCut{Node: "n5", File: file, Whole: true}, slurm.ErrnoInvalidGres)
	r.must(CutGPU{Node: "n5", File: file, Profiles: two})
	take := func(typ string, x int) StartJobs {
		s := r.on(r.submit(), 1, "n5")
		s.Alloc[0].Gres = []sched.GresAlloc{{Name: "gpu", Type: typ, Count: 1, Index: []int{x}}}
		return StartJobs{[]sched.Start{s}}
	}
	r.refuse(take("a100", 1), slurm.ErrnoNodesBusy)
	r.must(NoteCut{Node: "n5", File: file, Made: made})
	first := take("1g.10gb", 11)
	r.must(first)
	last := first.Starts[0].Job
	r.refuse(take("1g.10gb", 11), slurm.ErrnoNodesBusy)
	r.refuse(CutGPU{Node: "n5", File: file}, slurm.ErrnoNodesBusy) // somebody has one

	// The agent comes anew: what it finds is as it was, then something else, then whole.
	reg.Cuts = []sched.Cut{{File: file, Made: made}}
	r.must(reg)
	if n := r.s.Node("n5"); len(n.Cuts) != 1 || len(n.Cuts[0].Made) != 2 || len(n.Gres) != 2 {
		t.Errorf("found as it was: %+v %+v", n.Cuts, n.Gres)
	}
	reg.Cuts = []sched.Cut{{File: file, Made: made[:1]}}
	r.must(reg)
	if n := r.s.Node("n5"); len(n.Cuts) != 1 || n.Cuts[0].Why == "" || len(n.Gres) != 2 || len(n.Gres[1].Sick) != 2 {
		t.Errorf("found half cut while a job is there: %+v %+v", n.Cuts, n.Gres)
	}
	r.must(EndJob{Job: last, State: slurm.JobCompleted})
	r.must(ReleaseNodes{Job: last, Nodes: []sched.NodeName{"n5"}})
	r.must(reg)
	if n := r.s.Node("n5"); len(n.Cuts) != 1 || n.Cuts[0].Made != nil || len(n.Gres) != 1 {
		t.Errorf("found half cut: %+v %+v", n.Cuts, n.Gres)
	}
	r.must(NoteCut{Node: "n5", File: file, Whole: true, Error: "it cannot be"})
	if n := r.s.Node("n5"); n.Cuts != nil && len(n.Cuts) > 0 || n.Gres[0].Sick != nil {
		t.Errorf("whole: %+v %+v", n.Cuts, n.Gres)
	}
	// One nobody wants cut is noted, to be made whole.
	r.must(reg)
	if n := r.s.Node("n5"); len(n.Cuts) != 1 || n.Cuts[0].Profiles != nil || n.Gres[0].Sick == nil {
		t.Errorf("cut by nobody's wish: %+v %+v", n.Cuts, n.Gres)
	}
}

func TestNodeFeatures(t *testing.T) {
	r := newRig(t)
	n := func() string { n := r.s.Node("n1"); return fmt.Sprint(n.AllFeatures(), n.Features) }
	r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Available: &[]string{"x", "y"}, Features: &[]string{"x"}})
	if got := n(); got != "[x y] [x]" {
		t.Errorf("some active: %s", got)
	}
	for _, c := range []UpdateNode{{Available: &[]string{"y"}}, {Available: &[]string{"x"}, Features: &[]string{"z"}}, {Available: &[]string{}}} {
		c.Nodes = []sched.NodeName{"n1"}
		r.refuse(c, slurm.ErrnoActiveFeatureNotSubset)
	}
	r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Available: &[]string{"x", "y"}, Features: &[]string{}})
	if got := n(); got != "[x y] []" {
		t.Errorf("none active: %s", got)
	}
	r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Available: &[]string{"q"}})
	if got := n(); got != "[q] [q]" {
		t.Errorf("none was active before: %s", got)
	}
	r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Features: &[]string{"old"}})
	if got := n(); got != "[old] [old]" {
		t.Errorf("an entry of before: %s", got)
	}
	r.must(UpdateNode{Nodes: []sched.NodeName{"n1"}, Addr: ptr("10.0.0.9"), Hostname: ptr("h"), CPUBind: ptr("cores")})
	if n := r.s.Node("n1"); n.Addr != "10.0.0.9" || n.Hostname != "h" || n.CPUBind != "cores" {
		t.Errorf("got %+v", n)
	}
}

// TestDevicesNamedUnderAJob: a job began when a node's GPUs were only counted. When
// they are known, another one is given some by number, and configurations still come
// into force.
func TestDevicesNamedUnderAJob(t *testing.T) {
	r := newRig(t)
	files := r.s.ConfigFiles()
	r.must(SetConfig{[]ConfigFile{{"slurm.conf", []byte(rigConf)}}})
	start := func(g sched.GresAlloc) {
		t.Helper()
		s := r.on(r.submit(), 1, "n5")
		g.Name, g.Type = "gpu", "a100"
		s.Alloc[0].Gres = []sched.GresAlloc{g}
		r.must(StartJobs{[]sched.Start{s}})
	}
	start(sched.GresAlloc{Count: 2})
	r.must(SetConfig{files})
	start(sched.GresAlloc{Count: 1, Index: []int{0}})
	r.must(SetConfig{files})
	few := r.on(r.submit(), 1, "n6")
	few.Alloc[0].Gres = []sched.GresAlloc{{Name: "gpu", Type: "a100", Count: 2, Index: []int{0}}}
	r.refuse(StartJobs{[]sched.Start{few}}, slurm.ErrnoInvalidGres)
}
