package sacct

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// view is how rows are looked at.
type view struct {
	*show.View
	o *options
}

// field is one column: its name as the header has it, its own width, and its
// value.
type field struct {
	name  string
	width int
	left  bool
	value func(v *view, r *row) string
}

// ofJob is a field that steps leave empty.
func ofJob(name string, width int, value func(*view, *row) string) field {
	return field{name: name, width: width, value: func(v *view, r *row) string {
		if !r.isJob() {
			return ""
		}
		return value(v, r)
	}}
}

// ofBoth is a field that jobs and steps have.
func ofBoth(name string, width int, value func(*view, *row) string) field {
	return field{name: name, width: width, value: value}
}

// ofUsage is a field of what a step used; jobs leave it empty, and so do steps
// that still run.
func ofUsage(name string, width int, value func(*view, *row, *sched.Usage) string) field {
	return field{name: name, width: width, value: func(v *view, r *row) string {
		u := r.usage()
		if u == nil {
			return ""
		}
		return value(v, r, u)
	}}
}

// none is a field of what this system has none of.
func none(name string, width int) field {
	return field{name: name, width: width, value: func(*view, *row) string { return "" }}
}

// single is the field of a task of a step: known only of steps with one task.
func single(name string, width int, value func(*view, *row, *sched.Usage) string) field {
	return ofUsage(name, width, func(v *view, r *row, u *sched.Usage) string {
		if r.tasks() != 1 {
			return ""
		}
		return value(v, r, u)
	})
}

