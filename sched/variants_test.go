package sched

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// variant is a log as it could have been: other loads, other limits, other
// machines, or made up. What it has in common with a log it was made from is not
// much more than the shapes of its jobs.
type variant struct {
	name  string
	procs int
	jobs  []SimJob
}

// variantsOf makes variants of a log. They are the same each time.
func variantsOf(name string, jobs []SimJob, procs int) []variant {
	var out []variant
	add := func(what string, procs int, change func(r *rand.Rand, jobs []SimJob) []SimJob) {
		r := rand.New(rand.NewPCG(uint64(len(out)), 7))
		list := change(r, slices.Clone(jobs))
		list = slices.DeleteFunc(list, func(j SimJob) bool { return j.Procs > procs })
		slices.SortStableFunc(list, func(a, b SimJob) int { return int(max(min(a.Submit-b.Submit, 1), -1)) })
		out = append(out, variant{name + " " + what, procs, list})
	}
	each := func(f func(r *rand.Rand, j *SimJob)) func(r *rand.Rand, jobs []SimJob) []SimJob {
		return func(r *rand.Rand, jobs []SimJob) []SimJob {
			for i := range jobs {
				f(r, &jobs[i])
			}
			return jobs
		}
	}
	same := func(*rand.Rand, *SimJob) {}
	add("whole", procs, each(same))
	for _, load := range []float64{0.7, 0.8, 0.9, 1.1, 1.2, 1.4} {
		add(fmt.Sprintf("load*%.1f", load), procs, each(func(_ *rand.Rand, j *SimJob) { j.Submit = int64(float64(j.Submit) / load) }))
	}
	part := func(from, to float64) func(*rand.Rand, []SimJob) []SimJob {
		return func(_ *rand.Rand, jobs []SimJob) []SimJob {
			n := float64(len(jobs))
			return jobs[int(from*n):int(to*n)]
		}
	}
	add("first half", procs, part(0, 0.5))
	add("second half", procs, part(0.5, 1))
	for q := range 4 {
		add(fmt.Sprintf("quarter %d", q+1), procs, part(float64(q)/4, float64(q+1)/4))
	}
	for _, size := range []float64{0.9, 1.2, 2} {
		p := int(float64(procs) * size)
		add(fmt.Sprintf("machine*%.1f", size), p, each(func(_ *rand.Rand, j *SimJob) {
			if size == 2 {
				j.Submit = int64(float64(j.Submit) / 1.9)
			}
		}))
	}
	add("exact", procs, each(func(_ *rand.Rand, j *SimJob) { j.Limit = min(j.Run, j.Limit) }))
	add("times ten at most", procs, each(func(r *rand.Rand, j *SimJob) { j.Limit = int64(float64(j.Run) * (1 + 9*r.Float64())) }))
	add("limits of a day", procs, each(func(_ *rand.Rand, j *SimJob) { j.Limit = max(86400, j.Run) }))
	add("noisy", procs, each(func(r *rand.Rand, j *SimJob) {
		j.Run = min(j.Run, j.Limit)
		j.Limit = max(j.Run, int64(float64(j.Limit)*math.Exp(r.NormFloat64())))
	}))
	add("nobody known", procs, each(func(_ *rand.Rand, j *SimJob) { j.User = "" }))
	add("one user", procs, each(func(_ *rand.Rand, j *SimJob) { j.User = "one" }))
	add("half of them", procs, func(r *rand.Rand, jobs []SimJob) []SimJob {
		jobs = slices.DeleteFunc(jobs, func(SimJob) bool { return r.Float64() < 0.5 })
		for i := range jobs {
			jobs[i].Submit = int64(float64(jobs[i].Submit) / 1.9)
		}
		return jobs
	})
	add("mixed up", procs, func(r *rand.Rand, jobs []SimJob) []SimJob {
		r.Shuffle(len(jobs), func(i, k int) {
			jobs[i].Submit, jobs[k].Submit = jobs[k].Submit, jobs[i].Submit
		})
		return jobs
	})
	add("many tiny", procs, func(r *rand.Rand, jobs []SimJob) []SimJob {
		for i, n := 0, len(jobs); i < n; i++ {
			if r.Float64() < 0.5 {
				j := jobs[i]
				j.Procs, j.Run = 1, 1+r.Int64N(60)
				j.Limit = 600
				jobs = append(jobs, j)
			}
		}
		return jobs
	})
	add("many huge", procs, each(func(r *rand.Rand, j *SimJob) {
		if r.Float64() < 0.05 {
			j.Procs = procs - r.IntN(max(procs/4, 1))
			j.Run, j.Limit = max(j.Run/8, 1), max(j.Limit/8, 1)
		}
	}))
	return out
}

