package noded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/auth"
	"github.com/runink/rink/noded/launcher"
	"github.com/runink/rink/slice"
)

// taskIO carries the streams of a step's tasks on this node between their
// pipes and the srun that asked for them. Until somebody is attached the pipes
// stay unread, so that a task waits rather than its output being lost.
type taskIO struct {
	a     *Agent
	job   *job
	order *rinkpb.LaunchStep
	id    string // of the slice

	attaching sync.Mutex // held while the pipes are fetched from the launcher
	inputs    sync.Mutex // held while input is given to the tasks, which keeps it in order

	mu       sync.Mutex // guards all below
	client   *ioClient
	attached bool // files is final
	files    []slice.Files
	early    []*rinkpb.StepUp
	events   []*rinkpb.StepDown // for the client: kept until it took them
	tasks    []taskEnd          // in the order of order.Tasks
	readers  int                // pumps whose pipe may have more
	ended    bool               // the slice has ended, and every task has an exit
	aborted  bool               // srun was told that the step is being ended
	worded   bool               // and what Slurm writes then
	done     bool               // exits and output are complete
	over     bool               // the client has been told
	heard    []*rinkpb.StepDown // ends of tasks that a client was told
	wake     chan struct{}
	attended chan struct{} // closed when a client is attached

	watchers   map[*watcher]struct{} // who sees what the client does
	recent     []*rinkpb.StepDown    // the latest output, for those who begin to watch
	recentSize int

	mpi *mpiEnd // nil unless the tasks speak PMI; given once, when the step is made
}

// taskEnd is how far one task is.
type taskEnd struct {
	pumps []*pump
	exit  *rinkpb.TaskExit // nil while it runs
	told  bool
}

// pump carries one stream of one task.
type pump struct {
	task   int // index in order.Tasks
	stream int32
	from   *os.File
	spent  bool // at the end of the pipe, or nothing came after the task's end; guarded by taskIO.mu
}

// ioClient is one attached srun.
type ioClient struct{ gone chan struct{} }

func newTaskIO(a *Agent, j *job, order *rinkpb.LaunchStep) *taskIO {
	t := &taskIO{
		a: a, job: j, order: order, id: stepSliceID(j.key, order.Step), tasks: make([]taskEnd, len(order.Tasks)),
		wake: make(chan struct{}, 1), attended: make(chan struct{}),
	}
	t.mpi = t.newMPI()
	a.ioBook.add(t)
	return t
}

const (
	// maxChunk is how much of a task's output goes in one message.
	maxChunk = 64 << 10
	// maxWaiting bounds the messages kept for a slow client; the pumps wait
	// beyond it, and the tasks with them.
	maxWaiting = 64
	// endGrace is how long the end of a task waits for more output when a
	// descendant of it still holds the pipe, and maxEndGrace how long it waits
	// for one that goes on writing.
	endGrace    = 100 * time.Millisecond
	maxEndGrace = 2 * time.Second
	// lingerTime is how long the end of a step waits for its srun, and
	// afterTime how long an srun that lost the line at the end may ask again.
	lingerTime = 60 * time.Second
	afterTime  = 10 * time.Second
)

// attach gets the node's ends of the slice's pipes from the launcher, once,
// and starts to carry. A slice that has ended still has them until it is
// forgotten.
func (t *taskIO) attach(ctx context.Context) {
	t.attaching.Lock()
	defer t.attaching.Unlock()
	t.mu.Lock()
	attached := t.attached
	t.mu.Unlock()
	if attached {
		return
	}
	files, err := t.a.launcher().Attach(ctx, t.id)
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		t.a.log.Warn("cannot attach to a slice", "slice", t.id, "error", err)
		t.queue(&rinkpb.StepDown{Messages: []string{fmt.Sprintf("slurmstepd: error: the output of step %d.%d on %s is lost: %v",
			t.job.key.job, t.order.Step, t.a.conf.Node, err)}})
	}
	t.connect(files)
}

