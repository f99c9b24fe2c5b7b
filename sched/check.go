package sched

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/runink/rink/slurm"
)

// Check says what is wrong with a cluster that has these nodes and these jobs,
// all of them: a node with more in use than it has, a device given twice, a job
// on a node that does not know of it, a count that is not the sum of its jobs,
// licences beyond what there is. It returns nil when all is well. It is run by
// tests after every step; licences may fail it honestly after a reconfiguration
// that lowers them below what is in use.
func Check(config *Config, nodes []*Node, jobs []*Job, licensesUsed slurm.Licenses) error {
	c := checker{byName: map[NodeName]*tallied{}}
	for i, n := range nodes {
		if c.byName[n.Name] != nil {
			c.wrong("node %s is there twice", n.Name)
		}
		if n.Index != i {
			c.wrong("node %s has index %d at place %d", n.Name, n.Index, i)
		}
		c.byName[n.Name] = &tallied{node: n}
	}
	ids := map[slurm.JobID]bool{}
	arrays := map[slurm.JobID]*tallyOfTasks{}
	var licenses slurm.Licenses
	for _, j := range jobs {
		if ids[j.ID] {
			c.wrong("job %d is there twice", j.ID)
		}
		ids[j.ID] = true
		c.job(j)
		c.task(arrays, j)
		licenses = licenses.Plus(j.LicensesUsed)
	}
	for _, n := range nodes {
		c.node(config, c.byName[n.Name])
	}
	c.licenses(config, licenses, licensesUsed)
	return errors.Join(c.errs...)
}

// checker gathers what is wrong.
type checker struct {
	errs   []error
	byName map[NodeName]*tallied
}

// tallied is a node with the sum of what its jobs say they hold on it.
type tallied struct {
	node       *Node
	cpus       int
	lists      []heldCPUs
	mem        slurm.MB
	gres       []GresAlloc
	running    []slurm.JobID
	completing int
	away       int         // jobs that gave way to others there
	whole      slurm.JobID // a job that has it alone
}

// heldCPUs are the CPUs that a job has.
type heldCPUs struct {
	job  slurm.JobID
	list string
}

