package noded

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/slice"
	"github.com/runink/rink/slurm"
)

// The test binary is its own launcher.
func TestMain(m *testing.M) {
	if run, ok := Internal(os.Args[0]); ok {
		os.Exit(run(os.Args))
	}
	os.Exit(m.Run())
}

// rig is an agent without a cluster: orders are given to it by the test, and
// its reports stay in the outbox.
type rig struct {
	*Agent
	t    *testing.T
	stop func()
}

func startAgent(t *testing.T, dir string) *rig {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a := &Agent{
		conf: Config{Conf: &slurm.Conf{ClusterName: "test"}, Node: "n1", Spool: dir}, log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		started: time.Now(), users: auth.NewUsers(time.Minute), work: ctx, cluster: fmt.Sprintf("test%d", os.Getpid()),
		jobs: map[jobKey]*job{}, past: newTombstones(), asides: map[string]chan slice.Exit{}, answers: make(chan *rinkpb.Report, 64), meter: &meter{}, gear: &gear{}, ioBook: newIOBook(), stopped: make(chan struct{}),
	}
	var err error
	if a.spool, err = openSpool(dir); err != nil {
		t.Fatal(err)
	}
	if a.reports, _, err = openOutbox(filepath.Join(dir, "outbox")); err != nil {
		t.Fatal(err)
	}
	if a.box, err = launcher.Connect(ctx, launcher.Config{Spool: filepath.Join(dir, "launcher"), Parent: a.groupParent()}); err != nil {
		t.Fatal(err)
	}
	exits, err := a.box.Subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.restore(ctx); err != nil {
		t.Fatal(err)
	}
	a.wg.Go(func() { a.follow(ctx, exits) })
	stop := sync.OnceFunc(func() {
		cancel()
		a.stop()
		a.ioBook.closeFiles()
		began := time.Now()
		a.wg.Wait()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("the agent took %v to stop", took)
		}
		a.box.Close()
		a.spool.close()
	})
	t.Cleanup(stop)
	return &rig{Agent: a, t: t, stop: stop}
}

// spoolDir is a spool whose launcher ends with the test. Unix sockets want
// short names.
func spoolDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "rink-noded-test-")
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir, 0o755)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		box, err := launcher.Connect(ctx, launcher.Config{Spool: filepath.Join(dir, "launcher")})
		if err == nil {
			err = box.Shutdown(ctx, true)
			box.Close()
		}
		if err != nil {
			t.Errorf("the launcher does not end: %v", err)
		}
		os.RemoveAll(dir)
	})
	return dir
}

func here(t *testing.T, id uint32, dir string) *rinkpb.JobHere {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return &rinkpb.JobHere{
		Job: id, Uid: uint32(os.Getuid()), Gid: uint32(os.Getgid()), User: u.Username, Name: "test", WorkDir: dir, Nodes: []string{"n1"},
		Cpus: 3, Cgroup: "no", KillWait: 1, Umask: 0o22,
	}
}

func batch(t *testing.T, id uint32, dir, script string) *rinkpb.LaunchJob {
	return &rinkpb.LaunchJob{
		Here: here(t, id, dir), Batch: true, Script: []byte("#!/bin/sh\n" + script), Env: []string{"PATH=/usr/bin:/bin"}, Output: "out",
	}
}

