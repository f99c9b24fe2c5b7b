package noded

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	tells  gpuTells
	joules func() (microjoules map[string]int64, ok bool)
	cpus   int
	record string        // the file that keeps what was metered for an agent that comes after; "": none
	sooner chan struct{} // a slice with GPUs was started

	mu     sync.Mutex // guards what follows
	gpus   bool       // GPUs tell something
	power  bool       // the machine tells its energy
	at     time.Time
	last   []probe.Use
	drawn  map[string]int64
	slices map[string]*metered
	kept   map[string]meteredSoFar // of slices that an agent before this one metered
	herds  map[string]herdGPUs     // since this agent came up
}

// gpuTells is what a meter asks of the GPUs. of tells the slice of a process and its
// task's rank; "" when it is of none.
type gpuTells struct {
	uses      func() ([]probe.Use, error)
	processes func(lately time.Duration) ([]probe.Process, error)
	of        func(pid int) (id string, rank int32)
}

// metered is what one slice holds, and what it has used so far.
type metered struct {
	job     jobKey
	herd    string
	batch   bool
	devices []heldGPU
	ranks   []int32 // of its tasks
	cpus    int
	begun   time.Time
	rates   map[int]float64 // how busy it had each GPU at the last reading, by the driver's number
	meteredSoFar
}

// herdGPUs is what the jobs of a herd have used of the GPUs.
type herdGPUs struct {
	busy   time.Duration
	joules float64
}

// heldGPU is a GPU a slice holds, by the driver's number: the whole of it, or a part.
type heldGPU struct {
	at    int
	whole bool
}

// meteredSoFar is what a slice has used until now.
type meteredSoFar struct {
	Busy, Span time.Duration
	Memory     int64 // the most at once
	Energy     float64
	Util       int64 // the most at once, in percent of one GPU
	Tasks      map[int32]taskGPU
}

// taskGPU is the most that one task held of the GPUs' memory and used of them.
type taskGPU struct{ Memory, Util int64 }

// How long a reading stands for at most: of GPUs that a slice was given lately, of
// GPUs that it has had for longer, and of the machine alone.
const (
	meterFirst = time.Second
	meterGPUs  = 5 * time.Second
	meterEvery = 10 * time.Second
)

// meterBlind is how long what the driver tells is of what was there before another
// reading, or a slice: its figures are those of a time that has passed.
const meterBlind = 500 * time.Millisecond

func newMeter(tells gpuTells, cpus int, record string) *meter {
	m := &meter{tells: tells, joules: packageEnergy, cpus: max(1, cpus), record: record, slices: map[string]*metered{}, herds: map[string]herdGPUs{}, sooner: make(chan struct{}, 1)}
	if text, err := os.ReadFile(record); err == nil && json.Unmarshal(text, &m.kept) != nil {
		m.kept = nil // what was used so far is then not known
	}
	m.begin()
	return m
}

// begin finds out what is told at all.
func (m *meter) begin() {
	m.at = time.Now()
	uses, err := m.tells.uses()
	m.gpus, m.last = err == nil && len(uses) > 0, uses
	m.drawn, m.power = m.joules()
}

// run reads now and then until ctx ends.
func (m *meter) run(ctx context.Context) {
	if !m.gpus && !m.power {
		return
	}
	timer := time.NewTimer(meterEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.sooner:
			timer.Reset(meterFirst)
		case now := <-timer.C:
			m.mu.Lock()
			m.read(now)
			m.keep()
			timer.Reset(m.wait(now))
			m.mu.Unlock()
		}
	}
}

// wait is when to read again; m.mu is held.
func (m *meter) wait(now time.Time) time.Duration {
	next := meterEvery
	for _, s := range m.slices {
		switch {
		case len(s.devices) == 0:
		case now.Sub(s.begun) < meterEvery:
			return meterFirst
		default:
			next = meterGPUs
		}
	}
	return next
}

// keep writes down what slices with GPUs used, for an agent that comes after this one;
// m.mu is held. What cannot be written is lost with this agent alone.
func (m *meter) keep() {
	if m.record == "" {
		return
	}
	all := map[string]meteredSoFar{}
	for id, s := range m.slices {
		if len(s.devices) > 0 {
			all[id] = s.meteredSoFar
		}
	}
	if len(all) == 0 {
		os.Remove(m.record)
		return
	}
	if text, err := json.Marshal(all); err == nil {
		writeWhole(m.record, text, 0o600)
	}
}

// start begins to meter a slice, or goes on where an agent before this one was.
func (m *meter) start(id string, s *metered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.gpus && !m.power || m.slices[id] != nil {
		return
	}
	m.read(time.Now())
	if !m.gpus {
		s.devices = nil
	}
	s.begun = m.at
	s.meteredSoFar = m.kept[id]
	delete(m.kept, id)
	m.slices[id] = s
	if len(s.devices) > 0 {
		if m.last == nil {
			m.last, _ = m.tells.uses()
		}
		select {
		case m.sooner <- struct{}{}:
		default:
		}
	}
}

