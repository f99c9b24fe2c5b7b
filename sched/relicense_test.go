package sched

import (
	"testing"

	"github.com/runink/rink/slurm"
)

// TestLicencesThatARunningJobGivesBack: the scheduler counts what a running job's licences become, and
// a quick plan starts whom they kept out.
func TestLicencesThatARunningJobGivesBack(t *testing.T) {
	cfg, nodes, err := configOf(t, "ClusterName=c\nSlurmctldHost=h\nLicenses=lic:2\nNodeName=n1 CPUs=4 RealMemory=1000 State=UNKNOWN\nPartitionName=a Nodes=n1 Default=YES\n", "")
	if err != nil {
		t.Fatal(err)
	}
	nodes[0].State = slurm.NodeIdle
	two, err := slurm.ParseLicenses("lic:2")
	if err != nil {
		t.Fatal(err)
	}
	job := func(id slurm.JobID) *Job {
		return &Job{ID: id, Spec: &slurm.JobOptions{}, Priority: 5, Partitions: []PartitionName{"a"}, Partition: "a", State: slurm.JobPending,
			Submit: refNow, Eligible: refNow, TimeLimit: 60, Need: Need{MinNodes: 1, MaxNodes: 1, Tasks: 1, CPUs: 1, CPUsPerTask: 1, MinCPUsNode: 1, Licenses: two}}
	}
	s := NewScheduler(View{Config: cfg, Nodes: nodes, LicensesAll: cfg.Licenses})
	first, second := job(1), job(2)
	s.Job(nil, first)
	p := s.Plan(refNow, true)
	if len(p.Starts) != 1 {
		t.Fatalf("starts %+v, want one", p.Starts)
	}
	runs := *first
	runs.State, runs.Alloc, runs.Start, runs.LicensesUsed = slurm.JobRunning, p.Starts[0].Alloc, refNow, two
	s.Job(first, &runs)
	s.Job(nil, second)
	if p := s.Plan(refNow, false); len(p.Starts) != 0 {
		t.Fatalf("starts %+v while the licences are used", p.Starts)
	}
	gave := runs
	gave.LicensesUsed = slurm.Licenses{}
	s.Job(&runs, &gave)
	if p := s.Plan(refNow, false); len(p.Starts) != 1 || p.Starts[0].Job != 2 {
		t.Errorf("starts %+v once they are given back, want job 2", p.Starts)
	}
	s.Job(&gave, &runs)
	if p := s.Plan(refNow, true); len(p.Starts) != 0 {
		t.Errorf("starts %+v when they are taken again", p.Starts)
	}
}
