package noded

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/slice"
)

// taskIO carries the streams of a step's tasks on this node between their
// pipes and the srun that asked for them. Until somebody is attached the pipes
// stay unread, so that a task waits rather than its output being lost.
type taskIO struct {
	a     *Agent
	job   *job
	order *rinkpb.LaunchStep

	mu       sync.Mutex // guards all below
	client   *ioClient
	files    []slice.Files // by task; nil until connected
	early    []*rinkpb.StepUp
	events   []*rinkpb.StepDown // for the client: kept until it took them
	readers  int                // pumps that have not seen the end of their pipe
	exits    []*rinkpb.TaskExit
	done     bool // exits and output are complete
	over     bool // the client has been told
	wake     chan struct{}
	attended chan struct{} // closed when a client is attached
}

// ioClient is one attached srun.
type ioClient struct{ gone chan struct{} }

func newTaskIO(a *Agent, j *job, order *rinkpb.LaunchStep) *taskIO {
	t := &taskIO{a: a, job: j, order: order, wake: make(chan struct{}, 1), attended: make(chan struct{})}
	a.ioBook.add(t)
	return t
}

// maxChunk is how much of a task's output goes in one message.
const maxChunk = 64 << 10

// maxWaiting bounds the messages kept for a slow client; the pumps wait beyond
// it, and the tasks with them.
const maxWaiting = 64

// connect takes the node's ends of the tasks' pipes and starts to carry.
func (t *taskIO) connect(files []slice.Files) {
	t.mu.Lock()
	t.files = files
	early := t.early
	t.early = nil
	type pump struct {
		rank   int32
		stream int32
		from   *os.File
	}
	var pumps []pump
	for i, f := range files {
		rank := t.order.Tasks[i].Rank
		t.events = append(t.events, &rinkpb.StepDown{Started: &rinkpb.TaskStart{Rank: rank}})
		if f.PTY != nil {
			pumps = append(pumps, pump{rank, 1, f.PTY})
			continue
		}
		if f.Stdout != nil {
			pumps = append(pumps, pump{rank, 1, f.Stdout})
		}
		if f.Stderr != nil {
			pumps = append(pumps, pump{rank, 2, f.Stderr})
		}
	}
	t.readers = len(pumps)
	t.mu.Unlock()
	t.signal()
	for _, p := range pumps {
		t.a.wg.Go(func() { t.pump(p.rank, p.stream, p.from) })
	}
	for _, m := range early {
		t.input(m)
	}
	t.maybeDone()
}

// pump reads one pipe to its end. It stops reading while nobody takes what was
// read.
func (t *taskIO) pump(rank, stream int32, from *os.File) {
	select {
	case <-t.attended:
	case <-t.a.stopped:
		return
	}
	buf := make([]byte, maxChunk)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			t.push(&rinkpb.StepDown{Output: &rinkpb.TaskOutput{Rank: rank, Stream: stream, Data: append([]byte(nil), buf[:n]...)}})
		}
		if err != nil { // EOF, or EIO from a pty whose last user is gone
			break
		}
	}
	t.push(&rinkpb.StepDown{Output: &rinkpb.TaskOutput{Rank: rank, Stream: stream, Eof: true}})
	t.mu.Lock()
	t.readers--
	t.mu.Unlock()
	t.maybeDone()
}

