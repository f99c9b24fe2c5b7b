package scontrol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// showJobs is "show job [ID]".
func (c *call) showJobs(id string) int {
	req := &rinkpb.ListJobsRequest{Ended: true, Plan: true, Hidden: c.o.seesAll()}
	var refs []slurm.JobRef
	if id != "" {
		var err error
		refs, err = slurm.ParseJobRefs(id)
		if err != nil || len(refs) == 0 || slices.ContainsFunc(refs, func(r slurm.JobRef) bool { return r.HasStep }) {
			return c.failed("scontrol_print_job error", slurm.ErrnoInvalidJobID)
		}
		for _, r := range refs {
			req.Refs = append(req.Refs, &rinkpb.JobRef{Job: uint32(r.Job)})
		}
	}
	jobs, err := show.Jobs(c.env, c.client, req)
	if err != nil {
		return c.failed("slurm_load_jobs error", err)
	}
	parts, err := c.view.LoadPartitions(c.env, c.client)
	if err != nil {
		return c.failed("slurm_load_jobs error", err)
	}
	hidden := show.Hidden(parts)
	var rows []*show.Job
	for _, j := range jobs {
		if j = pick(j, refs); j != nil && (c.o.seesAll() || id != "" || !j.InHidden(hidden)) {
			rows = append(rows, j)
		}
	}
	if len(rows) == 0 && (id != "" || !c.o.encoding.On()) {
		if id == "" {
			return c.say(0, "No jobs in the system")
		}
		return c.say(1, "Job %s not found", id)
	}
	if err := c.learn(rows); err != nil {
		return c.failed("slurm_load_jobs error", err)
	}
	if c.o.encoding.On() {
		c.view.Encoding = c.o.encoding
		if err := c.view.LoadNodes(c.env, c.client); err != nil {
			return c.failed("slurm_load_jobs error", err)
		}
		list := make([]any, len(rows))
		for i, j := range rows {
			list[i] = c.view.JobData(j)
		}
		return c.data("jobs", list)
	}
	var b strings.Builder
	for _, j := range rows {
		b.WriteString(c.jobRecord(j))
	}
	return c.print(b.String())
}

// pick returns the part of a job that references name; all of it when there are
// none.
func pick(j *show.Job, refs []slurm.JobRef) *show.Job {
	if len(refs) == 0 {
		return j
	}
	return show.Select(j, refs)
}

// learn fetches what the records of these jobs need besides the jobs.
func (c *call) learn(rows []*show.Job) error {
	c.view.FindHets(rows)
	for leader, ids := range c.view.HetIDs {
		if len(ids) > 1 {
			continue
		}
		all, err := show.Jobs(c.env, c.client, &rinkpb.ListJobsRequest{Refs: []*rinkpb.JobRef{{Job: uint32(leader)}}, Ended: true})
		if err == nil && len(all) > 1 {
			delete(c.view.HetIDs, leader)
			c.view.FindHets(all)
		}
	}
	_, err := c.config()
	return err
}

// jobRecord is the record of a job.
func (c *call) jobRecord(j *show.Job) string {
	v := c.view
	r := newRecord(c.o.oneLine)
	r.put("JobId", j.ID.String())
	if j.ArrayID != 0 {
		r.text(" ")
		r.put("ArrayJobId", j.ArrayID.String(), "ArrayTaskId", v.ArrayTask(j))
		if j.Throttle > 0 {
			r.text(" ")
			r.put("ArrayTaskThrottle", strconv.Itoa(j.Throttle))
		}
	}
	if j.HetID != 0 {
		r.text(" ")
		r.put("HetJobId", j.HetID.String(), "HetJobOffset", strconv.Itoa(j.HetOffset))
	}
	r.text(" ")
	r.put("JobName", j.Name)
	if j.HetID != 0 {
		r.line("HetJobIdSet", v.HetSet(j))
	}
	r.line("UserId", owner(j.User, j.UID), "GroupId", owner(j.Group, j.GID), "MCS_label", show.Or(j.Spec.MCSLabel, show.NA))
	r.line("Priority", strconv.FormatUint(uint64(j.PriorityShown()), 10), "Nice", strconv.Itoa(j.Nice), "Account", show.Or(j.Account, show.Null), "QOS", show.Or(j.QOS, show.Null))
	if c.conf != nil && c.conf.TrackWCKey {
		r.text(" ")
		r.put("WCKey", show.Or(j.Spec.WCKey, show.Null))
	}
	r.line("JobState", j.State.String(), "Reason", strings.ReplaceAll(j.ReasonText(), " ", "_"), "Dependency", j.Dependency())
	r.line("Requeue", show.Flag(j.Requeue), "Restarts", strconv.FormatUint(uint64(j.Restarts), 10), "BatchFlag", show.Flag(j.Batch),
		"Reboot", show.Flag(j.Spec.Reboot), "ExitCode", show.ExitCode(j.ExitCode))
	if c.o.details > 0 {
		r.line("DerivedExitCode", show.ExitCode(j.DerivedExit))
	}
	c.jobTimes(r, j)
	c.jobPlace(r, j)
	c.jobAsked(r, j)
	c.jobFiles(r, j)
	c.jobLast(r, j)
	return r.close()
}

