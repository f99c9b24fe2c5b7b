package barn

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// newTCPCluster starts n controllers that talk over TCP.
func newTCPCluster(t testing.TB, n int, adjust func(i int, o *Options)) *cluster {
	t.Helper()
	c := &cluster{t: t}
	for i := range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		o := clusterOptions(t, i, t.TempDir(), nil)
		o.transport, o.Stream = nil, tcpStream{l}
		o.Address = l.Addr().String()
		adjust(i, &o)
		b, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		c.barns = append(c.barns, b)
		if i == 0 {
			c.leader(-1)
		} else if err := c.barns[0].AddVoter(within(t, 20*time.Second), b.o.ID, b.o.Address); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// A leader whose disk takes long for each write, and one whose disk does not come
// back at all, no longer lead; nothing acknowledged is lost, and the slow one takes
// part again when its disk does.
func TestSlowDiskGivesUpTheLead(t *testing.T) {
	for _, hang := range []bool{false, true} {
		t.Run(fmt.Sprintf("hangs=%v", hang), func(t *testing.T) {
			var slow [3]atomic.Bool
			release := make(chan struct{})
			c := newTCPCluster(t, 3, func(i int, o *Options) {
				o.SlowWrite = 300 * time.Millisecond
				o.WriteFault = func(string) error {
					if slow[i].Load() {
						if hang {
							<-release
						} else {
							time.Sleep(500 * time.Millisecond)
						}
					}
					return nil
				}
			})
			lead := c.leader(-1)
			add(t, c.barns[lead], "before")
			slow[lead].Store(true)
			done := make(chan struct{})
			go func() { // its fate is not known: the lead is lost meanwhile
				defer close(done)
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				c.barns[lead].Propose(ctx, system, token("during"))
			}()
			next := c.leader(lead)
			add(t, c.barns[next], "after")
			slow[lead].Store(false)
			close(release)
			<-done
			add(t, c.barns[c.leader(-1)], "healed")
			got := map[string]bool{}
			for _, name := range c.same() {
				got[name] = true
			}
			if !got["before"] || !got["after"] || !got["healed"] {
				t.Errorf("there are %v", got)
			}
		})
	}
}

// Alone there is nobody to hand the lead to: a slow disk is only slow.
func TestSlowDiskAlone(t *testing.T) {
	var slow atomic.Bool
	o := options(t, t.TempDir())
	o.SlowWrite = 20 * time.Millisecond
	o.WriteFault = func(string) error {
		if slow.Load() {
			time.Sleep(100 * time.Millisecond)
		}
		return nil
	}
	b := open(t, o)
	slow.Store(true)
	add(t, b, "a")
	add(t, b, "b")
	if !b.IsLeader() {
		t.Error("it gave up the lead to nobody")
	}
}

// A leader without space gives up the lead to one who has some, and does not keep it
// when it comes back to it.
func TestFullDiskGivesUpTheLead(t *testing.T) {
	c := newClusterWith(t, 2, func(i int, o *Options) {
		o.MinFree = 1
		if i == 0 {
			o.MinFree = 1 << 60
		}
	})
	lead := c.barns[c.leader(0)]
	add(t, lead, "a")
	if err := lead.TransferLeadership(within(t, 10*time.Second), "ctl1"); err != nil {
		t.Fatal(err)
	}
	c.leader(0)
	add(t, c.barns[c.leader(0)], "b")
	c.same()
}

// TestFullDisksDoNotPassTheLeadAround holds how often a leader gives up the lead while
// every disk is full: what comes back is kept longer each time, until there is space.
func TestFullDisksDoNotPassTheLeadAround(t *testing.T) {
	var f fullDisk
	at, times := time.Unix(1e9, 0), 0
	for range 10 * 60 * 10 {
		if at = at.Add(slowEvery); f.handOver(true, at) {
			times++
		}
	}
	if times < 10 || times > 16 {
		t.Errorf("handed over %d times in ten minutes", times)
	}
	f.handOver(false, at)
	if at = at.Add(fullMost); !f.handOver(true, at) || f.handOver(true, at.Add(slowEvery)) || !f.handOver(true, at.Add(2*fullEvery)) {
		t.Error("not as at first once there was space")
	}
}
