package show

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/runink/rink/cmds/internal/cli"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Object is a JSON object that keeps the order of its keys.
type Object []Member

// Member is one key of an Object.
type Member struct {
	Key   string
	Value any
}

// MarshalJSON writes the object with its keys in order.
func (o Object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, m.Key)
		b = append(b, ':')
		value, err := json.Marshal(m.Value)
		if err != nil {
			return nil, err
		}
		b = append(b, value...)
	}
	return append(b, '}'), nil
}

// Data prints nouns, most often a list of them, under their name, with what Slurm's tools put around
// it, as "json" or "yaml".
func (v *View) Data(env *cli.Env, encoding, name string, list any) error {
	release := strings.SplitN(cli.SurfaceVersion, ".", 3)
	meta := Object{
		{"plugin", Object{{"type", ""}, {"name", ""}, {"data_parser", "data_parser/v0.0.45"}, {"accounting_storage", ""}}},
		{"client", Object{{"source", ""}, {"user", ""}, {"group", ""}}},
		{"command", append([]string{env.Name}, env.Args...)},
		{"slurm", Object{
			{"version", Object{{"major", release[0]}, {"micro", release[2]}, {"minor", release[1]}}},
			{"release", cli.SurfaceVersion}, {"cluster", v.Cluster},
		}},
	}
	doc := Object{{name, list}, {"last_update", Number(v.Now.Unix())}, {"meta", meta}, {"errors", []any{}}, {"warnings", []any{}}}
	if encoding == "yaml" {
		return writeYAML(env.Stdout, doc)
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write %s as JSON: %w", name, err)
	}
	_, err = env.Stdout.Write(append(out, '\n'))
	return err
}

// Number is a number in the form that says whether there is one.
func Number(n int64) Object {
	return Object{{"set", true}, {"infinite", false}, {"number", n}}
}

// NoNumber is the form of a number that is not there.
func NoNumber() Object { return Object{{"set", false}, {"infinite", false}, {"number", 0}} }

// Stamp is a moment in seconds since 1970; none is 0.
func Stamp(t time.Time) Object {
	if t.IsZero() {
		return Number(0)
	}
	return Number(t.Unix())
}

// Minutes is a time limit.
func Minutes(d slurm.Duration) Object {
	switch {
	case d == slurm.Unlimited:
		return Object{{"set", false}, {"infinite", true}, {"number", 0}}
	case d <= 0:
		return NoNumber()
	}
	return Number(d.Minutes())
}

func numberIf(n int64) Object {
	if n == 0 {
		return NoNumber()
	}
	return Number(n)
}

// ExitData is an exit code in words.
func ExitData(c sched.ExitCode) Object {
	status := []string{"SUCCESS"}
	signal := Object{{"id", NoNumber()}, {"name", ""}}
	switch {
	case c.Signal != 0:
		status = []string{"SIGNALED"}
		signal = Object{{"id", Number(int64(c.Signal))}, {"name", signalName(int(c.Signal))}}
	case c.Code != 0:
		status = []string{"ERROR"}
	}
	return Object{{"status", status}, {"return_code", Number(int64(c.Code))}, {"signal", signal}}
}

// signalName is the short name of a signal, "" for one that has none.
func signalName(n int) string {
	names := []string{1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL", 10: "USR1", 11: "SEGV",
		12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 17: "CHLD", 18: "CONT", 19: "STOP", 20: "TSTP", 24: "XCPU", 25: "XFSZ"}
	if n < 0 || n >= len(names) {
		return ""
	}
	return names[n]
}

