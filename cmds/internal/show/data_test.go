package show_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runink/rink/api"
	"github.com/runink/rink/cmds/internal/show"
	"github.com/runink/rink/cmds/internal/show/showtest"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// What programs find in the records of the data parser, by the form that they read: s text, b yes or no, i a number, n one that says whether it
// is there, f one with a fraction, l a list, o an object.
var members = map[string]string{
	"job": `s account admin_comment allocating_node array_task_string batch_features batch_host burst_buffer burst_buffer_state cluster
		cluster_features command comment container container_id cpus_per_tres cron current_working_directory dependency excluded_nodes extra
		failed_node features federation_origin federation_siblings_active federation_siblings_viable group_name het_job_id_set licenses
		licenses_allocated mail_user mcs_label memory_per_tres name network nodes partition prefer qos required_nodes resv_name scheduled_nodes
		selinux_context standard_error standard_input standard_output state_description state_reason stderr_expanded stdin_expanded stdout_expanded
		submit_line system_comment tres_alloc_str tres_bind tres_freq tres_per_job tres_per_node tres_per_socket tres_per_task tres_req_str user_name wckey
		b batch_flag contiguous hold reboot requeue
		i association_id core_spec group_id job_id maximum_switch_wait_time nice required_switches restart_cnt segment_size sockets_per_board thread_spec user_id
		n accrue_time array_job_id array_max_tasks array_task_id cores_per_socket cpu_frequency_governor cpu_frequency_maximum cpu_frequency_minimum cpus
		cpus_per_task deadline delay_boot eligible_time end_time het_job_id het_job_offset last_sched_evaluation max_cpus max_nodes memory_per_cpu memory_per_node
		minimum_cpus_per_node minimum_tmp_disk_per_node node_count pre_sus_time preempt_time preemptable_time priority resize_time sockets_per_node start_time
		submit_time suspend_time tasks tasks_per_board tasks_per_core tasks_per_node tasks_per_socket tasks_per_tres threads_per_core time_limit time_minimum
		n billable_tres
		l flags gres_detail job_size_str job_state mail_type priority_by_partition profile shared
		o derived_exit_code exit_code job_resources`,
	"exit_code":     "n return_code l status o signal",
	"job_resources": "l select_type o nodes i cpus n threads_per_core",
	"nodes":         "i count l select_type s list b whole l allocation",
	"allocation":    "i index s name o cpus memory l sockets",
	"sockets":       "i index l cores",
	"cores":         "i index l status",
	"node": `s address architecture burstbuffer_network_address cluster_name comment extra gpu_spec gres gres_drained gres_used hostname instance_id
		instance_type mcs_label name operating_system owner reason reason_set_by_user reservation specialized_cpus topology tres tres_used version
		i alloc_cpus alloc_idle_cpus alloc_memory boards cores cpu_binding cpu_load cpus effective_cpus port real_memory res_cores_per_gpu sockets
		specialized_cores specialized_memory temporary_disk threads weight
		n boot_time free_mem last_busy reason_changed_at resume_after slurmd_start_time suspend_time tls_cert_last_renewal
		l active_features cert_flags features next_state_after_reboot partitions state o energy`,
	"partition": `s alternate cluster name node_sets topology i grace_time l flags preempt_mode select_type n suspend_time
		o accounts cpus defaults groups maximums minimums nodes partition priority qos timeouts tres`,
}

// missing lists what of an object's members is not there or has another form.
func missing(kind string, object map[string]any) (out []string) {
	form := ""
	for _, word := range strings.Fields(members[kind]) {
		if len(word) == 1 {
			form = word
			continue
		}
		value, there := object[word]
		var ok bool
		switch form {
		case "s":
			_, ok = value.(string)
		case "b":
			_, ok = value.(bool)
		case "i":
			_, ok = value.(float64)
		case "l":
			_, ok = value.([]any)
		case "o":
			_, ok = value.(map[string]any)
		case "n":
			m, _ := value.(map[string]any)
			_, set := m["set"].(bool)
			_, infinite := m["infinite"].(bool)
			_, number := m["number"].(float64)
			ok = set && infinite && number
		}
		if !there || !ok {
			out = append(out, fmt.Sprintf("%s.%s is %v, want form %s", kind, word, value, form))
			continue
		}
		if _, known := members[word]; !known || kind == "partition" || form != "l" && form != "o" {
			continue
		}
		if list, is := value.([]any); is {
			if len(list) == 0 {
				out = append(out, kind+"."+word+" is empty")
			}
			for _, v := range list {
				out = append(out, missing(word, v.(map[string]any))...)
			}
		} else {
			out = append(out, missing(word, value.(map[string]any))...)
		}
	}
	return out
}

