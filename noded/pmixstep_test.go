package noded

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/pmix"
)

// TestPMIxServerSaysWhatItMust has a server, which is its user's and may say anything.
func TestPMIxServerSaysWhatItMust(t *testing.T) {
	p := &pmixServer{t: &taskIO{order: &rinkpb.LaunchStep{StepNodeIndex: 1, StepNodes: []string{"a", "b"}}}, got: map[int32]uint64{}, told: make(chan struct{})}
	for _, w := range []*rinkpb.PmixWord{
		{Mail: &rinkpb.PmixMail{From: 0, To: 1}},
		{Mail: &rinkpb.PmixMail{From: 1, To: 2}},
		{Mail: &rinkpb.PmixMail{From: 1, To: -1}},
		{Mail: &rinkpb.PmixMail{From: 1, To: 0, Data: make([]byte, pmix.MaxPiece+1)}},
		{Got: &rinkpb.PmixSeq{Node: 2}},
		{Got: &rinkpb.PmixSeq{Node: -1}},
	} {
		if p.heard(w) == nil {
			t.Errorf("%.80v is taken", w)
		}
	}
	if err := p.heard(&rinkpb.PmixWord{Got: &rinkpb.PmixSeq{Node: 0, Seq: 7}}); err != nil || p.got[0] != 7 || len(p.got) != 1 {
		t.Errorf("got %v, error %v; want node 0 up to 7 alone", p.got, err)
	}
}

// TestPMIxSocketIsTheUsers has a link in the place of a server's socket, to one of
// somebody else.
func TestPMIxSocketIsTheUsers(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "other.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Symlink("other.sock", filepath.Join(dir, pmix.Socket)); err != nil {
		t.Fatal(err)
	}
	j := &job{here: here(t, 1, dir)}
	p := &pmixServer{t: &taskIO{job: j}, dir: dir, ready: make(chan struct{})}
	a := &Agent{work: t.Context()}
	conn, err := a.dialPMIx(p)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	j.here.Uid++
	if conn, err := a.dialPMIx(p); err == nil {
		conn.Close()
		t.Error("the socket of another user is spoken to")
	}
}

// TestPMIxServerThatStandsStill has one that no longer reads what it is sent: its step
// ends all the same, and so do those after it.
func TestPMIxServerThatStandsStill(t *testing.T) {
	if found, _ := filepath.Glob("/usr/lib/*/libpmix.so.2"); len(found) == 0 {
		t.Skip("there is no libpmix.so.2")
	}
	dir := spoolDir(t)
	r := startAgent(t, dir)
	order := step(t, 41, 0, dir, "while ! [ -e "+dir+"/go ]; do sleep 0.01; done")
	order.Mpi, order.StepNodes, order.RankNodes = "pmix", []string{"n1", "n2"}, []int32{0, 1}
	said := make(chan []*rinkpb.StepDown, 1)
	r.launchStep(r.work, order)
	go func() { said <- <-r.listen(t, 41, 0) }() // ends with the step
	id := stepSliceID(jobKey{41, 0}, 0)
	var p *pmixServer
	pid := 0
	eventually(t, "the step runs", func() bool {
		states, err := r.box.List(r.work)
		if err != nil {
			return false
		}
		up := false
		for _, s := range states {
			up = up || s.ID == id && len(s.PIDs) == 1
			if s.ID == id+pmixEnd && len(s.PIDs) == 1 {
				pid = s.PIDs[0]
			}
		}
		return up && pid > 0
	})
	if io, err := r.ioBook.find(t.Context(), stepName{41, 0}); err == nil {
		p = io.pmix
	}
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() { // ends with the server
		for i := uint64(1); ; i++ {
			if err := p.send(&rinkpb.PmixOrder{Mail: &rinkpb.PmixMail{From: 1, Seq: i, Data: make([]byte, pmix.MaxPiece)}}); err != nil {
				sent <- err
				return
			}
		}
	}()
	eventually(t, "the server is written to", func() bool { // and what is written is more than a socket holds
		idle := p.writing.TryLock()
		if idle {
			p.writing.Unlock()
		}
		return !idle
	})
	if err := os.WriteFile(dir+"/go", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the step is done", func() bool { return len(r.kept(isStepDone)) == 1 })
	if err := <-sent; err == nil {
		t.Error("a server that has ended was sent something")
	}
	for _, m := range <-said {
		if len(m.Messages) > 0 {
			t.Errorf("srun is told %q", strings.Join(m.Messages, "\n"))
		}
	}
}
