package ctld

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// bigRig is a controller in this process with many nodes whose agents are on the
// line and say nothing, and a client on its socket.
type bigRig struct {
	t      testing.TB
	s      *Server
	client rinkpb.ControllerClient
	rnd    *rand.Rand
	keys   int
}

func newBigRig(t testing.TB, nodes int, more string) *bigRig {
	t.Helper()
	dir, err := os.MkdirTemp("", "rq") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "slurm.conf")
	text := fmt.Sprintf(`ClusterName=big
SlurmctldHost=%s(127.0.0.1)
SlurmctldPort=%d
StateSaveLocation=%s/state
CommandSocket=%s/s
SlurmdTimeout=0
MaxJobCount=1000000
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
NodeName=n[1-%d] CPUs=64 Sockets=2 CoresPerSocket=32 ThreadsPerCore=1 RealMemory=256000
PartitionName=main Nodes=ALL Default=YES
%s`, host, port, dir, dir, nodes, more)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	conf, err := ReadConfig(path, host)
	if err != nil {
		t.Fatal(err)
	}
	ready := make(chan struct{})
	r := &bigRig{t: t, rnd: rand.New(rand.NewSource(1)), s: newServer(Options{Config: conf, Ready: func() { close(ready) }})}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.s.run(ctx) }() // ends at the cleanup
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(time.Minute):
		t.Fatal("the controller does not come up")
	}
	var cmds []state.Command
	for _, name := range r.s.nodeNames() {
		if _, err := r.s.sessions.open(name, func() {}); err != nil {
			t.Fatal(err)
		}
		r.s.loop.line(name)
		cmds = append(cmds, state.RegisterNode{Node: name, CPUs: 64, Sockets: 2, Cores: 32, Threads: 1, Memory: 256000, Up: true})
	}
	for list := range slices.Chunk(cmds, 500) {
		if _, err := r.s.propose(ctx, list...); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := grpc.NewClient("unix:"+conf.Socket, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r.client = rinkpb.NewControllerClient(conn)
	return r
}

// request is a job of mixed shape, of one of a few scripts.
func (r *bigRig) request() *rinkpb.JobRequest {
	script := r.rnd.Intn(40)
	o := &slurm.JobOptions{
		Name: fmt.Sprintf("sim%d", script), NTasks: 1 + r.rnd.Intn(64), CPUsPerTask: 1 + script%4, MemPerCPU: slurm.MB(100 * (1 + script%20)),
		TimeLimit: slurm.Duration(3600 * (1 + script)), WorkDir: fmt.Sprintf("/home/user%d", script), Output: "%x-%j.out",
		Given: map[string]bool{"job-name": true, "ntasks": true, "cpus-per-task": true, "mem-per-cpu": true, "time": true, "output": true},
	}
	return &rinkpb.JobRequest{
		Options: api.JobOptionsToProto(o), Script: fmt.Appendf(nil, "#!/bin/sh\n./sim %d\n", script), ScriptName: fmt.Sprintf("sim%d.sh", script),
		Env: []string{"HOME=/home/user", "PATH=/bin:/usr/bin"}, Batch: true, SubmitHost: "login1", SubmitLine: fmt.Sprintf("sbatch sim%d.sh", script),
	}
}

// submit submits n jobs, each a submission of its own kind of request.
func (r *bigRig) submit(n int) {
	r.t.Helper()
	req := &rinkpb.SubmitRequest{}
	for range n {
		req.Jobs = append(req.Jobs, r.request())
	}
	r.send(req)
}

func (r *bigRig) send(req *rinkpb.SubmitRequest) *rinkpb.SubmitReply {
	r.t.Helper()
	r.keys++
	req.Key = fmt.Sprint("key", r.keys)
	reply, err := r.client.Submit(context.Background(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	if reply.Status.GetErrno() != 0 {
		r.t.Fatal(reply.Status.Text)
	}
	return reply
}

// work ends a running job ever so often, as its node would report it, until it
// is stopped.
func (r *bigRig) work(every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { // ends with ctx
		defer close(done)
		for ctx.Err() == nil {
			time.Sleep(every)
			var j *sched.Job
			r.s.barn.Read(func(st *state.State) {
				for j = range st.Holding() {
					if j.IsRunning() {
						return
					}
				}
			})
			if j != nil {
				r.s.propose(ctx, state.EndJob{Job: j.ID, Restarts: j.Restarts, State: slurm.JobCompleted},
					state.ReleaseNodes{Job: j.ID, Restarts: j.Restarts, Nodes: j.Nodes(), Batch: true})
			}
		}
	}()
	return func() { cancel(); <-done }
}

// drain takes the orders off the lines, as agents would.
func (r *bigRig) drain() {
	r.s.sessions.mu.Lock()
	defer r.s.sessions.mu.Unlock()
	for _, sess := range r.s.sessions.byNode {
		sess.mu.Lock()
		sess.queue = nil
		sess.mu.Unlock()
	}
}

// counts returns how many records wait and how many hold resources.
func (r *bigRig) counts() (waiting, holding int) {
	r.s.barn.Read(func(st *state.State) {
		for range st.Pending() {
			waiting++
		}
		for range st.Holding() {
			holding++
		}
	})
	return waiting, holding
}

// settle waits until the log has stood still for a while.
func (r *bigRig) settle() {
	index := func() (n uint64) {
		r.s.barn.Read(func(st *state.State) { n = st.Index() })
		return n
	}
	for last, still := index(), 0; still < 10; {
		time.Sleep(100 * time.Millisecond)
		if now := index(); now != last {
			last, still = now, 0
		} else {
			still++
		}
	}
}

// list lists the queue as squeue does, and returns how many records came in how
// many messages.
func (r *bigRig) list(req *rinkpb.ListJobsRequest) (jobs, pages int) {
	r.t.Helper()
	stream, err := r.client.ListJobs(context.Background(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	for {
		page, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return jobs, pages
		}
		if err != nil {
			r.t.Fatal(err)
		}
		jobs += len(page.Jobs)
		pages++
	}
}

// BenchmarkBigQueue is a controller of 10,000 nodes of 64 CPUs, all taken, with
// 100,000 jobs waiting: what it takes, and how long a submission, a question when a
// job could start, a look at one job and a listing of all take.
func BenchmarkBigQueue(b *testing.B) {
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / 1e6
	}
	before := heap()
	r := newBigRig(b, 10_000, "")
	empty := heap()
	for waiting := 0; waiting < 100_000; waiting, _ = r.counts() {
		for range 10 {
			r.submit(500)
		}
		r.settle()
	}
	waiting, holding := r.counts()
	b.Logf("%d wait, %d run", waiting, holding)
	r.drain()
	full := heap()
	quantiles := func(what string, n int, do func()) {
		var took []time.Duration
		for range n {
			at := time.Now()
			do()
			took = append(took, time.Since(at))
			time.Sleep(5 * time.Millisecond)
		}
		slices.Sort(took)
		b.ReportMetric(took[n/2].Seconds()*1000, what+"-p50-ms")
		b.ReportMetric(took[n-1].Seconds()*1000, what+"-max-ms")
	}
	for b.Loop() {
		quantiles("sbatch", 200, func() { r.submit(1) })
		stop := r.work(50 * time.Millisecond)
		quantiles("busy-sbatch", 200, func() { r.submit(1) })
		stop()
		quantiles("test-only", 20, func() {
			if _, err := r.client.TestOnly(context.Background(), &rinkpb.SubmitRequest{Jobs: []*rinkpb.JobRequest{r.request()}}); err != nil {
				b.Fatal(err)
			}
		})
		quantiles("squeue-j", 100, func() {
			if n, _ := r.list(&rinkpb.ListJobsRequest{Refs: []*rinkpb.JobRef{{Job: 50_000}}}); n != 1 {
				b.Fatal(n)
			}
		})
		quantiles("squeue", 3, func() {
			n, pages := r.list(&rinkpb.ListJobsRequest{Plan: true})
			if w, h := r.counts(); n < w+h-10 || pages < n/pageSize {
				b.Fatal(n, w, h, pages)
			}
		})
		b.ReportMetric(full-before, "MB")
		b.ReportMetric(empty-before, "empty-MB")
	}
}

// A look at a queue comes in pages, each job once.
func TestListingComesInPages(t *testing.T) {
	r := newBigRig(t, 4, "")
	r.submit(2*pageSize + 100)
	jobs, pages := r.list(&rinkpb.ListJobsRequest{})
	if jobs != 2*pageSize+100 || pages != 3 {
		t.Errorf("%d jobs came in %d pages", jobs, pages)
	}
	ref := func(id uint32) *rinkpb.JobRef { return &rinkpb.JobRef{Job: id} }
	if jobs, _ := r.list(&rinkpb.ListJobsRequest{Refs: []*rinkpb.JobRef{ref(1), ref(2), ref(1)}}); jobs != 2 {
		t.Errorf("two jobs, one named twice, are listed as %d", jobs)
	}
}

// What the last plan said of a job is kept as long as it says more than the job's
// record does.
func TestWaitBookKeepsWhatSaysMore(t *testing.T) {
	b := newWaitBook()
	b.plan([]sched.Wait{{Job: 1, Start: time.Unix(60, 0)}, {Job: 2, Reason: slurm.ReasonPriority}, {Job: 3, Detail: []sched.Obstacle{{What: "cpus"}}}})
	for id, want := range map[slurm.JobID]bool{1: true, 2: false, 3: true} {
		if _, ok := b.expected(id); ok != want {
			t.Errorf("job %d is there: %v", id, ok)
		}
	}
	b.plan([]sched.Wait{{Job: 1, Reason: slurm.ReasonPriority}})
	if w, ok := b.expected(1); ok {
		t.Errorf("a start that is not expected any more is told: %+v", w)
	}
}
