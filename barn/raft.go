package barn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// startRaft makes the transport, bootstraps where that is asked for and there
// is nothing yet, and starts Raft.
func (b *Barn) startRaft(raftLog *raftLog, known *identity) error {
	b.trans = b.o.transport
	switch {
	case b.trans != nil:
	case b.o.Stream != nil:
		b.lines = &lines{}
		b.trans = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
			Stream: advertised{b.o.Stream, b.o.Address, b.lines}, MaxPool: 3, Timeout: b.o.NetworkTimeout, Logger: raftLog,
		})
	default:
		_, b.trans = raft.NewInmemTransport(raft.ServerAddress(b.o.Address))
	}

	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(b.o.ID)
	c.Logger = raftLog
	c.HeartbeatTimeout = b.o.HeartbeatTimeout
	c.ElectionTimeout = b.o.ElectionTimeout
	c.LeaderLeaseTimeout = b.o.LeaderLease
	c.MaxAppendEntries = 64
	c.ShutdownOnRemove = false
	c.SnapshotThreshold = b.o.SnapshotRecords
	c.SnapshotInterval = b.o.SnapshotEvery
	c.TrailingLogs = b.o.TrailingRecords
	c.NotifyCh = b.leading.notify
	c.NoLegacyTelemetry = true

	// Raft reads the log while it starts, and panics on what it cannot read.
	// It starts in a goroutine of its own, because the store ends the calling
	// goroutine after a failure.
	done := make(chan error, 1)
	go func() {
		err := errors.New("the log failed while it was read")
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%w: %q: %v", ErrDamaged, b.store.path, r)
			}
			done <- err
		}()
		debug.SetPanicOnFault(true)
		err = b.bootAndStart(c, known)
	}()
	if err := <-done; err != nil {
		if cause := b.Err(); cause != nil {
			return cause
		}
		return err
	}
	return nil
}

// advertised is a stream that tells peers the address they reach it by, which
// need not be the one it listens on.
type advertised struct {
	raft.StreamLayer
	address string
	lines   *lines
}

// Dial tracks the connection, so that it can be cut.
func (a advertised) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	conn, err := a.StreamLayer.Dial(address, timeout)
	if err != nil {
		return nil, err
	}
	return a.lines.keep(conn)
}

func (a advertised) Addr() net.Addr { return peerAddr(a.address) }

type peerAddr string

func (peerAddr) Network() string  { return "tcp" }
func (a peerAddr) String() string { return string(a) }

// cachedEntries are kept in memory for followers and for Apply, which would
// otherwise read what was just written from the disk.
const cachedEntries = 64

// bootAndStart makes a new cluster where that is due and starts Raft.
func (b *Barn) bootAndStart(c *raft.Config, known *identity) error {
	has, err := raft.HasExistingState(b.store, b.store, b.snaps)
	if err != nil {
		return fmt.Errorf("%w: %q: %w", ErrDamaged, b.store.path, err)
	}
	if known != nil && known.Member && !has {
		return fmt.Errorf("%w: %q holds nothing, but this controller has been a member of cluster %q", ErrDamaged, b.store.path, known.Cluster)
	}
	if !has && b.o.Bootstrap {
		err := raft.BootstrapCluster(c, b.store, b.store, b.snaps, b.trans, raft.Configuration{Servers: []raft.Server{
			{Suffrage: raft.Voter, ID: c.LocalID, Address: b.trans.LocalAddr()},
		}})
		if err != nil {
			return fmt.Errorf("cannot make a new cluster: %w", err)
		}
		has = true
	}
	if known == nil || known.Member != has {
		if err := writeIdentity(b.o, has); err != nil {
			return err
		}
	}

	var log raft.LogStore = b.store
	if !b.alone() {
		if log, err = raft.NewLogCache(cachedEntries, b.store); err != nil {
			return err
		}
	}
	if !has {
		// One that joins: from its first entry on, a log that is not there is a loss.
		b.store.begun = func() error { return writeIdentity(b.o, true) }
	}
	b.store.live.Store(true)
	b.raft, err = raft.NewRaft(c, b.fsm, log, b.store, b.snaps, b.trans)
	if err != nil {
		path, cause := b.snaps.last()
		if cause != nil {
			return cause
		}
		if cause := b.fsm.restoreError(); cause != nil {
			return fmt.Errorf("snapshot %q: %w", path, cause)
		}
		return err
	}

	voters := b.voters()
	if b.alone() && (len(voters) > 1 || len(voters) == 1 && voters[0].ID != b.o.ID) {
		return fmt.Errorf("the cluster's controllers are %v: they cannot be reached without a stream between controllers", voters)
	}
	if len(voters) == 1 && voters[0].ID == b.o.ID {
		// Nobody else can be leading: there is no reason to wait for a
		// heartbeat before standing for election. A follower looks at its
		// timer at once when the timeout is made shorter.
		rc := b.raft.ReloadableConfig()
		rc.HeartbeatTimeout = max(rc.HeartbeatTimeout-time.Millisecond, b.o.LeaderLease)
		if err := b.raft.ReloadConfig(rc); err != nil {
			return err
		}
	}
	return nil
}

