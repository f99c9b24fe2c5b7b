package squeue

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

type column = show.Column[*show.View, *show.Job]

// col is a column whose value is a text of the job's.
func col(letter byte, names, header string, value func(*show.View, *show.Job) string) column {
	return column{Letter: letter, Names: strings.Fields(names), Header: header, Value: value}
}

// text is a column whose value needs nothing but the job; (null) stands for none.
func text(letter byte, names, header string, value func(*show.Job) string) column {
	c := col(letter, names, header, func(_ *show.View, j *show.Job) string { return show.Or(value(j), show.Null) })
	c.Compare = show.By(func(_ *show.View, j *show.Job) string { return value(j) })
	return c
}

// said is text that is empty, and not (null), when the option was given as such.
func said(letter byte, names, header, option string, value func(*show.Job) string) column {
	c := text(letter, names, header, value)
	c.Value = func(_ *show.View, j *show.Job) string {
		if j.Spec.Given[option] {
			return value(j)
		}
		return show.Or(value(j), show.Null)
	}
	return c
}

// plain is text with nothing in place of what is not there.
func plain(letter byte, names, header string, value func(*show.Job) string) column {
	c := col(letter, names, header, func(_ *show.View, j *show.Job) string { return value(j) })
	c.Compare = show.By(func(_ *show.View, j *show.Job) string { return value(j) })
	return c
}

// number is a column of whole numbers.
func number(letter byte, names, header string, value func(*show.Job) int64) column {
	c := col(letter, names, header, func(_ *show.View, j *show.Job) string { return strconv.FormatInt(value(j), 10) })
	c.Compare = show.By(func(_ *show.View, j *show.Job) int64 { return value(j) })
	return c
}

// asked is a column of a number that N/A or * stands for when it was not asked
// for.
func asked(letter byte, names, header, none string, value func(*show.Job) int) column {
	c := col(letter, names, header, func(_ *show.View, j *show.Job) string { return show.CountOr(value(j), none) })
	c.Compare = show.By(func(_ *show.View, j *show.Job) int { return value(j) })
	return c
}

// moment is a column of times; those that are not known come last.
func moment(letter byte, names, header string, value func(*show.View, *show.Job) time.Time) column {
	c := col(letter, names, header, func(v *show.View, j *show.Job) string { return v.Time(value(v, j), show.NA) })
	c.Compare = func(v *show.View, a, b *show.Job) int {
		x, y := value(v, a), value(v, b)
		if x.IsZero() != y.IsZero() {
			if x.IsZero() {
				return 1
			}
			return -1
		}
		return x.Compare(y)
	}
	return c
}

// constant is a column for what this system has none of.
func constant(letter byte, names, header, value string) column {
	return col(letter, names, header, func(*show.View, *show.Job) string { return value })
}

// nodes is a column of node names, which is not cut when it is right justified.
func nodes(letter byte, names, header string, value func(*show.Job) string) column {
	c := plain(letter, names, header, value)
	c.Whole = true
	return c
}

func nodesOrReason() column {
	c := nodes('R', "ReasonList", "NODELIST(REASON)", (*show.Job).NodesOrReason)
	c.Words = true
	return c
}