// connect takes the node's ends of the tasks' pipes.
func (t *taskIO) connect(files []slice.Files) {
	t.inputs.Lock()
	defer t.inputs.Unlock()
	t.mu.Lock()
	if t.attached || t.a.stopping() {
		t.mu.Unlock()
		for _, f := range files {
			closeFiles(f)
		}
		return
	}
	t.attached, t.files = true, files
	early := t.early
	t.early = nil
	var pumps []*pump
	for i, f := range files {
		if i >= len(t.tasks) {
			break
		}
		t.events = append(t.events, &rinkpb.StepDown{Started: &rinkpb.TaskStart{Rank: t.order.Tasks[i].Rank}})
		var list []*pump
		switch {
		case f.PTY != nil:
			list = append(list, &pump{task: i, stream: 1, from: f.PTY})
		default:
			if f.Stdout != nil {
				list = append(list, &pump{task: i, stream: 1, from: f.Stdout})
			}
			if f.Stderr != nil {
				list = append(list, &pump{task: i, stream: 2, from: f.Stderr})
			}
		}
		t.tasks[i].pumps = list
		pumps = append(pumps, list...)
	}
	t.readers = len(pumps)
	for i := range t.tasks {
		t.hurry(i)
	}
	t.mu.Unlock()
	t.signal()
	for _, p := range pumps {
		t.a.wg.Go(func() { t.pump(p) })
	}
	t.servePMI(files)
	for _, m := range early {
		t.give(m, files)
	}
	t.progress()
}

// hurry has the pumps of a task that has ended come to an end. Needs t.mu held.
func (t *taskIO) hurry(i int) {
	if t.tasks[i].exit == nil {
		return
	}
	for _, p := range t.tasks[i].pumps {
		if !p.spent {
			p.from.SetReadDeadline(time.Unix(1, 0)) // wakes a pump that reads, and it looks at its task
		}
	}
}

