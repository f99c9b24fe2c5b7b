package rinkrestd

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/cmds/scancel"
	"github.com/runink/rink/cmds/scontrol"
	"github.com/runink/rink/slurm"
)

// word is a field of an object that is changed: the word of scontrol it becomes.
type word struct {
	key  string
	read func(any) (string, error)
}

// asMoment reads a time as scontrol takes it.
func asMoment(v any) (string, error) {
	text, err := readText(v)
	if digits(text) {
		text = "uts" + text
	}
	return text, err
}

// asYes reads a flag as one of two words.
func asYes(yes, no string) func(any) (string, error) {
	return func(v any) (string, error) {
		is, err := readBool(v)
		if is {
			return yes, err
		}
		return no, err
	}
}

// jobWords are what may be changed of a job.
var jobWords = map[string]word{
	"account": {"Account", readText}, "admin_comment": {"AdminComment", readText}, "begin_time": {"StartTime", asMoment}, "burst_buffer": {"BurstBuffer", readText},
	"comment": {"Comment", readText}, "constraints": {"Features", readText}, "contiguous": {"Contiguous", asYes("yes", "no")}, "core_specification": {"CoreSpec", readText},
	"cpus_per_task": {"CPUsPerTask", readText}, "current_working_directory": {"WorkDir", readText}, "deadline": {"Deadline", asMoment}, "delay_boot": {"DelayBoot", readText},
	"dependency": {"Dependency", readText}, "end_time": {"EndTime", asMoment}, "excluded_nodes": {"ExcNodeList", readText}, "licenses": {"Licenses", readText},
	"mail_type": {"MailType", readText}, "mail_user": {"MailUser", readText}, "memory_per_cpu": {"MinMemoryCPU", readText}, "memory_per_node": {"MinMemoryNode", readText},
	"minimum_cpus": {"NumCPUs", readText}, "minimum_cpus_per_node": {"MinCPUsNode", readText}, "minimum_nodes": {"NumNodes", readText}, "name": {"JobName", readText},
	"nice": {"Nice", readText}, "nodes": {"NumNodes", readText}, "oversubscribe": {"OverSubscribe", asYes("yes", "no")}, "partition": {"Partition", readText},
	"prefer": {"Prefer", readText}, "priority": {"Priority", readText}, "qos": {"QOS", readText}, "reboot": {"Reboot", asYes("1", "0")}, "requeue": {"Requeue", asYes("1", "0")},
	"required_nodes": {"ReqNodeList", readText}, "required_switches": {"Switches", readText}, "reservation": {"ReservationName", readText}, "site_factor": {"SiteFactor", readText},
	"standard_error": {"StdErr", readText}, "standard_input": {"StdIn", readText}, "standard_output": {"StdOut", readText}, "system_comment": {"SystemComment", readText},
	"tasks": {"NumTasks", readText}, "tasks_per_node": {"TasksPerNode", readText}, "temporary_disk_per_node": {"MinTmpDiskNode", readText},
	"thread_specification": {"ThreadSpec", readText}, "time_limit": {"TimeLimit", readText}, "time_minimum": {"TimeMin", readText}, "tres_per_job": {"TresPerJob", readText},
	"tres_per_node": {"TresPerNode", readText}, "tres_per_socket": {"TresPerSocket", readText}, "tres_per_task": {"TresPerTask", readText}, "wckey": {"WCKey", readText},
}

// wordsOf makes the words of scontrol that change an object.
func wordsOf(in map[string]any, known map[string]word, ignored ...string) (list []string, notes []problem, err error) {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		w, ok := known[name]
		if key, flattened := strings.CutPrefix(name, "="); flattened {
			w, ok = word{key, readText}, true
		}
		switch {
		case slices.Contains(ignored, name) || in[name] == nil:
			continue
		case !ok:
			notes = append(notes, problem{Description: fmt.Sprintf("Ignoring unknown field %q", name), Source: "#/" + name})
			continue
		}
		text, err := w.read(in[name])
		if err != nil {
			return nil, nil, &badField{"#/" + name, err}
		}
		if object, is := in[name].(map[string]any); is && text == "" && object["set"] == false {
			continue // a number that is not set is not given
		}
		list = append(list, w.key+"="+text)
	}
	return list, notes, nil
}

// unread answers that a field cannot be read.
func (q *request) unread(err error) {
	q.fail(http.StatusBadRequest, problem{Description: err.Error(), Error: "Unable to parse query", Number: errParsing})
}

