package rinkrestd

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/cmds/sbatch"
	"github.com/runink/rink/slurm"
)

// field is a field of a job's description: how it becomes options of sbatch.
type field func(v any, job map[string]any) ([]string, error)

// option is a field that is a text, or anything that reads as one.
func option(name string) field {
	return func(v any, _ map[string]any) ([]string, error) {
		text, err := readText(v)
		if err != nil || text == "" {
			return nil, err
		}
		return []string{"--" + name + "=" + text}, nil
	}
}

// count is a field that is a number; one that is not set is none.
func count(name string) field { return measured(name, "") }

// measured is a number with a unit. Where a unit stands behind it already that holds.
func measured(name, unit string) field {
	return func(v any, _ map[string]any) ([]string, error) {
		if text, ok := v.(string); ok && unit != "" && strings.Trim(text, "0123456789") != "" {
			return []string{"--" + name + "=" + text}, nil
		}
		n, err := readNumber(v)
		switch {
		case err != nil || !n.set:
			return nil, err
		case n.infinite:
			return []string{"--" + name + "=UNLIMITED"}, nil
		}
		return []string{"--" + name + "=" + strconv.FormatInt(n.n, 10) + unit}, nil
	}
}

// moment is a time in seconds since the epoch, or in words; 0: none.
func moment(name string) field {
	return func(v any, _ map[string]any) ([]string, error) {
		text, err := readText(v)
		switch {
		case err != nil || text == "" || text == "0":
			return nil, err
		case digits(text):
			text = "uts" + text
		}
		return []string{"--" + name + "=" + text}, nil
	}
}

// flag is a field that is true or not; no is the option for what it is not.
func flag(yes, no string) field {
	return func(v any, _ map[string]any) ([]string, error) {
		is, err := readBool(v)
		switch {
		case err != nil:
			return nil, err
		case is && yes != "":
			return []string{"--" + yes}, nil
		case !is && no != "" && v != nil:
			return []string{"--" + no}, nil
		}
		return nil, nil
	}
}

// perGPU is a text of "gres/gpu:N", of which the number counts.
func perGPU(name, unit string) field {
	return func(v any, job map[string]any) ([]string, error) {
		text, err := readText(v)
		if err != nil || text == "" {
			return nil, err
		}
		_, n, ok := strings.Cut(strings.TrimPrefix(text, "gres"), "gpu")
		if n = strings.TrimLeft(n, ":="); !ok || !digits(n) {
			return nil, fmt.Errorf("%q is not gres/gpu:N", text)
		}
		return []string{"--" + name + "=" + n + unit}, nil
	}
}

// devices is a text of TRES, "gres/gpu:tesla:2", as an option takes it, without the kind.
func devices(name string) field {
	return func(v any, _ map[string]any) ([]string, error) {
		text, err := readText(v)
		if err != nil || text == "" {
			return nil, err
		}
		words := strings.Split(text, ",")
		for i, w := range words {
			w = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(w), "gres/"), "gres:")
			if name == "gpus" || strings.HasPrefix(name, "gpus-") {
				w = strings.TrimLeft(strings.TrimPrefix(w, "gpu"), ":=")
			}
			words[i] = w
		}
		return []string{"--" + name + "=" + strings.Join(words, ",")}, nil
	}
}

// shared is what is said of sharing nodes: "none", "oversubscribe", "user", "mcs", "topo".
func shared(v any, _ map[string]any) ([]string, error) {
	if is, ok := v.(bool); ok {
		v = strconv.FormatBool(is)
	}
	text, err := readText(v)
	if err != nil {
		return nil, err
	}
	switch word := strings.ToLower(text); word {
	case "", "false":
		return nil, nil
	case "true", "none":
		return []string{"--exclusive"}, nil
	case "oversubscribe", "yes":
		return []string{"--oversubscribe"}, nil
	default:
		return []string{"--exclusive=" + word}, nil
	}
}

// elsewhere is a field that another one takes along, or that is no option.
func elsewhere(any, map[string]any) ([]string, error) { return nil, nil }

