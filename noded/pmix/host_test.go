package pmix

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/runink/rink/api/rinkpb"
)

// heard is what a host answered the library.
type heard struct {
	status int32
	data   []byte
	n      int
}

func (w *heard) op(status int32)                 { w.status, w.n = status, w.n+1 }
func (w *heard) modex(status int32, data []byte) { w.status, w.data, w.n = status, data, w.n+1 }

// fakeLibrary answers at once what it is asked of a task.
type fakeLibrary struct{ h *host }

func (*fakeLibrary) begin(*host, *rinkpb.PmixStep) ([]*rinkpb.PmixTask, error) { return nil, nil }
func (*fakeLibrary) end()                                                      {}
func (l *fakeLibrary) request(space string, rank uint32, id uint64) int32 {
	if rank == 99 {
		return notFound
	}
	l.h.answered(id, success, fmt.Appendf(nil, "of %d", rank))
	return success
}

// office has the hosts of a step, and their mail on its way.
type office struct {
	t     *testing.T
	hosts []*host
	mail  []*rinkpb.PmixMail
	words []*rinkpb.PmixWord
}

func newOffice(t *testing.T, rankNodes ...int32) *office {
	o := &office{t: t}
	n := slices.Max(rankNodes) + 1
	for i := range n {
		lib := &fakeLibrary{}
		h := newHost(lib, func(w *rinkpb.PmixWord) {
			switch {
			case w.Mail != nil:
				o.mail = append(o.mail, w.Mail)
			case w.Got == nil:
				o.words = append(o.words, w)
			}
		})
		lib.h = h
		h.step = &rinkpb.PmixStep{Space: "s", Node: i, Nodes: make([]string, n), RankNodes: rankNodes}
		o.hosts = append(o.hosts, h)
	}
	return o
}

// deliver carries all mail, each piece up to twice and out of order, until there is
// no more.
func (o *office) deliver(r *rand.Rand) {
	for len(o.mail) > 0 {
		i := r.IntN(len(o.mail))
		m := o.mail[i]
		if r.IntN(3) > 0 {
			o.mail = slices.Delete(o.mail, i, i+1)
		}
		if err := o.hosts[m.To].mail(m); err != nil {
			o.t.Fatal(err)
		}
	}
}

func TestFence(t *testing.T) {
	for seed := range uint64(6) {
		o := newOffice(t, 0, 0, 1, 2, 2, 1)
		r := rand.New(rand.NewPCG(seed, 1))
		for round := range 3 {
			big := bytes.Repeat([]byte{byte(round)}, MaxPiece*2+round)
			waits := make([]*heard, 3)
			for _, i := range r.Perm(3) {
				waits[i] = &heard{}
				if st := o.hosts[i].fence([]proc{{"s", everyRank}}, append([]byte{byte('a' + i)}, big...), waits[i]); st != success {
					t.Fatalf("node %d cannot fence: %d", i, st)
				}
				if r.IntN(2) == 0 {
					o.deliver(r)
				}
			}
			o.deliver(r)
			var want []byte
			for i := range 3 {
				want = append(append(want, byte('a'+i)), big...)
			}
			for i, w := range waits {
				if w.n != 1 || w.status != success || !bytes.Equal(w.data, want) {
					t.Fatalf("seed %d, round %d: node %d heard %d times, status %d, %d bytes, want %d", seed, round, i, w.n, w.status, len(w.data), len(want))
				}
			}
		}
		for i, h := range o.hosts {
			if len(h.fences) != 0 {
				t.Errorf("node %d still has %d fences", i, len(h.fences))
			}
		}
	}
}

