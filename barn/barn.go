// Package barn keeps the cluster's state: it takes commands, gets the
// controllers to agree on their order, applies them to the state of package
// barn/state on each of them, keeps log and snapshots on disk, and tells
// whoever watches what followed. It knows Raft; what the commands mean is
// barn/state's business alone.
//
// Propose returns after the command is on the disks of a quorum and has been
// applied here. Everything read with Read is committed.
package barn

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/barn/state"
)

// Options say what to open. Dir, ID and Cluster are needed; the rest has
// defaults, which are good for a cluster of a few controllers on one site.
type Options struct {
	// Dir is the directory everything is kept in; it is made when missing. One
	// barn at a time may have it open.
	Dir string
	// ID names this controller for good; Address is where its peers reach it:
	// by default where Stream listens, and the ID without one.
	ID, Address string
	// Cluster is the cluster's name. A directory made for another one is refused.
	Cluster string
	// Bootstrap makes a new cluster of this controller alone when Dir is empty;
	// otherwise it says nothing. Without it an empty controller waits to be
	// added with AddVoter.
	Bootstrap bool
	// Stream carries what controllers say to each other. nil: this controller
	// is alone and no network is touched.
	Stream raft.StreamLayer
	// Keys seal what is on the disk; nil: it is in the clear. A directory that is
	// sealed otherwise, or not at all, is sealed with it when it is opened.
	Keys Sealer
	// Sinks are fed everything in order.
	Sinks []Sink
	// Logger hears what an operator should know; nil: nobody.
	Logger *slog.Logger

	HeartbeatTimeout time.Duration // of a follower that hears nothing, before it stands for election; 1s
	ElectionTimeout  time.Duration // 1s
	LeaderLease      time.Duration // a leader without a quorum for so long steps down; 500ms
	NetworkTimeout   time.Duration // for one message between controllers; 10s
	EnqueueTimeout   time.Duration // how long Propose waits for Raft to take a batch; 10s

	// A snapshot is taken after so many log records or so many bytes of them.
	SnapshotRecords uint64        // 8192
	SnapshotBytes   int64         // 64 MiB, or the size of the last snapshot if that is more
	SnapshotEvery   time.Duration // how often the number of records is looked at; 30s
	// TrailingRecords are kept in the log after a snapshot, for followers that
	// lag: at most so many, and fewer when they are large; 4096.
	TrailingRecords uint64

	MaxBatchBytes int   // proposals are gathered up to this size; 1 MiB
	MaxProposal   int   // the largest proposal accepted; 64 MiB
	MinFree       int64 // proposals are refused while the disk has less space; 32 MiB, negative: not looked at
	NoSync        bool  // do not wait for the disk: for tests only, a crash loses what was acknowledged
	// A leader whose disk takes longer for a write hands the lead over, when there
	// is somebody to have it; 1s, negative: never.
	SlowWrite       time.Duration
	BatchesInFlight int // batches handed to Raft and not yet applied; 8
	// WriteFault, for tests, is asked before each write of the log, named as people
	// read it: its error is what the disk says. nil: nobody.
	WriteFault func(op string) error

	// For tests of this package.
	transport raft.Transport
	now       func() time.Time
	level     uint32                     // FormatLevel
	levelOf   func(state.Command) uint32 // of a command
}

