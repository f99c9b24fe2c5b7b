package srun

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/slurm"
)

// part is one step of a call: on which job, with what options.
type part struct {
	job slurm.JobID
	o   slurm.CommandOptions
}

// partsInside works out the steps of a call within a job: one of that job or,
// in a heterogeneous job, one on each component that --het-group names. Without
// it the first component gets the only step, and of several each gets its own.
func partsInside(env *cli.Env, comps []slurm.CommandOptions, job slurm.JobID) ([]part, error) {
	size, _ := strconv.Atoi(env.Getenv("SLURM_HET_SIZE"))
	var parts []part
	for k := range comps {
		groups := comps[k].Client.HetGroups
		switch {
		case len(groups) == 1 && groups[0] == -1:
			groups = make([]int, size)
			for i := range groups {
				groups[i] = i
			}
		case groups == nil && len(comps) == 1:
			parts = append(parts, part{job, comps[k]})
			continue
		case groups == nil:
			groups = []int{k}
		}
		if size == 0 {
			return nil, fmt.Errorf("Job %d is not a heterogeneous job: it has no component %d", job, groups[len(groups)-1])
		}
		for _, g := range groups {
			id, err := slurm.ParseJobID(env.Getenv("SLURM_JOB_ID_HET_GROUP_" + strconv.Itoa(g)))
			if err != nil {
				return nil, fmt.Errorf("Job %d has no component %d: it has %d", job, g, size)
			}
			parts = append(parts, part{id, comps[k]})
		}
	}
	return parts, nil
}

// steps runs the parts at the same time, each a step on its job, and returns
// the highest exit code and, when one died of a signal, that signal. Standard
// input goes to the first.
func (s *run) steps(parts []part) int {
	if len(parts) == 1 {
		s.o = &parts[0].o
		return s.step(parts[0].job)
	}
	rc := 0
	var mu sync.Mutex // guards rc and s
	var wg sync.WaitGroup
	for i := range parts {
		one, env := *s, *s.env // a part may read its input from elsewhere
		one.env, one.o = &env, &parts[i].o
		one.noInput = i > 0
		if len(one.o.Command) > 0 {
			one.argv = one.o.Command
		}
		wg.Go(func() { // ends with the step
			code := one.step(parts[i].job)
			mu.Lock()
			defer mu.Unlock()
			rc = max(rc, code)
			s.signal = max(s.signal, one.signal)
			s.jobEnded = s.jobEnded || one.jobEnded
		})
	}
	wg.Wait()
	return rc
}