func owner(name string, id uint32) string {
	n := strconv.FormatUint(uint64(id), 10)
	return show.Or(name, n) + "(" + n + ")"
}

// jobTimes are the lines that say when.
func (c *call) jobTimes(r *record, j *show.Job) {
	v := c.view
	limit, least := j.TimeLimit.String(), show.NA
	if j.TimeLimit == 0 {
		limit = "Partition_Limit"
	}
	if j.TimeMin > 0 {
		least = j.TimeMin.String()
	}
	r.line("RunTime", j.TimeUsed(v.Now).String(), "TimeLimit", limit, "TimeMin", least)
	eligible := j.Eligible
	r.line("SubmitTime", v.Time(j.Submit, "Unknown"), "EligibleTime", v.Time(eligible, "Unknown"))
	r.line("AccrueTime", v.Time(j.Aging(v.Now), "Unknown"))
	if at := j.ResizedAt(); !at.IsZero() {
		r.line("ResizeTime", v.Time(at, "None"))
	}
	end := v.Time(j.EndAt(v.Now), "Unknown")
	r.line("StartTime", v.Time(j.StartAt(v.Now), "Unknown"), "EndTime", end, "Deadline", v.Time(j.Spec.Deadline, show.NA))
	if j.Spec.Cron != "" {
		r.line("CronJob", "Yes", "CrontabSpec", strconv.Quote(j.Spec.Cron))
	}
	began := j.Start
	if began.IsZero() && j.HasEnded() {
		began = j.End // one that never ran is said to have begun then
	}
	if c.preempts() && !began.IsZero() && !j.IsPending() {
		r.line("PreemptEligibleTime", v.Time(began.Add(c.exempt()), "Unknown"), "PreemptTime", v.Time(j.Preempted, "None"))
	}
	before := slurm.Duration(0)
	if !j.Suspended.IsZero() {
		before = j.TimeUsed(j.Suspended)
	}
	evaluated := j.LastSched
	if evaluated.IsZero() {
		evaluated = j.Submit
	}
	r.line("SuspendTime", v.Time(j.Suspended, "None"), "SecsPreSuspend", strconv.FormatInt(int64(before), 10),
		"LastSchedEval", v.Time(evaluated, "Unknown"), "Scheduler", show.Or(j.Scheduler, "Main"))
}

