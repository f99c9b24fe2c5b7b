package sstat

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Formats when none is asked for, and with --pidformat.
const (
	defaultFormat = "jobid,alloctres,maxvmsize,maxvmsizenode,maxvmsizetask,avevmsize,maxrss,maxrssnode,maxrsstask,averss,maxpages,maxpagesnode," +
		"maxpagestask,avepages,mincpu,mincpunode,mincputask,avecpu,ntasks,avecpufreq,reqcpufreqmin,reqcpufreqmax,reqcpufreqgov,consumedenergy," +
		"maxdiskread,maxdiskreadnode,maxdiskreadtask,avediskread,maxdiskwrite,maxdiskwritenode,maxdiskwritetask,avediskwrite,tresusageinave," +
		"tresusageinmax,tresusageinmaxnode,tresusageinmaxtask,tresusageinmin,tresusageinminnode,tresusageinmintask,tresusageintot,tresusageoutave," +
		"tresusageoutmax,tresusageoutmaxnode,tresusageoutmaxtask,tresusageoutmin,tresusageoutminnode,tresusageoutmintask,tresusageouttot"
	pidFormat = "jobid,nodelist,pids"
)

// view is how lines are looked at.
type view struct{ *show.View }

// column is a field as the format asks for it.
type column struct {
	name  string
	width int
	left  bool
	value func(v *view, s *stat) string
}

// columnsOf reads a format.
func columnsOf(env *cli.Env, format string) ([]column, error) {
	asked, err := slurm.ParseAcctFields(format)
	if err != nil {
		return nil, &fatal{fmt.Sprintf("%s: error: Invalid field requested: %q", env.Name, format)}
	}
	list := fields()
	var out []column
	for _, a := range asked {
		found := false
		for _, f := range list {
			if len(a.Name) <= len(f.name) && strings.EqualFold(a.Name, f.name[:len(a.Name)]) {
				if a.Width > 0 {
					f.width, f.left = a.Width, a.Left
				}
				out, found = append(out, f), true
				break
			}
		}
		if !found {
			return nil, &fatal{fmt.Sprintf("%s: error: Invalid field requested: %q", env.Name, a.Name)}
		}
	}
	return out, nil
}

