package sched

import (
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// network makes the story's network of what was said of it.
func (s *story) network(kind string) error {
	file, _, err := slurm.ParseTopologyConf("topology.conf", func(string) ([]byte, error) { return []byte(s.topology), nil })
	if err != nil {
		return err
	}
	conf := *conf(s.cfg)
	conf.TopologyPlugin = map[string]string{"switch": "topology/tree", "block": "topology/block"}[kind]
	s.cfg.Conf = &conf
	if kind == "block" && len(file.Blocks) == 0 {
		return nil // the blocks come next
	}
	s.cfg.Topology, err = NewTopology(&conf, file, s.nodes)
	return err
}

// why prints the story of a pending job.
func (s *story) why(id string, out *strings.Builder) error {
	n, err := slurm.ParseJobID(id)
	if err != nil {
		return err
	}
	if s.live == nil || s.live.Pending(n) == nil {
		s.live = NewScheduler(s.view()) // it came after the last plan
	}
	st, ok := s.live.Explain(n, s.now)
	if !ok {
		return fmt.Errorf("job %s is not pending", id)
	}
	for _, b := range st.Bars {
		fmt.Fprintf(out, "%s %s", b.Why.Shown(), b.Words)
		if !b.Until.IsZero() {
			fmt.Fprintf(out, " until %s", s.moment(b.Until))
		}
		out.WriteString("\n")
	}
	for _, p := range st.Places {
		fmt.Fprintf(out, "%s: %d nodes, wants %d-%d nodes %d tasks %d cpus", p.Partition, p.Nodes, p.Wanted.MinNodes, p.Wanted.MaxNodes, p.Wanted.Tasks, p.Wanted.CPUs)
		if !p.Bar.IsZero() {
			fmt.Fprintf(out, ", barred %s%s", p.Bar.Shown(), s.obstacles(p.Bar.Detail))
		}
		if p.Never {
			out.WriteString(", never")
		}
		out.WriteString("\n")
		for _, k := range p.Kinds {
			fmt.Fprintf(out, "  %s (%d cpus, %s, %s %s):", nodeListText(k.Nodes), k.CPUs, k.Memory, strings.Join(k.Features, ","), k.Gres)
			for _, x := range []struct {
				what string
				list []NodeName
			}{{"away", k.Away}, {"excluded", k.Excluded}, {"full", k.Full}, {"taken", k.Taken}, {"ready", k.Ready}} {
				if len(x.list) > 0 {
					fmt.Fprintf(out, " %s %s", x.what, nodeListText(x.list))
				}
			}
			if len(k.Unsuited) > 0 {
				out.WriteString(" unsuited" + s.obstacles(k.Unsuited))
			}
			if len(k.Short) > 0 {
				out.WriteString(" short" + s.obstacles(k.Short))
			}
			for _, x := range k.Promises {
				fmt.Fprintf(out, " promised %s to %d from %s", nodeListText(x.Nodes), x.Job, s.moment(x.From))
			}
			out.WriteString("\n")
		}
		if p.ReadyNodes > 0 {
			fmt.Fprintf(out, "  %d nodes are ready for %d tasks\n", p.ReadyNodes, p.ReadyTasks)
		}
		if p.Ahead > 0 {
			fmt.Fprintf(out, "  %d ahead:", p.Ahead)
			for _, a := range p.First {
				fmt.Fprintf(out, " %d", a.Job)
			}
			out.WriteString("\n")
		}
		if !p.Start.IsZero() {
			fmt.Fprintf(out, "  start %s on %s", s.moment(p.Start), nodeListText(p.On))
			if p.Promised {
				out.WriteString(", promised")
			}
			out.WriteString("\n")
		}
		if len(p.Endless) > 0 {
			fmt.Fprintf(out, "  hangs on %v\n", p.Endless)
		}
		for _, k := range p.Kept {
			fmt.Fprintf(out, "  %s keeps %s from %s to %s", k.Reservation, nodeListText(k.Nodes), s.moment(k.From), s.moment(k.Until))
			if k.CPUs > 0 {
				fmt.Fprintf(out, ", %d CPUs", k.CPUs)
			}
			out.WriteString("\n")
		}
		if !p.Switches.IsZero() {
			fmt.Fprintf(out, "  waits for fewer switches until %s\n", s.moment(p.Switches))
		}
	}
	return nil
}

func (s *story) obstacles(list []Obstacle) string {
	text := ""
	for _, o := range list {
		text += fmt.Sprintf(" %s %d/%d@%s", o.What, o.There, o.Asked, o.Where)
	}
	return text
}

// takeOver lets a scheduler know what the one before remembers of jobs.
func (s *Scheduler) takeOver(wide map[slurm.JobID]wideWait) {
	if len(wide) == 0 {
		return
	}
	s.newCycle(instant(0).time(), false).wake()
	for id, it := range s.items {
		it.wideWait = wide[id]
	}
}

// TestExplainChangesNothing plays random queues with a scheduler that is asked
// about every job before each plan, and one that never is: they plan the same.
func TestExplainChangesNothing(t *testing.T) {
	for _, seed := range seeds(20) {
		r := rand.New(rand.NewSource(seed))
		s, err := randomCluster(r)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		asked, quiet := follower{s: s}, follower{s: s}
		told := 0
		if err := playQueue(s, r, func(bool) (Plan, error) {
			asked.catchUp()
			quiet.catchUp()
			for _, j := range s.pending {
				st, ok := asked.live.Explain(j.ID, s.now)
				if !ok {
					return Plan{}, fmt.Errorf("it does not know job %d", j.ID)
				}
				for _, p := range st.Places {
					n := 0
					for _, k := range p.Kinds {
						sorted := len(k.Away) + len(k.Excluded) + len(k.Full) + len(k.Taken) + len(k.Ready)
						if len(k.Unsuited) == 0 && sorted != len(k.Nodes) {
							return Plan{}, fmt.Errorf("job %d: of nodes %v it tells of %d", j.ID, k.Nodes, sorted)
						}
						n += len(k.Nodes)
					}
					if n != p.Nodes {
						return Plan{}, fmt.Errorf("job %d: %d nodes of %d are told of", j.ID, n, p.Nodes)
					}
				}
				told++
			}
			if err := asked.live.check(); err != nil {
				return Plan{}, err
			}
			got, want := asked.live.Plan(s.now, true), quiet.live.Plan(s.now, true)
			if !reflect.DeepEqual(got, want) {
				return got, fmt.Errorf("it plans %+v, without questions %+v", got, want)
			}
			return got, nil
		}); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
		if told == 0 {
			t.Errorf("seed %d: nothing was asked", seed)
		}
	}
}

// TestAnyNetworkKeepsPromises plays random queues where nodes are behind switches
// or in blocks, with jobs that ask for few switches, segments and whole blocks.
func TestAnyNetworkKeepsPromises(t *testing.T) {
	for _, seed := range seeds(60, 108, 332, 664, 938, 1080, 1543, 3315, 3730, 4442, 5474, 5723) {
		r := rand.New(rand.NewSource(seed))
		s, err := randomCluster(r)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		kind := pick(r, "switch", "block")
		if kind == "block" {
			if err := s.do("blocksizes 1,2,4", nil); err != nil {
				t.Fatal(err)
			}
		}
		for i := 0; i < len(s.nodes); {
			n := min(1+r.Intn(3), len(s.nodes)-i)
			var names []string
			for _, x := range s.nodes[i : i+n] {
				names = append(names, string(x.Name))
			}
			if err := s.do(fmt.Sprintf("%s x%d Nodes=%s", kind, i, strings.Join(names, ",")), nil); err != nil {
				t.Fatal(err)
			}
			i += n
		}
		if kind == "switch" {
			var kids []string
			for _, w := range s.cfg.Topology.Switches {
				kids = append(kids, w.Name)
			}
			if err := s.do("switch top Switches="+strings.Join(kids, ","), nil); err != nil {
				t.Fatal(err)
			}
		}
		s.extras = []string{"switches=1 switchwait=10m", "segment=1", "exclusive=topo", "switches=1", "segment=2 nodes=2"}
		f := follower{s: s}
		if err := playQueue(s, r, func(bool) (Plan, error) {
			f.catchUp()
			return f.live.Plan(s.now, true), f.live.check()
		}); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}
