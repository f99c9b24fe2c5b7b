package ctld

import (
	"context"
	"sync"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// waitBook holds who waits for what: the plan's story of each pending job, and
// the calls that wait for a job or for room for a step.
type waitBook struct {
	mu      sync.Mutex // guards all
	planned map[slurm.JobID]sched.Wait
	jobs    map[slurm.JobID]map[chan *sched.Job]struct{}
	steps   map[slurm.JobID]chan struct{} // closed when a step of the job ends
}

func newWaitBook() *waitBook {
	return &waitBook{
		planned: map[slurm.JobID]sched.Wait{},
		jobs:    map[slurm.JobID]map[chan *sched.Job]struct{}{},
		steps:   map[slurm.JobID]chan struct{}{},
	}
}

// plan keeps what the last cycle said of the jobs it left waiting.
func (b *waitBook) plan(waits []sched.Wait) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range waits {
		if w.Start.IsZero() && len(w.Nodes)+len(w.Detail) == 0 {
			delete(b.planned, w.Job) // the record says as much
			continue
		}
		b.planned[w.Job] = w
	}
}

// expected returns the last plan's word on a pending job.
func (b *waitBook) expected(id slurm.JobID) (sched.Wait, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, ok := b.planned[id]
	return w, ok
}

// plannedOf returns those of the given nodes on which a pending job is expected to start.
func (b *waitBook) plannedOf(nodes map[sched.NodeName]bool) map[sched.NodeName]bool {
	out := make(map[sched.NodeName]bool)
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range b.planned {
		if len(out) == len(nodes) {
			break
		}
		for _, n := range w.Nodes {
			if nodes[n] {
				out[n] = true
			}
		}
	}
	return out
}

func (b *waitBook) forget(id slurm.JobID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.planned, id)
}

// watch subscribes to a job's changes. The channel holds the newest record
// only: a slow reader misses steps between, never the last.
func (b *waitBook) watch(id slurm.JobID) (<-chan *sched.Job, func()) {
	ch := make(chan *sched.Job, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.jobs[id] == nil {
		b.jobs[id] = map[chan *sched.Job]struct{}{}
	}
	b.jobs[id][ch] = struct{}{}
	return ch, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.jobs[id], ch)
		if len(b.jobs[id]) == 0 {
			delete(b.jobs, id)
		}
	}
}

// notify tells those who watch the job.
func (b *waitBook) notify(j *sched.Job) {
	if j == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for ch := range b.jobs[j.ID] {
		select {
		case <-ch:
		default:
		}
		ch <- j // room was made above, and notify is the only sender
	}
	if j.State.Ended() {
		b.wakeSteps(j.ID)
	}
}

// stepRoomMade wakes the calls that wait to make a step of a job.
func (b *waitBook) stepRoomMade(id slurm.JobID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wakeSteps(id)
}

// wakeSteps needs b.mu held.
func (b *waitBook) wakeSteps(id slurm.JobID) {
	if ch := b.steps[id]; ch != nil {
		close(ch)
		delete(b.steps, id)
	}
}

// stepRoom returns a channel that is closed when, after this call, a step of the job
// ends or the job's own state changes.
func (b *waitBook) stepRoom(id slurm.JobID) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	ch := b.steps[id]
	if ch == nil {
		ch = make(chan struct{})
		b.steps[id] = ch
	}
	return ch
}

// stepLocks lets one step of a job be placed at a time, from looking at the
// job to its entry being committed.
type stepLocks struct {
	mu   sync.Mutex // guards held
	held map[slurm.JobID]chan struct{}
}

// lock waits its turn; the returned function gives the turn on.
func (l *stepLocks) lock(ctx context.Context, id slurm.JobID) (func(), error) {
	for {
		l.mu.Lock()
		if l.held == nil {
			l.held = map[slurm.JobID]chan struct{}{}
		}
		busy := l.held[id]
		if busy == nil {
			mine := make(chan struct{})
			l.held[id] = mine
			l.mu.Unlock()
			return func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				delete(l.held, id)
				close(mine)
			}, nil
		}
		l.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