// Two fences of some of the tasks at once do not mix, whoever comes first.
func TestFenceOfSome(t *testing.T) {
	o := newOffice(t, 0, 0, 1, 2)
	r := rand.New(rand.NewPCG(1, 2))
	a, b, c, d := &heard{}, &heard{}, &heard{}, &heard{}
	o.hosts[2].fence([]proc{{"s", 3}, {"s", 2}}, []byte("x"), a)
	o.hosts[0].fence([]proc{{"s", 0}, {"s", 1}}, []byte("own"), b) // all of it here
	o.hosts[1].fence([]proc{{"s", 2}, {"s", 3}}, []byte("y"), c)
	o.deliver(r)
	if string(a.data) != "yx" || string(c.data) != "yx" || string(b.data) != "own" {
		t.Errorf("got %q, %q and %q", a.data, c.data, b.data)
	}
	for _, procs := range [][]proc{{{"other", 0}}, {{"s", 4}}, {}} {
		if st := o.hosts[0].fence(procs, nil, d); st != notSupported {
			t.Errorf("a fence of %v: status %d", procs, st)
		}
	}
}

func TestModex(t *testing.T) {
	o := newOffice(t, 0, 1)
	r := rand.New(rand.NewPCG(3, 4))
	a, b := &heard{}, &heard{}
	if st := o.hosts[0].modex(proc{"s", 1}, a); st != success {
		t.Fatalf("status %d", st)
	}
	o.deliver(r)
	if a.n != 1 || string(a.data) != "of 1" {
		t.Errorf("heard %d times, %q", a.n, a.data)
	}
	for _, p := range []proc{{"s", 0}, {"s", 2}, {"other", 1}} {
		if st := o.hosts[0].modex(p, b); st != notFound {
			t.Errorf("%v: status %d", p, st)
		}
	}
}

// What a new agent may not have heard is said again, and what is on its way is not.
func TestAgain(t *testing.T) {
	o := newOffice(t, 0, 1)
	w := &heard{}
	o.hosts[1].fence([]proc{{"s", everyRank}}, bytes.Repeat([]byte("z"), MaxPiece+1), w)
	if len(o.mail) != 2 || o.mail[0].Last || !o.mail[1].Last {
		t.Fatalf("%d pieces", len(o.mail))
	}
	o.hosts[1].kept(0, 1)
	o.mail = nil
	o.hosts[1].again()
	if len(o.mail) != 1 || o.mail[0].Seq != 2 {
		t.Errorf("said again: %v", o.mail)
	}
}

func TestMailThatIsNone(t *testing.T) {
	o := newOffice(t, 0, 1)
	bad := func(what string, m *rinkpb.PmixMail) {
		t.Helper()
		if err := o.hosts[0].mail(m); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	bad("what is no note", &rinkpb.PmixMail{From: 1, Seq: 1, Data: []byte{0xff}, Last: true})
	bad("the end of a fence that nobody waits at", mailOf(t, 2, &rinkpb.PmixNote{Whole: &rinkpb.PmixPart{Procs: "0,1", Round: 1}}))
	bad("a fence of nobody", mailOf(t, 3, &rinkpb.PmixNote{Part: &rinkpb.PmixPart{Procs: "7", Round: 1}}))
	bad("a fence of no tasks", mailOf(t, 4, &rinkpb.PmixNote{Part: &rinkpb.PmixPart{Procs: "x", Round: 1}}))
	for i := range maxAhead {
		o.hosts[0].mail(&rinkpb.PmixMail{From: 1, Seq: uint64(10 + i)})
	}
	bad("more than is kept", &rinkpb.PmixMail{From: 1, Seq: 1 << 20})
}

func mailOf(t *testing.T, seq uint64, n *rinkpb.PmixNote) *rinkpb.PmixMail {
	t.Helper()
	var out []*rinkpb.PmixMail
	h := newHost(nil, func(w *rinkpb.PmixWord) { out = append(out, w.Mail) })
	h.step = &rinkpb.PmixStep{Node: 1}
	h.post(0, n)
	out[0].Seq = seq
	return out[0]
}

func TestAbort(t *testing.T) {
	o := newOffice(t, 0)
	w := &heard{}
	o.hosts[0].abort(0, 5, "enough\xff", w)
	if w.n != 1 || len(o.words) != 1 || o.words[0].Abort.GetStatus() != 5 || o.words[0].Abort.Words != "enough?" {
		t.Errorf("heard %d times, said %v", w.n, o.words)
	}
}