// lublin makes up jobs after Lublin and Feitelson (JPDC 63, 2003): sizes in two
// stages with powers of two, run times of two gammas whose mix goes with the
// size, arrivals with a daily cycle.
func lublin(seed uint64, n, procs int, load float64, users int, limits string) []SimJob {
	r := rand.New(rand.NewPCG(seed, 11))
	high := math.Log2(float64(procs))
	jobs := make([]SimJob, n)
	area := 0.0
	type habit struct {
		procs int
		run   float64
		limit int64
	}
	habits := make([]habit, users)
	for i := range jobs {
		j := &jobs[i]
		size := 1.0
		if r.Float64() > 0.244 {
			low, med := 0.8, high-2.5
			e := low + (med-low)*r.Float64()
			if r.Float64() > 0.86 {
				e = med + (high-med)*r.Float64()
			}
			if r.Float64() < 0.576 {
				e = math.Round(e)
			}
			size = math.Round(math.Exp2(e))
		}
		j.Procs = int(min(max(size, 1), float64(procs)))
		p := max(0, min(1, -0.0054*float64(j.Procs)*256/float64(procs)+0.78))
		x := gamma(r, 4.2) * 0.94
		if r.Float64() > p {
			x = gamma(r, 312) * 0.03
		}
		run := math.Exp(min(x, 11.5))
		if users > 0 {
			// Zipf's users, who do mostly what they did last.
			u := min(int(math.Exp(r.Float64()*math.Log(float64(users)+1)))-1, users-1)
			h := &habits[u]
			if h.procs > 0 && r.Float64() < 0.7 {
				j.Procs, run = h.procs, h.run*math.Exp(r.NormFloat64()*0.4)
				if r.Float64() < 0.15 {
					run /= 50 // failed early
				}
			} else {
				*h = habit{procs: j.Procs, run: run}
			}
			j.User = fmt.Sprint("user", u)
		}
		j.Run = max(int64(run), 1)
		switch limits {
		case "exact":
			j.Limit = j.Run
		case "round":
			l := float64(j.Run) * (1 + 4*r.Float64()*r.Float64())
			for _, round := range []float64{300, 900, 1800, 3600, 7200, 4 * 3600, 8 * 3600, 12 * 3600, 86400, 2 * 86400} {
				j.Limit = int64(round)
				if l <= round {
					break
				}
			}
		case "same":
			j.Limit = 86400
		}
		j.Run = min(j.Run, j.Limit)
		area += float64(j.Run) * float64(j.Procs)
	}
	span := area / float64(procs) / load
	// Two thirds of the jobs come in the ten busiest hours.
	at := 0.0
	gaps := make([]float64, n)
	for i := range gaps {
		gap := r.ExpFloat64()
		if r.Float64() < 0.4 {
			gap *= 0.05 // in bursts
		}
		gaps[i] = gap
		at += gap
	}
	scale := span / at
	at = 0
	for i := range jobs {
		hour := math.Mod(at/3600, 24)
		busy := 1.8
		if hour < 8 || hour > 18 {
			busy = 0.43
		}
		at += gaps[i] * scale / busy * 0.75
		jobs[i].Submit = int64(at)
	}
	stretch := span / at
	for i := range jobs {
		jobs[i].Submit = int64(float64(jobs[i].Submit) * stretch)
	}
	return jobs
}

