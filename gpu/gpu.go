// Package gpu holds what is known of a node's GPUs. It is pure: gpu/probe asks
// the machine.
package gpu

import "strings"

// GPU is one device as its driver describes it.
type GPU struct {
	Index  int // the driver's number
	UUID   string
	Name   string // product name, such as "NVIDIA A100-SXM4-40GB"
	Minor  int    // of the device file /dev/nvidiaN
	PCI    string // bus address, such as 00000000:3B:00.0
	Memory int64  // MiB
}

// Type is a product's name as Slurm writes types: lower case, blanks as "_".
func (g GPU) Type() string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(g.Name)), " ", "_")
}
