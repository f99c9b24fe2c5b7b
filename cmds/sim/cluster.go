package sim

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// cluster is what a workload is replayed on.
type cluster struct {
	config *sched.Config
	nodes  []*sched.Node
	procs  int      // of the nodes in service
	pool   bool     // made up: processors, and nothing else
	idle   []string // what was added to the configuration and does nothing
}

// name is what the policy is called that a cluster goes by.
func (c *cluster) name() string {
	return sched.PolicyName(c.config.Conf)
}

// cluster makes the cluster of the options, with more lines of configuration.
func (o *options) cluster(log *trace, with string) (cluster, error) {
	var lines []string
	if o.Policy != "" {
		lines = append(lines, "SchedulerPolicy="+o.Policy)
	}
	for line := range strings.SplitSeq(with, ";") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if o.Config != "" {
		return readCluster(o.Config, os.ReadFile, lines)
	}
	procs := o.Procs
	if procs == 0 {
		procs = log.procs
	}
	if procs == 0 {
		return cluster{}, fmt.Errorf("%s does not say how many processors there were: say it with --procs, or describe the cluster with --config", o.Trace)
	}
	text := poolText(procs)
	c, err := readCluster("pool", func(name string) ([]byte, error) {
		if name == "pool" {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}, lines)
	c.pool = true
	return c, err
}

// maxPool is how many processors a node of a pool has at most.
const maxPool = 1 << 20

// poolText describes a cluster of so many processors of which any set will do.
func poolText(procs int) string {
	var b strings.Builder
	b.WriteString("ClusterName=pool\nSlurmctldHost=pool\nSelectTypeParameters=CR_CPU\nPriorityType=priority/basic\nFirstJobId=1\n")
	for i := 0; procs > 0; i++ {
		n := min(procs, maxPool)
		procs -= n
		fmt.Fprintf(&b, "NodeName=pool%d CPUs=%d RealMemory=1000000\n", i, n)
	}
	b.WriteString("PartitionName=pool Nodes=ALL Default=YES MaxTime=INFINITE\n")
	return b.String()
}

// readCluster reads the configuration file, with lines added to its end. Mistakes
// in these are said to be in a file called --with.
func readCluster(file string, read slurm.FileReader, lines []string) (cluster, error) {
	main := path.Join(path.Dir(file), "--with")
	text := "Include " + path.Base(file) + "\n" + strings.Join(lines, "\n") + "\n"
	if _, err := read(file); err != nil {
		return cluster{}, fmt.Errorf("cannot read the configuration: %w", err)
	}
	conf, reports, err := slurm.ParseConf(main, func(name string) ([]byte, error) {
		if name == main {
			return []byte(text), nil
		}
		return read(name)
	})
	if err != nil {
		return cluster{}, err
	}
	gres, err := beside(file, "gres.conf", read, slurm.ParseGresConf)
	if err != nil {
		return cluster{}, err
	}
	var topology *slurm.TopologyConf
	if plugin := strings.TrimPrefix(strings.ToLower(conf.TopologyPlugin), "topology/"); plugin == "tree" || plugin == "block" {
		if topology, err = beside(file, "topology.conf", read, slurm.ParseTopologyConf); err != nil {
			return cluster{}, err
		}
	}
	c := cluster{}
	for _, r := range reports {
		if r.File == main && r.Verdict != slurm.Honoured && !strings.HasPrefix(r.Why, "it is given again") {
			c.idle = append(c.idle, fmt.Sprintf("%s=%s is %v: %s", r.Key, r.Value, r.Verdict, r.Why))
		}
	}
	if c.config, c.nodes, err = sched.NewConfig(conf, gres); err != nil {
		return cluster{}, err
	}
	if c.config.Topology, err = sched.NewTopology(conf, topology, c.nodes); err != nil {
		return cluster{}, err
	}
	for _, n := range c.nodes {
		// Those that the configuration does not put out of service are there; those
		// of a cloud come when they are wanted.
		if n.State == slurm.NodeUnknown || n.State == slurm.NodeUnknown|slurm.NodeCloud {
			n.State = slurm.NodeIdle
		}
		if n.Usable() {
			c.procs += sched.UsableCPUs(n)
		}
	}
	if c.procs == 0 {
		return cluster{}, fmt.Errorf("%s describes no node that is in service", file)
	}
	return c, nil
}

// beside reads a file that stands beside the configuration; nil without one.
func beside[T any](file, name string, read slurm.FileReader, parse func(string, slurm.FileReader) (*T, []slurm.KeyReport, error)) (*T, error) {
	file = path.Join(path.Dir(file), name)
	switch _, err := read(file); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read the configuration: %w", err)
	}
	parsed, _, err := parse(file, read)
	return parsed, err
}

// notes say what of the configuration a replay cannot go by, and what a log
// without memory leads to.
func (c *cluster) notes(load *workload) []string {
	if c.pool {
		return nil
	}
	var notes []string
	conf := c.config.Conf
	if strings.EqualFold(conf.PriorityType, "priority/multifactor") {
		for _, w := range []struct {
			key   string
			value uint32
		}{{"PriorityWeightFairshare", conf.PriorityWeightFairshare}, {"PriorityWeightQOS", conf.PriorityWeightQOS}, {"PriorityWeightAssoc", conf.PriorityWeightAssoc}} {
			if w.value > 0 {
				notes = append(notes, fmt.Sprintf("%s=%d: a replay knows no accounts, the factor is 0 for all jobs", w.key, w.value))
			}
		}
	}
	if strings.EqualFold(conf.PreemptType, "preempt/qos") {
		notes = append(notes, "PreemptType=preempt/qos: a replay knows no QOS, no job gives way to another")
	}
	bare := func(p *sched.Partition) bool { return p.DefMemPerCPU == 0 && p.DefMemPerNode == 0 }
	if c.config.TracksMemory && conf.DefMemPerCPU == 0 && conf.DefMemPerNode == 0 && !load.memory {
		for _, p := range c.config.Partitions {
			if bare(p) {
				notes = append(notes, fmt.Sprintf("partition %s: the jobs ask for no memory and DefMemPerCPU is not set: each gets all memory of its nodes, as it would on this cluster", p.Name))
			}
		}
	}
	return notes
}
