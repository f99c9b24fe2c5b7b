package noded

import (
	"context"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/noded/journal"
)

// outgoing is what a step's srun is to be told by this node, in order, until it
// has it. Messages are numbered; srun says up to which it has them, and after a
// line that broke, to this agent or to the next, the rest is sent again. What
// can only be said once is kept in the spool; all else the next agent finds anew.
//
// Numbers begin where the client of a former agent is, so that nothing is numbered
// before there is a client.
type outgoing struct {
	outfile
	list     []*rinkpb.StepDown
	heard    []*rinkpb.StepDown // ends of tasks that a client has
	last     uint64             // the highest number given
	numbered bool               // there was a client
}

// open takes up what a former agent kept.
func (o *outgoing) open(kept *journal.Journal, group, path string) error {
	list, err := o.outfile.open(kept, group, path)
	for _, m := range list {
		o.last = max(o.last, m.Seq)
	}
	o.list = list
	return err
}

// add puts a message behind the others. It is there also when an error says
// that it could not be kept on disk.
func (o *outgoing) add(m *rinkpb.StepDown) error {
	o.list = append(o.list, m)
	if !o.numbered {
		return nil
	}
	return o.number(m)
}

func (o *outgoing) number(m *rinkpb.StepDown) error {
	o.last++
	m.Seq = o.last
	return o.keep(m)
}

// from begins a client, which has all up to seq.
func (o *outgoing) from(seq uint64) (err error) {
	o.taken(seq)
	o.last = max(o.last, seq)
	if o.numbered {
		return nil
	}
	o.numbered = true
	for _, m := range o.list {
		if m.Seq == 0 {
			if nerr := o.number(m); err == nil {
				err = nerr
			}
		}
	}
	return err
}

// taken forgets what the client has, and says whether that was all there is to
// be told of the node.
func (o *outgoing) taken(seq uint64) (all bool) {
	for len(o.list) > 0 && o.list[0].Seq > 0 && o.list[0].Seq <= seq {
		m := o.list[0]
		o.list = o.list[1:]
		o.drop(m)
		if m.Exited != nil {
			o.heard = append(o.heard, m)
		}
		all = all || m.NodeDone
	}
	return all
}

// after lists what is behind a number.
func (o *outgoing) after(seq uint64) []*rinkpb.StepDown {
	i := slices.IndexFunc(o.list, func(m *rinkpb.StepDown) bool { return m.Seq > seq })
	if i < 0 {
		return nil
	}
	return slices.Clone(o.list[i:])
}

// ioClient is one attached srun.
type ioClient struct{ gone chan struct{} }

// serve gives one srun what the tasks say, but for what it has, until it has the
// end or leaves. A second srun takes the place of the first, and is told again
// how tasks ended.
func (t *taskIO) serve(ctx context.Context, has uint64, send func(*rinkpb.StepDown) error) error {
	me := &ioClient{gone: make(chan struct{})}
	t.mu.Lock()
	if t.client != nil {
		close(t.client.gone)
	}
	t.client = me
	if err := t.out.from(has); err != nil {
		t.unkept(err)
	}
	select {
	case <-t.attended:
	default:
		close(t.attended)
	}
	again := slices.Clone(t.out.heard)
	if t.over {
		again = append(again, &rinkpb.StepDown{NodeDone: true})
	}
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.client == me {
			t.client = nil
		}
	}()
	for _, m := range again {
		if err := send(copyFor(m)); err != nil || m.NodeDone {
			return err
		}
	}
	for sent := has; ; {
		t.mu.Lock()
		if t.client != me {
			t.mu.Unlock()
			t.signal() // for the one that is
			return status.Error(codes.Aborted, "another srun has attached to the step")
		}
		over, list := t.over, t.out.after(sent)
		t.mu.Unlock()
		if over && len(list) == 0 {
			return nil
		}
		for _, m := range list {
			if err := send(m); err != nil {
				t.signal()
				return err
			}
			sent = m.Seq
		}
		select {
		case <-t.wake:
		case <-me.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// taken is srun's word that it has everything up to seq.
func (t *taskIO) taken(seq uint64) {
	t.mu.Lock()
	var last []func()
	if t.out.taken(seq) && !t.over {
		last = t.finish()
		time.AfterFunc(afterTime, t.letGo)
	}
	t.mu.Unlock()
	t.signal()
	for _, f := range last {
		f()
	}
}

// finish notes that nobody waits for the step's streams any more, and returns
// what is to be done about it. Needs t.mu held; what it returns does not.
func (t *taskIO) finish() []func() {
	t.over = true
	last := t.last
	t.last = nil
	return append(last, t.out.close)
}

// whenOver has f done once srun has all that the tasks wrote, or is waited for no
// longer; at once when that is so already. An agent that stops before leaves it
// to its successor.
func (t *taskIO) whenOver(f func()) {
	t.mu.Lock()
	if !t.over {
		t.last = append(t.last, f)
		t.mu.Unlock()
		return
	}
	t.mu.Unlock()
	f()
}