// without is a field that this cluster has nothing for.
var without = map[string]string{
	"spank_environment": "there are no SPANK plugins", "spank_environment_size": "there are no SPANK plugins", "power_flags": "power is not capped",
	"site_factor": "there is no site factor", "memory_binding": "sbatch does not bind, srun does", "memory_binding_type": "sbatch does not bind, srun does",
	"cpu_binding": "sbatch does not bind, srun does", "cpu_binding_flags": "sbatch does not bind, srun does",
	"allocation_node_list": "the job comes from this host", "allocation_node_port": "nobody waits for the allocation", "resv_mpi_ports": "ports are not reserved",
	"reserve_ports": "ports are not reserved", "x11": "nobody has a display", "x11_magic_cookie": "nobody has a display", "x11_target_host": "nobody has a display",
	"x11_target_port": "nobody has a display", "rlimits": "limits are those of this daemon", "immediate": "batch jobs wait", "maximum_cpus": "jobs are not grown",
	"hetjob_group": "components are told apart by their order", "job_id": "ids are the controller's to give", "container_id": "containers are named by bundle",
	"cluster_features": "there is one cluster", "oom_kill_step": "steps are killed one by one", "fed_siblings_active": "there is no federation", "flags": "none is known",
	"tasks_per_board": "boards are not counted", "minimum_boards_per_node": "boards are not counted", "minimum_sockets_per_board": "boards are not counted",
	"required_spread": "leaves are chosen by --switches", "admin_comment": "it is set by updating the job",
}

// fields are the fields of a job's description.
var fields = map[string]field{
	"account": option("account"), "account_gather_frequency": option("acctg-freq"), "account_gather_freq": option("acctg-freq"), "array": option("array"),
	"batch_features": option("batch"), "begin_time": moment("begin"), "burst_buffer": option("bb"), "clusters": option("clusters"), "cluster_constraint": option("cluster-constraint"),
	"comment": option("comment"), "constraints": option("constraint"), "contiguous": flag("contiguous", ""), "container": option("container"),
	"core_specification": count("core-spec"), "thread_specification": count("thread-spec"), "cores_per_socket": count("cores-per-socket"),
	"cpu_frequency": option("cpu-freq"), "cpus_per_task": count("cpus-per-task"), "cpus_per_tres": perGPU("cpus-per-gpu", ""), "crontab": refusedField("a job of a crontab is made by scrontab"),
	"current_working_directory": option("chdir"), "deadline": moment("deadline"), "delay_boot": count("delay-boot"), "dependency": option("dependency"), "distribution": option("distribution"),
	"distribution_plane_size": plane, "end_time": moment("deadline"), "environment": elsewhere, "argv": elsewhere, "script": elsewhere,
	"excluded_nodes": option("exclude"), "exclusive": shared, "extra": option("extra"), "group_id": elsewhere, "user_id": elsewhere, "hold": flag("hold", ""),
	"kill_on_node_fail": flag("", "no-kill"), "kill_warning_delay": elsewhere, "kill_warning_flags": elsewhere, "kill_warning_signal": warning,
	"licenses": option("licenses"), "mail_type": option("mail-type"), "mail_user": option("mail-user"), "maximum_nodes": elsewhere, "mcs_label": option("mcs-label"),
	"memory_per_cpu": measured("mem-per-cpu", "M"), "memory_per_node": measured("mem", "M"), "memory_per_tres": perGPU("mem-per-gpu", "M"),
	"minimum_cpus": minimumCPUs, "minimum_cpus_per_node": count("mincpus"), "minimum_nodes": nodeRange, "nodes": option("nodes"), "name": option("job-name"),
	"network": option("network"), "nice": count("nice"), "ntasks_per_tres": count("ntasks-per-gpu"), "open_mode": openMode, "overcommit": flag("overcommit", ""),
	"oversubscribe": flag("oversubscribe", ""), "partition": option("partition"), "prefer": option("prefer"), "priority": count("priority"), "profile": option("profile"),
	"qos": option("qos"), "reboot": flag("reboot", ""), "required_nodes": option("nodelist"), "required_switches": switches, "wait_for_switch": elsewhere,
	"requeue": flag("requeue", "no-requeue"), "reservation": option("reservation"), "segment_size": count("segment"), "selinux_context": option("context"), "shared": shared,
	"sockets_per_node": count("sockets-per-node"), "standard_error": option("error"), "standard_input": option("input"), "standard_output": option("output"),
	"tasks": count("ntasks"), "tasks_per_core": count("ntasks-per-core"), "tasks_per_node": count("ntasks-per-node"), "tasks_per_socket": count("ntasks-per-socket"),
	"temporary_disk_per_node": measured("tmp", "M"), "threads_per_core": count("threads-per-core"), "time_limit": count("time"), "time_minimum": count("time-min"),
	"tres_bind": option("tres-bind"), "tres_freq": option("gpu-freq"), "tres_per_job": devices("gpus"), "tres_per_node": devices("gres"),
	"tres_per_socket": devices("gpus-per-socket"), "tres_per_task": option("tres-per-task"), "wait_all_nodes": flag("wait-all-nodes=1", ""), "wckey": option("wckey"),
}