// fields is every column of sacct, in the order of --helpformat.
func fields() []field {
	number := func(n int) string { return strconv.Itoa(n) }
	node := func(_ *view, r *row, _ *sched.Usage) string {
		if names := r.nodes(); len(names) > 0 {
			return string(names[0])
		}
		return ""
	}
	task := func(*view, *row, *sched.Usage) string { return "0" }
	seconds := func(d time.Duration) string { return show.Seconds(d).String() }
	cpuOf := func(u *sched.Usage) time.Duration { return u.UserCPU + u.SystemCPU }
	read := func(u *sched.Usage) int64 { return u.ReadBytes }
	written := func(u *sched.Usage) int64 { return u.WriteBytes }
	size := func(f func(*sched.Usage) int64) func(*view, *row, *sched.Usage) string {
		return func(v *view, _ *row, u *sched.Usage) string { return v.bytes(f(u)) }
	}
	share := func(f func(*sched.Usage) int64) func(*view, *row, *sched.Usage) string {
		return func(v *view, r *row, u *sched.Usage) string { return v.bytes(f(u) / r.tasks()) }
	}
	list := []field{
		ofBoth("Account", 10, func(_ *view, r *row) string { return r.job.Account }),
		ofJob("AdminComment", 15, func(_ *view, r *row) string { return r.job.AdminComment }),
		ofBoth("AllocCPUS", 10, func(_ *view, r *row) string { return number(r.allocCPUs()) }),
		ofBoth("AllocNodes", 10, func(_ *view, r *row) string { return number(len(r.nodes())) }),
		ofBoth("AllocTRES", 10, func(v *view, r *row) string { return r.held(v).ByName(v.NoConvert) }),
		none("AssocID", 7),
		ofUsage("AveCPU", 10, func(_ *view, r *row, u *sched.Usage) string { return seconds(cpuOf(u) / time.Duration(r.tasks())) }),
		none("AveCPUFreq", 10),
		ofUsage("AveDiskRead", 14, share(read)),
		ofUsage("AveDiskWrite", 14, share(written)),
		ofUsage("AvePages", 10, func(_ *view, r *row, u *sched.Usage) string { return strconv.FormatInt(u.PagesMajor/r.tasks(), 10) }),
		ofUsage("AveRSS", 10, func(v *view, r *row, u *sched.Usage) string { return v.bytes(max(u.TotalRSS, u.MaxRSS) / r.tasks()) }),
		single("AveVMSize", 10, size(func(u *sched.Usage) int64 { return u.MaxVMSize })),
		none("BlockID", 16),
		ofBoth("Cluster", 10, func(v *view, r *row) string { return show.Or(r.cluster, v.Cluster) }),
		ofJob("Comment", 14, func(_ *view, r *row) string { return r.job.Spec.Comment }),
		ofJob("Constraints", 19, func(_ *view, r *row) string { return r.job.Spec.Constraint }),
		ofUsage("ConsumedEnergy", 14, func(*view, *row, *sched.Usage) string { return "0" }),
		ofUsage("ConsumedEnergyRaw", 17, func(*view, *row, *sched.Usage) string { return "0" }),
		ofJob("Container", 19, func(_ *view, r *row) string { return r.job.Spec.Container }),
		ofBoth("CPUTime", 10, func(v *view, r *row) string { return (r.elapsed(v) * slurm.Duration(r.allocCPUs())).String() }),
		ofBoth("CPUTimeRAW", 10, func(v *view, r *row) string { return strconv.FormatInt(int64(r.elapsed(v))*int64(r.allocCPUs()), 10) }),
		{name: "DBIndex", width: 21, left: true, value: func(_ *view, r *row) string { return strconv.FormatUint(r.index, 10) }},
		ofJob("DerivedExitCode", 15, func(_ *view, r *row) string { return show.ExitCode(r.job.DerivedExit) }),
		ofBoth("Elapsed", 10, func(v *view, r *row) string { return r.elapsed(v).String() }),
		ofBoth("ElapsedRaw", 10, func(v *view, r *row) string { return strconv.FormatInt(int64(r.elapsed(v)), 10) }),
		ofBoth("Eligible", 19, func(v *view, r *row) string {
			if r.step != nil {
				return v.Time(r.step.Start, "Unknown")
			}
			return v.Time(r.job.Eligible, "Unknown")
		}),
		ofBoth("End", 19, func(v *view, r *row) string {
			_, end := r.span(v.o)
			return v.Time(end, "Unknown")
		}),
		ofJob("Exclusive", 14, func(_ *view, r *row) string { return exclusive(r.job) }),
		ofBoth("ExitCode", 8, func(_ *view, r *row) string { return show.ExitCode(r.exitCode()) }),
		ofJob("Extra", 14, func(_ *view, r *row) string { return r.job.Spec.Extra }),
		none("FailedNode", 8),
		ofJob("Flags", 19, func(_ *view, r *row) string { return flags(r.job) }),
		ofJob("GID", 6, func(_ *view, r *row) string { return strconv.FormatUint(uint64(r.job.GID), 10) }),
		ofJob("Group", 9, func(_ *view, r *row) string { return r.job.Group }),
		{name: "JobID", width: 12, left: true, value: func(v *view, r *row) string { return r.id(v.View, false) }},
		{name: "JobIDRaw", width: 12, left: true, value: func(v *view, r *row) string { return r.id(v.View, true) }},
		ofBoth("JobName", 10, func(_ *view, r *row) string { return r.name() }),
		ofBoth("Layout", 9, layout),
		ofJob("Licenses", 10, func(_ *view, r *row) string { return r.job.Spec.Licenses }),
		single("MaxDiskRead", 12, size(read)), single("MaxDiskReadNode", 15, node), single("MaxDiskReadTask", 15, task),
		single("MaxDiskWrite", 12, size(written)), single("MaxDiskWriteNode", 16, node), single("MaxDiskWriteTask", 16, task),
		single("MaxPages", 8, func(_ *view, _ *row, u *sched.Usage) string { return strconv.FormatInt(u.PagesMajor, 10) }),
		single("MaxPagesNode", 12, node), single("MaxPagesTask", 14, task),
		ofUsage("MaxRSS", 10, func(v *view, _ *row, u *sched.Usage) string { return v.bytes(u.MaxRSS) }),
		ofUsage("MaxRSSNode", 10, func(v *view, r *row, u *sched.Usage) string { return show.Or(string(u.MaxRSSNode), node(v, r, u)) }),
		ofUsage("MaxRSSTask", 10, func(_ *view, _ *row, u *sched.Usage) string { return number(u.MaxRSSTask) }),
		ofUsage("MaxVMSize", 10, size(func(u *sched.Usage) int64 { return u.MaxVMSize })),
		single("MaxVMSizeNode", 14, node), single("MaxVMSizeTask", 14, task),
		ofJob("McsLabel", 12, func(_ *view, r *row) string { return r.job.Spec.MCSLabel }),
		single("MinCPU", 10, func(_ *view, _ *row, u *sched.Usage) string { return seconds(cpuOf(u)) }),
		single("MinCPUNode", 10, node), single("MinCPUTask", 10, task),
		ofBoth("NCPUS", 10, func(_ *view, r *row) string { return number(r.allocCPUs()) }),
		ofBoth("NNodes", 8, func(_ *view, r *row) string {
			if n := len(r.nodes()); n > 0 {
				return number(n)
			}
			return number(max(1, r.job.Need.MinNodes))
		}),
		ofBoth("NodeList", 15, func(_ *view, r *row) string { return show.Or(show.CompressNodes(r.nodes()), "None assigned") }),
		ofBoth("NTasks", 8, func(_ *view, r *row) string {
			if r.isJob() {
				return ""
			}
			return strconv.FormatInt(r.tasks(), 10)
		}),
		none("OriginalSLUID", 14),
		ofJob("OverSubscribe", 14, func(_ *view, r *row) string { return r.job.Sharing() }),
		ofJob("Partition", 10, func(_ *view, r *row) string { return r.job.PartitionText() }),
		ofJob("Planned", 10, func(v *view, r *row) string { return r.planned(v).String() }),
		ofJob("PlannedCPU", 10, func(v *view, r *row) string { return (r.planned(v) * slurm.Duration(max(1, r.job.Need.CPUs))).String() }),
		ofJob("PlannedCPURAW", 13, func(v *view, r *row) string {
			return strconv.FormatInt(int64(r.planned(v))*int64(max(1, r.job.Need.CPUs)), 10)
		}),
		ofJob("Priority", 10, func(_ *view, r *row) string { return strconv.FormatUint(uint64(priority(r.job)), 10) }),
		ofJob("QOS", 10, func(_ *view, r *row) string { return r.job.QOS }),
		none("QOSRAW", 6),
		ofJob("QOSREQ", 10, func(_ *view, r *row) string { return r.job.Spec.QOS }),
		ofJob("Reason", 22, func(_ *view, r *row) string { return r.job.ReasonText() }),
		ofBoth("ReqCPUFreq", 10, func(*view, *row) string { return "Unknown" }),
		ofBoth("ReqCPUFreqGov", 13, func(*view, *row) string { return "Unknown" }),
		ofBoth("ReqCPUFreqMax", 13, func(*view, *row) string { return "Unknown" }),
		ofBoth("ReqCPUFreqMin", 13, func(*view, *row) string { return "Unknown" }),
		ofBoth("ReqCPUS", 8, func(_ *view, r *row) string {
			if !r.isJob() {
				return number(r.allocCPUs())
			}
			return number(max(1, r.job.Need.CPUs))
		}),
		ofJob("ReqMem", 10, func(v *view, r *row) string { return v.memory(r.job) }),
		ofJob("ReqNodes", 8, func(_ *view, r *row) string { return number(max(1, r.job.Need.MinNodes)) }),
		ofJob("ReqTRES", 10, func(v *view, r *row) string { return v.Requested(r.job).ByName(v.NoConvert) }),
		ofJob("Reservation", 20, func(_ *view, r *row) string { return r.job.Spec.Reservation }),
		none("ReservationId", 8),
		ofJob("ReqReservation", 20, func(_ *view, r *row) string { return r.job.Spec.Reservation }),
		ofJob("Restarts", 8, func(_ *view, r *row) string { return strconv.FormatUint(uint64(r.job.Restarts), 10) }),
		none("SegmentSize", 11), none("SLUID", 14),
		ofBoth("Start", 19, func(v *view, r *row) string {
			start, _ := r.span(v.o)
			if start.IsZero() && r.job.HasEnded() {
				return "None"
			}
			return v.Time(start, "Unknown")
		}),
		ofBoth("State", 10, func(_ *view, r *row) string { return r.state() }),
		ofJob("StdErr", 20, func(_ *view, r *row) string { return r.job.Stderr() }),
		ofJob("StdIn", 20, func(_ *view, r *row) string { return r.job.Stdin() }),
		ofJob("StdOut", 20, func(_ *view, r *row) string { return r.job.Stdout() }),
		ofBoth("Submit", 19, func(v *view, r *row) string {
			if r.step != nil {
				return v.Time(r.step.Start, "Unknown")
			}
			return v.Time(r.job.Submit, "Unknown")
		}),
		ofBoth("SubmitLine", 20, func(_ *view, r *row) string {
			if r.step != nil {
				return r.step.SubmitLine
			}
			return r.job.SubmitLine
		}),
		ofBoth("Suspended", 10, func(v *view, r *row) string { return r.suspended(v).String() }),
		ofJob("SystemComment", 15, func(_ *view, r *row) string { return r.job.SystemComment }),
		ofBoth("SystemCPU", 10, func(_ *view, r *row) string { _, s := r.cpuTime(); return fine(s) }),
		ofJob("Timelimit", 10, func(_ *view, r *row) string { return limit(r.job.TimeLimit) }),
		ofJob("TimelimitRaw", 10, func(_ *view, r *row) string { return limitRaw(r.job.TimeLimit) }),
		ofBoth("TotalCPU", 10, func(_ *view, r *row) string { u, s := r.cpuTime(); return fine(u + s) }),
	}
	list = append(list, usageFields(node, task)...)
	return append(list,
		ofJob("UID", 6, func(_ *view, r *row) string { return strconv.FormatUint(uint64(r.job.UID), 10) }),
		ofJob("User", 9, userName),
		ofBoth("UserCPU", 10, func(_ *view, r *row) string { u, _ := r.cpuTime(); return fine(u) }),
		ofJob("WCKey", 10, func(_ *view, r *row) string { return r.job.Spec.WCKey }),
		none("WCKeyID", 10),
		ofJob("WorkDir", 20, func(_ *view, r *row) string { return r.job.WorkDir }),
	)
}

