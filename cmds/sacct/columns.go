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
	kind  slurm.AcctKind
	value func(v *view, r *row) string
}

// kindOf is what the fields of that name hold.
func kindOf(name string) slurm.AcctKind {
	switch name {
	case "Eligible", "End", "Start", "Submit":
		return slurm.AcctMoment
	case "AllocCPUS", "AllocNodes", "AssocID", "CPUTime", "CPUTimeRAW", "DBIndex", "Elapsed", "ElapsedRaw", "GID", "NCPUS", "NNodes", "NTasks", "Planned", "PlannedCPU",
		"PlannedCPURAW", "Priority", "QOSRAW", "ReqCPUS", "ReqNodes", "ReservationId", "Restarts", "Suspended", "UID", "WCKeyID":
		return slurm.AcctNumber
	}
	return slurm.AcctText
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
func ofUsage(name string, width int, value func(*view, *show.StepUse) string) field {
	return field{name: name, width: width, value: func(v *view, r *row) string {
		u := r.usage()
		if u == nil {
			return ""
		}
		return value(v, u)
	}}
}

// none is a field of what this system has none of.
func none(name string, width int) field {
	return field{name: name, width: width, value: func(*view, *row) string { return "" }}
}

// place are the fields of the node and the task of an extreme.
func place(name string, node, task int, of func(*show.StepUse) sched.OfTask) []field {
	return []field{
		ofUsage(name+"Node", node, func(_ *view, u *show.StepUse) string { return string(of(u).Node) }),
		ofUsage(name+"Task", task, func(_ *view, u *show.StepUse) string { return strconv.Itoa(of(u).Task) }),
	}
}

// fields is every column of sacct, in the order of --helpformat.
func fields() []field {
	number := func(n int) string { return strconv.Itoa(n) }
	size := func(name string, width int, of func(*show.StepUse) int64) field {
		return ofUsage(name, width, func(v *view, u *show.StepUse) string { return v.Bytes(of(u), v.o.unit) })
	}
	disk := func(name string, width int, of func(*show.StepUse) int64) field {
		return ofUsage(name, width, func(_ *view, u *show.StepUse) string { return fmt.Sprintf("%.2fM", float64(of(u))/(1<<20)) })
	}
	plain := func(name string, width int, of func(*show.StepUse) int64) field {
		return ofUsage(name, width, func(_ *view, u *show.StepUse) string { return strconv.FormatInt(of(u), 10) })
	}
	cpu := func(name string, width int, of func(*show.StepUse) int64) field {
		return ofUsage(name, width, func(_ *view, u *show.StepUse) string { return show.Seconds(time.Duration(of(u))).String() })
	}
	asked := func(name string, width int) field { // frequencies: nobody sets any
		return ofBoth(name, width, func(_ *view, r *row) string {
			if r.step != nil && r.step.ID == slurm.StepBatch {
				return "0"
			}
			return "Unknown"
		})
	}
	energy := func(_ *view, r *row) string {
		if r.step != nil {
			return strconv.FormatInt(r.step.Usage.Energy, 10)
		}
		n := int64(0)
		for _, s := range r.steps {
			n += s.Usage.Energy
		}
		if n == 0 && !r.job.Start.IsZero() {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	list := []field{
		ofBoth("Account", 10, func(_ *view, r *row) string { return r.job.Account }),
		ofJob("AdminComment", 15, func(_ *view, r *row) string { return r.job.AdminComment }),
		ofBoth("AllocCPUS", 10, func(_ *view, r *row) string { return number(r.cpus()) }),
		ofBoth("AllocNodes", 10, func(_ *view, r *row) string { return number(len(r.nodes())) }),
		ofBoth("AllocTRES", 10, func(v *view, r *row) string { return v.tres(r.held(v)) }),
		ofBoth("AssocID", 7, func(_ *view, r *row) string { return strconv.FormatUint(uint64(r.job.AssocID), 10) }),
		cpu("AveCPU", 10, func(u *show.StepUse) int64 { return u.AveCPU }),
		plain("AveCPUFreq", 10, func(*show.StepUse) int64 { return 0 }),
		disk("AveDiskRead", 14, func(u *show.StepUse) int64 { return u.AveRead }),
		disk("AveDiskWrite", 14, func(u *show.StepUse) int64 { return u.AveWrite }),
		plain("AvePages", 10, func(u *show.StepUse) int64 { return u.AvePages }),
		size("AveRSS", 10, func(u *show.StepUse) int64 { return u.AveRSS }),
		size("AveVMSize", 10, func(u *show.StepUse) int64 { return u.AveVM }),
		none("BlockID", 16),
		ofBoth("Cluster", 10, func(v *view, r *row) string { return show.Or(r.cluster, v.Cluster) }),
		ofJob("Comment", 14, func(_ *view, r *row) string { return r.job.Spec.Comment }),
		ofJob("Constraints", 19, func(_ *view, r *row) string { return r.job.Spec.Constraint }),
		ofBoth("ConsumedEnergy", 14, energy),
		ofBoth("ConsumedEnergyRaw", 17, energy),
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
		ofBoth("ExitCode", 8, exitText),
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
	}
	list = append(list, disk("MaxDiskRead", 12, func(u *show.StepUse) int64 { return u.ReadMax.Amount }))
	list = append(list, place("MaxDiskRead", 15, 15, func(u *show.StepUse) sched.OfTask { return u.ReadMax })...)
	list = append(list, disk("MaxDiskWrite", 12, func(u *show.StepUse) int64 { return u.WriteMax.Amount }))
	list = append(list, place("MaxDiskWrite", 16, 16, func(u *show.StepUse) sched.OfTask { return u.WriteMax })...)
	list = append(list, plain("MaxPages", 8, func(u *show.StepUse) int64 { return u.PagesMax.Amount }))
	list = append(list, place("MaxPages", 12, 14, func(u *show.StepUse) sched.OfTask { return u.PagesMax })...)
	list = append(list, size("MaxRSS", 10, func(u *show.StepUse) int64 { return u.RSSMax.Amount }))
	list = append(list, place("MaxRSS", 10, 10, func(u *show.StepUse) sched.OfTask { return u.RSSMax })...)
	list = append(list, size("MaxVMSize", 10, func(u *show.StepUse) int64 { return u.VMMax.Amount }))
	list = append(list, place("MaxVMSize", 14, 14, func(u *show.StepUse) sched.OfTask { return u.VMMax })...)
	list = append(list, ofJob("McsLabel", 12, func(_ *view, r *row) string { return r.job.Spec.MCSLabel }),
		cpu("MinCPU", 10, func(u *show.StepUse) int64 { return u.CPUMin.Amount }))
	list = append(list, place("MinCPU", 10, 10, func(u *show.StepUse) sched.OfTask { return u.CPUMin })...)
	list = append(list,
		ofBoth("NCPUS", 10, func(_ *view, r *row) string { return number(r.cpus()) }),
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
		ofJob("Planned", 10, func(v *view, r *row) string { return r.waited(v, 1) }),
		ofJob("PlannedCPU", 10, func(v *view, r *row) string { return r.waited(v, max(1, r.job.Need.CPUs)) }),
		ofJob("PlannedCPURAW", 13, func(v *view, r *row) string {
			return strconv.FormatInt(int64(r.planned(v))*int64(max(1, r.job.Need.CPUs)), 10)
		}),
		ofJob("Priority", 10, func(_ *view, r *row) string { return strconv.FormatUint(uint64(priority(r.job)), 10) }),
		ofJob("QOS", 10, func(_ *view, r *row) string { return r.job.QOS }),
		ofJob("QOSRAW", 6, func(_ *view, r *row) string {
			if r.qos == 0 {
				return ""
			}
			return strconv.FormatUint(uint64(r.qos), 10)
		}),
		ofJob("QOSREQ", 10, func(_ *view, r *row) string { return r.job.Spec.QOS }),
		ofJob("Reason", 22, reason),
		asked("ReqCPUFreq", 10),
		asked("ReqCPUFreqGov", 13),
		asked("ReqCPUFreqMax", 13),
		asked("ReqCPUFreqMin", 13),
		ofBoth("ReqCPUS", 8, func(_ *view, r *row) string {
			if !r.isJob() {
				return number(r.allocCPUs())
			}
			return number(max(1, r.job.WantedCPUs()))
		}),
		ofJob("ReqMem", 10, func(v *view, r *row) string { return v.memory(r.job) }),
		ofBoth("ReqNodes", 8, func(_ *view, r *row) string {
			if r.step != nil {
				return number(len(r.nodes()))
			}
			return number(max(1, r.job.Need.MinNodes))
		}),
		ofJob("ReqTRES", 10, func(v *view, r *row) string { return v.tres(v.Requested(r.job)) }),
		ofJob("Reservation", 20, func(_ *view, r *row) string { return r.job.Resv }),
		ofJob("ReservationId", 8, func(_ *view, r *row) string {
			if r.job.ResvID == 0 {
				return ""
			}
			return strconv.FormatUint(uint64(r.job.ResvID), 10)
		}),
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
			return v.Time(r.job.RecordedFrom(), "Unknown")
		}),
		ofBoth("SubmitLine", 20, func(_ *view, r *row) string {
			switch {
			case r.step == nil:
				return r.job.SubmitLine
			case r.step.ID == slurm.StepBatch:
				return "" // the job's own line has it
			}
			return r.step.SubmitLine
		}),
		ofBoth("Suspended", 10, func(v *view, r *row) string { return r.suspended(v).String() }),
		ofJob("SystemComment", 15, func(_ *view, r *row) string { return r.job.SystemComment }),
		ofBoth("SystemCPU", 10, func(_ *view, r *row) string { _, s := r.cpuTime(); return fine(s) }),
		ofJob("Timelimit", 10, func(_ *view, r *row) string { return limit(r.limit()) }),
		ofJob("TimelimitRaw", 10, func(_ *view, r *row) string { return limitRaw(r.limit()) }),
		ofBoth("TotalCPU", 10, func(_ *view, r *row) string { u, s := r.cpuTime(); return fine(u + s) }),
	)
	for _, name := range show.TRESUsageNames() {
		list = append(list, ofUsage(name.Name, name.Width, func(v *view, u *show.StepUse) string {
			return u.TRESUsage(name.Name, func(n int64) string { return v.Bytes(n, v.o.unit) })
		}))
	}
	list = append(list,
		ofJob("UID", 6, func(_ *view, r *row) string { return strconv.FormatUint(uint64(r.job.UID), 10) }),
		ofJob("User", 9, userName),
		ofBoth("UserCPU", 10, func(_ *view, r *row) string { u, _ := r.cpuTime(); return fine(u) }),
		ofJob("WCKey", 10, func(_ *view, r *row) string { return r.job.Spec.WCKey }),
		ofJob("WCKeyID", 10, func(*view, *row) string { return "0" }),
		ofJob("WorkDir", 20, func(_ *view, r *row) string { return r.job.WorkDir }),
	)
	for i := range list {
		list[i].kind = kindOf(list[i].name)
	}
	return list
}

// oldNames are the names that fields once had.
var oldNames = []struct {
	name, now string
	width     int
}{{"Reserved", "Planned", 10}, {"ResvCPU", "PlannedCPU", 10}, {"ResvCPURAW", "PlannedCPURAW", 10}}

// find returns the field that a name, perhaps cut short, means.
func find(list []field, name string) (field, bool) {
	for _, old := range oldNames {
		if strings.EqualFold(old.name, name) {
			f, ok := find(list, old.now)
			f.name, f.width = old.name, old.width
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

// tres prints amounts as sacct does, memory in the unit asked for.
func (v *view) tres(t slurm.TRES) string {
	text := t.ByName(v.NoConvert)
	if v.NoConvert || v.o.unit == 0 {
		return text
	}
	words := strings.Split(text, ",")
	for i, word := range words {
		if mb, ok := t.Get("mem"); ok && strings.HasPrefix(word, "mem=") {
			words[i] = "mem=" + slurm.FormatUnits(mb, 'M', v.o.unit, false)
		}
	}
	return strings.Join(words, ",")
}

// reason is why a job waited last. That it waited for its turn does not reach
// Slurm's database before the job starts.
func reason(_ *view, r *row) string {
	switch {
	case !r.job.Start.IsZero():
		return r.job.WaitedFor.String()
	case r.job.HasEnded() && (r.job.Reason == slurm.ReasonResources || r.job.Reason == slurm.ReasonPriority):
		return slurm.ReasonNone.String()
	}
	return r.job.ReasonText()
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

// jobFlags are the words of --flags.
func jobFlags() []string {
	return []string{"SchedSubmit", "SchedMain", "SchedBackfill", "StartRecieved", "NotSet", "None"}
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
		return "StartRecieved" // the word is Slurm's: that it was submitted is known
	case j.Scheduler == "Backfill":
		return "SchedBackfill,StartRecieved"
	}
	return "SchedMain,StartRecieved"
}

func layout(_ *view, r *row) string {
	switch {
	case r.step == nil:
		return ""
	case r.step.ID == slurm.StepBatch:
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
