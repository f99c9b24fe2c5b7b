package barn

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// AddNonvoter adds a controller that is sent the log and has no vote, so that
// nothing waits for it until it has caught up. It must be called on the leader
// and returns when the change is committed.
func (b *Barn) AddNonvoter(ctx context.Context, id, address string) error {
	return b.wait(ctx, "add the controller "+id, b.raft.AddNonvoter(raft.ServerID(id), raft.ServerAddress(address), 0, b.o.NetworkTimeout))
}

// Standing is how far this controller is, by its own word.
type Standing struct {
	Term, Last, Commit, Snapshot uint64
	// Contact is how long ago the leader was heard; 0 on the leader, negative
	// when it never was.
	Contact time.Duration
	Full    bool // the disk has no space for the log
}

// Standing returns how far this controller is.
func (b *Barn) Standing() Standing {
	st := Standing{
		Term: b.raft.CurrentTerm(), Last: b.raft.LastIndex(), Commit: b.raft.CommitIndex(), Snapshot: b.snaps.index.Load(), Full: b.store.full.Load() || b.hasSpace(0) != nil,
	}
	if b.raft.State() != raft.Leader {
		st.Contact = -1
		if at := b.raft.LastContact(); !at.IsZero() {
			st.Contact = max(time.Since(at), 0)
		}
	}
	return st
}

// LeaderChanges returns a channel that holds a signal whenever another
// controller is known to lead, or none, and what ends it.
func (b *Barn) LeaderChanges() (<-chan struct{}, func()) {
	seen := make(chan raft.Observation, 1)
	changes := make(chan struct{}, 1)
	o := raft.NewObserver(seen, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		if ok { // what is told is that it changed: a signal that is there already will do
			select {
			case changes <- struct{}{}:
			default:
			}
		}
		return false
	})
	b.raft.RegisterObserver(o)
	return changes, func() { b.raft.DeregisterObserver(o) }
}

// succession is by how much each further controller holds back when a leader is
// known to be gone, so that they do not stand against one another.
const succession = 100 * time.Millisecond

// Succeed is told that the process of the controller that leads is gone, which its
// closed port proves. This one then stands for election at once, or a little later
// when others come before it, without waiting until the leader is missed. Being
// wrong costs an election and nothing else.
func (b *Barn) Succeed(leader string) {
	now, _ := b.Leader()
	if now != leader || leader == b.o.ID {
		return
	}
	place, voter := 0, false
	for _, s := range b.voters() {
		voter = voter || s.ID == b.o.ID
		if s.ID != leader && s.ID < b.o.ID {
			place++
		}
	}
	if !voter {
		return
	}
	term := b.raft.CurrentTerm()
	select {
	case <-time.After(time.Duration(place) * succession):
	case <-b.closing:
		return
	}
	if now, _ := b.Leader(); now != leader || b.raft.CurrentTerm() != term {
		return // somebody else was faster, or the clock was
	}
	b.log.Info("the leader's process is gone; standing for election", "leader", leader, "term", term)
	// What a leader sends to the one it hands over to; nobody else can.
	var reply raft.TimeoutNowResponse
	err := b.trans.TimeoutNow(raft.ServerID(b.o.ID), b.trans.LocalAddr(), &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(b.o.ID), Addr: b.trans.EncodePeer(raft.ServerID(b.o.ID), b.trans.LocalAddr()),
	}}, &reply)
	if err != nil {
		b.log.Warn("cannot stand for election before the time", "error", err)
	}
}