// JobData is everything known of a job.
func (v *View) JobData(j *Job) Object {
	mem := NoNumber()
	memCPU := NoNumber()
	switch {
	case j.Need.MemPerCPU > 0:
		memCPU = Number(int64(j.Need.MemPerCPU))
	case j.Need.MemPerNode > 0 || j.Need.MemAllOfNode:
		mem = Number(int64(j.Need.MemPerNode))
	}
	task, tasks := NoNumber(), ""
	switch {
	case j.IsTask():
		task = Number(int64(j.Task))
	case j.IsRest():
		tasks = v.ArrayTask(j)
	}
	reserved := j.ReservationName()
	reason := "None"
	if text := j.ReasonText(); text != "" {
		reason = text
	}
	return Object{
		{"account", j.Account},
		{"accrue_time", Stamp(j.Eligible)},
		{"admin_comment", j.AdminComment},
		{"allocating_node", j.SubmitHost},
		{"array_job_id", numberIf(int64(j.ArrayID))},
		{"array_task_id", task},
		{"array_max_tasks", Number(int64(j.Throttle))},
		{"array_task_string", tasks},
		{"batch_features", j.Spec.BatchFeatures},
		{"batch_flag", j.Batch},
		{"batch_host", j.BatchHost()},
		{"cluster", v.Cluster},
		{"cluster_features", j.Spec.ClusterConstraint},
		{"command", j.Command()},
		{"comment", j.Spec.Comment},
		{"container", j.Spec.Container},
		{"contiguous", j.Need.Contiguous},
		{"cpus_per_task", Number(int64(max(1, j.Need.CPUsPerTask)))},
		{"cpus", Number(int64(j.CPUs()))},
		{"current_working_directory", j.WorkDir},
		{"deadline", Stamp(j.Spec.Deadline)},
		{"dependency", strings.TrimPrefix(j.Dependency(), Null)},
		{"derived_exit_code", ExitData(j.DerivedExit)},
		{"eligible_time", Stamp(j.Eligible)},
		{"end_time", Stamp(j.EndAt(v.Now))},
		{"excluded_nodes", CompressNodes(j.Need.Exclude)},
		{"exit_code", ExitData(j.ExitCode)},
		{"extra", j.Spec.Extra},
		{"features", j.Spec.Constraint},
		{"group_id", j.GID},
		{"group_name", j.Group},
		{"het_job_id", numberIf(int64(j.HetID))},
		{"het_job_offset", Number(int64(j.HetOffset))},
		{"hold", j.HeldBy != sched.HeldByNobody},
		{"job_id", j.ID},
		{"job_state", j.State.Names()},
		{"last_sched_evaluation", Stamp(j.LastSched)},
		{"licenses", j.Spec.Licenses},
		{"mail_type", append([]string{}, j.Spec.MailTypes...)},
		{"mail_user", Or(j.Spec.MailUser, j.User)},
		{"max_nodes", Number(int64(j.Spec.MaxNodes))},
		{"memory_per_cpu", memCPU},
		{"memory_per_node", mem},
		{"minimum_cpus_per_node", Number(int64(j.MinCPUs()))},
		{"minimum_tmp_disk_per_node", Number(int64(j.Need.TmpDisk))},
		{"name", j.Name},
		{"network", j.Spec.Network},
		{"nice", j.Nice},
		{"node_count", Number(int64(j.NodeCount()))},
		{"nodes", j.NodeText()},
		{"partition", j.PartitionText()},
		{"pre_sus_time", Stamp(time.Time{})},
		{"prefer", j.Spec.Prefer},
		{"priority", Number(int64(j.Priority))},
		{"qos", j.QOS},
		{"reboot", j.Spec.Reboot},
		{"required_nodes", CompressNodes(j.Need.NodeList)},
		{"requeue", j.Requeue},
		{"restart_cnt", j.Restarts},
		{"resv_name", reserved},
		{"run", j.Run},
		{"scheduled_nodes", CompressNodes(j.ExpectedNodes)},
		{"shared", []string{j.Sharing()}},
		{"stage", j.Stage},
		{"standard_error", j.Stderr()},
		{"standard_input", j.Stdin()},
		{"standard_output", j.Stdout()},
		{"start_time", Stamp(j.StartAt(v.Now))},
		{"state_description", j.Job.ReasonText},
		{"state_reason", reason},
		{"submit_line", j.SubmitLine},
		{"submit_time", Stamp(j.Submit)},
		{"suspend_time", Stamp(j.Suspended)},
		{"system_comment", j.SystemComment},
		{"tasks", Number(int64(j.TaskCount()))},
		{"tasks_per_node", numberIf(int64(j.Spec.NTasksPerNode))},
		{"time_limit", Minutes(j.TimeLimit)},
		{"time_minimum", Minutes(j.TimeMin)},
		{"tres_alloc_str", v.TRESText(v.Allocated(j))},
		{"tres_req_str", v.TRESText(v.Requested(j))},
		{"tres_per_job", j.GresPerJob()},
		{"tres_per_node", j.GresPerNode()},
		{"tres_per_socket", j.GresPerSocket()},
		{"tres_per_task", j.GresPerTask()},
		{"user_id", j.UID},
		{"user_name", j.User},
		{"wckey", j.Spec.WCKey},
		{"job_resources", v.allocData(j)},
		{"steps", stepData(j)},
	}
}

