package ctld

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// diag counts what this controller did, in memory alone, for sdiag to tell.
type diag struct {
	serving atomic.Int32 // calls in progress

	mu     sync.Mutex // guards all below
	since  time.Time
	counts counts
	// backfilled is never set back.
	backfilled int64
	types      map[string]*rpcCount // by the message's name
	users      map[uint32]*rpcCount
}

// counts are set back by a reset.
type counts struct {
	submitted, started, completed, canceled, failed int64
	backfilled, backfilledHet                       int64
	main, full                                      planCount
}

// planCount is what became of one kind of plans; times in microseconds.
type planCount struct {
	cycles, last, most, sum       int64
	depth, depthSum               int64
	tried, triedSum               int64
	queue, queueSum               int64
	promises, promisesSum, lastAt int64
}

type rpcCount struct {
	id          uint32
	count, time int64
}

func newDiag(now time.Time) *diag {
	return &diag{since: now, types: map[string]*rpcCount{}, users: map[uint32]*rpcCount{}}
}

// reset begins all counts anew; what was last seen stays.
func (d *diag) reset(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	keep := func(p planCount) planCount {
		return planCount{last: p.last, depth: p.depth, tried: p.tried, queue: p.queue, promises: p.promises, lastAt: p.lastAt}
	}
	d.since = now
	d.counts = counts{main: keep(d.counts.main), full: keep(d.counts.full)}
	clear(d.types)
	clear(d.users)
}

// planned counts one plan. A quick one does what Slurm's main scheduler does; a full
// one does that and the backfill scheduler's work, and counts as both.
func (d *diag) planned(full bool, began time.Time, took time.Duration, live *sched.Scheduler) {
	seen, tried := live.Looked()
	promises := int64(live.Promised())
	d.mu.Lock()
	defer d.mu.Unlock()
	add := func(p *planCount) {
		p.cycles++
		p.last = took.Microseconds()
		p.most = max(p.most, p.last)
		p.sum += p.last
		p.depth, p.tried, p.queue, p.promises = int64(seen), int64(tried), int64(live.Waiting()), promises
		p.depthSum += p.depth
		p.triedSum += p.tried
		p.queueSum += p.queue
		p.promisesSum += p.promises
		p.lastAt = began.UnixNano()
	}
	add(&d.counts.main)
	if full {
		add(&d.counts.full)
	}
}

// submitted counts jobs that were taken in; each task of an array is one.
func (d *diag) submitted(jobs []*sched.Job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, j := range jobs {
		d.counts.submitted += int64(max(1, j.Tasks.Len()))
	}
}

// happened counts what was committed.
func (d *diag) happened(ev state.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := &d.counts
	switch ev := ev.(type) {
	case state.JobStarted:
		c.started++
		if ev.Job.Scheduler == "Backfill" {
			d.backfilled++
			c.backfilled++
			if ev.Job.HetID != 0 {
				c.backfilledHet++
			}
		}
	case state.JobEnded:
		if ev.Requeued {
			return
		}
		n := int64(max(1, ev.Job.Tasks.Len()))
		switch ev.Job.State.Base() {
		case slurm.JobCancelled, slurm.JobPreempted:
			c.canceled += n
		case slurm.JobNodeFail, slurm.JobBootFail:
			c.failed += n // through no fault of its own
		default:
			c.completed += n
		}
	}
}

// called counts one call under the name of Slurm's message for it.
func (d *diag) called(name string, id uint32, uid uint32, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, u := d.types[name], d.users[uid]
	if t == nil {
		t = &rpcCount{id: id}
		d.types[name] = t
	}
	if u == nil {
		u = &rpcCount{id: uid}
		d.users[uid] = u
	}
	for _, c := range []*rpcCount{t, u} {
		c.count++
		c.time += took.Microseconds()
	}
}

// callerUID is whom a call is counted for: daemons call as root does.
func callerUID(ctx context.Context) uint32 {
	id, err := auth.Caller(ctx)
	if err != nil || !id.IsUser() {
		return 0
	}
	return id.UID
}

// unary counts calls of one answer.
func (d *diag) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	d.serving.Add(1)
	defer d.serving.Add(-1)
	began := time.Now()
	reply, err := handler(ctx, req)
	name, id := messageOf(info.FullMethod, req)
	d.called(name, id, callerUID(ctx), time.Since(began))
	return reply, err
}

// stream counts calls that go on for a while. Lines that stand as long as there is
// somebody at their end are counted when they are opened, and take no time.
func (d *diag) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if info.FullMethod == rinkpb.Nodes_Leaders_FullMethodName {
		return handler(srv, ss) // each agent has one open, and nothing comes over it
	}
	d.serving.Add(1)
	defer d.serving.Add(-1)
	seen := &firstMessage{ServerStream: ss}
	began := time.Now()
	if standing[info.FullMethod] {
		name, id := messageOf(info.FullMethod, nil)
		d.called(name, id, callerUID(ss.Context()), 0)
		return handler(srv, ss)
	}
	err := handler(srv, seen)
	name, id := messageOf(info.FullMethod, seen.first)
	d.called(name, id, callerUID(ss.Context()), time.Since(began))
	return err
}

// firstMessage remembers what a stream began with.
type firstMessage struct {
	grpc.ServerStream
	first any
}

func (f *firstMessage) RecvMsg(m any) error {
	err := f.ServerStream.RecvMsg(m)
	if f.first == nil && err == nil {
		f.first = m
	}
	return err
}

// standing are the calls that last as long as a step, a job or an agent does.
var standing = map[string]bool{
	rinkpb.Controller_StepIO_FullMethodName: true, rinkpb.Controller_WaitJob_FullMethodName: true, rinkpb.Nodes_Session_FullMethodName: true,
}