// jobID is the job of the path, as commands take it.
func (q *request) jobID() (string, bool) {
	id := q.r.PathValue("job_id")
	if refs, err := slurm.ParseJobRefs(id); err != nil || len(refs) != 1 {
		q.failed(slurm.ErrnoInvalidJobID)
		return "", false
	}
	return id, true
}

// updateJob is POST job/{job_id}.
func (q *request) updateJob() {
	id, ok := q.jobID()
	var in map[string]any
	if !ok || !q.body(&in) {
		return
	}
	if inner, ok := in["job"].(map[string]any); ok {
		in = inner
	}
	list, notes, err := wordsOf(in, jobWords, "hold", "job_id", "environment")
	if err != nil {
		q.unread(err)
		return
	}
	if hold, given := in["hold"]; given && hold != nil {
		held, err := readBool(hold)
		if err != nil {
			q.unread(err)
			return
		}
		verb := "release"
		if held {
			verb = "hold"
		}
		if t := q.command(scontrol.Run, "scontrol", verb, id); t.code != 0 {
			q.refused(t)
			return
		}
	}
	if len(list) > 0 {
		if t := q.command(scontrol.Run, "scontrol", append([]string{"update", "JobId=" + id}, list...)...); t.code != 0 {
			q.refused(t)
			return
		}
	}
	n, _ := strconv.Atoi(id)
	q.answer(http.StatusOK, show.Object{{Key: "results", Value: []any{show.Object{
		{Key: "job_id", Value: n}, {Key: "step_id", Value: id}, {Key: "error", Value: "No error"}, {Key: "error_code", Value: 0}, {Key: "why", Value: ""},
	}}}}, notes...)
}

// cancel is DELETE job/{job_id}.
func (q *request) cancel() {
	id, ok := q.jobID()
	if !ok {
		return
	}
	args, err := q.signalArgs(q.query.Get("signal"), strings.Join(q.query["flags"], ","))
	if err != nil {
		q.unread(err)
		return
	}
	t := q.command(scancel.Run, "scancel", append(args, "--verbose", id)...)
	if wrong := t.wrong(); t.code != 0 || wrong != "" {
		q.refused(told{code: 1, err: wrong})
		return
	}
	q.answer(http.StatusOK, nil)
}

// wrong are the lines of what a command said that tell of an error.
func (t told) wrong() string {
	var list []string
	for _, line := range lines(t.err) {
		if strings.Contains(line, "error") {
			list = append(list, line)
		}
	}
	return strings.Join(list, "\n")
}

// signalArgs are scancel's options for a signal and Slurm's flags of what it goes to.
func (q *request) signalArgs(signal, flags string) (args []string, err error) {
	if signal != "" {
		args = append(args, "--signal="+signal)
	}
	for flag := range strings.SplitSeq(strings.ToUpper(flags), ",") {
		switch strings.TrimPrefix(flag, "KILL_") {
		case "", "NO_SIBS", "FED_REQUEUE", "ARRAY_TASK", "VERBOSE": // of federations, and what is so anyway
		case "BATCH_JOB":
			args = append(args, "--batch")
		case "FULL_JOB":
			args = append(args, "--full")
		case "HURRY":
			args = append(args, "--hurry")
		case "CRON", "CRON_JOBS":
			args = append(args, "--cron")
		default:
			return nil, &badField{"flags", fmt.Errorf("%q is not known", flag)}
		}
	}
	return args, nil
}

