package barn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/barn/state"
)

// Proposals are committed in groups: while one log record is on its way to the
// disk, the proposals that arrive meanwhile wait, and all of them go into the
// next. So the rate does not depend on how long the disk takes.
//
// Sending the next record at once would split callers that propose again and
// again into two halves that take turns, each waiting for the other's record
// on top of its own. So collect sends a second record only when it is a large
// one, which keeps disk and Apply busy at the same time; otherwise it waits
// for the answer to the first, and then a moment for those just answered to
// come back.
//
// Each proposer encodes its own commands. collect gathers what is there, puts
// the time on it and hands it to Raft; commit waits for the records in order
// and gives the answers out.

// linger is how long collect waits for callers to come back. It is little
// beside what a disk takes, and nobody waits when one caller is alone.
const linger = 200 * time.Microsecond

// proposal is one call of Propose. Its commands stay together in one record.
type proposal struct {
	bodies [][]byte // entries, encoded but for their time
	level  uint32   // the highest of the commands'
	size   int
	done   chan answer // has room for the answer
}

type answer struct {
	results []state.Result
	err     error
}

// group is a log record on its way.
type group struct {
	future    raft.ApplyFuture
	proposals []*proposal
}

// proposals is the queue between Propose, collect and commit.
type proposals struct {
	mu       sync.Mutex
	queue    []*proposal
	size     int // bytes in queue
	inFlight int // records sent and not answered
	answered int // proposals in the record answered last
	closed   bool
	wake     chan struct{} // has room for one
	sent     chan group
	idle     chan struct{} // closed when commit has ended
}

func (q *proposals) init(inFlight int) {
	q.wake = make(chan struct{}, 1)
	q.sent = make(chan group, inFlight)
	q.idle = make(chan struct{})
}

// drain waits until nothing is on its way. Barn.closing is closed before.
func (q *proposals) drain() {
	if q.idle != nil {
		<-q.idle
	}
}

func (q *proposals) add(p *proposal) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.queue = append(q.queue, p)
	q.size += p.size
	q.rouse()
	return true
}

// rouse wakes collect.
func (q *proposals) rouse() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// done notes that a record with n proposals was answered.
func (q *proposals) done(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.inFlight--
	q.answered = n
	q.rouse()
}

// remove takes p back out of the queue; false when it has left already.
func (q *proposals) remove(p *proposal) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, other := range q.queue {
		if other == p {
			q.queue = append(q.queue[:i], q.queue[i+1:]...)
			q.size -= p.size
			return true
		}
	}
	return false
}

// take returns what goes into the next record, and counts it as sent: at least
// one proposal, and no more than max bytes unless the first alone is larger.
// It returns nil when there is none, or when it is better to wait: again is
// then how long at most, 0 for until something changes.
func (q *proposals) take(max, records int, lingered bool) (taken []*proposal, again time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case len(q.queue) == 0:
		return nil, 0
	case q.inFlight >= records, q.inFlight > 0 && q.size < max/4:
		return nil, 0
	case q.inFlight == 0 && len(q.queue) < q.answered && !lingered:
		return nil, linger
	}
	n, size := 0, 0
	for n < len(q.queue) && (n == 0 || size+q.queue[n].size <= max) {
		size += q.queue[n].size
		n++
	}
	taken = append(taken, q.queue[:n]...)
	rest := copy(q.queue, q.queue[n:])
	clear(q.queue[rest:])
	q.queue = q.queue[:rest]
	q.size -= size
	q.inFlight++
	return taken, 0
}

// shut refuses further proposals and returns those still waiting.
func (q *proposals) shut() []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	left := q.queue
	q.queue, q.size = nil, 0
	return left
}

// Propose commits commands in actor's name and returns their results in order,
// once they are on the disks of a quorum and applied here. The commands are
// applied one after the other with nothing in between. That a command is
// refused is said in its Result, not in the error.
//
// The error is one of ErrNotLeader, ErrClosed, ErrFull, ErrTooLarge, ErrBusy,
// the context's error, an error of encoding (all: nothing was taken), or
// ErrLost (it may or may not be applied), for errors.Is.
func (b *Barn) Propose(ctx context.Context, actor state.Actor, cmds ...state.Command) ([]state.Result, error) {
	if len(cmds) == 0 {
		return nil, nil
	}
	if err := b.mayPropose(); err != nil {
		return nil, err
	}
	p := &proposal{bodies: make([][]byte, len(cmds)), done: make(chan answer, 1)}
	for i, cmd := range cmds {
		if err := b.mayWrite(cmd); err != nil {
			return nil, err
		}
		p.level = max(p.level, b.o.needsLevel(cmd))
		body, err := encodeEntryBody(actor, cmd)
		if err != nil {
			return nil, err
		}
		p.bodies[i] = body
		p.size += len(body) + entryOverhead
	}
	if p.size > b.o.MaxProposal {
		return nil, fmt.Errorf("%w: %d bytes, the bound is %d", ErrTooLarge, p.size, b.o.MaxProposal)
	}
	if !b.proposals.add(p) {
		return nil, b.closedError()
	}
	select {
	case a := <-p.done:
		return a.results, a.err
	case <-ctx.Done():
		if b.proposals.remove(p) {
			return nil, ctx.Err()
		}
		select {
		case a := <-p.done: // it was just being answered
			return a.results, a.err
		default:
			return nil, fmt.Errorf("%w: %w", ErrLost, ctx.Err())
		}
	}
}

