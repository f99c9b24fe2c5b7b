package barn

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/barn/state"
)

// cluster is controllers in one process, joined by Raft's transport in memory.
type cluster struct {
	t     testing.TB
	barns []*Barn
	trans []*raft.InmemTransport
}

func clusterOptions(t testing.TB, i int, dir string, trans raft.Transport) Options {
	id := fmt.Sprintf("ctl%d", i+1)
	return Options{
		Dir: dir, ID: id, Cluster: "test", Bootstrap: i == 0, MinFree: -1, NoSync: true, Logger: testLogger(t, id), transport: trans,
		HeartbeatTimeout: 150 * time.Millisecond, ElectionTimeout: 150 * time.Millisecond, LeaderLease: 100 * time.Millisecond,
	}
}

// newCluster starts n controllers; the first makes the cluster and adds the
// others.
func newCluster(t testing.TB, n int) *cluster {
	t.Helper()
	return newClusterWith(t, n, func(int, *Options) {})
}

// newClusterWith is newCluster with options of one's own.
func newClusterWith(t testing.TB, n int, adjust func(i int, o *Options)) *cluster {
	t.Helper()
	c := &cluster{t: t}
	for i := range n {
		_, trans := raft.NewInmemTransportWithTimeout(raft.ServerAddress(fmt.Sprintf("ctl%d", i+1)), time.Second)
		for _, other := range c.trans {
			trans.Connect(other.LocalAddr(), other)
			other.Connect(trans.LocalAddr(), trans)
		}
		c.trans = append(c.trans, trans)
		o := clusterOptions(t, i, t.TempDir(), trans)
		adjust(i, &o)
		b, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := errors.Join(b.Err(), b.Close()); err != nil {
				t.Errorf("%s: %v", b.o.ID, err)
			}
		})
		c.barns = append(c.barns, b)
		if i == 0 {
			if _, _, err := b.WaitReady(within(t, 10*time.Second)); err != nil {
				t.Fatal(err)
			}
		} else if err := c.barns[0].AddVoter(within(t, 10*time.Second), b.o.ID, b.o.Address); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// cut takes a controller off the network; join puts it back.
func (c *cluster) cut(i int) {
	c.trans[i].DisconnectAll()
	for _, other := range c.trans {
		other.Disconnect(c.trans[i].LocalAddr())
	}
}

func (c *cluster) join(i int) {
	for j, other := range c.trans {
		if j != i {
			other.Connect(c.trans[i].LocalAddr(), c.trans[i])
			c.trans[i].Connect(other.LocalAddr(), other)
		}
	}
}

// shrink makes the leader let go of its log but for the last entry.
func (c *cluster) shrink(lead int) {
	c.t.Helper()
	rc := c.barns[lead].raft.ReloadableConfig()
	rc.TrailingLogs = 1
	if err := c.barns[lead].raft.ReloadConfig(rc); err != nil {
		c.t.Fatal(err)
	}
	if err := c.barns[lead].raft.Snapshot().Error(); err != nil {
		c.t.Fatal(err)
	}
}

// leader waits for a leader other than not and returns which it is.
func (c *cluster) leader(not int) int {
	c.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for i, b := range c.barns {
			if i != not && b.IsLeader() && b.Err() == nil {
				return i
			}
		}
	}
	c.t.Fatal("there is no leader")
	return -1
}

// same waits until all controllers have applied the same entries, and wants
// the same tokens on each.
func (c *cluster) same() []string {
	c.t.Helper()
	lead := c.barns[c.leader(-1)]
	index, at := lead.Index()
	want := tokens(lead)
	for _, b := range c.barns {
		if err := b.WaitApplied(within(c.t, 20*time.Second), index); err != nil {
			c.t.Fatal(err)
		}
		wantTokens(c.t, b, want...)
		if _, a := b.Index(); !a.Equal(at) {
			c.t.Errorf("%s is at %v, the leader at %v", b.o.ID, a, at)
		}
	}
	return want
}

