package barn

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
)

const storyConf = `
ClusterName=test
SlurmctldHost=ctl1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
NodeName=n[1-4] CPUs=8 RealMemory=16000
PartitionName=main Nodes=ALL Default=YES
`

// propose wants every command to be accepted.
func propose(t testing.TB, b *Barn, cmds ...state.Command) []state.Result {
	t.Helper()
	results, err := b.Propose(within(t, 10*time.Second), system, cmds...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Err != nil {
			t.Fatalf("%T: %v", cmds[i], r.Err)
		}
	}
	return results
}

// storyJob is a job as the controller hands it in; with tasks, an array.
func storyJob(t testing.TB, tasks uint32) *sched.Job {
	t.Helper()
	spec, err := api.JobOptionsFromProto(&rinkpb.JobOptions{Name: "story", Ntasks: 1, Given: []string{"ntasks", "job-name"}})
	if err != nil {
		t.Fatal(err)
	}
	j := &sched.Job{
		Spec: spec, UID: 1000, GID: 1000, User: "ann", Group: "ann", Name: "story", Batch: true, Requeue: true,
		Partitions: []sched.PartitionName{"main"}, Partition: "main", TimeLimit: 3600, Priority: 100,
		Need: sched.Need{MinNodes: 1, MaxNodes: 1, Tasks: 1, CPUs: 1, CPUsPerTask: 1},
	}
	if tasks > 0 {
		if j.Tasks, err = api.IndexSetFromProto(&rinkpb.IndexSet{Runs: []uint32{1, tasks, 1}}); err != nil {
			t.Fatal(err)
		}
	}
	return j
}

// whole returns the state in the bytes of a snapshot, for comparing.
func whole(t testing.TB, b *Barn) []byte {
	t.Helper()
	var out bytes.Buffer
	b.Read(func(s *state.State) {
		if err := writeSnapshot(&out, snapshotHead{}, s.Dump()); err != nil {
			t.Fatal(err)
		}
	})
	return out.Bytes()
}

// kinds lists the types of a batch's events.
func kinds(b Batch) string {
	var list []string
	for _, e := range b.Events {
		list = append(list, strings.TrimPrefix(fmt.Sprintf("%T", e), "state."))
	}
	return strings.Join(list, " ")
}