// metered begins to meter the slice of a step, or of a batch script when step is
// nil.
func (a *Agent) metered(j *job, id string, step *rinkpb.LaunchStep) {
	s := &metered{job: j.key, herd: j.here.GetPartition(), batch: step == nil, cpus: int(j.here.GetCpus())}
	list := heldByJob(j.here)
	if step != nil {
		list, s.cpus = heldByStep(step), int(step.Cpus)
		for _, t := range step.Tasks {
			s.ranks = append(s.ranks, t.Rank)
		}
	}
	s.devices = a.gear.heldGPUs(list)
	a.meter.start(id, s)
}

// heldGPUs lists the GPUs of what was given, each once.
func (g *gear) heldGPUs(list []held) []heldGPU {
	var out []heldGPU
	for _, h := range list {
		for _, at := range g.indexes([]held{h}) {
			part := h.parts > 0 || at < len(g.gpus) && g.gpus[at].MIG
			if k := slices.IndexFunc(out, func(o heldGPU) bool { return o.at == at }); k < 0 {
				out = append(out, heldGPU{at: at, whole: !part})
			}
		}
	}
	return out
}

// end adds to a slice's usage what was metered of it.
func (m *meter) end(id string, u *rinkpb.Usage) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.slices[id]
	if s == nil {
		return
	}
	m.read(time.Now(), id)
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
	u.GpuTime, u.GpuMem, u.Energy = int64(s.Busy), s.Memory, int64(s.Energy)
	if len(s.devices) == 0 {
		return
	}
	u.GpuSpan = int64(max(s.Span, 1))
	if len(s.ranks) < 2 {
		t := taskGPU{s.Memory, max(s.Util, int64(100*s.Busy/max(s.Span, 1)))}
		s.Tasks = map[int32]taskGPU{0: t}
		if len(s.ranks) > 0 {
			s.Tasks = map[int32]taskGPU{s.ranks[0]: t}
		}
	}
	ranks := s.ranks
	if len(ranks) == 0 {
		ranks = []int32{0}
	}
	for _, r := range ranks {
		t := s.Tasks[r]
		least(&u.GpuMemMin, &rinkpb.OfTask{Amount: t.Memory, Task: r})
		highest(&u.GpuMemMax, &rinkpb.OfTask{Amount: t.Memory, Task: r})
		least(&u.GpuUtilMin, &rinkpb.OfTask{Amount: t.Util, Task: r})
		highest(&u.GpuUtilMax, &rinkpb.OfTask{Amount: t.Util, Task: r})
	}
}

// read takes one reading; m.mu is held. What a job holds is counted to its steps
// while it has some, and else to its batch script. ended are slices whose processes
// are gone: what they did to the last is taken to be what they did before.
func (m *meter) read(now time.Time, ended ...string) {
	passed := now.Sub(m.at)
	m.at = now
	stepping := map[jobKey]bool{}
	for _, s := range m.slices {
		if !s.batch {
			stepping[s.job] = true
		}
	}
	if m.gpus {
		m.readGPUs(now, passed, stepping, ended)
	}
	if m.power {
		if drawn, ok := m.joules(); ok {
			total := int64(0)
			for name, n := range drawn {
				total += max(0, n-m.drawn[name]) // a counter that began again counts from the next reading
			}
			for _, s := range m.slices {
				if !s.batch || !stepping[s.job] {
					s.Energy += float64(total) / 1e6 * min(1, float64(s.cpus)/float64(m.cpus))
				}
			}
			m.drawn = drawn
		}
	}
}

// onGPU is what one slice does on one GPU.
type onGPU struct {
	slice     *metered
	whole     bool
	processes int
	memory    int64
	busy      float64
	tasks     map[int32]taskGPU
}

