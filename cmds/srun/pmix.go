package srun

import (
	"context"
	"time"

	"github.com/runink/rink/api/call"

	"github.com/runink/rink/api/rinkpb"
)

// mailRoom passes on what the PMIx servers of a step's nodes send each other. What
// goes to one node goes in order, on a line of its own: on the step's it would wait
// behind input that no task reads yet. The loop that takes what agents say uses it,
// and nobody else.
type mailRoom struct {
	to map[int32]chan<- *rinkpb.PmixMail
}

// pass sends a piece of mail to the node that it is for.
func (r *mailRoom) pass(ctx context.Context, c *carrier, m *rinkpb.PmixMail) {
	if m.To < 0 || int(m.To) >= len(c.step.Nodes) {
		c.s.env.Errorf("mpi/pmix: node %d of a step of %d is sent something", m.To, len(c.step.Nodes))
		return
	}
	box := r.to[m.To]
	if box == nil {
		if r.to == nil {
			r.to = map[int32]chan<- *rinkpb.PmixMail{}
		}
		in, out := make(chan *rinkpb.PmixMail), make(chan []*rinkpb.StepUp)
		box, r.to[m.To] = in, in
		go gather(ctx, in, out)                                 // ends with the step
		go c.deliver(ctx, string(c.step.Nodes[m.To].Node), out) // likewise
	}
	select {
	case box <- m:
	case <-ctx.Done():
	}
}

// gather keeps what comes until it can be sent.
func gather(ctx context.Context, in <-chan *rinkpb.PmixMail, out chan<- []*rinkpb.StepUp) {
	var wait []*rinkpb.StepUp
	for {
		ready := out
		if len(wait) == 0 {
			ready = nil
		}
		select {
		case m := <-in:
			wait = append(wait, &rinkpb.StepUp{Pmix: m, StdinTask: -1})
		case ready <- wait:
			wait = nil
		case <-ctx.Done():
			return
		}
	}
}

// deliver sends what there is for a node until the node has it.
func (c *carrier) deliver(ctx context.Context, node string, all <-chan []*rinkpb.StepUp) {
	for {
		var batch []*rinkpb.StepUp
		select {
		case batch = <-all:
		case <-ctx.Done():
			return
		}
		batch[len(batch)-1].StdinEof = true // what follows has a line of its own
		for ctx.Err() == nil {
			err := c.tellShares(ctx, []string{node}, batch)
			if err == nil {
				break
			}
			if call.CodeOf(err) != call.Unavailable {
				c.s.env.Errorf("mpi/pmix: node %s does not take what other nodes of the step send: %v", node, err)
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}
}
