package sched

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runink/rink/gpu"
	"github.com/runink/rink/slurm"
)

// Shape is a GPU of a node that can be cut into instances, by the file that opens it,
// and into which.
type Shape struct {
	File     string
	Profiles []gpu.Profile
}

// Cut is a GPU that is cut into instances on demand, is about to be, or is about to be
// made whole again. All the while it is not given whole.
type Cut struct {
	File     string   // of the GPU
	Profiles []string // what it is to be cut into; nil: it is to be whole again
	// Made are the instances jobs can be given; nil until its agent has told of them.
	Made []CutPart
	Why  string // what went wrong last, for which no more are given; "" when nothing did
}

// CutPart is an instance of a GPU that was made on demand.
type CutPart struct {
	Profile string
	Files   string // what opens it, separated by commas
	Number  int    // among all GPUs and instances of the node
}

// Profiles lists the names of the instances that were made.
func (c *Cut) profiles() []string {
	out := make([]string, len(c.Made))
	for i := range c.Made {
		out[i] = c.Made[i].Profile
	}
	return out
}

// IsAs reports whether the instances that were made are those wanted.
func (c *Cut) IsAs(want []string) bool {
	return len(want) > 0 && gpu.SameInstances(c.profiles(), want)
}

// whyCut is why a GPU that is cut is not given whole.
const whyCut = "cut into instances"

// Outfit works out what a node has of generic resources: what is configured, completed
// by what was found, with these devices out of service, and with what GPUs are cut
// into.
func (n *Node) Outfit(sick []SickFile) []NodeGres {
	plain := *n
	plain.Gres = withoutMade(n.Gres)
	gres := WithSick(plain.WithFound(n.Found), sick)
	for i := range n.Cuts {
		gres = withCut(gres, &n.Cuts[i])
	}
	if len(n.Cuts) > 0 {
		// An instance of a GPU that fails fails with it.
		for i := range gres {
			g := &gres[i]
			for k := g.plain(); k < len(g.Files); k++ {
				file, _, _ := strings.Cut(g.Files[k], ",")
				if at := slices.IndexFunc(sick, func(s SickFile) bool { return s.File == file }); at >= 0 {
					g.Sick = append(g.Sick, SickDevice{Number: g.Number(k), Why: sick[at].Why})
				}
			}
		}
	}
	return gres
}

// plain is how many of an entry's devices were not made on demand.
func (g *NodeGres) plain() int { return max(len(g.Files)-max(g.Made, 0), 0) }

// withoutMade takes out what was made on demand.
func withoutMade(list []NodeGres) []NodeGres {
	out := make([]NodeGres, 0, len(list))
	for _, g := range list {
		if m := g.Made; m > 0 {
			if int64(m) >= g.Count || g.plain() == 0 {
				continue
			}
			keep := g.plain()
			g.Count, g.Made, g.Files = g.Count-int64(m), 0, slices.Clone(g.Files[:keep])
			if g.Numbers != nil {
				g.Numbers = slices.Clone(g.Numbers[:keep])
				g.number()
			}
			if g.Near != nil {
				g.Near = slices.Clone(g.Near[:keep])
			}
			if g.Links != nil {
				links := make([][]int, keep)
				for i := range links {
					links[i] = slices.Clone(g.Links[i][:keep])
				}
				g.Links = links
			}
		}
		out = append(out, g)
	}
	return out
}

// withCut keeps a GPU that is cut from being given whole, and adds its instances, each
// to the entry of its profile.
func withCut(list []NodeGres, c *Cut) []NodeGres {
	for i := range list {
		g := &list[i]
		for k, files := range g.Files {
			if files == c.File && g.Name == "gpu" && !isSick(g, g.Number(k)) {
				g.Sick = append(slices.Clone(g.Sick), SickDevice{Number: g.Number(k), Why: whyCut, Cut: true})
				slices.SortFunc(g.Sick, func(a, b SickDevice) int { return a.Number - b.Number })
			}
		}
	}
	for _, m := range c.Made {
		at := slices.IndexFunc(list, func(g NodeGres) bool {
			return g.Name == "gpu" && g.Type == m.Profile && (len(g.Files) > 0 || g.Count == 0)
		})
		if at < 0 {
			at = len(list)
			list = append(list, NodeGres{Name: "gpu", Type: m.Profile, Numbers: []int{}})
		}
		g := &list[at]
		if g.Numbers == nil {
			g.Numbers = make([]int, len(g.Files))
			for i := range g.Numbers {
				g.Numbers[i] = i
			}
		}
		if g.Links != nil {
			links := make([][]int, 0, len(g.Links)+1)
			for _, row := range g.Links {
				links = append(links, append(slices.Clone(row), 0))
			}
			g.Links = append(links, make([]int, len(links)+1))
		}
		if g.Near != nil {
			g.Near = append(slices.Clone(g.Near), slices.Max(g.Near)+1)
		}
		g.Files, g.Numbers = append(slices.Clone(g.Files), m.Files), append(slices.Clone(g.Numbers), m.Number)
		g.Count, g.Made = g.Count+1, g.Made+1
		if c.Why != "" {
			g.Sick = append(slices.Clone(g.Sick), SickDevice{Number: m.Number, Why: c.Why, Cut: true})
		}
	}
	return list
}

