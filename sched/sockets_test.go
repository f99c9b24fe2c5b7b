package sched

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// chosen is recorded.submit with the CPUs chosen, as a job that keeps running.
func (r *recorded) chosen(t *testing.T, line string) (*Job, error) {
	t.Helper()
	j, _, err := refJob(t, r.cfg, r.nodes, slurm.Sbatch, line)
	if err != nil {
		return nil, err
	}
	r.next++
	j.ID = r.next
	s := NewScheduler(View{Config: r.cfg, Nodes: r.nodes, Pending: []*Job{j}, Running: r.running, LicensesAll: r.cfg.Licenses})
	plan := s.Plan(refNow, true)
	if len(plan.Starts) == 0 {
		return nil, errors.New("it waits")
	}
	s.ChooseCPUs(plan.Starts)
	one := *j
	one.State, one.Alloc, one.Partition, one.Start, one.TimeLimit = slurm.JobRunning, plan.Starts[0].Alloc, plan.Starts[0].Partition, refNow, slurm.Unlimited
	return &one, nil
}

// cpusText lists nodes as Slurm's scontrol show job -d does: neighbours with the same
// CPUs together.
func cpusText(j *Job) string {
	var words []string
	for i := 0; i < len(j.Alloc); {
		names := []NodeName{j.Alloc[i].Node}
		k := i + 1
		for ; k < len(j.Alloc) && j.Alloc[k].CPUIDs == j.Alloc[i].CPUIDs; k++ {
			names = append(names, j.Alloc[k].Node)
		}
		words = append(words, nodeListText(names)+":"+j.Alloc[i].CPUIDs)
		i = k
	}
	return strings.Join(words, " ")
}

// TestCPUsAreThoseOfSlurm holds nodes and CPUs on a cluster in use against what Slurm
// 22.05 gives there.
func TestCPUsAreThoseOfSlurm(t *testing.T) {
	r, where := recordedConf(t, nil), ""
	for _, row := range rows(t, "cpus.tsv") {
		line := row[0]
		if strings.HasPrefix(line, "+") {
			r.running, where = nil, line
			for part := range strings.SplitSeq(strings.TrimSpace(line[1:]), ";") {
				if part == "" {
					continue
				}
				j, err := r.chosen(t, part)
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				r.running = append(r.running, j)
			}
			continue
		}
		t.Run(where+" "+line, func(t *testing.T) {
			got := "refused"
			if j, err := r.chosen(t, line); err == nil {
				got = cpusText(j)
			} else if err.Error() == "it waits" {
				got = "waits"
			}
			if got != row[1] {
				t.Errorf("got %s\nwant %s", got, row[1])
			}
		})
	}
}

// What a plan starts in the same pass takes room on sockets as well, and what has ended by
// the time that a job is promised takes none.
func TestSocketsAreFreeOverTime(t *testing.T) {
	r := recordedConf(t, nil)
	first, err := r.chosen(t, "-w n1 -n6 -t 10")
	if err != nil {
		t.Fatal(err)
	}
	first.End = refNow.Add(600e9)
	first.TimeLimit = 600
	r.running = []*Job{first}
	var jobs []*Job
	for i, line := range []string{"-w n1 -n8", "-w n1 -n2 -B 1:2", "-w n1 -n2 -B 2:8"} {
		j, _, err := refJob(t, r.cfg, r.nodes, slurm.Sbatch, line+" -t 5")
		if err != nil {
			t.Fatal(err)
		}
		j.ID, j.Priority = slurm.JobID(10+i), uint32(100-i)
		jobs = append(jobs, j)
	}
	s := NewScheduler(View{Config: r.cfg, Nodes: r.nodes, Pending: jobs, Running: r.running, LicensesAll: r.cfg.Licenses})
	plan := s.Plan(refNow, true)
	s.ChooseCPUs(plan.Starts)
	got := map[slurm.JobID]string{}
	for _, st := range plan.Starts {
		got[st.Job] = st.Alloc[0].CPUIDs
	}
	if got[10] != "8-15" || got[11] != "6-7" || got[12] != "" {
		t.Errorf("started %v", got)
	}
	i := slices.IndexFunc(plan.Waits, func(w Wait) bool { return w.Job == 12 })
	if i < 0 || !plan.Waits[i].Start.Equal(first.End) {
		t.Errorf("waits %+v, want a start at %v", plan.Waits, first.End)
	}
}
