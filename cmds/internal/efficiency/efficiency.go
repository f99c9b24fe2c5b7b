// Package efficiency says how much jobs used of what they held, and what would
// have been enough.
package efficiency

import (
	"fmt"
	"strings"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/slurm"
)

// Sums adds up what some jobs held and what they used of it.
type Sums struct {
	Jobs, Failed     int64
	CPUHeld, CPUUsed time.Duration // of all CPUs together
	// MemHeld and MemUsed are bytes: of one job what it held and the most it used, of
	// several the mean over their time.
	MemHeld, MemUsed int64
	GPUHeld, GPUUsed time.Duration
	GPUTold          time.Duration // of GPUHeld, what is known the use of
	GPUMem           int64         // bytes, of one job: the most a step of it held
	Wall, Wait       time.Duration // of all jobs together
	Limit            time.Duration // of one job; 0: none
	CPUs, GPUs       int64         // of one job
	Energy           int64
}

// OfRecord works out one job's; now is until when one that runs is counted.
func OfRecord(r *rinkpb.Record, now time.Time) Sums {
	j := r.Job
	s := Sums{Jobs: 1}
	state := slurm.JobState(j.State)
	end := now
	if state.Ended() {
		end = time.Unix(0, j.End)
		if b := state.Base(); b != slurm.JobCompleted && b != slurm.JobCancelled && b != slurm.JobPreempted {
			s.Failed = 1
		}
	}
	if limit := slurm.Duration(j.TimeLimit); limit > 0 && limit != slurm.Unlimited {
		s.Limit = time.Duration(limit) * time.Second
	}
	if j.Start == 0 {
		return s
	}
	s.Wall = max(0, time.Duration(end.Unix()-j.Start/1e9)*time.Second-time.Duration(j.SuspendedFor).Truncate(time.Second))
	if j.Eligible != 0 {
		s.Wait = max(0, time.Duration(j.Start/1e9-j.Eligible/1e9)*time.Second)
	}
	for _, a := range j.Alloc {
		s.CPUs += int64(a.Cpus)
		s.MemHeld += a.Mem << 20
		for _, g := range a.Gres {
			if g.Name == "gpu" {
				s.GPUs += g.Count
			}
		}
	}
	s.CPUHeld, s.GPUHeld = s.Wall*time.Duration(s.CPUs), s.Wall*time.Duration(s.GPUs)
	add := func(u *rinkpb.Usage) {
		if u == nil {
			return
		}
		s.CPUUsed += time.Duration(u.UserCpu + u.SystemCpu)
		s.MemUsed = max(s.MemUsed, u.MaxRss, u.TotalRss)
		s.GPUUsed += time.Duration(u.GpuTime)
		s.Energy += u.Energy
		s.GPUMem = max(s.GPUMem, u.GpuMem)
		if u.GpuSpan > 0 || u.GpuTime > 0 || u.GpuMem > 0 {
			s.GPUTold = s.GPUHeld
		}
	}
	batch := r.Batch
	if batch == nil {
		batch = j.BatchUsage
	}
	add(batch)
	for _, step := range r.Steps {
		add(step.Usage)
	}
	return s
}

// OfEnded reads the sums of jobs that ended.
func OfEnded(e *rinkpb.EndedSums) Sums {
	s := Sums{
		Jobs: e.Jobs, Failed: e.Failed, CPUHeld: time.Duration(e.CpuHeld) * time.Second, CPUUsed: time.Duration(e.CpuUsed) * time.Millisecond,
		GPUHeld: time.Duration(e.GpuHeld) * time.Second, GPUUsed: time.Duration(e.GpuUsed) * time.Millisecond, GPUTold: time.Duration(e.GpuTold) * time.Second,
		Wall: time.Duration(e.Wall) * time.Second, Wait: time.Duration(e.Wait) * time.Second, Energy: e.Energy,
	}
	if e.Wall > 0 {
		s.MemHeld, s.MemUsed = int64(float64(e.MemHeld)/float64(e.Wall)*(1<<20)), int64(float64(e.MemUsed)/float64(e.Wall)*(1<<20))
	}
	return s
}

// CPU, Mem and GPU are the parts used, 1 being all; false when nothing was held
// or, of GPUs, it is not known.
func (s *Sums) CPU() (float64, bool) { return part(float64(s.CPUUsed), float64(s.CPUHeld)) }

// Mem is the part of the memory that was used.
func (s *Sums) Mem() (float64, bool) { return part(float64(s.MemUsed), float64(s.MemHeld)) }

// GPU is the part of the GPUs' time that was used.
func (s *Sums) GPU() (float64, bool) { return part(float64(s.GPUUsed), float64(s.GPUTold)) }

func part(used, held float64) (float64, bool) {
	if held <= 0 {
		return 0, false
	}
	return used / held, true
}

// Bounds of what is worth a word: less than half is used of so much at least.
const (
	low       = 0.5
	worthMem  = 512 << 20
	worthTime = 10 * time.Minute
	lowTime   = 0.25
)

// Advice says in a line what was asked for and not used; "" when there is
// nothing to say. Sums of several jobs are spoken of in the mean.
func (s *Sums) Advice() string {
	var words []string
	say := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	one := s.Jobs == 1 && s.CPUs > 0
	if m, ok := s.Mem(); ok && m < low && s.MemHeld >= worthMem && s.MemUsed > 0 {
		if one {
			say("asked for %s, used %s", Bytes(s.MemHeld), Bytes(s.MemUsed))
		} else {
			say("jobs hold %s and use %s on average", Bytes(s.MemHeld), Bytes(s.MemUsed))
		}
	}
	if c, ok := s.CPU(); ok && c < low && s.Wall > 0 && (!one || s.CPUs > 1) {
		held, used := float64(s.CPUHeld)/float64(s.Wall), float64(s.CPUUsed)/float64(s.Wall)
		if one {
			say("asked for %d CPUs, used %.1f", s.CPUs, used)
		} else if held > 1 {
			say("jobs hold %.1f CPUs and use %.1f on average", held, used)
		}
	}
	if g, ok := s.GPU(); ok && g < low && s.Wall > 0 {
		if one {
			say("asked for %d GPUs, used %.1f", s.GPUs, float64(s.GPUUsed)/float64(s.Wall))
		} else {
			say("GPUs are used %.0f%% of the time", 100*g)
		}
	}
	if one && s.Limit >= worthTime && float64(s.Wall) < lowTime*float64(s.Limit) {
		say("asked for %s, took %s", Clock(s.Limit), Clock(s.Wall))
	}
	return strings.Join(words, "; ")
}

// Bytes prints an amount as people say it: "3.1 GB".
func Bytes(n int64) string {
	v, unit := float64(n), 0
	for v >= 1024 && unit < len(units)-1 {
		v /= 1024
		unit++
	}
	if v == float64(int64(v)) || v >= 100 {
		return fmt.Sprintf("%.0f %s", v, units[unit])
	}
	return fmt.Sprintf("%.1f %s", v, units[unit])
}

var units = []string{"B", "KB", "MB", "GB", "TB", "PB", "EB"}

// Clock prints a span of time as Slurm does.
func Clock(d time.Duration) string { return slurm.Duration(d / time.Second).String() }
