package relay

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
)

// client is an srun: it says what up holds, and keeps what it is sent.
type client struct {
	ctx context.Context
	up  chan *rinkpb.StepUp
	mu  sync.Mutex
	got []*rinkpb.StepDown
}

func (c *client) Context() context.Context { return c.ctx }

func (c *client) Recv() (*rinkpb.StepUp, error) {
	select {
	case m, ok := <-c.up:
		if !ok {
			return nil, io.EOF
		}
		return m, nil
	case <-c.ctx.Done():
		return nil, c.ctx.Err()
	}
}

func (c *client) Send(m *rinkpb.StepDown) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, m)
	return nil
}

// agent is one stream to a node: it says what down holds and then fails so.
type agent struct {
	grpc.ClientStream
	down []*rinkpb.StepDown
	err  error
	more chan *rinkpb.StepUp // what it is sent; nil: not of interest
	want int                 // how much it wants to be sent first
	sent int
}

func (a *agent) Send(m *rinkpb.StepUp) error {
	if a.more != nil {
		a.more <- m
	}
	return nil
}

func (a *agent) Recv() (*rinkpb.StepDown, error) {
	for ; a.sent < a.want; a.sent++ {
		<-a.more
	}
	if len(a.down) == 0 {
		return nil, a.err
	}
	m := a.down[0]
	a.down = a.down[1:]
	return m, nil
}

func text(s string) *rinkpb.StepDown {
	return &rinkpb.StepDown{Output: &rinkpb.TaskOutput{Data: []byte(s)}}
}

// relayed serves one client of one node whose streams are those given, and
// returns the output and the words of the node's end.
func relayed(t *testing.T, up []*rinkpb.StepUp, streams ...*agent) (output, end string, dialled int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c := &client{ctx: ctx, up: make(chan *rinkpb.StepUp, len(up)+1)}
	c.up <- &rinkpb.StepUp{Attach: &rinkpb.StepAttach{Job: 1, Nodes: []string{"n1"}}}
	for _, m := range up {
		c.up <- m
	}
	dial := func(context.Context, string) (rinkpb.Agent_StepIOClient, error) {
		if dialled >= len(streams) || streams[dialled] == nil {
			dialled++
			return nil, status.Error(codes.Unavailable, "nobody is there")
		}
		dialled++
		return streams[dialled-1], nil
	}
	if err := Serve(c, func(*rinkpb.StepAttach) error { return nil }, dial); err != nil {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatal("the node's end was not told in time")
	}
	for _, m := range c.got {
		output += string(m.GetOutput().GetData())
		end += m.NodeError
		if m.NodeDone {
			end += " done"
		}
		if m.Node != "n1" {
			t.Errorf("a message of node %q", m.Node)
		}
	}
	return output, end, dialled
}

func TestNodeThatComesBackGoesOn(t *testing.T) {
	gone := status.Error(codes.Unavailable, "EOF")
	second := &agent{down: []*rinkpb.StepDown{text("b"), {NodeDone: true}}, err: io.EOF, more: make(chan *rinkpb.StepUp, 10), want: 2}
	first := &agent{down: []*rinkpb.StepDown{text("a")}, err: gone}
	out, end, dialled := relayed(t, nil, first, nil, &agent{down: []*rinkpb.StepDown{text("b"), {NodeDone: true}}, err: io.EOF})
	if out != "ab" || end != " done" || dialled != 3 {
		t.Errorf("output %q, end %q, %d dials", out, end, dialled)
	}
	// The agent gets the attachment and the input that came with it.
	if out, end, _ = relayed(t, []*rinkpb.StepUp{{Stdin: []byte("x")}}, second); out != "b" || end != " done" {
		t.Errorf("with input: output %q, end %q", out, end)
	}
	// One that is just being started anew is there a little later.
	if out, end, _ = relayed(t, nil, nil, nil, &agent{down: []*rinkpb.StepDown{text("c"), {NodeDone: true}}, err: io.EOF}); out != "c" || end != " done" {
		t.Errorf("there at the third try: output %q, end %q", out, end)
	}
}

// What the client has of a node is told that node, and again when the line to it
// is made anew.
func TestNodeLearnsWhatTheClientHas(t *testing.T) {
	l := &line{node: "n1"}
	l.has(&rinkpb.NodeSeq{Node: "n1", Seq: 7}) // the node is away
	a := &agent{down: []*rinkpb.StepDown{{NodeDone: true}}, err: io.EOF, more: make(chan *rinkpb.StepUp, 10)}
	dial := func(context.Context, string) (rinkpb.Agent_StepIOClient, error) { return a, nil }
	heard := func(*rinkpb.StepDown) error { // while the line is there
		l.has(&rinkpb.NodeSeq{Node: "n1", Seq: 9})
		return nil
	}
	if _, err := l.run(t.Context(), &rinkpb.StepAttach{Job: 1}, dial, heard); err != nil {
		t.Fatal(err)
	}
	if at := (<-a.more).GetAttach(); at == nil || len(at.Taken) != 1 || at.Taken[0].Seq != 7 {
		t.Errorf("the stream began with %v", at)
	}
	if up := <-a.more; len(up.Taken) != 1 || up.Taken[0].Node != "n1" || up.Taken[0].Seq != 9 {
		t.Errorf("then it was told %v", up)
	}
}

func TestNodeThatIsNeverThereIsTold(t *testing.T) {
	defer func(d time.Duration) { maxUnmet = d }(maxUnmet)
	maxUnmet = 300 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := &client{ctx: ctx, up: make(chan *rinkpb.StepUp, 1)}
	c.up <- &rinkpb.StepUp{Attach: &rinkpb.StepAttach{Job: 1, Nodes: []string{"n1"}}}
	dial := func(context.Context, string) (rinkpb.Agent_StepIOClient, error) {
		return nil, status.Error(codes.Unavailable, "nobody is there")
	}
	if err := Serve(c, func(*rinkpb.StepAttach) error { return nil }, dial); err != nil {
		t.Fatal(err)
	}
	if len(c.got) != 1 || c.got[0].NodeError != "nobody is there" || !c.got[0].NodeDone || ctx.Err() != nil {
		t.Errorf("the client was told %v, %v", c.got, ctx.Err())
	}
}

func TestNodeThatIsLostIsTold(t *testing.T) {
	refused := status.Error(codes.PermissionDenied, "not yours")
	for name, c := range map[string]struct {
		streams []*agent
		end     string
	}{
		"refuses": {[]*agent{{err: refused}}, "not yours done"},
		"another srun took over": {[]*agent{{down: []*rinkpb.StepDown{text("a")}, err: status.Error(codes.Aborted, "taken")}},
			"taken done"},
		"ends without a word": {[]*agent{{err: io.EOF}}, " done"},
	} {
		if _, end, _ := relayed(t, nil, c.streams...); end != c.end {
			t.Errorf("%s: %q, want %q", name, end, c.end)
		}
	}
}