func refusedField(why string) field {
	return func(v any, _ map[string]any) ([]string, error) {
		if v == nil {
			return nil, nil
		}
		return nil, errors.New(why)
	}
}

func plane(v any, _ map[string]any) ([]string, error) {
	n, err := readNumber(v)
	if err != nil || !n.set || n.n == 0 {
		return nil, err
	}
	return []string{fmt.Sprintf("--distribution=plane=%d", n.n)}, nil
}

// warning is the signal before the end, with when and to whom it is sent.
func warning(v any, job map[string]any) ([]string, error) {
	sig, err := readText(v)
	if err != nil || sig == "" || sig == "0" {
		return nil, err
	}
	to, err := readText(job["kill_warning_flags"])
	if err != nil {
		return nil, err
	}
	prefix := ""
	for word := range strings.SplitSeq(strings.ToUpper(to), ",") {
		switch strings.TrimPrefix(word, "KILL_") {
		case "":
		case "BATCH_JOB":
			prefix += "B"
		case "RESERVATION_OVERLAP":
			prefix += "R"
		default:
			return nil, fmt.Errorf("kill_warning_flags: %q is not known", word)
		}
	}
	if prefix != "" {
		prefix += ":"
	}
	delay, err := readNumber(job["kill_warning_delay"])
	if err != nil {
		return nil, err
	}
	text := "--signal=" + prefix + sig
	if delay.set {
		text += fmt.Sprintf("@%d", delay.n)
	}
	return []string{text}, nil
}

// minimumCPUs is how many CPUs the job is to have in all; tasks, where they are given,
// say it better.
func minimumCPUs(v any, job map[string]any) ([]string, error) {
	n, err := readNumber(v)
	tasks, _ := readNumber(job["tasks"])
	if err != nil || !n.set || n.n == 0 || tasks.set && tasks.n > 0 {
		return nil, err
	}
	per, _ := readNumber(job["cpus_per_task"])
	return []string{fmt.Sprintf("--ntasks=%d", max(1, n.n/max(1, per.n)))}, nil
}

// nodeRange is minimum_nodes and maximum_nodes, where nodes does not say both.
func nodeRange(v any, job map[string]any) ([]string, error) {
	low, err := readNumber(v)
	if err != nil {
		return nil, err
	}
	high, err := readNumber(job["maximum_nodes"])
	if text, _ := readText(job["nodes"]); err != nil || text != "" || !low.set || low.n == 0 {
		return nil, err
	}
	if high.set && high.n > 0 {
		return []string{fmt.Sprintf("--nodes=%d-%d", low.n, high.n)}, nil
	}
	return []string{fmt.Sprintf("--nodes=%d", low.n)}, nil
}

func openMode(v any, _ map[string]any) ([]string, error) {
	text, err := readText(v)
	if err != nil || text == "" {
		return nil, err
	}
	return []string{"--open-mode=" + strings.ToLower(text)}, nil
}

func switches(v any, job map[string]any) ([]string, error) {
	n, err := readNumber(v)
	if err != nil || !n.set || n.n == 0 {
		return nil, err
	}
	wait, err := readNumber(job["wait_for_switch"])
	if err != nil || !wait.set {
		return []string{fmt.Sprintf("--switches=%d", n.n)}, err
	}
	return []string{fmt.Sprintf("--switches=%d@0:%d", n.n, wait.n)}, nil
}

// submission is a request to submit.
type submission struct {
	Script string           `json:"script"`
	Job    map[string]any   `json:"job"`
	Jobs   []map[string]any `json:"jobs"`
}

// badField is a field that cannot be read.
type badField struct {
	where string
	err   error
}

func (b *badField) Error() string { return b.where + ": " + b.err.Error() }
func (b *badField) Unwrap() error { return b.err }

// optionsOf reads one job's description.
func optionsOf(job map[string]any, where string) (opts []string, notes []problem, err error) {
	for _, name := range slices.Sorted(maps.Keys(job)) {
		v := job[name]
		read, known := fields[name]
		switch why := without[name]; {
		case known:
			list, err := read(v, job)
			if err != nil {
				return nil, nil, &badField{where + "/" + name, err}
			}
			opts = append(opts, list...)
		case why != "":
			notes = append(notes, problem{Description: fmt.Sprintf("%s has no effect here: %s", name, why), Source: where + "/" + name})
		default:
			notes = append(notes, problem{Description: fmt.Sprintf("Ignoring unknown field %q in %s", name, where), Source: where + "/" + name})
		}
	}
	return opts, notes, nil
}