func (o Options) withDefaults() (Options, error) {
	for _, need := range []struct{ name, value string }{{"Dir", o.Dir}, {"ID", o.ID}, {"Cluster", o.Cluster}} {
		if need.value == "" {
			return o, fmt.Errorf("cannot open a barn without %s", need.name)
		}
	}
	if o.Address == "" && o.Stream != nil {
		o.Address = o.Stream.Addr().String()
	}
	orDefault(&o.Address, o.ID)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.now == nil {
		o.now = time.Now
	}
	orDefault(&o.HeartbeatTimeout, time.Second)
	orDefault(&o.ElectionTimeout, time.Second)
	orDefault(&o.LeaderLease, min(500*time.Millisecond, o.HeartbeatTimeout))
	orDefault(&o.NetworkTimeout, 10*time.Second)
	orDefault(&o.EnqueueTimeout, 10*time.Second)
	orDefault(&o.SnapshotRecords, 8192)
	orDefault(&o.SnapshotBytes, 64<<20)
	orDefault(&o.SnapshotEvery, 30*time.Second)
	orDefault(&o.TrailingRecords, 4096)
	orDefault(&o.MaxBatchBytes, 1<<20)
	orDefault(&o.MaxProposal, 64<<20)
	orDefault(&o.MinFree, 32<<20)
	orDefault(&o.BatchesInFlight, 8)
	orDefault(&o.SlowWrite, time.Second)
	return o, nil
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// The errors of this package, for errors.Is.
var (
	// ErrNotLeader: another controller leads, or none; the proposal was not
	// taken. NotLeaderError names the leader.
	ErrNotLeader = errors.New("this controller is not the leader")
	// ErrClosed: the barn is closed or has failed; the proposal was not taken.
	ErrClosed = errors.New("the barn is closed")
	// ErrLost: it is not known whether the proposal will be applied, because
	// the lead was lost, or the wait given up, after it was handed on.
	ErrLost = errors.New("the fate of the proposal is not known")
	// ErrFull: there is no space for the log; the proposal was not taken.
	ErrFull = errors.New("no space left for the log")
	// ErrTooLarge: the proposal is larger than Options.MaxProposal.
	ErrTooLarge = errors.New("the proposal is too large")
	// ErrBusy: the log did not take the proposal in time; it was not taken.
	ErrBusy = errors.New("the log is too busy")
	// ErrHeld: another process has the directory open.
	ErrHeld = errors.New("the barn is in use")
	// ErrDamaged: a file of the barn is not what was written.
	ErrDamaged = errors.New("the barn is damaged")
	// ErrCompacted: what a watcher wants to see is no longer kept.
	ErrCompacted = errors.New("the events are no longer kept")
	// ErrNewer: something was written by a later version that this one cannot
	// read.
	ErrNewer = errors.New("written by a newer version")
	// ErrOldMembers: a controller of the cluster runs a version that could not
	// read the command; it was not taken.
	ErrOldMembers = errors.New("a controller of the cluster runs an older version")
)

// NotLeaderError says who leads, as far as this controller knows.
type NotLeaderError struct{ LeaderID, LeaderAddress string }

func (e *NotLeaderError) Error() string {
	if e.LeaderAddress == "" {
		return ErrNotLeader.Error() + ", and there is none at present"
	}
	return fmt.Sprintf("%v: %s at %s is", ErrNotLeader, e.LeaderID, e.LeaderAddress)
}

// Is makes it an ErrNotLeader.
func (e *NotLeaderError) Is(target error) bool { return target == ErrNotLeader }

// CompactedError says what is still kept.
type CompactedError struct{ From, Oldest uint64 }

func (e *CompactedError) Error() string {
	return fmt.Sprintf("cannot watch from log entry %d: events after %d are kept", e.From, e.Oldest)
}

// Is makes it an ErrCompacted.
func (e *CompactedError) Is(target error) bool { return target == ErrCompacted }

// Barn is an open barn. Its methods may be called from any goroutine.
//
// Its goroutines, all ended by Close: Raft's own; collect and commit, which
// carry proposals (propose.go); lead, which follows the leadership (raft.go);
// snapshots, which asks for snapshots by size (snapshot.go); watchDisk (slow.go); a feeder for each
// sink (sink.go).
type Barn struct {
	o       Options
	log     *slog.Logger
	lock    *dirLock
	store   *store
	snaps   *snapshots
	trans   raft.Transport
	lines   *lines // to the other controllers; nil without a stream
	raft    *raft.Raft
	fsm     *fsm
	feeders []*feeder
	opened  time.Time
	holding sync.Mutex // one Hold at a time
	levels  struct {
		mu sync.Mutex
		of map[string]uint32 // what other controllers read, as they said to this one
	}

	running   bool // start came to its end
	proposals proposals
	leading   leadership
	snapWake  chan struct{}

	failure failure
	closing chan struct{} // closed first of all by Close
	closed  sync.Once
	closeOK error
	own     sync.WaitGroup // collect, commit, lead, snapshots, watchDisk
}

// failure is the first fatal error.
type failure struct {
	err  atomic.Pointer[error]
	ch   chan error    // gives the error once, then is closed
	done chan struct{} // closed when there is one
}

// fail makes the barn fail: proposals are refused from now on, and whoever
// waits on Failed hears of it.
func (b *Barn) fail(err error) {
	if b.failure.err.CompareAndSwap(nil, &err) {
		b.log.Error("the barn failed", "dir", b.o.Dir, "error", err)
		b.failure.ch <- err
		close(b.failure.ch)
		close(b.failure.done)
	}
}

// Failed returns a channel that gives the error after which this controller
// cannot go on: a log that cannot be read or written, an entry that cannot be
// applied. The process should report it and end; everything acknowledged is
// on disk. A full disk is no such error.
func (b *Barn) Failed() <-chan error { return b.failure.ch }

// Err returns the error that Failed gives, nil while there is none.
func (b *Barn) Err() error {
	if err := b.failure.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Open opens the barn in o.Dir, restores the last snapshot and starts to take
// part in the cluster. It does not wait for a leader: see Leadership and
// WaitReady. Damaged files are refused with an error that names them.
func Open(o Options) (*Barn, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the barn's directory: %w", err)
	}
	b := &Barn{
		o:        o,
		log:      o.Logger,
		opened:   o.now(),
		snapWake: make(chan struct{}, 1),
		failure:  failure{ch: make(chan error, 1), done: make(chan struct{})},
		closing:  make(chan struct{}),
	}
	if b.lock, err = lockDir(o.Dir); err != nil {
		return nil, err
	}
	if err := b.start(); err != nil {
		b.Close()
		return nil, fmt.Errorf("cannot open the barn in %q: %w", o.Dir, err)
	}
	return b, nil
}

// start does what Open does under the lock. What it leaves behind when it
// fails is cleared away by Close.
func (b *Barn) start() error {
	known, err := readIdentity(b.o)
	if err != nil {
		return err
	}
	if err := checkPresent(b.o.Dir, known != nil); err != nil {
		return err
	}
	raftLog := newRaftLog(b.log)
	if reseal, err := checkKey(b.o, known); err != nil {
		return err
	} else if reseal {
		if err := sealAnew(b.o, known, raftLog); err != nil {
			return err
		}
	}
	if b.snaps, err = openSnapshots(b.o.Dir, b.o.Keys, raftLog); err != nil {
		return err
	}
	if b.store, err = openStore(filepath.Join(b.o.Dir, logName), b.o.NoSync); err != nil {
		return err
	}
	b.store.level, b.store.keys = b.o.readsLevel(), b.o.Keys
	b.store.fail, b.store.closing, b.store.fault = b.fail, b.closing, b.o.WriteFault
	b.store.snapshot = b.snaps.index.Load
	b.store.onFull = func(full bool, err error) {
		if full {
			b.log.Error("the disk is full: nothing can be committed until there is space again", "error", err)
		} else {
			b.log.Warn("there is space for the log again")
		}
	}
	if err := b.store.checkEntries(b.snaps.index.Load()); err != nil {
		return err
	}

	b.fsm = newFSM(b.o, b.fail, b.snapWake)
	for _, s := range b.o.Sinks {
		b.feeders = append(b.feeders, newFeeder(s, b.fsm.stream.watchTail(), b.onlyVoter))
	}
	b.leading.init()
	if err := b.startRaft(raftLog, known); err != nil {
		return err
	}
	b.warnSinks()
	for _, f := range b.feeders {
		go f.run(func(err error) { b.log.Error(err.Error()) })
	}
	b.fsm.setFeeders(b.feeders)
	b.proposals.init(b.o.BatchesInFlight)
	b.running = true
	b.own.Add(5)
	go b.watchDisk()
	go b.collect()
	go b.commit()
	go b.lead()
	go b.askSnapshots()
	return nil
}

// warnSinks says when a sink remembers more than the log has: the directory
// was put back from an older copy, say.
func (b *Barn) warnSinks() {
	last := b.raft.LastIndex()
	for i, f := range b.feeders {
		if f.consumed > last {
			b.log.Warn("a sink is ahead of the log; it will not be fed until the log has caught up",
				"sink", i, "sink-index", f.consumed, "log-index", last)
		}
	}
}

// Close ends everything, in this order: proposals are refused and those handed
// to Raft are waited for; Raft stops; watchers and sinks see what is left and
// sinks are flushed; the files are closed; the directory is given up. Nothing
// acknowledged is lost, however the process ends. Close may be called again.
func (b *Barn) Close() error {
	b.closed.Do(func() {
		close(b.closing)
		var errs []error
		if b.raft != nil {
			b.proposals.drain()
			errs = append(errs, b.raft.Shutdown().Error())
		}
		b.own.Wait()
		if b.fsm != nil {
			b.fsm.stream.end()
		}
		if b.running {
			for _, f := range b.feeders {
				<-f.done
			}
		}
		if t, ok := b.trans.(raft.WithClose); ok {
			errs = append(errs, t.Close())
		}
		if b.lines != nil {
			b.lines.cutOff(true) // those Raft was about to put back
		}
		if b.store != nil {
			errs = append(errs, b.store.close())
		}
		errs = append(errs, b.lock.release())
		b.closeOK = errors.Join(errs...)
	})
	return b.closeOK
}

// Read calls f with the state, which f must not change nor keep; the values in
// it are immutable and may be kept. Nothing is applied while f runs, so it
// should be quick.
func (b *Barn) Read(f func(*state.State)) {
	b.fsm.mu.RLock()
	defer b.fsm.mu.RUnlock()
	f(b.fsm.state)
}

// Watch returns a watcher that sees the batches after log entry from. What
// happened long ago is not kept: then the error is a CompactedError, and
// Follow is the way. From 0 it begins with the oldest batch kept, so that a
// watcher made right after Open misses nothing that is applied after the
// snapshot.
func (b *Barn) Watch(from uint64) (*Watcher, error) { return b.fsm.stream.watch(from) }

// Follow calls f as Read does and returns a watcher that sees exactly what
// follows the state that f saw.
func (b *Barn) Follow(f func(*state.State)) *Watcher {
	b.fsm.mu.RLock()
	defer b.fsm.mu.RUnlock()
	f(b.fsm.state)
	return b.fsm.stream.watchTail()
}

// Index returns the log index of the last command applied here, and its time.
func (b *Barn) Index() (uint64, time.Time) {
	b.fsm.mu.RLock()
	defer b.fsm.mu.RUnlock()
	return b.fsm.index, b.fsm.at
}
