package sched

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

var update = flag.Bool("update", false, "rewrite what the stories in testdata expect")

// TestStories plays every story of testdata. A story is commands, a line of
// dashes, what they print, and an empty line; then the next commands. Words are
// key=value, or a key alone for yes:
//
//	nodes n[1-4] cpus=8 mem=1000 gres=gpu:a100:4 features=fast,ib weight=1 state=drain threads=2
//	partition short nodes=n[1-2] default maxtime=1h maxnodes=1 tier=2 state=DOWN allow=chem oversubscribe=FORCE:2
//	conf EnforcePartLimits=ALL
//	licences matlab:4
//	qos high priority=100 preempts=low,scav mode=requeue exempt=10m grace=30s
//	shrink n[1-2] cpus=2   changes nodes that are there
//	reservation r nodes=n[1-2] starts=10m for=1h users=u1000 accounts=-chem flags=maint,flex cores=4 licences=matlab:2
//	running 1 nodes=n[1-2] cpus=4 mem=100 gres=gpu:a100:1 ends=10m user=3001 exclusive completing
//	pending 2 nodes=1-4 tasks=4 limit=1h atleast=30m priority=300 array=1-9%2 ... begin=5m held after new het=2
//	cycle        plans, and prints the starts and waits, by job
//	cycle -v     the same with what each node gives
//	apply        lets what the last cycle planned start
//	after 10m    lets time pass; jobs whose time is up end
//	end 1        ends a running job
//	test 2       says when a pending job could start if it were alone
//	submit ...   says what a request comes to, or how it is refused
//
// A job that is not new has been looked at before.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { play(t, file) })
	}
}