// push queues a message for the client and waits while too many wait already.
func (t *taskIO) push(m *rinkpb.StepDown) {
	for {
		t.mu.Lock()
		if len(t.events) < maxWaiting || t.over || t.a.stopping() {
			t.events = append(t.events, m)
			t.mu.Unlock()
			t.signal()
			return
		}
		t.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
}

func (t *taskIO) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// ended says how the tasks ended; their output may still be on the way.
func (t *taskIO) ended(exits []*rinkpb.TaskExit) {
	t.mu.Lock()
	t.exits = exits
	if t.files == nil {
		t.files = []slice.Files{}
	}
	t.mu.Unlock()
	t.maybeDone()
	t.a.wg.Go(t.linger)
}

// linger lets go of the step when its srun has heard the end, or after a while
// when no srun comes for it.
func (t *taskIO) linger() {
	deadline := time.Now().Add(lingerTime)
	for time.Now().Before(deadline) && !t.a.stopping() {
		t.mu.Lock()
		over := t.over
		t.mu.Unlock()
		if over {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.mu.Lock()
	t.over = true
	select {
	case <-t.attended:
	default:
		close(t.attended)
	}
	for _, f := range t.files {
		closeFiles(f)
	}
	t.mu.Unlock()
	t.a.ioBook.remove(t)
}

// lingerTime is how long the end of a step waits for its srun.
const lingerTime = 60 * time.Second

// failed says that the tasks never ran.
func (t *taskIO) failed(err error) {
	exits := make([]*rinkpb.TaskExit, len(t.order.Tasks))
	for i, task := range t.order.Tasks {
		exits[i] = &rinkpb.TaskExit{Rank: task.Rank, Exit: &rinkpb.ExitCode{Code: 1}}
	}
	t.push(&rinkpb.StepDown{NodeError: err.Error()})
	t.ended(exits)
}

// word has a line printed on the standard error of srun.
func (t *taskIO) word(line string) { t.push(&rinkpb.StepDown{Messages: []string{line}}) }

// maybeDone queues the tasks' exits once all of their output is queued.
func (t *taskIO) maybeDone() {
	t.mu.Lock()
	if t.exits == nil || t.readers > 0 || t.done {
		t.mu.Unlock()
		return
	}
	t.done = true
	for _, e := range t.exits {
		t.events = append(t.events, &rinkpb.StepDown{Exited: e})
	}
	t.events = append(t.events, &rinkpb.StepDown{NodeDone: true})
	t.mu.Unlock()
	t.signal()
}

// input carries what srun sends to the tasks.
func (t *taskIO) input(m *rinkpb.StepUp) {
	t.mu.Lock()
	if t.files == nil {
		t.early = append(t.early, m)
		t.mu.Unlock()
		return
	}
	files := t.files
	t.mu.Unlock()
	id := stepSliceID(t.job.key, t.order.Step)
	if m.Signal != 0 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		t.a.launcher().Signal(ctx, id, slice.TargetTaskGroups, syscall.Signal(m.Signal))
	}
	for i, f := range files {
		if m.StdinTask >= 0 && (m.HasInput || m.StdinEof) && t.order.Tasks[i].Rank != m.StdinTask {
			continue
		}
		if f.PTY != nil {
			if m.Rows > 0 && m.Cols > 0 {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				t.a.launcher().Resize(ctx, id, i, slice.Winsize{Rows: uint16(m.Rows), Cols: uint16(m.Cols)})
				cancel()
			}
			if len(m.Stdin) > 0 {
				f.PTY.Write(m.Stdin)
			}
			if m.StdinEof {
				f.PTY.Write([]byte{4}) // what a terminal sends at the end of input
			}
			continue
		}
		if f.Stdin == nil {
			continue
		}
		if len(m.Stdin) > 0 {
			f.Stdin.Write(m.Stdin) // a task that has closed its input loses it, as with a shell's pipe
		}
		if m.StdinEof {
			f.Stdin.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			t.a.launcher().CloseStdin(ctx, id, i)
			cancel()
		}
	}
}

// serve gives one srun what the tasks say, until the step's end or until it
// leaves. A second srun takes the place of the first.
func (t *taskIO) serve(ctx context.Context, send func(*rinkpb.StepDown) error) error {
	me := &ioClient{gone: make(chan struct{})}
	t.mu.Lock()
	if t.client != nil {
		close(t.client.gone)
	}
	t.client = me
	select {
	case <-t.attended:
	default:
		close(t.attended)
	}
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.client == me {
			t.client = nil
		}
	}()
	for {
		t.mu.Lock()
		events := t.events
		t.events = nil
		t.mu.Unlock()
		for i, m := range events {
			if err := send(m); err != nil {
				t.mu.Lock() // what was not sent is kept for the next client
				t.events = append(append([]*rinkpb.StepDown(nil), events[i:]...), t.events...)
				t.mu.Unlock()
				return err
			}
			if m.NodeDone {
				t.mu.Lock()
				t.over = true
				t.mu.Unlock()
				return nil
			}
		}
		select {
		case <-t.wake:
		case <-me.gone:
			return status.Error(codes.Aborted, "another srun has attached to the step")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ioBook finds the streams of a step, also shortly after its end.
type ioBook struct {
	mu   sync.Mutex // guards list
	list map[stepName]*taskIO
	more chan struct{} // closed and replaced when a step is added
}

type stepName struct{ job, step uint32 }

func newIOBook() *ioBook { return &ioBook{list: map[stepName]*taskIO{}, more: make(chan struct{})} }

func (b *ioBook) add(t *taskIO) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list[stepName{t.job.key.job, t.order.Step}] = t
	close(b.more)
	b.more = make(chan struct{})
}

func (b *ioBook) remove(t *taskIO) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := stepName{t.job.key.job, t.order.Step}
	if b.list[n] == t {
		delete(b.list, n)
	}
}

// closeFiles closes this agent's ends of all pipes, which ends the pumps. The
// launcher keeps its own: what was not read is there for the next agent.
func (b *ioBook) closeFiles() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.list {
		t.mu.Lock()
		for _, f := range t.files {
			closeFiles(f)
		}
		t.mu.Unlock()
	}
}

// find waits for a step whose launch order may still be on its way.
func (b *ioBook) find(ctx context.Context, n stepName) (*taskIO, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		b.mu.Lock()
		t, more := b.list[n], b.more
		b.mu.Unlock()
		if t != nil {
			return t, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, status.Errorf(codes.NotFound, "step %d.%d is not on this node", n.job, n.step)
		}
	}
}

// stepIO serves the daemons of the cluster that carry a step's streams for an
// srun on their host.
type stepIO struct {
	rinkpb.UnimplementedAgentServer
	a *Agent
}

// StepIO attaches to one step of the caller's.
func (s *stepIO) StepIO(stream rinkpb.Agent_StepIOServer) error {
	who, err := auth.Caller(stream.Context())
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	at := first.GetAttach()
	if at == nil {
		return status.Error(codes.InvalidArgument, "a step's streams begin with which step")
	}
	t, err := s.a.ioBook.find(stream.Context(), stepName{at.Job, at.Step})
	if err != nil {
		return err
	}
	if !who.IsUser() || who.UID != t.job.here.Uid && who.UID != 0 {
		return status.Error(codes.PermissionDenied, "the step is another user's")
	}
	go func() { // ends with the stream
		for {
			m, err := stream.Recv()
			if errors.Is(err, io.EOF) || err != nil {
				return
			}
			if !at.ReadOnly {
				t.input(m)
			}
		}
	}()
	return t.serve(stream.Context(), stream.Send)
}

func closeFiles(f slice.Files) {
	for _, file := range []*os.File{f.Stdin, f.Stdout, f.Stderr, f.PTY} {
		if file != nil {
			file.Close()
		}
	}
}
