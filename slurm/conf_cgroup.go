package slurm

import (
	"fmt"
	"strconv"
	"strings"
)

// CgroupConf is a cgroup.conf: how far cgroups hold jobs to what they were given.
type CgroupConf struct {
	Plugin            string // autodetect, cgroup/v2 or disabled
	Mountpoint        string
	ConstrainCores    bool
	ConstrainDevices  bool
	ConstrainRAM      bool
	ConstrainSwap     bool
	AllowedRAMSpace   float64 // percent of the memory asked for
	AllowedSwapSpace  float64
	MaxRAMPercent     float64 // percent of the node's memory
	MaxSwapPercent    float64
	MinRAMSpace       MB
	Swappiness        int // -1: the kernel's
	ExtraControllers  []string
	SignalAllChildren bool
	Texts             []ConfText
}

func recPercent(name string, field func(*CgroupConf) *float64) recordKey[CgroupConf] {
	return recordKey[CgroupConf]{name: name, set: func(c *CgroupConf, v string) error {
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || f < 0 || f > 1e6 {
			return fmt.Errorf("%s is not a percentage", quote(v))
		}
		*field(c) = f
		return nil
	}}
}

const (
	whyKernelMemory = "the kernel counts its memory with the job's"
	whySystemd      = "the agent makes its cgroups by itself"
)

var cgroupKeys = []recordKey[CgroupConf]{
	recText("CgroupMountpoint", func(c *CgroupConf) *string { return &c.Mountpoint }).idle("the agent looks where the system has mounted them"),
	{name: "CgroupPlugin", set: func(c *CgroupConf, v string) error {
		switch v = strings.ToLower(v); v {
		case "autodetect", "cgroup/v2", "disabled":
			c.Plugin = v
			return nil
		case "cgroup/v1":
			return errorString("cgroups are of version 2")
		}
		return errorString(quote(v) + " is none of autodetect, cgroup/v2, disabled")
	}},
	recIdle[CgroupConf]("CgroupReleaseAgentDir", whyGone+": "+whySystemd),
	recIdle[CgroupConf]("AllowedDevicesFile", whyGone+": ConstrainDevices leaves a job the devices that every program has and its own"),
	recIdle[CgroupConf]("TaskAffinity", whyGone+": TaskPlugin=affinity binds tasks"),
	recIdle[CgroupConf]("CgroupAutomount", "cgroups of version 2 are one mount, made by the system"),
	recIdle[CgroupConf]("CgroupSlice", whySystemd),
	recIdle[CgroupConf]("CgroupJobIdPaths", "the path of a slice's cgroup always holds the job's id"),
	recIdle[CgroupConf]("SystemdTimeout", whySystemd),
	recIdle[CgroupConf]("IgnoreSystemd", whySystemd),
	recIdle[CgroupConf]("IgnoreSystemdOnFailure", whySystemd),
	recIdle[CgroupConf]("EnableControllers", "the controllers that are needed are always switched on"),
	{name: "EnableExtraControllers", set: func(c *CgroupConf, v string) (err error) {
		c.ExtraControllers, err = confWords(v, []string{"io", "hugetlb", "pids", "rdma", "misc", "all"})
		return err
	}, verdict: Ignored, why: "the controllers that are needed are always switched on"},
	recPercent("AllowedRAMSpace", func(c *CgroupConf) *float64 { return &c.AllowedRAMSpace }),
	recPercent("AllowedSwapSpace", func(c *CgroupConf) *float64 { return &c.AllowedSwapSpace }),
	recIdle[CgroupConf]("AllowedKmemSpace", whyKernelMemory),
	recFlag("ConstrainCores", func(c *CgroupConf) *bool { return &c.ConstrainCores }),
	recFlag("ConstrainDevices", func(c *CgroupConf) *bool { return &c.ConstrainDevices }),
	recIdle[CgroupConf]("ConstrainKmemSpace", whyKernelMemory),
	recFlag("ConstrainRAMSpace", func(c *CgroupConf) *bool { return &c.ConstrainRAM }),
	recFlag("ConstrainSwapSpace", func(c *CgroupConf) *bool { return &c.ConstrainSwap }),
	recPercent("MaxRAMPercent", func(c *CgroupConf) *float64 { return &c.MaxRAMPercent }),
	recPercent("MaxSwapPercent", func(c *CgroupConf) *float64 { return &c.MaxSwapPercent }),
	recIdle[CgroupConf]("MaxKmemPercent", whyKernelMemory),
	recIdle[CgroupConf]("MinKmemSpace", whyKernelMemory),
	recCount("MemorySwappiness", 0, 100, func(c *CgroupConf) *int { return &c.Swappiness }).idle("version 2 has no swappiness for one cgroup"),
	recMemory("MinRAMSpace", func(c *CgroupConf) *MB { return &c.MinRAMSpace }),
	recFlag("SignalChildrenProcesses", func(c *CgroupConf) *bool { return &c.SignalAllChildren }).idle("a signal goes to whom scancel and --signal say"),
}

// ParseCgroupConf reads cgroup.conf, with the same reports and errors as ParseConf.
func ParseCgroupConf(file string, read FileReader) (*CgroupConf, []KeyReport, error) {
	r := readConf(file, read)
	p := &confParser{errs: r.errs}
	c := DefaultCgroupConf()
	c.Texts = r.texts
	for i := range r.lines {
		l := &r.lines[i]
		if len(l.pairs) > 1 {
			extra := l.pairs[1]
			p.report(l, extra.key, extra.value, Refused, "a line holds one key")
			continue
		}
		fill(p, l, cgroupKeys, c, l.pairs, false)
	}
	return c, p.reports, errOf(p.errs)
}

// DefaultCgroupConf is what holds without a cgroup.conf.
func DefaultCgroupConf() *CgroupConf {
	return &CgroupConf{Plugin: "autodetect", Mountpoint: "/sys/fs/cgroup", AllowedRAMSpace: 100, MaxRAMPercent: 100, MaxSwapPercent: 100,
		MinRAMSpace: 30, Swappiness: -1}
}
