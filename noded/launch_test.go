package noded

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/noded/taskenv"
	"github.com/runink/rink/slice"
	"github.com/runink/rink/slurm"
)

func TestSliceIDsAreReadBack(t *testing.T) {
	for _, k := range []jobKey{{1, 0}, {4_294_967_295, 77}} {
		got, step, isBatch, ok := parseSliceID(batchID(k))
		if !ok || got != k || !isBatch {
			t.Errorf("batch of %v: %v %d %v %v", k, got, step, isBatch, ok)
		}
		got, step, isBatch, ok = parseSliceID(stepSliceID(k, 4294967294))
		if !ok || got != k || isBatch || step != 4294967294 {
			t.Errorf("step of %v: %v %d %v %v", k, got, step, isBatch, ok)
		}
		if !slice.ValidID(batchID(k)) {
			t.Errorf("%s does not name a slice", batchID(k))
		}
	}
	for _, bad := range []string{"", "1", "1.2", "1.2.3.4", "a.0.0", "1.-1.0", "1.0.extern", "4294967296.0.0", "batch.0.0", "1.0."} {
		if k, n, isBatch, ok := parseSliceID(bad); ok {
			t.Errorf("%q was read as %v %d %v", bad, k, n, isBatch)
		}
	}
}

func TestIsolationIsWhatWasSet(t *testing.T) {
	user := os.Geteuid() != 0
	for _, c := range []struct {
		words   string
		private bool
		want    slice.Namespaces
	}{
		{"", false, slice.Namespaces{}},
		{"none", false, slice.Namespaces{}},
		{"PID, mount", false, slice.Namespaces{PID: true, Mount: true, User: user}},
		{"mnt", false, slice.Namespaces{Mount: true, User: user}},
		{"", true, slice.Namespaces{Mount: true, User: user}},
		{"uts,ipc,net,cgroup", false, slice.Namespaces{UTS: true, IPC: true, Net: true, Cgroup: true, User: user}},
		{"user", false, slice.Namespaces{User: true}},
	} {
		iso, err := isolationOf(&rinkpb.JobHere{Namespaces: c.words, PrivateTmp: c.private})
		if err != nil || iso.ns != c.want || iso.PrivateTmp != c.private {
			t.Errorf("%q, private /tmp %v: %+v %v, want %+v", c.words, c.private, iso, err, c.want)
		}
	}
	if _, err := isolationOf(&rinkpb.JobHere{Namespaces: "pid,pidd"}); err == nil || !strings.Contains(err.Error(), `"pidd"`) {
		t.Errorf("a word that is no namespace: %v", err)
	}
}

func TestCgroupSettingIsNeverAFallback(t *testing.T) {
	for _, c := range []struct {
		mode, off string
		on, fails bool
	}{
		{"auto", "", true, false}, {"auto", "no rights", false, false}, {"", "no rights", false, false}, {"no", "", false, false},
		{"YES", "", true, false}, {"yes", "no rights", false, true}, {"maybe", "", false, true},
	} {
		a := &Agent{gear: &gear{conf: gearConf{envs: gpuEnvs(nil)}}, cgroupOff: c.off, cluster: "c", conf: Config{Node: "n1"}}
		j := newJob(jobKey{3, 1}, &rinkpb.JobHere{Cgroup: c.mode, Mem: 5})
		iso, err := isolationOf(j.here)
		if err != nil {
			t.Fatal(err)
		}
		g, err := a.cgroupOf(j, iso, "step_0")
		if g.On != c.on || (err != nil) != c.fails {
			t.Errorf("SliceCgroup=%s, cgroups off %q: %+v %v", c.mode, c.off, g, err)
		}
		if c.on && (g.Parent != "rink/c.n1" || len(g.Levels) != 2 || g.Levels[0].Name != "job_3.1" || g.Levels[0].Limits.MemoryMax != 5<<20 || g.Levels[1].Name != "step_0") {
			t.Errorf("SliceCgroup=%s: %+v", c.mode, g)
		}
	}
}

func TestStreamsOfAStep(t *testing.T) {
	names := slurm.FileNameValues{Job: 5, Step: 1, Rank: 2}
	pipe, null := slice.Stream{Kind: slice.StreamPipe}, slice.Stream{Kind: slice.StreamNull}
	file := func(p string, add bool) slice.Stream {
		return slice.Stream{Kind: slice.StreamFile, Path: p, Append: add}
	}
	for _, c := range []struct {
		input    string
		fed      bool
		fedTask  int32
		want     slice.Stream
		describe string
	}{
		{"", true, -1, pipe, "fed to all"}, {"", true, 2, pipe, "fed to this one"}, {"", true, 1, null, "fed to another"},
		{"", false, -1, null, "not fed"}, {"none", true, -1, null, "none"}, {"/dev/null", true, -1, null, "the null device"},
		{"all", true, -1, pipe, "all"}, {"2", true, 2, pipe, "a number"}, {"in.%t", false, -1, file("in.2", false), "a file of each task"},
	} {
		order := &rinkpb.LaunchStep{Input: c.input, Stdin: c.fed, StdinTask: c.fedTask}
		if got := stepInput(order, &rinkpb.TaskHere{Rank: 2}, names); got != c.want {
			t.Errorf("input %s: %+v, want %+v", c.describe, got, c.want)
		}
	}
	for _, c := range []struct {
		pattern string
		want    slice.Stream
	}{
		{"", pipe}, {"all", pipe}, {"none", null}, {"/dev/null", null}, {"2", pipe}, {"1", null}, {"o.%j.%s.%t", file("o.5.1.2", true)},
	} {
		if got := stepOutput(c.pattern, names, true); got != c.want {
			t.Errorf("output %q: %+v, want %+v", c.pattern, got, c.want)
		}
	}
}

