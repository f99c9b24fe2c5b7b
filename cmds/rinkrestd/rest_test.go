package rinkrestd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/runink/rink/slurm"
)

// decode reads a document as requests are read.
func decode(t testing.TB, text string) map[string]any {
	t.Helper()
	in := json.NewDecoder(strings.NewReader(text))
	in.UseNumber()
	out := map[string]any{}
	if err := in.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOptionsOf(t *testing.T) {
	for _, c := range []struct{ job, want string }{
		{`{}`, ""},
		{`{"name": "a b", "account": "phys", "tasks": 4}`, "--account=phys --job-name=a b --ntasks=4"},
		{`{"time_limit": {"set": true, "infinite": false, "number": 5}, "memory_per_node": 200}`, "--mem=200M --time=5"},
		{`{"time_limit": {"set": false, "infinite": false, "number": 5}, "memory_per_node": "4G", "time_minimum": "12"}`, "--mem=4G --time-min=12"},
		{`{"time_limit": {"infinite": true}}`, "--time=UNLIMITED"},
		{`{"begin_time": 1900000000, "deadline": 0}`, "--begin=uts1900000000"},
		{`{"begin_time": {"set": true, "number": 1900000000}}`, "--begin=uts1900000000"},
		{`{"minimum_nodes": 1, "maximum_nodes": 3}`, "--nodes=1-3"},
		{`{"minimum_nodes": 1, "maximum_nodes": 3, "nodes": "2"}`, "--nodes=2"},
		{`{"hold": true, "requeue": false, "contiguous": false, "kill_on_node_fail": false}`, "--hold --no-kill --no-requeue"},
		{`{"shared": ["none"]}`, "--exclusive"}, {`{"exclusive": ["user"]}`, "--exclusive=user"}, {`{"shared": ["oversubscribe"]}`, "--oversubscribe"},
		{`{"shared": [], "exclusive": false, "oversubscribe": null}`, ""},
		{`{"tres_per_node": "gres/gpu:a100:2", "tres_per_job": "gres/gpu:4", "tres_per_socket": "gres:gpu:1", "cpus_per_tres": "gres/gpu:3", "memory_per_tres": "gres/gpu:1000"}`,
			"--cpus-per-gpu=3 --mem-per-gpu=1000M --gpus=4 --gres=gpu:a100:2 --gpus-per-socket=1"},
		{`{"mail_type": ["END", "FAIL"], "required_nodes": ["n1", "n2"], "open_mode": ["APPEND"]}`, "--mail-type=END,FAIL --open-mode=append --nodelist=n1,n2"},
		{`{"kill_warning_signal": "USR1", "kill_warning_delay": {"set": true, "number": 60}, "kill_warning_flags": ["BATCH_JOB"]}`, "--signal=B:USR1@60"},
		{`{"kill_warning_signal": 10, "kill_warning_flags": ["RESERVATION_OVERLAP"]}`, "--signal=R:10"},
		{`{"required_switches": 1, "wait_for_switch": 90}`, "--switches=1@0:90"},
		{`{"minimum_cpus": 8, "cpus_per_task": 2}`, "--cpus-per-task=2 --ntasks=4"},
		{`{"environment": ["A=1"], "argv": ["x"], "script": "#!"}`, ""},
	} {
		got, notes, err := optionsOf(decode(t, c.job), "#")
		if err != nil || len(notes) > 0 || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v, %v, want %q", c.job, strings.Join(got, " "), notes, err, c.want)
		}
	}
	for _, c := range []struct{ job, where string }{
		{`{"tasks": "many"}`, "#/tasks"}, {`{"tasks": true}`, "#/tasks"}, {`{"name": {"a": 1}, "nodes": [["x"]]}`, "#/nodes"}, {`{"crontab": {"a": 1}}`, "#/crontab"},
		{`{"memory_per_tres": "gres/license:2"}`, "#/memory_per_tres"}, {`{"comment": "a\u0000b"}`, "#/comment"},
		{`{"kill_warning_signal": 10, "kill_warning_flags": ["OOM"]}`, "#/kill_warning_signal"},
	} {
		_, _, err := optionsOf(decode(t, c.job), "#")
		if err == nil || !strings.HasPrefix(err.Error(), c.where+": ") {
			t.Errorf("%s: error %v, want one about %s", c.job, err, c.where)
		}
	}
	if _, notes, err := optionsOf(decode(t, `{"nosuch": 1, "site_factor": 2}`), "#/job"); err != nil || len(notes) != 2 || notes[0].Source != "#/job/nosuch" {
		t.Errorf("%v, %v", notes, err)
	}
}

// Every field that becomes an option becomes one that sbatch has, whatever its value.
func TestFieldsAreOptionsOfSbatch(t *testing.T) {
	for name, read := range fields {
		for _, v := range []any{json.Number("2"), "gres/gpu:2", true, "1", false} {
			opts, err := read(v, map[string]any{})
			if err != nil {
				continue // a value that is no such field's
			}
			for _, o := range opts {
				option, _, _ := strings.Cut(o, "=")
				_, err := slurm.ParseCommandLine(slurm.Sbatch, "sbatch", []string{o, "script"})
				if err != nil && strings.Contains(err.Error(), "unrecognized option") {
					t.Errorf("%s: sbatch has no option %s", name, option)
				}
			}
		}
		if without[name] != "" {
			t.Errorf("%s has an effect, and is said to have none", name)
		}
	}
}