// usageFields are the fields that hold a list of what was used.
func usageFields(node, task func(*view, *row, *sched.Usage) string) []field {
	in := func(share bool) func(*view, *row, *sched.Usage) string {
		return func(v *view, r *row, u *sched.Usage) string {
			n := int64(1)
			rss := max(u.TotalRSS, u.MaxRSS)
			if share {
				n = r.tasks()
			}
			cpu := show.Seconds((u.UserCPU + u.SystemCPU) / time.Duration(n))
			return fmt.Sprintf("cpu=%s,energy=0,fs/disk=%d,mem=%s,pages=%d,vmem=%s", cpu, u.ReadBytes/n, v.bytes(rss/n), u.PagesMajor/n, v.bytes(u.MaxVMSize))
		}
	}
	out := func(share bool) func(*view, *row, *sched.Usage) string {
		return func(_ *view, r *row, u *sched.Usage) string {
			n := int64(1)
			if share {
				n = r.tasks()
			}
			return fmt.Sprintf("energy=0,fs/disk=%d", u.WriteBytes/n)
		}
	}
	each := func(keys string, value func(*view, *row, *sched.Usage) string) func(*view, *row, *sched.Usage) string {
		return func(v *view, r *row, u *sched.Usage) string {
			var parts []string
			for _, k := range strings.Split(keys, ",") {
				parts = append(parts, k+"="+value(v, r, u))
			}
			return strings.Join(parts, ",")
		}
	}
	const inKeys, outKeys = "cpu,energy,fs/disk,mem,pages,vmem", "energy,fs/disk"
	return []field{
		ofUsage("TRESUsageInAve", 14, in(true)), single("TRESUsageInMax", 14, in(false)),
		single("TRESUsageInMaxNode", 18, each(inKeys, node)), single("TRESUsageInMaxTask", 18, each(inKeys, task)),
		single("TRESUsageInMin", 14, in(false)), single("TRESUsageInMinNode", 18, each(inKeys, node)), single("TRESUsageInMinTask", 18, each(inKeys, task)),
		ofUsage("TRESUsageInTot", 14, in(false)),
		ofUsage("TRESUsageOutAve", 15, out(true)), single("TRESUsageOutMax", 15, out(false)),
		single("TRESUsageOutMaxNode", 19, each(outKeys, node)), single("TRESUsageOutMaxTask", 19, each(outKeys, task)),
		single("TRESUsageOutMin", 15, out(false)), single("TRESUsageOutMinNode", 19, each(outKeys, node)), single("TRESUsageOutMinTask", 19, each(outKeys, task)),
		ofUsage("TRESUsageOutTot", 15, out(false)),
	}
}

