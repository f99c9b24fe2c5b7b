package noded

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/gpu/probe"
)

// meter reads what GPUs do and what the machine draws, and shares it out among
// the slices that hold them. Readings between a slice's start and its end add up
// to what it used; a machine that tells nothing is not asked again.
type meter struct {
	uses   func() ([]probe.Use, error)
	joules func() (microjoules map[string]int64, ok bool)
	cpus   int

	mu     sync.Mutex // guards what follows
	gpus   bool       // GPUs tell something
	power  bool       // the machine tells its energy
	at     time.Time
	last   []probe.Use
	drawn  map[string]int64
	slices map[string]*metered
}

// metered is what one slice holds, and what it has used so far.
type metered struct {
	job     jobKey
	batch   bool
	devices []int
	cpus    int
	busy    time.Duration
	memory  int64
	energy  float64 // joules
}

// meterEvery is how long a reading stands for at most.
const meterEvery = 10 * time.Second

func newMeter(uses func() ([]probe.Use, error), cpus int) *meter {
	m := &meter{uses: uses, joules: packageEnergy, cpus: max(1, cpus), slices: map[string]*metered{}}
	m.begin()
	return m
}

// begin finds out what is told at all.
func (m *meter) begin() {
	m.at = time.Now()
	uses, err := m.uses()
	m.gpus, m.last = err == nil && len(uses) > 0, uses
	m.drawn, m.power = m.joules()
}

// run reads now and then until ctx ends.
func (m *meter) run(ctx context.Context) {
	if !m.gpus && !m.power {
		return
	}
	ticker := time.NewTicker(meterEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			m.mu.Lock()
			m.read(now)
			m.mu.Unlock()
		}
	}
}

// start begins to meter a slice.
func (m *meter) start(id string, k jobKey, batch bool, devices []int, cpus int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.gpus && !m.power || m.slices[id] != nil {
		return
	}
	m.read(time.Now())
	m.slices[id] = &metered{job: k, batch: batch, devices: devices, cpus: int(cpus)}
}

// metered begins to meter the slice of a step, or of a batch script when step is
// nil.
func (a *Agent) metered(j *job, id string, step *rinkpb.LaunchStep) {
	if step != nil {
		a.meter.start(id, j.key, false, a.gear.indexes(heldByStep(step)), step.Cpus)
		return
	}
	a.meter.start(id, j.key, true, a.gear.indexes(heldByJob(j.here)), j.here.GetCpus())
}

// end adds to a slice's usage what was metered of it.
func (m *meter) end(id string, u *rinkpb.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.slices[id]
	if s == nil {
		return
	}
	m.read(time.Now())
	delete(m.slices, id)
	s.add(u)
}

// now adds to a slice's usage what was metered of it so far.
func (m *meter) now(id string, u *rinkpb.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.slices[id]; s != nil {
		m.read(time.Now())
		s.add(u)
	}
}

func (s *metered) add(u *rinkpb.Usage) {
	u.GpuTime, u.GpuMem, u.Energy = int64(s.busy), s.memory, int64(s.energy)
}

// read takes one reading; m.mu is held. What a job holds is counted to its steps
// while it has some, and else to its batch script.
func (m *meter) read(now time.Time) {
	passed := now.Sub(m.at)
	m.at = now
	stepping := map[jobKey]bool{}
	for _, s := range m.slices {
		if !s.batch {
			stepping[s.job] = true
		}
	}
	if m.gpus {
		if uses, err := m.uses(); err == nil {
			for _, s := range m.slices {
				if s.batch && stepping[s.job] {
					continue
				}
				memory := int64(0)
				for _, i := range s.devices {
					if i < 0 || i >= len(uses) {
						continue
					}
					s.busy += time.Duration(uses[i].Busy * float64(passed))
					memory += uses[i].Memory
					if i < len(m.last) {
						s.energy += float64(max(0, uses[i].Energy-m.last[i].Energy)) / 1e3
					}
				}
				s.memory = max(s.memory, memory)
			}
			m.last = uses
		}
	}
	if m.power {
		if drawn, ok := m.joules(); ok {
			total := int64(0)
			for name, n := range drawn {
				total += max(0, n-m.drawn[name]) // a counter that began again counts from the next reading
			}
			for _, s := range m.slices {
				if !s.batch || !stepping[s.job] {
					s.energy += float64(total) / 1e6 * min(1, float64(s.cpus)/float64(m.cpus))
				}
			}
			m.drawn = drawn
		}
	}
}

// packageEnergy reads what the processors have drawn, as the kernel's powercap
// tells it; false when it does not.
func packageEnergy() (map[string]int64, bool) {
	dirs, _ := filepath.Glob("/sys/class/powercap/intel-rapl:*")
	all := map[string]int64{}
	for _, dir := range dirs {
		name := filepath.Base(dir)
		if strings.Count(name, ":") != 1 {
			continue // part of a package
		}
		text, err := os.ReadFile(filepath.Join(dir, "energy_uj"))
		if err != nil {
			continue
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			all[name] = n
		}
	}
	return all, len(all) > 0
}
