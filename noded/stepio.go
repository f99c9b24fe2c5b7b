package noded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runink/rink/api/rinkpb"
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

	warnOnce  sync.Once
	attaching sync.Mutex // held while the pipes are fetched from the launcher
	inputs    sync.Mutex // held while input is given to the tasks, which keeps it in order; nothing else waits for it

	mu       sync.Mutex // guards all below
	client   *ioClient
	attached bool // files is final
	files    []slice.Files
	early    []*rinkpb.StepUp
	out      outgoing
	tasks    []taskEnd // in the order of order.Tasks
	readers  int       // pumps whose pipe may have more
	ended    bool      // the slice has ended, and every task has an exit
	aborted  bool      // srun was told that the step is being ended
	worded   bool      // and what Slurm writes then
	done     bool      // exits and output are complete
	over     bool      // the client has it all, or is waited for no longer
	last     []func()  // what is done then
	wake     chan struct{}
	attended chan struct{} // closed when a client is attached
	carried  chan struct{} // closed when attached is true

	watchers   map[*watcher]struct{} // who sees what the client does
	recent     []*rinkpb.StepDown    // the latest output, for those who begin to watch
	recentSize int

	mpi  *mpiEnd     // nil unless the tasks speak PMI; given once, when the step is made
	pmix *pmixServer // nil unless they speak PMIx; likewise

	display *displayDoor // nil: tasks have none
}

