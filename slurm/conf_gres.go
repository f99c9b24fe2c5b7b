package slurm

import (
	"fmt"
	"slices"
	"strings"
)

// GresConf is a gres.conf: which devices stand behind the generic resources.
type GresConf struct {
	// AutoDetect is how devices are found where no line names them: "nvml", whose
	// devices must then be as many as configured; "off"; or "": those that are found
	// are used. A line for some nodes may say it otherwise; see ForNode.
	AutoDetect string
	Lines      []GresLine
	Texts      []ConfText
}

// GresLine is one line of gres.conf, with lists written out.
type GresLine struct {
	Nodes      HostList // empty: all nodes
	Name, Type string
	Count      int64 // the number of files where not said, at least 1
	// Files are the devices, one a resource; with MultipleFiles all of them
	// belong to each.
	Files         []string
	MultipleFiles []string
	Cores         IndexSet // the cores near the devices; empty: all
	Links         []int
	Flags         []string // lower case
	AutoDetect    string   // "": the file's
	File          string
	Line          int

	files, multiple string
}

// ForNode returns the lines that hold for a node and how its devices are found.
func (g *GresConf) ForNode(node string) (lines []GresLine, autoDetect string) {
	autoDetect = g.AutoDetect
	for _, l := range g.Lines {
		if l.Nodes.Len() > 0 && !l.Nodes.Contains(node) {
			continue
		}
		if l.AutoDetect != "" {
			autoDetect = l.AutoDetect
		}
		if l.Name != "" {
			lines = append(lines, l)
		}
	}
	return lines, autoDetect
}

// detectors are the values of AutoDetect; only NVML's is at hand.
var detectors = []string{"off", "nvml", "nvidia", "rsmi", "oneapi", "nrt", "full"}

var gresFlags = []string{"countonly", "explicit", "one_sharing", "all_sharing", "nvidia_gpu_env", "amd_gpu_env", "intel_gpu_env", "opencl_env", "no_gpu_env", "env_uuid"}

var gresKeys = []recordKey[GresLine]{
	{name: "AutoDetect", set: func(g *GresLine, v string) error {
		v = strings.ToLower(v)
		if !slices.Contains(detectors, v) {
			return errorString(quote(v) + " is none of " + strings.Join(detectors, ", "))
		}
		switch v {
		case "nvidia", "full":
			v = "nvml"
		case "rsmi", "oneapi", "nrt":
			return errorString("GPUs are found through NVML alone; name the devices with File=")
		}
		g.AutoDetect = v
		return nil
	}},
	{name: "Cores", set: setGresCores},
	{name: "CPUs", set: setGresCores},
	{name: "Count", set: func(g *GresLine, v string) error {
		n, err := ParseCount(v)
		g.Count = n
		return err
	}},
	recText("File", func(g *GresLine) *string { return &g.files }),
	{name: "Flags", set: func(g *GresLine, v string) (err error) { g.Flags, err = confWords(v, gresFlags); return err }},
	recIdle[GresLine]("Ignore", "it has no meaning in Slurm either"),
	{name: "Links", set: func(g *GresLine, v string) error {
		for _, part := range splitList(v) {
			n, err := confCount(part, -1, 1<<16)
			if err != nil {
				return err
			}
			g.Links = append(g.Links, n)
		}
		return nil
	}},
	recText("MultipleFiles", func(g *GresLine) *string { return &g.multiple }),
	{name: "Name", set: func(g *GresLine, v string) error {
		if !isGresName(v) {
			return errorString(quote(v) + " is not the name of a generic resource")
		}
		g.Name = v
		return nil
	}},
	{name: "NodeName", set: func(g *GresLine, v string) (err error) { g.Nodes, err = ParseHostList(v); return err }},
	{name: "Type", set: func(g *GresLine, v string) error {
		if !gresWord(v) {
			return errorString(quote(v) + " is not a type of a generic resource")
		}
		g.Type = v
		return nil
	}},
}

func setGresCores(g *GresLine, v string) (err error) {
	if strings.EqualFold(v, "ALL") {
		return nil
	}
	g.Cores, err = ParseIndexSet(v, 1<<20)
	return err
}

// ParseGresConf reads gres.conf, with the same reports and errors as ParseConf.
func ParseGresConf(file string, read FileReader) (*GresConf, []KeyReport, error) {
	r := readConf(file, read)
	p := &confParser{errs: r.errs}
	g := &GresConf{Texts: r.texts}
	for i := range r.lines {
		l := &r.lines[i]
		line := GresLine{File: l.file, Line: l.line}
		if !fill(p, l, gresKeys, &line, l.pairs, false) {
			continue
		}
		if line.Name == "" && line.Nodes.Len() == 0 && line.AutoDetect != "" && len(l.pairs) == 1 {
			g.AutoDetect = line.AutoDetect
			continue
		}
		if err := line.finish(); err != nil {
			p.errs = append(p.errs, l.errorf("%v", err))
			continue
		}
		g.Lines = append(g.Lines, line)
	}
	return g, p.reports, errOf(p.errs)
}

// finish writes the lists of files out and checks the count against them.
func (g *GresLine) finish() error {
	if g.Name == "" && g.AutoDetect == "" {
		return errorString("cannot use a line without Name")
	}
	for _, f := range []struct {
		key, list string
		into      *[]string
	}{{"File", g.files, &g.Files}, {"MultipleFiles", g.multiple, &g.MultipleFiles}} {
		if f.list == "" {
			continue
		}
		files, err := ParseHostList(f.list)
		if err != nil {
			return fmt.Errorf("cannot read %s=%s: %w", f.key, f.list, err)
		}
		*f.into = files.Hosts()
		for _, name := range *f.into {
			if !strings.HasPrefix(name, "/") {
				return fmt.Errorf("cannot use %s=%s: %s is not an absolute path", f.key, f.list, quote(name))
			}
		}
	}
	if len(g.Files) > 0 && len(g.MultipleFiles) > 0 {
		return errorString("cannot use File and MultipleFiles together")
	}
	n := int64(len(g.Files))
	switch {
	case g.Count == 0:
		g.Count = max(n, 1)
	case n > 1 && g.Count != n && g.Name == "gpu":
		return fmt.Errorf("cannot use Count=%d with %d files: a GPU is one file", g.Count, n)
	}
	return nil
}