// cancelMany is DELETE jobs.
func (q *request) cancelMany() {
	var in map[string]any
	if !q.body(&in) {
		return
	}
	args := []string{"--verbose"}
	text := map[string]string{}
	for name, v := range in {
		value, err := readText(v)
		if err != nil {
			q.unread(&badField{"#/" + name, err})
			return
		}
		text[name] = value
	}
	signal, err := q.signalArgs(text["signal"], text["flags"])
	if err != nil {
		q.unread(err)
		return
	}
	args = append(args, signal...)
	picked := false
	for _, f := range []struct{ name, option string }{{"account", "account"}, {"job_name", "name"}, {"nodes", "nodelist"}, {"partition", "partition"}, {"qos", "qos"},
		{"reservation", "reservation"}, {"job_state", "state"}, {"user_name", "user"}, {"user_id", "user"}, {"wckey", "wckey"}} {
		if value := text[f.name]; value != "" {
			args, picked = append(args, "--"+f.option+"="+value), true
		}
	}
	var ids []string
	if list := text["jobs"]; list != "" {
		refs, err := slurm.ParseJobRefs(list)
		if err != nil {
			q.failed(slurm.ErrnoInvalidJobID)
			return
		}
		for _, ref := range refs {
			ids = append(ids, ref.String())
		}
	}
	if !picked && len(ids) == 0 {
		q.fail(http.StatusBadRequest, problem{Description: "nothing says which jobs are meant", Error: "Unable to parse query", Number: errParsing, Source: "#"})
		return
	}
	t := q.command(scancel.Run, "scancel", append(args, ids...)...)
	wrong := map[string]problem{}
	for _, line := range lines(t.err) {
		if p := problemOf(line); p.Number != errUnknown || strings.Contains(line, "error:") {
			for _, id := range ids {
				if strings.Contains(line, id) {
					wrong[id] = p
				}
			}
			if len(ids) == 0 {
				q.refused(t)
				return
			}
		}
	}
	var status []any
	for _, id := range ids {
		p, bad := wrong[id]
		if !bad {
			p = problem{Error: "No error"}
		}
		n, _ := strconv.Atoi(strings.SplitN(id, "_", 2)[0])
		status = append(status, show.Object{
			{Key: "error", Value: show.Object{{Key: "string", Value: p.Error}, {Key: "code", Value: p.Number}, {Key: "message", Value: p.Description}}},
			{Key: "step_id", Value: id}, {Key: "job_id", Value: show.Number(int64(n))}, {Key: "federation", Value: show.Object{{Key: "sibling", Value: ""}}},
		})
	}
	q.answer(http.StatusOK, show.Object{{Key: "status", Value: append([]any{}, status...)}})
}

// allocate is POST job/allocate: an allocation that nobody here would hold.
func (q *request) allocate() {
	q.fail(http.StatusNotImplemented, problem{
		Description: "an allocation ends with the command that holds it, and there is none here: submit a job with a script, or use salloc",
		Error:       slurm.ErrnoNotSupported.Error(), Number: int(slurm.ErrnoNotSupported), Source: "#",
	})
}

// nodeWords are what may be changed of a node. Its state is several words.
var nodeWords = map[string]word{
	"comment": {"Comment", readText}, "cpu_bind": {"CPUBind", readText}, "extra": {"Extra", readText}, "features": {"AvailableFeatures", readText},
	"features_act": {"ActiveFeatures", readText}, "gres": {"Gres", readText}, "address": {"NodeAddr", readText}, "hostname": {"NodeHostName", readText},
	"reason": {"Reason", readText}, "weight": {"Weight", readText}, "resume_after": {"ResumeAfter", readText},
}

// updateNodes is POST node/{node_name}, and POST nodes, where the names are in the document.
func (q *request) updateNodes() {
	var in map[string]any
	if !q.body(&in) {
		return
	}
	name := q.r.PathValue("node_name")
	if name == "" {
		var err error
		if name, err = readText(in["name"]); err != nil || name == "" {
			q.failed(slurm.ErrnoInvalidNodeName)
			return
		}
	}
	list, notes, err := wordsOf(in, nodeWords, "name", "state", "reason_uid")
	if err != nil {
		q.unread(err)
		return
	}
	states, err := readText(in["state"])
	if err != nil {
		q.unread(&badField{"#/state", err})
		return
	}
	for state := range strings.SplitSeq(states, ",") {
		if state != "" {
			list = append(list, "State="+state)
		}
	}
	q.changed(notes, append([]string{"update", "NodeName=" + name}, list...))
}

// changed has scontrol change something, and answers.
func (q *request) changed(notes []problem, args []string) {
	t := q.command(scontrol.Run, "scontrol", args...)
	if t.code != 0 {
		q.refused(t)
		return
	}
	q.answer(http.StatusOK, nil, append(notes, t.notes()...)...)
}

// partitionWords are what may be said of a partition.
var partitionWords = map[string]word{
	"alternate": {"Alternate", readText}, "grace_time": {"GraceTime", readText}, "node_sets": {"Nodes", readText}, "state": {"State", readText},
	"suspend_time": {"SuspendTime", readText}, "select_type": {"SelectTypeParameters", readText},
}