func TestControllersAgree(t *testing.T) {
	c := newCluster(t, 3)
	lead := c.leader(-1)
	add(t, c.barns[lead], "a", "b")
	c.same()
	follower := c.barns[(lead+1)%3]
	_, err := follower.Propose(context.Background(), system, token("c"))
	var not *NotLeaderError
	if !errors.As(err, &not) || !errors.Is(err, ErrNotLeader) || not.LeaderID != c.barns[lead].o.ID || not.LeaderAddress == "" {
		t.Errorf("a follower answered %v", err)
	}
	if s := follower.Servers(); len(s) != 3 {
		t.Errorf("a follower knows of %v", s)
	}
	if err := follower.Barrier(within(t, time.Second)); !errors.Is(err, ErrNotLeader) {
		t.Errorf("a follower's barrier gave %v", err)
	}
}

// What was acknowledged is there whoever leads, while the lead goes round and
// leaders are cut off.
func TestLeaderChangeKeepsWhatIsAcknowledged(t *testing.T) {
	c := newCluster(t, 3)
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	var stop atomic.Bool
	var lost, refused atomic.Int64
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for n := 0; !stop.Load(); n++ {
				name := fmt.Sprintf("%d/%d", p, n)
				for _, b := range c.barns {
					if b.IsLeader() {
						ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
						_, err := b.Propose(ctx, system, token(name))
						cancel()
						switch {
						case err == nil:
							mu.Lock()
							acknowledged[name] = true
							mu.Unlock()
						case errors.Is(err, ErrLost):
							lost.Add(1)
						case errors.Is(err, ErrNotLeader), errors.Is(err, context.DeadlineExceeded):
							refused.Add(1)
						default:
							t.Errorf("proposing: %v", err)
						}
						break
					}
				}
				time.Sleep(time.Millisecond)
			}
		}()
	}
	for round := range 6 {
		lead := c.leader(-1)
		time.Sleep(50 * time.Millisecond)
		if round%2 == 0 {
			if err := c.barns[lead].TransferLeadership(within(t, 5*time.Second), ""); err != nil {
				t.Logf("round %d: %v", round, err)
			}
			continue
		}
		c.cut(lead)
		c.leader(lead)
		time.Sleep(50 * time.Millisecond)
		c.join(lead)
	}
	time.Sleep(100 * time.Millisecond)
	stop.Store(true)
	wg.Wait()
	there := map[string]bool{}
	for _, name := range c.same() {
		there[name] = true
	}
	for name := range acknowledged {
		if !there[name] {
			t.Errorf("%s was acknowledged and is gone", name)
		}
	}
	t.Logf("%d acknowledged, %d lost, %d refused, %d there", len(acknowledged), lost.Load(), refused.Load(), len(there))
	if len(acknowledged) < 20 {
		t.Errorf("only %d proposals went through", len(acknowledged))
	}
}

// A controller that was away for longer than the log reaches back catches up
// by a snapshot; its watchers are told to read anew, its sinks what they miss.
func TestFollowerCatchesUpBySnapshot(t *testing.T) {
	c := newCluster(t, 2)
	_, trans := raft.NewInmemTransport("ctl3")
	s := &sink{}
	o := clusterOptions(t, 2, t.TempDir(), trans)
	o.Sinks = []Sink{s}
	lead := c.barns[c.leader(-1)]
	for i := range 30 {
		add(t, lead, fmt.Sprint(i))
	}
	rc := lead.raft.ReloadableConfig()
	rc.TrailingLogs = 1
	if err := lead.raft.ReloadConfig(rc); err != nil {
		t.Fatal(err)
	}
	if err := lead.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	index, _ := lead.Index()

	c.trans = append(c.trans, trans)
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	w, err := b.Watch(0)
	if err != nil {
		t.Fatal(err)
	}
	c.barns = append(c.barns, b)
	c.join(2)
	if err := lead.AddVoter(within(t, 10*time.Second), "ctl3", "ctl3"); err != nil {
		t.Fatal(err)
	}
	add(t, lead, "after")
	batch, err := w.Next(within(t, 10*time.Second))
	if err != nil || !batch.Reset || batch.Index != index {
		t.Errorf("the first batch is %+v (%v), want a reset at %d", batch, err, index)
	}
	c.same()
	b.Close()
	if len(s.missed) != 1 || s.missed[0] != [2]uint64{1, index} || len(s.got) != 1 {
		t.Errorf("the sink missed %v and got %v, want 1 to %d missed", s.missed, s.got, index)
	}
}