func play(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := newStory()
	var out strings.Builder
	var want []string
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	for i := 0; i < len(lines); {
		var got strings.Builder
		for ; i < len(lines) && lines[i] != "----"; i++ {
			out.WriteString(lines[i] + "\n")
			line, _, _ := strings.Cut(lines[i], "#")
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			if err := s.do(line, &got); err != nil {
				t.Fatalf("%s:%d: %s: %v", file, i+1, line, err)
			}
			if err := s.overbooked(); err != nil {
				t.Fatalf("%s:%d: after %s: %v", file, i+1, line, err)
			}
		}
		if i == len(lines) {
			break
		}
		at := i + 1
		want = want[:0]
		for i++; i < len(lines) && lines[i] != ""; i++ {
			want = append(want, lines[i])
		}
		out.WriteString("----\n" + got.String())
		if i < len(lines) {
			out.WriteString("\n")
			i++
		}
		if w := strings.Join(want, "\n"); !*update && w != strings.TrimRight(got.String(), "\n") {
			t.Errorf("%s:%d: got\n%swant\n%s", file, at, got.String(), w)
		}
	}
	if *update && out.String() != string(text) {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *story) print(out *strings.Builder, verbose bool) {
	type line struct {
		job  slurm.JobID
		task uint32
		wait bool
		text string
	}
	var list []line
	for _, p := range s.plan.Starts {
		id := p.Job.String()
		if p.IsTask {
			id += "_" + strconv.Itoa(int(p.Task))
		}
		job := Job{Alloc: p.Alloc}
		text := id + " starts on " + nodeListText(job.Nodes())
		if len(s.cfg.Partitions) > 1 {
			text += " in " + string(p.Partition)
		}
		if p.Reservation != "" {
			text += " of " + p.Reservation
		}
		if p.TimeLimit > 0 {
			text += " for " + p.TimeLimit.Short()
		}
		if verbose {
			for _, a := range p.Alloc {
				text += fmt.Sprintf("\n    %s: %d tasks, %d cpus, %s", a.Node, a.Tasks, a.CPUs, a.Mem)
				for _, g := range a.Gres {
					text += fmt.Sprintf(", %s:%s:%d %v", g.Name, g.Type, g.Count, g.Index)
				}
			}
		}
		list = append(list, line{p.Job, p.Task, false, text})
	}
	for _, w := range s.plan.Waits {
		text := w.Job.String() + " waits " + Why{Reason: w.Reason, Text: w.Text}.Shown()
		if !w.Start.IsZero() {
			text += ", start " + s.moment(w.Start)
		}
		if len(w.Nodes) > 0 {
			text += " on " + nodeListText(w.Nodes)
		}
		if verbose {
			for _, d := range w.Detail {
				text += fmt.Sprintf("\n    wants %d %s, there are %d", d.Asked, strings.TrimSpace(d.What+" in "+d.Where), d.There)
			}
		}
		list = append(list, line{w.Job, 0, true, text})
	}
	for _, p := range s.plan.Preempts {
		list = append(list, line{p.Job, 0, false, preemptText(p)})
	}
	for _, p := range s.plan.Resumes {
		list = append(list, line{p.Job, 0, false, p.Job.String() + " goes on"})
	}
	for _, id := range s.plan.Late {
		list = append(list, line{id, 0, true, id.String() + " is too late"})
	}
	slices.SortStableFunc(list, func(a, b line) int {
		if a.job == b.job && a.wait != b.wait {
			if a.wait {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.job, b.job), cmp.Compare(a.task, b.task))
	})
	for _, l := range list {
		out.WriteString(l.text + "\n")
	}
	if verbose && !s.plan.Next.IsZero() {
		out.WriteString("next " + s.moment(s.plan.Next) + "\n")
	}
}

func (s *story) submit(w words, out *strings.Builder) {
	req, err := s.request(w)
	if err != nil {
		fmt.Fprintf(out, "cannot read the request: %v\n", err)
		return
	}
	j, lines, err := Resolve(req, s.cfg, s.nodes, s.now)
	for _, l := range lines {
		fmt.Fprintf(out, "%s\n", l)
	}
	if err != nil {
		fmt.Fprintf(out, "refused: %v\n", err)
		return
	}
	n := &j.Need
	most := strconv.Itoa(n.MaxNodes)
	if n.MaxNodes == AnyNodes {
		most = "any"
	}
	fmt.Fprintf(out, "%d-%s nodes, %d tasks, %d cpus, at least %d a node", n.MinNodes, most, n.Tasks, n.CPUs, n.MinCPUsNode)
	switch {
	case n.MemAllOfNode:
		out.WriteString(", all memory")
	case n.MemPerCPU > 0:
		fmt.Fprintf(out, ", %s a cpu", n.MemPerCPU)
	case n.MemPerNode > 0:
		fmt.Fprintf(out, ", %s a node", n.MemPerNode)
	}
	for i, g := range []slurm.Gres{n.GresPerNode, n.GresPerJob, n.GresPerTask} {
		if len(g) > 0 {
			fmt.Fprintf(out, ", %s %s", g, []string{"a node", "in all", "a task"}[i])
		}
	}
	fmt.Fprintf(out, ", %s", j.TimeLimit)
	if w := (Why{Reason: j.Reason, Text: j.ReasonText}); !w.IsZero() {
		fmt.Fprintf(out, ", waits %s", w.Shown())
	}
	out.WriteString("\n")
}

// overbooked checks that no node gives more than it has.
func (s *story) overbooked() error {
	for _, n := range s.nodes {
		if n.UsedCPUs > UsableCPUs(n)*mostSharing(s.cfg, n) || n.UsedCPUs < 0 {
			return fmt.Errorf("node %s has %d CPUs in use of %d", n.Name, n.UsedCPUs, n.CPUs)
		}
		if s.cfg.TracksMemory && n.UsedMem > n.Memory {
			return fmt.Errorf("node %s has %s in use of %s", n.Name, n.UsedMem, n.Memory)
		}
		sum := map[string]int64{}
		seen := map[string]bool{}
		for _, g := range n.UsedGres {
			sum[g.Name+":"+g.Type] += g.Count
			for _, x := range g.Index {
				key := fmt.Sprint(g.Name, g.Type, x)
				if seen[key] {
					return fmt.Errorf("node %s gave %s:%s number %d twice", n.Name, g.Name, g.Type, x)
				}
				seen[key] = true
			}
		}
		for _, g := range n.Gres {
			if sum[g.Name+":"+g.Type] > g.Count {
				return fmt.Errorf("node %s has more %s in use than it has", n.Name, g.Name)
			}
		}
	}
	if err := CheckReservations(s.cfg, s.resvs, s.nodes, s.running, s.now); err != nil {
		return err
	}
	for _, l := range s.view().LicensesUsed.Items {
		if l.Count > s.cfg.Licenses.Get(l.FullName()) {
			return fmt.Errorf("licence %s is in use %d times", l.FullName(), l.Count)
		}
	}
	return nil
}