// columns is what squeue can print of a job: the letter of -o, the names of -O,
// the header, and the value.
func columns() []column {
	return []column{
		text('a', "Account", "ACCOUNT", func(j *show.Job) string { return j.Account }),
		moment(0, "AccrueTime", "ACCRUE_TIME", func(v *show.View, j *show.Job) time.Time { return j.Aging(v.Now) }),
		text(0, "admin_comment AdminComment", "ADMIN_COMMENT", func(j *show.Job) string { return j.AdminComment }),
		text(0, "AllocNodes", "ALLOC_NODES", func(j *show.Job) string { return j.SubmitHost }),
		number(0, "AllocSID", "ALLOC_SID", func(j *show.Job) int64 { return int64(j.SubmitPID) }),
		number('F', "ArrayJobId", "ARRAY_JOB_ID", func(j *show.Job) int64 { return int64(j.ArrayJobID()) }),
		col('K', "ArrayTaskId", "ARRAY_TASK_ID", (*show.View).ArrayTask),
		constant(0, "AssocId", "ASSOC_ID", show.NA),
		plain(0, "BatchFlag", "BATCH_FLAG", func(j *show.Job) string { return show.Flag(j.Batch) }),
		plain('B', "BatchHost", "EXEC_HOST", func(j *show.Job) string { return show.Or(j.BatchHost(), "n/a") }),
		constant(0, "BoardsPerNode", "BOARDS_PER_NODE", "0"),
		text(0, "BurstBuffer", "BURST_BUFFER", func(j *show.Job) string { return j.Spec.BurstBuffer }),
		constant(0, "BurstBufferState", "BURST_BUFFER_STATE", show.Null),
		col(0, "Cluster", "CLUSTER", func(v *show.View, _ *show.Job) string { return v.Cluster }),
		text(0, "ClusterFeature", "CLUSTER_FEATURES", func(j *show.Job) string { return j.Spec.ClusterConstraint }),
		text('o', "Command", "COMMAND", (*show.Job).Command),
		said('k', "Comment", "COMMENT", "comment", func(j *show.Job) string { return j.Spec.Comment }),
		text(0, "Container", "CONTAINER", func(j *show.Job) string { return j.Spec.Container }),
		text(0, "ContainerId", "CONTAINERID", func(j *show.Job) string { return j.Spec.ContainerID }),
		constant(0, "ContainerType", "CONTAINERTYPE", show.Null),
		plain('O', "Contiguous", "CONTIGUOUS", func(j *show.Job) string { return show.Flag(j.Need.Contiguous) }),
		asked('I', "Cores", "CORES_PER_SOCKET", "*", (*show.Job).CoresAsked),
		plain('X', "CoreSpec", "CORE_SPEC", coreSpec),
		number(0, "CPUsPerTask cpus-per-task", "CPUS_PER_TASK", func(j *show.Job) int64 { return int64(max(1, j.Need.CPUsPerTask)) }),
		plain(0, "cpus-per-tres", "CPUS_PER_TRES", func(j *show.Job) string { return perGPU(j.Spec.CPUsPerGPU) }),
		plain(0, "CronJob", "CRON_JOB", func(j *show.Job) string {
			if j.Spec.Cron != "" {
				return "Yes"
			}
			return "No"
		}),
		moment(0, "Deadline", "DEADLINE", func(_ *show.View, j *show.Job) time.Time { return j.Spec.Deadline }),
		plain(0, "DelayBoot", "DELAY_BOOT", func(j *show.Job) string { return j.Spec.DelayBoot.Short() }),
		plain('E', "Dependency", "DEPENDENCY", (*show.Job).Dependency),
		number(0, "DerivedEC", "DERIVED_EC", func(j *show.Job) int64 { return waitStatus(j.DerivedExit) }),
		moment(0, "EligibleTime", "ELIGIBLE_TIME", func(_ *show.View, j *show.Job) time.Time { return j.Eligible }),
		endTime(),
		nodes('x', "ExcNodes", "EXC_NODES", func(j *show.Job) string { return show.SortedNodes(j.Need.Exclude) }),
		plain(0, "Exclusive", "EXCLUSIVE", exclusive),
		number(0, "exit_code ExitCode", "EXIT_CODE", func(j *show.Job) int64 { return waitStatus(j.ExitCode) }),
		said('f', "Feature Features", "FEATURES", "constraint", func(j *show.Job) string { return j.Spec.Constraint }),
		plain('b', "Gres tres-per-node", "TRES_PER_NODE", func(j *show.Job) string { return show.Or(j.GresPerNode(), show.NA) }),
		number('G', "GroupId", "GROUP", func(j *show.Job) int64 { return int64(j.GID) }),
		plain('g', "GroupName", "GROUP", func(j *show.Job) string { return show.Or(j.Group, strconv.FormatUint(uint64(j.GID), 10)) }),
		plain(0, "HetJobId PackJobId", "HET_JOB_ID", func(j *show.Job) string { return het(j, j.HetID.String()) }),
		col(0, "HetJobIdSet PackJobIdSet", "HET_JOB_ID_SET", func(v *show.View, j *show.Job) string { return het(j, v.HetSet(j)) }),
		plain(0, "HetJobOffset PackJobOffset", "HET_JOB_OFFSET", func(j *show.Job) string { return het(j, strconv.Itoa(j.HetOffset)) }),
		displayID(),
		number('A', "JobId", "JOBID", func(j *show.Job) int64 { return int64(j.ID) }),
		moment(0, "LastSchedEval", "LAST_SCHED_EVAL", func(_ *show.View, j *show.Job) time.Time { return lastSched(j) }),
		said('W', "Licenses", "LICENSES", "licenses", func(j *show.Job) string { return j.Spec.Licenses }),
		text(0, "LicensesAlloc", "LICENSES_ALLOC", func(j *show.Job) string { return j.LicensesUsed.String() }),
		number(0, "MaxCPUs", "MAX_CPUS", func(j *show.Job) int64 { return int64(j.CPUs()) }),
		number(0, "MaxNodes", "MAX_NODES", func(j *show.Job) int64 { return int64(j.MostNodes()) }),
		plain(0, "mem-per-tres", "MEM_PER_TRES", func(j *show.Job) string { return perGPU(int(j.Spec.MemPerGPU)) }),
		plain(0, "MCSLabel", "MCSLABEL", func(j *show.Job) string { return show.Or(j.Spec.MCSLabel, show.Null) }),
		number('c', "MinCPUs", "MIN_CPUS", func(j *show.Job) int64 { return int64(j.MinCPUs()) }),
		minMemory(),
		plain(0, "MinTime", "TIME_MIN", func(j *show.Job) string { return j.TimeMin.Short() }),
		minTmpDisk(),
		plain('j', "Name", "NAME", func(j *show.Job) string { return j.Name }),
		text(0, "Network", "NETWORK", func(j *show.Job) string { return j.Spec.Network }),
		number('y', "Nice", "NICE", func(j *show.Job) int64 { return int64(j.Nice) }),
		nodes('N', "NodeList", "NODELIST", (*show.Job).NodeText),
		asked(0, "NTPerCore", "NTASKS_PER_CORE", show.NA, func(j *show.Job) int { return j.Spec.NTasksPerCore }),
		number(0, "NTPerNode", "NTASKS_PER_NODE", func(j *show.Job) int64 { return int64(j.Spec.NTasksPerNode) }),
		asked(0, "NTPerSocket", "NTASKS_PER_SOCKET", show.NA, func(j *show.Job) int { return j.Spec.NTasksPerSocket }),
		constant(0, "NTPerBoard", "NTASKS_PER_BOARD", "0"),
		number('C', "NumCPUs", "CPUS", func(j *show.Job) int64 { return int64(j.CPUs()) }),
		number('D', "NumNodes", "NODES", func(j *show.Job) int64 { return int64(j.NodeCount()) }),
		number(0, "NumTasks", "TASKS", func(j *show.Job) int64 {
			if j.TaskText() == show.NA {
				return slurm.NoArrayTask // as it is written where there is none
			}
			return int64(j.TaskCount())
		}),
		constant(0, "Origin", "ORIGIN", "NA"),
		constant(0, "OriginRaw", "ORIGIN_RAW", "NA"),
		plain('h', "OverSubscribe Shared", "OVER_SUBSCRIBE", (*show.Job).Sharing),
		plain('P', "Partition", "PARTITION", (*show.Job).PartitionText),
		col(0, "PendingTime", "PENDING_TIME", pendingTime),
		moment(0, "PreemptTime", "PREEMPT_TIME", func(_ *show.View, j *show.Job) time.Time { return j.Preempted }),
		text(0, "Prefer", "PREFER", func(j *show.Job) string { return j.Spec.Prefer }),
		{Letter: 'p', Names: []string{"Priority"}, Header: "PRIORITY", Compare: byPriority,
			Value: func(_ *show.View, j *show.Job) string { return show.PriorityFraction(j.PriorityShown()) }},
		number('Q', "PriorityLong", "PRIORITY", func(j *show.Job) int64 { return int64(j.PriorityShown()) }),
		plain(0, "Profile", "PROFILE", func(j *show.Job) string { return show.Or(j.Spec.Profile, "NotSet") }),
		text('q', "QOS", "QOS", func(j *show.Job) string { return j.QOS }),
		plain('r', "Reason", "REASON", (*show.Job).ReasonText),
		nodesOrReason(),
		plain(0, "Reboot", "REBOOT", func(j *show.Job) string { return show.Flag(j.Spec.Reboot) }),
		nodes('n', "ReqNodes", "REQ_NODES", func(j *show.Job) string { return show.SortedNodes(j.Need.NodeList) }),
		number(0, "ReqSwitch", "REQ_SWITCH", func(j *show.Job) int64 { return int64(j.Spec.Switches) }),
		plain(0, "Requeue", "REQUEUE", func(j *show.Job) string { return show.Flag(j.Requeue) }),
		text('v', "Reservation", "RESERVATION", func(j *show.Job) string { return j.ReservationName() }),
		moment(0, "ResizeTime", "RESIZE_TIME", func(_ *show.View, j *show.Job) time.Time { return j.ResizedAt() }),
		number(0, "RestartCnt", "RESTART_COUNT", func(j *show.Job) int64 { return int64(j.Restarts) }),
		text('Y', "SchedNodes", "SCHEDNODES", func(j *show.Job) string { return show.CompressNodes(j.ExpectedNodes) }),
		plain('z', "SCT", "S:C:T", func(j *show.Job) string {
			return show.CountOr(j.Spec.SocketsPerNode, "*") + ":" + show.CountOr(j.CoresAsked(), "*") + ":" + show.CountOr(j.ThreadsAsked(), "*")
		}),
		constant(0, "SegmentSize", "SEGMENT_SIZE", show.NA),
		constant(0, "SiblingsActive", "ACTIVE_SIBLINGS", "NA"),
		constant(0, "SiblingsActiveRaw", "ACTIVE_SIBLINGS_RAW", "NA"),
		constant(0, "SiblingsViable", "VIABLE_SIBLINGS", "NA"),
		constant(0, "SiblingsViableRaw", "VIALBLE_SIBLINGS_RAW", "NA"),
		constant('s', "SLUID", "SLUID", show.NA),
		asked('H', "Sockets", "SOCKETS_PER_NODE", "*", func(j *show.Job) int { return j.Spec.SocketsPerNode }),
		constant(0, "SPerBoard", "SOCKETS_PER_BOARD", "0"),
		moment('S', "StartTime", "START_TIME", func(v *show.View, j *show.Job) time.Time { return j.StartAt(v.Now) }),
		{Letter: 'T', Names: []string{"State"}, Header: "STATE",
			Value:   func(_ *show.View, j *show.Job) string { return j.State.String() },
			Compare: show.By(func(_ *show.View, j *show.Job) uint32 { return uint32(j.State) })},
		plain('t', "StateCompact", "ST", func(j *show.Job) string { return j.State.Short() }),
		plain(0, "StdErr", "STDERR", (*show.Job).StderrNamed),
		plain(0, "StdIn", "STDIN", (*show.Job).StdinNamed),
		plain(0, "StdOut", "STDOUT", (*show.Job).StdoutNamed),
		moment('V', "SubmitTime", "SUBMIT_TIME", func(_ *show.View, j *show.Job) time.Time { return j.Submit }),
		text(0, "system_comment SystemComment", "SYSTEM_COMMENT", func(j *show.Job) string { return j.SystemComment }),
		asked('J', "Threads", "THREADS_PER_CORE", "*", (*show.Job).ThreadsAsked),
		timeLeft(),
		{Letter: 'l', Names: []string{"TimeLimit"}, Header: "TIME_LIMIT", Whole: true,
			Value:   func(_ *show.View, j *show.Job) string { return j.Limit() },
			Compare: show.By(func(_ *show.View, j *show.Job) slurm.Duration { return j.TimeLimit })},
		{Letter: 'M', Names: []string{"TimeUsed"}, Header: "TIME", Whole: true,
			Value:   func(v *show.View, j *show.Job) string { return j.TimeUsed(v.Now).Short() },
			Compare: show.By(func(v *show.View, j *show.Job) slurm.Duration { return j.TimeUsed(v.Now) })},
		col(0, "Tres tres-alloc", "TRES_ALLOC", func(v *show.View, j *show.Job) string { return v.TRES(j).String() }),
		plain(0, "tres-bind", "TRES_BIND", func(j *show.Job) string { return tresBind(j) }),
		plain(0, "tres-freq", "TRES_FREQ", func(j *show.Job) string { return prefixed("gpu:", j.Spec.GPUFreq) }),
		plain(0, "tres-per-job", "TRES_PER_JOB", func(j *show.Job) string { return show.Or(j.GresPerJob(), show.NA) }),
		plain(0, "tres-per-socket", "TRES_PER_SOCKET", func(j *show.Job) string { return show.Or(j.GresPerSocket(), show.NA) }),
		plain(0, "tres-per-task", "TRES_PER_TASK", func(j *show.Job) string { return show.Or(j.GresPerTask(), show.NA) }),
		number('U', "UserId", "UID", func(j *show.Job) int64 { return int64(j.UID) }),
		plain('u', "UserName", "USER", func(j *show.Job) string { return show.Or(j.User, strconv.FormatUint(uint64(j.UID), 10)) }),
		plain(0, "Wait4Switch", "WAIT4SWITCH", func(j *show.Job) string { return j.Spec.SwitchesWait.Short() }),
		text('w', "WCKey", "WCKEY", func(j *show.Job) string { return j.Spec.WCKey }),
		text('Z', "WorkDir", "WORK_DIR", func(j *show.Job) string { return j.WorkDir }),
		plain(0, "Run", "RUN", func(j *show.Job) string { return show.Or(j.Run, show.NA) }),
		plain(0, "Stage", "STAGE", func(j *show.Job) string { return show.Or(j.Stage, show.NA) }),
	}
}