func TestRemovedControllerIsNoLongerAsked(t *testing.T) {
	c := newCluster(t, 3)
	lead := c.leader(-1)
	gone := (lead + 1) % 3
	if err := c.barns[lead].Remove(within(t, 5*time.Second), c.barns[gone].o.ID); err != nil {
		t.Fatal(err)
	}
	if s := c.barns[lead].Servers(); len(s) != 2 {
		t.Errorf("there are %v", s)
	}
	add(t, c.barns[lead], "a")
	// The leader itself can be removed; another takes over.
	if err := c.barns[lead].Remove(within(t, 5*time.Second), c.barns[lead].o.ID); err != nil {
		t.Fatal(err)
	}
	next := c.leader(lead)
	add(t, c.barns[next], "b")
	wantTokens(t, c.barns[next], "a", "b")
}

// A leader without its peers steps down, and says that it does not know what
// became of a proposal. What it did not commit is gone when it comes back.
func TestCutOffLeaderLosesItsProposals(t *testing.T) {
	c := newCluster(t, 3)
	lead := c.leader(-1)
	told := c.barns[lead].Leadership()
	<-told
	add(t, c.barns[lead], "kept")
	c.cut(lead)
	_, err := c.barns[lead].Propose(within(t, 10*time.Second), system, token("gone"))
	if !errors.Is(err, ErrLost) {
		t.Fatalf("got %v, want ErrLost", err)
	}
	if l := <-told; l.Leader {
		t.Errorf("told %+v", l)
	}
	next := c.leader(lead)
	add(t, c.barns[next], "new")
	c.join(lead)
	if got := c.same(); len(got) != 2 {
		t.Errorf("there are %v", got)
	}
	c.barns[lead].Read(func(s *state.State) {
		if s.Index() == 0 {
			t.Error("the state does not know its index")
		}
	})
}

// tcpStream is a stream layer as ctld makes one, without TLS.
type tcpStream struct{ net.Listener }

func (tcpStream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", string(address), timeout)
}

// Controllers that talk over the network; the address they tell each other is
// not the one they listen on.
func TestControllersOverTheNetwork(t *testing.T) {
	c := &cluster{t: t}
	for i := range 3 {
		l, err := net.Listen("tcp", "0.0.0.0:0")
		if err != nil {
			t.Fatal(err)
		}
		o := clusterOptions(t, i, t.TempDir(), nil)
		o.transport, o.Stream = nil, tcpStream{l}
		o.Address = fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port)
		b, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		c.barns = append(c.barns, b)
		if i == 0 {
			c.leader(-1)
		} else if err := c.barns[0].AddVoter(within(t, 10*time.Second), b.o.ID, b.o.Address); err != nil {
			t.Fatal(err)
		}
	}
	lead := c.leader(-1)
	for i := range 20 {
		add(t, c.barns[lead], fmt.Sprint(i))
	}
	c.same()
	for i, b := range c.barns {
		if id, address := b.Leader(); id != c.barns[lead].o.ID || address != c.barns[lead].o.Address {
			t.Errorf("%d thinks that %s at %s leads", i, id, address)
		}
	}
	c.barns[lead].Close()
	next := c.leader(lead)
	add(t, c.barns[next], "after")
	if got := tokens(c.barns[next]); len(got) != 21 {
		t.Errorf("there are %d tokens", len(got))
	}
}

// With a whole cluster stopped and started again, its log is all there.
func TestClusterRestarts(t *testing.T) {
	c := newCluster(t, 3)
	add(t, c.barns[c.leader(-1)], "a", "b", "c")
	c.same()
	old := c.barns
	c.barns = nil
	for _, b := range old {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	fresh := &cluster{t: t}
	for i, b := range old {
		_, trans := raft.NewInmemTransport(raft.ServerAddress(b.o.Address))
		fresh.trans = append(fresh.trans, trans)
		fresh.join(i)
		again, err := Open(clusterOptions(t, i, b.o.Dir, trans))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { again.Close() })
		fresh.barns = append(fresh.barns, again)
	}
	add(t, fresh.barns[fresh.leader(-1)], "d")
	if got := fresh.same(); len(got) != 4 {
		t.Errorf("there are %v", got)
	}

	// One of them alone, without a way to its peers, is a mistake in the
	// configuration.
	fresh.barns[1].Close()
	o := clusterOptions(t, 1, old[1].o.Dir, nil)
	o.transport = nil
	if _, err := Open(o); err == nil {
		t.Error("a controller with peers was opened without a stream")
	}
}
