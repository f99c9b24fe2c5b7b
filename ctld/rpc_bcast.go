package ctld

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/barn/state"
	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// bcastWait is how long a node may take over one block unless sbcast says.
const bcastWait = 60 * time.Second

// Bcast writes a file on the nodes of a running job, for the job's owner alone. A
// block is taken from sbcast when all nodes have taken the one before, so that no
// more than one is held here.
func (c *controller) Bcast(stream rinkpb.Controller_BcastServer) error {
	id, u, err := c.caller(stream.Context())
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	f := first.GetFile()
	if f == nil || f.Ref == nil {
		return status.Error(codes.InvalidArgument, "a file begins with what it is and where it goes")
	}
	heres, nodes, err := c.s.bcastTo(u, f.Ref)
	if err != nil {
		return stream.SendAndClose(&rinkpb.BcastReply{Status: refuse(err)})
	}
	if f.Resolve {
		reply := &rinkpb.BcastReply{Status: &rinkpb.Status{}}
		for _, n := range nodes {
			reply.Outcomes = append(reply.Outcomes, &rinkpb.BcastOutcome{Node: string(n)})
		}
		return stream.SendAndClose(reply)
	}
	b := &bcast{limit: bcastWait, turns: make(chan struct{}, len(nodes))}
	if f.Fanout > 0 {
		b.turns = make(chan struct{}, min(int(f.Fanout), len(nodes)))
	}
	if f.Timeout > 0 {
		b.limit = time.Duration(f.Timeout) * time.Second
	}
	ctx, cancel := context.WithCancel(auth.Outgoing(stream.Context(), id))
	defer cancel()
	for i, n := range nodes {
		b.lines = append(b.lines, c.s.openBcast(ctx, n, f, heres[i]))
	}
	b.each(func(l *bcastLine) { l.send(l.begin) })
	for !b.over() {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err // with ctx, nothing of the file stays
		}
		m.File = nil
		b.each(func(l *bcastLine) { l.send(m) })
		if m.End {
			break
		}
	}
	b.each((*bcastLine).finish)
	reply := &rinkpb.BcastReply{Status: &rinkpb.Status{}}
	for _, l := range b.lines {
		reply.Outcomes = append(reply.Outcomes, l.outcome)
	}
	return stream.SendAndClose(reply)
}

// bcastTo is the nodes of a job, or of one of its steps, and what they are told of
// the job.
func (s *Server) bcastTo(u auth.User, ref *rinkpb.JobRef) (heres []*rinkpb.JobHere, nodes []sched.NodeName, err error) {
	s.barn.Read(func(t *state.State) {
		var list []target
		whole := &rinkpb.JobRef{Job: ref.Job, HasTask: ref.HasTask, Task: ref.Task, HasHet: ref.HasHet, Het: ref.Het}
		if list, err = find(t, whole); err != nil {
			return
		}
		j := list[0].job
		for _, tg := range list {
			if tg.job.ID == slurm.JobID(ref.Job) {
				j = tg.job
			}
		}
		switch {
		case j.UID != u.UID:
			err = slurm.ErrnoUserIDMissing
		case j.IsPending():
			err = slurm.ErrnoJobPending
		case j.HasEnded() || len(j.Alloc) == 0:
			err = slurm.ErrnoAlreadyDone
		}
		if err != nil {
			return
		}
		of := func(sched.NodeName) bool { return true }
		if ref.HasStep {
			i := slices.IndexFunc(j.Steps, func(st *sched.Step) bool { return uint32(st.ID) == ref.Step && !st.HasEnded() })
			if i < 0 {
				err = slurm.ErrnoInvalidJobID
				return
			}
			of = func(n sched.NodeName) bool {
				return slices.ContainsFunc(j.Steps[i].Nodes, func(sn sched.StepNode) bool { return sn.Node == n })
			}
		}
		for i := range j.Alloc {
			if of(j.Alloc[i].Node) {
				heres = append(heres, s.jobHere(j, t.Config(), i))
				nodes = append(nodes, j.Alloc[i].Node)
			}
		}
	})
	return heres, nodes, err
}

// bcast is one file on its way to several nodes.
type bcast struct {
	lines []*bcastLine
	turns chan struct{} // room for as many as are sent to at a time
	limit time.Duration
}

// bcastLine is the way to one node. It has an outcome once nothing more is to be
// sent.
type bcastLine struct {
	node    sched.NodeName
	begin   *rinkpb.BcastUp
	stream  rinkpb.Agent_BcastClient
	cancel  context.CancelFunc
	outcome *rinkpb.BcastOutcome
}

// openBcast opens the way to a node.
func (s *Server) openBcast(ctx context.Context, node sched.NodeName, f *rinkpb.BcastFile, here *rinkpb.JobHere) *bcastLine {
	l := &bcastLine{node: node, begin: &rinkpb.BcastUp{File: &rinkpb.BcastFile{
		Dest: f.Dest, Force: f.Force, Mode: f.Mode, Preserve: f.Preserve, Atime: f.Atime, Mtime: f.Mtime, Compress: f.Compress,
		Directory: f.Directory, Here: here,
	}}}
	ctx, l.cancel = context.WithCancel(ctx)
	conn, err := s.dialAgent(node)
	if err == nil {
		l.stream, err = rinkpb.NewAgentClient(conn).Bcast(ctx)
	}
	if err != nil {
		l.failed(err)
	}
	return l
}

// each does something with every line that is open, as many at a time as may be,
// and waits for all. A line that takes too long is given up.
func (b *bcast) each(do func(*bcastLine)) {
	var wg sync.WaitGroup
	for _, l := range b.lines {
		if l.outcome != nil {
			continue
		}
		b.turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-b.turns }()
			late := time.AfterFunc(b.limit, l.cancel)
			do(l)
			if !late.Stop() && l.outcome != nil && l.outcome.Error != "" {
				l.outcome.Error = "Socket timed out on send/recv operation"
			}
		})
	}
	wg.Wait()
}

// over reports whether no node wants any more.
func (b *bcast) over() bool {
	return !slices.ContainsFunc(b.lines, func(l *bcastLine) bool { return l.outcome == nil })
}

// send sends one message; what the agent has against it is fetched at once.
func (l *bcastLine) send(m *rinkpb.BcastUp) {
	if l.stream.Send(m) != nil {
		l.finish()
	}
}

// finish fetches what became of the file.
func (l *bcastLine) finish() {
	reply, err := l.stream.CloseAndRecv()
	switch {
	case err != nil:
		l.failed(err)
	case len(reply.Outcomes) == 1:
		l.outcome = reply.Outcomes[0]
	default:
		l.failed(errors.New("the agent does not say what became of the file"))
	}
}

func (l *bcastLine) failed(err error) {
	s, _ := status.FromError(err)
	text := s.Message()
	if s.Code() == codes.Unavailable {
		text = "Communication connection failure"
	}
	l.outcome = &rinkpb.BcastOutcome{Node: string(l.node), Error: text, Errno: int32(slurm.ErrnoError)}
}
