package sched

import (
	"testing"

	"github.com/runink/rink/slurm"
)

func TestJobTRES(t *testing.T) {
	cfg, nodes := refCluster(t)
	for _, c := range []struct{ name, options, pending, running string }{
		{"Tasks", "-n 3 -c 2 --mem=1G", "cpu=6,mem=1G,node=1,billing=6", "cpu=6,mem=1G,node=1,billing=6"},
		{"GPUs", "-N 2 --gres=gpu:1", "cpu=2,mem=200M,node=2,billing=2,gres/gpu=2", "cpu=2,mem=200M,node=2,billing=2,gres/gpu=2,gres/gpu:a100=2"},
		{"TypedGPUs", "--gpus=v100:1", "cpu=1,mem=100M,node=1,billing=1,gres/gpu=1,gres/gpu:v100=1", "cpu=1,mem=100M,node=1,billing=1,gres/gpu=1,gres/gpu:v100=1"},
		{"GPUsOfTasks", "--gpus-per-task=2 -n 2", "cpu=2,mem=200M,node=1,billing=2,gres/gpu=4", "cpu=2,mem=200M,node=1,billing=2,gres/gpu=4,gres/gpu:a100=4"},
		{"LicencesThatAreCounted", "-L matlab:2,ansys", "cpu=1,mem=100M,node=1,billing=1,license/matlab=2", "cpu=1,mem=100M,node=1,billing=1,license/matlab=2"},
		{"WholeNode", "--exclusive", "cpu=1,mem=100M,node=1,billing=1", "cpu=16,mem=1600M,node=1,billing=16,gres/gpu=4,gres/gpu:a100=4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, lines, err := refJob(t, cfg, nodes, slurm.Sbatch, c.options)
			if err != nil {
				t.Fatal(err, lines)
			}
			if got := JobTRES(j, cfg).String(); got != c.pending {
				t.Errorf("pending: got %s, want %s", got, c.pending)
			}
			if got := JobTRES(started(t, cfg, nodes, j), cfg).String(); got != c.running {
				t.Errorf("running: got %s, want %s", got, c.running)
			}
		})
	}
}

func TestBillingIsWeighed(t *testing.T) {
	cfg, nodes := refCluster(t)
	j, _, err := refJob(t, cfg, nodes, slurm.Sbatch, "-N 2 -n 8 --mem=8G --gres=gpu:1")
	if err != nil {
		t.Fatal(err)
	}
	j = started(t, cfg, nodes, j)
	p := cfg.Partition(j.Partition)
	for _, c := range []struct {
		name, weights, flag string
		want                int64
	}{
		{"CPUsAlone", "", "", 8},
		{"Sum", "CPU=1.0,Mem=0.25G,GRES/gpu=2.0", "", 8 + 4 + 4},
		{"Most", "CPU=1.0,Mem=0.25G,GRES/gpu=2.0", "MAX_TRES", 8},
		{"MemoryInMB", "Mem=0.001", "", 16},
		{"NodesOnTop", "CPU=1,Node=10", "MAX_TRES", 28},
	} {
		t.Run(c.name, func(t *testing.T) {
			p.BillingWeights = c.weights
			cfg.Conf.PriorityFlags = []string{c.flag}
			if got, _ := JobTRES(j, cfg).Get("billing"); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}