// readGPUs shares out what the GPUs did. A GPU that one slice alone has whole is all
// that slice's; what several have is each one's by what the driver tells of their
// processes, and where it tells nothing of them it is shared evenly.
func (m *meter) readGPUs(now time.Time, passed time.Duration, stepping map[jobKey]bool, ended []string) {
	none := true
	for _, s := range m.slices {
		none = none && len(s.devices) == 0
	}
	if none {
		m.last = nil // energy is counted from the next reading on
		return
	}
	uses, err := m.tells.uses()
	if err != nil {
		return
	}
	var procs []probe.Process
	if m.tells.processes != nil {
		procs, _ = m.tells.processes(min(max(passed, time.Second), meterEvery))
	}
	on := make([]map[string]*onGPU, len(uses))
	for id, s := range m.slices {
		for _, d := range s.devices {
			if d.at < 0 || d.at >= len(uses) {
				continue
			}
			if on[d.at] == nil {
				on[d.at] = map[string]*onGPU{}
			}
			on[d.at][id] = &onGPU{slice: s, whole: d.whole, tasks: map[int32]taskGPU{}}
		}
	}
	told := make([]float64, len(uses)) // by processes, also of nobody's or of those that are gone
	for _, p := range procs {
		if p.GPU < 0 || p.GPU >= len(on) || len(on[p.GPU]) == 0 {
			continue
		}
		told[p.GPU] += p.Busy
		id, rank := m.tells.of(p.PID)
		o := on[p.GPU][id]
		if o == nil && id == "" && len(on[p.GPU]) == 1 { // without cgroups nobody knows whose it is
			for _, only := range on[p.GPU] {
				if only.whole {
					o = only
				}
			}
		}
		if o == nil {
			continue
		}
		o.processes++
		o.memory += p.Memory
		o.busy += p.Busy
		t := o.tasks[rank]
		t.Memory += p.Memory
		t.Util += int64(100*p.Busy + 0.5)
		o.tasks[rank] = t
	}
	memory, util := map[*metered]int64{}, map[*metered]float64{}
	tasks := map[*metered]map[int32]taskGPU{}
	for i, at := range on {
		for id, o := range at { // a script stands back for the job's steps, unless it does something itself
			if o.slice.batch && stepping[o.slice.job] && o.processes == 0 {
				delete(at, id)
				delete(o.slice.rates, i)
			}
		}
		energy := 0.0
		if i < len(m.last) {
			energy = float64(max(0, uses[i].Energy-m.last[i].Energy)) / 1e3
		}
		busy, running := 0.0, 0
		for _, o := range at {
			busy += o.busy
			running += min(1, o.processes)
		}
		for id, o := range at {
			part := 1 / float64(len(at))
			switch {
			case busy > 0:
				part = o.busy / busy
			case running > 0:
				part = float64(min(1, o.processes)) / float64(running)
			}
			s := o.slice
			rate := uses[i].Busy * part
			if told[i] > 0 && !(o.whole && len(at) == 1) {
				rate = o.busy
			}
			if before, ok := s.rates[i]; ok && slices.Contains(ended, id) {
				rate = before
			}
			if s.rates == nil {
				s.rates = map[int]float64{}
			}
			s.rates[i] = rate
			s.Busy += time.Duration(rate * float64(passed))
			s.Energy += energy * part
			h := m.herds[s.herd]
			h.busy += time.Duration(rate * float64(passed))
			h.joules += energy * part
			m.herds[s.herd] = h
			util[s] += rate
			if o.whole && len(at) == 1 && !uses[i].Lists {
				o.memory = uses[i].Memory
			}
			memory[s] += o.memory
			for rank, t := range o.tasks {
				if tasks[s] == nil {
					tasks[s] = map[int32]taskGPU{}
				}
				sum := tasks[s][rank]
				tasks[s][rank] = taskGPU{sum.Memory + t.Memory, sum.Util + t.Util}
			}
		}
	}
	for _, s := range m.slices {
		if len(s.devices) == 0 {
			continue
		}
		s.Span += passed
		if min(passed, now.Sub(s.begun)) < meterBlind {
			continue
		}
		s.Memory, s.Util = max(s.Memory, memory[s]), max(s.Util, int64(100*util[s]+0.5))
		for rank, t := range tasks[s] {
			if s.Tasks == nil {
				s.Tasks = map[int32]taskGPU{}
			}
			most := s.Tasks[rank]
			s.Tasks[rank] = taskGPU{max(most.Memory, t.Memory), max(most.Util, t.Util)}
		}
	}
	m.last = uses
}

// told is how busy each job had each GPU, by the driver's number, when it was last
// looked, and what each herd has used.
func (m *meter) told() (jobs map[jobKey]map[int]float64, herds map[string]herdGPUs) {
	m.mu.Lock()
	defer m.mu.Unlock()
	jobs = map[jobKey]map[int]float64{}
	for _, s := range m.slices {
		for i, rate := range s.rates {
			if jobs[s.job] == nil {
				jobs[s.job] = map[int]float64{}
			}
			jobs[s.job][i] += rate
		}
	}
	return jobs, maps.Clone(m.herds)
}

// sliceOfProcess tells by a process's cgroup which slice it is of, and by what it was
// told when it was started which task of a step. That a program can have made up, and
// it misleads nobody but those who look at its own step.
func sliceOfProcess(pid int) (id string, rank int32) {
	k, step, ok := groupOfProcess(pid)
	if !ok || step == "" {
		return "", 0
	}
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	for word := range bytes.SplitSeq(text, []byte{0}) {
		if n, found := bytes.CutPrefix(word, []byte("SLURM_PROCID=")); found {
			v, _ := strconv.ParseInt(string(n), 10, 32)
			rank = int32(v)
			break
		}
	}
	return strconv.FormatUint(uint64(k.job), 10) + "." + strconv.FormatUint(uint64(k.restarts), 10) + "." + step, rank
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