func isSick(g *NodeGres, number int) bool {
	return slices.ContainsFunc(g.Sick, func(s SickDevice) bool { return s.Number == number })
}

// CutOf returns the place of the GPU's cut among those of a node, -1 when it is whole.
func (n *Node) CutOf(file string) int {
	return slices.IndexFunc(n.Cuts, func(c Cut) bool { return c.File == file })
}

// MayCut says why a GPU of a node cannot be cut into these instances now, or with none
// be made whole again; nil when it can.
func (n *Node) MayCut(file string, profiles []string) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("cannot reshape %s of node %s: %s: %w", file, n.Name, fmt.Sprintf(format, args...), slurm.ErrnoNodesBusy)
	}
	at := n.CutOf(file)
	if at >= 0 {
		if n.CutInUse(&n.Cuts[at]) {
			return refuse("its instances are in use")
		}
		if len(profiles) == 0 {
			return nil
		}
	} else if len(profiles) == 0 {
		return refuse("it is whole")
	}
	shape := slices.IndexFunc(n.Shapes, func(s Shape) bool { return s.File == file })
	if shape < 0 {
		return refuse("it cannot be cut")
	}
	if _, ok := gpu.Arrange(n.Shapes[shape].Profiles, profiles); !ok {
		return refuse("%s do not fit on it", strings.Join(profiles, ","))
	}
	if at < 0 && !n.idleGPU(file) {
		return refuse("it is in use or out of service")
	}
	return nil
}

// CutInUse reports whether some job has an instance of a GPU that is cut.
func (n *Node) CutInUse(c *Cut) bool {
	for _, u := range n.UsedGres {
		if u.Name == "gpu" && slices.ContainsFunc(c.Made, func(m CutPart) bool { return slices.Contains(u.Index, m.Number) }) {
			return true
		}
	}
	return false
}

// idleGPU reports whether a whole GPU is in service and nobody has it or a part of it.
func (n *Node) idleGPU(file string) bool {
	for i := range n.Gres {
		g := &n.Gres[i]
		k := slices.Index(g.Files, file)
		if g.Name != "gpu" || k < 0 {
			continue
		}
		x := g.Number(k)
		return !isSick(g, x) && !slices.ContainsFunc(n.UsedGres, func(u GresAlloc) bool {
			return (u.Name == "gpu" || isSharedGres(u.Name)) && slices.Contains(u.Index, x)
		})
	}
	return false
}

// cutsAllowed are the profiles a partition lets GPUs be cut into for its jobs.
func cutsAllowed(cfg *Config, p PartitionName) []string {
	if cfg == nil || cfg.Conf == nil {
		return nil
	}
	for i := range cfg.Conf.Partitions {
		if cfg.Conf.Partitions[i].Name == string(p) {
			return cfg.Conf.Partitions[i].MIGProfiles
		}
	}
	return nil
}

func cutAllowed(allowed []string, profile string) bool {
	return slices.Contains(allowed, profile) || slices.Contains(allowed, "all")
}

// atBest is n with every device in service and with what its GPUs could be cut into
// for jobs of a partition: what it is asked whether a job could ever run there.
func (n *Node) atBest(cfg *Config, p *Partition) *Node {
	well := n.well()
	if len(n.Shapes) == 0 || p == nil {
		return well
	}
	allowed := cutsAllowed(cfg, p.Name)
	if len(allowed) == 0 {
		return well
	}
	c := *well
	c.Gres = slices.Clone(c.Gres)
	for i, s := range n.Shapes {
		for k, profile := range s.Profiles {
			if !cutAllowed(allowed, profile.Name) {
				continue
			}
			list := gpu.Fill(s.Profiles, []string{profile.Name}, profile.Name)
			c.Gres = withCut(c.Gres, &Cut{Made: inMind(s.File, list, i*cutsInMind+k)})
		}
	}
	return &c
}

// mindNumber is where the numbers begin of instances that are only thought of.
const mindNumber = 1 << 20