// pump reads one pipe to its end. It stops reading while nobody takes what was
// read.
func (t *taskIO) pump(p *pump) {
	select {
	case <-t.attended:
	case <-t.a.stopped:
		return
	}
	rank := t.order.Tasks[p.task].Rank
	buf := make([]byte, maxChunk)
	var since, armed time.Time // since its task ended, and since nothing came
	arm := func() error {
		armed = time.Now()
		return p.from.SetReadDeadline(armed.Add(endGrace))
	}
	for {
		n, err := p.from.Read(buf)
		if n > 0 {
			t.a.logOutput(t, rank, p.stream, buf[:n])
			t.push(&rinkpb.StepDown{Output: &rinkpb.TaskOutput{Rank: rank, Stream: p.stream, Data: append([]byte(nil), buf[:n]...)}})
		}
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if err != nil && !late { // EOF, or EIO from a pty whose last user is gone
			break
		}
		if t.a.stopping() {
			return
		}
		switch {
		case late && since.IsZero():
			since = time.Now()
			err = arm()
		case since.IsZero():
			continue
		case late && time.Since(armed) >= endGrace, time.Since(since) > maxEndGrace:
			// Somebody the task left behind holds the pipe. The task's end is told;
			// what still comes is carried until the slice ends.
			since = time.Time{}
			if t.spend(p) {
				return
			}
			err = p.from.SetReadDeadline(time.Time{})
		default:
			err = arm()
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	t.push(&rinkpb.StepDown{Output: &rinkpb.TaskOutput{Rank: rank, Stream: p.stream, Eof: true}})
	t.spend(p)
}

// spend notes that no more is waited for from a pump, and says whether the
// slice is at its end too.
func (t *taskIO) spend(p *pump) bool {
	t.mu.Lock()
	if !p.spent {
		p.spent = true
		t.readers--
	}
	ended := t.ended
	t.mu.Unlock()
	t.progress()
	return ended
}

// push queues a message for the client and waits while too many wait already.
func (t *taskIO) push(m *rinkpb.StepDown) {
	for {
		t.mu.Lock()
		if t.over || t.a.stopping() {
			t.mu.Unlock()
			return
		}
		if len(t.events) < maxWaiting {
			t.events = append(t.events, m)
			t.show(m)
			t.mu.Unlock()
			t.signal()
			return
		}
		t.mu.Unlock()
		time.Sleep(5 * time.Millisecond)
	}
}

// queue queues a message of the agent's own, which waits for nobody.
func (t *taskIO) queue(m *rinkpb.StepDown) {
	t.mu.Lock()
	if !t.over {
		t.events = append(t.events, m)
		t.show(m)
	}
	t.mu.Unlock()
	t.signal()
}

func (t *taskIO) signal() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// taskEnded notes how one task ended; it is told once, after the output.
func (t *taskIO) taskEnded(i int, exit *rinkpb.TaskExit) {
	t.mu.Lock()
	if i < 0 || i >= len(t.tasks) || t.tasks[i].exit != nil {
		t.mu.Unlock()
		return
	}
	t.tasks[i].exit = exit
	t.hurry(i)
	t.mu.Unlock()
	t.progress()
}

// sliceEnded notes that nothing of the step is left here and how its tasks
// ended; their output may still be on the way.
func (t *taskIO) sliceEnded(exits []*rinkpb.TaskExit) {
	t.mu.Lock()
	for i := range t.tasks {
		if t.tasks[i].exit == nil && i < len(exits) {
			t.tasks[i].exit = exits[i]
		}
		t.hurry(i)
	}
	t.ended = true
	t.mu.Unlock()
	t.progress()
	time.AfterFunc(lingerTime, t.letGo)
}

// progress queues what can be told now: tasks that have ended and whose output
// is queued, and the node's end when that is all.
func (t *taskIO) progress() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.attached || t.done {
		return
	}
	for i := range t.tasks {
		e := &t.tasks[i]
		if e.exit == nil || e.told || slices.ContainsFunc(e.pumps, func(p *pump) bool { return !p.spent }) {
			continue
		}
		e.told = true
		m := &rinkpb.StepDown{Exited: e.exit}
		t.events = append(t.events, m)
		t.show(m)
	}
	if t.ended && t.readers == 0 {
		t.done = true
		m := &rinkpb.StepDown{NodeDone: true}
		t.events = append(t.events, m)
		t.show(m)
		for _, f := range t.files {
			closeFiles(f)
		}
	}
	t.signal()
}

// letGo forgets the step, whether its srun has heard the end or never came.
func (t *taskIO) letGo() {
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
	t.mpi.close()
	t.a.ioBook.remove(t)
}

// failed says that the tasks never ran.
func (t *taskIO) failed(err error) {
	exits := make([]*rinkpb.TaskExit, len(t.order.Tasks))
	for i, task := range t.order.Tasks {
		exits[i] = &rinkpb.TaskExit{Rank: task.Rank, Exit: &rinkpb.ExitCode{Code: 1}}
	}
	t.queue(&rinkpb.StepDown{NodeError: err.Error()})
	t.connect(nil)
	t.sliceEnded(exits)
}

// cancelled tells srun, once, that the step is being ended, and, on its first node,
// what Slurm writes then.
func (t *taskIO) cancelled(killWait time.Duration, why string) {
	t.mu.Lock()
	again := t.aborted
	t.aborted = true
	t.mu.Unlock()
	if again {
		return
	}
	t.queue(&rinkpb.StepDown{AbortWait: int64(killWait/time.Second) + 2, Messages: t.cancelWords(why)})
}

// terminated tells srun that the step's tasks are told to end by themselves.
func (t *taskIO) terminated() {
	if words := t.cancelWords(""); words != nil {
		t.queue(&rinkpb.StepDown{Messages: words})
	}
}

// cancelWords is what Slurm writes, on the step's first node and once, when a
// step is to end.
func (t *taskIO) cancelWords(why string) []string {
	t.mu.Lock()
	again := t.worded
	t.worded = true
	t.mu.Unlock()
	if again || t.order.StepNodeIndex != 0 {
		return nil
	}
	return []string{fmt.Sprintf("slurmstepd: error: *** STEP %d.%d ON %s CANCELLED AT %s %s***",
		t.job.key.job, t.order.Step, t.a.conf.Node, time.Now().Format("2006-01-02T15:04:05"), spaced(why))}
}

// input carries what srun sends to the tasks. What comes before the pipes are
// there waits for them.
func (t *taskIO) input(m *rinkpb.StepUp) {
	t.inputs.Lock()
	defer t.inputs.Unlock()
	t.mu.Lock()
	if !t.attached {
		t.early = append(t.early, m)
		t.mu.Unlock()
		return
	}
	files := t.files
	t.mu.Unlock()
	t.give(m, files)
}

// give gives the tasks one message of srun's. Needs t.inputs held.
func (t *taskIO) give(m *rinkpb.StepUp, files []slice.Files) {
	box := t.a.launcher()
	ask := func(what string, do func(context.Context) error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := do(ctx); err != nil && !errors.Is(err, launcher.ErrNotFound) && !errors.Is(err, launcher.ErrBusy) {
			t.a.log.Warn("cannot pass on what srun asks", "what", what, "slice", t.id, "error", err)
		}
	}
	if m.Signal != 0 {
		ask("signal", func(ctx context.Context) error {
			return box.Signal(ctx, t.id, slice.TargetTaskGroups, syscall.Signal(m.Signal))
		})
	}
	for i, f := range files {
		if m.StdinTask >= 0 && (m.HasInput || m.StdinEof) && t.order.Tasks[i].Rank != m.StdinTask {
			continue
		}
		if f.PTY != nil {
			if m.Rows > 0 && m.Cols > 0 {
				ask("resize", func(ctx context.Context) error {
					return box.Resize(ctx, t.id, i, slice.Winsize{Rows: uint16(m.Rows), Cols: uint16(m.Cols)})
				})
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
			ask("end of input", func(ctx context.Context) error { return box.CloseStdin(ctx, t.id, i) })
		}
	}
}

// serve gives one srun what the tasks say, until the step's end or until it
// leaves. A second srun takes the place of the first, and is told again how
// tasks ended.
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
	again := slices.Clone(t.heard)
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
		if err := send(m); err != nil || m.NodeDone {
			return err
		}
	}
	for {
		t.mu.Lock()
		if t.client != me {
			t.mu.Unlock()
			t.signal() // for the one that is
			return status.Error(codes.Aborted, "another srun has attached to the step")
		}
		events := t.events
		t.events = nil
		t.mu.Unlock()
		for i, m := range events {
			if err := send(m); err != nil {
				t.mu.Lock() // what was not sent is kept for the next client
				t.events = append(append([]*rinkpb.StepDown(nil), events[i:]...), t.events...)
				t.mu.Unlock()
				t.signal()
				return err
			}
			if m.Exited != nil {
				t.mu.Lock()
				t.heard = append(t.heard, m)
				t.mu.Unlock()
			}
			if m.NodeDone {
				t.mu.Lock()
				t.over = true
				t.mu.Unlock()
				time.AfterFunc(afterTime, t.letGo)
				return nil
			}
		}
		select {
		case <-t.wake:
		case <-me.gone:
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
	if at.Pmi {
		return t.sharedPMI(stream.Recv)
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
	if at.Watch {
		return t.watch(stream.Context(), stream.Send)
	}
	return t.serve(stream.Context(), stream.Send)
}

func closeFiles(f slice.Files) {
	for _, file := range []*os.File{f.Stdin, f.Stdout, f.Stderr, f.PTY, f.Socket} {
		if file != nil {
			file.Close()
		}
	}
}