func displayID() column {
	c := col('i', "JobArrayId", "JOBID", (*show.View).ID)
	c.Compare = func(_ *show.View, a, b *show.Job) int { return show.CompareID(a, b) }
	return c
}

// endTime is when the job ended or will; NONE when nothing ends it.
func endTime() column {
	c := moment('e', "EndTime", "END_TIME", func(v *show.View, j *show.Job) time.Time { return j.EndAt(v.Now) })
	value := c.Value
	c.Value = func(v *show.View, j *show.Job) string {
		if j.Endless() {
			return "NONE"
		}
		return value(v, j)
	}
	return c
}

func minMemory() column {
	c := col('m', "MinMemory", "MIN_MEMORY", func(v *show.View, j *show.Job) string {
		s, _ := v.MinMemory(j)
		return s
	})
	c.Compare = show.By(func(_ *show.View, j *show.Job) slurm.MB { return max(j.Need.MemPerCPU, j.Need.MemPerNode) })
	return c
}

func minTmpDisk() column {
	c := col('d', "MinTmpDisk", "MIN_TMP_DISK", func(v *show.View, j *show.Job) string {
		if j.Need.TmpDisk == 0 {
			return "0"
		}
		return v.MB(j.Need.TmpDisk)
	})
	c.Compare = show.By(func(_ *show.View, j *show.Job) slurm.MB { return j.Need.TmpDisk })
	return c
}

