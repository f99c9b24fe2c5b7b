package ctld

import (
	"errors"
	"strings"
	"testing"

	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// The counts of GPUs of a job are of GPUs, and CPUs are given by GPU: what names
// anything else is refused, not taken for them.
func TestUpdatesOfGPUCounts(t *testing.T) {
	for _, c := range []struct {
		key, value string
		ok         bool
	}{
		{"tresperjob", "gres:gpu:2", true}, {"tresperjob", "gpu:a100:2", true}, {"tresperjob", "gres:shard:2", false}, {"tresperjob", "foo:2", false}, {"trespersocket", "foo:1", false}, {"trespertask", "cpu:1", false},
		{"trespertask", "gres:gpu:1", true}, {"cpuspertres", "gres:gpu:3", true}, {"cpuspertres", "gpu:3", true},
		{"cpuspertres", "foo:3", false}, {"cpuspertres", "gpu:0", false}, {"cpuspertres", "gpu:a100:3", false}, {"cpuspertres", "gpu:x", false},
	} {
		spec := &slurm.JobOptions{Given: map[string]bool{}}
		up := &jobUpdate{j: &sched.Job{State: slurm.JobPending, Spec: spec}, spec: spec}
		if err := up.word(c.key, c.value, ""); (err == nil) != c.ok || err != nil && !errors.Is(err, slurm.ErrnoInvalidGres) {
			t.Errorf("%s=%s: %v", c.key, c.value, err)
		}
	}
}

// What a job that runs may give back, and what is refused.
func TestNodesGivenBack(t *testing.T) {
	for _, c := range []struct {
		key, value string
		change     func(*sched.Job)
		less       string
		err        error
	}{
		{"numnodes", "2", nil, "n3,n4", nil}, {"numnodes", "4", nil, "", nil}, {"reqnodes", "1", nil, "n2,n3,n4", nil},
		{"numnodes", "5", nil, "", slurm.ErrnoNotSupported}, {"numnodes", "2k", nil, "", slurm.ErrnoNotSupported}, {"numnodes", "0", nil, "", slurm.ErrnoInvalidNodeCount},
		{"numnodes", "1-2", nil, "", slurm.ErrnoNotPending},
		{"nodelist", "n[1,3]", nil, "n2,n4", nil}, {"reqnodelist", "n[1-4]", nil, "", nil}, {"nodelist", "n[2-3]", nil, "", slurm.ErrnoInvalidNodeName},
		{"nodelist", "n[2-3]", func(j *sched.Job) { j.Batch = false }, "n1,n4", nil}, {"nodelist", "", nil, "", slurm.ErrnoInvalidNodeName},
		{"nodelist", "n1,n7", nil, "", slurm.ErrnoInvalidNodeName}, {"nodelist", "n[", nil, "", slurm.ErrnoInvalidNodeName},
		{"numnodes", "2", func(j *sched.Job) { j.State = slurm.JobSuspended }, "n3,n4", nil},
		{"numnodes", "2", func(j *sched.Job) { j.State |= slurm.JobConfiguring }, "", slurm.ErrnoTransitionStateNoUpdate},
		{"numnodes", "2", func(j *sched.Job) { j.HetID = 7 }, "", slurm.ErrnoNotSupported},
	} {
		spec := &slurm.JobOptions{Given: map[string]bool{}}
		j := &sched.Job{ID: 7, State: slurm.JobRunning, Batch: true, Spec: spec}
		for _, n := range []sched.NodeName{"n1", "n2", "n3", "n4"} {
			j.Alloc = append(j.Alloc, sched.NodeAlloc{Node: n})
		}
		if c.change != nil {
			c.change(j)
		}
		up := &jobUpdate{t: configured(t, ""), j: j, spec: spec}
		err := up.word(c.key, c.value, "=")
		if less := joined(up.less); less != c.less || !errors.Is(err, c.err) || err != nil && c.err == nil {
			t.Errorf("%s=%s: gives back %q, %v, want %q, %v", c.key, c.value, less, err, c.less, c.err)
		}
	}
	spec := &slurm.JobOptions{Given: map[string]bool{}}
	up := &jobUpdate{t: configured(t, "SchedulerParameters=disable_job_shrink\n"), spec: spec,
		j: &sched.Job{State: slurm.JobRunning, Spec: spec, Alloc: []sched.NodeAlloc{{Node: "n1"}, {Node: "n2"}}}}
	if err := up.word("numnodes", "1", "="); !errors.Is(err, slurm.ErrnoNotSupported) || up.shrink() != nil {
		t.Errorf("disable_job_shrink: %v", err)
	}
}

// configured is a state with a configuration.
func configured(t *testing.T, more string) *state.State {
	t.Helper()
	s := state.New("t")
	text := "ClusterName=t\nSlurmctldHost=c1\nNodeName=n[1-4] CPUs=4 RealMemory=100\nPartitionName=p Nodes=ALL Default=YES\n" + more
	res, _ := s.Apply(1, state.Entry{Cmd: state.SetConfig{Files: []state.ConfigFile{{Name: "slurm.conf", Text: []byte(text)}}}})
	if res.Err != nil {
		t.Fatal(res.Err)
	}
	return s
}

func joined(list []sched.NodeName) string {
	text := make([]string, len(list))
	for i, n := range list {
		text[i] = string(n)
	}
	return strings.Join(text, ",")
}
