package srun

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/submit"
	"github.com/runink/rink/slurm"
)

// part is one step of a call: on which job, with what options.
type part struct {
	job slurm.JobID
	o   slurm.CommandOptions

	offset, all int    // the first rank here, and how many there are in all; 0 and 0: the step is alone
	nodes       string // of all
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
			parts = append(parts, part{job: job, o: comps[k]})
			continue
		case groups == nil:
			groups = []int{k}
		}
		if size == 0 {
			if g := slices.Max(append([]int{0}, comps[k].Client.HetGroups...)); g > 0 {
				return nil, fmt.Errorf("Requested het-group offset exceeds highest hetjob index (%d > 0)", g)
			}
			if comps[k].Client.HetGroups == nil { // each is a step of the one job there is
				parts = append(parts, part{job: job, o: comps[k]})
				continue
			}
			return nil, errors.New("No directives to start application on any available hetjob components")
		}
		for _, g := range groups {
			id, err := slurm.ParseJobID(env.Getenv("SLURM_JOB_ID_HET_GROUP_" + strconv.Itoa(g)))
			if err != nil {
				return nil, fmt.Errorf("Requested het-group offset exceeds highest hetjob index (%d > %d)", g, size-1)
			}
			one := part{job: id, o: comps[k]}
			one.ofComponent(env, g)
			parts = append(parts, one)
		}
	}
	together(env, parts)
	return parts, nil
}

// ofComponent takes the size of the step from the component it is on, where the
// call leaves it open: the variables without a number are the first component's.
func (p *part) ofComponent(env *cli.Env, group int) {
	o := &p.o.Job
	get := func(name string) int {
		n, _ := strconv.Atoi(env.Getenv(name + "_HET_GROUP_" + strconv.Itoa(group)))
		return n
	}
	if p.o.From["nodes"] != slurm.FromCommandLine {
		o.MinNodes = get("SLURM_JOB_NUM_NODES")
		o.MaxNodes = o.MinNodes
	}
	if p.o.From["ntasks"] != slurm.FromCommandLine {
		if o.NTasks = get("SLURM_NTASKS"); o.NTasks == 0 {
			o.NTasks = max(o.MinNodes, 1)
		}
	}
	o.Given["nodes"], o.Given["ntasks"] = true, true
	if p.o.From["mem"] != slurm.FromCommandLine && p.o.From["mem-per-cpu"] != slurm.FromCommandLine {
		o.MemPerNode, o.MemPerCPU = slurm.MB(get("SLURM_MEM_PER_NODE")), slurm.MB(get("SLURM_MEM_PER_CPU"))
		o.Given["mem"], o.Given["mem-per-cpu"] = o.MemPerNode > 0, o.MemPerCPU > 0
	}
	if o.NTasks < o.MinNodes {
		o.MinNodes, o.MaxNodes = o.NTasks, o.NTasks
	}
	p.nodes = env.Getenv("SLURM_JOB_NODELIST_HET_GROUP_" + strconv.Itoa(group))
}

// together has the tasks of several steps counted as those of one.
func together(env *cli.Env, parts []part) {
	if len(parts) < 2 {
		return
	}
	all := 0
	var names []string
	for i := range parts {
		parts[i].offset = all
		all += parts[i].o.Job.NTasks
		if list, err := slurm.ParseHostList(parts[i].nodes); err == nil {
			for n := range list.All() {
				if !slices.Contains(names, n) {
					names = append(names, n)
				}
			}
		}
	}
	slices.Sort(names)
	for i := range parts {
		parts[i].all, parts[i].nodes = all, slurm.Compress(names)
	}
}

// asOne has the tasks of the components of an allocation that srun made for itself
// counted as those of one step.
func (s *run) asOne(parts []part) error {
	if len(parts) < 2 {
		return nil
	}
	for i := range parts {
		ctx, cancel := s.env.Call(time.Minute)
		jobs, err := cli.ListJobs(ctx, s.client, &rinkpb.ListJobsRequest{Refs: []*rinkpb.JobRef{{Job: uint32(parts[i].job)}}})
		cancel()
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if j.ID == parts[i].job {
				parts[i].nodes = nodeList(j)
				if o := &parts[i].o.Job; o.NTasks == 0 {
					o.NTasks = max(j.Need.Tasks, 1)
				}
			}
		}
	}
	together(s.env, parts)
	s.env.Vars = submit.Merge(s.env.Vars, []string{"SLURM_HET_SIZE=" + strconv.Itoa(len(parts))})
	return nil
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
		one.offset, one.all, one.nodes = parts[i].offset, parts[i].all, parts[i].nodes
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