// jobPlace are the lines that say where, and what the job holds.
func (c *call) jobPlace(r *record, j *show.Job) {
	v := c.view
	r.line("Partition", j.PartitionText(), "AllocNode:Sid", fmt.Sprintf("%s:%d", j.SubmitHost, j.SubmitPID))
	r.line("ReqNodeList", show.Or(show.SortedNodes(j.Need.NodeList), show.Null), "ExcNodeList", show.Or(show.SortedNodes(j.Need.Exclude), show.Null))
	r.line("NodeList", j.NodeText())
	if len(j.ExpectedNodes) > 0 && j.IsPending() {
		r.text(" ")
		r.put("SchedNodeList", show.CompressNodes(j.ExpectedNodes))
	}
	switch host := j.BatchHost(); {
	case j.Spec.BatchFeatures != "" && host != "" && j.Batch:
		r.line("BatchFeatures", j.Spec.BatchFeatures, "BatchHost", host)
	case j.Spec.BatchFeatures != "":
		r.line("BatchFeatures", j.Spec.BatchFeatures)
	case j.Batch && host != "":
		r.line("BatchHost", host)
	}
	r.line("NumNodes", j.NodesAsked(), "NumCPUs", strconv.Itoa(j.CPUs()), "NumTasks", j.TaskText(),
		"CPUs/Task", strconv.Itoa(max(1, j.Need.CPUsPerTask)),
		"ReqB:S:C:T", "0:0:"+show.CountOr(j.CoresAsked(), "*")+":"+show.CountOr(j.ThreadsAsked(), "*"))
	r.line("TRES", show.Or(v.TRES(j).String(), show.Null))
	spec := "CoreSpec"
	given := "*"
	switch {
	case j.Spec.Given["thread-spec"]:
		spec, given = "ThreadSpec", strconv.Itoa(j.Spec.ThreadSpec)
	case j.Spec.Given["core-spec"]:
		given = strconv.Itoa(j.Spec.CoreSpec)
	}
	r.line("Socks/Node", show.CountOr(j.Spec.SocketsPerNode, "*"),
		"NtasksPerN:B:S:C", fmt.Sprintf("%d:0:%s:%s", j.Spec.NTasksPerNode, show.CountOr(j.Spec.NTasksPerSocket, "*"), show.CountOr(j.Spec.NTasksPerCore, "*")), spec, given)
	if c.o.details > 0 && len(j.Alloc) > 0 && !j.IsPending() {
		jobShares(r, j)
	}
}

// jobShares are the lines of --details that say what the job has on each node;
// neighbours that have the same share a line. A job that was started without a choice
// of CPUs counts those it has on a node from zero.
func jobShares(r *record, j *show.Job) {
	total := slurm.Gres{}
	for _, a := range j.Alloc {
		for _, g := range a.Gres {
			total = append(total, slurm.GresItem{Name: g.Name, Type: g.Type, Count: g.Count})
		}
	}
	r.line("JOB_GRES", show.Or(total.Sum().String(), show.Null))
	for i := 0; i < len(j.Alloc); {
		a := j.Alloc[i]
		gres := show.GresText(a.Gres)
		nodes := []sched.NodeName{a.Node}
		k := i + 1
		for ; k < len(j.Alloc) && j.Alloc[k].CPUs == a.CPUs && j.Alloc[k].CPUIDs == a.CPUIDs && j.Alloc[k].Mem == a.Mem && show.GresText(j.Alloc[k].Gres) == gres; k++ {
			nodes = append(nodes, j.Alloc[k].Node)
		}
		cpus := a.CPUIDs
		if cpus == "" {
			cpus = "0"
		}
		if a.CPUIDs == "" && a.CPUs > 1 {
			cpus += "-" + strconv.Itoa(a.CPUs-1)
		}
		r.line()
		r.text("  ")
		r.put("Nodes", show.CompressNodes(nodes), "CPU_IDs", cpus, "Mem", strconv.FormatInt(int64(a.Mem), 10), "GRES", gres)
		i = k
	}
}

// jobAsked are the lines that say what the job asked for.
func (c *call) jobAsked(r *record, j *show.Job) {
	v := c.view
	mem, perCPU := v.MinMemory(j)
	key := "MinMemoryNode"
	if perCPU {
		key = "MinMemoryCPU"
	}
	disk := "0"
	if j.Need.TmpDisk > 0 {
		disk = v.MB(j.Need.TmpDisk)
	}
	r.line("MinCPUsNode", strconv.Itoa(j.MinCPUs()), key, mem, "MinTmpDiskNode", disk)
	r.line("Features", given(j, "constraint", j.Spec.Constraint), "DelayBoot", j.Spec.DelayBoot.String())
	for _, p := range [][2]string{{"ClusterFeatures", j.Spec.ClusterConstraint}, {"Prefer", j.Spec.Prefer}, {"Reservation", j.ReservationName()}} {
		if p[1] != "" {
			r.line(p[0], p[1])
		}
	}
	r.line("OverSubscribe", j.Sharing(), "Contiguous", show.Flag(j.Need.Contiguous), "Licenses", given(j, "licenses", j.Spec.Licenses), "Network", show.Or(j.Spec.Network, show.Null))
}

// given is what an option asked for: (null) where it was not given, and empty where it
// or an update said so.
func given(j *show.Job, option, value string) string {
	if value == "" && !j.Spec.Given[option] {
		return show.Null
	}
	return value
}

