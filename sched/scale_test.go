package sched

import (
	"fmt"
	"math/rand"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/slurm"
)

// machine is a cluster that carries out what its scheduler plans, as a
// controller does, with no state beside it.
type machine struct {
	cfg     *Config
	live    *Scheduler
	jobs    map[slurm.JobID]*Job
	running []slurm.JobID // in no order
	at      map[slurm.JobID]int
	now     time.Time
	next    slurm.JobID
	r       *rand.Rand
}

// The size that the scheduler is made for.
const (
	manyNodes = 10_000
	manyJobs  = 100_000
)

// newMachine returns a full machine with so many jobs waiting.
func newMachine(nodes, jobs int, policy string) *machine {
	cfg, list := bigCluster(nodes)
	cfg.Conf.SchedulerPolicy = policy
	m := &machine{cfg: cfg, jobs: make(map[slurm.JobID]*Job), at: make(map[slurm.JobID]int), now: refNow, next: 1, r: rand.New(rand.NewSource(3))}
	m.live = NewScheduler(View{Config: cfg, Nodes: list})
	// Fill it with jobs of the same mix that began some time ago and end some
	// time from now.
	cfg.Conf.SchedulerPolicy = "easy"
	filler := NewScheduler(View{Config: cfg, Nodes: list, Pending: bigQueue(jobs * 2 / 3)})
	for _, s := range filler.Plan(refNow, false).Starts {
		w := *filler.Pending(s.Job)
		j := &w
		j.ID = m.id()
		j.State, j.Alloc = slurm.JobRunning, s.Alloc
		j.Start = refNow.Add(-time.Duration(m.r.Int63n(int64(span(j.TimeLimit)))))
		j.End = j.Start.Add(span(j.TimeLimit))
		m.began(j)
		m.live.Job(nil, j)
	}
	cfg.Conf.SchedulerPolicy = policy
	for _, j := range bigQueue(jobs) {
		m.submit(j)
	}
	return m
}

func (m *machine) id() slurm.JobID { m.next++; return m.next - 1 }

func (m *machine) began(j *Job) {
	m.jobs[j.ID] = j
	m.at[j.ID] = len(m.running)
	m.running = append(m.running, j.ID)
}

func (m *machine) submit(j *Job) {
	j.ID = m.id()
	m.jobs[j.ID] = j
	m.live.Job(nil, j)
}

// end ends a running job.
func (m *machine) end(id slurm.JobID) {
	j := m.jobs[id]
	done := *j
	done.State, done.End = slurm.JobCompleted, m.now
	i, last := m.at[id], len(m.running)-1
	m.running[i] = m.running[last]
	m.at[m.running[i]] = i
	m.running = m.running[:last]
	delete(m.at, id)
	delete(m.jobs, id)
	m.live.Job(j, &done)
}

// apply makes a plan true and returns how many jobs it started.
func (m *machine) apply(p Plan) int {
	for _, s := range p.Starts {
		old := m.jobs[s.Job]
		j := *old
		j.State, j.Alloc, j.Start, j.Partition = slurm.JobRunning, s.Alloc, m.now, s.Partition
		j.End = m.now.Add(span(j.TimeLimit))
		m.began(&j)
		m.live.Job(old, &j)
	}
	return len(p.Starts)
}

// endSome ends the job that is due next.
func (m *machine) endAny() { m.end(m.running[m.r.Intn(len(m.running))]) }

// watch times what is done again and again: on the clock, and in processor time of
// the thread alone, which other work on the machine does not lengthen.
type watch struct {
	clock, cpu []time.Duration
	at         time.Time
	used       time.Duration
}

// newWatch keeps the benchmark on its thread.
func newWatch() *watch {
	runtime.LockOSThread()
	return &watch{}
}

func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

func (w *watch) start() { w.used, w.at = threadTime(), time.Now() }

func (w *watch) stop() {
	w.clock, w.cpu = append(w.clock, time.Since(w.at)), append(w.cpu, threadTime()-w.used)
}

// report reports the median and the 99th percentile, and the worst.
func (w *watch) report(b *testing.B) {
	runtime.UnlockOSThread()
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	for _, list := range [][]time.Duration{w.clock, w.cpu} {
		slices.Sort(list)
	}
	b.ReportMetric(ms(w.clock[len(w.clock)/2]), "p50-ms")
	b.ReportMetric(ms(w.clock[len(w.clock)*99/100]), "p99-ms")
	b.ReportMetric(ms(w.clock[len(w.clock)-1]), "max-ms")
	b.ReportMetric(ms(w.cpu[len(w.cpu)/2]), "p50-cpu-ms")
	b.ReportMetric(ms(w.cpu[len(w.cpu)*99/100]), "p99-cpu-ms")
}

