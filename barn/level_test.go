package barn

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/runink/rink/barn/state"
)

// resetIsNew makes a barn of a version of that level, in which ResetUsage is a
// command of level 2.
func resetIsNew(o *Options, level uint32) {
	o.level = level
	o.levelOf = func(cmd state.Command) uint32 {
		if _, ok := cmd.(state.ResetUsage); ok {
			return 2
		}
		return 1
	}
}

// During a rolling upgrade the leader refuses what an older controller could
// not read, and writes it once every controller has said that it reads it.
func TestLevelRisesWhenAllReadIt(t *testing.T) {
	c := &cluster{t: t}
	dirs := []string{t.TempDir(), t.TempDir()}
	start := func(i int, level uint32) *Barn {
		_, trans := raft.NewInmemTransport(raft.ServerAddress([]string{"ctl1", "ctl2"}[i]))
		if i < len(c.trans) {
			c.trans[i] = trans
		} else {
			c.trans = append(c.trans, trans)
		}
		if len(c.trans) == 2 {
			c.join(i)
		}
		o := clusterOptions(t, i, dirs[i], trans)
		resetIsNew(&o, level)
		b, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return b
	}
	c.barns = []*Barn{start(0, 2)}
	lead := c.barns[0]
	c.leader(-1)
	old := start(1, 1)
	c.barns = append(c.barns, old)
	if err := lead.AddVoter(within(t, 10*time.Second), "ctl2", "ctl2"); err != nil {
		t.Fatal(err)
	}
	wantLevel := func(id string, level, want uint32) {
		t.Helper()
		got, err := lead.Announced(within(t, 10*time.Second), id, level)
		if err != nil || got != want {
			t.Errorf("%s announces level %d: the cluster writes %d (%v), want %d", id, level, got, err, want)
		}
	}
	wantLevel("ctl2", 1, 1)
	_, err := lead.Propose(within(t, 10*time.Second), system, state.ResetUsage{All: true})
	if !errors.Is(err, ErrOldMembers) || !strings.Contains(err.Error(), "level 2") {
		t.Fatalf("with an old member: %v", err)
	}
	c.same()
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}

	// The second one is upgraded, with what the old version left on its disk.
	c.barns[1] = start(1, 2)
	wantLevel("ctl2", 2, 2)
	if _, err := lead.Propose(within(t, 10*time.Second), system, state.ResetUsage{All: true}); err != nil {
		t.Fatalf("with new members alone: %v", err)
	}
	add(t, lead, "after")
	c.same()
	if got := c.barns[1].ClusterLevel(); got != 2 {
		t.Errorf("the follower writes level %d", got)
	}
	if _, err := lead.Announced(within(t, time.Second), "ctl3", 1); !errors.Is(err, ErrNewer) {
		t.Errorf("an old controller that wants to join: %v", err)
	}
	if err := lead.Snapshot(); err != nil {
		t.Fatal(err)
	}
	for _, b := range c.barns {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}

	// Back to the old version: what is on disk is refused by name, in the log and
	// in a snapshot.
	for i, what := range []string{"snapshot", "log"} {
		_, trans := raft.NewInmemTransport("x")
		o := clusterOptions(t, i, dirs[i], trans)
		resetIsNew(&o, 1)
		b, err := Open(o)
		if err == nil {
			t.Cleanup(func() { b.Close() })
		}
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "2, this version reads up to") {
			t.Errorf("the old version with a new %s: %v", what, err)
		}
	}
}