func timeLeft() column {
	c := col('L', "TimeLeft", "TIME_LEFT", func(v *show.View, j *show.Job) string { return j.TimeLeft(v.Now) })
	c.Whole = true
	c.Compare = show.By(func(v *show.View, j *show.Job) slurm.Duration {
		if j.TimeLimit == slurm.Unlimited {
			return j.TimeLimit
		}
		return j.TimeLimit - j.TimeUsed(v.Now)
	})
	return c
}

func byPriority(_ *show.View, a, b *show.Job) int { return cmp.Compare(a.Priority, b.Priority) }

// waitStatus is an exit code as the kernel's wait reports it.
func waitStatus(c sched.ExitCode) int64 { return int64(c.Code)<<8 | int64(c.Signal) }

func coreSpec(j *show.Job) string {
	switch {
	case j.Spec.Given["thread-spec"]:
		return strconv.Itoa(j.Spec.ThreadSpec) + "T"
	case j.Spec.Given["core-spec"]:
		return strconv.Itoa(j.Spec.CoreSpec)
	}
	return show.NA
}

func perGPU(n int) string {
	if n <= 0 {
		return show.NA
	}
	return "gres:gpu:" + strconv.Itoa(n)
}

func prefixed(prefix, s string) string {
	if s == "" {
		return show.NA
	}
	return prefix + s
}

func tresBind(j *show.Job) string {
	if j.Spec.TRESBind != "" {
		return j.Spec.TRESBind
	}
	return prefixed("gpu:", j.Spec.GPUBind)
}

func exclusive(j *show.Job) string {
	switch {
	case !j.Need.Exclusive && (j.Spec.Exclusive == "" || j.Spec.Exclusive == "exclusive"):
		return "NO"
	case j.Spec.Exclusive == "" || j.Spec.Exclusive == "exclusive":
		return "NODE"
	}
	return strings.ToUpper(j.Spec.Exclusive)
}

func het(j *show.Job, value string) string {
	if j.HetID == 0 {
		return show.NA
	}
	return value
}

func lastSched(j *show.Job) time.Time {
	if j.LastSched.IsZero() {
		return j.Submit
	}
	return j.LastSched
}

// pendingTime is how many seconds the job waited, or has been waiting.
func pendingTime(v *show.View, j *show.Job) string {
	until := v.Now
	if !j.IsPending() && !j.Start.IsZero() {
		until = j.Start
	}
	return strconv.FormatInt(int64(show.Seconds(max(0, until.Sub(j.Submit)))), 10)
}