// BenchmarkScale is a full machine of 10,000 nodes of 64 CPUs with 100,000 jobs of
// mixed shape waiting: EASYPass looks at the whole queue, Plan gives every job a
// start, End is one job's end to what starts in its place, Starts is ends and
// starts as fast as they go, Memory what all this takes.
func BenchmarkScale(b *testing.B) {
	b.Run("EASYPass", func(b *testing.B) {
		m := newMachine(manyNodes, manyJobs, "easy")
		m.apply(m.live.Plan(m.now, true))
		w := newWatch()
		for b.Loop() {
			m.endAny()
			m.now = m.now.Add(100 * time.Millisecond)
			w.start()
			p := m.live.Plan(m.now, true)
			w.stop()
			m.apply(p)
		}
		w.report(b)
	})
	for _, policy := range []string{"easy", "slurm", "default"} {
		b.Run("End/"+policy, func(b *testing.B) {
			m := newMachine(manyNodes, manyJobs, policy)
			m.apply(m.live.Plan(m.now, true))
			w := newWatch()
			started := 0
			for b.Loop() {
				m.now = m.now.Add(100 * time.Millisecond)
				w.start()
				m.endAny()
				p := m.live.Plan(m.now, false)
				w.stop()
				started += m.apply(p)
			}
			b.ReportMetric(float64(started)/float64(len(w.clock)), "starts/op")
			w.report(b)
		})
	}
	b.Run("Starts", func(b *testing.B) {
		m := newMachine(manyNodes, manyJobs, "slurm")
		m.apply(m.live.Plan(m.now, true))
		started, tests, looks, seen := 0, 0.0, 0.0, 0.0
		more := bigQueue(10_000)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		used := threadTime()
		for b.Loop() {
			for range 100 {
				m.endAny()
			}
			m.now = m.now.Add(20 * time.Millisecond)
			started += m.apply(m.live.Plan(m.now, false))
			tests += float64(m.live.tested)
			looks += float64(m.live.looks)
			seen += float64(m.live.seen)
			for m.live.Waiting() < manyJobs {
				j := *more[int(m.next)%len(more)]
				m.submit(&j)
			}
		}
		b.ReportMetric(float64(started)/(threadTime()-used).Seconds(), "starts/cpu-s")
		b.ReportMetric(float64(started)/b.Elapsed().Seconds(), "starts/s")
		b.ReportMetric(tests/float64(started), "tests/start")
		b.ReportMetric(looks/float64(started), "looks/start")
		b.ReportMetric(seen/float64(started), "seen/start")
	})
	b.Run("Plan", func(b *testing.B) {
		m := newMachine(manyNodes, manyJobs, "conservative")
		w := newWatch()
		for b.Loop() {
			m.live.liftAll()
			w.start()
			m.live.Plan(m.now, true)
			w.stop()
		}
		w.report(b)
		b.ReportMetric(float64(len(m.live.promised)), "promises")
	})
	b.Run("Memory", func(b *testing.B) {
		heap := func() float64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return float64(m.HeapAlloc) / 1e6
		}
		for b.Loop() {
			before := heap()
			m := newMachine(manyNodes, manyJobs, "slurm")
			m.apply(m.live.Plan(m.now, true))
			all := heap() - before
			if m.live.Waiting() == 0 {
				b.Fatal("nothing waits")
			}
			jobs, nodes, cfg := m.jobs, make([]*Node, len(m.live.rooms)), m.cfg
			for i := range nodes {
				nodes[i] = m.live.rooms[i].n
			}
			m.live = nil
			b.ReportMetric(all, "MB")
			b.ReportMetric(all-(heap()-before), "scheduler-MB")
			runtime.KeepAlive(jobs)
			runtime.KeepAlive(nodes)
			runtime.KeepAlive(cfg)
		}
	})
}

// A record more than this, with the eight bytes that the runtime puts before it, takes
// the next larger piece of memory: 128 bytes more for each of 100,000 jobs.
func TestJobIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Job{}); n > 1400 {
		t.Errorf("a job takes %d bytes", n)
	}
}

// TestMachineStaysTrue plays a machine of some hundred nodes for a while, with the
// books checked.
func TestMachineStaysTrue(t *testing.T) {
	for _, policy := range []string{"slurm", "easy", "easy-sjbf", "conservative", "default"} {
		t.Run(policy, func(t *testing.T) {
			jobs := 2000
			if policy == "conservative" {
				jobs = 200
			}
			m := newMachine(200, jobs, policy)
			m.apply(m.live.Plan(m.now, true))
			started := 0
			for i := range 300 {
				m.now = m.now.Add(time.Duration(m.r.Intn(60)) * time.Second)
				m.endAny()
				started += m.apply(m.live.Plan(m.now, i%50 == 0))
				if i%20 == 0 {
					if err := m.live.check(); err != nil {
						t.Fatal(i, err)
					}
					for k := range m.live.rooms {
						if r := &m.live.rooms[k]; r.cpus < 0 || r.mem < 0 {
							t.Fatal(fmt.Sprintf("%s has %d CPUs and %v left", r.n.Name, r.cpus, r.mem))
						}
					}
				}
			}
			if started == 0 {
				t.Error("nothing started")
			}
		})
	}
}