// oldNames are the names that fields once had.
var oldNames = []struct{ name, now string }{{"Reserved", "Planned"}, {"ResvCPU", "PlannedCPU"}, {"ResvCPURAW", "PlannedCPURAW"}}

// find returns the field that a name, perhaps cut short, means.
func find(list []field, name string) (field, bool) {
	for _, old := range oldNames {
		if strings.EqualFold(old.name, name) {
			f, ok := find(list, old.now)
			f.name = old.name
			return f, ok
		}
	}
	for _, f := range list {
		if strings.EqualFold(f.name, name) {
			return f, true
		}
	}
	for _, f := range list {
		if len(name) > 0 && len(name) < len(f.name) && strings.EqualFold(f.name[:len(name)], name) {
			return f, true
		}
	}
	return field{}, false
}

// bytes prints an amount of bytes, in the unit asked for.
func (v *view) bytes(n int64) string {
	switch {
	case v.NoConvert:
		return strconv.FormatInt(n, 10)
	case v.o.unit != 0:
		return slurm.FormatUnits(n, 0, v.o.unit, false)
	}
	return slurm.FormatUnits(n, 0, 0, true)
}

// memory prints the memory a job asked for in all, in the unit asked for.
func (v *view) memory(j *show.Job) string {
	mb, _ := v.Requested(j).Get("mem")
	switch {
	case v.NoConvert:
		return slurm.MB(mb).Raw()
	case v.o.unit != 0:
		return slurm.FormatUnits(mb, 'M', v.o.unit, false)
	}
	return slurm.MB(mb).String()
}