// changePartitions is POST partitions: those that there are are changed, and others made.
func (q *request) changePartitions() {
	var in struct{ Partitions []map[string]any }
	if !q.body(&in) {
		return
	}
	var notes []problem
	for i, p := range in.Partitions {
		where := fmt.Sprintf("#/partitions/[%d]", i)
		name, err := readText(p["name"])
		if err != nil || name == "" {
			q.failed(slurm.ErrnoInvalidPartition)
			return
		}
		plain, err := flat(p, map[string]map[string]string{
			"nodes":    {"configured": "Nodes", "allowed_allocation": "AllocNodes"},
			"accounts": {"allowed": "AllowAccounts", "deny": "DenyAccounts"}, "groups": {"allowed": "AllowGroups"}, "qos": {"allowed": "AllowQos", "deny": "DenyQos", "assigned": "QOS"},
			"maximums": {"nodes": "MaxNodes", "time": "MaxTime", "cpus_per_node": "MaxCPUsPerNode", "cpus_per_socket": "MaxCPUsPerSocket", "over_time_limit": "OverTimeLimit"},
			"minimums": {"nodes": "MinNodes"}, "defaults": {"time": "DefaultTime", "memory_per_cpu": "DefMemPerCPU"},
			"priority": {"job_factor": "PriorityJobFactor", "tier": "PriorityTier"}, "partition": {"state": "State"},
		})
		if err != nil {
			q.unread(&badField{where, err})
			return
		}
		list, more, err := wordsOf(plain, partitionWords, "name", "cluster")
		if err != nil {
			q.unread(&badField{where, err})
			return
		}
		notes = append(notes, more...)
		verb := "create"
		if t := q.command(scontrol.Run, "scontrol", "show", "partition", name); t.code == 0 {
			verb = "update"
		}
		if t := q.command(scontrol.Run, "scontrol", append([]string{verb, "PartitionName=" + name}, list...)...); t.code != 0 {
			q.refused(t)
			return
		}
	}
	q.answer(http.StatusOK, nil, notes...)
}

// flat takes what lies in an object's objects out of them, under scontrol's words.
func flat(in map[string]any, inner map[string]map[string]string) (map[string]any, error) {
	out := map[string]any{}
	for name, v := range in {
		object, is := v.(map[string]any)
		names := inner[name]
		if !is || names == nil {
			out[name] = v
			continue
		}
		for key, one := range object {
			to := names[key]
			if to == "" {
				out[name+"/"+key] = one
				continue
			}
			text, err := readText(one)
			if err != nil {
				return nil, &badField{name + "/" + key, err}
			}
			if text != "" {
				out["="+to] = text
			}
		}
	}
	return out, nil
}

// resvWords are what may be said of a reservation.
var resvWords = map[string]word{
	"accounts": {"Accounts", readText}, "burst_buffer": {"BurstBuffer", readText}, "comment": {"Comment", readText}, "core_count": {"CoreCnt", readText},
	"duration": {"Duration", readText}, "end_time": {"EndTime", asMoment}, "features": {"Features", readText}, "flags": {"Flags", readText}, "groups": {"Groups", readText},
	"licenses": {"Licenses", readText}, "max_start_delay": {"MaxStartDelay", readText}, "node_count": {"NodeCnt", readText}, "node_list": {"Nodes", readText},
	"partition": {"PartitionName", readText}, "start_time": {"StartTime", asMoment}, "tres": {"TRES", readText}, "users": {"Users", readText},
	"allowed_partition": {"AllowedPartition", readText}, "qos": {"QOS", readText},
}

// changeReservation is POST reservation.
func (q *request) changeReservation() {
	var in map[string]any
	if q.body(&in) {
		q.reservations([]map[string]any{in})
	}
}

// changeReservations is POST reservations.
func (q *request) changeReservations() {
	var in struct{ Reservations []map[string]any }
	if q.body(&in) {
		q.reservations(in.Reservations)
	}
}

// reservations makes reservations, and changes those that there are.
func (q *request) reservations(list []map[string]any) {
	var notes []problem
	var made []any
	for i, r := range list {
		words, more, err := wordsOf(r, resvWords, "name")
		if err != nil {
			q.unread(&badField{fmt.Sprintf("#/reservations/[%d]", i), err})
			return
		}
		notes = append(notes, more...)
		name, err := readText(r["name"])
		if err != nil {
			q.unread(err)
			return
		}
		verb := "create"
		if name != "" {
			words = append([]string{"ReservationName=" + name}, words...)
			if t := q.command(scontrol.Run, "scontrol", "show", "reservation", name); t.code == 0 {
				verb = "update"
			}
		}
		if verb == "create" && len(words) > 0 && name == "" {
			words = append([]string{"reservation"}, words...)
		}
		t := q.command(scontrol.Run, "scontrol", append([]string{verb}, words...)...)
		if t.code != 0 {
			q.refused(t)
			return
		}
		if _, told, ok := strings.Cut(strings.TrimSpace(t.out), ": "); ok && name == "" {
			r["name"] = told
		}
		made = append(made, r)
	}
	q.answer(http.StatusOK, show.Object{{Key: "reservations", Value: append([]any{}, made...)}}, notes...)
}