func decoded(t *testing.T, o show.Object) map[string]any {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func view(t *testing.T, parser string) *show.View {
	t.Helper()
	enc, err := show.ParseEncoding("json", parser)
	if err != nil {
		t.Fatal(err)
	}
	v := &show.View{Now: showtest.Now, Cluster: "ref", Encoding: enc, Nodes: map[sched.NodeName]*show.Node{}}
	n, err := api.NodeFromProto(showtest.Node("n1", slurm.NodeMixed))
	if err != nil {
		t.Fatal(err)
	}
	v.Nodes["n1"] = &show.Node{Node: n}
	return v
}

func held() *show.Job {
	j := showtest.Job(700001, "a", showtest.Size(3), showtest.Running(time.Minute, "n1"))
	j.Alloc[0].CPUIDs = "0,8-9"
	j.Alloc[0].Gres = []sched.GresAlloc{{Name: "gpu", Type: "a100", Count: 1, Index: []int{2}}}
	j.Spec.GPUsPerNode = slurm.Gres{{Name: "gpu", Count: 1}}
	j.Spec.MailTypes = []string{"END", "TIME_LIMIT_90", "TIME_LIMIT"}
	return show.NewJob(j)
}

func TestDataHasWhatProgramsRead(t *testing.T) {
	v := view(t, "")
	part := showtest.Part("debug", "n1")
	for kind, object := range map[string]show.Object{
		"job": v.JobData(held()), "node": v.NodeData(v.Nodes["n1"], []*sched.Partition{part}), "partition": v.PartitionData(part, v.Nodes, nil),
	} {
		for _, text := range missing(kind, decoded(t, object)) {
			t.Error(text)
		}
	}
}

func TestJobData(t *testing.T) {
	job := decoded(t, view(t, "v0.0.43").JobData(held()))
	get := func(path ...any) any {
		var at any = job
		for _, p := range path {
			switch p := p.(type) {
			case string:
				at = at.(map[string]any)[p]
			case int:
				at = at.([]any)[p]
			}
		}
		return at
	}
	year := float64(showtest.Ago(time.Minute).Add(365 * 24 * time.Hour).Unix())
	for _, c := range []struct {
		want any
		path []any
	}{
		{year, []any{"end_time", "number"}}, {"gres/gpu:1", []any{"tres_per_node"}}, {"gpu:a100:1(IDX:2)", []any{"gres_detail", 0}},
		{"TIME=90%", []any{"mail_type", 1}}, {"TIME=100%", []any{"mail_type", 2}}, {3.0, []any{"billable_tres", "number"}},
		{"n1", []any{"job_resources", "nodes", "list"}}, {3.0, []any{"job_resources", "cpus"}},
		{"ALLOCATED", []any{"job_resources", "nodes", "allocation", 0, "sockets", 1, "cores", 1, "status", 0}},
		{1.0, []any{"job_resources", "nodes", "allocation", 0, "sockets", 1, "cores", 1, "index"}},
	} {
		if got := get(c.path...); got != c.want {
			t.Errorf("%v is %v, want %v", c.path, got, c.want)
		}
	}
	job = decoded(t, view(t, "data_parser/v0.0.40+fast").JobData(held()))
	if got := get("job_resources", "allocated_nodes", 0, "sockets", "1", "cores", "1"); got != "allocated" {
		t.Errorf("v0.0.40: the second core of the second socket is %v", got)
	}
	waiting := decoded(t, view(t, "").JobData(show.NewJob(showtest.Job(700002, "b"))))
	if got := waiting["job_resources"].(map[string]any)["cpus"]; got != 0.0 {
		t.Errorf("a job that waits holds %v CPUs", got)
	}
}

func TestParseEncoding(t *testing.T) {
	for _, value := range []string{"v0.0.39", "nosuch", "v0.0.43+nosuch"} {
		if _, err := show.ParseEncoding("json", value); err == nil {
			t.Errorf("--json=%s is taken", value)
		}
	}
	env, stdout, stderr := showtest.Env("squeue", nil)
	v := view(t, "list")
	if err := v.Data(env, "jobs", []any{}); err != nil || stdout.Len() > 0 {
		t.Errorf("error %v, printed %s", err, stdout)
	}
	if got := strings.Split(strings.TrimSpace(stderr.String()), "\n"); got[0] != "Possible data_parser plugins:" || !slices.Contains(got, "data_parser/v0.0.41") {
		t.Errorf("listed %q", got)
	}
}