func step(t *testing.T, id, n uint32, dir string, scripts ...string) *rinkpb.LaunchStep {
	s := &rinkpb.LaunchStep{Here: here(t, id, dir), Step: n, Env: []string{"PATH=/usr/bin:/bin"}, Cwd: dir, TotalTasks: int32(len(scripts))}
	for i, text := range scripts {
		s.Tasks = append(s.Tasks, &rinkpb.TaskHere{Rank: int32(i), Local: int32(i), Argv: []string{"/bin/sh", "-c", text}})
	}
	return s
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func (r *rig) kept(pick func(*rinkpb.Report) bool) (out []*rinkpb.Report) {
	for _, m := range r.reports.after(0) {
		if pick(m) {
			out = append(out, m)
		}
	}
	return out
}

func isBatchDone(m *rinkpb.Report) bool { return m.GetDone() != nil }
func isNodeDone(m *rinkpb.Report) bool  { return m.GetNodeDone() != nil }
func isStepDone(m *rinkpb.Report) bool  { return m.GetStepDone() != nil }

// listen is an srun: it gathers what the agent says of a step until the end.
func (r *rig) listen(t *testing.T, job, n uint32) <-chan []*rinkpb.StepDown {
	t.Helper()
	io, err := r.ioBook.find(t.Context(), stepName{job, n})
	if err != nil {
		t.Fatal(err)
	}
	out := make(chan []*rinkpb.StepDown, 1)
	go func() { // ends with the step or the test
		var got []*rinkpb.StepDown
		io.serve(t.Context(), 0, func(m *rinkpb.StepDown) error { got = append(got, m); io.taken(m.Seq); return nil })
		out <- got
	}()
	return out
}

func output(list []*rinkpb.StepDown, rank int32) string {
	var b strings.Builder
	for _, m := range list {
		if o := m.Output; o != nil && o.Rank == rank {
			b.Write(o.Data)
		}
	}
	return b.String()
}

func TestBatchJobRunsAndIsReported(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	order := batch(t, 7, dir, "echo $$ $SLURM_TASK_PID $SLURM_CPUS_ON_NODE; exit 3")
	r.launchJob(r.work, order)
	r.launchJob(r.work, order) // an order may come twice
	eventually(t, "the node is free of the job", func() bool { return len(r.kept(isNodeDone)) > 0 })
	done, gone := r.kept(isBatchDone), r.kept(isNodeDone)
	if len(done) != 1 || done[0].GetDone().Exit.Code != 3 || len(gone) != 1 || !gone[0].GetNodeDone().Batch || gone[0].GetNodeDone().Exit.Code != 3 {
		t.Errorf("reports: %v %v, want one exit 3 each", done, gone)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "out"))
	if f := strings.Fields(string(text)); len(f) != 3 || f[0] != f[1] || f[2] != "3" {
		t.Errorf("the job printed %q, want its pid twice and 3", text)
	}
	r.launchJob(r.work, order) // and when it has ended, and when it is forgotten
	eventually(t, "the job is forgotten", func() bool { return r.find(jobKey{7, 0}) == nil })
	r.launchJob(r.work, order)
	if l, err := os.ReadDir(filepath.Join(dir, "jobs")); err != nil || len(l) != 0 || r.find(jobKey{7, 0}) != nil {
		t.Error("an order that came after the job's end started it again")
	}
}

func TestJobsSurviveARestartOfTheAgent(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	gate := filepath.Join(dir, "gate")
	r.launchJob(r.work, batch(t, 8, dir, "until [ -e gate ]; do sleep 0.02; done; echo went on; exit 5"))
	r.launchStep(r.work, step(t, 9, 0, dir, "echo before; until [ -e gate ]; do sleep 0.02; done; echo after; exit 6", "exit 1"))
	eventually(t, "both run", func() bool {
		l, err := r.box.List(t.Context())
		return err == nil && len(l) == 2 && len(l[0].PIDs) > 0 && len(l[1].PIDs) > 0
	})
	r.stop()
	if n := len(r.reports.after(0)); n != 0 {
		t.Fatalf("%d reports although nothing has ended", n)
	}
	r = startAgent(t, dir)
	heard := r.listen(t, 9, 0)
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both are reported", func() bool { return len(r.kept(isBatchDone)) == 1 && len(r.kept(isStepDone)) == 1 })
	if code := r.kept(isBatchDone)[0].GetDone().Exit.Code; code != 5 {
		t.Errorf("the job's exit code is %d, want 5", code)
	}
	got := <-heard
	if text := output(got, 0); text != "before\nafter\n" {
		t.Errorf("the step's output is %q", text)
	}
	codes := map[int32][]uint32{}
	for _, m := range got {
		if e := m.Exited; e != nil {
			codes[e.Rank] = append(codes[e.Rank], e.Exit.Code)
		}
	}
	if fmt.Sprint(codes) != "map[0:[6] 1:[1]]" || !got[len(got)-1].NodeDone {
		t.Errorf("told exits %v, last %v", codes, got[len(got)-1])
	}
	// The step's end is not acknowledged: the leader may send its order again.
	r.launchStep(r.work, step(t, 9, 0, dir, "touch again"))
	r.stop()
	r = startAgent(t, dir)
	r.launchStep(r.work, step(t, 9, 0, dir, "touch again"))
	time.Sleep(50 * time.Millisecond)
	if _, err := os.Stat(filepath.Join(dir, "again")); err == nil {
		t.Error("a step that has ended was started again")
	}
}

func TestEndedJobIsNotStartedAgainByTheNextAgent(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	hook := filepath.Join(dir, "epilog")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\nsleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.conf.Conf.Epilog = []string{hook}
	r.launchJob(r.work, batch(t, 10, dir, "echo ran >>runs; exit 2"))
	eventually(t, "the script's end is reported", func() bool { return len(r.kept(isBatchDone)) == 1 })
	r.reports.acked(r.kept(isBatchDone)[0].Seq) // the leader has it; the epilog still runs
	eventually(t, "the launcher forgot it", func() bool { l, err := r.box.List(t.Context()); return err == nil && len(l) == 0 })
	r.stop()
	r = startAgent(t, dir)
	eventually(t, "the node is free", func() bool { return len(r.kept(isNodeDone)) == 1 })
	if d := r.kept(isNodeDone)[0].GetNodeDone(); !d.Batch || d.Exit.Code != 2 {
		t.Errorf("report %v, want the script's exit 2 in it", d)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "runs")); string(text) != "ran\n" {
		t.Errorf("the job ran %q", text)
	}
}

