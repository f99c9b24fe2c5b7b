// Package relay carries the streams of a step between one client and the
// agents of the step's nodes: what the client sends goes to all of them, what
// they send comes back as one stream.
package relay

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
)

// Stream is the client's end: the server side of a StepIO call.
type Stream interface {
	Context() context.Context
	Recv() (*rinkpb.StepUp, error)
	Send(*rinkpb.StepDown) error
}

// Dial opens the stream to the agent of a node.
type Dial func(ctx context.Context, node string) (rinkpb.Agent_StepIOClient, error)

// maxNodes bounds the nodes of one attachment.
const maxNodes = 1 << 16

// maxAway is how long a node whose line broke may take to come back.
const maxAway = 60 * time.Second

// maxUnmet is how long a node that was never reached is tried: its agent may
// just be starting anew, but it was not there to begin with.
var maxUnmet = 10 * time.Second // tests shorten it

// maxWaiting bounds the messages kept for a node that is away; the client has
// to wait then.
const maxWaiting = 256

// Serve relays until every agent is done, the client leaves or the call's
// context ends. The client's first message must say which step it wants and on
// which nodes; check says whether it may. A node that cannot be reached,
// or whose line broke and does not come back within maxAway, as it does when the
// node's agent is started anew, is told to the client by name, and the others go
// on.
func Serve(client Stream, check func(*rinkpb.StepAttach) error, dial Dial) error {
	first, err := client.Recv()
	if err != nil {
		return err
	}
	attach := first.GetAttach()
	if attach == nil || len(attach.Nodes) == 0 || len(attach.Nodes) > maxNodes {
		return status.Error(codes.InvalidArgument, "a step's streams begin with which step on which nodes")
	}
	if err := check(attach); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(client.Context())
	defer cancel()
	var down sync.Mutex // client.Send is not for several goroutines at once
	send := func(m *rinkpb.StepDown) error {
		down.Lock()
		defer down.Unlock()
		return client.Send(m)
	}
	lines := make([]*line, len(attach.Nodes))
	lineOf := make(map[string]*line, len(lines)) // read alone, once the lines run
	for _, node := range attach.Nodes {
		lineOf[node] = &line{node: node}
	}
	for _, has := range attach.Taken {
		if l := lineOf[has.Node]; l != nil {
			l.taken = has.Seq
		}
	}
	var wg sync.WaitGroup
	for i, node := range attach.Nodes {
		l := lineOf[node]
		lines[i] = l
		wg.Go(func() { // ends with the agent's stream, or with ctx
			defer l.giveUp()
			var away time.Time
			for {
				heard, err := l.run(ctx, attach, dial, send)
				if err == nil || ctx.Err() != nil {
					return
				}
				if heard || away.IsZero() {
					away = time.Now()
				}
				patience := maxUnmet
				if l.met {
					patience = maxAway
				}
				if status.Code(err) != codes.Unavailable || time.Since(away) > patience {
					send(&rinkpb.StepDown{Node: node, NodeError: words(err), NodeDone: true})
					return
				}
				select {
				case <-ctx.Done():
				case <-time.After(200 * time.Millisecond):
				}
			}
		})
	}
	go func() { // ends when the client closes its side or the call ends
		for {
			m, err := client.Recv()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					cancel()
				}
				return
			}
			m.Attach = nil
			if len(m.Taken) > 0 {
				for _, has := range m.Taken {
					if l := lineOf[has.Node]; l != nil {
						l.has(has)
					}
				}
				continue
			}
			for _, l := range lines {
				l.wait(ctx)
			}
			for _, l := range lines {
				l.up(m)
			}
		}
	}()
	wg.Wait()
	return nil
}

// line is the stream to one agent. Input that comes before it is open waits.
type line struct {
	node    string
	met     bool       // the agent has said something; run's alone
	mu      sync.Mutex // guards all below, and sending
	agent   rinkpb.Agent_StepIOClient
	waiting []*rinkpb.StepUp
	broken  bool
	taken   uint64 // what the client has of this node
}

// run carries one stream to the agent until its end. It says whether anything
// came.
func (l *line) run(ctx context.Context, attach *rinkpb.StepAttach, dial Dial, send func(*rinkpb.StepDown) error) (heard bool, err error) {
	agent, err := dial(ctx, l.node)
	if err == nil {
		l.mu.Lock()
		taken := l.taken
		l.mu.Unlock()
		one := &rinkpb.StepAttach{
			Job: attach.Job, Step: attach.Step, Uid: attach.Uid, Nodes: []string{l.node}, ReadOnly: attach.ReadOnly, Task: attach.Task, HasTask: attach.HasTask, Watch: attach.Watch, Pmi: attach.Pmi, Input: attach.Input, X11: attach.X11,
		}
		if taken > 0 {
			one.Taken = []*rinkpb.NodeSeq{{Node: l.node, Seq: taken}}
		}
		err = agent.Send(&rinkpb.StepUp{Attach: one})
	}
	l.mu.Lock()
	if err != nil {
		l.mu.Unlock()
		return false, err
	}
	defer func() {
		l.mu.Lock()
		l.agent = nil
		l.mu.Unlock()
	}()
	l.agent = agent
	for _, m := range l.waiting {
		agent.Send(m) // a broken stream shows in Recv below
	}
	l.waiting = nil
	l.mu.Unlock()
	done := false
	for {
		m, err := agent.Recv()
		if errors.Is(err, io.EOF) {
			if !done {
				return heard, send(&rinkpb.StepDown{Node: l.node, NodeDone: true})
			}
			return heard, nil
		}
		if err != nil {
			if done {
				return heard, nil
			}
			return heard, err
		}
		heard, l.met = true, true
		m.Node = l.node
		done = done || m.NodeDone
		if err := send(m); err != nil {
			return heard, err
		}
	}
}

// has tells the agent what the client has of it. While it is away nothing needs
// to be said: the next stream begins with it.
func (l *line) has(taken *rinkpb.NodeSeq) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken = max(l.taken, taken.Seq)
	if l.agent != nil {
		l.agent.Send(&rinkpb.StepUp{Taken: []*rinkpb.NodeSeq{taken}}) // a broken stream shows in run's Recv
	}
}

func (l *line) up(m *rinkpb.StepUp) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.broken:
	case l.agent == nil:
		l.waiting = append(l.waiting, m)
	default:
		if l.agent.Send(m) != nil {
			l.waiting = append(l.waiting, m) // for the next stream, should there be one
			l.agent = nil
		}
	}
}

// giveUp drops what waits for an agent that is done or does not come back.
func (l *line) giveUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken, l.waiting = true, nil
}

// wait holds back a client while much waits for an agent already.
func (l *line) wait(ctx context.Context) {
	for ctx.Err() == nil {
		l.mu.Lock()
		full := !l.broken && len(l.waiting) >= maxWaiting
		l.mu.Unlock()
		if !full {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func words(err error) string {
	if s, ok := status.FromError(err); ok {
		return s.Message()
	}
	return err.Error()
}
