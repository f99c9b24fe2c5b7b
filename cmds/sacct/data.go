package sacct

import (
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// tresIDs are the numbers Slurm gives the kinds that every cluster has.
var tresIDs = map[string]int{"cpu": 1, "mem": 2, "energy": 3, "node": 4, "billing": 5, "fs/disk": 6, "vmem": 7, "pages": 8, "gres/gpumem": firstOwn + 1, "gres/gpuutil": firstOwn + 2}

// firstOwn is the number of the first kind that a site has for itself.
const firstOwn = 1001

// tresData is a list of amounts.
func tresData(t slurm.TRES) []any {
	list := make([]any, 0, len(t))
	own := firstOwn
	for _, item := range t {
		id := tresIDs[item.Key()]
		if id == 0 {
			id = own
			own++
		}
		list = append(list, show.Object{
			{Key: "type", Value: item.Type}, {Key: "name", Value: item.Name}, {Key: "id", Value: id}, {Key: "count", Value: item.Count},
		})
	}
	return list
}

// usedData is a list of what was used; with places it says by which task.
func usedData(u *show.StepUse, what string, out bool) []any {
	type part struct {
		typ, name string
		all, ave  int64
		min, max  sched.OfTask
	}
	energy := u.Heat
	energy.Amount = u.Energy
	parts := []part{
		{"cpu", "", u.CPU / int64(time.Millisecond), u.AveCPU / int64(time.Millisecond), milli(u.CPUMin), milli(u.CPUMax)},
		{"mem", "", u.RSS, u.AveRSS, u.RSSMin, u.RSSMax}, {"energy", "", u.Energy, u.Energy, energy, energy},
		{"fs", "disk", u.Read, u.AveRead, u.ReadMin, u.ReadMax}, {"vmem", "", u.VM, u.AveVM, u.VMMin, u.VMMax},
		{"pages", "", u.Pages, u.AvePages, u.PagesMin, u.PagesMax},
	}
	if u.GPUs {
		parts = append(parts, part{"gres", "gpumem", u.GPUMem, u.AveGPUMem, u.GPUMemMin, u.GPUMemMax}, part{"gres", "gpuutil", u.GPUUtil, u.AveGPUUtil, u.GPUUtilMin, u.GPUUtilMax})
	}
	if out {
		parts = []part{{"energy", "", u.Energy, u.Energy, energy, energy}, {"fs", "disk", u.Write, u.AveWrite, u.WriteMin, u.WriteMax}}
	}
	var list []any
	for _, p := range parts {
		id := p.typ
		if p.name != "" {
			id += "/" + p.name
		}
		o := show.Object{{Key: "type", Value: p.typ}, {Key: "name", Value: p.name}, {Key: "id", Value: tresIDs[id]}}
		place := func(t sched.OfTask) show.Object {
			return append(o, show.Member{Key: "count", Value: t.Amount}, show.Member{Key: "task", Value: t.Task}, show.Member{Key: "node", Value: string(t.Node)})
		}
		switch what {
		case "max":
			o = place(p.max)
		case "min":
			o = place(p.min)
		case "average":
			o = append(o, show.Member{Key: "count", Value: p.ave})
		default:
			o = append(o, show.Member{Key: "count", Value: p.all})
		}
		list = append(list, o)
	}
	return list
}

func milli(t sched.OfTask) sched.OfTask {
	t.Amount /= int64(time.Millisecond)
	return t
}

// cpuData is a span of CPU time.
func cpuData(user, system time.Duration) []show.Member {
	return []show.Member{{Key: "system", Value: seconds(system)}, {Key: "total", Value: seconds(user + system)}, {Key: "user", Value: seconds(user)}}
}

// unix is a moment in seconds, 0 when it is not known.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// stepData is everything known of a step.
func stepData(v *view, r *row) show.Object {
	s := r.step
	start, end := r.span(v.o)
	user, system := r.cpuTime()
	names := []string{}
	for _, n := range r.nodes() {
		names = append(names, string(n))
	}
	u := show.UseOf(s)
	used := func(out bool) show.Object {
		var o show.Object
		for _, what := range []string{"max", "min", "average", "total"} {
			o = append(o, show.Member{Key: what, Value: usedData(u, what, out)})
		}
		return o
	}
	return show.Object{
		{Key: "time", Value: append(show.Object{
			{Key: "elapsed", Value: int64(r.elapsed(v))}, {Key: "end", Value: show.Stamp(end)}, {Key: "start", Value: show.Stamp(start)},
			{Key: "suspended", Value: int64(r.suspended(v))}}, cpuData(user, system)...)},
		{Key: "exit_code", Value: show.ExitData(r.exitCode())},
		{Key: "nodes", Value: show.Object{{Key: "count", Value: len(names)}, {Key: "range", Value: show.CompressNodes(r.nodes())}, {Key: "list", Value: names}}},
		{Key: "tasks", Value: show.Object{{Key: "count", Value: r.tasks()}}},
		{Key: "pid", Value: ""},
		{Key: "CPU", Value: show.Object{
			{Key: "requested_frequency", Value: show.Object{{Key: "min", Value: show.Number(0)}, {Key: "max", Value: show.Number(0)}}},
			{Key: "governor", Value: "0"}}},
		{Key: "kill_request_user", Value: ""},
		{Key: "state", Value: []string{strings.Fields(r.state())[0]}},
		{Key: "statistics", Value: show.Object{
			{Key: "CPU", Value: show.Object{{Key: "actual_frequency", Value: 0}}},
			{Key: "energy", Value: show.Object{{Key: "consumed", Value: show.Number(u.Energy)}}}}},
		{Key: "step", Value: show.Object{{Key: "id", Value: r.id(v.View, true)}, {Key: "name", Value: s.Name}, {Key: "stdin", Value: ""}, {Key: "stdout", Value: ""}, {Key: "stderr", Value: ""}}},
		{Key: "submit_line", Value: s.SubmitLine},
		{Key: "task", Value: show.Object{{Key: "distribution", Value: layout(v, r)}}},
		{Key: "tres", Value: show.Object{{Key: "requested", Value: used(false)}, {Key: "consumed", Value: used(true)}, {Key: "allocated", Value: tresData(r.held(v))}}},
	}
}

// recordData is everything known of a record, under the names that Slurm's data
// parser has for it.
func recordData(v *view, r *record) show.Object {
	one := &row{record: r}
	j := r.job
	user, system := one.cpuTime()
	start, end := one.span(v.o)
	steps := make([]any, 0, len(r.steps))
	for _, s := range r.steps {
		if v.o.allocations {
			break
		}
		steps = append(steps, stepData(v, &row{record: r, step: s}))
	}
	exit := func(c sched.ExitCode) show.Object { return show.ExitData(c) }
	array := show.Object{
		{Key: "job_id", Value: int64(j.ArrayID)},
		{Key: "limits", Value: show.Object{{Key: "max", Value: show.Object{{Key: "running", Value: show.Object{{Key: "tasks", Value: j.Throttle}}}}}}},
	}
	switch {
	case j.IsTask():
		array = append(array, show.Member{Key: "task_id", Value: show.Number(int64(j.TaskID))}, show.Member{Key: "task", Value: ""})
	case j.IsRest():
		array = append(array, show.Member{Key: "task_id", Value: show.NoNumber()}, show.Member{Key: "task", Value: v.ArrayTask(j)})
	default:
		array = append(array, show.Member{Key: "task_id", Value: show.NoNumber()}, show.Member{Key: "task", Value: ""})
	}
	het := show.Object{{Key: "job_id", Value: int64(j.HetID)}, {Key: "job_offset", Value: show.NoNumber()}}
	if j.HetID != 0 {
		het[1].Value = show.Number(int64(j.HetOffset))
	}
	var flagWords []string
	for word := range strings.SplitSeq(flags(j), ",") {
		switch word {
		case "SchedMain":
			flagWords = append(flagWords, "STARTED_ON_SCHEDULE")
		case "SchedBackfill":
			flagWords = append(flagWords, "STARTED_ON_BACKFILL")
		}
	}
	killed := ""
	if j.State.Base() == slurm.JobCancelled && j.KilledBy != sched.KilledByNobody {
		if killed = localName(j.KilledBy); killed == "" {
			killed = strconv.FormatUint(uint64(j.KilledBy), 10)
		}
	}
	state := strings.Fields(one.state())[0]
	memory := func(mb slurm.MB) show.Object {
		if mb == 0 {
			return show.NoNumber()
		}
		return show.Number(int64(mb))
	}
	return show.Object{
		{Key: "account", Value: j.Account},
		{Key: "comment", Value: show.Object{{Key: "administrator", Value: j.AdminComment}, {Key: "job", Value: j.Spec.Comment}, {Key: "system", Value: j.SystemComment}}},
		{Key: "allocation_nodes", Value: len(one.nodes())},
		{Key: "array", Value: array},
		{Key: "association", Value: show.Object{
			{Key: "account", Value: j.Account}, {Key: "cluster", Value: show.Or(r.cluster, v.Cluster)}, {Key: "partition", Value: ""}, {Key: "user", Value: j.User}, {Key: "id", Value: int64(j.AssocID)}}},
		{Key: "block", Value: ""},
		{Key: "cluster", Value: show.Or(r.cluster, v.Cluster)},
		{Key: "constraints", Value: j.Spec.Constraint},
		{Key: "container", Value: j.Spec.Container},
		{Key: "derived_exit_code", Value: exit(j.DerivedExit)},
		{Key: "time", Value: append(show.Object{
			{Key: "elapsed", Value: int64(one.elapsed(v))}, {Key: "eligible", Value: unix(j.Eligible)}, {Key: "end", Value: unix(end)},
			{Key: "planned", Value: show.Number(int64(one.planned(v)))}, {Key: "start", Value: unix(start)}, {Key: "submission", Value: unix(j.RecordedFrom())},
			{Key: "suspended", Value: int64(one.suspended(v))}, {Key: "limit", Value: show.Minutes(j.TimeLimit)}}, cpuData(user, system)...)},
		{Key: "exit_code", Value: exit(one.exitCode())},
		{Key: "extra", Value: j.Spec.Extra},
		{Key: "failed_node", Value: ""},
		{Key: "flags", Value: append([]string{}, flagWords...)},
		{Key: "group", Value: j.Group},
		{Key: "het", Value: het},
		{Key: "job_id", Value: int64(j.ID)},
		{Key: "name", Value: j.Name},
		{Key: "licenses", Value: j.Spec.Licenses},
		{Key: "mcs", Value: show.Object{{Key: "label", Value: j.Spec.MCSLabel}}},
		{Key: "nodes", Value: show.Or(show.CompressNodes(one.nodes()), "None assigned")},
		{Key: "partition", Value: j.PartitionText()},
		{Key: "hold", Value: j.HeldBy != sched.HeldByNobody},
		{Key: "priority", Value: show.Number(int64(priority(j)))},
		{Key: "qos", Value: j.QOS},
		{Key: "qosreq", Value: j.Spec.QOS},
		{Key: "required", Value: show.Object{
			{Key: "CPUs", Value: max(1, j.Need.CPUs)}, {Key: "memory_per_cpu", Value: memory(j.Need.MemPerCPU)}, {Key: "memory_per_node", Value: memory(j.Need.MemPerNode)}}},
		{Key: "kill_request_user", Value: killed},
		{Key: "restart_cnt", Value: j.Restarts},
		{Key: "reservation", Value: show.Object{{Key: "id", Value: 0}, {Key: "name", Value: j.Spec.Reservation}, {Key: "requested", Value: j.Spec.Reservation}}},
		{Key: "script", Value: ""},
		{Key: "stdin_expanded", Value: j.Stdin()}, {Key: "stdout_expanded", Value: j.Stdout()}, {Key: "stderr_expanded", Value: j.Stderr()},
		{Key: "stdout", Value: j.Spec.Output}, {Key: "stderr", Value: j.Spec.Error}, {Key: "stdin", Value: j.Spec.Input},
		{Key: "state", Value: show.Object{{Key: "current", Value: []string{state}}, {Key: "reason", Value: reason(v, one)}}},
		{Key: "steps", Value: steps},
		{Key: "submit_line", Value: j.SubmitLine},
		{Key: "tres", Value: show.Object{{Key: "allocated", Value: tresData(one.held(v))}, {Key: "requested", Value: tresData(v.Requested(j))}}},
		{Key: "used_gres", Value: ""},
		{Key: "user", Value: j.User},
		{Key: "wckey", Value: show.Object{{Key: "wckey", Value: j.Spec.WCKey}, {Key: "flags", Value: []string{}}}},
		{Key: "working_directory", Value: j.WorkDir},
	}
}