func (v *View) allocData(j *Job) Object {
	nodes := make([]any, len(j.Alloc))
	for i, a := range j.Alloc {
		gres := make([]string, len(a.Gres))
		for k, g := range a.Gres {
			gres[k] = GresText([]sched.GresAlloc{g})
		}
		nodes[i] = Object{{"name", string(a.Node)}, {"cpus", a.CPUs}, {"memory", int64(a.Mem)}, {"tasks", a.Tasks}, {"gres", gres}}
	}
	return Object{{"nodes", CompressNodes(j.Nodes())}, {"allocated_nodes", nodes}}
}

func stepData(j *Job) []any {
	out := []any{}
	for _, s := range Steps(j) {
		out = append(out, Object{{"id", j.ID.String() + "." + s.ID.String()}, {"name", s.Name}, {"nodes", s.NodeText()}, {"tasks", s.Tasks},
			{"cpus", s.CPUs()}, {"start_time", Stamp(s.Start)}, {"state", s.State.Names()}})
	}
	return out
}

// GresText prints what is held of generic resources on a node, with the indexes
// of the devices: gpu:a100:2(IDX:0-1).
func GresText(list []sched.GresAlloc) string {
	parts := make([]string, len(list))
	for i, g := range list {
		n := slurm.NodeGres{GresItem: slurm.GresItem{Name: g.Name, Type: g.Type, Count: g.Count}}
		if len(g.Index) > 0 {
			n.Indexed = true
			indexes := make([]uint32, len(g.Index))
			for k, at := range g.Index {
				indexes[k] = uint32(at)
			}
			slices.Sort(indexes)
			n.Index = slurm.NewIndexSet(indexes...)
		}
		parts[i] = n.String()
	}
	return strings.Join(parts, ",")
}

// writeYAML prints a document made of Objects, lists and plain values.
func writeYAML(w io.Writer, doc Object) error {
	plain, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("cannot write YAML: %w", err)
	}
	d := json.NewDecoder(strings.NewReader(string(plain)))
	d.UseNumber()
	var b strings.Builder
	b.WriteString("---\n")
	if err := yamlValue(&b, d, "", false); err != nil {
		return fmt.Errorf("cannot write YAML: %w", err)
	}
	b.WriteString("...\n")
	_, err = io.WriteString(w, b.String())
	return err
}

// yamlValue copies the next value of a JSON text as YAML in block style. inline
// says that something stands before it on the line.
func yamlValue(b *strings.Builder, d *json.Decoder, indent string, inline bool) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	space := ""
	if inline {
		space = " "
	}
	switch t := token.(type) {
	case json.Delim:
		if !d.More() {
			b.WriteString(space + string(t) + string(t+2) + "\n")
			_, err := d.Token()
			return err
		}
		if inline {
			b.WriteByte('\n')
		}
		for d.More() {
			b.WriteString(indent)
			if t == '[' {
				b.WriteByte('-')
			} else {
				key, err := d.Token()
				if err != nil {
					return err
				}
				fmt.Fprintf(b, "%s:", key)
			}
			if err := yamlValue(b, d, indent+"  ", true); err != nil {
				return err
			}
		}
		_, err := d.Token()
		return err
	case string:
		b.WriteString(space + strconv.Quote(t) + "\n")
	case nil:
		b.WriteString(space + "null\n")
	default:
		fmt.Fprintf(b, "%s%v\n", space, t)
	}
	return nil
}