func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{`{"e": ["A=1", "B=x,y"]}`, []string{"A=1", "B=x,y"}}, {`{"e": {"B": "2", "A": 1}}`, []string{"A=1", "B=2"}}, {`{"e": "A=1,B=2"}`, []string{"A=1", "B=2"}}, {`{}`, nil},
	} {
		if got, err := environment(decode(t, c.text)["e"]); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", c.text, got, err)
		}
	}
	for _, text := range []string{`{"e": ["A"]}`, `{"e": ["=1"]}`, `{"e": [1]}`, `{"e": 1}`, `{"e": ["A=\u0000"]}`} {
		if got, err := environment(decode(t, text)["e"]); err == nil {
			t.Errorf("%s: %q, want an error", text, got)
		}
	}
}

func TestLimits(t *testing.T) {
	got, err := limits(decode(t, `{"name": "x", "qos": ["a", "b"], "default": {"qos": "a"}, "max": {"jobs": {"active": {"set": true, "number": 2}, "total": {"infinite": true}, "per": {"count": {"set": false}}},
		"tres": {"per": {"job": [{"type": "cpu", "count": 8}, {"type": "gres", "name": "gpu", "count": {"set": true, "number": 1}}]}, "total": []}}, "shares_raw": 9, "comment": ""}`), limitWords)
	if want := "DefaultQOS=a MaxJobs=2 MaxSubmitJobs=-1 MaxTRES=cpu=8,gres/gpu=1 QosLevel=a,b Fairshare=9"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%q, %v, want %q", strings.Join(got, " "), err, want)
	}
	got, err = limits(decode(t, `{"flags": ["DENY_LIMIT", "NoDecay"], "usage_factor": {"set": true, "infinite": false, "number": 0.5}, "preempt": {"mode": ["DISABLED"], "list": []}}`), qosWords)
	if want := "Flags=DenyOnLimit,NoDecay UsageFactor=0.5"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%q, %v, want %q", strings.Join(got, " "), err, want)
	}
	if _, err := limits(decode(t, `{"max": {"tres": {"total": [{"count": 1}]}}}`), limitWords); err == nil || !strings.HasPrefix(err.Error(), "max/tres/total: ") {
		t.Errorf("error %v", err)
	}
}

func TestWantsYAML(t *testing.T) {
	for accept, want := range map[string]string{
		"": "false true", "*/*": "false true", "application/json": "false true", "application/x-yaml": "true true", "text/html, application/yaml": "true true",
		"application/xml": "false false", "application/json, application/yaml": "false true",
	} {
		yaml, ok := wantsYAML([]string{accept})
		if got := fmt.Sprint(yaml, ok); got != want {
			t.Errorf("%q: %s, want %s", accept, got, want)
		}
	}
}

func TestDocumentsKeepTheirOrder(t *testing.T) {
	got, err := member(`{"a": 1, "b": {"z": [1, 2.5, "x", null, true], "y": {}}, "c": []}`, "b")
	text, _ := json.Marshal(got)
	if err != nil || string(text) != `{"z":[1,2.5,"x",null,true],"y":{}}` {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := member(`{"a": [1`, "a"); err == nil {
		t.Error("a document that is cut off is read")
	}
}

// The OpenAPI document has every route for every parser, and no operation twice.
func TestOpenAPI(t *testing.T) {
	s := &server{parsers: []string{"v0.0.44", "v0.0.45"}, parts: []string{partCtld, partDBD, partUtil}}
	s.mux = s.routes()
	var doc struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal(s.openAPI(), &doc); err != nil {
		t.Fatal(err)
	}
	n, ids := 0, map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			n++
			if ids[op.OperationID] || strings.Contains(path, "{version}") {
				t.Errorf("%s %s is %s", method, path, op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
	if n != 2*len(s.table) || !ids["slurm_v0044_post_job_submit"] || !ids["slurmdb_v0045_get_jobs"] {
		t.Errorf("%d operations of %d routes", n, len(s.table))
	}
}

// FuzzOptions: whatever comes as a job's description, there is an answer, and each option
// is one word with its value.
func FuzzOptions(f *testing.F) {
	f.Add([]byte(`{"name": "x", "tasks": {"set": true, "number": 3}, "environment": ["A=1"], "shared": ["user"], "tres_per_node": "gres/gpu:1"}`))
	f.Add([]byte(`{"time_limit": 1e9, "nodes": [1, 2], "kill_warning_signal": 10, "max": {"jobs": {"active": 1}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := json.NewDecoder(bytes.NewReader(data))
		in.UseNumber()
		job := map[string]any{}
		if in.Decode(&job) != nil {
			return
		}
		opts, _, err := optionsOf(job, "#")
		if err == nil {
			for _, o := range opts {
				if !strings.HasPrefix(o, "--") || strings.ContainsRune(o, 0) {
					t.Errorf("option %q", o)
				}
			}
		}
		environment(job["environment"])
		limits(job, limitWords)
		limits(job, qosWords)
		wordsOf(job, jobWords)
	})
}
