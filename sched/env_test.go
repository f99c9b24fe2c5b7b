package sched

import (
	"slices"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// everywhere are variables that the table of recorded ones leaves out: they are
// the same for all jobs, or Slurm 22.05 has them not.
var everywhere = []string{
	"SLURM_JOB_ID", "SLURM_JOBID", "SLURM_CLUSTER_NAME", "SLURM_JOB_ACCOUNT", "SLURM_JOB_QOS", "SLURM_JOB_PARTITION", "SLURM_NODE_ALIASES",
	"SLURM_SUBMIT_HOST", "SLURM_JOB_UID", "SLURM_JOB_GID", "SLURM_JOB_USER", "SLURM_JOB_START_TIME", "SLURM_JOB_END_TIME",
	"SLURM_JOB_LICENSES", "SLURM_NETWORK",
}

func TestVariablesAreThoseOfSlurm(t *testing.T) {
	cfg, nodes := refCluster(t)
	for _, row := range rows(t, "variables.tsv") {
		cmd := slurm.Sbatch
		if row[0] == "salloc" {
			cmd = slurm.Salloc
		}
		t.Run(row[0]+" "+row[1], func(t *testing.T) {
			j, lines, err := refJob(t, cfg, nodes, cmd, row[1])
			if err != nil {
				t.Fatal(err, lines)
			}
			j = started(t, cfg, nodes, j)
			env := AllocEnv(j, cfg)
			if cmd == slurm.Sbatch {
				env = BatchEnv(j, cfg)
			}
			env = slices.DeleteFunc(env, func(line string) bool {
				name, _, _ := strings.Cut(line, "=")
				return slices.Contains(everywhere, name)
			})
			slices.Sort(env)
			want := strings.Fields(row[2])
			for _, line := range want {
				if !slices.Contains(env, line) {
					t.Errorf("%s is missing", line)
				}
			}
			for _, line := range env {
				if !slices.Contains(want, line) {
					t.Errorf("%s is too much", line)
				}
			}
		})
	}
}

func names(env []string) []string {
	out := make([]string, len(env))
	for i, line := range env {
		out[i], _, _ = strings.Cut(line, "=")
	}
	slices.Sort(out)
	return out
}

func TestNothingElseIsInTheEnvironment(t *testing.T) {
	cfg, nodes := refCluster(t)
	j, _, err := refJob(t, cfg, nodes, slurm.Sbatch, "-J envy -n 2 -c 3 -t 10")
	if err != nil {
		t.Fatal(err)
	}
	j = started(t, cfg, nodes, j)
	want := strings.Fields(`ENVIRONMENT SLURM_CLUSTER_NAME SLURM_CPUS_PER_TASK SLURM_JOBID SLURM_JOB_ACCOUNT SLURM_JOB_CPUS_PER_NODE
		SLURM_JOB_END_TIME SLURM_JOB_GID SLURM_JOB_ID SLURM_JOB_NAME SLURM_JOB_NODELIST SLURM_JOB_NUM_NODES SLURM_JOB_PARTITION SLURM_JOB_QOS
		SLURM_JOB_START_TIME SLURM_JOB_UID SLURM_JOB_USER SLURM_MEM_PER_CPU SLURM_NNODES SLURM_NODELIST SLURM_NODE_ALIASES SLURM_NPROCS SLURM_NTASKS
		SLURM_SUBMIT_DIR SLURM_SUBMIT_HOST SLURM_TASKS_PER_NODE`)
	if got := names(BatchEnv(j, cfg)); !slices.Equal(got, want) {
		t.Errorf("a batch job has\n%v\nwant\n%v", got, want)
	}
	j, _, err = refJob(t, cfg, nodes, slurm.Salloc, "")
	if err != nil {
		t.Fatal(err)
	}
	want = strings.Fields(`SLURM_CLUSTER_NAME SLURM_JOBID SLURM_JOB_ACCOUNT SLURM_JOB_CPUS_PER_NODE SLURM_JOB_ID SLURM_JOB_NAME SLURM_JOB_NODELIST
		SLURM_JOB_NUM_NODES SLURM_JOB_PARTITION SLURM_JOB_QOS SLURM_NNODES SLURM_NODELIST SLURM_NODE_ALIASES SLURM_SUBMIT_DIR SLURM_SUBMIT_HOST
		SLURM_TASKS_PER_NODE`)
	if got := names(AllocEnv(started(t, cfg, nodes, j), cfg)); !slices.Equal(got, want) {
		t.Errorf("salloc's command has\n%v\nwant\n%v", got, want)
	}
}

// has checks that an environment has these lines.
func has(t *testing.T, env []string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !slices.Contains(env, line) {
			t.Errorf("%s is missing in %v", line, env)
		}
	}
}