// Jobs live on three controllers; a fourth comes by way of a snapshot, and all
// of them are started again. At each point they have the same state, byte for
// byte, and told their watchers the same.
func TestJobsOnSeveralControllers(t *testing.T) {
	c := newCluster(t, 3)
	var watchers []*Watcher
	for _, b := range c.barns {
		w, err := b.Watch(0)
		if err != nil {
			t.Fatal(err)
		}
		watchers = append(watchers, w)
	}
	lead := c.barns[c.leader(-1)]
	alike := func(what string) {
		t.Helper()
		c.same()
		for _, b := range c.barns[1:] {
			if !bytes.Equal(whole(t, b), whole(t, c.barns[0])) {
				t.Errorf("%s: %s has another state than %s", what, b.o.ID, c.barns[0].o.ID)
			}
		}
	}

	propose(t, lead, state.SetConfig{Files: []state.ConfigFile{{Name: "slurm.conf", Text: []byte(storyConf)}}})
	for i := range 4 {
		propose(t, lead, state.RegisterNode{Node: sched.NodeName(fmt.Sprint("n", i+1)), CPUs: 8, Memory: 16000, Up: true})
	}
	single := propose(t, lead, state.SubmitJobs{Key: "one", Jobs: []*sched.Job{storyJob(t, 0)}})[0].Jobs[0]
	array := propose(t, lead, state.SubmitJobs{Key: "two", Jobs: []*sched.Job{storyJob(t, 10)}})[0].Jobs[0]
	if again := propose(t, lead, state.SubmitJobs{Key: "one", Jobs: []*sched.Job{storyJob(t, 0)}})[0].Jobs; again[0] != single {
		t.Errorf("the same submission again is job %v, it was %v", again, single)
	}
	alloc := func(n int) []sched.NodeAlloc {
		return []sched.NodeAlloc{{Node: sched.NodeName(fmt.Sprint("n", n)), CPUs: 1, Tasks: 1}}
	}
	starts := []sched.Start{{Job: single, Partition: "main", Alloc: alloc(1), Scheduler: "Main"}}
	for task := range uint32(3) {
		starts = append(starts, sched.Start{Job: array, IsTask: true, Task: task + 1, Partition: "main", Alloc: alloc(2), Scheduler: "Backfill"})
	}
	started := propose(t, lead, state.StartJobs{Starts: starts})[0].Started
	if len(started) != 4 {
		t.Fatalf("started %v of %v", started, starts)
	}
	propose(t, lead, state.StartStep{Job: single, Step: &sched.Step{Nodes: []sched.StepNode{{Node: "n1", CPUs: 1, Ranks: []int{0}}}, Tasks: 1, Name: "hello"}})
	alike("jobs run")

	// What ends now is in the log after the snapshot.
	if err := lead.Snapshot(); err != nil {
		t.Fatal(err)
	}
	propose(t, lead,
		state.EndJob{Job: single, Restarts: state.AnyIncarnation, State: 3},
		state.ReleaseNodes{Job: single, Nodes: []sched.NodeName{"n1"}, Batch: true, Usage: sched.Usage{UserCPU: time.Second, MaxRSS: 4096}})
	alike("a job has ended")

	// Everybody told the same.
	var told [3][]string
	index, _ := lead.Index()
	for i, w := range watchers {
		for {
			b, err := w.Next(within(t, 5*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			told[i] = append(told[i], fmt.Sprint(b.Index, " ", kinds(b)))
			if b.Index == index {
				break
			}
		}
	}
	if !slices.Equal(told[0], told[1]) || !slices.Equal(told[0], told[2]) {
		t.Errorf("they told\n%q\n%q\n%q", told[0], told[1], told[2])
	}
	text := strings.Join(told[0], "\n")
	for _, want := range []string{"ConfigChanged", "JobStarted", "StepStarted", "JobEnded", "JobReleased"} {
		if !strings.Contains(text, want) {
			t.Errorf("nobody was told %s:\n%s", want, text)
		}
	}

	// A controller that comes by a snapshot.
	_, trans := raft.NewInmemTransport("ctl4")
	c.trans = append(c.trans, trans)
	late, err := Open(clusterOptions(t, 3, t.TempDir(), trans))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { late.Close() })
	c.barns = append(c.barns, late)
	c.join(3)
	rc := lead.raft.ReloadableConfig()
	rc.TrailingLogs = 1
	if err := lead.raft.ReloadConfig(rc); err != nil {
		t.Fatal(err)
	}
	propose(t, lead, state.UpdateNode{Nodes: []sched.NodeName{"n4"}, ReasonUser: "root", Comment: new(string)})
	if err := lead.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	if err := lead.AddVoter(within(t, 10*time.Second), "ctl4", "ctl4"); err != nil {
		t.Fatal(err)
	}
	alike("a fourth has come")

	// A directory copied while it is in use has it all.
	want := whole(t, lead)
	o := clusterOptions(t, 0, copyDir(t, late.o.Dir), nil)
	o.ID, o.Bootstrap = "ctl4", false
	_, alone := raft.NewInmemTransport("ctl4")
	o.transport = alone
	copied, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	copied.Read(func(s *state.State) {
		if s.Job(array) == nil {
			t.Error("the copy has no array")
		}
	})
	for _, b := range c.barns {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	fresh := &cluster{t: t}
	for i, b := range c.barns {
		_, trans := raft.NewInmemTransport(raft.ServerAddress(b.o.Address))
		fresh.trans = append(fresh.trans, trans)
		fresh.join(i)
		again, err := Open(clusterOptions(t, i, b.o.Dir, trans))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { again.Close() })
		fresh.barns = append(fresh.barns, again)
	}
	fresh.leader(-1)
	for _, b := range fresh.barns {
		if err := b.WaitApplied(within(t, 10*time.Second), mustIndex(lead)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(whole(t, b), want) {
			t.Errorf("%s has another state after the restart", b.o.ID)
		}
	}
	if _, err := lead.Propose(context.Background(), system, state.Purge{}); err == nil {
		t.Error("a closed controller took a proposal")
	}
}

func mustIndex(b *Barn) uint64 {
	index, _ := b.Index()
	return index
}