func TestTaskEndIsToldAfterItsOutputAndBeforeTheOthersEnd(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	r.launchStep(r.work, step(t, 11, 0, dir,
		"until [ -e gate ]; do sleep 0.02; done",
		"(until [ -e gate ]; do sleep 0.02; done; echo left) & echo mine; exit 3"))
	io, err := r.ioBook.find(t.Context(), stepName{11, 0})
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan *rinkpb.StepDown, 100)
	go io.serve(t.Context(), 0, func(m *rinkpb.StepDown) error { events <- m; io.taken(m.Seq); return nil }) // ends with the test
	var text string
	for done := false; !done; {
		select {
		case m := <-events:
			switch {
			case m.Output != nil && m.Output.Rank == 1:
				text += string(m.Output.Data)
			case m.Exited != nil:
				if m.Exited.Rank != 1 || m.Exited.Exit.Code != 3 || text != "mine\n" {
					t.Fatalf("told %v after %q, want task 1's exit 3 after its output", m.Exited, text)
				}
				done = true
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the task's end was not told while another task runs")
		}
	}
	r.endHere(&rinkpb.EndJobHere{Job: 11, HasStep: true, KillWait: 30})
	var words []string
	for {
		m := <-events
		words = append(words, m.Messages...)
		if m.AbortWait != 0 && m.AbortWait != 3 {
			t.Errorf("the abort may take %d s, want KillWait and 2", m.AbortWait)
		}
		if m.Exited != nil && (m.Exited.Rank != 0 || m.Exited.Exit.Signal != uint32(syscall.SIGKILL)) {
			t.Errorf("told %v, want task 0 killed", m.Exited)
		}
		if m.NodeDone {
			break
		}
	}
	if len(words) != 1 || !strings.HasPrefix(words[0], "slurmstepd: error: *** STEP 11.0 ON n1 CANCELLED AT 2") {
		t.Errorf("words %q", words)
	}
}

func TestProgramThatIsNotThere(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	order := step(t, 12, 0, dir, "")
	order.Tasks[0].Argv = []string{"/nonexistent/prog"}
	r.launchStep(r.work, order)
	got := <-r.listen(t, 12, 0)
	var words []string
	for _, m := range got {
		words = append(words, m.Messages...)
		if m.Exited != nil && m.Exited.Exit.Code != 2 {
			t.Errorf("exit %v, want 2", m.Exited)
		}
	}
	if len(words) != 1 || words[0] != "slurmstepd: error: execve(): /nonexistent/prog: No such file or directory" {
		t.Errorf("words %q", words)
	}
	if len(r.kept(isStepDone)) != 1 {
		t.Error("the step's end is not reported once")
	}
}

func TestJobToldToEndLeavesAWord(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	r.launchJob(r.work, batch(t, 13, dir, "trap 'echo last; exit 9' TERM; echo up; while :; do sleep 0.02; done"))
	eventually(t, "the job runs", func() bool { text, _ := os.ReadFile(filepath.Join(dir, "out")); return len(text) > 0 })
	r.endHere(&rinkpb.EndJobHere{Job: 13, KillWait: 30, Reason: "DUE TO TIME LIMIT"})
	eventually(t, "the node is free", func() bool { return len(r.kept(isNodeDone)) == 1 })
	text, _ := os.ReadFile(filepath.Join(dir, "out"))
	if !strings.Contains(string(text), "*** JOB 13 ON n1 CANCELLED AT 2") || !strings.Contains(string(text), " DUE TO TIME LIMIT ***\n") ||
		!strings.HasPrefix(string(text), "up\n") || !strings.HasSuffix(string(text), "last\n") {
		t.Errorf("the output is %q", text)
	}
	if c := r.kept(isNodeDone)[0].GetNodeDone().Exit.Code; c != 9 {
		t.Errorf("exit %v, want the trap's 9: TERM comes before KILL", r.kept(isNodeDone)[0])
	}
	eventually(t, "the job is forgotten", func() bool { return r.find(jobKey{13, 0}) == nil })
	r.endHere(&rinkpb.EndJobHere{Job: 13}) // again, after its end
	if n := len(r.kept(isNodeDone)); n != 2 {
		t.Errorf("%d reports, want the order answered each time", n)
	}
}
