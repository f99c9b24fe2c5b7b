package noded

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/journal"
)

func wrote(text string) *rinkpb.StepDown {
	return &rinkpb.StepDown{Output: &rinkpb.TaskOutput{Stream: 1, Data: []byte(text)}}
}

func words(list []*rinkpb.StepDown) string {
	var b strings.Builder
	for _, m := range list {
		switch {
		case m.Output != nil:
			fmt.Fprintf(&b, "%d:%s ", m.Seq, m.Output.Data)
		case m.Exited != nil:
			fmt.Fprintf(&b, "%d:exit ", m.Seq)
		case m.NodeDone:
			fmt.Fprintf(&b, "%d:done ", m.Seq)
		default:
			fmt.Fprintf(&b, "%d:? ", m.Seq)
		}
	}
	return b.String()
}

// What was read from the tasks and not taken is there for the next agent, whose
// numbers go on where the client is.
func TestOutgoingOutlivesTheAgent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "output")
	j, _, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var o outgoing
	if err := o.open(j, "1.0.0", path+".d"); err != nil {
		t.Fatal(err)
	}
	o.add(&rinkpb.StepDown{Started: &rinkpb.TaskStart{}})
	if o.list[0].Seq != 0 {
		t.Error("a number before there was a client")
	}
	o.from(0)
	for _, text := range []string{"a", "b", "c"} {
		if err := o.add(wrote(text)); err != nil {
			t.Fatal(err)
		}
	}
	o.add(&rinkpb.StepDown{Exited: &rinkpb.TaskExit{}})
	if got := words(o.after(0)); got != "1:? 2:a 3:b 4:c 5:exit " {
		t.Errorf("to be sent: %s", got)
	}
	if got := words(o.after(3)); got != "4:c 5:exit " {
		t.Errorf("after the third: %s", got)
	}
	if o.taken(2) {
		t.Error("the node's end was never told")
	}
	j.Close()

	if j, _, err = journal.Open(path); err != nil {
		t.Fatal(err)
	}
	var next outgoing
	if err := next.open(j, "1.0.0", path+".d"); err != nil {
		t.Fatal(err)
	}
	if got := words(next.list); got != "3:b 4:c " {
		t.Errorf("kept: %s", got)
	}
	next.add(&rinkpb.StepDown{Exited: &rinkpb.TaskExit{}})
	next.add(&rinkpb.StepDown{NodeDone: true})
	// The client had the exit's number too, as the first agent gave it.
	next.from(5)
	if got := words(next.after(5)); got != "6:exit 7:done " {
		t.Errorf("after the client's word: %s", got)
	}
	if !next.taken(7) || len(next.heard) != 1 || len(j.Groups()) != 0 {
		t.Errorf("heard %d, kept %v", len(next.heard), j.Groups())
	}
	j.Close()
}

// An srun that breaks off at any message, and comes back with what it has, gets
// everything once.
func TestServeGoesOnWhereTheClientIs(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	r.launchStep(r.work, step(t, 12, 0, dir, "for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.02; done"))
	io, err := r.ioBook.find(t.Context(), stepName{12, 0})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the line broke")
	var has uint64
	var got []*rinkpb.StepDown
	for n := 0; ; n++ {
		left := n % 3
		err := io.serve(t.Context(), has, func(m *rinkpb.StepDown) error {
			if left--; left < 0 {
				return broken
			}
			if m.Seq == 0 || m.Seq > has {
				got, has = append(got, m), max(has, m.Seq)
			}
			if m.Seq > 0 && m.Seq < has {
				t.Errorf("message %d again, after %d", m.Seq, has)
			}
			if n%2 == 0 || m.NodeDone {
				io.taken(m.Seq)
			}
			return nil
		})
		if err == nil {
			break
		}
		if !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	if text := output(got, 0); text != "1\n2\n3\n4\n5\n6\n7\n8\n9\n" {
		t.Errorf("output %q", text)
	}
	if !got[len(got)-1].NodeDone || !slices.ContainsFunc(got, func(m *rinkpb.StepDown) bool { return m.Exited != nil }) {
		t.Errorf("the end is %v", words(got))
	}
}

// However far an agent came that is killed while it moves output, its successor has
// each byte once, in order and as the right task's.
func TestMovedOutputIsNeverLost(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal")
	reopen := func(old *journal.Journal) (*journal.Journal, *outgoing) {
		if old != nil {
			old.Close()
		}
		j, trouble, err := journal.Open(path)
		if err != nil || trouble != nil {
			t.Fatal(err, trouble)
		}
		o := &outgoing{}
		if err := o.open(j, "1.0.0", filepath.Join(dir, "out")); err != nil {
			t.Fatal(err)
		}
		return j, o
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	var pipes, ends [3]*os.File
	for i := range pipes {
		var err error
		if pipes[i], ends[i], err = os.Pipe(); err != nil {
			t.Fatal(err)
		}
		defer pipes[i].Close()
		defer ends[i].Close()
	}
	var want, got [3]strings.Builder
	var has uint64
	j, o := reopen(nil)
	o.from(has)
	take := func() { // what the client does
		for _, m := range o.after(has) {
			got[m.Output.Rank].Write(m.Output.Data)
			has = m.Seq
		}
	}
	for n := range 3000 {
		i := rnd.IntN(3)
		text := fmt.Sprintf("%d.%d%s\n", i, n, strings.Repeat("x", rnd.IntN(3000)))
		want[i].WriteString(text)
		ends[i].WriteString(text)
		out, err := o.move(int(pipes[i].Fd()), int32(i), 1)
		if err != nil || out.Length != int64(len(text)) {
			t.Fatal(out, err)
		}
		switch rnd.IntN(5) {
		case 0: // killed before it is listed
			j, o = reopen(j)
			o.from(has)
		case 1: // and before the client hears of it
			o.add(&rinkpb.StepDown{Output: out})
			j, o = reopen(j)
			o.from(has)
		case 2:
			o.add(&rinkpb.StepDown{Output: out})
			take()
			if rnd.IntN(2) == 0 {
				j, o = reopen(j)
				o.from(has)
			}
		default:
			o.add(&rinkpb.StepDown{Output: out})
			take()
			o.taken(has - min(has, uint64(rnd.IntN(3))))
		}
	}
	take()
	for i := range want {
		if got[i].String() != want[i].String() {
			t.Errorf("task %d: %d bytes came, %d were written", i, got[i].Len(), want[i].Len())
		}
	}
	if o.taken(has); len(o.list) != 0 {
		t.Errorf("%d are left", len(o.list))
	}
	o.close()
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	j.Close()
}

// What the spool does not take comes to srun all the same.
func TestOutputComesThoughTheSpoolTakesNone(t *testing.T) {
	dir := spoolDir(t)
	r := startAgent(t, dir)
	if err := os.RemoveAll(r.spool.outputFile("")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(r.spool.outputFile(""), nil, 0o600); err != nil { // nothing can be made in it
		t.Fatal(err)
	}
	r.launchStep(r.work, step(t, 13, 0, dir, "echo one; sleep 0.1; echo two >&2; exit 3"))
	got := <-r.listen(t, 13, 0)
	if text := output(got, 0); text != "one\ntwo\n" {
		t.Errorf("output %q", text)
	}
	if len(got) == 0 || !got[len(got)-1].NodeDone || !slices.ContainsFunc(got, func(m *rinkpb.StepDown) bool { return m.Exited != nil && m.Exited.Exit.Code == 3 }) {
		t.Errorf("the end is %s", words(got))
	}
}