// priority is what a job had when accounting first heard of it: one submitted on
// hold had none.
func priority(j *show.Job) uint32 {
	if j.Spec.Hold {
		return 0
	}
	return j.Priority
}

func exclusive(j *show.Job) string {
	switch {
	case j.Spec.Exclusive == "user" || j.Spec.Exclusive == "mcs" || j.Spec.Exclusive == "topo":
		return strings.ToUpper(j.Spec.Exclusive)
	case j.Need.Exclusive:
		return "NODE"
	}
	return "NO"
}

// flags say which scheduler started the job.
func flags(j *show.Job) string {
	switch {
	case j.Start.IsZero():
		return ""
	case j.Scheduler == "Backfill":
		return "SchedBackfill"
	}
	return "SchedMain"
}

func layout(_ *view, r *row) string {
	if r.step == nil || r.step.ID == slurm.StepBatch {
		return "Unknown"
	}
	name, _, _ := strings.Cut(r.step.Distribution, ":")
	if name == "" {
		return "Block"
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

func limit(d slurm.Duration) string {
	if d == 0 {
		return "Partition_Limit"
	}
	return d.String()
}

func limitRaw(d slurm.Duration) string {
	switch d {
	case 0:
		return "Partition_Limit"
	case slurm.Unlimited:
		return "UNLIMITED"
	}
	return strconv.FormatInt(d.Minutes(), 10)
}

func userName(v *view, r *row) string {
	if v.o.localUID {
		if name := localName(r.job.UID); name != "" {
			return name
		}
	}
	return r.job.User
}

// fine prints a time with thousandths of a second as long as it is short.
func fine(d time.Duration) string {
	d = d.Truncate(time.Millisecond)
	if d >= time.Hour || d%time.Second == 0 {
		return show.Seconds(d).String()
	}
	return fmt.Sprintf("%02d:%02d.%03d", int(d/time.Minute), int(d/time.Second)%60, int(d/time.Millisecond)%1000)
}
