package sched

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// stepText tells of a step: ranks, CPUs and devices on each node.
func stepText(s *Step) string {
	var parts []string
	for _, n := range s.Nodes {
		text := fmt.Sprintf("%s:%v c%d", n.Node, n.Ranks, n.CPUs)
		for _, g := range n.Gres {
			text += fmt.Sprintf(" g%v", g.Index)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ") + " " + s.Distribution
}

// stepOptions reads srun's options as inside a job with this many tasks and nodes,
// which srun takes from its environment.
func stepOptions(t *testing.T, line string, tasks, nodes int) *slurm.JobOptions {
	t.Helper()
	vars := map[string]string{"SLURM_JOB_ID": "700001", "SLURM_JOB_NUM_NODES": fmt.Sprint(nodes)}
	if tasks > 0 {
		vars["SLURM_NTASKS"] = fmt.Sprint(tasks)
	}
	env := func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}
	out, err := slurm.ReadOptions(slurm.Srun, "", append(strings.Fields(line), "prog"), slurm.OptionInput{Now: refNow, Env: env})
	if err != nil {
		t.Fatal(err)
	}
	return &out[0].Job
}

func TestStepsArePlacedAsSlurmDoes(t *testing.T) {
	cfg, nodes := refCluster(t)
	jobs := map[string]*Job{}
	for _, line := range []string{"-N 2 -n 6", "-N 2 -n 4 -c 2 --gres=gpu:2", "--exclusive"} {
		j, _, err := refJob(t, cfg, nodes, slurm.Salloc, line)
		if err != nil {
			t.Fatal(err)
		}
		jobs[line] = started(t, cfg, nodes, j)
	}
	const plain, gpus, whole = "-N 2 -n 6", "-N 2 -n 4 -c 2 --gres=gpu:2", "--exclusive"
	for _, c := range []struct{ job, step, want string }{
		{plain, "", "n1:[0 1 2 3 4] c5; n2:[5] c1 block"},
		{plain, "-n 1", "n1:[0] c5 cyclic"},
		{plain, "-n 2", "n1:[0] c5; n2:[1] c1 cyclic"},
		{plain, "-N 1", "More processors requested than permitted"},
		{plain, "-N 1 -n 6", "More processors requested than permitted"},
		{plain, "-n 7", "More processors requested than permitted"},
		{plain, "-c 3", "More processors requested than permitted"},
		{plain, "-n 2 -c 2", "n1:[0] c2; n2:[1] c1 cyclic"},
		{plain, "-w n2 -n 2", "n1:[0] c5; n2:[1] c1 cyclic"},
		{plain, "-w n3", "Requested node configuration is not available"},
		{plain, "-x n1 -n1", "n2:[0] c1 cyclic"},
		{plain, "-r 1 -N 1 -n 1 --jobid=1", "n2:[0] c1 cyclic"},
		{plain, "-n 4 -m cyclic", "n1:[0 2 3] c5; n2:[1] c1 cyclic"},
		{plain, "-n 6 -m plane=2", "n1:[0 1 3 4 5] c5; n2:[2] c1 plane=2"},
		{plain, "-n 6 --ntasks-per-node=3", "n1:[0 1 2 3] c5; n2:[4 5] c1 block"},
		{plain, "-O -n 10", "n1:[0 1 2 3 4 5 6] c5; n2:[7 8 9] c1 block"},
		{plain, "-n 2 --exact", "n1:[0] c1; n2:[1] c1 cyclic"},
		{plain, "-n 1 --exclusive", "n1:[0] c1 cyclic"},
		{plain, "-n 2 --mem=50", "n1:[0] c5; n2:[1] c1 cyclic"},
		{plain, "-n 2 --mem=600", "Memory required by task is not available"},
		{plain, "-n 1 --gres=gpu:1", "Invalid generic resource (gres) specification"},
		{gpus, "", "n1:[0 1] c6 g[0 1]; n2:[2 3] c2 g[0 1] block"},
		{gpus, "-n 1", "n1:[0] c6 g[0 1] cyclic"},
		{gpus, "-n 4 -c 1", "n1:[0 1] c2 g[0 1]; n2:[2 3] c2 g[0 1] block"},
		{gpus, "-n 8 -c 1", "n1:[0 1 2 3 4 5] c6 g[0 1]; n2:[6 7] c2 g[0 1] block"},
		{gpus, "-n 1 -c 8", "More processors requested than permitted"},
		{gpus, "--gres=gpu:1 -n 1", "n1:[0] c6 g[0] cyclic"},
		{gpus, "--gres=gpu:1 --gpus-per-node=2 -n 1", "n1:[0] c6 g[0] cyclic"}, // the second is what a job's environment says
		{gpus, "--gres=none --gpus-per-node=2 -n 1", "n1:[0] c6 cyclic"},
		{gpus, "--gres=gpu:3 -n 1", "Invalid generic resource (gres) specification"},
		{gpus, "--gres=none -n 1", "n1:[0] c6 cyclic"},
		{gpus, "--gpus=2 -n 2", "n1:[0] c6 g[0]; n2:[1] c2 g[0] cyclic"},
		{gpus, "--gpus-per-task=1 -n 4", "n1:[0 1] c6 g[0 1]; n2:[2 3] c2 g[0 1] block"},
		{whole, "", "n1:[0] c16 g[0 1 2 3] cyclic"},
		{whole, "-n 3", "n1:[0 1 2] c16 g[0 1 2 3] block"},
		{whole, "-n 3 -c 2", "n1:[0 1 2] c6 g[0 1 2 3] block"},
		{whole, "-n 17", "More processors requested than permitted"},
		{whole, "-c 8", "n1:[0 1] c16 g[0 1 2 3] block"},
	} {
		t.Run(c.job+" srun "+c.step, func(t *testing.T) {
			j := jobs[c.job]
			tasks := j.Need.Tasks
			if !j.Spec.Given["ntasks"] {
				tasks = 0
			}
			got := ""
			switch s, _, err := PlaceStep(j, stepOptions(t, c.step, tasks, len(j.Alloc)), "prog", cfg, refNow); {
			case err != nil:
				got = err.Error()
			case s == nil:
				got = "waits"
			default:
				got = stepText(s)
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestStepsShareOnlyWhatTheyAskTo(t *testing.T) {
	cfg, nodes := refCluster(t)
	j, _, err := refJob(t, cfg, nodes, slurm.Salloc, "-N 1 -n 4 --gres=gpu:2")
	if err != nil {
		t.Fatal(err)
	}
	j = started(t, cfg, nodes, j)
	for _, c := range []struct {
		name, first, second string
		waits               bool
	}{
		{"TwoPlain", "-n 2", "-n 2", true},
		{"ExactAfterPlain", "-n 2", "-n 2 --exact", true},
		{"PlainAfterExact", "-n 2 --exact --gres=none", "-n 2", true},
		{"TwoExact", "-n 2 --exact --gres=none", "-n 2 --exact --gres=none", false},
		{"TwoExactTooMany", "-n 3 --exact --gres=none", "-n 2 --exact --gres=none", true},
		{"TwoExactWithAllDevices", "-n 1 --exact", "-n 1 --exact", true},
		{"TwoExactWithADeviceEach", "-n 1 --exact --gres=gpu:1", "-n 1 --exact --gres=gpu:1", false},
		{"AllDevicesAfterNone", "-n 1 --exact --gres=none", "-n 1 --exact", false},
		{"OverlapAfterPlain", "-n 4", "-n 4 --overlap", false},
		{"PlainAfterOverlap", "-n 4 --overlap", "-n 4", false},
		{"MemoryLeft", "-n 1 --exact --mem=100 --gres=none", "-n 1 --exact --mem=300 --gres=none", false},
		{"MemoryGone", "-n 1 --exact --mem=100 --gres=none", "-n 1 --exact --mem=301 --gres=none", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := j.Clone()
			s, _, err := PlaceStep(one, stepOptions(t, c.first, 4, 1), "a", cfg, refNow)
			if err != nil || s == nil {
				t.Fatal(err, s)
			}
			one.Steps = append(one.Steps, s, &Step{ID: slurm.StepBatch, State: slurm.JobRunning, Nodes: []StepNode{{Node: "n1", CPUs: 4}}})
			second, result, err := PlaceStep(one, stepOptions(t, c.second, 4, 1), "b", cfg, refNow)
			if err != nil {
				t.Fatal(err)
			}
			if got := result == StepWaits; got != c.waits || got != (second == nil) {
				t.Errorf("waits: %v, want %v", got, c.waits)
			}
			if second == nil || s.Overlap || second.Overlap {
				return
			}
			seen := map[int]bool{}
			for _, n := range append(s.Nodes, second.Nodes...) {
				for _, g := range n.Gres {
					for _, x := range g.Index {
						if seen[x] {
							t.Errorf("device %d is given twice", x)
						}
						seen[x] = true
					}
				}
			}
			// An ended step is in nobody's way.
			s.State = slurm.JobCompleted
			if _, result, err := PlaceStep(one, stepOptions(t, c.second, 4, 1), "b", cfg, refNow); err != nil || result != StepPlaced {
				t.Errorf("after the first ended: %v %v", result, err)
			}
		})
	}
}

func TestStepsNeedARunningJob(t *testing.T) {
	cfg, nodes := refCluster(t)
	j, _, err := refJob(t, cfg, nodes, slurm.Salloc, "-n 2")
	if err != nil {
		t.Fatal(err)
	}
	run := started(t, cfg, nodes, j)
	with := func(state slurm.JobState) *Job {
		c := run.Clone()
		c.State = state
		return c
	}
	many := run.Clone()
	many.NextStep = MaxSteps
	cfg.MaxSteps = 0
	for _, c := range []struct {
		name string
		job  *Job
		want slurm.Errno
	}{
		{"Pending", j, slurm.ErrnoJobPending},
		{"Ended", with(slurm.JobCompleted), slurm.ErrnoAlreadyDone},
		{"Suspended", with(slurm.JobSuspended), slurm.ErrnoJobSuspended},
		{"TooManySteps", many, slurm.ErrnoStepLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, _, err := PlaceStep(c.job, &slurm.JobOptions{}, "x", cfg, refNow); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestArbitraryRanksFollowTheList(t *testing.T) {
	cfg, nodes := refCluster(t)
	j, _, err := refJob(t, cfg, nodes, slurm.Salloc, "-N 2 -n 4")
	if err != nil {
		t.Fatal(err)
	}
	j = started(t, cfg, nodes, j)
	opts := &slurm.JobOptions{NTasks: 3, NodeList: "n2,n1,n2", Distribution: "arbitrary", Given: map[string]bool{}}
	s, _, err := PlaceStep(j, opts, "x", cfg, refNow)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := stepText(s), "n1:[1] c3; n2:[0 2] c1 arbitrary"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestStepsGoWhereTheirFeaturesAre: a step's own constraint leaves out nodes of its job.
func TestStepsGoWhereTheirFeaturesAre(t *testing.T) {
	cfg, nodes := refCluster(t)
	j, _, err := refJob(t, cfg, nodes, slurm.Salloc, "-N 4 -n 4 -C fast|slow")
	if err != nil {
		t.Fatal(err)
	}
	j = started(t, cfg, nodes, j)
	node := func(name NodeName) *Node {
		for _, n := range nodes {
			if n.Name == name {
				return n
			}
		}
		return nil
	}
	for constraint, want := range map[string]string{
		"slow": "n3,n4", "ib": "n1,n3", "fast&ib": "n1", "(slow&ib)|(fast&eth)": "n2,n3", "fast|slow": "n1,n2,n3,n4", "": "n1,n2,n3,n4",
		"nosuch": "Requested node configuration is not available",
	} {
		opts, err := StepFeatures(j, &slurm.JobOptions{Constraint: constraint, Given: map[string]bool{}}, node)
		var s *Step
		if err == nil {
			s, _, err = PlaceStep(j, opts, "x", cfg, refNow)
		}
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			var names []string
			for _, n := range s.Nodes {
				names = append(names, string(n.Node))
			}
			got = strings.Join(names, ",")
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %s, want %s", constraint, got, want)
		}
	}
}