func TestArrayTasksKnowTheirPlace(t *testing.T) {
	cfg, nodes := refCluster(t)
	j, _, err := refJob(t, cfg, nodes, slurm.Sbatch, "--array=3-7:2")
	if err != nil {
		t.Fatal(err)
	}
	j = started(t, cfg, nodes, j)
	j.ID, j.Restarts = 700005, 2
	has(t, BatchEnv(j, cfg), "SLURM_ARRAY_JOB_ID=700001", "SLURM_ARRAY_TASK_ID=3", "SLURM_ARRAY_TASK_COUNT=3", "SLURM_ARRAY_TASK_MIN=3",
		"SLURM_ARRAY_TASK_MAX=7", "SLURM_ARRAY_TASK_STEP=2", "SLURM_JOB_ID=700005", "SLURM_RESTART_COUNT=2")
}

func TestTheStepOfAnArrayIsTheFirstOneGiven(t *testing.T) {
	cfg, nodes := refCluster(t)
	for spec, want := range map[string]string{
		"1,3,5": "1", "1-5": "1", "1-3:5": "5", "1-5:2,9": "2", "1-10:3,20-30:5": "3", "1-3,10-20:4": "4", "4-8:2%1": "2",
	} {
		j, _, err := refJob(t, cfg, nodes, slurm.Sbatch, "--array="+spec)
		if err != nil {
			t.Fatal(err)
		}
		has(t, BatchEnv(started(t, cfg, nodes, j), cfg), "SLURM_ARRAY_TASK_STEP="+want)
	}
}

func TestComponentsKnowEachOther(t *testing.T) {
	cfg, nodes := refCluster(t)
	var both []*Job
	for i, line := range []string{"-n1 -J het", "-n2 --mem=50 -J het"} {
		j, _, err := refJob(t, cfg, nodes, slurm.Sbatch, line)
		if err != nil {
			t.Fatal(err)
		}
		j = started(t, cfg, nodes, j)
		j.ID += slurm.JobID(i)
		both = append(both, j)
	}
	has(t, BatchEnv(both[0], cfg, both...), "SLURM_HET_SIZE=2", "SLURM_JOB_ID_HET_GROUP_0=700001", "SLURM_JOB_ID_HET_GROUP_1=700002",
		"SLURM_NTASKS_HET_GROUP_1=2", "SLURM_MEM_PER_NODE_HET_GROUP_1=50", "SLURM_JOB_NODELIST_HET_GROUP_1=n1", "SLURM_NTASKS=1")
}

func TestStepsTellTheirOwnSize(t *testing.T) {
	cfg, nodes := refCluster(t)
	j, _, err := refJob(t, cfg, nodes, slurm.Sbatch, "-N 2 -n 3 -c 2 -J job.sh")
	if err != nil {
		t.Fatal(err)
	}
	j = started(t, cfg, nodes, j)
	opts := &slurm.JobOptions{JobID: j.ID.String(), NTasks: 3, MinNodes: 2, MaxNodes: 2, Given: map[string]bool{}, Step: slurm.StepOptions{Label: true}}
	s, _, err := PlaceStep(j, opts, "env", cfg, refNow)
	if err != nil {
		t.Fatal(err)
	}
	env := StepEnv(j, s, opts, cfg)
	has(t, env, "SLURM_CPUS_PER_TASK=2", "SLURM_DISTRIBUTION=block", "SLURM_JOB_NAME=job.sh", "SLURM_LABELIO=1", "SLURM_NNODES=2",
		"SLURM_NODELIST=n[1-2]", "SLURM_NPROCS=3", "SLURM_NTASKS=3", "SLURM_STEPID=0", "SLURM_STEP_ID=0", "SLURM_STEP_NODELIST=n[1-2]",
		"SLURM_STEP_NUM_NODES=2", "SLURM_STEP_NUM_TASKS=3", "SLURM_STEP_TASKS_PER_NODE=2,1", "SLURM_TASKS_PER_NODE=2,1")
	one := &slurm.JobOptions{NTasks: 1, MinNodes: 1, MaxNodes: 1, Given: map[string]bool{"job-name": true}, Distribution: "plane=2"}
	if s, _, err = PlaceStep(j, one, "named", cfg, refNow); err != nil {
		t.Fatal(err)
	}
	has(t, StepEnv(j, s, one, cfg), "SLURM_NNODES=1", "SLURM_JOB_NUM_NODES=2", "SLURM_NODELIST=n[1-2]", "SLURM_STEP_NODELIST=n1", "SLURM_JOB_NAME=named",
		"SLURM_DISTRIBUTION=plane", "SLURM_DIST_PLANESIZE=2")
}
