package sched

import "slices"

// SimMetrics are the figures by which replays are compared. Times are in seconds;
// jobs that never started count only in Unstarted.
type SimMetrics struct {
	Jobs, Unstarted                        int
	MeanWait, MedianWait, P95Wait, MaxWait float64
	// MeanBSLD and P95BSLD are of the bounded slowdown: how many times longer a
	// job took, with its waiting, than it ran, a run of less than BSLDTau counting
	// as that long; 1 at least.
	MeanBSLD, P95BSLD float64
	// Util is the share of the processors that was in use from the first
	// submission to the last end; UtilW that from the first submission to the last,
	// when the queue was fed.
	Util, UtilW float64
	// Makespan is from the first submission to the last end.
	Makespan int64
}

// BSLDTau is the length in seconds below which runs count as that long in the
// bounded slowdown.
const BSLDTau = 10

// Measure works out the figures of a replay of jobs on so many processors. A job
// that was suspended waited meanwhile; of one that was sent back into the queue
// its last run counts.
func Measure(jobs []SimJob, result SimResult, procs int) SimMetrics {
	m, runs := SimMetrics{}, result.Runs
	if len(jobs) == 0 {
		return m
	}
	first, last, end := jobs[0].Submit, jobs[0].Submit, jobs[0].Submit
	waits, slow := make([]float64, 0, len(jobs)), make([]float64, 0, len(jobs))
	for i := range jobs {
		w, r := &jobs[i], runs[i]
		first, last, end = min(first, w.Submit), max(last, w.Submit), max(end, r.End)
		if r.Start < 0 {
			m.Unstarted++
			continue
		}
		paused := result.Paused[i]
		wait, run := float64(r.Start-w.Submit+paused), float64(r.End-r.Start-paused)
		waits = append(waits, wait)
		slow = append(slow, max(1, (wait+run)/max(run, BSLDTau)))
	}
	m.Jobs, m.Makespan = len(waits), end-first
	if m.Jobs == 0 {
		return m
	}
	area, fed := 0.0, 0.0
	for i := range jobs {
		if r := runs[i]; r.Start >= 0 {
			paused := result.Paused[i]
			area += float64(r.End-r.Start-paused) * float64(jobs[i].Procs)
			fed += float64(max(min(r.End, last)-max(r.Start, first)-paused, 0)) * float64(jobs[i].Procs)
		}
	}
	share := func(area float64, span int64) float64 {
		if span <= 0 || procs <= 0 {
			return 0
		}
		return area / (float64(procs) * float64(span))
	}
	m.Util, m.UtilW = share(area, m.Makespan), share(fed, last-first)
	for i := range waits {
		m.MeanWait += waits[i]
		m.MeanBSLD += slow[i]
	}
	n := len(waits)
	m.MeanWait, m.MeanBSLD = m.MeanWait/float64(n), m.MeanBSLD/float64(n)
	slices.Sort(waits)
	slices.Sort(slow)
	m.MedianWait = (waits[(n-1)/2] + waits[n/2]) / 2
	m.P95Wait, m.P95BSLD, m.MaxWait = waits[nearestRank(n)], slow[nearestRank(n)], waits[n-1]
	return m
}

// nearestRank is the place of the 95th percentile among n sorted values: the
// first that 95 of 100 are not above.
func nearestRank(n int) int { return (95*n+99)/100 - 1 }
