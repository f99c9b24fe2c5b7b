// Package relay carries the streams of a step between one client and the
// agents of the step's nodes: what the client sends goes to all of them, what
// they send comes back as one stream.
package relay

import (
	"context"
	"errors"
	"io"
	"sync"

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

// Serve relays until every agent is done, the client leaves or the call's
// context ends. The client's first message must say which step it wants and on
// which nodes; check says whether it may. A node that cannot be reached or
// whose line breaks is told to the client by name, and the others go on.
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
	var wg sync.WaitGroup
	for i, node := range attach.Nodes {
		l := &line{node: node}
		lines[i] = l
		wg.Go(func() { // ends with the agent's stream, or with ctx
			if err := l.run(ctx, attach, dial, send); err != nil && ctx.Err() == nil {
				send(&rinkpb.StepDown{Node: node, NodeError: words(err), NodeDone: true})
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
	mu      sync.Mutex // guards all below, and sending
	agent   rinkpb.Agent_StepIOClient
	waiting []*rinkpb.StepUp
	broken  bool
}

func (l *line) run(ctx context.Context, attach *rinkpb.StepAttach, dial Dial, send func(*rinkpb.StepDown) error) error {
	agent, err := dial(ctx, l.node)
	if err == nil {
		one := &rinkpb.StepAttach{
			Job: attach.Job, Step: attach.Step, Uid: attach.Uid, Nodes: []string{l.node}, ReadOnly: attach.ReadOnly, Task: attach.Task, HasTask: attach.HasTask,
		}
		err = agent.Send(&rinkpb.StepUp{Attach: one})
	}
	l.mu.Lock()
	if err != nil {
		l.broken = true
		l.mu.Unlock()
		return err
	}
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
				return send(&rinkpb.StepDown{Node: l.node, NodeDone: true})
			}
			return nil
		}
		if err != nil {
			if done {
				return nil
			}
			return err
		}
		m.Node = l.node
		done = done || m.NodeDone
		if err := send(m); err != nil {
			return err
		}
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
		if err := l.agent.Send(m); err != nil {
			l.broken = true
		}
	}
}

func words(err error) string {
	if s, ok := status.FromError(err); ok {
		return s.Message()
	}
	return err.Error()
}