// fieldTable is what --helpformat prints: the names of all fields, four a line.
func fieldTable() string {
	var b strings.Builder
	list := fields()
	for i, f := range list {
		fmt.Fprintf(&b, "%-19s", f.name)
		if i%4 == 3 || i == len(list)-1 {
			b.WriteByte('\n')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// fields is every column of sstat, in the order of --helpformat.
func fields() []column {
	right := func(name string, width int, value func(*view, *stat) string) column {
		return column{name, width, false, value}
	}
	used := func(name string, width int, value func(v *view, u *show.StepUse) string) column {
		return column{name, width, false, func(v *view, s *stat) string { return value(v, show.UseOf(s.step)) }}
	}
	node := func(name string, width int, of func(*show.StepUse) sched.OfTask) column {
		return used(name, width, func(_ *view, u *show.StepUse) string { return string(of(u).Node) })
	}
	task := func(name string, width int, of func(*show.StepUse) sched.OfTask) column {
		return used(name, width, func(_ *view, u *show.StepUse) string { return strconv.Itoa(of(u).Task) })
	}
	count := func(name string, width int, of func(*show.StepUse) int64) column {
		return used(name, width, func(_ *view, u *show.StepUse) string { return strconv.FormatInt(of(u), 10) })
	}
	size := func(name string, width int, of func(*show.StepUse) int64) column {
		return used(name, width, func(v *view, u *show.StepUse) string { return v.Bytes(of(u), 0) })
	}
	unknown := func(name string, width int) column {
		return right(name, width, func(_ *view, s *stat) string {
			if s.step.ID == slurm.StepBatch {
				return "0"
			}
			return "Unknown"
		})
	}
	list := []column{
		right("AllocTRES", 10, func(v *view, s *stat) string {
			return (&show.Step{Step: s.step, Job: s.job}).Held().ByName(v.NoConvert)
		}),
		used("AveCPU", 10, func(_ *view, u *show.StepUse) string { return show.Seconds(time.Duration(u.AveCPU)).String() }),
		right("AveCPUFreq", 10, func(*view, *stat) string { return "0" }),
		size("AveDiskRead", 12, func(u *show.StepUse) int64 { return u.AveRead }),
		size("AveDiskWrite", 12, func(u *show.StepUse) int64 { return u.AveWrite }),
		count("AvePages", 10, func(u *show.StepUse) int64 { return u.AvePages }),
		size("AveRSS", 10, func(u *show.StepUse) int64 { return u.AveRSS }), size("AveVMSize", 10, func(u *show.StepUse) int64 { return u.AveVM }),
		count("ConsumedEnergy", 14, func(u *show.StepUse) int64 { return u.Energy }), count("ConsumedEnergyRaw", 17, func(u *show.StepUse) int64 { return u.Energy }),
		{"JobID", 12, true, func(v *view, s *stat) string { return v.ID(s.job) + "." + s.step.ID.String() }},
		size("MaxDiskRead", 12, func(u *show.StepUse) int64 { return u.ReadMax.Amount }),
		node("MaxDiskReadNode", 15, func(u *show.StepUse) sched.OfTask { return u.ReadMax }),
		task("MaxDiskReadTask", 15, func(u *show.StepUse) sched.OfTask { return u.ReadMax }),
		size("MaxDiskWrite", 12, func(u *show.StepUse) int64 { return u.WriteMax.Amount }),
		node("MaxDiskWriteNode", 16, func(u *show.StepUse) sched.OfTask { return u.WriteMax }),
		task("MaxDiskWriteTask", 16, func(u *show.StepUse) sched.OfTask { return u.WriteMax }),
		count("MaxPages", 8, func(u *show.StepUse) int64 { return u.PagesMax.Amount }),
		node("MaxPagesNode", 12, func(u *show.StepUse) sched.OfTask { return u.PagesMax }),
		task("MaxPagesTask", 14, func(u *show.StepUse) sched.OfTask { return u.PagesMax }),
		size("MaxRSS", 10, func(u *show.StepUse) int64 { return u.RSSMax.Amount }),
		node("MaxRSSNode", 10, func(u *show.StepUse) sched.OfTask { return u.RSSMax }),
		task("MaxRSSTask", 10, func(u *show.StepUse) sched.OfTask { return u.RSSMax }),
		size("MaxVMSize", 10, func(u *show.StepUse) int64 { return u.VMMax.Amount }),
		node("MaxVMSizeNode", 14, func(u *show.StepUse) sched.OfTask { return u.VMMax }),
		task("MaxVMSizeTask", 14, func(u *show.StepUse) sched.OfTask { return u.VMMax }),
		used("MinCPU", 10, func(_ *view, u *show.StepUse) string { return show.Seconds(time.Duration(u.CPUMin.Amount)).String() }),
		node("MinCPUNode", 10, func(u *show.StepUse) sched.OfTask { return u.CPUMin }),
		task("MinCPUTask", 10, func(u *show.StepUse) sched.OfTask { return u.CPUMin }),
		right("Nodelist", 20, func(_ *view, s *stat) string {
			if s.node != nil {
				return s.node.Node
			}
			return (&show.Step{Step: s.step, Job: s.job}).NodeText()
		}),
		right("NTasks", 8, func(_ *view, s *stat) string { return strconv.Itoa(max(1, s.step.Tasks)) }),
		right("Pids", 20, func(_ *view, s *stat) string {
			var words []string
			for _, pid := range s.pids {
				words = append(words, strconv.Itoa(int(pid)))
			}
			return strings.Join(words, ",")
		}),
		unknown("ReqCPUFreq", 10), unknown("ReqCPUFreqMin", 13), unknown("ReqCPUFreqMax", 13), unknown("ReqCPUFreqGov", 13),
		right("SLUID", 14, func(*view, *stat) string { return "" }),
	}
	for _, name := range show.TRESUsageNames() {
		list = append(list, used(name.Name, name.Width, func(v *view, u *show.StepUse) string {
			return u.TRESUsage(name.Name, func(n int64) string { return v.Bytes(n, 0) })
		}))
	}
	return list
}
