// Package gpu holds what is known of a node's GPUs, and chooses among them. It is
// pure: gpu/probe asks the machine.
package gpu

import (
	"fmt"
	"slices"
	"strings"
)

// GPU is one device as its driver describes it.
type GPU struct {
	Index  int // the driver's number
	UUID   string
	Name   string // product name, such as "NVIDIA A100-SXM4-40GB"
	Minor  int    // of the device file /dev/nvidiaN
	PCI    string // bus address, such as 00000000:3B:00.0
	Memory int64  // MiB
	NUMA   int    // the NUMA node it hangs on; -1: not told
	CPUs   []int  // the CPUs near it, in order; nil: not told
	// Links[i] is by how many NVLinks it is tied to the device at place i of the
	// list, those through a switch included, -1 at its own place; nil: not told.
	Links []int
	// Paths[i] is how far apart the two are on the bus; nil: not told.
	Paths []Path
	// MIG is set while the device is cut into instances, which are then what jobs
	// are given.
	MIG       bool
	Instances []Instance
	// Exclusive is set while the driver lets one process at a time use it.
	Exclusive bool
}

// Path is what lies between two GPUs, the nearest first.
type Path uint8

// The paths between two GPUs, as nvidia-smi topo names them.
const (
	PathUnknown    Path = iota
	PathSystem          // SYS: from one NUMA node to another
	PathNode            // NODE: between the host bridges of a NUMA node
	PathHostBridge      // PHB: a host bridge
	PathBridges         // PXB: several bridges of the bus
	PathBridge          // PIX: one bridge
	PathBoard           // on one board
)

// Instance is a part of a GPU with memory and processors of its own.
type Instance struct {
	UUID    string
	Profile string // such as 1g.10gb
	Memory  int64  // MiB
	GI, CI  int    // the driver's numbers of its GPU instance and compute instance
	Start   int    // the slice of the GPU's memory it begins at
	// Files are the device files that open it, beside that of the GPU; nil: not
	// told.
	Files []string
}

// Type is a product's name as Slurm writes types: lower case, blanks as "_".
func (g GPU) Type() string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(g.Name)), " ", "_")
}

// File is the device file of the GPU itself.
func (g GPU) File() string { return fmt.Sprintf("/dev/nvidia%d", g.Minor) }

// Unit is what one job at a time is given: a GPU, or an instance of one.
type Unit struct {
	Type string
	// Files are what opens it, separated by commas.
	Files string
	// Visible is its name in CUDA_VISIBLE_DEVICES where a number would not do:
	// the UUID of an instance; "" for a whole GPU.
	Visible string
	GPU     int // the place of its GPU in the list
	Memory  int64
}

// Units lists what can be given of some GPUs, in order.
func Units(list []GPU) []Unit {
	var out []Unit
	for i, g := range list {
		if !g.MIG {
			out = append(out, Unit{Type: g.Type(), Files: g.File(), GPU: i, Memory: g.Memory})
			continue
		}
		for _, m := range g.Instances {
			out = append(out, Unit{
				Type: g.Type() + "_" + m.Profile, Files: strings.Join(append([]string{g.File()}, m.Files...), ","),
				Visible: m.UUID, GPU: i, Memory: m.Memory,
			})
		}
	}
	return out
}

// IsType reports whether a type somebody wrote means the type of a device that was
// found: it is part of it, whatever the case, as a100 is of
// nvidia_a100-sxm4-40gb. "" means any.
func IsType(wrote, found string) bool {
	return strings.Contains(strings.ToLower(found), strings.ToLower(wrote))
}

// Ties weighs how well each two of the units hang together: NVLinks first, then
// what lies between them on the bus. Parts of one GPU are as near as can be. nil
// when nothing is known that would tell one pair from another.
func Ties(list []GPU, units []Unit) [][]int {
	const link = 8 // more than any path
	ties := make([][]int, len(units))
	known := false
	for a, u := range units {
		ties[a] = make([]int, len(units))
		for b, v := range units {
			if a == b {
				continue
			}
			g, w := list[u.GPU], 0
			if u.GPU == v.GPU {
				w = int(PathBoard)
			} else {
				if v.GPU < len(g.Links) {
					w += link * max(g.Links[v.GPU], 0)
				}
				if v.GPU < len(g.Paths) {
					w += int(g.Paths[v.GPU])
				}
			}
			ties[a][b] = w
			known = known || w != ties[0][min(1, len(units)-1)]
		}
	}
	if !known {
		return nil
	}
	return ties
}

// Near numbers the CPUs near each unit: equal numbers are the same CPUs. nil when
// all are near the same, or nothing is known.
func Near(list []GPU, units []Unit) []int {
	near := make([]int, len(units))
	var seen [][]int
	for i, u := range units {
		cpus := list[u.GPU].CPUs
		k := slices.IndexFunc(seen, func(s []int) bool { return slices.Equal(s, cpus) })
		if k < 0 {
			k = len(seen)
			seen = append(seen, cpus)
		}
		near[i] = k
	}
	if len(seen) < 2 {
		return nil
	}
	return near
}
