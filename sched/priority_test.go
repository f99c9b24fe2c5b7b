package sched

import (
	"testing"
	"time"

	"github.com/runink/rink/slurm"
)

func TestPriorityIsMadeOfItsFactors(t *testing.T) {
	cfg, nodes := refCluster(t)
	all := TotalsOf(nodes)
	for _, c := range []struct {
		name, options string
		standing      Standing
		age           time.Duration
		want          uint32
	}{
		{"SizeAndPartition", "-N 2", Standing{}, 0, 126},
		{"OneCPU", "", Standing{}, 0, 113},
		{"BetterQOS", "", Standing{QOS: 0.2}, 0, 2113},
		{"Nice", "--nice=50", Standing{}, 0, 63},
		{"BetterPartition", "-p short", Standing{}, 0, 1013},
		{"BestOfPartitions", "-p debug,short", Standing{}, 0, 1013},
		{"Wide", "-N 3 -n 3", Standing{}, 0, 139},
		{"Old", "", Standing{}, 84 * time.Hour, 613},
		{"OldestCounts", "", Standing{}, 1000 * time.Hour, 1113},
		{"NiceToTheEnd", "--nice=500", Standing{}, 0, 1},
		{"Held", "-H", Standing{}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			j, lines, err := refJob(t, cfg, nodes, slurm.Sbatch, c.options)
			if err != nil {
				t.Fatal(err, lines)
			}
			if got := Priority(j, cfg, all, c.standing, refNow.Add(c.age)); got != c.want {
				t.Errorf("got %d, want %d: %+v", got, c.want, FactorsOf(j, cfg, all, c.standing, refNow.Add(c.age)))
			}
		})
	}
}

func TestBasicPriorityCountsDown(t *testing.T) {
	cfg, nodes := refCluster(t)
	cfg.Conf.PriorityType = "priority/basic"
	j, _, err := refJob(t, cfg, nodes, slurm.Sbatch, "")
	if err != nil {
		t.Fatal(err)
	}
	cfg.FirstJobID = 700001
	var last uint32
	for _, id := range []slurm.JobID{700001, 700002, 700003} {
		j.ID = id
		got := Priority(j, cfg, TotalsOf(nodes), Standing{}, refNow)
		if last == 0 && got != 4294901759 || last != 0 && got != last-1 {
			t.Errorf("job %d has priority %d after %d", id, got, last)
		}
		last = got
	}
}

func TestPriorityAskedForIsKept(t *testing.T) {
	cfg, nodes := refCluster(t)
	j := &Job{Spec: &slurm.JobOptions{Priority: 77, Given: map[string]bool{"priority": true}}}
	if got := Priority(j, cfg, TotalsOf(nodes), Standing{}, refNow); got != 77 {
		t.Errorf("got %d", got)
	}
	// Users may not ask for one.
	mine, _, err := refJob(t, cfg, nodes, slurm.Sbatch, "--priority=5")
	if err != nil || mine.Priority != 113 || mine.Spec.Given["priority"] {
		t.Errorf("got %d %v", mine.Priority, err)
	}
}

func TestSmallJobsMayBeFavoured(t *testing.T) {
	cfg, nodes := refCluster(t)
	cfg.Conf.PriorityFavorSmall = true
	j, _, _ := refJob(t, cfg, nodes, slurm.Sbatch, "-N 2")
	if f := FactorsOf(j, cfg, TotalsOf(nodes), Standing{}, refNow); f.JobSize != (0.5+62.0/64)/2 {
		t.Errorf("size counts %v", f.JobSize)
	}
	cfg.Conf.PriorityFavorSmall = false
	cfg.Conf.PriorityFlags = []string{"SMALL_RELATIVE_TO_TIME"}
	j.TimeLimit = 120
	if f := FactorsOf(j, cfg, TotalsOf(nodes), Standing{}, refNow); f.JobSize != 1.0/64 {
		t.Errorf("size over time counts %v", f.JobSize)
	}
}