// environment reads a job's environment: a list of NAME=value, or an object.
func environment(v any) ([]string, error) {
	var list []string
	switch v := v.(type) {
	case nil:
	case string:
		list = strings.Split(v, ",")
	case []any:
		for _, one := range v {
			text, ok := one.(string)
			if !ok {
				return nil, errors.New("it is not a list of texts")
			}
			list = append(list, text)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			text, err := readText(v[name])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			list = append(list, name+"="+text)
		}
	default:
		return nil, fmt.Errorf("a %s is not a list of variables", kindOf(v))
	}
	for _, kv := range list {
		if name, _, ok := strings.Cut(kv, "="); !ok || name == "" || strings.ContainsRune(kv, 0) {
			return nil, fmt.Errorf("%q is not NAME=value", kv)
		}
	}
	return list, nil
}

// component adds one job, the only one or a component of a heterogeneous one, to a
// submission.
func component(text *sbatch.Text, job map[string]any, opts []string, where string) error {
	vars, err := environment(job["environment"])
	if err != nil {
		return &badField{where + "/environment", err}
	}
	if len(vars) == 0 {
		return slurm.ErrnoEnvironmentMissing
	}
	first := len(text.Vars) == 0
	if script, ok := job["script"].(string); ok && first && script != "" {
		text.Script = []byte(script)
	}
	if argv, ok := job["argv"].([]any); ok && first {
		for _, one := range argv {
			word, err := readText(one)
			if err != nil {
				return &badField{where + "/argv", err}
			}
			text.Args = append(text.Args, word)
		}
	}
	if !first {
		text.Options = append(text.Options, ":")
	}
	text.Options, text.Vars = append(text.Options, opts...), append(text.Vars, vars)
	return nil
}

// submit is POST job/submit.
func (q *request) submit() {
	var in submission
	if !q.body(&in) {
		return
	}
	jobs, where := in.Jobs, "#/jobs/[%d]"
	if len(jobs) == 0 && in.Job != nil {
		jobs, where = []map[string]any{in.Job}, "#/job"
	}
	if len(jobs) == 0 {
		q.fail(http.StatusBadRequest, problem{Description: "the request has neither job nor jobs", Error: "Unable to parse query", Number: errParsing, Source: "#"})
		return
	}
	text := sbatch.Text{Script: []byte(in.Script)}
	var notes []problem
	for i, job := range jobs {
		at := where
		if strings.Contains(at, "%d") {
			at = fmt.Sprintf(at, i)
		}
		opts, more, err := optionsOf(job, at)
		notes = append(notes, more...)
		if err == nil {
			err = component(&text, job, opts, at)
		}
		var bad *badField
		if errors.As(err, &bad) {
			q.fail(http.StatusBadRequest, problem{Description: err.Error(), Error: "Unable to parse query", Number: errParsing, Source: bad.where})
			return
		}
		if err != nil {
			q.failed(err)
			return
		}
	}
	if len(text.Script) == 0 {
		q.failed(slurm.ErrnoJobScriptMissing)
		return
	}
	if !bytes.HasPrefix(text.Script, []byte("#!")) {
		q.fail(http.StatusBadRequest, problem{Description: "This does not look like a batch script. The first line must start with #! followed by the path to an interpreter.",
			Error: slurm.ErrnoJobScriptMissing.Error(), Number: int(slurm.ErrnoJobScriptMissing), Source: "script"})
		return
	}
	env := q.env("sbatch", text.Options...)
	id, messages, err := sbatch.SubmitText(env, text)
	if err != nil {
		q.failed(err)
		return
	}
	said := strings.Join(messages, "\n")
	doc := show.Object{{Key: "job_id", Value: id}, {Key: "step_id", Value: "batch"}, {Key: "job_submit_user_msg", Value: said}}
	if slices.Index(show.Parsers(), q.version) <= 0 { // v0.0.40 says it twice
		doc = append(show.Object{{Key: "result", Value: show.Object{{Key: "job_id", Value: id}, {Key: "step_id", Value: "batch"}, {Key: "error_code", Value: 0},
			{Key: "error", Value: ""}, {Key: "job_submit_user_msg", Value: said}}}}, doc...)
	}
	q.answer(http.StatusOK, doc, notes...)
}
