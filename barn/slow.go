package barn

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// A leader whose disk takes seconds for a write holds everybody up: nothing is
// committed before it is on a quorum's disks, the leader's own goes on being
// waited for by those that lead through it, and Raft's main goroutine stands in
// the write. The followers notice nothing, since heartbeats are sent beside it. So
// the lead is handed over after a slow write; and while one does not come back at
// all, the lines to the followers are cut, so that they elect another. A disk that is
// about to be full is handed over for as well: its leader refuses what is proposed,
// and others may have space.

// slowEvery is how often the disk is looked at; handOverEvery and fullEvery how often
// the lead is handed over for it at most, should all disks be slow, or full; the latter
// ever more seldom, until fullMost.
const (
	slowEvery     = 100 * time.Millisecond
	handOverEvery = 10 * time.Second
	fullEvery     = 2 * time.Second
	fullMost      = time.Minute
)

// fullDisk says when a leader whose disk is full hands over for it: at once, and when
// the lead comes back to it, since the others' disks are full too, ever more seldom.
type fullDisk struct {
	last time.Time
	wait time.Duration
}

func (f *fullDisk) handOver(full bool, now time.Time) bool {
	switch {
	case !full:
		f.wait = 0
	case now.Sub(f.last) >= max(f.wait, fullEvery):
		f.last, f.wait = now, min(2*max(f.wait, fullEvery), fullMost)
		return true
	}
	return false
}

// diskWatch is what the store notes of its writes.
type diskWatch struct {
	since atomic.Int64 // when the write under way began, in nanoseconds; 0: none
	slow  atomic.Int64 // the longest since it was last looked at
}

// watch notes a write from here to the call of what it returns.
func (d *diskWatch) watch() func() {
	began := time.Now()
	d.since.Store(began.UnixNano())
	return func() {
		d.since.Store(0)
		if took := int64(time.Since(began)); took > d.slow.Load() {
			d.slow.Store(took) // one write at a time
		}
	}
}

// longest returns how long the longest write took since the last call, and how
// long the one under way has taken.
func (d *diskWatch) longest() (done, now time.Duration) {
	if since := d.since.Load(); since != 0 {
		now = time.Since(time.Unix(0, since))
	}
	return time.Duration(d.slow.Swap(0)), now
}

// watchDisk hands the lead over when the disk is slow, or about to be full. It runs
// until Close.
func (b *Barn) watchDisk() {
	defer b.own.Done()
	ticker := time.NewTicker(slowEvery)
	defer ticker.Stop()
	var last time.Time
	var full fullDisk
	for {
		select {
		case <-b.closing:
			return
		case <-ticker.C:
		}
		// The file system is asked of a leader alone, and not while a write hangs: it might, too.
		done, now := b.store.disk.longest()
		if b.raft.State() == raft.Leader && now < slowEvery && b.otherVoters() {
			if err := b.hasSpace(0); full.handOver(err != nil, time.Now()) {
				b.log.Error("the disk is full: the lead is handed over", "error", err)
				b.giveUpLead()
			}
		}
		if b.o.SlowWrite < 0 {
			continue
		}
		hung := now > 2*b.o.SlowWrite && b.raft.State() == raft.Leader && b.otherVoters()
		if b.lines != nil && b.lines.cutOff(hung) {
			b.log.Error("the disk does not answer: the lines to the other controllers are cut, so that one of them leads", "for", now)
		}
		if done < b.o.SlowWrite || b.raft.State() != raft.Leader || !b.otherVoters() || time.Since(last) < handOverEvery {
			continue
		}
		last = time.Now()
		b.log.Warn("the disk is slow: the lead is handed over", "took", done)
		b.giveUpLead()
	}
}

// giveUpLead hands the lead to whichever controller is furthest.
func (b *Barn) giveUpLead() {
	ctx, cancel := context.WithTimeout(context.Background(), b.o.NetworkTimeout)
	defer cancel()
	if err := b.TransferLeadership(ctx, ""); err != nil {
		b.log.Warn("the lead cannot be handed over", "error", err)
	}
}

func (b *Barn) otherVoters() bool {
	for _, s := range b.voters() {
		if s.ID != b.o.ID {
			return true
		}
	}
	return false
}

// lines are the connections to other controllers that Raft dialled.
type lines struct {
	mu    sync.Mutex
	off   bool
	conns map[*trackedConn]bool
}

// cutOff cuts all lines and lets none be dialled while off, and reports whether
// that is new.
func (l *lines) cutOff(off bool) bool {
	l.mu.Lock()
	was := l.off
	l.off = off
	var all []*trackedConn
	if off {
		for c := range l.conns {
			all = append(all, c)
		}
	}
	l.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
	return off && !was
}

// keep tracks a connection, or closes it while the lines are cut.
func (l *lines) keep(conn net.Conn) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.off {
		conn.Close()
		return nil, errCut
	}
	if l.conns == nil {
		l.conns = map[*trackedConn]bool{}
	}
	c := &trackedConn{Conn: conn, of: l}
	l.conns[c] = true
	return c, nil
}

var errCut = &net.OpError{Op: "dial", Err: context.DeadlineExceeded}

type trackedConn struct {
	net.Conn
	of *lines
}

func (c *trackedConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