// alone reports whether no peer can be reached.
func (b *Barn) alone() bool { return b.o.Stream == nil && b.o.transport == nil }

// Server is a controller of the cluster.
type Server struct {
	ID, Address string
	Voter       bool
	Leader      bool
}

func (s Server) String() string { return s.ID + " at " + s.Address }

// Servers returns the cluster's controllers as far as this one knows.
func (b *Barn) Servers() []Server {
	future := b.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	_, leader := b.raft.LeaderWithID()
	var list []Server
	for _, s := range future.Configuration().Servers {
		list = append(list, Server{ID: string(s.ID), Address: string(s.Address), Voter: s.Suffrage == raft.Voter, Leader: s.ID == leader})
	}
	return list
}

func (b *Barn) voters() []Server {
	var list []Server
	for _, s := range b.Servers() {
		if s.Voter {
			list = append(list, s)
		}
	}
	return list
}

// onlyVoter reports whether this controller is the whole cluster. One that knows
// of no cluster yet is not.
func (b *Barn) onlyVoter() bool {
	servers := b.Servers()
	return len(servers) == 1 && servers[0].ID == b.o.ID
}

// AddVoter adds a controller, or changes the address of one. It must be called
// on the leader and returns when the change is committed.
func (b *Barn) AddVoter(ctx context.Context, id, address string) error {
	if b.alone() && id != b.o.ID {
		return fmt.Errorf("cannot add the controller %s: this one has no stream to reach it by", id)
	}
	return b.wait(ctx, "add the controller "+id, b.raft.AddVoter(raft.ServerID(id), raft.ServerAddress(address), 0, b.o.NetworkTimeout))
}

// Remove takes a controller out of the cluster. It must be called on the
// leader; when that is the one removed it steps down.
func (b *Barn) Remove(ctx context.Context, id string) error {
	return b.wait(ctx, "remove the controller "+id, b.raft.RemoveServer(raft.ServerID(id), 0, b.o.NetworkTimeout))
}

// TransferLeadership makes another controller leader: id, or the one that is
// furthest when id is "". It must be called on the leader.
func (b *Barn) TransferLeadership(ctx context.Context, id string) error {
	if id == "" {
		return b.wait(ctx, "hand over the lead", b.raft.LeadershipTransfer())
	}
	for _, s := range b.Servers() {
		if s.ID == id {
			return b.wait(ctx, "hand over the lead to "+id, b.raft.LeadershipTransferToServer(raft.ServerID(id), raft.ServerAddress(s.Address)))
		}
	}
	return fmt.Errorf("cannot hand over the lead to %s: there is no such controller", id)
}

// Barrier returns when everything committed before the call is applied here.
// It must be called on the leader.
func (b *Barn) Barrier(ctx context.Context) error {
	return b.wait(ctx, "wait for the log to be applied", b.raft.Barrier(b.o.EnqueueTimeout))
}

// VerifyLeader returns nil when this controller has a quorum's word that it is
// still the leader.
func (b *Barn) VerifyLeader(ctx context.Context) error {
	return b.wait(ctx, "verify the lead", b.raft.VerifyLeader())
}

// wait waits for a future of Raft, or the context.
func (b *Barn) wait(ctx context.Context, what string, f raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }() // ends with the future; Raft answers all of them while it runs
	select {
	case err := <-done:
		switch {
		case err == nil:
			return nil
		case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
			return fmt.Errorf("cannot %s: %w", what, b.notLeader())
		case errors.Is(err, raft.ErrRaftShutdown):
			return fmt.Errorf("cannot %s: %w", what, ErrClosed)
		}
		return fmt.Errorf("cannot %s: %w", what, err)
	case <-ctx.Done():
		return fmt.Errorf("cannot %s: %w", what, ctx.Err())
	case <-b.closing:
		return fmt.Errorf("cannot %s: %w", what, ErrClosed)
	}
}

// Leader returns the leader's id and address, "" when none is known.
func (b *Barn) Leader() (id, address string) {
	a, i := b.raft.LeaderWithID()
	return string(i), string(a)
}

// IsLeader reports whether this controller leads and has applied everything
// that was committed before it did.
func (b *Barn) IsLeader() bool { return b.leading.current().Leader && b.raft.State() == raft.Leader }

// Term returns the current term.
func (b *Barn) Term() uint64 { return b.raft.CurrentTerm() }