// jobFiles are the lines of files and notes.
func (c *call) jobFiles(r *record, j *show.Job) {
	r.line("Command", show.Or(j.Command(), show.Null))
	r.line("WorkDir", j.WorkDir)
	for _, p := range [][2]string{{"AdminComment", j.AdminComment}, {"SystemComment", j.SystemComment}, {"Comment", j.Spec.Comment}, {"Extra", j.Spec.Extra}} {
		if p[1] != "" || p[0] == "Comment" && j.Spec.Given["comment"] {
			r.line(p[0], p[1]+" ")
		}
	}
	if j.Run != "" {
		r.line("Run", j.Run, "Stage", j.Stage)
	}
	if j.Batch {
		r.line("StdErr", j.Stderr())
		r.line("StdIn", j.Stdin())
		r.line("StdOut", j.Stdout())
	}
}

// cpuFrequency is what --cpu-freq asked for, "" for nothing. A frequency alone is
// the highest allowed.
func cpuFrequency(asked string) string {
	if asked == "" {
		return ""
	}
	span, governor, _ := strings.Cut(asked, ":")
	low, high, ranged := strings.Cut(span, "-")
	switch {
	case slurm.IsGovernor(asked):
		return "Governor=" + asked
	case ranged && governor != "":
		return "CPU_min_freq=" + low + " CPU_max_freq=" + high + " Governor=" + governor
	case ranged:
		return "CPU_min_freq=" + low + " CPU_max_freq=" + high + " "
	}
	return "CPU_max_freq=" + low + " "
}

// jobLast are the lines of what few jobs have. Behind them stands the beginning
// of a line, as in Slurm.
func (c *call) jobLast(r *record, j *show.Job) {
	if c.o.details > 0 && j.IsPending() {
		c.jobWaits(r, j)
	}
	if j.Spec.Switches > 0 {
		r.line("Switches", fmt.Sprintf("%d@%s", j.Spec.Switches, j.Spec.SwitchesWait))
	}
	if j.Spec.BurstBuffer != "" {
		r.line("BurstBuffer", j.Spec.BurstBuffer)
	}
	if f := cpuFrequency(j.Spec.CPUFreq); f != "" {
		r.line()
		r.text(f)
	}
	r.line("Power", strings.ToUpper(j.Spec.Power))
	var flags []string
	switch {
	case strings.Contains(j.Spec.GresFlags, "enforce-binding"):
		flags = append(flags, "GresEnforceBind", "Yes")
	case strings.Contains(j.Spec.GresFlags, "disable-binding"):
		flags = append(flags, "GresEnforceBind", "No")
	}
	switch j.Spec.KillOnInvalidDep {
	case "yes":
		flags = append(flags, "KillOInInvalidDependent", "Yes")
	case "no":
		flags = append(flags, "KillOInInvalidDependent", "No")
	}
	if j.Spec.SpreadJob {
		flags = append(flags, "SpreadJob", "Yes")
	}
	if len(flags) > 0 {
		r.line(flags...)
	}
	r.line()
	perGPU := func(n int64) string {
		if n <= 0 {
			return ""
		}
		return "gres:gpu:" + strconv.FormatInt(n, 10)
	}
	freq := ""
	if j.Spec.GPUFreq != "" {
		freq = "gpu:" + j.Spec.GPUFreq
	}
	mail := []string{"", ""}
	if len(j.Spec.MailTypes) > 0 {
		mail = []string{"MailUser", show.Or(j.Spec.MailUser, j.User) + " MailType=" + strings.Join(j.Spec.MailTypes, ",")}
	}
	for _, p := range [][2]string{
		{"CpusPerTres", perGPU(int64(j.Spec.CPUsPerGPU))}, {"MemPerTres", perGPU(int64(j.Spec.MemPerGPU))}, {"TresBind", j.TRESBind()}, {"TresFreq", freq},
		{"TresPerJob", j.GresPerJob()}, {"TresPerNode", j.GresPerNode()}, {"TresPerSocket", j.GresPerSocket()}, {"TresPerTask", j.GresPerTask()},
		{mail[0], mail[1]}, {"NtasksPerTRES", show.CountOr(j.Spec.NTasksPerGPU, "")}, {"Container", j.Spec.Container},
	} {
		if p[1] != "" {
			r.put(p[0], p[1])
			r.line()
		}
	}
}
