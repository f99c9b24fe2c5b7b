package sched

import (
	"math/rand"
	"testing"

	"github.com/runink/rink/slurm"
)

// TestWideJobsGetTheirStart has narrow jobs come without end, more than the
// machine can run, and wide ones among them: under every policy that promises it
// each wide job starts, and none waits much longer than its place in line says.
func TestWideJobsGetTheirStart(t *testing.T) {
	for _, policy := range []string{"default", "slurm", "easy", "easy-sjbf", "conservative"} {
		for _, seed := range seeds(2) {
			r := rand.New(rand.NewSource(seed))
			var jobs []SimJob
			wide := map[int]bool{}
			const procs, days = 64, 4
			work := 0.0
			for at := int64(0); at < days*86400; at += int64(1 + r.Intn(900)) {
				limit := int64(60 * (1 + r.Intn(240)))
				j := SimJob{Submit: at, Limit: limit, Run: 1 + r.Int63n(limit), Procs: 1 + r.Intn(24), UID: uint32(r.Intn(5)), User: string(rune('a' + r.Intn(5)))}
				if r.Intn(60) == 0 {
					j.Procs, j.Limit = procs, 3600
					j.Run = 1 + r.Int63n(3600)
					wide[len(jobs)] = true
				}
				work += float64(j.Run) * float64(j.Procs)
				jobs = append(jobs, j)
			}
			load := work / procs / (days * 86400)
			cfg, nodes := onePool(procs, policy)
			runs, err := Simulate(cfg, nodes, jobs, false)
			if err != nil {
				t.Fatal(err)
			}
			easy := runs
			if policy != "easy" {
				cfg, nodes := onePool(procs, "easy")
				if easy, err = Simulate(cfg, nodes, jobs, false); err != nil {
					t.Fatal(err)
				}
			}
			longest, bound := int64(0), int64(0)
			for i := range jobs {
				if runs[i].Start < 0 {
					t.Fatalf("%s, seed %d: job %d never starts", policy, seed, i)
				}
				if wide[i] {
					longest = max(longest, runs[i].Start-jobs[i].Submit)
					bound = max(bound, easy[i].Start-jobs[i].Submit)
				}
			}
			t.Logf("%-12s seed %d, load %.2f, %d jobs, %d wide: a wide one waits %d s at most, first come first served %d s", policy, seed, load, len(jobs), len(wide), longest, bound)
			if longest > bound+bound/4+86400 {
				t.Errorf("%s, seed %d: a wide job waits %d s, first come first served %d s", policy, seed, longest, bound)
			}
		}
	}
}

// TestWideJobStartsOnManyNodes is the same on nodes, with a job that needs all of
// them whole while others keep coming.
func TestWideJobStartsOnManyNodes(t *testing.T) {
	for _, policy := range []string{"default", "slurm", "easy"} {
		m := newMachine(64, 500, policy)
		w := &Job{Spec: &slurm.JobOptions{}, Partitions: []PartitionName{"main"}, Partition: "main", State: slurm.JobPending, Submit: m.now, Eligible: m.now,
			LastSched: m.now, TimeLimit: 3600, Priority: 1 << 20, Need: Need{MinNodes: 64, MaxNodes: 64, Tasks: 64, CPUs: 64, CPUsPerTask: 1, Exclusive: true}}
		m.submit(w)
		started := false
		for i := 0; i < 20000 && !started; i++ {
			// Whatever ends next by its limit ends, and another small job comes.
			first := m.running[0]
			for _, id := range m.running {
				if m.jobs[id].End.Before(m.jobs[first].End) {
					first = id
				}
			}
			if end := m.jobs[first].End; end.After(m.now) {
				m.now = end
			}
			m.end(first)
			m.submit(bigQueue(1)[0])
			p := m.live.Plan(m.now, i%7 == 0)
			for _, s := range p.Starts {
				started = started || s.Job == w.ID
			}
			m.apply(p)
		}
		if !started {
			t.Errorf("%s: the job that needs all nodes never starts", policy)
		}
	}
}