// mayPropose refuses what has no chance. What it lets pass is decided by Raft.
func (b *Barn) mayPropose() error {
	select {
	case <-b.closing:
		return ErrClosed
	default:
	}
	if b.Err() != nil {
		return b.closedError()
	}
	if b.raft.State() == raft.Leader {
		return nil
	}
	if b.store.full.Load() {
		return fmt.Errorf("%w in %q", ErrFull, b.o.Dir)
	}
	return b.notLeader()
}

func (b *Barn) closedError() error {
	if err := b.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return ErrClosed
}

func (b *Barn) notLeader() error {
	address, id := b.raft.LeaderWithID()
	return &NotLeaderError{LeaderID: string(id), LeaderAddress: string(address)}
}

// collect gathers proposals into records. It runs until Close.
func (b *Barn) collect() {
	defer b.own.Done()
	defer close(b.proposals.sent)
	defer func() {
		for _, p := range b.proposals.shut() {
			p.done <- answer{err: b.closedError()}
		}
	}()
	var last time.Time
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	waiting := false // the timer runs for those who may come back
	for {
		lingered := false
		select {
		case <-b.closing:
			return
		case <-b.proposals.wake:
		case <-timer.C:
			lingered = true
		}
		for {
			taken, again := b.proposals.take(b.o.MaxBatchBytes, b.o.BatchesInFlight, lingered)
			if again > 0 && !waiting {
				timer.Reset(again)
			}
			waiting = again > 0
			if taken == nil {
				break
			}
			if err := b.mayCommit(taken); err != nil {
				refuse(taken, err)
				b.proposals.done(0)
				continue
			}
			last = b.stamp(last)
			record := encodeRecord(last, taken)
			b.proposals.sent <- group{b.raft.Apply(record, b.o.EnqueueTimeout), taken}
		}
	}
}

// mayCommit looks at what may have changed since the proposals were queued,
// and at the space on the disk: refusing a proposal costs less than the lead,
// which is lost when the log cannot be written.
func (b *Barn) mayCommit(taken []*proposal) error {
	if err := b.mayPropose(); err != nil {
		return err
	}
	size := 0
	for _, p := range taken {
		size += p.size
	}
	return b.hasSpace(size)
}

// hasSpace returns ErrFull when the disk has no space for so much beside what is kept
// free.
func (b *Barn) hasSpace(size int) error {
	if b.o.MinFree < 0 {
		return nil
	}
	if free, err := freeSpace(b.o.Dir); err == nil && free < b.o.MinFree+int64(size) {
		return fmt.Errorf("%w: %q has %d bytes left, %d are kept free", ErrFull, b.o.Dir, free, b.o.MinFree)
	}
	return nil
}

// stamp returns the time for the next record: now, but never earlier than the
// record before or what is applied, whoever's clock that came from.
func (b *Barn) stamp(last time.Time) time.Time {
	now := b.o.now()
	if _, at := b.Index(); at.After(last) {
		last = at
	}
	if now.Before(last) {
		return last
	}
	return now
}

func refuse(ps []*proposal, err error) {
	for _, p := range ps {
		p.done <- answer{err: err}
	}
}

// commit waits for records and answers their proposals, in order. It ends when
// collect has ended and the last record is answered; Raft runs until then, so
// that every record is.
func (b *Barn) commit() {
	defer b.own.Done()
	defer close(b.proposals.idle)
	for g := range b.proposals.sent {
		b.answer(g)
		b.proposals.done(len(g.proposals))
	}
}

func (b *Barn) answer(g group) {
	if err := g.future.Error(); err != nil {
		refuse(g.proposals, b.commitError(err))
		return
	}
	a := g.future.Response().(applied)
	for _, p := range g.proposals {
		if a.err != nil {
			p.done <- answer{err: fmt.Errorf("%w: %w", ErrLost, a.err)}
			continue
		}
		n := len(p.bodies)
		p.done <- answer{results: a.results[:n:n]}
		a.results = a.results[n:]
	}
}

// commitError says in this package's terms what Raft made of a record.
func (b *Barn) commitError(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return b.notLeader()
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("%w: not taken in %v", ErrBusy, b.o.EnqueueTimeout)
	case errors.Is(err, ErrFull):
		return err
	case errors.Is(err, raft.ErrLeadershipLost):
		return fmt.Errorf("%w: the lead was lost before it was committed", ErrLost)
	default:
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
}