// Stats returns numbers about Raft and the disk, for people to read.
func (b *Barn) Stats() map[string]string {
	m := b.raft.Stats()
	index, at := b.Index()
	m["state_index"] = fmt.Sprint(index)
	if !at.IsZero() {
		m["state_time"] = at.Format(time.RFC3339Nano)
	}
	m["log_bytes_since_snapshot"] = fmt.Sprint(b.fsm.logBytes.Load())
	m["snapshot_bytes"] = fmt.Sprint(b.fsm.snapBytes.Load())
	m["opened"] = b.opened.Format(time.RFC3339)
	return m
}

// Leadership says whether this controller leads. A leader's Term is that of
// its lead: a greater one means that it lost the lead in between.
type Leadership struct {
	Leader bool
	Term   uint64
}

// leadership tells subscribers of changes.
type leadership struct {
	notify chan bool // written to by Raft, which waits for lead to take it

	mu    sync.Mutex
	now   Leadership
	subs  []chan Leadership
	ended bool
}

func (l *leadership) init() { l.notify = make(chan bool, 4) }

func (l *leadership) current() Leadership {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// Leadership returns a channel that gives the present state and then each
// change. Leader is told when everything committed in earlier terms has been
// applied, so what is read then is complete. A reader that is very slow may
// miss changes, but never that the lead was lost between two leads. The
// channel is closed by Close.
func (b *Barn) Leadership() <-chan Leadership {
	l := &b.leading
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := make(chan Leadership, 16)
	if l.ended {
		close(ch)
		return ch
	}
	ch <- l.now
	l.subs = append(l.subs, ch)
	return ch
}

func (l *leadership) set(v Leadership) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == v {
		return
	}
	l.now = v
	for _, ch := range l.subs {
		select {
		case ch <- v:
			continue
		default:
		}
		for len(ch) > 0 { // nobody else sends
			select {
			case <-ch:
			default:
			}
		}
		ch <- Leadership{Term: v.Term}
		if v.Leader {
			ch <- v
		}
	}
}

func (l *leadership) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended, l.now = true, Leadership{}
	for _, ch := range l.subs {
		close(ch)
	}
	l.subs = nil
}

// lead follows the leadership: each time this controller wins the lead it
// waits until the log is applied before it tells. It runs until Close.
func (b *Barn) lead() {
	defer b.own.Done()
	defer b.leading.end()
	type won struct {
		term uint64
		err  error
	}
	var barrier chan won // nil: none under way
	for {
		select {
		case <-b.closing:
			return
		case leader := <-b.leading.notify:
			term := b.raft.CurrentTerm()
			if !leader {
				barrier = nil
				b.leading.set(Leadership{Term: term})
				b.log.Warn("this controller no longer leads", "id", b.o.ID, "term", term)
				continue
			}
			ch := make(chan won, 1)
			barrier = ch
			go func() { ch <- won{term, b.raft.Barrier(b.o.EnqueueTimeout).Error()} }() // answered by Raft in any case
		case w := <-barrier:
			barrier = nil
			if w.err != nil {
				if b.raft.State() == raft.Leader && errors.Is(w.err, raft.ErrEnqueueTimeout) {
					ch := make(chan won, 1)
					barrier = ch
					go func() { ch <- won{w.term, b.raft.Barrier(b.o.EnqueueTimeout).Error()} }()
				}
				continue // the loss of the lead is told on notify
			}
			b.leading.set(Leadership{Leader: true, Term: w.term})
			b.log.Info("this controller leads", "id", b.o.ID, "term", w.term, "after", b.o.now().Sub(b.opened))
		}
	}
}

// WaitReady waits until this controller leads, or has applied what a leader
// has committed as far as it knows. It returns the leader's id and address.
func (b *Barn) WaitReady(ctx context.Context) (id, address string, err error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if id, address := b.Leader(); id != "" {
			if id == b.o.ID && b.IsLeader() {
				return id, address, nil
			}
			if id != b.o.ID && b.raft.CommitIndex() > 0 && b.raft.AppliedIndex() >= b.raft.CommitIndex() {
				return id, address, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", "", fmt.Errorf("cannot find a leader: %w", ctx.Err())
		case <-b.failure.done:
			return "", "", b.Err()
		case <-b.closing:
			return "", "", ErrClosed
		case <-tick.C:
		}
	}
}

// WaitApplied waits until the log entry index is applied here, so that what
// was proposed elsewhere can be read on this controller.
func (b *Barn) WaitApplied(ctx context.Context, index uint64) error {
	w := b.fsm.stream.watchTail()
	for {
		if now, _ := b.Index(); now >= index {
			return nil
		}
		if _, err := w.Next(ctx); err != nil {
			return fmt.Errorf("cannot wait for log entry %d: %w", index, err)
		}
	}
}