func TestEnvironmentOfTasks(t *testing.T) {
	a := &Agent{gear: &gear{conf: gearConf{envs: gpuEnvs(nil)}}, conf: Config{Node: "n1", Conf: &slurm.Conf{}}, host: "h", cluster: "c", users: auth.NewUsers(time.Minute)}
	order := step(t, 5, 0, "/", "a", "b")
	order.Env = []string{"A=1", "SLURM_PROCID=of srun's own", "B=x=y", "A=2", "=bad", "TMPDIR=/scratch", "no"}
	order.Tasks[1].Env = []string{"A=3", "EXTRA="}
	order.Tasks[1].Rank, order.Tasks[1].Local, order.StepNodeIndex = 7, 1, 2
	order.Gres = []*rinkpb.GresAlloc{{Name: "gpu", Index: []int32{1, 3}}}
	spec, _, err := a.stepSpec(newJob(jobKey{5, 0}, order.Here), order)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]string{
		{"A": "2", "B": "x=y", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "TMPDIR": "/scratch", "SLURM_NODEID": "2", "SLURM_GTIDS": "0,7",
			"SLURM_CPUS_ON_NODE": "3", "CUDA_VISIBLE_DEVICES": "1,3", "SLURMD_NODENAME": "n1"},
		{"A": "3", "EXTRA": "", "SLURM_PROCID": "7", "SLURM_LOCALID": "1"},
	} {
		env := taskenv.New(spec.Tasks[i].Env)
		if len(env.List()) != len(spec.Tasks[i].Env) {
			t.Errorf("task %d: a name stands twice in %q", i, spec.Tasks[i].Env)
		}
		for name, value := range want {
			if got := env.Get(name); got != value {
				t.Errorf("task %d: %s=%q, want %q", i, name, got, value)
			}
		}
		if spec.Tasks[i].PidEnv != "SLURM_TASK_PID" {
			t.Errorf("task %d is told its pid in %q", i, spec.Tasks[i].PidEnv)
		}
	}
}

func TestExitOfTasks(t *testing.T) {
	never := func(s slice.Stage, e syscall.Errno) slice.TaskExit {
		return slice.TaskExit{StartError: &slice.StartError{Stage: s, Errno: e, Path: "p", Task: 0}}
	}
	for _, c := range []struct {
		exit slice.TaskExit
		want *rinkpb.ExitCode
	}{
		{never(slice.StageExec, syscall.ENOENT), &rinkpb.ExitCode{Code: 2}},
		{never(slice.StageExec, syscall.EACCES), &rinkpb.ExitCode{Code: 13}},
		{never(slice.StageStdout, syscall.EACCES), &rinkpb.ExitCode{Code: 1}},
		{slice.TaskExit{}, &rinkpb.ExitCode{Signal: 9}}, // not known to have ended
	} {
		if got := taskExitCode(c.exit); got.Code != c.want.Code || got.Signal != c.want.Signal {
			t.Errorf("%+v: %v, want %v", c.exit, got, c.want)
		}
	}
	if got := exitCode(slice.Exit{Lost: true}, 0); got.Signal != 9 {
		t.Errorf("a lost task: %v", got)
	}
	for _, c := range []struct{ stage, want string }{
		{"exec", "slurmstepd: error: execve(): p: Permission denied"},
		{"stdout", "slurmstepd: error: Could not open stdout file p: Permission denied"},
		{"identity", `slurmstepd: error: task 0: cannot become the user "p": permission denied`},
	} {
		if got := neverRanWords(never(slice.Stage(c.stage), syscall.EACCES).StartError); got != c.want {
			t.Errorf("%s: %q, want %q", c.stage, got, c.want)
		}
	}
}

func TestLastWordOnlyInAFileOfTheUsers(t *testing.T) {
	dir := t.TempDir()
	a := &Agent{users: auth.NewUsers(time.Minute)}
	me := &rinkpb.JobHere{Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid())}
	good := filepath.Join(dir, "out")
	os.WriteFile(good, []byte("before\n"), 0o644)
	if err := a.appendAs(me, good, "word\n"); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(good); string(text) != "before\nword\n" {
		t.Errorf("the file has %q", text)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := a.appendAs(me, fifo, "word\n"); err == nil {
		t.Error("a fifo was written to")
	}
	if err := a.appendAs(me, filepath.Join(dir, "none"), "word\n"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if os.Geteuid() == 0 {
		if err := a.appendAs(&rinkpb.JobHere{Uid: 65534, Gid: 65534}, good, "word\n"); err == nil {
			t.Error("another user's file was written to")
		}
	}
}