// taskEnd is how far one task is.
type taskEnd struct {
	pumps []*pump
	pty   bool             // its output comes from a terminal
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

func newTaskIO(a *Agent, j *job, order *rinkpb.LaunchStep) *taskIO {
	t := &taskIO{
		a: a, job: j, order: order, id: stepSliceID(j.key, order.Step), tasks: make([]taskEnd, len(order.Tasks)),
		wake: make(chan struct{}, 1), attended: make(chan struct{}), carried: make(chan struct{}),
	}
	if err := t.out.open(a.spool.output, t.id, a.spool.outputFile(t.id)); err != nil {
		a.log.Error("output that a former agent kept for srun cannot be read", "slice", t.id, "error", err)
	}
	t.mpi, t.pmix = t.newMPI(), t.newPMIx()
	a.ioBook.add(t)
	return t
}

const (
	// maxChunk is how much of a task's output goes in one message.
	maxChunk = 64 << 10
	// maxWaiting bounds the messages kept until the client has them; the pumps
	// wait beyond it, and the tasks with them.
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
		t.out.add(&rinkpb.StepDown{Started: &rinkpb.TaskStart{Rank: t.order.Tasks[i].Rank}})
		var list []*pump
		switch {
		case f.PTY != nil:
			t.tasks[i].pty = true
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
		t.tell(m, files)
	}
	close(t.carried)
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
	take := t.taker(p)
	var since, armed time.Time // since its task ended, and since nothing came
	arm := func() error {
		armed = time.Now()
		return p.from.SetReadDeadline(armed.Add(endGrace))
	}
	for {
		data, err := take()
		if len(data) > 0 {
			t.a.logOutput(t, rank, p.stream, data)
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

// taker returns what takes a piece of output from a pump's pipe and says it, as
// soon as there is some; io.EOF at the pipe's end. Where the spool does not take
// it, on a full disk say, the output comes all the same, and is only lost with
// the agent. So is a terminal's, which cannot be moved by the kernel, for the
// moment between reading and noting it.
func (t *taskIO) taker(p *pump) func() ([]byte, error) {
	rank := t.order.Tasks[p.task].Rank
	var buf []byte
	read := func() ([]byte, error) {
		if buf == nil {
			buf = make([]byte, maxChunk)
		}
		n, err := p.from.Read(buf)
		if n > 0 {
			t.push(&rinkpb.StepDown{Output: &rinkpb.TaskOutput{Rank: rank, Stream: p.stream, Data: append([]byte(nil), buf[:n]...)}})
		}
		return buf[:n], err
	}
	raw, err := p.from.SyscallConn()
	if err != nil || t.tasks[p.task].pty {
		return read
	}
	plain := false
	return func() ([]byte, error) {
		if plain {
			return read()
		}
		if !t.room() {
			return nil, nil
		}
		var out *rinkpb.TaskOutput
		var err error
		rerr := raw.Read(func(fd uintptr) bool {
			t.mu.Lock()
			defer t.mu.Unlock()
			if out, err = t.out.move(int(fd), rank, p.stream); err == unix.EAGAIN {
				return false
			}
			if err == nil && out.Length > 0 {
				t.say(&rinkpb.StepDown{Output: out})
			}
			return true
		})
		switch {
		case rerr != nil:
			return nil, rerr
		case err != nil && out != nil:
			t.queue(&rinkpb.StepDown{Messages: []string{fmt.Sprintf("slurmstepd: error: %d bytes of output of task %d on %s are lost: %v", out.Length, rank, t.a.conf.Node, err)}})
			fallthrough
		case err != nil:
			t.unkept(err)
			plain = true
			return read()
		case out.Length == 0:
			return nil, io.EOF
		}
		t.signal()
		return out.Data, nil
	}
}

// unkept says, once for a step, that its output is not kept for another agent.
func (t *taskIO) unkept(err error) {
	t.warnOnce.Do(func() {
		t.a.log.Warn("output for srun is not kept for a restart of the agent", "slice", t.id, "error", err)
	})
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

// room waits until another message may be kept for the client, and says whether
// there is still anybody to have it.
func (t *taskIO) room() bool {
	for {
		t.mu.Lock()
		gone, free := t.over || t.a.stopping(), len(t.out.list) < maxWaiting
		t.mu.Unlock()
		if gone || free {
			return !gone
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// push queues a message for the client and waits while too many wait already.
func (t *taskIO) push(m *rinkpb.StepDown) {
	if t.room() {
		t.queue(m)
	}
}

// queue queues a message of the agent's own, which waits for nobody.
func (t *taskIO) queue(m *rinkpb.StepDown) {
	t.mu.Lock()
	if !t.over {
		t.say(m)
	}
	t.mu.Unlock()
	t.signal()
}

// say adds a message to what the client is to have, and shows it to those who
// watch. Needs t.mu held.
func (t *taskIO) say(m *rinkpb.StepDown) {
	if err := t.out.add(m); err != nil {
		t.unkept(err)
	}
	t.show(m)
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
	t.a.endPMIx(t.pmix)
	t.closeDisplay()
	t.progress()
	time.AfterFunc(lingerTime, t.linger)
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
		t.say(&rinkpb.StepDown{Exited: e.exit})
	}
	if t.ended && t.readers == 0 {
		t.done = true
		t.say(&rinkpb.StepDown{NodeDone: true})
		for _, f := range t.files {
			closeFiles(f)
		}
	}
	t.signal()
}

// linger lets go of a step that has ended unless there is an srun, which may take
// its time.
func (t *taskIO) linger() {
	t.mu.Lock()
	there := t.client != nil && !t.over
	t.mu.Unlock()
	if there {
		time.AfterFunc(lingerTime, t.linger)
		return
	}
	t.letGo()
}

// letGo forgets the step, whether its srun has heard the end or never came.
func (t *taskIO) letGo() {
	t.mu.Lock()
	last := t.finish()
	select {
	case <-t.attended:
	default:
		close(t.attended)
	}
	for _, f := range t.files {
		closeFiles(f)
	}
	t.mu.Unlock()
	for _, f := range last {
		f()
	}
	t.mpi.close()
	t.a.ioBook.remove(t)
}

// failed says that the tasks never ran.
func (t *taskIO) failed(err error) {
	exits := make([]*rinkpb.TaskExit, len(t.order.Tasks))
	for i, task := range t.order.Tasks {
		exits[i] = &rinkpb.TaskExit{Rank: task.Rank, Exit: &rinkpb.ExitCode{Code: 1}}
	}
	down := &rinkpb.StepDown{NodeError: err.Error()}
	if outside := (*outsideError)(nil); errors.As(err, &outside) {
		down.Messages = []string{"srun: " + outside.words()}
	}
	t.queue(down)
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
func (t *taskIO) terminated(why string) {
	if words := t.cancelWords(why); words != nil {
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
	return []string{t.a.endWords(fmt.Sprintf("STEP %d.%d", t.job.key.job, t.order.Step), why)}
}

func closeFiles(f slice.Files) {
	for _, file := range []*os.File{f.Stdin, f.Stdout, f.Stderr, f.PTY, f.Socket} {
		if file != nil {
			file.Close()
		}
	}
}
