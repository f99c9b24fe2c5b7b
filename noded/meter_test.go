package noded

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/gpu/probe"
)

func TestMeterSharesOutWhatIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		uses := []probe.Use{{Busy: 0.5, Memory: 1 << 30, Energy: 1000}, {Busy: 1, Memory: 2 << 30, Energy: 5000}}
		drawn := map[string]int64{"intel-rapl:0": 0}
		m := &meter{
			uses:   func() ([]probe.Use, error) { return append([]probe.Use(nil), uses...), nil },
			joules: func() (map[string]int64, bool) { return map[string]int64{"intel-rapl:0": drawn["intel-rapl:0"]}, true },
			cpus:   8, slices: map[string]*metered{},
		}
		m.begin()
		job := jobKey{1, 0}
		both := []int{0, 1}
		m.start("1.0.batch", job, true, both, 4)
		pass := func(d time.Duration, joules int64) {
			time.Sleep(d)
			uses[0].Energy += 2000
			drawn["intel-rapl:0"] += joules * 1e6
		}
		pass(10*time.Second, 80)
		m.start("1.0.0", job, false, both, 4)
		pass(20*time.Second, 160)
		step := &rinkpb.Usage{}
		m.end("1.0.0", step)
		pass(10*time.Second, 80)
		batch := &rinkpb.Usage{}
		m.end("1.0.batch", batch)
		// Ten seconds before the step and ten behind it are the script's.
		if got := time.Duration(batch.GpuTime); got != 30*time.Second {
			t.Errorf("the script's GPUs were busy for %v", got)
		}
		if got := time.Duration(step.GpuTime); got != 30*time.Second {
			t.Errorf("the step's GPUs were busy for %v", got)
		}
		if batch.GpuMem != 3<<30 || step.GpuMem != 3<<30 {
			t.Errorf("memory %d and %d", batch.GpuMem, step.GpuMem)
		}
		if batch.Energy != 4+80 || step.Energy != 2+80 {
			t.Errorf("energy %d and %d, want 84 and 82", batch.Energy, step.Energy)
		}
		m.end("1.0.batch", batch) // again: nothing is added
		if batch.Energy != 84 {
			t.Errorf("energy %d after a second end", batch.Energy)
		}
	})
}

func TestMeterOfAMachineThatTellsNothing(t *testing.T) {
	m := &meter{
		uses:   func() ([]probe.Use, error) { return nil, errors.New("no driver") },
		joules: func() (map[string]int64, bool) { return nil, false },
		cpus:   1, slices: map[string]*metered{},
	}
	m.begin()
	m.start("1.0.batch", jobKey{1, 0}, true, nil, 1)
	u := &rinkpb.Usage{}
	m.end("1.0.batch", u)
	if u.Energy != 0 || u.GpuTime != 0 || len(m.slices) != 0 {
		t.Errorf("it told %v", u)
	}
	m.run(t.Context()) // returns at once
}