func (c *checker) wrong(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// job checks a record by itself and counts what it holds.
func (c *checker) job(j *Job) {
	switch {
	case j.ID == 0:
		c.wrong("a job has no id")
	case j.Spec == nil:
		c.wrong("job %d has no request", j.ID)
	case j.IsPending() && (len(j.Alloc) > 0 || len(j.Steps) > 0 || !j.Start.IsZero()):
		c.wrong("job %d is pending and has nodes, steps or a start", j.ID)
	case (j.IsRunning() || j.IsSuspended()) && len(j.Alloc) == 0:
		c.wrong("job %d is %v without nodes", j.ID, j.State)
	case (j.IsRunning() || j.IsSuspended()) && j.Tasks.Len() > 0:
		c.wrong("job %d is %v and an array's rest", j.ID, j.State)
	case j.IsCompleting() != (len(j.Completing) > 0):
		c.wrong("job %d is %v and completes on %d nodes", j.ID, j.State, len(j.Completing))
	case j.HasEnded() && j.End.IsZero():
		c.wrong("job %d is %v without an end", j.ID, j.State)
	case j.CPUsFree != (j.IsSuspended() || j.CPUsFree && j.IsCompleting()):
		c.wrong("job %d is %v and CPUsFree is %v", j.ID, j.State, j.CPUsFree)
	case j.HeldBy != HeldByNobody && j.Priority != 0 && j.IsPending():
		c.wrong("job %d is held with priority %d", j.ID, j.Priority)
	}
	if !j.Holds() {
		if len(j.LicensesUsed.Items) > 0 {
			c.wrong("job %d is %v and holds licences %v", j.ID, j.State, j.LicensesUsed)
		}
		return
	}
	seen := map[NodeName]bool{}
	for _, a := range j.Alloc {
		if seen[a.Node] {
			c.wrong("job %d has node %s twice", j.ID, a.Node)
		}
		seen[a.Node] = true
		if j.IsCompleting() && !slices.Contains(j.Completing, a.Node) {
			continue
		}
		t := c.byName[a.Node]
		if t == nil {
			c.wrong("job %d is on node %q, which is not there", j.ID, a.Node)
			continue
		}
		if !j.CPUsFree {
			t.cpus += a.CPUs
			if a.CPUIDs != "" {
				t.lists = append(t.lists, heldCPUs{j.ID, a.CPUIDs})
			}
		}
		if a.CPUIDs != "" {
			if err := CheckCPUs(t.node, &a); err != nil {
				c.wrong("job %d on node %s: %v", j.ID, a.Node, err)
			}
		}
		t.mem += a.Mem
		t.gres = append(t.gres, a.Gres...)
		t.running = append(t.running, j.ID)
		if j.IsCompleting() {
			t.completing++
		}
		if j.Aside() {
			t.away++
		} else if j.Need.Exclusive {
			t.whole = j.ID
		}
	}
	for _, n := range j.Completing {
		if !seen[n] {
			c.wrong("job %d completes on node %s, which it did not have", j.ID, n)
		}
	}
}

// tallyOfTasks is where the tasks of an array are.
type tallyOfTasks struct {
	rest slurm.IndexSet
	own  map[uint32]slurm.JobID
}

// task checks that no task of an array is in two places.
func (c *checker) task(arrays map[slurm.JobID]*tallyOfTasks, j *Job) {
	if j.ArrayID == 0 {
		if j.Tasks.Len() > 0 {
			c.wrong("job %d has tasks and is no array", j.ID)
		}
		return
	}
	a := arrays[j.ArrayID]
	if a == nil {
		a = &tallyOfTasks{own: map[uint32]slurm.JobID{}}
		arrays[j.ArrayID] = a
	}
	here := j.Tasks
	if j.IsArrayRest() {
		if j.ID != j.ArrayID {
			c.wrong("job %d holds the rest of array %d", j.ID, j.ArrayID)
		}
		for task, id := range a.own {
			if j.Tasks.Contains(task) {
				c.wrong("task %d_%d is in jobs %d and %d", j.ArrayID, task, id, j.ID)
			}
		}
		a.rest = j.Tasks
	} else {
		here = slurm.NewIndexSet(j.TaskID)
		if id, ok := a.own[j.TaskID]; ok || a.rest.Contains(j.TaskID) {
			c.wrong("task %d_%d is in jobs %d and %d", j.ArrayID, j.TaskID, id, j.ID)
		}
		a.own[j.TaskID] = j.ID
	}
	if odd := here.Minus(j.ArrayAll); odd.Len() > 0 {
		c.wrong("job %d is of tasks %v, which were never submitted", j.ID, odd)
	}
}

// node checks a node against the sum of its jobs.
func (c *checker) node(config *Config, t *tallied) {
	n := t.node
	if n.UsedCPUs != t.cpus || n.UsedMem != t.mem {
		c.wrong("node %s counts %d CPUs and %d MB in use, its jobs have %d and %d", n.Name, n.UsedCPUs, n.UsedMem, t.cpus, t.mem)
	}
	if have := n.CPUs * mostSharing(config, n); n.UsedCPUs > have {
		c.wrong("node %s has %d CPUs in use of %d", n.Name, n.UsedCPUs, have)
	}
	if mostSharing(config, n) == 1 {
		var all, one cpuSet
		for i, x := range t.lists {
			if one = one.read(x.list); all.meets(one) {
				for _, y := range t.lists[:i] {
					if CPUsMeet(x.list, y.list) {
						c.wrong("node %s: jobs %d and %d have CPUs %s and %s", n.Name, y.job, x.job, y.list, x.list)
					}
				}
			}
			for cpu := range one.all() {
				all = all.with(cpu)
			}
		}
	}
	if config.TracksMemory && n.UsedMem > n.Memory {
		c.wrong("node %s has %d MB in use of %d", n.Name, n.UsedMem, n.Memory)
	}
	slices.Sort(t.running)
	known := slices.Clone(n.Running)
	slices.Sort(known)
	if !slices.Equal(known, t.running) {
		c.wrong("node %s says jobs %v are on it, the jobs say %v", n.Name, known, t.running)
	}
	if n.CompletingJobs != t.completing || (n.CompletingJobs > 0) != n.State.Has(slurm.NodeCompleting) {
		c.wrong("node %s is %v and counts %d completing jobs, there are %d", n.Name, n.State, n.CompletingJobs, t.completing)
	}
	if t.whole != 0 && len(t.running) > t.away+1 {
		c.wrong("node %s is job %d's alone and has %v", n.Name, t.whole, t.running)
	}
	if n.ExclusiveBy != 0 && !slices.Contains(t.running, n.ExclusiveBy) {
		c.wrong("node %s is kept by job %d, which is not on it", n.Name, n.ExclusiveBy)
	}
	var used []GresAlloc
	for _, g := range t.gres {
		if err := n.well().GresFits(used, g); err != nil { // what a job has may fail under it
			c.errs = append(c.errs, fmt.Errorf("node %s: %w", n.Name, err))
		}
		if err := g.CountsNamed(); err != nil {
			c.errs = append(c.errs, fmt.Errorf("node %s: %w", n.Name, err))
		}
		used = AddGres(used, g)
	}
	if !slices.EqualFunc(used, n.UsedGres, sameGres) {
		c.wrong("node %s counts %v in use, its jobs have %v", n.Name, n.UsedGres, used)
	}
}

func sameGres(a, b GresAlloc) bool {
	return a.Name == b.Name && a.Type == b.Type && a.Count == b.Count && slices.Equal(a.Index, b.Index)
}

// licenses checks the licences in use.
func (c *checker) licenses(config *Config, sum, used slurm.Licenses) {
	for _, list := range []slurm.Licenses{sum, used} {
		for _, l := range list.Items {
			name := l.FullName()
			if sum.Get(name) != used.Get(name) {
				c.wrong("licence %s is counted %d times, its jobs have %d", name, used.Get(name), sum.Get(name))
			}
			if have := config.Licenses.Get(name); used.Get(name) > have {
				c.wrong("licence %s is in use %d times of %d", name, used.Get(name), have)
			}
		}
	}
}

// mostSharing returns how many jobs may have a CPU of n at once in any
// partition.
func mostSharing(config *Config, n *Node) int {
	most := 1
	for _, p := range config.Partitions {
		if factor := MostSharing(p); factor > most && slices.Contains(p.Nodes, n.Name) {
			most = factor
		}
	}
	return most
}

// CheckReservations says which jobs, of those that hold resources, have CPUs that a
// reservation keeps for others. Jobs that ran before a reservation was made may
// stay.
func CheckReservations(config *Config, list []*Reservation, nodes []*Node, jobs []*Job, now time.Time) error {
	v := NewResvView(list, nil, now)
	if v == nil {
		return nil
	}
	var errs []error
	for _, n := range nodes {
		for _, b := range v.blocks[n.Name] {
			others := 0
			for _, j := range jobs {
				use := ReservationOf(v.list, j.Resv)
				if !j.IsRunning() || sameResv(use, b.resv) || over(use) || !j.Start.After(b.resv.Made) ||
					!b.meets(instantOf(j.Start), instantOf(j.Start).plus(span(j.TimeLimit))) {
					continue
				}
				for _, a := range j.Alloc {
					if a.Node == n.Name && b.cpus == 0 {
						errs = append(errs, fmt.Errorf("job %d is on node %s, which reservation %s keeps", j.ID, a.Node, b.resv.Name))
					} else if a.Node == n.Name {
						others += a.CPUs
					}
				}
			}
			if b.cpus > 0 && others > (UsableCPUs(n)-b.cpus)*mostSharing(config, n) {
				errs = append(errs, fmt.Errorf("jobs have %d CPUs of node %s, of whose %d reservation %s keeps %d", others, n.Name, UsableCPUs(n), b.resv.Name, b.cpus))
			}
		}
	}
	return errors.Join(errs...)
}
