package noded

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
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
			tells:  gpuTells{uses: func() ([]probe.Use, error) { return append([]probe.Use(nil), uses...), nil }},
			joules: func() (map[string]int64, bool) { return map[string]int64{"intel-rapl:0": drawn["intel-rapl:0"]}, true },
			cpus:   8, slices: map[string]*metered{}, herds: map[string]herdGPUs{}, sooner: make(chan struct{}, 1),
		}
		m.begin()
		job := jobKey{1, 0}
		both := []heldGPU{{0, true}, {1, true}}
		m.start("1.0.batch", &metered{job: job, batch: true, devices: both, cpus: 4})
		pass := func(d time.Duration, joules int64) {
			time.Sleep(d)
			uses[0].Energy += 2000
			drawn["intel-rapl:0"] += joules * 1e6
		}
		pass(10*time.Second, 80)
		m.start("1.0.0", &metered{job: job, devices: both, cpus: 4})
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

// TestMeterGoesByProcesses has GPUs that several slices hold at once: what the driver
// tells of their processes is theirs, and all of it together is never more than the
// GPU did.
func TestMeterGoesByProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		uses := []probe.Use{{Busy: 0.75, Memory: 9 << 30, Lists: true}, {Busy: 1, Memory: 2 << 30, Lists: true}}
		whose := map[int]struct {
			id   string
			rank int32
		}{11: {"1.0.0", 0}, 12: {"1.0.0", 1}, 13: {"1.0.0", 1}, 21: {"2.0.batch", 0}, 31: {"3.0.batch", 0}}
		procs := []probe.Process{
			{PID: 11, GPU: 1, Memory: 1 << 30, Busy: 0.25}, {PID: 12, GPU: 1, Memory: 2 << 30, Busy: 0.25}, {PID: 13, GPU: 1, Memory: 1 << 30, Busy: 0.25},
			{PID: 21, GPU: 0, Memory: 4 << 30, Busy: 0.5}, {PID: 31, GPU: 0, Memory: 1 << 30, Busy: 0.25}, {PID: 99, GPU: 0, Memory: 1 << 30, Busy: 0.1},
		}
		record := filepath.Join(t.TempDir(), "metered")
		begin := func() *meter {
			m := newMeter(gpuTells{
				uses:      func() ([]probe.Use, error) { return append([]probe.Use(nil), uses...), nil },
				processes: func(time.Duration) ([]probe.Process, error) { return procs, nil },
				of:        func(pid int) (string, int32) { return whose[pid].id, whose[pid].rank },
			}, 8, record)
			m.power = false
			return m
		}
		m := begin()
		start := func() {
			m.start("1.0.batch", &metered{job: jobKey{1, 0}, batch: true, devices: []heldGPU{{1, true}}})
			m.start("1.0.0", &metered{job: jobKey{1, 0}, devices: []heldGPU{{1, true}}, ranks: []int32{0, 1, 2}})
			m.start("2.0.batch", &metered{job: jobKey{2, 0}, batch: true, devices: []heldGPU{{0, false}}})
			m.start("3.0.batch", &metered{job: jobKey{3, 0}, batch: true, devices: []heldGPU{{0, false}}})
		}
		start()
		pass := func() {
			time.Sleep(10 * time.Second)
			uses[0].Energy += 9000
			uses[1].Energy += 1000
			m.mu.Lock()
			m.read(time.Now())
			m.keep()
			m.mu.Unlock()
		}
		pass()
		m = begin() // the agent was replaced, and what it had written down goes on
		start()
		pass()
		time.Sleep(5 * time.Second)
		for _, want := range []struct {
			id                string
			busy              time.Duration
			mem, joules, util int64
		}{
			{"1.0.0", 25 * time.Second, 4 << 30, 2, 50},
			{"2.0.batch", 12500 * time.Millisecond, 4 << 30, 12, 50},
			{"3.0.batch", 6250 * time.Millisecond, 1 << 30, 6, 25},
			{"1.0.batch", 0, 0, 0, 0}, // nothing of it ran
		} {
			u := &rinkpb.Usage{}
			procs = slices.DeleteFunc(procs, func(p probe.Process) bool { return whose[p.PID].id == want.id }) // they have ended since
			m.end(want.id, u)
			if time.Duration(u.GpuTime) != want.busy || u.GpuMem != want.mem || u.Energy != want.joules || u.GpuUtilMax.GetAmount() != want.util ||
				time.Duration(u.GpuSpan).Round(time.Second) != 25*time.Second {
				t.Errorf("%s: %v", want.id, u)
			}
			if want.id == "1.0.0" && (u.GpuUtilMax.Task != 1 || u.GpuMemMax.GetTask() != 1 || u.GpuMemMax.GetAmount() != 3<<30 || u.GpuMemMin.GetTask() != 2 || u.GpuMemMin.GetAmount() != 0) {
				t.Errorf("its tasks: %v", u)
			}
		}
		m.mu.Lock()
		m.keep()
		m.mu.Unlock()
		if _, err := os.Stat(record); err == nil {
			t.Error("what is over is still written down")
		}
	})
}

func TestMeterOfAMachineThatTellsNothing(t *testing.T) {
	m := &meter{
		tells:  gpuTells{uses: func() ([]probe.Use, error) { return nil, errors.New("no driver") }},
		joules: func() (map[string]int64, bool) { return nil, false },
		cpus:   1, slices: map[string]*metered{},
	}
	m.begin()
	m.start("1.0.batch", &metered{job: jobKey{1, 0}, batch: true, cpus: 1})
	u := &rinkpb.Usage{}
	m.end("1.0.batch", u)
	if u.Energy != 0 || u.GpuTime != 0 || len(m.slices) != 0 {
		t.Errorf("it told %v", u)
	}
	m.run(t.Context()) // returns at once
}

// TestMeterOfAPartWithoutProcesses has a job with part of a GPU of which another's
// process makes all the use: it has none of that, and no more than its own before.
func TestMeterOfAPartWithoutProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		procs := []probe.Process{{PID: 11, Busy: 0.2}, {PID: 1, Busy: 0.4}}
		m := newMeter(gpuTells{
			uses:      func() ([]probe.Use, error) { return []probe.Use{{Busy: 0.6, Lists: true}}, nil },
			processes: func(time.Duration) ([]probe.Process, error) { return procs, nil },
			of: func(pid int) (string, int32) {
				if pid == 11 {
					return "1.0.batch", 0
				}
				return "", 0
			},
		}, 0, "")
		m.begin()
		look := func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.read(time.Now())
		}
		m.start("1.0.batch", &metered{job: jobKey{1, 0}, batch: true, devices: []heldGPU{{0, false}}})
		time.Sleep(10 * time.Second)
		look()
		procs = procs[1:]
		time.Sleep(10 * time.Second)
		look()
		u := &rinkpb.Usage{}
		m.end("1.0.batch", u)
		if got := time.Duration(u.GpuTime); got != 2*time.Second || u.GpuUtilMax.GetAmount() != 20 {
			t.Errorf("the job had the GPU busy for %v, at most %d %%", got, u.GpuUtilMax.GetAmount())
		}
	})
}