// gamma draws from a gamma distribution of scale 1 (Marsaglia and Tsang).
func gamma(r *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// madeUp are logs without a log.
func madeUp(n int) []variant {
	var out []variant
	seed := uint64(1)
	for _, procs := range []int{64, 256, 1000} {
		for _, load := range []float64{0.6, 0.75, 0.9, 1.05} {
			for _, limits := range []string{"exact", "round", "same"} {
				users := 60
				if seed%3 == 0 {
					users = 0
				}
				out = append(out, variant{fmt.Sprintf("lublin %d procs load %.2f %s limits %d users", procs, load, limits, users), procs,
					lublin(seed, n, procs, load, users, limits)})
				seed++
			}
		}
	}
	return out
}

// BenchmarkVariants replays logs as they could have been and counts those on which the
// default policy does not keep to what it is held to on the logs themselves; each of
// them is told on standard error. RINK_VARIANTS is a pattern of their names, and all of
// them take the better part of an hour.
func BenchmarkVariants(b *testing.B) {
	pattern := os.Getenv("RINK_VARIANTS")
	if pattern == "" {
		pattern = "^lublin 64 procs"
	}
	want, err := regexp.Compile(pattern)
	if err != nil {
		b.Fatal("RINK_VARIANTS: ", err)
	}
	all := madeUp(8000)
	logs, _ := filepath.Glob(filepath.Join(traces(b), "*.swf.gz"))
	for _, path := range logs {
		jobs, _, procs := readLog(b, path)
		for i := range jobs {
			if jobs[i].UID == unknownUID {
				jobs[i].User = ""
			}
		}
		all = append(all, variantsOf(strings.TrimSuffix(filepath.Base(path), ".swf.gz"), jobs, procs)...)
	}
	all = slices.DeleteFunc(all, func(v variant) bool { return !want.MatchString(v.name) || len(v.jobs) == 0 })
	var mu sync.Mutex
	next, bad, sum, longest := 0, 0, 0.0, 0.0
	replay := func(v *variant) {
		easy, ours := judge(b, v.jobs, v.procs, "easy"), judge(b, v.jobs, v.procs, "default")
		ratio, wait := ours.slowdown/easy.slowdown, float64(ours.longest)/float64(max(easy.longest, 1))
		note := ""
		if ratio > 1 {
			note += " SLOWDOWN"
		}
		if wait > 1.25 {
			note += " WAIT"
		}
		if ours.used < easy.used-0.5 || ours.steady < easy.steady-0.5 {
			note += " UTILISATION"
		}
		mu.Lock()
		defer mu.Unlock()
		if note != "" {
			bad++
		}
		sum += math.Log(ratio)
		longest = max(longest, wait)
		fmt.Fprintf(os.Stderr, "%-50s slowdown %8.2f / %8.2f = %.3f, longest wait %8d / %8d = %.2f, utilisation %.1f %+.2f %+.2f%s\n", v.name,
			ours.slowdown, easy.slowdown, ratio, ours.longest, easy.longest, wait, easy.steady, ours.used-easy.used, ours.steady-easy.steady, note)
	}
	if len(all) == 0 {
		b.Fatalf("RINK_VARIANTS=%s is the name of none", pattern)
	}
	for b.Loop() {
		next, bad, sum, longest = 0, 0, 0, 0
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for {
					mu.Lock()
					i := next
					next++
					mu.Unlock()
					if i >= len(all) {
						return
					}
					replay(&all[i])
				}
			})
		}
		wg.Wait()
	}
	b.ReportMetric(float64(len(all)), "variants")
	b.ReportMetric(float64(bad), "not-held")
	b.ReportMetric(math.Exp(sum/float64(len(all))), "slowdown-of-EASY's")
	b.ReportMetric(longest, "longest-wait-of-EASY's")
}
